"""The topic `joint_trajectory` and the state that the controller publishes."""

import math

import numpy as np
import pytest

from arm import SHAPES, UPDATE_RATE_HZ
from jtc import ARM_JOINTS, CONTROLLER, CONTROLLER_STATE, PROMPT, TOPIC, assert_reached, motion, seconds

pytest.importorskip("rclpy", reason="rclpy is not importable")

from rclpy.action import get_action_server_names_and_types_by_node  # noqa: E402
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy  # noqa: E402


def test_topics_action_and_service_have_the_names_and_types_that_clients_expect(jtc):
    node = jtc.client.node
    subscribed = dict(node.get_subscriber_names_and_types_by_node(CONTROLLER, "/"))
    assert subscribed[f"/{TOPIC}"] == ["trajectory_msgs/msg/JointTrajectory"]
    assert subscribed[f"/{CONTROLLER}/speed_scaling_input"] == ["control_msgs/msg/SpeedScalingFactor"]
    published = dict(node.get_publisher_names_and_types_by_node(CONTROLLER, "/"))
    assert published[f"/{CONTROLLER_STATE}"] == ["control_msgs/msg/JointTrajectoryControllerState"]
    services = dict(node.get_service_names_and_types_by_node(CONTROLLER, "/"))
    assert services[f"/{CONTROLLER}/query_state"] == ["control_msgs/srv/QueryTrajectoryState"]
    actions = dict(get_action_server_names_and_types_by_node(node, CONTROLLER, "/"))
    assert actions[f"/{CONTROLLER}/follow_joint_trajectory"] == ["control_msgs/action/FollowJointTrajectory"]


def test_topics_have_the_qos_that_clients_expect(jtc):
    [state] = jtc.client.node.get_publishers_info_by_topic(CONTROLLER_STATE)
    [trajectories] = jtc.client.node.get_subscriptions_info_by_topic(TOPIC)
    for end in (state, trajectories):
        assert end.qos_profile.reliability == ReliabilityPolicy.RELIABLE
        assert end.qos_profile.durability == DurabilityPolicy.VOLATILE


@pytest.mark.parametrize("fields", [[], [0.0], [0.0, 0.0]], ids=["positions", "velocities", "accelerations"])
def test_a_trajectory_is_executed_and_its_end_is_held(jtc, fields):
    jtc.publish(motion((0.2, 0.1, *fields), (0.4, 0.25, *fields)))
    jtc.wait_until_beyond(0.2)
    jtc.wait_until_rest()
    assert jtc.rest() == pytest.approx([0.25] * 5, abs=1e-6)
    for joint in ARM_JOINTS:
        curve = jtc.curve(joint)
        curve.assert_smooth()
        assert curve.end - curve.begin == pytest.approx(0.4, abs=PROMPT)


def test_joints_may_come_in_any_order(jtc):
    places = {"wrist_roll": 0.5, "shoulder_pan": 0.1, "elbow_flex": 0.3, "shoulder_lift": 0.2, "wrist_flex": 0.4}
    jtc.publish(motion((0.4, list(places.values())), joints=list(places)))
    jtc.wait_until_beyond(0.05)
    jtc.wait_until_rest()
    assert jtc.rest() == pytest.approx([places[joint] for joint in ARM_JOINTS], abs=1e-6)


def test_joints_may_be_left_out_only_where_that_is_allowed(jtc):
    some = motion((0.3, 0.2), joints=["elbow_flex"])
    with jtc.parameters(allow_partial_joints_goal=False):
        with jtc.says("refused.*don't match the controller joints"):
            jtc.publish(some)
        jtc.spin_for(0.1)
        assert jtc.references() == [0.0] * 5
    with jtc.parameters(allow_partial_joints_goal=True):
        jtc.publish(some)
        jtc.wait_until_beyond(0.19, "elbow_flex")
        jtc.wait_until_rest()
    assert jtc.rest() == pytest.approx([0.0, 0.0, 0.2, 0.0, 0.0], abs=1e-6)


def test_the_state_has_every_joint_in_every_part(jtc):
    state = jtc.latest
    assert list(state.joint_names) == ARM_JOINTS
    for part in (state.reference, state.feedback, state.error, state.output):
        assert len(part.positions) == 5 and all(map(math.isfinite, part.positions))
    for part in (state.reference, state.feedback, state.error):
        assert len(part.velocities) == 5 and all(map(math.isfinite, part.velocities))
    assert not state.multi_dof_joint_names
    assert state.speed_scaling_factor == 1.0


def test_the_state_comes_every_cycle_with_its_own_stamp(jtc):
    jtc.spin_for(1.0)
    stamps = jtc.curve("elbow_flex").times
    assert (stamps[1:] > stamps[:-1]).all()
    # Most of them: a busy machine misses some.
    assert 1.0 / np.median(np.diff(stamps)) == pytest.approx(UPDATE_RATE_HZ, rel=0.1)


def test_the_error_is_what_lies_between_reference_and_feedback(jtc):
    assert_reached(jtc.send(motion((0.4, 0.4, 0.0))).result())
    on_the_way = [state for state in jtc.states if 0.1 < state.reference.positions[0] < 0.3]
    assert len(on_the_way) > 10
    for state in on_the_way:
        for field in ("positions", "velocities"):
            reference, feedback = getattr(state.reference, field), getattr(state.feedback, field)
            difference = [wanted - measured for wanted, measured in zip(reference, feedback)]
            assert list(getattr(state.error, field)) == pytest.approx(difference, abs=1e-9)
    assert max(abs(state.error.positions[0]) for state in on_the_way) > 1e-4, "a servo lags behind"


def test_the_reference_begins_where_the_arm_is_held(jtc):
    """Long before anybody has asked for a motion, and without one."""
    jtc.spin_for(0.1)
    state = jtc.latest
    assert list(state.reference.positions) == pytest.approx(list(state.feedback.positions), abs=0.02)
    assert list(state.reference.velocities) == [0.0] * 5


@pytest.mark.parametrize("shape", SHAPES)
def test_an_arm_that_starts_holds_where_it_stands(run_arm, shape: str):
    """The servos stand somewhere else than at zero when the nodes start; nobody moves them."""
    from jtc import Jtc

    system = run_arm(shape, "--pace", "--posture-rad", "0.3")
    jtc = Jtc(system)
    with system.control.writes() as writes:
        jtc.spin_for(0.3)
        assert jtc.rest() == pytest.approx([0.3] * 5, abs=0.01)
        assert all(len(goals) == 1 for goals in writes.distinct_goals().values())
    jtc.clear()
    assert_reached(jtc.send(motion((0.3, 0.4, 0.0))).result())
    curve = jtc.curve("shoulder_pan")
    assert curve.positions.min() >= 0.29, "it did not start at zero"
    assert seconds(jtc.latest.header.stamp) >= curve.times[0]
