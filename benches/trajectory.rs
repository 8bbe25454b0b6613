//! What a trajectory costs: validating it, sampling it in order and at random, and the memory that it takes.
//!
//! Seven joints and a thousand points, as lines, cubics and quintics. Samples are too short to be clocked one by one:
//! a time is the mean of a batch.
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

use std::f64::consts::TAU;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use hdrhistogram::Histogram;
use serde_json::{Value as Json, json};
use servo_arm::servo::clock;
use servo_arm::trajectory::limits::{JointLimits, RawLimits};
use servo_arm::trajectory::spline::JointState;
use servo_arm::trajectory::waypoints::{LimitsPolicy, Point, Rules, Trajectory, Waypoints};

/// Measures validating and sampling.
#[derive(Parser)]
struct Options {
    /// Where to write all numbers.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How long to measure, all in all.
    #[arg(long, value_name = "N", default_value_t = 6.0)]
    seconds: f64,
    /// What cargo says to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

const JOINTS: usize = 7;
const POINTS: usize = 1000;
/// The time between two points.
const STEP_SECS: f64 = 0.05;
/// Samples that are clocked together.
const BATCH: u32 = 16;
const KINDS: [&str; 3] = ["linear", "cubic", "quintic"];
const MEASUREMENTS: [&str; 4] = ["validate", "retime", "sample_in_order", "sample_at_random"];

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let each = options.seconds.clamp(0.5, 3600.0) / (KINDS.len() * MEASUREMENTS.len()) as f64;
    let kinds = KINDS.map(|kind| (kind.to_owned(), measure(kind, Duration::from_secs_f64(each))));
    let mut report = json!({ "machine": machine(), "joints": JOINTS, "points": POINTS });
    for (kind, measured) in kinds {
        report[kind] = measured;
    }
    print(&report);
    if let Some(file) = options.json {
        std::fs::write(file, serde_json::to_string_pretty(&report)?)?;
    }
    Ok(())
}

fn measure(kind: &str, lasts: Duration) -> Json {
    let message = message(kind, 1.0);
    // Too fast by half: every point has to be moved.
    let hasty = self::message(kind, 1.5);
    let mut trajectory = validate(&message, LimitsPolicy::Shorten);
    let end = trajectory.spline.duration();
    let mut time = 0.0;
    let in_order = time_each(lasts, BATCH, || {
        time = if time < end { time + 0.001 } else { 0.0 };
        sample(&mut trajectory, time)
    });
    let mut random = fastrand::Rng::with_seed(1);
    let at_random = time_each(lasts, BATCH, || sample(&mut trajectory, random.f64() * end));
    json!({
        "validate_us": time_each(lasts, 1, || { black_box(validate(&message, LimitsPolicy::Shorten)); }),
        "retime_us": time_each(lasts, 1, || { black_box(validate(&hasty, LimitsPolicy::Retime)); }),
        "sample_in_order_us": in_order,
        "sample_at_random_us": at_random,
        "memory_bytes": trajectory.spline.size_bytes(),
        "slowed_by": validate(&hasty, LimitsPolicy::Retime).slowed.map(|slowed| slowed.factor),
    })
}

fn sample(trajectory: &mut Trajectory, time: f64) {
    trajectory.spline.sample(black_box(time), |column, state| {
        black_box((column, state));
    });
}

/// Waves in every joint, played at a multiple of their speed.
fn message(kind: &str, speed: f64) -> Waypoints {
    let point = |index: usize| {
        let time = STEP_SECS * (index as f64 + 1.0);
        let list = |value: fn(f64, f64) -> f64| -> Vec<f64> {
            (0..JOINTS).map(|joint| value(TAU * (0.1 + 0.02 * joint as f64), time)).collect()
        };
        let is_last = index + 1 == POINTS;
        let mut velocities = list(|rate, time| rate * (rate * time).cos());
        if is_last {
            velocities.fill(0.0);
        }
        Point {
            time_from_start: time / speed,
            positions: list(|rate, time| (rate * time).sin()),
            velocities: if kind == "linear" {
                vec![]
            } else {
                velocities.iter().map(|v| v * speed).collect()
            },
            accelerations: match kind {
                "quintic" => list(|rate, time| -rate * rate * (rate * time).sin())
                    .iter()
                    .map(|acceleration| acceleration * speed * speed)
                    .collect(),
                _ => vec![],
            },
            effort: vec![],
        }
    };
    Waypoints { joint_names: names(), points: (0..POINTS).map(point).collect() }
}

fn names() -> Vec<String> {
    (1..=JOINTS).map(|joint| format!("joint_{joint}")).collect()
}

fn validate(message: &Waypoints, policy: LimitsPolicy) -> Trajectory {
    let raw = RawLimits {
        lower: -2.0,
        upper: 2.0,
        max_velocity: 1.6,
        max_acceleration: 400.0,
        max_jerk: 1_000_000.0,
    };
    let (joints, limits) = (names(), [JointLimits::new(raw).unwrap(); JOINTS]);
    let start = [JointState::default(); JOINTS];
    message.validate(Rules { start: &start, policy, ..Rules::new(&joints, &limits) }).unwrap()
}

/// The times of calls (µs), each the mean of a batch.
fn time_each(lasts: Duration, batch: u32, mut call: impl FnMut()) -> Json {
    let mut times = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).unwrap();
    let begun = clock::now();
    let mut at = begun;
    while at.saturating_since(begun) < lasts {
        (0..batch).for_each(|_| call());
        let after = clock::now();
        times.saturating_record(u64::try_from(after.saturating_since(at).as_nanos()).unwrap().max(1));
        at = after;
    }
    let micros = |nanos: f64| nanos / 1e3 / f64::from(batch);
    json!({
        "mean": micros(times.mean()),
        "p50": micros(times.value_at_quantile(0.5) as f64),
        "p99": micros(times.value_at_quantile(0.99) as f64),
        "max": micros(times.max() as f64),
        "batches": times.len(),
    })
}

/// What the numbers depend on besides us.
fn machine() -> Json {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<f64> = load.split(' ').take(3).filter_map(|part| part.parse().ok()).collect();
    let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    json!({ "processors": processors, "load_average": load })
}

fn print(report: &Json) {
    let machine = &report["machine"];
    println!("{} processors, load {}", machine["processors"], machine["load_average"]);
    println!("{JOINTS} joints, {POINTS} points");
    println!("{:<28}{:>10}{:>10}{:>10}{:>10}", "µs", "mean", "p50", "p99", "max");
    for kind in KINDS {
        for measurement in MEASUREMENTS {
            let times = &report[kind][format!("{measurement}_us")];
            let [mean, p50, p99, max] =
                ["mean", "p50", "p99", "max"].map(|name| times[name].as_f64().unwrap_or(f64::NAN));
            let name = format!("{kind} {}", measurement.replace('_', " "));
            println!("{name:<28}{mean:>10.3}{p50:>10.3}{p99:>10.3}{max:>10.3}");
        }
        println!("{kind} memory: {} bytes", report[kind]["memory_bytes"]);
    }
}
