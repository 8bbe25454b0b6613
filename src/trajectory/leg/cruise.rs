//! Moves that wait on the way: a ramp to some velocity, a cruise, and a ramp to the target.
//!
//! ruckig's polynomials lose their digits where a move must last very much longer than it could. Such moves cruise, and
//! where they end is a growing function of the velocity at which they do: so that velocity is found by bisection.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use rsruckig::profile::Profile;

use super::moves::Rates;

/// After so many halvings, nothing is left of the interval.
const HALVINGS: u32 = 80;

/// How near the end must come to the target (rad or m); what ruckig demands of its own solutions.
const PRECISION: f64 = 1e-8;

/// Makes `profile` last exactly `span` (s) between its ends; whether it could be done.
pub(super) fn find_lasting(rates: &Rates, span: f64, profile: &mut Profile) -> bool {
    let (mut low, mut high) = (-rates.velocity, rates.velocity);
    for _ in 0..HALVINGS {
        let cruise = f64::midpoint(low, high);
        if !lay(rates, span, cruise, profile) {
            return false;
        }
        if profile.p[7] < profile.pf {
            low = cruise;
        } else {
            high = cruise;
        }
    }
    (profile.p[7] - profile.pf).abs() < PRECISION
}

/// Lays the phases of a move that cruises at this velocity; false where there is no time for both ramps.
fn lay(rates: &Rates, span: f64, cruise: f64, profile: &mut Profile) -> bool {
    let begin = Ramp::between(rates, profile.v[0], profile.a[0], cruise);
    // The way back in time.
    let end = Ramp::between(rates, profile.vf, -profile.af, cruise);
    let rest = span - begin.spans.iter().sum::<f64>() - end.spans.iter().sum::<f64>();
    let is_possible = 0.0 <= rest;
    if !is_possible {
        return false;
    }
    let ([b0, b1, b2], [e0, e1, e2]) = (begin.spans, end.spans);
    profile.t = [b0, b1, b2, rest, e2, e1, e0];
    let ([b0, b1, b2], [e0, e1, e2]) = (begin.jerks, end.jerks);
    profile.j = [b0, b1, b2, 0.0, e2, e1, e0];
    let jumps = rates.jerk.is_infinite();
    if jumps {
        profile.a = [0.0; 8];
        (profile.a[1], profile.a[5]) = (begin.hold, -end.hold);
    }
    for i in 0..7 {
        let (t, jerk, acceleration) = (profile.t[i], profile.j[i], profile.a[i]);
        if !jumps {
            profile.a[i + 1] = acceleration + t * jerk;
        }
        profile.v[i + 1] = profile.v[i] + t * (acceleration + t * jerk / 2.0);
        profile.p[i + 1] = profile.p[i] + t * (profile.v[i] + t * (acceleration / 2.0 + t * jerk / 6.0));
        if i == 2 {
            // Hours of a rounding error would lead astray.
            (profile.v[3], profile.a[3]) = (cruise, 0.0);
        }
    }
    true
}

/// The fastest way from one velocity, with an acceleration, to another one without.
struct Ramp {
    /// How long the acceleration changes, holds, and changes back (s).
    spans: [f64; 3],
    /// The jerk during each (rad/s³ or m/s³).
    jerks: [f64; 3],
    /// The acceleration that is held (rad/s² or m/s²).
    hold: f64,
}

impl Ramp {
    fn between(rates: &Rates, velocity: f64, acceleration: f64, target: f64) -> Self {
        let (most, jerk) = (rates.acceleration, rates.jerk);
        if jerk.is_infinite() {
            let change = target - velocity;
            return Self {
                spans: [0.0, change.abs() / most, 0.0],
                jerks: [0.0; 3],
                hold: most.copysign(change),
            };
        }
        // What is reached by ending the acceleration at once says which way to go.
        let settled = velocity + acceleration * acceleration.abs() / (2.0 * jerk);
        let way = if settled <= target { 1.0 } else { -1.0 };
        let (change, start) = (way * (target - velocity), way * acceleration);
        let peak = (jerk * change + start * start / 2.0).max(0.0).sqrt();
        let held =
            if peak <= most { 0.0 } else { (change - (most * most - start * start / 2.0) / jerk) / most };
        let peak = peak.min(most);
        let spans = [((peak - start) / jerk).max(0.0), held.max(0.0), peak / jerk];
        Self { spans, jerks: [way * jerk, 0.0, -way * jerk], hold: way * peak }
    }
}
