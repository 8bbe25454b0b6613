//! Transactions against answers that are written down beforehand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::*;
use crate::protocol::feetech::{FeetechSts, Frame};

/// What came and was not taken yet.
type Pending = Arc<Mutex<VecDeque<Vec<u8>>>>;

/// A link whose answers are written down beforehand, one list of pieces for each request.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Vec<Vec<u8>>>>>,
    pending: Pending,
}

impl Link for Script {
    fn send(&mut self, _bytes: &[u8]) -> io::Result<()> {
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or_default();
        self.pending.lock().unwrap().extend(answer);
        Ok(())
    }

    fn receive(&mut self, deadline: Time, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(piece) = self.pending.lock().unwrap().pop_front() else {
            clock::sleep_until(deadline);
            return Ok(0);
        };
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }

    fn discard_input(&mut self) -> io::Result<()> {
        self.pending.lock().unwrap().clear();
        Ok(())
    }
}

fn bus(echo: bool, answers: &[&[&[u8]]]) -> Bus<FeetechSts> {
    scripted(echo, answers).0
}

fn scripted(echo: bool, answers: &[&[&[u8]]]) -> (Bus<FeetechSts>, Pending) {
    let script = Script::default();
    let pending = Arc::clone(&script.pending);
    let owned = answers.iter().map(|pieces| pieces.iter().map(|piece| piece.to_vec()).collect());
    script.answers.lock().unwrap().extend(owned);
    let timing =
        Timing { baud_rate_bps: 1_000_000, adapter_latency: Duration::ZERO, busy_wait: Duration::ZERO };
    (Bus::new(Box::new(script), timing, echo), pending)
}

fn id(raw: u8) -> Id {
    Id::new(raw).unwrap()
}

const POSITION_OF_1: [u8; 8] = [0xFF, 0xFF, 1, 4, 0, 0, 8, 0xF2];
const POSITION_OF_3: [u8; 8] = [0xFF, 0xFF, 3, 4, 0, 0, 8, 0xF0];

fn sync_read(bus: &mut Bus<FeetechSts>) -> Vec<u8> {
    let ids = [id(1), id(2), id(3)];
    let request = Frame::sync_read(56, 2, &ids).unwrap();
    let mut heard = Vec::new();
    let question = Question { request: request.as_bytes(), ids: &ids, len: 2, jointly: false };
    bus.sync_read(question, Time(i64::MAX), |reply, _| heard.push(reply.id.raw())).unwrap();
    heard
}

#[test]
fn a_silent_servo_costs_its_own_answer_only() {
    let mut bus = bus(false, &[&[&POSITION_OF_1, &POSITION_OF_3]]);
    assert_eq!(sync_read(&mut bus), [1, 3]);
    assert_eq!(bus.counters().missed, 1);
}

#[test]
fn answers_in_pieces_and_behind_noise_are_found() {
    let (head, tail) = POSITION_OF_3.split_at(3);
    let mut bus = bus(false, &[&[&[0xFF, 0x00], &POSITION_OF_1, head, tail]]);
    assert_eq!(sync_read(&mut bus), [1, 3]);
}

#[test]
fn noise_that_looks_like_a_long_frame_hides_no_answer() {
    let mut bus = bus(false, &[&[&[0xFF, 0xFF, 0x02, 0xF0, 0x00], &POSITION_OF_1, &POSITION_OF_3]]);
    assert_eq!(sync_read(&mut bus), [1, 3]);
}

#[test]
fn a_servo_that_is_heard_twice_does_not_stand_in_for_another() {
    let mut bus = bus(false, &[&[&POSITION_OF_1, &POSITION_OF_1, &POSITION_OF_1, &POSITION_OF_3]]);
    assert_eq!(sync_read(&mut bus), [1, 1, 1, 3]);
    assert_eq!(bus.counters().missed, 1);
}

#[test]
fn an_answer_before_one_that_was_to_come_first_is_early() {
    let ids = [id(1), id(3)];
    let request = Frame::sync_read(56, 2, &ids).unwrap();
    let question = Question { request: request.as_bytes(), ids: &ids, len: 2, jointly: false };
    let orders = [[POSITION_OF_1, POSITION_OF_3], [POSITION_OF_3, POSITION_OF_1]];
    let early = orders.map(|[first, second]| {
        let mut bus = bus(false, &[&[&first, &second]]);
        let heard = bus.sync_read(question, Time(i64::MAX), |_, _| ()).unwrap();
        ids.map(|id| heard.is_early(id))
    });
    assert_eq!(early, [[false, false], [false, true]]);
}

#[test]
fn bytes_that_never_cease_do_not_keep_the_bus() {
    let noise: Vec<&[u8]> = vec![&[0x55; 200]; 10_000];
    let mut bus = bus(false, &[&noise]);
    let begun = clock::now();
    assert!(sync_read(&mut bus).is_empty());
    assert!(clock::now().secs_since(begun) < 1.0);
    assert!(bus.counters().received < 200 * 10_000);
}

#[test]
fn of_answers_that_come_together_the_first_is_the_older() {
    let together = [POSITION_OF_1, POSITION_OF_3].concat();
    let mut bus = bus(false, &[&[&together]]);
    let ids = [id(1), id(3)];
    let request = Frame::sync_read(56, 2, &ids).unwrap();
    let mut times = Vec::new();
    let question = Question { request: request.as_bytes(), ids: &ids, len: 2, jointly: false };
    bus.sync_read(question, Time(i64::MAX), |_, at| times.push(at)).unwrap();
    assert!(times[0] <= times[1]);
}

#[test]
fn the_adapters_echo_is_no_answer() {
    let request = Frame::read(id(1), 56, 2).unwrap();
    let (head, tail) = request.as_bytes().split_at(5);
    let mut with_answer = tail.to_vec();
    with_answer.extend(POSITION_OF_1);
    let mut bus = bus(true, &[&[head, &with_answer]]);
    let position = bus.ask(id(1), request.as_bytes(), 2, 1, |data| [data[0], data[1]]).unwrap();
    assert_eq!(position, [0, 8]);
}

#[test]
fn an_answer_that_comes_at_the_second_time_of_asking_counts() {
    let request = Frame::read(id(1), 56, 2).unwrap();
    let mut bus = bus(false, &[&[], &[&POSITION_OF_1]]);
    assert!(bus.ask(id(1), request.as_bytes(), 2, 2, |_| ()).is_ok());
    assert_eq!((bus.counters().retried, bus.counters().missed), (1, 1));
    let error = bus.ask(id(1), request.as_bytes(), 2, 2, |_| ()).unwrap_err();
    assert_eq!(error.to_string(), "servo 1 does not answer");
}

#[test]
fn a_byte_takes_ten_bits() {
    assert_eq!(bus(false, &[]).wire_time(140), Duration::from_micros(1400));
}

#[test]
fn who_answers_late_has_heard_what_it_was_asked() {
    let (mut bus, pending) = scripted(false, &[&[], &[&POSITION_OF_1], &[&POSITION_OF_1, &POSITION_OF_3]]);
    let late = |bus: &mut Bus<FeetechSts>, came: &[[u8; 8]]| {
        pending.lock().unwrap().extend(came.iter().map(|answer| answer.to_vec()));
        let heard = sync_read(bus);
        (heard, [1, 3].map(|raw| bus.take_late(id(raw))))
    };
    assert_eq!(late(&mut bus, &[]), (vec![], [false, false]));
    assert_eq!(late(&mut bus, &[POSITION_OF_1]), (vec![1], [true, false]));
    assert_eq!(late(&mut bus, &[POSITION_OF_1]), (vec![1, 3], [false, false]), "it was answered in time");
    assert_eq!(late(&mut bus, &[POSITION_OF_3]), (vec![], [false, false]));
    assert_eq!(bus.counters().late, 1);
}
