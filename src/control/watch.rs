//! Watches servos: what each says of itself becomes levels (fine, a warning, a trip), one for each cause and joint.
//!
//! Told the time and the samples. What a servo does not tell is not judged; silence judges nothing but the age of the
//! last sample. What a trip does is configured, and done by whoever asks for [`Watch::worst`].
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod gauge;

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use self::gauge::Gauge;
pub use self::gauge::Level;
use crate::config::watch::{Action, JointWatch, WatchConfig, Watched};
use crate::units::Time;

/// What a servo says of itself; NaN where it does not say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Health {
    /// Temperature (°C).
    pub temperature_degc: f64,
    /// Supply voltage (V).
    pub voltage_v: f64,
    /// Motor current (A), without a sign.
    pub current_a: f64,
    /// Duty cycle of the motor (-1 to 1).
    pub load: f64,
    /// Whether it complains of something.
    pub alarms: bool,
}

/// What is known of a joint in one cycle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sighting {
    /// Whether its servo answered in this cycle; otherwise the fields from `health` on are those of its last answer.
    pub fresh: bool,
    /// When its servo was read last; `None` before its first answer.
    pub stamp: Option<Time>,
    /// What its servo says of itself.
    pub health: Health,
    /// Where it is (rad or m).
    pub position: f64,
    /// Where it was told to be when it was read (rad or m); `None` where it was told nothing.
    pub command: Option<f64>,
    /// How far it is outside of its limits (rad or m).
    pub excess: f64,
    /// The greatest duty cycle that it may use.
    pub load_limit: f64,
    /// Whether somebody knows that it pushes, and takes care of it.
    pub may_stall: bool,
}

/// A level that began or ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WatchNews {
    /// The joint.
    pub joint: usize,
    /// The cause.
    pub watched: Watched,
    /// The level from now on.
    pub level: Level,
    /// The level before.
    pub before: Level,
    /// What was measured, in the unit of the cause.
    pub value: f64,
    /// Where the level begins that began; where the level ended that ended.
    pub threshold: f64,
}

/// A trip that is on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trip {
    /// The joint.
    pub joint: usize,
    /// The cause.
    pub watched: Watched,
    /// What it does.
    pub action: Action,
    /// What was measured last, in the unit of the cause.
    pub value: f64,
    /// Where it ends.
    pub ends_at: f64,
}

/// Watches the servos of an arm.
#[derive(Debug)]
pub struct Watch {
    joints: Vec<WatchedJoint>,
    news: VecDeque<WatchNews>,
}

#[derive(Clone, Copy, Debug)]
struct WatchedJoint {
    config: JointWatch,
    gauges: [Gauge; Watched::COUNT],
    stall: Option<Stall>,
    /// When its supply was too low last.
    dipped: Option<Time>,
    /// From when on it should have been heard.
    since: Option<Time>,
}

/// A joint that has stood still against its will.
#[derive(Clone, Copy, Debug)]
struct Stall {
    since: Time,
    at: f64,
}

/// A servo that falls silent or limp within this time after its supply broke down did so for that reason.
const DIP_MEMORY: Duration = Duration::from_secs(2);
/// A joint goes on stalling with this part of the effort, and of the error, with which it began.
const STALL_EFFORT_STAYS: f64 = 0.8;
const STALL_ERROR_STAYS: f64 = 0.5;
const NEWS_CAPACITY: usize = 64;

impl Default for Health {
    fn default() -> Self {
        let unknown = f64::NAN;
        Self {
            temperature_degc: unknown,
            voltage_v: unknown,
            current_a: unknown,
            load: unknown,
            alarms: false,
        }
    }
}

impl Watch {
    /// Watches as configured.
    pub fn new(config: &WatchConfig) -> Self {
        let joint = |config: &JointWatch| WatchedJoint {
            config: *config,
            gauges: [Gauge::default(); Watched::COUNT],
            stall: None,
            dipped: None,
            since: None,
        };
        Self {
            joints: config.joints.iter().map(joint).collect(),
            news: VecDeque::with_capacity(NEWS_CAPACITY),
        }
    }

    /// Nothing is known of the servos any more.
    pub fn forget(&mut self) {
        for joint in &mut self.joints {
            joint.gauges = [Gauge::default(); Watched::COUNT];
            (joint.stall, joint.since) = (None, None);
        }
    }

    /// Judges what is known of a joint.
    pub fn judge(&mut self, now: Time, joint: usize, seen: &Sighting) {
        let Some(watched) = self.joints.get_mut(joint) else { return };
        let since = *watched.since.get_or_insert(now);
        let age = now.secs_since(seen.stamp.map_or(since, |stamp| stamp.max(since))).max(0.0);
        let mut note = |cause: Watched, value: f64, watched: &mut WatchedJoint| {
            let levels = watched.config.levels(cause);
            let change = watched.gauges[cause.index()].note(now, value, levels, cause.is_floor());
            if let Some(change) = change.filter(|_| self.news.len() < NEWS_CAPACITY) {
                let (level, before, threshold) = (change.level, change.before, change.threshold);
                self.news.push_back(WatchNews { joint, watched: cause, level, before, value, threshold });
            }
        };
        note(Watched::SampleAge, age, watched);
        if !seen.fresh {
            return;
        }
        let Health { temperature_degc, voltage_v, current_a, load, alarms } = seen.health;
        if voltage_v <= watched.config.levels(Watched::VoltageLow).warn {
            watched.dipped = Some(now);
        }
        let stalled_secs = watched.stalled_secs(now, seen);
        let error = seen.command.map_or(0.0, |command| (command - seen.position).abs());
        for (cause, value) in [
            (Watched::Temperature, temperature_degc),
            (Watched::VoltageLow, voltage_v),
            (Watched::VoltageHigh, voltage_v),
            (Watched::Current, current_a),
            (Watched::Load, load.abs()),
            (Watched::Stall, stalled_secs),
            (Watched::FollowingError, error),
            (Watched::OutsideLimits, seen.excess),
            (Watched::Alarm, f64::from(u8::from(alarms))),
        ] {
            note(cause, value, watched);
        }
    }

    /// The level of a joint's cause.
    pub fn level(&self, joint: usize, watched: Watched) -> Level {
        self.joints.get(joint).map_or(Level::Fine, |joint| joint.gauges[watched.index()].level())
    }

    /// The levels of a joint, by [`Watched::index`].
    pub fn levels(&self, joint: usize) -> [Level; Watched::COUNT] {
        Watched::ALL.map(|watched| self.level(joint, watched))
    }

    /// The trip that does most.
    pub fn worst(&self) -> Option<Trip> {
        let of_joint = |(joint, it): (usize, &WatchedJoint)| it.worst().map(|trip| Trip { joint, ..trip });
        // The first of those that do the same.
        self.joints
            .iter()
            .enumerate()
            .filter_map(of_joint)
            .reduce(|worst, trip| if worst.action < trip.action { trip } else { worst })
    }

    /// Whether a joint's supply broke down a moment ago.
    pub fn has_dipped(&self, joint: usize, now: Time) -> bool {
        let dipped = self.joints.get(joint).and_then(|joint| joint.dipped);
        dipped.is_some_and(|at| now.saturating_since(at) <= DIP_MEMORY)
    }

    /// The levels that began or ended since the last call, one by one.
    pub fn pop_news(&mut self) -> Option<WatchNews> {
        self.news.pop_front()
    }
}

impl WatchedJoint {
    fn worst(&self) -> Option<Trip> {
        let trips = Watched::ALL.into_iter().filter_map(|watched| {
            let (gauge, levels) = (&self.gauges[watched.index()], self.config.levels(watched));
            let ends_at = if watched.is_floor() {
                levels.trip + levels.hysteresis
            } else {
                levels.trip - levels.hysteresis
            };
            let trip = Trip { joint: 0, watched, action: levels.action, value: gauge.value(), ends_at };
            (gauge.level() == Level::Trip).then_some(trip)
        });
        trips.reduce(|worst, trip| if worst.action < trip.action { trip } else { worst })
    }

    /// For how long (s) the joint has pushed without getting anywhere; NaN where nobody says how hard it pushes.
    fn stalled_secs(&mut self, now: Time, seen: &Sighting) -> f64 {
        let condition = self.config.stall;
        let (effort, error) = match self.stall {
            None => (condition.effort_part, condition.error),
            Some(_) => (STALL_EFFORT_STAYS * condition.effort_part, STALL_ERROR_STAYS * condition.error),
        };
        let Some(command) = seen.command.filter(|_| !seen.may_stall) else {
            self.stall = None;
            return 0.0;
        };
        if seen.health.load.is_nan() {
            return f64::NAN;
        }
        let pushes = effort * seen.load_limit <= seen.health.load.abs();
        if !pushes || (command - seen.position).abs() < error {
            self.stall = None;
            return 0.0;
        }
        // One that gets on, however slowly it does, does not stand.
        let stays = |stall: &Stall| (seen.position - stall.at).abs() < 0.5 * condition.error;
        let stall = self.stall.filter(stays).unwrap_or(Stall { since: now, at: seen.position });
        self.stall = Some(stall);
        now.secs_since(stall.since)
    }
}

impl Trip {
    /// What is measured, and what it must be, in words.
    pub fn sentence(&self) -> String {
        let (unit, name) = (self.watched.unit(), self.watched.name());
        let than = if self.watched.is_floor() { "above" } else { "below" };
        format!(
            "{name} is {}{unit}, and the trip ends {than} {}{unit}",
            Round(self.value),
            Round(self.ends_at)
        )
    }
}

impl WatchNews {
    /// What happened to the joint's cause, in words.
    pub fn sentence(&self) -> String {
        let (unit, name, value) = (self.watched.unit(), self.watched.name(), Round(self.value));
        let threshold = Round(self.threshold);
        if self.watched == Watched::Alarm {
            let begins =
                if self.before < self.level { "its servo raises an alarm" } else { "the alarm is over" };
            return begins.to_owned();
        }
        match self.level {
            level if level < self.before => {
                format!("{name} is {value}{unit}, back within {threshold}{unit}: {level}")
            }
            level => format!("{name} is {value}{unit}, beyond {threshold}{unit}: {level}"),
        }
    }
}

/// A number as people write it: no more than three digits after the point.
struct Round(f64);

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", (self.0 * 1000.0).round() / 1000.0)
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
