//! Commands for servos on a bus: what is there, what it says, and what it is told to keep.
//!
//! Nothing here switches torque on, unless the register for it is written by name and the question is answered with yes.

pub mod access;
pub mod backup;
pub mod eeprom;
pub mod identity;
pub mod info;
pub mod keyboard;
pub mod map;
pub mod maps;
pub mod monitor;
pub mod ping;
pub mod probing;
pub mod scan;
pub mod session;
