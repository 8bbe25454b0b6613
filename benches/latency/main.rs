//! How long a client waits for the arm: goals, first commands, results and cancels, from outside.
//!
//! Starts the emulated servos on a paced pseudo-terminal and the nodes, moves the arm as a ROS action client, and reads
//! off the wire when the servos were told. The client and the wire are read by one thread that waits for nothing else,
//! so that no thread has to wake another before the clock is read; what ROS and the machine take all the same is
//! measured beside it: an empty service call to the same node, and a sleeping thread's lateness.
//!
//! *First command*: the arrival of the first write in which a joint's goal differs from the one it was held at. The arm
//! rests a hundredth of a tick before the place where the next tick begins, so that the first motion shows at once.
//! *First command of a replacement* and *stop begins*: the first write from which on the goals lag behind the cubic that
//! would have gone on, see [`motion`]. For both the servos are geared down, see [`gears`]. Times of the wire are those at which the last byte of a write arrived.
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

mod client;
mod gears;
mod motion;
mod report;
mod session;
mod wire;

#[path = "../../src/bin/arm_demo/processes.rs"]
#[expect(dead_code, reason = "the demo uses more of it")]
mod processes;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use serde_json::json;
use servo_arm::config::Config;
use servo_arm::config::parameters::{Parameters, Value};
use servo_arm::servo::clock;
use servo_arm::servo::control_thread::ArmSetup;
use servo_arm::servo::setup::{arm_setup, locate, robot_model};

use processes::Processes;
use report::Series;
use session::{Seen, Session};
use wire::Wire;

/// Measures what a client waits for
#[derive(Parser)]
struct Options {
    /// Where to write all numbers
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only with everything in one process; without this and --separate there is one run of each shape
    #[arg(long, conflicts_with = "separate")]
    together: bool,
    /// Only with hardware and controller as processes of their own
    #[arg(long)]
    separate: bool,
    /// How many goals are measured from rest, and how many replace another; half as many are cancelled
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(4..=100_000))]
    goals: u32,
    /// The arm's parameter file; the SO-101's where none is given
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What cargo says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let config_file = match &options.config {
        Some(file) => file.clone(),
        None => locate("package://servo_arm/config/so101.yaml").context("the SO-101's configuration")?,
    };
    let geared = gears::geared_down(&config_file)?;
    let config_file = geared.path();
    // The port comes from the emulator, whatever the file says.
    let overrides = Parameters::from([("port".to_owned(), Value::String("emulated".to_owned()))]);
    let config = Config::read_hardware(config_file, &overrides)?;
    let setup = arm_setup(&config, &robot_model(&config.arm)?)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, stop.clone())?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut shapes = Vec::new();
    for separate in [false, true] {
        if (separate && options.together) || (!separate && options.separate) {
            continue;
        }
        let shape = if separate { "separate processes" } else { "one process" };
        let machine = report::machine();
        let (seen, lateness) = runtime
            .block_on(measure(&options, config_file, &setup, separate, &stop))
            .with_context(|| shape.to_owned())?;
        let report = report::report(shape, &machine, setup.period, &seen, &lateness);
        report::print(&report);
        shapes.push(report);
    }
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&json!({ "shapes": shapes }))?;
        std::fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// One run, with processes of its own.
async fn measure(
    options: &Options,
    config_file: &Path,
    setup: &ArmSetup,
    separate: bool,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<(Seen, Series)> {
    // Cargo builds them together with this bench.
    let executables = Path::new(env!("CARGO_BIN_EXE_arm_node")).parent().context("no executables")?;
    let mut processes = Processes::start_emulator(executables, config_file).await?;
    let measured = drive(&mut processes, config_file, setup, options, separate, stop);
    let ended = processes.stop().await;
    let measured = measured?;
    ended?;
    Ok(measured)
}

fn drive(
    processes: &mut Processes,
    config_file: &Path,
    setup: &ArmSetup,
    options: &Options,
    separate: bool,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<(Seen, Series)> {
    let wire = Wire::watch(&processes.control_socket())?;
    processes.start_nodes(config_file, separate)?;
    let mut session = Session::start(setup, wire, !separate, stop)?;
    let sleeper = Sleeper::start();
    session.run(options.goals)?;
    Ok((session.end(), sleeper.stop()))
}

/// A thread that does nothing but sleep: how late the machine wakes it.
struct Sleeper {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Series>,
}

impl Sleeper {
    const PERIOD: Duration = Duration::from_millis(5);

    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut lateness = Series::default();
            while !stopped.load(Ordering::Relaxed) {
                let due = clock::now() + Self::PERIOD;
                clock::sleep_until(due);
                lateness.push_secs(clock::now().secs_since(due));
            }
            lateness
        });
        Self { stop, thread }
    }

    fn stop(self) -> Series {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}
