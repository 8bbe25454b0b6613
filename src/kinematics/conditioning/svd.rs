//! Singular values and vectors of a Jacobian, by rotations of its rows (Hestenes); on the stack.
//!
//! Knows matrices only. Small singular values come out as exactly as large ones, which they would not
//! from the eigenvalues of `J·Jᵀ`.

use nalgebra::{Matrix6, SMatrix, SVector, Vector6};

use crate::kinematics::ik::MAX_JOINTS;

/// It takes about six; a bound in case rounding should keep two rows from standing square.
const MAX_SWEEPS: usize = 30;
/// Rows whose cosine is below this stand square on each other.
const SQUARE: f64 = 1e-15;

/// `J = U·Σ·Vᵀ`, the largest singular value first.
#[derive(Clone, Copy, Debug)]
pub(in crate::kinematics) struct Svd {
    /// Directions of the tip, as columns.
    pub(in crate::kinematics) left: Matrix6<f64>,
    pub(in crate::kinematics) values: [f64; 6],
    /// The motions of the joints that cause them, as columns; zero where the singular value is.
    pub(in crate::kinematics) right: SMatrix<f64, MAX_JOINTS, 6>,
}

impl Svd {
    /// Of a Jacobian with at most [`MAX_JOINTS`] columns; further ones are left out.
    pub(in crate::kinematics) fn of(columns: &[Vector6<f64>]) -> Self {
        let mut rows = [[0.0; MAX_JOINTS]; 6];
        for (joint, column) in columns.iter().take(MAX_JOINTS).enumerate() {
            for (row, entry) in rows.iter_mut().zip(column.iter()) {
                row[joint] = *entry;
            }
        }
        let mut left = std::array::from_fn(|row| std::array::from_fn(|entry| f64::from(row == entry)));
        let total: f64 = rows.iter().map(|row| dot(row, row)).sum();
        let noise = f64::EPSILON * f64::EPSILON * total;
        for _ in 0..MAX_SWEEPS {
            if !sweep(&mut rows, &mut left, noise) {
                break;
            }
        }
        Self::sorted(&rows, &left)
    }

    fn sorted(rows: &[[f64; MAX_JOINTS]; 6], left: &[[f64; 6]; 6]) -> Self {
        let mut order = [0, 1, 2, 3, 4, 5];
        let length = rows.map(|row| dot(&row, &row).sqrt());
        order.sort_unstable_by(|&a, &b| length[b].total_cmp(&length[a]));
        let values = order.map(|row| length[row]);
        let mut sorted = Self { left: Matrix6::zeros(), values, right: SMatrix::zeros() };
        for (rank, &row) in order.iter().enumerate() {
            sorted.left.set_column(rank, &Vector6::from(left[row]));
            let is_noise = length[row] <= f64::EPSILON * values[0];
            let scale = if is_noise { 0.0 } else { 1.0 / length[row] };
            sorted.right.set_column(rank, &(SVector::from(rows[row]) * scale));
        }
        sorted
    }
}

/// Squares each row with each other once; says whether any had to be turned.
fn sweep(rows: &mut [[f64; MAX_JOINTS]; 6], left: &mut [[f64; 6]; 6], noise: f64) -> bool {
    let mut any = false;
    for a in 0..5 {
        for b in a + 1..6 {
            let (aa, bb) = (dot(&rows[a], &rows[a]), dot(&rows[b], &rows[b]));
            let ab = dot(&rows[a], &rows[b]);
            // Written so that a NaN ends the sweep too.
            if noise < ab.abs() && SQUARE * (aa * bb).sqrt() < ab.abs() {
                any = true;
                let half = (bb - aa) / (2.0 * ab);
                let tangent = half.signum() / (half.abs() + half.hypot(1.0));
                let cos = 1.0 / tangent.hypot(1.0);
                rotate(rows, a, b, cos, cos * tangent);
                rotate(left, a, b, cos, cos * tangent);
            }
        }
    }
    any
}

fn rotate<const N: usize>(rows: &mut [[f64; N]; 6], a: usize, b: usize, cos: f64, sin: f64) {
    let (at_a, at_b) = (rows[a], rows[b]);
    rows[a] = std::array::from_fn(|entry| at_a[entry] * cos - at_b[entry] * sin);
    rows[b] = std::array::from_fn(|entry| at_a[entry] * sin + at_b[entry] * cos);
}

fn dot<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factors_multiply_to_the_matrix_and_are_orthonormal() {
        let mut dice = fastrand::Rng::with_seed(2);
        for joints in 1..=MAX_JOINTS {
            for _ in 0..50 {
                let columns: Vec<Vector6<f64>> =
                    (0..joints).map(|_| Vector6::from_fn(|_, _| dice.f64() - 0.5)).collect();
                check(&columns, joints.min(6));
            }
        }
    }

    #[test]
    fn a_matrix_that_lacks_rank_has_singular_values_of_zero() {
        let (a, b) =
            (Vector6::new(1.0, 2.0, 0.0, -1.0, 0.5, 0.3), Vector6::new(0.0, 1.0, 1.0, 1.0, 0.0, 2.0));
        check(&[a, b, a + b, a - 2.0 * b, Vector6::zeros()], 2);
        check(&[Vector6::zeros(); 3], 0);
        check(&[a, b, a * 1e-9], 2);
    }

    #[test]
    fn a_small_singular_value_keeps_its_digits() {
        let columns =
            [Vector6::new(1.0, 1.0, 0.0, 0.0, 0.0, 0.0), Vector6::new(1e-12, -1e-12, 0.0, 0.0, 0.0, 0.0)];
        let svd = Svd::of(&columns);
        assert!((svd.values[1] / (1e-12 * 2.0_f64.sqrt()) - 1.0).abs() < 1e-12, "{}", svd.values[1]);
    }

    fn check(columns: &[Vector6<f64>], rank: usize) {
        let svd = Svd::of(columns);
        assert!(svd.values.is_sorted_by(|a, b| a >= b), "{:?}", svd.values);
        assert!(svd.values[rank..].iter().all(|&value| value < 1e-14), "{:?}", svd.values);
        assert!(svd.values[..rank].iter().all(|&value| 1e-6 < value), "{:?}", svd.values);
        assert!((svd.left.transpose() * svd.left - Matrix6::identity()).amax() < 1e-13);
        let right = svd.right.columns(0, rank);
        assert!((right.transpose() * right - nalgebra::DMatrix::identity(rank, rank)).amax() < 1e-12);
        for (joint, column) in columns.iter().enumerate() {
            let scaled = svd.right.row(joint).transpose().component_mul(&Vector6::from(svd.values));
            assert!((svd.left * scaled - column).amax() < 1e-14, "{column}");
        }
    }
}
