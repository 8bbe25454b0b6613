//! One step of Levenberg and Marquardt towards the goal, within limits.
//!
//! Knows columns and residuals; not where they come from.

use super::kernel::Column;
use super::lanes::Lanes;

/// Damping over the squared error: far away careful, nearby as fast as Newton.
const DAMPING: f64 = 0.1;

/// Keeps the system solvable where the arm is singular at its goal.
const LEAST_DAMPING: f64 = 1e-8;

/// Where the joints can be; lower is upper for one that must not move.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds<const N: usize> {
    pub(super) lower: [f64; N],
    pub(super) upper: [f64; N],
}

/// The usual damping at this squared error.
#[inline(always)]
pub(super) fn damping<L: Lanes>(error: L) -> L {
    error.mul_add(error.like(DAMPING), error.like(LEAST_DAMPING))
}

/// The way that the joints should go, and the smallest pivot on the way to it: small where the arm is singular.
#[inline(always)]
pub(super) fn direction<L: Lanes, const N: usize>(
    columns: &mut [Column<L>; N],
    wanted: &Column<L>,
    positions: &[L; N],
    bounds: &Bounds<N>,
    damping: L,
) -> ([L; N], L) {
    let slopes = hold_at_bounds(columns, wanted, positions, bounds);
    if N <= 6 {
        let mut system = [[damping; N]; N];
        for row in 0..N {
            for column in 0..=row {
                system[row][column] = dot6(&columns[row], &columns[column]);
            }
            system[row][row] = system[row][row] + damping;
        }
        solve(&mut system, slopes)
    } else {
        let mut system = [[damping; 6]; 6];
        for row in 0..6 {
            for other in 0..=row {
                let mut sum = if other == row { damping } else { damping.like(0.0) };
                for column in columns.iter() {
                    sum = column[row].mul_add(column[other], sum);
                }
                system[row][other] = sum;
            }
        }
        let (forces, pivot) = solve(&mut system, *wanted);
        let mut way = *positions;
        for joint in 0..N {
            way[joint] = dot6(&columns[joint], &forces);
        }
        (way, pivot)
    }
}

/// The way, cut off at the bounds.
#[inline(always)]
pub(super) fn go<L: Lanes, const N: usize>(positions: &[L; N], way: &[L; N], bounds: &Bounds<N>) -> [L; N] {
    let mut there = *positions;
    for joint in 0..N {
        let wish = positions[joint] + way[joint];
        // In this order NaN becomes a bound.
        there[joint] = wish.max(wish.like(bounds.lower[joint])).min(wish.like(bounds.upper[joint]));
    }
    there
}

/// Lets a joint that stands at its bound and is pushed outwards do nothing; returns how fast the error falls along
/// each joint.
#[inline(always)]
fn hold_at_bounds<L: Lanes, const N: usize>(
    columns: &mut [Column<L>; N],
    wanted: &Column<L>,
    positions: &[L; N],
    bounds: &Bounds<N>,
) -> [L; N] {
    let mut slopes = *positions;
    for joint in 0..N {
        let column = &mut columns[joint];
        let slope = dot6(column, wanted);
        let zero = slope.like(0.0);
        let position = positions[joint];
        let at_upper = position.like(bounds.upper[joint]).is_at_most(position);
        let at_lower = position.is_at_most(position.like(bounds.lower[joint]));
        let outwards =
            L::either(L::both(at_upper, zero.is_at_most(slope)), L::both(at_lower, slope.is_at_most(zero)));
        for row in column.iter_mut() {
            *row = L::choose(outwards, zero, *row);
        }
        slopes[joint] = L::choose(outwards, zero, slope);
    }
    slopes
}

#[inline(always)]
fn dot6<L: Lanes>(a: &Column<L>, b: &Column<L>) -> L {
    let way = a[2].mul_add(b[2], a[1].mul_add(b[1], a[0] * b[0]));
    let turn = a[5].mul_add(b[5], a[4].mul_add(b[4], a[3] * b[3]));
    way + turn
}

/// Solves a symmetric positive system of which the lower half is given, without a square root.
#[expect(clippy::needless_range_loop, reason = "rows and columns of one matrix")]
#[inline(always)]
fn solve<L: Lanes, const K: usize>(system: &mut [[L; K]; K], mut right: [L; K]) -> ([L; K], L) {
    let one = right[0].like(1.0);
    let mut inverses = [one; K];
    let mut smallest = one.like(f64::MAX);
    for pivot in 0..K {
        smallest = smallest.min(system[pivot][pivot]);
        inverses[pivot] = one / system[pivot][pivot];
        for row in pivot + 1..K {
            let factor = system[row][pivot] * inverses[pivot];
            for column in pivot + 1..=row {
                system[row][column] = factor.sub_from(system[column][pivot], system[row][column]);
            }
            right[row] = factor.sub_from(right[pivot], right[row]);
        }
    }
    for pivot in (0..K).rev() {
        let mut sum = right[pivot];
        for row in pivot + 1..K {
            sum = system[row][pivot].sub_from(right[row], sum);
        }
        right[pivot] = sum * inverses[pivot];
    }
    (right, smallest)
}
