//! Trajectories: validated when they come in, splines when they are sampled.
//!
//! Knows no clock and no ROS: times are seconds from a trajectory's start, joints are indices into the arm's list.

mod checks;
mod extremes;
pub mod feasibility;
mod integration;
pub mod leg;
pub mod limiter;
pub mod limits;
pub mod motion;
mod piece;
mod planning;
pub mod refusal;
mod rounding;
pub mod spline;
pub mod timing;
mod upsampling;
pub mod waypoints;
