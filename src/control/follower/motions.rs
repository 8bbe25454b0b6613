//! What drives each joint now: nothing, a motion, or coming to rest; and the motions that are needed for it.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use super::goal::{Goal, GoalId};
use crate::control::limiter::Limiter;
use crate::trajectory::limits::JointLimits;
use crate::trajectory::spline::JointState;

/// What drives a joint.
#[derive(Debug)]
pub(super) enum Source {
    /// Nothing; it keeps its place.
    Rest,
    /// The motion of this goal.
    Moving(GoalId),
    /// It comes to rest.
    Braking(Limiter),
}

/// A goal whose motion some joint follows.
#[derive(Debug)]
pub(super) struct Moving {
    /// The goal.
    pub goal: Box<Goal>,
    /// Seconds of the trajectory since its start.
    pub elapsed: f64,
    /// When its point turns from one of a stream, which is passed, into a place to stop at.
    pub stop_at: Option<f64>,
}

/// The joints' sources, and the motions that they follow.
#[derive(Debug)]
pub(super) struct Motions {
    sources: Vec<Source>,
    /// In the order in which they were taken up; never more than one for each joint and one to come.
    moving: Vec<Moving>,
    /// Whether the last one is the goal that is judged.
    has_current: bool,
}

impl Moving {
    /// Takes up a goal that should have started `late_secs` ago, from where the reference is.
    pub(super) fn begin(
        mut goal: Box<Goal>,
        late_secs: f64,
        desired: &[JointState],
        limits: &[JointLimits],
    ) -> Self {
        goal.motion.begin(late_secs, desired, limits);
        Self { goal, elapsed: late_secs, stop_at: None }
    }

    /// Goes to its only point from where the reference is now.
    pub(super) fn redirect(
        &mut self,
        desired: &[JointState],
        limits: &[JointLimits],
        least_secs: f64,
        velocities: &[f64],
    ) {
        self.goal.motion.redirect(self.elapsed, desired, limits, least_secs, velocities);
    }

    /// The states of its joints at a time, given to `put(joint, state)`.
    pub(super) fn sample(&mut self, at: f64, put: impl FnMut(usize, JointState)) {
        self.goal.motion.sample(at, put);
    }
}

impl Motions {
    /// Every joint rests.
    pub(super) fn new(joints: usize) -> Self {
        let sources = (0..joints).map(|_| Source::Rest).collect();
        Self { sources, moving: Vec::with_capacity(joints + 2), has_current: false }
    }

    /// The goal that is judged.
    pub(super) fn current(&self) -> Option<&Moving> {
        self.moving.last().filter(|_| self.has_current)
    }

    /// The goal that is judged.
    pub(super) fn current_mut(&mut self) -> Option<&mut Moving> {
        self.moving.last_mut().filter(|_| self.has_current)
    }

    /// From now on no goal is judged; gives the one that was.
    pub(super) fn no_longer_current(&mut self) -> Option<GoalId> {
        let id = self.current().map(|moving| moving.goal.id);
        self.has_current = false;
        id
    }

    /// Whether no joint moves.
    pub(super) fn all_rest(&self) -> bool {
        self.sources.iter().all(|source| matches!(source, Source::Rest))
    }

    /// From now on the goal's joints follow it, and it is judged.
    pub(super) fn take_up(&mut self, moving: Moving) {
        for &joint in moving.goal.motion.joints() {
            self.sources[joint] = Source::Moving(moving.goal.id);
        }
        self.moving.push(moving);
        self.has_current = true;
    }

    /// No joint moves any more, at once.
    pub(super) fn rest_all(&mut self) {
        self.sources.iter_mut().for_each(|source| *source = Source::Rest);
    }

    /// Every joint that follows a motion comes to rest within its limits.
    pub(super) fn brake_all(&mut self, told: &[JointState], limits: &[JointLimits], period_secs: f64) {
        for (joint, source) in self.sources.iter_mut().enumerate() {
            if matches!(source, Source::Moving(_)) {
                *source = Source::Braking(Limiter::moving(limits[joint], period_secs, told[joint]));
            }
        }
    }

    /// Time of every trajectory goes on.
    pub(super) fn pass_time(&mut self, secs: f64) {
        self.moving.iter_mut().for_each(|moving| moving.elapsed += secs);
    }

    /// The states of all joints that follow a motion, `ahead` seconds of trajectory time from now.
    pub(super) fn sample(&mut self, ahead: f64, speed_factor: f64, states: &mut [JointState]) {
        for moving in &mut self.moving {
            let id = moving.goal.id;
            let (sources, at) = (&self.sources, moving.elapsed + ahead);
            moving.sample(at, |joint, state| {
                if matches!(sources[joint], Source::Moving(source) if source == id) {
                    states[joint] = JointState {
                        position: state.position,
                        velocity: state.velocity * speed_factor,
                        acceleration: state.acceleration * speed_factor * speed_factor,
                    };
                }
            });
        }
    }

    /// Joints whose motion is over `ahead` seconds of trajectory time from now rest; where it ends in motion, they
    /// brake.
    pub(super) fn settle_ends(
        &mut self,
        ahead: f64,
        desired: &[JointState],
        limits: &[JointLimits],
        period_secs: f64,
    ) {
        for moving in &self.moving {
            let motion = &moving.goal.motion;
            if moving.elapsed + ahead < motion.duration() {
                continue;
            }
            for (column, &joint) in motion.joints().iter().enumerate() {
                if !matches!(self.sources[joint], Source::Moving(id) if id == moving.goal.id) {
                    continue;
                }
                self.sources[joint] = if motion.end(column).velocity == 0.0 {
                    Source::Rest
                } else {
                    Source::Braking(Limiter::moving(limits[joint], period_secs, desired[joint]))
                };
            }
        }
    }

    /// One step on the way to rest, of every joint that brakes.
    pub(super) fn advance_braking(&mut self, states: &mut [JointState]) {
        for (source, state) in self.sources.iter_mut().zip(states) {
            let Source::Braking(limiter) = source else { continue };
            limiter.brake();
            *state = JointState {
                position: limiter.position(),
                velocity: limiter.velocity(),
                acceleration: limiter.acceleration(),
            };
            if (state.velocity, state.acceleration) == (0.0, 0.0) {
                *source = Source::Rest;
            }
        }
    }

    /// A goal that is neither judged nor followed by any joint.
    pub(super) fn pop_unused(&mut self) -> Option<Box<Goal>> {
        let judged = self.current().map(|moving| moving.goal.id);
        let is_used = |id| {
            judged == Some(id)
                || self.sources.iter().any(|source| matches!(source, Source::Moving(s) if *s == id))
        };
        let unused = self.moving.iter().position(|moving| !is_used(moving.goal.id))?;
        Some(self.moving.remove(unused).goal)
    }
}
