//! Executes trajectories: which goal is under way, where its reference is now, and how it ends.
//!
//! ```text
//! Holding ──goal──▶ Following ──end reached, within tolerance──▶ Holding   (Reached)
//!    ▲                 │ └─goal──▶ Following                               (Replaced)
//!    └──at rest── Braking ◀──cancel, stop, tolerance, halt                 (Cancelled, …)
//! ```
//! A goal that starts later waits beside the one under way. The *reference* is what the arm should do; it is kept
//! when a motion ends, however the joints sag below it. Commands are sampled one period ahead, because the servos
//! get them at the end of the cycle; errors compare the sample with the reference of the present.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::collections::VecDeque;

use super::arm::{MeasuredJoint, Reference, ReferenceSource};
use crate::config::arm::MAX_JOINTS;
use crate::config::controller::JointTolerance;
use crate::trajectory::limits::JointLimits;
use crate::trajectory::spline::JointState;
use crate::trajectory::waypoints::Trajectory;
use crate::units::Time;

/// Names a goal between a node and the follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GoalId(pub u64);

/// A trajectory to execute, and what counts as having executed it.
#[derive(Clone, Debug)]
pub struct Goal {
    /// The goal's name.
    pub id: GoalId,
    /// The motion.
    pub trajectory: Trajectory,
    /// When its time zero is; `None` for the moment it is taken up.
    pub start: Option<Time>,
    /// How well it must be followed.
    pub tolerances: Tolerances,
}

/// How well a goal must be followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Tolerances {
    /// One for each joint of the arm.
    pub joints: Vec<JointTolerance>,
    /// How long after the end the joints may still settle (s); 0 for ever.
    pub goal_time_secs: f64,
}

/// What a node asks of the follower.
#[derive(Debug)]
pub enum Request {
    /// Execute this, instead of what is under way.
    Follow(Box<Goal>),
    /// End this goal, if it is still there, and come to rest.
    Cancel(GoalId),
    /// End whatever is under way, and come to rest.
    Stop,
}

/// A goal that ended. It comes back whole, so that nothing is freed where time matters.
#[derive(Debug)]
pub struct Finished {
    /// The goal.
    pub goal: Box<Goal>,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a goal ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// At its end, within its tolerances.
    Reached,
    /// Because its client asked.
    Cancelled,
    /// Because another goal took its place.
    Replaced,
    /// Because it was told to stop, or the arm could not go on; says why.
    Halted(&'static str),
    /// A joint was too far from its reference on the way.
    PathTolerance(Violation),
    /// A joint was too far from the end when time was over.
    GoalTolerance(Violation),
}

/// Which joint violated which tolerance, and by how much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Violation {
    /// The joint (index into the arm's list).
    pub joint: usize,
    /// Reference minus measured position (rad or m).
    pub error: f64,
    /// The tolerance (rad or m).
    pub tolerance: f64,
    /// Seconds from the goal's start.
    pub after_secs: f64,
}

/// Executes one goal at a time. See the module's picture.
#[derive(Debug)]
pub struct Follower {
    period_secs: f64,
    limits: Vec<JointLimits>,
    /// The reference of the present.
    desired: Vec<JointState>,
    /// The reference one period ahead.
    command: Vec<JointState>,
    phase: Phase,
    waiting: Option<Box<Goal>>,
    /// Why no motion is possible now, if so.
    halted: Option<&'static str>,
    finished: VecDeque<Finished>,
}

#[derive(Debug)]
enum Phase {
    Holding,
    Braking,
    Following { goal: Box<Goal>, start: Time },
}

/// Room for the goals that one tick can end.
const FINISHED_CAPACITY: usize = 32;

impl Follower {
    /// Holds at zero until [`ReferenceSource::hold_at`] says where the arm is.
    pub fn new(limits: Vec<JointLimits>, period_secs: f64) -> Self {
        let at_zero = vec![JointState::default(); limits.len()];
        Self {
            period_secs,
            desired: at_zero.clone(),
            command: at_zero,
            limits,
            phase: Phase::Holding,
            waiting: None,
            halted: Some("the arm has no torque yet"),
            finished: VecDeque::with_capacity(FINISHED_CAPACITY),
        }
    }

    /// Whether another request can be taken before [`Follower::pop_finished`] is called.
    pub fn has_room(&self) -> bool {
        self.finished.len() + 4 < FINISHED_CAPACITY
    }

    /// Takes a request.
    pub fn request(&mut self, request: Request) {
        match request {
            Request::Follow(goal) => self.take(goal),
            Request::Cancel(id) => self.end_if(|goal| goal.id == id, Outcome::Cancelled),
            Request::Stop => self.end_if(|_| true, Outcome::Halted("told to stop")),
        }
    }

    /// The goals that ended since the last call, one by one.
    pub fn pop_finished(&mut self) -> Option<Finished> {
        self.finished.pop_front()
    }

    /// The reference of the present, for each joint.
    pub fn desired(&self) -> &[JointState] {
        &self.desired
    }

    /// The reference one period ahead, for each joint.
    pub fn command(&self) -> &[JointState] {
        &self.command
    }

    /// The goal under way.
    pub fn current(&self) -> Option<GoalId> {
        match &self.phase {
            Phase::Following { goal, .. } => Some(goal.id),
            _ => None,
        }
    }

    /// Whether it holds, and no goal waits.
    pub fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Holding) && self.waiting.is_none()
    }

    fn take(&mut self, goal: Box<Goal>) {
        if let Some(why) = self.halted {
            self.finish(goal, Outcome::Halted(why));
            return;
        }
        if let Some(old) = self.waiting.replace(goal) {
            self.finish(old, Outcome::Replaced);
        }
    }

    fn end_if(&mut self, matches: impl Fn(&Goal) -> bool, outcome: Outcome) {
        if let Some(goal) = self.waiting.take_if(|goal| matches(goal)) {
            self.finish(goal, outcome);
        }
        if matches!(&self.phase, Phase::Following { goal, .. } if matches(goal)) {
            self.brake(outcome);
        }
    }

    fn brake(&mut self, outcome: Outcome) {
        if let Phase::Following { goal, .. } = std::mem::replace(&mut self.phase, Phase::Braking) {
            self.finish(goal, outcome);
        }
    }

    fn finish(&mut self, goal: Box<Goal>, outcome: Outcome) {
        self.finished.push_back(Finished { goal, outcome });
    }

    fn start_waiting(&mut self, now: Time) {
        let due = self.waiting.take_if(|goal| goal.start.is_none_or(|start| start <= now));
        let Some(mut goal) = due else { return };
        let start = goal.start.unwrap_or(now);
        let Trajectory { joints, spline, .. } = &mut goal.trajectory;
        spline.begin(now.secs_since(start), |column| self.desired[joints[column]]);
        if let Phase::Following { goal: old, .. } =
            std::mem::replace(&mut self.phase, Phase::Following { goal, start })
        {
            self.finish(old, Outcome::Replaced);
        }
    }

    fn follow(&mut self, now: Time, measured: &[MeasuredJoint]) {
        let Phase::Following { goal, start } = &mut self.phase else { return };
        let elapsed = now.secs_since(*start);
        let Trajectory { joints, spline, .. } = &mut goal.trajectory;
        let duration = spline.duration();
        // A joint that this goal leaves out keeps its place.
        for (command, desired) in self.command.iter_mut().zip(&self.desired) {
            *command = JointState::at_rest(desired.position);
        }
        spline.sample(elapsed + self.period_secs, |column, state| self.command[joints[column]] = state);
        if elapsed < 0.5 * self.period_secs {
            spline.sample(elapsed, |column, state| self.desired[joints[column]] = state);
        }
        if elapsed < duration {
            // A joint that is not heard of lags behind in what is known of it, not in truth.
            let path =
                |joint: usize| if measured[joint].fresh { goal.tolerances.joints[joint].path } else { 0.0 };
            if let Some(violation) = violation(goal, &self.desired, measured, path, elapsed) {
                self.brake(Outcome::PathTolerance(violation));
            }
            return;
        }
        // Silence is no arrival: a joint that is not heard of counts where it was last.
        let at_goal = |joint: usize| goal.tolerances.joints[joint].goal;
        match violation(goal, &self.desired, measured, at_goal, elapsed) {
            None => self.brake(Outcome::Reached),
            Some(violation) => {
                let patience = goal.tolerances.goal_time_secs;
                if 0.0 < patience && duration + patience < elapsed {
                    self.brake(Outcome::GoalTolerance(violation));
                }
            }
        }
    }

    fn come_to_rest(&mut self) {
        let mut at_rest = true;
        for ((command, desired), limits) in self.command.iter_mut().zip(&self.desired).zip(&self.limits) {
            let step = limits.max_acceleration() * self.period_secs;
            let velocity = desired.velocity - desired.velocity.clamp(-step, step);
            let ahead = desired.position + velocity * self.period_secs;
            let position =
                ahead.clamp(desired.position.min(limits.lower()), desired.position.max(limits.upper()));
            let stops = velocity == 0.0 || position != ahead;
            at_rest &= stops;
            *command = if stops {
                JointState::at_rest(position)
            } else {
                JointState { position, velocity, acceleration: 0.0 }
            };
        }
        if at_rest {
            self.phase = Phase::Holding;
        }
    }
}

impl ReferenceSource for Follower {
    fn step(&mut self, now: Time, measured: &[MeasuredJoint], reference: &mut [Reference]) -> bool {
        self.desired.copy_from_slice(&self.command);
        self.start_waiting(now);
        self.follow(now, measured);
        let moves = !matches!(self.phase, Phase::Holding);
        if matches!(self.phase, Phase::Braking) {
            self.come_to_rest();
        }
        for (reference, command) in reference.iter_mut().zip(&self.command) {
            *reference = Reference::Follow(command.position);
        }
        moves
    }

    fn hold_at(&mut self, positions: &[f64]) {
        self.halt("the arm starts to hold");
        self.halted = None;
        self.phase = Phase::Holding;
        for (joint, &position) in positions.iter().enumerate() {
            self.desired[joint] = JointState::at_rest(position);
            self.command[joint] = JointState::at_rest(position);
        }
    }

    fn halt(&mut self, why: &'static str) {
        self.halted = Some(why);
        self.end_if(|_| true, Outcome::Halted(why));
    }
}

/// The first joint of the goal that is farther from its reference than `tolerance_of` allows.
fn violation(
    goal: &Goal,
    desired: &[JointState],
    measured: &[MeasuredJoint],
    tolerance_of: impl Fn(usize) -> f64,
    after_secs: f64,
) -> Option<Violation> {
    debug_assert!(desired.len() <= MAX_JOINTS);
    goal.trajectory.joints.iter().find_map(|&joint| {
        let tolerance = tolerance_of(joint);
        let error = desired[joint].position - measured[joint].position;
        (0.0 < tolerance && tolerance < error.abs()).then_some(Violation {
            joint,
            error,
            tolerance,
            after_secs,
        })
    })
}

#[cfg(test)]
#[path = "follower_tests.rs"]
mod tests;
