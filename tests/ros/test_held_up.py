"""Which tests are run again: those that failed while the machine held them up, and no others."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from held_up import MOST_REPETITIONS

HERE = pathlib.Path(__file__).parent

CONFTEST = """
import pytest

from held_up import MOST_REPETITIONS
from held_up import RunAgain

def pytest_configure(config):
    config.pluginmanager.register(RunAgain(held_up={limit}))

@pytest.fixture(scope="module")
def shared():
    print("made anew")
    yield []
"""
# Processes that are stopped are held up by nobody's fault but the machine's, as far as they can see.
TESTS = """
import os
import subprocess

runs = 0

def hold_up():
    group = os.getpgrp()
    stop_and_go = f"kill -STOP -{group}; sleep 0.6; kill -CONT -{group}"
    subprocess.run(["sh", "-c", stop_and_go], start_new_session=True)

def test_before(shared):
    shared.append("used")
"""
# For a machine so slow that it counts as held up with neither.
LIMIT = 0.3
NO_LIMIT = 3600.0


def outcome(folder: pathlib.Path, body: str, limit: float = LIMIT) -> tuple[int, str]:
    """The exit status of pytest on a test with this body, and what it printed."""
    (folder / "conftest.py").write_text(CONFTEST.format(limit=limit))
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    (folder / "test_inner.py").write_text(f"{TESTS}\ndef test_it(shared):\n    global runs; runs += 1\n{lines}")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-s", "-rf", "-p", "no:cacheprovider", "--color=no", "test_inner.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{HERE}:{os.environ.get('PYTHONPATH', '')}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    return ended.returncode, ended.stdout


def test_one_that_failed_while_held_up_is_run_again_and_counted(tmp_path: pathlib.Path):
    status, said = outcome(tmp_path, "if runs == 1: hold_up()\nassert runs == 2, 'in a hurry'")
    assert status == 0, said
    assert re.search(r"2 passed, 1 repeated in", said), said
    assert re.search(r"REPEATED test_inner.py::test_it - held up \d+ ms: run again; .*in a hurry", said), said


def test_what_tests_share_is_made_anew_for_the_repetition(tmp_path: pathlib.Path):
    status, said = outcome(tmp_path, "if runs == 1: hold_up()\nassert runs == 2 and shared == []")
    assert status == 0, said
    assert said.count("made anew") == 2, said


def test_one_that_failed_undisturbed_has_failed(tmp_path: pathlib.Path):
    status, said = outcome(tmp_path, "print('RUN')\nassert runs == 2", limit=NO_LIMIT)
    assert status == 1, said
    assert said.count("RUN\n") == 1 and "1 failed, 1 passed in" in said, said


def test_one_that_always_fails_fails_in_the_end(tmp_path: pathlib.Path):
    status, said = outcome(tmp_path, "hold_up()\nassert runs == 0")
    assert status == 1, said
    assert f"1 failed, 1 passed, {MOST_REPETITIONS} repeated in" in said, said


@pytest.mark.parametrize("body", ["hold_up()", "hold_up()\nimport pytest; pytest.skip('why not')"])
def test_one_that_does_not_fail_is_not_run_again(tmp_path: pathlib.Path, body: str):
    status, said = outcome(tmp_path, body)
    assert status == 0 and "repeated" not in said, said
