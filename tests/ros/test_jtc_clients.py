"""The clients that there are, written as they send: MoveIt, moveit_servo, the rqt slider window, learned policies."""

import threading
import time

import pytest

from jtc import ARM_JOINTS, assert_reached, assert_writes_smooth, motion, now

pytest.importorskip("rclpy", reason="rclpy is not importable")

JOINT = "shoulder_pan"
# So often it is tried to send a stream evenly.
JOGS = 6


def minimum_jerk(share: float, length: float) -> tuple[float, float, float]:
    """Position, velocity and acceleration on the way from 0 to 1."""
    s = min(max(share, 0.0), 1.0)
    position = s**3 * (10 - 15 * s + 6 * s**2)
    velocity = 30 * s**2 * (1 - s) ** 2 / length
    return position, velocity, 60 * s * (1 - s) * (1 - 2 * s) / length**2


def test_moveit_executes_a_plan_in_the_time_that_it_watches_for(jtc):
    """Every field at every point, the first of them at time 0 and where the arm is; no tolerances, no stamp."""
    jtc.home(0.1)
    places = [0.5, -0.3, 0.4, 0.2, -0.6]
    length = 0.9
    points = []
    for i in range(10):
        share = i / 9
        s, v, a = minimum_jerk(share, length)
        way = [place - 0.1 for place in places]
        points.append((share * length, [0.1 + s * w for w in way], [v * w for w in way], [a * w for w in way]))
    asked = time.monotonic()
    result = jtc.send(motion(*points)).result()
    assert_reached(result)
    # Longer than this, MoveIt cancels.
    assert time.monotonic() - asked < 1.1 * length + 0.5
    jtc.wait_until_rest()
    for joint, place in zip(ARM_JOINTS, places):
        curve = jtc.curve(joint)
        curve.assert_smooth()
        plan = lambda at, place=place: 0.1 + minimum_jerk(at / length, length)[0] * (place - 0.1)  # noqa: E731
        assert curve.shape_deviation(plan, length) < 0.03, joint
    assert jtc.rest() == pytest.approx(places, abs=1e-6)


def test_moveit_executes_plan_after_plan(jtc):
    for start, end in ((0.0, 0.2), (0.2, 0.0)):
        assert_reached(jtc.send(motion((0.0, start, 0.0, 0.0), (0.3, end, 0.0, 0.0))).result())


def every(interval: float, count: int, act) -> threading.Thread:
    """Calls `act(i)` at even times, from another thread."""

    def run() -> None:
        begin = time.monotonic()
        for i in range(count):
            time.sleep(max(0.0, begin + i * interval - time.monotonic()))
            act(i)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_moveit_servo_jogs_the_arm_steadily_and_it_stops_when_the_window_ends(jtc):
    """A sliding window of states, partly in the past, that ends 0.1 s ahead and in motion."""
    period, ahead, speed, ramp = 0.02, 0.1, 0.4, 0.2

    def state(at: float) -> tuple[float, float]:
        """Position and velocity of the jog at a time."""
        t = max(at - begin - ahead, 0.0)
        if t < ramp:
            return 0.5 * speed / ramp * t**2, speed / ramp * t
        return speed * (t - 0.5 * ramp), speed

    sent: list[float] = []

    def send(_: int) -> None:
        sent.append(now())
        front = sent[-1] - 2.0 * period
        window = [front + i * period for i in range(round((2.0 * period + ahead) / period) + 1)]
        points = [(at - front, *state(at)) for at in window]
        jtc.publish(motion(*points, stamp=front))

    def is_on_time() -> bool:
        return max(after - before for before, after in zip(sent, sent[1:])) < 1.5 * period

    with jtc.parameters(allow_nonzero_velocity_at_trajectory_end=True):
        for _ in range(JOGS):
            jtc.home()
            sent.clear()
            with jtc.control.writes() as writes:
                begin = now()
                jog = every(period, 80, send)
                jtc.until(lambda: not jog.is_alive(), "the end of the jog")
                ended = now()
                jtc.wait_until_rest(10)
                assert_writes_smooth(writes, [1])
            if is_on_time():
                break
    assert is_on_time(), "this client is never on time"
    curve = jtc.curve(JOINT)
    under_way, still_sent = begin + ahead + ramp + 0.1, ended - 0.05
    steady = curve.between(under_way, still_sent)
    assert steady.times.size > 50
    # A cycle that was late leaves the reference behind; the next windows bring it back to where it should be.
    on_time = curve.on_time_for(3.0 * period) & (under_way <= curve.times) & (curve.times <= still_sent)
    velocities = curve.velocities[on_time]
    assert velocities.size > 5
    assert velocities.min() > 0.7 * speed and velocities.max() < 1.3 * speed
    assert steady.velocities.min() > 0.5 * speed, "it does not stop and go"
    assert max(abs(p - state(t)[0]) for t, p in zip(steady.times, steady.positions)) < 0.02
    # To the end of the last window, and what stopping takes from there.
    last = state(ended + ahead)[0]
    assert last - 0.02 < curve.positions[-1] < last + 0.05


def test_moveit_servo_halts_by_a_window_that_ends_at_rest(jtc):
    with jtc.parameters(allow_nonzero_velocity_at_trajectory_end=True):
        jtc.publish(motion((0.0, 0.0, 0.0), (0.1, 0.02, 0.4), (0.2, 0.06, 0.4), stamp=now() - 0.02))
        jtc.wait_until_beyond(0.03)
        front = now()
        place = jtc.reference(JOINT)
        jtc.publish(motion((0.0, place, 0.0), (0.1, place + 0.02, 0.0), (0.12, place + 0.02, 0.0), stamp=front))
        jtc.wait_until_rest(10)
    jtc.curve(JOINT).assert_smooth()
    assert jtc.reference(JOINT) == pytest.approx(place + 0.02, abs=1e-6)


def test_the_rqt_sliders_move_the_arm_without_stop_and_go(jtc):
    """One point ten times a second, positions only, to be reached in half a second; again and again the same."""
    slider = lambda i: min(0.05 * (i + 1), 0.5)  # noqa: E731
    sliding = every(0.1, 20, lambda i: jtc.publish(motion((0.5, slider(i)))))
    jtc.until(lambda: not sliding.is_alive(), "the slider rests")
    jtc.wait_until_rest(60)
    curve = jtc.curve(JOINT)
    curve.assert_smooth()
    middle = curve.between(curve.passes(0.1), curve.passes(0.35))
    assert middle.velocities.min() > 0.2, "the slider goes at 0.5 rad/s"
    assert curve.positions[-1] == pytest.approx(0.5, abs=1e-6)
    assert curve.positions.max() <= 0.505


def test_the_rqt_window_that_is_opened_moves_nothing(jtc):
    """It begins to publish what it reads from `controller_state`."""
    jtc.home(0.3)
    measured = list(jtc.latest.feedback.positions)
    opened = every(0.1, 5, lambda _: jtc.publish(motion((0.5, measured))))
    jtc.until(lambda: not opened.is_alive(), "five messages")
    jtc.wait_until_rest(60)
    assert max(abs(p - 0.3) for p in jtc.curve(JOINT).positions) < 0.02


def test_the_chunks_of_a_policy_become_one_motion(jtc):
    """Positions only at 30 Hz; each chunk of half a second is overtaken by the next one after a third of a second."""
    rate, chunk, used, chunks = 30.0, 15, 10, 4
    speed = 0.4
    place = lambda tick: speed * tick / rate  # noqa: E731

    def send(i: int) -> None:
        first = i * used
        jtc.publish(motion(*[((k + 1) / rate, place(first + k + 1)) for k in range(chunk)]))

    policy = every(used / rate, chunks, send)
    jtc.until(lambda: not policy.is_alive(), "the last chunk")
    jtc.wait_until_rest(10)
    last = place((chunks - 1) * used + chunk)
    curve = jtc.curve(JOINT)
    curve.assert_smooth()
    middle = curve.between(curve.passes(0.2 * last), curve.passes(0.9 * last))
    assert middle.velocities.min() > 0.5 * speed and middle.velocities.max() < 1.8 * speed
    assert curve.positions[-1] == pytest.approx(last, abs=1e-6)
    assert curve.positions.max() <= last + 0.005
