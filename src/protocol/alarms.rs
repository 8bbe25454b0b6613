//! What a servo complains of, whatever family it is of.
//!
//! An alarm is no refusal: what a servo says beside it is valid.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// A set of complaints, and the bits of a servo that have no name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarms {
    named: u8,
    unnamed: u8,
}

impl Alarms {
    /// No complaint.
    pub const NONE: Self = Self::named(0);
    /// The supply is outside its limits.
    pub const VOLTAGE: Self = Self::named(1 << 0);
    /// The encoder is at fault or the angle outside its limits.
    pub const ANGLE: Self = Self::named(1 << 1);
    /// Too hot.
    pub const OVERHEAT: Self = Self::named(1 << 2);
    /// More current than allowed, for too long.
    pub const OVERCURRENT: Self = Self::named(1 << 3);
    /// The circuit or the motor is at fault.
    pub const ELECTRICAL_SHOCK: Self = Self::named(1 << 4);
    /// More load than allowed, for too long.
    pub const OVERLOAD: Self = Self::named(1 << 5);
    /// The servo says that something is wrong, and has not been asked yet what.
    pub const UNSPECIFIED: Self = Self::named(1 << 6);

    const NAMES: [(Self, &'static str); 7] = [
        (Self::VOLTAGE, "voltage"),
        (Self::ANGLE, "angle"),
        (Self::OVERHEAT, "overheat"),
        (Self::OVERCURRENT, "overcurrent"),
        (Self::ELECTRICAL_SHOCK, "electrical_shock"),
        (Self::OVERLOAD, "overload"),
        (Self::UNSPECIFIED, "unspecified"),
    ];

    const fn named(named: u8) -> Self {
        Self { named, unnamed: 0 }
    }

    /// The complaints of a servo's bits, of which `meaning` says for each bit from the lowest what it stands for.
    /// Bits that stand for nothing are kept as they are.
    pub fn from_bits(bits: u8, meaning: &[Self; 8]) -> Self {
        let mut alarms = Self::NONE;
        for (bit, alarm) in meaning.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0) {
            alarms |= if alarm.is_empty() { Self { named: 0, unnamed: 1 << bit } } else { *alarm };
        }
        alarms
    }

    /// The alarm of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(_, known)| *known == name).map(|(alarm, _)| alarm)
    }

    /// The names of all alarms that a servo can have.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let of_servos = Self::NAMES.into_iter().filter(|(alarm, _)| *alarm != Self::UNSPECIFIED);
        of_servos.map(|(_, name)| name)
    }

    /// Whether nothing is complained of.
    pub const fn is_empty(self) -> bool {
        self.named == 0 && self.unnamed == 0
    }

    /// Whether all of `others` are raised.
    pub const fn contains(self, others: Self) -> bool {
        self.named & others.named == others.named && self.unnamed & others.unnamed == others.unnamed
    }

    /// Whether any of `others` is raised.
    pub const fn intersects(self, others: Self) -> bool {
        self.named & others.named != 0 || self.unnamed & others.unnamed != 0
    }

    /// These without `others`.
    pub const fn without(self, others: Self) -> Self {
        Self { named: self.named & !others.named, unnamed: self.unnamed & !others.unnamed }
    }
}

impl BitOr for Alarms {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self { named: self.named | other.named, unnamed: self.unnamed | other.unnamed }
    }
}

impl BitOrAssign for Alarms {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl fmt::Display for Alarms {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return out.write_str("none");
        }
        let mut separator = "";
        for (_, name) in Self::NAMES.into_iter().filter(|(alarm, _)| self.contains(*alarm)) {
            write!(out, "{separator}{name}")?;
            separator = ", ";
        }
        if self.unnamed != 0 {
            write!(out, "{separator}unknown bits {:#04x}", self.unnamed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DYNAMIXEL: [Alarms; 8] = [
        Alarms::VOLTAGE,
        Alarms::NONE,
        Alarms::OVERHEAT,
        Alarms::ANGLE,
        Alarms::ELECTRICAL_SHOCK,
        Alarms::OVERLOAD,
        Alarms::NONE,
        Alarms::NONE,
    ];

    #[test]
    fn bits_mean_what_the_family_says() {
        let alarms = Alarms::from_bits(0b0011_1001, &DYNAMIXEL);
        assert_eq!(alarms.to_string(), "voltage, angle, electrical_shock, overload");
        assert!(alarms.contains(Alarms::OVERLOAD) && !alarms.contains(Alarms::OVERHEAT));
        assert_eq!(alarms.without(Alarms::VOLTAGE | Alarms::ANGLE).to_string(), "electrical_shock, overload");
        assert_eq!(Alarms::from_bits(0, &DYNAMIXEL).to_string(), "none");
    }

    #[test]
    fn bits_without_a_name_are_not_hidden() {
        let alarms = Alarms::from_bits(0b1010_0000, &DYNAMIXEL);
        assert_eq!(alarms.to_string(), "overload, unknown bits 0x80");
        assert!(!alarms.without(Alarms::OVERLOAD).is_empty());
    }

    #[test]
    fn every_alarm_is_found_by_its_name() {
        for (alarm, name) in Alarms::NAMES {
            assert_eq!(Alarms::from_name(name), Some(alarm));
        }
        assert_eq!(Alarms::from_name("hunger"), None);
    }
}
