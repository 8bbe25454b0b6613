"""Clients that ask for nonsense all the time: the arm, its state and its other clients do not notice."""

import pathlib

import pytest

from jtc import PERIOD, PROMPT, assert_reached, motion

pytest.importorskip("rclpy", reason="rclpy is not importable")

from action_msgs.msg import GoalStatus  # noqa: E402
from control_msgs.action import FollowJointTrajectory  # noqa: E402

Code = FollowJointTrajectory.Result


class Nonsense:
    """A client that sends goals that are refused, and collects how they end."""

    def __init__(self, jtc):
        self.jtc = jtc
        self.sent = 0
        self.results: list = []

    def send(self) -> None:
        self.sent += 1
        bad = motion((0.3, [0.1, 0.2]), joints=["elbow_flex", f"no_such_joint_{self.sent}"])
        self.jtc.follow.send_later(bad).answer.add_done_callback(self._on_answer)

    def _on_answer(self, answer) -> None:
        answer.result().get_result_async().add_done_callback(lambda result: self.results.append(result.result()))

    def wait(self) -> None:
        self.jtc.until(lambda: len(self.results) == self.sent, f"{self.sent} results", timeout=30.0)

    def assert_refused(self) -> None:
        assert {result.status for result in self.results} == {GoalStatus.STATUS_ABORTED}
        assert {result.result.error_code for result in self.results} == {Code.INVALID_JOINTS}
        named = {result.result.error_string.split()[2] for result in self.results}
        assert len(named) == self.sent, "each with its own reason"


def test_a_motion_goes_on_and_is_told_while_fifty_goals_a_second_are_refused(jtc):
    import time

    length = 2.0
    jtc.clear()
    goal = jtc.send(motion((length, 0.8, 0.0)))
    nonsense = Nonsense(jtc)
    begin = time.monotonic()
    while not goal.ended:
        if nonsense.sent < 50.0 * (time.monotonic() - begin):
            nonsense.send()
        jtc.client.spin_for(0.001)
    assert_reached(goal.result())
    nonsense.wait()
    assert nonsense.sent > 0.8 * 50.0 * length
    nonsense.assert_refused()
    jtc.wait_until_rest()
    curve = jtc.curve("shoulder_pan")
    curve.assert_smooth()
    assert curve.end - curve.begin == pytest.approx(length, abs=PROMPT)
    assert curve.positions[-1] == pytest.approx(0.8, abs=1e-6)
    wanted = (curve.times[-1] - curve.times[0]) / PERIOD
    assert curve.times.size > 0.93 * wanted, "the state comes at its full rate"
    assert len(goal.feedback) > 0.8 * 20.0 * length, "and so does feedback"
    assert_reached(jtc.send(motion((0.3, 0.5, 0.0))).result())


def memory_kib(pid: int) -> int:
    """What a process has in memory, as the kernel tells."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def test_two_thousand_refused_goals_leave_nothing_behind(jtc):
    nonsense = Nonsense(jtc)

    def refuse(count: int) -> int:
        for i in range(count):
            nonsense.send()
            # No more at once than a ROS client's queue holds.
            if i % 8 == 7:
                nonsense.wait()
        nonsense.wait()
        return memory_kib(jtc.system.arm.controller.pid)

    before = refuse(400)
    after = refuse(1600)
    assert len(nonsense.results) == 2000
    nonsense.assert_refused()
    # A goal's message and its result are about a kilobyte; a node that kept more than those would be far above.
    assert after - before < 6 * 1024, f"{before} KiB, later {after} KiB"
    assert_reached(jtc.send(motion((0.2, 0.1, 0.0))).result())


def test_goals_that_come_at_once_all_get_their_results_and_the_last_one_is_reached(jtc):
    sent = [jtc.follow.send_later(motion((0.3, 0.01 * (i + 1), 0.0))) for i in range(8)]
    goals = [one.wait() for one in sent]
    results = [goal.result() for goal in goals]
    assert [result.code for result in results].count(Code.SUCCESSFUL) == 1
    assert all(result.code == Code.INVALID_GOAL and "preempted" in result.text for result in results[:-1])
    assert_reached(results[-1])
    jtc.wait_until_rest()
    assert jtc.rest() == pytest.approx([0.08] * 5, abs=1e-6)
    jtc.curve("shoulder_pan").assert_smooth()
