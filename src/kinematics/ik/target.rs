//! A goal in the kernel's terms.
//!
//! Knows goals and arms; nothing of how the goal is met.

use nalgebra::{Isometry3, Vector3};

use super::arm::Arm;
use super::goal::Goal;
use super::kernel::Frame;
use super::lanes::Lanes;
use super::residual::{Measure, Residual};
use super::step::Bounds;
use crate::kinematics::chain::Placement;

/// Nothing is met more exactly, in metres and radians.
const FINEST: f64 = 1e-10;

/// What a distance may be off by.
const ROUNDING: f64 = 1e-9;

/// Where the tip should be, seen from there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<const N: usize> {
    pub(super) measure: Measure,
    pub(super) bounds: Bounds<N>,
    /// The frame that the first motion stands in.
    goal_from_first: Placement,
    /// The tip behind the last motion.
    last_from_tip: Placement,
    /// Squared, as the residual measures them.
    position_tolerance: f64,
    rotation_tolerance: f64,
    /// Whether the position is surely nearer or farther than the arm reaches.
    pub(super) is_out_of_reach: bool,
}

impl<const N: usize> Target<N> {
    pub(super) fn new(arm: &Arm, goal: &Goal, bounds: Bounds<N>) -> Self {
        let measure = Measure::new(&goal.aim);
        let base_from_goal = placement(&goal.base_from_tip, arm.unit);
        let (base_from_computed, last_from_tip) = if measure.turns_axes() {
            let rotation = *measure.goal_from_computed().matrix();
            let goal_from_computed = Placement { rotation, translation: Vector3::zeros() };
            (base_from_goal.then(&goal_from_computed), arm.last_from_tip.then(&goal_from_computed))
        } else {
            (base_from_goal, arm.last_from_tip)
        };
        let goal_from_first = base_from_computed.inverse().then(&arm.base_from_first);
        let distance = goal_from_first.translation.norm();
        let margin = ROUNDING * (1.0 + distance) + goal.tolerance.position / arm.unit;
        let (nearest, farthest) = arm.reach;
        let beyond = distance + margin < nearest || farthest + margin < distance;
        Self {
            measure,
            bounds,
            is_out_of_reach: beyond && measure.position_weights().is_none(),
            goal_from_first,
            last_from_tip,
            position_tolerance: (goal.tolerance.position.max(FINEST) / arm.unit).powi(2),
            rotation_tolerance: measure.square_of_angle(goal.tolerance.rotation.max(FINEST)),
        }
    }

    /// The frame that the first motion stands in, and the tip behind the last.
    #[inline(always)]
    pub(super) fn frames<L: Lanes>(&self, token: L::Token) -> (Frame<L>, Frame<L>) {
        let (first, last) = (&self.goal_from_first, &self.last_from_tip);
        (
            Frame::splat(token, &first.rotation, &first.translation),
            Frame::splat(token, &last.rotation, &last.translation),
        )
    }

    #[inline(always)]
    pub(super) fn is_met<L: Lanes>(&self, left: &Residual<L>) -> L::Mask {
        let position = left.position.is_at_most(left.position.like(self.position_tolerance));
        let rotation = left.rotation.is_at_most(left.rotation.like(self.rotation_tolerance));
        L::both(position, rotation)
    }
}

fn placement(transform: &Isometry3<f64>, unit: f64) -> Placement {
    Placement {
        rotation: transform.rotation.to_rotation_matrix().into_inner(),
        translation: transform.translation.vector / unit,
    }
}
