//! One Feetech servo and the joint that it moves: what it tells, in the joint's units, and what it is told.
//!
//! Knows no bus.

use super::driver::{DrivenServo, JointRating};
use super::sightings::Sightings;
use super::snapshot::ServoReport;
use crate::config::hardware::ServoConfig;
use crate::control::torque::Standing;
use crate::protocol::feetech::packet::{Id, PacketError};
use crate::protocol::feetech::registers::{GOAL_POSITION, TORQUE_ENABLE, TORQUE_LIMIT};
use crate::protocol::feetech::telemetry::{GoalBlock, Telemetry};
use crate::units::{Calibration, Radians, Ticks, Time};

/// A servo and its joint.
pub(super) struct Servo {
    /// The joint's name.
    pub(super) joint: String,
    /// The servo's id.
    pub(super) id: Id,
    /// What was configured.
    pub(super) config: ServoConfig,
    /// What it said last.
    pub(super) report: ServoReport,
    /// How many questions in a row it did not answer.
    pub(super) silent_for: u32,
    rating: JointRating,
    /// In ticks a second.
    speed_limit: i32,
    /// What its torque limit register was told last.
    torque_limit: Option<u16>,
    sightings: Sightings,
}

/// What a servo was told, to be compared with its registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    calibration: Calibration,
    torque_limit: Option<u16>,
}

/// An answer under a wrong id, and the right one a few milliseconds later, are no farther apart (ticks).
const NEIGHBOURS: i32 = 24;
const FULL_TORQUE_PERMILLE: f64 = 1000.0;

impl Servo {
    /// The servo of `joint`, before it was heard.
    ///
    /// # Errors
    /// Where its id is no servo's.
    pub(super) fn new(driven: &DrivenServo) -> Result<Self, PacketError> {
        let DrivenServo { joint, config, rating } = driven;
        let id = Id::new(config.id)?;
        let speed = config.calibration.rate_from_rad_s(rating.max_velocity).abs().min(f64::from(i16::MAX));
        #[expect(clippy::cast_possible_truncation, reason = "at most i16::MAX")]
        Ok(Self {
            joint: joint.clone(),
            id,
            config: config.clone(),
            rating: *rating,
            speed_limit: speed.ceil() as i32,
            torque_limit: None,
            report: ServoReport::default(),
            silent_for: 0,
            sightings: Sightings::default(),
        })
    }

    /// A servo that had said nothing stands at `ticks`: whether it may have said what this one is believed to have said.
    pub(super) fn may_be(&self, ticks: Ticks) -> bool {
        let Ticks(own) = self.config.calibration.to_ticks(Radians(self.report.position));
        self.report.fresh && (own - ticks.0).abs() <= NEIGHBOURS
    }

    /// What it is believed to have said may be somebody else's.
    pub(super) fn doubt(&mut self) {
        if self.sightings.retract() {
            self.report.fresh = false;
        }
    }

    /// Notes whether it answered the last question.
    pub(super) fn count_silence(&mut self) {
        self.silent_for = if self.report.fresh { 0 } else { self.silent_for.saturating_add(1) };
    }

    /// It is asked where it is; what it said before is old.
    pub(super) fn ask(&mut self) {
        self.report.fresh = false;
        self.sightings.ask();
    }

    /// It answered with its present block; a position that cannot be is not believed.
    pub(super) fn hear(&mut self, data: &[u8], stamp: Time) {
        let Ok(telemetry) = Telemetry::parse(data) else { return };
        let report = self.reported(telemetry, stamp);
        if self.sightings.confirm(stamp, report.position, self.rating.max_velocity) {
            self.report = report;
        } else {
            self.report.fresh = false;
        }
    }

    /// The goal block for a position (rad), `None` where no register holds it. Its speed lets the servo catch up, but
    /// not run away.
    pub(super) fn goal(&self, position: f64) -> Option<[u8; GoalBlock::LEN]> {
        let most = GOAL_POSITION.range().1;
        let Ticks(ticks) = self.config.calibration.to_ticks(Radians(position));
        let block = GoalBlock {
            position: Ticks(ticks.clamp(-most, most)),
            speed_ticks_s: self.speed_limit,
            ..GoalBlock::default()
        };
        block.encode().ok()
    }

    /// The torque limit register for a part (0..=1) of the configured limit, and an effort (N m) that is not to be
    /// exceeded; infinite for none.
    pub(super) fn limit_torque(&mut self, part: f64, effort: f64) -> [u8; 2] {
        let configured = self.config.torque_limit * part;
        // Where nobody says what effort the whole duty cycle is, no effort can be kept.
        let of_effort = if 0.0 < self.rating.max_effort { effort / self.rating.max_effort } else { 1.0 };
        let permille = (FULL_TORQUE_PERMILLE * configured.min(of_effort)).clamp(0.0, FULL_TORQUE_PERMILLE);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
        let permille = permille.round() as u16;
        self.torque_limit = Some(permille);
        permille.to_le_bytes()
    }

    /// What it was told.
    pub(super) fn told(&self) -> Told {
        Told { calibration: self.config.calibration, torque_limit: self.torque_limit }
    }

    fn reported(&self, telemetry: Telemetry, stamp: Time) -> ServoReport {
        let calibration = self.config.calibration;
        ServoReport {
            fresh: true,
            stamp,
            position: calibration.to_radians(telemetry.position).0,
            velocity: calibration.rate_to_rad_s(f64::from(telemetry.speed_ticks_s)),
            effort: calibration.sign() * telemetry.load() * self.rating.max_effort,
            temperature_degc: f64::from(telemetry.temperature_celsius),
            voltage_v: telemetry.voltage_v(),
            current_a: telemetry.current_a(),
            load: calibration.sign() * telemetry.load(),
            alarms: telemetry.alarms.into(),
        }
    }
}

impl Told {
    /// How the servo stands by its registers from [`TORQUE_ENABLE`] on.
    pub(super) fn compare(self, data: &[u8]) -> Standing {
        let word = |address: u8| {
            let at = usize::from(address - TORQUE_ENABLE.address);
            u16::from_le_bytes([data[at], data[at + 1]])
        };
        let goal = Ticks(GOAL_POSITION.decode_raw(word(GOAL_POSITION.address)));
        Standing {
            torque: data[0] == 1,
            goal: self.calibration.to_radians(goal).0,
            limit_strays: self.torque_limit.is_some_and(|told| told != word(TORQUE_LIMIT.address)),
        }
    }
}
