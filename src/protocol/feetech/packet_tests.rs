use super::*;
use crate::protocol::feetech::{Decoder, Direction, Request, RequestError};

#[test]
fn frames_are_those_that_the_vendors_library_sends() {
    check(Frame::ping(id(1)), &[0xFF, 0xFF, 0x01, 0x02, 0x01, 0xFB]);
    check(Frame::read(id(1), 3, 2), &[0xFF, 0xFF, 0x01, 0x04, 0x02, 0x03, 0x02, 0xF3]);
    check(Frame::read(id(1), 56, 2), &[0xFF, 0xFF, 0x01, 0x04, 0x02, 0x38, 0x02, 0xBE]);
    check(Frame::write(id(1), 40, &[1]), &[0xFF, 0xFF, 0x01, 0x04, 0x03, 0x28, 0x01, 0xCE]);
    check(Frame::write(id(1), 42, &[0, 8]), &[0xFF, 0xFF, 0x01, 0x05, 0x03, 0x2A, 0x00, 0x08, 0xC4]);
    check(Frame::reg_write(id(1), 42, &[0, 8]), &[0xFF, 0xFF, 0x01, 0x05, 0x04, 0x2A, 0x00, 0x08, 0xC3]);
    check(Frame::action(), &[0xFF, 0xFF, 0xFE, 0x02, 0x05, 0xFA]);
    check(
        Frame::sync_read(56, 15, &[id(1), id(2)]),
        &[0xFF, 0xFF, 0xFE, 0x06, 0x82, 0x38, 0x0F, 0x01, 0x02, 0x2F],
    );
}

#[test]
fn the_sync_write_of_six_goals_is_the_captured_one() {
    let goal = [0x00, 0x08, 0x00, 0x00, 0xE8, 0x03];
    let mut expected = vec![0xFF, 0xFF, 0xFE, 0x2E, 0x83, 0x2A, 0x06];
    for servo in 1..=6 {
        expected.push(servo);
        expected.extend(goal);
    }
    expected.push(0x59);
    assert_eq!(expected.len(), 50);
    check(Frame::sync_write(42, 6, (1..=6).map(|servo| (id(servo), goal))), &expected);
}

#[test]
fn answers_are_the_captured_ones() {
    check(Frame::status(id(1), Alarms::NONE, &[]), &[0xFF, 0xFF, 0x01, 0x02, 0x00, 0xFC]);
    check(Frame::status(id(1), Alarms::NONE, &[9, 3]), &[0xFF, 0xFF, 0x01, 0x04, 0x00, 0x09, 0x03, 0xEE]);
    check(Frame::status(id(1), Alarms::NONE, &[0, 8]), &[0xFF, 0xFF, 0x01, 0x04, 0x00, 0x00, 0x08, 0xF2]);
    let block = [0x00, 0x08, 0, 0, 0, 0, 0x4A, 0x1F, 0, 0, 0, 0, 0, 0, 0];
    let first = Frame::status(id(1), Alarms::NONE, &block).unwrap();
    assert_eq!(first.as_bytes()[..5], [0xFF, 0xFF, 0x01, 0x11, 0x00]);
    assert_eq!(first.as_bytes().last(), Some(&0x7C));
    assert_eq!(Frame::status(id(2), Alarms::NONE, &block).unwrap().as_bytes().last(), Some(&0x7B));
}

#[test]
fn what_does_not_fit_is_refused() {
    assert_eq!(Id::new(254), Err(PacketError::Id(254)));
    assert_eq!(Frame::read(id(1), 0, 249), Err(PacketError::Answer { asked: 249, most: 248 }));
    assert_eq!(Frame::write(id(1), 0, &[0; 248]), Err(PacketError::TooLong { actual: 249, most: 248 }));
    assert_eq!(Frame::write(id(1), 0, &[0; 247]).unwrap().as_bytes().len(), MAX_FRAME);
    assert_eq!(Frame::write(id(1), 0, &[]), Err(PacketError::Empty));
    assert_eq!(Frame::sync_read(56, 15, &[]), Err(PacketError::Empty));
    let everyone: Vec<Id> = (0..=Id::MAX).map(id).collect();
    assert!(matches!(Frame::sync_read(56, 15, &everyone), Err(PacketError::TooLong { .. })));
    let sixty = (0..60).map(|servo| (id(servo), [0; 6]));
    assert!(matches!(Frame::sync_write(42, 6, sixty), Err(PacketError::TooLong { .. })));
    assert_eq!(Frame::sync_write(42, 6, std::iter::empty::<(Id, [u8; 6])>()), Err(PacketError::Empty));
}

#[test]
fn a_sync_write_names_the_servo_with_the_wrong_data() {
    let refused = Frame::sync_write(42, 6, [(id(1), vec![0; 6]), (id(2), vec![0; 5])]).unwrap_err();
    assert_eq!(refused, PacketError::DataLength { id: id(2), expected: 6, actual: 5 });
    assert_eq!(refused.to_string(), "servo 2 was given 5 bytes instead of 6");
}

#[test]
fn a_servo_reads_back_what_the_host_asked() {
    hear(Frame::ping(id(7)), |heard| assert_eq!(heard, Ok((id(7).into(), Request::Ping))));
    hear(Frame::read(id(7), 56, 15), |heard| {
        assert_eq!(heard, Ok((id(7).into(), Request::Read { address: 56, len: 15 })));
    });
    hear(Frame::write(Target::All, 40, &[0]), |heard| {
        assert_eq!(heard, Ok((Target::All, Request::Write { address: 40, data: &[0] })));
    });
    hear(Frame::sync_read(56, 15, &[id(3), id(1)]), |heard| {
        assert_eq!(heard, Ok((Target::All, Request::SyncRead { address: 56, len: 15, ids: &[3, 1] })));
    });
    hear(Frame::sync_write(42, 2, [(id(1), [1, 2]), (id(2), [3, 4])]), |heard| {
        let Ok((Target::All, Request::SyncWrite(write))) = heard else { panic!("{heard:?}") };
        assert_eq!(write.address, 42);
        assert!(write.entries().eq([(1, &[1, 2][..]), (2, &[3, 4][..])]));
    });
}

#[test]
fn frames_that_are_no_instruction_say_why() {
    let ragged = Frame::instruction(Target::All, Instruction::SyncWrite, &[42, 6, 1, 0]);
    hear(ragged, |heard| {
        let expected = RequestError::Params { instruction: Instruction::SyncWrite, actual: 4 };
        assert_eq!(heard, Err(expected));
    });
    let unknown = Frame::status(id(1), Alarms::from_bits(0x42), &[]);
    hear(unknown, |heard| assert_eq!(heard, Err(RequestError::Instruction(0x42))));
}

fn id(raw: u8) -> Id {
    Id::new(raw).unwrap()
}

trait Built {
    fn built(self) -> Frame;
}

impl Built for Frame {
    fn built(self) -> Frame {
        self
    }
}

impl Built for Result<Frame, PacketError> {
    fn built(self) -> Frame {
        self.unwrap()
    }
}

fn check(frame: impl Built, bytes: &[u8]) {
    assert_eq!(frame.built().as_bytes(), bytes);
}

fn hear(frame: impl Built, judge: impl Fn(Result<(Target, Request<'_>), RequestError>)) {
    let mut decoder = Decoder::new(Direction::Requests);
    let mut heard = 0;
    decoder.feed(frame.built().as_bytes(), |packet| {
        heard += 1;
        judge(packet.request());
    });
    assert_eq!(heard, 1);
}
