"""Strangers' arms from the packages `example-robot-data` and `rtb-data`, as URDF files in a folder.

    python arms.py FOLDER

prints a line for each arm: name, file, base and tip, with tabs between them.
"""

import pathlib
import sys
import sysconfig

import rtbdata
import xacro
from xacro import substitution_args

PACKAGES = pathlib.Path(sysconfig.get_path("purelib"))
EXAMPLES = PACKAGES / "cmeel.prefix/share/example-robot-data/robots"
TOOLBOX = pathlib.Path(rtbdata.__file__).parent / "xacro"

# Name, file, base, tip.
ARMS = [
    ("panda", EXAMPLES / "panda_description/urdf/panda.urdf", "panda_link0", "panda_hand_tcp"),
    ("ur5", EXAMPLES / "ur_description/urdf/ur5_robot.urdf", "base_link", "tool0"),
    ("gen3", TOOLBOX / "kortex_description/robots/gen3.xacro", "base_link", "end_effector_link"),
    ("iiwa14", TOOLBOX / "kuka_description/kuka_lbr_iiwa/urdf/lbr_iiwa_14_r820.urdf", "base_link", "tool0"),
    ("baxter_left", EXAMPLES / "baxter_description/urdf/baxter.urdf", "base", "left_gripper"),
    ("vx300s", TOOLBOX / "interbotix_descriptions/urdf/vx300s.urdf.xacro", "base_link", "ee_gripper_link"),
    ("so101", EXAMPLES / "so_arm_description/urdf/so101.urdf", "base_link", "gripper_frame_link"),
]


def main(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # There is no ROS here to ask where a package is.
    substitution_args._eval_find = lambda package: str(TOOLBOX / package)
    for name, source, base, tip in ARMS:
        text = source.read_text()
        if source.suffix == ".xacro":
            text = xacro.process_file(str(source)).toxml()
        # Where a robot has no name its links are called "/base_link".
        text = text.replace('="/', '="')
        file = folder / f"{name}.urdf"
        file.write_text(text)
        print(name, file, base, tip, sep="\t")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
