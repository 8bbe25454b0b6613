//! Inverse kinematics: joint positions that put a chain's tip where it should be.
//!
//! Knows the [`Chain`] and its limits; no time, no obstacles: it is told whether its time is up and
//! which positions are acceptable.

mod redundancy;
mod solutions;

use std::ops::{Deref, DerefMut};

use nalgebra::{Isometry3, SMatrix, SVector, Unit, UnitQuaternion, Vector3};
use thiserror::Error;

use super::chain::Chain;
use super::model::PositionRange;

pub use redundancy::{Settled, Settling, Wish};
pub use solutions::{Ranking, Solution, Variety};

/// The most joints that a [`Solver`] takes.
pub const MAX_JOINTS: usize = 8;

/// Metres that weigh as much as a radian: about the reach of a desk arm.
const METRES_PER_RADIAN: f64 = 0.35;

/// Positions of up to [`MAX_JOINTS`] joints, in the order of [`Chain::joints`], in radians or metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Positions {
    values: [f64; MAX_JOINTS],
    count: usize,
}

impl Positions {
    /// All zero; of more than [`MAX_JOINTS`] joints only so many.
    pub fn zeros(count: usize) -> Self {
        Self { values: [0.0; MAX_JOINTS], count: count.min(MAX_JOINTS) }
    }

    /// A copy of the values; of more than [`MAX_JOINTS`] only so many.
    pub fn from_slice(values: &[f64]) -> Self {
        let mut positions = Self::zeros(values.len());
        let count = positions.count;
        positions.copy_from_slice(&values[..count]);
        positions
    }
}

impl Deref for Positions {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        &self.values[..self.count]
    }
}

impl DerefMut for Positions {
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.values[..self.count]
    }
}

/// A set of a chain's joints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JointSet(u8);

impl JointSet {
    /// No joint.
    pub const NONE: Self = Self(0);

    /// This set and the joint of this index; an index beyond [`MAX_JOINTS`] adds nothing.
    #[must_use]
    pub fn with(self, joint: usize) -> Self {
        Self(self.0 | 1_u8.checked_shl(u32::try_from(joint).unwrap_or(u32::MAX)).unwrap_or(0))
    }

    /// Whether the joint of this index is in the set.
    pub fn contains(self, joint: usize) -> bool {
        joint < MAX_JOINTS && self.0 & (1 << joint) != 0
    }
}

/// Where the tip should be, and what of that matters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// The pose of the tip in the base.
    pub base_from_tip: Isometry3<f64>,
    /// What of the pose has to be met.
    pub aim: Aim,
    /// How exactly.
    pub tolerance: Tolerance,
}

impl Goal {
    /// The whole pose, as exactly as usual.
    pub fn pose(base_from_tip: Isometry3<f64>) -> Self {
        Self { base_from_tip, aim: Aim::POSE, tolerance: Tolerance::default() }
    }
}

/// How far the tip may be from the goal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// In metres.
    pub position: f64,
    /// In radians.
    pub rotation: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { position: 1e-5, rotation: 1e-5 }
    }
}

/// What of a pose has to be met.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aim {
    /// Weights of the position along the goal's own x, y and z: 1 is usual, 0 leaves it free.
    pub position: [f64; 3],
    /// What of the orientation.
    pub rotation: RotationAim,
}

/// What of an orientation has to be met.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RotationAim {
    /// Weights of the turns about the goal's own x, y and z: 1 is usual, 0 leaves it free.
    About([f64; 3]),
    /// This axis of the tip must point where the goal's does; the turn about it is free.
    Axis(Unit<Vector3<f64>>),
    /// Nothing.
    Free,
}

impl Aim {
    /// Position and orientation.
    pub const POSE: Self = Self { position: [1.0; 3], rotation: RotationAim::About([1.0; 3]) };
    /// The position only.
    pub const POSITION: Self = Self { position: [1.0; 3], rotation: RotationAim::Free };

    /// Position, and where this axis of the tip points: what an arm of five joints can do.
    pub fn pointing(axis: Unit<Vector3<f64>>) -> Self {
        Self { position: [1.0; 3], rotation: RotationAim::Axis(axis) }
    }

    /// The position in the goal's own x-y plane.
    pub fn planar() -> Self {
        Self { position: [1.0, 1.0, 0.0], rotation: RotationAim::Free }
    }
}

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
    /// Whether a joint's limit held it back.
    pub at_limit: bool,
}

/// Solves the inverse kinematics of one chain.
#[derive(Clone, Debug)]
pub struct Solver {
    chain: Chain,
}

type Error6 = SVector<f64, 6>;

impl Solver {
    /// Prepares a solver; the chain has at most [`MAX_JOINTS`] joints.
    pub fn new(chain: &Chain) -> Result<Self, SolverError> {
        if chain.dof() > MAX_JOINTS {
            return Err(SolverError::TooManyJoints(chain.dof()));
        }
        Ok(Self { chain: chain.clone() })
    }

    /// The chain that it solves.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Positions that meet the goal, or the nearest that were found; does not allocate.
    pub fn solve(&self, goal: &Goal, search: &Search) -> Answer {
        if search.seed.len() != self.chain.dof() {
            return self.invalid(Flaw::SeedLength, goal);
        }
        let mut random = fastrand::Rng::with_seed(1);
        let mut start = Positions::from_slice(search.seed);
        let mut best = self.invalid(Flaw::Goal, goal);
        let mut refused = false;
        for _ in 0..60 {
            let found = self.descend(goal, start, search);
            let is_met = self.is_met(goal, &found);
            if is_met && (search.is_acceptable)(&found.positions) {
                return Answer { status: Status::Solved, ..found };
            }
            refused |= is_met;
            if found.position_error + found.rotation_error < best.position_error + best.rotation_error {
                best = found;
            }
            if (search.is_time_up)() {
                return Answer { status: Status::TimedOut, ..best };
            }
            for joint in 0..start.len() {
                let range = self.range(joint);
                if !search.locked.contains(joint) {
                    start[joint] = range.lower + (range.upper - range.lower) * random.f64();
                }
            }
        }
        let status = if refused { Status::Refused } else { Status::Approximate };
        Answer { status, ..best }
    }

    /// One step from `from` towards a goal nearby, never onto another branch; does not allocate.
    pub fn track(&self, goal: &Goal, from: &[f64], options: &TrackOptions) -> Step {
        let here = Positions::from_slice(from);
        let mut there = here;
        for _ in 0..2 {
            there = self.improve(goal, &there, JointSet::NONE);
        }
        for (to, from) in there.iter_mut().zip(here.iter()) {
            *to = to.clamp(from - options.max_step, from + options.max_step);
        }
        let (position_error, rotation_error) = self.errors(goal, &there);
        let is_met = position_error <= goal.tolerance.position && rotation_error <= goal.tolerance.rotation;
        let at_limit = (0..there.len()).any(|joint| {
            let range = self.range(joint);
            there[joint] <= range.lower || there[joint] >= range.upper
        });
        Step { positions: there, position_error, rotation_error, is_met, at_limit }
    }

    fn is_met(&self, goal: &Goal, found: &Answer) -> bool {
        found.position_error <= goal.tolerance.position && found.rotation_error <= goal.tolerance.rotation
    }

    fn invalid(&self, flaw: Flaw, _: &Goal) -> Answer {
        Answer {
            status: Status::Invalid(flaw),
            positions: Positions::zeros(self.chain.dof()),
            position_error: f64::INFINITY,
            rotation_error: f64::INFINITY,
            iterations: 0,
        }
    }

    fn descend(&self, goal: &Goal, start: Positions, search: &Search) -> Answer {
        let mut positions = start;
        let mut iterations = 0;
        for _ in 0..60 {
            let (position_error, rotation_error) = self.errors(goal, &positions);
            if position_error <= 0.1 * goal.tolerance.position
                && rotation_error <= 0.1 * goal.tolerance.rotation
            {
                break;
            }
            positions = self.improve(goal, &positions, search.locked);
            iterations += 1;
        }
        let (position_error, rotation_error) = self.errors(goal, &positions);
        Answer { status: Status::Approximate, positions, position_error, rotation_error, iterations }
    }

    fn improve(&self, goal: &Goal, here: &Positions, locked: JointSet) -> Positions {
        const STEP: f64 = 1e-7;
        let error = self.weighted_error(goal, here);
        let mut columns = SMatrix::<f64, 6, MAX_JOINTS>::zeros();
        for joint in (0..here.len()).filter(|&joint| !locked.contains(joint)) {
            let mut beside = *here;
            beside[joint] += STEP;
            columns.set_column(joint, &((self.weighted_error(goal, &beside) - error) / STEP));
        }
        let damping = 0.1 * error.norm_squared() + 1e-9;
        let system = columns.transpose() * columns + SMatrix::identity() * damping;
        let step = system
            .cholesky()
            .map_or_else(SVector::zeros, |system| system.solve(&(columns.transpose() * error)));
        let mut next = *here;
        for joint in 0..next.len() {
            let range = self.range(joint);
            next[joint] = (next[joint] - step[joint]).clamp(range.lower, range.upper);
        }
        next
    }

    fn range(&self, joint: usize) -> PositionRange {
        let whole = PositionRange { lower: -std::f64::consts::PI, upper: std::f64::consts::PI };
        self.chain.joints()[joint].limits.position.unwrap_or(whole)
    }

    fn errors(&self, goal: &Goal, positions: &[f64]) -> (f64, f64) {
        let error = self.weighted_error(goal, positions);
        (error.fixed_rows::<3>(0).norm(), error.fixed_rows::<3>(3).norm() / METRES_PER_RADIAN)
    }

    /// Position (m), then rotation (rad · metres per radian), along the goal's axes.
    fn weighted_error(&self, goal: &Goal, positions: &[f64]) -> Error6 {
        let goal_from_tip = goal.base_from_tip.inverse() * self.chain.tip_pose(positions);
        let position = goal_from_tip.translation.vector.component_mul(&Vector3::from(goal.aim.position));
        let rotation = match goal.aim.rotation {
            RotationAim::About(weights) => {
                goal_from_tip.rotation.scaled_axis().component_mul(&Vector3::from(weights))
            }
            RotationAim::Axis(axis) => {
                UnitQuaternion::rotation_between_axis(&axis, &(goal_from_tip.rotation * axis))
                    .map_or(Vector3::x() * std::f64::consts::PI, |turn| turn.scaled_axis())
            }
            RotationAim::Free => Vector3::zeros(),
        } * METRES_PER_RADIAN;
        Error6::new(position.x, position.y, position.z, rotation.x, rotation.y, rotation.z)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinematics::RobotModel;

    #[test]
    fn poses_of_a_shipped_arm_are_reached() {
        let model = RobotModel::from_urdf(include_str!("../../urdf/wx250s.urdf")).unwrap();
        let tip = model.frames().last().unwrap().name.clone();
        let chain = Chain::between(&model, model.root(), &tip).unwrap();
        let solver = Solver::new(&chain).unwrap();
        let there = vec![0.3; chain.dof()];
        let goal = Goal::pose(chain.tip_pose(&there));
        let answer = solver.solve(&goal, &Search::from(&vec![0.0; chain.dof()]));
        assert_eq!(answer.status, Status::Solved);
    }
}
