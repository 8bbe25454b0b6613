//! Executes trajectories: which goal is under way, where its reference is now, and how it ends.
//!
//! ```text
//!              ┌──────────── at its start time ────────────┐
//! goal ──▶ Waiting            Following ──end reached──▶ Settling ──within tolerance──▶ Reached
//!              │                 │  │                        │ └──out of time──▶ GoalTolerance
//!              │                 │  └──too far off──▶ PathTolerance
//!              └──cancel, stop, deactivate, halt, another goal──▶ Cancelled, Halted, Deactivated, Replaced
//!
//! joint:  Rest ──goal──▶ Moving ──end──▶ Rest          a goal that ends before its end, or in motion:
//!           ▲                │                          Braking, within the limits, then Rest
//!           └──── Braking ◀──┘
//! ```
//! One goal is current. Joints that it leaves out finish the motion they are in. The *reference* is what the arm should
//! do; it is kept when a motion ends, however the joints sag below it. Commands are sampled one period ahead, because
//! the servos get them at the end of the cycle; errors compare the sample with the reference of the present. Trajectory
//! time goes faster or slower by the speed factor; tolerances of time are in trajectory time.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod goal;
mod motions;
mod references;
mod rhythm;
mod speed;
mod tolerance;
mod waiting;

use std::collections::VecDeque;

pub use goal::{
    Answer, Ended, FollowerEvent, Goal, GoalId, Outcome, Request, StartFrom, Tolerances, Violation,
};

use self::motions::{Motions, Moving};
use self::references::{NEARLY_PAUSED, References};
pub use self::rhythm::LONGEST_INTERVAL;
use self::rhythm::{Pace, Rhythm};
use self::speed::SpeedFactor;
use self::tolerance::Verdict;
pub use self::tolerance::position_error;
use self::waiting::Waiting;
use super::arm::{MeasuredJoint, Reference, ReferenceSource};
use crate::config::arm::MAX_JOINTS;
use crate::trajectory::limits::JointLimits;
use crate::trajectory::spline::JointState;
use crate::units::Time;

/// What a follower drives.
#[derive(Clone, Debug)]
pub struct FollowerSetup {
    /// For each of its joints, which of the arm's it is.
    pub joints: Vec<usize>,
    /// For each of its joints, whether it is commanded, or only watched.
    pub commanded: Vec<bool>,
    /// Their limits.
    pub limits: Vec<JointLimits>,
    /// The limits within which they come to rest after a goal that ended early.
    pub braking_limits: Vec<JointLimits>,
    /// Time between two steps (s).
    pub period_secs: f64,
    /// The speed factor to begin with.
    pub speed_factor: f64,
}

/// Executes one goal at a time. See the module's picture.
#[derive(Debug)]
pub struct Follower {
    joints: Vec<usize>,
    commanded: Vec<bool>,
    limits: Vec<JointLimits>,
    braking_limits: Vec<JointLimits>,
    period_secs: f64,
    references: References,
    measured: Vec<MeasuredJoint>,
    motions: Motions,
    waiting: Waiting,
    speed: SpeedFactor,
    rhythm: Rhythm,
    /// When the last step was, and how long after the one before.
    now: Option<Time>,
    step_secs: f64,
    active: bool,
    /// Why no motion is possible now, if so.
    halted: Option<&'static str>,
    events: VecDeque<FollowerEvent>,
}

/// Room for what one tick can bring about.
const EVENTS_CAPACITY: usize = 64;

impl Follower {
    /// Holds at zero until [`ReferenceSource::hold_at`] says where the arm is. Active at once.
    pub fn new(setup: FollowerSetup) -> Self {
        let FollowerSetup { joints, commanded, limits, braking_limits, period_secs, speed_factor } = setup;
        Self {
            references: References::new(joints.len()),
            measured: vec![MeasuredJoint::default(); joints.len()],
            motions: Motions::new(joints.len()),
            waiting: Waiting::new(),
            speed: SpeedFactor::new(&limits, period_secs, speed_factor),
            rhythm: Rhythm::new(),
            now: None,
            step_secs: period_secs,
            active: true,
            halted: Some("the arm has no torque yet"),
            events: VecDeque::with_capacity(EVENTS_CAPACITY),
            joints,
            commanded,
            limits,
            braking_limits,
            period_secs,
        }
    }

    /// Whether another request can be taken before [`Follower::pop_event`] is called.
    pub fn has_room(&self) -> bool {
        self.events.len() + 2 * self.joints.len() + 8 < EVENTS_CAPACITY
    }

    /// Takes a request.
    pub fn request(&mut self, request: Request) {
        match request {
            Request::Follow(goal) => self.take(goal),
            Request::Cancel(id) => self.end_if(|goal| goal.id == id, Outcome::Cancelled),
            Request::Stop => self.stop(Outcome::Halted("told to stop")),
            Request::SetSpeed(factor) => self.speed.ask(factor),
            Request::Query(time) => {
                let answer = self.state_at(time);
                self.events.push_back(FollowerEvent::Answer(answer));
            }
            Request::Activate(from) => self.activate(from),
            Request::Deactivate => {
                self.stop(Outcome::Deactivated);
                self.set_active(false);
            }
        }
    }

    /// What happened since the last call, one by one.
    pub fn pop_event(&mut self) -> Option<FollowerEvent> {
        self.events.pop_front()
    }

    /// Which of the arm's joints it drives.
    pub fn joints(&self) -> &[usize] {
        &self.joints
    }

    /// The reference of the present, for each of its joints.
    pub fn desired(&self) -> &[JointState] {
        &self.references.desired
    }

    /// The reference one period ahead of each joint that it commands now, given to `put(joint of the arm, state)`.
    pub fn commands(&self, mut put: impl FnMut(usize, JointState)) {
        let joints = self.joints.iter().zip(&self.commanded).zip(&self.references.command);
        for ((&joint, _), command) in joints.filter(|((_, commanded), _)| self.active && **commanded) {
            put(joint, *command);
        }
    }

    /// The goal under way.
    pub fn current(&self) -> Option<GoalId> {
        self.motions.current().map(|moving| moving.goal.id)
    }

    /// Seconds of the trajectory since the start of the goal under way; 0 without one.
    pub fn elapsed_secs(&self) -> f64 {
        self.motions.current().map_or(0.0, |moving| moving.elapsed)
    }

    /// How fast trajectory time goes.
    pub fn speed_factor(&self) -> f64 {
        self.speed.now()
    }

    /// Whether it obeys goals.
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// Whether every joint rests, and no goal waits.
    pub fn is_idle(&self) -> bool {
        self.motions.all_rest() && self.motions.current().is_none() && self.waiting.is_empty()
    }

    fn take(&mut self, goal: Box<Goal>) {
        let why_not = if self.active { self.halted } else { Some("the controller is not active") };
        if let Some(why) = why_not {
            self.end(goal, Outcome::Halted(why));
            return;
        }
        while let Some(old) = self.waiting.make_room_for(&goal, self.now) {
            self.end(old, Outcome::Replaced);
        }
        self.waiting.push(goal);
    }

    /// Ends the goals that match, and whatever moves with the one under way.
    fn end_if(&mut self, matches: impl Fn(&Goal) -> bool, outcome: Outcome) {
        while let Some(goal) = self.waiting.pop_if(&matches) {
            self.end(goal, outcome);
        }
        if self.motions.current().is_some_and(|moving| matches(&moving.goal)) {
            self.break_off(outcome);
        }
    }

    fn stop(&mut self, outcome: Outcome) {
        self.end_if(|_| true, outcome);
        self.brake();
    }

    /// Ends the current goal before its end.
    fn break_off(&mut self, outcome: Outcome) {
        self.tell_end_of_current(outcome);
        self.brake();
    }

    fn tell_end_of_current(&mut self, outcome: Outcome) {
        if let Some(id) = self.motions.no_longer_current() {
            self.events.push_back(FollowerEvent::Ended(Ended { id, outcome }));
        }
    }

    /// Every joint that moves comes to rest.
    fn brake(&mut self) {
        self.rhythm.forget();
        self.motions.brake_all(&self.references.told, &self.braking_limits, self.period_secs);
        self.retire();
    }

    fn end(&mut self, goal: Box<Goal>, outcome: Outcome) {
        self.events.push_back(FollowerEvent::Ended(Ended { id: goal.id, outcome }));
        self.events.push_back(FollowerEvent::Retired(goal));
    }

    fn retire(&mut self) {
        while let Some(goal) = self.motions.pop_unused() {
            self.events.push_back(FollowerEvent::Retired(goal));
        }
    }

    fn set_active(&mut self, active: bool) {
        self.active = active;
        self.events.push_back(FollowerEvent::Active(active));
    }

    fn activate(&mut self, from: StartFrom) {
        let was_active = self.active;
        self.set_active(true);
        if !was_active && from == StartFrom::Measured {
            self.motions.rest_all();
            for joint in 0..self.joints.len() {
                self.references.rest_at(joint, self.measured[joint].position);
            }
        }
    }

    fn state_at(&mut self, time: Time) -> Answer {
        if !self.active {
            return Err("Can't sample trajectory. Controller is not active.");
        }
        let (Some(now), Some(moving)) = (self.now, self.motions.current_mut()) else {
            return Err("Currently there is no valid trajectory instance.");
        };
        let ahead_secs = time.secs_since(now) * self.speed.now();
        let at = moving.elapsed + ahead_secs;
        if at < 0.0 {
            return Err("Requested sample time is earlier than the current trajectory start time.");
        }
        if moving.goal.motion.duration() < at {
            return Err("Requested sample time is later than the current trajectory end time.");
        }
        let mut states = [JointState::default(); MAX_JOINTS];
        states[..self.joints.len()].copy_from_slice(&self.references.command);
        moving.sample(at, |joint, state| states[joint] = state);
        Ok(states)
    }

    fn start_waiting(&mut self, now: Time) {
        while let Some(goal) = self.waiting.pop_due(now) {
            self.start(goal, now);
        }
    }

    fn start(&mut self, goal: Box<Goal>, now: Time) {
        let late_secs = goal.start.map_or(0.0, |start| now.secs_since(start));
        let begins_now = late_secs < self.period_secs;
        let violation = tolerance::stated_start(&goal, &self.limits, &self.measured);
        if let Some(violation) = violation.filter(|_| begins_now) {
            // As if the motion had begun there, and was far off at once; but nothing moves.
            self.end_if(|_| true, Outcome::Replaced);
            self.end(goal, Outcome::PathTolerance(violation));
            return;
        }
        self.tell_end_of_current(Outcome::Replaced);
        if !goal.blends {
            self.motions.brake_all(&self.references.told, &self.braking_limits, self.period_secs);
        }
        let from = self.references.in_trajectory_time(self.speed.now());
        let mut moving = Moving::begin(goal, late_secs, &from, &self.limits);
        self.pace(&mut moving, &from, now);
        if self.motions.all_rest() {
            self.speed.settle(moving.goal.motion.fastest());
        }
        self.motions.take_up(moving);
        self.retire();
    }

    /// A single point may belong to a stream of them, and is then passed instead of stopped at.
    fn pace(&mut self, moving: &mut Moving, from: &[JointState], now: Time) {
        let motion = &moving.goal.motion;
        if !motion.is_single_point() || moving.goal.start.is_some() {
            self.rhythm.forget();
            return;
        }
        let factor = self.speed.now();
        let asked_secs = motion.stated_duration();
        let target = |column| motion.end(column).position;
        let pace = self.rhythm.note(now, motion.joints(), &self.limits, asked_secs, target);
        if let Some(Pace { mut velocities, after_secs, patience_secs }) =
            pace.filter(|_| NEARLY_PAUSED < factor)
        {
            // A stream goes by the clock, not by trajectory time.
            velocities.iter_mut().for_each(|velocity| *velocity /= factor);
            moving.redirect(from, &self.limits, after_secs * factor, &velocities);
            moving.stop_at = Some(moving.elapsed + patience_secs * factor);
        }
    }

    /// The current goal's end, if this is it.
    fn judge(&mut self) {
        let from = self.references.in_trajectory_time(self.speed.now());
        let Some(moving) = self.motions.current_mut() else { return };
        if moving.stop_at.take_if(|stop_at| *stop_at <= moving.elapsed).is_some() {
            // The stream ended: its last point is a place to stop at.
            moving.redirect(&from, &self.limits, 0.0, &[0.0; MAX_JOINTS]);
        }
        match tolerance::judge(moving, &self.limits, &self.references.desired, &self.measured) {
            Verdict::GoOn => {}
            Verdict::Reached => {
                self.tell_end_of_current(Outcome::Reached);
                self.retire();
            }
            Verdict::TooFar(violation) => self.break_off(Outcome::PathTolerance(violation)),
            Verdict::OutOfTime(violation) => self.break_off(Outcome::GoalTolerance(violation)),
        }
    }

    /// Trajectory time goes on until `now`.
    fn pass_time(&mut self, now: Time) {
        let last = self.now.replace(now).unwrap_or(now);
        let secs = now.secs_since(last).max(0.0);
        self.motions.pass_time(secs * self.speed.now());
        self.step_secs = if 0.0 < secs { secs } else { self.period_secs };
    }

    /// The reference one period ahead.
    fn look_ahead(&mut self) {
        let most = self.motions.current().map_or(f64::INFINITY, |moving| moving.goal.motion.fastest());
        let ahead = self.speed.advance(most) * self.period_secs;
        self.references.stay();
        self.motions.sample(ahead, self.speed.now(), &mut self.references.command);
        self.motions.settle_ends(ahead, &self.references.told, &self.braking_limits, self.period_secs);
        self.motions.advance_braking(&mut self.references.command);
        self.references.tell(self.step_secs);
        self.retire();
    }
}

impl ReferenceSource for Follower {
    fn step(&mut self, now: Time, measured: &[MeasuredJoint], reference: &mut [Reference]) -> bool {
        self.references.step();
        for (own, &joint) in self.measured.iter_mut().zip(&self.joints) {
            *own = measured[joint];
        }
        self.pass_time(now);
        self.start_waiting(now);
        self.judge();
        // Until it is known how it ends, a goal is motion.
        let moves = !self.motions.all_rest() || self.motions.current().is_some();
        self.look_ahead();
        self.commands(|joint, command| reference[joint] = Reference::Follow(command.position));
        moves
    }

    fn limit_speed(&mut self, most: f64) {
        self.speed.limit(most);
    }

    fn hold_at(&mut self, positions: &[f64]) {
        self.halt("the arm starts to hold");
        self.halted = None;
        self.motions.rest_all();
        for own in 0..self.joints.len() {
            self.references.rest_at(own, positions[self.joints[own]]);
        }
    }

    fn halt(&mut self, why: &'static str) {
        self.halted = Some(why);
        self.stop(Outcome::Halted(why));
    }
}

#[cfg(test)]
#[path = "follower_tests.rs"]
mod tests;
