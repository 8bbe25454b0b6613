//! What live control says: steps as windows of a trajectory, or as plain numbers, and its status.

use anyhow::anyhow;
use r2r::moveit_msgs::msg::ServoStatus;
use r2r::std_msgs::msg::{Float64MultiArray, Header};
use r2r::trajectory_msgs::msg::{JointTrajectory, JointTrajectoryPoint};
use r2r::{Node, Publisher, QosProfile};

use crate::cartesian::live::{Output as StepOutput, Status, Window};
use crate::config::live::{CommandOut, LiveConfig};
use crate::kinematics::ik::MAX_JOINTS;
use crate::nodes::messages::{duration_of, stamp_of};
use crate::trajectory::spline::JointState;
use crate::units::Time;

type Step = [JointState; MAX_JOINTS];

/// What goes out.
pub(super) struct Output {
    commands: Commands,
    status: Publisher<ServoStatus>,
    joints: Vec<String>,
    publishes: [bool; 3],
    window: Window,
    latency: f64,
    /// When a step was told last, and what was said last.
    told: Option<Time>,
    said: Option<(Time, Status)>,
    warned: Option<Time>,
    period: f64,
}

enum Commands {
    Trajectory(Publisher<JointTrajectory>),
    Numbers(Publisher<Float64MultiArray>),
}

/// Without any news the status is said so often (s), and a refusal no more often than this.
const STATUS_EVERY: f64 = 0.1;
const WARN_EVERY: f64 = 1.0;

impl Output {
    pub(super) fn new(
        node: &mut Node,
        config: &LiveConfig,
        topic: &str,
        joints: &[String],
    ) -> anyhow::Result<Self> {
        let qos = QosProfile::default;
        let commands = match config.command_out {
            CommandOut::Trajectory => node.create_publisher(topic, qos()).map(Commands::Trajectory),
            CommandOut::Numbers => node.create_publisher(topic, qos()).map(Commands::Numbers),
        };
        let commands = commands.map_err(|error| anyhow!("cannot publish {topic}: {error}"))?;
        let status = node.create_publisher(&config.status_topic, qos());
        let status = status.map_err(|error| anyhow!("cannot publish {}: {error}", config.status_topic))?;
        let period = config.options.publish_period;
        Ok(Self {
            commands,
            status,
            joints: joints.to_vec(),
            publishes: config.publishes,
            window: Window::new(period, config.max_expected_latency),
            latency: config.max_expected_latency,
            told: None,
            said: None,
            warned: None,
            period,
        })
    }

    /// Tells a step that was made at `now`, coming from `before`, and the steps to a halt after it.
    pub(super) fn tell(&mut self, now: Time, before: &Step, step: &Step, halt: &[Step]) {
        if self.told.is_none_or(|told| 1.5 * self.period < now.secs_since(told)) {
            self.window.begin(before);
        }
        self.told = Some(now);
        self.window.push(step);
        let sent = match &self.commands {
            Commands::Trajectory(publisher) => publisher.publish(&self.trajectory(now, halt)),
            Commands::Numbers(publisher) => {
                let data = step[..self.joints.len()].iter().map(|state| state.position).collect();
                publisher.publish(&Float64MultiArray { data, ..Float64MultiArray::default() })
            }
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "a step of live control was not sent");
        }
    }

    /// Steps that were left out: the arm has gone these of a halt instead.
    pub(super) fn skip(&mut self, steps: usize, halt: &[Step]) {
        let Some(last) = halt.last() else { return };
        for step in 0..steps.min(1000) {
            self.window.push(halt.get(step).unwrap_or(last));
        }
        self.told = self.told.map(|told| told.plus_secs(steps as f64 * self.period));
    }

    fn trajectory(&self, now: Time, halt: &[Step]) -> JointTrajectory {
        let begin = now.plus_secs(self.period + self.latency - self.window.behind_secs());
        let dof = self.joints.len();
        let [positions, velocities, accelerations] = self.publishes;
        let list = |publishes: bool, number: &dyn Fn(&JointState) -> f64, states: &Step| {
            if publishes { states[..dof].iter().map(number).collect() } else { Vec::new() }
        };
        let mut points = Vec::new();
        self.window.points(halt, |secs, states| {
            points.push(JointTrajectoryPoint {
                positions: list(positions, &|state| state.position, states),
                velocities: list(velocities, &|state| state.velocity, states),
                accelerations: list(accelerations, &|state| state.acceleration, states),
                effort: Vec::new(),
                // Whole nanoseconds, so that a point keeps its time from message to message.
                time_from_start: duration_of(secs + 0.5e-9),
            });
        });
        let header = Header { stamp: stamp_of(begin), ..Header::default() };
        JointTrajectory { header, joint_names: self.joints.clone(), points }
    }

    /// Says how it is: while something moves each time, and otherwise when there is news, and now and then.
    pub(super) fn report(&mut self, now: Time, step: &StepOutput, refused: Option<String>) {
        let status = if refused.is_some() { Status::Invalid } else { step.status };
        let is_news = self.said.is_none_or(|(at, said)| said != status || STATUS_EVERY <= now.secs_since(at));
        if let Some(words) = &refused
            && self.warned.is_none_or(|warned| WARN_EVERY <= now.secs_since(warned))
        {
            tracing::warn!("live control: {words}");
            self.warned = Some(now);
        }
        if !(step.is_motion || is_news || refused.is_some()) {
            return;
        }
        self.said = Some((now, status));
        let message = refused.unwrap_or_else(|| self.words(status));
        if let Err(error) = self.status.publish(&ServoStatus { code: status.code(), message }) {
            tracing::debug!(%error, "the status of live control was not sent");
        }
    }

    fn words(&self, status: Status) -> String {
        match status {
            Status::JointBound { joint, .. } => {
                format!("{}: {}", status.text(), self.joints.get(joint).map_or("", String::as_str))
            }
            _ => status.text().to_owned(),
        }
    }
}
