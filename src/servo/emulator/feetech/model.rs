//! Which registers a model of a Feetech servo has, and how it lays their words down.

use crate::protocol::feetech::registers::{
    BAUD_RATE, DEAD_ZONE_CCW, DEAD_ZONE_CW, FIRMWARE_MAJOR, FIRMWARE_MINOR, GOAL_POSITION, GOAL_SPEED,
    GOAL_TIME, ID, LED_ALARM, LOCK, MAX_ANGLE, MAX_TEMPERATURE, MAX_TORQUE, MAX_VOLTAGE, MIN_ANGLE,
    MIN_START_FORCE, MIN_VOLTAGE, MODEL, MOVING, PHASE, POSITION_D, POSITION_I, POSITION_P, PRESENT_LOAD,
    PRESENT_POSITION, PRESENT_SPEED, PRESENT_TEMPERATURE, PRESENT_VOLTAGE, PROTECTION_TIME,
    PROTECTIVE_TORQUE, REGISTERED, RESPONSE_LEVEL, RETURN_DELAY, Register, STATUS, STS3215, TORQUE_ENABLE,
    UNLOADING_CONDITION,
};
use crate::protocol::wire::ByteOrder;

/// A model of a servo.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) registers: &'static [Register],
    pub(super) order: ByteOrder,
    pub(super) ticks_per_turn: i32,
    /// Whether it knows what is asked of several servos at once: sync reads, and pings of everybody.
    pub(super) answers_with_others: bool,
}

/// Feetech STS and SMS.
pub(super) const STS: &Model =
    &Model { registers: STS3215, order: ByteOrder::Little, ticks_per_turn: 4096, answers_with_others: true };

/// Feetech SCS.
pub(super) const SCS: &Model =
    &Model { registers: SCS0009, order: ByteOrder::Big, ticks_per_turn: 1024, answers_with_others: false };

/// Every register of an SCS0009 that is documented, by rising address; named as those of an STS3215.
const SCS0009: &[Register] = &[
    FIRMWARE_MAJOR,
    FIRMWARE_MINOR,
    Register { default: 1284, ..MODEL },
    ID,
    BAUD_RATE,
    RETURN_DELAY,
    RESPONSE_LEVEL,
    Register { sign_bit: None, ..MIN_ANGLE },
    Register { sign_bit: None, default: 1023, ..MAX_ANGLE },
    MAX_TEMPERATURE,
    MAX_VOLTAGE,
    MIN_VOLTAGE,
    MAX_TORQUE,
    PHASE,
    UNLOADING_CONDITION,
    LED_ALARM,
    POSITION_P,
    POSITION_D,
    POSITION_I,
    MIN_START_FORCE,
    DEAD_ZONE_CW,
    DEAD_ZONE_CCW,
    Register { address: 37, ..PROTECTIVE_TORQUE },
    Register { address: 38, ..PROTECTION_TIME },
    TORQUE_ENABLE,
    Register { sign_bit: None, default: 512, ..GOAL_POSITION },
    GOAL_TIME,
    Register { sign_bit: None, ..GOAL_SPEED },
    Register { address: 48, ..LOCK },
    Register { sign_bit: None, default: 512, ..PRESENT_POSITION },
    PRESENT_SPEED,
    PRESENT_LOAD,
    PRESENT_VOLTAGE,
    PRESENT_TEMPERATURE,
    REGISTERED,
    STATUS,
    MOVING,
];

impl Model {
    /// The model's own register of that name.
    pub(super) fn named(&self, name: &str) -> Option<&'static Register> {
        self.registers.iter().find(|register| register.name == name)
    }

    /// The position in the middle of a turn.
    pub(super) fn middle(&self) -> i32 {
        self.ticks_per_turn / 2
    }

    /// The raw word of two bytes as they lie.
    pub(super) fn word(&self, bytes: [u8; 2]) -> u16 {
        match self.order {
            ByteOrder::Little => u16::from_le_bytes(bytes),
            ByteOrder::Big => u16::from_be_bytes(bytes),
        }
    }

    /// The bytes of a raw word as they lie.
    pub(super) fn bytes(&self, word: u16) -> [u8; 2] {
        match self.order {
            ByteOrder::Little => word.to_le_bytes(),
            ByteOrder::Big => word.to_be_bytes(),
        }
    }
}
