//! The whole control loop on simulated time: nothing waits, and every run is the same.

use std::time::Duration;

use servo_arm::control::arm::ArmRequest;
use servo_arm::control::follower::{GoalId, Outcome};
use servo_arm::control::safety::State;
use servo_arm::servo::clock::{self, Simulation};
use servo_arm::servo::emulator::{AfterMissing, BusConfig};
use servo_arm::servo::simulated::SimulatedPort;
use servo_arm::units::Time;

use crate::emulated_arm::{Arm, ended, servos};

#[test]
fn an_arm_moves_loses_its_port_and_comes_back_the_same_way_in_every_run() {
    assert_eq!(run(), run());
}

#[test]
fn a_dead_servo_takes_no_other_with_it_on_a_bus_where_those_behind_it_stay_silent_too() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let after_missing = AfterMissing::StaySilent;
    let bus = BusConfig { pace_bps: Some(1_000_000), after_missing, ..servos() };
    let (mut arm, _goals) = Arm::with_trajectories(SimulatedPort::plug_in(bus), &[]).unwrap();
    arm.turn_until_state(State::Holding);
    arm.emulate("fault silent id=1");
    arm.turn_for(Duration::from_millis(30));
    for _ in 0..50 {
        let snapshot = arm.turn();
        let heard: Vec<bool> = snapshot.joints().iter().map(|joint| joint.servo.fresh).collect();
        assert_eq!(heard, [false, true, true, true, true, true]);
    }
    arm.emulate("clear");
    assert!(arm.turn_for(Duration::from_millis(50)).joints().iter().all(|joint| joint.servo.fresh));
}

/// Tells the time, the true positions and the bus's counters at each step.
fn run() -> Vec<(Time, Vec<i32>, u64)> {
    let _time = Simulation::begin(Time(1_000_000_000));
    let port = SimulatedPort::plug_in(BusConfig { pace_bps: Some(1_000_000), ..servos() });
    let (mut arm, mut goals) = Arm::with_trajectories(port, &[]).unwrap();
    let mut steps = Vec::new();
    let note = |arm: &Arm<SimulatedPort>| {
        let positions = (1..=6).map(|id| arm.register(id, "present_position")).collect();
        (clock::now(), positions, arm.control.snapshot().bus.received)
    };
    arm.turn_until_state(State::Holding);
    steps.push(note(&arm));

    goals.push(arm.goal(1, &[(0.3, 0.2), (0.6, 0.3)]));
    arm.turn_until_state(State::Active);
    let last = arm.turn_until_state(State::Holding);
    assert_eq!(arm.events().iter().filter_map(ended).collect::<Vec<_>>(), [(GoalId(1), Outcome::Reached)]);
    assert!(last.joints().iter().all(|joint| (joint.servo.position - 0.3).abs() < 0.0105));
    assert_eq!(last.overruns, 0);
    steps.push(note(&arm));

    // In the middle of the servos' answers.
    let pulled = last.due + Duration::from_millis(100) + Duration::from_micros(700);
    let back = pulled + Duration::from_secs(1);
    arm.emulator.schedule(pulled, "unplug");
    arm.emulator.schedule(back, "replug");
    arm.turn_until_state(State::Disconnected);
    assert!(clock::now() < pulled + Duration::from_millis(2), "noticed in the same cycle");
    arm.turn_until_state(State::Identified);
    assert!(clock::now() < back + Duration::from_secs(1));
    assert!(!arm.turn_for(Duration::from_secs(60)).torque, "torque does not come back by itself");
    steps.push(note(&arm));

    arm.ask(ArmRequest::TorqueOn);
    arm.turn_until_state(State::Holding);
    steps.push(note(&arm));
    steps
}
