//! `servo_tool calibrate`
pub mod plan;
pub mod sweep;
