//! Inverse kinematics: joint positions that put a chain's tip where it should be.
//!
//! Knows the [`Chain`](super::chain::Chain) and its limits; no time, no obstacles: it is told whether its time is up
//! and which positions are acceptable.
//!
//! - [`Goal`]: where the tip should be, and what of that matters;
//! - [`Search`]: where to begin and what to keep to, and the [`Answer`] that comes of it;
//! - [`Variety`]: several answers, the best first;
//! - [`Settling`]: what the joints do with the freedom that a goal leaves;
//! - [`Solver`]: prepared once for a chain, then asked from any thread; asking allocates nothing.

mod approach;
mod arm;
mod follow;
mod goal;
mod hunt;
mod kernel;
mod lanes;
mod positions;
mod redundancy;
mod residual;
mod search;
mod solutions;
mod solver;
mod step;
mod table;
mod target;
mod trig;

pub use goal::{Aim, Goal, RotationAim, Tolerance};
pub use positions::{JointSet, Positions};
pub use redundancy::{Settled, Settling, Wish};
pub use search::{Answer, Flaw, Search, SolverError, Status, Step, TrackOptions};
pub use solutions::{Ranking, Solution, Variety};
pub use solver::Solver;

/// The most joints that a [`Solver`] takes.
pub const MAX_JOINTS: usize = 8;
