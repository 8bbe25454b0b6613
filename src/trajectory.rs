//! Trajectories: validated when they come in, splines when they are sampled.
//!
//! Knows no clock and no ROS: times are seconds from a trajectory's start, joints are indices into the arm's list.

pub mod leg;
pub mod limits;
pub mod refusal;
pub mod spline;
pub mod timing;
pub mod waypoints;
