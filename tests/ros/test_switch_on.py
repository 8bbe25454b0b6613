"""Switching on moves nothing, switching off lets go, and the emergency stop stops; all of it seen on the wire."""

import pytest

from arm import GOAL_POSITION, IDS, TORQUE_ENABLE, TORQUE_LIMIT, System, Writes, ticks, to

pytest.importorskip("rclpy", reason="rclpy is not importable")

from action_msgs.msg import GoalStatus  # noqa: E402
from std_srvs.srv import SetBool, Trigger  # noqa: E402

# What each servo may use at most, as configured (permille).
FULL_TORQUE = {1: 1000, 2: 1000, 3: 1000, 4: 1000, 5: 1000, 6: 500}
POSTURE_RAD = 0.4


def torque(system: System, on: bool):
    return system.client.call(SetBool, "hardware_node/torque", data=on)


def press(system: System, button: str):
    return system.client.call(Trigger, f"hardware_node/{button}")


def first(writes: list, register, is_it=lambda value: True) -> int:
    """Where the first write of such a value into a register is."""
    indices = (i for i, w in enumerate(writes) if (value := w.value(register)) is not None and is_it(value))
    return next(indices)


@pytest.mark.parametrize("executable", ["arm_node", "hardware_node"])
def test_nothing_moves_when_torque_comes_on_away_from_the_old_goals(start_emulator, executable: str):
    arm = start_emulator("--pace", "--posture-rad", str(POSTURE_RAD))
    before = arm.control.state()
    assert all(abs(servo["goal"] - servo["position"]) > 100 for servo in before.values()), "torque alone would jump"
    with arm.control.writes() as writes:
        arm.hardware = arm.start(executable)
        arm.wait_until_holding()
        arm.hardware.wait_until(lambda: torque_limits(arm.control) == FULL_TORQUE, "the torque limits are whole")
        for id, servo in before.items():
            assert_switched_on_in_order(writes, id, standing=servo["position"])
    for id, servo in arm.control.state().items():
        assert abs(servo["position"] - before[id]["position"]) <= 1
        assert servo["torque"] == 1


def assert_switched_on_in_order(writes: Writes, id: int, standing: int) -> None:
    mine = [write for write in writes.all() if write.id == id]
    assert all(abs(goal - standing) <= 1 for goal in writes.goals(id)), f"servo {id} was told to move"
    limits = writes.values(TORQUE_LIMIT, id)
    assert limits == sorted(limits) and limits[0] <= 200 < limits[-1] == FULL_TORQUE[id]
    switched_on = first(mine, TORQUE_ENABLE, bool)
    assert first(mine, GOAL_POSITION) < switched_on, "torque before a goal is a jump"
    assert first(mine, TORQUE_LIMIT) < switched_on
    assert first(mine, TORQUE_LIMIT, lambda limit: limit > 200) > switched_on


def torque_limits(control) -> dict[int, int]:
    return {id: servo["torque_limit"] for id, servo in control.state().items()}


def test_starting_again_and_again_does_not_lower_an_arm_that_holds_under_gravity(start_emulator):
    arm = start_emulator("--pace", "--gravity", "--posture-rad", str(POSTURE_RAD))
    goals = []
    for _ in range(4):
        node = arm.hardware = arm.start("arm_node")
        arm.wait_until_holding()
        assert node.stop() == 0
        assert arm.control.column("torque") == [1] * 6, "the arm holds between two starts"
        goals.append(arm.control.column("goal"))
    assert all(again == goals[0] for again in goals[1:])
    assert all(servo["position"] != servo["goal"] for servo in arm.control.state().values()), "it sags, and yet"


@pytest.fixture
def off(start_emulator, client):
    """An arm without torque."""
    arm = start_emulator("--pace")
    arm.hardware = arm.controller = arm.start("arm_node", torque_on_start=False)
    arm.hardware.wait_for_line("Disconnected -> Identified")
    return System(arm, client, "arm_node")


def test_torque_comes_on_and_goes_off_when_asked(off):
    with off.control.writes() as writes:
        off.client.spin_for(0.5)
        assert not writes.all(), "without torque there is nothing to write"
    assert off.control.column("torque") == [0] * 6
    result = off.follow.send(to(0.2, 0.5)).result()
    assert result.status == GoalStatus.STATUS_ABORTED and "torque" in result.text

    answer = torque(off, True)
    assert answer.success, answer.message
    assert off.control.column("torque") == [1] * 6
    off.move_to(0.2)

    answer = torque(off, False)
    assert answer.success and "Identified" in answer.message, answer.message
    assert off.control.column("torque") == [0] * 6
    assert torque(off, True).success
    off.move_to(0.1)


def test_torque_that_does_not_go_off_is_told(off):
    assert torque(off, True).success
    off.control.ask("fault silent id=3")
    answer = torque(off, False)
    assert not answer.success and "elbow_flex" in answer.message, answer.message
    off.control.ask("clear silent id=3")
    assert torque(off, False).success
    assert off.control.column("torque") == [0] * 6


def test_torque_off_during_a_motion_ends_the_goal_with_a_reason(off):
    torque(off, True)
    goal = off.follow.send(to(1.0, 4.0))
    off.client.spin_until(lambda: off.control.state()[1]["goal"] > ticks(0.1), "the motion is under way")
    assert torque(off, False).success
    result = goal.result()
    assert result.status == GoalStatus.STATUS_ABORTED and "torque is off" in result.text


@pytest.mark.parametrize("shape", ["arm_node", "separate"])
def test_the_emergency_stop_stops_and_stays_until_it_is_reset(run_arm, shape: str):
    system = run_arm(shape, "--pace")
    goal = system.follow.send(to(1.0, 4.0))
    system.client.spin_until(lambda: system.control.state()[1]["goal"] > ticks(0.1), "the motion is under way")
    with system.control.writes() as writes:
        answer = press(system, "emergency_stop")
        assert answer.success and "EmergencyStop" in answer.message
        stopped = [system.wait_until_still(writes, id) for id in IDS]
        assert all(position < ticks(0.9) for position in stopped)

        result = goal.result()
        assert result.status == GoalStatus.STATUS_ABORTED
        assert "emergency stop" in result.text, result.text

        assert not torque(system, True).success
        writes.forget()
        refused = system.follow.send(to(0.0, 0.5)).result()
        assert refused.status == GoalStatus.STATUS_ABORTED
        assert "emergency stop" in refused.text, refused.text
        system.client.spin_until(lambda: all(writes.goals(id) for id in IDS), "goals are written")
        assert all(set(writes.goals(id)) == {position} for id, position in zip(IDS, stopped))

        answer = press(system, "reset")
        assert answer.success, answer.message
    assert system.control.column("goal") == stopped, "a reset moves nothing"
    system.move_to(0.0)


def test_an_emergency_stop_lets_go_where_that_is_configured(run_arm):
    system = run_arm("arm_node", "--pace", on_fault="release")
    assert press(system, "emergency_stop").success
    system.client.spin_until(lambda: system.control.column("torque") == [0] * 6, "torque is off")
    assert press(system, "reset").success
    assert system.control.column("torque") == [0] * 6, "torque never comes back by itself"
    assert torque(system, True).success


def test_a_reset_of_nothing_is_refused_with_a_reason(off):
    answer = press(off, "reset")
    assert not answer.success
    assert "nothing to reset" in answer.message


def test_torque_is_refused_after_an_emergency_stop_with_a_reason(off):
    assert press(off, "emergency_stop").success
    answer = torque(off, True)
    assert not answer.success and "reset" in answer.message
    assert off.control.column("torque") == [0] * 6
