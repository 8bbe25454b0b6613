//! How fast and how surely poses become joint positions, on the shipped arms and any others.
//!
//! `cold` asks for poses of random joint positions from random seeds. `stress` puts two joints of the target exactly
//! to a limit or to zero. `pointing` and `position` ask for less. `tracking` follows poses 1 mm apart. `unreachable`
//! asks for poses beyond the reach. Every answer is checked by the chain's own forward kinematics.
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

#[path = "ik/asked.rs"]
mod asked;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use asked::Asked;
use clap::Parser;
use nalgebra::{Isometry3, Vector3};
use serde_json::{Value as Json, json};
use servo_arm::kinematics::ik::{
    Aim, Goal, Positions, RotationAim, Search, Solver, Status, Tolerance, TrackOptions,
};
use servo_arm::kinematics::{Chain, RobotModel};

/// Measures inverse kinematics.
#[derive(Parser)]
struct Options {
    /// An arm: its name, its URDF, its base and its tip. The shipped ones where none is given.
    #[arg(long, num_args = 4, value_names = ["NAME", "URDF", "BASE", "TIP"], action = clap::ArgAction::Append)]
    arm: Vec<String>,
    /// Targets of each kind.
    #[arg(long, default_value_t = 10_000)]
    targets: usize,
    /// Other targets for another number.
    #[arg(long, default_value_t = 1)]
    random_seed: u64,
    /// The longest that a solve may take, in microseconds.
    #[arg(long, default_value_t = 5000)]
    time_limit_us: u64,
    /// How often each question is asked; the fastest time counts, which leaves out what other programs took.
    #[arg(long, default_value_t = 1)]
    repeats: u32,
    /// Only these kinds.
    #[arg(long)]
    only: Vec<String>,
    /// Where to write all numbers.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where to write the questions and answers one by one, for others to be asked the same.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// What cargo says to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

const SHIPPED: [[&str; 4]; 2] = [
    ["so101", "urdf/so101.urdf", "base_link", "tool0"],
    ["wx250s", "urdf/wx250s.urdf", "base_link", "tool0"],
];

/// Poses that are followed.
const TRACKED: usize = 1000;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let mut arms: Vec<[&str; 4]> =
        options.arm.chunks_exact(4).map(|arm| [0, 1, 2, 3].map(|word| arm[word].as_str())).collect();
    if arms.is_empty() {
        arms = SHIPPED.to_vec();
    }
    println!(
        "{:<12} {:<12} {:>9} {:>8} {:>8} {:>8} {:>9} {:>6}",
        "arm", "kind", "solved %", "mean µs", "p50", "p99", "max", "steps"
    );
    let mut report = Vec::new();
    let mut answers = Vec::new();
    for [name, urdf, base, tip] in arms {
        let model = RobotModel::from_urdf(&std::fs::read_to_string(urdf)?)?;
        let chain = Chain::between(&model, base, tip)?;
        let began = Instant::now();
        let solver = Solver::new(&chain)?;
        let preparing = began.elapsed();
        let bench = Bench { chain: &chain, solver: &solver, options: &options };
        let mut kinds = serde_json::Map::new();
        let mut sets = Vec::new();
        for (kind, run) in KINDS {
            if options.only.is_empty() || options.only.iter().any(|only| only == kind) {
                let mut result = run(&bench);
                let asked = result.as_object_mut().and_then(|result| result.remove("asked"));
                sets.extend(asked.map(|asked| asked::named(asked, kind)));
                print(name, kind, &result);
                kinds.insert(kind.to_owned(), result);
            }
        }
        answers.push(json!({ "name": name, "urdf": urdf, "base": base, "tip": tip, "sets": sets }));
        report.push(json!({
            "arm": name, "joints": chain.dof(), "preparing_us": micros(preparing), "kinds": kinds,
        }));
    }
    if let Some(file) = options.json {
        std::fs::write(file, serde_json::to_string_pretty(&report)?)?;
    }
    if let Some(file) = options.answers {
        std::fs::write(file, json!({ "arms": answers }).to_string())?;
    }
    Ok(())
}

type Kind = (&'static str, fn(&Bench) -> Json);

const KINDS: [Kind; 6] = [
    ("cold", |bench| bench.solve(Aim::POSE, |bench, random| bench.random(random))),
    ("stress", |bench| bench.solve(Aim::POSE, |bench, random| bench.stressed(random))),
    ("pointing", |bench| bench.solve(Aim::pointing(Vector3::z_axis()), |bench, random| bench.random(random))),
    ("position", |bench| bench.solve(Aim::POSITION, |bench, random| bench.random(random))),
    ("tracking", |bench| bench.track()),
    ("unreachable", |bench| bench.unreachable()),
];

struct Bench<'a> {
    chain: &'a Chain,
    solver: &'a Solver,
    options: &'a Options,
}

impl Bench<'_> {
    /// Targets that can be reached, each from another seed.
    fn solve(&self, aim: Aim, target: fn(&Self, &mut fastrand::Rng) -> Vec<f64>) -> Json {
        let mut random = fastrand::Rng::with_seed(self.options.random_seed);
        let mut times = Times::default();
        let mut asked = Asked::default();
        let (mut solved, mut wrong) = (0, 0);
        for _ in 0..self.options.targets {
            let base_from_tip = self.chain.tip_pose(&target(self, &mut random));
            let seed = self.random(&mut random);
            let goal = Goal { base_from_tip, aim, tolerance: Tolerance::default() };
            let answer = times.solve(self, &goal, &seed);
            if self.options.answers.is_some() {
                asked.add(&base_from_tip, &seed, &answer, times.last());
            }
            let claims = answer.status == Status::Solved;
            let holds = self.is_met(&goal, &answer.positions);
            solved += usize::from(claims && holds);
            wrong += usize::from(claims && !holds);
        }
        let mut report = times.report(solved, wrong);
        if self.options.answers.is_some() {
            report["asked"] = asked.json(&aim);
        }
        report
    }

    /// Goals a bit or far beyond the reach: right answers are approximate.
    fn unreachable(&self) -> Json {
        let mut random = fastrand::Rng::with_seed(self.options.random_seed);
        let mut times = Times::default();
        let (mut right, mut wrong) = (0, 0);
        let mut reach: f64 = 0.0;
        for _ in 0..20_000 {
            reach = reach.max(self.chain.tip_pose(&self.random(&mut random)).translation.vector.norm());
        }
        for _ in 0..self.options.targets.div_ceil(10) {
            let mut pose = self.chain.tip_pose(&self.random(&mut random));
            let outwards = pose.translation.vector.normalize();
            pose.translation.vector = outwards * reach * (1.05 + random.f64());
            let answer = times.solve(self, &Goal::pose(pose), &self.random(&mut random));
            right += usize::from(answer.status == Status::Approximate);
            wrong += usize::from(answer.status == Status::Solved);
        }
        times.report(right, wrong)
    }

    /// Follows random ways through joint space, poses 1 mm (or 2 mrad) apart.
    fn track(&self) -> Json {
        let mut random = fastrand::Rng::with_seed(self.options.random_seed);
        let mut times = Times::default();
        let (mut met, mut jumped) = (0, 0);
        let options = TrackOptions { max_step: 0.1 };
        while times.nanos.len() < self.options.targets.div_ceil(TRACKED) * TRACKED {
            let poses = self.way(&mut random);
            let mut here = poses[0].0.clone();
            for chunk in poses[1..].chunks(10) {
                // Too short for a clock, so ten at once.
                let follow = || {
                    let mut steps = Vec::with_capacity(chunk.len());
                    let mut from = Positions::from_slice(&here);
                    let began = Instant::now();
                    for (_, pose) in chunk {
                        let step = self.solver.track(&Goal::pose(*pose), &from, &options);
                        from = step.positions;
                        steps.push(step);
                    }
                    (began.elapsed(), steps)
                };
                let (mut took, steps) = follow();
                for _ in 1..self.options.repeats {
                    took = took.min(follow().0);
                }
                for ((_, pose), step) in chunk.iter().zip(&steps) {
                    times.add(took / u32::try_from(chunk.len()).unwrap(), 0);
                    met += usize::from(step.is_met && self.is_met(&Goal::pose(*pose), &step.positions));
                    let farthest =
                        step.positions.iter().zip(&here).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                    jumped += usize::from(farthest > 0.1 + 1e-12);
                    here.copy_from_slice(&step.positions);
                }
            }
        }
        times.report(met, jumped)
    }

    /// Joint positions on a straight way in joint space, whose poses are a millimetre apart.
    fn way(&self, random: &mut fastrand::Rng) -> Vec<(Vec<f64>, Isometry3<f64>)> {
        let mut here = self.random(random);
        let mut there = self.random(random);
        let mut way = vec![(here.clone(), self.chain.tip_pose(&here))];
        while way.len() <= TRACKED {
            let ahead: Vec<f64> = here.iter().zip(&there).map(|(a, b)| b - a).collect();
            let length = ahead.iter().map(|value| value * value).sum::<f64>().sqrt();
            if length < 0.01 {
                there = self.random(random);
                continue;
            }
            let at = |part: f64| -> Vec<f64> { here.iter().zip(&ahead).map(|(a, d)| a + part * d).collect() };
            let pose = self.chain.tip_pose(&here);
            let probe = 1e-4 / length;
            let moved = pose.inverse() * self.chain.tip_pose(&at(probe));
            let speed = (moved.translation.vector.norm() / 0.001).max(moved.rotation.angle() / 0.002) / probe;
            here = at((1.0 / speed).min(1.0));
            way.push((here.clone(), self.chain.tip_pose(&here)));
        }
        way
    }

    fn random(&self, random: &mut fastrand::Rng) -> Vec<f64> {
        let place = |range: (f64, f64)| range.0 + (range.1 - range.0) * random.f64();
        self.ranges().map(place).collect()
    }

    /// Two joints exactly at a limit or at zero.
    fn stressed(&self, random: &mut fastrand::Rng) -> Vec<f64> {
        let mut positions = self.random(random);
        let ranges: Vec<(f64, f64)> = self.ranges().collect();
        for _ in 0..2 {
            let joint = random.usize(..ranges.len());
            let (lower, upper) = ranges[joint];
            positions[joint] = [lower, upper, 0.0_f64.clamp(lower, upper)][random.usize(..3)];
        }
        positions
    }

    /// Ranges to draw from: a turn where there is no end.
    fn ranges(&self) -> impl Iterator<Item = (f64, f64)> {
        let turn = (-std::f64::consts::PI, std::f64::consts::PI);
        self.chain
            .joints()
            .iter()
            .map(move |joint| joint.limits.position.map_or(turn, |r| (r.lower, r.upper)))
    }

    /// By the chain's own forward kinematics and limits.
    fn is_met(&self, goal: &Goal, positions: &[f64]) -> bool {
        let goal_from_tip = goal.base_from_tip.inverse() * self.chain.tip_pose(positions);
        let turn = match goal.aim.rotation {
            RotationAim::About(_) => goal_from_tip.rotation.angle(),
            RotationAim::Axis(axis) => (goal_from_tip.rotation * axis).cross(&axis).norm().asin(),
            RotationAim::Free => 0.0,
        };
        let within = self.chain.joints().iter().zip(positions).all(|(joint, &position)| {
            joint.limits.position.is_none_or(|range| range.lower <= position && position <= range.upper)
        });
        within
            && goal_from_tip.translation.vector.norm() <= goal.tolerance.position + 1e-12
            && turn <= goal.tolerance.rotation + 1e-12
    }
}

#[derive(Default)]
struct Times {
    nanos: Vec<u64>,
    steps: u64,
}

impl Times {
    fn solve(&mut self, bench: &Bench, goal: &Goal, seed: &[f64]) -> servo_arm::kinematics::ik::Answer {
        let limit = Duration::from_micros(bench.options.time_limit_us);
        let ask = || {
            let began = Instant::now();
            let is_time_up = || limit <= began.elapsed();
            let search = Search { is_time_up: &is_time_up, ..Search::from(seed) };
            let answer = bench.solver.solve(goal, &search);
            (answer, began.elapsed())
        };
        let (answer, mut took) = ask();
        for _ in 1..bench.options.repeats {
            took = took.min(ask().1);
        }
        self.add(took, answer.iterations);
        answer
    }

    /// What the last one took, in nanoseconds.
    fn last(&self) -> u64 {
        self.nanos.last().copied().unwrap_or(0)
    }

    fn add(&mut self, took: Duration, steps: u32) {
        self.nanos.push(u64::try_from(took.as_nanos()).unwrap());
        self.steps += u64::from(steps);
    }

    fn report(mut self, right: usize, wrong: usize) -> Json {
        self.nanos.sort_unstable();
        let count = self.nanos.len();
        let at = |per_mille: usize| self.nanos[(per_mille * count / 1000).min(count - 1)] as f64 * 1e-3;
        json!({
            "targets": count,
            "right_percent": 100.0 * right as f64 / count as f64,
            "wrong": wrong,
            "mean_us": self.nanos.iter().sum::<u64>() as f64 * 1e-3 / count as f64,
            "p50_us": at(500),
            "p99_us": at(990),
            "max_us": at(1000),
            "steps": self.steps as f64 / count as f64,
        })
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn print(arm: &str, kind: &str, result: &Json) {
    let number = |key: &str| result[key].as_f64().unwrap();
    println!(
        "{arm:<12} {kind:<12} {:>9.3} {:>8.2} {:>8.2} {:>8.2} {:>9.2} {:>6.1}{}",
        number("right_percent"),
        number("mean_us"),
        number("p50_us"),
        number("p99_us"),
        number("max_us"),
        number("steps"),
        if number("wrong") == 0.0 { "" } else { "  WRONG" }
    );
}
