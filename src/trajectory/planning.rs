//! From waypoints to a motion that is held against what its joints can do.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use super::feasibility::{Findings, Outside, Peak, SLACK, least_factor};
use super::limits::JointLimits;
use super::refusal::Refusal;
use super::spline::{Degree, JointState, Spline, Waypoint, nearest_turn};
use super::timing::time_waypoints;
use super::waypoints::{LimitsPolicy, Point, Rules, Slowed, Timing, Trajectory};

/// The joints that a trajectory moves, in its own order.
pub(super) struct Columns<'a> {
    names: &'a [String],
    /// Indices into the arm's list.
    joints: Vec<usize>,
    pub(super) limits: Vec<JointLimits>,
    /// Where each starts; empty where that is not known.
    pub(super) start: Vec<JointState>,
    /// When it is joined (s).
    joined_at: f64,
}

impl<'a> Columns<'a> {
    pub(super) fn of(names: &'a [String], joints: Vec<usize>, rules: &Rules<'_>) -> Self {
        let limits = joints.iter().map(|&joint| rules.limits[joint]).collect();
        let start = joints.iter().filter_map(|&joint| rules.start.get(joint).copied()).collect();
        Self { names, joints, limits, start, joined_at: rules.joined_at.max(0.0) }
    }

    /// Turns the start of joints that turn for ever so that they go the short way to the first point.
    pub(super) fn unwind_start(&mut self, first: &[f64]) {
        for ((start, limits), &position) in self.start.iter_mut().zip(&self.limits).zip(first) {
            if limits.is_continuous() {
                start.position -= nearest_turn(position, start.position);
            }
        }
    }

    /// The motion through waypoints that have times.
    pub(super) fn plan(self, waypoints: &[Waypoint], policy: LimitsPolicy) -> Result<Trajectory, Refusal> {
        let mut spline = self.spline(waypoints, 1.0);
        let mut findings = Findings::of(&spline, &self.start);
        self.check_places(&findings)?;
        let excess = findings.peak.filter(|peak| 1.0 + SLACK < peak.factor);
        let slowed = match (excess, policy) {
            (Some(excess), LimitsPolicy::Reject) => return Err(self.refusal(excess)),
            // Who joins midway keeps the client's time.
            (Some(excess), LimitsPolicy::Retime) if !self.joins_midway(waypoints) => {
                let (slower, slowed) = self.slow_down(waypoints, excess)?;
                spline = slower;
                Some(slowed)
            }
            _ => None,
        };
        if slowed.is_some() {
            findings = Findings::of(&spline, &self.start);
            // A joint that is under way goes farther, the longer it takes.
            self.check_places(&findings)?;
        }
        let fastest = (1.0 / findings.factor()).max(1.0);
        Ok(Trajectory { joints: self.joints, spline, timing: Timing::Given, slowed, fastest })
    }

    /// The motion through positions that have no times.
    pub(super) fn plan_untimed(self, points: &[Point]) -> Result<Trajectory, Refusal> {
        let positions: Vec<Vec<f64>> = points.iter().map(|point| point.positions.clone()).collect();
        let waypoints = time_waypoints(&self.start, &positions, &self.limits)
            .map_err(|error| Refusal::Untimed(error.to_string()))?;
        let spline = Spline::new(&waypoints, &self.limits, &self.start);
        Ok(Trajectory { joints: self.joints, spline, timing: Timing::Optimal, slowed: None, fastest: 1.0 })
    }

    /// The motion, `factor` times slower than the waypoints say, led in from the start.
    fn spline(&self, waypoints: &[Waypoint], factor: f64) -> Spline {
        let mut spline = if factor == 1.0 {
            Spline::new(waypoints, &self.limits, &self.start)
        } else {
            Spline::new(&stretched(waypoints, factor), &self.limits, &self.start)
        };
        if !self.start.is_empty() {
            spline.begin(self.joined_at, |column| self.start[column]);
        }
        spline
    }

    /// Whether points that should have been passed are left out.
    fn joins_midway(&self, waypoints: &[Waypoint]) -> bool {
        let is_over = |waypoint: &&Waypoint| 0.0 < waypoint.time && waypoint.time <= self.joined_at;
        waypoints.iter().any(|waypoint| is_over(&waypoint))
    }

    /// The motion as much slower as it must be, and what for.
    fn slow_down(&self, waypoints: &[Waypoint], excess: Peak) -> Result<(Spline, Slowed), Refusal> {
        let Peak { quantity, column, time, value, limit, .. } = excess;
        let slowed = |factor| Slowed { factor, quantity, joint: self.joints[column], time, value, limit };
        if let Some(spline) = self.slower_lines(waypoints) {
            let factor = spline.duration() / last_time(waypoints);
            return Ok((spline, slowed(factor)));
        }
        let factor_at = |factor| Findings::of(&self.spline(waypoints, factor), &self.start).factor();
        let factor = least_factor(factor_at).ok_or_else(|| self.refusal(excess))?;
        Ok((self.spline(waypoints, factor), slowed(factor)))
    }

    /// The motion with more time where a line asks for too much, and no more elsewhere; `None` where these are not a
    /// few lines, or that leads nowhere.
    fn slower_lines(&self, waypoints: &[Waypoint]) -> Option<Spline> {
        let are_lines = waypoints.iter().all(|waypoint| waypoint.degree == Degree::Linear);
        if !are_lines || !(2..=MOST_LINES).contains(&waypoints.len()) {
            return None;
        }
        let mut waypoints = waypoints.to_vec();
        for _ in 0..ROUNDS_PER_LINE * waypoints.len() {
            let spline = self.spline(&waypoints, 1.0);
            let findings = Findings::of(&spline, &self.start);
            let Some(excess) = findings.peak.filter(|peak| 1.0 + SLACK < peak.factor) else {
                return Some(spline);
            };
            let index = spline.next_waypoint(excess.time).unwrap_or(waypoints.len() - 1);
            let before = index.checked_sub(1).map_or(0.0, |before| waypoints[before].time);
            let span = waypoints[index].time - before;
            let more = span * (excess.factor - 1.0).clamp(LEAST_STRETCH, MOST_STRETCH);
            waypoints[index..].iter_mut().for_each(|waypoint| waypoint.time += more);
        }
        None
    }

    fn check_places(&self, findings: &Findings) -> Result<(), Refusal> {
        let Some(Outside { column, time, position }) = findings.outside else { return Ok(()) };
        let (joint, limits) = (self.names[column].clone(), &self.limits[column]);
        let (lower, upper) = (limits.lower(), limits.upper());
        Err(Refusal::Overshoot { joint, time, position, lower, upper })
    }

    fn refusal(&self, peak: Peak) -> Refusal {
        let Peak { quantity, column, time, value, limit, .. } = peak;
        Refusal::Excess { quantity, joint: self.names[column].clone(), time, value, limit }
    }
}

/// More lines than this are slowed down as a whole.
const MOST_LINES: usize = 100;
/// How often each line may be given more time, and by which part of its own at least and at most.
const ROUNDS_PER_LINE: usize = 20;
const LEAST_STRETCH: f64 = 0.01;
const MOST_STRETCH: f64 = 0.2;

fn last_time(waypoints: &[Waypoint]) -> f64 {
    waypoints.last().map_or(0.0, |waypoint| waypoint.time)
}

fn stretched(waypoints: &[Waypoint], factor: f64) -> Vec<Waypoint> {
    let stretch = |state: &JointState| JointState {
        position: state.position,
        velocity: state.velocity / factor,
        acceleration: state.acceleration / (factor * factor),
    };
    let stretch = |waypoint: &Waypoint| Waypoint {
        time: waypoint.time * factor,
        degree: waypoint.degree,
        states: waypoint.states.iter().map(stretch).collect(),
    };
    waypoints.iter().map(stretch).collect()
}
