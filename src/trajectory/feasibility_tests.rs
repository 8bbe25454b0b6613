//! What is found is there, and nothing is missed.

use super::super::limits::RawLimits;
use super::super::spline::Waypoint;
use super::super::waypoints::{LimitsPolicy, Point, Rules, Trajectory, Waypoints};
use super::*;
use proptest::prelude::*;

fn limits(max_velocity: f64, max_acceleration: f64, max_jerk: f64) -> JointLimits {
    JointLimits::new(RawLimits { lower: -3.0, upper: 3.0, max_velocity, max_acceleration, max_jerk }).unwrap()
}

fn waypoint(time: f64, degree: Degree, position: f64, velocity: f64, acceleration: f64) -> Waypoint {
    Waypoint { time, degree, states: vec![JointState { position, velocity, acceleration }] }
}

/// The greatest velocity, acceleration and jerk, seen by sampling densely inside of segments.
fn seen(spline: &mut Spline) -> [f64; 3] {
    const SAMPLES: u32 = 400;
    let segments: Vec<(f64, f64)> = spline.pieces().map(|(_, begin, end, _)| (begin, end)).collect();
    let mut most = [0.0_f64; 3];
    for (begin, end) in segments {
        // The end belongs to what follows.
        let step = (end - begin) * (1.0 - 1e-9) / f64::from(SAMPLES);
        let mut last: Option<f64> = None;
        for sample in 0..=SAMPLES {
            let mut state = JointState::default();
            spline.sample(begin + step * f64::from(sample), |_, sampled| state = sampled);
            let jerk = last.map_or(0.0, |last| (state.acceleration - last).abs() / step);
            last = Some(state.acceleration);
            for (most, value) in most.iter_mut().zip([state.velocity, state.acceleration, jerk]) {
                *most = most.max(value.abs());
            }
        }
    }
    most
}

#[test]
fn the_peaks_of_a_cubic_are_those_that_are_known() {
    let waypoints =
        [waypoint(0.0, Degree::Cubic, 0.0, 0.0, 0.0), waypoint(2.0, Degree::Cubic, 1.0, 0.0, 0.0)];
    let peak_with = |limits| Findings::of(&Spline::new(&waypoints, &[limits], &[]), &[]).peak.unwrap();
    let infinite = f64::INFINITY;
    let peak = peak_with(limits(0.5, infinite, infinite));
    assert!(peak.quantity == Quantity::Velocity && (peak.time - 1.0).abs() < 1e-9);
    assert!((peak.value - 0.75).abs() < 1e-12 && (peak.factor - 1.5).abs() < 1e-12);
    let peak = peak_with(limits(1e3, 1.0, infinite));
    assert!((peak.value - 1.5).abs() < 1e-12 && (peak.factor - 1.5_f64.sqrt()).abs() < 1e-12);
    let peak = peak_with(limits(1e3, 1e6, 1.0));
    assert!((peak.value - 1.5).abs() < 1e-12 && (peak.factor - 1.5_f64.cbrt()).abs() < 1e-12);
}

#[test]
fn an_overshoot_is_found_where_the_points_are_within() {
    let waypoints =
        [waypoint(0.0, Degree::Cubic, 2.0, 5.0, 0.0), waypoint(2.0, Degree::Cubic, 2.0, 0.0, 0.0)];
    let spline = Spline::new(&waypoints, &[limits(10.0, 100.0, 1e3)], &[]);
    let outside = Findings::of(&spline, &[]).outside.unwrap();
    assert!(3.0 < outside.position && 0.0 < outside.time && outside.time < 2.0);
    let at_the_end =
        [waypoint(0.0, Degree::Cubic, 0.0, 0.0, 0.0), waypoint(1.0, Degree::Cubic, 3.0, 0.0, 0.0)];
    let spline = Spline::new(&at_the_end, &[limits(10.0, 100.0, 1e3)], &[]);
    assert_eq!(Findings::of(&spline, &[]).outside, None);
}

#[test]
fn what_a_moving_joint_has_already_is_not_held_against_it() {
    let waypoints = [waypoint(1.0, Degree::Cubic, 1.0, 0.0, 0.0)];
    let limits = limits(1.0, 100.0, 1e4);
    let start = [JointState { position: 0.0, velocity: 1.5, acceleration: 0.0 }];
    let mut spline = Spline::new(&waypoints, &[limits], &start);
    spline.begin(0.0, |_| start[0]);
    assert!(Findings::of(&spline, &start).factor() <= 1.5);
    assert!(1.0 < Findings::of(&spline, &[]).factor());
}

#[test]
fn the_least_factor_is_found_and_where_there_is_none_that_is_said() {
    for needed in [1.0, 1.5, 7.0, 900.0] {
        // One that falls faster than expected, and one that falls slowlier.
        for power in [2.0, 1.0, 0.3] {
            let least = least_factor(|factor| (needed / factor).powf(power)).unwrap();
            assert!((least / needed - 1.0).abs() < 2e-3, "{least} is not {needed}");
        }
    }
    assert_eq!(least_factor(|_| 1.5), None);
}

fn degree() -> impl Strategy<Value = Degree> {
    prop_oneof![Just(Degree::Linear), Just(Degree::Cubic), Just(Degree::Quintic)]
}

type Numbers = (f64, f64, f64, f64);

/// Spans, positions, velocities and accelerations of points.
fn numbers() -> impl Strategy<Value = Vec<Numbers>> {
    prop::collection::vec((0.05..2.0, -1.0..1.0, -0.5..0.5, -1.0..1.0), 1..8)
}

fn message(degree: Degree, numbers: &[Numbers]) -> Waypoints {
    let mut time = 0.0;
    let mut points: Vec<Point> = numbers
        .iter()
        .map(|&(span, position, velocity, acceleration)| {
            time += span;
            Point {
                time_from_start: time,
                positions: vec![position],
                velocities: if degree == Degree::Linear { vec![] } else { vec![velocity] },
                accelerations: if degree == Degree::Quintic { vec![acceleration] } else { vec![] },
                effort: vec![],
            }
        })
        .collect();
    if let Some(velocity) = points.last_mut().and_then(|last| last.velocities.first_mut()) {
        *velocity = 0.0;
    }
    Waypoints { joint_names: vec!["a".to_owned()], points }
}

fn validated(waypoints: &Waypoints, limits: JointLimits, policy: LimitsPolicy) -> Option<Trajectory> {
    let start = [JointState::at_rest(0.1)];
    let joints = ["a".to_owned()];
    waypoints.validate(Rules { start: &start, policy, ..Rules::new(&joints, &[limits]) }).ok()
}

proptest! {
    #[test]
    fn a_peak_is_no_less_than_what_is_seen_and_is_seen(degree in degree(), numbers in numbers()) {
        let mut spline = validated(&message(degree, &numbers), limits(1e3, 30.0, 1e4), LimitsPolicy::Shorten);
        if let Some(trajectory) = &mut spline {
            let [velocity, acceleration, jerk] = seen(&mut trajectory.spline);
            let peak = Findings::of(&trajectory.spline, &[]).peak;
            let factor = (velocity / 1e3).max((acceleration / 30.0).sqrt()).max((jerk / 1e4).cbrt());
            let found = peak.map_or(0.0, |peak| peak.factor);
            prop_assert!(factor <= found * (1.0 + 1e-6), "{factor} {peak:?}");
            // Samples may miss the ramps of a line.
            let is_seen = found <= factor * 1.02 + 1e-9;
            prop_assert!(is_seen || degree == Degree::Linear, "{factor} {peak:?}");
        }
    }

    #[test]
    fn a_retimed_trajectory_is_within_the_limits_and_no_slower_than_it_must_be(
        degree in degree(), numbers in numbers()
    ) {
        let limits = limits(1.0, 4.0, 60.0);
        let waypoints = message(degree, &numbers);
        if let Some(mut trajectory) = validated(&waypoints, limits, LimitsPolicy::Retime) {
            let [velocity, acceleration, jerk] = seen(&mut trajectory.spline);
            prop_assert!(velocity <= 1.0 + 1e-5, "{velocity}");
            prop_assert!(acceleration <= 4.0 * (1.0 + 1e-5), "{acceleration}");
            prop_assert!(jerk <= 60.0 * (1.0 + 1e-4), "{jerk}");
            let rejected = validated(&waypoints, limits, LimitsPolicy::Reject);
            prop_assert_eq!(rejected.is_none(), trajectory.slowed.is_some());
            // Lines are given time where they need it, not as a whole.
            let as_a_whole = trajectory.slowed.filter(|_| degree != Degree::Linear);
            if let Some(slowed) = as_a_whole {
                let mut hastier = waypoints;
                let factor = slowed.factor * (1.0 - 1e-3);
                for point in &mut hastier.points {
                    point.time_from_start *= factor;
                    point.velocities.iter_mut().for_each(|velocity| *velocity /= factor);
                    point.accelerations.iter_mut().for_each(|value| *value /= factor * factor);
                }
                prop_assert!(1.0 < factor || slowed.factor < 1.002);
                prop_assert!(validated(&hastier, limits, LimitsPolicy::Reject).is_none());
            }
        }
    }

    #[test]
    fn a_rounded_line_that_is_accepted_never_exceeds_the_limits(numbers in numbers()) {
        let waypoints = message(Degree::Linear, &numbers);
        if let Some(mut trajectory) = validated(&waypoints, limits(5.0, 30.0, 900.0), LimitsPolicy::Reject) {
            let [velocity, acceleration, jerk] = seen(&mut trajectory.spline);
            prop_assert!(velocity <= 5.0 + 1e-5 && acceleration <= 30.0 + 1e-3 && jerk <= 900.0 + 0.1);
        }
    }

    #[test]
    fn a_trajectory_played_as_fast_as_it_may_be_is_still_within_the_limits(numbers in numbers()) {
        let limits = limits(20.0, 2000.0, 1e6);
        if let Some(mut trajectory) = validated(&message(Degree::Quintic, &numbers), limits, LimitsPolicy::Reject) {
            let fastest = trajectory.fastest;
            let [velocity, acceleration, jerk] = seen(&mut trajectory.spline);
            prop_assert!(1.0 <= fastest);
            prop_assert!(velocity * fastest <= 20.0 * (1.0 + 1e-5));
            prop_assert!(acceleration * fastest.powi(2) <= 2000.0 * (1.0 + 1e-5));
            prop_assert!(jerk * fastest.powi(3) <= 1e6 * (1.0 + 1e-4));
        }
    }
}

/// Numbers of all kinds.
fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), -2.0..2.0_f64, Just(0.0), Just(f64::NAN), Just(1e9), Just(1e-300)]
}

fn any_list() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        Just(vec![]),
        prop::collection::vec(any_number(), 2),
        prop::collection::vec(-1.0..1.0_f64, 0..4)
    ]
}

prop_compose! {
    fn any_point()(
        time_from_start in prop_oneof![any_number(), 0.0..3.0_f64],
        positions in any_list(), velocities in any_list(), accelerations in any_list(),
    ) -> Point {
        Point { time_from_start, positions, velocities, accelerations, effort: vec![] }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn whatever_comes_in_is_refused_in_words_or_makes_a_motion_of_finite_numbers(
        names in prop::collection::vec(prop_oneof!["a", "b", "c"], 0..3),
        mut points in prop::collection::vec(any_point(), 0..5),
        in_order in any::<bool>(), continuous in any::<bool>(),
        (policy, rate, allow) in (0..3_usize, prop::option::of(any_number()), any::<bool>()),
    ) {
        if in_order {
            for (index, point) in points.iter_mut().enumerate() {
                point.time_from_start = 0.3 * index as f64;
            }
        }
        let end = if continuous { f64::INFINITY } else { 2.0 };
        let raw = RawLimits { lower: -end, upper: end, max_velocity: 1.0, max_acceleration: 3.0, max_jerk: 9.0 };
        let joints = ["a".to_owned(), "b".to_owned()];
        let start = [JointState { position: 0.5, velocity: 0.2, acceleration: -0.3 }; 2];
        let policy = [LimitsPolicy::Shorten, LimitsPolicy::Reject, LimitsPolicy::Retime][policy];
        let limits = [JointLimits::new(raw).unwrap(); 2];
        let rules = Rules {
            start: &start, policy, upsampling: rate,
            allow_partial: allow, allow_integration: allow, allow_moving_end: allow,
            ..Rules::new(&joints, &limits)
        };
        match (Waypoints { joint_names: names, points }).validate(rules) {
            Err(refusal) => prop_assert!(!refusal.to_string().is_empty()),
            Ok(Trajectory { mut spline, .. }) => {
                for part in 0..=20 {
                    spline.sample(spline.duration() * f64::from(part) / 20.0, |_, state| {
                        assert!(state.position.is_finite() && state.velocity.is_finite());
                        assert!(state.acceleration.is_finite());
                    });
                }
            }
        }
    }
}

#[test]
fn a_chunk_of_lines_is_slowed_down_at_its_ends_and_not_in_the_middle() {
    let joints = ["a".to_owned()];
    let raw =
        RawLimits { lower: -1.9, upper: 1.9, max_velocity: 5.4, max_acceleration: 38.0, max_jerk: 1000.0 };
    let limits = [JointLimits::new(raw).unwrap()];
    let point = |i: u32| Point {
        time_from_start: f64::from(i) / 30.0,
        positions: vec![0.4 / 30.0 * f64::from(i)],
        ..Point::default()
    };
    let waypoints = Waypoints { joint_names: joints.to_vec(), points: (1..=15).map(point).collect() };
    let start = [JointState::default()];
    let rules = Rules { start: &start, policy: LimitsPolicy::Retime, ..Rules::new(&joints, &limits) };
    let mut trajectory = waypoints.validate(rules).unwrap();
    let factor = trajectory.slowed.unwrap().factor;
    assert!((1.05..1.4).contains(&factor), "{factor}");
    let middle = trajectory.spline.duration() / 2.0;
    trajectory.spline.sample(middle, |_, state| assert!((state.velocity - 0.4).abs() < 0.05, "{state:?}"));
    assert!(Findings::of(&trajectory.spline, &start).factor() <= 1.0 + SLACK);
}
