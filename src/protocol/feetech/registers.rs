//! The registers of an STS3215, as data.
//!
//! Knows where each value lies and how it is coded, not what it is good for. Values are raw: ticks,
//! tenths of a volt, thousandths of the torque.

use std::fmt;

/// What one unit of a register's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number, code or set of bits.
    Plain,
    /// 1/4096 turn.
    Ticks,
    /// 1/4096 turn a second.
    TicksPerSecond,
    /// 100/4096 turn a second, each second.
    HundredTicksPerSecond2,
    /// Thousandths of the greatest torque.
    Permille,
    /// Hundredths.
    Percent,
    /// 0.1 V.
    Decivolts,
    /// °C.
    Celsius,
    /// 6.5 mA.
    Milliamps6_5,
    /// 2 µs.
    Micros2,
    /// 1 ms.
    Millis,
    /// 10 ms.
    Centiseconds,
}

impl fmt::Display for Unit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Plain => "",
            Self::Ticks => "ticks",
            Self::TicksPerSecond => "ticks/s",
            Self::HundredTicksPerSecond2 => "100 ticks/s²",
            Self::Permille => "0.1 %",
            Self::Percent => "%",
            Self::Decivolts => "0.1 V",
            Self::Celsius => "°C",
            Self::Milliamps6_5 => "6.5 mA",
            Self::Micros2 => "2 µs",
            Self::Millis => "ms",
            Self::Centiseconds => "10 ms",
        })
    }
}

/// Whether the host may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The servo tells.
    ReadOnly,
    /// The host may change it.
    ReadWrite,
}

/// What happens to a register when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// Kept, if it was written while [`LOCK`] was 0.
    Eeprom,
    /// Lost.
    Ram,
}

/// One register: where it lies and how its value is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// The name, in lower case with `_`.
    pub name: &'static str,
    /// The address of its first byte.
    pub address: u8,
    /// Its bytes: 1 or 2.
    pub size: u8,
    /// Which bit says that the value is negative; the others are its magnitude.
    pub sign_bit: Option<u8>,
    /// What one unit of the value is.
    pub unit: Unit,
    /// Whether the host may write.
    pub access: Access,
    /// What happens to it when the power goes.
    pub area: Area,
    /// The raw value at the factory.
    pub default: u16,
}

/// Why a value and a register do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// The register has too few bits for it.
    #[error("{register} holds {least} to {most}, not {actual}")]
    Range {
        /// Of which register.
        register: &'static str,
        /// The smallest value that it holds.
        least: i32,
        /// The largest value that it holds.
        most: i32,
        /// The value given.
        actual: i32,
    },
    /// Too few or too many bytes.
    #[error("{register} takes {expected} bytes, not {actual}")]
    Size {
        /// Of what.
        register: &'static str,
        /// Its size.
        expected: usize,
        /// The bytes given.
        actual: usize,
    },
}

/// The one or two bytes of a register's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    bytes: [u8; 2],
    len: usize,
}

impl AsRef<[u8]> for Encoded {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Register {
    /// The register of that name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        STS3215.iter().find(|register| register.name == name)
    }

    /// The register that begins at that address.
    pub fn by_address(address: u8) -> Option<&'static Self> {
        STS3215.iter().find(|register| register.address == address)
    }

    /// The smallest and the largest value that it holds.
    pub const fn range(&self) -> (i32, i32) {
        match self.sign_bit {
            Some(bit) => (1 - (1 << bit), (1 << bit) - 1),
            None => (0, (1 << (8 * self.size)) - 1),
        }
    }

    /// The bytes of a value.
    pub fn encode(&self, value: i32) -> Result<Encoded, RegisterError> {
        let (least, most) = self.range();
        if value < least || most < value {
            return Err(RegisterError::Range { register: self.name, least, most, actual: value });
        }
        let sign = if value < 0 { self.sign_bit.map_or(0, |bit| 1_u32 << bit) } else { 0 };
        let [low, high, ..] = (value.unsigned_abs() | sign).to_le_bytes();
        Ok(Encoded { bytes: [low, high], len: usize::from(self.size) })
    }

    /// The value of its bytes.
    pub fn decode(&self, bytes: &[u8]) -> Result<i32, RegisterError> {
        match (self.size, bytes) {
            (1, &[byte]) => Ok(self.decode_raw(u16::from(byte))),
            (2, &[low, high]) => Ok(self.decode_raw(u16::from_le_bytes([low, high]))),
            _ => Err(RegisterError::Size {
                register: self.name,
                expected: usize::from(self.size),
                actual: bytes.len(),
            }),
        }
    }

    /// The value of its raw word.
    pub fn decode_raw(&self, raw: u16) -> i32 {
        let raw = i32::from(raw);
        match self.sign_bit {
            Some(bit) => {
                let magnitude = raw & ((1 << bit) - 1);
                if raw & (1 << bit) == 0 { magnitude } else { -magnitude }
            }
            None => raw,
        }
    }

    const fn eeprom(name: &'static str, address: u8, size: u8, unit: Unit, default: u16) -> Self {
        let (access, area) = (Access::ReadWrite, Area::Eeprom);
        Self { name, address, size, sign_bit: None, unit, access, area, default }
    }

    const fn ram(name: &'static str, address: u8, size: u8, unit: Unit, default: u16) -> Self {
        Self { area: Area::Ram, ..Self::eeprom(name, address, size, unit, default) }
    }

    const fn read_only(self) -> Self {
        Self { access: Access::ReadOnly, ..self }
    }

    const fn signed(self, bit: u8) -> Self {
        Self { sign_bit: Some(bit), ..self }
    }
}

macro_rules! registers {
    ($($(#[$doc:meta])* $name:ident = $register:expr;)*) => {
        $($(#[$doc])* pub const $name: Register = $register;)*

        /// Every register of an STS3215, by rising address.
        pub const STS3215: &[Register] = &[$($name),*];
    };
}

registers! {
    /// Firmware, before the point.
    FIRMWARE_MAJOR = Register::eeprom("firmware_major", 0, 1, Unit::Plain, 3).read_only();
    /// Firmware, behind the point.
    FIRMWARE_MINOR = Register::eeprom("firmware_minor", 1, 1, Unit::Plain, 6).read_only();
    /// Which servo it is; 777 is the STS3215.
    MODEL = Register::eeprom("model", 3, 2, Unit::Plain, 777).read_only();
    /// Its address on the bus.
    ID = Register::eeprom("id", 5, 1, Unit::Plain, 1);
    /// The code of its baud rate: 0 is 1 Mbit/s, 1 500k, 2 250k, 3 128k, 4 115200.
    BAUD_RATE = Register::eeprom("baud_rate", 6, 1, Unit::Plain, 0);
    /// How long it waits before it answers.
    RETURN_DELAY = Register::eeprom("return_delay", 7, 1, Unit::Micros2, 0);
    /// 1: answers everything. 0: answers only what it must.
    RESPONSE_LEVEL = Register::eeprom("response_level", 8, 1, Unit::Plain, 1);
    /// The lowest goal position; both limits 0 is multi-turn.
    MIN_ANGLE = Register::eeprom("min_angle", 9, 2, Unit::Ticks, 0).signed(15);
    /// The highest goal position.
    MAX_ANGLE = Register::eeprom("max_angle", 11, 2, Unit::Ticks, 4095).signed(15);
    /// Where it calls itself too hot.
    MAX_TEMPERATURE = Register::eeprom("max_temperature", 13, 1, Unit::Celsius, 70);
    /// Above this the voltage alarm is raised.
    MAX_VOLTAGE = Register::eeprom("max_voltage", 14, 1, Unit::Decivolts, 80);
    /// Below this the voltage alarm is raised.
    MIN_VOLTAGE = Register::eeprom("min_voltage", 15, 1, Unit::Decivolts, 40);
    /// What [`TORQUE_LIMIT`] becomes at power-on.
    MAX_TORQUE = Register::eeprom("max_torque", 16, 2, Unit::Permille, 1000);
    /// Directions and unit of speed, as bits; bit 4 makes positions leave 0 to 4095.
    PHASE = Register::eeprom("phase", 18, 1, Unit::Plain, 12);
    /// Which alarms take the torque away.
    UNLOADING_CONDITION = Register::eeprom("unloading_condition", 19, 1, Unit::Plain, 44);
    /// Which alarms light the LED.
    LED_ALARM = Register::eeprom("led_alarm", 20, 1, Unit::Plain, 47);
    /// Stiffness of the position loop.
    POSITION_P = Register::eeprom("position_p", 21, 1, Unit::Plain, 32);
    /// Damping of the position loop.
    POSITION_D = Register::eeprom("position_d", 22, 1, Unit::Plain, 32);
    /// Integral part of the position loop.
    POSITION_I = Register::eeprom("position_i", 23, 1, Unit::Plain, 0);
    /// The least output that starts the motor.
    MIN_START_FORCE = Register::eeprom("min_start_force", 24, 2, Unit::Permille, 16);
    /// Clockwise dead zone.
    DEAD_ZONE_CW = Register::eeprom("dead_zone_cw", 26, 1, Unit::Ticks, 1);
    /// Counter-clockwise dead zone.
    DEAD_ZONE_CCW = Register::eeprom("dead_zone_ccw", 27, 1, Unit::Ticks, 1);
    /// More current than this for [`OVERCURRENT_TIME`] is an alarm.
    PROTECTION_CURRENT = Register::eeprom("protection_current", 28, 2, Unit::Milliamps6_5, 500);
    /// Ticks for each count of the encoder.
    ANGULAR_RESOLUTION = Register::eeprom("angular_resolution", 30, 1, Unit::Plain, 1);
    /// Present position is what the encoder says less this.
    POSITION_OFFSET = Register::eeprom("position_offset", 31, 2, Unit::Ticks, 0).signed(11);
    /// 0 position, 1 velocity, 2 PWM, 3 steps.
    MODE = Register::eeprom("mode", 33, 1, Unit::Plain, 0);
    /// The output that is left after an overload.
    PROTECTIVE_TORQUE = Register::eeprom("protective_torque", 34, 1, Unit::Percent, 20);
    /// How long an overload is borne.
    PROTECTION_TIME = Register::eeprom("protection_time", 35, 1, Unit::Centiseconds, 200);
    /// Which load is an overload.
    OVERLOAD_TORQUE = Register::eeprom("overload_torque", 36, 1, Unit::Percent, 80);
    /// Stiffness of the velocity loop.
    VELOCITY_P = Register::eeprom("velocity_p", 37, 1, Unit::Plain, 10);
    /// How long an overcurrent is borne.
    OVERCURRENT_TIME = Register::eeprom("overcurrent_time", 38, 1, Unit::Centiseconds, 200);
    /// Integral part of the velocity loop.
    VELOCITY_I = Register::eeprom("velocity_i", 39, 1, Unit::Plain, 10);
    /// 0 free, 1 driven; 128 makes the present position the middle.
    TORQUE_ENABLE = Register::ram("torque_enable", 40, 1, Unit::Plain, 0);
    /// How fast the speed changes; 0 is as fast as it can.
    ACCELERATION = Register::ram("acceleration", 41, 1, Unit::HundredTicksPerSecond2, 0);
    /// Where to go.
    GOAL_POSITION = Register::ram("goal_position", 42, 2, Unit::Ticks, 2048).signed(15);
    /// In how long; in PWM mode the output.
    GOAL_TIME = Register::ram("goal_time", 44, 2, Unit::Millis, 0);
    /// How fast at most; 0 is as fast as it can.
    GOAL_SPEED = Register::ram("goal_speed", 46, 2, Unit::TicksPerSecond, 0).signed(15);
    /// How much of the torque may be used.
    TORQUE_LIMIT = Register::ram("torque_limit", 48, 2, Unit::Permille, 1000);
    /// 0: writes to EEPROM registers are kept. 1: they last until the power goes.
    LOCK = Register::ram("lock", 55, 1, Unit::Plain, 1);
    /// Where it is.
    PRESENT_POSITION = Register::ram("present_position", 56, 2, Unit::Ticks, 2048).signed(15).read_only();
    /// How fast it moves.
    PRESENT_SPEED = Register::ram("present_speed", 58, 2, Unit::TicksPerSecond, 0).signed(15).read_only();
    /// The duty cycle of the motor, which is no torque.
    PRESENT_LOAD = Register::ram("present_load", 60, 2, Unit::Permille, 0).signed(10).read_only();
    /// The supply.
    PRESENT_VOLTAGE = Register::ram("present_voltage", 62, 1, Unit::Decivolts, 74).read_only();
    /// How hot it is.
    PRESENT_TEMPERATURE = Register::ram("present_temperature", 63, 1, Unit::Celsius, 25).read_only();
    /// Whether a write waits for its action.
    REGISTERED = Register::ram("registered", 64, 1, Unit::Plain, 0).read_only();
    /// The alarms.
    STATUS = Register::ram("status", 65, 1, Unit::Plain, 0).read_only();
    /// Whether it is on its way.
    MOVING = Register::ram("moving", 66, 1, Unit::Plain, 0).read_only();
    /// The motor's current, without a sign that could be relied on.
    PRESENT_CURRENT = Register::ram("present_current", 69, 2, Unit::Milliamps6_5, 0).read_only();
    /// The speed that it counts as moving.
    MOVING_THRESHOLD = Register::eeprom("moving_threshold", 80, 1, Unit::Plain, 10).read_only();
    /// The greatest speed.
    MAX_SPEED = Register::eeprom("max_speed", 84, 1, Unit::Plain, 70).read_only();
    /// The greatest acceleration.
    MAX_ACCELERATION = Register::eeprom("max_acceleration", 85, 1, Unit::Plain, 254).read_only();
    /// What acceleration is multiplied by.
    ACCELERATION_MULTIPLIER = Register::eeprom("acceleration_multiplier", 86, 1, Unit::Plain, 1).read_only();
}

/// One past the last address.
pub const END: u8 = 87;

/// Registers that lie side by side and are read or written at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The first address.
    pub address: u8,
    /// How many bytes.
    pub len: u8,
}

/// Acceleration, goal position, goal time, goal speed: [`super::GoalBlock`].
pub const GOAL_BLOCK: Block = Block { address: ACCELERATION.address, len: 7 };
/// Everything that a servo tells of the moment: [`super::Telemetry`].
pub const PRESENT_BLOCK: Block = Block { address: PRESENT_POSITION.address, len: 15 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_do_not_overlap_and_rise() {
        for pair in STS3215.windows(2) {
            assert!(pair[0].address + pair[0].size <= pair[1].address, "{} overlaps", pair[0].name);
        }
        let last = STS3215.last().unwrap();
        assert_eq!(last.address + last.size, END);
    }

    #[test]
    fn signed_values_are_sign_and_magnitude() {
        check(&PRESENT_POSITION, -100, &[0x64, 0x80]);
        check(&PRESENT_LOAD, -50, &[0x32, 0x04]);
        check(&POSITION_OFFSET, -2047, &[0xFF, 0x0F]);
        check(&GOAL_POSITION, 2048, &[0x00, 0x08]);
        check(&MODEL, 777, &[0x09, 0x03]);
        check(&TORQUE_ENABLE, 128, &[0x80]);
    }

    #[test]
    fn a_negative_zero_is_zero() {
        assert_eq!(PRESENT_SPEED.decode(&[0x00, 0x80]), Ok(0));
    }

    #[test]
    fn a_value_outside_is_refused_and_named() {
        let refused = POSITION_OFFSET.encode(2048).unwrap_err();
        assert_eq!(refused.to_string(), "position_offset holds -2047 to 2047, not 2048");
        assert!(TORQUE_ENABLE.encode(-1).is_err());
        assert!(TORQUE_LIMIT.encode(65_536).is_err() && TORQUE_LIMIT.decode(&[0]).is_err());
    }

    #[test]
    fn every_value_of_every_register_survives_the_round_trip() {
        for register in STS3215 {
            let (least, most) = register.range();
            for value in least..=most {
                let bytes = register.encode(value).unwrap();
                assert_eq!(register.decode(bytes.as_ref()), Ok(value), "{}", register.name);
            }
        }
    }

    #[test]
    fn registers_are_found_by_name_and_by_address() {
        assert_eq!(Register::by_name("goal_position"), Some(&GOAL_POSITION));
        assert_eq!(Register::by_address(56), Some(&PRESENT_POSITION));
        assert_eq!(Register::by_name("goal"), None);
        assert_eq!(Register::by_address(57), None);
    }

    fn check(register: &Register, value: i32, bytes: &[u8]) {
        assert_eq!(register.encode(value).unwrap().as_ref(), bytes, "{}", register.name);
        assert_eq!(register.decode(bytes), Ok(value), "{}", register.name);
    }
}
