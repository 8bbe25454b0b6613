//! How long answers took, as numbers and as bars of text.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value as Json, json};

/// The times of many answers, and how many did not come.
#[derive(Clone, Debug)]
pub struct Latencies {
    times: Option<Histogram<u64>>,
    lost: u64,
}

/// Bars of text that are drawn.
const BARS: u32 = 12;
/// The length of the longest of them.
const LONGEST_BAR: u64 = 40;
/// Whatever took longer counts as that (µs).
const LONGEST_US: u64 = 60_000_000;
/// Three digits of every time.
const DIGITS: u8 = 3;

impl Default for Latencies {
    fn default() -> Self {
        // Fails for bounds that make no sense only; then there would be no numbers.
        Self { times: Histogram::new_with_max(LONGEST_US, DIGITS).ok(), lost: 0 }
    }
}

impl Latencies {
    /// An answer that took so long.
    pub fn add(&mut self, took: Duration) {
        if let Some(times) = &mut self.times {
            times.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        }
    }

    /// An answer that did not come.
    pub fn add_lost(&mut self) {
        self.lost += 1;
    }

    /// How many answers came.
    pub fn answered(&self) -> u64 {
        self.times.as_ref().map_or(0, Histogram::len)
    }

    /// How many did not come.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The time (µs) within which this part (0..=1) of the answers came.
    pub fn quantile_us(&self, part: f64) -> u64 {
        self.times.as_ref().map_or(0, |times| times.value_at_quantile(part))
    }

    /// All of it, for a program.
    pub fn to_json(&self) -> Json {
        let us = |part| self.quantile_us(part);
        json!({
            "answered": self.answered(),
            "lost": self.lost,
            "us": {
                "min": self.times.as_ref().map_or(0, Histogram::min),
                "p50": us(0.5),
                "p90": us(0.9),
                "p99": us(0.99),
                "p999": us(0.999),
                "max": self.times.as_ref().map_or(0, Histogram::max),
                "mean": self.times.as_ref().map_or(0.0, Histogram::mean),
            },
        })
    }

    /// The bars: from, to (µs), and how many answers took that long.
    fn bars(&self) -> Vec<(u64, u64, u64)> {
        let Some(times) = self.times.as_ref().filter(|times| !times.is_empty()) else { return Vec::new() };
        // Nearly all of them; the few that took much longer stand in the last bar.
        let (least, most) = (times.min(), times.value_at_quantile(0.99).max(times.min() + 1));
        let width = (most - least).div_ceil(u64::from(BARS) - 1).max(1);
        let bar = |index: u64| {
            let from = least + index * width;
            let is_last = index + 1 == u64::from(BARS);
            let to = if is_last { times.max().max(from) } else { from + width - 1 };
            (from, to, times.count_between(from, to))
        };
        let mut bars: Vec<_> = (0..u64::from(BARS)).map(bar).collect();
        while bars.last().is_some_and(|(_, _, count)| *count == 0) {
            bars.pop();
        }
        bars
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (answered, lost) = (self.answered(), self.lost);
        writeln!(out, "{answered} answered, {lost} lost")?;
        if answered == 0 {
            return Ok(());
        }
        let us = |part| self.quantile_us(part);
        let (least, most) = self.times.as_ref().map_or((0, 0), |times| (times.min(), times.max()));
        let (p50, p90, p99) = (us(0.5), us(0.9), us(0.99));
        writeln!(out, "min {least} µs, p50 {p50} µs, p90 {p90} µs, p99 {p99} µs, max {most} µs")?;
        let bars = self.bars();
        let highest = bars.iter().map(|(_, _, count)| *count).max().unwrap_or(1).max(1);
        for (from, to, count) in bars {
            let length = (count * LONGEST_BAR).div_ceil(highest);
            let bar = "#".repeat(usize::try_from(length).unwrap_or(0));
            writeln!(out, "{}", format!("{from:>8} .. {to:>8} µs {count:>7} {bar}").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times_us: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        times_us.into_iter().for_each(|us| latencies.add(Duration::from_micros(us)));
        latencies
    }

    #[test]
    fn every_answer_is_in_one_bar() {
        let mut latencies = of((200..1200).chain([90_000]));
        latencies.add_lost();
        let counted: u64 = latencies.bars().iter().map(|(_, _, count)| count).sum();
        assert_eq!((counted, latencies.answered(), latencies.lost()), (1001, 1001, 1));
        let text = latencies.to_string();
        assert!(text.starts_with("1001 answered, 1 lost\nmin 200 µs, p50 "), "{text}");
        assert!(text.lines().skip(2).all(|line| line.contains(" µs ")), "{text}");
    }

    #[test]
    fn all_alike_is_one_bar_and_none_is_none() {
        assert_eq!(of([500; 20]).bars().len(), 1);
        assert_eq!(of([]).to_string(), "0 answered, 0 lost\n");
        assert_eq!(of([0]).bars(), [(0, 0, 1)]);
    }

    #[test]
    fn a_program_gets_the_same_numbers() {
        let json = of([100, 200, 300]).to_json();
        assert_eq!((json["answered"].as_u64(), json["us"]["p50"].as_u64()), (Some(3), Some(200)));
    }
}
