//! One emulated LX-16A: what it keeps, a motor, and the firmware between them.
//!
//! A move leads its set point to the goal in a straight line within the move's time; the motor follows. What the maker
//! does not say is as it is said here: after power-on it is unloaded and a servo, and a move does not load it.

use std::time::Duration;

use serde_json::json;

use crate::protocol::feetech::Alarms;
use crate::protocol::lx16a::frame::words;
use crate::protocol::lx16a::{Command, MAX_POSITION, Mode, Move};
use crate::units::Time;

use super::super::family::{EmulatedServo, ServoConfig};
use super::super::motor::{Aim, Drive, Motor};

/// What survives a loss of power.
#[derive(Clone, Debug)]
struct Kept {
    id: u8,
    offset: i8,
    angle_limits: (u16, u16),
    vin_limits: (u16, u16),
    hottest: u8,
    led_alarms: u8,
}

/// What does not.
#[derive(Clone, Debug)]
struct Volatile {
    loaded: bool,
    mode: Mode,
    offset: i8,
    last_move: Move,
    waiting: Option<Move>,
    ramp: Ramp,
    led_off: bool,
    locked_for: Duration,
}

/// The way of the set point.
#[derive(Clone, Copy, Debug, Default)]
struct Ramp {
    from: f64,
    to: f64,
    secs: f64,
    passed: f64,
}

impl Ramp {
    fn at(position: f64) -> Self {
        Self { from: position, to: position, secs: 0.0, passed: 0.0 }
    }

    fn set_point(&self) -> f64 {
        let part = if self.secs <= 0.0 { 1.0 } else { (self.passed / self.secs).min(1.0) };
        self.from + (self.to - self.from) * part
    }
}

/// One servo, as the wire sees it.
#[derive(Clone, Debug)]
pub(super) struct Lx16aServo {
    kept: Kept,
    state: Volatile,
    motor: Motor,
    voltage: f64,
    updated: Time,
    asleep_until: Time,
}

/// Bits of the LED's alarms.
const OVER_TEMPERATURE: u8 = 1;
const OVER_VOLTAGE: u8 = 2;
const LOCKED: u8 = 4;

impl Lx16aServo {
    /// How long the motor runs between two set points.
    const LOOK: Duration = Duration::from_millis(2);
    /// A motor that works this hard without moving is locked,
    const LOCKED_EFFORT: f64 = 0.8;
    /// if it does so for this long.
    const LOCKED_AFTER: Duration = Duration::from_secs(2);

    pub(super) fn new(config: &ServoConfig, now: Time) -> Self {
        let mut motor = Motor::new(config.motor, config.position);
        motor.set_load(config.load);
        let kept = Kept {
            id: config.id.raw(),
            offset: 0,
            angle_limits: (0, MAX_POSITION.unsigned_abs()),
            vin_limits: (4500, 12_000),
            hottest: 85,
            led_alarms: OVER_TEMPERATURE | OVER_VOLTAGE | LOCKED,
        };
        let state = Volatile::after_power_on(&kept, config.position);
        let mut servo = Self { kept, state, motor, voltage: config.voltage, updated: now, asleep_until: now };
        for (name, value) in &config.registers {
            servo.put(name, *value);
        }
        servo
    }

    /// What it answers to a question; `None` where the command is none.
    pub(super) fn answer(&self, command: Command) -> Option<Vec<u8>> {
        let pair = |(a, b): (u16, u16)| [a.to_le_bytes(), b.to_le_bytes()].concat();
        let Self { kept, state, .. } = self;
        Some(match command {
            Command::MoveTimeRead => state.last_move.params().to_vec(),
            Command::MoveWaitRead => state.waiting.unwrap_or(state.last_move).params().to_vec(),
            Command::IdRead => vec![kept.id],
            Command::OffsetRead => state.offset.to_le_bytes().to_vec(),
            Command::AngleLimitRead => pair(kept.angle_limits),
            Command::VinLimitRead => pair(kept.vin_limits),
            Command::TempMaxRead => vec![kept.hottest],
            Command::TempRead => vec![self.celsius()],
            Command::VinRead => self.millivolts().to_le_bytes().to_vec(),
            Command::PosRead => self.position().to_le_bytes().to_vec(),
            Command::ModeRead => state.mode.params().to_vec(),
            Command::LoadRead => vec![u8::from(state.loaded)],
            Command::LedRead => vec![u8::from(state.led_off)],
            Command::LedErrorRead => vec![kept.led_alarms],
            _ => return None,
        })
    }

    /// Carries out an order; one whose values no servo takes is none.
    pub(super) fn obey(&mut self, command: Command, params: &[u8]) {
        let [first, ..] = *params else {
            return match command {
                Command::MoveStart => {
                    if let Some(waiting) = self.state.waiting.take() {
                        self.begin(waiting);
                    }
                }
                Command::MoveStop => self.state.ramp = Ramp::at(self.state.ramp.set_point()),
                Command::OffsetSave => self.kept.offset = self.state.offset,
                _ => {}
            };
        };
        match command {
            Command::MoveTime => Move::parse(params).into_iter().for_each(|to| self.begin(to)),
            Command::MoveWait => self.state.waiting = Move::parse(params).or(self.state.waiting),
            Command::IdWrite if first < 254 => self.kept.id = first,
            Command::OffsetAdjust => self.adjust(i8::from_le_bytes([first])),
            Command::AngleLimitWrite => {
                let limits = words(params)
                    .filter(|(least, most)| least < most && *most <= MAX_POSITION.unsigned_abs());
                self.kept.angle_limits = limits.unwrap_or(self.kept.angle_limits);
            }
            Command::VinLimitWrite => {
                let limits =
                    words(params).filter(|(least, most)| 4500 <= *least && least < most && *most <= 12_000);
                self.kept.vin_limits = limits.unwrap_or(self.kept.vin_limits);
            }
            Command::TempMaxWrite if (50..=100).contains(&first) => self.kept.hottest = first,
            Command::ModeWrite => self.state.mode = Mode::parse(params).unwrap_or(self.state.mode),
            Command::LoadWrite if first <= 1 => self.load(first == 1),
            Command::LedWrite if first <= 1 => self.state.led_off = first == 1,
            Command::LedErrorWrite if first <= 7 => self.kept.led_alarms = first,
            _ => {}
        }
    }

    fn begin(&mut self, to: Move) {
        let (least, most) = self.kept.angle_limits;
        let goal = f64::from(to.position.clamp(0, MAX_POSITION)).clamp(f64::from(least), f64::from(most));
        let from = if self.state.loaded { self.state.ramp.set_point() } else { self.motor.position() };
        let goal = goal + f64::from(self.state.offset);
        self.state.ramp = Ramp { from, to: goal, secs: f64::from(to.time_ms) * 1e-3, passed: 0.0 };
        self.state.last_move = to;
    }

    fn load(&mut self, loaded: bool) {
        self.state.loaded = loaded;
        self.state.locked_for = Duration::ZERO;
    }

    fn adjust(&mut self, offset: i8) {
        const MOST: i8 = 125;
        if (-MOST..=MOST).contains(&offset) {
            self.state.offset = offset;
        }
    }

    fn position(&self) -> i16 {
        #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
        {
            (self.motor.position() - f64::from(self.state.offset)).round() as i16
        }
    }

    fn celsius(&self) -> u8 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float casts saturate")]
        {
            self.motor.temperature().round() as u8
        }
    }

    fn millivolts(&self) -> u16 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float casts saturate")]
        {
            (self.voltage * 1e3).round() as u16
        }
    }

    fn drive(&self) -> Drive {
        let most = self.motor.config().max_speed_ticks_s;
        let aim = match self.state.mode {
            _ if !self.state.loaded => Aim::Free,
            Mode::Servo => Aim::Position(self.state.ramp.set_point()),
            Mode::Motor(speed) => Aim::Speed(f64::from(speed) / 1000.0 * most),
        };
        Drive { aim, speed_limit: most, acceleration_limit: f64::INFINITY, effort_limit: 1.0, stiffness: 1.0 }
    }

    /// What the LED tells, of that which it is set to tell.
    fn led_alarm(&self) -> u8 {
        let (least, most) = self.kept.vin_limits;
        let too_hot = if self.kept.hottest <= self.celsius() { OVER_TEMPERATURE } else { 0 };
        let badly_fed = if (least..=most).contains(&self.millivolts()) { 0 } else { OVER_VOLTAGE };
        let locked = if Self::LOCKED_AFTER <= self.state.locked_for { LOCKED } else { 0 };
        (too_hot | badly_fed | locked) & self.kept.led_alarms
    }

    fn protect(&mut self, elapsed: Duration) {
        if self.kept.hottest <= self.celsius() {
            self.state.loaded = false;
        }
        let is_locked = Self::LOCKED_EFFORT <= self.motor.duty().abs() && self.motor.speed().abs() < 1.0;
        self.state.locked_for =
            if is_locked { self.state.locked_for.saturating_add(elapsed) } else { Duration::ZERO };
    }
}

impl Volatile {
    fn after_power_on(kept: &Kept, position: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
        let stands_at = (position - f64::from(kept.offset)).round() as i16;
        Self {
            loaded: false,
            mode: Mode::Servo,
            offset: kept.offset,
            last_move: Move { position: stands_at, time_ms: 0 },
            waiting: None,
            ramp: Ramp::at(position),
            led_off: false,
            locked_for: Duration::ZERO,
        }
    }
}

impl EmulatedServo for Lx16aServo {
    fn id(&self) -> u8 {
        self.kept.id
    }

    fn advance(&mut self, now: Time) {
        let mut left = now.saturating_since(self.updated);
        if left.is_zero() {
            return;
        }
        self.updated = now;
        let look = Self::LOOK.max(left / 1000);
        while !left.is_zero() {
            let elapsed = look.min(left);
            left -= elapsed;
            self.state.ramp.passed += elapsed.as_secs_f64();
            let drive = self.drive();
            self.motor.advance(elapsed, &drive);
            self.protect(elapsed);
        }
    }

    fn is_awake(&self, now: Time) -> bool {
        self.asleep_until <= now
    }

    fn power_cycle(&mut self, now: Time) {
        self.advance(now);
        self.state = Volatile::after_power_on(&self.kept, self.motor.position());
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
        self.motor.put(ticks + f64::from(self.state.offset));
    }

    fn encoder_at(&self, ticks: f64) -> f64 {
        ticks + f64::from(self.state.offset)
    }

    fn ticks_at(&self, radians: f64) -> f64 {
        500.0 + radians * crate::protocol::lx16a::TICKS_PER_TURN / std::f64::consts::TAU
    }

    fn get(&self, register: &str) -> Option<i64> {
        let Self { kept, state, .. } = self;
        Some(match register {
            "id" => kept.id.into(),
            "present_position" => self.position().into(),
            "goal_position" => state.last_move.position.into(),
            "move_time_ms" => state.last_move.time_ms.into(),
            "torque_enable" => state.loaded.into(),
            "position_offset" => state.offset.into(),
            "min_angle" => kept.angle_limits.0.into(),
            "max_angle" => kept.angle_limits.1.into(),
            "min_voltage_mv" => kept.vin_limits.0.into(),
            "max_voltage_mv" => kept.vin_limits.1.into(),
            "max_temperature" => kept.hottest.into(),
            "motor_mode" => i64::from(state.mode != Mode::Servo),
            "led_off" => state.led_off.into(),
            "led_alarms" => kept.led_alarms.into(),
            "led_alarm" => self.led_alarm().into(),
            _ => return None,
        })
    }

    fn put(&mut self, register: &str, value: i64) -> bool {
        let byte = u8::try_from(value.clamp(0, 255)).unwrap_or(0);
        let word = u16::try_from(value.clamp(0, 12_000)).unwrap_or(0);
        let tick = word.min(MAX_POSITION.unsigned_abs());
        match register {
            "id" => self.kept.id = byte.min(253),
            "goal_position" => {
                let position = i16::try_from(value.clamp(0, i64::from(MAX_POSITION))).unwrap_or(0);
                self.begin(Move { position, time_ms: 0 });
            }
            "torque_enable" => self.load(value != 0),
            "position_offset" => {
                self.adjust(i8::try_from(value.clamp(-125, 125)).unwrap_or(0));
                self.kept.offset = self.state.offset;
            }
            "min_angle" => self.kept.angle_limits.0 = tick,
            "max_angle" => self.kept.angle_limits.1 = tick,
            "min_voltage_mv" => self.kept.vin_limits.0 = word,
            "max_voltage_mv" => self.kept.vin_limits.1 = word,
            "max_temperature" => self.kept.hottest = byte.clamp(50, 100),
            "motor_mode" => self.state.mode = if value == 0 { Mode::Servo } else { Mode::Motor(0) },
            "led_off" => self.state.led_off = value != 0,
            "led_alarms" => self.kept.led_alarms = byte & 7,
            _ => return false,
        }
        true
    }

    fn alarms(&self) -> Alarms {
        let told = self.led_alarm();
        [(OVER_TEMPERATURE, Alarms::OVERHEAT), (OVER_VOLTAGE, Alarms::VOLTAGE), (LOCKED, Alarms::OVERLOAD)]
            .into_iter()
            .filter(|(bit, _)| told & bit != 0)
            .fold(Alarms::NONE, |alarms, (_, alarm)| alarms | alarm)
    }

    fn state(&self) -> serde_json::Value {
        json!({
            "id": self.kept.id,
            "position": self.position(),
            "speed": self.motor.speed().round(),
            "load": self.motor.duty(),
            "goal": self.state.last_move.position,
            "torque": i32::from(self.state.loaded),
            "torque_limit": 1000,
            "temperature": self.motor.temperature(),
            "voltage": self.voltage,
            "alarms": self.alarms().to_string(),
        })
    }
}
