//! The newest state of an arm's joints, from one thread to another; neither waits, and nothing is kept.
//!
//! One writes, one reads. A reader that is overtaken while it reads tries again.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};

use crate::config::arm::MAX_JOINTS;
use crate::units::Time;

/// As many joints as an arm can have, and those that mimic them.
pub const MAX_NAMES: usize = 2 * MAX_JOINTS;

/// What is known of joints at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointSample {
    /// The moment.
    pub stamp: Time,
    /// How often time had been set back then.
    pub resets: u64,
    /// Positions (rad or m); NaN of a joint of which nothing is known.
    pub positions: [f64; MAX_NAMES],
    /// Efforts (N m or N); NaN where nobody says.
    pub efforts: [f64; MAX_NAMES],
}

/// Where one is put.
#[derive(Debug)]
pub struct JointSlot {
    /// Odd while one is being written.
    version: AtomicU64,
    stamp: AtomicI64,
    resets: AtomicU64,
    positions: [AtomicU64; MAX_NAMES],
    efforts: [AtomicU64; MAX_NAMES],
}

/// A writer is done long before; a reader that is unlucky so often takes the sample of before.
const TRIES: usize = 100;

impl Default for JointSample {
    fn default() -> Self {
        Self { stamp: Time(0), resets: 0, positions: [f64::NAN; MAX_NAMES], efforts: [f64::NAN; MAX_NAMES] }
    }
}

impl Default for JointSlot {
    fn default() -> Self {
        let nothing = || std::array::from_fn(|_| AtomicU64::new(f64::NAN.to_bits()));
        Self {
            version: AtomicU64::new(0),
            stamp: AtomicI64::new(0),
            resets: AtomicU64::new(0),
            positions: nothing(),
            efforts: nothing(),
        }
    }
}

impl JointSlot {
    /// Puts a sample in the place of the one before. One thread does.
    pub fn put(&self, sample: &JointSample) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        self.stamp.store(sample.stamp.0, Ordering::Relaxed);
        self.resets.store(sample.resets, Ordering::Relaxed);
        store(&self.positions, &sample.positions);
        store(&self.efforts, &sample.efforts);
        self.version.store(version.wrapping_add(2), Ordering::Release);
    }

    /// Takes the newest sample into `sample`; gives the number of samples that were put so far.
    pub fn take(&self, sample: &mut JointSample) -> u64 {
        let mut before = self.version.load(Ordering::Acquire);
        for _ in 0..TRIES {
            let mut read = JointSample {
                stamp: Time(self.stamp.load(Ordering::Relaxed)),
                resets: self.resets.load(Ordering::Relaxed),
                ..JointSample::default()
            };
            load(&self.positions, &mut read.positions);
            load(&self.efforts, &mut read.efforts);
            fence(Ordering::Acquire);
            let after = self.version.load(Ordering::Relaxed);
            if before == after && before.is_multiple_of(2) {
                *sample = read;
                return before / 2;
            }
            before = self.version.load(Ordering::Acquire);
        }
        before / 2
    }
}

fn store(places: &[AtomicU64; MAX_NAMES], values: &[f64; MAX_NAMES]) {
    for (place, value) in places.iter().zip(values) {
        place.store(value.to_bits(), Ordering::Relaxed);
    }
}

fn load(places: &[AtomicU64; MAX_NAMES], values: &mut [f64; MAX_NAMES]) {
    for (place, value) in places.iter().zip(values) {
        *value = f64::from_bits(place.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_was_written_as_a_whole() {
        let slot = JointSlot::default();
        let mut sample = JointSample::default();
        assert_eq!(slot.take(&mut sample), 0);
        assert!(sample.positions.iter().all(|position| position.is_nan()));
        const SAMPLES: i64 = 20_000;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 1..=SAMPLES {
                    let value = [number as f64; MAX_NAMES];
                    let stamp = Time(number);
                    slot.put(&JointSample { stamp, resets: 0, positions: value, efforts: value });
                }
            });
            let mut last = 0;
            while last < SAMPLES {
                slot.take(&mut sample);
                let whole = |values: &[f64]| values.iter().all(|value| *value == sample.stamp.0 as f64);
                assert!(sample.stamp == Time(0) || whole(&sample.positions) && whole(&sample.efforts));
                assert!(last <= sample.stamp.0);
                last = sample.stamp.0;
            }
        });
        assert_eq!(slot.take(&mut sample), 20_000);
    }
}
