"""Writes the skeletons of strangers' arms, and golden.json: their frames and Jacobians by Pinocchio.

Run it in this directory, with what it needs installed aside:
`pip install pin==4.1.0 example-robot-data==6.0.0 rtb-data==1.0.1 xacrodoc`, then `python golden.py`.

A skeleton is what kinematics needs of a URDF: the links from the root to the tip and the small ones that hang
on the last joint, the joints between them with their limits, no bodies. README.md says where they are from.
"""

import json
import math
import pathlib
import random
import xml.etree.ElementTree as ElementTree

import cmeel
import pinocchio
import rtbdata
from xacrodoc import XacroDoc

HERE = pathlib.Path(__file__).parent
EXAMPLES = pathlib.Path(cmeel.__file__).parents[1] / "cmeel.prefix/share/example-robot-data/robots"
TOOLBOX = pathlib.Path(rtbdata.__file__).parent / "xacro"
# Name, source, tip, and whether what hangs beside the way to the tip is kept.
ARMS = [
    ("panda", EXAMPLES / "panda_description/urdf/panda.urdf", "panda_hand_tcp", True),
    ("ur5", EXAMPLES / "ur_description/urdf/ur5_robot.urdf", "tool0", True),
    ("baxter", EXAMPLES / "baxter_description/urdf/baxter.urdf", "left_gripper", True),
    ("pr2", EXAMPLES / "pr2_description/urdf/pr2.urdf", "r_gripper_tool_frame", False),
    ("gen3", TOOLBOX / "kortex_description/arms/gen3/7dof/urdf/GEN3_URDF_V12.urdf", "EndEffector_Link", True),
    ("iiwa14", TOOLBOX / "kuka_description/kuka_lbr_iiwa/urdf/lbr_iiwa_14_r820.urdf", "tool0", True),
    ("vx300s", TOOLBOX / "interbotix_descriptions/urdf/vx300s.urdf.xacro", "vx300s/ee_gripper_link", True),
]
KEPT = {
    "origin": ("xyz", "rpy"),
    "parent": ("link",),
    "child": ("link",),
    "axis": ("xyz",),
    "limit": ("lower", "upper", "velocity", "effort"),
    "mimic": ("joint", "multiplier", "offset"),
}
DIGITS = 14


def source(path):
    if path.suffix == ".xacro":
        text = XacroDoc.from_file(str(path), subargs={"robot_name": "vx300s"}, resolve_packages=False).to_urdf_string()
        return ElementTree.fromstring(text)
    return ElementTree.parse(path).getroot()


def way_to(joints, tip):
    """The joints from the root to the tip."""
    carriers = {joint.find("child").get("link"): joint for joint in joints}
    way = []
    while tip in carriers:
        way.append(carriers[tip])
        tip = carriers[tip].find("parent").get("link")
    return way[::-1]


def kept_joints(joints, tip, with_branches):
    kept = way_to(joints, tip)
    last = max(index for index, joint in enumerate(kept) if joint.get("type") != "fixed")
    carried = {joint.find("child").get("link") for joint in kept[last:]}
    for joint in joints if with_branches else ():
        if joint not in kept and joint.find("parent").get("link") in carried:
            carried.add(joint.find("child").get("link"))
            kept.append(joint)
    return kept


def skeleton(name, root, tip, with_branches):
    joints = [joint for joint in root.findall("joint") if joint.find("child") is not None]
    joints = kept_joints(joints, tip, with_branches)
    robot = ElementTree.Element("robot", name=name)
    first = joints[0].find("parent").get("link")
    for link in [first] + [joint.find("child").get("link") for joint in joints]:
        ElementTree.SubElement(robot, "link", name=link)
    for joint in joints:
        bare = ElementTree.SubElement(robot, "joint", name=joint.get("name"), type=joint.get("type"))
        for element in joint:
            if joint.get("type") == "fixed" and element.tag in ("axis", "limit"):
                continue
            if element.tag in KEPT:
                values = {key: element.get(key) for key in KEPT[element.tag] if element.get(key) is not None}
                ElementTree.SubElement(bare, element.tag, values)
    ElementTree.indent(robot)
    path = HERE / f"{name}.urdf"
    ElementTree.ElementTree(robot).write(path, encoding="unicode")
    path.write_text(f"<!-- Written by golden.py; see README.md. -->\n{path.read_text()}\n")
    return path


def leads(joint):
    return joint.get("type") != "fixed" and joint.find("mimic") is None


def limits(joint):
    if joint.get("type") == "continuous":
        return -math.pi, math.pi
    limit = joint.find("limit")
    return float(limit.get("lower", 0)), float(limit.get("upper", 0))


def cases(leaders, dice):
    """Zeros, all limits, limits and zeros among others, and anything."""
    ranges = {joint.get("name"): limits(joint) for joint in leaders}
    yield {name: min(max(0.0, lower), upper) for name, (lower, upper) in ranges.items()}
    yield {name: lower for name, (lower, upper) in ranges.items()}
    yield {name: upper for name, (lower, upper) in ranges.items()}
    yield {
        name: dice.choice([lower, upper, min(max(0.0, lower), upper), dice.uniform(lower, upper)])
        for name, (lower, upper) in ranges.items()
    }
    for _ in range(2):
        yield {name: dice.uniform(lower, upper) for name, (lower, upper) in ranges.items()}


def configuration(model, joints, positions):
    """Followers are moved here by their rule, so that Pinocchio's own idea of them does not matter."""
    q = pinocchio.neutral(model)
    for joint in joints:
        name, mimic = joint.get("name"), joint.find("mimic")
        if joint.get("type") == "fixed":
            continue
        position = positions.get(name)
        if mimic is not None:
            multiplier, offset = float(mimic.get("multiplier", 1)), float(mimic.get("offset", 0))
            position = multiplier * positions[mimic.get("joint")] + offset
        moved = model.joints[model.getJointId(name)]
        if moved.nq == 2:
            q[moved.idx_q], q[moved.idx_q + 1] = math.cos(position), math.sin(position)
        else:
            q[moved.idx_q] = position
    return q


def rounded(values):
    return [round(float(value), DIGITS) + 0.0 for value in values]


def golden(name, path, tip, dice):
    joints = ElementTree.parse(path).getroot().findall("joint")
    model = pinocchio.buildModelFromUrdf(str(path))
    data = model.createData()
    frames = [link.get("name") for link in ElementTree.parse(path).getroot().findall("link")]
    leaders = [joint for joint in joints if leads(joint)]
    moving = [joint.get("name") for joint in way_to(joints, tip) if leads(joint)]
    result = {"arm": name, "base": frames[0], "tip": tip, "joints": [joint.get("name") for joint in leaders]}
    result.update(chain=moving, frames=frames, cases=[])
    for positions in cases(leaders, dice):
        q = configuration(model, joints, positions)
        pinocchio.forwardKinematics(model, data, q)
        pinocchio.updateFramePlacements(model, data)
        places = [data.oMf[model.getFrameId(frame, pinocchio.FrameType.BODY)] for frame in frames]
        turns = [pinocchio.Quaternion(place.rotation) for place in places]
        jacobian = pinocchio.computeFrameJacobian(
            model, data, q, model.getFrameId(tip, pinocchio.FrameType.BODY), pinocchio.LOCAL_WORLD_ALIGNED
        )
        columns = [jacobian[:, model.joints[model.getJointId(joint)].idx_v] for joint in moving]
        result["cases"].append(
            {
                "positions": [positions[joint] for joint in result["joints"]],
                "poses": [
                    rounded([*place.translation, turn.w, turn.x, turn.y, turn.z])
                    for place, turn in zip(places, turns)
                ],
                "jacobian": [rounded(column) for column in columns],
            }
        )
    return result


def main():
    dice = random.Random(1)
    results = []
    for name, path, tip, with_branches in ARMS:
        bare = skeleton(name, source(path), tip, with_branches)
        results.append(golden(name, bare, tip, dice))
    lines = ",\n".join(json.dumps(result, separators=(",", ":")) for result in results)
    (HERE / "golden.json").write_text(f"[\n{lines}\n]\n")


main()
