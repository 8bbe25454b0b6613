//! See [`servo_arm::nodes::hardware_node`].

use std::process::ExitCode;

fn main() -> ExitCode {
    servo_arm::nodes::ros::run("hardware_node", servo_arm::nodes::hardware_node::run)
}
