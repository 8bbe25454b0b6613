"""Writes fk_golden.json: poses of frames in other frames, computed by Pinocchio (`pip install pin`).

Run it in this directory: `python fk_golden.py`. Followers are moved here by their rule, so that Pinocchio's
own idea of mimic joints does not matter.
"""

import json
import math
import pathlib
import random

import pinocchio

HERE = pathlib.Path(__file__).parent
CHAINS = [
    ("../../../urdf/so101.urdf", "base_link", "tool0"),
    ("../../../urdf/so101.urdf", "base_link", "jaw_link"),
    ("../../../urdf/wx250s.urdf", "base_link", "tool0"),
    ("../../../urdf/wx250s.urdf", "base_link", "right_finger_link"),
    ("../../../urdf/wx250s.urdf", "right_finger_link", "left_finger_link"),
    ("crooked.urdf", "world", "probe"),
    ("crooked.urdf", "camera", "probe"),
    ("crooked.urdf", "probe", "mount"),
]
FOLLOWERS = {"right_finger": ("left_finger", -1.0, 0.0), "echo": ("nod", -0.5, 0.2)}
POSES = 25


def configuration(model, positions):
    q = pinocchio.neutral(model)
    for name, position in positions.items():
        joint = model.joints[model.getJointId(name)]
        if joint.nq == 2:
            q[joint.idx_q], q[joint.idx_q + 1] = math.cos(position), math.sin(position)
        else:
            q[joint.idx_q] = position
    return q


def pose(model, data, base, tip, positions):
    pinocchio.forwardKinematics(model, data, configuration(model, positions))
    pinocchio.updateFramePlacements(model, data)
    world_from = [data.oMf[model.getFrameId(name)] for name in (base, tip)]
    return world_from[0].inverse() * world_from[1]


def random_positions(model, dice):
    positions = {}
    for index, name in enumerate(model.names):
        if index == 0 or name in FOLLOWERS:
            continue
        joint = model.joints[index]
        lower, upper = -math.pi, math.pi
        if joint.nq == 1:
            lower, upper = model.lowerPositionLimit[joint.idx_q], model.upperPositionLimit[joint.idx_q]
        positions[name] = dice.uniform(lower, upper)
    for name, (leader, multiplier, offset) in FOLLOWERS.items():
        if leader in positions:
            positions[name] = multiplier * positions[leader] + offset
    return positions


def main():
    dice = random.Random(1)
    golden = []
    for urdf, base, tip in CHAINS:
        model = pinocchio.buildModelFromUrdf(str(HERE / urdf))
        data = model.createData()
        for _ in range(POSES):
            positions = random_positions(model, dice)
            found = pose(model, data, base, tip, positions)
            golden.append(
                {
                    "urdf": pathlib.Path(urdf).name,
                    "base": base,
                    "tip": tip,
                    "positions": {k: v for k, v in positions.items() if k not in FOLLOWERS},
                    "translation": found.translation.tolist(),
                    "rotation": found.rotation.tolist(),
                }
            )
    lines = ",\n".join(json.dumps(case) for case in golden)
    (HERE / "fk_golden.json").write_text(f"[\n{lines}\n]\n")


main()
