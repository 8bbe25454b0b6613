//! What every node of an arm must agree on: the robot model, the joints and their order, the rate, the limits.

use super::common;
use super::declaration::Declaration;
use super::parameters::Value;

/// The most joints that one arm can have; snapshots of an arm have a fixed size.
pub const MAX_JOINTS: usize = 16;

/// The part of the configuration that the nodes of one arm share.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmConfig {
    /// Where the URDF is: a path, or `package://PACKAGE/PATH`; empty where `robot_description` has the text.
    pub urdf: String,
    /// The URDF's text; empty where `urdf` says where it is.
    pub robot_description: String,
    /// What stands before the names of the robot's frames wherever ROS sees them.
    pub frame_prefix: String,
    /// Names of the joints, in the order of every list that the nodes publish. At least one, none twice.
    pub joints: Vec<String>,
    /// Control cycles a second.
    pub update_rate_hz: f64,
    /// For each of `joints`, what replaces the URDF's limits.
    pub limit_overrides: Vec<LimitOverrides>,
}

/// Limits of one joint that replace the URDF's; the names are those of MoveIt's `joint_limits.yaml`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LimitOverrides {
    /// Lower end of the travel (rad or m).
    pub min_position: Option<f64>,
    /// Upper end of the travel (rad or m).
    pub max_position: Option<f64>,
    /// Greatest speed (rad/s or m/s).
    pub max_velocity: Option<f64>,
    /// Greatest acceleration (rad/s² or m/s²); no URDF has it.
    pub max_acceleration: Option<f64>,
    /// Greatest jerk (rad/s³ or m/s³); no URDF has it.
    pub max_jerk: Option<f64>,
}

impl ArmConfig {
    /// Declares and reads the shared parameters; whoever needs no model from them needs no joints either.
    pub fn declare(declaration: &mut Declaration<'_>, needs_model: bool) -> Self {
        let urdf = declaration.or("urdf", String::new(), "Robot model: a path, or package://PACKAGE/PATH.");
        let robot_description = declaration.or(
            "robot_description",
            String::new(),
            "Robot model as URDF text; used instead of `urdf`.",
        );
        if needs_model && urdf.is_empty() && robot_description.is_empty() {
            let expected = "give it, or the URDF's text in `robot_description`";
            declaration.refuse("urdf", Value::String(String::new()), expected);
        }
        let frame_prefix = declaration.or(
            "frame_prefix",
            String::new(),
            "What stands before the names of the robot's frames in /tf and in messages; robot_state_publisher needs the same.",
        );
        let joints = joints(declaration, needs_model);
        let update_rate_hz =
            declaration.number_in("update_rate_hz", 100.0, 1.0..=2000.0, "Control cycles a second (Hz).");
        common::use_sim_time(declaration);
        // Whoever starts the process reads it, before there is a node.
        declaration.or(
            "arms",
            Vec::<String>::new(),
            "Namespaces of the arms that arm_node runs in one process; none: one arm, in the process's namespace.",
        );
        let limit_overrides = joints.iter().map(|joint| limit_overrides(declaration, joint)).collect();
        Self { urdf, robot_description, frame_prefix, joints, update_rate_hz, limit_overrides }
    }
}

fn joints(declaration: &mut Declaration<'_>, needed: bool) -> Vec<String> {
    let about = "Names of the joints, in the order of every list that is published.";
    let joints: Vec<String> = if needed {
        declaration.required("joints", about)
    } else {
        declaration.optional("joints", about).unwrap_or_default()
    };
    let repeated = joints.iter().enumerate().find(|(i, joint)| joints[..*i].contains(joint));
    if let Some((_, joint)) = repeated {
        let expected = format!("each joint must be named once, and `{joint}` is named twice");
        declaration.refuse("joints", Value::StringArray(joints.clone()), expected);
    } else if joints.is_empty() && declaration.has("joints") {
        declaration.refuse("joints", Value::StringArray(Vec::new()), "an arm has at least one joint");
    } else if MAX_JOINTS < joints.len() {
        let expected = format!("an arm has at most {MAX_JOINTS} joints, and these are {}", joints.len());
        declaration.refuse("joints", Value::StringArray(joints.clone()), expected);
    }
    joints
}

fn limit_overrides(declaration: &mut Declaration<'_>, joint: &str) -> LimitOverrides {
    let mut limit = |switch: &str, key: &str, about: &'static str| {
        let has: Option<bool> = declaration
            .optional(&format!("joint_limits.{joint}.{switch}"), "Whether the limit below is used.");
        let name = format!("joint_limits.{joint}.{key}");
        let value: Option<f64> = declaration.optional(&name, about);
        let value = value.filter(|_| has != Some(false));
        let must_be_positive = !key.ends_with("position");
        if let Some(bad) = value.filter(|v| !v.is_finite() || (must_be_positive && *v <= 0.0)) {
            let expected = if must_be_positive { "it must be positive" } else { "it must be finite" };
            declaration.refuse(&name, Value::Double(bad), expected);
        }
        value
    };
    LimitOverrides {
        min_position: limit("has_position_limits", "min_position", "Lower end of the travel (rad or m)."),
        max_position: limit("has_position_limits", "max_position", "Upper end of the travel (rad or m)."),
        max_velocity: limit("has_velocity_limits", "max_velocity", "Greatest speed (rad/s or m/s)."),
        max_acceleration: limit(
            "has_acceleration_limits",
            "max_acceleration",
            "Greatest acceleration (rad/s^2 or m/s^2).",
        ),
        max_jerk: limit("has_jerk_limits", "max_jerk", "Greatest jerk (rad/s^3 or m/s^3)."),
    }
}
