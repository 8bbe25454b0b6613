//! What `robot_state_publisher` publishes, for arms that run without one: the robot's description and its transforms.
//!
//! Topics, qualities of service, rate and prefix are that node's, so that no viewer sees a difference.

use std::time::Duration;

use anyhow::anyhow;
use nalgebra::Isometry3;
use r2r::builtin_interfaces::msg::Time as Stamp;
use r2r::geometry_msgs::msg::{Quaternion, Transform, TransformStamped, Vector3};
use r2r::sensor_msgs::msg::JointState;
use r2r::std_msgs::msg::{Header, String as Text};
use r2r::tf2_msgs::msg::TFMessage;
use r2r::{Node, Publisher, QosProfile};

use super::{latched, publish};
use crate::config::Config;
use crate::kinematics::frames::parent_from_child;
use crate::kinematics::{Joint, JointKind, RobotModel};
use crate::nodes::messages::stamp_now;
use crate::servo::setup::robot_description;
use crate::units::Time;

/// Publishes the description and the fixed transforms once, for whoever comes whenever, and the others again and again.
pub struct RobotState {
    moving_joints: Vec<Joint>,
    frame_prefix: String,
    period: Duration,
    next: Time,
    moving: Publisher<TFMessage>,
    /// What was said last is gone with its publisher.
    _latched: (Publisher<TFMessage>, Publisher<Text>),
}

impl RobotState {
    /// Publishes on `node` what does not change; `None` where the configuration leaves it to another node.
    ///
    /// # Errors
    /// Where the URDF cannot be read again, or ROS refuses something.
    pub fn offer(node: &mut Node, config: &Config, model: &RobotModel) -> anyhow::Result<Option<Self>> {
        let Some(period) = config.hardware.robot_state else { return Ok(None) };
        let failed = |topic: &'static str| move |error| anyhow!("cannot publish {topic}: {error}");
        let (_, text) = robot_description(&config.arm)?;
        let description =
            node.create_publisher("robot_description", latched()).map_err(failed("robot_description"))?;
        let fixed = node.create_publisher("/tf_static", latched()).map_err(failed("/tf_static"))?;
        let moving =
            node.create_publisher("/tf", QosProfile::default().keep_last(100)).map_err(failed("/tf"))?;
        publish(&description, &Text { data: text });
        let (fixed_joints, moving_joints): (Vec<Joint>, Vec<Joint>) =
            model.joints().iter().cloned().partition(|joint| joint.kind == JointKind::Fixed);
        let _latched = (fixed, description);
        let frame_prefix = config.arm.frame_prefix.clone();
        let state = Self { moving_joints, frame_prefix, period, next: Time(0), moving, _latched };
        publish(&state._latched.0, &state.transforms(&fixed_joints, &stamp_now(), &|_| None));
        Ok(Some(state))
    }

    /// Publishes where the joints of a message carry what they carry, if that is due; joints that it does not have are
    /// left out, those that mimic one of it are not.
    pub fn see(&mut self, states: &JointState, now: Time) {
        if now < self.next {
            return;
        }
        self.next = now + self.period;
        let position_of = |name: &str| {
            let index = states.name.iter().position(|joint| joint == name)?;
            states.position.get(index).copied().filter(|position| position.is_finite())
        };
        publish(&self.moving, &self.transforms(&self.moving_joints, &states.header.stamp, &position_of));
    }

    fn transforms(
        &self,
        joints: &[Joint],
        stamp: &Stamp,
        position_of: &dyn Fn(&str) -> Option<f64>,
    ) -> TFMessage {
        let frame = |name: &str| format!("{}{name}", self.frame_prefix);
        let of = |joint: &Joint| {
            Some(TransformStamped {
                header: Header { stamp: stamp.clone(), frame_id: frame(&joint.parent) },
                child_frame_id: frame(&joint.child),
                transform: message_of(&parent_from_child(joint, position_of)?),
            })
        };
        TFMessage { transforms: joints.iter().filter_map(of).collect() }
    }
}

fn message_of(transform: &Isometry3<f64>) -> Transform {
    let (at, turn) = (transform.translation.vector, transform.rotation.quaternion());
    Transform {
        translation: Vector3 { x: at.x, y: at.y, z: at.z },
        rotation: Quaternion { x: turn.i, y: turn.j, z: turn.k, w: turn.w },
    }
}
