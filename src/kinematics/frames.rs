//! Where frames are: those of the robot by its joints, and those of others by the transforms that they broadcast.
//!
//! Knows names and transforms; no messages, and no time but the order of stamps.

use std::collections::HashMap;

use nalgebra::{Isometry3, Translation3, UnitQuaternion};
use thiserror::Error;

use super::model::{Joint, JointKind, RobotModel};

/// The most frames that a [`FrameTree`] remembers; more are nobody's robot.
pub const MAX_FRAMES: usize = 10_000;

/// A stamp that is older than the newest by more than this begins a new time (ns): somebody set a clock back.
const NEW_TIME_NANOS: i64 = 10_000_000_000;

/// Why the place of a frame is not known.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Nobody has said where it is.
    #[error(
        "nothing is known of frame `{frame}`, which is needed in `{other}`: it is no link of the robot and not in /tf"
    )]
    Unknown {
        /// The frame.
        frame: String,
        /// The frame in which it is needed.
        other: String,
    },
    /// Both are known, and nothing leads from one to the other.
    #[error("frames `{frame}` and `{other}` are not connected: the way from the first ends at `{end}`")]
    NotConnected {
        /// The frame.
        frame: String,
        /// The frame in which it is needed.
        other: String,
        /// How far one comes.
        end: String,
    },
    /// The transforms lead in a circle.
    #[error("frame `{frame}` is not connected with `{other}`: its parents in /tf lead in a circle")]
    Circle {
        /// The frame.
        frame: String,
        /// The frame in which it is needed.
        other: String,
    },
    /// It moves with a joint that nobody has measured.
    #[error(
        "the place of frame `{frame}` in `{other}` needs the position of joint `{joint}`, and no joint state tells it"
    )]
    NotMeasured {
        /// The frame.
        frame: String,
        /// The frame in which it is needed.
        other: String,
        /// The joint.
        joint: String,
    },
    /// It moves with a joint that is more than one number.
    #[error(
        "the place of frame `{frame}` in `{other}` depends on joint `{joint}`, which is floating or planar"
    )]
    Free {
        /// The frame.
        frame: String,
        /// The frame in which it is needed.
        other: String,
        /// The joint.
        joint: String,
    },
}

/// Where a frame of the robot is in its root, with every joint where `position_of` says (rad or m).
///
/// # Errors
/// Where nothing is known of the frame or of a joint that carries it.
pub fn root_from_frame(
    model: &RobotModel,
    frame: &str,
    position_of: &dyn Fn(&str) -> Option<f64>,
) -> Result<Isometry3<f64>, FrameError> {
    let name = || (frame.to_owned(), model.root().to_owned());
    let mut at = model.frame(frame).ok_or_else(|| {
        let (frame, other) = name();
        FrameError::Unknown { frame, other }
    })?;
    let mut at_from_frame = Isometry3::identity();
    while let (Some(joint), Some(parent)) = (at.joint, at.parent) {
        let joint = &model.joints()[joint];
        if joint.kind == JointKind::Free {
            let ((frame, other), joint) = (name(), joint.name.clone());
            return Err(FrameError::Free { frame, other, joint });
        }
        let moved = moved(joint, position_of).ok_or_else(|| {
            let ((frame, other), joint) = (name(), joint.name.clone());
            FrameError::NotMeasured { frame, other, joint }
        })?;
        at_from_frame = joint.parent_from_joint * moved * at_from_frame;
        at = &model.frames()[parent];
    }
    Ok(at_from_frame)
}

/// Where what a joint carries is in what carries the joint; `None` where its position is not known, or is more than one
/// number.
pub fn parent_from_child(joint: &Joint, position_of: &dyn Fn(&str) -> Option<f64>) -> Option<Isometry3<f64>> {
    if joint.kind == JointKind::Free {
        return None;
    }
    Some(joint.parent_from_joint * moved(joint, position_of)?)
}

/// How far the joint has moved its child; `None` where its position is not known.
fn moved(joint: &Joint, position_of: &dyn Fn(&str) -> Option<f64>) -> Option<Isometry3<f64>> {
    if !joint.kind.is_single() {
        return Some(Isometry3::identity());
    }
    let position = match &joint.mimic {
        Some(mimic) => mimic.multiplier * position_of(&mimic.leader)? + mimic.offset,
        None => position_of(&joint.name)?,
    };
    Some(if joint.kind == JointKind::Prismatic {
        Isometry3::from_parts(
            Translation3::from(joint.axis.into_inner() * position),
            UnitQuaternion::identity(),
        )
    } else {
        Isometry3::from_parts(
            Translation3::identity(),
            UnitQuaternion::from_axis_angle(&joint.axis, position),
        )
    })
}

/// Where a frame of the robot is in its root; `None` of a frame that is not the robot's.
pub type OwnFrames<'a> = dyn Fn(&str) -> Option<Result<Isometry3<f64>, FrameError>> + 'a;

/// Transforms that others broadcast: each frame in its parent, the newest of each.
#[derive(Clone, Debug, Default)]
pub struct FrameTree {
    links: HashMap<String, Link>,
}

#[derive(Clone, Debug)]
struct Link {
    parent: String,
    parent_from_frame: Isometry3<f64>,
    stamp_nanos: i64,
}

impl FrameTree {
    /// Takes a transform of that time; gives whether it counts, which one that is older than the one before does not,
    /// nor a new frame beyond [`MAX_FRAMES`].
    pub fn set(
        &mut self,
        frame: &str,
        parent: &str,
        parent_from_frame: Isometry3<f64>,
        stamp_nanos: i64,
    ) -> bool {
        let has_room = self.links.len() < MAX_FRAMES;
        match self.links.get_mut(frame) {
            Some(link) => {
                let age = link.stamp_nanos.saturating_sub(stamp_nanos);
                if 0 < age && age < NEW_TIME_NANOS {
                    return false;
                }
                if link.parent != parent {
                    parent.clone_into(&mut link.parent);
                }
                (link.parent_from_frame, link.stamp_nanos) = (parent_from_frame, stamp_nanos);
            }
            None if has_room => {
                let parent = parent.to_owned();
                self.links.insert(frame.to_owned(), Link { parent, parent_from_frame, stamp_nanos });
            }
            None => return false,
        }
        true
    }

    /// Where `frame` is in the robot's `root`.
    ///
    /// `own` tells where the robot's frames are in its root, and `None` of others: what the robot's joints say counts
    /// over what is broadcast.
    ///
    /// # Errors
    /// Where the transforms do not tell it.
    pub fn root_from(
        &self,
        root: &str,
        frame: &str,
        own: &OwnFrames<'_>,
    ) -> Result<Isometry3<f64>, FrameError> {
        let (name, other) = (frame.to_owned(), root.to_owned());
        if own(frame).is_none() && !self.knows(frame) {
            return Err(FrameError::Unknown { frame: name, other });
        }
        let mut at = frame;
        let mut at_from_frame = Isometry3::identity();
        for _ in 0..=self.links.len() {
            if let Some(root_from_at) = own(at) {
                return Ok(root_from_at? * at_from_frame);
            }
            if let Some(at_from_root) = self.above(at, root) {
                return Ok(at_from_root.inverse() * at_from_frame);
            }
            let Some(link) = self.links.get(at) else {
                return Err(FrameError::NotConnected { frame: name, other, end: at.to_owned() });
            };
            at_from_frame = link.parent_from_frame * at_from_frame;
            at = &link.parent;
        }
        Err(FrameError::Circle { frame: name, other })
    }

    /// Whether the frame is anywhere in the tree.
    fn knows(&self, frame: &str) -> bool {
        self.links.contains_key(frame) || self.links.values().any(|link| link.parent == frame)
    }

    /// `above_from_below`, where `above` is a parent of `below`, or its parent's, and so on.
    fn above(&self, above: &str, below: &str) -> Option<Isometry3<f64>> {
        let mut at = below;
        let mut at_from_below = Isometry3::identity();
        for _ in 0..=self.links.len() {
            if at == above {
                return Some(at_from_below);
            }
            let link = self.links.get(at)?;
            at_from_below = link.parent_from_frame * at_from_below;
            at = &link.parent;
        }
        None
    }
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
