use super::*;
use crate::protocol::pca9685::bridge::Message;
use crate::protocol::wire::Id;
use crate::servo::emulator::bus::Bus;
use crate::servo::emulator::family::FamilyName;

const ADDRESS: u8 = 0x40;

#[test]
fn the_prescaler_is_written_asleep_only() {
    let mut chip = Chip::new(25e6);
    assert_eq!(read(&mut chip, MODE1), MODE1_AT_RESET);
    chip.write(&[PRE_SCALE, 121]);
    chip.write(&[MODE1, AUTO_INCREMENT]);
    chip.write(&[PRE_SCALE, 30]);
    assert_eq!(read(&mut chip, PRE_SCALE), 121);
}

#[test]
fn a_burst_needs_the_address_to_grow_by_itself() {
    let mut chip = awake();
    chip.write(&[LED0_ON_L, 0, 0, 0x33, 0x01, 0, 0, 0x66, 0x02]);
    let pulses = [0, 1, 2].map(|channel| chip.pulse_us(channel).round());
    assert_eq!(pulses, [1498.0, 2996.0, 0.0]);
    let mut chip = awake();
    chip.write(&[MODE1, 0]);
    chip.write(&[LED0_ON_L, 0, 0, 0x33, 0x01]);
    assert_eq!(chip.pulse_us(0), 0.0);
}

#[test]
fn all_channels_are_switched_off_at_once_and_written_on_again_one_by_one() {
    let mut chip = awake();
    for channel in 0..16 {
        chip.write(&[LED0_ON_L + 4 * channel, 0, 0, 0x33, 0x01]);
    }
    chip.write(&[ALL_LED_ON_L + 2, 0, FULL]);
    assert!((0..16).all(|channel| chip.pulse_us(channel) == 0.0));
    chip.write(&[LED0_ON_L + 4, 0, 0, 0x33, 0x01]);
    assert!(chip.pulse_us(0) == 0.0 && 0.0 < chip.pulse_us(1));
}

#[test]
fn sleep_stops_the_pulses_until_a_restart() {
    let mut chip = awake();
    chip.write(&[LED0_ON_L, 0, 0, 0x33, 0x01]);
    chip.write(&[MODE1, AUTO_INCREMENT | SLEEP]);
    assert_eq!((chip.pulse_us(0), read(&mut chip, MODE1) & RESTART), (0.0, RESTART));
    chip.write(&[MODE1, AUTO_INCREMENT]);
    assert_eq!(chip.pulse_us(0), 0.0);
    chip.write(&[MODE1, AUTO_INCREMENT | RESTART]);
    assert!(0.0 < chip.pulse_us(0));
    assert_eq!(read(&mut chip, MODE1), AUTO_INCREMENT);
}

#[test]
fn an_oscillator_that_is_off_makes_other_pulses() {
    let mut chip = Chip::new(26e6);
    chip.write(&[PRE_SCALE, 121]);
    chip.write(&[MODE1, AUTO_INCREMENT]);
    chip.write(&[LED0_ON_L, 0, 0, 0x33, 0x01]);
    assert_eq!(chip.pulse_us(0).round(), 1441.0);
}

#[test]
fn behind_the_adapter_the_chip_answers_at_its_address_only() {
    let ids = [0, 1].map(|raw| Id::new(raw).unwrap());
    let mut bus = Bus::new(BusConfig::of(FamilyName::Pca9685, ids), Time(0));
    let mut say = |message: Option<Message>| {
        let mut out = Vec::new();
        bus.on_bytes(Time(0), message.and_then(Message::end).unwrap().as_bytes());
        bus.take_due(Time(0), &mut out);
        out
    };
    let mode_of = |address| Message::default().write(address, &[MODE1])?.read(address, 1);
    assert_eq!(say(mode_of(ADDRESS)), [MODE1_AT_RESET, 0xF0]);
    assert_eq!(say(mode_of(0x41)), [0xF1]);
    assert_eq!(say(Message::default().write(ADDRESS, &[PRE_SCALE, 121])), [0xF0]);
    assert_eq!(say(Message::default().write(ADDRESS, &[MODE1, AUTO_INCREMENT])), [0xF0]);
    assert_eq!(say(Message::default().write(ADDRESS, &[LED0_ON_L + 4, 0, 0, 0x33, 0x01])), [0xF0]);
    let pulses = [0, 1].map(|id| bus.servo_with_id(id, Time(0)).unwrap().get("pulse_us").unwrap());
    assert_eq!(pulses, [0, 1498]);
}

fn awake() -> Chip {
    let mut chip = Chip::new(25e6);
    chip.write(&[PRE_SCALE, 121]);
    chip.write(&[MODE1, AUTO_INCREMENT]);
    chip
}

fn read(chip: &mut Chip, address: u8) -> u8 {
    chip.write(&[address]);
    chip.read()
}
