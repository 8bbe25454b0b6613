//! One frame, built in place or seen in a buffer.
//!
//! Building allocates nothing and cannot produce what a servo would refuse.

use super::command::Command;
use super::{MAX_MOVE_MS, MAX_POSITION};
pub(super) use crate::protocol::wire::BROADCAST;
use crate::protocol::wire::Id;
pub use crate::protocol::wire::Target;

/// The bytes of the longest frame.
pub const MAX_FRAME: usize = OVERHEAD + MAX_PARAMS;
/// The most parameters that a frame carries.
pub const MAX_PARAMS: usize = 4;
/// The bytes of a frame that are not parameters.
pub const OVERHEAD: usize = 6;
pub(super) const HEADER: [u8; 2] = [0x55, 0x55];

/// A move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Move {
    /// Where to (0 to 1000).
    pub position: i16,
    /// Within which time (ms, at most 30000).
    pub time_ms: u16,
}

impl Move {
    /// As a frame's parameters say it; what no servo takes is the nearest that it does.
    pub fn params(self) -> [u8; 4] {
        let [low, high] = self.position.clamp(0, MAX_POSITION).to_le_bytes();
        let [time_low, time_high] = self.time_ms.min(MAX_MOVE_MS).to_le_bytes();
        [low, high, time_low, time_high]
    }

    /// A move as a frame's parameters say it; `None` where there are not four.
    pub fn parse(params: &[u8]) -> Option<Self> {
        let &[low, high, time_low, time_high] = params else { return None };
        Some(Self {
            position: i16::from_le_bytes([low, high]),
            time_ms: u16::from_le_bytes([time_low, time_high]),
        })
    }
}

/// What a servo is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One that goes to positions.
    Servo,
    /// One that turns, with a part of its speed (-1000 to 1000).
    Motor(i16),
}

impl Mode {
    /// A mode as a frame's parameters say it; `None` where it is none.
    pub fn parse(params: &[u8]) -> Option<Self> {
        match *params {
            [0, ..] if params.len() == 4 => Some(Self::Servo),
            [1, _, low, high] => Some(Self::Motor(i16::from_le_bytes([low, high]))),
            _ => None,
        }
    }

    /// As a frame's parameters say it.
    pub fn params(self) -> [u8; 4] {
        match self {
            Self::Servo => [0; 4],
            Self::Motor(speed) => {
                let [low, high] = speed.clamp(-1000, 1000).to_le_bytes();
                [1, 0, low, high]
            }
        }
    }
}

/// Two words, as limits are told.
pub fn words(params: &[u8]) -> Option<(u16, u16)> {
    let &[a, b, c, d] = params else { return None };
    Some((u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])))
}

/// A frame to be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    bytes: [u8; MAX_FRAME],
    len: usize,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Frame({:02x?})", self.as_bytes())
    }
}

impl Frame {
    /// A question to one servo; `None` where the command asks nothing.
    pub fn read(id: Id, command: Command) -> Option<Self> {
        command.reply_params()?;
        Self::build(id.raw(), command, &[])
    }

    /// What a servo answers; `None` where that is not how many parameters the answer has.
    pub fn reply(id: Id, command: Command, params: &[u8]) -> Option<Self> {
        (command.reply_params()? == params.len()).then(|| Self::build(id.raw(), command, params))?
    }

    /// An order; `None` where the command is a question or has another number of parameters.
    pub fn write(target: Target, command: Command, params: &[u8]) -> Option<Self> {
        let fits = command.reply_params().is_none() && command.params() == params.len();
        fits.then(|| Self::build(target.raw(), command, params))?
    }

    /// Go there, at once. A position or time that no servo takes is the nearest that it does.
    pub fn move_time(target: Target, to: Move) -> Self {
        Self::of(target, Command::MoveTime, to.params())
    }

    /// Go there, once [`Command::MoveStart`] says so.
    pub fn move_wait(target: Target, to: Move) -> Self {
        Self::of(target, Command::MoveWait, to.params())
    }

    /// Hold, or let go.
    pub fn load(target: Target, holds: bool) -> Self {
        Self::of(target, Command::LoadWrite, [u8::from(holds)])
    }

    /// All of it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn of<const N: usize>(target: Target, command: Command, params: [u8; N]) -> Self {
        const { assert!(N <= MAX_PARAMS, "longer than any frame") };
        // It fits: that was just checked.
        Self::build(target.raw(), command, &params).unwrap_or(Self { bytes: [0; MAX_FRAME], len: 0 })
    }

    fn build(id: u8, command: Command, params: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_FRAME];
        let len = OVERHEAD + params.len();
        bytes[..2].copy_from_slice(&HEADER);
        bytes[2] = id;
        bytes[3] = u8::try_from(params.len() + 3).ok()?;
        bytes[4] = command.code();
        bytes.get_mut(5..len - 1)?.copy_from_slice(params);
        bytes[len - 1] = checksum(&bytes[2..len - 1]);
        Some(Self { bytes, len })
    }
}

/// A good frame in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    bytes: &'a [u8],
    command: Command,
}

impl<'a> Packet<'a> {
    pub(super) fn from_checked(bytes: &'a [u8], command: Command) -> Self {
        Self { bytes, command }
    }

    /// Whose it is; 254 for everybody's.
    pub fn id(self) -> u8 {
        self.bytes[2]
    }

    /// Whether it is for every servo.
    pub fn is_broadcast(self) -> bool {
        self.id() == BROADCAST
    }

    /// What it says.
    pub fn command(self) -> Command {
        self.command
    }

    /// Its parameters; as many as the command has.
    pub fn params(self) -> &'a [u8] {
        &self.bytes[5..self.bytes.len() - 1]
    }

    /// All of it.
    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }
}

/// The last byte of a frame, of everything between header and checksum.
pub fn checksum(body: &[u8]) -> u8 {
    !body.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_those_of_the_vendor() {
        let id = Id::new(1).unwrap();
        let to = Move { position: 500, time_ms: 1000 };
        assert_eq!(
            Frame::move_time(id.into(), to).as_bytes(),
            [0x55, 0x55, 0x01, 0x07, 0x01, 0xF4, 0x01, 0xE8, 0x03, 0x16]
        );
        let read = |command| Frame::read(id, command).unwrap();
        assert_eq!(read(Command::VinRead).as_bytes(), [0x55, 0x55, 0x01, 0x03, 0x1B, 0xE0]);
        assert_eq!(read(Command::PosRead).as_bytes(), [0x55, 0x55, 0x01, 0x03, 0x1C, 0xDF]);
        let answer = Frame::reply(id, Command::PosRead, &500_i16.to_le_bytes()).unwrap();
        assert_eq!(answer.as_bytes(), [0x55, 0x55, 0x01, 0x05, 0x1C, 0xF4, 0x01, 0xE8]);
    }

    #[test]
    fn what_no_servo_takes_is_the_nearest_that_it_does() {
        let frame = Frame::move_time(Target::All, Move { position: -7, time_ms: u16::MAX });
        let moved = Move::parse(&frame.as_bytes()[5..9]).unwrap();
        assert_eq!((moved, frame.as_bytes()[2]), (Move { position: 0, time_ms: 30_000 }, 0xFE));
    }

    #[test]
    fn a_frame_that_makes_no_sense_is_not_built() {
        let id = Id::new(1).unwrap();
        assert_eq!(Frame::read(id, Command::MoveTime), None);
        assert_eq!(Frame::write(id.into(), Command::PosRead, &[]), None);
        assert_eq!(Frame::write(id.into(), Command::LoadWrite, &[1, 2]), None);
        assert_eq!(Frame::reply(id, Command::PosRead, &[1]), None);
        assert_eq!(Frame::reply(id, Command::LoadWrite, &[]), None);
    }

    #[test]
    fn modes_are_read_back() {
        for mode in [Mode::Servo, Mode::Motor(-1000), Mode::Motor(7)] {
            assert_eq!(Mode::parse(&mode.params()), Some(mode));
        }
        assert_eq!(Mode::parse(&[2, 0, 0, 0]), None);
    }
}
