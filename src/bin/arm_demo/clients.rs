//! The action clients: sends goals as anybody can, and waits for what becomes of them.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use futures::StreamExt as _;
use futures::future::{LocalBoxFuture, try_join_all};
use r2r::control_msgs::action::{FollowJointTrajectory, GripperCommand, ParallelGripperCommand};
use r2r::control_msgs::msg::GripperCommand as Command;
use r2r::sensor_msgs::msg::JointState;
use r2r::std_msgs::msg::Header;
use r2r::trajectory_msgs::msg::{JointTrajectory, JointTrajectoryPoint};
use r2r::{ActionClient, GoalStatus, Node, WrappedActionTypeSupport};
use servo_arm::config::gripper::GripperKind;
use servo_arm::nodes::messages::{duration_of, stamp_now};

use super::controllers::{Controllers, GripperController};
use super::script::Point;

/// Clients of the controllers' actions.
pub(crate) struct Clients {
    /// The joints of trajectories.
    joints: Vec<String>,
    trajectory: ActionClient<FollowJointTrajectory::Action>,
    gripper: Option<GripperClient>,
    /// The actions' names.
    actions: Vec<String>,
}

/// Resolves when every server is there.
pub(crate) type Available = LocalBoxFuture<'static, r2r::Result<()>>;

/// How a goal ended.
pub(crate) struct Ended {
    pub(crate) status: GoalStatus,
    /// What the server said about it.
    pub(crate) text: String,
}

enum GripperClient {
    Command(ActionClient<GripperCommand::Action>),
    Parallel(ActionClient<ParallelGripperCommand::Action>),
}

impl Clients {
    /// Creates the clients on `node`.
    pub(crate) fn new(node: &mut Node, controllers: &Controllers) -> anyhow::Result<(Self, Available)> {
        let name = format!("{}/follow_joint_trajectory", controllers.trajectory.name);
        let (trajectory, available) = create(node, &name)?;
        let (mut all_available, mut actions) = (vec![available], vec![name]);
        let mut gripper = None;
        if let Some(GripperController { name, kind, .. }) = &controllers.gripper {
            let name = format!("{name}/gripper_cmd");
            let (client, available) = GripperClient::new(node, &name, *kind)?;
            gripper = Some(client);
            all_available.push(available);
            actions.push(name);
        }
        let available = async { try_join_all(all_available).await.map(|_| ()) };
        let joints = controllers.trajectory.joints.iter().map(|joint| joint.name.clone()).collect();
        Ok((Self { joints, trajectory, gripper, actions }, Box::pin(available)))
    }

    /// The actions' names.
    pub(crate) fn actions(&self) -> &[String] {
        &self.actions
    }

    /// Moves the arm through these points from now on, and waits for the result, but not forever.
    pub(crate) async fn follow(&self, points: &[Point], patience: Duration) -> anyhow::Result<Ended> {
        let goal = FollowJointTrajectory::Goal {
            trajectory: JointTrajectory {
                header: Header { stamp: stamp_now(), ..Header::default() },
                joint_names: self.joints.clone(),
                points: points.iter().map(message).collect(),
            },
            ..FollowJointTrajectory::Goal::default()
        };
        let (status, result) = execute(&self.trajectory, goal, patience).await?;
        Ok(Ended { status, text: result.error_string })
    }

    /// Moves the gripper to a position (rad or m), and waits for its result, but not forever.
    pub(crate) async fn grip(&self, position: f64, patience: Duration) -> anyhow::Result<Ended> {
        let (status, stalled) = match self.gripper.as_ref().context("the arm has no gripper")? {
            GripperClient::Command(client) => {
                let goal = GripperCommand::Goal { command: Command { position, max_effort: 0.0 } };
                let (status, result) = execute(client, goal, patience).await?;
                (status, result.stalled)
            }
            GripperClient::Parallel(client) => {
                let command = JointState { position: vec![position], ..JointState::default() };
                let goal = ParallelGripperCommand::Goal { command };
                let (status, result) = execute(client, goal, patience).await?;
                (status, result.stalled)
            }
        };
        Ok(Ended { status, text: if stalled { "it stalled" } else { "see the controller's log" }.to_owned() })
    }
}

impl GripperClient {
    fn new(node: &mut Node, name: &str, kind: GripperKind) -> anyhow::Result<(Self, Available)> {
        Ok(match kind {
            GripperKind::Command => {
                let (client, available) = create(node, name)?;
                (Self::Command(client), available)
            }
            GripperKind::Parallel => {
                let (client, available) = create(node, name)?;
                (Self::Parallel(client), available)
            }
        })
    }
}

fn message(point: &Point) -> JointTrajectoryPoint {
    JointTrajectoryPoint {
        positions: point.positions.clone(),
        velocities: point.velocities.clone().unwrap_or_default(),
        time_from_start: duration_of(point.secs),
        ..JointTrajectoryPoint::default()
    }
}

fn create<A: WrappedActionTypeSupport + 'static>(
    node: &mut Node,
    name: &str,
) -> anyhow::Result<(ActionClient<A>, Available)> {
    let failed = |error| anyhow!("action client of {name}: {error}");
    let client = node.create_action_client::<A>(name).map_err(failed)?;
    let available = Node::is_available(&client).map_err(failed)?;
    Ok((client, Box::pin(available)))
}

async fn execute<A: WrappedActionTypeSupport + 'static>(
    client: &ActionClient<A>,
    goal: A::Goal,
    patience: Duration,
) -> anyhow::Result<(GoalStatus, A::Result)> {
    let refused = |error| anyhow!("it was not taken: {error}");
    let sent = client.send_goal_request(goal).map_err(refused)?;
    let (_handle, result, feedback) = sent.await.map_err(refused)?;
    tokio::task::spawn_local(feedback.for_each(|_| futures::future::ready(())));
    let result = tokio::time::timeout(patience, result).await;
    result.context("it has no result")?.map_err(refused)
}
