//! Curves that are known at evenly spaced places: values and three derivatives anywhere, by a polynomial through the
//! six nearest.
//!
//! Knows nothing of what the curves are.

/// The samples that a polynomial goes through.
const WINDOW: usize = 6;

/// Several curves sampled at the same places.
#[derive(Clone, Debug)]
pub(super) struct Sampled {
    step: f64,
    columns: usize,
    /// The columns of every place, in order of the places.
    values: Vec<f64>,
}

/// A value and its first three derivatives.
pub(super) type Derivatives = [f64; 4];

impl Sampled {
    /// The least number of samples.
    pub(super) const LEAST: usize = WINDOW;

    /// Curves from samples `step` apart, `columns` for each; at least [`Sampled::LEAST`] of them.
    pub(super) fn new(step: f64, columns: usize, values: Vec<f64>) -> Self {
        debug_assert!(Self::LEAST * columns <= values.len(), "too few samples");
        Self { step, columns, values }
    }

    /// How many curves there are.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// How many samples there are of each.
    pub(super) fn samples(&self) -> usize {
        self.values.len() / self.columns
    }

    /// How far apart they are.
    pub(super) fn step(&self) -> f64 {
        self.step
    }

    /// The samples at one place.
    pub(super) fn sample(&self, index: usize) -> &[f64] {
        &self.values[index * self.columns..][..self.columns]
    }

    /// Every curve at `place`, counted from the first sample.
    pub(super) fn at(&self, place: f64, out: &mut [Derivatives]) {
        let position = place / self.step;
        let last = (self.values.len() / self.columns).saturating_sub(WINDOW);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "held within the samples"
        )]
        let first = ((position - 2.0).max(0.0) as usize).min(last);
        #[expect(clippy::cast_precision_loss, reason = "there are not so many samples")]
        let x = position - first as f64;
        for (column, out) in out.iter_mut().enumerate().take(self.columns) {
            let mut window = [0.0; WINDOW];
            for (offset, value) in window.iter_mut().enumerate() {
                *value = self.values[(first + offset) * self.columns + column];
            }
            *out = self.scaled(newton(&window, x));
        }
    }

    fn scaled(&self, by_samples: Derivatives) -> Derivatives {
        let [value, first, second, third] = by_samples;
        let step = self.step;
        [value, first / step, second / (step * step), third / (step * step * step)]
    }
}

/// The polynomial through values at 0, 1, 2, …, in Newton's form, and its derivatives at `x`.
fn newton(window: &[f64; WINDOW], x: f64) -> Derivatives {
    let mut differences = *window;
    let mut divisor = 1.0;
    for order in 1..WINDOW {
        for index in (order..WINDOW).rev() {
            differences[index] = (differences[index] - differences[index - 1]) / divisor;
        }
        divisor += 1.0;
    }
    let [mut value, mut first, mut second, mut third] = [differences[WINDOW - 1], 0.0, 0.0, 0.0];
    let mut node = WINDOW as f64 - 1.0;
    for difference in differences[..WINDOW - 1].iter().rev() {
        node -= 1.0;
        let beyond = x - node;
        third = third * beyond + 3.0 * second;
        second = second * beyond + 2.0 * first;
        first = first * beyond + value;
        value = value * beyond + difference;
    }
    [value, first, second, third]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smooth_curve_and_its_derivatives_are_met() {
        let step = 0.02;
        let values = (0..60).map(|index| (3.0 * step * f64::from(index)).sin()).collect();
        let curve = Sampled::new(step, 1, values);
        let mut at = [[0.0; 4]];
        for tenth in 0..=118 {
            let x = 0.01 * f64::from(tenth);
            curve.at(x, &mut at);
            let (sin, cos) = (3.0 * x).sin_cos();
            let expected = [sin, 3.0 * cos, -9.0 * sin, -27.0 * cos];
            for ((value, expected), tolerance) in at[0].iter().zip(expected).zip([1e-8, 1e-6, 1e-4, 1e-2]) {
                assert!((value - expected).abs() < tolerance, "{x}: {:?}", at[0]);
            }
        }
    }
}
