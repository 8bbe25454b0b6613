"""Managed nodes: their services and events as tools and launch files use them, in both shapes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from arm import ARM_JOINTS, JOINTS, SHAPES, System, to

pytest.importorskip("rclpy", reason="rclpy is not importable")

from action_msgs.msg import GoalStatus  # noqa: E402
from control_msgs.msg import JointJog  # noqa: E402
from controller_manager_msgs.srv import ConfigureController, ListControllers, SwitchController  # noqa: E402
from lifecycle_msgs.msg import Transition, TransitionEvent  # noqa: E402
from lifecycle_msgs.srv import (  # noqa: E402
    ChangeState,
    GetAvailableStates,
    GetAvailableTransitions,
    GetState,
)
from moveit_msgs.msg import MoveItErrorCodes, ServoStatus  # noqa: E402
from moveit_msgs.srv import GetCartesianPath, GetPositionFK, GetPositionIK, ServoCommandType  # noqa: E402
from rcl_interfaces.msg import Log  # noqa: E402
from rcl_interfaces.srv import DescribeParameters  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402
from std_srvs.srv import SetBool, Trigger  # noqa: E402

HARDWARE, ARM, GRIPPER, IK = "hardware_node", "arm_controller", "gripper_controller", "ik_node"
NODES = [HARDWARE, ARM, GRIPPER, IK]
SERVICES = {
    "change_state": ChangeState,
    "get_state": GetState,
    "get_available_states": GetAvailableStates,
    "get_available_transitions": GetAvailableTransitions,
    "get_transition_graph": GetAvailableTransitions,
}
# On a machine that does other things beside, answers come late; what becomes of that is not what is tested here.
PATIENT = {"misses_to_degraded": 100_000, "misses_to_fault": 1_000_000, "watch.sample_age.action": "warn"}
UP = {"configure": ("configuring", "inactive"), "activate": ("activating", "active")}
DOWN = {"deactivate": ("deactivating", "inactive"), "cleanup": ("cleaningup", "unconfigured")}


def overlay(folder) -> dict:
    return {HARDWARE: PATIENT}


class Managed:
    """Asks one node as `ros2 lifecycle` does."""

    def __init__(self, client, node: str):
        self.client, self.node = client, node
        self.heard: list[TransitionEvent] = []
        topic = f"{node}/transition_event"
        self.subscription = client.node.create_subscription(TransitionEvent, topic, self.heard.append, 100)

    def call(self, service: str, **fields):
        return self.client.call(SERVICES[service], f"{self.node}/{service}", timeout=40.0, **fields)

    @property
    def state(self) -> str:
        return self.call("get_state").current_state.label

    def change(self, label: str) -> bool:
        return self.call("change_state", transition=Transition(label=label)).success

    def available(self) -> list[str]:
        return [each.transition.label for each in self.call("get_available_transitions").available_transitions]

    def close(self) -> None:
        self.client.node.destroy_subscription(self.subscription)

    def wait_for(self, state: str) -> None:
        self.client.spin_until(lambda: self.state == state, f"{self.node} is {state}", timeout=20.0)

    def activate(self) -> None:
        """From wherever it is, as far as that is possible."""
        for label in ("configure", "activate"):
            if label in self.available():
                assert self.change(label), f"{self.node} did not {label}"

    def provoke_events(self) -> None:
        """Until they are heard: only then both ends know each other."""

        def is_heard() -> bool:
            self.change("deactivate")
            self.activate()
            self.client.spin_for(0.1)
            return bool(self.heard)

        self.client.spin_until(is_heard, f"an event of {self.node}", timeout=30.0)

    @contextlib.contextmanager
    def told(self, *expected: tuple[str, str, str]) -> Iterator[None]:
        """These transitions, and no others, are told meanwhile."""
        before = len(self.heard)
        yield
        count = before + len(expected)
        self.client.spin_until(lambda: len(self.heard) >= count, f"{len(expected)} events of {self.node}")
        assert ways(self.heard[before:]) == list(expected)
        assert all(event.timestamp > 0 for event in self.heard[before:])


@contextlib.contextmanager
def log_of(system_or_client, node: str) -> Iterator[Callable[[str], None]]:
    """Gives `wait_for(words…)`: until the node, or any, has logged a line with these words since the block began."""
    client = getattr(system_or_client, "client", system_or_client)
    began = time.time()
    kept = QoSProfile(depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    with client.heard(Log, "/rosout", kept) as logs:

        def wait_for(*words: str) -> None:
            def is_it(log: Log) -> bool:
                is_new = began <= log.stamp.sec + log.stamp.nanosec * 1e-9
                return is_new and node in ("", log.name) and all(word in log.msg for word in words)

            client.spin_until(lambda: any(map(is_it, logs)), f"{words} in the log of {node}")

        yield wait_for


def ways(events: list[TransitionEvent]) -> list[tuple[str, str, str]]:
    return [(each.transition.label, each.start_state.label, each.goal_state.label) for each in events]


def walked(steps: dict[str, tuple[str, str]], start: str) -> list[tuple[str, str, str]]:
    """What is told of transitions that all succeed, one after the other."""
    told = []
    for label, (between, after) in steps.items():
        told += [(label, start, between), ("transition_success", between, after)]
        start = after
    return told


@pytest.fixture(scope="module")
def nodes_of_module(shared: System) -> Iterator[dict[str, Managed]]:
    managed = {node: Managed(shared.client, node) for node in NODES}
    for node in managed.values():
        node.wait_for("active")
        node.provoke_events()
    yield managed
    for node in managed.values():
        node.close()


@pytest.fixture
def nodes(shared: System, nodes_of_module: dict[str, Managed]) -> Iterator[dict[str, Managed]]:
    """The nodes of the shared arm, all active; and again after the test."""
    yield nodes_of_module
    shared.client.call(Trigger, f"{HARDWARE}/reset")
    for node in nodes_of_module.values():
        node.activate()
        node.wait_for("active")


def move(system: System, position: float) -> None:
    """Until the arm has moved there: where joint states are held up, a motion ends before."""

    def has_moved() -> bool:
        return system.follow.send(to(position, 0.5)).result().status == GoalStatus.STATUS_SUCCEEDED

    system.client.spin_until(has_moved, f"a motion to {position}", timeout=30.0)


def states(system: System) -> dict[str, str]:
    answer = system.client.call(ListControllers, "controller_manager/list_controllers")
    return {each.name: each.state for each in answer.controller}


def switch(system: System, activate=(), deactivate=()) -> bool:
    request = {"activate_controllers": list(activate), "deactivate_controllers": list(deactivate)}
    name = "controller_manager/switch_controller"
    return system.client.call(SwitchController, name, strictness=SwitchController.Request.STRICT, **request).ok


def configured(system: System, name: str) -> bool:
    service = system.client.service(ConfigureController, "controller_manager/configure_controller")
    asked = service.call_async(ConfigureController.Request(name=name))
    return system.client.wait_for(asked, "an answer of configure_controller").ok


# What there is.


def test_every_node_offers_what_a_managed_node_offers_and_is_active(shared, nodes):
    for name, node in nodes.items():
        node.wait_for("active")
        assert node.available() == ["deactivate", "shutdown"]
        there = dict(shared.client.node.get_service_names_and_types_by_node(name, "/"))
        for service, type in SERVICES.items():
            assert there[f"/{name}/{service}"] == [f"lifecycle_msgs/srv/{type.__name__}"]


def test_states_graph_and_event_topic_are_those_of_rcls_own_managed_nodes(shared, nodes):
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.lifecycle import LifecycleNode

    model = LifecycleNode("model", context=shared.client.context)
    executor = SingleThreadedExecutor(context=shared.client.context)
    executor.add_node(model)

    def of_model(type, name: str):
        client = shared.client.node.create_client(type, f"model/{name}")
        asked = []

        def is_done() -> bool:
            if not asked and client.service_is_ready():
                asked.append(client.call_async(type.Request()))
            executor.spin_once(timeout_sec=0.01)
            return bool(asked) and asked[0].done()

        shared.client.spin_until(is_done, f"the model's {name}")
        return asked[0].result()

    try:
        for name in ("get_available_states", "get_transition_graph"):
            expected = of_model(SERVICES[name], name)
            assert nodes[ARM].call(name) == expected
        [expected] = shared.client.node.get_publishers_info_by_topic("model/transition_event")
        for name in nodes:
            [found] = shared.client.node.get_publishers_info_by_topic(f"{name}/transition_event")
            assert found.topic_type == expected.topic_type
            for quality in ("reliability", "durability", "history", "liveliness"):
                assert getattr(found.qos_profile, quality) == getattr(expected.qos_profile, quality)
    finally:
        executor.shutdown()
        model.destroy_node()


def test_autostart_is_described_and_read_only(shared, nodes):
    for name in nodes:
        answer = shared.client.call(DescribeParameters, f"{name}/describe_parameters", names=["autostart"])
        [descriptor] = answer.descriptors
        assert descriptor.read_only and "by itself" in descriptor.description


# The hardware.


def test_the_hardware_walks_through_every_transition_and_works_again(shared, nodes):
    node = nodes[HARDWARE]
    move(shared, 0.0)
    with node.told(*walked(DOWN, "active"), *walked(UP, "unconfigured")), shared.control.writes() as writes:
        assert node.change("deactivate")
        assert (node.state, node.available()) == ("inactive", ["cleanup", "activate", "shutdown"])
        shared.client.spin_until(lambda: writes.goals(1), "a goal")
        held = writes.goals(1)[-1]
        assert shared.control.column("torque") == [1] * 6, "it holds, as on_deactivate says"
        result = shared.follow.send(to(0.5, 0.5)).result()
        assert result.status == GoalStatus.STATUS_ABORTED and "deactivated" in result.text
        assert node.change("cleanup")
        assert (node.state, node.available()) == ("unconfigured", ["configure", "shutdown"])
        assert set(writes.goals(1)) == {held}, "nothing moved"
        assert node.change("configure") and node.state == "inactive"
        assert node.change("activate") and node.state == "active"
        assert max(writes.goals(1)) - min(writes.goals(1)) <= 1, "nothing moved for all that"
    if shared.shape == "separate":
        shared.wait_until_ready()
    move(shared, 0.3)


def test_what_does_not_begin_in_the_present_state_is_refused_and_the_log_says_why(shared, nodes):
    for node in nodes.values():
        with log_of(shared, node.node) as wait_for:
            assert not node.change("configure")
            wait_for("`configure`", "active", "deactivate, shutdown")
        assert not node.call("change_state", transition=Transition(id=10)).success
        assert node.state == "active"


def test_a_stop_and_torque_are_seen_in_the_state_and_an_activation_in_vain_says_why(shared, nodes):
    node = nodes[HARDWARE]
    in_vain = [("activate", "inactive", "activating"), ("transition_failure", "activating", "inactive")]
    down, up = walked({"deactivate": DOWN["deactivate"]}, "active"), walked({"activate": UP["activate"]}, "inactive")
    with node.told(*down, *in_vain, *up):
        assert shared.client.call(Trigger, f"{HARDWARE}/emergency_stop").success
        node.wait_for("inactive")
        with log_of(shared, HARDWARE) as wait_for:
            assert not node.change("activate")
            wait_for("cannot activate", "EmergencyStop", "reset it first")
        assert node.state == "inactive"
        assert shared.client.call(Trigger, f"{HARDWARE}/reset").success
        node.wait_for("active")
    for on, state in ((False, "inactive"), (True, "active")):
        assert shared.client.call(SetBool, f"{HARDWARE}/torque", data=on).success
        node.wait_for(state)


# Controllers.


def test_a_controller_and_its_manager_agree_whoever_switches_it(shared, nodes):
    for name in (ARM, GRIPPER):
        node = nodes[name]
        again = walked({"deactivate": DOWN["deactivate"], "activate": UP["activate"]}, "active")
        with node.told(*walked(DOWN, "active"), *walked(UP, "unconfigured"), *again):
            assert node.change("deactivate") and states(shared)[name] == "inactive"
            assert node.change("cleanup") and states(shared)[name] == "unconfigured"
            assert configured(shared, name) and node.state == "inactive"
            assert switch(shared, activate=[name]) and node.state == "active"
            assert switch(shared, deactivate=[name]) and node.state == "inactive"
            assert node.change("activate") and states(shared)[name] == "active"
    move(shared, 0.1)


def test_a_controller_that_is_deactivated_by_its_node_refuses_goals(shared, nodes):
    goal = shared.follow.send(to(1.0, 5.0))
    assert nodes[ARM].change("deactivate")
    assert goal.result().status == GoalStatus.STATUS_ABORTED
    assert "not running" in shared.follow.send(to(0.1, 0.3)).result().text
    assert nodes[ARM].change("activate")
    move(shared, 0.0)


# Inverse kinematics.


def test_inactive_inverse_kinematics_answer_with_an_error_and_refuse_targets(shared, nodes):
    client, node = shared.client, nodes[IK]
    assert node.change("deactivate")
    asked = [(GetPositionIK, "compute_ik"), (GetPositionFK, "compute_fk")]
    asked += [(GetCartesianPath, "compute_cartesian_path"), (GetCartesianPath, f"{IK}/move_linear")]
    for type, name in asked:
        error = client.call(type, name).error_code
        assert error.val == MoveItErrorCodes.FAILURE and "not active" in error.message, name
    # Among several nodes in one process, another's name may be on what a task of this one says.
    logger = IK if shared.shape == "separate" else ""
    with log_of(shared, logger) as wait_for, client.publisher(JointState, f"{IK}/target_joints") as targets:
        targets.publish(JointState(name=ARM_JOINTS, position=[0.3] * 5))
        wait_for("target_joints", "not active")
    kinds = ServoCommandType.Request
    assert client.call(ServoCommandType, f"{IK}/switch_command_type", command_type=kinds.JOINT_JOG).success
    with client.publisher(JointJog, f"{IK}/delta_joint_cmds") as jogs, client.heard(ServoStatus, f"{IK}/status") as said:

        def is_refused() -> bool:
            jogs.publish(JointJog(joint_names=ARM_JOINTS[:1], velocities=[1.0]))
            return any("not active" in status.message for status in said)

        client.spin_until(is_refused, "the refusal")
    assert node.change("activate")
    with client.publisher(JointState, f"{IK}/target_joints") as targets:

        def goes() -> bool:
            targets.publish(JointState(name=ARM_JOINTS, position=[0.2] * 5))
            client.spin_for(1.0)
            state = client.next(JointState, "joint_states")
            return abs(dict(zip(state.name, state.position))[ARM_JOINTS[0]] - 0.2) < 0.01

        client.spin_until(goes, "the motion to the target", timeout=30.0)


# Arms of their own.


@pytest.mark.parametrize("shape", SHAPES)
def test_without_autostart_nothing_is_touched_until_it_is_asked_for_and_what_fails_is_tried_again(
    start_emulator, client, shape: str
):
    arm = start_emulator("--pace")
    arm.control.ask("fault silent id=3")
    with arm.control.writes() as writes:
        patient = {name.replace(".", "__"): value for name, value in PATIENT.items()}
        arm.start_nodes(shape, autostart=False, **patient)
        nodes = {node: Managed(client, node) for node in NODES}
        for node in nodes.values():
            node.wait_for("unconfigured")
        assert client.call(ListControllers, "controller_manager/list_controllers").controller[0].state == "unconfigured"
        hardware = nodes[HARDWARE]
        for _ in range(2):
            with log_of(client, HARDWARE) as wait_for:
                assert not hardware.change("configure")
                wait_for("cannot configure", "elbow_flex")
            assert hardware.state == "unconfigured"
        arm.control.ask("clear")
        assert hardware.change("configure")
        assert hardware.state == "inactive"
        client.next(JointState, "joint_states", lambda state: list(state.name) == JOINTS)
        assert arm.control.column("torque") == [0] * 6 and not writes.goals(1)
        for node in nodes.values():
            node.activate()
            node.wait_for("active")
        assert max(writes.goals(1)) - min(writes.goals(1)) <= 1, "torque came on without a motion"
    system = System(arm, client, shape)
    system.wait_until_ready()
    move(system, 0.3)

    system.control.ask("unplug")
    hardware.wait_for("unconfigured")
    system.control.ask("replug")
    hardware.wait_for("inactive")
    for node in nodes.values():
        assert node.change("shutdown")
        assert (node.state, node.available()) == ("finalized", [])
    assert all(process.running for process in arm.processes)
    listed = client.call(ListControllers, "controller_manager/list_controllers").controller
    assert [each.state for each in listed if each.name in NODES] == ["finalized"] * 2


def test_a_port_that_there_is_not_fails_the_start_or_the_transition(start_emulator, client, tmp_path):
    arm = start_emulator()
    port = tmp_path / "nothing"
    with arm.start(HARDWARE, port=port) as process:
        assert process.wait() == 1
        assert str(port) in process.output
    process = arm.start(HARDWARE, port=port, autostart=False)
    node = Managed(client, HARDWARE)
    for _ in range(2):
        assert not node.change("configure")
    process.wait_for_line(f"cannot configure: .*{port}")
    assert node.state == "unconfigured" and process.running
    assert node.change("shutdown") and node.state == "finalized"
