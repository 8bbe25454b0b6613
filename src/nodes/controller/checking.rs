//! Goals on their way from a message to something that can be executed, in the order in which they came.
//!
//! Most take microseconds. Long ones, and those whose times have to be found first, are worked on aside, so that no
//! service waits for them.

use std::collections::HashSet;

use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use futures::{FutureExt as _, StreamExt as _};
use r2r::control_msgs::action::FollowJointTrajectory::Goal as GoalMessage;
use r2r::trajectory_msgs::msg::JointTrajectory;
use tokio::sync::watch;

use super::report::ControllerReport;
use crate::config::Config;
use crate::config::controller::{ControllerConfig, LimitsPolicy};
use crate::control::follower::{Goal, GoalId, LONGEST_INTERVAL, Tolerances};
use crate::nodes::action_server::GoalUuid;
use crate::nodes::messages::{configured_tolerances, time_of, tolerances, waypoints};
use crate::servo::clock;
use crate::trajectory::limits::JointLimits;
use crate::trajectory::motion::Motion;
use crate::trajectory::refusal::Refusal;
use crate::trajectory::spline::JointState;
use crate::trajectory::waypoints::Rules;
use crate::units::Time;

/// What a client sent.
pub(super) enum Incoming {
    /// As a goal of the action.
    Action(GoalUuid, Box<GoalMessage>),
    /// By topic.
    Topic(Box<JointTrajectory>),
}

/// What became of it.
pub(super) struct Checked {
    pub(super) from: Incoming,
    /// Whether its client does not want it any more.
    pub(super) cancelled: bool,
    /// The goal, whose id is still to be given.
    pub(super) goal: Result<Box<Goal>, Refusal>,
}

/// Goals that are being checked.
pub(super) struct Checking {
    names: Vec<String>,
    limits: Vec<JointLimits>,
    config: watch::Receiver<Config>,
    report: watch::Receiver<ControllerReport>,
    under_way: FuturesOrdered<BoxFuture<'static, Checked>>,
    cancelled: HashSet<GoalUuid>,
    /// Whether the controller takes goals.
    active: bool,
    /// When the last trajectory of but one point came.
    last_point: Option<Time>,
}

/// All that a goal is held against.
struct Check {
    names: Vec<String>,
    limits: Vec<JointLimits>,
    config: ControllerConfig,
    start: Vec<JointState>,
    active: bool,
    is_of_stream: bool,
}

/// With more points than this, or without times, a trajectory is checked aside.
const MANY_POINTS: usize = 500;

impl Checking {
    pub(super) fn new(
        names: Vec<String>,
        limits: Vec<JointLimits>,
        config: watch::Receiver<Config>,
        report: watch::Receiver<ControllerReport>,
    ) -> Self {
        let (under_way, cancelled) = (FuturesOrdered::new(), HashSet::new());
        Self { names, limits, config, report, under_way, cancelled, active: true, last_point: None }
    }

    /// The controller takes goals from now on, or does not any more.
    pub(super) fn set_active(&mut self, active: bool) {
        self.active = active;
    }

    /// Begins to check what came.
    pub(super) fn begin(&mut self, from: Incoming) {
        let report = *self.report.borrow();
        let is_of_stream = self.is_of_stream(from.trajectory());
        let check = Check {
            names: self.names.clone(),
            limits: self.limits.clone(),
            config: self.config.borrow().controller.clone(),
            start: report.joints().iter().map(|joint| joint.desired).collect(),
            active: self.active,
            is_of_stream,
        };
        let checked = if is_long(from.trajectory()) {
            check.run_aside(from).boxed()
        } else {
            futures::future::ready(check.run(from)).boxed()
        };
        self.under_way.push_back(checked);
    }

    /// Whether it is one of single points that follow each other quickly.
    fn is_of_stream(&mut self, trajectory: &JointTrajectory) -> bool {
        let now = clock::now();
        let this_point = Some(now).filter(|_| trajectory.points.len() == 1);
        let last_point = std::mem::replace(&mut self.last_point, this_point);
        let goes_on = last_point.is_some_and(|last| now.secs_since(last) <= LONGEST_INTERVAL);
        this_point.is_some() && goes_on
    }

    /// The client of this goal does not want it any more.
    pub(super) fn cancel(&mut self, uuid: GoalUuid) {
        if !self.under_way.is_empty() {
            self.cancelled.insert(uuid);
        }
    }

    /// The next one that is checked. Cancel safe; pending while there is none.
    pub(super) async fn next(&mut self) -> Checked {
        let Some(mut checked) = self.under_way.next().await else { return std::future::pending().await };
        if let Incoming::Action(uuid, _) = &checked.from {
            checked.cancelled = self.cancelled.remove(uuid);
        }
        if self.under_way.is_empty() {
            self.cancelled.clear();
        }
        checked
    }
}

impl Incoming {
    fn trajectory(&self) -> &JointTrajectory {
        match self {
            Self::Action(_, message) => &message.trajectory,
            Self::Topic(message) => message,
        }
    }
}

impl Check {
    fn run(self, from: Incoming) -> Checked {
        let goal = self.goal(&from).map(Box::new);
        Checked { from, cancelled: false, goal }
    }

    async fn run_aside(self, from: Incoming) -> Checked {
        match tokio::task::spawn_blocking(move || self.run(from)).await {
            Ok(checked) => checked,
            // The process ends, by its own wish or by a defect that has told itself already.
            Err(_) => std::future::pending().await,
        }
    }

    fn goal(&self, from: &Incoming) -> Result<Goal, Refusal> {
        if !self.active {
            return Err(Refusal::Inactive);
        }
        let tolerances = self.tolerances(from)?;
        let message = from.trajectory();
        let start = time_of(&message.header.stamp);
        let by_topic = matches!(from, Incoming::Topic(_));
        let config = &self.config;
        let trajectory = waypoints(message)?.validate(Rules {
            joints: &self.names,
            limits: &self.limits,
            allow_partial: config.allow_partial_joints_goal,
            allow_moving_end: config.allow_nonzero_velocity_at_trajectory_end,
            allow_integration: config.allow_integration_in_goal_trajectories,
            interpolation: config.interpolation,
            // A point of a stream is no motion of its own; it is passed as well as the limits allow.
            policy: if self.is_of_stream { LimitsPolicy::Shorten } else { config.limits_policy },
            upsampling: config.upsampling.filter(|_| by_topic),
            start: &self.start,
            joined_at: start.map_or(0.0, |start| clock::now().secs_since(start)),
        })?;
        if let Some(slowed) = &trajectory.slowed {
            let joint = self.names.get(slowed.joint).map_or("?", String::as_str);
            tracing::warn!("trajectory slowed down: {}", slowed.in_words(joint));
        }
        check_not_over(message, start, trajectory.spline.duration())?;
        let blends = config.allow_trajectory_replacement;
        Ok(Goal { id: GoalId(0), motion: Motion::new(trajectory), start, tolerances, blends })
    }

    fn tolerances(&self, from: &Incoming) -> Result<Tolerances, Refusal> {
        match from {
            Incoming::Action(_, message) => tolerances(message, &self.names, &self.config),
            Incoming::Topic(_) => Ok(configured_tolerances(&self.config)),
        }
    }
}

fn check_not_over(message: &JointTrajectory, start: Option<Time>, duration: f64) -> Result<(), Refusal> {
    let over_for = start.map_or(0.0, |start| clock::now().secs_since(start) - duration);
    if over_for <= 0.0 {
        return Ok(());
    }
    let stamp = &message.header.stamp;
    let start = f64::from(stamp.sec) + f64::from(stamp.nanosec) * 1e-9;
    Err(Refusal::Past { start, end: start + duration, ago: over_for })
}

fn is_long(trajectory: &JointTrajectory) -> bool {
    let is_timed = trajectory.points.iter().any(|point| {
        let time = &point.time_from_start;
        (time.sec, time.nanosec) != (0, 0)
    });
    let points = trajectory.points.len();
    MANY_POINTS < points || (1 < points && !is_timed)
}
