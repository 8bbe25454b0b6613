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
            Self::Success => MoveItErrorCodes::SUCCESS as i32,
            Self::Failure => MoveItErrorCodes::FAILURE as i32,
            Self::InvalidMotionPlan => MoveItErrorCodes::INVALID_MOTION_PLAN as i32,
            Self::ControlFailed => MoveItErrorCodes::CONTROL_FAILED as i32,
            Self::TimedOut => MoveItErrorCodes::TIMED_OUT as i32,
            Self::Preempted => MoveItErrorCodes::PREEMPTED as i32,
            Self::StartStateInCollision => MoveItErrorCodes::START_STATE_IN_COLLISION as i32,
            Self::GoalInCollision => MoveItErrorCodes::GOAL_IN_COLLISION as i32,
            Self::GoalConstraintsViolated => MoveItErrorCodes::GOAL_CONSTRAINTS_VIOLATED as i32,
            Self::InvalidGroupName => MoveItErrorCodes::INVALID_GROUP_NAME as i32,
            Self::InvalidGoalConstraints => MoveItErrorCodes::INVALID_GOAL_CONSTRAINTS as i32,
            Self::InvalidRobotState => MoveItErrorCodes::INVALID_ROBOT_STATE as i32,
            Self::InvalidLinkName => MoveItErrorCodes::INVALID_LINK_NAME as i32,
            Self::FrameTransformFailure => MoveItErrorCodes::FRAME_TRANSFORM_FAILURE as i32,
            Self::CollisionCheckingUnavailable => MoveItErrorCodes::COLLISION_CHECKING_UNAVAILABLE as i32,
            Self::RobotStateStale => MoveItErrorCodes::ROBOT_STATE_STALE as i32,
            Self::NoIkSolution => MoveItErrorCodes::NO_IK_SOLUTION as i32,
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
