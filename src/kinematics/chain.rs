//! Forward kinematics: the joints between two frames, and where they put each frame.
//!
//! Knows no URDF, only the [`RobotModel`]; does not judge limits.
//!
//! Everything constant is multiplied out once. What is left is one step for each joint that moves,
//! about or along its own z:
//!
//! ```text
//! base_from_tip(q) = C₀ · M₀(q) · C₁ · M₁(q) · … · Cₙ
//! ```
//! `Cᵢ` holds the fixed joints in their order and the turn that brings the next axis to z.

use std::f64::consts::TAU;

use nalgebra::{Isometry3, Matrix3, Rotation3, Translation3, Unit, UnitQuaternion, Vector3};

use super::model::{Joint, JointKind, ModelError, RobotModel};

/// The way from one frame to another, and the joints that move on it.
///
/// Positions are given in the order of [`Chain::joints`], in radians or metres. A joint that mimics
/// another has no position of its own: its leader has, wherever in the robot that is.
#[derive(Clone, Debug)]
pub struct Chain {
    joints: Vec<Joint>,
    moves: Vec<Move>,
    frames: Vec<ChainFrame>,
}

/// A frame on the way, at rest in what the moves before it have moved.
#[derive(Clone, Debug)]
struct ChainFrame {
    name: String,
    moves_before: usize,
    moved_from_frame: Placement,
}

/// A constant transform, then a motion about or along z.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) last_from_axis: Placement,
    pub(super) slides: bool,
    /// The position that decides it, in the order of the chain's joints.
    pub(super) position: usize,
    /// Negative too where the way goes against the joint's own direction or its leader's.
    pub(super) multiplier: f64,
    pub(super) offset: f64,
}

/// A transform as a rotation matrix, which turns about z cheaper than a quaternion does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placement {
    pub(super) rotation: Matrix3<f64>,
    pub(super) translation: Vector3<f64>,
}

impl Chain {
    /// The way from `base` to `tip`, which may lead towards the root first.
    pub fn between(model: &RobotModel, base: &str, tip: &str) -> Result<Self, ModelError> {
        let steps = steps(model, index_of(model, base)?, index_of(model, tip)?);
        let mut builder = Builder::new(base);
        for step in steps {
            let joint = &model.joints()[step.joint];
            if joint.kind == JointKind::Free {
                let (joint, base, tip) = (joint.name.clone(), base.to_owned(), tip.to_owned());
                return Err(ModelError::FreeJoint { joint, base, tip });
            }
            let leader = joint.mimic.as_ref().and_then(|mimic| model.joint(&mimic.leader));
            builder.add(joint, leader.unwrap_or(joint), step.is_rootward);
            builder.reach(&model.frames()[step.reaches].name);
        }
        if builder.chain.moves.is_empty() {
            return Err(ModelError::NothingMoves { base: base.to_owned(), tip: tip.to_owned() });
        }
        Ok(builder.chain)
    }

    /// The joints whose positions decide the poses, in the order of the positions.
    pub fn joints(&self) -> &[Joint] {
        &self.joints
    }

    /// The number of positions.
    pub fn dof(&self) -> usize {
        self.joints.len()
    }

    /// The names of the frames on the way, base and tip included.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = &str> {
        self.frames.iter().map(|frame| frame.name.as_str())
    }

    /// The motions on the way, in their order.
    pub(super) fn moves(&self) -> &[Move] {
        &self.moves
    }

    /// From the tip to the frame behind the last motion.
    pub(super) fn moved_from_tip(&self) -> Placement {
        self.frames.last().map_or(Placement::IDENTITY, |tip| tip.moved_from_frame)
    }

    /// `base_from_tip` with the joints at `positions`; does not allocate.
    ///
    /// # Panics
    /// Where `positions` are not as many as [`Chain::dof`].
    pub fn tip_pose(&self, positions: &[f64]) -> Isometry3<f64> {
        self.walk(positions, |_, _| {}).to_isometry()
    }

    /// `base_from_frame` of every frame in [`Chain::frames`] with the joints at `positions`.
    ///
    /// # Panics
    /// Where `positions` are not as many as [`Chain::dof`].
    pub fn frame_poses(&self, positions: &[f64]) -> Vec<Isometry3<f64>> {
        self.check(positions);
        let mut base_from_here = Placement::IDENTITY;
        let mut moved = 0;
        let mut poses = Vec::with_capacity(self.frames.len());
        for frame in &self.frames {
            for step in &self.moves[moved..frame.moves_before] {
                base_from_here = step.apply(&base_from_here, positions);
            }
            moved = frame.moves_before;
            poses.push(base_from_here.then(&frame.moved_from_frame).to_isometry());
        }
        poses
    }

    /// Goes from base to tip and gives `base_from_tip`; shows each move, and where it has led to:
    /// `base_from_moved`, whose z is the axis of the move.
    pub(super) fn walk(&self, positions: &[f64], mut see: impl FnMut(&Move, &Placement)) -> Placement {
        self.check(positions);
        let mut base_from_here = Placement::IDENTITY;
        for step in &self.moves {
            base_from_here = step.apply(&base_from_here, positions);
            see(step, &base_from_here);
        }
        self.frames.last().map_or(base_from_here, |tip| base_from_here.then(&tip.moved_from_frame))
    }

    /// Whether everything is where it was after a full turn of this joint: it turns, and so do all that it leads,
    /// by whole turns.
    pub(in crate::kinematics) fn repeats(&self, position: usize) -> bool {
        let its_own = |step: &&Move| step.position == position;
        self.moves.iter().filter(its_own).all(|step| !step.slides && step.multiplier.fract() == 0.0)
    }

    /// The way of a joint from one position to another: the shorter way round where it turns without end.
    pub(in crate::kinematics) fn way(&self, position: usize, from: f64, to: f64) -> f64 {
        let way = to - from;
        let is_endless = self.joints[position].limits.position.is_none() && self.repeats(position);
        if is_endless { way - TAU * (way / TAU).round() } else { way }
    }

    fn check(&self, positions: &[f64]) {
        assert_eq!(positions.len(), self.dof(), "a chain takes one position for each of its joints");
    }
}

/// One joint on the way.
struct Step {
    joint: usize,
    reaches: usize,
    /// Whether the way goes from the joint's child to its parent.
    is_rootward: bool,
}

fn index_of(model: &RobotModel, name: &str) -> Result<usize, ModelError> {
    model.frames().iter().position(|frame| frame.name == name).ok_or_else(|| {
        let known: Vec<&str> = model.frames().iter().map(|frame| frame.name.as_str()).collect();
        ModelError::NoFrame { name: name.to_owned(), known: known.join(", ") }
    })
}

/// Up from `base` to the first frame that also carries `tip`, then down.
fn steps(model: &RobotModel, base: usize, tip: usize) -> Vec<Step> {
    let to_root = |from| std::iter::successors(Some(from), |&at: &usize| model.frames()[at].parent);
    let above_tip: Vec<usize> = to_root(tip).collect();
    let mut way = Vec::new();
    let mut turn = tip;
    for at in to_root(base) {
        turn = at;
        let frame = &model.frames()[at];
        let (Some(joint), Some(reaches), false) = (frame.joint, frame.parent, above_tip.contains(&at)) else {
            break;
        };
        way.push(Step { joint, reaches, is_rootward: true });
    }
    let below_turn = above_tip.iter().copied().take_while(|&at| at != turn);
    let down = below_turn.filter_map(|reaches| {
        model.frames()[reaches].joint.map(|joint| Step { joint, reaches, is_rootward: false })
    });
    let mut down: Vec<Step> = down.collect();
    down.reverse();
    way.append(&mut down);
    way
}

/// A chain under construction: what is constant waits until something moves.
struct Builder {
    chain: Chain,
    moved_from_here: Placement,
}

impl Builder {
    fn new(base: &str) -> Self {
        let chain = Chain { joints: Vec::new(), moves: Vec::new(), frames: Vec::new() };
        let mut builder = Self { chain, moved_from_here: Placement::IDENTITY };
        builder.reach(base);
        builder
    }

    fn reach(&mut self, frame: &str) {
        self.chain.frames.push(ChainFrame {
            name: frame.to_owned(),
            moves_before: self.chain.moves.len(),
            moved_from_frame: self.moved_from_here,
        });
    }

    fn add(&mut self, joint: &Joint, leader: &Joint, is_rootward: bool) {
        let parent_from_joint = Placement::from(&joint.parent_from_joint);
        if is_rootward {
            self.add_motion(joint, leader, -1.0);
            self.moved_from_here = self.moved_from_here.then(&parent_from_joint.inverse());
        } else {
            self.moved_from_here = self.moved_from_here.then(&parent_from_joint);
            self.add_motion(joint, leader, 1.0);
        }
    }

    fn add_motion(&mut self, joint: &Joint, leader: &Joint, sign: f64) {
        if !joint.kind.is_single() {
            return;
        }
        let (multiplier, offset) =
            joint.mimic.as_ref().map_or((1.0, 0.0), |mimic| (mimic.multiplier, mimic.offset));
        let joint_from_axis = z_to(&joint.axis);
        let mut step = Move {
            last_from_axis: self.moved_from_here.then(&joint_from_axis),
            slides: joint.kind == JointKind::Prismatic,
            position: 0,
            multiplier: sign * multiplier,
            offset: sign * offset,
        };
        // A follower that ignores its leader stands still.
        if multiplier == 0.0 {
            let moved = step.apply(&Placement::IDENTITY, &[0.0]);
            self.moved_from_here = moved.then(&joint_from_axis.inverse());
            return;
        }
        step.position = self.position_of(leader);
        self.chain.moves.push(step);
        self.moved_from_here = joint_from_axis.inverse();
    }

    fn position_of(&mut self, leader: &Joint) -> usize {
        let joints = &mut self.chain.joints;
        joints.iter().position(|joint| joint.name == leader.name).unwrap_or_else(|| {
            joints.push(leader.clone());
            joints.len() - 1
        })
    }
}

/// The shortest turn that brings z to `axis`.
fn z_to(axis: &Unit<Vector3<f64>>) -> Placement {
    // Opposite directions have no shortest turn; half a turn about x is one of them.
    let turn = Rotation3::rotation_between(&Vector3::z(), axis).unwrap_or_else(|| {
        Rotation3::from_matrix_unchecked(Matrix3::from_diagonal(&Vector3::new(1.0, -1.0, -1.0)))
    });
    Placement { rotation: turn.into_inner(), translation: Vector3::zeros() }
}

impl Move {
    fn apply(&self, base_from_last: &Placement, positions: &[f64]) -> Placement {
        let mut base_from_moved = base_from_last.then(&self.last_from_axis);
        let position = self.multiplier * positions[self.position] + self.offset;
        if self.slides {
            base_from_moved.slide_along_z(position);
        } else {
            base_from_moved.turn_about_z(position);
        }
        base_from_moved
    }
}

impl Placement {
    pub(super) const IDENTITY: Self = Self {
        rotation: Matrix3::new(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
        translation: Vector3::new(0.0, 0.0, 0.0),
    };

    /// `a_from_b.then(&b_from_c)` is `a_from_c`.
    pub(super) fn then(&self, next: &Self) -> Self {
        Self {
            rotation: self.rotation * next.rotation,
            translation: self.translation + self.rotation * next.translation,
        }
    }

    pub(super) fn inverse(&self) -> Self {
        let rotation = self.rotation.transpose();
        Self { rotation, translation: -(rotation * self.translation) }
    }

    fn turn_about_z(&mut self, angle: f64) {
        let (sin, cos) = angle.sin_cos();
        let (x, y) = (self.rotation.column(0).into_owned(), self.rotation.column(1).into_owned());
        self.rotation.set_column(0, &(x * cos + y * sin));
        self.rotation.set_column(1, &(y * cos - x * sin));
    }

    fn slide_along_z(&mut self, distance: f64) {
        self.translation += self.rotation.column(2) * distance;
    }

    pub(super) fn to_isometry(self) -> Isometry3<f64> {
        let turn = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(self.rotation));
        Isometry3::from_parts(Translation3::from(self.translation), turn)
    }
}

impl From<&Isometry3<f64>> for Placement {
    fn from(transform: &Isometry3<f64>) -> Self {
        Self {
            rotation: transform.rotation.to_rotation_matrix().into_inner(),
            translation: transform.translation.vector,
        }
    }
}
