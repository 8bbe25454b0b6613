"""What the arm lives through: signals, lost commands, killed processes, a pulled plug, a silent servo."""

import os
import signal
import time

import pytest

from arm import ARM_JOINTS, FASTEST_STEP_TICKS, IDS, JOINTS, SHAPES, System, ticks, to, trajectory

pytest.importorskip("rclpy", reason="rclpy is not importable")

from action_msgs.msg import GoalStatus  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402
from std_srvs.srv import SetBool, Trigger  # noqa: E402

SIGNALS = [signal.SIGINT, signal.SIGTERM]


def start_moving(system: System, position: float = 1.0, seconds: float = 4.0):
    """A goal that is under way, and far from its end."""
    goal = system.follow.send(to(position, seconds))
    system.client.spin_until(lambda: system.control.state()[1]["goal"] > ticks(0.1), "the motion is under way")
    return goal


def status_of(message: DiagnosticArray, part: str) -> DiagnosticStatus:
    return next(status for status in message.status if status.name.endswith(f": {part}"))


def state(message: DiagnosticArray) -> str:
    return next(pair.value for pair in status_of(message, "arm").values if pair.key == "state")


def wait_for_state(system: System, wanted: str) -> None:
    system.client.next(DiagnosticArray, "/diagnostics", lambda message: state(message) == wanted, timeout=20.0)


@pytest.mark.parametrize("number", SIGNALS, ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(("policy", "torque"), [("hold", 1), ("release", 0)])
@pytest.mark.parametrize("executable", ["arm_node", "hardware_node"])
def test_a_signal_ends_a_node_with_torque_as_configured(start_emulator, executable, policy, torque, number):
    arm = start_emulator("--pace")
    arm.hardware = arm.start(executable, on_shutdown=policy)
    arm.wait_until_holding()
    arm.hardware.send(number)
    assert arm.hardware.wait(5.0) == 0
    assert arm.control.column("torque") == [torque] * 6


@pytest.mark.parametrize("number", SIGNALS, ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_an_idle_controller(start_emulator, number):
    arm = start_emulator()
    controller = arm.start("controller_node")
    controller.wait_until(lambda: is_listening_for_signals(controller.pid), "it listens for signals")
    controller.send(number)
    assert controller.wait(5.0) == 0


def test_servos_that_are_interrupted_with_their_host_are_there_until_it_has_ended(start_emulator):
    arm = start_emulator("--pace")
    arm.hardware = arm.start("arm_node", on_shutdown="release")
    arm.wait_until_holding()
    # As Ctrl-C does it in a terminal, but the host is the last to hear of it.
    arm.emulator.send(signal.SIGINT)
    time.sleep(0.3)
    assert arm.control.column("torque") == [1] * 6
    arm.hardware.send(signal.SIGINT)
    assert arm.hardware.wait(5.0) == 0 and arm.emulator.wait(5.0) == 0
    assert "the port was lost" not in arm.hardware.output


def test_servos_that_are_interrupted_without_a_host_end_at_once(start_emulator):
    idle = start_emulator()
    idle.emulator.send(signal.SIGINT)
    assert idle.emulator.wait(1.0) == 0


def test_controllers_without_hardware_say_so_and_say_when_it_is_there(start_emulator):
    arm = start_emulator("--pace")
    controller = arm.start("controller_node")
    controller.wait_for_line("no joint_states come; is hardware_node running", timeout=20.0)
    hardware = arm.start("hardware_node")
    controller.wait_for_line("joint_states come; the controllers are ready", timeout=20.0)
    hardware.send(signal.SIGKILL)
    controller.wait_for_line("joint_states stopped")
    arm.start("hardware_node")
    controller.wait_until(
        lambda: sum("the controllers are ready" in line for line in controller.lines) == 2,
        "the controllers are ready again",
        timeout=20.0,
    )


def is_listening_for_signals(pid: int) -> bool:
    """Whether SIGTERM is caught, as the kernel tells."""
    caught = next(line for line in open(f"/proc/{pid}/status") if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) & (1 << (signal.SIGTERM - 1)))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_signal_during_a_motion_brings_the_arm_to_rest_and_ends_the_goal(run_arm, shape: str):
    system = run_arm(shape, "--pace")
    with system.control.writes() as writes:
        goal = start_moving(system)
        system.arm.controller.send(signal.SIGINT)
        result = goal.result()
        assert result.status == GoalStatus.STATUS_ABORTED and "stop" in result.text
        assert system.arm.controller.wait(5.0) == 0
        assert_came_to_rest(system, writes, before=ticks(0.9))


def test_lost_commands_let_the_arm_decelerate_and_hold(start_emulator, client):
    arm = start_emulator("--pace")
    arm.hardware = arm.start("hardware_node")
    arm.wait_until_holding()
    system = System(arm, client, "hardware_node")
    with client.publisher(JointState, "joint_commands") as publisher, arm.control.writes() as writes:
        began = time.monotonic()

        def command() -> bool:
            position = 0.5 * (time.monotonic() - began)
            publisher.publish(JointState(name=JOINTS, position=[position] * 6))
            return position > 0.4

        client.spin_until(command, "the end of the commands")
        last = writes.goals(1)[-1]
        assert last > ticks(0.2), "it obeyed"
        assert_came_to_rest(system, writes, before=last + 0.3 * (ticks(1.0) - ticks(0.0)))


def assert_came_to_rest(system: System, writes, before: float) -> None:
    """Every servo went one way in small steps, stopped before that, and holds there."""

    def is_still() -> bool:
        positions = system.control.column("position")
        time.sleep(0.05)
        return system.control.column("position") == positions

    system.client.spin_until(is_still, "the arm is at rest")
    for id in IDS:
        goals = writes.goals(id)
        assert all(before - 1 <= after for before, after in zip(goals, goals[1:])), f"servo {id} went back"
        assert max(after - before for before, after in zip(goals, goals[1:])) <= FASTEST_STEP_TICKS + 1
        assert goals[-1] < before
    assert system.control.column("position") == pytest.approx(system.control.column("goal"), abs=2)
    assert system.control.column("torque") == [1] * 6


def test_the_hardware_holds_when_the_controller_is_killed_and_obeys_the_next_one(run_arm):
    system = run_arm("separate", "--pace")
    with system.control.writes() as writes:
        start_moving(system)
        os.kill(system.arm.controller.pid, signal.SIGKILL)
        # A command timeout, the way to rest, and what a busy machine needs to kill.
        assert_came_to_rest(system, writes, before=writes.goals(1)[-1] + ticks(0.4) - ticks(0.0))
        held = writes.goals(1)[-1]
        assert system.arm.hardware.running and system.arm.ik.running
        system.arm.controller = system.arm.start("controller_node")
        renew(system)
        assert writes.goals(1)[-1] == held, "a new controller moves nothing by itself"
        system.move_to(0.5)
    assert system.control.column("goal")[:5] == pytest.approx([ticks(0.5)] * 5, abs=1)


def test_a_goal_is_aborted_with_a_reason_when_the_hardware_is_killed_and_the_next_one_takes_part_again(run_arm):
    system = run_arm("separate", "--pace")
    goal = start_moving(system)
    os.kill(system.arm.hardware.pid, signal.SIGKILL)
    result = goal.result()
    assert result.status == GoalStatus.STATUS_ABORTED and "joint_states" in result.text
    assert system.control.column("torque") == [1] * 6, "the servos hold by themselves"
    assert system.arm.controller.running and system.arm.ik.running
    system.arm.hardware = system.arm.start("hardware_node")
    renew(system)
    system.move_to(0.0, seconds=1.0)


def test_a_motion_ends_where_it_was_to_end_when_the_node_that_asked_for_it_is_killed(run_arm):
    # Not so quick that it is over before the node is killed, or that the servos are far behind.
    slow = {"arm_controller": {"speed_scaling.initial_scaling_factor": 0.3}}
    system = run_arm("separate", "--pace", overlay=slow)
    # Kept, because what a publisher has said last may be lost with it.
    targets = system.client.node.create_publisher(JointState, "ik_node/target_joints", 10)
    system.client.spin_until(targets.get_subscription_count, "a subscriber of target_joints")
    go_to(system, targets, 1.0)
    system.client.spin_until(lambda: system.control.state()[1]["goal"] > ticks(0.05), "the motion is under way")
    os.kill(system.arm.ik.pid, signal.SIGKILL)
    wait_for_goal(system, 1.0)
    assert system.arm.hardware.running and system.arm.controller.running
    system.arm.ik = system.arm.start("ik_node")
    go_to(system, targets, 0.0)
    wait_for_goal(system, 0.0)


def wait_for_goal(system: System, position: float) -> None:
    is_there = lambda: abs(system.control.state()[1]["goal"] - ticks(position)) <= 1  # noqa: E731
    system.client.spin_until(is_there, f"the end of the motion to {position}", timeout=20.0)


def go_to(system: System, targets, position: float) -> None:
    """Says where to go until the arm sets out: a node that has just come does not know yet where the arm is."""
    before = system.control.state()[1]["goal"]

    def has_set_out() -> bool:
        return 0.02 < abs(system.control.state()[1]["goal"] - before) / (ticks(1.0) - ticks(0.0))

    def moves() -> bool:
        targets.publish(JointState(name=ARM_JOINTS, position=[position] * 5))
        end = time.monotonic() + 1.0
        while not has_set_out() and time.monotonic() < end:
            system.client.spin_for(0.02)
        return has_set_out()

    system.client.spin_until(moves, f"a motion to {position}", timeout=30.0)


def renew(system: System) -> None:
    """Until a node that was started again works with the others."""
    system.follow.close()
    system.follow = type(system.follow)(system.client)
    system.wait_until_ready()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_pulled_plug_is_survived_and_torque_does_not_come_back_by_itself(run_arm, shape: str):
    system = run_arm(shape, "--pace")
    goal = start_moving(system)
    system.control.ask("unplug")
    result = goal.result()
    assert result.status == GoalStatus.STATUS_ABORTED and result.text
    system.arm.hardware.wait_for_line("-> Disconnected: the port was lost")
    wait_for_state(system, "Disconnected")

    with system.control.writes() as writes:
        system.control.ask("replug")
        wait_for_state(system, "Identified")
        assert all(not writes.goals(id) for id in IDS), "nobody asked for torque"
        answer = system.client.call(SetBool, "hardware_node/torque", data=True)
        assert answer.success, answer.message
        for id in IDS:
            goals = writes.goals(id)
            assert max(goals) - min(goals) <= 1, "torque came on without a motion"
    if shape == "separate":
        renew(system)
    system.move_to(0.0, seconds=1.0)


def test_a_silent_servo_is_told_and_the_others_keep_going(run_arm):
    system = run_arm("arm_node", "--pace", misses_to_fault=100_000)
    system.control.ask("fault silent id=3")
    others = [joint for joint in JOINTS if joint != "elbow_flex"]
    system.client.next(JointState, "joint_states", lambda message: list(message.name) == others)
    silent = system.client.next(
        DiagnosticArray,
        "/diagnostics",
        lambda message: state(message) == "Degraded" and status_of(message, "elbow_flex").level != DiagnosticStatus.OK,
    )
    assert status_of(silent, "elbow_flex").level in (DiagnosticStatus.STALE, DiagnosticStatus.WARN)
    assert "silent" in status_of(silent, "elbow_flex").message
    system.arm.hardware.wait_for_line("-> Degraded: .*elbow_flex")

    goal = [0.2 if joint != "elbow_flex" else 0.0 for joint in ARM_JOINTS]
    able = [joint for joint in ARM_JOINTS if joint != "elbow_flex"]
    moved = system.follow.send(trajectory((0.5, [0.2] * 4, [0.0] * 4), joints=able)).result()
    assert moved.status == GoalStatus.STATUS_SUCCEEDED, moved.text
    assert system.control.column("goal")[:5] == pytest.approx([ticks(position) for position in goal], abs=1)

    system.control.ask("clear silent id=3")
    system.client.next(JointState, "joint_states", lambda message: list(message.name) == JOINTS)
    wait_for_state(system, "Holding")
    system.move_to(0.0)


def test_a_servo_that_stays_silent_faults_the_arm_until_it_is_mended_and_reset(run_arm):
    system = run_arm("arm_node", "--pace")
    goal = start_moving(system)
    system.control.ask("fault silent id=5")
    result = goal.result()
    assert result.status == GoalStatus.STATUS_ABORTED and "silent" in result.text
    wait_for_state(system, "Faulted")
    refused = system.client.call(Trigger, "hardware_node/reset")
    assert not refused.success and "answer" in refused.message
    system.control.ask("clear silent id=5")
    system.client.next(JointState, "joint_states", lambda message: list(message.name) == JOINTS)
    answer = system.client.call(Trigger, "hardware_node/reset")
    assert answer.success, answer.message
    system.move_to(0.0, seconds=1.0)
