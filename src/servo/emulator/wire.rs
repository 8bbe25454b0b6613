//! A half-duplex wire with a clock of its own, whatever is spoken on it.
//!
//! A request holds it from its arrival, or from when the wire is free, for ten bits a byte; so does each answer,
//! after the servo's return delay and the turnaround. An answer is due when its last byte would have come. Unpaced,
//! everything is due at once.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::Time;

use super::bus::{AfterMissing, BusConfig, Stats};
use super::events::{Event, Watchers};
use super::faults::{Faults, Shape, collide};
use super::lateness::Lateness;

#[derive(Debug)]
struct Due {
    at: Time,
    bytes: Vec<u8>,
}

/// The wire, what goes wrong on it, and who watches.
#[derive(Debug)]
pub struct Wire {
    pace_bps: Option<u32>,
    turnaround: Duration,
    echo: bool,
    pings_collide: bool,
    after_missing: AfterMissing,
    now: Time,
    free_at: Time,
    outbox: VecDeque<Due>,
    /// What goes wrong with answers.
    pub faults: Faults,
    /// Who is told of what happens.
    pub watchers: Watchers,
    stats: Stats,
    lateness: Lateness,
}

impl Wire {
    /// How far the wire may be behind before the host has to wait.
    const BACKLOG: Duration = Duration::from_millis(20);
    /// How long the servos behind a missing one wait for it, beyond its bytes.
    const MISSING_WAIT: Duration = Duration::from_micros(200);

    pub(super) fn new(config: &BusConfig, shape: Shape, now: Time) -> Self {
        Self {
            pace_bps: config.pace_bps,
            turnaround: config.turnaround,
            echo: config.echo,
            pings_collide: config.pings_collide,
            after_missing: config.after_missing,
            now,
            free_at: now,
            outbox: VecDeque::new(),
            faults: Faults::new(config.seed, shape),
            watchers: Watchers::default(),
            stats: Stats::default(),
            lateness: Lateness::default(),
        }
    }

    /// When the wire is free: the moment at which the request at hand has been heard, or the last answer ends.
    pub fn free_at(&self) -> Time {
        self.free_at
    }

    /// Whether everybody answers a broadcast ping at once; see [`Self::answer_at_once`].
    pub fn pings_collide(&self) -> bool {
        self.pings_collide
    }

    /// Tells whoever watches that a write reached a servo.
    pub fn tell_write(&mut self, id: u8, address: u16, data: &[u8]) {
        let at = self.now;
        self.watchers.tell(|| Event::Write { at, id, address, data: data.to_vec() });
    }

    /// Counts a whole request that makes no sense.
    pub fn count_bad_request(&mut self) {
        self.stats.bad_requests += 1;
    }

    /// Puts a servo's answer on the wire; false where a fault swallows it.
    pub fn answer(&mut self, id: u8, return_delay: Duration, answer: &[u8]) -> bool {
        self.say(id, return_delay + self.turnaround, answer)
    }

    /// Puts a servo's part of an answer on the wire, which others have begun; false where a fault swallows it.
    pub fn add_to_answer(&mut self, id: u8, part: &[u8]) -> bool {
        self.say(id, Duration::ZERO, part)
    }

    fn say(&mut self, id: u8, delay: Duration, answer: &[u8]) -> bool {
        let pieces = self.faults.shape(id, answer);
        if pieces.is_empty() {
            return false;
        }
        let delay = if self.pace_bps.is_some() { delay } else { Duration::ZERO };
        self.occupy(self.free_at + delay, answer.len());
        self.stats.answers += 1;
        for piece in pieces {
            self.post(self.free_at + piece.after, piece.bytes);
        }
        true
    }

    /// Puts the answers of several servos on the wire at once, which nobody can read.
    pub fn answer_at_once(&mut self, answers: impl Iterator<Item = Vec<u8>>) {
        if let Some(heap) = answers.reduce(|a, b| collide(&a, &b)) {
            self.occupy(self.free_at, heap.len());
            self.post(self.free_at, heap);
        }
    }

    /// A servo whose answer of so many bytes others wait for says nothing; false where they stay silent too.
    pub fn wait_for_missing(&mut self, bytes: usize) -> bool {
        if self.after_missing == AfterMissing::StaySilent {
            return false;
        }
        if self.pace_bps.is_some() {
            self.free_at = self.free_at + self.time_of(bytes) + Self::MISSING_WAIT;
        }
        true
    }

    pub(super) fn stats(&self) -> Stats {
        self.stats
    }

    pub(super) fn lateness(&self) -> &Lateness {
        &self.lateness
    }

    pub(super) fn takes_input(&self, now: Time) -> bool {
        self.free_at.saturating_since(now) < Self::BACKLOG
    }

    pub(super) fn next_due(&self) -> Option<Time> {
        self.outbox.front().map(|due| due.at)
    }

    pub(super) fn take_due(&mut self, now: Time, out: &mut Vec<u8>) {
        while self.next_due().is_some_and(|at| at <= now)
            && let Some(due) = self.outbox.pop_front()
        {
            self.stats.bytes_out += due.bytes.len() as u64;
            self.lateness.add(now.saturating_since(due.at));
            out.extend_from_slice(&due.bytes);
        }
    }

    pub(super) fn hang_up(&mut self, now: Time) {
        self.outbox.clear();
        self.free_at = now;
    }

    /// The host's bytes arrive now.
    pub(super) fn arrive(&mut self, now: Time, bytes: usize) {
        self.now = now;
        self.stats.bytes_in += bytes as u64;
    }

    pub(super) fn tell_request(&mut self, request: &[u8]) {
        let at = self.now;
        self.watchers.tell(|| Event::Host { at, bytes: request.to_vec() });
    }

    /// Lets the host's bytes pass.
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        self.occupy(self.now.max(self.free_at), bytes.len());
        if self.echo && !bytes.is_empty() {
            self.post(self.free_at, bytes.to_vec());
        }
    }

    fn occupy(&mut self, from: Time, bytes: usize) {
        let pace = self.pace_bps.unwrap_or(1_000_000);
        self.stats.busy_ns += bytes as u64 * 10_000_000_000 / u64::from(pace.max(1));
        self.free_at = from + self.time_of(bytes);
    }

    fn time_of(&self, bytes: usize) -> Duration {
        let per_byte = |bps: u32| 10_000_000_000 / u64::from(bps.max(1));
        Duration::from_nanos(bytes as u64 * self.pace_bps.map_or(0, per_byte))
    }

    fn post(&mut self, at: Time, bytes: Vec<u8>) {
        self.watchers.tell(|| Event::Servos { at, bytes: bytes.clone() });
        let behind = self.outbox.iter().rev().take_while(|due| at < due.at).count();
        self.outbox.insert(self.outbox.len() - behind, Due { at, bytes });
    }
}
