//! Whether a goal goes on, is reached, or has failed.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::f64::consts::{PI, TAU};

use super::goal::{Goal, Violation};
use super::motions::Moving;
use crate::control::arm::MeasuredJoint;
use crate::trajectory::limits::JointLimits;
use crate::trajectory::spline::JointState;

/// What becomes of a goal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Nothing yet.
    GoOn,
    /// It is at its end.
    Reached,
    /// A joint is too far from its reference on the way.
    TooFar(Violation),
    /// A joint is still too far from the end.
    OutOfTime(Violation),
}

/// Judges a goal that is under way.
pub(super) fn judge(
    moving: &Moving,
    limits: &[JointLimits],
    desired: &[JointState],
    measured: &[MeasuredJoint],
) -> Verdict {
    let Moving { goal, elapsed, .. } = moving;
    let tolerances = &goal.tolerances;
    let overdue_secs = elapsed - goal.motion.duration();
    let error =
        |joint: usize| position_error(desired[joint].position, measured[joint].position, &limits[joint]);
    if overdue_secs < 0.0 {
        // A joint that is not heard of lags behind in what is known of it, not in truth.
        let path = |joint: usize| if measured[joint].fresh { tolerances.joints[joint].path } else { 0.0 };
        let violation = first_violation(goal, error, path);
        return violation.map_or(Verdict::GoOn, |v| Verdict::TooFar(Violation { after_secs: *elapsed, ..v }));
    }
    // Silence is no arrival: a joint that is not heard of counts where it was last.
    let Some(violation) = first_violation(goal, error, |joint| tolerances.joints[joint].goal) else {
        return Verdict::Reached;
    };
    let to_settle = Some(tolerances.goal_time_secs).filter(|secs| 0.0 < *secs);
    match to_settle.or(tolerances.timeout_secs) {
        Some(patience) if patience < overdue_secs => Verdict::OutOfTime(Violation {
            after_secs: *elapsed,
            overdue_secs: overdue_secs - patience,
            ..violation
        }),
        _ => Verdict::GoOn,
    }
}

/// The first joint that is too far from where the client says that the motion starts.
pub(super) fn stated_start(
    goal: &Goal,
    limits: &[JointLimits],
    measured: &[MeasuredJoint],
) -> Option<Violation> {
    let joints = goal.motion.joints();
    let error = |joint: usize| {
        let column = joints.iter().position(|j| *j == joint)?;
        Some(position_error(goal.motion.stated_start(column)?, measured[joint].position, &limits[joint]))
    };
    first_violation(goal, |joint| error(joint).unwrap_or(0.0), |joint| goal.tolerances.joints[joint].path)
}

/// The first joint of the goal whose error is beyond its tolerance.
fn first_violation(
    goal: &Goal,
    error_of: impl Fn(usize) -> f64,
    tolerance_of: impl Fn(usize) -> f64,
) -> Option<Violation> {
    goal.motion.joints().iter().find_map(|&joint| {
        let (error, tolerance) = (error_of(joint), tolerance_of(joint));
        (0.0 < tolerance && tolerance < error.abs()).then_some(Violation {
            joint,
            error,
            tolerance,
            after_secs: 0.0,
            overdue_secs: 0.0,
        })
    })
}

/// How far a joint is from where it should be; the shorter way round where it turns for ever.
pub fn position_error(desired: f64, measured: f64, limits: &JointLimits) -> f64 {
    let error = desired - measured;
    if limits.is_continuous() { (error + PI).rem_euclid(TAU) - PI } else { error }
}
