//! How goals end, in the codes and words of `joint_trajectory_controller`.

use r2r::control_msgs::action::FollowJointTrajectory::Result as ResultMessage;

use crate::control::follower::Outcome;
use crate::nodes::action_server::GoalEnd;
use crate::trajectory::refusal::RefusalKind;

/// How a goal ends, as its client is told.
pub(super) struct Ending {
    pub(super) end: GoalEnd,
    pub(super) result: ResultMessage,
}

pub(super) const SUCCESSFUL: i32 = ResultMessage::SUCCESSFUL as i32;
const INVALID_GOAL: i32 = ResultMessage::INVALID_GOAL as i32;
const INVALID_JOINTS: i32 = ResultMessage::INVALID_JOINTS as i32;
const OLD_HEADER_TIMESTAMP: i32 = ResultMessage::OLD_HEADER_TIMESTAMP as i32;
const PATH_TOLERANCE_VIOLATED: i32 = ResultMessage::PATH_TOLERANCE_VIOLATED as i32;
const GOAL_TOLERANCE_VIOLATED: i32 = ResultMessage::GOAL_TOLERANCE_VIOLATED as i32;

/// What replaced a goal, in words.
pub(super) const BY_ACTION: &str = "new incoming action";
/// The same, of a trajectory that came by topic.
pub(super) const BY_TOPIC: &str = "a trajectory from the topic";

/// The ending of a goal that is refused.
pub(super) fn refused(kind: RefusalKind, why: String) -> Ending {
    let code = match kind {
        RefusalKind::Goal => INVALID_GOAL,
        RefusalKind::Joints => INVALID_JOINTS,
        RefusalKind::OldTimestamp => OLD_HEADER_TIMESTAMP,
    };
    Ending::new(GoalEnd::Aborted, code, why)
}

/// The ending of a goal that is cancelled.
pub(super) fn cancelled() -> Ending {
    Ending::new(GoalEnd::Canceled, SUCCESSFUL, String::new())
}

/// The ending of a goal that was taken up, or could have been. `names` are the controller's joints.
pub(super) fn ending(outcome: &Outcome, names: &[String], replaced_by: &str) -> Ending {
    let name = |joint: usize| names.get(joint).map_or("?", String::as_str);
    let (end, code, text) = match outcome {
        Outcome::Reached => (GoalEnd::Succeeded, SUCCESSFUL, "Goal successfully reached!".to_owned()),
        Outcome::Cancelled => return cancelled(),
        Outcome::Replaced => {
            (GoalEnd::Aborted, INVALID_GOAL, format!("Current goal preempted by {replaced_by}."))
        }
        Outcome::Deactivated => (
            GoalEnd::Aborted,
            INVALID_GOAL,
            "Current goal cancelled during deactivate transition.".to_owned(),
        ),
        Outcome::Halted(why) => (GoalEnd::Aborted, INVALID_GOAL, format!("The arm cannot move: {why}.")),
        Outcome::PathTolerance(v) => (
            GoalEnd::Aborted,
            PATH_TOLERANCE_VIOLATED,
            format!(
                "Aborted due to path tolerance violation: joint {} is off by {:.4} after {:.3} s, tolerance {:.4}.",
                name(v.joint),
                v.error,
                v.after_secs,
                v.tolerance
            ),
        ),
        Outcome::GoalTolerance(v) => (
            GoalEnd::Aborted,
            GOAL_TOLERANCE_VIOLATED,
            format!(
                "Aborted due to goal_time_tolerance exceeding by {:.6} seconds: joint {} is off by {:.4}, tolerance {:.4}.",
                v.overdue_secs,
                name(v.joint),
                v.error,
                v.tolerance
            ),
        ),
    };
    Ending::new(end, code, text)
}

impl Ending {
    fn new(end: GoalEnd, error_code: i32, error_string: String) -> Self {
        Self { end, result: ResultMessage { error_code, error_string } }
    }
}
