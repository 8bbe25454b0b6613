//! Motion of the tool in space: paths and their timing, and live control.
//!
//! Knows chains and trajectories; no clock and no ROS: it is told the time, and whether time is up.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]
