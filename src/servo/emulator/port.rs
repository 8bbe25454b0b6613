//! Where the host gets hold of the emulated wire: a pseudo-terminal behind a link, or a TCP port.
//!
//! Moves bytes without ever waiting, and can be pulled out and plugged in again. Knows nothing of frames.

use std::fs;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, ioctl_tiocnxcl, tcgetattr, tcsetattr};

/// Where the emulator is to be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A pseudo-terminal, with a link to it where one is named.
    Pty {
        /// The link; it may replace another link, but nothing else.
        link: Option<PathBuf>,
    },
    /// `HOST:PORT` to listen on; port 0 takes any.
    Tcp(String),
}

/// The emulator's end of the line.
#[derive(Debug)]
pub(super) enum Port {
    Pty { link: Option<PathBuf>, pty: Option<Pty> },
    Tcp { listener: TcpListener, client: Option<TcpStream>, is_plugged: bool },
}

/// What a read found.
#[derive(Debug)]
pub(super) enum Heard {
    Bytes(usize),
    Nothing,
    /// The host has gone; another may come.
    HungUp,
}

impl Port {
    pub(super) fn open(endpoint: Endpoint) -> io::Result<Self> {
        match endpoint {
            Endpoint::Pty { link } => {
                let mut port = Self::Pty { link, pty: None };
                port.replug()?;
                Ok(port)
            }
            Endpoint::Tcp(address) => {
                let listener = TcpListener::bind(&address).map_err(|error| named(&address, &error))?;
                listener.set_nonblocking(true)?;
                Ok(Self::Tcp { listener, client: None, is_plugged: true })
            }
        }
    }

    /// What a host opens.
    pub(super) fn name(&self) -> io::Result<String> {
        match self {
            Self::Pty { link: Some(link), .. } => Ok(link.display().to_string()),
            Self::Pty { pty, .. } => Ok(pty.as_ref().map_or_else(String::new, |pty| pty.name.clone())),
            Self::Tcp { listener, .. } => Ok(format!("tcp://{}", listener.local_addr()?)),
        }
    }

    /// What to wait on for the host's bytes, or for the host itself.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Pty { pty, .. } => pty.as_ref().map(|pty| pty.master.as_fd()),
            Self::Tcp { client: Some(client), .. } => Some(client.as_fd()),
            Self::Tcp { listener, is_plugged, .. } => is_plugged.then(|| listener.as_fd()),
        }
    }

    /// Takes what has come from the host.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Heard {
        let read = match self {
            Self::Pty { pty: Some(pty), .. } => rustix::io::read(&pty.master, buffer).map_err(Into::into),
            Self::Pty { pty: None, .. } => return Heard::Nothing,
            Self::Tcp { client: Some(client), .. } => client.read(buffer),
            Self::Tcp { listener, client, .. } => {
                *client = accept(listener);
                return Heard::Nothing;
            }
        };
        match read {
            Ok(bytes) if 0 < bytes => Heard::Bytes(bytes),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Heard::Nothing
            }
            _ => {
                if let Self::Tcp { client, .. } = self {
                    *client = None;
                }
                Heard::HungUp
            }
        }
    }

    /// Gives the host bytes; what does not fit is lost, as on a UART that nobody reads.
    pub(super) fn write(&mut self, bytes: &[u8]) -> usize {
        let written = match self {
            Self::Pty { pty: Some(pty), .. } => rustix::io::write(&pty.master, bytes).unwrap_or(0),
            Self::Tcp { client: Some(client), .. } => client.write(bytes).unwrap_or(0),
            _ => 0,
        };
        bytes.len() - written
    }

    /// Lets another host open the terminal although the last one was killed while it had it to itself.
    pub(super) fn release_exclusive(&self) {
        if let Self::Pty { pty: Some(pty), .. } = self {
            // Best effort: the worst is that the next host is refused.
            let _is_released = ioctl_tiocnxcl(&pty.slave).is_ok();
        }
    }

    pub(super) fn unplug(&mut self) {
        match self {
            Self::Pty { link, pty } => {
                if let (Some(link), Some(pty)) = (link.as_ref(), pty.as_ref()) {
                    remove_link(link, &pty.name);
                }
                *pty = None;
            }
            Self::Tcp { client, is_plugged, .. } => {
                *client = None;
                *is_plugged = false;
            }
        }
    }

    pub(super) fn replug(&mut self) -> io::Result<()> {
        match self {
            Self::Pty { pty: Some(_), .. } => {}
            Self::Pty { link, pty } => {
                let new = Pty::open()?;
                if let Some(link) = link {
                    make_link(link, &new.name)?;
                }
                *pty = Some(new);
            }
            Self::Tcp { is_plugged, .. } => *is_plugged = true,
        }
        Ok(())
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.unplug();
    }
}

/// Both ends of a pseudo-terminal; holding the slave keeps the master readable while no host has it open.
#[derive(Debug)]
pub(super) struct Pty {
    master: OwnedFd,
    slave: OwnedFd,
    name: String,
}

impl Pty {
    fn open() -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let slave = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        let mut settings = tcgetattr(&slave)?;
        settings.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &settings)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        Ok(Self { master, slave, name: name.to_string_lossy().into_owned() })
    }
}

fn accept(listener: &TcpListener) -> Option<TcpStream> {
    let (client, _) = listener.accept().ok()?;
    client.set_nonblocking(true).ok()?;
    client.set_nodelay(true).ok()?;
    Some(client)
}

fn make_link(link: &Path, target: &str) -> io::Result<()> {
    match fs::symlink_metadata(link) {
        Ok(found) if !found.is_symlink() => {
            let error = io::Error::new(ErrorKind::AlreadyExists, "exists and is not a link");
            return Err(named(&link.display().to_string(), &error));
        }
        Ok(_) => fs::remove_file(link)?,
        Err(_) => {}
    }
    std::os::unix::fs::symlink(target, link).map_err(|error| named(&link.display().to_string(), &error))
}

/// Removes the link, unless somebody else has made it theirs.
fn remove_link(link: &Path, target: &str) {
    if fs::read_link(link).is_ok_and(|found| found == Path::new(target)) {
        let _is_gone = fs::remove_file(link).is_ok();
    }
}

fn named(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
