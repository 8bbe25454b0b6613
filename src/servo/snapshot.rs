//! What one control cycle saw and did, in a fixed size, as it is handed to whoever publishes it.

use std::time::Duration;

use super::bus::BusCounters;
use crate::config::arm::MAX_JOINTS;
use crate::config::hardware::MAX_BUSES;
use crate::config::watch::Watched;
use crate::control::arm::MeasuredJoint;
use crate::control::ensemble::{Ensemble, MAX_CONTROLLERS, MemberView};
use crate::control::safety::{Cause, State};
use crate::control::watch::{Health, Level};
use crate::protocol::alarms::Alarms;
use crate::trajectory::spline::JointState;
use crate::units::Time;

/// What a servo said last, in its joint's units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ServoReport {
    /// Whether it said so in this cycle.
    pub fresh: bool,
    /// Whether an answer of it to an earlier question came since the cycle before: it hears, though it was silent.
    pub late: bool,
    /// When it was read.
    pub stamp: Time,
    /// Position (rad).
    pub position: f64,
    /// Velocity (rad/s).
    pub velocity: f64,
    /// Effort (N m): the motor's duty cycle times the torque at full duty. A model, not a measurement.
    pub effort: f64,
    /// Temperature (°C).
    pub temperature_degc: f64,
    /// Supply voltage (V).
    pub voltage_v: f64,
    /// Motor current (A), without a sign.
    pub current_a: f64,
    /// Duty cycle of the motor, -1 to 1 in the joint's direction.
    pub load: f64,
    /// What the servo complains of.
    pub alarms: Alarms,
}

impl ServoReport {
    /// Of somebody who tells nothing of itself.
    pub(super) fn untold() -> Self {
        Self {
            velocity: f64::NAN,
            effort: f64::NAN,
            temperature_degc: f64::NAN,
            voltage_v: f64::NAN,
            current_a: f64::NAN,
            load: f64::NAN,
            ..Self::default()
        }
    }
}

impl From<&ServoReport> for MeasuredJoint {
    fn from(servo: &ServoReport) -> Self {
        Self {
            stamp: servo.stamp,
            fresh: servo.fresh,
            position: servo.position,
            velocity: servo.velocity,
            effort: servo.effort,
        }
    }
}

impl From<&ServoReport> for Health {
    fn from(servo: &ServoReport) -> Self {
        Self {
            temperature_degc: servo.temperature_degc,
            voltage_v: servo.voltage_v,
            current_a: servo.current_a,
            load: servo.load,
            alarms: !servo.alarms.is_empty(),
        }
    }
}

impl From<MeasuredJoint> for ServoReport {
    fn from(measured: MeasuredJoint) -> Self {
        let MeasuredJoint { stamp, fresh, position, velocity, effort } = measured;
        Self { stamp, fresh, position, velocity, effort, ..Self::default() }
    }
}

/// One joint in one cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JointSnapshot {
    /// What its servo said.
    pub servo: ServoReport,
    /// What it was told (rad).
    pub command: f64,
    /// Velocity of what it was told (rad/s).
    pub command_velocity: f64,
    /// Where the trajectory wants it at the time of the snapshot.
    pub desired: JointState,
    /// How many cycles in a row its servo has been silent.
    pub misses: u32,
    /// How far its servos are apart, where it has several (rad or m).
    pub disagreement: f64,
    /// How each thing that is watched of it stands, by [`Watched::index`].
    pub levels: [Level; Watched::COUNT],
}

/// One of an arm's several buses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BusReport {
    /// What went over it so far.
    pub counters: BusCounters,
    /// How long the bytes of all its cycles were on the wire.
    pub wire_time: Duration,
    /// Whether it is lost.
    pub lost: bool,
}

/// When a snapshot is made. Between cycles there is something to see only of time that is told from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Occasion {
    /// A cycle has ended.
    #[default]
    Cycle,
    /// The time of the next cycle has not come yet; nothing needs to be published.
    Between,
    /// Time stands still, and is told to: what is seen now is what there is until it goes on.
    Standstill,
}

/// One control cycle.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    /// Counts cycles from 1.
    pub cycle: u64,
    /// When the cycle should have begun.
    pub due: Time,
    /// When it began.
    pub began: Time,
    /// The moment for which its references hold: when its goals should have gone out.
    pub time: Time,
    /// When its last byte was handed to the wire.
    pub ended: Time,
    /// From the beginning of the cycle before to this one's; zero for the first.
    pub period: Duration,
    /// How many cycles were left out so far because one took too long.
    pub overruns: u64,
    /// From the beginning of the first cycle to the end of this one.
    pub elapsed: Duration,
    /// How long the bytes of all cycles so far were on the wire, over the time that went by.
    pub bus_utilisation: f64,
    /// What went over the bus so far.
    pub bus: BusCounters,
    /// The arm's state after the cycle.
    pub state: State,
    /// Why the arm is in that state.
    pub cause: Option<Cause>,
    /// The part of their speed that motions may have (0 to 1).
    pub speed_factor: f64,
    /// Whether a servo may hold torque.
    pub torque: bool,
    /// Whether the joints were told their commands.
    pub told: bool,
    /// Whether this is a cycle at all.
    pub occasion: Occasion,
    /// The controllers, in their order.
    pub members: [MemberView; MAX_CONTROLLERS],
    /// Snapshots that nobody took in time.
    pub dropped: u64,
    joint_count: usize,
    joints: [JointSnapshot; MAX_JOINTS],
    mimic_count: usize,
    mimics: [ServoReport; MAX_JOINTS],
    bus_count: usize,
    buses: [BusReport; MAX_BUSES],
}

impl BusReport {
    /// How much of the time that went by it was used.
    pub fn utilisation(&self, elapsed: Duration) -> f64 {
        part_of(self.wire_time, elapsed)
    }
}

/// A time as a part of another; 0 of none.
pub(super) fn part_of(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { part.as_secs_f64() / whole.as_secs_f64() }
}

impl Snapshot {
    /// An empty snapshot of an arm with so many joints, and joints that mimic them (at most [`MAX_JOINTS`] of each).
    pub fn new(joint_count: usize, mimic_count: usize) -> Self {
        Self {
            cycle: 0,
            due: Time(0),
            began: Time(0),
            time: Time(0),
            ended: Time(0),
            period: Duration::ZERO,
            overruns: 0,
            elapsed: Duration::ZERO,
            bus_utilisation: 0.0,
            bus: BusCounters::default(),
            state: State::Disconnected,
            cause: None,
            speed_factor: 1.0,
            torque: false,
            told: false,
            occasion: Occasion::Cycle,
            members: [MemberView::default(); MAX_CONTROLLERS],
            dropped: 0,
            joint_count: joint_count.min(MAX_JOINTS),
            joints: [JointSnapshot::default(); MAX_JOINTS],
            mimic_count: mimic_count.min(MAX_JOINTS),
            mimics: [ServoReport::default(); MAX_JOINTS],
            bus_count: 0,
            buses: [BusReport::default(); MAX_BUSES],
        }
    }

    /// The joints, in the arm's order.
    pub fn joints(&self) -> &[JointSnapshot] {
        &self.joints[..self.joint_count]
    }

    /// The joints that mimic others, in the order of the robot model.
    pub fn mimics(&self) -> &[ServoReport] {
        &self.mimics[..self.mimic_count]
    }

    /// The same, to be filled in.
    pub fn mimics_mut(&mut self) -> &mut [ServoReport] {
        &mut self.mimics[..self.mimic_count]
    }

    /// The buses of an arm that has several, in the order of the configuration; none where there is one only.
    pub fn buses(&self) -> &[BusReport] {
        &self.buses[..self.bus_count]
    }

    /// Takes what is known of each of several buses.
    pub fn note_buses(&mut self, reports: impl Iterator<Item = BusReport>) {
        self.bus_count = 0;
        for (place, report) in self.buses.iter_mut().zip(reports) {
            *place = report;
            self.bus_count += 1;
        }
    }

    /// Takes what may be seen of an arm's controllers.
    pub fn describe(&mut self, ensemble: &Ensemble) {
        for (view, seen) in self.members.iter_mut().zip(ensemble.views()) {
            *view = seen;
        }
        ensemble.desired(|joint, state| self.joints[joint].desired = state);
    }

    /// The joints, in the arm's order, to be filled in.
    pub fn joints_mut(&mut self) -> &mut [JointSnapshot] {
        &mut self.joints[..self.joint_count]
    }
}
