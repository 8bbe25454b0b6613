//! Which controllers the arm has and what they move, read as the nodes read it.

use std::path::Path;

use anyhow::Context as _;
use servo_arm::config::gripper::GripperKind;
use servo_arm::config::manager::{ControllerEntry, ControllerKind};
use servo_arm::config::{Config, Part, parameters};
use servo_arm::kinematics::RobotModel;
use servo_arm::servo::control_thread::ArmSetup;
use servo_arm::servo::setup::arm_setup;
use servo_arm::trajectory::limits::JointLimits;
use servo_arm::units::Calibration;

/// The controllers that the demonstration talks with: the first of each sort.
pub(crate) struct Controllers {
    pub(crate) trajectory: TrajectoryController,
    pub(crate) gripper: Option<GripperController>,
}

/// A trajectory controller.
pub(crate) struct TrajectoryController {
    pub(crate) name: String,
    /// The joints that it commands.
    pub(crate) joints: Vec<DrivenJoint>,
}

/// A joint that a trajectory controller commands.
pub(crate) struct DrivenJoint {
    pub(crate) name: String,
    pub(crate) limits: JointLimits,
    /// Its servo's.
    pub(crate) calibration: Calibration,
}

/// A gripper controller.
pub(crate) struct GripperController {
    pub(crate) name: String,
    /// Which action it offers.
    pub(crate) kind: GripperKind,
    pub(crate) joint: String,
    pub(crate) limits: JointLimits,
}

impl Controllers {
    /// Reads which controllers the file at `path` gives to `arm`.
    pub(crate) fn read(path: &Path, arm: &ArmSetup, model: &RobotModel) -> anyhow::Result<Self> {
        let file = File { path, arm, model };
        let entries = file.config_of("controller_manager", Part::Manager)?.manager.controllers;
        let mut trajectory = entries.iter().filter(|entry| entry.kind == ControllerKind::JointTrajectory);
        let trajectory = trajectory.next().context("no trajectory controller is configured")?;
        let mut grippers = entries.iter().filter_map(|entry| Some((entry, gripper_kind(entry)?)));
        let gripper = grippers.next().map(|(entry, kind)| file.gripper(&entry.name, kind)).transpose()?;
        Ok(Self { trajectory: file.trajectory(&trajectory.name)?, gripper })
    }
}

fn gripper_kind(entry: &ControllerEntry) -> Option<GripperKind> {
    GripperKind::of_type(entry.kind.type_name())
}

/// A parameter file, and the arm that it is about.
struct File<'a> {
    path: &'a Path,
    arm: &'a ArmSetup,
    model: &'a RobotModel,
}

impl File<'_> {
    fn config_of(&self, node: &str, part: Part) -> anyhow::Result<Config> {
        let given = parameters::read(self.path, &format!("/{node}"))?;
        Config::of_arm(&given, &self.arm.joints, &[part]).with_context(|| format!("node `{node}`"))
    }

    fn trajectory(&self, name: &str) -> anyhow::Result<TrajectoryController> {
        let config = self.config_of(name, Part::Controller)?;
        let limits = arm_setup(&config, self.model)?.limits;
        let joints = config.arm.joints.iter().zip(&limits).zip(&config.controller.commanded);
        let driven = |((name, limits), commanded): ((&String, &JointLimits), &bool)| {
            let index = self.arm.joints.iter().position(|joint| joint == name)?;
            let calibration = self.arm.hardware.servos.get(index)?.calibration;
            commanded.then(|| DrivenJoint { name: name.clone(), limits: *limits, calibration })
        };
        Ok(TrajectoryController { name: name.to_owned(), joints: joints.filter_map(driven).collect() })
    }

    fn gripper(&self, name: &str, kind: GripperKind) -> anyhow::Result<GripperController> {
        let config = self.config_of(name, Part::Gripper(kind))?;
        let joint = config.gripper.joint.clone();
        let index = config.arm.joints.iter().position(|of_arm| *of_arm == joint);
        let index = index.with_context(|| format!("the arm has no joint `{joint}`"))?;
        let limits = arm_setup(&config, self.model)?.limits[index];
        Ok(GripperController { name: name.to_owned(), kind, joint, limits })
    }
}
