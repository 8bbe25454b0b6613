//! A linear program whose rows reach over four neighbouring unknowns, by an interior-point method.
//!
//! Mehrotra's predictor and corrector ("On the implementation of a primal-dual interior point method", 1992); the
//! normal equations have three diagonals beside the main one, so a step takes time in proportion to the rows. Knows
//! nothing of what the numbers are.

/// `weights · x[first..first + 4] ≤ bound`; of a row at the end, weights beyond the last unknown are 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) first: usize,
    pub(super) weights: [f64; WIDTH],
    pub(super) bound: f64,
}

/// Sought are the `x` with the greatest `gains · x` within all rows.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) rows: Vec<Row>,
    pub(super) gains: Vec<f64>,
}

/// How many unknowns a row reaches over.
pub(super) const WIDTH: usize = 4;
const MOST_STEPS: usize = 60;
/// Relative precision.
const PRECISION: f64 = 1e-6;
/// How much of the way to the border is gone.
const DAMPING: f64 = 0.99;
/// The least slack at the start.
const LEAST_SLACK: f64 = 1e-3;

/// A symmetric matrix with three diagonals beside the main one; row by row, the main one first.
type Banded = Vec<[f64; WIDTH]>;

struct State {
    x: Vec<f64>,
    /// Of every row: what is left to its bound, and its price.
    slack: Vec<f64>,
    price: Vec<f64>,
}

impl Program {
    /// The best unknowns, or `None` where none were found.
    pub(super) fn solve(&self) -> Option<Vec<f64>> {
        let x = vec![1.0; self.gains.len()];
        let slack: Vec<f64> =
            self.rows.iter().map(|row| (row.bound - row.value(&x)).max(LEAST_SLACK)).collect();
        let mut state = State { x, price: slack.iter().map(|slack| 0.1 / slack).collect(), slack };
        for _ in 0..MOST_STEPS {
            if self.improve(&mut state)? {
                break;
            }
        }
        let is_within = |row: &Row| row.value(&state.x) <= row.bound + 1e-4;
        let is_answer = state.x.iter().all(|value| value.is_finite()) && self.rows.iter().all(is_within);
        is_answer.then_some(state.x)
    }

    /// One step; whether it is near enough to the best.
    fn improve(&self, state: &mut State) -> Option<bool> {
        let count = self.rows.len() as f64;
        let gap = dot(&state.slack, &state.price) / count;
        let (dual, primal) = self.residuals(state);
        let scale = PRECISION * (1.0 + dot(&self.gains, &state.x).abs());
        let is_feasible = primal.iter().fold(0.0, |most: f64, value| most.max(value.abs())) <= PRECISION;
        let is_balanced = dual.iter().fold(0.0, |most: f64, value| most.max(value.abs())) <= 1e-3;
        if is_feasible && is_balanced && gap * count <= scale * 10.0 {
            return Some(true);
        }
        let factor = self.factor(state)?;
        let centre = |_: usize| 0.0;
        let (_, slack_step, price_step) = self.direction(state, &factor, &dual, &primal, centre);
        let (slack_reach, price_reach) = (reach(&state.slack, &slack_step), reach(&state.price, &price_step));
        let predicted: f64 = (0..self.rows.len())
            .map(|row| {
                (state.slack[row] + slack_reach * slack_step[row])
                    * (state.price[row] + price_reach * price_step[row])
            })
            .sum::<f64>()
            / count;
        let target = gap * (predicted / gap).powi(3);
        let centre = |row: usize| target - slack_step[row] * price_step[row];
        let (step, slack_step, price_step) = self.direction(state, &factor, &dual, &primal, centre);
        let (slack_reach, price_reach) = (
            (DAMPING * reach(&state.slack, &slack_step)).min(1.0),
            (DAMPING * reach(&state.price, &price_step)).min(1.0),
        );
        add(&mut state.x, &step, slack_reach);
        add(&mut state.slack, &slack_step, slack_reach);
        add(&mut state.price, &price_step, price_reach);
        Some(false)
    }

    /// What is missing to balance and to feasibility.
    fn residuals(&self, state: &State) -> (Vec<f64>, Vec<f64>) {
        let mut dual: Vec<f64> = self.gains.iter().map(|gain| -gain).collect();
        let mut primal = Vec::with_capacity(self.rows.len());
        for ((row, &slack), &price) in self.rows.iter().zip(&state.slack).zip(&state.price) {
            row.add_to(&mut dual, price);
            primal.push(row.value(&state.x) + slack - row.bound);
        }
        (dual, primal)
    }

    /// The normal equations, factored.
    fn factor(&self, state: &State) -> Option<Banded> {
        let mut matrix: Banded = vec![[1e-12, 0.0, 0.0, 0.0]; self.gains.len()];
        for ((row, slack), price) in self.rows.iter().zip(&state.slack).zip(&state.price) {
            let weight = price / slack;
            let reached = row.weights.len().min(matrix.len() - row.first);
            for (offset, by) in row.weights[..reached].iter().enumerate() {
                for (diagonal, other) in row.weights[..=offset].iter().rev().enumerate() {
                    matrix[row.first + offset][diagonal] += weight * by * other;
                }
            }
        }
        factored(matrix)
    }

    fn direction(
        &self,
        state: &State,
        factor: &Banded,
        dual: &[f64],
        primal: &[f64],
        centre: impl Fn(usize) -> f64,
    ) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let mut step: Vec<f64> = dual.iter().map(|value| -value).collect();
        for (index, row) in self.rows.iter().enumerate() {
            let (slack, price) = (state.slack[index], state.price[index]);
            row.add_to(&mut step, price - (centre(index) + price * primal[index]) / slack);
        }
        solve(factor, &mut step);
        let mut slack_step = Vec::with_capacity(self.rows.len());
        let mut price_step = Vec::with_capacity(self.rows.len());
        for (index, row) in self.rows.iter().enumerate() {
            let moved = -primal[index] - row.value(&step);
            slack_step.push(moved);
            let (slack, price) = (state.slack[index], state.price[index]);
            price_step.push((centre(index) - price * moved) / slack - price);
        }
        (step, slack_step, price_step)
    }
}

impl Row {
    fn value(&self, x: &[f64]) -> f64 {
        let x = &x[self.first..];
        self.weights.iter().zip(x).map(|(weight, x)| weight * x).sum()
    }

    fn add_to(&self, x: &mut [f64], times: f64) {
        let x = &mut x[self.first..];
        self.weights.iter().zip(x).for_each(|(weight, x)| *x += weight * times);
    }
}

/// How far a step may go until something is zero; at most 1 or a little more.
fn reach(values: &[f64], step: &[f64]) -> f64 {
    let reaches = values.iter().zip(step).filter(|(_, step)| **step < 0.0).map(|(value, step)| -value / step);
    reaches.fold(1.0 / DAMPING, f64::min)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(values: &mut [f64], step: &[f64], times: f64) {
    values.iter_mut().zip(step).for_each(|(value, step)| *value += times * step);
}

/// Cholesky's factor; `None` where the matrix has none.
fn factored(mut matrix: Banded) -> Option<Banded> {
    for index in 0..matrix.len() {
        for diagonal in (0..=index.min(WIDTH - 1)).rev() {
            let column = index - diagonal;
            let common = (1..WIDTH - diagonal).take_while(|back| *back <= column);
            let known: f64 = common.map(|back| matrix[index][diagonal + back] * matrix[column][back]).sum();
            let left = matrix[index][diagonal] - known;
            matrix[index][diagonal] = if diagonal == 0 { left.sqrt() } else { left / matrix[column][0] };
        }
        let main = matrix[index][0];
        let is_definite = 0.0 < main && main.is_finite();
        if !is_definite {
            return None;
        }
    }
    Some(matrix)
}

fn solve(factor: &Banded, x: &mut [f64]) {
    for index in 0..x.len() {
        let known: f64 = (1..=index.min(WIDTH - 1)).map(|back| factor[index][back] * x[index - back]).sum();
        x[index] = (x[index] - known) / factor[index][0];
    }
    for index in (0..x.len()).rev() {
        let after = (1..WIDTH).take_while(|ahead| index + ahead < x.len());
        let known: f64 = after.map(|ahead| factor[index + ahead][ahead] * x[index + ahead]).sum();
        x[index] = (x[index] - known) / factor[index][0];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_corner_is_found() {
        let row = |first, [a, b, c]: [f64; 3], bound| Row { first, weights: [a, b, c, 0.0], bound };
        let mut rows = vec![
            row(0, [1.0, 2.0, 0.0], 4.0),
            row(0, [3.0, 1.0, 0.0], 6.0),
            row(1, [1.0, 1.0, 1.0], 5.0),
            row(1, [0.0, 1.0, -1.0], 1.0),
        ];
        rows.extend((0..4).map(|first| row(first, [-1.0, 0.0, 0.0], 0.0)));
        let best = Program { rows, gains: vec![1.0, 1.0, 1.0, 0.5] }.solve().unwrap();
        // More of the second costs more of its neighbours than it brings.
        for (found, expected) in best.iter().zip([2.0, 0.0, 3.0, 2.0]) {
            assert!((found - expected).abs() < 1e-4, "{best:?}");
        }
    }

    #[test]
    fn a_program_without_an_answer_has_none() {
        let rows = vec![
            Row { first: 0, weights: [1.0, 0.0, 0.0, 0.0], bound: 0.0 },
            Row { first: 0, weights: [-1.0, 0.0, 0.0, 0.0], bound: -1.0 },
        ];
        assert!(Program { rows, gains: vec![1.0, 1.0, 1.0] }.solve().is_none());
    }
}
