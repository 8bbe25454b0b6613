//! What a hardware node offers on ROS, wherever it runs: joint states, diagnostics, and the arm's buttons.

mod diagnostics;
mod robot_state;
mod services;

use std::time::Duration;

use anyhow::anyhow;
use r2r::control_msgs::msg::{DynamicJointState, InterfaceValue, SpeedScalingFactor};
use r2r::diagnostic_msgs::msg::DiagnosticArray;
use r2r::lifecycle_msgs::msg::State as StateMessage;
use r2r::qos::DurabilityPolicy;
use r2r::sensor_msgs::msg::JointState;
use r2r::std_msgs::msg::Header;
use r2r::{Publisher, QosProfile};
use rtrb::Producer;
use tokio::sync::watch;

pub use self::robot_state::RobotState;
pub use self::services::HardwareServices;
use super::messages::{stamp_of, state_message};
use super::publisher::SnapshotSink;
use super::ros::NodeBuilder;
use super::statistics::Statistics;
use crate::control::arm::ArmRequest;
use crate::control::safety::State;
use crate::servo::clock;
use crate::servo::control_thread::{ArmSetup, MimicJoint};
use crate::servo::snapshot::{JointSnapshot, Occasion, ServoReport, Snapshot};
use crate::units::Time;

/// What of the latest cycle the services look at.
#[derive(Clone, Copy, Debug, Default)]
pub struct ArmView {
    /// Counts cycles.
    pub cycle: u64,
    /// The arm's state.
    pub state: State,
    /// Whether a servo may hold torque.
    pub torque: bool,
}

/// Publishes what the servos said.
pub struct HardwarePublisher {
    joints: Vec<String>,
    mimics: Vec<MimicJoint>,
    /// The names of the buses; an only one may have none.
    buses: Vec<String>,
    node_name: String,
    joint_states: Publisher<JointState>,
    dynamic_joint_states: Publisher<DynamicJointState>,
    diagnostics: Publisher<DiagnosticArray>,
    robot_state: Option<RobotState>,
    statistics: Statistics,
    states: Publisher<StateMessage>,
    /// Which was published last.
    state: Option<State>,
    speed_scaling: Publisher<SpeedScalingFactor>,
    /// What was published of it last.
    speed_factor: Option<f64>,
    misses_to_degraded: u32,
    /// The newest stamp that was published.
    newest: Time,
    next_diagnostics: Time,
    view: watch::Sender<ArmView>,
}

/// Where it is told whether commands are obeyed.
const STATE: &str = "~/state";
/// Where it is told how fast motions may be.
const SPEED_SCALING: &str = "~/speed_scaling";
const DIAGNOSTICS_PERIOD: Duration = Duration::from_secs(1);

/// Creates the publishers and services on `node`; `robot_state` sees every joint state.
///
/// # Errors
/// Where one of them cannot be created.
pub fn offer(
    NodeBuilder { node, span, .. }: &mut NodeBuilder,
    arm: &ArmSetup,
    robot_state: Option<RobotState>,
    requests: Producer<ArmRequest>,
) -> anyhow::Result<(HardwarePublisher, HardwareServices)> {
    let (view_sender, view) = watch::channel(ArmView::default());
    let failed = |error| anyhow!("cannot publish joint states: {error}");
    let publisher = HardwarePublisher {
        joints: arm.joints.clone(),
        mimics: arm.mimics.clone(),
        buses: arm.hardware.buses.iter().map(|bus| bus.name.clone()).collect(),
        node_name: node.fully_qualified_name().map_err(failed)?,
        joint_states: node.create_publisher("joint_states", QosProfile::default()).map_err(failed)?,
        dynamic_joint_states: node
            .create_publisher("dynamic_joint_states", QosProfile::default())
            .map_err(failed)?,
        diagnostics: node.create_publisher("/diagnostics", QosProfile::default()).map_err(failed)?,
        robot_state,
        statistics: Statistics::default(),
        states: node.create_publisher(STATE, latched()).map_err(failed)?,
        state: None,
        speed_scaling: node.create_publisher(SPEED_SCALING, latched()).map_err(failed)?,
        speed_factor: None,
        misses_to_degraded: arm.hardware.misses_to_degraded,
        newest: Time(0),
        next_diagnostics: Time(0),
        view: view_sender,
    };
    let services = HardwareServices::offer(node, span.clone(), &arm.joints, requests, view)?;
    Ok((publisher, services))
}

impl SnapshotSink for HardwarePublisher {
    fn see(&mut self, snapshot: &Snapshot) {
        if self.has_news(snapshot)
            && let Some(message) = self.joint_states_of(snapshot)
        {
            publish(&self.joint_states, &message);
            if let Some(robot_state) = &mut self.robot_state {
                robot_state.see(&message, snapshot.began);
            }
        }
        if snapshot.occasion != Occasion::Between && has_subscriber(&self.dynamic_joint_states) {
            self.publish_dynamic_joint_states(snapshot);
        }
        self.statistics.note(snapshot);
        // Also while simulated time stands still, or its source is gone.
        let now = clock::machine_now();
        if self.next_diagnostics <= now {
            self.next_diagnostics = now + DIAGNOSTICS_PERIOD;
            let message = self.diagnostics_of(snapshot);
            publish(&self.diagnostics, &message);
        }
        if self.state.replace(snapshot.state) != Some(snapshot.state) {
            publish(&self.states, &state_message(snapshot.state));
        }
        if self.speed_factor != Some(snapshot.speed_factor) {
            self.speed_factor = Some(snapshot.speed_factor);
            publish(&self.speed_scaling, &SpeedScalingFactor { factor: snapshot.speed_factor });
        }
        self.view.send_replace(ArmView {
            cycle: snapshot.cycle,
            state: snapshot.state,
            torque: snapshot.torque,
        });
    }
}

impl HardwarePublisher {
    /// Whether a joint said something; where time stands still, something else than before.
    fn has_news(&mut self, snapshot: &Snapshot) -> bool {
        if snapshot.occasion == Occasion::Between {
            return false;
        }
        let fresh = snapshot.joints().iter().filter(|joint| joint.servo.fresh);
        let Some(newest) = fresh.map(|joint| joint.servo.stamp).max() else { return false };
        let is_known = std::mem::replace(&mut self.newest, newest) == newest;
        !is_known || snapshot.occasion == Occasion::Cycle
    }

    /// Whether a joint is known well enough to be published: a sample is used again for a few missed answers only.
    fn is_known(&self, joint: &JointSnapshot) -> bool {
        joint.servo.stamp != Time::default() && joint.misses < self.misses_to_degraded
    }

    fn known<'a>(
        &'a self,
        snapshot: &'a Snapshot,
    ) -> impl Iterator<Item = (&'a String, &'a JointSnapshot)> + Clone {
        self.joints.iter().zip(snapshot.joints()).filter(move |(_, joint)| self.is_known(joint))
    }

    /// The joints that mimic one that is known: where their own servos say they are, or where they must be.
    fn known_mimics<'a>(
        &'a self,
        snapshot: &'a Snapshot,
    ) -> impl Iterator<Item = (&'a String, &'a ServoReport)> + Clone {
        let mimics = self.mimics.iter().zip(snapshot.mimics());
        let known = mimics.filter(move |(mimic, _)| {
            snapshot.joints().get(mimic.leader).is_some_and(|leader| self.is_known(leader))
        });
        known.map(|(mimic, report)| (&mimic.name, report))
    }

    /// The stamp is that of the oldest sample, so that no sample is said to be newer than it is.
    fn joint_states_of(&self, snapshot: &Snapshot) -> Option<JointState> {
        let joints = self.known(snapshot).map(|(name, joint)| (name, &joint.servo));
        let known = joints.chain(self.known_mimics(snapshot));
        let oldest = known.clone().map(|(_, servo)| servo.stamp).min()?;
        let column = |value: fn(&ServoReport) -> f64| known.clone().map(|(_, servo)| value(servo)).collect();
        Some(JointState {
            header: Header { stamp: stamp_of(oldest), ..Header::default() },
            name: known.clone().map(|(name, _)| name.clone()).collect(),
            position: column(|servo| servo.position),
            velocity: column(|servo| servo.velocity),
            effort: column(|servo| servo.effort),
        })
    }

    fn publish_dynamic_joint_states(&self, snapshot: &Snapshot) {
        type Interface = (&'static str, fn(&JointSnapshot) -> f64);
        const INTERFACES: [Interface; 8] = [
            ("position", |joint| joint.servo.position),
            ("velocity", |joint| joint.servo.velocity),
            ("effort", |joint| joint.servo.effort),
            ("temperature", |joint| joint.servo.temperature_degc),
            ("voltage", |joint| joint.servo.voltage_v),
            ("current", |joint| joint.servo.current_a),
            ("load", |joint| joint.servo.load),
            ("command", |joint| joint.command),
        ];
        let values = |joint: &JointSnapshot| InterfaceValue {
            interface_names: INTERFACES.iter().map(|(name, _)| (*name).to_owned()).collect(),
            values: INTERFACES.iter().map(|(_, value)| value(joint)).collect(),
        };
        let known = self.known(snapshot);
        let message = DynamicJointState {
            header: Header { stamp: stamp_of(snapshot.began), ..Header::default() },
            joint_names: known.clone().map(|(name, _)| name.clone()).collect(),
            interface_values: known.map(|(_, joint)| values(joint)).collect(),
        };
        publish(&self.dynamic_joint_states, &message);
    }
}

/// Publishes; where that fails there is nobody to tell but the log.
pub fn publish<T: r2r::WrappedTypesupport + 'static>(publisher: &Publisher<T>, message: &T) {
    if let Err(error) = publisher.publish(message) {
        tracing::debug!(%error, "a message was not published");
    }
}

/// Whether anybody would get a message; most messages are not worth making otherwise.
pub fn has_subscriber<T: r2r::WrappedTypesupport + 'static>(publisher: &Publisher<T>) -> bool {
    publisher.get_inter_process_subscription_count().is_ok_and(|count| 0 < count)
}

/// Whoever comes later gets what was said last.
pub fn latched() -> QosProfile {
    QosProfile { durability: DurabilityPolicy::TransientLocal, depth: 1, ..QosProfile::default() }
}
