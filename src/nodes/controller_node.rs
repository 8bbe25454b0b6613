//! Controllers as a process of their own: they need `joint_states` and give `joint_commands`, so that they drive servos,
//! Gazebo or Isaac Sim alike.
//!
//! They step with every joint state, and command only while a motion is under way: an idle controller holds nothing,
//! the hardware does.

use std::time::Duration;

use anyhow::anyhow;
use futures::StreamExt as _;
use r2r::control_msgs::msg::SpeedScalingFactor;
use r2r::lifecycle_msgs::msg::State as HardwareState;
use r2r::sensor_msgs::msg::JointState;
use r2r::std_msgs::msg::Header;
use r2r::{Context, Publisher, QosProfile};

use super::controllers::{Controllers, Drafts, HostRequest, Hosting, Servos};
use super::hardware::{latched, publish};
use super::messages::{is_from_before, obstacle_of, stamp_of};
use super::publisher::SnapshotSink;
use super::ros;
use crate::config::arm::MAX_JOINTS;
use crate::control::arm::{MeasuredJoint, Reference, ReferenceSource as _};
use crate::control::beat::Beat;
use crate::control::ensemble::{Ensemble, MemberEvent, MemberRequest};
use crate::control::follower::{FollowerEvent, Outcome, Request};
use crate::control::gripper::GripperRequest;
use crate::control::roster::Lifecycle;
use crate::control::safety::Cause;
use crate::servo::clock;
use crate::servo::snapshot::Snapshot;
use crate::trajectory::spline::JointState as JointReference;
use crate::units::Time;

/// The controllers and the joint states that they live on.
struct Remote {
    joints: Vec<String>,
    ensemble: Ensemble,
    beat: Beat,
    measured: Vec<MeasuredJoint>,
    references: Vec<Reference>,
    efforts: Vec<f64>,
    snapshot: Snapshot,
    sinks: Vec<Box<dyn SnapshotSink>>,
    /// Whether every joint has been seen, so that there is a place to start from.
    ready: bool,
    /// Why the hardware obeys no commands, where it said so.
    obstacle: Option<&'static str>,
    /// Whether the arm did not follow, so that its reference says nothing of where it is.
    strayed: bool,
    last_moved: Time,
    last_state: Time,
    /// The same by the machine's clock.
    last_heard: Time,
    /// Whether it was said that none come.
    is_missed: bool,
    /// How often time had been set back.
    resets: u64,
    commands: Publisher<JointState>,
}

/// The hardware in a list of hardware: whoever answers to `joint_commands` with `joint_states`.
const PLUGIN_NAME: &str = "servo_arm/joint_commands";
/// Where `hardware_node` tells whether it obeys commands; other hardware says nothing there.
const HARDWARE_STATE: &str = "hardware_node/state";
/// Where `hardware_node` tells how fast motions may be.
const SPEED_SCALING: &str = "hardware_node/speed_scaling";
/// Joint states that stop for longer than this end the motion.
const LONGEST_SILENCE: Duration = Duration::from_millis(250);
const SILENCE_CHECK: Duration = Duration::from_millis(50);
/// Whoever waits for so long for joint states says so.
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// The last command is repeated for this long, in case that it got lost.
const LAST_COMMAND_REPEATED: Duration = Duration::from_millis(200);
/// An idle arm that is farther than this from the last reference was moved by somebody else (rad or m).
const MOVED_BY_OTHERS: f64 = 0.2;

/// Runs until it is asked to stop.
///
/// # Errors
/// Where configuration or robot model are not usable.
pub async fn run(context: Context) -> anyhow::Result<()> {
    let mut drafts = Drafts::read(&context, "")?;
    let joints = drafts.joints()?;
    let failed = |error| anyhow!("cannot exchange joint states and commands: {error}");
    let node = drafts.shared_node();
    let mut states = node.subscribe::<JointState>("joint_states", QosProfile::default()).map_err(failed)?;
    let commands = node.create_publisher("joint_commands", QosProfile::default()).map_err(failed)?;
    let mut hardware_states = node.subscribe::<HardwareState>(HARDWARE_STATE, latched()).map_err(failed)?;
    let mut speeds = node.subscribe::<SpeedScalingFactor>(SPEED_SCALING, latched()).map_err(failed)?;
    let servos =
        Servos { joints: &joints, plugin_name: PLUGIN_NAME.to_owned(), torque_limits: &[], own: None };
    let Hosting { nodes, ensemble, sinks, mut controllers, period } = drafts.host(&servos)?;
    let mut remote = Remote::new(joints, ensemble, period, commands, sinks);
    let spinning = ros::spin(nodes)?;

    let stop = ros::asked_to_stop();
    tokio::pin!(stop);
    let mut silence = tokio::time::interval(SILENCE_CHECK);
    loop {
        tokio::select! {
            // States first: those that wait already are no silence.
            biased;
            stopped = &mut stop => {
                stopped?;
                break;
            }
            Some(state) = states.next() => {
                remote.look_for_resets();
                remote.on_joint_state(&state, clock::now());
            }
            Some(state) = hardware_states.next() => remote.on_hardware_state(&state),
            Some(speed) = speeds.next() => remote.ensemble.limit_speed(speed.factor),
            request = controllers.next() => if let Some(HostRequest::Member(member, request)) = request {
                remote.request(member, request);
            },
            _ = silence.tick() => {
                remote.look_for_resets();
                remote.look_for_silence(clock::now());
            }
        }
        remote.hand_out(&mut controllers);
        controllers.note_hardware(remote.hardware());
    }
    tracing::info!("stopping");
    remote.ensemble.halt("the node stops");
    remote.hand_out(&mut controllers);
    drop(spinning);
    Ok(())
}

impl Remote {
    fn new(
        joints: Vec<String>,
        mut ensemble: Ensemble,
        period: Duration,
        commands: Publisher<JointState>,
        sinks: Vec<Box<dyn SnapshotSink>>,
    ) -> Self {
        ensemble.halt("no joint_states have come yet");
        let count = joints.len();
        Self {
            measured: vec![MeasuredJoint::default(); count],
            references: vec![Reference::Hold; count],
            efforts: vec![f64::INFINITY; count],
            snapshot: Snapshot::new(count, 0),
            beat: Beat::new(period.as_secs_f64()),
            ready: false,
            obstacle: None,
            strayed: false,
            last_moved: Time(i64::MIN),
            last_state: Time(i64::MIN),
            last_heard: clock::machine_now(),
            is_missed: false,
            resets: clock::resets(),
            joints,
            ensemble,
            commands,
            sinks,
        }
    }

    fn hardware(&self) -> Lifecycle {
        match self.obstacle {
            _ if !self.ready => Lifecycle::Unconfigured,
            Some(_) => Lifecycle::Inactive,
            None => Lifecycle::Active,
        }
    }

    /// A motion ends with the reason for which the hardware obeys no more; the next starts where the arm is when it does.
    fn on_hardware_state(&mut self, state: &HardwareState) {
        let obstacle = obstacle_of(state);
        if std::mem::replace(&mut self.obstacle, obstacle) == obstacle {
            return;
        }
        match obstacle {
            Some(why) => self.ensemble.halt(why),
            None if self.ready => self.start_here(),
            None => {}
        }
    }

    fn on_joint_state(&mut self, message: &JointState, now: Time) {
        if is_from_before(&message.header.stamp) || !self.take(message, now) {
            return;
        }
        (self.last_state, self.last_heard) = (now, clock::machine_now());
        self.find_start();
        if !self.ready {
            return;
        }
        // One that waited together with the one before is newer, but no time has passed in which to step.
        let Some(time) = self.beat.time_of(now) else { return };
        if self.obstacle.is_none() {
            self.step(time, now);
        }
        self.show(time);
    }

    fn step(&mut self, time: Time, now: Time) {
        self.references.fill(Reference::Hold);
        if self.ensemble.step(time, &self.measured, &mut self.references) {
            self.last_moved = now;
        }
        if now.saturating_since(self.last_moved) < LAST_COMMAND_REPEATED {
            self.command(now);
        }
    }

    /// Takes the joints of the arm out of a message, which may have others too; tells whether there were any.
    fn take(&mut self, message: &JointState, now: Time) -> bool {
        self.measured.iter_mut().for_each(|measured| measured.fresh = false);
        for (index, name) in message.name.iter().enumerate() {
            let Some(joint) = self.joints.iter().position(|joint| joint == name) else { continue };
            let position = message.position.get(index).copied().unwrap_or(f64::NAN);
            if position.is_finite() {
                let velocity = message.velocity.get(index).copied().unwrap_or(0.0);
                let effort = message.effort.get(index).copied().unwrap_or(f64::NAN);
                self.measured[joint] = MeasuredJoint { stamp: now, fresh: true, position, velocity, effort };
            }
        }
        self.measured.iter().any(|measured| measured.fresh)
    }

    /// The first state of every joint is where the first motion starts.
    fn find_start(&mut self) {
        if !self.ready && self.measured.iter().all(|measured| measured.fresh) {
            self.start_here();
        }
    }

    fn start_here(&mut self) {
        let mut positions = [0.0; MAX_JOINTS];
        for (position, measured) in positions.iter_mut().zip(&self.measured) {
            *position = measured.position;
        }
        self.ensemble.hold_at(&positions[..self.joints.len()]);
        if let Some(why) = self.obstacle {
            self.ensemble.halt(why);
        }
        (self.ready, self.strayed) = (true, false);
        if std::mem::take(&mut self.is_missed) {
            tracing::info!("joint_states come; the controllers are ready");
        }
    }

    /// A motion of an idle arm starts where the reference is, or where the arm is if that is somewhere else.
    fn request(&mut self, member: usize, request: MemberRequest) {
        let begins_motion = matches!(
            request,
            MemberRequest::Trajectory(Request::Follow(_)) | MemberRequest::Gripper(GripperRequest::Move(_))
        );
        if begins_motion && self.ready && self.ensemble.is_idle() && (self.strayed || self.was_moved()) {
            self.start_here();
        }
        self.ensemble.request(member, request);
    }

    fn was_moved(&self) -> bool {
        let mut was_moved = false;
        self.ensemble.desired(|joint, JointReference { position, .. }| {
            was_moved |= MOVED_BY_OTHERS < (position - self.measured[joint].position).abs();
        });
        was_moved
    }

    fn hand_out(&mut self, controllers: &mut Controllers) {
        while let Some((member, event)) = self.ensemble.pop_event() {
            if let MemberEvent::Trajectory(FollowerEvent::Ended(ended)) = &event {
                match ended.outcome {
                    Outcome::PathTolerance(_) | Outcome::GoalTolerance(_) => self.strayed = true,
                    Outcome::Reached => self.strayed = false,
                    _ => {}
                }
            }
            controllers.on_event(member, event);
        }
    }

    /// Time that was set back is a simulation that begins anew: nothing is under way, and the arm is where it will say.
    fn look_for_resets(&mut self) {
        let resets = clock::resets();
        if std::mem::replace(&mut self.resets, resets) != resets {
            let why = Cause::TimeSetBack.text();
            tracing::warn!("{why}; the controllers begin anew");
            self.ensemble.halt(why);
            self.ready = false;
        }
    }

    /// Nobody is silent while time stands still, nor for a moment in which much of it passes.
    fn look_for_silence(&mut self, now: Time) {
        let silence = now.saturating_since(self.last_state);
        let heard_before = clock::machine_now().saturating_since(self.last_heard);
        if self.ready && LONGEST_SILENCE < silence.min(heard_before) {
            tracing::warn!("joint_states stopped; the controllers wait for them");
            self.ensemble.halt("joint_states stopped");
            (self.ready, self.is_missed) = (false, true);
        }
        if !self.ready && !self.is_missed && LONGEST_WAIT < heard_before {
            tracing::warn!("no joint_states come; is hardware_node running, in the same namespace?");
            self.is_missed = true;
        }
    }

    fn command(&mut self, now: Time) {
        self.efforts.fill(f64::INFINITY);
        self.ensemble.limit_efforts(&mut self.efforts);
        let mut message = JointState {
            header: Header { stamp: stamp_of(now), ..Header::default() },
            ..JointState::default()
        };
        self.ensemble.commands(|joint, state| {
            message.name.push(self.joints[joint].clone());
            message.position.push(state.position);
            message.velocity.push(state.velocity);
            let limit = self.efforts[joint];
            message.effort.push(if limit.is_finite() { limit } else { f64::NAN });
        });
        publish(&self.commands, &message);
    }

    fn show(&mut self, time: Time) {
        (self.snapshot.due, self.snapshot.began, self.snapshot.time) = (time, time, time);
        self.snapshot.describe(&self.ensemble);
        for (joint, measured) in self.snapshot.joints_mut().iter_mut().zip(&self.measured) {
            joint.servo = (*measured).into();
        }
        let joints = self.snapshot.joints_mut();
        self.ensemble.commands(|joint, state| joints[joint].command = state.position);
        for sink in &mut self.sinks {
            sink.see(&self.snapshot);
        }
    }
}
