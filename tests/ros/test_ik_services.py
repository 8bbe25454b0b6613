"""`compute_ik` and `compute_fk` as clients of MoveIt ask them, in both shapes; every answer is checked by its own means."""

import math
import random
import threading
import time

import numpy
import pytest

from arm import ARM_JOINTS, Client, duration, to
from fk import angle, between, distance, matrix_of, placed, pose_of, turn
from ik import NEAR, SO101, TIP, Answer, Ik, named, some_positions, stamped, state, tip_at

pytest.importorskip("rclpy", reason="rclpy is not importable")

from geometry_msgs.msg import Point, Pose, Quaternion, TransformStamped, Vector3  # noqa: E402
from moveit_msgs.msg import (  # noqa: E402
    BoundingVolume,
    Constraints,
    JointConstraint,
    MoveItErrorCodes,
    OrientationConstraint,
    PositionConstraint,
    PositionIKRequest,
    VisibilityConstraint,
)
from moveit_msgs.srv import GetPositionIK  # noqa: E402
from rcl_interfaces.srv import SetParameters  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402
from shape_msgs.msg import SolidPrimitive  # noqa: E402
from std_msgs.msg import Header  # noqa: E402
from std_msgs.msg import String as Text  # noqa: E402
from tf2_msgs.msg import TFMessage  # noqa: E402

Code = MoveItErrorCodes
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
# Where nothing of the arm comes to.
FAR = placed(numpy.eye(3), [3.0, 0.0, 0.2])
NAN, INF = math.nan, math.inf


@pytest.fixture(scope="module")
def ik(shared) -> Ik:
    ik = Ik(shared.client)
    shared.client.spin_until(lambda: ik.where([TIP]).error_code.val == Code.SUCCESS, "a joint state")
    return ik


def measured(client) -> dict[str, float]:
    message = client.next(JointState, "joint_states")
    return dict(zip(message.name, message.position))


@pytest.fixture
def broadcast(ik: Ik):
    """Tells where frames are, as a static broadcaster does, until the test ends."""
    publisher = ik.client.node.create_publisher(TFMessage, "/tf_static", LATCHED)

    def tell(*links: tuple[str, str, numpy.ndarray]) -> None:
        message = TFMessage()
        for parent, child, matrix in links:
            transform = TransformStamped(header=Header(frame_id=parent), child_frame_id=child)
            pose = pose_of(matrix)
            at = pose.position
            transform.transform.translation = Vector3(x=at.x, y=at.y, z=at.z)
            transform.transform.rotation = pose.orientation
            message.transforms.append(transform)
        ik.client.spin_until(lambda: publisher.get_subscription_count() > 0, "a listener to /tf_static")
        publisher.publish(message)
        child = links[-1][1]
        ik.client.spin_until(lambda: ik.where([TIP], frame=child).error_code.val == Code.SUCCESS, f"frame {child}")

    yield tell
    ik.client.node.destroy_publisher(publisher)


# What it finds


def test_poses_that_the_arm_reaches_are_found_from_anywhere(ik: Ik):
    numbers = random.Random(1)
    for _ in range(40):
        wanted = tip_at(some_positions(numbers))
        answer = ik.ask(wanted)
        answer.check(wanted)
        assert answer.source == "servo_arm"


def test_the_seed_decides_which_of_several_answers_it_is(ik: Ik):
    numbers = random.Random(2)
    for _ in range(20):
        positions = some_positions(numbers)
        seed = {joint: position + 0.02 for joint, position in named(positions).items()}
        answer = ik.ask(tip_at(positions), robot_state=state(seed))
        answer.check(tip_at(positions))
        assert max(abs(answer.positions[joint] - at) for joint, at in named(positions).items()) < 0.1, answer


def test_without_a_seed_it_begins_where_the_arm_is(ik: Ik, shared):
    shared.move_to(0.3)
    here = measured(ik.client)
    answer = ik.ask(SO101.pose(TIP, here))
    assert answer.code == Code.SUCCESS, answer
    assert all(abs(answer.positions[joint] - here[joint]) < 0.02 for joint in ARM_JOINTS), (answer, here)
    shared.move_to(0.0)


def test_a_state_may_name_some_joints_and_the_others_are_where_they_are(ik: Ik):
    here = measured(ik.client)
    for is_diff in (True, False):
        answer = ik.ask(tip_at([0.1, 0.2, -0.3, 0.4, 0.1]), robot_state=state({"elbow_flex": -0.3}, is_diff=is_diff))
        answer.check(tip_at([0.1, 0.2, -0.3, 0.4, 0.1]))
        assert abs(answer.positions["gripper"] - here["gripper"]) < 0.02
    answer = ik.ask(tip_at([0.0] * 5), robot_state=state({"gripper": 0.5}))
    assert answer.positions["gripper"] == 0.5


def test_the_answer_has_every_joint_of_the_robot_the_groups_first(ik: Ik):
    answer = ik.ask(tip_at([0.1] * 5))
    assert list(answer.positions) == [*ARM_JOINTS, "gripper"]


def test_a_short_arm_points_its_axis_where_the_whole_pose_is_out_of_reach(ik: Ik):
    wanted = tip_at([0.2, 0.1, -0.2, 0.3, 0.4]) @ placed(turn((0, 0, 1), 0.0), [0, 0, 0])
    # The arm cannot turn its tip sideways here; where its z points is all that it can do.
    wanted = wanted @ placed(turn((0, 0, 1), 0.5), [0, 0, 0])
    answer = ik.ask(wanted)
    assert answer.code == Code.SUCCESS, answer
    assert distance(answer.tip(), wanted) < NEAR
    assert between(answer.tip()[:3, 2], wanted[:3, 2]) < NEAR


# What it does not find


def test_what_cannot_be_reached_is_no_success_and_comes_as_near_as_it_gets(ik: Ik):
    answer = ik.ask(FAR)
    assert answer.code == Code.NO_IK_SOLUTION, answer
    told, _ = answer.told()
    assert abs(distance(answer.tip(), FAR) - told) < 0.01 * told
    # The arm is half a metre long.
    assert 2.4 < told < 2.9
    assert "no solution: the nearest is" in answer.message


def test_an_axis_that_cannot_point_there_is_told_in_radians(ik: Ik):
    wanted = placed(turn((0, 1, 0), -2.0), [0.35, 0.0, 0.3])
    answer = ik.ask(wanted, timeout=duration(0.3))
    if answer.code != Code.SUCCESS:
        assert answer.code == Code.NO_IK_SOLUTION, answer
        position, _ = answer.told()
        assert abs(distance(answer.tip(), wanted) - position) < 1e-3 + 0.01 * position


@pytest.mark.parametrize("group", ["", "leg", "ARM", "x" * 100_000])
def test_a_group_that_there_is_not_is_named_with_those_that_there_are(ik: Ik, group: str):
    answer = ik.ask(tip_at([0.0] * 5), group=group)
    assert answer.code == Code.INVALID_GROUP_NAME and answer.positions == {}
    assert answer.message == f"there is no group `{group}`; there are arm, gripper"


@pytest.mark.parametrize("link", ["base_link", "tool1", "jaw link", "x" * 100_000])
def test_a_link_that_the_group_does_not_move_is_named(ik: Ik, link: str):
    answer = ik.ask(tip_at([0.0] * 5), link=link)
    assert answer.code == Code.INVALID_LINK_NAME, answer
    assert "group `arm`" in answer.message and f"`{link}`" in answer.message


def test_other_links_of_the_arm_have_chains_of_their_own(ik: Ik):
    numbers = random.Random(3)
    for link in ("gripper_link", "wrist_link", "lower_arm_link", "jaw_link"):
        for _ in range(3):
            wanted = tip_at(some_positions(numbers), link)
            ik.ask(wanted, link=link, timeout=duration(0.5)).check(wanted, link)


def test_a_joint_on_the_way_that_is_not_the_groups_stays_where_it_is(ik: Ik):
    seed = {**named([0.1] * 5), "gripper": 0.7}
    wanted = SO101.pose("jaw_link", {**named([0.2, 0.1, 0.3, -0.1, 0.4]), "gripper": 0.7})
    answer = ik.ask(wanted, link="jaw_link", robot_state=state(seed))
    answer.check(wanted, "jaw_link")
    assert answer.positions["gripper"] == 0.7


def test_the_gripper_is_a_group_too(ik: Ik):
    wanted = SO101.pose("jaw_link", {"gripper": 0.8})
    hand = SO101.pose("gripper_link", {})
    answer = ik.ask(numpy.linalg.inv(hand) @ wanted, frame="gripper_link", group="gripper", timeout=duration(0.5))
    assert answer.code == Code.SUCCESS, answer


# Frames


def test_a_pose_may_be_in_the_frame_of_any_link_as_it_is_now(ik: Ik, shared):
    shared.move_to(0.2)
    here = measured(ik.client)
    wanted = SO101.pose("lower_arm_link", here) @ placed(turn((0, 0, 1), 0.1), [0.05, 0.02, 0.01])
    inside = numpy.linalg.inv(SO101.pose("lower_arm_link", here)) @ wanted
    answer = ik.ask(inside, frame="lower_arm_link", link="wrist_link")
    # The servos rest within a tick or two of where they are.
    assert distance(answer.tip("wrist_link"), wanted) < 0.01 or answer.code == Code.NO_IK_SOLUTION
    same = ik.ask(numpy.eye(4), frame="tool0")
    assert same.code == Code.SUCCESS
    assert all(abs(same.positions[joint] - here[joint]) < 0.01 for joint in ARM_JOINTS), (same, here)
    shared.move_to(0.0)


@pytest.mark.parametrize("frame", ["", "base_link", "/base_link"])
def test_the_root_needs_no_transforms(ik: Ik, frame: str):
    wanted = tip_at([0.3, -0.2, 0.1, 0.2, 0.0])
    ik.ask(wanted, frame=frame).check(wanted)


def test_frames_of_others_are_looked_up_in_tf(ik: Ik, broadcast):
    world_from_base = placed(turn((0, 0, 1), 0.7), [1.0, -2.0, 0.5])
    world_from_table = placed(turn((1, 0, 0), 0.2), [1.2, -1.8, 0.4])
    broadcast(("ik_world", "base_link", world_from_base), ("ik_world", "ik_table", world_from_table))
    wanted = tip_at([0.3, -0.2, 0.1, 0.2, 0.1])
    table_from_wanted = numpy.linalg.inv(world_from_table) @ world_from_base @ wanted
    ik.ask(table_from_wanted, frame="ik_table").check(wanted)
    ik.ask(world_from_base @ wanted, frame="ik_world").check(wanted)
    # And back: where the tip is in the table's frame.
    told = ik.where([TIP], named([0.3, -0.2, 0.1, 0.2, 0.1]), frame="ik_table").pose_stamped[0]
    assert told.header.frame_id == "ik_table"
    assert distance(matrix_of(told.pose), table_from_wanted) < 1e-9


def test_a_camera_on_the_hand_moves_with_the_hand(ik: Ik, broadcast):
    hand_from_camera = placed(turn((0, 1, 0), 0.3), [0.02, 0.0, 0.05])
    broadcast(("gripper_link", "ik_camera", hand_from_camera))
    positions = [0.3, -0.2, 0.1, 0.2, 0.1]
    told = ik.where(["base_link"], named(positions), frame="ik_camera").pose_stamped[0]
    expected = numpy.linalg.inv(tip_at(positions, "gripper_link") @ hand_from_camera)
    assert distance(matrix_of(told.pose), expected) < 1e-9 and angle(matrix_of(told.pose), expected) < 1e-7


def test_a_frame_that_nobody_knows_or_that_is_not_connected_is_named_with_the_other(ik: Ik, broadcast):
    answer = ik.ask(numpy.eye(4), frame="moon")
    assert answer.code == Code.FRAME_TRANSFORM_FAILURE, answer
    assert "`moon`" in answer.message and "`base_link`" in answer.message
    broadcast(("base_link", "ik_shelf", numpy.eye(4)))
    publisher = ik.client.node.create_publisher(TFMessage, "/tf_static", LATCHED)
    lost = TransformStamped(header=Header(frame_id="nowhere"), child_frame_id="lost")
    publisher.publish(TFMessage(transforms=[lost]))
    ik.client.spin_until(lambda: "not connected" in ik.ask(numpy.eye(4), frame="lost").message, "the lost frame")
    ik.client.node.destroy_publisher(publisher)


# Time


def test_a_timeout_below_a_second_is_honoured(ik: Ik):
    """MoveIt's own service makes 0 of it, and then takes as long as it likes."""
    never = Constraints(position_constraints=[region("tool0", [5.0, 5.0, 5.0], 0.001)])
    for seconds in (0.002, 0.1, 0.4):
        began = time.monotonic()
        answer = ik.ask(tip_at([0.1] * 5), constraints=never, timeout=duration(seconds))
        took = time.monotonic() - began
        assert answer.code in (Code.TIMED_OUT, Code.GOAL_CONSTRAINTS_VIOLATED), answer
        assert took < seconds + 0.25, took


@pytest.mark.parametrize("seconds", [0.0, -1.0, -2_000_000_000.0, 1e-9, 2_000_000_000.0])
def test_any_timeout_is_an_answerable_one(ik: Ik, seconds: float):
    answer = ik.ask(FAR, timeout=duration(seconds))
    assert answer.code in (Code.NO_IK_SOLUTION, Code.TIMED_OUT), answer
    seed = state(named([0.1] * 5))
    assert ik.ask(tip_at([0.1] * 5), timeout=duration(seconds), robot_state=seed).code == Code.SUCCESS


# Constraints


def region(link: str, at: list[float], radius: float) -> PositionConstraint:
    sphere = SolidPrimitive(type=SolidPrimitive.SPHERE, dimensions=[radius])
    pose = Pose(position=Point(x=at[0], y=at[1], z=at[2]))
    volume = BoundingVolume(primitives=[sphere], primitive_poses=[pose])
    return PositionConstraint(header=Header(frame_id="base_link"), link_name=link, constraint_region=volume)


def test_a_joint_constraint_narrows_the_travel(ik: Ik):
    positions = [0.3, -0.2, 0.5, 0.2, 0.1]
    keep = JointConstraint(joint_name="elbow_flex", position=0.5, tolerance_above=0.3, tolerance_below=0.3)
    for seed in (0.0, 1.0, -1.0):
        answer = ik.ask(
            tip_at(positions),
            robot_state=state(named([seed] * 5)),
            constraints=Constraints(joint_constraints=[keep]),
            timeout=duration(1.0),
        )
        answer.check(tip_at(positions))
        assert 0.2 - 1e-9 <= answer.positions["elbow_flex"] <= 0.8 + 1e-9, answer


def test_a_joint_that_the_group_does_not_move_keeps_its_constraint_or_not(ik: Ik):
    def with_gripper_at(position: float):
        keep = JointConstraint(joint_name="gripper", position=position, tolerance_above=0.1, tolerance_below=0.1)
        seed = state({"gripper": 0.5})
        return ik.ask(tip_at([0.1] * 5), robot_state=seed, constraints=Constraints(joint_constraints=[keep]))

    assert with_gripper_at(0.45).code == Code.SUCCESS
    refused = with_gripper_at(1.0)
    assert refused.code == Code.GOAL_CONSTRAINTS_VIOLATED and "`gripper` is at 0.5" in refused.message


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"joint_name": "elbow", "position": 0.0}, "`elbow`, which is no joint that moves"),
        ({"joint_name": "elbow_flex", "position": NAN}, "`elbow_flex` is NaN"),
        ({"joint_name": "elbow_flex", "tolerance_above": -0.1}, "must not be negative"),
        ({"joint_name": "elbow_flex", "position": 50.0}, "leaves nothing of its travel"),
    ],
)
def test_a_joint_constraint_that_cannot_be_kept_is_refused(ik: Ik, fields: dict, words: str):
    constraints = Constraints(joint_constraints=[JointConstraint(**fields)])
    answer = ik.ask(tip_at([0.0] * 5), constraints=constraints)
    assert answer.code == Code.INVALID_GOAL_CONSTRAINTS and words in answer.message, answer


def test_an_orientation_constraint_frees_the_axes_that_it_leaves_free(ik: Ik):
    positions = [0.3, -0.2, 0.5, 0.2, 0.1]
    wanted = tip_at(positions)
    # Turned about its own axis by something that no answer has to meet, and the constraint says so.
    keep = OrientationConstraint(
        header=Header(frame_id="base_link"),
        orientation=pose_of(wanted).orientation,
        link_name=TIP,
        absolute_x_axis_tolerance=0.05,
        absolute_y_axis_tolerance=0.05,
        absolute_z_axis_tolerance=math.pi,
        parameterization=OrientationConstraint.ROTATION_VECTOR,
    )
    turned = wanted @ placed(turn((1, 0, 0), 1.5), [0, 0, 0])
    answer = ik.ask(turned, constraints=Constraints(orientation_constraints=[keep]), timeout=duration(1.0))
    assert answer.code == Code.SUCCESS, answer
    assert distance(answer.tip(), wanted) < NEAR
    assert between(answer.tip()[:3, 2], wanted[:3, 2]) < 0.08


def test_a_point_is_kept_in_its_region(ik: Ik):
    positions = [0.3, -0.2, 0.5, 0.2, 0.1]
    elbow = tip_at(positions, "lower_arm_link")[:3, 3]
    keep = Constraints(position_constraints=[region("lower_arm_link", list(elbow), 0.02)])
    answer = ik.ask(tip_at(positions), constraints=keep, timeout=duration(2.0))
    answer.check(tip_at(positions))
    assert numpy.linalg.norm(answer.tip("lower_arm_link")[:3, 3] - elbow) <= 0.02
    never = Constraints(position_constraints=[region(TIP, [0.0, 0.0, 5.0], 0.02)])
    refused = ik.ask(tip_at(positions), constraints=never, timeout=duration(0.2))
    assert refused.code in (Code.GOAL_CONSTRAINTS_VIOLATED, Code.TIMED_OUT), refused
    assert "constraint" in refused.message


def test_constraints_that_nobody_understands_are_refused_in_words(ik: Ik):
    broken = region(TIP, [0.0] * 3, 0.1)
    broken.constraint_region.primitive_poses = []
    mesh = region(TIP, [0.0] * 3, 0.1)
    mesh.constraint_region.primitives = []
    flat = region(TIP, [0.0] * 3, -0.1)
    stranger = region("tool1", [0.0] * 3, 0.1)
    tolerance = OrientationConstraint(link_name=TIP, absolute_x_axis_tolerance=NAN)
    parameterization = OrientationConstraint(link_name=TIP, parameterization=7)
    for constraints, words in [
        (Constraints(visibility_constraints=[VisibilityConstraint()]), "visibility_constraints are not understood"),
        (Constraints(position_constraints=[broken]), "1 primitives and 0 poses"),
        (Constraints(position_constraints=[mesh]), "meshes are not understood"),
        (Constraints(position_constraints=[flat]), "must be positive"),
        (Constraints(position_constraints=[stranger]), "link `tool1`"),
        (Constraints(orientation_constraints=[tolerance]), "none may be negative"),
        (Constraints(orientation_constraints=[parameterization]), "parameterization 7"),
    ]:
        answer = ik.ask(tip_at([0.0] * 5), constraints=constraints)
        assert answer.code == Code.INVALID_GOAL_CONSTRAINTS and words in answer.message, answer


# Collisions


def test_answers_that_touch_something_are_refused_with_the_pair_where_that_is_wanted(ik: Ik):
    wanted = tip_at([0.0, 1.7, 0.3, 0.9, 0.0])
    careless = ik.ask(wanted, timeout=duration(0.3))
    assert careless.code == Code.SUCCESS, careless
    # Below the plane that it stands on, or in itself.
    careful = ik.ask(wanted, avoid_collisions=True, timeout=duration(0.3))
    if careful.code != Code.SUCCESS:
        assert careful.code in (Code.GOAL_IN_COLLISION, Code.TIMED_OUT), careful
        assert " m of `" in careful.message, careful


def test_a_pose_without_collisions_is_a_success_either_way(ik: Ik):
    wanted = tip_at([0.1, 0.1, 0.1, 0.1, 0.1])
    for avoid in (False, True):
        ik.ask(wanted, avoid_collisions=avoid, robot_state=state(named([0.0] * 5))).check(wanted)


# Whatever comes


@pytest.mark.parametrize(
    "pose",
    [
        Pose(position=Point(x=NAN)),
        Pose(position=Point(z=INF)),
        Pose(position=Point(y=-INF)),
        Pose(orientation=Quaternion(w=0.0)),
        Pose(orientation=Quaternion(w=NAN)),
        Pose(orientation=Quaternion(x=INF)),
        Pose(orientation=Quaternion(x=3.0, w=4.0)),
    ],
)
def test_a_pose_that_is_none_is_refused_with_its_numbers(ik: Ik, pose: Pose):
    answer = ik.ask(pose)
    assert answer.code == Code.INVALID_GOAL_CONSTRAINTS, answer
    assert "position (x" in answer.message or "orientation (x" in answer.message
    assert answer.positions == {}


def test_a_pose_beyond_all_numbers_is_answered(ik: Ik):
    for number in (1e300, -1e308, 1e-320):
        answer = ik.ask(placed(numpy.eye(3), [number, number, number]))
        assert answer.code != Code.SUCCESS or number == 1e-320
        assert all(math.isfinite(position) for position in answer.positions.values()), answer


def test_a_quaternion_that_is_not_quite_of_length_1_is_one_all_the_same(ik: Ik):
    wanted = tip_at([0.2] * 5)
    pose = pose_of(wanted)
    q = pose.orientation
    pose.orientation = Quaternion(x=1.05 * q.x, y=1.05 * q.y, z=1.05 * q.z, w=1.05 * q.w)
    ik.ask(pose).check(wanted)


@pytest.mark.parametrize(
    ("names", "positions", "words"),
    [
        (["elbow_flex"], [], "names 1 joints and has 0 positions"),
        ([], [1.0], "names 0 joints and has 1 positions"),
        (["elbow_flex"], [NAN], "joint `elbow_flex` at NaN"),
        (["elbow_flex"], [INF], "joint `elbow_flex` at inf"),
        (["elbow"], [0.0], "joint `elbow`"),
        (["tool0_fixed"], [0.0], "no such moving joint"),
    ],
)
def test_a_state_that_is_none_is_refused_in_words(ik: Ik, names, positions, words):
    seed = state({})
    seed.joint_state = JointState(name=names, position=positions)
    answer = ik.ask(tip_at([0.0] * 5), robot_state=seed)
    assert answer.code == Code.INVALID_ROBOT_STATE and words in answer.message, answer
    from moveit_msgs.srv import GetPositionFK

    told = ik.client.call(GetPositionFK, "compute_fk", fk_link_names=[TIP], robot_state=seed)
    assert told.error_code.val == Code.INVALID_ROBOT_STATE


def test_a_seed_beyond_the_travel_is_moved_inwards(ik: Ik):
    wanted = tip_at([0.2] * 5)
    for far in (100.0, -1e9, 1e300):
        ik.ask(wanted, robot_state=state(named([far] * 5)), timeout=duration(0.5)).check(wanted)


def test_links_and_poses_may_come_in_lists_of_one(ik: Ik):
    wanted = tip_at([0.2] * 5, "gripper_link")
    one = PositionIKRequest(
        group_name="arm",
        ik_link_name="tool0",
        ik_link_names=["gripper_link"],
        pose_stamped_vector=[stamped(wanted)],
    )
    ik.send(one).check(wanted, "gripper_link")
    for links, poses in ((2, 2), (0, 2), (2, 1), (2, 0)):
        several = PositionIKRequest(
            group_name="arm", ik_link_names=["tool0"] * links, pose_stamped_vector=[stamped(wanted)] * poses
        )
        answer = ik.send(several)
        assert answer.code == Code.INVALID_LINK_NAME and "a group has one tip" in answer.message, answer


def test_many_requests_at_once_are_all_answered_rightly(ik: Ik):
    numbers = random.Random(5)
    wanted = [tip_at(some_positions(numbers)) for _ in range(60)]
    # A client's own queue is ten deep unless it says otherwise.
    deep = QoSProfile(depth=100)
    service = ik.client.node.create_client(GetPositionIK, "compute_ik", qos_profile=deep)
    ik.client.spin_until(service.service_is_ready, "the service")
    futures = [service.call_async(GetPositionIK.Request(ik_request=ik.request(pose))) for pose in wanted]
    ik.client.spin_until(lambda: all(future.done() for future in futures), "every answer", timeout=20.0)
    ik.client.node.destroy_client(service)
    for future, pose in zip(futures, wanted):
        Answer(future.result()).check(pose)


def test_a_long_search_does_not_hold_up_the_others(ik: Ik):
    never = Constraints(position_constraints=[region(TIP, [5.0, 5.0, 5.0], 0.001)])
    long = ik.request(tip_at([0.1] * 5), constraints=never, timeout=duration(3.0))
    service = ik.client.service(GetPositionIK, "compute_ik")
    waiting = service.call_async(GetPositionIK.Request(ik_request=long))
    began = time.monotonic()
    assert ik.where([TIP], named([0.1] * 5)).error_code.val == Code.SUCCESS
    assert time.monotonic() - began < 1.5
    ik.client.wait_for(waiting, "the end of the long search")


def test_clients_in_threads_of_their_own_get_their_own_answers(ik: Ik):
    troubles: list = []

    def ask_some(seed: int) -> None:
        numbers = random.Random(seed)
        client = Client()
        try:
            own = Ik(client)
            for _ in range(10):
                wanted = tip_at(some_positions(numbers))
                own.ask(wanted).check(wanted)
        except BaseException as trouble:
            troubles.append(trouble)
        finally:
            client.close()

    threads = [threading.Thread(target=ask_some, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not troubles, troubles


# Where links are


def test_links_are_where_the_urdf_puts_them(ik: Ik):
    numbers = random.Random(6)
    links = ["base_link", *SO101.joint_to]
    for _ in range(10):
        positions = {**named(some_positions(numbers)), "gripper": numbers.uniform(0.0, 1.5)}
        told = ik.where(links, positions)
        assert told.error_code.val == Code.SUCCESS and told.fk_link_names == links
        for link, pose in zip(links, told.pose_stamped):
            expected = SO101.pose(link, positions)
            assert pose.header.frame_id == "base_link" and pose.header.stamp.sec > 0
            assert distance(matrix_of(pose.pose), expected) < 1e-9
            assert angle(matrix_of(pose.pose), expected) < 1e-7


def test_where_links_are_in_another_link_goes_by_the_same_state(ik: Ik):
    positions = named([0.3, 0.4, -0.5, 0.6, 0.7])
    told = ik.where([TIP], positions, frame="upper_arm_link").pose_stamped[0]
    expected = numpy.linalg.inv(SO101.pose("upper_arm_link", positions)) @ SO101.pose(TIP, positions)
    assert told.header.frame_id == "upper_arm_link"
    assert distance(matrix_of(told.pose), expected) < 1e-9


def test_without_a_state_links_are_where_the_arm_is(ik: Ik):
    here = measured(ik.client)
    told = ik.where([TIP]).pose_stamped[0]
    assert distance(matrix_of(told.pose), SO101.pose(TIP, here)) < 0.005


def test_links_that_there_are_not_are_named_and_the_others_told(ik: Ik):
    told = ik.where(["tool1", TIP], named([0.0] * 5))
    assert told.error_code.val == Code.INVALID_LINK_NAME and "`tool1`" in told.error_code.message
    assert told.fk_link_names == [TIP] and len(told.pose_stamped) == 1
    assert ik.where([]).error_code.val == Code.INVALID_LINK_NAME
    told = ik.where([TIP], frame="moon")
    assert told.error_code.val == Code.FRAME_TRANSFORM_FAILURE and "`moon`" in told.error_code.message


# The node


def test_what_counts_of_a_pose_can_be_changed_while_it_runs(ik: Ik):
    def set_aim(aim: str):
        parameters = [Parameter("ik.aim", value=aim).to_parameter_msg()]
        return ik.client.call(SetParameters, "ik_node/set_parameters", parameters=parameters).results[0]

    wanted = placed(turn((0, 1, 0), -2.0), tip_at([0.2] * 5)[:3, 3])
    assert set_aim("position").successful
    answer = ik.ask(wanted)
    assert answer.code == Code.SUCCESS and "orientation is left open" in answer.message
    assert distance(answer.tip(), wanted) < NEAR
    assert set_aim("pose").successful
    assert ik.ask(wanted, timeout=duration(0.2)).code in (Code.NO_IK_SOLUTION, Code.TIMED_OUT)
    refused = set_aim("poze")
    assert not refused.successful and '"position_and_axis"' in refused.reason
    assert set_aim("auto").successful


def test_the_model_may_come_by_topic_and_the_state_in_the_request(start_emulator, client):
    arm = start_emulator()
    arm.parameter_files = []
    node = arm.start("ik_node")
    node.wait_for_line("waiting for topic robot_description")
    publisher = client.node.create_publisher(Text, "robot_description", LATCHED)
    publisher.publish(Text(data="<robot/>"))
    node.wait_for_line("topic robot_description: ")
    publisher.publish(Text(data=SO101.text))
    node.wait_for_line("group `arm`: ")
    ik = Ik(client)
    told = ik.where([TIP])
    assert told.error_code.val == Code.ROBOT_STATE_STALE and "needs the position of joint" in told.error_code.message
    positions = named([0.1, 0.2, 0.3, 0.4, 0.5])
    assert ik.where([TIP], positions).error_code.val == Code.SUCCESS
    # Nobody has told where the joints are: it begins in the middle of their travel.
    arm_group = ik.ask(tip_at(list(positions.values())), timeout=duration(1.0))
    assert arm_group.code in (Code.SUCCESS, Code.NO_IK_SOLUTION), arm_group
    publisher.destroy()


def test_an_arm_without_inverse_kinematics_is_one_parameter_away(run_arm):
    system = run_arm("arm_node", has_ik_node=False)
    system.client.spin_for(0.5)
    assert "ik_node" not in {name for name, _ in system.client.node.get_node_names_and_namespaces()}


def test_a_group_that_is_not_the_robots_ends_the_start_with_one_clear_line(start_emulator):
    arm = start_emulator()
    node = arm.start("ik_node", "-p", "groups.arm.tip:=hand")
    assert node.wait() == 1
    assert "ik_node: group `arm`: " in node.output and "`hand`" in node.output
