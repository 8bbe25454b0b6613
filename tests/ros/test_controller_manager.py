"""The controller manager's face, as the tools for ros2_control use it, in both shapes."""

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from arm import JOINTS, to

pytest.importorskip("rclpy", reason="rclpy is not importable")

from action_msgs.msg import GoalStatus  # noqa: E402
from control_msgs.action import FollowJointTrajectory  # noqa: E402
from controller_manager_msgs.msg import ControllerManagerActivity  # noqa: E402
from controller_manager_msgs.srv import (  # noqa: E402
    CleanupController,
    ConfigureController,
    ListControllers,
    ListControllerTypes,
    ListHardwareComponents,
    ListHardwareInterfaces,
    LoadController,
    ReloadControllerLibraries,
    SetHardwareComponentState,
    SwitchController,
    UnloadController,
)
from lifecycle_msgs.msg import State  # noqa: E402
from rcl_interfaces.msg import Log  # noqa: E402
from rcl_interfaces.srv import GetParameters  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from std_srvs.srv import SetBool, Trigger  # noqa: E402

SERVICES = {
    "list_controllers": ListControllers,
    "list_controller_types": ListControllerTypes,
    "load_controller": LoadController,
    "unload_controller": UnloadController,
    "configure_controller": ConfigureController,
    "cleanup_controller": CleanupController,
    "switch_controller": SwitchController,
    "reload_controller_libraries": ReloadControllerLibraries,
    "list_hardware_components": ListHardwareComponents,
    "list_hardware_interfaces": ListHardwareInterfaces,
    "set_hardware_component_state": SetHardwareComponentState,
}
NAMES = {type: name for name, type in SERVICES.items()}
ARM = "arm_controller"
BROADCASTER = "joint_state_broadcaster"
TRAJECTORY_TYPE = "joint_trajectory_controller/JointTrajectoryController"
STRICT, BEST_EFFORT = SwitchController.Request.STRICT, SwitchController.Request.BEST_EFFORT
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def overlay(folder) -> dict:
    """An arm that is deactivated lets go, so that this is seen."""
    return {"hardware_node": {"on_deactivate": "release"}}


@pytest.fixture(autouse=True)
def restored(request: pytest.FixtureRequest):
    """Leaves every controller of the shared arm active for the next test, torque on, and no emergency stop."""
    shared = request.getfixturevalue("shared") if "shared" in request.fixturenames else None
    yield
    if shared is not None:
        restore(shared)


def restore(shared) -> None:
    if shared.shape == "arm_node":
        shared.client.call(Trigger, "hardware_node/reset")
        assert set_hardware(shared, State.PRIMARY_STATE_ACTIVE).ok
    for name in controllers(shared):
        ask(shared, ConfigureController, name=name)
    for name in {ARM} - controllers(shared).keys():
        assert ask(shared, LoadController, name=name).ok
        assert ask(shared, ConfigureController, name=name).ok
    assert switch(shared, activate=list(controllers(shared))).ok


def ask(system, type, timeout: float = 15.0, **fields):
    service = system.client.service(type, f"controller_manager/{NAMES[type]}")
    return system.client.wait_for(service.call_async(type.Request(**fields)), f"an answer of {NAMES[type]}", timeout)


def controllers(system) -> dict:
    return {each.name: each for each in ask(system, ListControllers).controller}


def state_of(system, name: str = ARM) -> str:
    return controllers(system)[name].state


def switch(system, activate=(), deactivate=(), strictness: int = STRICT):
    lists = {"activate_controllers": list(activate), "deactivate_controllers": list(deactivate)}
    return ask(system, SwitchController, strictness=strictness, **lists)


def component(system):
    [component] = ask(system, ListHardwareComponents).component
    return component


def set_hardware(system, id: int = 0, label: str = "", name: str = "servo_bus"):
    return ask(system, SetHardwareComponentState, name=name, target_state=State(id=id, label=label))


@contextlib.contextmanager
def log_of_manager(system) -> Iterator[Callable[..., None]]:
    """Gives `wait_for(words…)`: until the manager's node has logged a line with these words since the block began."""
    began = time.time()
    # Latched: what is said before the nodes have found each other is heard all the same.
    kept = QoSProfile(depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    with system.client.heard(Log, "/rosout", kept) as logs:

        def is_it(log: Log, words: tuple[str, ...]) -> bool:
            is_new = began <= log.stamp.sec + log.stamp.nanosec * 1e-9
            return is_new and log.name == "controller_manager" and all(word in log.msg for word in words)

        def wait_for(*words: str) -> None:
            system.client.spin_until(lambda: any(is_it(log, words) for log in logs), f"{words} in the log")

        yield wait_for


# What there is.


def test_services_have_the_names_and_types_that_tools_look_for(shared):
    wanted = {
        f"/controller_manager/{name}": [f"controller_manager_msgs/srv/{type.__name__}"]
        for name, type in SERVICES.items()
    }
    for name, type in SERVICES.items():
        shared.client.service(type, f"controller_manager/{name}")
    there = shared.client.node.get_service_names_and_types_by_node("controller_manager", "/")
    assert wanted == {name: types for name, types in there if name in wanted}


def test_the_list_has_the_arms_controller_as_upstream_would_list_it(shared):
    arm = controllers(shared)[ARM]
    assert (arm.type, arm.state, arm.update_rate) == (TRAJECTORY_TYPE, "active", 200)
    joints = [name.removesuffix("/position") for name in arm.claimed_interfaces]
    assert set(joints) <= set(JOINTS) and JOINTS[0] in joints
    assert arm.required_command_interfaces == arm.claimed_interfaces == [f"{joint}/position" for joint in joints]
    assert set(arm.required_state_interfaces) == {f"{j}/{kind}" for j in joints for kind in ("position", "velocity")}
    assert not (arm.is_async or arm.is_chainable or arm.is_chained or arm.chain_connections)


def test_joint_states_are_listed_as_a_broadcaster_that_claims_nothing(shared):
    broadcaster = controllers(shared)[BROADCASTER]
    assert (broadcaster.type, broadcaster.state) == ("joint_state_broadcaster/JointStateBroadcaster", "active")
    assert broadcaster.claimed_interfaces == broadcaster.required_command_interfaces == []
    assert f"{JOINTS[0]}/effort" in broadcaster.required_state_interfaces


def test_the_types_are_those_that_a_controller_can_have(shared):
    answer = ask(shared, ListControllerTypes)
    assert TRAJECTORY_TYPE in answer.types and "position_controllers/GripperActionController" in answer.types
    assert answer.base_classes == ["controller_interface::ControllerInterface"] * len(answer.types)


def test_the_hardware_is_one_active_system_with_the_interfaces_of_every_joint(shared):
    hardware = component(shared)
    assert (hardware.name, hardware.type, hardware.rw_rate) == ("servo_bus", "system", 200)
    assert (hardware.state.id, hardware.state.label) == (State.PRIMARY_STATE_ACTIVE, "active")
    assert hardware.plugin_name.startswith("servo_arm/")
    interfaces = ask(shared, ListHardwareInterfaces)
    assert interfaces.command_interfaces == hardware.command_interfaces
    assert interfaces.state_interfaces == hardware.state_interfaces
    assert [each.name for each in hardware.command_interfaces] == [f"{joint}/position" for joint in JOINTS]
    assert all(each.is_available and each.is_claimed for each in hardware.command_interfaces)
    assert {f"{joint}/{kind}" for joint in JOINTS for kind in ("position", "velocity", "effort")} == {
        each.name for each in hardware.state_interfaces
    }
    assert {each.data_type for each in [*hardware.command_interfaces, *hardware.state_interfaces]} == {"double"}


def test_activity_is_latched_and_tells_every_change(shared):
    with shared.client.heard(ControllerManagerActivity, "controller_manager/activity", LATCHED) as heard:
        shared.client.spin_until(lambda: heard, "the present activity")
        states = lambda: {each.name: each.state.label for each in heard[-1].controllers}  # noqa: E731
        assert states()[ARM] == states()[BROADCASTER] == "active"
        assert [(each.name, each.state.id) for each in heard[-1].hardware_components] == [("servo_bus", 3)]
        assert switch(shared, deactivate=[ARM]).ok
        shared.client.spin_until(lambda: states()[ARM] == "inactive", "the change")
        assert states()[BROADCASTER] == "active"
    [info] = shared.client.node.get_publishers_info_by_topic("controller_manager/activity")
    assert info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
    assert info.qos_profile.reliability == ReliabilityPolicy.RELIABLE


def test_a_file_for_upstreams_manager_is_taken_as_it_is(start_emulator, client, tmp_path):
    file = tmp_path / "ros2_control.yaml"
    file.write_text(
        f"""
controller_manager:
  ros__parameters:
    update_rate: 100
    thread_priority: 50
    {ARM}: {{type: {TRAJECTORY_TYPE}}}
    states: {{type: joint_state_broadcaster/JointStateBroadcaster, params_file: states.yaml}}
    forward: {{type: forward_command_controller/ForwardCommandController}}
"""
    )
    node = start_emulator().start("arm_node", "--params-file", file)
    for said in ("`update_rate` is 100", "`forward` is left out", "states.params_file, thread_priority"):
        node.wait_for_line(said)
    answer = client.call(ListControllers, "controller_manager/list_controllers")
    assert [(each.name, each.state) for each in answer.controller] == [
        (ARM, "active"),
        ("gripper_controller", "active"),
        ("states", "active"),
    ]
    names = [f"{ARM}.type", "update_rate"]
    answer = client.call(GetParameters, "controller_manager/get_parameters", names=names)
    assert (answer.values[0].string_value, answer.values[1].integer_value) == (TRAJECTORY_TYPE, 100)


# Switching.


def test_an_inactive_controller_claims_nothing_and_refuses_goals_until_it_is_active_again(shared):
    assert switch(shared, deactivate=[ARM]).ok
    arm = controllers(shared)[ARM]
    assert (arm.state, arm.claimed_interfaces) == ("inactive", [])
    assert f"{JOINTS[0]}/position" in arm.required_command_interfaces
    claimed = {each.name: each.is_claimed for each in component(shared).command_interfaces}
    assert not any(claimed[name] for name in arm.required_command_interfaces)
    result = shared.follow.send(to(0.1, 0.3)).result()
    assert result.code == FollowJointTrajectory.Result.INVALID_GOAL and "not running" in result.text
    assert switch(shared, activate=[ARM]).ok
    shared.move_to(0.1, 0.3)


def test_a_goal_that_runs_is_aborted_when_its_controller_is_deactivated(shared):
    shared.move_to(0.0)
    goal = shared.follow.send(to(1.0, 5.0))
    shared.client.spin_until(lambda: goal.feedback, "the motion")
    assert switch(shared, deactivate=[ARM]).ok
    result = goal.result()
    assert result.status == GoalStatus.STATUS_ABORTED
    assert result.code == FollowJointTrajectory.Result.INVALID_GOAL


@pytest.mark.parametrize("strictness", [STRICT, BEST_EFFORT, 0, SwitchController.Request.AUTO])
def test_what_is_so_already_is_done(shared, strictness: int):
    assert switch(shared, activate=[ARM, BROADCASTER], strictness=strictness).ok
    assert switch(shared, strictness=strictness).ok


def test_a_strict_switch_with_an_impossible_member_changes_nothing(shared):
    for lists in ({"deactivate": [ARM, "nobody"]}, {"deactivate": [ARM, BROADCASTER]}):
        answer = switch(shared, **lists)
        assert not answer.ok and lists["deactivate"][1] in answer.message
        assert state_of(shared) == "active"


def test_with_the_best_effort_the_rest_is_done_and_the_answer_says_what_was_not(shared):
    answer = switch(shared, deactivate=[ARM, "nobody"], strictness=BEST_EFFORT)
    assert answer.ok and "`nobody`" in answer.message
    assert state_of(shared) == "inactive"
    assert not switch(shared, deactivate=["nobody"], strictness=BEST_EFFORT).ok


@pytest.mark.parametrize("strictness", [STRICT, BEST_EFFORT])
def test_a_controller_in_both_lists_is_refused(shared, strictness: int):
    answer = switch(shared, activate=[ARM], deactivate=[ARM], strictness=strictness)
    assert not answer.ok and f"`{ARM}`" in answer.message
    assert state_of(shared) == "active"


def test_an_unknown_strictness_is_refused(shared):
    answer = switch(shared, deactivate=[ARM], strictness=7)
    assert not answer.ok and "strictness is 7" in answer.message
    assert state_of(shared) == "active"


def test_joint_states_cannot_be_switched_off_and_the_log_says_why(shared):
    with log_of_manager(shared) as wait_for:
        answer = switch(shared, deactivate=[BROADCASTER])
        assert not answer.ok and "joint states" in answer.message
        wait_for(BROADCASTER, "joint states")
    assert state_of(shared, BROADCASTER) == "active"


# Loading.


def test_a_controller_goes_off_the_list_and_back_to_work(shared):
    assert switch(shared, deactivate=[ARM]).ok
    assert ask(shared, CleanupController, name=ARM).ok
    arm = controllers(shared)[ARM]
    assert (arm.state, arm.required_state_interfaces) == ("unconfigured", [])
    assert not switch(shared, activate=[ARM]).ok
    assert ask(shared, UnloadController, name=ARM).ok
    assert ARM not in controllers(shared)
    assert ask(shared, LoadController, name=ARM).ok
    assert state_of(shared) == "unconfigured"
    assert ask(shared, ConfigureController, name=ARM).ok
    assert state_of(shared) == "inactive"
    assert switch(shared, activate=[ARM]).ok
    shared.move_to(0.2, 0.3)


@pytest.mark.parametrize(
    ("type", "name", "words"),
    [
        (LoadController, "nobody", ["`nobody`", ARM, BROADCASTER]),
        (LoadController, ARM, ["loaded already"]),
        (UnloadController, ARM, ["active", "deactivate it first"]),
        (CleanupController, ARM, ["active", "deactivate it first"]),
        (ConfigureController, "nobody", ["`nobody`"]),
        (ReloadControllerLibraries, None, ["part of the program"]),
    ],
)
def test_what_makes_no_sense_is_refused_and_the_log_says_why(shared, type, name: str | None, words: list[str]):
    with log_of_manager(shared) as wait_for:
        assert not ask(shared, type, **({} if name is None else {"name": name})).ok
        wait_for(*words)
    assert state_of(shared) == "active"


def test_a_controller_that_is_active_counts_as_configured_so_that_a_spawner_goes_on(shared):
    for name in (ARM, BROADCASTER):
        assert name in controllers(shared)
        assert ask(shared, ConfigureController, name=name).ok
        assert switch(shared, activate=[name]).ok


# Hardware.


def test_hardware_gets_inactive_as_its_policy_says_and_active_by_torque_on(shared):
    if shared.shape == "separate":
        with log_of_manager(shared) as wait_for:
            answer = set_hardware(shared, State.PRIMARY_STATE_INACTIVE)
            assert not answer.ok and answer.state.label == "active"
            wait_for("hardware_node/torque")
        return
    answer = set_hardware(shared, State.PRIMARY_STATE_INACTIVE)
    assert answer.ok and (answer.state.id, answer.state.label) == (State.PRIMARY_STATE_INACTIVE, "inactive")
    assert not any(shared.control.column("torque"))
    assert component(shared).state.label == "inactive"
    answer = set_hardware(shared, label="active")
    assert answer.ok and answer.state.id == State.PRIMARY_STATE_ACTIVE
    shared.move_to(0.1, 0.3)


def test_torque_that_somebody_else_switched_is_seen_in_the_list(shared):
    for on, state in ((False, "inactive"), (True, "active")):
        assert shared.client.call(SetBool, "hardware_node/torque", data=on).success
        shared.client.spin_until(lambda state=state: component(shared).state.label == state, state)


def test_hardware_in_an_emergency_stop_is_not_activated_and_the_answer_comes_at_once(shared):
    if shared.shape == "separate":
        return
    assert shared.client.call(Trigger, "hardware_node/emergency_stop").success
    with log_of_manager(shared) as wait_for:
        answer = ask(
            shared, SetHardwareComponentState, timeout=3.0, name="servo_bus", target_state=State(label="active")
        )
        assert not answer.ok and answer.state.label == "inactive"
        wait_for("EmergencyStop")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"label": "active", "name": "arm_bus"}, ["`arm_bus`", "servo_bus"]),
        ({"id": State.PRIMARY_STATE_FINALIZED}, ["target state 4"]),
        ({"label": "asleep"}, ["`asleep`"]),
        ({"label": "unconfigured"}, []),
    ],
)
def test_a_state_that_hardware_cannot_have_is_refused(shared, fields: dict, words: list[str]):
    with log_of_manager(shared) as wait_for:
        answer = set_hardware(shared, **fields)
        assert not answer.ok and answer.state.label == "active"
        wait_for(*words)


# Load.


def test_a_flood_of_questions_is_answered_while_the_arm_moves_to_its_goal(shared):
    """That it costs the cycle nothing follows from the structure: the control thread knows nothing of the manager."""
    shared.move_to(0.0)
    goal = shared.follow.send(to(0.5, 2.0))
    answered = 0
    end = time.monotonic() + 1.9
    while time.monotonic() < end:
        assert state_of(shared) == "active"
        answered += 1
    result = goal.result()
    assert result.status == GoalStatus.STATUS_SUCCEEDED, result
    assert 20 < answered
