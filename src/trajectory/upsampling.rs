//! A smooth motion through positions that come at a fixed rate, as policies send them in chunks.
//!
//! A cubic spline through all points, twice continuously differentiable: the velocities at the points follow from one
//! tridiagonal system for each joint. It begins with the velocity of the reference and ends at rest, so that chunks
//! follow each other smoothly.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use super::spline::{Degree, JointState, Waypoint};
use super::waypoints::Point;

/// Gives points that have no times those of a policy that sends `rate` points a second: the first comes after a
/// period, which leaves time to get there.
pub(super) fn time(points: &mut [Point], rate: f64) {
    let mut count = 0.0;
    for point in points {
        count += 1.0;
        point.time_from_start = count / rate;
    }
}

/// Gives the waypoints, which have positions alone, velocities and accelerations.
///
/// `start` is the state of each column at time 0, the knot before the first waypoint; where it is empty or the first
/// waypoint is at time 0, the motion begins at the first waypoint, and at rest where the start is not known.
pub(super) fn smooth(waypoints: &mut [Waypoint], start: &[JointState]) {
    let Some(first) = waypoints.first() else { return };
    let columns = first.states.len();
    let starts_before = 0.0 < first.time && !start.is_empty();
    let times: Vec<f64> = starts_before
        .then_some(0.0)
        .into_iter()
        .chain(waypoints.iter().map(|waypoint| waypoint.time))
        .collect();
    let skipped = usize::from(starts_before);
    let mut positions = vec![0.0; times.len()];
    for column in 0..columns {
        let from = start.get(column).copied().unwrap_or_default();
        positions[0] = from.position;
        for (position, waypoint) in positions[skipped..].iter_mut().zip(waypoints.iter()) {
            *position = waypoint.states[column].position;
        }
        let velocities = knot_velocities(&times, &positions, from.velocity);
        for (index, waypoint) in waypoints.iter_mut().enumerate() {
            let knot = index + skipped;
            let state = &mut waypoint.states[column];
            state.velocity = velocities[knot];
            state.acceleration = acceleration(&times, &positions, &velocities, knot);
        }
    }
    for waypoint in waypoints {
        waypoint.degree = Degree::Quintic;
    }
}

/// Thomas's algorithm on the condition that the acceleration before each inner knot is the one after it.
fn knot_velocities(times: &[f64], positions: &[f64], begin: f64) -> Vec<f64> {
    let last = times.len() - 1;
    let mut velocities = vec![0.0; times.len()];
    let mut above = vec![0.0; times.len()];
    if last == 0 {
        return velocities;
    }
    velocities[0] = begin;
    for knot in 1..last {
        let before = 1.0 / (times[knot] - times[knot - 1]);
        let after = 1.0 / (times[knot + 1] - times[knot]);
        let right = 3.0
            * ((positions[knot] - positions[knot - 1]) * before * before
                + (positions[knot + 1] - positions[knot]) * after * after);
        let pivot = 2.0 * (before + after) - before * above[knot - 1];
        above[knot] = after / pivot;
        velocities[knot] = (right - before * velocities[knot - 1]) / pivot;
    }
    for knot in (1..last).rev() {
        velocities[knot] -= above[knot] * velocities[knot + 1];
    }
    velocities
}

/// The acceleration at a knot: at its segment's end, or at the beginning for the first.
fn acceleration(times: &[f64], positions: &[f64], velocities: &[f64], knot: usize) -> f64 {
    let (other, sign) = if knot == 0 { (1, 1.0) } else { (knot - 1, -1.0) };
    let (Some(time), Some(position)) = (times.get(other), positions.get(other)) else { return 0.0 };
    let span = (times[knot] - time).abs();
    let slope = sign * (position - positions[knot]) / span;
    sign * (6.0 * slope - 4.0 * velocities[knot] - 2.0 * velocities[other]) / span
}

#[cfg(test)]
mod tests {
    use super::super::limits::{JointLimits, RawLimits};
    use super::super::spline::Spline;
    use super::*;
    use proptest::prelude::*;

    fn free() -> JointLimits {
        JointLimits::new(RawLimits {
            lower: -1e6,
            upper: 1e6,
            max_velocity: 1e6,
            max_acceleration: f64::INFINITY,
            max_jerk: f64::INFINITY,
        })
        .unwrap()
    }

    fn chunk(period: f64, positions: &[f64]) -> Vec<Waypoint> {
        let waypoint = |(index, &position)| Waypoint {
            time: period * (index as f64 + 1.0),
            degree: Degree::Linear,
            states: vec![JointState::at_rest(position)],
        };
        positions.iter().enumerate().map(waypoint).collect()
    }

    fn sample(spline: &mut Spline, time: f64) -> JointState {
        let mut sampled = JointState::default();
        spline.sample(time, |_, state| sampled = state);
        sampled
    }

    #[test]
    fn two_points_are_joined_by_the_cubic_that_is_known() {
        let mut waypoints = chunk(1.0, &[1.0]);
        smooth(&mut waypoints, &[JointState::at_rest(0.0)]);
        assert_eq!(waypoints[0].states[0].velocity, 0.0);
        assert!((waypoints[0].states[0].acceleration + 6.0).abs() < 1e-12);
        assert_eq!(waypoints[0].degree, Degree::Quintic);
    }

    #[test]
    fn the_first_chunks_speed_is_taken_over() {
        let start = JointState { position: 0.0, velocity: 1.0, acceleration: 0.0 };
        let mut waypoints = chunk(0.1, &[0.1, 0.2, 0.3, 0.4]);
        smooth(&mut waypoints, &[start]);
        assert!((waypoints[0].states[0].velocity - 1.0).abs() < 0.1, "{waypoints:?}");
    }

    proptest! {
        #[test]
        fn a_chunk_is_twice_continuous_passes_its_points_and_ends_at_rest(
            positions in prop::collection::vec(-2.0..2.0_f64, 1..30),
            (velocity, period) in (-1.0..1.0_f64, 0.02..0.5_f64),
        ) {
            let start = JointState { position: 0.3, velocity, acceleration: 0.0 };
            let mut waypoints = chunk(period, &positions);
            smooth(&mut waypoints, &[start]);
            let mut spline = Spline::new(&waypoints, &[free()], &[start]);
            spline.begin(0.0, |_| start);
            prop_assert_eq!(spline.waypoint(positions.len() - 1).state(0).velocity, 0.0);
            for (waypoint, position) in waypoints.iter().zip(&positions) {
                let (before, after) =
                    (sample(&mut spline, waypoint.time - 1e-9), sample(&mut spline, waypoint.time));
                prop_assert!((after.position - position).abs() < 1e-9);
                prop_assert!((before.velocity - after.velocity).abs() < 1e-3);
                let is_last = waypoint.time == spline.duration();
                prop_assert!(is_last || (before.acceleration - after.acceleration).abs() < 1e-2);
            }
            // What lies between two points is a cubic, whatever carries it.
            let span = period;
            for pair in waypoints.windows(2) {
                let (a, b) = (pair[0].states[0], pair[1].states[0]);
                let middle = sample(&mut spline, pair[0].time + 0.5 * span).position;
                let cubic = 0.5 * (a.position + b.position) + span * (a.velocity - b.velocity) / 8.0;
                prop_assert!((middle - cubic).abs() < 1e-9);
            }
        }
    }
}
