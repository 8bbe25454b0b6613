//! The controllers that a process hosts: each a ROS node of its own name, and together one source of references.
//!
//! Which there are is said as in ros2_control's files, by the parameters of `controller_manager`.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use futures::future::select_all;
use r2r::{Context, Node};
use tokio::sync::watch;
use tracing::{Instrument as _, Span};

use super::controller::{self, Controller, ControllerSetup};
use super::controller_manager::{self, ControllerManager, Hardware, Listed, ManagerRequest};
use super::gripper::{self, GripperController, GripperJoint};
use super::lifecycle;
use super::parameters;
use super::publisher::SnapshotSink;
use super::ros::NodeBuilder;
use crate::config::controller::ControllerConfig;
use crate::config::gripper::GripperKind;
use crate::config::manager::{ControllerEntry, ControllerKind, ManagerConfig};
use crate::config::settings::Settings;
use crate::config::{Config, Part};
use crate::control::ensemble::{Ensemble, MAX_CONTROLLERS, Member, MemberEvent, MemberRequest};
use crate::control::follower::{Follower, FollowerEvent, FollowerSetup, Request, StartFrom};
use crate::control::gripper::{Gripper, GripperEvent, GripperRequest, JointEffort};
use crate::control::roster::Lifecycle;
use crate::kinematics::RobotModel;
use crate::servo::setup::{arm_setup, robot_model};
use crate::trajectory::limits::JointLimits;

/// Controllers whose nodes exist and whose parameters are read.
pub struct Drafts {
    manager: NodeBuilder,
    manager_config: ManagerConfig,
    drafts: Vec<Draft>,
}

struct Draft {
    entry: ControllerEntry,
    builder: NodeBuilder,
    settings: Settings,
}

/// Controllers that are ready to run.
pub struct Hosting {
    /// Their nodes, to be spun.
    pub nodes: Vec<Node>,
    /// What gives references.
    pub ensemble: Ensemble,
    /// Who publishes what it does.
    pub sinks: Vec<Box<dyn SnapshotSink>>,
    /// Who talks with clients.
    pub controllers: Controllers,
    /// Time between two steps.
    pub period: Duration,
}

/// The controllers' side towards clients.
pub struct Controllers {
    /// Each with the span in which its events belong.
    hosted: Vec<(Span, Hosted)>,
    manager: (Span, ControllerManager),
}

#[expect(clippy::large_enum_variant, reason = "there are a few of them")]
enum Hosted {
    Trajectory { controller: Controller, config: watch::Receiver<Config> },
    Gripper(GripperController),
}

/// What the process's owner is asked.
pub enum HostRequest {
    /// Something of one of the ensemble's members.
    Member(usize, MemberRequest),
    /// The hardware is to be active, or not.
    Hardware(bool),
}

/// Who was asked what.
enum Asked {
    Of(usize, MemberRequest),
    Manager(ManagerRequest),
}

/// The servos as the controllers' process sees them.
pub struct Servos<'a> {
    /// The arm's joints, in its order.
    pub joints: &'a [String],
    /// Who drives them: `servo_arm/feetech_sts`.
    pub plugin_name: String,
    /// For each joint the part of its torque that its servo is configured to use; empty where that is not known.
    pub torque_limits: &'a [f64],
    /// Whether they belong to this process, so that their torque can be switched here; then their robot model and
    /// period count.
    pub own: Option<(&'a RobotModel, Duration)>,
}

impl Drafts {
    /// Creates the nodes in a namespace, or in the process's where that is empty, and reads their parameters.
    ///
    /// # Errors
    /// Where a parameter is missing, wrong or unknown, or the middleware cannot be used.
    pub fn read(context: &Context, namespace: &str) -> anyhow::Result<Self> {
        let manager = NodeBuilder::new(context, "controller_manager", namespace)?;
        let manager_config = manager.config(&[Part::Manager])?.manager;
        let entries = &manager_config.controllers;
        if MAX_CONTROLLERS < entries.len() {
            let count = entries.len();
            return Err(anyhow!(
                "{count} controllers are configured; there can be at most {MAX_CONTROLLERS}"
            ));
        }
        let drafts = entries
            .iter()
            .map(|entry| Draft::read(context, entry, namespace))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { manager, manager_config, drafts })
    }

    /// A controller's node, for what all of them share; the manager's is for those who ask it.
    pub fn shared_node(&mut self) -> &mut Node {
        self.drafts.first_mut().map_or(&mut self.manager.node, |draft| &mut draft.builder.node)
    }

    /// The joints that the controllers drive.
    ///
    /// # Errors
    /// Where two of them drive the same joint.
    pub fn joints(&self) -> anyhow::Result<Vec<String>> {
        let mut joints: Vec<String> = Vec::new();
        for (index, draft) in self.drafts.iter().enumerate() {
            for joint in draft.joints() {
                if let Some(other) = self.drafts[..index].iter().find(|other| other.joints().contains(joint))
                {
                    let (one, two) = (&other.entry.name, &draft.entry.name);
                    return Err(anyhow!(
                        "joint `{joint}` has two controllers, `{one}` and `{two}`; it can have one"
                    ));
                }
                joints.push(joint.clone());
            }
        }
        Ok(joints)
    }

    /// Offers everything that the controllers offer on ROS, and puts them together.
    ///
    /// # Errors
    /// Where a joint of a controller is not the arm's, its limits make no sense, or ROS refuses something.
    pub fn host(mut self, servos: &Servos<'_>) -> anyhow::Result<Hosting> {
        let model = match servos.own {
            Some((model, _)) => model.clone(),
            None => self.own_model()?,
        };
        let period = match servos.own {
            Some((_, period)) => period,
            None => self.period(),
        };
        let listed: Vec<Listed> = self.drafts.iter_mut().map(Draft::list).collect::<anyhow::Result<_>>()?;
        let asleep: Vec<bool> = listed.iter().map(|listed| listed.state != Lifecycle::Active).collect();
        let hardware = Hardware {
            plugin_name: servos.plugin_name.clone(),
            joints: servos.joints.to_vec(),
            rate_hz: 1.0 / period.as_secs_f64(),
            is_ours: servos.own.is_some(),
        };
        let declared = self.manager.config(&[Part::Manager])?.declared;
        parameters::serve(&mut self.manager.node, declared)?;
        let manager =
            controller_manager::offer(&mut self.manager.node, &self.manager_config, listed, hardware)?;
        let manager = (self.manager.span, manager);
        let mut nodes = vec![self.manager.node];
        let (mut members, mut hosted, mut sinks) = (Vec::new(), Vec::new(), Vec::new());
        for (member, draft) in self.drafts.into_iter().enumerate() {
            let name = draft.entry.name.clone();
            let place = Place {
                member,
                arm_joints: servos.joints,
                torque_limits: servos.torque_limits,
                model: &model,
                period,
            };
            let parts = draft.build(&place).with_context(|| format!("controller `{name}`"))?;
            members.push(parts.core);
            hosted.push((parts.span, parts.client_side));
            sinks.push(parts.sink);
            nodes.push(parts.node);
        }
        let controllers = Controllers { hosted, manager };
        let mut ensemble = Ensemble::new(members);
        for member in (0..asleep.len()).filter(|member| asleep[*member]) {
            if let Some(request) = controllers.switch(member, false) {
                ensemble.request(member, request);
            }
        }
        Ok(Hosting { nodes, ensemble, sinks, controllers, period })
    }

    fn own_model(&self) -> anyhow::Result<RobotModel> {
        let first = self.drafts.first().context("no controller is configured")?;
        Ok(robot_model(&first.settings.config().arm)?)
    }

    fn period(&self) -> Duration {
        let rate_hz = self.drafts.first().map_or(100.0, |draft| draft.settings.config().arm.update_rate_hz);
        Duration::from_secs_f64(1.0 / rate_hz)
    }
}

/// Where a controller belongs.
struct Place<'a> {
    member: usize,
    arm_joints: &'a [String],
    torque_limits: &'a [f64],
    model: &'a RobotModel,
    period: Duration,
}

/// A controller in pieces.
struct Parts {
    core: Member,
    client_side: Hosted,
    span: Span,
    sink: Box<dyn SnapshotSink>,
    node: Node,
}

impl Draft {
    fn read(context: &Context, entry: &ControllerEntry, namespace: &str) -> anyhow::Result<Self> {
        let builder = NodeBuilder::new(context, &entry.name, namespace)?;
        let part = match entry.kind {
            ControllerKind::Gripper => Part::Gripper(GripperKind::Command),
            ControllerKind::ParallelGripper => Part::Gripper(GripperKind::Parallel),
            ControllerKind::JointTrajectory | ControllerKind::JointStateBroadcaster => Part::Controller,
        };
        let settings = builder.settings(&[part]).with_context(|| format!("controller `{}`", entry.name))?;
        Ok(Self { entry: entry.clone(), builder, settings })
    }

    fn is_gripper(&self) -> bool {
        matches!(self.entry.kind, ControllerKind::Gripper | ControllerKind::ParallelGripper)
    }

    /// What the manager is told of it; its node is managed from then on.
    fn list(&mut self) -> anyhow::Result<Listed> {
        let config = self.settings.config();
        let autostart =
            if self.is_gripper() { config.gripper.autostart } else { config.controller.autostart };
        let NodeBuilder { node, span, .. } = &mut self.builder;
        let (node, tasks) = lifecycle::offer(node, span.clone())?;
        Ok(Listed {
            entry: self.entry.clone(),
            joints: self.joints().to_vec(),
            state: if autostart { Lifecycle::Active } else { Lifecycle::Unconfigured },
            node,
            tasks,
        })
    }

    /// The joints that it drives.
    fn joints(&self) -> &[String] {
        let config = self.settings.config();
        if self.is_gripper() { std::slice::from_ref(&config.gripper.joint) } else { &config.arm.joints }
    }

    fn build(self, place: &Place<'_>) -> anyhow::Result<Parts> {
        if self.is_gripper() { self.build_gripper(place) } else { self.build_trajectory(place) }
    }

    fn build_trajectory(mut self, place: &Place<'_>) -> anyhow::Result<Parts> {
        let config = self.settings.config().clone();
        let limits = arm_setup(&config, place.model)?.limits;
        let joints = place.indices(&config.arm.joints)?;
        let follower = Follower::new(FollowerSetup {
            joints: joints.clone(),
            commanded: config.controller.commanded.clone(),
            braking_limits: braking_limits(&config.controller, &limits),
            limits: limits.clone(),
            period_secs: place.period.as_secs_f64(),
            speed_factor: config.controller.initial_speed_scaling,
        });
        let receiver = parameters::serve_settings(&mut self.builder.node, self.settings)?;
        let setup = ControllerSetup {
            names: config.arm.joints,
            joints,
            limits,
            member: place.member,
            config: receiver.clone(),
        };
        let (publisher, controller) = controller::offer(&mut self.builder.node, setup)?;
        Ok(Parts {
            core: Member::Trajectory(follower),
            client_side: Hosted::Trajectory { controller, config: receiver },
            span: self.builder.span,
            sink: Box::new(publisher),
            node: self.builder.node,
        })
    }

    fn build_gripper(mut self, place: &Place<'_>) -> anyhow::Result<Parts> {
        let config = self.settings.config().clone();
        let setup = arm_setup(&config, place.model)?;
        let own = config.arm.joints.iter().position(|joint| *joint == config.gripper.joint);
        let own = own.with_context(|| format!("the arm has no joint `{}`", config.gripper.joint))?;
        let (limits, rated) = (setup.limits[own], setup.ratings[own].max_effort);
        let joint = place.indices(std::slice::from_ref(&config.gripper.joint))?[0];
        let effort = JointEffort { rated, configured: rated * place.torque_limit(joint) };
        let gripper = Gripper::new(joint, config.gripper.rules, limits, effort, place.period.as_secs_f64());
        let of_ros =
            GripperJoint { index: joint, name: config.gripper.joint.clone(), limits, rated_effort: rated };
        parameters::serve_settings(&mut self.builder.node, self.settings)?;
        let (publisher, controller) =
            gripper::offer(&mut self.builder.node, place.member, of_ros, &config.gripper)?;
        Ok(Parts {
            core: Member::Gripper(gripper),
            client_side: Hosted::Gripper(controller),
            span: self.builder.span,
            sink: Box::new(publisher),
            node: self.builder.node,
        })
    }
}

impl Place<'_> {
    /// The part of its effort that a joint's servo is configured to use; all of it where that is not known here.
    fn torque_limit(&self, joint: usize) -> f64 {
        self.torque_limits.get(joint).copied().unwrap_or(1.0)
    }

    /// Which of the arm's joints these are.
    fn indices(&self, joints: &[String]) -> anyhow::Result<Vec<usize>> {
        let index = |joint: &String| {
            let index = self.arm_joints.iter().position(|of_arm| of_arm == joint);
            index.with_context(|| {
                format!("the arm has no joint `{joint}`, it has {}", self.arm_joints.join(", "))
            })
        };
        joints.iter().map(index).collect()
    }
}

/// The limits within which joints come to rest when their goal is cancelled.
fn braking_limits(config: &ControllerConfig, limits: &[JointLimits]) -> Vec<JointLimits> {
    let of_joint = |(limits, deceleration): (&JointLimits, &Option<f64>)| match deceleration {
        Some(deceleration) if config.decelerate_on_cancel => limits.with_max_acceleration(*deceleration),
        _ => *limits,
    };
    limits.iter().zip(&config.max_deceleration).map(of_joint).collect()
}

impl Controllers {
    /// What clients ask next, if it comes to a request. Cancel safe.
    pub async fn next(&mut self) -> Option<HostRequest> {
        let Self { hosted, manager: (span, manager) } = self;
        let hosted = hosted.iter_mut().map(|(span, hosted)| Box::pin(hosted.next().instrument(span.clone())));
        let asked = tokio::select! {
            (request, member, _) = select_all(hosted) => Asked::Of(member, request?),
            request = manager.next().instrument(span.clone()) => Asked::Manager(request?),
        };
        match asked {
            Asked::Of(member, request) => Some(HostRequest::Member(member, request)),
            Asked::Manager(ManagerRequest::Activate(member)) => self.order(member, true),
            Asked::Manager(ManagerRequest::Deactivate(member)) => self.order(member, false),
            Asked::Manager(ManagerRequest::Hardware(on)) => Some(HostRequest::Hardware(on)),
        }
    }

    /// One of the ensemble's members says something.
    pub fn on_event(&mut self, member: usize, event: MemberEvent) {
        let switched = match event {
            MemberEvent::Trajectory(FollowerEvent::Active(active))
            | MemberEvent::Gripper(GripperEvent::Active(active)) => Some(active),
            _ => None,
        };
        if let Some((span, hosted)) = self.hosted.get_mut(member) {
            span.in_scope(|| hosted.on_event(event));
        }
        // Who asked for it hears of it when it is so for all.
        if let Some(active) = switched {
            self.note_active(member, active);
        }
    }

    /// The servos answer, and can move, or do not.
    pub fn note_hardware(&mut self, state: Lifecycle) {
        let (span, manager) = &mut self.manager;
        span.in_scope(|| manager.note_hardware(state));
    }

    /// The servos' torque is not switched, and why.
    pub fn note_hardware_refused(&mut self, why: &str) {
        let (span, manager) = &mut self.manager;
        span.in_scope(|| manager.note_hardware_refused(why));
    }

    fn note_active(&mut self, member: usize, active: bool) {
        let (span, manager) = &mut self.manager;
        let note = if active { ControllerManager::note_active } else { ControllerManager::note_inactive };
        span.in_scope(|| note(manager, member));
    }

    fn order(&self, member: usize, active: bool) -> Option<HostRequest> {
        Some(HostRequest::Member(member, self.switch(member, active)?))
    }

    fn switch(&self, member: usize, active: bool) -> Option<MemberRequest> {
        let request = match &self.hosted.get(member)?.1 {
            Hosted::Trajectory { .. } if !active => MemberRequest::Trajectory(Request::Deactivate),
            Hosted::Trajectory { config, .. } => {
                let keeps_command = config.borrow().controller.starts_from_last_command;
                let from = if keeps_command { StartFrom::Command } else { StartFrom::Measured };
                MemberRequest::Trajectory(Request::Activate(from))
            }
            Hosted::Gripper(_) => MemberRequest::Gripper(GripperRequest::SetActive(active)),
        };
        Some(request)
    }
}

impl Hosted {
    async fn next(&mut self) -> Option<MemberRequest> {
        match self {
            Self::Trajectory { controller, .. } => controller.next().await.map(MemberRequest::Trajectory),
            Self::Gripper(gripper) => gripper.next().await.map(MemberRequest::Gripper),
        }
    }

    fn on_event(&mut self, event: MemberEvent) {
        match (self, event) {
            (Self::Trajectory { controller, .. }, MemberEvent::Trajectory(event)) => {
                controller.on_event(event)
            }
            (Self::Gripper(gripper), MemberEvent::Gripper(event)) => gripper.on_event(&event),
            (Self::Trajectory { .. }, MemberEvent::Gripper(_))
            | (Self::Gripper(_), MemberEvent::Trajectory(_)) => {}
        }
    }
}
