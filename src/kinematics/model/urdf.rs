//! Reads URDF text into a [`RobotModel`].
//!
//! The only module that knows `urdf_rs` and `k`: the first parses, the second gives the frame tree with
//! its transforms. Neither is trusted with a text that breaks it: both recurse, `k` runs forever round a
//! loop and panics on a mimic without a leader or a range upside down. So everything is checked first.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use k::JointType as TreeJointType;
use nalgebra::{Isometry3, Quaternion, Translation3, Unit, UnitQuaternion, Vector3};
use tracing::subscriber::{NoSubscriber, with_default};
use urdf_rs::JointType;

use super::outline::{Outline, TooDeep, outline};
use super::{Frame, Joint, JointKind, JointLimits, Mimic, ModelError, PositionRange, RobotModel, body};

/// A link's shape, the deepest that a URDF needs, is five deep; extensions of simulators go to a dozen.
const MAX_NESTING: usize = 64;
/// Far beyond any robot, far below what the recursion in `k` survives.
const MAX_JOINTS_FROM_ROOT: usize = 256;
/// Simulators write limits up to 3.4e38 for none. From here on, products of a few lengths are infinite.
const LARGEST: f64 = 1e40;

pub(super) fn read(text: &str) -> Result<RobotModel, ModelError> {
    let outline = outline(text, MAX_NESTING).map_err(|TooDeep| ModelError::Nesting { limit: MAX_NESTING })?;
    if let Some(root) = outline.root.as_ref().filter(|root| root.name != "robot") {
        return Err(ModelError::NotARobot(root.name.to_owned()));
    }
    let robot = parse(text).map_err(|reason| name_the_element(&outline, reason))?;
    check_names(&robot)?;
    check_tree(&robot)?;
    for joint in &robot.joints {
        check_numbers(joint)?;
    }
    let leaders = leaders(&robot)?;
    from_tree(&robot, leaders)
}

/// Parses, and turns a panic of the parser into an error as well.
fn parse(text: &str) -> Result<urdf_rs::Robot, String> {
    match catch_unwind(AssertUnwindSafe(|| urdf_rs::read_from_string(text))) {
        Ok(parsed) => parsed.map_err(|error| error.to_string().trim_start_matches("custom: ").to_owned()),
        Err(_) => Err("the XML parser gave up on it; are its namespaces declared?".to_owned()),
    }
}

/// Finds the element that fails on its own too; `reason` is why the whole text does.
fn name_the_element(outline: &Outline<'_>, reason: String) -> ModelError {
    let Some(root) = &outline.root else {
        return ModelError::Xml(reason);
    };
    for (index, child) in outline.children.iter().enumerate() {
        let alone = format!("{}{}</{}>", root.text, child.text, root.name);
        if let Err(reason) = parse(&alone) {
            let name = child.tag.label.map_or_else(|| format!("number {}", index + 1), str::to_owned);
            return ModelError::Element { element: child.tag.name.to_owned(), name, reason };
        }
    }
    ModelError::Xml(reason)
}

fn check_names(robot: &urdf_rs::Robot) -> Result<(), ModelError> {
    let links: Vec<&str> = robot.links.iter().map(|link| link.name.as_str()).collect();
    let joints: Vec<&str> = robot.joints.iter().map(|joint| joint.name.as_str()).collect();
    if links.is_empty() {
        return Err(ModelError::NoLink);
    }
    if let Some((name, count)) = repeated(&links) {
        return Err(ModelError::DuplicateLink { name, count });
    }
    if let Some((name, count)) = repeated(&joints) {
        return Err(ModelError::DuplicateJoint { name, count });
    }
    Ok(())
}

/// The first name that occurs more than once, and how often.
fn repeated(names: &[&str]) -> Option<(String, usize)> {
    let mut counts = HashMap::new();
    for name in names {
        *counts.entry(name).or_insert(0) += 1;
    }
    names.iter().find(|name| 1 < counts[name]).map(|name| ((*name).to_owned(), counts[name]))
}

/// Every link hangs on one root by at most [`MAX_JOINTS_FROM_ROOT`] joints.
fn check_tree(robot: &urdf_rs::Robot) -> Result<(), ModelError> {
    let carriers = carriers(robot)?;
    for link in &robot.links {
        let mut joints = 0;
        let mut at = link.name.as_str();
        while let Some(joint) = carriers.get(at) {
            at = &joint.parent.link;
            joints += 1;
            if at == link.name {
                return Err(ModelError::Loop { link: link.name.clone(), joint: joint_of(&carriers, at) });
            }
            // A link that hangs on a loop comes to no end either; the loop's own links name it better.
            if robot.joints.len() < joints {
                break;
            }
        }
        if MAX_JOINTS_FROM_ROOT < joints && joints <= robot.joints.len() {
            return Err(ModelError::TooFar { link: link.name.clone(), limit: MAX_JOINTS_FROM_ROOT });
        }
    }
    let mut roots = robot.links.iter().filter(|link| !carriers.contains_key(link.name.as_str()));
    if let (Some(first), Some(second)) = (roots.next(), roots.next()) {
        return Err(ModelError::TwoRoots { first: first.name.clone(), second: second.name.clone() });
    }
    Ok(())
}

fn joint_of(carriers: &HashMap<&str, &urdf_rs::Joint>, link: &str) -> String {
    carriers.get(link).map(|joint| joint.name.clone()).unwrap_or_default()
}

/// The joint that carries each link, but for the roots.
fn carriers(robot: &urdf_rs::Robot) -> Result<HashMap<&str, &urdf_rs::Joint>, ModelError> {
    let mut carriers: HashMap<&str, &urdf_rs::Joint> = HashMap::new();
    for joint in &robot.joints {
        for (role, link) in [("parent", &joint.parent.link), ("child", &joint.child.link)] {
            if !robot.links.iter().any(|known| known.name == *link) {
                let (joint, link) = (joint.name.clone(), link.clone());
                return Err(ModelError::MissingLink { joint, role, link });
            }
        }
        if let Some(first) = carriers.insert(&joint.child.link, joint) {
            let (first, second) = (first.name.clone(), joint.name.clone());
            return Err(ModelError::TwoParents { link: joint.child.link.clone(), first, second });
        }
    }
    Ok(carriers)
}

fn check_numbers(joint: &urdf_rs::Joint) -> Result<(), ModelError> {
    let mimic = joint.mimic.as_ref();
    let limit = &joint.limit;
    let groups: [(&'static str, &[f64]); 9] = [
        ("origin xyz", &*joint.origin.xyz),
        ("origin rpy", &*joint.origin.rpy),
        ("axis xyz", &*joint.axis.xyz),
        ("limit lower", &[limit.lower]),
        ("limit upper", &[limit.upper]),
        ("limit velocity", &[limit.velocity]),
        ("limit effort", &[limit.effort]),
        ("mimic multiplier", &[mimic.and_then(|mimic| mimic.multiplier).unwrap_or(1.0)]),
        ("mimic offset", &[mimic.and_then(|mimic| mimic.offset).unwrap_or(0.0)]),
    ];
    for (what, values) in groups {
        if let Some(&value) = values.iter().find(|value| !value.is_finite()) {
            return Err(ModelError::NotFinite { joint: joint.name.clone(), what, value });
        }
        if let Some(&value) = values.iter().find(|value| LARGEST < value.abs() && !what.starts_with("axis")) {
            return Err(ModelError::TooLarge { joint: joint.name.clone(), what, value, limit: LARGEST });
        }
    }
    Ok(())
}

/// Whom each follower follows in the end, and how.
fn leaders(robot: &urdf_rs::Robot) -> Result<HashMap<String, Mimic>, ModelError> {
    let joints: HashMap<&str, &urdf_rs::Joint> =
        robot.joints.iter().map(|joint| (joint.name.as_str(), joint)).collect();
    let mut leaders = HashMap::new();
    for joint in &robot.joints {
        let mut rule = Mimic { leader: joint.name.clone(), multiplier: 1.0, offset: 0.0 };
        let mut steps = 0;
        let mut at = joint;
        while let Some(mimic) = &at.mimic {
            let Some(next) = joints.get(mimic.joint.as_str()).filter(|next| kind(next).is_single()) else {
                return Err(ModelError::NoLeader { joint: at.name.clone(), leader: mimic.joint.clone() });
            };
            steps += 1;
            if robot.joints.len() < steps {
                let leader = joint.mimic.as_ref().map(|mimic| mimic.joint.clone()).unwrap_or_default();
                return Err(ModelError::MimicLoop { joint: joint.name.clone(), leader });
            }
            rule.offset += rule.multiplier * mimic.offset.unwrap_or(0.0);
            rule.multiplier *= mimic.multiplier.unwrap_or(1.0);
            rule.leader.clone_from(&next.name);
            at = next;
        }
        if 0 < steps && kind(joint).is_single() {
            leaders.insert(joint.name.clone(), rule);
        }
    }
    Ok(leaders)
}

fn kind(joint: &urdf_rs::Joint) -> JointKind {
    match joint.joint_type {
        JointType::Fixed => JointKind::Fixed,
        JointType::Revolute => JointKind::Revolute,
        JointType::Continuous => JointKind::Continuous,
        JointType::Prismatic => JointKind::Prismatic,
        JointType::Floating | JointType::Planar | JointType::Spherical => JointKind::Free,
    }
}

/// Walks the tree that `k` makes of a checked robot.
fn from_tree(robot: &urdf_rs::Robot, mut leaders: HashMap<String, Mimic>) -> Result<RobotModel, ModelError> {
    let tree = tree_of(robot);
    let described: HashMap<&str, &urdf_rs::Joint> =
        robot.joints.iter().map(|joint| (joint.name.as_str(), joint)).collect();
    let mut bodies = robot
        .links
        .iter()
        .map(|link| Ok((link.name.as_str(), body::bodies(link)?)))
        .collect::<Result<HashMap<_, _>, _>>()?;
    let mut indices: HashMap<&str, usize> = HashMap::new();
    let mut model = RobotModel { name: robot.name.clone(), frames: Vec::new(), joints: Vec::new() };
    for node in tree.iter() {
        let from_urdf = if node.is_root() { None } else { described.get(node.joint().name.as_str()) };
        let Some(urdf) = from_urdf else {
            let name = node.link().as_ref().map(|link| link.name.clone()).unwrap_or_default();
            let collision = bodies.remove(name.as_str()).unwrap_or_default();
            model.frames.push(Frame { name, parent: None, joint: None, collision });
            continue;
        };
        let joint = joint(urdf, node, leaders.remove(&urdf.name))?;
        // Only children of the root have no index: `k` gives parents first.
        let parent = Some(indices.get(urdf.parent.link.as_str()).copied().unwrap_or(0));
        indices.insert(&urdf.child.link, model.frames.len());
        let carrier = Some(model.joints.len());
        let collision = bodies.remove(joint.child.as_str()).unwrap_or_default();
        model.frames.push(Frame { name: joint.child.clone(), parent, joint: carrier, collision });
        model.joints.push(joint);
    }
    Ok(model)
}

/// The frame tree, of links and transforms only: `k` panics on limits that even a fixed joint may have.
fn tree_of(robot: &urdf_rs::Robot) -> k::Chain<f64> {
    let mut bare = robot.clone();
    for joint in &mut bare.joints {
        joint.limit = urdf_rs::JointLimit::default();
        joint.mimic = None;
    }
    // It logs a line for each link, at a level that reaches the user.
    with_default(NoSubscriber::default(), || k::Chain::from(bare))
}

fn joint(urdf: &urdf_rs::Joint, node: &k::Node<f64>, mimic: Option<Mimic>) -> Result<Joint, ModelError> {
    let axis = match &node.joint().joint_type {
        TreeJointType::Fixed => Vector3::x_axis(),
        TreeJointType::Rotational { axis } | TreeJointType::Linear { axis } => {
            let axis = Vector3::new(axis.x, axis.y, axis.z);
            // What is too short or too long to be normalised comes out as NaN or zero.
            Unit::try_new(axis, 0.5)
                .ok_or_else(|| ModelError::Axis { joint: urdf.name.clone(), xyz: *urdf.axis.xyz })?
        }
    };
    Ok(Joint {
        name: urdf.name.clone(),
        kind: kind(urdf),
        parent: urdf.parent.link.clone(),
        child: urdf.child.link.clone(),
        parent_from_joint: transform(node),
        axis,
        limits: limits(urdf)?,
        mimic,
    })
}

/// The node's constant transform in the types of our own `nalgebra`; `k` has an older one.
fn transform(node: &k::Node<f64>) -> Isometry3<f64> {
    let origin = node.origin();
    let (position, turn) = (origin.translation.vector, origin.rotation);
    Isometry3::from_parts(
        Translation3::new(position.x, position.y, position.z),
        UnitQuaternion::new_normalize(Quaternion::new(turn.w, turn.i, turn.j, turn.k)),
    )
}

fn limits(urdf: &urdf_rs::Joint) -> Result<JointLimits, ModelError> {
    let name = || urdf.name.clone();
    let urdf_rs::JointLimit { lower, upper, velocity, effort } = urdf.limit;
    let kind = kind(urdf);
    for (what, value) in [("limit velocity", velocity), ("limit effort", effort)] {
        if value < 0.0 {
            return Err(ModelError::Negative { joint: name(), what, value });
        }
    }
    let is_bounded = matches!(kind, JointKind::Revolute | JointKind::Prismatic);
    // The parser gives zeros for an element that is not there.
    if is_bounded && [lower, upper, velocity, effort] == [0.0; 4] {
        return Err(ModelError::MissingLimit { joint: name(), kind });
    }
    if is_bounded && upper < lower {
        return Err(ModelError::EmptyRange { joint: name(), lower, upper });
    }
    let stated = |value: f64| (kind.is_single() && 0.0 < value).then_some(value);
    Ok(JointLimits {
        position: is_bounded.then_some(PositionRange { lower, upper }),
        velocity: stated(velocity),
        effort: stated(effort),
    })
}
