"""The example configuration for MoveIt names what this package has: its controllers, joints, links and limits."""

from xml.etree import ElementTree

import yaml

from harness import ROOT

FOLDER = ROOT / "config/moveit"
ROBOT = yaml.safe_load((ROOT / "config/so101.yaml").read_text())
URDF = ElementTree.parse(ROOT / "urdf/so101.urdf").getroot()
SRDF = ElementTree.parse(FOLDER / "so101.srdf").getroot()
CONTROLLERS = yaml.safe_load((FOLDER / "moveit_controllers.yaml").read_text())["moveit_simple_controller_manager"]
LIMITS = yaml.safe_load((FOLDER / "joint_limits.yaml").read_text())["joint_limits"]
KINEMATICS = yaml.safe_load((FOLDER / "kinematics.yaml").read_text())

ACTIONS = {
    "joint_trajectory_controller/JointTrajectoryController": ("FollowJointTrajectory", "follow_joint_trajectory"),
    "position_controllers/GripperActionController": ("GripperCommand", "gripper_cmd"),
    "parallel_gripper_action_controller/GripperActionController": ("ParallelGripperCommand", "gripper_cmd"),
}


def given(node: str) -> dict:
    return ROBOT[node]["ros__parameters"]


def joints_of_srdf(group: str) -> set[str]:
    """The joints of a group: those that it lists, or those of its chain."""
    element = SRDF.find(f"group[@name='{group}']")
    listed = {joint.get("name") for joint in element.findall("joint")}
    chain = element.find("chain")
    if chain is None:
        return listed
    link, found = chain.get("tip_link"), set()
    while link != chain.get("base_link"):
        [joint] = [joint for joint in URDF.findall("joint") if joint.find("child").get("link") == link]
        if joint.get("type") != "fixed":
            found.add(joint.get("name"))
        link = joint.find("parent").get("link")
    return found


def test_its_controllers_are_ours_with_their_actions_and_joints():
    types = {name: block["type"] for name, block in given("controller_manager").items()}
    assert set(CONTROLLERS["controller_names"]) == set(types)
    for name, kind in types.items():
        block = CONTROLLERS[name]
        assert (block["type"], block["action_ns"]) == ACTIONS[kind], name
        own = given(name).get("joints") or [given(name)["joint"]]
        assert block["joints"] == own, name


def test_it_plans_within_the_limits_of_the_nodes_and_the_urdf():
    ours = given("/**")["joint_limits"]
    assert set(LIMITS) == set(given("/**")["joints"])
    for name, limits in LIMITS.items():
        velocity = float(URDF.find(f"joint[@name='{name}']/limit").get("velocity"))
        assert limits["max_velocity"] <= ours[name].get("max_velocity", velocity)
        for quantity in ("acceleration", "jerk"):
            assert limits[f"has_{quantity}_limits"]
            assert limits[f"max_{quantity}"] <= ours[name][f"max_{quantity}"], name


def test_its_groups_are_those_of_the_kinematics_and_of_the_controllers():
    groups = given("ik_node")["groups"]
    assert {group.get("name") for group in SRDF.findall("group")} == set(groups)
    assert set(KINEMATICS) <= set(groups)
    chain = SRDF.find("group[@name='arm']/chain")
    assert (chain.get("base_link"), chain.get("tip_link")) == (groups["arm"]["base"], groups["arm"]["tip"])
    for group, controller in (("arm", "arm_controller"), ("gripper", "gripper_controller")):
        assert joints_of_srdf(group) == set(CONTROLLERS[controller]["joints"])


def test_its_poses_and_pairs_are_of_the_urdf():
    links = {link.get("name") for link in URDF.findall("link")}
    for element in SRDF.findall("disable_collisions"):
        assert {element.get("link1"), element.get("link2")} <= links
    for end in SRDF.findall("end_effector"):
        assert end.get("parent_link") in links
    for pose in SRDF.findall("group_state"):
        assert {joint.get("name") for joint in pose} == joints_of_srdf(pose.get("group"))
        for joint in pose:
            limit = URDF.find(f"joint[@name='{joint.get('name')}']/limit")
            assert float(limit.get("lower")) <= float(joint.get("value")) <= float(limit.get("upper"))
