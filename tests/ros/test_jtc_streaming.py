"""Points that come one by one: the arm passes them smoothly, does not stop and go, and stops at the last one."""

import math
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from jtc import Curve, motion

pytest.importorskip("rclpy", reason="rclpy is not importable")

from control_msgs.action import FollowJointTrajectory  # noqa: E402

Code = FollowJointTrajectory.Result
SPEED = 0.5
SWING = 0.25
SWING_SECONDS = 1.6
JOINT = "shoulder_pan"


def ramp(at: float) -> float:
    return SPEED * at


def swing(at: float) -> float:
    """A sine that begins and ends at rest."""
    return SWING * (1.0 - math.cos(math.tau * at / SWING_SECONDS))


# Points that come more intervals apart than this come near the pause that ends a stream (1.5).
PAUSE = 1.3
ATTEMPTS = 5


def stream(jtc, rate: float, length: float, place: Callable[[float], float], send: Callable[[float], None]):
    """Sends `place(t)` at a rate for so long; gives when that began, and the last place.

    Where this process itself was held up so long that it was no stream, it is sent again from the start.
    """
    for _ in range(ATTEMPTS):
        jtc.home()
        begin, longest = time.time(), longest_gap(jtc, rate, length, place, send)
        jtc.wait_until_rest(60)
        if longest < PAUSE / rate:
            return begin, place(length)
    pytest.skip(f"this machine cannot send points at {rate} Hz: in each of {ATTEMPTS} streams there was a pause")


def longest_gap(jtc, rate: float, length: float, place: Callable[[float], float], send: Callable[[float], None]):
    """Sends the points; gives the longest time between two of them (s)."""
    sent: list[float] = []

    def run() -> None:
        begin = time.monotonic()
        for i in range(1, round(length * rate) + 1):
            time.sleep(max(0.0, begin + i / rate - time.monotonic()))
            send(place(i / rate))
            sent.append(time.monotonic())

    sender = threading.Thread(target=run)
    sender.start()
    jtc.until(lambda: not sender.is_alive(), "the stream's end")
    return float(np.diff(sent).max())


def to_topic(jtc, interval: float) -> Callable[[float], None]:
    return lambda place: jtc.publish(motion((interval, place)))


def assert_ends_at(curve: Curve, last: float, overshoot: float = 0.005) -> None:
    assert curve.positions[-1] == pytest.approx(last, abs=1e-6)
    assert curve.positions.max() <= max(last, curve.positions[0]) + overshoot


def steady_part(curve: Curve, last: float) -> Curve:
    """From when it is under way until it begins to stop."""
    return curve.between(curve.passes(0.3 * last), curve.passes(0.75 * last))


@pytest.mark.parametrize("rate", [10.0, 30.0, 100.0])
def test_a_ramp_of_single_points_is_one_motion_a_little_later(jtc, rate: float):
    begin, last = stream(jtc, rate, 1.2, ramp, to_topic(jtc, 1.0 / rate))
    curve = jtc.curve(JOINT)
    curve.assert_smooth()
    middle = steady_part(curve, last)
    assert middle.velocities.min() > 0.5 * SPEED, "it does not stop and go"
    assert middle.velocities.max() < 1.7 * SPEED
    assert_ends_at(curve, last)
    # About one and a half intervals, and what stopping takes.
    behind = [curve.passes(place) - (begin + place / SPEED) for place in (0.4 * last, 0.55 * last, 0.7 * last)]
    assert max(behind) < 2.5 / rate + 0.15
    assert min(behind) > 0.0, "it does not go where nobody has sent it yet"
    assert max(behind) - min(behind) < 1.0 / rate + 0.05, "it neither falls back nor catches up"


@pytest.mark.parametrize("rate", [10.0, 100.0])
def test_a_sine_of_single_points_stays_a_sine(jtc, rate: float):
    begin, last = stream(jtc, rate, SWING_SECONDS, swing, to_topic(jtc, 1.0 / rate))
    curve = jtc.curve(JOINT)
    curve.assert_smooth()
    assert_ends_at(curve, last, overshoot=2.0 * SWING + 0.01)
    assert curve.positions.max() == pytest.approx(2.0 * SWING, abs=0.02)
    assert curve.positions.min() > -0.01
    delay, off = best_delay(curve, begin)
    assert off < 0.05 and 0.0 < delay < 2.5 / rate + 0.15
    quick = math.tau / SWING_SECONDS * SWING
    rising = curve.between(curve.passes(0.5 * SWING), curve.passes(1.5 * SWING))
    assert rising.velocities.min() > 0.4 * quick, "it does not stop and go"


def best_delay(curve: Curve, begin: float) -> tuple[float, float]:
    """How much later than sent the swing is, and how far it is from it then at most."""
    candidates = np.arange(0.0, 0.45, 0.005)

    def off(delay: float) -> float:
        part = curve.between(begin + delay, begin + delay + SWING_SECONDS)
        return max(abs(p - swing(t - begin - delay)) for t, p in zip(part.times, part.positions))

    offs = [off(delay) for delay in candidates]
    best = int(np.argmin(offs))
    return float(candidates[best]), offs[best]


@pytest.mark.parametrize("rate", [10.0, 30.0])
def test_a_ramp_of_single_point_goals_is_one_motion_and_only_the_last_goal_is_reached(jtc, rate: float):
    futures = []
    send = lambda place: futures.append(jtc.follow.send_later(motion((1.0 / rate, place))))  # noqa: E731
    _, last = stream(jtc, rate, 1.2, ramp, send)
    curve = jtc.curve(JOINT)
    curve.assert_smooth()
    assert steady_part(curve, last).velocities.min() > 0.5 * SPEED, "it does not stop and go"
    assert_ends_at(curve, last)
    goals = [goal.wait() for goal in futures[-round(1.2 * rate) :]]
    results = [goal.result() for goal in goals]
    assert [result.code for result in results[:-1]] == [Code.INVALID_GOAL] * (len(results) - 1)
    assert all("preempted" in result.text for result in results[:-1])
    assert results[-1].code == Code.SUCCESSFUL


def test_a_point_that_comes_alone_is_a_place_to_stop_at(jtc):
    for place in (0.15, 0.3):
        jtc.publish(motion((0.3, place)))
        jtc.wait_until_beyond(place - 0.001)
        jtc.spin_for(0.6)
        assert jtc.reference(JOINT) == pytest.approx(place, abs=1e-6)
    assert jtc.curve(JOINT).positions.max() <= 0.3 + 1e-6


def test_a_stream_that_turns_round_is_followed_without_a_jump(jtc):
    there_and_back = lambda at: 0.4 - abs(0.4 - SPEED * at)  # noqa: E731
    _, last = stream(jtc, 30.0, 1.6, there_and_back, to_topic(jtc, 1.0 / 30.0))
    curve = jtc.curve(JOINT)
    curve.assert_smooth()
    assert 0.33 < curve.positions.max() < 0.43
    assert curve.positions[-1] == pytest.approx(last, abs=1e-6)


def test_a_stream_that_is_sent_again_and_again_to_one_place_stops_there(jtc):
    _, last = stream(jtc, 30.0, 1.0, lambda at: min(SPEED * at, 0.2), to_topic(jtc, 1.0 / 30.0))
    curve = jtc.curve(JOINT)
    curve.assert_smooth()
    assert last == 0.2
    assert_ends_at(curve, last)


def test_an_empty_trajectory_ends_a_stream_at_once(jtc):
    begin = time.monotonic()
    while (at := time.monotonic() - begin) < 0.8:
        jtc.publish(motion((0.05, ramp(at))))
        jtc.spin_for(0.02)
    jtc.publish(motion())
    stopped = jtc.reference(JOINT)
    jtc.wait_until_rest(20)
    curve = jtc.curve(JOINT)
    curve.assert_smooth()
    assert 0.15 < stopped <= curve.positions[-1] < stopped + 0.05
