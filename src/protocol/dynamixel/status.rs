//! A servo's answer: data, refusal and alert side by side.

use crate::protocol::wire::Id;

const ALERT: u8 = 0x80;

/// Why a servo did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ErrorCode {
    /// The packet could not be processed.
    Failed = 1,
    /// No such instruction, or an action without anything registered.
    Instruction = 2,
    /// The checksum of the instruction was wrong.
    Crc = 3,
    /// The value is outside the register's range.
    DataRange = 4,
    /// Fewer bytes than the register has.
    DataLength = 5,
    /// The value is outside a limit that another register sets.
    DataLimit = 6,
    /// The register cannot be written, or not now, or is none.
    Access = 7,
}

impl ErrorCode {
    /// The error of that code; `None` for 0 and for what no servo says.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Failed,
            2 => Self::Instruction,
            3 => Self::Crc,
            4 => Self::DataRange,
            5 => Self::DataLength,
            6 => Self::DataLimit,
            7 => Self::Access,
            _ => return None,
        })
    }

    /// In words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Failed => "the servo could not process it",
            Self::Instruction => "the servo does not know the instruction",
            Self::Crc => "it reached the servo damaged",
            Self::DataRange => "the value is outside the register's range",
            Self::DataLength => "there are fewer bytes than the register has",
            Self::DataLimit => "the value is outside the servo's limits",
            Self::Access => "the register cannot be written, or not while torque is on",
        }
    }
}

/// A servo's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// Who answers.
    pub id: Id,
    /// Whether the servo has a hardware error, which its register 70 tells; no refusal, the data is valid.
    pub alert: bool,
    /// The code of its refusal; 0 where it did as it was asked.
    pub code: u8,
    /// The registers asked for.
    pub data: &'a [u8],
}

impl<'a> Status<'a> {
    pub(super) fn new(id: Id, error: u8, data: &'a [u8]) -> Self {
        Self { id, alert: error & ALERT != 0, code: error & !ALERT, data }
    }

    /// Why the servo refused, where it says what is known.
    pub fn error(self) -> Option<ErrorCode> {
        ErrorCode::from_code(self.code)
    }
}

/// The error byte of an answer.
pub(super) fn error_byte(alert: bool, error: Option<ErrorCode>) -> u8 {
    error.map_or(0, |error| error as u8) | if alert { ALERT } else { 0 }
}
