//! The limits as rows of a linear program, and the pace that it finds.
//!
//! Knows rates at knots; not where they come from.

use nalgebra::Vector3;

use super::law::Pace;
use super::linear::{Program, Row};
use super::rates::{Demands, Limit, Rates};

/// How far the pace (a squared rate) may go from 1 in one round.
const LEAST: f64 = 0.02;
const MOST: f64 = 6.0;
/// A sideways part that can never be more of its limit than this is left out.
const NEGLIGIBLE: f64 = 1e-4;

/// How much of `b`, of `a = b′/2` and of `a′` something has.
#[derive(Clone, Copy, Debug)]
struct Terms {
    value: f64,
    slope: f64,
    bend: f64,
}

/// The pace at which a motion with these rates at its knots, `step` seconds apart, is fastest; `None` where the
/// program has no answer.
pub(super) fn fastest_pace(knots: &[Rates], step: f64, demands: &Demands) -> Option<Pace> {
    let mut rows =
        Rows { step, knot: 0, rows: Vec::with_capacity(knots.len() * (4 * demands.joints.len() + 8)) };
    for (knot, rates) in knots.iter().enumerate() {
        rows.knot = knot;
        rows.limit_knot(rates, demands);
    }
    let unknowns = knots.len() + 2;
    for unknown in 0..unknowns {
        rows.rows.push(Row { first: unknown, weights: [1.0 / MOST, 0.0, 0.0], bound: 1.0 });
        rows.rows.push(Row { first: unknown, weights: [-1.0, 0.0, 0.0], bound: -LEAST });
    }
    // What each coefficient adds to the integral of the spline.
    let mut gains = vec![1.0; unknowns];
    for (from_end, gain) in [1.0 / 24.0, 0.5, 23.0 / 24.0].into_iter().enumerate() {
        gains[from_end] = gain;
        gains[unknowns - 1 - from_end] = gain;
    }
    let coefficients = Program { rows: rows.rows, gains }.solve()?;
    Some(Pace { coefficients })
}

struct Rows {
    step: f64,
    knot: usize,
    rows: Vec<Row>,
}

impl Rows {
    fn limit_knot(&mut self, rates: &Rates, demands: &Demands) {
        let mut fastest = f64::INFINITY;
        for ([velocity, ..], limit) in rates.joints.iter().zip(&demands.joints) {
            fastest = fastest.min((limit.velocity / velocity).powi(2));
        }
        for ([velocity, ..], limit) in rates.vectors.iter().zip(&demands.vectors) {
            fastest = fastest.min(limit.velocity.powi(2) / velocity.norm_squared());
        }
        if fastest < MOST {
            self.push(Terms { value: 1.0, slope: 0.0, bend: 0.0 }, fastest);
        }
        for (&rates, limit) in rates.joints.iter().zip(&demands.joints) {
            self.limit_joint(rates, limit);
        }
        for (rates, limit) in rates.vectors.iter().zip(&demands.vectors) {
            self.limit_vector(rates, limit);
        }
    }

    fn limit_joint(&mut self, [velocity, acceleration, jerk]: [f64; 3], limit: &Limit) {
        let second = Terms { value: acceleration, slope: velocity, bend: 0.0 };
        self.push_both(second, limit.acceleration);
        let third = Terms { value: jerk, slope: 3.0 * acceleration, bend: velocity };
        self.push_jerk(third, limit.jerk);
        self.push_jerk(third.times(-1.0), limit.jerk);
    }

    fn limit_vector(&mut self, [velocity, acceleration, jerk]: &[Vector3<f64>; 3], limit: &Limit) {
        if limit.acceleration.is_infinite() && limit.jerk.is_infinite() {
            return;
        }
        // Along the way, in the plane of the bend, out of it.
        let along = unit(velocity).or_else(|| unit(acceleration)).or_else(|| unit(jerk)).unwrap_or_default();
        let across = |vector: &Vector3<f64>| vector - along * along.dot(vector);
        let bend = unit(&across(acceleration)).or_else(|| unit(&across(jerk))).unwrap_or_default();
        let out = along.cross(&bend);
        let second = |axis: &Vector3<f64>| Terms {
            value: axis.dot(acceleration),
            slope: axis.dot(velocity),
            bend: 0.0,
        };
        if limit.acceleration.is_finite() {
            self.within_octagon(second(&along), second(&bend), limit.acceleration);
        }
        let third = |axis: &Vector3<f64>| Terms {
            value: axis.dot(jerk),
            slope: 3.0 * axis.dot(acceleration),
            bend: axis.dot(velocity),
        };
        if limit.jerk.is_finite() {
            self.within_octahedron([third(&along), third(&bend), third(&out)], limit.jerk);
        }
    }

    /// Both parts within an octagon in the circle, with corners on the axes.
    fn within_octagon(&mut self, along: Terms, across: Terms, limit: f64) {
        if across.most(self.step) < NEGLIGIBLE * limit {
            self.push_both(along, limit);
            return;
        }
        let half = std::f64::consts::FRAC_PI_8;
        for eighth in 0..8 {
            let (sin, cos) = (half * f64::from(2 * eighth + 1)).sin_cos();
            self.push(along.times(cos).plus(across.times(sin)), limit * half.cos());
        }
    }

    /// The parts within an octahedron in the sphere.
    fn within_octahedron(&mut self, parts: [Terms; 3], limit: f64) {
        let [along, bend, out] = parts;
        let is_straight = bend.most(self.step) + out.most(self.step) < NEGLIGIBLE * limit;
        let signs: &[f64] = if is_straight { &[0.0] } else { &[-1.0, 1.0] };
        for sign in [-1.0, 1.0] {
            for &of_bend in signs {
                for &of_out in signs {
                    let sum = along.times(sign).plus(bend.times(of_bend)).plus(out.times(of_out));
                    self.push_jerk(sum, limit);
                }
            }
        }
    }

    /// `√b · terms ≤ limit`, with the tangent of `1/√b` at 1.
    fn push_jerk(&mut self, terms: Terms, limit: f64) {
        self.push(Terms { value: terms.value + 0.5 * limit, ..terms }, 1.5 * limit);
    }

    fn push_both(&mut self, terms: Terms, limit: f64) {
        self.push(terms, limit);
        self.push(terms.times(-1.0), limit);
    }

    fn push(&mut self, terms: Terms, bound: f64) {
        let by_slope = terms.slope / (4.0 * self.step);
        let by_bend = terms.bend / (2.0 * self.step * self.step);
        let weights = [
            terms.value / 6.0 - by_slope + by_bend,
            terms.value * 4.0 / 6.0 - 2.0 * by_bend,
            terms.value / 6.0 + by_slope + by_bend,
        ];
        self.rows.push(Row { first: self.knot, weights: weights.map(|weight| weight / bound), bound: 1.0 });
    }
}

impl Terms {
    fn times(self, factor: f64) -> Self {
        Self { value: self.value * factor, slope: self.slope * factor, bend: self.bend * factor }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            value: self.value + other.value,
            slope: self.slope + other.slope,
            bend: self.bend + other.bend,
        }
    }

    /// A bound of what it can come to.
    fn most(&self, step: f64) -> f64 {
        MOST * (self.value.abs() + self.slope.abs() / step + 2.0 * self.bend.abs() / (step * step))
    }
}

fn unit(vector: &Vector3<f64>) -> Option<Vector3<f64>> {
    vector.try_normalize(1e-9)
}
