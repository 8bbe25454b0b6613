//! The limits as rows of a linear program, and the pace that it finds.
//!
//! Knows rates at knots; not where they come from.

use nalgebra::Vector3;

use super::law::{NODES_PER_KNOT, Pace, spline};
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

/// The pace at which a motion with these rates at its nodes, `knot_step` seconds from knot to knot, is fastest; `None`
/// where the program has no answer. Its slope must not change by more than `most_bend` from knot to knot, because
/// little is known of what lies between.
pub(super) fn fastest_pace(
    nodes: &[Rates],
    knot_step: f64,
    demands: &Demands,
    most_bend: f64,
) -> Option<Pace> {
    let knots = nodes.len() / NODES_PER_KNOT + 1;
    let unknowns = knots + 2;
    let mut rows = Vec::with_capacity(nodes.len() * (4 * demands.joints.len() + 8));
    for (node, rates) in nodes.iter().enumerate() {
        Rows { rows: &mut rows, shares: Shares::at(node, knots, knot_step) }.limit_node(rates, demands);
    }
    let row = |first, weights, bound| Row { first, weights, bound };
    for first in 0..unknowns {
        rows.push(row(first, [1.0 / MOST, 0.0, 0.0, 0.0], 1.0));
        rows.push(row(first, [-1.0, 0.0, 0.0, 0.0], -LEAST));
    }
    for first in 0..unknowns - 2 {
        for sign in [1.0 / most_bend, -1.0 / most_bend] {
            rows.push(row(first, [sign, -2.0 * sign, sign, 0.0], 1.0));
        }
    }
    // What each coefficient adds to the integral of the spline.
    let mut gains = vec![1.0; unknowns];
    for (from_end, gain) in [1.0 / 24.0, 0.5, 23.0 / 24.0].into_iter().enumerate() {
        gains[from_end] = gain;
        gains[unknowns - 1 - from_end] = gain;
    }
    let coefficients = Program { rows, gains }.solve()?;
    Some(Pace { coefficients })
}

/// What each of four coefficients has in `b`, `a` and `a′` at a node.
#[derive(Clone, Copy, Debug)]
struct Shares {
    first: usize,
    of: [Terms; 4],
}

impl Shares {
    fn at(node: usize, knots: usize, knot_step: f64) -> Self {
        let first = (node / NODES_PER_KNOT).min(knots - 2);
        let part = (node - first * NODES_PER_KNOT) as f64 / NODES_PER_KNOT as f64;
        let of = [0, 1, 2, 3].map(|which| {
            let mut coefficients = [0.0; 4];
            coefficients[which] = 1.0;
            let [value, slope, bend] = spline(&coefficients, part, knot_step);
            Terms { value, slope: 0.5 * slope, bend: 0.5 * bend }
        });
        Self { first, of }
    }
}

/// The rows so far, and the node that is limited.
struct Rows<'a> {
    rows: &'a mut Vec<Row>,
    shares: Shares,
}

impl Rows<'_> {
    fn limit_node(&mut self, rates: &Rates, demands: &Demands) {
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
        if self.is_negligible(across, limit) {
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
        let is_straight = self.is_negligible(bend, limit) && self.is_negligible(out, limit);
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
        let weights = self.shares.of.map(|share| share.dot(terms) / bound);
        self.rows.push(Row { first: self.shares.first, weights, bound: 1.0 });
    }

    /// Whether it can never come to much of a limit.
    fn is_negligible(&self, terms: Terms, limit: f64) -> bool {
        let most: f64 = self.shares.of.iter().map(|share| share.dot(terms).abs()).sum();
        MOST * most < NEGLIGIBLE * limit
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

    fn dot(self, other: Self) -> f64 {
        self.value * other.value + self.slope * other.slope + self.bend * other.bend
    }
}

fn unit(vector: &Vector3<f64>) -> Option<Vector3<f64>> {
    vector.try_normalize(1e-9)
}
