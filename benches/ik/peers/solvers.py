"""Strangers' solvers behind one call each; which of them are here, and why the others are not.

A solver is made for an arm and answers `solve(target, seed)` with positions or None. What a binding wants to have
converted is converted in `target` and `seed`, outside of the time that is taken.
"""

import importlib
import random
import sys
import tempfile
import time
from xml.etree import ElementTree

import numpy as np

from fk import Chain

LIMIT_S = 0.005
TOLERANCE = 1e-5


class TracIk:
    """TRAC-IK from `pytracik`: two threads, the first that has an answer."""

    title = "TRAC-IK"
    aims = ("pose",)

    def __init__(self, file: str, base: str, tip: str, chain: Chain, aim: str):
        self.module = importlib.import_module("pytracik")
        text = open(file, encoding="utf-8").read()
        self.robot = self.module.TRAC_IK(base, tip, text, LIMIT_S, TOLERANCE, self.module.SolveType.Speed)
        # What it makes of soft limits is wrong. Joints without end it knows by their limits, which stay.
        known = self.module.get_joint_lower_bounds(self.robot), self.module.get_joint_upper_bounds(self.robot)
        limits = np.where(np.isfinite(chain.limits.T), chain.limits.T, known)
        self.module.set_joint_limits(self.robot, *limits.tolist())

    def target(self, pose: np.ndarray):
        return (*pose[:3, 3].tolist(), *quaternion(pose[:3, :3]))

    def seed(self, positions: np.ndarray):
        return positions

    def solve(self, target, seed):
        answer = self.module.ik(self.robot, seed, *target)
        return answer[1:] if answer[0] >= 0 else None

    def fk(self, seed):
        return self.module.fk(self.robot, seed)


class Optik:
    """optik from `optik-py`, one thread. It knows no continuous joints: they get one turn."""

    title = "optik"
    aims = ("pose", "position")

    def __init__(self, file: str, base: str, tip: str, chain: Chain, aim: str):
        module = importlib.import_module("optik")
        with tempfile.NamedTemporaryFile("w", suffix=".urdf") as bounded:
            bounded.write(with_ends(file))
            bounded.flush()
            self.robot = module.Robot.from_urdf_file(bounded.name, base, tip)
        self.robot.set_parallelism(1)
        options = {"angular_weight": [0.0, 0.0, 0.0]} if aim == "position" else {}
        self.config = module.SolverConfig(
            "speed", max_time=LIMIT_S, max_restarts=1_000_000, tol_f=TOLERANCE**2, **options
        )

    def target(self, pose: np.ndarray):
        return pose.tolist()

    def seed(self, positions: np.ndarray):
        return positions.tolist()

    def solve(self, target, seed):
        answer = self.robot.ik(self.config, target, seed)
        return answer[0] if answer else None

    def fk(self, seed):
        return self.robot.fk(seed)


class Toolbox:
    """The C++ Levenberg-Marquardt solver of `roboticstoolbox-python`, after Chan: at most 100 starts of 30 steps."""

    title = "roboticstoolbox"
    aims = ("pose", "position")

    def __init__(self, file: str, base: str, tip: str, chain: Chain, aim: str):
        toolbox = importlib.import_module("roboticstoolbox")
        self.native = importlib.import_module("roboticstoolbox.ets.fknm")
        self.ets = toolbox.ETS([element for step in self.elements(toolbox.ET, chain) for element in step])
        self.ets.qlim = np.clip(chain.limits, -np.pi, np.pi).T
        self.mask = np.array([1.0, 1.0, 1.0, *([0.0] * 3 if aim == "position" else [1.0] * 3)])

    @staticmethod
    def elements(et, chain: Chain):
        column = 0
        for kind, parent_from_joint, axis in chain.steps:
            yield [et.SE3(parent_from_joint)]
            if kind == "fixed":
                continue
            turn = np.eye(4)
            turn[:3, :3] = z_to(axis)
            moves = et.tz if kind == "prismatic" else et.Rz
            yield [et.SE3(turn), moves(jindex=column, qlim=np.clip(chain.limits[column], -np.pi, np.pi)), et.SE3(turn.T)]
            column += 1

    def target(self, pose: np.ndarray):
        return np.ascontiguousarray(pose)

    def seed(self, positions: np.ndarray):
        return positions

    def solve(self, target, seed):
        # The error is half the sum of squares.
        answer = self.native.IK_LM_c(
            self.ets._fknm, target, seed, 30, 100, TOLERANCE**2 / 2, True, self.mask, 0.1, "chan"
        )
        return answer[0] if answer[1] else None

    def fk(self, seed):
        return self.ets.eval(seed)


class Kdl:
    """KDL's NR_JL from `PyKDL`, begun anew at random until time is over, as MoveIt's plug-in does."""

    title = "KDL NR_JL"
    aims = ("pose",)

    def __init__(self, file: str, base: str, tip: str, chain: Chain, aim: str):
        self.kdl = kdl = import_kdl()
        self.chain = kdl.Chain()
        for number, (kind, parent_from_joint, axis) in enumerate(chain.steps):
            origin = frame(kdl, parent_from_joint)
            if kind == "fixed":
                joint = kdl.Joint(f"joint{number}", kdl.Joint.Fixed)
            else:
                direction = origin.M * kdl.Vector(*axis)
                moves = kdl.Joint.TransAxis if kind == "prismatic" else kdl.Joint.RotAxis
                joint = kdl.Joint(f"joint{number}", origin.p, direction, moves)
            self.chain.addSegment(kdl.Segment(f"link{number}", joint, origin))
        self.limits = np.clip(chain.limits, -np.pi, np.pi).tolist()
        lower, upper = (self.seed(side) for side in np.clip(chain.limits, -np.pi, np.pi).T)
        self.forward = kdl.ChainFkSolverPos_recursive(self.chain)
        self.velocity = kdl.ChainIkSolverVel_pinv(self.chain)
        self.solver = kdl.ChainIkSolverPos_NR_JL(
            self.chain, lower, upper, self.forward, self.velocity, 100, TOLERANCE
        )
        self.keep = (lower, upper)
        self.answer = kdl.JntArray(len(chain.limits))
        self.chance = random.Random(1)

    def target(self, pose: np.ndarray):
        return frame(self.kdl, pose)

    def seed(self, positions: np.ndarray):
        array = self.kdl.JntArray(len(positions))
        for index, position in enumerate(positions):
            array[index] = float(position)
        return array

    def solve(self, target, seed):
        end = time.perf_counter() + LIMIT_S
        start = seed
        while self.solver.CartToJnt(start, target, self.answer) < 0:
            if end <= time.perf_counter():
                return None
            start = self.seed([self.chance.uniform(lower, upper) for lower, upper in self.limits])
        return list(self.answer)

    def fk(self, seed):
        return self.forward.JntToCart(seed, self.kdl.Frame())


SOLVERS = (TracIk, Optik, Toolbox, Kdl)
MODULES = {
    TracIk: ("pytracik", "pytracik"),
    Optik: ("optik-py", "optik"),
    Toolbox: ("roboticstoolbox-python", "roboticstoolbox"),
}


def available() -> tuple[list[type], dict[str, str]]:
    """The solvers that are here, and the reasons why others are not."""
    here, reasons = [], {}
    for solver in SOLVERS:
        try:
            if solver is Kdl:
                import_kdl()
            else:
                importlib.import_module(MODULES[solver][1])
            here.append(solver)
        except Exception as error:
            package = "python3-pykdl of Debian or Ubuntu" if solver is Kdl else MODULES[solver][0]
            reasons[solver.title] = f"{package} cannot be used here: {error}"
    return here, reasons


def import_kdl():
    """PyPI has nothing under this name, so it is the system's, where that has the same Python."""
    system = "/usr/lib/python3/dist-packages"
    sys.path.append(system)
    try:
        module = importlib.import_module("PyKDL")
    finally:
        sys.path.remove(system)
    return module


def with_ends(file: str) -> str:
    """The URDF with a range of one turn for joints that turn without end."""
    robot = ElementTree.parse(file)
    for joint in robot.findall("joint[@type='continuous']"):
        joint.set("type", "revolute")
        limit = joint.find("limit")
        limit = ElementTree.SubElement(joint, "limit", effort="1", velocity="1") if limit is None else limit
        limit.set("lower", str(-np.pi))
        limit.set("upper", str(np.pi))
    return ElementTree.tostring(robot.getroot(), encoding="unicode")


def frame(kdl, pose: np.ndarray):
    return kdl.Frame(kdl.Rotation(*pose[:3, :3].ravel().tolist()), kdl.Vector(*pose[:3, 3].tolist()))


def quaternion(rotation: np.ndarray) -> list[float]:
    """x, y, z, w: the eigenvector of the greatest eigenvalue, which no rotation makes unsure."""
    (a, b, c), (d, e, f), (g, h, i) = rotation
    matrix = np.array(
        [
            [a - e - i, b + d, c + g, h - f],
            [b + d, e - a - i, f + h, c - g],
            [c + g, f + h, i - a - e, d - b],
            [h - f, c - g, d - b, a + e + i],
        ]
    )
    return np.linalg.eigh(matrix)[1][:, -1].tolist()


def z_to(axis: np.ndarray) -> np.ndarray:
    """A rotation whose z is this axis."""
    helper = np.eye(3)[np.argmin(np.abs(axis))]
    x = np.cross(helper, axis)
    x /= np.linalg.norm(x)
    return np.column_stack([x, np.cross(axis, x), axis])
