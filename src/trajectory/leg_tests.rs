use super::*;
use crate::trajectory::limits::RawLimits;

fn limits(max_velocity: f64, max_acceleration: f64, max_jerk: f64) -> JointLimits {
    let (lower, upper) = (f64::NEG_INFINITY, f64::INFINITY);
    JointLimits::new(RawLimits { lower, upper, max_velocity, max_acceleration, max_jerk }).unwrap()
}

fn state(position: f64, velocity: f64, acceleration: f64) -> JointState {
    JointState { position, velocity, acceleration }
}

#[test]
fn a_move_may_last_hours() {
    let from = state(2.9858988721376782, 0.08379291362010476, 1.968765885745446);
    let to = state(2.5299686903653864, -1.2886708150294643, 0.0);
    let limits = limits(1.4202966231847174, 9.177564484035491, 113.60966641663663);
    for least in [10.0, 100.0, 1000.0, 24185.24103538345, 1e6] {
        let leg = Leg::plan(from, to, &limits, least).unwrap();
        assert_eq!(leg.duration(), least);
    }
}

/// A start, a target and limits; the start may be outside.
fn random_move(chance: &mut fastrand::Rng) -> (JointState, JointState, JointLimits) {
    let limits = limits(0.1 + 4.0 * chance.f64(), 1.0 + 20.0 * chance.f64(), 5.0 + 200.0 * chance.f64());
    let mut any = |most: f64| most * (2.0 * chance.f64() - 1.0);
    let (velocity, acceleration) = (limits.max_velocity(), limits.max_acceleration());
    let from = state(any(3.0), any(1.5 * velocity), any(1.5 * acceleration));
    let to = if any(1.0) < 0.0 { JointState::at_rest(any(3.0)) } else { state(any(3.0), any(velocity), 0.0) };
    (from, to, limits)
}

#[test]
fn a_leg_is_continuous_and_ends_exactly() {
    let mut chance = fastrand::Rng::with_seed(1);
    for _ in 0..2000 {
        let (from, to, limits) = random_move(&mut chance);
        let leg = Leg::plan(from, to, &limits, 3.0 * chance.f64()).unwrap();
        assert_eq!(leg.sample(-1.0), from);
        assert_eq!(leg.sample(0.0), from);
        assert_eq!(leg.sample(leg.duration()), to);
        assert_eq!(leg.sample(leg.duration() + 0.1), JointState::at_rest(to.position));
        let (low, high) = leg.reach();
        let step = leg.duration() / 200.0;
        for index in 0..200 {
            let a = leg.sample(step * f64::from(index));
            let b = leg.sample((step * f64::from(index + 1)).min(leg.duration()));
            assert!((b.acceleration - a.acceleration).abs() <= limits.max_jerk() * step + 1e-6);
            let slope = (b.position - a.position) / step;
            let off = (slope - f64::midpoint(a.velocity, b.velocity)).abs();
            assert!(off <= limits.max_jerk() * step * step + 1e-5, "{off} {leg:?}");
            assert!((low - 1e-7..=high + 1e-7).contains(&b.position), "{low} {high} {b:?}");
            let settled = a.velocity.abs() <= limits.max_velocity() && a.acceleration.abs() <= 1e-9;
            assert!(!settled || b.velocity.abs() <= limits.max_velocity() + 1e-6);
        }
    }
}

#[test]
fn legs_of_several_joints_end_together_and_no_earlier_is_possible() {
    let mut chance = fastrand::Rng::with_seed(2);
    for _ in 0..300 {
        let moves: Vec<_> = (0..6).map(|_| random_move(&mut chance)).collect();
        let from: Vec<_> = moves.iter().map(|each| each.0).collect();
        let to: Vec<_> = moves.iter().map(|each| each.1).collect();
        let limits: Vec<_> = moves.iter().map(|each| each.2).collect();
        let mut legs = [Leg::at_rest(0.0); 6];
        let duration = plan_together(&from, &to, &limits, 0.0, &mut legs).unwrap();
        assert!(legs.iter().all(|leg| leg.duration() == duration));
        let possible = |time: f64| {
            moves
                .iter()
                .all(|(from, to, limits)| Leg::plan(*from, *to, limits, time).unwrap().duration() == time)
        };
        assert!(possible(duration));
        for part in 1..20 {
            assert!(!possible(duration * f64::from(part) / 20.0));
        }
    }
}

#[test]
fn limits_may_be_infinite() {
    let infinity = f64::INFINITY;
    let (from, to) = (JointState::at_rest(0.0), JointState::at_rest(2.0));
    let lasts = |limits: JointLimits| Leg::plan(from, to, &limits, 0.0).unwrap().duration();
    assert_eq!(lasts(limits(1.0, infinity, infinity)), 2.0);
    assert!((lasts(limits(1.0, 2.0, infinity)) - 2.5).abs() < 1e-9);
    // Up to speed and down again, each in twice the root of speed over jerk.
    assert!((lasts(limits(1.0, infinity, 16.0)) - 2.5).abs() < 1e-9);
    assert!((lasts(limits(1.0, 2.0, 1e6)) - 2.5).abs() < 1e-5);
}

#[test]
fn a_start_outside_the_limits_is_braked_into_them() {
    let limits = limits(1.0, 2.0, 10.0);
    let leg = Leg::plan(state(0.0, 3.0, 5.0), JointState::at_rest(-1.0), &limits, 0.0).unwrap();
    let braked = (0..1000).map(|step| leg.sample(leg.duration() * f64::from(step) / 1000.0));
    let late: Vec<_> = braked.skip_while(|state| 1.0 < state.velocity.abs()).collect();
    assert!(!late.is_empty());
    assert!(
        late.iter().all(|state| state.velocity.abs() <= 1.0 + 1e-9 && state.acceleration.abs() <= 2.0 + 1e-9)
    );
}

#[test]
fn targets_outside_the_limits_are_refused() {
    let limits = limits(1.0, 2.0, 10.0);
    let plan = |to| Leg::plan(JointState::default(), to, &limits, 0.0);
    assert_eq!(plan(state(1.0, 1.1, 0.0)), Err(LegError::TargetVelocity { velocity: 1.1, limit: 1.0 }));
    assert_eq!(
        plan(state(1.0, 0.0, -2.1)),
        Err(LegError::TargetAcceleration { acceleration: -2.1, limit: 2.0 })
    );
    // It would have been too fast before.
    assert!(matches!(plan(state(1.0, 1.0, -2.0)), Err(LegError::NoSolution { .. })));
}

#[test]
fn no_numbers_make_it_panic() {
    let numbers = [0.0, -0.0, 1.0, -1.0, 1e-300, 1e-9, 1e9, 1e100, -1e300, f64::MAX, f64::NAN, f64::INFINITY];
    let rates = [f64::MIN_POSITIVE, 1e-9, 1.0, 1e9, 1e200, f64::MAX, f64::INFINITY];
    let mut chance = fastrand::Rng::with_seed(3);
    let mut planned = 0;
    for _ in 0..200_000 {
        let mut any = || numbers[chance.usize(..numbers.len())];
        let (from, to, least) = (state(any(), any(), any()), state(any(), any(), any()), any());
        let mut rate = || rates[chance.usize(..rates.len())];
        let velocity = rate().min(f64::MAX);
        if let Ok(leg) = Leg::plan(from, to, &limits(velocity, rate(), rate()), least) {
            leg.sample(leg.duration() / 2.0);
            leg.reach();
            assert!(leg.duration().is_finite());
            planned += 1;
        }
    }
    assert!(1000 < planned);
}

#[test]
fn slices_of_different_lengths_are_refused() {
    let limits = [limits(1.0, 2.0, 10.0)];
    let states = [JointState::default(); 2];
    let together = plan_together(&states, &states, &limits, 0.0, &mut [Leg::at_rest(0.0); 2]);
    assert_eq!(together, Err(TogetherError::Lengths { from: 2, to: 2, limits: 1, legs: 2 }));
    let bad = [JointState::at_rest(f64::NAN)];
    let together = plan_together(&states[..1], &bad, &limits, 0.0, &mut [Leg::at_rest(0.0)]);
    assert!(matches!(together, Err(TogetherError::Joint { joint: 0, error: LegError::NotFinite { .. } })));
}

#[test]
fn planning_allocates_nothing() {
    let mut chance = fastrand::Rng::with_seed(4);
    let moves: Vec<_> = (0..500).map(|_| random_move(&mut chance)).collect();
    let limits = moves[0].2;
    let used = allocation_counter::measure(|| {
        for &(from, to, limits) in &moves {
            for least in [0.0, 5.0, 1e5] {
                let _ = std::hint::black_box(Leg::plan(from, to, &limits, least));
            }
            let fast = state(1.0, 1e3, 0.0);
            let _ = std::hint::black_box(Leg::plan(from, fast, &limits, 0.0));
        }
        let mut legs = [Leg::at_rest(0.0); 2];
        let (from, to) = ([moves[0].0, moves[1].0], [moves[0].1, moves[1].1]);
        let _ = std::hint::black_box(plan_together(&from, &to, &[limits, moves[1].2], 0.0, &mut legs));
    });
    assert_eq!((used.count_total, used.count_current), (0, 0), "{used:?}");
}

#[test]
fn moves_exactly_between_two_shapes_are_found() {
    // The acceleration is just reached.
    let leg = Leg::plan(JointState::at_rest(-2.0), JointState::at_rest(-1.92), &limits(1.0, 4.0, 40.0), 0.0);
    assert!((leg.unwrap().duration() - 0.4).abs() < 1e-6);
    for index in 1..2000 {
        let position = f64::from(index) * 0.001;
        for jerk in [10.0, 40.0, 100.0] {
            let leg = Leg::plan(
                JointState::at_rest(0.0),
                JointState::at_rest(position),
                &limits(1.0, 4.0, jerk),
                0.0,
            );
            assert!(leg.is_ok(), "{position} {jerk}");
        }
    }
}
