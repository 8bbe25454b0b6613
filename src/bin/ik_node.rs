//! See [`servo_arm::nodes::ik_node`].

use std::process::ExitCode;

fn main() -> ExitCode {
    servo_arm::nodes::ros::run("ik_node", servo_arm::nodes::ik_node::run)
}
