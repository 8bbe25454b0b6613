//! One arm, one tick: judges what the servos said, asks for a reference, limits it, and orders what to tell them.
//!
//! The shell reads the bus, calls [`ArmCore::tick`], carries out the [`Orders`] in their order, and reports what
//! it read back; it decides nothing. Torque comes on in steps, one a tick: goals at the present positions, the
//! least torque limit, torque, then every servo read back, then the limit rises. Nothing moves meanwhile.
//! What is watched of the servos, and the way to the rest pose, is in `care`; what users ask for in `requests`.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod care;
mod requests;

use std::collections::VecDeque;
use std::time::Duration;

pub use self::care::Care;
use self::care::Caring;
use super::hearing::{Course, Hearing};
use super::limiter::Limiter;
use super::safety::{Cause, State, Transition};
use super::torque::{Standing, Torque, TorqueNews, TorqueOrder};
use crate::config::hardware::{ArmEnd, CommandLoss, TorquePolicy};
use crate::trajectory::limits::JointLimits;
use crate::units::Time;

/// What a servo said of its joint.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeasuredJoint {
    /// When the servo was read; meaningless before its first answer.
    pub stamp: Time,
    /// Whether this is from the present cycle.
    pub fresh: bool,
    /// Position (rad or m).
    pub position: f64,
    /// Velocity (rad/s or m/s).
    pub velocity: f64,
    /// Effort (N m or N), NaN where nobody says; a model, not a measurement.
    pub effort: f64,
}

/// What a joint should do this tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reference {
    /// Come to rest, and stay.
    Hold,
    /// Be at this position (rad or m) at the end of the tick.
    Follow(f64),
    /// Be at this position (rad or m) at the end of the tick, moving at this velocity (rad/s or m/s).
    Track {
        /// Where to be.
        position: f64,
        /// How fast.
        velocity: f64,
    },
}

/// Where references come from: a trajectory, or commands from another process.
pub trait ReferenceSource {
    /// Writes the reference of each joint for this tick (they come in as Hold); tells whether motion is commanded.
    fn step(&mut self, now: Time, measured: &[MeasuredJoint], reference: &mut [Reference]) -> bool;

    /// Writes the greatest effort (N m or N) that each joint may use from this tick on.
    ///
    /// They come in as infinite, which means the configured limit.
    fn limit_efforts(&mut self, _limits: &mut [f64]) {}

    /// Motion goes no faster than this part of its speed from now on (0 to 1).
    fn limit_speed(&mut self, _most: f64) {}

    /// Whether somebody knows that this joint pushes against something, and takes care of it.
    fn may_stall(&self, _joint: usize) -> bool {
        false
    }

    /// For how long no command has come, of a source that was obeyed and needs to be heard again and again.
    fn silence(&self, _now: Time) -> Option<Duration> {
        None
    }

    /// The arm holds at these positions from now on, and can move.
    fn hold_at(&mut self, positions: &[f64]);

    /// The arm cannot move until the next [`ReferenceSource::hold_at`].
    fn halt(&mut self, why: &'static str);
}

/// What a user asks of the arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArmRequest {
    /// Hold where you are.
    TorqueOn,
    /// Let go.
    TorqueOff,
    /// Stop at once, and stay so.
    EmergencyStop,
    /// Forget a fault or an emergency stop.
    Reset,
    /// Obey no more, and do what the policy says about torque.
    Deactivate,
    /// Open the port and find the servos.
    Connect,
    /// Come to rest, do what the policy says about torque, and close the port.
    Disconnect,
}

/// How an arm behaves when things go wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ArmPolicy {
    /// How long the torque limit takes to its whole value.
    pub torque_ramp: Duration,
    /// Silent cycles in a row until Degraded.
    pub misses_to_degraded: u32,
    /// Silent cycles in a row until Faulted.
    pub misses_to_fault: u32,
    /// What becomes of torque at a fault and at an emergency stop.
    pub on_fault: TorquePolicy,
    /// What becomes of an arm whose commands do not come any more.
    pub on_command_loss: CommandLoss,
    /// What becomes of an arm that is deactivated.
    pub on_deactivate: ArmEnd,
}

/// What the servos are to be told this tick, in this order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Orders {
    /// Whether [`ArmCore::commands`] are to be written as goals.
    pub goals: bool,
    /// What else, if anything.
    pub torque: Option<TorqueOrder>,
}

/// An arm's state and commands. See the module's text.
#[derive(Debug)]
pub struct ArmCore {
    policy: ArmPolicy,
    limiters: Vec<Limiter>,
    measured: Vec<MeasuredJoint>,
    misses: Vec<u32>,
    hearing: Hearing,
    commands: Vec<f64>,
    references: Vec<Reference>,
    /// The greatest effort of each joint (N m or N); infinite for the configured one.
    efforts: Vec<f64>,
    efforts_asked: Vec<f64>,
    state: State,
    /// The latched state in which the port was lost; an arm that comes back is in it again.
    latched: Option<State>,
    torque: Torque,
    torque_wanted: bool,
    /// Whether the arm is to obey nothing until torque is asked for again.
    is_deactivated: bool,
    caring: Caring,
    transitions: VecDeque<Transition>,
    /// Why the arm is in its state.
    cause: Option<Cause>,
}

/// A servo that was silent for so many cycles may have been without power.
const SUSPICIOUS_MISSES: u32 = 2;
const TRANSITIONS_CAPACITY: usize = 32;

impl ArmCore {
    /// A disconnected arm. `torque_on_start` asks for torque as soon as every servo has answered.
    pub fn new(limits: &[JointLimits], period_secs: f64, policy: ArmPolicy, torque_on_start: bool) -> Self {
        let joints = limits.len();
        Self {
            policy,
            limiters: limits.iter().map(|limits| Limiter::new(*limits, period_secs, 0.0)).collect(),
            measured: vec![MeasuredJoint::default(); joints],
            misses: vec![0; joints],
            hearing: Hearing::new(joints),
            commands: vec![0.0; joints],
            references: vec![Reference::Hold; joints],
            efforts: vec![f64::INFINITY; joints],
            efforts_asked: vec![f64::INFINITY; joints],
            state: State::Disconnected,
            latched: None,
            torque: Torque::new(joints, policy.torque_ramp),
            torque_wanted: torque_on_start,
            is_deactivated: false,
            caring: Caring::careless(limits),
            transitions: VecDeque::with_capacity(TRANSITIONS_CAPACITY),
            cause: None,
        }
    }

    /// The servos of the joints hang on these lines, counted from 0, each of which may fall silent by itself.
    #[must_use]
    pub fn with_lines(mut self, lines: impl IntoIterator<Item = usize>) -> Self {
        self.hearing.set_lines(lines);
        self
    }

    /// The arm's state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Why it is in that state; `None` before the first transition.
    pub fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// The servos' torque.
    pub fn torque(&self) -> &Torque {
        &self.torque
    }

    /// What each joint is told (rad or m).
    pub fn commands(&self) -> &[f64] {
        &self.commands
    }

    /// The greatest effort that each joint may use (N m or N); infinite for the configured one.
    pub fn effort_limits(&self) -> &[f64] {
        &self.efforts
    }

    /// The velocity of each joint's command (rad/s or m/s).
    pub fn command_velocity(&self, joint: usize) -> f64 {
        self.limiters[joint].velocity()
    }

    /// A joint's servo has answered an earlier question too late.
    pub fn note_late(&mut self, joint: usize) {
        self.hearing.note_late(joint);
    }

    /// How many cycles in a row a joint's servo has been silent.
    pub fn misses(&self, joint: usize) -> u32 {
        self.misses[joint]
    }

    /// The changes of state since the last call, one by one.
    pub fn pop_transition(&mut self) -> Option<Transition> {
        self.transitions.pop_front()
    }

    /// The bus works and every servo was identified.
    pub fn on_connected(&mut self, standing: &[Standing]) {
        self.torque.forget(Some(standing));
        self.misses.fill(0);
        self.hearing.forget();
        self.caring.forget();
        let state = self.latched.take().unwrap_or(State::Identified);
        self.enter(state, Cause::ServosIdentified);
    }

    /// The bus does not work any more. Torque never comes back by itself.
    pub fn on_disconnected(&mut self, source: &mut dyn ReferenceSource) {
        self.disconnect(source, Cause::PortLost);
    }

    /// The bus was closed, because somebody asked for that.
    pub fn on_closed(&mut self, source: &mut dyn ReferenceSource) {
        match self.state {
            State::Disconnected => self.cause = Some(Cause::PortClosed),
            _ => self.disconnect(source, Cause::PortClosed),
        }
    }

    fn disconnect(&mut self, source: &mut dyn ReferenceSource, cause: Cause) {
        self.measured.iter_mut().for_each(|measured| measured.fresh = false);
        source.halt(cause.text());
        self.torque.forget(None);
        (self.torque_wanted, self.is_deactivated) = (false, false);
        self.latched = Some(self.state).filter(|state| state.is_latched());
        self.enter(State::Disconnected, cause);
    }

    /// Simulated time was set back, and the arm may stand somewhere else since: whatever moves ends, and an arm that was
    /// held is held again where it stands. A latched state lasts, and is without torque then.
    pub fn on_time_set_back(&mut self, source: &mut dyn ReferenceSource) {
        if self.state == State::Disconnected {
            return;
        }
        source.halt(Cause::TimeSetBack.text());
        self.torque_wanted |= self.torque.is_on();
        self.torque.forget_all();
        self.measured.iter_mut().for_each(|measured| measured.fresh = false);
        self.misses.fill(0);
        self.hearing.forget();
        self.caring.forget();
        if self.state.is_latched() {
            self.torque_wanted = false;
        } else {
            self.enter(State::Identified, Cause::TimeSetBack);
        }
    }

    /// One tick. `fresh` has, for each joint, what its servo said in this cycle.
    pub fn tick(
        &mut self,
        now: Time,
        fresh: impl IntoIterator<Item = Option<MeasuredJoint>>,
        source: &mut dyn ReferenceSource,
    ) -> Orders {
        self.take_measurements(now, fresh);
        self.watch(now, source);
        self.judge(now, source);
        let torque = self.advance_torque(now, source);
        let obeys = self.state.can_move();
        self.references.fill(Reference::Hold);
        let commanded = source.step(now, &self.measured, &mut self.references) && obeys;
        if obeys {
            self.note_motion(commanded);
            self.look_for_commands(now, source);
        }
        let moves = obeys || self.go_to_rest_pose(source);
        self.take_effort_limits(source);
        let torque = torque.or_else(|| self.torque.next_limit_order());
        if self.torque.is_on() {
            self.shape_commands(moves);
        }
        Orders { goals: self.torque.is_on(), torque }
    }

    /// What a servo said of its torque and goal (rad or m) when it was read back; `None` where it was silent.
    pub fn on_read_back(
        &mut self,
        joint: usize,
        said: Option<Standing>,
        tolerance: f64,
        source: &mut dyn ReferenceSource,
    ) {
        let news = self.torque.on_read_back(joint, said, self.commands[joint], tolerance);
        self.on_news(self.caring.now(), news, source);
    }

    fn take_measurements(&mut self, now: Time, fresh: impl IntoIterator<Item = Option<MeasuredJoint>>) {
        for (joint, ((measured, misses), fresh)) in
            self.measured.iter_mut().zip(&mut self.misses).zip(fresh).enumerate()
        {
            self.hearing.note(joint, fresh.is_some());
            match fresh {
                Some(new) => {
                    if SUSPICIOUS_MISSES <= *misses {
                        self.torque.suspect(joint);
                        self.caring.note_return(now, joint);
                    }
                    (*measured, *misses) = (new, 0);
                }
                None => (measured.fresh, *misses) = (false, misses.saturating_add(1)),
            }
        }
        self.hearing.judge(&self.commands);
    }

    fn judge(&mut self, now: Time, source: &mut dyn ReferenceSource) {
        let Some((joint, &worst)) = self.misses.iter().enumerate().max_by_key(|(_, misses)| **misses) else {
            return;
        };
        match self.state {
            State::Energizing
            | State::Holding
            | State::Active
            | State::Standby
            | State::Degraded
            | State::Resting
                if self.policy.misses_to_fault <= worst =>
            {
                let cause = self.caring.silence(now, joint, Cause::ServoLost(joint));
                self.latch(source, State::Faulted, cause);
            }
            State::Holding | State::Active if self.policy.misses_to_degraded <= worst => {
                let cause = self.caring.silence(now, joint, Cause::ServoSilent(joint));
                self.enter(State::Degraded, cause);
            }
            State::Degraded if worst == 0 && !self.caring.is_slow() => {
                let was_slow = matches!(self.cause, Some(Cause::Tripped(..)));
                let cause = if was_slow { Cause::TripOver } else { Cause::ServosAnswer };
                self.enter(State::Holding, cause);
            }
            _ => {}
        }
    }

    /// One step on the way to torque or away from it.
    fn advance_torque(&mut self, now: Time, source: &mut dyn ReferenceSource) -> Option<TorqueOrder> {
        let all_fresh = self.measured.iter().all(|measured| measured.fresh);
        let may_start = self.torque_wanted && self.torque.is_settled() && self.caring.fault().is_none();
        if self.state == State::Identified && may_start && all_fresh {
            self.start_holding();
            return None;
        }
        let (order, news) = self.torque.next_order(now);
        self.on_news(now, news, source);
        order
    }

    fn start_holding(&mut self) {
        for (joint, measured) in self.measured.iter().enumerate() {
            let position = self.torque.holding_position(joint, measured.position);
            self.commands[joint] = position;
            self.hearing.hold_at(joint, position);
            self.limiters[joint].reset(position);
        }
        self.caring.relax_none();
        self.torque.switch_on();
        self.enter(State::Energizing, Cause::TorqueAsked);
    }

    fn on_news(&mut self, now: Time, news: Option<TorqueNews>, source: &mut dyn ReferenceSource) {
        match news {
            None => {}
            Some(TorqueNews::Confirmed) => {
                source.hold_at(&self.commands);
                self.enter(State::Holding, Cause::TorqueConfirmed);
            }
            Some(TorqueNews::Refused(joint)) => self.latch_released(source, Cause::TorqueRefused(joint)),
            Some(TorqueNews::Lost(joint)) => {
                let cause = self.caring.limpness(now, joint);
                self.latch(source, State::Faulted, cause);
            }
            Some(TorqueNews::Stuck(joint)) => self.enter(State::Faulted, Cause::TorqueStuck(joint)),
            Some(TorqueNews::LetGo) if self.state == State::Releasing => {
                self.enter(State::Identified, Cause::TorqueOffConfirmed);
            }
            Some(TorqueNews::LetGo) => {}
        }
    }

    fn note_motion(&mut self, commanded: bool) {
        match (self.state, commanded) {
            (State::Holding, true) => self.enter(State::Active, Cause::MotionCommanded),
            (State::Active, false) => self.enter(State::Holding, Cause::MotionEnded),
            _ => {}
        }
    }

    fn take_effort_limits(&mut self, source: &mut dyn ReferenceSource) {
        self.efforts_asked.fill(f64::INFINITY);
        source.limit_efforts(&mut self.efforts_asked);
        for (joint, (limit, asked)) in self.efforts.iter_mut().zip(&self.efforts_asked).enumerate() {
            // What is no limit is none.
            let asked = if 0.0 < *asked { *asked } else { f64::INFINITY };
            if asked != *limit {
                self.torque.on_limit_changed(joint, asked < *limit);
                *limit = asked;
            }
        }
    }

    fn shape_commands(&mut self, moves: bool) {
        if self.state == State::Energizing {
            return;
        }
        for joint in 0..self.commands.len() {
            self.commands[joint] = self.next_command(joint, moves);
        }
    }

    fn next_command(&mut self, joint: usize, moves: bool) -> f64 {
        // A motion that may use little effort does not begin with much.
        let moves = moves && !self.torque.awaits_lower_limit(joint);
        let relaxed = self.caring.relaxed(joint).filter(|_| self.state.is_latched());
        let limiter = &mut self.limiters[joint];
        match (self.hearing.course(joint), self.references[joint]) {
            (Course::Stay, _) => limiter.stand_still(),
            (Course::Back(position), _) => limiter.step_back(position),
            (Course::Rest, _) => limiter.brake(),
            (Course::Free, Reference::Follow(position)) if moves => limiter.follow(position),
            (Course::Free, Reference::Track { position, velocity }) if moves => {
                limiter.track(position, velocity)
            }
            (Course::Free, _) => match relaxed {
                Some(position) => limiter.follow(position),
                None => limiter.brake(),
            },
        }
    }

    fn enter(&mut self, to: State, cause: Cause) {
        if self.state == to {
            return;
        }
        if self.transitions.len() < TRANSITIONS_CAPACITY {
            self.transitions.push_back(Transition { from: self.state, to, cause });
        }
        (self.state, self.cause) = (to, Some(cause));
    }
}

#[cfg(test)]
#[path = "arm_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "arm/care_tests.rs"]
mod care_tests;
