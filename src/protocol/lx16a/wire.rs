//! LX-16A servos seen as register servos, whose registers are the commands that ask for something.
//!
//! The "address" of a read is its command's code. An answer's data begins with that code, as answers to other commands
//! are as long; whoever asks compares it.

use super::command::Command;
use super::decoder::{Decoder, Direction};
use super::frame::{Frame, MAX_FRAME, OVERHEAD, Target};
use crate::protocol::wire::{Answers, ByteOrder, Counts, FrameError, Id, Raised, Reply, ReplyDecoder, Wire};

/// How LX-16A servos speak.
#[derive(Debug)]
pub struct Lx16a;

/// So many servos can be told at once: one frame for each.
const MOST_AT_ONCE: usize = 16;

/// Frames for several servos, one after the other.
#[derive(Clone, Copy)]
pub struct Frames {
    bytes: [u8; MOST_AT_ONCE * MAX_FRAME],
    len: usize,
}

impl std::fmt::Debug for Frames {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Frames({:02x?})", self.as_ref())
    }
}

impl Default for Frames {
    fn default() -> Self {
        Self { bytes: [0; MOST_AT_ONCE * MAX_FRAME], len: 0 }
    }
}

impl AsRef<[u8]> for Frames {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl From<Frame> for Frames {
    fn from(frame: Frame) -> Self {
        let mut frames = Self::default();
        // One fits.
        let _fits = frames.push(frame);
        frames
    }
}

impl Frames {
    fn push(&mut self, frame: Frame) -> Result<(), FrameError> {
        let bytes = frame.as_bytes();
        let most = self.bytes.len();
        let actual = self.len + bytes.len();
        let room = self.bytes.get_mut(self.len..actual).ok_or(FrameError::TooLong { actual, most })?;
        room.copy_from_slice(bytes);
        self.len = actual;
        Ok(())
    }
}

impl Wire for Lx16a {
    const NAME: &'static str = "lx16a";
    const BYTE_ORDER: ByteOrder = ByteOrder::Little;
    const MAX_ID: u8 = Id::MAX;
    const PING_DATA: usize = 2;
    const HAS_SYNC_READ: bool = false;
    const HAS_FAST_SYNC_READ: bool = false;

    type Frame = Frames;
    type Decoder = Replies;

    fn decoder() -> Replies {
        Replies(Decoder::new(Direction::Replies))
    }

    fn ping(id: Id) -> Result<Frames, FrameError> {
        Self::read(id, Command::IdRead.code().into(), 2)
    }

    fn read(id: Id, address: u16, len: u16) -> Result<Frames, FrameError> {
        let unknown = FrameError::Unknown { family: Self::NAME, instruction: "such question" };
        let command = command_at(address)?;
        let answers = command.reply_params().is_some_and(|params| params + 1 == usize::from(len));
        if !answers {
            return Err(unknown);
        }
        Frame::read(id, command).map(Frames::from).ok_or(unknown)
    }

    fn write(id: Id, address: u16, data: &[u8]) -> Result<Frames, FrameError> {
        let unknown = FrameError::Unknown { family: Self::NAME, instruction: "such order" };
        Frame::write(Target::One(id), command_at(address)?, data).map(Frames::from).ok_or(unknown)
    }

    fn sync_read(_address: u16, _len: u16, _ids: &[Id]) -> Result<Frames, FrameError> {
        Err(FrameError::Unknown { family: Self::NAME, instruction: "sync read" })
    }

    fn sync_write<D: AsRef<[u8]>>(
        address: u16,
        len: u16,
        servos: impl IntoIterator<Item = (Id, D)>,
    ) -> Result<Frames, FrameError> {
        let mut frames = Frames::default();
        for (id, data) in servos {
            let actual = data.as_ref().len();
            if actual != usize::from(len) {
                return Err(FrameError::DataLength { id, expected: len, actual });
            }
            let unknown = FrameError::Unknown { family: Self::NAME, instruction: "such order" };
            frames
                .push(Frame::write(Target::One(id), command_at(address)?, data.as_ref()).ok_or(unknown)?)?;
        }
        if frames.len == 0 { Err(FrameError::Empty) } else { Ok(frames) }
    }

    fn reboot(_id: Id) -> Result<Frames, FrameError> {
        Err(FrameError::Unknown { family: Self::NAME, instruction: "reboot" })
    }

    fn answer_len(data: usize) -> usize {
        // The command's code is both of the frame and of the data.
        (OVERHEAD - 1) + data
    }
}

fn command_at(address: u16) -> Result<Command, FrameError> {
    let code = u8::try_from(address).ok();
    code.and_then(Command::from_code)
        .ok_or(FrameError::Unknown { family: Lx16a::NAME, instruction: "such command" })
}

/// Finds answers.
#[derive(Clone, Debug)]
pub struct Replies(Decoder);

impl ReplyDecoder for Replies {
    fn begin(&mut self, _answers: Answers) {
        self.0.clear();
    }

    fn push(&mut self, bytes: &[u8]) -> usize {
        self.0.push(bytes)
    }

    fn next_reply(&mut self) -> Option<Reply<'_>> {
        let behind = self.0.pending_behind()?;
        let packet = self.0.next_frame()?;
        let bytes = packet.as_bytes();
        let id = Id::new(packet.id()).ok()?;
        Some(Reply {
            id,
            raised: Raised::Alert(false),
            refusal: None,
            data: &bytes[4..bytes.len() - 1],
            behind,
        })
    }

    fn give_up(&mut self) -> bool {
        self.0.give_up()
    }

    fn counts(&self) -> Counts {
        self.0.counts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_s_data_begins_with_its_command() {
        let mut replies = Lx16a::decoder();
        let bytes = [0x55, 0x55, 0x01, 0x05, 0x1C, 0xF4, 0x01, 0xE8, 0x55, 0x55];
        assert_eq!(replies.push(&bytes), bytes.len());
        let reply = replies.next_reply().unwrap();
        assert_eq!((reply.id.raw(), reply.data, reply.behind), (1, &[0x1C, 0xF4, 0x01][..], 2));
        assert_eq!(Lx16a::answer_len(3), 8);
    }

    #[test]
    fn moves_of_several_servos_are_a_frame_each() {
        let ids = [1, 2].map(|id| Id::new(id).unwrap());
        let moves = ids.map(|id| (id, [0xF4, 0x01, 0xE8, 0x03]));
        let frames = Lx16a::sync_write(1, 4, moves).unwrap();
        assert_eq!(frames.as_ref()[..10], [0x55, 0x55, 0x01, 0x07, 0x01, 0xF4, 0x01, 0xE8, 0x03, 0x16]);
        assert_eq!(frames.as_ref()[12], 2);
        assert_eq!(frames.as_ref().len(), 20);
    }

    #[test]
    fn what_the_servos_do_not_know_is_an_error() {
        let id = Id::new(1).unwrap();
        assert!(Lx16a::read(id, 28, 2).is_err(), "the code is part of the answer");
        assert!(Lx16a::read(id, 28, 3).is_ok());
        assert!(Lx16a::read(id, 999, 3).is_err() && Lx16a::read(id, 1, 1).is_err());
        assert!(Lx16a::write(id, 28, &[]).is_err());
        assert!(Lx16a::sync_write(1, 4, (0..17).map(|_| (id, [0; 4]))).is_err());
        assert!(Lx16a::sync_write(1, 4, std::iter::empty::<(Id, [u8; 4])>()).is_err());
        assert!(Lx16a::ping(id).is_ok());
    }
}
