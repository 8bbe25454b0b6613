//! Lines between waypoints, rounded so that their velocity and acceleration are continuous.
//!
//! A rounded line is ramp, cruise, ramp. It leaves and reaches its waypoints at their positions and times, with the
//! velocities that they are passed at and without acceleration. A ramp follows the smoothstep `3s² − 2s³`: for a
//! change of velocity `Δv` in `τ` seconds its greatest acceleration is `1.5 Δv/τ`, its greatest jerk `6 Δv/τ²`, and
//! so the limits say how short it may be. Where a segment is too short for its ramps they are cut to fit, which
//! breaks the limits; feasibility tells. Without limits there are no ramps, and the line is a line.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use super::limits::JointLimits;
use super::spline::JointState;

/// Ramp, cruise, ramp.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    /// Where it starts (rad or m).
    pub(super) position: f64,
    /// Velocity at the start (rad/s or m/s).
    pub(super) begin: f64,
    /// Velocity between the ramps.
    pub(super) cruise: f64,
    /// Velocity at the end.
    pub(super) end: f64,
    /// How long the first ramp takes (s).
    pub(super) ramp_in: f64,
    /// How long the last ramp takes (s).
    pub(super) ramp_out: f64,
}

/// When the cruising velocity is found: the distance fits by this part.
const PRECISION: f64 = 1e-9;
/// Half of them bisections, it would be done by then.
const MOST_STEPS: usize = 80;

impl Line {
    /// The line that leads `from` one state `to` another in `span` seconds; accelerations are not looked at.
    pub(super) fn new(from: JointState, to: JointState, span: f64, limits: &JointLimits) -> Self {
        let mut line = Self {
            position: from.position,
            begin: from.velocity,
            cruise: (to.position - from.position) / span,
            end: to.velocity,
            ramp_in: 0.0,
            ramp_out: 0.0,
        };
        if limits.max_acceleration().is_finite() || limits.max_jerk().is_finite() {
            line.find_cruise(to.position - from.position, span, limits);
        }
        line
    }

    /// Newton's method, held by a bracket: what is left of the distance falls as the cruise grows. Where the ramps nearly
    /// fill the span it hardly does, and steps that do not halve are bisections instead.
    fn find_cruise(&mut self, distance: f64, span: f64, limits: &JointLimits) {
        let slope = distance / span;
        let (mut low, mut high) = (
            2.0 * slope - self.begin.max(self.end).max(slope),
            2.0 * slope - self.begin.min(self.end).min(slope),
        );
        let mut last_step = high - low;
        let enough = PRECISION * (distance.abs() + span * (self.begin.abs() + self.end.abs()));
        for _ in 0..MOST_STEPS {
            let gain = self.set_ramps(span, limits);
            let excess = self.distance(span) - distance;
            if excess.abs() <= enough || high <= low {
                break;
            }
            if excess < 0.0 {
                low = self.cruise
            } else {
                high = self.cruise
            }
            let step = -excess / gain;
            let next = self.cruise + step;
            let is_good = step.abs() <= 0.5 * last_step.abs() && low < next && next < high;
            let next = if is_good { next } else { 0.5 * (low + high) };
            last_step = next - self.cruise;
            self.cruise = next;
        }
        // With these ramps, exactly this velocity ends at the waypoint.
        let ramps = 0.5 * (self.begin * self.ramp_in + self.end * self.ramp_out);
        self.cruise = (distance - ramps) / (span - 0.5 * (self.ramp_in + self.ramp_out));
    }

    /// Ramps for the cruise, as short as may be; by how much the distance grows with the cruise.
    fn set_ramps(&mut self, span: f64, limits: &JointLimits) -> f64 {
        let (ramp_in, gain_in) = ramp(self.cruise - self.begin, limits);
        let (ramp_out, gain_out) = ramp(self.cruise - self.end, limits);
        let both = ramp_in + ramp_out;
        if both <= span {
            (self.ramp_in, self.ramp_out) = (ramp_in, ramp_out);
            return span - gain_in - gain_out;
        }
        let part = span / both;
        (self.ramp_in, self.ramp_out) = (ramp_in * part, ramp_out * part);
        0.5 * span
    }

    fn distance(&self, span: f64) -> f64 {
        let ramps = (self.cruise - self.begin) * self.ramp_in + (self.cruise - self.end) * self.ramp_out;
        self.cruise * span - 0.5 * ramps
    }

    /// The state `elapsed` seconds after the start; the line takes `span` seconds, and there is nothing outside of them.
    pub(super) fn sample(&self, elapsed: f64, span: f64) -> JointState {
        if elapsed < self.ramp_in {
            return ramped(self.position, self.begin, self.cruise, elapsed, self.ramp_in);
        }
        let cruised = self.position
            + 0.5 * (self.begin + self.cruise) * self.ramp_in
            + self.cruise * (elapsed - self.ramp_in);
        let into_ramp = elapsed - (span - self.ramp_out);
        if into_ramp <= 0.0 {
            return JointState { position: cruised, velocity: self.cruise, acceleration: 0.0 };
        }
        let before_ramp = cruised - self.cruise * into_ramp;
        if self.ramp_out <= 0.0 {
            return JointState { position: cruised, velocity: self.end, acceleration: 0.0 };
        }
        ramped(before_ramp, self.cruise, self.end, into_ramp, self.ramp_out)
    }

    /// The same motion as polynomials of the seconds since each begins, with how long each takes (s).
    pub(super) fn parts(&self, span: f64) -> [([f64; 6], f64); 3] {
        let cruising = span - self.ramp_in - self.ramp_out;
        let at = |elapsed| self.sample(elapsed, span).position;
        [
            (ramp_polynomial(self.position, self.begin, self.cruise, self.ramp_in), self.ramp_in),
            ([at(self.ramp_in), self.cruise, 0.0, 0.0, 0.0, 0.0], cruising),
            (ramp_polynomial(at(span - self.ramp_out), self.cruise, self.end, self.ramp_out), self.ramp_out),
        ]
    }
}

/// How long a change of velocity takes (s), and how much longer the way of a cruise gets by it.
fn ramp(change: f64, limits: &JointLimits) -> (f64, f64) {
    let change = change.abs();
    let by_acceleration = 1.5 * change / limits.max_acceleration();
    let by_jerk = (6.0 * change / limits.max_jerk()).sqrt();
    if by_jerk < by_acceleration { (by_acceleration, by_acceleration) } else { (by_jerk, 0.75 * by_jerk) }
}

fn ramped(position: f64, from: f64, to: f64, elapsed: f64, ramp: f64) -> JointState {
    let s = elapsed / ramp;
    let change = to - from;
    JointState {
        position: position + from * elapsed + change * ramp * s * s * s * (1.0 - 0.5 * s),
        velocity: from + change * s * s * (3.0 - 2.0 * s),
        acceleration: change * 6.0 * s * (1.0 - s) / ramp,
    }
}

fn ramp_polynomial(position: f64, from: f64, to: f64, ramp: f64) -> [f64; 6] {
    if ramp <= 0.0 {
        return [position, 0.0, 0.0, 0.0, 0.0, 0.0];
    }
    let change = (to - from) / (ramp * ramp);
    [position, from, 0.0, change, -0.5 * change / ramp, 0.0]
}

/// The velocity at which a waypoint between two lines is passed: the mean of their slopes, or none where the motion
/// turns round or one of them is flat.
pub(super) fn passing_velocity(slope_before: f64, slope_after: f64) -> f64 {
    if slope_before * slope_after <= 0.0 { 0.0 } else { 0.5 * (slope_before + slope_after) }
}

#[cfg(test)]
mod tests {
    use super::super::limits::RawLimits;
    use super::*;
    use proptest::prelude::*;

    fn limits(max_acceleration: f64, max_jerk: f64) -> JointLimits {
        let (lower, upper) = (f64::NEG_INFINITY, f64::INFINITY);
        let raw = RawLimits { lower, upper, max_velocity: 1e3, max_acceleration, max_jerk };
        JointLimits::new(raw).unwrap()
    }

    fn moving(position: f64, velocity: f64) -> JointState {
        JointState { position, velocity, acceleration: 0.0 }
    }

    #[test]
    fn without_limits_a_line_is_a_line() {
        let line = Line::new(moving(1.0, 0.3), moving(3.0, 0.0), 4.0, &limits(f64::INFINITY, f64::INFINITY));
        for step in 0..40 {
            let time = f64::from(step) * 0.1;
            let state = line.sample(time, 4.0);
            assert!((state.position - (1.0 + 0.5 * time)).abs() < 1e-12);
            assert_eq!((state.velocity, state.acceleration), (0.5, 0.0));
        }
    }

    #[test]
    fn a_ramp_is_as_short_as_the_tighter_limit_allows() {
        let by_acceleration =
            Line::new(moving(0.0, 0.0), moving(10.0, 0.0), 10.0, &limits(3.0, f64::INFINITY));
        assert!((by_acceleration.ramp_in * 3.0 - 1.5 * by_acceleration.cruise).abs() < 1e-6);
        let by_jerk = Line::new(moving(0.0, 0.0), moving(10.0, 0.0), 10.0, &limits(1e6, 3.0));
        assert!((by_jerk.ramp_in.powi(2) * 3.0 - 6.0 * by_jerk.cruise).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn any_rounded_line_goes_from_state_to_state_and_is_twice_continuous(
            (v0, v1, distance) in (-2.0..2.0, -2.0..2.0, -3.0..3.0),
            (span, acceleration, jerk) in (0.01..5.0_f64, 0.1..50.0, 0.1..500.0),
        ) {
            let (from, to) = (moving(0.4, v0), moving(0.4 + distance, v1));
            let line = Line::new(from, to, span, &limits(acceleration, jerk));
            prop_assert!(0.0 <= line.ramp_in && 0.0 <= line.ramp_out);
            prop_assert!(line.ramp_in + line.ramp_out <= span * (1.0 + 1e-9));
            for (time, expected) in [(0.0, from), (span, to)] {
                let at = line.sample(time, span);
                prop_assert!((at.position - expected.position).abs() < 1e-9, "{line:?}");
                prop_assert!((at.velocity - expected.velocity).abs() < 1e-9, "{line:?}");
                prop_assert!(at.acceleration.abs() < 1e-6, "{line:?}");
            }
            let fastest = line.begin.abs().max(line.cruise.abs()).max(line.end.abs());
            for time in [line.ramp_in, span - line.ramp_out] {
                let before = line.sample((time - 1e-9).max(0.0), span);
                let after = line.sample((time + 1e-9).min(span), span);
                prop_assert!((before.position - after.position).abs() < 1e-12 + 3e-9 * fastest, "{line:?}");
                prop_assert!((before.velocity - after.velocity).abs() < 1e-4 * (1.0 + line.cruise.abs()));
            }
        }

        #[test]
        fn a_line_that_has_room_for_its_ramps_is_within_the_limits(
            (v0, v1, distance) in (-2.0..2.0, -2.0..2.0, -3.0..3.0),
            (span, acceleration, jerk) in (0.01..5.0_f64, 0.1..50.0, 0.1..500.0),
        ) {
            let line = Line::new(moving(0.0, v0), moving(distance, v1), span, &limits(acceleration, jerk));
            if line.ramp_in + line.ramp_out < span * (1.0 - 1e-6) {
                for step in 0..=1000 {
                    let time = span * f64::from(step) / 1000.0;
                    let at = line.sample(time, span);
                    prop_assert!(at.acceleration.abs() <= acceleration * (1.0 + 1e-5));
                    let h = 1e-4 * span;
                    let next = line.sample((time + h).min(span), span);
                    prop_assert!((next.acceleration - at.acceleration).abs() / h <= jerk * (1.0 + 1e-3));
                }
            }
        }
    }
}
