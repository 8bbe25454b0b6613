"""Parameters that change while the nodes run, as an rclpy client and the calls behind `ros2 param` see them."""

import pathlib
from contextlib import closing

import pytest

from arm import ARM_JOINTS, FOLLOW, SHAPES, Client, to, trajectory
from harness import EXECUTABLES, Process

pytest.importorskip("rclpy", reason="rclpy is not importable")

from control_msgs.action import FollowJointTrajectory  # noqa: E402
from rcl_interfaces.msg import Log, ParameterEvent, ParameterType  # noqa: E402
from rcl_interfaces.msg import Parameter as Message  # noqa: E402
from rcl_interfaces.srv import (  # noqa: E402
    DescribeParameters,
    GetParameters,
    GetParameterTypes,
    ListParameters,
    SetParameters,
    SetParametersAtomically,
)
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.parameter_client import AsyncParameterClient  # noqa: E402
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy  # noqa: E402

Code = FollowJointTrajectory.Result
CONTROLLER = "arm_controller"
GOAL_TIME = "constraints.goal_time"
EVENTS = "/parameter_events"

# What this file leaves other than it was would be seen by its other tests.
SHIPPED = {
    GOAL_TIME: 1.0,
    "constraints.elbow_flex.trajectory": 0.5,
    "allow_partial_joints_goal": True,
    "cmd_timeout": 0.0,
    "trajectory_limits": "retime",
}


def get(client, *names: str, node: str = CONTROLLER) -> list:
    values = client.call(GetParameters, f"{node}/get_parameters", names=list(names)).values
    return [Parameter.from_parameter_msg(Message(name="x", value=value)).value for value in values]


def messages(values: dict) -> list[Message]:
    return [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]


def set_each(client, values: dict, node: str = CONTROLLER) -> list:
    wanted = messages(values)
    return list(client.call(SetParameters, f"{node}/set_parameters", parameters=wanted).results)


def set_all(client, values: dict, node: str = CONTROLLER):
    return client.call(SetParametersAtomically, f"{node}/set_parameters_atomically", parameters=messages(values)).result


def set_one(client, name: str, value: object) -> None:
    [result] = set_each(client, {name: value})
    assert result.successful and not result.reason, result


def reason(client, name: str, value: object, node: str = CONTROLLER) -> str:
    """Why a value is refused; both ways of setting it say the same."""
    [each] = set_each(client, {name: value}, node)
    together = set_all(client, {name: value}, node)
    assert not each.successful and not together.successful
    assert each.reason == together.reason
    return each.reason


@pytest.fixture
def client(shared):
    yield shared.client
    assert set_all(shared.client, SHIPPED).successful


def describe(client, *names: str) -> list:
    return client.call(DescribeParameters, f"{CONTROLLER}/describe_parameters", names=list(names)).descriptors


def test_descriptors_say_what_may_change_and_what_values_there_may_be(client):
    goal_time, rate, limits, joints, identity = describe(
        client, GOAL_TIME, "action_monitor_rate", "trajectory_limits", "joints", "gains.wrist_roll.antiwindup_strategy"
    )
    assert [each.read_only for each in (goal_time, rate, limits, joints, identity)] == [False, True, False, True, False]
    [range_] = goal_time.floating_point_range
    assert range_.from_value == 0.0 and 1e300 < range_.to_value < float("inf")
    [range_] = rate.floating_point_range
    assert (range_.from_value, range_.to_value) == (0.1, 2000.0)
    assert limits.additional_constraints == 'one of "shorten", "reject", "retime"'
    assert "legacy" in identity.additional_constraints
    assert not joints.floating_point_range and joints.type == ParameterType.PARAMETER_STRING_ARRAY


def test_a_parameter_that_is_set_has_its_new_value(client):
    set_one(client, GOAL_TIME, 2.5)
    set_one(client, "trajectory_limits", "reject")
    assert get(client, GOAL_TIME, "trajectory_limits") == [2.5, "reject"]


def test_an_integer_is_taken_where_a_double_is_meant_and_stays_a_double(client):
    set_one(client, GOAL_TIME, 3)
    [value] = client.call(GetParameters, f"{CONTROLLER}/get_parameters", names=[GOAL_TIME]).values
    assert (value.type, value.double_value) == (ParameterType.PARAMETER_DOUBLE, 3.0)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (GOAL_TIME, -1.0, f"parameter `{GOAL_TIME}` is -1.0; it must be a number of at least 0"),
        (GOAL_TIME, "soon", f'parameter `{GOAL_TIME}` is "soon" (string); it must be a double'),
        (GOAL_TIME, float("nan"), f"parameter `{GOAL_TIME}` is NaN; it must be a number of at least 0"),
        (GOAL_TIME, [1.0], f"parameter `{GOAL_TIME}` is [1.0] (double_array); it must be a double"),
        (GOAL_TIME, None, f"parameter `{GOAL_TIME}` is given no value; it cannot be deleted"),
        ("trajectory_limits", "ignore", 'it must be one of "shorten", "reject", "retime"'),
        ("action_monitor_rate", 50.0, "parameter `action_monitor_rate` is read-only"),
        ("joints", ["gripper"], "parameter `joints` is read-only"),
        ("interpolation_method", "none", "parameter `interpolation_method` is read-only"),
        ("no_such_thing", 1.0, "there is no parameter `no_such_thing`"),
        ("torque_ramp_s", 1.0, "there is no parameter `torque_ramp_s`"),
    ],
)
def test_a_refused_value_keeps_the_old_one_and_the_reason_names_it(client, name: str, value: object, expected: str):
    before = get(client, name)
    assert expected in reason(client, name, value)
    assert get(client, name) == before


def test_the_hardware_lets_nothing_change_and_says_so(client):
    assert "`torque_ramp_s` is read-only" in reason(client, "torque_ramp_s", 1.0, node="hardware_node")
    assert get(client, "torque_ramp_s", node="hardware_node") == [0.5]


def test_each_parameter_of_a_request_is_judged_alone(client):
    results = set_each(client, {GOAL_TIME: 4.0, "joints": ["gripper"], "allow_partial_joints_goal": False})
    assert [result.successful for result in results] == [True, False, True]
    assert get(client, GOAL_TIME, "allow_partial_joints_goal") == [4.0, False]


def test_set_together_they_are_all_set_or_none(client):
    refused = set_all(client, {GOAL_TIME: 4.0, "cmd_timeout": "never"})
    assert not refused.successful and "`cmd_timeout`" in refused.reason
    assert get(client, GOAL_TIME, "cmd_timeout") == [1.0, 0.0]
    assert set_all(client, {GOAL_TIME: 4.0, "cmd_timeout": 9.0}).successful
    assert get(client, GOAL_TIME, "cmd_timeout") == [4.0, 9.0]
    assert set_all(client, {}).successful


def test_a_changed_tolerance_judges_the_next_goal(shared, client):
    shared.move_to(0.0)
    set_one(client, "constraints.elbow_flex.trajectory", 1e-6)
    result = shared.follow.send(to(0.4, 0.5)).result()
    assert result.code == Code.PATH_TOLERANCE_VIOLATED and "joint elbow_flex is off" in result.text
    set_one(client, "constraints.elbow_flex.trajectory", 0.5)
    shared.move_to(0.0)


def test_a_goal_that_runs_keeps_the_tolerance_that_it_came_with(shared, client):
    shared.move_to(0.0)
    goal = shared.follow.send(to(0.4, 1.0))
    set_one(client, "constraints.elbow_flex.trajectory", 1e-6)
    assert goal.result().code == Code.SUCCESSFUL


def test_partial_goals_are_allowed_as_the_parameter_is_now(shared, client):
    def move_one():
        return shared.follow.send(trajectory((0.3, [0.1], [0.0]), joints=["wrist_roll"])).result().code

    set_one(client, "allow_partial_joints_goal", True)
    assert move_one() == Code.SUCCESSFUL
    set_one(client, "allow_partial_joints_goal", False)
    assert move_one() != Code.SUCCESSFUL


def test_every_change_is_told_on_parameter_events(client):
    def of_controller(events: list) -> list:
        return [event for event in events if event.node == f"/{CONTROLLER}" and event.changed_parameters]

    with client.heard(ParameterEvent, EVENTS) as events:
        client.spin_until(lambda: 2 <= client.node.count_publishers(EVENTS), "both publishers")
        client.spin_for(0.5)
        set_one(client, GOAL_TIME, 2)
        assert set_all(client, {GOAL_TIME: 3.0, "cmd_timeout": 9.0}).successful
        reason(client, GOAL_TIME, -1.0)
        client.spin_until(lambda: 2 <= len(of_controller(events)), "two events")
        client.spin_for(0.3)
        changes = [
            {parameter.name: parameter.value.double_value for parameter in event.changed_parameters}
            for event in of_controller(events)
        ]
    assert changes == [{GOAL_TIME: 2.0}, {GOAL_TIME: 3.0, "cmd_timeout": 9.0}]
    event = of_controller(events)[0]
    assert event.stamp.sec > 0 and not event.new_parameters and not event.deleted_parameters


def test_parameter_events_have_the_qos_that_ros_gives_them(client):
    ends = client.node.get_publishers_info_by_topic(EVENTS)
    ours = {end.node_name: end.qos_profile for end in ends if end.node_name in (CONTROLLER, "hardware_node")}
    assert set(ours) == {CONTROLLER, "hardware_node"}
    for qos in ours.values():
        assert (qos.reliability, qos.durability) == (ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)


def test_what_is_set_in_vain_is_said_under_the_name_of_the_node(client):
    sentence = "parameter `gains.wrist_flex.p` has no meaning for position-controlled servos; it is ignored"
    with client.heard(Log, "/rosout") as logs:
        set_one(client, "gains.wrist_flex.p", 100.0)
        client.spin_until(lambda: any(log.msg == sentence for log in logs), "the sentence on /rosout")
    [log] = [log for log in logs if log.msg == sentence]
    assert (log.name, log.level) == (CONTROLLER, 30)


def test_unknown_names_are_answered_as_rclcpp_answers_them(client):
    """With nothing at all, not even for the known names beside them."""
    names = [GOAL_TIME, "no_such_thing"]
    assert get(client, *names) == []
    assert not describe(client, *names)
    assert not client.call(GetParameterTypes, f"{CONTROLLER}/get_parameter_types", names=names).types
    assert not client.call(ListParameters, f"{CONTROLLER}/list_parameters", prefixes=["no_such_thing"]).result.names


def test_what_is_dumped_can_be_loaded(client, tmp_path: pathlib.Path):
    """As `ros2 param dump` and `ros2 param load` do it."""
    remote = AsyncParameterClient(client.node, CONTROLLER)
    client.spin_until(remote.services_are_ready, "the parameter services")
    names = client.wait_for(remote.list_parameters(), "the names").result.names
    values = dict(zip(names, get(client, *names), strict=True))
    assert values[GOAL_TIME] == 1.0 and list(values["joints"]) == ARM_JOINTS
    changeable = [each.name for each in describe(client, *names) if not each.read_only]
    dumped = tmp_path / "dumped.yaml"
    lines = "".join(f"    {name}: {yaml_of(values[name])}\n" for name in changeable)
    dumped.write_text(f"/{CONTROLLER}:\n  ros__parameters:\n{lines}")
    set_one(client, GOAL_TIME, 7.0)
    results = client.wait_for(remote.load_parameter_file(str(dumped)), "the answers").results
    assert len(results) == len(changeable)
    assert not [result.reason for result in results if not result.successful]
    assert get(client, GOAL_TIME) == [1.0]


def yaml_of(value: object) -> str:
    if isinstance(value, float) and abs(value) == float("inf"):
        return ".inf" if 0 < value else "-.inf"
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_parameters_are_told_on_parameter_events_when_a_node_starts(start_emulator, ros_domain, shape: str):
    arm = start_emulator()
    events: list = []
    with closing(Client()) as client:
        client.node.create_subscription(ParameterEvent, EVENTS, events.append, 1000)
        arm.start_nodes(shape)

        def told() -> dict:
            return {event.node: {each.name for each in event.new_parameters} for event in events if event.new_parameters}

        expected = {"/arm_controller", "/hardware_node"}
        client.spin_until(lambda: expected <= set(told()), "both nodes' parameters", timeout=20.0)
    assert {"joints", GOAL_TIME} <= told()["/arm_controller"]
    assert {"joints", "port"} <= told()["/hardware_node"]


JTC_OF_THIS_ARM = """
controller_manager:
  ros__parameters:
    update_rate: 100
    arm_controller:
      type: joint_trajectory_controller/JointTrajectoryController

arm_controller:
  ros__parameters:
    joints: [shoulder_pan, shoulder_lift, elbow_flex, wrist_flex, wrist_roll]
    command_interfaces: [position, velocity]
    state_interfaces: [position, velocity]
    state_publish_rate: 50.0
    action_monitor_rate: 100
    open_loop_control: true
    gains:
      wrist_roll: {p: 10.0, i_clamp: 1.0}
    constraints:
      stopped_velocity_tolerance: 0.05
      goal_time: 0.6
      elbow_flex: {trajectory: 0.4, goal: 0.04}
"""


@pytest.mark.parametrize("shape", SHAPES)
def test_a_file_for_joint_trajectory_controller_loads_and_what_has_no_meaning_is_said_once(
    start_emulator, ros_domain, tmp_path: pathlib.Path, shape: str
):
    file = tmp_path / "controllers.yaml"
    file.write_text(JTC_OF_THIS_ARM)
    arm = start_emulator()
    arguments = ("--params-file", str(file))
    if shape != "arm_node":
        arm.start("hardware_node")
    node = arm.start("arm_node" if shape == "arm_node" else "controller_node", *arguments)
    for name in ("state_publish_rate", "open_loop_control", "gains.wrist_roll.p", "gains.wrist_roll.i_clamp"):
        node.wait_for_line(f"arm_controller.*parameter `{name}` has no meaning")
        assert sum(f"`{name}`" in line for line in node.lines) == 1
    node.wait_for_line("parameter `command_interfaces`: without effect are velocity")
    with closing(Client()) as client:
        assert get(client, GOAL_TIME, "action_monitor_rate", "constraints.elbow_flex.goal") == [0.6, 100.0, 0.04]


def urdf_of(joints: list[str]) -> str:
    limit = '<limit lower="-3" upper="3" velocity="2" effort="10"/>'
    parts = [f'<link name="link{i}"/>' for i in range(len(joints) + 1)]
    for i, joint in enumerate(joints):
        ends = f'<parent link="link{i}"/><child link="link{i + 1}"/><axis xyz="0 0 1"/>'
        parts.append(f'<joint name="{joint}" type="revolute">{ends}{limit}</joint>')
    return f'<robot name="arm">{"".join(parts)}</robot>'


def test_the_documented_example_of_upstream_runs_as_it_is(ros_domain, tmp_path: pathlib.Path):
    joints = [f"joint{number}" for number in range(1, 7)]
    urdf, file = tmp_path / "arm.urdf", tmp_path / "controllers.yaml"
    urdf.write_text(urdf_of(joints))
    file.write_text(
        """
controller_manager:
  ros__parameters:
    joint_trajectory_controller:
      type: "joint_trajectory_controller/JointTrajectoryController"

joint_trajectory_controller:
  ros__parameters:
    joints: [joint1, joint2, joint3, joint4, joint5, joint6]
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
"""
    )
    words = ("--ros-args", "--params-file", str(file))
    with Process(EXECUTABLES / "controller_node", *words, "-p", f"urdf:={urdf}") as node, closing(Client()) as client:
        node.wait_for_line("parameter `interpolate_from_desired_state` has no meaning here")
        of = "joint_trajectory_controller"
        assert get(client, "joints", "constraints.joint1.goal", node=of) == [joints, 0.03]
        assert set_each(client, {"constraints.joint6.goal": 0.1}, node=of)[0].successful
        names = {name for name, _ in client.node.get_topic_names_and_types()}
        assert f"/{of}/controller_state" in names and f"/{FOLLOW}/_action/status" not in names
