//! What people want now: the newest command while it counts, and the velocity that it asks for.
//!
//! Knows nothing of what is in the way.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use nalgebra::{Isometry3, Vector6};

use super::approach::{self, Way};
use super::command::{Command, CommandType, Jog, Refused, Twist, TwistFrame};
use super::inverse::{Inverse, Joints};
use super::motion::{Arm, Coordinates, Effect, Motion, Space, difference, moved, widened};
use super::options::Options;
use crate::kinematics::ik::JointSet;
use crate::units::Time;

/// The commands that count.
#[derive(Clone, Debug)]
pub(super) struct Wishes {
    expected: Option<CommandType>,
    is_paused: bool,
    newest: Option<Newest>,
    displacement: Option<Displacement>,
    drift: Option<Drift>,
}

#[derive(Clone, Copy, Debug)]
struct Newest {
    command: Command,
    sent: Time,
    received: Time,
}

/// A way that joints still have to go.
#[derive(Clone, Copy, Debug)]
struct Displacement {
    /// What came since the last step.
    added: Joints,
    /// Where they go; `None` before the first step.
    target: Option<Joints>,
    speeds: Joints,
}

/// How a target that streams in moves (m/s and rad/s).
#[derive(Clone, Copy, Debug)]
struct Drift {
    twist: Vector6<f64>,
    /// Time between two poses (s).
    interval: f64,
}

/// How much of a newly seen motion of the target counts.
const SMOOTHING: f64 = 0.3;
/// A target that seems to move so many times faster than the arm may has jumped.
const JUMP: f64 = 2.0;
/// A target is taken further for so many intervals.
const PATIENCE: f64 = 1.5;
/// What is left of a displacement (rad or m, and a second) when it is over.
const DONE: f64 = 1e-9;

impl Wishes {
    pub(super) fn new() -> Self {
        Self { expected: None, is_paused: false, newest: None, displacement: None, drift: None }
    }

    pub(super) fn expect(&mut self, kind: CommandType) {
        if self.expected != Some(kind) {
            self.forget();
        }
        self.expected = Some(kind);
    }

    pub(super) fn expected(&self) -> Option<CommandType> {
        self.expected
    }

    pub(super) fn set_paused(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
        self.forget();
    }

    fn forget(&mut self) {
        (self.newest, self.displacement, self.drift) = (None, None, None);
    }

    pub(super) fn take(
        &mut self,
        command: Command,
        sent: Time,
        received: Time,
        options: &Options,
    ) -> Result<(), Refused> {
        let expected = self.expected.ok_or(Refused::NoType)?;
        if expected != command.kind() {
            return Err(Refused::OtherType);
        }
        if self.is_paused {
            return Err(Refused::Paused);
        }
        let new = Newest { command, sent, received };
        if !new.counts(received, options) {
            return Err(Refused::Stale);
        }
        match command {
            Command::Jog(Jog { velocities, displacements: Some(displacements) }) => {
                self.newest = None;
                self.add_displacement(&velocities, &displacements, options);
                return Ok(());
            }
            Command::Pose(pose) => self.note_drift(&pose, sent, options),
            Command::Jog(_) | Command::Twist(_) => {}
        }
        self.displacement = None;
        self.newest = Some(new);
        Ok(())
    }

    pub(super) fn forget_stale(&mut self, now: Time, options: &Options) {
        if self.newest.is_some_and(|newest| !newest.counts(now, options)) {
            (self.newest, self.drift) = (None, None);
        }
    }

    /// The space of what is wanted, if something is.
    pub(super) fn space(&self) -> Option<Space> {
        if self.displacement.is_some() {
            return Some(Space::Joints);
        }
        self.newest.map(|newest| match newest.command {
            Command::Jog(_) => Space::Joints,
            Command::Twist(_) | Command::Pose(_) => Space::Tip,
        })
    }

    /// The velocity that is wanted, and its change a second where that is known; 0 while the motion is in another space.
    pub(super) fn velocity(
        &mut self,
        arm: &Arm,
        motion: &Motion,
        now: Time,
        options: &Options,
    ) -> (Coordinates, Option<Coordinates>) {
        if self.space() != Some(motion.space()) {
            return (Coordinates::zeros(), None);
        }
        if self.displacement.is_some() {
            return self.displace(arm, motion);
        }
        match self.newest {
            Some(Newest { command: Command::Jog(jog), .. }) => {
                let scale = if options.in_speed_units { 1.0 } else { options.scale.joint };
                (bounded(&joints(&jog.velocities)) * scale, None)
            }
            Some(Newest { command: Command::Twist(twist), .. }) => {
                let tip = arm.chain.tip_pose(&motion.positions());
                (widened(&scaled(&twist, &tip, options)), None)
            }
            Some(Newest { command: Command::Pose(pose), received, .. }) => {
                self.track(arm, motion, &pose, now.secs_since(received), options)
            }
            None => (Coordinates::zeros(), None),
        }
    }

    /// Whether the tip is at the pose that is tracked.
    pub(super) fn is_reached(&self, arm: &Arm, motion: &Motion, options: &Options) -> bool {
        let Some(Newest { command: Command::Pose(pose), .. }) = self.newest else { return false };
        let off = difference(&pose, &arm.chain.tip_pose(&motion.positions()));
        off.fixed_rows::<3>(0).norm() <= options.pose_tolerance.0
            && off.fixed_rows::<3>(3).norm() <= options.pose_tolerance.1
    }

    fn add_displacement(&mut self, velocities: &[f64], displacements: &[f64], options: &Options) {
        let scale = if options.in_speed_units { 1.0 } else { options.scale.joint };
        let speeds = bounded(&joints(velocities))
            .map(|velocity| if velocity == 0.0 { options.scale.joint } else { (velocity * scale).abs() });
        let before =
            self.displacement.unwrap_or(Displacement { added: Joints::zeros(), target: None, speeds });
        let added = bounded(&(before.added + bounded(&joints(displacements))));
        self.displacement = Some(Displacement { added, speeds, ..before });
    }

    fn displace(&mut self, arm: &Arm, motion: &Motion) -> (Coordinates, Option<Coordinates>) {
        let at = joints(&motion.positions());
        let Some(displacement) = self.displacement.as_mut() else { return (Coordinates::zeros(), None) };
        let mut target = displacement.target.unwrap_or(at) + displacement.added;
        for (joint, limits) in arm.limits.iter().enumerate() {
            // A joint outside its travel may stay there.
            let (lower, upper) = (limits.lower().min(at[joint]), limits.upper().max(at[joint]));
            target[joint] = target[joint].clamp(lower, upper);
        }
        (displacement.target, displacement.added) = (Some(target), Joints::zeros());
        let missing = target - at;
        if missing.amax() < DONE && motion.velocity().amax() < DONE {
            self.displacement = None;
            return (Coordinates::zeros(), None);
        }
        let way = Way { missing, drift: Coordinates::zeros(), speeds: displacement.speeds };
        let (velocity, change) = approach::next(arm, motion, &Effect::Each, &way);
        (velocity, Some(change))
    }

    /// The velocity towards a pose that came `age` seconds ago.
    fn track(
        &self,
        arm: &Arm,
        motion: &Motion,
        pose: &Isometry3<f64>,
        age: f64,
        options: &Options,
    ) -> (Coordinates, Option<Coordinates>) {
        let inverse = Inverse::at(&arm.chain, &motion.positions(), JointSet::NONE);
        // Only what the arm can do is a way to go.
        let possible = |twist: &Vector6<f64>| inverse.twist_of * (inverse.joints_of * twist);
        let (target, drift) = match self.drift {
            Some(Drift { twist, interval }) if age <= PATIENCE * interval => {
                (moved(pose, &(twist * (age + options.publish_period))), twist)
            }
            _ => (*pose, Vector6::zeros()),
        };
        let effect = Effect::OfTwist(inverse.joints_of);
        let Options { scale, .. } = options;
        let speeds = Vector6::new(
            scale.linear,
            scale.linear,
            scale.linear,
            scale.rotational,
            scale.rotational,
            scale.rotational,
        );
        let ahead = drift * options.publish_period;
        let way = Way {
            missing: widened(&possible(&(difference(&target, &inverse.base_from_tip) - ahead))),
            drift: widened(&possible(&drift)),
            speeds: widened(&speeds),
        };
        let (velocity, change) = approach::next(arm, motion, &effect, &way);
        (velocity, Some(change))
    }

    fn note_drift(&mut self, pose: &Isometry3<f64>, sent: Time, options: &Options) {
        let Some(Newest { command: Command::Pose(before), sent: sent_before, .. }) = self.newest else {
            self.drift = None;
            return;
        };
        let interval = sent.secs_since(sent_before);
        if interval < 1e-4 {
            return;
        }
        let seen = difference(pose, &before) / interval;
        let has_jumped = JUMP * options.scale.linear < seen.fixed_rows::<3>(0).norm()
            || JUMP * options.scale.rotational < seen.fixed_rows::<3>(3).norm();
        if has_jumped {
            self.drift = None;
            return;
        }
        let old = self.drift.unwrap_or(Drift { twist: seen, interval });
        self.drift = Some(Drift {
            twist: old.twist + (seen - old.twist) * SMOOTHING,
            interval: old.interval + (interval - old.interval) * SMOOTHING,
        });
    }
}

impl Newest {
    fn counts(&self, now: Time, options: &Options) -> bool {
        let timeout = options.incoming_command_timeout;
        now.secs_since(self.sent) <= timeout && now.secs_since(self.received) <= timeout
    }
}

/// The twist of the tip's origin along the base's axes (m/s and rad/s).
fn scaled(twist: &Twist, base_from_tip: &Isometry3<f64>, options: &Options) -> Vector6<f64> {
    let base_from_frame = match twist.frame {
        TwistFrame::Base => Isometry3::identity(),
        TwistFrame::Tip => *base_from_tip,
        TwistFrame::Other(base_from_frame) => base_from_frame,
    };
    let (linear, rotational) =
        if options.in_speed_units { (1.0, 1.0) } else { (options.scale.linear, options.scale.rotational) };
    let given = Vector6::from_iterator(twist.linear.iter().chain(twist.angular.iter()).copied());
    let given = bounded(&widened(&given));
    let mut linear = base_from_frame.rotation * (given.fixed_rows::<3>(0) * linear);
    let angular = base_from_frame.rotation * (given.fixed_rows::<3>(3) * rotational);
    if !options.apply_twist_commands_about_ee_frame {
        linear += angular.cross(&(base_from_tip.translation.vector - base_from_frame.translation.vector));
    }
    Vector6::new(linear.x, linear.y, linear.z, angular.x, angular.y, angular.z)
}

/// No number so great that computing with it overflows; the direction stays.
fn bounded(velocity: &Coordinates) -> Coordinates {
    const MOST: f64 = 1e3;
    let most = velocity.amax();
    if most <= MOST { *velocity } else { (velocity / most) * MOST }
}

fn joints(values: &[f64]) -> Joints {
    let mut joints = Joints::zeros();
    joints.iter_mut().zip(values).for_each(|(joint, value)| *joint = *value);
    joints
}
