//! Emulated servos on one half-duplex wire.
//!
//! Told the time and the host's bytes; gives the servos' bytes and when they are due. After every input,
//! ask [`Bus::next_due`] and fetch with [`Bus::take_due`].
//!
//! The wire has a clock of its own. A request holds it from its arrival, or from when the wire is free, for
//! ten bits a byte; so does each answer, after the servo's return delay and the turnaround. An answer is due
//! when its last byte would have come. Unpaced, everything is due at once.

use std::collections::VecDeque;
use std::time::Duration;

use crate::protocol::feetech::decoder::{Counts, Decoder, Direction};
use crate::protocol::feetech::packet::{MAX_PARAMS, OVERHEAD, Packet};
use crate::protocol::feetech::{Frame, Id, Request, Target};
use crate::units::Time;

use super::events::{Event, Watchers};
use super::faults::{Faults, collide};
use super::lateness::Lateness;
use super::servo::{EmulatedServo, ServoConfig};

/// What the wire and its servos are like.
#[derive(Clone, Debug)]
pub struct BusConfig {
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
}

impl BusConfig {
    /// STS3215 servos with these ids; bytes take no time.
    pub fn new(ids: impl IntoIterator<Item = Id>) -> Self {
        Self {
            servos: ids.into_iter().map(ServoConfig::new).collect(),
            pace_bps: None,
            turnaround: Duration::ZERO,
            echo: false,
            pings_collide: false,
            after_missing: AfterMissing::default(),
            seed: 0,
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

#[derive(Debug)]
struct Due {
    at: Time,
    bytes: Vec<u8>,
}

/// Servos, wire and faults.
#[derive(Debug)]
pub struct Bus {
    config: BusConfig,
    servos: Vec<EmulatedServo>,
    decoder: Decoder,
    wire_free: Time,
    outbox: VecDeque<Due>,
    last_input: Time,
    /// What goes wrong with answers.
    pub faults: Faults,
    /// Who is told of what happens.
    pub watchers: Watchers,
    stats: Stats,
    lateness: Lateness,
}

impl Bus {
    /// A silence of this length ends a request that never became whole.
    const REQUEST_GAP: Duration = Duration::from_millis(20);
    /// How far the wire may be behind before the host has to wait.
    const BACKLOG: Duration = Duration::from_millis(20);
    /// How long the servos behind a missing one wait for it, beyond its bytes.
    const MISSING_WAIT: Duration = Duration::from_micros(200);

    /// Powers everything up.
    pub fn new(config: BusConfig, now: Time) -> Self {
        Self {
            servos: config.servos.iter().map(|servo| EmulatedServo::new(servo, now)).collect(),
            faults: Faults::new(config.seed),
            config,
            decoder: Decoder::new(Direction::Requests),
            wire_free: now,
            outbox: VecDeque::new(),
            last_input: now,
            watchers: Watchers::default(),
            stats: Stats::default(),
            lateness: Lateness::default(),
        }
    }

    /// The servos, in the order of the configuration.
    pub fn servos_mut(&mut self) -> &mut [EmulatedServo] {
        &mut self.servos
    }

    /// What passed over the wire.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// How long after they were due bytes were fetched for the host.
    pub fn lateness(&self) -> &Lateness {
        &self.lateness
    }

    /// What the servos heard.
    pub fn heard(&self) -> Counts {
        self.decoder.counts()
    }

    /// Whether the wire keeps up; where not, the host has to wait.
    pub fn takes_input(&self, now: Time) -> bool {
        self.wire_free.saturating_since(now) < Self::BACKLOG
    }

    /// Takes bytes from the host, whole requests or not.
    pub fn on_bytes(&mut self, now: Time, bytes: &[u8]) {
        if Self::REQUEST_GAP < now.saturating_since(self.last_input) {
            self.decoder.clear();
        }
        self.last_input = now;
        self.stats.bytes_in += bytes.len() as u64;
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = self.decoder.push(rest);
            let (chunk, later) = rest.split_at(taken);
            self.hear(now, chunk);
            rest = later;
        }
    }

    /// When the next bytes for the host are due.
    pub fn next_due(&self) -> Option<Time> {
        self.outbox.front().map(|due| due.at)
    }

    /// Appends to `out` the bytes that are due.
    pub fn take_due(&mut self, now: Time, out: &mut Vec<u8>) {
        while self.next_due().is_some_and(|at| at <= now)
            && let Some(due) = self.outbox.pop_front()
        {
            self.stats.bytes_out += due.bytes.len() as u64;
            self.lateness.add(now.saturating_since(due.at));
            out.extend_from_slice(&due.bytes);
        }
    }

    /// Forgets what is under way: the adapter is gone.
    pub fn hang_up(&mut self, now: Time) {
        self.outbox.clear();
        self.decoder.clear();
        self.wire_free = now;
    }

    /// Carries out the requests in a chunk that the decoder has just taken in.
    fn hear(&mut self, now: Time, chunk: &[u8]) {
        let mut passed = 0;
        while let Some(frame) = self.decoder.next_frame().map(Packet::to_frame) {
            // A frame that a false header had hidden may have ended before this chunk began.
            let end = chunk.len().saturating_sub(self.decoder.pending()).max(passed);
            self.pass(now, &chunk[passed..end]);
            passed = end;
            self.watchers.tell(|| Event::Host { at: now, bytes: frame.as_bytes().to_vec() });
            self.obey(now, frame.as_packet());
        }
        self.pass(now, &chunk[passed..]);
    }

    /// Lets the host's bytes pass over the wire.
    fn pass(&mut self, now: Time, bytes: &[u8]) {
        self.occupy(now.max(self.wire_free), bytes.len());
        if self.config.echo && !bytes.is_empty() {
            self.post(self.wire_free, bytes.to_vec());
        }
    }

    fn occupy(&mut self, from: Time, bytes: usize) {
        let pace = self.config.pace_bps.unwrap_or(1_000_000);
        self.stats.busy_ns += bytes as u64 * 10_000_000_000 / u64::from(pace.max(1));
        self.wire_free = from + self.time_of(bytes);
    }

    fn time_of(&self, bytes: usize) -> Duration {
        let per_byte = |bps: u32| 10_000_000_000 / u64::from(bps.max(1));
        Duration::from_nanos(bytes as u64 * self.config.pace_bps.map_or(0, per_byte))
    }

    fn obey(&mut self, now: Time, packet: Packet<'_>) {
        let heard_at = self.wire_free;
        let Ok((target, request)) = packet.request() else {
            self.stats.bad_requests += 1;
            return;
        };
        match (request, target) {
            (Request::SyncRead { address, len, ids }, _) => self.sync_read(address, len, ids),
            (Request::SyncWrite(write), _) => {
                for (id, data) in write.entries() {
                    self.write(now, heard_at, id, write.address, data);
                }
            }
            (Request::Ping, Target::All) => self.ping_all(),
            (request, Target::All) => {
                for index in 0..self.servos.len() {
                    self.carry_out(now, heard_at, index, request);
                }
            }
            (request, Target::One(id)) => {
                if let Some(index) = self.index_of(id.raw())
                    && let Some(params) = self.carry_out(now, heard_at, index, request)
                {
                    self.answer(index, &params);
                }
            }
        }
    }

    /// Has one servo do something; gives what it answers where it is asked alone.
    fn carry_out(&mut self, now: Time, at: Time, index: usize, request: Request<'_>) -> Option<Vec<u8>> {
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
                self.write(now, at, id, address, data);
            }
            Request::RegWrite { address, data } => servo.register_write(address, data),
            Request::Action => {
                let id = servo.id();
                if let Some((address, data)) = servo.act() {
                    self.watchers.tell(|| Event::Write { at: now, id, address, data });
                }
            }
            Request::Reboot => servo.power_cycle(at),
            Request::Reset => servo.reset(at),
            Request::CalibrateOffset => servo.calibrate_offset(),
            Request::Read { .. } | Request::SyncRead { .. } | Request::SyncWrite(_) => return None,
        }
        answers_everything.then(Vec::new)
    }

    fn write(&mut self, now: Time, at: Time, id: u8, address: u8, data: &[u8]) {
        let Some(index) = self.index_of(id) else { return };
        self.servos[index].advance(at);
        self.servos[index].write(address, data);
        self.watchers.tell(|| Event::Write { at: now, id, address, data: data.to_vec() });
    }

    fn sync_read(&mut self, address: u8, len: u8, ids: &[u8]) {
        if MAX_PARAMS < usize::from(len) {
            return;
        }
        for id in ids {
            let has_answered = self.index_of(*id).is_some_and(|index| {
                self.servos[index].advance(self.wire_free);
                let mut params = [0; MAX_PARAMS];
                for (param, byte) in params.iter_mut().zip(self.servos[index].read(address, len)) {
                    *param = byte;
                }
                self.answer(index, &params[..usize::from(len)])
            });
            if has_answered {
                continue;
            }
            if self.config.after_missing == AfterMissing::StaySilent {
                return;
            }
            if self.config.pace_bps.is_some() {
                self.wire_free =
                    self.wire_free + self.time_of(usize::from(len) + OVERHEAD) + Self::MISSING_WAIT;
            }
        }
    }

    fn ping_all(&mut self) {
        let mut order: Vec<usize> = (0..self.servos.len()).collect();
        order.retain(|index| self.servos[*index].is_awake(self.wire_free));
        order.sort_by_key(|index| self.servos[*index].id());
        if !self.config.pings_collide {
            for index in order {
                self.answer(index, &[]);
            }
            return;
        }
        let answers = order.into_iter().filter_map(|index| self.frame_of(index, &[]));
        let heap = answers.map(|frame| frame.as_bytes().to_vec()).reduce(|a, b| collide(&a, &b));
        if let Some(heap) = heap {
            self.occupy(self.wire_free, heap.len());
            self.post(self.wire_free, heap);
        }
    }

    /// Puts a servo's answer on the wire; false where a fault swallows it.
    fn answer(&mut self, index: usize, params: &[u8]) -> bool {
        let Some(frame) = self.frame_of(index, params) else { return false };
        let pieces = self.faults.shape(self.servos[index].id(), frame.as_bytes());
        if pieces.is_empty() {
            return false;
        }
        let delay = self.servos[index].return_delay() + self.config.turnaround;
        let delay = if self.config.pace_bps.is_some() { delay } else { Duration::ZERO };
        self.occupy(self.wire_free + delay, frame.as_bytes().len());
        self.stats.answers += 1;
        for piece in pieces {
            self.post(self.wire_free + piece.after, piece.bytes);
        }
        true
    }

    fn frame_of(&mut self, index: usize, params: &[u8]) -> Option<Frame> {
        let servo = &self.servos[index];
        let id = Id::new(servo.id()).ok()?;
        let alarms = servo.alarms() | self.faults.alarms(id.raw());
        Frame::status(id, alarms, params).ok()
    }

    fn post(&mut self, at: Time, bytes: Vec<u8>) {
        self.watchers.tell(|| Event::Servos { at, bytes: bytes.clone() });
        let behind = self.outbox.iter().rev().take_while(|due| at < due.at).count();
        self.outbox.insert(self.outbox.len() - behind, Due { at, bytes });
    }

    fn index_of(&self, id: u8) -> Option<usize> {
        self.servos.iter().position(|servo| servo.id() == id && servo.is_awake(self.wire_free))
    }
}

#[cfg(test)]
#[path = "bus_tests.rs"]
mod tests;
