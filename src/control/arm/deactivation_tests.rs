//! An arm that is to obey no more, and its port that is closed.

use super::*;

fn deactivated(on_deactivate: ArmEnd) -> Bench {
    let mut bench = Bench::holding(Wishes { on_deactivate, action: Action::Hold, ..Wishes::default() });
    bench.source.wanted = Some(1.0);
    bench.run(10);
    bench.transitions();
    bench.ask(ArmRequest::Deactivate).unwrap();
    bench
}

#[test]
fn a_deactivated_arm_brakes_holds_and_obeys_nothing_until_torque_is_asked_for() {
    let mut bench = deactivated(ArmEnd::Hold);
    bench.run(100);
    assert_eq!(bench.transitions(), [(State::Standby, Cause::DeactivateAsked)]);
    let held = bench.core.commands().to_vec();
    assert_ne!(held[0], 1.0);
    bench.source.wanted = Some(1.0);
    bench.run(100);
    assert_eq!((bench.core.commands(), bench.torque), (&held[..], [true; 2]));
    bench.source.wanted = None;
    bench.ask(ArmRequest::TorqueOn).unwrap();
    bench.run(5);
    assert_eq!(bench.transitions(), [(State::Holding, Cause::TorqueAsked)]);
    assert!(bench.source.held && bench.core.commands() == held, "nothing moves for that");
}

#[test]
fn an_arm_may_rest_or_let_go_when_it_is_deactivated() {
    let mut bench = deactivated(ArmEnd::Rest);
    bench.run(600);
    let to_rest = [(State::Resting, Cause::DeactivateAsked), (State::Standby, Cause::RestReached)];
    assert_eq!(bench.transitions(), to_rest);
    assert!((bench.positions[0] - POSE[0]).abs() < 1e-6 && bench.torque[0]);
    let mut bench = deactivated(ArmEnd::Release);
    bench.run(20);
    let released =
        [(State::Releasing, Cause::DeactivateAsked), (State::Identified, Cause::TorqueOffConfirmed)];
    assert_eq!((&bench.transitions()[..], bench.torque), (&released[..], [false; 2]));
}

#[test]
fn torque_that_is_on_its_way_is_let_go_by_a_deactivation() {
    let mut bench = Bench::new(Wishes::default());
    bench.run(3);
    assert_eq!(bench.core.state(), State::Energizing);
    bench.ask(ArmRequest::Deactivate).unwrap();
    bench.run(50);
    assert_eq!((bench.core.state(), bench.torque), (State::Identified, [false; 2]));
}

#[test]
fn faults_are_found_in_a_deactivated_arm_and_a_reset_leaves_it_deactivated() {
    let mut bench = deactivated(ArmEnd::Hold);
    bench.silent[0] = true;
    bench.run(40);
    assert_eq!((bench.core.state(), bench.core.cause()), (State::Faulted, Some(Cause::ServoLost(0))));
    bench.silent[0] = false;
    bench.run(5);
    bench.ask(ArmRequest::Reset).unwrap();
    assert_eq!(bench.core.state(), State::Standby);
    bench.heat(67.0);
    bench.run(5);
    assert_eq!((bench.core.state(), bench.core.cause()), (State::Faulted, Some(TOO_HOT)));
}

#[test]
fn a_deactivated_arm_with_a_silent_servo_is_not_activated_and_says_why() {
    let mut bench = deactivated(ArmEnd::Hold);
    bench.silent[1] = true;
    bench.run(10);
    assert_eq!(bench.ask(ArmRequest::TorqueOn).unwrap_err().joint, Some(1));
    assert_eq!(bench.core.state(), State::Standby);
}

#[test]
fn torque_off_and_a_stop_are_heard_by_a_deactivated_arm() {
    let mut bench = deactivated(ArmEnd::Hold);
    bench.ask(ArmRequest::TorqueOff).unwrap();
    bench.run(20);
    assert_eq!((bench.core.state(), bench.torque), (State::Identified, [false; 2]));
    let mut bench = deactivated(ArmEnd::Hold);
    bench.ask(ArmRequest::EmergencyStop).unwrap();
    assert_eq!(bench.core.state(), State::EmergencyStop);
}

#[test]
fn a_closed_port_is_no_lost_one_and_torque_waits_to_be_asked_for() {
    let mut bench = deactivated(ArmEnd::Hold);
    bench.core.on_closed(&mut bench.source);
    assert_eq!((bench.core.state(), bench.core.cause()), (State::Disconnected, Some(Cause::PortClosed)));
    let standing = [Standing { torque: true, goal: 0.3, limit_strays: false }; 2];
    bench.core.on_connected(&standing);
    bench.run(100);
    assert_eq!(bench.core.state(), State::Identified);
    bench.ask(ArmRequest::TorqueOn).unwrap();
    bench.run(100);
    assert_eq!(bench.core.state(), State::Holding);
    bench.ask(ArmRequest::EmergencyStop).unwrap();
    bench.core.on_closed(&mut bench.source);
    bench.core.on_closed(&mut bench.source);
    bench.core.on_connected(&standing);
    assert_eq!(bench.core.state(), State::EmergencyStop, "a stop outlasts it");
}
