//! Transactions on a half-duplex bus of Feetech servos: one request, the answers that came in time.
//!
//! A transaction ends when every servo has answered or at a deadline that is computed from the bytes on the wire,
//! never from single reads. An answer that does not come is the one servo's; what the others said stands. Input
//! that was there before a request is no answer to it and is dropped.

use std::io;
use std::time::Duration;

use super::clock;
use super::link::Link;
use crate::protocol::feetech::decoder::{Decoder, Direction};
use crate::protocol::feetech::packet::{Frame, Id, OVERHEAD, PacketError, Status};
use crate::units::Time;

/// The wire is lost.
#[derive(Debug, thiserror::Error)]
#[error("the port was lost: {0}")]
pub struct LinkLost(#[from] io::Error);

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
    /// The request cannot be put into a frame.
    #[error(transparent)]
    Request(#[from] PacketError),
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
    /// Answers that did not come.
    pub missed: u64,
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

/// A bus, and the only one who talks on it.
pub struct Bus {
    link: Box<dyn Link>,
    decoder: Decoder,
    timing: Timing,
    echo: bool,
    /// When the last byte sent has left, as far as can be computed.
    wire_free: Time,
    counters: BusCounters,
}

/// What a servo may take before it answers, with its return delay set to zero.
const TURNAROUND: Duration = Duration::from_micros(100);
/// What the operating system may take to wake us, and whoever is at the other end of an adapter or a socket.
const SCHEDULING_MARGIN: Duration = Duration::from_millis(2);
/// The same, where no cycle waits: a busy machine must not make a servo look absent.
const PATIENT_MARGIN: Duration = Duration::from_millis(50);

impl Bus {
    /// Takes over a link. `echo` says that the adapter gives our own bytes back.
    pub fn new(link: Box<dyn Link>, timing: Timing, echo: bool) -> Self {
        let decoder = Decoder::new(Direction::Replies);
        Self { link, decoder, timing, echo, wire_free: Time(0), counters: BusCounters::default() }
    }

    /// What went over the bus so far.
    pub fn counters(&self) -> BusCounters {
        let counts = self.decoder.counts();
        BusCounters { noise: counts.noise_bytes, bad_checksums: counts.bad_checksums, ..self.counters }
    }

    /// How long `bytes` are on the wire.
    pub fn wire_time(&self, bytes: usize) -> Duration {
        const BITS_A_BYTE: u64 = 10;
        let bits = BITS_A_BYTE * bytes as u64;
        Duration::from_nanos(bits * 1_000_000_000 / u64::from(self.timing.baud_rate_bps.max(1)))
    }

    /// Sends a frame that nobody answers.
    ///
    /// # Errors
    /// Where the wire is lost.
    pub fn tell(&mut self, frame: &Frame) -> Result<(), LinkLost> {
        self.send(frame.as_bytes())
    }

    /// Reads the same registers of several servos; hands over each answer with the time it came.
    ///
    /// Ends when all have answered, or when no more can come, at `latest` at the latest.
    ///
    /// # Errors
    /// Where the wire is lost.
    pub fn sync_read(
        &mut self,
        request: &Frame,
        ids: &[Id],
        len: u8,
        latest: Time,
        mut answer: impl FnMut(Status<'_>, Time),
    ) -> Result<(), LinkLost> {
        let mut missing = ids.len();
        self.exchange(request, ids.len(), usize::from(len), Wait::Until(latest), |status, at| {
            if status.params.len() == usize::from(len) && ids.contains(&status.id) {
                missing = missing.saturating_sub(1);
                answer(status, at);
            }
            missing == 0
        })?;
        self.counters.missed += missing as u64;
        Ok(())
    }

    /// Asks one servo until it answers, `tries` times at most; `take` gets its data.
    ///
    /// # Errors
    /// Where it does not answer, answers something else, or the wire is lost.
    pub fn ask<T>(
        &mut self,
        id: Id,
        request: &Frame,
        len: usize,
        tries: u32,
        mut take: impl FnMut(&[u8]) -> T,
    ) -> Result<T, ServoError> {
        let mut answered = Err(ServoError::Silent(id));
        for attempt in 0..tries {
            self.counters.retried += u64::from(0 < attempt);
            answered = self.ask_once(id, request, len, Wait::Patiently, |data, _| take(data));
            if matches!(answered, Ok(_) | Err(ServoError::Lost(_))) {
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
        request: &Frame,
        len: usize,
        wait: Wait,
        mut take: impl FnMut(&[u8], Time) -> T,
    ) -> Result<T, ServoError> {
        let mut taken = None;
        let mut wrong_len = None;
        self.exchange(request, 1, len, wait, |status, at| {
            match status.params {
                data if status.id == id && data.len() == len => taken = Some(take(data, at)),
                data if status.id == id => wrong_len = Some(data.len()),
                _ => {}
            }
            status.id == id
        })?;
        self.counters.missed += u64::from(taken.is_none());
        taken.ok_or(match wrong_len {
            Some(actual) => ServoError::Length { id, expected: len, actual },
            None => ServoError::Silent(id),
        })
    }

    /// How long after the request has left the last of `replies` answers of `len` bytes can come.
    fn longest_answer(&self, replies: usize, len: usize) -> Duration {
        let wire = self.wire_time(replies * (OVERHEAD + len));
        let turnarounds = TURNAROUND * u32::try_from(replies).unwrap_or(u32::MAX);
        wire + turnarounds + self.timing.adapter_latency
    }

    /// One request and its answers; `done` gets each, and tells whether it was the last.
    fn exchange(
        &mut self,
        request: &Frame,
        replies: usize,
        len: usize,
        wait: Wait,
        mut done: impl FnMut(Status<'_>, Time) -> bool,
    ) -> Result<(), LinkLost> {
        self.link.discard_input()?;
        self.decoder.clear();
        self.send(request.as_bytes())?;
        let by_then = self.wire_free + self.longest_answer(replies, len);
        let deadline = match wait {
            Wait::Until(latest) => (by_then + SCHEDULING_MARGIN).min(latest),
            Wait::Patiently => by_then + PATIENT_MARGIN,
        };
        let mut echo = if self.echo { request.as_bytes() } else { &[] };
        let mut buffer = [0; Decoder::ROOM];
        loop {
            let count = self.link.receive(deadline, &mut buffer)?;
            let at = clock::now();
            if count == 0 {
                if deadline <= at {
                    return self.take_what_hides(at, &mut done);
                }
                continue;
            }
            self.counters.received += count as u64;
            let fresh = without_echo(&buffer[..count], &mut echo);
            let _all_fit = self.decoder.push(fresh);
            while let Some(packet) = self.decoder.next_frame() {
                if packet.status().is_some_and(|status| done(status, at)) {
                    return Ok(());
                }
            }
        }
    }

    /// At the deadline, answers may still wait behind noise that looked like the start of a frame.
    fn take_what_hides(
        &mut self,
        at: Time,
        done: &mut impl FnMut(Status<'_>, Time) -> bool,
    ) -> Result<(), LinkLost> {
        while self.decoder.give_up() {
            while let Some(packet) = self.decoder.next_frame() {
                if packet.status().is_some_and(|status| done(status, at)) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkLost> {
        self.link.send(bytes)?;
        self.wire_free = self.wire_free.max(clock::now()) + self.wire_time(bytes.len());
        self.counters.sent += bytes.len() as u64;
        Ok(())
    }
}

/// Strips what the adapter gave back of our own request, however it is cut into pieces.
fn without_echo<'a>(bytes: &'a [u8], echo: &mut &[u8]) -> &'a [u8] {
    let same = bytes.iter().zip(echo.iter()).take_while(|(byte, sent)| byte == sent).count();
    let broken = same < bytes.len() && same < echo.len();
    *echo = if broken { &[] } else { &echo[same..] };
    &bytes[same..]
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A link whose answers are written down beforehand, one list of pieces for each request.
    #[derive(Clone, Default)]
    struct Script {
        answers: Arc<Mutex<VecDeque<Vec<Vec<u8>>>>>,
        pending: Arc<Mutex<VecDeque<Vec<u8>>>>,
    }

    impl Link for Script {
        fn send(&mut self, _bytes: &[u8]) -> io::Result<()> {
            let answer = self.answers.lock().unwrap().pop_front().unwrap_or_default();
            self.pending.lock().unwrap().extend(answer);
            Ok(())
        }

        fn receive(&mut self, deadline: Time, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(piece) = self.pending.lock().unwrap().pop_front() else {
                clock::sleep_until(deadline);
                return Ok(0);
            };
            buffer[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }

        fn discard_input(&mut self) -> io::Result<()> {
            self.pending.lock().unwrap().clear();
            Ok(())
        }
    }

    fn bus(echo: bool, answers: &[&[&[u8]]]) -> Bus {
        let script = Script::default();
        let owned = answers.iter().map(|pieces| pieces.iter().map(|piece| piece.to_vec()).collect());
        script.answers.lock().unwrap().extend(owned);
        let timing = Timing { baud_rate_bps: 1_000_000, adapter_latency: Duration::ZERO };
        Bus::new(Box::new(script), timing, echo)
    }

    fn id(raw: u8) -> Id {
        Id::new(raw).unwrap()
    }

    const POSITION_OF_1: [u8; 8] = [0xFF, 0xFF, 1, 4, 0, 0, 8, 0xF2];
    const POSITION_OF_3: [u8; 8] = [0xFF, 0xFF, 3, 4, 0, 0, 8, 0xF0];

    fn sync_read(bus: &mut Bus) -> Vec<u8> {
        let ids = [id(1), id(2), id(3)];
        let request = Frame::sync_read(56, 2, &ids).unwrap();
        let mut heard = Vec::new();
        bus.sync_read(&request, &ids, 2, Time(i64::MAX), |status, _| heard.push(status.id.raw())).unwrap();
        heard
    }

    #[test]
    fn a_silent_servo_costs_its_own_answer_only() {
        let mut bus = bus(false, &[&[&POSITION_OF_1, &POSITION_OF_3]]);
        assert_eq!(sync_read(&mut bus), [1, 3]);
        assert_eq!(bus.counters().missed, 1);
    }

    #[test]
    fn answers_in_pieces_and_behind_noise_are_found() {
        let (head, tail) = POSITION_OF_3.split_at(3);
        let mut bus = bus(false, &[&[&[0xFF, 0x00], &POSITION_OF_1, head, tail]]);
        assert_eq!(sync_read(&mut bus), [1, 3]);
    }

    #[test]
    fn noise_that_looks_like_a_long_frame_hides_no_answer() {
        let mut bus = bus(false, &[&[&[0xFF, 0xFF, 0x02, 0xF0, 0x00], &POSITION_OF_1, &POSITION_OF_3]]);
        assert_eq!(sync_read(&mut bus), [1, 3]);
    }

    #[test]
    fn the_adapters_echo_is_no_answer() {
        let request = Frame::read(id(1), 56, 2).unwrap();
        let (head, tail) = request.as_bytes().split_at(5);
        let mut with_answer = tail.to_vec();
        with_answer.extend(POSITION_OF_1);
        let mut bus = bus(true, &[&[head, &with_answer]]);
        let position = bus.ask(id(1), &request, 2, 1, |data| [data[0], data[1]]).unwrap();
        assert_eq!(position, [0, 8]);
    }

    #[test]
    fn an_answer_that_comes_at_the_second_time_of_asking_counts() {
        let request = Frame::read(id(1), 56, 2).unwrap();
        let mut bus = bus(false, &[&[], &[&POSITION_OF_1]]);
        assert!(bus.ask(id(1), &request, 2, 2, |_| ()).is_ok());
        assert_eq!((bus.counters().retried, bus.counters().missed), (1, 1));
        let error = bus.ask(id(1), &request, 2, 2, |_| ()).unwrap_err();
        assert_eq!(error.to_string(), "servo 1 does not answer");
    }

    #[test]
    fn a_byte_takes_ten_bits() {
        assert_eq!(bus(false, &[]).wire_time(140), Duration::from_micros(1400));
    }
}
