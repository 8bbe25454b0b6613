use proptest::prelude::*;

use super::*;
use crate::protocol::feetech::packet::Target;
use crate::protocol::feetech::registers::PRESENT_BLOCK;
use crate::protocol::feetech::{Alarms, Frame, Telemetry};
use crate::servo::emulator::events::{Event, Wanted};
use crate::servo::emulator::faults::{Fault, Kind};

const NOW: Time = Time(1_000_000_000);

#[test]
fn it_answers_as_the_captured_servos_do() {
    let mut bus = unpaced(6);
    check(&mut bus, &[0xFF, 0xFF, 1, 2, 1, 0xFB], &[0xFF, 0xFF, 1, 2, 0, 0xFC]);
    check(&mut bus, &[0xFF, 0xFF, 1, 4, 2, 3, 2, 0xF3], &[0xFF, 0xFF, 1, 4, 0, 9, 3, 0xEE]);
    check(&mut bus, &[0xFF, 0xFF, 1, 4, 2, 0x38, 2, 0xBE], &[0xFF, 0xFF, 1, 4, 0, 0, 8, 0xF2]);
    check(&mut bus, &[0xFF, 0xFF, 1, 4, 3, 0x28, 1, 0xCE], &[0xFF, 0xFF, 1, 2, 0, 0xFC]);
    check(&mut bus, &[0xFF, 0xFF, 1, 5, 4, 0x2A, 0, 8, 0xC3], &[0xFF, 0xFF, 1, 2, 0, 0xFC]);
    check(&mut bus, &[0xFF, 0xFF, 0xFE, 2, 5, 0xFA], &[]);
}

#[test]
fn a_sync_read_of_six_takes_as_long_as_its_bytes() {
    let mut bus = paced(6, |_| {});
    bus.on_bytes(NOW, request(6).as_bytes());
    let answer = Duration::from_micros(210);
    for servo in 1..=6 {
        assert_eq!(bus.next_due(), Some(NOW + Duration::from_micros(140) + servo * answer));
        let mut out = Vec::new();
        bus.take_due(bus.next_due().unwrap(), &mut out);
        assert_eq!((out.len(), u32::from(out[2])), (21, servo));
    }
    assert_eq!(bus.next_due(), None);
    assert_eq!(bus.stats().busy_ns, 1_400_000);
}

#[test]
fn return_delay_and_turnaround_come_before_each_answer() {
    let mut bus = paced(6, |config| config.turnaround = Duration::from_micros(50));
    bus.each_servo(|servo| assert!(servo.put("return_delay", 250)));
    bus.on_bytes(NOW, request(6).as_bytes());
    let all = Duration::from_micros(140 + 6 * (210 + 50 + 500));
    assert_eq!(arrivals(&mut bus).last().unwrap().0, NOW + all);
}

#[test]
fn requests_back_to_back_wait_for_the_wire() {
    let mut bus = paced(1, |_| {});
    let ping = Frame::ping(id(1));
    bus.on_bytes(NOW, &[ping.as_bytes(), ping.as_bytes()].concat());
    let times: Vec<_> = arrivals(&mut bus).into_iter().map(|(at, _)| at).collect();
    assert_eq!(times, [NOW + Duration::from_micros(120), NOW + Duration::from_micros(240)]);
}

#[test]
fn a_request_in_pieces_is_heard_when_its_last_byte_is() {
    let mut bus = paced(1, |_| {});
    let ping = Frame::ping(id(1));
    let (first, second) = ping.as_bytes().split_at(2);
    bus.on_bytes(NOW, first);
    bus.on_bytes(NOW + Duration::from_millis(1), second);
    assert_eq!(bus.next_due(), Some(NOW + Duration::from_micros(1000 + 40 + 60)));
}

#[test]
fn a_host_that_sends_faster_than_the_wire_has_to_wait() {
    let mut bus = paced(1, |_| {});
    assert!(bus.takes_input(NOW));
    bus.on_bytes(NOW, &[0; 3000]);
    assert!(!bus.takes_input(NOW));
    assert!(bus.takes_input(NOW + Duration::from_millis(15)));
}

#[test]
fn a_servo_that_is_not_there_delays_those_behind_it() {
    let mut bus = paced(2, |_| {});
    let three = Frame::sync_read(56, 15, &[id(1), id(9), id(2)]).unwrap();
    bus.on_bytes(NOW, three.as_bytes());
    let answers = arrivals(&mut bus);
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[1].0, NOW + Duration::from_micros(110 + 3 * 210 + 200));
}

#[test]
fn servos_behind_a_missing_one_can_stay_silent() {
    let mut bus = paced(2, |config| config.after_missing = AfterMissing::StaySilent);
    let three = Frame::sync_read(56, 15, &[id(1), id(9), id(2)]).unwrap();
    bus.on_bytes(NOW, three.as_bytes());
    assert_eq!(arrivals(&mut bus).len(), 1);
}

#[test]
fn an_adapter_that_echoes_gives_the_request_back_first() {
    let mut bus = Bus::new(BusConfig { echo: true, ..config(1) }, NOW);
    let ping = Frame::ping(id(1));
    let answer = Frame::status(id(1), Alarms::NONE, &[]).unwrap();
    check(&mut bus, ping.as_bytes(), &[ping.as_bytes(), answer.as_bytes()].concat());
}

#[test]
fn a_broadcast_ping_is_answered_in_the_order_of_ids_or_in_a_heap() {
    let mut bus = unpaced(3);
    let answers: Vec<u8> = (1..=3)
        .flat_map(|servo| Frame::status(id(servo), Alarms::NONE, &[]).unwrap().as_bytes().to_vec())
        .collect();
    check(&mut bus, Frame::ping(Target::All).as_bytes(), &answers);
    let mut bus = Bus::new(BusConfig { pings_collide: true, ..config(3) }, NOW);
    let heap = ask(&mut bus, Frame::ping(Target::All).as_bytes());
    assert!(!heap.is_empty() && heap.len() < answers.len());
}

#[test]
fn at_response_level_0_only_reads_and_pings_are_answered() {
    let mut bus = unpaced(1);
    bus.servo_mut(0).unwrap().put("response_level", 0);
    assert!(ask(&mut bus, Frame::write(id(1), 40, &[1]).unwrap().as_bytes()).is_empty());
    assert!(!ask(&mut bus, Frame::ping(id(1)).as_bytes()).is_empty());
    assert!(!ask(&mut bus, Frame::read(id(1), 56, 2).unwrap().as_bytes()).is_empty());
}

#[test]
fn a_sync_write_reaches_every_servo_and_its_watchers() {
    let mut bus = unpaced(2);
    let watch = bus.wire.watchers.add(Wanted::Writes);
    let frame = Frame::sync_write(42, 2, [(id(1), [0x10, 0]), (id(2), [0x20, 0])]).unwrap();
    check(&mut bus, frame.as_bytes(), &[]);
    assert_eq!(goal(&mut bus, 1), 0x20);
    let written = |id, byte| Event::Write { at: NOW, id, address: 42, data: vec![byte, 0] };
    assert_eq!(watch.events.try_iter().collect::<Vec<_>>(), [written(1, 0x10), written(2, 0x20)]);
}

#[test]
fn a_reg_write_takes_effect_with_the_action_and_not_before() {
    let mut bus = unpaced(2);
    for servo in [1, 2] {
        ask(&mut bus, Frame::reg_write(id(servo), 42, &[0x10, 0]).unwrap().as_bytes());
    }
    assert_eq!(goal(&mut bus, 0), 2048);
    ask(&mut bus, Frame::action().as_bytes());
    assert!((0..2).all(|servo| goal(&mut bus, servo) == 0x10));
}

#[test]
fn a_silent_servo_is_missing_from_a_sync_read_and_the_others_are_not() {
    let mut bus = paced(3, |_| {});
    bus.wire.faults.inject(Fault { kind: Kind::Silent, id: Some(2), probability: 1.0, count: Some(1) });
    bus.on_bytes(NOW, request(3).as_bytes());
    let ids: Vec<u8> = arrivals(&mut bus).iter().map(|(_, bytes)| bytes[2]).collect();
    assert_eq!(ids, [1, 3]);
}

#[test]
fn a_late_answer_overtakes_nobody_and_is_overtaken() {
    let mut bus = paced(3, |_| {});
    let late = Kind::Late(Duration::from_millis(5));
    bus.wire.faults.inject(Fault { kind: late, id: Some(1), probability: 1.0, count: None });
    bus.on_bytes(NOW, request(3).as_bytes());
    let answers = arrivals(&mut bus);
    assert_eq!(answers.iter().map(|(_, bytes)| bytes[2]).collect::<Vec<_>>(), [2, 3, 1]);
    assert_eq!(answers[2].0, NOW + Duration::from_micros(110 + 210 + 5000));
}

#[test]
fn forced_alarms_come_beside_good_data() {
    let mut bus = unpaced(1);
    let kind = Kind::Alarm(Alarms::OVERLOAD);
    bus.wire.faults.inject(Fault { kind, id: None, probability: 1.0, count: Some(1) });
    let answer = ask(&mut bus, request(1).as_bytes());
    assert_eq!(answer[4], Alarms::OVERLOAD.bits());
    assert!(Telemetry::parse(&answer[5..20]).is_ok());
    assert_eq!(ask(&mut bus, request(1).as_bytes())[4], 0);
}

#[test]
fn noise_and_half_requests_do_not_keep_the_next_from_being_heard() {
    let mut bus = unpaced(1);
    let ping = Frame::ping(id(1));
    let noisy = [&[0x00, 0xFF, 0x12][..], ping.as_bytes()].concat();
    assert!(!ask(&mut bus, &noisy).is_empty());
    bus.on_bytes(NOW, &[0xFF, 0xFF, 1, 100]);
    bus.on_bytes(NOW + Duration::from_millis(50), ping.as_bytes());
    assert!(bus.next_due().is_some());
}

#[test]
fn a_request_that_a_false_header_had_hidden_is_heard_late() {
    let mut bus = unpaced(1);
    let ping = Frame::ping(id(1));
    let hidden = [&[0xFF, 0xFF, 1, 12, 3][..], ping.as_bytes()].concat();
    assert!(ask(&mut bus, &hidden).is_empty());
    assert_eq!(ask(&mut bus, &[0; 5])[..5], [0xFF, 0xFF, 1, 2, 0]);
}

#[test]
fn an_scs_has_big_endian_words_and_answers_nobody_s_sync_read() {
    let mut bus = Bus::new(BusConfig::of(FamilyName::FeetechScs, [id(1)]), NOW);
    check(&mut bus, Frame::read(id(1), 56, 2).unwrap().as_bytes(), &[0xFF, 0xFF, 1, 4, 0, 2, 0, 0xF8]);
    check(&mut bus, Frame::sync_read(56, 2, &[id(1)]).unwrap().as_bytes(), &[]);
    check(&mut bus, Frame::ping(Target::All).as_bytes(), &[]);
    ask(&mut bus, Frame::write(id(1), 40, &[1]).unwrap().as_bytes());
    ask(&mut bus, Frame::write(id(1), 42, &[2, 100]).unwrap().as_bytes());
    let servo = bus.servo_mut(0).unwrap();
    servo.advance(NOW + Duration::from_secs(2));
    assert_eq!(servo.get("present_position"), Some(612));
    assert_eq!((servo.get("lock"), servo.get("torque_limit")), (Some(1), None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_upset_it(
        pieces in prop::collection::vec(prop::collection::vec(byte_of_a_request(), 0..400), 0..12),
    ) {
        let mut bus = paced(3, |config| config.echo = true);
        let ping = Frame::ping(id(1));
        for (millis, piece) in (0..).zip(&pieces) {
            bus.on_bytes(NOW + Duration::from_millis(millis), piece);
        }
        arrivals(&mut bus);
        bus.wire.faults.clear(None, None);
        bus.servo_mut(0).unwrap().put("id", 1);
        bus.on_bytes(NOW + Duration::from_secs(1), ping.as_bytes());
        let last = arrivals(&mut bus).pop().map(|(_, bytes)| bytes[2]);
        prop_assert_eq!(last, Some(1));
    }
}

/// Bytes of which many make up requests.
fn byte_of_a_request() -> impl Strategy<Value = u8> {
    prop_oneof![3 => Just(0xFF), 2 => 0..12_u8, 1 => Just(0xFE), 1 => any::<u8>()]
}

fn goal(bus: &mut Bus, servo: usize) -> i64 {
    bus.servo_mut(servo).unwrap().get("goal_position").unwrap()
}

fn id(raw: u8) -> Id {
    Id::new(raw).unwrap()
}

fn config(servos: u8) -> BusConfig {
    BusConfig::new((1..=servos).map(id))
}

fn unpaced(servos: u8) -> Bus {
    Bus::new(config(servos), NOW)
}

fn paced(servos: u8, change: impl FnOnce(&mut BusConfig)) -> Bus {
    let mut config = BusConfig { pace_bps: Some(1_000_000), ..config(servos) };
    change(&mut config);
    Bus::new(config, NOW)
}

fn request(servos: u8) -> Frame {
    let ids: Vec<Id> = (1..=servos).map(id).collect();
    Frame::sync_read(PRESENT_BLOCK.address, PRESENT_BLOCK.len, &ids).unwrap()
}

fn arrivals(bus: &mut Bus) -> Vec<(Time, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some(at) = bus.next_due() {
        let mut bytes = Vec::new();
        bus.take_due(at, &mut bytes);
        all.push((at, bytes));
    }
    all
}

fn ask(bus: &mut Bus, request: &[u8]) -> Vec<u8> {
    bus.on_bytes(NOW, request);
    let mut out = Vec::new();
    bus.take_due(NOW, &mut out);
    out
}

fn check(bus: &mut Bus, request: &[u8], answer: &[u8]) {
    assert_eq!(ask(bus, request), answer, "to {request:02x?}");
}
