//! The transforms that others broadcast on `/tf` and `/tf_static`, and poses in any frame of theirs or the robot's.

use std::sync::{Arc, PoisonError, RwLock};

use anyhow::anyhow;
use futures::StreamExt as _;
use nalgebra::{Isometry3, Quaternion, Translation3, UnitQuaternion};
use r2r::geometry_msgs::msg::{
    Point, Pose, Quaternion as QuaternionMessage, Transform, TransformStamped, Vector3,
};
use r2r::qos::DurabilityPolicy;
use r2r::tf2_msgs::msg::TFMessage;
use r2r::{Node, QosProfile};

use super::failure::{Code, Failure};
use crate::kinematics::RobotModel;
use crate::kinematics::frames::{FrameError, FrameTree, root_from_frame};
use crate::nodes::ros;

/// The transforms so far; cheap to clone, all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Transforms {
    /// What stands before the names of the robot's frames on ROS; in the tree and in the model nothing does.
    prefix: Arc<str>,
    tree: Arc<RwLock<FrameTree>>,
}

/// The length of a quaternion may be so far from 1 that it still means a rotation.
const QUATERNION_TOLERANCE: f64 = 0.1;

impl Transforms {
    /// Listens to both topics, on the task's own time; the robot's frames have `prefix` there.
    ///
    /// # Errors
    /// Where that cannot be.
    pub fn listen(node: &mut Node, prefix: &str) -> anyhow::Result<Self> {
        let transforms = Self { prefix: prefix.into(), tree: Arc::default() };
        let moving = QosProfile::default().keep_last(100);
        let fixed = QosProfile { durability: DurabilityPolicy::TransientLocal, ..moving.clone() };
        for (topic, qos) in [("/tf", moving), ("/tf_static", fixed)] {
            let messages = node.subscribe::<TFMessage>(topic, qos);
            let mut messages = messages.map_err(|error| anyhow!("cannot listen to {topic}: {error}"))?;
            let transforms = transforms.clone();
            ros::spawn(async move {
                while let Some(message) = messages.next().await {
                    transforms.take(&message);
                }
            });
        }
        Ok(transforms)
    }

    fn take(&self, message: &TFMessage) {
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        for TransformStamped { header, child_frame_id, transform } in &message.transforms {
            let (frame, parent) = (self.bare(child_frame_id), self.bare(&header.frame_id));
            let Some(parent_from_frame) = isometry_of(transform) else {
                // Whoever broadcasts it does so again and again.
                tracing::debug!("/tf: the transform from `{frame}` to `{parent}` is none; it does not count");
                continue;
            };
            let stamp_nanos = i64::from(header.stamp.sec) * 1_000_000_000 + i64::from(header.stamp.nanosec);
            if !frame.is_empty() && !parent.is_empty() && frame != parent {
                tree.set(frame, parent, parent_from_frame, stamp_nanos);
            }
        }
    }

    /// A frame's name without what stands before that of each of the robot's frames; old files begin it with a slash.
    pub fn bare<'a>(&self, frame: &'a str) -> &'a str {
        let frame = plain(frame);
        frame.strip_prefix(&*self.prefix).unwrap_or(frame)
    }

    /// The name of one of the robot's frames, as ROS knows it.
    pub fn name_of(&self, frame: &str) -> String {
        format!("{}{frame}", self.prefix)
    }

    /// Where `frame` is in the root of `model`, with its joints where `position_of` says (rad or m). The empty frame is
    /// the root.
    ///
    /// # Errors
    /// A sentence with both names, where it is not known.
    pub fn root_from(
        &self,
        model: &RobotModel,
        frame: &str,
        position_of: &dyn Fn(&str) -> Option<f64>,
    ) -> Result<Isometry3<f64>, FrameError> {
        let plain = plain(frame);
        let frame = if model.frame(plain).is_some() { plain } else { self.bare(plain) };
        if frame.is_empty() {
            return Ok(Isometry3::identity());
        }
        let own = |name: &str| model.frame(name).map(|_| root_from_frame(model, name, position_of));
        if let Some(own) = own(frame) {
            return own;
        }
        self.tree.read().unwrap_or_else(PoisonError::into_inner).root_from(model.root(), frame, &own)
    }
}

/// A frame's name; old files begin it with a slash.
pub fn plain(frame: &str) -> &str {
    frame.strip_prefix('/').unwrap_or(frame)
}

fn isometry_of(transform: &Transform) -> Option<Isometry3<f64>> {
    let Vector3 { x, y, z } = transform.translation;
    let rotation = rotation_of(&transform.rotation).ok()?;
    [x, y, z]
        .iter()
        .all(|x| x.is_finite())
        .then(|| Isometry3::from_parts(Translation3::new(x, y, z), rotation))
}

/// The rotation of a message; its length need not be quite 1.
///
/// # Errors
/// Where it is none.
pub fn rotation_of(message: &QuaternionMessage) -> Result<UnitQuaternion<f64>, Failure> {
    let QuaternionMessage { x, y, z, w } = *message;
    let quaternion = Quaternion::new(w, x, y, z);
    let length = quaternion.norm();
    if (length - 1.0).abs() <= QUATERNION_TOLERANCE {
        return Ok(UnitQuaternion::from_quaternion(quaternion));
    }
    Err(Code::InvalidGoalConstraints.because(format!(
        "orientation (x {x}, y {y}, z {z}, w {w}) is no rotation: its length is {length}; it must be 1"
    )))
}

/// The pose of a message.
///
/// # Errors
/// Where a number is not finite or the orientation is none.
pub fn pose_of(message: &Pose) -> Result<Isometry3<f64>, Failure> {
    let Point { x, y, z } = message.position;
    if ![x, y, z].iter().all(|x| x.is_finite()) {
        return Err(Code::InvalidGoalConstraints
            .because(format!("position (x {x}, y {y}, z {z}) is none: every number must be finite")));
    }
    Ok(Isometry3::from_parts(Translation3::new(x, y, z), rotation_of(&message.orientation)?))
}

/// The message of a pose.
pub fn message_of(pose: &Isometry3<f64>) -> Pose {
    let (at, turn) = (pose.translation.vector, pose.rotation.quaternion());
    Pose {
        position: Point { x: at.x, y: at.y, z: at.z },
        orientation: QuaternionMessage { x: turn.i, y: turn.j, z: turn.k, w: turn.w },
    }
}
