//! Which state the arm is in, and which transition has which cause.
//!
//! ```text
//! Disconnected ──servos answer──▶ Identified ──torque asked──▶ Energizing ──read back──▶ Holding ◀──▶ Active
//!       ▲                             ▲                                                     │  ▲
//!   port lost                   torque let go                                       k misses▼  │all answer
//!  (from anywhere)                    └──────── Releasing ◀──torque off──              Degraded ──m misses──▶ Faulted
//! ```
//! `EmergencyStop` is entered from anywhere but Disconnected; it and Faulted are latched until a reset.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::fmt;

/// The state of an arm as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// The bus cannot be used.
    #[default]
    Disconnected,
    /// Every servo is known; none is asked to hold anything.
    Identified,
    /// Torque is coming on, each step read back; nothing moves yet.
    Energizing,
    /// Torque is on and no motion is commanded.
    Holding,
    /// Torque is on and motion is commanded.
    Active,
    /// As Holding or Active, with a servo that has been silent for a while.
    Degraded,
    /// Torque is going off, and every servo is asked whether it did.
    Releasing,
    /// Something went wrong that only a reset may forget.
    Faulted,
    /// Somebody pressed the button; only a reset leads out.
    EmergencyStop,
}

impl State {
    /// Whether commands are obeyed.
    pub fn can_move(self) -> bool {
        matches!(self, Self::Holding | Self::Active | Self::Degraded)
    }

    /// Whether only a reset leads out.
    pub fn is_latched(self) -> bool {
        matches!(self, Self::Faulted | Self::EmergencyStop)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Disconnected => "Disconnected",
            Self::Identified => "Identified",
            Self::Energizing => "Energizing",
            Self::Holding => "Holding",
            Self::Active => "Active",
            Self::Degraded => "Degraded",
            Self::Releasing => "Releasing",
            Self::Faulted => "Faulted",
            Self::EmergencyStop => "EmergencyStop",
        };
        f.write_str(name)
    }
}

/// Why the state changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Every servo answered, and is what was expected.
    ServosIdentified,
    /// The bus cannot be read or written any more.
    PortLost,
    /// A user, or the start, asked for torque.
    TorqueAsked,
    /// Every servo said that its torque is on and its goal is where it stands.
    TorqueConfirmed,
    /// A user asked for no torque, or a policy did.
    TorqueOffAsked,
    /// Every servo said that its torque is off.
    TorqueOffConfirmed,
    /// A motion is commanded.
    MotionCommanded,
    /// No motion is commanded any more.
    MotionEnded,
    /// The joint's servo has not answered for some cycles.
    ServoSilent(usize),
    /// Every servo answers again.
    ServosAnswer,
    /// The joint's servo has not answered for too many cycles.
    ServoLost(usize),
    /// The joint's servo did not do what it was told when torque came on.
    TorqueRefused(usize),
    /// The joint's servo did not say that it let go when it was told to.
    TorqueStuck(usize),
    /// The joint's servo went limp by itself, by a power dip for one.
    TorqueLost(usize),
    /// Somebody pressed the button.
    EmergencyStopPressed,
    /// A user asked for a reset, and every servo answers.
    ResetAsked,
}

impl Cause {
    /// The joint that is the cause, if one is.
    pub fn joint(self) -> Option<usize> {
        match self {
            Self::ServoSilent(joint)
            | Self::ServoLost(joint)
            | Self::TorqueRefused(joint)
            | Self::TorqueStuck(joint)
            | Self::TorqueLost(joint) => Some(joint),
            _ => None,
        }
    }

    /// The cause in words, with `{}`-free text that a joint's name may follow.
    pub fn text(self) -> &'static str {
        match self {
            Self::ServosIdentified => "every servo is identified",
            Self::PortLost => "the port was lost",
            Self::TorqueAsked => "torque was asked for",
            Self::TorqueConfirmed => "every servo holds where it is",
            Self::TorqueOffAsked => "torque off was asked for",
            Self::TorqueOffConfirmed => "every servo let go",
            Self::MotionCommanded => "a motion is commanded",
            Self::MotionEnded => "no motion is commanded",
            Self::ServoSilent(_) => "a servo is silent",
            Self::ServosAnswer => "every servo answers again",
            Self::ServoLost(_) => "a servo was silent for too long",
            Self::TorqueRefused(_) => "a servo did not take torque or goal",
            Self::TorqueStuck(_) => "a servo did not let go",
            Self::TorqueLost(_) => "a servo lost its torque by itself",
            Self::EmergencyStopPressed => "emergency stop",
            Self::ResetAsked => "reset",
        }
    }
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// Why.
    pub cause: Cause,
}
