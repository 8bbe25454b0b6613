//! How to look for an answer, and what an answer says.
//!
//! Knows no goals.

use thiserror::Error;

use super::MAX_JOINTS;
use super::positions::{JointSet, Positions};

/// Where and how long to look for an answer.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    /// Where to begin, in the order of the chain's joints; outside the limits it is moved inwards.
    pub seed: &'a [f64],
    /// Joints that stay where the seed has them.
    pub locked: JointSet,
    /// How much being near the seed counts against being found soon; 0 is not at all, 1 much.
    pub stay_near: f64,
    /// Whether these positions may be the answer, for instance because nothing collides.
    pub is_acceptable: &'a dyn Fn(&[f64]) -> bool,
    /// Asked again and again; the search ends soon after it says yes.
    pub is_time_up: &'a dyn Fn() -> bool,
}

impl<'a> Search<'a> {
    /// From this seed, all joints, any answer, until it is found or given up.
    pub fn from(seed: &'a [f64]) -> Self {
        Self { seed, locked: JointSet::NONE, stay_near: 0.0, is_acceptable: &|_| true, is_time_up: &|| false }
    }
}

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// Whether it is what was asked for.
    pub status: Status,
    /// The positions found, always within the limits; the seed's where nothing could be tried.
    pub positions: Positions,
    /// How far the tip is from the goal in what the aim asks for, in metres.
    pub position_error: f64,
    /// The same for the orientation, in radians.
    pub rotation_error: f64,
    /// Steps of the solver in all.
    pub iterations: u32,
}

/// Whether an answer is what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Within the tolerance, within the limits, acceptable.
    Solved,
    /// The goal cannot be reached; these positions come as near as was found.
    Approximate,
    /// Positions within the tolerance were found, but none was acceptable.
    Refused,
    /// Time was up; these positions come as near as was found.
    TimedOut,
    /// The question makes no sense, for this reason.
    Invalid(Flaw),
}

/// What is wrong with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Flaw {
    /// A number of the goal is NaN or infinite.
    #[error("a number of the goal is not finite")]
    Goal,
    /// A tolerance or a weight is negative or not finite.
    #[error("a tolerance or a weight of the goal is negative or not finite")]
    Weights,
    /// The seed does not have one number for each joint.
    #[error("the seed does not have one position for each joint")]
    SeedLength,
    /// A number of the seed is NaN or infinite.
    #[error("a number of the seed is not finite")]
    Seed,
}

/// Why a chain gets no solver.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SolverError {
    /// Too many joints.
    #[error("the chain has {0} moving joints; inverse kinematics takes at most {MAX_JOINTS}")]
    TooManyJoints(usize),
}

/// How a step of [`Solver::track`] is bounded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackOptions {
    /// The farthest that a joint may go in one step, in radians or metres.
    pub max_step: f64,
}

/// One step after a goal that moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Where the joints should go, within the limits.
    pub positions: Positions,
    /// How far the tip is from the goal then, in metres.
    pub position_error: f64,
    /// The same in radians.
    pub rotation_error: f64,
    /// Whether the goal is met within its tolerance.
    pub is_met: bool,
    /// Whether a joint is at its limit.
    pub at_limit: bool,
    /// Whether the goal is not met because no joint may go farther in one step.
    pub is_bounded: bool,
    /// Whether the goal is not met where joints would go far for a small way of the tip.
    pub is_near_singular: bool,
    /// What is wrong with the question; the joints then stay where they are.
    pub flaw: Option<Flaw>,
}
