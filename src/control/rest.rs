//! The way to the rest pose: every joint at once, on a straight line between the joints' positions, without hurry.
//!
//! Knows neither obstacles nor what the arm holds: the line is the owner's to choose, with the pose.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use super::arm::Reference;
use super::limiter::Limiter;
use crate::config::arm::MAX_JOINTS;
use crate::trajectory::limits::{JointLimits, RawLimits};

/// A way to the rest pose that may be gone.
#[derive(Clone, Debug)]
pub struct Rest {
    pose: Vec<f64>,
    limits: Vec<JointLimits>,
    period_secs: f64,
    from: [f64; MAX_JOINTS],
    /// How much of the way is gone, 0 to 1; `None` before it begins.
    progress: Option<Limiter>,
}

/// The part of its greatest speed, acceleration and jerk that a joint uses.
const PART: f64 = 0.2;
/// So near to its end the way is gone.
const END: f64 = 1e-9;

impl Rest {
    /// The way to `pose` (rad or m, one for each joint) of joints with these limits, in steps of `period_secs`.
    pub fn new(pose: Vec<f64>, limits: &[JointLimits], period_secs: f64) -> Self {
        Self { pose, limits: limits.to_vec(), period_secs, from: [0.0; MAX_JOINTS], progress: None }
    }

    /// The way begins anew, where the arm comes to rest.
    pub fn prepare(&mut self) {
        self.progress = None;
    }

    /// Writes the references of the next period; the joints were told to be at `commands`, and are at rest the first
    /// time.
    pub fn step(&mut self, commands: &[f64], references: &mut [Reference]) {
        let progress = match &mut self.progress {
            Some(progress) => progress,
            None => {
                self.from[..commands.len()].copy_from_slice(commands);
                let limits = self.limits_of_progress();
                self.progress.insert(Limiter::new(limits, self.period_secs, 0.0))
            }
        };
        let part = progress.follow(1.0);
        for ((reference, from), to) in references.iter_mut().zip(&self.from).zip(&self.pose) {
            *reference = Reference::Follow(from + (to - from) * part);
        }
    }

    /// Whether the way was begun.
    pub fn is_under_way(&self) -> bool {
        self.progress.is_some()
    }

    /// Whether the references are at the pose.
    pub fn is_over(&self) -> bool {
        self.progress.is_some_and(|progress| 1.0 - progress.position() < END)
    }

    /// How fast the whole way may be gone, so that no joint goes faster than it should.
    fn limits_of_progress(&self) -> JointLimits {
        let least = |of: fn(&JointLimits) -> f64| {
            let joints = self.limits.iter().zip(&self.from).zip(&self.pose);
            let each = joints.map(|((limits, from), to)| PART * of(limits) / (to - from).abs());
            each.filter(|rate| rate.is_finite()).fold(f64::INFINITY, f64::min)
        };
        let velocity = least(JointLimits::max_velocity).min(1.0 / self.period_secs);
        let (acceleration, jerk) = (least(JointLimits::max_acceleration), least(JointLimits::max_jerk));
        let raw = RawLimits {
            lower: 0.0,
            upper: 1.0,
            max_velocity: velocity,
            max_acceleration: acceleration,
            max_jerk: jerk,
        };
        JointLimits::new(raw).unwrap_or_else(|_| JointLimits::of_rates(velocity, acceleration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> [JointLimits; 2] {
        let raw = RawLimits {
            lower: -2.0,
            upper: 2.0,
            max_velocity: 2.0,
            max_acceleration: 20.0,
            max_jerk: 1000.0,
        };
        [JointLimits::new(raw).unwrap(); 2]
    }

    #[test]
    fn the_joints_go_together_on_a_straight_line_no_faster_than_they_should() {
        let mut rest = Rest::new(vec![1.0, -0.5], &limits(), 0.01);
        let mut commands = [0.0, 0.5];
        let mut steps = 0;
        while !rest.is_over() {
            let mut references = [Reference::Hold; 2];
            rest.step(&commands, &mut references);
            let [Reference::Follow(first), Reference::Follow(second)] = references else { panic!() };
            assert!((second - (0.5 - first)).abs() < 1e-9);
            assert!((first - commands[0]) / 0.01 <= PART * 2.0 + 1e-9);
            commands = [first, second];
            steps += 1;
        }
        assert!((commands[0] - 1.0).abs() < 1e-6 && (250..350).contains(&steps), "{commands:?} in {steps}");
    }

    #[test]
    fn an_arm_that_is_there_already_has_no_way_to_go() {
        let mut rest = Rest::new(vec![0.3, -0.3], &limits(), 0.01);
        for _ in 0..3 {
            rest.step(&[0.3, -0.3], &mut [Reference::Hold; 2]);
        }
        assert!(rest.is_over());
    }
}
