"""Runs a test again that failed while the machine held it up; one that failed undisturbed has failed.

The tests judge motions by the control period, on machines that others use too. Somebody must watch these: a process
that on each processor wants to wake up every few milliseconds, and says when it could not. It knows nothing of what
the tests and the nodes do: were they late of their own, that is a failure.
"""

from __future__ import annotations

import contextlib
import operator
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from _pytest.runner import TEST_OUTCOME, runtestprotocol

MOST_REPETITIONS = 5
# More than a control period (s).
HELD_UP = 0.006
# What takes longer (s) does not fail for a few milliseconds; and all runs of a test together have its timeout.
LONGEST_RUNS = 60.0
NAP = 0.002
# Beyond so many processors a test is rarely on one of those that are watched.
MOST_WATCHED = 4


class Watch:
    """Asks a process of its own how late that was woken."""

    def __init__(self, held_up: float):
        command = [sys.executable, os.path.abspath(__file__), str(held_up)]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.longest_delay(0.0, 0.0)  # It watches once it has answered.

    def longest_delay(self, begin: float, end: float) -> float:
        """The longest that was under way at some (unix) time between; 0 where none was long enough to count."""
        print(begin, end, file=self._child.stdin, flush=True)
        return float(self._child.stdout.readline())

    def close(self) -> None:
        self._child.stdin.close()
        self._child.wait()


def watch(processors: list[int], held_up: float) -> None:
    """What that process does until nobody can ask it any more."""
    delays: list[tuple[float, float]] = []
    naps = [0] * len(processors)

    def nap(index: int) -> None:
        os.sched_setaffinity(0, {processors[index]})
        while True:
            due = time.monotonic() + NAP
            time.sleep(NAP)
            late = time.monotonic() - due
            if late > held_up:
                delays.append((time.time(), late))
            naps[index] += 1

    for index in range(len(processors)):
        threading.Thread(target=nap, args=(index,), daemon=True).start()
    for question in sys.stdin:
        begin, end = map(float, question.split())
        # A delay is known when it is over.
        before = list(naps)
        while any(map(operator.eq, before, naps)):
            time.sleep(NAP)
        print(max((late for woke, late in delays if begin < woke and woke - late < end), default=0.0), flush=True)


class RunAgain:
    """The plugin: repeats, says so for each repetition, and counts them."""

    def __init__(self, held_up: float = HELD_UP):
        self._watch = Watch(held_up)

    def pytest_unconfigure(self) -> None:
        self._watch.close()

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        latest = time.monotonic() + LONGEST_RUNS
        for repetitions_left in reversed(range(MOST_REPETITIONS + 1)):
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
            failure = next((report for report in reports if report.failed), None)
            if failure is None or not repetitions_left or latest < time.monotonic():
                break
            if not (delay := self._watch.longest_delay(failure.start, failure.stop)):
                break
            failure.outcome, failure.delay = "repeated", delay
            item.ihook.pytest_runtest_logreport(report=failure)
            # Whatever fixtures shared by several tests have been left in, an arm in a fault for instance, is made anew.
            with contextlib.suppress(*TEST_OUTCOME):
                item.session._setupstate.teardown_exact(None)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_report_teststatus(self, report: pytest.TestReport):
        return ("repeated", "R", describe(report)) if report.outcome == "repeated" else None

    def pytest_terminal_summary(self, terminalreporter) -> None:
        for report in terminalreporter.getreports("repeated"):
            why = getattr(getattr(report.longrepr, "reprcrash", None), "message", str(report.longrepr)).split("\n")[0]
            terminalreporter.write_line(f"REPEATED {report.nodeid} - {describe(report)}; it said: {why}")


def describe(report: pytest.TestReport) -> str:
    return f"held up {1e3 * report.delay:.0f} ms: run again"


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch(sorted(os.sched_getaffinity(0))[:MOST_WATCHED], float(sys.argv[1]))
