"""The ways to stop an arm from outside, and what /diagnostics tells of servos that are watched."""

import signal

import pytest

from arm import JOINTS, SHAPES, ticks, to

pytest.importorskip("rclpy", reason="rclpy is not importable")

from action_msgs.msg import GoalStatus  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from std_msgs.msg import Bool  # noqa: E402
from std_srvs.srv import SetBool, Trigger  # noqa: E402
from test_survival import assert_came_to_rest, start_moving, status_of, wait_for_state  # noqa: E402

# Where the arm rests, away from where it starts (rad).
FAR = 1.2


def reset(system) -> None:
    answer = system.client.call(Trigger, "hardware_node/reset")
    assert answer.success, answer.message
    wait_for_state(system, "Holding")


@pytest.mark.parametrize("shape", SHAPES)
def test_the_topic_and_sigusr1_stop_the_arm_until_a_reset(run_arm, shape: str):
    system = run_arm(shape, "--pace")
    with system.client.publisher(Bool, "hardware_node/emergency_stop") as button, system.control.writes() as writes:
        button.publish(Bool(data=False))
        goal = start_moving(system)
        button.publish(Bool(data=True))
        system.arm.hardware.wait_for_line("-> EmergencyStop")
        assert_came_to_rest(system, writes, before=ticks(0.9))
        result = goal.result()
        assert result.status == GoalStatus.STATUS_ABORTED and "emergency stop" in result.text
        button.publish(Bool(data=False))
        wait_for_state(system, "EmergencyStop")
    reset(system)

    system.arm.hardware.send(signal.SIGUSR1)
    system.arm.hardware.wait_for_line("by SIGUSR1")
    wait_for_state(system, "EmergencyStop")
    refused = system.follow.send(to(0.2, 1.0)).result()
    assert refused.status == GoalStatus.STATUS_ABORTED and "emergency stop" in refused.text
    assert len(set(system.control.column("goal"))) <= len(JOINTS)
    reset(system)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_emergency_stop_is_heard_while_a_node_that_ends_leads_its_arm_to_rest(run_arm, shape: str):
    # Slowly: the way to rest goes at a fifth of this.
    slow = {"joint_limits__shoulder_pan__has_velocity_limits": True, "joint_limits__shoulder_pan__max_velocity": 0.5}
    system = run_arm(shape, "--pace", on_shutdown="rest", rest_pose=[FAR] * len(JOINTS), **slow)
    node = system.arm.hardware
    node.send(signal.SIGINT)
    node.wait_for_line("Holding -> Resting: the node stops")
    refused = system.client.call(SetBool, "hardware_node/torque", data=True)
    assert not refused.success and "the node stops" in refused.message
    stopped = system.client.call(Trigger, "hardware_node/emergency_stop")
    assert stopped.success and "EmergencyStop" in stopped.message
    assert node.wait(5.0) == 0
    assert system.control.column("torque") == [1] * len(JOINTS)
    assert all(goal < ticks(FAR / 2) for goal in system.control.column("goal"))


def test_a_hot_servo_is_told_with_its_joint_slows_the_arm_down_and_cools_again(run_arm):
    system = run_arm("arm_node", "--pace", watch__temperature__delay_s=0.1)
    assert system.arm.hardware.wait_for_line("have no watchdog")
    system.control.ask("set id=2 temperature=69")
    system.arm.hardware.wait_for_line("joint `shoulder_lift`: temperature is .*: trip")
    told = system.client.next(
        DiagnosticArray,
        "/diagnostics",
        lambda message: status_of(message, "shoulder_lift").level == DiagnosticStatus.ERROR,
    )
    assert "temperature: trip" in status_of(told, "shoulder_lift").message
    assert status_of(told, "elbow_flex").level == DiagnosticStatus.OK
    values = {pair.key: pair.value for pair in status_of(told, "arm").values}
    assert (values["state"], values["speed_factor"]) == ("Degraded", "0.25")
    assert "shoulder_lift" in status_of(told, "arm").message
    system.control.ask("set id=2 temperature=30")
    wait_for_state(system, "Holding")
