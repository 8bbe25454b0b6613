//! The Feetech family: what its servos hear, do and say.

mod memory;
mod model;
mod servo;

use crate::protocol::feetech::decoder::{Decoder, Direction};
use crate::protocol::feetech::packet::{MAX_PARAMS, OVERHEAD, Packet};
use crate::protocol::feetech::{Alarms, Frame, Id, Request, Target};
use crate::units::Time;

use super::bus::BusConfig;
use super::family::{EmulatedServo, Family, Heard};
use super::faults::Shape;
use super::wire::Wire;
use model::{Model, SCS, STS};
use servo::FeetechServo;

/// Feetech servos on one bus.
#[derive(Debug)]
pub(super) struct Feetech {
    model: &'static Model,
    decoder: Decoder,
    servos: Vec<FeetechServo>,
}

impl Family for Feetech {
    fn push(&mut self, bytes: &[u8]) -> usize {
        self.decoder.push(bytes)
    }

    fn next_request(&mut self) -> Option<Vec<u8>> {
        self.decoder.next_frame().map(|packet| packet.as_bytes().to_vec())
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
        let understood = Packet::from_bytes(request).and_then(|packet| packet.request().ok());
        let Some((target, request)) = understood else {
            wire.count_bad_request();
            return;
        };
        let heard_at = wire.free_at();
        match (request, target) {
            (Request::SyncRead { .. }, _) | (Request::Ping, Target::All)
                if !self.model.answers_with_others => {}
            (Request::SyncRead { address, len, ids }, _) => self.sync_read(wire, address, len, ids),
            (Request::SyncWrite(write), _) => {
                for (id, data) in write.entries() {
                    self.write(wire, heard_at, id, write.address, data);
                }
            }
            (Request::Ping, Target::All) => self.ping_all(wire),
            (request, Target::All) => {
                for index in 0..self.servos.len() {
                    self.carry_out(wire, heard_at, index, request);
                }
            }
            (request, Target::One(id)) => {
                if let Some(index) = self.index_of(id.raw(), heard_at)
                    && let Some(params) = self.carry_out(wire, heard_at, index, request)
                {
                    self.answer(wire, index, &params);
                }
            }
        }
    }

    fn shape(&self) -> Shape {
        Shape { body_at: 4, with_another_id }
    }

    fn count(&self) -> usize {
        self.servos.len()
    }

    fn servo_mut(&mut self, index: usize) -> Option<&mut dyn EmulatedServo> {
        self.servos.get_mut(index).map(|servo| -> &mut dyn EmulatedServo { servo })
    }
}

impl Feetech {
    /// Powers STS servos up.
    pub(super) fn sts(config: &BusConfig, now: Time) -> Self {
        Self::new(STS, config, now)
    }

    /// Powers SCS servos up.
    pub(super) fn scs(config: &BusConfig, now: Time) -> Self {
        Self::new(SCS, config, now)
    }

    fn new(model: &'static Model, config: &BusConfig, now: Time) -> Self {
        let servos = config.servos.iter().map(|servo| FeetechServo::new(model, servo, now)).collect();
        Self { model, decoder: Decoder::new(Direction::Requests), servos }
    }

    /// Has one servo do something; gives what it answers where it is asked alone.
    fn carry_out(
        &mut self,
        wire: &mut Wire,
        at: Time,
        index: usize,
        request: Request<'_>,
    ) -> Option<Vec<u8>> {
        let servo = &mut self.servos[index];
        if !servo.is_awake(at) {
            return None;
        }
        servo.advance(at);
        let answers_everything = servo.answers_everything();
        match request {
            Request::Ping => return Some(Vec::new()),
            Request::Read { address, len } if usize::from(len) <= MAX_PARAMS => {
                return Some(servo.read(address, len).collect());
            }
            Request::Write { address, data } => {
                let id = servo.id();
                self.write(wire, at, id, address, data);
            }
            Request::RegWrite { address, data } => servo.register_write(address, data),
            Request::Action => {
                let id = servo.id();
                if let Some((address, data)) = servo.act() {
                    wire.tell_write(id, address.into(), &data);
                }
            }
            Request::Reboot => servo.power_cycle(at),
            Request::Reset => servo.reset(at),
            Request::CalibrateOffset => servo.calibrate_offset(),
            Request::Read { .. } | Request::SyncRead { .. } | Request::SyncWrite(_) => return None,
        }
        answers_everything.then(Vec::new)
    }

    fn write(&mut self, wire: &mut Wire, at: Time, id: u8, address: u8, data: &[u8]) {
        let Some(index) = self.index_of(id, at) else { return };
        self.servos[index].advance(at);
        self.servos[index].write(address, data);
        wire.tell_write(id, address.into(), data);
    }

    fn sync_read(&mut self, wire: &mut Wire, address: u8, len: u8, ids: &[u8]) {
        if MAX_PARAMS < usize::from(len) {
            return;
        }
        for id in ids {
            let has_answered = self.index_of(*id, wire.free_at()).is_some_and(|index| {
                self.servos[index].advance(wire.free_at());
                let params: Vec<u8> = self.servos[index].read(address, len).collect();
                self.answer(wire, index, &params)
            });
            if !has_answered && !wire.wait_for_missing(usize::from(len) + OVERHEAD) {
                return;
            }
        }
    }

    fn ping_all(&mut self, wire: &mut Wire) {
        let mut order: Vec<usize> = (0..self.servos.len()).collect();
        order.retain(|index| self.servos[*index].is_awake(wire.free_at()));
        order.sort_by_key(|index| self.servos[*index].id());
        if wire.pings_collide() {
            let answers: Vec<Vec<u8>> =
                order.into_iter().filter_map(|index| self.frame_of(wire, index, &[])).collect();
            wire.answer_at_once(answers.into_iter());
            return;
        }
        for index in order {
            self.answer(wire, index, &[]);
        }
    }

    /// Puts a servo's answer on the wire; false where a fault swallows it.
    fn answer(&mut self, wire: &mut Wire, index: usize, params: &[u8]) -> bool {
        let Some(frame) = self.frame_of(wire, index, params) else { return false };
        let servo = &self.servos[index];
        wire.answer(servo.id(), servo.return_delay(), &frame)
    }

    fn frame_of(&self, wire: &mut Wire, index: usize, params: &[u8]) -> Option<Vec<u8>> {
        let servo = &self.servos[index];
        let id = Id::new(servo.id()).ok()?;
        let alarms = servo.alarms() | wire.faults.alarms(id.raw());
        Frame::status(id, alarms, params).ok().map(|frame| frame.as_bytes().to_vec())
    }

    fn index_of(&self, id: u8, at: Time) -> Option<usize> {
        self.servos.iter().position(|servo| servo.id() == id && servo.is_awake(at))
    }
}

/// The answer as if another servo had given it.
fn with_another_id(answer: &[u8]) -> Vec<u8> {
    let [_, _, id, _, alarms, params @ .., _] = answer else { return answer.to_vec() };
    let frame =
        Id::new((id + 1) % Id::MAX).and_then(|id| Frame::status(id, Alarms::from_bits(*alarms), params));
    frame.map_or_else(|_impossible| answer.to_vec(), |frame| frame.as_bytes().to_vec())
}
