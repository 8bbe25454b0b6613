//! Dynamixel Protocol 2.0: bytes become values and back.
//!
//! Knows packets, checksums and stuffing, not what registers mean, and has neither port nor clock. [`Frame`] is built to
//! be sent, [`Decoder`] finds [`Packet`]s and each servo's [`Status`] in what comes back, [`Request`] is what a servo
//! reads in an instruction.

pub mod crc;
pub mod decoder;
pub mod joint;
pub mod packet;
pub mod request;
pub mod status;
pub mod wire;

pub use decoder::{Decoder, Direction};
pub use packet::{Frame, Packet, Target};
pub use request::Request;
pub use status::{ErrorCode, Status};
pub use wire::Dynamixel2;
