//! What no sequence of calls can break, and how near the limiter comes to what is possible.

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
        Act::Shake(a, b, every) => limiter.follow(if tick / every % 2 == 0 { a } else { b }),
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
        let secs = 4.0 * optimal_secs(&limiter.rates, (limiter.position() - target).abs() + 1.0) + 20.0 * period;
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
