"""Parameters by the names, types and defaults of joint_trajectory_controller; some may change at run time."""

import contextlib
import math
import pathlib

import pytest
import yaml

from arm import CONFIG, Client
from conftest import own_domain
from harness import EXECUTABLES, Process
from jtc import ARM_JOINTS, CONTROLLER, assert_aborted, assert_reached, get_parameter, motion, try_to_set

pytest.importorskip("rclpy", reason="rclpy is not importable")

from control_msgs.action import FollowJointTrajectory  # noqa: E402
from rcl_interfaces.srv import DescribeParameters, ListParameters  # noqa: E402

Code = FollowJointTrajectory.Result
# What upstream declares, with its defaults: on jazzy, on master, and for each joint.
DEFAULTS: dict[str, object] = {
    "command_joints": [],
    "allow_partial_joints_goal": False,
    "open_loop_control": False,
    "interpolate_from_desired_state": False,
    "allow_integration_in_goal_trajectories": False,
    "set_last_command_interface_value_as_state_on_activation": True,
    "action_monitor_rate": 20.0,
    "interpolation_method": "splines",
    "allow_nonzero_velocity_at_trajectory_end": False,
    "cmd_timeout": 0.0,
    "speed_scaling.initial_scaling_factor": 1.0,
    "speed_scaling.state_interface": "",
    "speed_scaling.command_interface": "",
    "constraints.stopped_velocity_tolerance": 0.01,
    "constraints.goal_time": 0.0,
    "constraints.decelerate_on_cancel": False,
    "allow_trajectory_replacement": True,
    "positions_upsampling.enable": False,
    "positions_upsampling.policy_frequency": 0.0,
}
OF_EACH_JOINT: dict[str, object] = {
    "constraints.{}.trajectory": 0.0,
    "constraints.{}.goal": 0.0,
    "constraints.{}.max_deceleration_on_cancel": 0.0,
    "gains.{}.p": 0.0,
    "gains.{}.i": 0.0,
    "gains.{}.d": 0.0,
    "gains.{}.ff_velocity_scale": 0.0,
    "gains.{}.u_clamp_max": math.inf,
    "gains.{}.u_clamp_min": -math.inf,
    "gains.{}.i_clamp_max": math.inf,
    "gains.{}.i_clamp_min": -math.inf,
    "gains.{}.antiwindup_strategy": "none",
    "gains.{}.tracking_time_constant": 0.0,
    "gains.{}.error_deadband": 0.0,
}
READ_ONLY = {
    "joints": ["elbow_flex"],
    "command_joints": ["elbow_flex"],
    "command_interfaces": ["velocity"],
    "state_interfaces": ["position"],
    "action_monitor_rate": 30.0,
    "interpolation_method": "none",
    "speed_scaling.initial_scaling_factor": 0.5,
    "constraints.decelerate_on_cancel": True,
    "constraints.elbow_flex.max_deceleration_on_cancel": 3.0,
    "positions_upsampling.enable": True,
}
CHANGEABLE = {
    "allow_partial_joints_goal": False,
    "allow_integration_in_goal_trajectories": True,
    "allow_nonzero_velocity_at_trajectory_end": True,
    "allow_trajectory_replacement": False,
    "set_last_command_interface_value_as_state_on_activation": False,
    "cmd_timeout": 7.5,
    "constraints.goal_time": 2.5,
    "constraints.stopped_velocity_tolerance": 0.3,
    "constraints.elbow_flex.trajectory": 0.7,
    "constraints.elbow_flex.goal": 0.07,
    "gains.elbow_flex.p": 3.0,
    "positions_upsampling.policy_frequency": 25.0,
    "trajectory_limits": "reject",
}
WRONG = {
    "constraints.goal_time": (-1.0, "-1"),
    "positions_upsampling.policy_frequency": (-5.0, "-5"),
    "trajectory_limits": ("never", "never"),
    "allow_partial_joints_goal": (3.5, "bool"),
    "constraints.elbow_flex.goal": ("narrow", "narrow"),
}


# What a controller is not started with, and what the refusal names.
NOT_STARTED: dict[str, tuple[dict, list[str]]] = {
    "more command joints": ({"command_joints": [*ARM_JOINTS, "elbow"]}, ["command_joints", "elbow"]),
    "other command joints": ({"command_joints": ["elbow_flex", "elbow"]}, ["command_joints", "elbow"]),
    "an unknown command interface": ({"command_interfaces": ["angle"]}, ["command_interfaces", "angle"]),
    "an unknown state interface": ({"state_interfaces": ["position", "angle"]}, ["state_interfaces", "angle"]),
    "velocity commands": ({"command_interfaces": ["velocity"]}, ["command_interfaces", "position"]),
    "no velocity beside acceleration": (
        {"state_interfaces": ["position", "acceleration"]},
        ["state_interfaces", "velocity"],
    ),
    "a joint twice": ({"joints": ["elbow_flex", "elbow_flex"]}, ["joints", "elbow_flex"]),
    "another interpolation": ({"interpolation_method": "cubic"}, ["interpolation_method", "cubic", "splines"]),
    "a slow monitor": ({"action_monitor_rate": 0.01}, ["action_monitor_rate", "0.01"]),
    "a negative goal time": ({"constraints": {"goal_time": -1.0}}, ["constraints.goal_time", "-1"]),
    "a negative deceleration": (
        {"constraints": {"elbow_flex": {"max_deceleration_on_cancel": -1.0}}},
        ["constraints.elbow_flex.max_deceleration_on_cancel", "-1"],
    ),
    "a negative factor": (
        {"speed_scaling": {"initial_scaling_factor": -0.5}},
        ["speed_scaling.initial_scaling_factor", "-0.5"],
    ),
}


def file_with(folder: pathlib.Path, **parameters: object) -> pathlib.Path:
    """The shipped file, but of the controller it says nothing but its joints and these."""
    config = yaml.safe_load(CONFIG.read_text())
    config[CONTROLLER]["ros__parameters"] = {"joints": ARM_JOINTS, **parameters}
    path = folder / "controller.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture(scope="module")
def unset(private_ros, tmp_path_factory):
    """A client beside a controller whose file says nothing but its joints."""
    path = file_with(tmp_path_factory.mktemp("unset"))
    with own_domain(), contextlib.closing(Client()) as client:
        with Process(EXECUTABLES / "controller_node", "--ros-args", "--params-file", path):
            yield client


@pytest.mark.parametrize("case", NOT_STARTED)
def test_a_controller_does_not_start_with_what_it_cannot_do_and_says_why(ros_domain, tmp_path, case: str):
    parameters, named = NOT_STARTED[case]
    path = file_with(tmp_path, **parameters)
    with Process(EXECUTABLES / "controller_node", "--ros-args", "--params-file", path) as node:
        assert node.wait(10.0) > 0
    [line] = node.lines
    assert all(word in line for word in named), line


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_parameter_has_upstreams_default(unset, name: str):
    value = get_parameter(unset, name)
    assert value is not None and type(value) is not str or isinstance(DEFAULTS[name], str)
    assert (list(value) if isinstance(DEFAULTS[name], list) else value) == DEFAULTS[name]


@pytest.mark.parametrize("name", OF_EACH_JOINT)
def test_a_parameter_of_each_joint_has_upstreams_default(unset, name: str):
    for joint in ARM_JOINTS:
        assert get_parameter(unset, name.format(joint)) == OF_EACH_JOINT[name]


def test_joints_and_interfaces_are_those_of_the_arm(unset):
    assert list(get_parameter(unset, "joints")) == ARM_JOINTS
    assert list(get_parameter(unset, "command_interfaces")) == ["position"]
    assert list(get_parameter(unset, "state_interfaces")) == ["position", "velocity"]


def test_every_parameter_says_what_it_is_for_and_whether_it_may_change(jtc):
    names = list(jtc.client.call(ListParameters, f"{CONTROLLER}/list_parameters").result.names)
    answer = jtc.client.call(DescribeParameters, f"{CONTROLLER}/describe_parameters", names=names)
    described = {descriptor.name: descriptor for descriptor in answer.descriptors}
    assert set(CHANGEABLE) | set(READ_ONLY) <= set(described)
    assert all(descriptor.description.endswith(".") for descriptor in described.values())
    assert {name for name in CHANGEABLE if described[name].read_only} == set()
    assert {name for name in READ_ONLY if not described[name].read_only} == set()


@pytest.mark.parametrize("name", CHANGEABLE)
def test_a_parameter_may_change_at_run_time(jtc, name: str):
    wanted, before = CHANGEABLE[name], get_parameter(jtc.client, name)
    assert wanted != before
    try:
        answer = try_to_set(jtc.client, name, wanted)
        assert answer.successful, answer.reason
        assert get_parameter(jtc.client, name) == wanted
    finally:
        assert try_to_set(jtc.client, name, before).successful
    assert get_parameter(jtc.client, name) == before


@pytest.mark.parametrize("name", READ_ONLY)
def test_a_parameter_that_is_read_only_says_so(jtc, name: str):
    before = get_parameter(jtc.client, name)
    answer = try_to_set(jtc.client, name, READ_ONLY[name])
    assert not answer.successful
    assert name in answer.reason and "read-only" in answer.reason
    assert get_parameter(jtc.client, name) == before


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_keeps_the_old_one_and_says_why(jtc, name: str):
    value, named = WRONG[name]
    before = get_parameter(jtc.client, name)
    answer = try_to_set(jtc.client, name, value)
    assert not answer.successful
    assert name in answer.reason and named in answer.reason, answer.reason
    assert get_parameter(jtc.client, name) == before


def test_a_parameter_that_there_is_not_is_named(jtc):
    answer = try_to_set(jtc.client, "constraints.goal_tim", 1.0)
    assert not answer.successful and "constraints.goal_tim" in answer.reason


def test_a_change_counts_for_the_next_goal(jtc):
    some = motion((0.2, 0.1), joints=["elbow_flex"])
    with jtc.parameters(allow_partial_joints_goal=True):
        assert_reached(jtc.send(some).result())
    with jtc.parameters(allow_partial_joints_goal=False):
        assert_aborted(jtc.send(some).result(), Code.INVALID_JOINTS, "Joints on incoming trajectory")


def test_a_change_leaves_the_goal_under_way_as_it_was(jtc):
    """Its tolerances are those that it was accepted with."""
    jtc.control.ask("block id=1 at=0.1rad")
    without = {"constraints__shoulder_pan__trajectory": 0.0, "constraints__shoulder_pan__goal": 0.0}
    with jtc.parameters(**without):
        goal = jtc.send(motion((0.8, 0.5, 0.0)))
        jtc.wait_until_beyond(0.05)
        with jtc.parameters(constraints__shoulder_pan__trajectory=0.01):
            assert_reached(goal.result())
