//! The one answer of several servos to a fast read: each adds its part and the checksum of everything so far.
//!
//! Nothing is stuffed in it, as far as is known: neither the maker's library nor others take anything out. What a servo
//! behind a silent one would say is never said.

use super::crc;
use super::packet::{BODY, BROADCAST, CRC_LEN, HEADER, Instruction, MAX_PACKET, servo_id};
use super::status::{ErrorCode, Status, error_byte};
use crate::protocol::wire::Id;

/// Where the first part begins.
pub(super) const FIRST_PART: usize = BODY + 1;
/// The bytes of a part that are not data.
pub(super) const PART_OVERHEAD: usize = 2 + CRC_LEN;

/// The bytes of the whole packet, with `len` bytes of data of each of so many servos.
pub fn packet_len(servos: usize, len: usize) -> usize {
    FIRST_PART + servos * (PART_OVERHEAD + len)
}

/// A joint answer as it grows.
#[derive(Clone, Debug)]
pub struct JointAnswer {
    crc: u16,
    header: [u8; FIRST_PART],
}

impl JointAnswer {
    /// The answer of servos with so many bytes of data each; `None` where it would be too long.
    pub fn begin(lens: &[usize]) -> Option<Self> {
        let body: usize = lens.iter().map(|len| PART_OVERHEAD + len).sum();
        let stated = u16::try_from(1 + body).ok().filter(|_| FIRST_PART + body <= MAX_PACKET)?;
        let mut header = [0; FIRST_PART];
        header[..4].copy_from_slice(&HEADER);
        header[4] = BROADCAST;
        header[5..BODY].copy_from_slice(&stated.to_le_bytes());
        header[BODY] = Instruction::Status as u8;
        Some(Self { crc: crc::of(&header), header })
    }

    /// What comes before the first part.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// The next servo's part.
    pub fn part(&mut self, id: Id, alert: bool, error: Option<ErrorCode>, data: &[u8]) -> Vec<u8> {
        let mut part = vec![error_byte(alert, error), id.raw()];
        part.extend(data);
        self.crc = crc::continued(self.crc, &part);
        let stated = self.crc.to_le_bytes();
        part.extend(stated);
        self.crc = crc::continued(self.crc, &stated);
        part
    }
}

/// The answer in one part, whose checksum has been checked.
pub(super) fn status(part: &[u8]) -> Option<Status<'_>> {
    let (without_crc, _) = part.split_last_chunk::<CRC_LEN>()?;
    let [error, id, data @ ..] = without_crc else { return None };
    Some(Status::new(servo_id(*id)?, *error, data))
}

/// The answers in a whole joint answer, of servos with so many bytes of data each, up to the first that is damaged.
pub fn split<'a>(bytes: &'a [u8], lens: impl Iterator<Item = usize>) -> impl Iterator<Item = Status<'a>> {
    let mut at = FIRST_PART;
    lens.map_while(move |len| {
        let end = at + PART_OVERHEAD + len;
        let part = bytes.get(at..end)?;
        let stated = u16::from_le_bytes([bytes[end - 2], bytes[end - 1]]);
        at = end;
        if crc::of(&bytes[..end - CRC_LEN]) == stated { status(part) } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: [u8; 32] = [
        0xFF, 0xFF, 0xFD, 0x00, 0xFE, 0x19, 0x00, 0x55, 0x00, 0x03, 0xA6, 0x00, 0x00, 0x00, 0x84, 0x08, 0x00,
        0x07, 0x1F, 0x08, 0x00, 0x00, 0x16, 0xCA, 0x00, 0x04, 0xFF, 0x03, 0x00, 0x00, 0xD1, 0x9E,
    ];

    #[test]
    fn the_answer_of_the_manual_is_split() {
        let told: Vec<_> =
            split(&ANSWER, [4; 3].into_iter()).map(|s| (s.id.raw(), s.data.to_vec())).collect();
        let expected = [(3, vec![0xA6, 0, 0, 0]), (7, vec![0x1F, 8, 0, 0]), (4, vec![0xFF, 3, 0, 0])];
        assert_eq!(told, expected);
    }

    #[test]
    fn it_is_built_byte_for_byte() {
        let mut answer = JointAnswer::begin(&[4; 3]).unwrap();
        let mut bytes = answer.header().to_vec();
        for (id, data) in [(3, [0xA6, 0, 0, 0]), (7, [0x1F, 8, 0, 0]), (4, [0xFF, 3, 0, 0])] {
            bytes.extend(answer.part(Id::new(id).unwrap(), false, None, &data));
        }
        assert_eq!(bytes, ANSWER);
        assert_eq!(packet_len(3, 4), ANSWER.len());
    }

    #[test]
    fn parts_before_the_damage_are_good() {
        let mut bytes = ANSWER;
        bytes[18] ^= 1;
        assert_eq!(split(&bytes, [4; 3].into_iter()).map(|s| s.id.raw()).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn an_answer_that_no_packet_holds_is_not_begun() {
        assert!(JointAnswer::begin(&[600, 600]).is_none());
    }
}
