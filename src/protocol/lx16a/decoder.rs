//! Frames out of a stream of bytes, whatever else is in it.
//!
//! Fixed memory, no allocation. After each [`Decoder::push`], take frames until there are none; then at least
//! [`Decoder::ROOM`] more bytes fit. A frame has the length that its command has, or it is none; one with a wrong
//! checksum costs one byte, and what looked like its inside is searched again.

use super::command::Command;
use super::frame::{BROADCAST, HEADER, MAX_FRAME, OVERHEAD, Packet, checksum};
use crate::protocol::wire::{Id, ROOM};

pub use crate::protocol::feetech::Direction;
pub use crate::protocol::wire::Counts;

const CAPACITY: usize = ROOM + MAX_FRAME;

/// Finds frames in bytes that come in pieces of any size.
#[derive(Clone, Debug)]
pub struct Decoder {
    direction: Direction,
    buffer: [u8; CAPACITY],
    start: usize,
    end: usize,
    counts: Counts,
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
        Self { direction, buffer: [0; CAPACITY], start: 0, end: 0, counts: Counts::default() }
    }

    /// Takes in as many of `bytes` as fit and says how many those were.
    #[must_use = "bytes that did not fit are the caller's"]
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        if CAPACITY - self.end < bytes.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let taken = bytes.len().min(CAPACITY - self.end);
        self.buffer[self.end..self.end + taken].copy_from_slice(&bytes[..taken]);
        self.end += taken;
        taken
    }

    /// The next whole frame, if there is one yet.
    pub fn next_frame(&mut self) -> Option<Packet<'_>> {
        loop {
            match self.front() {
                Front::Incomplete => return None,
                Front::Frame { len, command } => {
                    let from = self.start;
                    self.start += len;
                    self.counts.frames += 1;
                    return Some(Packet::from_checked(&self.buffer[from..from + len], command));
                }
                Front::BadChecksum => {
                    self.counts.bad_checksums += 1;
                    self.drop_one();
                }
                Front::Noise => self.drop_one(),
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
        let had_any = self.start < self.end;
        if had_any {
            self.drop_one();
        }
        had_any
    }

    /// Forgets the bytes held; they do not count as noise.
    pub fn clear(&mut self) {
        self.start = self.end;
    }

    /// The bytes held that are no whole frame yet.
    pub fn pending(&self) -> usize {
        self.end - self.start
    }

    /// The bytes behind the frame that comes out next; `None` where there is none yet.
    pub fn pending_behind(&mut self) -> Option<usize> {
        loop {
            match self.front() {
                Front::Incomplete => return None,
                Front::Frame { len, .. } => return Some(self.pending() - len),
                Front::BadChecksum => {
                    self.counts.bad_checksums += 1;
                    self.drop_one();
                }
                Front::Noise => self.drop_one(),
            }
        }
    }

    /// What came by so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn drop_one(&mut self) {
        self.start += 1;
        self.counts.noise_bytes += 1;
    }

    fn front(&self) -> Front {
        let bytes = &self.buffer[self.start..self.end];
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
