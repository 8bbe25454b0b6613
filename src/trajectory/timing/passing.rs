//! In which direction and how fast a point may be passed.
//!
//! Speeds are parts of the greatest at which some joint runs at its greatest speed. How much of that can be had at a
//! point is estimated by three sweeps: bends, speeding up, slowing down. What is really possible the legs say.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use crate::trajectory::limits::JointLimits;
use crate::trajectory::spline::JointState;

/// The parts of the estimated speed that are tried; the first is to stop.
pub(super) const SPEEDS: [f64; 6] = [0.0, 0.3, 0.6, 0.85, 1.0, 1.2];

/// Halvings in search of a speed; more digits than the estimate has.
const HALVINGS: u32 = 12;

/// How a point is passed.
pub(super) struct Passing {
    /// Which of the given points it is.
    pub(super) point: usize,
    positions: Vec<f64>,
    /// Every joint's velocity at speed 1 (rad/s or m/s).
    direction: Vec<f64>,
    /// The estimated greatest speed; 0 where the motion must stop.
    pub(super) speed: f64,
    /// How long the way from the point before takes at speed 1 (s).
    span: f64,
}

impl Passing {
    /// The states of all joints at one of the [`SPEEDS`].
    pub(super) fn states(&self, speed: usize) -> Vec<JointState> {
        let factor = (SPEEDS[speed] * self.speed).min(1.0);
        let state = |(&position, &velocity): (&f64, &f64)| JointState {
            position,
            velocity: velocity * factor,
            acceleration: 0.0,
        };
        self.positions.iter().zip(&self.direction).map(state).collect()
    }
}

/// The start, and every position that is not the one before.
pub(super) fn at_points(
    start: &[JointState],
    positions: &[Vec<f64>],
    limits: &[JointLimits],
) -> Vec<Passing> {
    let rest = |point, positions: Vec<f64>| Passing {
        point,
        direction: vec![0.0; positions.len()],
        positions,
        speed: 0.0,
        span: 0.0,
    };
    let mut points = vec![rest(0, start.iter().map(|state| state.position).collect())];
    for (point, positions) in positions.iter().enumerate() {
        if point == 0 || points[points.len() - 1].positions != *positions {
            points.push(rest(point, positions.clone()));
        }
    }
    for index in 1..points.len() {
        points[index].span = span(&points[index - 1].positions, &points[index].positions, limits);
    }
    for index in 1..points.len() - 1 {
        points[index].direction = direction(&points[index - 1..=index + 1]);
    }
    estimate_speeds(&mut points, limits);
    points
}

/// How long a way takes at the greatest speeds (s).
fn span(from: &[f64], to: &[f64], limits: &[JointLimits]) -> f64 {
    let spans =
        from.iter().zip(to).zip(limits).map(|((from, to), limits)| (to - from).abs() / limits.max_velocity());
    spans.fold(0.0, f64::max)
}

/// The velocities at which the middle one of three points is passed: for each joint the harmonic mean of both slopes,
/// 0 where it turns. They are no greater than the joint's greatest speed.
fn direction(points: &[Passing]) -> Vec<f64> {
    let [before, here, after] = points else { return Vec::new() };
    let slope = |from: f64, to: f64, span: f64| if 0.0 < span { (to - from) / span } else { 0.0 };
    let mean = |joint: usize| {
        let come = slope(before.positions[joint], here.positions[joint], here.span);
        let go = slope(here.positions[joint], after.positions[joint], after.span);
        if come * go <= 0.0 { 0.0 } else { 2.0 / (1.0 / come + 1.0 / go) }
    };
    (0..here.positions.len()).map(mean).collect()
}

fn estimate_speeds(points: &mut [Passing], limits: &[JointLimits]) {
    let last = points.len() - 1;
    for index in 1..last {
        let moves = points[index].direction.iter().any(|&velocity| velocity != 0.0);
        let both = |speed: f64| {
            [(index - 1, index), (index, index + 1)].into_iter().all(|(from, to)| {
                // The start and the end have no direction: nothing bends there.
                from == 0 || to == last || can_change(&points[from], &points[to], [speed, speed], limits)
            })
        };
        points[index].speed = if moves { greatest(0.0, 1.0, both) } else { 0.0 };
    }
    for index in 1..last {
        slow_down(points, index - 1, index, limits);
    }
    for index in (1..last).rev() {
        slow_down(points, index + 1, index, limits);
    }
}

/// Slows a point down to what can be reached from its neighbour, or left towards it.
fn slow_down(points: &mut [Passing], neighbour: usize, index: usize, limits: &[JointLimits]) {
    let (first, second) = (neighbour.min(index), neighbour.max(index));
    let (given, wanted) = (points[neighbour].speed, points[index].speed);
    if wanted <= given {
        return;
    }
    let possible = |speed: f64| {
        let speeds = if neighbour < index { [given, speed] } else { [speed, given] };
        can_change(&points[first], &points[second], speeds, limits)
    };
    points[index].speed = greatest(given, wanted, possible);
}

/// Whether every joint can change its velocity between two points at these speeds, without acceleration at both.
fn can_change(from: &Passing, to: &Passing, [first, second]: [f64; 2], limits: &[JointLimits]) -> bool {
    if first + second <= 0.0 {
        return true;
    }
    let time = 2.0 * to.span / (first + second);
    from.direction.iter().zip(&to.direction).zip(limits).all(|((from, to), limits)| {
        // Half of the time to build up acceleration, half to end it, unless the limit cuts the peak off.
        let (most, jerk) = (limits.max_acceleration(), limits.max_jerk());
        let change =
            if most <= jerk * time / 2.0 { most * (time - most / jerk) } else { jerk * time * time / 4.0 };
        (to * second - from * first).abs() <= change
    })
}

/// The greatest speed in a range that is possible, if all below it are; the lower end if none is.
fn greatest(low: f64, high: f64, possible: impl Fn(f64) -> bool) -> f64 {
    if possible(high) {
        return high;
    }
    let (mut low, mut high) = (low, high);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if possible(middle) { low = middle } else { high = middle }
    }
    low
}
