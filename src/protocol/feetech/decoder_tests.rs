use proptest::prelude::*;

use super::*;
use crate::protocol::feetech::{Alarms, Frame};

const ANSWER: [u8; 8] = [0xFF, 0xFF, 0x01, 0x04, 0x00, 0x09, 0x03, 0xEE];

#[test]
fn captured_answers_are_read_back() {
    let mut block = vec![0xFF, 0xFF, 0x01, 0x11, 0x00, 0x00, 0x08, 0, 0, 0, 0, 0x4A, 0x1F];
    block.extend([0, 0, 0, 0, 0, 0, 0, 0x7C]);
    for (bytes, params) in [
        (&[0xFF, 0xFF, 0x01, 0x02, 0x00, 0xFC][..], &[][..]),
        (&ANSWER, &[9, 3]),
        (&[0xFF, 0xFF, 0x01, 0x04, 0x00, 0x00, 0x08, 0xF2], &[0, 8]),
        (&block, &block[5..20]),
    ] {
        let mut decoder = decoder(bytes);
        let status = decoder.next_frame().unwrap().status().unwrap();
        assert_eq!((status.id.raw(), status.alarms, status.params), (1, Alarms::NONE, params));
        assert_eq!(decoder.next_frame(), None);
    }
}

#[test]
fn alarms_come_beside_the_data() {
    let frame = Frame::status(Id::new(3).unwrap(), Alarms::OVERLOAD, &[0x10, 0x20]).unwrap();
    let mut decoder = decoder(frame.as_bytes());
    let status = decoder.next_frame().unwrap().status().unwrap();
    assert_eq!((status.alarms, status.params), (Alarms::OVERLOAD, &[0x10, 0x20][..]));
}

#[test]
fn noise_in_front_is_dropped_and_counted() {
    for noise in [&[0x00][..], &[0xFF], &[0xFF, 0x00, 0xFF], &[0xFF, 0xFF, 0xFE], &[0xFF, 0xFF, 0x01, 0xFB]] {
        let mut decoder = decoder(&[noise, &ANSWER].concat());
        assert_eq!(decoder.next_frame().map(Packet::as_bytes), Some(&ANSWER[..]), "{noise:02x?}");
        assert_eq!(decoder.counts().noise_bytes, noise.len() as u64);
    }
}

#[test]
fn a_good_frame_inside_a_bad_one_is_found() {
    let mut bytes = vec![0xFF, 0xFF, 0x02, 0x0A, 0x00];
    bytes.extend(ANSWER);
    bytes.push(0x00);
    let mut decoder = decoder(&bytes);
    assert_eq!(decoder.next_frame().map(Packet::as_bytes), Some(&ANSWER[..]));
    assert_eq!(decoder.counts().bad_checksums, 1);
}

#[test]
fn giving_up_on_a_false_header_frees_what_came_behind_it() {
    let mut bytes = vec![0xFF, 0xFF, 0x02, 0x60, 0x00];
    bytes.extend(ANSWER);
    let mut decoder = decoder(&bytes);
    assert_eq!(decoder.next_frame(), None);
    assert!(decoder.give_up());
    assert_eq!(decoder.next_frame().map(Packet::as_bytes), Some(&ANSWER[..]));
    assert!(!decoder.give_up());
}

#[test]
fn the_broadcast_id_is_a_host_s_only() {
    let action = [0xFF, 0xFF, 0xFE, 0x02, 0x05, 0xFA];
    assert_eq!(decoder(&action).next_frame(), None);
    let mut servo_side = Decoder::new(Direction::Requests);
    assert_eq!(servo_side.push(&action), action.len());
    assert!(servo_side.next_frame().is_some());
}

#[test]
fn cleared_bytes_are_gone() {
    let mut decoder = decoder(&ANSWER[..5]);
    decoder.clear();
    assert_eq!(decoder.pending(), 0);
    assert_eq!(decoder.push(&ANSWER), ANSWER.len());
    assert!(decoder.next_frame().is_some());
    assert_eq!(decoder.counts().noise_bytes, 0);
}

proptest! {
    #[test]
    fn any_stream_leaves_less_than_a_frame_and_room_for_more(
        pieces in prop::collection::vec(prop::collection::vec(noisy_byte(), 0..300), 0..6),
        replies in any::<bool>(),
    ) {
        let mut decoder =
            Decoder::new(if replies { Direction::Replies } else { Direction::Requests });
        let mut framed = 0;
        for piece in &pieces {
            decoder.feed(piece, |packet| framed += packet.as_bytes().len());
            prop_assert!(decoder.pending() < MAX_FRAME);
        }
        let total: usize = pieces.iter().map(Vec::len).sum();
        let noise = usize::try_from(decoder.counts().noise_bytes).unwrap();
        prop_assert_eq!(total, framed + noise + decoder.pending());
    }

    #[test]
    fn a_chopped_frame_behind_noise_is_found_within_a_frame(
        noise in prop::collection::vec(noisy_byte(), 0..600),
        id in 0..=Id::MAX,
        alarms in 0..=0x7F_u8,
        params in prop::collection::vec(any::<u8>(), 0..=64),
        step in 1..40_usize,
    ) {
        let frame = Frame::status(Id::new(id).unwrap(), Alarms::from_bits(alarms), &params).unwrap();
        let mut stream = noise;
        stream.extend(frame.as_bytes());
        // A false header in the noise can claim as many bytes as the longest frame has.
        stream.extend([0; MAX_FRAME]);
        let mut found = false;
        let mut decoder = Decoder::new(Direction::Replies);
        for piece in stream.chunks(step) {
            decoder.feed(piece, |packet| found |= packet.as_bytes() == frame.as_bytes());
        }
        // Noise can, by chance, make a whole good frame of itself and of this one's beginning.
        prop_assert!(found || 0 < decoder.counts().frames);
    }

    #[test]
    fn frames_in_a_row_all_come_out(
        count in 1..12_u8,
        params in prop::collection::vec(any::<u8>(), 0..=40),
        step in 1..100_usize,
    ) {
        let frames: Vec<Frame> = (0..count)
            .map(|id| Frame::status(Id::new(id).unwrap(), Alarms::NONE, &params).unwrap())
            .collect();
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
    prop_oneof![2 => Just(0xFF), 1 => 0..8_u8, 2 => any::<u8>()]
}

fn decoder(bytes: &[u8]) -> Decoder {
    let mut decoder = Decoder::new(Direction::Replies);
    assert_eq!(decoder.push(bytes), bytes.len());
    decoder
}
