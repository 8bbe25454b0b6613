//! The serial protocol of Pololu's Maestro servo controllers.
//!
//! Knows bytes and raw values. Deadlines, retries and radians are the business of others.
//!
//! ```text
//! compact:  command      data…  [crc]        command 0x80..0xFF
//! Pololu:   AA  device  command − 0x80  data…  [crc]
//! ```
//! Every byte but the first has its top bit clear, so numbers travel in pieces of seven bits, low piece first. Answers
//! are bare bytes without frame or checksum: who asks has to know what it asked, and to be alone on the wire.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod decoder;
pub mod errors;
pub mod frame;

pub use decoder::{Decoder, Refused};
pub use errors::Errors;
pub use frame::{Frame, Framing, Request};

/// The most channels that a Maestro has.
pub const MAX_CHANNELS: usize = 24;
/// The greatest target that can be told (quarters of a µs).
pub const MAX_TARGET: u16 = 0x3FFF;
/// One unit of a channel's speed (µs/s).
pub const SPEED_UNIT_US_S: f64 = 25.0;
/// One unit of a channel's acceleration (µs/s²).
pub const ACCELERATION_UNIT_US_S2: f64 = 312.5;

/// The check byte of `bytes`: CRC-7, least significant bit first.
pub fn crc7(bytes: &[u8]) -> u8 {
    const POLYNOMIAL: u8 = 0x91;
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| (crc ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 }) >> 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_byte_is_that_of_the_manual() {
        assert_eq!(crc7(&[0x83, 0x01]), 0x17);
    }
}
