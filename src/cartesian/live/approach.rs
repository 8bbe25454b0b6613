//! How fast to go towards a place, so as to come to rest exactly there, as soon as the joints can.
//!
//! The way is straight: every coordinate gets the share of the limits that it has of the way, and each does what a
//! joint of its own would do. The place may move; it is approached in the frame that moves with it.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use super::inverse::Joints;
use super::motion::{Arm, Coordinates, Effect, Motion};
use crate::kinematics::ik::MAX_JOINTS;
use crate::trajectory::limiter::Limiter;
use crate::trajectory::limits::{JointLimits, RawLimits};
use crate::trajectory::spline::JointState;

/// What is still to go, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// From here to the place.
    pub(super) missing: Coordinates,
    /// How the place moves.
    pub(super) drift: Coordinates,
    /// The greatest speed of each coordinate relative to the place, all of them at once.
    pub(super) speeds: Coordinates,
}

/// How much of what the joints can do the approach counts on.
const SHARE: f64 = 0.6;
const JERK_SHARE: f64 = 0.5;
/// However little of the way a coordinate has, it gets so much of the limits.
const LEAST: f64 = 1e-3;

/// The next velocity on the way, and its change a second.
pub(super) fn next(arm: &Arm, motion: &Motion, effect: &Effect, way: &Way) -> (Coordinates, Coordinates) {
    let relative = motion.velocity() - way.drift;
    let change = *motion.change();
    let shares = shares(&[way.missing, relative, change]);
    let strain = effect.on(&shares);
    let most = |limit: &dyn Fn(&JointLimits) -> f64| {
        let each = arm.limits.iter().zip(strain.iter()).map(|(limits, strain)| limit(limits) / strain.abs());
        each.fold(1e6, f64::min)
    };
    let fastest = shares.iter().zip(way.speeds.iter()).filter(|(share, _)| 0.0 < **share);
    let fastest =
        fastest.map(|(share, speed)| speed / share).fold(most(&JointLimits::max_velocity), f64::min);
    let acceleration = SHARE * most(&JointLimits::max_acceleration);
    let jerk = JERK_SHARE * most(&JointLimits::max_jerk);
    let (mut velocity, mut changes) = (way.drift, Coordinates::zeros());
    for axis in 0..MAX_JOINTS {
        let share = shares[axis];
        let limits = JointLimits::new(RawLimits {
            lower: f64::NEG_INFINITY,
            upper: f64::INFINITY,
            max_velocity: fastest * share,
            max_acceleration: acceleration * share,
            max_jerk: jerk * share,
        });
        let Ok(limits) = limits else { continue };
        let state =
            JointState { position: -way.missing[axis], velocity: relative[axis], acceleration: change[axis] };
        let mut axis_motion = Limiter::moving(limits, arm.period, state);
        axis_motion.track(0.0, 0.0);
        velocity[axis] += axis_motion.velocity();
        changes[axis] = axis_motion.acceleration();
    }
    (velocity, changes)
}

/// For each coordinate the greatest share that it has in any of these.
fn shares(of: &[Coordinates]) -> Joints {
    let mut shares = Joints::zeros();
    for coordinates in of {
        let whole = coordinates.norm();
        if 0.0 < whole {
            shares = shares.sup(&(coordinates.abs() / whole));
        }
    }
    shares.map(|share| if share == 0.0 { 0.0 } else { share.max(LEAST) })
}
