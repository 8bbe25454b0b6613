//! What the arm is told this tick.
//!
//! Everything here is told the time and the measurements, and answers with references and orders: no clock, no
//! port, no ROS. Nothing allocates once it is built, but for [`lifecycle`], [`roster`] and [`switching`], which no control thread knows.

pub mod arm;
pub mod beat;
pub mod ensemble;
pub mod follower;
pub mod gripper;
mod hearing;
pub mod lifecycle;
pub mod rest;
pub mod roster;
pub mod safety;
pub mod stream;
pub mod switching;
pub mod torque;
pub mod watch;

/// The limiter is mathematics of motion, and stands with it; it has its last word here.
pub use crate::trajectory::limiter;
