//! One value with two levels: it has to be there for a while, and back by some, before a level changes.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::fmt;

use crate::config::watch::Levels;
use crate::units::Time;

/// How bad something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    #[default]
    Fine,
    /// It is told.
    Warning,
    /// Something is done about it.
    Trip,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fine => "fine",
            Self::Warning => "warning",
            Self::Trip => "trip",
        })
    }
}

/// A level that changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Change {
    pub(super) level: Level,
    pub(super) before: Level,
    pub(super) threshold: f64,
}

/// The level of one value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gauge {
    level: Level,
    value: f64,
    beyond_warn: Option<Time>,
    beyond_trip: Option<Time>,
}

impl Default for Gauge {
    fn default() -> Self {
        Self { level: Level::Fine, value: f64::NAN, beyond_warn: None, beyond_trip: None }
    }
}

impl Gauge {
    /// The present level.
    pub(super) fn level(&self) -> Level {
        self.level
    }

    /// What was measured last; NaN where nothing was.
    pub(super) fn value(&self) -> f64 {
        self.value
    }

    /// Takes a value, and tells a level that began or ended; what is no number says nothing. Less is worse of a floor.
    pub(super) fn note(&mut self, now: Time, value: f64, levels: &Levels, is_floor: bool) -> Option<Change> {
        if value.is_nan() {
            return None;
        }
        self.value = value;
        let sign = if is_floor { -1.0 } else { 1.0 };
        let beyond = |threshold: f64| sign * threshold <= sign * value;
        // At the threshold itself a level ends where there is no hysteresis, and never begins and ends at once.
        let stays = |threshold: f64| sign * threshold - levels.hysteresis < sign * value || beyond(threshold);
        let warns = lasts(&mut self.beyond_warn, beyond(levels.warn), now, levels.delay_secs);
        let trips = lasts(&mut self.beyond_trip, beyond(levels.trip), now, levels.delay_secs);
        let before = self.level;
        self.level = if trips || (before == Level::Trip && stays(levels.trip)) {
            Level::Trip
        } else if warns || (before != Level::Fine && stays(levels.warn)) {
            Level::Warning
        } else {
            Level::Fine
        };
        let threshold = match before.max(self.level) {
            Level::Trip => levels.trip,
            _ => levels.warn,
        };
        let back = if self.level < before { sign * levels.hysteresis } else { 0.0 };
        let change = Change { level: self.level, before, threshold: threshold - back };
        (self.level != before).then_some(change)
    }
}

/// Whether something has been so for `secs`.
fn lasts(since: &mut Option<Time>, is_so: bool, now: Time, secs: f64) -> bool {
    if !is_so {
        *since = None;
        return false;
    }
    let since = *since.get_or_insert(now);
    secs <= now.secs_since(since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::watch::Action;

    const LEVELS: Levels =
        Levels { warn: 60.0, trip: 66.0, hysteresis: 3.0, delay_secs: 1.0, action: Action::Slow };

    /// The levels after these values, which come every half second.
    fn levels(values: &[f64], levels: &Levels, is_floor: bool) -> Vec<Level> {
        let mut gauge = Gauge::default();
        let mut now = Time(0);
        let each = values.iter().map(|&value| {
            gauge.note(now, value, levels, is_floor);
            now = now.plus_secs(0.5);
            gauge.level()
        });
        each.collect()
    }

    #[test]
    fn a_level_begins_when_the_value_has_been_there_for_a_while() {
        use Level::{Fine, Trip, Warning};
        let seen = levels(&[61.0, 61.0, 61.0, 66.0, 66.0, 66.0], &LEVELS, false);
        assert_eq!(seen, [Fine, Fine, Warning, Warning, Warning, Trip]);
        let spikes = levels(&[70.0, 50.0, 70.0, 70.0, 50.0], &LEVELS, false);
        assert_eq!(spikes, [Fine; 5]);
    }

    #[test]
    fn a_level_ends_only_where_the_value_is_back_by_some() {
        use Level::{Fine, Trip, Warning};
        let quick = Levels { delay_secs: 0.0, ..LEVELS };
        let seen = levels(&[67.0, 65.0, 63.5, 63.0, 58.0, 57.0], &quick, false);
        assert_eq!(seen, [Trip, Trip, Trip, Warning, Warning, Fine]);
    }

    #[test]
    fn of_a_floor_less_is_worse() {
        use Level::{Fine, Trip, Warning};
        let volts = Levels { warn: 4.6, trip: 4.2, hysteresis: 0.2, delay_secs: 0.0, ..LEVELS };
        let seen = levels(&[5.0, 4.6, 4.1, 4.3, 4.5, 4.9], &volts, true);
        assert_eq!(seen, [Fine, Warning, Trip, Trip, Warning, Fine]);
    }

    #[test]
    fn what_is_no_number_changes_nothing() {
        let quick = Levels { delay_secs: 0.0, ..LEVELS };
        let seen = levels(&[f64::NAN, 70.0, f64::NAN, 20.0], &quick, false);
        assert_eq!(seen, [Level::Fine, Level::Trip, Level::Trip, Level::Fine]);
    }

    #[test]
    fn a_change_is_told_once_with_the_threshold_that_was_crossed() {
        let quick = Levels { delay_secs: 0.0, ..LEVELS };
        let mut gauge = Gauge::default();
        let change = gauge.note(Time(0), 67.0, &quick, false).unwrap();
        assert_eq!((change.before, change.level, change.threshold), (Level::Fine, Level::Trip, 66.0));
        assert_eq!(gauge.note(Time(1), 68.0, &quick, false), None);
        let change = gauge.note(Time(2), 61.0, &quick, false).unwrap();
        assert_eq!((change.before, change.level, change.threshold), (Level::Trip, Level::Warning, 63.0));
    }
}
