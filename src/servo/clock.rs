//! The one clock of the bus: monotonic, and never set.
//!
//! A thread may run on simulated time instead, see [`Simulation`]: then time stands still while it computes, and
//! whoever waits has waited.
//!
//! A process may go by a clock that somebody tells the time, see [`follow`]: then that is everybody's time, or that of
//! its stamps.

mod told;

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::time::Duration;

use rustix::thread::{ClockId, clock_nanosleep_absolute};
use rustix::time::{Timespec, clock_gettime};

use self::told::Told;
use crate::units::Time;

const NANOS_PER_SEC: i64 = 1_000_000_000;

thread_local! {
    /// The present of a thread on simulated time.
    static SIMULATED: Cell<Option<Time>> = const { Cell::new(None) };
}

/// What a process's time is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Follow {
    /// The machine's.
    #[default]
    Machine = 0,
    /// The machine's, but for stamps, which are those of the clock that is told.
    Stamps = 1,
    /// That of the clock that is told.
    Wholly = 2,
}

static FOLLOWED: AtomicU8 = AtomicU8::new(Follow::Machine as u8);
static TOLD: Told = Told::new();

/// The process goes by this clock from now on. To be said before its threads start.
pub fn follow(clock: Follow) {
    FOLLOWED.store(clock as u8, Ordering::Release);
}

fn follows(clock: Follow) -> bool {
    FOLLOWED.load(Ordering::Acquire) == clock as u8
}

/// It is this time now (ns since the clock's beginning); for a process that goes by a clock that is told.
pub fn tell(stamp: i64) {
    if follows(Follow::Wholly) {
        TOLD.tell(stamp);
    } else {
        TOLD.note(stamp, monotonic());
    }
}

/// How often a clock that is told was set back since the process began.
pub fn resets() -> u64 {
    if follows(Follow::Wholly) { TOLD.resets() } else { 0 }
}

/// The time at one look, and how often it had been told: a clock that stands still is told, too.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    time: Time,
    words: u64,
}

impl Look {
    /// A look at the present.
    pub fn now() -> Self {
        Self { time: now(), words: TOLD.words() }
    }

    /// Whether the same time was told again since `before`, as a paused simulation does.
    pub fn stands_still_since(self, before: Self) -> bool {
        self.time == before.time && self.words != before.words
    }
}

/// The present.
pub fn now() -> Time {
    SIMULATED.get().unwrap_or_else(|| if follows(Follow::Wholly) { TOLD.present() } else { monotonic() })
}

/// The present by the machine's own clock, whatever the process goes by; for patience with other processes.
pub fn machine_now() -> Time {
    SIMULATED.get().unwrap_or_else(monotonic)
}

/// Whether the calling thread is on simulated time.
pub fn is_simulated() -> bool {
    SIMULATED.get().is_some()
}

fn monotonic() -> Time {
    of(clock_gettime(ClockId::Monotonic))
}

/// Simulated time for the thread that made it, until it is dropped.
///
/// [`now`] stands still but for [`sleep_until`], which takes no time of the machine's.
#[derive(Debug)]
pub struct Simulation {
    /// What it replaced.
    outer: Option<Time>,
    /// It is the thread's.
    of_this_thread: PhantomData<*const ()>,
}

impl Simulation {
    /// The calling thread's time is `start` from now on.
    pub fn begin(start: Time) -> Self {
        Self { outer: SIMULATED.replace(Some(start)), of_this_thread: PhantomData }
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        SIMULATED.set(self.outer);
    }
}

/// What the wall clock says at `time`, in nanoseconds since 1970, or the clock that is told; for stamps only.
///
/// Wall clock and machine run alike, so the same instant gives the same answer until somebody sets the wall clock.
pub fn wall_nanos_at(time: Time) -> i64 {
    if follows(Follow::Machine) {
        return time.0 + wall_offset();
    }
    // Nobody knows the time before it was told; it is zero then.
    if TOLD.has_begun() { TOLD.stamp(time) } else { 0 }
}

/// The instant at which the wall clock, or the clock that is told, says `nanos`.
pub fn at_wall_nanos(nanos: i64) -> Time {
    if follows(Follow::Machine) { Time(nanos - wall_offset()) } else { TOLD.moment(nanos) }
}

/// What the wall clock is ahead, as it was measured when it was set last.
fn wall_offset() -> i64 {
    static KEPT: AtomicI64 = AtomicI64::new(0);
    let before = monotonic().0;
    let wall = of(clock_gettime(ClockId::Realtime)).0;
    let measured = wall - (before + monotonic().0) / 2;
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
    if let Some(present) = SIMULATED.get() {
        SIMULATED.set(Some(present.max(wake)));
        return;
    }
    if follows(Follow::Wholly) {
        while !TOLD.wait(wake, Duration::from_secs(1)) {}
        return;
    }
    // An error is a signal, and the caller looks at the clock anyway.
    let _interrupted = clock_nanosleep_absolute(ClockId::Monotonic, &timespec(wake.0));
}

/// Sleeps until `wake`, and no longer than `patience` where the time is told and does not come so far; tells whether it
/// did.
pub fn wait_until(wake: Time, patience: Duration) -> bool {
    if follows(Follow::Wholly) && !is_simulated() {
        return TOLD.wait(wake, patience);
    }
    sleep_until(wake);
    true
}

/// A span of time as the system calls want it.
pub fn timespec(nanos: i64) -> Timespec {
    Timespec { tv_sec: nanos.div_euclid(NANOS_PER_SEC), tv_nsec: nanos.rem_euclid(NANOS_PER_SEC) }
}

fn of(time: Timespec) -> Time {
    Time(time.tv_sec * NANOS_PER_SEC + time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simulated_time_passes_by_waiting_alone_and_for_its_thread_alone() {
        let hour = Duration::from_secs(3600);
        let simulation = Simulation::begin(Time(7));
        assert_eq!(now(), Time(7));
        sleep_until(Time(7) + hour);
        assert_eq!(now(), Time(7) + hour);
        sleep_until(Time(3));
        assert_eq!(now(), Time(7) + hour, "time does not go back");
        let elsewhere = std::thread::spawn(now).join().unwrap();
        assert_ne!(elsewhere, Time(7) + hour);
        drop(simulation);
        assert!(monotonic() <= now());
    }
}
