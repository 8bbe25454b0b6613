//! Feetech's two families as register servos: STS and SMS, and the older SCS.
//!
//! Their frames are the same. SCS servos lay words the other way round and know no sync read.

use super::decoder::{Decoder, Direction};
use super::packet::{Frame, MAX_PARAMS, OVERHEAD};
use crate::protocol::wire::{Answers, ByteOrder, Counts, FrameError, Id, Raised, Reply, ReplyDecoder, Wire};

/// Feetech STS and SMS.
#[derive(Clone, Copy, Debug)]
pub enum FeetechSts {}

/// Feetech SCS.
#[derive(Clone, Copy, Debug)]
pub enum FeetechScs {}

impl ReplyDecoder for Decoder {
    fn begin(&mut self, _every_servo_answers_by_itself: Answers) {
        self.clear();
    }

    fn push(&mut self, bytes: &[u8]) -> usize {
        Decoder::push(self, bytes)
    }

    fn next_reply(&mut self) -> Option<Reply<'_>> {
        let frame = self.find_frame()?;
        let behind = self.pending();
        let status = self.packet(frame).status()?;
        let raised = Raised::Bits(status.alarms.bits());
        Some(Reply { id: status.id, raised, refusal: None, data: status.params, behind })
    }

    fn give_up(&mut self) -> bool {
        Decoder::give_up(self)
    }

    fn counts(&self) -> Counts {
        Decoder::counts(self)
    }
}

impl Wire for FeetechSts {
    const NAME: &'static str = "feetech_sts";
    const BYTE_ORDER: ByteOrder = ByteOrder::Little;
    const MAX_ID: u8 = Id::MAX;
    const PING_DATA: usize = 0;
    const HAS_SYNC_READ: bool = true;
    const HAS_FAST_SYNC_READ: bool = false;

    type Frame = Frame;
    type Decoder = Decoder;

    fn decoder() -> Decoder {
        Decoder::new(Direction::Replies)
    }

    fn ping(id: Id) -> Result<Frame, FrameError> {
        Ok(Frame::ping(id))
    }

    fn read(id: Id, address: u16, len: u16) -> Result<Frame, FrameError> {
        Frame::read(id, byte_address(address)?, byte_len(len)?)
    }

    fn write(id: Id, address: u16, data: &[u8]) -> Result<Frame, FrameError> {
        Frame::write(id, byte_address(address)?, data)
    }

    fn sync_read(address: u16, len: u16, ids: &[Id]) -> Result<Frame, FrameError> {
        Frame::sync_read(byte_address(address)?, byte_len(len)?, ids)
    }

    fn sync_write<D: AsRef<[u8]>>(
        address: u16,
        len: u16,
        servos: impl IntoIterator<Item = (Id, D)>,
    ) -> Result<Frame, FrameError> {
        Frame::sync_write(byte_address(address)?, byte_len(len)?, servos)
    }

    fn reboot(id: Id) -> Result<Frame, FrameError> {
        Ok(Frame::reboot(id))
    }

    fn answer_len(data: usize) -> usize {
        OVERHEAD + data
    }
}

impl Wire for FeetechScs {
    const NAME: &'static str = "feetech_scs";
    const BYTE_ORDER: ByteOrder = ByteOrder::Big;
    const MAX_ID: u8 = Id::MAX;
    const PING_DATA: usize = 0;
    const HAS_SYNC_READ: bool = false;
    const HAS_FAST_SYNC_READ: bool = false;

    type Frame = Frame;
    type Decoder = Decoder;

    fn decoder() -> Decoder {
        FeetechSts::decoder()
    }

    fn ping(id: Id) -> Result<Frame, FrameError> {
        FeetechSts::ping(id)
    }

    fn read(id: Id, address: u16, len: u16) -> Result<Frame, FrameError> {
        FeetechSts::read(id, address, len)
    }

    fn write(id: Id, address: u16, data: &[u8]) -> Result<Frame, FrameError> {
        FeetechSts::write(id, address, data)
    }

    fn sync_read(_address: u16, _len: u16, _ids: &[Id]) -> Result<Frame, FrameError> {
        Err(FrameError::Unknown { family: Self::NAME, instruction: "sync read" })
    }

    fn sync_write<D: AsRef<[u8]>>(
        address: u16,
        len: u16,
        servos: impl IntoIterator<Item = (Id, D)>,
    ) -> Result<Frame, FrameError> {
        FeetechSts::sync_write(address, len, servos)
    }

    fn reboot(id: Id) -> Result<Frame, FrameError> {
        FeetechSts::reboot(id)
    }

    fn answer_len(data: usize) -> usize {
        FeetechSts::answer_len(data)
    }
}

fn byte_address(address: u16) -> Result<u8, FrameError> {
    u8::try_from(address).map_err(|_more| FrameError::Address { most: u8::MAX.into(), address })
}

fn byte_len(len: u16) -> Result<u8, FrameError> {
    u8::try_from(len).map_err(|_more| FrameError::Answer { asked: len, most: MAX_PARAMS })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_send_what_the_vendors_library_sends() {
        let id = Id::new(1).unwrap();
        let read = FeetechSts::read(id, 56, 2).unwrap();
        assert_eq!(read.as_bytes(), [0xFF, 0xFF, 0x01, 0x04, 0x02, 0x38, 0x02, 0xBE]);
        assert_eq!(FeetechScs::read(id, 56, 2).unwrap(), read);
        let on = FeetechScs::write(id, 40, &[1]).unwrap();
        assert_eq!(on.as_bytes(), [0xFF, 0xFF, 0x01, 0x04, 0x03, 0x28, 0x01, 0xCE]);
    }

    #[test]
    fn what_a_family_cannot_say_is_an_error() {
        let id = Id::new(1).unwrap();
        let refused = FeetechSts::read(id, 256, 2).unwrap_err();
        assert_eq!(refused.to_string(), "register addresses are at most 255, not 256");
        assert_eq!(
            FeetechSts::read(id, 0, 300).unwrap_err().to_string(),
            "an answer carries at most 248 register bytes, not 300"
        );
        let refused = FeetechScs::sync_read(56, 2, &[id]).unwrap_err();
        assert_eq!(refused.to_string(), "feetech_scs servos know no sync read");
        assert!(FeetechSts::fast_sync_read(56, 2, &[id]).is_err());
    }

    #[test]
    fn an_answer_says_how_much_lies_behind_it() {
        let mut decoder = FeetechSts::decoder();
        let position = [0xFF, 0xFF, 1, 4, 0x20, 0, 8, 0xD2];
        let bytes = [&[0x00], &position[..], &position[..3]].concat();
        assert_eq!(ReplyDecoder::push(&mut decoder, &bytes), bytes.len());
        let reply = decoder.next_reply().unwrap();
        assert_eq!((reply.id.raw(), reply.data, reply.behind), (1, &[0, 8][..], 3));
        assert_eq!(reply.raised, Raised::Bits(0x20));
        assert_eq!(decoder.next_reply(), None);
    }
}
