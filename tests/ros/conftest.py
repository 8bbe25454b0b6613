"""Fixtures: a private ROS domain, the emulated arm, the nodes in both shapes, and an rclpy node to look at them with."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import time
from collections.abc import Callable, Iterator

import pytest

from harness import EXECUTABLES, ROOT, Domain, Process

CONFIG = ROOT / "config/so101.yaml"


@pytest.fixture(scope="session")
def ros_domain() -> Iterator[int]:
    """Puts this test run and all that it starts into a ROS domain of their own, on this machine only."""
    domain = Domain()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(domain.number))
        patch.delenv("ROS_STATIC_PEERS", raising=False)
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        if os.environ.get("ROS_DISTRO") in ("foxy", "galactic", "humble"):
            patch.setenv("ROS_LOCALHOST_ONLY", "1")
        else:
            patch.delenv("ROS_LOCALHOST_ONLY", raising=False)
        yield domain.number
    domain.release()


@pytest.fixture
def start(ros_domain: int) -> Iterator[Callable[..., Process]]:
    """Starts one of our executables, `start("arm_node", "--ros-args", …)`; all are ended after the test, last first."""
    started: list[Process] = []

    def start_executable(name: str, *arguments: str | os.PathLike[str], **options) -> Process:
        process = Process(EXECUTABLES / name, *arguments, **options)
        started.append(process)
        return process

    yield start_executable
    for process in reversed(started):
        process.stop()


@dataclasses.dataclass
class Emulator:
    """Emulated servos: their process, the port to open, and the socket that faults are injected through."""

    process: Process
    port: pathlib.Path
    control: pathlib.Path


@pytest.fixture
def start_emulator(start: Callable[..., Process], tmp_path: pathlib.Path) -> Callable[..., Emulator]:
    """Starts the emulator with further arguments and waits until it can be used."""

    def start_with(*arguments: str, config: pathlib.Path = CONFIG, name: str = "arm") -> Emulator:
        port, control = tmp_path / name, tmp_path / f"{name}.ctl"
        process = start("servo_emulator", "--config", config, "--link", port, "--control", control, *arguments)
        process.wait_until(lambda: port.exists() and control.exists(), f"{port.name} and {control.name} were there")
        return Emulator(process, port, control)

    return start_with


@pytest.fixture
def emulator(start_emulator: Callable[..., Emulator]) -> Emulator:
    """The SO-101 with bytes at the pace of its 1 Mbit/s."""
    return start_emulator("--pace")


def ros_arguments(emulator: Emulator, config: pathlib.Path = CONFIG) -> list[str]:
    """How a node is told which arm it drives."""
    return ["--ros-args", "--params-file", str(config), "-p", f"port:={emulator.port}"]


@pytest.fixture
def arm_node(start: Callable[..., Process], emulator: Emulator, node) -> Process:
    """The arm in one process, publishing its state."""
    process = start("arm_node", *ros_arguments(emulator))
    process.wait_until(lambda: node.count_publishers("joint_states") > 0, "joint_states were published")
    return process


@dataclasses.dataclass
class SeparateNodes:
    """The arm in two processes."""

    hardware: Process
    controller: Process


@pytest.fixture
def separate_nodes(start: Callable[..., Process], emulator: Emulator, node) -> SeparateNodes:
    """The arm in two processes, publishing its state and subscribed to commands."""
    hardware = start("hardware_node", *ros_arguments(emulator))
    controller = start("controller_node", "--ros-args", "--params-file", CONFIG)
    hardware.wait_until(lambda: node.count_publishers("joint_states") > 0, "joint_states were published")
    controller.wait_until(lambda: node.count_publishers("joint_commands") > 0, "joint_commands were published")
    return SeparateNodes(hardware, controller)


@pytest.fixture
def node(ros_domain: int):
    """An rclpy node in a context of its own. Turn it with `spin_until`."""
    rclpy = pytest.importorskip("rclpy", reason="rclpy is not importable")
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("test_observer", context=context)
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.fixture
def spin_until(node) -> Iterator[Callable[..., None]]:
    """`spin_until(condition, "what is awaited", timeout=10.0)` turns the node until the condition holds."""
    from rclpy.executors import SingleThreadedExecutor

    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)

    def spin(condition: Callable[[], bool], what: str = "the condition", timeout: float = 10.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"{timeout} s passed without {what}"
            executor.spin_once(timeout_sec=0.05)

    yield spin
    executor.shutdown()
