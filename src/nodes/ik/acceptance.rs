//! Which answers are acceptable: those that touch nothing, and why others are not.

use std::cell::Cell;

use r2r::moveit_msgs::msg::PositionIKRequest;

use super::IkContext;
use super::failure::{Code, Failure};
use super::groups::Reach;
use super::states::Positions;
use crate::cartesian::joint_path::Obstruction;
use crate::collision::{Checker, Clearance};
use crate::kinematics::ik::Positions as Found;

/// What an answer must not touch: the robot's other links, and what stands around it.
pub(super) struct Bystanders {
    checker: Checker,
    margin: f64,
}

impl Bystanders {
    /// Those of a request that wants to avoid them, with the other joints of the robot at `positions`.
    ///
    /// # Errors
    /// Where nothing is known of collisions, or the request brings things that the arm carries.
    pub(super) fn of(
        context: &IkContext,
        request: &PositionIKRequest,
        reach: &Reach,
        positions: &Positions,
    ) -> Result<Option<Self>, Failure> {
        if !request.avoid_collisions {
            return Ok(None);
        }
        let unavailable = |why: &str| Code::CollisionCheckingUnavailable.because(why);
        if !request.robot_state.attached_collision_objects.is_empty() {
            let why = "attached_collision_objects are not understood; name what the arm carries in `collision.obstacles`";
            return Err(unavailable(why));
        }
        Self::around(context, reach, positions).map(Some)
    }

    /// Whatever there is around a chain, with the other joints of the robot at `positions`.
    ///
    /// # Errors
    /// Where nothing is known of collisions.
    pub(super) fn around(context: &IkContext, reach: &Reach, positions: &Positions) -> Result<Self, Failure> {
        let unavailable = |why: &str| Code::CollisionCheckingUnavailable.because(why);
        let model = context.collisions.as_ref().map_err(|why| unavailable(why))?;
        let failed = |error: crate::collision::CollisionError| unavailable(&error.to_string());
        let mut checker = Checker::new(model, reach.chain()).map_err(failed)?;
        let joints = context.robot.model.joints().iter();
        let leaders = joints.filter(|joint| joint.kind.is_single() && joint.mimic.is_none());
        for joint in leaders.filter(|joint| reach.joints().all(|own| own != joint.name)) {
            if let Some(position) = positions.get(&joint.name) {
                checker.set_joint(&joint.name, position).map_err(failed)?;
            }
        }
        Ok(Self { checker, margin: context.settings().collision.margin })
    }

    /// Whether nothing touches with the chain's joints there.
    pub(super) fn are_clear_of(&self, found: &[f64]) -> bool {
        self.checker.is_clear(found, self.margin)
    }

    /// What is too near with the chain's joints there, if anything is.
    pub(super) fn obstruction(&self, found: &[f64]) -> Option<Obstruction> {
        if self.are_clear_of(found) {
            return None;
        }
        let Clearance { distance: clearance, nearest } = self.checker.clearance(found);
        let [first, second] =
            nearest.map_or(["the arm", "something"], |nearest| nearest.pair).map(str::to_owned);
        Some(Obstruction { first, second, clearance, required: self.margin })
    }

    /// What is nearest with the chain's joints there.
    fn nearest(&self, found: &[f64]) -> String {
        match self.checker.clearance(found) {
            Clearance { distance, nearest: Some(nearest) } => {
                let [one, other] = nearest.pair;
                format!("brings `{one}` to within {distance:.4} m of `{other}`")
            }
            Clearance { .. } => "collides".to_owned(),
        }
    }
}

/// What was found and refused.
#[derive(Default)]
pub(super) struct Refusals {
    /// The last that violates a constraint; and the last that keeps them all, and touches something.
    against_rules: Cell<bool>,
    touching: Cell<Option<Found>>,
}

impl Refusals {
    /// Remembers an answer that is not acceptable.
    pub(super) fn note(&self, found: &[f64], keeps_rules: bool, is_clear: bool) {
        if !keeps_rules {
            self.against_rules.set(true);
        } else if !is_clear {
            self.touching.set(Some(Found::from_slice(found)));
        }
    }

    /// What is wrong with answers that were refused, in words that follow "the solution"; `None` where none was.
    pub(super) fn tell(&self, bystanders: Option<&Bystanders>) -> Option<(Code, String)> {
        if let (Some(found), Some(bystanders)) = (self.touching.get(), bystanders) {
            return Some((Code::GoalInCollision, bystanders.nearest(&found)));
        }
        let violated = (Code::GoalConstraintsViolated, "violates a constraint".to_owned());
        self.against_rules.get().then_some(violated)
    }
}
