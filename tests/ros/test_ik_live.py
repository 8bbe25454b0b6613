"""Live control as clients of moveit_servo use it, in both shapes: what the servos are told is held against limits."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from arm import ARM_IDS, ARM_JOINTS
from fk import Urdf, pose_of
from harness import ROOT
from jtc import MAX_ACCELERATION, MAX_VELOCITY, TOPIC, assert_writes_smooth, motion, now, seconds

pytest.importorskip("rclpy", reason="rclpy is not importable")

from control_msgs.msg import JointJog  # noqa: E402
from geometry_msgs.msg import PoseStamped, TwistStamped  # noqa: E402
from moveit_msgs.msg import ServoStatus  # noqa: E402
from moveit_msgs.srv import ServoCommandType  # noqa: E402
from rclpy.time import Time  # noqa: E402
from std_srvs.srv import SetBool  # noqa: E402
from trajectory_msgs.msg import JointTrajectory  # noqa: E402

SO101 = Urdf(ROOT / "urdf/so101.urdf")
TIP = "tool0"
READY = [0.0, -0.6, 0.8, 0.6, 0.0]
PERIOD = 0.01
JOG, TWIST, POSE = 0, 1, 2
# What live control may take between a command and its controller, and what is left of rounding.
LATENCY = 0.15
MARGIN = 0.1


# A table without end, this far above the arm's foot (m).
TABLE = 0.0


def overlay(_) -> dict:
    return {"ik_node": {"collision": {"table_height": TABLE}}}


def tip(positions: Sequence[float]) -> np.ndarray:
    return SO101.pose(TIP, dict(zip(ARM_JOINTS, positions)))


class Live:
    """A client of live control beside one of the controller."""

    def __init__(self, jtc):
        self.jtc, self.node = jtc, jtc.client.node
        self.twists = self.node.create_publisher(TwistStamped, "ik_node/delta_twist_cmds", 10)
        self.jogs = self.node.create_publisher(JointJog, "ik_node/delta_joint_cmds", 10)
        self.poses = self.node.create_publisher(PoseStamped, "ik_node/pose_target_cmds", 10)
        self.statuses: list = []
        self.told: list = []
        self.node.create_subscription(ServoStatus, "ik_node/status", self.statuses.append, 1000)
        self.node.create_subscription(JointTrajectory, TOPIC, self.told.append, 1000)
        publishers = (self.twists, self.jogs, self.poses)
        jtc.until(lambda: all(each.get_subscription_count() for each in publishers), "somebody who listens", 20.0)
        jtc.until(lambda: self.statuses, "a status", 20.0)

    def expect(self, kind: int) -> None:
        assert self.jtc.client.call(ServoCommandType, "ik_node/switch_command_type", command_type=kind).success

    def pause(self, pauses: bool) -> None:
        assert self.jtc.client.call(SetBool, "ik_node/pause_servo", data=pauses).success

    def forget(self) -> None:
        self.statuses.clear()
        self.told.clear()
        self.jtc.clear()

    def ready(self, positions: Sequence[float] = READY) -> None:
        self.wait_until_silent()
        far = max(abs(a - b) for a, b in zip(self.jtc.rest(), positions))
        if far > 1e-6:
            result = self.jtc.send(motion((max(0.3, 0.6 * far**0.5), positions, 0.0))).result()
            assert result.code == 0, result
            self.jtc.wait_until_rest(10)
        self.forget()

    def wait_until_silent(self) -> None:
        """Until it tells the controller nothing any more."""
        told = -1
        while told < len(self.told):
            told = len(self.told)
            self.jtc.spin_for(0.2)

    def twist(self, linear=(0.0, 0.0, 0.0), angular=(0.0, 0.0, 0.0), frame: str = "base_link", stamp: float = 0.0):
        message = TwistStamped()
        message.header.frame_id, message.header.stamp = frame, Time(nanoseconds=round(stamp * 1e9)).to_msg()
        parts = (message.twist.linear, message.twist.angular)
        for part, values in zip(parts, (linear, angular)):
            part.x, part.y, part.z = (float(value) for value in values)
        self.twists.publish(message)

    def jog(self, joints: Sequence[str] = (), **fields) -> None:
        self.jogs.publish(JointJog(joint_names=list(joints), **fields))

    def pose(self, matrix: np.ndarray, frame: str = "base_link") -> None:
        message = PoseStamped()
        message.header.frame_id = frame
        message.pose = pose_of(matrix)
        self.poses.publish(message)

    def hold(self, secs: float, act: Callable[[], None]) -> float:
        """Says the same a hundred times a second; gives when it was said last."""
        count = round(secs / PERIOD)
        with self._saying(act, count) as (stream, said):
            self.jtc.until(lambda: not stream.is_alive(), "the end of the stream", secs + 20.0)
        return said[-1]

    def hold_until(self, condition: Callable[[], object], what: str, act: Callable[[], None]) -> None:
        """Says the same a hundred times a second until something is so."""
        with self._saying(act, count=3000):
            self.jtc.until(condition, what, 20.0)

    def hold_until_halted(self, code: int, act: Callable[[], None]) -> None:
        """Says the same a hundred times a second until the status is that, and the arm at rest."""
        is_halted = lambda: self.codes()[-20:] == [code] * 20 and not self.jtc.is_moving()  # noqa: E731
        self.hold_until(is_halted, f"a rest with status {code}", act)

    @contextlib.contextmanager
    def _saying(self, act: Callable[[], None], count: int) -> Iterator[tuple[threading.Thread, list[float]]]:
        said: list[float] = []
        ended = threading.Event()

        def run() -> None:
            begin = time.monotonic()
            for i in range(count):
                if ended.wait(max(0.0, begin + i * PERIOD - time.monotonic())):
                    return
                said.append(now())
                act()

        stream = threading.Thread(target=run)
        stream.start()
        try:
            yield stream, said
        finally:
            ended.set()
            stream.join()

    def codes(self) -> list[int]:
        return [status.code for status in self.statuses]

    def tips(self) -> np.ndarray:
        return np.array([tip(list(state.reference.positions)[:5])[:3, 3] for state in self.jtc.states])

    def assert_within_limits(self) -> None:
        """What the controller was told is within every limit; what it makes of late messages, the servos feel."""
        assert self.told
        for trajectory in self.told:
            velocities = np.array([point.velocities for point in trajectory.points])
            times = np.array([seconds(point.time_from_start) for point in trajectory.points])
            assert np.abs(velocities).max() <= MAX_VELOCITY
            accelerations = np.diff(velocities, axis=0) / np.diff(times)[:, None]
            assert np.abs(accelerations).max(initial=0.0) <= MAX_ACCELERATION * 1.1

    def until_said(self, code: int) -> ServoStatus:
        self.jtc.until(lambda: code in self.codes(), f"status {code} after {self.codes()[-5:]}")
        return next(status for status in self.statuses if status.code == code)


@pytest.fixture(scope="module")
def first(jtc_of_module) -> tuple[Live, ServoStatus]:
    """Live control before anybody has said which commands are to come."""
    live = Live(jtc_of_module)
    live.ready()
    live.twist((0.5, 0.0, 0.0))
    return live, live.until_said(-1)


@pytest.fixture
def live(first) -> Live:
    live, _ = first
    live.pause(False)
    live.ready()
    return live


def test_without_a_type_nothing_is_accepted(first):
    live, status = first
    assert status.message == "Command type has not been set, cannot accept input"
    assert not live.told
    answer = live.jtc.client.call(ServoCommandType, "ik_node/switch_command_type", command_type=7)
    assert not answer.success


def test_a_twist_at_100_hz_moves_the_tip_straight_and_it_halts_on_its_line(live):
    live.expect(TWIST)
    with live.jtc.control.writes() as writes:
        begin = tip(live.jtc.references())[:3, 3]
        live.hold(2.0, lambda: live.twist((0.0, 0.25, 0.0)))
        live.jtc.wait_until_rest(20)
        assert_writes_smooth(writes, [1])
    live.assert_within_limits()
    way = live.tips() - begin
    assert 0.15 < way[-1][1] < 0.25, way[-1]
    assert np.abs(way[:, [0, 2]]).max() < 1e-3, "off its line"
    assert set(live.codes()) == {0}


def test_it_halts_a_tenth_of_a_second_after_the_last_message_and_then_says_nothing(live):
    live.expect(TWIST)
    ended = live.hold(0.8, lambda: live.twist((0.0, 0.25, 0.0)))
    live.jtc.wait_until_rest(20)
    curve = live.jtc.curve("shoulder_pan")
    steady = curve.velocity_at(ended)
    slower = curve.times[(curve.times > ended) & (np.abs(curve.velocities) < 0.9 * abs(steady))][0] - ended
    assert 0.08 < slower < 0.1 + LATENCY, slower
    assert curve.end - ended < 0.1 + LATENCY + 0.4
    last = live.told[-1].points[-1]
    assert max(map(abs, last.velocities)) == 0.0 and max(map(abs, last.accelerations)) == 0.0
    count = len(live.told)
    live.jtc.spin_for(0.5)
    assert len(live.told) == count, "with nothing commanded nothing is told"


def test_held_into_the_end_of_a_joints_travel_it_stops_in_time_and_moves_out_again(live):
    live.expect(JOG)
    with live.jtc.control.writes() as writes:
        live.hold_until_halted(6, lambda: live.jog(["wrist_flex"], velocities=[1.0]))
        said = [status for status in live.statuses if status.code == 6]
        assert said and "decelerating" in said[0].message and "halting: wrist_flex" in said[-1].message
        upper = SO101.limits["wrist_flex"][1]
        there = live.jtc.reference("wrist_flex")
        assert upper - MARGIN - 0.05 < there <= upper - MARGIN + 1e-6
        is_out = lambda: live.jtc.reference("wrist_flex") < there - 0.1  # noqa: E731
        live.hold_until(is_out, "it is out", lambda: live.jog(["wrist_flex"], velocities=[-1.0]))
        live.jtc.wait_until_rest(20)
        assert_writes_smooth(writes, [4])
    live.assert_within_limits()


def test_held_into_a_singularity_it_stops_in_time_and_moves_out_again(live):
    live.expect(TWIST)
    with live.jtc.control.writes() as writes:
        live.hold_until_halted(2, lambda: live.twist((0.5, 0.0, 0.0)))
        assert 1 in live.codes()
        there = tip(live.jtc.references())[0, 3]
        live.statuses.clear()
        is_out = lambda: tip(live.jtc.references())[0, 3] < there - 0.03  # noqa: E731
        live.hold_until(is_out, "it is out", lambda: live.twist((-0.5, 0.0, 0.0)))
        live.jtc.wait_until_rest(20)
        assert 3 in live.codes()
        assert_writes_smooth(writes, ARM_IDS, least_travel=0)
    live.assert_within_limits()


def test_held_into_the_table_it_stops_before_it_and_moves_away_again(live):
    live.expect(TWIST)
    with live.jtc.control.writes() as writes:
        live.hold_until_halted(5, lambda: live.twist((0.0, 0.0, -0.5)))
        assert 4 in live.codes()
        assert live.tips()[:, 2].min() > TABLE
        there = live.tips()[-1][2]
        is_away = lambda: tip(live.jtc.references())[2, 3] > there + 0.05  # noqa: E731
        live.hold_until(is_away, "it is away", lambda: live.twist((0.0, 0.0, 0.5)))
        live.jtc.wait_until_rest(20)
        assert_writes_smooth(writes, [2, 3])
    live.assert_within_limits()


def test_a_displacement_is_gone_exactly_and_the_next_adds_to_it(live):
    live.expect(JOG)
    for _ in range(2):
        live.jog(["shoulder_pan", "wrist_roll"], displacements=[0.1, -0.2])
        live.jtc.spin_for(0.05)
    live.jtc.until(lambda: live.jtc.is_moving(), "it moves")
    live.jtc.wait_until_rest(40)
    wanted = [READY[0] + 0.2, *READY[1:4], READY[4] - 0.4]
    assert live.jtc.references() == pytest.approx(wanted, abs=1e-5)
    live.assert_within_limits()


def test_a_pose_is_tracked_to_its_end(live):
    live.expect(POSE)
    target = tip([0.3, -0.5, 0.9, 0.4, 0.3])
    live.hold(2.5, lambda: live.pose(target))
    live.jtc.wait_until_rest(20)
    reached = tip(live.jtc.references())
    assert np.abs(reached - target).max() < 1e-3, reached - target
    live.assert_within_limits()


def test_other_frames_than_the_base_are_understood_and_unknown_ones_refused_by_name(live):
    live.expect(TWIST)
    begin = tip(live.jtc.references())
    live.hold(0.5, lambda: live.twist((0.0, 0.0, 0.2), frame=TIP))
    live.jtc.wait_until_rest(20)
    way = tip(live.jtc.references())[:3, 3] - begin[:3, 3]
    assert np.dot(way, begin[:3, 2]) > 0.9 * np.linalg.norm(way) > 0.009
    live.forget()
    live.hold(0.1, lambda: live.twist((0.0, 0.0, 0.2), frame="nowhere"))
    assert "nowhere" in live.until_said(-1).message
    assert not live.told


def test_what_cannot_be_is_refused_in_words_and_moves_nothing(live):
    live.expect(TWIST)
    hostile = [
        (lambda: live.twist((math.nan, 0.0, 0.0)), "Invalid twist command."),
        (lambda: live.twist((math.inf, 0.0, 0.0)), "Invalid twist command."),
        (lambda: live.twist((0.5, 0.0, 0.0), stamp=now() - 1.0), "incoming_command_timeout"),
        (lambda: live.jog(["shoulder_pan"], velocities=[0.5]), "does not match"),
    ]
    for act, words in hostile:
        live.statuses.clear()
        act()
        assert words in live.until_said(-1).message
    live.expect(JOG)
    for act, words in [
        (lambda: live.jog(["nose"], velocities=[0.5]), "Invalid joint name: nose"),
        (lambda: live.jog(["shoulder_pan"], velocities=[0.5, 0.5]), "give one for each"),
        (lambda: live.jog(["shoulder_pan"], velocities=[math.nan]), "Invalid velocity values"),
        (lambda: live.jog(["shoulder_pan"]), "neither"),
    ]:
        live.statuses.clear()
        act()
        assert words in live.until_said(-1).message
    assert not live.told
    assert live.jtc.references() == pytest.approx(READY, abs=1e-6)


def test_a_pause_and_another_type_stop_it_smoothly(live):
    for stop in (lambda: live.pause(True), lambda: live.expect(POSE)):
        live.expect(TWIST)
        stream = threading.Thread(target=send_for, args=(1.0, lambda: live.twist((0.0, -0.25, 0.0))))
        stream.start()
        live.jtc.wait_until_beyond(0.05)
        stop()
        live.jtc.until(lambda: not stream.is_alive(), "the stream's end")
        assert not live.jtc.is_moving()
        live.until_said(-1)
        live.jtc.wait_until_rest(10)
        live.assert_within_limits()
        live.pause(False)
        live.ready()


def send_for(secs: float, act: Callable[[], None]) -> None:
    begin = time.monotonic()
    while time.monotonic() < begin + secs:
        act()
        time.sleep(PERIOD)


def test_a_motion_of_somebody_else_is_left_alone_until_a_command_comes(live):
    live.expect(TWIST)
    there = [0.4, *READY[1:]]
    assert live.jtc.send(motion((0.8, there, 0.0))).result().code == 0
    assert not live.told
    live.ready()
    goal = live.jtc.send(motion((2.0, there, 0.0)))
    live.jtc.wait_until_beyond(0.1)
    live.hold(0.3, lambda: live.twist((0.0, 0.0, 0.1)))
    live.jtc.wait_until_rest(20)
    assert goal.result().code != 0
    assert live.jtc.reference("shoulder_pan") < 0.39
    live.assert_within_limits()
