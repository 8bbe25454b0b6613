//! Dynamixel Protocol 2.0 as one of the families of register servos.

use super::decoder::{Decoder, Direction};
use super::joint;
use super::packet::{Frame, MAX_ID, STATUS_OVERHEAD};
use super::status::Status;
use crate::protocol::wire::{
    Answers, ByteOrder, Counts, FrameError, Id, Raised, Refusal, Reply, ReplyDecoder, Wire,
};

/// Dynamixel servos of the X series and others that speak Protocol 2.0.
#[derive(Clone, Copy, Debug)]
pub enum Dynamixel2 {}

impl Wire for Dynamixel2 {
    const NAME: &'static str = "dynamixel2";
    const BYTE_ORDER: ByteOrder = ByteOrder::Little;
    const MAX_ID: u8 = MAX_ID;
    const PING_DATA: usize = 3;
    const HAS_SYNC_READ: bool = true;
    const HAS_FAST_SYNC_READ: bool = true;

    type Frame = Frame;
    type Decoder = Decoder;

    fn decoder() -> Decoder {
        Decoder::new(Direction::Replies)
    }

    fn ping(id: Id) -> Result<Frame, FrameError> {
        Frame::ping(id)
    }

    fn read(id: Id, address: u16, len: u16) -> Result<Frame, FrameError> {
        Frame::read(id, address, len)
    }

    fn write(id: Id, address: u16, data: &[u8]) -> Result<Frame, FrameError> {
        Frame::write(id, address, data)
    }

    fn sync_read(address: u16, len: u16, ids: &[Id]) -> Result<Frame, FrameError> {
        Frame::sync_read(address, len, ids)
    }

    fn fast_sync_read(address: u16, len: u16, ids: &[Id]) -> Result<Frame, FrameError> {
        Frame::fast_sync_read(address, len, ids)
    }

    fn sync_write<D: AsRef<[u8]>>(
        address: u16,
        len: u16,
        servos: impl IntoIterator<Item = (Id, D)>,
    ) -> Result<Frame, FrameError> {
        Frame::sync_write(address, len, servos)
    }

    fn reboot(id: Id) -> Result<Frame, FrameError> {
        Frame::reboot(id)
    }

    fn answer_len(data: usize) -> usize {
        STATUS_OVERHEAD + data
    }

    fn joint_answer_len(servos: usize, data: usize) -> usize {
        joint::packet_len(servos, data)
    }
}

impl ReplyDecoder for Decoder {
    fn begin(&mut self, answers: Answers) {
        self.expect(answers);
    }

    fn push(&mut self, bytes: &[u8]) -> usize {
        Decoder::push(self, bytes)
    }

    fn next_reply(&mut self) -> Option<Reply<'_>> {
        let (status, behind) = self.next_status_and_behind()?;
        Some(reply(status, behind))
    }

    fn give_up(&mut self) -> bool {
        Decoder::give_up(self)
    }

    fn counts(&self) -> Counts {
        Decoder::counts(self)
    }
}

fn reply(status: Status<'_>, behind: usize) -> Reply<'_> {
    let meaning = status.error().map_or("an error that is not documented", |error| error.meaning());
    let refusal = (status.code != 0).then_some(Refusal { code: status.code, meaning });
    Reply { id: status.id, raised: Raised::Alert(status.alert), refusal, data: status.data, behind }
}
