//! The LX-16A family: what its servos hear, do and say.

mod servo;

use std::time::Duration;

use crate::protocol::lx16a::{Command, Decoder, Direction, Frame};
use crate::protocol::wire::Id;
use crate::units::Time;

use super::bus::BusConfig;
use super::family::{EmulatedServo, Family, Heard};
use super::faults::Shape;
use super::wire::Wire;
use servo::Lx16aServo;

/// LX-16A servos on one bus.
#[derive(Debug)]
pub(super) struct Lx16a {
    decoder: Decoder,
    servos: Vec<Lx16aServo>,
}

impl Family for Lx16a {
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
        let &[_, _, id, _, code, ref params @ .., _] = request else { return wire.count_bad_request() };
        let Some(command) = Command::from_code(code) else { return wire.count_bad_request() };
        let (at, is_for_all) = (wire.free_at(), id == EVERYBODY);
        let mut answers = Vec::new();
        for servo in self.servos.iter_mut().filter(|servo| is_for_all || servo.id() == id) {
            if !servo.is_awake(at) {
                continue;
            }
            servo.advance(at);
            match servo.answer(command) {
                Some(params) => {
                    let frame = Id::new(servo.id()).ok().and_then(|id| Frame::reply(id, command, &params));
                    answers.extend(frame.map(|frame| (servo.id(), frame.as_bytes().to_vec())));
                }
                None => {
                    servo.obey(command, params);
                    wire.tell_write(servo.id(), code.into(), params);
                }
            }
        }
        match &answers[..] {
            [(id, answer)] => {
                wire.answer(*id, TURNAROUND, answer);
            }
            // Two with the same id, or all of them: nobody can read that.
            _ => wire.answer_at_once(answers.into_iter().map(|(_, answer)| answer)),
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

/// The id under which all servos hear.
const EVERYBODY: u8 = 0xFE;
/// What a servo takes before it answers; not documented.
const TURNAROUND: Duration = Duration::from_micros(100);

impl Lx16a {
    /// Powers the servos up.
    pub(super) fn new(config: &BusConfig, now: Time) -> Self {
        let servos = config.servos.iter().map(|servo| Lx16aServo::new(servo, now)).collect();
        Self { decoder: Decoder::new(Direction::Requests), servos }
    }
}

/// The answer as if another servo had given it.
fn with_another_id(answer: &[u8]) -> Vec<u8> {
    let [_, _, id, _, code, params @ .., _] = answer else { return answer.to_vec() };
    let other = Command::from_code(*code).zip(Id::new((id + 1) % Id::MAX).ok());
    let frame = other.and_then(|(command, id)| Frame::reply(id, command, params));
    frame.map_or_else(|| answer.to_vec(), |frame| frame.as_bytes().to_vec())
}

#[cfg(test)]
#[path = "lx16a/family_tests.rs"]
mod tests;
