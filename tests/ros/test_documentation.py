"""Every command in the documentation is run, here or by a test that is named here, or it is said what it needs.

The commands are those that follow a `$` in blocks of the kind `console`.
"""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from harness import EXECUTABLES, ROOT, Process
from test_parity_table import exists

DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "*/README.md")
    for path in ROOT.glob(pattern)
    if not {"target", ".ros2"} & set(path.relative_to(ROOT).parts)
)

HERE = "run by this file"
HARDWARE = "needs servos, and hands"
CHANGES_THE_MACHINE = "installs packages, or changes settings of the machine"
# Its words and options are held against `run` here, so that none is wrong.
LONG = "takes minutes"
# Seen by hand: there is no package of it where the tests run.
GAZEBO = "needs Gazebo"
WINDOW = "needs RViz and a screen"
# Continuous integration runs these as steps of their own.
WORKFLOW = "run by .github/workflows/ci.yml"

# The first pattern that is a whole command says how it is run: one of the above, or by a test of that name.
RUN_BY = [
    (r"\./run (demo|plot)\b.*", WORKFLOW),
    (r"\./run test( \w+)?", WORKFLOW),
    (r"\./run bench .*", LONG),
    (r"\./run shell -- cargo clippy --all-targets", WORKFLOW),
    (r"cargo test --no-default-features", WORKFLOW),
    (r"\./run shell -- arm_node .* --params-file arms.yaml", "test_several_arms.py::test_each_arm_moves_by_itself_and_all_end_together"),
    (r"servo_emulator --config config/so101.yaml --link \S+ --pace --control \S+( --seed 1)?", HERE),
    (r"servo_emulator --config config/mixed.yaml --link \S+ --pace --control \S+", HERE),
    (r"arm_node --ros-args --params-file config/so101.yaml -p port:=/tmp/arm", HERE),
    (r"hardware_node --ros-args --params-file config/so101.yaml -p port:=/tmp/arm", HERE),
    (r"(controller_node|ik_node) --ros-args --params-file config/so101.yaml", HERE),
    (r"arm_node --ros-args --params-file (my_arm.yaml|config/so101.yaml -p publish_robot_state:=true)", HARDWARE),
    (r"echo '.*' \|\s+servo_tool (ik|fk) .*", HERE),
    (r"servo_tool (reach|gazebo) .*", HERE),
    (r"servo_tool calibrate .*", "an_arm_is_calibrated_and_the_nodes_take_the_file"),
    (r"servo_tool calibration (import|export) .*", "lerobots_file_comes_in_and_goes_out"),
    (r"ros2 launch servo_arm arm.launch.py .*port:=/dev/.*", HARDWARE),
    (
        r"ros2 launch servo_arm (arm.launch.py sim:=gazebo|gazebo.launch.py)( .*)?"
        r"|gz (sim|service) .*|ros2 run ros_gz_bridge .*|arm_node .* -p backend:=gazebo .*",
        GAZEBO,
    ),
    (r"ros2 launch servo_arm view.launch.py.*|rviz2 .*", WINDOW),
    (
        r"ros2 launch servo_arm arm.launch.py sim:=emulator.*",
        "test_launch.py::test_an_emulated_arm_comes_up_moves_and_is_ended_as_a_whole",
    ),
    (
        r"ros2 launch servo_arm two_arms.launch.py sim:=emulator",
        "test_launch.py::test_two_arms_share_nothing_but_what_every_ros_tool_knows",
    ),
    (r"ros2 (action|topic|service|param|node|lifecycle) .*", HERE),
    (r"sudo apt install .*|pip install .*", CHANGES_THE_MACHINE),
    (r"cd ~/ws && colcon build .*", "test_colcon.py::test_colcon_installs_executables_and_shares"),
    (r"source install/setup.bash && ros2 run .*", "test_colcon.py::test_colcon_installs_executables_and_shares"),
]


@dataclasses.dataclass(frozen=True)
class Command:
    """A command as it stands in a document."""

    document: str
    # Its lines as one, without the comment behind it.
    text: str
    # What the document shows as its output.
    shown: str

    def __str__(self) -> str:
        return f"{self.document}: {self.text}"


def blocks(document: pathlib.Path, kind: str) -> list[str]:
    pattern = re.compile(rf"^( *)```{kind}\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
    found = pattern.findall(document.read_text())
    return ["\n".join(line.removeprefix(indent) for line in text.splitlines()) for indent, text in found]


def commands_of(block: str, document: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        # A line that ends so goes on in the next one.
        count = next(i for i, line in enumerate(lines) if not line.endswith(("\\", "|"))) + 1
        text = " ".join(line.removesuffix("\\").strip() for line in lines[:count])
        yield Command(document, re.sub(r"\s{2,}#.*", "", text), "\n".join(lines[count:]))


def all_commands() -> list[Command]:
    return [
        command
        for path in DOCUMENTS
        for block in blocks(path, "console")
        for command in commands_of(block, str(path.relative_to(ROOT)))
    ]


def run_by(command: Command) -> str | None:
    return next((how for pattern, how in RUN_BY if re.fullmatch(pattern, command.text)), None)


COMMANDS = all_commands()


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_every_command_says_who_runs_it(command: Command):
    how = run_by(command)
    assert how is not None, "say in RUN_BY which test runs it, or why none can"
    if how == LONG:
        _, word, name, *options = command.text.split()
        assert word == "bench" and ((ROOT / f"benches/{name}.rs").exists() or (ROOT / f"benches/{name}").is_dir())
        known = (ROOT / "run").read_text()
        for option in options:
            assert not option.startswith("--") or option in known, option
    elif how == WORKFLOW:
        steps = (ROOT / ".github/workflows/ci.yml").read_text()
        assert all(step in steps for step in (".ci/run", "./run demo --once", "cargo test --no-default-features"))
    elif how not in (HERE, HARDWARE, GAZEBO, WINDOW, CHANGES_THE_MACHINE):
        assert exists(how), f"there is no test {how}"


def test_nothing_is_said_of_commands_that_there_are_not():
    unused = [pattern for pattern, _ in RUN_BY if not any(re.fullmatch(pattern, c.text) for c in COMMANDS)]
    assert unused == []


@pytest.fixture
def desk(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder in which commands find what they name."""
    for name in ("config", "urdf"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def placed(text: str, desk: pathlib.Path) -> str:
    """With the paths of this test in place of those that everybody may use."""
    return text.replace("/tmp/", f"{desk}/")


def path_with_ours() -> dict[str, str]:
    return {"PATH": f"{EXECUTABLES}:{os.environ['PATH']}"}


def run(command: Command, desk: pathlib.Path) -> str:
    """What a command prints that ends by itself."""
    ended = subprocess.run(
        ["bash", "-c", placed(command.text, desk)],
        cwd=desk,
        env={**os.environ, **path_with_ours()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}"
    return ended.stdout


def start(command: Command, desk: pathlib.Path) -> Process:
    """A command that goes on until it is stopped."""
    return Process("bash", "-c", f"exec {placed(command.text, desk)}", folder=desk, environment=path_with_ours())


def found(pattern: str) -> list[Command]:
    return [command for command in COMMANDS if re.fullmatch(pattern, command.text)]


def python_of_readme(word: str) -> str:
    [code] = [block for block in blocks(ROOT / "README.md", "python") if word in block]
    return code


@pytest.mark.parametrize("command", found(r"echo '.*' \|\s+servo_tool .*|servo_tool (reach|gazebo) .*"), ids=str)
def test_a_question_about_an_arm_is_answered_as_shown(command: Command, desk: pathlib.Path):
    said, shown = run(command, desk), command.shown
    if not shown:
        return
    answer = json.loads(said)
    if "…" in shown:
        # Numbers that depend on the machine: the same things are said of the same question.
        assert re.findall(r'"(\w+)":', shown) == list(answer)
        assert answer["status"] == "solved"
    else:
        for row, shown_row in zip(answer["pose"], json.loads(shown)["pose"], strict=True):
            assert row == pytest.approx(shown_row, abs=1e-4)


@pytest.mark.parametrize("command", found(r"servo_emulator .*"), ids=str)
def test_the_emulator_prints_the_ports_that_are_shown(command: Command, desk: pathlib.Path):
    with start(command, desk) as emulator:
        for line in filter(None, command.shown.splitlines()):
            emulator.wait_for_line(f"^{re.escape(placed(line, desk))}$")


@pytest.mark.parametrize("shape", ["arm_node", "separate"])
def test_the_commands_of_the_readme_make_an_arm_that_its_programs_move(shape: str, ros_domain: int, desk: pathlib.Path):
    pytest.importorskip("rclpy", reason="rclpy is not importable")
    [emulator] = found(r"servo_emulator .* --seed 1")
    nodes = found(r"arm_node .* -p port:=\S+") if shape == "arm_node" else found(r"(hardware|controller|ik)_node .*")
    running = [start(emulator, desk)]
    try:
        running[0].wait_until((desk / "arm").exists, "the port was there")
        running += [start(node, desk) for node in nodes]
        running[1].wait_for_line("Energizing -> Holding")
        # On a machine that does other things beside, answers may be missed just then.
        [said] = ask_python(python_of_readme("SetBool"))
        assert re.fullmatch("True the arm is (Holding|Degraded)", said)
        if shape == "arm_node":
            assert ask_python(python_of_readme("GripperCommand")) == ["0 Goal successfully reached!", "True False"]
            run_ros2_commands(desk)
    finally:
        for process in reversed(running):
            process.stop()


def ask_python(code: str) -> list[str]:
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def run_ros2_commands(desk: pathlib.Path) -> None:
    """Those that ask or tell a running arm something, one after the other, where there is such a command line."""
    if shutil.which("ros2") is None:
        return
    for command in found(r"ros2 (action|topic|service|param|node) .*"):
        said = run(command, desk)
        assert "ERROR" not in said and "refused" not in said, f"{command}\n{said}"


@pytest.mark.skipif(shutil.which("ros2") is None, reason="there is no ros2 command")
def test_the_commands_of_managed_nodes_lead_to_what_is_shown(ros_domain: int, desk: pathlib.Path):
    commands = found(r"ros2 lifecycle .*")
    if not commands:
        pytest.skip("no document has such a command")
    [emulator] = found(r"servo_emulator .* --seed 1")
    [node] = found(r"arm_node .* -p port:=\S+")
    asked_for = dataclasses.replace(node, text=f"{node.text} -p autostart:=false")
    with start(emulator, desk) as servos, start(asked_for, desk) as nodes:
        servos.wait_until((desk / "arm").exists, "the port was there")
        try:
            # The command asks a daemon, which has to find the nodes first.
            nodes.wait_until(lambda: "/hardware_node" in ros2("node", "list"), "the nodes were found", timeout=60)
            for command in commands:
                said = run(command, desk)
                for line in filter(None, command.shown.splitlines()):
                    assert line in said, f"{command}\n{said}\n{nodes.output}"
        finally:
            ros2("daemon", "stop")


def ros2(*words: str) -> str:
    return subprocess.run(["ros2", *words], capture_output=True, text=True, timeout=60).stdout
