"""`colcon build` in a workspace of its own puts executables and shares where `ros2 run` and `ros2 launch` look."""

import os
import pathlib
import shutil
import subprocess

import pytest

from harness import EXECUTABLES, ROOT, Process


@pytest.mark.timeout(1800)
def test_colcon_installs_executables_and_shares(tmp_path: pathlib.Path):
    copy = tmp_path / "src/servo_arm"
    copy_package(copy)
    lend_compiled_dependencies(tmp_path / "build/servo_arm/release")
    with Process(
        *("colcon", "--log-base", "log", "build", "--packages-select", "servo_arm"),
        *("--event-handlers", "console_direct+", "--cargo-args", "--release", "--locked"),
        folder=tmp_path,
        # The user's own defaults are none of this test's business.
        environment={"COLCON_DEFAULTS_FILE": os.devnull},
    ) as colcon:
        assert colcon.wait(timeout=1700) == 0, colcon.output
    prefix = tmp_path / "install/servo_arm"
    expected = {path.stem for path in (ROOT / "src/bin").glob("*.rs")}
    executables = {path.name for path in (prefix / "lib/servo_arm").iterdir() if os.access(path, os.X_OK)}
    assert expected <= executables
    with Process(prefix / "lib/servo_arm/servo_emulator", "--help") as installed:
        assert installed.wait() == 0, installed.output
    share = prefix / "share/servo_arm"
    assert (share / "package.xml").is_file()
    for folder in ("launch", "config", "rviz", "urdf"):
        ours = {path.relative_to(copy) for path in (copy / folder).rglob("*") if path.is_file()}
        assert ours <= {path.relative_to(share) for path in share.rglob("*")}
    assert (prefix / "share/ament_index/resource_index/packages/servo_arm").is_file()


def copy_package(destination: pathlib.Path) -> None:
    """What git has or would add, as it is now."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listing.stdout.split("\0")):
        if (ROOT / name).is_file():
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, destination / name)


def lend_compiled_dependencies(destination: pathlib.Path) -> None:
    """Hard links to what the release build has compiled, save our own crate, so that r2r is not compiled twice."""
    for folder in ("build", "deps", ".fingerprint"):
        for source in (EXECUTABLES / folder).rglob("*"):
            relative = source.relative_to(EXECUTABLES)
            if source.is_dir() or "servo_arm" in relative.parts[1]:
                continue
            target = destination / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source, target)
            except OSError:
                shutil.copy2(source, target)
