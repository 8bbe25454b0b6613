"""What makes this a ROS package: its two manifests agree, its launch files and configurations can be read."""

import importlib.util
import pathlib
import re
import sys
from xml.etree import ElementTree

import pytest
import yaml

from harness import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MANIFEST = ElementTree.parse(ROOT / "package.xml").getroot()
CARGO = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
CARGO_CONFIG = tomllib.loads((ROOT / ".cargo/config.toml").read_text())
LAUNCH_FILES = sorted((ROOT / "launch").glob("*.launch.py"))
# The bridge to Gazebo has a form of its own.
CONFIGS = sorted(set((ROOT / "config").glob("*.yaml")) - {ROOT / "config/gazebo_bridge.yaml"})


@pytest.mark.parametrize("key", ["name", "version", "license", "description"])
def test_package_xml_and_cargo_toml_agree(key: str):
    assert MANIFEST.findtext(key) == CARGO[key]


def test_it_is_a_format_3_package_that_cargo_builds():
    assert MANIFEST.get("format") == "3"
    assert MANIFEST.findtext("export/build_type") == "ament_cargo"


def test_every_message_package_that_rust_is_generated_for_is_a_dependency():
    generated = set(CARGO_CONFIG["env"]["IDL_PACKAGE_FILTER"].split(";"))
    # Part of the service types themselves from Iron on; Humble has no such package.
    generated.discard("service_msgs")
    assert generated <= {element.text for element in MANIFEST.findall("depend")}


def test_every_package_that_a_launch_file_needs_is_a_run_dependency():
    text = "\n".join(path.read_text() for path in LAUNCH_FILES)
    names = set(re.findall(r"package://([a-z]\w*)/", text)) | set(re.findall(r"^from (\w+)", text, re.MULTILINE))
    names |= set(re.findall(r"(?:package|sliders)(?: = executable)? ?= ?\"(\w+)\"", text))
    names -= {"servo_arm", "__future__"}
    assert {"launch_ros", "robot_state_publisher", "rviz2", "joint_state_publisher_gui", "ros_gz_sim"} <= names
    assert names <= {element.text for kind in ("depend", "exec_depend") for element in MANIFEST.findall(kind)}


def test_what_launch_files_look_for_is_installed():
    """Folders beside the executables: those that are listed are there, and those that there are, are listed."""
    installed = CARGO["metadata"]["ros"]["install_to_share"]
    assert [name for name in installed if not (ROOT / name).is_dir()] == []
    shares = {name for name in ("launch", "config", "urdf", "udev", "rviz", "worlds") if (ROOT / name).is_dir()}
    assert set(installed) == shares


def test_every_stand_in_names_its_dependencies_in_both_of_its_files():
    for package in (ROOT / "interfaces").glob("*/package.xml"):
        depends = {element.text for element in ElementTree.parse(package).getroot().findall("depend")}
        cmake = (package.parent / "CMakeLists.txt").read_text()
        assert depends, package
        for name in depends:
            assert f"find_package({name} REQUIRED)" in cmake, package


@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.name)
def test_launch_files_compile(path: pathlib.Path):
    compile(path.read_text(), str(path), "exec")


@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.name)
def test_launch_files_describe_every_argument(path: pathlib.Path):
    pytest.importorskip("launch_ros", reason="launch_ros is not importable: this ROS has no launch")
    from launch.actions import DeclareLaunchArgument

    spec = importlib.util.spec_from_file_location("launch_file", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    arguments = [
        entity
        for entity in module.generate_launch_description().entities
        if isinstance(entity, DeclareLaunchArgument)
    ]
    assert arguments
    for argument in arguments:
        assert argument.description not in ("", "no description given"), argument.name


def test_the_arguments_of_arm_launch_stand_in_its_document():
    declared = re.findall(r"DeclareLaunchArgument\(\s*\"(\w+)\"", (ROOT / "launch/arm.launch.py").read_text())
    document = (ROOT / "docs/launch.md").read_text()
    _, table = document.split("| argument | default | |\n|---|---|---|\n")
    rows = [line.split("`")[1] for line in table.split("\n\n")[0].splitlines()]
    assert sorted(rows) == sorted(declared)
    files = {line.split("`")[1] for line in document.splitlines() if re.match(r"\| `\w+\.launch\.py`", line)}
    assert files == {path.name for path in LAUNCH_FILES}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_configurations_are_parameter_files(path: pathlib.Path):
    blocks = yaml.safe_load(path.read_text())
    assert blocks
    for name, block in blocks.items():
        assert list(block) == ["ros__parameters"], name
