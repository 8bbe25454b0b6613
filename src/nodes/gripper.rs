//! What a gripper controller offers on ROS, wherever it runs: the action `~/gripper_cmd`, of one type or the other.
//!
//! Goals are accepted at once, and aborted where they are refused; neither result has a text, so the log says why.

use std::collections::HashMap;
use std::time::Duration;

use r2r::control_msgs::action::{GripperCommand, ParallelGripperCommand};
use r2r::sensor_msgs::msg::JointState;
use r2r::std_msgs::msg::Header;
use r2r::{Node, WrappedActionTypeSupport};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::action_server::{ActionRequest, ActionServer, GoalEnd, GoalUuid};
use super::messages::stamp_of;
use super::publisher::SnapshotSink;
use crate::config::gripper::{GripperConfig, GripperKind};
use crate::control::arm::MeasuredJoint;
use crate::control::ensemble::MemberView;
use crate::control::follower::GoalId;
use crate::control::gripper::goal::{GripperFinished, GripperOutcome, GripperRefusal, RawGripperGoal};
use crate::control::gripper::{GripperEvent, GripperRequest};
use crate::servo::snapshot::Snapshot;
use crate::trajectory::limits::JointLimits;

/// A gripper's view of one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct GripperReport {
    /// What its servo said.
    pub measured: MeasuredJoint,
    /// What it does.
    pub view: MemberView,
}

/// Tells the latest report to the action.
pub struct GripperPublisher {
    joint: usize,
    member: usize,
    report: watch::Sender<GripperReport>,
}

/// The joint that a gripper controller moves.
#[derive(Clone, Debug)]
pub struct GripperJoint {
    /// Its index among the arm's.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its limits.
    pub limits: JointLimits,
    /// Its whole effort (N m or N); 0 where the URDF does not say.
    pub rated_effort: f64,
}

/// Turns goals into requests, and what became of them into results.
pub enum GripperController {
    /// For clients of `GripperCommand`.
    Command(Served<GripperCommand::Action>),
    /// For clients of `ParallelGripperCommand`.
    Parallel(Served<ParallelGripperCommand::Action>),
}

/// A gripper controller that offers one type of action.
pub struct Served<A: GripperAction> {
    server: ActionServer<A>,
    joint: GripperJoint,
    allow_stalling: bool,
    report: watch::Receiver<GripperReport>,
    feedback_timer: Interval,
    origins: HashMap<GoalId, GoalUuid>,
    newest: GoalId,
}

/// A gripper as its clients see it.
#[derive(Clone, Copy, Debug, Default)]
pub struct GripperState {
    measured: MeasuredJoint,
    is_stalled: bool,
    has_reached: bool,
}

/// What the two types of action differ in.
pub trait GripperAction: WrappedActionTypeSupport + 'static {
    /// What a goal asks of the joint `joint`.
    ///
    /// # Errors
    /// What the message lacks.
    fn asked(goal: &Self::Goal, joint: &str) -> Result<RawGripperGoal, GripperRefusal>;

    /// The result for the joint `joint`.
    fn result(state: &GripperState, joint: &str) -> Self::Result;

    /// The feedback for the joint `joint`.
    fn feedback(state: &GripperState, joint: &str) -> Self::Feedback;
}

/// Creates the action on `node`, for the process's controller of that number.
///
/// # Errors
/// Where it cannot be created.
pub fn offer(
    node: &mut Node,
    member: usize,
    joint: GripperJoint,
    config: &GripperConfig,
) -> anyhow::Result<(GripperPublisher, GripperController)> {
    let (sender, report) = watch::channel(GripperReport::default());
    let publisher = GripperPublisher { joint: joint.index, member, report: sender };
    let controller = match config.kind {
        GripperKind::Command => GripperController::Command(Served::new(node, joint, config, report)?),
        GripperKind::Parallel => GripperController::Parallel(Served::new(node, joint, config, report)?),
    };
    Ok((publisher, controller))
}

impl SnapshotSink for GripperPublisher {
    fn see(&mut self, snapshot: &Snapshot) {
        let Some(joint) = snapshot.joints().get(self.joint) else { return };
        let measured = MeasuredJoint::from(&joint.servo);
        self.report.send_replace(GripperReport { measured, view: snapshot.members[self.member] });
    }
}

impl GripperController {
    /// The next request for the gripper, if what a client asked comes to one. Cancel safe.
    pub async fn next(&mut self) -> Option<GripperRequest> {
        match self {
            Self::Command(served) => served.next().await,
            Self::Parallel(served) => served.next().await,
        }
    }

    /// Something that the gripper said; a goal's client gets the result at once.
    pub fn on_event(&mut self, event: &GripperEvent) {
        match (self, event) {
            (Self::Command(served), GripperEvent::Finished(finished)) => served.on_finished(finished),
            (Self::Parallel(served), GripperEvent::Finished(finished)) => served.on_finished(finished),
            (_, GripperEvent::Active(_)) => {}
        }
    }
}

impl<A: GripperAction> Served<A> {
    fn new(
        node: &mut Node,
        joint: GripperJoint,
        config: &GripperConfig,
        report: watch::Receiver<GripperReport>,
    ) -> anyhow::Result<Self> {
        let mut feedback_timer = interval(Duration::from_secs_f64(1.0 / config.action_monitor_rate_hz));
        feedback_timer.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Ok(Self {
            server: ActionServer::new(node, "~/gripper_cmd")?,
            joint,
            allow_stalling: config.allow_stalling,
            report,
            feedback_timer,
            origins: HashMap::new(),
            newest: GoalId(0),
        })
    }

    async fn next(&mut self) -> Option<GripperRequest> {
        tokio::select! {
            request = self.server.next() => match request {
                ActionRequest::Goal(uuid, goal) => self.on_goal(uuid, &goal),
                ActionRequest::Cancel(uuid) => self.on_cancel(uuid),
            },
            _ = self.feedback_timer.tick() => {
                self.send_feedback();
                None
            }
        }
    }

    fn on_goal(&mut self, uuid: GoalUuid, goal: &A::Goal) -> Option<GripperRequest> {
        let GripperJoint { name, limits, rated_effort, .. } = &self.joint;
        let id = GoalId(self.newest.0 + 1);
        match A::asked(goal, name).and_then(|raw| raw.check(id, name, limits, *rated_effort)) {
            Ok(goal) => {
                self.newest = id;
                self.origins.insert(id, uuid);
                Some(GripperRequest::Move(goal))
            }
            Err(refusal) => {
                tracing::warn!("goal refused: {refusal}");
                let state = GripperState { measured: self.report.borrow().measured, ..Default::default() };
                self.server.finish(uuid, GoalEnd::Aborted, A::result(&state, name));
                None
            }
        }
    }

    fn on_cancel(&self, uuid: GoalUuid) -> Option<GripperRequest> {
        let named = self.origins.iter().find(|(_, origin)| **origin == uuid);
        named.map(|(id, _)| GripperRequest::Cancel(*id))
    }

    fn on_finished(&mut self, finished: &GripperFinished) {
        let Some(uuid) = self.origins.remove(&finished.id) else { return };
        let GripperFinished { outcome, position, velocity, effort, .. } = *finished;
        let end = match outcome {
            GripperOutcome::Reached => GoalEnd::Succeeded,
            GripperOutcome::Stalled if self.allow_stalling => GoalEnd::Succeeded,
            GripperOutcome::Cancelled => GoalEnd::Canceled,
            GripperOutcome::Stalled | GripperOutcome::Replaced | GripperOutcome::Halted(_) => {
                GoalEnd::Aborted
            }
        };
        let name = &self.joint.name;
        match outcome {
            GripperOutcome::Halted(why) => tracing::warn!("goal of joint `{name}` aborted: {why}"),
            GripperOutcome::Stalled => tracing::info!("joint `{name}` stalled at {position:.4}"),
            _ => tracing::debug!("goal of joint `{name}` ended: {outcome:?}"),
        }
        let state = GripperState {
            measured: MeasuredJoint { position, velocity, effort, ..self.report.borrow().measured },
            is_stalled: outcome == GripperOutcome::Stalled,
            has_reached: outcome == GripperOutcome::Reached,
        };
        self.server.finish(uuid, end, A::result(&state, name));
    }

    fn send_feedback(&self) {
        let GripperReport { measured, view } = *self.report.borrow();
        let Some(uuid) = view.goal.and_then(|goal| self.origins.get(&goal)) else { return };
        let state = GripperState { measured, is_stalled: view.stalled, has_reached: false };
        self.server.publish_feedback(*uuid, A::feedback(&state, &self.joint.name));
    }
}

impl GripperAction for GripperCommand::Action {
    fn asked(goal: &Self::Goal, _joint: &str) -> Result<RawGripperGoal, GripperRefusal> {
        let command = &goal.command;
        Ok(RawGripperGoal { position: command.position, max_effort: command.max_effort, max_velocity: 0.0 })
    }

    fn result(state: &GripperState, _joint: &str) -> Self::Result {
        GripperCommand::Result {
            position: state.measured.position,
            effort: state.measured.effort,
            stalled: state.is_stalled,
            reached_goal: state.has_reached,
        }
    }

    fn feedback(state: &GripperState, _joint: &str) -> Self::Feedback {
        GripperCommand::Feedback {
            position: state.measured.position,
            effort: state.measured.effort,
            stalled: state.is_stalled,
            reached_goal: state.has_reached,
        }
    }
}

impl GripperAction for ParallelGripperCommand::Action {
    fn asked(goal: &Self::Goal, joint: &str) -> Result<RawGripperGoal, GripperRefusal> {
        let JointState { name, position, velocity, effort, .. } = &goal.command;
        let refuse = |text: String| Err(GripperRefusal::Message(text));
        if !name.is_empty() && *name != [joint] {
            return refuse(format!("the goal names {}; this gripper's joint is `{joint}`", quoted(name)));
        }
        let &[position] = position.as_slice() else {
            return refuse(format!("the goal has {} positions; it must have one", position.len()));
        };
        for (what, list) in [("velocities", velocity), ("efforts", effort)] {
            if 1 < list.len() {
                return refuse(format!("the goal has {} {what}; it must have one or none", list.len()));
            }
        }
        let first = |list: &Vec<f64>| list.first().copied().unwrap_or(0.0);
        Ok(RawGripperGoal { position, max_effort: first(effort), max_velocity: first(velocity) })
    }

    fn result(state: &GripperState, joint: &str) -> Self::Result {
        ParallelGripperCommand::Result {
            state: joint_state(state, joint),
            stalled: state.is_stalled,
            reached_goal: state.has_reached,
        }
    }

    fn feedback(state: &GripperState, joint: &str) -> Self::Feedback {
        ParallelGripperCommand::Feedback { state: joint_state(state, joint) }
    }
}

fn joint_state(state: &GripperState, joint: &str) -> JointState {
    let MeasuredJoint { stamp, position, velocity, effort, .. } = state.measured;
    JointState {
        header: Header { stamp: stamp_of(stamp), ..Header::default() },
        name: vec![joint.to_owned()],
        position: vec![position],
        velocity: vec![velocity],
        effort: vec![effort],
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(names: &[&str], position: &[f64], effort: &[f64]) -> Result<RawGripperGoal, String> {
        let command = JointState {
            name: names.iter().map(|&name| name.to_owned()).collect(),
            position: position.to_vec(),
            effort: effort.to_vec(),
            ..JointState::default()
        };
        let goal = ParallelGripperCommand::Goal { command };
        ParallelGripperCommand::Action::asked(&goal, "jaw").map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn a_goal_that_is_not_about_this_joint_is_refused_by_name_or_count() {
        let good = RawGripperGoal { position: 0.5, max_effort: 2.0, max_velocity: 0.0 };
        assert_eq!(asked(&["jaw"], &[0.5], &[2.0]), Ok(good));
        assert_eq!(asked(&[], &[0.5], &[]), Ok(RawGripperGoal { max_effort: 0.0, ..good }));
        let error =
            |names: &[&str], position: &[f64], effort: &[f64]| asked(names, position, effort).unwrap_err();
        assert_eq!(error(&["wrist"], &[0.5], &[]), "the goal names `wrist`; this gripper's joint is `jaw`");
        assert!(error(&["jaw", "wrist"], &[0.5, 0.1], &[]).contains("`jaw`, `wrist`"));
        assert_eq!(error(&["jaw"], &[], &[]), "the goal has 0 positions; it must have one");
        assert_eq!(error(&["jaw"], &[0.5], &[1.0, 1.0]), "the goal has 2 efforts; it must have one or none");
    }
}
