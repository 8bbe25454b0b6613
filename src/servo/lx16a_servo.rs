//! One LX-16A and the joint that it moves: what it tells, in the joint's units, and what it is told.
//!
//! Knows no bus. The servo tells a position and nothing of its motion, so the velocity is that of a line through its
//! last positions, smoothed; effort, load and current are NaN.

use std::time::Duration;

use super::driver::{DrivenServo, Identity};
use super::sightings::Sightings;
use super::snapshot::ServoReport;
use crate::protocol::alarms::Alarms;
use crate::protocol::lx16a::{MAX_POSITION, Move};
use crate::protocol::wire::{FrameError, Id};
use crate::units::{Calibration, Radians, Ticks, Time};

/// A servo and its joint.
pub(super) struct Servo {
    /// The joint's name.
    pub(super) joint: String,
    /// The servo's id.
    pub(super) id: Id,
    /// What it said last.
    pub(super) report: ServoReport,
    /// Who it says it is: what it adds to its positions, and nothing else.
    pub(super) identity: Identity,
    /// Who it must be, where it was connected before.
    pub(super) known: Option<Identity>,
    /// Where its own limits let it go (ticks).
    pub(super) range: (i16, i16),
    /// What it was told last (ticks).
    pub(super) told: Option<i16>,
    /// Its own limits of supply (V) and temperature (°C).
    pub(super) bearable: Bearable,
    calibration: Calibration,
    max_velocity: f64,
    sightings: Sightings,
    motion: Motion,
}

/// Beyond these a servo complains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bearable {
    pub(super) voltage_v: (f64, f64),
    pub(super) temperature_degc: f64,
}

impl Servo {
    /// The servo of `joint`, before it was heard.
    ///
    /// # Errors
    /// Where its id is no servo's.
    pub(super) fn new(driven: &DrivenServo) -> Result<Self, FrameError> {
        let unknown = ServoReport {
            effort: f64::NAN,
            load: f64::NAN,
            current_a: f64::NAN,
            temperature_degc: f64::NAN,
            voltage_v: f64::NAN,
            ..ServoReport::default()
        };
        Ok(Self {
            joint: driven.joint.clone(),
            id: Id::new(driven.config.id)?,
            report: unknown,
            identity: Identity::default(),
            known: driven.known,
            range: (0, MAX_POSITION),
            told: None,
            bearable: Bearable { voltage_v: (4.5, 12.0), temperature_degc: 85.0 },
            calibration: driven.config.calibration,
            max_velocity: driven.rating.max_velocity,
            sightings: Sightings::new(driven.config.calibration.rate_to_rad_s(1.0).abs()),
            motion: Motion::default(),
        })
    }

    /// It is asked where it is; what it said before is old.
    pub(super) fn ask(&mut self) {
        self.report.fresh = false;
        self.sightings.ask();
    }

    /// It said where it is; a position that cannot be is not believed.
    pub(super) fn hear_position(&mut self, raw: [u8; 2], stamp: Time) {
        let position = self.to_joint(i16::from_le_bytes(raw));
        if self.sightings.confirm(stamp, position, self.max_velocity) {
            let velocity = self.motion.follow(stamp, position);
            self.report = ServoReport { fresh: true, stamp, position, velocity, ..self.report };
        }
    }

    /// It said how hot it is.
    pub(super) fn hear_temperature(&mut self, celsius: u8) {
        self.report.temperature_degc = f64::from(celsius);
        self.judge();
    }

    /// It said what its supply is.
    pub(super) fn hear_voltage(&mut self, raw: [u8; 2]) {
        self.report.voltage_v = f64::from(u16::from_le_bytes(raw)) / 1e3;
        self.judge();
    }

    /// The parameters of a move to a position (rad) within a time, within what its own limits allow.
    pub(super) fn move_to(&mut self, position: f64, time: Duration) -> [u8; 4] {
        let Ticks(ticks) = self.calibration.to_ticks(Radians(position));
        let (least, most) = self.range;
        let ticks = i16::try_from(ticks.clamp(i32::from(least), i32::from(most))).unwrap_or(least);
        self.told = Some(ticks);
        Move { position: ticks, time_ms: u16::try_from(time.as_millis()).unwrap_or(u16::MAX) }.params()
    }

    /// Where the joint is (rad) when the servo is there (ticks).
    pub(super) fn to_joint(&self, ticks: i16) -> f64 {
        self.calibration.to_radians(Ticks(ticks.into())).0
    }

    /// How far two neighbouring positions are apart (rad).
    pub(super) fn resolution(&self) -> f64 {
        self.calibration.rate_to_rad_s(1.0).abs()
    }

    /// The servo has no alarm bits; its limits and what it measures say the same.
    fn judge(&mut self) {
        let ServoReport { temperature_degc, voltage_v, .. } = self.report;
        let (least, most) = self.bearable.voltage_v;
        let mut alarms = Alarms::NONE;
        if self.bearable.temperature_degc <= temperature_degc {
            alarms |= Alarms::OVERHEAT;
        }
        if voltage_v < least || most < voltage_v {
            alarms |= Alarms::VOLTAGE;
        }
        self.report.alarms = alarms;
    }
}

/// The velocity of a joint of which only positions are known.
#[derive(Clone, Copy, Debug, Default)]
struct Motion {
    last: Option<(Time, f64)>,
    velocity: f64,
}

impl Motion {
    /// Time constant of the smoothing (s): five cycles at 50 Hz, as one tick in a cycle is 0.2 rad/s.
    const SMOOTHING: f64 = 0.1;
    /// After a longer silence the motion begins anew (s).
    const LONGEST_GAP: f64 = 0.5;

    fn follow(&mut self, at: Time, position: f64) -> f64 {
        let elapsed = self.last.map(|(then, before)| (at.secs_since(then), position - before));
        match elapsed {
            Some((secs, way)) if 0.0 < secs && secs < Self::LONGEST_GAP => {
                let part = secs / (secs + Self::SMOOTHING);
                self.velocity += (way / secs - self.velocity) * part;
            }
            Some((secs, _)) if secs <= 0.0 => return self.velocity,
            _ => self.velocity = 0.0,
        }
        self.last = Some((at, position));
        self.velocity
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::hardware::ServoConfig;
    use crate::servo::driver::JointRating;

    const CYCLE: Duration = Duration::from_millis(20);

    #[test]
    fn the_velocity_of_a_steady_motion_is_found_and_ends_with_it() {
        let mut servo = servo();
        let mut now = Time(0);
        let mut hear = |servo: &mut Servo, ticks: i16| {
            now = now + CYCLE;
            servo.ask();
            servo.hear_position(ticks.to_le_bytes(), now);
            servo.report.velocity
        };
        let moving = (0..60).fold(0.0, |_, step| hear(&mut servo, 300 + 5 * step));
        let expected = 250.0 * std::f64::consts::TAU / 1500.0;
        assert!((moving - expected).abs() < 0.01 * expected, "{moving} instead of {expected}");
        let resting = (0..60).fold(0.0, |_, _| hear(&mut servo, 595));
        assert!(resting.abs() < 0.01, "{resting}");
    }

    #[test]
    fn goals_stay_within_the_servo_s_own_limits() {
        let mut servo = servo();
        servo.range = (100, 900);
        let ticks = |params: [u8; 4]| Move::parse(&params).unwrap().position;
        let goals = [-9.0, 9.0, 0.0, f64::NAN, f64::INFINITY];
        assert_eq!(goals.map(|goal| ticks(servo.move_to(goal, CYCLE))), [100, 900, 500, 500, 900]);
    }

    #[test]
    fn its_own_limits_say_what_it_would_complain_of() {
        let mut servo = servo();
        servo.hear_voltage(7400_u16.to_le_bytes());
        servo.hear_temperature(40);
        assert_eq!(servo.report.alarms, Alarms::NONE);
        servo.hear_temperature(85);
        servo.hear_voltage(4400_u16.to_le_bytes());
        assert_eq!(servo.report.alarms, Alarms::OVERHEAT | Alarms::VOLTAGE);
        assert!(servo.report.effort.is_nan() && servo.report.current_a.is_nan());
    }

    fn servo() -> Servo {
        let config = ServoConfig {
            limits: Default::default(),
            bus: 0,
            map: None,
            slides: false,
            id: 1,
            calibration: Calibration { zero: Ticks(500), reversed: false, ticks_per_turn: 1500.0 },
            torque_limit: 1.0,
            pwm: None,
            recorded: None,
        };
        let rating = JointRating { max_velocity: 5.0, max_effort: 1.5 };
        Servo::new(&DrivenServo { joint: "elbow".into(), config, rating, known: None }).unwrap()
    }
}
