//! The bytes that a decoder holds until they are whole frames, in fixed memory.
//!
//! Knows no family: what the bytes at the front are is its decoder's business.

use std::ops::Range;

use super::wire::Counts;

/// Up to `CAPACITY` bytes, the oldest at the front.
#[derive(Clone, Debug)]
pub(super) struct Held<const CAPACITY: usize> {
    buffer: [u8; CAPACITY],
    start: usize,
    end: usize,
    pub(super) counts: Counts,
}

impl<const CAPACITY: usize> Held<CAPACITY> {
    pub(super) fn new() -> Self {
        Self { buffer: [0; CAPACITY], start: 0, end: 0, counts: Counts::default() }
    }

    /// Takes in as many of `bytes` as fit and says how many those were.
    pub(super) fn push(&mut self, bytes: &[u8]) -> usize {
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

    /// All of them.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Where a part of them lies; good until the next push.
    pub(super) fn place(&self, part: Range<usize>) -> Range<usize> {
        self.start + part.start..self.start + part.end
    }

    /// What lies at a place.
    pub(super) fn at(&self, place: Range<usize>) -> &[u8] {
        &self.buffer[place]
    }

    /// Takes a frame of `len` bytes out of the front; gives its place.
    pub(super) fn take_frame(&mut self, len: usize) -> Range<usize> {
        let place = self.place(0..len);
        self.start += len;
        self.counts.frames += 1;
        place
    }

    /// Drops the first byte, which belongs to no frame.
    pub(super) fn drop_noise(&mut self) {
        self.start += 1;
        self.counts.noise_bytes += 1;
    }

    /// Drops bytes that do not count as noise.
    pub(super) fn drop_known(&mut self, count: usize) {
        self.start += count;
    }

    /// Drops the first byte of what looked like a frame but for its checksum.
    pub(super) fn drop_bad(&mut self) {
        self.counts.bad_checksums += 1;
        self.drop_noise();
    }
}
