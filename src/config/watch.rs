//! What is watched of every servo, from where on it is a warning and from where on a trip, and what a trip does.
//!
//! One table says everything of a cause; parameters, texts and defaults are made of it. The defaults suit an SO-101.

mod table;

use std::ops::RangeInclusive;

use self::table::{SPECS, Spec};
use super::declaration::Declaration;
use super::parameters::Value;

/// Something that is watched of a servo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// How hot it is.
    Temperature,
    /// A supply that breaks down.
    VoltageLow,
    /// A supply that is too much.
    VoltageHigh,
    /// The motor's current.
    Current,
    /// The motor's duty cycle, for long.
    Load,
    /// Effort and position error together, for long.
    Stall,
    /// How far it is from what it was told.
    FollowingError,
    /// How old the newest sample is.
    SampleAge,
    /// How far it is outside of its joint's limits.
    OutsideLimits,
    /// What the servo itself complains of.
    Alarm,
}

/// What a trip does; a worse one is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It is told, and that is all.
    Warn,
    /// Motions go slower until the cause is gone.
    Slow,
    /// The arm goes to its rest pose, and is faulted there.
    Rest,
    /// The arm brakes, holds, and is faulted.
    Hold,
    /// The arm lets go, and is faulted.
    Release,
}

/// From where on something is a warning and a trip, in the unit of what is watched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    /// Where a warning begins.
    pub warn: f64,
    /// Where a trip begins.
    pub trip: f64,
    /// A level ends where the value is back by so much.
    pub hysteresis: f64,
    /// A level begins when the value has been there for so long (s).
    pub delay_secs: f64,
    /// What a trip does.
    pub action: Action,
}

/// When a joint counts as standing still against its will.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StallCondition {
    /// It uses at least this part of the effort that it may use.
    pub effort_part: f64,
    /// It is at least so far from what it was told (rad or m).
    pub error: f64,
}

/// How one joint's servo is watched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointWatch {
    levels: [Levels; Watched::COUNT],
    /// When it stalls.
    pub stall: StallCondition,
}

/// How an arm's servos are watched.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchConfig {
    /// One for each joint, in the arm's order.
    pub joints: Vec<JointWatch>,
    /// How fast motions go while a trip slows them down, as a part of what they are.
    pub slow_factor: f64,
}

const ACTIONS: [(&str, Action); 5] = [
    ("warn", Action::Warn),
    ("slow", Action::Slow),
    ("rest", Action::Rest),
    ("hold", Action::Hold),
    ("release", Action::Release),
];
const ABOUT_HYSTERESIS: &str = "A level ends where the value is back by so much.";
const ABOUT_DELAY: &str = "A level begins when the value has been there for so long (s).";
const ABOUT_ACTION: &str =
    "What a trip does: warn, slow (until the cause is gone), rest, hold or release (faulted, until a reset).";
impl Watched {
    /// How many there are.
    pub const COUNT: usize = 10;

    /// All of them, in the order of their indices.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Temperature,
        Self::VoltageLow,
        Self::VoltageHigh,
        Self::Current,
        Self::Load,
        Self::Stall,
        Self::FollowingError,
        Self::SampleAge,
        Self::OutsideLimits,
        Self::Alarm,
    ];

    /// Its place in [`Watched::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its name, which is also that of its parameters' group.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// Its unit, with the space before it; empty where it has none.
    pub fn unit(self) -> &'static str {
        self.spec().unit
    }

    /// Why the arm is degraded or faulted, in words.
    pub fn trip_text(self) -> &'static str {
        self.spec().trip_text
    }

    /// Whether less is worse.
    pub fn is_floor(self) -> bool {
        self == Self::VoltageLow
    }

    fn spec(self) -> &'static Spec {
        &SPECS[self.index()]
    }
}

impl JointWatch {
    /// The levels of a cause.
    pub fn levels(&self, watched: Watched) -> &Levels {
        &self.levels[watched.index()]
    }

    /// The same with other levels of a cause.
    #[must_use]
    pub fn with(mut self, watched: Watched, levels: Levels) -> Self {
        self.levels[watched.index()] = levels;
        self
    }
}

impl Default for JointWatch {
    fn default() -> Self {
        let levels = SPECS.each_ref().map(Spec::levels);
        Self { levels, stall: StallCondition { effort_part: 0.7, error: 0.1 } }
    }
}

impl WatchConfig {
    /// Declares and reads the parameters for the arm's `joints`.
    pub fn declare(d: &mut Declaration<'_>, joints: &[String]) -> Self {
        let slow_factor = d.number_in(
            "watch.slow_factor",
            0.25,
            0.01..=1.0,
            "How fast motions go while a trip slows them down (part of their speed).",
        );
        let mut all = JointWatch::default();
        for spec in &SPECS {
            all.levels[spec.watched.index()] = spec.declare(d, spec.name, &spec.levels(), |_, _| true);
        }
        all.stall = stall(d, "stall", all.stall, |_, _| true);
        let of_joint = |joint: &String| {
            let mut watch = all;
            for spec in &SPECS {
                let group = format!("{}.joints.{joint}", spec.name);
                let common = &all.levels[spec.watched.index()];
                // Only what is given: an arm has some three hundred of these.
                let own = spec.declare(d, &group, common, |d, name| d.has(name));
                watch.levels[spec.watched.index()] = own;
            }
            let group = format!("stall.joints.{joint}");
            watch.stall = stall(d, &group, all.stall, |d, name| d.has(name));
            watch
        };
        Self { joints: joints.iter().map(of_joint).collect(), slow_factor }
    }

    /// The first trip that sends the arm to its rest pose, by the name of the parameter that says so.
    pub fn needs_rest_pose(&self) -> Option<String> {
        let sends =
            |watched: &Watched| self.joints.iter().any(|joint| joint.levels(*watched).action == Action::Rest);
        Watched::ALL
            .into_iter()
            .find(|watched| sends(watched))
            .map(|it| format!("watch.{}.action", it.name()))
    }
}

impl Spec {
    fn levels(&self) -> Levels {
        Levels {
            warn: self.warn.0,
            trip: self.trip.0,
            hysteresis: self.hysteresis.unwrap_or(0.0),
            delay_secs: self.delay_secs.unwrap_or(0.0),
            action: self.action.1,
        }
    }

    /// Reads the parameters of a group that `is_meant`; the others are the defaults.
    fn declare(
        &self,
        d: &mut Declaration<'_>,
        group: &str,
        defaults: &Levels,
        is_meant: impl Fn(&Declaration<'_>, &str) -> bool,
    ) -> Levels {
        let name = |key: &str, suffix: &str| format!("watch.{group}.{key}{suffix}");
        let mut number = |key: &str, suffix: &str, default: f64, range: RangeInclusive<f64>, about| {
            let name = name(key, suffix);
            if is_meant(d, &name) { d.number_in(&name, default, range, about) } else { default }
        };
        let mut levels = *defaults;
        if !self.warn.1.is_empty() {
            levels.warn = number("warn", self.suffix, defaults.warn, self.range.clone(), self.warn.1);
            levels.trip = number("trip", self.suffix, defaults.trip, self.range.clone(), self.trip.1);
        }
        if self.hysteresis.is_some() {
            let range = 0.0..=*self.range.end();
            levels.hysteresis =
                number("hysteresis", self.suffix, defaults.hysteresis, range, ABOUT_HYSTERESIS);
        }
        if self.delay_secs.is_some() {
            levels.delay_secs = number("delay", "_s", defaults.delay_secs, 0.0..=60.0, ABOUT_DELAY);
        }
        let action = name("action", "");
        if is_meant(d, &action) {
            let default = ACTIONS.iter().find(|(_, action)| *action == defaults.action);
            let default = default.map_or(self.action.0, |(word, _)| *word);
            levels.action = d.one_of(&action, default, &ACTIONS, ABOUT_ACTION).unwrap_or(defaults.action);
        }
        self.check(d, &name("trip", self.suffix), &name("warn", self.suffix), &levels);
        levels
    }

    fn check(&self, d: &mut Declaration<'_>, trip: &str, warn: &str, levels: &Levels) {
        let (is_beyond, side) = if self.watched.is_floor() {
            (levels.warn < levels.trip, "above")
        } else {
            (levels.trip < levels.warn, "below")
        };
        if is_beyond && (d.has(trip) || d.has(warn)) {
            let expected = format!("it must not be {side} `{warn}`, which is {}", levels.warn);
            d.refuse(trip, Value::Double(levels.trip), expected);
        }
    }
}

fn stall(
    d: &mut Declaration<'_>,
    group: &str,
    defaults: StallCondition,
    is_meant: impl Fn(&Declaration<'_>, &str) -> bool,
) -> StallCondition {
    let mut number = |key: &str, default: f64, range: RangeInclusive<f64>, about| {
        let name = format!("watch.{group}.{key}");
        if is_meant(d, &name) { d.number_in(&name, default, range, about) } else { default }
    };
    StallCondition {
        effort_part: number(
            "effort",
            defaults.effort_part,
            0.0..=1.0,
            "A joint stalls only with at least this part of the effort that it may use (0 to 1).",
        ),
        error: number(
            "error_rad",
            defaults.error,
            0.0..=10.0,
            "A joint stalls only at least so far from its command (rad or m).",
        ),
    }
}

#[cfg(test)]
#[path = "watch/watch_tests.rs"]
mod tests;
