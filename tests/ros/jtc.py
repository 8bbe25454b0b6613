"""What the tests of the trajectory controller share: motions as clients write them, and curves of what came of them."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from arm import ARM_JOINTS, UPDATE_RATE_HZ, Goal, Result, System, duration, ticks

CONTROLLER = "arm_controller"
CONTROLLER_STATE = f"{CONTROLLER}/controller_state"
TOPIC = f"{CONTROLLER}/joint_trajectory"
SCALING = f"{CONTROLLER}/speed_scaling_input"
PERIOD = 1.0 / UPDATE_RATE_HZ
# What the shipped configuration allows every joint of the arm.
MAX_VELOCITY = 4.5
MAX_ACCELERATION = 38.0
# What rounding leaves of a bound.
SLACK = 1.1
# How far stamps may be from where they should be (s), on a machine that is busy with other things.
PROMPT = 0.04
# For so many cycles after a held-up one an arm may go back to what was answered last, and begin again.
GOING_BACK = 10
# Slower than this (rad/s) a reference rests.
STILL = 1e-6


Numbers = float | Sequence[float]


def motion(*points: tuple[Numbers, ...], joints: Sequence[str] = tuple(ARM_JOINTS), stamp: float | None = None):
    """A trajectory through `(seconds, positions, velocities, accelerations)`, of which the last two may be missing.

    A number stands for the same number for every joint, `None` for a field that is left out; `stamp` is in unix time.
    """
    from rclpy.time import Time
    from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

    message = JointTrajectory(joint_names=list(joints))
    if stamp is not None:
        message.header.stamp = Time(nanoseconds=round(stamp * 1e9)).to_msg()
    for seconds, *fields in points:
        point = JointTrajectoryPoint(time_from_start=duration(seconds))
        for field, values in zip(("positions", "velocities", "accelerations"), fields):
            setattr(point, field, wide(values, len(joints)))
        message.points.append(point)
    return message


def wide(values: Numbers | None, count: int) -> list[float]:
    if values is None:
        return []
    return [float(values)] * count if isinstance(values, (int, float)) else [float(value) for value in values]


def seconds(stamp) -> float:
    return stamp.sec + stamp.nanosec * 1e-9


@dataclasses.dataclass(frozen=True)
class Curve:
    """One joint's reference over time, as `controller_state` told it."""

    times: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray

    def between(self, begin: float, end: float) -> Curve:
        chosen = (begin <= self.times) & (self.times <= end)
        return Curve(self.times[chosen], self.positions[chosen], self.velocities[chosen])

    def at(self, when: float) -> float:
        """The position at a time."""
        assert self.times[0] <= when <= self.times[-1], f"{when} is not between {self.times[0]} and {self.times[-1]}"
        return float(np.interp(when, self.times, self.positions))

    def velocity_at(self, when: float) -> float:
        assert self.times[0] <= when <= self.times[-1]
        return float(np.interp(when, self.times, self.velocities))

    @property
    def moving(self) -> np.ndarray:
        """The indices of the samples in motion."""
        [indices] = np.nonzero(np.abs(self.velocities) > STILL)
        assert indices.size, "the reference never moved"
        return indices

    @property
    def begin(self) -> float:
        """The last moment of rest before the first motion."""
        return float(self.times[max(self.moving[0] - 1, 0)])

    @property
    def end(self) -> float:
        """The first moment of rest after the last motion."""
        last = self.moving[-1] + 1
        assert last < self.times.size, "the reference still moves"
        return float(self.times[last])

    def passes(self, position: float) -> float:
        """When the curve is at a position first."""
        side = np.sign(self.positions - position)
        [crossings] = np.nonzero(side[:-1] * side[1:] <= 0)
        assert crossings.size, f"never at {position}: {self.positions.min()} to {self.positions.max()}"
        i = int(crossings[0])
        (t0, t1), (p0, p1) = self.times[i : i + 2], self.positions[i : i + 2]
        return float(t0 if p0 == p1 else t0 + (position - p0) / (p1 - p0) * (t1 - t0))

    def shape_deviation(self, expected: Callable[[float], float], length: float) -> float:
        """How far its velocities are at most from those of `expected(seconds)` at the same positions.

        Says nothing of time, and so does not mind cycles that were late. `expected` must go one way all the time.
        """
        when = np.linspace(0.0, length, 2001)
        places = np.array([expected(at) for at in when])
        way = np.sign(places[-1] - places[0])
        places, positions, velocities = way * places, way * self.positions, way * self.velocities
        assert (np.diff(places) >= -1e-12).all()
        wanted = np.interp(positions, places, np.gradient(places, when))
        part = (places[0] + 1e-3 < positions) & (positions < places[-1] - 1e-3)
        assert part.sum() > 20
        return float(np.abs(velocities - wanted)[part].max())

    def accelerations(self) -> np.ndarray:
        """How the velocity changes, from each sample to the next; around late cycles in the mean."""
        spans = np.maximum(np.diff(self.times), PERIOD)
        return np.diff(self.velocities) / np.where(self.irregular(), widest(spans), spans)

    def assert_smooth(self, most: float = MAX_ACCELERATION) -> None:
        """The reference moved, and neither its position nor its velocity jumped."""
        assert self.moving.size > 5
        accelerations = np.abs(self.accelerations())
        worst = int(accelerations.argmax())
        assert accelerations[worst] <= most * SLACK + 0.5, (
            f"{accelerations[worst]:.1f} rad/s^2 at {self.times[worst] - self.times[0]:.3f} s: "
            f"velocities {self.velocities[max(0, worst - 2) : worst + 4]}"
        )
        spans, steps = np.diff(self.times), np.diff(self.positions)
        mean = (self.velocities[1:] + self.velocities[:-1]) / 2.0
        # Within a step the velocity may change at its beginning or at its end, by what the acceleration allows.
        bend = most * SLACK * np.maximum(spans, PERIOD) ** 2 / 2.0 + 1e-6
        # Steps are of a period, whatever their stamps; after a late cycle they catch up.
        unsure = np.abs(mean) * np.where(self.irregular(), widest(spans) + PERIOD, np.abs(spans - PERIOD))
        jump = np.abs(steps - mean * PERIOD) - bend - unsure - 0.05 * np.abs(mean) * PERIOD
        worst = int(jump.argmax())
        assert jump[worst] <= 0.0, (
            f"a step of {steps[worst]:.5f} at {self.times[worst] - self.times[0]:.3f} s "
            f"where velocities say {mean[worst] * PERIOD:.5f}; spans {spans[max(0, worst - 2) : worst + 3]}"
        )

    def irregular(self) -> np.ndarray:
        """For each step whether it, or one beside it, did not take about a period."""
        off = self._off()
        return off | np.concatenate(([False], off[:-1])) | np.concatenate((off[1:], [False]))

    def on_time_for(self, length: float) -> np.ndarray:
        """For each sample whether no step of the last so many seconds took other than about a period."""
        offs = np.concatenate(([-np.inf], self.times[1:][self._off()]))
        return length < self.times - offs[np.searchsorted(offs, self.times, side="right") - 1]

    def _off(self) -> np.ndarray:
        return np.abs(np.diff(self.times) - PERIOD) > 0.3 * PERIOD


def widest(spans: np.ndarray) -> np.ndarray:
    """For each the widest of it and those beside it."""
    before, after = np.concatenate((spans[:1], spans[:-1])), np.concatenate((spans[1:], spans[-1:]))
    return np.maximum(spans, np.maximum(before, after))


class Jtc:
    """A client of the trajectory controller that listens to `controller_state` all the time."""

    def __init__(self, system: System):
        from control_msgs.msg import JointTrajectoryControllerState, SpeedScalingFactor
        from rclpy.qos import DurabilityPolicy, QoSProfile
        from trajectory_msgs.msg import JointTrajectory

        self.system, self.client, self.control, self.follow = system, system.client, system.control, system.follow
        self.states: list = []
        self.commanded = get_parameter(self.client, "command_joints") or ARM_JOINTS
        node = self.client.node
        self._subscription = node.create_subscription(
            JointTrajectoryControllerState, CONTROLLER_STATE, self.states.append, 1000
        )
        self._topic = node.create_publisher(JointTrajectory, TOPIC, 10)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._scaling = node.create_publisher(SpeedScalingFactor, SCALING, latched)
        self.until(lambda: self.states, "a controller_state")
        self.until(lambda: self._topic.get_subscription_count(), "somebody who listens to the topic")

    def close(self) -> None:
        self.client.node.destroy_subscription(self._subscription)
        for publisher in (self._topic, self._scaling):
            self.client.node.destroy_publisher(publisher)

    # What a client does.

    def send(self, trajectory, **fields) -> Goal:
        return self.follow.send(trajectory, **fields)

    def publish(self, trajectory) -> None:
        self._topic.publish(trajectory)

    def scale(self, factor: float) -> None:
        from control_msgs.msg import SpeedScalingFactor

        self.until(lambda: self._scaling.get_subscription_count(), "somebody who listens to the speed scaling")
        self._scaling.publish(SpeedScalingFactor(factor=factor))

    def until(self, condition: Callable[[], object], what: str, timeout: float = 10.0) -> None:
        self.client.spin_until(condition, what, timeout)

    # What it sees.

    @property
    def latest(self):
        return self.states[-1]

    def spin_for(self, wanted: float) -> None:
        """Listens for so long, by the stamps of what it hears."""
        begin = seconds(self.latest.header.stamp)
        self.until(lambda: seconds(self.latest.header.stamp) - begin >= wanted, f"{wanted} s of states")

    def rest(self) -> list[float]:
        """The arm's references when they have come to rest."""
        self.wait_until_rest()
        return self.references()

    def references(self) -> list[float]:
        """The arm's references by the newest state."""
        return list(self.latest.reference.positions)[: len(ARM_JOINTS)]

    def errors(self) -> list[float]:
        """How far the joints that are commanded are from their references."""
        named = zip(self.latest.joint_names, self.latest.error.positions)
        return [abs(error) for joint, error in named if joint in self.commanded]

    def reference(self, joint: str) -> float:
        return self.latest.reference.positions[list(self.latest.joint_names).index(joint)]

    def curve(self, joint: str) -> Curve:
        """The joint's reference since the trace was cleared."""
        states = list(self.states)
        column = list(states[0].joint_names).index(joint)
        return Curve(
            np.array([seconds(state.header.stamp) for state in states]),
            np.array([state.reference.positions[column] for state in states]),
            np.array([state.reference.velocities[column] for state in states]),
        )

    def is_moving(self) -> bool:
        return max(map(abs, self.latest.reference.velocities)) > STILL

    def wait_until_rest(self, states: int = 5) -> None:
        """Until the reference has rested for some states in a row that came from now on."""
        seen = len(self.states)

        def rests() -> bool:
            newest = self.states[max(seen, len(self.states) - states) :]
            return len(newest) == states and all(
                max(map(abs, state.reference.velocities)) <= STILL for state in newest
            )

        self.until(rests, "the reference rests", timeout=15.0)

    def wait_until_beyond(self, position: float, joint: str = "shoulder_pan") -> None:
        """Until the joint's reference is farther along than that (upwards)."""
        self.until(lambda: self.reference(joint) > position, f"{joint} is beyond {position}")

    # What brings it to where a test begins.

    def wait_until_told(self, places: Sequence[float]) -> None:
        """Until the servos are told these places; they get there a little later than the references."""
        wanted = [ticks(place) for place in places]

        def are_there() -> bool:
            goals = self.control.column("goal")
            return all(abs(goal - place) <= 1.0 for goal, place in zip(goals, wanted))

        self.until(are_there, f"the servos are told {wanted}: {self.control.column('goal')}", timeout=2.0)

    def home(self, position: float = 0.0) -> None:
        """Every joint rests at one position."""
        self.wait_until_rest(2)
        self.until(lambda: max(self.errors()) < 0.03, "the joints follow their references")
        distance = max(abs(reference - position) for reference in self.references())
        if distance > 1e-9:
            result = self.send(motion((max(0.15, 0.42 * distance**0.5), position, 0.0))).result()
            assert result.code == 0, result
            self.wait_until_rest(2)
        self.clear()

    def full_speed(self) -> None:
        """Trajectory time passes as planned, whatever a test has done."""
        if self.latest.speed_scaling_factor != 1.0:
            self.scale(1.0)
            self.until(lambda: self.latest.speed_scaling_factor == 1.0, "the factor is 1")

    def clear(self) -> None:
        """Forgets all states but the newest."""
        del self.states[:-1]

    @contextlib.contextmanager
    def parameters(self, node: str = CONTROLLER, **values: object) -> Iterator[None]:
        """Sets parameters for a while; `__` in a name is a dot."""
        names = [name.replace("__", ".") for name in values]
        before = [get_parameter(self.client, name, node) for name in names]
        try:
            for name, value in zip(names, values.values()):
                set_parameter(self.client, name, value, node)
            yield
        finally:
            for name, value in zip(names, before):
                set_parameter(self.client, name, value, node)

    @contextlib.contextmanager
    def says(self, pattern: str) -> Iterator[None]:
        """The controller's process logs such a line in the meantime."""
        process = self.system.arm.controller
        seen = len(process.lines)
        yield
        self.until(
            lambda: any(re.search(pattern, line) for line in process.lines[seen:]),
            f"a line with {pattern!r} after {process.lines[seen:]}",
        )

    def switch(self, activate: Sequence[str] = (), deactivate: Sequence[str] = (), strict: bool = True) -> None:
        """Asks the controller manager to (de)activate controllers, as far as that is needed where not `strict`."""
        from controller_manager_msgs.srv import SwitchController

        answer = self.client.call(
            SwitchController,
            "controller_manager/switch_controller",
            activate_controllers=list(activate),
            deactivate_controllers=list(deactivate),
            strictness=SwitchController.Request.STRICT if strict else SwitchController.Request.BEST_EFFORT,
        )
        assert answer.ok, answer


def get_parameter(client, name: str, node: str = CONTROLLER):
    """A parameter's value, `None` where it is not set."""
    from rcl_interfaces.srv import GetParameters
    from rclpy.parameter import parameter_value_to_python

    [value] = client.call(GetParameters, f"{node}/get_parameters", names=[name]).values
    return parameter_value_to_python(value)


def try_to_set(client, name: str, value: object, node: str = CONTROLLER):
    """What the node answers to a new value."""
    from rcl_interfaces.srv import SetParameters
    from rclpy.parameter import Parameter

    wanted = [Parameter(name, value=value).to_parameter_msg()]
    [answer] = client.call(SetParameters, f"{node}/set_parameters", parameters=wanted).results
    return answer


def set_parameter(client, name: str, value: object, node: str = CONTROLLER) -> None:
    answer = try_to_set(client, name, value, node)
    assert answer.successful, f"{name}: {answer.reason}"


def assert_reached(result: Result) -> None:
    from action_msgs.msg import GoalStatus

    assert (result.status, result.code) == (GoalStatus.STATUS_SUCCEEDED, 0), result
    assert result.text == "Goal successfully reached!"


def assert_aborted(result: Result, code: int, begins: str) -> None:
    from action_msgs.msg import GoalStatus

    assert (result.status, result.code) == (GoalStatus.STATUS_ABORTED, code), result
    assert result.text.startswith(begins), result.text


def assert_writes_smooth(writes, ids: Sequence[int], least_travel: int = 20) -> None:
    """What reached the servos moved, and neither its position nor its speed jumped.

    Where writes come late or together, somebody was held up, and soon after it the arm goes back to what was answered last.
    """
    for id in ids:
        times, goals = (np.array(column) for column in zip(*writes.timed_goals(id)))
        assert goals.max() - goals.min() >= least_travel, f"servo {id} did not move: {goals}"
        bends = np.abs(np.diff(goals, 2))
        off = np.abs(np.diff(times) - PERIOD) > 0.5 * PERIOD
        # The two steps of a bend, and those before it.
        calm = np.array([not off[max(0, i - GOING_BACK) : i + 2].any() for i in range(bends.size)])
        assert calm.sum() > 30, f"servo {id} was told evenly in {calm.sum()} of {calm.size} cycles"
        worst = int(np.where(calm, bends, 0).argmax())
        # 38 rad/s^2 are 0.62 ticks a cycle and cycle; rounding to whole ticks adds up to two.
        assert bends[worst] <= 3 or not calm[worst], f"servo {id}: {goals[max(0, worst - 2) : worst + 5]}"


def now() -> float:
    """Unix time, as stamps have it."""
    return time.time()
