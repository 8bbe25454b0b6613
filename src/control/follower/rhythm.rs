//! Single points that come one after the other: how fast they move, and when the next one is due.
//!
//! A point that comes alone is a place to stop at. One of a stream is passed: with the velocity that leads from the
//! point before to it, and so much later than asked for that the joints can still stop there if no other point comes.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use crate::config::arm::MAX_JOINTS;
use crate::trajectory::limits::JointLimits;
use crate::units::Time;

/// The rhythm of single-point goals.
#[derive(Debug)]
pub(super) struct Rhythm {
    last: Option<Time>,
    /// Smoothed time between two points (s); `None` while there was but one.
    interval: Option<f64>,
    /// For each joint the last point's position (rad or m); NaN where it had none.
    positions: [f64; MAX_JOINTS],
}

/// How a point of a stream is to be passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pace {
    /// For each column the velocity (rad/s or m/s).
    pub(super) velocities: [f64; MAX_JOINTS],
    /// How long after it came (s).
    pub(super) after_secs: f64,
    /// Without another point until so long after it came (s), the joints stop there.
    pub(super) patience_secs: f64,
}

/// Points that are farther apart (s) are no stream.
pub const LONGEST_INTERVAL: f64 = 0.5;
/// Two points at the same moment (s) are one.
const SHORTEST_INTERVAL: f64 = 1e-3;
/// How much of a new interval counts.
const SMOOTHING: f64 = 0.2;
/// A point is missed after so many intervals,
const PATIENCE: f64 = 1.5;
/// and not before this (s): processes and networks are late by so much, however often points are sent.
const LEAST_PATIENCE: f64 = 0.04;

impl Rhythm {
    /// No point yet.
    pub(super) fn new() -> Self {
        Self { last: None, interval: None, positions: [f64::NAN; MAX_JOINTS] }
    }

    /// Forgets the stream: what comes next is a first point.
    pub(super) fn forget(&mut self) {
        *self = Self::new();
    }

    /// A point came that moves `joints` to `target(column)`, `asked_secs` after now; how to pass it, if it belongs to a
    /// stream.
    pub(super) fn note(
        &mut self,
        now: Time,
        joints: &[usize],
        limits: &[JointLimits],
        asked_secs: f64,
        target: impl Fn(usize) -> f64,
    ) -> Option<Pace> {
        let interval = self.interval_until(now);
        let mut velocities = [0.0; MAX_JOINTS];
        let mut positions = [f64::NAN; MAX_JOINTS];
        let mut stop_secs: f64 = 0.0;
        for (column, &joint) in joints.iter().enumerate() {
            positions[joint] = target(column);
            let step = positions[joint] - self.positions[joint];
            if let Some(interval) = interval.filter(|_| step.is_finite()) {
                velocities[column] = passing_velocity(step / interval, positions[joint], &limits[joint]);
                stop_secs = stop_secs.max(limits[joint].stopping_secs(velocities[column]));
            }
        }
        (self.last, self.interval, self.positions) = (Some(now), interval, positions);
        let patience_secs = (PATIENCE * interval?).max(LEAST_PATIENCE);
        let after_secs = asked_secs.max(patience_secs + stop_secs / 2.0);
        Some(Pace { velocities, after_secs, patience_secs })
    }

    /// The smoothed time between points, `now` being one of them.
    fn interval_until(&self, now: Time) -> Option<f64> {
        let new = self.last.map(|last| now.secs_since(last)).filter(|new| *new <= LONGEST_INTERVAL)?;
        let new = new.max(SHORTEST_INTERVAL);
        Some(self.interval.map_or(new, |old| old + SMOOTHING * (new - old)))
    }
}

/// A velocity from which the joint can stop within its travel.
fn passing_velocity(velocity: f64, position: f64, limits: &JointLimits) -> f64 {
    let room = if velocity < 0.0 { position - limits.lower() } else { limits.upper() - position };
    let most = limits.max_velocity().min((2.0 * SHARE * limits.max_acceleration() * room.max(0.0)).sqrt());
    velocity.clamp(-most, most)
}

/// The part of the acceleration that braking takes in the mean, because jerk is limited too.
const SHARE: f64 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trajectory::limits::RawLimits;

    fn limits() -> [JointLimits; 1] {
        let raw = RawLimits {
            lower: -2.0,
            upper: 2.0,
            max_velocity: 5.0,
            max_acceleration: 40.0,
            max_jerk: 1000.0,
        };
        [JointLimits::new(raw).unwrap()]
    }

    fn note(rhythm: &mut Rhythm, at_secs: f64, position: f64) -> Option<Pace> {
        rhythm.note(Time(0).plus_secs(at_secs), &[0], &limits(), 0.1, |_| position)
    }

    #[test]
    fn a_point_alone_is_no_stream_and_neither_are_points_far_apart() {
        let mut rhythm = Rhythm::new();
        assert_eq!(note(&mut rhythm, 1.0, 0.1), None);
        assert_eq!(note(&mut rhythm, 2.0, 0.2), None);
        rhythm.forget();
        assert_eq!(note(&mut rhythm, 2.1, 0.2), None);
    }

    #[test]
    fn points_of_a_stream_are_passed_with_the_velocity_between_them_and_time_to_stop() {
        let mut rhythm = Rhythm::new();
        note(&mut rhythm, 1.0, 0.1);
        let pace = note(&mut rhythm, 1.1, 0.2).unwrap();
        assert!((pace.velocities[0] - 1.0).abs() < 1e-6);
        assert!((pace.patience_secs - 0.15).abs() < 1e-6);
        let room = pace.velocities[0] * (pace.after_secs - pace.patience_secs);
        assert!(room + 1e-9 >= limits()[0].stopping_distance(1.0));
    }

    #[test]
    fn a_point_of_a_quick_stream_may_be_as_late_as_processes_are() {
        let mut rhythm = Rhythm::new();
        note(&mut rhythm, 1.0, 0.1);
        assert_eq!(note(&mut rhythm, 1.01, 0.11).unwrap().patience_secs, LEAST_PATIENCE);
    }

    #[test]
    fn a_point_at_the_end_of_the_travel_is_no_place_to_be_passed() {
        let mut rhythm = Rhythm::new();
        note(&mut rhythm, 1.0, 1.8);
        assert_eq!(note(&mut rhythm, 1.1, 2.0).unwrap().velocities[0], 0.0);
    }
}
