//! Emulates servos behind pseudo-terminals or TCP ports, one for each bus of an arm, until it is told to stop.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use servo_arm::servo::emulator::Emulator;
use servo_arm::servo::emulator::options::{Emulated, Options};
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
    let mut running = Vec::new();
    for Emulated { name, config, endpoint } in options.emulators()? {
        let emulator = Emulator::spawn(config, endpoint)?;
        writeln!(std::io::stdout(), "{}", format!("{name} {}", emulator.port()).trim_start())?;
        running.push(emulator);
    }
    signals.forever().next();
    Ok(())
}
