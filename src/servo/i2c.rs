//! The ways to an I2C bus: a device of the kernel, or an adapter on a serial line; both for crates of `embedded-hal`.
//!
//! A device that does not answer is told apart from a bus that is lost. Knows no chips.

use std::io;
use std::path::Path;
use std::time::Duration;

use embedded_hal::i2c::{Error, ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use linux_embedded_hal::I2cdev;
use linux_embedded_hal::i2cdev::core::I2CDevice;
use linux_embedded_hal::i2cdev::linux::LinuxI2CError;

use super::bus::{BusCounters, Wait};
use super::clock;
use super::link::{self, Link, OpenError};
use crate::protocol::pca9685::bridge::{Message, Outcome};
use crate::units::Time;

/// An I2C bus that can be told how long to wait.
pub(super) trait I2cPort: I2c<Error = I2cError> + Send {
    /// How long answers are waited for from now on.
    fn wait(&mut self, wait: Wait);

    /// How long a transfer of so many bytes takes, with the address.
    fn transfer_time(&self, bytes: usize) -> Duration;

    /// What went over the bus so far.
    fn counters(&self) -> BusCounters;
}

/// Why a transfer failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum I2cError {
    /// The device did not take it, or the bus was held; the next transfer may go well.
    #[error("the I2C transfer failed: {0}")]
    Failed(ErrorKind),
    /// The adapter said nothing, or nothing that makes sense.
    #[error("the I2C adapter does not answer")]
    Silent,
    /// The transfer is longer than any message.
    #[error("an I2C transfer is too long")]
    TooLong,
    /// The bus is gone.
    #[error(transparent)]
    Lost(#[from] io::Error),
}

impl Error for I2cError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Failed(kind) => *kind,
            Self::Silent | Self::TooLong | Self::Lost(_) => ErrorKind::Other,
        }
    }
}

/// Opens `/dev/i2c-N`, `i2c:PATH` for such a device by another name, or a serial line with an adapter on it.
pub(super) fn open(port: &str, baud_rate_bps: u32, clock_hz: u32) -> Result<Box<dyn I2cPort>, OpenError> {
    let device = port.strip_prefix("i2c:").or_else(|| port.starts_with("/dev/i2c-").then_some(port));
    Ok(match device {
        Some(path) => Box::new(
            KernelI2c::open(path, clock_hz)
                .map_err(|problem| OpenError { port: port.to_owned(), problem })?,
        ),
        None => Box::new(BridgedI2c::new(link::open(port, baud_rate_bps)?, baud_rate_bps, clock_hz)),
    })
}

/// A device of the kernel.
struct KernelI2c {
    device: I2cdev,
    /// The address that the device is set to.
    bound: Option<u8>,
    clock_hz: u32,
    counters: BusCounters,
}

impl KernelI2c {
    fn open(path: &str, clock_hz: u32) -> Result<Self, String> {
        let device = I2cdev::new(path).map_err(explain)?;
        Ok(Self { device, bound: None, clock_hz, counters: BusCounters::default() })
    }

    /// What the kernel says, in our words.
    fn judge<T>(&mut self, result: Result<T, LinuxI2CError>) -> Result<T, I2cError> {
        result.map_err(|error| {
            self.counters.missed += 1;
            judged(&error)
        })
    }
}

fn judged(error: &LinuxI2CError) -> I2cError {
    const ENOENT: i32 = 2;
    const ENXIO: i32 = 6;
    const ENODEV: i32 = 19;
    const EREMOTEIO: i32 = 121;
    let code = match error {
        LinuxI2CError::Errno(code) => Some(*code),
        LinuxI2CError::Io(error) => error.raw_os_error(),
    };
    match code {
        // As when a USB adapter is pulled.
        Some(ENOENT | ENODEV) => I2cError::Lost(io::Error::other(error.to_string())),
        Some(ENXIO | EREMOTEIO) => I2cError::Failed(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Unknown)),
        _ => I2cError::Failed(ErrorKind::Other),
    }
}

impl ErrorType for KernelI2c {
    type Error = I2cError;
}

impl I2c for KernelI2c {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), I2cError> {
        let result = I2c::<u8>::transaction(&mut self.device, address, operations);
        if result.is_ok() {
            self.bound = Some(address);
        }
        result.map_err(|error| {
            self.counters.missed += 1;
            let gone = matches!(error.inner(), LinuxI2CError::Errno(2 | 19));
            if gone {
                I2cError::Lost(io::Error::other(error.to_string()))
            } else {
                I2cError::Failed(error.kind())
            }
        })
    }

    // Once the device is set to an address, plain writes and reads need no memory, as the crate's transactions do.
    fn write(&mut self, address: u8, bytes: &[u8]) -> Result<(), I2cError> {
        self.counters.sent += bytes.len() as u64 + 1;
        if self.bound != Some(address) {
            return self.transaction(address, &mut [Operation::Write(bytes)]);
        }
        let result = I2CDevice::write(&mut *self.device, bytes);
        self.judge(result)
    }

    fn write_read(&mut self, address: u8, bytes: &[u8], into: &mut [u8]) -> Result<(), I2cError> {
        self.counters.received += into.len() as u64;
        if self.bound != Some(address) {
            self.counters.sent += bytes.len() as u64 + 1;
            return self.transaction(address, &mut [Operation::Write(bytes), Operation::Read(into)]);
        }
        self.write(address, bytes)?;
        let result = I2CDevice::read(&mut *self.device, into);
        self.judge(result)
    }
}

impl I2cPort for KernelI2c {
    fn wait(&mut self, _wait: Wait) {
        // The kernel's driver has its own timeout.
    }

    fn transfer_time(&self, bytes: usize) -> Duration {
        i2c_time(self.clock_hz, bytes)
    }

    fn counters(&self) -> BusCounters {
        self.counters
    }
}

fn explain(error: LinuxI2CError) -> String {
    let error = match error {
        LinuxI2CError::Io(error) => error,
        LinuxI2CError::Errno(code) => io::Error::from_raw_os_error(code),
    };
    match error.kind() {
        io::ErrorKind::NotFound if Path::new("/sys/class/i2c-dev").exists() => {
            "there is no such I2C bus; see /sys/class/i2c-dev for those that there are".to_owned()
        }
        io::ErrorKind::NotFound => {
            "there is no such I2C bus; switch I2C on in the system and load the module i2c-dev".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "permission denied; add yourself to the group that owns it (i2c, mostly)".to_owned()
        }
        _ => error.to_string(),
    }
}

/// An adapter on a serial line; see [`crate::protocol::pca9685::bridge`].
struct BridgedI2c {
    link: Box<dyn Link>,
    baud_rate_bps: u32,
    clock_hz: u32,
    wait: Wait,
    wire_free: Time,
    counters: BusCounters,
}

/// What the operating system may take to wake us.
const SCHEDULING_MARGIN: Duration = Duration::from_millis(3);
/// The same, where no cycle waits.
const PATIENT_MARGIN: Duration = Duration::from_millis(50);
/// The most bytes that come back.
const LONGEST_ANSWER: usize = 64;

impl BridgedI2c {
    fn new(link: Box<dyn Link>, baud_rate_bps: u32, clock_hz: u32) -> Self {
        let (wait, counters) = (Wait::Patiently, BusCounters::default());
        Self { link, baud_rate_bps, clock_hz, wait, wire_free: Time(0), counters }
    }

    fn line_time(&self, bytes: usize) -> Duration {
        bits_time(self.baud_rate_bps, 10, bytes)
    }

    /// The bytes that were read, and how it ended.
    fn exchange(
        &mut self,
        message: &Message,
        reads: usize,
    ) -> Result<([u8; LONGEST_ANSWER], usize), I2cError> {
        let request = message.as_bytes();
        self.link.discard_input()?;
        self.link.send(request)?;
        self.counters.sent += request.len() as u64;
        self.wire_free = self.wire_free.max(clock::now()) + self.line_time(request.len());
        let by_then =
            self.wire_free + i2c_time(self.clock_hz, request.len() + reads) + self.line_time(reads + 1);
        let deadline = match self.wait {
            Wait::Until(latest) => (by_then + SCHEDULING_MARGIN).min(latest),
            Wait::Patiently => by_then + PATIENT_MARGIN,
        };
        let (mut answer, mut held) = ([0; LONGEST_ANSWER], 0);
        while held <= reads {
            let Some(room) = answer.get_mut(held..).filter(|room| !room.is_empty()) else { break };
            let count = self.link.receive(deadline, room)?;
            self.counters.received += count as u64;
            held += count;
            if count == 0 && deadline <= clock::now() {
                break;
            }
        }
        Ok((answer, held))
    }
}

impl ErrorType for BridgedI2c {
    type Error = I2cError;
}

impl I2c for BridgedI2c {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), I2cError> {
        let mut reads = 0;
        let mut message = Some(Message::default());
        for operation in operations.iter() {
            message = message.and_then(|message| match operation {
                Operation::Write(bytes) => message.write(address, bytes),
                Operation::Read(into) => {
                    reads += into.len();
                    message.read(address, into.len())
                }
            });
        }
        let message =
            message.and_then(Message::end).filter(|_| reads < LONGEST_ANSWER).ok_or(I2cError::TooLong)?;
        let (answer, held) = self.exchange(&message, reads)?;
        // A transfer that failed may have read nothing.
        let said = held.checked_sub(1).and_then(|last| Outcome::from_code(answer[last]));
        let result = match said {
            Some(Outcome::Done) if held == reads + 1 => Ok(()),
            Some(Outcome::NoAddress) => {
                Err(I2cError::Failed(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address)))
            }
            Some(Outcome::NoData) => {
                Err(I2cError::Failed(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Data)))
            }
            Some(Outcome::TimedOut) => Err(I2cError::Failed(ErrorKind::Bus)),
            Some(Outcome::Done) | None => Err(I2cError::Silent),
        };
        if result.is_err() {
            self.counters.missed += 1;
            return result;
        }
        let mut read = answer[..reads].iter();
        for operation in operations.iter_mut() {
            if let Operation::Read(into) = operation {
                into.iter_mut().zip(&mut read).for_each(|(place, byte)| *place = *byte);
            }
        }
        Ok(())
    }
}

impl I2cPort for BridgedI2c {
    fn wait(&mut self, wait: Wait) {
        self.wait = wait;
    }

    fn transfer_time(&self, bytes: usize) -> Duration {
        /// Letters and counts of a message, and how it ended.
        const OVERHEAD: usize = 3 + 3 + 4 + 1;
        self.line_time(bytes + OVERHEAD) + i2c_time(self.clock_hz, bytes)
    }

    fn counters(&self) -> BusCounters {
        self.counters
    }
}

/// How long so many bytes and an address are on an I2C bus.
fn i2c_time(clock_hz: u32, bytes: usize) -> Duration {
    bits_time(clock_hz, 9, bytes + 1)
}

fn bits_time(rate: u32, bits_a_byte: u64, bytes: usize) -> Duration {
    Duration::from_nanos(bits_a_byte * bytes as u64 * 1_000_000_000 / u64::from(rate.max(1)))
}

impl ErrorType for Box<dyn I2cPort> {
    type Error = I2cError;
}

impl I2c for Box<dyn I2cPort> {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), I2cError> {
        (**self).transaction(address, operations)
    }

    fn write(&mut self, address: u8, bytes: &[u8]) -> Result<(), I2cError> {
        (**self).write(address, bytes)
    }

    fn write_read(&mut self, address: u8, bytes: &[u8], into: &mut [u8]) -> Result<(), I2cError> {
        (**self).write_read(address, bytes, into)
    }
}

impl I2cPort for Box<dyn I2cPort> {
    fn wait(&mut self, wait: Wait) {
        (**self).wait(wait);
    }

    fn transfer_time(&self, bytes: usize) -> Duration {
        (**self).transfer_time(bytes)
    }

    fn counters(&self) -> BusCounters {
        (**self).counters()
    }
}
