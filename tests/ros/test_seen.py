"""What viewers see of an arm: transforms and description, markers, and a target that can be dragged; in both shapes."""

import itertools
import math

import numpy
import pytest
import yaml

from arm import ARM_JOINTS
from fk import angle, distance, matrix_of, placed, pose_of, rotation_of
from harness import ROOT
from ik import SO101, TIP, Ik, tip_at
from test_ik_motions import LATCHED, Motions

pytest.importorskip("rclpy", reason="rclpy is not importable")

from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue  # noqa: E402
from rcl_interfaces.srv import SetParameters  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402
from std_msgs.msg import Header, String  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402
from tf2_msgs.msg import TFMessage  # noqa: E402
from visualization_msgs.msg import (  # noqa: E402
    InteractiveMarkerControl,
    InteractiveMarkerFeedback,
    InteractiveMarkerUpdate,
    Marker,
    MarkerArray,
)
from visualization_msgs.srv import GetInteractiveMarkers  # noqa: E402

FREQUENCY = 10.0
FIXED = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
RVIZ = yaml.safe_load((ROOT / "rviz/arm.rviz").read_text())["Visualization Manager"]
HOME = [0.0, 0.0, 0.0, 0.0, 0.0]
THERE = [0.4, 0.3, -0.3, 0.4, 0.2]
# A measured tip is where it should be within a few ticks of every servo.
MEASURED, MEASURED_ANGLE = 5e-3, 3e-2


def overlay(_folder) -> dict:
    return {"hardware_node": {"publish_robot_state": True, "publish_frequency": FREQUENCY}}


def nanoseconds(stamp) -> int:
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def matrix_of_transform(transform) -> numpy.ndarray:
    at, turn = transform.translation, transform.rotation
    return placed(rotation_of(turn.x, turn.y, turn.z, turn.w), [at.x, at.y, at.z])


# What robot_state_publisher would publish


def test_transforms_are_the_forward_kinematics_of_the_joint_state_with_their_stamp(shared):
    states: dict[int, JointState] = {}
    with (
        shared.client.heard(TFMessage, "/tf_static", FIXED) as fixed,
        shared.client.heard(JointState, "joint_states") as heard,
        shared.client.heard(TFMessage, "/tf") as moving,
    ):

        def known() -> list[TFMessage]:
            states.update((nanoseconds(state.header.stamp), state) for state in heard)
            return [message for message in moving if nanoseconds(message.transforms[0].header.stamp) in states]

        shared.client.spin_until(lambda: fixed and 5 <= len(known()), "transforms of joint states that were heard")
    links = {transform.child_frame_id: transform for transform in fixed[-1].transforms}
    for message in known():
        links |= {transform.child_frame_id: transform for transform in message.transforms}
        assert len({nanoseconds(transform.header.stamp) for transform in message.transforms}) == 1
        assert set(links) == set(SO101.joint_to)
        state = states[nanoseconds(message.transforms[0].header.stamp)]
        positions = dict(zip(state.name, state.position))
        for link in (TIP, "jaw_link"):
            root_from_link, at = numpy.eye(4), link
            while at in links:
                root_from_link = matrix_of_transform(links[at].transform) @ root_from_link
                at = links[at].header.frame_id
            wanted = SO101.pose(link, positions)
            assert distance(root_from_link, wanted) < 1e-9 and angle(root_from_link, wanted) < 1e-6


def test_transforms_are_not_published_more_often_than_configured(shared):
    with shared.client.heard(TFMessage, "/tf") as moving:
        shared.client.spin_until(lambda: 12 <= len(moving), "twelve transforms")
    first, last = (nanoseconds(moving[index].transforms[0].header.stamp) for index in (0, 11))
    # A stamp is that of the oldest sample, which may be some cycles old.
    assert 11 / FREQUENCY - 0.06 <= (last - first) / 1e9


def test_description_and_transforms_have_the_qualities_that_viewers_ask_for(shared):
    description = shared.client.node.create_subscription(String, "robot_description", lambda _: None, LATCHED)
    heard: list = []
    again = shared.client.node.create_subscription(String, "robot_description", heard.append, LATCHED)
    shared.client.spin_until(lambda: heard, "the description")
    assert heard[0].data == SO101.text
    for subscription in (description, again):
        shared.client.node.destroy_subscription(subscription)
    wanted = {
        "/tf": (DurabilityPolicy.VOLATILE, "tf2_msgs/msg/TFMessage"),
        "/tf_static": (DurabilityPolicy.TRANSIENT_LOCAL, "tf2_msgs/msg/TFMessage"),
        "/robot_description": (DurabilityPolicy.TRANSIENT_LOCAL, "std_msgs/msg/String"),
    }
    for topic, (durability, type_name) in wanted.items():
        (publisher,) = shared.client.node.get_publishers_info_by_topic(topic)
        qualities = publisher.qos_profile
        assert (publisher.topic_type, qualities.durability) == (type_name, durability), topic
        assert qualities.reliability == ReliabilityPolicy.RELIABLE, topic


def test_every_topic_of_the_rviz_configuration_is_published_with_its_type(shared):
    types = {
        "RobotModel": "std_msgs/msg/String",
        "MarkerArray": "visualization_msgs/msg/MarkerArray",
        "InteractiveMarkers": "visualization_msgs/msg/InteractiveMarkerUpdate",
    }
    looked_at = 0
    for display in RVIZ["Displays"]:
        kind = display["Class"].removeprefix("rviz_default_plugins/")
        if kind not in types:
            continue
        topic = display.get("Topic") or display.get("Description Topic") or {}
        name = topic.get("Value") or f"{display['Interactive Markers Namespace']}/update"
        shared.client.spin_until(lambda: shared.client.node.count_publishers(name), f"a publisher of {name}")
        (publisher,) = shared.client.node.get_publishers_info_by_topic(f"/{name}")
        assert publisher.topic_type == types[kind], name
        if topic.get("Durability Policy") == "Transient Local":
            assert publisher.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL, name
        looked_at += 1
    assert looked_at == 4
    assert RVIZ["Global Options"]["Fixed Frame"] in SO101.text


@pytest.fixture
def left(run_arm):
    """An arm whose frames have a prefix."""
    return run_arm("arm_node", publish_robot_state=True, frame_prefix="left/")


def test_a_prefix_stands_before_every_frame_and_poses_may_have_it(left):
    with left.client.heard(TFMessage, "/tf_static", FIXED) as fixed, left.client.heard(TFMessage, "/tf") as moving:
        left.client.spin_until(lambda: fixed and moving, "transforms")
    for transform in [*fixed[0].transforms, *moving[0].transforms]:
        assert transform.header.frame_id.startswith("left/") and transform.child_frame_id.startswith("left/")
    ik = Ik(left.client)
    answer = ik.where([TIP], dict(zip(ARM_JOINTS, THERE)))
    assert answer.pose_stamped[0].header.frame_id == "left/base_link"
    wanted = tip_at(THERE)
    assert ik.ask(wanted, "left/base_link").tip() == pytest.approx(ik.ask(wanted, "base_link").tip(), abs=1e-4)
    marker = left.client.call(GetInteractiveMarkers, "ik_node/target/get_interactive_markers").markers[0]
    assert marker.header.frame_id == "left/base_link"


# Markers


@pytest.fixture(scope="module")
def at(shared) -> Motions:
    ik = Ik(shared.client)
    shared.client.spin_until(lambda: ik.where([TIP]).error_code.val == 1, "a joint state")
    return Motions(shared)


@pytest.fixture
def motions(at: Motions) -> Motions:
    """The arm at its zeros, at rest."""
    at.go(HOME)
    return at


def test_the_trail_is_where_the_tip_was_and_ends_where_it_is(motions: Motions):
    with motions.client.heard(MarkerArray, "ik_node/trail") as heard:
        motions.client.spin_until(lambda: heard, "a trail, or that there is none")
        motions.go(THERE)
        there = tip_at(THERE)[:3, 3]

        def ends_there() -> bool:
            (marker,) = heard[-1].markers
            if marker.action != Marker.ADD or len(marker.points) < 2:
                return False
            end = marker.points[-1]
            return math.dist((end.x, end.y, end.z), there) < MEASURED

        motions.client.spin_until(ends_there, "a trail to the end of the motion")
    (marker,) = heard[-1].markers
    assert (marker.ns, marker.id, marker.type, marker.header.frame_id) == ("trail", 0, Marker.LINE_STRIP, "base_link")
    assert len(marker.points) == len(marker.colors) <= 1000
    points = numpy.array([(point.x, point.y, point.z) for point in marker.points])
    assert min(math.dist(point, tip_at(HOME)[:3, 3]) for point in points) < 0.02
    assert max(math.dist(one, other) for one, other in itertools.pairwise(points)) < 0.1
    assert marker.lifetime.sec == 2 and marker.frame_locked


def test_a_trail_of_no_time_is_none(motions: Motions):
    set_parameter(motions, "markers.trail", 0.0)
    with motions.client.heard(MarkerArray, "ik_node/trail") as heard:
        motions.go(THERE)
        motions.go(HOME)
        assert heard == []
    set_parameter(motions, "markers.trail", 10.0)


def test_what_a_node_left_on_display_is_cleared_by_the_next_one(start_emulator, client):
    start_emulator().start("ik_node")
    with client.heard(MarkerArray, "ik_node/markers", LATCHED) as heard:
        client.spin_until(lambda: heard, "the first of it")
    assert [marker.action for marker in heard[0].markers] == [Marker.DELETEALL]


def test_what_was_planned_is_no_longer_shown_once_the_arm_is_there(motions: Motions):
    with motions.client.heard(MarkerArray, "ik_node/markers", LATCHED) as heard:
        motions.target(JointState(name=list(ARM_JOINTS), position=THERE))
        shown = lambda: [m.ns for array in heard for m in array.markers if m.action == Marker.ADD]  # noqa: E731
        motions.client.spin_until(lambda: {"target_pose", "planned_path"} <= set(shown()), "target and path")
        motions.client.spin_until(lambda: len(heard[-1].markers) == 1, "an end of what is shown")
    assert heard[-1].markers[0].action == Marker.DELETEALL
    near = lambda: distance(tip_at(motions.measured()), tip_at(THERE)) < MEASURED  # noqa: E731
    motions.client.spin_until(near, "the arm where it was to go")


def set_parameter(motions: Motions, name: str, value: float | bool) -> None:
    kind = ParameterType.PARAMETER_BOOL if isinstance(value, bool) else ParameterType.PARAMETER_DOUBLE
    field = "bool_value" if isinstance(value, bool) else "double_value"
    parameter = Parameter(name=name, value=ParameterValue(type=kind, **{field: value}))
    (result,) = motions.client.call(SetParameters, "ik_node/set_parameters", parameters=[parameter]).results
    assert result.successful, result.reason


# A target that is dragged


class Viewer:
    """What RViz does with an interactive marker, and what it keeps of the server's updates."""

    def __init__(self, motions: Motions, name: str = "viewer"):
        self.motions, self.client, self.name = motions, motions.client, name
        node = self.client.node
        self.updates: list[InteractiveMarkerUpdate] = []
        self.subscription = node.create_subscription(
            InteractiveMarkerUpdate, "ik_node/target/update", self.updates.append, QoSProfile(depth=100)
        )
        self.feedback = node.create_publisher(InteractiveMarkerFeedback, "ik_node/target/feedback", 100)
        self.client.spin_until(self.feedback.get_subscription_count, "the server")
        self.client.spin_until(lambda: node.count_publishers("ik_node/target/update"), "the server")

    def close(self) -> None:
        self.client.node.destroy_subscription(self.subscription)
        self.client.node.destroy_publisher(self.feedback)

    def all(self) -> GetInteractiveMarkers.Response:
        return self.client.call(GetInteractiveMarkers, "ik_node/target/get_interactive_markers")

    def pose(self) -> numpy.ndarray:
        return matrix_of(self.all().markers[0].pose)

    def say(self, event: int, pose: numpy.ndarray, menu: int = 0, frame: str = "base_link", **fields) -> None:
        self.feedback.publish(
            InteractiveMarkerFeedback(
                header=Header(frame_id=frame),
                client_id=self.name,
                marker_name="target",
                control_name="middle",
                event_type=event,
                pose=pose_of(pose),
                menu_entry_id=menu,
                **fields,
            )
        )

    def drag(self, pose: numpy.ndarray) -> None:
        self.say(InteractiveMarkerFeedback.MOUSE_DOWN, pose)
        self.say(InteractiveMarkerFeedback.POSE_UPDATE, pose)
        self.wait_at(pose, "the marker where it was dragged")

    def wait_at(self, pose: numpy.ndarray, what: str) -> None:
        near = lambda at: distance(at, pose) < MEASURED and angle(at, pose) < MEASURED_ANGLE  # noqa: E731
        self.client.spin_until(lambda: near(self.pose()), what)

    def wait_for_arm_at(self, pose: numpy.ndarray) -> None:
        self.client.spin_until(
            lambda: distance(tip_at(self.motions.measured()), pose) < MEASURED, "the arm at the target"
        )


@pytest.fixture
def viewer(motions: Motions):
    viewer = Viewer(motions)
    viewer.wait_at(tip_at(HOME), "the marker at the tip")
    yield viewer
    viewer.close()


def test_the_target_has_six_handles_and_a_menu_and_stays_with_its_frame(viewer: Viewer):
    (marker,) = viewer.all().markers
    assert (marker.name, marker.header.frame_id) == ("target", "base_link")
    # With a stamp clients would say poses in their own fixed frame.
    assert nanoseconds(marker.header.stamp) == 0
    modes = [control.interaction_mode for control in marker.controls]
    assert modes.count(InteractiveMarkerControl.MOVE_AXIS) == modes.count(InteractiveMarkerControl.ROTATE_AXIS) == 3
    assert modes.count(InteractiveMarkerControl.MOVE_ROTATE_3D) == 1
    assert len({control.name for control in marker.controls}) == 7
    axes = set()
    for control in marker.controls:
        q = control.orientation
        assert math.isclose(q.w**2 + q.x**2 + q.y**2 + q.z**2, 1.0)
        if control.interaction_mode == InteractiveMarkerControl.MOVE_AXIS:
            axes.add(tuple(numpy.round(numpy.abs(rotation_of(q.x, q.y, q.z, q.w)[:, 0])).astype(int)))
    assert axes == {(1, 0, 0), (0, 1, 0), (0, 0, 1)}
    assert [entry.title for entry in marker.menu_entries] == ["Go there", "Back to the tip", "Stop"]
    assert 0 not in {entry.id for entry in marker.menu_entries}


def test_a_target_is_gone_to_when_it_is_let_go_of_and_no_update_is_without_its_number(viewer: Viewer):
    began = viewer.all().sequence_number
    wanted = tip_at(THERE)
    viewer.drag(wanted)
    # It is dragged, and no more.
    assert distance(tip_at(viewer.motions.measured()), tip_at(HOME)) < MEASURED
    viewer.say(InteractiveMarkerFeedback.MOUSE_UP, wanted)
    viewer.wait_for_arm_at(wanted)
    viewer.motions.go(HOME)
    viewer.wait_at(tip_at(HOME), "the marker with the tip")
    ended = viewer.all().sequence_number
    viewer.client.spin_until(lambda: viewer.updates and ended <= viewer.updates[-1].seq_num, "the last update")
    numbers = [update.seq_num for update in viewer.updates if began < update.seq_num <= ended]
    assert numbers == list(range(began + 1, ended + 1))
    assert {update.type for update in viewer.updates} == {InteractiveMarkerUpdate.UPDATE}
    assert all(pose.name == "target" for update in viewer.updates for pose in update.poses)


def test_where_the_joints_cannot_take_its_turn_a_target_is_gone_to_turned_as_nearly_so(viewer: Viewer):
    # Five joints cannot move the tip aside without turning it.
    wanted = tip_at(THERE)
    wanted[:3, 3] += [0.0, 0.03, 0.01]
    viewer.drag(wanted)
    viewer.say(InteractiveMarkerFeedback.MOUSE_UP, wanted)
    viewer.wait_for_arm_at(wanted)
    reached = tip_at(viewer.motions.measured())
    assert 0.01 < angle(reached, wanted) < 0.4
    viewer.wait_at(reached, "the marker with the tip")
    viewer.motions.go(HOME)


def test_by_its_menu_alone_where_that_is_configured(viewer: Viewer):
    set_parameter(viewer.motions, "markers.go_on_release", False)
    wanted = tip_at(THERE)
    viewer.drag(wanted)
    viewer.say(InteractiveMarkerFeedback.MOUSE_UP, wanted)
    viewer.say(InteractiveMarkerFeedback.MENU_SELECT, wanted, menu=2)
    viewer.wait_at(tip_at(HOME), "the marker back at the tip")
    assert distance(tip_at(viewer.motions.measured()), tip_at(HOME)) < MEASURED
    viewer.drag(wanted)
    viewer.say(InteractiveMarkerFeedback.MOUSE_UP, wanted)
    viewer.say(InteractiveMarkerFeedback.MENU_SELECT, wanted, menu=1)
    viewer.wait_for_arm_at(wanted)
    set_parameter(viewer.motions, "markers.go_on_release", True)


def test_one_viewer_at_a_time_and_nothing_that_is_no_pose(viewer: Viewer):
    other = Viewer(viewer.motions, "other")
    wanted, elsewhere = tip_at(THERE), tip_at([-0.4, 0.3, -0.3, 0.4, 0.2])
    viewer.drag(wanted)
    for _ in range(3):
        # Whoever drags says so again and again.
        viewer.say(InteractiveMarkerFeedback.KEEP_ALIVE, wanted)
        other.say(InteractiveMarkerFeedback.POSE_UPDATE, elsewhere)
    logs = viewer.motions.logs
    logs.clear()
    nowhere = wanted.copy()
    nowhere[0, 3] = math.nan
    viewer.say(InteractiveMarkerFeedback.POSE_UPDATE, nowhere)
    viewer.say(InteractiveMarkerFeedback.POSE_UPDATE, wanted, frame="moon")
    told = lambda: [log.msg for log in logs if "~/target/feedback" in log.msg]  # noqa: E731
    viewer.client.spin_until(lambda: 2 <= len(told()), "what is wrong with them")
    assert "every number must be finite" in told()[0] and "`moon`" in told()[1]
    assert distance(viewer.pose(), wanted) < 1e-6
    viewer.say(InteractiveMarkerFeedback.MENU_SELECT, wanted, menu=2)
    viewer.wait_at(tip_at(HOME), "the marker back at the tip")
    other.close()


def test_a_target_out_of_reach_moves_nothing_and_the_marker_comes_back(viewer: Viewer):
    logs = viewer.motions.logs
    logs.clear()
    far = placed(numpy.eye(3), [2.0, 0.0, 0.0])
    viewer.drag(far)
    viewer.say(InteractiveMarkerFeedback.MOUSE_UP, far)
    told = lambda: [log for log in logs if "~/target: " in log.msg]  # noqa: E731
    viewer.client.spin_until(told, "a reason")
    assert "cannot be reached" in told()[0].msg and told()[0].name == "ik_node"
    viewer.wait_at(tip_at(HOME), "the marker back at the tip")
    assert viewer.client.call(Trigger, "ik_node/stop").message == "nothing was under way"
