//! How a servo saves itself: overload, overcurrent, overheating, wrong voltage.
//!
//! An alarm that took torque away stays until the torque is switched off and on again; that of the voltage
//! goes with its cause. Whether an alarm takes torque at all is the servo's unloading condition.

use std::time::Duration;

use crate::protocol::feetech::{Alarms, registers};

use super::memory::Memory;

/// What the protection looks at.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// The duty cycle, -1 to 1.
    pub duty: f64,
    /// The motor's current (A).
    pub current_a: f64,
    /// How hot it is (°C).
    pub temperature: f64,
    /// The supply (V).
    pub voltage: f64,
}

/// The state of a servo's protection.
#[derive(Clone, Debug, Default)]
pub struct Protection {
    latched: Alarms,
    voltage: Alarms,
    overloaded_for: Duration,
    overcurrent_for: Duration,
}

impl Protection {
    /// Amperes of one unit of the current registers.
    pub const AMPERES: f64 = 0.0065;

    /// Judges what was measured over the time `elapsed`.
    pub fn judge(&mut self, measured: Measured, elapsed: Duration, memory: &Memory) {
        let value = |register| f64::from(memory.value(register));
        let patience = |register| Duration::from_secs_f64(value(register) * 0.01);
        let is_overloaded = value(&registers::OVERLOAD_TORQUE) / 100.0 < measured.duty.abs();
        if lasts(&mut self.overloaded_for, is_overloaded, elapsed, patience(&registers::PROTECTION_TIME)) {
            self.latched |= Alarms::OVERLOAD;
        }
        let is_over = value(&registers::PROTECTION_CURRENT) * Self::AMPERES < measured.current_a;
        if lasts(&mut self.overcurrent_for, is_over, elapsed, patience(&registers::OVERCURRENT_TIME)) {
            self.latched |= Alarms::OVERCURRENT;
        }
        if value(&registers::MAX_TEMPERATURE) < measured.temperature {
            self.latched |= Alarms::OVERHEAT;
        }
        let is_fed = value(&registers::MIN_VOLTAGE) / 10.0 <= measured.voltage
            && measured.voltage <= value(&registers::MAX_VOLTAGE) / 10.0;
        self.voltage = if is_fed { Alarms::NONE } else { Alarms::VOLTAGE };
    }

    /// What is complained of.
    pub fn alarms(&self) -> Alarms {
        self.latched | self.voltage
    }

    /// The torque was switched off.
    pub fn on_torque_off(&mut self) {
        *self = Self { voltage: self.voltage, ..Self::default() };
    }

    /// How much effort is left, as a part of the whole.
    pub fn effort_left(&self, memory: &Memory) -> f64 {
        let unloading =
            Alarms::from_bits(u8::try_from(memory.value(&registers::UNLOADING_CONDITION)).unwrap_or(0));
        let taking = |alarm| self.alarms().contains(alarm) && unloading.contains(alarm);
        if taking(Alarms::OVERHEAT) || taking(Alarms::VOLTAGE) {
            0.0
        } else if taking(Alarms::OVERLOAD) || taking(Alarms::OVERCURRENT) {
            f64::from(memory.value(&registers::PROTECTIVE_TORQUE)) / 100.0
        } else {
            1.0
        }
    }
}

/// Whether something has been so for longer than the patience.
fn lasts(so_far: &mut Duration, is_so: bool, elapsed: Duration, patience: Duration) -> bool {
    *so_far = if is_so { so_far.saturating_add(elapsed) } else { Duration::ZERO };
    patience < *so_far
}
