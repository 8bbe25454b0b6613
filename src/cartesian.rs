//! Motion of the tool in space: paths and their timing, and live control.
//!
//! Knows chains and trajectories; no clock and no ROS: it is told the time, and whether time is up.
//!
//! - [`path`]: lines and arcs through poses, rounded where asked;
//! - [`joint_path`]: the same in joint space, as far as the arm gets, and why no farther;
//! - [`timing`]: how fast a path is gone along, within the limits of joints and tool;
//! - [`plan`]: all of that, from poses to a trajectory.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod arc;
mod blend;
pub mod joint_path;
mod line;
pub mod path;
pub mod plan;
mod sampled;
pub mod timing;
