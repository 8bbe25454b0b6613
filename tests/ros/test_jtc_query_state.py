"""`query_state`: where the joints will be at a moment of the trajectory under way, or why that is not known."""

import pytest

from jtc import CONTROLLER, PROMPT, assert_reached, motion, now, seconds

pytest.importorskip("rclpy", reason="rclpy is not importable")

from control_msgs.srv import QueryTrajectoryState  # noqa: E402
from rclpy.time import Time  # noqa: E402

QUERY = f"{CONTROLLER}/query_state"
# A constant velocity, which makes places of times.
LINE = [(0.4, 0.2), (0.8, 0.4)]


def query(jtc, when: float):
    time = Time(nanoseconds=round(when * 1e9)).to_msg()
    return jtc.client.call(QueryTrajectoryState, QUERY, time=time)



def test_a_query_tells_where_the_joints_will_be(jtc):
    goal = jtc.send(motion(*LINE))
    jtc.wait_until_beyond(0.05)
    when = now() + 0.15
    answer = query(jtc, when)
    assert answer.success, answer.message
    assert list(answer.name) == list(jtc.latest.joint_names)
    assert len(answer.position) == len(answer.velocity) == len(answer.acceleration) == len(answer.name)
    assert_reached(goal.result())
    curve = jtc.curve("elbow_flex")
    assert answer.position[2] == pytest.approx(curve.at(when), abs=0.5 * PROMPT)
    assert answer.velocity[2] == pytest.approx(curve.velocity_at(when), abs=0.05)
    assert 0.4 < answer.velocity[2] < 0.7
    assert answer.position[2] > 0.1


def test_a_query_tells_where_the_joints_have_been(jtc):
    goal = jtc.send(motion(*LINE))
    jtc.wait_until_beyond(0.3)
    when = now() - 0.2
    answer = query(jtc, when)
    assert answer.success, answer.message
    assert answer.position[0] == pytest.approx(jtc.curve("shoulder_pan").at(when), abs=0.5 * PROMPT)
    assert_reached(goal.result())


def test_a_query_of_a_time_before_the_trajectory_says_so(jtc):
    goal = jtc.send(motion(*LINE))
    jtc.wait_until_beyond(0.05)
    answer = query(jtc, now() - 5.0)
    assert not answer.success
    assert answer.message == "Requested sample time is earlier than the current trajectory start time."
    assert_reached(goal.result())


def test_a_query_of_a_time_after_the_trajectory_says_so(jtc):
    goal = jtc.send(motion(*LINE))
    jtc.wait_until_beyond(0.05)
    answer = query(jtc, now() + 5.0)
    assert not answer.success
    assert answer.message == "Requested sample time is later than the current trajectory end time."
    assert_reached(goal.result())


def test_a_query_without_a_trajectory_says_so(jtc):
    jtc.publish(motion())
    jtc.spin_for(0.05)
    answer = query(jtc, now())
    assert not answer.success
    assert answer.message == "Currently there is no valid trajectory instance."


def test_a_query_of_an_inactive_controller_says_so(jtc):
    jtc.switch(deactivate=[CONTROLLER])
    try:
        answer = query(jtc, now())
    finally:
        jtc.switch(activate=[CONTROLLER])
    assert not answer.success
    assert answer.message == "Can't sample trajectory. Controller is not active."


def test_a_query_disturbs_nothing(jtc):
    goal = jtc.send(motion((0.6, 0.4, 0.0)))
    jtc.wait_until_beyond(0.01)
    answers = 0
    while not goal.ended:
        answers += query(jtc, now() + 0.02).success
    assert_reached(goal.result())
    assert answers >= 10
    jtc.wait_until_rest()
    curve = jtc.curve("shoulder_pan")
    curve.assert_smooth()
    assert seconds(jtc.latest.header.stamp) > curve.end
    assert curve.end - curve.begin == pytest.approx(0.6, abs=PROMPT)
