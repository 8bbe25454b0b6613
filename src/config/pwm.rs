//! What must be known of PWM servos, which tell nothing of themselves, and of the boards that make their pulses.

use std::f64::consts::TAU;

use super::declaration::Declaration;
use super::hardware::Protocol;
use super::parameters::Value;
use crate::units::{Calibration, Ticks};

/// A board that makes pulses; what its protocol has no use for has its default.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PwmBusConfig {
    /// How many channels it has.
    pub channels: u8,
    /// A Maestro's device number for the Pololu protocol; `None` for the compact protocol.
    pub device_number: Option<u8>,
    /// Whether a Maestro's commands end with a check byte.
    pub crc: bool,
    /// A PCA9685's address on the I2C bus.
    pub i2c_address: u8,
    /// The clock of the I2C bus (Hz).
    pub i2c_clock_hz: u32,
    /// A PCA9685's oscillator as it was measured (Hz).
    pub oscillator_hz: f64,
    /// How many pulses a second each PCA9685 channel puts out (Hz).
    pub pulse_rate_hz: f64,
}

impl Default for PwmBusConfig {
    fn default() -> Self {
        Self {
            channels: 16,
            device_number: None,
            crc: false,
            i2c_address: 0x40,
            i2c_clock_hz: 100_000,
            oscillator_hz: 25e6,
            pulse_rate_hz: 50.0,
        }
    }
}

/// One PWM servo: which pulses it gets, and what they mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PwmServo {
    /// The output that it hangs on.
    pub channel: u8,
    /// The shortest pulse that it may get (µs).
    pub pulse_min_us: f64,
    /// The longest pulse that it may get (µs).
    pub pulse_max_us: f64,
    /// Where the joint is with the shortest pulse (rad).
    pub position_at_pulse_min: f64,
    /// Where the joint is with the longest pulse (rad).
    pub position_at_pulse_max: f64,
    /// Where the joint is taken to stand before its first pulse (rad).
    pub start_position: f64,
    /// How fast the servo turns at most (rad/s); `None` for as fast as the joint may.
    pub speed: Option<f64>,
    /// How fast it gets faster at most (rad/s²); `None` for at once.
    pub acceleration: Option<f64>,
}

impl PwmServo {
    /// The pulse for a position (µs), within what the servo may get. NaN gives the middle.
    pub fn pulse_us(&self, position: f64) -> f64 {
        let part = (position - self.position_at_pulse_min) / self.travel();
        let part = if part.is_nan() { 0.5 } else { part.clamp(0.0, 1.0) };
        self.pulse_min_us + part * (self.pulse_max_us - self.pulse_min_us)
    }

    /// The position that a pulse (µs) stands for.
    pub fn position(&self, pulse_us: f64) -> f64 {
        let part = (pulse_us - self.pulse_min_us) / (self.pulse_max_us - self.pulse_min_us);
        self.position_at_pulse_min + part * self.travel()
    }

    /// Radians of the joint for each µs; always positive.
    pub fn rad_per_us(&self) -> f64 {
        (self.travel() / (self.pulse_max_us - self.pulse_min_us)).abs()
    }

    /// The same, with quarters of a µs for ticks. What is refused anyway gives any calibration.
    pub fn calibration(&self) -> Calibration {
        const TICKS_A_US: f64 = 4.0;
        let us_per_rad = (self.pulse_max_us - self.pulse_min_us) / self.travel();
        let zero = (self.pulse_min_us - self.position_at_pulse_min * us_per_rad) * TICKS_A_US;
        let ticks_per_turn = us_per_rad.abs() * TICKS_A_US * TAU;
        Calibration {
            #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
            zero: Ticks(zero.round() as i32),
            reversed: us_per_rad < 0.0,
            ticks_per_turn: if ticks_per_turn.is_finite() { ticks_per_turn.max(1.0) } else { 1.0 },
        }
    }

    fn travel(&self) -> f64 {
        self.position_at_pulse_max - self.position_at_pulse_min
    }
}

/// Declares and reads what concerns a whole board.
///
/// Its keys begin with `prefix`.
pub(super) fn bus(d: &mut Declaration<'_>, prefix: &str, protocol: Protocol) -> PwmBusConfig {
    let key = |key: &str| format!("{prefix}{key}");
    match protocol {
        Protocol::Maestro => maestro(d, key),
        Protocol::Pca9685 => pca9685(d, key),
        _ => PwmBusConfig::default(),
    }
}

fn maestro(d: &mut Declaration<'_>, key: impl Fn(&str) -> String) -> PwmBusConfig {
    const CHANNELS: [i64; 4] = [6, 12, 18, 24];
    let channels = d.or(&key("maestro.channels"), 12, "Channels of the Maestro: 6, 12, 18 or 24.");
    if !CHANNELS.contains(&channels) {
        d.refuse(&key("maestro.channels"), Value::Integer(channels), "it must be 6, 12, 18 or 24");
    }
    let about = "The Maestro's device number (Pololu protocol); -1 for the compact protocol, which every device obeys.";
    let device = d.integer_in(&key("maestro.device_number"), -1, -1..=127, about);
    PwmBusConfig {
        channels: u8::try_from(channels).unwrap_or(12),
        device_number: u8::try_from(device).ok(),
        crc: d.or(
            &key("maestro.crc"),
            false,
            "Whether commands end with a check byte, as set in the Maestro.",
        ),
        ..PwmBusConfig::default()
    }
}

fn pca9685(d: &mut Declaration<'_>, key: impl Fn(&str) -> String) -> PwmBusConfig {
    const LEAST_ADDRESS: i64 = 0x40;
    const MOST_ADDRESS: i64 = 0x7F;
    let otherwise = PwmBusConfig::default();
    let number = |value: i64| u32::try_from(value).unwrap_or(100_000);
    let address = d.integer_in(
        &key("pca9685.i2c_address"),
        i64::from(otherwise.i2c_address),
        LEAST_ADDRESS..=MOST_ADDRESS,
        "The chip's address on the I2C bus (64 is 0x40).",
    );
    if address == 0x70 {
        d.refuse(
            &key("pca9685.i2c_address"),
            Value::Integer(address),
            "112 (0x70) is the address that all these chips hear",
        );
    }
    PwmBusConfig {
        i2c_address: u8::try_from(address).unwrap_or(otherwise.i2c_address),
        i2c_clock_hz: number(d.integer_in(
            &key("pca9685.i2c_clock_hz"),
            i64::from(otherwise.i2c_clock_hz),
            10_000..=1_000_000,
            "Clock of the I2C bus (Hz), as it is set in the system.",
        )),
        oscillator_hz: d.number_in(
            &key("pca9685.oscillator_hz"),
            otherwise.oscillator_hz,
            20e6..=30e6,
            "The chip's oscillator (Hz): its measured pulse rate / 50.03 * 25000000.",
        ),
        pulse_rate_hz: d.number_in(
            &key("pca9685.pulse_rate_hz"),
            otherwise.pulse_rate_hz,
            40.0..=400.0,
            "Pulses a second (Hz); analogue servos bear no more than 50.",
        ),
        ..otherwise
    }
}

/// Declares and reads one servo of a board with so many channels.
pub(super) fn servo(d: &mut Declaration<'_>, prefix: &str, channels: u8) -> PwmServo {
    let name = |key: &str| format!("{prefix}.{key}");
    let channel: i64 = d.required(&name("channel"), "The output that the servo hangs on, counted from 0.");
    if !(0..i64::from(channels)).contains(&channel) {
        d.refuse(&name("channel"), Value::Integer(channel), format!("it must be from 0 to {}", channels - 1));
    }
    let mut required = |key, about| {
        let value: f64 = d.required(&name(key), about);
        if !value.is_finite() {
            d.refuse(&name(key), Value::Double(value), "it must be a finite number");
        }
        value
    };
    let servo = PwmServo {
        channel: u8::try_from(channel).unwrap_or(0),
        pulse_min_us: required("pulse_min_us", "The shortest pulse that the servo may get (us)."),
        pulse_max_us: required("pulse_max_us", "The longest pulse that the servo may get (us)."),
        position_at_pulse_min: required(
            "position_at_pulse_min",
            "Where the joint is with the shortest pulse (rad).",
        ),
        position_at_pulse_max: required(
            "position_at_pulse_max",
            "Where the joint is with the longest pulse (rad).",
        ),
        start_position: required(
            "start_position",
            "Where the joint stands before its first pulse (rad): the servo cannot be asked, and jumps there.",
        ),
        speed: None,
        acceleration: None,
    };
    check(d, prefix, servo);
    let about = "How fast the servo turns at most (rad/s); 0: as fast as the joint may.";
    let speed = d.number_in(&name("servo_speed_rad_s"), 0.0, 0.0..=1000.0, about);
    let about = "How fast the servo gets faster at most (rad/s^2); 0: at once.";
    let acceleration = d.number_in(&name("servo_acceleration_rad_s2"), 0.0, 0.0..=1e5, about);
    let given = |value: f64| Some(value).filter(|value| 0.0 < *value);
    PwmServo { speed: given(speed), acceleration: given(acceleration), ..servo }
}

/// What is known of a servo must go together; a value that is missing was refused already.
fn check(d: &mut Declaration<'_>, prefix: &str, servo: PwmServo) {
    const SHORTEST_US: f64 = 64.0;
    const LONGEST_US: f64 = 3280.0;
    let name = |key: &str| format!("{prefix}.{key}");
    let has = |d: &Declaration<'_>, keys: &[&str]| keys.iter().all(|key| d.has(&name(key)));
    for (key, pulse) in [("pulse_min_us", servo.pulse_min_us), ("pulse_max_us", servo.pulse_max_us)] {
        if has(d, &[key]) && !(SHORTEST_US..=LONGEST_US).contains(&pulse) {
            let expected = format!("it must be from {SHORTEST_US} to {LONGEST_US}");
            d.refuse(&name(key), Value::Double(pulse), expected);
        }
    }
    if has(d, &["pulse_min_us", "pulse_max_us"]) && servo.pulse_max_us <= servo.pulse_min_us {
        let expected = format!("it must be more than pulse_min_us, which is {}", servo.pulse_min_us);
        d.refuse(&name("pulse_max_us"), Value::Double(servo.pulse_max_us), expected);
    }
    let (at_min, at_max) = (servo.position_at_pulse_min, servo.position_at_pulse_max);
    if !has(d, &["position_at_pulse_min", "position_at_pulse_max"]) {
        return;
    }
    if (at_max - at_min).abs() < 1e-3 {
        let expected = format!("it must be another position than position_at_pulse_min, which is {at_min}");
        d.refuse(&name("position_at_pulse_max"), Value::Double(at_max), expected);
    } else if has(d, &["start_position"])
        && !(at_min.min(at_max)..=at_min.max(at_max)).contains(&servo.start_position)
    {
        let expected = format!("it must be where pulses can lead the joint, from {at_min} to {at_max}");
        d.refuse(&name("start_position"), Value::Double(servo.start_position), expected);
    }
}

/// On one board each channel is one servo's; each servo comes with the prefix of its keys and its bus.
pub(super) fn refuse_twins(d: &mut Declaration<'_>, servos: impl Iterator<Item = (String, usize, PwmServo)>) {
    let mut taken: Vec<(usize, u8, String)> = Vec::new();
    for (prefix, bus, servo) in servos {
        let name = format!("{prefix}.channel");
        if !d.has(&name) {
            continue;
        }
        let twin = taken.iter().find(|(on, channel, _)| (*on, *channel) == (bus, servo.channel));
        if let Some((_, _, twin)) = twin {
            let twin = twin.trim_start_matches("servos.");
            let expected = format!("each servo has its own channel, and joint `{twin}` has this one");
            d.refuse(&name, Value::Integer(servo.channel.into()), expected);
        }
        taken.push((bus, servo.channel, prefix));
    }
}

/// Half a turn over 2 ms, centred: what most hobby servos do; for tests and as an example.
pub fn half_turn_servo(channel: u8) -> PwmServo {
    PwmServo {
        channel,
        pulse_min_us: 500.0,
        pulse_max_us: 2500.0,
        position_at_pulse_min: -TAU / 4.0,
        position_at_pulse_max: TAU / 4.0,
        start_position: 0.0,
        speed: None,
        acceleration: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Radians;

    #[test]
    fn pulses_and_positions_go_together_in_both_directions() {
        let forward = half_turn_servo(0);
        let backward = PwmServo { position_at_pulse_min: 1.0, position_at_pulse_max: -2.0, ..forward };
        for servo in [forward, backward] {
            for pulse in [500.0, 1500.0, 2499.0] {
                assert!((servo.pulse_us(servo.position(pulse)) - pulse).abs() < 1e-9);
            }
            assert!(0.0 < servo.rad_per_us());
        }
        assert_eq!(backward.position(500.0), 1.0);
    }

    #[test]
    fn ticks_are_quarters_of_a_microsecond() {
        let backward =
            PwmServo { position_at_pulse_min: 1.0, position_at_pulse_max: -2.0, ..half_turn_servo(0) };
        for servo in [half_turn_servo(0), backward] {
            let Ticks(ticks) = servo.calibration().to_ticks(Radians(0.3));
            assert!((f64::from(ticks) / 4.0 - servo.pulse_us(0.3)).abs() < 0.25, "{ticks}");
        }
    }

    #[test]
    fn no_pulse_is_beyond_what_the_servo_may_get() {
        let servo = half_turn_servo(0);
        assert_eq!(
            [-9.0, 9.0, f64::NAN, f64::INFINITY].map(|at| servo.pulse_us(at)),
            [500.0, 2500.0, 1500.0, 2500.0]
        );
    }
}
