use super::*;
use crate::protocol::feetech::Id;
use crate::protocol::feetech::registers::{
    GOAL_POSITION, LOCK, MAX_ANGLE, MIN_ANGLE, POSITION_OFFSET, PRESENT_LOAD, PRESENT_POSITION, STATUS,
    TORQUE_ENABLE, TORQUE_LIMIT,
};

#[test]
fn it_powers_up_without_torque_where_it_stands() {
    let mut servo = servo(|config| config.position = 1500.0);
    servo.advance(secs(1.0));
    assert_eq!(servo.value(&TORQUE_ENABLE), 0);
    assert_eq!(servo.value(&PRESENT_POSITION), 1500);
}

#[test]
fn it_goes_to_its_goal_once_it_has_torque() {
    let mut servo = servo(|_| {});
    write(&mut servo, &GOAL_POSITION, 3000);
    servo.advance(secs(1.0));
    assert_eq!(servo.value(&PRESENT_POSITION), 2048);
    write(&mut servo, &TORQUE_ENABLE, 1);
    servo.advance(secs(2.0));
    assert_eq!(servo.value(&PRESENT_POSITION), 3000);
}

#[test]
fn a_servo_that_takes_its_present_position_does_not_jump() {
    let mut servo = servo(|config| {
        config.position = 1500.0;
        config.goal_while_off = GoalWhileOff::Present;
    });
    write(&mut servo, &GOAL_POSITION, 3000);
    write(&mut servo, &TORQUE_ENABLE, 1);
    servo.advance(secs(1.0));
    assert_eq!(servo.value(&PRESENT_POSITION), 1500);
    assert_eq!(servo.value(&GOAL_POSITION), 1500);
}

#[test]
fn goals_are_kept_within_the_angle_limits() {
    let mut servo = servo(|_| {});
    write(&mut servo, &MIN_ANGLE, 1000);
    write(&mut servo, &MAX_ANGLE, 3000);
    write(&mut servo, &TORQUE_ENABLE, 1);
    write(&mut servo, &GOAL_POSITION, 4000);
    servo.advance(secs(1.0));
    assert_eq!(servo.value(&PRESENT_POSITION), 3000);
}

#[test]
fn torque_128_makes_the_present_position_the_middle_for_good() {
    let mut servo = servo(|config| config.position = 1500.0);
    write(&mut servo, &TORQUE_ENABLE, 128);
    servo.advance(secs(0.1));
    assert_eq!(servo.value(&PRESENT_POSITION), 2048);
    assert_eq!(servo.value(&POSITION_OFFSET), 1500 - 2048);
    servo.power_cycle(secs(0.2));
    assert_eq!(servo.value(&PRESENT_POSITION), 2048);
}

#[test]
fn an_overload_leaves_the_protective_torque_until_torque_is_switched() {
    let mut servo = servo(|_| {});
    servo.motor_mut().block(2100.0);
    write(&mut servo, &TORQUE_ENABLE, 1);
    write(&mut servo, &GOAL_POSITION, 3000);
    servo.advance(secs(1.9));
    assert_eq!(servo.alarms(), Alarms::NONE);
    assert_eq!(servo.value(&PRESENT_LOAD), 1000);
    servo.advance(secs(2.5));
    assert_eq!(servo.alarms(), Alarms::OVERLOAD);
    assert_eq!(servo.value(&STATUS), 32);
    servo.advance(secs(4.0));
    assert_eq!(servo.value(&PRESENT_LOAD), 200);
    servo.motor_mut().unblock();
    servo.advance(secs(8.0));
    assert_eq!(servo.alarms(), Alarms::OVERLOAD);
    write(&mut servo, &TORQUE_ENABLE, 0);
    write(&mut servo, &TORQUE_ENABLE, 1);
    assert_eq!(servo.alarms(), Alarms::NONE);
}

#[test]
fn a_stubborn_overload_needs_a_power_cycle() {
    let mut servo = servo(|config| config.stubborn_overload = true);
    servo.motor_mut().block(2100.0);
    write(&mut servo, &TORQUE_ENABLE, 1);
    write(&mut servo, &GOAL_POSITION, 3000);
    servo.advance(secs(3.0));
    write(&mut servo, &TORQUE_ENABLE, 0);
    assert_eq!(servo.alarms(), Alarms::OVERLOAD);
    servo.power_cycle(secs(3.1));
    assert_eq!(servo.alarms(), Alarms::NONE);
}

#[test]
fn too_hot_a_servo_lets_go() {
    let mut servo = servo(|config| config.load = 0.3);
    write(&mut servo, &TORQUE_ENABLE, 1);
    servo.advance(secs(1.0));
    servo.motor_mut().heat_to(75.0);
    servo.advance(secs(2.0));
    assert_eq!(servo.alarms(), Alarms::OVERHEAT);
    assert!(servo.value(&PRESENT_POSITION) < 1800);
}

#[test]
fn a_low_supply_is_an_alarm_that_takes_no_torque() {
    let mut servo = servo(|_| {});
    write(&mut servo, &TORQUE_ENABLE, 1);
    servo.set_voltage(3.5);
    write(&mut servo, &GOAL_POSITION, 2500);
    servo.advance(secs(1.0));
    assert_eq!(servo.alarms(), Alarms::VOLTAGE);
    assert_eq!(servo.value(&PRESENT_POSITION), 2500);
    servo.set_voltage(7.4);
    servo.advance(secs(1.1));
    assert_eq!(servo.alarms(), Alarms::NONE);
}

#[test]
fn the_torque_limit_bounds_the_effort() {
    let mut servo = servo(|_| {});
    servo.motor_mut().block(2100.0);
    write(&mut servo, &TORQUE_LIMIT, 300);
    write(&mut servo, &TORQUE_ENABLE, 1);
    write(&mut servo, &GOAL_POSITION, 3000);
    servo.advance(secs(3.0));
    assert_eq!(servo.value(&PRESENT_LOAD), 300);
    assert_eq!(servo.alarms(), Alarms::NONE);
}

#[test]
fn a_registered_write_waits_for_its_action() {
    let mut servo = servo(|_| {});
    write(&mut servo, &TORQUE_ENABLE, 1);
    servo.register_write(GOAL_POSITION.address, &[0xB8, 0x0B]);
    servo.advance(secs(1.0));
    assert_eq!((servo.value(&PRESENT_POSITION), servo.value(&registers::REGISTERED)), (2048, 1));
    assert_eq!(servo.act(), Some((GOAL_POSITION.address, vec![0xB8, 0x0B])));
    servo.advance(secs(2.0));
    assert_eq!((servo.value(&PRESENT_POSITION), servo.value(&registers::REGISTERED)), (3000, 0));
    assert_eq!(servo.act(), None);
}

#[test]
fn a_reset_keeps_the_id_alone() {
    let mut servo = servo(|_| {});
    write(&mut servo, &LOCK, 0);
    write(&mut servo, &registers::RETURN_DELAY, 250);
    assert_eq!(servo.return_delay(), Duration::from_micros(500));
    servo.reset(secs(1.0));
    assert_eq!(servo.return_delay(), Duration::ZERO);
    assert_eq!(servo.id(), 4);
}

#[test]
fn a_goal_time_sets_the_speed() {
    let mut servo = servo(|_| {});
    write(&mut servo, &TORQUE_ENABLE, 1);
    servo.write(GOAL_POSITION.address, &[0xE8, 0x0B, 0xE8, 0x03, 0x00, 0x00]);
    servo.advance(secs(0.5));
    assert!((servo.value(&PRESENT_POSITION) - 2548).abs() < 20, "{}", servo.value(&PRESENT_POSITION));
}

#[test]
fn wheel_mode_turns_and_wraps() {
    let mut servo = servo(|_| {});
    write(&mut servo, &registers::MODE, 1);
    write(&mut servo, &TORQUE_ENABLE, 1);
    write(&mut servo, &registers::GOAL_SPEED, -1000);
    servo.advance(secs(3.0));
    assert_eq!(servo.value(&registers::PRESENT_SPEED), -1000);
    assert!((0..4096).contains(&servo.value(&PRESENT_POSITION)));
}

fn servo(change: impl FnOnce(&mut ServoConfig)) -> FeetechServo {
    let mut config = ServoConfig::new(Id::new(4).unwrap());
    change(&mut config);
    FeetechServo::new(crate::servo::emulator::feetech::model::STS, &config, Time(0))
}

fn write(servo: &mut FeetechServo, register: &Register, value: i32) {
    servo.write(register.address, register.encode(value).unwrap().as_ref());
}

fn secs(secs: f64) -> Time {
    Time(0).plus_secs(secs)
}
