use proptest::prelude::*;

use super::*;
use crate::protocol::dynamixel::packet::{Frame, Part, Reset, Target};
use crate::protocol::dynamixel::request::Request;
use crate::protocol::wire::Id;

const PONG: [u8; 14] = [0xFF, 0xFF, 0xFD, 0, 1, 7, 0, 0x55, 0, 6, 4, 0x26, 0x65, 0x5D];
const JOINT: [u8; 32] = [
    0xFF, 0xFF, 0xFD, 0x00, 0xFE, 0x19, 0x00, 0x55, 0x00, 0x03, 0xA6, 0x00, 0x00, 0x00, 0x84, 0x08, 0x00,
    0x07, 0x1F, 0x08, 0x00, 0x00, 0x16, 0xCA, 0x00, 0x04, 0xFF, 0x03, 0x00, 0x00, 0xD1, 0x9E,
];

#[test]
fn answers_are_read_and_what_is_stuffed_is_unfolded() {
    let data = [0xFF, 0xFF, 0xFD, 0, 0, 0, 0, 8, 0, 0];
    let stuffed = Frame::status(id(2), true, None, &data).unwrap();
    let mut decoder = decoder(&[&PONG, stuffed.as_bytes()].concat());
    let first = decoder.next_status().unwrap();
    assert_eq!((first.id.raw(), first.alert, first.data), (1, false, &[6, 4, 0x26][..]));
    let second = decoder.next_status().unwrap();
    assert_eq!((second.id.raw(), second.alert, second.data), (2, true, &data[..]));
    assert_eq!(decoder.next_status(), None);
}

#[test]
fn noise_in_front_is_dropped_and_counted() {
    for noise in
        [&[0][..], &[0xFF], &[0xFF, 0xFF], &[0xFF, 0xFF, 0xFD], &[0xFF, 0xFF, 0xFD, 0], &[0xFD, 0xFF]]
    {
        let mut decoder = decoder(&[noise, &PONG].concat());
        assert_eq!(decoder.next_packet().map(Packet::as_bytes), Some(&PONG[..]), "{noise:02x?}");
        assert_eq!(decoder.counts().noise_bytes, noise.len() as u64);
    }
}

#[test]
fn a_damaged_packet_is_counted_and_a_good_one_inside_it_is_found() {
    let mut bytes = vec![0xFF, 0xFF, 0xFD, 0, 2, 17, 0, 0x55, 0];
    bytes.extend(PONG);
    bytes.push(0);
    let mut decoder = decoder(&bytes);
    assert_eq!(decoder.next_packet().map(Packet::as_bytes), Some(&PONG[..]));
    assert_eq!(decoder.counts().bad_checksums, 1);
}

#[test]
fn giving_up_on_a_false_header_frees_what_came_behind_it() {
    let mut bytes = vec![0xFF, 0xFF, 0xFD, 0, 2, 0x60, 0, 0x55];
    bytes.extend(PONG);
    let mut decoder = decoder(&bytes);
    assert_eq!(decoder.next_packet(), None);
    assert!(decoder.give_up());
    assert_eq!(decoder.next_packet().map(Packet::as_bytes), Some(&PONG[..]));
    assert!(!decoder.give_up());
}

#[test]
fn a_joint_answer_is_handed_out_part_by_part_as_it_comes() {
    let mut decoder = Decoder::new(Direction::Replies);
    decoder.expect(Answers::Joint { len: 4 });
    let mut told = Vec::new();
    for (at, byte) in JOINT.iter().enumerate() {
        assert_eq!(decoder.push(&[*byte]), 1);
        if let Some(status) = decoder.next_status() {
            told.push((at, status.id.raw(), status.data.to_vec()));
        }
    }
    let expected = [(15, 3, vec![0xA6, 0, 0, 0]), (23, 7, vec![0x1F, 8, 0, 0]), (31, 4, vec![0xFF, 3, 0, 0])];
    assert_eq!(told, expected);
    assert_eq!((decoder.pending(), decoder.counts().frames), (0, 1));
}

#[test]
fn a_joint_answer_whose_end_is_missing_gives_the_parts_that_came() {
    let mut decoder = Decoder::new(Direction::Replies);
    decoder.expect(Answers::Joint { len: 4 });
    let bytes = [&JOINT[..16], &PONG].concat();
    assert_eq!(decoder.push(&bytes), bytes.len());
    assert_eq!(decoder.next_status().map(|status| status.id.raw()), Some(3));
    assert_eq!(decoder.next_status().map(|status| status.id.raw()), Some(1), "behind the broken one");
    assert_eq!(decoder.counts().noise_bytes, 0);
    assert_eq!(decoder.counts().bad_checksums, 1);
}

#[test]
fn a_damaged_part_spoils_what_follows_and_not_what_came_before() {
    let mut bytes = JOINT;
    bytes[19] ^= 4;
    let mut decoder = Decoder::new(Direction::Replies);
    decoder.expect(Answers::Joint { len: 4 });
    assert_eq!(decoder.push(&bytes), bytes.len());
    assert_eq!(decoder.next_status().map(|status| status.id.raw()), Some(3));
    assert_eq!(decoder.next_status(), None);
}

#[test]
fn a_joint_answer_that_nobody_asked_for_is_noise() {
    let mut decoder = decoder(&[&JOINT[..], &PONG].concat());
    assert_eq!(decoder.next_status().map(|status| status.id.raw()), Some(1));
    assert_eq!(decoder.counts().noise_bytes, 32);
}

#[test]
fn a_servo_reads_what_a_host_asks() {
    let parts = [Part { id: id(1), address: 132, len: 4 }, Part { id: id(9), address: 146, len: 1 }];
    let mut decoder = Decoder::new(Direction::Requests);
    let mut heard = |frame: Frame| {
        assert_eq!(decoder.push(frame.as_bytes()), frame.as_bytes().len());
        let packet = decoder.next_packet().unwrap();
        let target = packet.target().unwrap();
        let said = format!("{:?}", packet.request().unwrap());
        if let Request::BulkRead { parts: heard, is_fast } = packet.request().unwrap() {
            assert_eq!((heard.parts().collect::<Vec<_>>(), is_fast), (parts.to_vec(), true));
        }
        if let Request::BulkWrite(write) = packet.request().unwrap() {
            let entries: Vec<_> = write.entries().map(|(id, at, data)| (id, at, data.to_vec())).collect();
            assert_eq!(entries, [(1, 64, vec![1]), (2, 116, vec![0, 8, 0, 0])]);
        }
        (target, said)
    };
    let one = Target::One(id(1));
    for (frame, target, said) in [
        (Frame::ping(Target::All), Target::All, "Ping"),
        (Frame::read(id(1), 132, 4), one, "Read { address: 132, len: 4 }"),
        (
            Frame::reg_write(id(1), 116, &[0xFF, 0xFF, 0xFD]),
            one,
            "RegWrite { address: 116, data: [255, 255, 253] }",
        ),
        (Frame::action(Target::All), Target::All, "Action"),
        (Frame::factory_reset(id(1), Reset::AllButId), one, "FactoryReset(AllButId)"),
        (Frame::reboot(id(1)), one, "Reboot"),
        (Frame::clear_turns(id(1)), one, "ClearTurns"),
        (
            Frame::fast_sync_read(126, 10, &[id(1), id(2)]),
            Target::All,
            "SyncRead { address: 126, len: 10, ids: [1, 2], is_fast: true }",
        ),
    ] {
        assert_eq!(heard(frame.unwrap()), (target, said.to_owned()));
    }
    heard(Frame::fast_bulk_read(&parts).unwrap());
    heard(Frame::bulk_write([(id(1), 64, &[1][..]), (id(2), 116, &[0, 8, 0, 0])]).unwrap());
}

proptest! {
    #[test]
    fn any_stream_leaves_less_than_a_packet_and_room_for_more(
        pieces in prop::collection::vec(prop::collection::vec(noisy_byte(), 0..700), 0..5),
        is_reply in any::<bool>(),
        joint in prop::option::of(0..20_usize),
    ) {
        let mut decoder = Decoder::new(if is_reply { Direction::Replies } else { Direction::Requests });
        decoder.expect(joint.map_or(Answers::Single, |len| Answers::Joint { len }));
        for piece in &pieces {
            let mut rest = &piece[..];
            while !rest.is_empty() {
                let taken = decoder.push(rest);
                prop_assert!(Decoder::ROOM.min(rest.len()) <= taken);
                rest = &rest[taken..];
                while decoder.next_status().is_some() {}
                prop_assert!(decoder.pending() < MAX_PACKET);
            }
        }
    }

    #[test]
    fn a_chopped_packet_behind_noise_is_found_within_a_packet(
        noise in prop::collection::vec(noisy_byte(), 0..600),
        servo in 0..=MAX_ID,
        data in prop::collection::vec(noisy_byte(), 0..=64),
        step in 1..40_usize,
    ) {
        let frame = Frame::status(id(servo), false, None, &data).unwrap();
        let mut stream = noise;
        stream.extend(frame.as_bytes());
        // A false header in the noise can claim as many bytes as the longest packet has.
        stream.extend([0; MAX_PACKET]);
        let mut found = false;
        let mut decoder = Decoder::new(Direction::Replies);
        for piece in stream.chunks(step) {
            decoder.feed(piece, |packet| found |= packet.as_bytes() == frame.as_bytes());
        }
        // Noise can, by chance, make a whole good packet of itself and of this one's beginning.
        prop_assert!(found || 0 < decoder.counts().frames);
    }

    #[test]
    fn packets_in_a_row_all_come_out(
        count in 1..12_u8,
        data in prop::collection::vec(noisy_byte(), 0..=40),
        step in 1..100_usize,
    ) {
        let frames: Vec<Frame> =
            (0..count).map(|servo| Frame::status(id(servo), false, None, &data).unwrap()).collect();
        let stream: Vec<u8> = frames.iter().flat_map(|frame| frame.as_bytes().to_vec()).collect();
        let mut decoder = Decoder::new(Direction::Replies);
        let mut ids = Vec::new();
        for piece in stream.chunks(step) {
            decoder.feed(piece, |packet| ids.push(packet.id()));
        }
        prop_assert_eq!(ids, (0..count).collect::<Vec<_>>());
        prop_assert_eq!(decoder.counts().noise_bytes, 0);
    }
}

/// Bytes of which many look like headers.
fn noisy_byte() -> impl Strategy<Value = u8> {
    prop_oneof![4 => Just(0xFF), 3 => Just(0xFD), 3 => Just(0), 1 => Just(0x55), 2 => 0..8_u8, 2 => any::<u8>()]
}

fn id(raw: u8) -> Id {
    Id::new(raw).unwrap()
}

fn decoder(bytes: &[u8]) -> Decoder {
    let mut decoder = Decoder::new(Direction::Replies);
    assert_eq!(decoder.push(bytes), bytes.len());
    decoder
}
