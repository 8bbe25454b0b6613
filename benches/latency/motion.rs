//! The goals, and what the wire must show for them: when the arm set out, and when it left an old motion.
//!
//! Every goal is one point with zero velocity, so that its motion is the cubic `from + by·(3u² − 2u³)`, `u` being its
//! time over its duration. Each joint goes another distance, so that their ticks change at different times and tell
//! together what a single one cannot. Of an old motion only the moment of its start is unknown to a client; it is the
//! one that fits best to the writes before the client asked for something else. A write *lags* if a joint is more than
//! half a tick, and what these writes were off at most, behind that cubic. The old motion was left with the first write
//! from which on all lag until its end. Where the limits on jerk are low that can be seen a cycle late.

use r2r::builtin_interfaces::msg::Time as Stamp;
use r2r::control_msgs::action::FollowJointTrajectory::Goal;
use r2r::std_msgs::msg::Header;
use r2r::trajectory_msgs::msg::{JointTrajectory, JointTrajectoryPoint};
use servo_arm::nodes::messages::duration_of;
use servo_arm::servo::control_thread::ArmSetup;
use servo_arm::trajectory::limits::JointLimits;
use servo_arm::units::{Calibration, Radians};

use crate::client::Joints;
use crate::wire::Write;

/// The joints that move, and the place where they rest between two motions.
pub(crate) struct Motion {
    joints: Vec<MovedJoint>,
}

struct MovedJoint {
    name: String,
    id: u8,
    calibration: Calibration,
    limits: JointLimits,
    /// Where it rests (ticks), and in which direction it sets out from there (1 or -1).
    rest: f64,
    direction: f64,
    /// Its part of the greatest distance.
    part: f64,
}

/// Where each joint is (ticks, exact).
pub(crate) type Pose = Vec<f64>;

/// A motion that something else took the place of.
pub(crate) struct OldMotion {
    /// When its goal was sent (unix time, ns).
    pub(crate) sent: i64,
    pub(crate) secs: f64,
    pub(crate) from: Pose,
    pub(crate) to: Pose,
}

/// A few are enough.
const MOST_JOINTS: usize = 5;
/// How far from where the next tick begins a joint rests (ticks).
const NEARLY: f64 = 0.01;
/// What a motion may use of the joints' limits.
const PART_OF_LIMITS: f64 = 0.5;
/// Within the goal tolerance of every joint, so that results do not wait for servos (rad).
const LONGEST_WAY: f64 = 0.04;
/// Room to both sides of the place of rest (rad).
const ROOM: f64 = 0.1;
/// At least so much is not told from a cycle that was a little late (ticks).
const LEAST_NOISE: f64 = 0.6;

impl Motion {
    /// A motion of the first few of the controller's joints, around where they are.
    pub(crate) fn new(setup: &ArmSetup, controlled: &Joints) -> Self {
        let joint = |(index, (name, reference)): (usize, (&String, &f64))| {
            let joint = setup.joints.iter().position(|joint| joint == name)?;
            let (limits, servo) = (setup.limits[joint], setup.hardware.servos.get(joint)?);
            let home = reference.max(limits.lower() + ROOM).min(limits.upper() - ROOM);
            let direction = if index % 2 == 0 { 1.0 } else { -1.0 };
            let home = f64::from(servo.calibration.to_ticks(Radians(home)).0);
            Some(MovedJoint {
                name: name.clone(),
                id: servo.id,
                calibration: servo.calibration,
                limits,
                rest: home + direction * (0.5 - NEARLY),
                direction,
                part: 1.0 - 0.12 * index as f64,
            })
        };
        let controlled = controlled.names.iter().zip(&controlled.references);
        Self { joints: controlled.take(MOST_JOINTS).enumerate().filter_map(joint).collect() }
    }

    /// The joints' names.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.joints.iter().map(|joint| joint.name.as_str()).collect()
    }

    /// Where the arm rests between two motions.
    pub(crate) fn rest(&self) -> Pose {
        self.joints.iter().map(|joint| joint.rest).collect()
    }

    /// As far out as the limits allow to go in `secs`; the way back from there shows at once, too.
    pub(crate) fn out(&self, secs: f64) -> Pose {
        let place = |joint: &MovedJoint| {
            let ticks = joint.calibration.rate_from_rad_s(way(&joint.limits, secs)).abs();
            joint.rest + joint.direction * ((ticks * joint.part).floor().max(1.0) + 2.0 * NEARLY)
        };
        self.joints.iter().map(place).collect()
    }

    /// A goal that gets to `pose` within `secs`, beginning at a time or, without one, at once.
    pub(crate) fn goal(&self, pose: &Pose, secs: f64, start_unix_nanos: Option<i64>) -> Goal {
        let rad = |(joint, ticks): (&MovedJoint, &f64)| {
            joint.calibration.rate_to_rad_s(ticks - f64::from(joint.calibration.zero.0))
        };
        let point = JointTrajectoryPoint {
            positions: self.joints.iter().zip(pose).map(rad).collect(),
            velocities: vec![0.0; self.joints.len()],
            time_from_start: duration_of(secs),
            ..JointTrajectoryPoint::default()
        };
        let trajectory = JointTrajectory {
            header: Header { stamp: stamp(start_unix_nanos.unwrap_or(0)), ..Header::default() },
            joint_names: self.joints.iter().map(|joint| joint.name.clone()).collect(),
            points: vec![point],
        };
        Goal { trajectory, ..Goal::default() }
    }

    /// Whether the last write holds the arm at `pose`.
    pub(crate) fn is_held_at(&self, pose: &Pose, writes: &[Write]) -> bool {
        let nearest = |ticks: Vec<f64>| ticks.iter().zip(pose).all(|(is, at)| *is == at.round());
        writes.last().and_then(|write| self.ticks(write)).is_some_and(nearest)
    }

    /// How far from `pose` the arm is held at `sent` at most (rad); nothing where that is nearer than a tick shows.
    pub(crate) fn strayed(&self, writes: &[Write], sent: i64, pose: &Pose) -> Option<f64> {
        let held = writes.iter().rfind(|write| write.at <= sent).and_then(|write| self.ticks(write))?;
        let off = |((joint, at), is): ((&MovedJoint, &f64), &f64)| {
            if at.round() == *is { 0.0 } else { joint.calibration.rate_to_rad_s(at - is).abs() }
        };
        let most = self.joints.iter().zip(pose).zip(&held).map(off).fold(0.0, f64::max);
        (0.0 < most).then_some(most)
    }

    /// When the arm, held at `pose` until then, was first told to move after `sent`.
    pub(crate) fn set_out(&self, writes: &[Write], sent: i64, pose: &Pose) -> Option<i64> {
        let before = writes.partition_point(|write| write.at <= sent);
        if !self.is_held_at(pose, &writes[..before]) {
            return None;
        }
        let held = self.ticks(writes[..before].last()?)?;
        writes[before..]
            .iter()
            .find(|write| self.ticks(write).is_some_and(|ticks| ticks != held))
            .map(|write| write.at)
    }

    /// When the arm left the old motion, after it was asked to at `asked`.
    pub(crate) fn left(&self, writes: &[Write], old: &OldMotion, asked: i64) -> Option<i64> {
        let seen: Vec<(i64, Vec<f64>)> =
            writes.iter().filter_map(|write| Some((write.at, self.ticks(write)?))).collect();
        let known: Vec<_> = seen.iter().filter(|(at, _)| old.sent < *at && *at <= asked).collect();
        let is_off = |start: i64| {
            let squares = known.iter().flat_map(|(at, ticks)| old.behind(*at, start, ticks));
            squares.map(|behind| behind * behind).sum::<f64>()
        };
        // The reference is sampled one period ahead, so that it may seem to begin before it was sent.
        let starts = (-10_000_000..30_000_000).step_by(20_000).map(|after| old.sent + after);
        let start = starts.min_by(|a, b| is_off(*a).total_cmp(&is_off(*b)))?;
        let worst = known.iter().flat_map(|(at, ticks)| old.behind(*at, start, ticks)).fold(0.5, f64::max);
        let bound = worst.max(0.5 + LEAST_NOISE);
        let end = start + nanos(old.secs);
        let rest = seen.iter().filter(|(at, _)| asked < *at && *at < end).rev();
        let lagging =
            rest.take_while(|(at, ticks)| old.behind(*at, start, ticks).iter().any(|behind| bound < *behind));
        lagging.last().map(|(at, _)| *at)
    }

    /// The joints' goals in a write, if it has all of them.
    fn ticks(&self, write: &Write) -> Option<Vec<f64>> {
        self.joints.iter().map(|joint| write.ticks.get(&joint.id).map(|ticks| f64::from(*ticks))).collect()
    }
}

impl OldMotion {
    /// How far behind this motion, had it begun at `start`, each joint is at `at` (ticks).
    fn behind(&self, at: i64, start: i64, ticks: &[f64]) -> Vec<f64> {
        let part = ((at - start) as f64 * 1e-9 / self.secs).clamp(0.0, 1.0);
        let done = part * part * (3.0 - 2.0 * part);
        let joints = self.from.iter().zip(&self.to).zip(ticks);
        joints.map(|((from, to), is)| (from + (to - from) * done - is) * (to - from).signum()).collect()
    }
}

/// How far a cubic from rest to rest may lead within `secs` (rad).
fn way(limits: &JointLimits, secs: f64) -> f64 {
    let by_velocity = limits.max_velocity() * secs / 1.5;
    let by_acceleration = limits.max_acceleration() * secs.powi(2) / 6.0;
    // From rest to rest; a cubic begins and ends with a step of acceleration, which a joint with a limit on jerk lags behind.
    let by_jerk = limits.max_jerk() * secs.powi(3) / 32.0;
    (PART_OF_LIMITS * by_velocity.min(by_acceleration).min(by_jerk)).min(LONGEST_WAY)
}

/// Seconds as whole nanoseconds.
pub(crate) fn nanos(secs: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
    {
        (secs * 1e9).round() as i64
    }
}

fn stamp(unix_nanos: i64) -> Stamp {
    const NANOS_PER_SEC: i64 = 1_000_000_000;
    let (sec, nanosec) = (unix_nanos.div_euclid(NANOS_PER_SEC), unix_nanos.rem_euclid(NANOS_PER_SEC));
    Stamp { sec: i32::try_from(sec).unwrap_or(i32::MAX), nanosec: u32::try_from(nanosec).unwrap_or(0) }
}
