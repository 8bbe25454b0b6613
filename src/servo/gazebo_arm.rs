//! An arm in Gazebo in the place of servos: joint states come through a slot that a node fills, and positions go with the
//! snapshot of each cycle, which the node publishes.
//!
//! ```text
//! read:   the newest state, waited for if it is older than a cycle; one counts for as long as `state_age_limit_s`
//! write:  nothing but the snapshot, which has the positions
//! torque: there is none; an arm that is let go is told nothing more, and stands where it was told to be
//! ```
//! It is connected while states come that have every joint. Silence is measured by the machine's clock, and a simulation
//! that is paused is not silent: it goes on saying so.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::bus::{BusCounters, LinkLost};
use super::clock::{self, Look};
use super::control_thread::ArmSetup;
use super::driver::{Driver, IdentifyError};
use super::joint_slot::{JointSample, JointSlot};
use super::snapshot::ServoReport;
use crate::control::torque::{Standing, TorqueOrder};
use crate::units::Time;

/// What connects an arm with a simulation.
#[derive(Debug)]
pub struct GazeboLink {
    /// The topic of its joint states, for whoever has to look for what is wrong.
    pub topic: String,
    /// Where they come in: the arm's joints in its order, then those that mimic them.
    pub states: JointSlot,
}

pub(super) struct GazeboArm {
    link: Arc<GazeboLink>,
    joints: Vec<String>,
    /// The joints', then the mimics'.
    reports: Vec<ServoReport>,
    period: Duration,
    age_limit: Duration,
    sample: JointSample,
    /// How many states had come when the last one was taken.
    seen: u64,
    /// What the joints were told last.
    goals: Vec<f64>,
    torque: bool,
    /// How long (of the machine's time) nothing has come.
    silent_for: Duration,
    looked: Time,
    /// The last look at the time.
    told: Look,
    is_lost: bool,
}

/// Nothing for so long is a simulation that is gone.
const LONGEST_SILENCE: Duration = Duration::from_secs(2);
/// A process that was held up has heard nothing meanwhile, and nobody was silent.
const LONGEST_LOOK: Duration = Duration::from_millis(50);
/// How long (of the machine's time) a state that is due is waited for; time may stand still meanwhile.
const LONGEST_WAIT: Duration = Duration::from_millis(20);
/// Simulations go in steps of no less than this.
const LEAST_STEP: Duration = Duration::from_micros(100);
/// What counts as the position that was asked for (rad or m).
const RESOLUTION: f64 = 1e-9;

impl GazeboArm {
    /// An arm of which nothing is known yet.
    pub(super) fn new(link: Arc<GazeboLink>, setup: &ArmSetup) -> Self {
        let nothing = ServoReport { velocity: 0.0, ..ServoReport::untold() };
        Self {
            link,
            joints: setup.joints.clone(),
            reports: vec![nothing; setup.joints.len() + setup.mimics.len()],
            period: setup.period,
            age_limit: setup.hardware.state_age_limit,
            sample: JointSample::default(),
            seen: 0,
            goals: vec![f64::NAN; setup.joints.len()],
            torque: false,
            silent_for: Duration::ZERO,
            looked: clock::machine_now(),
            told: Look::now(),
            is_lost: true,
        }
    }

    /// Takes the newest state; waits until `latest` at the latest for one that is not older than a cycle.
    fn listen(&mut self, latest: Time) {
        let wanted = clock::now() - self.period;
        let give_up = clock::machine_now() + LONGEST_WAIT;
        loop {
            let count = self.link.states.take(&mut self.sample);
            if count != self.seen {
                (self.seen, self.silent_for) = (count, Duration::ZERO);
            }
            let now = clock::now();
            let is_new = self.is_of_present() && wanted <= self.sample.stamp;
            if is_new || latest <= now || give_up <= clock::machine_now() {
                break;
            }
            clock::wait_until(now + LEAST_STEP, LONGEST_WAIT);
        }
        self.note_states(clock::now());
    }

    /// Whether the newest state is from after the last time that time was set back.
    fn is_of_present(&self) -> bool {
        self.seen != 0 && self.sample.resets == clock::resets()
    }

    fn note_states(&mut self, now: Time) {
        let JointSample { stamp, ref positions, ref efforts, .. } = self.sample;
        let counts = self.is_of_present() && now.saturating_since(stamp) <= self.age_limit;
        for ((report, position), effort) in self.reports.iter_mut().zip(positions).zip(efforts) {
            report.fresh = counts && position.is_finite();
            if !report.fresh || report.stamp == stamp {
                continue;
            }
            // A joint that is led in steps of one cycle goes by leaps in the steps of physics, which are shorter: only
            // from cycle to cycle its velocity says something.
            let secs = stamp.secs_since(report.stamp);
            let goes_on = 0.0 < secs && secs <= self.age_limit.as_secs_f64();
            report.velocity = if goes_on { (position - report.position) / secs } else { 0.0 };
            (report.position, report.effort, report.stamp) = (*position, *effort, stamp);
        }
    }

    /// # Errors
    /// Where nothing has come for too long.
    fn look_for_silence(&mut self) -> Result<(), LinkLost> {
        let looked = std::mem::replace(&mut self.looked, clock::machine_now());
        let told = Look::now();
        let before = std::mem::replace(&mut self.told, told);
        if !told.stands_still_since(before) {
            self.silent_for += self.looked.saturating_since(looked).min(LONGEST_LOOK);
        }
        self.is_lost = LONGEST_SILENCE < self.silent_for;
        if self.is_lost {
            self.reports.iter_mut().for_each(|report| report.fresh = false);
            let secs = LONGEST_SILENCE.as_secs();
            let why = format!("nothing has come from Gazebo on {} for {secs} s", self.link.topic);
            return Err(LinkLost::from(io::Error::new(io::ErrorKind::TimedOut, why)));
        }
        Ok(())
    }

    fn has_all_joints(&self) -> bool {
        self.reports[..self.joints.len()].iter().all(|report| report.fresh)
    }
}

impl Driver for GazeboArm {
    fn read(&mut self, latest: Time) -> Result<(), LinkLost> {
        self.listen(latest);
        self.look_for_silence()
    }

    fn report(&self, joint: usize) -> &ServoReport {
        &self.reports[joint]
    }

    fn mimic_report(&self, mimic: usize) -> Option<&ServoReport> {
        self.reports.get(self.joints.len() + mimic).filter(|report| report.fresh)
    }

    fn write_goals(&mut self, positions: &[f64]) -> Result<(), LinkLost> {
        self.goals.copy_from_slice(positions);
        Ok(())
    }

    fn obey(
        &mut self,
        order: TorqueOrder,
        _efforts: &[f64],
        _latest: Time,
    ) -> Result<Option<Standing>, LinkLost> {
        match order {
            TorqueOrder::Limit(_) => {}
            TorqueOrder::On => self.torque = true,
            TorqueOrder::Off => self.torque = false,
            TorqueOrder::ReadBack(joint) | TorqueOrder::Check(joint) => {
                return Ok(Some(self.standing(joint)));
            }
        }
        Ok(None)
    }

    fn release(&mut self) -> Vec<String> {
        self.torque = false;
        Vec::new()
    }

    fn resolution(&self, _joint: usize) -> f64 {
        RESOLUTION
    }

    fn cycle_wire_time(&self) -> Duration {
        Duration::ZERO
    }

    fn write_wire_time(&self) -> Duration {
        Duration::ZERO
    }

    fn counters(&self) -> BusCounters {
        BusCounters::default()
    }

    fn is_lost(&self, _joint: usize) -> bool {
        self.is_lost
    }

    fn survives(&self) -> bool {
        true
    }

    fn hold(&mut self, latest: Time) -> bool {
        let seen = self.seen;
        self.listen(latest);
        if self.seen == seen || !self.has_all_joints() {
            return false;
        }
        (self.is_lost, self.silent_for, self.looked) = (false, Duration::ZERO, clock::machine_now());
        true
    }

    fn rejoin(&mut self) -> Result<(), IdentifyError> {
        let topic = self.link.topic.clone();
        if self.seen == 0 || !self.is_of_present() {
            return Err(IdentifyError::NoSimulation { topic });
        }
        match self.joints.iter().zip(&self.sample.positions).find(|(_, position)| !position.is_finite()) {
            Some((joint, _)) => Err(IdentifyError::NotSimulated { joint: joint.clone(), topic }),
            None => Ok(()),
        }
    }

    fn standings(&mut self) -> Vec<Standing> {
        (0..self.joints.len()).map(|joint| self.standing(joint)).collect()
    }
}

impl GazeboArm {
    fn standing(&self, joint: usize) -> Standing {
        Standing { torque: self.torque, goal: self.goals[joint], limit_strays: false }
    }
}

#[cfg(test)]
#[path = "gazebo_arm_tests.rs"]
mod tests;
