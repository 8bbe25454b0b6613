//! Positions from velocities, and velocities from accelerations, by Heun's method (trapezoids).
//!
//! As in `joint_trajectory_controller`: a point without positions is where the velocities of the point before and of
//! its own lead; where it has no velocities either, these come from accelerations in the same way. Before the first
//! point lies the start. A derivative that the point before lacks is zero, and then it is passed so.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use super::spline::JointState;
use super::waypoints::Point;

/// Gives every point positions; `start` has the state of each column at time 0.
pub(super) fn integrate(points: &mut [Point], start: &[JointState]) {
    let list = |value: fn(&JointState) -> f64| start.iter().map(value).collect::<Vec<_>>();
    let mut start = Point {
        positions: list(|state| state.position),
        velocities: list(|state| state.velocity),
        accelerations: list(|state| state.acceleration),
        ..Point::default()
    };
    let mut before = &mut start;
    for point in points {
        deduce(before, point);
        before = point;
    }
}

fn deduce(before: &mut Point, point: &mut Point) {
    if !point.positions.is_empty() {
        return;
    }
    let columns = before.positions.len();
    let span = point.time_from_start - before.time_from_start;
    fill(&mut before.velocities, columns);
    if point.velocities.is_empty() {
        fill(&mut before.accelerations, columns);
        point.velocities = trapezoids(&before.velocities, &before.accelerations, &point.accelerations, span);
    }
    point.positions = trapezoids(&before.positions, &before.velocities, &point.velocities, span);
}

fn fill(list: &mut Vec<f64>, columns: usize) {
    if list.is_empty() {
        list.resize(columns, 0.0);
    }
}

fn trapezoids(values: &[f64], before: &[f64], after: &[f64], span: f64) -> Vec<f64> {
    let slopes = before.iter().zip(after);
    values.iter().zip(slopes).map(|(value, (before, after))| value + 0.5 * (before + after) * span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(time_from_start: f64, positions: &[f64], velocities: &[f64], accelerations: &[f64]) -> Point {
        Point {
            time_from_start,
            positions: positions.to_vec(),
            velocities: velocities.to_vec(),
            accelerations: accelerations.to_vec(),
            effort: Vec::new(),
        }
    }

    #[test]
    fn velocities_are_integrated_from_the_start() {
        let start = [JointState { position: 1.0, velocity: 0.5, acceleration: 0.0 }];
        let mut points = [point(1.0, &[], &[1.5], &[]), point(3.0, &[], &[0.0], &[])];
        integrate(&mut points, &start);
        assert_eq!(points[0].positions, [2.0]);
        assert_eq!(points[1].positions, [3.5]);
        assert!(points[1].accelerations.is_empty());
    }

    #[test]
    fn accelerations_are_integrated_twice() {
        let mut points = [point(1.0, &[], &[], &[2.0]), point(2.0, &[], &[], &[-4.0])];
        integrate(&mut points, &[JointState::at_rest(1.0)]);
        assert_eq!((points[0].velocities[0], points[0].positions[0]), (1.0, 1.5));
        assert_eq!((points[1].velocities[0], points[1].positions[0]), (0.0, 2.0));
    }

    #[test]
    fn given_positions_stay_and_what_the_point_before_lacks_is_zero() {
        let mut points = [point(1.0, &[5.0], &[], &[]), point(2.0, &[], &[2.0], &[])];
        integrate(&mut points, &[JointState::at_rest(1.0)]);
        assert_eq!((points[0].positions[0], points[0].velocities[0]), (5.0, 0.0));
        assert_eq!(points[1].positions, [6.0]);
    }
}
