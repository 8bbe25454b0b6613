//! Which state the arm is in, and which transition has which cause.
//!
//! ```text
//! Disconnected ──servos answer──▶ Identified ──torque asked──▶ Energizing ──read back──▶ Holding ◀──▶ Active
//!       ▲                             ▲                                                     │  ▲
//!   port lost                   torque let go                                       k misses▼  │all answer
//!  (from anywhere)                    └──────── Releasing ◀──torque off──              Degraded ──m misses──▶ Faulted
//! ```
//! `EmergencyStop` is entered from anywhere but Disconnected; it and Faulted are latched until a reset. `Resting` is the
//! way to the rest pose, and ends in Holding, Standby or Faulted; `Standby` is Holding without obeying. docs/safety.md has the whole table.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::fmt;

use super::watch::Trip;
use crate::config::watch::Watched;

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
    /// Torque is on, and nothing is obeyed: the arm was deactivated.
    Standby,
    /// As Holding or Active, with a servo that has been silent for a while, or a trip that slows motions down.
    Degraded,
    /// The arm goes to its rest pose; nothing else is obeyed on the way.
    Resting,
    /// Torque is going off, and every servo is asked whether it did.
    Releasing,
    /// Something went wrong that only a reset may forget.
    Faulted,
    /// Somebody pressed the button; only a reset leads out.
    EmergencyStop,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Disconnected,
        Self::Identified,
        Self::Energizing,
        Self::Holding,
        Self::Active,
        Self::Standby,
        Self::Degraded,
        Self::Resting,
        Self::Releasing,
        Self::Faulted,
        Self::EmergencyStop,
    ];

    /// The state of that name, as it is displayed.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.to_string() == name)
    }

    /// Whether commands are obeyed.
    pub fn can_move(self) -> bool {
        self.obstacle().is_none()
    }

    /// Why commands are not obeyed, where they are not.
    pub fn obstacle(self) -> Option<&'static str> {
        match self {
            Self::Holding | Self::Active | Self::Degraded => None,
            Self::Disconnected => Some("the servos are not connected"),
            Self::Identified => Some("torque is off"),
            Self::Energizing => Some("torque is coming on"),
            Self::Standby => Some("the arm is deactivated"),
            Self::Resting => Some("the arm goes to its rest pose"),
            Self::Releasing => Some("torque is going off"),
            Self::Faulted => Some("the arm is faulted, and waits for a reset"),
            Self::EmergencyStop => Some("emergency stop"),
        }
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
            Self::Standby => "Standby",
            Self::Degraded => "Degraded",
            Self::Resting => "Resting",
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
    /// A user asked for the port to be closed.
    PortClosed,
    /// A user asked the arm to obey no more.
    DeactivateAsked,
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
    /// The joint's servo went limp by itself.
    TorqueLost(usize),
    /// The joint's servo fell silent or limp when its supply broke down.
    BrownOut(usize),
    /// What is watched of a joint's servo is at its trip level.
    Tripped(Watched, usize),
    /// The trip that slowed motions down is over.
    TripOver,
    /// No command has come for longer than `command_loss_s`.
    CommandsLost,
    /// The node stops, and its arm is to rest then.
    NodeStops,
    /// The arm is in its rest pose.
    RestReached,
    /// Somebody pressed the button.
    EmergencyStopPressed,
    /// A user asked for a reset, and every servo answers.
    ResetAsked,
    /// Simulated time was set back.
    TimeSetBack,
}

impl Cause {
    /// The joint that is the cause, if one is.
    pub fn joint(self) -> Option<usize> {
        match self {
            Self::ServoSilent(joint)
            | Self::ServoLost(joint)
            | Self::TorqueRefused(joint)
            | Self::TorqueStuck(joint)
            | Self::TorqueLost(joint)
            | Self::BrownOut(joint)
            | Self::Tripped(_, joint) => Some(joint),
            _ => None,
        }
    }

    /// The cause in words, with `{}`-free text that a joint's name may follow.
    pub fn text(self) -> &'static str {
        match self {
            Self::ServosIdentified => "every servo is identified",
            Self::PortLost => "the port was lost",
            Self::PortClosed => "the port was closed",
            Self::DeactivateAsked => "the arm is deactivated",
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
            Self::BrownOut(_) => "a servo's supply broke down (brown-out)",
            Self::Tripped(watched, _) => watched.trip_text(),
            Self::TripOver => "what slowed motions down is over",
            Self::CommandsLost => "no commands come any more",
            Self::NodeStops => "the node stops",
            Self::RestReached => "the arm is in its rest pose",
            Self::EmergencyStopPressed => "emergency stop",
            Self::ResetAsked => "reset",
            Self::TimeSetBack => "simulated time was set back",
        }
    }
}

/// Why a request is not carried out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refusal {
    /// Why, in words that a joint's name may follow.
    pub why: &'static str,
    /// The joint that is the reason, if one is.
    pub joint: Option<usize>,
    /// The trip that is the reason, if one is.
    pub trip: Option<Trip>,
}

impl Refusal {
    /// A refusal that no joint is the reason of.
    pub fn new(why: &'static str) -> Self {
        Self { why, joint: None, trip: None }
    }

    /// A refusal because of a joint.
    pub fn of_joint(why: &'static str, joint: usize) -> Self {
        Self { joint: Some(joint), ..Self::new(why) }
    }

    /// A refusal because of a trip.
    pub fn of_trip(trip: Trip) -> Self {
        Self { why: trip.watched.trip_text(), joint: Some(trip.joint), trip: Some(trip) }
    }

    /// The whole of it in words; `joints` are the arm's.
    pub fn sentence(&self, joints: &[String]) -> String {
        let name = self.joint.and_then(|joint| joints.get(joint));
        let joint = name.map(|name| format!(" (joint `{name}`)")).unwrap_or_default();
        let trip = self.trip.map(|trip| format!(": {}", trip.sentence())).unwrap_or_default();
        format!("{}{joint}{trip}", self.why)
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
