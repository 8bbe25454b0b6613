//! Which joints' velocities give a twist of the tip, and how well that can be done at a place.
//!
//! The inverse is damped least squares, `(JᵀWJ + λ)⁻¹ JᵀW`. A radian weighs as much as [`METRES_PER_RADIAN`]. An arm of
//! fewer than six joints cannot have every twist: there turning weighs very much less, so that the tip goes where it
//! should, and turns as far as the arm can do that as well. The measure of singularity is the ratio of the greatest
//! to the least motion that the joints give the tip, in the same units, against what is usual for the arm; for arms
//! below six joints also that of the position alone, because the position comes first. Knows no limits and no time.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use nalgebra::{Isometry3, Matrix3, SMatrix, SVector, SymmetricEigen, Vector6};

use crate::kinematics::ik::{JointSet, MAX_JOINTS, Positions};
use crate::kinematics::{Chain, Expressed, PositionRange};

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
/// The measure at the middle one of all places: the thresholds of moveit_servo are above it.
const USUAL: f64 = 6.0;
/// In so many places it is looked what is usual.
const PLACES: usize = 256;
const WHOLE_TURN: PositionRange = PositionRange { lower: -std::f64::consts::PI, upper: std::f64::consts::PI };

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
        let joints_of = damped_inverse(chain.dof(), &twist_of);
        Self { twist_of, joints_of, base_from_tip }
    }
}

/// `(JᵀWJ + λ)⁻¹ JᵀW` of the columns that there are.
fn damped_inverse(dof: usize, twist_of: &SMatrix<f64, 6, MAX_JOINTS>) -> SMatrix<f64, MAX_JOINTS, 6> {
    let weights = weights(dof).map(|weight| weight * weight);
    let damping = DAMPING * weights[3] / METRES_PER_RADIAN.powi(2);
    let columns: [[f64; 6]; MAX_JOINTS] = twist_of.data.0;
    let mut lower = [[0.0; MAX_JOINTS]; MAX_JOINTS];
    let mut solved = [[0.0; 6]; MAX_JOINTS];
    for row in 0..dof {
        let mut weighted = [0.0; 6];
        for axis in 0..6 {
            weighted[axis] = columns[row][axis] * weights[axis];
        }
        // Cholesky's decomposition and the solution of its lower half, row by row.
        solved[row] = weighted;
        for column in 0..=row {
            let mut sum = if row == column { damping } else { 0.0 };
            for axis in 0..6 {
                sum += weighted[axis] * columns[column][axis];
            }
            let inner = lower[row][..column].iter().zip(&lower[column][..column]);
            sum -= inner.map(|(a, b)| a * b).sum::<f64>();
            lower[row][column] =
                if row == column { sum.max(damping).sqrt() } else { sum / lower[column][column] };
        }
        let (above, here) = solved.split_at_mut(row);
        for (above, factor) in above.iter().zip(lower[row]) {
            here[0].iter_mut().zip(above).for_each(|(number, above)| *number -= factor * above);
        }
        solved[row].iter_mut().for_each(|number| *number /= lower[row][row]);
    }
    let mut joints_of = SMatrix::zeros();
    for row in (0..dof).rev() {
        for axis in 0..6 {
            let mut sum = solved[row][axis];
            for below in row + 1..dof {
                sum -= lower[below][row] * solved[below][axis];
            }
            solved[row][axis] = sum / lower[row][row];
            joints_of[(row, axis)] = solved[row][axis];
        }
    }
    joints_of
}

/// How near a singularity an arm is, in numbers that mean the same for any arm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    /// The ratios of all motions of the tip and of its position alone, at the middle one of many places.
    usual: [f64; 2],
}

impl Measure {
    /// What is usual for this chain.
    pub(super) fn new(chain: &Chain) -> Self {
        let mut random = fastrand::Rng::with_seed(1);
        let mut somewhere = |joint: usize| {
            let range = chain.joints()[joint].limits.position.unwrap_or(WHOLE_TURN);
            range.lower + (range.upper - range.lower) * random.f64()
        };
        let mut places = Vec::with_capacity(PLACES);
        for _ in 0..PLACES {
            let mut place = Positions::zeros(chain.dof());
            place.iter_mut().enumerate().for_each(|(joint, position)| *position = somewhere(joint));
            places.push(ratios(chain, &place));
        }
        let middle = |which: usize| {
            let mut sorted: Vec<f64> = places.iter().map(|ratios: &[f64; 2]| ratios[which]).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            sorted[PLACES / 2]
        };
        // A ratio is 1 at least, where there is one.
        Self { usual: [middle(0).max(1.0), middle(1).max(1.0)] }
    }

    /// [`USUAL`] at the middle one of all places, without end at a singularity.
    pub(super) fn at(&self, chain: &Chain, positions: &[f64]) -> f64 {
        let ratios = ratios(chain, positions);
        let measure = USUAL * (ratios[0] / self.usual[0]).max(ratios[1] / self.usual[1]);
        if measure < WORST { measure } else { WORST }
    }
}

/// The ratios of the greatest to the least motion of the tip: of all of it, and of its position where that comes
/// first.
fn ratios(chain: &Chain, positions: &[f64]) -> [f64; 2] {
    let (mut twist_of, _) = jacobian(chain, positions);
    for row in 3..6 {
        twist_of.row_mut(row).scale_mut(METRES_PER_RADIAN);
    }
    if 6 <= chain.dof() {
        let mut squares = SymmetricEigen::new(twist_of * twist_of.transpose()).eigenvalues;
        return [ratio(squares.as_mut_slice(), 6), 0.0];
    }
    let mut whole = SymmetricEigen::new(twist_of.tr_mul(&twist_of)).eigenvalues;
    let linear = twist_of.fixed_rows::<3>(0);
    let linear: Matrix3<f64> = linear * linear.transpose();
    let mut position = SymmetricEigen::new(linear).eigenvalues;
    [ratio(whole.as_mut_slice(), chain.dof()), ratio(position.as_mut_slice(), chain.dof().min(3))]
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
