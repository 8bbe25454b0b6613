//! Emulated servos on one half-duplex wire.
//!
//! Told the time and the host's bytes; gives the servos' bytes and when they are due. After every input,
//! ask [`Bus::next_due`] and fetch with [`Bus::take_due`]. What is spoken is the business of the servos' family.

use std::time::Duration;

use crate::config::pwm::PwmBusConfig;
use crate::protocol::feetech::Id;
use crate::units::Time;

use super::family::{EmulatedServo, Family, FamilyName, Heard, ServoConfig};
use super::lateness::Lateness;
use super::wire::Wire;

/// What the wire and its servos are like.
#[derive(Clone, Debug)]
pub struct BusConfig {
    /// What the servos are.
    pub family: FamilyName,
    /// The servos, each with an id of its own.
    pub servos: Vec<ServoConfig>,
    /// Bits a second, where bytes take their time.
    pub pace_bps: Option<u32>,
    /// What a servo takes to answer beyond its return delay.
    pub turnaround: Duration,
    /// Whether the adapter gives the host's own bytes back.
    pub echo: bool,
    /// Whether all servos answer a broadcast ping at once, rather than in the order of their ids.
    pub pings_collide: bool,
    /// What a servo does in a sync read when the one before it does not answer.
    pub after_missing: AfterMissing,
    /// Where the randomness of faults begins.
    pub seed: u64,
    /// The board, where the servos hang on one.
    pub board: PwmBusConfig,
}

impl BusConfig {
    /// STS3215 servos with these ids; bytes take no time.
    pub fn new(ids: impl IntoIterator<Item = Id>) -> Self {
        Self::of(FamilyName::FeetechSts, ids)
    }

    /// Servos of that family with these ids; bytes take no time.
    pub fn of(family: FamilyName, ids: impl IntoIterator<Item = Id>) -> Self {
        Self {
            family,
            servos: ids.into_iter().map(|id| family.servo(id)).collect(),
            pace_bps: None,
            turnaround: Duration::ZERO,
            echo: false,
            pings_collide: false,
            after_missing: AfterMissing::default(),
            seed: 0,
            board: PwmBusConfig::default(),
        }
    }
}

/// What a servo does in a sync read when the one before it does not answer; both have been reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterMissing {
    /// It answers, but later, as if it had waited for the missing one.
    #[default]
    AnswerLate,
    /// It says nothing either.
    StaySilent,
}

/// What passed over the wire since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// Bytes from the host.
    pub bytes_in: u64,
    /// Bytes to the host.
    pub bytes_out: u64,
    /// Good frames that are no instruction.
    pub bad_requests: u64,
    /// Answers.
    pub answers: u64,
    /// How long the wire was busy, at the pace given or else at 1 Mbit/s (ns).
    pub busy_ns: u64,
}

/// Servos, wire and faults.
#[derive(Debug)]
pub struct Bus {
    /// The wire.
    pub wire: Wire,
    family: Box<dyn Family>,
    last_input: Time,
}

impl Bus {
    /// A silence of this length ends a request that never became whole.
    const REQUEST_GAP: Duration = Duration::from_millis(20);

    /// Powers everything up.
    pub fn new(config: BusConfig, now: Time) -> Self {
        let family = config.family.power_up(&config, now);
        Self { wire: Wire::new(&config, family.shape(), now), family, last_input: now }
    }

    /// How many servos there are.
    pub fn servo_count(&self) -> usize {
        self.family.count()
    }

    /// One of the servos, in the order of the configuration.
    pub fn servo_mut(&mut self, index: usize) -> Option<&mut dyn EmulatedServo> {
        self.family.servo_mut(index)
    }

    /// Calls `each` with every servo, in the order of the configuration.
    pub fn each_servo(&mut self, mut each: impl FnMut(&mut dyn EmulatedServo)) {
        for index in 0..self.family.count() {
            if let Some(servo) = self.family.servo_mut(index) {
                each(servo);
            }
        }
    }

    /// The servo with that id, brought up to the moment.
    pub fn servo_with_id(&mut self, id: u8, now: Time) -> Option<&mut dyn EmulatedServo> {
        let index = (0..self.family.count())
            .find(|index| self.family.servo_mut(*index).is_some_and(|servo| servo.id() == id))?;
        let servo = self.family.servo_mut(index)?;
        servo.advance(now);
        Some(servo)
    }

    /// What passed over the wire.
    pub fn stats(&self) -> Stats {
        self.wire.stats()
    }

    /// How long after they were due bytes were fetched for the host.
    pub fn lateness(&self) -> &Lateness {
        self.wire.lateness()
    }

    /// What the servos heard.
    pub fn heard(&self) -> Heard {
        self.family.heard()
    }

    /// Whether the wire keeps up; where not, the host has to wait.
    pub fn takes_input(&self, now: Time) -> bool {
        self.wire.takes_input(now)
    }

    /// Takes bytes from the host, whole requests or not.
    pub fn on_bytes(&mut self, now: Time, bytes: &[u8]) {
        if Self::REQUEST_GAP < now.saturating_since(self.last_input) {
            self.family.forget();
        }
        self.last_input = now;
        self.wire.arrive(now, bytes.len());
        let mut rest = bytes;
        while !rest.is_empty() {
            // A family that takes nothing in would never end.
            let taken = self.family.push(rest).clamp(1, rest.len());
            let (chunk, later) = rest.split_at(taken);
            self.hear(chunk);
            rest = later;
        }
    }

    /// When the next bytes for the host are due.
    pub fn next_due(&self) -> Option<Time> {
        self.wire.next_due()
    }

    /// Appends to `out` the bytes that are due.
    pub fn take_due(&mut self, now: Time, out: &mut Vec<u8>) {
        self.wire.take_due(now, out);
    }

    /// Forgets what is under way: the adapter is gone.
    pub fn hang_up(&mut self, now: Time) {
        self.wire.hang_up(now);
        self.family.forget();
    }

    /// Carries out the requests in a chunk that the family has just taken in.
    fn hear(&mut self, chunk: &[u8]) {
        let mut passed = 0;
        while let Some(request) = self.family.next_request() {
            // A request that a false header had hidden may have ended before this chunk began.
            let end = chunk.len().saturating_sub(self.family.pending()).max(passed);
            self.wire.pass(&chunk[passed..end]);
            passed = end;
            self.wire.tell_request(&request);
            self.family.obey(&mut self.wire, &request);
        }
        self.wire.pass(&chunk[passed..]);
    }
}

#[cfg(test)]
#[path = "bus_tests.rs"]
mod tests;
