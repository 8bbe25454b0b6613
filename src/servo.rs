//! The serial bus and what hangs on it.
//!
//! Here bytes meet ports and clocks; ROS does not come this far down.

pub mod adapter;
mod arm;
pub mod bus;
pub mod clock;
pub mod control_thread;
pub mod driver;
pub mod emulator;
pub mod gazebo_arm;
mod i2c;
pub mod joint_slot;
mod layout;
pub mod link;
mod lx16a_arm;
mod lx16a_servo;
mod maestro_arm;
mod maestro_port;
mod pca9685_arm;
pub mod ports;
pub mod probe;
mod pwm;
pub mod realtime;
pub mod recorded;
mod register_arm;
mod register_connect;
mod register_gathering;
mod register_limits;
mod register_servo;
mod register_torque;
pub mod setup;
mod sightings;
pub mod simulated;
pub mod snapshot;
