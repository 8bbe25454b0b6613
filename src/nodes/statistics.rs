//! How regular the control cycle is, in memory that does not grow.

use hdrhistogram::Histogram;

use crate::servo::snapshot::{Occasion, Snapshot};

/// Percentiles over all cycles so far.
#[derive(Debug)]
pub struct Statistics {
    period_us: Histogram<u64>,
    lateness_us: Histogram<u64>,
    busy_us: Histogram<u64>,
    first_began_secs: Option<f64>,
    last_began_secs: f64,
    cycles: u64,
}

/// Longer than this counts as this (µs).
const LONGEST_US: u64 = 10_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

/// Median, tails and worst of a time (µs).
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// One in a hundred is longer.
    pub p99: f64,
    /// One in a thousand is longer.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

impl Default for Statistics {
    fn default() -> Self {
        let histogram = || {
            Histogram::new_with_bounds(1, LONGEST_US, SIGNIFICANT_DIGITS)
                .unwrap_or_else(|_| unreachable!("1 to 10 s with 3 digits is a histogram"))
        };
        Self {
            period_us: histogram(),
            lateness_us: histogram(),
            busy_us: histogram(),
            first_began_secs: None,
            last_began_secs: 0.0,
            cycles: 0,
        }
    }
}

impl Statistics {
    /// Takes a cycle into account.
    pub fn note(&mut self, snapshot: &Snapshot) {
        if snapshot.occasion != Occasion::Cycle {
            return;
        }
        let began = snapshot.began.0 as f64 * 1e-9;
        self.cycles += 1;
        self.last_began_secs = began;
        if self.first_began_secs.is_none() {
            self.first_began_secs = Some(began);
        } else {
            record(&mut self.period_us, snapshot.period.as_secs_f64());
        }
        record(&mut self.lateness_us, snapshot.began.secs_since(snapshot.due).max(0.0));
        record(&mut self.busy_us, snapshot.ended.secs_since(snapshot.began));
    }

    /// Cycles so far.
    pub fn cycles(&self) -> u64 {
        self.cycles
    }

    /// Cycles a second, over the whole time.
    pub fn rate_hz(&self) -> f64 {
        let span = self.last_began_secs - self.first_began_secs.unwrap_or(self.last_began_secs);
        if span <= 0.0 { 0.0 } else { (self.cycles - 1) as f64 / span }
    }

    /// From the beginning of one cycle to that of the next (µs).
    pub fn period_us(&self) -> Percentiles {
        percentiles(&self.period_us)
    }

    /// From when a cycle should have begun to when it did (µs).
    pub fn lateness_us(&self) -> Percentiles {
        percentiles(&self.lateness_us)
    }

    /// From the beginning of a cycle to its end, waiting for the wire included (µs).
    pub fn busy_us(&self) -> Percentiles {
        percentiles(&self.busy_us)
    }
}

fn record(histogram: &mut Histogram<u64>, secs: f64) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float casts saturate")]
    histogram.saturating_record(((secs * 1e6).round() as u64).min(LONGEST_US));
}

fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    let at = |quantile| histogram.value_at_quantile(quantile) as f64;
    Percentiles { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: histogram.max() as f64 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::units::Time;

    #[test]
    fn percentiles_and_rate_are_those_of_the_cycles() {
        let mut statistics = Statistics::default();
        let mut snapshot = Snapshot::new(1, 0);
        for cycle in 0..=1000 {
            snapshot.due = Time(cycle * 5_000_000);
            snapshot.began = snapshot.due;
            snapshot.ended = snapshot.began + Duration::from_micros(2000);
            snapshot.period = Duration::from_micros(if cycle == 500 { 9000 } else { 5000 });
            statistics.note(&snapshot);
        }
        let period = statistics.period_us();
        assert!((period.p50 - 5000.0).abs() < 5.0 && (period.p99 - 5000.0).abs() < 5.0, "{period:?}");
        assert!((period.max - 9000.0).abs() < 10.0, "{period:?}");
        assert!((statistics.busy_us().p50 - 2000.0).abs() < 5.0);
        assert!((statistics.rate_hz() - 200.0).abs() < 1e-6);
        assert_eq!(statistics.cycles(), 1001);
    }
}
