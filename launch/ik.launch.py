"""Starts inverse kinematics beside an arm of any kind that publishes joint_states; arm.launch.py has them already."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PythonExpression
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    robot, description = LaunchConfiguration("robot"), LaunchConfiguration("robot_description")
    named = [FindPackageShare("servo_arm"), "/config/", robot, ".yaml"]
    file = PythonExpression(["'", robot, "' if '", robot, "'.endswith(('.yaml', '.yml')) else '", *named, "'"])
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "robot",
                default_value="so101",
                description="The arm: the name of a parameter file in this package's config/, or the path of one",
            ),
            DeclareLaunchArgument(
                "robot_description",
                default_value="",
                description="Robot model as URDF text, instead of the file's `urdf`",
            ),
            DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node"),
            Node(
                package="servo_arm",
                executable="ik_node",
                namespace=LaunchConfiguration("namespace"),
                parameters=[file, {"robot_description": ParameterValue(description, value_type=str)}],
                output="screen",
            ),
        ]
    )
