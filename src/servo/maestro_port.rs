//! Questions to a Maestro, and answers that came in time.
//!
//! Answers have neither frame nor checksum, so what has more or fewer bytes than were asked for is not believed, and
//! what came before a question is no answer to it.

use std::time::Duration;

use super::bus::{BusCounters, LinkLost, Timing, Wait};
use super::clock;
use super::link::Link;
use crate::protocol::maestro::{Frame, Framing, Request};
use crate::units::Time;

/// A Maestro's line, and the only one who talks on it.
pub(super) struct MaestroPort {
    link: Box<dyn Link>,
    timing: Timing,
    framing: Framing,
    /// When the last byte sent has left, as far as can be computed.
    wire_free: Time,
    counters: BusCounters,
}

/// The bytes of the longest answer.
const LONGEST_REPLY: usize = 2;
/// What a Maestro may take before it answers.
const TURNAROUND: Duration = Duration::from_micros(500);
/// What the operating system may take to wake us.
const SCHEDULING_MARGIN: Duration = Duration::from_millis(2);
/// The same, where no cycle waits.
const PATIENT_MARGIN: Duration = Duration::from_millis(50);

impl MaestroPort {
    pub(super) fn new(link: Box<dyn Link>, timing: Timing, framing: Framing) -> Self {
        Self { link, timing, framing, wire_free: Time(0), counters: BusCounters::default() }
    }

    pub(super) fn counters(&self) -> BusCounters {
        self.counters
    }

    /// How long a request and its answer are on the wire.
    pub(super) fn wire_time(&self, request: &Request) -> Duration {
        self.bytes_time(Frame::new(request, self.framing).as_bytes().len() + request.reply_len())
    }

    /// Sends what is not answered.
    pub(super) fn tell(&mut self, request: &Request) -> Result<(), LinkLost> {
        let frame = Frame::new(request, self.framing);
        self.link.send(frame.as_bytes())?;
        let sent = frame.as_bytes().len();
        self.wire_free = self.wire_free.max(clock::now()) + self.bytes_time(sent);
        self.counters.sent += sent as u64;
        Ok(())
    }

    /// Asks once; `None` where no answer of the right length came in time.
    pub(super) fn ask(&mut self, request: &Request, wait: Wait) -> Result<Option<[u8; 2]>, LinkLost> {
        self.link.discard_input()?;
        self.tell(request)?;
        let len = request.reply_len().min(LONGEST_REPLY);
        let by_then = self.wire_free + self.bytes_time(len) + TURNAROUND + self.timing.adapter_latency;
        let deadline = match wait {
            Wait::Until(latest) => (by_then + SCHEDULING_MARGIN).min(latest),
            Wait::Patiently => by_then + PATIENT_MARGIN,
        };
        // Room for bytes that do not belong there.
        let (mut answer, mut held) = ([0; LONGEST_REPLY], 0);
        let mut buffer = [0; 16];
        while held < len {
            let count = self.link.receive(deadline, &mut buffer)?;
            self.counters.received += count as u64;
            for byte in &buffer[..count] {
                if let Some(place) = answer.get_mut(held) {
                    *place = *byte;
                }
                held += 1;
            }
            if count == 0 && deadline <= clock::now() {
                break;
            }
        }
        let good = held == len;
        self.counters.missed += u64::from(!good);
        self.counters.noise += if good { 0 } else { held as u64 };
        Ok(good.then_some(answer))
    }

    fn bytes_time(&self, bytes: usize) -> Duration {
        const BITS_A_BYTE: u64 = 10;
        let bits = BITS_A_BYTE * bytes as u64;
        Duration::from_nanos(bits * 1_000_000_000 / u64::from(self.timing.baud_rate_bps.max(1)))
    }
}
