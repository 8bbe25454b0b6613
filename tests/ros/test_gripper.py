"""The gripper's action, as an rclpy client uses it, in both types and both shapes."""

import contextlib
import time

import pytest

from arm import GOAL_POSITION, JOINTS, SHAPES, TORQUE_LIMIT, System, running, ticks

pytest.importorskip("rclpy", reason="rclpy is not importable")

from action_msgs.msg import GoalStatus  # noqa: E402
from control_msgs.action import GripperCommand, ParallelGripperCommand  # noqa: E402
from rclpy.action import ActionClient  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402

from conftest import own_domain  # noqa: E402

ID = 6
NAME = "gripper_controller/gripper_cmd"
# The gripper's effort in the URDF (N m); its servo may use half.
RATED = 1.9
TYPES = {
    "single": "position_controllers/GripperActionController",
    "parallel": "parallel_gripper_action_controller/GripperActionController",
}
TRAVEL = (-0.174533, 1.74533)


class Gripper:
    """A client of the action, whichever its type is."""

    def __init__(self, system: System, kind: str):
        self.system, self.kind = system, kind
        self.type = GripperCommand if kind == "single" else ParallelGripperCommand
        self._action = ActionClient(system.client.node, self.type, NAME)
        system.client.spin_until(self._action.server_is_ready, "the gripper's action", timeout=20.0)

    def goal(self, position: float, max_effort: float = 0.0):
        goal = self.type.Goal()
        if self.kind == "single":
            goal.command.position, goal.command.max_effort = position, max_effort
        else:
            goal.command.name, goal.command.position = ["gripper"], [position]
            goal.command.effort = [max_effort] if max_effort else []
        return goal

    def send(self, position: float, max_effort: float = 0.0) -> "Sent":
        return self.send_message(self.goal(position, max_effort))

    def send_message(self, goal) -> "Sent":
        feedback: list = []
        sent = self._action.send_goal_async(goal, feedback_callback=lambda said: feedback.append(said.feedback))
        handle = self.system.client.wait_for(sent, "an answer to the goal")
        assert handle.accepted
        return Sent(self.system, handle, feedback)

    def close(self) -> None:
        self._action.destroy()


class Sent:
    """A goal that was accepted."""

    def __init__(self, system: System, handle, feedback: list):
        self.system, self.handle, self.feedback = system, handle, feedback
        self._result = handle.get_result_async()

    def result(self):
        """Status, result, position and effort."""
        response = self.system.client.wait_for(self._result, "the goal's result")
        return response.status, response.result, *where(response.result)

    def cancel(self):
        return self.system.client.wait_for(self.handle.cancel_goal_async(), "an answer to the cancel")


def where(said) -> tuple[float, float]:
    """Position and effort, of a result or of feedback of either type."""
    if not hasattr(said, "state"):
        return said.position, said.effort
    assert list(said.state.name) == ["gripper"]
    assert len(said.state.position) == len(said.state.velocity) == len(said.state.effort) == 1
    return said.state.position[0], said.state.effort[0]


@contextlib.contextmanager
def gripper_arm(folder, shape: str, kind: str, **parameters: object):
    # As upstream has it, whatever the shipped file says.
    own = {"joint": "gripper", "goal_tolerance": 0.01, "stall_timeout": 1.0, "allow_stalling": False, **parameters}
    settings = {
        "controller_manager:gripper_controller.type": TYPES[kind],
        **{f"gripper_controller:{name}": value for name, value in own.items()},
    }
    with running(folder, shape, "--pace", **settings) as system:
        gripper = Gripper(system, kind)
        try:
            yield gripper
        finally:
            gripper.close()


@pytest.fixture(scope="module", params=[(shape, kind) for shape in SHAPES for kind in TYPES], ids="-".join)
def shared_gripper(request, private_ros, tmp_path_factory):
    shape, kind = request.param
    with own_domain(), gripper_arm(tmp_path_factory.mktemp("arm"), shape, kind) as gripper:
        yield gripper


@pytest.fixture
def gripper(shared_gripper):
    """Open and free, at its configured effort."""
    shared_gripper.system.control.ask(f"unblock id={ID}")
    result = shared_gripper.send(0.0).result()
    assert result[0] == GoalStatus.STATUS_SUCCEEDED, (result, shared_gripper.system.arm.controller.output)
    wait_until_still(shared_gripper, ticks(0.0))
    yield shared_gripper


def servo(gripper: Gripper) -> dict:
    return gripper.system.control.state()[ID]


def register(gripper: Gripper, name: str) -> int:
    return int(gripper.system.control.ask(f"get id={ID} {name}"))


def wait_until_still(gripper: Gripper, at: float) -> None:
    # A goal is reached within its tolerance; what the servo is told gets there a moment later.
    with gripper.system.control.writes() as writes:
        assert gripper.system.wait_until_still(writes, ID) == pytest.approx(at, abs=1.0)


def test_a_free_jaw_reaches_its_goal(gripper):
    sent = gripper.send(1.0)
    status, result, position, effort = sent.result()
    assert status == GoalStatus.STATUS_SUCCEEDED, (result, gripper.system.arm.controller.output)
    assert result.reached_goal and not result.stalled
    assert position == pytest.approx(1.0, abs=0.011)
    assert abs(effort) < RATED
    wait_until_still(gripper, ticks(1.0))


def test_a_blocked_jaw_is_stalled_and_its_servo_relaxes_and_stays_cool(gripper):
    gripper.system.control.ask(f"block id={ID} at=0.5rad")
    before = register(gripper, "present_temperature")
    start = time.monotonic()
    status, result, position, effort = gripper.send(1.5).result()
    assert status == GoalStatus.STATUS_ABORTED, "allow_stalling is false"
    assert result.stalled and not result.reached_goal
    assert 1.0 < time.monotonic() - start < 3.0
    assert position == pytest.approx(0.5, abs=0.01)
    gripper.system.client.spin_for(1.0)
    for _ in range(20):
        load = register(gripper, "present_load") / 1000
        assert 0.15 < load < 0.30, "a quarter of what the servo can"
        gripper.system.client.spin_for(0.05)
    assert servo(gripper)["goal"] == pytest.approx(ticks(0.5), abs=80)
    assert register(gripper, "present_temperature") <= before + 3


def test_a_goals_effort_is_the_servos_torque_limit_before_it_moves(gripper):
    gripper.system.control.ask(f"block id={ID} at=0.4rad")
    with gripper.system.control.writes() as writes:
        status, result, _, effort = gripper.send(1.0, max_effort=0.2 * RATED).result()
        limit = 500
        for write in writes.all():
            if write.id == ID:
                limit = write.value(TORQUE_LIMIT) or limit
                goal = write.value(GOAL_POSITION)
                assert goal is None or abs(goal - ticks(0.0)) < 8 or limit == 200, (goal, limit)
    assert result.stalled and 0.0 < effort <= 0.2 * RATED + 0.01
    gripper.system.client.spin_for(0.5)
    assert register(gripper, "torque_limit") == 200, "it holds on with that"
    assert abs(register(gripper, "present_load")) <= 201
    status, result, _, _ = gripper.send(0.0).result()
    assert status == GoalStatus.STATUS_SUCCEEDED, (result, gripper.system.arm.controller.output)
    assert register(gripper, "torque_limit") == 500


def test_a_cancel_stops_the_jaw_where_it_is(gripper):
    goal = gripper.goal(1.7)
    if gripper.kind == "parallel":
        goal.command.velocity = [0.5]
    else:
        gripper.system.control.ask(f"block id={ID} at=0.3rad")
    sent = gripper.send_message(goal)
    gripper.system.client.spin_until(lambda: servo(gripper)["goal"] > ticks(0.1), "the jaw moves")
    sent.cancel()
    status, result, position, _ = sent.result()
    assert status == GoalStatus.STATUS_CANCELED
    assert not result.reached_goal and not result.stalled
    with gripper.system.control.writes() as writes:
        rest = gripper.system.wait_until_still(writes, ID)
    assert rest < ticks(1.2)


def test_a_new_goal_replaces_the_one_before_which_is_told_where_it_got_to(gripper):
    gripper.system.control.ask(f"block id={ID} at=0.6rad")
    first = gripper.send(1.5)
    gripper.system.client.spin_until(lambda: first.feedback and where(first.feedback[-1])[0] > 0.55, "contact")
    second = gripper.send(0.1)
    status, result, position, _ = first.result()
    assert status == GoalStatus.STATUS_ABORTED
    assert not result.reached_goal and not result.stalled and position > 0.5
    assert second.result()[0] == GoalStatus.STATUS_SUCCEEDED


def test_feedback_comes_at_its_rate_and_says_where_the_jaw_is(gripper):
    gripper.system.control.ask(f"block id={ID} at=0.5rad")
    sent = gripper.send(1.5)
    sent.result()
    assert 15 <= len(sent.feedback) <= 40, "20 Hz for a little more than a second"
    positions = [where(said)[0] for said in sent.feedback]
    assert positions[0] < 0.5 and positions[-1] == pytest.approx(0.5, abs=0.01)
    if gripper.kind == "single":
        assert sent.feedback[-1].stalled and not sent.feedback[0].stalled
        assert not any(said.reached_goal for said in sent.feedback)


@pytest.mark.parametrize("position", [float("nan"), float("inf"), 2.5, -1.0])
def test_a_position_that_cannot_be_is_refused_with_value_and_limit_and_nothing_moves(gripper, position):
    log = gripper.system.arm.controller
    with gripper.system.control.writes() as writes:
        status, result, at, _ = gripper.send(position).result()
        assert status == GoalStatus.STATUS_ABORTED
        assert not result.reached_goal and not result.stalled
        assert at == pytest.approx(0.0, abs=0.02)
        gripper.system.client.spin_for(0.1)
        assert all(abs(goal - ticks(0.0)) < 8 for goal in writes.goals(ID))
    value = {float("inf"): "inf", 2.5: "2.5", -1.0: "-1"}.get(position, "NaN")
    travel = f"{TRAVEL[0]} to {TRAVEL[1]}"
    log.wait_for_line(f"goal refused: position of joint `gripper` is {value}; it must be from {travel}")


def test_efforts_and_names_that_make_no_sense_are_refused(gripper):
    assert gripper.send(0.5, max_effort=-1.0).result()[0] == GoalStatus.STATUS_ABORTED
    gripper.system.arm.controller.wait_for_line("goal refused: max_effort of joint `gripper` is -1")
    if gripper.kind == "parallel":
        goal = gripper.goal(0.5)
        goal.command.name = ["wrist_roll"]
        assert gripper.send_message(goal).result()[0] == GoalStatus.STATUS_ABORTED
        gripper.system.arm.controller.wait_for_line("the goal names `wrist_roll`; this gripper's joint is `gripper`")


def test_a_goal_ends_when_the_arm_cannot_go_on(gripper):
    from std_srvs.srv import SetBool

    system = gripper.system
    system.control.ask(f"block id={ID} at=0.5rad")
    sent = gripper.send(1.5)
    system.client.spin_until(lambda: sent.feedback, "feedback")
    assert system.client.call(SetBool, "hardware_node/torque", data=False).success
    status, result, *_ = sent.result()
    assert (status, result.reached_goal, result.stalled) == (GoalStatus.STATUS_ABORTED, False, False)
    assert system.client.call(SetBool, "hardware_node/torque", data=True).success
    system.client.wait_until_obeyed()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_velocity_in_the_goal_is_kept(ros_domain, tmp_path, shape):
    with gripper_arm(tmp_path, shape, "parallel") as gripper:
        goal = gripper.goal(1.0)
        goal.command.velocity = [0.5]
        start = time.monotonic()
        assert gripper.send_message(goal).result()[0] == GoalStatus.STATUS_SUCCEEDED
        assert 1.9 < time.monotonic() - start < 3.5


@pytest.mark.parametrize("shape", SHAPES)
def test_a_stall_is_a_success_where_that_is_allowed(ros_domain, tmp_path, shape):
    with gripper_arm(tmp_path, shape, "parallel", allow_stalling=True, stall_timeout=0.3) as gripper:
        gripper.system.control.ask(f"block id={ID} at=0.5rad")
        start = time.monotonic()
        status, result, *_ = gripper.send(1.5).result()
        assert status == GoalStatus.STATUS_SUCCEEDED
        assert result.stalled and not result.reached_goal
        assert time.monotonic() - start < 1.5


@pytest.mark.parametrize("shape", SHAPES)
def test_the_other_joints_keep_their_place_while_the_gripper_moves(ros_domain, tmp_path, shape):
    with gripper_arm(tmp_path, shape, "single") as gripper:
        with gripper.system.control.writes() as writes:
            assert gripper.send(0.8).result()[0] == GoalStatus.STATUS_SUCCEEDED
            assert all(len(set(writes.goals(id))) == 1 for id in range(1, ID))
        wait_until_still(gripper, ticks(0.8))
        states = gripper.system.client.next(JointState, "joint_states")
        assert states.position[JOINTS.index("gripper")] == pytest.approx(0.8, abs=0.01)
