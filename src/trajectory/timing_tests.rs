use super::*;
use crate::trajectory::spline::Spline;

fn limits(max_velocity: f64, max_acceleration: f64, max_jerk: f64) -> JointLimits {
    let (lower, upper) = (-3.0, 3.0);
    JointLimits::new(RawLimits { lower, upper, max_velocity, max_acceleration, max_jerk }).unwrap()
}

fn rest(positions: &[f64]) -> Vec<JointState> {
    positions.iter().map(|&position| JointState::at_rest(position)).collect()
}

fn duration(waypoints: &[Waypoint]) -> f64 {
    waypoints.last().unwrap().time
}

/// How long it takes with a stop at every position.
fn stopping(start: &[JointState], positions: &[Vec<f64>], limits: &[JointLimits]) -> f64 {
    let mut from = start.to_vec();
    let mut legs = vec![Leg::at_rest(0.0); limits.len()];
    let to = |positions: &Vec<f64>| {
        let to = rest(positions);
        let duration = plan_together(&from, &to, limits, 0.0, &mut legs).unwrap();
        from = to;
        duration
    };
    positions.iter().map(to).sum()
}

struct Case {
    start: Vec<JointState>,
    positions: Vec<Vec<f64>>,
    limits: Vec<JointLimits>,
}

fn random_case(chance: &mut fastrand::Rng) -> Case {
    let joints = chance.usize(1..=7);
    let between = |chance: &mut fastrand::Rng, low: f64, high: f64| low + (high - low) * chance.f64();
    let smooth = chance.bool();
    let reckless = chance.u8(0..6) == 0;
    let limits: Vec<_> = (0..joints)
        .map(|_| {
            let jerk = if reckless { f64::INFINITY } else { between(chance, 5.0, 200.0) };
            limits(between(chance, 0.3, 4.0), between(chance, 1.0, 20.0), jerk)
        })
        .collect();
    let mut at: Vec<f64> = (0..joints).map(|_| between(chance, -1.0, 1.0)).collect();
    let mut start = rest(&at);
    if chance.bool() {
        start.iter_mut().for_each(|state| state.velocity = between(chance, -0.3, 0.3));
    }
    let mut step: Vec<f64> = (0..joints).map(|_| between(chance, -0.2, 0.2)).collect();
    let positions = (0..chance.usize(1..=30))
        .map(|_| {
            for joint in 0..joints {
                let change = between(chance, -1.0, 1.0) * if smooth { 0.05 } else { 1.0 };
                step[joint] = if smooth { step[joint] + change } else { change };
                at[joint] = (at[joint] + step[joint]).clamp(-3.0, 3.0);
            }
            at.clone()
        })
        .collect();
    Case { start, positions, limits }
}

#[test]
fn one_position_is_reached_by_the_time_optimal_move() {
    let limits = [limits(1.0, 2.0, 10.0), limits(2.0, 5.0, f64::INFINITY)];
    let start = [JointState { position: 0.1, velocity: 0.2, acceleration: 0.3 }, JointState::at_rest(1.0)];
    let positions = [vec![1.0, -2.0]];
    let waypoints = time_waypoints(&start, &positions, &limits).unwrap();
    assert_eq!(waypoints.len(), 1);
    assert_eq!(waypoints[0].states, rest(&positions[0]));
    assert_eq!(waypoints[0].time, stopping(&start, &positions, &limits));
}

#[test]
fn points_on_a_line_are_passed_at_nearly_the_speed_of_one_move() {
    let limits = [limits(1.0, 4.0, 40.0), limits(2.0, 8.0, 80.0)];
    let start = rest(&[-2.0, 1.0]);
    for count in [2, 4, 8, 16, 50, 100] {
        let point = |index: u32| {
            let part = f64::from(index) / f64::from(count);
            vec![-2.0 + 4.0 * part, 1.0 - 2.0 * part]
        };
        let positions: Vec<_> = (1..=count).map(point).collect();
        let fastest = stopping(&start, &positions[positions.len() - 1..], &limits);
        let waypoints = time_waypoints(&start, &positions, &limits).unwrap();
        assert!(duration(&waypoints) < 1.2 * fastest, "{count}: {} {fastest}", duration(&waypoints));
        assert!(fastest < duration(&waypoints) + 1e-9);
    }
}

#[test]
fn a_joint_that_turns_stops_where_it_does() {
    let limits = [limits(1.0, 4.0, 40.0), limits(1.0, 4.0, 40.0)];
    let positions = [vec![1.0, 0.5], vec![0.0, 1.0]];
    let waypoints = time_waypoints(&rest(&[0.0, 0.0]), &positions, &limits).unwrap();
    assert_eq!(waypoints[0].states[0], JointState::at_rest(1.0));
    assert!(0.2 < waypoints[0].states[1].velocity, "{:?}", waypoints[0].states);
}

#[test]
fn repeated_positions_cost_nothing() {
    let limits = [limits(1.0, 4.0, 40.0)];
    let once = [vec![0.5], vec![1.0], vec![2.0]];
    let often = [vec![0.5], vec![0.5], vec![1.0], vec![1.0], vec![1.0], vec![2.0], vec![2.0]];
    let timed = |positions: &[Vec<f64>]| time_waypoints(&rest(&[0.0]), positions, &limits).unwrap();
    assert_eq!(timed(&once), timed(&often));
    let here = timed(&[vec![0.0], vec![0.0]]);
    assert_eq!(here.len(), 1);
    assert_eq!((here[0].time, here[0].states[0]), (0.0, JointState::at_rest(0.0)));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let limits = [limits(1.0, 4.0, 40.0)];
    let refused =
        |start: &[f64], positions: &[Vec<f64>]| time_waypoints(&rest(start), positions, &limits).unwrap_err();
    assert_eq!(refused(&[0.0], &[]), TimingError::NoPositions);
    assert_eq!(refused(&[], &[vec![0.0]]), TimingError::Start { expected: 1, actual: 0 });
    let size = TimingError::Size { point: 1, expected: 1, actual: 2 };
    assert_eq!(refused(&[0.0], &[vec![0.0], vec![0.0, 1.0]]), size);
    assert_eq!(
        refused(&[0.0], &vec![vec![0.0]; MOST_POSITIONS + 1]),
        TimingError::TooMany(MOST_POSITIONS + 1)
    );
    for bad in [3.1, f64::NAN, f64::INFINITY] {
        assert!(matches!(refused(&[0.0], &[vec![bad]]), TimingError::Outside { point: 0, .. }));
    }
    assert!(matches!(refused(&[f64::NAN], &[vec![1.0]]), TimingError::NoMove { point: 0, .. }));
}

#[test]
fn joints_without_limits_on_acceleration_and_jerk_are_timed_too() {
    let limits = [limits(1.0, f64::INFINITY, f64::INFINITY), limits(1.0, f64::INFINITY, 50.0)];
    let positions = [vec![1.0, 0.5], vec![2.0, 1.0], vec![0.5, 1.5]];
    let waypoints = time_waypoints(&rest(&[0.0, 0.0]), &positions, &limits).unwrap();
    assert!((3.5..4.0).contains(&duration(&waypoints)), "{}", duration(&waypoints));
}

#[test]
fn the_spline_is_the_motion_of_the_legs_and_never_slower_than_stops() {
    let mut chance = fastrand::Rng::with_seed(1);
    let (mut total, mut with_stops) = (0.0, 0.0);
    for _ in 0..150 {
        let case = random_case(&mut chance);
        let Case { start, positions, limits } = &case;
        let waypoints = time_waypoints(start, positions, limits).unwrap();
        assert!(waypoints.is_sorted_by(|a, b| a.time < b.time));
        let stopping = stopping(start, positions, limits);
        assert!(duration(&waypoints) <= stopping + 1e-9);
        total += duration(&waypoints);
        with_stops += stopping;
        check_spline(&case, waypoints);
    }
    assert!(total < 0.95 * with_stops, "{total} {with_stops}");
}

/// Samples the spline against legs planned anew, and against the limits.
fn check_spline(case: &Case, waypoints: Vec<Waypoint>) {
    let Case { start, positions, limits } = case;
    let first = waypoints[0].time;
    assert!(
        waypoints[0].states.iter().zip(&positions[0]).all(|(state, position)| state.position == *position)
    );
    let mut spline = Spline::new(&waypoints, limits, start);
    let passing = passing::at_points(start, positions, limits);
    let route = Route { start, limits, passing: &passing };
    let speeds = route.fastest().unwrap();
    let mut begin = first;
    for point in 2..passing.len() {
        let (legs, duration) = route.legs(point, speeds[point - 1], speeds[point]).unwrap();
        for step in 0..40 {
            let time = duration * f64::from(step) / 40.0;
            spline.sample(begin + time, |joint, state| {
                let planned = legs[joint].sample(time);
                // Knots that are nearly one are made one, which costs a velocity more than a position.
                assert!((planned.position - state.position).abs() < 1e-6, "{planned:?} is not {state:?}");
                assert!((planned.velocity - state.velocity).abs() < 1e-5, "{planned:?} is not {state:?}");
                check_limits(&limits[joint], state);
            });
        }
        begin += duration;
    }
}

fn check_limits(limits: &JointLimits, state: JointState) {
    assert!(
        (limits.lower() - 1e-6..=limits.upper() + 1e-6).contains(&state.position),
        "{state:?} {limits:?}"
    );
    assert!(state.velocity.abs() <= limits.max_velocity() + 1e-6, "{state:?} {limits:?}");
    assert!(state.acceleration.abs() <= limits.max_acceleration() * 1.001 + 1e-2, "{state:?} {limits:?}");
}
