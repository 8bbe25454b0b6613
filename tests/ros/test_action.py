"""The action, the topic and the state of the controller, as an rclpy client uses them, in both shapes."""

import math
import re
import time

import pytest

from arm import (
    ARM_IDS,
    ARM_JOINTS,
    FASTEST_STEP_TICKS,
    FOLLOW,
    GOAL_POSITION,
    IDS,
    JOINTS,
    UPDATE_RATE_HZ,
    ticks,
    to,
    tolerance,
    trajectory,
)

pytest.importorskip("rclpy", reason="rclpy is not importable")

from action_msgs.msg import GoalInfo, GoalStatus, GoalStatusArray  # noqa: E402
from action_msgs.srv import CancelGoal  # noqa: E402
from control_msgs.action import FollowJointTrajectory  # noqa: E402
from control_msgs.msg import JointTrajectoryControllerState  # noqa: E402
from rclpy.time import Time  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402
from trajectory_msgs.msg import JointTrajectory  # noqa: E402
from unique_identifier_msgs.msg import UUID  # noqa: E402

Code = FollowJointTrajectory.Result
CONTROLLER_STATE = "arm_controller/controller_state"
TOPIC = "arm_controller/joint_trajectory"
# What the servos' own rounding and lag leave.
NEAR = 0.01


@pytest.fixture(autouse=True)
def unblocked(shared):
    """Leaves nothing in the way for the next test."""
    yield
    for id in IDS:
        shared.control.ask(f"unblock id={id}")


def positions(system) -> list[float]:
    return list(system.client.next(JointState, "joint_states").position)[:5]


def goal_ticks(system) -> list[float]:
    return system.control.column("goal")[:5]


def seconds(stamp) -> float:
    return Time.from_msg(stamp).nanoseconds * 1e-9


def test_a_goal_is_reached_by_the_joints(shared):
    goals = [0.3, -0.4, 0.5, -0.2, 0.6]
    result = shared.follow.send(trajectory((0.6, goals, [0.0] * 5))).result()
    assert (result.status, result.code) == (GoalStatus.STATUS_SUCCEEDED, Code.SUCCESSFUL)
    assert result.text == "Goal successfully reached!"
    told = pytest.approx([ticks(goal) for goal in goals], abs=1.0)
    shared.client.spin_until(lambda: goal_ticks(shared) == told, "the servos are told the end")
    there = pytest.approx(goals, abs=NEAR)
    shared.client.spin_until(lambda: positions(shared) == there, "the joints are there")


def test_a_goal_may_name_the_joints_in_any_order(shared):
    goals = [0.1, 0.2, 0.3, 0.4, 0.5]
    backwards = trajectory((0.5, goals[::-1], [0.0] * 5), joints=ARM_JOINTS[::-1])
    assert shared.follow.send(backwards).result().code == Code.SUCCESSFUL
    told = pytest.approx([ticks(goal) for goal in goals], abs=1.0)
    shared.client.spin_until(lambda: goal_ticks(shared) == told, "the servos are told the end")


def test_joint_states_come_at_the_configured_rate_in_order_and_on_time(shared):
    with shared.client.heard(JointState, "joint_states") as states:
        shared.client.spin_until(lambda: states, "the first state")
        states.clear()
        shared.client.spin_for(2.0)
        age = time.time() - seconds(states[-1].header.stamp)
    assert all(list(state.name) == JOINTS for state in states)
    assert all(len(state.position) == len(state.velocity) == len(state.effort) == 6 for state in states)
    stamps = [seconds(state.header.stamp) for state in states]
    assert stamps == sorted(stamps)
    rate = (len(stamps) - 1) / (stamps[-1] - stamps[0])
    assert 0.7 * UPDATE_RATE_HZ < rate < 1.1 * UPDATE_RATE_HZ
    assert 0.0 <= age < 0.5


def test_feedback_comes_at_its_rate_and_says_where_the_arm_is_and_should_be(shared):
    shared.move_to(0.0)
    goal = shared.follow.send(to(0.5, 1.5))
    assert goal.result().code == Code.SUCCESSFUL
    assert 15 <= len(goal.feedback) <= 32, "20 Hz for 1.5 s"
    for said in goal.feedback:
        assert list(said.joint_names) == ARM_JOINTS
        assert len(said.desired.positions) == len(said.desired.velocities) == 5
        difference = [a - b for a, b in zip(said.desired.positions, said.actual.positions)]
        assert list(said.error.positions) == pytest.approx(difference, abs=1e-9)
    desired = [said.desired.positions[0] for said in goal.feedback]
    assert desired == sorted(desired) and desired[0] < 0.1 and 0.4 < desired[-1] <= 0.5 + 1e-9


def test_controller_state_has_reference_feedback_error_and_output_of_every_joint(shared):
    state = shared.client.next(JointTrajectoryControllerState, CONTROLLER_STATE)
    assert list(state.joint_names) == ARM_JOINTS
    for point in (state.reference, state.feedback, state.error, state.output):
        assert len(point.positions) == 5 and all(map(math.isfinite, point.positions))
    difference = [a - b for a, b in zip(state.reference.positions, state.feedback.positions)]
    assert list(state.error.positions) == pytest.approx(difference, abs=1e-9)
    assert state.speed_scaling_factor == 1.0


def test_a_trajectory_from_the_topic_is_executed(shared):
    with shared.client.publisher(JointTrajectory, TOPIC) as publisher:
        publisher.publish(to(0.25, 0.4))
        there = pytest.approx([0.25] * 5, abs=NEAR)
        shared.client.spin_until(lambda: positions(shared) == there, "the joints are there")


def test_an_empty_trajectory_from_the_topic_stops_the_motion(shared):
    shared.move_to(0.0)
    with shared.client.publisher(JointTrajectory, TOPIC) as publisher, shared.control.writes() as writes:
        publisher.publish(to(1.0, 4.0))
        shared.client.spin_until(lambda: goal_of(shared, 1) > ticks(0.1), "the motion is under way")
        publisher.publish(trajectory())
        assert_it_comes_to_rest_early(shared, writes, from_above=ticks(0.1), below=ticks(0.9))


def test_a_cancel_is_confirmed_at_once_and_the_arm_decelerates_and_holds(shared):
    shared.move_to(0.0)
    with shared.control.writes() as writes:
        goal = shared.follow.send(to(1.0, 4.0))
        shared.client.spin_until(lambda: goal_of(shared, 1) > ticks(0.1), "the motion is under way")
        asked = time.monotonic()
        answer = goal.cancel()
        assert answer.return_code == CancelGoal.Response.ERROR_NONE
        assert len(answer.goals_canceling) == 1
        assert goal.result().status == GoalStatus.STATUS_CANCELED
        assert time.monotonic() - asked < 1.0
        assert_it_comes_to_rest_early(shared, writes, from_above=ticks(0.1), below=ticks(0.9))


def test_a_new_goal_preempts_the_one_before_without_a_jump(shared):
    shared.move_to(0.0)
    with shared.control.writes() as writes:
        first = shared.follow.send(to(1.0, 4.0))
        shared.client.spin_until(lambda: goal_of(shared, 1) > ticks(0.1), "the motion is under way")
        second = shared.follow.send(to(0.0, 0.8))
        result = first.result()
        assert (result.status, result.code) == (GoalStatus.STATUS_ABORTED, Code.INVALID_GOAL)
        assert "preempted by new incoming action" in result.text
        assert second.result().code == Code.SUCCESSFUL
        assert_no_jump(writes)


def test_a_trajectory_from_the_topic_ends_the_actions_goal_with_a_reason(shared):
    shared.move_to(0.0)
    goal = shared.follow.send(to(1.0, 4.0))
    with shared.client.publisher(JointTrajectory, TOPIC) as publisher:
        publisher.publish(to(0.0, 0.5))
        result = goal.result()
    assert (result.status, result.code) == (GoalStatus.STATUS_ABORTED, Code.INVALID_GOAL)
    assert "topic" in result.text


def test_cancel_all_cancels_the_goal(shared):
    goal = shared.follow.send(to(0.5, 4.0))
    answer = shared.client.call(CancelGoal, f"{FOLLOW}/_action/cancel_goal")
    assert answer.return_code == CancelGoal.Response.ERROR_NONE
    assert [bytes(info.goal_id.uuid) for info in answer.goals_canceling] == [bytes(goal.handle.goal_id.uuid)]
    assert goal.result().status == GoalStatus.STATUS_CANCELED


def test_a_cancel_of_an_unknown_goal_says_so(shared):
    unknown = GoalInfo(goal_id=UUID(uuid=list(range(1, 17))))
    answer = shared.client.call(CancelGoal, f"{FOLLOW}/_action/cancel_goal", goal_info=unknown)
    assert answer.return_code == CancelGoal.Response.ERROR_UNKNOWN_GOAL_ID
    assert not answer.goals_canceling


def test_a_cancel_of_a_goal_that_has_ended_says_so(shared):
    goal = shared.follow.send(to(0.1, 0.3))
    goal.result()
    assert goal.cancel().return_code == CancelGoal.Response.ERROR_GOAL_TERMINATED


def test_a_result_that_is_asked_for_late_is_given(shared):
    goal = shared.follow.send_only(to(0.2, 0.3))
    ended = [GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_ABORTED]
    shared.client.spin_until(lambda: goal.handle.status in ended, "the goal ended")
    assert goal.result().text == "Goal successfully reached!"


def test_the_status_topic_tells_a_late_comer_how_the_last_goal_ended(shared):
    from rclpy.qos import qos_profile_action_status_default

    goal = shared.follow.send(to(0.3, 0.3))
    goal.result()
    with shared.client.heard(GoalStatusArray, f"{FOLLOW}/_action/status", qos_profile_action_status_default) as heard:
        shared.client.spin_until(lambda: heard, "the latched status")
    mine = [s for s in heard[-1].status_list if bytes(s.goal_info.goal_id.uuid) == bytes(goal.handle.goal_id.uuid)]
    assert [status.status for status in mine] == [GoalStatus.STATUS_SUCCEEDED]


def test_a_joint_off_its_path_ends_the_goal_and_is_named_with_amount_and_tolerance(shared):
    shared.move_to(0.0)
    shared.control.ask("block id=1 at=0.2rad")
    result = shared.follow.send(to(1.0, 2.0), path_tolerance=[tolerance("shoulder_pan", 0.1)]).result()
    assert (result.status, result.code) == (GoalStatus.STATUS_ABORTED, Code.PATH_TOLERANCE_VIOLATED)
    assert result.text.startswith("Aborted due to path tolerance violation")
    assert_names_violation(result.text, "shoulder_pan", 0.1)


def test_a_joint_that_does_not_arrive_ends_the_goal_and_is_named_with_amount_and_tolerance(shared):
    shared.move_to(0.0)
    shared.control.ask("block id=2 at=0.2rad")
    result = shared.follow.send(
        to(0.4, 0.4),
        path_tolerance=[tolerance("shoulder_lift", -1.0)],
        goal_tolerance=[tolerance("shoulder_lift", 0.05)],
        goal_time_tolerance=trajectory((0.3, [])).points[0].time_from_start,
    ).result()
    assert (result.status, result.code) == (GoalStatus.STATUS_ABORTED, Code.GOAL_TOLERANCE_VIOLATED)
    assert result.text.startswith("Aborted due to goal_time_tolerance exceeding by")
    assert_names_violation(result.text, "shoulder_lift", 0.05)


def test_a_goal_may_leave_joints_out_and_they_keep_their_place(shared):
    shared.move_to(0.0)
    result = shared.follow.send(trajectory((0.4, [0.5], [0.0]), joints=["elbow_flex"])).result()
    assert result.code == Code.SUCCESSFUL
    wanted = [0.5 if joint == "elbow_flex" else 0.0 for joint in ARM_JOINTS]
    told = pytest.approx([ticks(position) for position in wanted], abs=1.0)
    shared.client.spin_until(lambda: goal_ticks(shared) == told, "the servos are told the end")


def test_a_trajectory_that_lies_in_the_past_is_refused(shared):
    before = stamp_at(time.time() - 10.0)
    past = trajectory((1.0, [0.0] * 5), stamp=before)
    result = shared.follow.send(past).result()
    assert (result.status, result.code) == (GoalStatus.STATUS_ABORTED, Code.OLD_HEADER_TIMESTAMP)
    assert "past" in result.text


def test_a_trajectory_stamped_in_the_future_starts_then(shared):
    shared.move_to(0.0)
    start = time.time() + 1.0
    with shared.control.writes() as writes:
        assert shared.follow.send(trajectory((0.5, [0.3] * 5), stamp=stamp_at(start))).result().code == Code.SUCCESSFUL
        early = [w.value(GOAL_POSITION) for w in writes.all() if w.id == 1 and w.unix_ns * 1e-9 < start - 0.02]
    assert len(early) > 20 and len(set(early)) == 1


def test_an_unknown_joint_is_named_with_those_that_there_are(shared):
    result = shared.follow.send(trajectory((1.0, [0.0]), joints=["elbow_flx"])).result()
    assert (result.status, result.code) == (GoalStatus.STATUS_ABORTED, Code.INVALID_JOINTS)
    assert "elbow_flx" in result.text and "elbow_flex" in result.text


def goal_of(system, id: int) -> int:
    return system.control.state()[id]["goal"]


def stamp_at(unix_seconds: float):
    return Time(nanoseconds=round(unix_seconds * 1e9)).to_msg()


def assert_no_jump(writes) -> None:
    for id in IDS:
        goals = writes.goals(id)
        steps = [abs(after - before) for before, after in zip(goals, goals[1:])]
        assert max(steps) <= FASTEST_STEP_TICKS + 1, f"servo {id}"


def assert_it_comes_to_rest_early(system, writes, from_above: float, below: float) -> None:
    """The goals went one way, in small steps, and stopped well before the motion's end."""
    system.client.spin_until(lambda: is_still(writes.goals(1)), "the goal is the same for many cycles")
    assert_no_jump(writes)
    for id in ARM_IDS:
        goals = writes.goals(id)
        assert all(before - 1 <= after for before, after in zip(goals, goals[1:])), f"servo {id} went back"
        assert from_above < goals[-1] < below


def is_still(goals: list[int], cycles: int = 60) -> bool:
    return len(goals) > cycles and len(set(goals[-cycles:])) == 1


def assert_names_violation(text: str, joint: str, allowed: float) -> None:
    said = re.search(r"joint (\w+) is off by (-?[\d.]+).*tolerance ([\d.]+)", text)
    assert said, text
    assert said.group(1) == joint
    assert float(said.group(2)) >= float(said.group(3).rstrip(".")) == allowed
