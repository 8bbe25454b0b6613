//! The goals that reach the servos, read from the emulator's control socket when somebody asks for them.
//!
//! Nothing is read while something is measured: the times are the emulator's, and the socket keeps the lines.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use servo_arm::protocol::feetech::registers::{GOAL_BLOCK, GOAL_POSITION};

/// A watch on every goal position that reaches a servo.
pub(crate) struct Wire {
    lines: BufReader<UnixStream>,
    /// The write that is being read.
    partial: Option<Write>,
}

/// One write of goals to the servos.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    /// When it had arrived (unix time, ns).
    pub(crate) at: i64,
    /// The goal of each servo, by id (ticks).
    pub(crate) ticks: BTreeMap<u8, i32>,
}

/// Writes come with every cycle; silence as long as this is the end.
const LONGEST_SILENCE: Duration = Duration::from_secs(5);

impl Wire {
    /// Watches from now on.
    pub(crate) fn watch(control_socket: &Path) -> anyhow::Result<Self> {
        let mut stream =
            UnixStream::connect(control_socket).context("cannot reach the emulator's control socket")?;
        stream.set_read_timeout(Some(LONGEST_SILENCE))?;
        stream.write_all(b"watch writes\n")?;
        Ok(Self { lines: BufReader::new(stream), partial: None })
    }

    /// All writes since the last call, up to the first that is later than `after_unix_nanos`.
    pub(crate) fn read_past(&mut self, after_unix_nanos: i64) -> anyhow::Result<Vec<Write>> {
        let mut writes = Vec::new();
        let mut line = String::new();
        while writes.last().is_none_or(|write: &Write| write.at <= after_unix_nanos) {
            line.clear();
            if self.lines.read_line(&mut line).context("no goals on the wire")? == 0 {
                bail!("the emulator is gone");
            }
            if line.starts_with("lost") {
                bail!("writes were not read in time: {line}");
            }
            writes.extend(self.take(&line));
        }
        Ok(writes)
    }

    /// A write is complete when the next begins.
    fn take(&mut self, line: &str) -> Option<Write> {
        let (at, id, ticks) = goal_in(line)?;
        match &mut self.partial {
            Some(partial) if partial.at == at => {
                partial.ticks.insert(id, ticks);
                None
            }
            partial => partial.replace(Write { at, ticks: BTreeMap::from([(id, ticks)]) }),
        }
    }
}

/// Time, id and goal of a line `write <unix ns> <id> <address> <hex data>`, if it writes the goal block.
fn goal_in(line: &str) -> Option<(i64, u8, i32)> {
    let mut words = line.split_whitespace().skip_while(|word| *word != "write").skip(1);
    let (at, id, address) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?);
    if address.parse() != Ok(GOAL_BLOCK.address) {
        return None;
    }
    let data = words.next()?;
    let byte = |index: usize| u8::from_str_radix(data.get(2 * index..2 * index + 2)?, 16).ok();
    let first = usize::from(GOAL_POSITION.address - GOAL_BLOCK.address);
    Some((at, id, GOAL_POSITION.decode(&[byte(first)?, byte(first + 1)?]).ok()?))
}
