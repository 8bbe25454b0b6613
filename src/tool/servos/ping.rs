//! `servo_tool ping`: how long a servo takes to answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail};
use serde_json::Value as Json;
use signal_hook::consts::SIGINT;

use super::session::BusOptions;
use crate::tool::histogram::Latencies;

/// Pings a servo many times, and shows how long it took to answer.
///
/// The time is that from the request's last byte handed to the port to the answer's last byte taken from it; an adapter
/// that holds bytes back shows here. The status is 0 if every ping was answered.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: servo_tool ping --port /dev/ttyACM0 --id 3 --count 1000")]
pub struct Options {
    #[command(flatten)]
    bus: BusOptions,
    /// The servo's id, or with --config the name of its joint.
    #[arg(long, value_name = "ID")]
    id: String,
    /// How many times.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Pings, and prints the times.
///
/// # Errors
/// Where the port cannot be opened or is lost, or a ping was not answered.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let mut session = options.bus.open()?;
    let id = session.id_of(&options.id)?;
    let stop = stop_flag()?;
    let mut latencies = Latencies::default();
    for _ in 0..options.count {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let heard = session.line.ping(id, false)?;
        match heard.answers.iter().find(|answer| answer.id == id) {
            Some(answer) => latencies.add(answer.took),
            None => latencies.add_lost(),
        }
    }
    if options.json {
        let mut answer = latencies.to_json();
        answer["id"] = Json::from(id);
        println!("{answer}");
    } else {
        print!("servo {id} on {} at {} bit/s: {latencies}", session.port, session.baud_rate_bps);
    }
    match (latencies.lost(), latencies.answered()) {
        (0, _) => Ok(()),
        (_, 0) => bail!("servo {id} does not answer"),
        (lost, answered) => bail!("servo {id} did not answer {lost} of {} pings", lost + answered),
    }
}

/// A flag that Ctrl-C raises.
///
/// # Errors
/// Where the system does not let us hear of it.
pub fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, stop.clone()).context("cannot listen for Ctrl-C")?;
    Ok(stop)
}
