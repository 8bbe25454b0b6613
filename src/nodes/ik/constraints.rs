//! What an answer must keep to, as MoveIt's constraints say it.
//!
//! Joint constraints narrow the travel in which is looked. The others are held against each answer that would do
//! otherwise; an orientation constraint that leaves axes free is also a goal of its own.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use nalgebra::{Isometry3, Point3, UnitQuaternion, Vector3};
use r2r::moveit_msgs::msg::{Constraints, JointConstraint, OrientationConstraint, PositionConstraint};
use r2r::shape_msgs::msg::SolidPrimitive;

use super::IkContext;
use super::failure::{Code, Failure};
use super::groups::Reach;
use super::states::Positions;
use super::tf::{pose_of, rotation_of};
use crate::kinematics::PositionRange;
use crate::kinematics::frames::root_from_frame;
use crate::kinematics::ik::RotationAim;

/// An axis that may turn so far either way is free (rad).
const FREE_FROM: f64 = PI - 1e-3;

/// The constraints of a request, understood.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Joints of the chain whose travel is narrower than usual.
    pub travel: BTreeMap<String, PositionRange>,
    orientations: Vec<OrientationRule>,
    regions: Vec<Region>,
}

/// A link must be turned so.
#[derive(Clone, Debug)]
struct OrientationRule {
    link: String,
    root_from_wanted: UnitQuaternion<f64>,
    /// About x, y and z of what is wanted (rad).
    tolerances: [f64; 3],
    is_rotation_vector: bool,
}

/// A point of a link must be in one of these shapes.
#[derive(Clone, Debug)]
struct Region {
    link: String,
    point: Point3<f64>,
    root_from_shapes: Vec<(Isometry3<f64>, Solid)>,
}

#[derive(Clone, Copy, Debug)]
enum Solid {
    Box(Vector3<f64>),
    Sphere { radius: f64 },
    Cylinder { height: f64, radius: f64 },
    Cone { height: f64, radius: f64 },
}

/// What an orientation constraint asks of the link itself, where it leaves axes free.
#[derive(Clone, Copy, Debug)]
pub struct Relaxed {
    /// How the link must be turned in the root.
    pub root_from_wanted: UnitQuaternion<f64>,
    /// What of that counts.
    pub aim: RotationAim,
    /// How exactly (rad).
    pub tolerance: f64,
}

impl Rules {
    /// Understands the constraints of a request about the links that `reach` moves.
    ///
    /// # Errors
    /// Where one cannot be kept at all, or is of a kind that is not understood.
    pub fn read(
        context: &IkContext,
        message: &Constraints,
        reach: &Reach,
        positions: &Positions,
    ) -> Result<Self, Failure> {
        if !message.visibility_constraints.is_empty() {
            return Err(refuse(
                "visibility_constraints are not understood; joints, positions and orientations are",
            ));
        }
        let mut rules = Self::default();
        for constraint in &message.joint_constraints {
            rules.narrow(context, constraint, reach, positions)?;
        }
        for constraint in &message.orientation_constraints {
            rules.orientations.push(OrientationRule::read(context, constraint, positions)?);
        }
        for constraint in &message.position_constraints {
            rules.regions.push(Region::read(context, constraint, positions)?);
        }
        Ok(rules)
    }

    fn narrow(
        &mut self,
        context: &IkContext,
        constraint: &JointConstraint,
        reach: &Reach,
        positions: &Positions,
    ) -> Result<(), Failure> {
        let JointConstraint { joint_name: name, position, tolerance_above, tolerance_below, .. } = constraint;
        let joint = context.robot.model.joint(name).filter(|joint| joint.kind.is_single());
        let joint = joint.ok_or_else(|| {
            refuse(format!("a joint constraint is about `{name}`, which is no joint that moves"))
        })?;
        // Stated positively, so that NaN fails too.
        if !(position.is_finite() && 0.0 <= *tolerance_above && 0.0 <= *tolerance_below) {
            return Err(refuse(format!(
                "the constraint of joint `{name}` is {position} +{tolerance_above} -{tolerance_below}; \
                 the position must be finite, the tolerances must not be negative"
            )));
        }
        let mut allowed =
            PositionRange { lower: position - tolerance_below, upper: position + tolerance_above };
        if !reach.joints().any(|joint| joint == name) {
            return keeps_already(name, allowed, positions);
        }
        for range in joint.limits.position.iter().chain(self.travel.get(name)) {
            allowed = PositionRange {
                lower: allowed.lower.max(range.lower),
                upper: allowed.upper.min(range.upper),
            };
        }
        if allowed.upper < allowed.lower {
            return Err(refuse(format!(
                "the constraint of joint `{name}`, {position} +{tolerance_above} -{tolerance_below}, \
                 leaves nothing of its travel"
            )));
        }
        if allowed.lower.is_finite() && allowed.upper.is_finite() {
            self.travel.insert(name.clone(), allowed);
        }
        Ok(())
    }

    /// Whether the robot keeps the rules that are about poses, with its joints where `position_of` says.
    pub fn are_kept(&self, context: &IkContext, position_of: &dyn Fn(&str) -> Option<f64>) -> bool {
        let model = &context.robot.model;
        let place = |link: &str| root_from_frame(model, link, position_of).ok();
        self.orientations.iter().all(|rule| place(&rule.link).is_some_and(|at| rule.is_kept(&at)))
            && self.regions.iter().all(|region| place(&region.link).is_some_and(|at| region.is_kept(&at)))
    }

    /// Whether there is nothing to hold an answer against.
    pub fn are_none(&self) -> bool {
        self.orientations.is_empty() && self.regions.is_empty()
    }

    /// The goal that the first orientation constraint of `link` is, where it leaves an axis free.
    pub fn relaxed(&self, link: &str, exactness: f64) -> Option<Relaxed> {
        let rule = self.orientations.iter().find(|rule| rule.link == link)?;
        let free = rule.tolerances.map(|tolerance| FREE_FROM <= tolerance);
        let aim = match free {
            [false, false, false] => return None,
            [true, true, true] => RotationAim::Free,
            [true, false, false] => RotationAim::Axis(Vector3::x_axis()),
            [false, true, false] => RotationAim::Axis(Vector3::y_axis()),
            [false, false, true] => RotationAim::Axis(Vector3::z_axis()),
            _ => RotationAim::About(free.map(|is_free| if is_free { 0.0 } else { 1.0 })),
        };
        let bound = rule.tolerances.iter().zip(free).filter(|(_, is_free)| !is_free);
        let tightest = bound.map(|(tolerance, _)| *tolerance).fold(f64::INFINITY, f64::min);
        // Half of it, because the components of an error are not quite its angle.
        let tolerance = (0.5 * tightest).clamp(exactness, 0.5);
        Some(Relaxed { root_from_wanted: rule.root_from_wanted, aim, tolerance })
    }
}

/// A joint that the request does not move keeps its constraint where it is, or not at all.
fn keeps_already(name: &str, allowed: PositionRange, positions: &Positions) -> Result<(), Failure> {
    let position = positions.get(name).ok_or_else(|| {
        Code::RobotStateStale
            .because(format!("joint `{name}` has a constraint, and no joint state tells where it is"))
    })?;
    if allowed.lower <= position && position <= allowed.upper {
        return Ok(());
    }
    let PositionRange { lower, upper } = allowed;
    Err(Code::GoalConstraintsViolated.because(format!(
        "joint `{name}` is at {position}, its constraint is {lower} to {upper}, and the group does not move it"
    )))
}

impl OrientationRule {
    fn read(
        context: &IkContext,
        constraint: &OrientationConstraint,
        positions: &Positions,
    ) -> Result<Self, Failure> {
        let link = known_link(context, &constraint.link_name)?;
        let tolerances = [
            constraint.absolute_x_axis_tolerance,
            constraint.absolute_y_axis_tolerance,
            constraint.absolute_z_axis_tolerance,
        ];
        if !tolerances.iter().all(|tolerance| 0.0 <= *tolerance) {
            return Err(refuse(format!(
                "the orientation constraint of `{link}` has the tolerances {tolerances:?}; none may be negative"
            )));
        }
        let is_rotation_vector = match u32::from(constraint.parameterization) {
            0 => false,
            1 => true,
            other => {
                return Err(refuse(format!(
                    "the orientation constraint of `{link}` has parameterization {other}; there are 0 and 1"
                )));
            }
        };
        let root_from_frame = context.root_from(&constraint.header.frame_id, positions)?.rotation;
        let root_from_wanted = root_from_frame * rotation_of(&constraint.orientation)?;
        // Nobody can keep an orientation more exactly than answers are.
        let exactness = 2.0 * context.settings().rotation_tolerance;
        let tolerances = tolerances.map(|tolerance| tolerance.max(exactness));
        Ok(Self { link, root_from_wanted, tolerances, is_rotation_vector })
    }

    fn is_kept(&self, root_from_link: &Isometry3<f64>) -> bool {
        let off = self.root_from_wanted.inverse() * root_from_link.rotation;
        let error = if self.is_rotation_vector { off.scaled_axis() } else { xyz_angles(&off) };
        error.iter().zip(self.tolerances).all(|(error, tolerance)| error.abs() <= tolerance)
    }
}

/// Turns about x, then the new y, then the new z, that are the rotation (rad).
fn xyz_angles(rotation: &UnitQuaternion<f64>) -> Vector3<f64> {
    let matrix = rotation.to_rotation_matrix();
    let sin_y = matrix[(0, 2)].clamp(-1.0, 1.0);
    if 1.0 - 1e-12 < sin_y.abs() {
        // x and z turn about the same axis; all of it counts as x.
        return Vector3::new(matrix[(1, 0)].atan2(matrix[(1, 1)]), sin_y.asin(), 0.0);
    }
    let x = (-matrix[(1, 2)]).atan2(matrix[(2, 2)]);
    let z = (-matrix[(0, 1)]).atan2(matrix[(0, 0)]);
    Vector3::new(x, sin_y.asin(), z)
}

impl Region {
    fn read(
        context: &IkContext,
        constraint: &PositionConstraint,
        positions: &Positions,
    ) -> Result<Self, Failure> {
        let link = known_link(context, &constraint.link_name)?;
        let offset = &constraint.target_point_offset;
        let point = Point3::new(offset.x, offset.y, offset.z);
        let region = &constraint.constraint_region;
        if !point.coords.iter().all(|x| x.is_finite()) {
            return Err(refuse(format!(
                "the position constraint of `{link}` has an offset that is not finite"
            )));
        }
        if !region.meshes.is_empty() || region.primitives.is_empty() {
            return Err(refuse(format!(
                "the position constraint of `{link}` must have a region of primitives; meshes are not understood"
            )));
        }
        if region.primitives.len() != region.primitive_poses.len() {
            let (shapes, poses) = (region.primitives.len(), region.primitive_poses.len());
            return Err(refuse(format!(
                "the position constraint of `{link}` has {shapes} primitives and {poses} poses of them"
            )));
        }
        let root_from_frame = context.root_from(&constraint.header.frame_id, positions)?;
        let shapes = region.primitives.iter().zip(&region.primitive_poses);
        let placed = shapes.map(|(shape, pose)| Ok((root_from_frame * pose_of(pose)?, solid(&link, shape)?)));
        let root_from_shapes = placed.collect::<Result<_, Failure>>()?;
        Ok(Self { link, point, root_from_shapes })
    }

    fn is_kept(&self, root_from_link: &Isometry3<f64>) -> bool {
        let point = root_from_link * self.point;
        let mut shapes = self.root_from_shapes.iter();
        shapes
            .any(|(root_from_shape, solid)| solid.contains(&root_from_shape.inverse_transform_point(&point)))
    }
}

impl Solid {
    /// Whether the point, in the shape's own frame, is in it; its middle is at the origin, its axis is z.
    fn contains(self, point: &Point3<f64>) -> bool {
        let beside = point.x.hypot(point.y);
        match self {
            Self::Box(size) => point.coords.iter().zip(&size).all(|(x, size)| x.abs() <= 0.5 * size),
            Self::Sphere { radius } => point.coords.norm() <= radius,
            Self::Cylinder { height, radius } => point.z.abs() <= 0.5 * height && beside <= radius,
            Self::Cone { height, radius } => {
                point.z.abs() <= 0.5 * height && beside <= radius * (0.5 - point.z / height)
            }
        }
    }
}

fn solid(link: &str, shape: &SolidPrimitive) -> Result<Solid, Failure> {
    let sizes = shape.dimensions.as_slice();
    let solid = match (u32::from(shape.type_), sizes) {
        (1, &[x, y, z]) => Solid::Box(Vector3::new(x, y, z)),
        (2, &[radius]) => Solid::Sphere { radius },
        (3, &[height, radius]) => Solid::Cylinder { height, radius },
        (4, &[height, radius]) => Solid::Cone { height, radius },
        (kind, _) => {
            return Err(refuse(format!(
                "the position constraint of `{link}` has a primitive of type {kind} with {} sizes; there are boxes \
                 (1) with 3, spheres (2) with 1, cylinders (3) and cones (4) with 2",
                sizes.len()
            )));
        }
    };
    if sizes.iter().all(|size| 0.0 < *size && size.is_finite()) {
        return Ok(solid);
    }
    Err(refuse(format!(
        "the position constraint of `{link}` has a primitive of the sizes {sizes:?}; they must be positive"
    )))
}

fn known_link(context: &IkContext, link: &str) -> Result<String, Failure> {
    match context.robot.model.frame(link) {
        Some(_) => Ok(link.to_owned()),
        None => Err(refuse(format!("a constraint is about link `{link}`, which the robot has not"))),
    }
}

fn refuse(message: impl Into<String>) -> Failure {
    Code::InvalidGoalConstraints.because(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_turns_give_back_the_angles_that_made_them() {
        for angles in [[0.1, -0.2, 0.3], [3.0, 1.5, -3.0], [0.0, 0.0, 0.0], [-1.0, -1.5, 2.0]] {
            let [x, y, z] = angles;
            let turn = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), x)
                * UnitQuaternion::from_axis_angle(&Vector3::y_axis(), y)
                * UnitQuaternion::from_axis_angle(&Vector3::z_axis(), z);
            assert!((xyz_angles(&turn) - Vector3::from(angles)).norm() < 1e-9, "{angles:?}");
        }
    }

    #[test]
    fn a_point_is_in_a_shape_or_beside_it() {
        let at = |x, y, z| Point3::new(x, y, z);
        assert!(Solid::Box(Vector3::new(2.0, 4.0, 6.0)).contains(&at(0.9, -1.9, 2.9)));
        assert!(!Solid::Box(Vector3::new(2.0, 4.0, 6.0)).contains(&at(1.1, 0.0, 0.0)));
        assert!(Solid::Sphere { radius: 1.0 }.contains(&at(0.5, 0.5, 0.5)));
        assert!(!Solid::Sphere { radius: 1.0 }.contains(&at(0.7, 0.7, 0.7)));
        let cylinder = Solid::Cylinder { height: 2.0, radius: 0.5 };
        assert!(cylinder.contains(&at(0.3, 0.3, 1.0)) && !cylinder.contains(&at(0.0, 0.0, 1.1)));
        let cone = Solid::Cone { height: 2.0, radius: 1.0 };
        assert!(cone.contains(&at(0.9, 0.0, -1.0)) && !cone.contains(&at(0.6, 0.0, 0.0)));
    }
}
