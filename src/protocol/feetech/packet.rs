//! One frame, built in place or seen in a buffer.
//!
//! Building allocates nothing and cannot produce a frame that a servo would refuse: what does not
//! fit is an error. Taking a frame out of a stream of bytes is [`super::decoder`]'s work.

use super::alarms::Alarms;
pub(super) use crate::protocol::wire::BROADCAST;
pub use crate::protocol::wire::{FrameError as PacketError, Id, Target};

/// The largest value of the length byte.
pub const MAX_LEN: usize = 250;
/// The bytes of the longest frame.
pub const MAX_FRAME: usize = MAX_LEN + 4;
/// The most parameters that a frame carries, and so the most register bytes that a servo answers with.
pub const MAX_PARAMS: usize = MAX_LEN - 2;
/// The bytes of a frame that are not parameters.
pub const OVERHEAD: usize = 6;

/// What a servo is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Instruction {
    /// Answer, with nothing but the alarms.
    Ping = 0x01,
    /// Answer with registers.
    Read = 0x02,
    /// Change registers.
    Write = 0x03,
    /// Change registers at the next [`Self::Action`].
    RegWrite = 0x04,
    /// Carry out what [`Self::RegWrite`] asked for.
    Action = 0x05,
    /// [`Self::Reset`], as older firmware knows it.
    OldReset = 0x06,
    /// Start again, as after power-on.
    Reboot = 0x08,
    /// Back to the factory's registers, the id excepted.
    Reset = 0x0A,
    /// Take the present position for the middle.
    CalibrateOffset = 0x0B,
    /// Several servos answer with the same registers, in the order asked.
    SyncRead = 0x82,
    /// Change the same registers of several servos, unanswered.
    SyncWrite = 0x83,
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
            0x06 => Self::OldReset,
            0x08 => Self::Reboot,
            0x0A => Self::Reset,
            0x0B => Self::CalibrateOffset,
            0x82 => Self::SyncRead,
            0x83 => Self::SyncWrite,
            _ => return None,
        })
    }
}

/// One frame, ready for the wire.
#[derive(Clone, Copy)]
pub struct Frame {
    bytes: [u8; MAX_FRAME],
    len: usize,
}

impl Frame {
    /// Are you there?
    pub fn ping(target: impl Into<Target>) -> Self {
        Self::bare(target, Instruction::Ping)
    }

    /// Asks for `len` bytes of registers from `address` on.
    pub fn read(id: Id, address: u8, len: u8) -> Result<Self, PacketError> {
        check_answer(len)?;
        Self::instruction(id, Instruction::Read, &[address, len])
    }

    /// Puts `data` into the registers from `address` on.
    pub fn write(target: impl Into<Target>, address: u8, data: &[u8]) -> Result<Self, PacketError> {
        Self::addressed(target, Instruction::Write, address, data)
    }

    /// As [`Self::write`], once [`Self::action`] says so.
    pub fn reg_write(target: impl Into<Target>, address: u8, data: &[u8]) -> Result<Self, PacketError> {
        Self::addressed(target, Instruction::RegWrite, address, data)
    }

    /// Carries out what `reg_write` announced, on all servos at once.
    pub fn action() -> Self {
        Self::bare(Target::All, Instruction::Action)
    }

    /// Back to the factory's registers.
    pub fn reset(target: impl Into<Target>) -> Self {
        Self::bare(target, Instruction::Reset)
    }

    /// Start again, as after power-on.
    pub fn reboot(target: impl Into<Target>) -> Self {
        Self::bare(target, Instruction::Reboot)
    }

    /// Asks several servos for the same registers; they answer one after another, in this order.
    pub fn sync_read(address: u8, len: u8, ids: &[Id]) -> Result<Self, PacketError> {
        check_answer(len)?;
        if ids.is_empty() {
            return Err(PacketError::Empty);
        }
        let mut frame = Self::begin(BROADCAST, Instruction::SyncRead as u8);
        frame.extend(&[address, len])?;
        for id in ids {
            frame.extend(&[id.raw()])?;
        }
        Ok(frame.finish())
    }

    /// Puts `len` bytes into the same registers of several servos; none answers.
    pub fn sync_write<D: AsRef<[u8]>>(
        address: u8,
        len: u8,
        servos: impl IntoIterator<Item = (Id, D)>,
    ) -> Result<Self, PacketError> {
        let mut frame = Self::begin(BROADCAST, Instruction::SyncWrite as u8);
        frame.extend(&[address, len])?;
        let announced = frame.len;
        for (id, data) in servos {
            let data = data.as_ref();
            if data.len() != usize::from(len) {
                return Err(PacketError::DataLength { id, expected: len.into(), actual: data.len() });
            }
            frame.extend(&[id.raw()])?;
            frame.extend(data)?;
        }
        if len == 0 || frame.len == announced {
            return Err(PacketError::Empty);
        }
        Ok(frame.finish())
    }

    /// A servo's answer.
    pub fn status(id: Id, alarms: Alarms, params: &[u8]) -> Result<Self, PacketError> {
        let mut frame = Self::begin(id.raw(), alarms.bits());
        frame.extend(params)?;
        Ok(frame.finish())
    }

    /// Any instruction with any parameters.
    pub fn instruction(
        target: impl Into<Target>,
        instruction: Instruction,
        params: &[u8],
    ) -> Result<Self, PacketError> {
        let mut frame = Self::begin(target.into().raw(), instruction as u8);
        frame.extend(params)?;
        Ok(frame.finish())
    }

    /// What goes on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The frame as a receiver sees it.
    pub fn as_packet(&self) -> Packet<'_> {
        Packet::from_checked(self.as_bytes())
    }

    fn bare(target: impl Into<Target>, instruction: Instruction) -> Self {
        Self::begin(target.into().raw(), instruction as u8).finish()
    }

    fn addressed(
        target: impl Into<Target>,
        instruction: Instruction,
        address: u8,
        data: &[u8],
    ) -> Result<Self, PacketError> {
        if data.is_empty() {
            return Err(PacketError::Empty);
        }
        let mut frame = Self::begin(target.into().raw(), instruction as u8);
        frame.extend(&[address])?;
        frame.extend(data)?;
        Ok(frame.finish())
    }

    fn begin(id: u8, code: u8) -> Self {
        let mut bytes = [0; MAX_FRAME];
        bytes[..5].copy_from_slice(&[0xFF, 0xFF, id, 0, code]);
        Self { bytes, len: 5 }
    }

    fn extend(&mut self, params: &[u8]) -> Result<(), PacketError> {
        let end = self.len + params.len();
        // The last byte belongs to the checksum.
        if MAX_FRAME - 1 < end {
            return Err(PacketError::TooLong { actual: end - 5, most: MAX_PARAMS });
        }
        self.bytes[self.len..end].copy_from_slice(params);
        self.len = end;
        Ok(())
    }

    fn finish(mut self) -> Self {
        self.bytes[3] = u8::try_from(self.len - 3).unwrap_or(u8::MAX);
        self.bytes[self.len] = checksum(&self.bytes[2..self.len]);
        self.len += 1;
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

/// A whole frame with a right checksum, as it lies in the decoder's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// The frame that `bytes` are from first to last, where they are one.
    pub fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        let [0xFF, 0xFF, body @ .., stated] = bytes else { return None };
        let [_, len, _, ..] = body else { return None };
        let is_whole = usize::from(*len) + 4 == bytes.len() && checksum(body) == *stated;
        is_whole.then_some(Self { bytes })
    }

    /// `bytes` from the header to the checksum, both already checked.
    pub(super) fn from_checked(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The whole frame.
    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// A copy that outlives the decoder's buffer.
    pub fn to_frame(self) -> Frame {
        let mut bytes = [0; MAX_FRAME];
        bytes[..self.bytes.len()].copy_from_slice(self.bytes);
        Frame { bytes, len: self.bytes.len() }
    }

    /// The id byte.
    pub fn id(self) -> u8 {
        self.bytes[2]
    }

    /// The instruction, or the alarms.
    pub fn code(self) -> u8 {
        self.bytes[4]
    }

    /// What lies between the code and the checksum.
    pub fn params(self) -> &'a [u8] {
        &self.bytes[5..self.bytes.len() - 1]
    }

    /// The frame as a servo's answer; `None` where the id is no servo's.
    pub fn status(self) -> Option<Status<'a>> {
        let id = Id::new(self.id()).ok()?;
        Some(Status { id, alarms: Alarms::from_bits(self.code()), params: self.params() })
    }
}

/// A servo's answer: data and alarms side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// Who answers.
    pub id: Id,
    /// What it complains of; the parameters are valid all the same.
    pub alarms: Alarms,
    /// The registers asked for.
    pub params: &'a [u8],
}

/// The inverted sum of everything from the id to the last parameter.
pub(super) fn checksum(bytes: &[u8]) -> u8 {
    !bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte))
}

fn check_answer(len: u8) -> Result<(), PacketError> {
    if len == 0 {
        return Err(PacketError::Empty);
    }
    if MAX_PARAMS < usize::from(len) {
        return Err(PacketError::Answer { asked: len.into(), most: MAX_PARAMS });
    }
    Ok(())
}

#[cfg(test)]
#[path = "packet_tests.rs"]
mod tests;
