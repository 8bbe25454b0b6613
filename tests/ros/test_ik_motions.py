"""Motions to poses, to positions and along lines, in both shapes: measured by `joint_states` and `controller_state`."""

import math

import numpy
import pytest

from arm import ARM_JOINTS
from fk import between, distance, placed, pose_of, turn
from ik import Ik, TIP, named, stamped, tip_at

pytest.importorskip("rclpy", reason="rclpy is not importable")

from control_msgs.msg import JointTrajectoryControllerState  # noqa: E402
from geometry_msgs.msg import PoseStamped, TransformStamped, Vector3  # noqa: E402
from moveit_msgs.msg import Constraints, JointConstraint, MoveItErrorCodes  # noqa: E402
from moveit_msgs.srv import GetCartesianPath  # noqa: E402
from rcl_interfaces.msg import Log  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402
from std_msgs.msg import Header  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402
from tf2_msgs.msg import TFMessage  # noqa: E402
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint  # noqa: E402
from visualization_msgs.msg import Marker, MarkerArray  # noqa: E402

Code = MoveItErrorCodes
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
NAN = math.nan
# The tool points down.
DOWN = [-0.43, 0.4, -0.1, math.pi / 2 - 0.3, 0.2]
# A servo is where it is told to be within a few of its ticks; so much is that at the tip (m), and as an angle.
MEASURED, MEASURED_ANGLE = 4e-3, 2e-2


class Motions:
    """Asks for motions, and looks at what the arm does."""

    def __init__(self, system):
        self.system, self.client = system, system.client
        # Kept, because what a publisher has said last may be lost with it.
        types = [("ik_node/target_pose", PoseStamped), ("ik_node/target_joints", JointState)]
        self.targets = {type: self.client.node.create_publisher(type, topic, 10) for topic, type in types}
        for publisher in self.targets.values():
            self.client.spin_until(publisher.get_subscription_count, f"a subscriber of {publisher.topic}")
        # Kept, because a new one may not be known to the node yet when it speaks.
        self.logs: list[Log] = []
        self.log = self.client.node.create_subscription(Log, "/rosout", self.logs.append, 1000)

    def measured(self) -> list[float]:
        message = self.client.next(JointState, "joint_states", lambda message: set(ARM_JOINTS) <= set(message.name))
        positions = dict(zip(message.name, message.position))
        return [positions[joint] for joint in ARM_JOINTS]

    def go(self, positions) -> None:
        point = JointTrajectoryPoint(positions=[float(position) for position in positions])
        self.system.follow.send(JointTrajectory(joint_names=list(ARM_JOINTS), points=[point])).result()

    def reference(self) -> list[float]:
        state = self.client.next(JointTrajectoryControllerState, "arm_controller/controller_state")
        return list(state.reference.positions)

    def wait_at(self, wanted: numpy.ndarray) -> None:
        """Until the measured tip is there; only position and the tool's direction count with five joints."""

        def is_there() -> bool:
            tip = tip_at(self.measured())
            return distance(tip, wanted) < MEASURED and between(tip[:3, 2], wanted[:3, 2]) < MEASURED_ANGLE

        self.client.spin_until(is_there, "the arm at the pose")

    def linear(self, *poses, service: str = "ik_node/move_linear", frame: str = "base_link", **fields):
        fields = {"group_name": "arm", "max_step": 0.01, **fields}
        waypoints = [pose_of(pose) if isinstance(pose, numpy.ndarray) else pose for pose in poses]
        return self.client.call(
            GetCartesianPath, service, header=Header(frame_id=frame), waypoints=waypoints, **fields
        )

    def plan(self, *poses, **fields):
        return self.linear(*poses, service="compute_cartesian_path", **fields)

    def target(self, message) -> None:
        self.targets[type(message)].publish(message)

    def reason(self, message) -> str:
        """What `/rosout` says of a target that is not gone to."""
        self.logs.clear()
        self.target(message)
        told = lambda: [log.msg for log in self.logs if log.level == 30 and "~/target" in log.msg]  # noqa: E731
        self.client.spin_until(told, "a warning")
        return told()[0]


@pytest.fixture(scope="module")
def at(shared) -> Motions:
    ik = Ik(shared.client)
    shared.client.spin_until(lambda: ik.where([TIP]).error_code.val == Code.SUCCESS, "a joint state")
    return Motions(shared)


@pytest.fixture
def motions(at: Motions) -> Motions:
    """The arm with its tool pointing down, at rest."""
    at.go(DOWN)
    return at


def moved(pose: numpy.ndarray, *by: float) -> numpy.ndarray:
    return placed(pose[:3, :3], pose[:3, 3] + numpy.array(by))


# To poses and positions


def test_the_arm_goes_to_a_target_pose(motions: Motions):
    wanted = tip_at([0.5, 0.2, 0.1, 0.8, 0.3])
    motions.target(stamped(wanted))
    motions.wait_at(wanted)


def test_the_frame_of_a_target_may_be_anybodys(motions: Motions):
    wanted = tip_at([0.3, 0.3, 0.0, 0.9, 0.0])
    table = placed(turn([0, 0, 1], 0.7), [0.4, -0.2, 0.1])
    transform = TransformStamped(header=Header(frame_id="base_link"), child_frame_id="table_of_motions")
    pose = pose_of(table)
    transform.transform.translation = Vector3(x=pose.position.x, y=pose.position.y, z=pose.position.z)
    transform.transform.rotation = pose.orientation
    publisher = motions.client.node.create_publisher(TFMessage, "/tf_static", LATCHED)
    publisher.publish(TFMessage(transforms=[transform]))
    ik = Ik(motions.client)
    known = lambda: ik.where([TIP], frame="table_of_motions").error_code.val == Code.SUCCESS  # noqa: E731
    motions.client.spin_until(known, "the frame")
    motions.target(stamped(numpy.linalg.inv(table) @ wanted, "table_of_motions"))
    motions.wait_at(wanted)
    motions.client.node.destroy_publisher(publisher)


def test_the_arm_goes_to_target_joints_and_leaves_those_that_are_not_named(motions: Motions):
    motions.target(JointState(name=["elbow_flex", "shoulder_pan"], position=[0.3, 0.6]))
    wanted = [0.6, DOWN[1], 0.3, DOWN[3], DOWN[4]]
    near = lambda: numpy.allclose(motions.measured(), wanted, atol=0.02)  # noqa: E731
    motions.client.spin_until(near, "the joints")


def test_a_new_target_takes_the_place_of_the_old(motions: Motions):
    # Not so far that a servo comes to its greatest speed, at which it is far behind.
    first, second = tip_at([0.1, 0.6, -0.2, 0.9, 0.2]), tip_at([-0.7, 0.2, 0.2, 0.8, 0.2])
    motions.target(stamped(first))
    motions.client.spin_for(0.1)
    motions.target(stamped(second))
    motions.wait_at(second)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (stamped(placed(numpy.eye(3), [3.0, 0.0, 0.2])), "cannot be reached"),
        (stamped(placed(numpy.eye(3), [NAN, 0.0, 0.2])), "must be finite"),
        (stamped(placed(numpy.eye(3), [0.2, 0.0, 0.2]), "nowhere"), "nowhere"),
        (JointState(name=["elbow_flex"], position=[]), "1 names and 0 positions"),
        (JointState(name=["nobody"], position=[0.0]), "nobody"),
        (JointState(name=["elbow_flex"], position=[7.0]), "it can go from"),
        (JointState(name=["elbow_flex"], position=[NAN]), "it can go from"),
        (JointState(name=["elbow_flex"] * 2, position=[0.0, 0.0]), "named twice"),
        (JointState(), "0 names"),
    ],
)
def test_a_target_that_is_none_is_not_gone_to_and_rosout_says_why(motions: Motions, message, why: str):
    before = motions.reference()
    assert why in motions.reason(message)
    motions.client.spin_for(0.1)
    assert numpy.allclose(motions.reference(), before, atol=1e-9)


# Along lines


def test_a_line_of_20_cm_is_kept_to_within_a_millimetre(motions: Motions):
    start = tip_at(motions.reference())
    end = moved(start, 0.0, -0.2, 0.0)
    with motions.client.heard(JointTrajectoryControllerState, "arm_controller/controller_state") as states:
        answer = motions.linear(end)
    assert (answer.error_code.val, answer.fraction) == (Code.SUCCESS, 1.0), answer.error_code.message
    references = [list(state.reference.positions) for state in states]
    tips = [tip_at(positions)[:3, 3] for positions in references]
    off = [math.hypot(*(tip - start[:3, 3])[[0, 2]]) for tip in tips]
    assert max(off) < 1e-3, f"{max(off)} m"
    assert max(off) < 1e-4, f"{max(off)} m: far more than what is planned"
    assert len({round(float(tip[1]), 4) for tip in tips}) > 30, "hardly anything was seen of the way"
    assert distance(tip_at(motions.reference()), end) < 1e-4
    motions.wait_at(end)


def test_the_answer_has_the_motion_with_times_that_a_controller_takes(motions: Motions):
    start = tip_at(motions.reference())
    answer = motions.plan(moved(start, 0.0, -0.1, 0.02), max_velocity_scaling_factor=0.2)
    assert (answer.error_code.val, answer.fraction) == (Code.SUCCESS, 1.0), answer.error_code.message
    trajectory = answer.solution.joint_trajectory
    assert trajectory.joint_names == list(ARM_JOINTS)
    times = [point.time_from_start.sec + point.time_from_start.nanosec * 1e-9 for point in trajectory.points]
    assert times[0] == 0.0 and all(a < b for a, b in zip(times, times[1:]))
    fastest = max(abs(v) for point in trajectory.points for v in point.velocities)
    assert 0.5 * 1.08 < fastest <= 1.08 * 1.0001
    assert all(len(point.accelerations) == 5 for point in trajectory.points)
    assert list(answer.start_state.joint_state.name) == list(ARM_JOINTS)


def test_a_start_state_is_where_a_plan_starts(motions: Motions):
    start = [0.2, 0.3, 0.0, math.pi / 2 - 0.3, 0.1]
    end = moved(tip_at(start), 0.0, 0.05, 0.0)
    state = Ik(motions.client).request(end).robot_state
    state.joint_state = JointState(name=list(ARM_JOINTS), position=start)
    answer = motions.plan(end, start_state=state)
    assert answer.fraction == 1.0, answer.error_code.message
    assert numpy.allclose(answer.solution.joint_trajectory.points[0].positions, start)
    refused = motions.linear(end, start_state=state)
    assert refused.error_code.val == Code.INVALID_ROBOT_STATE
    assert "start_state" in refused.error_code.message


def test_the_speed_of_a_link_can_be_limited(motions: Motions):
    start = tip_at(motions.reference())
    end = moved(start, 0.0, -0.1, 0.0)
    answer = motions.plan(end, max_cartesian_speed=0.05, cartesian_speed_limited_link=TIP)
    assert answer.fraction == 1.0
    last = answer.solution.joint_trajectory.points[-1].time_from_start
    assert 2.0 <= last.sec + last.nanosec * 1e-9 < 2.4


def test_a_line_that_leaves_the_reach_tells_the_fraction_and_why_and_is_not_executed(motions: Motions):
    before = motions.reference()
    end = moved(tip_at(before), 0.6, 0.0, 0.0)
    planned = motions.plan(end)
    assert 0.0 < planned.fraction < 1.0
    assert "the path ends after" in planned.error_code.message
    answer = motions.linear(end)
    assert answer.error_code.val == Code.INVALID_MOTION_PLAN
    assert "nothing is executed" in answer.error_code.message
    assert 0.0 < answer.fraction < 1.0
    assert numpy.allclose(motions.reference(), before, atol=1e-9)


def test_what_makes_no_sense_is_refused_with_its_reason(motions: Motions):
    here = tip_at(motions.reference())
    near = moved(here, 0.0, -0.02, 0.0)
    constraints = Constraints(joint_constraints=[JointConstraint(joint_name="elbow_flex")])
    nan = pose_of(near)
    nan.position.x = NAN
    for fields, code, why in [
        ({"group_name": "nobody"}, Code.INVALID_GROUP_NAME, "nobody"),
        ({"link_name": "nothing"}, Code.INVALID_LINK_NAME, "nothing"),
        ({"max_step": 0.0}, Code.INVALID_GOAL_CONSTRAINTS, "max_step"),
        ({"max_step": NAN}, Code.INVALID_GOAL_CONSTRAINTS, "max_step"),
        ({"jump_threshold": -1.0}, Code.INVALID_GOAL_CONSTRAINTS, "jump threshold"),
        ({"max_velocity_scaling_factor": 1.5}, Code.INVALID_GOAL_CONSTRAINTS, "max_velocity_scaling_factor"),
        ({"max_cartesian_speed": NAN}, Code.INVALID_GOAL_CONSTRAINTS, "max_cartesian_speed"),
        ({"path_constraints": constraints}, Code.INVALID_MOTION_PLAN, "joint_constraints"),
        ({"frame": "nowhere"}, Code.FRAME_TRANSFORM_FAILURE, "nowhere"),
    ]:
        answer = motions.plan(near, **fields)
        assert answer.error_code.val == code, (fields, answer.error_code)
        assert why in answer.error_code.message
        assert not answer.solution.joint_trajectory.points
    for poses, why in [((), "no waypoints"), ((near, nan), "waypoint 1")]:
        answer = motions.plan(*poses)
        assert answer.error_code.val == Code.INVALID_GOAL_CONSTRAINTS
        assert why in answer.error_code.message


def test_poses_where_the_arm_is_already_are_a_motion_that_is_over(motions: Motions):
    answer = motions.linear(tip_at(motions.reference()))
    assert (answer.error_code.val, answer.fraction) == (Code.SUCCESS, 1.0), answer.error_code.message


# Stopping


def slow_line(motions: Motions, to: numpy.ndarray, velocity: float = 0.05):
    """A line that takes a while: the future of its answer."""
    request = GetCartesianPath.Request(
        header=Header(frame_id="base_link"),
        group_name="arm",
        waypoints=[pose_of(to)],
        max_step=0.01,
        max_velocity_scaling_factor=velocity,
    )
    return motions.client.service(GetCartesianPath, "ik_node/move_linear").call_async(request)


def test_stop_ends_a_line_and_its_client_is_told(motions: Motions):
    start = tip_at(motions.reference())
    answer = slow_line(motions, moved(start, 0.0, -0.2, 0.0))
    y = float(start[1, 3])
    motions.client.spin_until(lambda: tip_at(motions.reference())[1, 3] < y - 0.01, "a motion")
    stopped = motions.client.call(Trigger, "ik_node/stop")
    assert (stopped.success, stopped.message) == (True, "the motion is stopped")
    result = motions.client.wait_for(answer, "the end of the line")
    assert result.error_code.val == Code.PREEMPTED, result.error_code
    motions.client.spin_for(0.3)
    first, then = motions.reference(), (motions.client.spin_for(0.2), motions.reference())[1]
    assert numpy.allclose(first, then, atol=1e-9)
    assert tip_at(then)[1, 3] > y - 0.19
    again = motions.client.call(Trigger, "ik_node/stop")
    assert (again.success, again.message) == (True, "nothing was under way")


def test_a_target_takes_the_place_of_a_line(motions: Motions):
    start = tip_at(motions.reference())
    answer = slow_line(motions, moved(start, 0.0, -0.2, 0.0))
    y = float(start[1, 3])
    motions.client.spin_until(lambda: tip_at(motions.reference())[1, 3] < y - 0.01, "a motion")
    wanted = tip_at([0.5, 0.2, 0.1, 0.8, 0.3])
    motions.target(stamped(wanted))
    result = motions.client.wait_for(answer, "the end of the line")
    assert result.error_code.val == Code.PREEMPTED, result.error_code
    motions.wait_at(wanted)


# What is seen


def test_target_and_path_are_markers_that_latecomers_see_too(motions: Motions):
    start = tip_at(motions.reference())
    answer = slow_line(motions, moved(start, 0.0, -0.05, 0.0), 0.005)
    heard: list = []
    subscription = motions.client.node.create_subscription(MarkerArray, "ik_node/markers", heard.append, LATCHED)
    shown = lambda: [array for array in heard if len(array.markers) == 3]  # noqa: E731
    motions.client.spin_until(shown, "markers")
    assert not answer.done()
    motions.client.node.destroy_subscription(subscription)
    cleared, target, path = shown()[-1].markers
    assert cleared.action == Marker.DELETEALL
    assert (target.ns, target.type, len(target.points)) == ("target_pose", Marker.LINE_LIST, 6)
    assert (path.ns, path.type) == ("planned_path", Marker.LINE_STRIP)
    assert path.header.frame_id == "base_link"
    first, last = path.points[0], path.points[-1]
    assert math.dist((first.x, first.y, first.z), start[:3, 3]) < 1e-4
    assert abs(math.dist((first.x, first.y, first.z), (last.x, last.y, last.z)) - 0.05) < 1e-4
    motions.client.call(Trigger, "ik_node/stop")
    motions.client.wait_for(answer, "the end of the line")
