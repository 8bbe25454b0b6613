//! Grippers on simulated time, with a servo that pushes in proportion to the distance from its goal.

use super::goal::{GripperRefusal, RawGripperGoal};
use super::*;

const PERIOD: f64 = 0.005;
const TICK: f64 = std::f64::consts::TAU / 4096.0;
const RATED: f64 = 2.0;
const RULES: GripperRules = GripperRules {
    goal_tolerance: 0.01,
    stall_velocity_threshold: 0.001,
    stall_timeout_secs: 1.0,
    max_effort: None,
    max_velocity: None,
    holding_effort: None,
};

/// A gripper and the jaw that it moves.
struct Bench {
    gripper: Gripper,
    now: Time,
    position: f64,
    /// What stands in the way.
    wall: f64,
    /// What the servo may use (N m).
    servo_limit: f64,
    /// Effort for a distance of one radian (N m).
    stiffness: f64,
    /// Ticks by which the encoder is off, in turn.
    noise: [f64; 4],
    silent: bool,
    tells_effort: bool,
    references: Vec<f64>,
    efforts: Vec<f64>,
}

impl Bench {
    fn new(rules: GripperRules) -> Self {
        let raw = RawLimits {
            lower: -0.2,
            upper: 1.8,
            max_velocity: 5.0,
            max_acceleration: 40.0,
            max_jerk: f64::INFINITY,
        };
        let limits = JointLimits::new(raw).unwrap();
        let effort = JointEffort { rated: RATED, configured: RATED };
        let mut gripper = Gripper::new(1, rules, limits, effort, PERIOD);
        gripper.hold_at(&[9.0, 0.0]);
        let mut bench = Self {
            gripper,
            now: Time(1_000_000_000),
            position: 0.0,
            wall: f64::INFINITY,
            servo_limit: RATED,
            stiffness: 10.0,
            noise: [0.0; 4],
            silent: false,
            tells_effort: true,
            references: Vec::new(),
            efforts: Vec::new(),
        };
        bench.step();
        bench
    }

    fn go(&mut self, id: u64, position: f64, max_effort: f64, max_velocity: f64) {
        let raw = RawGripperGoal { position, max_effort, max_velocity };
        let goal = raw.check(GoalId(id), "jaw", &self.gripper.limits, RATED).unwrap();
        self.gripper.request(GripperRequest::Move(goal));
    }

    fn step(&mut self) -> bool {
        let noise = self.noise[self.references.len() % self.noise.len()];
        let reference = self.references.last().copied().unwrap_or(0.0);
        let limit = self.servo_limit.min(self.gripper.effort_limit);
        let pushed = (self.stiffness * (reference - self.position)).clamp(-limit, limit);
        // Its speed is that of a motor that has this much effort.
        let free = self.position + (pushed / RATED * 8.0).clamp(-5.0, 5.0) * PERIOD;
        let is_blocked = self.wall < free;
        self.position = free.min(self.wall);
        let effort = if is_blocked { pushed } else { 0.02 * pushed };
        self.efforts.push(effort);
        let measured = MeasuredJoint {
            stamp: self.now,
            fresh: !self.silent,
            position: ((self.position / TICK).round() + noise) * TICK,
            velocity: 0.0,
            effort: if self.tells_effort { effort } else { f64::NAN },
        };
        let mut reference = [Reference::Hold; 2];
        let moves = self.gripper.step(self.now, &[MeasuredJoint::default(), measured], &mut reference);
        assert_eq!(reference[0], Reference::Hold, "other joints are none of its business");
        let Reference::Track { position, .. } = reference[1] else { unreachable!() };
        self.references.push(position);
        self.now = self.now.plus_secs(PERIOD);
        moves
    }

    /// Steps until a goal ends, or `secs` are over.
    fn run(&mut self, secs: f64) -> Option<(u64, GripperOutcome)> {
        let end = self.now.plus_secs(secs);
        while self.now < end {
            self.step();
            if let Some(GripperEvent::Finished(finished)) = self.gripper.pop_event() {
                return Some((finished.id.0, finished.outcome));
            }
        }
        None
    }

    fn reference(&self) -> f64 {
        self.references[self.references.len() - 1]
    }

    fn fastest(&self) -> f64 {
        self.references.windows(2).map(|pair| (pair[1] - pair[0]).abs() / PERIOD).fold(0.0, f64::max)
    }
}

#[test]
fn a_free_jaw_reaches_its_goal_and_the_reference_gets_there_too() {
    let mut bench = Bench::new(RULES);
    bench.go(1, 1.5, 0.0, 0.0);
    assert_eq!(bench.run(3.0), Some((1, GripperOutcome::Reached)));
    bench.run(0.5);
    assert!((bench.reference() - 1.5).abs() < 1e-6);
    assert!(bench.gripper.is_idle() && !bench.step());
}

#[test]
fn a_goal_moves_at_its_own_speed() {
    let mut bench = Bench::new(RULES);
    bench.go(1, 1.0, 0.0, 0.5);
    assert_eq!(bench.run(1.8), None);
    assert_eq!(bench.run(0.5), Some((1, GripperOutcome::Reached)));
    assert!((0.49..=0.5 + 1e-9).contains(&bench.fastest()), "{}", bench.fastest());
}

#[test]
fn a_very_slow_close_is_no_stall() {
    let mut bench = Bench::new(RULES);
    bench.noise = [0.0, 1.0, 0.0, -1.0];
    bench.go(1, 0.05, 0.0, 0.001);
    assert_eq!(bench.run(39.0), None);
    assert_eq!(bench.run(15.0), Some((1, GripperOutcome::Reached)));
}

#[test]
fn a_blocked_jaw_is_stalled_after_the_timeout_however_its_encoder_shakes() {
    for noise in [[0.0; 4], [1.0, 0.0, -1.0, 0.0], [2.0, -2.0, 1.0, -1.0]] {
        let mut bench = Bench::new(RULES);
        (bench.wall, bench.noise) = (0.6, noise);
        bench.go(1, 1.5, 0.0, 0.0);
        assert_eq!(bench.run(1.1), None, "{noise:?}");
        assert_eq!(bench.run(0.3), Some((1, GripperOutcome::Stalled)), "{noise:?}");
    }
}

#[test]
fn an_object_is_held_with_the_goals_effort_by_a_reference_just_beyond_the_jaw() {
    for stiffness in [4.0, 10.0, 40.0] {
        let mut bench = Bench::new(RULES);
        (bench.wall, bench.stiffness) = (0.6, stiffness);
        bench.go(1, 1.5, 0.8, 0.0);
        assert_eq!(bench.run(3.0), Some((1, GripperOutcome::Stalled)));
        bench.run(1.5);
        let (effort, beyond) = (bench.efforts[bench.efforts.len() - 1], bench.reference() - 0.6);
        assert!((0.6..=0.8).contains(&effort), "{effort} with stiffness {stiffness}");
        assert!((0.5..1.01).contains(&(beyond * stiffness / 0.8)), "{beyond} with stiffness {stiffness}");
        assert!(bench.efforts.iter().all(|effort| *effort <= 0.8));
        assert!(bench.gripper.is_idle(), "it keeps still once it holds");
        assert!(bench.gripper.status().is_stalled);
    }
}

#[test]
fn without_an_effort_in_the_goal_a_quarter_of_the_whole_holds_or_what_is_configured() {
    for (rules, expected) in [(RULES, 0.5), (GripperRules { holding_effort: Some(0.3), ..RULES }, 0.3)] {
        let mut bench = Bench::new(rules);
        bench.wall = 0.6;
        bench.go(1, 1.5, 0.0, 0.0);
        bench.run(3.0);
        bench.run(1.5);
        let effort = bench.efforts[bench.efforts.len() - 1];
        assert!((0.85 * expected..expected).contains(&effort), "{effort}");
    }
}

#[test]
fn with_no_effort_to_go_by_the_reference_is_taken_back_all_the_same() {
    let mut bench = Bench::new(RULES);
    (bench.wall, bench.tells_effort) = (0.6, false);
    bench.go(1, 1.5, 0.0, 0.0);
    assert_eq!(bench.run(3.0), Some((1, GripperOutcome::Stalled)));
    bench.run(1.0);
    assert!((0.0..0.03).contains(&(bench.reference() - 0.6)), "{}", bench.reference());
}

#[test]
fn a_lower_effort_limit_is_asked_for_some_ticks_before_the_motion_and_stays_after_it() {
    let mut bench = Bench::new(RULES);
    bench.go(1, 0.5, 0.7, 0.0);
    let mut limits = [f64::INFINITY; 2];
    bench.gripper.limit_efforts(&mut limits);
    assert_eq!(limits, [f64::INFINITY, 0.7]);
    for _ in 0..LIMIT_TICKS {
        bench.step();
        assert_eq!(bench.reference(), 0.0);
    }
    assert_eq!(bench.run(2.0), Some((1, GripperOutcome::Reached)));
    assert_eq!(bench.gripper.effort_limit, 0.7);
    bench.go(2, 0.0, 0.0, 0.0);
    bench.step();
    assert_eq!(bench.gripper.effort_limit, f64::INFINITY);
    assert!(bench.reference() != 0.5, "a higher one needs no time");
}

#[test]
fn an_object_that_is_lost_is_followed_at_a_creep_and_not_beyond_the_goal() {
    let mut bench = Bench::new(RULES);
    bench.wall = 0.6;
    bench.go(1, 1.0, 0.0, 0.0);
    bench.run(3.0);
    bench.run(1.5);
    bench.wall = f64::INFINITY;
    bench.references.clear();
    bench.run(1.0);
    assert!(bench.fastest() <= CREEP_PART * 5.0 + 1e-9, "{}", bench.fastest());
    assert!(bench.reference() < 0.8, "{}", bench.reference());
    bench.run(10.0);
    assert!((bench.reference() - 1.0).abs() < 1e-6, "{}", bench.reference());
    assert!(bench.gripper.is_idle() && !bench.gripper.status().is_stalled);
}

#[test]
fn an_object_that_gives_way_before_the_stall_ends_in_success_at_the_goal() {
    let mut bench = Bench::new(RULES);
    bench.wall = 0.6;
    bench.go(1, 1.4, 0.0, 0.0);
    assert_eq!(bench.run(0.7), None);
    bench.wall = f64::INFINITY;
    assert_eq!(bench.run(1.0), Some((1, GripperOutcome::Reached)), "as fast as the goal says");
}

#[test]
fn a_cancel_stops_within_the_limits_near_where_the_jaw_is() {
    for (effort, farthest) in [(0.0, 0.5), (0.2, 0.2)] {
        let mut bench = Bench::new(RULES);
        bench.go(1, 1.8, effort, 0.0);
        assert_eq!(bench.run(0.25), None);
        let at = bench.position;
        bench.gripper.request(GripperRequest::Cancel(GoalId(7)));
        assert_eq!(bench.gripper.pop_event(), None, "another goal's cancel is not its own");
        bench.gripper.request(GripperRequest::Cancel(GoalId(1)));
        assert_eq!(bench.run(0.1), Some((1, GripperOutcome::Cancelled)));
        bench.run(2.0);
        assert!((-2.0 * TICK..farthest).contains(&(bench.position - at)), "{at} to {}", bench.position);
        assert!(bench.gripper.is_idle());
        for step in bench.references.windows(3) {
            let acceleration = (step[2] - 2.0 * step[1] + step[0]) / PERIOD.powi(2);
            assert!(acceleration.abs() <= 40.0 + 1e-6, "{acceleration}");
        }
    }
}

#[test]
fn a_servo_that_lost_its_torque_is_not_run_away_from() {
    let mut bench = Bench::new(RULES);
    bench.wall = 0.6;
    bench.go(1, 1.7, 0.0, 0.0);
    bench.run(3.0);
    bench.servo_limit = 0.0;
    bench.run(20.0);
    assert!(bench.reference() < 0.6 + 0.26, "{}", bench.reference());
    assert!(bench.gripper.is_idle());
}

#[test]
fn a_cancel_at_an_object_holds_it() {
    let mut bench = Bench::new(RULES);
    bench.wall = 0.6;
    bench.go(1, 1.5, 0.0, 0.0);
    assert_eq!(bench.run(0.7), None);
    bench.gripper.request(GripperRequest::Stop);
    assert_eq!(bench.run(0.1), Some((1, GripperOutcome::Cancelled)));
    bench.run(1.0);
    assert!(0.4 < bench.efforts[bench.efforts.len() - 1]);
    bench.wall = f64::INFINITY;
    bench.run(5.0);
    assert!(bench.position < 0.8, "it is not followed: {}", bench.position);
}

#[test]
fn a_new_goal_takes_the_place_of_the_one_before() {
    let mut bench = Bench::new(RULES);
    bench.go(1, 1.5, 0.0, 0.0);
    assert_eq!(bench.run(0.2), None);
    bench.go(2, 0.1, 0.5, 0.3);
    assert_eq!(bench.run(0.1), Some((1, GripperOutcome::Replaced)));
    assert_eq!(bench.run(9.0), Some((2, GripperOutcome::Reached)));
    assert_eq!(bench.gripper.status().goal, None);
}

#[test]
fn a_halt_ends_the_goal_and_none_is_taken_until_the_arm_holds_again() {
    let mut bench = Bench::new(RULES);
    bench.go(1, 1.5, 0.5, 0.0);
    bench.run(0.2);
    bench.gripper.halt("emergency stop");
    assert_eq!(bench.run(0.1), Some((1, GripperOutcome::Halted("emergency stop"))));
    bench.go(2, 0.5, 0.0, 0.0);
    assert_eq!(bench.run(0.1), Some((2, GripperOutcome::Halted("emergency stop"))));
    bench.gripper.hold_at(&[0.0, bench.position]);
    assert_eq!(bench.gripper.effort_limit, f64::INFINITY);
    bench.go(3, 0.5, 0.0, 0.0);
    assert_eq!(bench.run(2.0), Some((3, GripperOutcome::Reached)));
}

#[test]
fn silence_is_neither_arrival_nor_stall() {
    let mut bench = Bench::new(RULES);
    bench.go(1, 0.5, 0.0, 0.0);
    bench.run(0.05);
    bench.silent = true;
    assert_eq!(bench.run(5.0), None);
    bench.silent = false;
    assert_eq!(bench.run(0.1), Some((1, GripperOutcome::Reached)));
}

#[test]
fn steps_that_come_more_seldom_go_farther() {
    let mut bench = Bench::new(RULES);
    bench.go(1, 1.5, 0.0, 0.5);
    let start = bench.now;
    for step in 0..60 {
        let measured =
            MeasuredJoint { fresh: true, position: bench.gripper.desired().position, ..Default::default() };
        bench.gripper.step(
            start.plus_secs(f64::from(step) / 60.0),
            &[measured; 2],
            &mut [Reference::Hold; 2],
        );
    }
    let moved = bench.gripper.desired().position;
    assert!((0.35..0.55).contains(&moved), "{moved} in one second");
}

#[test]
fn a_goal_that_makes_no_sense_is_refused_with_value_and_limit() {
    let limits = Bench::new(RULES).gripper.limits;
    let refusal = |position, max_effort, max_velocity, rated| {
        let raw = RawGripperGoal { position, max_effort, max_velocity };
        raw.check(GoalId(1), "jaw", &limits, rated).map_err(|refusal: GripperRefusal| refusal.to_string())
    };
    assert_eq!(
        refusal(2.0, 0.0, 0.0, RATED).unwrap_err(),
        "position of joint `jaw` is 2; it must be from -0.2 to 1.8"
    );
    assert!(refusal(f64::NAN, 0.0, 0.0, RATED).unwrap_err().contains("is NaN"));
    assert!(refusal(f64::INFINITY, 0.0, 0.0, RATED).is_err());
    assert_eq!(
        refusal(0.0, -1.0, 0.0, RATED).unwrap_err(),
        "max_effort of joint `jaw` is -1; it must be a positive number, or 0 for the configured one"
    );
    assert!(refusal(0.0, f64::NAN, 0.0, RATED).is_err());
    assert!(refusal(0.0, 0.0, f64::INFINITY, RATED).unwrap_err().starts_with("velocity of joint"));
    assert!(refusal(0.0, 1.0, 0.0, 0.0).unwrap_err().contains("URDF"));
    assert!(refusal(0.0, 0.0, 0.0, 0.0).is_ok());
}
