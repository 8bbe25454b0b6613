"""The interface stand-ins are upstream's types: equal RIHS01 hashes are what makes two types one on the wire."""

import json
import os
import pathlib

import pytest

from harness import ROOT

EXPECTED: dict[str, str] = json.loads((ROOT / "interfaces/hashes.json").read_text())
PACKAGES = sorted(path.parent.name for path in (ROOT / "interfaces").glob("*/package.xml"))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_built_type_has_the_hash_of_upstreams(package: str):
    prefix = prefix_of(package)
    built = built_hashes(prefix, package)
    expected = {name: value for name, value in EXPECTED.items() if name.startswith(f"{package}/")}
    if prefix != ROOT / ".ros2/overlay":
        distribution = os.environ["ROS_DISTRO"]
        if distribution != "jazzy":
            pytest.skip(f"{package} is the sourced ROS 2 {distribution}'s own, and the hashes are those of jazzy")
        # The real package has types that we do not use.
        built = {name: value for name, value in built.items() if name in expected}
    assert built == expected


def test_every_expected_hash_belongs_to_a_stand_in():
    assert {name.split("/")[0] for name in EXPECTED} == set(PACKAGES)


def prefix_of(package: str) -> pathlib.Path:
    """The prefix that ROS takes the package from."""
    for prefix in map(pathlib.Path, os.environ["AMENT_PREFIX_PATH"].split(":")):
        if (prefix / "share/ament_index/resource_index/packages" / package).exists():
            return prefix
    raise AssertionError(f"{package} is in no prefix of AMENT_PREFIX_PATH")


def built_hashes(prefix: pathlib.Path, package: str) -> dict[str, str]:
    """The hash of each type that the package defines, with those made for its services and actions."""
    found = {}
    for kind in ("msg", "srv", "action"):
        for file in (prefix / "share" / package / kind).glob("*.json"):
            for entry in json.loads(file.read_text())["type_hashes"]:
                if entry["type_name"].startswith(f"{package}/"):
                    found[entry["type_name"]] = entry["hash_string"]
    return found
