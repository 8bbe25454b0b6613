"""The launch files start an arm that publishes its state, on machines whose ROS has `ros2 launch`."""

import importlib.util
import pathlib
import shutil

import pytest

from harness import Process

HAS_LAUNCH = importlib.util.find_spec("launch_ros") is not None and shutil.which("ros2") is not None


@pytest.mark.skipif(not HAS_LAUNCH, reason="launch_ros is not importable: this ROS has no launch")
def test_the_emulated_arm_is_launched_and_ended_as_a_whole(client, tmp_path: pathlib.Path):
    port = tmp_path / "arm"
    with Process(
        *("ros2", "launch", "servo_arm", "arm.launch.py", "sim:=emulator", f"emulated_port:={port}")
    ) as launch:
        launch.wait_until(lambda: client.node.count_publishers("joint_states") > 0, "joint_states were published", timeout=30)
        assert port.exists()
        launch.stop(timeout=15)
    assert not port.exists()
