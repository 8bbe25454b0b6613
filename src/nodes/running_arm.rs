//! An arm that runs: its control thread, the thread that publishes for it, and the events of both.

use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::publisher::{PublisherThread, SnapshotSink};
use crate::servo::control_thread::{ArmSetup, ControlLoop, ControlThread};
use crate::servo::ports::{ArmEvent, ArmPorts, Commander, ThreadPorts};

/// The threads of one arm.
pub struct RunningArm {
    control: ControlThread,
    /// Ends after the control thread, when all that has happened is told.
    publisher: Option<PublisherThread>,
    events: UnboundedReceiver<ArmEvent>,
    is_stopping: bool,
}

/// An arm that stops is looked at so often.
const END_CHECK: Duration = Duration::from_millis(5);

impl RunningArm {
    /// Finds the servos, if the arm is to start by itself, and starts the threads.
    ///
    /// # Errors
    /// Where the port or a servo cannot be used; nothing has moved then.
    pub fn start(
        setup: ArmSetup,
        commander: Box<dyn Commander>,
        (thread_ports, arm_ports): (ThreadPorts, ArmPorts),
        sinks: Vec<Box<dyn SnapshotSink>>,
    ) -> anyhow::Result<Self> {
        let control = if setup.hardware.autostart {
            ControlLoop::connect(setup, commander, thread_ports)?
        } else {
            ControlLoop::unconnected(setup, commander, thread_ports)
        };
        let (events_in, events) = unbounded_channel();
        let publisher = PublisherThread::spawn(arm_ports, sinks, events_in).context("publisher thread")?;
        let control = control.spawn().context("control thread")?;
        Ok(Self { control, publisher: Some(publisher), events, is_stopping: false })
    }

    /// What happens next; `None` once an arm that was asked to stop has done so, and all of it is told. Cancel safe.
    pub async fn next_event(&mut self) -> Option<ArmEvent> {
        loop {
            if self.is_stopping && self.control.has_ended() {
                self.publisher = None;
            }
            tokio::select! {
                biased;
                event = self.events.recv() => return event,
                () = tokio::time::sleep(END_CHECK), if self.is_stopping => {}
            }
        }
    }

    /// Asks the arm to come to rest, without waiting for it.
    pub fn ask_to_stop(&mut self) {
        tracing::info!("stopping");
        self.is_stopping = true;
        self.control.ask_to_stop();
    }

    /// Whether it was asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.is_stopping
    }
}
