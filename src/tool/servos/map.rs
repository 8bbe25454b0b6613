//! The registers of a servo, as the tool needs them: found by name, by address, or by what they are for.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use crate::config::declaration::distance;

/// How a register's bytes are a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Never negative.
    Unsigned,
    /// As a processor has it.
    TwosComplement,
    /// This bit says that it is negative; the others are the magnitude.
    SignBit(u8),
}

/// One register.
#[derive(Clone, Debug, PartialEq)]
pub struct Register {
    /// Its name, in lower case with `_`.
    pub name: String,
    /// The address of its first byte.
    pub address: u16,
    /// Its bytes: 1, 2 or 4.
    pub size: u8,
    /// How they are a number.
    pub coding: Coding,
    /// Whether its highest byte comes first.
    pub is_big_endian: bool,
    /// The least and the greatest value that makes sense, where the maker says so.
    pub takes: Option<(i64, i64)>,
    /// What one unit of the number is, in `unit`.
    pub scale: f64,
    /// The unit; empty for plain numbers.
    pub unit: String,
    /// Whether it can be written.
    pub is_writable: bool,
    /// Whether it outlives the power.
    pub is_eeprom: bool,
}

/// What a register is for, whatever a family calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Which servo it is.
    Model,
    /// Its address.
    Id,
    /// The code of its speed.
    Baud,
    /// Whether it drives.
    Torque,
    /// Whether EEPROM writes last.
    Lock,
    /// What it adds to the encoder, or takes off.
    Offset,
    /// The lower limit of goals.
    LowerLimit,
    /// The upper limit of goals.
    UpperLimit,
    /// How positions are counted and goals meant.
    Mode,
    /// Where it is.
    Position,
    /// How fast it moves.
    Speed,
    /// How hard it works.
    Load,
    /// The supply.
    Voltage,
    /// How hot it is.
    Temperature,
    /// The motor's current.
    Current,
    /// What it complains of.
    Status,
}

impl Role {
    /// What families call it.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Model => &["model", "model_number"],
            Self::Id => &["id"],
            Self::Baud => &["baud_rate"],
            Self::Torque => &["torque_enable"],
            Self::Lock => &["lock"],
            Self::Offset => &["position_offset", "homing_offset"],
            Self::LowerLimit => &["min_angle", "min_position_limit", "min_position"],
            Self::UpperLimit => &["max_angle", "max_position_limit", "max_position"],
            Self::Mode => &["mode", "operating_mode"],
            Self::Position => &["present_position"],
            Self::Speed => &["present_speed", "present_velocity"],
            Self::Load => &["present_load", "present_pwm"],
            Self::Voltage => &["present_voltage", "present_input_voltage"],
            Self::Temperature => &["present_temperature"],
            Self::Current => &["present_current"],
            Self::Status => &["status", "hardware_error", "hardware_error_status"],
        }
    }
}

/// Why a value cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The register has too few bits for it.
    #[error("`{register}` holds {least} to {most}, not {actual}")]
    Range {
        /// Of which register.
        register: String,
        /// The smallest value that it holds.
        least: i64,
        /// The largest value that it holds.
        most: i64,
        /// The value given.
        actual: i64,
    },
    /// Only the servo writes it.
    #[error("`{0}` is what the servo tells; it cannot be written")]
    ReadOnly(String),
    /// No register has that name.
    #[error("there is no register `{asked}` in {map}{}", closest.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    Unknown {
        /// What was asked for.
        asked: String,
        /// In which map.
        map: String,
        /// A name like it.
        closest: Option<String>,
    },
}

impl Register {
    /// A plain number at an address that no map names.
    fn at(address: u16, size: u8, is_big_endian: bool, is_eeprom: bool) -> Self {
        Self {
            name: address.to_string(),
            address,
            size,
            coding: Coding::Unsigned,
            is_big_endian,
            takes: None,
            scale: 1.0,
            unit: String::new(),
            is_writable: true,
            is_eeprom,
        }
    }

    /// The smallest and the largest value that it holds.
    pub fn range(&self) -> (i64, i64) {
        let bits = 8 * u32::from(self.size.min(4));
        match self.coding {
            Coding::Unsigned => (0, (1_i64 << bits) - 1),
            Coding::TwosComplement => (-(1_i64 << (bits - 1)), (1_i64 << (bits - 1)) - 1),
            Coding::SignBit(bit) => (1 - (1_i64 << bit.min(31)), (1_i64 << bit.min(31)) - 1),
        }
    }

    /// The bytes of a value.
    ///
    /// # Errors
    /// Where it has too few bits for it.
    pub fn encode(&self, value: i64) -> Result<Vec<u8>, ValueError> {
        let (least, most) = self.takes.unwrap_or_else(|| self.range());
        if value < least || most < value {
            return Err(ValueError::Range { register: self.name.clone(), least, most, actual: value });
        }
        let raw = match self.coding {
            Coding::SignBit(bit) if value < 0 => value.unsigned_abs() | (1 << bit),
            _ => value.cast_unsigned(),
        };
        let mut bytes = raw.to_le_bytes()[..usize::from(self.size.min(4))].to_vec();
        if self.is_big_endian {
            bytes.reverse();
        }
        Ok(bytes)
    }

    /// The value of its bytes.
    pub fn decode(&self, bytes: &[u8]) -> i64 {
        let fold = |raw: u64, byte: &u8| raw << 8 | u64::from(*byte);
        let raw =
            if self.is_big_endian { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) };
        let raw = raw.cast_signed();
        match self.coding {
            Coding::Unsigned => raw,
            Coding::TwosComplement => {
                let unused = 64 - 8 * u32::from(self.size.min(4));
                raw << unused >> unused
            }
            Coding::SignBit(bit) => {
                let magnitude = raw & ((1 << bit) - 1);
                if raw & (1 << bit) == 0 { magnitude } else { -magnitude }
            }
        }
    }

    /// A value with its unit, where it has one.
    pub fn with_unit(&self, value: i64) -> String {
        #[expect(clippy::cast_precision_loss, reason = "registers have at most 32 bits")]
        let scaled = value as f64 * self.scale;
        match self.unit.as_str() {
            "" => String::new(),
            unit => {
                let digits = if self.scale < 0.01 { 4 } else { 2 };
                let number = format!("{scaled:.digits$}");
                let number = number.trim_end_matches('0').trim_end_matches('.');
                let number = if number == "-0" { "0" } else { number };
                format!("{number} {unit}")
            }
        }
    }
}

/// The registers of one kind of servo.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// The kind of servo.
    pub name: String,
    /// By rising addresses.
    pub registers: Vec<Register>,
    /// Whether words that no register names begin with their highest byte.
    pub is_big_endian: bool,
    /// Which speed each code of the baud register means (bit/s).
    pub baud_rates: Vec<(i64, u32)>,
    /// After so many ticks it counts from the beginning again, if it turns so far.
    pub turn: i32,
    /// Ticks of a whole turn.
    pub ticks_per_turn: f64,
}

impl Map {
    /// The register of that name, or at that address (`56`, `0x38`).
    ///
    /// # Errors
    /// Where there is none of that name, or none at that address and `size` does not say how large it is.
    pub fn find(&self, asked: &str, size: Option<u8>) -> Result<Register, ValueError> {
        let name = asked.to_lowercase();
        if let Some(register) = self.registers.iter().find(|register| register.name == name) {
            return Ok(register.clone());
        }
        let unknown =
            |closest| ValueError::Unknown { asked: asked.to_owned(), map: self.name.clone(), closest };
        if let Some(address) = address_of(&name) {
            let known = self.registers.iter().find(|register| register.address == address);
            return match (known, size) {
                (Some(register), None) => Ok(register.clone()),
                (Some(register), Some(size)) if register.size == size => Ok(register.clone()),
                (_, size) => Ok(self.unnamed(address, size.unwrap_or(1))),
            };
        }
        let edits = |register: &Register| (distance(&register.name, &name), register.name.clone());
        let closest = self.registers.iter().map(edits).min().filter(|(edits, _)| *edits <= 4);
        Err(unknown(closest.map(|(_, name)| name)))
    }

    /// Servos keep what lies before the torque register, or in the same bytes as something that they keep.
    fn unnamed(&self, address: u16, size: u8) -> Register {
        let mut bytes = address..address.saturating_add(size.into());
        let is_before = self.role(Role::Torque).is_some_and(|torque| address < torque.address);
        let is_kept = bytes.any(|byte| self.covering(byte).is_some_and(|register| register.is_eeprom));
        Register::at(address, size, self.is_big_endian, is_before || is_kept)
    }

    /// The register for that, where the servo has one.
    pub fn role(&self, role: Role) -> Option<&Register> {
        let of_name = |name: &&str| self.registers.iter().find(|register| register.name == *name);
        role.names().iter().find_map(of_name)
    }

    /// The registers that outlive the power and can be written.
    pub fn kept(&self) -> impl Iterator<Item = &Register> {
        self.registers.iter().filter(|register| register.is_eeprom && register.is_writable)
    }

    /// The register that bytes at this address belong to.
    pub fn covering(&self, address: u16) -> Option<&Register> {
        let covers = |register: &&Register| {
            (register.address..register.address + u16::from(register.size)).contains(&address)
        };
        self.registers.iter().find(covers)
    }
}

fn address_of(text: &str) -> Option<u16> {
    match text.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
