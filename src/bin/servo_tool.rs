//! Answers questions about an arm on the command line: inverse and forward kinematics, and where it reaches.

use std::process::ExitCode;

use clap::Parser as _;
use servo_arm::tool::{self, Options};

fn main() -> ExitCode {
    match tool::run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("servo_tool: {error:#}");
            ExitCode::FAILURE
        }
    }
}
