"""The launch files as `ros2 launch` starts them, on machines whose ROS has it: what comes up, moves, and is gone again."""

import contextlib
import importlib.util
import os
import pathlib
import shutil
import signal
from collections.abc import Iterator

import pytest

from arm import ARM_JOINTS, FOLLOW, JOINTS, Follow, to
from harness import ROOT, Process

HAS_LAUNCH = importlib.util.find_spec("launch_ros") is not None and shutil.which("ros2") is not None
pytestmark = pytest.mark.skipif(not HAS_LAUNCH, reason="launch_ros is not importable: this ROS has no launch")

# Known to every ROS tool by these names, whatever the namespace.
GLOBAL_TOPICS = {"/rosout", "/parameter_events", "/diagnostics", "/clock"}


@contextlib.contextmanager
def launched(file: str | pathlib.Path, *arguments: str) -> Iterator[Process]:
    """What a launch file starts; once the block is left by an interrupt, nothing of it may be left."""
    # Nobody but this test interrupts it: a terminal would interrupt all that it has started, too.
    ours = ["servo_arm", file, *arguments, *visible()]
    launch = Process("ros2", "launch", "--noninteractive", *(ours if isinstance(file, str) else [file]))
    try:
        yield launch
    finally:
        started = [launch.pid, *descendants(launch.pid)]
        # Long enough for launch to kill what does not listen.
        launch.stop(timeout=30)
    assert "sending signal 'SIGTERM'" not in launch.output, launch.output
    assert "Caught exception" not in launch.output, launch.output
    assert not list(filter(is_running, started)), launch.output


def has_package(name: str) -> bool:
    prefixes = filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(":"))
    return any(pathlib.Path(prefix, "share/ament_index/resource_index/packages", name).exists() for prefix in prefixes)


def visible() -> list[str]:
    return [] if has_package("robot_state_publisher") else ["state_publisher:=false"]


def descendants(pid: int) -> list[int]:
    """What a process has started, and what that has started; nothing of one that has ended."""
    children: list[int] = []
    for file in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            children += map(int, file.read_text().split())
    return children + [further for child in children for further in descendants(child)]


def is_running(pid: int) -> bool:
    return pathlib.Path(f"/proc/{pid}").exists()


def executables(launch: Process) -> list[str]:
    """What runs of this package."""
    paths = [os.readlink(f"/proc/{pid}/exe") for pid in descendants(launch.pid)]
    ours = {file.stem for file in (ROOT / "src/bin").glob("*.rs")}
    return sorted(name for name in map(os.path.basename, paths) if name in ours)


def positions(client, namespace: str = "") -> dict[str, float]:
    """Where the joints are now."""
    from sensor_msgs.msg import JointState

    # A joint that has not answered lately is left out.
    state = client.next(JointState, f"{namespace}/joint_states", lambda state: len(state.name) == len(JOINTS), 30.0)
    return dict(zip(state.name, state.position))


def move(client, target: float, namespace: str = "") -> None:
    """One motion of the whole arm."""
    with contextlib.closing(Follow(client, f"{namespace}/{FOLLOW}")) as follow:
        result = follow.send(to(target, 1.0)).result(timeout=30.0)
    assert result.code == 0, result


def wait_until_active(client, *nodes: str) -> None:
    from lifecycle_msgs.msg import State
    from lifecycle_msgs.srv import GetState

    for node in nodes:
        client.spin_until(
            lambda: client.call(GetState, f"{node}/get_state").current_state.id == State.PRIMARY_STATE_ACTIVE,
            f"{node} was active",
            timeout=30.0,
        )


def parameter(client, node: str, name: str):
    from rcl_interfaces.srv import GetParameters
    from rclpy.parameter import parameter_value_to_python

    [value] = client.call(GetParameters, f"{node}/get_parameters", names=[name]).values
    return parameter_value_to_python(value)


@pytest.mark.parametrize(
    ("composed", "processes"),
    [("true", ["arm_node"]), ("false", ["controller_node", "hardware_node", "ik_node"])],
    ids=["arm_node", "separate"],
)
def test_an_emulated_arm_comes_up_moves_and_is_ended_as_a_whole(client, tmp_path, composed: str, processes: list[str]):
    port = tmp_path / "arm"
    with launched("arm.launch.py", "sim:=emulator", f"composed:={composed}", f"emulated_port:={port}") as launch:
        launch.wait_for_line("Energizing -> Holding", timeout=60)
        assert port.exists()
        assert executables(launch) == sorted([*processes, "servo_emulator"])
        wait_until_active(client, "hardware_node", "arm_controller", "gripper_controller", "ik_node")
        assert set(positions(client)) == set(JOINTS)
        move(client, 0.3)
        assert all(abs(position - 0.3) < 0.1 for name, position in positions(client).items() if name in ARM_JOINTS)
    assert not port.exists()


LED_BY_LAUNCH = """
import launch, launch_ros
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition


def generate_launch_description():
    node = launch_ros.actions.LifecycleNode(
        package="servo_arm",
        executable="hardware_node",
        name="hardware_node",
        namespace="",
        output="screen",
        parameters=["{config}", {{"autostart": False, "port": "{port}"}}],
    )

    def change(transition):
        is_it = launch.events.matches_action(node)
        return launch.actions.EmitEvent(event=ChangeState(lifecycle_node_matcher=is_it, transition_id=transition))

    configured = launch_ros.event_handlers.OnStateTransition(
        target_lifecycle_node=node, goal_state="inactive", entities=[change(Transition.TRANSITION_ACTIVATE)]
    )
    return launch.LaunchDescription(
        [launch.actions.RegisterEventHandler(configured), node, change(Transition.TRANSITION_CONFIGURE)]
    )
"""


def test_a_managed_node_is_led_by_launch(client, start_emulator, tmp_path: pathlib.Path):
    arm = start_emulator()
    file = tmp_path / "led.launch.py"
    file.write_text(LED_BY_LAUNCH.format(config=ROOT / "config/so101.yaml", port=arm.port))
    with launched(file) as launch:
        launch.wait_for_line("Energizing -> Holding", timeout=60)
        wait_until_active(client, "hardware_node")


def test_an_arm_of_several_buses_comes_up_in_a_namespace(client, tmp_path: pathlib.Path):
    port = tmp_path / "arm"
    arguments = ("robot:=mixed", "sim:=emulator", "namespace:=lab/one", f"emulated_port:={port}")
    with launched("arm.launch.py", *arguments) as launch:
        launch.wait_for_line("Energizing -> Holding", timeout=60)
        assert set(positions(client, "/lab/one")) == set(JOINTS)
        assert parameter(client, "/lab/one/hardware_node", "bus.wrist.port") == f"{port}.wrist"


def test_port_calibration_model_and_log_level_reach_the_nodes(client, tmp_path: pathlib.Path):
    urdf, calibration, robot = (tmp_path / name for name in ("arm.urdf", "calibration.yaml", "arm.yaml"))
    shutil.copy(ROOT / "urdf/so101.urdf", urdf)
    shutil.copy(ROOT / "config/so101.yaml", robot)
    arguments = [f"robot:={robot}", f"urdf:={urdf}", f"calibration:={calibration}", f"port:={tmp_path}/none"]
    with launched("arm.launch.py", *arguments, "composed:=false", "log_level:=debug") as launch:
        launch.wait_for_line(f'hardware_node: parameter `calibration` is "{calibration}"', timeout=60)
        assert parameter(client, "/ik_node", "urdf") == str(urdf)
        launch.wait_for_line(r"\[DEBUG\].*\[(rcl|ik_node)\]")


def test_an_arm_that_does_not_start_ends_the_launch_and_says_why(ros_domain, tmp_path: pathlib.Path):
    with Process("ros2", "launch", "servo_arm", "arm.launch.py", f"port:={tmp_path}/none", *visible()) as launch:
        launch.wait(timeout=60)
        launch.wait_for_line(f"arm_node: cannot open port {tmp_path}/none: there is no such device")


def test_two_arms_share_nothing_but_what_every_ros_tool_knows(client):
    left, right = f"left_{os.getpid()}", f"right_{os.getpid()}"
    arguments = ("sim:=emulator", f"left_namespace:={left}", f"right_namespace:={right}")
    with launched("two_arms.launch.py", *arguments) as launch:
        for side in (left, right):
            launch.wait_for_line(rf"{side}.hardware_node.*Energizing -> Holding", timeout=60)
        before = positions(client, f"/{right}")
        move(client, 0.3, f"/{left}")
        after = positions(client, f"/{right}")
        assert all(abs(after[name] - before[name]) < 0.02 for name in JOINTS)
        topics = {name for name, _ in client.node.get_topic_names_and_types()}
        # Those of the test's own node are relative to no namespace.
        topics -= {name for name, _ in client.node.get_publisher_names_and_types_by_node(client.node.get_name(), "/")}
        assert {name for name in topics if not name.startswith((f"/{left}/", f"/{right}/"))} <= GLOBAL_TOPICS


def test_of_two_arms_one_goes_on_when_the_other_dies(client):
    left, right = f"left_{os.getpid()}", f"right_{os.getpid()}"
    arguments = ("sim:=emulator", f"left_namespace:={left}", f"right_namespace:={right}")
    with launched("two_arms.launch.py", *arguments) as launch:
        for side in (left, right):
            launch.wait_for_line(rf"{side}.hardware_node.*Energizing -> Holding", timeout=60)
        os.kill(next(pid for pid in descendants(launch.pid) if is_arm(pid, left)), signal.SIGKILL)
        launch.wait_for_line("process has died")
        move(client, 0.3, f"/{right}")


def is_arm(pid: int, namespace: str) -> bool:
    words = pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return words[0].endswith("arm_node") and f"__ns:=/{namespace}" in words


def test_isaac_sim_is_driven_by_the_controllers_alone(client):
    """The test is Isaac Sim: it has joint states, and its joints go where they are told."""
    from control_msgs.msg import JointTrajectoryControllerState
    from sensor_msgs.msg import JointState

    told = dict.fromkeys(JOINTS, 0.0)
    with launched("arm.launch.py", "sim:=isaac", "use_sim_time:=false") as launch:
        publisher = client.node.create_publisher(JointState, "joint_states", 10)

        def state() -> None:
            stamp = client.node.get_clock().now().to_msg()
            message = JointState(name=list(told), position=list(told.values()), velocity=[0.0] * len(told))
            message.header.stamp = stamp
            publisher.publish(message)

        timer = client.node.create_timer(0.01, state)
        client.node.create_subscription(
            JointState, "joint_commands", lambda command: told.update(zip(command.name, command.position)), 10
        )
        client.spin_until(
            lambda: client.node.count_subscribers("joint_states") >= 2 and client.node.count_publishers("joint_commands"),
            "controllers and kinematics",
            timeout=60.0,
        )
        assert executables(launch) == ["controller_node", "ik_node"]
        # The controllers have seen where the joints are.
        client.next(JointTrajectoryControllerState, "arm_controller/controller_state", timeout=30.0)
        move(client, 0.3)
        client.spin_until(lambda: all(abs(told[name] - 0.3) < 0.01 for name in ARM_JOINTS), "the end of the motion")
        timer.cancel()


@pytest.mark.skipif(not has_package("ros_gz_sim"), reason="ros_gz_sim is not installed: this ROS has no Gazebo")
def test_an_arm_in_gazebo_moves(client):
    with launched("gazebo.launch.py", "gui:=false") as launch:
        launch.wait_for_line("-> Holding", timeout=90)
        move(client, 0.3)
        assert all(abs(position - 0.3) < 0.1 for name, position in positions(client).items() if name in ARM_JOINTS)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("robot:=so102", r"robot:=so102: there is no file .*so102.yaml; give the path of one, or one of .*so101"),
        ("robot:=nowhere/arm.yaml", "there is no file nowhere/arm.yaml"),
        ("sim:=dream", "dream"),
        ("composed:=maybe", "maybe"),
    ],
)
def test_a_wrong_argument_starts_nothing_and_says_what_would_be_right(ros_domain, argument: str, said: str):
    with Process("ros2", "launch", "servo_arm", "arm.launch.py", argument) as launch:
        assert launch.wait(timeout=60) != 0
        launch.wait_for_line(said)
    assert "process started" not in launch.output
