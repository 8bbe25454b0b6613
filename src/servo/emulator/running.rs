//! Runs the emulated bus in a thread of its own, in real time.
//!
//! The thread owns the bus and the port and is the only one to touch them; commands come to it through a
//! queue. It sleeps until bytes come, a command comes, or an answer is due.

use std::io::{self, Read as _, Write as _};
use std::num::NonZeroU64;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::bus::{Bus, BusConfig};
use super::control::Command;
use super::events::Watch;
use super::port::{Endpoint, Heard, Port};
use super::socket::ControlSocket;
use crate::servo::clock::now;
use crate::units::Time;

/// What an emulator is like.
#[derive(Clone, Debug)]
pub struct EmulatorConfig {
    /// The wire and its servos.
    pub bus: BusConfig,
    /// Where to listen for commands.
    pub control: Option<PathBuf>,
    /// How long before an answer is due the thread stops sleeping and watches the clock instead: a
    /// sleeper wakes that much late. Costs so much processor time for each answer of a paced wire.
    pub spin: Duration,
}

impl EmulatorConfig {
    /// That bus, without a control socket.
    pub fn new(bus: BusConfig) -> Self {
        Self { bus, control: None, spin: Duration::from_micros(50) }
    }
}

/// Starts emulators.
#[derive(Debug)]
pub struct Emulator;

impl Emulator {
    /// Powers the servos up and opens the port.
    pub fn spawn(config: EmulatorConfig, endpoint: Endpoint) -> io::Result<Running> {
        let port = Port::open(endpoint)?;
        let name = port.name()?;
        let (orders, inbox) = channel();
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let console = Console { orders, wake };
        let socket =
            config.control.map(|path| ControlSocket::open(path, console.try_clone()?)).transpose()?;
        let (bus, spin) = (Bus::new(config.bus, now()), config.spin);
        let thread = std::thread::Builder::new().name("emulator".to_owned()).spawn(move || {
            let (attentive_until, started) = (now(), now());
            Line { bus, port, inbox, woken, spin, attentive_until, lost_bytes: 0, started }.run();
        })?;
        Ok(Running { port: name, console, _socket: socket, thread: Some(thread) })
    }
}

/// An emulator at work; it stops when this is dropped.
#[derive(Debug)]
pub struct Running {
    port: String,
    console: Console,
    _socket: Option<ControlSocket>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// What a host opens: a path, or `tcp://HOST:PORT`.
    pub fn port(&self) -> &str {
        &self.port
    }

    /// Carries out one line of the control protocol; see [`super::control`].
    pub fn command(&self, line: &str) -> String {
        match self.console.ask(line) {
            Answer::Line(line) => line,
            Answer::Watching(_) => "error only a control socket or `watch` can watch".to_owned(),
        }
    }

    /// Events from now on, as with `watch writes` or `watch frames`, but with the emulator's own times.
    pub fn watch(&self, what: &str) -> Option<Watch> {
        match self.console.ask(&format!("watch {what}")) {
            Answer::Watching(watch) => Some(watch),
            Answer::Line(_) => None,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.console.order(Order::Stop);
        if let Some(thread) = self.thread.take() {
            let _is_clean = thread.join().is_ok();
        }
    }
}

/// What a command is answered with.
#[derive(Debug)]
pub(super) enum Answer {
    Line(String),
    Watching(Watch),
}

#[derive(Debug)]
enum Order {
    Line { text: String, answer: SyncSender<Answer> },
    Stop,
}

/// The way to the emulator's thread.
#[derive(Debug)]
pub(super) struct Console {
    orders: Sender<Order>,
    wake: UnixStream,
}

impl Console {
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { orders: self.orders.clone(), wake: self.wake.try_clone()? })
    }

    pub(super) fn ask(&self, line: &str) -> Answer {
        let (answer, told) = sync_channel(1);
        self.order(Order::Line { text: line.to_owned(), answer });
        told.recv().unwrap_or_else(|_gone| Answer::Line("error the emulator has stopped".to_owned()))
    }

    fn order(&self, order: Order) {
        let is_heard = self.orders.send(order).is_ok();
        // A full pipe wakes as well.
        let _is_new = is_heard && (&self.wake).write(&[1]).is_ok();
    }
}

struct Line {
    bus: Bus,
    port: Port,
    inbox: Receiver<Order>,
    woken: UnixStream,
    spin: Duration,
    /// Until then the host's next bytes are watched for: a wire hears them when they come, not when somebody wakes.
    attentive_until: Time,
    lost_bytes: u64,
    started: Time,
}

impl Line {
    /// How often the terminal is looked after while nothing happens.
    const IDLE: Duration = Duration::from_millis(200);
    /// After the last answer the host is watched for as long as so many spins.
    const ATTENTION: u32 = 3;

    fn run(mut self) {
        // Without this the kernel may let each sleep last 50 µs longer. Best effort, as is all timing.
        let _is_sharp = rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).is_ok();
        let mut out = Vec::with_capacity(4096);
        loop {
            self.deliver(&mut out);
            let Some((has_input, is_woken)) = self.wait() else { continue };
            if has_input {
                self.listen();
            }
            if is_woken && !self.obey() {
                return;
            }
            if !has_input && !is_woken && self.bus.next_due().is_none() {
                self.port.release_exclusive();
            }
        }
    }

    fn deliver(&mut self, out: &mut Vec<u8>) {
        out.clear();
        self.bus.take_due(now(), out);
        if !out.is_empty() {
            self.lost_bytes += self.port.write(out) as u64;
            if self.bus.next_due().is_none() {
                self.attentive_until = now() + Self::ATTENTION * self.spin;
            }
        }
    }

    /// Sleeps until there is something to do; says whether the host and whether a command woke it.
    fn wait(&self) -> Option<(bool, bool)> {
        let moment = now();
        let due = self.bus.next_due();
        if let Some(due) = due.filter(|due| due.saturating_since(moment) <= self.spin) {
            while now() < due {
                std::hint::spin_loop();
            }
            return None;
        }
        let until_due = due.map_or(Self::IDLE, |due| due.saturating_since(moment) - self.spin);
        let until_due = if moment < self.attentive_until { Duration::ZERO } else { until_due };
        let takes_input = self.bus.takes_input(moment);
        let until_input = if takes_input { Self::IDLE } else { Duration::from_millis(1) };
        let timeout = Timespec::try_from(until_due.min(until_input).min(Self::IDLE)).ok()?;
        let woken = PollFd::new(&self.woken, PollFlags::IN);
        let host = self.port.fd().filter(|_| takes_input);
        // Without a host the other descriptor stands in for it, so that the array keeps its length.
        let host_fd = host.unwrap_or_else(|| self.woken.as_fd());
        let mut fds = [woken, PollFd::from_borrowed_fd(host_fd, PollFlags::IN)];
        poll(&mut fds, Some(&timeout)).ok()?;
        let is_ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
        Some((host.is_some() && is_ready(&fds[1]), is_ready(&fds[0])))
    }

    fn listen(&mut self) {
        let mut buffer = [0; 1024];
        match self.port.read(&mut buffer) {
            Heard::Bytes(count) => self.bus.on_bytes(now(), &buffer[..count]),
            Heard::Nothing => {}
            Heard::HungUp => self.bus.hang_up(now()),
        }
    }

    /// Carries out what was ordered; false when that is to stop.
    fn obey(&mut self) -> bool {
        let mut drained = [0; 64];
        let _is_drained = self.woken.read(&mut drained).is_ok();
        while let Ok(order) = self.inbox.try_recv() {
            match order {
                Order::Stop => return false,
                Order::Line { text, answer } => {
                    // Whoever asked may have left.
                    let _is_heard = answer.send(self.answer(&text)).is_ok();
                }
            }
        }
        true
    }

    fn answer(&mut self, line: &str) -> Answer {
        let said = match Command::parse(line) {
            Ok(Command::Watch(wanted)) => return Answer::Watching(self.bus.wire.watchers.add(wanted)),
            Ok(Command::Unplug) => {
                self.port.unplug();
                self.bus.hang_up(now());
                Ok("unplugged".to_owned())
            }
            Ok(Command::Replug) => {
                self.port.replug().and_then(|()| self.port.name()).map_err(|error| error.to_string())
            }
            Ok(Command::Stats) => Ok(self.stats()),
            Ok(command) => command.carry_out(&mut self.bus, now()).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        Answer::Line(match said {
            Ok(said) => format!("ok {said}"),
            Err(error) => format!("error {error}"),
        })
    }

    fn stats(&self) -> String {
        let mut stats = super::control::stats(&self.bus);
        stats["lost_bytes"] = self.lost_bytes.into();
        stats["uptime_s"] = now().secs_since(self.started).into();
        stats.to_string()
    }
}
