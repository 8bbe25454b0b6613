//! What a velocity that is wanted has to be scaled by, and why.
//!
//! All of it is scaled, so that its direction stays. What it is scaled by goes to 0 before the end of a joint's travel,
//! a singularity and a collision, early enough to stop in time, and only where the motion leads there. Knows no clock.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use super::inverse::{Inverse, Joints};
use super::motion::{Arm, Coordinates, Motion, Space};
use super::options::{Options, Singularity};
use super::status::Status;
use super::{Clearance, Closeness};
use crate::kinematics::ik::{JointSet, Positions};
use crate::trajectory::limits::JointLimits;

/// What a wanted velocity becomes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slowed {
    pub(super) velocity: Coordinates,
    pub(super) status: Status,
    pub(super) locked: JointSet,
}

/// Where the motion would come to rest if it halted now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ahead {
    pub(super) condition: f64,
    pub(super) clearance: Clearance,
}

/// How much of the greatest speed is used.
const SPEED_SHARE: f64 = 0.95;
/// How much of the acceleration bends of the way may take.
const BEND_SHARE: f64 = 0.4;
/// How much of the acceleration and jerk braking before the end of the travel takes.
const BRAKING_SHARE: f64 = 0.5;
/// A distance is not gone in less than a tenth of a second, so that an end is approached gently (1/s).
const STEEPEST: f64 = 10.0;
/// How far ahead it is looked which way things go (s).
const LOOK_AHEAD: f64 = 0.02;
/// The measure of singularity grows if it does by more than this part while it is looked ahead.
const GROWS: f64 = 1e-4;
/// A distance shrinks if it does by more than this (m) while it is looked ahead.
const SHRINKS: f64 = 1e-6;
/// At this part of its threshold a collision is as near as it may come.
pub(super) const CLOSEST: f64 = 0.1;
/// What is left of a velocity that counts as a halt.
const HALT: f64 = 0.01;
/// A joint with less than this part of its speed is at its end.
const AT_END: f64 = 0.05;
/// The arm always leaves a singularity with at least this part of what is wanted.
const SLOWEST_LEAVING: f64 = 0.1;

/// Scales a velocity that is not zero.
pub(super) fn slow(
    arm: &Arm,
    options: &Options,
    motion: &Motion,
    wanted: &Coordinates,
    ahead: &Ahead,
    closeness: &mut Closeness<'_>,
) -> Slowed {
    let here = motion.positions();
    let joints_of = |velocity: &Coordinates, place: &[f64]| match motion.space() {
        Space::Joints => *velocity,
        Space::Tip => Inverse::at(&arm.chain, place, JointSet::NONE).joints_of * velocity.fixed_rows::<6>(0),
    };
    let joints = joints_of(wanted, &here);
    let possible = possible(arm, &here, &joints, &|place| joints_of(wanted, place));
    let (mut velocity, joints) = (wanted * possible, joints * possible);
    let mut end = end_of_travel(arm, &here, &joints);
    let halts_all = match motion.space() {
        Space::Joints => options.halt_all_joints_in_joint_mode,
        Space::Tip => options.halt_all_joints_in_cartesian_mode,
    };
    let mut locked = JointSet::NONE;
    if !halts_all {
        match motion.space() {
            Space::Joints => velocity.component_mul_assign(&end.shares),
            Space::Tip => locked = end.locked(),
        }
        end.share = 1.0;
    }
    let (mut scale, mut status) = (end.share, end.status);
    let then = after(&here, &joints, LOOK_AHEAD);
    let mut consider = |found: (f64, Status)| {
        if found.0 < scale {
            (scale, status) = found;
        }
    };
    if motion.space() == Space::Tip {
        consider(singularity(arm, &options.singularity, &here, &then, ahead.condition));
    }
    consider(collision(options, &here, &then, &ahead.clearance, closeness));
    // What is said to halt does.
    let scale = if scale < HALT { 0.0 } else { scale };
    Slowed { velocity: velocity * scale, status, locked }
}

/// What the ends of the joints' travel leave of a motion.
struct EndOfTravel {
    /// For each joint the part of its velocity with which it can still stop in time.
    shares: Joints,
    /// The least of them.
    share: f64,
    status: Status,
}

impl EndOfTravel {
    /// The joints that are there.
    fn locked(&self) -> JointSet {
        let there = self.shares.iter().enumerate().filter(|(_, share)| **share < AT_END);
        there.fold(JointSet::NONE, |locked, (joint, _)| locked.with(joint))
    }
}

fn end_of_travel(arm: &Arm, here: &[f64], joints: &Joints) -> EndOfTravel {
    let shares = shares_of_travel(arm, here, joints);
    let (joint, share) = shares.argmin();
    let status =
        if share < 1.0 { Status::JointBound { joint, halts: share < HALT } } else { Status::NoWarning };
    EndOfTravel { shares, share, status }
}

/// For each joint the part of its velocity with which it can still stop before the end of its travel.
fn shares_of_travel(arm: &Arm, here: &[f64], joints: &Joints) -> Joints {
    let mut shares = Joints::repeat(1.0);
    for (joint, limits) in arm.limits.iter().enumerate() {
        let velocity = joints[joint];
        let room = if velocity < 0.0 { here[joint] - limits.lower() } else { limits.upper() - here[joint] };
        let speed = speed_to_stop_within(limits, room);
        if speed < velocity.abs() {
            shares[joint] = speed / velocity.abs();
        }
    }
    shares
}

/// The greatest speed from which a joint comes to rest within a distance, braking gently.
fn speed_to_stop_within(limits: &JointLimits, room: f64) -> f64 {
    let (most, jerk) = (BRAKING_SHARE * limits.max_acceleration(), BRAKING_SHARE * limits.max_jerk());
    if room <= 0.0 {
        return 0.0;
    }
    if room == f64::INFINITY {
        return f64::INFINITY;
    }
    // A joint that brakes from `most²/jerk` just reaches its greatest deceleration.
    let by_jerk = (room * jerk.sqrt()).powf(2.0 / 3.0);
    let speed = if by_jerk * jerk <= most * most {
        by_jerk
    } else {
        let ramp = most * most / (2.0 * jerk);
        (ramp * ramp + 2.0 * most * room).sqrt() - ramp
    };
    speed.min(room * STEEPEST)
}

/// What of a velocity the joints can do, with the bends that its way takes.
fn possible(arm: &Arm, here: &Positions, joints: &Joints, joints_of: &dyn Fn(&[f64]) -> Joints) -> f64 {
    let by_speed = |joints: &Joints| {
        let each = arm.limits.iter().zip(joints.iter());
        each.map(|(limits, velocity)| SPEED_SHARE * limits.max_velocity() / velocity.abs())
            .fold(1.0, f64::min)
    };
    let scale = by_speed(joints);
    let then = joints_of(&after(here, joints, scale * LOOK_AHEAD));
    let scale = scale.min(by_speed(&then));
    let bends = (then - joints) / LOOK_AHEAD;
    let each = arm.limits.iter().zip(bends.iter());
    // A bend takes the more acceleration the faster it is gone through, with the square.
    each.map(|(limits, bend)| (BEND_SHARE * limits.max_acceleration() / bend.abs()).sqrt())
        .fold(scale, f64::min)
}

fn after(here: &[f64], joints: &Joints, secs: f64) -> Positions {
    let mut there = Positions::from_slice(here);
    there.iter_mut().zip(joints.iter()).for_each(|(position, velocity)| *position += velocity * secs);
    there
}

fn singularity(arm: &Arm, options: &Singularity, here: &[f64], then: &[f64], stop: f64) -> (f64, Status) {
    let now = arm.measure.at(&arm.chain, here);
    let grows = now * (1.0 + GROWS) < arm.measure.at(&arm.chain, then);
    let near = if grows { now.max(stop) } else { now };
    if near <= options.lower_threshold {
        return (1.0, Status::NoWarning);
    }
    let depth = (near - options.lower_threshold) / (options.hard_stop_threshold - options.lower_threshold);
    if grows {
        let scale = (1.0 - depth).max(0.0);
        let status = if scale < HALT { Status::HaltForSingularity } else { Status::ApproachingSingularity };
        return (scale, status);
    }
    ((1.0 - depth / options.leaving_multiplier).max(SLOWEST_LEAVING), Status::LeavingSingularity)
}

fn collision(
    options: &Options,
    here: &[f64],
    then: &[f64],
    stop: &Clearance,
    closeness: &mut Closeness<'_>,
) -> (f64, Status) {
    let (now, then) = (closeness(here), closeness(then));
    let thresholds = options.thresholds();
    let mut scale: f64 = 1.0;
    for (kind, threshold) in thresholds.iter().enumerate() {
        if then.distances()[kind] < now.distances()[kind] - SHRINKS {
            let near = now.distances()[kind].min(stop.distances()[kind]);
            scale = scale.min(scale_at(near, *threshold));
        }
    }
    let status = match scale {
        scale if scale < HALT => Status::HaltForCollision,
        scale if scale < 1.0 => Status::ApproachingCollision,
        _ => Status::NoWarning,
    };
    (scale, status)
}

/// moveit_servo's exponential, which is 1 at the threshold and a thousandth in touch; as near as may be it is 0.
fn scale_at(distance: f64, threshold: f64) -> f64 {
    // Stated so that NaN stops, too.
    let is_apart = CLOSEST * threshold < distance;
    if is_apart { (1000.0_f64.ln() * (distance - threshold) / threshold).exp().min(1.0) } else { 0.0 }
}
