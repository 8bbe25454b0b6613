//! The robot as the node has it, and its groups of joints: each a chain with a solver for every link that is asked for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, anyhow};

use super::states::Positions;
use crate::config::arm::{ArmConfig, LimitOverrides};
use crate::config::ik::GroupConfig;
use crate::config::manager::ControllerKind;
use crate::config::parameters::of_command_line;
use crate::config::{Config, Part};
use crate::kinematics::ik::{JointSet, Solver};
use crate::kinematics::{Chain, PositionRange, RobotModel, ends};
use crate::servo::setup::{SetupError, joint_limits};
use crate::trajectory::limits::JointLimits;

/// The robot: its model, with the travel and limits that the configuration gives to its joints.
#[derive(Clone, Debug)]
pub struct Robot {
    /// Frames, joints, shapes.
    pub model: RobotModel,
    overrides: BTreeMap<String, LimitOverrides>,
}

impl Robot {
    /// The robot of a model, as `config` limits it.
    pub fn new(mut model: RobotModel, config: &ArmConfig) -> Self {
        let mut overrides = BTreeMap::new();
        for (name, of) in config.joints.iter().zip(&config.limit_overrides) {
            overrides.insert(name.clone(), *of);
            let range = model.joint(name).and_then(|joint| joint.limits.position);
            let lower = of.min_position.or(range.map(|range| range.lower));
            let upper = of.max_position.or(range.map(|range| range.upper));
            if let (Some(lower), Some(upper)) = (lower, upper)
                && lower <= upper
            {
                model = model.with_travel(name, PositionRange { lower, upper });
            }
        }
        Self { model, overrides }
    }

    /// What a joint may do at most.
    ///
    /// # Errors
    /// Where neither URDF nor configuration say how fast it may be, or there is no such joint.
    pub fn limits(&self, joint: &str) -> Result<JointLimits, SetupError> {
        let overrides = self.overrides.get(joint).copied().unwrap_or_default();
        match self.model.joint(joint) {
            Some(of) if of.kind.is_single() => joint_limits(of, overrides),
            _ => Err(SetupError::NotMovable(joint.to_owned())),
        }
    }
}

/// Joints that move one link, under one name.
#[derive(Debug)]
pub struct Group {
    /// What clients call it.
    pub name: String,
    /// The frame that it stands on.
    pub base: String,
    /// The frame that it moves.
    pub tip: String,
    /// Its joints, in the order of the chain to its tip.
    pub joints: Vec<String>,
    /// The controller that drives all of its joints, where there is one.
    pub controller: Option<String>,
    /// What the configuration says of it.
    pub config: GroupConfig,
    reaches: Mutex<BTreeMap<String, Arc<Reach>>>,
    /// Those of the latest requests with joint constraints, the newest last.
    narrowed: Mutex<VecDeque<(Narrowing, Arc<Reach>)>>,
}

/// A link, and joints on the way to it with a narrower travel.
type Narrowing = (String, BTreeMap<String, PositionRange>);

/// As many sets of joint constraints are remembered.
const MAX_NARROWED: usize = 8;

/// A group's joints and one link that they move.
#[derive(Debug)]
pub struct Reach {
    /// The link.
    pub link: String,
    /// Solves the chain from the group's base to the link; [`Solver::chain`] has the order of the joints.
    pub solver: Solver,
    /// Joints on the way that are not the group's: they stay.
    pub locked: JointSet,
}

impl Reach {
    /// The chain from the group's base to the link.
    pub fn chain(&self) -> &Chain {
        self.solver.chain()
    }

    /// The names of the joints, in the order of the positions.
    pub fn joints(&self) -> impl ExactSizeIterator<Item = &str> {
        self.chain().joints().iter().map(|joint| joint.name.as_str())
    }

    /// Where each joint of the robot is, with the chain's at `found` and the others at `positions`.
    pub fn position_of<'a>(
        &'a self,
        found: &'a [f64],
        positions: &'a Positions,
    ) -> impl Fn(&str) -> Option<f64> + 'a {
        move |name| {
            let own = self.joints().position(|joint| joint == name);
            own.and_then(|index| found.get(index).copied()).or_else(|| positions.get(name))
        }
    }
}

impl Group {
    fn new(robot: &Robot, draft: Draft, controllers: &[ControllerJoints]) -> anyhow::Result<Self> {
        let Draft { config, mut joints, .. } = draft;
        if joints.is_empty() {
            joints = joints_between(&robot.model, &config)?;
        }
        let none = || anyhow!("the robot has none of its joints ({})", joints.join(", "));
        let base = config.base.clone().or_else(|| ends::base(&robot.model, &joints).map(str::to_owned));
        let tip = config.tip.clone().or_else(|| ends::tip(&robot.model, &joints).map(str::to_owned));
        let (base, tip) = (base.ok_or_else(none)?, tip.ok_or_else(none)?);
        let reach = reach(robot, &base, &tip, &joints)?;
        let on_the_way: Vec<String> = reach.joints().map(str::to_owned).collect();
        if let Some(stray) = joints.iter().find(|joint| !on_the_way.contains(joint)) {
            let way = on_the_way.join(", ");
            return Err(anyhow!("joint `{stray}` is not between `{base}` and `{tip}`; there are {way}"));
        }
        let own: Vec<String> = on_the_way.into_iter().filter(|joint| joints.contains(joint)).collect();
        let controller = controllers.iter().find(|of| own.iter().all(|joint| of.joints.contains(joint)));
        let controller = controller.filter(|of| of.takes_trajectories).map(|of| of.name.clone());
        let reaches = Mutex::new(BTreeMap::from([(tip.clone(), Arc::new(reach))]));
        let (name, narrowed) = (config.name.clone(), Mutex::default());
        Ok(Self { name, base, tip, joints: own, controller, config, reaches, narrowed })
    }

    /// The group's way to a link; the empty name is that of its tip. Made once.
    ///
    /// # Errors
    /// Where no joint of the group moves the link.
    pub fn reach(&self, robot: &Robot, link: &str) -> anyhow::Result<Arc<Reach>> {
        let link = if link.is_empty() { &self.tip } else { link };
        let mut reaches = self.reaches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = reaches.get(link) {
            return Ok(known.clone());
        }
        // As many as the robot has links at most.
        let new = Arc::new(reach(robot, &self.base, link, &self.joints)?);
        reaches.insert(link.to_owned(), new.clone());
        Ok(new)
    }
}

impl Group {
    /// The same way, with a narrower travel of some joints.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn narrowed(
        &self,
        robot: &Robot,
        reach: &Arc<Reach>,
        travel: &BTreeMap<String, PositionRange>,
    ) -> anyhow::Result<Arc<Reach>> {
        if travel.is_empty() {
            return Ok(reach.clone());
        }
        let narrowing = (reach.link.clone(), travel.clone());
        let mut narrowed = self.narrowed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = narrowed.iter().find(|(of, _)| *of == narrowing) {
            return Ok(known.clone());
        }
        let mut robot = robot.clone();
        for (joint, range) in travel {
            robot.model = robot.model.with_travel(joint, *range);
        }
        let new = Arc::new(self::reach(&robot, &self.base, &reach.link, &self.joints)?);
        if narrowed.len() == MAX_NARROWED {
            narrowed.pop_front();
        }
        narrowed.push_back((narrowing, new.clone()));
        Ok(new)
    }
}

fn reach(robot: &Robot, base: &str, link: &str, joints: &[String]) -> anyhow::Result<Reach> {
    let chain = Chain::between(&robot.model, base, link)?;
    let mut locked = JointSet::NONE;
    for (index, joint) in chain.joints().iter().enumerate() {
        if !joints.contains(&joint.name) {
            locked = locked.with(index);
        }
    }
    if chain.joints().iter().all(|joint| !joints.contains(&joint.name)) {
        return Err(anyhow!("no joint of the group is between `{base}` and `{link}`"));
    }
    Ok(Reach { link: link.to_owned(), solver: Solver::new(&chain)?, locked })
}

fn joints_between(model: &RobotModel, config: &GroupConfig) -> anyhow::Result<Vec<String>> {
    let base = config.base.as_deref().unwrap_or(model.root());
    let tip = config.tip.as_deref().context("it has neither `joints` nor `tip`")?;
    let chain = Chain::between(model, base, tip)?;
    Ok(chain.joints().iter().map(|joint| joint.name.clone()).collect())
}

/// A controller and what it drives, as the parameter files say.
#[derive(Clone, Debug)]
pub struct ControllerJoints {
    /// Its name.
    pub name: String,
    /// Its joints; empty for all.
    pub joints: Vec<String>,
    /// Whether it executes trajectories.
    pub takes_trajectories: bool,
}

/// The controllers in `namespace`, as far as the command line tells of them.
pub fn controllers(namespace: &str, arm_joints: &[String]) -> Vec<ControllerJoints> {
    let arguments: Vec<String> = std::env::args().collect();
    let given = |node: &str| {
        let name = format!("{}/{node}", namespace.trim_end_matches('/'));
        of_command_line(&arguments, &name).unwrap_or_default()
    };
    let Ok(manager) = Config::of_arm(&given("controller_manager"), arm_joints, &[Part::Manager]) else {
        return Vec::new();
    };
    let entries = manager.manager.controllers.into_iter();
    let of = entries.map(|entry| {
        use crate::config::from_value::FromValue as _;
        let parameters = given(&entry.name);
        let takes_trajectories = entry.kind == ControllerKind::JointTrajectory;
        let joints = match takes_trajectories {
            true => parameters.get("joints").and_then(Vec::from_value).unwrap_or_default(),
            false => parameters.get("joint").and_then(String::from_value).into_iter().collect(),
        };
        ControllerJoints { name: entry.name, joints, takes_trajectories }
    });
    of.collect()
}

/// A group that is not complete yet.
struct Draft {
    config: GroupConfig,
    joints: Vec<String>,
    /// Whether somebody asked for it by name, so that it must be right.
    is_wanted: bool,
}

/// The groups that are configured, and one for each controller, called like it without `_controller`.
///
/// # Errors
/// Where one that is configured is not the robot's.
pub fn groups(
    robot: &Robot,
    config: &Config,
    controllers: &[ControllerJoints],
) -> anyhow::Result<Vec<Group>> {
    // A controller that names no joints has the arm's; a gripper among them is no part of its way to the tool.
    let all = || {
        let arm = ends::arm(&robot.model);
        let own: Vec<String> =
            arm.iter().filter(|joint| config.arm.joints.contains(joint)).cloned().collect();
        if own.is_empty() { arm } else { own }
    };
    let mut drafts: Vec<Draft> = Vec::new();
    for controller in controllers {
        let name = controller.name.strip_suffix("_controller").unwrap_or(&controller.name).to_owned();
        let joints = if controller.joints.is_empty() { all() } else { controller.joints.clone() };
        drafts.push(Draft {
            config: GroupConfig { name, ..GroupConfig::default() },
            joints,
            is_wanted: false,
        });
    }
    for config in &config.ik.groups {
        let known = drafts.iter().position(|draft| draft.config.name == config.name);
        let known = known.map(|index| drafts.remove(index).joints);
        let joints = match (&config.joints, known) {
            (joints, _) if !joints.is_empty() => joints.clone(),
            // Its own ends may have other joints between them than the controller's.
            (_, Some(joints)) if config.base.is_none() || config.tip.is_none() => joints,
            _ => Vec::new(),
        };
        drafts.push(Draft { config: config.clone(), joints, is_wanted: true });
    }
    let mut groups = Vec::new();
    for draft in drafts {
        let (name, is_wanted) = (draft.config.name.clone(), draft.is_wanted);
        match Group::new(robot, draft, controllers) {
            Ok(group) => groups.push(group),
            Err(error) if is_wanted => return Err(error.context(format!("group `{name}`"))),
            Err(error) => tracing::warn!("there is no group `{name}`: {error:#}"),
        }
    }
    Ok(groups)
}
