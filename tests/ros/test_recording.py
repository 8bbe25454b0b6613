"""The demonstration is recorded, and what was recorded is read back, listed and drawn."""

import pathlib
import subprocess

import pytest

from harness import EXECUTABLES

pytest.importorskip("rclpy", reason="rclpy is not importable")

# What every recording of the demonstration has, and how often at least.
TOPICS = {
    "/joint_states": ("sensor_msgs/msg/JointState", 500),
    "/dynamic_joint_states": ("control_msgs/msg/DynamicJointState", 500),
    "/arm_controller/controller_state": ("control_msgs/msg/JointTrajectoryControllerState", 500),
    "/tf": ("tf2_msgs/msg/TFMessage", 20),
    "/tf_static": ("tf2_msgs/msg/TFMessage", 1),
    "/robot_description": ("std_msgs/msg/String", 1),
    "/diagnostics": ("diagnostic_msgs/msg/DiagnosticArray", 2),
    "/hardware_node/speed_scaling": ("control_msgs/msg/SpeedScalingFactor", 1),
    "/ik_node/trail": ("visualization_msgs/msg/MarkerArray", 10),
    "/ik_node/target/update": ("visualization_msgs/msg/InteractiveMarkerUpdate", 1),
}


def tool(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run([EXECUTABLES / "servo_tool", *map(str, arguments)], capture_output=True, text=True)


def demo(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run([EXECUTABLES / "arm_demo", *map(str, arguments)], capture_output=True, text=True, timeout=120)


def test_a_demo_is_recorded_listed_and_drawn(ros_domain: int, tmp_path: pathlib.Path):
    file = tmp_path / "arm.mcap"
    recorded = demo("--seconds", 5, "--record", file)
    assert f"messages recorded to {file}" in recorded.stdout, recorded.stderr
    listed = tool("recording", file)
    assert listed.returncode == 0, listed.stderr
    topics = {}
    for line in listed.stdout.splitlines()[1:]:
        name, type_name, messages, *_ = line.split()
        topics[name] = (type_name, int(messages))
    for topic, (type_name, least) in TOPICS.items():
        assert topics[topic][0] == type_name
        assert least <= topics[topic][1], (topic, topics[topic])
    # As many as it says itself.
    assert f"{sum(messages for _, messages in topics.values())} messages recorded" in recorded.stdout
    drawn = tool("plot", file)
    assert drawn.stdout.strip() == str(file.with_suffix(".svg")), drawn.stderr
    picture = file.with_suffix(".svg").read_text()
    for words in ("shoulder_pan", "gripper", "rad", "mrad", "Hz", "time since the first joint state (s)", "goal"):
        assert words in picture, words
    assert "no goal was told" not in picture


def test_a_recording_overwrites_nothing_and_needs_a_folder(ros_domain: int, tmp_path: pathlib.Path):
    there = tmp_path / "there.mcap"
    there.write_text("precious")
    for file, why in ((there, "it exists, and is not overwritten"), (tmp_path / "no/arm.mcap", "No such file")):
        refused = demo("--once", "--record", file)
        assert refused.returncode == 1
        assert f"cannot record to {file}: " in refused.stderr and why in refused.stderr
    assert there.read_text() == "precious"
