//! The trajectory controller as a process of its own: it needs `joint_states` and gives `joint_commands`, so that it
//! drives servos, Gazebo or Isaac Sim alike.
//!
//! It steps with every joint state, and commands only while a motion is under way: an idle controller holds nothing,
//! the hardware does.

use std::time::Duration;

use anyhow::anyhow;
use futures::StreamExt as _;
use r2r::sensor_msgs::msg::JointState;
use r2r::std_msgs::msg::Header;
use r2r::{Context, Publisher, QosProfile};

use super::controller::{self, ControllerPublisher, ControllerReport};
use super::gripper::{GripperPublisher, GripperReport};
use super::hardware::publish;
use super::hosted::{hosted_gripper, next_of};
use super::messages::stamp_of;
use super::parameters;
use super::ros::{self, NodeBuilder};
use crate::config::Part;
use crate::control::arm::{MeasuredJoint, Reference, ReferenceSource as _};
use crate::control::follower::{Follower, Outcome, Request};
use crate::control::gripper::{Gripper, GripperRequest};
use crate::servo::clock;
use crate::servo::setup::{arm_setup, robot_model};
use crate::trajectory::spline::JointState as JointReference;
use crate::units::Time;

/// The follower and the joint states that it lives on.
struct Remote {
    joints: Vec<String>,
    follower: Follower,
    gripper: Option<(Gripper, GripperPublisher)>,
    measured: Vec<MeasuredJoint>,
    references: Vec<Reference>,
    /// Whether every joint has been seen, so that there is a place to start from.
    ready: bool,
    moving: bool,
    /// Whether the arm did not follow, so that its reference says nothing of where it is.
    strayed: bool,
    last_moved: Time,
    last_state: Time,
    commands: Publisher<JointState>,
    publisher: ControllerPublisher,
}

/// Joint states that stop for longer than this end the motion.
const LONGEST_SILENCE: Duration = Duration::from_millis(250);
const SILENCE_CHECK: Duration = Duration::from_millis(50);
/// The last command is repeated for this long, in case that it got lost.
const LAST_COMMAND_REPEATED: Duration = Duration::from_millis(200);
/// An idle arm that is farther than this from the last reference was moved by somebody else (rad or m).
const MOVED_BY_OTHERS: f64 = 0.2;

/// Runs until it is asked to stop.
///
/// # Errors
/// Where configuration or robot model are not usable.
pub async fn run(context: Context) -> anyhow::Result<()> {
    let mut builder = NodeBuilder::new(&context, "arm_controller")?;
    let config = builder.config(&[Part::Controller])?;
    let setup = arm_setup(&config, &robot_model(&config.arm)?)?;
    let (publisher, mut controller) =
        controller::offer(&mut builder.node, &setup.joints, &setup.limits, &config.controller)?;
    let failed = |error| anyhow!("cannot exchange joint states and commands: {error}");
    let node = &mut builder.node;
    let mut states = node.subscribe::<JointState>("joint_states", QosProfile::default()).map_err(failed)?;
    let commands = node.create_publisher("joint_commands", QosProfile::default()).map_err(failed)?;
    parameters::serve(node, config.declared)?;
    let hosted = hosted_gripper(&context, &setup, |_| 1.0)?;
    let mut nodes = vec![builder.node];
    let (gripper, mut gripper_controller) = match hosted {
        None => (None, None),
        Some(hosted) => {
            nodes.push(hosted.node);
            (Some((hosted.gripper, hosted.publisher)), Some(hosted.controller))
        }
    };
    let follower = Follower::new(setup.limits, setup.period.as_secs_f64());
    let mut remote = Remote::new(setup.joints, follower, commands, publisher);
    remote.gripper = gripper;
    let spinning = ros::spin(nodes)?;

    let stop = ros::asked_to_stop();
    tokio::pin!(stop);
    let mut silence = tokio::time::interval(SILENCE_CHECK);
    loop {
        tokio::select! {
            stopped = &mut stop => {
                stopped?;
                break;
            }
            Some(state) = states.next() => remote.on_joint_state(&state, clock::now()),
            request = controller.next() => if let Some(request) = request {
                remote.request(request);
            },
            request = next_of(&mut gripper_controller) => if let Some(request) = request {
                remote.request_grip(request);
            },
            _ = silence.tick() => remote.look_for_silence(clock::now()),
        }
        while let Some(finished) = remote.follower.pop_finished() {
            remote.note(finished.outcome);
            controller.on_finished(&finished);
        }
        if let (Some((gripper, _)), Some(controller)) = (&mut remote.gripper, &mut gripper_controller) {
            while let Some(finished) = gripper.pop_finished() {
                controller.on_finished(&finished);
            }
        }
    }
    tracing::info!("stopping");
    remote.follower.halt("the node stops");
    while let Some(finished) = remote.follower.pop_finished() {
        controller.on_finished(&finished);
    }
    drop(spinning);
    Ok(())
}

impl Remote {
    fn new(
        joints: Vec<String>,
        mut follower: Follower,
        commands: Publisher<JointState>,
        publisher: ControllerPublisher,
    ) -> Self {
        follower.halt("no joint_states have come yet");
        Self {
            measured: vec![MeasuredJoint::default(); joints.len()],
            references: vec![Reference::Hold; joints.len()],
            ready: false,
            moving: false,
            strayed: false,
            last_moved: Time(i64::MIN),
            last_state: Time(i64::MIN),
            joints,
            follower,
            gripper: None,
            commands,
            publisher,
        }
    }

    fn on_joint_state(&mut self, message: &JointState, now: Time) {
        if !self.take(message, now) {
            return;
        }
        self.last_state = now;
        self.find_start();
        if !self.ready {
            return;
        }
        self.references.fill(Reference::Hold);
        self.moving = self.follower.step(now, &self.measured, &mut self.references);
        if let Some((gripper, publisher)) = &mut self.gripper {
            self.moving |= gripper.step(now, &self.measured, &mut self.references);
            let measured = self.measured[gripper.joint()];
            publisher.publish(GripperReport { measured, status: gripper.status() });
        }
        if self.moving {
            self.last_moved = now;
        }
        if now.saturating_since(self.last_moved) < LAST_COMMAND_REPEATED {
            self.command(now);
        }
        self.report(now);
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
            self.start_grip_here();
        }
    }

    fn start_grip_here(&mut self) {
        let positions: Vec<f64> = self.measured.iter().map(|measured| measured.position).collect();
        if let Some((gripper, _)) = &mut self.gripper {
            gripper.hold_at(&positions);
        }
    }

    fn request_grip(&mut self, request: GripperRequest) {
        let Some((gripper, _)) = &self.gripper else { return };
        let away = (gripper.desired().position - self.measured[gripper.joint()].position).abs();
        if self.ready && gripper.is_idle() && !gripper.status().is_stalled && MOVED_BY_OTHERS < away {
            self.start_grip_here();
        }
        if let Some((gripper, _)) = &mut self.gripper {
            gripper.request(request);
        }
    }

    fn start_here(&mut self) {
        let positions: Vec<f64> = self.measured.iter().map(|measured| measured.position).collect();
        self.follower.hold_at(&positions);
        (self.ready, self.strayed) = (true, false);
    }

    /// A motion of an idle arm starts where the reference is, or where the arm is if that is somewhere else.
    fn request(&mut self, request: Request) {
        let pairs = self.follower.command().iter().zip(&self.measured);
        let is_far = |(command, measured): (&JointReference, &MeasuredJoint)| {
            MOVED_BY_OTHERS < (command.position - measured.position).abs()
        };
        let is_elsewhere = self.strayed || pairs.into_iter().any(is_far);
        if matches!(request, Request::Follow(_)) && self.ready && self.follower.is_idle() && is_elsewhere {
            self.start_here();
        }
        self.follower.request(request);
    }

    fn note(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::PathTolerance(_) | Outcome::GoalTolerance(_) => self.strayed = true,
            Outcome::Reached => self.strayed = false,
            _ => {}
        }
    }

    fn look_for_silence(&mut self, now: Time) {
        if self.ready && LONGEST_SILENCE < now.saturating_since(self.last_state) {
            tracing::warn!("joint_states stopped; the controller waits for them");
            self.follower.halt("joint_states stopped");
            if let Some((gripper, _)) = &mut self.gripper {
                gripper.halt("joint_states stopped");
            }
            (self.ready, self.moving) = (false, false);
        }
    }

    fn command(&mut self, now: Time) {
        let states = self.follower.command();
        let mut message = JointState {
            header: Header { stamp: stamp_of(now), ..Header::default() },
            name: self.joints.clone(),
            position: states.iter().map(|state| state.position).collect(),
            velocity: states.iter().map(|state| state.velocity).collect(),
            effort: Vec::new(),
        };
        if let Some((gripper, _)) = &mut self.gripper {
            let (joint, desired) = (gripper.joint(), gripper.desired());
            (message.position[joint], message.velocity[joint]) = (desired.position, desired.velocity);
            message.effort = vec![f64::INFINITY; self.joints.len()];
            gripper.limit_efforts(&mut message.effort);
            message.effort.iter_mut().filter(|effort| effort.is_infinite()).for_each(|e| *e = f64::NAN);
        }
        publish(&self.commands, &message);
    }

    fn report(&mut self, now: Time) {
        let mut report = ControllerReport::new(now, self.joints.len());
        report.goal = self.follower.current();
        let states = self.follower.desired().iter().zip(self.follower.command());
        for ((joint, (desired, command)), measured) in
            report.joints_mut().iter_mut().zip(states).zip(&self.measured)
        {
            joint.desired = *desired;
            joint.command = command.position;
            joint.measured = *measured;
        }
        self.publisher.publish(&report);
    }
}
