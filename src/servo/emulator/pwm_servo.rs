//! One emulated PWM servo and the channel that it hangs on: pulses in, a motor, nothing out.
//!
//! Positions are the width of the pulse that leads there (µs). The channel changes its pulses as fast as it is told,
//! and may have been told to do something by itself at a moment; a board says when.

use std::time::Duration;

use serde_json::json;

use crate::protocol::feetech::Alarms;
use crate::units::Time;

use super::family::{EmulatedServo, ServoConfig};
use super::motor::{Aim, Drive, Motor};

/// The pulse of the middle (µs).
pub(super) const MIDDLE_US: f64 = 1500.0;
/// Pulses of a turn (µs): 270° for 2 ms.
pub(super) const US_PER_TURN: f64 = 2000.0 * 360.0 / 270.0;

/// What a channel does when its board has an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum OnError {
    /// No pulses any more.
    #[default]
    Off,
    /// As if nothing had happened.
    Ignore,
    /// Pulses of this width (µs).
    Home(u16),
}

/// A servo, and its channel.
#[derive(Clone, Debug)]
pub(super) struct PwmServo {
    id: u8,
    motor: Motor,
    /// The pulses asked for (µs); 0 for none.
    target: f64,
    /// The pulses put out now (µs).
    output: f64,
    rate: f64,
    /// How fast the pulses change (µs/s), and how fast that changes (µs/s²); 0 for at once.
    pub(super) speed: f64,
    pub(super) acceleration: f64,
    /// What happens when the board has an error.
    pub(super) on_error: OnError,
    /// After how long without a command the board has an error, as this channel was asked to say (ms); 0 for never.
    pub(super) timeout_ms: i64,
    /// When that will be.
    pub(super) deadline: Option<Time>,
    /// It was, and the board has not been told.
    pub(super) timed_out: bool,
    /// Its supply broke down, and the board has not been told.
    pub(super) lost_supply: bool,
    voltage: f64,
    updated: Time,
    asleep_until: Time,
}

impl PwmServo {
    const STEP: Duration = Duration::from_millis(2);

    pub(super) fn new(config: &ServoConfig, now: Time) -> Self {
        let mut motor = Motor::new(config.motor, config.position);
        motor.set_load(config.load);
        let mut servo = Self {
            id: config.id.raw(),
            motor,
            target: 0.0,
            output: 0.0,
            rate: 0.0,
            speed: 0.0,
            acceleration: 0.0,
            on_error: OnError::Off,
            timeout_ms: 0,
            deadline: None,
            timed_out: false,
            lost_supply: false,
            voltage: config.voltage,
            updated: now,
            asleep_until: now,
        };
        for (name, value) in &config.registers {
            servo.put(name, *value);
        }
        servo
    }

    /// Pulses of this width from now on (µs); 0 for none.
    pub(super) fn pulse(&mut self, target_us: f64) {
        self.target = target_us;
        // Where no pulses were, nothing is known that could change slowly.
        if self.output <= 0.0 || target_us <= 0.0 || (self.speed <= 0.0 && self.acceleration <= 0.0) {
            (self.output, self.rate) = (target_us, 0.0);
        }
    }

    /// The pulses put out now (µs).
    pub(super) fn output_us(&self) -> f64 {
        self.output
    }

    /// Whether the pulses are on their way.
    pub(super) fn is_changing(&self) -> bool {
        self.output != self.target
    }

    /// The board has an error.
    pub(super) fn on_board_error(&mut self) {
        match self.on_error {
            OnError::Off => self.pulse(0.0),
            OnError::Ignore => {}
            OnError::Home(us) => self.pulse(us.into()),
        }
    }

    fn run(&mut self, elapsed: Duration) {
        let mut left = elapsed;
        let step = Self::STEP.max(left / 1000);
        while !left.is_zero() {
            let dt = step.min(left);
            left -= dt;
            self.change(dt.as_secs_f64());
            let aim = if 0.0 < self.output { Aim::Position(self.output) } else { Aim::Free };
            let speed_limit = self.motor.config().max_speed_ticks_s;
            let drive = Drive {
                aim,
                speed_limit,
                acceleration_limit: f64::INFINITY,
                effort_limit: 1.0,
                stiffness: 1.0,
            };
            self.motor.advance(dt, &drive);
        }
    }

    /// The pulses go on to their target.
    fn change(&mut self, dt: f64) {
        let way = self.target - self.output;
        if way == 0.0 {
            return;
        }
        let fastest = if 0.0 < self.speed { self.speed } else { f64::INFINITY };
        if self.acceleration <= 0.0 {
            self.output += way.clamp(-fastest * dt, fastest * dt);
            return;
        }
        let braking = (2.0 * self.acceleration * way.abs()).sqrt();
        let wanted = braking.min(fastest).min(way.abs() / dt).copysign(way);
        let reach = self.acceleration * dt;
        self.rate += (wanted - self.rate).clamp(-reach, reach);
        let step = self.rate * dt;
        self.output = if way.abs() <= step.abs().max(0.01) { self.target } else { self.output + step };
    }
}

impl EmulatedServo for PwmServo {
    fn id(&self) -> u8 {
        self.id
    }

    fn advance(&mut self, now: Time) {
        if let Some(deadline) = self.deadline.filter(|deadline| *deadline <= now) {
            self.deadline = None;
            self.timed_out = true;
            self.run(deadline.saturating_since(self.updated));
            self.updated = self.updated.max(deadline);
            self.on_board_error();
        }
        self.run(now.saturating_since(self.updated));
        self.updated = self.updated.max(now);
    }

    fn is_awake(&self, now: Time) -> bool {
        self.asleep_until <= now
    }

    fn power_cycle(&mut self, now: Time) {
        self.advance(now);
        self.pulse(0.0);
        self.lost_supply = true;
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
        self.motor.put(ticks);
    }

    fn encoder_at(&self, ticks: f64) -> f64 {
        ticks
    }

    fn ticks_at(&self, radians: f64) -> f64 {
        MIDDLE_US + radians * US_PER_TURN / std::f64::consts::TAU
    }

    fn get(&self, register: &str) -> Option<i64> {
        #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
        let whole = |value: f64| value.round() as i64;
        Some(match register {
            "present_position" => whole(self.motor.position()),
            "goal_position" => whole(self.target),
            "pulse_us" => whole(self.output),
            "torque_enable" => (0.0 < self.output).into(),
            "serial_timeout_ms" => self.timeout_ms,
            "home_us" => match self.on_error {
                OnError::Off => 0,
                OnError::Ignore => -1,
                OnError::Home(us) => us.into(),
            },
            _ => return None,
        })
    }

    fn put(&mut self, register: &str, value: i64) -> bool {
        match register {
            "goal_position" | "pulse_us" => {
                self.pulse(f64::from(u16::try_from(value.clamp(0, 4095)).unwrap_or(0)))
            }
            "serial_timeout_ms" => self.timeout_ms = value.clamp(0, 655_350),
            "home_us" => {
                self.on_error = match u16::try_from(value.clamp(-1, 4095)) {
                    Ok(0) => OnError::Off,
                    Ok(us) => OnError::Home(us),
                    Err(_) => OnError::Ignore,
                };
            }
            _ => return false,
        }
        true
    }

    fn alarms(&self) -> Alarms {
        Alarms::NONE
    }

    fn state(&self) -> serde_json::Value {
        json!({
            "id": self.id,
            "position": self.motor.position().round(),
            "speed": self.motor.speed().round(),
            "load": self.motor.duty(),
            "goal": self.target.round(),
            "torque": i32::from(0.0 < self.output),
            "torque_limit": 1000,
            "temperature": self.motor.temperature(),
            "voltage": self.voltage,
            "alarms": self.alarms().to_string(),
        })
    }
}
