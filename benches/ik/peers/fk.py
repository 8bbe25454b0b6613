"""Forward kinematics straight from a URDF with numpy: who checks the answers shares no code with who gives them."""

import math
from xml.etree import ElementTree

import numpy as np


class Chain:
    """The way from a link down to another; transforms are base_from_tip, 4x4, in metres."""

    def __init__(self, file: str, base: str, tip: str):
        joints = {joint.find("child").get("link"): joint for joint in ElementTree.parse(file).findall("joint")}
        way = []
        link = tip
        while link != base:
            way.append(joints[link])
            link = joints[link].find("parent").get("link")
        # Kind, parent_from_joint, axis.
        self.steps = [(joint.get("type"), _origin(joint), _axis(joint)) for joint in reversed(way)]
        moving = [joint for joint in reversed(way) if joint.get("type") != "fixed"]
        unknown = {joint.get("type") for joint in moving} - {"revolute", "continuous", "prismatic"}
        if unknown or any(joint.find("mimic") is not None for joint in moving):
            raise ValueError(f"{file}: only plain revolute, continuous and prismatic joints can be checked")
        self.names = [joint.get("name") for joint in moving]
        self.limits = np.array([_limits(joint) for joint in moving])

    def poses(self, positions: np.ndarray) -> np.ndarray:
        """The poses for many positions at once, (n, joints) to (n, 4, 4)."""
        poses = np.broadcast_to(np.eye(4), (len(positions), 4, 4))
        column = 0
        for kind, parent_from_joint, axis in self.steps:
            poses = poses @ parent_from_joint
            if kind != "fixed":
                poses = poses @ _motions(kind, axis, positions[:, column])
                column += 1
        return poses

    def within_limits(self, positions: np.ndarray) -> np.ndarray:
        lower, upper = self.limits.T
        return ((lower - 1e-9 <= positions) & (positions <= upper + 1e-9)).all(axis=1)


def errors(poses: np.ndarray, goals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances in metres and angles in radians."""
    distance = np.linalg.norm(poses[:, :3, 3] - goals[:, :3, 3], axis=1)
    # Of a small angle the cosine says nothing; the chord does.
    chord = np.linalg.norm(poses[:, :3, :3] - goals[:, :3, :3], axis=(1, 2)) / math.sqrt(8)
    return distance, 2 * np.arcsin(np.minimum(chord, 1))


def axis_errors(poses: np.ndarray, goals: np.ndarray, axis: int) -> np.ndarray:
    """Angles between the same axis of both, in radians."""
    chord = np.linalg.norm(poses[:, :3, axis] - goals[:, :3, axis], axis=1) / 2
    return 2 * np.arcsin(np.minimum(chord, 1))


def _origin(joint: ElementTree.Element) -> np.ndarray:
    origin = joint.find("origin")
    attributes = origin.attrib if origin is not None else {}
    xyz, rpy = ([float(part) for part in attributes.get(key, "0 0 0").split()] for key in ("xyz", "rpy"))
    pose = np.eye(4)
    for axis, angle in zip(np.eye(3)[::-1], reversed(rpy)):
        pose[:3, :3] = pose[:3, :3] @ _rotations(axis, np.array([angle]))[0]
    pose[:3, 3] = xyz
    return pose


def _axis(joint: ElementTree.Element) -> np.ndarray:
    axis = joint.find("axis")
    vector = np.array([float(part) for part in axis.get("xyz").split()] if axis is not None else [1.0, 0.0, 0.0])
    return vector / (np.linalg.norm(vector) or 1.0)


def _limits(joint: ElementTree.Element) -> tuple[float, float]:
    if joint.get("type") == "continuous":
        return -math.inf, math.inf
    limit = joint.find("limit")
    return float(limit.get("lower", "0")), float(limit.get("upper", "0"))


def _motions(kind: str, axis: np.ndarray, positions: np.ndarray) -> np.ndarray:
    poses = np.tile(np.eye(4), (len(positions), 1, 1))
    if kind == "prismatic":
        poses[:, :3, 3] = positions[:, None] * axis
    else:
        poses[:, :3, :3] = _rotations(axis, positions)
    return poses


def _rotations(axis: np.ndarray, angles: np.ndarray) -> np.ndarray:
    x, y, z = axis
    across = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    sin, cos = np.sin(angles)[:, None, None], np.cos(angles)[:, None, None]
    return np.eye(3) + sin * across + (1 - cos) * (across @ across)
