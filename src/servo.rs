//! The serial bus and what hangs on it.
//!
//! Here bytes meet ports and clocks; ROS does not come this far down.

pub mod emulator;
