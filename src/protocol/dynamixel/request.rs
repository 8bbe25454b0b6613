//! A received instruction, as the servo's side reads it.
//!
//! Borrows from the decoder's buffer and judges nothing but lengths: whether an address exists is the servo's business.

use super::packet::{BROADCAST, CLEAR_TURNS, Instruction, Packet, Part, Reset, Target, servo_id};

/// What a packet asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Answer with model and firmware.
    Ping,
    /// Answer with registers.
    Read {
        /// The first register.
        address: u16,
        /// How many bytes.
        len: u16,
    },
    /// Change registers.
    Write {
        /// The first register.
        address: u16,
        /// The bytes from there on.
        data: &'a [u8],
    },
    /// Change registers at the next action.
    RegWrite {
        /// The first register.
        address: u16,
        /// The bytes from there on.
        data: &'a [u8],
    },
    /// Carry out what was announced.
    Action,
    /// Back to the factory's registers.
    FactoryReset(Reset),
    /// Start again, as after power-on.
    Reboot,
    /// Forget the turns made.
    ClearTurns,
    /// The servos named answer with the same registers.
    SyncRead {
        /// The first register.
        address: u16,
        /// How many bytes.
        len: u16,
        /// Who answers, in order.
        ids: &'a [u8],
        /// Whether in one packet.
        is_fast: bool,
    },
    /// The servos named change the same registers.
    SyncWrite(SyncWrite<'a>),
    /// The servos named answer, each with its own registers.
    BulkRead {
        /// Who answers with what, in order.
        parts: BulkRead<'a>,
        /// Whether in one packet.
        is_fast: bool,
    },
    /// The servos named change registers, each its own.
    BulkWrite(BulkWrite<'a>),
}

/// The same registers of several servos.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncWrite<'a> {
    /// The first register.
    pub address: u16,
    len: usize,
    entries: &'a [u8],
}

impl<'a> SyncWrite<'a> {
    /// Each servo's id and bytes.
    pub fn entries(self) -> impl Iterator<Item = (u8, &'a [u8])> {
        self.entries.chunks_exact(self.len + 1).map(|entry| (entry[0], &entry[1..]))
    }
}

/// Registers of several servos, each its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkRead<'a>(&'a [u8]);

impl BulkRead<'_> {
    /// What each servo is to answer with; ids that no servo has are left out.
    pub fn parts(self) -> impl Iterator<Item = Part> {
        self.0.chunks_exact(5).filter_map(|entry| {
            let &[id, a, b, c, d] = entry else { return None };
            let (address, len) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
            Some(Part { id: servo_id(id)?, address, len })
        })
    }
}

/// Data for registers of several servos, each its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkWrite<'a>(&'a [u8]);

impl<'a> BulkWrite<'a> {
    /// Each servo's id, first register and bytes.
    pub fn entries(self) -> impl Iterator<Item = Entry<'a>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (entry, behind) = first_entry(rest)?;
            rest = behind;
            Some(entry)
        })
    }
}

/// A servo's id, its first register and the bytes from there on.
type Entry<'a> = (u8, u16, &'a [u8]);

/// The first entry of a bulk write, and what is behind it.
fn first_entry(entries: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let &[id, a, b, c, d, ref behind @ ..] = entries else { return None };
    let (data, rest) = behind.split_at_checked(usize::from(u16::from_le_bytes([c, d])))?;
    Some(((id, u16::from_le_bytes([a, b]), data), rest))
}

/// Why a well-formed packet is no instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Neither a servo's id nor the broadcast one.
    #[error("nobody has the id {0}")]
    Id(u8),
    /// A code that no servo knows.
    #[error("no instruction has the code {0:#04x}")]
    Instruction(u8),
    /// The parameters are too few, too many or wrong.
    #[error("{instruction:?} does not take these {actual} bytes of parameters")]
    Params {
        /// Of which instruction.
        instruction: Instruction,
        /// How many came.
        actual: usize,
    },
}

impl<'a> Packet<'a> {
    /// Whom the packet is for.
    ///
    /// # Errors
    /// Where nobody can have the id.
    pub fn target(self) -> Result<Target, RequestError> {
        match self.id() {
            BROADCAST => Ok(Target::All),
            raw => servo_id(raw).map(Target::One).ok_or(RequestError::Id(raw)),
        }
    }

    /// The packet as an instruction.
    ///
    /// # Errors
    /// Where it is none.
    pub fn request(self) -> Result<Request<'a>, RequestError> {
        let unknown = RequestError::Instruction(self.code());
        let instruction = Instruction::from_code(self.code()).ok_or(unknown)?;
        if instruction == Instruction::Status {
            return Err(unknown);
        }
        let wrong = RequestError::Params { instruction, actual: self.params().len() };
        parse(instruction, self.params()).ok_or(wrong)
    }
}

fn parse(instruction: Instruction, params: &[u8]) -> Option<Request<'_>> {
    Some(match instruction {
        Instruction::Ping => Request::Ping,
        Instruction::Action => Request::Action,
        Instruction::Reboot => Request::Reboot,
        Instruction::FactoryReset => {
            let &[code] = params else { return None };
            Request::FactoryReset(Reset::from_code(code)?)
        }
        Instruction::Clear if params == CLEAR_TURNS => Request::ClearTurns,
        Instruction::Clear | Instruction::Status => return None,
        Instruction::Read => {
            let &[a, b, c, d] = params else { return None };
            Request::Read { address: u16::from_le_bytes([a, b]), len: u16::from_le_bytes([c, d]) }
        }
        Instruction::Write | Instruction::RegWrite => {
            let (address, data) = params.split_first_chunk().filter(|(_, data)| !data.is_empty())?;
            let address = u16::from_le_bytes(*address);
            if instruction == Instruction::Write {
                Request::Write { address, data }
            } else {
                Request::RegWrite { address, data }
            }
        }
        Instruction::SyncRead | Instruction::FastSyncRead => {
            let &[a, b, c, d, ref ids @ ..] = params else { return None };
            let (address, len) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
            let is_fast = instruction == Instruction::FastSyncRead;
            (!ids.is_empty()).then_some(Request::SyncRead { address, len, ids, is_fast })?
        }
        Instruction::SyncWrite => {
            let &[a, b, c, d, ref entries @ ..] = params else { return None };
            let (address, len) = (u16::from_le_bytes([a, b]), usize::from(u16::from_le_bytes([c, d])));
            let is_whole = !entries.is_empty() && len != 0 && entries.len().is_multiple_of(len + 1);
            is_whole.then_some(Request::SyncWrite(SyncWrite { address, len, entries }))?
        }
        Instruction::BulkRead | Instruction::FastBulkRead => {
            let is_whole = !params.is_empty() && params.len().is_multiple_of(5);
            let is_fast = instruction == Instruction::FastBulkRead;
            is_whole.then_some(Request::BulkRead { parts: BulkRead(params), is_fast })?
        }
        Instruction::BulkWrite => {
            let mut rest = params;
            while !rest.is_empty() {
                (_, rest) = first_entry(rest)?;
            }
            (!params.is_empty()).then_some(Request::BulkWrite(BulkWrite(params)))?
        }
    })
}
