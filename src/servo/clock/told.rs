//! Time that is told from outside, as by ROS's `/clock`: it may stand still, be slow or fast, and be set back.
//!
//! Whoever asks sees moments that never go back. When the clock is set back, moments go on from where they were, stamps
//! begin anew, and the resets are counted: what is under way then has to end.

use std::cell::OnceCell;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::Thread;
use std::time::Duration;

use super::monotonic;
use crate::units::Time;

/// A clock that is told the time.
#[derive(Debug)]
pub(super) struct Told {
    /// The last moment that was told.
    present: AtomicI64,
    /// What a moment is ahead of its stamp.
    ahead: AtomicI64,
    has_begun: AtomicBool,
    resets: AtomicU64,
    /// How often the time was told, whether it was another one or not.
    words: AtomicU64,
    sleepers: Mutex<Vec<Weak<Sleeper>>>,
}

/// A thread that waits for a moment.
#[derive(Debug)]
struct Sleeper {
    thread: Thread,
    wake: AtomicI64,
}

/// The moment before the first word; zero means "never" to some.
const BEGINNING: i64 = 1_000_000_000;
/// A clock that is this much behind (ns) was set back; less is one word that overtook another.
const SET_BACK: i64 = 100_000_000;

thread_local! {
    static MYSELF: OnceCell<Arc<Sleeper>> = const { OnceCell::new() };
}

impl Told {
    pub(super) const fn new() -> Self {
        Self {
            present: AtomicI64::new(BEGINNING),
            ahead: AtomicI64::new(BEGINNING),
            has_begun: AtomicBool::new(false),
            resets: AtomicU64::new(0),
            words: AtomicU64::new(0),
            sleepers: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn present(&self) -> Time {
        Time(self.present.load(Ordering::Acquire))
    }

    pub(super) fn resets(&self) -> u64 {
        self.resets.load(Ordering::Acquire)
    }

    pub(super) fn words(&self) -> u64 {
        self.words.load(Ordering::Relaxed)
    }

    /// The stamp of a moment (ns); of one before the last reset it is the earliest there is.
    pub(super) fn stamp(&self, moment: Time) -> i64 {
        moment.0.saturating_sub(self.ahead.load(Ordering::Acquire)).max(0)
    }

    pub(super) fn moment(&self, stamp: i64) -> Time {
        Time(stamp.saturating_add(self.ahead.load(Ordering::Acquire)))
    }

    /// It is this time now (ns), which whoever waits for it learns. One thread tells it.
    pub(super) fn tell(&self, stamp: i64) {
        self.words.fetch_add(1, Ordering::Relaxed);
        let present = self.present.load(Ordering::Relaxed);
        let moment = stamp.saturating_add(self.ahead.load(Ordering::Relaxed));
        let is_first = !self.has_begun.swap(true, Ordering::Relaxed);
        if is_first || moment.saturating_add(SET_BACK) < present {
            self.ahead.store(present.saturating_sub(stamp), Ordering::Release);
            if !is_first {
                self.resets.fetch_add(1, Ordering::AcqRel);
            }
        } else if present < moment {
            self.present.store(moment, Ordering::SeqCst);
        }
        self.wake(present.max(moment));
    }

    /// The same for a clock that gives stamps only: it is this time at this moment, whichever it was before.
    pub(super) fn note(&self, stamp: i64, moment: Time) {
        self.has_begun.store(true, Ordering::Relaxed);
        self.ahead.store(moment.0.saturating_sub(stamp), Ordering::Release);
    }

    pub(super) fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Relaxed)
    }

    /// Waits until `wake`, for `patience` of the machine's time at most; tells whether it is that late.
    pub(super) fn wait(&self, wake: Time, patience: Duration) -> bool {
        let give_up = monotonic() + patience;
        MYSELF.with(|myself| {
            let myself = myself.get_or_init(|| self.register());
            myself.wake.store(wake.0, Ordering::SeqCst);
            let is_reached = loop {
                if wake <= self.present() {
                    break true;
                }
                let left = give_up.saturating_since(monotonic());
                if left.is_zero() {
                    break false;
                }
                std::thread::park_timeout(left);
            };
            myself.wake.store(i64::MAX, Ordering::Relaxed);
            is_reached
        })
    }

    fn register(&self) -> Arc<Sleeper> {
        let sleeper = Arc::new(Sleeper { thread: std::thread::current(), wake: AtomicI64::new(i64::MAX) });
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        sleepers.push(Arc::downgrade(&sleeper));
        sleeper
    }

    fn wake(&self, present: i64) {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        sleepers.retain(|sleeper| {
            let Some(sleeper) = sleeper.upgrade() else { return false };
            if sleeper.wake.load(Ordering::SeqCst) <= present {
                sleeper.thread.unpark();
            }
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn the_first_word_is_no_leap_and_moments_follow_what_is_told() {
        let told = Told::new();
        let beginning = told.present();
        assert_eq!((told.stamp(beginning), told.resets()), (0, 0));
        told.tell(35 * SECOND);
        assert_eq!((told.present(), told.stamp(told.present())), (beginning, 35 * SECOND));
        told.tell(36 * SECOND);
        assert_eq!(told.present(), beginning + Duration::from_secs(1));
        assert_eq!(told.moment(35 * SECOND), beginning);
        assert_eq!(told.resets(), 0);
    }

    #[test]
    fn a_clock_that_is_set_back_takes_stamps_back_and_no_moment() {
        let told = Told::new();
        told.tell(5 * SECOND);
        told.tell(35 * SECOND);
        let before = told.present();
        told.tell(0);
        assert_eq!((told.present(), told.stamp(before), told.resets()), (before, 0, 1));
        assert_eq!(told.stamp(before - Duration::from_secs(3)), 0, "there is no stamp before the first");
        told.tell(2 * SECOND);
        assert_eq!(told.present(), before + Duration::from_secs(2));
    }

    #[test]
    fn a_word_that_was_overtaken_is_no_reset() {
        let told = Told::new();
        told.tell(SECOND);
        told.tell(SECOND + 2_000_000);
        let present = told.present();
        told.tell(SECOND + 1_000_000);
        assert_eq!((told.present(), told.resets(), told.words()), (present, 0, 3));
    }

    #[test]
    fn who_waits_is_woken_when_the_moment_comes_and_not_by_time_that_stands_still() {
        let told = Told::new();
        told.tell(0);
        let wake = told.present() + Duration::from_secs(1);
        assert!(!told.wait(wake, Duration::from_millis(1)), "nobody told the time");
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| told.wait(wake, PATIENCE));
            while told.sleepers.lock().unwrap().len() < 2 {
                std::thread::yield_now();
            }
            told.tell(SECOND / 2);
            told.tell(SECOND);
            assert!(waits.join().unwrap());
        });
    }
}
