//! The ways to stop an arm, counted in cycles on the emulator's wire, and what a node that ends leaves behind.

use std::time::Duration;

use servo_arm::config::parameters::Value;
use servo_arm::control::arm::ArmRequest;
use servo_arm::control::safety::State;
use servo_arm::servo::clock::Simulation;
use servo_arm::servo::ports::ArmEvent;
use servo_arm::servo::simulated::SimulatedPort;
use servo_arm::units::Time;

use crate::emulated_arm::{Arm, power_up, servos};

#[test]
fn an_emergency_stop_brakes_in_the_cycle_that_hears_it_and_lasts() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let (mut arm, mut goals) = Arm::with_trajectories(SimulatedPort::plug_in(servos()), &[]).unwrap();
    arm.turn_until_state(State::Holding);
    goals.push(arm.goal(1, &[(4.0, 1.0)]));
    let moving = arm.turn_for(Duration::from_secs(2));
    let speed = moving.joints()[0].command_velocity;
    assert!(0.2 < speed);
    arm.ask(ArmRequest::EmergencyStop);
    let stopped = arm.turn();
    assert_eq!(stopped.state, State::EmergencyStop);
    assert!(stopped.joints()[0].command_velocity < speed);
    let rested = arm.turn_for(Duration::from_secs(1));
    assert_eq!(rested.joints()[0].command_velocity, 0.0);

    goals.push(arm.goal(2, &[(0.5, 0.1)]));
    arm.ask(ArmRequest::TorqueOn);
    let later = arm.turn_for(Duration::from_secs(2));
    assert_eq!((later.state, later.joints()[0].command), (State::EmergencyStop, rested.joints()[0].command));
    let refused = |event: &ArmEvent| matches!(event, ArmEvent::Refused(ArmRequest::TorqueOn, _));
    assert!(arm.events().iter().any(refused));
    arm.ask(ArmRequest::Reset);
    arm.turn_until_state(State::Holding);
}

#[test]
fn an_emergency_stop_of_an_arm_that_obeys_another_process_brakes_in_the_same_cycle_too() {
    use servo_arm::config::arm::MAX_JOINTS;
    use servo_arm::control::stream::JointCommand;
    use servo_arm::servo::clock;

    let _time = Simulation::begin(Time(1_000_000_000));
    let (mut arm, mut commands) = Arm::with_stream(SimulatedPort::plug_in(servos()), &[]).unwrap();
    arm.turn_until_state(State::Holding);
    let mut command = |arm: &mut Arm<SimulatedPort>, position: f64| {
        let mut positions = [f64::NAN; MAX_JOINTS];
        positions[0] = position;
        let nothing = [f64::NAN; MAX_JOINTS];
        commands
            .push(JointCommand { received: clock::now(), positions, velocities: nothing, efforts: nothing })
            .unwrap();
        arm.turn()
    };
    for step in 0..100 {
        command(&mut arm, 0.005 * f64::from(step));
    }
    arm.ask(ArmRequest::EmergencyStop);
    let stopped = command(&mut arm, 0.505);
    assert_eq!(stopped.state, State::EmergencyStop);
    let at = stopped.joints()[0].command;
    for _ in 0..100 {
        command(&mut arm, 2.0);
    }
    let rested = arm.control.snapshot().joints()[0];
    assert!(rested.command_velocity == 0.0 && rested.command - at < 0.1, "{rested:?}");
}

#[test]
fn an_emergency_stop_outlasts_an_unplug() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let (mut arm, _goals) = Arm::with_trajectories(SimulatedPort::plug_in(servos()), &[]).unwrap();
    arm.turn_until_state(State::Holding);
    arm.ask(ArmRequest::EmergencyStop);
    arm.turn_until_state(State::EmergencyStop);
    arm.emulate("unplug");
    arm.turn_until_state(State::Disconnected);
    arm.emulate("replug");
    arm.turn_until_state(State::EmergencyStop);
    arm.ask(ArmRequest::Reset);
    arm.turn_until_state(State::Identified);
}

#[test]
fn what_servos_do_without_their_host_is_said_at_the_start() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let (mut arm, _goals) = Arm::with_trajectories(SimulatedPort::plug_in(servos()), &[]).unwrap();
    let said = |event: &ArmEvent| matches!(event, ArmEvent::Trouble(text) if text.contains("no watchdog"));
    assert!(arm.events().iter().any(said));
}

#[test]
fn a_node_that_stops_leaves_its_arm_as_the_policy_says() {
    let pose = vec![0.05, -0.05, 0.05, 0.05, 0.05, 0.05];
    for (policy, torque) in [("hold", 1), ("rest", 1), ("release", 0)] {
        let changes = [
            ("on_shutdown", Value::String(policy.to_owned())),
            ("rest_pose", Value::DoubleArray(pose.clone())),
        ];
        let (mut arm, _goals) = Arm::with_trajectories(power_up(servos()), &changes).unwrap();
        arm.cycle_until_state(State::Holding);
        let Arm { emulator, control, .. } = arm;
        drop(control.spawn().unwrap());
        let register = |id: usize, name: &str| -> i32 {
            emulator.command(&format!("get id={id} {name}")).trim_start_matches("ok ").parse().unwrap()
        };
        for (id, rest) in (1..=6).zip(&pose) {
            assert_eq!(register(id, "torque_enable"), torque, "{policy}");
            let wanted =
                if policy == "rest" { 2048.0 + rest * 4096.0 / std::f64::consts::TAU } else { 2048.0 };
            assert!((f64::from(register(id, "goal_position")) - wanted).abs() <= 1.0, "{policy}, servo {id}");
        }
    }
}
