//! The door to the wire: bytes out, bytes in until a deadline; a serial device, a TCP serial server, or a port of
//! this process.
//!
//! Knows no frames.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use serialport::{ClearBuffer, SerialPort, TTYPort};

use super::{adapter, clock, simulated};
use crate::units::Time;

/// A wire that bytes go over. Every error means that the wire is lost.
pub trait Link: Send {
    /// Hands all bytes to the wire.
    ///
    /// # Errors
    /// Where the wire is lost.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Waits for bytes until `deadline` and takes what there is; 0 says that none came.
    ///
    /// # Errors
    /// Where the wire is lost.
    fn receive(&mut self, deadline: Time, buffer: &mut [u8]) -> io::Result<usize>;

    /// Forgets what came in and was not taken.
    ///
    /// # Errors
    /// Where the wire is lost.
    fn discard_input(&mut self) -> io::Result<()>;
}

/// Why a port cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open port {port}: {problem}")]
pub struct OpenError {
    /// The port as it was configured.
    pub port: String,
    /// What is wrong, and what may help.
    pub problem: String,
}

/// Opens a serial device, `tcp://HOST:PORT`, or the `sim://NAME` of a [`simulated::SimulatedPort`].
///
/// # Errors
/// Where there is no such port, another program has it, or it cannot be had.
pub fn open(port: &str, baud_rate_bps: u32) -> Result<Box<dyn Link>, OpenError> {
    if let Some(name) = port.strip_prefix(simulated::SCHEME) {
        return simulated::open(name, baud_rate_bps)
            .map_err(|problem| OpenError { port: port.to_owned(), problem });
    }
    let opened = match port.strip_prefix("tcp://") {
        Some(address) => open_tcp(address).map(|link| Box::new(link) as Box<dyn Link>),
        None => open_serial(port, baud_rate_bps).map(|link| Box::new(link) as Box<dyn Link>),
    };
    opened.map_err(|problem| OpenError { port: port.to_owned(), problem })
}

fn open_serial(path: &str, baud_rate_bps: u32) -> Result<SerialLink, String> {
    let refused = |error: &serialport::Error| explain(path, error);
    let mut port = serialport::new(path, baud_rate_bps).open_native().map_err(|error| refused(&error))?;
    port.set_exclusive(false).map_err(|error| refused(&error))?;
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let input = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| error.to_string())?;
    port.set_exclusive(true).map_err(|error| refused(&error))?;
    if let Some(advice) = adapter::advice(Path::new(adapter::SYSFS), path) {
        tracing::warn!("{advice}");
    }
    Ok(SerialLink { port, input })
}

fn explain(path: &str, error: &serialport::Error) -> String {
    use serialport::ErrorKind::{Io, NoDevice};
    match error.kind() {
        NoDevice if Path::new(path).exists() => "another program is using it; stop that one first".to_owned(),
        NoDevice | Io(io::ErrorKind::NotFound) => {
            "there is no such device; is the adapter plugged in? See /dev/serial/by-id".to_owned()
        }
        Io(io::ErrorKind::PermissionDenied) => {
            "permission denied; add yourself to the group that owns it (dialout, mostly)".to_owned()
        }
        _ => error.to_string(),
    }
}

fn open_tcp(address: &str) -> Result<TcpLink, String> {
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
    let mut resolved = address
        .to_socket_addrs()
        .map_err(|error| format!("`{address}` is no HOST:PORT that can be resolved ({error})"))?;
    let address = resolved.next().ok_or_else(|| format!("`{address}` resolves to nothing"))?;
    let stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).map_err(|error| error.to_string())?;
    stream
        .set_nodelay(true)
        .and_then(|()| stream.set_nonblocking(true))
        .map_err(|error| error.to_string())?;
    Ok(TcpLink { stream })
}

struct SerialLink {
    /// The settings, the lock and the way out.
    port: TTYPort,
    /// The way in: `TTYPort` makes an error on the heap of each wait in vain.
    input: OwnedFd,
}

impl Link for SerialLink {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        const WRITE_TIMEOUT: Duration = Duration::from_millis(50);
        self.port.set_timeout(WRITE_TIMEOUT)?;
        self.port.write_all(bytes)
    }

    fn receive(&mut self, deadline: Time, buffer: &mut [u8]) -> io::Result<usize> {
        if !has_input(&self.input, deadline)? {
            return Ok(0);
        }
        nothing_yet_is_zero(rustix::io::read(&self.input, buffer).map_err(io::Error::from))
    }

    fn discard_input(&mut self) -> io::Result<()> {
        Ok(self.port.clear(ClearBuffer::Input)?)
    }
}

struct TcpLink {
    stream: TcpStream,
}

impl Link for TcpLink {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        // Requests are far smaller than a socket's buffer: one that does not fit means that nobody reads.
        self.stream.write_all(bytes)
    }

    fn receive(&mut self, deadline: Time, buffer: &mut [u8]) -> io::Result<usize> {
        if !has_input(&self.stream, deadline)? {
            return Ok(0);
        }
        nothing_yet_is_zero(self.stream.read(buffer))
    }

    fn discard_input(&mut self) -> io::Result<()> {
        let mut rest = [0; 256];
        while nothing_yet_is_zero(self.stream.read(&mut rest))? != 0 {}
        Ok(())
    }
}

/// Waits until `deadline` at most for something to read, be it the end.
fn has_input(line: impl AsFd, deadline: Time) -> io::Result<bool> {
    let wait = i64::try_from(deadline.saturating_since(clock::now()).as_nanos()).unwrap_or(i64::MAX);
    let mut ready = [PollFd::new(&line, PollFlags::IN)];
    match poll(&mut ready, Some(&clock::timespec(wait))) {
        Ok(0) | Err(rustix::io::Errno::INTR) => Ok(false),
        Ok(_) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// End of file is the loss of the wire; nothing within the time is not.
fn nothing_yet_is_zero(read: io::Result<usize>) -> io::Result<usize> {
    match read {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(count) => Ok(count),
        Err(error) => match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
            _ => Err(error),
        },
    }
}
