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
        let Trajectory { joints, spline } = &mut goal.trajectory;
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
        let Trajectory { joints, spline } = &mut goal.trajectory;
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
mod tests {
    use super::*;
    use crate::trajectory::limits::RawLimits;
    use crate::trajectory::waypoints::{Point, Rules, Waypoints};

    const PERIOD: f64 = 0.01;

    /// A follower of two joints, on simulated time, with measurements that follow at a distance.
    struct Bench {
        follower: Follower,
        limits: Vec<JointLimits>,
        now: Time,
        offset: f64,
        fresh: bool,
        references: Vec<[f64; 2]>,
    }

    impl Bench {
        fn new() -> Self {
            let raw = RawLimits { lower: -3.0, upper: 3.0, max_velocity: 5.0, max_acceleration: 10.0 };
            let limits = vec![JointLimits::new(raw).unwrap(); 2];
            let mut follower = Follower::new(limits.clone(), PERIOD);
            follower.hold_at(&[0.0, 1.0]);
            Self {
                follower,
                limits,
                now: Time(1_000_000_000),
                offset: 0.0,
                fresh: true,
                references: Vec::new(),
            }
        }

        fn goal(&self, id: u64, names: &[&str], points: &[(f64, &[f64], &[f64])]) -> Box<Goal> {
            let point = |&(time_from_start, positions, velocities): &(f64, &[f64], &[f64])| Point {
                time_from_start,
                positions: positions.to_vec(),
                velocities: velocities.to_vec(),
                ..Point::default()
            };
            let waypoints = Waypoints {
                joint_names: names.iter().map(|&name| name.to_owned()).collect(),
                points: points.iter().map(point).collect(),
            };
            let joints = ["a".to_owned(), "b".to_owned()];
            let rules =
                Rules { joints: &joints, limits: &self.limits, allow_partial: true, allow_moving_end: false };
            let tolerance = JointTolerance { path: 0.3, goal: 0.05 };
            Box::new(Goal {
                id: GoalId(id),
                trajectory: waypoints.validate(rules).unwrap(),
                start: None,
                tolerances: Tolerances { joints: vec![tolerance; 2], goal_time_secs: 0.5 },
            })
        }

        fn follow(&mut self, goal: Box<Goal>) {
            self.follower.request(Request::Follow(goal));
        }

        /// Steps until a goal ends, or `secs` are over.
        fn run(&mut self, secs: f64) -> Option<(GoalId, Outcome)> {
            let end = self.now.plus_secs(secs);
            while self.now < end {
                if let Some(Finished { goal, outcome }) = self.follower.pop_finished() {
                    return Some((goal.id, outcome));
                }
                let measured: Vec<_> = self
                    .follower
                    .command()
                    .iter()
                    .map(|state| MeasuredJoint {
                        position: state.position - self.offset,
                        fresh: self.fresh,
                        ..Default::default()
                    })
                    .collect();
                let mut reference = [Reference::Hold; 2];
                self.follower.step(self.now, &measured, &mut reference);
                self.references.push(reference.map(|reference| match reference {
                    Reference::Follow(position) => position,
                    Reference::Hold => f64::NAN,
                }));
                self.now = self.now.plus_secs(PERIOD);
            }
            self.follower.pop_finished().map(|finished| (finished.goal.id, finished.outcome))
        }

        fn last(&self) -> [f64; 2] {
            *self.references.last().unwrap()
        }
    }

    #[test]
    fn a_goal_ends_at_its_last_point_and_on_time() {
        let mut bench = Bench::new();
        let start = bench.now;
        bench.follow(bench.goal(1, &["b", "a"], &[(1.0, &[1.5, 0.5], &[0.0, 0.0])]));
        assert_eq!(bench.run(5.0), Some((GoalId(1), Outcome::Reached)));
        assert_eq!(bench.last(), [0.5, 1.5]);
        let took = bench.now.secs_since(start);
        assert!((1.0..=1.0 + 2.5 * PERIOD).contains(&took), "{took}");
    }

    #[test]
    fn the_first_command_is_already_on_the_way() {
        let mut bench = Bench::new();
        bench.follow(bench.goal(1, &["a", "b"], &[(1.0, &[1.0, 1.0], &[])]));
        bench.run(PERIOD);
        assert!((bench.last()[0] - PERIOD).abs() < 1e-9);
    }

    #[test]
    fn a_joint_that_is_left_out_keeps_its_reference() {
        let mut bench = Bench::new();
        bench.offset = 0.02;
        bench.follow(bench.goal(1, &["a"], &[(0.5, &[1.0], &[])]));
        assert_eq!(bench.run(5.0), Some((GoalId(1), Outcome::Reached)));
        assert!(bench.references.iter().all(|reference| reference[1] == 1.0));
    }

    #[test]
    fn a_new_goal_takes_over_where_the_reference_is() {
        let mut bench = Bench::new();
        bench.follow(bench.goal(1, &["a", "b"], &[(1.0, &[2.0, 1.0], &[0.0, 0.0])]));
        assert_eq!(bench.run(0.5), None);
        bench.follow(bench.goal(2, &["a", "b"], &[(1.0, &[0.0, 1.0], &[0.0, 0.0])]));
        assert_eq!(bench.run(5.0), Some((GoalId(1), Outcome::Replaced)));
        assert_eq!(bench.run(5.0), Some((GoalId(2), Outcome::Reached)));
        let steps = bench.references.windows(2).map(|pair| pair[1][0] - pair[0][0]);
        let velocities: Vec<f64> = steps.map(|step| step / PERIOD).collect();
        for pair in velocities.windows(2) {
            assert!((pair[1] - pair[0]).abs() < 0.5, "velocity jumps from {} to {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn cancel_decelerates_and_holds_the_reference() {
        let mut bench = Bench::new();
        bench.follow(bench.goal(7, &["a", "b"], &[(1.0, &[2.0, 1.0], &[])]));
        bench.run(0.5);
        let before = bench.last()[0];
        bench.follower.request(Request::Cancel(GoalId(7)));
        assert_eq!(bench.run(1.0), Some((GoalId(7), Outcome::Cancelled)));
        assert_eq!(bench.run(1.0), None);
        // 2 rad/s and 10 rad/s² need 0.2 rad.
        let braked = bench.last()[0] - before;
        assert!((0.15..=0.22).contains(&braked), "{braked}");
    }

    #[test]
    fn a_cancel_of_another_goal_changes_nothing() {
        let mut bench = Bench::new();
        bench.follow(bench.goal(1, &["a"], &[(0.5, &[1.0], &[])]));
        bench.run(0.1);
        bench.follower.request(Request::Cancel(GoalId(2)));
        assert_eq!(bench.run(5.0), Some((GoalId(1), Outcome::Reached)));
    }

    #[test]
    fn a_goal_in_the_future_starts_then() {
        let mut bench = Bench::new();
        let mut goal = bench.goal(1, &["a"], &[(0.5, &[1.0], &[])]);
        goal.start = Some(bench.now.plus_secs(1.0));
        bench.follow(goal);
        assert_eq!(bench.run(0.95), None);
        assert_eq!(bench.last(), [0.0, 1.0]);
        assert_eq!(bench.run(1.0), Some((GoalId(1), Outcome::Reached)));
    }

    #[test]
    fn a_joint_off_its_path_ends_the_goal_with_its_error() {
        let mut bench = Bench::new();
        bench.follow(bench.goal(1, &["a"], &[(1.0, &[1.0], &[])]));
        bench.run(0.5);
        bench.offset = 0.4;
        let Some((GoalId(1), Outcome::PathTolerance(violation))) = bench.run(1.0) else { panic!() };
        assert_eq!((violation.joint, violation.tolerance), (0, 0.3));
        assert!((violation.error - 0.4).abs() < 1e-6);
    }

    #[test]
    fn a_joint_that_does_not_settle_ends_the_goal_when_time_is_over() {
        let mut bench = Bench::new();
        bench.offset = 0.1;
        let start = bench.now;
        bench.follow(bench.goal(1, &["a"], &[(0.5, &[1.0], &[])]));
        let Some((GoalId(1), Outcome::GoalTolerance(_))) = bench.run(5.0) else { panic!() };
        assert!((1.0..1.1).contains(&bench.now.secs_since(start)));
        assert_eq!(bench.last()[0], 1.0, "the reference is kept, not the measured position");
    }

    #[test]
    fn a_joint_that_falls_silent_before_its_end_has_not_arrived() {
        let mut bench = Bench::new();
        bench.offset = 0.1;
        bench.follow(bench.goal(1, &["a"], &[(0.5, &[1.0], &[])]));
        assert_eq!(bench.run(0.4), None);
        bench.fresh = false;
        let Some((GoalId(1), Outcome::GoalTolerance(_))) = bench.run(5.0) else { panic!() };
    }

    #[test]
    fn nothing_is_taken_while_the_arm_cannot_move() {
        let mut bench = Bench::new();
        bench.follow(bench.goal(1, &["a"], &[(1.0, &[1.0], &[])]));
        bench.run(0.2);
        bench.follower.halt("emergency stop");
        assert_eq!(bench.run(1.0), Some((GoalId(1), Outcome::Halted("emergency stop"))));
        bench.follow(bench.goal(2, &["a"], &[(1.0, &[1.0], &[])]));
        assert_eq!(bench.run(1.0), Some((GoalId(2), Outcome::Halted("emergency stop"))));
        bench.follower.hold_at(&[0.3, 0.3]);
        bench.follow(bench.goal(3, &["a"], &[(0.2, &[1.0], &[])]));
        assert_eq!(bench.run(1.0), Some((GoalId(3), Outcome::Reached)));
    }
}
