//! Frames out of a stream of bytes, whatever else is in it.
//!
//! Fixed memory, no allocation. After each [`Decoder::push`], take frames until there are none; then at least
//! [`Decoder::ROOM`] more bytes fit. A frame has the length that its command has, or it is none; one with a wrong
//! checksum costs one byte, and what looked like its inside is searched again.

use super::command::Command;
use super::frame::{HEADER, MAX_FRAME, OVERHEAD, Packet, checksum};
use crate::protocol::held::Held;
use crate::protocol::wire::{BROADCAST, Id, ROOM};

pub use crate::protocol::wire::{Counts, Direction};

const CAPACITY: usize = ROOM + MAX_FRAME;

/// Finds frames in bytes that come in pieces of any size.
#[derive(Clone, Debug)]
pub struct Decoder {
    direction: Direction,
    held: Held<CAPACITY>,
}

/// What the bytes at the front of the buffer are.
enum Front {
    Frame { len: usize, command: Command },
    Incomplete,
    Noise,
    BadChecksum,
}

impl Decoder {
    /// How many bytes one push takes for certain, once all frames are taken out.
    pub const ROOM: usize = CAPACITY - MAX_FRAME;

    /// An empty decoder.
    pub fn new(direction: Direction) -> Self {
        Self { direction, held: Held::new() }
    }

    /// Takes in as many of `bytes` as fit and says how many those were.
    #[must_use = "bytes that did not fit are the caller's"]
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        self.held.push(bytes)
    }

    /// The next whole frame, if there is one yet.
    pub fn next_frame(&mut self) -> Option<Packet<'_>> {
        loop {
            match self.front() {
                Front::Incomplete => return None,
                Front::Frame { len, command } => {
                    let frame = self.held.take_frame(len);
                    return Some(Packet::from_checked(self.held.at(frame), command));
                }
                Front::BadChecksum => self.held.drop_bad(),
                Front::Noise => self.held.drop_noise(),
            }
        }
    }

    /// Pushes all of `bytes`, however many, and hands over each frame as it completes.
    pub fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Packet<'_>)) {
        while !bytes.is_empty() {
            let taken = self.push(bytes);
            bytes = &bytes[taken..];
            while let Some(packet) = self.next_frame() {
                each(packet);
            }
        }
    }

    /// Stops waiting for the rest of the frame at the front, whose header may have been noise.
    ///
    /// Frames that had already come behind it can be taken out afterwards. False where there was nothing to give up.
    pub fn give_up(&mut self) -> bool {
        let had_any = 0 < self.held.len();
        if had_any {
            self.held.drop_noise();
        }
        had_any
    }

    /// Forgets the bytes held; they do not count as noise.
    pub fn clear(&mut self) {
        self.held.drop_known(self.held.len());
    }

    /// The bytes held that are no whole frame yet.
    pub fn pending(&self) -> usize {
        self.held.len()
    }

    /// The bytes behind the frame that comes out next; `None` where there is none yet.
    pub fn pending_behind(&mut self) -> Option<usize> {
        loop {
            match self.front() {
                Front::Incomplete => return None,
                Front::Frame { len, .. } => return Some(self.pending() - len),
                Front::BadChecksum => self.held.drop_bad(),
                Front::Noise => self.held.drop_noise(),
            }
        }
    }

    /// What came by so far.
    pub fn counts(&self) -> Counts {
        self.held.counts
    }

    fn front(&self) -> Front {
        let bytes = self.held.bytes();
        let seen_of_header = bytes.len().min(HEADER.len());
        if bytes[..seen_of_header] != HEADER[..seen_of_header] {
            return Front::Noise;
        }
        let at = |index: usize| bytes.get(index).copied();
        let most = if self.direction == Direction::Requests { BROADCAST } else { Id::MAX };
        if at(2).is_some_and(|id| most < id) || at(3).is_some_and(|len| !(3..=7).contains(&len)) {
            return Front::Noise;
        }
        let (Some(stated), Some(code)) = (at(3), at(4)) else { return Front::Incomplete };
        let Some(command) = Command::from_code(code) else { return Front::Noise };
        let params = match self.direction {
            Direction::Requests => Some(command.params()),
            Direction::Replies => command.reply_params(),
        };
        let len = usize::from(stated) + 3;
        if params.is_none_or(|params| params + OVERHEAD != len) {
            return Front::Noise;
        }
        if bytes.len() < len {
            return Front::Incomplete;
        }
        match checksum(&bytes[2..len - 1]) == bytes[len - 1] {
            true => Front::Frame { len, command },
            false => Front::BadChecksum,
        }
    }
}

#[cfg(test)]
#[path = "decoder_tests.rs"]
mod tests;
