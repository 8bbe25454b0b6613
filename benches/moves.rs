//! What planning costs: one leg, legs of six joints that end together, the timing of a hundred positions.
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use serde_json::json;
use servo_arm::trajectory::leg::{Leg, plan_together};
use servo_arm::trajectory::limits::{JointLimits, RawLimits};
use servo_arm::trajectory::spline::JointState;
use servo_arm::trajectory::timing::time_waypoints;

/// Measures the planning of moves.
#[derive(Parser)]
struct Options {
    /// Where to write all numbers.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What cargo says to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

const MOVES: usize = 20_000;
const JOINTS: usize = 6;
const TIMINGS: usize = 10;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let mut chance = fastrand::Rng::with_seed(1);
    let moves: Vec<_> = (0..MOVES).map(|_| random_move(&mut chance)).collect();
    let report = json!({
        "leg_us": micros(&moves, |(from, to, limits)| Leg::plan(*from, *to, limits, 0.0)),
        "leg_of_least_duration_us": micros(&moves, |(from, to, limits)| Leg::plan(*from, *to, limits, 10.0)),
        "six_legs_together_us": six_together(&moves),
        "timing_7_joints_100_positions_us": timing(&mut chance),
    });
    println!("{report:#}");
    if let Some(file) = options.json {
        std::fs::write(file, serde_json::to_string_pretty(&report)?)?;
    }
    Ok(())
}

fn six_together(moves: &[(JointState, JointState, JointLimits)]) -> serde_json::Value {
    let arms: Vec<_> = moves
        .chunks_exact(JOINTS)
        .map(|moves| {
            let from: Vec<_> = moves.iter().map(|each| each.0).collect();
            let to: Vec<_> = moves.iter().map(|each| each.1).collect();
            (from, to, moves.iter().map(|each| each.2).collect::<Vec<_>>())
        })
        .collect();
    let mut legs = [Leg::at_rest(0.0); JOINTS];
    micros(&arms, |(from, to, limits)| plan_together(from, to, limits, 0.0, &mut legs))
}

fn timing(chance: &mut fastrand::Rng) -> serde_json::Value {
    let paths: Vec<_> = (0..TIMINGS)
        .map(|_| {
            let phases: Vec<f64> = (0..7).map(|_| 6.0 * chance.f64()).collect();
            let at = |index: usize| phases.iter().map(|phase| (phase + 0.1 * index as f64).sin()).collect();
            (0..100).map(at).collect::<Vec<Vec<f64>>>()
        })
        .collect();
    let limits = vec![limits(2.0, 10.0, 100.0); 7];
    micros(&paths, |path| {
        let start: Vec<_> = path[0].iter().map(|&position| JointState::at_rest(position)).collect();
        time_waypoints(&start, path, &limits)
    })
}

/// Median, 99th percentile and greatest time that one call takes (µs).
fn micros<T, R>(cases: &[T], mut call: impl FnMut(&T) -> R) -> serde_json::Value {
    let mut times: Vec<f64> = cases
        .iter()
        .map(|case| {
            let begun = Instant::now();
            black_box(call(case));
            begun.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    json!({ "median": at(50), "p99": at(99), "max": at(100) })
}

fn random_move(chance: &mut fastrand::Rng) -> (JointState, JointState, JointLimits) {
    let limits = limits(0.5 + 3.0 * chance.f64(), 1.0 + 10.0 * chance.f64(), 10.0 + 90.0 * chance.f64());
    let mut any = |most: f64| most * (2.0 * chance.f64() - 1.0);
    let (velocity, acceleration) = (limits.max_velocity(), limits.max_acceleration());
    let from = JointState { position: any(3.0), velocity: any(velocity), acceleration: any(acceleration) };
    let to = JointState { position: any(3.0), velocity: any(velocity), acceleration: 0.0 };
    (from, to, limits)
}

fn limits(max_velocity: f64, max_acceleration: f64, max_jerk: f64) -> JointLimits {
    let (lower, upper) = (-3.0, 3.0);
    JointLimits::new(RawLimits { lower, upper, max_velocity, max_acceleration, max_jerk }).unwrap()
}
