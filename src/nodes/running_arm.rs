//! An arm that runs: its control thread, the thread that publishes for it, and the events of both.

use anyhow::Context as _;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::publisher::{PublisherThread, SnapshotSink};
use crate::servo::control_thread::{ArmSetup, ControlLoop, ControlThread};
use crate::servo::ports::{ArmEvent, ArmPorts, Commander, ThreadPorts};

/// The threads of one arm.
pub struct RunningArm {
    control: ControlThread,
    publisher: PublisherThread,
    events: UnboundedReceiver<ArmEvent>,
}

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
        Ok(Self { control, publisher, events })
    }

    /// What happens next. Cancel safe.
    pub async fn next_event(&mut self) -> ArmEvent {
        match self.events.recv().await {
            Some(event) => event,
            // The publisher lives as long as `self`, so that this is not reached.
            None => std::future::pending().await,
        }
    }

    /// Asks the arm to come to rest, without waiting for it.
    pub fn ask_to_stop(&self) {
        self.control.ask_to_stop();
    }

    /// Brings the arm to rest, ends the threads, and gives what happened meanwhile.
    pub fn stop(mut self) -> Vec<ArmEvent> {
        tracing::info!("stopping");
        self.control.stop();
        drop(self.publisher);
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }
}
