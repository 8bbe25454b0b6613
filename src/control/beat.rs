//! Even time out of messages that come unevenly.
//!
//! A reference that is sampled whenever a message happens to come moves in jerks. Messages that are sent at an even rate
//! are given the time at which they would have come without the way's and the scheduler's whims: a clock that is drawn
//! slowly towards them, in phase and in period.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use crate::units::Time;

/// A clock that follows messages.
#[derive(Clone, Copy, Debug)]
pub struct Beat {
    /// Time between two messages, as far as it is known (s).
    period_secs: f64,
    last: Option<Time>,
}

/// How much of an error in phase is mended at once, and in the period.
const PHASE_GAIN: f64 = 0.05;
const PERIOD_GAIN: f64 = 0.001;
/// More periods without a message are a new beginning.
const LONGEST_GAP: f64 = 5.0;

impl Beat {
    /// A clock for messages that should come every `period_secs`.
    pub fn new(period_secs: f64) -> Self {
        Self { period_secs, last: None }
    }

    /// The even time of a message that came at `received`; never before the one of the message before.
    pub fn time_of(&mut self, received: Time) -> Time {
        let time = self.last.map_or(received, |last| self.next(last, received));
        self.last = Some(time);
        time
    }

    fn next(&mut self, last: Time, received: Time) -> Time {
        let gap = received.secs_since(last) / self.period_secs;
        if LONGEST_GAP < gap.abs() {
            return received;
        }
        let expected = last.plus_secs(gap.round().max(1.0) * self.period_secs);
        let error = received.secs_since(expected);
        self.period_secs += PERIOD_GAIN * error;
        expected.plus_secs(PHASE_GAIN * error).max(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times given to messages sent every `sent_secs` that are up to 2 ms late.
    fn steps(sent_secs: f64, count: i32) -> Vec<f64> {
        let mut beat = Beat::new(0.005);
        let mut random = fastrand::Rng::with_seed(1);
        let times: Vec<Time> = (0..count)
            .map(|i| beat.time_of(Time(0).plus_secs(f64::from(i) * sent_secs + random.f64() * 0.002)))
            .collect();
        times.windows(2).map(|pair| pair[1].secs_since(pair[0])).collect()
    }

    #[test]
    fn messages_that_come_unevenly_are_given_even_times() {
        for step in &steps(0.005, 2000)[200..] {
            assert!((step - 0.005).abs() < 2e-4, "{step}");
        }
    }

    #[test]
    fn a_rate_a_little_other_than_said_is_found() {
        let steps = steps(0.005_1, 8000);
        let mean = steps[4000..].iter().sum::<f64>() / (steps.len() - 4000) as f64;
        assert!((mean - 0.005_1).abs() < 1e-6, "{mean}");
        assert!(steps[4000..].iter().all(|step| (step - 0.005_1).abs() < 4e-4));
    }

    #[test]
    fn a_lost_message_leaves_a_step_of_two_periods() {
        let mut beat = Beat::new(0.005);
        beat.time_of(Time(0));
        beat.time_of(Time(5_000_000));
        let after = beat.time_of(Time(15_000_000));
        assert!((after.secs_since(Time(5_000_000)) - 0.010).abs() < 1e-6);
    }

    #[test]
    fn after_a_pause_it_begins_anew_and_never_goes_back() {
        let mut beat = Beat::new(0.005);
        beat.time_of(Time(0));
        assert_eq!(beat.time_of(Time(1_000_000_000)), Time(1_000_000_000));
        assert!(Time(1_000_000_000) <= beat.time_of(Time(1_000_000_001)));
    }
}
