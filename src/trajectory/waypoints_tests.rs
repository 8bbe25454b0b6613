//! Messages, good and bad.

use super::super::limits::RawLimits;
use super::super::refusal::RefusalKind;
use super::*;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn limits() -> JointLimits {
    JointLimits::new(RawLimits {
        lower: -2.0,
        upper: 2.0,
        max_velocity: 1.0,
        max_acceleration: 4.0,
        max_jerk: 40.0,
    })
    .unwrap()
}

/// Starts at rest at zero.
fn rules<'a>(joints: &'a [String], limits: &'a [JointLimits]) -> Rules<'a> {
    const START: [JointState; 2] = [JointState { position: 0.0, velocity: 0.0, acceleration: 0.0 }; 2];
    Rules { start: &START, ..Rules::new(joints, limits) }
}

fn check(change: impl FnOnce(&mut Waypoints)) -> Result<Trajectory, Refusal> {
    check_with(|_| (), change)
}

fn check_with(
    rule: impl FnOnce(&mut Rules<'_>),
    change: impl FnOnce(&mut Waypoints),
) -> Result<Trajectory, Refusal> {
    let point = |time_from_start, position: f64| Point {
        time_from_start,
        positions: vec![position, -position],
        velocities: vec![0.0; 2],
        ..Point::default()
    };
    let mut waypoints =
        Waypoints { joint_names: names(&["b", "a"]), points: vec![point(1.0, 0.5), point(2.0, 1.0)] };
    change(&mut waypoints);
    let (joints, limits) = (names(&["a", "b"]), [limits(); 2]);
    let mut rules = rules(&joints, &limits);
    rule(&mut rules);
    waypoints.validate(rules)
}

fn positions_only(waypoints: &mut Waypoints) {
    for point in &mut waypoints.points {
        point.velocities.clear();
    }
}

fn sample(trajectory: &mut Trajectory, time: f64) -> [JointState; 2] {
    let mut sampled = [JointState::default(); 2];
    trajectory.spline.sample(time, |column, state| sampled[column] = state);
    sampled
}

#[test]
fn a_jumbled_order_of_joints_is_mapped() {
    let trajectory = check(|_| ()).unwrap();
    assert_eq!(trajectory.joints, [1, 0]);
    assert_eq!(trajectory.spline.duration(), 2.0);
}

#[test]
fn joints_that_are_not_the_arms_are_refused_as_such() {
    for names_given in [&["a", "c"][..], &["a", "a"], &[], &["a"]] {
        let refusal = check(|w| {
            w.joint_names = names(names_given);
            for point in &mut w.points {
                point.positions.truncate(names_given.len());
                point.velocities.truncate(names_given.len());
            }
        })
        .unwrap_err();
        assert_eq!(refusal.kind(), RefusalKind::Joints, "{refusal}");
    }
}

#[test]
fn a_joint_may_be_left_out_only_by_permission() {
    let one_joint = |w: &mut Waypoints| {
        w.joint_names.truncate(1);
        for point in &mut w.points {
            point.positions.truncate(1);
            point.velocities.truncate(1);
        }
    };
    let refusal = check(one_joint).unwrap_err().to_string();
    assert!(refusal.contains("Missing: a"), "{refusal}");
    assert_eq!(check_with(|rules| rules.allow_partial = true, one_joint).unwrap().joints, [1]);
}

#[test]
fn numbers_that_cannot_be_executed_are_named() {
    type Change = fn(&mut Waypoints);
    let cases: [(Change, &str); 16] = [
        (|w| w.points[1].positions[0] = 1e10, "positions of joint b at point #1 is 10000000000; it must be"),
        (|w| w.points[1].time_from_start = f64::INFINITY, "time_from_start of point #1 is inf s"),
        (
            |w| w.points = vec![w.points[0].clone(); MAX_POINTS + 1],
            "The trajectory has 100001 points; the most are 100000.",
        ),
        (
            |w| w.points[0].velocities = vec![12.0, 0.0],
            "Position of joint b would be 2.4174 at 1.364 s, on the way between points; its limits are -2",
        ),
        (|w| w.points.clear(), "Empty trajectory received."),
        (|w| w.points[1].positions[0] = f64::NAN, "positions of joint b at point #1 is NaN"),
        (|w| w.points[0].velocities[1] = f64::INFINITY, "velocities of joint a at point #0 is inf"),
        (|w| w.points[0].accelerations = vec![0.0], "joint_names size (2) and accelerations (1) at point #0"),
        (
            |w| w.points[1].positions[1] = 5.0,
            "joint a at point #1 is 5.0000; its limits are -2.0000 to 2.0000",
        ),
        (|w| w.points[1].time_from_start = 1.0, "between points 0 and 1 is not strictly increasing"),
        (|w| w.points[1].time_from_start = f64::NAN, "not strictly increasing"),
        (|w| w.points[0].time_from_start = -0.5, "must not be negative"),
        (|w| w.points[1].velocities[0] = 0.1, "Velocity of last trajectory point of joint b is not zero"),
        (|w| w.points[0].positions.clear(), "joint_names size (2) and positions (0) at point #0."),
        (|w| w.points[0].effort = vec![1.0; 2], "effort"),
        (|w| w.points[0].positions.push(0.0), "joint_names size (2) and positions (3)"),
    ];
    for (change, expected) in cases {
        let refusal = check(change).unwrap_err().to_string();
        assert!(refusal.contains(expected), "{refusal} does not say {expected}");
    }
}

#[test]
fn nanoseconds_that_make_a_second_are_refused() {
    assert_eq!(Point::seconds(0, 2, 500_000_000), Ok(2.5));
    let refusal = Point::seconds(3, 0, 1_000_000_000).unwrap_err().to_string();
    assert_eq!(
        refusal,
        "time_from_start of point #3 has 1000000000 nanoseconds; they must be below 1000000000."
    );
}

#[test]
fn positions_may_be_left_out_only_by_permission() {
    let velocities_only = |w: &mut Waypoints| {
        for (point, velocity) in w.points.iter_mut().zip([0.5, 0.0]) {
            point.positions.clear();
            point.velocities = vec![velocity; 2];
        }
    };
    let integrating = |rules: &mut Rules<'_>| rules.allow_integration = true;
    let mut trajectory = check_with(integrating, velocities_only).unwrap();
    assert_eq!(trajectory.spline.end(0), JointState::at_rest(0.5));
    assert_eq!(sample(&mut trajectory, 1.0)[0].position, 0.25);
    let refusal = check(velocities_only).unwrap_err().to_string();
    assert_eq!(refusal, "Mismatch between joint_names size (2) and positions (0) at point #0.");
    let nothing =
        check_with(integrating, |w| w.points[1] = Point { time_from_start: 2.0, ..Point::default() });
    let expected =
        "The given trajectory has no position, velocity, or acceleration points. Point #1 is empty.";
    assert_eq!(nothing.unwrap_err().to_string(), expected);
    let nowhere = check_with(
        |rules| {
            rules.start = &[];
            integrating(rules)
        },
        velocities_only,
    );
    assert_eq!(nowhere, Err(Refusal::NoStart(0)));
    let steps = |rules: &mut Rules<'_>| {
        rules.interpolation = Interpolation::None;
        integrating(rules)
    };
    assert!(matches!(check_with(steps, velocities_only), Err(Refusal::Size { .. })));
}

#[test]
fn what_was_integrated_must_be_within_the_travel() {
    let refusal = check_with(
        |rules| rules.allow_integration = true,
        |w| {
            w.points[1].positions.clear();
            w.points[1].time_from_start = 2.0;
            w.points[0].velocities[1] = 8.0;
        },
    );
    assert!(matches!(refusal, Err(Refusal::Limit { point: 1, .. })), "{refusal:?}");
}

#[test]
fn without_interpolation_nothing_lies_between_points() {
    let mut trajectory = check_with(|rules| rules.interpolation = Interpolation::None, |_| ()).unwrap();
    assert_eq!(sample(&mut trajectory, 0.9)[0].position, 0.0);
    assert_eq!(sample(&mut trajectory, 1.0)[0].position, 1.0);
}

#[test]
fn too_much_is_refused_by_name_slowed_down_or_left_to_the_limiter() {
    let hasty = |w: &mut Waypoints| w.points[1].time_from_start = 1.2;
    let refusal = check_with(|rules| rules.policy = LimitsPolicy::Reject, hasty).unwrap_err();
    let text = refusal.to_string();
    assert!(
        text.starts_with("Acceleration of joint b would be 75.0000 at 1.000 s; its limit is 4.0000"),
        "{text}"
    );
    let shortened = check_with(|rules| rules.policy = LimitsPolicy::Shorten, hasty).unwrap();
    assert_eq!((shortened.slowed, shortened.fastest, shortened.spline.duration()), (None, 1.0, 1.2));
    let retimed = check_with(|rules| rules.policy = LimitsPolicy::Retime, hasty).unwrap();
    let slowed = retimed.slowed.unwrap();
    assert_eq!((slowed.quantity, slowed.joint, slowed.limit), (Quantity::Acceleration, 1, 4.0));
    assert!((retimed.spline.duration() - 1.2 * slowed.factor).abs() < 1e-9);
    assert!((slowed.factor - (75.0_f64 / 4.0).sqrt()).abs() < 1e-3);
    assert_eq!(retimed.fastest, 1.0);
}

#[test]
fn how_much_faster_a_trajectory_could_be_played_is_known() {
    let slow = |w: &mut Waypoints| {
        w.points[0].time_from_start = 10.0;
        w.points[1].time_from_start = 20.0;
    };
    let trajectory = check(slow).unwrap();
    // 0.5 rad in 10 s by a cubic: 0.03 rad/s² at most, and 4 are allowed; its jerk allows 23 times the speed.
    assert!((trajectory.fastest - (4.0_f64 / 0.03).sqrt()).abs() < 1e-6, "{}", trajectory.fastest);
    let still = check(|w| w.points.iter_mut().for_each(|point| point.positions.fill(0.0))).unwrap();
    assert_eq!(still.fastest, f64::INFINITY);
}

#[test]
fn positions_without_times_are_as_fast_as_can_be() {
    let one = check(|w| {
        positions_only(w);
        w.points.truncate(1);
        w.points[0].time_from_start = 0.0;
    });
    assert_eq!(one.unwrap().timing, Timing::Optimal);
    assert_eq!(check(positions_only).unwrap().timing, Timing::Given);
}

#[test]
fn a_chunk_of_positions_gets_times_and_velocities() {
    let untimed = |w: &mut Waypoints| {
        positions_only(w);
        w.points.iter_mut().for_each(|point| point.time_from_start = 0.0);
    };
    let mut trajectory = check_with(|rules| rules.upsampling = Some(4.0), untimed).unwrap();
    assert_eq!(trajectory.spline.duration(), 0.5);
    let passed = sample(&mut trajectory, 0.25)[0];
    assert_eq!(passed.position, 0.5);
    assert!(2.0 < passed.velocity);
    let timed = check_with(|rules| rules.upsampling = Some(4.0), positions_only).unwrap();
    assert_eq!(timed.spline.duration(), 2.0);
    assert!(0.5 < timed.spline.waypoint(0).state(0).velocity);
    let with_velocities = check_with(|rules| rules.upsampling = Some(4.0), |_| ()).unwrap();
    assert_eq!(with_velocities, check(|_| ()).unwrap());
}

#[test]
fn a_trajectory_that_is_joined_midway_is_held_against_the_limits_from_there_on_only() {
    let moving = [JointState { position: 0.5, velocity: 0.5, acceleration: 0.0 }, JointState::at_rest(0.0)];
    let window = |w: &mut Waypoints| {
        w.joint_names = names(&["a", "b"]);
        w.points = (0..6)
            .map(|i| Point {
                time_from_start: 0.02 * f64::from(i),
                positions: vec![0.48 + 0.01 * f64::from(i), 0.0],
                velocities: vec![0.5, 0.0],
                ..Point::default()
            })
            .collect();
    };
    let rule = |rules: &mut Rules<'_>| {
        (rules.allow_moving_end, rules.policy, rules.joined_at) = (true, LimitsPolicy::Reject, 0.04);
        let moving: &'static [JointState; 2] = Box::leak(Box::new(moving));
        rules.start = moving;
    };
    let trajectory = check_with(rule, window).unwrap();
    assert_eq!(trajectory.spline.duration(), 0.1);
    let retimed = check_with(
        |rules| {
            rule(rules);
            rules.policy = LimitsPolicy::Retime;
        },
        |w| {
            window(w);
            w.points[5].positions[0] = 0.6;
        },
    );
    assert_eq!(retimed.unwrap().spline.duration(), 0.1, "its time is the client's");
}
