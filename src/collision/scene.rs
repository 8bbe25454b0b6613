//! Solids on frames, and where they are: what checks and samples have in common.
//!
//! Knows no pairs that count and none that do not.

use std::sync::Arc;

use nalgebra::{Isometry3, Vector3};
use parry3d_f64::math::{Pose, Rotation, Vector};
use parry3d_f64::query::gjk::VoronoiSimplex;

use super::distance::{Nearest, bound_by_balls, bound_by_boxes, nearest};
use super::solid::{Placed, Solid};

/// A solid that a frame carries.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// The link or the obstacle that it belongs to.
    pub(super) owner: Arc<str>,
    pub(super) frame: usize,
    pub(super) frame_from_solid: Pose,
    pub(super) solid: Solid,
}

/// Larger or farther than this is nothing that an arm can meet, and beyond what can be computed with (m).
pub(super) const TOO_FAR: f64 = 1e6;

/// Writes where the parts are; false where one is nowhere, or too far away.
pub(super) fn place(parts: &[Part], root_from_frames: &[Isometry3<f64>], placed: &mut [Pose]) -> bool {
    let mut is_sound = true;
    for (part, pose) in parts.iter().zip(placed) {
        *pose = to_pose(&root_from_frames[part.frame]) * part.frame_from_solid;
        is_sound &= is_sound_pose(pose);
    }
    is_sound
}

/// Whether a pose is somewhere, and not too far away.
pub(super) fn is_sound_pose(pose: &Pose) -> bool {
    pose.is_finite() && pose.translation.abs().max_element() < TOO_FAR
}

/// Two parts by their numbers.
pub(super) type Pair = (usize, usize);

/// Parts where they are.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) parts: &'a [Part],
    pub(super) placed: &'a [Pose],
}

impl<'a> Scene<'a> {
    fn at(self, part: usize) -> Placed<'a> {
        Placed { solid: &self.parts[part].solid, root_from_solid: &self.placed[part] }
    }

    /// A distance that the pair's own is not below.
    #[inline]
    pub(super) fn bound(self, (first, second): Pair) -> f64 {
        bound_by_balls(self.at(first), self.at(second))
    }

    /// Where the pair is nearest, or nothing where it is farther apart than `within` (m).
    pub(super) fn nearest(
        self,
        (first, second): Pair,
        within: f64,
        simplex: &mut VoronoiSimplex,
    ) -> Option<Nearest> {
        let (first, second) = (self.at(first), self.at(second));
        // How deep in each other solids are, no bound says.
        if within.max(0.0) < bound_by_boxes(first, second) {
            return None;
        }
        nearest(first, second, within, simplex)
    }
}

pub(super) fn to_pose(transform: &Isometry3<f64>) -> Pose {
    let (turn, place) = (transform.rotation.quaternion(), &transform.translation.vector);
    Pose::from_parts(to_parry(place), Rotation::from_xyzw(turn.i, turn.j, turn.k, turn.w))
}

pub(super) fn to_parry(vector: &Vector3<f64>) -> Vector {
    Vector::new(vector.x, vector.y, vector.z)
}

pub(super) fn from_parry(vector: Vector) -> Vector3<f64> {
    Vector3::new(vector.x, vector.y, vector.z)
}
