use super::super::parameters::{self, Parameters};
use super::super::{Config, Part};
use super::*;

/// What `yaml` makes of the controller `name`, where the rest of the arm is as it must be.
fn load(name: &str, yaml: &str) -> Result<Config, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), yaml).unwrap();
    let mut given = parameters::read(file.path(), &format!("/{name}")).unwrap();
    given.entry("urdf".into()).or_insert(Value::String("arm.urdf".into()));
    Config::new(&given, &[Part::Controller]).map_err(|error| error.to_string())
}

fn with(entries: &[(&str, Value)]) -> Result<Config, String> {
    let mut given: Parameters = Parameters::new();
    given.insert("urdf".into(), Value::String("arm.urdf".into()));
    given.insert("joints".into(), strings(&["a", "b"]));
    given.extend(entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    Config::new(&given, &[Part::Controller]).map_err(|error| error.to_string())
}

fn strings(items: &[&str]) -> Value {
    Value::StringArray(items.iter().map(|&item| item.to_owned()).collect())
}

#[test]
fn the_documented_example_of_upstream_loads_as_it_is() {
    let config = load(
        "joint_trajectory_controller",
        r#"
controller_manager:
  ros__parameters:
    joint_trajectory_controller:
      type: "joint_trajectory_controller/JointTrajectoryController"

joint_trajectory_controller:
  ros__parameters:
    joints:
      - joint1
      - joint2
      - joint3
      - joint4
      - joint5
      - joint6

    command_interfaces:
      - position

    state_interfaces:
      - position
      - velocity

    action_monitor_rate: 20.0

    allow_partial_joints_goal: false
    interpolate_from_desired_state: true
    constraints:
      stopped_velocity_tolerance: 0.01
      goal_time: 0.0
      joint1:
        trajectory: 0.05
        goal: 0.03
"#,
    )
    .unwrap();
    assert_eq!(config.arm.joints.len(), 6);
    assert_eq!(config.controller.tolerances[0], JointTolerance { path: 0.05, goal: 0.03 });
    assert_eq!(config.controller.tolerances[5], JointTolerance::default());
    assert_eq!(config.remarks.len(), 1, "{:?}", config.remarks);
    assert!(config.remarks[0].contains("`interpolate_from_desired_state`"), "{:?}", config.remarks);
}

#[test]
fn a_file_for_an_industrial_arm_with_what_older_versions_had_loads() {
    let config = load(
        "scaled_joint_trajectory_controller",
        "
scaled_joint_trajectory_controller:
  ros__parameters:
    joints: [shoulder_pan_joint, shoulder_lift_joint, elbow_joint, wrist_1_joint, wrist_2_joint, wrist_3_joint]
    command_interfaces: [position]
    state_interfaces: [position, velocity]
    state_publish_rate: 100.0
    action_monitor_rate: 20.0
    allow_partial_joints_goal: false
    open_loop_control: false
    constraints:
      stopped_velocity_tolerance: 0.2
      goal_time: 0.0
      shoulder_pan_joint: {trajectory: 0.2, goal: 0.1}
      shoulder_lift_joint: {trajectory: 0.2, goal: 0.1}
      elbow_joint: {trajectory: 0.2, goal: 0.1}
      wrist_1_joint: {trajectory: 0.2, goal: 0.1}
      wrist_2_joint: {trajectory: 0.2, goal: 0.1}
      wrist_3_joint: {trajectory: 0.2, goal: 0.1}
    speed_scaling_interface_name: speed_scaling/speed_scaling_factor
",
    )
    .unwrap();
    assert_eq!(config.controller.tolerances, vec![JointTolerance { path: 0.2, goal: 0.1 }; 6]);
    let told: Vec<_> = config.remarks.iter().filter_map(|remark| remark.split('`').nth(1)).collect();
    assert_eq!(told, ["state_publish_rate", "speed_scaling_interface_name"], "defaults are no remarks");
}

#[test]
fn a_file_for_a_seven_joint_arm_with_gains_and_an_own_thread_loads() {
    let config = load(
        "panda_arm_controller",
        "
panda_arm_controller:
  ros__parameters:
    type: joint_trajectory_controller/JointTrajectoryController
    update_rate: 500
    is_async: true
    async_parameters: {thread_priority: 50, cpu_affinity: [2, 4]}
    command_interfaces: [position, velocity, acceleration]
    state_interfaces: [position, velocity, acceleration]
    joints:
      - panda_joint1
      - panda_joint2
      - panda_joint3
      - panda_joint4
      - panda_joint5
      - panda_joint6
      - panda_joint7
    set_last_command_interface_value_as_state_on_activation: false
    allow_nonzero_velocity_at_trajectory_end: true
    allow_integration_in_goal_trajectories: true
    gains:
      panda_joint1: {p: 600, d: 30.0, i: 0, i_clamp: 1, ff_velocity_scale: 1.0}
      panda_joint7: {p: 50.0, u_clamp_max: .inf, antiwindup_strategy: legacy, angle_wraparound: false}
    constraints:
      goal_time: 0.5
      decelerate_on_cancel: true
      panda_joint1: {goal: 0.05, max_deceleration_on_cancel: 4}
",
    )
    .unwrap();
    let controller = &config.controller;
    assert!(controller.allow_nonzero_velocity_at_trajectory_end && controller.decelerate_on_cancel);
    assert!(controller.allow_integration_in_goal_trajectories);
    assert_eq!(controller.max_deceleration[..2], [Some(4.0), None]);
    let told = config.remarks.join("\n");
    for sentence in [
        "parameter `gains.panda_joint1.p` has no meaning for position-controlled servos; it is ignored",
        "parameter `command_interfaces`: without effect are velocity, acceleration, because servos are commanded by position",
        "parameter `state_interfaces`: without effect are acceleration, because servos measure position and velocity",
        "parameter `is_async` has no meaning here, because controllers run with the arm, at `update_rate_hz`",
        "parameter `async_parameters.cpu_affinity` has no meaning here",
    ] {
        assert!(told.contains(sentence), "{sentence}\n{told}");
    }
    let gains = config.remarks.iter().filter(|remark| remark.contains("`gains."));
    assert_eq!(gains.count(), 7, "all but the two that are defaults");
}

#[test]
fn a_file_with_everything_that_upstream_has_for_a_small_arm_loads() {
    let config = load(
        "arm_controller",
        "
/**:
  ros__parameters:
    joints: [shoulder_pan, shoulder_lift, elbow_flex, wrist_flex, wrist_roll]
arm_controller:
  ros__parameters:
    command_joints: [shoulder_lift, shoulder_pan, elbow_flex, wrist_flex]
    speed_scaling: {initial_scaling_factor: 0.5, state_interface: '', command_interface: ''}
    allow_partial_joints_goal: true
    allow_trajectory_replacement: false
    interpolation_method: none
    positions_upsampling: {enable: true, policy_frequency: 30.0}
    cmd_timeout: 3
    action_monitor_rate: 200.0
    trajectory_limits: reject
    constraints:
      stopped_velocity_tolerance: 0.05
      goal_time: 1.0
      shoulder_pan: {trajectory: -1.0, goal: 0.05}
",
    )
    .unwrap();
    let controller = &config.controller;
    assert_eq!(controller.commanded, [true, true, true, true, false]);
    assert_eq!(controller.initial_speed_scaling, 0.5);
    assert!(controller.allow_partial_joints_goal && !controller.allow_trajectory_replacement);
    assert_eq!(controller.interpolation, Interpolation::None);
    assert_eq!(controller.upsampling, Some(30.0));
    assert_eq!(controller.cmd_timeout_secs, Some(3.0));
    assert_eq!(controller.action_monitor_rate_hz, 200.0);
    assert_eq!(controller.limits_policy, LimitsPolicy::Reject);
    assert_eq!(controller.tolerances[0], JointTolerance { path: 0.0, goal: 0.05 });
}

#[test]
fn defaults_are_those_of_upstream() {
    let Config { controller, remarks, declared, .. } = with(&[]).unwrap();
    assert_eq!(
        controller,
        ControllerConfig {
            autostart: true,
            commanded: vec![true, true],
            initial_speed_scaling: 1.0,
            allow_partial_joints_goal: false,
            allow_trajectory_replacement: true,
            starts_from_last_command: true,
            allow_integration_in_goal_trajectories: false,
            allow_nonzero_velocity_at_trajectory_end: false,
            action_monitor_rate_hz: 20.0,
            interpolation: Interpolation::Splines,
            upsampling: None,
            limits_policy: LimitsPolicy::Retime,
            cmd_timeout_secs: None,
            stopped_velocity_tolerance: 0.01,
            goal_time_secs: 0.0,
            decelerate_on_cancel: false,
            tolerances: vec![JointTolerance::default(); 2],
            max_deceleration: vec![None; 2],
        }
    );
    assert_eq!(remarks, Vec::<String>::new());
    assert_eq!(declared["gains.a.u_clamp_max"].value, Some(Value::Double(f64::INFINITY)));
    assert_eq!(declared["positions_upsampling.enable"].value, Some(Value::Bool(false)));
}

#[test]
fn what_may_change_at_run_time_is_what_upstream_lets_change() {
    let declared = with(&[]).unwrap().declared;
    let mut changeable: Vec<_> = declared
        .iter()
        .filter(|(name, declared)| declared.changeable && !name.starts_with("gains."))
        .map(|(name, _)| name.as_str())
        .collect();
    changeable.sort_unstable();
    assert_eq!(
        changeable,
        [
            "allow_integration_in_goal_trajectories",
            "allow_nonzero_velocity_at_trajectory_end",
            "allow_partial_joints_goal",
            "allow_trajectory_replacement",
            "cmd_timeout",
            "constraints.a.goal",
            "constraints.a.trajectory",
            "constraints.b.goal",
            "constraints.b.trajectory",
            "constraints.goal_time",
            "constraints.stopped_velocity_tolerance",
            "positions_upsampling.policy_frequency",
            "set_last_command_interface_value_as_state_on_activation",
            "trajectory_limits",
        ]
    );
    assert!(declared.iter().all(|(name, declared)| declared.changeable || !name.starts_with("gains.")));
}

#[test]
fn what_servos_cannot_do_is_refused_and_the_sentence_says_what_would_be_right() {
    for (name, value, expected) in [
        ("command_interfaces", strings(&["velocity"]), "servos take positions: it must be [position]"),
        ("command_interfaces", strings(&["effort"]), "servos take positions"),
        ("command_interfaces", strings(&[]), "servos take positions"),
        ("command_interfaces", strings(&["position", "torque"]), "servos take positions"),
        ("command_interfaces", strings(&["position", "position"]), "position is named twice"),
        ("state_interfaces", strings(&["velocity"]), "[position, velocity]"),
        ("state_interfaces", strings(&["position", "acceleration"]), "[position, velocity]"),
        ("state_interfaces", strings(&["position", "effort"]), "[position, velocity]"),
        ("command_joints", strings(&["a", "c"]), "`c` is not one of `joints`, which are a, b"),
        ("command_joints", strings(&["a", "a"]), "`a` is named twice"),
        (
            "type",
            Value::String("diff_drive_controller/DiffDriveController".into()),
            "JointTrajectoryController",
        ),
        ("interpolation_method", Value::String("linear".into()), "one of \"splines\", \"none\""),
        ("action_monitor_rate", Value::Double(0.05), "from 0.1 to 2000"),
        ("speed_scaling.initial_scaling_factor", Value::Double(-1.0), "at least 0"),
        ("positions_upsampling.policy_frequency", Value::Double(-1.0), "at least 0"),
        ("constraints.goal_time", Value::Double(-0.5), "at least 0"),
        ("constraints.a.goal", Value::Double(f64::NAN), "a finite number"),
        ("constraints.a.max_deceleration_on_cancel", Value::Double(-1.0), "at least 0"),
        ("gains.a.antiwindup_strategy", Value::String("some".into()), "back_calculation"),
        ("gains.a.p", Value::String("high".into()), "it must be a double"),
        ("joints", strings(&["a", "a"]), "`a` is named twice"),
    ] {
        let error = with(&[(name, value)]).unwrap_err();
        assert!(error.contains(&format!("parameter `{name}` is")) && error.contains(expected), "{error}");
    }
}

#[test]
fn interfaces_beside_position_are_accepted_in_any_order() {
    for list in
        [&["velocity", "position"][..], &["position", "effort"], &["position", "acceleration", "velocity"]]
    {
        let config = with(&[("command_interfaces", strings(list))]).unwrap();
        assert_eq!(config.remarks.len(), 1, "{list:?}");
    }
    let config = with(&[("state_interfaces", strings(&["velocity", "position"]))]).unwrap();
    assert_eq!(config.remarks, Vec::<String>::new());
}

#[test]
fn a_command_timeout_within_the_goal_time_is_ignored_and_said_so() {
    let entries = [("cmd_timeout", Value::Double(0.5)), ("constraints.goal_time", Value::Double(0.5))];
    let config = with(&entries).unwrap();
    assert_eq!(config.controller.cmd_timeout_secs, None);
    assert_eq!(
        config.remarks,
        ["parameter `cmd_timeout` is 0.5; it is ignored, because it is not greater than \
          `constraints.goal_time`, which is 0.5"]
    );
}
