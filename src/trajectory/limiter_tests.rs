//! What no sequence of calls can break, and how near the limiter comes to what is possible.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ticks are counted from times")]

use proptest::prelude::*;

use super::*;
use crate::trajectory::limits::RawLimits;

const INFINITY: f64 = f64::INFINITY;
const PERIOD: f64 = 0.005;
/// The limits of an SO-101.
const RAW: RawLimits =
    RawLimits { lower: -1.5, upper: 1.5, max_velocity: 5.4, max_acceleration: 38.0, max_jerk: 1000.0 };

fn limiter() -> Limiter {
    limiter_of(RAW, PERIOD, 0.0)
}

fn limiter_of(raw: RawLimits, period: f64, position: f64) -> Limiter {
    Limiter::new(JointLimits::new(raw).unwrap(), period, position)
}

/// Limits and periods as different as arms are.
fn settings() -> Vec<(RawLimits, f64)> {
    let raw = |lower, upper, max_velocity, max_acceleration, max_jerk| RawLimits {
        lower,
        upper,
        max_velocity,
        max_acceleration,
        max_jerk,
    };
    vec![
        (RAW, PERIOD),
        (RAW, 0.002),
        (RAW, 0.01),
        (raw(-0.1, 2.9, 3.0, 20.0, INFINITY), 0.005),
        (raw(-0.1, 2.9, 3.0, INFINITY, 1000.0), 0.005),
        (raw(-0.1, 2.9, 3.0, INFINITY, INFINITY), 0.005),
        (raw(-3.0, 0.2, 0.3, 0.5, 2.0), 0.01),
        (raw(-3.0, 0.2, 0.2, 40.0, 1000.0), 0.001),
        (raw(-1.0, 1.0, 6.0, 100.0, 4000.0), 0.05),
        (raw(-0.01, 0.02, 5.0, 40.0, 1000.0), 0.005),
        (raw(-0.01, 0.02, 5.0, INFINITY, 300.0), 0.01),
        (raw(-1e-4, 1e-4, 5.0, INFINITY, INFINITY), 0.01),
        (raw(-1e-4, 1e-4, 5.0, 38.0, 1000.0), 0.01),
        (raw(-INFINITY, INFINITY, 5.4, 38.0, 1000.0), 0.005),
        (raw(0.0, INFINITY, 5.4, 38.0, 100.0), 0.005),
    ]
}

fn check(commands: &[f64], raw: &RawLimits, period: f64) {
    let largest = commands.iter().fold(1.0_f64, |largest, command| largest.max(command.abs()));
    let rounding = |power| 1e-12 + 8.0 * f64::EPSILON * largest / period.powi(power);
    let differences =
        |values: &[f64]| -> Vec<f64> { values.windows(2).map(|pair| (pair[1] - pair[0]) / period).collect() };
    let velocities = differences(commands);
    let accelerations = differences(&velocities);
    let jerks = differences(&accelerations);
    let most = |values: &[f64]| values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    let within = |what: &str, values: &[f64], limit: f64, power: i32| {
        let bound = limit * (1.0 + 4e-9) + rounding(power);
        assert!(most(values) <= bound, "{what} {} of at most {limit}", most(values));
    };
    for command in commands {
        let inside = raw.lower - 1e-8..=raw.upper + 1e-8;
        assert!(inside.contains(command), "position {command}");
    }
    within("velocity", &velocities, raw.max_velocity, 1);
    within("acceleration", &accelerations, raw.max_acceleration, 2);
    within("jerk", &jerks, raw.max_jerk, 3);
}

fn hostile_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -3.0..3.0,
        4 => -0.1..0.1,
        1 => -1e300..1e300,
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(f64::MAX)],
    ]
}

/// What is asked of a limiter for some ticks.
#[derive(Clone, Copy, Debug)]
enum Act {
    Brake,
    Follow(f64),
    Track(f64, f64),
    /// A target between two places that goes from one to the other every so many ticks.
    Shake(f64, f64, usize),
    /// A target on a sine of this amplitude and angular frequency.
    Swing(f64, f64),
    /// A target that runs from where the joint is.
    Run(f64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => Just(Act::Brake),
        3 => hostile_number().prop_map(Act::Follow),
        3 => (hostile_number(), hostile_number()).prop_map(|(at, velocity)| Act::Track(at, velocity)),
        2 => (hostile_number(), hostile_number(), 1_usize..40).prop_map(|(a, b, every)| Act::Shake(a, b, every)),
        2 => (0.0..3.0, 0.1..100.0).prop_map(|(amplitude, omega)| Act::Swing(amplitude, omega)),
        2 => (-8.0..8.0).prop_map(Act::Run),
    ]
}

fn step(limiter: &mut Limiter, act: Act, tick: usize, period: f64) -> f64 {
    let secs = tick as f64 * period;
    match act {
        Act::Brake => limiter.brake(),
        Act::Follow(target) => limiter.follow(target),
        Act::Track(target, velocity) => limiter.track(target, velocity),
        Act::Shake(a, b, every) => limiter.follow(if (tick / every).is_multiple_of(2) { a } else { b }),
        Act::Swing(amplitude, omega) => limiter.follow(amplitude * (omega * secs).sin()),
        Act::Run(velocity) => limiter.track(limiter.position() + velocity * period, velocity),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_calls_leads_outside_the_limits(
        setting in prop::sample::select(settings()),
        acts in prop::collection::vec((act(), 1_usize..150), 1..30),
    ) {
        let (raw, period) = setting;
        let mut limiter = limiter_of(raw, period, 0.0);
        let mut commands = vec![0.0; 4];
        for (act, ticks) in acts {
            for tick in 0..ticks {
                commands.push(step(&mut limiter, act, tick, period));
            }
        }
        check(&commands, &raw, period);
    }

    #[test]
    fn a_joint_that_brakes_comes_to_rest_exactly_and_stays_from_anywhere(
        setting in prop::sample::select(settings()),
        acts in prop::collection::vec((act(), 1_usize..100), 1..10),
    ) {
        let (raw, period) = setting;
        let mut limiter = limiter_of(raw, period, 0.0);
        for (act, ticks) in acts {
            (0..ticks).for_each(|tick| { step(&mut limiter, act, tick, period); });
        }
        let rates = limiter.rates;
        let ticks = 4.0 * (rates.velocity / rates.acceleration + rates.acceleration / rates.step * period) / period + 10.0;
        for _ in 0..ticks as usize {
            limiter.brake();
        }
        prop_assert_eq!((limiter.velocity(), limiter.acceleration()), (0.0, 0.0));
        let at = limiter.position();
        prop_assert_eq!(limiter.brake(), at);
    }

    #[test]
    fn a_target_that_stands_is_reached_exactly_from_anywhere(
        setting in prop::sample::select(settings()),
        acts in prop::collection::vec((act(), 1_usize..100), 1..10),
        part in 0.0..=1.0_f64,
    ) {
        let (raw, period) = setting;
        let mut limiter = limiter_of(raw, period, 0.0);
        for (act, ticks) in acts {
            (0..ticks).for_each(|tick| { step(&mut limiter, act, tick, period); });
        }
        let (lower, upper) = (raw.lower.max(limiter.position() - 2.0), raw.upper.min(limiter.position() + 2.0));
        let target = lower + part * (upper - lower);
        let rates = &limiter.rates;
        let stopping = rates.velocity / rates.acceleration + rates.acceleration / rates.step * period;
        let secs = 2.0 * optimal_secs(&limiter.rates, (limiter.position() - target).abs()) + 6.0 * stopping + 20.0 * period;
        for _ in 0..(secs / period) as usize {
            limiter.follow(target);
        }
        prop_assert_eq!((limiter.position(), limiter.velocity(), limiter.acceleration()), (target, 0.0, 0.0));
    }

    #[test]
    fn the_distance_of_a_stop_is_what_ticking_it_shows(
        setting in prop::sample::select(settings()),
        velocity in -1.0..1.0_f64,
        acceleration in -1.0..1.0_f64,
    ) {
        let (raw, period) = setting;
        let rates = limiter_of(raw, period, 0.0).rates;
        let (mut v, mut a) = (velocity * rates.velocity, acceleration * rates.acceleration);
        let said = rates.stopping_distance(v, a, 0.0);
        let (mut shown, mut ticks) = (0.0, 0);
        while (1e-9 < v.abs() || 1e-9 < a.abs()) && ticks < 100_000 {
            a = rates.stopping(v, a);
            v += a * period;
            shown += v * period;
            ticks += 1;
        }
        prop_assert!((said - shown).abs() < 1e-7 * (1.0 + shown.abs()), "{said} or {shown} in {ticks} ticks");
    }
}

/// The least time for a move from rest to rest (s).
fn optimal_secs(rates: &Rates, distance: f64) -> f64 {
    let (v, a, j) = (rates.velocity, rates.acceleration, rates.step / rates.period);
    let a = a.min((v * j).sqrt()).min((distance * j * j / 2.0).cbrt());
    let ramp = a / j;
    // With the greatest acceleration, the speed that the distance allows.
    let peak = ((a * ramp / 2.0).powi(2) + a * distance).sqrt() - a * ramp / 2.0;
    let peak = peak.min(v);
    distance / peak + peak / a + ramp
}

/// The commands that a limiter at rest at `from` gives while it follows `target` for `secs`.
fn follow(raw: RawLimits, period: f64, from: f64, secs: f64, target: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut limiter = limiter_of(raw, period, from);
    (1..=(secs / period) as usize).map(|tick| limiter.follow(target(tick as f64 * period))).collect()
}

#[test]
fn a_motion_within_the_limits_passes_unchanged() {
    let (amplitude, omega) = (1.5 * 0.5, 4.0_f64);
    let sine = |secs: f64| {
        // The first half turn brings the amplitude in.
        let part = (secs / 2.0).min(1.0);
        let smooth = part.powi(4) * (35.0 - 84.0 * part + 70.0 * part.powi(2) - 20.0 * part.powi(3));
        amplitude * smooth * (omega * secs).sin()
    };
    for (raw, period) in [(RAW, 0.002), (RAW, PERIOD), (RAW, 0.01)] {
        for (tick, command) in follow(raw, period, 0.0, 20.0, sine).iter().enumerate() {
            let wanted = sine((tick + 1) as f64 * period);
            assert!((command - wanted).abs() < 1e-9, "tick {tick}: {command} for {wanted}");
        }
    }
}

/// Integrates the jerk that a joint is to have, as commands see it.
fn integrate(period: f64, from: f64, jerks: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let (mut p, mut v, mut a) = (from, 0.0, 0.0);
    let steps = jerks.into_iter().map(|jerk| {
        a += jerk * period;
        v += a * period;
        p += v * period;
        p
    });
    steps.collect()
}

#[test]
fn a_motion_at_every_limit_that_turns_at_the_end_of_the_travel_passes_unchanged() {
    // Up to the greatest acceleration and speed, then down as hard as possible, until the joint stands and turns.
    let (period, jerk) = (0.002, 1000.0);
    let phases =
        [(jerk, 19), (0.0, 52), (-jerk, 19), (0.0, 10), (-jerk, 19), (0.0, 62), (jerk, 38), (-jerk, 19)];
    let jerks = phases.iter().flat_map(|(jerk, ticks)| std::iter::repeat_n(*jerk, *ticks));
    let motion = integrate(period, 0.0, jerks);
    let upper = motion.iter().copied().fold(0.0, f64::max);
    let raw = RawLimits { lower: -9.0, upper, ..RAW };
    check(&motion, &raw, period);
    let mut limiter = limiter_of(raw, period, 0.0);
    for (tick, wanted) in motion.iter().enumerate() {
        let command = limiter.follow(*wanted);
        assert!((command - wanted).abs() < 1e-9, "tick {tick}: {command} for {wanted}");
    }
}

#[test]
fn a_tracked_motion_whose_velocity_is_of_the_moment_passes_unchanged() {
    let mut limiter = limiter();
    for tick in 1..4000 {
        let secs = f64::from(tick) * PERIOD;
        let part = (secs / 2.0).min(1.0);
        let smooth = part.powi(4) * (35.0 - 84.0 * part + 70.0 * part.powi(2) - 20.0 * part.powi(3));
        let slope = 140.0 * part.powi(3) * (1.0 - part).powi(3) / 2.0;
        let (sine, cosine) = (4.0 * secs).sin_cos();
        let target = 0.75 * smooth * sine;
        let velocity = 0.75 * (4.0 * smooth * cosine + slope * sine);
        assert!((limiter.track(target, velocity) - target).abs() < 1e-9, "tick {tick}");
    }
}

#[test]
fn a_step_is_reached_without_overshoot_and_as_soon_as_possible() {
    for (raw, period) in settings() {
        let rates = limiter_of(raw, period, 0.0).rates;
        for part in [0.001, 0.01, 0.1, 0.3, 0.5, 0.77, 1.0] {
            let distance = part * raw.upper.min(2.0);
            let least = optimal_secs(&rates, distance);
            let commands = follow(raw, period, 0.0, 2.0 * least + 20.0 * period, |_| distance);
            let most = commands.iter().copied().fold(0.0, f64::max);
            // What could be the first tick of a legal motion is followed as one.
            let could_go_on = distance <= rates.step * period * period;
            assert!(could_go_on || most <= distance * (1.0 + 1e-12), "{most} of {distance} in {raw:?}");
            let rest = commands.iter().rposition(|command| *command != distance).map_or(0, |tick| tick + 2);
            let ticks = least / period;
            assert!(
                could_go_on || rest as f64 <= ticks + 2.0,
                "{rest} of {ticks} ticks to {distance} in {raw:?}"
            );
        }
    }
}

#[test]
fn a_target_that_moves_is_caught_up_without_overshoot_and_kept() {
    for (velocity, ahead) in [(1.0, 0.3), (-2.0, 2.0), (3.0, -1.0), (5.0, 0.1), (0.001, 0.5)] {
        let raw = RawLimits { lower: -30.0, upper: 30.0, ..RAW };
        for tracked in [false, true] {
            let mut limiter = limiter_of(raw, PERIOD, 0.0);
            let mut commands = vec![0.0; 4];
            let mut behind = Vec::new();
            for tick in 1..800 {
                let target = ahead + velocity * f64::from(tick) * PERIOD;
                commands.push(if tracked { limiter.track(target, velocity) } else { limiter.follow(target) });
                behind.push(target - limiter.position());
            }
            check(&commands, &raw, PERIOD);
            assert_eq!(behind.last(), Some(&0.0), "{velocity}, {ahead}");
            let met = behind.iter().position(|distance| *distance == 0.0).unwrap();
            assert!(behind[met..].iter().all(|distance| *distance == 0.0), "{velocity}, {ahead}");
            assert!(limiter.acceleration().abs() < 1e-9);
            // It must gain the velocity first, and may fall behind, but does not pass the target to come back.
            let sign = ahead.signum();
            let passes = behind[..met].iter().skip_while(|distance| 0.0 < sign * **distance);
            let crossed = passes.filter(|distance| **distance * sign < -1e-12).count();
            assert!(crossed == 0 || velocity * ahead < 0.0, "{velocity}, {ahead}: {crossed} ticks beyond");
        }
    }
}

#[test]
fn a_target_that_swings_is_caught_up_exactly() {
    let target = |secs: f64| 0.6 + 0.3 * (5.0 * secs).sin();
    let commands = follow(RAW, PERIOD, -1.0, 3.0, target);
    let off = |tick: usize| (commands[tick] - target((tick + 1) as f64 * PERIOD)).abs();
    assert!((200..commands.len()).all(|tick| off(tick) < 1e-12), "{}", off(commands.len() - 1));
}

#[test]
fn braking_takes_no_longer_than_the_limits_ask_for() {
    // From 5 rad/s without acceleration: 38 rad/s2 are reached and given up with 1000 rad/s3.
    let least = 5.0 / 38.0 + 38.0 / 1000.0;
    let state = JointState { position: 0.0, velocity: 5.0, acceleration: 0.0 };
    let raw = RawLimits { lower: -9.0, upper: 9.0, ..RAW };
    let mut limiter = Limiter::moving(JointLimits::new(raw).unwrap(), PERIOD, state);
    let mut ticks = 0;
    while (limiter.velocity(), limiter.acceleration()) != (0.0, 0.0) {
        limiter.brake();
        ticks += 1;
    }
    assert!(f64::from(ticks) <= least / PERIOD + 2.0, "{ticks} ticks");
    assert!(limiter.position() <= 5.0 * least / 2.0 + 1e-9);
}

#[test]
fn a_limiter_in_motion_goes_on_as_it_was() {
    let state = JointState { position: 0.2, velocity: 1.0, acceleration: 10.0 };
    let mut limiter = Limiter::moving(JointLimits::new(RAW).unwrap(), PERIOD, state);
    let (mut p, mut v, mut a) = (0.2, 1.0, 10.0);
    for _ in 0..10 {
        a -= 1.0;
        v += a * PERIOD;
        p += v * PERIOD;
        assert!((limiter.follow(p) - p).abs() < 1e-12);
    }
    assert!((limiter.velocity() - v).abs() < 1e-9 && (limiter.acceleration() - a).abs() < 1e-9);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_limiter_that_starts_in_any_motion_stays_within_the_limits(
        setting in prop::sample::select(settings()),
        position in 0.0..=1.0_f64,
        velocity in hostile_number(),
        acceleration in hostile_number(),
        acts in prop::collection::vec((act(), 1_usize..100), 1..5),
    ) {
        let (raw, period) = setting;
        let (lower, upper) = (raw.lower.max(-4.0), raw.upper.min(4.0));
        let position = lower + position * (upper - lower);
        let state = JointState { position, velocity: velocity * 10.0, acceleration: acceleration * 100.0 };
        let mut limiter = Limiter::moving(JointLimits::new(raw).unwrap(), period, state);
        // The commands before it, had there been any.
        let before = position - limiter.velocity() * period;
        let earlier = before - (limiter.velocity() - limiter.acceleration() * period) * period;
        let mut commands = vec![position];
        for (act, ticks) in acts {
            for tick in 0..ticks {
                commands.push(step(&mut limiter, act, tick, period));
            }
        }
        check(&commands, &raw, period);
        // Those two may be anywhere; they only tell the first jerk.
        let open = RawLimits { lower: -f64::MAX, upper: f64::MAX, max_velocity: f64::MAX, ..raw };
        check(&[&[earlier, before], &commands[..]].concat(), &open, period);
    }

    #[test]
    fn a_joint_outside_its_travel_moves_inwards_only(
        setting in prop::sample::select(settings()),
        outside in 1e-6..2.0_f64,
        acts in prop::collection::vec((act(), 1_usize..60), 1..20),
    ) {
        let (raw, period) = setting;
        let mut limiter = limiter_of(raw, period, 0.0);
        limiter.reset(raw.lower.max(-4.0) - outside);
        let outside_of = |position: f64| (raw.lower - position).max(position - raw.upper).max(1e-9);
        let mut commands = vec![limiter.position(); 4];
        for (act, ticks) in acts {
            for tick in 0..ticks {
                let before = limiter.position();
                commands.push(step(&mut limiter, act, tick, period));
                prop_assert!(outside_of(limiter.position()) <= outside_of(before) + 1e-12);
            }
        }
        check(&commands, &RawLimits { lower: -f64::MAX, upper: f64::MAX, ..raw }, period);
    }
}

#[test]
fn a_joint_outside_its_travel_stays_there_until_it_is_led_inwards() {
    let mut limiter = limiter();
    limiter.reset(1.8);
    assert_eq!((limiter.brake(), limiter.follow(2.0), limiter.follow(1.8)), (1.8, 1.8, 1.8));
    assert!(limiter.follow(1.0) < 1.8);
    (0..200).for_each(|_| {
        limiter.follow(1.0);
    });
    assert_eq!(limiter.position(), 1.0);
}

#[test]
fn a_reset_starts_at_rest() {
    let mut limiter = limiter();
    (0..20).for_each(|_| {
        limiter.follow(1.0);
    });
    limiter.reset(0.4);
    assert_eq!((limiter.position(), limiter.velocity(), limiter.acceleration()), (0.4, 0.0, 0.0));
    assert_eq!(limiter.follow(0.4), 0.4);
    limiter.reset(f64::NAN);
    assert_eq!(limiter.position(), 0.4);
}

#[test]
fn a_speed_factor_ramps_within_its_limits() {
    let raw =
        RawLimits { lower: 0.0, upper: 1.0, max_velocity: 2.0, max_acceleration: 20.0, max_jerk: 400.0 };
    let mut factor = limiter_of(raw, PERIOD, 1.0);
    let commands: Vec<f64> = (0..200).map(|_| factor.follow(0.0)).collect();
    check(&commands, &raw, PERIOD);
    assert_eq!(commands.last(), Some(&0.0));
}
