//! The Feetech STS, SMS and SCS serial protocol: frames, an incremental decoder, the register table.
//!
//! Knows bytes and raw register values. Deadlines, retries and radians are the business of others.
//!
//! ```text
//! instruction:  FF FF  id  len  instruction  params…  checksum
//! status:       FF FF  id  len  alarms       params…  checksum
//! ```
//! `len` counts what follows it; `checksum` is the inverted sum of everything from `id` to the last
//! parameter. Words are little-endian, in SCS servos big-endian; signed values are sign and magnitude.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod alarms;
pub mod decoder;
pub mod packet;
pub mod registers;
pub mod request;
pub mod telemetry;
pub mod wire;

pub use alarms::Alarms;
pub use decoder::{Counts, Decoder, Direction};
pub use packet::{Frame, Id, Instruction, Packet, PacketError, Status, Target};
pub use registers::{Register, RegisterError};
pub use request::{Request, RequestError, SyncWrite};
pub use telemetry::{GoalBlock, Telemetry};
pub use wire::{FeetechScs, FeetechSts};
