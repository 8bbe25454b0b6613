//! Packets out of a stream of bytes, whatever else is in it.
//!
//! Fixed memory, no allocation. After each [`Decoder::push`], take packets until there are none; then at least
//! [`Decoder::ROOM`] more bytes fit. A packet with a wrong checksum costs one byte: what looked like its inside is
//! searched again, so that a good packet behind a false header is found. Checksums are checked first; stuffing is taken
//! out of good packets only.

use std::ops::Range;

use super::crc;
use super::joint::{self, FIRST_PART, PART_OVERHEAD};
use super::packet::{
    BODY, CRC_LEN, HEADER, Instruction, MAX_ID, MAX_PACKET, Packet, has_right_crc, stated_len,
};
use super::status::Status;
use crate::protocol::held::Held;
pub use crate::protocol::wire::Direction;
use crate::protocol::wire::{Answers, BROADCAST, Counts};

const CAPACITY: usize = 2 * MAX_PACKET;

/// Finds packets in bytes that come in pieces of any size.
#[derive(Clone, Debug)]
pub struct Decoder {
    direction: Direction,
    answers: Answers,
    held: Held<CAPACITY>,
    unstuffed: [u8; MAX_PACKET],
    /// How far the joint answer at the front has been handed out, and the checksum of that; 0 for not at all.
    handed: usize,
    handed_crc: u16,
}

/// What the bytes at the front of the buffer are.
enum Front {
    Packet { len: usize },
    Part { from: usize, to: usize, len: usize },
    Incomplete,
    Noise,
    BadChecksum,
}

impl Decoder {
    /// How many bytes one push takes for certain, once all packets are taken out.
    pub const ROOM: usize = CAPACITY - MAX_PACKET;

    /// An empty decoder.
    pub fn new(direction: Direction) -> Self {
        Self {
            direction,
            answers: Answers::Single,
            held: Held::new(),
            unstuffed: [0; MAX_PACKET],
            handed: 0,
            handed_crc: 0,
        }
    }

    /// What form the answers have from now on; the bytes held are forgotten.
    pub fn expect(&mut self, answers: Answers) {
        self.clear();
        self.answers = answers;
    }

    /// Takes in as many of `bytes` as fit and says how many those were.
    #[must_use = "bytes that did not fit are the caller's"]
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        self.held.push(bytes)
    }

    /// The next whole packet, if there is one yet. Not for joint answers: their parts are lost.
    pub fn next_packet(&mut self) -> Option<Packet<'_>> {
        loop {
            match self.advance()? {
                Found::Packet(place) => {
                    return Some(Packet::from_checked(self.held.at(place), &mut self.unstuffed));
                }
                Found::Part(_) => {}
            }
        }
    }

    /// The next answer of a servo, if there is one yet: a packet of its own, or its part of a joint one.
    pub fn next_status(&mut self) -> Option<Status<'_>> {
        self.next_status_and_behind().map(|(status, _)| status)
    }

    /// As [`Self::next_status`], with how many bytes are held that came behind it.
    pub(super) fn next_status_and_behind(&mut self) -> Option<(Status<'_>, usize)> {
        loop {
            let found = self.advance()?;
            // Looked at before it is handed out, because what is handed out keeps the decoder borrowed.
            if !self.is_status(&found) {
                continue;
            }
            let behind = self.pending();
            let status = match found {
                Found::Part(place) => joint::status(self.held.at(place)),
                Found::Packet(place) => {
                    Packet::from_checked(self.held.at(place), &mut self.unstuffed).status()
                }
            };
            return status.map(|status| (status, behind));
        }
    }

    fn is_status(&self, found: &Found) -> bool {
        match found {
            Found::Part(place) => self.held.at(place.clone())[1] <= MAX_ID,
            Found::Packet(place) => {
                let packet = self.held.at(place.clone());
                packet[4] <= MAX_ID && packet[BODY] == Instruction::Status as u8
            }
        }
    }

    /// Pushes all of `bytes`, however many, and hands over each packet as it completes.
    pub fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Packet<'_>)) {
        while !bytes.is_empty() {
            let taken = self.push(bytes);
            bytes = &bytes[taken..];
            while let Some(packet) = self.next_packet() {
                each(packet);
            }
        }
    }

    /// Stops waiting for the rest of the packet at the front, whose header may have been noise.
    ///
    /// Packets that had already come behind it can be taken out afterwards. False where there was nothing to give up.
    pub fn give_up(&mut self) -> bool {
        let had_any = 0 < self.held.len();
        if had_any {
            self.drop_one();
        }
        had_any
    }

    /// Forgets the bytes held; they do not count as noise.
    pub fn clear(&mut self) {
        self.held.drop_known(self.held.len());
        self.handed = 0;
    }

    /// The bytes held that are no whole packet yet, or were not handed out yet.
    pub fn pending(&self) -> usize {
        self.held.len() - self.handed
    }

    /// What came by so far.
    pub fn counts(&self) -> Counts {
        self.held.counts
    }

    fn advance(&mut self) -> Option<Found> {
        loop {
            match self.front() {
                Front::Incomplete => return None,
                Front::Packet { len } => return Some(Found::Packet(self.held.take_frame(len))),
                Front::Part { from, to, len } => return Some(self.hand_out(from, to, len)),
                Front::BadChecksum => {
                    self.held.counts.bad_checksums += 1;
                    self.drop_one();
                }
                Front::Noise => self.drop_one(),
            }
        }
    }

    fn hand_out(&mut self, from: usize, to: usize, len: usize) -> Found {
        let part = self.held.place(from..to);
        self.handed_crc = crc::continued(self.handed_crc, &self.held.bytes()[self.handed..to]);
        self.handed = to;
        if to == len {
            self.held.take_frame(len);
            self.handed = 0;
        }
        if self.handed == 0 {
            self.handed_crc = 0;
        }
        Found::Part(part)
    }

    fn drop_one(&mut self) {
        // What was handed out of a joint answer whose end never came is no noise.
        match self.handed {
            0 => self.held.drop_noise(),
            handed => self.held.drop_known(handed),
        }
        (self.handed, self.handed_crc) = (0, 0);
    }

    fn front(&self) -> Front {
        let bytes = self.held.bytes();
        let seen_of_header = bytes.len().min(HEADER.len());
        if bytes[..seen_of_header] != HEADER[..seen_of_header] {
            return Front::Noise;
        }
        let at = |index: usize| bytes.get(index).copied();
        if at(4).is_some_and(|id| !self.is_plausible_id(id))
            || at(BODY).is_some_and(|code| !self.is_plausible_code(code))
        {
            return Front::Noise;
        }
        if bytes.len() < BODY {
            return Front::Incomplete;
        }
        let Some(len) = stated_len(bytes).filter(|len| (self.least_len()..=MAX_PACKET).contains(len)) else {
            return Front::Noise;
        };
        match self.answers {
            Answers::Joint { len: data } if at(4) == Some(BROADCAST) => self.joint(bytes, len, data),
            _ if bytes.len() < len => Front::Incomplete,
            _ if has_right_crc(&bytes[..len]) => Front::Packet { len },
            _ => Front::BadChecksum,
        }
    }

    /// The next part of the joint answer at the front.
    fn joint(&self, bytes: &[u8], len: usize, data: usize) -> Front {
        let part = PART_OVERHEAD + data;
        if !(len - FIRST_PART).is_multiple_of(part) || len == FIRST_PART {
            return Front::Noise;
        }
        let from = self.handed.max(FIRST_PART);
        let to = from + part;
        if bytes.len() < to {
            return Front::Incomplete;
        }
        let computed = crc::continued(self.handed_crc, &bytes[self.handed..to - CRC_LEN]);
        let stated = u16::from_le_bytes([bytes[to - 2], bytes[to - 1]]);
        if computed == stated { Front::Part { from, to, len } } else { Front::BadChecksum }
    }

    /// The bytes of the shortest packet that there can be.
    fn least_len(&self) -> usize {
        let error_byte = usize::from(self.direction == Direction::Replies);
        BODY + 1 + error_byte + CRC_LEN
    }

    fn is_plausible_id(&self, id: u8) -> bool {
        let is_joint = matches!(self.answers, Answers::Joint { .. });
        id <= MAX_ID || (id == BROADCAST && (self.direction == Direction::Requests || is_joint))
    }

    fn is_plausible_code(&self, code: u8) -> bool {
        (code == Instruction::Status as u8) == (self.direction == Direction::Replies)
    }
}

/// Where in the buffer something good lies.
enum Found {
    Packet(Range<usize>),
    Part(Range<usize>),
}

#[cfg(test)]
#[path = "decoder_tests.rs"]
mod tests;
