"""Starts the arm: real servos by default, emulated ones with `sim:=emulator`."""

import pathlib
import tempfile

import yaml
from launch import Action, LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import ExecutableInPackage, FindPackageShare


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "config",
                default_value=PathJoinSubstitution([FindPackageShare("servo_arm"), "config", "so101.yaml"]),
                description="Parameter file of the arm",
            ),
            DeclareLaunchArgument(
                "port",
                default_value="",
                description="Serial port of the only servo bus, or tcp://host:port of a serial server; as the file says it",
            ),
            DeclareLaunchArgument(
                "sim",
                default_value="none",
                choices=["none", "emulator"],
                description="What stands in for the servos: none, or the byte-exact emulator",
            ),
            DeclareLaunchArgument(
                "emulated_port",
                default_value="/tmp/servo_arm",
                description="Link to its port that the emulator makes, with sim:=emulator; of several buses, what links begin with",
            ),
            OpaqueFunction(function=start),
        ]
    )


def start(context: LaunchContext) -> list[Action]:
    config, port, link = (context.launch_configurations[name] for name in ("config", "port", "emulated_port"))
    if context.launch_configurations["sim"] != "emulator":
        return [arm_node(config, {"port": port} if port else {})]
    buses = buses_of(pathlib.Path(config))
    emulator = ExecuteProcess(
        cmd=[
            ExecutableInPackage(package="servo_arm", executable="servo_emulator"),
            *("--config", config, "--link", link, "--pace"),
        ],
        output="screen",
    )
    ports = {f"bus.{bus}.port": f"{link}.{bus}" for bus in buses} or {"port": link}
    # Comes back by itself when it was there before the emulator's port.
    return [emulator, arm_node(config, ports, respawn=True, respawn_delay=1.0)]


def arm_node(config: str, ports: dict[str, str], **options: object) -> Node:
    parameters = [config, file_of(ports)] if ports else [config]
    return Node(package="servo_arm", executable="arm_node", parameters=parameters, output="screen", **options)


def file_of(ports: dict[str, str]) -> str:
    """A parameter file for the hardware alone: other nodes of the process know of no ports."""
    with tempfile.NamedTemporaryFile("w", prefix="servo_arm_ports_", suffix=".yaml", delete=False) as file:
        yaml.safe_dump({"hardware_node": {"ros__parameters": ports}}, file)
    return file.name


def buses_of(config: pathlib.Path) -> list[str]:
    """The names of the buses of an arm that has several."""
    nodes = yaml.safe_load(config.read_text()).values()
    return [bus for node in nodes for bus in node.get("ros__parameters", {}).get("buses", [])]
