//! Watches the wire through the emulator's control socket: when did a servo's goal change?

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use servo_arm::config::hardware::Protocol;
use servo_arm::protocol::feetech::registers::{GOAL_BLOCK, GOAL_POSITION};

/// A watch on every goal position that reaches a servo.
pub(crate) struct Wire {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// The last goal of each servo, by id.
    goals: Vec<Option<String>>,
    /// When the first goal changed since somebody asked (unix time).
    changed_unix_nanos: Option<i64>,
}

impl Wire {
    /// Watches from now on; the servos speak `protocol`.
    pub(crate) fn watch(control_socket: &Path, protocol: Protocol) -> anyhow::Result<Self> {
        let mut stream =
            UnixStream::connect(control_socket).context("cannot reach the emulator's control socket")?;
        stream.write_all(b"watch writes\n")?;
        let seen = Arc::new(Mutex::new(Seen { goals: vec![None; 256], ..Seen::default() }));
        let shared = seen.clone();
        std::thread::Builder::new().name("wire".into()).spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if let Some((at, id, goal)) = goal_in(&line, protocol) {
                    shared.lock().unwrap_or_else(PoisonError::into_inner).note(at, id, goal);
                }
            }
        })?;
        Ok(Self { seen })
    }

    /// From now on the next change is looked for.
    pub(crate) fn expect_change(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).changed_unix_nanos = None;
    }

    /// From an instant to the first change after [`Wire::expect_change`], if there was one.
    pub(crate) fn millis_to_change(&self, since_unix_nanos: i64) -> Option<f64> {
        let changed = self.seen.lock().unwrap_or_else(PoisonError::into_inner).changed_unix_nanos?;
        Some((changed - since_unix_nanos) as f64 * 1e-6)
    }
}

impl Seen {
    fn note(&mut self, at: i64, id: u8, goal: &str) {
        let last = &mut self.goals[usize::from(id)];
        if last.as_deref().is_some_and(|last| last != goal) {
            self.changed_unix_nanos.get_or_insert(at);
        }
        *last = Some(goal.to_owned());
    }
}

/// Time, id and goal bytes of a line `write <unix ns> <id> <address> <hex data>`, if it writes a goal.
fn goal_in(line: &str, protocol: Protocol) -> Option<(i64, u8, &str)> {
    let mut words = line.split_whitespace();
    if words.next()? != "write" {
        return None;
    }
    let (at, id, address) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?);
    let (from, len) = goal_bytes(protocol, address.parse().ok()?)?;
    let goal = words.next()?.get(2 * from..2 * (from + len))?;
    Some((at, id, goal))
}

/// Where in a write to this address the goal is, and how long it is.
fn goal_bytes(protocol: Protocol, address: u16) -> Option<(usize, usize)> {
    const MOVE_TIME: u16 = 1;
    const SET_TARGET: u16 = 0x84;
    match protocol {
        Protocol::Lx16a => (address == MOVE_TIME).then_some((0, 2)),
        Protocol::Maestro => (address == SET_TARGET).then_some((0, 2)),
        // ON and OFF of a channel; OFF is the width of its pulse.
        Protocol::Pca9685 => Some((2, 2)),
        _ => {
            let offset = GOAL_POSITION.address - GOAL_BLOCK.address;
            (address == u16::from(GOAL_BLOCK.address)).then_some((offset.into(), GOAL_POSITION.size.into()))
        }
    }
}
