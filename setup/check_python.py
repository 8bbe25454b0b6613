"""Says whether this Python can carry the ROS environment: prints its version and path, or why not and fails."""

import pathlib
import sys


def main(kind: str) -> int:
    version = sys.version_info
    if kind == "private" and not (3, 10) <= version[:2] <= (3, 13):
        print(f"is {version.major}.{version.minor}, and ROS has wheels for 3.10 to 3.13")
        return 1
    try:
        import ensurepip
        import venv  # noqa: F401
    except ImportError as error:
        print(f"cannot make environments ({error}): install python{version.major}.{version.minor}-venv")
        return 1
    import sysconfig

    if not (pathlib.Path(sysconfig.get_path("include")) / "Python.h").is_file():
        print(f"has no Python.h: install python{version.major}.{version.minor}-dev")
        return 1
    print(f"{version.major}.{version.minor}.{version.micro} {sys.executable}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
