//! A bus of Feetech servos: identified, read, told, in their joints' own units.

use std::cmp::Reverse;
use std::time::Duration;

use super::bus::{Bus, BusCounters, LinkLost, Question, ServoError, Timing, Wait};
use super::clock;
use super::driver::{DrivenServo, Driver, IdentifyError};
use super::feetech_servo::Servo;
use super::link;
use super::recorded;
use super::snapshot::ServoReport;
use crate::config::hardware::BusConfig;
use crate::control::torque::{Standing, TorqueOrder};
use crate::protocol::feetech::FeetechSts;
use crate::protocol::feetech::packet::{Frame, Id, OVERHEAD, PacketError};
use crate::protocol::feetech::registers::{
    GOAL_BLOCK, LOCK, MODE, MODEL, PRESENT_BLOCK, RETURN_DELAY, Register, TORQUE_ENABLE, TORQUE_LIMIT,
};
use crate::protocol::feetech::telemetry::{GoalBlock, Telemetry};
use crate::units::{Radians, Time};

/// The servos of one arm on one bus.
pub(super) struct FeetechArm {
    bus: Bus<FeetechSts>,
    port: String,
    baud_rate_bps: u32,
    servos: Vec<Servo>,
    read_all: Frame,
    ids: Vec<Id>,
    /// The joints in the order in which they are asked all at once, and their servos' ids.
    order: Vec<usize>,
    asked: Vec<Id>,
    /// The joints in the order in which they are asked again.
    asked_again: Vec<usize>,
}

/// Registers 40 to 49: torque, the goal block, torque limit.
const COMMAND_BLOCK_LEN: u8 = TORQUE_LIMIT.address + TORQUE_LIMIT.size - TORQUE_ENABLE.address;
/// How often a servo is asked before it counts as absent.
const TRIES: u32 = 3;
/// What a transaction with a single servo takes besides the wire.
const SINGLE_TRY_RESERVE: Duration = Duration::from_micros(300);
/// What it takes to find that a deadline is over.
const WAKE_UP: Duration = Duration::from_micros(300);

impl Driver for FeetechArm {
    fn read(&mut self, latest: Time) -> Result<(), LinkLost> {
        self.ask_silent_ones_last();
        self.servos.iter_mut().for_each(Servo::ask);
        let once_more = self.single_try(Telemetry::LEN) + WAKE_UP;
        let room = latest.saturating_since(clock::now());
        let has_room = 2 * self.read_wire_time() + once_more <= room;
        let all_by = if has_room { latest - once_more } else { latest };
        let servos = &mut self.servos;
        let reply_time = self.bus.wire_time(OVERHEAD + Telemetry::LEN);
        let question = Question {
            request: self.read_all.as_bytes(),
            ids: &self.ids,
            len: Telemetry::LEN,
            jointly: false,
        };
        self.bus.sync_read(question, all_by, |reply, at| {
            if let Some(servo) = servos.iter_mut().find(|servo| servo.id == reply.id) {
                servo.hear(reply.data, at - reply_time);
            }
        })?;
        self.read_silent_ones_again(latest)
    }

    fn report(&self, servo: usize) -> &ServoReport {
        &self.servos[servo].report
    }

    fn write_goals(&mut self, positions: &[f64]) -> Result<(), LinkLost> {
        let goals = self
            .servos
            .iter()
            .zip(positions)
            .filter_map(|(servo, &position)| Some((servo.id, servo.goal(position)?)));
        let frame = Frame::sync_write(GOAL_BLOCK.address, GOAL_BLOCK.len, goals);
        self.tell(frame)
    }

    fn obey(
        &mut self,
        order: TorqueOrder,
        efforts: &[f64],
        latest: Time,
    ) -> Result<Option<Standing>, LinkLost> {
        let frame = match order {
            // On the way to torque or away from it a late cycle does no harm, a wrong answer does.
            TorqueOrder::ReadBack(joint) => return self.read_back(joint, Time(i64::MAX)),
            TorqueOrder::Check(joint) => return self.read_back(joint, latest),
            TorqueOrder::On => self.write_same(1),
            TorqueOrder::Off => self.write_same(0),
            TorqueOrder::Limit(part) => {
                let limits = self
                    .servos
                    .iter_mut()
                    .zip(efforts)
                    .map(|(servo, &effort)| (servo.id, servo.limit_torque(part, effort)));
                Frame::sync_write(TORQUE_LIMIT.address, TORQUE_LIMIT.size, limits)
            }
        };
        self.tell(frame)?;
        Ok(None)
    }

    fn release(&mut self) -> Vec<String> {
        // Whether this one went through is seen when each servo is asked.
        let _broadcast = self.obey(TorqueOrder::Off, &[], Time(i64::MAX));
        let held: Vec<usize> = (0..self.servos.len()).filter(|&joint| !self.release_one(joint)).collect();
        held.into_iter().map(|joint| self.servos[joint].joint.clone()).collect()
    }

    fn resolution(&self, joint: usize) -> f64 {
        self.servos[joint].config.calibration.rate_to_rad_s(1.0).abs()
    }

    fn cycle_wire_time(&self) -> Duration {
        self.read_wire_time() + self.write_wire_time()
    }

    fn write_wire_time(&self) -> Duration {
        let write = OVERHEAD + 2 + self.servos.len() * (1 + GoalBlock::LEN);
        self.bus.wire_time(write)
    }

    fn caveats(&self) -> Vec<String> {
        let no_watchdog = "Feetech servos have no watchdog: if this program or its computer dies while they hold, they \
                           hold their last goal for ever, until torque is switched off or their power";
        vec![no_watchdog.to_owned()]
    }

    fn counters(&self) -> BusCounters {
        self.bus.counters()
    }
}

impl FeetechArm {
    /// Opens the port and makes sure that every servo is there and in position mode; see [`super::driver::connect`].
    pub(super) fn connect(
        config: &BusConfig,
        busy_wait: Duration,
        servos: &[DrivenServo],
    ) -> Result<(Self, Vec<Standing>), IdentifyError> {
        let servos: Vec<Servo> = servos
            .iter()
            .map(|servo| {
                let failed = |cause: PacketError| IdentifyError::Servo {
                    joint: servo.joint.clone(),
                    cause: cause.into(),
                };
                Servo::new(servo).map_err(failed)
            })
            .collect::<Result<_, _>>()?;
        let ids: Vec<Id> = servos.iter().map(|servo| servo.id).collect();
        let read_all = Frame::sync_read(PRESENT_BLOCK.address, PRESENT_BLOCK.len, &ids).map_err(|cause| {
            let joints: Vec<&str> = servos.iter().map(|servo| servo.joint.as_str()).collect();
            IdentifyError::Servo { joint: joints.join(", "), cause: cause.into() }
        })?;
        let timing = Timing {
            baud_rate_bps: config.baud_rate_bps,
            adapter_latency: config.adapter_latency,
            busy_wait,
        };
        let link = link::open(&config.port, config.baud_rate_bps)?;
        let mut arm = Self {
            bus: Bus::new(link, timing, config.echo),
            port: config.port.clone(),
            baud_rate_bps: config.baud_rate_bps,
            order: (0..servos.len()).collect(),
            asked: ids.clone(),
            asked_again: (0..servos.len()).collect(),
            servos,
            read_all,
            ids,
        };
        arm.find_all()?;
        let standings = (0..arm.servos.len()).map(|joint| arm.prepare(joint)).collect::<Result<_, _>>()?;
        Ok((arm, standings))
    }

    fn release_one(&mut self, joint: usize) -> bool {
        let id = self.ids[joint];
        let Ok(off) = Frame::write(id, TORQUE_ENABLE.address, &[0]) else { return false };
        (0..TRIES).any(|_| {
            let _answer = self.bus.ask(id, off.as_bytes(), 0, 1, |_| ());
            matches!(self.read_registers(joint, TORQUE_ENABLE.address, 1, |data| data[0]), Ok(0))
        })
    }

    fn read_wire_time(&self) -> Duration {
        let replies = self.servos.len() * (OVERHEAD + Telemetry::LEN);
        self.bus.wire_time(self.read_all.as_bytes().len() + replies)
    }

    /// How long one question to one servo takes, with an answer of `len` bytes.
    fn single_try(&self, len: usize) -> Duration {
        self.bus.wire_time(OVERHEAD + 2 + OVERHEAD + len) + SINGLE_TRY_RESERVE
    }

    /// Servos behind one that does not answer may answer late, or not at all.
    fn ask_silent_ones_last(&mut self) {
        let servos = &mut self.servos;
        servos.iter_mut().for_each(Servo::count_silence);
        self.order.sort_unstable_by_key(|&joint| (servos[joint].silent_for, joint));
        // Of those that fell silent together the first may be the cause.
        self.asked_again.sort_unstable_by_key(|&joint| (servos[joint].silent_for, Reverse(joint)));
        let is_as_before = self.order.iter().zip(&self.asked).all(|(&joint, id)| self.ids[joint] == *id);
        if is_as_before {
            return;
        }
        for (&joint, asked) in self.order.iter().zip(&mut self.asked) {
            *asked = self.ids[joint];
        }
        if let Ok(frame) = Frame::sync_read(PRESENT_BLOCK.address, PRESENT_BLOCK.len, &self.asked) {
            self.read_all = frame;
        }
    }

    fn read_silent_ones_again(&mut self, latest: Time) -> Result<(), LinkLost> {
        let one_try = self.single_try(Telemetry::LEN);
        for index in 0..self.asked_again.len() {
            let joint = self.asked_again[index];
            if self.servos[joint].report.fresh || latest < clock::now() + one_try {
                continue;
            }
            let (id, reply_time) = (self.ids[joint], self.bus.wire_time(OVERHEAD + Telemetry::LEN));
            let Ok(request) = Frame::read(id, PRESENT_BLOCK.address, PRESENT_BLOCK.len) else { continue };
            let servo = &mut self.servos[joint];
            servo.ask();
            let answered = self.bus.ask_once(
                id,
                request.as_bytes(),
                Telemetry::LEN,
                Wait::Until(latest),
                |reply, at| {
                    servo.hear(reply.data, at - reply_time);
                },
            );
            if let Err(ServoError::Lost(lost)) = answered {
                return Err(lost);
            }
            self.doubt_twins_of(joint);
        }
        Ok(())
    }

    /// A servo that was missing may have answered under another id.
    fn doubt_twins_of(&mut self, joint: usize) {
        let missing = &self.servos[joint];
        if !missing.report.fresh {
            return;
        }
        let ticks = missing.config.calibration.to_ticks(Radians(missing.report.position));
        for (other, servo) in self.servos.iter_mut().enumerate() {
            if other != joint && servo.may_be(ticks) {
                servo.doubt();
            }
        }
    }

    fn find_all(&mut self) -> Result<(), IdentifyError> {
        let (mut missing, mut found) = (Vec::new(), Vec::new());
        for joint in 0..self.servos.len() {
            let id = self.ids[joint];
            let name = format!("`{}` (id {id})", self.servos[joint].joint);
            match self.bus.ask(id, Frame::ping(id).as_bytes(), 0, TRIES, |_| ()) {
                Ok(()) => found.push(name),
                Err(ServoError::Silent(_)) => missing.push(name),
                Err(cause) => return Err(self.failed(joint, cause)),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let found = if found.is_empty() {
            "none answers".to_owned()
        } else {
            format!("{} answered", found.join(", "))
        };
        let (port, baud_rate_bps) = (self.port.clone(), self.baud_rate_bps);
        Err(IdentifyError::Missing { missing: missing.join(", "), found, port, baud_rate_bps })
    }

    /// Checks and sets what must be right before a servo is used, and tells how it stands.
    fn prepare(&mut self, joint: usize) -> Result<Standing, IdentifyError> {
        let read = |arm: &mut Self, address, len| {
            arm.read_registers(joint, address, len, |data| {
                u16::from_le_bytes([data[0], data.get(1).copied().unwrap_or(0)])
            })
            .map_err(|cause| arm.failed(joint, cause))
        };
        let model = read(self, MODEL.address, MODEL.size)?;
        let [mode, _] = read(self, MODE.address, MODE.size)?.to_le_bytes();
        let delay = read(self, RETURN_DELAY.address, RETURN_DELAY.size)?;
        let Servo { joint: name, id, .. } = &self.servos[joint];
        tracing::debug!(joint = %name, %id, model, "servo identified");
        if mode != 0 {
            return Err(IdentifyError::Mode { joint: name.clone(), id: id.raw(), mode });
        }
        self.compare_with_calibration(joint, model)?;
        let standing = self.standing(joint).map_err(|cause| self.failed(joint, cause))?;
        if delay != 0 {
            self.remove_return_delay(joint, standing.torque).map_err(|cause| self.failed(joint, cause))?;
        }
        Ok(standing)
    }

    /// A servo whose ticks mean other angles than the calibration says is not used.
    fn compare_with_calibration(&mut self, joint: usize, model: u16) -> Result<(), IdentifyError> {
        let Servo { joint: name, config, .. } = &self.servos[joint];
        let Some(recorded) = config.recorded.clone() else { return Ok(()) };
        let (name, id) = (name.clone(), self.ids[joint].raw());
        let value = |register: &str| {
            let Some(register) = Register::by_name(register) else { return Ok(None) };
            let raw = |data: &[u8]| register.decode(data).ok().map(i64::from);
            self.read_registers(joint, register.address, register.size, raw)
        };
        let compared = recorded::compare(&recorded, &name, id, model.into(), value);
        match compared {
            Ok(same) => same.map_err(|mismatch| Box::new(mismatch).into()),
            Err(cause) => Err(self.failed(joint, cause)),
        }
    }

    /// A return delay of 500 µs, with which servos may be sold, makes a cycle three times as long.
    fn remove_return_delay(&mut self, joint: usize, torque: bool) -> Result<(), ServoError> {
        let (id, name) = (self.ids[joint], &self.servos[joint].joint);
        if torque {
            tracing::warn!(joint = %name, "its servo answers late, and holds torque, so its return delay is left as it is");
            return Ok(());
        }
        tracing::info!(joint = %name, "setting the return delay of its servo to zero");
        for (register, value) in [(LOCK, 0), (RETURN_DELAY, 0), (LOCK, 1)] {
            let frame = Frame::write(id, register.address, &[value])?;
            match self.bus.ask(id, frame.as_bytes(), 0, TRIES, |_| ()) {
                // A servo may be set up not to answer writes.
                Ok(()) | Err(ServoError::Silent(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let delay = self.read_registers(joint, RETURN_DELAY.address, RETURN_DELAY.size, |data| data[0])?;
        if delay != 0 {
            tracing::warn!(joint = %self.servos[joint].joint, delay, "its servo keeps its return delay");
        }
        Ok(())
    }

    fn standing(&mut self, joint: usize) -> Result<Standing, ServoError> {
        let told = self.servos[joint].told();
        self.read_registers(joint, TORQUE_ENABLE.address, COMMAND_BLOCK_LEN, |data| told.compare(data))
    }

    fn read_back(&mut self, joint: usize, latest: Time) -> Result<Option<Standing>, LinkLost> {
        let (id, told) = (self.ids[joint], self.servos[joint].told());
        let len = usize::from(COMMAND_BLOCK_LEN);
        let Ok(request) = Frame::read(id, TORQUE_ENABLE.address, COMMAND_BLOCK_LEN) else { return Ok(None) };
        if latest < clock::now() + self.single_try(len) {
            return Ok(None);
        }
        match self
            .bus
            .ask_once(id, request.as_bytes(), len, Wait::Until(latest), |reply, _| told.compare(reply.data))
        {
            Ok(standing) => Ok(Some(standing)),
            Err(ServoError::Lost(lost)) => Err(lost),
            Err(_) => Ok(None),
        }
    }

    fn read_registers<T>(
        &mut self,
        joint: usize,
        address: u8,
        len: u8,
        take: impl FnMut(&[u8]) -> T,
    ) -> Result<T, ServoError> {
        let id = self.ids[joint];
        let request = Frame::read(id, address, len)?;
        self.bus.ask(id, request.as_bytes(), usize::from(len), TRIES, take)
    }

    fn write_same(&self, torque: u8) -> Result<Frame, PacketError> {
        Frame::sync_write(TORQUE_ENABLE.address, 1, self.ids.iter().map(|id| (*id, [torque])))
    }

    fn tell(&mut self, frame: Result<Frame, PacketError>) -> Result<(), LinkLost> {
        match frame {
            Ok(frame) => self.bus.tell(frame.as_bytes()),
            // The same shape of frame was built when the arm connected; nothing is sent rather than something wrong.
            Err(_) => Ok(()),
        }
    }

    fn failed(&self, joint: usize, cause: ServoError) -> IdentifyError {
        IdentifyError::Servo { joint: self.servos[joint].joint.clone(), cause }
    }
}
