//! An arm's port is opened and closed while its node runs, and the arm deactivated and activated, on the emulator's wire.

use std::time::Duration;

use servo_arm::config::parameters::Value;
use servo_arm::control::arm::ArmRequest;
use servo_arm::control::safety::{Cause, State};
use servo_arm::servo::clock::Simulation;
use servo_arm::servo::ports::ArmEvent;
use servo_arm::servo::simulated::SimulatedPort;
use servo_arm::units::Time;

use crate::emulated_arm::{Arm, servos};

fn begin() -> Simulation {
    Simulation::begin(Time(1_000_000_000))
}

fn torque(arm: &Arm<SimulatedPort>) -> [i32; 6] {
    [1, 2, 3, 4, 5, 6].map(|id| arm.register(id, "torque_enable"))
}

fn why_not_connected(arm: &mut Arm<SimulatedPort>) -> Option<String> {
    arm.events().into_iter().find_map(|event| match event {
        ArmEvent::NotConnected(why) => Some(why),
        _ => None,
    })
}

fn word(text: &str) -> Value {
    Value::String(text.to_owned())
}

#[test]
fn an_arm_that_is_not_connected_opens_no_port_until_it_is_asked_to() {
    let _time = begin();
    let (mut arm, _goals) = Arm::unconnected(SimulatedPort::plug_in(servos()), &[]);
    let idle = arm.turn_for(Duration::from_secs(1));
    assert_eq!((idle.state, idle.bus.sent), (State::Disconnected, 0));
    assert!(arm.events().is_empty());
    arm.ask(ArmRequest::Connect);
    arm.turn_until_state(State::Identified);
    arm.turn_for(Duration::from_secs(1));
    assert_eq!(arm.control.core().state(), State::Identified, "torque waits to be asked for");
    assert_eq!(torque(&arm), [0; 6]);
    arm.ask(ArmRequest::TorqueOn);
    arm.turn_until_state(State::Holding);
}

#[test]
fn a_connection_that_fails_says_why_once_and_can_be_tried_again() {
    let _time = begin();
    let (mut arm, _goals) = Arm::unconnected(SimulatedPort::plug_in(servos()), &[]);
    arm.emulate("fault silent id=3");
    arm.ask(ArmRequest::Connect);
    arm.turn_for(Duration::from_secs(1));
    let why = why_not_connected(&mut arm).unwrap();
    assert!(why.contains("elbow_flex"), "{why}");
    arm.turn_for(Duration::from_secs(1));
    assert!(arm.events().is_empty(), "nobody looks for it any more");
    arm.emulate("clear");
    arm.turn_for(Duration::from_secs(1));
    assert_eq!(arm.control.core().state(), State::Disconnected);
    arm.ask(ArmRequest::Connect);
    arm.turn_until_state(State::Identified);
}

#[test]
fn an_arm_is_deactivated_and_activated_as_the_policy_says() {
    for (policy, torque_then) in [("hold", [1; 6]), ("release", [0; 6]), ("rest", [1; 6])] {
        let _time = begin();
        let pose = vec![0.05, -0.05, 0.05, 0.05, 0.05, 0.05];
        let changes = [("on_deactivate", word(policy)), ("rest_pose", Value::DoubleArray(pose.clone()))];
        let (mut arm, mut goals) =
            Arm::with_trajectories(SimulatedPort::plug_in(servos()), &changes).unwrap();
        arm.turn_until_state(State::Holding);
        goals.push(arm.goal(1, &[(4.0, 1.0)]));
        arm.turn_for(Duration::from_secs(2));
        arm.ask(ArmRequest::Deactivate);
        let inactive = if policy == "release" { State::Identified } else { State::Standby };
        arm.turn_until_state(inactive);
        let still = arm.turn_for(Duration::from_secs(1));
        assert_eq!((still.state, torque(&arm)), (inactive, torque_then), "{policy}");
        let command = still.joints()[0].command;
        assert_eq!((command - pose[0]).abs() < 1e-6, policy == "rest");
        goals.push(arm.goal(2, &[(0.5, 0.1)]));
        let still = arm.turn_for(Duration::from_secs(1));
        assert_eq!((still.state, still.joints()[0].command), (inactive, command), "nothing is obeyed");
        arm.ask(ArmRequest::TorqueOn);
        arm.turn_until_state(State::Holding);
        goals.push(arm.goal(3, &[(1.0, 0.1)]));
        let moved = arm.turn_for(Duration::from_secs(2));
        assert!((moved.joints()[0].command - 0.1).abs() < 1e-6);
    }
}

#[test]
fn a_port_is_closed_with_the_arm_at_rest_and_torque_as_the_policy_says() {
    for (policy, torque_then) in [("hold", [1; 6]), ("release", [0; 6])] {
        let _time = begin();
        let changes = [("on_shutdown", word(policy))];
        let (mut arm, mut goals) =
            Arm::with_trajectories(SimulatedPort::plug_in(servos()), &changes).unwrap();
        arm.turn_until_state(State::Holding);
        goals.push(arm.goal(1, &[(4.0, 1.0)]));
        let moving = arm.turn_for(Duration::from_secs(2));
        assert!(0.2 < moving.joints()[0].command_velocity);
        arm.ask(ArmRequest::Disconnect);
        let closed = arm.turn_until_state(State::Disconnected);
        assert_eq!((closed.cause, torque(&arm)), (Some(Cause::PortClosed), torque_then));
        let goal = arm.register(1, "goal_position");
        let reached = closed.joints()[0].command * 4096.0 / std::f64::consts::TAU + 2048.0;
        assert!((f64::from(goal) - reached).abs() < 1.0 && 2200 < goal, "it was braked before");
        arm.turn_for(Duration::from_secs(1));
        assert_eq!(arm.control.core().state(), State::Disconnected, "it is not looked for");
        arm.ask(ArmRequest::Connect);
        arm.turn_until_state(State::Identified);
        arm.ask(ArmRequest::TorqueOn);
        arm.turn_until_state(State::Holding);
        let kept = arm.register(1, "goal_position");
        assert!((kept - goal).abs() < 3, "{kept} instead of {goal}");
    }
}

#[test]
fn torque_that_is_going_off_is_seen_off_before_the_port_is_closed() {
    let _time = begin();
    let (mut arm, _goals) = Arm::with_trajectories(SimulatedPort::plug_in(servos()), &[]).unwrap();
    arm.turn_until_state(State::Holding);
    arm.ask(ArmRequest::TorqueOff);
    arm.ask(ArmRequest::Disconnect);
    arm.turn_until_state(State::Disconnected);
    assert_eq!(torque(&arm), [0; 6]);
}

#[test]
fn while_the_port_is_being_closed_nothing_is_begun() {
    let _time = begin();
    let (mut arm, mut goals) = Arm::with_trajectories(SimulatedPort::plug_in(servos()), &[]).unwrap();
    arm.turn_until_state(State::Holding);
    goals.push(arm.goal(1, &[(4.0, 1.0)]));
    arm.turn_for(Duration::from_secs(2));
    arm.ask(ArmRequest::Disconnect);
    arm.ask(ArmRequest::TorqueOn);
    arm.turn();
    let is_refused = |event: ArmEvent| matches!(event, ArmEvent::Refused(ArmRequest::TorqueOn, _));
    assert!(arm.events().into_iter().any(is_refused));
    arm.turn_until_state(State::Disconnected);
}

#[test]
fn after_a_closed_port_another_servo_may_have_taken_the_place_of_one() {
    let _time = begin();
    let (mut arm, _goals) = Arm::with_trajectories(SimulatedPort::plug_in(servos()), &[]).unwrap();
    arm.turn_until_state(State::Holding);
    arm.ask(ArmRequest::Disconnect);
    arm.turn_until_state(State::Disconnected);
    let offset = arm.register(2, "position_offset");
    arm.emulate(&format!("set id=2 position_offset={}", offset + 7));
    arm.ask(ArmRequest::Connect);
    arm.turn_until_state(State::Identified);
}

#[test]
fn a_port_that_was_lost_is_not_looked_for_any_more_once_it_is_closed() {
    let _time = begin();
    let (mut arm, _goals) = Arm::with_trajectories(SimulatedPort::plug_in(servos()), &[]).unwrap();
    arm.turn_until_state(State::Holding);
    arm.emulate("unplug");
    arm.turn_until_state(State::Disconnected);
    arm.ask(ArmRequest::Disconnect);
    arm.turn();
    arm.emulate("replug");
    arm.turn_for(Duration::from_secs(1));
    assert_eq!(arm.control.core().state(), State::Disconnected);
    arm.ask(ArmRequest::Connect);
    arm.turn_until_state(State::Identified);
}

#[test]
fn a_servo_that_falls_silent_in_a_deactivated_arm_faults_it_and_a_reset_leaves_it_deactivated() {
    let _time = begin();
    let (mut arm, _goals) = Arm::with_trajectories(SimulatedPort::plug_in(servos()), &[]).unwrap();
    arm.turn_until_state(State::Holding);
    arm.ask(ArmRequest::Deactivate);
    arm.turn_until_state(State::Standby);
    arm.emulate("fault silent id=4");
    arm.turn_until_state(State::Faulted);
    arm.emulate("clear");
    arm.turn_for(Duration::from_secs(1));
    arm.ask(ArmRequest::Reset);
    arm.turn_until_state(State::Standby);
    assert_eq!(torque(&arm), [1; 6]);
}
