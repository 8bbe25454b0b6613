//! What moves what: the frames of a robot, and the joints between any two of them.
//!
//! Knows no shapes. Where the frames are says [`Tree`].

use nalgebra::{Isometry3, Unit, Vector3};

use crate::kinematics::tree::Tree;
use crate::kinematics::{JointKind, RobotModel};

/// The frames of a robot and the joints that carry them, in the order of [`RobotModel::frames`].
#[derive(Clone, Debug)]
pub(super) struct Skeleton {
    pub(super) tree: Tree,
    pub(super) names: Vec<String>,
    carriers: Vec<Option<Carrier>>,
    ranges: Vec<(f64, f64)>,
}

/// How a frame hangs on another.
#[derive(Clone, Debug)]
struct Carrier {
    parent: usize,
    motion: Option<Motion>,
}

/// A joint that moves a frame.
#[derive(Clone, Debug)]
pub(super) struct Motion {
    /// The frame that it carries.
    pub(super) frame: usize,
    /// The position that decides it, in the order of the tree's joints.
    pub(super) position: usize,
    multiplier: f64,
    slides: bool,
    /// In the carried frame.
    axis: Unit<Vector3<f64>>,
}

/// A joint that turns for ever is sampled over one turn, and what slides farther than this no farther (m).
const FAR: f64 = 100.0;

impl Skeleton {
    pub(super) fn new(model: &RobotModel) -> Self {
        let tree = Tree::new(model);
        let carriers = (0..model.frames().len()).map(|frame| carrier(model, &tree, frame)).collect();
        let ranges = tree.joints().iter().map(|joint| match joint.limits.position {
            Some(range) => (range.lower.clamp(-FAR, FAR), range.upper.clamp(-FAR, FAR)),
            None => (-std::f64::consts::PI, std::f64::consts::PI),
        });
        let ranges = ranges.collect();
        let names = model.frames().iter().map(|frame| frame.name.clone()).collect();
        Self { tree, names, carriers, ranges }
    }

    /// The least and greatest position of each joint of the tree.
    pub(super) fn ranges(&self) -> &[(f64, f64)] {
        &self.ranges
    }

    /// The nearest position to zero that each joint of the tree can have.
    pub(super) fn nearest_to_zero(&self) -> Vec<f64> {
        self.ranges.iter().map(|&(lower, upper)| 0.0_f64.clamp(lower, upper)).collect()
    }

    pub(super) fn index_of(&self, frame: &str) -> Option<usize> {
        self.tree.frame_index(frame)
    }

    pub(super) fn parent(&self, frame: usize) -> Option<usize> {
        self.carriers[frame].as_ref().map(|carrier| carrier.parent)
    }

    /// The frames from this one to the root.
    pub(super) fn to_root(&self, frame: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(frame), |&at| self.parent(at))
    }

    /// The frame that carries both, farthest from the root.
    pub(super) fn fork(&self, first: usize, second: usize) -> usize {
        self.to_root(first).find(|&frame| self.to_root(second).any(|other| other == frame)).unwrap_or(0)
    }

    /// The joints that move `frame` in `carrier`, which carries it.
    pub(super) fn motions(&self, frame: usize, carrier: usize) -> impl Iterator<Item = &Motion> {
        self.to_root(frame)
            .take_while(move |&at| at != carrier)
            .filter_map(|at| self.carriers[at].as_ref()?.motion.as_ref())
    }

    /// The joints that move one frame in the other.
    pub(super) fn motions_between(&self, first: usize, second: usize) -> impl Iterator<Item = &Motion> {
        let fork = self.fork(first, second);
        self.motions(first, fork).chain(self.motions(second, fork))
    }
}

impl Motion {
    /// How fast `point`, which the joint carries, moves while the position that decides it grows at 1/s; all in the
    /// root's frame.
    pub(super) fn velocity_of(
        &self,
        point: &Vector3<f64>,
        root_from_frames: &[Isometry3<f64>],
    ) -> Vector3<f64> {
        let root_from_frame = &root_from_frames[self.frame];
        let axis = root_from_frame.rotation * self.axis.into_inner() * self.multiplier;
        if self.slides { axis } else { axis.cross(&(point - root_from_frame.translation.vector)) }
    }
}

fn carrier(model: &RobotModel, tree: &Tree, frame: usize) -> Option<Carrier> {
    let (parent, joint) = (model.frames()[frame].parent?, &model.joints()[model.frames()[frame].joint?]);
    let mimic = joint.mimic.as_ref();
    let position = tree.joint_index(mimic.map_or(&joint.name, |mimic| &mimic.leader));
    let motion = position.filter(|_| joint.kind.is_single()).map(|position| Motion {
        frame,
        position,
        multiplier: mimic.map_or(1.0, |mimic| mimic.multiplier),
        slides: joint.kind == JointKind::Prismatic,
        axis: joint.axis,
    });
    Some(Carrier { parent, motion })
}
