//! What is watched of servos, on the emulator's wire: trips, brown-outs, the rest pose, the loss of commands. Simulated
//! time, so that nothing depends on the machine.

use std::time::Duration;

use servo_arm::config::arm::MAX_JOINTS;
use servo_arm::config::parameters::Value;
use servo_arm::config::watch::Watched;
use servo_arm::control::arm::ArmRequest;
use servo_arm::control::safety::{Cause, State};
use servo_arm::control::stream::JointCommand;
use servo_arm::control::watch::Level;
use servo_arm::servo::clock::{self, Simulation};
use servo_arm::servo::emulator::BusConfig;
use servo_arm::servo::ports::ArmEvent;
use servo_arm::servo::simulated::SimulatedPort;
use servo_arm::units::Time;

use crate::emulated_arm::{Arm, Changes, Goals, servos};

const TOO_HOT: Cause = Cause::Tripped(Watched::Temperature, 1);
const POSE: [f64; 6] = [0.2, -0.3, 0.3, 0.1, -0.1, 0.2];

/// The arm on simulated time, holding.
fn holding(changes: Changes<'_>) -> (Simulation, Arm<SimulatedPort>, Goals) {
    let time = Simulation::begin(Time(1_000_000_000));
    let (mut arm, goals) = Arm::with_trajectories(SimulatedPort::plug_in(servos()), changes).unwrap();
    arm.turn_until_state(State::Holding);
    arm.events();
    (time, arm, goals)
}

fn word(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn resting(name: &'static str) -> [(&'static str, Value); 2] {
    [(name, word("rest")), ("rest_pose", Value::DoubleArray(POSE.to_vec()))]
}

fn secs(secs: f64) -> Duration {
    Duration::from_secs_f64(secs)
}

fn transitions(arm: &mut Arm<SimulatedPort>) -> Vec<(State, Cause)> {
    let of = |event| match event {
        ArmEvent::Transition(transition) => Some((transition.to, transition.cause)),
        _ => None,
    };
    arm.events().into_iter().filter_map(of).collect()
}

fn torque(arm: &Arm<SimulatedPort>) -> [i32; 6] {
    [1, 2, 3, 4, 5, 6].map(|id| arm.register(id, "torque_enable"))
}

fn is_at_rest_pose(arm: &Arm<SimulatedPort>) -> bool {
    let snapshot = arm.control.snapshot();
    snapshot.joints().iter().zip(POSE).all(|(joint, rest)| (joint.servo.position - rest).abs() < 0.005)
}

#[test]
fn a_hot_servo_slows_the_arm_down_until_it_has_cooled() {
    let (_time, mut arm, mut goals) = holding(&[]);
    arm.emulate("set id=2 temperature=62");
    let warned = arm.turn_for(secs(1.5));
    assert_eq!(warned.state, State::Holding);
    assert_eq!(warned.joints()[1].levels[Watched::Temperature.index()], Level::Warning);
    arm.emulate("set id=2 temperature=69");
    let slow = arm.turn_until_state(State::Degraded);
    assert_eq!((slow.cause, slow.speed_factor), (Some(TOO_HOT), 0.25));
    goals.push(arm.goal(1, &[(0.5, 0.2)]));
    let moving = arm.turn_for(secs(0.6));
    assert!((0.2..0.9).contains(&moving.members[0].speed_factor), "{}", moving.members[0].speed_factor);
    assert!(moving.joints()[0].servo.position < 0.1, "{}", moving.joints()[0].servo.position);
    let arrived = arm.turn_for(secs(3.0));
    assert!((arrived.joints()[0].servo.position - 0.2).abs() < 0.01);
    arm.emulate("set id=2 temperature=50");
    arm.turn_until_state(State::Holding);
    let states = transitions(&mut arm);
    assert_eq!(states.last(), Some(&(State::Holding, Cause::TripOver)));
}

#[test]
fn a_trip_holds_or_releases_as_configured_and_a_reset_waits_for_its_cause_to_be_gone() {
    for (action, held) in [("hold", 1), ("release", 0)] {
        let (_time, mut arm, _goals) = holding(&[("watch.temperature.action", word(action))]);
        arm.emulate("set id=2 temperature=69");
        let faulted = arm.turn_until_state(State::Faulted);
        assert_eq!(faulted.cause, Some(TOO_HOT));
        arm.turn_for(secs(0.2));
        assert_eq!(torque(&arm), [held; 6]);
        arm.events();
        arm.ask(ArmRequest::Reset);
        arm.turn();
        let refused = arm.events().into_iter().find_map(|event| match event {
            ArmEvent::Refused(ArmRequest::Reset, refusal) => Some(refusal.sentence(&arm.setup.joints)),
            _ => None,
        });
        let refused = refused.unwrap();
        assert!(
            refused.starts_with("a servo is too hot (joint `shoulder_lift`): temperature is"),
            "{refused}"
        );
        arm.emulate("set id=2 temperature=40");
        arm.turn_for(secs(0.1));
        arm.ask(ArmRequest::Reset);
        arm.turn_until_state(if held == 1 { State::Holding } else { State::Identified });
    }
}

#[test]
fn a_trip_leads_the_arm_to_its_rest_pose_and_faults_it_there() {
    let (_time, mut arm, mut goals) = holding(&resting("watch.temperature.action"));
    goals.push(arm.goal(1, &[(2.0, 0.5)]));
    arm.turn_for(secs(0.5));
    arm.events();
    arm.emulate("set id=2 temperature=69");
    arm.turn_until_state(State::Resting);
    arm.turn_until_state(State::Faulted);
    arm.turn_for(secs(0.3));
    assert_eq!(transitions(&mut arm), [(State::Resting, TOO_HOT), (State::Faulted, Cause::RestReached)]);
    assert!(is_at_rest_pose(&arm));
    assert_eq!(torque(&arm), [1; 6]);
}

#[test]
fn a_stop_and_torque_off_are_heard_on_the_way_to_the_rest_pose() {
    for (request, state) in
        [(ArmRequest::EmergencyStop, State::EmergencyStop), (ArmRequest::TorqueOff, State::Identified)]
    {
        let (_time, mut arm, _goals) = holding(&resting("watch.temperature.action"));
        arm.emulate("set id=2 temperature=69");
        arm.turn_until_state(State::Resting);
        arm.turn_for(secs(0.2));
        arm.ask(request);
        arm.turn_until_state(state);
        arm.turn_for(secs(1.0));
        assert!(!is_at_rest_pose(&arm));
    }
}

#[test]
fn an_arm_with_a_hot_servo_takes_no_torque_until_it_has_cooled() {
    let hold = [("watch.temperature.action", word("hold")), ("torque_on_start", Value::Bool(false))];
    let _time = Simulation::begin(Time(1_000_000_000));
    let (mut arm, _goals) = Arm::with_trajectories(SimulatedPort::plug_in(servos()), &hold).unwrap();
    arm.emulate("set id=2 temperature=69");
    arm.turn_for(secs(2.0));
    arm.events();
    arm.ask(ArmRequest::TorqueOn);
    arm.turn_for(secs(0.5));
    assert_eq!(arm.control.core().state(), State::Identified);
    assert!(matches!(
        arm.events()[..],
        [ArmEvent::Refused(ArmRequest::TorqueOn, refusal)] if refusal.joint == Some(1)
    ));
    arm.emulate("set id=2 temperature=40");
    arm.turn_for(secs(0.1));
    arm.ask(ArmRequest::TorqueOn);
    arm.turn_until_state(State::Holding);
}

#[test]
fn a_joint_that_cannot_be_read_keeps_the_arm_identified_with_its_name() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let (mut arm, _goals) = Arm::with_trajectories(SimulatedPort::plug_in(servos()), &[]).unwrap();
    arm.emulate("fault silent id=3");
    let snapshot = arm.turn_for(secs(5.0));
    assert_eq!((snapshot.state, torque(&arm)), (State::Identified, [0; 6]));
    let told = arm.events().into_iter().any(|event| {
        matches!(event, ArmEvent::Watch(news) if (news.joint, news.watched) == (2, Watched::SampleAge))
    });
    assert!(told);
    arm.emulate("clear");
    arm.turn_until_state(State::Holding);
}

#[test]
fn a_blocked_joint_stalls_faults_the_arm_and_pushes_no_more() {
    let (_time, mut arm, mut goals) = holding(&[]);
    arm.emulate("block id=1 at=0.1rad");
    goals.push(arm.goal(1, &[(1.0, 0.5)]));
    let begun = clock::now();
    let faulted = arm.turn_until_state(State::Faulted);
    assert_eq!(faulted.cause, Some(Cause::Tripped(Watched::Stall, 0)));
    assert!((1.5..3.0).contains(&clock::now().secs_since(begun)));
    let relieved = arm.turn_for(secs(1.0));
    let joint = relieved.joints()[0];
    assert!(joint.servo.load.abs() < 0.2 && joint.servo.alarms.is_empty(), "{joint:?}");
    arm.ask(ArmRequest::Reset);
    arm.turn_until_state(State::Holding);
    assert_eq!(arm.turn_for(secs(3.0)).state, State::Holding);
}

#[test]
fn a_supply_that_breaks_down_is_a_brown_out_and_no_bus_error() {
    let (_time, mut arm, _goals) = holding(&[]);
    arm.emulate("set id=4 voltage=4.0");
    arm.turn_for(secs(0.1));
    arm.emulate("fault silent id=4");
    let faulted = arm.turn_until_state(State::Faulted);
    assert_eq!(faulted.cause, Some(Cause::BrownOut(3)));
    let silent: Vec<_> = transitions(&mut arm);
    assert_eq!(silent, [(State::Degraded, Cause::BrownOut(3)), (State::Faulted, Cause::BrownOut(3))]);

    let (_time, mut arm, _goals) = holding(&[]);
    arm.emulate("fault brownout id=4 ms=30");
    let limp = arm.turn_until_state(State::Faulted);
    assert_eq!(limp.cause, Some(Cause::BrownOut(3)));
}

#[test]
fn low_voltage_slows_the_arm_down() {
    let (_time, mut arm, _goals) = holding(&[]);
    arm.emulate("set id=1 voltage=4.0");
    let slow = arm.turn_until_state(State::Degraded);
    assert_eq!(slow.cause, Some(Cause::Tripped(Watched::VoltageLow, 0)));
    arm.emulate("set id=1 voltage=7.4");
    arm.turn_until_state(State::Holding);
}

#[test]
fn a_joint_outside_its_limits_is_held_there_and_told_of() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let mut bus = servos();
    // The upper end of `elbow_flex` is at 1.69 rad.
    bus.servos[2].position = 2048.0 + 1.9 * 4096.0 / std::f64::consts::TAU;
    let (mut arm, mut goals) = Arm::with_trajectories(SimulatedPort::plug_in(bus), &[]).unwrap();
    arm.turn_until_state(State::Holding);
    let held = arm.turn_for(secs(1.0));
    let joint = held.joints()[2];
    assert!((joint.servo.position - 1.9).abs() < 0.002 && (joint.command - 1.9).abs() < 0.002);
    assert_eq!(joint.levels[Watched::OutsideLimits.index()], Level::Warning);
    goals.push(arm.goal(1, &[(2.0, 0.5)]));
    let mut last = joint.command;
    for _ in 0..600 {
        let command = arm.turn().joints()[2].command;
        assert!(command <= last + 1e-9, "{command} after {last}");
        last = command;
    }
    assert!((last - 0.5).abs() < 0.01);
    assert_eq!(arm.control.snapshot().joints()[2].levels[Watched::OutsideLimits.index()], Level::Fine);
}

#[test]
fn commands_that_end_are_followed_by_what_the_policy_says() {
    for (policy, state, held) in
        [("hold", State::Holding, 1), ("rest", State::Holding, 1), ("release", State::Identified, 0)]
    {
        let _time = Simulation::begin(Time(1_000_000_000));
        let changes = [
            ("on_command_loss", word(policy)),
            ("command_loss_s", Value::Double(0.5)),
            ("rest_pose", Value::DoubleArray(POSE.to_vec())),
        ];
        let (mut arm, mut commands) =
            Arm::with_stream(SimulatedPort::plug_in(BusConfig { ..servos() }), &changes).unwrap();
        arm.turn_until_state(State::Holding);
        arm.turn_for(secs(1.0));
        assert_eq!(arm.control.core().state(), State::Holding, "nobody has commanded yet");
        for _ in 0..50 {
            let mut positions = [f64::NAN; MAX_JOINTS];
            positions[..6].fill(0.05);
            let nothing = [f64::NAN; MAX_JOINTS];
            let command =
                JointCommand { received: clock::now(), positions, velocities: nothing, efforts: nothing };
            commands.push(command).unwrap();
            arm.turn();
        }
        arm.events();
        arm.turn_for(secs(0.45));
        assert_eq!(transitions(&mut arm), [(State::Holding, Cause::MotionEnded)], "{policy}");
        arm.turn_for(secs(6.0));
        assert_eq!((arm.control.core().state(), torque(&arm)), (state, [held; 6]), "{policy}");
        assert_eq!(is_at_rest_pose(&arm), policy == "rest");
        let began = transitions(&mut arm).first().map(|(_, cause)| *cause);
        assert_eq!(began, (policy != "hold").then_some(Cause::CommandsLost));
    }
}

#[test]
fn a_servo_that_falls_silent_while_torque_comes_on_faults_the_arm_and_the_others_let_go() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let (mut arm, _goals) = Arm::with_trajectories(SimulatedPort::plug_in(servos()), &[]).unwrap();
    arm.turn_until_state(State::Energizing);
    arm.emulate("fault silent id=6");
    arm.turn_until_state(State::Faulted);
    arm.turn_for(secs(1.0));
    assert_eq!(torque(&arm), [0; 6]);
    let causes = transitions(&mut arm);
    assert!(
        matches!(causes.last(), Some((State::Faulted, Cause::TorqueRefused(5) | Cause::ServoLost(5)))),
        "{causes:?}"
    );
}

#[test]
fn a_servo_that_gets_hot_while_torque_comes_on_faults_the_arm_released() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let changes = [("watch.temperature.action", word("hold")), ("torque_ramp_s", Value::Double(5.0))];
    let (mut arm, _goals) = Arm::with_trajectories(SimulatedPort::plug_in(servos()), &changes).unwrap();
    arm.turn_until_state(State::Energizing);
    arm.emulate("set id=2 temperature=69");
    let faulted = arm.turn_until_state(State::Faulted);
    assert_eq!(faulted.cause, Some(TOO_HOT));
    arm.turn_for(secs(0.5));
    assert_eq!(torque(&arm), [0; 6]);
}

#[test]
fn a_servo_that_lets_go_by_itself_is_found_and_the_arm_faults() {
    let (_time, mut arm, _goals) = holding(&[]);
    arm.emulate("set id=5 torque_enable=0");
    let faulted = arm.turn_until_state(State::Faulted);
    assert_eq!(faulted.cause, Some(Cause::TorqueLost(4)));
    arm.ask(ArmRequest::Reset);
    arm.turn_for(secs(0.5));
    assert_eq!(arm.control.core().state(), State::Faulted, "torque never comes back by itself");
    assert_eq!(torque(&arm), [1, 1, 1, 1, 0, 1]);
}

#[test]
fn a_servo_that_falls_silent_while_torque_goes_off_is_not_said_to_be_free() {
    let (_time, mut arm, _goals) = holding(&[]);
    arm.emulate("fault silent id=3");
    arm.ask(ArmRequest::TorqueOff);
    let stuck = arm.turn_until_state(State::Faulted);
    assert_eq!((stuck.cause, stuck.torque), (Some(Cause::TorqueStuck(2)), true));
    arm.emulate("clear");
    arm.turn_for(secs(0.2));
    arm.ask(ArmRequest::Reset);
    arm.turn_for(secs(0.2));
    assert_eq!(arm.control.core().state(), State::Faulted, "not before it says that it let go");
    arm.ask(ArmRequest::TorqueOff);
    arm.turn_for(secs(1.0));
    arm.ask(ArmRequest::Reset);
    arm.turn_until_state(State::Identified);
}
