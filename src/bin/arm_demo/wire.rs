//! Watches the wires through the emulator's control sockets: when did a servo's goal change?

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use servo_arm::config::hardware::{BusConfig, Protocol};
use servo_arm::protocol::registers::{RegisterMap, Role};

/// A watch on every goal position that reaches a servo.
pub(crate) struct Wire {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// The last goal of each servo, by bus and id.
    goals: BTreeMap<(usize, u8), String>,
    /// When the first goal changed since somebody asked (unix time).
    changed_unix_nanos: Option<i64>,
}

/// Where goals are in what is written.
#[derive(Clone, Copy)]
enum Goals {
    /// In registers: the first address and the length.
    Registers(usize, usize),
    /// In whatever is written to this address, or to any: where they begin there, and the length.
    Within { address: Option<usize>, from: usize, len: usize },
}

impl Wire {
    /// Watches every bus from now on, by the socket that it has by its name.
    pub(crate) fn watch(buses: &[BusConfig], socket: impl Fn(&str) -> PathBuf) -> anyhow::Result<Self> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        for (index, bus) in buses.iter().enumerate() {
            let goals = Goals::of(bus.protocol)?;
            let mut stream = UnixStream::connect(socket(&bus.name))
                .context("cannot reach the emulator's control socket")?;
            stream.write_all(b"watch writes\n")?;
            let shared = seen.clone();
            std::thread::Builder::new().name("wire".into()).spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if let Some((at, id, goal)) = goals.in_line(&line) {
                        shared.lock().unwrap_or_else(PoisonError::into_inner).note(at, (index, id), goal);
                    }
                }
            })?;
        }
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
    fn note(&mut self, at: i64, servo: (usize, u8), goal: &str) {
        if self.goals.get(&servo).is_some_and(|last| last != goal) {
            self.changed_unix_nanos.get_or_insert(at);
        }
        self.goals.insert(servo, goal.to_owned());
    }
}

impl Goals {
    fn of(protocol: Protocol) -> anyhow::Result<Self> {
        const MOVE_TIME: usize = 1;
        const SET_TARGET: usize = 0x84;
        if let Some(family) = protocol.family() {
            // All models of a family have it at one place.
            let map = RegisterMap::shipped(family.default_model())?;
            let goal = map.role(Role::GoalPosition).context("servos without a goal")?;
            return Ok(Self::Registers(goal.address.into(), goal.size.into()));
        }
        Ok(match protocol {
            Protocol::Lx16a => Self::Within { address: Some(MOVE_TIME), from: 0, len: 2 },
            Protocol::Maestro => Self::Within { address: Some(SET_TARGET), from: 0, len: 2 },
            // ON and OFF of a channel; OFF is the width of its pulse.
            _ => Self::Within { address: None, from: 2, len: 2 },
        })
    }

    /// Time, id and goal bytes of a line `write <unix ns> <id> <address> <hex data>`, if it writes a goal.
    fn in_line(self, line: &str) -> Option<(i64, u8, &str)> {
        let mut words = line.split_whitespace();
        if words.next()? != "write" {
            return None;
        }
        let (at, id) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let written: usize = words.next()?.parse().ok()?;
        let (from, len) = match self {
            Self::Registers(goal, len) => (goal.checked_sub(written)?, len),
            Self::Within { address, from, len } => {
                address.is_none_or(|address| address == written).then_some((from, len))?
            }
        };
        let goal = words.next()?.get(2 * from..2 * (from + len))?;
        Some((at, id, goal))
    }
}
