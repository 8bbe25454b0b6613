//! Bytes on the wire become values, and back; one module for each family of servos.
//!
//! Nothing here owns a port or a clock: [`crate::servo`] does.

pub mod alarms;
pub mod dynamixel;
pub mod feetech;
mod held;
pub mod lx16a;
pub mod maestro;
pub mod pca9685;
pub mod registers;
pub mod wire;
