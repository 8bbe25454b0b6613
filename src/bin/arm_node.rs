//! See [`servo_arm::nodes::arm_node`].

use std::process::ExitCode;

fn main() -> ExitCode {
    servo_arm::nodes::ros::run("arm_node", servo_arm::nodes::arm_node::run)
}
