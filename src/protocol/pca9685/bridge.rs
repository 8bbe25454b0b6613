//! I2C transfers as messages on a serial line, for adapters and for the emulator.
//!
//! The messages are those of NXP's SC18IM700, as far as a PCA9685 needs them:
//!
//! ```text
//! S  address·2    count  data…  [S  address·2+1  count]  P     write, then read without letting go of the bus
//! S  address·2+1  count  P                                     read: the bytes read come back, bare
//! R  0A  P                                                     how the last transfer ended: F0, F1, F2 or F8
//! ```
//! Letters are ASCII. A message of which the rest does not come is forgotten after a silence; the line's owner says
//! when. A burst for sixteen channels is longer than the 16 bytes that the SC18IM700 holds, which sends on as they
//! come; that was not tried on the chip.

/// Begins a transfer, and another one without letting go of the bus.
pub const START: u8 = b'S';
/// Ends a message.
pub const STOP: u8 = b'P';
/// Asks for a register of the adapter itself.
pub const READ_REGISTER: u8 = b'R';
/// The adapter's register that tells how the last transfer ended.
pub const STATUS_REGISTER: u8 = 0x0A;

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// All bytes were taken.
    Done = 0xF0,
    /// Nobody has that address.
    NoAddress = 0xF1,
    /// A byte was not taken.
    NoData = 0xF2,
    /// Somebody held the bus.
    TimedOut = 0xF8,
}

impl Outcome {
    /// The outcome of that code.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Done, Self::NoAddress, Self::NoData, Self::TimedOut]
            .into_iter()
            .find(|outcome| *outcome as u8 == code)
    }
}

/// The most bytes of a message and the question how it ended.
pub const MAX_MESSAGE: usize = 288;

/// A message under construction, and the question how it ended.
#[derive(Clone, Copy)]
pub struct Message {
    bytes: [u8; MAX_MESSAGE],
    len: usize,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Message({:02x?})", self.as_bytes())
    }
}

impl Default for Message {
    fn default() -> Self {
        Self { bytes: [0; MAX_MESSAGE], len: 0 }
    }
}

impl Message {
    /// Adds a write; `None` where it does not fit.
    pub fn write(mut self, address: u8, data: &[u8]) -> Option<Self> {
        self.push(&[START, address << 1, u8::try_from(data.len()).ok()?])?;
        self.push(data)?;
        Some(self)
    }

    /// Adds a read; `None` where it does not fit.
    pub fn read(mut self, address: u8, count: usize) -> Option<Self> {
        self.push(&[START, address << 1 | 1, u8::try_from(count).ok()?])?;
        Some(self)
    }

    /// Ends the message and asks how it ended; `None` where that does not fit.
    pub fn end(mut self) -> Option<Self> {
        self.push(&[STOP, READ_REGISTER, STATUS_REGISTER, STOP])?;
        Some(self)
    }

    /// All of it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn push(&mut self, bytes: &[u8]) -> Option<()> {
        self.bytes.get_mut(self.len..self.len + bytes.len())?.copy_from_slice(bytes);
        self.len += bytes.len();
        Some(())
    }
}

/// What an adapter hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// Bytes for the device at an address.
    Write(u8, &'a [u8]),
    /// So many bytes are wanted of the device at an address.
    Read(u8, u8),
    /// The bus is let go.
    Stop,
    /// A register of the adapter is wanted.
    Register(u8),
    /// A byte that belongs to no message.
    Noise,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Address,
    Count {
        address: u8,
    },
    Data {
        address: u8,
        count: u8,
    },
    /// After a transfer there comes another, or the end.
    Between,
    Register,
    RegisterEnd {
        register: u8,
    },
}

/// Finds transfers in bytes that come one after the other, as an adapter does; fixed memory.
#[derive(Clone, Debug)]
pub struct Decoder {
    state: State,
    data: [u8; 255],
    len: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { state: State::Idle, data: [0; 255], len: 0 }
    }
}

impl Decoder {
    /// The next byte, and what it completes.
    pub fn push(&mut self, byte: u8) -> Option<Heard<'_>> {
        self.state = match (self.state, byte) {
            (State::Idle | State::Between, START) => State::Address,
            (State::Idle, READ_REGISTER) => State::Register,
            (State::Address, address) => State::Count { address },
            (State::Count { address }, count) if address & 1 == 1 => {
                self.state = State::Between;
                return Some(Heard::Read(address >> 1, count));
            }
            (State::Count { address }, 0) => {
                self.state = State::Between;
                return Some(Heard::Write(address >> 1, &[]));
            }
            (State::Count { address }, count) => {
                self.len = 0;
                State::Data { address, count }
            }
            (State::Data { address, count }, byte) => {
                self.data[self.len] = byte;
                self.len += 1;
                if self.len == usize::from(count) {
                    self.state = State::Between;
                    return Some(Heard::Write(address >> 1, &self.data[..self.len]));
                }
                self.state
            }
            (State::Between, STOP) => {
                self.state = State::Idle;
                return Some(Heard::Stop);
            }
            (State::Register, register) => State::RegisterEnd { register },
            (State::RegisterEnd { register }, STOP) => {
                self.state = State::Idle;
                return Some(Heard::Register(register));
            }
            (State::Idle | State::Between | State::RegisterEnd { .. }, _) => {
                self.state = State::Idle;
                return Some(Heard::Noise);
            }
        };
        None
    }

    /// Forgets a message whose rest does not come.
    pub fn give_up(&mut self) {
        self.state = State::Idle;
    }

    /// Whether a message has begun and not ended.
    pub fn is_within(&self) -> bool {
        self.state != State::Idle
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_write_and_a_read_are_the_bytes_of_the_datasheet() {
        let write = Message::default().write(0x40, &[0x00, 0x20]).and_then(Message::end).unwrap();
        assert_eq!(write.as_bytes(), [b'S', 0x80, 2, 0x00, 0x20, b'P', b'R', 0x0A, b'P']);
        let read = Message::default().write(0x40, &[0]).and_then(|message| message.read(0x40, 1));
        assert_eq!(read.unwrap().as_bytes(), [b'S', 0x80, 1, 0, b'S', 0x81, 1]);
    }

    #[test]
    fn an_adapter_hears_what_a_host_says() {
        let message = Message::default().write(0x40, &[0x53, 0x50]).and_then(|message| message.read(0x41, 3));
        let message = message.and_then(Message::end).unwrap();
        let mut decoder = Decoder::default();
        let heard: Vec<String> = message
            .as_bytes()
            .iter()
            .filter_map(|byte| decoder.push(*byte).map(|heard| format!("{heard:?}")))
            .collect();
        assert_eq!(heard, ["Write(64, [83, 80])", "Read(65, 3)", "Stop", "Register(10)"]);
        assert!(!decoder.is_within());
    }

    #[test]
    fn what_does_not_fit_is_no_message() {
        assert!(Message::default().write(0x40, &[0; 256]).is_none());
        let full = Message::default().write(0x40, &[0; 255]).unwrap();
        assert!(full.write(0x40, &[0; 100]).is_none());
        assert!(full.read(0x40, 256).is_none());
    }

    #[test]
    fn outcomes_have_their_codes() {
        assert_eq!(Outcome::from_code(0xF1), Some(Outcome::NoAddress));
        assert_eq!(Outcome::from_code(0x00), None);
    }

    proptest! {
        #[test]
        fn after_any_bytes_and_a_silence_the_next_message_is_heard(noise in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut decoder = Decoder::default();
            for byte in noise {
                decoder.push(byte);
            }
            decoder.give_up();
            let message = Message::default().write(0x40, &[0xFA, 1]).and_then(Message::end).unwrap();
            let stops = message.as_bytes().iter().filter(|byte| decoder.push(**byte) == Some(Heard::Stop)).count();
            prop_assert_eq!(stops, 1);
        }
    }
}
