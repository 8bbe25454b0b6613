//! A part of a circle, the orientation turned evenly about one axis on the way.
//!
//! Knows no neighbours and no arm. A circle is given by its centre, or by a point on the way, as Pilz's planner has it.

use std::f64::consts::PI;

use nalgebra::{Isometry3, Point3, Rotation3, Translation3, Unit, UnitQuaternion, Vector3};
use thiserror::Error;

use super::line::turn_between;

/// What tells the circle, besides begin and end of the arc; in the base (m).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Through {
    /// A point that the arc passes.
    Point(Point3<f64>),
    /// The centre; of the two ways round the shorter one is gone.
    Centre(Point3<f64>),
}

/// Why there is no such arc.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum ArcError {
    /// Any circle would do, or none.
    #[error(
        "begin, end and the point between them are in line or coincide; three distinct points make an arc"
    )]
    PointsInLine,
    /// Both ways round are as long, or there is no way.
    #[error("begin, centre and end are in line; give a point on the arc instead of the centre")]
    CentreInLine,
    /// It is no centre.
    #[error("the centre is {from} m from the begin and {to} m from the end; both should be the same")]
    NotCentred {
        /// Distance of the begin (m).
        from: f64,
        /// Distance of the end (m).
        to: f64,
    },
}

/// An arc; poses are of the tip in the base.
#[derive(Clone, Debug)]
pub(super) struct Arc {
    centre: Vector3<f64>,
    /// From the centre to the begin (m).
    spoke: Vector3<f64>,
    axis: Unit<Vector3<f64>>,
    /// About the axis, from begin to end (rad); positive.
    sweep: f64,
    rotation: UnitQuaternion<f64>,
    /// From begin to end, in the tip (rad).
    turn: Vector3<f64>,
}

/// Three points are in line where the sine of the angle between them is less.
const LEAST_SINE: f64 = 1e-6;
/// By which part of the radius the distances from the centre may differ.
const RADIUS_TOLERANCE: f64 = 1e-2;

impl Arc {
    /// The arc between two poses.
    ///
    /// # Errors
    /// Where the points tell no circle.
    pub(super) fn between(
        from: &Isometry3<f64>,
        to: &Isometry3<f64>,
        through: Through,
    ) -> Result<Self, ArcError> {
        let (begin, end) = (from.translation.vector, to.translation.vector);
        let (centre, axis, sweep) = match through {
            Through::Point(point) => through_point(begin, point.coords, end)?,
            Through::Centre(centre) => about_centre(begin, centre.coords, end)?,
        };
        let turn = turn_between(&from.rotation, &to.rotation);
        Ok(Self { centre, spoke: begin - centre, axis, sweep, rotation: from.rotation, turn })
    }

    /// How far it goes (m).
    pub(super) fn distance(&self) -> f64 {
        self.spoke.norm() * self.sweep
    }

    /// How far it turns the tip (rad).
    pub(super) fn angle(&self) -> f64 {
        self.turn.norm()
    }

    /// The pose after this part of it, 0 to 1.
    pub(super) fn pose(&self, part: f64) -> Isometry3<f64> {
        let spoke = Rotation3::from_axis_angle(&self.axis, self.sweep * part) * self.spoke;
        let rotation = self.rotation * UnitQuaternion::new(self.turn * part);
        Isometry3::from_parts(Translation3::from(self.centre + spoke), rotation)
    }
}

type Circle = (Vector3<f64>, Unit<Vector3<f64>>, f64);

fn through_point(begin: Vector3<f64>, point: Vector3<f64>, end: Vector3<f64>) -> Result<Circle, ArcError> {
    let (a, b) = (point - begin, end - begin);
    let normal = a.cross(&b);
    let sides = a.norm() * b.norm().min((end - point).norm());
    let tells = LEAST_SINE * sides < normal.norm() && 0.0 < sides;
    if !tells {
        return Err(ArcError::PointsInLine);
    }
    // Where the perpendicular bisectors of both chords meet.
    let to_centre =
        (a.norm_squared() * b - b.norm_squared() * a).cross(&normal) / (2.0 * normal.norm_squared());
    let centre = begin + to_centre;
    // Begin, point and end follow each other counterclockwise about this axis.
    let axis = Unit::new_normalize(normal);
    let angle_to = |place: Vector3<f64>| counterclockwise(begin - centre, place - centre, &axis);
    Ok((centre, axis, angle_to(end)))
}

fn about_centre(begin: Vector3<f64>, centre: Vector3<f64>, end: Vector3<f64>) -> Result<Circle, ArcError> {
    let (from, to) = ((begin - centre).norm(), (end - centre).norm());
    let is_centre = (from - to).abs() <= RADIUS_TOLERANCE * from.max(to);
    if !is_centre {
        return Err(ArcError::NotCentred { from, to });
    }
    let chord = end - begin;
    let normal = (begin - centre).cross(&(end - centre));
    if normal.norm() <= LEAST_SINE * from * to || chord.norm_squared() <= 0.0 {
        return Err(ArcError::CentreInLine);
    }
    // The nearest point that is as far from both.
    let off = (0.5 * (begin + end) - centre).dot(&chord) / chord.norm_squared();
    let centre = centre + chord * off;
    let axis = Unit::new_normalize(normal);
    Ok((centre, axis, counterclockwise(begin - centre, end - centre, &axis)))
}

/// The angle from one spoke to another about an axis (rad), above 0 and up to a whole turn.
fn counterclockwise(from: Vector3<f64>, to: Vector3<f64>, axis: &Unit<Vector3<f64>>) -> f64 {
    let angle = axis.dot(&from.cross(&to)).atan2(from.dot(&to));
    if angle <= 0.0 { angle + 2.0 * PI } else { angle }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f64, y: f64, z: f64) -> Isometry3<f64> {
        Isometry3::translation(x, y, z)
    }

    #[test]
    fn an_arc_passes_its_point_whichever_way_round_that_is() {
        for point in [Point3::new(0.0, 1.0, 0.0), Point3::new(0.0, -1.0, 0.0)] {
            let arc = Arc::between(&at(1.0, 0.0, 0.0), &at(-1.0, 0.0, 0.0), Through::Point(point)).unwrap();
            assert!((arc.pose(0.5).translation.vector - point.coords).norm() < 1e-12);
            assert!((arc.distance() - PI).abs() < 1e-12);
            assert!((arc.pose(1.0).translation.vector - Vector3::new(-1.0, 0.0, 0.0)).norm() < 1e-12);
        }
        let long = Through::Point(Point3::new(-1.0, 0.0, 0.0));
        let arc = Arc::between(&at(1.0, 0.0, 0.0), &at(0.0, 1.0, 0.0), long).unwrap();
        assert!((arc.distance() - 1.5 * PI).abs() < 1e-12, "{}", arc.distance());
    }

    #[test]
    fn about_a_centre_the_shorter_way_is_gone() {
        let centre = Through::Centre(Point3::new(0.0, 0.0, 2.0));
        let arc = Arc::between(&at(1.0, 0.0, 2.0), &at(0.0, -1.0, 2.0), centre).unwrap();
        assert!((arc.distance() - 0.5 * PI).abs() < 1e-12);
        assert!((arc.pose(1.0).translation.vector - Vector3::new(0.0, -1.0, 2.0)).norm() < 1e-12);
    }

    #[test]
    fn points_that_tell_no_circle_are_refused() {
        let (from, to) = (at(1.0, 0.0, 0.0), at(-1.0, 0.0, 0.0));
        let arc = |through| Arc::between(&from, &to, through).unwrap_err();
        assert_eq!(arc(Through::Point(Point3::new(0.2, 0.0, 0.0))), ArcError::PointsInLine);
        assert_eq!(arc(Through::Point(Point3::new(1.0, 0.0, 0.0))), ArcError::PointsInLine);
        assert_eq!(arc(Through::Centre(Point3::origin())), ArcError::CentreInLine);
        assert!(matches!(arc(Through::Centre(Point3::new(0.5, 0.0, 0.0))), ArcError::NotCentred { .. }));
        let same = Arc::between(&from, &from, Through::Point(Point3::origin()));
        assert_eq!(same.unwrap_err(), ArcError::PointsInLine);
    }
}
