//! Frames out of a stream of bytes, whatever else is in it.
//!
//! Fixed memory, no allocation. After each [`Decoder::push`], take frames until there are none; then
//! at least [`Decoder::ROOM`] more bytes fit. A frame with a wrong checksum costs one byte: what
//! looked like its inside is searched again, so that a good frame behind a false header is found.

use std::ops::Range;

use super::packet::{Id, MAX_FRAME, MAX_LEN, Packet, checksum};
use crate::protocol::held::Held;
use crate::protocol::wire::BROADCAST;
pub use crate::protocol::wire::{Counts, Direction};

const CAPACITY: usize = 2 * MAX_FRAME + 4;
const HEADER: [u8; 2] = [0xFF, 0xFF];

/// Finds frames in bytes that come in pieces of any size.
#[derive(Clone, Debug)]
pub struct Decoder {
    direction: Direction,
    held: Held<CAPACITY>,
}

/// What the bytes at the front of the buffer are.
enum Front {
    Frame { len: usize },
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
        let frame = self.find_frame()?;
        Some(self.packet(frame))
    }

    /// Where the next whole frame lies, which is taken out with that.
    pub(super) fn find_frame(&mut self) -> Option<Range<usize>> {
        loop {
            match self.front() {
                Front::Incomplete => return None,
                Front::Frame { len } => return Some(self.held.take_frame(len)),
                Front::BadChecksum => self.held.drop_bad(),
                Front::Noise => self.held.drop_noise(),
            }
        }
    }

    /// What was found by [`Self::find_frame`].
    pub(super) fn packet(&self, frame: Range<usize>) -> Packet<'_> {
        Packet::from_checked(self.held.at(frame))
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
    /// Frames that had already come behind it can be taken out afterwards. False where there was
    /// nothing to give up.
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
        if at(2).is_some_and(|id| !self.is_plausible_id(id))
            || at(3).is_some_and(|len| !(2..=MAX_LEN).contains(&usize::from(len)))
            || at(4).is_some_and(|code| !self.is_plausible_code(code))
        {
            return Front::Noise;
        }
        let Some(len) = at(3).map(|len| usize::from(len) + 4).filter(|len| *len <= bytes.len()) else {
            return Front::Incomplete;
        };
        let (body, stated) = (&bytes[2..len - 1], bytes[len - 1]);
        if checksum(body) == stated { Front::Frame { len } } else { Front::BadChecksum }
    }

    fn is_plausible_id(&self, id: u8) -> bool {
        let most = match self.direction {
            Direction::Requests => BROADCAST,
            Direction::Replies => Id::MAX,
        };
        id <= most
    }

    fn is_plausible_code(&self, code: u8) -> bool {
        self.direction == Direction::Requests || code <= 0x7F
    }
}

#[cfg(test)]
#[path = "decoder_tests.rs"]
mod tests;
