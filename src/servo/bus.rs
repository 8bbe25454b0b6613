//! Transactions on a half-duplex bus of register servos of any family: one request, the answers that came in time.
//!
//! A transaction ends when every servo has answered or at a deadline that is computed from the bytes on the wire,
//! never from single reads. An answer that does not come is the one servo's; what the others said stands. Input
//! that was there before a request is no answer to it; that it came says that its servo heard an earlier one.

use std::io;
use std::time::Duration;

use super::clock;
use super::link::Link;
use crate::protocol::wire::{Answers, FrameError, Id, ROOM, Refusal, Reply, ReplyDecoder, Wire};
use crate::units::Time;

/// The wire is lost.
#[derive(Debug, thiserror::Error)]
#[error("the port was lost: {0}")]
pub struct LinkLost(#[from] io::Error);

impl LinkLost {
    /// The same, with the name of the bus where it has one.
    pub(super) fn of_bus(self, bus: &str) -> Self {
        match bus {
            "" => self,
            _ => Self(io::Error::new(self.0.kind(), format!("bus {bus}: {}", self.0))),
        }
    }
}

/// Why a single servo gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ServoError {
    /// Nothing came in time, however often it was asked.
    #[error("servo {0} does not answer")]
    Silent(Id),
    /// It answered with another number of bytes than were asked for.
    #[error("servo {id} answered with {actual} bytes instead of {expected}")]
    Length {
        /// Which servo.
        id: Id,
        /// Bytes asked for.
        expected: usize,
        /// Bytes that came.
        actual: usize,
    },
    /// It did not do what it was asked.
    #[error("servo {id} refuses: {why}")]
    Refused {
        /// Which servo.
        id: Id,
        /// What it says.
        why: Refusal,
    },
    /// The request cannot be put into a frame.
    #[error(transparent)]
    Request(#[from] FrameError),
    /// The wire is lost.
    #[error(transparent)]
    Lost(#[from] LinkLost),
}

/// How fast the wire is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// Bits a second; a byte takes ten.
    pub baud_rate_bps: u32,
    /// What the adapter may hold bytes back.
    pub adapter_latency: Duration,
    /// How long around the moment when answers are due the wire is watched instead of slept on.
    pub busy_wait: Duration,
}

/// What went over the bus so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusCounters {
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received, good or not.
    pub received: u64,
    /// Bytes received that belong to no frame.
    pub noise: u64,
    /// Frames received with a wrong checksum.
    pub bad_checksums: u64,
    /// Answers that did not come in time.
    pub missed: u64,
    /// Those of them that came later.
    pub late: u64,
    /// Requests that were repeated.
    pub retried: u64,
}

/// How long an answer is waited for, beyond the time that it is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// As a control cycle can afford, and no longer than until then.
    Until(Time),
    /// As long as it takes a busy machine.
    Patiently,
}

/// One request to several servos.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What is sent.
    pub request: &'a [u8],
    /// Who is to answer.
    pub ids: &'a [Id],
    /// How many bytes of registers each has to say.
    pub len: usize,
    /// Whether they answer in one frame.
    pub jointly: bool,
}

/// What came of a question to several servos.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// How many of them said nothing.
    pub missing: usize,
    early: [bool; 256],
}

impl Heard {
    /// Whether the answer of a servo came before that of one that was to answer first: it may be to an earlier question.
    pub fn is_early(&self, id: Id) -> bool {
        self.early[usize::from(id.raw())]
    }
}

/// What is to come in answer to a request.
#[derive(Clone, Copy)]
struct Expected {
    answers: Answers,
    replies: usize,
    len: usize,
}

/// A bus of servos of one family, and the only one who talks on it.
pub struct Bus<W: Wire> {
    link: Box<dyn Link>,
    decoder: W::Decoder,
    timing: Timing,
    echo: bool,
    /// Bytes of frames that nobody answers whose echo was not taken yet.
    echo_due: usize,
    /// When the last byte sent has left, as far as can be computed.
    wire_free: Time,
    counters: BusCounters,
    /// Who has not answered its last question.
    silent: [bool; 256],
    /// Who answered late.
    late: [bool; 256],
}

/// What a servo may take before it answers, with its return delay set to zero.
const TURNAROUND: Duration = Duration::from_micros(100);
/// What the operating system may take to wake us, and whoever is at the other end of an adapter or a socket.
const SCHEDULING_MARGIN: Duration = Duration::from_millis(2);
/// The same, where no cycle waits: a busy machine must not make a servo look absent.
const PATIENT_MARGIN: Duration = Duration::from_millis(50);
/// How often bytes are taken after the deadline.
const LATE_READS: usize = 8;

impl<W: Wire> Bus<W> {
    /// Takes over a link. `echo` says that the adapter gives our own bytes back.
    pub fn new(link: Box<dyn Link>, timing: Timing, echo: bool) -> Self {
        Self {
            link,
            decoder: W::decoder(),
            timing,
            echo,
            echo_due: 0,
            wire_free: Time(0),
            counters: BusCounters::default(),
            silent: [false; 256],
            late: [false; 256],
        }
    }

    /// What went over the bus so far.
    pub fn counters(&self) -> BusCounters {
        let counts = self.decoder.counts();
        BusCounters { noise: counts.noise_bytes, bad_checksums: counts.bad_checksums, ..self.counters }
    }

    /// Whether an answer of a servo came too late since this was asked last: it hears, though nobody hears it in time.
    pub fn take_late(&mut self, id: Id) -> bool {
        std::mem::take(&mut self.late[usize::from(id.raw())])
    }

    /// How long `bytes` are on the wire.
    pub fn wire_time(&self, bytes: usize) -> Duration {
        byte_time(self.timing, bytes)
    }

    /// Sends a frame that nobody answers.
    ///
    /// # Errors
    /// Where the wire is lost.
    pub fn tell(&mut self, frame: &[u8]) -> Result<(), LinkLost> {
        self.send(frame)?;
        self.echo_due += if self.echo { frame.len() } else { 0 };
        Ok(())
    }

    /// Reads the same registers of several servos; hands over each answer with the time it came, and says how many
    /// are missing, and which came too early.
    ///
    /// Ends when all have answered, or when no more can come, at `latest` at the latest.
    ///
    /// # Errors
    /// Where the wire is lost.
    pub fn sync_read(
        &mut self,
        question: Question<'_>,
        latest: Time,
        mut answer: impl FnMut(Reply<'_>, Time),
    ) -> Result<Heard, LinkLost> {
        let Question { request, ids, len, jointly } = question;
        let mut missing = ids.len();
        let mut has_answered = [false; 256];
        let mut early = [false; 256];
        let answers = if jointly { Answers::Joint { len } } else { Answers::Single };
        let expected = Expected { answers, replies: ids.len(), len };
        self.exchange(request, expected, Wait::Until(latest), |reply, at| {
            let is_whole = reply.refusal.is_none() && reply.data.len() == len;
            if (is_whole || reply.refusal.is_some()) && ids.contains(&reply.id) {
                // A servo that is heard twice leaves nobody else's answer less to wait for.
                if !std::mem::replace(&mut has_answered[usize::from(reply.id.raw())], true) {
                    missing -= 1;
                    // They answer in the order in which they are asked.
                    let behind = ids.iter().skip_while(|id| **id != reply.id).skip(1);
                    for id in behind.map(|id| usize::from(id.raw())) {
                        early[id] |= has_answered[id];
                    }
                }
                if is_whole {
                    answer(reply, at);
                }
            }
            missing
        })?;
        self.counters.missed += missing as u64;
        for id in ids.iter().map(|id| usize::from(id.raw())) {
            self.silent[id] = !has_answered[id];
        }
        Ok(Heard { missing, early })
    }

    /// Asks one servo until it answers, patiently and `tries` times at most; `take` gets its data.
    ///
    /// # Errors
    /// Where it does not answer, answers something else, or the wire is lost.
    pub fn ask<T>(
        &mut self,
        id: Id,
        request: &[u8],
        len: usize,
        tries: u32,
        mut take: impl FnMut(&[u8]) -> T,
    ) -> Result<T, ServoError> {
        let mut answered = Err(ServoError::Silent(id));
        for attempt in 0..tries {
            self.counters.retried += u64::from(0 < attempt);
            answered = self.ask_once(id, request, len, Wait::Patiently, |reply, _| take(reply.data));
            if matches!(answered, Ok(_) | Err(ServoError::Lost(_) | ServoError::Refused { .. })) {
                break;
            }
        }
        answered
    }

    /// Asks one servo once.
    ///
    /// # Errors
    /// Where it does not answer, answers something else, or the wire is lost.
    pub fn ask_once<T>(
        &mut self,
        id: Id,
        request: &[u8],
        len: usize,
        wait: Wait,
        mut take: impl FnMut(Reply<'_>, Time) -> T,
    ) -> Result<T, ServoError> {
        let mut answered = Err(ServoError::Silent(id));
        let mut stranger = None;
        let expected = Expected { answers: Answers::Single, replies: 1, len };
        self.exchange(request, expected, wait, |reply, at| {
            if reply.id != id {
                stranger = Some(reply.id);
                return 1;
            }
            let actual = reply.data.len();
            match reply.refusal {
                Some(why) => answered = Err(ServoError::Refused { id, why }),
                None if actual == len => answered = Ok(take(reply, at)),
                None if answered.is_err() => {
                    answered = Err(ServoError::Length { id, expected: len, actual });
                }
                None => {}
            }
            0
        })?;
        self.counters.missed += u64::from(answered.is_err());
        self.silent[usize::from(id.raw())] = answered.is_err();
        if let Some(stranger) = stranger {
            self.note_late(stranger);
        }
        answered
    }

    /// One request and its answers; `take` gets each with the time its last byte came, and says how many are missing.
    fn exchange(
        &mut self,
        request: &[u8],
        expected: Expected,
        wait: Wait,
        mut take: impl FnMut(Reply<'_>, Time) -> usize,
    ) -> Result<(), LinkLost> {
        self.take_echo()?;
        self.hear_late()?;
        self.decoder.begin(expected.answers);
        self.send(request)?;
        let answers_take = self.wire_time(expected.bytes::<W>(expected.replies));
        let turnarounds = TURNAROUND * u32::try_from(expected.replies).unwrap_or(u32::MAX);
        let by_then = self.wire_free + answers_take + turnarounds + self.timing.adapter_latency;
        let deadline = match wait {
            Wait::Until(latest) => (by_then + SCHEDULING_MARGIN).min(latest),
            Wait::Patiently => by_then + PATIENT_MARGIN,
        };
        let all_said = self.wire_free + answers_take;
        let mut echo = if self.echo { request } else { &[] };
        let mut buffer = [0; ROOM];
        let mut late_reads = 0;
        loop {
            let count = self.receive(all_said, deadline, &mut buffer)?;
            let at = clock::now();
            self.counters.received += count as u64;
            let fresh = without_echo(&buffer[..count], &mut echo);
            let _all_fit = self.decoder.push(fresh);
            let missing = self.take_frames(at, &mut take).unwrap_or(expected.replies);
            if missing == 0 {
                return Ok(());
            }
            // Whoever was woken late takes what lies there, but bytes may never cease, as from a line of another speed.
            late_reads += usize::from(deadline <= at);
            if 0 < late_reads && (count == 0 || LATE_READS < late_reads) {
                self.take_what_hides(at, &mut take);
                return Ok(());
            }
            if !fresh.is_empty() {
                // What is missing takes its time on the wire; to be woken for each answer is of no use.
                let rest = self.wire_time(expected.bytes::<W>(missing));
                clock::sleep_until((at + rest).min(all_said).min(deadline) - self.timing.busy_wait);
            }
        }
    }

    /// What comes until `deadline`; around `due` without sleeping, as waking takes time.
    fn receive(&mut self, due: Time, deadline: Time, buffer: &mut [u8]) -> Result<usize, LinkLost> {
        let busy_wait = self.timing.busy_wait;
        let mut now = clock::now();
        while due - busy_wait <= now && now < (due + busy_wait).min(deadline) {
            let count = self.link.receive(now, buffer)?;
            if 0 < count {
                return Ok(count);
            }
            now = clock::now();
        }
        Ok(self.link.receive(deadline, buffer)?)
    }

    /// Asks nothing, and takes what comes until `latest`.
    ///
    /// # Errors
    /// Where the wire is lost.
    pub fn listen(&mut self, latest: Time) -> Result<(), LinkLost> {
        // Nobody was asked, so whatever is an answer is a late one.
        self.silent.fill(true);
        self.hear_late()?;
        let mut buffer = [0; ROOM];
        while clock::now() < latest {
            let count = self.link.receive(latest, &mut buffer)?;
            self.take_late_frames(&buffer[..count]);
        }
        Ok(())
    }

    /// Takes what came after its time.
    fn hear_late(&mut self) -> Result<(), LinkLost> {
        let mut buffer = [0; ROOM];
        for _ in 0..LATE_READS {
            let count = self.link.receive(clock::now(), &mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            self.take_late_frames(&buffer[..count]);
        }
        Ok(self.link.discard_input()?)
    }

    fn take_late_frames(&mut self, bytes: &[u8]) {
        self.counters.received += bytes.len() as u64;
        // What an adapter gives back late may look like an answer.
        if self.echo {
            return;
        }
        let _all_fit = self.decoder.push(bytes);
        while let Some(id) = self.decoder.next_reply().map(|reply| reply.id) {
            self.note_late(id);
        }
    }

    fn note_late(&mut self, id: Id) {
        let id = usize::from(id.raw());
        if self.silent[id] {
            self.counters.late += 1;
            self.late[id] = true;
        }
    }

    /// Waits until what was told has come back, or it would be taken for the echo of the next request.
    fn take_echo(&mut self) -> Result<(), LinkLost> {
        let deadline = self.wire_free + self.timing.adapter_latency + SCHEDULING_MARGIN;
        let mut buffer = [0; ROOM];
        while 0 < self.echo_due {
            let count = self.link.receive(deadline, &mut buffer)?;
            let is_over = count == 0 && deadline <= clock::now();
            self.echo_due = if is_over { 0 } else { self.echo_due.saturating_sub(count) };
        }
        Ok(())
    }

    /// Hands over the frames that are whole, behind the last that was missing, too: a second answer to the question may
    /// be among them. Gives what they left missing.
    fn take_frames(&mut self, at: Time, take: &mut impl FnMut(Reply<'_>, Time) -> usize) -> Option<usize> {
        let mut missing = None;
        let (sent, timing) = (self.wire_free, self.timing);
        while let Some(reply) = self.decoder.next_reply() {
            // Bytes that came along behind a frame were on the wire after it.
            let came = (at - byte_time(timing, reply.behind)).max(sent).min(at);
            missing = Some(take(reply, came));
        }
        missing
    }

    /// At the deadline, answers may still wait behind noise that looked like the start of a frame.
    fn take_what_hides(&mut self, at: Time, take: &mut impl FnMut(Reply<'_>, Time) -> usize) {
        while self.decoder.give_up() {
            if self.take_frames(at, take) == Some(0) {
                return;
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkLost> {
        self.link.send(bytes)?;
        self.wire_free = self.wire_free.max(clock::now()) + self.wire_time(bytes.len());
        self.counters.sent += bytes.len() as u64;
        Ok(())
    }
}

impl Expected {
    /// How many bytes the answers of so many servos are.
    fn bytes<W: Wire>(self, servos: usize) -> usize {
        match self.answers {
            Answers::Single => servos * W::answer_len(self.len),
            Answers::Joint { len } => W::joint_answer_len(servos, len),
        }
    }
}

fn byte_time(timing: Timing, bytes: usize) -> Duration {
    const BITS_A_BYTE: u64 = 10;
    let bits = BITS_A_BYTE * bytes as u64;
    Duration::from_nanos(bits * 1_000_000_000 / u64::from(timing.baud_rate_bps.max(1)))
}

/// Strips what the adapter gave back of our own request, however it is cut into pieces.
fn without_echo<'a>(bytes: &'a [u8], echo: &mut &[u8]) -> &'a [u8] {
    let same = bytes.iter().zip(echo.iter()).take_while(|(byte, sent)| byte == sent).count();
    let broken = same < bytes.len() && same < echo.len();
    *echo = if broken { &[] } else { &echo[same..] };
    &bytes[same..]
}

#[cfg(test)]
#[path = "bus_tests.rs"]
mod tests;
