//! How late bytes were, in fixed memory: enough for percentiles within an eighth.
//!
//! Told durations; knows no clock.

use std::time::Duration;

/// Buckets for each doubling.
const STEPS: usize = 8;
const STEPS_LOG2: u32 = STEPS.ilog2();
const BUCKETS: usize = 64 * STEPS;

/// What has been seen so far.
#[derive(Clone, Debug)]
pub struct Lateness {
    counts: Box<[u64; BUCKETS]>,
    total: u64,
    sum_ns: u64,
    max_ns: u64,
}

impl Default for Lateness {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]), total: 0, sum_ns: 0, max_ns: 0 }
    }
}

impl Lateness {
    /// Something was so late.
    pub fn add(&mut self, late: Duration) {
        let nanos = u64::try_from(late.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket_of(nanos)] += 1;
        self.total += 1;
        self.sum_ns = self.sum_ns.saturating_add(nanos);
        self.max_ns = self.max_ns.max(nanos);
    }

    /// The mean (µs).
    pub fn mean_us(&self) -> f64 {
        self.sum_ns as f64 / self.total.max(1) as f64 / 1e3
    }

    /// The worst (µs).
    pub fn max_us(&self) -> f64 {
        self.max_ns as f64 / 1e3
    }

    /// At most so much in that part of the cases, 0 to 1 (µs).
    pub fn percentile_us(&self, part: f64) -> f64 {
        let mut left = part * self.total as f64;
        for (bucket, count) in self.counts.iter().enumerate() {
            left -= *count as f64;
            if left <= 0.0 {
                return (end_of(bucket) / 1e3).min(self.max_us());
            }
        }
        self.max_us()
    }
}

/// Each doubling is cut into equal steps; what is too short to be cut shares the first.
fn bucket_of(nanos: u64) -> usize {
    let nanos = nanos.max(1 << STEPS_LOG2);
    let octave = nanos.ilog2();
    let step = usize::try_from(nanos >> (octave - STEPS_LOG2)).unwrap_or(0) % STEPS;
    usize::try_from(octave).unwrap_or(0) * STEPS + step
}

fn end_of(bucket: usize) -> f64 {
    let (octave, step) = (bucket / STEPS, bucket % STEPS);
    (octave as f64).exp2() * (1.0 + (step + 1) as f64 / STEPS as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_within_an_eighth() {
        let mut lateness = Lateness::default();
        for micros in 1..=1000 {
            lateness.add(Duration::from_micros(micros));
        }
        for (part, exact) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let told = lateness.percentile_us(part);
            assert!((exact..=exact * 1.126).contains(&told), "{told} for {exact}");
        }
        assert!((lateness.mean_us() - 500.5).abs() < 1e-6);
    }

    #[test]
    fn every_duration_has_a_bucket() {
        let mut lateness = Lateness::default();
        for late in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            lateness.add(late);
        }
        assert!(lateness.percentile_us(0.5) < 0.01);
        assert_eq!(Lateness::default().percentile_us(0.5), 0.0);
    }
}
