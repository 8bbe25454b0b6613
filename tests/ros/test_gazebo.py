"""An arm in Gazebo in the place of servos: its time is the simulation's, and everything else is as with servos."""

from __future__ import annotations

import contextlib
import json
import pathlib
import signal
import sys
from collections.abc import Callable, Iterator

import pytest

from arm import CONFIG, JOINTS, SHAPES, UPDATE_RATE_HZ, Client, Control, Follow, to, trajectory
from conftest import own_domain
from harness import EXECUTABLES, Process

pytest.importorskip("rclpy", reason="rclpy is not importable")

from action_msgs.msg import GoalStatus  # noqa: E402
from control_msgs.action import GripperCommand  # noqa: E402
from control_msgs.msg import JointTrajectoryControllerState  # noqa: E402
from control_msgs.srv import QueryTrajectoryState  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from rclpy.action import ActionClient  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402
from std_srvs.srv import SetBool, Trigger  # noqa: E402

PEER = pathlib.Path(__file__).parent / "gazebo_peer.py"
GAZEBO = ("-p", "backend:=gazebo", "-p", "use_sim_time:=true")
# How far a joint may be from where it was told to be once it is there (rad).
NEAR = 0.01
# As fast as config/so101.yaml lets a joint be told to go (rad/s).
FASTEST = 4.5
# Every joint of the arm may go so far to either side (rad).
UPPER = 1.65
# Room for machines that are busy, and for slow simulations.
LONG = 60.0


class Simulation:
    """The stand-in for Gazebo, nodes whose arm is in it, and a client of them."""

    def __init__(self, folder: pathlib.Path, ends: contextlib.ExitStack):
        self.folder, self._ends = folder, ends
        self.client = Client()
        ends.callback(self.client.close)
        self.follow = Follow(self.client)
        self.peer: Process
        self.control: Control
        self.hardware: Process
        self.controller: Process
        self.shape: str

    def start_peer(self, *arguments: str) -> None:
        path = self.folder / "gazebo.ctl"
        path.unlink(missing_ok=True)
        command = (sys.executable, PEER, "--control", path, "--joints", ",".join(JOINTS), *arguments)
        self.peer = self._ends.enter_context(Process(*command))
        self.peer.wait_until(path.exists, "its control was there", timeout=LONG)
        self.control = Control(path)

    def start_nodes(self, shape: str, *arguments: str) -> None:
        self.shape = shape
        if shape == "arm_node":
            self.hardware = self.controller = self.start("arm_node", *arguments)
        else:
            self.hardware = self.start("hardware_node", *arguments)
            self.controller = self.start("controller_node", *arguments)

    def start(self, executable: str, *arguments: str) -> Process:
        command = (EXECUTABLES / executable, "--ros-args", "--params-file", CONFIG, *GAZEBO, *arguments)
        return self._ends.enter_context(Process(*command))

    def wait_until_ready(self) -> None:
        self.hardware.wait_for_line("Energizing -> Holding", timeout=LONG)
        self.follow.wait_until_ready()
        self.client.next(JointTrajectoryControllerState, "arm_controller/controller_state", timeout=LONG)
        self.client.wait_until_obeyed()

    def ask(self, command: str) -> dict:
        """What the simulation knows after a command."""
        return json.loads(self.control.ask(command))

    def state(self) -> dict:
        return self.ask("state")

    def wait_for(self, condition: Callable[[dict], bool], what: str) -> dict:
        """What the simulation knows when the condition holds of it."""
        self.client.spin_until(lambda: condition(self.state()), what, timeout=LONG)
        return self.state()

    def wait_for_more(self, process: Process, pattern: str, before: int) -> None:
        """Until the process has said so more often than before."""
        process.wait_until(lambda: said(process, pattern) > before, f"{pattern!r} once more", timeout=LONG)

    def move_to(self, position: float, seconds: float) -> None:
        result = self.follow.send(to(position, seconds)).result(LONG)
        assert result.status == GoalStatus.STATUS_SUCCEEDED, result
        # What was told last may still be under way to the simulation.
        is_near = lambda state: all(abs(at - position) < NEAR for at in state["positions"][:5])  # noqa: E731
        self.wait_for(is_near, f"the simulated arm at {position}")


def said(process: Process, pattern: str) -> int:
    return sum(pattern in line for line in process.lines)


@contextlib.contextmanager
def simulation(folder: pathlib.Path) -> Iterator[Simulation]:
    with contextlib.ExitStack() as ends:
        yield Simulation(folder, ends)


@pytest.fixture
def gazebo(ros_domain: int, tmp_path: pathlib.Path) -> Iterator[Simulation]:
    """Nothing runs yet."""
    with simulation(tmp_path) as gazebo:
        yield gazebo


@pytest.fixture(scope="module", params=SHAPES)
def shared(request: pytest.FixtureRequest, private_ros: None, tmp_path_factory) -> Iterator[Simulation]:
    """An arm that holds in a simulation, in both shapes; the tests leave it usable for each other."""
    with own_domain(), simulation(tmp_path_factory.mktemp("gazebo")) as gazebo:
        gazebo.start_nodes(request.param)
        gazebo.start_peer("--rate", "2")
        gazebo.wait_until_ready()
        yield gazebo


@pytest.fixture
def ready(shared: Simulation) -> Simulation:
    """The same at home, in a simulation that runs."""
    shared.ask("rate 2")
    shared.ask("run")
    shared.move_to(0.0, 0.5)
    return shared


@pytest.mark.parametrize("rate", [0.3, 1.0, 3.0])
def test_a_motion_takes_the_time_of_the_simulation_however_fast_that_goes(ready: Simulation, rate: float):
    ready.ask(f"rate {rate}")
    begin = ready.ask("forget")["time"]
    ready.move_to(0.4, 0.8)
    end = ready.state()
    assert end["time"] - begin >= 0.8
    assert end["told"] > 10


def test_joint_states_come_once_a_cycle_where_time_is_slow(ready: Simulation):
    ready.ask("rate 0.1")
    with ready.client.heard(JointState, "joint_states") as heard:
        ready.client.spin_until(lambda: len(heard) > 20, "joint states in slow motion", timeout=LONG)
    stamps = [seconds_of(state) for state in heard]
    rate_hz = (len(stamps) - 1) / (stamps[-1] - stamps[0])
    assert rate_hz < 1.1 * UPDATE_RATE_HZ, stamps


def test_what_the_simulation_is_told_keeps_the_limits(ready: Simulation):
    # Slowly, so that whoever is held up for a moment misses little of it.
    ready.ask("rate 0.5")
    ready.ask("forget")
    # Far quicker than any joint: it is slowed down.
    ready.move_to(1.2, 0.05)
    state = ready.state()
    assert 1.0 < max(state["fastest"]) < FASTEST * 1.02, state["fastest"]
    assert max(state["highest"]) < UPPER and min(state["lowest"]) > -UPPER, (state["lowest"], state["highest"])


def test_joint_states_are_the_arms_alone_and_have_the_simulations_time(ready: Simulation):
    begin = ready.state()["time"]
    ready.client.next(JointState, "joint_states", lambda state: seconds_of(state) > begin + 0.1)
    state = ready.client.next(JointState, "joint_states")
    assert list(state.name) == JOINTS
    assert begin < seconds_of(state) < begin + 1e4, "not the wall clock's"


def seconds_of(message) -> float:
    return message.header.stamp.sec + message.header.stamp.nanosec * 1e-9


def test_a_goal_begins_when_the_simulations_time_is_its_stamp(ready: Simulation):
    from builtin_interfaces.msg import Time

    start = ready.ask("rate 1")["time"] + 1.0
    stamp = Time(sec=int(start), nanosec=int(start % 1.0 * 1e9))
    goal = ready.follow.send(trajectory((0.5, [0.3] * 5, [0.0] * 5), stamp=stamp))
    moving = ready.wait_for(lambda state: state["positions"][0] > 0.01, "the motion began")
    assert start < moving["time"]
    assert goal.result(LONG).status == GoalStatus.STATUS_SUCCEEDED
    assert ready.state()["time"] > start + 0.49


def test_a_pause_holds_everything_up_and_nothing_is_wrong_afterwards(ready: Simulation):
    ready.ask("rate 1")
    before = {word: said(ready.hardware, word) for word in ("-> Faulted", "-> Disconnected")}
    goal = ready.follow.send(to(0.8, 1.5))
    ready.wait_for(lambda state: state["positions"][0] > 0.1, "the motion is under way")
    time = ready.ask("pause")["time"]
    # Longer than a simulation that is gone is waited for.
    ready.client.spin_for(2.5)
    assert not goal.ended
    assert ready.state()["time"] == time
    with ready.client.heard(DiagnosticArray, "/diagnostics") as heard:
        ready.client.spin_until(lambda: len(heard) > 1, "diagnostics while time stands still", timeout=LONG)
    answer = ready.client.call(QueryTrajectoryState, "arm_controller/query_state")
    assert answer.success, answer
    refused = ready.client.call(Trigger, "hardware_node/reset")
    assert not refused.success and "nothing to reset" in refused.message
    ready.ask("run")
    assert goal.result(LONG).status == GoalStatus.STATUS_SUCCEEDED
    assert {word: said(ready.hardware, word) for word in before} == before


def test_an_emergency_stop_is_heard_while_time_stands_still(ready: Simulation):
    goal = ready.follow.send(to(0.8, 1.5))
    ready.wait_for(lambda state: state["positions"][0] > 0.1, "the motion is under way")
    ready.ask("pause")
    stopped = ready.client.call(Trigger, "hardware_node/emergency_stop")
    assert stopped.success, stopped
    ready.ask("run")
    result = goal.result(LONG)
    assert result.status == GoalStatus.STATUS_ABORTED and "emergency stop" in result.text
    released = ready.client.call(Trigger, "hardware_node/reset")
    assert released.success, released


def test_a_reset_ends_what_moves_and_the_arm_is_held_where_the_simulation_put_it(ready: Simulation):
    ready.move_to(0.5, 0.5)
    goal = ready.follow.send(to(1.0, 3.0))
    ready.wait_for(lambda state: state["positions"][0] > 0.6, "the motion is under way")
    before = said(ready.hardware, "Energizing -> Holding")
    ready.ask("reset")
    result = goal.result(LONG)
    assert result.status == GoalStatus.STATUS_ABORTED
    assert "simulated time was set back" in result.text
    ready.wait_for_more(ready.hardware, "Energizing -> Holding", before)
    # A command that was on its way leads it somewhere yet; it is held there, and does not go back to where it was.
    state = ready.wait_for(lambda state: state["told"] > 10, "it is told where to stay")
    apart = [abs(goal - position) for goal, position in zip(state["goals"], state["positions"])]
    assert max(apart) < NEAR, state
    assert max(state["goals"]) < 0.9, state
    # In two processes the controllers learn a little later where the arm is.
    ready.client.next(JointTrajectoryControllerState, "arm_controller/controller_state", timeout=LONG)
    ready.move_to(0.3, 0.5)
    assert ready.state()["time"] < 60.0


def test_the_gripper_moves_in_the_simulation_as_well(ready: Simulation):
    gripper = ActionClient(ready.client.node, GripperCommand, "gripper_controller/gripper_cmd")
    try:
        ready.client.spin_until(gripper.server_is_ready, "the gripper's action", timeout=LONG)
        goal = GripperCommand.Goal()
        goal.command.position = 0.5
        handle = ready.client.wait_for(gripper.send_goal_async(goal), "an answer to the goal", LONG)
        result = ready.client.wait_for(handle.get_result_async(), "the result", LONG).result
        assert result.reached_goal, result
        ready.wait_for(lambda state: abs(state["positions"][5] - 0.5) < 0.05, "the jaw at 0.5")
    finally:
        gripper.destroy()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_simulation_that_is_gone_is_told_and_a_new_one_is_taken_up(gazebo: Simulation, shape: str):
    gazebo.start_nodes(shape)
    gazebo.hardware.wait_for_line("no joint states of Gazebo come on /gazebo/joint_states", timeout=LONG)
    gazebo.start_peer()
    gazebo.wait_until_ready()
    goal = gazebo.follow.send(to(0.8, 3.0))
    gazebo.wait_for(lambda state: state["positions"][0] > 0.1, "the motion is under way")
    gazebo.peer.stop(signal.SIGKILL)
    gazebo.hardware.wait_for_line("nothing has come from Gazebo on /gazebo/joint_states for 2 s", timeout=LONG)
    gazebo.hardware.wait_for_line("-> Disconnected", timeout=LONG)
    before = said(gazebo.hardware, "Disconnected -> ")
    gazebo.start_peer()
    assert goal.result(LONG).status == GoalStatus.STATUS_ABORTED
    gazebo.wait_for_more(gazebo.hardware, "Disconnected -> ", before)
    torque = gazebo.client.call(SetBool, "hardware_node/torque", data=True, timeout=LONG)
    assert torque.success, torque
    gazebo.client.next(JointTrajectoryControllerState, "arm_controller/controller_state", timeout=LONG)
    gazebo.move_to(0.3, 0.5)


def test_a_joint_that_the_simulation_lacks_is_named(gazebo: Simulation):
    gazebo.start_peer("--publish", "5")
    gazebo.start_nodes("arm_node")
    gazebo.hardware.wait_for_line("joint `gripper` is not among Gazebo's joint states", timeout=LONG)
    gazebo.ask("publish-all")
    gazebo.hardware.wait_for_line("Energizing -> Holding", timeout=LONG)


def test_the_topics_are_in_the_namespace_of_the_arm(gazebo: Simulation):
    gazebo.start_peer("--namespace", "/left")
    gazebo.start_nodes("arm_node", "-r", "__ns:=/left")
    gazebo.hardware.wait_for_line("Energizing -> Holding", timeout=LONG)


@pytest.mark.parametrize("shape", SHAPES)
def test_nodes_end_at_once_while_time_stands_still(gazebo: Simulation, shape: str):
    gazebo.start_nodes(shape)
    gazebo.start_peer()
    gazebo.wait_until_ready()
    gazebo.follow.send(to(0.8, 3.0))
    gazebo.wait_for(lambda state: state["positions"][0] > 0.1, "the motion is under way")
    gazebo.ask("pause")
    for process in {gazebo.hardware, gazebo.controller}:
        process.send(signal.SIGINT)
        assert process.wait(LONG) == 0


def test_a_node_without_the_simulations_time_is_refused(gazebo: Simulation):
    node = gazebo.start("hardware_node", "-p", "use_sim_time:=false")
    assert node.wait() == 1
    assert '`backend` is "gazebo", which has its own time: set `use_sim_time` to true' in node.output


def test_a_backend_that_nobody_knows_is_refused(gazebo: Simulation):
    node = gazebo.start("hardware_node", "-p", "backend:=isaac")
    assert node.wait() == 1
    assert 'it must be one of "servos", "gazebo"' in node.output


def test_one_process_has_one_clock(gazebo: Simulation):
    node = gazebo.start("arm_node", "-p", "arm_controller:use_sim_time:=false")
    assert node.wait() == 1
    expected = "`use_sim_time` is false for `controller_manager` and true for `hardware_node`"
    assert expected.replace("controller_manager", "arm_controller") in node.output


def test_servos_move_in_real_time_and_say_what_they_do_in_that_of_the_clock(run_arm, ros_domain: int):
    system = run_arm("arm_node", use_sim_time=True)
    system.arm.hardware.wait_for_line("stamps are those of /clock, and the servos move in real time")
    state = system.client.next(JointState, "joint_states")
    assert seconds_of(state) == 0.0, "nobody told the time"
    system.move_to(0.2)
