//! ROS parameters become valid values, or one sentence that says what is wrong.
//!
//! The nodes get their parameters from ROS, the tools read the same YAML themselves; both end here. Knows
//! no ROS API and opens no file but those it is asked to read.

pub mod arm;
pub mod controller;
pub mod declaration;
pub mod gripper;
pub mod hardware;
pub mod parameters;

use std::collections::BTreeMap;
use std::path::Path;

use arm::ArmConfig;
use controller::ControllerConfig;
use declaration::{Declaration, Declared, ParameterError, reject_unknown};
use gripper::{GripperConfig, GripperKind};
use hardware::HardwareConfig;
use parameters::{ParameterFileError, Parameters};

/// Parts of an arm's configuration that one node reads and another may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The servos and their bus.
    Hardware,
    /// The trajectory controller.
    Controller,
    /// A gripper controller.
    Gripper(GripperKind),
}

/// The configuration of an arm, as far as a node needs it.
#[derive(Clone, Debug)]
pub struct Config {
    /// What all nodes share.
    pub arm: ArmConfig,
    /// The hardware node's part; without meaning where that part was not asked for.
    pub hardware: HardwareConfig,
    /// The controller's part; without meaning where that part was not asked for.
    pub controller: ControllerConfig,
    /// The gripper's part; without meaning where that part was not asked for.
    pub gripper: GripperConfig,
    /// The parameters that the parts asked for have, by name.
    pub declared: BTreeMap<String, Declared>,
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
    /// Makes a configuration of what was given, for a node that needs `parts`.
    ///
    /// The other parts are declared as well: nodes share one file, and only a key that no node knows is wrong.
    ///
    /// # Errors
    /// Every parameter that is missing, wrong, or known to no node.
    pub fn new(given: &Parameters, parts: &[Part]) -> Result<Self, ConfigError> {
        let (arm, mut declared, mut errors) = section(given, ArmConfig::declare);
        let mut known = declared.clone();
        let mut add = |part, (of_part, wrong): (BTreeMap<String, Declared>, Vec<ParameterError>)| {
            known.extend(of_part.clone());
            if parts.contains(&part) {
                declared.extend(of_part);
                errors.extend(wrong);
            }
        };
        let (hardware, of_part, wrong) = section(given, |d| HardwareConfig::declare(d, &arm.joints));
        add(Part::Hardware, (of_part, wrong));
        let (controller, of_part, wrong) = section(given, |d| ControllerConfig::declare(d, &arm.joints));
        add(Part::Controller, (of_part, wrong));
        let gripper = parts.iter().find_map(|part| match part {
            Part::Gripper(kind) => Some(*kind),
            _ => None,
        });
        // The parallel gripper has every parameter that a gripper can have.
        let kind = gripper.unwrap_or(GripperKind::Parallel);
        let (gripper, of_part, wrong) = section(given, |d| GripperConfig::declare(d, &arm.joints, kind));
        add(Part::Gripper(kind), (of_part, wrong));
        errors.extend(reject_unknown(given, known.keys()).err());
        if errors.is_empty() {
            Ok(Self { arm, hardware, controller, gripper, declared })
        } else {
            Err(ConfigError::Parameters(errors))
        }
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
}

fn section<T>(
    given: &Parameters,
    declare: impl FnOnce(&mut Declaration<'_>) -> T,
) -> (T, BTreeMap<String, Declared>, Vec<ParameterError>) {
    let mut declaration = Declaration::new(given);
    let section = declare(&mut declaration);
    let (declared, errors) = declaration.finish();
    (section, declared, errors)
}

#[cfg(test)]
mod tests {
    use super::parameters::Value;
    use super::*;

    fn shipped() -> Parameters {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/so101.yaml");
        parameters::read(&file, "/hardware_node").unwrap()
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
}
