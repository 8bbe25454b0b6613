//! One packet, built in place or seen in a buffer.
//!
//! Building allocates nothing, stuffs what could be taken for a header, and cannot produce a packet that a servo would
//! refuse: what does not fit is an error. Taking a packet out of a stream of bytes is [`super::decoder`]'s work.

use super::crc;
use super::status::{ErrorCode, Status};
pub(super) use crate::protocol::wire::BROADCAST;
pub use crate::protocol::wire::Target;
use crate::protocol::wire::{FrameError, Id};

/// The bytes of the longest packet that is built or understood; the protocol itself would allow 65 kB.
pub const MAX_PACKET: usize = 1024;
/// The bytes of an instruction packet that are not parameters.
pub const OVERHEAD: usize = 10;
/// The bytes of a status packet that are not data.
pub const STATUS_OVERHEAD: usize = OVERHEAD + 1;
/// The greatest id that one servo can have.
pub const MAX_ID: u8 = 252;
pub(super) const HEADER: [u8; 4] = [0xFF, 0xFF, 0xFD, 0x00];
/// Where the instruction is, and so where stuffing begins.
pub(super) const BODY: usize = 7;
pub(super) const CRC_LEN: usize = 2;
const LOOKS_LIKE_A_HEADER: [u8; 3] = [0xFF, 0xFF, 0xFD];
const STUFFING: u8 = 0xFD;

/// What a servo is asked to do, or that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Instruction {
    /// Answer with model and firmware.
    Ping = 0x01,
    /// Answer with registers.
    Read = 0x02,
    /// Change registers.
    Write = 0x03,
    /// Change registers at the next [`Self::Action`].
    RegWrite = 0x04,
    /// Carry out what [`Self::RegWrite`] asked for.
    Action = 0x05,
    /// Back to the factory's registers.
    FactoryReset = 0x06,
    /// Start again, as after power-on.
    Reboot = 0x08,
    /// Forget the turns made.
    Clear = 0x10,
    /// An answer.
    Status = 0x55,
    /// Several servos answer with the same registers, one after another.
    SyncRead = 0x82,
    /// Change the same registers of several servos, unanswered.
    SyncWrite = 0x83,
    /// As [`Self::SyncRead`], answered by one packet of all.
    FastSyncRead = 0x8A,
    /// Several servos answer, each with registers of its own.
    BulkRead = 0x92,
    /// Change registers of several servos, each its own.
    BulkWrite = 0x93,
    /// As [`Self::BulkRead`], answered by one packet of all.
    FastBulkRead = 0x9A,
}

impl Instruction {
    /// The instruction of that code.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0x01 => Self::Ping,
            0x02 => Self::Read,
            0x03 => Self::Write,
            0x04 => Self::RegWrite,
            0x05 => Self::Action,
            0x06 => Self::FactoryReset,
            0x08 => Self::Reboot,
            0x10 => Self::Clear,
            0x55 => Self::Status,
            0x82 => Self::SyncRead,
            0x83 => Self::SyncWrite,
            0x8A => Self::FastSyncRead,
            0x92 => Self::BulkRead,
            0x93 => Self::BulkWrite,
            0x9A => Self::FastBulkRead,
            _ => return None,
        })
    }
}

/// What a factory reset leaves as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reset {
    /// Nothing: id and speed are the factory's too.
    Everything = 0xFF,
    /// The id.
    AllButId = 0x01,
    /// The id and the speed.
    AllButIdAndBaud = 0x02,
}

impl Reset {
    /// The reset of that code.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0xFF => Some(Self::Everything),
            0x01 => Some(Self::AllButId),
            0x02 => Some(Self::AllButIdAndBaud),
            _ => None,
        }
    }
}

/// Registers of one servo in a bulk read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Whose.
    pub id: Id,
    /// The first register.
    pub address: u16,
    /// How many bytes.
    pub len: u16,
}

/// The parameters that a clear of turns must have.
pub(super) const CLEAR_TURNS: [u8; 5] = [0x01, 0x44, 0x58, 0x4C, 0x22];

/// One packet, ready for the wire.
#[derive(Clone, Copy)]
pub struct Frame {
    bytes: [u8; MAX_PACKET],
    len: usize,
    params: usize,
}

impl Frame {
    /// Are you there, and what are you?
    ///
    /// # Errors
    /// Where no servo of the family has the id; that goes for all of these functions.
    pub fn ping(target: impl Into<Target>) -> Result<Self, FrameError> {
        Self::instruction(target, Instruction::Ping, &[])
    }

    /// Asks for `len` bytes of registers from `address` on.
    ///
    /// # Errors
    /// Where no answer could carry them.
    pub fn read(id: Id, address: u16, len: u16) -> Result<Self, FrameError> {
        check_answer(len)?;
        let mut frame = Self::begin(id.into(), Instruction::Read)?;
        frame.extend_words(&[address, len])?;
        Ok(frame.finish())
    }

    /// Puts `data` into the registers from `address` on.
    ///
    /// # Errors
    /// Where there is no data, or too much.
    pub fn write(target: impl Into<Target>, address: u16, data: &[u8]) -> Result<Self, FrameError> {
        Self::addressed(target.into(), Instruction::Write, address, data)
    }

    /// As [`Self::write`], once [`Self::action`] says so.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn reg_write(target: impl Into<Target>, address: u16, data: &[u8]) -> Result<Self, FrameError> {
        Self::addressed(target.into(), Instruction::RegWrite, address, data)
    }

    /// Carries out what `reg_write` announced.
    ///
    /// # Errors
    /// As [`Self::ping`].
    pub fn action(target: impl Into<Target>) -> Result<Self, FrameError> {
        Self::instruction(target, Instruction::Action, &[])
    }

    /// Back to the factory's registers.
    ///
    /// # Errors
    /// As [`Self::ping`].
    pub fn factory_reset(target: impl Into<Target>, reset: Reset) -> Result<Self, FrameError> {
        Self::instruction(target, Instruction::FactoryReset, &[reset as u8])
    }

    /// Start again, as after power-on; a servo that holds lets go.
    ///
    /// # Errors
    /// As [`Self::ping`].
    pub fn reboot(target: impl Into<Target>) -> Result<Self, FrameError> {
        Self::instruction(target, Instruction::Reboot, &[])
    }

    /// Forgets the turns made: the present position is within one turn again.
    ///
    /// # Errors
    /// As [`Self::ping`].
    pub fn clear_turns(target: impl Into<Target>) -> Result<Self, FrameError> {
        Self::instruction(target, Instruction::Clear, &CLEAR_TURNS)
    }

    /// Asks several servos for the same registers; they answer one after another, in this order.
    ///
    /// # Errors
    /// Where nobody or nothing is asked for, or too much.
    pub fn sync_read(address: u16, len: u16, ids: &[Id]) -> Result<Self, FrameError> {
        Self::sync(Instruction::SyncRead, address, len, ids)
    }

    /// Asks several servos for the same registers; they answer in one packet.
    ///
    /// # Errors
    /// As [`Self::sync_read`], and where the one packet would be too long.
    pub fn fast_sync_read(address: u16, len: u16, ids: &[Id]) -> Result<Self, FrameError> {
        if MAX_PACKET < super::joint::packet_len(ids.len(), usize::from(len)) {
            return Err(FrameError::Answer { asked: len, most: MAX_PACKET - STATUS_OVERHEAD });
        }
        Self::sync(Instruction::FastSyncRead, address, len, ids)
    }

    /// Asks several servos, each for registers of its own; they answer one after another, in this order.
    ///
    /// # Errors
    /// As [`Self::sync_read`].
    pub fn bulk_read(parts: &[Part]) -> Result<Self, FrameError> {
        Self::bulk(Instruction::BulkRead, parts)
    }

    /// As [`Self::bulk_read`], answered in one packet.
    ///
    /// # Errors
    /// As [`Self::sync_read`].
    pub fn fast_bulk_read(parts: &[Part]) -> Result<Self, FrameError> {
        Self::bulk(Instruction::FastBulkRead, parts)
    }

    /// Puts `len` bytes into the same registers of several servos; none answers.
    ///
    /// # Errors
    /// Where there are no servos or no data, too much, or not `len` bytes for somebody.
    pub fn sync_write<D: AsRef<[u8]>>(
        address: u16,
        len: u16,
        servos: impl IntoIterator<Item = (Id, D)>,
    ) -> Result<Self, FrameError> {
        let mut frame = Self::begin(Target::All, Instruction::SyncWrite)?;
        frame.extend_words(&[address, len])?;
        let announced = frame.params;
        for (id, data) in servos {
            let data = data.as_ref();
            if data.len() != usize::from(len) {
                return Err(FrameError::DataLength { id, expected: len, actual: data.len() });
            }
            frame.extend(&[checked(id)?])?;
            frame.extend(data)?;
        }
        if len == 0 || frame.params == announced {
            return Err(FrameError::Empty);
        }
        Ok(frame.finish())
    }

    /// Puts data into registers of several servos, each its own; none answers.
    ///
    /// # Errors
    /// Where there are no servos, no data for one, or too much.
    pub fn bulk_write<D: AsRef<[u8]>>(
        servos: impl IntoIterator<Item = (Id, u16, D)>,
    ) -> Result<Self, FrameError> {
        let mut frame = Self::begin(Target::All, Instruction::BulkWrite)?;
        for (id, address, data) in servos {
            let data = data.as_ref();
            let too_long = FrameError::TooLong { actual: data.len(), most: MAX_PACKET - OVERHEAD };
            let len = u16::try_from(data.len()).map_err(|_over| too_long)?;
            if len == 0 {
                return Err(FrameError::Empty);
            }
            frame.extend(&[checked(id)?])?;
            frame.extend_words(&[address, len])?;
            frame.extend(data)?;
        }
        if frame.params == 0 {
            return Err(FrameError::Empty);
        }
        Ok(frame.finish())
    }

    /// A servo's answer.
    ///
    /// # Errors
    /// Where there is too much data.
    pub fn status(id: Id, alert: bool, error: Option<ErrorCode>, data: &[u8]) -> Result<Self, FrameError> {
        let mut frame = Self::begin(id.into(), Instruction::Status)?;
        frame.extend(&[super::status::error_byte(alert, error)])?;
        frame.extend(data)?;
        Ok(frame.finish())
    }

    /// Any instruction with any parameters.
    ///
    /// # Errors
    /// Where they do not fit.
    pub fn instruction(
        target: impl Into<Target>,
        instruction: Instruction,
        params: &[u8],
    ) -> Result<Self, FrameError> {
        let mut frame = Self::begin(target.into(), instruction)?;
        frame.extend(params)?;
        Ok(frame.finish())
    }

    /// What goes on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn addressed(
        target: Target,
        instruction: Instruction,
        address: u16,
        data: &[u8],
    ) -> Result<Self, FrameError> {
        if data.is_empty() {
            return Err(FrameError::Empty);
        }
        let mut frame = Self::begin(target, instruction)?;
        frame.extend_words(&[address])?;
        frame.extend(data)?;
        Ok(frame.finish())
    }

    fn sync(instruction: Instruction, address: u16, len: u16, ids: &[Id]) -> Result<Self, FrameError> {
        check_answer(len)?;
        if ids.is_empty() {
            return Err(FrameError::Empty);
        }
        let mut frame = Self::begin(Target::All, instruction)?;
        frame.extend_words(&[address, len])?;
        for id in ids {
            frame.extend(&[checked(*id)?])?;
        }
        Ok(frame.finish())
    }

    fn bulk(instruction: Instruction, parts: &[Part]) -> Result<Self, FrameError> {
        if parts.is_empty() {
            return Err(FrameError::Empty);
        }
        let mut frame = Self::begin(Target::All, instruction)?;
        for part in parts {
            check_answer(part.len)?;
            frame.extend(&[checked(part.id)?])?;
            frame.extend_words(&[part.address, part.len])?;
        }
        Ok(frame.finish())
    }

    fn begin(target: Target, instruction: Instruction) -> Result<Self, FrameError> {
        if let Target::One(id) = target {
            checked(id)?;
        }
        let mut bytes = [0; MAX_PACKET];
        bytes[..4].copy_from_slice(&HEADER);
        bytes[4] = target.raw();
        bytes[BODY] = instruction as u8;
        Ok(Self { bytes, len: BODY + 1, params: 0 })
    }

    fn extend_words(&mut self, words: &[u16]) -> Result<(), FrameError> {
        words.iter().try_for_each(|word| self.extend(&word.to_le_bytes()))
    }

    fn extend(&mut self, params: &[u8]) -> Result<(), FrameError> {
        for byte in params {
            self.push(*byte)?;
            self.params += 1;
            if self.bytes[BODY..self.len].ends_with(&LOOKS_LIKE_A_HEADER) {
                self.push(STUFFING)?;
            }
        }
        Ok(())
    }

    fn push(&mut self, byte: u8) -> Result<(), FrameError> {
        // The last bytes belong to the checksum.
        if MAX_PACKET - CRC_LEN <= self.len {
            return Err(FrameError::TooLong { actual: self.params + 1, most: MAX_PACKET - OVERHEAD });
        }
        self.bytes[self.len] = byte;
        self.len += 1;
        Ok(())
    }

    fn finish(mut self) -> Self {
        let stated = u16::try_from(self.len - BODY + CRC_LEN).unwrap_or(u16::MAX);
        self.bytes[5..BODY].copy_from_slice(&stated.to_le_bytes());
        let crc = crc::of(&self.bytes[..self.len]);
        self.bytes[self.len..self.len + CRC_LEN].copy_from_slice(&crc.to_le_bytes());
        self.len += CRC_LEN;
        self
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Frame({:02x?})", self.as_bytes())
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

/// A whole packet with a right checksum: as it came, and with the stuffing taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    bytes: &'a [u8],
    params: &'a [u8],
}

impl<'a> Packet<'a> {
    /// The packet that `bytes` are from first to last, where they are one; what is stuffed is unfolded in `room`.
    pub fn from_bytes(bytes: &'a [u8], room: &'a mut [u8; MAX_PACKET]) -> Option<Self> {
        let len = stated_len(bytes)?;
        let is_whole = bytes.len() == len && len <= MAX_PACKET && has_right_crc(bytes);
        is_whole.then(|| Self::from_checked(bytes, room))
    }

    /// `bytes` from the header to the checksum, both already checked; at most [`MAX_PACKET`] of them.
    pub(super) fn from_checked(bytes: &'a [u8], room: &'a mut [u8; MAX_PACKET]) -> Self {
        let body = &bytes[BODY..bytes.len() - CRC_LEN];
        let mut len = 0;
        for (at, byte) in body.iter().enumerate() {
            let is_stuffing = *byte == STUFFING && body[..at].ends_with(&LOOKS_LIKE_A_HEADER);
            if 0 < at && !is_stuffing {
                room[len] = *byte;
                len += 1;
            }
        }
        Self { bytes, params: &room[..len] }
    }

    /// The whole packet, as it came.
    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The id byte.
    pub fn id(self) -> u8 {
        self.bytes[4]
    }

    /// The instruction byte.
    pub fn code(self) -> u8 {
        self.bytes[BODY]
    }

    /// What lies between the instruction and the checksum, without stuffing.
    pub fn params(self) -> &'a [u8] {
        self.params
    }

    /// The packet as one servo's answer; `None` where it is none.
    pub fn status(self) -> Option<Status<'a>> {
        let id = servo_id(self.id())?;
        let (error, data) = self.params.split_first().filter(|_| self.code() == Instruction::Status as u8)?;
        Some(Status::new(id, *error, data))
    }
}

/// The length that the bytes say their packet has, once the length is among them and where the header is one.
pub(super) fn stated_len(bytes: &[u8]) -> Option<usize> {
    let [0xFF, 0xFF, 0xFD, 0x00, _, low, high, ..] = bytes else { return None };
    let len = usize::from(u16::from_le_bytes([*low, *high])) + BODY;
    (BODY + 1 + CRC_LEN <= len).then_some(len)
}

pub(super) fn has_right_crc(bytes: &[u8]) -> bool {
    bytes.split_last_chunk().is_some_and(|(before, stated)| crc::of(before) == u16::from_le_bytes(*stated))
}

/// The id of one servo of the family.
pub(super) fn servo_id(raw: u8) -> Option<Id> {
    Id::new(raw).ok().filter(|id| id.raw() <= MAX_ID)
}

fn checked(id: Id) -> Result<u8, FrameError> {
    let refused = FrameError::FamilyId { family: "Dynamixel", most: MAX_ID, id: id.raw() };
    servo_id(id.raw()).map(Id::raw).ok_or(refused)
}

fn check_answer(len: u16) -> Result<(), FrameError> {
    let most = MAX_PACKET - STATUS_OVERHEAD;
    match usize::from(len) {
        0 => Err(FrameError::Empty),
        asked if most < asked => Err(FrameError::Answer { asked: len, most }),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "packet_tests.rs"]
mod tests;
