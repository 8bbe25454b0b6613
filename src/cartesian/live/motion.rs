//! The motion itself: a velocity that is led to another one, and what the joints do for it, tick by tick.
//!
//! The velocity has the coordinates of its space: one for each joint, or the twist of the tip. It changes within what
//! the joints can do, straight from one velocity to the other, so that a tip that starts, goes and stops does so on one
//! line. The joints close the loop on the pose that the velocity leads to. The last word has each joint's [`Limiter`];
//! where it changes something the velocity is what the joints really do. Knows no commands, no obstacles and no clock.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use nalgebra::{Isometry3, SMatrix, Translation3, UnitQuaternion, Vector3, Vector6};

use super::inverse::{Inverse, Joints, Measure};
use crate::kinematics::Chain;
use crate::kinematics::ik::{JointSet, MAX_JOINTS, Positions};
use crate::trajectory::limiter::Limiter;
use crate::trajectory::limits::JointLimits;
use crate::trajectory::spline::JointState;

/// What moves; nothing of it changes.
#[derive(Clone, Debug)]
pub(super) struct Arm {
    pub(super) chain: Chain,
    pub(super) measure: Measure,
    /// Each joint's limits: every rate is finite, the travel ends where live control ends.
    pub(super) limits: Vec<JointLimits>,
    /// Length of a tick (s).
    pub(super) period: f64,
}

/// What a velocity has one number for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// Each joint.
    Joints,
    /// The tip's twist along the base's axes, first the velocity of its origin.
    Tip,
}

/// A velocity or its change in one of the spaces; what the space does not have is 0.
pub(super) type Coordinates = Joints;

/// What a velocity means for the joints.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::large_enum_variant, reason = "it lives for a moment, on the stack")]
pub(super) enum Effect {
    /// Each number is a joint's.
    Each,
    /// It is a twist, which this turns into the joints' velocities.
    OfTwist(SMatrix<f64, MAX_JOINTS, 6>),
}

impl Effect {
    pub(super) fn on(&self, coordinates: &Coordinates) -> Joints {
        match self {
            Self::Each => *coordinates,
            Self::OfTwist(joints_of) => {
                let mut joints = [0.0; MAX_JOINTS];
                for (column, number) in joints_of.data.0.iter().zip(coordinates.data.0[0]) {
                    for (joint, factor) in joints.iter_mut().zip(column) {
                        *joint += factor * number;
                    }
                }
                Joints::from(joints)
            }
        }
    }
}

/// Where the velocity is to go.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    pub(super) velocity: Coordinates,
    /// Its change a second from there on, where that is known: then it is met without thinking of stopping to change.
    pub(super) change: Option<Coordinates>,
    /// Joints that are left out.
    pub(super) locked: JointSet,
}

/// The joints in motion.
#[derive(Clone, Copy, Debug)]
pub(super) struct Motion {
    space: Space,
    limiters: [Limiter; MAX_JOINTS],
    count: usize,
    velocity: Coordinates,
    change: Coordinates,
    /// Where the tip should be.
    reference: Isometry3<f64>,
}

/// How much of a joint's acceleration and jerk a change of velocity may use; the rest is for bends of the way.
const SHARE: f64 = 0.95;
const JERK_SHARE: f64 = 0.7;
/// However much a bend takes, this is left for changes.
const LEAST_SHARE: f64 = 0.3;
/// How much of what the tip is off its way is made up for in a second (1/s), and how fast at most (m/s).
const GAIN: f64 = 20.0;
const FASTEST_MENDING: f64 = 0.02;
/// Farther off (m, or rad) it is forgotten.
const FARTHEST_OFF: f64 = 0.005;
/// What is no difference (rad or m).
const ROUNDING: f64 = 1e-9;

impl Motion {
    /// Begins in this space where the joints are, as they move.
    pub(super) fn begin(arm: &Arm, space: Space, here: &[JointState]) -> Self {
        let at = |joint: usize| here.get(joint).copied().unwrap_or_default();
        let limiters = std::array::from_fn(|joint| {
            let limits = arm.limits[joint.min(arm.limits.len() - 1)];
            Limiter::moving(limits, arm.period, at(joint))
        });
        let zero = Coordinates::zeros();
        let count = arm.chain.dof();
        let reference = Isometry3::identity();
        let mut motion = Self { space, limiters, count, velocity: zero, change: zero, reference };
        motion.take_from_joints(arm);
        motion
    }

    /// The same motion in another space.
    pub(super) fn change_space(&mut self, arm: &Arm, space: Space) {
        self.space = space;
        self.take_from_joints(arm);
    }

    pub(super) fn space(&self) -> Space {
        self.space
    }

    pub(super) fn velocity(&self) -> &Coordinates {
        &self.velocity
    }

    pub(super) fn change(&self) -> &Coordinates {
        &self.change
    }

    /// What each joint is told.
    pub(super) fn states(&self) -> [JointState; MAX_JOINTS] {
        self.limiters.map(|limiter| JointState {
            position: limiter.position(),
            velocity: limiter.velocity(),
            acceleration: limiter.acceleration(),
        })
    }

    pub(super) fn positions(&self) -> Positions {
        Positions::from_slice(&self.limiters.map(|limiter| limiter.position())[..self.count])
    }

    pub(super) fn joint_velocities(&self) -> Joints {
        self.of_joints(Limiter::velocity)
    }

    /// Whether no joint moves, or is about to.
    pub(super) fn is_at_rest(&self) -> bool {
        self.limiters[..self.count].iter().all(|joint| joint.velocity() == 0.0 && joint.acceleration() == 0.0)
    }

    /// One tick further towards a velocity.
    pub(super) fn advance(&mut self, arm: &Arm, wanted: &Wanted) {
        let before = self.of_joints(Limiter::position);
        let step = match self.space {
            Space::Joints => {
                self.steer(arm, &Effect::Each, wanted);
                self.velocity * arm.period
            }
            Space::Tip => self.tip_step(arm, wanted),
        };
        let mut is_kept = true;
        for (joint, limiter) in self.limiters[..self.count].iter_mut().enumerate() {
            let to = before[joint] + step[joint];
            is_kept &= (limiter.follow(to) - to).abs() <= ROUNDING;
        }
        if !is_kept {
            self.take_from_joints(arm);
        }
    }

    /// What the joints do in this tick so that the tip moves as wanted.
    fn tip_step(&mut self, arm: &Arm, wanted: &Wanted) -> Joints {
        let ahead = self.of_joints(Limiter::position) + self.joint_velocities() * (arm.period / 2.0);
        let inverse = Inverse::at(&arm.chain, &ahead.as_slice()[..self.count], wanted.locked);
        self.steer(arm, &Effect::OfTwist(inverse.joints_of), wanted);
        let base_from_tip = arm.chain.tip_pose(&self.positions());
        if self.velocity == Coordinates::zeros() && self.change == Coordinates::zeros() {
            self.reference = base_from_tip;
            return Joints::zeros();
        }
        // Only that part of an error stays which the arm can do something about.
        let error = inverse.twist_of * (inverse.joints_of * difference(&self.reference, &base_from_tip));
        let error = if error.norm() <= FARTHEST_OFF { error } else { Vector6::zeros() };
        let mending = (error * GAIN).cap_magnitude(FASTEST_MENDING);
        let twist = self.velocity.fixed_rows::<6>(0).into_owned();
        self.reference = moved(&moved(&base_from_tip, &error), &(twist * arm.period));
        inverse.joints_of * ((twist + mending) * arm.period)
    }

    /// Leads the velocity one tick further. `effect` gives the joints' velocities for it.
    fn steer(&mut self, arm: &Arm, effect: &Effect, wanted: &Wanted) {
        let (accelerations, steps) = self.room(arm, effect);
        let strain =
            |x: &Coordinates, most: &Joints| effect.on(x).zip_map(most, |x, most| x.abs() / most).amax();
        let missing = wanted.velocity - self.velocity;
        let at_once = missing / arm.period;
        let goes_on = wanted.change.is_some_and(|change| {
            strain(&at_once, &accelerations) <= 1.0
                && strain(&(at_once - self.change), &steps) <= 1.0
                && strain(&(change - at_once), &steps) <= 1.0
        });
        let change = if goes_on {
            at_once
        } else {
            let (hardest, harder) = (strain(&missing, &accelerations), strain(&missing, &steps));
            missing * change_to_meet(arm.period, hardest, harder)
        };
        let turn = change - self.change;
        self.change += turn / strain(&turn, &steps).max(1.0);
        self.velocity += self.change * arm.period;
        let rest = 1e-12;
        if wanted.velocity == Coordinates::zeros() && self.velocity.amax() < rest {
            self.velocity.fill(0.0);
        }
    }

    /// For each joint the acceleration, and the change of it in a tick, that a change of velocity may cause.
    fn room(&self, arm: &Arm, effect: &Effect) -> (Joints, Joints) {
        let (mut accelerations, mut steps) = (Joints::repeat(1.0), Joints::repeat(1.0));
        let caused = effect.on(&self.change);
        for joint in 0..self.count {
            let limits = &arm.limits[joint];
            let bend =
                (self.limiters[joint].acceleration() - caused[joint]).abs() / limits.max_acceleration();
            accelerations[joint] = limits.max_acceleration() * (SHARE - bend).max(LEAST_SHARE);
            let share = if self.space == Space::Joints { SHARE } else { JERK_SHARE };
            steps[joint] = limits.max_jerk() * arm.period * share;
        }
        (accelerations, steps)
    }

    /// The velocity becomes what the joints do, and the tip should be where it is.
    fn take_from_joints(&mut self, arm: &Arm) {
        let (velocities, accelerations) = (self.joint_velocities(), self.of_joints(Limiter::acceleration));
        match self.space {
            Space::Joints => (self.velocity, self.change) = (velocities, accelerations),
            Space::Tip => {
                let here = Inverse::at(&arm.chain, &self.positions(), JointSet::NONE);
                self.velocity = widened(&(here.twist_of * velocities));
                self.change = widened(&(here.twist_of * accelerations));
                self.reference = here.base_from_tip;
            }
        }
    }

    fn of_joints(&self, number: impl Fn(&Limiter) -> f64) -> Joints {
        let mut joints = Joints::zeros();
        for (to, limiter) in joints.iter_mut().zip(&self.limiters[..self.count]) {
            *to = number(limiter);
        }
        joints
    }
}

/// The share of what is missing to a velocity that becomes its change a second, so that it is met without overshoot.
///
/// The whole of it as a change a second would strain the joints' accelerations `hardest` times as much as they can
/// bear, and its coming within a tick their jerks `harder` times. Which changes of a change add up to one in how
/// many ticks is the sum of a series; this is its inverse.
fn change_to_meet(period: f64, hardest: f64, harder: f64) -> f64 {
    if hardest <= 0.0 || harder <= 0.0 {
        return 1.0 / period;
    }
    let (step, sum) = (1.0 / harder, 1.0 / period);
    let ticks = (((1.0 + 8.0 * sum / step).sqrt() - 1.0) / 2.0).floor().max(0.0);
    (sum / (ticks + 1.0) + step * ticks / 2.0).min(1.0 / hardest)
}

/// The twist that leads from one pose to another in a second, along the base's axes.
pub(super) fn difference(to: &Isometry3<f64>, from: &Isometry3<f64>) -> Vector6<f64> {
    let linear = to.translation.vector - from.translation.vector;
    let angular = (to.rotation * from.rotation.inverse()).scaled_axis();
    Vector6::new(linear.x, linear.y, linear.z, angular.x, angular.y, angular.z)
}

/// A pose after one second of a twist along the base's axes.
pub(super) fn moved(pose: &Isometry3<f64>, twist: &Vector6<f64>) -> Isometry3<f64> {
    let linear: Vector3<f64> = twist.fixed_rows::<3>(0).into_owned();
    let turn = UnitQuaternion::from_scaled_axis(twist.fixed_rows::<3>(3).into_owned());
    let mut rotation = turn * pose.rotation;
    rotation.renormalize_fast();
    Isometry3::from_parts(Translation3::from(pose.translation.vector + linear), rotation)
}

/// A twist as a velocity's coordinates.
pub(super) fn widened(twist: &Vector6<f64>) -> Coordinates {
    let mut coordinates = Coordinates::zeros();
    coordinates.fixed_rows_mut::<6>(0).copy_from(twist);
    coordinates
}
