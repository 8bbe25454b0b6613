//! Executes gripper goals: goes to a position, stops at what is in the way, holds it without burning the motor.
//!
//! ```text
//! Holding   a goal                                    ─▶ Limiting
//! Limiting  a lower effort limit had its time         ─▶ Moving     (at once where the limit is not lower)
//! Moving    within tolerance                          ─▶ Holding    Reached
//!           pushes and gets no nearer                 ─▶ Gripping
//!           no nearer for stall_timeout               ─▶ Gripping   Stalled
//! Gripping  no nearer for stall_timeout               ─▶ Gripping   Stalled
//!           free again before that                    ─▶ Moving
//!           within tolerance                          ─▶ Holding    Reached, if the goal is still there
//!           cancel                                    ─▶ Gripping   Cancelled
//! Limiting, Moving: cancel ─▶ Braking, at rest        ─▶ Holding    Cancelled
//! any       another goal                              ─▶ Limiting   Replaced
//!           the arm cannot go on                      ─▶ Holding    Halted
//! ```
//! While it grips the reference is taken back to just beyond the joint, where the effort is the goal's greatest or the
//! holding effort. Once the goal has ended, an object that gives way or is lost is followed at a creep and never beyond
//! the goal; after a cancel no farther than the reference was. The effort limit of a goal stays after its end, until
//! the next goal or until torque comes on anew.
//!
//! Touches one joint of the arm only. Knows no bus: whoever drives the servos keeps the effort limit.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod goal;
mod hold;
mod pace;

use std::collections::VecDeque;

use self::goal::{GripperFinished, GripperGoal, GripperOutcome};
use self::hold::{Grip, Progress, Squeeze};
use self::pace::{Pace, Step};
use super::arm::{MeasuredJoint, Reference, ReferenceSource};
use super::follower::GoalId;
use super::limiter::Limiter;
use crate::config::gripper::GripperRules;
use crate::trajectory::limits::{JointLimits, RawLimits};
use crate::trajectory::spline::JointState;
use crate::units::Time;

/// What a node asks of a gripper.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GripperRequest {
    /// Execute this, instead of what is under way.
    Move(GripperGoal),
    /// End this goal, if it is still there, and stop.
    Cancel(GoalId),
    /// End whatever is under way, and stop.
    Stop,
    /// Obey goals from now on, or end whatever is under way and obey none.
    SetActive(bool),
}

/// What a gripper says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GripperEvent {
    /// A goal ended.
    Finished(GripperFinished),
    /// It obeys goals from now on, or does not any more.
    Active(bool),
}

/// What a joint can do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointEffort {
    /// Its whole effort (N m or N), as the URDF says; 0 where it does not.
    pub rated: f64,
    /// As much of it as the servo is configured to use (N m or N); the rated one where that is not known.
    pub configured: f64,
}

/// What others may see of a gripper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GripperStatus {
    /// The goal under way.
    pub goal: Option<GoalId>,
    /// Whether it pushes against something and does not move.
    pub is_stalled: bool,
}

/// Executes one goal at a time. See the module's picture.
#[derive(Debug)]
pub struct Gripper {
    joint: usize,
    rules: GripperRules,
    limits: JointLimits,
    effort: JointEffort,
    period_secs: f64,
    pace: Pace,
    /// Makes the reference, so that this knows where it is.
    limiter: Limiter,
    measured: MeasuredJoint,
    /// The greatest effort (N m or N); infinite for the configured one.
    effort_limit: f64,
    phase: Phase,
    /// Why no motion is possible now, if so.
    halted: Option<&'static str>,
    active: bool,
    events: VecDeque<GripperEvent>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Holding { at: f64 },
    Limiting { goal: GripperGoal, ticks_left: u32 },
    Moving { goal: GripperGoal, progress: Progress },
    Gripping { goal: Option<GripperGoal>, progress: Progress, squeeze: Squeeze },
    Braking,
}

/// So many ticks a lower effort limit is given to get into the servo before the reference moves.
const LIMIT_TICKS: u32 = 4;
/// A joint that pushes and has not moved for so long (s) has met something.
const CONTACT_SECS: f64 = 0.1;
/// It pushes when it uses this part of the effort to hold with.
const CONTACT_PART: f64 = 0.9;
/// The effort to hold with, as a part of the whole, where nobody says another one.
const HOLDING_PART: f64 = 0.25;
/// The reference is never farther ahead of the joint than this (s) at the joint's greatest speed.
const LONGEST_LEAD_SECS: f64 = 0.1;
/// While it grips the reference goes no farther ahead than this (s) at that speed.
const LONGEST_SQUEEZE_SECS: f64 = 0.05;
/// An object that gives way is followed with this part of the joint's greatest speed.
const CREEP_PART: f64 = 0.02;
/// A cancelled motion leads no farther than so long (s) at the speed that the joint has.
const STOP_SECS: f64 = 0.1;
/// The reference accelerates with this part of what the joint may, so that who follows it late can catch up with it.
const ACCELERATION_PART: f64 = 0.7;
const EVENTS_CAPACITY: usize = 16;

impl Gripper {
    /// A gripper that cannot move yet; `joint` is its index among the arm's.
    pub fn new(
        joint: usize,
        rules: GripperRules,
        limits: JointLimits,
        effort: JointEffort,
        period_secs: f64,
    ) -> Self {
        Self {
            joint,
            rules,
            limits,
            effort,
            period_secs,
            pace: Pace::new(period_secs),
            limiter: Limiter::new(limits, period_secs, 0.0),
            measured: MeasuredJoint::default(),
            effort_limit: f64::INFINITY,
            phase: Phase::Holding { at: 0.0 },
            halted: Some("the arm does not hold yet"),
            active: true,
            events: VecDeque::with_capacity(EVENTS_CAPACITY),
        }
    }

    /// Takes a request. There must be room for what it ends: see [`Gripper::has_room`].
    pub fn request(&mut self, request: GripperRequest) {
        match request {
            GripperRequest::Move(goal) => self.take(goal),
            GripperRequest::Cancel(id) => self.stop(|goal| goal.id == id, GripperOutcome::Cancelled),
            GripperRequest::Stop => self.stop(|_| true, GripperOutcome::Cancelled),
            GripperRequest::SetActive(active) => self.set_active(active),
        }
    }

    /// Whether one more request can be taken without losing a goal that ended.
    pub fn has_room(&self) -> bool {
        // A request ends one goal and switches; the step after it ends another one.
        self.events.len() + 3 <= EVENTS_CAPACITY
    }

    /// What happened since the last call, one by one.
    pub fn pop_event(&mut self) -> Option<GripperEvent> {
        self.events.pop_front()
    }

    /// Whether it obeys goals.
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// Which joint this is (index into the arm's list).
    pub fn joint(&self) -> usize {
        self.joint
    }

    /// What it is doing.
    pub fn status(&self) -> GripperStatus {
        let is_stalled = matches!(self.phase, Phase::Gripping { .. });
        GripperStatus { goal: self.phase.goal().map(|goal| goal.id), is_stalled }
    }

    /// The reference: where the joint should be.
    pub fn desired(&self) -> JointState {
        let (position, velocity) = (self.limiter.position(), self.limiter.velocity());
        JointState { position, velocity, acceleration: 0.0 }
    }

    /// Whether the reference keeps its place, and no goal is under way.
    pub fn is_idle(&self) -> bool {
        let is_quiet = match self.phase {
            Phase::Holding { .. } => true,
            Phase::Gripping { goal, squeeze, .. } => goal.is_none() && squeeze.is_settled(),
            Phase::Limiting { .. } | Phase::Moving { .. } | Phase::Braking => false,
        };
        is_quiet && self.is_at_rest()
    }

    fn is_at_rest(&self) -> bool {
        const REST: f64 = 1e-6;
        self.limiter.velocity().abs() < REST
    }

    fn take(&mut self, goal: GripperGoal) {
        let why_not = if self.active { self.halted } else { Some("the controller is not active") };
        if let Some(why) = why_not {
            self.finish(goal, GripperOutcome::Halted(why));
            return;
        }
        if let Some(old) = self.phase.goal() {
            self.finish(old, GripperOutcome::Replaced);
        }
        let limit = goal.max_effort.or(self.rules.max_effort).unwrap_or(f64::INFINITY);
        let is_lower = limit < self.effort_limit;
        self.effort_limit = limit;
        self.limiter = Limiter::moving(self.limits_of(&goal), self.period_secs, self.desired());
        self.phase =
            if is_lower { Phase::Limiting { goal, ticks_left: LIMIT_TICKS } } else { self.moving(goal) };
    }

    fn set_active(&mut self, active: bool) {
        if !active {
            self.stop(|_| true, GripperOutcome::Halted("the controller was deactivated"));
        }
        self.active = active;
        self.events.push_back(GripperEvent::Active(active));
    }

    fn moving(&self, goal: GripperGoal) -> Phase {
        Phase::Moving { goal, progress: Progress::from((goal.position - self.measured.position).abs()) }
    }

    /// The joint's limits, with the goal's speed if that is less.
    fn limits_of(&self, goal: &GripperGoal) -> JointLimits {
        let own = self.limits.max_velocity();
        let asked = goal.max_velocity.or(self.rules.max_velocity).unwrap_or(own);
        let raw = RawLimits {
            lower: self.limits.lower(),
            upper: self.limits.upper(),
            max_velocity: asked.min(own),
            max_acceleration: ACCELERATION_PART * self.limits.max_acceleration(),
            max_jerk: self.limits.max_jerk(),
        };
        JointLimits::new(raw).unwrap_or(self.limits)
    }

    fn stop(&mut self, is_meant: impl Fn(&GripperGoal) -> bool, outcome: GripperOutcome) {
        let Some(goal) = self.phase.goal().filter(is_meant) else { return };
        self.finish(goal, outcome);
        self.phase = match self.phase {
            Phase::Gripping { progress, squeeze, .. } => {
                Phase::Gripping { goal: None, progress, squeeze: squeeze.that_stays() }
            }
            _ => self.stopping(&goal),
        };
    }

    /// Brakes; but a reference that is far ahead, of a joint that has little effort, would still lead it on.
    fn stopping(&self, goal: &GripperGoal) -> Phase {
        let MeasuredJoint { position, velocity, .. } = self.measured;
        let toward = (goal.position - position).signum();
        let at = position + velocity * STOP_SECS;
        let is_far_ahead = 0.0 < (self.limiter.position() - at) * toward;
        if is_far_ahead { Phase::Holding { at } } else { Phase::Braking }
    }

    fn finish(&mut self, goal: GripperGoal, outcome: GripperOutcome) {
        let MeasuredJoint { position, velocity, effort, .. } = self.measured;
        let (joint, id) = (self.joint, goal.id);
        let finished = GripperFinished { joint, id, outcome, position, velocity, effort };
        self.events.push_back(GripperEvent::Finished(finished));
    }

    /// The effort to hold an object with; `None` where no effort is known.
    fn holding_effort(&self) -> Option<f64> {
        let JointEffort { rated, configured } = self.effort;
        let of_goal = Some(self.effort_limit).filter(|limit| limit.is_finite());
        let wanted = of_goal.or(self.rules.holding_effort).unwrap_or(HOLDING_PART * rated);
        (0.0 < rated && self.measured.effort.is_finite()).then(|| wanted.min(configured))
    }

    fn gripping(&self, goal: GripperGoal, progress: Progress, is_alive: bool) -> Phase {
        let grip = Grip {
            effort: self.holding_effort(),
            blind_lead: 2.0 * self.rules.goal_tolerance,
            creep: CREEP_PART * self.limits.max_velocity(),
            longest_lead: LONGEST_SQUEEZE_SECS * self.limits.max_velocity(),
        };
        let squeeze = Squeeze::new(grip, &self.measured, self.limiter.position(), goal.position);
        Phase::Gripping { goal: Some(goal).filter(|_| is_alive), progress, squeeze }
    }

    /// Looks where the joint is, and at what follows from that.
    fn judge(&mut self, Step { secs, reference_secs, .. }: Step) {
        self.phase = match self.phase {
            Phase::Limiting { goal, ticks_left: 0 } => self.moving(goal),
            Phase::Limiting { goal, ticks_left } => Phase::Limiting { goal, ticks_left: ticks_left - 1 },
            // Silence says nothing of a joint.
            Phase::Moving { goal, progress } if self.measured.fresh => {
                self.judge_moving(goal, progress, secs)
            }
            Phase::Gripping { goal, progress, squeeze } if self.measured.fresh => {
                let mut squeeze = squeeze;
                squeeze.regulate(&self.measured, reference_secs);
                self.judge_gripping(goal, progress, squeeze, secs)
            }
            Phase::Braking if self.is_at_rest() => Phase::Holding { at: self.limiter.position() },
            phase => phase,
        };
    }

    fn judge_moving(&mut self, goal: GripperGoal, mut progress: Progress, secs: f64) -> Phase {
        let left = goal.position - self.measured.position;
        if left.abs() <= self.rules.goal_tolerance {
            self.finish(goal, GripperOutcome::Reached);
            return Phase::Holding { at: goal.position };
        }
        let toward = left.signum();
        progress.note(left.abs(), secs, self.rules.stall_velocity_threshold);
        if self.lead(toward) <= self.rules.goal_tolerance {
            progress.excuse(left.abs());
        }
        let pushes = |wanted| CONTACT_PART * wanted <= self.measured.effort * toward;
        if self.rules.stall_timeout_secs < progress.secs {
            self.finish(goal, GripperOutcome::Stalled);
            self.gripping(goal, progress, false)
        } else if CONTACT_SECS < progress.secs && self.holding_effort().is_some_and(pushes) {
            self.gripping(goal, progress, true)
        } else {
            Phase::Moving { goal, progress }
        }
    }

    fn judge_gripping(
        &mut self,
        goal: Option<GripperGoal>,
        mut progress: Progress,
        squeeze: Squeeze,
        secs: f64,
    ) -> Phase {
        let left = (squeeze.end - self.measured.position).abs();
        if left <= self.rules.goal_tolerance {
            if let Some(goal) = goal {
                self.finish(goal, GripperOutcome::Reached);
            }
            return Phase::Holding { at: squeeze.end };
        }
        if let Some(goal) = goal
            && squeeze.has_given_way(&self.measured, 2.0 * self.rules.goal_tolerance)
        {
            return self.moving(goal);
        }
        progress.note(left, secs, self.rules.stall_velocity_threshold);
        let over = goal.filter(|_| self.rules.stall_timeout_secs < progress.secs);
        if let Some(goal) = over {
            self.finish(goal, GripperOutcome::Stalled);
        }
        Phase::Gripping { goal: goal.filter(|_| over.is_none()), progress, squeeze }
    }

    /// How far the reference is ahead of the joint.
    fn lead(&self, toward: f64) -> f64 {
        (self.limiter.position() - self.measured.position) * toward
    }

    /// The reference goes on by one period.
    fn advance(&mut self) {
        match self.phase {
            Phase::Holding { at } => self.limiter.track(at, 0.0),
            Phase::Limiting { .. } | Phase::Braking => self.limiter.brake(),
            Phase::Moving { goal, .. } => {
                let toward = (goal.position - self.measured.position).signum();
                let longest = LONGEST_LEAD_SECS * self.limits.max_velocity();
                if self.measured.fresh && longest < self.lead(toward) {
                    self.limiter.brake()
                } else {
                    self.limiter.track(goal.position, 0.0)
                }
            }
            Phase::Gripping { squeeze, .. } => self.limiter.track(squeeze.target, 0.0),
        };
    }
}

impl Phase {
    fn goal(&self) -> Option<GripperGoal> {
        match *self {
            Self::Limiting { goal, .. } | Self::Moving { goal, .. } => Some(goal),
            Self::Gripping { goal, .. } => goal,
            Self::Holding { .. } | Self::Braking => None,
        }
    }
}

impl ReferenceSource for Gripper {
    fn step(&mut self, now: Time, measured: &[MeasuredJoint], reference: &mut [Reference]) -> bool {
        let step = self.pace.step(now);
        if let Some(measured) = measured.get(self.joint) {
            self.measured = *measured;
        }
        self.judge(step);
        for _ in 0..step.periods {
            self.advance();
        }
        let JointState { position, velocity, .. } = self.desired();
        if let Some(reference) = reference.get_mut(self.joint) {
            *reference = Reference::Track { position, velocity };
        }
        !self.is_idle()
    }

    fn limit_efforts(&mut self, limits: &mut [f64]) {
        if let Some(limit) = limits.get_mut(self.joint) {
            *limit = self.effort_limit;
        }
    }

    /// A gripper notices by itself that it stands, and what it then holds is held with limited effort.
    fn may_stall(&self, joint: usize) -> bool {
        joint == self.joint && !matches!(self.phase, Phase::Holding { .. })
    }

    fn hold_at(&mut self, positions: &[f64]) {
        self.halt("the arm starts to hold");
        let Some(&at) = positions.get(self.joint) else { return };
        self.halted = None;
        self.limiter = Limiter::new(self.limits, self.period_secs, at);
        self.effort_limit = self.rules.max_effort.unwrap_or(f64::INFINITY);
        self.phase = Phase::Holding { at };
    }

    fn halt(&mut self, why: &'static str) {
        self.halted = Some(why);
        if let Some(goal) = self.phase.goal() {
            self.finish(goal, GripperOutcome::Halted(why));
        }
        self.phase = Phase::Holding { at: self.limiter.position() };
    }
}

#[cfg(test)]
#[path = "gripper_tests.rs"]
mod tests;
