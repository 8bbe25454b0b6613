//! The two blocks of registers that every cycle moves: what a servo tells, and what it is told.
//!
//! Raw units, as the registers have them; the conversions are exact and know nothing of joints.

use super::alarms::Alarms;
use super::registers::{self, Register, RegisterError};
use crate::units::Ticks;

/// What a servo tells of one moment: registers 56 to 70.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Telemetry {
    /// Where it is.
    pub position: Ticks,
    /// How fast it moves, in ticks a second.
    pub speed_ticks_s: i32,
    /// The duty cycle of the motor in thousandths; no torque.
    pub load_permille: i32,
    /// The supply, in tenths of a volt.
    pub voltage_decivolts: u8,
    /// How hot it is.
    pub temperature_celsius: u8,
    /// Whether a registered write waits for its action.
    pub registered: bool,
    /// The alarms of register 65.
    pub alarms: Alarms,
    /// Whether it is on its way.
    pub moving: bool,
    /// The motor's current, in units of 6.5 mA; without a sign.
    pub current_raw: u16,
}

impl Telemetry {
    /// The bytes of the block.
    pub const LEN: usize = registers::PRESENT_BLOCK.len as usize;

    /// The values of the block's bytes.
    pub fn parse(block: &[u8]) -> Result<Self, RegisterError> {
        let Ok(bytes) = <[u8; Self::LEN]>::try_from(block) else {
            let (expected, actual) = (Self::LEN, block.len());
            return Err(RegisterError::Size { register: "the present block", expected, actual });
        };
        let word = |register: &Register| {
            let at = usize::from(register.address - registers::PRESENT_BLOCK.address);
            u16::from_le_bytes([bytes[at], bytes[at + 1]])
        };
        let signed = |register: &Register| register.decode_raw(word(register));
        let byte =
            |register: &Register| bytes[usize::from(register.address - registers::PRESENT_BLOCK.address)];
        Ok(Self {
            position: Ticks(signed(&registers::PRESENT_POSITION)),
            speed_ticks_s: signed(&registers::PRESENT_SPEED),
            load_permille: signed(&registers::PRESENT_LOAD),
            voltage_decivolts: byte(&registers::PRESENT_VOLTAGE),
            temperature_celsius: byte(&registers::PRESENT_TEMPERATURE),
            registered: byte(&registers::REGISTERED) != 0,
            alarms: Alarms::from_bits(byte(&registers::STATUS)),
            moving: byte(&registers::MOVING) != 0,
            current_raw: word(&registers::PRESENT_CURRENT),
        })
    }

    /// The supply in volts.
    pub fn voltage_v(self) -> f64 {
        f64::from(self.voltage_decivolts) / 10.0
    }

    /// The motor's current in amperes.
    pub fn current_a(self) -> f64 {
        f64::from(self.current_raw) * 0.0065
    }

    /// The duty cycle of the motor, -1 to 1.
    pub fn load(self) -> f64 {
        f64::from(self.load_permille) / 1000.0
    }
}

/// What a servo is told each cycle: registers 41 to 47.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GoalBlock {
    /// In 100 ticks/s²; 0 is as fast as it can.
    pub acceleration: u8,
    /// Where to go.
    pub position: Ticks,
    /// In how many milliseconds; 0 leaves it to the speed.
    pub time_ms: u16,
    /// How fast at most, in ticks a second; 0 is as fast as it can.
    pub speed_ticks_s: i32,
}

impl GoalBlock {
    /// The bytes of the block.
    pub const LEN: usize = registers::GOAL_BLOCK.len as usize;

    /// The block's bytes, for a write at [`registers::GOAL_BLOCK`].
    pub fn encode(self) -> Result<[u8; Self::LEN], RegisterError> {
        let position = registers::GOAL_POSITION.encode(self.position.0)?;
        let speed = registers::GOAL_SPEED.encode(self.speed_ticks_s)?;
        let mut bytes = [0; Self::LEN];
        bytes[0] = self.acceleration;
        bytes[1..3].copy_from_slice(position.as_ref());
        bytes[3..5].copy_from_slice(&self.time_ms.to_le_bytes());
        bytes[5..7].copy_from_slice(speed.as_ref());
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_captured_block_is_read() {
        let block = [0x00, 0x08, 0, 0, 0, 0, 0x4A, 0x1F, 0, 0, 0, 0, 0, 0, 0];
        let expected = Telemetry {
            position: Ticks(2048),
            voltage_decivolts: 74,
            temperature_celsius: 31,
            ..Telemetry::default()
        };
        assert_eq!(Telemetry::parse(&block), Ok(expected));
    }

    #[test]
    fn every_field_lies_where_the_table_says() {
        let block = [0x64, 0x80, 0xF4, 0x81, 0x32, 0x04, 120, 55, 1, 0x24, 1, 0xAA, 0xBB, 0x64, 0x00];
        let told = Telemetry::parse(&block).unwrap();
        let expected = Telemetry {
            position: Ticks(-100),
            speed_ticks_s: -500,
            load_permille: -50,
            voltage_decivolts: 120,
            temperature_celsius: 55,
            registered: true,
            alarms: Alarms::OVERHEAT | Alarms::OVERLOAD,
            moving: true,
            current_raw: 100,
        };
        assert_eq!(told, expected);
        assert_eq!((told.voltage_v(), told.load()), (12.0, -0.05));
        assert!((told.current_a() - 0.65).abs() < 1e-12);
    }

    #[test]
    fn a_block_of_another_length_is_refused() {
        let refused = Telemetry::parse(&[0; 14]).unwrap_err();
        assert_eq!(refused.to_string(), "the present block takes 15 bytes, not 14");
    }

    #[test]
    fn goals_are_encoded_in_the_order_of_the_registers() {
        let goal =
            GoalBlock { acceleration: 254, position: Ticks(-100), time_ms: 0x0102, speed_ticks_s: 1000 };
        assert_eq!(goal.encode(), Ok([0xFE, 0x64, 0x80, 0x02, 0x01, 0xE8, 0x03]));
        assert!(GoalBlock { position: Ticks(32_768), ..goal }.encode().is_err());
    }
}
