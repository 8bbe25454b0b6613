"""Forward kinematics of a URDF in a few lines of Python: what the nodes' answers are held against."""

from __future__ import annotations

import math
import pathlib
from xml.etree import ElementTree

import numpy


def turn(axis, angle: float) -> numpy.ndarray:
    """The rotation about a unit axis (Rodrigues)."""
    x, y, z = axis
    cross = numpy.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return numpy.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross


def placed(rotation, translation) -> numpy.ndarray:
    matrix = numpy.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, translation
    return matrix


def numbers(text: str | None, default: str) -> list[float]:
    return [float(word) for word in (text or default).split()]


class Urdf:
    """The links of a URDF, each by the joints that carry it."""

    def __init__(self, path: pathlib.Path):
        self.text = path.read_text()
        self.joint_to: dict[str, ElementTree.Element] = {}
        self.limits: dict[str, tuple[float, float]] = {}
        for joint in ElementTree.fromstring(self.text).findall("joint"):
            self.joint_to[joint.find("child").get("link")] = joint
            limit = joint.find("limit")
            if limit is not None and joint.get("type") in ("revolute", "prismatic"):
                self.limits[joint.get("name")] = (float(limit.get("lower")), float(limit.get("upper")))

    def pose(self, link: str, positions: dict[str, float]) -> numpy.ndarray:
        """Where a link is in the root, with the joints there."""
        root_from_link = numpy.eye(4)
        while link in self.joint_to:
            joint = self.joint_to[link]
            root_from_link = self.step(joint, positions) @ root_from_link
            link = joint.find("parent").get("link")
        return root_from_link

    @staticmethod
    def step(joint: ElementTree.Element, positions: dict[str, float]) -> numpy.ndarray:
        origin, axis = joint.find("origin"), joint.find("axis")
        roll, pitch, yaw = numbers(origin.get("rpy") if origin is not None else None, "0 0 0")
        shift = numbers(origin.get("xyz") if origin is not None else None, "0 0 0")
        rotation = turn((0, 0, 1), yaw) @ turn((0, 1, 0), pitch) @ turn((1, 0, 0), roll)
        parent_from_joint = placed(rotation, shift)
        along = numpy.array(numbers(axis.get("xyz") if axis is not None else None, "1 0 0"))
        along /= numpy.linalg.norm(along)
        position = positions.get(joint.get("name"), 0.0)
        if joint.get("type") in ("revolute", "continuous"):
            return parent_from_joint @ placed(turn(along, position), [0, 0, 0])
        if joint.get("type") == "prismatic":
            return parent_from_joint @ placed(numpy.eye(3), along * position)
        return parent_from_joint


def quaternion_of(rotation: numpy.ndarray) -> tuple[float, float, float, float]:
    """x, y, z, w; by the largest of the four, so that none is lost (Shepperd)."""
    trace = numpy.trace(rotation)
    diagonal = [*numpy.diag(rotation), trace]
    largest = int(numpy.argmax(diagonal))
    if largest == 3:
        w = 1 + trace
        values = [rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1], w]
    else:
        i, j, k = largest, (largest + 1) % 3, (largest + 2) % 3
        values = [0.0] * 4
        values[i] = 1 - trace + 2 * rotation[i, i]
        values[j] = rotation[j, i] + rotation[i, j]
        values[k] = rotation[k, i] + rotation[i, k]
        values[3] = rotation[k, j] - rotation[j, k]
    length = math.sqrt(sum(value * value for value in values))
    return tuple(value / length for value in values)


def rotation_of(x: float, y: float, z: float, w: float) -> numpy.ndarray:
    angle = 2 * math.atan2(math.sqrt(x * x + y * y + z * z), w)
    axis = numpy.array([x, y, z])
    length = numpy.linalg.norm(axis)
    return numpy.eye(3) if length == 0.0 else turn(axis / length, angle)


def matrix_of(pose) -> numpy.ndarray:
    """A `geometry_msgs/Pose` as a matrix."""
    p, q = pose.position, pose.orientation
    return placed(rotation_of(q.x, q.y, q.z, q.w), [p.x, p.y, p.z])


def pose_of(matrix: numpy.ndarray):
    """A matrix as a `geometry_msgs/Pose`."""
    from geometry_msgs.msg import Point, Pose, Quaternion

    x, y, z, w = quaternion_of(matrix[:3, :3])
    px, py, pz = (float(value) for value in matrix[:3, 3])
    return Pose(position=Point(x=px, y=py, z=pz), orientation=Quaternion(x=x, y=y, z=z, w=w))


def distance(a: numpy.ndarray, b: numpy.ndarray) -> float:
    """Between the origins (m)."""
    return float(numpy.linalg.norm(a[:3, 3] - b[:3, 3]))


def angle(a: numpy.ndarray, b: numpy.ndarray) -> float:
    """Between the orientations (rad); exact for small ones too."""
    off = a[:3, :3].T @ b[:3, :3]
    sine = numpy.array([off[2, 1] - off[1, 2], off[0, 2] - off[2, 0], off[1, 0] - off[0, 1]])
    return math.atan2(0.5 * float(numpy.linalg.norm(sine)), 0.5 * (float(numpy.trace(off)) - 1))


def between(a: numpy.ndarray, b: numpy.ndarray) -> float:
    """Between two directions (rad)."""
    return math.atan2(float(numpy.linalg.norm(numpy.cross(a, b))), float(numpy.dot(a, b)))
