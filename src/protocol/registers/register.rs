//! One register: where it lies, how its value is coded, what one unit of it is.

use std::fmt;

use serde::Deserialize;

use crate::protocol::wire::ByteOrder;

/// How a value becomes bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coding {
    /// Never negative.
    #[default]
    Unsigned,
    /// This bit says that the value is negative; those below are its magnitude.
    SignBit(u8),
    /// As processors have it.
    TwosComplement,
}

/// What a value measures; with a register's scale it is in these units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Unit {
    /// A number, code or set of bits.
    #[default]
    #[serde(rename = "none")]
    None,
    /// Counts of the position registers.
    #[serde(rename = "ticks")]
    Ticks,
    /// Counts a second.
    #[serde(rename = "ticks/s")]
    TicksPerSecond,
    /// Counts a second, each second.
    #[serde(rename = "ticks/s2")]
    TicksPerSecond2,
    /// Radians a second.
    #[serde(rename = "rad/s")]
    RadiansPerSecond,
    /// Radians a second, each second.
    #[serde(rename = "rad/s2")]
    RadiansPerSecond2,
    /// A part of the whole, 0 to 1.
    #[serde(rename = "part")]
    Part,
    /// Volts.
    #[serde(rename = "V")]
    Volts,
    /// Amperes.
    #[serde(rename = "A")]
    Amperes,
    /// Degrees Celsius.
    #[serde(rename = "degC")]
    Celsius,
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
}

impl fmt::Display for Unit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::None | Self::Part => "",
            Self::Ticks => "ticks",
            Self::TicksPerSecond => "ticks/s",
            Self::TicksPerSecond2 => "ticks/s²",
            Self::RadiansPerSecond => "rad/s",
            Self::RadiansPerSecond2 => "rad/s²",
            Self::Volts => "V",
            Self::Amperes => "A",
            Self::Celsius => "°C",
            Self::Seconds => "s",
        })
    }
}

/// Whether the host may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Access {
    /// The servo tells.
    #[serde(rename = "r")]
    ReadOnly,
    /// The host may change it.
    #[serde(rename = "rw")]
    ReadWrite,
}

/// What happens to a register when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Area {
    /// Kept.
    #[serde(rename = "eeprom")]
    Eeprom,
    /// Lost.
    #[serde(rename = "ram")]
    Ram,
}

/// One register of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Register {
    /// The name, in lower case with `_`.
    pub name: String,
    /// The address of its first byte.
    pub address: u16,
    /// Its bytes: 1, 2 or 4.
    pub size: u8,
    /// How values become bits.
    pub coding: Coding,
    /// What a value measures.
    pub unit: Unit,
    /// How many of the unit one is.
    pub scale: f64,
    /// Whether the host may write.
    pub access: Access,
    /// What happens to it when the power goes.
    pub area: Area,
    /// The value at the factory, where the maker says so.
    pub default: Option<i64>,
    /// The least and the greatest value that makes sense, where the maker says so.
    pub range: Option<(i64, i64)>,
}

/// Why a value and a register do not go together.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ValueError {
    /// The register does not take it.
    #[error("{register} takes {least} to {most}, not {actual}")]
    Range {
        /// Of which register.
        register: String,
        /// The smallest value that it takes.
        least: i64,
        /// The largest value that it takes.
        most: i64,
        /// The value given.
        actual: i64,
    },
    /// Too few or too many bytes.
    #[error("{register} takes {expected} bytes, not {actual}")]
    Size {
        /// Of which register.
        register: String,
        /// Its size.
        expected: usize,
        /// The bytes given.
        actual: usize,
    },
}

/// The bytes of a register's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    bytes: [u8; 4],
    len: usize,
}

impl AsRef<[u8]> for Encoded {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Coding {
    /// The smallest and the largest value that so many bytes hold.
    pub fn holds(self, size: u8) -> (i64, i64) {
        let whole = 1_i64 << (8 * i64::from(size.min(4)));
        match self {
            Self::Unsigned => (0, whole - 1),
            Self::SignBit(bit) => (1 - (1 << bit.min(31)), (1 << bit.min(31)) - 1),
            Self::TwosComplement => (-whole / 2, whole / 2 - 1),
        }
    }

    /// The value of bytes, of which there are at most four.
    pub fn decode(self, bytes: &[u8], order: ByteOrder) -> i64 {
        let one_more = |value: i64, byte: &u8| (value << 8) | i64::from(*byte);
        let raw = match order {
            ByteOrder::Little => bytes.iter().rev().take(4).fold(0, one_more),
            ByteOrder::Big => bytes.iter().take(4).fold(0, one_more),
        };
        match self {
            Self::Unsigned => raw,
            Self::SignBit(bit) => {
                let sign = 1 << bit.min(31);
                let magnitude = raw & (sign - 1);
                if raw & sign == 0 { magnitude } else { -magnitude }
            }
            Self::TwosComplement => {
                let whole = 1_i64 << (8 * bytes.len().min(4));
                if raw < whole / 2 { raw } else { raw - whole }
            }
        }
    }

    /// The bytes of a value that fits.
    pub fn encode(self, value: i64, size: u8, order: ByteOrder) -> Encoded {
        let raw = match self {
            Self::SignBit(bit) if value < 0 => value.abs() | (1 << bit.min(31)),
            _ => value,
        };
        let len = usize::from(size.min(4));
        let mut bytes = [0; 4];
        bytes[..len].copy_from_slice(&raw.to_le_bytes()[..len]);
        if order == ByteOrder::Big {
            bytes[..len].reverse();
        }
        Encoded { bytes, len }
    }
}

impl Register {
    /// The smallest and the largest value that it takes.
    pub fn takes(&self) -> (i64, i64) {
        self.range.unwrap_or_else(|| self.coding.holds(self.size))
    }

    /// The address behind it.
    pub fn end(&self) -> u16 {
        self.address.saturating_add(self.size.into())
    }

    /// The bytes of a value.
    ///
    /// # Errors
    /// Where the register does not take it.
    pub fn encode(&self, value: i64, order: ByteOrder) -> Result<Encoded, ValueError> {
        let (least, most) = self.takes();
        if value < least || most < value {
            return Err(ValueError::Range { register: self.name.clone(), least, most, actual: value });
        }
        Ok(self.coding.encode(value, self.size, order))
    }

    /// The value of its bytes.
    ///
    /// # Errors
    /// Where they are too few or too many.
    pub fn decode(&self, bytes: &[u8], order: ByteOrder) -> Result<i64, ValueError> {
        let (expected, actual) = (usize::from(self.size), bytes.len());
        if expected != actual {
            return Err(ValueError::Size { register: self.name.clone(), expected, actual });
        }
        Ok(self.coding.decode(bytes, order))
    }

    /// A value in the register's unit.
    #[expect(clippy::cast_precision_loss, reason = "at most 32 bits")]
    pub fn in_units(&self, value: i64) -> f64 {
        value as f64 * self.scale
    }

    /// The nearest value that the register takes to a quantity in its unit.
    pub fn of_units(&self, quantity: f64) -> i64 {
        let (least, most) = self.takes();
        #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
        let value = (quantity / self.scale).round() as i64;
        value.clamp(least, most)
    }
}
