//! What the controller manager must know: which controllers there are. The names are those of ros2_control's YAML.
//!
//! `<controller>.type` names a controller. What else such a file says of upstream's manager is taken without meaning.

use super::common;
use super::declaration::Declaration;
use super::parameters::Value;

/// The configuration of `controller_manager`.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagerConfig {
    /// The rate that the file has for upstream's manager (Hz); the arm's own is `update_rate_hz`.
    pub update_rate_hz: Option<i64>,
    /// The controllers that move joints, by name.
    pub controllers: Vec<ControllerEntry>,
    /// What the hardware's joint states are listed as.
    pub broadcaster: String,
    /// Controllers of types that there are not here.
    pub foreign: Vec<ForeignController>,
    /// Names of parameters that were given and mean nothing here.
    pub without_meaning: Vec<String>,
}

/// One controller that is to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerEntry {
    /// Its name, and that of its node.
    pub name: String,
    /// What it does.
    pub kind: ControllerKind,
}

/// A controller that only upstream has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignController {
    /// Its name.
    pub name: String,
    /// Its type.
    pub type_name: String,
}

/// The controllers that there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControllerKind {
    /// Follows trajectories.
    JointTrajectory,
    /// Closes and opens a gripper, by the action `GripperCommand`.
    Gripper,
    /// Closes and opens a gripper, by the action `ParallelGripperCommand`.
    ParallelGripper,
    /// Publishes joint states.
    JointStateBroadcaster,
}

impl ControllerKind {
    /// Every kind.
    pub const ALL: [Self; 4] =
        [Self::JointTrajectory, Self::Gripper, Self::ParallelGripper, Self::JointStateBroadcaster];

    /// The type as upstream's tools know it.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::JointTrajectory => "joint_trajectory_controller/JointTrajectoryController",
            Self::Gripper => "position_controllers/GripperActionController",
            Self::ParallelGripper => "parallel_gripper_action_controller/GripperActionController",
            Self::JointStateBroadcaster => "joint_state_broadcaster/JointStateBroadcaster",
        }
    }

    fn of(type_name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_name() == type_name)
    }
}

/// The controller where none is named.
const DEFAULT_CONTROLLER: &str = "arm_controller";
const DEFAULT_BROADCASTER: &str = "joint_state_broadcaster";

/// What a controller's entry may have besides `type`; its parameters are its node's.
const OF_EACH: [&str; 3] = ["params_file", "fallback_controllers", "node_options_args"];
const WITHOUT_MEANING: [&str; 5] =
    ["enforce_command_limits", "handle_exceptions", "lock_memory", "cpu_affinity", "thread_priority"];
const GROUPS_WITHOUT_MEANING: [&str; 5] =
    ["hardware_components_initial_state", "defaults", "diagnostics", "overruns", "hardware_synchronization"];

impl ManagerConfig {
    /// Declares and reads the parameters of the manager.
    ///
    /// Controllers are looked for among the given names whose first part `is_free`, no group of another node.
    pub fn declare(declaration: &mut Declaration<'_>, is_free: impl Fn(&str) -> bool) -> Self {
        let d = declaration;
        common::use_sim_time(d);
        let update_rate_hz =
            d.optional("update_rate", "Rate of upstream's manager; here it is update_rate_hz (Hz).");
        if let Some(rate) = update_rate_hz.filter(|rate| *rate < 1) {
            d.refuse("update_rate", Value::Integer(rate), "it must be at least 1");
        }
        let without_meaning = accept_others(d, &is_free);
        let mut config = Self {
            update_rate_hz,
            controllers: Vec::new(),
            broadcaster: DEFAULT_BROADCASTER.to_owned(),
            foreign: Vec::new(),
            without_meaning,
        };
        for name in names_of_controllers(d, &is_free) {
            let type_name: String = d.required(&format!("{name}.type"), "The controller's type.");
            config.take(name, type_name);
        }
        config.look_for_controllers(d);
        config
    }

    fn take(&mut self, name: String, type_name: String) {
        match ControllerKind::of(&type_name) {
            Some(ControllerKind::JointStateBroadcaster) => self.broadcaster = name,
            Some(kind) => self.controllers.push(ControllerEntry { name, kind }),
            None => self.foreign.push(ForeignController { name, type_name }),
        }
    }

    /// Some controller there must be: that of the file, or the default where it has none.
    fn look_for_controllers(&mut self, d: &mut Declaration<'_>) {
        if !self.controllers.is_empty() {
            return;
        }
        if let Some(ForeignController { name, type_name }) = self.foreign.first() {
            let types: Vec<_> = ControllerKind::ALL.map(ControllerKind::type_name).to_vec();
            let expected = format!("it must be one of {}", types.join(", "));
            d.refuse(&format!("{name}.type"), Value::String(type_name.clone()), expected);
            return;
        }
        let kind = ControllerKind::JointTrajectory;
        d.or(&format!("{DEFAULT_CONTROLLER}.type"), kind.type_name().to_owned(), "The controller's type.");
        self.controllers.push(ControllerEntry { name: DEFAULT_CONTROLLER.to_owned(), kind });
    }
}

/// Every name that has something only controllers have.
fn names_of_controllers(d: &Declaration<'_>, is_free: impl Fn(&str) -> bool) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, rest) in d.given_names().filter_map(|name| name.split_once('.')) {
        let is_entry = rest == "type" || OF_EACH.contains(&rest);
        let is_new = names.last().is_none_or(|last| last != name);
        if is_entry && is_new && is_free(name) && !GROUPS_WITHOUT_MEANING.contains(&name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Takes what only upstream's manager uses; gives the names.
fn accept_others(d: &mut Declaration<'_>, is_free: impl Fn(&str) -> bool) -> Vec<String> {
    let is_other = |name: &&str| match name.split_once('.') {
        None => WITHOUT_MEANING.contains(name),
        Some((group, rest)) => {
            is_free(group) && (GROUPS_WITHOUT_MEANING.contains(&group) || OF_EACH.contains(&rest))
        }
    };
    let names: Vec<String> = d.given_names().filter(is_other).map(ToOwned::to_owned).collect();
    for name in &names {
        d.accept(name, "Of upstream's manager; without meaning here.");
    }
    names
}

#[cfg(test)]
mod tests {
    use super::super::declaration::ParameterError;
    use super::super::parameters::Parameters;
    use super::*;

    fn read(given: &[(&str, Value)]) -> (ManagerConfig, Vec<ParameterError>) {
        let given: Parameters =
            given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let mut declaration = Declaration::new(&given);
        let config = ManagerConfig::declare(&mut declaration, |group| group != "servos");
        (config, declaration.finish().1)
    }

    fn text(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    fn entry(name: &str, kind: ControllerKind) -> ControllerEntry {
        ControllerEntry { name: name.to_owned(), kind }
    }

    #[test]
    fn without_parameters_there_is_one_trajectory_controller() {
        let (config, errors) = read(&[]);
        assert_eq!(errors, []);
        assert_eq!(config.controllers, [entry("arm_controller", ControllerKind::JointTrajectory)]);
        assert_eq!(config.broadcaster, "joint_state_broadcaster");
    }

    #[test]
    fn a_file_of_ros2_control_names_the_controllers() {
        let (config, errors) = read(&[
            ("update_rate", Value::Integer(100)),
            ("left_arm.type", text("joint_trajectory_controller/JointTrajectoryController")),
            ("left_arm.params_file", text("/tmp/left_arm.yaml")),
            ("hand.type", text("position_controllers/GripperActionController")),
            ("soft_hand.type", text("parallel_gripper_action_controller/GripperActionController")),
            ("states.type", text("joint_state_broadcaster/JointStateBroadcaster")),
            ("forward.type", text("forward_command_controller/ForwardCommandController")),
            ("defaults.switch_controller.strictness", text("strict")),
            ("thread_priority", Value::Integer(50)),
        ]);
        assert_eq!(errors, []);
        assert_eq!(config.update_rate_hz, Some(100));
        let expected = [
            entry("hand", ControllerKind::Gripper),
            entry("left_arm", ControllerKind::JointTrajectory),
            entry("soft_hand", ControllerKind::ParallelGripper),
        ];
        assert_eq!(config.controllers, expected);
        assert_eq!(config.broadcaster, "states");
        assert_eq!(config.foreign[0].name, "forward");
        let without_meaning =
            ["defaults.switch_controller.strictness", "left_arm.params_file", "thread_priority"];
        assert_eq!(config.without_meaning, without_meaning);
    }

    #[test]
    fn a_group_of_another_node_is_no_controller() {
        let (config, _) =
            read(&[("servos.type", text("joint_trajectory_controller/JointTrajectoryController"))]);
        assert_eq!(config.controllers, [entry("arm_controller", ControllerKind::JointTrajectory)]);
    }

    #[test]
    fn what_cannot_be_is_named() {
        let (_, errors) = read(&[("arm.type", text("joint_trajectory_controller/Joint"))]);
        assert!(
            errors[0].to_string().contains("`arm.type` is \"joint_trajectory_controller/Joint\""),
            "{errors:?}"
        );
        let (_, errors) = read(&[("arm.params_file", text("arm.yaml"))]);
        assert!(errors[0].to_string().contains("`arm.type` is missing"), "{errors:?}");
        let (_, errors) = read(&[("update_rate", Value::Integer(0))]);
        assert!(errors[0].to_string().contains("at least 1"), "{errors:?}");
    }
}
