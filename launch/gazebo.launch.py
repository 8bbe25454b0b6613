"""Starts an arm in Gazebo: the simulator, the bridge to it, and the arm's nodes. The same as arm.launch.py sim:=gazebo."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

ARGUMENTS = {
    "robot": ("so101", "The arm: the name of a parameter file in this package's config/, or the path of one"),
    "world": ("", "An SDF file instead of this package's worlds/servo_arm.sdf"),
    "gui": ("true", "Whether Gazebo has a window; false: only its server runs"),
    "rviz": ("false", "Whether RViz is started"),
}


def generate_launch_description() -> LaunchDescription:
    arm = PathJoinSubstitution([FindPackageShare("servo_arm"), "launch", "arm.launch.py"])
    own = {name: LaunchConfiguration(name) for name in ARGUMENTS}
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, (default, description) in ARGUMENTS.items()
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(arm), launch_arguments={**own, "sim": "gazebo"}.items()
            ),
        ]
    )
