"""Starts two arms side by side, each in a namespace of its own: topics, services, actions and transforms are separate."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

# What both arms have in common goes on to arm.launch.py, which describes it.
COMMON = {"sim": "none", "composed": "true", "rviz": "false", "state_publisher": "true", "log_level": "info"}


def generate_launch_description() -> LaunchDescription:
    common = [
        DeclareLaunchArgument(name, default_value=value, description=f"`{name}` of arm.launch.py, for both arms")
        for name, value in COMMON.items()
    ]
    return LaunchDescription([*common, *arm("left"), *arm("right")])


def arm(side: str) -> list:
    arguments = [
        DeclareLaunchArgument(f"{side}_namespace", default_value=side, description=f"Namespace of the {side} arm"),
        DeclareLaunchArgument(
            f"{side}_robot",
            default_value="so101",
            description=f"The {side} arm: the name of a parameter file in config/, or the path of one",
        ),
        DeclareLaunchArgument(
            f"{side}_port", default_value="", description=f"Serial port of the {side} arm; as its parameter file says"
        ),
        DeclareLaunchArgument(
            f"{side}_calibration",
            default_value="",
            description=f"File of `servo_tool calibrate` for the {side} arm; as its parameter file says",
        ),
    ]
    own = {name: LaunchConfiguration(f"{side}_{name}") for name in ("namespace", "robot", "port", "calibration")}
    # An arm goes on when the other one does not.
    shared = {"required": "false", **{name: LaunchConfiguration(name) for name in COMMON}}
    file = PathJoinSubstitution([FindPackageShare("servo_arm"), "launch", "arm.launch.py"])
    include = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(file), launch_arguments={**own, **shared}.items()
    )
    # In a scope of its own, the arguments of one arm are not those of the other.
    return [*arguments, GroupAction([include])]
