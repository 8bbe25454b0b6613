//! A path of the tool through space: lines and arcs, rounded where asked, at rest at the corners that are left.
//!
//! Knows no arm and no time. Its parameter is metres along the way; where the tool hardly goes but turns, a radian
//! counts as [`METRES_PER_RADIAN`]. Within a [`Section`] the pose has three continuous derivatives by it.

use nalgebra::Isometry3;
use thiserror::Error;

use super::arc::Arc;
pub use super::arc::{ArcError, Through};
use super::blend::Blend;
use super::line::Line;

/// What turning counts for in the length of a path.
pub const METRES_PER_RADIAN: f64 = 0.1;
/// Poses that differ by less (path parameter) are the same.
const LEAST_LENGTH: f64 = 1e-7;
/// No number of a path is larger (m).
const LARGEST: f64 = 1e3;

/// How the tool gets to its next pose; poses are of the tip in the base.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// On a straight line.
    Line,
    /// On a circle.
    Arc(Through),
}

/// A pose on the path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Via {
    /// The pose of the tip in the base.
    pub base_from_tip: Isometry3<f64>,
    /// How the tool gets there.
    pub way: Way,
    /// How far before and after the pose (m) the path leaves and rejoins it; 0: the pose is met exactly, and where
    /// the direction changes, the tool stops there. Of the last pose it does not matter.
    pub blend_radius: f64,
}

impl Via {
    /// A straight line to a pose that is met exactly.
    pub fn line(base_from_tip: Isometry3<f64>) -> Self {
        Self { base_from_tip, way: Way::Line, blend_radius: 0.0 }
    }
}

/// Why there is no such path.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum PathError {
    /// A number is NaN, infinite or beyond all measure.
    #[error(
        "pose {0} of the path (0 is its begin) has a number that is not finite or larger than {LARGEST} m"
    )]
    NotFinite(usize),
    /// It is no radius.
    #[error("the blend radius of pose {pose} is {radius}; it must be 0 or more and finite")]
    Radius {
        /// Counted from 1.
        pose: usize,
        /// The radius that was given (m).
        radius: f64,
    },
    /// There is no such arc.
    #[error("there is no arc to pose {pose}: {error}")]
    Arc {
        /// Counted from 1.
        pose: usize,
        /// Why.
        error: ArcError,
    },
}

/// A path of the tool; it stops between its sections.
#[derive(Clone, Debug, Default)]
pub struct Path {
    sections: Vec<Section>,
}

/// A stretch of a path that can be gone along without a stop.
#[derive(Clone, Debug, Default)]
pub struct Section {
    pieces: Vec<Placed>,
    length: f64,
    /// The index of the last pose that it reaches, counted from 0.
    last_via: usize,
}

#[derive(Clone, Debug)]
struct Placed {
    /// Where it begins within the section, and within its segment.
    begin: f64,
    from: f64,
    piece: Piece,
}

#[derive(Clone, Debug)]
enum Piece {
    Segment(Segment),
    Blend(Box<Blend>),
}

/// A line or an arc with its length in the path's parameter.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    shape: Shape,
    length: f64,
}

#[derive(Clone, Debug)]
enum Shape {
    Line(Line),
    Arc(Arc),
}

impl Path {
    /// The path from a pose through others; those that do not differ from the one before are left out.
    ///
    /// # Errors
    /// Where a number is none, or an arc is impossible.
    pub fn through(start: &Isometry3<f64>, vias: &[Via]) -> Result<Self, PathError> {
        check(start, 0)?;
        let mut from = *start;
        let mut segments: Vec<(usize, Segment)> = Vec::with_capacity(vias.len());
        for (index, via) in vias.iter().enumerate() {
            check(&via.base_from_tip, index + 1)?;
            let radius = via.blend_radius;
            let is_radius = 0.0 <= radius && radius.is_finite();
            if !is_radius {
                return Err(PathError::Radius { pose: index + 1, radius });
            }
            let segment =
                Segment::new(&from, via).map_err(|error| PathError::Arc { pose: index + 1, error })?;
            if LEAST_LENGTH < segment.length {
                from = via.base_from_tip;
                segments.push((index, segment));
            } else if let Some(last) = segments.last_mut() {
                last.0 = index;
            }
        }
        Ok(Self { sections: sections(&segments, vias) })
    }

    /// The stretches between stops; none where nothing moves.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The whole length in the path's parameter (m).
    pub fn length(&self) -> f64 {
        self.sections.iter().map(|section| section.length).sum()
    }
}

impl Section {
    /// Its length in the path's parameter (m).
    pub fn length(&self) -> f64 {
        self.length
    }

    /// The index of the last pose that it reaches, in the order of the poses that the path was made of.
    pub fn last_via(&self) -> usize {
        self.last_via
    }

    /// The pose of the tip in the base at this place (path parameter), held within the section.
    pub fn pose(&self, at: f64) -> Isometry3<f64> {
        let after = self.pieces.partition_point(|placed| placed.begin <= at);
        let Some(placed) = self.pieces.get(after.saturating_sub(1)) else { return Isometry3::identity() };
        let at = placed.from + (at - placed.begin).max(0.0);
        match &placed.piece {
            Piece::Segment(segment) => segment.pose(at),
            Piece::Blend(blend) => blend.pose(at),
        }
    }

    fn push(&mut self, piece: Piece, from: f64, length: f64) {
        if 0.0 < length {
            self.pieces.push(Placed { begin: self.length, from, piece });
            self.length += length;
        }
    }
}

impl Segment {
    fn new(from: &Isometry3<f64>, via: &Via) -> Result<Self, ArcError> {
        let to = &via.base_from_tip;
        Ok(match via.way {
            Way::Line => {
                let line = Line::between(from, to);
                let length = line.distance().max(METRES_PER_RADIAN * line.angle());
                Self { shape: Shape::Line(line), length }
            }
            Way::Arc(through) => {
                let arc = Arc::between(from, to, through)?;
                let length = arc.distance().max(METRES_PER_RADIAN * arc.angle());
                Self { shape: Shape::Arc(arc), length }
            }
        })
    }

    /// Its length in the path's parameter (m).
    pub(super) fn length(&self) -> f64 {
        self.length
    }

    /// The pose at this place (path parameter), held within the segment.
    pub(super) fn pose(&self, at: f64) -> Isometry3<f64> {
        let part = (at / self.length).clamp(0.0, 1.0);
        match &self.shape {
            Shape::Line(line) => line.pose(part),
            Shape::Arc(arc) => arc.pose(part),
        }
    }

    /// How far the tip goes for each unit of the path's parameter; at most 1.
    fn rate(&self) -> f64 {
        let distance = match &self.shape {
            Shape::Line(line) => line.distance(),
            Shape::Arc(arc) => arc.distance(),
        };
        distance / self.length
    }

    fn is_continued_by(&self, next: &Self) -> bool {
        match (&self.shape, &next.shape) {
            (Shape::Line(line), Shape::Line(other)) => line.is_continued_by(other, self.length, next.length),
            _ => false,
        }
    }
}

fn check(pose: &Isometry3<f64>, index: usize) -> Result<(), PathError> {
    let places_are_sane = pose.translation.vector.iter().all(|value| value.abs() <= LARGEST);
    let turns_are_sane = (pose.rotation.as_ref().norm() - 1.0).abs() < 1e-6;
    if places_are_sane && turns_are_sane { Ok(()) } else { Err(PathError::NotFinite(index)) }
}

/// How much of both segments the blend at the end of `first` replaces; 0 where there is none.
fn reach(first: &(usize, Segment), second: &(usize, Segment), vias: &[Via], inner: [bool; 2]) -> f64 {
    let rate = first.1.rate().max(second.1.rate());
    // A tool that only turns has no radius to keep to.
    let wanted = vias[first.0].blend_radius / rate.max(1e-3);
    // Where the other end may be blended as well, half is left for it.
    let room = |segment: &Segment, is_inner| if is_inner { 0.5 * segment.length } else { segment.length };
    wanted.min(room(&first.1, inner[0])).min(room(&second.1, inner[1]))
}

fn sections(segments: &[(usize, Segment)], vias: &[Via]) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut section = Section::default();
    let mut done = 0.0;
    for (index, this) in segments.iter().enumerate() {
        let (via, segment) = this;
        let next = segments.get(index + 1);
        let inner = [0 < index, index + 2 < segments.len()];
        let reach = next.map_or(0.0, |next| reach(this, next, vias, inner));
        let is_smooth = next.is_some_and(|next| segment.is_continued_by(&next.1));
        let reach = if is_smooth || reach <= LEAST_LENGTH { 0.0 } else { reach };
        section.push(Piece::Segment(segment.clone()), done, segment.length - done - reach);
        section.last_via = *via;
        done = reach;
        match next {
            Some(_) if is_smooth => {}
            Some(next) if 0.0 < reach => {
                let blend = Blend::between(segment, &next.1, reach);
                let length = blend.length();
                section.push(Piece::Blend(Box::new(blend)), 0.0, length);
            }
            _ => sections.push(std::mem::take(&mut section)),
        }
    }
    sections
}

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
