//! What is left between the tip and its goal, and what of that counts.
//!
//! Knows the aims; no joints but their columns. Everything is in radians or in the arm's own unit of length, in the
//! goal's frame.

use nalgebra::{Matrix3, Rotation3, UnitQuaternion, Vector3};

use super::goal::{Aim, RotationAim};
use super::kernel::{Column, Frame};
use super::lanes::{Lanes, MOST};

/// An aim in the kernel's terms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    rotation: Rotation,
    /// The turn from the goal's own axes to those that are computed in.
    goal_from_computed: Rotation3<f64>,
    /// Absent where the position counts alike along all axes.
    position: Option<Matrix3<f64>>,
    /// The weights of the rotation, absent where they are all one.
    turn_weights: Option<[f64; 3]>,
}

/// How the rotation is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rotation {
    /// By the turn that is left.
    Whole,
    /// By the angle between the z axes.
    Tilt,
    /// By some components of the turn that is left, so that the others may be large.
    Partial,
    /// Not at all.
    Free,
}

/// What is left, and how much it is.
#[derive(Clone, Copy)]
pub(super) struct Residual<L> {
    /// The motion of the tip that is wanted.
    pub(super) wanted: Column<L>,
    /// Its square in position and in rotation.
    pub(super) position: L,
    pub(super) rotation: L,
}

impl Measure {
    pub(super) fn new(aim: &Aim) -> Self {
        let (rotation, axes, turn_weights) = match aim.rotation {
            RotationAim::Free => (Rotation::Free, Rotation3::identity(), [0.0; 3]),
            RotationAim::Axis(axis) => (Rotation::Tilt, z_to(&axis), [1.0, 1.0, 0.0]),
            RotationAim::About(weights) => {
                let is_free = weights.map(|weight| weight == 0.0);
                match is_free {
                    [true, true, true] => (Rotation::Free, Rotation3::identity(), weights),
                    [false, false, false] => (Rotation::Whole, Rotation3::identity(), weights),
                    [true, false, false] => tilt(weights, [1, 2, 0]),
                    [false, true, false] => tilt(weights, [2, 0, 1]),
                    [false, false, true] => tilt(weights, [0, 1, 2]),
                    _ => (Rotation::Partial, Rotation3::identity(), weights),
                }
            }
        };
        let weights = Matrix3::from_diagonal(&Vector3::from(aim.position));
        let is_usual = aim.position.iter().all(|&weight| is_one(weight));
        let position = (!is_usual).then(|| axes.matrix().transpose() * weights * axes.matrix());
        let needs_no_weights =
            turn_weights.iter().all(|&weight| is_one(weight)) || rotation == Rotation::Free;
        Self {
            rotation,
            goal_from_computed: axes,
            position,
            turn_weights: (!needs_no_weights).then_some(turn_weights),
        }
    }

    /// The frame that is computed in, seen from the goal; the tip's is turned alike.
    pub(super) fn goal_from_computed(&self) -> &Rotation3<f64> {
        &self.goal_from_computed
    }

    /// Whether that frame is another than the goal's.
    pub(super) fn turns_axes(&self) -> bool {
        self.rotation == Rotation::Tilt
    }

    /// How turns count in a distance of poses.
    pub(super) fn turns(&self) -> Turns {
        match self.rotation {
            Rotation::Whole => Turns::Count,
            Rotation::Tilt => Turns::CountButAboutZ,
            Rotation::Partial | Rotation::Free => Turns::DoNotCount,
        }
    }

    /// The weights of a position in the frame that is computed in, where they are not all one.
    pub(super) fn position_weights(&self) -> Option<&Matrix3<f64>> {
        self.position.as_ref()
    }

    /// A measure of rotation, as an angle in radians.
    pub(super) fn angle(&self, square: f64) -> f64 {
        match self.rotation {
            Rotation::Whole | Rotation::Tilt => 2.0 * (0.5 * square.sqrt()).min(1.0).asin(),
            Rotation::Partial | Rotation::Free => square.sqrt(),
        }
    }

    /// The measure of an angle.
    pub(super) fn square_of_angle(&self, angle: f64) -> f64 {
        let measure = match self.rotation {
            Rotation::Whole | Rotation::Tilt => 2.0 * (0.5 * angle).min(std::f64::consts::FRAC_PI_2).sin(),
            Rotation::Partial | Rotation::Free => angle,
        };
        measure * measure
    }

    /// What is left with the tip there.
    #[inline(always)]
    pub(super) fn residual<L: Lanes>(&self, tip: &Frame<L>) -> Residual<L> {
        let any = tip.origin[0];
        let mut way = [-tip.origin[0], -tip.origin[1], -tip.origin[2]];
        let mut rotation_at_least = any.like(0.0);
        let mut turn = [any.like(0.0); 3];
        match self.rotation {
            Rotation::Whole => {
                let Frame { x, y, z, .. } = tip;
                let twice_back = [z[1] - y[2], x[2] - z[0], y[0] - x[1]];
                let trace = x[0] + y[1] + z[2];
                // 2·sin(θ/2) along the axis, backwards; sin θ would be small at half a turn too.
                let scale = any.like(1.0) / (trace + any.like(1.0)).max(any.like(ALMOST_NOTHING)).sqrt();
                turn = [twice_back[0] * scale, twice_back[1] * scale, twice_back[2] * scale];
                rotation_at_least = any.like(3.0 - SURELY_ROUNDING) - trace;
            }
            Rotation::Tilt => {
                let [u, v, w] = tip.z;
                let scale = (any.like(2.0) / (w + any.like(1.0)).max(any.like(ALMOST_NOTHING))).sqrt();
                turn = [v * scale, -(u * scale), any.like(0.0)];
                rotation_at_least = w.sub_from(any.like(2.0), any.like(2.0 - SURELY_ROUNDING));
            }
            Rotation::Partial => turn = self.partial_turn(tip),
            Rotation::Free => {}
        }
        if let Some(weights) = self.turn_weights {
            let mut least = any.like(f64::MAX);
            for row in 0..3 {
                turn[row] = turn[row] * any.like(weights[row]);
                if weights[row] != 0.0 {
                    least = least.min(any.like(weights[row] * weights[row]));
                }
            }
            rotation_at_least = rotation_at_least * least;
        }
        if let Some(weights) = &self.position {
            way = times(weights, way);
        }
        let rotation = dot(turn, turn).max(rotation_at_least);
        Residual {
            wanted: [way[0], way[1], way[2], turn[0], turn[1], turn[2]],
            position: dot(way, way),
            rotation,
        }
    }

    /// Makes the columns count what the residual counts.
    #[inline(always)]
    pub(super) fn weigh<L: Lanes, const N: usize>(&self, tip: &Frame<L>, columns: &mut [Column<L>; N]) {
        if let Some(weights) = &self.position {
            for column in columns.iter_mut() {
                let way = times(weights, [column[0], column[1], column[2]]);
                (column[0], column[1], column[2]) = (way[0], way[1], way[2]);
            }
        }
        match self.rotation {
            Rotation::Whole => {}
            Rotation::Tilt => {
                for column in columns.iter_mut() {
                    column[5] = column[5].like(0.0);
                }
            }
            Rotation::Free => {
                for column in columns.iter_mut() {
                    let zero = column[0].like(0.0);
                    *column = [column[0], column[1], column[2], zero, zero, zero];
                }
            }
            Rotation::Partial => self.weigh_partly(tip, columns),
        }
        if let (Some(weights), true) = (self.turn_weights, self.rotation != Rotation::Partial) {
            for column in columns.iter_mut() {
                for row in 0..3 {
                    column[row + 3] = column[row + 3] * column[row + 3].like(weights[row]);
                }
            }
        }
    }

    /// The turn that is left, backwards, as an axis times an angle.
    #[inline(never)]
    fn partial_turn<L: Lanes>(&self, tip: &Frame<L>) -> [L; 3] {
        let mut rows = [[0.0; MOST]; 3];
        for lane in 0..L::COUNT {
            for (row, turn) in rows.iter_mut().zip(turn_in(tip, lane).iter()) {
                row[lane] = -turn;
            }
        }
        rows.map(|row| L::from_array(tip.origin[0].token(), row))
    }

    /// How the turn that is left changes: its components are independent of each other only while it is small.
    #[inline(never)]
    fn weigh_partly<L: Lanes, const N: usize>(&self, tip: &Frame<L>, columns: &mut [Column<L>; N]) {
        let weights = Matrix3::from_diagonal(&Vector3::from(self.turn_weights.unwrap_or([1.0; 3])));
        let mut changes = [[[0.0; MOST]; 3]; 3];
        for lane in 0..L::COUNT {
            let change = weights * change_of_turn(&turn_in(tip, lane));
            for (row, entries) in changes.iter_mut().enumerate() {
                for (column, entry) in entries.iter_mut().enumerate() {
                    entry[lane] = change[(row, column)];
                }
            }
        }
        let token = tip.origin[0].token();
        let changes = changes.map(|row| row.map(|entry| L::from_array(token, entry)));
        for column in columns {
            let turn = [column[3], column[4], column[5]];
            for row in 0..3 {
                column[row + 3] = dot(changes[row], turn);
            }
        }
    }
}

/// How turns count in a distance of poses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turns {
    Count,
    CountButAboutZ,
    DoNotCount,
}

/// Frees the third of these axes, which becomes z.
fn tilt(weights: [f64; 3], axes: [usize; 3]) -> (Rotation, Rotation3<f64>, [f64; 3]) {
    let columns = axes.map(|axis| Vector3::ith(axis, 1.0));
    let rotation = Rotation3::from_matrix_unchecked(Matrix3::from_columns(&columns));
    (Rotation::Tilt, rotation, axes.map(|axis| weights[axis]))
}

fn z_to(axis: &nalgebra::Unit<Vector3<f64>>) -> Rotation3<f64> {
    Rotation3::rotation_between(&Vector3::z(), axis)
        .unwrap_or_else(|| Rotation3::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI))
}

/// The turn of the tip in one lane, as an axis times an angle.
fn turn_in<L: Lanes>(tip: &Frame<L>, lane: usize) -> Vector3<f64> {
    let column = |axis: [L; 3]| Vector3::from(axis.map(|row| row.to_array()[lane]));
    let matrix = Matrix3::from_columns(&[column(tip.x), column(tip.y), column(tip.z)]);
    UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(matrix)).scaled_axis()
}

/// From a turn in front of the tip to the change of axis times angle.
fn change_of_turn(turn: &Vector3<f64>) -> Matrix3<f64> {
    let angle = turn.norm();
    let half = turn.cross_matrix() * 0.5;
    if angle < 1e-4 {
        return Matrix3::identity() - half;
    }
    let second = 1.0 / (angle * angle) - (1.0 + angle.cos()) / (2.0 * angle * angle.sin());
    // At half a turn there is no derivative.
    let second = if second.is_finite() { second } else { 0.0 };
    Matrix3::identity() - half + 4.0 * second * half * half
}

#[inline(always)]
pub(super) fn dot<L: Lanes>(a: [L; 3], b: [L; 3]) -> L {
    a[2].mul_add(b[2], a[1].mul_add(b[1], a[0] * b[0]))
}

#[inline(always)]
fn times<L: Lanes>(matrix: &Matrix3<f64>, v: [L; 3]) -> [L; 3] {
    let mut product = v;
    for row in 0..3 {
        let entries = [v[0].like(matrix[(row, 0)]), v[0].like(matrix[(row, 1)]), v[0].like(matrix[(row, 2)])];
        product[row] = dot(entries, v);
    }
    product
}

#[expect(clippy::float_cmp, reason = "the usual weight is exactly this")]
fn is_one(weight: f64) -> bool {
    weight == 1.0
}

/// Keeps a division finite at half a turn.
const ALMOST_NOTHING: f64 = 1e-12;

/// More than what the trace of a rotation is off by.
const SURELY_ROUNDING: f64 = 1e-14;
