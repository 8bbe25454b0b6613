use super::*;
use crate::protocol::lx16a::{Move, Target};
use crate::servo::emulator::bus::Bus;
use crate::servo::emulator::family::FamilyName;

const MS: Duration = Duration::from_millis(1);

#[test]
fn what_the_vendor_s_document_asks_is_answered_as_it_says() {
    let mut bus = power_up();
    assert_eq!(ask(&mut bus, Time(0), Command::PosRead), [0x55, 0x55, 0x01, 0x05, 0x1C, 0xF4, 0x01, 0xE8]);
    assert_eq!(ask(&mut bus, Time(0), Command::VinRead)[4..7], [27, 0xE8, 0x1C]);
    assert_eq!(ask(&mut bus, Time(0), Command::AngleLimitRead)[5..9], [0, 0, 0xE8, 0x03]);
    assert_eq!(ask(&mut bus, Time(0), Command::TempMaxRead)[5], 85);
}

#[test]
fn every_question_is_answered_and_every_order_is_not() {
    let mut bus = power_up();
    for command in Command::ALL {
        let answer = match command.reply_params() {
            Some(_) => ask(&mut bus, Time(0), command),
            None => {
                // Values that leave the servo where it can be asked.
                let params = &[1, 0, 200, 0][..command.params()];
                tell(&mut bus, Time(0), Frame::write(Target::One(id(1)), command, params).unwrap().as_bytes())
            }
        };
        assert_eq!(answer.len(), command.reply_params().map_or(0, |params| params + 6), "{command:?}");
    }
}

#[test]
fn a_loaded_servo_takes_the_time_that_a_move_says() {
    let mut bus = power_up();
    let mut now = Time(0);
    tell(&mut bus, now, Frame::load(Target::All, true).as_bytes());
    tell(&mut bus, now, Frame::move_time(id(1).into(), Move { position: 900, time_ms: 1000 }).as_bytes());
    now = now + 500 * MS;
    let halfway = position(&mut bus, now);
    assert!((680..=705).contains(&halfway), "{halfway}");
    now = now + 700 * MS;
    assert_eq!(position(&mut bus, now), 900);
}

#[test]
fn a_move_that_waits_begins_when_all_are_started() {
    let mut bus = power_up();
    tell(&mut bus, Time(0), Frame::load(Target::All, true).as_bytes());
    tell(&mut bus, Time(0), Frame::move_wait(id(1).into(), Move { position: 400, time_ms: 100 }).as_bytes());
    assert_eq!(position(&mut bus, Time(0) + 500 * MS), 500);
    let start = Frame::write(Target::All, Command::MoveStart, &[]).unwrap();
    tell(&mut bus, Time(0) + 500 * MS, start.as_bytes());
    assert_eq!(position(&mut bus, Time(0) + 1000 * MS), 400);
}

#[test]
fn an_unloaded_servo_stays() {
    let mut bus = power_up();
    tell(&mut bus, Time(0), Frame::move_time(id(1).into(), Move { position: 900, time_ms: 0 }).as_bytes());
    assert_eq!(position(&mut bus, Time(0) + 1000 * MS), 500);
}

#[test]
fn too_hot_it_lets_go_and_says_so_with_its_led() {
    let mut bus = power_up();
    tell(&mut bus, Time(0), Frame::load(Target::All, true).as_bytes());
    let servo = bus.servo_with_id(1, Time(0)).unwrap();
    servo.motor_mut().heat_to(90.0);
    servo.advance(Time(0) + 10 * MS);
    assert_eq!((servo.get("torque_enable"), servo.get("led_alarm")), (Some(0), Some(1)));
    servo.put("led_alarms", 0);
    assert_eq!(servo.get("led_alarm"), Some(0));
}

#[test]
fn an_offset_shifts_what_it_says_and_survives_a_loss_of_power_once_it_is_saved() {
    let mut bus = power_up();
    for saved in [false, true] {
        let adjust = Frame::write(id(1).into(), Command::OffsetAdjust, &[20]).unwrap();
        tell(&mut bus, Time(0), adjust.as_bytes());
        assert_eq!(position(&mut bus, Time(0)), 480);
        if saved {
            let save = Frame::write(id(1).into(), Command::OffsetSave, &[]).unwrap();
            tell(&mut bus, Time(0), save.as_bytes());
        }
        bus.servo_with_id(1, Time(0)).unwrap().power_cycle(Time(0));
        assert_eq!(position(&mut bus, Time(0)), if saved { 480 } else { 500 });
    }
}

fn power_up() -> Bus {
    Bus::new(BusConfig::of(FamilyName::Lx16a, [id(1)]), Time(0))
}

fn id(raw: u8) -> Id {
    Id::new(raw).unwrap()
}

fn position(bus: &mut Bus, now: Time) -> i16 {
    let answer = ask(bus, now, Command::PosRead);
    i16::from_le_bytes([answer[5], answer[6]])
}

fn ask(bus: &mut Bus, now: Time, command: Command) -> Vec<u8> {
    tell(bus, now, Frame::read(id(1), command).unwrap().as_bytes())
}

fn tell(bus: &mut Bus, now: Time, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    bus.on_bytes(now, bytes);
    bus.take_due(now, &mut out);
    out
}
