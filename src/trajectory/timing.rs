//! Gives positions without times the shortest timing that speed, acceleration and jerk allow.
//!
//! Knows no clock. The first position is reached from any state, the last at rest; those between are passed in motion
//! where the geometry allows it. Each is passed without acceleration, at one of a few speeds along the path
//! (`passing` says which); among those, dynamic programming over the time-optimal [`Leg`]s finds the fastest. Between
//! two positions no joint leaves their range. Takes a number of legs in proportion to the number of positions: work for
//! a task, not for the control thread.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod passing;

use super::leg::moves::Moves;
use super::leg::{Leg, TogetherError, plan_together};
use super::limits::{JointLimits, RawLimits};
use super::spline::{Degree, JointState, Waypoint};
use passing::{Passing, SPEEDS};

/// The most positions that are timed at once.
pub const MOST_POSITIONS: usize = 1000;

/// Knots nearer than this are one (s): a polynomial over a shorter time has no digits left for its acceleration.
const SAME_KNOT: f64 = 1e-6;

/// How far rounding may lead a leg out of its range (rad or m).
const ROUNDING: f64 = 1e-8;

/// Within which time a joint without limits on acceleration and jerk comes to its greatest speed (s). A waypoint has one
/// velocity, so that there is no way to write down a jump of it.
const ABRUPT: f64 = 0.01;

/// Why positions cannot be timed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TimingError {
    /// No position at all.
    #[error("there is no position to move to; there must be one at least")]
    NoPositions,
    /// More than can be timed in reasonable time.
    #[error(
        "there are {0} positions without times; {MOST_POSITIONS} at most can be timed, so the others need times"
    )]
    TooMany(usize),
    /// Lists of different lengths.
    #[error("point #{point} has {actual} positions, but there are {expected} joints")]
    Size {
        /// Which point, from 0.
        point: usize,
        /// How many joints have limits.
        expected: usize,
        /// How many numbers there are.
        actual: usize,
    },
    /// The start has another number of joints than the limits.
    #[error("the start has {actual} joints, but there are limits for {expected}")]
    Start {
        /// How many joints have limits.
        expected: usize,
        /// How many the start has.
        actual: usize,
    },
    /// A joint cannot be there.
    #[error("joint {joint} at point #{point} is to be at {position}; its limits are {lower} to {upper}")]
    Outside {
        /// Which joint, from 0.
        joint: usize,
        /// Which point, from 0.
        point: usize,
        /// What was given (rad or m).
        position: f64,
        /// Lower end of the travel (rad or m).
        lower: f64,
        /// Upper end of the travel (rad or m).
        upper: f64,
    },
    /// There is no move to a point.
    #[error("there is no move to point #{point}: {error}")]
    NoMove {
        /// Which point, from 0.
        point: usize,
        /// Why.
        error: TogetherError,
    },
}

/// The shortest motion from `start` through all `positions`, one for each joint and point, to rest at the last.
///
/// The first waypoint is the first position, at the time at which the time-optimal move from `start` passes it; moving
/// there is up to the caller. The waypoints after it are all points at which some joint's jerk changes, so that between
/// two of them the polynomial through both ends is the motion: of degree quintic, or cubic where a joint has no jerk
/// limit and its acceleration jumps. Positions that repeat the one before are left out.
///
/// # Errors
/// Where a list is empty, too long or of another length than the others, or a joint cannot be or get there.
pub fn time_waypoints(
    start: &[JointState],
    positions: &[Vec<f64>],
    limits: &[JointLimits],
) -> Result<Vec<Waypoint>, TimingError> {
    check(start, positions, limits)?;
    let limits: Vec<_> = limits.iter().map(without_jumps).collect();
    let passing = passing::at_points(start, positions, &limits);
    let route = Route { start, limits: &limits, passing: &passing };
    let choices = route.fastest()?;
    route.waypoints(&choices)
}

fn check(start: &[JointState], positions: &[Vec<f64>], limits: &[JointLimits]) -> Result<(), TimingError> {
    if positions.is_empty() {
        return Err(TimingError::NoPositions);
    }
    if MOST_POSITIONS < positions.len() {
        return Err(TimingError::TooMany(positions.len()));
    }
    let expected = limits.len();
    if start.len() != expected {
        return Err(TimingError::Start { expected, actual: start.len() });
    }
    for (point, numbers) in positions.iter().enumerate() {
        if numbers.len() != expected {
            return Err(TimingError::Size { point, expected, actual: numbers.len() });
        }
        for (joint, (&position, limits)) in numbers.iter().zip(limits).enumerate() {
            if !(limits.contains(position) && position.is_finite()) {
                let (lower, upper) = (limits.lower(), limits.upper());
                return Err(TimingError::Outside { joint, point, position, lower, upper });
            }
        }
    }
    Ok(())
}

/// The same limits, with an acceleration limit where neither acceleration nor jerk had one.
fn without_jumps(limits: &JointLimits) -> JointLimits {
    if limits.max_acceleration().is_finite() || limits.max_jerk().is_finite() {
        return *limits;
    }
    let raw = RawLimits {
        lower: limits.lower(),
        upper: limits.upper(),
        max_velocity: limits.max_velocity(),
        max_acceleration: limits.max_velocity() / ABRUPT,
        max_jerk: limits.max_jerk(),
    };
    JointLimits::new(raw).unwrap_or(*limits)
}

/// What is to be timed; point 0 of `passing` is the start.
struct Route<'a> {
    start: &'a [JointState],
    limits: &'a [JointLimits],
    passing: &'a [Passing],
}

/// The fastest known way to pass a point at one of its speeds.
#[derive(Clone, Copy)]
struct Best {
    /// Seconds from the start.
    time: f64,
    /// Which speed at the point before.
    before: usize,
}

impl Route<'_> {
    /// Which speed at each point makes the whole fastest.
    fn fastest(&self) -> Result<Vec<usize>, TimingError> {
        let mut table = vec![vec![Some(Best { time: 0.0, before: 0 })]];
        for point in 1..self.passing.len() {
            let row = self.row(point, &table[point - 1])?;
            table.push(row);
        }
        let mut speed = 0;
        let mut speeds = vec![0; table.len()];
        for (point, row) in table.iter().enumerate().rev() {
            speeds[point] = speed;
            speed = row[speed].map_or(0, |best| best.before);
        }
        Ok(speeds)
    }

    /// The best for each speed at a point. Speed 0 is to stop, which is always possible.
    fn row(&self, point: usize, previous: &[Option<Best>]) -> Result<Vec<Option<Best>>, TimingError> {
        let row: Vec<_> = (0..self.speeds(point)).map(|speed| self.best(point, speed, previous)).collect();
        if row[0].is_none() {
            // Says why, in the planner's words.
            let error = self.legs(point, 0, 0).err();
            let error = error.unwrap_or(TogetherError::Lengths { from: 0, to: 0, limits: 0, legs: 0 });
            return Err(TimingError::NoMove { point: self.passing[point].point, error });
        }
        Ok(row)
    }

    fn best(&self, point: usize, speed: usize, previous: &[Option<Best>]) -> Option<Best> {
        let mut best: Option<Best> = None;
        // Of two that take as long, the faster one is the smoother one.
        for (before, reached) in previous.iter().enumerate().rev() {
            let Some(reached) = reached else { continue };
            let latest = best.map_or(f64::INFINITY, |best| best.time);
            if let Some(duration) = self.duration(point, before, speed, latest - reached.time) {
                best = Some(Best { time: reached.time + duration, before });
            }
        }
        best
    }

    fn speeds(&self, point: usize) -> usize {
        if self.passing[point].speed == 0.0 { 1 } else { SPEEDS.len() }
    }

    /// How long it takes to a point between two speeds (s); nothing if not less than `limit` or not allowed.
    fn duration(&self, point: usize, before: usize, speed: usize, limit: f64) -> Option<f64> {
        let (from, to) = (self.states(point - 1, before), self.states(point, speed));
        let mut moves = Vec::with_capacity(from.len());
        let mut duration = 0.0_f64;
        for ((&from, &to), limits) in from.iter().zip(&to).zip(self.limits) {
            let joint = Moves::between(from, to, limits).ok()?;
            duration = duration.max(joint.soonest(0.0));
            if limit <= duration {
                return None;
            }
            moves.push(joint);
        }
        let duration = Moves::soonest_of(&moves, duration);
        if limit <= duration {
            return None;
        }
        let stops = before == 0 && speed == 0;
        let fits =
            |moves: &Moves| moves.lasting(duration).is_ok_and(|leg| stops || self.is_allowed(point, &leg));
        moves.iter().all(fits).then_some(duration)
    }

    /// Whether a leg to a point stays between its ends; on the first, which may have to turn first, this is not asked.
    fn is_allowed(&self, point: usize, leg: &Leg) -> bool {
        let (from, to) = (leg.sample(0.0).position, leg.target().position);
        let (low, high) = leg.reach();
        let turns =
            point == 1 && self.start.iter().any(|state| *state != JointState::at_rest(state.position));
        turns || (from.min(to) - ROUNDING <= low && high <= from.max(to) + ROUNDING)
    }

    /// The legs to a point between two speeds, and how long they take (s).
    fn legs(&self, point: usize, before: usize, speed: usize) -> Result<(Vec<Leg>, f64), TogetherError> {
        let (from, to) = (self.states(point - 1, before), self.states(point, speed));
        let mut legs = vec![Leg::at_rest(0.0); from.len()];
        let duration = plan_together(&from, &to, self.limits, 0.0, &mut legs)?;
        Ok((legs, duration))
    }

    /// The states of all joints at a point that is passed at one of its speeds.
    fn states(&self, point: usize, speed: usize) -> Vec<JointState> {
        if point == 0 { self.start.to_vec() } else { self.passing[point].states(speed) }
    }

    /// The motion with these speeds.
    fn waypoints(&self, speeds: &[usize]) -> Result<Vec<Waypoint>, TimingError> {
        let jumps = self.limits.iter().any(|limits| limits.max_jerk().is_infinite());
        let degree = if jumps { Degree::Cubic } else { Degree::Quintic };
        let mut waypoints: Vec<Waypoint> = Vec::new();
        let mut begin = 0.0;
        for point in 1..self.passing.len() {
            let legs = self.legs(point, speeds[point - 1], speeds[point]);
            let (legs, duration) =
                legs.map_err(|error| TimingError::NoMove { point: self.passing[point].point, error })?;
            let knots = if point == 1 { vec![duration] } else { knots(&legs, duration) };
            waypoints.extend(knots.into_iter().map(|knot| Waypoint {
                time: begin + knot,
                degree,
                states: legs.iter().map(|leg| leg.sample(knot)).collect(),
            }));
            begin += duration;
        }
        Ok(waypoints)
    }
}

/// The times at which any leg's jerk changes, and their end, which they share.
fn knots(legs: &[Leg], duration: f64) -> Vec<f64> {
    let mut knots: Vec<_> = legs.iter().flat_map(Leg::knots).collect();
    knots.sort_by(f64::total_cmp);
    let mut last = 0.0;
    knots.retain(|&knot| {
        let apart = SAME_KNOT < knot - last && SAME_KNOT < duration - knot;
        if apart {
            last = knot;
        }
        apart
    });
    knots.push(duration);
    knots
}

#[cfg(test)]
#[path = "timing_tests.rs"]
mod tests;
