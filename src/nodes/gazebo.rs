//! Gazebo's topics, as `ros_gz_bridge` has them on ROS: joint states come in, positions of actuators go out.

use std::sync::Arc;

use anyhow::anyhow;
use futures::{FutureExt as _, StreamExt as _};
use r2r::actuator_msgs::msg::Actuators;
use r2r::sensor_msgs::msg::JointState;
use r2r::std_msgs::msg::Header;
use r2r::{Publisher, QosProfile};

use super::hardware::publish;
use super::messages::{is_from_before, stamp_of, time_of};
use super::publisher::SnapshotSink;
use super::ros::NodeBuilder;
use crate::config::hardware::Backend;
use crate::servo::clock::{self, Follow};
use crate::servo::control_thread::{ArmSetup, MimicJoint};
use crate::servo::gazebo_arm::GazeboLink;
use crate::servo::joint_slot::{JointSample, MAX_NAMES};
use crate::servo::snapshot::Snapshot;

/// Where Gazebo says where joints are.
const STATES: &str = "gazebo/joint_states";
/// Where it is told where they are to be.
const ACTUATORS: &str = "gazebo/actuators";

/// Connects the arm with Gazebo, if that is in the place of its servos; gives what publishes to it.
///
/// # Errors
/// Where the node does not go by Gazebo's time, or a topic cannot be used.
pub fn connect(
    builder: &mut NodeBuilder,
    setup: &mut ArmSetup,
) -> anyhow::Result<Option<Box<dyn SnapshotSink>>> {
    let goes_by_clock = builder.goes_by_clock();
    if setup.hardware.backend == Backend::Servos {
        if goes_by_clock {
            tracing::warn!(
                "use_sim_time is set: stamps are those of /clock, and the servos move in real time"
            );
            clock::follow(Follow::Stamps);
        }
        return Ok(None);
    }
    if !goes_by_clock {
        return Err(anyhow!("`backend` is \"gazebo\", which has its own time: set `use_sim_time` to true"));
    }
    let failed = |error| anyhow!("cannot exchange joint states and actuators with Gazebo: {error}");
    // The newest counts, and one that got lost is not worth being sent again.
    let newest = QosProfile::default().keep_last(1).best_effort();
    let mut states = builder.node.subscribe::<JointState>(STATES, newest).map_err(failed)?;
    let actuators = builder.node.create_publisher(ACTUATORS, QosProfile::default()).map_err(failed)?;
    let namespace = builder.node.namespace()?;
    let link = Arc::new(GazeboLink {
        topic: format!("{}/{STATES}", namespace.trim_end_matches('/')),
        states: Default::default(),
    });
    setup.gazebo = Some(link.clone());
    let names: Vec<String> =
        setup.joints.iter().chain(setup.mimics.iter().map(|mimic| &mimic.name)).cloned().collect();
    let listen = move || {
        while let Some(Some(state)) = states.next().now_or_never() {
            if let Some(sample) = sample_of(&state, &names) {
                link.states.put(&sample);
            }
        }
    };
    // Before the time of a state is told the state is there.
    builder.after_turn.insert(0, Box::new(listen));
    Ok(Some(Box::new(ActuatorPublisher { mimics: setup.mimics.clone(), actuators })))
}

/// What a state says of the named joints; it may have others, and lack some. Nothing where it is from before time was set
/// back.
fn sample_of(state: &JointState, names: &[String]) -> Option<JointSample> {
    if is_from_before(&state.header.stamp) {
        return None;
    }
    let stamp = time_of(&state.header.stamp).unwrap_or_else(clock::now);
    let mut sample = JointSample { stamp, resets: clock::resets(), ..JointSample::default() };
    for (index, name) in names.iter().take(MAX_NAMES).enumerate() {
        let Some(at) = state.name.iter().position(|of_state| of_state == name) else { continue };
        sample.positions[index] = state.position.get(at).copied().unwrap_or(f64::NAN);
        sample.efforts[index] = state.effort.get(at).copied().unwrap_or(f64::NAN);
    }
    Some(sample)
}

/// Publishes what the joints are told, in the arm's order, and behind them what follows for those that mimic them.
struct ActuatorPublisher {
    mimics: Vec<MimicJoint>,
    actuators: Publisher<Actuators>,
}

impl SnapshotSink for ActuatorPublisher {
    fn see(&mut self, snapshot: &Snapshot) {
        if !snapshot.told {
            return;
        }
        let mut position: Vec<f64> = snapshot.joints().iter().map(|joint| joint.command).collect();
        let mimics = self.mimics.iter();
        let mimics: Vec<f64> =
            mimics.map(|mimic| mimic.multiplier * position[mimic.leader] + mimic.offset).collect();
        position.extend(mimics);
        let message = Actuators {
            header: Header { stamp: stamp_of(snapshot.time), ..Header::default() },
            position,
            ..Actuators::default()
        };
        publish(&self.actuators, &message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joints_are_found_by_name_and_others_are_nobodys() {
        let state = JointState {
            name: ["fixed", "b", "a"].map(str::to_owned).to_vec(),
            position: vec![9.0, 0.2, 0.1],
            effort: vec![9.0, 2.0],
            ..JointState::default()
        };
        let names = ["a", "b", "c"].map(str::to_owned);
        let sample = sample_of(&state, &names).unwrap();
        assert_eq!(sample.positions[..2], [0.1, 0.2]);
        assert_eq!(sample.efforts[1], 2.0);
        assert!(sample.positions[2..].iter().all(|position| position.is_nan()));
        assert!(sample.efforts[0].is_nan());
    }
}
