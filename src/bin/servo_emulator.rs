//! Emulates a bus of Feetech STS servos behind a pseudo-terminal or a TCP port, until it is told to stop.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use servo_arm::servo::emulator::Emulator;
use servo_arm::servo::emulator::options::Options;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("servo_emulator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    // Before the port exists, so that no signal can leave it behind.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let running = Emulator::spawn(options.emulator()?, options.endpoint())?;
    writeln!(std::io::stdout(), "{}", running.port())?;
    signals.forever().next();
    Ok(())
}
