"""Several arms in one `arm_node`, each in a namespace of its own; nothing of one is felt by another."""

from __future__ import annotations

import contextlib
import json
import pathlib
from collections.abc import Iterator

import pytest

from arm import CONFIG, EXECUTABLES, FOLLOW, JOINTS, Arm, Client, Follow, to
from harness import Process

pytest.importorskip("rclpy", reason="rclpy is not importable")

from sensor_msgs.msg import JointState  # noqa: E402

SIDES = ["left", "right"]


@contextlib.contextmanager
def several(folder: pathlib.Path, *arguments: str) -> Iterator[tuple[dict[str, Arm], Process]]:
    """Emulated servos for each side, and one process for both."""
    parameters: dict[str, dict] = {"/**": {"arms": SIDES}}
    with contextlib.ExitStack() as ends:
        arms = {}
        for side in SIDES:
            (folder / side).mkdir()
            arms[side] = Arm(folder / side, "--pace")
            ends.callback(arms[side].stop)
            parameters[f"/{side}/hardware_node"] = {"port": str(arms[side].port)}
        file = folder / "arms.yaml"
        file.write_text(json.dumps({node: {"ros__parameters": values} for node, values in parameters.items()}))
        files = [word for path in (CONFIG, file) for word in ("--params-file", path)]
        with Process(EXECUTABLES / "arm_node", "--ros-args", *files, *arguments) as node:
            yield arms, node


def positions(client: Client, side: str) -> list[float]:
    message = client.next(JointState, f"/{side}/joint_states")
    assert set(message.name) == set(JOINTS)
    return list(message.position)


def test_each_arm_moves_by_itself_and_all_end_together(client: Client, tmp_path: pathlib.Path):
    with several(tmp_path) as (arms, node):
        for side in SIDES:
            node.wait_for_line(rf"{side}.hardware_node\].*Energizing -> Holding", timeout=30)
        before = positions(client, "right")
        with contextlib.closing(Follow(client, f"/left/{FOLLOW}")) as follow:
            assert follow.send(to(0.3, 1.0)).result().code == 0
        assert positions(client, "left")[0] == pytest.approx(0.3, abs=0.05)
        assert positions(client, "right") == pytest.approx(before, abs=0.01)
        # One that loses its servos is nothing to the other.
        arms["left"].stop()
        node.wait_for_line(r"left.hardware_node\].*-> Disconnected", timeout=30)
        with contextlib.closing(Follow(client, f"/right/{FOLLOW}")) as follow:
            assert follow.send(to(0.3, 1.0)).result().code == 0
        node.stop()
        assert node.wait(timeout=10) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-r", "__ns:=/cell"], "`left` of `arms` is in namespace `/cell` by the command line"),
        (["-p", "arms:=[left, left]"], "each arm has a namespace of its own, and `left` is there twice"),
        (["-p", "arms:=[le ft]"], "cannot create node `hardware_node` in namespace `le ft`"),
        (["-p", "arms:=3"], "parameter `arms` is 3; it must be a list of namespaces"),
    ],
)
def test_arms_that_cannot_be_are_refused_by_name(ros_domain, tmp_path: pathlib.Path, arguments: list[str], said: str):
    with several(tmp_path, *arguments) as (_, node):
        assert node.wait(timeout=20) == 1
        assert said in node.output
