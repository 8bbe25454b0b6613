//! A path of the tool in joint space: how far the arm can go along it, and why no farther.
//!
//! The joints follow the tool from place to place, always from where they were, so that no branch is left. Places are
//! even within a section, and as dense as it takes for what lies between them to be met as well. Knows no time.

mod walk;

use std::fmt;

use nalgebra::Vector3;

use super::path::Path;
use super::sampled::Sampled;
use crate::kinematics::Chain;
use crate::kinematics::ik::{Aim, Positions, Solver};
pub use walk::Walk;

/// How joints follow a path.
#[derive(Clone, Copy)]
pub struct WalkOptions<'a> {
    /// What of each pose has to be met.
    pub aim: Aim,
    /// How far apart places may be at most (m of the tip, rad of its turn).
    pub max_step: f64,
    /// The same for the turn of the tip (rad).
    pub max_turn: f64,
    /// What is a jump.
    pub jumps: JumpLimits,
    /// Says what is too near with the joints at some positions, if anything is.
    pub obstruction: &'a dyn Fn(&[f64]) -> Option<Obstruction>,
    /// Asked again and again; the walk ends where it says yes.
    pub is_time_up: &'a dyn Fn() -> bool,
}

impl WalkOptions<'_> {
    /// Every 5 mm and 0.05 rad, without obstacles.
    pub fn new(aim: Aim) -> Self {
        let jumps = JumpLimits::default();
        Self { aim, max_step: 5e-3, max_turn: 0.05, jumps, obstruction: &|_| None, is_time_up: &|| false }
    }
}

/// The steps of joints that count as jumps, as MoveIt has them; 0 does not look for any.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JumpLimits {
    /// So many times the mean step of all joints.
    pub relative: f64,
    /// Of a joint that turns (rad).
    pub revolute: f64,
    /// Of a joint that slides (m).
    pub prismatic: f64,
}

/// Two bodies that are nearer to each other than they may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Obstruction {
    /// One of them.
    pub first: String,
    /// The other.
    pub second: String,
    /// How far apart they are (m); 0 or less where they touch.
    pub clearance: f64,
    /// How far apart they should be (m).
    pub required: f64,
}

impl fmt::Display for Obstruction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, second, clearance, required } = self;
        if *clearance <= 0.0 {
            return write!(formatter, "{first} and {second} touch");
        }
        write!(
            formatter,
            "{first} and {second} come as near as {clearance:.4} m; {required:.4} m are required"
        )
    }
}

/// Why a path ends before its end.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Stop {
    /// A joint is at the end of its travel.
    #[error("joint {joint} reaches its limit at {position:.4}")]
    JointLimit {
        /// Its name.
        joint: String,
        /// Where it is (rad or m).
        position: f64,
    },
    /// A joint would have to move much faster than the tool.
    #[error(
        "near a singularity joint {joint} would have to move {rate:.0} rad or m for each metre of the path"
    )]
    Singularity {
        /// Its name.
        joint: String,
        /// rad or m for each metre of the path.
        rate: f64,
    },
    /// No positions of the joints lead on.
    #[error(
        "the pose is out of reach: the nearest that was found is {position_error:.5} m and {rotation_error:.5} rad off"
    )]
    OutOfReach {
        /// In metres.
        position_error: f64,
        /// In radians.
        rotation_error: f64,
    },
    /// The pose can be reached, but not from here without leaving the path.
    #[error(
        "the pose beyond can be reached only with joint {joint} {distance:.3} rad or m away, which would be a jump"
    )]
    Branch {
        /// The joint that would have to go farthest.
        joint: String,
        /// How far (rad or m).
        distance: f64,
    },
    /// A joint's step is more than is allowed.
    #[error(
        "joint {joint} would jump by {distance:.4} from one place to the next; the threshold is {threshold:.4}"
    )]
    Jump {
        /// Its name.
        joint: String,
        /// How far (rad or m).
        distance: f64,
        /// How far it may (rad or m).
        threshold: f64,
    },
    /// Something is in the way.
    #[error("{0}")]
    Obstructed(Obstruction),
    /// There was no time to look farther.
    #[error("the time for planning was up")]
    TimeUp,
}

/// Why nothing was tried.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WalkError {
    /// The start is no state of the arm.
    #[error("the start has {actual} positions; the chain has {expected} joints")]
    StartLength {
        /// How many joints there are.
        expected: usize,
        /// How many were given.
        actual: usize,
    },
    /// The start is outside.
    #[error("joint {joint} starts at {position}, outside its limits")]
    StartOutside {
        /// Its name.
        joint: String,
        /// Where it is (rad or m).
        position: f64,
    },
    /// The path begins elsewhere.
    #[error("the path begins {distance:.5} m from where the start positions have the tip")]
    StartElsewhere {
        /// In metres.
        distance: f64,
    },
    /// Something is no step.
    #[error("the greatest step is {max_step} m and {max_turn} rad; both must be positive and finite")]
    Step {
        /// In metres.
        max_step: f64,
        /// In radians.
        max_turn: f64,
    },
    /// It would take for ever.
    #[error("the path has {steps:.0} steps; a greatest step that makes at most 100000 of it can be walked")]
    TooManySteps {
        /// How many.
        steps: f64,
    },
    /// A jump threshold is no number that can be compared.
    #[error("a jump threshold is {0}; it must be 0 or more and finite")]
    JumpLimit(f64),
}

/// The joints along one section of a path.
#[derive(Clone, Debug)]
pub struct JointSection {
    /// How long it is in the path's parameter (m).
    length: f64,
    joints: usize,
    /// Of evenly spaced places: the joints' positions; the tip's place (m); how fast the tip turns (rad/m).
    curves: Sampled,
}

/// The joints along a path.
#[derive(Clone, Debug)]
pub struct JointPath {
    /// One for each section, as far as the arm gets.
    pub sections: Vec<JointSection>,
    /// The part of the path's length that can be gone along, 0 to 1.
    pub fraction: f64,
    /// Why it ends before the path does.
    pub stop: Option<Stop>,
}

impl JointSection {
    fn new(solver: &Solver, length: f64, nodes: &[Positions]) -> Self {
        let joints = solver.chain().dof();
        let step = length / nodes.len().saturating_sub(1).max(1) as f64;
        let flat = nodes.iter().flat_map(|node| node.iter().copied()).collect();
        let positions = Sampled::new(step, joints, flat);
        let mut curves = Vec::with_capacity(nodes.len() * (joints + TIP_COLUMNS));
        let mut rates = vec![[0.0; 4]; joints];
        for (index, node) in nodes.iter().enumerate() {
            positions.at(step * index as f64, &mut rates);
            curves.extend_from_slice(node);
            curves.extend_from_slice(solver.chain().tip_pose(node).translation.vector.as_slice());
            curves.extend_from_slice(turn_rate(solver, node, &rates).as_slice());
        }
        Self { length, joints, curves: Sampled::new(step, joints + TIP_COLUMNS, curves) }
    }

    /// How long it is in the path's parameter (m).
    pub fn length(&self) -> f64 {
        self.length
    }

    /// How many joints move.
    pub fn joints(&self) -> usize {
        self.joints
    }

    /// The joints' positions at this place (path parameter).
    pub fn positions(&self, place: f64) -> Vec<f64> {
        let mut at = vec![[0.0; 4]; self.curves.columns()];
        self.curves.at(place, &mut at);
        at[..self.joints].iter().map(|[position, ..]| *position).collect()
    }

    /// Adds the place of another frame, whose chain's joints are at these places among the section's.
    pub(super) fn add_frame(&mut self, chain: &Chain, places: &[usize]) {
        let count = self.curves.samples();
        let mut curves = Vec::with_capacity(count * (self.curves.columns() + 3));
        for index in 0..count {
            let sample = self.curves.sample(index);
            let positions: Vec<f64> = places.iter().map(|&place| sample[place]).collect();
            curves.extend_from_slice(sample);
            curves.extend_from_slice(chain.tip_pose(&positions).translation.vector.as_slice());
        }
        self.curves = Sampled::new(self.curves.step(), self.curves.columns() + 3, curves);
    }

    /// The curves: joints, the tip's place, how fast the tip turns, and the place of another frame, if there is one.
    pub(super) fn curves(&self) -> &Sampled {
        &self.curves
    }
}

/// The tip's place, and how fast it turns.
const TIP_COLUMNS: usize = 6;

/// How fast the tip turns with these positions and rates of the joints (rad for each unit of what the rates are by).
fn turn_rate(solver: &Solver, positions: &Positions, rates: &[[f64; 4]]) -> Vector3<f64> {
    let fastest = rates.iter().map(|rate| rate[1].abs()).fold(0.0, f64::max);
    if fastest <= 0.0 {
        return Vector3::zeros();
    }
    // Half the digits of the difference are right.
    let beside = 1e-5 / fastest;
    let moved = |by: f64| {
        let mut moved = *positions;
        moved.iter_mut().zip(rates).for_each(|(position, rate)| *position += by * rate[1]);
        solver.chain().tip_pose(&moved).rotation
    };
    (moved(beside) * moved(-beside).inverse()).scaled_axis() / (2.0 * beside)
}

impl JointPath {
    /// Follows a path from start positions, in the order of the chain's joints.
    ///
    /// # Errors
    /// Where the start or an option makes no sense. A path that cannot be followed to its end is no error.
    pub fn follow(
        solver: &Solver,
        path: &Path,
        start: &[f64],
        options: &WalkOptions,
    ) -> Result<Self, WalkError> {
        Walk::new(solver, options, start, path)?.along(path)
    }
}
