//! A gripper on emulated servos: what its servo is told, how hard it works at an object, how hot it gets.

use std::time::Duration;

use rtrb::Producer;
use servo_arm::config::gripper::GripperRules;
use servo_arm::config::parameters::Value;
use servo_arm::control::arm::ArmRequest;
use servo_arm::control::ensemble::{Ensemble, Member, MemberEvent, MemberRequest};
use servo_arm::control::follower::GoalId;
use servo_arm::control::gripper::goal::{GripperFinished, GripperOutcome, RawGripperGoal};
use servo_arm::control::gripper::{Gripper, GripperEvent, GripperRequest, JointEffort};
use servo_arm::control::safety::State;
use servo_arm::protocol::feetech::registers::{GOAL_BLOCK, GOAL_POSITION, TORQUE_LIMIT};
use servo_arm::servo::clock;
use servo_arm::servo::emulator::events::Event;
use servo_arm::servo::ports::{ArmEvent, EnsembleCommander};
use servo_arm::servo::snapshot::JointSnapshot;

use crate::emulated_arm::{Arm, Changes, power_up, servos, setup};

const RULES: GripperRules = GripperRules {
    goal_tolerance: 0.01,
    stall_velocity_threshold: 0.001,
    stall_timeout_secs: 0.5,
    max_effort: None,
    max_velocity: None,
    holding_effort: None,
};
/// The bit of the status register.
const OVERLOAD: i32 = 1 << 5;
const JOINT: usize = 5;
const ID: usize = 6;
/// What the URDF says of the gripper (N m).
const RATED: f64 = 1.9;
const FULL_TORQUE: Changes<'_> = &[("servos.gripper.torque_limit", Value::Double(1.0))];

/// An arm that holds, with its gripper.
struct Bench {
    arm: Arm,
    requests: Producer<(usize, MemberRequest)>,
}

impl Bench {
    fn new(changes: Changes<'_>) -> Self {
        let emulator = power_up(servos());
        let setup = setup(emulator.port(), changes);
        let configured = RATED * setup.hardware.servos[JOINT].torque_limit;
        let effort = JointEffort { rated: RATED, configured };
        let period_secs = setup.period.as_secs_f64();
        let gripper = Gripper::new(JOINT, RULES, setup.limits[JOINT], effort, period_secs);
        let (commander, requests) = EnsembleCommander::new(Ensemble::new(vec![Member::Gripper(gripper)]));
        let mut arm = Arm::connect(emulator, setup, Box::new(commander)).unwrap();
        arm.cycle_until_state(State::Holding);
        Self { arm, requests }
    }

    fn close_to(&mut self, id: u64, position: f64, max_effort: f64) {
        let raw = RawGripperGoal { position, max_effort, max_velocity: 0.0 };
        let goal = raw.check(GoalId(id), "gripper", &self.arm.setup.limits[JOINT], RATED).unwrap();
        self.requests.push((0, MemberRequest::Gripper(GripperRequest::Move(goal)))).unwrap();
    }

    /// Cycles at their own pace until a goal ends; all that was seen of the joint meanwhile.
    fn run_until_end(&mut self) -> (GripperFinished, Vec<JointSnapshot>) {
        let mut seen = Vec::new();
        for _ in 0..3000 {
            seen.push(self.paced_cycle());
            for event in self.arm.events() {
                if let ArmEvent::Controller(_, MemberEvent::Gripper(GripperEvent::Finished(finished))) = event
                {
                    return (finished, seen);
                }
            }
        }
        panic!("no goal ended");
    }

    /// Cycles at their own pace until the joint's command has been the same for a while.
    fn run_until_settled(&mut self) -> Vec<JointSnapshot> {
        let mut seen = self.run(0.5);
        while seen[seen.len() - 50].command != seen[seen.len() - 1].command {
            assert!(seen.len() < 2000, "it never settles");
            seen.push(self.paced_cycle());
        }
        seen
    }

    fn run(&mut self, secs: f64) -> Vec<JointSnapshot> {
        let cycles = Duration::from_secs_f64(secs).as_millis() / self.arm.setup.period.as_millis();
        (0..cycles).map(|_| self.paced_cycle()).collect()
    }

    fn paced_cycle(&mut self) -> JointSnapshot {
        let due = clock::now() + self.arm.setup.period;
        let snapshot = self.arm.cycle();
        std::thread::sleep(due.saturating_since(clock::now()));
        snapshot.joints()[JOINT]
    }
}

#[test]
fn a_free_jaw_reaches_its_goal() {
    let mut bench = Bench::new(&[]);
    bench.close_to(1, 1.0, 0.0);
    let (finished, _) = bench.run_until_end();
    assert_eq!((finished.id, finished.outcome), (GoalId(1), GripperOutcome::Reached));
    assert!((finished.position - 1.0).abs() <= RULES.goal_tolerance, "{}", finished.position);
    bench.run(0.2);
    assert_eq!(bench.arm.register(ID, "goal_position"), 2700);
    assert_eq!(bench.arm.control.core().state(), State::Holding);
}

#[test]
fn a_blocked_jaw_stalls_and_the_servo_then_works_with_a_quarter_and_stays_cool() {
    let mut bench = Bench::new(FULL_TORQUE);
    bench.arm.emulate("block id=6 at=0.5rad");
    bench.close_to(1, 1.5, 0.0);
    let (finished, on_the_way) = bench.run_until_end();
    assert_eq!(finished.outcome, GripperOutcome::Stalled);
    assert!((finished.position - 0.5).abs() < 0.01, "{}", finished.position);
    let hard = on_the_way.iter().filter(|joint| 0.8 < joint.servo.load).count();
    // A busy machine may take its time.
    let settling = bench.run_until_settled();
    let afterwards = bench.run(1.0);
    print_loads("taken back", on_the_way.iter().chain(&settling).chain(&afterwards));
    // The protection of an STS3215 takes torque away after 2 s above 80 %.
    assert!(hard < 120, "{hard} cycles with nearly everything");
    for joint in afterwards.iter().filter(|joint| joint.servo.fresh) {
        assert!((0.15..0.30).contains(&joint.servo.load), "{}", joint.servo.load);
        assert!((joint.command - 0.5).abs() < 0.1, "{}", joint.command);
    }
    // At this load the motor ends 4 degrees above the room; with everything it would be 60.
    let heat = bench.arm.register(ID, "present_temperature");
    assert!(heat <= 30, "{heat}");
    assert_eq!(bench.arm.register(ID, "status") & OVERLOAD, 0);
}

#[test]
fn the_same_push_without_a_gripper_trips_the_overload_protection() {
    let emulator = power_up(servos());
    let (mut arm, mut goals) = Arm::with_trajectories(emulator, FULL_TORQUE).unwrap();
    arm.cycle_until_state(State::Holding);
    arm.emulate("block id=6 at=0.5rad");
    goals.push(arm.goal(1, &[(0.4, 1.2)]));
    let start = clock::now();
    let mut seen = Vec::new();
    while arm.register(ID, "status") & OVERLOAD == 0 {
        seen.push(arm.cycle().joints()[JOINT]);
        assert!(clock::now() < start + Duration::from_secs(10), "nothing trips");
        std::thread::sleep(Duration::from_millis(5));
    }
    print_loads("not taken back", seen.iter());
    assert!(seen.iter().any(|joint| 0.99 < joint.servo.load));
}

#[test]
fn a_goals_effort_is_in_the_servo_before_it_moves_and_stays_after_the_end() {
    let mut bench = Bench::new(&[]);
    bench.arm.emulate("block id=6 at=0.3rad");
    let watch = bench.arm.emulator.watch("writes").unwrap();
    // A fifth of 1.9 N m; the servo is configured to half.
    bench.close_to(1, 1.0, 0.38);
    let (finished, seen) = bench.run_until_end();
    assert_eq!(finished.outcome, GripperOutcome::Stalled);
    assert!(seen.iter().all(|joint| joint.servo.effort <= 0.39));
    let (mut limit, mut limits_written) = (500, 0);
    for event in watch.events.try_iter() {
        let Event::Write { id, address, data, .. } = event else { unreachable!() };
        if usize::from(id) == ID && address == u16::from(TORQUE_LIMIT.address) {
            (limit, limits_written) = (u16::from_le_bytes([data[0], data[1]]), limits_written + 1);
        }
        if usize::from(id) == ID && address == u16::from(GOAL_BLOCK.address) {
            let goal = GOAL_POSITION.decode_raw(u16::from_le_bytes([data[1], data[2]]));
            assert!(goal == 2048 || limit == 200, "goal {goal} with limit {limit}");
        }
    }
    assert_eq!(limits_written, 1, "a limit that arrived is not written again");
    let afterwards = bench.run(0.5);
    assert!(afterwards.iter().all(|joint| (0.28..0.39).contains(&joint.servo.effort)));
    assert_eq!(bench.arm.register(ID, "torque_limit"), 200);

    bench.close_to(2, 0.0, 0.0);
    assert_eq!(bench.run_until_end().0.outcome, GripperOutcome::Reached);
    assert_eq!(bench.arm.register(ID, "torque_limit"), 500, "the configured one again");
    assert!((1..ID).all(|id| bench.arm.register(id, "torque_limit") == 1000));
}

#[test]
fn a_torque_limit_that_is_lost_is_written_again() {
    let mut bench = Bench::new(&[]);
    bench.close_to(1, 0.2, 0.38);
    bench.run_until_end();
    bench.arm.emulate("set id=6 torque_limit=900");
    bench.run(0.8);
    assert_eq!(bench.arm.register(ID, "torque_limit"), 200);
}

#[test]
fn torque_that_comes_on_anew_comes_with_the_configured_limit() {
    let mut bench = Bench::new(&[]);
    bench.close_to(1, 0.2, 0.38);
    bench.run_until_end();
    bench.arm.ask(ArmRequest::TorqueOff);
    bench.arm.cycle_until_state(State::Identified);
    bench.arm.ask(ArmRequest::TorqueOn);
    bench.arm.cycle_until_state(State::Holding);
    bench.run(0.1);
    assert_eq!(bench.arm.register(ID, "torque_limit"), 500);
}

#[test]
fn an_object_that_is_taken_away_is_followed_slowly() {
    let mut bench = Bench::new(&[]);
    bench.arm.emulate("block id=6 at=0.5rad");
    bench.close_to(1, 1.5, 0.0);
    bench.run_until_end();
    bench.run_until_settled();
    bench.arm.emulate("unblock id=6");
    let start = clock::now();
    let seen = bench.run(1.0);
    let secs = clock::now().secs_since(start);
    let (first, last) = (seen[0].command, seen[seen.len() - 1].command);
    let fastest = seen.iter().map(|joint| joint.command_velocity).fold(0.0, f64::max);
    // A fiftieth of 5.4 rad/s, after the first moment.
    let rate = (last - first) / secs;
    assert!((0.03..0.16).contains(&rate), "{first} to {last} in {secs} s");
    assert!(fastest <= 0.5, "{fastest}");
}

#[test]
fn a_gripper_leaves_the_heap_alone() {
    let mut bench = Bench::new(&[]);
    bench.arm.emulate("block id=6 at=0.2rad");
    bench.run(0.2);
    bench.close_to(1, 1.5, 0.4);
    let mut looked_at = 0;
    for _ in 0..250 {
        let missed = bench.arm.control.snapshot().bus.missed;
        let used = allocation_counter::measure(|| {
            bench.arm.cycle();
        });
        // A servo that is silent for a moment costs the error that the operating system gives.
        if bench.arm.control.snapshot().bus.missed == missed {
            assert_eq!((used.count_total, used.count_current), (0, 0), "{used:?}");
            looked_at += 1;
        }
        std::thread::sleep(Duration::from_millis(4));
    }
    assert!(100 < looked_at, "{looked_at}");
    let ended = bench.arm.events().into_iter().filter(|event| matches!(event, ArmEvent::Controller(..)));
    assert_eq!(ended.count(), 1);
}

/// For whoever runs this with `--nocapture`.
fn print_loads<'a>(what: &str, seen: impl Iterator<Item = &'a JointSnapshot>) {
    for (cycle, joint) in seen.enumerate().filter(|(cycle, _)| cycle % 20 == 0) {
        println!(
            "{what}: {:.2} s at {:.3} rad told {:.3}, load {:.2}, {:.2} A",
            cycle as f64 * 0.005,
            joint.servo.position,
            joint.command,
            joint.servo.load,
            joint.servo.current_a
        );
    }
}
