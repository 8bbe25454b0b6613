//! Which joints' velocities give a twist of the tip, and how well that can be done at a place.
//!
//! The inverse is damped least squares, `(JᵀWJ + λ)⁻¹ JᵀW`. A radian weighs as much as [`METRES_PER_RADIAN`]. An arm of
//! fewer than six joints cannot have every twist: there turning weighs very much less, so that the tip goes where it
//! should, and turns as far as the arm can do that as well. The measure of singularity is the ratio of the greatest
//! to the least way in which the joints move the tip, in the same units; for arms below six joints also that of the
//! position alone, because the position comes first. Knows no limits and no time.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use nalgebra::{Isometry3, Matrix3, SMatrix, SVector, SymmetricEigen, Vector6};

use crate::kinematics::ik::{JointSet, MAX_JOINTS};
use crate::kinematics::{Chain, Expressed};

/// Velocities of the joints, or anything else with one number for each; those beyond the last joint are 0.
pub(super) type Joints = SVector<f64, MAX_JOINTS>;

/// Metres that weigh as much as a radian: about the reach of a desk arm.
const METRES_PER_RADIAN: f64 = 0.35;
/// How much less turning weighs where the arm cannot have every twist.
const TURNING_LAST: f64 = 1.0 / 30.0;
/// Damping, small against the square of what one joint does to the tip.
const DAMPING: f64 = 1e-6;
/// The measure where there is no way at all.
const WORST: f64 = 1e9;

/// The Jacobian of a place, and its inverse.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inverse {
    /// Twist of the tip's origin along the base's axes for each joint's velocity.
    pub(super) twist_of: SMatrix<f64, 6, MAX_JOINTS>,
    /// The joints' velocities for a twist.
    pub(super) joints_of: SMatrix<f64, MAX_JOINTS, 6>,
    /// Where the tip is there.
    pub(super) base_from_tip: Isometry3<f64>,
}

impl Inverse {
    /// At these positions; joints that are `locked` take no part.
    pub(super) fn at(chain: &Chain, positions: &[f64], locked: JointSet) -> Self {
        let (mut twist_of, base_from_tip) = jacobian(chain, positions);
        for joint in (0..chain.dof()).filter(|&joint| locked.contains(joint)) {
            twist_of.column_mut(joint).fill(0.0);
        }
        let weights = weights(chain.dof());
        let mut weighted = twist_of;
        for (row, weight) in weights.iter().enumerate() {
            weighted.row_mut(row).scale_mut(*weight);
        }
        let damping = DAMPING * weights[3].powi(2) / METRES_PER_RADIAN.powi(2);
        let system = weighted.tr_mul(&weighted) + SMatrix::identity() * damping;
        let mut joints_of = system.cholesky().map_or_else(SMatrix::zeros, |system| {
            let mut joints_of = weighted.transpose();
            system.solve_mut(&mut joints_of);
            joints_of
        });
        for (column, weight) in weights.iter().enumerate() {
            joints_of.column_mut(column).scale_mut(*weight);
        }
        Self { twist_of, joints_of, base_from_tip }
    }
}

/// How near a singularity the arm is: 1 is as far as can be, without end is there.
pub(super) fn condition(chain: &Chain, positions: &[f64]) -> f64 {
    let (mut twist_of, _) = jacobian(chain, positions);
    for row in 3..6 {
        twist_of.row_mut(row).scale_mut(METRES_PER_RADIAN);
    }
    if 6 <= chain.dof() {
        return ratio(SymmetricEigen::new(twist_of * twist_of.transpose()).eigenvalues.as_mut_slice(), 6);
    }
    let whole = SymmetricEigen::new(twist_of.tr_mul(&twist_of)).eigenvalues;
    let linear = twist_of.fixed_rows::<3>(0);
    let linear: Matrix3<f64> = linear * linear.transpose();
    let position = SymmetricEigen::new(linear).eigenvalues;
    ratio(whole.clone_owned().as_mut_slice(), chain.dof())
        .max(ratio(position.clone_owned().as_mut_slice(), chain.dof().min(3)))
}

/// The ratio of the greatest to the `rank`-th singular value, from their squares.
fn ratio(squares: &mut [f64], rank: usize) -> f64 {
    squares.sort_unstable_by(|a, b| b.total_cmp(a));
    let ratio = (squares[0].max(0.0) / squares[rank - 1].max(0.0)).sqrt();
    // Stated so that NaN is the worst, too.
    if ratio < WORST { ratio } else { WORST }
}

fn weights(dof: usize) -> [f64; 6] {
    let turning = if dof < 6 { METRES_PER_RADIAN * TURNING_LAST } else { METRES_PER_RADIAN };
    [1.0, 1.0, 1.0, turning, turning, turning]
}

fn jacobian(chain: &Chain, positions: &[f64]) -> (SMatrix<f64, 6, MAX_JOINTS>, Isometry3<f64>) {
    let mut columns = [Vector6::zeros(); MAX_JOINTS];
    let base_from_tip = chain.jacobian(positions, Expressed::Base, &mut columns[..chain.dof()]);
    (SMatrix::from_columns(&columns), base_from_tip)
}
