"""A client of `compute_ik` and `compute_fk`, and what it compares their answers with."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

import numpy

from arm import ARM_JOINTS, Client
from fk import Urdf, angle, between, distance, pose_of
from harness import ROOT

SO101 = Urdf(ROOT / "urdf/so101.urdf")
TIP = "tool0"
# Twice what the solver is asked for, for what Python makes of the numbers.
NEAR = 2e-5


def some_positions(random: random.Random) -> list[float]:
    """Somewhere within the travel, not quite at its ends."""
    ranges = (SO101.limits[joint] for joint in ARM_JOINTS)
    return [random.uniform(0.95 * lower, 0.95 * upper) for lower, upper in ranges]


def named(positions: Sequence[float]) -> dict[str, float]:
    return dict(zip(ARM_JOINTS, positions))


def tip_at(positions: Sequence[float], link: str = TIP) -> numpy.ndarray:
    return SO101.pose(link, named(positions))


def state(positions: dict[str, float], **fields):
    from moveit_msgs.msg import RobotState
    from sensor_msgs.msg import JointState

    names, values = list(positions), [float(value) for value in positions.values()]
    return RobotState(joint_state=JointState(name=names, position=values), **fields)


def stamped(pose, frame: str = "base_link"):
    from geometry_msgs.msg import PoseStamped
    from std_msgs.msg import Header

    pose = pose_of(pose) if isinstance(pose, numpy.ndarray) else pose
    return PoseStamped(header=Header(frame_id=frame), pose=pose)


class Ik:
    """Asks a node where joints must be, and where links are."""

    def __init__(self, client: Client):
        self.client = client

    def request(self, pose, frame: str = "base_link", group: str = "arm", link: str = "", **fields):
        """A request, with a pose as a matrix or as a message."""
        from moveit_msgs.msg import PositionIKRequest

        return PositionIKRequest(
            group_name=group, ik_link_name=link, pose_stamped=stamped(pose, frame), **fields
        )

    def ask(self, pose, *args: str, **fields):
        return self.send(self.request(pose, *args, **fields))

    def send(self, request):
        from moveit_msgs.srv import GetPositionIK

        return Answer(self.client.call(GetPositionIK, "compute_ik", ik_request=request))

    def where(self, links: Sequence[str], positions: dict[str, float] | None = None, frame: str = ""):
        from moveit_msgs.srv import GetPositionFK
        from std_msgs.msg import Header

        return self.client.call(
            GetPositionFK,
            "compute_fk",
            header=Header(frame_id=frame),
            fk_link_names=list(links),
            robot_state=state(positions or {}),
        )


class Answer:
    """What came back."""

    def __init__(self, response):
        self.code, self.message = response.error_code.val, response.error_code.message
        self.source = response.error_code.source
        joints = response.solution.joint_state
        self.positions = dict(zip(joints.name, joints.position))

    def __repr__(self) -> str:
        return f"{self.code}: {self.message} {self.positions}"

    def tip(self, link: str = TIP) -> numpy.ndarray:
        return SO101.pose(link, self.positions)

    def told(self) -> tuple[float, float]:
        """The distances that the message tells (m, rad)."""
        found = re.search(r"([\d.e+-]+) m and ([\d.e+-]+) rad", self.message)
        assert found, self.message
        return float(found[1]), float(found[2])

    def check(self, wanted: numpy.ndarray, link: str = TIP) -> None:
        """That it is a success, within the travel, and where it should be: position and axis, and all where it says so."""
        assert self.code == 1, self
        for joint, (lower, upper) in SO101.limits.items():
            assert lower - 1e-9 <= self.positions.get(joint, 0.5 * (lower + upper)) <= upper + 1e-9, (joint, self)
        tip = self.tip(link)
        assert distance(tip, wanted) < NEAR, self
        if "orientation is" not in self.message:
            assert between(tip[:3, 2], wanted[:3, 2]) < NEAR, self
        if "left open" not in self.message and "leaves open" not in self.message:
            assert angle(tip, wanted) < NEAR, self
