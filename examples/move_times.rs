//! Plans moves for whoever wants to check them: one JSON object a line on stdin, one on stdout for each.
//!
//! In: `{"from": [[p, v, a], …], "to": [[p, v, a], …], "limits": [[v, a, j], …], "least": s, "samples": n}`, one entry
//! for each joint; a limit of `null` is none. Out: `{"duration": s, "samples": [[[p, v, a], …], …]}`, n + 1 samples from
//! start to end for each joint, or `{"error": "…"}`.

use std::io::{BufRead as _, Write as _};

use serde::Deserialize;
use serde_json::{Value, json};
use servo_arm::trajectory::leg::{Leg, plan_together};
use servo_arm::trajectory::limits::{JointLimits, RawLimits};
use servo_arm::trajectory::spline::JointState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    from: Vec<[f64; 3]>,
    to: Vec<[f64; 3]>,
    limits: Vec<(f64, Option<f64>, Option<f64>)>,
    least: f64,
    samples: u32,
}

fn main() -> anyhow::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let wanted: Move = serde_json::from_str(&line?)?;
        let answer = plan(&wanted).unwrap_or_else(|error| json!({ "error": format!("{error:#}") }));
        writeln!(out, "{answer}")?;
    }
    Ok(())
}

fn plan(wanted: &Move) -> anyhow::Result<Value> {
    let (from, to) = (states(&wanted.from), states(&wanted.to));
    let limits = wanted.limits.iter().copied().map(limits).collect::<anyhow::Result<Vec<_>>>()?;
    let mut legs = vec![Leg::at_rest(0.0); from.len()];
    let duration = plan_together(&from, &to, &limits, wanted.least, &mut legs)?;
    let samples: Vec<_> = legs.iter().map(|leg| samples(leg, wanted.samples)).collect();
    Ok(json!({ "duration": duration, "samples": samples }))
}

fn samples(leg: &Leg, count: u32) -> Vec<[f64; 3]> {
    let time = |index| {
        if index < count { leg.duration() * f64::from(index) / f64::from(count) } else { leg.duration() }
    };
    let sample = |index| {
        let JointState { position, velocity, acceleration } = leg.sample(time(index));
        [position, velocity, acceleration]
    };
    (0..=count).map(sample).collect()
}

fn states(numbers: &[[f64; 3]]) -> Vec<JointState> {
    let state =
        |&[position, velocity, acceleration]: &[f64; 3]| JointState { position, velocity, acceleration };
    numbers.iter().map(state).collect()
}

fn limits(
    (max_velocity, acceleration, jerk): (f64, Option<f64>, Option<f64>),
) -> anyhow::Result<JointLimits> {
    Ok(JointLimits::new(RawLimits {
        lower: f64::NEG_INFINITY,
        upper: f64::INFINITY,
        max_velocity,
        max_acceleration: acceleration.unwrap_or(f64::INFINITY),
        max_jerk: jerk.unwrap_or(f64::INFINITY),
    })?)
}
