//! The register of errors: what went wrong since it was read last.

/// Errors, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Errors(u16);

impl Errors {
    /// None.
    pub const NONE: Self = Self(0);
    /// A byte without its stop bit: wrong baud rate, or noise.
    pub const SIGNAL: Self = Self(1);
    /// Bytes came faster than they were taken.
    pub const OVERRUN: Self = Self(1 << 1);
    /// Bytes found no room.
    pub const BUFFER_FULL: Self = Self(1 << 2);
    /// A wrong check byte.
    pub const CRC: Self = Self(1 << 3);
    /// Bytes that are no command.
    pub const PROTOCOL: Self = Self(1 << 4);
    /// No command came within the timeout that is set in the device.
    pub const TIMEOUT: Self = Self(1 << 5);
    /// The script's stack ran over or under.
    pub const SCRIPT_STACK: Self = Self(1 << 6);
    /// The script's call stack ran over or under.
    pub const SCRIPT_CALL_STACK: Self = Self(1 << 7);
    /// The script ran out of its program.
    pub const SCRIPT_COUNTER: Self = Self(1 << 8);

    /// Each error with its name.
    pub const NAMES: [(Self, &'static str); 9] = [
        (Self::SIGNAL, "serial signal error"),
        (Self::OVERRUN, "serial overrun"),
        (Self::BUFFER_FULL, "serial buffer full"),
        (Self::CRC, "wrong check byte"),
        (Self::PROTOCOL, "serial protocol error"),
        (Self::TIMEOUT, "serial timeout"),
        (Self::SCRIPT_STACK, "script stack error"),
        (Self::SCRIPT_CALL_STACK, "script call stack error"),
        (Self::SCRIPT_COUNTER, "script program counter error"),
    ];

    /// The register as it was read; `None` where it has bits that no Maestro sets, and so is no register.
    pub fn parse([low, high]: [u8; 2]) -> Option<Self> {
        let bits = u16::from_le_bytes([low, high]);
        (bits < 1 << Self::NAMES.len()).then_some(Self(bits))
    }

    /// The register.
    pub fn bits(self) -> u16 {
        self.0
    }

    /// Whether all of `other` are among these.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl std::ops::BitOr for Errors {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl std::ops::BitOrAssign for Errors {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl std::fmt::Display for Errors {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut names = Self::NAMES.iter().filter(|(error, _)| self.contains(*error)).map(|(_, name)| *name);
        out.write_str(names.next().unwrap_or("none"))?;
        names.try_for_each(|name| write!(out, ", {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_has_its_name() {
        for (bit, (error, name)) in Errors::NAMES.into_iter().enumerate() {
            assert_eq!(error.bits(), 1 << bit);
            assert_eq!(error.to_string(), name);
        }
        let both = Errors::TIMEOUT | Errors::CRC;
        assert_eq!(
            (both.to_string(), Errors::NONE.to_string()),
            ("wrong check byte, serial timeout".into(), "none".into())
        );
    }

    #[test]
    fn bits_that_no_maestro_sets_are_no_register() {
        assert_eq!(Errors::parse([0x20, 0x00]), Some(Errors::TIMEOUT));
        assert_eq!(Errors::parse([0xFF, 0x01]).map(Errors::bits), Some(0x1FF));
        assert_eq!(Errors::parse([0x00, 0x02]), None);
        assert_eq!(Errors::parse([0xFF, 0xFF]), None);
    }
}
