//! The Dynamixel X family: what its servos hear, do and say.

mod memory;
mod servo;
mod table;

use std::time::Duration;

use crate::protocol::dynamixel::decoder::{Decoder, Direction};
use crate::protocol::dynamixel::joint::JointAnswer;
use crate::protocol::dynamixel::packet::{MAX_ID, MAX_PACKET, Packet, Part, STATUS_OVERHEAD, Target};
use crate::protocol::dynamixel::{ErrorCode, Frame, Request};
use crate::protocol::feetech::Alarms;
use crate::protocol::wire::Id;
use crate::units::Time;

use super::bus::BusConfig;
use super::family::{EmulatedServo, Family, Heard};
use super::faults::Shape;
use super::wire::Wire;
use servo::{DynamixelServo, error_bits};

/// Speeds of the baud register's values (bit/s).
const BAUD_RATES: [u32; 8] = [9600, 57_600, 115_200, 1_000_000, 2_000_000, 3_000_000, 4_000_000, 4_500_000];
/// What an unpaced wire is taken for: 1 Mbit/s.
const USUAL_BAUD: i64 = 3;
const HARDWARE_ERROR_STATUS: usize = 70;

/// Dynamixel servos on one bus.
#[derive(Debug)]
pub(super) struct Dynamixel {
    decoder: Decoder,
    servos: Vec<DynamixelServo>,
}

/// What is answered to an instruction: data, or why there is none.
type Answer = Result<Vec<u8>, ErrorCode>;

impl Family for Dynamixel {
    fn push(&mut self, bytes: &[u8]) -> usize {
        self.decoder.push(bytes)
    }

    fn next_request(&mut self) -> Option<Vec<u8>> {
        self.decoder.next_packet().map(|packet| packet.as_bytes().to_vec())
    }

    fn pending(&self) -> usize {
        self.decoder.pending()
    }

    fn forget(&mut self) {
        self.decoder.clear();
    }

    fn heard(&self) -> Heard {
        let counts = self.decoder.counts();
        Heard { frames: counts.frames, noise_bytes: counts.noise_bytes, bad_checksums: counts.bad_checksums }
    }

    fn obey(&mut self, wire: &mut Wire, request: &[u8]) {
        let heard_at = wire.free_at();
        // Any instruction feeds the watchdogs of all servos.
        for servo in self.servos.iter_mut().filter(|servo| servo.hears(heard_at)) {
            servo.hear(heard_at);
        }
        let mut room = [0; MAX_PACKET];
        let Some(packet) = Packet::from_bytes(request, &mut room) else { return wire.count_bad_request() };
        let Ok(target) = packet.target() else { return wire.count_bad_request() };
        match packet.request() {
            Ok(request) => self.carry_out(wire, heard_at, target, request),
            Err(_senseless) => {
                wire.count_bad_request();
                if let Target::One(id) = target {
                    self.answer_to(wire, heard_at, id, 2, |_| Err(ErrorCode::Instruction));
                }
            }
        }
    }

    fn shape(&self) -> Shape {
        Shape { body_at: 7, with_another_id }
    }

    fn count(&self) -> usize {
        self.servos.len()
    }

    fn servo_mut(&mut self, index: usize) -> Option<&mut dyn EmulatedServo> {
        self.servos.get_mut(index).map(|servo| -> &mut dyn EmulatedServo { servo })
    }
}

impl Dynamixel {
    /// Powers the servos up; they have the speed of the wire.
    pub(super) fn new(config: &BusConfig, now: Time) -> Self {
        let code = config.pace_bps.and_then(|bps| BAUD_RATES.iter().position(|known| *known == bps));
        let baud = code.and_then(|code| i64::try_from(code).ok()).unwrap_or(USUAL_BAUD);
        let servos = config.servos.iter().map(|servo| DynamixelServo::new(servo, baud, now)).collect();
        Self { decoder: Decoder::new(Direction::Requests), servos }
    }

    fn carry_out(&mut self, wire: &mut Wire, at: Time, target: Target, request: Request<'_>) {
        match request {
            Request::SyncRead { address, len, ids, is_fast } => {
                let parts = ids.iter().filter_map(|id| Id::new(*id).ok());
                self.read_several(wire, parts.map(|id| Part { id, address, len }).collect(), is_fast);
            }
            Request::BulkRead { parts, is_fast } => {
                self.read_several(wire, parts.parts().collect(), is_fast);
            }
            Request::SyncWrite(write) => {
                for (id, data) in write.entries() {
                    self.write(wire, at, id, write.address, data);
                }
            }
            Request::BulkWrite(write) => {
                for (id, address, data) in write.entries() {
                    self.write(wire, at, id, address, data);
                }
            }
            Request::Ping if target == Target::All => self.ping_all(wire),
            request => self.carry_out_singly(wire, at, target, request),
        }
    }

    /// What every servo that is meant does by itself; its answer, where it is asked alone by its own id.
    fn carry_out_singly(&mut self, wire: &mut Wire, at: Time, target: Target, request: Request<'_>) {
        let least_level = match request {
            Request::Ping => 0,
            Request::Read { .. } => 1,
            _ => 2,
        };
        for index in 0..self.servos.len() {
            let servo = &mut self.servos[index];
            let is_meant = match target {
                Target::All => true,
                Target::One(id) => servo.obeys(id.raw()),
            };
            if !is_meant || !servo.hears(at) {
                continue;
            }
            let is_asked = matches!(target, Target::One(id) if id.raw() == servo.id());
            if is_asked && least_level <= servo.return_level() {
                let voice = Voice::of(servo, wire);
                let answer = obey_one(servo, wire, at, request, voice.forced);
                voice.say(wire, &answer);
            } else {
                // Nobody hears whether it could.
                let _silent = obey_one(servo, wire, at, request, Alarms::NONE);
            }
        }
    }

    fn answer_to(
        &mut self,
        wire: &mut Wire,
        at: Time,
        id: Id,
        least_level: i64,
        answer: impl FnOnce(&mut DynamixelServo) -> Answer,
    ) {
        let Some(servo) = self.with_id(id, at) else { return };
        if least_level <= servo.return_level() {
            let voice = Voice::of(servo, wire);
            let answer = answer(servo);
            voice.say(wire, &answer);
        }
    }

    fn read_several(&mut self, wire: &mut Wire, parts: Vec<Part>, is_fast: bool) {
        if is_fast {
            return self.read_jointly(wire, &parts);
        }
        for Part { id, address, len } in parts {
            let at = wire.free_at();
            let has_answered = self.with_id(id, at).is_some_and(|servo| {
                servo.advance(at);
                let voice = Voice::of(servo, wire);
                let answer = read(servo, voice.forced, address, len);
                1 <= servo.return_level() && voice.say(wire, &answer)
            });
            if !has_answered && !wire.wait_for_missing(usize::from(len) + STATUS_OVERHEAD) {
                return;
            }
        }
    }

    /// Each servo adds its part once it has heard the one before it; where that is missing, nothing more comes.
    fn read_jointly(&mut self, wire: &mut Wire, parts: &[Part]) {
        let lens: Vec<usize> = parts.iter().map(|part| usize::from(part.len)).collect();
        let Some(mut joint) = JointAnswer::begin(&lens) else { return };
        let mut bytes = joint.header().to_vec();
        for (index, Part { id, address, len }) in parts.iter().enumerate() {
            let at = wire.free_at();
            let Some(servo) = self.with_id(*id, at).filter(|servo| servo.knows_fast_reads()) else { return };
            servo.advance(at);
            let voice = Voice::of(servo, wire);
            let (error, data) = match read(servo, voice.forced, *address, *len) {
                Ok(data) => (None, data),
                Err(error) => (Some(error), vec![0; usize::from(*len)]),
            };
            bytes.extend(joint.part(*id, voice.alert, error, &data));
            let is_said = if index == 0 {
                wire.answer(id.raw(), voice.delay, &bytes)
            } else {
                wire.add_to_answer(id.raw(), &bytes)
            };
            if !is_said {
                return;
            }
            bytes.clear();
        }
    }

    /// A write that nobody answers.
    fn write(&mut self, wire: &mut Wire, at: Time, id: u8, address: u16, data: &[u8]) {
        for servo in self.servos.iter_mut().filter(|servo| servo.obeys(id) && servo.hears(at)) {
            if servo.write(address, data).is_ok() {
                wire.tell_write(servo.id(), address, data);
            }
        }
    }

    fn ping_all(&mut self, wire: &mut Wire) {
        let at = wire.free_at();
        let mut order: Vec<usize> = (0..self.servos.len()).filter(|i| self.servos[*i].hears(at)).collect();
        order.sort_by_key(|index| self.servos[*index].id());
        let mut heap = Vec::new();
        for index in order {
            let (voice, answer) = (Voice::of(&self.servos[index], wire), Ok(identity(&self.servos[index])));
            if wire.pings_collide() {
                heap.extend(voice.frame(&answer));
            } else {
                voice.say(wire, &answer);
            }
        }
        wire.answer_at_once(heap.into_iter());
    }

    fn with_id(&mut self, id: Id, at: Time) -> Option<&mut DynamixelServo> {
        self.servos.iter_mut().find(|servo| servo.id() == id.raw() && servo.hears(at))
    }
}

fn obey_one(
    servo: &mut DynamixelServo,
    wire: &mut Wire,
    at: Time,
    request: Request<'_>,
    forced: Alarms,
) -> Answer {
    let id = servo.id();
    match request {
        Request::Ping => return Ok(identity(servo)),
        Request::Read { address, len } => return read(servo, forced, address, len),
        Request::Write { address, data } => {
            servo.write(address, data)?;
            wire.tell_write(id, address, data);
        }
        Request::RegWrite { address, data } => servo.register_write(address, data)?,
        Request::Action => servo.act()?,
        Request::FactoryReset(reset) => servo.reset(reset, at),
        Request::Reboot => servo.reboot(at),
        Request::ClearTurns => servo.clear_turns(),
        Request::SyncRead { .. }
        | Request::SyncWrite(_)
        | Request::BulkRead { .. }
        | Request::BulkWrite(_) => {
            return Err(ErrorCode::Instruction);
        }
    }
    Ok(Vec::new())
}

/// What a ping is answered with: model and firmware.
fn identity(servo: &DynamixelServo) -> Vec<u8> {
    let mut identity = servo.read(0, 2).unwrap_or_default();
    identity.extend(servo.read(6, 1).unwrap_or_default());
    identity
}

/// Registers, with the errors in register 70 that the servo is made to complain of.
fn read(servo: &DynamixelServo, forced: Alarms, address: u16, len: u16) -> Answer {
    if MAX_PACKET < usize::from(len) + STATUS_OVERHEAD {
        return Err(ErrorCode::DataRange);
    }
    let mut data = servo.read(address, len)?;
    // It may be seen in several places.
    for (at, byte) in (usize::from(address)..).zip(&mut data) {
        if servo.meant(at) == HARDWARE_ERROR_STATUS {
            *byte |= error_bits(forced);
        }
    }
    Ok(data)
}

/// How a servo answers: who it is, how late it is, and whether it complains.
struct Voice {
    id: u8,
    delay: Duration,
    alert: bool,
    /// What it is made to complain of in this answer.
    forced: Alarms,
}

impl Voice {
    fn of(servo: &DynamixelServo, wire: &mut Wire) -> Self {
        let (id, delay) = (servo.id(), servo.return_delay());
        let forced = wire.faults.alarms(id);
        Self { id, delay, alert: servo.has_alert() || !forced.is_empty(), forced }
    }

    /// Puts an answer on the wire; false where a fault swallows it.
    fn say(&self, wire: &mut Wire, answer: &Answer) -> bool {
        self.frame(answer).is_some_and(|frame| wire.answer(self.id, self.delay, &frame))
    }

    fn frame(&self, answer: &Answer) -> Option<Vec<u8>> {
        let (error, data) = match answer {
            Ok(data) => (None, &data[..]),
            Err(error) => (Some(*error), &[][..]),
        };
        let frame = Frame::status(Id::new(self.id).ok()?, self.alert, error, data).ok()?;
        Some(frame.as_bytes().to_vec())
    }
}

/// The answer as if another servo had given it.
fn with_another_id(answer: &[u8]) -> Vec<u8> {
    let mut room = [0; MAX_PACKET];
    let Some(status) = Packet::from_bytes(answer, &mut room).and_then(Packet::status) else {
        return answer.to_vec();
    };
    let id = Id::new((status.id.raw() + 1) % MAX_ID);
    let frame = id.and_then(|id| Frame::status(id, status.alert, status.error(), status.data));
    frame.map_or_else(|_impossible| answer.to_vec(), |frame| frame.as_bytes().to_vec())
}

#[cfg(test)]
#[path = "dynamixel/bus_tests.rs"]
mod tests;
