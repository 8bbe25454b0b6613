"""What the tests start and watch: processes that never outlive their test, and ROS domains that nobody else is in."""

from __future__ import annotations

import fcntl
import os
import pathlib
import random
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
EXECUTABLES = TARGET / "release"


class Process:
    """A running command whose lines, from stdout and stderr alike, are kept as they come.

    Always ends with the `with` block or the fixture that made it: by its own process id, politely first.
    """

    def __init__(
        self,
        *command: str | os.PathLike[str],
        environment: dict[str, str] | None = None,
        folder: pathlib.Path = ROOT,
    ):
        self.command = [os.fspath(word) for word in command]
        self._child = subprocess.Popen(
            self.command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    @property
    def lines(self) -> list[str]:
        with self._news:
            return list(self._lines)

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_for_line(self, pattern: str, timeout: float = 10.0) -> re.Match[str]:
        """The first line so far or to come that has the pattern in it."""
        deadline = time.monotonic() + timeout
        seen = 0
        with self._news:
            while True:
                for line in self._lines[seen:]:
                    if match := re.search(pattern, line):
                        return match
                seen = len(self._lines)
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    why = "it ended" if self._ended else f"{timeout} s passed"
                    raise AssertionError(f"no line with {pattern!r} and {why}: {self._describe()}")
                self._news.wait(left)

    def wait_until(self, condition: Callable[[], bool], what: str, timeout: float = 10.0) -> None:
        """Waits for something that this process is to bring about."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert self.running, f"ended before {what}: {self._describe()}"
            assert time.monotonic() < deadline, f"{timeout} s passed without {what}: {self._describe()}"
            time.sleep(0.01)

    def wait(self, timeout: float = 10.0) -> int:
        """The exit status of a command that ends by itself."""
        try:
            status = self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {timeout} s: {self._describe()}") from None
        self._reader.join(1.0)
        return status

    def send(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGINT, timeout: float = 5.0) -> int:
        """Asks it to end and gives the exit status (negative: killed by that signal, SIGKILL if it did not listen)."""
        if self.running:
            self._child.send_signal(number)
            try:
                self._child.wait(timeout)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        self._reader.join(1.0)
        return self._child.returncode

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            with self._news:
                self._lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _describe(self) -> str:
        status = self._child.poll()
        state = "running" if status is None else f"exit status {status}"
        return f"{' '.join(self.command)} ({state}) printed:\n" + "\n".join(self._lines[-30:])


class Domain:
    """A ROS domain reserved for this test run, among all test runs of this machine, until it is released."""

    # Above 101 the ports of a domain can collide with those that Linux gives to clients.
    CHOICES = range(1, 102)

    def __init__(self) -> None:
        for number in random.sample(self.CHOICES, len(self.CHOICES)):
            path = pathlib.Path(tempfile.gettempdir()) / f"servo_arm_domain_{number}.lock"
            try:
                lock = path.open("w")
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            self.number, self._lock = number, lock
            return
        raise RuntimeError("every ROS domain is taken by another test run")

    def release(self) -> None:
        self._lock.close()
