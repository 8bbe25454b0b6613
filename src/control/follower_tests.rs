//! The follower on simulated time, with measurements that follow at a distance.

use super::*;
use crate::config::controller::JointTolerance;
use crate::trajectory::limits::RawLimits;
use crate::trajectory::motion::Motion;
use crate::trajectory::refusal::Refusal;
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
    events: VecDeque<FollowerEvent>,
}

type Points<'a> = &'a [(f64, &'a [f64], &'a [f64])];

fn limits(lower: f64, upper: f64) -> JointLimits {
    let raw = RawLimits { lower, upper, max_velocity: 5.0, max_acceleration: 10.0, max_jerk: 200.0 };
    JointLimits::new(raw).unwrap()
}

impl Bench {
    fn new() -> Self {
        Self::with_limits(limits(-3.0, 3.0))
    }

    fn with_limits(limits: JointLimits) -> Self {
        let limits = vec![limits; 2];
        let mut follower = Follower::new(FollowerSetup {
            joints: vec![0, 1],
            commanded: vec![true; 2],
            limits: limits.clone(),
            braking_limits: limits.clone(),
            period_secs: PERIOD,
            speed_factor: 1.0,
        });
        follower.hold_at(&[0.0, 1.0]);
        let (now, events) = (Time(1_000_000_000), VecDeque::new());
        Self { follower, limits, now, offset: 0.0, fresh: true, references: Vec::new(), events }
    }

    fn goal(&self, id: u64, names: &[&str], points: Points<'_>) -> Box<Goal> {
        self.checked_goal(id, names, points).unwrap()
    }

    fn checked_goal(&self, id: u64, names: &[&str], points: Points<'_>) -> Result<Box<Goal>, Refusal> {
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
        let rules = Rules {
            start: self.follower.desired(),
            allow_partial: true,
            allow_moving_end: true,
            ..Rules::new(&joints, &self.limits)
        };
        let tolerance = JointTolerance { path: 0.3, goal: 0.05 };
        Ok(Box::new(Goal {
            id: GoalId(id),
            motion: Motion::new(waypoints.validate(rules)?),
            start: None,
            tolerances: Tolerances { joints: vec![tolerance; 2], goal_time_secs: 0.5, timeout_secs: None },
            blends: true,
        }))
    }

    fn follow(&mut self, goal: Box<Goal>) {
        self.follower.request(Request::Follow(goal));
    }

    fn send(&mut self, id: u64, names: &[&str], points: Points<'_>) {
        self.follow(self.goal(id, names, points));
    }

    fn step(&mut self) {
        let mut measured = [MeasuredJoint { fresh: self.fresh, ..MeasuredJoint::default() }; 2];
        for (measured, desired) in measured.iter_mut().zip(&self.follower.references.command) {
            measured.position = desired.position - self.offset;
        }
        let mut reference = [Reference::Hold; 2];
        self.follower.step(self.now, &measured, &mut reference);
        self.references.push(reference.map(|reference| match reference {
            Reference::Follow(position) => position,
            Reference::Hold | Reference::Track { .. } => f64::NAN,
        }));
        self.now = self.now.plus_secs(PERIOD);
        self.events.extend(std::iter::from_fn(|| self.follower.pop_event()));
    }

    /// Steps until a goal ends, or `secs` are over.
    fn run(&mut self, secs: f64) -> Option<(GoalId, Outcome)> {
        let end = self.now.plus_secs(secs);
        self.events.extend(std::iter::from_fn(|| self.follower.pop_event()));
        loop {
            while let Some(event) = self.events.pop_front() {
                if let FollowerEvent::Ended(Ended { id, outcome }) = event {
                    return Some((id, outcome));
                }
            }
            if end <= self.now {
                return None;
            }
            self.step();
        }
    }

    fn last(&self) -> [f64; 2] {
        *self.references.last().unwrap()
    }

    /// Derivatives of a joint's references: velocities and accelerations.
    fn derivatives(&self, joint: usize) -> (Vec<f64>, Vec<f64>) {
        let differences =
            |values: &[f64]| values.windows(2).map(|pair| (pair[1] - pair[0]) / PERIOD).collect::<Vec<_>>();
        let positions: Vec<f64> = self.references.iter().map(|reference| reference[joint]).collect();
        let velocities = differences(&positions);
        let accelerations = differences(&velocities);
        (velocities, accelerations)
    }

    fn answer(&mut self, at_secs: f64) -> Answer {
        let time = self.now.plus_secs(at_secs - PERIOD);
        self.follower.request(Request::Query(time));
        let answer = std::iter::from_fn(|| self.follower.pop_event()).find_map(|event| match event {
            FollowerEvent::Answer(answer) => Some(answer),
            _ => None,
        });
        answer.unwrap()
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
    let first = bench.last()[0];
    assert!(0.0 < first && first < PERIOD, "{first}");
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
    // About 2.9 rad/s, 10 rad/s² and 200 rad/s³ need half a radian.
    let braked = bench.last()[0] - before;
    assert!((0.45..=0.55).contains(&braked), "{braked}");
}

#[test]
fn no_joint_goes_back_when_it_comes_to_rest() {
    for id in 1..20 {
        let mut bench = Bench::new();
        bench.send(id, &["a"], &[(1.0, &[2.0], &[0.0])]);
        bench.run(0.04 * id as f64);
        bench.follower.request(Request::Cancel(GoalId(id)));
        bench.run(PERIOD);
        bench.run(1.0);
        assert!(bench.references.is_sorted_by(|before, after| before[0] <= after[0]), "after {id} steps");
    }
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
fn a_goal_that_begins_now_is_not_replaced_by_one_that_begins_later() {
    let mut bench = Bench::new();
    let mut later = bench.goal(2, &["a"], &[(0.5, &[1.0], &[])]);
    later.start = Some(bench.now.plus_secs(1.5));
    bench.step();
    bench.send(1, &["a"], &[(0.5, &[0.3], &[])]);
    bench.follow(later);
    assert_eq!(bench.run(1.0), Some((GoalId(1), Outcome::Reached)));
    assert_eq!(bench.run(3.0), Some((GoalId(2), Outcome::Reached)));
    assert_eq!(bench.last()[0], 1.0);
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
    bench.follow(bench.goal(1, &["a"], &[(1.0, &[1.0], &[])]));
    let Some((GoalId(1), Outcome::GoalTolerance(_))) = bench.run(5.0) else { panic!() };
    assert!((1.5..1.6).contains(&bench.now.secs_since(start)));
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

#[test]
fn joints_that_a_new_goal_leaves_out_finish_their_motion() {
    let mut bench = Bench::new();
    bench.send(1, &["a", "b"], &[(1.0, &[1.0, 2.0], &[0.0, 0.0])]);
    assert_eq!(bench.run(0.3), None);
    bench.send(2, &["a"], &[(0.5, &[0.0], &[0.0])]);
    assert_eq!(bench.run(PERIOD), Some((GoalId(1), Outcome::Replaced)));
    assert_eq!(bench.run(2.0), Some((GoalId(2), Outcome::Reached)));
    assert!(bench.last()[1] < 2.0, "still on its way");
    bench.run(1.0);
    assert_eq!(bench.last(), [0.0, 2.0]);
    assert!(bench.follower.is_idle());
    for joint in 0..2 {
        let (_, accelerations) = bench.derivatives(joint);
        assert!(accelerations.iter().all(|a| a.abs() < 60.0), "joint {joint} jumps");
    }
}

#[test]
fn without_blending_joints_that_a_new_goal_leaves_out_come_to_rest() {
    let mut bench = Bench::new();
    bench.send(1, &["a", "b"], &[(1.0, &[1.0, 2.0], &[0.0, 0.0])]);
    bench.run(0.3);
    let mut goal = bench.goal(2, &["a"], &[(0.5, &[0.0], &[0.0])]);
    goal.blends = false;
    bench.follow(goal);
    bench.run(PERIOD);
    bench.run(2.0);
    bench.run(1.0);
    assert!((1.1..1.9).contains(&bench.last()[1]), "{}", bench.last()[1]);
}

#[test]
fn several_goals_for_one_joint_each_leave_the_other_one_alone() {
    let mut bench = Bench::new();
    bench.send(1, &["a", "b"], &[(2.0, &[1.0, 2.0], &[0.0, 0.0])]);
    for id in 2..40 {
        bench.run(0.04);
        bench.send(id, &["a"], &[(0.5, &[0.01 * id as f64], &[0.0])]);
    }
    while bench.run(3.0).is_some() {}
    assert_eq!(bench.last(), [0.39, 2.0]);
    assert!(bench.follower.is_idle());
}

#[test]
fn a_trajectory_that_ends_in_motion_brakes_after_its_end() {
    let mut bench = Bench::new();
    bench.send(1, &["a"], &[(1.0, &[1.0], &[1.0])]);
    assert_eq!(bench.run(2.0), Some((GoalId(1), Outcome::Reached)));
    bench.run(1.0);
    assert!((1.03..1.2).contains(&bench.last()[0]), "{}", bench.last()[0]);
    let (_, accelerations) = bench.derivatives(0);
    assert!(accelerations.iter().all(|a| a.abs() < 11.0));
}

#[test]
fn a_speed_of_zero_pauses_on_the_path_and_another_speed_goes_on() {
    let mut bench = Bench::new();
    let start = bench.now;
    bench.send(1, &["a"], &[(1.0, &[1.0], &[0.0])]);
    bench.run(0.4);
    bench.follower.request(Request::SetSpeed(0.0));
    assert_eq!(bench.run(3.0), None);
    let paused = bench.last()[0];
    assert_eq!(bench.run(1.0), None);
    assert_eq!(bench.last()[0], paused);
    bench.follower.request(Request::SetSpeed(0.5));
    assert_eq!(bench.run(5.0), Some((GoalId(1), Outcome::Reached)));
    assert_eq!(bench.last()[0], 1.0);
    assert!(4.6 < bench.now.secs_since(start));
    let (_, accelerations) = bench.derivatives(0);
    assert!(accelerations.iter().all(|a| a.abs() < 11.0), "the speed jumps");
}

#[test]
fn a_handover_at_half_speed_is_no_jump() {
    let mut bench = Bench::new();
    bench.follower.request(Request::SetSpeed(0.5));
    bench.send(1, &["a"], &[(1.0, &[1.0], &[0.0])]);
    bench.run(0.9);
    bench.send(2, &["a"], &[(1.0, &[1.5], &[0.0])]);
    bench.run(PERIOD);
    assert_eq!(bench.run(5.0), Some((GoalId(2), Outcome::Reached)));
    let (_, accelerations) = bench.derivatives(0);
    assert!(accelerations.iter().all(|a| a.abs() < 6.0));
}

#[test]
fn at_half_speed_everything_takes_twice_as_long() {
    let mut bench = Bench::new();
    bench.follower.request(Request::SetSpeed(0.5));
    let start = bench.now;
    bench.send(1, &["a"], &[(1.0, &[1.0], &[0.0])]);
    assert_eq!(bench.run(5.0), Some((GoalId(1), Outcome::Reached)));
    let took = bench.now.secs_since(start);
    assert!((2.0..2.1).contains(&took), "{took}");
}

#[test]
fn points_of_a_stream_are_passed_without_stop_and_go_and_the_last_one_is_not_overshot() {
    for (interval_ticks, count, asked) in [(10, 15_u32, 0.1), (3, 50, 0.03), (1, 150, 0.0), (10, 15, 0.5)] {
        let mut bench = Bench::new();
        let interval = f64::from(interval_ticks) * PERIOD;
        for k in 1..=count {
            let place = f64::from(k) * interval;
            bench.send(u64::from(k), &["a"], &[(asked, &[place], &[])]);
            (0..interval_ticks).for_each(|_| bench.step());
        }
        let end = f64::from(count) * interval;
        (0..150).for_each(|_| bench.step());
        let (velocities, accelerations) = bench.derivatives(0);
        let middle = &velocities[velocities.len() / 3..velocities.len() / 3 + 50];
        let (least, most) = middle.iter().fold((f64::MAX, f64::MIN), |(l, m), v| (l.min(*v), m.max(*v)));
        assert!(0.8 < least && most < 1.2, "{interval} s: from {least} to {most}");
        assert!(accelerations.iter().all(|a| a.abs() < 12.0), "{interval} s");
        assert!((bench.last()[0] - end).abs() < 1e-9, "{interval} s: {} is not {end}", bench.last()[0]);
        let farthest = bench.references.iter().map(|reference| reference[0]).fold(f64::MIN, f64::max);
        assert!(farthest < end + 0.01, "{interval} s: {farthest} is beyond {end}");
    }
}

#[test]
fn a_stream_at_half_speed_goes_by_the_clock() {
    let mut bench = Bench::new();
    bench.follower.request(Request::SetSpeed(0.5));
    bench.run(1.0);
    for k in 1..=30 {
        bench.send(k, &["a"], &[(0.05, &[k as f64 * 0.05], &[])]);
        (0..5).for_each(|_| bench.step());
    }
    let (velocities, accelerations) = bench.derivatives(0);
    let middle = &velocities[velocities.len() - 60..velocities.len() - 10];
    assert!(middle.iter().all(|v| (v - 1.0).abs() < 0.2), "{middle:?}");
    assert!(accelerations.iter().all(|a| a.abs() < 12.0));
}

#[test]
fn a_single_point_without_time_is_reached_as_soon_as_the_limits_allow() {
    let mut bench = Bench::new();
    let start = bench.now;
    bench.send(1, &["a", "b"], &[(0.0, &[2.0, 0.0], &[])]);
    assert_eq!(bench.run(5.0), Some((GoalId(1), Outcome::Reached)));
    // 2 rad at 10 rad/s² and 200 rad/s³: 2·√(2/10 + (10/400)²) + 10/200 s, near enough.
    let took = bench.now.secs_since(start);
    assert!((0.93..1.0).contains(&took), "{took}");
    let (_, accelerations) = bench.derivatives(1);
    assert!(accelerations.iter().all(|a| a.abs() < 10.1));
}

#[test]
fn a_start_that_is_said_and_wrong_is_a_path_violation_and_nothing_moves() {
    let mut bench = Bench::new();
    bench.send(1, &["a"], &[(0.0, &[1.0], &[0.0]), (1.0, &[2.0], &[0.0])]);
    let Some((GoalId(1), Outcome::PathTolerance(violation))) = bench.run(1.0) else { panic!() };
    assert_eq!((violation.joint, violation.error), (0, 1.0));
    bench.run(0.5);
    assert!(bench.references.iter().all(|reference| *reference == [0.0, 1.0]));
}

#[test]
fn a_joint_that_turns_for_ever_goes_the_short_way() {
    let mut bench = Bench::with_limits(limits(f64::NEG_INFINITY, f64::INFINITY));
    bench.follower.hold_at(&[3.0, 0.0]);
    bench.send(1, &["a"], &[(1.0, &[-3.0], &[0.0])]);
    assert_eq!(bench.run(5.0), Some((GoalId(1), Outcome::Reached)));
    assert!((bench.last()[0] - (std::f64::consts::TAU - 3.0)).abs() < 1e-9);
}

#[test]
fn a_goal_without_patience_is_given_up_when_it_times_out() {
    let mut bench = Bench::new();
    bench.offset = 0.1;
    let mut goal = bench.goal(1, &["a"], &[(0.5, &[1.0], &[0.0])]);
    (goal.tolerances.goal_time_secs, goal.tolerances.timeout_secs) = (0.0, Some(1.0));
    bench.follow(goal);
    assert_eq!(bench.run(1.4), None);
    let Some((_, Outcome::GoalTolerance(violation))) = bench.run(1.0) else { panic!() };
    assert!(violation.overdue_secs < 2.0 * PERIOD);
}

#[test]
fn a_deactivated_controller_ends_its_goal_holds_and_takes_none() {
    let mut bench = Bench::new();
    bench.send(1, &["a"], &[(1.0, &[1.0], &[0.0])]);
    bench.run(0.3);
    bench.follower.request(Request::Deactivate);
    assert_eq!(bench.run(1.0), Some((GoalId(1), Outcome::Deactivated)));
    bench.run(0.5);
    assert!(bench.last()[0].is_nan(), "it has no reference to give");
    bench.send(2, &["a"], &[(1.0, &[1.0], &[0.0])]);
    assert_eq!(bench.run(1.0), Some((GoalId(2), Outcome::Halted("the controller is not active"))));
    bench.offset = 0.1;
    bench.run(0.1);
    bench.follower.request(Request::Activate(StartFrom::Command));
    bench.run(PERIOD);
    let held = bench.last()[0];
    bench.follower.request(Request::Deactivate);
    bench.follower.request(Request::Activate(StartFrom::Measured));
    bench.run(PERIOD);
    assert!((bench.last()[0] - (held - 0.1)).abs() < 1e-9);
}

#[test]
fn a_question_about_the_trajectory_is_answered_within_its_time_only() {
    let mut bench = Bench::new();
    assert!(bench.answer(0.0).is_err());
    bench.send(1, &["a"], &[(1.0, &[1.0], &[0.0])]);
    bench.run(0.5);
    let now = bench.answer(0.0).unwrap();
    assert!((now[0].position - bench.follower.desired()[0].position).abs() < 1e-9);
    assert_eq!(now[1].position, 1.0);
    assert!((bench.answer(0.2).unwrap()[0].position - 0.771).abs() < 0.005);
    assert!(bench.answer(-0.6).unwrap_err().contains("earlier"));
    assert!(bench.answer(0.6).unwrap_err().contains("later"));
}

#[test]
fn hours_of_random_goals_leave_no_goal_behind_and_every_reference_smooth() {
    let mut bench = Bench::new();
    let mut random = fastrand::Rng::with_seed(7);
    let (mut sent, mut ended, mut retired) = (0_u64, 0_u64, 0_u64);
    for _ in 0..4000 {
        match random.u32(0..10) {
            0 => bench.follower.request(Request::Cancel(GoalId(sent))),
            1 => bench.follower.request(Request::Stop),
            2 => bench.follower.request(Request::SetSpeed(random.f64() * 1.5)),
            _ => {
                let names: &[&str] = [&["a", "b"][..], &["a"], &["b"]][random.usize(0..3)];
                let place = |random: &mut fastrand::Rng| random.f64() * 4.0 - 2.0;
                let positions = [place(&mut random), place(&mut random)];
                let velocities: &[f64] = if random.bool() { &[0.0, 0.0] } else { &[] };
                let count = names.len();
                let velocities = &velocities[..velocities.len().min(count)];
                let points = [(0.2 + 2.0 * random.f64(), &positions[..count], velocities)];
                // From a quick motion some lead beyond the travel, and are refused.
                if let Ok(goal) = bench.checked_goal(sent + 1, names, &points) {
                    sent += 1;
                    bench.follow(goal);
                }
            }
        }
        (0..random.usize(1..100)).for_each(|_| bench.step());
        for event in bench.events.drain(..) {
            match event {
                FollowerEvent::Ended(_) => ended += 1,
                FollowerEvent::Retired(_) => retired += 1,
                _ => {}
            }
        }
    }
    bench.follower.request(Request::SetSpeed(1.0));
    (0..1000).for_each(|_| bench.step());
    for event in bench.events.drain(..) {
        match event {
            FollowerEvent::Ended(_) => ended += 1,
            FollowerEvent::Retired(_) => retired += 1,
            _ => {}
        }
    }
    assert_eq!((ended, retired), (sent, sent));
    assert!(bench.follower.is_idle());
    let (velocities, _) = bench.derivatives(0);
    assert!(velocities.iter().all(|v| v.abs() < 40.0), "a reference jumps");
}
