"""A joint that turns for ever: the shortest way at the start, and errors by the shorter way round."""

import math
import re

import pytest

from arm import tolerance
from harness import ROOT
from jtc import ARM_JOINTS, assert_aborted, assert_reached, motion

pytest.importorskip("rclpy", reason="rclpy is not importable")

from control_msgs.action import FollowJointTrajectory  # noqa: E402

Code = FollowJointTrajectory.Result
ENDLESS = "wrist_roll"


def overlay(folder):
    """The shipped arm with a wrist that turns for ever, and of which the URDF gives no limit at all."""
    text = (ROOT / "urdf/so101.urdf").read_text()
    pattern = rf'(<joint name="{ENDLESS}" type=)"revolute"(.*?)<limit [^>]*/>'
    endless, count = re.subn(pattern, r'\1"continuous"\2', text, count=1, flags=re.DOTALL)
    assert count == 1
    path = folder / "endless.urdf"
    path.write_text(endless)
    limits = {ENDLESS: {"has_velocity_limits": True, "max_velocity": 5.4}}
    return {"/**": {"urdf": str(path), "joint_limits": limits}}


def only(position: float, joint: str = ENDLESS) -> list[float]:
    return [position if name == joint else 0.0 for name in ARM_JOINTS]


def test_a_full_turn_is_no_way_at_all(jtc):
    with jtc.control.writes() as writes:
        assert_reached(jtc.send(motion((0.3, only(math.tau), 0.0))).result())
        jtc.spin_for(0.1)
        assert len(set(writes.goals(5))) == 1
    jtc.wait_until_rest()
    assert jtc.reference(ENDLESS) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("turns", [-2, -1, 1, 3])
def test_the_way_to_the_first_point_is_the_shorter_one(jtc, turns: int):
    assert_reached(jtc.send(motion((0.3, only(0.4 + turns * math.tau), 0.0))).result())
    jtc.wait_until_rest()
    curve = jtc.curve(ENDLESS)
    assert curve.positions[-1] == pytest.approx(0.4, abs=1e-6)
    assert -1e-6 <= curve.positions.min() and curve.positions.max() <= 0.4 + 1e-6
    jtc.wait_until_told(only(0.4))


def test_points_after_the_first_are_as_far_as_they_say(jtc):
    """Only the whole trajectory is shifted; within it a client may ask for any way."""
    assert_reached(jtc.send(motion((0.4, only(0.5 + math.tau), 0.0), (0.8, only(1.0 + math.tau), 0.0))).result())
    jtc.wait_until_rest()
    assert jtc.curve(ENDLESS).positions[-1] == pytest.approx(1.0, abs=1e-6)


def test_errors_are_the_shorter_way_round(jtc):
    """With a tolerance on the path that the longer way round would violate at once."""
    narrow = [tolerance(ENDLESS, 0.2)]
    goal = jtc.send(motion((0.5, only(0.5 - math.tau), 0.0)), path_tolerance=narrow, goal_tolerance=narrow)
    assert_reached(goal.result())
    error = [abs(state.error.positions[4]) for state in jtc.states]
    assert max(error) < 0.2


def test_a_violation_names_the_shorter_way_round(jtc):
    jtc.control.ask("block id=5 at=0.05rad")
    goal = jtc.send(motion((0.8, only(0.6 + math.tau), 0.0)), path_tolerance=[tolerance(ENDLESS, 0.1)])
    result = goal.result()
    assert_aborted(result, Code.PATH_TOLERANCE_VIOLATED, "Aborted due to path tolerance violation")
    [amount] = re.findall(rf"joint {ENDLESS} is off by (-?[\d.]+)", result.text)
    # The text is rounded.
    assert 0.1 <= abs(float(amount)) < 0.3


def test_a_first_point_at_time_zero_may_be_a_turn_away(jtc):
    there = motion((0.0, only(math.tau)), (0.3, only(math.tau + 0.2)))
    assert_reached(jtc.send(there, path_tolerance=[tolerance(ENDLESS, 0.1)]).result())
    jtc.wait_until_rest()
    assert jtc.reference(ENDLESS) == pytest.approx(0.2, abs=1e-6)


def test_a_revolute_joint_goes_the_way_that_it_is_told_and_has_ends(jtc):
    result = jtc.send(motion((0.3, only(0.4 + math.tau, "shoulder_pan"), 0.0))).result()
    assert_aborted(result, Code.INVALID_GOAL, "Position of joint shoulder_pan")
    assert_reached(jtc.send(motion((0.4, only(-0.5, "shoulder_pan"), 0.0))).result())
    jtc.wait_until_rest()
    assert jtc.reference("shoulder_pan") == pytest.approx(-0.5, abs=1e-6)


def test_there_is_no_end_of_the_travel(jtc):
    """Beyond the ends that the joint would have otherwise, at the most that a servo can be told."""
    assert_reached(jtc.send(motion((1.2, only(3.0), 0.0))).result())
    jtc.wait_until_told(only(3.0))
