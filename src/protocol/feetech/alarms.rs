//! What a servo complains of, beside the data that it answers with.
//!
//! An alarm is no refusal: the parameters of the same status packet are valid.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

use crate::protocol::alarms as common;

/// The alarm bits of a status packet; register 65 holds the same ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarms(u8);

impl Alarms {
    /// No complaint.
    pub const NONE: Self = Self(0);
    /// The supply is outside the limits of registers 14 and 15.
    pub const VOLTAGE: Self = Self(1 << 0);
    /// The encoder is at fault or the angle outside its limits.
    pub const ANGLE: Self = Self(1 << 1);
    /// Hotter than register 13 allows.
    pub const OVERHEAT: Self = Self(1 << 2);
    /// More current than register 28 allows, for too long.
    pub const OVERCURRENT: Self = Self(1 << 3);
    /// More load than register 36 allows, for longer than register 35 allows.
    pub const OVERLOAD: Self = Self(1 << 5);

    const NAMES: [(Self, &'static str); 5] = [
        (Self::VOLTAGE, "voltage"),
        (Self::ANGLE, "angle"),
        (Self::OVERHEAT, "overheat"),
        (Self::OVERCURRENT, "overcurrent"),
        (Self::OVERLOAD, "overload"),
    ];

    /// The alarms of a status byte, unknown bits included.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The status byte.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The alarm of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(_, known)| *known == name).map(|(alarm, _)| alarm)
    }

    /// Whether nothing is complained of.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `others` are raised.
    pub const fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether any of `others` is raised.
    pub const fn intersects(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// These without `others`.
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

/// What the bits stand for, from the lowest.
pub const MEANING: [common::Alarms; 8] = [
    common::Alarms::VOLTAGE,
    common::Alarms::ANGLE,
    common::Alarms::OVERHEAT,
    common::Alarms::OVERCURRENT,
    common::Alarms::NONE,
    common::Alarms::OVERLOAD,
    common::Alarms::NONE,
    common::Alarms::NONE,
];

impl From<Alarms> for common::Alarms {
    fn from(alarms: Alarms) -> Self {
        Self::from_bits(alarms.bits(), &MEANING)
    }
}

impl BitOr for Alarms {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Alarms {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Display for Alarms {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return out.write_str("none");
        }
        let mut unnamed = *self;
        let mut separator = "";
        for (alarm, name) in Self::NAMES.into_iter().filter(|(alarm, _)| self.contains(*alarm)) {
            write!(out, "{separator}{name}")?;
            unnamed = unnamed.without(alarm);
            separator = ", ";
        }
        if !unnamed.is_empty() {
            write!(out, "{separator}unknown bits {:#04x}", unnamed.bits())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alarm_is_named() {
        let all = Alarms::from_bits(0b0010_1111);
        assert_eq!(all.to_string(), "voltage, angle, overheat, overcurrent, overload");
        assert_eq!(Alarms::NONE.to_string(), "none");
    }

    #[test]
    fn every_alarm_means_the_same_in_every_family() {
        for (alarm, name) in Alarms::NAMES {
            assert_eq!(common::Alarms::from(alarm).to_string(), name);
        }
    }

    #[test]
    fn bits_without_a_name_are_not_hidden() {
        assert_eq!((Alarms::OVERLOAD | Alarms::from_bits(0x10)).to_string(), "overload, unknown bits 0x10");
    }
}
