//! What happens on the wire, told to whoever watches, without ever making the wire wait.
//!
//! A watcher that does not keep up loses events; they are counted, and it is told how many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use crate::units::Time;

/// Something that happened on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A write reached a servo.
    Write {
        /// When the bytes of its frame arrived.
        at: Time,
        /// Which servo.
        id: u8,
        /// The first register.
        address: u16,
        /// The bytes from there on.
        data: Vec<u8>,
    },
    /// The host sent a whole frame.
    Host {
        /// When its bytes arrived.
        at: Time,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// The host gets bytes.
    Servos {
        /// When they are due.
        at: Time,
        /// Which.
        bytes: Vec<u8>,
    },
    /// Somebody set a mark: all that happened before has been told, nothing after it.
    Mark {
        /// When.
        at: Time,
        /// What it is called.
        name: String,
    },
}

/// Which events a watcher wants, besides the marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Writes that reach servos.
    Writes,
    /// Everything that passes.
    Frames,
}

impl Wanted {
    fn covers(self, event: &Event) -> bool {
        match event {
            Event::Write { .. } => self == Self::Writes,
            Event::Host { .. } | Event::Servos { .. } => self == Self::Frames,
            Event::Mark { .. } => true,
        }
    }
}

/// The watcher's end: events as they come.
#[derive(Debug)]
pub struct Watch {
    /// The events; ends when the emulator does.
    pub events: Receiver<Event>,
    lost: Arc<AtomicU64>,
}

impl Watch {
    /// How many events were lost since this was asked last.
    pub fn take_lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Watcher {
    wanted: Wanted,
    queue: SyncSender<Event>,
    lost: Arc<AtomicU64>,
}

/// Everybody who watches.
#[derive(Debug, Default)]
pub struct Watchers(Vec<Watcher>);

impl Watchers {
    /// How many events wait for a slow watcher before some are lost.
    const PATIENCE: usize = 8192;

    /// Somebody more who watches.
    pub fn add(&mut self, wanted: Wanted) -> Watch {
        let (queue, events) = sync_channel(Self::PATIENCE);
        let lost = Arc::new(AtomicU64::new(0));
        self.0.push(Watcher { wanted, queue, lost: Arc::clone(&lost) });
        Watch { events, lost }
    }

    /// Tells everybody who wants to know; the event is made only where somebody watches.
    pub fn tell(&mut self, event: impl FnOnce() -> Event) {
        if self.0.is_empty() {
            return;
        }
        let event = event();
        self.0.retain(|watcher| {
            if !watcher.wanted.covers(&event) {
                return true;
            }
            match watcher.queue.try_send(event.clone()) {
                Ok(()) => true,
                Err(TrySendError::Full(_)) => {
                    watcher.lost.fetch_add(1, Ordering::Relaxed);
                    true
                }
                Err(TrySendError::Disconnected(_)) => false,
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watcher_that_does_not_keep_up_is_told_what_it_lost() {
        let mut watchers = Watchers::default();
        let watch = watchers.add(Wanted::Writes);
        for _ in 0..Watchers::PATIENCE + 3 {
            watchers.tell(|| Event::Write { at: Time(0), id: 1, address: 40, data: vec![1] });
        }
        assert_eq!(watch.take_lost(), 3);
        assert_eq!(watch.take_lost(), 0);
        assert_eq!(watch.events.try_iter().count(), Watchers::PATIENCE);
    }

    #[test]
    fn each_watcher_gets_what_it_wants_until_it_leaves() {
        let mut watchers = Watchers::default();
        let (writes, frames) = (watchers.add(Wanted::Writes), watchers.add(Wanted::Frames));
        watchers.tell(|| Event::Host { at: Time(0), bytes: vec![1] });
        assert_eq!((writes.events.try_iter().count(), frames.events.try_iter().count()), (0, 1));
        drop((writes, frames));
        watchers.tell(|| Event::Host { at: Time(0), bytes: vec![1] });
        watchers.tell(|| Event::Write { at: Time(0), id: 1, address: 40, data: vec![1] });
        assert!(watchers.0.is_empty());
    }
}
