"""Starts an arm: its servos, or with `sim` emulated ones, Gazebo or Isaac Sim; its nodes in one process or in several."""

from __future__ import annotations

import json
import os
import pathlib
import shlex

import yaml
from ament_index_python.packages import get_package_share_directory
from launch import Action, LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnProcessIO
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.logging import launch_config
from launch.substitutions import Command
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import ExecutableInPackage
from launch_ros.utilities import make_namespace_absolute, prefix_namespace

ARGUMENTS = [
    DeclareLaunchArgument(
        "robot",
        default_value="so101",
        description="The arm: the name of a parameter file in this package's config/, or the path of one",
    ),
    DeclareLaunchArgument(
        "urdf",
        default_value="",
        description="Robot model instead of the parameter file's: a path, or package://PACKAGE/PATH",
    ),
    DeclareLaunchArgument(
        "sim",
        default_value="none",
        choices=["none", "emulator", "gazebo", "isaac"],
        description="What stands in for the servos: none; the byte-exact emulator; Gazebo, which is started, too; "
        "Isaac Sim, which is to run already, publishes joint_states and obeys joint_commands",
    ),
    DeclareLaunchArgument(
        "composed",
        default_value="true",
        choices=["true", "false"],
        description="Whether all nodes run in one process (arm_node), or hardware, controllers and kinematics in three",
    ),
    DeclareLaunchArgument(
        "namespace",
        default_value="",
        description="Namespace of everything that is started; /tf and /tf_static are then tf and tf_static in it",
    ),
    DeclareLaunchArgument(
        "port",
        default_value="",
        description="Serial port of the only servo bus, or tcp://HOST:PORT of a serial server; as the parameter file says",
    ),
    DeclareLaunchArgument(
        "calibration",
        default_value="",
        description="File of `servo_tool calibrate`; as the parameter file says",
    ),
    DeclareLaunchArgument(
        "emulated_port",
        default_value="",
        description="Link to its port that the emulator makes, of several buses what links begin with; "
        "/tmp/servo_arm, with the namespace behind it",
    ),
    DeclareLaunchArgument(
        "world",
        default_value="",
        description="World of Gazebo: the path of an SDF file instead of this package's worlds/servo_arm.sdf",
    ),
    DeclareLaunchArgument(
        "gui",
        default_value="true",
        choices=["true", "false"],
        description="Whether Gazebo has a window; false: only its server runs",
    ),
    DeclareLaunchArgument(
        "rviz",
        default_value="false",
        choices=["true", "false"],
        description="Whether RViz is started",
    ),
    DeclareLaunchArgument(
        "state_publisher",
        default_value="true",
        choices=["true", "false"],
        description="Whether robot_state_publisher is started, which publishes robot_description and the transforms",
    ),
    DeclareLaunchArgument(
        "required",
        default_value="true",
        choices=["true", "false"],
        description="Whether everything ends when arm_node, the emulator or Gazebo does",
    ),
    DeclareLaunchArgument(
        "use_sim_time",
        default_value="",
        choices=["", "true", "false"],
        description="Whether time comes from /clock; with Gazebo and Isaac Sim it does, unless this is false",
    ),
    DeclareLaunchArgument(
        "log_level",
        default_value="info",
        choices=["debug", "info", "warn", "error", "fatal"],
        description="From which level on the arm's nodes log",
    ),
]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list[Action]:
    given = dict(context.launch_configurations)
    robot = robot_file(given["robot"])
    namespace = make_namespace_absolute(prefix_namespace(given.get("ros_namespace"), given["namespace"])) or "/"
    # Frames of two arms have the same names, and so each arm in a namespace has transforms of its own.
    common = {"namespace": namespace, "remappings": [("/tf", "tf"), ("/tf_static", "tf_static")], "output": "screen"}
    time = set_to({"use_sim_time": uses_sim_time(given)})
    return [*arm(given, robot, common, time), *seen(given, robot, common, time)]


def arm(given: dict[str, str], robot: pathlib.Path, common: dict, time: list[str]) -> list[Action]:
    """The arm's nodes, and what stands in for its servos."""
    sim = given["sim"]
    of_all = {"urdf": given["urdf"]} if given["urdf"] else {}
    of_hardware = of_all | {f"hardware_node:{name}": given[name] for name in ("port", "calibration") if given[name]}
    ports = ports_of(robot, link_of(given))
    if sim == "emulator":
        of_hardware |= {f"hardware_node:{name}": port for name, port in ports.items()}
    if sim == "gazebo":
        of_hardware["hardware_node:backend"] = "gazebo"

    def node(executable: str, parameters: dict[str, str] = of_all, **options: object) -> Node:
        # What comes later counts.
        arguments = ["--params-file", str(robot), *time, *set_to(parameters), "--log-level", given["log_level"]]
        return Node(package="servo_arm", executable=executable, ros_arguments=arguments, **options, **common)

    if sim == "isaac":
        return [node("controller_node"), node("ik_node")]
    if given["composed"] == "true":
        nodes = [node("arm_node", of_hardware, on_exit=at_the_end_of("arm_node", given))]
    else:
        nodes = [node("hardware_node", of_hardware), node("controller_node"), node("ik_node")]
    if sim == "emulator":
        return emulated(given, robot, [*ports.values()][-1], nodes)
    if sim == "gazebo":
        return [*simulated(given, robot, common, time), *nodes]
    return nodes


def emulated(given: dict[str, str], robot: pathlib.Path, last_port: str, nodes: list[Node]) -> list[Action]:
    """The emulator, and the nodes once it has said that its last port is there."""
    emulator = ExecuteProcess(
        cmd=[
            ExecutableInPackage(package="servo_arm", executable="servo_emulator"),
            *("--config", str(robot), "--link", link_of(given), "--pace"),
        ],
        output="screen",
        on_exit=at_the_end_of("the emulator", given),
    )
    ready = OnProcessIO(target_action=emulator, on_stdout=lambda said: nodes if last_port in said.text.decode() else None)
    return [RegisterEventHandler(ready), emulator]


def simulated(given: dict[str, str], robot: pathlib.Path, common: dict, time: list[str]) -> list[Action]:
    """Gazebo with the arm in it, and the bridge to it. The nodes wait for both."""
    tool = [ExecutableInPackage(package="servo_arm", executable="servo_tool"), " gazebo"]
    # Beside the log of this launch, where nothing else has these names.
    folder = launch_config.log_dir
    options = ["--config", str(robot), "--out", folder]
    options += [word for name in ("urdf", "world") if given[name] for word in (f"--{name}", given[name])]
    written = Command([*tool, "".join(f" {shlex.quote(option)}" for option in options)])
    world = os.path.join(folder, "servo_arm.sdf")
    arguments = f"-r{'' if given['gui'] == 'true' else ' -s'} {world}"
    gazebo = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(path_of("package://ros_gz_sim/launch/gz_sim.launch.py")),
        launch_arguments={"gz_args": arguments, "on_exit_shutdown": given["required"]}.items(),
    )
    bridge = Node(
        package="ros_gz_bridge",
        executable="parameter_bridge",
        # Pauses, resets and steps the world.
        arguments=["/world/servo_arm/control@ros_gz_interfaces/srv/ControlWorld"],
        parameters=[{"config_file": path_of("package://servo_arm/config/gazebo_bridge.yaml")}],
        ros_arguments=time,
        **common,
    )
    return [LogInfo(msg=[f"Gazebo's world is {world} ", written]), gazebo, bridge]


def seen(given: dict[str, str], robot: pathlib.Path, common: dict, time: list[str]) -> list[Action]:
    """What makes the arm visible."""
    nodes = []
    if given["state_publisher"] == "true":
        text = pathlib.Path(path_of(given["urdf"] or urdf_of(robot))).read_text()
        description = {"robot_description": ParameterValue(text, value_type=str)}
        package = executable = "robot_state_publisher"
        nodes.append(Node(package=package, executable=executable, parameters=[description], ros_arguments=time, **common))
    if given["rviz"] == "true":
        view = ["-d", path_of("package://servo_arm/rviz/arm.rviz")]
        nodes.append(Node(package="rviz2", executable="rviz2", arguments=view, ros_arguments=time, **common))
    return nodes


def at_the_end_of(name: str, given: dict[str, str]) -> list[Action] | None:
    # An empty list is what launch fails with.
    return [Shutdown(reason=f"{name} has ended")] if given["required"] == "true" else None


def uses_sim_time(given: dict[str, str]) -> bool:
    return given["use_sim_time"] == "true" or (given["use_sim_time"] == "" and given["sim"] in ("gazebo", "isaac"))


def set_to(parameters: dict[str, object]) -> list[str]:
    """ROS arguments for parameters. A text is quoted, so that none is taken for a number."""
    return [word for name, value in parameters.items() for word in ("-p", f"{name}:={json.dumps(value)}")]


def robot_file(robot: str) -> pathlib.Path:
    """The parameter file that `robot` names."""
    folder = pathlib.Path(get_package_share_directory("servo_arm")) / "config"
    path = pathlib.Path(robot) if robot.endswith((".yaml", ".yml")) else folder / f"{robot}.yaml"
    if not path.is_file():
        files = [file for file in sorted(folder.glob("*.yaml")) if said_by(file, "joints")]
        names = ", ".join(file.stem for file in files)
        raise RuntimeError(f"robot:={robot}: there is no file {path}; give the path of one, or one of {names}")
    return path


def link_of(given: dict[str, str]) -> str:
    return given["emulated_port"] or "_".join(["/tmp/servo_arm", *filter(None, given["namespace"].split("/"))])


def ports_of(robot: pathlib.Path, link: str) -> dict[str, str]:
    """Where the emulator has the buses: the hardware's parameters."""
    buses = said_by(robot, "buses") or []
    return {f"bus.{bus}.port": f"{link}.{bus}" for bus in buses} or {"port": link}


def urdf_of(robot: pathlib.Path) -> str:
    urdf = said_by(robot, "urdf")
    if urdf is None:
        raise RuntimeError(f"{robot} has no `urdf`: give urdf:=FILE, or state_publisher:=false")
    return urdf


def said_by(robot: pathlib.Path, name: str) -> object:
    """What a parameter file gives to any node under this name; nothing, where it is another file."""
    file = yaml.safe_load(robot.read_text())
    nodes = file.values() if isinstance(file, dict) else []
    return next((node["ros__parameters"][name] for node in nodes if name in node.get("ros__parameters", {})), None)


def path_of(resource: str) -> str:
    """The path that a path or package://PACKAGE/PATH means."""
    if not resource.startswith("package://"):
        return resource
    package, _, path = resource.removeprefix("package://").partition("/")
    return f"{get_package_share_directory(package)}/{path}"
