"""Starts inverse kinematics beside an arm of any kind that publishes joint_states; `arm_node` has them already."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    description = ParameterValue(LaunchConfiguration("robot_description"), value_type=str)
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "config",
                default_value=PathJoinSubstitution([FindPackageShare("servo_arm"), "config", "so101.yaml"]),
                description="Parameter file of the arm",
            ),
            DeclareLaunchArgument(
                "robot_description",
                default_value="",
                description="Robot model as URDF text, instead of the file's `urdf`",
            ),
            Node(
                package="servo_arm",
                executable="ik_node",
                parameters=[LaunchConfiguration("config"), {"robot_description": description}],
                output="screen",
            ),
        ]
    )
