use proptest::prelude::*;

use super::*;
use crate::protocol::lx16a::{Frame, Move, Target};

const ANSWER: [u8; 8] = [0x55, 0x55, 0x01, 0x05, 0x1C, 0xF4, 0x01, 0xE8];

#[test]
fn a_captured_answer_is_read() {
    let mut decoder = decoder(Direction::Replies, &ANSWER);
    let packet = decoder.next_frame().unwrap();
    assert_eq!((packet.id(), packet.command(), packet.params()), (1, Command::PosRead, &[0xF4, 0x01][..]));
    assert_eq!(decoder.next_frame(), None);
}

#[test]
fn a_question_is_no_answer_and_an_answer_no_question() {
    let question = Frame::read(Id::new(1).unwrap(), Command::PosRead).unwrap();
    assert_eq!(decoder(Direction::Replies, question.as_bytes()).next_frame(), None);
    assert_eq!(decoder(Direction::Requests, &ANSWER).next_frame(), None);
    assert!(decoder(Direction::Requests, question.as_bytes()).next_frame().is_some());
}

#[test]
fn noise_in_front_is_dropped_and_counted() {
    for noise in [&[0x00][..], &[0x55], &[0x55, 0x00, 0x55], &[0x55, 0x55, 0xFE], &[0x55, 0x55, 0x01, 0x08]] {
        let mut decoder = decoder(Direction::Replies, &[noise, &ANSWER].concat());
        assert_eq!(decoder.next_frame().map(Packet::as_bytes), Some(&ANSWER[..]), "{noise:02x?}");
        assert_eq!(decoder.counts().noise_bytes, noise.len() as u64);
    }
}

#[test]
fn a_good_frame_behind_a_bad_checksum_is_found() {
    let mut spoilt = ANSWER;
    spoilt[6] ^= 0x10;
    let mut decoder = decoder(Direction::Replies, &[spoilt, ANSWER].concat());
    assert_eq!(decoder.next_frame().map(Packet::as_bytes), Some(&ANSWER[..]));
    assert_eq!((decoder.counts().bad_checksums, decoder.counts().noise_bytes), (1, 8));
}

#[test]
fn giving_up_on_a_false_header_frees_what_came_behind_it() {
    let mut decoder =
        decoder(Direction::Replies, &[&[0x55, 0x55, 0x02, 0x07, 0x15][..], &ANSWER[..4]].concat());
    assert_eq!(decoder.next_frame(), None);
    assert!(decoder.give_up());
    assert_eq!(decoder.push(&ANSWER[4..]), 4);
    assert_eq!(decoder.next_frame().map(Packet::as_bytes), Some(&ANSWER[..]));
    assert!(!decoder.give_up());
}

proptest! {
    #[test]
    fn any_stream_leaves_less_than_a_frame_and_room_for_more(
        pieces in prop::collection::vec(prop::collection::vec(noisy_byte(), 0..200), 0..6),
        replies in any::<bool>(),
    ) {
        let mut decoder = Decoder::new(if replies { Direction::Replies } else { Direction::Requests });
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
        noise in prop::collection::vec(noisy_byte(), 0..100),
        id in 0..=Id::MAX,
        position in any::<i16>(),
        time_ms in any::<u16>(),
        step in 1..20_usize,
    ) {
        let frame = Frame::move_time(Target::One(Id::new(id).unwrap()), Move { position, time_ms });
        let stream = [&noise, frame.as_bytes(), &[0; MAX_FRAME]].concat();
        let mut found = false;
        let mut decoder = Decoder::new(Direction::Requests);
        for piece in stream.chunks(step) {
            decoder.feed(piece, |packet| found |= packet.as_bytes() == frame.as_bytes());
        }
        // Noise can, by chance, make a whole good frame of itself and of this one's beginning.
        prop_assert!(found || 0 < decoder.counts().frames);
    }
}

/// Bytes of which many look like headers.
fn noisy_byte() -> impl Strategy<Value = u8> {
    prop_oneof![3 => Just(0x55), 2 => 0..37_u8, 1 => any::<u8>()]
}

fn decoder(direction: Direction, bytes: &[u8]) -> Decoder {
    let mut decoder = Decoder::new(direction);
    assert_eq!(decoder.push(bytes), bytes.len());
    decoder
}
