use super::*;
use crate::protocol::wire::Id;
use crate::servo::emulator::family::FamilyName;
use crate::servo::emulator::motor::MotorConfig;
use table::{
    BUS_WATCHDOG, GOAL_CURRENT, GOAL_POSITION, GOAL_PWM, GOAL_VELOCITY, HARDWARE_ERROR_STATUS, HOMING_OFFSET,
    MAX_POSITION_LIMIT, OPERATING_MODE, PRESENT_CURRENT, PRESENT_POSITION, PRESENT_VELOCITY,
    PROFILE_VELOCITY, SHUTDOWN, TEMPERATURE_LIMIT, TORQUE_ENABLE,
};

#[test]
fn it_goes_to_its_goal_once_it_has_torque() {
    let mut servo = servo();
    write(&mut servo, &GOAL_POSITION, 3000).unwrap();
    servo.advance(secs(1.0));
    assert_eq!(servo.value(&PRESENT_POSITION), 2048);
    write(&mut servo, &TORQUE_ENABLE, 1).unwrap();
    servo.advance(secs(2.0));
    assert_eq!(servo.value(&PRESENT_POSITION), 3000);
}

#[test]
fn a_profile_sets_the_speed() {
    let mut servo = servo();
    write(&mut servo, &TORQUE_ENABLE, 1).unwrap();
    write(&mut servo, &PROFILE_VELOCITY, 50).unwrap();
    write(&mut servo, &GOAL_POSITION, 4095).unwrap();
    servo.advance(secs(1.0));
    assert_eq!(servo.value(&PRESENT_VELOCITY), 50);
}

#[test]
fn eeprom_is_locked_while_torque_is_on() {
    let mut servo = servo();
    write(&mut servo, &TORQUE_ENABLE, 1).unwrap();
    assert_eq!(write(&mut servo, &SHUTDOWN, 20), Err(ErrorCode::Access));
    write(&mut servo, &TORQUE_ENABLE, 0).unwrap();
    write(&mut servo, &SHUTDOWN, 20).unwrap();
    servo.power_cycle(secs(0.1));
    assert_eq!(servo.value(&SHUTDOWN), 20);
}

#[test]
fn what_it_does_not_take_is_refused_with_the_reason() {
    let mut servo = servo();
    write(&mut servo, &MAX_POSITION_LIMIT, 3000).unwrap();
    write(&mut servo, &table::PWM_LIMIT, 500).unwrap();
    for (address, data, error) in [
        (116, &[0xB9, 0x0B, 0, 0][..], ErrorCode::DataLimit),
        (116, &[0, 0, 0x20, 0], ErrorCode::DataRange),
        (116, &[0, 8], ErrorCode::DataLength),
        (100, &[0xF5, 1], ErrorCode::DataLimit),
        (64, &[2], ErrorCode::DataRange),
        (11, &[2], ErrorCode::DataRange),
        (132, &[0, 0, 0, 0], ErrorCode::Access),
        (660, &[0, 0, 0], ErrorCode::Access),
        (168, &[2, 0], ErrorCode::DataRange),
        (168, &[132], ErrorCode::DataLength),
    ] {
        assert_eq!(servo.write(address, data), Err(error), "{address} {data:?}");
    }
    assert_eq!(servo.read(660, 3), Err(ErrorCode::Access));
}

#[test]
fn a_write_with_one_fault_changes_nothing() {
    let mut servo = servo();
    let before = servo.value(&GOAL_PWM);
    assert_eq!(servo.write(100, &[10, 0, 0xFF, 0x7F]), Err(ErrorCode::DataRange));
    assert_eq!(servo.value(&GOAL_PWM), before);
}

#[test]
fn indirect_addresses_gather_registers_for_reading_and_writing() {
    let mut servo = servo();
    let gathered = [132, 133, 134, 135, 146, 70, 144, 145];
    let pointers: Vec<u8> = gathered.iter().flat_map(|address: &u16| address.to_le_bytes()).collect();
    servo.write(168, &pointers).unwrap();
    assert_eq!(servo.read(224, 8), Ok(vec![0, 8, 0, 0, 25, 0, 120, 0]));
    let goal: Vec<u8> = (116..120).flat_map(|address: u16| address.to_le_bytes()).collect();
    servo.write(578, &goal).unwrap();
    servo.write(634, &[0xB8, 0x0B, 0, 0]).unwrap();
    assert_eq!(servo.value(&GOAL_POSITION), 3000);
}

#[test]
fn the_watchdog_stops_it_and_refuses_goals_until_it_is_given_a_zero() {
    let mut servo = servo();
    write(&mut servo, &BUS_WATCHDOG, 5).unwrap();
    servo.hear(secs(1.0));
    assert_eq!(servo.value(&BUS_WATCHDOG), 5, "without torque it does not count");
    write(&mut servo, &TORQUE_ENABLE, 1).unwrap();
    write(&mut servo, &PROFILE_VELOCITY, 50).unwrap();
    write(&mut servo, &GOAL_POSITION, 4095).unwrap();
    servo.advance(secs(1.099));
    assert_eq!(servo.value(&BUS_WATCHDOG), 5);
    servo.advance(secs(1.2));
    assert_eq!(servo.value(&BUS_WATCHDOG), -1);
    assert_eq!(servo.read(98, 1), Ok(vec![0xFF]));
    let stopped = servo.value(&PRESENT_POSITION);
    servo.advance(secs(2.0));
    assert!((servo.value(&PRESENT_POSITION) - stopped).abs() < 20);
    assert_eq!(write(&mut servo, &GOAL_POSITION, 2048), Err(ErrorCode::DataRange));
    assert_eq!(write(&mut servo, &BUS_WATCHDOG, 5), Err(ErrorCode::DataRange));
    write(&mut servo, &BUS_WATCHDOG, 0).unwrap();
    write(&mut servo, &GOAL_POSITION, 2048).unwrap();
    servo.advance(secs(4.0));
    assert_eq!(servo.value(&PRESENT_POSITION), 2048);
}

#[test]
fn any_instruction_feeds_the_watchdog() {
    let mut servo = servo();
    write(&mut servo, &BUS_WATCHDOG, 5).unwrap();
    write(&mut servo, &TORQUE_ENABLE, 1).unwrap();
    for tenths in 1..20 {
        servo.hear(secs(f64::from(tenths) * 0.09));
    }
    assert_eq!(servo.value(&BUS_WATCHDOG), 5);
}

#[test]
fn too_hot_a_servo_lets_go_until_it_is_rebooted() {
    let mut servo = servo();
    write(&mut servo, &TORQUE_ENABLE, 1).unwrap();
    servo.motor_mut().heat_to(90.0);
    servo.advance(secs(0.1));
    assert_eq!((servo.value(&TORQUE_ENABLE), servo.value(&HARDWARE_ERROR_STATUS)), (0, 4));
    assert!(servo.has_alert());
    servo.motor_mut().heat_to(30.0);
    write(&mut servo, &TORQUE_ENABLE, 1).unwrap();
    assert_eq!((servo.value(&TORQUE_ENABLE), servo.value(&HARDWARE_ERROR_STATUS)), (0, 4));
    servo.reboot(secs(0.2));
    assert!(!servo.is_awake(secs(0.25)) && servo.is_awake(secs(0.3)));
    assert_eq!(servo.value(&HARDWARE_ERROR_STATUS), 0);
    write(&mut servo, &TORQUE_ENABLE, 1).unwrap();
    assert_eq!(servo.value(&TORQUE_ENABLE), 1);
}

#[test]
fn an_error_that_shutdown_leaves_out_takes_no_torque() {
    let mut servo = servo();
    write(&mut servo, &SHUTDOWN, 0).unwrap();
    write(&mut servo, &TORQUE_ENABLE, 1).unwrap();
    servo.set_voltage(8.0);
    servo.advance(secs(0.1));
    assert_eq!((servo.value(&TORQUE_ENABLE), servo.value(&HARDWARE_ERROR_STATUS)), (1, 1));
    servo.set_voltage(12.0);
    servo.advance(secs(0.2));
    assert_eq!(servo.value(&HARDWARE_ERROR_STATUS), 0);
}

#[test]
fn modes_decide_what_a_goal_is() {
    let mut turning = servo();
    write(&mut turning, &OPERATING_MODE, 1).unwrap();
    write(&mut turning, &TORQUE_ENABLE, 1).unwrap();
    write(&mut turning, &GOAL_VELOCITY, -100).unwrap();
    turning.advance(secs(5.0));
    assert_eq!(turning.value(&PRESENT_VELOCITY), -100);
    assert!(turning.value(&PRESENT_POSITION) < -4096);

    let mut far = servo();
    write(&mut far, &OPERATING_MODE, 4).unwrap();
    write(&mut far, &TORQUE_ENABLE, 1).unwrap();
    write(&mut far, &GOAL_POSITION, 6000).unwrap();
    far.advance(secs(3.0));
    assert_eq!(far.value(&PRESENT_POSITION), 6000);

    let mut soft = servo();
    write(&mut soft, &OPERATING_MODE, 5).unwrap();
    write(&mut soft, &GOAL_CURRENT, 119).unwrap();
    write(&mut soft, &TORQUE_ENABLE, 1).unwrap();
    soft.motor_mut().block(2100.0);
    write(&mut soft, &GOAL_POSITION, 3000).unwrap();
    soft.advance(secs(1.0));
    assert!((80..=90).contains(&soft.value(&PRESENT_CURRENT)), "{}", soft.value(&PRESENT_CURRENT));
}

#[test]
fn the_homing_offset_moves_what_is_read_and_what_is_meant() {
    let mut servo = servo();
    write(&mut servo, &HOMING_OFFSET, -100).unwrap();
    servo.advance(secs(0.1));
    assert_eq!(servo.value(&PRESENT_POSITION), 1948);
    write(&mut servo, &TORQUE_ENABLE, 1).unwrap();
    write(&mut servo, &GOAL_POSITION, 2000).unwrap();
    servo.advance(secs(1.0));
    assert_eq!(servo.value(&PRESENT_POSITION), 2000);
    assert!((servo.motor().position() - 2100.0).abs() < 1.0);
}

#[test]
fn ram_is_lost_and_eeprom_is_kept() {
    let mut servo = servo();
    write(&mut servo, &TEMPERATURE_LIMIT, 60).unwrap();
    write(&mut servo, &BUS_WATCHDOG, 5).unwrap();
    servo.write(168, &[132, 0]).unwrap();
    servo.power_cycle(secs(0.1));
    assert_eq!((servo.value(&TEMPERATURE_LIMIT), servo.value(&BUS_WATCHDOG)), (60, 0));
    assert_eq!(servo.read(168, 2), Ok(vec![224, 0]));
}

fn servo() -> DynamixelServo {
    let config = FamilyName::Dynamixel2.servo(Id::new(4).unwrap());
    let config = ServoConfig { motor: MotorConfig { bandwidth_hz: 16.0, ..config.motor }, ..config };
    DynamixelServo::new(&config, 3, Time(0))
}

fn write(servo: &mut DynamixelServo, register: &Register, value: i64) -> Result<(), ErrorCode> {
    servo.write(u16::try_from(register.address).unwrap(), &register.encode(value))
}

fn secs(secs: f64) -> Time {
    Time(0).plus_secs(secs)
}
