//! A campaign of faults on an emulated arm, in simulated time; what it prints must be zero is zero, or it fails.
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

mod campaign;
#[path = "../../tests/it/emulated_arm.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod emulated_arm;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use campaign::{Plan, Protocol, Report};
use clap::Parser;
use serde_json::{Value as Json, json};

/// Moves an emulated arm while everything goes wrong that can.
#[derive(Parser)]
struct Options {
    /// Where to write all numbers.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Decides what goes wrong, and when.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// What the servos are to speak; may be given several times. Left out: one protocol after the other.
    #[arg(long, value_name = "NAME", value_parser = protocol_named)]
    protocol: Vec<Protocol>,
    /// How long the arm is to be in trouble with each protocol, in its own time.
    #[arg(long, value_name = "M", default_value_t = 60.0)]
    minutes: f64,
    /// The part of all replies that are damaged.
    #[arg(long, value_name = "PART", default_value_t = 0.01)]
    damaged: f64,
    /// What cargo says to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    anyhow::ensure!(
        (0.05..=100_000.0).contains(&options.minutes),
        "--minutes must be from 0.05 to 100000, not {}",
        options.minutes
    );
    anyhow::ensure!(
        (0.0..=1.0).contains(&options.damaged),
        "--damaged must be from 0 to 1, not {}",
        options.damaged
    );
    let plan = Plan {
        seed: options.seed,
        lasts: Duration::from_secs_f64(60.0 * options.minutes),
        damaged: options.damaged,
    };
    let protocols = if options.protocol.is_empty() { Protocol::ALL.to_vec() } else { options.protocol };
    let mut reports = Vec::new();
    for protocol in protocols {
        let begun = Instant::now();
        let report = campaign::run(protocol, plan);
        print(&report, begun.elapsed());
        reports.push(report);
    }
    let whole = whole(&options_of(&plan), &reports);
    print_sums(&whole);
    if let Some(file) = options.json {
        std::fs::write(file, serde_json::to_string_pretty(&whole)?)?;
    }
    anyhow::ensure!(reports.iter().all(Report::is_good), "something was found; see above");
    Ok(())
}

/// The protocol of that name.
fn protocol_named(name: &str) -> Result<Protocol, String> {
    let named = Protocol::ALL.into_iter().find(|protocol| protocol.name() == name);
    named.ok_or_else(|| format!("it must be one of {}", Protocol::ALL.map(Protocol::name).join(", ")))
}

fn options_of(plan: &Plan) -> Json {
    json!({ "seed": plan.seed, "minutes": plan.lasts.as_secs_f64() / 60.0, "damaged": plan.damaged })
}

/// Sums and worst cases of all protocols, and each for itself.
fn whole(options: &Json, reports: &[Report]) -> Json {
    let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>();
    let worst = |of: fn(&Report) -> f64| reports.iter().map(of).fold(0.0, f64::max);
    json!({
        "options": options,
        "faults_injected": sum(Report::faults),
        "wrong_positions": sum(|report| report.wrong_positions),
        "out_of_limits": sum(|report| report.out_of_limits),
        "unwanted_torque": sum(|report| report.unwanted_torque),
        "lost_holds": sum(|report| report.lost_holds),
        "max_state_gap_s": worst(|report| report.max_state_gap_s),
        "max_reconnect_s": worst(|report| report.max_reconnect_s),
        "faults_by_kind": summed(reports.iter().map(|report| &report.injected)),
        "states_entered": summed(reports.iter().map(|report| &report.states)),
        "protocols": reports.iter().map(Report::json).collect::<Vec<_>>(),
    })
}

/// Counts by name, of all protocols.
fn summed<'a, N: Clone + Ord + 'a>(counts: impl Iterator<Item = &'a BTreeMap<N, u64>>) -> BTreeMap<N, u64> {
    let mut sums = BTreeMap::new();
    for (name, count) in counts.flatten() {
        *sums.entry(name.clone()).or_default() += count;
    }
    sums
}

fn print_sums(whole: &Json) {
    println!("all of them:");
    for (name, key) in [
        ("faults injected", "faults_injected"),
        ("wrong positions", "wrong_positions"),
        ("out of limits", "out_of_limits"),
        ("unwanted torque", "unwanted_torque"),
        ("lost holds", "lost_holds"),
        ("longest without state (s)", "max_state_gap_s"),
        ("longest reconnect (s)", "max_reconnect_s"),
    ] {
        println!("  {name:<26} {}", whole[key]);
    }
}

fn print(report: &Report, took: Duration) {
    let all = report.json();
    let text = |key: &str| all[key].to_string();
    let list = |key: &str| {
        let entries = all[key].as_object().into_iter().flatten();
        entries.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
    };
    println!(
        "{}: {:.0} minutes of the arm in {:.1} s of the machine",
        all["protocol"].as_str().unwrap_or_default(),
        report.simulated.as_secs_f64() / 60.0,
        took.as_secs_f64()
    );
    println!("  faults injected      {} ({})", report.faults(), list("faults_injected"));
    println!("  wrong positions      {} of {}", text("wrong_positions"), text("positions"));
    println!("  out of limits        {}", text("out_of_limits"));
    println!("  unwanted torque      {}", text("unwanted_torque"));
    println!("  lost holds           {}", text("lost_holds"));
    println!("  longest without state {:.4} s, apart from outages", report.max_state_gap_s);
    println!("  reconnects           {}, the longest {:.3} s", report.reconnects, report.max_reconnect_s);
    println!("  longest out of use   {:.2} s, outages included", report.max_out_of_service_s);
    println!("  goals                {} ended, {} reached", report.goals, report.goals_reached);
    println!("  states entered       {}", list("states_entered"));
    for sentence in &report.violations {
        println!("  ! {sentence}");
    }
}
