//! Where the arm is, given its joints: the robot model of a URDF and its forward kinematics.
//!
//! Knows geometry and limits; nothing of servos, time or ROS.
//!
//! - [`model`]: a URDF becomes frames, joints and limits that need no further check;
//! - [`chain`]: the joints between two frames, and the poses they give;
//! - [`ends`]: which frames a group of joints lies between;
//! - [`frames`]: where frames are, those of the robot and those that others broadcast;
//! - [`ik`]: joint positions that give a pose;
//! - [`jacobian`]: how fast the tip moves for each joint;
//! - [`conditioning`]: how well it moves there, and how near a singularity is;
//! - [`tree`]: the poses of all frames, on every branch.
//!
//! Lengths are metres, angles radians. A transform is named `target_from_source`: it takes what is
//! expressed in `source` to `target`.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod chain;
pub mod conditioning;
pub mod ends;
pub mod frames;
pub mod ik;
pub mod jacobian;
pub mod model;
pub mod tree;

pub use chain::Chain;
pub use conditioning::{Condition, Conditioning, ConditioningError, Rows};
pub use jacobian::Expressed;
pub use model::{
    Body, Frame, Joint, JointKind, JointLimits, Mimic, ModelError, PositionRange, RobotModel, Shape,
};
pub use tree::Tree;
