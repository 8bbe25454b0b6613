"""What lies between two points: lines, cubics and quintics by the fields that both have; integration of derivatives."""

import numpy as np
import pytest

from jtc import PROMPT, assert_aborted, assert_reached, motion

pytest.importorskip("rclpy", reason="rclpy is not importable")

from control_msgs.action import FollowJointTrajectory  # noqa: E402

Code = FollowJointTrajectory.Result
JOINT = "wrist_flex"
# Position, velocity and acceleration at some times.
States = list[tuple[float, float, float, float]]
WAY: States = [(0.0, 0.0, 0.0, 0.0), (0.25, 0.1, 0.8, 1.0), (0.5, 0.3, 0.4, -3.0), (0.75, 0.35, 0.0, 0.0)]


def spline(states: States, degree: int):
    """The polynomials of that degree through the states."""
    pieces = []
    for (t0, *start), (t1, *end) in zip(states, states[1:]):
        rows, values = [], []
        for at, given in ((0.0, start), (t1 - t0, end)):
            for order in range((degree + 1) // 2):
                powers = np.polynomial.polynomial.Polynomial
                rows.append([powers.basis(k).deriv(order)(at) if order else at**k for k in range(degree + 1)])
                values.append(given[order])
        pieces.append((t0, np.linalg.solve(np.array(rows), np.array(values))))

    def at(when: float) -> float:
        when = min(max(when, 0.0), states[-1][0])
        t0, coefficients = next(piece for piece in reversed(pieces) if piece[0] <= when)
        return float(np.polynomial.polynomial.polyval(when - t0, coefficients))

    return at


def run(jtc, points: list[tuple], **fields):
    result = jtc.send(motion(*points), **fields).result()
    assert_reached(result)
    jtc.wait_until_rest()
    return jtc.curve(JOINT)


def test_positions_and_velocities_make_cubics(jtc):
    curve = run(jtc, [(t, p, v) for t, p, v, _ in WAY[1:]])
    assert curve.shape_deviation(spline(WAY, 3), WAY[-1][0]) < 0.02
    assert curve.end - curve.begin == pytest.approx(WAY[-1][0], abs=PROMPT)


def test_positions_velocities_and_accelerations_make_quintics(jtc):
    curve = run(jtc, [(t, p, v, a) for t, p, v, a in WAY[1:]])
    assert curve.shape_deviation(spline(WAY, 5), WAY[-1][0]) < 0.02
    assert curve.shape_deviation(spline(WAY, 3), WAY[-1][0]) > 0.04, "and it can be told from cubics"
    assert curve.end - curve.begin == pytest.approx(WAY[-1][0], abs=PROMPT)


def test_positions_alone_make_lines_that_pass_each_point_at_its_time(jtc):
    curve = run(jtc, [(0.3, 0.1), (0.6, 0.4), (0.9, 0.5)])
    assert curve.passes(0.4) - curve.passes(0.1) == pytest.approx(0.3, abs=PROMPT)
    # Between its rounded ends a line has one velocity.
    middle = curve.between(curve.passes(0.1) + 0.1, curve.passes(0.4) - 0.1)
    assert middle.times.size > 10
    assert np.ptp(middle.velocities) < 0.02
    assert middle.velocities.mean() == pytest.approx(1.0, abs=0.15)
    curve.assert_smooth()


def test_a_line_that_turns_round_stops_exactly_at_its_corner(jtc):
    curve = run(jtc, [(0.3, 0.3), (0.6, 0.1)])
    assert curve.positions.max() == pytest.approx(0.3, abs=1e-3)
    assert curve.positions.max() <= 0.3 + 1e-9
    curve.assert_smooth()


def test_a_segment_has_the_fields_that_both_of_its_ends_have(jtc):
    """From a point with a velocity to one without is a line."""
    curve = run(jtc, [(0.3, 0.1, 0.5), (0.6, 0.3, 0.5), (0.9, 0.5)])
    first = curve.between(curve.begin, curve.passes(0.3))
    wanted = spline([(0.0, 0.0, 0.0, 0.0), (0.3, 0.1, 0.5, 0.0), (0.6, 0.3, 0.5, 0.0)], 3)
    assert first.shape_deviation(wanted, 0.6) < 0.02
    line = curve.between(curve.passes(0.3) + 0.1, curve.passes(0.45))
    assert np.ptp(line.velocities) < 0.02
    curve.assert_smooth()


def test_points_without_positions_are_refused(jtc):
    result = jtc.send(motion((0.2, None, 0.5), (0.4, None, 0.0))).result()
    assert_aborted(result, Code.INVALID_GOAL, "Mismatch between joint_names size (5) and positions (0) at point #0")


@pytest.fixture
def integration(jtc):
    with jtc.parameters(allow_integration_in_goal_trajectories=True):
        yield


def test_velocities_are_integrated_where_that_is_allowed(jtc, integration):
    jtc.home(0.1)
    curve = run(jtc, [(0.2, None, 0.5), (0.6, None, 0.5), (0.8, None, 0.0)])
    # By trapezia: 0.05, 0.2 and 0.05 beyond where it began.
    assert curve.positions[-1] == pytest.approx(0.4, abs=2e-3)
    assert curve.velocity_at(curve.passes(0.25)) == pytest.approx(0.5, abs=0.03)
    curve.assert_smooth()


def test_accelerations_are_integrated_where_that_is_allowed(jtc, integration):
    curve = run(jtc, [(0.2, None, None, 4.0), (0.4, None, None, -4.0), (0.6, None, None, 0.0)])
    # Velocities 0.4, 0.4 and 0; places 0.04, 0.12 and 0.16.
    assert curve.positions[-1] == pytest.approx(0.16, abs=2e-3)
    curve.assert_smooth()


def test_a_mixture_of_points_with_and_without_positions_is_followed_where_that_is_allowed(jtc, integration):
    curve = run(jtc, [(0.2, 0.05, 0.5), (0.4, None, 0.5), (0.6, 0.2, 0.0)])
    assert curve.positions[-1] == pytest.approx(0.2, abs=1e-6)
    assert curve.passes(0.15) - curve.passes(0.05) == pytest.approx(0.2, abs=PROMPT)


@pytest.mark.parametrize(
    ("points", "named"),
    [
        ([(0.3, None)], "position"),
        ([(0.3, [0.1, 0.2])], r"\(5\) and positions \(2\)"),
        ([(0.3, 0.1, [0.0] * 4)], r"\(5\) and velocities \(4\)"),
        ([(0.3, 0.1, 0.0, [0.0] * 6)], r"\(5\) and accelerations \(6\)"),
    ],
    ids=["nothing", "positions", "velocities", "accelerations"],
)
def test_points_of_the_wrong_size_are_refused_with_integration_too(jtc, integration, points, named: str):
    import re

    result = jtc.send(motion(*points)).result()
    assert_aborted(result, Code.INVALID_GOAL, "")
    assert re.search(named, result.text), result.text


def test_efforts_are_refused(jtc):
    message = motion((0.3, 0.1))
    message.points[0].effort = [1.0] * 5
    result = jtc.send(message).result()
    assert_aborted(result, Code.INVALID_GOAL, "Trajectories with effort fields are only supported")


def test_empty_names_are_refused(jtc):
    result = jtc.send(motion((0.3, 0.1), joints=[])).result()
    assert_aborted(result, Code.INVALID_JOINTS, "Empty joint names on incoming trajectory.")


def test_times_that_do_not_grow_are_refused(jtc):
    result = jtc.send(motion((0.2, 0.1), (0.2, 0.2))).result()
    assert_aborted(result, Code.INVALID_GOAL, "Time between points 0 and 1 is not strictly increasing, it is 0.2")
