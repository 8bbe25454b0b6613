//! Looks at the arm as any ROS client can: joint states, controller state, diagnostics.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use futures::{Stream, StreamExt as _};
use r2r::control_msgs::msg::JointTrajectoryControllerState;
use r2r::diagnostic_msgs::msg::DiagnosticArray;
use r2r::sensor_msgs::msg::JointState;
use r2r::{Context, Node, QosProfile, WrappedTypesupport};
use servo_arm::nodes::statistics::Percentiles;

use super::controllers::Controllers;

/// What was seen so far; shared with the tasks that listen.
#[derive(Clone)]
pub(crate) struct Observer {
    joints: Vec<String>,
    seen: Rc<RefCell<Seen>>,
    /// Only looks at the graph; the node that listens is busy.
    lookout: Rc<Node>,
}

#[derive(Default)]
struct Seen {
    first_joint_state: Option<Instant>,
    /// Of the joints whose controller says where they should be.
    tracking: Option<BTreeMap<String, Tracking>>,
    joints: BTreeMap<String, JointView>,
    /// Where joints should be whose controller does not say so (rad).
    goals: BTreeMap<String, f64>,
    diagnostics: BTreeMap<String, BTreeMap<String, String>>,
    diagnostics_count: u64,
}

/// One joint as it is now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct JointView {
    /// Where it should be (rad), where anybody said.
    pub(crate) reference: Option<f64>,
    /// Where it is (rad).
    pub(crate) position: f64,
    /// Reference minus position (rad).
    pub(crate) error: Option<f64>,
}

/// How far a joint was from its reference.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tracking {
    sum_of_squares: f64,
    samples: u64,
    /// The most (rad).
    pub(crate) max: f64,
}

const POLL_PERIOD: Duration = Duration::from_millis(2);
const DIAGNOSTICS_TIMEOUT: Duration = Duration::from_secs(3);

impl Observer {
    /// Listens from now on; `joints` are the arm's.
    pub(crate) fn new(
        context: &Context,
        node: &mut Node,
        joints: &[String],
        controllers: &Controllers,
    ) -> anyhow::Result<Self> {
        let seen = Rc::new(RefCell::new(Seen::default()));
        listen::<JointState>(node, "joint_states", &seen, Seen::note_joint_states)?;
        let state = format!("{}/controller_state", controllers.trajectory.name);
        listen::<JointTrajectoryControllerState>(node, &state, &seen, Seen::note_state)?;
        listen::<DiagnosticArray>(node, "/diagnostics", &seen, Seen::note_diagnostics)?;
        let lookout =
            Node::create(context.clone(), "arm_demo_lookout", "").map_err(|e| anyhow!("lookout: {e}"))?;
        Ok(Self { joints: joints.to_vec(), seen, lookout: Rc::new(lookout) })
    }

    /// The joints' names.
    pub(crate) fn joints(&self) -> &[String] {
        &self.joints
    }

    /// When the first joint state came; waits for it.
    pub(crate) async fn first_joint_state(&self) -> Instant {
        self.until(|seen| seen.first_joint_state).await
    }

    /// Waits until the arm says that it holds.
    pub(crate) async fn arm_can_move(&self) {
        self.until(|seen| seen.value("arm", "state").filter(|state| *state == "Holding").map(|_| ())).await;
    }

    /// Waits for diagnostics that are newer than this call.
    pub(crate) async fn next_diagnostics(&self) {
        let before = self.seen.borrow().diagnostics_count;
        let newer = self.until(|seen| (before < seen.diagnostics_count).then_some(()));
        // Old ones are better than none.
        let _late = tokio::time::timeout(DIAGNOSTICS_TIMEOUT, newer).await;
    }

    /// Makes sure that the action is ours alone: another arm in this ROS domain must not move.
    pub(crate) fn refuse_strangers(&self, action: &str) -> anyhow::Result<()> {
        let topic = format!("/{action}/_action/status");
        let servers =
            self.lookout.get_publishers_info_by_topic(&topic, false).map_err(|e| anyhow!("{topic}: {e}"))?;
        if 1 < servers.len() {
            bail!(
                "another {action} runs in this ROS domain, and the demo would move that arm too; stop it, or choose \
                 another ROS_DOMAIN_ID"
            );
        }
        Ok(())
    }

    /// Errors count from now on.
    pub(crate) fn start_tracking(&self) {
        self.seen.borrow_mut().tracking = Some(BTreeMap::new());
    }

    /// How well each joint followed whose controller says where it should be.
    pub(crate) fn tracking(&self) -> BTreeMap<String, Tracking> {
        self.seen.borrow().tracking.clone().unwrap_or_default()
    }

    /// A joint as it is now.
    pub(crate) fn view(&self, joint: &str) -> JointView {
        self.seen.borrow().joints.get(joint).copied().unwrap_or_default()
    }

    /// Where a joint should be (rad) whose controller does not say so.
    pub(crate) fn note_goal(&self, joint: &str, goal: f64) {
        self.seen.borrow_mut().goals.insert(joint.to_owned(), goal);
    }

    /// A value of the latest diagnostics: `part` is `arm`, `bus` or a joint.
    pub(crate) fn value(&self, part: &str, key: &str) -> Option<String> {
        self.seen.borrow().value(part, key).map(str::to_owned)
    }

    /// A number of the latest diagnostics; 0 where there is none.
    pub(crate) fn number(&self, part: &str, key: &str) -> f64 {
        self.value(part, key).and_then(|value| value.parse().ok()).unwrap_or(0.0)
    }

    /// A count of the latest diagnostics; 0 where there is none.
    pub(crate) fn count(&self, part: &str, key: &str) -> u64 {
        self.value(part, key).and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// Percentiles of the latest diagnostics.
    pub(crate) fn percentiles(&self, key: &str) -> Percentiles {
        let at = |quantile: &str| self.number("arm", &format!("{key}.{quantile}"));
        Percentiles { p50: at("p50"), p99: at("p99"), p999: at("p999"), max: at("max") }
    }

    async fn until<T>(&self, look: impl Fn(&Seen) -> Option<T>) -> T {
        loop {
            if let Some(found) = look(&self.seen.borrow()) {
                return found;
            }
            tokio::time::sleep(POLL_PERIOD).await;
        }
    }
}

impl Seen {
    fn note_joint_states(&mut self, states: &JointState) {
        self.first_joint_state.get_or_insert_with(Instant::now);
        for (joint, position) in states.name.iter().zip(&states.position) {
            let view = self.joints.entry(joint.clone()).or_default();
            view.position = *position;
            if let Some(goal) = self.goals.get(joint) {
                (view.reference, view.error) = (Some(*goal), Some(goal - position));
            }
        }
    }

    fn note_state(&mut self, state: &JointTrajectoryControllerState) {
        let joints = state.joint_names.iter().zip(&state.reference.positions).zip(&state.error.positions);
        for ((joint, reference), error) in joints {
            let view = self.joints.entry(joint.clone()).or_default();
            (view.reference, view.error) = (Some(*reference), Some(*error));
            if let Some(tracking) = &mut self.tracking {
                tracking.entry(joint.clone()).or_default().note(*error);
            }
        }
    }

    fn note_diagnostics(&mut self, message: &DiagnosticArray) {
        for status in &message.status {
            // Others may publish diagnostics too.
            let Some(part) = status.name.strip_prefix("hardware_node: ") else { continue };
            let values = status.values.iter().map(|pair| (pair.key.clone(), pair.value.clone()));
            self.diagnostics.insert(part.to_owned(), values.collect());
        }
        self.diagnostics_count += 1;
    }

    fn value(&self, part: &str, key: &str) -> Option<&str> {
        self.diagnostics.get(part)?.get(key).map(String::as_str)
    }
}

impl Tracking {
    fn note(&mut self, error: f64) {
        if error.is_finite() {
            self.sum_of_squares += error * error;
            self.samples += 1;
            self.max = self.max.max(error.abs());
        }
    }

    /// Root of the mean of the squares (rad).
    pub(crate) fn rms(&self) -> f64 {
        if self.samples == 0 { 0.0 } else { (self.sum_of_squares / self.samples as f64).sqrt() }
    }
}

fn listen<T: WrappedTypesupport + 'static>(
    node: &mut Node,
    topic: &str,
    seen: &Rc<RefCell<Seen>>,
    note: impl Fn(&mut Seen, &T) + 'static,
) -> anyhow::Result<()> {
    let messages =
        node.subscribe::<T>(topic, QosProfile::default()).map_err(|error| anyhow!("{topic}: {error}"))?;
    tokio::task::spawn_local(note_all(messages, seen.clone(), note));
    Ok(())
}

async fn note_all<T>(
    mut messages: impl Stream<Item = T> + Unpin,
    seen: Rc<RefCell<Seen>>,
    note: impl Fn(&mut Seen, &T),
) {
    while let Some(message) = messages.next().await {
        note(&mut seen.borrow_mut(), &message);
    }
}
