//! How far a polynomial of degree five, and its derivatives, go within an interval.
//!
//! A quick bound by the hull of the Bernstein coefficients; the exact extremes by the roots of the derivative, which
//! lie between the extremes of the derivative, and so on down. Time runs from 0 to 1.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

/// Reciprocals of the binomial coefficients, by degree.
const WEIGHTS: [[f64; 6]; 6] = [
    [1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [1.0, 1.0, 0.0, 0.0, 0.0, 0.0],
    [1.0, 1.0 / 2.0, 1.0, 0.0, 0.0, 0.0],
    [1.0, 1.0 / 3.0, 1.0 / 3.0, 1.0, 0.0, 0.0],
    [1.0, 1.0 / 4.0, 1.0 / 6.0, 1.0 / 4.0, 1.0, 0.0],
    [1.0, 1.0 / 5.0, 1.0 / 10.0, 1.0 / 10.0, 1.0 / 5.0, 1.0],
];
/// Two values differ by this part at least.
const TIE: f64 = 1e-9;
/// Halvings of an interval until nothing is left of it.
const HALVINGS: usize = 52;

/// Least and greatest value, or beyond, of the polynomial with these coefficients.
pub(super) fn hull<const N: usize>(mut coefficients: [f64; N]) -> (f64, f64) {
    for (coefficient, weight) in coefficients.iter_mut().zip(&WEIGHTS[N - 1]) {
        *coefficient *= weight;
    }
    for first in 1..N {
        for index in (first..N).rev() {
            coefficients[index] += coefficients[index - 1];
        }
    }
    coefficients.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, greatest), &value| {
        (least.min(value), greatest.max(value))
    })
}

/// A bound of the absolute value.
pub(super) fn hull_abs<const N: usize>(coefficients: [f64; N]) -> f64 {
    let (least, greatest) = hull(coefficients);
    greatest.max(-least)
}

/// Where the polynomial is greatest in absolute value, and the value there; the first of two that are as great.
pub(super) fn peak(coefficients: &[f64]) -> (f64, f64) {
    extremes(coefficients).fold((0.0, 0.0), |best: (f64, f64), (at, value)| {
        if best.1.abs() * (1.0 + TIE) < value.abs() { (at, value) } else { best }
    })
}

/// The ends and the turning points between them, with the values there.
pub(super) fn extremes(coefficients: &[f64]) -> impl Iterator<Item = (f64, f64)> {
    let turns = Roots::of(&derivative(coefficients)[..coefficients.len().saturating_sub(1)]);
    let ends = [0.0, 1.0].into_iter();
    ends.chain(turns).map(|at| (at, value(coefficients, at)))
}

fn value(coefficients: &[f64], at: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * at + coefficient)
}

fn derivative(coefficients: &[f64]) -> [f64; 6] {
    let mut derived = [0.0; 6];
    let mut power = 1.0;
    for (derived, coefficient) in derived.iter_mut().zip(coefficients.iter().skip(1)) {
        *derived = coefficient * power;
        power += 1.0;
    }
    derived
}

/// Where a polynomial changes its sign, in order.
#[derive(Clone, Copy, Debug, Default)]
struct Roots {
    at: [f64; 6],
    count: usize,
    next: usize,
}

impl Roots {
    fn of(coefficients: &[f64]) -> Self {
        let mut roots = Self::default();
        if coefficients.len() < 2 {
            return roots;
        }
        let turns = Self::of(&derivative(coefficients)[..coefficients.len() - 1]);
        let mut from = 0.0;
        for to in turns.chain([1.0]) {
            if let Some(at) = crossing(coefficients, from, to) {
                roots.at[roots.count] = at;
                roots.count += 1;
            }
            from = to;
        }
        roots
    }
}

impl Iterator for Roots {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        let at = self.at[..self.count].get(self.next).copied();
        self.next += 1;
        at
    }
}

/// Where a polynomial, rising or falling all the way, crosses zero.
fn crossing(coefficients: &[f64], mut from: f64, mut to: f64) -> Option<f64> {
    let starts = value(coefficients, from);
    if starts * value(coefficients, to) >= 0.0 {
        return None;
    }
    for _ in 0..HALVINGS {
        let middle = 0.5 * (from + to);
        if starts * value(coefficients, middle) > 0.0 { from = middle } else { to = middle }
    }
    Some(0.5 * (from + to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn turning_points_are_found() {
        // (s − 0.2)(s − 0.5)(s − 0.9) integrated.
        let slope = [-0.09, 0.73, -1.6, 1.0];
        let curve = [3.0, -0.09, 0.365, -1.6 / 3.0, 0.25, 0.0];
        let turns: Vec<f64> = Roots::of(&slope).collect();
        for (turn, expected) in turns.iter().zip([0.2, 0.5, 0.9]) {
            assert!((turn - expected).abs() < 1e-9);
        }
        assert_eq!(extremes(&curve).count(), 5);
    }

    proptest! {
        #[test]
        fn no_value_is_beyond_the_extremes_and_no_extreme_beyond_the_hull(
            coefficients in prop::array::uniform6(-5.0..5.0_f64)
        ) {
            let (least, greatest) = hull(coefficients);
            let (_, most) = peak(&coefficients);
            for step in 0..=500 {
                let value = value(&coefficients, f64::from(step) / 500.0);
                prop_assert!(value.abs() <= most.abs() + 1e-9);
                prop_assert!(least - 1e-9 <= value && value <= greatest + 1e-9);
            }
            prop_assert!(most.abs() <= hull_abs(coefficients) + 1e-9);
        }
    }
}
