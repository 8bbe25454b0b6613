//! Whether joints can do what a motion asks for: where it leaves the travel, and what is too fast, and by how much.
//!
//! Every segment is bounded by its Bernstein hull first and looked at closely only where that is not enough; what is
//! found is exact. A cubic's acceleration steps at its waypoints; such a step is not counted as jerk, and neither
//! are the jumps of a motion that is not interpolated. Where the motion leads in from a joint under way, the
//! velocity, acceleration and place that the joint has already are not held against it.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::fmt;

use super::extremes::{extremes, hull, hull_abs, peak};
use super::limits::JointLimits;
use super::piece::Piece;
use super::rounding::Line;
use super::spline::{Degree, JointState, Spline};

/// What a limit limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// rad/s or m/s.
    Velocity,
    /// rad/s² or m/s².
    Acceleration,
    /// rad/s³ or m/s³.
    Jerk,
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Velocity => "Velocity",
            Self::Acceleration => "Acceleration",
            Self::Jerk => "Jerk",
        })
    }
}

/// The most demanding moment of a motion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Peak {
    pub(super) quantity: Quantity,
    pub(super) column: usize,
    /// Seconds from the start.
    pub(super) time: f64,
    /// The absolute value.
    pub(super) value: f64,
    pub(super) limit: f64,
    /// How much slower the motion would have to be; below 1, how much faster it could be.
    pub(super) factor: f64,
}

/// A place outside the travel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outside {
    pub(super) column: usize,
    /// Seconds from the start.
    pub(super) time: f64,
    pub(super) position: f64,
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Findings {
    pub(super) outside: Option<Outside>,
    pub(super) peak: Option<Peak>,
}

/// Rounding is no excess: by this part a limit may be passed.
pub(super) const SLACK: f64 = 1e-6;
/// Nor is it by so much (rad or m).
const PLACE_SLACK: f64 = 1e-9;
/// Two excesses differ by this part at least.
const TIE: f64 = 1e-9;

impl Findings {
    /// Looks at a whole motion, which led in from `start`, if that is known.
    pub(super) fn of(spline: &Spline, start: &[JointState]) -> Self {
        let mut findings = Self::default();
        for (index, begin, end, pieces) in spline.pieces() {
            let span = end - begin;
            // What lies before the motion is joined is never gone through.
            if span <= 0.0 || spline.lead().is_some_and(|lead| index < lead) {
                continue;
            }
            for (column, piece) in pieces.iter().enumerate() {
                let mut bounds = Bounds::of(&spline.limits()[column]);
                if spline.lead() == Some(index)
                    && let Some(&state) = start.get(column)
                {
                    bounds.admit(state, spline.degree(index));
                }
                let mut look = Look { findings: &mut findings, bounds, column, begin, span };
                match piece {
                    Piece::Polynomial(coefficients) => look.at_polynomial(coefficients),
                    Piece::Line(line) => look.at_line(line),
                }
            }
        }
        findings
    }

    /// How much slower the motion would have to be; 0 where it asks for nothing.
    pub(super) fn factor(&self) -> f64 {
        self.peak.map_or(0.0, |peak| peak.factor)
    }
}

/// What one joint may do in one segment.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    lower: f64,
    upper: f64,
    velocity: f64,
    acceleration: f64,
    jerk: f64,
}

impl Bounds {
    fn of(limits: &JointLimits) -> Self {
        Self {
            lower: limits.lower() - PLACE_SLACK,
            upper: limits.upper() + PLACE_SLACK,
            velocity: limits.max_velocity(),
            acceleration: limits.max_acceleration(),
            jerk: limits.max_jerk(),
        }
    }

    /// A joint may be where it is, and may move as it does.
    fn admit(&mut self, state: JointState, degree: Degree) {
        self.velocity = self.velocity.max(state.velocity.abs());
        self.acceleration = self.acceleration.max(state.acceleration.abs());
        (self.lower, self.upper) = match degree {
            // The way to a first position is planned when it is taken up.
            Degree::Linear => (f64::NEG_INFINITY, f64::INFINITY),
            _ => (self.lower.min(state.position), self.upper.max(state.position)),
        };
    }
}

/// A look at one joint in one segment.
struct Look<'a> {
    findings: &'a mut Findings,
    bounds: Bounds,
    column: usize,
    begin: f64,
    span: f64,
}

impl Look<'_> {
    fn at_polynomial(&mut self, coefficients: &[f64; 6]) {
        let mut unit = *coefficients;
        let mut power = 1.0;
        for coefficient in &mut unit {
            *coefficient *= power;
            power *= self.span;
        }
        let [_, a, b, c, d, e] = unit;
        self.at_places(&unit, 0.0, self.span);
        let Bounds { velocity, acceleration, jerk, .. } = self.bounds;
        // Limits in units of the span, so that nothing is divided.
        let limit = velocity * self.span;
        self.at_rate(Quantity::Velocity, limit, [a, 2.0 * b, 3.0 * c, 4.0 * d, 5.0 * e]);
        let limit = acceleration * self.span * self.span;
        self.at_rate(Quantity::Acceleration, limit, [2.0 * b, 6.0 * c, 12.0 * d, 20.0 * e]);
        let limit = jerk * self.span * self.span * self.span;
        self.at_rate(Quantity::Jerk, limit, [6.0 * c, 24.0 * d, 60.0 * e]);
    }

    fn at_line(&mut self, line: &Line) {
        let Line { begin, cruise, end, ramp_in, ramp_out, .. } = *line;
        let after = self.span - ramp_out;
        for (velocity, at) in [(begin, 0.0), (cruise, ramp_in), (end, self.span)] {
            self.note(Quantity::Velocity, velocity, self.bounds.velocity, at);
        }
        for (change, ramp, at) in [(cruise - begin, ramp_in, 0.0), (end - cruise, ramp_out, after)] {
            if 0.0 < ramp {
                self.note(
                    Quantity::Acceleration,
                    1.5 * change / ramp,
                    self.bounds.acceleration,
                    at + 0.5 * ramp,
                );
                self.note(Quantity::Jerk, 6.0 * change / (ramp * ramp), self.bounds.jerk, at);
            }
        }
        // A line that turns round goes beyond its ends.
        if begin * cruise < 0.0 || cruise * end < 0.0 {
            let mut from = 0.0;
            for (part, lasts) in line.parts(self.span) {
                let mut power = 1.0;
                let unit = part.map(|coefficient| {
                    let scaled = coefficient * power;
                    power *= lasts;
                    scaled
                });
                self.at_places(&unit, from, lasts);
                from += lasts;
            }
        }
    }

    /// Positions within a part of the segment.
    fn at_places(&mut self, unit: &[f64; 6], from: f64, lasts: f64) {
        let Bounds { lower, upper, .. } = self.bounds;
        let (least, greatest) = hull(*unit);
        if lower <= least && greatest <= upper || self.findings.outside.is_some() {
            return;
        }
        let outside = extremes(unit).find(|&(_, position)| position < lower || upper < position);
        self.findings.outside = outside.map(|(at, position)| Outside {
            column: self.column,
            time: self.begin + from + at * lasts,
            position,
        });
    }

    /// A velocity, an acceleration or a jerk, in units of the span, as its limit is.
    fn at_rate<const N: usize>(&mut self, quantity: Quantity, limit: f64, rate: [f64; N]) {
        if self.is_more(quantity, hull_abs(rate), limit) {
            let (at, value) = peak(&rate);
            let scale = self.limit(quantity) / limit;
            self.note(quantity, value * scale, self.limit(quantity), at * self.span);
        }
    }

    fn note(&mut self, quantity: Quantity, value: f64, limit: f64, at: f64) {
        let value = value.abs();
        if self.is_more(quantity, value, limit) {
            let (column, time) = (self.column, self.begin + at);
            let ratio = value / limit;
            let factor = match quantity {
                Quantity::Velocity => ratio,
                Quantity::Acceleration => ratio.sqrt(),
                Quantity::Jerk => ratio.cbrt(),
            };
            self.findings.peak = Some(Peak { quantity, column, time, value, limit, factor });
        }
    }

    /// Whether this asks for more time than anything before.
    fn is_more(&self, quantity: Quantity, value: f64, limit: f64) -> bool {
        let factor = self.findings.factor();
        let ratio = match quantity {
            Quantity::Velocity => factor,
            Quantity::Acceleration => factor * factor,
            Quantity::Jerk => factor * factor * factor,
        };
        // What is infinite is no limit; of two that are as much, the first is told.
        limit.is_finite() && ratio * limit * (1.0 + TIE) < value
    }

    fn limit(&self, quantity: Quantity) -> f64 {
        match quantity {
            Quantity::Velocity => self.bounds.velocity,
            Quantity::Acceleration => self.bounds.acceleration,
            Quantity::Jerk => self.bounds.jerk,
        }
    }
}

/// The least factor by which a motion must be slowed down, so that it asks for nothing too much.
///
/// `factor_at(slowed)` says how much slower it would still have to be. It is 1 or less where the motion fits. `None`
/// where no factor helps.
pub(super) fn least_factor(factor_at: impl Fn(f64) -> f64) -> Option<f64> {
    /// Nothing is slowed down more than that.
    const MOST: f64 = 1e6;
    /// How exact the factor is.
    const PRECISION: f64 = 1e-4;
    let (mut too_fast, mut slow) = (1.0, 1.0);
    let (mut still, mut least_step) = (factor_at(slow), PRECISION);
    while 1.0 + SLACK < still {
        too_fast = slow;
        slow *= still.max(1.0 + least_step);
        // Where it hardly helps, it may never.
        least_step *= 2.0;
        if MOST < slow {
            return None;
        }
        still = factor_at(slow);
    }
    // Polynomials scale exactly; lines do not, because their ramps are as short as they may be.
    let hastier = slow * (1.0 - PRECISION);
    if too_fast < hastier && 1.0 + SLACK < factor_at(hastier) {
        return Some(slow);
    }
    while too_fast * (1.0 + PRECISION) < slow {
        let middle = 0.5 * (too_fast + slow);
        if 1.0 + SLACK < factor_at(middle) { too_fast = middle } else { slow = middle }
    }
    Some(slow)
}

#[cfg(test)]
#[path = "feasibility_tests.rs"]
mod tests;
