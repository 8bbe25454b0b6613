"""An emulated arm with its nodes, and a ROS client beside it: what the tests of the nodes are written with."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import math
import os
import pathlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from harness import EXECUTABLES, ROOT, Process

CONFIG = ROOT / "config/so101.yaml"
JOINTS = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]
IDS = range(1, 7)
# Those of the trajectory controller; the gripper has a controller of its own.
ARM_JOINTS = JOINTS[:5]
ARM_IDS = range(1, 6)
SHAPES = ["arm_node", "separate"]
CENTRE_TICKS = 2048
TICKS_PER_RAD = 4096 / math.tau
UPDATE_RATE_HZ = 200.0
# Numbers for marks, each used once.
MARKS = itertools.count()
# As fast as the shipped configuration lets a joint be told to go, in ticks a cycle.
FASTEST_STEP_TICKS = 4.5 / UPDATE_RATE_HZ * TICKS_PER_RAD
FOLLOW = "arm_controller/follow_joint_trajectory"


def ticks(radians: float) -> float:
    return CENTRE_TICKS + radians * TICKS_PER_RAD


@dataclasses.dataclass(frozen=True)
class Register:
    """Where a register is in a servo."""

    address: int
    size: int
    sign_bit: int | None = None


TORQUE_ENABLE = Register(40, 1)
GOAL_POSITION = Register(42, 2, sign_bit=15)
TORQUE_LIMIT = Register(48, 2)


@dataclasses.dataclass(frozen=True)
class Write:
    """A register write that reached a servo."""

    unix_ns: int
    id: int
    address: int
    data: bytes

    def value(self, register: Register) -> int | None:
        """What it writes into the register, `None` where that is not among what it writes."""
        at = register.address - self.address
        if not 0 <= at <= len(self.data) - register.size:
            return None
        raw = int.from_bytes(self.data[at : at + register.size], "little")
        if register.sign_bit is None or raw < 1 << register.sign_bit:
            return raw
        return (1 << register.sign_bit) - raw


class Writes:
    """The register writes that reach servos, from the moment it is made until it is closed; all that came so far."""

    def __init__(self, control: Control):
        self._control = control
        self._socket = connect(control.path)
        self._lines = self._socket.makefile("r")
        self._socket.sendall(b"watch writes\n")
        answer = self._lines.readline()
        assert answer.startswith("ok"), answer
        self._writes: list[Write] = []
        self._trouble = ""
        self._marks: set[str] = set()
        self._is_over = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def all(self) -> list[Write]:
        self._catch_up()
        assert not self._trouble, self._trouble
        return list(self._writes)

    def values(self, register: Register, id: int) -> list[int]:
        """What one servo's register was given, in order."""
        values = (write.value(register) for write in self.all() if write.id == id)
        return [value for value in values if value is not None]

    def goals(self, id: int) -> list[int]:
        return self.values(GOAL_POSITION, id)

    def timed_goals(self, id: int) -> list[tuple[float, int]]:
        """The same, each with the unix time at which it came."""
        timed = ((write.unix_ns * 1e-9, write.value(GOAL_POSITION)) for write in self.all() if write.id == id)
        return [(at, goal) for at, goal in timed if goal is not None]

    def distinct_goals(self) -> dict[int, set[int]]:
        return {id: set(self.goals(id)) for id in IDS}

    def forget(self) -> None:
        self._catch_up()
        self._writes.clear()

    def close(self) -> None:
        # An emulator that has ended has nothing more to tell.
        with contextlib.suppress(OSError):
            self._catch_up()
        # Ends the reader, which may be waiting for the next line.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(2.0)
        self._socket.close()

    def __enter__(self) -> Writes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _catch_up(self) -> None:
        """Waits for what is still on its way: the state of a servo, asked for on another connection, is ahead of it."""
        if self._is_over:
            return
        mark = f"caught-up-{next(MARKS)}"
        self._control.ask(f"mark {mark}")
        with self._news:
            assert self._news.wait_for(lambda: mark in self._marks or self._is_over, 10.0), "the mark did not come back"

    def _read(self) -> None:
        for line in self._lines:
            self._take(*line.split())
        with self._news:
            self._is_over = True
            self._news.notify_all()

    def _take(self, kind: str, *words: str) -> None:
        match kind, words:
            case "write", (unix_ns, id, address, data):
                self._writes.append(Write(int(unix_ns), int(id), int(address), bytes.fromhex(data)))
            case "mark", (_, name):
                with self._news:
                    self._marks.add(name)
                    self._news.notify_all()
            case _:
                self._trouble = f"the emulator said: {kind} {' '.join(words)}"


def connect(path: pathlib.Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(None)
    connection.connect(os.fspath(path))
    return connection


@dataclasses.dataclass(frozen=True)
class Control:
    """The emulator's control socket: faults go in, the servos' true state comes out."""

    path: pathlib.Path

    def ask(self, command: str) -> str:
        """Says one line; gives what follows the `ok`."""
        with connect(self.path) as connection:
            connection.sendall(f"{command}\n".encode())
            answer = connection.makefile("r").readline().strip()
        verdict, _, rest = answer.partition(" ")
        assert verdict == "ok", f"{command}: {answer}"
        return rest

    def state(self) -> dict[int, dict]:
        """Every servo's state by its id."""
        return {servo["id"]: servo for servo in json.loads(self.ask("state"))["servos"]}

    def column(self, key: str) -> list:
        """One item of every servo's state."""
        return [servo[key] for servo in self.state().values()]

    def writes(self) -> Writes:
        return Writes(self)


class Arm:
    """Emulated servos, and whichever nodes drive them; `stop` ends all of it."""

    def __init__(self, folder: pathlib.Path, *emulator_arguments: str, config: pathlib.Path = CONFIG):
        self.port, socket_path = folder / "arm", folder / "arm.ctl"
        self.processes: list[Process] = []
        paths = ("--config", config, "--link", self.port, "--control", socket_path)
        self.emulator = self._start("servo_emulator", *paths, *emulator_arguments)
        self.emulator.wait_until(lambda: self.port.exists() and socket_path.exists(), "port and control were there")
        self.control = Control(socket_path)
        # Parameter files of the nodes; a later one has the last word.
        self.parameter_files = [CONFIG]
        self.hardware: Process
        self.controller: Process
        # In two processes; otherwise in that of the controllers.
        self.ik: Process

    def start(self, executable: str, *ros_arguments: str, **parameters: object) -> Process:
        """Starts a node on this arm's port, with parameters as on the command line."""
        # Controllers are tested on joints that are blocked for longer than an arm would let them push.
        settings = {"port": self.port, "watch.stall.action": "warn", **parameters}
        pairs = (("-p", f"{name.replace('__', '.')}:={text_of(value)}") for name, value in settings.items())
        words = [word for pair in pairs for word in pair]
        files = [word for path in self.parameter_files for word in ("--params-file", path)]
        return self._start(executable, "--ros-args", *files, *words, *ros_arguments)

    def start_nodes(self, shape: str, **parameters: object) -> None:
        """Starts the arm in one process, or in two."""
        if shape == "arm_node":
            self.hardware = self.controller = self.start("arm_node", **parameters)
        else:
            self.hardware = self.start("hardware_node", **parameters)
            self.controller = self.start("controller_node", **parameters)
            self.ik = self.start("ik_node", **parameters)

    def wait_until_holding(self) -> None:
        self.hardware.wait_for_line("Energizing -> Holding")

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.stop()

    def _start(self, name: str, *arguments: str | os.PathLike[str]) -> Process:
        process = Process(EXECUTABLES / name, *arguments)
        self.processes.append(process)
        return process


def text_of(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def parameter_file(folder: pathlib.Path, parameters: dict[str, dict]) -> pathlib.Path:
    """A parameter file for some nodes; JSON is YAML."""
    path = folder / "overlay.yaml"
    path.write_text(json.dumps({node: {"ros__parameters": values} for node, values in parameters.items()}))
    return path


class Client:
    """A ROS node in the test's own process, turned only while it waits for something."""

    _numbers = itertools.count()

    def __init__(self) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node(f"test_client_{next(self._numbers)}", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._service_clients: dict[str, object] = {}

    def close(self) -> None:
        import rclpy

        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def spin_until(self, condition: Callable[[], object], what: str = "the condition", timeout: float = 10.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"{timeout} s passed without {what}"
            self._executor.spin_once(timeout_sec=0.02)

    def spin_for(self, seconds: float) -> None:
        """For what must not happen: there is nothing to wait for."""
        end = time.monotonic() + seconds
        self.spin_until(lambda: end < time.monotonic(), timeout=seconds + 10.0)

    def wait_for(self, future, what: str, timeout: float = 10.0):
        self.spin_until(future.done, what, timeout)
        return future.result()

    def service(self, type, name: str):
        """A client of a service that is there."""
        if name not in self._service_clients:
            self._service_clients[name] = self.node.create_client(type, name)
        service = self._service_clients[name]
        self.spin_until(service.service_is_ready, f"service {name}")
        return service

    def call(self, type, name: str, timeout: float = 15.0, **fields):
        request = type.Request(**fields)
        return self.wait_for(self.service(type, name).call_async(request), f"an answer of {name}", timeout)

    def wait_until_obeyed(self) -> None:
        """Until the controllers know that the hardware does what they say."""
        from controller_manager_msgs.srv import ListHardwareComponents

        ask = lambda: self.call(ListHardwareComponents, "controller_manager/list_hardware_components")  # noqa: E731
        is_active = lambda: ask().component[0].state.label == "active"  # noqa: E731
        self.spin_until(is_active, "the controllers know that the hardware is active", timeout=60.0)

    @contextlib.contextmanager
    def heard(self, type, topic: str, qos: object = 1000) -> Iterator[list]:
        """The messages of a topic as they come; somebody publishes it already."""
        messages: list = []
        subscription = self.node.create_subscription(type, topic, messages.append, qos)
        try:
            self.spin_until(lambda: self.node.count_publishers(topic) > 0, f"a publisher of {topic}")
            yield messages
        finally:
            self.node.destroy_subscription(subscription)

    def next(self, type, topic: str, is_it: Callable[[object], bool] = lambda _: True, timeout: float = 10.0):
        """The next message of a topic that is the one looked for."""
        with self.heard(type, topic) as messages:
            self.spin_until(lambda: any(map(is_it, messages)), f"the message on {topic}", timeout)
            return next(filter(is_it, messages))

    @contextlib.contextmanager
    def publisher(self, type, topic: str) -> Iterator:
        """A publisher that somebody listens to."""
        publisher = self.node.create_publisher(type, topic, 10)
        try:
            self.spin_until(lambda: publisher.get_subscription_count() > 0, f"a subscriber of {topic}")
            yield publisher
        finally:
            self.node.destroy_publisher(publisher)


@dataclasses.dataclass(frozen=True)
class Result:
    """How a goal ended."""

    status: int
    code: int
    text: str


class Goal:
    """A goal that was accepted."""

    def __init__(self, client: Client, handle, feedback: list):
        self.client, self.handle, self.feedback = client, handle, feedback
        self._result = None

    def ask_for_result(self) -> None:
        self._result = self._result or self.handle.get_result_async()

    def result(self, timeout: float = 15.0) -> Result:
        self.ask_for_result()
        response = self.client.wait_for(self._result, "the goal's result", timeout)
        return Result(response.status, response.result.error_code, response.result.error_string)

    @property
    def ended(self) -> bool:
        """Whether the result has come; it was asked for."""
        return self._result is not None and self._result.done()

    def cancel(self):
        return self.client.wait_for(self.handle.cancel_goal_async(), "an answer to the cancel")


@dataclasses.dataclass(frozen=True)
class SentGoal:
    """A goal that may have been answered."""

    client: Client
    answer: object
    feedback: list

    def wait(self) -> Goal:
        handle = self.client.wait_for(self.answer, "an answer to the goal")
        assert handle.accepted
        return Goal(self.client, handle, self.feedback)


class Follow:
    """A client of the action."""

    def __init__(self, client: Client, name: str = FOLLOW):
        from control_msgs.action import FollowJointTrajectory
        from rclpy.action import ActionClient

        self.client = client
        self._type = FollowJointTrajectory
        self._action = ActionClient(client.node, FollowJointTrajectory, name)

    def wait_until_ready(self) -> None:
        self.client.spin_until(self._action.server_is_ready, "the action", timeout=20.0)

    def send(self, motion, **fields) -> Goal:
        """Sends a goal and asks for its result, so that this comes as soon as there is one."""
        goal = self.send_only(motion, **fields)
        goal.ask_for_result()
        return goal

    def send_only(self, motion, **fields) -> Goal:
        self.wait_until_ready()
        return self.send_later(motion, **fields).wait()

    def send_later(self, motion, **fields) -> SentGoal:
        """Sends a goal without waiting for the answer."""
        feedback: list = []
        message = self._type.Goal(trajectory=motion, **fields)
        sent = self._action.send_goal_async(message, feedback_callback=lambda said: feedback.append(said.feedback))
        return SentGoal(self.client, sent, feedback)

    def close(self) -> None:
        self._action.destroy()


def duration(seconds: float):
    from builtin_interfaces.msg import Duration

    return Duration(sec=math.floor(seconds), nanosec=round((seconds - math.floor(seconds)) * 1e9))


def trajectory(*points: tuple, joints: Sequence[str] = tuple(ARM_JOINTS), stamp=None):
    """A trajectory through `(seconds, positions)` or `(seconds, positions, velocities)`."""
    from builtin_interfaces.msg import Time
    from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

    message = JointTrajectory(joint_names=list(joints))
    message.header.stamp = stamp or Time()
    for seconds, positions, *velocities in points:
        point = JointTrajectoryPoint(time_from_start=duration(seconds), positions=[float(p) for p in positions])
        if velocities:
            point.velocities = [float(velocity) for velocity in velocities[0]]
        message.points.append(point)
    return message


def to(position: float, seconds: float):
    """Every joint of the arm to one position, smoothly."""
    return trajectory((seconds, [position] * 5, [0.0] * 5))


def tolerance(joint: str, position: float):
    from control_msgs.msg import JointTolerance

    return JointTolerance(name=joint, position=position)


class System:
    """An arm that holds and takes goals, and a client of it."""

    def __init__(self, arm: Arm, client: Client, shape: str):
        self.arm, self.client, self.shape = arm, client, shape
        self.control = arm.control
        self.follow = Follow(client)

    def wait_until_ready(self) -> None:
        """Until it takes goals, and (in two processes) the nodes have found each other."""
        from control_msgs.msg import JointTrajectoryControllerState

        self.arm.wait_until_holding()
        self.follow.wait_until_ready()
        self.client.next(JointTrajectoryControllerState, "arm_controller/controller_state", timeout=20.0)
        self.client.wait_until_obeyed()

    def move_to(self, position: float, seconds: float = 0.5) -> None:
        from action_msgs.msg import GoalStatus

        result = self.follow.send(to(position, seconds)).result()
        assert result.status == GoalStatus.STATUS_SUCCEEDED, result

    def wait_until_still(self, writes: Writes, id: int, still_for: int = 40) -> int:
        """The goal that a servo keeps; it is written every cycle."""
        writes.forget()
        self.client.spin_until(
            lambda: len(recent := writes.goals(id)[-still_for:]) == still_for and len(set(recent)) == 1,
            f"servo {id} was told the same {still_for} times",
        )
        return writes.goals(id)[-1]


@contextlib.contextmanager
def running(
    folder: pathlib.Path, shape: str, *emulator_arguments: str, overlay: dict | None = None, **parameters: object
) -> Iterator[System]:
    """An arm that holds and takes goals, until the block ends.

    `overlay` has parameters by node, `parameters` are those that every node is given.
    """
    with contextlib.ExitStack() as ends:
        client = Client()
        ends.callback(client.close)
        arm = Arm(folder, *emulator_arguments)
        ends.callback(arm.stop)
        if overlay:
            arm.parameter_files.append(parameter_file(folder, overlay))
        arm.start_nodes(shape, **parameters)
        system = System(arm, client, shape)
        system.wait_until_ready()
        yield system
