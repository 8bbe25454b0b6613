use proptest::prelude::*;

use super::*;

#[test]
fn requests_are_byte_for_byte_those_of_the_maker_s_library() {
    for (built, bytes) in [
        (Frame::ping(id(1)), &[1, 3, 0, 1, 0x19, 0x4E][..]),
        (Frame::write(id(1), 64, &[1]), &[1, 6, 0, 3, 0x40, 0, 1, 0xDB, 0x66]),
        (Frame::write(id(1), 116, &[0, 8, 0, 0]), &[1, 9, 0, 3, 0x74, 0, 0, 8, 0, 0, 0x42, 0x89]),
        (Frame::write(id(1), 98, &[10]), &[1, 6, 0, 3, 0x62, 0, 10, 0x4A, 0xE4]),
        (Frame::read(id(1), 70, 1), &[1, 7, 0, 2, 0x46, 0, 1, 0, 0x3C, 0xA3]),
        (Frame::reboot(id(1)), &[1, 3, 0, 8, 0x2F, 0x4E]),
        (Frame::sync_read(132, 4, &[id(1), id(2)]), &[0xFE, 9, 0, 0x82, 0x84, 0, 4, 0, 1, 2, 0xCE, 0xFA]),
        (Frame::sync_read(126, 10, &[id(1), id(2)]), &[0xFE, 9, 0, 0x82, 0x7E, 0, 10, 0, 1, 2, 0x38, 0x92]),
    ] {
        assert_eq!(built.unwrap().as_bytes(), [&[0xFF, 0xFF, 0xFD, 0], bytes].concat());
    }
}

#[test]
fn a_sync_write_for_six_is_byte_for_byte_that_of_the_maker_s_library() {
    let goals = (1..=6).map(|servo| (id(servo), [0, 8, 0, 0]));
    let frame = Frame::sync_write(116, 4, goals).unwrap();
    let bytes = frame.as_bytes();
    assert_eq!(bytes.len(), 44);
    assert_eq!(bytes[..12], [0xFF, 0xFF, 0xFD, 0, 0xFE, 0x25, 0, 0x83, 0x74, 0, 4, 0]);
    assert_eq!(bytes[37..], [6, 0, 8, 0, 0, 0x81, 0xBB]);
}

#[test]
fn answers_are_byte_for_byte_those_of_the_manual() {
    let answer = |data: &[u8]| Frame::status(id(1), false, None, data).unwrap();
    let header = [0xFF, 0xFF, 0xFD, 0, 1];
    let whole = |rest: &[u8]| [&header[..], rest].concat();
    assert_eq!(answer(&[6, 4, 0x26]).as_bytes(), whole(&[7, 0, 0x55, 0, 6, 4, 0x26, 0x65, 0x5D]));
    assert_eq!(answer(&[]).as_bytes(), whole(&[4, 0, 0x55, 0, 0xA1, 0x0C]));
    assert_eq!(answer(&[0]).as_bytes(), whole(&[5, 0, 0x55, 0, 0, 0x53, 0x21]));
}

#[test]
fn what_looks_like_a_header_is_stuffed() {
    let data = [0xFF, 0xFF, 0xFD, 0, 0, 0, 0, 8, 0, 0];
    let frame = Frame::status(id(2), false, None, &data).unwrap();
    let stuffed =
        [0xFF, 0xFF, 0xFD, 0, 2, 0x0F, 0, 0x55, 0, 0xFF, 0xFF, 0xFD, 0xFD, 0, 0, 0, 0, 8, 0, 0, 0x6B, 0x0A];
    assert_eq!(frame.as_bytes(), stuffed);
    let mut room = [0; MAX_PACKET];
    assert_eq!(Packet::from_bytes(&stuffed, &mut room).unwrap().status().unwrap().data, data);
}

#[test]
fn an_alert_stands_beside_data_and_beside_a_refusal() {
    let mut room = [0; MAX_PACKET];
    let frame = Frame::status(id(1), true, None, &[7]).unwrap();
    let status = Packet::from_bytes(frame.as_bytes(), &mut room).unwrap().status().unwrap();
    assert_eq!((status.alert, status.error(), status.data), (true, None, &[7][..]));
    let frame = Frame::status(id(1), true, Some(ErrorCode::DataRange), &[]).unwrap();
    let status = Packet::from_bytes(frame.as_bytes(), &mut room).unwrap().status().unwrap();
    assert_eq!((status.alert, status.error()), (true, Some(ErrorCode::DataRange)));
}

#[test]
fn what_no_servo_would_take_is_refused_in_words() {
    let refused = |built: Result<Frame, FrameError>| built.unwrap_err().to_string();
    assert_eq!(refused(Frame::ping(id(253))), "a Dynamixel servo's id is at most 252, not 253");
    assert_eq!(refused(Frame::read(id(1), 0, 0)), "nothing to send: no servos or no data");
    assert_eq!(
        refused(Frame::read(id(1), 0, 2000)),
        "an answer carries at most 1013 register bytes, not 2000"
    );
    assert_eq!(refused(Frame::sync_read(0, 1, &[])), "nothing to send: no servos or no data");
    assert_eq!(refused(Frame::sync_write(0, 2, [(id(3), [1])])), "servo 3 was given 1 bytes instead of 2");
    assert!(refused(Frame::write(id(1), 0, &[0; 1500])).ends_with("which holds 1014"));
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_and_no_header_is_inside(
        servo in 0..=MAX_ID,
        data in prop::collection::vec(prop_oneof![Just(0xFF), Just(0xFD), Just(0), any::<u8>()], 1..200),
    ) {
        let frame = Frame::write(id(servo), 0xFFFF, &data).unwrap();
        let bytes = frame.as_bytes();
        // The checksum is not stuffed, and with two bytes cannot hold a whole header.
        prop_assert!(!bytes[4..bytes.len() - 2].windows(4).any(|window| window == HEADER));
        let mut room = [0; MAX_PACKET];
        let packet = Packet::from_bytes(bytes, &mut room).unwrap();
        prop_assert_eq!(packet.id(), servo);
        prop_assert_eq!(packet.params(), [&[0xFF, 0xFF], &data[..]].concat());
    }
}

fn id(raw: u8) -> Id {
    Id::new(raw).unwrap()
}
