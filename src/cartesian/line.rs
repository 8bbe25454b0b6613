//! A straight line from pose to pose, the orientation turned evenly about one axis on the way.
//!
//! Knows no neighbours and no arm.

use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};

/// A straight line; poses are of the tip in the base.
#[derive(Clone, Debug)]
pub(super) struct Line {
    from: Isometry3<f64>,
    /// From begin to end, in the base (m).
    way: Vector3<f64>,
    /// From begin to end, in the tip (rad).
    turn: Vector3<f64>,
}

impl Line {
    /// The line between two poses; of two ways round that are as long, one is taken.
    pub(super) fn between(from: &Isometry3<f64>, to: &Isometry3<f64>) -> Self {
        let way = to.translation.vector - from.translation.vector;
        Self { from: *from, way, turn: turn_between(&from.rotation, &to.rotation) }
    }

    /// How far it goes (m).
    pub(super) fn distance(&self) -> f64 {
        self.way.norm()
    }

    /// How far it turns (rad).
    pub(super) fn angle(&self) -> f64 {
        self.turn.norm()
    }

    /// The pose after this part of it, 0 to 1.
    pub(super) fn pose(&self, part: f64) -> Isometry3<f64> {
        let translation = Translation3::from(self.from.translation.vector + self.way * part);
        Isometry3::from_parts(translation, self.from.rotation * UnitQuaternion::new(self.turn * part))
    }

    /// Whether the other goes on as this one does, if both are gone along evenly by these lengths.
    pub(super) fn is_continued_by(&self, other: &Self, length: f64, other_length: f64) -> bool {
        const TOLERANCE: f64 = 1e-7;
        let is_near = |a: Vector3<f64>, b: Vector3<f64>| {
            let (a, b) = (a / length, b / other_length);
            (a - b).norm() <= TOLERANCE * a.norm().max(b.norm())
        };
        is_near(self.way, other.way) && is_near(self.turn, other.turn)
    }
}

/// The shortest turn that takes one orientation to another, in the first one's frame (rad).
pub(super) fn turn_between(from: &UnitQuaternion<f64>, to: &UnitQuaternion<f64>) -> Vector3<f64> {
    (from.inverse() * to).scaled_axis()
}
