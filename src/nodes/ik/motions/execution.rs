//! Execution of trajectories by the controllers' actions: one at a time, the newest counts.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::anyhow;
use r2r::control_msgs::action::FollowJointTrajectory;
use r2r::trajectory_msgs::msg::JointTrajectory;
use r2r::{ActionClient, ActionClientGoal, GoalStatus, Node};

use super::super::failure::{Code, Failure};
use super::super::groups::Group;

type Client = ActionClient<FollowJointTrajectory::Action>;
type Goal = ActionClientGoal<FollowJointTrajectory::Action>;

/// How long a controller's action is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The clients of the controllers, and what is under way.
pub(super) struct Execution {
    clients: BTreeMap<String, Client>,
    /// Counts what was asked for; only the newest is executed.
    turn: Cell<u64>,
    running: RefCell<Option<(u64, Goal)>>,
}

impl Execution {
    /// A client for the controller of every group.
    pub(super) fn new(node: &mut Node, groups: &[Group]) -> anyhow::Result<Self> {
        let mut clients = BTreeMap::new();
        for controller in groups.iter().filter_map(|group| group.controller.as_ref()) {
            if !clients.contains_key(controller) {
                let action = format!("{controller}/follow_joint_trajectory");
                let client = node.create_action_client::<FollowJointTrajectory::Action>(&action);
                let client = client.map_err(|error| anyhow!("cannot use action {action}: {error}"))?;
                clients.insert(controller.clone(), client);
            }
        }
        Ok(Self { clients, turn: Cell::new(0), running: RefCell::new(None) })
    }

    /// Takes a turn; whoever has an older one does not begin any more.
    pub(super) fn next_turn(&self) -> u64 {
        self.turn.set(self.turn.get().wrapping_add(1));
        self.turn.get()
    }

    /// Whether somebody took a turn since.
    pub(super) fn is_over(&self, turn: u64) -> bool {
        self.turn.get() != turn
    }

    /// Executes a trajectory, unless it is somebody else's turn by now; until its end.
    pub(super) async fn run(
        &self,
        group: &Group,
        trajectory: JointTrajectory,
        turn: u64,
    ) -> Result<(), Failure> {
        let controller = group.controller.as_ref().ok_or_else(|| {
            Code::InvalidGroupName.because(format!(
                "group `{}` has no trajectory controller that moves all its joints",
                group.name
            ))
        })?;
        let failed = |what: String| Code::ControlFailed.because(format!("controller `{controller}` {what}"));
        let client = self.clients.get(controller).ok_or_else(|| failed("is not known".to_owned()))?;
        self.wait_for(client, controller).await?;
        if self.is_over(turn) {
            return Err(preempted());
        }
        let goal = FollowJointTrajectory::Goal { trajectory, ..FollowJointTrajectory::Goal::default() };
        let sent =
            client.send_goal_request(goal).map_err(|error| failed(format!("takes no goal: {error}")))?;
        let answered = tokio::time::timeout(PATIENCE, sent).await;
        let answered = answered.map_err(|_late| failed("does not answer".to_owned()))?;
        let (goal, result, _feedback) =
            answered.map_err(|error| failed(format!("refuses the goal: {error}")))?;
        if self.is_over(turn) {
            // Somebody said stop while the goal was on its way.
            cancel(&goal).await?;
            return Err(preempted());
        }
        *self.running.borrow_mut() = Some((turn, goal));
        let ended = result.await;
        let is_own = self.running.borrow().as_ref().is_some_and(|(of, _)| *of == turn);
        if is_own {
            self.running.borrow_mut().take();
        }
        let (status, result) = ended.map_err(|error| failed(format!("is gone: {error}")))?;
        match status {
            GoalStatus::Succeeded => Ok(()),
            _ if self.is_over(turn) => Err(preempted()),
            GoalStatus::Canceled => Err(Code::Preempted.because("somebody else cancelled the motion")),
            _ => Err(failed(format!("gave up: {}", result.error_string))),
        }
    }

    /// Cancels what is under way; whether something was.
    pub(super) async fn halt(&self) -> Result<bool, Failure> {
        let running = self.running.borrow_mut().take();
        let Some((_, goal)) = running else { return Ok(false) };
        cancel(&goal).await
    }

    async fn wait_for(&self, client: &Client, controller: &str) -> Result<(), Failure> {
        let gone = || {
            Code::ControlFailed.because(format!("nobody offers action {controller}/follow_joint_trajectory"))
        };
        let available = Node::is_available(client).map_err(|_error| gone())?;
        match tokio::time::timeout(PATIENCE, available).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(gone()),
        }
    }
}

/// Whether there was something to cancel.
async fn cancel(goal: &Goal) -> Result<bool, Failure> {
    let refused =
        |error: r2r::Error| Code::ControlFailed.because(format!("the motion cannot be cancelled: {error}"));
    let cancelling = goal.cancel().map_err(refused)?;
    match tokio::time::timeout(PATIENCE, cancelling).await {
        Ok(Ok(())) => Ok(true),
        // It has ended by itself.
        Ok(Err(r2r::Error::GoalCancelAlreadyTerminated | r2r::Error::GoalCancelUnknownGoalID)) => Ok(false),
        Ok(Err(error)) => Err(refused(error)),
        Err(_late) => {
            Err(Code::ControlFailed.because("the controller does not answer the request to cancel"))
        }
    }
}

fn preempted() -> Failure {
    Code::Preempted.because("a newer motion or a stop took its place")
}
