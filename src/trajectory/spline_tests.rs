//! Motions of one joint, sampled.

use super::super::limits::RawLimits;
use super::*;
use proptest::prelude::*;
use std::f64::consts::PI;

fn state(position: f64, velocity: f64, acceleration: f64) -> JointState {
    JointState { position, velocity, acceleration }
}

fn limits(max_acceleration: f64, max_jerk: f64) -> JointLimits {
    JointLimits::new(RawLimits { lower: -10.0, upper: 10.0, max_velocity: 10.0, max_acceleration, max_jerk })
        .unwrap()
}

fn turning() -> JointLimits {
    let (lower, upper) = (f64::NEG_INFINITY, f64::INFINITY);
    let (max_acceleration, max_jerk) = (f64::INFINITY, f64::INFINITY);
    JointLimits::new(RawLimits { lower, upper, max_velocity: 10.0, max_acceleration, max_jerk }).unwrap()
}

fn limited(degree: Degree, states: &[(f64, JointState)], limits: JointLimits) -> Spline {
    let waypoint = |&(time, state)| Waypoint { time, degree, states: vec![state] };
    let waypoints: Vec<_> = states.iter().map(waypoint).collect();
    Spline::new(&waypoints, &[limits], &[])
}

fn spline(degree: Degree, states: &[(f64, JointState)]) -> Spline {
    limited(degree, states, limits(f64::INFINITY, f64::INFINITY))
}

fn sample(spline: &mut Spline, time: f64) -> JointState {
    let mut sampled = JointState::default();
    spline.sample(time, |_, state| sampled = state);
    sampled
}

fn assert_close(actual: JointState, expected: JointState) {
    let same = |a: f64, b: f64| (a - b).abs() < 1e-9;
    assert!(
        same(actual.position, expected.position)
            && same(actual.velocity, expected.velocity)
            && same(actual.acceleration, expected.acceleration),
        "{actual:?} is not {expected:?}"
    );
}

#[test]
fn positions_alone_are_joined_by_lines() {
    let mut spline = spline(Degree::Linear, &[(1.0, state(2.0, 0.0, 0.0)), (3.0, state(4.0, 0.0, 0.0))]);
    spline.begin(0.0, |_| JointState::at_rest(0.0));
    assert_close(sample(&mut spline, 0.5), state(1.0, 2.0, 0.0));
    assert_close(sample(&mut spline, 2.0), state(3.0, 1.0, 0.0));
}

#[test]
fn cubics_pass_positions_and_velocities_quintics_accelerations_too() {
    let (a, b) = (state(0.2, -0.5, 1.0), state(1.0, 0.7, -2.0));
    for (degree, derivatives) in [(Degree::Cubic, 2), (Degree::Quintic, 3)] {
        let mut spline = spline(degree, &[(2.0, b), (3.5, a)]);
        spline.begin(0.5, |_| a);
        for (time, expected) in [(0.5, a), (2.0 - 1e-12, b), (2.0, b)] {
            let at = sample(&mut spline, time);
            assert!((at.position - expected.position).abs() < 1e-9);
            assert!((at.velocity - expected.velocity).abs() < 1e-9);
            assert!(derivatives == 2 || (at.acceleration - expected.acceleration).abs() < 1e-8);
        }
    }
}

#[test]
fn velocity_is_the_derivative_of_position_in_every_segment() {
    let points = [(1.0, state(0.5, 0.3, 0.1)), (1.7, state(-0.5, 0.0, 0.4)), (4.0, state(0.1, 0.0, 0.0))];
    for degree in [Degree::Linear, Degree::Cubic, Degree::Quintic] {
        let mut spline = spline(degree, &points);
        spline.begin(0.0, |_| state(0.1, 0.2, 0.3));
        for step in 1..39 {
            let (time, h) = (f64::from(step) * 0.1 + 0.03, 1e-6);
            let slope =
                (sample(&mut spline, time + h).position - sample(&mut spline, time - h).position) / (2.0 * h);
            assert!((slope - sample(&mut spline, time).velocity).abs() < 1e-6);
        }
    }
}

#[test]
fn the_last_segment_is_sampled_to_its_end() {
    let mut spline = spline(Degree::Linear, &[(1.0, state(1.0, 0.0, 0.0)), (2.0, state(2.0, 0.0, 0.0))]);
    spline.begin(0.0, |_| JointState::default());
    assert_close(sample(&mut spline, 1.999), state(1.999, 1.0, 0.0));
    assert_close(sample(&mut spline, 2.0), JointState::at_rest(2.0));
    assert_close(sample(&mut spline, 9.0), JointState::at_rest(2.0));
}

#[test]
fn a_motion_joined_late_goes_on_from_where_the_arm_is() {
    let points = [(1.0, state(1.0, 0.0, 0.0)), (2.0, state(2.0, 0.0, 0.0)), (3.0, state(3.0, 0.0, 0.0))];
    let mut spline = spline(Degree::Linear, &points);
    spline.begin(1.5, |_| JointState::at_rest(0.0));
    assert_close(sample(&mut spline, 1.5), state(0.0, 4.0, 0.0));
    assert_close(sample(&mut spline, 1.75), state(1.0, 4.0, 0.0));
    assert_close(sample(&mut spline, 2.5), state(2.5, 1.0, 0.0));
}

#[test]
fn a_first_waypoint_at_time_zero_is_the_start() {
    let mut spline = spline(Degree::Cubic, &[(0.0, state(1.0, 0.0, 0.0)), (1.0, state(2.0, 0.0, 0.0))]);
    spline.begin(0.0, |_| state(1.0, 0.0, 0.0));
    assert_close(sample(&mut spline, 0.5), state(1.5, 1.5, 0.0));
}

#[test]
fn time_may_go_back() {
    let mut spline = spline(Degree::Linear, &[(1.0, state(1.0, 0.0, 0.0)), (2.0, state(3.0, 0.0, 0.0))]);
    spline.begin(0.0, |_| JointState::default());
    assert_eq!(sample(&mut spline, 1.5).position, 2.0);
    assert_eq!(sample(&mut spline, 0.5).position, 0.5);
}

#[test]
fn a_motion_that_steps_stays_until_the_first_waypoint_and_is_then_always_at_the_next() {
    let points = [(1.0, state(1.0, 0.0, 0.0)), (2.0, state(2.0, 0.5, 0.0)), (3.0, state(3.0, 0.0, 0.0))];
    let mut steps = spline(Degree::Step, &points);
    steps.begin(0.0, |_| state(0.2, 1.0, 0.0));
    for (time, expected) in [(0.0, 0.2), (0.999, 0.2), (1.0, 2.0), (1.999, 2.0), (2.0, 3.0), (5.0, 3.0)] {
        assert_close(sample(&mut steps, time), JointState::at_rest(expected));
    }
    let mut one = spline(Degree::Step, &points[..1]);
    one.begin(0.0, |_| JointState::at_rest(0.2));
    assert_eq!(sample(&mut one, 0.999).position, 0.2);
    assert_eq!(sample(&mut one, 1.0).position, 1.0);
}

#[test]
fn between_a_cubic_and_a_positions_only_waypoint_lies_a_line() {
    let waypoint = |time, degree, state| Waypoint { time, degree, states: vec![state] };
    let waypoints = [
        waypoint(0.0, Degree::Cubic, state(0.0, 0.0, 0.0)),
        waypoint(1.0, Degree::Linear, state(1.0, 0.0, 0.0)),
        waypoint(2.0, Degree::Quintic, state(0.0, 0.0, 0.0)),
    ];
    let mut spline = Spline::new(&waypoints, &[limits(f64::INFINITY, f64::INFINITY)], &[]);
    assert_close(sample(&mut spline, 0.25), state(0.25, 1.0, 0.0));
    assert_close(sample(&mut spline, 1.25), state(0.75, -1.0, 0.0));
}

#[test]
fn a_waypoint_on_the_way_is_passed_with_the_mean_slope_and_a_turning_point_at_rest() {
    let at = |time: f64, position| (time, JointState::at_rest(position));
    let points = [at(1.0, 1.0), at(2.0, 2.0), at(3.0, 4.0), at(4.0, 3.0), at(5.0, 3.0)];
    let limits = limits(40.0, 400.0);
    let waypoints: Vec<_> = points
        .iter()
        .map(|&(time, state)| Waypoint { time, degree: Degree::Linear, states: vec![state] })
        .collect();
    let start = [JointState::at_rest(0.5)];
    let mut spline = Spline::new(&waypoints, &[limits], &start);
    let velocities: Vec<f64> = (0..5).map(|index| spline.waypoint(index).state(0).velocity).collect();
    assert_eq!(velocities, [0.75, 1.5, 0.0, 0.0, 0.0]);
    spline.begin(0.0, |_| start[0]);
    for (index, &(time, waypoint)) in points.iter().enumerate() {
        for time in [time - 1e-9, time] {
            assert!((sample(&mut spline, time).position - waypoint.position).abs() < 1e-7);
            assert!((sample(&mut spline, time).velocity - velocities[index]).abs() < 1e-6);
        }
    }
}

#[test]
fn a_moving_joint_is_led_to_a_cubic_without_a_jump_of_acceleration() {
    let points = [(1.0, state(1.0, 0.7, 0.0)), (2.0, state(1.2, 0.0, 0.0))];
    let mut spline = spline(Degree::Cubic, &points);
    let from = state(0.2, -0.5, 0.3);
    spline.begin(0.0, |_| from);
    assert_close(sample(&mut spline, 0.0), from);
    let (before, after) = (sample(&mut spline, 1.0 - 1e-9), sample(&mut spline, 1.0));
    assert!((before.velocity - after.velocity).abs() < 1e-6);
    assert!((before.acceleration - after.acceleration).abs() < 1e-6);
    spline.begin(1.5, |_| from);
    assert!(sample(&mut spline, 2.0 - 1e-9).acceleration.abs() < 1e-6);
}

#[test]
fn a_joint_that_turns_for_ever_goes_the_short_way() {
    let points = [(1.0, state(3.0, 0.0, 0.0)), (2.0, state(4.0, 0.0, 0.0))];
    for (present, turn) in
        [(-3.0, -TAU), (3.1, 0.0), (3.0 - PI, 0.0), (3.0 + 3.0 * PI, TAU), (20.0, 3.0 * TAU)]
    {
        let mut spline = limited(Degree::Cubic, &points, turning());
        spline.begin(0.0, |_| JointState::at_rest(present));
        assert!((sample(&mut spline, 0.0).position - present).abs() < 1e-12);
        assert!((sample(&mut spline, 1.0).position - 3.0 - turn).abs() < 1e-12, "{present}");
        assert!((spline.end(0).position - 4.0 - turn).abs() < 1e-12);
        assert!((spline.waypoint(1).state(0).position - 4.0 - turn).abs() < 1e-12);
        assert!((sample(&mut spline, 9.0).position - 4.0 - turn).abs() < 1e-12);
    }
    let mut with_ends = spline(Degree::Cubic, &points);
    with_ends.begin(0.0, |_| JointState::at_rest(-3.0));
    assert_eq!(with_ends.end(0).position, 4.0);
}

#[test]
fn the_next_waypoint_is_the_first_after_a_time() {
    let points = [(0.0, state(1.0, 0.0, 0.0)), (2.0, state(2.0, 0.3, 0.0)), (3.0, state(3.0, 0.0, 0.0))];
    let spline = spline(Degree::Cubic, &points);
    for (time, expected) in [(-1.0, Some(0)), (0.0, Some(1)), (1.9, Some(1)), (2.0, Some(2)), (3.0, None)] {
        assert_eq!(spline.next_waypoint(time), expected);
    }
    let passing = spline.waypoint(1);
    assert_eq!((passing.time, passing.degree, passing.state(0)), (2.0, Degree::Cubic, points[1].1));
}

#[test]
fn what_happens_in_the_control_thread_allocates_nothing() {
    let points: Vec<_> = (1..100_u32)
        .map(|index| (f64::from(index), state((f64::from(index) * 0.7).sin(), 0.1, 0.0)))
        .collect();
    for degree in [Degree::Step, Degree::Linear, Degree::Cubic, Degree::Quintic] {
        for limits in [limits(10.0, 100.0), turning()] {
            let mut spline = limited(degree, &points, limits);
            let used = allocation_counter::measure(|| {
                spline.begin(3.5, |_| state(0.2, -0.3, 0.4));
                for step in 0..2000 {
                    sample(&mut spline, f64::from(step) * 0.05);
                    sample(&mut spline, f64::from((step * 7919) % 2000) * 0.05);
                }
            });
            assert_eq!(used.count_total, 0);
        }
    }
}

proptest! {
    #[test]
    fn sampling_at_random_is_sampling_in_order(
        times in prop::collection::vec(0.001..1.0_f64, 1..40),
        positions in prop::collection::vec(-2.0..2.0_f64, 40),
        samples in prop::collection::vec(-0.1..1.1_f64, 20),
    ) {
        let mut end = 0.0;
        let points: Vec<_> = times
            .iter()
            .zip(&positions)
            .map(|(span, &position)| { end += span; (end, JointState::at_rest(position)) })
            .collect();
        let mut sampled = limited(Degree::Linear, &points, limits(100.0, 1e4));
        sampled.begin(0.0, |_| JointState::at_rest(0.3));
        for part in samples {
            let mut fresh = sampled.clone();
            fresh.cursor = 0;
            prop_assert_eq!(sample(&mut sampled, part * end), sample(&mut fresh, part * end));
        }
    }
}
