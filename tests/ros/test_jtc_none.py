"""`interpolation_method: none`: the reference is the next point when its time has come, and nothing in between."""

import numpy as np
import pytest

from arm import TICKS_PER_RAD, ticks
from jtc import MAX_VELOCITY, PERIOD, PROMPT, assert_reached, motion

pytest.importorskip("rclpy", reason="rclpy is not importable")


def overlay(_):
    return {"arm_controller": {"interpolation_method": "none"}}


def test_the_reference_jumps_from_point_to_point_and_the_servos_do_not(jtc):
    with jtc.control.writes() as writes:
        assert_reached(jtc.send(motion((0.2, 0.1), (0.4, 0.2), (0.7, 0.3))).result())
        jtc.spin_for(0.3)
        told = np.array(writes.goals(3))
    curve = jtc.curve("elbow_flex")
    # As upstream: nothing until the first point is due, and between two points always the next one.
    places = [float(place) for place in dict.fromkeys(np.round(curve.positions, 9))]
    assert places == [0.0, 0.2, 0.3]
    when = [curve.times[np.argmax(curve.positions > place - 1e-6)] for place in (0.2, 0.3)]
    assert when[1] - when[0] == pytest.approx(0.2, abs=PROMPT)
    assert told[-1] == pytest.approx(ticks(0.3), abs=1)
    assert np.abs(np.diff(told)).max() <= MAX_VELOCITY * PERIOD * TICKS_PER_RAD + 1
    assert np.abs(np.diff(told, 2)).max() <= 3, "within the joint's acceleration"


def test_a_new_goal_takes_over(jtc):
    first = jtc.send(motion((0.2, 0.1), (5.0, 0.3)))
    jtc.wait_until_beyond(0.05)
    assert_reached(jtc.send(motion((0.2, 0.0))).result())
    assert "preempted" in first.result().text
    assert jtc.rest() == pytest.approx([0.0] * 5, abs=1e-9)
