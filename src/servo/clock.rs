//! The one clock of the bus: monotonic, and never set.

use rustix::thread::{ClockId, clock_nanosleep_absolute};
use rustix::time::{Timespec, clock_gettime};

use crate::units::Time;

const NANOS_PER_SEC: i64 = 1_000_000_000;

/// The present.
pub fn now() -> Time {
    of(clock_gettime(ClockId::Monotonic))
}

/// What the wall clock says, in nanoseconds since 1970; for stamps only.
pub fn wall_nanos() -> i64 {
    of(clock_gettime(ClockId::Realtime)).0
}

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
