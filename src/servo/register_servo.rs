//! One register servo and the joint that it moves: what it tells, in the joint's units, and what it is told.
//!
//! Knows no bus.

use std::sync::Arc;

use super::driver::{DrivenServo, Identity, JointRating};
use super::layout::{Field, Layout, MOST_GOAL, Quantity, Reading};
use super::sightings::Sightings;
use super::snapshot::ServoReport;
use crate::config::hardware::ServoConfig;
use crate::control::torque::Standing;
use crate::protocol::alarms::Alarms;
use crate::protocol::registers::RegisterMap;
use crate::protocol::wire::{Id, Raised};
use crate::units::{Calibration, Radians, Ticks, Time};

/// A servo and its joint.
pub(super) struct Servo {
    /// The joint's name.
    pub(super) joint: String,
    /// The servo's id.
    pub(super) id: Id,
    /// What was configured.
    pub(super) config: ServoConfig,
    /// What its model's registers are.
    pub(super) map: Arc<RegisterMap>,
    /// Which of the driver's layouts it has.
    pub(super) layout: usize,
    /// What it said last.
    pub(super) report: ServoReport,
    /// How many questions in a row it did not answer.
    pub(super) silent_for: u32,
    /// Who it says it is.
    pub(super) identity: Identity,
    /// Who it must be, where it was connected before.
    pub(super) known: Option<Identity>,
    /// Whether it was without power and does not know any more what it was told to gather.
    pub(super) has_forgotten: bool,
    rating: JointRating,
    /// Its goal block, but for the position.
    goal: Goal,
    told: Told,
    sightings: Sightings,
}

/// The bytes of a goal block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Goal {
    bytes: [u8; MOST_GOAL],
    len: usize,
}

impl AsRef<[u8]> for Goal {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What a servo was told, to be compared with its registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    calibration: Calibration,
    /// What its torque limit register was told last.
    torque_limit: Option<i64>,
    /// What the register of its greatest speed was told last.
    speed_limit: Option<i64>,
    /// Whether it was told to stop when its host falls silent.
    has_watchdog: bool,
}

/// An answer under a wrong id, and the right one a few milliseconds later, are no farther apart (ticks).
const NEIGHBOURS: i32 = 24;

impl Servo {
    /// The servo of `joint`, before it was heard.
    pub(super) fn new(
        driven: &DrivenServo,
        id: Id,
        map: Arc<RegisterMap>,
        layout: usize,
        layouts: &[Layout],
    ) -> Self {
        let DrivenServo { joint, config, rating, known } = driven;
        let mut servo = Self {
            joint: joint.clone(),
            id,
            config: config.clone(),
            map,
            layout,
            report: ServoReport::default(),
            silent_for: 0,
            identity: Identity::default(),
            known: *known,
            has_forgotten: false,
            rating: *rating,
            goal: Goal { bytes: [0; MOST_GOAL], len: 0 },
            told: Told {
                calibration: config.calibration,
                torque_limit: None,
                speed_limit: None,
                has_watchdog: false,
            },
            sightings: Sightings::new(config.calibration.rate_to_rad_s(1.0).abs()),
        };
        let layout = &layouts[layout];
        servo.goal.len = usize::from(layout.goal.len).min(MOST_GOAL);
        if let Some(field) = layout.goal_speed {
            field.put(field.no_less(servo.speed_limit()).max(1), &mut servo.goal.bytes);
        }
        servo.report = nothing_said(layout);
        servo
    }

    /// The joint's greatest speed in ticks a second.
    pub(super) fn speed_limit(&self) -> f64 {
        self.config.calibration.rate_from_rad_s(self.rating.max_velocity).abs()
    }

    /// A servo that had said nothing stands at `ticks`: whether it may have said what this one is believed to have said.
    pub(super) fn may_be(&self, ticks: Ticks) -> bool {
        self.report.fresh && (self.ticks().0 - ticks.0).abs() <= NEIGHBOURS
    }

    /// Whether no answer came since it was asked, be it one that is not believed.
    pub(super) fn has_said_nothing(&self) -> bool {
        self.sightings.has_seen_nothing()
    }

    /// What it is believed to have said may be somebody else's.
    pub(super) fn doubt(&mut self) {
        if self.sightings.retract() {
            self.report.fresh = false;
        }
    }

    /// Where it was seen last.
    pub(super) fn ticks(&self) -> Ticks {
        self.config.calibration.to_ticks(Radians(self.report.position))
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

    /// It answered with the block that is read in each cycle; a position that cannot be is not believed.
    pub(super) fn hear(&mut self, layout: &Layout, data: &[u8], raised: Raised, stamp: Time) {
        if layout.gathering.as_ref().is_some_and(|gathering| gathering.is_forgotten(data)) {
            self.has_forgotten = true;
            return;
        }
        let mut report = ServoReport { fresh: true, stamp, ..self.report };
        match raised {
            Raised::Bits(bits) => report.alarms = self.map.alarms_of(bits),
            Raised::Alert(false) => report.alarms = Alarms::NONE,
            Raised::Alert(true) if report.alarms.is_empty() => report.alarms = Alarms::UNSPECIFIED,
            Raised::Alert(true) => {}
        }
        self.take(&mut report, layout, &layout.fast, data);
        if self.sightings.confirm(stamp, report.position, self.rating.max_velocity) {
            self.report = report;
        } else {
            self.report.fresh = false;
        }
    }

    /// It answered with a block that is read now and then.
    pub(super) fn hear_slowly(&mut self, layout: &Layout, reading: &Reading, data: &[u8]) {
        let mut report = self.report;
        self.take(&mut report, layout, reading, data);
        self.report = report;
    }

    /// The goal block for a position (rad or m). Its speed lets the servo catch up, but not run away.
    pub(super) fn goal(&self, layout: &Layout, position: f64) -> Goal {
        let Ticks(ticks) = self.config.calibration.to_ticks(Radians(position));
        let mut goal = self.goal;
        layout.goal_position.put(ticks.into(), &mut goal.bytes);
        goal
    }

    /// The torque limit register for a part (0..=1) of the configured limit, and an effort (N m) that is not to be
    /// exceeded; infinite for none.
    pub(super) fn limit_torque(&mut self, layout: &Layout, part: f64, effort: f64) -> Option<i64> {
        let configured = self.config.torque_limit * part;
        // Where nobody says what effort the whole duty cycle is, no effort can be kept.
        let of_effort = if 0.0 < self.rating.max_effort { effort / self.rating.max_effort } else { 1.0 };
        let limit = layout.torque_limit?.field.nearest(configured.min(of_effort).clamp(0.0, 1.0));
        self.told.torque_limit = Some(limit);
        Some(limit)
    }

    /// The register of its greatest speed, for what the joint may do.
    pub(super) fn limit_speed(&mut self, field: &Field) -> i64 {
        let limit = field.no_less(self.speed_limit()).max(1);
        self.told.speed_limit = Some(limit);
        limit
    }

    /// It is to stop when its host falls silent, or not.
    pub(super) fn note_watchdog(&mut self, has_watchdog: bool) {
        self.told.has_watchdog = has_watchdog;
    }

    /// What it was told.
    pub(super) fn told(&self) -> Told {
        self.told
    }

    fn take(&self, report: &mut ServoReport, layout: &Layout, reading: &Reading, data: &[u8]) {
        let calibration = self.config.calibration;
        for (what, field) in &reading.fields {
            let value = field.value(data);
            match what {
                Quantity::Position => {
                    let ticks = Ticks(i32::try_from(field.raw(data)).unwrap_or(i32::MAX));
                    report.position = calibration.to_radians(ticks).0;
                }
                Quantity::Speed => report.velocity = calibration.rate_to_rad_s(value),
                Quantity::Load => report.load = calibration.sign() * value,
                Quantity::Current => {
                    report.current_a = value.abs();
                    if let Some(full) = layout.full_current.filter(|full| 0.0 < *full) {
                        report.load = calibration.sign() * value / full;
                    }
                }
                Quantity::Voltage => report.voltage_v = value,
                Quantity::Temperature => report.temperature_degc = value,
                Quantity::Alarms => {
                    let bits = u8::try_from(field.raw(data)).unwrap_or(u8::MAX);
                    report.alarms = self.map.alarms_of(bits);
                }
            }
        }
        report.effort = report.load * self.rating.max_effort;
    }
}

/// A report in which that is unknown which a servo does not say at once, or at all.
fn nothing_said(layout: &Layout) -> ServoReport {
    let unless = |what: Quantity| {
        let is_said = layout.fast.fields.iter().any(|(said, _)| *said == what);
        if is_said { 0.0 } else { f64::NAN }
    };
    let of_current = if layout.full_current.is_some() { 0.0 } else { f64::NAN };
    ServoReport {
        velocity: unless(Quantity::Speed),
        load: if unless(Quantity::Load).is_nan() { of_current } else { 0.0 },
        current_a: unless(Quantity::Current),
        voltage_v: unless(Quantity::Voltage),
        temperature_degc: unless(Quantity::Temperature),
        ..ServoReport::default()
    }
}

impl Told {
    /// How the servo stands by the registers of [`Layout::standing`].
    pub(super) fn compare(self, layout: &Layout, data: &[u8]) -> Standing {
        let fields = &layout.standing;
        let goal = Ticks(i32::try_from(fields.goal_position.raw(data)).unwrap_or(i32::MAX));
        let limit = fields.torque_limit.map(|field| field.raw(data));
        let watchdog = fields.watchdog.map(|field| field.raw(data));
        // A servo that has given its host up stands still, and takes no goals.
        let has_given_up = watchdog.is_some_and(|left| left < 0);
        let torque_strays = self.torque_limit.is_some() && limit.is_some() && self.torque_limit != limit;
        let speed = fields.speed_limit.map(|field| field.raw(data));
        // None at all is 0. A servo that keeps a lower one does no harm.
        let speed_strays = self.speed_limit.zip(speed).is_some_and(|(told, kept)| kept == 0 || told < kept);
        let watchdog_strays = self.has_watchdog && watchdog == Some(0);
        Standing {
            torque: fields.torque_enable.raw(data) == 1 && !has_given_up,
            goal: self.calibration.to_radians(goal).0,
            limit_strays: torque_strays || speed_strays || watchdog_strays,
        }
    }
}
