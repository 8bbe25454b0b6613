//! Register maps: which values a servo has, where they lie and how they are coded, as data.
//!
//! A map is a YAML file; those of common servos are part of the program. Knows no servo's answers and no joints:
//! what the registers are good for is the driver's business.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod file;
mod register;

use std::path::Path;

pub use register::{Access, Area, Coding, Encoded, Register, Unit, ValueError};

use super::alarms::Alarms;
use super::wire::ByteOrder;

/// What a servo speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub enum Family {
    /// Feetech STS and SMS: words are little-endian.
    #[serde(rename = "feetech_sts")]
    FeetechSts,
    /// Feetech SCS: words are big-endian, and there is no sync read.
    #[serde(rename = "feetech_scs")]
    FeetechScs,
    /// Dynamixel Protocol 2.0.
    #[serde(rename = "dynamixel2")]
    Dynamixel2,
}

impl Family {
    /// How words lie in its registers.
    pub fn byte_order(self) -> ByteOrder {
        match self {
            Self::FeetechScs => ByteOrder::Big,
            Self::FeetechSts | Self::Dynamixel2 => ByteOrder::Little,
        }
    }

    /// Its name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::FeetechSts => "feetech_sts",
            Self::FeetechScs => "feetech_scs",
            Self::Dynamixel2 => "dynamixel2",
        }
    }

    /// The model that is meant where none is named.
    pub fn default_model(self) -> &'static str {
        match self {
            Self::FeetechSts => "sts3215",
            Self::FeetechScs => "scs0009",
            Self::Dynamixel2 => "xl330-m288",
        }
    }

    fn most_address(self) -> u16 {
        match self {
            Self::FeetechSts | Self::FeetechScs => u8::MAX.into(),
            Self::Dynamixel2 => u16::MAX,
        }
    }

    /// In which register the alarms are, and what its bits stand for where a map does not say so.
    fn alarms(self) -> [Alarms; 8] {
        match self {
            Self::FeetechSts | Self::FeetechScs => super::feetech::alarms::MEANING,
            Self::Dynamixel2 => [
                Alarms::VOLTAGE,
                Alarms::ANGLE,
                Alarms::OVERHEAT,
                Alarms::ANGLE,
                Alarms::ELECTRICAL_SHOCK,
                Alarms::OVERLOAD,
                Alarms::NONE,
                Alarms::NONE,
            ],
        }
    }
}

/// What a driver needs a register for. Makers call some of them by different names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Which servo it is.
    Model,
    /// The firmware, or what stands before the point of it.
    Firmware,
    /// What stands behind the point.
    FirmwareMinor,
    /// The servo's address.
    Id,
    /// The code of its speed.
    BaudRate,
    /// How long it waits before it answers.
    ReturnDelay,
    /// What it moves by; the map says which values mean position.
    Mode,
    /// Whether EEPROM registers are protected: 0 not, 1 so.
    Lock,
    /// Whether it is driven: 0 not, 1 so.
    TorqueEnable,
    /// The most torque, as a part of what it can.
    TorqueLimit,
    /// How fast the speed may change; 0 is as fast as it can.
    Acceleration,
    /// Where to go.
    GoalPosition,
    /// In what time; 0 leaves it to the speed.
    GoalTime,
    /// How fast at most.
    GoalSpeed,
    /// Where it is.
    Position,
    /// How fast it moves.
    Speed,
    /// The duty cycle of its motor, as a part of the whole.
    Load,
    /// The current of its motor.
    Current,
    /// The most current that it lets its motor have.
    CurrentLimit,
    /// Its supply.
    Voltage,
    /// How hot it is.
    Temperature,
    /// Its alarms, as bits.
    Alarms,
    /// How long it moves on without being told anything; 0: for ever.
    Watchdog,
    /// What it answers; one that is read answers something, so this is not 0.
    ReturnLevel,
    /// The first of the addresses whose bytes it brings together,
    IndirectAddress,
    /// and where they are found then.
    IndirectData,
}

impl Role {
    /// The names under which a map may have it.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::Model => &["model", "model_number"],
            Self::Firmware => &["firmware_major", "firmware_version"],
            Self::FirmwareMinor => &["firmware_minor"],
            Self::Id => &["id"],
            Self::BaudRate => &["baud_rate"],
            Self::ReturnDelay => &["return_delay", "return_delay_time"],
            Self::Mode => &["mode", "operating_mode"],
            Self::Lock => &["lock"],
            Self::TorqueEnable => &["torque_enable"],
            Self::TorqueLimit => &["torque_limit", "goal_pwm"],
            Self::Acceleration => &["acceleration", "profile_acceleration"],
            Self::GoalPosition => &["goal_position"],
            Self::GoalTime => &["goal_time"],
            Self::GoalSpeed => &["goal_speed", "profile_velocity"],
            Self::Position => &["present_position"],
            Self::Speed => &["present_speed", "present_velocity"],
            Self::Load => &["present_load"],
            Self::Current => &["present_current"],
            Self::CurrentLimit => &["current_limit"],
            Self::Voltage => &["present_voltage", "present_input_voltage"],
            Self::Temperature => &["present_temperature"],
            Self::Alarms => &["status", "hardware_error_status"],
            Self::Watchdog => &["bus_watchdog"],
            Self::ReturnLevel => &["status_return_level"],
            Self::IndirectAddress => &["indirect_address_1"],
            Self::IndirectData => &["indirect_data_1"],
        }
    }
}

/// The registers of a model of servos, and what its makers say of it.
#[derive(Clone, Debug, PartialEq)]
pub struct RegisterMap {
    /// The model's name.
    pub name: String,
    /// What it speaks.
    pub family: Family,
    /// The numbers that such servos may have in their model register; empty where any will do.
    pub models: Vec<u16>,
    /// Counts of the position registers for one turn of the horn.
    pub counts_per_turn: u32,
    /// The angle over which these are counted (degrees): less than a turn where a servo does not count all of it.
    pub counted_deg: f64,
    /// Values of the mode register in which it goes to positions; empty where it has no modes.
    pub position_modes: Vec<i64>,
    /// Whether one request reads several.
    pub sync_read: bool,
    /// Whether they may answer it in one frame.
    pub fast_sync_read: bool,
    /// What the bits of its alarms stand for, from the lowest.
    pub alarms: [Alarms; 8],
    registers: Vec<Register>,
}

/// Why a register map cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MapError {
    /// Nothing by that name is shipped.
    #[error("no register map is shipped for model `{model}`; there are {}. A map of your own is named by its path, with a `/` or `.yaml`", shipped_models().collect::<Vec<_>>().join(", "))]
    Unknown {
        /// The name given.
        model: String,
    },
    /// The file cannot be read.
    #[error("cannot read the register map {file}: {cause}")]
    Read {
        /// The file.
        file: String,
        /// What the operating system says.
        cause: String,
    },
    /// It is not made as a map is.
    #[error("register map {file}: {problem}")]
    Content {
        /// The file, or the model's name.
        file: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

const FULL_TURN_DEG: f64 = 360.0;

const SHIPPED: &[(&str, &str)] = &[
    ("sts3215", include_str!("../../config/servos/sts3215.yaml")),
    ("sts3250", include_str!("../../config/servos/sts3250.yaml")),
    ("sm8512bl", include_str!("../../config/servos/sm8512bl.yaml")),
    ("scs0009", include_str!("../../config/servos/scs0009.yaml")),
    ("xl330-m288", include_str!("../../config/servos/xl330-m288.yaml")),
    ("xl330-m077", include_str!("../../config/servos/xl330-m077.yaml")),
    ("xl430-w250", include_str!("../../config/servos/xl430-w250.yaml")),
    ("xm430-w350", include_str!("../../config/servos/xm430-w350.yaml")),
    ("xm540-w270", include_str!("../../config/servos/xm540-w270.yaml")),
    ("mx-28", include_str!("../../config/servos/mx-28.yaml")),
];

/// The names of the models whose maps are part of the program.
pub fn shipped_models() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

impl RegisterMap {
    /// The map of a shipped model, or of the file at a path (with a `/`, or ending in `.yaml` or `.yml`).
    ///
    /// # Errors
    /// Where there is none, or it is no register map.
    pub fn load(model: &str) -> Result<Self, MapError> {
        let is_path = model.contains('/') || model.ends_with(".yaml") || model.ends_with(".yml");
        if !is_path {
            return Self::shipped(model);
        }
        let read = std::fs::read_to_string(Path::new(model));
        let text =
            read.map_err(|cause| MapError::Read { file: model.to_owned(), cause: cause.to_string() })?;
        Self::parse(model, &text)
    }

    /// The map of a shipped model.
    ///
    /// # Errors
    /// Where there is none.
    pub fn shipped(model: &str) -> Result<Self, MapError> {
        let found = SHIPPED.iter().find(|(name, _)| *name == model);
        let (name, text) = found.ok_or_else(|| MapError::Unknown { model: model.to_owned() })?;
        Self::parse(name, text)
    }

    /// The shipped map of a family's servos with that model number.
    pub fn of_number(family: Family, number: u16) -> Option<Self> {
        let shipped = shipped_models().filter_map(|model| Self::shipped(model).ok());
        shipped.filter(|map| map.family == family).find(|map| map.models.contains(&number))
    }

    /// The map in a file's text.
    ///
    /// # Errors
    /// Where it is no register map; names the register, the key and the value.
    pub fn parse(file: &str, text: &str) -> Result<Self, MapError> {
        file::parse(text).map_err(|problem| MapError::Content { file: file.to_owned(), problem })
    }

    /// All registers, by rising address.
    pub fn registers(&self) -> &[Register] {
        &self.registers
    }

    /// The register of that name.
    pub fn register(&self, name: &str) -> Option<&Register> {
        self.registers.iter().find(|register| register.name == name)
    }

    /// The register that begins at that address.
    pub fn at(&self, address: u16) -> Option<&Register> {
        self.registers.iter().find(|register| register.address == address)
    }

    /// The register that a driver needs for this.
    pub fn role(&self, role: Role) -> Option<&Register> {
        role.names().iter().find_map(|name| self.register(name))
    }

    /// How many counts a whole turn would have.
    pub fn ticks_per_turn(&self) -> f64 {
        f64::from(self.counts_per_turn) * FULL_TURN_DEG / self.counted_deg
    }

    /// How words lie in the registers.
    pub fn byte_order(&self) -> ByteOrder {
        self.family.byte_order()
    }

    /// The complaints that a servo's alarm bits stand for.
    pub fn alarms_of(&self, bits: u8) -> Alarms {
        Alarms::from_bits(bits, &self.alarms)
    }
}

#[cfg(test)]
#[path = "registers_tests.rs"]
mod tests;
