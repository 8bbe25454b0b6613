"""Runs a test again that failed while the machine held it up; one that failed undisturbed has failed.

The tests judge motions by the control period, on machines that others use too. Somebody must watch these: for each
processor a thread that wants to wake up every few milliseconds, and notes when it could not. The watch says nothing of
how the nodes did: were they late of their own, that is a failure.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time

import pytest
from _pytest.runner import TEST_OUTCOME, runtestprotocol

MOST_REPETITIONS = 3
# More than a control period (s).
HELD_UP = 0.006
# What takes longer (s) does not fail for a few milliseconds; and all runs of a test together have its timeout.
LONGEST_RUNS = 60.0
NAP = 0.002
# Beyond so many processors a test is rarely on one of those that are watched.
MOST_WATCHED = 4
OUTCOME = "repeated"


class Watch(threading.Thread):
    """Knows when a thread on one processor was woken late."""

    def __init__(self, processor: int, held_up: float):
        super().__init__(daemon=True)
        self._processor, self._held_up = processor, held_up
        # Unix time at which it woke, and how late that was (s).
        self._delays: list[tuple[float, float]] = []
        self._ends = threading.Event()

    def run(self) -> None:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, {self._processor})
        while not self._ends.is_set():
            due = time.monotonic() + NAP
            time.sleep(NAP)
            late = time.monotonic() - due
            if late > self._held_up:
                self._delays.append((time.time(), late))

    def longest(self, begin: float, end: float) -> float:
        """The longest delay that was under way at some time between; 0 without one."""
        return max((late for woke, late in self._delays if begin < woke and woke - late < end), default=0.0)

    def end(self) -> None:
        self._ends.set()
        self.join()


class RunAgain:
    """The plugin: repeats, says so for each repetition, and counts them."""

    def __init__(self, held_up: float = HELD_UP):
        self._held_up = held_up
        self._watches: list[Watch] = []

    def pytest_sessionstart(self) -> None:
        # What the interpreter does meanwhile is no reason to be late.
        sys.setswitchinterval(0.0005)
        self._watches = [Watch(cpu, self._held_up) for cpu in sorted(os.sched_getaffinity(0))[:MOST_WATCHED]]
        for watch in self._watches:
            watch.start()

    def pytest_sessionfinish(self) -> None:
        for watch in self._watches:
            watch.end()

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        latest = time.monotonic() + LONGEST_RUNS
        for repetitions_left in reversed(range(MOST_REPETITIONS + 1)):
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
            failure = next((report for report in reports if report.failed), None)
            if failure is None or not repetitions_left or latest < time.monotonic():
                break
            delay = self._delay_during(failure)
            if not delay:
                break
            failure.outcome, failure.delay = OUTCOME, delay
            item.ihook.pytest_runtest_logreport(report=failure)
            # Whatever fixtures shared by several tests have been left in, an arm in a fault for instance, is made anew.
            with contextlib.suppress(*TEST_OUTCOME):
                item.session._setupstate.teardown_exact(None)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _delay_during(self, failure: pytest.TestReport) -> float:
        # A delay is known when it is over.
        time.sleep(10 * NAP)
        return max((watch.longest(failure.start, failure.stop) for watch in self._watches), default=0.0)

    def pytest_report_teststatus(self, report: pytest.TestReport):
        return (OUTCOME, "R", describe(report)) if report.outcome == OUTCOME else None

    def pytest_terminal_summary(self, terminalreporter) -> None:
        for report in terminalreporter.getreports(OUTCOME):
            why = getattr(getattr(report.longrepr, "reprcrash", None), "message", str(report.longrepr)).split("\n")[0]
            terminalreporter.write_line(f"REPEATED {report.nodeid} - {describe(report)}; it said: {why}")


def describe(report: pytest.TestReport) -> str:
    return f"held up {1e3 * report.delay:.0f} ms: run again"
