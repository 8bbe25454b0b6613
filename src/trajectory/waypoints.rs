//! A trajectory as a client sends it, and the motion that is made of it.
//!
//! ```text
//! Waypoints ─checked─▶ positions integrated ─▶ timed ─▶ smoothed ─▶ Spline ─held against the limits─▶ Trajectory
//! ```
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::borrow::Cow;

use super::checks::check_times;
use super::feasibility::Quantity;
use super::limits::JointLimits;
use super::planning::Columns;
use super::refusal::Refusal;
use super::spline::{Degree, JointState, Spline, Waypoint};
use super::{integration, upsampling};
pub use crate::config::controller::{Interpolation, LimitsPolicy};

/// The most points that a trajectory may have.
pub const MAX_POINTS: usize = 100_000;

/// A trajectory as it comes: any length of any list, any number in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Waypoints {
    /// The names that the lists of every point follow.
    pub joint_names: Vec<String>,
    /// The points, in the order of their times.
    pub points: Vec<Point>,
}

/// One point of a trajectory as it comes; a list may be empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// Seconds from the trajectory's start.
    pub time_from_start: f64,
    /// Positions (rad or m).
    pub positions: Vec<f64>,
    /// Velocities (rad/s or m/s).
    pub velocities: Vec<f64>,
    /// Accelerations (rad/s² or m/s²).
    pub accelerations: Vec<f64>,
    /// Efforts (N m or N).
    pub effort: Vec<f64>,
}

impl Point {
    /// Seconds of a duration as ROS gives it, for the point #`point`.
    ///
    /// # Errors
    /// Where the nanoseconds make a second or more.
    pub fn seconds(point: usize, sec: i32, nanosec: u32) -> Result<f64, Refusal> {
        if 1_000_000_000 <= nanosec {
            return Err(Refusal::Nanoseconds { point, nanosec });
        }
        Ok(f64::from(sec) + f64::from(nanosec) * 1e-9)
    }

    fn is_positions_only(&self) -> bool {
        !self.positions.is_empty() && self.velocities.is_empty() && self.accelerations.is_empty()
    }

    fn waypoint(&self, interpolates: bool) -> Waypoint {
        let degree = match (self.velocities.is_empty(), self.accelerations.is_empty()) {
            _ if !interpolates => Degree::Step,
            (true, _) => Degree::Linear,
            (false, true) => Degree::Cubic,
            (false, false) => Degree::Quintic,
        };
        let value = |list: &[f64], column: usize| list.get(column).copied().unwrap_or(0.0);
        let state = |(column, &position): (usize, &f64)| JointState {
            position,
            velocity: value(&self.velocities, column),
            acceleration: value(&self.accelerations, column),
        };
        let states = self.positions.iter().enumerate().map(state).collect();
        Waypoint { time: self.time_from_start, degree, states }
    }
}

/// What a trajectory is held against.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The arm's joints.
    pub joints: &'a [String],
    /// Their limits, in the same order.
    pub limits: &'a [JointLimits],
    /// Where the reference is now, in the same order; empty where nobody knows where the trajectory will start.
    pub start: &'a [JointState],
    /// At which of its times (s) the trajectory is joined; more than 0 where it should have started already.
    pub joined_at: f64,
    /// Whether joints may be left out.
    pub allow_partial: bool,
    /// Whether the last point may be in motion.
    pub allow_moving_end: bool,
    /// Whether positions may be left out and are integrated.
    pub allow_integration: bool,
    /// What lies between the points.
    pub interpolation: Interpolation,
    /// What happens where the limits are broken.
    pub policy: LimitsPolicy,
    /// Makes a smooth motion of positions alone; the number is the rate (Hz) at which points follow that have no
    /// times, or 0.
    pub upsampling: Option<f64>,
}

impl<'a> Rules<'a> {
    /// The rules for an arm that nobody has configured: as `joint_trajectory_controller` has them.
    pub fn new(joints: &'a [String], limits: &'a [JointLimits]) -> Self {
        Self {
            joints,
            limits,
            start: &[],
            joined_at: 0.0,
            allow_partial: false,
            allow_moving_end: false,
            allow_integration: false,
            interpolation: Interpolation::Splines,
            policy: LimitsPolicy::Shorten,
            upsampling: None,
        }
    }
}

/// Where a trajectory has its times from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// The client gave them, or a rate.
    Given,
    /// It has positions alone; so it is as fast as the limits allow, from wherever it starts.
    Optimal,
}

/// That a trajectory was slowed down, and what for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slowed {
    /// How many times longer everything takes.
    pub factor: f64,
    /// What was too much.
    pub quantity: Quantity,
    /// Which joint it was too much for (index into the arm's list).
    pub joint: usize,
    /// When that was (s), in the client's time.
    pub time: f64,
    /// How much it was.
    pub value: f64,
    /// How much it may be.
    pub limit: f64,
}

impl Slowed {
    /// What was done and why, in words; `joint` is the joint's name.
    pub fn in_words(&self, joint: &str) -> String {
        let Self { factor, time, value, limit, .. } = self;
        let quantity = self.quantity.to_string().to_lowercase();
        format!(
            "it takes {factor:.3} times as long, because the {quantity} of joint {joint} would be {value:.4} after \
             {time:.3} s; its limit is {limit:.4}"
        )
    }
}

/// A trajectory that can be executed: finite, within the travel, its time strictly increasing.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// For each column of the spline, the joint it moves (index into the arm's list).
    pub joints: Vec<usize>,
    /// The motion itself.
    pub spline: Spline,
    /// Where its times are from.
    pub timing: Timing,
    /// Whether it was slowed down, and why.
    pub slowed: Option<Slowed>,
    /// How many times faster it could be played within the limits; 1 at least, and without end where it asks for
    /// nothing that is limited.
    pub fastest: f64,
}

impl Waypoints {
    /// Makes a trajectory of the points.
    ///
    /// # Errors
    /// The first thing that is wrong, with the joint, the point or the time, the value and the limit.
    pub fn validate(&self, rules: Rules<'_>) -> Result<Trajectory, Refusal> {
        if self.points.is_empty() {
            return Err(Refusal::NoPoints);
        }
        let interpolates = rules.interpolation == Interpolation::Splines;
        let integrates = rules.allow_integration && interpolates;
        let joints = self.joint_indices(&rules)?;
        self.check_points(integrates)?;
        if !rules.allow_moving_end {
            self.check_rest_at_end()?;
        }
        let mut columns = Columns::of(&self.joint_names, joints, &rules);
        let positions_only = interpolates && self.points.iter().all(Point::is_positions_only);
        let timeless = self.points.iter().all(|point| point.time_from_start == 0.0);
        let upsampling = rules.upsampling.filter(|_| positions_only);
        let rate = upsampling.filter(|rate| timeless && 0.0 < *rate && rate.is_finite());
        if positions_only && timeless && rate.is_none() {
            self.check_positions(&self.points, &columns.limits)?;
            columns.unwind_start(&self.points[0].positions);
            return columns.plan_untimed(&self.points);
        }
        let mut points = Cow::Borrowed(self.points.as_slice());
        if let Some(rate) = rate {
            upsampling::time(points.to_mut(), rate);
        }
        check_times(&points)?;
        if let Some(first) = points.iter().position(|point| point.positions.is_empty()) {
            if columns.start.is_empty() {
                return Err(Refusal::NoStart(first));
            }
            integration::integrate(points.to_mut(), &columns.start);
        }
        self.check_positions(&points, &columns.limits)?;
        columns.unwind_start(&points[0].positions);
        let mut waypoints: Vec<Waypoint> = points.iter().map(|point| point.waypoint(interpolates)).collect();
        if upsampling.is_some() {
            upsampling::smooth(&mut waypoints, &columns.start);
        }
        columns.plan(&waypoints, rules.policy)
    }
}

#[cfg(test)]
#[path = "waypoints_tests.rs"]
mod tests;
