//! What a hardware node offers on ROS, wherever it runs: joint states, diagnostics, and the arm's three buttons.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use r2r::control_msgs::msg::{DynamicJointState, InterfaceValue};
use r2r::diagnostic_msgs::msg::{DiagnosticArray, DiagnosticStatus, KeyValue};
use r2r::sensor_msgs::msg::JointState;
use r2r::std_msgs::msg::Header;
use r2r::std_srvs::srv::{SetBool, Trigger};
use r2r::{Node, Publisher, QosProfile, ServiceRequest};
use rtrb::Producer;
use tokio::sync::watch;

use super::messages::{stamp_now, stamp_of};
use super::parameters::{respond, service};
use super::publisher::SnapshotSink;
use super::statistics::Statistics;
use crate::config::hardware::HardwareConfig;
use crate::control::arm::ArmRequest;
use crate::control::safety::{Cause, State, Transition};
use crate::servo::ports::ArmEvent;
use crate::servo::snapshot::{JointSnapshot, ServoReport, Snapshot};
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
    node_name: String,
    joint_states: Publisher<JointState>,
    dynamic_joint_states: Publisher<DynamicJointState>,
    diagnostics: Publisher<DiagnosticArray>,
    statistics: Statistics,
    temperature_warn_degc: f64,
    misses_to_degraded: u32,
    next_diagnostics: Time,
    view: watch::Sender<ArmView>,
}

/// The services `~/torque`, `~/emergency_stop` and `~/reset`.
pub struct HardwareServices {
    torque: BoxStream<'static, ServiceRequest<SetBool::Service>>,
    emergency_stop: BoxStream<'static, ServiceRequest<Trigger::Service>>,
    reset: BoxStream<'static, ServiceRequest<Trigger::Service>>,
    requests: Producer<ArmRequest>,
    view: watch::Receiver<ArmView>,
    pending: VecDeque<Pending>,
    joints: Vec<String>,
}

/// A service call that waits for the arm to do it.
struct Pending {
    request: ArmRequest,
    /// The cycle by which the arm has certainly heard it.
    heard_by: u64,
    give_up: Instant,
    answer: Box<dyn FnOnce(bool, String)>,
}

const DIAGNOSTICS_PERIOD: Duration = Duration::from_secs(1);
/// Longer than a torque ramp may take.
const LONGEST_REQUEST: Duration = Duration::from_secs(12);
const CHECK_PERIOD: Duration = Duration::from_millis(5);

/// Creates the publishers and services on `node`.
///
/// # Errors
/// Where one of them cannot be created.
pub fn offer(
    node: &mut Node,
    joints: &[String],
    config: &HardwareConfig,
    requests: Producer<ArmRequest>,
) -> anyhow::Result<(HardwarePublisher, HardwareServices)> {
    let (view_sender, view) = watch::channel(ArmView::default());
    let failed = |error| anyhow!("cannot publish joint states: {error}");
    let publisher = HardwarePublisher {
        joints: joints.to_vec(),
        node_name: node.fully_qualified_name().map_err(failed)?,
        joint_states: node.create_publisher("joint_states", QosProfile::default()).map_err(failed)?,
        dynamic_joint_states: node
            .create_publisher("dynamic_joint_states", QosProfile::default())
            .map_err(failed)?,
        diagnostics: node.create_publisher("/diagnostics", QosProfile::default()).map_err(failed)?,
        statistics: Statistics::default(),
        temperature_warn_degc: config.temperature_warn_degc,
        misses_to_degraded: config.misses_to_degraded,
        next_diagnostics: Time(0),
        view: view_sender,
    };
    let services = HardwareServices {
        torque: service::<SetBool::Service>(node, "~/torque")?.boxed(),
        emergency_stop: service::<Trigger::Service>(node, "~/emergency_stop")?.boxed(),
        reset: service::<Trigger::Service>(node, "~/reset")?.boxed(),
        requests,
        view,
        pending: VecDeque::new(),
        joints: joints.to_vec(),
    };
    Ok((publisher, services))
}

impl SnapshotSink for HardwarePublisher {
    fn see(&mut self, snapshot: &Snapshot) {
        if snapshot.joints().iter().any(|joint| joint.servo.fresh) {
            self.publish_joint_states(snapshot);
        }
        if has_subscriber(&self.dynamic_joint_states) {
            self.publish_dynamic_joint_states(snapshot);
        }
        self.statistics.note(snapshot);
        if self.next_diagnostics <= snapshot.began {
            self.next_diagnostics = snapshot.began + DIAGNOSTICS_PERIOD;
            let message = self.diagnostics_of(snapshot);
            publish(&self.diagnostics, &message);
        }
        self.view.send_replace(ArmView {
            cycle: snapshot.cycle,
            state: snapshot.state,
            torque: snapshot.torque,
        });
    }
}

impl HardwarePublisher {
    /// The joints that are known well enough to be published: a sample is used again for a few missed answers only.
    fn known<'a>(
        &'a self,
        snapshot: &'a Snapshot,
    ) -> impl Iterator<Item = (&'a String, &'a JointSnapshot)> + Clone {
        let is_known = |joint: &JointSnapshot| {
            joint.servo.stamp != Time::default() && joint.misses < self.misses_to_degraded
        };
        self.joints.iter().zip(snapshot.joints()).filter(move |(_, joint)| is_known(joint))
    }

    /// The stamp is that of the oldest sample, so that no sample is said to be newer than it is.
    fn publish_joint_states(&self, snapshot: &Snapshot) {
        let known = self.known(snapshot);
        let Some(oldest) = known.clone().map(|(_, joint)| joint.servo.stamp).min() else { return };
        let column =
            |value: fn(&ServoReport) -> f64| known.clone().map(|(_, joint)| value(&joint.servo)).collect();
        let message = JointState {
            header: Header { stamp: stamp_of(oldest), ..Header::default() },
            name: known.clone().map(|(name, _)| name.clone()).collect(),
            position: column(|servo| servo.position),
            velocity: column(|servo| servo.velocity),
            effort: column(|servo| servo.effort),
        };
        publish(&self.joint_states, &message);
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

    fn diagnostics_of(&self, snapshot: &Snapshot) -> DiagnosticArray {
        let mut status = vec![self.arm_status(snapshot), self.bus_status(snapshot)];
        let joints = self.joints.iter().zip(snapshot.joints());
        status.extend(joints.map(|(name, joint)| self.joint_status(name, joint)));
        DiagnosticArray { header: Header { stamp: stamp_now(), ..Header::default() }, status }
    }

    fn arm_status(&self, snapshot: &Snapshot) -> DiagnosticStatus {
        let level = match snapshot.state {
            State::Holding | State::Active => Level::Ok,
            State::Identified | State::Energizing | State::Degraded | State::Releasing => Level::Warn,
            State::Disconnected | State::Faulted | State::EmergencyStop => Level::Error,
        };
        let statistics = &self.statistics;
        let mut values = vec![
            pair("state", snapshot.state),
            pair("torque", snapshot.torque),
            pair("cycles", statistics.cycles()),
            pair("rate_hz", format_args!("{:.3}", statistics.rate_hz())),
            pair("overruns", snapshot.overruns),
            pair("snapshots_dropped", snapshot.dropped),
        ];
        let times = [
            ("period_us", statistics.period_us()),
            ("lateness_us", statistics.lateness_us()),
            ("busy_us", statistics.busy_us()),
        ];
        for (name, percentiles) in times {
            let of = [
                ("p50", percentiles.p50),
                ("p99", percentiles.p99),
                ("p999", percentiles.p999),
                ("max", percentiles.max),
            ];
            values.extend(of.map(|(quantile, value)| pair(&format!("{name}.{quantile}"), value)));
        }
        self.status("arm", level, snapshot.state.to_string(), values)
    }

    fn bus_status(&self, snapshot: &Snapshot) -> DiagnosticStatus {
        let bus = snapshot.bus;
        let connected = snapshot.state != State::Disconnected;
        let (level, message) =
            if connected { (Level::Ok, "connected") } else { (Level::Error, "disconnected") };
        let values = vec![
            pair("bus_utilisation", format_args!("{:.4}", snapshot.bus_utilisation)),
            pair("bytes_sent", bus.sent),
            pair("bytes_received", bus.received),
            pair("answers_missed", bus.missed),
            pair("requests_repeated", bus.retried),
            pair("noise_bytes", bus.noise),
            pair("bad_checksums", bus.bad_checksums),
        ];
        self.status("bus", level, message.to_owned(), values)
    }

    fn joint_status(&self, name: &str, joint: &JointSnapshot) -> DiagnosticStatus {
        let servo = &joint.servo;
        let (level, message) = if !servo.fresh {
            (Level::Stale, format!("silent for {} cycles", joint.misses))
        } else if !servo.alarms.is_empty() {
            (Level::Error, format!("its servo reports {}", servo.alarms))
        } else if self.temperature_warn_degc <= servo.temperature_degc {
            (Level::Warn, format!("{} degrees Celsius", servo.temperature_degc))
        } else {
            (Level::Ok, "ok".to_owned())
        };
        let values = vec![
            pair("temperature_degc", servo.temperature_degc),
            pair("voltage_v", format_args!("{:.1}", servo.voltage_v)),
            pair("current_a", format_args!("{:.3}", servo.current_a)),
            pair("load", format_args!("{:.3}", servo.load)),
            pair("position_rad", format_args!("{:.4}", servo.position)),
            pair("command_rad", format_args!("{:.4}", joint.command)),
            pair("cycles_missed", joint.misses),
        ];
        self.status(name, level, message, values)
    }

    fn status(&self, part: &str, level: Level, message: String, values: Vec<KeyValue>) -> DiagnosticStatus {
        let name = format!("{}: {part}", self.node_name.trim_start_matches('/'));
        DiagnosticStatus { level: level as u8, name, message, hardware_id: self.node_name.clone(), values }
    }
}

/// The levels of `diagnostic_msgs/DiagnosticStatus`.
#[derive(Clone, Copy)]
enum Level {
    Ok = 0,
    Warn = 1,
    Error = 2,
    Stale = 3,
}

impl HardwareServices {
    /// Takes the next service call, or looks whether one that waits is done. Cancel safe.
    pub async fn serve(&mut self) {
        tokio::select! {
            Some(call) = self.torque.next() => {
                let request = if call.message.data { ArmRequest::TorqueOn } else { ArmRequest::TorqueOff };
                self.ask(request, |success, message| respond(call, SetBool::Response { success, message }));
            }
            Some(call) = self.emergency_stop.next() => {
                self.ask(ArmRequest::EmergencyStop, |success, message| respond(call, Trigger::Response { success, message }));
            }
            Some(call) = self.reset.next() => {
                self.ask(ArmRequest::Reset, |success, message| respond(call, Trigger::Response { success, message }));
            }
            () = tokio::time::sleep(CHECK_PERIOD), if !self.pending.is_empty() => self.answer_what_is_done(),
        }
    }

    /// Logs what happened, and answers the calls that it decides.
    pub fn note(&mut self, event: &ArmEvent) {
        match event {
            ArmEvent::Transition(transition) => {
                self.log(*transition);
                if let Cause::TorqueStuck(joint) = transition.cause {
                    let name = self.joints.get(joint).map_or("?", String::as_str);
                    self.refuse(
                        ArmRequest::TorqueOff,
                        &format!("{} (joint `{name}`)", transition.cause.text()),
                    );
                }
            }
            ArmEvent::Trouble(text) => tracing::warn!("{text}"),
            ArmEvent::Refused(request, why) => self.refuse(*request, why),
            ArmEvent::Controller(..) => {}
        }
    }

    /// Asks for torque without a client that waits for the answer.
    pub fn set_torque(&mut self, on: bool) {
        self.ask(if on { ArmRequest::TorqueOn } else { ArmRequest::TorqueOff }, |_, _| ());
    }

    fn refuse(&mut self, request: ArmRequest, why: &str) {
        if let Some(index) = self.pending.iter().position(|pending| pending.request == request)
            && let Some(pending) = self.pending.remove(index)
        {
            (pending.answer)(false, why.to_owned());
        }
    }

    fn ask(&mut self, request: ArmRequest, answer: impl FnOnce(bool, String) + 'static) {
        if self.requests.push(request).is_err() {
            answer(false, "too many requests wait already".to_owned());
            return;
        }
        let heard_by = self.view.borrow().cycle + 2;
        let give_up = Instant::now() + LONGEST_REQUEST;
        self.pending.push_back(Pending { request, heard_by, give_up, answer: Box::new(answer) });
    }

    fn answer_what_is_done(&mut self) {
        let view = *self.view.borrow();
        for pending in std::mem::take(&mut self.pending) {
            let heard = pending.heard_by <= view.cycle;
            if heard && is_done(pending.request, view) {
                (pending.answer)(true, format!("the arm is {}", view.state));
            } else if pending.give_up <= Instant::now() || (heard && is_hopeless(pending.request, view)) {
                (pending.answer)(false, format!("the arm is {}", view.state));
            } else {
                self.pending.push_back(pending);
            }
        }
    }

    fn log(&self, transition: Transition) {
        let Transition { from, to, cause } = transition;
        let joint = cause.joint().and_then(|joint| self.joints.get(joint));
        let at = joint.map(|joint| format!(" (joint `{joint}`)")).unwrap_or_default();
        let text = cause.text();
        match to {
            State::Faulted | State::EmergencyStop | State::Disconnected => {
                tracing::error!("{from} -> {to}: {text}{at}");
            }
            State::Degraded => tracing::warn!("{from} -> {to}: {text}{at}"),
            State::Active => tracing::debug!("{from} -> {to}: {text}{at}"),
            _ if from == State::Active => tracing::debug!("{from} -> {to}: {text}{at}"),
            _ => tracing::info!("{from} -> {to}: {text}{at}"),
        }
    }
}

fn is_done(request: ArmRequest, view: ArmView) -> bool {
    match request {
        ArmRequest::TorqueOn => view.torque && view.state.can_move(),
        // What the servos of a lost bus do, nobody knows.
        ArmRequest::TorqueOff => {
            !view.torque && !matches!(view.state, State::Releasing | State::Disconnected)
        }
        ArmRequest::EmergencyStop => view.state == State::EmergencyStop,
        ArmRequest::Reset => !view.state.is_latched(),
    }
}

/// Whether waiting longer is no use.
fn is_hopeless(request: ArmRequest, view: ArmView) -> bool {
    view.state == State::Disconnected || (request == ArmRequest::TorqueOn && view.state.is_latched())
}

fn pair(key: &str, value: impl std::fmt::Display) -> KeyValue {
    KeyValue { key: key.to_owned(), value: value.to_string() }
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
