//! Emulates servos behind pseudo-terminals or TCP ports, one for each bus of an arm, until it is told to stop.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser as _;
use servo_arm::servo::emulator::options::{Emulated, Options};
use servo_arm::servo::emulator::{Emulator, Running};
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
    if signals.forever().next() == Some(SIGINT) {
        serve_to_the_end(&running, &mut signals);
    }
    Ok(())
}

/// Ctrl-C goes to the hosts in the same terminal or launch, too: servos are there until these have brought them to rest.
fn serve_to_the_end(running: &[Running], signals: &mut Signals) {
    const QUIET: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(4);
    let watches: Vec<_> = running.iter().filter_map(|emulator| emulator.watch("frames")).collect();
    let until = Instant::now() + LONGEST;
    while Instant::now() < until {
        std::thread::sleep(QUIET);
        let is_quiet = watches.iter().all(|watch| watch.events.try_iter().count() == 0);
        if is_quiet || signals.pending().next().is_some() {
            return;
        }
    }
}
