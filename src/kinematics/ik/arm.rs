//! A chain as the kernel wants it: few numbers for each motion, lengths in a unit of the arm's own.
//!
//! Knows the [`Chain`]; no goals. Between two motions stands a shift and a turn about x alone; the turns about z that
//! would be before and behind it are taken up by the joints:
//!
//! ```text
//! base_from_tip(q) = base_from_first · Z₀ · S₁ X₁ · Z₁ · S₂ X₂ · Z₂ · … · last_from_tip
//! ```
//! `Zᵢ` turns about z, or slides along it. An angle and a length then count alike: the unit is as long as a radian
//! weighs.

use nalgebra::{Matrix3, Rotation3, Vector3};

use super::MAX_JOINTS;
use crate::kinematics::chain::{Chain, Placement};
use crate::kinematics::model::PositionRange;

/// What a radian weighs, as a part of the length of the arm.
const RADIAN_OVER_LENGTH: f64 = 0.35;

/// An arm that is smaller, in metres, is a wrist without length.
const NO_LENGTH: f64 = 1e-6;

/// A chain in the kernel's terms.
#[derive(Clone, Debug)]
pub(super) struct Arm {
    /// As many as the chain has joints.
    pub(super) joints: Vec<ArmJoint>,
    /// At least one.
    pub(super) motions: Vec<Motion>,
    pub(super) base_from_first: Placement,
    pub(super) last_from_tip: Placement,
    /// Metres that weigh as much as a radian; every length here is a multiple of it.
    pub(super) unit: f64,
    /// No point of the tip is nearer to or farther from the origin of the first axis, in units.
    pub(super) reach: (f64, f64),
}

/// The freedom of one joint.
#[derive(Clone, Copy, Debug)]
pub(super) struct ArmJoint {
    /// Where it can be, in radians or metres; no range at all where it turns without end.
    pub(super) range: Option<PositionRange>,
    /// Whether it turns so far that every direction is within its range; such a joint is not held to it while
    /// the search goes on.
    pub(super) turns_freely: bool,
    pub(super) slides: bool,
}

/// A shift, a turn about x, and what a joint does about or along z.
#[derive(Clone, Copy, Debug)]
pub(super) struct Motion {
    /// In the frame behind the motion before; zero for the first.
    pub(super) shift: [f64; 3],
    pub(super) cos: f64,
    pub(super) sin: f64,
    /// The joint that decides it.
    pub(super) joint: usize,
    /// The angle about z is `turn · position + angle`.
    pub(super) turn: f64,
    pub(super) angle: f64,
    /// The way along z is `slide · position + way`.
    pub(super) slide: f64,
    pub(super) way: f64,
}

impl Arm {
    pub(super) fn new(chain: &Chain) -> Self {
        let mut joints: Vec<ArmJoint> = chain.joints().iter().map(ArmJoint::from).collect();
        for step in chain.moves() {
            // A joint that leads another by a fraction is elsewhere after a full turn.
            joints[step.position].turns_freely &= !step.slides && is_whole(step.multiplier);
        }
        let unit = unit(chain, &joints);
        let mut motions: Vec<Motion> = Vec::with_capacity(chain.moves().len());
        let mut base_from_first = Placement::IDENTITY;
        let mut moved_from_here = Placement::IDENTITY;
        for (index, step) in chain.moves().iter().enumerate() {
            // Turned upside down, a joint that goes backwards goes forwards.
            let flip = if !step.slides && step.multiplier < 0.0 { UPSIDE_DOWN } else { Placement::IDENTITY };
            let sign = if !step.slides && step.multiplier < 0.0 { -1.0 } else { 1.0 };
            let moved_from_axis = moved_from_here.then(&in_units(&step.last_from_axis, unit)).then(&flip);
            let mut motion = Motion {
                shift: [0.0; 3],
                cos: 1.0,
                sin: 0.0,
                joint: step.position,
                turn: if step.slides { 0.0 } else { sign * step.multiplier },
                angle: if step.slides { 0.0 } else { sign * step.offset },
                slide: if step.slides { step.multiplier / unit } else { 0.0 },
                way: if step.slides { step.offset / unit } else { 0.0 },
            };
            match motions.last_mut() {
                None => base_from_first = moved_from_axis,
                Some(last) => motion.stand_on(last, &moved_from_axis),
            }
            debug_assert_eq!(motions.len(), index);
            motions.push(motion);
            moved_from_here = flip;
        }
        let last_from_tip = moved_from_here.then(&in_units(&chain.moved_from_tip(), unit));
        let reach = reach(&joints, &motions, &last_from_tip);
        Self { joints, motions, base_from_first, last_from_tip, unit, reach }
    }

    /// Whether every joint turns one motion, in their order: what the fast kernels are for.
    pub(super) fn is_plain(&self) -> bool {
        let is_plain = |(index, motion): (usize, &Motion)| motion.joint == index && is_one(motion.turn);
        self.motions.len() == self.joints.len() && self.motions.iter().enumerate().all(is_plain)
    }
}

impl Motion {
    /// Puts itself behind the motion before: the turns about z go to either's angle.
    fn stand_on(&mut self, last: &mut Self, moved_from_axis: &Placement) {
        let rotation = &moved_from_axis.rotation;
        let sin = rotation[(0, 2)].hypot(rotation[(1, 2)]);
        // Parallel axes: any common direction will do.
        let before = if sin < 1e-12 { 0.0 } else { rotation[(0, 2)].atan2(-rotation[(1, 2)]) };
        let tilt = sin.atan2(rotation[(2, 2)]);
        let back = Rotation3::from_axis_angle(&Vector3::z_axis(), -before).into_inner();
        let untilted = Rotation3::from_axis_angle(&Vector3::x_axis(), -tilt).into_inner() * back * rotation;
        last.angle += before;
        self.angle += untilted[(1, 0)].atan2(untilted[(0, 0)]);
        (self.sin, self.cos) = tilt.sin_cos();
        self.shift = (back * moved_from_axis.translation).into();
    }
}

/// How near and how far the tip can be: all links folded, all stretched.
fn reach(joints: &[ArmJoint], motions: &[Motion], last_from_tip: &Placement) -> (f64, f64) {
    let shifts = motions.iter().map(|motion| Vector3::from(motion.shift).norm());
    let slides = motions.iter().map(|motion| {
        let farthest = joints[motion.joint]
            .range
            .map_or(f64::INFINITY, |range| range.lower.abs().max(range.upper.abs()));
        let way = if motion.slide == 0.0 { 0.0 } else { (motion.slide * farthest).abs() };
        way + motion.way.abs()
    });
    let links: Vec<f64> = shifts.chain(slides).chain([last_from_tip.translation.norm()]).collect();
    let longest = links.iter().copied().fold(0.0, f64::max);
    let all: f64 = links.iter().sum();
    let slides = motions.iter().any(|motion| motion.slide != 0.0);
    (if slides { 0.0 } else { (2.0 * longest - all).max(0.0) }, all)
}

impl From<&crate::kinematics::Joint> for ArmJoint {
    fn from(joint: &crate::kinematics::Joint) -> Self {
        let slides = joint.kind == crate::kinematics::JointKind::Prismatic;
        let range = joint.limits.position;
        let turns_freely =
            !slides && range.is_none_or(|range| std::f64::consts::TAU <= range.upper - range.lower);
        Self { range, turns_freely, slides }
    }
}

const UPSIDE_DOWN: Placement = Placement {
    rotation: Matrix3::new(1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, -1.0),
    translation: Vector3::new(0.0, 0.0, 0.0),
};

fn in_units(placement: &Placement, unit: f64) -> Placement {
    Placement { rotation: placement.rotation, translation: placement.translation / unit }
}

/// A radian weighs the same part of every arm, tiny or large.
fn unit(chain: &Chain, joints: &[ArmJoint]) -> f64 {
    let shifts = chain.moves().iter().skip(1).map(|step| step.last_from_axis.translation.norm());
    let slides = joints.iter().filter(|joint| joint.slides).filter_map(|joint| joint.range);
    let length: f64 = shifts.sum::<f64>()
        + slides.map(|range| range.upper - range.lower).sum::<f64>()
        + chain.moved_from_tip().translation.norm();
    if length < NO_LENGTH { 1.0 } else { RADIAN_OVER_LENGTH * length }
}

#[expect(clippy::float_cmp, reason = "the least fraction matters")]
fn is_whole(multiplier: f64) -> bool {
    multiplier == multiplier.round()
}

#[expect(clippy::float_cmp, reason = "set to exactly this")]
fn is_one(turn: f64) -> bool {
    turn == 1.0
}

/// How many joints the kernels for any arm compute with.
pub(super) const GENERAL: usize = MAX_JOINTS;
