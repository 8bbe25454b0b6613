//! ROS parameters become valid values, or one sentence that says what is wrong.
//!
//! The nodes get their parameters from ROS, the tools read the same YAML themselves; both end here. Knows
//! no ROS API and opens no file but those it is asked to read.

pub mod arm;
pub mod calibration;
pub mod collision;
pub mod common;
pub mod controller;
pub mod declaration;
pub mod from_value;
pub mod gripper;
pub mod hardware;
pub mod ik;
pub mod live;
pub mod manager;
pub mod parameters;
pub mod pwm;
pub mod servo_limits;
pub mod servos;
pub mod settings;
pub mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arm::ArmConfig;
use controller::ControllerConfig;
use declaration::{Declaration, Declared, ParameterError, reject_unknown};
use gripper::{GripperConfig, GripperKind};
use hardware::HardwareConfig;
use ik::IkConfig;
use manager::ManagerConfig;
use parameters::{ParameterFileError, Parameters, Value};

/// Parts of an arm's configuration that one node reads and another may not.
///
/// A new part is a variant here, a field of [`Config`], and a line in `Config::read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The servos and their bus.
    Hardware,
    /// A trajectory controller.
    Controller,
    /// A gripper controller.
    Gripper(GripperKind),
    /// Which controllers there are.
    Manager,
    /// Inverse kinematics. Alone it needs neither joints nor a robot model: both may come with the model's topic.
    Ik,
}

/// The configuration of an arm, as far as a node needs it.
#[derive(Clone, Debug)]
pub struct Config {
    /// What all nodes share. The joints are those of the node: a controller may have some of the arm's only.
    pub arm: ArmConfig,
    /// The hardware node's part; without meaning where that part was not asked for.
    pub hardware: HardwareConfig,
    /// A trajectory controller's part; without meaning where that part was not asked for.
    pub controller: ControllerConfig,
    /// The gripper's part; without meaning where that part was not asked for.
    pub gripper: GripperConfig,
    /// The controller manager's part; without meaning where that part was not asked for.
    pub manager: ManagerConfig,
    /// The part of the inverse kinematics; without meaning where that part was not asked for.
    pub ik: IkConfig,
    /// The parameters that the parts asked for have, by name.
    pub declared: BTreeMap<String, Declared>,
    /// What the user is to be told once: a sentence for each parameter that was given and has no meaning here.
    pub remarks: Vec<String>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A parameter file is unusable.
    #[error(transparent)]
    File(#[from] ParameterFileError),
    /// Parameters are missing, wrong or unknown.
    #[error("{}", list(.0))]
    Parameters(Vec<ParameterError>),
}

fn list(errors: &[ParameterError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Config {
    /// Makes a configuration of what was given, for a node that needs `parts` and has every joint of the arm.
    ///
    /// # Errors
    /// Every parameter that is missing, wrong, or known to no node.
    pub fn new(given: &Parameters, parts: &[Part]) -> Result<Self, ConfigError> {
        Self::of_arm(given, &[], parts)
    }

    /// Makes a configuration of what was given, for a node that needs `parts`, and whose joints may be some of
    /// `arm_joints` only; empty where it is not known which joints the arm has.
    ///
    /// The other parts are declared as well: nodes share one file, and only a key that no node knows is wrong.
    ///
    /// # Errors
    /// Every parameter that is missing, wrong, or known to no node.
    pub fn of_arm(given: &Parameters, arm_joints: &[String], parts: &[Part]) -> Result<Self, ConfigError> {
        let mut reading = Reading::new(given, parts);
        let config = Self::read(&mut reading);
        let Reading { declared, mut known, remarks, mut errors, .. } = reading;
        if !arm_joints.is_empty() {
            let mut of_arm = given.clone();
            let own = of_arm.insert("joints".to_owned(), Value::StringArray(arm_joints.to_vec()));
            let mut whole = Reading::new(&of_arm, &[]);
            Self::read(&mut whole);
            known.extend(whole.known);
            let stranger = config.arm.joints.iter().find(|joint| !arm_joints.contains(joint));
            errors.extend(stranger.zip(own).map(|(joint, value)| ParameterError::Value {
                name: "joints".to_owned(),
                value,
                expected: format!("the arm has no joint `{joint}`, it has {}", arm_joints.join(", ")),
            }));
        }
        errors.extend(reject_unknown(given, &known).err());
        if errors.is_empty() {
            Ok(Self { declared, remarks, ..config })
        } else {
            Err(ConfigError::Parameters(errors))
        }
    }

    fn read(reading: &mut Reading<'_>) -> Self {
        let needs_model = reading.parts != [Part::Ik];
        let arm = reading.section(None, |d| ArmConfig::declare(d, needs_model));
        let joints = &arm.joints;
        let hardware = reading.section(Some(Part::Hardware), |d| HardwareConfig::declare(d, joints));
        let controller = reading.section(Some(Part::Controller), |d| ControllerConfig::declare(d, joints));
        let kind = reading.gripper_kind();
        let gripper = reading.section(Some(Part::Gripper(kind)), |d| GripperConfig::declare(d, joints, kind));
        let ik = reading.section(Some(Part::Ik), IkConfig::declare);
        let taken: BTreeSet<String> = reading.known.iter().filter_map(|name| group_of(name)).collect();
        let manager = reading
            .section(Some(Part::Manager), |d| ManagerConfig::declare(d, |group| !taken.contains(group)));
        let (declared, remarks) = (BTreeMap::new(), Vec::new());
        Self { arm, hardware, controller, gripper, manager, ik, declared, remarks }
    }

    /// Reads what the file at `path` says of the hardware node, with `overrides` on top.
    ///
    /// # Errors
    /// Where the file is unusable, or a parameter is.
    pub fn read_hardware(path: &Path, overrides: &Parameters) -> Result<Self, ConfigError> {
        let mut given = parameters::read(path, "/hardware_node")?;
        given.extend(overrides.clone());
        Self::new(&given, &[Part::Hardware])
    }

    /// The same for an arm whose buses are elsewhere than the file says, if it says so at all: `port_of` says it of a
    /// bus by its name, which is empty for an only one.
    ///
    /// # Errors
    /// Where the file is unusable, or a parameter is.
    pub fn read_hardware_at(
        path: &Path,
        overrides: &Parameters,
        port_of: impl Fn(&str) -> String,
    ) -> Result<Self, ConfigError> {
        let mut given = parameters::read(path, "/hardware_node")?;
        given.extend(overrides.clone());
        for bus in hardware::bus_names(&given) {
            given.insert(hardware::port_parameter(&bus), Value::String(port_of(&bus)));
        }
        Self::new(&given, &[Part::Hardware])
    }
}

/// Sections that are read one after the other from what was given, and what there was to say of them.
struct Reading<'a> {
    given: &'a Parameters,
    parts: &'a [Part],
    declared: BTreeMap<String, Declared>,
    known: BTreeSet<String>,
    remarks: Vec<String>,
    errors: Vec<ParameterError>,
}

impl<'a> Reading<'a> {
    fn new(given: &'a Parameters, parts: &'a [Part]) -> Self {
        let (declared, known) = (BTreeMap::new(), BTreeSet::new());
        Self { given, parts, declared, known, remarks: Vec::new(), errors: Vec::new() }
    }

    /// Which kind of gripper the node has; the parallel one has every parameter that a gripper can have.
    fn gripper_kind(&self) -> GripperKind {
        let kind = |part: &Part| match part {
            Part::Gripper(kind) => Some(*kind),
            _ => None,
        };
        self.parts.iter().find_map(kind).unwrap_or(GripperKind::Parallel)
    }

    /// Whether the part counts; what all nodes share does not for one that only knows which controllers there are.
    fn counts(&self, part: Option<Part>) -> bool {
        part.map_or(self.parts != [Part::Manager], |part| self.parts.contains(&part))
    }

    /// Reads one section. Of a part that was not asked for only the names count.
    fn section<T>(&mut self, part: Option<Part>, declare: impl FnOnce(&mut Declaration<'_>) -> T) -> T {
        let mut declaration = Declaration::new(self.given);
        let section = declare(&mut declaration);
        let remarks = declaration.remarks().to_vec();
        let (declared, errors) = declaration.finish();
        self.known.extend(declared.keys().cloned());
        if self.counts(part) {
            self.declared.extend(declared);
            self.remarks.extend(remarks);
            self.errors.extend(errors);
        }
        section
    }
}

/// What stands before the first dot of a parameter's name.
fn group_of(name: &str) -> Option<String> {
    name.split_once('.').map(|(group, _)| group.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> Parameters {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/so101.yaml");
        parameters::read(&file, "/hardware_node").unwrap()
    }

    /// What the shipped file gives to the trajectory controller.
    pub(super) fn controller() -> Parameters {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/so101.yaml");
        parameters::read(&file, "/arm_controller").unwrap()
    }

    /// The joints that the shipped file gives to every node.
    pub(super) fn arm_joints() -> Vec<String> {
        names(&["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"])
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn error_with(name: &str, value: Value) -> String {
        let mut given = shipped();
        given.insert(name.to_owned(), value);
        Config::new(&given, &[Part::Hardware]).unwrap_err().to_string()
    }

    #[test]
    fn the_shipped_so101_is_valid_for_both_parts() {
        let config = Config::new(&shipped(), &[Part::Hardware, Part::Controller]).unwrap();
        assert_eq!(config.arm.joints.len(), 6);
        assert_eq!(config.hardware.servos.iter().map(|s| s.id).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_key_of_another_node_is_known_and_a_key_of_none_is_named() {
        let mut given = shipped();
        given.insert("action_monitor_rate".into(), Value::Double(10.0));
        assert!(Config::new(&given, &[Part::Hardware]).is_ok());
        assert_eq!(
            error_with("servos.elbow_flex.idd", Value::Integer(3)),
            "no node knows parameter `servos.elbow_flex.idd`; did you mean `servos.elbow_flex.id`?"
        );
    }

    #[test]
    fn each_fault_is_named_with_its_value() {
        assert!(
            error_with("servos.gripper.id", Value::Integer(1)).contains("joint `shoulder_pan` has this one")
        );
        assert!(error_with("servos.gripper.id", Value::Integer(300)).contains("`servos.gripper.id` is 300"));
        assert!(error_with("update_rate_hz", Value::Double(0.0)).contains("from 1 to 2000"));
        assert!(error_with("joints", Value::StringArray(vec![])).contains("at least one"));
        assert!(
            error_with("joints", Value::StringArray(vec!["a".into(), "a".into()])).contains("named twice")
        );
        let speed = error_with("joint_limits.gripper.max_velocity", Value::Double(f64::NAN));
        assert!(speed.contains("must be positive"), "{speed}");
    }

    #[test]
    fn a_controller_may_have_some_of_the_arms_joints_in_its_own_order() {
        let mut given = controller();
        let arm_joints = arm_joints();
        given.insert("joints".into(), Value::StringArray(names(&["elbow_flex", "shoulder_pan"])));
        given.insert("joint_limits.elbow_flex.max_velocity".into(), Value::Double(1.0));
        given.insert("constraints.shoulder_pan.goal".into(), Value::Double(0.2));
        let config = Config::of_arm(&given, &arm_joints, &[Part::Controller]).unwrap();
        assert_eq!(config.arm.joints, ["elbow_flex", "shoulder_pan"]);
        assert_eq!(config.arm.limit_overrides[0].max_velocity, Some(1.0));
        assert_eq!(config.controller.tolerances.iter().map(|t| t.goal).collect::<Vec<_>>(), [0.05, 0.2]);
        // What is said of the arm's other joints is for other nodes, and no parameter of this one.
        assert!(!config.declared.contains_key("constraints.wrist_roll.goal"));
        assert!(given.contains_key("constraints.wrist_roll.goal"));
    }

    #[test]
    fn a_joint_that_neither_node_nor_arm_has_is_named() {
        let arm_joints =
            names(&["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]);
        let mut given = controller();
        given.insert("joints".into(), Value::StringArray(names(&["elbow"])));
        let error = Config::of_arm(&given, &arm_joints, &[Part::Controller]).unwrap_err().to_string();
        assert!(error.contains("`joints` is [\"elbow\"]; the arm has no joint `elbow`"), "{error}");

        let mut given = controller();
        given.insert("joints".into(), Value::StringArray(names(&["elbow_flex"])));
        given.insert("constraints.elbow.goal".into(), Value::Double(0.1));
        let error = Config::of_arm(&given, &arm_joints, &[Part::Controller]).unwrap_err().to_string();
        assert!(error.contains("no node knows parameter `constraints.elbow.goal`"), "{error}");
    }

    #[test]
    fn only_what_the_node_itself_reads_is_remarked_on() {
        let mut given = shipped();
        given.insert("open_loop_control".into(), Value::Bool(true));
        assert_eq!(Config::new(&given, &[Part::Hardware]).unwrap().remarks, Vec::<String>::new());
        assert_eq!(Config::new(&given, &[Part::Hardware, Part::Controller]).unwrap().remarks.len(), 1);
    }
}
