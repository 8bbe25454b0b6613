//! From a path of the tool to a trajectory of the joints, as far as the arm gets.
//!
//! Knows no clock and no ROS.

use thiserror::Error;

use super::joint_path::{JointPath, JointSection, Stop, WalkError, WalkOptions};
use super::path::Path;
use super::sampled::Derivatives;
use super::timing::{self, CartesianLimits, TimingError, TimingLimits, ToolSpeed};
use crate::kinematics::Chain;
use crate::kinematics::ik::Solver;
use crate::trajectory::limits::JointLimits;
use crate::trajectory::spline::{Degree, JointState, Waypoint};
use crate::trajectory::waypoints::{LimitsPolicy, Point, Rules, Waypoints};

/// What is to be planned with.
#[derive(Clone, Copy)]
pub struct PlanOptions<'a> {
    /// How the joints follow the path.
    pub walk: WalkOptions<'a>,
    /// Of the chain's joints.
    pub joints: &'a [JointLimits],
    /// Of the tip.
    pub tip: CartesianLimits,
    /// How fast the tip should go.
    pub tool_speed: ToolSpeed,
    /// A frame that must not be faster (m/s): its chain has the solver's joints, or the first few of them.
    pub frame_speed: Option<(&'a Chain, f64)>,
}

/// A motion along a path, or along its first part.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Positions, velocities and accelerations of the chain's joints, from rest at time 0 to rest; quintics between
    /// them are within the limits. Of a path that goes nowhere there is the start alone.
    pub waypoints: Vec<Waypoint>,
    /// The part of the path's length that the motion covers, 0 to 1.
    pub fraction: f64,
    /// Why it ends before the path does.
    pub stop: Option<Stop>,
}

/// Why there is no motion at all.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum PlanError {
    /// The start or an option.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// The limits.
    #[error(transparent)]
    Timing(#[from] TimingError),
    /// What was planned does not pass the check of trajectories.
    #[error("the motion along the path is refused: {0}")]
    Refused(String),
    /// The frame whose speed is limited is moved by other joints.
    #[error("the frame whose speed is limited is moved by joint {0}, which the path does not move")]
    OtherJoints(String),
}

impl Plan {
    /// Seconds from begin to end.
    pub fn duration(&self) -> f64 {
        self.waypoints.last().map_or(0.0, |waypoint| waypoint.time)
    }
}

/// Plans the motion along a path from start positions, in the order of the solver's joints, where the arm is at rest.
///
/// # Errors
/// Where the start, an option or a limit makes no sense. A path that cannot be followed to its end is no error.
pub fn plan(solver: &Solver, path: &Path, start: &[f64], options: &PlanOptions) -> Result<Plan, PlanError> {
    let frame_speed = options.frame_speed.map_or(f64::INFINITY, |(_, speed)| speed);
    let PlanOptions { joints, tip, tool_speed, .. } = *options;
    let limits = TimingLimits { joints, tip, tool_speed, frame_speed };
    timing::check(&limits, solver.chain().dof())?;
    let JointPath { mut sections, fraction, stop } = JointPath::follow(solver, path, start, &options.walk)?;
    if let Some((chain, _)) = options.frame_speed {
        let places = joint_places(solver.chain(), chain)?;
        sections.iter_mut().for_each(|section| section.add_frame(chain, &places));
    }
    let first: Vec<JointState> = start.iter().map(|&position| JointState::at_rest(position)).collect();
    let mut waypoints = vec![Waypoint { time: 0.0, degree: Degree::Quintic, states: first }];
    for section in &sections {
        let timed = timed(section, &limits)?;
        let begin = waypoints.last().map_or(0.0, |waypoint| waypoint.time);
        waypoints.extend(
            timed.into_iter().skip(1).map(|waypoint| Waypoint { time: begin + waypoint.time, ..waypoint }),
        );
    }
    Ok(Plan { waypoints, fraction, stop })
}

/// Where the joints of one chain are in another.
fn joint_places(all: &Chain, some: &Chain) -> Result<Vec<usize>, PlanError> {
    let place = |name: &String| all.joints().iter().position(|joint| joint.name == *name);
    let each = some.joints().iter().map(|joint| &joint.name);
    each.map(|name| place(name).ok_or_else(|| PlanError::OtherJoints(name.clone()))).collect()
}

/// The motion along a section, slowed down until the check of trajectories has nothing against it.
fn timed(section: &JointSection, limits: &TimingLimits) -> Result<Vec<Waypoint>, PlanError> {
    let law = timing::time(section, limits)?;
    let mut curves = vec![[0.0; 4]; section.curves().columns()];
    let mut waypoint = |(time, place): (f64, Derivatives)| {
        section.curves().at(place[0], &mut curves);
        let [_, speed, acceleration, _] = place;
        let state = |(curve, limits): (&Derivatives, &JointLimits)| JointState {
            position: inside(curve[0], limits),
            velocity: curve[1] * speed,
            acceleration: curve[2] * speed * speed + curve[1] * acceleration,
        };
        let states = curves.iter().zip(limits.joints).map(state).collect();
        Waypoint { time, degree: Degree::Quintic, states }
    };
    let mut waypoints: Vec<Waypoint> = law.nodes().map(&mut waypoint).collect();
    // Rounding must not leave a motion at the ends.
    for end in [0, waypoints.len() - 1] {
        waypoints[end].states.iter_mut().for_each(|state| *state = JointState::at_rest(state.position));
    }
    let step = law.duration() / (waypoints.len() - 1) as f64;
    // Whole nanoseconds, because messages have no others, and a rounded time would be a jerk.
    let factor = (step * excess(&waypoints, limits.joints)? * 1e9).ceil() * 1e-9 / step;
    for (index, waypoint) in waypoints.iter_mut().enumerate() {
        waypoint.time = index as f64 * step * factor;
        for state in &mut waypoint.states {
            state.velocity /= factor;
            state.acceleration /= factor * factor;
        }
    }
    Ok(waypoints)
}

/// Rounding must not take a joint out of its travel.
fn inside(position: f64, limits: &JointLimits) -> f64 {
    const MARGIN: f64 = 1e-8;
    let (lower, upper) = (limits.lower() + MARGIN, limits.upper() - MARGIN);
    if lower < upper { position.clamp(lower, upper) } else { position }
}

/// How many times slower the motion must be, by the check that controllers make.
fn excess(waypoints: &[Waypoint], limits: &[JointLimits]) -> Result<f64, PlanError> {
    let names: Vec<String> = (0..limits.len()).map(|index| format!("#{index}")).collect();
    let point = |waypoint: &Waypoint| {
        let each = |of: fn(&JointState) -> f64| waypoint.states.iter().map(of).collect();
        Point {
            time_from_start: waypoint.time,
            positions: each(|state| state.position),
            velocities: each(|state| state.velocity),
            accelerations: each(|state| state.acceleration),
            effort: Vec::new(),
        }
    };
    let points = waypoints.iter().map(point).collect();
    let start = waypoints.first().map_or(&[][..], |waypoint| &waypoint.states);
    let rules = Rules { start, policy: LimitsPolicy::Retime, ..Rules::new(&names, limits) };
    let checked = Waypoints { joint_names: names.clone(), points }.validate(rules);
    let trajectory = checked.map_err(|refusal| PlanError::Refused(refusal.to_string()))?;
    Ok(trajectory.slowed.map_or(1.0, |slowed| slowed.factor))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
