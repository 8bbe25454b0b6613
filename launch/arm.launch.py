"""Starts the arm: real servos by default, emulated ones with `sim:=emulator`."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, GroupAction
from launch.conditions import IfCondition
from launch.substitutions import EqualsSubstitution, LaunchConfiguration, NotEqualsSubstitution, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import ExecutableInPackage, FindPackageShare


def generate_launch_description() -> LaunchDescription:
    config = LaunchConfiguration("config")
    emulated_port = LaunchConfiguration("emulated_port")
    sim = LaunchConfiguration("sim")
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "config",
                default_value=PathJoinSubstitution([FindPackageShare("servo_arm"), "config", "so101.yaml"]),
                description="Parameter file of the arm",
            ),
            DeclareLaunchArgument(
                "port",
                default_value="/dev/ttyACM0",
                description="Serial port of the servo bus, or tcp://host:port of a serial server",
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
                description="Link to its port that the emulator makes, with sim:=emulator",
            ),
            Node(
                condition=IfCondition(NotEqualsSubstitution(sim, "emulator")),
                package="servo_arm",
                executable="arm_node",
                parameters=[config, {"port": LaunchConfiguration("port")}],
                output="screen",
            ),
            GroupAction(
                condition=IfCondition(EqualsSubstitution(sim, "emulator")),
                actions=[
                    ExecuteProcess(
                        cmd=[
                            ExecutableInPackage(package="servo_arm", executable="servo_emulator"),
                            *("--config", config, "--link", emulated_port, "--pace"),
                        ],
                        output="screen",
                    ),
                    # Comes back by itself when it was there before the emulator's port.
                    Node(
                        package="servo_arm",
                        executable="arm_node",
                        parameters=[config, {"port": emulated_port}],
                        output="screen",
                        respawn=True,
                        respawn_delay=1.0,
                    ),
                ],
            ),
        ]
    )
