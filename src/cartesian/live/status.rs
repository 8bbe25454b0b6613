//! What live control says of itself, in the codes and words of moveit_servo.

/// The state of live control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// The last command was refused.
    Invalid,
    /// Nothing is in the way.
    #[default]
    NoWarning,
    /// Slower, because a singularity comes nearer.
    ApproachingSingularity,
    /// Stopped, because a singularity is as near as it may come.
    HaltForSingularity,
    /// Slower, because a singularity is still near.
    LeavingSingularity,
    /// Slower, because a collision comes nearer.
    ApproachingCollision,
    /// Stopped, because a collision is as near as it may come.
    HaltForCollision,
    /// A joint comes to the end of its travel.
    JointBound {
        /// Its index in the chain.
        joint: usize,
        /// Whether it is there.
        halts: bool,
    },
}

impl Status {
    /// The code in `moveit_msgs/ServoStatus`.
    pub fn code(self) -> i8 {
        match self {
            Self::Invalid => -1,
            Self::NoWarning => 0,
            Self::ApproachingSingularity => 1,
            Self::HaltForSingularity => 2,
            Self::LeavingSingularity => 3,
            Self::ApproachingCollision => 4,
            Self::HaltForCollision => 5,
            Self::JointBound { .. } => 6,
        }
    }

    /// The words of moveit_servo.
    pub fn text(self) -> &'static str {
        match self {
            Self::Invalid => "Invalid",
            Self::NoWarning => "No warnings",
            Self::ApproachingSingularity => "Moving closer to a singularity, decelerating",
            Self::HaltForSingularity => "Very close to a singularity, emergency stop",
            Self::LeavingSingularity => "Moving away from a singularity, decelerating",
            Self::ApproachingCollision => "Close to a collision, decelerating",
            Self::HaltForCollision => "Collision detected, emergency stop",
            Self::JointBound { halts: true, .. } => "Close to a joint bound (position or velocity), halting",
            Self::JointBound { halts: false, .. } => "Close to a joint bound, decelerating",
        }
    }

    /// Whether it is a halt.
    pub fn is_halt(self) -> bool {
        matches!(
            self,
            Self::HaltForSingularity | Self::HaltForCollision | Self::JointBound { halts: true, .. }
        )
    }
}
