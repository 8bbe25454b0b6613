//! The motion: quick moves, a gripper that opens and closes, and a slow wave, scaled to whatever joints the arm has.
//!
//! A quick move sets out from a place where a joint needs the smallest motion only until its servo is told another
//! tick: how soon that shows on the wire is then how soon the arm was moved, not how finely servos count.

use r2r::control_msgs::action::FollowJointTrajectory::Goal;
use r2r::std_msgs::msg::Header;
use r2r::trajectory_msgs::msg::{JointTrajectory, JointTrajectoryPoint};
use servo_arm::nodes::messages::{duration_of, stamp_now};
use servo_arm::trajectory::limits::JointLimits;

use super::controllers::{Controllers, DrivenJoint, GripperController};

/// One goal of the motion.
pub(crate) struct Step {
    /// What it is called on the screen.
    pub(crate) name: &'static str,
    /// Whether its first command shows on the wire.
    pub(crate) starts_at_once: bool,
    /// What moves.
    pub(crate) motion: Motion,
}

/// What a goal moves.
pub(crate) enum Motion {
    /// The arm, through these points.
    Arm(Vec<Point>),
    /// The gripper, to this position (rad or m).
    Gripper(f64),
}

/// A point of a trajectory.
pub(crate) struct Point {
    secs: f64,
    positions: Vec<f64>,
    /// Given where the motion is to be smooth.
    velocities: Option<Vec<f64>>,
}

/// The whole motion, from home to home.
pub(crate) struct Script {
    joints: Vec<String>,
    preparation: Step,
    steps: Vec<Step>,
}

/// How much of a joint's travel, to either side, the motion uses.
const REACH: f64 = 0.35;
/// How much of its travel the gripper opens.
const OPENING: f64 = 0.6;
/// A continuous joint turns as if it had this travel (rad).
const CONTINUOUS_TRAVEL: f64 = 3.0;
/// How far before the next tick a joint waits for a quick move (ticks).
const NEARLY: f64 = 0.005;
/// A wave of this many points.
const WAVE_POINTS: u32 = 24;
const WAVE_SECS: f64 = 4.0;

impl Script {
    /// A motion for what these controllers move.
    pub(crate) fn new(controllers: &Controllers) -> Self {
        let joints = &controllers.trajectory.joints;
        let limits: Vec<JointLimits> = joints.iter().map(|joint| joint.limits).collect();
        // Neighbours go opposite ways.
        let pose = |part: f64, next: f64| -> Vec<f64> {
            let signs = (0..).map(|index| if index % 2 == 0 { 1.0 } else { -1.0 });
            joints.iter().zip(signs).map(|(joint, sign)| ready(joint, sign * part, sign * next)).collect()
        };
        let (home, left, right) = (pose(0.0, REACH), pose(REACH, -REACH), pose(-REACH, REACH));
        let quick = |name, from: &Vec<f64>, to: &Vec<f64>| {
            let secs = quick_secs(&limits, from, to);
            let point = Point { secs, positions: to.clone(), velocities: None };
            Step { name, starts_at_once: true, motion: Motion::Arm(vec![point]) }
        };
        let wave = Step { name: "wave", starts_at_once: false, motion: Motion::Arm(wave(&limits, &home)) };
        let (open, close) = controllers.gripper.as_ref().map(grips).unzip();
        let steps = [
            Some(quick("reach out", &home, &left)),
            open,
            Some(quick("reach over", &left, &right)),
            close,
            Some(quick("reach back", &right, &left)),
            Some(quick("come home", &left, &home)),
            Some(wave),
        ];
        Self {
            joints: joints.iter().map(|joint| joint.name.clone()).collect(),
            // Nobody knows where the arm is.
            preparation: Step { starts_at_once: false, ..quick("get ready", &left, &home) },
            steps: steps.into_iter().flatten().collect(),
        }
    }

    /// The goal from which on the steps can be measured.
    pub(crate) fn preparation(&self) -> &Step {
        &self.preparation
    }

    /// The goals, in order.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// A trajectory through these points as a goal that starts now.
    pub(crate) fn goal(&self, points: &[Point]) -> Goal {
        let point = |point: &Point| JointTrajectoryPoint {
            positions: point.positions.clone(),
            velocities: point.velocities.clone().unwrap_or_default(),
            time_from_start: duration_of(point.secs),
            ..JointTrajectoryPoint::default()
        };
        let trajectory = JointTrajectory {
            header: Header { stamp: stamp_now(), ..Header::default() },
            joint_names: self.joints.clone(),
            points: points.iter().map(point).collect(),
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

/// Such a position of a joint, so close to the tick on its way to the `next` one that it is there at once.
fn ready(joint: &DrivenJoint, part: f64, next: f64) -> f64 {
    let DrivenJoint { limits, calibration, .. } = joint;
    let position = at(limits, part);
    let way = calibration.rate_from_rad_s(at(limits, next) - position);
    if way == 0.0 {
        return position;
    }
    let ticks = calibration.rate_from_rad_s(position).round() + way.signum() * (0.5 - NEARLY);
    let nearby = calibration.rate_to_rad_s(ticks);
    if limits.contains(nearby) { nearby } else { position }
}

/// Opens and closes a gripper; closed is home, and it opens to where it has more room.
fn grips(gripper: &GripperController) -> (Step, Step) {
    let grip = |name, part| {
        let motion = Motion::Gripper(at(&gripper.limits, part));
        Step { name, starts_at_once: false, motion }
    };
    let home = at(&gripper.limits, 0.0);
    let opens_downwards = gripper.limits.upper() - home < home - gripper.limits.lower();
    let opening = if opens_downwards { -OPENING } else { OPENING };
    (grip("open the gripper", opening), grip("close the gripper", 0.0))
}

/// The time in which the slowest joint gets there at 20 % of its speed.
fn quick_secs(limits: &[JointLimits], from: &[f64], to: &[f64]) -> f64 {
    const PART_OF_SPEED: f64 = 0.2;
    const LEAST_SECS: f64 = 0.4;
    let secs = limits.iter().zip(from.iter().zip(to));
    let secs = secs.map(|(limits, (from, to))| (to - from).abs() / (PART_OF_SPEED * limits.max_velocity()));
    secs.fold(LEAST_SECS, f64::max)
}

impl Motion {
    /// How long it takes (s); nobody knows how long a gripper does.
    pub(crate) fn secs(&self) -> Option<f64> {
        match self {
            Self::Arm(points) => points.last().map(|point| point.secs),
            Self::Gripper(_) => None,
        }
    }
}

/// A wave that runs through the joints, from rest to rest at home.
fn wave(limits: &[JointLimits], home: &[f64]) -> Vec<Point> {
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
            positions: if rests {
                home.to_vec()
            } else {
                (0..limits.len()).map(|joint| position(part, joint)).collect()
            },
            velocities: Some((0..limits.len()).map(speed).collect()),
        }
    };
    (1..=WAVE_POINTS).map(point).collect()
}

#[cfg(test)]
mod tests {
    use servo_arm::trajectory::limits::RawLimits;
    use servo_arm::units::{Calibration, Radians, Ticks};

    use super::*;

    fn joint(reversed: bool, lower: f64, upper: f64) -> DrivenJoint {
        let raw = RawLimits { lower, upper, max_velocity: 1.0, max_acceleration: 1.0, max_jerk: 1.0 };
        DrivenJoint {
            name: "elbow".to_owned(),
            limits: JointLimits::new(raw).unwrap(),
            calibration: Calibration { zero: Ticks(2048), reversed, ticks_per_turn: 4096.0 },
        }
    }

    #[test]
    fn the_smallest_motion_to_the_next_place_is_another_tick() {
        const SMALL: f64 = 1e-5;
        for (reversed, part, next) in
            [(false, 0.0, 0.3), (true, 0.0, 0.3), (false, 0.3, -0.3), (true, -0.3, 0.0)]
        {
            let joint = joint(reversed, -1.0, 1.2);
            let place = ready(&joint, part, next);
            assert!((place - at(&joint.limits, part)).abs() < 0.0016, "{place}");
            let moved = place + SMALL * (next - part).signum();
            let ticks = |position| joint.calibration.to_ticks(Radians(position));
            assert_ne!(ticks(place), ticks(moved), "{part} to {next}");
            assert_eq!(ticks(place), ticks(2.0 * place - moved), "{part} to {next}");
        }
    }

    #[test]
    fn a_place_is_never_outside_the_travel() {
        for (lower, upper) in [(0.0, 1.0), (0.0005, 1.0), (-1.0, -0.0005)] {
            let joint = joint(false, lower, upper);
            for (part, next) in [(0.0, 0.3), (0.0, -0.3), (0.3, -0.3), (-0.3, 0.3)] {
                let place = ready(&joint, part, next);
                assert!(joint.limits.contains(place), "{place} of {lower} to {upper}");
            }
        }
    }
}
