"""What ROS sees of the nodes: names, types, QoS, parameters, diagnostics, logs; without the `ros2` tool."""

import math

import pytest

from arm import FOLLOW, JOINTS, SHAPES, System

pytest.importorskip("rclpy", reason="rclpy is not importable")

from control_msgs.msg import DynamicJointState, JointTrajectoryControllerState  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from rcl_interfaces.msg import Log, Parameter, ParameterType, ParameterValue  # noqa: E402
from rcl_interfaces.srv import (  # noqa: E402
    DescribeParameters,
    GetParameters,
    GetParameterTypes,
    ListParameters,
    SetParameters,
    SetParametersAtomically,
)
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402
from std_srvs.srv import SetBool  # noqa: E402

PUBLISHED = {
    "joint_states": "sensor_msgs/msg/JointState",
    "dynamic_joint_states": "control_msgs/msg/DynamicJointState",
    "arm_controller/controller_state": "control_msgs/msg/JointTrajectoryControllerState",
    f"{FOLLOW}/_action/feedback": "control_msgs/action/FollowJointTrajectory_FeedbackMessage",
    f"{FOLLOW}/_action/status": "action_msgs/msg/GoalStatusArray",
}
SUBSCRIBED = {"arm_controller/joint_trajectory": "trajectory_msgs/msg/JointTrajectory"}
SERVICES = {
    "hardware_node/torque": "std_srvs/srv/SetBool",
    "hardware_node/emergency_stop": "std_srvs/srv/Trigger",
    "hardware_node/reset": "std_srvs/srv/Trigger",
    f"{FOLLOW}/_action/send_goal": "control_msgs/action/FollowJointTrajectory_SendGoal",
    f"{FOLLOW}/_action/get_result": "control_msgs/action/FollowJointTrajectory_GetResult",
    f"{FOLLOW}/_action/cancel_goal": "action_msgs/srv/CancelGoal",
}
PARAMETER_SERVICES = {
    "describe_parameters": "DescribeParameters",
    "get_parameters": "GetParameters",
    "get_parameter_types": "GetParameterTypes",
    "list_parameters": "ListParameters",
    "set_parameters": "SetParameters",
    "set_parameters_atomically": "SetParametersAtomically",
}
NODES = ["hardware_node", "arm_controller"]
SERVICES |= {
    f"{node}/{name}": f"rcl_interfaces/srv/{type_name}"
    for node in NODES
    for name, type_name in PARAMETER_SERVICES.items()
}
DYNAMIC_INTERFACES = {"position", "velocity", "effort", "temperature", "voltage", "current", "load"}
TIMES = ["period_us", "lateness_us", "busy_us"]
QUANTILES = ["p50", "p99", "p999", "max"]


def assert_offers(client, namespace: str) -> None:
    """Every node, topic, service and action is there by its name and type, as soon as it was discovered."""
    wanted = {f"{namespace}/{name}": type_name for name, type_name in {**PUBLISHED, **SUBSCRIBED, **SERVICES}.items()}
    nodes = {(node, namespace or "/") for node in NODES}

    def missing() -> set:
        there = dict(client.node.get_topic_names_and_types() + client.node.get_service_names_and_types())
        offered = {(name, type_name) for name, type_names in there.items() for type_name in type_names}
        return (wanted.items() - offered) | (nodes - set(client.node.get_node_names_and_namespaces()))

    try:
        client.spin_until(lambda: not missing())
    except AssertionError:
        pytest.fail(f"missing: {missing()}")


def test_names_and_types_are_those_that_clients_expect(shared):
    assert_offers(shared.client, "")
    if shared.shape == "separate":
        assert shared.client.node.count_subscribers("joint_commands") == 1
        assert shared.client.node.count_publishers("joint_commands") == 1


@pytest.mark.parametrize("shape", SHAPES)
def test_a_namespace_moves_everything_but_diagnostics(start_emulator, client, shape: str):
    arm = start_emulator()
    executables = ["arm_node"] if shape == "arm_node" else ["hardware_node", "controller_node"]
    for executable in executables:
        arm.start(executable, "-r", "__ns:=/left")
    assert_offers(client, "/left")
    assert client.node.count_publishers("/joint_states") == 0
    with client.heard(DiagnosticArray, "/diagnostics") as heard:
        client.spin_until(lambda: heard, "diagnostics")
    assert heard[0].status[0].name == "left/hardware_node: arm"


def test_a_remapped_topic_has_its_new_name_only(start_emulator, client):
    arm = start_emulator()
    arm.start("hardware_node", "-r", "joint_states:=arm/states")
    assert list(client.next(JointState, "arm/states").name) == JOINTS
    assert client.node.count_publishers("joint_states") == 0


def test_a_controller_that_is_told_where_the_states_are_drives_that_arm(start_emulator, client):
    arm = start_emulator("--pace")
    renamed = ("-r", "joint_states:=arm/states", "-r", "joint_commands:=arm/commands")
    arm.hardware = arm.start("hardware_node", *renamed)
    arm.controller = arm.start("controller_node", *renamed)
    system = System(arm, client, "separate")
    system.wait_until_ready()
    system.move_to(0.2)


def test_the_actions_status_is_latched_and_reliable(shared):
    [info] = shared.client.node.get_publishers_info_by_topic(f"{FOLLOW}/_action/status")
    assert info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
    assert info.qos_profile.reliability == ReliabilityPolicy.RELIABLE


# Parameters.


def parameter_names(shared, node: str, **fields) -> list[str]:
    return list(shared.client.call(ListParameters, f"{node}/list_parameters", **fields).result.names)


def get(shared, node: str, *names: str) -> list[ParameterValue]:
    return shared.client.call(GetParameters, f"{node}/get_parameters", names=list(names)).values


@pytest.mark.parametrize("node", NODES)
def test_every_parameter_is_described_and_has_a_value_of_its_type(shared, node: str):
    names = parameter_names(shared, node)
    assert len(names) > 10 and len(set(names)) == len(names)
    descriptors = shared.client.call(DescribeParameters, f"{node}/describe_parameters", names=names).descriptors
    types = shared.client.call(GetParameterTypes, f"{node}/get_parameter_types", names=names).types
    assert [descriptor.name for descriptor in descriptors] == names
    for descriptor, value, type_ in zip(descriptors, get(shared, node, *names), types, strict=True):
        assert descriptor.description.endswith("."), descriptor.name
        assert descriptor.read_only or node == "arm_controller", descriptor.name
        assert descriptor.type == value.type == type_ != ParameterType.PARAMETER_NOT_SET, descriptor.name


@pytest.mark.parametrize("node", [*NODES, "controller_manager"])
def test_every_node_says_whose_time_it_has(shared, node: str):
    [is_simulated] = get(shared, node, "use_sim_time")
    assert (is_simulated.type, is_simulated.bool_value) == (ParameterType.PARAMETER_BOOL, False)


def test_parameters_have_the_values_of_file_and_command_line(shared):
    joints, rate, port, identity = get(
        shared, "hardware_node", "joints", "update_rate_hz", "port", "servos.gripper.id"
    )
    assert list(joints.string_array_value) == JOINTS
    assert rate.double_value == 200.0
    assert port.string_value == str(shared.arm.port)
    assert identity.integer_value == 6
    [goal] = get(shared, "arm_controller", "constraints.elbow_flex.goal")
    assert goal.double_value == 0.05


def test_parameters_are_listed_by_prefix_and_depth(shared):
    below = parameter_names(shared, "hardware_node", prefixes=["servos.gripper"])
    assert "servos.gripper.id" in below and all(name.startswith("servos.gripper.") for name in below)
    listed = shared.client.call(ListParameters, "arm_controller/list_parameters").result
    assert "constraints" in listed.prefixes and len(set(listed.prefixes)) == len(listed.prefixes)
    shallow = parameter_names(shared, "hardware_node", depth=1)
    assert "port" in shallow and not any("." in name for name in shallow)


def test_an_unknown_parameter_has_no_value(shared):
    """As with rclcpp, the answer is empty then, also for the known names beside it."""
    assert not get(shared, "hardware_node", "port", "no_such_thing")


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("name", ["update_rate_hz", "no_such_thing"])
def test_a_parameter_cannot_be_set_and_the_answer_says_why(shared, node: str, name: str):
    value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=50.0)
    wanted = [Parameter(name=name, value=value)]
    [each] = shared.client.call(SetParameters, f"{node}/set_parameters", parameters=wanted).results
    both = shared.client.call(SetParametersAtomically, f"{node}/set_parameters_atomically", parameters=wanted).result
    for result in (each, both):
        assert not result.successful
        assert f"`{name}`" in result.reason
    assert get(shared, node, "update_rate_hz")[0].double_value == 200.0


# Diagnostics, logs, states.


def test_diagnostics_come_about_once_a_second_from_every_part(shared):
    with shared.client.heard(DiagnosticArray, "/diagnostics") as heard:
        shared.client.spin_until(lambda: len(heard) >= 4, "four diagnostics", timeout=15.0)
    stamps = [message.header.stamp.sec + message.header.stamp.nanosec * 1e-9 for message in heard]
    assert (stamps[-1] - stamps[0]) / (len(stamps) - 1) == pytest.approx(1.0, abs=0.25)
    names = [status.name for status in heard[-1].status]
    assert names == [f"hardware_node: {part}" for part in ["arm", "bus", *JOINTS]]


def values(status: DiagnosticStatus) -> dict[str, str]:
    return {pair.key: pair.value for pair in status.values}


def test_diagnostics_tell_how_regular_the_cycle_is(shared):
    arm = shared.client.next(DiagnosticArray, "/diagnostics").status[0]
    assert arm.level == DiagnosticStatus.OK and arm.message == "Holding"
    said = values(arm)
    assert said["state"] == "Holding" and said["torque"] == "true"
    assert float(said["rate_hz"]) == pytest.approx(200.0, rel=0.3)
    assert int(said["cycles"]) > 0 and int(said["overruns"]) >= 0
    for time in TIMES:
        quantiles = [float(said[f"{time}.{quantile}"]) for quantile in QUANTILES]
        assert quantiles == sorted(quantiles), time
    assert float(said["period_us.p50"]) == pytest.approx(5000.0, rel=0.3)
    assert float(said["busy_us.p50"]) > 1000.0, "six servos at 1 Mbit/s take that long"


def test_diagnostics_tell_how_busy_and_how_clean_the_bus_is(shared):
    bus = shared.client.next(DiagnosticArray, "/diagnostics").status[1]
    assert bus.level == DiagnosticStatus.OK
    said = values(bus)
    assert 0.1 < float(said["bus_utilisation"]) < 1.0
    assert all(int(said[key]) > 0 for key in ("bytes_sent", "bytes_received"))
    assert all(int(said[key]) >= 0 for key in ("answers_missed", "requests_repeated", "noise_bytes", "bad_checksums"))


def test_diagnostics_tell_how_each_joint_is(shared):
    for joint in shared.client.next(DiagnosticArray, "/diagnostics").status[2:]:
        levels = {key: value for key, value in values(joint).items() if key.startswith("watch.")}
        assert len(levels) == 10 and set(levels.values()) == {"fine"}
        said = {key: float(value) for key, value in values(joint).items() if key not in levels}
        assert 20.0 <= said["temperature_degc"] <= 60.0
        assert said["voltage_v"] == pytest.approx(7.4, abs=0.2)
        assert {"current_a", "load", "position_rad", "command_rad", "cycles_missed"} <= said.keys()


def test_a_hot_servo_is_a_warning_that_names_its_temperature(shared):
    shared.control.ask("set id=2 temperature=65")

    def is_warned(message: DiagnosticArray) -> bool:
        return message.status[3].level == DiagnosticStatus.WARN and "6" in message.status[3].message

    try:
        shared.client.next(DiagnosticArray, "/diagnostics", is_warned)
    finally:
        shared.control.ask("set id=2 temperature=25")


def test_dynamic_joint_states_have_every_interface_of_every_joint(shared):
    message = shared.client.next(DynamicJointState, "dynamic_joint_states")
    assert list(message.joint_names) == JOINTS
    for interfaces in message.interface_values:
        assert DYNAMIC_INTERFACES <= set(interfaces.interface_names)
        assert len(interfaces.values) == len(interfaces.interface_names)
        assert all(map(math.isfinite, interfaces.values))
        said = dict(zip(interfaces.interface_names, interfaces.values))
        assert said["voltage"] == pytest.approx(7.4, abs=0.2)


def test_transitions_are_on_rosout_under_the_name_of_their_node(shared):
    with shared.client.heard(Log, "/rosout") as logs:
        for on in (False, True):
            assert shared.client.call(SetBool, "hardware_node/torque", data=on).success
        said = lambda text: any(text in log.msg and log.name == "hardware_node" for log in logs)  # noqa: E731
        for text in ("Holding -> Releasing", "Releasing -> Identified", "Energizing -> Holding"):
            shared.client.spin_until(lambda text=text: said(text), f"{text} on /rosout")


def test_states_and_controller_agree_where_the_arm_is(shared):
    shared.move_to(0.3)
    state = shared.client.next(JointTrajectoryControllerState, "arm_controller/controller_state")
    measured = shared.client.next(JointState, "joint_states")
    assert list(state.feedback.positions) == pytest.approx(list(measured.position)[:5], abs=0.01)


def test_the_action_is_seen_as_an_action(shared):
    from rclpy.action import get_action_names_and_types

    names = dict(get_action_names_and_types(shared.client.node))
    assert names[f"/{FOLLOW}"] == ["control_msgs/action/FollowJointTrajectory"]
