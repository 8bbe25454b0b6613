//! A bus of LX-16A servos.
//!
//! ```text
//! read:   one position after the other, as the servos know no common question; then, where the cycle has time left,
//!         one temperature or voltage
//! write:  one move for each servo, to the goal within one period, so that the servo is on its way all the time
//! torque: load and unload, read back
//! ```
//! Moves are carried out as they come rather than waiting for a common start: the last servo hears its own 5 ms after
//! the first, in every cycle alike, which delays it and bends no path; a common start would cost a tenth of the bus
//! more, and a servo that missed its move would begin with an old one.

use std::time::Duration;

use super::bus::{Bus, BusCounters, LinkLost, ServoError, Timing, Wait};
use super::clock;
use super::driver::{DrivenServo, Driver, IdentifyError, Identity};
use super::link;
use super::lx16a_servo::{Bearable, Servo};
use super::snapshot::ServoReport;
use crate::config::hardware::BusConfig;
use crate::control::torque::{Standing, TorqueOrder};
use crate::protocol::lx16a::frame::{MAX_FRAME, words};
use crate::protocol::lx16a::wire::{Frames, Lx16a};
use crate::protocol::lx16a::{Command, Frame, MAX_POSITION, Mode, Target};
use crate::protocol::wire::{FrameError, Id, Wire};
use crate::units::Time;

/// The servos of one arm on one bus.
pub(super) struct Lx16aArm {
    bus: Bus<Lx16a>,
    port: String,
    baud_rate_bps: u32,
    servos: Vec<Servo>,
    /// Which servo's temperature or voltage is asked next, counted through both.
    next_extra: usize,
    period: Period,
}

const CAVEATS: &[&str] = &[
    "LX-16A servos know no timeout: they hold their last goal for ever when the host is gone",
    "LX-16A servos have no torque limit: torque comes on whole, and effort limits of goals are not kept",
    "LX-16A servos tell neither load nor current: effort in joint_states is NaN, and velocity is made of positions",
];
/// How often a servo is asked before it counts as absent.
const TRIES: u32 = 3;
/// What a question takes besides the wire.
const SINGLE_TRY_RESERVE: Duration = Duration::from_micros(700);

impl Driver for Lx16aArm {
    fn read(&mut self, latest: Time) -> Result<(), LinkLost> {
        let one_try = self.single_try(Command::PosRead);
        for index in 0..self.servos.len() {
            self.servos[index].ask();
            if clock::now() + one_try <= latest {
                self.ask_position(index, latest)?;
            }
        }
        for index in 0..self.servos.len() {
            if !self.servos[index].report.fresh && clock::now() + one_try <= latest {
                self.servos[index].ask();
                self.ask_position(index, latest)?;
            }
        }
        for servo in &mut self.servos {
            servo.report.late = self.bus.take_late(servo.id);
        }
        self.ask_extra(latest)
    }

    fn report(&self, servo: usize) -> &ServoReport {
        &self.servos[servo].report
    }

    fn identity(&self, servo: usize) -> Option<Identity> {
        Some(self.servos[servo].identity)
    }

    fn write_goals(&mut self, positions: &[f64]) -> Result<(), LinkLost> {
        let time = self.period.measure(clock::now());
        let moves = self
            .servos
            .iter_mut()
            .zip(positions)
            .filter(|(_, position)| position.is_finite())
            .map(|(servo, position)| (servo.id, servo.move_to(*position, time)));
        let frames = Lx16a::sync_write(Command::MoveTime.code().into(), 4, moves);
        self.tell(frames)
    }

    fn obey(
        &mut self,
        order: TorqueOrder,
        _efforts: &[f64],
        latest: Time,
    ) -> Result<Option<Standing>, LinkLost> {
        match order {
            TorqueOrder::Limit(_) => Ok(None),
            TorqueOrder::On => self.load(true).map(|()| None),
            TorqueOrder::Off => self.load(false).map(|()| None),
            TorqueOrder::ReadBack(servo) => self.read_back(servo, Time(i64::MAX)),
            TorqueOrder::Check(servo) => self.check(servo, latest),
        }
    }

    fn release(&mut self) -> Vec<String> {
        // Whether this went through is seen when each servo is asked.
        let _broadcast = self.bus.tell(Frame::load(Target::All, false).as_bytes());
        let held: Vec<usize> = (0..self.servos.len()).filter(|servo| !self.release_one(*servo)).collect();
        held.into_iter().map(|servo| self.servos[servo].joint.clone()).collect()
    }

    fn resolution(&self, servo: usize) -> f64 {
        self.servos[servo].resolution()
    }

    fn cycle_wire_time(&self) -> Duration {
        let positions = self.servos.len() * exchange_len(Command::PosRead);
        self.bus.wire_time(positions + exchange_len(Command::VinRead)) + self.write_wire_time()
    }

    fn write_wire_time(&self) -> Duration {
        self.bus.wire_time(self.servos.len() * MAX_FRAME)
    }

    fn counters(&self) -> BusCounters {
        self.bus.counters()
    }

    fn caveats(&self) -> Vec<String> {
        CAVEATS.iter().map(|caveat| (*caveat).to_owned()).collect()
    }
}

impl Lx16aArm {
    /// Opens the port and makes sure that every servo is there and goes to positions; see [`super::driver::connect`].
    pub(super) fn connect(
        config: &BusConfig,
        busy_wait: Duration,
        servos: &[DrivenServo],
    ) -> Result<(Self, Vec<Standing>), IdentifyError> {
        let servos: Vec<Servo> = servos
            .iter()
            .map(|servo| {
                let failed = |cause: FrameError| IdentifyError::Servo {
                    joint: servo.joint.clone(),
                    cause: cause.into(),
                };
                Servo::new(servo).map_err(failed)
            })
            .collect::<Result<_, _>>()?;
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
            servos,
            next_extra: 0,
            period: Period::default(),
        };
        arm.find_all()?;
        let standings = (0..arm.servos.len()).map(|servo| arm.prepare(servo)).collect::<Result<_, _>>()?;
        Ok((arm, standings))
    }

    fn find_all(&mut self) -> Result<(), IdentifyError> {
        let (mut missing, mut found) = (Vec::new(), Vec::new());
        for index in 0..self.servos.len() {
            let name = format!("`{}` (id {})", self.servos[index].joint, self.servos[index].id);
            match self.ask::<1>(index, Command::IdRead) {
                Ok(_) => found.push(name),
                Err(ServoError::Silent(_)) => missing.push(name),
                Err(cause) => return Err(self.failed(index, cause)),
            }
        }
        IdentifyError::unless_all_answer(&missing, &found, &self.port, self.baud_rate_bps)
    }

    /// Learns the servo's own limits, makes sure that it is no motor, and tells how it stands.
    fn prepare(&mut self, index: usize) -> Result<Standing, IdentifyError> {
        self.learn(index).map_err(|cause| self.failed(index, cause))?;
        let Servo { joint, id, identity, known, .. } = &self.servos[index];
        identity.compare(*known, joint, id.raw())?;
        let mode: [u8; 4] = self.ask(index, Command::ModeRead).map_err(|cause| self.failed(index, cause))?;
        let Servo { joint, id, .. } = &self.servos[index];
        if Mode::parse(&mode) != Some(Mode::Servo) {
            let (joint, id, right) = (joint.clone(), id.raw(), "0".to_owned());
            return Err(IdentifyError::Mode { joint, id, mode: mode[0].into(), right });
        }
        self.standing(index).map_err(|cause| self.failed(index, cause))
    }

    fn learn(&mut self, index: usize) -> Result<(), ServoError> {
        let limits: [u8; 4] = self.ask(index, Command::AngleLimitRead)?;
        let supply: [u8; 4] = self.ask(index, Command::VinLimitRead)?;
        let [hottest] = self.ask(index, Command::TempMaxRead)?;
        let [offset] = self.ask(index, Command::OffsetRead)?;
        let [celsius] = self.ask(index, Command::TempRead)?;
        let voltage: [u8; 2] = self.ask(index, Command::VinRead)?;
        let servo = &mut self.servos[index];
        if let Some((least, most)) = words(&limits)
            && let (Ok(least), Ok(most)) = (i16::try_from(least), i16::try_from(most))
            && least < most
            && most <= MAX_POSITION
        {
            servo.range = (least, most);
            if servo.range != (0, MAX_POSITION) {
                let (from, to) = (servo.to_joint(least), servo.to_joint(most));
                tracing::info!(joint = %servo.joint, "its servo has limits of its own, from {from:.3} to {to:.3} rad; goals stay within them");
            }
        }
        if let Some((least, most)) = words(&supply) {
            let voltage_v = (f64::from(least) / 1e3, f64::from(most) / 1e3);
            servo.bearable = Bearable { voltage_v, temperature_degc: f64::from(hottest) };
        }
        servo.hear_temperature(celsius);
        servo.hear_voltage(voltage);
        servo.identity.offset = Some(i8::from_le_bytes([offset]).into());
        tracing::debug!(joint = %servo.joint, id = %servo.id, identity = %servo.identity, "servo identified");
        Ok(())
    }

    /// Whether the servo holds, and where it was told to be.
    fn standing(&mut self, index: usize) -> Result<Standing, ServoError> {
        let [holds] = self.ask(index, Command::LoadRead)?;
        let [low, high, ..]: [u8; 4] = self.ask(index, Command::MoveTimeRead)?;
        let goal = self.servos[index].to_joint(i16::from_le_bytes([low, high]));
        Ok(Standing { torque: holds == 1, goal, limit_strays: false })
    }

    fn read_back(&mut self, index: usize, latest: Time) -> Result<Option<Standing>, LinkLost> {
        if latest < clock::now() + self.single_try(Command::LoadRead) {
            return Ok(None);
        }
        match self.standing(index) {
            Ok(standing) => Ok(Some(standing)),
            Err(ServoError::Lost(lost)) => Err(lost),
            Err(_) => Ok(None),
        }
    }

    /// Whether the servo still holds, in one question; the goal is what it was told.
    fn check(&mut self, index: usize, latest: Time) -> Result<Option<Standing>, LinkLost> {
        if latest < clock::now() + self.single_try(Command::LoadRead) {
            return Ok(None);
        }
        match self.ask_once::<1>(index, Command::LoadRead, Wait::Until(latest)) {
            Ok(([holds], _)) => {
                let servo = &self.servos[index];
                let goal = servo.told.map_or(servo.report.position, |told| servo.to_joint(told));
                Ok(Some(Standing { torque: holds == 1, goal, limit_strays: false }))
            }
            Err(ServoError::Lost(lost)) => Err(lost),
            Err(_) => Ok(None),
        }
    }

    fn release_one(&mut self, index: usize) -> bool {
        let off = Frame::load(self.servos[index].id.into(), false);
        (0..TRIES).any(|_| {
            let _told = self.bus.tell(off.as_bytes());
            matches!(self.ask::<1>(index, Command::LoadRead), Ok([0]))
        })
    }

    fn load(&mut self, holds: bool) -> Result<(), LinkLost> {
        let all = self.servos.iter().map(|servo| (servo.id, [u8::from(holds)]));
        let frames = Lx16a::sync_write(Command::LoadWrite.code().into(), 1, all);
        self.tell(frames)
    }

    fn ask_position(&mut self, index: usize, latest: Time) -> Result<(), LinkLost> {
        match self.ask_once::<2>(index, Command::PosRead, Wait::Until(latest)) {
            Ok((raw, came)) => {
                // It measured before its answer went out.
                let stamp = came - self.bus.wire_time(Lx16a::answer_len(answer_len(Command::PosRead)));
                self.servos[index].hear_position(raw, stamp);
                Ok(())
            }
            Err(ServoError::Lost(lost)) => Err(lost),
            Err(_) => Ok(()),
        }
    }

    /// One more question, if the cycle bears it: temperature and voltage change slowly.
    fn ask_extra(&mut self, latest: Time) -> Result<(), LinkLost> {
        if self.servos.is_empty() || latest < clock::now() + self.single_try(Command::VinRead) {
            return Ok(());
        }
        let (index, is_voltage) = (self.next_extra / 2 % self.servos.len(), self.next_extra % 2 == 1);
        self.next_extra = (self.next_extra + 1) % (2 * self.servos.len());
        let wait = Wait::Until(latest);
        let asked = if is_voltage {
            let said = self.ask_once::<2>(index, Command::VinRead, wait);
            said.map(|(raw, _)| self.servos[index].hear_voltage(raw))
        } else {
            let said = self.ask_once::<1>(index, Command::TempRead, wait);
            said.map(|([celsius], _)| self.servos[index].hear_temperature(celsius))
        };
        match asked {
            Err(ServoError::Lost(lost)) => Err(lost),
            _ => Ok(()),
        }
    }

    /// Asks a servo until it answers, patiently.
    fn ask<const N: usize>(&mut self, index: usize, command: Command) -> Result<[u8; N], ServoError> {
        let mut answered = Err(ServoError::Silent(self.servos[index].id));
        for _ in 0..TRIES {
            answered = self.ask_once::<N>(index, command, Wait::Patiently).map(|(params, _)| params);
            if matches!(answered, Ok(_) | Err(ServoError::Lost(_) | ServoError::Request(_))) {
                break;
            }
        }
        answered
    }

    /// Asks a servo once. An answer to another command, which came late, is none.
    fn ask_once<const N: usize>(
        &mut self,
        index: usize,
        command: Command,
        wait: Wait,
    ) -> Result<([u8; N], Time), ServoError> {
        let id: Id = self.servos[index].id;
        let len = answer_len(command);
        let request = Lx16a::read(id, command.code().into(), u16::try_from(len).unwrap_or(0))?;
        let said = self.bus.ask_once(id, request.as_ref(), len, wait, |reply, at| {
            let (code, params) = reply.data.split_first()?;
            let params: [u8; N] = params.try_into().ok()?;
            (*code == command.code()).then_some((params, at))
        })?;
        said.ok_or(ServoError::Silent(id))
    }

    /// How long one question to one servo takes.
    fn single_try(&self, command: Command) -> Duration {
        self.bus.wire_time(exchange_len(command)) + SINGLE_TRY_RESERVE
    }

    fn tell(&mut self, frames: Result<Frames, FrameError>) -> Result<(), LinkLost> {
        match frames {
            Ok(frames) => self.bus.tell(frames.as_ref()),
            // Nobody to tell; nothing is sent rather than something wrong.
            Err(_) => Ok(()),
        }
    }

    fn failed(&self, index: usize, cause: ServoError) -> IdentifyError {
        IdentifyError::Servo { joint: self.servos[index].joint.clone(), cause }
    }
}

/// The bytes of data of a command's answer: its code, and its parameters.
fn answer_len(command: Command) -> usize {
    1 + command.reply_params().unwrap_or(0)
}

/// The bytes on the wire of a question and its answer.
fn exchange_len(command: Command) -> usize {
    /// A frame without parameters.
    const QUESTION: usize = 6;
    QUESTION + Lx16a::answer_len(answer_len(command))
}

/// How long a servo is to take to its goal: as long as there is until the next one comes.
#[derive(Debug, Default)]
struct Period {
    last: Option<Time>,
    secs: Option<f64>,
}

impl Period {
    /// Before anything is known: 50 Hz.
    const FIRST_SECS: f64 = 0.02;
    const SHORTEST_SECS: f64 = 0.01;
    const LONGEST_SECS: f64 = 0.2;
    /// The part of a new period that counts; one late cycle must not make the servos slow.
    const WEIGHT: f64 = 0.1;

    fn measure(&mut self, now: Time) -> Duration {
        let passed =
            self.last.map(|last| now.secs_since(last).clamp(Self::SHORTEST_SECS, Self::LONGEST_SECS));
        self.last = Some(now);
        if let Some(passed) = passed {
            let before = self.secs.unwrap_or(passed);
            self.secs = Some(before + (passed - before) * Self::WEIGHT);
        }
        Duration::from_millis(rounded_millis(self.secs.unwrap_or(Self::FIRST_SECS)))
    }
}

fn rounded_millis(secs: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "10 to 200")]
    {
        (secs * 1e3).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_takes_as_long_as_the_cycles_are_apart() {
        let mut period = Period::default();
        assert_eq!(period.measure(Time(0)), Duration::from_millis(20));
        let mut now = Time(0);
        for _ in 0..50 {
            now = now + Duration::from_millis(25);
            assert_eq!(period.measure(now), Duration::from_millis(25));
        }
        now = now + Duration::from_secs(5);
        assert!(period.measure(now) < Duration::from_millis(50), "one late cycle counts little");
    }

    #[test]
    fn a_cycle_of_six_servos_has_the_bytes_of_the_reference() {
        assert_eq!(6 * MAX_FRAME + 6 * exchange_len(Command::PosRead), 60 + 84);
    }
}
