//! The registers of NXP's PCA9685, sixteen PWM outputs behind an I2C address, and the wire for places without I2C.
//!
//! The host's side of the registers is the crate `pwm-pca9685`; what stands here is what it leaves out, and what the
//! emulated chip needs.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod bridge;
pub mod registers;

pub use registers::{ChannelOutput, counts_of, prescale};
