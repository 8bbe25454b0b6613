//! What crosses between the control thread and the rest: bounded queues that neither side waits for.
//!
//! Requests go in, snapshots and events come out. A queue that is full loses the newest entry, and that is counted
//! or told; the control thread never blocks, allocates or frees for it.

use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use rtrb::{Consumer, Producer, RingBuffer};

use super::snapshot::Snapshot;
use crate::control::arm::{ArmRequest, MeasuredJoint, Reference, ReferenceSource};
use crate::control::follower::{Finished, Follower, Request};
use crate::control::gripper::goal::GripperFinished;
use crate::control::gripper::{Gripper, GripperRequest};
use crate::control::safety::Transition;
use crate::control::stream::{CommandStream, JointCommand};
use crate::units::Time;

/// What happened in the control thread, besides what snapshots say.
#[derive(Debug)]
pub enum ArmEvent {
    /// The arm's state changed.
    Transition(Transition),
    /// A request made no sense.
    Refused(ArmRequest, &'static str),
    /// The bus is in trouble, in words.
    Trouble(String),
    /// A goal ended.
    Finished(Finished),
    /// A gripper's goal ended.
    Gripped(GripperFinished),
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

/// References from trajectories, executed in the control thread itself.
pub struct TrajectoryCommander {
    follower: Follower,
    requests: Consumer<Request>,
}

impl TrajectoryCommander {
    /// A follower whose requests come through the queue that is returned with it.
    pub fn new(follower: Follower) -> (Self, Producer<Request>) {
        let (producer, requests) = RingBuffer::new(REQUESTS);
        (Self { follower, requests }, producer)
    }
}

impl Commander for TrajectoryCommander {
    fn source(&mut self) -> &mut dyn ReferenceSource {
        &mut self.follower
    }

    fn take_requests(&mut self) {
        while self.follower.has_room() {
            let Ok(request) = self.requests.pop() else { return };
            self.follower.request(request);
        }
    }

    fn next_event(&mut self) -> Option<ArmEvent> {
        self.follower.pop_finished().map(ArmEvent::Finished)
    }

    fn describe(&self, snapshot: &mut Snapshot) {
        snapshot.goal = self.follower.current();
        for (joint, desired) in snapshot.joints_mut().iter_mut().zip(self.follower.desired()) {
            joint.desired = *desired;
        }
    }
}

/// References of one joint that is a gripper.
pub struct GripperCommander {
    gripper: Gripper,
    requests: Consumer<GripperRequest>,
}

impl GripperCommander {
    /// A gripper whose requests come through the queue that is returned with it.
    pub fn new(gripper: Gripper) -> (Self, Producer<GripperRequest>) {
        let (producer, requests) = RingBuffer::new(REQUESTS);
        (Self { gripper, requests }, producer)
    }
}

impl Commander for GripperCommander {
    fn source(&mut self) -> &mut dyn ReferenceSource {
        &mut self.gripper
    }

    fn take_requests(&mut self) {
        while self.gripper.has_room() {
            let Ok(request) = self.requests.pop() else { return };
            self.gripper.request(request);
        }
    }

    fn next_event(&mut self) -> Option<ArmEvent> {
        self.gripper.pop_finished().map(ArmEvent::Gripped)
    }

    fn describe(&self, snapshot: &mut Snapshot) {
        if let Some(joint) = snapshot.joints_mut().get_mut(self.gripper.joint()) {
            (joint.desired, joint.gripper) = (self.gripper.desired(), self.gripper.status());
        }
    }
}

/// Several commanders in turn; where two speak of the same joint the later one counts.
pub struct Together(pub Vec<Box<dyn Commander>>);

impl Commander for Together {
    fn source(&mut self) -> &mut dyn ReferenceSource {
        self
    }

    fn take_requests(&mut self) {
        self.0.iter_mut().for_each(|part| part.take_requests());
    }

    fn next_event(&mut self) -> Option<ArmEvent> {
        self.0.iter_mut().find_map(|part| part.next_event())
    }

    fn describe(&self, snapshot: &mut Snapshot) {
        self.0.iter().for_each(|part| part.describe(snapshot));
    }
}

impl ReferenceSource for Together {
    fn step(&mut self, now: Time, measured: &[MeasuredJoint], reference: &mut [Reference]) -> bool {
        let mut moves = false;
        for part in &mut self.0 {
            moves |= part.source().step(now, measured, reference);
        }
        moves
    }

    fn limit_efforts(&mut self, limits: &mut [f64]) {
        self.0.iter_mut().for_each(|part| part.source().limit_efforts(limits));
    }

    fn hold_at(&mut self, positions: &[f64]) {
        self.0.iter_mut().for_each(|part| part.source().hold_at(positions));
    }

    fn halt(&mut self, why: &'static str) {
        self.0.iter_mut().for_each(|part| part.source().halt(why));
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
