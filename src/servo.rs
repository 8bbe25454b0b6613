//! The serial bus and what hangs on it.
//!
//! Here bytes meet ports and clocks; ROS does not come this far down.

pub mod bus;
pub mod clock;
pub mod control_thread;
pub mod driver;
pub mod emulator;
mod layout;
pub mod link;
pub mod ports;
pub mod raw;
pub mod realtime;
mod register_arm;
mod register_connect;
mod register_servo;
pub mod setup;
mod sightings;
pub mod simulated;
pub mod snapshot;
