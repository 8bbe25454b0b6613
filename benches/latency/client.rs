//! A ROS client on one thread: it sleeps in the middleware and reads the clock as soon as that has an answer.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use futures::{FutureExt as _, StreamExt as _};
use r2r::control_msgs::action::FollowJointTrajectory;
use r2r::control_msgs::msg::JointTrajectoryControllerState;
use r2r::geometry_msgs::msg::PoseStamped;
use r2r::moveit_msgs::msg::RobotState;
use r2r::moveit_msgs::srv::{GetPositionFK, GetPositionIK};
use r2r::rcl_interfaces::srv::GetParameters;
use r2r::sensor_msgs::msg::JointState;
use r2r::{ActionClient, ActionClientGoal, GoalStatus, Node, QosProfile};
use servo_arm::servo::clock;

pub(crate) type Action = FollowJointTrajectory::Action;
type Result = FollowJointTrajectory::Result;
type Pending<T> = Pin<Box<dyn Future<Output = r2r::Result<T>>>>;

/// The client; everything that it does waits, and gives the time at which it had its answer.
pub(crate) struct Client {
    node: Node,
    action: ActionClient<Action>,
    parameters: r2r::Client<GetParameters::Service>,
    kinematics: Option<Kinematics>,
    stop: Arc<AtomicBool>,
}

/// The services of `ik_node`, where that runs.
struct Kinematics {
    inverse: r2r::Client<GetPositionIK::Service>,
    forward: r2r::Client<GetPositionFK::Service>,
}

/// A goal that was accepted.
pub(crate) struct Accepted {
    /// When it was sent (unix time, ns).
    pub(crate) sent: i64,
    /// When the client knew that it was accepted (unix time, ns).
    pub(crate) at: i64,
    handle: ActionClientGoal<Action>,
    result: Pending<(GoalStatus, Result)>,
}

/// How a goal ended.
pub(crate) struct Ended {
    /// When the client knew (unix time, ns).
    pub(crate) at: i64,
    pub(crate) status: GoalStatus,
    /// What the server said about it.
    pub(crate) text: String,
}

/// What the controller says of its joints.
pub(crate) struct Joints {
    pub(crate) names: Vec<String>,
    /// Where they should be (rad).
    pub(crate) references: Vec<f64>,
}

const CONTROLLER: &str = "arm_controller";
const START_TIMEOUT: Duration = Duration::from_secs(15);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Only the request to stop waits for this.
const SPIN_TIMEOUT: Duration = Duration::from_millis(50);

impl Client {
    /// Waits for the controller, and for inverse kinematics where those are asked for; says which joints it has.
    pub(crate) fn connect(stop: Arc<AtomicBool>, with_kinematics: bool) -> anyhow::Result<(Self, Joints)> {
        let context = r2r::Context::create()?;
        let joints = look(&context, &stop)?;
        let mut node = Node::create(context, "latency_bench", "")?;
        let action = node.create_action_client::<Action>(&format!("{CONTROLLER}/follow_joint_trajectory"))?;
        let parameters = node.create_client::<GetParameters::Service>(
            &format!("{CONTROLLER}/get_parameters"),
            QosProfile::services_default(),
        )?;
        let kinematics = with_kinematics.then(|| Kinematics::new(&mut node)).transpose()?;
        let mut available =
            vec![Node::is_available(&action)?.boxed_local(), Node::is_available(&parameters)?.boxed_local()];
        if let Some(Kinematics { inverse, forward }) = &kinematics {
            available.push(Node::is_available(inverse)?.boxed_local());
            available.push(Node::is_available(forward)?.boxed_local());
        }
        let mut client = Self { node, action, parameters, kinematics, stop };
        for each in available {
            client.wait(each, START_TIMEOUT)?.0.context("the nodes do not start")?;
        }
        Ok((client, joints))
    }

    /// Sends a goal and waits until it is accepted.
    pub(crate) fn send(&mut self, goal: FollowJointTrajectory::Goal) -> anyhow::Result<Accepted> {
        let sent = wall_now();
        let request = self.action.send_goal_request(goal)?;
        let (accepted, at) = self.wait(request, ANSWER_TIMEOUT)?;
        let (handle, result, _feedback) = accepted.context("a goal was rejected")?;
        Ok(Accepted { sent, at, handle, result: Box::pin(result) })
    }

    /// Waits for a goal's result.
    pub(crate) fn result(&mut self, goal: Accepted) -> anyhow::Result<Ended> {
        let (result, at) = self.wait(goal.result, ANSWER_TIMEOUT)?;
        let (status, result) = result?;
        Ok(Ended { at, status, text: result.error_string })
    }

    /// Cancels a goal; when that was sent, and when it was answered unless it came too late (unix time, ns).
    pub(crate) fn cancel(&mut self, goal: &Accepted) -> anyhow::Result<(i64, Option<i64>)> {
        let sent = wall_now();
        let request = goal.handle.cancel()?;
        let (answer, at) = self.wait(request, ANSWER_TIMEOUT)?;
        match answer {
            Err(r2r::Error::GoalCancelAlreadyTerminated) => Ok((sent, None)),
            answer => answer.map(|()| (sent, Some(at))).context("a cancel was refused"),
        }
    }

    /// A service call that asks for nothing; when it was sent and when it was answered (unix time, ns).
    pub(crate) fn empty_call(&mut self) -> anyhow::Result<(i64, i64)> {
        let sent = wall_now();
        let request = self.parameters.request(&GetParameters::Request::default())?;
        let (answer, at) = self.wait(request, ANSWER_TIMEOUT)?;
        answer?;
        Ok((sent, at))
    }

    /// Asks where `joints` must be for the pose that `link` has with them at `positions`, beginning elsewhere; when it was
    /// asked and when it was answered (unix time, ns). Nothing where nobody offers that.
    pub(crate) fn inverse_kinematics(
        &mut self,
        (joints, positions): (&[String], &[f64]),
        (group, link): (&str, &str),
    ) -> anyhow::Result<Option<(i64, i64)>> {
        let Self { node, kinematics: Some(Kinematics { inverse, forward }), stop, .. } = self else {
            return Ok(None);
        };
        let state = |position: Vec<f64>| RobotState {
            joint_state: JointState { name: joints.to_vec(), position, ..JointState::default() },
            ..RobotState::default()
        };
        let question = GetPositionFK::Request {
            fk_link_names: vec![link.to_owned()],
            robot_state: state(positions.to_vec()),
            ..GetPositionFK::Request::default()
        };
        let posed = forward.request(&question)?;
        let mut wanted = GetPositionIK::Request::default();
        wanted.ik_request.group_name = group.to_owned();
        wanted.ik_request.robot_state = state(positions.iter().map(|position| 0.5 * position).collect());
        let pose: Vec<PoseStamped> = wait(node, posed, stop, ANSWER_TIMEOUT)?.0?.pose_stamped;
        wanted.ik_request.pose_stamped = pose.into_iter().next().context("compute_fk knows no pose")?;
        let sent = wall_now();
        let solved = inverse.request(&wanted)?;
        let (solved, at) = wait(node, solved, stop, ANSWER_TIMEOUT)?;
        let code = solved?.error_code;
        if code.val != 1 {
            bail!("compute_ik says {}: {}", code.val, code.message);
        }
        Ok(Some((sent, at)))
    }

    /// Takes what comes for so long.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            self.node.spin_once(left);
        }
    }

    /// Makes sure that the controller is ours alone: another arm in this ROS domain must not move, and must not answer.
    pub(crate) fn refuse_strangers(&self) -> anyhow::Result<()> {
        let status = format!("/{CONTROLLER}/follow_joint_trajectory/_action/status");
        if 1 < self.node.get_publishers_info_by_topic(&status, false)?.len() {
            bail!("another {CONTROLLER} runs in this ROS domain; stop it, or choose another ROS_DOMAIN_ID");
        }
        Ok(())
    }

    fn wait<T>(&mut self, future: impl Future<Output = T>, timeout: Duration) -> anyhow::Result<(T, i64)> {
        let node = &mut self.node;
        wait(node, future, &self.stop, timeout)
    }
}

impl Kinematics {
    fn new(node: &mut Node) -> anyhow::Result<Self> {
        let qos = QosProfile::services_default;
        Ok(Self {
            inverse: node.create_client("compute_ik", qos())?,
            forward: node.create_client("compute_fk", qos())?,
        })
    }
}

fn wait<T>(
    node: &mut Node,
    future: impl Future<Output = T>,
    stop: &AtomicBool,
    timeout: Duration,
) -> anyhow::Result<(T, i64)> {
    let mut future = std::pin::pin!(future);
    let mut nobody = TaskContext::from_waker(Waker::noop());
    let begun = Instant::now();
    loop {
        let now = wall_now();
        if let Poll::Ready(value) = future.as_mut().poll(&mut nobody) {
            return Ok((value, now));
        }
        if stop.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        if timeout < begun.elapsed() {
            bail!("no answer within {} s", timeout.as_secs());
        }
        node.spin_once(SPIN_TIMEOUT);
    }
}

/// Looks at the controller's state with a node that is gone before anything is measured.
fn look(context: &r2r::Context, stop: &AtomicBool) -> anyhow::Result<Joints> {
    let mut node = Node::create(context.clone(), "latency_bench_lookout", "")?;
    let topic = format!("{CONTROLLER}/controller_state");
    let mut states = node.subscribe::<JointTrajectoryControllerState>(&topic, QosProfile::default())?;
    let (state, _) = wait(&mut node, states.next(), stop, START_TIMEOUT).context(topic)?;
    let state = state.ok_or_else(|| anyhow!("the controller's state ended"))?;
    Ok(Joints { names: state.joint_names, references: state.reference.positions })
}

/// The wall clock, as the emulator stamps with it (unix time, ns).
pub(crate) fn wall_now() -> i64 {
    clock::wall_nanos_at(clock::now())
}
