"""Cancel, stop and hold: the arm comes to rest within its limits from where its reference is, and stays there."""

import pytest

from arm import ticks
from jtc import (
    ARM_JOINTS,
    CONTROLLER,
    MAX_ACCELERATION,
    assert_aborted,
    assert_reached,
    assert_writes_smooth,
    motion,
    now,
)

pytest.importorskip("rclpy", reason="rclpy is not importable")

from action_msgs.msg import GoalStatus  # noqa: E402
from action_msgs.srv import CancelGoal  # noqa: E402
from control_msgs.action import FollowJointTrajectory  # noqa: E402

Code = FollowJointTrajectory.Result


def under_way(jtc, beyond: float = 0.15, **fields):
    """A goal to 1 rad that is on its way."""
    goal = jtc.send(motion((1.2, 1.0, 0.0)), **fields)
    jtc.wait_until_beyond(beyond)
    return goal


def assert_canceled(goal) -> None:
    result = goal.result()
    assert (result.status, result.code, result.text) == (GoalStatus.STATUS_CANCELED, Code.SUCCESSFUL, "")


def assert_decelerated(jtc, joint: str = "shoulder_pan") -> None:
    """The reference moved on in the same direction, slowed down within the limits, and stopped well before the end."""
    jtc.wait_until_rest()
    curve = jtc.curve(joint)
    curve.assert_smooth()
    assert (curve.velocities >= -1e-9).all(), "it never went back"
    assert 0.15 < curve.positions[-1] < 0.9


def test_a_cancelled_goal_ends_as_canceled_and_the_arm_decelerates(jtc):
    with jtc.control.writes() as writes:
        goal = under_way(jtc)
        answer = goal.cancel()
        assert answer.return_code == CancelGoal.Response.ERROR_NONE
        assert_canceled(goal)
        assert_decelerated(jtc)
        jtc.spin_for(0.05)
        assert_writes_smooth(writes, range(1, 6))


def test_the_place_where_a_cancelled_motion_ends_is_kept(jtc):
    goal = under_way(jtc)
    goal.cancel()
    assert_canceled(goal)
    jtc.wait_until_rest()
    held = jtc.references()
    jtc.clear()
    jtc.spin_for(0.3)
    assert set(jtc.curve("elbow_flex").positions) == {held[2]}
    jtc.wait_until_told(held)


def test_a_cancel_never_calls_the_arm_back_to_where_it_was_measured(jtc):
    jtc.control.ask("block id=1 at=0.05rad")
    with jtc.parameters(constraints__shoulder_pan__trajectory=0.0):
        goal = under_way(jtc, beyond=0.3)
        goal.cancel()
        assert_canceled(goal)
    assert_decelerated(jtc)
    assert jtc.reference("shoulder_pan") > 0.3 > 0.1 > jtc.latest.feedback.positions[0]


def test_the_deceleration_is_the_one_that_the_limits_allow(jtc):
    goal = under_way(jtc, beyond=0.3)
    goal.cancel()
    assert_canceled(goal)
    jtc.wait_until_rest()
    curve = jtc.curve("shoulder_pan")
    hardest = -curve.accelerations().min()
    assert hardest <= MAX_ACCELERATION * 1.1 + 0.5
    # Faster than the planned motion, which brakes with 6 * 1 rad / (1.2 s)^2.
    assert hardest > 2.0 * 6.0 / 1.44


def test_a_goal_that_waits_for_its_start_can_be_cancelled_and_nothing_moves(jtc):
    goal = jtc.send(motion((0.3, 0.5), stamp=now() + 0.4))
    jtc.spin_for(0.1)
    goal.cancel()
    assert_canceled(goal)
    jtc.spin_for(0.6)
    assert jtc.references() == [0.0] * 5


def test_a_goal_that_settles_can_be_cancelled_and_its_place_is_kept(jtc):
    jtc.control.ask("block id=1 at=0.1rad")
    with jtc.parameters(constraints__goal_time=30.0, constraints__shoulder_pan__trajectory=0.0):
        goal = jtc.send(motion((0.2, 0.3, 0.0)))
        jtc.wait_until_beyond(0.2999)
        jtc.spin_for(0.2)
        goal.cancel()
        assert_canceled(goal)
    jtc.spin_for(0.1)
    assert jtc.rest() == pytest.approx([0.3] * 5, abs=1e-6)


def test_a_new_goal_takes_over_while_a_cancelled_one_still_brakes(jtc):
    goal = under_way(jtc, beyond=0.3)
    goal.cancel()
    assert_reached(jtc.send(motion((0.5, 0.0, 0.0))).result())
    assert_canceled(goal)
    jtc.wait_until_rest()
    jtc.curve("shoulder_pan").assert_smooth()
    assert jtc.rest() == pytest.approx([0.0] * 5, abs=1e-6)


def test_an_empty_trajectory_on_the_topic_stops_the_arm_and_ends_the_goal_with_a_reason(jtc):
    goal = under_way(jtc)
    jtc.publish(motion())
    assert_aborted(goal.result(), Code.INVALID_GOAL, "The arm cannot move: told to stop.")
    assert_decelerated(jtc)


def test_an_empty_trajectory_stops_a_motion_from_the_topic_too(jtc):
    jtc.publish(motion((1.2, 1.0, 0.0)))
    jtc.wait_until_beyond(0.15)
    jtc.publish(motion(joints=[]))
    assert_decelerated(jtc)


def test_an_empty_trajectory_ends_a_goal_that_waits_for_its_start(jtc):
    goal = jtc.send(motion((0.3, 0.5), stamp=now() + 0.5))
    jtc.spin_for(0.1)
    jtc.publish(motion())
    assert_aborted(goal.result(), Code.INVALID_GOAL, "The arm cannot move: told to stop.")
    jtc.spin_for(0.6)
    assert jtc.references() == [0.0] * 5


def test_an_empty_goal_is_refused_and_stops_nothing(jtc):
    moving = jtc.send(motion((0.6, 0.5, 0.0)))
    jtc.wait_until_beyond(0.1)
    assert_aborted(jtc.send(motion()).result(), Code.INVALID_GOAL, "Empty trajectory received.")
    assert_reached(moving.result())


def test_the_last_point_is_held_after_success_however_the_joint_sags(jtc):
    jtc.control.ask("load id=2 effort=0.15")
    try:
        assert_reached(jtc.send(motion((0.3, 0.3, 0.0))).result())
        jtc.spin_for(0.3)
        sag = 0.3 - jtc.latest.feedback.positions[1]
        assert abs(sag) > 0.002, "something pulls at the joint"
        assert jtc.rest() == pytest.approx([0.3] * 5, abs=1e-6)
        # And the next motion starts from there, not from where the joint hangs.
        jtc.clear()
        assert_reached(jtc.send(motion((0.3, 0.35, 0.0))).result())
        assert jtc.curve("shoulder_lift").positions.min() >= 0.3 - 1e-6
    finally:
        jtc.control.ask("load id=2 effort=0")


@pytest.fixture
def inactive_again(jtc):
    """The controller is active again afterwards, whatever happens."""
    yield
    jtc.switch(activate=[CONTROLLER], strict=False)


def test_a_deactivated_controller_ends_its_goal_and_refuses_others(jtc, inactive_again):
    goal = under_way(jtc)
    jtc.switch(deactivate=[CONTROLLER])
    assert_aborted(goal.result(), Code.INVALID_GOAL, "Current goal cancelled during deactivate transition.")
    refused = jtc.send(motion((0.3, 0.0))).result()
    assert_aborted(refused, Code.INVALID_GOAL, "Can't accept new action goals. Controller is not running.")
    jtc.client.spin_for(0.3)
    at = jtc.control.column("goal")[:5]
    jtc.client.spin_for(0.2)
    assert jtc.control.column("goal")[:5] == at, "it has come to rest"
    assert ticks(0.15) < at[0] < ticks(0.9)
    jtc.switch(activate=[CONTROLLER])
    assert_reached(jtc.send(motion((0.3, 0.2, 0.0))).result())


def test_a_trajectory_from_the_topic_is_ignored_while_the_controller_is_inactive(jtc, inactive_again):
    jtc.wait_until_told([0.0] * 5)
    jtc.spin_for(0.1)
    jtc.switch(deactivate=[CONTROLLER])
    with jtc.says("not running|not active|inactive"):
        jtc.publish(motion((0.3, 0.5)))
    jtc.client.spin_for(0.5)
    assert jtc.control.column("goal")[:5] == pytest.approx([ticks(0.0)] * 5, abs=1)


@pytest.mark.parametrize(("last_command", "wanted"), [(True, 0.2), (False, 0.4)], ids=["last command", "measured"])
def test_an_activated_controller_starts_where_it_is_told_to(jtc, inactive_again, last_command: bool, wanted: float):
    """A blocked joint is where it was pushed; the parameter says whether that, or the last command, is held."""
    assert_reached(jtc.send(motion((0.2, 0.2, 0.0))).result())
    with jtc.parameters(set_last_command_interface_value_as_state_on_activation=last_command):
        jtc.switch(deactivate=[CONTROLLER])
        jtc.control.ask(f"set id=1 position={round(ticks(0.5))}")
        jtc.control.ask("block id=1 at=0.4rad")
        jtc.client.spin_for(0.1)
        jtc.switch(activate=[CONTROLLER])
        jtc.client.spin_for(0.2)
        assert jtc.reference("shoulder_pan") == pytest.approx(wanted, abs=0.02)
        assert [jtc.reference(joint) for joint in ARM_JOINTS[1:]] == pytest.approx([0.2] * 4, abs=0.03)
