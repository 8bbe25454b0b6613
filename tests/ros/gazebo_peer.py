"""Stands in for Gazebo behind ros_gz_bridge: its clock, its joints, its actuators, by the same ROS types.

Each joint goes to where it was told last, as a system of first order and no faster than it may. Time goes at a rate of
its own, stands still, or begins again with every joint at zero, as the simulation's does; a paused one goes on saying
where it is. What the test wants comes as lines on a socket, and each is answered.
"""

from __future__ import annotations

import argparse
import json
import math
import pathlib
import socket
import threading
import time

import rclpy
from actuator_msgs.msg import Actuators
from rclpy.executors import ExternalShutdownException
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState

# How quickly a joint follows (s), and how fast it may be (rad/s).
LAG = 0.01
FASTEST = 5.4
# A simulation that is paused goes on publishing (s).
PAUSED_PERIOD = 0.005


class Peer:
    """The simulation."""

    def __init__(self, options: argparse.Namespace):
        self.joints: list[str] = options.joints.split(",")
        self.published = [*self.joints[: options.publish], "base_fixed", "tool_fixed"]
        self.step, self.rate, self.paused, self.ended = options.step, options.rate, options.paused, False
        self.lock = threading.Lock()
        self.begin()
        rclpy.init()
        self.node = rclpy.create_node("ros_gz_bridge", namespace=options.namespace)
        newest = QoSProfile(depth=1)
        self.clocks = self.node.create_publisher(Clock, "/clock", newest)
        self.states = self.node.create_publisher(JointState, "gazebo/joint_states", newest)
        self.node.create_subscription(Actuators, "gazebo/actuators", self.on_actuators, 10)

    def begin(self) -> None:
        self.steps = 0
        self.positions = [0.0] * len(self.joints)
        self.velocities = [0.0] * len(self.joints)
        self.goals = [0.0] * len(self.joints)
        self.forget()

    def forget(self) -> None:
        """What was told of the actuators is noted from now on."""
        self.last: tuple[float, list[float]] | None = None
        self.told = 0
        self.lowest, self.highest = list(self.goals), list(self.goals)
        self.fastest = [0.0] * len(self.joints)

    def on_actuators(self, message: Actuators) -> None:
        with self.lock:
            positions = list(message.position)
            stamp = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
            self.told += 1
            self.goals = positions[: len(self.joints)]
            self.lowest = [min(pair) for pair in zip(self.lowest, self.goals)]
            self.highest = [max(pair) for pair in zip(self.highest, self.goals)]
            if self.last and self.last[0] < stamp:
                speeds = [abs(to - at) / (stamp - self.last[0]) for at, to in zip(self.last[1], positions)]
                self.fastest = [max(pair) for pair in zip(self.fastest, speeds)]
            self.last = (stamp, positions)

    def advance(self) -> None:
        self.steps += 1
        most = FASTEST * self.step
        share = 1.0 - math.exp(-self.step / LAG)
        for joint, (position, goal) in enumerate(zip(self.positions, self.goals)):
            gone = max(-most, min(most, share * (goal - position)))
            self.positions[joint] = position + gone
            self.velocities[joint] = gone / self.step

    def publish(self) -> None:
        clock = Clock()
        nanos = round(self.steps * self.step * 1e9)
        clock.clock.sec, clock.clock.nanosec = divmod(nanos, 1_000_000_000)
        known = dict(zip(self.joints, zip(self.positions, self.velocities)))
        state = JointState(name=self.published)
        state.header.stamp = clock.clock
        state.position = [known.get(name, (0.0, 0.0))[0] for name in self.published]
        state.velocity = [known.get(name, (0.0, 0.0))[1] for name in self.published]
        state.effort = [0.0] * len(self.published)
        self.clocks.publish(clock)
        self.states.publish(state)

    def run(self) -> None:
        """Steps at its rate; what it cannot keep up with is late, and not caught up, as with Gazebo."""
        due = time.monotonic()
        while not self.ended:
            with self.lock:
                if not self.paused:
                    self.advance()
                self.publish()
                period = PAUSED_PERIOD if self.paused else self.step / self.rate
            due = max(due + period, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))

    def obey(self, line: str) -> str:
        word, *rest = line.split()
        with self.lock:
            if word == "rate":
                self.rate = float(rest[0])
            elif word == "pause":
                self.paused = True
            elif word == "run":
                self.paused = False
            elif word == "reset":
                self.begin()
            elif word == "forget":
                self.forget()
            elif word == "publish-all":
                self.published = [*self.joints, "base_fixed", "tool_fixed"]
            elif word != "state":
                return f"error there is no {word}"
            names = ("positions", "goals", "told", "lowest", "highest", "fastest")
            return "ok " + json.dumps({"time": self.steps * self.step, **{name: getattr(self, name) for name in names}})

    def serve(self, path: pathlib.Path) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        while True:
            connection, _ = listener.accept()
            with connection, connection.makefile("rw") as lines:
                for line in lines:
                    lines.write(self.obey(line) + "\n")
                    lines.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--control", type=pathlib.Path, required=True)
    parser.add_argument("--joints", required=True)
    parser.add_argument("--publish", type=int, help="how many of the joints are published; all if not said")
    parser.add_argument("--step", type=float, default=0.004)
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--paused", action="store_true")
    parser.add_argument("--namespace", default="")
    peer = Peer(parser.parse_args())
    options = parser.parse_args()
    threading.Thread(target=peer.serve, args=(options.control,), daemon=True).start()
    stepping = threading.Thread(target=peer.run)
    stepping.start()
    try:
        rclpy.spin(peer.node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    peer.ended = True
    stepping.join()


if __name__ == "__main__":
    main()
