//! Curves that are known at evenly spaced places: values and three continuous derivatives anywhere.
//!
//! About each place there is a polynomial through the seven nearest; between two places theirs go over into each
//! other. Knows nothing of what the curves are.

/// The samples that a polynomial goes through.
const WINDOW: usize = 7;

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
        let position = (place / self.step).max(0.0);
        let last = self.samples().saturating_sub(WINDOW);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, and held below"
        )]
        let nearest = position as usize;
        let [before, after] = [nearest, nearest + 1].map(|about| about.saturating_sub(WINDOW / 2).min(last));
        let share = step_up((position - nearest as f64).min(1.0));
        for (column, out) in out.iter_mut().enumerate().take(self.columns) {
            let mut by_samples = self.window(before, column, position);
            if before != after {
                let next = self.window(after, column, position);
                by_samples = gone_over(&by_samples, &next, &share);
            }
            *out = self.scaled(by_samples);
        }
    }

    /// The polynomial through the samples from `first` on, at a position counted in samples.
    fn window(&self, first: usize, column: usize, position: f64) -> Derivatives {
        let mut window = [0.0; WINDOW];
        for (offset, value) in window.iter_mut().enumerate() {
            *value = self.values[(first + offset) * self.columns + column];
        }
        newton(&window, position - first as f64)
    }

    fn scaled(&self, by_samples: Derivatives) -> Derivatives {
        let [value, first, second, third] = by_samples;
        let step = self.step;
        [value, first / step, second / (step * step), third / (step * step * step)]
    }
}

/// From 0 to 1 with three derivatives that are 0 at both ends.
fn step_up(x: f64) -> Derivatives {
    let y = 1.0 - x;
    let (xy, between) = (x * y, y - x);
    let value = x * x * x * x * (35.0 + x * (-84.0 + x * (70.0 - 20.0 * x)));
    [value, 140.0 * xy * xy * xy, 420.0 * xy * xy * between, 840.0 * xy * (between * between - xy)]
}

/// One curve, and by this share the other.
fn gone_over(from: &Derivatives, to: &Derivatives, share: &Derivatives) -> Derivatives {
    let more: [f64; 4] = std::array::from_fn(|order| to[order] - from[order]);
    [
        from[0] + share[0] * more[0],
        from[1] + share[0] * more[1] + share[1] * more[0],
        from[2] + share[0] * more[2] + 2.0 * share[1] * more[1] + share[2] * more[0],
        from[3] + share[0] * more[3] + 3.0 * (share[1] * more[2] + share[2] * more[1]) + share[3] * more[0],
    ]
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
