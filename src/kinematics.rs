//! Where the arm is, given its joints: the robot model of a URDF and its forward kinematics.
//!
//! Knows geometry and limits; nothing of servos, time or ROS.
//!
//! - [`model`]: a URDF becomes frames, joints and limits that need no further check;
//! - [`chain`]: the joints between two frames, and the poses they give;
//! - [`frames`]: where frames are, those of the robot and those that others broadcast;
//! - [`ik`]: joint positions that give a pose.
//!
//! Lengths are metres, angles radians. A transform is named `target_from_source`: it takes what is
//! expressed in `source` to `target`.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod chain;
pub mod frames;
pub mod ik;
pub mod model;

pub use chain::Chain;
pub use model::{Frame, Joint, JointKind, JointLimits, Mimic, ModelError, PositionRange, RobotModel};
