"""`positions_upsampling`: chunks of positions from the topic become one smooth spline, timed where they are not."""

import numpy as np
import pytest

from jtc import PERIOD, assert_reached, motion

pytest.importorskip("rclpy", reason="rclpy is not importable")

JOINT = "shoulder_pan"
RATE = 30.0
CHUNK = [0.01, 0.04, 0.09, 0.16, 0.24, 0.32, 0.39, 0.44, 0.47, 0.48]


def overlay(_):
    return {"arm_controller": {"positions_upsampling": {"enable": True, "policy_frequency": RATE}}}


def timed(places: list[float], rate: float = RATE):
    return motion(*[((i + 1) / rate, place) for i, place in enumerate(places)])


def untimed(places: list[float]):
    return motion(*[(0.0, place) for place in places])


def executed(jtc, message, last: float = CHUNK[-1]):
    jtc.publish(message)
    jtc.wait_until_beyond(0.9 * last)
    jtc.wait_until_rest(10)
    return jtc.curve(JOINT)


def assert_one_spline(curve) -> None:
    """Through every point at its time, and without steps of acceleration at the points in between."""
    curve.assert_smooth()
    passed = [curve.passes(place) for place in CHUNK[1:-1]]
    assert np.diff(passed) == pytest.approx([1.0 / RATE] * (len(passed) - 1), abs=PERIOD)
    inner = curve.between(curve.passes(CHUNK[1]), curve.passes(CHUNK[-2]))
    steps = np.abs(np.diff(inner.accelerations()))
    assert steps.max() < 4.0, "accelerations of about 20 rad/s^2 change little by little"
    assert curve.positions[-1] == pytest.approx(CHUNK[-1], abs=1e-6)


def test_positions_with_times_become_one_smooth_spline(jtc):
    assert_one_spline(executed(jtc, timed(CHUNK)))


def test_positions_without_times_come_at_the_rate_of_the_policy(jtc):
    curve = executed(jtc, untimed(CHUNK))
    assert_one_spline(curve)
    assert curve.end - curve.begin == pytest.approx(len(CHUNK) / RATE, abs=0.03)


def test_times_that_a_chunk_brings_are_kept(jtc):
    curve = executed(jtc, timed(CHUNK, rate=15.0))
    assert curve.end - curve.begin == pytest.approx(len(CHUNK) / 15.0, abs=0.03)


def test_the_rate_of_the_policy_may_change_at_run_time(jtc):
    with jtc.parameters(positions_upsampling__policy_frequency=20.0):
        curve = executed(jtc, untimed(CHUNK))
    assert curve.end - curve.begin == pytest.approx(len(CHUNK) / 20.0, abs=0.03)


def test_points_that_bring_velocities_are_executed_as_they_are(jtc):
    jtc.publish(motion((0.2, 0.1, 0.0), (0.4, 0.2, 0.0)))
    jtc.wait_until_beyond(0.15)
    jtc.wait_until_rest(10)
    curve = jtc.curve(JOINT)
    assert abs(curve.velocity_at(curve.passes(0.1))) < 0.05, "it rests at its first point, as it was told"


def test_goals_of_the_action_are_executed_as_they_are(jtc):
    assert_reached(jtc.send(motion((0.3, 0.3), (0.6, 0.0))).result())
    curve = jtc.curve(JOINT)
    assert curve.positions.max() <= 0.3 + 1e-9


def test_a_chunk_that_takes_over_is_joined_smoothly(jtc):
    """Upstream has no continuity across chunks: here the velocity goes on."""
    places = [0.02 * (i + 1) for i in range(30)]
    jtc.publish(timed(places[:15]))
    jtc.wait_until_beyond(places[8])
    jtc.publish(timed(places[9:]))
    jtc.wait_until_beyond(0.95 * places[-1])
    jtc.wait_until_rest(10)
    curve = jtc.curve(JOINT)
    curve.assert_smooth()
    assert curve.between(curve.passes(0.1), curve.passes(0.5)).velocities.min() > 0.25
    assert curve.positions[-1] == pytest.approx(places[-1], abs=1e-6)
