//! The client: moves the arm from one random posture to the next, and switches it on again after a fault.

use std::time::Duration;

use super::line::Line;
use servo_arm::config::controller::JointTolerance;
use servo_arm::control::arm::ArmRequest;
use servo_arm::control::follower::{Goal, GoalId, Outcome, Request, Tolerances};
use servo_arm::control::safety::State;
use servo_arm::servo::ports::ArmEvent;
use servo_arm::trajectory::motion::Motion;
use servo_arm::trajectory::waypoints::{LimitsPolicy, Point, Rules, Waypoints};
use servo_arm::units::Time;

use super::Report;
use crate::emulated_arm::{Arm, Goals, ended};

/// See the module's text.
pub(crate) struct Operator {
    random: fastrand::Rng,
    goals: Goals,
    goal: u64,
    /// When the state was entered in which the arm is.
    since: (State, Time),
    /// When something was asked last.
    asked: Option<Time>,
    next_goal: Time,
    /// Whether a reset was refused, and nothing was asked since.
    was_refused: bool,
}

/// A person needs so long to see what happened.
const REACTION: Duration = Duration::from_millis(300);
/// What was asked has an effect within this time, or something else is asked.
const PATIENCE: Duration = Duration::from_millis(500);

impl Operator {
    /// An operator who sends goals there.
    pub(crate) fn new(seed: u64, goals: Goals) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed ^ 0x0B),
            goals,
            goal: 0,
            since: (State::Disconnected, Time(0)),
            asked: None,
            next_goal: Time(0),
            was_refused: false,
        }
    }

    /// What is asked for before the next cycle.
    pub(crate) fn act(&mut self, arm: &mut Arm<Line>, now: Time) -> Option<ArmRequest> {
        let state = arm.control.snapshot().state;
        if state != self.since.0 {
            self.since = (state, now);
            (self.asked, self.was_refused) = (None, false);
        }
        let waited = now.saturating_since(self.since.1);
        match state {
            State::Holding | State::Active if self.next_goal <= now => {
                self.send_goal(arm, now);
                None
            }
            State::Identified if REACTION < waited => self.ask(arm, ArmRequest::TorqueOn, now),
            // Which is what the refusal says.
            State::Faulted if REACTION < waited && self.was_refused => {
                self.ask(arm, ArmRequest::TorqueOff, now)
            }
            State::Faulted if REACTION < waited => self.ask(arm, ArmRequest::Reset, now),
            _ => None,
        }
    }

    /// Listens to what the arm says.
    pub(crate) fn hear(&mut self, arm: &mut Arm<Line>, report: &mut Report) {
        for event in arm.events() {
            match event {
                ArmEvent::Refused(ArmRequest::Reset, _) => {
                    self.was_refused = true;
                }
                ArmEvent::Transition(transition) => report.entered(transition.to),
                event => {
                    if let Some((_, outcome)) = ended(&event) {
                        report.goals += 1;
                        report.goals_reached += u64::from(outcome == Outcome::Reached);
                    }
                }
            }
        }
    }

    fn ask(&mut self, arm: &mut Arm<Line>, request: ArmRequest, now: Time) -> Option<ArmRequest> {
        if self.asked.is_some_and(|at| now < at + PATIENCE) {
            return None;
        }
        (self.asked, self.was_refused) = (Some(now), false);
        arm.ask(request);
        Some(request)
    }

    /// Some go on until they are reached, some are replaced on the way.
    fn send_goal(&mut self, arm: &Arm<Line>, now: Time) {
        let setup = &arm.setup;
        let count = 1 + self.random.usize(..3);
        let mut time_from_start = 0.0;
        let points = (0..count).map(|_| {
            time_from_start += 0.2 + 1.5 * self.random.f64();
            let positions = setup.limits.iter().map(|limits| {
                let (lower, upper) = (limits.lower().max(-2.0), limits.upper().min(2.0));
                lower + (upper - lower) * self.random.f64()
            });
            Point { time_from_start, positions: positions.collect(), ..Point::default() }
        });
        let waypoints = Waypoints { points: points.collect(), joint_names: setup.joints.clone() };
        let policy = if self.random.bool() { LimitsPolicy::Retime } else { LimitsPolicy::Shorten };
        let rules = Rules { policy, ..Rules::new(&setup.joints, &setup.limits) };
        // A motion that would swing beyond a limit between its points is refused; another one is not.
        let Ok(trajectory) = waypoints.validate(rules) else { return };
        self.goal += 1;
        self.goals.push(Request::Follow(Box::new(Goal {
            id: GoalId(self.goal),
            motion: Motion::new(trajectory),
            start: None,
            tolerances: Tolerances {
                joints: vec![JointTolerance { path: 0.0, goal: 0.05 }; setup.joints.len()],
                goal_time_secs: 0.0,
                timeout_secs: None,
            },
            blends: true,
        })));
        self.next_goal = now + Duration::from_secs_f64(0.3 + 4.0 * self.random.f64());
    }
}
