//! What the trajectory controller offers on ROS, wherever it runs: an action, a topic, and its state.
//!
//! The names, texts and codes are those of `joint_trajectory_controller`. Goals are accepted at once and aborted
//! where they are refused, so that the client learns why.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::anyhow;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use r2r::control_msgs::action::FollowJointTrajectory::{
    Action, Feedback, Goal as GoalMessage, Result as ResultMessage,
};
use r2r::control_msgs::msg::JointTrajectoryControllerState;
use r2r::std_msgs::msg::Header;
use r2r::trajectory_msgs::msg::{JointTrajectory, JointTrajectoryPoint};
use r2r::{Node, Publisher, QosProfile};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::action_server::{ActionRequest, ActionServer, GoalEnd, GoalUuid};
use super::hardware::{has_subscriber, publish};
use super::messages::{configured_tolerances, stamp_of, time_of, tolerances, waypoints};
use super::publisher::SnapshotSink;
use crate::config::arm::MAX_JOINTS;
use crate::config::controller::ControllerConfig;
use crate::control::arm::MeasuredJoint;
use crate::control::follower::{Finished, Goal, GoalId, Outcome, Request, Tolerances, Violation};
use crate::servo::clock;
use crate::servo::snapshot::Snapshot;
use crate::trajectory::limits::JointLimits;
use crate::trajectory::refusal::{Refusal, RefusalKind};
use crate::trajectory::spline::JointState;
use crate::trajectory::waypoints::Rules;
use crate::units::Time;

/// The controller's view of one moment.
#[derive(Clone, Copy, Debug)]
pub struct ControllerReport {
    /// The moment.
    pub time: Time,
    /// The goal under way.
    pub goal: Option<GoalId>,
    joint_count: usize,
    joints: [JointReport; MAX_JOINTS],
}

/// One joint in a [`ControllerReport`].
#[derive(Clone, Copy, Debug, Default)]
pub struct JointReport {
    /// Where it should be.
    pub desired: JointState,
    /// Where it is.
    pub measured: MeasuredJoint,
    /// What it is told (rad or m).
    pub command: f64,
}

/// Publishes `~/controller_state`, and tells the latest report to the action.
pub struct ControllerPublisher {
    joints: Vec<String>,
    state: Publisher<JointTrajectoryControllerState>,
    report: watch::Sender<ControllerReport>,
}

/// Turns goals and messages into requests, and what became of them into results.
pub struct Controller {
    server: ActionServer<Action>,
    topic: BoxStream<'static, JointTrajectory>,
    joints: Vec<String>,
    limits: Vec<JointLimits>,
    config: ControllerConfig,
    report: watch::Receiver<ControllerReport>,
    feedback_timer: Interval,
    origins: HashMap<GoalId, Origin>,
    newest: GoalId,
}

/// Where a goal came from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Origin {
    Action(GoalUuid),
    Topic,
}

/// Creates the controller's publishers, topic and action on `node`.
///
/// # Errors
/// Where one of them cannot be created.
pub fn offer(
    node: &mut Node,
    joints: &[String],
    limits: &[JointLimits],
    config: &ControllerConfig,
) -> anyhow::Result<(ControllerPublisher, Controller)> {
    let failed = |error| anyhow!("cannot offer the controller's topics: {error}");
    let (report_sender, report) = watch::channel(ControllerReport::new(Time(0), joints.len()));
    let publisher = ControllerPublisher {
        joints: joints.to_vec(),
        state: node.create_publisher("~/controller_state", QosProfile::default()).map_err(failed)?,
        report: report_sender,
    };
    let mut feedback_timer = interval(Duration::from_secs_f64(1.0 / config.action_monitor_rate_hz));
    feedback_timer.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let topic =
        node.subscribe::<JointTrajectory>("~/joint_trajectory", QosProfile::default()).map_err(failed)?;
    let controller = Controller {
        server: ActionServer::new(node, "~/follow_joint_trajectory")?,
        topic: topic.boxed(),
        joints: joints.to_vec(),
        limits: limits.to_vec(),
        config: config.clone(),
        report,
        feedback_timer,
        origins: HashMap::new(),
        newest: GoalId(0),
    };
    Ok((publisher, controller))
}

impl ControllerReport {
    /// A report of `joint_count` joints (at most [`MAX_JOINTS`]), to be filled in.
    pub fn new(time: Time, joint_count: usize) -> Self {
        Self {
            time,
            goal: None,
            joint_count: joint_count.min(MAX_JOINTS),
            joints: [JointReport::default(); MAX_JOINTS],
        }
    }

    /// The joints, in the arm's order.
    pub fn joints(&self) -> &[JointReport] {
        &self.joints[..self.joint_count]
    }

    /// The joints, in the arm's order, to be filled in.
    pub fn joints_mut(&mut self) -> &mut [JointReport] {
        &mut self.joints[..self.joint_count]
    }

    fn desired(&self) -> JointTrajectoryPoint {
        point(self.joints().iter().map(|joint| (joint.desired.position, joint.desired.velocity)))
    }

    fn actual(&self) -> JointTrajectoryPoint {
        point(self.joints().iter().map(|joint| (joint.measured.position, joint.measured.velocity)))
    }

    fn error(&self) -> JointTrajectoryPoint {
        point(self.joints().iter().map(|JointReport { desired, measured, .. }| {
            (desired.position - measured.position, desired.velocity - measured.velocity)
        }))
    }

    fn output(&self) -> JointTrajectoryPoint {
        let positions = self.joints().iter().map(|joint| joint.command).collect();
        JointTrajectoryPoint { positions, ..JointTrajectoryPoint::default() }
    }
}

impl From<&Snapshot> for ControllerReport {
    fn from(snapshot: &Snapshot) -> Self {
        let mut report = Self::new(snapshot.began, snapshot.joints().len());
        report.goal = snapshot.goal;
        for (to, from) in report.joints_mut().iter_mut().zip(snapshot.joints()) {
            let servo = &from.servo;
            to.desired = from.desired;
            to.command = from.command;
            to.measured = MeasuredJoint {
                stamp: servo.stamp,
                fresh: servo.fresh,
                position: servo.position,
                velocity: servo.velocity,
            };
        }
        report
    }
}

impl SnapshotSink for ControllerPublisher {
    fn see(&mut self, snapshot: &Snapshot) {
        self.publish(&ControllerReport::from(snapshot));
    }
}

impl ControllerPublisher {
    /// Publishes a report.
    pub fn publish(&mut self, report: &ControllerReport) {
        self.report.send_replace(*report);
        if !has_subscriber(&self.state) {
            return;
        }
        let message = JointTrajectoryControllerState {
            header: Header { stamp: stamp_of(report.time), ..Header::default() },
            joint_names: self.joints.clone(),
            reference: report.desired(),
            feedback: report.actual(),
            error: report.error(),
            output: report.output(),
            speed_scaling_factor: 1.0,
            ..JointTrajectoryControllerState::default()
        };
        publish(&self.state, &message);
    }
}

impl Controller {
    /// The next request for the follower, if what a client asked comes to one. Cancel safe.
    pub async fn next(&mut self) -> Option<Request> {
        tokio::select! {
            request = self.server.next() => self.on_action(request),
            Some(message) = self.topic.next() => self.on_message(&message),
            _ = self.feedback_timer.tick() => {
                self.send_feedback();
                None
            }
        }
    }

    /// A goal ended: its client gets the result at once.
    pub fn on_finished(&mut self, finished: &Finished) {
        let id = finished.goal.id;
        let Some(origin) = self.origins.remove(&id) else { return };
        let (end, error_code, error_string) = self.in_words(finished);
        match origin {
            Origin::Action(uuid) => self.end(uuid, end, error_code, error_string),
            Origin::Topic if error_code == code::SUCCESSFUL => tracing::debug!("{error_string}"),
            Origin::Topic => tracing::warn!("trajectory from the topic: {error_string}"),
        }
    }

    fn on_action(&mut self, request: ActionRequest<Action>) -> Option<Request> {
        match request {
            ActionRequest::Goal(uuid, message) => match self.goal_of(&message) {
                Ok(goal) => Some(self.follow(goal, Origin::Action(uuid))),
                Err(refusal) => {
                    tracing::warn!("goal refused: {refusal}");
                    self.end(uuid, GoalEnd::Aborted, code_of(refusal.kind()), refusal.to_string());
                    None
                }
            },
            ActionRequest::Cancel(uuid) => {
                let id = self
                    .origins
                    .iter()
                    .find(|(_, origin)| **origin == Origin::Action(uuid))
                    .map(|(id, _)| *id);
                id.map(Request::Cancel)
            }
        }
    }

    fn on_message(&mut self, message: &JointTrajectory) -> Option<Request> {
        if message.points.is_empty() {
            return Some(Request::Stop);
        }
        match self.goal_from(message, configured_tolerances(&self.config)) {
            Ok(goal) => Some(self.follow(goal, Origin::Topic)),
            Err(refusal) => {
                tracing::error!("trajectory from the topic refused: {refusal}");
                None
            }
        }
    }

    fn goal_of(&self, message: &GoalMessage) -> Result<Goal, Refusal> {
        let tolerances = tolerances(message, &self.joints, &self.config)?;
        self.goal_from(&message.trajectory, tolerances)
    }

    fn goal_from(&self, message: &JointTrajectory, tolerances: Tolerances) -> Result<Goal, Refusal> {
        let trajectory = waypoints(message)?.validate(Rules {
            allow_partial: self.config.allow_partial_joints_goal,
            allow_moving_end: self.config.allow_nonzero_velocity_at_trajectory_end,
            ..Rules::new(&self.joints, &self.limits)
        })?;
        let start = time_of(&message.header.stamp);
        let over_for =
            start.map_or(0.0, |start| clock::now().secs_since(start) - trajectory.spline.duration());
        if 0.0 < over_for {
            let stamp = &message.header.stamp;
            let start = f64::from(stamp.sec) + f64::from(stamp.nanosec) * 1e-9;
            let end = start + trajectory.spline.duration();
            return Err(Refusal::Past { start, end, ago: over_for });
        }
        Ok(Goal { id: GoalId(self.newest.0 + 1), trajectory, start, tolerances })
    }

    fn follow(&mut self, goal: Goal, origin: Origin) -> Request {
        self.newest = goal.id;
        self.origins.insert(goal.id, origin);
        Request::Follow(Box::new(goal))
    }

    fn end(&mut self, uuid: GoalUuid, end: GoalEnd, error_code: i32, error_string: String) {
        self.server.finish(uuid, end, ResultMessage { error_code, error_string });
    }

    fn in_words(&self, finished: &Finished) -> (GoalEnd, i32, String) {
        let joint =
            |violation: &Violation| self.joints.get(violation.joint).map_or("?", String::as_str).to_owned();
        match &finished.outcome {
            Outcome::Reached => (GoalEnd::Succeeded, code::SUCCESSFUL, "Goal successfully reached!".into()),
            Outcome::Cancelled => (GoalEnd::Canceled, code::SUCCESSFUL, String::new()),
            Outcome::Replaced => {
                let by_topic = self.origins.get(&self.newest) == Some(&Origin::Topic);
                let by = if by_topic { "a trajectory from the topic" } else { "new incoming action" };
                (GoalEnd::Aborted, code::INVALID_GOAL, format!("Current goal preempted by {by}."))
            }
            Outcome::Halted(why) => {
                (GoalEnd::Aborted, code::INVALID_GOAL, format!("The arm cannot move: {why}."))
            }
            Outcome::PathTolerance(v) => (
                GoalEnd::Aborted,
                code::PATH_TOLERANCE_VIOLATED,
                format!(
                    "Aborted due to path tolerance violation: joint {} is off by {:.4} after {:.3} s, tolerance {:.4}.",
                    joint(v),
                    v.error,
                    v.after_secs,
                    v.tolerance
                ),
            ),
            Outcome::GoalTolerance(v) => (
                GoalEnd::Aborted,
                code::GOAL_TOLERANCE_VIOLATED,
                format!(
                    "Aborted due to goal_time_tolerance exceeding by {:.6} seconds: joint {} is off by {:.4}, tolerance {:.4}.",
                    v.after_secs
                        - finished.goal.trajectory.spline.duration()
                        - finished.goal.tolerances.goal_time_secs,
                    joint(v),
                    v.error,
                    v.tolerance
                ),
            ),
        }
    }

    fn send_feedback(&self) {
        let report = *self.report.borrow();
        let Some(Origin::Action(uuid)) = report.goal.and_then(|goal| self.origins.get(&goal)) else { return };
        let feedback = Feedback {
            header: Header { stamp: stamp_of(report.time), ..Header::default() },
            joint_names: self.joints.clone(),
            desired: report.desired(),
            actual: report.actual(),
            error: report.error(),
            ..Feedback::default()
        };
        self.server.publish_feedback(*uuid, feedback);
    }
}

mod code {
    use super::ResultMessage;

    pub(super) const SUCCESSFUL: i32 = ResultMessage::SUCCESSFUL as i32;
    pub(super) const INVALID_GOAL: i32 = ResultMessage::INVALID_GOAL as i32;
    pub(super) const INVALID_JOINTS: i32 = ResultMessage::INVALID_JOINTS as i32;
    pub(super) const OLD_HEADER_TIMESTAMP: i32 = ResultMessage::OLD_HEADER_TIMESTAMP as i32;
    pub(super) const PATH_TOLERANCE_VIOLATED: i32 = ResultMessage::PATH_TOLERANCE_VIOLATED as i32;
    pub(super) const GOAL_TOLERANCE_VIOLATED: i32 = ResultMessage::GOAL_TOLERANCE_VIOLATED as i32;
}

fn code_of(kind: RefusalKind) -> i32 {
    match kind {
        RefusalKind::Goal => code::INVALID_GOAL,
        RefusalKind::Joints => code::INVALID_JOINTS,
        RefusalKind::OldTimestamp => code::OLD_HEADER_TIMESTAMP,
    }
}

fn point(states: impl Iterator<Item = (f64, f64)>) -> JointTrajectoryPoint {
    let (positions, velocities) = states.unzip();
    JointTrajectoryPoint { positions, velocities, ..JointTrajectoryPoint::default() }
}
