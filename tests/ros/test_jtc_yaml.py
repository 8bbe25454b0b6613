"""A file that was written for joint_trajectory_controller: it loads as it is, and what it says counts."""

import re

import numpy as np
import pytest

from arm import UPDATE_RATE_HZ, ticks
from jtc import ARM_JOINTS, CONTROLLER, SLACK, assert_reached, get_parameter, motion

pytest.importorskip("rclpy", reason="rclpy is not importable")

from action_msgs.msg import GoalStatus  # noqa: E402

# Without a deceleration of its own.
FREE = "elbow_flex"
# Watched and not commanded.
WATCHED = "wrist_roll"
DECELERATION = {"shoulder_pan": 4.0, "shoulder_lift": 10.0}
GAIN = {
    "p": 100.0,
    "i": 1.0,
    "d": 1.0,
    "i_clamp": 1.0,
    "ff_velocity_scale": 1.0,
    "u_clamp_max": 10.0,
    "u_clamp_min": -10.0,
    "antiwindup_strategy": "legacy",
}
FACTOR = 0.5


def overlay(_):
    joints = {joint: {"trajectory": 0.5, "goal": 0.05} for joint in ARM_JOINTS}
    joints[WATCHED] = {"trajectory": 0.0, "goal": 0.0}
    for joint, most in DECELERATION.items():
        joints[joint]["max_deceleration_on_cancel"] = most
    return {
        "controller_manager": {
            "update_rate": 100,
            "joint_state_broadcaster": {"type": "joint_state_broadcaster/JointStateBroadcaster"},
            CONTROLLER: {"type": "joint_trajectory_controller/JointTrajectoryController"},
        },
        CONTROLLER: {
            "joints": ARM_JOINTS,
            "command_joints": [joint for joint in ARM_JOINTS if joint != WATCHED],
            "command_interfaces": ["position"],
            "state_interfaces": ["position", "velocity"],
            "allow_partial_joints_goal": True,
            "open_loop_control": True,
            "interpolate_from_desired_state": True,
            "allow_integration_in_goal_trajectories": True,
            "action_monitor_rate": UPDATE_RATE_HZ,
            "state_publish_rate": 50.0,
            "cmd_timeout": 0.5,
            "gains": {joint: GAIN for joint in ARM_JOINTS},
            "speed_scaling": {"initial_scaling_factor": FACTOR},
            "constraints": {
                "stopped_velocity_tolerance": 0.0,
                "goal_time": 1.0,
                "decelerate_on_cancel": True,
                **joints,
            },
        },
    }



def logged(jtc, pattern: str) -> list[str]:
    return [line for line in jtc.system.arm.controller.lines if re.search(pattern, line)]


def test_the_factor_to_begin_with_is_the_configured_one(shared):
    """Before any other test asks for another one."""
    from control_msgs.msg import JointTrajectoryControllerState

    state = shared.client.next(JointTrajectoryControllerState, "arm_controller/controller_state")
    assert state.speed_scaling_factor == FACTOR
    assert get_parameter(shared.client, "speed_scaling.initial_scaling_factor") == FACTOR


@pytest.mark.parametrize(
    "name",
    ["open_loop_control", "interpolate_from_desired_state", "state_publish_rate", "gains.elbow_flex.p"],
)
def test_what_has_no_meaning_here_is_said_so_once(jtc, name: str):
    lines = logged(jtc, rf"`{re.escape(name)}`")
    assert len(lines) == 1, lines
    assert "no meaning" in lines[0] and "ignored" in lines[0]


def test_a_command_timeout_that_is_too_short_is_said_to_be_ignored(jtc):
    assert len(logged(jtc, "`cmd_timeout`.*ignored.*`constraints.goal_time`")) == 1


def test_what_has_a_meaning_is_not_complained_about(jtc):
    for name in ("allow_partial_joints_goal", "action_monitor_rate", "command_interfaces", "state_interfaces"):
        assert not logged(jtc, rf"`{name}`")


def test_feedback_comes_as_often_as_it_was_asked_for_up_to_the_control_rate(jtc):
    jtc.full_speed()
    goal = jtc.send(motion((1.0, 0.4, 0.0)))
    assert_reached(goal.result())
    # Less often than upstream's 20 Hz would be wrong; a machine that does other things, too, brings some together.
    assert 0.5 * UPDATE_RATE_HZ < len(goal.feedback) < 1.3 * UPDATE_RATE_HZ
    places = [said.desired.positions[0] for said in goal.feedback]
    assert places == sorted(places) and len(set(np.round(places, 9))) > 0.3 * UPDATE_RATE_HZ


def cancelled_at_speed(jtc):
    jtc.full_speed()
    jtc.clear()
    goal = jtc.send(motion((0.6, 0.6, 1.2), (1.2, 1.3, 0.0)))
    jtc.wait_until_beyond(0.4)
    goal.cancel()
    assert goal.result().status == GoalStatus.STATUS_CANCELED
    jtc.wait_until_rest()


def test_a_cancelled_motion_decelerates_as_each_joint_is_configured(jtc):
    cancelled_at_speed(jtc)
    stops = {}
    for joint, most in DECELERATION.items():
        curve = jtc.curve(joint)
        braking = curve.between(curve.passes(0.4), curve.times[-1])
        hardest = -braking.accelerations().min()
        assert 0.5 * most < hardest <= most * SLACK, joint
        assert (braking.velocities >= -1e-9).all()
        stops[joint] = curve.positions[-1]
    assert stops["shoulder_pan"] > stops["shoulder_lift"] + 0.02, "the one that brakes harder stops earlier"
    assert stops["shoulder_pan"] < 1.0


def test_a_joint_without_a_deceleration_of_its_own_brakes_within_its_limits(jtc):
    cancelled_at_speed(jtc)
    free, slow = jtc.curve(FREE), jtc.curve("shoulder_lift")
    free.assert_smooth()
    assert free.positions[-1] < slow.positions[-1] - 0.01


def test_a_cancelled_motion_decelerates_downwards_too(jtc):
    jtc.home(0.8)
    jtc.full_speed()
    goal = jtc.send(motion((0.6, 0.2, -1.2), (1.2, -0.5, 0.0)))
    jtc.until(lambda: jtc.reference("shoulder_pan") < 0.4, "the motion is under way")
    goal.cancel()
    assert goal.result().status == GoalStatus.STATUS_CANCELED
    jtc.wait_until_rest()
    curve = jtc.curve("shoulder_pan")
    braking = curve.between(curve.passes(0.4), curve.times[-1])
    assert 0.5 * 4.0 < braking.accelerations().max() <= 4.0 * SLACK
    assert (braking.velocities <= 1e-9).all()


def test_a_joint_that_is_only_watched_is_not_moved(jtc):
    jtc.full_speed()
    with jtc.control.writes() as writes:
        assert_reached(jtc.send(motion((0.3, 0.3, 0.0))).result())
        jtc.spin_for(0.1)
        assert set(writes.goals(5)) == {round(ticks(0.0))}
        assert writes.goals(1)[-1] == pytest.approx(ticks(0.3), abs=1)


def test_a_joint_that_is_only_watched_is_not_moved_in_whatever_order_it_is_named(jtc):
    jtc.full_speed()
    jumbled = [4, 1, 0, 3, 2]
    places = [0.1, 0.2, 0.3, -0.1, 0.4]
    with jtc.control.writes() as writes:
        goal = jtc.send(motion((0.3, [places[i] for i in jumbled], 0.0), joints=[ARM_JOINTS[i] for i in jumbled]))
        assert_reached(goal.result())
        jtc.spin_for(0.1)
        assert set(writes.goals(5)) == {round(ticks(0.0))}
        told = [writes.goals(id)[-1] for id in range(1, 5)]
    assert told == pytest.approx([ticks(place) for place in places[:4]], abs=1)


def test_a_joint_that_is_only_watched_has_a_state_and_an_error(jtc):
    jtc.full_speed()
    assert list(jtc.latest.joint_names) == ARM_JOINTS
    assert_reached(jtc.send(motion((0.3, 0.3, 0.0))).result())
    state = jtc.latest
    assert state.feedback.positions[4] == pytest.approx(0.0, abs=0.01)
    difference = state.reference.positions[4] - state.feedback.positions[4]
    assert state.error.positions[4] == pytest.approx(difference, abs=1e-9)
