//! Motions that begin from rest and in motion, with every way to get onto their trajectory.

use super::super::limits::RawLimits;
use super::super::waypoints::{Point, Rules, Waypoints};
use super::*;

const STEP: f64 = 0.002;

fn limits() -> [JointLimits; 2] {
    let raw =
        RawLimits { lower: -3.0, upper: 3.0, max_velocity: 4.0, max_acceleration: 20.0, max_jerk: 400.0 };
    [JointLimits::new(raw).unwrap(); 2]
}

/// Time, positions, velocities.
type TestPoint = (f64, [f64; 2], Option<[f64; 2]>);

fn motion(start: &[JointState], points: &[TestPoint]) -> Motion {
    let joints = ["a".to_owned(), "b".to_owned()];
    let point = |(time, positions, velocities): &TestPoint| Point {
        time_from_start: *time,
        positions: positions.to_vec(),
        velocities: velocities.map(|v| v.to_vec()).unwrap_or_default(),
        ..Point::default()
    };
    let waypoints = Waypoints { joint_names: joints.to_vec(), points: points.iter().map(point).collect() };
    let limits = limits();
    let rules = Rules { start, ..Rules::new(&joints, &limits) };
    Motion::new(waypoints.validate(rules).unwrap())
}

fn states(motion: &mut Motion, time: f64) -> [JointState; 2] {
    let mut states = [JointState::default(); 2];
    motion.sample(time, |column, state| states[column] = state);
    states
}

/// Nothing jumps: position and velocity from one step to the next are what velocity and acceleration say.
fn assert_smooth(motion: &mut Motion, from: f64) {
    let mut last = states(motion, from);
    let mut time = from;
    while time < motion.duration() + 0.1 {
        time += STEP;
        let now = states(motion, time);
        for (now, last) in now.iter().zip(&last) {
            let mean = (now.velocity + last.velocity) / 2.0;
            assert!((now.position - last.position - mean * STEP).abs() < 1e-4, "position at {time}");
            assert!((now.velocity - last.velocity).abs() < 20.0 * STEP + 1e-6, "velocity at {time}");
        }
        last = now;
    }
}

#[test]
fn a_line_from_rest_arrives_in_time_within_the_limits() {
    let start = [JointState::at_rest(0.0); 2];
    let mut motion = motion(&start, &[(1.0, [1.0, -0.5], None)]);
    motion.begin(0.0, &start, &limits());
    assert!((motion.duration() - 1.0).abs() < 1e-9);
    assert_smooth(&mut motion, 0.0);
    assert_eq!(states(&mut motion, 1.0).map(|state| state.position), [1.0, -0.5]);
    assert!((states(&mut motion, 0.5)[0].position - 0.5).abs() < 1e-6, "symmetric");
}

#[test]
fn a_line_that_is_joined_in_motion_does_not_jump() {
    let start = [JointState { position: 0.3, velocity: 1.5, acceleration: -3.0 }, JointState::at_rest(0.2)];
    let points = [(0.6, [1.0, -0.5], None), (1.2, [1.5, 0.5], None), (2.0, [0.0, 0.0], None)];
    let mut motion = motion(&start, &points);
    motion.begin(0.0, &start, &limits());
    assert_eq!(states(&mut motion, 0.0)[0], start[0]);
    assert_smooth(&mut motion, 0.0);
    let end = motion.duration();
    assert_eq!(states(&mut motion, end).map(|state| state.position), [0.0, 0.0]);
}

#[test]
fn a_motion_that_is_joined_late_leads_to_the_next_waypoint() {
    let start = [JointState::at_rest(0.0); 2];
    let points = [(0.5, [0.5, 0.5], None), (1.5, [1.0, 1.0], None)];
    let mut motion = motion(&start, &points);
    motion.begin(0.7, &start, &limits());
    assert!((motion.duration() - 1.5).abs() < 1e-9);
    assert_smooth(&mut motion, 0.7);
    assert_eq!(states(&mut motion, 1.5).map(|state| state.position), [1.0, 1.0]);
}

#[test]
fn a_line_that_is_too_fast_takes_longer_instead_of_jumping() {
    let start = [JointState::at_rest(0.0); 2];
    let mut motion = motion(&start, &[(0.1, [2.0, 0.0], None)]);
    motion.begin(0.0, &start, &limits());
    assert!(0.6 < motion.duration());
    assert_smooth(&mut motion, 0.0);
}

#[test]
fn points_without_times_are_gone_through_as_fast_as_the_limits_allow() {
    let start = [JointState::at_rest(0.0); 2];
    let points = [[0.5, 0.5], [1.0, 0.0], [2.0, -1.0]].map(|positions| (0.0, positions, None));
    let mut motion = motion(&start, &points);
    let planned = motion.duration();
    motion.begin(0.0, &start, &limits());
    assert!((motion.duration() - planned).abs() < 1e-6, "{} is not {planned}", motion.duration());
    assert_smooth(&mut motion, 0.0);
    assert_eq!(states(&mut motion, planned).map(|state| state.position), [2.0, -1.0]);
    let three_times_at_rest = 1.7;
    assert!(planned < three_times_at_rest, "{planned}");
}

#[test]
fn a_point_is_passed_in_motion_unless_that_takes_a_run_up() {
    let start = [JointState::at_rest(0.0); 2];
    let mut motion = motion(&start, &[(0.1, [0.3, 0.0], None)]);
    motion.begin(0.0, &start, &limits());
    motion.redirect(0.0, &start, &limits(), 0.5, &[1.0, 0.0]);
    let end = motion.duration();
    assert!((states(&mut motion, end - 1e-9)[0].velocity - 1.0).abs() < 1e-3);
    let far_too_fast = 3.9;
    motion.redirect(0.0, &start, &limits(), 0.0, &[far_too_fast, 0.0]);
    let end = motion.duration();
    assert!(states(&mut motion, end - 1e-6)[0].velocity.abs() < 0.01);
    assert_smooth(&mut motion, 0.0);
}

#[test]
fn of_a_motion_that_is_over_only_its_end_is_gone_to() {
    let start = [JointState { position: 0.3, velocity: 0.5, acceleration: 0.0 }, JointState::at_rest(0.0)];
    let mut motion = motion(&start, &[(0.2, [0.35, 0.0], Some([0.0; 2])), (0.4, [0.4, 0.0], Some([0.0; 2]))]);
    motion.begin(0.5, &start, &limits());
    assert_eq!(states(&mut motion, 0.5)[0], start[0]);
    assert_smooth(&mut motion, 0.5);
    let end = motion.duration();
    assert_eq!(states(&mut motion, end)[0], JointState::at_rest(0.4));
}

#[test]
fn a_motion_that_is_joined_just_before_a_waypoint_does_not_jump_there() {
    let behind = JointState { position: 0.195, velocity: 0.4, acceleration: 0.0 };
    let start = [behind, JointState::at_rest(0.0)];
    for velocities in [Some([0.4, 0.0]), None] {
        let mut points: Vec<TestPoint> =
            (1..=10).map(|i| (0.1 * f64::from(i), [0.04 * f64::from(i), 0.0], velocities)).collect();
        points.push((1.2, [0.42, 0.0], velocities.map(|_| [0.0; 2])));
        let mut motion = motion(&start, &points);
        motion.begin(0.4995, &start, &limits());
        assert_smooth(&mut motion, 0.4995);
        assert!((motion.duration() - 1.2).abs() < 0.01, "{}", motion.duration());
    }
}
