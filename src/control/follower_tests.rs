//! The follower on simulated time, with measurements that follow at a distance.

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
        let raw = RawLimits {
            lower: -3.0,
            upper: 3.0,
            max_velocity: 5.0,
            max_acceleration: 10.0,
            max_jerk: f64::INFINITY,
        };
        let limits = vec![JointLimits::new(raw).unwrap(); 2];
        let mut follower = Follower::new(limits.clone(), PERIOD);
        follower.hold_at(&[0.0, 1.0]);
        Self { follower, limits, now: Time(1_000_000_000), offset: 0.0, fresh: true, references: Vec::new() }
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
        let rules = Rules { allow_partial: true, ..Rules::new(&joints, &self.limits) };
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
                Reference::Hold | Reference::Track { .. } => f64::NAN,
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
    assert!(0.0 < bench.last()[0] && bench.last()[0] < PERIOD);
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
    bench.follow(bench.goal(7, &["a", "b"], &[(2.0, &[2.8, 1.0], &[])]));
    bench.run(0.5);
    let before = bench.last()[0];
    bench.follower.request(Request::Cancel(GoalId(7)));
    assert_eq!(bench.run(1.0), Some((GoalId(7), Outcome::Cancelled)));
    assert_eq!(bench.run(1.0), None);
    // 1.59 rad/s, which make up for the ramps, and 10 rad/s² need 0.126 rad.
    let braked = bench.last()[0] - before;
    assert!((0.10..=0.15).contains(&braked), "{braked}");
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
