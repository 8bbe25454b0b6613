//! Temporary, until the gripper is merged.
