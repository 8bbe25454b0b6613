//! The control socket: lines in, lines out, one thread for each connection.
//!
//! A slow or silent client holds up its own thread and nothing else.

use std::fmt::{self, Write as _};
use std::fs;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::events::{Event, Watch};
use super::running::{Answer, Console};
use crate::servo::clock;

/// A control socket that is listened on until this is dropped.
#[derive(Debug)]
pub(super) struct ControlSocket {
    path: PathBuf,
    is_closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The connections that are served now, each with its number.
type Connections = Arc<Mutex<Vec<(usize, UnixStream)>>>;

impl ControlSocket {
    pub(super) fn open(path: PathBuf, console: Console) -> io::Result<Self> {
        let named = |error: &io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        make_room(&path).map_err(|error| named(&error))?;
        let listener = UnixListener::bind(&path).map_err(|error| named(&error))?;
        let is_closing = Arc::new(AtomicBool::new(false));
        let closing = Arc::clone(&is_closing);
        let thread = std::thread::Builder::new()
            .name("emulator-control".to_owned())
            .spawn(move || accept(&listener, &console, &closing))?;
        Ok(Self { path, is_closing, thread: Some(thread) })
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        self.is_closing.store(true, Ordering::Release);
        // A connection wakes the listener, which then sees that it is to close.
        let is_woken = UnixStream::connect(&self.path).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| is_woken) {
            let _is_clean = thread.join().is_ok();
        }
        let _is_gone = fs::remove_file(&self.path).is_ok();
    }
}

/// Removes a socket that nobody listens on any more.
fn make_room(path: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "exists and is not a socket"));
    }
    if UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(ErrorKind::AddrInUse, "another emulator listens there"));
    }
    fs::remove_file(path)
}

fn accept(listener: &UnixListener, console: &Console, is_closing: &AtomicBool) {
    let connections = Connections::default();
    let mut threads = Vec::new();
    let mut number = 0;
    while let Ok((stream, _)) = listener.accept() {
        if is_closing.load(Ordering::Acquire) {
            break;
        }
        let (Ok(console), Ok(copy)) = (console.try_clone(), stream.try_clone()) else { continue };
        lock(&connections).push((number, copy));
        let closing = Arc::clone(&connections);
        threads.push(std::thread::spawn(move || {
            // A client that leaves in the middle of a line is none of ours to report.
            let _is_clean = serve(&stream, &console).is_ok();
            let _is_shut = stream.shutdown(Shutdown::Both).is_ok();
            lock(&closing).retain(|(served, _)| *served != number);
        }));
        number += 1;
        threads.retain(|thread| !thread.is_finished());
    }
    for (_, connection) in lock(&connections).iter() {
        let _is_shut = connection.shutdown(Shutdown::Both).is_ok();
    }
    for thread in threads {
        let _is_clean = thread.join().is_ok();
    }
}

fn lock(connections: &Connections) -> MutexGuard<'_, Vec<(usize, UnixStream)>> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(stream: &UnixStream, console: &Console) -> io::Result<()> {
    let mut out = stream;
    for line in BufReader::new(stream).lines() {
        match console.ask(&line?) {
            Answer::Line(line) => writeln!(out, "{line}")?,
            Answer::Watching(watch) => {
                writeln!(out, "ok watching")?;
                return stream_events(stream, &watch);
            }
        }
    }
    Ok(())
}

fn stream_events(mut out: &UnixStream, watch: &Watch) -> io::Result<()> {
    let mut text = String::new();
    loop {
        let event = match watch.events.recv_timeout(Duration::from_millis(200)) {
            Ok(event) => Some(event),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
        };
        text.clear();
        for event in event.into_iter().chain(watch.events.try_iter().take(256)) {
            describe(&mut text, &event);
        }
        let lost = watch.take_lost();
        if 0 < lost {
            text.push_str(&format!("lost {lost}\n"));
        }
        out.write_all(text.as_bytes())?;
    }
}

fn describe(text: &mut String, event: &Event) {
    // Writing to a string cannot fail.
    let _is_written = match event {
        Event::Write { at, id, address, data } => {
            writeln!(text, "write {} {id} {address} {}", clock::wall_nanos_at(*at), Hex(data))
        }
        Event::Host { at, bytes } => writeln!(text, "host {} {}", clock::wall_nanos_at(*at), Hex(bytes)),
        Event::Servos { at, bytes } => writeln!(text, "servos {} {}", clock::wall_nanos_at(*at), Hex(bytes)),
        Event::Mark { at, name } => writeln!(text, "mark {} {name}", clock::wall_nanos_at(*at)),
    }
    .is_ok();
}

/// Bytes as they are shown, two digits for each.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
