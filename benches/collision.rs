//! What a collision check costs: the clearance of the nearest pair, and whether a posture is clear.
//!
//! Random postures within the limits, on the shipped arms alone and over a table with a box on it.
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use nalgebra::{Isometry3, Vector3};
use serde_json::json;
use servo_arm::collision::{Checker, CollisionModel, Damper, ObstacleShape, Options};
use servo_arm::kinematics::{Chain, RobotModel, Shape};

/// Measures collision checks.
#[derive(Parser)]
struct Arguments {
    /// Where to write all numbers.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What cargo says to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

const POSTURES: usize = 20_000;
const MARGIN: f64 = 0.01;
const DAMPER: Damper = Damper { margin: MARGIN, slow_within: 0.1, speed: 0.2 };
const ARMS: [(&str, &str); 2] =
    [("so101", include_str!("../urdf/so101.urdf")), ("wx250s", include_str!("../urdf/wx250s.urdf"))];

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut report = serde_json::Map::new();
    for (name, urdf) in ARMS {
        let robot = RobotModel::from_urdf(urdf)?;
        let begun = Instant::now();
        let mut model = CollisionModel::new(&robot, &Options::default())?;
        let loading = begun.elapsed().as_secs_f64() * 1e3;
        let chain = Chain::between(&robot, "base_link", "tool0")?;
        let alone = measure(&model, &chain);
        furnish(&mut model);
        let furnished = measure(&model, &chain);
        report.insert(
            name.to_owned(),
            json!({ "load_ms": loading, "alone": alone, "over_a_table_with_a_box": furnished }),
        );
    }
    let report = serde_json::Value::from(report);
    println!("{report:#}");
    if let Some(file) = arguments.json {
        std::fs::write(file, serde_json::to_string_pretty(&report)?)?;
    }
    Ok(())
}

fn furnish(model: &mut CollisionModel) {
    model.add_obstacle("table", &ObstacleShape::HalfSpace, &Isometry3::identity()).unwrap();
    let size = Vector3::new(0.1, 0.1, 0.15);
    let pose = Isometry3::translation(0.2, 0.2, 0.075);
    model.add_obstacle("box", &ObstacleShape::Solid(Shape::Box { size }), &pose).unwrap();
}

fn measure(model: &CollisionModel, chain: &Chain) -> serde_json::Value {
    let checker = Checker::new(model, chain).unwrap();
    let mut chance = fastrand::Rng::with_seed(1);
    let ranges: Vec<_> = chain.joints().iter().map(|joint| joint.limits.position.unwrap()).collect();
    let mut any = || -> Vec<f64> {
        ranges.iter().map(|range| range.lower + (range.upper - range.lower) * chance.f64()).collect()
    };
    let postures: Vec<Vec<f64>> = (0..POSTURES).map(|_| any()).collect();
    let clear: Vec<_> =
        postures.iter().filter(|posture| checker.is_clear(posture, MARGIN)).cloned().collect();
    let velocities = vec![1.0; chain.dof()];
    let mut gradient = vec![0.0; chain.dof()];
    json!({
        "pairs": checker.pairs(),
        "clear_of_postures": clear.len() as f64 / POSTURES as f64,
        "clearance_us": micros(&postures, |posture| checker.clearance(posture).distance),
        "clearance_of_clear_us": micros(&clear, |posture| checker.clearance(posture).distance),
        "is_clear_us": micros(&postures, |posture| f64::from(checker.is_clear(posture, MARGIN))),
        "is_clear_of_clear_us": micros(&clear, |posture| f64::from(checker.is_clear(posture, MARGIN))),
        "gradient_us": micros(&clear, |posture| checker.gradient(posture, &mut gradient).distance),
        "speed_factor_us": micros(&clear, |posture| checker.speed_factor(posture, &velocities, &DAMPER)),
    })
}

/// Mean, median, 99th percentile and greatest time of one call (µs). Of three times in a row the least counts: the
/// machine is shared.
fn micros<T>(cases: &[T], mut call: impl FnMut(&T) -> f64) -> serde_json::Value {
    let mut time = |case: &T| {
        let begun = Instant::now();
        black_box(call(case));
        begun.elapsed().as_secs_f64() * 1e6
    };
    let least = |case: &T| (0..3).map(|_| time(case)).fold(f64::INFINITY, f64::min);
    let mut times: Vec<f64> = cases.iter().map(least).collect();
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    json!({ "mean": mean, "median": at(50), "p99": at(99), "max": at(100) })
}
