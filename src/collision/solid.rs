//! A convex solid: a core that GJK knows, and a skin of even thickness round it.
//!
//! Knows its own frame only. A sphere is a point with a skin, a capsule a line with one; a mesh's hull has
//! as few corners as its skin makes up for. The frame is in the middle of the core's box, along its edges.

use std::sync::Arc;

use parry3d_f64::math::{Pose, Vector};
use parry3d_f64::shape::SupportMap;

/// A convex solid round the middle of its frame.
#[derive(Clone, Debug)]
pub(super) struct Solid {
    core: Core,
    skin: f64,
    half: Vector,
    radius: f64,
}

/// What is within the skin.
#[derive(Clone, Debug)]
enum Core {
    Point,
    /// Along z.
    Line {
        half: f64,
    },
    Box,
    /// About z.
    Cylinder {
        half: f64,
        radius: f64,
    },
    Hull(Arc<[Vector]>),
    /// All that is below z = 0.
    HalfSpace,
}

impl Solid {
    pub(super) fn sphere(radius: f64) -> Self {
        Self::new(Core::Point, radius, Vector::ZERO, 0.0)
    }

    pub(super) fn capsule(radius: f64, length: f64) -> Self {
        let half = 0.5 * length;
        Self::new(Core::Line { half }, radius, Vector::new(0.0, 0.0, half), half)
    }

    pub(super) fn cuboid(size: Vector) -> Self {
        let half = 0.5 * size;
        Self::new(Core::Box, 0.0, half, half.length())
    }

    pub(super) fn cylinder(radius: f64, length: f64) -> Self {
        let half = 0.5 * length;
        let corner = Vector::new(radius, radius, half);
        Self::new(Core::Cylinder { half, radius }, 0.0, corner, radius.hypot(half))
    }

    /// All that is below z = 0.
    pub(super) fn half_space() -> Self {
        Self::new(Core::HalfSpace, 0.0, Vector::INFINITY, f64::INFINITY)
    }

    /// The hull of `corners`, of which there must be one, with a skin; and where its frame is in theirs.
    pub(super) fn hull(corners: &[Vector], skin: f64) -> (Self, Vector) {
        let least = corners.iter().copied().fold(Vector::INFINITY, Vector::min);
        let most = corners.iter().copied().fold(Vector::NEG_INFINITY, Vector::max);
        let middle = 0.5 * (least + most);
        let corners: Arc<[Vector]> = corners.iter().map(|corner| *corner - middle).collect();
        let radius = corners.iter().map(|corner| corner.length()).fold(0.0, f64::max);
        (Self::new(Core::Hull(corners), skin, 0.5 * (most - least), radius), middle)
    }

    fn new(core: Core, skin: f64, half: Vector, core_radius: f64) -> Self {
        Self { core, skin, half, radius: core_radius + skin }
    }

    /// The thickness of the skin (m).
    pub(super) fn skin(&self) -> f64 {
        self.skin
    }

    /// The radius of a ball round the frame that holds everything, skin included (m).
    pub(super) fn radius(&self) -> f64 {
        self.radius
    }

    pub(super) fn is_half_space(&self) -> bool {
        matches!(self.core, Core::HalfSpace)
    }

    /// How far `point`, in the solid's frame, is at least from it; negative or zero says nothing (m).
    pub(super) fn least_distance_to(&self, point: Vector) -> f64 {
        (point.abs() - self.half).max(Vector::ZERO).length() - self.skin
    }
}

impl SupportMap for Solid {
    /// The core's farthest point in this direction; the skin is the caller's.
    #[inline]
    fn local_support_point(&self, direction: Vector) -> Vector {
        match &self.core {
            Core::Point | Core::HalfSpace => Vector::ZERO,
            Core::Line { half } => Vector::new(0.0, 0.0, half.copysign(direction.z)),
            Core::Box => Vector::new(
                self.half.x.copysign(direction.x),
                self.half.y.copysign(direction.y),
                self.half.z.copysign(direction.z),
            ),
            Core::Cylinder { half, radius } => {
                let across = direction.x.hypot(direction.y);
                let by = if 0.0 < across { radius / across } else { 0.0 };
                Vector::new(by * direction.x, by * direction.y, half.copysign(direction.z))
            }
            Core::Hull(corners) => farthest(corners, direction),
        }
    }
}

fn farthest(corners: &[Vector], direction: Vector) -> Vector {
    let mut best = f64::NEG_INFINITY;
    let mut found = Vector::ZERO;
    for corner in corners {
        let along = corner.dot(direction);
        if best < along {
            best = along;
            found = *corner;
        }
    }
    found
}

/// A solid somewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed<'a> {
    pub(super) solid: &'a Solid,
    pub(super) root_from_solid: &'a Pose,
}
