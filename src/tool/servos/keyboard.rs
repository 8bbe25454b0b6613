//! Lines that somebody types, while something else goes on.

use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::servo::clock;

/// What was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A line, without its end.
    Line(String),
    /// There will be no more.
    End,
}

/// Standard input, line by line, without waiting longer than told.
#[derive(Debug, Default)]
pub struct Keyboard {
    bytes: Vec<u8>,
    has_ended: bool,
}

/// Longer lines are cut.
const LONGEST: usize = 4096;

impl Keyboard {
    /// The next line, if one comes within `wait`; `None` waits for ever.
    ///
    /// # Errors
    /// Where standard input cannot be read.
    pub fn line(&mut self, wait: Option<Duration>) -> io::Result<Option<Typed>> {
        loop {
            if let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.bytes.drain(..=end).collect();
                return Ok(Some(Typed::Line(String::from_utf8_lossy(&line).trim().to_owned())));
            }
            if self.has_ended || LONGEST < self.bytes.len() {
                let rest = std::mem::take(&mut self.bytes);
                let text = String::from_utf8_lossy(&rest).trim().to_owned();
                return Ok(Some(if text.is_empty() { Typed::End } else { Typed::Line(text) }));
            }
            if !is_ready(wait)? {
                return Ok(None);
            }
            let mut buffer = [0; 256];
            match rustix::io::read(io::stdin(), &mut buffer) {
                Ok(0) => self.has_ended = true,
                Ok(count) => self.bytes.extend_from_slice(&buffer[..count]),
                Err(Errno::INTR) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Asks a question that is answered with yes or no; the end of the input is no.
    ///
    /// # Errors
    /// Where standard input cannot be read.
    pub fn confirm(&mut self, question: &str) -> anyhow::Result<bool> {
        eprint!("{question} [y/N] ");
        io::stderr().flush()?;
        loop {
            let typed = self.line(None).context("cannot read the answer")?;
            match typed {
                Some(Typed::Line(line)) => return Ok(matches!(line.to_lowercase().as_str(), "y" | "yes")),
                Some(Typed::End) => {
                    eprintln!();
                    return Ok(false);
                }
                None => {}
            }
        }
    }
}

fn is_ready(wait: Option<Duration>) -> io::Result<bool> {
    let stdin = io::stdin();
    let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
    let wait = wait.map(|wait| clock::timespec(i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX)));
    match poll(&mut ready, wait.as_ref()) {
        Ok(count) => Ok(0 < count),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
