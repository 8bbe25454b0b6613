//! The tip in space: paths for it and their timing, and driving it live.
//!
//! Knows kinematics, trajectories and clearances; no clock, no ROS: it is told the time, and whether time is up.
//!
//! - [`path`]: lines and arcs through poses, rounded where asked;
//! - [`joint_path`]: the same in joint space, as far as the arm gets, and why no farther;
//! - [`timing`]: how fast a path is gone along, within the limits of joints and tool;
//! - [`plan`]: all of that, from poses to a trajectory;
//! - [`live`]: twists, jogs and poses that stream in become smooth motion within limits.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod arc;
mod blend;
pub mod joint_path;
mod line;
pub mod live;
pub mod path;
pub mod plan;
mod sampled;
pub mod timing;
