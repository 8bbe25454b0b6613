//! Even time out of messages that come unevenly.
//!
//! A reference that is sampled whenever a message happens to come moves in jerks. Messages that are sent at an even rate
//! are given the time at which they would have come without the way's and the scheduler's whims: a clock that is drawn
//! slowly towards them, in phase and in period. Whoever was held up finds several messages waiting; they are one moment,
//! not several periods.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use crate::units::Time;

/// A clock that follows messages.
#[derive(Clone, Copy, Debug)]
pub struct Beat {
    /// Time between two messages as it should be, and as far as it is known (s).
    nominal_secs: f64,
    period_secs: f64,
    last: Option<Time>,
}

/// How much of an error in phase is mended at once, and in the period.
const PHASE_GAIN: f64 = 0.05;
const PERIOD_GAIN: f64 = 0.001;
/// How far the period may be from the one it should be. Farther off, the clock could settle at a wrong one, with a step
/// of two periods every few messages.
const MOST_DRIFT: f64 = 0.03;
/// More periods without a message are a new beginning.
const LONGEST_GAP: f64 = 5.0;

impl Beat {
    /// A clock for messages that should come every `period_secs`.
    pub fn new(period_secs: f64) -> Self {
        Self { nominal_secs: period_secs, period_secs, last: None }
    }

    /// The even time of a message that came at `received`, after the one of the message before; nothing where the two
    /// came together, so that no time has passed.
    pub fn time_of(&mut self, received: Time) -> Option<Time> {
        let time = self.last.map_or(Some(received), |last| self.next(last, received))?;
        self.last = Some(time);
        Some(time)
    }

    fn next(&mut self, last: Time, received: Time) -> Option<Time> {
        let gap = received.secs_since(last) / self.period_secs;
        if LONGEST_GAP < gap.abs() {
            return Some(received);
        }
        let periods = gap.round();
        if periods < 1.0 {
            return None;
        }
        let expected = last.plus_secs(periods * self.period_secs);
        let error = received.secs_since(expected);
        let (least, most) = (self.nominal_secs * (1.0 - MOST_DRIFT), self.nominal_secs * (1.0 + MOST_DRIFT));
        self.period_secs = (self.period_secs + PERIOD_GAIN * error).clamp(least, most);
        Some(expected.plus_secs(PHASE_GAIN * error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: f64 = 0.005;

    fn at(secs: f64) -> Time {
        Time(0).plus_secs(secs)
    }

    /// The steps that a clock makes with messages that come at these times.
    fn steps(arrivals: impl IntoIterator<Item = f64>) -> Vec<f64> {
        let mut beat = Beat::new(PERIOD);
        let times: Vec<Time> = arrivals.into_iter().filter_map(|secs| beat.time_of(at(secs))).collect();
        times.windows(2).map(|pair| pair[1].secs_since(pair[0])).collect()
    }

    /// Messages sent every `sent_secs` that are up to 2 ms late.
    fn jittery(sent_secs: f64, count: i32) -> impl Iterator<Item = f64> {
        let mut random = fastrand::Rng::with_seed(1);
        (0..count).map(move |i| f64::from(i) * sent_secs + random.f64() * 0.002)
    }

    #[test]
    fn messages_that_come_unevenly_are_given_even_times() {
        for step in &steps(jittery(PERIOD, 2000))[200..] {
            assert!((step - PERIOD).abs() < 2e-4, "{step}");
        }
    }

    #[test]
    fn a_rate_a_little_other_than_said_is_found() {
        let steps = steps(jittery(0.005_1, 8000));
        let mean = steps[4000..].iter().sum::<f64>() / (steps.len() - 4000) as f64;
        assert!((mean - 0.005_1).abs() < 1e-6, "{mean}");
        assert!(steps[4000..].iter().all(|step| (step - 0.005_1).abs() < 4e-4));
    }

    #[test]
    fn a_lost_message_leaves_a_step_of_two_periods() {
        let steps = steps([0.0, 0.005, 0.015]);
        assert!((steps[1] - 0.010).abs() < 1e-6, "{steps:?}");
    }

    #[test]
    fn messages_that_waited_together_are_one_step() {
        let waiting = (1..=10).map(|i| 0.05 + f64::from(i) * 2e-5);
        let steps = steps([0.0, 0.005].into_iter().chain(waiting).chain([0.055, 0.06]));
        assert_eq!(steps.len(), 4, "{steps:?}");
        assert!(steps.iter().all(|step| 0.0 < *step), "{steps:?}");
        assert!((steps.iter().sum::<f64>() - 0.06).abs() < 5e-4, "{steps:?}");
    }

    #[test]
    fn it_finds_its_period_again_after_any_number_of_pauses() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut awake = 0.0_f64;
        let mut arrivals = Vec::new();
        for i in 0..4000 {
            let sent = f64::from(i) * PERIOD;
            if i < 3000 && random.u8(..20) == 0 {
                awake = awake.max(sent + 0.06 * random.f64());
            }
            // Whatever was sent during a pause is taken at its end, one after the other.
            awake = sent.max(awake + 2e-5);
            arrivals.push(awake);
        }
        let steps = steps(arrivals);
        assert!(steps.iter().all(|step| 0.0 < *step));
        for step in &steps[steps.len() - 900..] {
            assert!((step - PERIOD).abs() < 2e-4, "{step}");
        }
    }

    #[test]
    fn a_rate_that_was_another_for_a_while_is_forgotten() {
        for other_secs in [0.004, 0.004_2, 0.006, 0.006_5] {
            let (before, after) = (0..2000, 1..2000);
            let arrivals = before.map(|i| f64::from(i) * other_secs);
            let then = after.map(|i| 1999.0 * other_secs + f64::from(i) * PERIOD);
            let steps = steps(arrivals.chain(then));
            for step in &steps[steps.len() - 1000..] {
                assert!((step - PERIOD).abs() < 2e-4, "{step} after {other_secs}");
            }
        }
    }

    #[test]
    fn after_a_pause_it_begins_anew() {
        let mut beat = Beat::new(PERIOD);
        beat.time_of(Time(0));
        assert_eq!(beat.time_of(at(1.0)), Some(at(1.0)));
        assert_eq!(beat.time_of(Time(1_000_000_001)), None);
    }
}
