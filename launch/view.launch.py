"""Shows a robot model in RViz, with a slider for each joint: no servos and no nodes of ours."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.conditions import IfCondition
from launch.substitutions import Command, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    share = FindPackageShare("servo_arm")
    description = ParameterValue(Command(["cat '", LaunchConfiguration("urdf"), "'"]), value_type=str)
    sliders = "joint_state_publisher_gui"
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "urdf",
                default_value=PathJoinSubstitution([share, "urdf", "so101.urdf"]),
                description="Robot model: the path of a URDF",
            ),
            DeclareLaunchArgument(
                "frame", default_value="base_link", description="Link of the model that does not move in the picture"
            ),
            DeclareLaunchArgument(
                "sliders", default_value="true", choices=["true", "false"], description="Whether there are joint sliders"
            ),
            DeclareLaunchArgument(
                "rviz", default_value="true", choices=["true", "false"], description="Whether RViz is started"
            ),
            Node(
                package="robot_state_publisher",
                executable="robot_state_publisher",
                parameters=[{"robot_description": description}],
                output="screen",
            ),
            Node(package=sliders, executable=sliders, condition=IfCondition(LaunchConfiguration("sliders"))),
            Node(
                package="rviz2",
                executable="rviz2",
                arguments=["-d", PathJoinSubstitution([share, "rviz", "arm.rviz"]), "-f", LaunchConfiguration("frame")],
                condition=IfCondition(LaunchConfiguration("rviz")),
                output="screen",
            ),
        ]
    )
