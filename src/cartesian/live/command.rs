//! What people ask for: twists, jogs and poses, and why such a command is refused.

use nalgebra::{Isometry3, Vector3};
use thiserror::Error;

use crate::kinematics::ik::Positions;

/// Which commands are taken; the numbers are those of `moveit_msgs/ServoCommandType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandType {
    /// [`Jog`]
    JointJog = 0,
    /// [`Twist`]
    Twist = 1,
    /// Poses to track.
    Pose = 2,
}

impl CommandType {
    /// The type of this number.
    pub fn from_number(number: i8) -> Option<Self> {
        [Self::JointJog, Self::Twist, Self::Pose].into_iter().find(|known| *known as i8 == number)
    }
}

/// A command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command {
    /// Moves joints.
    Jog(Jog),
    /// Moves the tip.
    Twist(Twist),
    /// Brings the tip here: `base_from_tip`.
    Pose(Isometry3<f64>),
}

impl Command {
    /// Its type.
    pub fn kind(&self) -> CommandType {
        match self {
            Self::Jog(_) => CommandType::JointJog,
            Self::Twist(_) => CommandType::Twist,
            Self::Pose(_) => CommandType::Pose,
        }
    }

    fn is_finite(&self) -> bool {
        match self {
            Self::Jog(jog) => {
                let displacements = jog.displacements.iter().flat_map(|displacements| displacements.iter());
                jog.velocities.iter().chain(displacements).all(|number| number.is_finite())
            }
            Self::Twist(twist) => {
                let frame = match twist.frame {
                    TwistFrame::Other(base_from_frame) => is_finite(&base_from_frame),
                    TwistFrame::Base | TwistFrame::Tip => true,
                };
                frame && twist.linear.iter().chain(twist.angular.iter()).all(|number| number.is_finite())
            }
            Self::Pose(pose) => is_finite(pose),
        }
    }

    /// What is wrong with its numbers, for an arm of so many joints.
    pub(super) fn check(&self, dof: usize) -> Result<(), Refused> {
        if let Self::Jog(jog) = self
            && (jog.velocities.len() != dof || jog.displacements.is_some_and(|list| list.len() != dof))
        {
            return Err(Refused::Size);
        }
        if self.is_finite() { Ok(()) } else { Err(Refused::NotFinite(self.kind())) }
    }
}

fn is_finite(pose: &Isometry3<f64>) -> bool {
    pose.translation.vector.iter().chain(pose.rotation.coords.iter()).all(|number| number.is_finite())
}

/// Velocities of joints, or displacements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jog {
    /// For each joint of the chain (rad/s or m/s, or parts of the scale); where there are displacements, the greatest
    /// speed on the way, 0 for the usual one.
    pub velocities: Positions,
    /// For each joint how far it goes on from where it was led last (rad or m). Such a jog is finished even if no other
    /// command comes, and adds to one that is under way.
    pub displacements: Option<Positions>,
}

/// A velocity of the tip (m/s and rad/s, or parts of the scale).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Twist {
    /// The velocity.
    pub linear: Vector3<f64>,
    /// The angular velocity.
    pub angular: Vector3<f64>,
    /// The axes that both lie along.
    pub frame: TwistFrame,
}

/// A frame in which a twist is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TwistFrame {
    /// The chain's base.
    Base,
    /// The chain's tip, wherever it is.
    Tip,
    /// Another one: `base_from_frame` at the time of the command.
    Other(Isometry3<f64>),
}

/// Why a command is refused; the words are moveit_servo's where it has some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// Nobody has said which commands are to come.
    #[error("Command type has not been set, cannot accept input")]
    NoType,
    /// Another type is expected.
    #[error("Incoming servo command type does not match known command types")]
    OtherType,
    /// Nothing is taken during a pause.
    #[error("Servoing is paused, cannot accept input")]
    Paused,
    /// It is older than the timeout.
    #[error("Incoming command is older than incoming_command_timeout; it should be stamped when it is sent")]
    Stale,
    /// Some number is NaN or infinite.
    #[error("{}", match .0 {
        CommandType::JointJog => "Invalid velocity values in joint jog command",
        CommandType::Twist => "Invalid twist command.",
        CommandType::Pose => "Invalid pose command.",
    })]
    NotFinite(CommandType),
    /// It does not have one number for each joint.
    #[error("Invalid joint jog command; it should have one number for each of its joints")]
    Size,
}
