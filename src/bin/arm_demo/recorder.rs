//! Records what the demonstration's nodes publish, as it was received, into a file that rosbag2 plays.
//!
//! A node and a thread of its own: r2r keeps ten messages of a topic, which are taken here after each turn.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, anyhow};
use futures::{FutureExt as _, Stream, StreamExt as _};
use r2r::qos::{DurabilityPolicy, HistoryPolicy, ReliabilityPolicy};
use r2r::{Context, Node, QosProfile};
use servo_arm::nodes::ros::{self, Spinning, Spun};
use servo_arm::recording::definition::Definition;
use servo_arm::recording::writer::{ChannelId, Offered, Recording, RecordingError};
use servo_arm::servo::clock;

use super::controllers::Controllers;

/// A recording under way.
pub(crate) struct Recorder {
    spinning: Spinning,
    outcome: Arc<Mutex<Outcome>>,
}

/// What there is of the recording; nothing once it was completed, or why it could not go on.
type Outcome = Result<Option<Recording>, RecordingError>;

/// Topics and types, beside those of the controllers.
const TOPICS: [(&str, &str); 13] = [
    ("joint_states", "sensor_msgs/msg/JointState"),
    ("dynamic_joint_states", "control_msgs/msg/DynamicJointState"),
    ("joint_commands", "sensor_msgs/msg/JointState"),
    ("robot_description", "std_msgs/msg/String"),
    ("/tf", "tf2_msgs/msg/TFMessage"),
    ("/tf_static", "tf2_msgs/msg/TFMessage"),
    ("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray"),
    ("/rosout", "rcl_interfaces/msg/Log"),
    ("hardware_node/state", "lifecycle_msgs/msg/State"),
    ("hardware_node/speed_scaling", "control_msgs/msg/SpeedScalingFactor"),
    ("ik_node/markers", "visualization_msgs/msg/MarkerArray"),
    ("ik_node/trail", "visualization_msgs/msg/MarkerArray"),
    ("ik_node/target/update", "visualization_msgs/msg/InteractiveMarkerUpdate"),
];
/// Of these every message that was ever said and still counts is wanted.
const LATCHED: [&str; 5] = [
    "robot_description",
    "/tf_static",
    "hardware_node/state",
    "hardware_node/speed_scaling",
    "ik_node/markers",
];
/// So many messages of a topic may wait for this process.
const DEPTH: usize = 1000;

impl Recorder {
    /// Records from now on, into a file that must not be there.
    pub(crate) fn start(context: &Context, file: &Path, controllers: &Controllers) -> anyhow::Result<Self> {
        let mut node = Node::create(context.clone(), "arm_demo_recorder", "").context("recorder")?;
        let graph = Node::create(context.clone(), "arm_demo_recorder_lookout", "").context("recorder")?;
        let state = format!("{}/controller_state", controllers.trajectory.name);
        let state = (state.as_str(), "control_msgs/msg/JointTrajectoryControllerState");
        let prefixes = std::env::var("AMENT_PREFIX_PATH").unwrap_or_default();
        let topics = TOPICS.into_iter().chain([state]);
        let mut topics = topics
            .map(|(name, type_name)| {
                Topic::listen(&mut node, name, Definition::installed(type_name, &prefixes)?)
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        // Last, so that no empty file is left where something else is wrong.
        let outcome = Arc::new(Mutex::new(Ok(Some(Recording::create(file)?))));
        let shared = outcome.clone();
        let record = move || {
            let mut outcome = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let Ok(Some(recording)) = &mut *outcome else { return };
            let written = topics.iter_mut().try_for_each(|topic| topic.record(recording, &graph));
            if let Err(error) = written {
                *outcome = Err(error);
            }
        };
        let spinning = ros::spin([Spun::new(node, vec![Box::new(record)])])?;
        Ok(Self { spinning, outcome })
    }

    /// Completes the file; gives how many messages are in it.
    pub(crate) fn finish(self) -> anyhow::Result<u64> {
        drop(self.spinning);
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let recording = std::mem::replace(&mut *outcome, Ok(None))?;
        Ok(recording.map_or(Ok(0), Recording::finish)?)
    }
}

/// A topic that is recorded.
struct Topic {
    /// Its whole name.
    name: String,
    definition: Definition,
    messages: Box<dyn Stream<Item = Vec<u8>> + Send + Unpin>,
    /// Its place in the recording, once there was a message: by then it is known what its publishers offer.
    channel: Option<ChannelId>,
}

impl Topic {
    fn listen(node: &mut Node, name: &str, definition: Definition) -> anyhow::Result<Self> {
        let durability = match LATCHED.contains(&name) {
            true => DurabilityPolicy::TransientLocal,
            false => DurabilityPolicy::Volatile,
        };
        let qos = QosProfile { durability, ..QosProfile::default().keep_last(DEPTH) };
        let failed = |error| anyhow!("cannot listen to {name}: {error}");
        let messages = node.subscribe_raw(name, &definition.type_name, qos).map_err(failed)?;
        let namespace = node.namespace().map_err(failed)?;
        let whole = match name.starts_with('/') {
            true => name.to_owned(),
            false => format!("{}/{name}", namespace.trim_end_matches('/')),
        };
        Ok(Self { name: whole, definition, messages: Box::new(messages), channel: None })
    }

    /// Writes what has come.
    fn record(&mut self, recording: &mut Recording, graph: &Node) -> Result<(), RecordingError> {
        while let Some(Some(message)) = self.messages.next().now_or_never() {
            let nanos = u64::try_from(clock::wall_nanos_at(clock::now())).unwrap_or(0);
            let channel = match self.channel {
                Some(channel) => channel,
                None => {
                    let offered = offered(graph, &self.name);
                    *self.channel.insert(recording.add_channel(&self.name, &self.definition, &offered)?)
                }
            };
            recording.write(channel, nanos, &message)?;
        }
        Ok(())
    }
}

/// What the publishers of a topic offer; nothing where they are gone already.
fn offered(graph: &Node, topic: &str) -> Vec<Offered> {
    let publishers = graph.get_publishers_info_by_topic(topic, false).unwrap_or_default();
    let of = |profile: QosProfile| Offered {
        depth: (profile.history != HistoryPolicy::KeepAll).then_some(profile.depth),
        reliable: profile.reliability != ReliabilityPolicy::BestEffort,
        transient_local: profile.durability == DurabilityPolicy::TransientLocal,
    };
    publishers.into_iter().map(|publisher| of(publisher.qos_profile)).collect()
}
