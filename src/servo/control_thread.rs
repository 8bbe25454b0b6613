//! The control thread of one bus: at absolute deadlines it reads, judges, limits and writes, and hands out what it saw.
//!
//! ```text
//! due ─ read every servo ─ core: judge, reference, limit ─ write goals ─ torque order ─ snapshot ─ sleep ─ due
//! ```
//! Between two cycles nothing is allocated, freed or locked. While the bus is lost the thread looks for it five
//! times a second; then it may do all of that.

mod port;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use self::port::Ending;
use super::bus::LinkLost;
use super::clock::{self, Look};
use super::driver::{Driver, IdentifyError, Identity, JointRating};
use super::gazebo_arm::GazeboLink;
use super::ports::{ArmEvent, Commander, ThreadPorts};
use super::realtime;
use super::snapshot::{Occasion, ServoReport, Snapshot, part_of};
use crate::config::hardware::{HardwareConfig, TorquePolicy};
use crate::control::arm::{ArmCore, ArmPolicy, ArmRequest, Care, MeasuredJoint, Orders};
use crate::control::safety::{Cause, Refusal};
use crate::trajectory::limits::JointLimits;
use crate::units::Time;

/// What an arm is made of, as the control thread needs it.
#[derive(Clone, Debug)]
pub struct ArmSetup {
    /// The joints' names.
    pub joints: Vec<String>,
    /// Their limits.
    pub limits: Vec<JointLimits>,
    /// What their servos must know.
    pub ratings: Vec<JointRating>,
    /// Joints that follow one of them.
    pub mimics: Vec<MimicJoint>,
    /// The bus, the servos, the policies.
    pub hardware: HardwareConfig,
    /// What connects it with Gazebo, where that is in the place of the servos.
    pub gazebo: Option<Arc<GazeboLink>>,
    /// Time between two cycles.
    pub period: Duration,
}

/// A joint that follows one of the arm's: its position is `multiplier` times the leader's, plus `offset`.
#[derive(Clone, Debug, PartialEq)]
pub struct MimicJoint {
    /// Its name.
    pub name: String,
    /// The joint that it follows, counted from 0.
    pub leader: usize,
    /// What the leader's position is multiplied with.
    pub multiplier: f64,
    /// What is added (rad or m).
    pub offset: f64,
    /// What its servo must know, where it has one.
    pub rating: JointRating,
}

impl MimicJoint {
    /// What is known of it where only its leader has a servo: where it must be, and nothing of its effort.
    pub fn follow(&self, leader: &ServoReport) -> ServoReport {
        ServoReport {
            fresh: leader.fresh,
            stamp: leader.stamp,
            position: self.multiplier * leader.position + self.offset,
            velocity: self.multiplier * leader.velocity,
            effort: f64::NAN,
            ..ServoReport::default()
        }
    }
}

/// One arm's cycle and all that it needs.
pub struct ControlLoop {
    setup: ArmSetup,
    bus: Option<Box<dyn Driver>>,
    /// Whether a bus that is lost is looked for.
    is_wanted: bool,
    is_connect_asked: bool,
    /// The arm is on its way to a closed port.
    closing: Option<Ending>,
    /// Who the joints' servos were when they were found first.
    known: Vec<Option<Identity>>,
    /// What holds meanwhile, where one of several buses is lost.
    rest: Option<Box<dyn Driver>>,
    /// For how many cycles.
    cycles_lost: u32,
    core: ArmCore,
    commander: Box<dyn Commander>,
    ports: ThreadPorts,
    snapshot: Snapshot,
    started: Option<Time>,
    wire_time: Duration,
    /// From the moment when a cycle is due until its servos have answered, if all goes well.
    reading: Duration,
    next_attempt: Time,
    /// Why the bus could not be had at the last attempt, in words.
    last_refusal: String,
    /// How often time had been set back.
    resets: u64,
    /// When the last cycle began.
    began: Option<Time>,
    /// The last look between cycles.
    looked: Look,
}

/// A running control thread. Dropped, it brings the arm to rest, does what the policy says about torque, and ends.
pub struct ControlThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Time between two attempts to find a lost bus: the arm is to be back within a second of its port.
const RECONNECT_PERIOD: Duration = Duration::from_millis(200);
/// Where time is told from outside and stands still, it is looked so often (of the machine's time) at what is asked.
const STANDSTILL: Duration = Duration::from_millis(20);
/// An arm that is told to stop while time stands still is at rest as it will ever be after so long of it.
const LONGEST_STANDSTILL: Duration = Duration::from_millis(500);
/// What is left of a period for everything but the wire.
const CYCLE_RESERVE: Duration = Duration::from_micros(300);
/// An arm that is told to stop is at rest after this long, or never.
const LONGEST_STOP: Duration = Duration::from_secs(3);
/// An arm that is told to rest then is there after this long, or never.
const LONGEST_REST: Duration = Duration::from_secs(20);

impl ControlLoop {
    /// Finds the servos. Nothing moves, and no torque changes.
    ///
    /// # Errors
    /// Where the port cannot be opened or a servo is missing.
    pub fn connect(
        setup: ArmSetup,
        commander: Box<dyn Commander>,
        ports: ThreadPorts,
    ) -> Result<Self, IdentifyError> {
        let torque_on_start = setup.hardware.torque_on_start;
        let mut control = Self::new(setup, commander, ports, torque_on_start);
        control.open()?;
        Ok(control)
    }

    /// Opens nothing before [`ArmRequest::Connect`], and brings no torque on before it is asked for.
    pub fn unconnected(setup: ArmSetup, commander: Box<dyn Commander>, ports: ThreadPorts) -> Self {
        Self::new(setup, commander, ports, false)
    }

    fn new(
        setup: ArmSetup,
        commander: Box<dyn Commander>,
        ports: ThreadPorts,
        torque_on_start: bool,
    ) -> Self {
        let hardware = &setup.hardware;
        let policy = ArmPolicy {
            torque_ramp: hardware.torque_ramp,
            misses_to_degraded: hardware.misses_to_degraded,
            misses_to_fault: hardware.misses_to_fault,
            on_fault: hardware.on_fault,
            on_command_loss: hardware.on_command_loss,
            on_deactivate: hardware.on_deactivate,
        };
        let period_secs = setup.period.as_secs_f64();
        let care = Care {
            watch: hardware.watch.clone(),
            torque_limits: hardware.servos.iter().map(|servo| servo.torque_limit).collect(),
            max_efforts: setup.ratings.iter().map(|rating| rating.max_effort).collect(),
            rest_pose: hardware.rest_pose.clone(),
        };
        let core = ArmCore::new(&setup.limits, period_secs, policy, torque_on_start)
            .with_care(care, period_secs)
            .with_lines(hardware.servos.iter().map(|servo| servo.bus));
        Self {
            wire_time: Duration::ZERO,
            reading: setup.period / 2,
            snapshot: Snapshot::new(setup.joints.len(), setup.mimics.len()),
            known: Vec::new(),
            bus: None,
            is_wanted: false,
            is_connect_asked: false,
            closing: None,
            rest: None,
            cycles_lost: 0,
            core,
            commander,
            ports,
            started: None,
            next_attempt: Time(0),
            last_refusal: String::new(),
            resets: clock::resets(),
            began: None,
            looked: Look::now(),
            setup,
        }
    }

    /// Runs the loop on a thread of its own, until [`ControlThread::stop`].
    ///
    /// # Errors
    /// Where there can be no such thread.
    pub fn spawn(mut self) -> std::io::Result<ControlThread> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("control".into()).spawn(move || {
            for refused in realtime::set_up_current_thread(&self.setup.hardware.realtime) {
                self.give(ArmEvent::Trouble(refused));
            }
            self.run(&stopped);
        })?;
        Ok(ControlThread { stop, thread: Some(thread) })
    }

    /// The arm, for whoever runs cycles by hand.
    pub fn core(&self) -> &ArmCore {
        &self.core
    }

    /// The last cycle.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Waits until `due`, does the cycle as the control thread does it, and tells when the next one is due.
    ///
    /// Where the time is told from outside and comes slowly or not at all, there is no cycle: it is only looked what is
    /// asked, and whether the bus is still there.
    pub fn turn(&mut self, due: Time) -> Time {
        if !clock::wait_until(due, STANDSTILL) {
            self.look(clock::now());
            return due;
        }
        self.cycle(due, due + self.read_budget());
        self.next_due(due)
    }

    fn look(&mut self, now: Time) {
        let looked = Look::now();
        let before = std::mem::replace(&mut self.looked, looked);
        let stands_still = looked.stands_still_since(before);
        self.snapshot.occasion = if stands_still { Occasion::Standstill } else { Occasion::Between };
        self.listen(now);
        self.open_or_close(now);
        self.hand_out(now, now);
    }

    /// One cycle that was due at `due`; the servos' answers are waited for until `latest`.
    pub fn cycle(&mut self, due: Time, latest: Time) {
        let began = clock::now();
        (self.snapshot.told, self.snapshot.occasion) = (false, Occasion::Cycle);
        self.note_resets();
        if let Some(mut bus) = self.bus.take() {
            match self.on_bus(bus.as_mut(), due, latest) {
                Ok(()) => self.bus = Some(bus),
                Err(lost) => {
                    self.rest = Some(bus).filter(|bus| bus.survives());
                    self.on_lost(&lost);
                }
            }
        } else {
            self.take_requests();
            self.look_for_bus(began, latest);
        }
        self.open_or_close(due);
        self.hand_out(due, began);
    }

    fn run(&mut self, stop: &AtomicBool) {
        let mut due = clock::now();
        let mut stopping = None;
        let mut stands_since = clock::machine_now();
        loop {
            let next = self.turn(due);
            if next != due {
                stands_since = clock::machine_now();
            }
            due = next;
            if stop.load(Ordering::Relaxed) {
                let ending = *stopping.get_or_insert_with(|| self.begin_to_end("the node stops"));
                let stands_still = LONGEST_STANDSTILL < clock::machine_now().saturating_since(stands_since);
                if stands_still || self.is_over(ending, due) {
                    return self.shut_down();
                }
            }
        }
    }

    /// A cycle's time is the moment when its goals are due on the wire, whenever they are: references that are sampled at
    /// even steps move evenly.
    fn on_bus(&mut self, bus: &mut dyn Driver, due: Time, latest: Time) -> Result<(), LinkLost> {
        let now = due + self.reading;
        bus.read(latest)?;
        // What was asked while the servos answered still counts for this cycle.
        self.take_requests();
        for joint in 0..self.setup.joints.len() {
            let report = bus.report(joint);
            self.core.note_health(joint, report.into());
            if report.late {
                self.core.note_late(joint);
            }
        }
        let orders = self.core.tick(now, fresh(bus, self.setup.joints.len()), self.commander.source());
        let written_by = latest + bus.write_wire_time();
        self.carry_out(bus, orders, written_by)?;
        self.wire_time += bus.cycle_wire_time();
        self.note_reports(bus);
        while let Some(trouble) = bus.next_trouble() {
            self.give(ArmEvent::Trouble(trouble));
        }
        Ok(())
    }

    fn listen(&mut self, now: Time) {
        self.snapshot.told = false;
        self.note_resets();
        let Some(mut bus) = self.bus.take() else {
            self.take_requests();
            return self.look_for_bus(now, now);
        };
        match bus.read(now) {
            Ok(()) => {
                self.take_requests();
                self.note_reports(bus.as_ref());
                self.bus = Some(bus);
            }
            Err(lost) => {
                self.rest = Some(bus).filter(|bus| bus.survives());
                self.on_lost(&lost);
            }
        }
    }

    /// Time that was set back is a simulation that begins anew, with the arm somewhere else perhaps.
    fn note_resets(&mut self) {
        let resets = clock::resets();
        if std::mem::replace(&mut self.resets, resets) != resets {
            self.set_time_back();
        }
    }

    /// Whatever moves ends, and an arm that was held is held again where it stands.
    pub(super) fn set_time_back(&mut self) {
        self.core.on_time_set_back(self.commander.source());
    }

    fn note_reports(&mut self, bus: &dyn Driver) {
        for (index, joint) in self.snapshot.joints_mut().iter_mut().enumerate() {
            (joint.servo, joint.disagreement) = (*bus.report(index), bus.disagreement(index));
        }
        for (index, mimic) in self.setup.mimics.iter().enumerate() {
            let own = bus.mimic_report(index).copied();
            let report = own.unwrap_or_else(|| mimic.follow(bus.report(mimic.leader)));
            self.snapshot.mimics_mut()[index] = report;
        }
        self.snapshot.bus = bus.counters();
        self.snapshot.note_buses((0..).map_while(|index| bus.bus_report(index)));
    }

    fn carry_out(&mut self, bus: &mut dyn Driver, orders: Orders, latest: Time) -> Result<(), LinkLost> {
        if orders.goals {
            bus.write_goals(self.core.commands())?;
            self.snapshot.told = true;
        }
        let Some(order) = orders.torque else { return Ok(()) };
        let said = bus.obey(order, self.core.effort_limits(), latest)?;
        if let Some(joint) = order.joint() {
            self.core.on_read_back(joint, said, bus.resolution(joint), self.commander.source());
        }
        Ok(())
    }

    fn take_requests(&mut self) {
        self.commander.take_requests();
        while let Ok(request) = self.ports.requests.pop() {
            match request {
                ArmRequest::TorqueOn | ArmRequest::Reset | ArmRequest::Connect if self.closing.is_some() => {
                    let why = "the arm's port is being closed; ask again when it is";
                    self.give(ArmEvent::Refused(request, Refusal::new(why)));
                    continue;
                }
                ArmRequest::Connect => self.is_connect_asked = true,
                ArmRequest::Disconnect if self.closing.is_none() => {
                    self.closing = Some(self.begin_to_end(Cause::PortClosed.text()));
                }
                _ => {}
            }
            if let Err(why) = self.core.request(request, self.commander.source()) {
                self.give(ArmEvent::Refused(request, why));
            }
            self.ask_rest(request);
        }
    }

    /// An arm that lost a bus knows nothing of torque any more, and the servos of the others hold theirs.
    fn ask_rest(&mut self, request: ArmRequest) {
        let releases = match request {
            ArmRequest::TorqueOff => true,
            ArmRequest::EmergencyStop => self.setup.hardware.on_fault == TorquePolicy::Release,
            _ => false,
        };
        let Some(rest) = self.rest.as_mut().filter(|_| releases) else { return };
        let held = rest.release();
        self.tell_held(&held);
    }

    fn tell_held(&mut self, still_held: &[String]) {
        if !still_held.is_empty() {
            self.give(ArmEvent::Trouble(format!("torque may still be on at {}", still_held.join(", "))));
        }
    }

    fn on_lost(&mut self, lost: &LinkLost) {
        self.core.on_disconnected(self.commander.source());
        self.give(ArmEvent::Trouble(format!("{lost}; looking for it")));
        self.next_attempt = clock::now() + RECONNECT_PERIOD;
        for joint in self.snapshot.joints_mut() {
            joint.servo.fresh = false;
        }
        self.cycles_lost = 0;
    }

    fn look_for_bus(&mut self, now: Time, latest: Time) {
        if let Some(rest) = self.rest.take() {
            return self.look_for_rest(rest, now, latest);
        }
        if now < self.next_attempt || !self.is_wanted {
            return;
        }
        if let Err(error) = self.open() {
            self.tell_refusal(error.to_string());
        }
        self.next_attempt = clock::now() + RECONNECT_PERIOD;
    }

    /// What is left of the arm holds, and looks for what is lost.
    fn look_for_rest(&mut self, mut rest: Box<dyn Driver>, now: Time, latest: Time) {
        self.cycles_lost = self.cycles_lost.saturating_add(1);
        let is_whole = rest.hold(latest);
        self.note_reports(rest.as_ref());
        while let Some(trouble) = rest.next_trouble() {
            self.give(ArmEvent::Trouble(trouble));
        }
        if is_whole {
            self.core.on_connected(&rest.standings());
            self.last_refusal.clear();
            self.bus = Some(rest);
            return;
        }
        if self.next_attempt <= now {
            if let Err(error) = rest.rejoin() {
                self.tell_refusal(error.to_string());
            }
            self.next_attempt = clock::now() + RECONNECT_PERIOD;
        }
        self.rest = Some(rest);
    }

    /// Five times a second the same would be too much.
    fn tell_refusal(&mut self, refusal: String) {
        if refusal != self.last_refusal {
            self.last_refusal.clone_from(&refusal);
            self.give(ArmEvent::Trouble(refusal));
        }
    }

    fn hand_out(&mut self, due: Time, began: Time) {
        while let Some(transition) = self.core.pop_transition() {
            self.give(ArmEvent::Transition(transition));
        }
        while let Some(news) = self.core.pop_watch_news() {
            self.give(ArmEvent::Watch(news));
        }
        while !self.ports.events.is_full() {
            let Some(event) = self.commander.next_event() else { break };
            self.give(event);
        }
        self.describe(due, began);
        if self.ports.snapshots.push(self.snapshot).is_err() {
            self.snapshot.dropped += 1;
        }
        self.ports.wake();
    }

    fn describe(&mut self, due: Time, began: Time) {
        let snapshot = &mut self.snapshot;
        let started = *self.started.get_or_insert(began);
        if snapshot.occasion == Occasion::Cycle {
            let before = self.began.replace(began).unwrap_or(began);
            snapshot.period = began.saturating_since(before);
        }
        snapshot.cycle += 1;
        (snapshot.due, snapshot.began, snapshot.ended) = (due, began, clock::now());
        snapshot.time = due + self.reading;
        snapshot.elapsed = snapshot.ended.saturating_since(started);
        snapshot.bus_utilisation = part_of(self.wire_time, snapshot.elapsed);
        (snapshot.state, snapshot.torque) = (self.core.state(), self.core.torque().may_hold());
        (snapshot.cause, snapshot.speed_factor) = (self.core.cause(), self.core.speed_factor());
        for (index, joint) in snapshot.joints_mut().iter_mut().enumerate() {
            joint.levels = self.core.levels(index);
            joint.command = self.core.commands()[index];
            joint.command_velocity = self.core.command_velocity(index);
            joint.misses = self.core.misses(index);
            if self.rest.as_ref().is_some_and(|rest| rest.is_lost(index)) {
                joint.misses = joint.misses.saturating_add(self.cycles_lost);
            }
        }
        self.commander.describe(snapshot);
    }

    fn give(&mut self, event: ArmEvent) {
        // A full queue means that nobody listens any more.
        let _full = self.ports.events.push(event);
    }

    fn read_budget(&self) -> Duration {
        let write = self.bus.as_ref().map_or(Duration::ZERO, |bus| bus.write_wire_time());
        self.setup.period.saturating_sub(write + CYCLE_RESERVE).max(self.setup.period / 4)
    }

    /// The next deadline that is not over yet; those that are count as overruns.
    fn next_due(&mut self, due: Time) -> Time {
        let period = self.setup.period;
        let mut next = due + period;
        let now = clock::now();
        while next + period <= now {
            next = next + period;
            self.snapshot.overruns += 1;
        }
        next
    }
}

/// How long the servos take to answer.
fn reading_time(bus: &dyn Driver) -> Duration {
    bus.cycle_wire_time().saturating_sub(bus.write_wire_time())
}

/// For each joint what its servo said in this cycle.
fn fresh(bus: &dyn Driver, joints: usize) -> impl Iterator<Item = Option<MeasuredJoint>> {
    (0..joints).map(|joint| {
        let report = bus.report(joint);
        report.fresh.then(|| report.into())
    })
}

impl ControlThread {
    /// Asks it to bring the arm to rest and to do what the policy says about torque, without waiting for that.
    pub fn ask_to_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether the arm has come to rest, and the policy about torque is done.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for ControlThread {
    fn drop(&mut self) {
        self.ask_to_stop();
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}
