//! The thread that takes what the control thread hands out, and publishes it.
//!
//! Every cycle's snapshot is seen by every [`SnapshotSink`]; events go to the async tasks. The control thread wakes
//! it and never waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rtrb::Consumer;
use tokio::sync::mpsc::UnboundedSender;

use crate::servo::ports::{ArmEvent, ArmPorts};
use crate::servo::snapshot::Snapshot;

/// Somebody who publishes snapshots.
pub trait SnapshotSink: Send {
    /// Sees a cycle.
    fn see(&mut self, snapshot: &Snapshot);
}

/// The running thread; ends when this is dropped.
pub struct PublisherThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// It is woken for every cycle; this is only for its end.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

impl PublisherThread {
    /// Starts it.
    ///
    /// # Errors
    /// Where there can be no such thread.
    pub fn spawn(
        mut ports: ArmPorts,
        mut sinks: Vec<Box<dyn SnapshotSink>>,
        events: UnboundedSender<ArmEvent>,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("publisher".into()).spawn(move || {
            ports.wake_this_thread();
            loop {
                // What comes before its end is still seen.
                let is_last = stopped.load(Ordering::Acquire);
                while let Ok(snapshot) = ports.snapshots.pop() {
                    // What happened in a cycle is told before the cycle is seen.
                    tell(&mut ports.events, &events);
                    sinks.iter_mut().for_each(|sink| sink.see(&snapshot));
                }
                if is_last {
                    return tell(&mut ports.events, &events);
                }
                std::thread::park_timeout(LONGEST_WAIT);
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for PublisherThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _panicked = thread.join();
        }
    }
}

fn tell(events: &mut Consumer<ArmEvent>, to: &UnboundedSender<ArmEvent>) {
    while let Ok(event) = events.pop() {
        // Nobody listens once the node's tasks have ended.
        let _unheard = to.send(event);
    }
}
