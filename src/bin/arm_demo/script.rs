//! The motion: quick moves, a gripper that opens and closes, and a slow wave, scaled to whatever joints the arm has.
//!
//! A quick move sets out from a place where a joint needs the smallest motion only until its servo is told another
//! tick: how soon that shows on the wire is then how soon the arm was moved, not how finely servos count.
//!
//! Knows no ROS: the tests run the same motion without it.

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
    /// When it is to be reached, from the beginning (s).
    pub(crate) secs: f64,
    /// Where every joint is then (rad or m).
    pub(crate) positions: Vec<f64>,
    /// How fast every joint is then (rad/s or m/s); given where the motion is to be smooth.
    pub(crate) velocities: Option<Vec<f64>>,
}

/// The whole motion, from home to home.
pub(crate) struct Script {
    preparation: Step,
    steps: Vec<Step>,
}

/// How much of a joint's travel, to either side, the motion uses.
const REACH: f64 = 0.35;
/// How much of its travel the gripper opens.
const OPENING: f64 = 0.6;
/// A continuous joint turns as if it had this travel (rad).
const CONTINUOUS_TRAVEL: f64 = 3.0;
/// A joint with less than this part of its travel beside its zero has its home in the middle.
const LEAST_ROOM: f64 = 0.05;
/// How far before the next tick a joint waits for a quick move (ticks).
const NEARLY: f64 = 0.005;
/// A wave of this many points.
const WAVE_POINTS: u32 = 24;
/// It lasts so long, and longer where a joint would need more than these parts of its speed and acceleration.
const WAVE_SECS: f64 = 4.0;
const PART_OF_SPEED: f64 = 0.6;
const PART_OF_ACCELERATION: f64 = 0.5;

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
}

/// Where a joint is at home: at its zero, or in the middle of its travel where that has hardly any room beside the zero.
fn home(limits: &JointLimits) -> f64 {
    let travel = limits.upper() - limits.lower();
    let room = limits.upper().min(-limits.lower());
    if travel.is_finite() && room < LEAST_ROOM * travel {
        return f64::midpoint(limits.lower(), limits.upper());
    }
    0.0_f64.clamp(limits.lower(), limits.upper())
}

/// A position between home (0) and the ends of the travel (-1 and 1).
fn at(limits: &JointLimits, part: f64) -> f64 {
    let home = home(limits);
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

/// Opens and closes a gripper; closed is where it is nearest to its zero, and it opens to where it has more room.
fn grips(gripper: &GripperController) -> (Step, Step) {
    let grip = |name, position| {
        let motion = Motion::Gripper(position);
        Step { name, starts_at_once: false, motion }
    };
    let limits = &gripper.limits;
    let closed = 0.0_f64.clamp(limits.lower(), limits.upper());
    let (down, up) = (closed - limits.lower(), limits.upper() - closed);
    let way = if up < down { -down } else { up };
    let open = closed + OPENING * way.clamp(-CONTINUOUS_TRAVEL, CONTINUOUS_TRAVEL);
    (grip("open the gripper", open), grip("close the gripper", closed))
}

/// The time in which the slowest joint gets there at 20 % of its speed, and half of its acceleration.
fn quick_secs(limits: &[JointLimits], from: &[f64], to: &[f64]) -> f64 {
    const PART_OF_SPEED: f64 = 0.2;
    const LEAST_SECS: f64 = 0.4;
    let secs = |(limits, (from, to)): (&JointLimits, (&f64, &f64))| {
        let way = (to - from).abs();
        let at_speed = way / (PART_OF_SPEED * limits.max_velocity());
        at_speed.max(2.0 * (way / (PART_OF_ACCELERATION * limits.max_acceleration())).sqrt())
    };
    limits.iter().zip(from.iter().zip(to)).map(secs).fold(LEAST_SECS, f64::max)
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
    let wave = Wave { limits };
    let secs = wave.secs();
    let joints = 0..limits.len();
    let point = |index: u32| {
        let part = f64::from(index) / f64::from(WAVE_POINTS);
        let rests = index == WAVE_POINTS;
        let speed = |joint| if rests { 0.0 } else { wave.slope(part, joint) / secs };
        Point {
            secs: part * secs,
            positions: if rests {
                home.to_vec()
            } else {
                joints.clone().map(|joint| wave.position(part, joint)).collect()
            },
            velocities: Some(joints.clone().map(speed).collect()),
        }
    };
    (1..=WAVE_POINTS).map(point).collect()
}

/// A wave as a function of the part of it that is over (0 to 1).
struct Wave<'a> {
    limits: &'a [JointLimits],
}

impl Wave<'_> {
    fn position(&self, part: f64, joint: usize) -> f64 {
        const DELAY: f64 = 0.12;
        // sin² makes it start and end at rest; the delay makes it a wave.
        let envelope = (std::f64::consts::PI * part).sin().powi(2);
        let phase = std::f64::consts::TAU * (part - DELAY * joint as f64);
        at(&self.limits[joint], REACH * envelope * phase.sin())
    }

    /// How fast the position changes with the part.
    fn slope(&self, part: f64, joint: usize) -> f64 {
        const STEP: f64 = 1e-6;
        (self.position(part + STEP, joint) - self.position(part - STEP, joint)) / (2.0 * STEP)
    }

    /// How fast the slope changes with the part.
    fn bend(&self, part: f64, joint: usize) -> f64 {
        const STEP: f64 = 1e-4;
        (self.slope(part + STEP, joint) - self.slope(part - STEP, joint)) / (2.0 * STEP)
    }

    /// How long it lasts, so that no joint has to hurry (s).
    fn secs(&self) -> f64 {
        let needed = |(joint, limits): (usize, &JointLimits)| {
            let of_point = move |index: u32| {
                let part = f64::from(index) / f64::from(WAVE_POINTS);
                let of_speed = self.slope(part, joint).abs() / (PART_OF_SPEED * limits.max_velocity());
                let most = PART_OF_ACCELERATION * limits.max_acceleration();
                of_speed.max((self.bend(part, joint).abs() / most).sqrt())
            };
            (0..WAVE_POINTS).map(of_point).fold(WAVE_SECS, f64::max)
        };
        self.limits.iter().enumerate().map(needed).fold(WAVE_SECS, f64::max)
    }
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
    fn every_joint_has_room_to_both_sides_of_its_home() {
        for (lower, upper) in [(-1.9, 1.9), (0.0, 3.5), (0.015, 0.037), (-3.0, -1.0), (-0.01, 2.0)] {
            let limits = joint(false, lower, upper).limits;
            for part in [-1.0, 1.0] {
                let way = at(&limits, part) - at(&limits, 0.0);
                assert!(LEAST_ROOM * (upper - lower) <= way * part, "{way} of {lower} to {upper}");
                assert!(limits.contains(at(&limits, part)));
            }
        }
        let endless = joint(false, f64::NEG_INFINITY, f64::INFINITY).limits;
        assert_eq!([-1.0, 0.0, 1.0].map(|part| at(&endless, part)), [-3.0, 0.0, 3.0]);
    }

    #[test]
    fn no_joint_has_to_hurry_whatever_it_can() {
        for (max_velocity, max_acceleration) in [(0.05, 100.0), (5.0, 0.1), (5.0, f64::INFINITY)] {
            let raw = RawLimits { lower: -2.0, upper: 2.0, max_velocity, max_acceleration, max_jerk: 100.0 };
            let limits = [JointLimits::new(raw).unwrap(); 3];
            let home = [0.0; 3];
            let mut from = (0.0, home.to_vec());
            for point in wave(&limits, &home) {
                for (at, was) in point.positions.iter().zip(&from.1) {
                    assert!((at - was).abs() <= max_velocity * (point.secs - from.0));
                }
                from = (point.secs, point.positions);
            }
            // From rest to rest, the acceleration of a motion of least acceleration is four times the way over t².
            let secs = quick_secs(&limits, &home, &[1.0, -2.0, 0.0]);
            assert!(4.0 * 2.0 / (secs * secs) <= max_acceleration && 2.0 / secs <= max_velocity);
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
