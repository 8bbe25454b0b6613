//! What a trajectory controller offers on ROS, wherever it runs: an action, topics, a service, and its state.
//!
//! The names, texts and codes are those of `joint_trajectory_controller`. Goals are accepted at once and aborted where
//! they are refused, so that the client learns why. Decides nothing: what is refused or how a goal ends is said by
//! `trajectory` and `control`.

mod checking;
mod report;
mod words;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use anyhow::anyhow;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use r2r::control_msgs::action::FollowJointTrajectory::Action;
use r2r::control_msgs::msg::SpeedScalingFactor;
use r2r::control_msgs::srv::QueryTrajectoryState;
use r2r::qos::DurabilityPolicy;
use r2r::trajectory_msgs::msg::JointTrajectory;
use r2r::{Node, QosProfile, ServiceRequest};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use self::checking::{Checked, Checking, Incoming};
pub use self::report::{ControllerPublisher, ControllerReport};
use self::words::Ending;
use super::action_server::{ActionRequest, ActionServer, GoalUuid};
use super::messages::time_of;
use super::parameters::{respond, service};
use crate::config::Config;
use crate::control::follower::{Answer, Ended, FollowerEvent, GoalId, Outcome, Request};
use crate::servo::clock;
use crate::trajectory::limits::JointLimits;

/// What a controller is made of on ROS.
pub struct ControllerSetup {
    /// The names of its joints.
    pub names: Vec<String>,
    /// For each of them, which of the arm's it is.
    pub joints: Vec<usize>,
    /// Their limits.
    pub limits: Vec<JointLimits>,
    /// Which of the process's controllers it is.
    pub member: usize,
    /// Its parameters, as they are at any time.
    pub config: watch::Receiver<Config>,
}

/// Turns goals and messages into requests, and what became of them into results.
pub struct Controller {
    server: ActionServer<Action>,
    topic: BoxStream<'static, JointTrajectory>,
    speed: BoxStream<'static, SpeedScalingFactor>,
    questions: BoxStream<'static, ServiceRequest<QueryTrajectoryState::Service>>,
    /// Questions that the control thread has not answered yet, the oldest first.
    asked: VecDeque<ServiceRequest<QueryTrajectoryState::Service>>,
    names: Vec<String>,
    checking: Checking,
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

/// Questions that wait for an answer at most; more are refused at once.
const MOST_QUESTIONS: usize = 32;

/// Creates the controller's publishers, topics, service and action on `node`.
///
/// # Errors
/// Where one of them cannot be created.
pub fn offer(node: &mut Node, setup: ControllerSetup) -> anyhow::Result<(ControllerPublisher, Controller)> {
    let ControllerSetup { names, joints, limits, member, config } = setup;
    let failed = |error| anyhow!("cannot offer the controller's topics: {error}");
    let (report_sender, report) = watch::channel(ControllerReport::new(joints.len()));
    let publisher = ControllerPublisher {
        names: names.clone(),
        member,
        joints,
        limits: limits.clone(),
        state: node.create_publisher("~/controller_state", QosProfile::default()).map_err(failed)?,
        report: report_sender,
    };
    let rate_hz = config.borrow().controller.action_monitor_rate_hz;
    let mut feedback_timer = interval(Duration::from_secs_f64(1.0 / rate_hz));
    feedback_timer.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let topic =
        node.subscribe::<JointTrajectory>("~/joint_trajectory", QosProfile::default()).map_err(failed)?;
    let latched =
        QosProfile { durability: DurabilityPolicy::TransientLocal, depth: 1, ..QosProfile::default() };
    let speed = node.subscribe::<SpeedScalingFactor>("~/speed_scaling_input", latched).map_err(failed)?;
    let controller = Controller {
        server: ActionServer::new(node, "~/follow_joint_trajectory")?,
        topic: topic.boxed(),
        speed: speed.boxed(),
        questions: service::<QueryTrajectoryState::Service>(node, "~/query_state")?.boxed(),
        asked: VecDeque::new(),
        checking: Checking::new(names.clone(), limits, config, report.clone()),
        names,
        report,
        feedback_timer,
        origins: HashMap::new(),
        newest: GoalId(0),
    };
    Ok((publisher, controller))
}

impl Controller {
    /// The next request for the follower, if what a client asked comes to one. Cancel safe.
    pub async fn next(&mut self) -> Option<Request> {
        tokio::select! {
            checked = self.checking.next() => self.on_checked(checked),
            request = self.server.next() => self.on_action(request),
            Some(message) = self.topic.next() => self.on_message(message),
            Some(message) = self.speed.next() => on_speed(&message),
            Some(question) = self.questions.next() => self.on_question(question),
            _ = self.feedback_timer.tick() => {
                self.send_feedback();
                None
            }
        }
    }

    /// Something that the follower said; a goal's client gets the result at once.
    pub fn on_event(&mut self, event: FollowerEvent) {
        match event {
            FollowerEvent::Ended(ended) => self.on_ended(&ended),
            FollowerEvent::Retired(goal) => drop(goal),
            FollowerEvent::Active(active) => self.checking.set_active(active),
            FollowerEvent::Answer(answer) => {
                if let Some(question) = self.asked.pop_front() {
                    respond(question, self.in_message(answer));
                }
            }
        }
    }

    fn on_action(&mut self, request: ActionRequest<Action>) -> Option<Request> {
        match request {
            ActionRequest::Goal(uuid, message) => {
                self.checking.begin(Incoming::Action(uuid, Box::new(message)));
                None
            }
            ActionRequest::Cancel(uuid) => {
                let is_meant = |(_, origin): &(&GoalId, &Origin)| **origin == Origin::Action(uuid);
                match self.origins.iter().find(is_meant) {
                    Some((id, _)) => Some(Request::Cancel(*id)),
                    None => {
                        self.checking.cancel(uuid);
                        None
                    }
                }
            }
        }
    }

    fn on_message(&mut self, message: JointTrajectory) -> Option<Request> {
        if message.points.is_empty() {
            return Some(Request::Stop);
        }
        self.checking.begin(Incoming::Topic(Box::new(message)));
        None
    }

    fn on_checked(&mut self, checked: Checked) -> Option<Request> {
        let origin = match &checked.from {
            Incoming::Action(uuid, _) => Origin::Action(*uuid),
            Incoming::Topic(_) => Origin::Topic,
        };
        match (checked.goal, origin) {
            (_, Origin::Action(uuid)) if checked.cancelled => {
                self.end(uuid, words::cancelled());
                None
            }
            (Ok(mut goal), origin) => {
                self.newest = GoalId(self.newest.0 + 1);
                goal.id = self.newest;
                self.origins.insert(goal.id, origin);
                Some(Request::Follow(goal))
            }
            (Err(refusal), Origin::Action(uuid)) => {
                tracing::warn!("goal refused: {refusal}");
                self.end(uuid, words::refused(refusal.kind(), refusal.to_string()));
                None
            }
            (Err(refusal), Origin::Topic) => {
                tracing::error!("trajectory from the topic refused: {refusal}");
                None
            }
        }
    }

    fn on_ended(&mut self, ended: &Ended) {
        let Some(origin) = self.origins.remove(&ended.id) else { return };
        let by_topic = self.origins.get(&self.newest) == Some(&Origin::Topic);
        let replaced_by = if by_topic { words::BY_TOPIC } else { words::BY_ACTION };
        let ending = words::ending(&ended.outcome, &self.names, replaced_by);
        match origin {
            Origin::Action(uuid) => self.end(uuid, ending),
            Origin::Topic if matches!(ended.outcome, Outcome::Reached | Outcome::Replaced) => {
                tracing::debug!("trajectory from the topic: {}", ending.result.error_string);
            }
            Origin::Topic => tracing::warn!("trajectory from the topic: {}", ending.result.error_string),
        }
    }

    fn end(&mut self, uuid: GoalUuid, ending: Ending) {
        self.server.finish(uuid, ending.end, ending.result);
    }

    fn on_question(&mut self, question: ServiceRequest<QueryTrajectoryState::Service>) -> Option<Request> {
        if MOST_QUESTIONS <= self.asked.len() {
            respond(question, self.in_message(Err("Too many queries wait for their answer already.")));
            return None;
        }
        let time = time_of(&question.message.time).unwrap_or_else(clock::now);
        self.asked.push_back(question);
        Some(Request::Query(time))
    }

    fn in_message(&self, answer: Answer) -> QueryTrajectoryState::Response {
        let name = self.names.clone();
        match answer {
            Ok(states) => {
                let states = &states[..name.len()];
                QueryTrajectoryState::Response {
                    success: true,
                    message: String::new(),
                    position: states.iter().map(|state| state.position).collect(),
                    velocity: states.iter().map(|state| state.velocity).collect(),
                    acceleration: states.iter().map(|state| state.acceleration).collect(),
                    name,
                }
            }
            Err(why) => QueryTrajectoryState::Response {
                success: false,
                message: why.to_owned(),
                name,
                ..QueryTrajectoryState::Response::default()
            },
        }
    }

    fn send_feedback(&self) {
        let report = *self.report.borrow();
        let origin = report.view.goal.and_then(|goal| self.origins.get(&goal));
        if let Some(Origin::Action(uuid)) = origin {
            self.server.publish_feedback(*uuid, report.feedback(&self.names));
        }
    }
}

fn on_speed(message: &SpeedScalingFactor) -> Option<Request> {
    // Stated positively, so that NaN fails too.
    let is_factor = 0.0 <= message.factor;
    if !is_factor {
        tracing::warn!(
            "speed_scaling_input: the factor is {}; it must be 0 or more, and is ignored",
            message.factor
        );
        return None;
    }
    Some(Request::SetSpeed(message.factor))
}
