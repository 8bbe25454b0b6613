//! One joint's motion within one segment: a polynomial or a rounded line, evaluated directly.
//!
//! Formulas: Hermite interpolation of position, velocity and acceleration at both ends, as in
//! `joint_trajectory_controller` (`src/trajectory.cpp`). Knows no neighbours.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use super::rounding::Line;
use super::spline::JointState;

/// One joint's motion within one segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Piece {
    /// Coefficients of the powers of the seconds since the segment's start.
    Polynomial([f64; 6]),
    /// Ramp, cruise, ramp.
    Line(Line),
}

impl Piece {
    /// Stays at `position`.
    pub(super) fn rest(position: f64) -> Self {
        Self::Polynomial([position, 0.0, 0.0, 0.0, 0.0, 0.0])
    }

    /// The cubic that leads `from` one state `to` another in `span` seconds; accelerations are not looked at.
    pub(super) fn cubic(from: JointState, to: JointState, span: f64) -> Self {
        let distance = to.position - from.position;
        let (v0, v1) = (from.velocity * span, to.velocity * span);
        let unit = [from.position, v0, 3.0 * distance - 2.0 * v0 - v1, v0 + v1 - 2.0 * distance, 0.0, 0.0];
        Self::of_unit(unit, span, to)
    }

    /// The quintic that leads `from` one state `to` another in `span` seconds.
    pub(super) fn quintic(from: JointState, to: JointState, span: f64) -> Self {
        let distance = to.position - from.position;
        let (v0, v1) = (from.velocity * span, to.velocity * span);
        let (a0, a1) = (from.acceleration * span * span, to.acceleration * span * span);
        let unit = [
            from.position,
            v0,
            a0 / 2.0,
            10.0 * distance - 6.0 * v0 - 4.0 * v1 - 1.5 * a0 + 0.5 * a1,
            -15.0 * distance + 8.0 * v0 + 7.0 * v1 + 1.5 * a0 - a1,
            6.0 * distance - 3.0 * (v0 + v1) + 0.5 * (a1 - a0),
        ];
        Self::of_unit(unit, span, to)
    }

    /// From coefficients in units of the span.
    fn of_unit(unit: [f64; 6], span: f64, to: JointState) -> Self {
        if span <= 0.0 {
            return Self::rest(to.position);
        }
        let mut scale = 1.0;
        Self::Polynomial(unit.map(|coefficient| {
            let scaled = coefficient * scale;
            scale /= span;
            scaled
        }))
    }

    /// The state `elapsed` seconds after the segment's start; the segment takes `span` seconds.
    pub(super) fn sample(&self, elapsed: f64, span: f64) -> JointState {
        match self {
            Self::Polynomial(coefficients) => evaluate(coefficients, elapsed),
            Self::Line(line) => line.sample(elapsed, span),
        }
    }
}

fn evaluate(c: &[f64; 6], t: f64) -> JointState {
    JointState {
        position: ((((c[5] * t + c[4]) * t + c[3]) * t + c[2]) * t + c[1]) * t + c[0],
        velocity: (((5.0 * c[5] * t + 4.0 * c[4]) * t + 3.0 * c[3]) * t + 2.0 * c[2]) * t + c[1],
        acceleration: ((20.0 * c[5] * t + 12.0 * c[4]) * t + 6.0 * c[3]) * t + 2.0 * c[2],
    }
}
