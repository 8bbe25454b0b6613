//! See [`servo_arm::nodes::controller_node`].

use std::process::ExitCode;

fn main() -> ExitCode {
    servo_arm::nodes::ros::run("controller_node", servo_arm::nodes::controller_node::run)
}
