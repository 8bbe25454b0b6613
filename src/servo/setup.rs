//! Puts an arm together from its configuration and its robot model, before anything is opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::control_thread::{ArmSetup, MimicJoint};
use super::driver::JointRating;
use crate::config::Config;
use crate::config::arm::{ArmConfig, LimitOverrides, MAX_JOINTS};
use crate::config::hardware::{Backend, HardwareConfig, Recorded};
use crate::kinematics::{Joint, JointKind, ModelError, RobotModel};
use crate::trajectory::limits::{JointLimits, LimitsError, RawLimits};

/// Why configuration and robot model do not make an arm.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No installed package has this file.
    #[error("`{uri}`: no package `{package}` with this file in any prefix of AMENT_PREFIX_PATH")]
    NoPackage {
        /// What was asked for.
        uri: String,
        /// The package in it.
        package: String,
    },
    /// The URDF cannot be read.
    #[error("cannot read the URDF {path}: {cause}", path = path.display())]
    Read {
        /// Where it should be.
        path: PathBuf,
        /// What the operating system says.
        cause: std::io::Error,
    },
    /// The URDF is no robot model.
    #[error("URDF {origin}: {cause}")]
    Model {
        /// The file, or the parameter.
        origin: String,
        /// What is wrong.
        cause: ModelError,
    },
    /// A configured joint is not in the URDF.
    #[error("joint `{joint}` is not in the URDF, whose joints are {}", known.join(", "))]
    UnknownJoint {
        /// The configured name.
        joint: String,
        /// The movable joints of the URDF.
        known: Vec<String>,
    },
    /// A configured joint cannot be moved by one servo.
    #[error("joint `{0}` of the URDF is neither revolute, continuous nor prismatic")]
    NotMovable(String),
    /// A configured joint follows another one.
    #[error(
        "joint `{joint}` mimics `{leader}` in the URDF; leave it out of `joints`, and list it in `mimic_joints` if it has a servo of its own"
    )]
    Mimics {
        /// The joint.
        joint: String,
        /// The joint that it follows.
        leader: String,
    },
    /// A joint that is said to mimic one of the arm's does not.
    #[error("`mimic_joints` names `{0}`, which mimics none of `joints` in the URDF")]
    NoMimic(String),
    /// The servos of a joint turn it, and it slides.
    #[error(
        "joint `{0}` slides; say how far one turn of its screw or pinion moves it, as servos.{0}.metres_per_turn (m)"
    )]
    Slides(String),
    /// The servos of a joint slide it, and it turns.
    #[error("joint `{0}` turns in the URDF, so servos.{0}.metres_per_turn has no meaning; leave it out")]
    Turns(String),
    /// Calibration and limits leave a joint nothing.
    #[error(
        "joint `{joint}` goes from {:.3} to {:.3} by the calibration {file}, and from {:.3} to {:.3} by its limits, which leaves nothing; is the calibration of this arm, and with this robot model?",
        .travel.0, .travel.1, .limits.0, .limits.1
    )]
    Travel {
        /// The joint.
        joint: String,
        /// The calibration.
        file: String,
        /// Its travel (rad or m).
        travel: (f64, f64),
        /// Its limits (rad or m).
        limits: (f64, f64),
    },
    /// Limits of a joint make no sense.
    #[error("limits of joint `{joint}`: {cause}")]
    Limits {
        /// The joint.
        joint: String,
        /// What is wrong.
        cause: LimitsError,
    },
    /// The rest pose is no place for the arm.
    #[error(
        "parameter `rest_pose` has {position} for joint `{joint}`; it must be from {lower} to {upper}, the joint's limits"
    )]
    RestPose {
        /// The joint.
        joint: String,
        /// Where it was to rest.
        position: f64,
        /// The lower end of its travel.
        lower: f64,
        /// The upper end of its travel.
        upper: f64,
    },
    /// A limit is neither in the URDF nor in the configuration.
    #[error(
        "joint `{joint}` has no velocity limit; give it in the URDF, or as joint_limits.{joint}.max_velocity"
    )]
    NoVelocityLimit {
        /// The joint.
        joint: String,
    },
}

/// Reads the robot model that the configuration names.
///
/// # Errors
/// Where it cannot be found, read or understood.
pub fn robot_model(config: &ArmConfig) -> Result<RobotModel, SetupError> {
    let (origin, text) = robot_description(config)?;
    RobotModel::from_urdf(&text).map_err(|cause| SetupError::Model { origin, cause })
}

/// Where the URDF comes from that the configuration names, and its text.
///
/// # Errors
/// Where it cannot be found or read.
pub fn robot_description(config: &ArmConfig) -> Result<(String, String), SetupError> {
    if !config.robot_description.is_empty() {
        return Ok(("in parameter `robot_description`".to_owned(), config.robot_description.clone()));
    }
    let path = locate(&config.urdf)?;
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(cause) => Err(SetupError::Read { path, cause }),
    }
}

/// Puts the arm together.
///
/// # Errors
/// Where a joint is not in the model, or has no usable limits.
pub fn arm_setup(config: &Config, model: &RobotModel) -> Result<ArmSetup, SetupError> {
    let joints: Vec<&Joint> =
        config.arm.joints.iter().map(|name| movable(model, name)).collect::<Result<_, _>>()?;
    let limits = joints
        .iter()
        .zip(&config.arm.limit_overrides)
        .enumerate()
        .map(|(index, (joint, overrides))| {
            let mut travels = recorded_of(&config.hardware, index);
            let overrides =
                travels.try_fold(*overrides, |overrides, recorded| within(joint, overrides, recorded))?;
            joint_limits(joint, overrides)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mimics = mimics(config, model, &limits);
    // Controllers are put together with the same arm and know no servos.
    if config.declared.contains_key("mimic_joints") {
        if config.hardware.backend == Backend::Servos {
            check_servos(config, model, &mimics)?;
        }
        check_rest_pose(config, &limits)?;
    }
    let rating = |(joint, limits): (&&Joint, &JointLimits)| JointRating {
        max_velocity: limits.max_velocity(),
        max_effort: joint.limits.effort.unwrap_or(0.0),
    };
    let hardware = with_travel(config.hardware.clone(), &limits);
    Ok(ArmSetup {
        joints: config.arm.joints.clone(),
        ratings: joints.iter().zip(&limits).map(rating).collect(),
        limits,
        mimics,
        hardware,
        gazebo: None,
        period: Duration::from_secs_f64(1.0 / config.arm.update_rate_hz),
    })
}

/// What calibrations say of a joint's servos.
fn recorded_of(hardware: &HardwareConfig, joint: usize) -> impl Iterator<Item = &Recorded> {
    let further = hardware.further_servos.iter().filter(move |further| further.joint == joint);
    let servos = hardware.servos.get(joint).into_iter().chain(further.map(|further| &further.servo));
    servos.filter_map(|servo| servo.recorded.as_ref())
}

/// Limits within the travel that was found when the joint was calibrated.
fn within(joint: &Joint, limits: LimitOverrides, recorded: &Recorded) -> Result<LimitOverrides, SetupError> {
    let range = joint.limits.position.filter(|_| joint.kind != JointKind::Continuous);
    let lower = limits.min_position.or(range.map(|range| range.lower)).unwrap_or(f64::NEG_INFINITY);
    let upper = limits.max_position.or(range.map(|range| range.upper)).unwrap_or(f64::INFINITY);
    let (from, to) = (lower.max(recorded.travel.0), upper.min(recorded.travel.1));
    if to <= from {
        let (name, file) = (joint.name.clone(), recorded.file.clone());
        return Err(SetupError::Travel {
            joint: name,
            file,
            travel: recorded.travel,
            limits: (lower, upper),
        });
    }
    Ok(LimitOverrides { min_position: Some(from), max_position: Some(to), ..limits })
}

/// Servos know the ends of their joints' travel, to keep them by themselves.
fn with_travel(mut hardware: HardwareConfig, limits: &[JointLimits]) -> HardwareConfig {
    let travel = |joint: usize| {
        let limits = limits.get(joint).filter(|it| it.lower().is_finite() && it.upper().is_finite())?;
        Some((limits.lower(), limits.upper()))
    };
    for (joint, servo) in hardware.servos.iter_mut().enumerate() {
        servo.limits.travel = travel(joint);
    }
    for further in &mut hardware.further_servos {
        further.servo.limits.travel = travel(further.joint);
    }
    hardware
}

/// The joints of the model that follow one of the arm's.
fn mimics(config: &Config, model: &RobotModel, limits: &[JointLimits]) -> Vec<MimicJoint> {
    let joints = model.joints().iter().filter(|joint| joint.kind.is_single());
    let mimic = |joint: &Joint| {
        let mimic = joint.mimic.as_ref()?;
        let leader = config.arm.joints.iter().position(|leader| *leader == mimic.leader)?;
        let (multiplier, offset) = (mimic.multiplier, mimic.offset);
        let rating = JointRating {
            max_velocity: multiplier.abs() * limits[leader].max_velocity(),
            max_effort: joint.limits.effort.unwrap_or(0.0),
        };
        Some(MimicJoint { name: joint.name.clone(), leader, multiplier, offset, rating })
    };
    joints.filter_map(mimic).take(MAX_JOINTS).collect()
}

/// Whether what lies between servos and joints is what the model says.
fn check_servos(config: &Config, model: &RobotModel, mimics: &[MimicJoint]) -> Result<(), SetupError> {
    let hardware = &config.hardware;
    for (name, servo) in config.arm.joints.iter().zip(&hardware.servos) {
        check_transmission(model, name, servo.slides)?;
    }
    for further in &hardware.further_servos {
        check_transmission(model, &config.arm.joints[further.joint], further.servo.slides)?;
    }
    for mimic in &hardware.mimic_servos {
        if !mimics.iter().any(|known| known.name == mimic.joint) {
            return Err(SetupError::NoMimic(mimic.joint.clone()));
        }
        check_transmission(model, &mimic.joint, mimic.servo.slides)?;
    }
    Ok(())
}

fn check_transmission(model: &RobotModel, name: &str, slides: bool) -> Result<(), SetupError> {
    let is_prismatic = model.joint(name).is_some_and(|joint| joint.kind == JointKind::Prismatic);
    match (is_prismatic, slides) {
        (true, false) => Err(SetupError::Slides(name.to_owned())),
        (false, true) => Err(SetupError::Turns(name.to_owned())),
        _ => Ok(()),
    }
}

fn check_rest_pose(config: &Config, limits: &[JointLimits]) -> Result<(), SetupError> {
    let Some(pose) = &config.hardware.rest_pose else { return Ok(()) };
    let mut joints = config.arm.joints.iter().zip(pose).zip(limits);
    match joints.find(|((_, position), limits)| !limits.contains(**position)) {
        None => Ok(()),
        Some(((joint, &position), limits)) => {
            let (lower, upper) = (limits.lower(), limits.upper());
            Err(SetupError::RestPose { joint: joint.clone(), position, lower, upper })
        }
    }
}

/// The file that a path or a `package://PACKAGE/PATH` means.
///
/// # Errors
/// Where no installed package has the file.
pub fn locate(uri: &str) -> Result<PathBuf, SetupError> {
    let Some(rest) = uri.strip_prefix("package://") else {
        return Ok(PathBuf::from(uri.strip_prefix("file://").unwrap_or(uri)));
    };
    let (package, path) = rest.split_once('/').unwrap_or((rest, ""));
    let prefixes = std::env::var("AMENT_PREFIX_PATH").unwrap_or_default();
    let found = std::env::split_paths(&prefixes)
        .map(|prefix| prefix.join("share").join(package).join(path))
        .find(|candidate| Path::exists(candidate));
    found.ok_or_else(|| SetupError::NoPackage { uri: uri.to_owned(), package: package.to_owned() })
}

fn movable<'a>(model: &'a RobotModel, name: &str) -> Result<&'a Joint, SetupError> {
    match model.joint(name) {
        Some(Joint { mimic: Some(mimic), .. }) => {
            Err(SetupError::Mimics { joint: name.to_owned(), leader: mimic.leader.clone() })
        }
        Some(joint) if joint.kind.is_single() => Ok(joint),
        Some(_) => Err(SetupError::NotMovable(name.to_owned())),
        None => {
            let names = model.joints().iter().filter(|joint| joint.kind.is_single()).map(|j| j.name.clone());
            Err(SetupError::UnknownJoint { joint: name.to_owned(), known: names.collect() })
        }
    }
}

/// What a joint may do at most: what the URDF says, where nothing replaces it.
///
/// # Errors
/// Where neither says how fast it may be, or its travel is empty.
pub fn joint_limits(joint: &Joint, overrides: LimitOverrides) -> Result<JointLimits, SetupError> {
    let range = joint.limits.position.filter(|_| joint.kind != JointKind::Continuous);
    let name = || joint.name.clone();
    let raw = RawLimits {
        lower: overrides.min_position.or(range.map(|range| range.lower)).unwrap_or(f64::NEG_INFINITY),
        upper: overrides.max_position.or(range.map(|range| range.upper)).unwrap_or(f64::INFINITY),
        max_velocity: overrides
            .max_velocity
            .or(joint.limits.velocity)
            .ok_or_else(|| SetupError::NoVelocityLimit { joint: name() })?,
        max_acceleration: overrides.max_acceleration.unwrap_or(f64::INFINITY),
        max_jerk: overrides.max_jerk.unwrap_or(f64::INFINITY),
    };
    JointLimits::new(raw).map_err(|cause| SetupError::Limits { joint: name(), cause })
}

#[cfg(test)]
#[path = "setup_tests.rs"]
mod tests;
