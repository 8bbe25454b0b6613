//! Where the joints are: as `joint_states` say, and as a request says of a state of its own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use futures::StreamExt as _;
use r2r::moveit_msgs::msg::RobotState;
use r2r::sensor_msgs::msg::JointState;
use r2r::{Node, QosProfile};
use tokio::sync::watch;

use super::failure::{Code, Failure};
use crate::kinematics::RobotModel;
use crate::nodes::ros;

/// The joints as they were last measured.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    joints: BTreeMap<String, MeasuredJoint>,
}

/// A joint as it was last measured.
#[derive(Clone, Copy, Debug)]
pub struct MeasuredJoint {
    /// Where it was (rad or m); finite.
    pub position: f64,
    /// How fast it was (rad/s or m/s); 0 where that was not told.
    pub velocity: f64,
    /// When that was heard.
    pub received: Instant,
}

impl Measured {
    /// The joint, where it has ever been heard of.
    pub fn joint(&self, name: &str) -> Option<&MeasuredJoint> {
        self.joints.get(name)
    }

    /// Takes what a message says of the joints of `model`; a position that is not finite says nothing.
    fn take(&mut self, message: &JointState, model: &RobotModel, now: Instant) {
        for (index, (name, &position)) in message.name.iter().zip(&message.position).enumerate() {
            let velocity = message.velocity.get(index).copied().filter(|velocity| velocity.is_finite());
            let measured = MeasuredJoint { position, velocity: velocity.unwrap_or(0.0), received: now };
            if !position.is_finite() {
                continue;
            }
            if let Some(known) = self.joints.get_mut(name) {
                *known = measured;
            } else if model.joint(name).is_some() {
                self.joints.insert(name.clone(), measured);
            }
        }
    }
}

/// Listens to `joint_states`, on the task's own time.
///
/// # Errors
/// Where that cannot be.
pub fn listen(node: &mut Node, model: &RobotModel) -> anyhow::Result<watch::Receiver<Measured>> {
    let mut messages = node
        .subscribe::<JointState>("joint_states", QosProfile::default())
        .map_err(|error| anyhow!("cannot listen to joint_states: {error}"))?;
    let (sender, receiver) = watch::channel(Measured::default());
    let model = model.clone();
    ros::spawn(async move {
        while let Some(message) = messages.next().await {
            sender.send_modify(|measured| measured.take(&message, &model, Instant::now()));
        }
    });
    Ok(receiver)
}

/// Positions of joints by name (rad or m).
#[derive(Clone, Debug, Default)]
pub struct Positions {
    of: BTreeMap<String, f64>,
}

impl Positions {
    /// Where the joints were measured, as far as that is no longer ago than `within`.
    pub fn measured(measured: &Measured, within: Duration) -> Self {
        let recent = measured.joints.iter().filter(|(_, joint)| joint.received.elapsed() <= within);
        Self { of: recent.map(|(name, joint)| (name.clone(), joint.position)).collect() }
    }

    /// The position of a joint, where it is known.
    pub fn get(&self, joint: &str) -> Option<f64> {
        self.of.get(joint).copied()
    }

    /// Puts a joint somewhere.
    pub fn set(&mut self, joint: &str, position: f64) {
        if let Some(known) = self.of.get_mut(joint) {
            *known = position;
        } else {
            self.of.insert(joint.to_owned(), position);
        }
    }

    /// These positions, with what a request says of joints on top. A state that is no difference counts as one too:
    /// clients leave joints out in both.
    ///
    /// # Errors
    /// Where the request names a joint that the robot has not, or does not have one finite position for each.
    pub fn with(mut self, state: &RobotState, model: &RobotModel) -> Result<Self, Failure> {
        let JointState { name: names, position: positions, .. } = &state.joint_state;
        if names.len() != positions.len() {
            let (names, positions) = (names.len(), positions.len());
            return Err(Code::InvalidRobotState
                .because(format!("robot_state names {names} joints and has {positions} positions")));
        }
        for (name, &position) in names.iter().zip(positions) {
            if !model.joint(name).is_some_and(|joint| joint.kind.is_single()) {
                return Err(Code::InvalidRobotState.because(format!(
                    "robot_state has joint `{name}`, and the robot has no such moving joint"
                )));
            }
            if !position.is_finite() {
                return Err(Code::InvalidRobotState
                    .because(format!("robot_state has joint `{name}` at {position}; it must be finite")));
            }
            self.set(name, position);
        }
        Ok(self)
    }
}
