"""`./run` as a user meets it: what it refuses, what it lists, and the environment that it makes."""

import os
import pathlib
import subprocess

import pytest

from harness import ROOT

WORDS = ["demo", "plot", "test", "bench", "shell", "setup", "clean", "help"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["demo", "--fast"],
        ["demo", "--config"],
        ["demo", "--record"],
        ["plot"],
        ["plot", "--out", "a.svg"],
        ["plot", "a.mcap", "a.svg", "b.svg"],
        ["test", "one", "two"],
        ["test", "--all"],
        ["bench"],
        ["bench", "no_such_bench"],
        ["bench", "cycle", "--separate"],
        ["bench", "latency", "--json"],
        ["bench", "cycle", "--peers"],
        ["bench", "cycle", "--protocol"],
        ["bench", "ik", "--targets"],
        ["bench", "ik", "--separate"],
        ["shell", "env"],
        ["shell", "--"],
        ["setup", "now"],
        ["clean", "all"],
    ],
    ids=" ".join,
)
def test_a_misused_command_line_gets_a_usage_line_and_exit_2(arguments: list[str]):
    result = run(*arguments)
    assert result.returncode == 2
    assert "usage: ./run" in result.stderr
    assert result.stdout == ""


def test_an_unknown_bench_lists_those_there_are():
    stderr = run("bench", "no_such_bench").stderr
    benches = [*(ROOT / "benches").glob("*.rs"), *(main.parent for main in (ROOT / "benches").glob("*/main.rs"))]
    for bench in benches:
        assert bench.stem in stderr


@pytest.mark.parametrize("word", ["help", "--help", "-h"])
def test_help_lists_every_word(word: str):
    result = run(word)
    assert result.returncode == 0
    for each in WORDS:
        assert f"./run {each}" in result.stdout


def test_the_shell_is_private_by_default():
    environment = environment_of_shell()
    if os.environ["ROS_DISTRO"] in ("foxy", "galactic", "humble"):
        assert environment["ROS_LOCALHOST_ONLY"] == "1"
    else:
        assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"


@pytest.mark.parametrize(
    ("name", "value"), [("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET"), ("ROS_LOCALHOST_ONLY", "0")]
)
def test_the_user_may_open_it(name: str, value: str):
    environment = environment_of_shell(**{name: value})
    chosen = {key: environment[key] for key in DISCOVERY if key in environment}
    assert chosen == {name: value}


def test_the_environment_is_the_same_at_any_depth():
    # r2r is compiled anew when one of these changes.
    names = ["AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "ROS_DISTRO", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH"]
    once = environment_of_shell()
    twice = parse(run("shell", "--", ROOT / "run", "shell", "--", "env", "-0").stdout)
    assert {name: once.get(name) for name in names} == {name: twice.get(name) for name in names}


def test_the_shell_keeps_the_folder_and_the_exit_status(tmp_path: pathlib.Path):
    result = run("shell", "--", "bash", "-c", "pwd; exit 7", folder=tmp_path)
    assert result.stdout.strip() == str(tmp_path)
    assert result.returncode == 7


def test_the_package_itself_is_known_to_ros():
    prefixes = environment_of_shell()["AMENT_PREFIX_PATH"].split(":")
    overlay = pathlib.Path(prefixes[0])
    assert (overlay / "share/ament_index/resource_index/packages/servo_arm").exists()
    for name in ("package.xml", "launch", "config", "rviz", "urdf"):
        assert (overlay / "share/servo_arm" / name).samefile(ROOT / name)


DISCOVERY = ("ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY")


def environment_of_shell(**changes: str) -> dict[str, str]:
    return parse(run("shell", "--", "env", "-0", changes=changes).stdout)


def parse(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.split("\0") if line)


def run(*arguments: str | os.PathLike[str], folder: pathlib.Path = ROOT, changes: dict[str, str] | None = None):
    environment = {key: value for key, value in os.environ.items() if key not in DISCOVERY}
    return subprocess.run(
        [ROOT / "run", *arguments],
        cwd=folder,
        env={**environment, **(changes or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
