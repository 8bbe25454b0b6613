//! One emulated Dynamixel: registers, a motor, and the firmware between them.
//!
//! Told the time by whoever calls it; knows nothing of the wire. Before anything is read or written the servo is
//! brought up to that moment.

use std::f64::consts::TAU;
use std::time::Duration;

use serde_json::json;

use super::memory::{Memory, Write};
use super::table::{self, Register};
use crate::protocol::dynamixel::ErrorCode;
use crate::protocol::dynamixel::packet::Reset;
use crate::protocol::feetech::Alarms;
use crate::servo::emulator::family::{EmulatedServo, GoalWhileOff, ServoConfig, return_delay};
use crate::servo::emulator::motor::{Aim, Drive, Motor};
use crate::servo::emulator::protection::{Bearable, Measured, Protection};
use crate::units::Time;

/// Ticks a second of one unit of the velocity registers: 0.229 rev/min.
pub(super) const VELOCITY_UNIT: f64 = 0.229 / 60.0 * 4096.0;
/// Ticks/s² of one unit of the acceleration register: 214.577 rev/min².
const ACCELERATION_UNIT: f64 = 214.577 / 3600.0 * 4096.0;
/// Amperes of one unit of the current registers.
const CURRENT_UNIT: f64 = 0.00269;
/// The current register's value that is all the motor can.
const FULL_CURRENT: f64 = 1193.0;
/// The PWM register's value that is the whole duty.
const FULL_PWM: f64 = 885.0;
/// The model that tells its load where the others tell their current (XL430-W250), and what it says of the whole duty.
const TELLS_LOAD: i64 = 1060;
const FULL_LOAD: f64 = 1000.0;

/// What each bit of register 70 stands for, as the emulator's alarms have it.
const ERROR_BITS: [(u8, Alarms); 5] = [
    (0, Alarms::VOLTAGE),
    (2, Alarms::OVERHEAT),
    (3, Alarms::ANGLE),
    (4, Alarms::OVERCURRENT),
    (5, Alarms::OVERLOAD),
];

/// The bits of register 70 for some alarms.
pub(super) fn error_bits(alarms: Alarms) -> u8 {
    ERROR_BITS.iter().filter(|(_, alarm)| alarms.contains(*alarm)).fold(0, |bits, (bit, _)| bits | 1 << bit)
}

/// One servo, as the wire sees it.
#[derive(Clone, Debug)]
pub(super) struct DynamixelServo {
    memory: Memory,
    motor: Motor,
    protection: Protection,
    /// Errors that took the torque away; they stay until a reboot.
    latched: u8,
    pending: Option<Write>,
    /// Where the position loop aims, by the encoder.
    target: f64,
    voltage: f64,
    goal_while_off: GoalWhileOff,
    knows_fast_reads: bool,
    /// When the servo last heard an instruction, whomever it was for.
    heard: Time,
    updated: Time,
    asleep_until: Time,
}

impl EmulatedServo for DynamixelServo {
    fn id(&self) -> u8 {
        u8::try_from(self.value(&table::ID)).unwrap_or(0)
    }

    fn advance(&mut self, now: Time) {
        if let Some(strike) = self.watchdog_strikes_at().filter(|strike| *strike <= now) {
            self.run_until(strike);
            self.stop_for_good();
        }
        self.run_until(now);
        self.tell();
    }

    fn is_awake(&self, now: Time) -> bool {
        self.asleep_until <= now
    }

    fn power_cycle(&mut self, now: Time) {
        self.advance(now);
        self.memory.power_cycle();
        self.protection = Protection::default();
        (self.latched, self.pending, self.heard) = (0, None, now);
        self.aim_at_present();
        self.tell();
    }

    fn brown_out(&mut self, now: Time, until: Time) {
        self.power_cycle(now);
        self.asleep_until = until;
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
        self.motor.put(self.encoder_at(ticks));
    }

    #[expect(clippy::cast_precision_loss, reason = "registers have 32 bits")]
    fn encoder_at(&self, ticks: f64) -> f64 {
        ticks - self.value(&table::HOMING_OFFSET) as f64
    }

    fn ticks_at(&self, radians: f64) -> f64 {
        2048.0 + radians * 4096.0 / TAU
    }

    fn get(&self, register: &str) -> Option<i64> {
        table::by_name(register).map(|register| self.value(register))
    }

    fn put(&mut self, register: &str, value: i64) -> bool {
        let Some(register) = table::by_name(register) else { return false };
        self.memory.put(register, value);
        if *register == table::GOAL_POSITION {
            self.take_goal();
        }
        if *register == table::HARDWARE_ERROR_STATUS {
            self.latched = u8::try_from(self.value(register)).unwrap_or(0);
        }
        true
    }

    fn alarms(&self) -> Alarms {
        let bits = self.value(&table::HARDWARE_ERROR_STATUS);
        let raised = ERROR_BITS.iter().filter(|(bit, _)| bits & (1 << bit) != 0);
        raised.fold(Alarms::NONE, |alarms, (_, alarm)| alarms | *alarm)
    }

    fn state(&self) -> serde_json::Value {
        json!({
            "id": self.id(),
            "position": self.value(&table::PRESENT_POSITION),
            "speed": self.value(&table::PRESENT_VELOCITY),
            "load": (self.motor.duty() * 1000.0).round(),
            "goal": self.value(&table::GOAL_POSITION),
            "torque": self.value(&table::TORQUE_ENABLE),
            "torque_limit": self.value(&table::GOAL_PWM),
            "temperature": self.motor.temperature(),
            "voltage": self.number(&table::PRESENT_INPUT_VOLTAGE) / 10.0,
            "alarms": self.alarms().to_string(),
        })
    }
}

impl DynamixelServo {
    /// How long the motor runs between two looks of the protection.
    const LOOK: Duration = Duration::from_millis(10);
    /// How long a reboot takes.
    const REBOOT: Duration = Duration::from_millis(100);

    /// Powers a servo up at one of the speeds that its register knows: torque off.
    pub(super) fn new(config: &ServoConfig, baud_code: i64, now: Time) -> Self {
        let mut motor = Motor::new(config.motor, config.position);
        motor.set_load(config.load);
        let mut memory = Memory::from_factory(config.id.raw());
        memory.keep(&table::BAUD_RATE, baud_code);
        for (name, value) in &config.registers {
            if let Some(register) = table::by_name(name) {
                memory.keep(register, *value);
            }
        }
        let mut servo = Self {
            memory,
            motor,
            protection: Protection::default(),
            latched: 0,
            pending: None,
            target: config.position,
            voltage: config.voltage,
            goal_while_off: config.goal_while_off,
            knows_fast_reads: config.knows_fast_reads,
            heard: now,
            updated: now,
            asleep_until: now,
        };
        servo.power_cycle(now);
        servo
    }

    /// The value of a register, as it was when last brought up to date.
    pub(super) fn value(&self, register: &Register) -> i64 {
        self.memory.value(register)
    }

    /// How long it waits before it answers.
    pub(super) fn return_delay(&self) -> Duration {
        return_delay(self.value(&table::RETURN_DELAY_TIME))
    }

    /// Whether it has power. A terminal has no speed, so that it hears whatever its own speed is.
    pub(super) fn hears(&self, at: Time) -> bool {
        self.is_awake(at)
    }

    /// Whether it obeys what is sent to `id`; it answers to its own id only.
    pub(super) fn obeys(&self, id: u8) -> bool {
        self.id() == id || (id <= 252 && self.value(&table::SECONDARY_ID) == i64::from(id))
    }

    /// Whether its firmware knows the fast reads.
    pub(super) fn knows_fast_reads(&self) -> bool {
        self.knows_fast_reads
    }

    /// Which instructions it answers: 0 pings, 1 reads too, 2 all.
    pub(super) fn return_level(&self) -> i64 {
        self.value(&table::STATUS_RETURN_LEVEL)
    }

    /// Whether it has a hardware error, beside those that it is made to complain of.
    pub(super) fn has_alert(&self) -> bool {
        self.value(&table::HARDWARE_ERROR_STATUS) != 0
    }

    /// An instruction passed, whomever it is for; brings it up to that moment.
    pub(super) fn hear(&mut self, at: Time) {
        self.advance(at);
        self.heard = self.heard.max(at);
    }

    /// Bytes of registers.
    pub(super) fn read(&self, address: u16, len: u16) -> Result<Vec<u8>, ErrorCode> {
        self.memory.read(address, len)
    }

    /// The register behind an address, where that is an indirect one.
    pub(super) fn meant(&self, at: usize) -> usize {
        self.memory.meant(at)
    }

    /// Takes a write, with what it brings about.
    pub(super) fn write(&mut self, address: u16, data: &[u8]) -> Result<(), ErrorCode> {
        let write = self.memory.check(address, data)?;
        self.take(&write);
        Ok(())
    }

    /// Keeps a write for the next action; a later one replaces it.
    pub(super) fn register_write(&mut self, address: u16, data: &[u8]) -> Result<(), ErrorCode> {
        self.pending = Some(self.memory.check(address, data)?);
        self.memory.put(&table::REGISTERED, 1);
        Ok(())
    }

    /// Carries out the write that was kept.
    pub(super) fn act(&mut self) -> Result<(), ErrorCode> {
        let write = self.pending.take().ok_or(ErrorCode::Instruction)?;
        self.memory.put(&table::REGISTERED, 0);
        self.take(&write);
        Ok(())
    }

    /// Starts again, deaf until that is done.
    pub(super) fn reboot(&mut self, now: Time) {
        self.brown_out(now, now + Self::REBOOT);
    }

    /// Back to the factory's registers.
    pub(super) fn reset(&mut self, reset: Reset, now: Time) {
        let (id, baud) = (self.id(), self.value(&table::BAUD_RATE));
        let model = self.value(&table::MODEL_NUMBER);
        self.memory = Memory::from_factory(if reset == Reset::Everything { 1 } else { id });
        self.memory.keep(&table::MODEL_NUMBER, model);
        if reset == Reset::AllButIdAndBaud {
            self.memory.keep(&table::BAUD_RATE, baud);
        }
        self.reboot(now);
    }

    /// Forgets the turns made.
    pub(super) fn clear_turns(&mut self) {
        self.motor.put(self.motor.position().rem_euclid(4096.0));
        self.aim_at_present();
        self.tell();
    }

    fn take(&mut self, write: &Write) {
        let had_torque = self.has_torque();
        self.memory.carry_out(write);
        if self.latched != 0 {
            // Only a reboot gives it back.
            self.memory.put(&table::TORQUE_ENABLE, 0);
        }
        let comes_on = !had_torque && self.has_torque();
        if write.touches(&table::OPERATING_MODE) || (comes_on && self.goal_while_off == GoalWhileOff::Present)
        {
            self.aim_at_present();
        }
        if comes_on {
            // The watchdog counts with torque on only.
            self.heard = self.heard.max(self.updated);
        }
        if write.touches(&table::GOAL_POSITION) {
            self.take_goal();
        }
        self.tell();
    }

    fn has_torque(&self) -> bool {
        self.value(&table::TORQUE_ENABLE) == 1
    }

    fn has_struck(&self) -> bool {
        self.value(&table::BUS_WATCHDOG) == -1
    }

    fn watchdog_strikes_at(&self) -> Option<Time> {
        let steps = u32::try_from(self.value(&table::BUS_WATCHDOG)).ok().filter(|steps| 0 < *steps)?;
        self.has_torque().then(|| self.heard + steps * Duration::from_millis(20))
    }

    /// The watchdog strikes: it stops where it is, and refuses goals until it is told otherwise.
    fn stop_for_good(&mut self) {
        self.memory.put(&table::BUS_WATCHDOG, -1);
        self.target = self.motor.position();
    }

    fn aim_at_present(&mut self) {
        #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
        let present = self.present().round() as i64;
        self.memory.put(&table::GOAL_POSITION, present);
        self.take_goal();
    }

    fn take_goal(&mut self) {
        self.target = self.encoder_at(self.number(&table::GOAL_POSITION));
    }

    /// What the position register says.
    fn present(&self) -> f64 {
        let position = self.motor.position() + self.number(&table::HOMING_OFFSET);
        if self.value(&table::OPERATING_MODE) == 3 { position.rem_euclid(4096.0) } else { position }
    }

    #[expect(clippy::cast_precision_loss, reason = "registers have 32 bits")]
    fn number(&self, register: &Register) -> f64 {
        self.value(register) as f64
    }

    fn run_until(&mut self, now: Time) {
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
            self.shut_down();
        }
    }

    /// Errors of which the shutdown register says so take the torque, until a reboot.
    fn shut_down(&mut self) {
        let shutdown = u8::try_from(self.value(&table::SHUTDOWN)).unwrap_or(0);
        let taking = error_bits(self.protection.alarms()) & shutdown;
        if taking != 0 {
            self.latched |= taking;
            self.memory.put(&table::TORQUE_ENABLE, 0);
        }
    }

    fn bearable(&self) -> Bearable {
        Bearable {
            // When it calls a load too much, no maker says.
            duty: 0.8,
            duty_for: Duration::from_secs(2),
            current_a: f64::INFINITY,
            current_for: Duration::ZERO,
            temperature: self.number(&table::TEMPERATURE_LIMIT),
            least_voltage: self.number(&table::MIN_VOLTAGE_LIMIT) / 10.0,
            most_voltage: self.number(&table::MAX_VOLTAGE_LIMIT) / 10.0,
        }
    }

    fn drive(&self) -> Drive {
        let number = |register| self.number(register);
        let most = self.motor.config().max_speed_ticks_s;
        let duty = number(&table::GOAL_PWM).abs() / FULL_PWM;
        let current = number(&table::GOAL_CURRENT) / FULL_CURRENT;
        let unless_zero = |value: f64| if 0.0 < value { value } else { f64::INFINITY };
        let stopped = self.has_struck();
        let (aim, effort) = match self.value(&table::OPERATING_MODE) {
            _ if !self.has_torque() => (Aim::Free, 0.0),
            // Current control lets go when the watchdog strikes.
            0 if stopped => (Aim::Free, 0.0),
            0 => (Aim::Speed(most.copysign(current)), current.abs()),
            1 | 16 if stopped => (Aim::Speed(0.0), duty),
            1 => (Aim::Speed(number(&table::GOAL_VELOCITY) * VELOCITY_UNIT), duty),
            16 => (Aim::Speed(number(&table::GOAL_PWM) / FULL_PWM * most), 1.0),
            5 => (Aim::Position(self.target), duty.min(current.abs())),
            _ => (Aim::Position(self.target), duty),
        };
        let speed = if stopped { f64::INFINITY } else { unless_zero(number(&table::PROFILE_VELOCITY)) };
        let acceleration =
            if stopped { f64::INFINITY } else { unless_zero(number(&table::PROFILE_ACCELERATION)) };
        let limit = number(&table::PWM_LIMIT) / FULL_PWM;
        Drive {
            aim,
            speed_limit: (speed * VELOCITY_UNIT).min(most),
            acceleration_limit: acceleration * ACCELERATION_UNIT,
            effort_limit: effort.min(limit),
            stiffness: number(&table::POSITION_P_GAIN) / 800.0,
        }
    }

    /// Puts what it measures into the registers that tell it.
    #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
    fn tell(&mut self) {
        let speed = self.motor.speed();
        let current = if self.value(&table::MODEL_NUMBER) == TELLS_LOAD {
            self.motor.duty() * FULL_LOAD
        } else {
            self.motor.effort() * self.motor.config().stall_current_a / CURRENT_UNIT
        };
        let is_moving = self.number(&table::MOVING_THRESHOLD) * VELOCITY_UNIT < speed.abs();
        let errors = error_bits(self.protection.alarms()) | self.latched;
        let tick = self.updated.0.div_euclid(1_000_000).rem_euclid(32_768);
        for (register, value) in [
            (&table::PRESENT_POSITION, self.present().round() as i64),
            (&table::PRESENT_VELOCITY, (speed / VELOCITY_UNIT).round() as i64),
            (&table::PRESENT_CURRENT, current.round() as i64),
            (&table::PRESENT_PWM, (self.motor.duty() * FULL_PWM).round() as i64),
            (&table::PRESENT_INPUT_VOLTAGE, (self.voltage * 10.0).round() as i64),
            (&table::PRESENT_TEMPERATURE, self.motor.temperature().round() as i64),
            (&table::MOVING, i64::from(is_moving)),
            (&table::REALTIME_TICK, tick),
            (&table::HARDWARE_ERROR_STATUS, errors.into()),
        ] {
            self.memory.put(register, value);
        }
    }
}

#[cfg(test)]
#[path = "servo_tests.rs"]
mod tests;
