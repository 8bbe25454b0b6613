//! A trajectory under way: joined to where the arm is when it is taken up, then sampled.
//!
//! A client's first waypoint lies somewhere ahead of the arm. A smooth trajectory is bent there from the arm's state; a
//! line, and a trajectory without times, is reached by time-optimal moves within the limits. Allocates nothing once it
//! is made, because that happens in the control thread.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use super::leg::{Leg, plan_together};
use super::limits::JointLimits;
use super::spline::{Degree, JointState};
use super::waypoints::{Timing, Trajectory};
use crate::config::arm::MAX_JOINTS;

/// A trajectory, and how the arm gets onto it.
#[derive(Clone, Debug)]
pub struct Motion {
    trajectory: Trajectory,
    /// For each column the move with which the motion begins, where it begins with one.
    legs: Vec<Leg>,
    /// Room for moves that are being planned.
    planned: Vec<Leg>,
    lead: Lead,
}

/// How a motion begins. Times are seconds of the motion.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lead {
    /// By the spline itself.
    Spline,
    /// By moves from one time to another; there the spline goes on at its own time `spline_at`.
    Legs { from: f64, until: f64, spline_at: f64 },
}

impl Motion {
    /// A motion that has not begun.
    pub fn new(trajectory: Trajectory) -> Self {
        let legs = vec![Leg::at_rest(0.0); trajectory.joints.len()];
        Self { planned: legs.clone(), legs, lead: Lead::Spline, trajectory }
    }

    /// For each column the joint that it moves (index into the controller's list).
    pub fn joints(&self) -> &[usize] {
        &self.trajectory.joints
    }

    /// How many times faster than planned it can be played within the limits; at least 1.
    pub fn fastest(&self) -> f64 {
        self.trajectory.fastest
    }

    /// Seconds from the start to the end.
    pub fn duration(&self) -> f64 {
        let spline = &self.trajectory.spline;
        match self.lead {
            Lead::Spline => spline.duration(),
            Lead::Legs { until, spline_at, .. } => until + (spline.duration() - spline_at),
        }
    }

    /// Where a column ends.
    pub fn end(&self, column: usize) -> JointState {
        self.trajectory.spline.end(column)
    }

    /// Whether some joint is told to be in motion at the end.
    pub fn ends_moving(&self) -> bool {
        (0..self.joints().len()).any(|column| self.end(column).velocity != 0.0)
    }

    /// The position of each column at time 0, where the client has said it.
    pub fn stated_start(&self, column: usize) -> Option<f64> {
        let first = self.trajectory.spline.waypoint(0);
        let is_start = self.trajectory.timing == Timing::Given && first.time == 0.0;
        is_start.then(|| first.state(column).position)
    }

    /// When its client wants it to end (s), if it said so; 0 otherwise.
    pub fn stated_duration(&self) -> f64 {
        match self.trajectory.timing {
            Timing::Given => self.trajectory.spline.duration(),
            Timing::Optimal => 0.0,
        }
    }

    /// Whether all that is asked for is a position for each joint.
    pub fn is_single_point(&self) -> bool {
        let Trajectory { spline, timing, .. } = &self.trajectory;
        let is_alone = spline.waypoint_count() == 1;
        is_alone && (*timing == Timing::Optimal || spline.waypoint(0).degree == Degree::Linear)
    }

    /// Begins the motion at `time`, coming from `states` with `limits` (of the controller's joints).
    pub fn begin(&mut self, time: f64, states: &[JointState], limits: &[JointLimits]) {
        let Trajectory { joints, spline, timing, .. } = &mut self.trajectory;
        spline.unwind(time, |column| states[joints[column]]);
        let ahead = spline.waypoint_to_join(time);
        let next = ahead.unwrap_or(spline.waypoint_count() - 1);
        let waypoint = spline.waypoint(next);
        let least = match timing {
            // Of a motion that is over already only its end is left to go to.
            _ if ahead.is_none() => Some(0.0),
            Timing::Optimal => Some(0.0),
            Timing::Given if waypoint.degree == Degree::Linear => Some((waypoint.time - time).max(0.0)),
            Timing::Given => None,
        };
        let at_rest = [0.0; MAX_JOINTS];
        let velocities = ahead.is_none().then_some(&at_rest[..]);
        let duration = least.and_then(|least| self.plan(next, states, limits, least, velocities));
        match duration {
            Some(duration) => self.lead_by_planned(time, duration, next),
            None => {
                let Trajectory { joints, spline, .. } = &mut self.trajectory;
                spline.begin(time, |column| states[joints[column]]);
            }
        }
    }

    /// Moves from `time` on to the point of a motion that has but one, and passes it with `velocities` (one for each
    /// column) after `least` seconds or later. Where that would mean to take a run-up, it stops there instead.
    pub fn redirect(
        &mut self,
        time: f64,
        states: &[JointState],
        limits: &[JointLimits],
        least: f64,
        velocities: &[f64],
    ) {
        let at_rest = [0.0; MAX_JOINTS];
        for velocities in [velocities, &at_rest] {
            if let Some(duration) = self.plan(0, states, limits, least, Some(velocities))
                && !self.takes_a_run_up(states, limits)
            {
                return self.lead_by_planned(time, duration, 0);
            }
        }
    }

    /// The state of every joint that moves at `time`, given to `put(joint, state)`; before and after, it rests at the
    /// ends.
    pub fn sample(&mut self, time: f64, mut put: impl FnMut(usize, JointState)) {
        let Trajectory { joints, spline, .. } = &mut self.trajectory;
        match self.lead {
            Lead::Legs { from, until, .. } if time < until => {
                for (&joint, leg) in joints.iter().zip(&self.legs) {
                    put(joint, leg.sample(time - from));
                }
            }
            Lead::Legs { until, spline_at, .. } => {
                spline.sample(spline_at + (time - until), |column, state| put(joints[column], state));
            }
            Lead::Spline => spline.sample(time, |column, state| put(joints[column], state)),
        }
    }

    /// Plans moves that arrive at a waypoint together, and gives how long they take (s).
    fn plan(
        &mut self,
        waypoint: usize,
        states: &[JointState],
        limits: &[JointLimits],
        least: f64,
        velocities: Option<&[f64]>,
    ) -> Option<f64> {
        let Trajectory { joints, spline, .. } = &self.trajectory;
        let target = spline.waypoint(waypoint);
        let mut from = [JointState::default(); MAX_JOINTS];
        let mut to = from;
        let mut within = [*limits.first()?; MAX_JOINTS];
        for (column, &joint) in joints.iter().enumerate() {
            (from[column], within[column]) = (states[joint], limits[joint]);
            to[column] = target.state(column);
            if let Some(velocities) = velocities {
                to[column].velocity = velocities[column];
            }
        }
        let count = joints.len();
        plan_together(&from[..count], &to[..count], &within[..count], least, &mut self.planned).ok()
    }

    /// Whether a planned move leads away from its target farther than braking takes.
    fn takes_a_run_up(&self, states: &[JointState], limits: &[JointLimits]) -> bool {
        self.planned.iter().zip(&self.trajectory.joints).any(|(leg, &joint)| {
            let JointState { position, velocity, .. } = states[joint];
            let limits = &limits[joint];
            let stop = position + velocity.signum() * limits.stopping_distance(velocity);
            let ends = [position, stop, leg.target().position];
            let (least, most) = leg.reach();
            least < ends.into_iter().fold(f64::INFINITY, f64::min) - RUN_UP
                || ends.into_iter().fold(f64::NEG_INFINITY, f64::max) + RUN_UP < most
        })
    }

    /// From `time` on the planned moves lead to a waypoint.
    fn lead_by_planned(&mut self, time: f64, duration: f64, waypoint: usize) {
        std::mem::swap(&mut self.legs, &mut self.planned);
        let spline_at = self.trajectory.spline.waypoint(waypoint).time;
        self.lead = Lead::Legs { from: time, until: time + duration, spline_at };
    }
}

/// A detour (rad or m) that is none.
const RUN_UP: f64 = 0.01;

#[cfg(test)]
#[path = "motion_tests.rs"]
mod tests;
