//! What all families of register servos have in common on the wire.
//!
//! A register servo is pinged, and its registers are read and written; several servos at once where the family can.
//! Each family says how that looks as bytes ([`Wire`]) and finds the answers in what comes back ([`ReplyDecoder`]).
//! What the registers mean is not known here.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::fmt;

/// The address of one servo: 0 to 253; a family may have fewer ([`Wire::MAX_ID`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u8);

impl Id {
    /// The largest id that one servo of any family can have.
    pub const MAX: u8 = 253;

    /// The id, where it is one.
    ///
    /// # Errors
    /// Where no servo can have it.
    pub const fn new(raw: u8) -> Result<Self, FrameError> {
        if raw <= Self::MAX { Ok(Self(raw)) } else { Err(FrameError::Id(raw)) }
    }

    /// The byte on the wire.
    pub const fn raw(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Id {
    type Error = FrameError;

    fn try_from(raw: u8) -> Result<Self, FrameError> {
        Self::new(raw)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// The byte on the wire for every servo.
pub(super) const BROADCAST: u8 = 0xFE;

/// Whom an instruction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The servo with this id, which answers.
    One(Id),
    /// Every servo. Most questions cannot be asked so, as all would answer at once.
    All,
}

impl Target {
    /// The byte on the wire.
    pub const fn raw(self) -> u8 {
        match self {
            Self::One(id) => id.raw(),
            Self::All => BROADCAST,
        }
    }
}

impl From<Id> for Target {
    fn from(id: Id) -> Self {
        Self::One(id)
    }
}

/// Whose frames are looked for; decides what cannot be the start of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Instructions, which a servo hears.
    Requests,
    /// Answers, which a host hears.
    Replies,
}

/// Why a frame cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// 254 means every servo, 255 is the header.
    #[error("a servo's id is at most 253, not {0}")]
    Id(u8),
    /// The family has fewer ids.
    #[error("a {family} servo's id is at most {most}, not {id}")]
    FamilyId {
        /// Which family.
        family: &'static str,
        /// Its greatest id.
        most: u8,
        /// The id given.
        id: u8,
    },
    /// The family's addresses are single bytes.
    #[error("register addresses are at most {most}, not {address}")]
    Address {
        /// The greatest address.
        most: u16,
        /// The address given.
        address: u16,
    },
    /// The length field cannot say it.
    #[error("{actual} bytes of parameters do not fit a frame, which holds {most}")]
    TooLong {
        /// How many there were, up to where it was found out.
        actual: usize,
        /// How many fit.
        most: usize,
    },
    /// More registers than one answer can carry.
    #[error("an answer carries at most {most} register bytes, not {asked}")]
    Answer {
        /// How many were asked for.
        asked: u16,
        /// How many one carries.
        most: usize,
    },
    /// In a sync write every servo gets the same number of bytes.
    #[error("servo {id} was given {actual} bytes instead of {expected}")]
    DataLength {
        /// For which servo.
        id: Id,
        /// What the sync write announced.
        expected: u16,
        /// What was given.
        actual: usize,
    },
    /// A frame for nobody, or of nothing.
    #[error("nothing to send: no servos or no data")]
    Empty,
    /// The family has no such instruction.
    #[error("{family} servos know no {instruction}")]
    Unknown {
        /// Which family.
        family: &'static str,
        /// What was to be asked.
        instruction: &'static str,
    },
}

/// In which order the bytes of a value lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// The lowest byte first.
    Little,
    /// The highest byte first.
    Big,
}

/// What an answer says beside its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raised {
    /// The servo's alarm bits themselves.
    Bits(u8),
    /// Whether there are any; which is in a register.
    Alert(bool),
}

/// Why a servo did not do what it was asked; an alarm is no refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{meaning} (code {code})")]
pub struct Refusal {
    /// As the servo said it.
    pub code: u8,
    /// In words.
    pub meaning: &'static str,
}

/// One servo's answer: data and alarms side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// Who answers.
    pub id: Id,
    /// What it complains of; the data is valid all the same.
    pub raised: Raised,
    /// Why there is no data, where the servo refused.
    pub refusal: Option<Refusal>,
    /// The registers asked for.
    pub data: &'a [u8],
    /// Bytes that came behind this answer and are held already.
    pub behind: usize,
}

/// What came by, since a decoder was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Good frames.
    pub frames: u64,
    /// Bytes that belonged to no frame.
    pub noise_bytes: u64,
    /// Whole frames whose checksum was wrong.
    pub bad_checksums: u64,
}

/// What form the answers to the next request have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Each servo's a frame of its own.
    Single,
    /// One frame for all servos, with so many bytes of data of each; each servo's part is handed out as a [`Reply`].
    Joint {
        /// Bytes of data of each servo.
        len: usize,
    },
}

/// The bytes that every decoder takes at once for certain, when no whole frame is left in it.
pub const ROOM: usize = 256;

/// Finds answers in bytes that come in pieces of any size, whatever else is among them.
///
/// In fixed memory, without allocating; any stream of bytes is survived, and a good frame behind noise is found.
pub trait ReplyDecoder: Send {
    /// Forgets the bytes held, which do not count as noise; answers of this form are expected from now on.
    fn begin(&mut self, answers: Answers);

    /// Takes in as many of `bytes` as fit, at least [`ROOM`] once all answers are taken out; says how many.
    #[must_use = "bytes that did not fit are the caller's"]
    fn push(&mut self, bytes: &[u8]) -> usize;

    /// The next answer, if one is whole.
    fn next_reply(&mut self) -> Option<Reply<'_>>;

    /// Stops waiting for the rest of the frame at the front, whose header may have been noise. False where nothing
    /// is held.
    fn give_up(&mut self) -> bool;

    /// What came by so far.
    fn counts(&self) -> Counts;
}

/// How a family of register servos speaks. Building a frame allocates nothing; what does not fit is an error.
pub trait Wire: Send + 'static {
    /// The family's name in configurations.
    const NAME: &'static str;
    /// How values lie in registers.
    const BYTE_ORDER: ByteOrder;
    /// The greatest id that a servo can have.
    const MAX_ID: u8;
    /// Bytes of data in the answer to a ping.
    const PING_DATA: usize;
    /// Whether one request can read several servos.
    const HAS_SYNC_READ: bool;
    /// Whether they can answer in one frame ([`Wire::fast_sync_read`]), if their firmware is new enough.
    const HAS_FAST_SYNC_READ: bool;

    /// One frame, ready to be sent.
    type Frame: AsRef<[u8]> + Send;
    /// Finds the answers.
    type Decoder: ReplyDecoder;

    /// A decoder that holds nothing.
    fn decoder() -> Self::Decoder;

    /// Are you there?
    ///
    /// # Errors
    /// Where the family has no such id.
    fn ping(id: Id) -> Result<Self::Frame, FrameError>;

    /// Asks for `len` bytes of registers from `address` on.
    ///
    /// # Errors
    /// Where a frame cannot say it.
    fn read(id: Id, address: u16, len: u16) -> Result<Self::Frame, FrameError>;

    /// Puts `data` into the registers from `address` on; the servo answers without data, if it is set up to answer.
    ///
    /// # Errors
    /// Where a frame cannot say it.
    fn write(id: Id, address: u16, data: &[u8]) -> Result<Self::Frame, FrameError>;

    /// Asks several servos for the same registers; they answer one after another, in this order.
    ///
    /// # Errors
    /// Where a frame cannot say it, or the family has no such request.
    fn sync_read(address: u16, len: u16, ids: &[Id]) -> Result<Self::Frame, FrameError>;

    /// The same, to be answered by one frame for all ([`Answers::Joint`]).
    ///
    /// # Errors
    /// Where a frame cannot say it, or the family has no such request.
    fn fast_sync_read(address: u16, len: u16, ids: &[Id]) -> Result<Self::Frame, FrameError> {
        let _nobody_knows_it = (address, len, ids);
        Err(FrameError::Unknown { family: Self::NAME, instruction: "fast sync read" })
    }

    /// Puts `len` bytes into the same registers of several servos; none answers.
    ///
    /// # Errors
    /// Where a frame cannot say it.
    fn sync_write<D: AsRef<[u8]>>(
        address: u16,
        len: u16,
        servos: impl IntoIterator<Item = (Id, D)>,
    ) -> Result<Self::Frame, FrameError>;

    /// Start again, as after power-on; a servo that holds lets go.
    ///
    /// # Errors
    /// Where the family has no such id.
    fn reboot(id: Id) -> Result<Self::Frame, FrameError>;

    /// The bytes on the wire of one servo's answer with `data` bytes.
    fn answer_len(data: usize) -> usize;

    /// The bytes on the wire of the one answer to a fast sync read of `servos` servos with `data` bytes of each.
    fn joint_answer_len(servos: usize, data: usize) -> usize {
        servos * Self::answer_len(data)
    }
}
