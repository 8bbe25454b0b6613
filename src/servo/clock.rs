//! The one clock of the bus: monotonic, and never set.

use std::sync::atomic::{AtomicI64, Ordering};

use rustix::thread::{ClockId, clock_nanosleep_absolute};
use rustix::time::{Timespec, clock_gettime};

use crate::units::Time;

const NANOS_PER_SEC: i64 = 1_000_000_000;

/// The present.
pub fn now() -> Time {
    of(clock_gettime(ClockId::Monotonic))
}

/// What the wall clock says at `time`, in nanoseconds since 1970; for stamps only.
///
/// Both clocks run alike, so the same instant gives the same answer until somebody sets the wall clock.
pub fn wall_nanos_at(time: Time) -> i64 {
    time.0 + wall_offset()
}

/// The instant at which the wall clock says `nanos` since 1970.
pub fn at_wall_nanos(nanos: i64) -> Time {
    Time(nanos - wall_offset())
}

/// What the wall clock is ahead, as it was measured when it was set last.
fn wall_offset() -> i64 {
    static KEPT: AtomicI64 = AtomicI64::new(0);
    let before = now().0;
    let wall = of(clock_gettime(ClockId::Realtime)).0;
    let measured = wall - (before + now().0) / 2;
    let kept = KEPT.load(Ordering::Relaxed);
    // Reading two clocks takes time, more so where the thread is interrupted in between.
    if (measured - kept).abs() < SET_CLOCK {
        return kept;
    }
    KEPT.store(measured, Ordering::Relaxed);
    measured
}

/// A smaller difference is the measurement's own.
const SET_CLOCK: i64 = 5_000_000;

/// Sleeps until `wake`; returns at once where that is over, early where a signal comes.
pub fn sleep_until(wake: Time) {
    // An error is a signal, and the caller looks at the clock anyway.
    let _interrupted = clock_nanosleep_absolute(ClockId::Monotonic, &timespec(wake.0));
}

/// A span of time as the system calls want it.
pub fn timespec(nanos: i64) -> Timespec {
    Timespec { tv_sec: nanos.div_euclid(NANOS_PER_SEC), tv_nsec: nanos.rem_euclid(NANOS_PER_SEC) }
}

fn of(time: Timespec) -> Time {
    Time(time.tv_sec * NANOS_PER_SEC + time.tv_nsec)
}
