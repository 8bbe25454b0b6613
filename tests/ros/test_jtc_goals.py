"""Goals that are reached: one point and several, whatever fields they carry, for all joints or some, in any order."""

import pytest

from jtc import ARM_JOINTS, CONTROLLER, PERIOD, PROMPT, assert_reached, motion, seconds, set_parameter

pytest.importorskip("rclpy", reason="rclpy is not importable")

from action_msgs.msg import GoalStatus  # noqa: E402
from control_msgs.action import FollowJointTrajectory  # noqa: E402

Code = FollowJointTrajectory.Result
PLACES = [0.3, -0.4, 0.5, -0.2, 0.6]
# What a point carries beside positions.
FIELDS = {"positions": [], "velocities": [0.0], "accelerations": [0.0, 0.0]}
each_field = pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)


def assert_held_at(jtc, places: list[float]) -> None:
    """References and servos are there, and stay."""
    jtc.wait_until_rest()
    jtc.clear()
    jtc.spin_for(0.1)
    for joint, place in zip(ARM_JOINTS, places):
        held = jtc.curve(joint).positions
        assert held.min() == pytest.approx(place, abs=1e-6) and held.max() == pytest.approx(place, abs=1e-6), joint
    jtc.wait_until_told(places)


@each_field
def test_a_single_point_is_reached_and_held(jtc, fields):
    assert_reached(jtc.send(motion((0.4, PLACES, *fields))).result())
    assert_held_at(jtc, PLACES)


@each_field
def test_several_points_are_passed_at_their_times_and_the_last_one_is_held(jtc, fields):
    moving = [0.8, *fields[1:]] if fields else []
    goal = jtc.send(motion((0.25, 0.15, *moving), (0.5, 0.35, *moving), (0.75, 0.5, *fields)))
    assert_reached(goal.result())
    jtc.wait_until_rest()
    curve = jtc.curve("elbow_flex")
    assert curve.passes(0.15) - curve.begin == pytest.approx(0.25, abs=PROMPT)
    assert curve.passes(0.35) - curve.passes(0.15) == pytest.approx(0.25, abs=PROMPT)
    assert curve.end - curve.passes(0.35) == pytest.approx(0.25, abs=PROMPT), "the last segment is not cut short"
    assert curve.positions.max() <= 0.5 + 1e-9
    curve.assert_smooth()
    assert_held_at(jtc, [0.5] * 5)


def test_the_result_comes_when_the_last_point_is_due_and_not_before(jtc):
    goal = jtc.send(motion((0.4, 0.3, 0.0)))
    assert_reached(goal.result())
    result_seen = seconds(jtc.latest.header.stamp)
    jtc.wait_until_rest()
    curve = jtc.curve("shoulder_pan")
    assert curve.end - curve.begin == pytest.approx(0.4, abs=PROMPT)
    # As soon as the joints are within the goal tolerance, which a servo's lag does not keep them from.
    assert -5 * PERIOD < result_seen - curve.end < 0.25


def test_a_goal_to_where_the_arm_is_is_reached(jtc):
    assert_reached(jtc.send(motion((0.1, 0.0))).result())
    assert_held_at(jtc, [0.0] * 5)


def test_goals_one_after_the_other_are_all_reached(jtc):
    for place in (0.1, 0.2, 0.1):
        assert_reached(jtc.send(motion((0.15, place, 0.0))).result())
    assert_held_at(jtc, [0.1] * 5)


def test_joints_may_come_in_any_order(jtc):
    jumbled = [2, 4, 0, 3, 1]
    goal = jtc.send(motion((0.4, [PLACES[i] for i in jumbled]), joints=[ARM_JOINTS[i] for i in jumbled]))
    assert_reached(goal.result())
    assert_held_at(jtc, PLACES)


def test_velocities_and_accelerations_are_sorted_with_their_joints(jtc):
    names = ["wrist_roll", "shoulder_pan"]
    with jtc.parameters(allow_partial_joints_goal=True):
        goal = jtc.send(motion((0.3, [0.3, -0.2], [1.0, -0.5], 0.0), (0.6, [0.5, -0.3], 0.0, 0.0), joints=names))
        assert_reached(goal.result())
    for joint, place, velocity in (("wrist_roll", 0.3, 1.0), ("shoulder_pan", -0.2, -0.5)):
        curve = jtc.curve(joint)
        assert curve.velocity_at(curve.passes(place)) == pytest.approx(velocity, abs=0.05), joint


def test_joints_that_are_left_out_keep_their_place(jtc):
    with jtc.parameters(allow_partial_joints_goal=True):
        assert_reached(jtc.send(motion((0.3, [0.3, -0.2]), joints=["elbow_flex", "shoulder_lift"])).result())
    assert_held_at(jtc, [0.0, -0.2, 0.3, 0.0, 0.0])


def test_joints_may_not_be_left_out_where_that_is_not_allowed(jtc):
    with jtc.parameters(allow_partial_joints_goal=False):
        result = jtc.send(motion((0.3, 0.3), joints=["elbow_flex"])).result()
        assert (result.status, result.code) == (GoalStatus.STATUS_ABORTED, Code.INVALID_JOINTS)
        assert result.text.startswith("Joints on incoming trajectory don't match the controller joints")
        assert "wrist_roll" in result.text
    assert_held_at(jtc, [0.0] * 5)


@pytest.mark.parametrize("points", [1, 2], ids=["one point", "two points"])
def test_a_goal_tolerance_that_is_kept_is_no_obstacle(jtc, points: int):
    from arm import tolerance

    within = [tolerance(joint, 0.1) for joint in ARM_JOINTS]
    shape = [(0.2, 0.1), (0.4, 0.2)][-points:]
    assert_reached(jtc.send(motion(*shape), goal_tolerance=within).result())


def test_feedback_tells_how_far_into_the_trajectory_it_is(jtc):
    goal = jtc.send(motion((0.4, 0.2), (0.8, 0.4)))
    assert_reached(goal.result())
    times = [seconds(said.desired.time_from_start) for said in goal.feedback]
    assert len(times) >= 8 and times == sorted(times)
    assert 0.0 <= times[0] < 0.2 and 0.6 < times[-1] < 1.1
    assert all(list(said.joint_names) == ARM_JOINTS for said in goal.feedback)


def test_the_state_tells_how_far_into_the_trajectory_it_is(jtc):
    assert_reached(jtc.send(motion((0.4, 0.3, 0.0))).result())
    under_way = [state for state in jtc.states if 0.05 < state.reference.positions[0] < 0.25]
    assert len(under_way) > 10
    for before, after in zip(under_way, under_way[1:]):
        passed = seconds(after.header.stamp) - seconds(before.header.stamp)
        told = seconds(after.reference.time_from_start) - seconds(before.reference.time_from_start)
        assert told == pytest.approx(passed, abs=PROMPT)


def test_a_goal_with_velocity_at_its_end_is_reached_where_that_is_allowed_and_the_arm_rests_there(jtc):
    with jtc.parameters(allow_nonzero_velocity_at_trajectory_end=True):
        assert_reached(jtc.send(motion((0.3, 0.2, 0.5), (0.6, 0.4, 0.8))).result())
    jtc.wait_until_rest()
    curve = jtc.curve("shoulder_pan")
    assert curve.velocity_at(curve.passes(0.39)) == pytest.approx(0.8, abs=0.1), "it arrived in motion"
    curve.assert_smooth()
    # What the fastest stop from 0.8 rad/s takes, and what jerk and the goal's settling add.
    assert 0.4 <= curve.positions[-1] < 0.45


def test_a_goal_with_velocity_at_its_end_is_refused_where_that_is_not_allowed(jtc):
    set_parameter(jtc.client, "allow_nonzero_velocity_at_trajectory_end", False, CONTROLLER)
    result = jtc.send(motion((0.0, 0.0, 0.4), (0.3, 0.3, [0.0, 0.0, 0.4, 0.0, 0.0]))).result()
    assert (result.status, result.code) == (GoalStatus.STATUS_ABORTED, Code.INVALID_GOAL)
    assert result.text.startswith("Velocity of last trajectory point of joint elbow_flex is not zero: 0.4")
    assert_reached(jtc.send(motion((0.3, 0.1, 0.0))).result())
