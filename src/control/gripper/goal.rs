//! What a client asks of a gripper, checked before it comes near the control thread; and how it ended.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use crate::control::follower::GoalId;
use crate::trajectory::limits::JointLimits;

/// A position to go to, and with how much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GripperGoal {
    /// The goal's name.
    pub id: GoalId,
    /// Where to go (rad or m), within the joint's travel.
    pub position: f64,
    /// Greatest effort (N m or N), positive; `None` for the configured one.
    pub max_effort: Option<f64>,
    /// Greatest speed (rad/s or m/s), positive; `None` for the configured one.
    pub max_velocity: Option<f64>,
}

/// A goal as it came; 0 says nothing of effort and velocity.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "documented at GripperGoal")]
pub struct RawGripperGoal {
    pub position: f64,
    pub max_effort: f64,
    pub max_velocity: f64,
}

/// Why a goal is not executed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GripperRefusal {
    /// No place that the joint can take.
    #[error("position of joint `{joint}` is {position}; it must be from {lower} to {upper}")]
    Position {
        /// The joint's name.
        joint: String,
        /// What was asked.
        position: f64,
        /// Lower end of the travel.
        lower: f64,
        /// Upper end of the travel.
        upper: f64,
    },
    /// An effort or a velocity that is none.
    #[error(
        "{what} of joint `{joint}` is {value}; it must be a positive number, or 0 for the configured one"
    )]
    Number {
        /// `max_effort` or `velocity`.
        what: &'static str,
        /// The joint's name.
        joint: String,
        /// What was asked.
        value: f64,
    },
    /// An effort that nobody can measure.
    #[error(
        "max_effort of joint `{joint}` is {value}, and cannot be kept; the URDF must say which effort the joint has"
    )]
    NoEffort {
        /// The joint's name.
        joint: String,
        /// What was asked.
        value: f64,
    },
    /// The message is not about this gripper.
    #[error("{0}")]
    Message(String),
}

/// A goal that ended, and how the joint was then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GripperFinished {
    /// The joint (index into the arm's list).
    pub joint: usize,
    /// The goal.
    pub id: GoalId,
    /// How it ended.
    pub outcome: GripperOutcome,
    /// Where the joint was (rad or m).
    pub position: f64,
    /// How fast it was (rad/s or m/s).
    pub velocity: f64,
    /// How hard it worked (N m or N), NaN where nobody says.
    pub effort: f64,
}

/// How a goal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GripperOutcome {
    /// At its position, within the tolerance.
    Reached,
    /// Before it, because the joint does not get any nearer; it grips.
    Stalled,
    /// Because its client asked.
    Cancelled,
    /// Because another goal took its place.
    Replaced,
    /// Because the arm could not go on; says why.
    Halted(&'static str),
}

impl RawGripperGoal {
    /// The goal `id` for the joint of this name and these limits, whose whole effort is `rated_effort` (N m or N; 0
    /// where nobody says).
    ///
    /// # Errors
    /// What is wrong with it, with the value and what would be right.
    pub fn check(
        self,
        id: GoalId,
        joint: &str,
        limits: &JointLimits,
        rated_effort: f64,
    ) -> Result<GripperGoal, GripperRefusal> {
        let Self { position, max_effort, max_velocity } = self;
        let name = || joint.to_owned();
        if !(position.is_finite() && limits.contains(position)) {
            let (lower, upper) = (limits.lower(), limits.upper());
            return Err(GripperRefusal::Position { joint: name(), position, lower, upper });
        }
        for (what, value) in [("max_effort", max_effort), ("velocity", max_velocity)] {
            let is_usable = 0.0 <= value && value.is_finite();
            if !is_usable {
                return Err(GripperRefusal::Number { what, joint: name(), value });
            }
        }
        if 0.0 < max_effort && rated_effort <= 0.0 {
            return Err(GripperRefusal::NoEffort { joint: name(), value: max_effort });
        }
        let positive = |value: f64| Some(value).filter(|&value| 0.0 < value);
        Ok(GripperGoal {
            id,
            position,
            max_effort: positive(max_effort),
            max_velocity: positive(max_velocity),
        })
    }
}
