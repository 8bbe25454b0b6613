use super::*;
use crate::protocol::wire::Answers;
use crate::servo::emulator::bus::Bus;
use crate::servo::emulator::family::FamilyName;
use crate::servo::emulator::faults::{Fault, Kind};

const NOW: Time = Time(1_000_000_000);

/// Who answered, whether with the alert, with which error, and what.
type Told = (u8, bool, u8, Vec<u8>);

#[test]
fn it_answers_as_the_manual_says() {
    let mut bus = bus(1);
    let header = [0xFF, 0xFF, 0xFD, 0, 1];
    let ok = [&header[..], &[4, 0, 0x55, 0, 0xA1, 0x0C]].concat();
    assert_eq!(bytes(&mut bus, Frame::write(id(1), 64, &[1]).unwrap()), ok);
    let zero = [&header[..], &[5, 0, 0x55, 0, 0, 0x53, 0x21]].concat();
    assert_eq!(bytes(&mut bus, Frame::read(id(1), 70, 1).unwrap()), zero);
    assert_eq!(ask(&mut bus, Frame::ping(id(1)).unwrap()), [(1, false, 0, vec![0xFC, 3, 45])]);
}

#[test]
fn reads_of_several_servos_come_one_after_another_or_in_one_packet() {
    let mut bus = bus(3);
    let ids = [id(3), id(1), id(2)];
    let expected: Vec<Told> = [3, 1, 2].map(|id| (id, false, 0, vec![0, 8, 0, 0])).to_vec();
    assert_eq!(ask(&mut bus, Frame::sync_read(132, 4, &ids).unwrap()), expected);
    let fast = bytes(&mut bus, Frame::fast_sync_read(132, 4, &ids).unwrap());
    assert_eq!(fast.len(), 32);
    assert_eq!(read_jointly(&fast, 4), expected);
    let parts = [Part { id: id(2), address: 146, len: 1 }, Part { id: id(1), address: 132, len: 4 }];
    let expected = [(2, false, 0, vec![25]), (1, false, 0, vec![0, 8, 0, 0])];
    assert_eq!(ask(&mut bus, Frame::bulk_read(&parts).unwrap()), expected);
    let fast = bytes(&mut bus, Frame::fast_bulk_read(&parts).unwrap());
    let told: Vec<u8> = crate::protocol::dynamixel::joint::split(&fast, [1, 4].into_iter())
        .map(|status| status.id.raw())
        .collect();
    assert_eq!(told, [2, 1]);
}

#[test]
fn a_missing_servo_ends_a_joint_answer_and_delays_others() {
    let mut bus = bus(2);
    let ids = [id(1), id(9), id(2)];
    let fast = bytes(&mut bus, Frame::fast_sync_read(132, 4, &ids).unwrap());
    assert_eq!(read_jointly(&fast, 4), [(1, false, 0, vec![0, 8, 0, 0])]);
    assert_eq!(ask(&mut bus, Frame::sync_read(132, 4, &ids).unwrap()).len(), 2);
}

#[test]
fn old_firmware_says_nothing_to_a_fast_read() {
    let mut config = BusConfig::of(FamilyName::Dynamixel2, [id(1)]);
    config.servos[0].knows_fast_reads = false;
    let mut bus = Bus::new(config, NOW);
    assert!(bytes(&mut bus, Frame::fast_sync_read(132, 4, &[id(1)]).unwrap()).is_empty());
}

#[test]
fn a_joint_answer_is_paced_as_its_bytes() {
    let mut config = BusConfig::of(FamilyName::Dynamixel2, (1..=6).map(id));
    config.pace_bps = Some(1_000_000);
    let mut bus = Bus::new(config, NOW);
    bus.each_servo(|servo| assert!(servo.put("return_delay_time", 0)));
    let ids: Vec<Id> = (1..=6).map(id).collect();
    bus.on_bytes(NOW, Frame::fast_sync_read(126, 10, &ids).unwrap().as_bytes());
    let mut last = NOW;
    while let Some(at) = bus.next_due() {
        last = at;
        bus.take_due(at, &mut Vec::new());
    }
    assert_eq!(last, NOW + Duration::from_micros(10 * (20 + 92)));
}

#[test]
fn what_is_refused_is_answered_with_its_code_unless_everybody_was_meant() {
    let mut bus = bus(2);
    assert_eq!(ask(&mut bus, Frame::write(id(1), 64, &[2]).unwrap()), [(1, false, 4, vec![])]);
    assert_eq!(ask(&mut bus, Frame::action(id(1)).unwrap()), [(1, false, 2, vec![])]);
    assert_eq!(ask(&mut bus, Frame::write(Target::All, 64, &[2]).unwrap()), []);
    let bad =
        Frame::instruction(id(1), crate::protocol::dynamixel::packet::Instruction::Clear, &[1]).unwrap();
    assert_eq!(ask(&mut bus, bad), [(1, false, 2, vec![])]);
}

#[test]
fn the_return_level_decides_who_is_answered() {
    let mut bus = bus(1);
    ask(&mut bus, Frame::write(id(1), 68, &[1]).unwrap());
    assert_eq!(ask(&mut bus, Frame::write(id(1), 65, &[1]).unwrap()), []);
    assert_eq!(ask(&mut bus, Frame::read(id(1), 68, 1).unwrap()), [(1, false, 0, vec![1])]);
    ask(&mut bus, Frame::write(id(1), 68, &[0]).unwrap());
    assert_eq!(ask(&mut bus, Frame::read(id(1), 68, 1).unwrap()), []);
    assert_eq!(ask(&mut bus, Frame::ping(id(1)).unwrap()).len(), 1);
}

#[test]
fn a_registered_write_waits_for_its_action() {
    let mut bus = bus(2);
    for servo in [1, 2] {
        ask(&mut bus, Frame::reg_write(id(servo), 116, &[0xB8, 0x0B, 0, 0]).unwrap());
    }
    assert_eq!(ask(&mut bus, Frame::read(id(1), 69, 1).unwrap()), [(1, false, 0, vec![1])]);
    assert_eq!(bus.servo_mut(0).unwrap().get("goal_position"), Some(2048));
    ask(&mut bus, Frame::action(Target::All).unwrap());
    assert_eq!(bus.servo_mut(1).unwrap().get("goal_position"), Some(3000));
}

#[test]
fn a_shadow_obeys_and_does_not_answer() {
    let mut bus = bus(2);
    ask(&mut bus, Frame::write(id(2), 12, &[1]).unwrap());
    let goal = Frame::write(id(1), 116, &[0xB8, 0x0B, 0, 0]).unwrap();
    assert_eq!(ask(&mut bus, goal), [(1, false, 0, vec![])]);
    assert_eq!(bus.servo_mut(1).unwrap().get("goal_position"), Some(3000));
}

#[test]
fn a_servo_whose_speed_was_changed_answers_on() {
    let mut bus = bus(1);
    assert_eq!(ask(&mut bus, Frame::write(id(1), 8, &[4]).unwrap()).len(), 1);
    assert_eq!(ask(&mut bus, Frame::ping(id(1)).unwrap()).len(), 1);
}

#[test]
fn an_alarm_comes_as_the_alert_beside_good_data_and_in_register_70() {
    let mut bus = bus(1);
    let kind = Kind::Alarm(Alarms::OVERLOAD);
    bus.wire.faults.inject(Fault { kind, id: None, probability: 1.0, count: Some(2) });
    assert_eq!(ask(&mut bus, Frame::read(id(1), 132, 4).unwrap()), [(1, true, 0, vec![0, 8, 0, 0])]);
    assert_eq!(ask(&mut bus, Frame::read(id(1), 70, 1).unwrap()), [(1, true, 0, vec![32])]);
    assert_eq!(ask(&mut bus, Frame::read(id(1), 70, 1).unwrap()), [(1, false, 0, vec![0])]);
}

#[test]
fn a_wrong_id_has_a_right_checksum() {
    let mut bus = bus(1);
    bus.wire.faults.inject(Fault { kind: Kind::WrongId, id: None, probability: 1.0, count: None });
    assert_eq!(ask(&mut bus, Frame::read(id(1), 132, 4).unwrap()), [(2, false, 0, vec![0, 8, 0, 0])]);
}

#[test]
fn after_a_reboot_it_is_deaf_for_a_while() {
    let mut bus = bus(1);
    assert_eq!(ask(&mut bus, Frame::reboot(id(1)).unwrap()).len(), 1);
    assert_eq!(ask(&mut bus, Frame::ping(id(1)).unwrap()), []);
    let later = NOW + Duration::from_millis(150);
    bus.on_bytes(later, Frame::ping(id(1)).unwrap().as_bytes());
    assert_eq!(bus.next_due(), Some(later));
}

fn id(raw: u8) -> Id {
    Id::new(raw).unwrap()
}

fn bus(servos: u8) -> Bus {
    Bus::new(BusConfig::of(FamilyName::Dynamixel2, (1..=servos).map(id)), NOW)
}

fn bytes(bus: &mut Bus, request: Frame) -> Vec<u8> {
    bus.on_bytes(NOW, request.as_bytes());
    let mut out = Vec::new();
    bus.take_due(NOW, &mut out);
    out
}

fn ask(bus: &mut Bus, request: Frame) -> Vec<Told> {
    let answer = bytes(bus, request);
    read(Decoder::new(Direction::Replies), &answer)
}

fn read_jointly(answer: &[u8], len: usize) -> Vec<Told> {
    let mut decoder = Decoder::new(Direction::Replies);
    decoder.expect(Answers::Joint { len });
    read(decoder, answer)
}

fn read(mut decoder: Decoder, answer: &[u8]) -> Vec<Told> {
    assert_eq!(decoder.push(answer), answer.len());
    let mut told = Vec::new();
    while let Some(status) = decoder.next_status() {
        told.push((status.id.raw(), status.alert, status.code, status.data.to_vec()));
    }
    told
}
