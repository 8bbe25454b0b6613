//! Why a request is not done, in MoveIt's codes and in words.

use r2r::moveit_msgs::msg::MoveItErrorCodes;

use crate::kinematics::frames::FrameError;

/// Who says it, in MoveIt's error codes.
const SOURCE: &str = "servo_arm";

/// A code of MoveIt and the reason in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One of [`Code`].
    pub code: Code,
    /// The reason.
    pub message: String,
}

/// The codes of MoveIt that there are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are MoveIt's")]
pub enum Code {
    Success,
    Failure,
    InvalidMotionPlan,
    ControlFailed,
    TimedOut,
    Preempted,
    StartStateInCollision,
    GoalInCollision,
    GoalConstraintsViolated,
    InvalidGroupName,
    InvalidGoalConstraints,
    InvalidRobotState,
    InvalidLinkName,
    FrameTransformFailure,
    CollisionCheckingUnavailable,
    RobotStateStale,
    NoIkSolution,
}

impl Code {
    /// As the message has it.
    pub fn number(self) -> i32 {
        match self {
            Self::Success => MoveItErrorCodes::SUCCESS,
            Self::Failure => MoveItErrorCodes::FAILURE,
            Self::InvalidMotionPlan => MoveItErrorCodes::INVALID_MOTION_PLAN,
            Self::ControlFailed => MoveItErrorCodes::CONTROL_FAILED,
            Self::TimedOut => MoveItErrorCodes::TIMED_OUT,
            Self::Preempted => MoveItErrorCodes::PREEMPTED,
            Self::StartStateInCollision => MoveItErrorCodes::START_STATE_IN_COLLISION,
            Self::GoalInCollision => MoveItErrorCodes::GOAL_IN_COLLISION,
            Self::GoalConstraintsViolated => MoveItErrorCodes::GOAL_CONSTRAINTS_VIOLATED,
            Self::InvalidGroupName => MoveItErrorCodes::INVALID_GROUP_NAME,
            Self::InvalidGoalConstraints => MoveItErrorCodes::INVALID_GOAL_CONSTRAINTS,
            Self::InvalidRobotState => MoveItErrorCodes::INVALID_ROBOT_STATE,
            Self::InvalidLinkName => MoveItErrorCodes::INVALID_LINK_NAME,
            Self::FrameTransformFailure => MoveItErrorCodes::FRAME_TRANSFORM_FAILURE,
            Self::CollisionCheckingUnavailable => MoveItErrorCodes::COLLISION_CHECKING_UNAVAILABLE,
            Self::RobotStateStale => MoveItErrorCodes::ROBOT_STATE_STALE,
            Self::NoIkSolution => MoveItErrorCodes::NO_IK_SOLUTION,
        }
    }

    /// This code with a sentence.
    pub fn because(self, message: impl Into<String>) -> Failure {
        Failure { code: self, message: message.into() }
    }

    /// As it is answered, with a sentence.
    pub fn answer(self, message: impl Into<String>) -> MoveItErrorCodes {
        let (val, message, source) = (self.number(), message.into(), SOURCE.to_owned());
        MoveItErrorCodes { val, message, source }
    }
}

impl Failure {
    /// As it is answered.
    pub fn answer(self) -> MoveItErrorCodes {
        self.code.answer(self.message)
    }
}

impl From<FrameError> for Failure {
    fn from(error: FrameError) -> Self {
        let code = match error {
            FrameError::NotMeasured { .. } => Code::RobotStateStale,
            _ => Code::FrameTransformFailure,
        };
        code.because(error.to_string())
    }
}
