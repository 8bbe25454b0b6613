"""Limits of position, velocity, acceleration and jerk: what becomes of motions that break them, or have no times."""

import math
import random

import numpy as np
import pytest

from arm import TICKS_PER_RAD, ticks
from jtc import (
    ARM_JOINTS,
    MAX_ACCELERATION,
    MAX_VELOCITY,
    PERIOD,
    PROMPT,
    SLACK,
    assert_aborted,
    assert_reached,
    motion,
)

pytest.importorskip("rclpy", reason="rclpy is not importable")

from control_msgs.action import FollowJointTrajectory  # noqa: E402

Code = FollowJointTrajectory.Result
# A joint that is slower than the others, with a limit of jerk.
SLOW = "wrist_roll"
VELOCITY, ACCELERATION, JERK = 2.0, 10.0, 200.0
# The ends of the travel in the URDF.
TRAVEL = {1: 1.91986, 2: 1.74533, 3: 1.69, 4: 1.65806}


def overlay(_):
    """MoveIt's format."""
    slow = {"has_velocity_limits": True, "max_velocity": VELOCITY}
    slow |= {"has_acceleration_limits": True, "max_acceleration": ACCELERATION}
    slow |= {"has_jerk_limits": True, "max_jerk": JERK}
    return {"/**": {"joint_limits": {SLOW: slow}}}


def time_optimal(distance: float) -> float:
    """The shortest time for a move of the slow joint that reaches its velocity."""
    assert distance >= VELOCITY * (VELOCITY / ACCELERATION + ACCELERATION / JERK)
    return distance / VELOCITY + VELOCITY / ACCELERATION + ACCELERATION / JERK


def only(position: float, joint: str = SLOW) -> list[float]:
    return [position if name == joint else 0.0 for name in ARM_JOINTS]


def assert_within_limits(curve, velocity: float, acceleration: float, jerk: float = math.inf) -> None:
    assert abs(curve.velocities).max() <= velocity * 1.01
    accelerations = curve.accelerations()
    assert abs(accelerations).max() <= acceleration * SLACK
    if jerk < math.inf:
        # Over ten periods, because stamps and rounding are worse in single ones.
        span = 10 * PERIOD
        velocities = np.interp(np.arange(curve.times[0], curve.times[-1], span), curve.times, curve.velocities)
        assert np.abs(np.diff(velocities, 2)).max() / span**2 <= jerk * 1.25


@pytest.mark.parametrize("fields", [[], [0.0], [0.0, 0.0]], ids=["positions", "velocities", "accelerations"])
def test_a_trajectory_that_is_too_quick_is_retimed_and_that_is_said(jtc, fields):
    with jtc.says(rf"{SLOW}|times|slower|retimed"):
        result = jtc.send(motion((0.15, only(0.25), *fields), (0.3, only(0.5), *fields))).result()
    assert_reached(result)
    jtc.wait_until_rest()
    curve = jtc.curve(SLOW)
    # Cubics have steps of acceleration at their points, as their client has asked for.
    assert_within_limits(curve, VELOCITY, ACCELERATION, math.inf if fields == [0.0] else JERK)
    assert curve.end - curve.begin > 0.4
    assert curve.positions[-1] == pytest.approx(0.5, abs=1e-6)


def test_a_retimed_trajectory_keeps_its_path(jtc):
    """The joints stay together, though only one of them is too slow."""
    assert_reached(jtc.send(motion((0.3, [0.25, 0.0, 0.0, 0.0, 0.5], 0.0))).result())
    jtc.wait_until_rest()
    slow, other = jtc.curve(SLOW), jtc.curve("shoulder_pan")
    for place in (0.1, 0.2, 0.3, 0.4):
        assert other.at(slow.passes(place)) == pytest.approx(place / 2.0, abs=0.02)


def test_a_trajectory_that_fits_is_executed_as_it_is(jtc):
    seen = len(jtc.system.arm.controller.lines)
    assert_reached(jtc.send(motion((1.2, only(0.5), 0.0))).result())
    jtc.wait_until_rest()
    curve = jtc.curve(SLOW)
    assert curve.end - curve.begin == pytest.approx(1.2, abs=PROMPT)
    assert not [line for line in jtc.system.arm.controller.lines[seen:] if "retimed" in line or "slower" in line]


def test_a_trajectory_that_is_too_quick_is_rejected_where_that_is_asked_for(jtc):
    with jtc.parameters(trajectory_limits="reject"):
        result = jtc.send(motion((0.3, only(0.5), 0.0))).result()
        assert_aborted(result, Code.INVALID_GOAL, "")
        assert SLOW in result.text and any(word in result.text.lower() for word in ("velocity", "acceleration", "jerk"))
        assert sum(character.isdigit() for character in result.text) >= 4, "time, amount and limit"
        jtc.spin_for(0.05)
        assert jtc.references() == [0.0] * 5
        assert_reached(jtc.send(motion((1.2, only(0.5), 0.0))).result())


def test_a_trajectory_that_is_too_quick_is_followed_as_far_as_possible_where_that_is_asked_for(jtc):
    with jtc.parameters(trajectory_limits="shorten"), jtc.control.writes() as writes:
        assert_reached(jtc.send(motion((0.2, [0.8, 0.0, 0.0, 0.0, 0.0], 0.0))).result())
        jtc.wait_until_told([0.8, 0.0, 0.0, 0.0, 0.0])
        told = np.array(writes.goals(1))
    assert np.abs(np.diff(told)).max() <= MAX_VELOCITY * PERIOD * TICKS_PER_RAD + 1
    assert np.abs(np.diff(told, 2)).max() <= 3


def test_a_position_outside_the_travel_is_refused_with_joint_value_and_limit(jtc):
    result = jtc.send(motion((1.0, only(2.5, "elbow_flex")))).result()
    assert_aborted(result, Code.INVALID_GOAL, "Position of joint elbow_flex at point #0 is 2.5000")
    assert "1.6900" in result.text


def test_a_goal_without_times_takes_the_shortest_time_that_the_limits_allow(jtc):
    assert_reached(jtc.send(motion((0.0, only(0.8)))).result())
    jtc.wait_until_rest()
    curve = jtc.curve(SLOW)
    assert_within_limits(curve, VELOCITY, ACCELERATION, JERK)
    assert curve.end - curve.begin == pytest.approx(time_optimal(0.8), abs=PROMPT)
    assert curve.positions[-1] == pytest.approx(0.8, abs=1e-6)


def test_joints_without_times_arrive_together(jtc):
    assert_reached(jtc.send(motion((0.0, [0.2, -0.2, 0.1, 0.3, 0.8]))).result())
    jtc.wait_until_rest()
    assert jtc.rest() == pytest.approx([0.2, -0.2, 0.1, 0.3, 0.8], abs=1e-6)
    ends = [jtc.curve(joint).end for joint in ARM_JOINTS]
    assert max(ends) - min(ends) < 0.06


def test_several_points_without_times_are_passed_without_stopping(jtc):
    places = [0.3, 0.6, 0.9]
    assert_reached(jtc.send(motion(*[(0.0, only(place)) for place in places])).result())
    jtc.wait_until_rest()
    curve = jtc.curve(SLOW)
    assert_within_limits(curve, VELOCITY, ACCELERATION, JERK)
    assert curve.between(curve.passes(0.2), curve.passes(0.7)).velocities.min() > 0.5 * VELOCITY
    assert curve.end - curve.begin == pytest.approx(time_optimal(0.9), rel=0.25)
    assert curve.positions[-1] == pytest.approx(0.9, abs=1e-6)


def test_a_goal_without_times_that_takes_over_begins_with_the_velocity_that_is_there(jtc):
    jtc.send(motion((0.6, [0.6, 0.0, 0.0, 0.0, 0.0])))
    jtc.wait_until_beyond(0.3)
    handed_over = len(jtc.states)
    assert_reached(jtc.send(motion((0.0, [0.9, 0.0, 0.0, 0.0, 0.0]))).result())
    least = min(state.reference.velocities[0] for state in jtc.states[handed_over : handed_over + 10])
    assert least > 0.7
    jtc.wait_until_rest()
    jtc.curve("shoulder_pan").assert_smooth()


@pytest.mark.parametrize("policy", ["retime", "shorten"])
def test_whatever_comes_in_no_command_leaves_the_limits(jtc, policy: str):
    """Random trajectories that stay within the travel and within nothing else, one upon the other."""
    choose = random.Random(7)

    def wild():
        times = sorted(choose.uniform(0.001, 0.6) for _ in range(choose.randint(1, 5)))
        within = lambda: [choose.uniform(-1.6, 1.6) for _ in ARM_JOINTS]  # noqa: E731
        fast = lambda most: [choose.uniform(-most, most) for _ in ARM_JOINTS]  # noqa: E731
        degree = choose.randint(0, 2)
        return motion(*[(at, within(), fast(20.0), fast(500.0))[: 2 + degree] for at in times])

    with jtc.parameters(trajectory_limits=policy, allow_nonzero_velocity_at_trajectory_end=True):
        with jtc.control.writes() as writes:
            for _ in range(12):
                jtc.publish(wild())
                jtc.spin_for(choose.uniform(0.02, 0.12))
            jtc.publish(motion())
            jtc.wait_until_rest(20)
            jtc.spin_for(0.3)
            for id in range(1, 5):
                told = np.array(writes.goals(id))
                assert told.max() - told.min() > 100, "it moved"
                assert np.abs(np.diff(told)).max() <= MAX_VELOCITY * PERIOD * TICKS_PER_RAD + 1
                assert np.abs(np.diff(told, 2)).max() <= MAX_ACCELERATION * PERIOD**2 * TICKS_PER_RAD + 2
                assert ticks(-TRAVEL[id]) - 1 <= told.min() and told.max() <= ticks(TRAVEL[id]) + 1
