//! The serial bus and what hangs on it.
//!
//! Here bytes meet ports and clocks; ROS does not come this far down.

mod arm;
pub mod bus;
pub mod clock;
pub mod control_thread;
pub mod driver;
pub mod emulator;
mod feetech_arm;
mod feetech_servo;
pub mod link;
pub mod ports;
pub mod probe;
pub mod realtime;
pub mod recorded;
pub mod setup;
mod sightings;
pub mod simulated;
pub mod snapshot;
