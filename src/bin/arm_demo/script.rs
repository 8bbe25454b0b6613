//! The motion: quick moves and a slow wave, scaled to whatever joints the arm has.

use r2r::control_msgs::action::FollowJointTrajectory::Goal;
use r2r::std_msgs::msg::Header;
use r2r::trajectory_msgs::msg::{JointTrajectory, JointTrajectoryPoint};
use servo_arm::nodes::messages::{duration_of, stamp_now};
use servo_arm::trajectory::limits::JointLimits;

/// One goal of the motion.
pub(crate) struct Step {
    /// What it is called on the screen.
    pub(crate) name: &'static str,
    /// Whether it sets out at full speed, so that its first command shows on the wire.
    pub(crate) starts_at_once: bool,
    points: Vec<Point>,
}

struct Point {
    secs: f64,
    positions: Vec<f64>,
    /// Given where the motion is to be smooth.
    velocities: Option<Vec<f64>>,
}

/// The whole motion, from home to home.
pub(crate) struct Script {
    joints: Vec<String>,
    steps: Vec<Step>,
}

/// How much of a joint's travel, to either side, the motion uses.
const REACH: f64 = 0.35;
/// A continuous joint turns as if it had this travel (rad).
const CONTINUOUS_TRAVEL: f64 = 3.0;
/// A wave of this many points.
const WAVE_POINTS: u32 = 24;
const WAVE_SECS: f64 = 4.0;

impl Script {
    /// A motion for joints with these limits.
    pub(crate) fn new(joints: &[String], limits: &[JointLimits]) -> Self {
        let pose =
            |part: &dyn Fn(usize) -> f64| limits.iter().enumerate().map(|(i, l)| at(l, part(i))).collect();
        let home: Vec<f64> = pose(&|_| 0.0);
        let left: Vec<f64> = pose(&|joint| if joint % 2 == 0 { REACH } else { -REACH });
        let right: Vec<f64> = pose(&|joint| if joint % 2 == 0 { -REACH } else { REACH });
        let quick = |name, to: &Vec<f64>, from: &Vec<f64>| {
            let secs = quick_secs(limits, from, to);
            let points = vec![Point { secs, positions: to.clone(), velocities: None }];
            Step { name, starts_at_once: true, points }
        };
        let steps = vec![
            quick("reach out", &left, &home),
            quick("reach over", &right, &left),
            quick("reach back", &left, &right),
            quick("come home", &home, &left),
            Step { name: "wave", starts_at_once: false, points: wave(limits) },
        ];
        Self { joints: joints.to_vec(), steps }
    }

    /// The goals, in order.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// A step as a goal that starts now.
    pub(crate) fn goal(&self, step: &Step) -> Goal {
        let point = |point: &Point| JointTrajectoryPoint {
            positions: point.positions.clone(),
            velocities: point.velocities.clone().unwrap_or_default(),
            time_from_start: duration_of(point.secs),
            ..JointTrajectoryPoint::default()
        };
        let trajectory = JointTrajectory {
            header: Header { stamp: stamp_now(), ..Header::default() },
            joint_names: self.joints.clone(),
            points: step.points.iter().map(point).collect(),
        };
        Goal { trajectory, ..Goal::default() }
    }
}

/// A position between the middle of the travel (0) and its ends (-1 and 1), the joint's zero being home if it can be.
fn at(limits: &JointLimits, part: f64) -> f64 {
    let home = 0.0_f64.clamp(limits.lower(), limits.upper());
    let end = if part < 0.0 { limits.lower() } else { limits.upper() };
    let travel = (end - home).abs().min(CONTINUOUS_TRAVEL);
    home + part * travel
}

/// The time in which the slowest joint gets there at 20 % of its speed.
fn quick_secs(limits: &[JointLimits], from: &[f64], to: &[f64]) -> f64 {
    const PART_OF_SPEED: f64 = 0.2;
    const LEAST_SECS: f64 = 0.4;
    let secs = limits.iter().zip(from.iter().zip(to));
    let secs = secs.map(|(limits, (from, to))| (to - from).abs() / (PART_OF_SPEED * limits.max_velocity()));
    secs.fold(LEAST_SECS, f64::max)
}

/// A wave that runs through the joints, from rest to rest.
fn wave(limits: &[JointLimits]) -> Vec<Point> {
    const DELAY: f64 = 0.12;
    let shape = |part: f64, joint: usize| {
        // sin² makes it start and end at rest; the delay makes it a wave.
        let envelope = (std::f64::consts::PI * part).sin().powi(2);
        let phase = std::f64::consts::TAU * (part - DELAY * joint as f64);
        REACH * envelope * phase.sin()
    };
    let position = |part: f64, joint: usize| at(&limits[joint], shape(part, joint));
    let velocity = |part: f64, joint: usize| {
        const STEP: f64 = 1e-6;
        (position(part + STEP, joint) - position(part - STEP, joint)) / (2.0 * STEP * WAVE_SECS)
    };
    let point = |index: u32| {
        let part = f64::from(index) / f64::from(WAVE_POINTS);
        let rests = index == WAVE_POINTS;
        let speed = |joint| if rests { 0.0 } else { velocity(part, joint) };
        Point {
            secs: part * WAVE_SECS,
            positions: (0..limits.len()).map(|joint| position(part, joint)).collect(),
            velocities: Some((0..limits.len()).map(speed).collect()),
        }
    };
    (1..=WAVE_POINTS).map(point).collect()
}
