//! What the demonstration measured, for people and as JSON.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use servo_arm::nodes::statistics::Percentiles;

use super::observer::Observer;
use super::processes::Processes;

/// What was measured of one goal.
pub(crate) struct GoalTimes {
    /// Whether it was reached.
    pub(crate) succeeded: bool,
    /// From sending it to the first changed goal on the wire, where it sets out at once.
    pub(crate) to_first_command_ms: Option<f64>,
    /// From its nominal end, where it has one, to its result at the client.
    pub(crate) end_to_result_ms: Option<f64>,
}

/// The summary. Times of goals are medians; the `all_` lists have each.
#[derive(Serialize)]
pub(crate) struct Report {
    succeeded: bool,
    goals: usize,
    cycles: u64,
    rate_hz: f64,
    period_us: Percentiles,
    lateness_us: Percentiles,
    overruns: u64,
    bus_utilisation: f64,
    answers_missed: u64,
    goal_to_first_command_ms: Option<f64>,
    all_goal_to_first_command_ms: Vec<f64>,
    end_to_result_ms: Option<f64>,
    all_end_to_result_ms: Vec<f64>,
    tracking_rms_rad: BTreeMap<String, f64>,
    tracking_max_rad: BTreeMap<String, f64>,
    peak_rss_kib: u64,
    cpu_s: f64,
    start_to_first_state_s: f64,
}

impl Report {
    /// Puts together what was seen.
    pub(crate) fn new(
        observer: &Observer,
        processes: &Processes,
        goals: &[GoalTimes],
        start_to_first_state: Duration,
    ) -> anyhow::Result<Self> {
        let usage = processes.usage_of_nodes()?;
        let first_commands: Vec<f64> = goals.iter().filter_map(|goal| goal.to_first_command_ms).collect();
        let results: Vec<f64> = goals.iter().filter_map(|goal| goal.end_to_result_ms).collect();
        let tracking = observer.tracking();
        Ok(Self {
            succeeded: !goals.is_empty() && goals.iter().all(|goal| goal.succeeded),
            goals: goals.len(),
            cycles: observer.count("arm", "cycles"),
            rate_hz: observer.number("arm", "rate_hz"),
            period_us: observer.percentiles("period_us"),
            lateness_us: observer.percentiles("lateness_us"),
            overruns: observer.count("arm", "overruns"),
            bus_utilisation: observer.number("bus", "bus_utilisation"),
            answers_missed: observer.count("bus", "answers_missed"),
            goal_to_first_command_ms: median(&first_commands),
            all_goal_to_first_command_ms: first_commands,
            end_to_result_ms: median(&results),
            all_end_to_result_ms: results,
            tracking_rms_rad: tracking
                .iter()
                .map(|(joint, tracking)| (joint.clone(), tracking.rms()))
                .collect(),
            tracking_max_rad: tracking.into_iter().map(|(joint, tracking)| (joint, tracking.max)).collect(),
            peak_rss_kib: usage.peak_rss_kib,
            cpu_s: usage.cpu_secs,
            start_to_first_state_s: start_to_first_state.as_secs_f64(),
        })
    }

    /// Whether every goal was reached.
    pub(crate) fn succeeded(&self) -> bool {
        self.succeeded
    }

    /// Prints it for people.
    pub(crate) fn print(&self) {
        let millis = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms"));
        let period = self.period_us;
        println!(
            "\n{} goals, {}",
            self.goals,
            if self.succeeded { "all reached" } else { "not all reached" }
        );
        println!("cycles        {} at {:.2} Hz, {} overruns", self.cycles, self.rate_hz, self.overruns);
        println!(
            "period        {:.0} µs median, {:.0} µs p99, {:.0} µs p99.9, {:.0} µs longest",
            period.p50, period.p99, period.p999, period.max
        );
        println!(
            "bus           {:.1} % used, {} answers missed",
            100.0 * self.bus_utilisation,
            self.answers_missed
        );
        println!("goal to wire  {} (median)", millis(self.goal_to_first_command_ms));
        println!("end to result {} (median)", millis(self.end_to_result_ms));
        for (joint, rms) in &self.tracking_rms_rad {
            let max = self.tracking_max_rad.get(joint).copied().unwrap_or(0.0);
            println!("tracking      {joint:<14} {rms:.4} rad rms, {max:.4} rad at most");
        }
        println!(
            "nodes         {:.1} MiB at most, {:.2} s of processor time, first joint state after {:.2} s",
            self.peak_rss_kib as f64 / 1024.0,
            self.cpu_s,
            self.start_to_first_state_s
        );
    }

    /// Writes it as JSON.
    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}
