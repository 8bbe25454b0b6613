//! Ports of this process: the emulated bus itself at the other end of a link, without a terminal and without a thread.
//!
//! Opened as `sim://NAME` by whoever opens ports by name. On simulated time ([`Simulation`](super::clock::Simulation))
//! everything runs in the caller's thread and is the same each time: waiting for an answer brings the time to when
//! the answer comes. What is to happen meanwhile is scheduled. For tests and benches.
//!
//! ```
//! use servo_arm::protocol::feetech::Id;
//! use servo_arm::servo::clock::Simulation;
//! use servo_arm::servo::emulator::BusConfig;
//! use servo_arm::servo::simulated::SimulatedPort;
//! use servo_arm::units::Time;
//!
//! let _time = Simulation::begin(Time(0));
//! let port = SimulatedPort::plug_in(BusConfig::new((1..=6).filter_map(|id| Id::new(id).ok())));
//! assert!(port.name().starts_with("sim://"));
//! assert_eq!(port.command("fault silent id=3 count=1"), "ok silent injected");
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::clock;
use super::emulator::bus::{Bus, BusConfig};
use super::emulator::control::{self, Command};
use super::emulator::events::Watch;
use super::link::Link;
use crate::units::Time;

/// What names of these ports begin with.
pub const SCHEME: &str = "sim://";

/// A port of this process and the servos behind it; it is gone when this is dropped.
#[derive(Debug)]
pub struct SimulatedPort {
    name: String,
    far_end: Arc<Mutex<FarEnd>>,
}

/// What is at the other end of a port.
#[derive(Debug)]
struct FarEnd {
    bus: Bus,
    plugged: bool,
    /// Counts how often the port was opened or pulled; a link from before is dead.
    session: u64,
    /// What the servos' line really is; bytes of another speed arrive as others.
    baud_rate_bps: Option<u32>,
    /// After how many more of the host's requests one gets a wrong bit.
    spoils_after: Option<u32>,
    /// Commands and when they are to be carried out.
    scheduled: BTreeMap<Time, Vec<String>>,
    random: fastrand::Rng,
}

/// All ports of this process, by name.
static PORTS: Mutex<BTreeMap<String, Weak<Mutex<FarEnd>>>> = Mutex::new(BTreeMap::new());

/// A look at the line takes so long: whoever looks again and again sees time pass.
const LOOK: Duration = Duration::from_micros(1);

impl SimulatedPort {
    /// Powers servos up behind a port with a name of its own.
    pub fn plug_in(config: BusConfig) -> Self {
        let random = fastrand::Rng::with_seed(config.seed);
        let far_end = FarEnd {
            bus: Bus::new(config, clock::now()),
            plugged: true,
            session: 0,
            baud_rate_bps: None,
            spoils_after: None,
            scheduled: BTreeMap::new(),
            random,
        };
        let far_end = Arc::new(Mutex::new(far_end));
        let mut ports = locked(&PORTS);
        let free = (1_u64..).map(|number| number.to_string()).find(|name| !ports.contains_key(name));
        let name = free.unwrap_or_default();
        ports.insert(name.clone(), Arc::downgrade(&far_end));
        Self { name: format!("{SCHEME}{name}"), far_end }
    }

    /// What a host opens.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Carries out one line of the control protocol; see [`control`].
    pub fn command(&self, line: &str) -> String {
        let mut far_end = locked(&self.far_end);
        far_end.catch_up(clock::now());
        far_end.command(line, clock::now())
    }

    /// Has a line of the control protocol carried out at `at`, whatever the host is doing then.
    pub fn schedule(&self, at: Time, line: &str) {
        locked(&self.far_end).scheduled.entry(at).or_default().push(line.to_owned());
    }

    /// Events from now on, as with `watch writes` or `watch frames`, but with the emulator's own times.
    pub fn watch(&self, what: &str) -> Option<Watch> {
        match Command::parse(&format!("watch {what}")) {
            Ok(Command::Watch(wanted)) => Some(locked(&self.far_end).bus.wire.watchers.add(wanted)),
            _ => None,
        }
    }

    /// The servos' line has that speed: at another one, hosts and servos hear nothing but nonsense. `None`: the speed
    /// at which it is opened.
    pub fn set_baud_rate_bps(&self, baud_rate_bps: Option<u32>) {
        locked(&self.far_end).baud_rate_bps = baud_rate_bps;
    }

    /// One of the host's requests arrives with a wrong bit, after so many others.
    pub fn spoil_request_after(&self, others: u32) {
        locked(&self.far_end).spoils_after = Some(others);
    }

    /// Looks at the servos as they truly are, or does something to them.
    pub fn with_bus<T>(&self, look: impl FnOnce(&mut Bus, Time) -> T) -> T {
        let mut far_end = locked(&self.far_end);
        far_end.catch_up(clock::now());
        look(&mut far_end.bus, clock::now())
    }
}

impl Drop for SimulatedPort {
    fn drop(&mut self) {
        locked(&PORTS).remove(self.name.trim_start_matches(SCHEME));
        locked(&self.far_end).unplug(clock::now());
    }
}

impl FarEnd {
    /// Carries out what was scheduled until now.
    fn catch_up(&mut self, now: Time) {
        while let Some(entry) = self.scheduled.first_entry().filter(|entry| *entry.key() <= now) {
            let (at, lines) = entry.remove_entry();
            for line in lines {
                let said = self.command(&line, at);
                if said.starts_with("error") {
                    tracing::warn!(line, said, "scheduled command");
                }
            }
        }
    }

    fn command(&mut self, line: &str, now: Time) -> String {
        let said = match Command::parse(line) {
            Ok(Command::Watch(_)) => return "error only `watch` can watch".to_owned(),
            Ok(Command::Unplug) => {
                self.unplug(now);
                Ok("unplugged".to_owned())
            }
            Ok(Command::Replug) => {
                self.plugged = true;
                Ok("replugged".to_owned())
            }
            Ok(Command::Stats) => Ok(control::stats(&self.bus).to_string()),
            Ok(command) => command.carry_out(&mut self.bus, now).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match said {
            Ok(said) => format!("ok {said}"),
            Err(error) => format!("error {error}"),
        }
    }

    fn unplug(&mut self, now: Time) {
        self.plugged = false;
        self.session += 1;
        self.bus.hang_up(now);
    }

    /// When something happens next without the host's doing.
    fn next_event(&self) -> Option<Time> {
        let scheduled = self.scheduled.first_key_value().map(|(at, _)| *at);
        self.bus.next_due().into_iter().chain(scheduled).min()
    }

    /// What arrives of the host's bytes.
    fn heard_of<'a>(&mut self, bytes: &'a [u8], is_garbled: bool) -> Cow<'a, [u8]> {
        if is_garbled {
            return Cow::Owned(self.garble(bytes));
        }
        let is_spoiled = self.spoils_after == Some(0);
        self.spoils_after = self.spoils_after.and_then(|others| others.checked_sub(1));
        if !is_spoiled || bytes.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut spoiled = bytes.to_vec();
        spoiled[self.random.usize(..bytes.len())] ^= 1 << self.random.u32(..8);
        Cow::Owned(spoiled)
    }

    /// What becomes of bytes between lines of different speeds: some are lost, none is what it was.
    fn garble(&mut self, bytes: &[u8]) -> Vec<u8> {
        let kept = bytes.iter().filter(|_| self.random.bool()).count();
        (0..kept).map(|_| self.random.u8(..)).collect()
    }
}

struct SimulatedLink {
    far_end: Arc<Mutex<FarEnd>>,
    session: u64,
    baud_rate_bps: u32,
    /// What came and was not taken.
    received: Vec<u8>,
}

/// The link to the port of that name.
pub(super) fn open(name: &str, baud_rate_bps: u32) -> Result<Box<dyn Link>, String> {
    let port = locked(&PORTS).get(name).and_then(Weak::upgrade);
    let far_end = port.ok_or_else(|| "there is no such port in this process".to_owned())?;
    let session = {
        let mut open = locked(&far_end);
        open.catch_up(clock::now());
        if !open.plugged {
            return Err("it is unplugged".to_owned());
        }
        open.session += 1;
        open.session
    };
    Ok(Box::new(SimulatedLink { far_end, session, baud_rate_bps, received: Vec::new() }))
}

impl SimulatedLink {
    /// The other end, where it is still there.
    fn far_end(&self) -> io::Result<MutexGuard<'_, FarEnd>> {
        let mut far_end = locked(&self.far_end);
        far_end.catch_up(clock::now());
        if far_end.session == self.session { Ok(far_end) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    fn is_garbled(&self, far_end: &FarEnd) -> bool {
        far_end.baud_rate_bps.is_some_and(|bps| bps != self.baud_rate_bps)
    }

    /// Takes what is due; gives when to look again where nothing is.
    fn take_due(&mut self) -> io::Result<Option<Time>> {
        let now = clock::now();
        let mut due = Vec::new();
        let mut far_end = self.far_end()?;
        far_end.bus.take_due(now, &mut due);
        let next = far_end.next_event();
        if self.is_garbled(&far_end) {
            due = far_end.garble(&due);
        }
        drop(far_end);
        self.received.extend(due);
        Ok(next)
    }
}

impl Link for SimulatedLink {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut far_end = self.far_end()?;
        let is_garbled = self.is_garbled(&far_end);
        let heard = far_end.heard_of(bytes, is_garbled);
        far_end.bus.on_bytes(clock::now(), &heard);
        Ok(())
    }

    fn receive(&mut self, deadline: Time, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let next = self.take_due()?;
            if !self.received.is_empty() {
                let count = self.received.len().min(buffer.len());
                buffer[..count].copy_from_slice(&self.received[..count]);
                self.received.drain(..count);
                return Ok(count);
            }
            if deadline <= clock::now() {
                clock::sleep_until(clock::now() + LOOK);
                return Ok(0);
            }
            clock::sleep_until(next.map_or(deadline, |next| next.min(deadline)));
        }
    }

    fn discard_input(&mut self) -> io::Result<()> {
        self.take_due()?;
        self.received.clear();
        Ok(())
    }
}

/// A panic elsewhere is that test's own.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::feetech::{Frame, Id};
    use crate::servo::clock::Simulation;

    const BAUD_RATE_BPS: u32 = 1_000_000;

    #[test]
    fn an_answer_comes_when_its_bytes_have_passed_and_nothing_is_waited_for_in_vain() {
        let _time = Simulation::begin(Time(0));
        let port = paced_port();
        let mut link = open_port(&port);
        let ping = Frame::ping(Id::new(1).unwrap());
        link.send(ping.as_bytes()).unwrap();
        let mut buffer = [0; 64];
        assert_eq!(link.receive(at_ms(5), &mut buffer).unwrap(), 6);
        assert_eq!(buffer[..6], [0xFF, 0xFF, 0x01, 0x02, 0x00, 0xFC]);
        assert_eq!(clock::now(), Time(120_000), "12 bytes of 10 bits at 1 Mbit/s");
        assert_eq!(link.receive(at_ms(5), &mut buffer).unwrap(), 0);
        assert_eq!(clock::now(), at_ms(5) + LOOK);
    }

    #[test]
    fn a_plug_that_is_pulled_while_the_host_waits_is_noticed_then() {
        let _time = Simulation::begin(Time(0));
        let port = paced_port();
        let mut link = open_port(&port);
        port.schedule(at_ms(2), "unplug");
        port.schedule(at_ms(7), "replug");
        assert!(link.receive(at_ms(5), &mut [0; 8]).is_err());
        assert_eq!(clock::now(), at_ms(2));
        assert!(open(port.name().trim_start_matches(SCHEME), BAUD_RATE_BPS).is_err());
        clock::sleep_until(at_ms(7));
        assert!(link.send(&[0]).is_err(), "the old link stays dead");
        assert!(open_port(&port).send(&[0]).is_ok());
    }

    #[test]
    fn at_another_speed_nothing_is_understood() {
        let _time = Simulation::begin(Time(0));
        let port = paced_port();
        port.set_baud_rate_bps(Some(500_000));
        let mut link = open_port(&port);
        for _ in 0..100 {
            link.send(Frame::ping(Id::new(1).unwrap()).as_bytes()).unwrap();
        }
        assert_eq!(link.receive(at_ms(50), &mut [0; 64]).unwrap(), 0);
        assert!(port.with_bus(|bus, _| bus.heard().noise_bytes) > 100);
    }

    #[test]
    fn a_spoiled_request_is_heard_by_nobody_and_the_next_one_is() {
        let _time = Simulation::begin(Time(0));
        let port = paced_port();
        let mut link = open_port(&port);
        port.spoil_request_after(0);
        for (at, bytes) in [(at_ms(5), 0), (at_ms(50), 6)] {
            link.send(Frame::ping(Id::new(1).unwrap()).as_bytes()).unwrap();
            assert_eq!(link.receive(at, &mut [0; 64]).unwrap(), bytes);
            clock::sleep_until(clock::now() + Duration::from_millis(30));
        }
    }

    #[test]
    fn a_port_that_is_not_there_is_named() {
        let error = crate::servo::link::open("sim://nowhere", BAUD_RATE_BPS).err().unwrap().to_string();
        assert_eq!(error, "cannot open port sim://nowhere: there is no such port in this process");
    }

    fn paced_port() -> SimulatedPort {
        let servos = (1..=2).map(|id| Id::new(id).unwrap());
        SimulatedPort::plug_in(BusConfig { pace_bps: Some(BAUD_RATE_BPS), ..BusConfig::new(servos) })
    }

    fn open_port(port: &SimulatedPort) -> Box<dyn Link> {
        crate::servo::link::open(port.name(), BAUD_RATE_BPS).unwrap()
    }

    fn at_ms(ms: u64) -> Time {
        Time(0) + Duration::from_millis(ms)
    }
}
