"""`positions_upsampling`: chunks of positions from the topic become one smooth spline, timed where they are not."""

import numpy as np
import pytest

from jtc import PROMPT, assert_reached, motion, now

pytest.importorskip("rclpy", reason="rclpy is not importable")

JOINT = "shoulder_pan"
RATE = 15.0
CHUNK = [0.005, 0.02, 0.045, 0.08, 0.12, 0.16, 0.195, 0.22, 0.235, 0.24]


def overlay(_):
    return {"arm_controller": {"positions_upsampling": {"enable": True, "policy_frequency": RATE}}}


def timed(places: list[float], rate: float = RATE):
    return motion(*[((i + 1) / rate, place) for i, place in enumerate(places)])


def untimed(places: list[float]):
    return motion(*[(0.0, place) for place in places])


def clamped_spline(times: np.ndarray, places: np.ndarray):
    """The twice continuously differentiable cubics through the places that begin and end at rest."""
    spans, count = np.diff(times), len(times)
    system, right = np.eye(count), np.zeros(count)
    for i in range(1, count - 1):
        before, after = 1.0 / spans[i - 1], 1.0 / spans[i]
        system[i, i - 1 : i + 2] = before, 2.0 * (before + after), after
        right[i] = 3.0 * ((places[i] - places[i - 1]) * before**2 + (places[i + 1] - places[i]) * after**2)
    velocities = np.linalg.solve(system, right)

    def at(when: float) -> float:
        i = int(np.clip(np.searchsorted(times, when, side="right") - 1, 0, count - 2))
        s, span = np.clip((when - times[i]) / spans[i], 0.0, 1.0), spans[i]
        from_start = (1 + 2 * s) * (1 - s) ** 2 * places[i] + s * (1 - s) ** 2 * span * velocities[i]
        return from_start + s**2 * ((3 - 2 * s) * places[i + 1] + (s - 1) * span * velocities[i + 1])

    return at


def executed(jtc, message, last: float = CHUNK[-1]):
    jtc.publish(message)
    jtc.wait_until_beyond(0.9 * last)
    jtc.wait_until_rest(10)
    return jtc.curve(JOINT)


def assert_one_spline(curve) -> None:
    """Through every point at its time, and without steps of acceleration at the points in between."""
    curve.assert_smooth()
    times = np.arange(len(CHUNK) + 1) / RATE
    spline = clamped_spline(times, np.array([0.0, *CHUNK]))
    begin, end = curve.passes(CHUNK[0]), curve.passes(CHUNK[-1] - 1e-4)
    inner = curve.between(begin, end)
    assert inner.shape_deviation(spline, times[-1]) < 0.02, "at speeds of up to 0.6 rad/s"
    # Of the whole curve, because a cycle that was late just before shows in the first step here.
    is_inner = (begin <= curve.times[:-1]) & (curve.times[1:] <= end)
    accelerations, on_time = curve.accelerations()[is_inner], ~curve.irregular()[is_inner]
    steps = np.abs(np.diff(accelerations))[on_time[1:] & on_time[:-1]]
    assert steps.size > 10 and steps.max() < 0.6, "accelerations of about 2 rad/s^2 change little by little"
    assert curve.positions[-1] == pytest.approx(CHUNK[-1], abs=1e-6)


def test_positions_with_times_become_one_smooth_spline(jtc):
    assert_one_spline(executed(jtc, timed(CHUNK)))


def test_positions_without_times_come_at_the_rate_of_the_policy(jtc):
    curve = executed(jtc, untimed(CHUNK))
    assert_one_spline(curve)
    assert curve.end - curve.begin == pytest.approx(len(CHUNK) / RATE, abs=PROMPT)


def test_times_that_a_chunk_brings_are_kept(jtc):
    curve = executed(jtc, timed(CHUNK, rate=10.0))
    assert curve.end - curve.begin == pytest.approx(len(CHUNK) / 10.0, abs=PROMPT)


def test_the_rate_of_the_policy_may_change_at_run_time(jtc):
    with jtc.parameters(positions_upsampling__policy_frequency=10.0):
        curve = executed(jtc, untimed(CHUNK))
    assert curve.end - curve.begin == pytest.approx(len(CHUNK) / 10.0, abs=PROMPT)


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


def test_the_spline_is_the_one_that_upstream_solves_for(jtc):
    """Here it begins where the arm is; upstream's begins at the chunk's first point."""
    places = [0.05, 0.2, 0.4, 0.45, 0.52, 0.6]
    jtc.publish(timed(places, rate=8.0))
    jtc.wait_until_beyond(0.55)
    jtc.wait_until_rest(10)
    times = np.arange(len(places) + 1) / 8.0
    curve = jtc.curve(JOINT)
    wanted = clamped_spline(times, np.array([0.0, *places]))
    assert curve.between(curve.passes(0.05), curve.times[-1]).shape_deviation(wanted, times[-1]) < 0.05
    assert curve.end - curve.begin == pytest.approx(times[-1], abs=PROMPT)


@pytest.mark.parametrize("places", [[0.2], [0.1, 0.2]], ids=["one", "two"])
def test_a_chunk_of_one_or_two_points_is_executed(jtc, places):
    curve = executed(jtc, timed(places, rate=4.0), 0.2)
    curve.assert_smooth()
    assert curve.positions[-1] == pytest.approx(0.2, abs=1e-6)


def test_times_that_do_not_grow_are_refused(jtc):
    with jtc.says("refused.*not strictly increasing"):
        jtc.publish(motion((0.1, 0.1), (0.1, 0.2), (0.3, 0.3)))
    jtc.spin_for(0.1)
    assert jtc.references() == [0.0] * 5


def test_a_chunk_keeps_its_stamp(jtc):
    start = now() + 0.3
    message = timed(CHUNK)
    message.header.stamp = motion(stamp=start).header.stamp
    curve = executed(jtc, message)
    assert curve.begin == pytest.approx(start, abs=PROMPT)
    assert curve.end == pytest.approx(start + len(CHUNK) / RATE, abs=PROMPT)


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
    assert curve.between(curve.passes(0.1), curve.passes(0.5)).velocities.min() > 0.15
    assert curve.positions[-1] == pytest.approx(places[-1], abs=1e-6)
