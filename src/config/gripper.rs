//! What a gripper controller must know; the names are those of ros2_control's gripper controllers.

use super::common;
use super::declaration::Declaration;
use super::parameters::Value;

/// Which of ros2_control's gripper controllers is meant, and with it which action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GripperKind {
    /// `gripper_controllers`: the action `GripperCommand`.
    Command,
    /// `parallel_gripper_controller`: the action `ParallelGripperCommand`.
    Parallel,
}

/// The configuration of a gripper controller.
#[derive(Clone, Debug, PartialEq)]
pub struct GripperConfig {
    /// Whether it is active from the start.
    pub autostart: bool,
    /// Which action it offers.
    pub kind: GripperKind,
    /// Its joint.
    pub joint: String,
    /// How often feedback is sent to action clients (Hz).
    pub action_monitor_rate_hz: f64,
    /// Whether a goal that ends at an object has succeeded.
    pub allow_stalling: bool,
    /// How a goal is executed.
    pub rules: GripperRules,
}

/// How goals are executed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GripperRules {
    /// A joint this near its goal (rad or m) has reached it.
    pub goal_tolerance: f64,
    /// A joint that comes nearer its goal more slowly than this (rad/s or m/s) does not move.
    pub stall_velocity_threshold: f64,
    /// A joint that has not moved for so long (s) is stalled.
    pub stall_timeout_secs: f64,
    /// Greatest effort (N m or N) of goals that bring none; `None` for the servo's configured one.
    pub max_effort: Option<f64>,
    /// Greatest speed (rad/s or m/s) of goals that bring none; `None` for the joint's own.
    pub max_velocity: Option<f64>,
    /// Effort (N m or N) with which an object is held after a goal without an effort; `None` for a quarter of the
    /// joint's own.
    pub holding_effort: Option<f64>,
}

impl GripperKind {
    /// The kind that a controller's type means, as ros2_control's YAML has it; `None` where it is no gripper's.
    pub fn of_type(name: &str) -> Option<Self> {
        match name {
            "position_controllers/GripperActionController" => Some(Self::Command),
            "parallel_gripper_action_controller/GripperActionController" => Some(Self::Parallel),
            _ => None,
        }
    }
}

impl GripperConfig {
    /// Declares and reads the parameters of a gripper controller of an arm with `joints`.
    pub fn declare(d: &mut Declaration<'_>, joints: &[String], kind: GripperKind) -> Self {
        let joint: String = d.required("joint", "The joint that is the gripper.");
        if d.has("joint") && !joints.contains(&joint) {
            let expected = format!("it must be one of the arm's: {}", joints.join(", "));
            d.refuse("joint", Value::String(joint.clone()), expected);
        }
        Self {
            autostart: common::autostart(d),
            kind,
            joint,
            action_monitor_rate_hz: d.number_in(
                "action_monitor_rate",
                20.0,
                0.1..=2000.0,
                "How often feedback is sent to action clients (Hz).",
            ),
            allow_stalling: d.or(
                "allow_stalling",
                false,
                "Whether a goal that ends at an object has succeeded.",
            ),
            rules: GripperRules::declare(d, kind),
        }
    }
}

impl GripperRules {
    fn declare(d: &mut Declaration<'_>, kind: GripperKind) -> Self {
        let any = 0.0..=f64::INFINITY;
        let (max_effort, max_velocity) = match kind {
            GripperKind::Command => {
                let about =
                    "Greatest effort of goals that bring none (N m or N); 0 for the servo's own limit.";
                (d.number_in("max_effort", 0.0, any.clone(), about), 0.0)
            }
            GripperKind::Parallel => parallel(d),
        };
        Self {
            goal_tolerance: d.number_in(
                "goal_tolerance",
                0.01,
                any.clone(),
                "A joint this near its goal has reached it (rad or m).",
            ),
            stall_velocity_threshold: d.number_in(
                "stall_velocity_threshold",
                0.001,
                any.clone(),
                "A joint that nears its goal more slowly does not move (rad/s or m/s).",
            ),
            stall_timeout_secs: d.number_in(
                "stall_timeout",
                1.0,
                any.clone(),
                "A joint that has not moved for so long is stalled (s).",
            ),
            max_effort: Some(max_effort).filter(|&effort| 0.0 < effort),
            max_velocity: Some(max_velocity).filter(|&velocity| 0.0 < velocity),
            holding_effort: Some(d.number_in(
                "holding_effort",
                0.0,
                any,
                "Effort that holds an object after a goal without one (N m or N); 0 for a quarter of the joint's.",
            ))
            .filter(|&effort| 0.0 < effort),
        }
    }
}

/// Greatest effort and velocity; as upstream, the defaults count where an interface for them is named.
fn parallel(d: &mut Declaration<'_>) -> (f64, f64) {
    let any = 0.0..=f64::INFINITY;
    let both = vec!["position".to_owned(), "velocity".to_owned()];
    let _measured_anyway: Vec<String> =
        d.or("state_interfaces", both, "What is measured; accepted as other files have it.");
    let mut limit = |name: &str, default: f64, about: &'static str, about_interface: &'static str| {
        let interface: String = d.or(&format!("{name}_interface"), String::new(), about_interface);
        let value = d.number_in(name, default, any.clone(), about);
        if interface.is_empty() { 0.0 } else { value }
    };
    let effort = limit(
        "max_effort",
        10.0,
        "Greatest effort of goals that bring none (N m or N); counts where max_effort_interface is set.",
        "Any name makes max_effort count.",
    );
    let velocity = limit(
        "max_velocity",
        0.1,
        "Greatest speed of goals that bring none (rad/s or m/s); counts where max_velocity_interface is set.",
        "Any name makes max_velocity count.",
    );
    (effort, velocity)
}

#[cfg(test)]
mod tests {
    use super::super::parameters::Parameters;
    use super::*;

    fn read(entries: &[(&str, Value)], kind: GripperKind) -> Result<GripperConfig, String> {
        let given: Parameters =
            entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let mut declaration = Declaration::new(&given);
        let joints = ["wrist".to_owned(), "jaw".to_owned()];
        let config = GripperConfig::declare(&mut declaration, &joints, kind);
        match declaration.finish().1.first() {
            Some(error) => Err(error.to_string()),
            None => Ok(config),
        }
    }

    fn jaw() -> (&'static str, Value) {
        ("joint", Value::String("jaw".into()))
    }

    #[test]
    fn the_defaults_are_upstreams() {
        for kind in [GripperKind::Command, GripperKind::Parallel] {
            let config = read(&[jaw()], kind).unwrap();
            assert_eq!((config.action_monitor_rate_hz, config.allow_stalling), (20.0, false));
            let GripperRules { goal_tolerance, stall_velocity_threshold, stall_timeout_secs, .. } =
                config.rules;
            assert_eq!((goal_tolerance, stall_velocity_threshold, stall_timeout_secs), (0.01, 0.001, 1.0));
            assert_eq!((config.rules.max_effort, config.rules.max_velocity), (None, None));
        }
    }

    #[test]
    fn a_parallel_grippers_defaults_count_where_their_interface_is_named() {
        let interface = |name| (name, Value::String("jaw/any".into()));
        let both = [jaw(), interface("max_effort_interface"), interface("max_velocity_interface")];
        let rules = read(&both, GripperKind::Parallel).unwrap().rules;
        assert_eq!((rules.max_effort, rules.max_velocity), (Some(10.0), Some(0.1)));
    }

    #[test]
    fn a_joint_that_is_missing_or_not_the_arms_is_named() {
        assert!(read(&[], GripperKind::Command).unwrap_err().contains("`joint` is missing"));
        let error = read(&[("joint", Value::String("jww".into()))], GripperKind::Command).unwrap_err();
        assert!(error.contains("\"jww\"") && error.contains("wrist, jaw"), "{error}");
    }

    #[test]
    fn a_type_of_ros2_control_says_which_action() {
        let of_type = GripperKind::of_type;
        assert_eq!(of_type("position_controllers/GripperActionController"), Some(GripperKind::Command));
        let parallel = "parallel_gripper_action_controller/GripperActionController";
        assert_eq!(of_type(parallel), Some(GripperKind::Parallel));
        assert_eq!(of_type("joint_trajectory_controller/JointTrajectoryController"), None);
    }
}
