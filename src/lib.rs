//! Drives robotic arms built from servos, and speaks ROS 2.
//!
//! The layers, in reading order; each knows only those above it:
//!
//! - [`units`]: time, radians, ticks, and how a servo's ticks become a joint's radians;
//! - [`config`]: YAML and ROS parameters become valid values;
//! - [`protocol`]: bytes on the wire become values, and back;
//! - [`kinematics`]: the robot model: limits, forward and inverse kinematics;
//! - [`trajectory`]: validated trajectories and their splines;
//! - [`cartesian`]: paths of the tip through space, and driving it live;
//! - [`collision`]: what of a robot can touch what, and how near it is;
//! - [`control`]: what the arm is told this tick;
//! - [`servo`]: the serial bus, its thread, and the emulated servos at the other end;
//! - [`recording`]: what was published becomes a file, and back;
//! - `nodes`: the ROS faces (feature `ros`);
//! - [`tool`]: the command line that answers questions about an arm, beside `nodes`.
//!
//! Everything down to [`control`] is pure: told the time, no ports, no ROS.

pub mod cartesian;
pub mod collision;
pub mod config;
pub mod control;
pub mod kinematics;
#[cfg(feature = "ros")]
pub mod nodes;
pub mod protocol;
pub mod recording;
pub mod servo;
pub mod tool;
pub mod trajectory;
pub mod units;
