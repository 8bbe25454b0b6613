//! How far two solids are from each other, or how deep in each other.
//!
//! Knows two solids and where they are. Apart, the distance is exact (GJK, to 1e-7 of itself). In each other
//! it is minus the least way out that was found: never less than the true depth, and the true one for boxes.

use parry3d_f64::math::{Pose, Vector};
use parry3d_f64::query::gjk::{self, CsoPoint, GJKResult, VoronoiSimplex};
use parry3d_f64::shape::SupportMap;

use super::solid::{Placed, Solid};

/// Where two solids are nearest; everything in the root's frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nearest {
    /// Metres; negative where they are in each other.
    pub(super) distance: f64,
    pub(super) on_first: Vector,
    pub(super) on_second: Vector,
    /// From the first to the second, of length 1.
    pub(super) direction: Vector,
}

/// Cores nearer than this are taken as touching: the direction between their points means nothing (m).
const TOUCHING: f64 = 1e-9;
const ASCENTS: usize = 16;

/// A distance that the solids' own is not below; cheap.
#[inline]
pub(super) fn bound_by_balls(first: Placed<'_>, second: Placed<'_>) -> f64 {
    let between = second.root_from_solid.translation - first.root_from_solid.translation;
    if second.solid.is_half_space() {
        return -(second.root_from_solid.rotation * Vector::Z).dot(between) - first.solid.radius();
    }
    if first.solid.is_half_space() {
        return (first.root_from_solid.rotation * Vector::Z).dot(between) - second.solid.radius();
    }
    between.length() - first.solid.radius() - second.solid.radius()
}

/// A distance that the solids' own is not below; less cheap, and mostly nearer to it.
pub(super) fn bound_by_boxes(first: Placed<'_>, second: Placed<'_>) -> f64 {
    if first.solid.is_half_space() || second.solid.is_half_space() {
        return f64::NEG_INFINITY;
    }
    let between = second.root_from_solid.translation - first.root_from_solid.translation;
    let to_second = first.root_from_solid.rotation.inverse() * between;
    let to_first = second.root_from_solid.rotation.inverse() * -between;
    let of_first = first.solid.least_distance_to(to_second) - second.solid.radius();
    let of_second = second.solid.least_distance_to(to_first) - first.solid.radius();
    of_first.max(of_second)
}

/// Where the solids are nearest, or nothing where they are farther apart than `within` (m).
pub(super) fn nearest(
    first: Placed<'_>,
    second: Placed<'_>,
    within: f64,
    simplex: &mut VoronoiSimplex,
) -> Option<Nearest> {
    let found = if second.solid.is_half_space() {
        above(first, second)
    } else if first.solid.is_half_space() {
        above(second, first).swapped()
    } else {
        between(first, second, within, simplex)?
    };
    (found.distance <= within).then_some(found)
}

/// Of a solid and a half space.
fn above(solid: Placed<'_>, half_space: Placed<'_>) -> Nearest {
    let up = half_space.root_from_solid.rotation * Vector::Z;
    let lowest = solid.solid.support_point(solid.root_from_solid, -up) - up * solid.solid.skin();
    let distance = up.dot(lowest - half_space.root_from_solid.translation);
    Nearest { distance, on_first: lowest, on_second: lowest - up * distance, direction: -up }
}

fn between(
    first: Placed<'_>,
    second: Placed<'_>,
    within: f64,
    simplex: &mut VoronoiSimplex,
) -> Option<Nearest> {
    let first_from_second = first.root_from_solid.inv_mul(second.root_from_solid);
    let (one, two) = (first.solid, second.solid);
    let skins = one.skin() + two.skin();
    let start = first_from_second.translation.try_normalize().unwrap_or(Vector::X);
    simplex.reset(CsoPoint::from_shapes(&first_from_second, one, two, start));
    let of_cores = (within + skins).max(0.0);
    let in_first = match gjk::closest_points(&first_from_second, one, two, of_cores, true, simplex) {
        // It says the same when it gives up, so its word is checked.
        GJKResult::NoIntersection(direction) => {
            let gap = Gap::along(direction, &first_from_second, one, two);
            if of_cores < gap.width {
                return None;
            }
            widest(&first_from_second, one, two)
        }
        GJKResult::ClosestPoints(on_first, on_second, _) => {
            let between = on_second - on_first;
            let distance = between.length();
            if TOUCHING < distance {
                Nearest { distance, on_first, on_second, direction: between / distance }
            } else {
                widest(&first_from_second, one, two)
            }
        }
        GJKResult::Intersection | GJKResult::Proximity(_) => widest(&first_from_second, one, two),
    };
    Some(in_first.with_skins(one.skin(), two.skin()).moved_by(first.root_from_solid))
}

/// What is between two solids along one direction: the distance of the planes that touch them.
#[derive(Clone, Copy)]
struct Gap {
    direction: Vector,
    on_first: Vector,
    on_second: Vector,
    /// Negative where the solids overlap along the direction (m).
    width: f64,
}

impl Gap {
    fn along(direction: Vector, first_from_second: &Pose, one: &Solid, two: &Solid) -> Self {
        let on_first = one.local_support_point(direction);
        let on_second = two.support_point(first_from_second, -direction);
        Self { direction, on_first, on_second, width: direction.dot(on_second - on_first) }
    }
}

/// The widest gap that is found among the directions that decide for boxes, and from the best of them on.
///
/// The widest of all is the distance of the solids, or minus the least way out of each other.
fn widest(first_from_second: &Pose, one: &Solid, two: &Solid) -> Nearest {
    let along = |direction: Vector| Gap::along(direction, first_from_second, one, two);
    let start = first_from_second.translation.try_normalize().unwrap_or(Vector::Z);
    let mut best = along(start);
    let mut consider = |direction: Vector| {
        let Some(direction) = direction.try_normalize() else { return };
        for direction in [direction, -direction] {
            let gap = along(direction);
            if best.width < gap.width {
                best = gap;
            }
        }
    };
    let seconds = [Vector::X, Vector::Y, Vector::Z].map(|axis| first_from_second.rotation * axis);
    for axis in [Vector::X, Vector::Y, Vector::Z] {
        consider(axis);
        seconds.iter().for_each(|second| consider(axis.cross(*second)));
    }
    seconds.into_iter().for_each(&mut consider);
    // Round shapes: turn the direction towards what lies between the two points.
    let mut step = 0.5;
    for _ in 0..ASCENTS {
        let across = best.on_second - best.on_first;
        let tangent = across - best.direction * best.direction.dot(across);
        let scale = across.length();
        if scale <= 0.0 {
            break;
        }
        let Some(direction) = (best.direction + tangent * (step / scale)).try_normalize() else { break };
        let gap = along(direction);
        if best.width < gap.width {
            best = gap;
        } else {
            step *= 0.5;
        }
    }
    best.into()
}

impl From<Gap> for Nearest {
    /// The points are opposite each other, in the middle between those that touch the planes.
    fn from(gap: Gap) -> Self {
        let middle = 0.5 * (gap.on_first + gap.on_second);
        let half = 0.5 * gap.width * gap.direction;
        Self {
            distance: gap.width,
            on_first: middle - half,
            on_second: middle + half,
            direction: gap.direction,
        }
    }
}

impl Nearest {
    fn with_skins(self, first: f64, second: f64) -> Self {
        Self {
            distance: self.distance - first - second,
            on_first: self.on_first + self.direction * first,
            on_second: self.on_second - self.direction * second,
            direction: self.direction,
        }
    }

    fn moved_by(self, pose: &Pose) -> Self {
        Self {
            on_first: pose * self.on_first,
            on_second: pose * self.on_second,
            direction: pose.rotation * self.direction,
            ..self
        }
    }

    fn swapped(self) -> Self {
        Self {
            distance: self.distance,
            on_first: self.on_second,
            on_second: self.on_first,
            direction: -self.direction,
        }
    }
}

#[cfg(test)]
#[path = "distance_tests.rs"]
mod tests;
