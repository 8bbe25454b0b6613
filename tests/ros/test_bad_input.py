"""Bad input gets one line that names it, and nothing moves: goals, trajectories, commands, and starts."""

import math
import pathlib
import re
import subprocess

import pytest

from arm import ARM_JOINTS, CONFIG, to, tolerance, trajectory
from harness import EXECUTABLES, ROOT

pytest.importorskip("rclpy", reason="rclpy is not importable")

from action_msgs.msg import GoalStatus  # noqa: E402
from control_msgs.action import FollowJointTrajectory  # noqa: E402
from rcl_interfaces.msg import Log  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402
from trajectory_msgs.msg import JointTrajectory  # noqa: E402

Code = FollowJointTrajectory.Result
FIVE = [0.1] * 5


def wide(position: float, joint: str = "wrist_roll") -> list[float]:
    return [position if name == joint else 0.1 for name in ARM_JOINTS]


# A trajectory, the code that refuses it, and what the refusal must name.
BAD_TRAJECTORIES = {
    "a NaN position": (lambda: trajectory((1.0, wide(math.nan))), Code.INVALID_GOAL, "wrist_roll.*NaN"),
    "an infinite position": (lambda: trajectory((1.0, wide(math.inf))), Code.INVALID_GOAL, "wrist_roll.*inf"),
    "an infinite velocity": (
        lambda: trajectory((1.0, FIVE, wide(math.inf)), (2.0, FIVE, [0.0] * 5)),
        Code.INVALID_GOAL,
        "velocities.*wrist_roll.*#0.*inf",
    ),
    "an unknown joint": (lambda: trajectory((1.0, [0.1]), joints=["elbow"]), Code.INVALID_JOINTS, "elbow .*elbow_flex"),
    "a joint twice": (
        lambda: trajectory((1.0, [0.1, 0.2]), joints=["wrist_roll", "wrist_roll"]),
        Code.INVALID_JOINTS,
        "wrist_roll.*twice",
    ),
    "too few positions": (lambda: trajectory((1.0, [0.1] * 4)), Code.INVALID_GOAL, r"\(5\).*positions \(4\).*#0"),
    "too many velocities": (
        lambda: trajectory((1.0, FIVE, [0.0] * 7)),
        Code.INVALID_GOAL,
        r"\(5\).*velocities \(7\).*#0",
    ),
    "times that stand still": (
        lambda: trajectory((1.0, FIVE), (1.0, FIVE)),
        Code.INVALID_GOAL,
        "Time between points 0 and 1 is not strictly increasing",
    ),
    "a negative time": (lambda: trajectory((-1.0, FIVE)), Code.INVALID_GOAL, "point #0.*-1"),
    "a position outside the travel": (
        lambda: trajectory((1.0, wide(3.0))),
        Code.INVALID_GOAL,
        r"wrist_roll.*3\.0000.*2\.8412",
    ),
    "an end in motion": (
        lambda: trajectory((1.0, FIVE, [0.0, 0.0, 0.0, 0.0, 0.5])),
        Code.INVALID_GOAL,
        "Velocity of last trajectory point of joint wrist_roll is not zero: 0.5",
    ),
    "a point without positions": (lambda: trajectory((1.0, [])), Code.INVALID_GOAL, "no position, velocity, or acceleration.*#0"),
    "no joint names": (lambda: trajectory((1.0, []), joints=[]), Code.INVALID_JOINTS, "Empty joint names"),
}
bad_trajectory = pytest.mark.parametrize("case", BAD_TRAJECTORIES)


@pytest.fixture(scope="module")
def writes(shared):
    """What is written from here on. No test of this module may move anything."""
    with shared.control.writes() as writes:
        yield writes


@pytest.fixture(autouse=True)
def nothing_moves(request: pytest.FixtureRequest):
    """Every servo of the shared arm was told one and the same goal, before the test and well after it."""
    yield
    if "shared" not in request.fixturenames:
        return
    shared, writes = request.getfixturevalue("shared"), request.getfixturevalue("writes")
    cycles = len(writes.goals(1))
    shared.client.spin_until(lambda: len(writes.goals(1)) > cycles + 10, "further cycles")
    assert all(len(goals) == 1 for goals in writes.distinct_goals().values()), writes.distinct_goals()


@bad_trajectory
def test_a_bad_goal_is_aborted_with_a_text_that_names_what_is_wrong(shared, writes, case: str):
    make, code, pattern = BAD_TRAJECTORIES[case]
    result = shared.follow.send(make()).result()
    assert (result.status, result.code) == (GoalStatus.STATUS_ABORTED, code)
    assert matches(pattern, result.text), result.text
    assert "\n" not in result.text


@bad_trajectory
def test_a_bad_trajectory_from_the_topic_is_logged_with_what_is_wrong(shared, writes, case: str):
    make, _, pattern = BAD_TRAJECTORIES[case]
    seen = len(shared.arm.controller.lines)
    with shared.client.publisher(JointTrajectory, "arm_controller/joint_trajectory") as publisher:
        publisher.publish(make())
        wait_for_new_line(shared, shared.arm.controller, seen, f"topic refused.*{pattern}")


def test_a_refusal_is_on_rosout_too(shared, writes):
    with shared.client.heard(Log, "/rosout") as logs:
        with shared.client.publisher(JointTrajectory, "arm_controller/joint_trajectory") as publisher:
            publisher.publish(trajectory((1.0, [0.1]), joints=["elbow"]))
            said = lambda: any("elbow" in log.msg and "refused" in log.msg for log in logs)  # noqa: E731
            shared.client.spin_until(said, "the refusal on /rosout")


@pytest.mark.parametrize("field", ["path_tolerance", "goal_tolerance"])
def test_a_tolerance_for_an_unknown_joint_is_refused_by_name(shared, writes, field: str):
    result = shared.follow.send(to(0.1, 1.0), **{field: [tolerance("elbow", 0.1)]}).result()
    assert result.status == GoalStatus.STATUS_ABORTED
    assert "elbow" in result.text


def test_a_bad_tolerance_is_refused_by_its_joint_and_value(shared, writes):
    result = shared.follow.send(to(0.1, 1.0), path_tolerance=[tolerance("wrist_roll", -0.5)]).result()
    assert (result.status, result.code) == (GoalStatus.STATUS_ABORTED, Code.INVALID_GOAL)
    assert "wrist_roll" in result.text and "-0.5" in result.text


# Only hardware_node takes joint_commands.
@pytest.mark.parametrize("shared", ["separate"], indirect=True)
@pytest.mark.parametrize(
    ("names", "positions", "pattern"),
    [
        (["gripper"], [math.nan], "gripper.*NaN"),
        (["gripper"], [-math.inf], "gripper.*-inf"),
        (["elbow"], [0.1], "elbow.*elbow_flex"),
        (["elbow_flex", "gripper"], [0.1], "2 joints.*1 positions"),
    ],
    ids=["NaN", "infinity", "unknown joint", "sizes"],
)
def test_a_bad_command_to_the_hardware_is_logged_and_not_obeyed(shared, writes, names, positions, pattern):
    seen = len(shared.arm.hardware.lines)
    with shared.client.publisher(JointState, "joint_commands") as publisher:
        publisher.publish(JointState(name=names, position=positions))
        wait_for_new_line(shared, shared.arm.hardware, seen, f"joint_commands.*{pattern}")


def test_joints_may_not_be_left_out_where_that_is_not_allowed(run_arm):
    system = run_arm("arm_node", allow_partial_joints_goal=False)
    result = system.follow.send(trajectory((1.0, [0.1]), joints=["elbow_flex"])).result()
    assert result.code == Code.INVALID_JOINTS
    assert result.text.startswith("Joints on incoming trajectory don't match the controller joints")
    assert "wrist_roll" in result.text


# Starts.


def bad_start(*arguments: object, executable: str = "arm_node") -> str:
    """Starts a node that must not come up; gives the one line on stderr."""
    command = [EXECUTABLES / executable, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=20)
    assert ended.returncode not in (0, 101) and ended.returncode > 0, ended
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert ended.stdout == ""
    return lines[0]


def given(**parameters: object) -> list[str]:
    """The shipped configuration with parameters of our own."""
    pairs = [("-p", f"{name}:={value}") for name, value in parameters.items()]
    return ["--ros-args", "--params-file", str(CONFIG), *(word for pair in pairs for word in pair)]


@pytest.fixture
def silent_arm(start_emulator):
    """Emulated servos; at the end of the test nobody must have written anything to them."""
    arm = start_emulator()
    with arm.control.writes() as writes:
        yield arm
        assert not [write for write in writes.all() if write.address >= 40]


@pytest.mark.parametrize("executable", ["arm_node", "hardware_node"])
def test_an_absent_port_is_named(ros_domain, tmp_path: pathlib.Path, executable: str):
    line = bad_start(*given(port=tmp_path / "nowhere"), executable=executable)
    assert str(tmp_path / "nowhere") in line and "no such device" in line


def test_a_busy_port_is_named(run_arm):
    system = run_arm("arm_node")
    with system.control.writes() as writes:
        line = bad_start(*given(port=system.arm.port))
        assert str(system.arm.port) in line and "another program is using it" in line
        assert all(len(goals) == 1 for goals in writes.distinct_goals().values())
    system.move_to(0.1)


def test_every_missing_servo_is_named_with_its_id(start_emulator, tmp_path: pathlib.Path):
    smaller = tmp_path / "smaller.yaml"
    text = CONFIG.read_text().replace("[shoulder_pan, shoulder_lift, elbow_flex, wrist_flex, wrist_roll, gripper]",
                                      "[shoulder_pan, shoulder_lift, elbow_flex, wrist_roll, gripper]")  # fmt: skip
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("wrist_flex:")]
    smaller.write_text("\n".join(lines))
    arm = start_emulator(config=smaller)
    line = bad_start(*given(port=arm.port))
    assert "`wrist_flex` (id 4)" in line and "`gripper` (id 6) answered" in line


def test_malformed_yaml_is_named_with_file_and_line(silent_arm, tmp_path: pathlib.Path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("hardware_node:\n  ros__parameters:\n    port: [1, 2\n    baud_rate_bps: 3\n")
    line = bad_start("--ros-args", "--params-file", bad, "-p", f"port:={silent_arm.port}")
    assert str(bad) in line and matches("line [345]", line)


def test_an_unknown_parameter_is_named_with_the_one_that_was_meant(silent_arm):
    line = bad_start(*given(port=silent_arm.port, torque_on_strat=True))
    assert "`torque_on_strat`" in line and "`torque_on_start`" in line


def test_a_parameter_of_the_wrong_type_is_named(silent_arm):
    line = bad_start(*given(port=silent_arm.port, update_rate_hz="fast"))
    assert "`update_rate_hz`" in line and "fast" in line


def test_a_missing_parameter_file_is_named(ros_domain, tmp_path: pathlib.Path):
    line = bad_start("--ros-args", "--params-file", tmp_path / "nowhere.yaml")
    assert str(tmp_path / "nowhere.yaml") in line


def test_a_missing_port_parameter_is_named(ros_domain, tmp_path: pathlib.Path):
    config = tmp_path / "portless.yaml"
    lines = CONFIG.read_text().splitlines()
    config.write_text("\n".join(line for line in lines if not line.startswith("    port:")))
    line = bad_start("--ros-args", "--params-file", config)
    assert "`port`" in line


def test_a_malformed_urdf_is_named_with_file_and_element(silent_arm, tmp_path: pathlib.Path):
    bad = tmp_path / "bad.urdf"
    bad.write_text('<robot name="x">\n<link name="a">\n</robot>\n')
    line = bad_start(*given(port=silent_arm.port, urdf=bad))
    assert str(bad) in line and "link `a`" in line


def test_a_urdf_without_a_joint_is_told_which(silent_arm, tmp_path: pathlib.Path):
    other = tmp_path / "other.urdf"
    other.write_text((ROOT / "urdf/so101.urdf").read_text().replace('"wrist_flex"', '"wrist_bend"'))
    line = bad_start(*given(port=silent_arm.port, urdf=other))
    assert "`wrist_flex`" in line and "wrist_bend" in line


def test_an_absent_urdf_is_named(silent_arm, tmp_path: pathlib.Path):
    line = bad_start(*given(port=silent_arm.port, urdf=tmp_path / "nowhere.urdf"))
    assert str(tmp_path / "nowhere.urdf") in line


@pytest.mark.parametrize("executable", ["arm_node", "hardware_node", "controller_node"])
def test_a_bad_ros_argument_is_named(ros_domain, executable: str):
    line = bad_start("--ros-args", "-p", "port", executable=executable)
    assert "port" in line


def matches(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


def wait_for_new_line(system, process, seen: int, pattern: str) -> None:
    """A line that was not there before the first `seen`."""
    system.client.spin_until(
        lambda: any(matches(pattern, line) for line in process.lines[seen:]),
        f"a line with {pattern!r} after {process.lines[seen:]}",
    )
