//! The tip in space: paths for it and their timing, and driving it live.
//!
//! Knows kinematics, trajectories and clearances; no clock, no ROS: it is told the time.
//!
//! - [`live`]: twists, jogs and poses that stream in become smooth motion within limits.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod live;
