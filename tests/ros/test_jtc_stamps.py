"""When a trajectory starts: now, later, a while ago, or too long ago."""

import pytest

from jtc import PROMPT, assert_aborted, assert_reached, motion, now

pytest.importorskip("rclpy", reason="rclpy is not importable")

from control_msgs.action import FollowJointTrajectory  # noqa: E402

Code = FollowJointTrajectory.Result


def test_a_stamp_of_zero_is_now(jtc):
    asked = now()
    assert_reached(jtc.send(motion((0.3, 0.2, 0.0))).result())
    assert jtc.curve("shoulder_pan").begin - asked < 0.2


@pytest.mark.parametrize("way", ["action", "topic"])
def test_a_trajectory_of_the_future_waits_for_its_time(jtc, way: str):
    start = now() + 0.4
    later = motion((0.3, 0.3, 0.0), stamp=start)
    if way == "action":
        assert_reached(jtc.send(later).result())
    else:
        jtc.publish(later)
        jtc.wait_until_beyond(0.2999)
    jtc.wait_until_rest()
    curve = jtc.curve("shoulder_pan")
    assert curve.begin == pytest.approx(start, abs=PROMPT)
    assert curve.end == pytest.approx(start + 0.3, abs=PROMPT)
    assert curve.at(start - 0.02) == 0.0


def test_a_trajectory_that_began_a_while_ago_is_joined_in_the_middle(jtc):
    start = now() - 0.3
    goal = jtc.send(motion((0.1, -0.02), (0.2, 0.02), (0.8, 0.3), stamp=start))
    assert_reached(goal.result())
    jtc.wait_until_rest()
    curve = jtc.curve("shoulder_pan")
    assert curve.end == pytest.approx(start + 0.8, abs=PROMPT), "it ends when it should"
    assert curve.positions.min() > -0.005, "points of the past are left out"
    assert jtc.rest() == pytest.approx([0.3] * 5, abs=1e-6)
    curve.assert_smooth()


def test_a_trajectory_that_began_a_while_ago_takes_over_from_a_motion(jtc):
    first = jtc.send(motion((1.0, 0.6, 0.0)))
    jtc.wait_until_beyond(0.1)
    start = now() - 0.4
    second = jtc.send(motion((0.2, 0.2), (0.7, 0.3), (1.3, 0.1), stamp=start))
    assert_reached(second.result())
    assert first.result().code == Code.INVALID_GOAL
    jtc.wait_until_rest()
    curve = jtc.curve("shoulder_pan")
    curve.assert_smooth()
    assert curve.positions.max() < 0.6
    assert curve.end == pytest.approx(start + 1.3, abs=PROMPT)


def test_a_trajectory_that_is_over_is_refused_and_the_motion_under_way_goes_on(jtc):
    moving = jtc.send(motion((0.6, 0.4, 0.0)))
    jtc.wait_until_beyond(0.05)
    result = jtc.send(motion((0.2, -0.5), (0.4, -0.6), stamp=now() - 1.0)).result()
    assert_aborted(result, Code.OLD_HEADER_TIMESTAMP, "Received trajectory with non-zero start time")
    assert "past" in result.text
    assert_reached(moving.result())
    assert jtc.curve("shoulder_pan").positions.min() >= 0.0


def test_a_trajectory_from_the_topic_that_is_over_is_ignored_with_a_reason(jtc):
    with jtc.says("refused.*past"):
        jtc.publish(motion((0.4, -0.5), stamp=now() - 10.0))
    jtc.spin_for(0.2)
    assert jtc.references() == [0.0] * 5


def test_a_stamp_of_long_ago_is_no_reason_to_move_quickly(jtc):
    """Almost everything is over: what is left of the time does not suffice, and the limits still hold."""
    goal = jtc.send(motion((0.2, 0.3), (1.0, 0.6), stamp=now() - 0.95))
    result = goal.result()
    jtc.wait_until_rest()
    if result.code == 0:
        assert jtc.rest() == pytest.approx([0.6] * 5, abs=1e-6)
        jtc.curve("shoulder_pan").assert_smooth()
    else:
        # It arrived too late to be joined at all.
        assert result.code == Code.OLD_HEADER_TIMESTAMP


def test_velocities_that_began_a_while_ago_are_integrated_from_their_start(jtc):
    """Their positions follow from each other, also where the first of them are over."""
    with jtc.parameters(allow_integration_in_goal_trajectories=True):
        start = now() - 0.1
        points = [(0.05, None, 0.2), (0.4, None, 0.2), (0.6, None, 0.0), (0.601, None, 0.0)]
        assert_reached(jtc.send(motion(*points, stamp=start)).result())
    jtc.wait_until_rest()
    curve = jtc.curve("shoulder_pan")
    assert curve.positions[-1] == pytest.approx(0.005 + 0.07 + 0.02, abs=2e-3)
    assert curve.end == pytest.approx(start + 0.6, abs=PROMPT)


def test_velocities_that_are_all_over_are_refused(jtc):
    with jtc.parameters(allow_integration_in_goal_trajectories=True):
        result = jtc.send(motion((0.001, None, 0.1), (0.002, None, 0.0), stamp=now() - 10.0)).result()
    assert_aborted(result, Code.OLD_HEADER_TIMESTAMP, "Received trajectory with non-zero start time")
    assert jtc.references() == [0.0] * 5
