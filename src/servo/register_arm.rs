//! A bus of register servos of any family and model: read and told in their joints' own units.
//!
//! What the registers are comes from each servo's map. Where the family can, servos are read by one request; what is
//! not needed in each cycle is asked of one servo after the other.

use std::cmp::Reverse;
use std::time::Duration;

use super::bus::{Bus, BusCounters, LinkLost, Question, ServoError, Wait};
use super::clock;
use super::driver::{Driver, Identity};
use super::layout::{Block, Layout};
use super::register_servo::Servo;
use super::snapshot::ServoReport;
use crate::control::torque::{Standing, TorqueOrder};
use crate::protocol::alarms::Alarms;
use crate::protocol::wire::{Id, Wire};
use crate::units::Time;

/// The servos of one arm on one bus.
pub(super) struct RegisterArm<W: Wire> {
    pub(super) bus: Bus<W>,
    pub(super) port: String,
    pub(super) baud_rate_bps: u32,
    pub(super) servos: Vec<Servo>,
    pub(super) layouts: Vec<Layout>,
    pub(super) groups: Vec<Group<W>>,
    /// The servos in the order in which they are asked again.
    pub(super) asked_again: Vec<usize>,
    pub(super) line: Line,
    pub(super) slow: SlowReads,
    pub(super) watchdog: Watchdog,
    /// What was found of the servos that their owner should know.
    pub(super) remarks: Vec<String>,
}

/// Servos that are read and told by the same frames.
pub(super) struct Group<W: Wire> {
    /// Which layout they have.
    pub(super) layout: usize,
    /// Which servos they are, in the order in which they are asked,
    pub(super) members: Vec<usize>,
    /// and their ids, as the request has them.
    pub(super) ids: Vec<Id>,
    /// One request for all, where the family has such.
    pub(super) read_all: Option<W::Frame>,
    /// Whether they answer it in one frame.
    pub(super) jointly: bool,
}

/// What is known of answers that may be to a question of an earlier cycle.
#[derive(Debug, Default)]
pub(super) struct Line {
    state: LineState,
    /// From then on it may be drained again: answers that are always late are taken as they come.
    drained_again_from: Time,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LineState {
    /// None is older than a cycle.
    #[default]
    Asked,
    /// All servos were silent, and then some answered: nobody is asked in this cycle, and older answers are over then.
    Drained,
    /// None was asked in the cycle before.
    Empty,
}

/// Whose turn it is to tell what is not told in each cycle.
#[derive(Debug, Default)]
pub(super) struct SlowReads {
    /// Servo, and which of its readings.
    pub(super) turns: Vec<(usize, usize)>,
    pub(super) next: usize,
    pub(super) at: Time,
}

/// Servos that stop by themselves when their host falls silent.
#[derive(Debug, Default)]
pub(super) struct Watchdog {
    /// After how long; `None` where they are not asked to.
    pub(super) patience: Option<Duration>,
    /// Whether they were told, since torque came on.
    pub(super) armed: bool,
}

/// How often a servo is asked before it counts as absent.
pub(super) const TRIES: u32 = 3;
/// What a transaction with a single servo takes besides the wire.
const SINGLE_TRY_RESERVE: Duration = Duration::from_micros(300);
/// What it takes to find that a deadline is over.
const WAKE_UP: Duration = Duration::from_micros(300);
/// A silence of so many cycles may have held up answers that are too old to be told from new ones.
const CYCLES_OF_OLD_ANSWERS: u32 = 2;
/// Who answers late again and again is better heard late than not at all.
const DRAINED_AT_MOST_EVERY: Duration = Duration::from_millis(250);
/// Time between two slow reads.
const SLOW_READ_PERIOD: Duration = Duration::from_millis(50);

impl<W: Wire> Driver for RegisterArm<W> {
    fn read(&mut self, latest: Time) -> Result<(), LinkLost> {
        self.ask_silent_ones_last();
        self.servos.iter_mut().for_each(Servo::ask);
        if self.line.state == LineState::Drained {
            self.bus.listen(latest)?;
            self.line.state = LineState::Empty;
            self.note_late();
            return Ok(());
        }
        self.servos.iter_mut().for_each(|servo| servo.report.late = false);
        for group in 0..self.groups.len() {
            self.read_group(group, latest)?;
        }
        self.read_silent_ones_again(latest)?;
        self.doubt_twins_of_missing();
        self.doubt_old_answers();
        self.note_late();
        self.remind(latest)?;
        self.read_slowly(latest)
    }

    fn report(&self, servo: usize) -> &ServoReport {
        &self.servos[servo].report
    }

    fn identity(&self, servo: usize) -> Option<Identity> {
        Some(self.servos[servo].identity)
    }

    fn write_goals(&mut self, positions: &[f64]) -> Result<(), LinkLost> {
        for index in 0..self.groups.len() {
            let group = &self.groups[index];
            let layout = &self.layouts[group.layout];
            let goals = group.members.iter().filter_map(|&member| {
                let servo = &self.servos[member];
                Some((servo.id, servo.goal(layout, *positions.get(member)?)))
            });
            let frame = W::sync_write(layout.goal.address, layout.goal.len, goals);
            self.tell(frame)?;
        }
        Ok(())
    }

    fn obey(
        &mut self,
        order: TorqueOrder,
        efforts: &[f64],
        latest: Time,
    ) -> Result<Option<Standing>, LinkLost> {
        match order {
            // On the way to torque or away from it a late cycle does no harm, a wrong answer does.
            TorqueOrder::ReadBack(servo) => return self.read_back(servo, Time(i64::MAX)),
            TorqueOrder::Check(servo) => return self.read_back(servo, latest),
            TorqueOrder::On => self.switch_on()?,
            TorqueOrder::Off => {
                self.tell_all(|layout| Some(layout.torque_enable), |_, _| Some(0))?;
                self.disarm()?;
            }
            TorqueOrder::Limit(part) => {
                if !self.watchdog.armed {
                    // A servo that has given up its host takes no goals; the next ones are to be taken.
                    self.disarm()?;
                }
                self.limit_torque(part, efforts)?;
                // What else must be kept may have been lost on the way, too.
                if 1.0 <= part {
                    self.tell_settings()?;
                }
            }
        }
        Ok(None)
    }

    fn release(&mut self) -> Vec<String> {
        // Whether this one went through is seen when each servo is asked.
        let _broadcast = self.obey(TorqueOrder::Off, &[], Time(i64::MAX));
        let held: Vec<usize> = (0..self.servos.len()).filter(|&servo| !self.release_one(servo)).collect();
        held.into_iter().map(|servo| self.servos[servo].joint.clone()).collect()
    }

    fn resolution(&self, servo: usize) -> f64 {
        self.servos[servo].config.calibration.rate_to_rad_s(1.0).abs()
    }

    fn cycle_wire_time(&self) -> Duration {
        let reads: Duration = self.groups.iter().map(|group| self.read_wire_time(group)).sum();
        reads + self.write_wire_time()
    }

    fn write_wire_time(&self) -> Duration {
        let goals = self.groups.iter().map(|group| {
            let len = usize::from(self.layouts[group.layout].goal.len);
            // Address and length are as long as an address and a length to be read.
            let empty = W::read(group.ids[0], 0, 1).map_or(0, |frame| frame.as_ref().len());
            empty + group.members.len() * (1 + len)
        });
        self.bus.wire_time(goals.sum())
    }

    fn caveats(&self) -> Vec<String> {
        let has_watchdog = |servo: &Servo| self.layouts[servo.layout].watchdog.is_some();
        let ends = "if this program or its computer dies while they hold, they hold their last goal for ever, until \
                    torque is switched off or their power";
        let without: Vec<&str> = self
            .servos
            .iter()
            .filter(|servo| !has_watchdog(servo))
            .map(|servo| servo.map.name.as_str())
            .collect();
        let mut caveats = match (without.is_empty(), self.watchdog.patience) {
            (false, _) if W::NAME.starts_with("feetech") => {
                vec![format!("Feetech servos have no watchdog: {ends}")]
            }
            (false, _) => vec![format!("some servos have no watchdog ({}): {ends}", without.join(", "))],
            (true, None) if !self.servos.is_empty() => {
                vec![format!("bus_watchdog_s is 0, so the servos' watchdog is off: {ends}")]
            }
            _ => Vec::new(),
        };
        caveats.extend(self.remarks.iter().cloned());
        caveats
    }

    fn counters(&self) -> BusCounters {
        self.bus.counters()
    }
}

impl<W: Wire> Drop for RegisterArm<W> {
    /// A host that goes away on purpose is not to be taken for a dead one: what holds goes on to hold.
    fn drop(&mut self) {
        if self.watchdog.armed {
            let _wire_may_be_lost = self.disarm();
        }
    }
}

impl<W: Wire> RegisterArm<W> {
    fn read_group(&mut self, group: usize, latest: Time) -> Result<(), LinkLost> {
        let group = &self.groups[group];
        let layout = &self.layouts[group.layout];
        let Block { address, len } = layout.fast.block;
        let len = usize::from(len);
        let reply_time = self.bus.wire_time(W::answer_len(len));
        let all_take = self.read_wire_time(group);
        let servos = &mut self.servos;
        let Some(read_all) = &group.read_all else {
            for &member in &group.members {
                let servo = &mut servos[member];
                let Ok(request) = W::read(servo.id, address, layout.fast.block.len) else { continue };
                let wait = Wait::Until(latest);
                let said = self.bus.ask_once(servo.id, request.as_ref(), len, wait, |reply, at| {
                    servo.hear(layout, reply.data, reply.raised, at - reply_time);
                });
                if let Err(ServoError::Lost(lost)) = said {
                    return Err(lost);
                }
            }
            return Ok(());
        };
        let once_more = single_try(&self.bus, len) + WAKE_UP;
        let room = latest.saturating_since(clock::now());
        let has_room = 2 * all_take + once_more <= room;
        let all_by = if has_room { latest - once_more } else { latest };
        let question = Question { request: read_all.as_ref(), ids: &group.ids, len, jointly: group.jointly };
        let heard = self.bus.sync_read(question, all_by, |reply, at| {
            if let Some(servo) = servos.iter_mut().find(|servo| servo.id == reply.id) {
                servo.hear(layout, reply.data, reply.raised, at - reply_time);
            }
        })?;
        servos.iter_mut().filter(|servo| heard.is_early(servo.id)).for_each(Servo::doubt);
        Ok(())
    }

    /// Servos behind one that does not answer may answer late, or not at all.
    fn ask_silent_ones_last(&mut self) {
        let servos = &mut self.servos;
        servos.iter_mut().for_each(Servo::count_silence);
        // Of those that fell silent together the first may be the cause.
        self.asked_again.sort_unstable_by_key(|&servo| (servos[servo].silent_for, Reverse(servo)));
        for group in &mut self.groups {
            group.members.sort_unstable_by_key(|&servo| (servos[servo].silent_for, servo));
            let is_as_before =
                group.members.iter().zip(&group.ids).all(|(&servo, id)| servos[servo].id == *id);
            if is_as_before || group.read_all.is_none() {
                continue;
            }
            for (&servo, asked) in group.members.iter().zip(&mut group.ids) {
                *asked = servos[servo].id;
            }
            let Block { address, len } = self.layouts[group.layout].fast.block;
            let frame = match group.jointly {
                true => W::fast_sync_read(address, len, &group.ids),
                false => W::sync_read(address, len, &group.ids),
            };
            if let Ok(frame) = frame {
                group.read_all = Some(frame);
            }
        }
    }

    fn read_silent_ones_again(&mut self, latest: Time) -> Result<(), LinkLost> {
        for turn in 0..self.asked_again.len() {
            let index = self.asked_again[turn];
            let servo = &mut self.servos[index];
            let layout = &self.layouts[servo.layout];
            let Block { address, len } = layout.fast.block;
            let one_try = single_try(&self.bus, len.into());
            if servo.report.fresh || latest < clock::now() + one_try {
                continue;
            }
            let reply_time = self.bus.wire_time(W::answer_len(len.into()));
            let Ok(request) = W::read(servo.id, address, len) else { continue };
            servo.ask();
            let wait = Wait::Until(latest);
            let said = self.bus.ask_once(servo.id, request.as_ref(), len.into(), wait, |reply, at| {
                servo.hear(layout, reply.data, reply.raised, at - reply_time);
            });
            if let Err(ServoError::Lost(lost)) = said {
                return Err(lost);
            }
            self.doubt_twins_of(index);
        }
        Ok(())
    }

    /// A servo that was missing, and was heard then, may have answered under another id before.
    fn doubt_twins_of(&mut self, index: usize) {
        if self.servos[index].report.fresh {
            self.doubt_whoever_is_at(index);
        }
    }

    /// One that fell silent may have done so, too, and is about where it was heard last.
    fn doubt_twins_of_missing(&mut self) {
        for index in 0..self.servos.len() {
            let servo = &self.servos[index];
            if servo.has_said_nothing() && servo.silent_for == 0 {
                self.doubt_whoever_is_at(index);
            }
        }
    }

    fn doubt_whoever_is_at(&mut self, index: usize) {
        let ticks = self.servos[index].ticks();
        for (other, servo) in self.servos.iter_mut().enumerate() {
            if other != index && servo.may_be(ticks) {
                servo.doubt();
            }
        }
    }

    /// After a silence of all, an answer may be to any of the questions that were asked meanwhile.
    fn doubt_old_answers(&mut self) {
        let silent_for = self.servos.iter().map(|servo| servo.silent_for).min().unwrap_or(0);
        let has_answered = self.servos.iter().any(|servo| servo.report.fresh);
        let now = clock::now();
        let is_old = has_answered
            && self.line.state == LineState::Asked
            && CYCLES_OF_OLD_ANSWERS <= silent_for
            && self.line.drained_again_from <= now;
        if is_old {
            self.servos.iter_mut().for_each(|servo| servo.report.fresh = false);
            self.line.drained_again_from = now + DRAINED_AT_MOST_EVERY;
        }
        self.line.state = if is_old { LineState::Drained } else { LineState::Asked };
    }

    fn note_late(&mut self) {
        for servo in &mut self.servos {
            servo.report.late |= self.bus.take_late(servo.id);
        }
    }

    /// What is not told in each cycle, of one servo; first of one that complains without having said of what.
    fn read_slowly(&mut self, latest: Time) -> Result<(), LinkLost> {
        let now = clock::now();
        let slow = &mut self.slow;
        if slow.turns.is_empty() || now < slow.at {
            return Ok(());
        }
        let complains = self
            .servos
            .iter()
            .position(|servo| servo.report.fresh && servo.report.alarms.contains(Alarms::UNSPECIFIED));
        let urgent =
            complains.and_then(|servo| Some((servo, self.layouts[self.servos[servo].layout].slow_alarms()?)));
        let (index, reading) = urgent.unwrap_or(slow.turns[slow.next % slow.turns.len()]);
        let servo = &mut self.servos[index];
        let layout = &self.layouts[servo.layout];
        let reading = &layout.slow[reading];
        let Block { address, len } = reading.block;
        if latest < now + single_try(&self.bus, len.into()) {
            return Ok(());
        }
        slow.at = now + SLOW_READ_PERIOD;
        slow.next += usize::from(urgent.is_none());
        let Ok(request) = W::read(servo.id, address, len) else { return Ok(()) };
        let wait = Wait::Until(latest);
        let said = self.bus.ask_once(servo.id, request.as_ref(), len.into(), wait, |reply, _| {
            servo.hear_slowly(layout, reading, reply.data);
        });
        match said {
            Err(ServoError::Lost(lost)) => Err(lost),
            _ => Ok(()),
        }
    }

    pub(super) fn read_registers<T>(
        &mut self,
        servo: usize,
        address: u16,
        len: u16,
        take: impl FnMut(&[u8]) -> T,
    ) -> Result<T, ServoError> {
        let id = self.servos[servo].id;
        let request = W::read(id, address, len)?;
        self.bus.ask(id, request.as_ref(), usize::from(len), TRIES, take)
    }

    fn read_wire_time(&self, group: &Group<W>) -> Duration {
        let block = self.layouts[group.layout].fast.block;
        let (servos, len) = (group.members.len(), usize::from(block.len));
        let bytes = match &group.read_all {
            Some(request) if group.jointly => request.as_ref().len() + W::joint_answer_len(servos, len),
            Some(request) => request.as_ref().len() + servos * W::answer_len(len),
            None => {
                let request = W::read(group.ids[0], block.address, block.len);
                servos * (request.map_or(0, |frame| frame.as_ref().len()) + W::answer_len(len))
            }
        };
        self.bus.wire_time(bytes)
    }
}

/// How long one question to one servo takes, with an answer of `len` bytes.
pub(super) fn single_try<W: Wire>(bus: &Bus<W>, len: usize) -> Duration {
    // An empty answer, an address and a length are about a question.
    bus.wire_time(W::answer_len(4) + W::answer_len(len)) + SINGLE_TRY_RESERVE
}
