//! The serial protocol of LewanSoul and Hiwonder bus servos (LX-16A, LX-15D, LX-224, HTS-35H).
//!
//! Knows bytes and raw values. Deadlines, retries and radians are the business of others.
//!
//! ```text
//! 55 55  id  len  command  params…  checksum
//! ```
//! `len` counts itself and what follows it; `checksum` is the inverted sum of everything from `id` to the last
//! parameter. Words are little-endian, signed ones in two's complement. What is written is never answered; what is read
//! is answered under the same command, with other parameters, so that a frame's length tells a question from its answer.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod command;
pub mod decoder;
pub mod frame;
pub mod wire;

pub use command::Command;
pub use decoder::{Counts, Decoder, Direction};
pub use frame::{Frame, Mode, Move, Packet, Target};

/// Positions of one turn: a servo's 240° are 1000 of them.
pub const TICKS_PER_TURN: f64 = 1500.0;
/// The greatest position that can be asked for; the least is 0.
pub const MAX_POSITION: i16 = 1000;
/// The longest time that a move can take (ms).
pub const MAX_MOVE_MS: u16 = 30_000;
