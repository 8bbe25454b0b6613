//! The other end of the wire: emulated Feetech STS servos behind a pseudo-terminal or a TCP port.

pub mod memory;
pub mod motor;
pub mod protection;
pub mod servo;
