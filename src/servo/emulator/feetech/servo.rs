//! One emulated Feetech servo: registers, a motor, and the firmware between them.
//!
//! Told the time by whoever calls it; knows nothing of the wire. Before anything is read or written the
//! servo is brought up to that moment, so it costs nothing while nobody looks.

use std::time::Duration;

use serde_json::json;

use super::memory::Memory;
use super::model::Model;
use crate::protocol::feetech::Alarms;
use crate::protocol::feetech::registers::{self, Register};
use crate::servo::emulator::family::{EmulatedServo, GoalWhileOff, ServoConfig, return_delay};
use crate::servo::emulator::motor::{Aim, Drive, Motor};
use crate::servo::emulator::protection::{Bearable, Measured, Protection};
use crate::units::Time;

#[derive(Clone, Debug)]
struct Pending {
    address: u8,
    data: Vec<u8>,
}

/// One servo, as the wire sees it.
#[derive(Clone, Debug)]
pub(super) struct FeetechServo {
    memory: Memory,
    motor: Motor,
    protection: Protection,
    pending: Option<Pending>,
    /// Where the position loop aims, by the encoder.
    target: f64,
    goal_speed: f64,
    voltage: f64,
    goal_while_off: GoalWhileOff,
    stubborn_overload: bool,
    updated: Time,
    asleep_until: Time,
}

impl EmulatedServo for FeetechServo {
    fn id(&self) -> u8 {
        u8::try_from(self.value(&registers::ID)).unwrap_or(0)
    }

    fn alarms(&self) -> Alarms {
        self.protection.alarms()
    }

    fn motor(&self) -> &Motor {
        &self.motor
    }

    fn motor_mut(&mut self) -> &mut Motor {
        &mut self.motor
    }

    fn set_voltage(&mut self, voltage: f64) {
        self.voltage = voltage;
    }

    fn put_at(&mut self, ticks: f64) {
        self.motor.put(ticks + f64::from(self.value(&registers::POSITION_OFFSET)));
    }

    fn encoder_at(&self, ticks: f64) -> f64 {
        ticks + f64::from(self.value(&registers::POSITION_OFFSET))
    }

    fn advance(&mut self, now: Time) {
        let mut left = now.saturating_since(self.updated);
        if left.is_zero() {
            return;
        }
        self.updated = now;
        let bearable = self.bearable();
        let look = Self::LOOK.max(left / 1000);
        while !left.is_zero() {
            let elapsed = look.min(left);
            left -= elapsed;
            let drive = self.drive();
            self.motor.advance(elapsed, &drive);
            let measured = Measured {
                duty: self.motor.duty(),
                current_a: self.motor.current_a(),
                temperature: self.motor.temperature(),
                voltage: self.voltage,
            };
            self.protection.judge(measured, elapsed, &bearable);
        }
        self.tell();
    }

    fn power_cycle(&mut self, now: Time) {
        self.advance(now);
        self.memory.power_cycle();
        self.protection = Protection::default();
        self.pending = None;
        if self.goal_while_off == GoalWhileOff::Present {
            self.aim_at_present();
        }
        self.react(registers::GOAL_POSITION.address, 2);
        self.tell();
    }

    fn brown_out(&mut self, now: Time, until: Time) {
        self.power_cycle(now);
        self.asleep_until = until;
    }

    fn is_awake(&self, now: Time) -> bool {
        self.asleep_until <= now
    }

    fn ticks_at(&self, radians: f64) -> f64 {
        let model = self.memory.model();
        f64::from(model.middle()) + radians * f64::from(model.ticks_per_turn) / std::f64::consts::TAU
    }

    fn get(&self, register: &str) -> Option<i64> {
        self.memory.model().named(register).map(|register| self.value(register).into())
    }

    #[expect(clippy::cast_possible_truncation, reason = "clamped")]
    fn put(&mut self, register: &str, value: i64) -> bool {
        let Some(register) = self.memory.model().named(register) else { return false };
        self.put_value(register, value.clamp(i32::MIN.into(), i32::MAX.into()) as i32);
        true
    }

    fn state(&self) -> serde_json::Value {
        json!({
            "id": self.id(),
            "position": self.value(&registers::PRESENT_POSITION),
            "speed": self.value(&registers::PRESENT_SPEED),
            "load": self.value(&registers::PRESENT_LOAD),
            "goal": self.value(&registers::GOAL_POSITION),
            "torque": self.value(&registers::TORQUE_ENABLE),
            "torque_limit": self.value(&registers::TORQUE_LIMIT),
            "temperature": self.motor.temperature(),
            "voltage": f64::from(self.value(&registers::PRESENT_VOLTAGE)) / 10.0,
            "alarms": self.alarms().to_string(),
        })
    }
}

impl FeetechServo {
    /// How long the motor runs between two looks of the protection.
    const LOOK: Duration = Duration::from_millis(10);
    /// Amperes of one unit of the current registers.
    const AMPERES: f64 = 0.0065;

    /// Powers a servo up: torque off.
    pub(super) fn new(model: &'static Model, config: &ServoConfig, now: Time) -> Self {
        let mut motor = Motor::new(config.motor, config.position);
        motor.set_load(config.load);
        let mut servo = Self {
            memory: Memory::from_factory(model, config.id.raw()),
            motor,
            protection: Protection::default(),
            pending: None,
            target: config.position,
            goal_speed: 0.0,
            voltage: config.voltage,
            goal_while_off: config.goal_while_off,
            stubborn_overload: config.stubborn_overload,
            updated: now,
            asleep_until: now,
        };
        for (register, value) in &config.registers {
            if let (Some(register), Ok(value)) = (model.named(register), i32::try_from(*value)) {
                servo.memory.keep(register, value);
            }
        }
        servo.power_cycle(now);
        servo
    }

    /// How long it waits before it answers.
    pub(super) fn return_delay(&self) -> Duration {
        return_delay(self.value(&registers::RETURN_DELAY).into())
    }

    /// Whether it answers writes.
    pub(super) fn answers_everything(&self) -> bool {
        self.value(&registers::RESPONSE_LEVEL) != 0
    }

    /// The value of a register, as it was when last brought up to date.
    pub(super) fn value(&self, register: &Register) -> i32 {
        self.memory.value(register)
    }

    /// Sets a register, whoever may write it, with what that brings about.
    pub(super) fn put_value(&mut self, register: &Register, value: i32) {
        self.memory.put(register, value);
        self.react(register.address, usize::from(register.size));
    }

    /// `len` bytes of registers from `address` on.
    pub(super) fn read(&self, address: u8, len: u8) -> impl Iterator<Item = u8> {
        self.memory.bytes(address, len)
    }

    /// Takes a write, with what it brings about.
    pub(super) fn write(&mut self, address: u8, data: &[u8]) {
        let had_torque = self.has_torque();
        self.memory.write(address, data);
        if self.memory.touches(address, data.len(), &registers::TORQUE_ENABLE) {
            self.on_torque_switch(had_torque);
        }
        self.react(address, data.len());
    }

    /// Keeps a write for the next action; a later one replaces it.
    pub(super) fn register_write(&mut self, address: u8, data: &[u8]) {
        self.pending = Some(Pending { address, data: data.to_vec() });
        self.memory.put(&registers::REGISTERED, 1);
    }

    /// Carries out the write that was kept; gives its address and data.
    pub(super) fn act(&mut self) -> Option<(u8, Vec<u8>)> {
        let Pending { address, data } = self.pending.take()?;
        self.memory.put(&registers::REGISTERED, 0);
        self.write(address, &data);
        Some((address, data))
    }

    /// Back to the factory's registers; the id stays.
    pub(super) fn reset(&mut self, now: Time) {
        self.memory.reset();
        self.power_cycle(now);
    }

    /// Makes the present position read as the middle, for good.
    pub(super) fn calibrate_offset(&mut self) {
        #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
        let offset = self.motor.position().round() as i32 - self.memory.model().middle();
        self.memory.keep(&registers::POSITION_OFFSET, offset);
        self.aim_at_present();
        self.tell();
    }

    fn has_torque(&self) -> bool {
        self.value(&registers::TORQUE_ENABLE) == 1
    }

    fn on_torque_switch(&mut self, had_torque: bool) {
        match self.value(&registers::TORQUE_ENABLE) {
            0 => {
                let overload = self.protection.alarms().contains(Alarms::OVERLOAD);
                if !(self.stubborn_overload && overload) {
                    self.protection.on_torque_off();
                }
            }
            128 => {
                self.memory.put(&registers::TORQUE_ENABLE, i32::from(had_torque));
                self.calibrate_offset();
            }
            _ if !had_torque && self.goal_while_off == GoalWhileOff::Present => self.aim_at_present(),
            _ => {}
        }
        self.tell();
    }

    fn aim_at_present(&mut self) {
        let offset = f64::from(self.value(&registers::POSITION_OFFSET));
        #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
        let present = (self.motor.position() - offset).round() as i32;
        self.memory.put(&registers::GOAL_POSITION, present);
        self.react(registers::GOAL_POSITION.address, 2);
    }

    /// What a change of these registers brings about.
    fn react(&mut self, address: u8, len: usize) {
        if self.memory.touches(address, len, &registers::GOAL_POSITION) {
            let goal = f64::from(self.value(&registers::GOAL_POSITION));
            let is_stepwise = self.value(&registers::MODE) == 3;
            self.target = if is_stepwise { self.target + goal } else { self.within_limits(goal) };
            self.goal_speed = self.speed_for(self.target - self.motor.position());
        } else if self.memory.touches(address, len, &registers::GOAL_SPEED) {
            self.goal_speed = self.speed_for(self.target - self.motor.position());
        }
    }

    /// The encoder position of a goal, kept within the angle limits.
    fn within_limits(&self, goal: f64) -> f64 {
        let least = f64::from(self.value(&registers::MIN_ANGLE));
        let most = f64::from(self.value(&registers::MAX_ANGLE));
        let is_limited = least < most;
        let goal = if is_limited { goal.clamp(least, most) } else { goal };
        goal + f64::from(self.value(&registers::POSITION_OFFSET))
    }

    /// The speed that the goal registers ask for over a distance; infinite where they leave it open.
    fn speed_for(&self, distance: f64) -> f64 {
        let speed = f64::from(self.value(&registers::GOAL_SPEED)).abs();
        let time = f64::from(self.value(&registers::GOAL_TIME)) * 1e-3;
        if 0.0 < speed {
            speed
        } else if 0.0 < time {
            (distance.abs() / time).max(1.0)
        } else {
            f64::INFINITY
        }
    }

    fn drive(&self) -> Drive {
        let value = |register| f64::from(self.value(register));
        let acceleration = value(&registers::ACCELERATION) * 100.0;
        let limit = value(&registers::TORQUE_LIMIT).min(value(&registers::MAX_TORQUE)) / 1000.0;
        let most = self.motor.config().max_speed_ticks_s;
        let aim = match self.value(&registers::MODE) {
            _ if !self.has_torque() => Aim::Free,
            1 => Aim::Speed(value(&registers::GOAL_SPEED)),
            2 => Aim::Speed(pwm_of(self.value(&registers::GOAL_TIME)) * most),
            _ => Aim::Position(self.target),
        };
        Drive {
            aim,
            speed_limit: self.goal_speed.min(most),
            acceleration_limit: if 0.0 < acceleration { acceleration } else { f64::INFINITY },
            effort_limit: limit.min(1.0) * self.effort_left(),
            stiffness: value(&registers::POSITION_P) / f64::from(registers::POSITION_P.default),
        }
    }

    /// What the protection lets pass, as the registers say it.
    fn bearable(&self) -> Bearable {
        let value = |register| f64::from(self.value(register));
        let patience = |register| Duration::from_secs_f64(value(register) * 0.01);
        Bearable {
            duty: value(&registers::OVERLOAD_TORQUE) / 100.0,
            duty_for: patience(&registers::PROTECTION_TIME),
            current_a: value(&registers::PROTECTION_CURRENT) * Self::AMPERES,
            current_for: patience(&registers::OVERCURRENT_TIME),
            temperature: value(&registers::MAX_TEMPERATURE),
            least_voltage: value(&registers::MIN_VOLTAGE) / 10.0,
            most_voltage: value(&registers::MAX_VOLTAGE) / 10.0,
        }
    }

    /// How much effort the protection leaves, as a part of the whole.
    fn effort_left(&self) -> f64 {
        let unloading = u8::try_from(self.value(&registers::UNLOADING_CONDITION)).unwrap_or(0);
        let alarms = self.alarms();
        let taking = |alarm| alarms.contains(alarm) && Alarms::from_bits(unloading).contains(alarm);
        if taking(Alarms::OVERHEAT) || taking(Alarms::VOLTAGE) {
            0.0
        } else if taking(Alarms::OVERLOAD) || taking(Alarms::OVERCURRENT) {
            f64::from(self.value(&registers::PROTECTIVE_TORQUE)) / 100.0
        } else {
            1.0
        }
    }

    /// Puts what it measures into the registers that tell it.
    #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
    fn tell(&mut self) {
        let Self { memory, motor, .. } = self;
        let offset = memory.value(&registers::POSITION_OFFSET);
        let is_turning_freely = matches!(memory.value(&registers::MODE), 1 | 2);
        let position = motor.position().round() as i32 - offset;
        let position =
            if is_turning_freely { position.rem_euclid(memory.model().ticks_per_turn) } else { position };
        let is_moving = f64::from(memory.value(&registers::MOVING_THRESHOLD)) < motor.speed().abs();
        memory.put(&registers::PRESENT_POSITION, position);
        memory.put(&registers::PRESENT_SPEED, motor.speed().round() as i32);
        memory.put(&registers::PRESENT_LOAD, (motor.duty() * 1000.0).round() as i32);
        memory.put(&registers::PRESENT_VOLTAGE, (self.voltage * 10.0).round() as i32);
        memory.put(&registers::PRESENT_TEMPERATURE, motor.temperature().round() as i32);
        memory.put(&registers::PRESENT_CURRENT, (motor.current_a() / Self::AMPERES).round() as i32);
        memory.put(&registers::MOVING, i32::from(is_moving));
        let alarms = self.alarms();
        self.memory.put(&registers::STATUS, i32::from(alarms.bits()));
    }
}

/// The output that the PWM register asks for: bit 10 is its sign.
fn pwm_of(raw: i32) -> f64 {
    let magnitude = f64::from(raw & 0x3FF) / 1000.0;
    if raw & 0x400 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
#[path = "servo_tests.rs"]
mod tests;
