"""Fixtures: private ROS domains, a ROS client, and emulated arms with their nodes."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
from collections.abc import Callable, Iterator

import pytest

from arm import IDS, SHAPES, Arm, Client, System, running
from harness import Domain
from held_up import RunAgain
from jtc import Jtc


# Whoever starts a test run in the background has interrupts ignored, and all that it starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(RunAgain())


@pytest.fixture(scope="session")
def private_ros() -> Iterator[None]:
    """Keeps this test run and all that it starts on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ROS_STATIC_PEERS", raising=False)
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        if os.environ.get("ROS_DISTRO") in ("foxy", "galactic", "humble"):
            patch.setenv("ROS_LOCALHOST_ONLY", "1")
        else:
            patch.delenv("ROS_LOCALHOST_ONLY", raising=False)
        yield


@contextlib.contextmanager
def own_domain() -> Iterator[int]:
    """A ROS domain that nobody else is in, for whatever is started meanwhile."""
    domain = Domain()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(domain.number))
        yield domain.number
    domain.release()


@pytest.fixture
def ros_domain(private_ros: None) -> Iterator[int]:
    """The test's own ROS domain."""
    with own_domain() as number:
        yield number


@pytest.fixture
def client(ros_domain: int) -> Iterator[Client]:
    """A ROS node of the test's own."""
    pytest.importorskip("rclpy", reason="rclpy is not importable")
    with contextlib.closing(Client()) as client:
        yield client


@pytest.fixture
def start_emulator(ros_domain: int, tmp_path: pathlib.Path) -> Iterator[Callable[..., Arm]]:
    """Emulated servos with further arguments, without nodes; whatever is started on them ends with the test."""
    with contextlib.ExitStack() as ends:

        def start(*arguments: str, **options) -> Arm:
            arm = Arm(tmp_path, *arguments, **options)
            ends.callback(arm.stop)
            return arm

        yield start


@pytest.fixture(scope="module", params=SHAPES)
def shared(request: pytest.FixtureRequest, private_ros: None, tmp_path_factory) -> Iterator[System]:
    """An arm that holds, in both shapes; the tests of a module leave it usable for each other.

    A module may say by `overlay(folder)` which parameters its nodes have beside those that are shipped.
    """
    pytest.importorskip("rclpy", reason="rclpy is not importable")
    folder = tmp_path_factory.mktemp("arm")
    overlay = getattr(request.module, "overlay", lambda _: None)(folder)
    with own_domain(), running(folder, request.param, "--pace", overlay=overlay) as system:
        yield system


@pytest.fixture(scope="module")
def jtc_of_module(shared: System) -> Iterator[Jtc]:
    """A client of the shared arm's trajectory controller."""
    with contextlib.closing(Jtc(shared)) as jtc:
        yield jtc


@pytest.fixture
def jtc(jtc_of_module: Jtc) -> Iterator[Jtc]:
    """The same, with every joint at rest at 0; nothing is left in the way of the next test."""
    jtc_of_module.home()
    yield jtc_of_module
    for id in IDS:
        jtc_of_module.control.ask(f"unblock id={id}")
    jtc_of_module.full_speed()


@pytest.fixture
def run_arm(ros_domain: int, tmp_path: pathlib.Path) -> Iterator[Callable[..., System]]:
    """`run_arm(shape, emulator arguments…, parameters…)`: an arm of the test's own that holds."""
    pytest.importorskip("rclpy", reason="rclpy is not importable")
    with contextlib.ExitStack() as ends:
        yield lambda *arguments, **parameters: ends.enter_context(running(tmp_path, *arguments, **parameters))
