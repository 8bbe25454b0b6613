//! One emulated servo: registers, a motor, and the firmware between them.
//!
//! Told the time by whoever calls it; knows nothing of the wire. Before anything is read or written the
//! servo is brought up to that moment, so it costs nothing while nobody looks.

use std::time::Duration;

use crate::protocol::feetech::registers::{self, Register};
use crate::protocol::feetech::{Alarms, Id};
use crate::units::Time;

use super::memory::{Memory, touches};
use super::motor::{Aim, Drive, Motor, MotorConfig};
use super::protection::{Measured, Protection};

/// What happens to the goal while the torque is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GoalWhileOff {
    /// It stays, and the servo jumps to it when torque comes on: what a careful host must expect.
    #[default]
    Kept,
    /// Torque comes on with the present position as the goal.
    Present,
}

/// What one servo is like.
#[derive(Clone, Debug)]
pub struct ServoConfig {
    /// Its address.
    pub id: Id,
    /// Where it stands at power-on (ticks).
    pub position: f64,
    /// Its motor.
    pub motor: MotorConfig,
    /// What pulls at it, as a part of the stall torque; positive pulls toward falling ticks.
    pub load: f64,
    /// The supply (V).
    pub voltage: f64,
    /// Whether it jumps when torque comes on.
    pub goal_while_off: GoalWhileOff,
    /// Overload stays until a power cycle, whatever the torque switch does.
    pub stubborn_overload: bool,
}

impl ServoConfig {
    /// An STS3215 at 7.4 V, in the middle, with nothing pulling at it.
    pub fn new(id: Id) -> Self {
        Self {
            id,
            position: 2048.0,
            motor: MotorConfig::default(),
            load: 0.0,
            voltage: 7.4,
            goal_while_off: GoalWhileOff::default(),
            stubborn_overload: false,
        }
    }
}

#[derive(Clone, Debug)]
struct Pending {
    address: u8,
    data: Vec<u8>,
}

/// One servo, as the wire sees it.
#[derive(Clone, Debug)]
pub struct EmulatedServo {
    memory: Memory,
    motor: Motor,
    protection: Protection,
    forced: Alarms,
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

impl EmulatedServo {
    /// How long the motor runs between two looks of the protection.
    const LOOK: Duration = Duration::from_millis(10);

    /// Powers a servo up: torque off.
    pub fn new(config: &ServoConfig, now: Time) -> Self {
        let mut motor = Motor::new(config.motor, config.position);
        motor.set_load(config.load);
        let mut servo = Self {
            memory: Memory::from_factory(config.id.raw()),
            motor,
            protection: Protection::default(),
            forced: Alarms::NONE,
            pending: None,
            target: config.position,
            goal_speed: 0.0,
            voltage: config.voltage,
            goal_while_off: config.goal_while_off,
            stubborn_overload: config.stubborn_overload,
            updated: now,
            asleep_until: now,
        };
        servo.power_cycle(now);
        servo
    }

    /// The id that it answers to.
    pub fn id(&self) -> u8 {
        u8::try_from(self.value(&registers::ID)).unwrap_or(0)
    }

    /// How long it waits before it answers.
    pub fn return_delay(&self) -> Duration {
        Duration::from_micros(2 * self.value(&registers::RETURN_DELAY).unsigned_abs() as u64)
    }

    /// Whether it answers writes.
    pub fn answers_everything(&self) -> bool {
        self.value(&registers::RESPONSE_LEVEL) != 0
    }

    /// What it complains of.
    pub fn alarms(&self) -> Alarms {
        self.protection.alarms() | self.forced
    }

    /// The value of a register, as it was when last brought up to date.
    pub fn value(&self, register: &Register) -> i32 {
        self.memory.value(register)
    }

    /// The motor, to look at.
    pub fn motor(&self) -> &Motor {
        &self.motor
    }

    /// The motor, to do something to it from outside.
    pub fn motor_mut(&mut self) -> &mut Motor {
        &mut self.motor
    }

    /// Gives it that supply (V).
    pub fn set_voltage(&mut self, voltage: f64) {
        self.voltage = voltage;
    }

    /// Makes it complain, until it is told otherwise.
    pub fn force_alarms(&mut self, alarms: Alarms) {
        self.forced = alarms;
    }

    /// Moves it by hand to what its position register then says.
    pub fn put_at(&mut self, ticks: f64) {
        self.motor.put(ticks + f64::from(self.value(&registers::POSITION_OFFSET)));
    }

    /// Where the encoder stands when the position register says `ticks`.
    pub fn encoder_at(&self, ticks: f64) -> f64 {
        ticks + f64::from(self.value(&registers::POSITION_OFFSET))
    }

    /// Sets a register, whoever may write it, with what that brings about.
    pub fn put(&mut self, register: &Register, value: i32) {
        self.memory.put(register, value);
        self.react(register.address, usize::from(register.size));
    }

    /// Brings it up to the moment; a moment that has passed changes nothing.
    pub fn advance(&mut self, now: Time) {
        let mut left = now.saturating_since(self.updated);
        if left.is_zero() {
            return;
        }
        self.updated = now;
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
            self.protection.judge(measured, elapsed, &self.memory);
        }
        self.tell();
    }

    /// `len` bytes of registers from `address` on.
    pub fn read(&self, address: u8, len: u8) -> impl Iterator<Item = u8> {
        self.memory.bytes(address, len)
    }

    /// Takes a write, with what it brings about.
    pub fn write(&mut self, address: u8, data: &[u8]) {
        let had_torque = self.has_torque();
        self.memory.write(address, data);
        if touches(address, data.len(), &registers::TORQUE_ENABLE) {
            self.on_torque_switch(had_torque);
        }
        self.react(address, data.len());
    }

    /// Keeps a write for the next action; a later one replaces it.
    pub fn register_write(&mut self, address: u8, data: &[u8]) {
        self.pending = Some(Pending { address, data: data.to_vec() });
        self.memory.put(&registers::REGISTERED, 1);
    }

    /// Carries out the write that was kept; gives its address and data.
    pub fn act(&mut self) -> Option<(u8, Vec<u8>)> {
        let Pending { address, data } = self.pending.take()?;
        self.memory.put(&registers::REGISTERED, 0);
        self.write(address, &data);
        Some((address, data))
    }

    /// Starts again: RAM is lost, the torque is off.
    pub fn power_cycle(&mut self, now: Time) {
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

    /// The supply breaks down: RAM is lost, and nothing is heard or said until it is back.
    pub fn brown_out(&mut self, now: Time, until: Time) {
        self.power_cycle(now);
        self.asleep_until = until;
    }

    /// Whether it has the power to listen.
    pub fn is_awake(&self, now: Time) -> bool {
        self.asleep_until <= now
    }

    /// Back to the factory's registers; the id stays.
    pub fn reset(&mut self, now: Time) {
        self.memory.reset();
        self.power_cycle(now);
    }

    /// Makes the present position read 2048, for good.
    pub fn calibrate_offset(&mut self) {
        #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
        let offset = self.motor.position().round() as i32 - 2048;
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
        if touches(address, len, &registers::GOAL_POSITION) {
            let goal = f64::from(self.value(&registers::GOAL_POSITION));
            let is_stepwise = self.value(&registers::MODE) == 3;
            self.target = if is_stepwise { self.target + goal } else { self.within_limits(goal) };
            self.goal_speed = self.speed_for(self.target - self.motor.position());
        } else if touches(address, len, &registers::GOAL_SPEED) {
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
            effort_limit: limit.min(1.0) * self.protection.effort_left(&self.memory),
            stiffness: value(&registers::POSITION_P) / f64::from(registers::POSITION_P.default),
        }
    }

    /// Puts what it measures into the registers that tell it.
    #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
    fn tell(&mut self) {
        let Self { memory, motor, .. } = self;
        let offset = memory.value(&registers::POSITION_OFFSET);
        let is_turning_freely = matches!(memory.value(&registers::MODE), 1 | 2);
        let position = motor.position().round() as i32 - offset;
        let position = if is_turning_freely { position.rem_euclid(4096) } else { position };
        let is_moving = f64::from(memory.value(&registers::MOVING_THRESHOLD)) < motor.speed().abs();
        memory.put(&registers::PRESENT_POSITION, position);
        memory.put(&registers::PRESENT_SPEED, motor.speed().round() as i32);
        memory.put(&registers::PRESENT_LOAD, (motor.duty() * 1000.0).round() as i32);
        memory.put(&registers::PRESENT_VOLTAGE, (self.voltage * 10.0).round() as i32);
        memory.put(&registers::PRESENT_TEMPERATURE, motor.temperature().round() as i32);
        memory.put(&registers::PRESENT_CURRENT, (motor.current_a() / Protection::AMPERES).round() as i32);
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
