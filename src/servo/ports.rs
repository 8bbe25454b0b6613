//! What crosses between the control thread and the rest: bounded queues that neither side waits for.
//!
//! Requests go in, snapshots and events come out. A queue that is full loses the newest entry, and that is counted
//! or told; the control thread never blocks, allocates or frees for it.

use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use rtrb::{Consumer, Producer, RingBuffer};

use super::snapshot::Snapshot;
use crate::control::arm::{ArmRequest, ReferenceSource};
use crate::control::ensemble::{Ensemble, MemberEvent, MemberRequest};
use crate::control::safety::{Refusal, Transition};
use crate::control::stream::{CommandStream, JointCommand};
use crate::control::watch::WatchNews;

/// What happened in the control thread, besides what snapshots say.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a box would allocate in the control thread")]
pub enum ArmEvent {
    /// The arm's state changed.
    Transition(Transition),
    /// A request made no sense.
    Refused(ArmRequest, Refusal),
    /// Something that is watched of a servo began or ended to be a warning or a trip.
    Watch(WatchNews),
    /// The bus is in trouble, in words.
    Trouble(String),
    /// Why the servos could not be found when that was asked for.
    NotConnected(String),
    /// A controller has something to say.
    Controller(usize, MemberEvent),
}

/// Where the control thread gets its references from, and what of it others may see.
pub trait Commander: Send {
    /// The references.
    fn source(&mut self) -> &mut dyn ReferenceSource;

    /// Takes what was asked since the last cycle.
    fn take_requests(&mut self);

    /// Something that ended and was not handed out yet.
    fn next_event(&mut self) -> Option<ArmEvent>;

    /// Writes its view of the present into the snapshot.
    fn describe(&self, snapshot: &mut Snapshot);
}

/// References from controllers in the control thread itself.
pub struct EnsembleCommander {
    ensemble: Ensemble,
    requests: Consumer<(usize, MemberRequest)>,
}

impl EnsembleCommander {
    /// Controllers whose requests come through the queue that is returned with it.
    pub fn new(ensemble: Ensemble) -> (Self, Producer<(usize, MemberRequest)>) {
        let (producer, requests) = RingBuffer::new(REQUESTS);
        (Self { ensemble, requests }, producer)
    }
}

impl Commander for EnsembleCommander {
    fn source(&mut self) -> &mut dyn ReferenceSource {
        &mut self.ensemble
    }

    fn take_requests(&mut self) {
        while self.ensemble.has_room() {
            let Ok((member, request)) = self.requests.pop() else { return };
            self.ensemble.request(member, request);
        }
    }

    fn next_event(&mut self) -> Option<ArmEvent> {
        self.ensemble.pop_event().map(|(member, event)| ArmEvent::Controller(member, event))
    }

    fn describe(&self, snapshot: &mut Snapshot) {
        snapshot.describe(&self.ensemble);
    }
}

/// References from the newest command of another process.
pub struct StreamCommander {
    stream: CommandStream,
    commands: Consumer<JointCommand>,
}

impl StreamCommander {
    /// A stream whose commands come through the queue that is returned with it.
    pub fn new(stream: CommandStream) -> (Self, Producer<JointCommand>) {
        let (producer, commands) = RingBuffer::new(REQUESTS);
        (Self { stream, commands }, producer)
    }
}

impl Commander for StreamCommander {
    fn source(&mut self) -> &mut dyn ReferenceSource {
        &mut self.stream
    }

    fn take_requests(&mut self) {
        while let Ok(command) = self.commands.pop() {
            self.stream.push(command);
        }
    }

    fn next_event(&mut self) -> Option<ArmEvent> {
        None
    }

    fn describe(&self, snapshot: &mut Snapshot) {
        for joint in snapshot.joints_mut() {
            joint.desired.position = joint.command;
            joint.desired.velocity = joint.command_velocity;
        }
    }
}

/// The control thread's end of the queues.
pub struct ThreadPorts {
    pub(super) requests: Consumer<ArmRequest>,
    pub(super) events: Producer<ArmEvent>,
    pub(super) snapshots: Producer<Snapshot>,
    waker: Arc<OnceLock<Thread>>,
}

/// The end of the queues that takes what the control thread hands out.
pub struct ArmPorts {
    /// What happened.
    pub events: Consumer<ArmEvent>,
    /// What every cycle saw and did.
    pub snapshots: Consumer<Snapshot>,
    waker: Arc<OnceLock<Thread>>,
}

/// Requests that may wait for the next cycle.
const REQUESTS: usize = 64;
const EVENTS: usize = 256;
/// Snapshots that may wait for the publisher: more than half a second at 200 Hz.
const SNAPSHOTS: usize = 128;

/// The queues between a control thread and the rest: the thread's end, the takers' end, and what users ask.
pub fn ports() -> (ThreadPorts, ArmPorts, Producer<ArmRequest>) {
    let (request_in, requests) = RingBuffer::new(REQUESTS);
    let (events, event_out) = RingBuffer::new(EVENTS);
    let (snapshots, snapshot_out) = RingBuffer::new(SNAPSHOTS);
    let waker = Arc::new(OnceLock::new());
    (
        ThreadPorts { requests, events, snapshots, waker: waker.clone() },
        ArmPorts { events: event_out, snapshots: snapshot_out, waker },
        request_in,
    )
}

impl ThreadPorts {
    /// Wakes whoever takes snapshots and events.
    pub(super) fn wake(&self) {
        if let Some(thread) = self.waker.get() {
            thread.unpark();
        }
    }
}

impl ArmPorts {
    /// The calling thread is unparked from now on whenever there is something to take.
    pub fn wake_this_thread(&self) {
        let _set_once = self.waker.set(std::thread::current());
    }
}
