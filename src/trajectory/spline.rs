//! The motion between waypoints: per segment a rounded line, a cubic or a quintic, by what both ends carry, or a
//! step where nothing is to be interpolated.
//!
//! Sampling, joining and turning a column allocate nothing, and the time of a sample is found by bisection. Knows
//! what joints may do only to round lines and to tell which joints turn for ever.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::f64::consts::TAU;

use super::limits::JointLimits;
use super::piece::Piece;
use super::rounding::{Line, passing_velocity};

/// Position, velocity and acceleration of one joint (rad or m, and a second, and a second squared).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JointState {
    /// Position (rad or m).
    pub position: f64,
    /// Velocity (rad/s or m/s).
    pub velocity: f64,
    /// Acceleration (rad/s² or m/s²).
    pub acceleration: f64,
}

impl JointState {
    /// At rest at `position`.
    pub fn at_rest(position: f64) -> Self {
        Self { position, ..Self::default() }
    }

    fn is_at_rest(self) -> bool {
        self.velocity == 0.0 && self.acceleration == 0.0
    }
}

/// How smoothly a waypoint can be passed, by the fields it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Degree {
    /// Not at all: the motion jumps, as `interpolation_method: none` wants it.
    Step,
    /// Positions only.
    Linear,
    /// Positions and velocities.
    Cubic,
    /// Positions, velocities and accelerations.
    Quintic,
}

/// A point that the motion passes at a given time.
#[derive(Clone, Debug, PartialEq)]
pub struct Waypoint {
    /// Seconds from the start.
    pub time: f64,
    /// Which fields of the states are given.
    pub degree: Degree,
    /// One state for each column.
    pub states: Vec<JointState>,
}

/// A piecewise motion of several joints, one column each.
///
/// Segment `i` ends at waypoint `i`. The first one starts from wherever the arm is at the time, which
/// [`Spline::begin`] says; sampled before that, it stays at the first waypoint.
///
/// Between positions alone the motion is a line, rounded as fast as the limits allow: a waypoint on the way is
/// passed at its time with the mean of the slopes before and after, or at rest where the motion turns round. With
/// [`Degree::Step`], it stays where it was until the first waypoint's time, and from each waypoint's time on it is
/// at the *next* waypoint, as `joint_trajectory_controller` does; of several, the first is never taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Spline {
    limits: Vec<JointLimits>,
    segments: Vec<Segment>,
    /// Every waypoint's columns, in order of the waypoints.
    states: Vec<JointState>,
    /// Every segment's columns, in order of the segments.
    pieces: Vec<Piece>,
    /// How far each column is turned (rad), a multiple of a whole turn.
    turns: Vec<f64>,
    /// The segment sampled last; time mostly goes forward.
    cursor: usize,
    /// The segment that leads in from where the arm was.
    lead: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Segment {
    start: f64,
    end: f64,
    /// Of the waypoint at the end.
    degree: Degree,
}

/// A waypoint as the motion passes it.
#[derive(Clone, Copy, Debug)]
pub struct Passing<'a> {
    /// Seconds from the start.
    pub time: f64,
    /// Which fields were given.
    pub degree: Degree,
    spline: &'a Spline,
    index: usize,
}

/// A trajectory that is joined midway is come upon within no less than this (s), where it lasts so long.
const SHORTEST_LEAD: f64 = 0.03;
/// What is no difference between a joint and a motion (rad or m, and a second, and a second squared): what steps that
/// are some microseconds early or late make of it, and far less than a servo can tell.
const SAME_POSITION: f64 = 1e-5;
const SAME_VELOCITY: f64 = 1e-3;
const SAME_ACCELERATION: f64 = 0.1;

impl Passing<'_> {
    /// The state of a column there; of positions alone, with the velocity that the waypoint is passed at.
    pub fn state(&self, column: usize) -> JointState {
        self.spline.turned(column, self.spline.state(self.index, column))
    }
}

impl Spline {
    /// A motion through `waypoints` (at least one, times strictly increasing, a state for each of `limits`).
    ///
    /// `start` says where each column is likely to start, so that a first waypoint of positions alone is passed on
    /// the way; it is empty where that is not known, and then the waypoint is passed at rest.
    pub fn new(waypoints: &[Waypoint], limits: &[JointLimits], start: &[JointState]) -> Self {
        let columns = limits.len();
        let segment = |(index, waypoint): (usize, &Waypoint)| Segment {
            start: waypoints[index.saturating_sub(1)].time,
            end: waypoint.time,
            degree: waypoint.degree,
        };
        let mut spline = Self {
            limits: limits.to_vec(),
            segments: waypoints.iter().enumerate().map(segment).collect(),
            states: waypoints.iter().flat_map(|waypoint| waypoint.states.iter().copied()).collect(),
            pieces: Vec::with_capacity(waypoints.len() * columns),
            turns: vec![0.0; columns],
            cursor: 0,
            lead: None,
        };
        spline.set_passing_velocities(start);
        spline.pieces.extend(spline.states[..columns].iter().map(|state| Piece::rest(state.position)));
        for index in 1..waypoints.len() {
            let degree = spline.segments[index - 1].degree.min(spline.segments[index].degree);
            for column in 0..columns {
                let piece = spline.piece(index, column, spline.state(index - 1, column), degree);
                spline.pieces.push(piece);
            }
        }
        spline
    }

    /// How many joints move.
    pub fn columns(&self) -> usize {
        self.limits.len()
    }

    /// How many waypoints there are; at least one.
    pub fn waypoint_count(&self) -> usize {
        self.segments.len()
    }

    /// Seconds from the start to the last waypoint.
    pub fn duration(&self) -> f64 {
        self.segments.last().map_or(0.0, |segment| segment.end)
    }

    /// Where a column ends.
    pub fn end(&self, column: usize) -> JointState {
        self.turned(column, self.state(self.segments.len() - 1, column))
    }

    /// The first waypoint after `time`, if there is one.
    pub fn next_waypoint(&self, time: f64) -> Option<usize> {
        let index = self.segments.partition_point(|segment| segment.end <= time);
        (index < self.segments.len()).then_some(index)
    }

    /// The waypoint at which a motion that is joined at `time` comes onto its trajectory: the next one, unless that is
    /// so near that the way there would be a jump.
    pub fn waypoint_to_join(&self, time: f64) -> Option<usize> {
        let next = self.next_waypoint(time)?;
        let is_near = |segment: &&Segment| 0.0 < time && segment.end < time + SHORTEST_LEAD;
        let near = self.segments[next..].iter().take_while(is_near).count();
        Some((next + near).min(self.segments.len() - 1))
    }

    /// The waypoint `index`, which must be there.
    pub fn waypoint(&self, index: usize) -> Passing<'_> {
        let Segment { end: time, degree, .. } = self.segments[index];
        Passing { time, degree, spline: self, index }
    }

    /// Turns a column as a whole, by so many radians, which make whole turns; replaces what it was turned before.
    pub fn shift(&mut self, column: usize, offset: f64) {
        self.turns[column] = offset;
    }

    /// Turns every joint that turns for ever so that the waypoint after `time` is nearest to where it is.
    pub fn unwind(&mut self, time: f64, state_of: impl Fn(usize) -> JointState) {
        let index = self.waypoint_to_join(time).unwrap_or(self.segments.len() - 1);
        for column in 0..self.columns() {
            if self.limits[column].is_continuous() {
                let position = self.state(index, column).position;
                self.shift(column, nearest_turn(position, state_of(column).position));
            }
        }
    }

    /// Joins the motion at `time`, coming from `state_of(column)`: the segment under way is bent to start there.
    ///
    /// Joints that turn for ever go the short way. A joint in motion is led by a quintic: to a waypoint without
    /// accelerations it comes with the acceleration that the next segment begins with, so that nothing jumps. A
    /// joint at rest is led by what the waypoint carries. A line begins with the velocity, not the acceleration.
    ///
    /// Where every joint is on the motion already, as it is when one sends the same states again with more behind
    /// them, nothing is bent.
    pub fn begin(&mut self, time: f64, state_of: impl Fn(usize) -> JointState) {
        self.unwind(time, &state_of);
        if let Some(index) = self.segment_that_goes_on(time, &state_of) {
            (self.cursor, self.lead) = (index, Some(index));
            return;
        }
        self.lead = self.waypoint_to_join(time);
        let Some(index) = self.lead else { return };
        self.cursor = index;
        // Those that are left out have no time of their own any more.
        self.segments[..index].iter_mut().for_each(|segment| segment.end = segment.end.min(time));
        self.segments[index].start = time;
        for column in 0..self.columns() {
            let mut from = state_of(column);
            from.position -= self.turns[column];
            let slot = index * self.columns() + column;
            self.pieces[slot] = self.lead_in(index, column, from);
        }
    }

    /// The segment between two waypoints on which every column is already.
    fn segment_that_goes_on(&self, time: f64, state_of: impl Fn(usize) -> JointState) -> Option<usize> {
        let index = self.next_waypoint(time).filter(|index| 0 < *index)?;
        let Segment { start, end, degree, .. } = self.segments[index];
        let is_on = |column: usize| {
            let piece = &self.pieces[index * self.columns() + column];
            let (planned, is) =
                (self.turned(column, piece.sample(time - start, end - start)), state_of(column));
            (planned.position - is.position).abs() <= SAME_POSITION
                && (planned.velocity - is.velocity).abs() <= SAME_VELOCITY
                && (planned.acceleration - is.acceleration).abs() <= SAME_ACCELERATION
        };
        (degree == Degree::Quintic && (0..self.columns()).all(is_on)).then_some(index)
    }

    /// The state of every column at `time`, given to `put(column, state)`; before and after, it rests at the ends.
    pub fn sample(&mut self, time: f64, mut put: impl FnMut(usize, JointState)) {
        let Some(index) = self.segment_at(time) else {
            (0..self.columns())
                .for_each(|column| put(column, JointState::at_rest(self.end(column).position)));
            return;
        };
        self.cursor = index;
        let Segment { start, end, .. } = self.segments[index];
        let elapsed = (time - start).max(0.0);
        let pieces = &self.pieces[index * self.columns()..][..self.columns()];
        for (column, piece) in pieces.iter().enumerate() {
            put(column, self.turned(column, piece.sample(elapsed, end - start)));
        }
    }

    /// Which segments there are: index, start and end (s), and the motion of each column.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (usize, f64, f64, &[Piece])> {
        let chunks = self.pieces.chunks(self.columns().max(1));
        let segments = self.segments.iter().enumerate();
        segments.zip(chunks).map(|((index, segment), pieces)| (index, segment.start, segment.end, pieces))
    }

    /// The segment that leads in, if the motion has begun.
    pub(super) fn lead(&self) -> Option<usize> {
        self.lead
    }

    /// Which fields the waypoint `index` was given.
    pub(super) fn degree(&self, index: usize) -> Degree {
        self.segments[index].degree
    }

    /// What each column may do.
    pub(super) fn limits(&self) -> &[JointLimits] {
        &self.limits
    }

    /// The bytes of memory that the motion takes.
    pub fn size_bytes(&self) -> usize {
        size_of_val(&*self.limits)
            + size_of_val(&*self.segments)
            + size_of_val(&*self.states)
            + size_of_val(&*self.pieces)
            + size_of_val(&*self.turns)
            + size_of::<Self>()
    }

    fn state(&self, index: usize, column: usize) -> JointState {
        self.states[index * self.columns() + column]
    }

    fn turned(&self, column: usize, state: JointState) -> JointState {
        JointState { position: state.position + self.turns[column], ..state }
    }

    /// The segment under way at `time`: mostly the one before or the one after that.
    fn segment_at(&self, time: f64) -> Option<usize> {
        let is_at = |index: usize| {
            let begun = index == 0 || self.segments[index - 1].end <= time;
            begun && self.segments.get(index).is_some_and(|segment| time < segment.end)
        };
        [self.cursor, self.cursor + 1]
            .into_iter()
            .find(|&index| is_at(index))
            .or_else(|| self.next_waypoint(time))
    }

    fn set_passing_velocities(&mut self, start: &[JointState]) {
        let last = self.segments.len() - 1;
        for index in 0..=last {
            if self.segments[index].degree != Degree::Linear {
                continue;
            }
            for column in 0..self.columns() {
                let velocity = match index {
                    _ if index == last => 0.0,
                    0 => start.get(column).map_or(0.0, |&start| self.first_velocity(column, start)),
                    _ => passing_velocity(self.slope(index, column), self.slope(index + 1, column)),
                };
                let slot = index * self.columns() + column;
                self.states[slot].velocity = velocity;
            }
        }
    }

    /// As at any waypoint, but not faster than the line that follows: where the arm will start is only expected.
    fn first_velocity(&self, column: usize, start: JointState) -> f64 {
        let mut distance = self.state(0, column).position - start.position;
        if self.limits[column].is_continuous() {
            distance += nearest_turn(distance, 0.0);
        }
        let (time, after) = (self.segments[0].end, self.slope(1, column));
        let before = if 0.0 < time { distance / time } else { 0.0 };
        passing_velocity(before, after).clamp(-after.abs(), after.abs())
    }

    fn slope(&self, index: usize, column: usize) -> f64 {
        let distance = self.state(index, column).position - self.state(index - 1, column).position;
        distance / (self.segments[index].end - self.segments[index - 1].end)
    }

    fn piece(&self, index: usize, column: usize, from: JointState, degree: Degree) -> Piece {
        let to = self.state(index, column);
        let span = self.segments[index].end - self.segments[index].start;
        match degree {
            Degree::Step => Piece::rest(to.position),
            _ if span <= 0.0 => Piece::rest(to.position),
            Degree::Linear => Piece::Line(Line::new(from, to, span, &self.limits[column])),
            Degree::Cubic => Piece::cubic(from, to, span),
            Degree::Quintic => Piece::quintic(from, to, span),
        }
    }

    fn lead_in(&self, index: usize, column: usize, from: JointState) -> Piece {
        match self.segments[index].degree {
            Degree::Step if index == 0 => Piece::rest(from.position),
            Degree::Cubic if !from.is_at_rest() => {
                let after = self.pieces.get((index + 1) * self.columns() + column);
                let acceleration = after.map_or(0.0, |piece| piece.sample(0.0, 1.0).acceleration);
                let to = JointState { acceleration, ..self.state(index, column) };
                let span = self.segments[index].end - self.segments[index].start;
                Piece::quintic(from, to, span)
            }
            degree => self.piece(index, column, from, degree),
        }
    }
}

/// The whole turns (rad) that bring `position` nearest to `present`; none where both ways are as long.
pub(super) fn nearest_turn(position: f64, present: f64) -> f64 {
    /// Half a turn, give or take rounding, is no reason to turn.
    const SLACK: f64 = 1e-9;
    let turns = (position - present) / TAU;
    -TAU * (turns.abs() - 0.5 - SLACK).ceil().max(0.0).copysign(turns)
}

#[cfg(test)]
#[path = "spline_tests.rs"]
mod tests;
