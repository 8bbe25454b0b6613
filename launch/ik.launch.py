"""Starts inverse kinematics beside an arm of any kind that publishes joint_states; arm.launch.py has them already."""

import pathlib

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

ARGUMENTS = [
    DeclareLaunchArgument(
        "robot",
        default_value="so101",
        description="The arm: the name of a parameter file in this package's config/, or the path of one",
    ),
    DeclareLaunchArgument(
        "robot_description", default_value="", description="Robot model as URDF text, instead of the file's `urdf`"
    ),
    DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node"),
]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list[Node]:
    given = context.launch_configurations
    robot, description = given["robot"], given["robot_description"]
    named = f"{get_package_share_directory('servo_arm')}/config/{robot}.yaml"
    file = robot if robot.endswith((".yaml", ".yml")) else named
    if not pathlib.Path(file).is_file():
        raise RuntimeError(f"robot:={robot}: there is no file {file}")
    return [
        Node(
            package="servo_arm",
            executable="ik_node",
            namespace=given["namespace"],
            parameters=[file, {"robot_description": ParameterValue(description, value_type=str)}],
            output="screen",
        )
    ]
