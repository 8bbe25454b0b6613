"""Tolerances: on the path, at the goal, for how long; those of the configuration, and those that a goal brings."""

import re

import pytest

from arm import duration, ticks, tolerance
from jtc import assert_aborted, assert_reached, motion, seconds

pytest.importorskip("rclpy", reason="rclpy is not importable")

from control_msgs.action import FollowJointTrajectory  # noqa: E402

Code = FollowJointTrajectory.Result
PATH = "Aborted due to path tolerance violation: joint"
GOAL = "Aborted due to goal_time_tolerance exceeding by"


def in_the_way(jtc, joint_id: int = 1, at: float = 0.15) -> None:
    jtc.control.ask(f"block id={joint_id} at={at}rad")


def assert_names(text: str, joint: str, allowed: float) -> None:
    """The text says which joint is off by how much, and what would be right."""
    said = re.search(r"joint (\w+) is off by (-?[\d.]+)(?: after ([\d.]+) s)?, tolerance ([\d.]+\d)", text)
    assert said, text
    joint_said, amount, _, tolerance_said = said.groups()
    assert joint_said == joint
    assert abs(float(amount)) >= float(tolerance_said) == allowed


def assert_stops_near_the_reference(jtc, joint: str) -> None:
    """The arm comes to rest on the way, without a jump, and not where the blocked joint stands."""
    jtc.wait_until_rest()
    curve = jtc.curve(joint)
    curve.assert_smooth()
    assert 0.2 < curve.positions[-1] < 0.95
    assert curve.positions[-1] == curve.positions.max(), "it went on, never back"


def test_a_joint_off_its_path_ends_the_goal_with_its_name_the_amount_and_the_tolerance(jtc):
    in_the_way(jtc)
    result = jtc.send(motion((1.0, 1.0, 0.0)), path_tolerance=[tolerance("shoulder_pan", 0.1)]).result()
    assert_aborted(result, Code.PATH_TOLERANCE_VIOLATED, PATH)
    assert_names(result.text, "shoulder_pan", 0.1)
    assert re.search(r"after 0\.\d+ s", result.text)
    assert_stops_near_the_reference(jtc, "shoulder_pan")


def test_the_path_tolerances_of_the_configuration_count_where_a_goal_has_none(jtc):
    in_the_way(jtc)
    with jtc.parameters(constraints__shoulder_pan__trajectory=0.12):
        result = jtc.send(motion((1.0, 1.0, 0.0))).result()
    assert_aborted(result, Code.PATH_TOLERANCE_VIOLATED, PATH)
    assert_names(result.text, "shoulder_pan", 0.12)


def test_a_tolerance_of_zero_keeps_the_default(jtc):
    in_the_way(jtc)
    with jtc.parameters(constraints__shoulder_pan__trajectory=0.12):
        result = jtc.send(motion((1.0, 1.0, 0.0)), path_tolerance=[tolerance("shoulder_pan", 0.0)]).result()
    assert_names(result.text, "shoulder_pan", 0.12)


def test_a_tolerance_of_minus_one_takes_the_default_away(jtc):
    in_the_way(jtc)
    without = [tolerance("shoulder_pan", -1.0)]
    with jtc.parameters(constraints__shoulder_pan__trajectory=0.12):
        result = jtc.send(motion((0.4, 0.6, 0.0)), path_tolerance=without, goal_tolerance=without).result()
    assert_reached(result)


def test_a_goals_tolerances_are_its_own_and_the_next_one_has_the_defaults_again(jtc):
    in_the_way(jtc)
    without = [tolerance("shoulder_pan", -1.0)]
    with jtc.parameters(constraints__shoulder_pan__trajectory=0.12):
        assert_reached(jtc.send(motion((0.3, 0.2, 0.0)), path_tolerance=without, goal_tolerance=without).result())
        result = jtc.send(motion((0.6, 0.8, 0.0))).result()
    assert_names(result.text, "shoulder_pan", 0.12)


@pytest.mark.parametrize("field", ["path_tolerance", "goal_tolerance"])
@pytest.mark.parametrize(
    ("joint", "position", "named"),
    [("wrist_roll", -0.5, "-0.5"), ("elbow", 0.1, "elbow_flex")],
    ids=["negative", "unknown joint"],
)
def test_a_tolerance_that_means_nothing_is_refused(jtc, field: str, joint: str, position: float, named: str):
    result = jtc.send(motion((0.3, 0.2)), **{field: [tolerance(joint, position)]}).result()
    assert_aborted(result, result.code, "")
    assert result.code in (Code.INVALID_GOAL, Code.INVALID_JOINTS)
    assert joint in result.text and named in result.text
    assert not jtc.is_moving()


def test_a_first_point_at_time_zero_that_is_far_away_is_a_violation_at_once(jtc):
    goal = jtc.send(motion((0.0, 0.6), (0.5, 0.7)), path_tolerance=[tolerance("shoulder_pan", 0.1)])
    result = goal.result()
    assert_aborted(result, Code.PATH_TOLERANCE_VIOLATED, PATH)
    assert_names(result.text, "shoulder_pan", 0.1)
    jtc.spin_for(0.1)
    assert jtc.references() == [0.0] * 5, "nothing moves"


def test_a_first_point_at_time_zero_that_is_near_is_followed(jtc):
    assert_reached(jtc.send(motion((0.0, 0.02), (0.4, 0.3))).result())


def test_a_joint_that_does_not_arrive_ends_the_goal_with_its_name_the_amount_and_the_tolerance(jtc):
    in_the_way(jtc, 2)
    result = jtc.send(
        motion((0.3, 0.4, 0.0)),
        path_tolerance=[tolerance("shoulder_lift", -1.0)],
        goal_tolerance=[tolerance("shoulder_lift", 0.05)],
        goal_time_tolerance=duration(0.2),
    ).result()
    assert_aborted(result, Code.GOAL_TOLERANCE_VIOLATED, GOAL)
    assert re.match(rf"{GOAL} 0\.\d+ seconds: joint", result.text), "it is told as soon as the time is over"
    assert_names(result.text, "shoulder_lift", 0.05)
    jtc.wait_until_rest()
    assert jtc.reference("shoulder_lift") == pytest.approx(0.4, abs=1e-6), "the reference stays at the goal"


def test_the_goal_time_of_the_configuration_counts_where_a_goal_has_none(jtc):
    in_the_way(jtc)
    with jtc.parameters(constraints__goal_time=0.1, constraints__shoulder_pan__trajectory=0.0):
        result = jtc.send(motion((0.2, 0.3, 0.0))).result(timeout=3.0)
    assert_aborted(result, Code.GOAL_TOLERANCE_VIOLATED, GOAL)


def test_a_joint_that_arrives_within_the_goal_time_reaches_the_goal(jtc):
    in_the_way(jtc)
    patient = {"goal_time_tolerance": duration(10.0), "path_tolerance": [tolerance("shoulder_pan", -1.0)]}
    goal = jtc.send(motion((0.2, 0.3, 0.0)), **patient)
    jtc.spin_for(0.5)
    assert not goal.ended, "it settles"
    jtc.control.ask("unblock id=1")
    assert_reached(goal.result())


def test_without_a_goal_time_a_goal_waits_for_ever(jtc):
    in_the_way(jtc)
    with jtc.parameters(constraints__goal_time=0.0, cmd_timeout=0.0, constraints__shoulder_pan__trajectory=0.0):
        goal = jtc.send(motion((0.2, 0.3, 0.0)))
        jtc.spin_for(1.6)
        assert not goal.ended
        jtc.control.ask("unblock id=1")
        assert_reached(goal.result())


def test_a_command_timeout_gives_up_a_goal_that_would_wait_for_ever(jtc):
    in_the_way(jtc)
    parameters = {"constraints__goal_time": 0.0, "constraints__shoulder_pan__trajectory": 0.0, "cmd_timeout": 0.3}
    with jtc.parameters(**parameters):
        goal = jtc.send(motion((0.2, 0.3, 0.0)))
        result = goal.result(timeout=5.0)
        ended = seconds(jtc.latest.header.stamp)
    assert_aborted(result, Code.GOAL_TOLERANCE_VIOLATED, GOAL)
    jtc.wait_until_rest()
    assert 0.2 < ended - jtc.curve("elbow_flex").end < 1.0


def test_a_command_timeout_that_is_not_longer_than_the_goal_time_is_ignored_with_a_warning(jtc):
    in_the_way(jtc)
    with jtc.parameters(constraints__goal_time=0.5, constraints__shoulder_pan__trajectory=0.0):
        with jtc.says("cmd_timeout.*ignored"):
            with jtc.parameters(cmd_timeout=0.2):
                goal = jtc.send(motion((0.2, 0.3, 0.0)))
                jtc.spin_for(0.5)
                assert not goal.ended, "0.2 s have passed since the end"
                assert_aborted(goal.result(), Code.GOAL_TOLERANCE_VIOLATED, GOAL)


def test_a_goals_own_time_tolerance_wins_over_the_configured_one(jtc):
    in_the_way(jtc)
    with jtc.parameters(constraints__goal_time=30.0, constraints__shoulder_pan__trajectory=0.0):
        result = jtc.send(motion((0.2, 0.3, 0.0)), goal_time_tolerance=duration(0.1)).result(timeout=5.0)
    assert_aborted(result, Code.GOAL_TOLERANCE_VIOLATED, GOAL)


def test_a_violation_of_a_trajectory_from_the_topic_is_logged_and_the_arm_holds(jtc):
    in_the_way(jtc)
    with jtc.parameters(constraints__shoulder_pan__trajectory=0.1):
        with jtc.says("path tolerance violation.*shoulder_pan"):
            jtc.publish(motion((1.0, 1.0, 0.0)))
    assert_stops_near_the_reference(jtc, "shoulder_pan")


def test_a_goal_time_that_is_over_is_logged_for_a_trajectory_from_the_topic(jtc):
    in_the_way(jtc)
    with jtc.parameters(constraints__goal_time=0.1, constraints__shoulder_pan__trajectory=0.0):
        with jtc.says("goal_time_tolerance.*shoulder_pan"):
            jtc.publish(motion((0.2, 0.3, 0.0)))
    jtc.wait_until_rest()
    assert jtc.reference("shoulder_pan") == pytest.approx(0.3, abs=1e-6)


def test_tolerances_are_not_judged_while_the_arm_holds(jtc):
    assert_reached(jtc.send(motion((0.2, 0.1, 0.0))).result())
    seen = len(jtc.system.arm.controller.lines)
    with jtc.parameters(constraints__shoulder_pan__trajectory=0.02, constraints__shoulder_pan__goal=0.02):
        jtc.control.ask(f"set id=1 position={round(ticks(0.5))}")
        jtc.until(lambda: jtc.latest.feedback.positions[0] > 0.2, "the joint was pushed away")
        jtc.spin_for(0.2)
    assert jtc.rest() == pytest.approx([0.1] * 5, abs=1e-6), "the reference is held"
    assert not [line for line in jtc.system.arm.controller.lines[seen:] if "tolerance violation" in line]
    there = pytest.approx([ticks(0.1)] * 5, abs=30)
    jtc.until(lambda: jtc.control.column("position")[:5] == there, "the joint is back")


@pytest.mark.parametrize("stopped", [0.0, 1e-6], ids=["off", "tiny"])
def test_the_stopped_velocity_tolerance_is_inert_with_position_commands(jtc, stopped: float):
    with jtc.parameters(constraints__stopped_velocity_tolerance=stopped):
        assert_reached(jtc.send(motion((0.2, 0.2, 0.0))).result())
