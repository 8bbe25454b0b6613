//! The robot model: frames, the joints between them and their limits, read from a URDF.
//!
//! Holds the shapes of links as plain data; what moves where is [`super::chain`].
//!
//! A frame is a URDF link, at the joint that carries it. The frames are a tree with one root, every
//! number is finite, every name is unique: a [`RobotModel`] needs no further check.

mod body;
mod error;
mod outline;
mod urdf;

use nalgebra::{Isometry3, Unit, Vector3};

pub use body::{Body, Shape};
pub use error::ModelError;

/// A robot as its URDF describes it: a tree of frames with joints between them.
#[derive(Clone, Debug, PartialEq)]
pub struct RobotModel {
    name: String,
    frames: Vec<Frame>,
    joints: Vec<Joint>,
}

/// A link of the URDF.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The link's name.
    pub name: String,
    /// The frame one joint nearer to the root, in [`RobotModel::frames`]; the root has none.
    pub parent: Option<usize>,
    /// The joint that carries this frame, in [`RobotModel::joints`]; the root has none.
    pub joint: Option<usize>,
    /// What of it can touch something.
    pub collision: Vec<Body>,
}

/// How one frame moves in another.
#[derive(Clone, Debug, PartialEq)]
pub struct Joint {
    /// The joint's name.
    pub name: String,
    /// The motion it allows.
    pub kind: JointKind,
    /// The frame that carries it.
    pub parent: String,
    /// The frame that it carries.
    pub child: String,
    /// Where the child is in the parent while the joint is at zero.
    pub parent_from_joint: Isometry3<f64>,
    /// What it turns about or slides along, in its own frame; meaningless where nothing moves.
    pub axis: Unit<Vector3<f64>>,
    /// What it must not exceed.
    pub limits: JointLimits,
    /// The joint whose position decides this one's.
    pub mimic: Option<Mimic>,
}

/// The motion that a joint allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JointKind {
    /// None.
    Fixed,
    /// Turns between two angles.
    Revolute,
    /// Turns without end.
    Continuous,
    /// Slides between two positions.
    Prismatic,
    /// Floating, planar or spherical: more than one number, so no part of a [`super::Chain`].
    Free,
}

impl JointKind {
    /// Whether one number says where the joint is.
    pub fn is_single(self) -> bool {
        matches!(self, Self::Revolute | Self::Continuous | Self::Prismatic)
    }
}

/// What a joint must not exceed, in radians or metres.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JointLimits {
    /// Where it can be; every revolute and prismatic joint has it, no other does.
    pub position: Option<PositionRange>,
    /// Highest speed, in rad/s or m/s; positive. Zero in a URDF says that nobody filled it in.
    pub velocity: Option<f64>,
    /// Highest effort, in N m or N; positive. Zero in a URDF says that nobody filled it in.
    pub effort: Option<f64>,
}

/// The positions of a joint; `lower <= upper`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PositionRange {
    /// The lowest, in radians or metres.
    pub lower: f64,
    /// The highest, in radians or metres.
    pub upper: f64,
}

/// A joint's position follows another's: `multiplier · leader + offset`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mimic {
    /// The joint that leads; it follows none itself.
    pub leader: String,
    /// The follower's motion over the leader's.
    pub multiplier: f64,
    /// Where the follower is while the leader is at zero, in radians or metres.
    pub offset: f64,
}

impl RobotModel {
    /// Reads the text of a URDF (not of a xacro: expand that first).
    pub fn from_urdf(urdf: &str) -> Result<Self, ModelError> {
        urdf::read(urdf)
    }

    /// The robot's name; empty where the URDF gives none.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the frame that nothing carries.
    pub fn root(&self) -> &str {
        &self.frames[0].name
    }

    /// All frames; parents come before their children, so the root comes first.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// All joints, fixed ones too; those nearer to the root come first.
    pub fn joints(&self) -> &[Joint] {
        &self.joints
    }

    /// The frame of this name.
    pub fn frame(&self, name: &str) -> Option<&Frame> {
        self.frames.iter().find(|frame| frame.name == name)
    }

    /// The joint of this name.
    pub fn joint(&self, name: &str) -> Option<&Joint> {
        self.joints.iter().find(|joint| joint.name == name)
    }

    /// The same robot, with another travel of a joint; one that turned without end does not any more.
    #[must_use]
    pub fn with_travel(mut self, joint: &str, travel: PositionRange) -> Self {
        if let Some(joint) = self.joints.iter_mut().find(|of| of.name == joint && of.kind.is_single()) {
            joint.limits.position = Some(travel);
            if joint.kind == JointKind::Continuous {
                joint.kind = JointKind::Revolute;
            }
        }
        self
    }

    /// The limits of the joint of this name; a fixed joint has a set of none.
    pub fn joint_limits(&self, name: &str) -> Option<&JointLimits> {
        self.joint(name).map(|joint| &joint.limits)
    }
}
