//! How far a reference goes on with each step, where steps come as somebody else's messages do.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use crate::units::Time;

/// Counts the periods that a step stands for.
///
/// Steps may come more seldom than every period, with the messages of a simulator for one; but one that is late now
/// and then is no reason to run.
#[derive(Debug)]
pub(super) struct Pace {
    period_secs: f64,
    last: Option<Time>,
    /// How much time lies between two steps (s), on the average.
    mean_secs: f64,
}

/// A step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// For so many periods the reference goes on.
    pub(super) periods: u32,
    /// So many seconds went by.
    pub(super) secs: f64,
    /// For so many seconds the reference goes on.
    pub(super) reference_secs: f64,
}

/// More time than this (s) is not made up for after a pause.
const LONGEST_SECS: f64 = 0.1;
/// Every step counts for this part of the average.
const WEIGHT: f64 = 0.05;

impl Pace {
    pub(super) fn new(period_secs: f64) -> Self {
        Self { period_secs, last: None, mean_secs: period_secs }
    }

    pub(super) fn step(&mut self, now: Time) -> Step {
        let secs = self.last.map_or(self.period_secs, |last| now.secs_since(last));
        let secs = secs.clamp(0.0, LONGEST_SECS.max(self.period_secs));
        self.last = Some(now);
        self.mean_secs += WEIGHT * (secs - self.mean_secs);
        let periods = (self.mean_secs / self.period_secs).round().max(1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float casts saturate")]
        Step { periods: periods as u32, secs, reference_secs: periods * self.period_secs }
    }
}
