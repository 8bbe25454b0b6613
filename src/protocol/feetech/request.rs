//! A received instruction, as the servo's side reads it.
//!
//! Borrows from the decoder's buffer and judges nothing but lengths: whether an address exists is
//! the servo's business.

use super::packet::{BROADCAST, Id, Instruction, Packet, Target};

/// What a frame asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Answer with the alarms alone.
    Ping,
    /// Answer with registers.
    Read {
        /// The first register.
        address: u8,
        /// How many bytes.
        len: u8,
    },
    /// Change registers.
    Write {
        /// The first register.
        address: u8,
        /// The bytes from there on.
        data: &'a [u8],
    },
    /// Change registers at the next action.
    RegWrite {
        /// The first register.
        address: u8,
        /// The bytes from there on.
        data: &'a [u8],
    },
    /// Carry out what was announced.
    Action,
    /// Start again, as after power-on.
    Reboot,
    /// Back to the factory's registers.
    Reset,
    /// Take the present position for the middle.
    CalibrateOffset,
    /// The servos named answer in turn.
    SyncRead {
        /// The first register.
        address: u8,
        /// How many bytes.
        len: u8,
        /// Who answers, in order.
        ids: &'a [u8],
    },
    /// The servos named change the same registers.
    SyncWrite(SyncWrite<'a>),
}

/// The same registers of several servos.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncWrite<'a> {
    /// The first register.
    pub address: u8,
    len: usize,
    entries: &'a [u8],
}

impl<'a> SyncWrite<'a> {
    /// Each servo's id and bytes.
    pub fn entries(self) -> impl Iterator<Item = (u8, &'a [u8])> {
        self.entries.chunks_exact(self.len + 1).map(|entry| (entry[0], &entry[1..]))
    }
}

/// Why a well-formed frame is no instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Neither a servo's id nor the broadcast one.
    #[error("nobody has the id {0}")]
    Id(u8),
    /// A code that no STS servo knows.
    #[error("no instruction has the code {0:#04x}")]
    Instruction(u8),
    /// The parameters are too few or too many.
    #[error("{instruction:?} does not take {actual} bytes of parameters")]
    Params {
        /// Of which instruction.
        instruction: Instruction,
        /// How many came.
        actual: usize,
    },
}

impl<'a> Packet<'a> {
    /// The frame as an instruction, and whom it is for.
    pub fn request(self) -> Result<(Target, Request<'a>), RequestError> {
        let target = match self.id() {
            BROADCAST => Target::All,
            raw => Target::One(Id::new(raw).map_err(|_refused| RequestError::Id(raw))?),
        };
        let instruction =
            Instruction::from_code(self.code()).ok_or(RequestError::Instruction(self.code()))?;
        let request = parse(instruction, self.params())
            .ok_or(RequestError::Params { instruction, actual: self.params().len() })?;
        Ok((target, request))
    }
}

fn parse(instruction: Instruction, params: &[u8]) -> Option<Request<'_>> {
    Some(match (instruction, params) {
        (Instruction::Ping, _) => Request::Ping,
        (Instruction::Action, _) => Request::Action,
        (Instruction::Reboot, _) => Request::Reboot,
        (Instruction::Reset | Instruction::OldReset, _) => Request::Reset,
        (Instruction::CalibrateOffset, _) => Request::CalibrateOffset,
        (Instruction::Read, &[address, len]) => Request::Read { address, len },
        (Instruction::Write, [address, data @ ..]) if !data.is_empty() => {
            Request::Write { address: *address, data }
        }
        (Instruction::RegWrite, [address, data @ ..]) if !data.is_empty() => {
            Request::RegWrite { address: *address, data }
        }
        (Instruction::SyncRead, [address, len, ids @ ..]) if !ids.is_empty() => {
            Request::SyncRead { address: *address, len: *len, ids }
        }
        (Instruction::SyncWrite, [address, len, entries @ ..]) => {
            let len = usize::from(*len);
            let is_whole = !entries.is_empty() && len != 0 && entries.len().is_multiple_of(len + 1);
            is_whole.then_some(Request::SyncWrite(SyncWrite { address: *address, len, entries }))?
        }
        _ => return None,
    })
}
