//! The servos of an arm as one: drivers of all its buses, several servos on a joint, joints that mimic others.
//!
//! To the control thread it is a [`Driver`] whose servos are the joints. Where a joint is is the mean of what its
//! servos say: neither of two that pull at each other is more right, and between them is where they are at rest.
//! Efforts are added, alarms united, of temperature and voltage the worst counts, and a joint is fresh if all of its
//! servos are.
//!
//! The bus that needs the least time is the control thread's own, each of the others has a thread: all are asked at
//! the same moment. What a bus says too late for the cycle is taken with the next one, and until then what it said
//! before counts as new, up to an age limit.
//!
//! When one bus is lost the arm is, and the servos of the others go on being told to hold.

use std::time::Duration;

use super::bus::{BusCounters, LinkLost};
use super::clock;
use super::control_thread::ArmSetup;
use super::driver::{self, Driver, IdentifyError, Identity};
use super::gazebo_arm::GazeboArm;
use super::snapshot::{BusReport, ServoReport};
use crate::control::torque::{Standing, TorqueOrder};
use crate::units::Time;
use plan::{Member, Plan};
use seat::{Bus, Rejoining, Said};

mod bus_thread;
mod joint;
mod plan;
mod seat;

/// All servos of an arm.
struct Arm {
    buses: Vec<Bus>,
    joints: Vec<Joint>,
    age_limit: Duration,
    /// What every joint was told last; NaN before.
    told: Vec<f64>,
    /// Whether torque was switched off last, rather than on.
    told_off: bool,
    /// Numbers the questions about torque.
    questions: u64,
    troubles: Vec<String>,
}

/// A joint and its servos.
struct Joint {
    name: String,
    members: Vec<Member>,
    report: ServoReport,
    disagreement: f64,
    /// Whether it was told of already.
    disagrees: bool,
}

/// A late cycle does no harm on the way to torque; a bus whose thread says nothing at all for so long does.
const LONGEST_ANSWER: Duration = Duration::from_secs(1);
/// So long each servo may take to let go, with all its tries.
const LONGEST_RELEASE: Duration = Duration::from_secs(10);
/// Servos agree again once they are so much nearer than they may be.
const AGREEMENT: f64 = 0.8;

/// Opens an arm's buses and makes sure that every servo is there and can be used; tells how each joint stands. What is
/// `known` of the joints' servos from before must still be so.
///
/// # Errors
/// As [`driver::connect`].
pub(super) fn connect(
    setup: &ArmSetup,
    known: &[Option<Identity>],
) -> Result<(Box<dyn Driver>, Vec<Standing>), IdentifyError> {
    if let Some(link) = &setup.gazebo {
        // What is there shows later: a simulation may start after the arm, and again.
        return Ok((Box::new(GazeboArm::new(link.clone(), setup)), Vec::new()));
    }
    let mut plan = Plan::new(setup);
    plan.remember(known);
    let busy_wait = setup.hardware.realtime.busy_wait;
    // What has a servo for each joint and nothing else needs nobody in between.
    if let Some((bus, servos)) = plan.as_plain() {
        return driver::connect(bus, busy_wait, servos);
    }
    let arm = Arm::connect(plan, setup)?;
    let standings = arm.found();
    Ok((Box::new(arm), standings))
}

impl Driver for Arm {
    fn read(&mut self, latest: Time) -> Result<(), LinkLost> {
        self.read_all(latest)?;
        self.merge(clock::now());
        Ok(())
    }

    fn report(&self, joint: usize) -> &ServoReport {
        &self.joints[joint].report
    }

    fn mimic_report(&self, mimic: usize) -> Option<&ServoReport> {
        let members = self.joints.iter().flat_map(|joint| &joint.members);
        let member = members.into_iter().find(|member| member.mimic == Some(mimic))?;
        self.buses[member.bus].reports.get(member.index)
    }

    fn disagreement(&self, joint: usize) -> f64 {
        self.joints[joint].disagreement
    }

    fn write_goals(&mut self, positions: &[f64]) -> Result<(), LinkLost> {
        self.told.copy_from_slice(positions);
        for (joint, position) in self.joints.iter().zip(positions) {
            for member in &joint.members {
                self.buses[member.bus].goals[member.index] = member.of_servo(*position);
            }
        }
        self.buses.iter_mut().try_for_each(Bus::write_goals)
    }

    fn obey(
        &mut self,
        order: TorqueOrder,
        efforts: &[f64],
        latest: Time,
    ) -> Result<Option<Standing>, LinkLost> {
        match order {
            TorqueOrder::ReadBack(joint) => self.ask_joint(joint, clock::now() + LONGEST_ANSWER, order),
            TorqueOrder::Check(joint) => self.ask_joint(joint, latest, order),
            TorqueOrder::Limit(_) | TorqueOrder::On | TorqueOrder::Off => {
                self.share_efforts(efforts);
                match order {
                    TorqueOrder::On => self.told_off = false,
                    TorqueOrder::Off => self.told_off = true,
                    _ => {}
                }
                self.buses.iter_mut().try_for_each(|bus| bus.order(order))?;
                Ok(None)
            }
        }
    }

    fn release(&mut self) -> Vec<String> {
        self.told_off = true;
        self.buses.iter_mut().for_each(Bus::begin_release);
        let patience = clock::now() + LONGEST_RELEASE;
        self.await_buses(patience, |bus| !bus.is_releasing());
        let mut held: Vec<String> = Vec::new();
        for bus in &mut self.buses {
            held.extend(bus.take_held());
        }
        held.dedup();
        held
    }

    fn resolution(&self, joint: usize) -> f64 {
        let of = |member: &Member| self.buses[member.bus].resolutions[member.index] / member.scale();
        self.joints[joint].members.iter().map(of).filter(|of| of.is_finite()).fold(0.0, f64::max)
    }

    fn cycle_wire_time(&self) -> Duration {
        let said = self.buses.iter().filter(|bus| bus.has_said);
        said.map(|bus| bus.cycle_wire_time).max().unwrap_or_default()
    }

    fn write_wire_time(&self) -> Duration {
        // The others write while the control thread goes on.
        self.buses.iter().filter(|bus| bus.is_own()).map(|bus| bus.write_wire_time).max().unwrap_or_default()
    }

    fn counters(&self) -> BusCounters {
        self.buses.iter().fold(BusCounters::default(), |sum, bus| joint::sum(sum, bus.counters))
    }

    fn bus_report(&self, bus: usize) -> Option<BusReport> {
        let bus = self.buses.get(bus).filter(|_| 1 < self.buses.len())?;
        Some(BusReport { counters: bus.counters, wire_time: bus.wire_time, lost: bus.is_lost() })
    }

    fn next_trouble(&mut self) -> Option<String> {
        self.troubles.pop().or_else(|| self.buses.iter_mut().find_map(Bus::next_trouble))
    }

    fn caveats(&self) -> Vec<String> {
        let mut caveats: Vec<String> = self.buses.iter().flat_map(|bus| bus.caveats.clone()).collect();
        caveats.dedup();
        caveats
    }

    fn is_lost(&self, joint: usize) -> bool {
        self.joints[joint].members.iter().any(|member| self.buses[member.bus].is_lost())
    }

    fn survives(&self) -> bool {
        true
    }

    fn hold(&mut self, latest: Time) -> bool {
        self.buses.iter_mut().for_each(Bus::begin_cycle);
        self.hear();
        self.buses.iter_mut().for_each(|bus| bus.hold(latest));
        self.await_buses(latest, |bus| !bus.is_asked());
        self.merge(clock::now());
        self.buses.iter().all(|bus| !bus.is_lost())
    }

    fn rejoin(&mut self) -> Result<(), IdentifyError> {
        let mut refused = Ok(());
        for bus in &mut self.buses {
            if let Rejoining::Refused(why) = bus.rejoin() {
                refused = refused.and(Err(why));
            }
        }
        refused
    }

    fn standings(&mut self) -> Vec<Standing> {
        self.stand_again()
    }
}

impl Arm {
    fn connect(plan: Plan, setup: &ArmSetup) -> Result<Self, IdentifyError> {
        let realtime = &setup.hardware.realtime;
        let buses = plan.buses.into_iter().map(|(bus, servos)| Bus::connect(bus, servos, realtime));
        let mut buses: Vec<Bus> = buses.collect::<Result<_, _>>()?;
        let quickest = buses.iter().map(|bus| bus.cycle_wire_time).min().unwrap_or_default();
        let own = buses.iter().position(|bus| bus.cycle_wire_time == quickest);
        for (index, bus) in buses.iter_mut().enumerate() {
            // On simulated time there is one thread.
            if Some(index) != own && !clock::is_simulated() {
                bus.move_out(realtime)?;
            }
        }
        let joint = |(name, members): (&String, Vec<Member>)| Joint {
            name: name.clone(),
            members,
            report: ServoReport::default(),
            disagreement: 0.0,
            disagrees: false,
        };
        Ok(Self {
            buses,
            told: vec![f64::NAN; setup.joints.len()],
            joints: setup.joints.iter().zip(plan.joints).map(joint).collect(),
            age_limit: setup.hardware.state_age_limit,
            told_off: false,
            questions: 0,
            troubles: Vec::with_capacity(plan::MOST_SERVOS),
        })
    }

    fn read_all(&mut self, latest: Time) -> Result<(), LinkLost> {
        self.buses.iter_mut().for_each(Bus::begin_cycle);
        self.hear();
        self.buses.iter_mut().for_each(|bus| bus.ask(latest));
        // There is more than one in this thread on simulated time only: each has its share then.
        let mut left = self.buses.iter().filter(|bus| bus.is_own()).count();
        for bus in self.buses.iter_mut().filter(|bus| bus.is_own()) {
            let now = clock::now();
            let share = latest.saturating_since(now) / u32::try_from(left).unwrap_or(1);
            bus.read(if left == 1 { latest } else { now + share })?;
            left -= 1;
        }
        self.await_buses(latest, |bus| !bus.is_asked());
        self.buses.iter_mut().find_map(|bus| bus.lost.take()).map_or(Ok(()), Err)
    }

    /// Takes what the other threads said.
    fn hear(&mut self) {
        self.buses.iter_mut().for_each(Bus::hear);
    }

    /// Waits until it holds of every bus that it is done; buses that are lost are.
    fn await_buses(&mut self, until: Time, is_done: impl Fn(&Bus) -> bool) {
        loop {
            self.hear();
            let now = clock::now();
            if self.buses.iter().all(|bus| bus.is_lost() || is_done(bus)) || until <= now {
                return;
            }
            std::thread::park_timeout(until.saturating_since(now));
        }
    }

    fn merge(&mut self, now: Time) {
        for joint in &mut self.joints {
            let reports = joint.members.iter().map(|member| {
                let bus = &self.buses[member.bus];
                let said = bus.reports[member.index];
                let is_new = bus.has_said || now.saturating_since(said.stamp) <= self.age_limit;
                let fresh = said.fresh && is_new && !bus.is_lost();
                (member, ServoReport { fresh, late: said.late && bus.has_said, ..said })
            });
            let merged = joint::merge(reports);
            joint.report = merged.report;
            let Some(worst) = merged.worst else { continue };
            joint.disagreement = worst.amount;
            let most = worst.member.max_disagreement;
            if joint.disagrees {
                joint.disagrees = AGREEMENT * most < worst.amount;
            } else if most < worst.amount {
                joint.disagrees = true;
                let bus = &self.buses[worst.member.bus];
                let words = worst.member.disagreement(&joint.name, bus.name(), worst.amount);
                self.troubles.push(words);
            }
        }
    }

    /// Every servo of a joint is asked how it stands; `None` where one does not say so until `latest`.
    fn ask_joint(
        &mut self,
        joint: usize,
        latest: Time,
        order: TorqueOrder,
    ) -> Result<Option<Standing>, LinkLost> {
        self.questions += 1;
        for member in &self.joints[joint].members {
            self.buses[member.bus].ask_standing(member.index, self.questions, order, latest)?;
        }
        let members = &self.joints[joint].members;
        loop {
            self.buses.iter_mut().for_each(Bus::hear);
            let is_open = |member: &Member| self.buses[member.bus].said[member.index].is_open();
            let now = clock::now();
            if !members.iter().any(is_open) {
                break;
            }
            if latest <= now || members.iter().any(|member| self.buses[member.bus].is_lost()) {
                return self.buses.iter_mut().find_map(|bus| bus.lost.take()).map_or(Ok(None), Err);
            }
            std::thread::park_timeout(latest.saturating_since(now));
        }
        let said =
            members.iter().map(|member| (member, self.buses[member.bus].said[member.index].standing()));
        let all_told = said.clone().all(|(_, standing)| standing.is_some());
        let said = said.filter_map(|(member, standing)| Some((member, standing?)));
        let standing = joint::stand_together(said, self.told[joint], self.told_off);
        for member in members {
            self.buses[member.bus].said[member.index] = Said::Nothing;
        }
        Ok(all_told.then_some(standing))
    }

    /// What the joint may use is shared by its servos in the parts that they have of what it can.
    fn share_efforts(&mut self, efforts: &[f64]) {
        for (joint, effort) in self.joints.iter().zip(efforts) {
            for member in &joint.members {
                self.buses[member.bus].efforts[member.index] = effort * member.effort_share;
            }
        }
    }

    /// How the joints were found.
    fn found(&self) -> Vec<Standing> {
        let found = |joint: &Joint| {
            let of = |member: &Member| self.buses[member.bus].standings[member.index];
            let said = joint.members.iter().map(|member| (member, of(member)));
            joint::stand_together(said, f64::NAN, false)
        };
        self.joints.iter().map(found).collect()
    }

    /// How the joints stand after a bus came back; the servos of the others may have held all the time.
    fn stand_again(&mut self) -> Vec<Standing> {
        let held = !self.told_off;
        self.told_off = false;
        let mut standings = self.found();
        for (joint, standing) in standings.iter_mut().enumerate() {
            let has_stayed =
                self.joints[joint].members.iter().all(|member| self.buses[member.bus].has_stayed());
            let order = TorqueOrder::ReadBack(joint);
            match self.ask_joint(joint, clock::now() + LONGEST_ANSWER, order) {
                Ok(Some(said)) => *standing = said,
                // A servo that holds does not let go because it was not heard once.
                _ if has_stayed => (standing.torque, standing.goal) = (held, self.told[joint]),
                _ => {}
            }
        }
        self.buses.iter_mut().for_each(Bus::is_whole_again);
        standings
    }
}
