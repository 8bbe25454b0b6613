//! What the arm is told this tick.
//!
//! Everything here is told the time and the measurements, and answers with references and orders: no clock, no
//! port, no ROS. Nothing allocates once it is built.

pub mod arm;
pub mod follower;
pub mod gripper;
pub mod limiter;
pub mod safety;
pub mod stream;
pub mod torque;
