"""A new motion while another is under way: what becomes of the old one, and how the reference goes over to the new."""

import pytest

from jtc import PROMPT, assert_aborted, assert_reached, assert_writes_smooth, motion, now, seconds

pytest.importorskip("rclpy", reason="rclpy is not importable")

from control_msgs.action import FollowJointTrajectory  # noqa: E402

Code = FollowJointTrajectory.Result
BY_ACTION = "Current goal preempted by new incoming action."
BY_TOPIC = "Current goal preempted by a trajectory from the topic."
# Two joints go one way, the other three may be told something else.
SOME, OTHERS = ["shoulder_pan", "shoulder_lift"], ["elbow_flex", "wrist_flex", "wrist_roll"]


@pytest.fixture(autouse=True)
def partial_goals(jtc):
    with jtc.parameters(allow_partial_joints_goal=True):
        yield


def under_way(jtc, *points, beyond: float = 0.1):
    goal = jtc.send(motion(*(points or [(1.2, 1.0, 0.0)])))
    jtc.wait_until_beyond(beyond)
    return goal


def assert_all_smooth(jtc) -> None:
    jtc.wait_until_rest()
    for joint in ("shoulder_pan", "wrist_roll"):
        jtc.curve(joint).assert_smooth()


def test_a_new_goal_ends_the_one_before_and_takes_over_without_a_jump(jtc):
    with jtc.control.writes() as writes:
        first = under_way(jtc)
        second = jtc.send(motion((0.6, 0.2, 0.0)))
        assert_aborted(first.result(), Code.INVALID_GOAL, BY_ACTION)
        assert_reached(second.result())
        assert_all_smooth(jtc)
        assert_writes_smooth(writes, range(1, 6))
    assert jtc.rest() == pytest.approx([0.2] * 5, abs=1e-6)


@pytest.mark.parametrize("fields", [[], [0.0], [0.0, 0.0]], ids=["positions", "velocities", "accelerations"])
def test_the_new_motion_begins_with_the_velocity_of_the_old_one(jtc, fields):
    first = under_way(jtc, (0.6, 0.6, 1.0), (1.2, 1.2, 0.0), beyond=0.4)
    before = jtc.latest.reference.velocities[0]
    handed_over = len(jtc.states)
    second = jtc.send(motion((0.5, 0.8, *fields)))
    assert_reached(second.result())
    assert_aborted(first.result(), Code.INVALID_GOAL, BY_ACTION)
    assert before > 0.8
    least = min(state.reference.velocities[0] for state in jtc.states[handed_over : handed_over + 10])
    assert least > 0.5 * before, "it did not stop in between"
    assert_all_smooth(jtc)


def test_the_new_motion_begins_at_the_reference_and_not_where_the_joint_was_measured(jtc):
    jtc.control.ask("block id=1 at=0.05rad")
    with jtc.parameters(constraints__shoulder_pan__trajectory=0.0, constraints__shoulder_pan__goal=0.0):
        first = under_way(jtc, beyond=0.4)
        assert jtc.latest.feedback.positions[0] < 0.1
        second = jtc.send(motion((0.5, 0.7, 0.0)))
        assert_reached(second.result())
    assert_aborted(first.result(), Code.INVALID_GOAL, BY_ACTION)
    assert_all_smooth(jtc)
    curve = jtc.curve("shoulder_pan")
    assert curve.between(curve.passes(0.4), curve.times[-1]).positions.min() >= 0.39


def test_a_reversal_at_speed_stays_within_the_limits(jtc):
    under_way(jtc, (0.5, 1.0, 0.0), beyond=0.5)
    assert_reached(jtc.send(motion((0.5, 0.0, 0.0))).result())
    assert_all_smooth(jtc)


def test_a_new_goal_with_a_later_start_lets_the_old_motion_go_on_until_then(jtc):
    first = jtc.send(motion((0.4, 0.4, 0.0), (0.8, 0.0, 0.0)))
    jtc.wait_until_beyond(0.02)
    start = now() + 0.5
    second = jtc.send(motion((0.4, -0.3, 0.0), stamp=start))
    assert_aborted(first.result(), Code.INVALID_GOAL, BY_ACTION)
    assert seconds(jtc.latest.header.stamp) > start - 0.05, "it ends when the new motion begins"
    assert_reached(second.result())
    assert_all_smooth(jtc)
    curve = jtc.curve("shoulder_pan")
    assert curve.positions.max() == pytest.approx(0.4, abs=0.01), "the old way was gone, to its turning point"
    assert curve.at(start + 0.4) == pytest.approx(-0.3, abs=0.03)
    assert curve.at(start) > 0.0


def test_a_motion_that_ends_before_the_new_one_starts_is_reached_and_held(jtc):
    first = jtc.send(motion((0.3, 0.2, 0.0)))
    start = now() + 0.8
    second = jtc.send(motion((0.3, 0.4, 0.0), stamp=start))
    assert_reached(first.result())
    assert_reached(second.result())
    curve = jtc.curve("shoulder_pan")
    assert curve.at(start - 0.02) == pytest.approx(0.2, abs=1e-6)
    assert_all_smooth(jtc)


def test_joints_that_a_new_goal_leaves_out_finish_their_old_motion(jtc):
    first = under_way(jtc, (0.6, 0.4), (1.2, 0.8))
    second = jtc.send(motion((0.2, 0.15, 0.0), joints=SOME))
    assert_aborted(first.result(), Code.INVALID_GOAL, BY_ACTION)
    assert_reached(second.result())
    at_the_end = jtc.reference("elbow_flex")
    jtc.wait_until_rest()
    assert jtc.rest() == pytest.approx([0.15, 0.15, 0.8, 0.8, 0.8], abs=1e-6)
    assert at_the_end < 0.7, "the old motion outlasts the new one"
    curve = jtc.curve("elbow_flex")
    assert curve.end - curve.begin == pytest.approx(1.2, abs=PROMPT), "in its old time"
    steady = curve.between(curve.passes(0.3), curve.passes(0.7))
    assert steady.velocities.min() > 0.5, "it did not stop in between"
    assert_all_smooth(jtc)


def test_joints_that_are_left_out_come_to_rest_where_replacement_is_not_allowed(jtc):
    with jtc.parameters(allow_trajectory_replacement=False):
        first = under_way(jtc, (1.2, 0.8, 0.0))
        second = jtc.send(motion((0.3, 0.3, 0.0), joints=SOME))
        assert_aborted(first.result(), Code.INVALID_GOAL, BY_ACTION)
        assert_reached(second.result())
    jtc.wait_until_rest()
    assert 0.1 < jtc.reference("elbow_flex") < 0.4
    assert jtc.reference("shoulder_pan") == pytest.approx(0.3, abs=1e-6)
    assert_all_smooth(jtc)


def test_a_new_goal_for_some_joints_may_start_later_and_outlast_the_old_motion(jtc):
    begin = now()
    first = under_way(jtc, (0.7, 0.5, 0.0), beyond=0.02)
    second = jtc.send(motion((0.9, -0.2, 0.0), joints=SOME, stamp=begin + 0.4))
    assert_aborted(first.result(), Code.INVALID_GOAL, BY_ACTION)
    assert_reached(second.result())
    assert_all_smooth(jtc)
    assert jtc.rest() == pytest.approx([-0.2, -0.2, 0.5, 0.5, 0.5], abs=1e-6)
    left_out, told = jtc.curve("elbow_flex"), jtc.curve("shoulder_pan")
    assert left_out.end - left_out.begin == pytest.approx(0.7, abs=PROMPT)
    # Both went the same way until the handover, where the joint was about half way, and not at the old goal.
    half_way = left_out.at(begin + 0.4)
    assert told.at(begin + 0.4) == pytest.approx(half_way, abs=0.03)
    assert told.positions.max() < 0.5


def test_successive_handovers_end_at_the_last_goal(jtc):
    goals = [under_way(jtc, (1.0, 0.5), (2.0, 0.5), beyond=0.05)]
    goals.append(jtc.send(motion((0.5, -0.3, 0.0), stamp=now() + 0.2)))
    jtc.until(lambda: goals[0].ended, "the first handover")
    jtc.spin_for(0.1)
    last = jtc.send(motion((0.5, 0.4, 0.0)))
    assert_reached(last.result())
    for goal in goals:
        assert_aborted(goal.result(), Code.INVALID_GOAL, BY_ACTION)
    assert jtc.rest() == pytest.approx([0.4] * 5, abs=1e-6)
    assert_all_smooth(jtc)


def test_a_goal_with_an_earlier_start_replaces_one_that_waits(jtc):
    waiting = jtc.send(motion((0.3, 0.9, 0.0), stamp=now() + 0.6))
    jtc.spin_for(0.1)
    goal = jtc.send(motion((0.3, -0.2, 0.0), stamp=now() + 0.1))
    assert_aborted(waiting.result(), Code.INVALID_GOAL, BY_ACTION)
    assert_reached(goal.result())
    jtc.spin_for(0.5)
    assert jtc.curve("shoulder_pan").positions.max() < 0.1, "it never set out for the goal that was replaced"


def test_a_handover_at_half_speed_is_no_jump(jtc):
    jtc.scale(0.5)
    jtc.until(lambda: jtc.latest.speed_scaling_factor == 0.5, "half speed")
    first = under_way(jtc, (0.5, 0.4, 0.6), (1.0, 0.8, 0.0), beyond=0.2)
    at = jtc.reference("shoulder_pan")
    handed_over = len(jtc.states)
    second = jtc.send(motion((0.4, 0.0, 0.0)))
    assert_reached(second.result())
    assert_aborted(first.result(), Code.INVALID_GOAL, BY_ACTION)
    after = [state.reference.positions[0] for state in jtc.states[handed_over : handed_over + 6]]
    assert after == pytest.approx([at] * len(after), abs=0.1)
    assert_all_smooth(jtc)


def test_a_trajectory_from_the_topic_takes_over_from_a_goal_and_ends_it_with_a_reason(jtc):
    goal = under_way(jtc)
    jtc.publish(motion((0.5, 0.1, 0.0)))
    assert_aborted(goal.result(), Code.INVALID_GOAL, BY_TOPIC)
    jtc.wait_until_rest()
    assert jtc.rest() == pytest.approx([0.1] * 5, abs=1e-6)
    assert_all_smooth(jtc)


def test_a_goal_takes_over_from_a_trajectory_of_the_topic(jtc):
    jtc.publish(motion((1.2, 1.0, 0.0)))
    jtc.wait_until_beyond(0.1)
    assert_reached(jtc.send(motion((0.5, 0.1, 0.0))).result())
    assert_all_smooth(jtc)


def test_a_trajectory_from_the_topic_takes_over_from_another(jtc):
    jtc.publish(motion((1.2, 1.0, 0.0)))
    jtc.wait_until_beyond(0.1)
    jtc.publish(motion((0.4, -0.1, 0.0), joints=SOME))
    jtc.wait_until_rest()
    assert jtc.rest() == pytest.approx([-0.1, -0.1, 1.0, 1.0, 1.0], abs=1e-6)
    assert_all_smooth(jtc)


@pytest.mark.parametrize("way", ["action", "topic"])
def test_a_refused_trajectory_lets_the_motion_under_way_go_on(jtc, way: str):
    goal = under_way(jtc, (0.6, 0.4, 0.0))
    bad = motion((0.3, [0.0]), joints=["elbow"])
    if way == "action":
        assert_aborted(jtc.send(bad).result(), Code.INVALID_JOINTS, "Incoming joint elbow doesn't match")
    else:
        with jtc.says("refused.*elbow"):
            jtc.publish(bad)
    assert_reached(goal.result())
    assert jtc.rest() == pytest.approx([0.4] * 5, abs=1e-6)
    curve = jtc.curve("shoulder_pan")
    assert curve.end - curve.begin == pytest.approx(0.6, abs=PROMPT)
