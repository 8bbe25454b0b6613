//! The commands, and how many bytes of parameters each has on its way to the servo and back.

/// What a servo is asked for or told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Command {
    /// Go to a position within a time, at once.
    MoveTime = 1,
    /// Tell the last [`Self::MoveTime`].
    MoveTimeRead = 2,
    /// Go to a position within a time, once [`Self::MoveStart`] says so.
    MoveWait = 7,
    /// Tell the last [`Self::MoveWait`].
    MoveWaitRead = 8,
    /// Begin the move that waits.
    MoveStart = 11,
    /// Stay where you are.
    MoveStop = 12,
    /// Have another id.
    IdWrite = 13,
    /// Tell your id.
    IdRead = 14,
    /// Shift the position by so much, until power is lost.
    OffsetAdjust = 17,
    /// Keep the shift for good.
    OffsetSave = 18,
    /// Tell the shift.
    OffsetRead = 19,
    /// Never leave these positions.
    AngleLimitWrite = 20,
    /// Tell the limits of the position.
    AngleLimitRead = 21,
    /// Complain of a supply outside of these limits (mV).
    VinLimitWrite = 22,
    /// Tell the limits of the supply.
    VinLimitRead = 23,
    /// Let go when hotter than this (°C).
    TempMaxWrite = 24,
    /// Tell the limit of the temperature.
    TempMaxRead = 25,
    /// Tell the temperature.
    TempRead = 26,
    /// Tell the supply.
    VinRead = 27,
    /// Tell the position.
    PosRead = 28,
    /// Be a servo, or a motor with a speed.
    ModeWrite = 29,
    /// Tell the mode.
    ModeRead = 30,
    /// Hold, or let go.
    LoadWrite = 31,
    /// Tell whether you hold.
    LoadRead = 32,
    /// Switch the LED on or off.
    LedWrite = 33,
    /// Tell whether the LED is on.
    LedRead = 34,
    /// Which faults the LED tells.
    LedErrorWrite = 35,
    /// Tell which faults the LED tells.
    LedErrorRead = 36,
}

impl Command {
    /// Every command.
    pub const ALL: [Self; 28] = [
        Self::MoveTime,
        Self::MoveTimeRead,
        Self::MoveWait,
        Self::MoveWaitRead,
        Self::MoveStart,
        Self::MoveStop,
        Self::IdWrite,
        Self::IdRead,
        Self::OffsetAdjust,
        Self::OffsetSave,
        Self::OffsetRead,
        Self::AngleLimitWrite,
        Self::AngleLimitRead,
        Self::VinLimitWrite,
        Self::VinLimitRead,
        Self::TempMaxWrite,
        Self::TempMaxRead,
        Self::TempRead,
        Self::VinRead,
        Self::PosRead,
        Self::ModeWrite,
        Self::ModeRead,
        Self::LoadWrite,
        Self::LoadRead,
        Self::LedWrite,
        Self::LedRead,
        Self::LedErrorWrite,
        Self::LedErrorRead,
    ];

    /// The command of that code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.code() == code)
    }

    /// The byte on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// How many bytes of parameters go to the servo.
    pub const fn params(self) -> usize {
        match self {
            Self::MoveTime
            | Self::MoveWait
            | Self::AngleLimitWrite
            | Self::VinLimitWrite
            | Self::ModeWrite => 4,
            Self::IdWrite
            | Self::OffsetAdjust
            | Self::TempMaxWrite
            | Self::LoadWrite
            | Self::LedWrite
            | Self::LedErrorWrite => 1,
            _ => 0,
        }
    }

    /// How many bytes of parameters come back; `None` where nothing does.
    pub const fn reply_params(self) -> Option<usize> {
        match self {
            Self::MoveTimeRead
            | Self::MoveWaitRead
            | Self::AngleLimitRead
            | Self::VinLimitRead
            | Self::ModeRead => Some(4),
            Self::VinRead | Self::PosRead => Some(2),
            Self::IdRead
            | Self::OffsetRead
            | Self::TempMaxRead
            | Self::TempRead
            | Self::LoadRead
            | Self::LedRead
            | Self::LedErrorRead => Some(1),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_its_command_s() {
        for command in Command::ALL {
            assert_eq!(Command::from_code(command.code()), Some(command));
        }
        assert_eq!((0..=u8::MAX).filter_map(Command::from_code).count(), Command::ALL.len());
    }

    #[test]
    fn a_question_is_never_as_long_as_its_answer() {
        for command in Command::ALL {
            assert_ne!(command.reply_params(), Some(command.params()), "{command:?}");
        }
    }
}
