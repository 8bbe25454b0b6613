//! Where every frame of the robot is, side branches too: the poses of a whole [`RobotModel`].
//!
//! Knows neither base nor tip: what lies between two frames is [`super::chain`].
//!
//! A frame is reached from its parent, which comes before it, by one multiplication:
//!
//! ```text
//! root_from_frame = root_from_parent · parent_from_joint · motion(q)
//! ```

use nalgebra::{Isometry3, Translation3, Unit, UnitQuaternion, Vector3};

use super::model::{Frame, Joint, JointKind, RobotModel};

/// All frames of a robot, and the joints that decide where they are.
///
/// Positions are given in the order of [`Tree::joints`], in radians or metres. A joint that mimics
/// another has no position of its own. A floating, planar or spherical joint stays where its URDF puts
/// it: whoever moves it knows where the root is.
#[derive(Clone, Debug)]
pub struct Tree {
    joints: Vec<Joint>,
    frames: Vec<String>,
    /// In the order of the frames, the root's left out.
    links: Vec<Link>,
}

/// How a frame hangs on its parent.
#[derive(Clone, Debug)]
struct Link {
    parent: usize,
    parent_from_joint: Isometry3<f64>,
    motion: Option<Motion>,
}

#[derive(Clone, Debug)]
struct Motion {
    axis: Unit<Vector3<f64>>,
    slides: bool,
    /// The position that decides it, in the order of the tree's joints.
    position: usize,
    multiplier: f64,
    offset: f64,
}

impl Tree {
    /// The frames of `model`.
    pub fn new(model: &RobotModel) -> Self {
        let leads = |joint: &&Joint| joint.kind.is_single() && joint.mimic.is_none();
        let joints: Vec<Joint> = model.joints().iter().filter(leads).cloned().collect();
        let links = model.frames().iter().filter_map(|frame| link(model, &joints, frame)).collect();
        let frames = model.frames().iter().map(|frame| frame.name.clone()).collect();
        Self { joints, frames, links }
    }

    /// The joints whose positions decide the poses, in the order of the positions; those nearer to the
    /// root come first.
    pub fn joints(&self) -> &[Joint] {
        &self.joints
    }

    /// The number of positions.
    pub fn dof(&self) -> usize {
        self.joints.len()
    }

    /// Where the position of the joint of this name stands in [`Tree::joints`].
    pub fn joint_index(&self, name: &str) -> Option<usize> {
        self.joints.iter().position(|joint| joint.name == name)
    }

    /// The names of all frames in the order of [`RobotModel::frames`]: parents before their children.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = &str> {
        self.frames.iter().map(String::as_str)
    }

    /// Where the frame of this name stands in [`Tree::frames`].
    pub fn frame_index(&self, name: &str) -> Option<usize> {
        self.frames.iter().position(|frame| frame == name)
    }

    /// Writes `root_from_frame` of every frame in [`Tree::frames`]; does not allocate.
    ///
    /// # Panics
    /// Where `positions` are not as many as [`Tree::dof`], or the poses not as many as the frames.
    pub fn poses(&self, positions: &[f64], root_from_frames: &mut [Isometry3<f64>]) {
        assert_eq!(positions.len(), self.dof(), "a tree takes one position for each of its joints");
        assert_eq!(root_from_frames.len(), self.frames.len(), "a tree gives one pose for each frame");
        root_from_frames[0] = Isometry3::identity();
        for (above, link) in self.links.iter().enumerate() {
            root_from_frames[above + 1] = root_from_frames[link.parent] * link.parent_from_frame(positions);
        }
    }
}

/// None for the root, which hangs on nothing.
fn link(model: &RobotModel, leaders: &[Joint], frame: &Frame) -> Option<Link> {
    let joint = &model.joints()[frame.joint?];
    let leader = joint.mimic.as_ref().map_or(&joint.name, |mimic| &mimic.leader);
    let position = leaders.iter().position(|known| known.name == *leader);
    let (multiplier, offset) =
        joint.mimic.as_ref().map_or((1.0, 0.0), |mimic| (mimic.multiplier, mimic.offset));
    let slides = joint.kind == JointKind::Prismatic;
    let motion = position.filter(|_| joint.kind.is_single()).map(|position| Motion {
        axis: joint.axis,
        slides,
        position,
        multiplier,
        offset,
    });
    Some(Link { parent: frame.parent?, parent_from_joint: joint.parent_from_joint, motion })
}

impl Link {
    fn parent_from_frame(&self, positions: &[f64]) -> Isometry3<f64> {
        let Some(motion) = &self.motion else {
            return self.parent_from_joint;
        };
        let position = motion.multiplier * positions[motion.position] + motion.offset;
        if motion.slides {
            self.parent_from_joint * Translation3::from(motion.axis.into_inner() * position)
        } else {
            self.parent_from_joint * UnitQuaternion::from_axis_angle(&motion.axis, position)
        }
    }
}
