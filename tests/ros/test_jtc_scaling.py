"""The speed factor: slower, paused, resumed, faster as far as the limits go; the path stays, and nothing jumps."""

import math

import pytest

from arm import duration
from jtc import MAX_ACCELERATION, PROMPT, SCALING, SLACK, assert_aborted, assert_reached, motion, now, seconds

pytest.importorskip("rclpy", reason="rclpy is not importable")

from control_msgs.action import FollowJointTrajectory  # noqa: E402
from control_msgs.msg import SpeedScalingFactor  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402

Code = FollowJointTrajectory.Result


@pytest.fixture(autouse=True)
def full_speed(jtc):
    """Begins at full speed; the fixture `jtc` takes care of the end."""
    jtc.full_speed()
    jtc.clear()


def scale(jtc, factor: float) -> None:
    """Asks for a factor, and waits until it is there."""
    jtc.scale(factor)
    jtc.until(lambda: jtc.latest.speed_scaling_factor == factor, f"the factor is {factor}")


@pytest.mark.parametrize("factor", [0.25, 0.87, 1.0, 2.0])
def test_a_motion_takes_as_much_longer_as_the_factor_says(jtc, factor: float):
    scale(jtc, factor)
    jtc.clear()
    assert_reached(jtc.send(motion((0.2, 0.05, 0.3), (0.35, 0.08, 0.0))).result())
    jtc.wait_until_rest()
    curve = jtc.curve("shoulder_pan")
    assert curve.end - curve.begin == pytest.approx(0.35 / factor, abs=PROMPT)
    assert curve.velocity_at(curve.passes(0.05)) == pytest.approx(0.3 * factor, abs=0.03)
    assert jtc.rest() == pytest.approx([0.08] * 5, abs=1e-6)
    curve.assert_smooth()


def test_the_path_is_the_same_at_every_speed(jtc):
    """Two joints that go different ways are at the same places together."""
    there = motion((0.3, [0.3, 0.1, 0.0, 0.0, 0.0], [0.5, 1.0, 0, 0, 0]), (0.6, [0.2, 0.4, 0.0, 0.0, 0.0], [0.0] * 5))
    ways = []
    for factor in (1.0, 0.5):
        jtc.home()
        scale(jtc, factor)
        jtc.clear()
        assert_reached(jtc.send(there).result())
        jtc.wait_until_rest()
        pan, lift = jtc.curve("shoulder_pan"), jtc.curve("shoulder_lift")
        ways.append([pan.at(lift.passes(place)) for place in (0.05, 0.1, 0.2, 0.3, 0.35)])
    assert ways[1] == pytest.approx(ways[0], abs=0.01)


def test_a_change_on_the_way_ramps_and_the_path_stays(jtc):
    goal = jtc.send(motion((1.0, 1.0)))
    jtc.wait_until_beyond(0.3)
    before = jtc.latest.reference.velocities[0]
    jtc.scale(0.4)
    jtc.wait_until_beyond(0.6)
    assert jtc.latest.reference.velocities[0] == pytest.approx(0.4 * before, rel=0.05)
    jtc.scale(1.0)
    assert_reached(goal.result())
    jtc.wait_until_rest()
    curve = jtc.curve("shoulder_pan")
    curve.assert_smooth()
    assert curve.positions[-1] == pytest.approx(1.0, abs=1e-6)
    factors = [state.speed_scaling_factor for state in jtc.states]
    steps = [abs(after - before) for before, after in zip(factors, factors[1:])]
    assert min(factors) == pytest.approx(0.4) and 0.0 < max(steps) < 0.2, "it ramps"


def test_zero_pauses_and_the_motion_goes_on_where_it_was(jtc):
    goal = jtc.send(motion((0.4, 0.4, 1.0), (0.8, 0.8, 0.0)))
    jtc.wait_until_beyond(0.2)
    jtc.scale(0.0)
    jtc.wait_until_rest()
    paused = jtc.references()
    assert 0.2 < paused[0] < 0.7
    jtc.spin_for(0.4)
    assert jtc.references() == paused and not goal.ended
    jtc.scale(1.0)
    assert_reached(goal.result())
    jtc.wait_until_rest()
    curve = jtc.curve("shoulder_pan")
    curve.assert_smooth()
    assert (curve.velocities >= -1e-9).all()
    assert curve.positions[-1] == pytest.approx(0.8, abs=1e-6)


def test_a_goal_that_comes_during_a_pause_waits_for_its_end(jtc):
    scale(jtc, 0.0)
    goal = jtc.send(motion((0.3, 0.2, 0.0)))
    jtc.spin_for(0.4)
    assert jtc.references() == [0.0] * 5 and not goal.ended
    jtc.scale(1.0)
    assert_reached(goal.result())


def test_a_paused_goal_can_be_cancelled(jtc):
    goal = jtc.send(motion((1.0, 1.0, 0.0)))
    jtc.wait_until_beyond(0.2)
    jtc.scale(0.0)
    jtc.wait_until_rest()
    paused = jtc.references()
    goal.cancel()
    assert goal.result().text == ""
    jtc.scale(1.0)
    jtc.spin_for(0.2)
    assert jtc.rest() == pytest.approx(paused, abs=1e-6)


@pytest.mark.parametrize("factor", [-0.12, math.nan, -math.inf], ids=str)
def test_a_factor_that_means_nothing_is_ignored_with_a_warning(jtc, factor: float):
    scale(jtc, 0.45)
    with jtc.says(r"WARN.*(speed|scaling|factor)"):
        jtc.scale(factor)
    jtc.spin_for(0.1)
    assert jtc.latest.speed_scaling_factor == 0.45


def test_the_factor_in_force_is_told(jtc):
    for factor in (0.765, 0.0, 0.5):
        scale(jtc, factor)
    assert all(0.0 <= state.speed_scaling_factor <= 1.0 for state in jtc.states)


def test_a_factor_above_one_goes_as_far_as_the_limits_do(jtc):
    """A motion with room for twice the speed is asked for ten times the speed."""
    quick = motion((0.5, 0.4, 0.0))
    jtc.scale(10.0)
    jtc.spin_for(0.1)
    jtc.clear()
    assert_reached(jtc.send(quick).result())
    jtc.wait_until_rest()
    curve = jtc.curve("shoulder_pan")
    curve.assert_smooth()
    assert 0.15 < curve.end - curve.begin < 0.45
    # The cubic's own acceleration is 9.6 rad/s^2, so that twice the speed is allowed, and not much more.
    assert 9.6 * 1.2 < abs(curve.accelerations()).max() <= MAX_ACCELERATION * SLACK + 0.5


def test_time_tolerances_are_in_trajectory_time(jtc):
    """At a quarter of the speed a joint has four times as long to settle."""
    jtc.control.ask("block id=1 at=0.05rad")
    scale(jtc, 0.25)
    with jtc.parameters(constraints__shoulder_pan__trajectory=0.0):
        goal = jtc.send(motion((0.1, 0.15, 0.0)), goal_time_tolerance=duration(0.2))
        result = goal.result()
        told = seconds(jtc.latest.header.stamp)
    assert_aborted(result, Code.GOAL_TOLERANCE_VIOLATED, "Aborted due to goal_time_tolerance exceeding by")
    jtc.wait_until_rest()
    assert 0.6 < told - jtc.curve("elbow_flex").end < 1.2


def test_a_stamp_is_a_moment_of_the_clock_at_every_speed(jtc):
    scale(jtc, 0.5)
    start = now() + 0.3
    assert_reached(jtc.send(motion((0.2, 0.1, 0.0), stamp=start)).result())
    jtc.wait_until_rest()
    curve = jtc.curve("shoulder_pan")
    assert curve.begin == pytest.approx(start, abs=PROMPT)
    assert curve.end == pytest.approx(start + 0.4, abs=PROMPT)


def test_the_input_is_latched_so_that_a_late_comer_hears_the_last_factor(jtc):
    [listener] = jtc.client.node.get_subscriptions_info_by_topic(SCALING)
    assert listener.topic_type == "control_msgs/msg/SpeedScalingFactor"
    assert listener.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL


def test_a_factor_that_was_said_before_the_node_started_counts(start_emulator, client):
    from arm import System
    from jtc import Jtc

    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    publisher = client.node.create_publisher(SpeedScalingFactor, SCALING, latched)
    publisher.publish(SpeedScalingFactor(factor=0.3))
    arm = start_emulator("--pace")
    arm.start_nodes("arm_node")
    system = System(arm, client, "arm_node")
    system.wait_until_ready()
    late = Jtc(system)
    late.until(lambda: late.latest.speed_scaling_factor == pytest.approx(0.3), "the factor is 0.3")
