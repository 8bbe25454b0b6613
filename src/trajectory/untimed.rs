//! Times for a trajectory that has none.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use super::limits::JointLimits;
use super::refusal::Refusal;
use super::spline::{Degree, JointState, Waypoint};

/// Waypoints at these positions, as early as the limits allow.
///
/// One position is at time 0, as the client says: the motion there is planned when it is taken up.
pub(super) fn time_optimal(
    _start: &[JointState],
    positions: &[Vec<f64>],
    _limits: &[JointLimits],
) -> Result<Vec<Waypoint>, Refusal> {
    if 1 < positions.len() {
        return Err(Refusal::Time { point: 1, before: 0.0, time: 0.0 });
    }
    let waypoint = |positions: &Vec<f64>| Waypoint {
        time: 0.0,
        degree: Degree::Linear,
        states: positions.iter().map(|&position| JointState::at_rest(position)).collect(),
    };
    Ok(positions.iter().map(waypoint).collect())
}
