//! The numbers: percentiles, what was aimed at, and how they are printed.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::session::Seen;

/// Times of one kind (ms).
#[derive(Default)]
pub(crate) struct Series(Vec<f64>);

impl Series {
    /// Adds a time (ns).
    pub(crate) fn push(&mut self, nanos: i64) {
        self.0.push(nanos as f64 * 1e-6);
    }

    /// Adds a time (s).
    pub(crate) fn push_secs(&mut self, secs: f64) {
        self.0.push(secs * 1e3);
    }

    /// Adds a time (ns), or counts that there is none.
    pub(crate) fn push_or(&mut self, nanos: Option<i64>, missing: &mut u32) {
        match nanos {
            Some(nanos) => self.push(nanos),
            None => *missing += 1,
        }
    }

    fn report(&self) -> Json {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        // The least value that so many of all do not exceed.
        let at = |per_cent: usize| {
            let rank = (per_cent * sorted.len()).div_ceil(100).max(1);
            sorted.get(rank - 1).copied()
        };
        json!({
            "count": sorted.len(),
            "median_ms": at(50),
            "p90_ms": at(90),
            "p99_ms": at(99),
            "max_ms": sorted.last(),
        })
    }
}

/// What is printed, in order: key in the JSON, and words.
const ROWS: [(&str, &str); 11] = [
    ("sent_to_accepted", "goal sent → accepted"),
    ("sent_to_first_command", "goal sent → first command, from rest"),
    ("sent_to_first_command_replacing", "goal sent → first command, replacing another"),
    ("end_to_result", "trajectory end → result"),
    ("cancel_to_stop", "cancel sent → stop begins"),
    ("cancel_to_answer", "cancel sent → answered"),
    ("cancel_to_result", "cancel sent → result"),
    ("inverse_kinematics", "a pose asked of compute_ik, there and back"),
    ("empty_call", "(an empty service call, there and back)"),
    ("between_commands", "(from one command on the wire to the next)"),
    ("sleeper_lateness", "(how late a sleeping thread wakes)"),
];

/// One run's numbers.
pub(crate) fn report(shape: &str, machine: &Json, period: Duration, seen: &Seen, lateness: &Series) -> Json {
    let times = [
        &seen.accepted,
        &seen.first_command,
        &seen.first_command_of_replacement,
        &seen.end_to_result,
        &seen.cancel_to_stop,
        &seen.cancel_to_answer,
        &seen.cancel_to_result,
        &seen.inverse_kinematics,
        &seen.empty_call,
        &seen.between_commands,
        lateness,
    ];
    let times: serde_json::Map<String, Json> =
        ROWS.iter().zip(times).map(|((key, _), series)| ((*key).to_owned(), series.report())).collect();
    let period_ms = period.as_secs_f64() * 1e3;
    let aim = |key: &str, more_ms: f64| {
        let (is, most) = (times[key]["p99_ms"].as_f64(), period_ms + more_ms);
        json!({ "p99_at_most_ms": most, "p99_ms": is, "is_met": is.is_some_and(|is| is <= most) })
    };
    let aims = json!({
        "sent_to_first_command": aim("sent_to_first_command", 1.0),
        "sent_to_first_command_replacing": aim("sent_to_first_command_replacing", 1.0),
        "end_to_result": aim("end_to_result", 2.0),
    });
    json!({
        "shape": shape,
        "machine": machine,
        "joints": seen.joints,
        "period_ms": period_ms,
        "times": times,
        "aims": aims,
        "goals_that_ended_otherwise": seen.unexpected,
        "rested_beside_goal": {
            "times": seen.strayed.len(),
            "max_rad": seen.strayed.iter().copied().reduce(f64::max),
        },
        "motions_not_seen_on_the_wire": seen.unseen,
    })
}

/// Prints one run's numbers.
pub(crate) fn print(report: &Json) {
    let (machine, period) = (&report["machine"], report["period_ms"].as_f64().unwrap_or(f64::NAN));
    println!(
        "{}, period {period:.1} ms; {} processors, load {}",
        report["shape"].as_str().unwrap_or_default(),
        machine["processors"],
        machine["load_average"]
    );
    println!("{:<46}{:>7}{:>9}{:>9}{:>9}{:>9}", "ms", "count", "median", "p90", "p99", "max");
    for (key, words) in ROWS {
        let row = &report["times"][key];
        if row["count"] == 0 {
            continue;
        }
        let [median, p90, p99, max] =
            ["median_ms", "p90_ms", "p99_ms", "max_ms"].map(|key| row[key].as_f64().unwrap_or(f64::NAN));
        println!("{words:<46}{:>7}{median:>9.2}{p90:>9.2}{p99:>9.2}{max:>9.2}", row["count"]);
    }
    for (key, words) in ROWS {
        let aim = &report["aims"][key];
        if let (Some(most), Some(is)) = (aim["p99_at_most_ms"].as_f64(), aim["p99_ms"].as_f64()) {
            let verdict = if aim["is_met"] == true { "met" } else { "not met" };
            println!("aim: {words} at most {most:.1} ms at p99: {verdict} ({is:.2} ms)");
        }
    }
    for unexpected in report["goals_that_ended_otherwise"].as_array().into_iter().flatten() {
        println!("{}", unexpected.as_str().unwrap_or_default());
    }
    let beside = &report["rested_beside_goal"];
    if beside["times"] != 0 {
        println!(
            "{} times the arm rested beside where its goal had ended, by up to {:.1e} rad",
            beside["times"],
            beside["max_rad"].as_f64().unwrap_or(f64::NAN)
        );
    }
    if report["motions_not_seen_on_the_wire"] != 0 {
        println!("{} motions could not be told from the wire", report["motions_not_seen_on_the_wire"]);
    }
    println!();
}

/// What the numbers depend on besides us.
pub(crate) fn machine() -> Json {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<f64> = load.split(' ').take(3).filter_map(|part| part.parse().ok()).collect();
    let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    json!({ "processors": processors, "load_average": load })
}
