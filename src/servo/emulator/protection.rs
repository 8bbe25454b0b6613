//! How a servo saves itself: overload, overcurrent, overheating, wrong voltage.
//!
//! An alarm that took torque away stays until the torque is switched off and on again; that of the voltage
//! goes with its cause. Whether an alarm takes torque at all is the servo's own business.

use std::time::Duration;

use crate::protocol::feetech::Alarms;

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

/// What it lets pass.
#[derive(Clone, Copy, Debug)]
pub struct Bearable {
    /// The duty cycle (0 to 1).
    pub duty: f64,
    /// For how long more than that is borne.
    pub duty_for: Duration,
    /// The motor's current (A).
    pub current_a: f64,
    /// For how long more than that is borne.
    pub current_for: Duration,
    /// How hot it may be (°C).
    pub temperature: f64,
    /// The least supply (V).
    pub least_voltage: f64,
    /// The greatest supply (V).
    pub most_voltage: f64,
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
    /// Judges what was measured over the time `elapsed`.
    pub fn judge(&mut self, measured: Measured, elapsed: Duration, bearable: &Bearable) {
        let is_overloaded = bearable.duty < measured.duty.abs();
        if lasts(&mut self.overloaded_for, is_overloaded, elapsed, bearable.duty_for) {
            self.latched |= Alarms::OVERLOAD;
        }
        let is_over = bearable.current_a < measured.current_a;
        if lasts(&mut self.overcurrent_for, is_over, elapsed, bearable.current_for) {
            self.latched |= Alarms::OVERCURRENT;
        }
        if bearable.temperature < measured.temperature {
            self.latched |= Alarms::OVERHEAT;
        }
        let is_fed = (bearable.least_voltage..=bearable.most_voltage).contains(&measured.voltage);
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
}

/// Whether something has been so for longer than the patience.
fn lasts(so_far: &mut Duration, is_so: bool, elapsed: Duration, patience: Duration) -> bool {
    *so_far = if is_so { so_far.saturating_add(elapsed) } else { Duration::ZERO };
    patience < *so_far
}
