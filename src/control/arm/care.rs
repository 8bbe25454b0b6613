//! How an arm takes care of its servos: what it does about trips, and its way to the rest pose.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::time::Duration;

use super::{ArmCore, Reference, ReferenceSource};
use crate::config::hardware::ArmEnd;
use crate::config::watch::{Action, WatchConfig, Watched};
use crate::control::rest::Rest;
use crate::control::safety::{Cause, State};
use crate::control::watch::{Health, Level, Sighting, Trip, Watch, WatchNews};
use crate::trajectory::limits::JointLimits;
use crate::units::Time;

/// What an arm needs to know to take care of its servos.
#[derive(Clone, Debug)]
pub struct Care {
    /// How they are watched.
    pub watch: WatchConfig,
    /// For each joint, the most torque as a part of what its servo can (0 to 1).
    pub torque_limits: Vec<f64>,
    /// For each joint, the effort of its servo at full duty (N m or N); 0 where that is not known.
    pub max_efforts: Vec<f64>,
    /// Where the arm rests (rad or m, one for each joint), if it has such a place.
    pub rest_pose: Option<Vec<f64>>,
}

/// What is under way to take care of servos.
#[derive(Debug)]
pub(super) struct Caring {
    watch: Watch,
    slow_factor: f64,
    is_slow: bool,
    joints: Vec<CaredJoint>,
    rest: Option<Rest>,
    /// What the arm is in when it has come to its rest pose.
    after_rest: State,
    now: Time,
}

#[derive(Clone, Copy, Debug)]
struct CaredJoint {
    limits: JointLimits,
    torque_limit: f64,
    max_effort: f64,
    health: Health,
    /// When its servo was silent last, for longer than by accident.
    returned: Option<Time>,
    /// Where a stalled joint is held, instead of where it was told to be.
    relaxed: Option<f64>,
}

/// A servo that comes back limp within this time after it was silent had no power meanwhile.
const SILENCE_MEMORY: Duration = Duration::from_secs(2);

impl Caring {
    /// Watches nothing, and has no rest pose.
    pub(super) fn careless(limits: &[JointLimits]) -> Self {
        let joint = |limits: &JointLimits| CaredJoint {
            limits: *limits,
            torque_limit: 1.0,
            max_effort: 0.0,
            health: Health::default(),
            returned: None,
            relaxed: None,
        };
        Self {
            watch: Watch::new(&WatchConfig { joints: Vec::new(), slow_factor: 1.0 }),
            slow_factor: 1.0,
            is_slow: false,
            joints: limits.iter().map(joint).collect(),
            rest: None,
            after_rest: State::Holding,
            now: Time::default(),
        }
    }

    fn take(&mut self, care: Care, period_secs: f64) {
        self.watch = Watch::new(&care.watch);
        self.slow_factor = care.watch.slow_factor;
        let limits: Vec<JointLimits> = self.joints.iter().map(|joint| joint.limits).collect();
        self.rest = care.rest_pose.map(|pose| Rest::new(pose, &limits, period_secs));
        for ((joint, torque_limit), max_effort) in
            self.joints.iter_mut().zip(care.torque_limits).zip(care.max_efforts)
        {
            (joint.torque_limit, joint.max_effort) = (torque_limit, max_effort);
        }
    }

    pub(super) fn forget(&mut self) {
        self.watch.forget();
        self.is_slow = false;
        for joint in &mut self.joints {
            (joint.health, joint.returned) = (Health::default(), None);
        }
    }

    pub(super) fn now(&self) -> Time {
        self.now
    }

    pub(super) fn note_return(&mut self, now: Time, joint: usize) {
        self.joints[joint].returned = Some(now);
    }

    /// What a servo's silence is called.
    pub(super) fn silence(&self, now: Time, joint: usize, otherwise: Cause) -> Cause {
        if self.watch.has_dipped(joint, now) { Cause::BrownOut(joint) } else { otherwise }
    }

    /// What it is called that a servo let go by itself.
    pub(super) fn limpness(&self, now: Time, joint: usize) -> Cause {
        let returned = self.joints[joint].returned;
        let was_silent = returned.is_some_and(|at| now.saturating_since(at) <= SILENCE_MEMORY);
        let otherwise = Cause::TorqueLost(joint);
        if was_silent { Cause::BrownOut(joint) } else { self.silence(now, joint, otherwise) }
    }

    pub(super) fn is_slow(&self) -> bool {
        self.is_slow
    }

    /// A trip that latches.
    pub(super) fn fault(&self) -> Option<Trip> {
        self.watch.worst().filter(|trip| Action::Slow < trip.action)
    }

    /// Where a joint that stalled is held.
    pub(super) fn relaxed(&self, joint: usize) -> Option<f64> {
        self.joints[joint].relaxed
    }

    pub(super) fn relax_none(&mut self) {
        self.joints.iter_mut().for_each(|joint| joint.relaxed = None);
    }
}

impl CaredJoint {
    fn load_limit(&self, effort: f64) -> f64 {
        let of_effort = if 0.0 < self.max_effort { effort / self.max_effort } else { f64::INFINITY };
        self.torque_limit.min(of_effort)
    }

    fn excess(&self, position: f64) -> f64 {
        (self.limits.lower() - position).max(position - self.limits.upper()).max(0.0)
    }
}

impl ArmCore {
    /// The same arm, with its servos watched and a rest pose to go to.
    #[must_use]
    pub fn with_care(mut self, care: Care, period_secs: f64) -> Self {
        self.caring.take(care, period_secs);
        self
    }

    /// A servo said this of itself; the next tick judges it.
    pub fn note_health(&mut self, joint: usize, health: Health) {
        if let Some(joint) = self.caring.joints.get_mut(joint) {
            joint.health = health;
        }
    }

    /// How each thing that is watched of a joint's servo stands, by [`Watched::index`].
    pub fn levels(&self, joint: usize) -> [Level; Watched::COUNT] {
        self.caring.watch.levels(joint)
    }

    /// The part of their speed that motions may have (0 to 1).
    pub fn speed_factor(&self) -> f64 {
        if self.caring.is_slow { self.caring.slow_factor } else { 1.0 }
    }

    /// The levels that began or ended since the last call, one by one.
    pub fn pop_watch_news(&mut self) -> Option<WatchNews> {
        self.caring.watch.pop_news()
    }

    /// The node stops: an arm that can goes to its rest pose. Tells whether it does.
    pub fn rest_and_stop(&mut self, source: &mut dyn ReferenceSource) -> bool {
        self.state.can_move() && self.start_resting(source, Cause::NodeStops, State::Holding)
    }

    /// Watches the servos, and does what is to be done about trips.
    pub(super) fn watch(&mut self, now: Time, source: &mut dyn ReferenceSource) {
        self.caring.now = now;
        let is_told = self.torque.is_on() && self.state != State::Energizing;
        for (index, joint) in self.caring.joints.iter().enumerate() {
            let measured = &self.measured[index];
            let sighting = Sighting {
                fresh: measured.fresh,
                stamp: (measured.stamp != Time::default()).then_some(measured.stamp),
                health: joint.health,
                position: measured.position,
                command: is_told.then_some(self.commands[index]),
                excess: joint.excess(measured.position),
                load_limit: joint.load_limit(self.efforts[index]),
                may_stall: source.may_stall(index),
            };
            self.caring.watch.judge(now, index, &sighting);
        }
        let worst = self.caring.watch.worst();
        self.caring.is_slow = worst.is_some_and(|trip| Action::Slow <= trip.action);
        source.limit_speed(self.speed_factor());
        if let Some(trip) = worst {
            self.act_on(trip, source);
        }
    }

    fn act_on(&mut self, trip: Trip, source: &mut dyn ReferenceSource) {
        let cause = Cause::Tripped(trip.watched, trip.joint);
        match trip.action {
            Action::Warn => {}
            Action::Slow if matches!(self.state, State::Holding | State::Active) => {
                self.enter(State::Degraded, cause);
            }
            Action::Slow => {}
            // An arm that cannot go there holds.
            Action::Rest if self.state.can_move() && self.start_resting(source, cause, State::Faulted) => {}
            Action::Rest if self.state == State::Resting => self.caring.after_rest = State::Faulted,
            Action::Rest | Action::Hold
                if self.state.can_move() || matches!(self.state, State::Resting | State::Standby) =>
            {
                self.relax(trip);
                self.latch_held(source, cause);
            }
            Action::Rest | Action::Hold if self.state == State::Energizing => {
                self.latch_released(source, cause);
            }
            Action::Rest | Action::Hold => {}
            Action::Release if self.torque.is_on() => self.latch_released(source, cause),
            Action::Release => {}
        }
    }

    /// A joint that pushes against something is held where it stands, and pushes no more.
    fn relax(&mut self, trip: Trip) {
        if trip.watched == Watched::Stall {
            self.caring.joints[trip.joint].relaxed = Some(self.measured[trip.joint].position);
        }
    }

    /// A source that fell silent has an end, by the policy.
    pub(super) fn look_for_commands(&mut self, now: Time, source: &mut dyn ReferenceSource) {
        let loss = self.policy.on_command_loss;
        let is_lost = loss.after.is_some_and(|after| source.silence(now).is_some_and(|it| after <= it));
        if !is_lost {
            return;
        }
        match loss.end {
            ArmEnd::Hold => {}
            ArmEnd::Rest => {
                self.start_resting(source, Cause::CommandsLost, State::Holding);
            }
            ArmEnd::Release => self.ask_release(source, State::Releasing, Cause::CommandsLost),
        }
    }

    /// An arm on its way to its rest pose obeys nothing when it is there, unless a trip sent it.
    pub(super) fn stand_by_after_rest(&mut self) {
        if self.caring.after_rest == State::Holding {
            self.caring.after_rest = State::Standby;
        }
    }

    pub(super) fn start_resting(
        &mut self,
        source: &mut dyn ReferenceSource,
        cause: Cause,
        after: State,
    ) -> bool {
        let Some(rest) = &mut self.caring.rest else { return false };
        rest.prepare();
        self.caring.after_rest = after;
        source.halt(cause.text());
        self.enter(State::Resting, cause);
        true
    }

    /// Writes the references of an arm on its way to its rest pose, once it has come to rest where it was; tells
    /// whether they are to be followed.
    pub(super) fn go_to_rest_pose(&mut self, source: &mut dyn ReferenceSource) -> bool {
        if self.state != State::Resting {
            return false;
        }
        let is_at_rest = self.limiters.iter().all(|limiter| limiter.velocity() == 0.0);
        let Some(rest) = &mut self.caring.rest else { return false };
        self.references.fill(Reference::Hold);
        if rest.is_over() && is_at_rest {
            let after = self.caring.after_rest;
            if after == State::Holding {
                source.hold_at(&self.commands);
            }
            self.enter(after, Cause::RestReached);
        } else if is_at_rest || rest.is_under_way() {
            rest.step(&self.commands, &mut self.references);
        }
        true
    }
}
