//! The control loop on a bad line, with weak servos and loose plugs: what it says must be true, and it must come back.

use std::time::Duration;

use servo_arm::config::parameters::Value;
use servo_arm::control::arm::ArmRequest;
use servo_arm::control::safety::{Cause, State, Transition};
use servo_arm::protocol::alarms::Alarms;
use servo_arm::servo::clock::Simulation;
use servo_arm::servo::emulator::{BusConfig, Emulator, EmulatorConfig, Endpoint};
use servo_arm::servo::ports::ArmEvent;
use servo_arm::servo::simulated::SimulatedPort;
use servo_arm::servo::snapshot::Snapshot;
use servo_arm::units::Time;

use crate::emulated_arm::{Arm, servos};

/// Where simulated time begins.
const START: Time = Time(1_000_000_000);
const RAD_PER_TICK: f64 = std::f64::consts::TAU / 4096.0;

#[test]
fn a_silent_servo_degrades_then_faults_the_arm_and_the_others_are_still_heard() {
    let patience = [("misses_to_degraded", Value::Integer(3)), ("misses_to_fault", Value::Integer(12))];
    let _time = Simulation::begin(START);
    let (mut arm, _goals) = Arm::with_trajectories(SimulatedPort::plug_in(servos()), &patience).unwrap();
    arm.turn_until_state(State::Holding);
    arm.events();
    arm.emulate("fault silent id=3");
    let degraded = arm.turn_until_state(State::Degraded);
    assert_eq!(heard(&degraded), [true, true, false, true, true, true]);
    arm.emulate("clear");
    arm.turn_until_state(State::Holding);
    arm.emulate("fault silent id=3");
    arm.turn_until_state(State::Faulted);
    let causes: Vec<Cause> = transitions(&mut arm).into_iter().map(|transition| transition.cause).collect();
    let (silent, lost) = (Cause::ServoSilent(2), Cause::ServoLost(2));
    assert_eq!(causes, [silent, Cause::ServosAnswer, silent, lost]);
    arm.ask(ArmRequest::Reset);
    arm.turn();
    assert!(matches!(arm.events()[..], [ArmEvent::Refused(ArmRequest::Reset, _)]));
    arm.emulate("clear");
    arm.turn_for(Duration::from_millis(50));
    assert_eq!(heard(arm.control.snapshot()), [true; 6]);
    arm.ask(ArmRequest::Reset);
    arm.turn_until_state(State::Holding);
}

#[test]
fn spoiled_answers_never_become_positions() {
    for fault in [
        "corrupt probability=0.3",
        "truncated probability=0.3",
        "noise probability=0.5",
        "duplicate probability=0.3",
        "stale probability=0.5",
        "wrong_id id=3",
        "wrong_id id=2 probability=0.3",
        "late ms=1 probability=0.2",
        "late ms=6 id=2 probability=0.3",
        "dribble ms=1 id=5",
    ] {
        let mut bus = BusConfig { pace_bps: Some(1_000_000), ..servos() };
        for (servo, position) in bus.servos.iter_mut().zip([1600.0, 1800.0, 2048.0, 2300.0, 2500.0, 2700.0]) {
            servo.position = position;
        }
        let patient = [("misses_to_fault", Value::Integer(1_000_000))];
        let _time = Simulation::begin(START);
        let (mut arm, _goals) = Arm::with_trajectories(SimulatedPort::plug_in(bus), &patient).unwrap();
        arm.turn_until_state(State::Holding);
        let truth: Vec<f64> = (1..=6).map(|id| f64::from(arm.register(id, "present_position"))).collect();
        arm.emulate(&format!("fault {fault}"));
        let mut fresh = 0;
        for _ in 0..150 {
            let snapshot = arm.turn();
            for (joint, ticks) in snapshot.joints().iter().zip(&truth) {
                let error = joint.servo.position - (ticks - 2048.0) * RAD_PER_TICK;
                assert!(error.abs() <= RAD_PER_TICK, "{fault}: {} is {error} off", joint.servo.position);
                fresh += u32::from(joint.servo.fresh);
            }
        }
        assert!(450 < fresh, "{fault}: only {fresh} of 900 answers were of use");
    }
}

#[test]
fn a_moving_joint_is_where_the_servo_says_in_spite_of_a_bad_line() {
    let _time = Simulation::begin(START);
    let (mut arm, mut goals) = Arm::with_trajectories(SimulatedPort::plug_in(servos()), &[]).unwrap();
    arm.turn_until_state(State::Holding);
    for fault in ["corrupt", "truncated", "noise", "stale", "wrong_id id=4"] {
        arm.emulate(&format!("fault {fault} probability=0.1"));
    }
    goals.push(arm.goal(1, &[(0.4, 0.3), (0.8, -0.1)]));
    arm.turn_until_state(State::Active);
    let mut last = *arm.control.snapshot();
    while last.state == State::Active || last.state == State::Degraded {
        // The truth is read on both sides of the cycle; the joint moves in between, one way or the other.
        let before: Vec<i32> = (1..=6).map(|id| arm.register(id, "present_position")).collect();
        let snapshot = arm.turn();
        let after: Vec<i32> = (1..=6).map(|id| arm.register(id, "present_position")).collect();
        for (index, joint) in snapshot.joints().iter().enumerate().filter(|(_, joint)| joint.servo.fresh) {
            let ticks = (joint.servo.position / RAD_PER_TICK).round() + 2048.0;
            // A stale answer is at most as old as the time since the servo last answered.
            let since = snapshot.ended.saturating_since(last.began).as_secs_f64();
            let slack = 2.0 + 3520.0 * since;
            let (least, most) = (before[index].min(after[index]), before[index].max(after[index]));
            let range = f64::from(least) - slack..=f64::from(most) + slack;
            assert!(range.contains(&ticks), "joint {index}: {ticks} not in {range:?}");
        }
        last = snapshot;
    }
    assert_eq!(last.state, State::Holding);
}

#[test]
fn answers_that_are_held_up_take_nothing_back_of_a_motion() {
    let _time = Simulation::begin(START);
    let (mut arm, mut goals) = Arm::with_trajectories(SimulatedPort::plug_in(servos()), &[]).unwrap();
    arm.turn_until_state(State::Holding);
    goals.push(arm.goal(1, &[(1.0, 0.8)]));
    arm.turn_until_state(State::Active);
    let told = |arm: &mut Arm<SimulatedPort>| arm.register(1, "goal_position");
    let (mut most, mut stood, mut misses) = (told(&mut arm), 0, 0);
    for cycle in 0.. {
        if cycle % 50 == 20 {
            arm.emulate("fault late ms=16");
        } else if cycle % 50 == 24 {
            arm.emulate("clear");
        }
        let snapshot = arm.turn();
        let goal = told(&mut arm);
        assert!(most <= goal, "in cycle {cycle} the servo was told to go from {most} back to {goal}");
        (stood, misses) = (stood + u32::from(goal == most), misses.max(snapshot.joints()[0].misses));
        most = goal;
        if snapshot.state == State::Holding {
            break;
        }
    }
    assert!((3..12).contains(&misses), "{misses} answers in a row came late");
    assert!(0 < stood, "nothing is told while nobody knows whether the servos hear");
    let end = f64::from(most - 2048) * RAD_PER_TICK;
    assert!((end - 0.8).abs() < 0.002, "{end}");
    assert!(0 < arm.control.snapshot().bus.late);
}

#[test]
fn an_arm_whose_answers_all_come_a_cycle_late_moves_all_the_same() {
    let patient = [("misses_to_fault", Value::Integer(1_000_000))];
    let _time = Simulation::begin(START);
    let (mut arm, mut goals) = Arm::with_trajectories(SimulatedPort::plug_in(servos()), &patient).unwrap();
    arm.turn_until_state(State::Holding);
    arm.emulate("fault late ms=6");
    goals.push(arm.goal(1, &[(1.0, 0.8)]));
    arm.turn_for(Duration::from_secs(2));
    let end = f64::from(arm.register(1, "goal_position") - 2048) * RAD_PER_TICK;
    assert!((end - 0.8).abs() < 0.002, "{end}");
}

#[test]
fn one_silent_answer_a_cycle_is_asked_for_again_in_the_same_cycle() {
    let _time = Simulation::begin(START);
    let bus = BusConfig { pace_bps: Some(1_000_000), ..servos() };
    let (mut arm, _goals) = Arm::with_trajectories(SimulatedPort::plug_in(bus), &[]).unwrap();
    arm.turn_until_state(State::Holding);
    for _ in 0..20 {
        arm.emulate("fault silent id=6 count=1");
        assert_eq!(heard(&arm.turn()), [true; 6]);
    }
}

#[test]
fn alarms_hide_no_data() {
    let _time = Simulation::begin(START);
    let (mut arm, _goals) = Arm::with_trajectories(SimulatedPort::plug_in(servos()), &[]).unwrap();
    arm.turn_until_state(State::Holding);
    arm.emulate("fault alarm bits=overload,voltage");
    arm.emulate("fault overheat id=2 celsius=80");
    let snapshot = arm.turn_for(Duration::from_millis(50));
    assert!(snapshot.joints()[1].servo.alarms.contains(Alarms::OVERHEAT));
    assert_eq!((snapshot.state, heard(&snapshot)), (State::Holding, [true; 6]));
    assert!((79.0..=80.0).contains(&snapshot.joints()[1].servo.temperature_degc));
    arm.ask(ArmRequest::TorqueOff);
    arm.turn_until_state(State::Identified);
    assert_eq!([1, 2, 3, 4, 5, 6].map(|id| arm.register(id, "torque_enable")), [0; 6]);
}

#[test]
fn a_pulled_plug_disconnects_and_a_new_one_identifies_without_torque() {
    let scratch = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::Pty { link: Some(scratch.path().join("arm")) };
    let emulator = Emulator::spawn(EmulatorConfig::new(servos()), endpoint).unwrap();
    comes_back_without_torque(emulator);
}

#[test]
fn a_lost_serial_server_disconnects_and_identifies_again_without_torque() {
    let endpoint = Endpoint::Tcp("127.0.0.1:0".to_owned());
    comes_back_without_torque(Emulator::spawn(EmulatorConfig::new(servos()), endpoint).unwrap());
}

#[test]
fn a_servo_whose_supply_broke_down_is_found_limp_and_the_arm_faults() {
    // Shorter than what degrades the arm: without asking, nothing would tell.
    for (line, paced) in [("fault brownout id=4 ms=20", false), ("fault brownout ms=30", true)] {
        let pace_bps = paced.then_some(1_000_000);
        let _time = Simulation::begin(START);
        let port = SimulatedPort::plug_in(BusConfig { pace_bps, ..servos() });
        let (mut arm, _goals) = Arm::with_trajectories(port, &[]).unwrap();
        arm.turn_until_state(State::Holding);
        arm.events();
        arm.emulate(line);
        let faulted = arm.turn_until_state(State::Faulted);
        let lost = transitions(&mut arm).pop().unwrap().cause;
        assert!(matches!(lost, Cause::TorqueLost(_) | Cause::BrownOut(_)), "{lost:?}");
        assert!(faulted.joints().iter().all(|joint| joint.misses < 10));
        arm.ask(ArmRequest::Reset);
        arm.turn();
        assert!(matches!(arm.events()[..], [ArmEvent::Refused(ArmRequest::Reset, _)]));
        arm.ask(ArmRequest::TorqueOff);
        assert!(!arm.turn_for(Duration::from_millis(300)).torque, "all limp");
        arm.ask(ArmRequest::Reset);
        arm.turn_until_state(State::Identified);
        arm.ask(ArmRequest::TorqueOn);
        arm.turn_until_state(State::Holding);
        assert_eq!([1, 2, 3, 4, 5, 6].map(|id| arm.register(id, "torque_enable")), [1; 6]);
    }
}

fn comes_back_without_torque(emulator: servo_arm::servo::emulator::Running) {
    let (mut arm, _goals) = Arm::with_trajectories(emulator, &[]).unwrap();
    arm.cycle_until_state(State::Holding);
    arm.emulate("unplug");
    let lost = arm.cycle_until_state(State::Disconnected);
    assert_eq!((lost.torque, heard(&lost)), (false, [false; 6]));
    arm.ask(ArmRequest::TorqueOn);
    arm.cycle();
    let refused = |event: &ArmEvent| matches!(event, ArmEvent::Refused(ArmRequest::TorqueOn, _));
    assert!(arm.events().iter().any(refused));
    arm.emulate("replug");
    arm.cycle_until_state(State::Identified);
    arm.cycles(100);
    assert_eq!(arm.control.core().state(), State::Identified, "torque does not come on by itself");
    arm.ask(ArmRequest::TorqueOn);
    arm.cycle_until_state(State::Holding);
}

fn heard(snapshot: &Snapshot) -> [bool; 6] {
    std::array::from_fn(|joint| snapshot.joints()[joint].servo.fresh)
}

fn transitions(arm: &mut Arm<SimulatedPort>) -> Vec<Transition> {
    let transitions = arm.events().into_iter().filter_map(|event| match event {
        ArmEvent::Transition(transition) => Some(transition),
        _ => None,
    });
    transitions.collect()
}
