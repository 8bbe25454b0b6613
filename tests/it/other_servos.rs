//! Arms of servos without register tables, as they are shipped, on their emulated counterparts.

use std::path::Path;
use std::time::Duration;

use servo_arm::config::Config;
use servo_arm::config::parameters::{Parameters, Value};
use servo_arm::control::arm::ArmRequest;
use servo_arm::control::ensemble::{Ensemble, Member};
use servo_arm::control::follower::{GoalId, Outcome};
use servo_arm::control::safety::State;
use servo_arm::protocol::feetech::Id;
use servo_arm::servo::clock::Simulation;
use servo_arm::servo::control_thread::ArmSetup;
use servo_arm::servo::driver::IdentifyError;
use servo_arm::servo::emulator::events::Event;
use servo_arm::servo::emulator::{BusConfig, FamilyName};
use servo_arm::servo::ports::{ArmEvent, EnsembleCommander};
use servo_arm::servo::setup::{arm_setup, robot_model};
use servo_arm::servo::simulated::SimulatedPort;
use servo_arm::units::Time;

use crate::emulated_arm::{Arm, Changes, Goals, ended, follower};

/// The families, each with the id of its first servo.
const FAMILIES: [(FamilyName, u8); 3] =
    [(FamilyName::Lx16a, 1), (FamilyName::Maestro, 0), (FamilyName::Pca9685, 0)];

#[test]
fn a_goal_leads_six_servos_of_each_kind_to_its_end() {
    for (family, first) in FAMILIES {
        let _time = Simulation::begin(Time(1_000_000_000));
        let (mut arm, mut goals) = arm(family, bus(family)).unwrap();
        arm.turn_until_state(State::Holding);
        let before = positions(&arm, first);
        goals.push(arm.goal(7, &[(1.0, 0.4), (2.0, 0.3)]));
        arm.turn_until_state(State::Active);
        arm.turn_for(Duration::from_millis(2500));
        let ended: Vec<_> = arm.events().iter().filter_map(ended).collect();
        assert_eq!(ended, [(GoalId(7), Outcome::Reached)], "{family:?}");
        let ticks = 0.3 * family.ticks_per_turn() / std::f64::consts::TAU;
        for (from, to) in before.iter().zip(positions(&arm, first)) {
            assert!(
                (f64::from(to - from) - ticks).abs() <= 3.0,
                "{family:?}: from {from} to {to}, not by {ticks}"
            );
        }
    }
}

#[test]
fn switching_on_moves_nothing_and_tells_what_the_servos_cannot_do() {
    for (family, first) in FAMILIES {
        let _time = Simulation::begin(Time(1_000_000_000));
        let (mut arm, _goals) = arm(family, bus(family)).unwrap();
        let before = positions(&arm, first);
        arm.turn_until_state(State::Holding);
        arm.turn_for(Duration::from_secs(1));
        for (from, to) in before.iter().zip(positions(&arm, first)) {
            // A count of a PCA9685 is 4.88 µs, and no pulse is nearer than half of one.
            let allowed = if family == FamilyName::Pca9685 { 3 } else { 0 };
            assert!((to - from).abs() <= allowed, "{family:?}: from {from} to {to}");
        }
        let said: Vec<String> = troubles(&mut arm);
        assert!(said.iter().any(|text| text.contains("no torque limit")), "{family:?}: {said:?}");
        assert!(said.iter().any(|text| text.contains("for ever")), "{family:?}: {said:?}");
        let report = arm.control.snapshot().joints()[0].servo;
        assert!(report.effort.is_nan() && report.current_a.is_nan());
        assert_eq!(report.velocity.is_nan(), family != FamilyName::Lx16a);
    }
}

#[test]
fn torque_off_lets_every_servo_go_and_on_holds_again() {
    for (family, first) in FAMILIES {
        let _time = Simulation::begin(Time(1_000_000_000));
        let (mut arm, _goals) = arm(family, bus(family)).unwrap();
        arm.turn_until_state(State::Holding);
        assert_eq!(torques(&arm, first), [1; 6], "{family:?}");
        arm.ask(ArmRequest::TorqueOff);
        arm.turn_until_state(State::Identified);
        assert_eq!(torques(&arm, first), [0; 6], "{family:?}");
        arm.ask(ArmRequest::TorqueOn);
        arm.turn_until_state(State::Holding);
        assert_eq!(torques(&arm, first), [1; 6], "{family:?}");
    }
}

#[test]
fn a_silent_lx16a_is_missed_alone_and_a_silent_board_with_all_its_servos() {
    for (family, first) in FAMILIES {
        let _time = Simulation::begin(Time(1_000_000_000));
        let (mut arm, _goals) = arm(family, bus(family)).unwrap();
        arm.turn_until_state(State::Holding);
        arm.emulate(&format!("fault silent id={first}"));
        arm.turn_until_state(State::Degraded);
        let heard: Vec<bool> =
            arm.control.snapshot().joints().iter().map(|joint| joint.servo.fresh).collect();
        let others = family == FamilyName::Lx16a;
        assert_eq!(heard, [false, others, others, others, others, others], "{family:?}");
        arm.emulate("clear");
        arm.turn_until_state(State::Holding);
    }
}

#[test]
fn lx16a_servos_are_driven_behind_an_adapter_that_echoes() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let port = SimulatedPort::plug_in(BusConfig { echo: true, ..bus(FamilyName::Lx16a) });
    let (mut arm, mut goals) = arm_on(FamilyName::Lx16a, port, &[("echo", Value::Bool(true))]).unwrap();
    arm.turn_until_state(State::Holding);
    goals.push(arm.goal(7, &[(1.0, 0.2)]));
    arm.turn_until_state(State::Active);
    arm.turn_for(Duration::from_millis(1500));
    let ended: Vec<_> = arm.events().iter().filter_map(ended).collect();
    assert_eq!(ended, [(GoalId(7), Outcome::Reached)]);
    assert_eq!(arm.control.snapshot().bus.missed, 0);
}

#[test]
fn an_lx16a_with_another_offset_is_refused_after_a_replug_as_its_ticks_mean_other_angles() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let (mut arm, _goals) = arm(FamilyName::Lx16a, bus(FamilyName::Lx16a)).unwrap();
    arm.turn_until_state(State::Holding);
    arm.emulate("unplug");
    arm.turn_until_state(State::Disconnected);
    arm.events();
    arm.emulate("set id=3 position_offset=20");
    arm.emulate("replug");
    assert_eq!(arm.turn_for(Duration::from_secs(2)).state, State::Disconnected);
    let said = troubles(&mut arm);
    assert!(said.iter().any(|text| text.contains("that was offset 0, and this is offset 20")), "{said:?}");
    arm.emulate("set id=3 position_offset=0");
    assert_eq!(arm.turn_for(Duration::from_secs(1)).state, State::Identified);
}

#[test]
fn an_lx16a_s_temperature_and_voltage_are_told_by_and_by() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let (mut arm, _goals) = arm(FamilyName::Lx16a, bus(FamilyName::Lx16a)).unwrap();
    arm.turn_until_state(State::Holding);
    arm.emulate("set id=6 temperature=50");
    arm.emulate("set id=6 voltage=6.5");
    // Twelve of them, one in each cycle.
    arm.turn_for(Duration::from_millis(400));
    let report = arm.control.snapshot().joints()[5].servo;
    assert!((48.0..=50.0).contains(&report.temperature_degc), "{}", report.temperature_degc);
    assert_eq!(report.voltage_v, 6.5);
}

#[test]
fn hostile_bytes_move_nothing_that_stands() {
    for (family, first) in FAMILIES {
        let _time = Simulation::begin(Time(1_000_000_000));
        let (mut arm, _goals) = arm(family, bus(family)).unwrap();
        arm.turn_until_state(State::Holding);
        let before = positions(&arm, first);
        for fault in ["corrupt", "truncated", "noise", "stale"] {
            arm.emulate(&format!("fault {fault} probability=0.1"));
        }
        for _ in 0..150 {
            let snapshot = arm.turn();
            for joint in snapshot.joints() {
                assert!(joint.servo.position.abs() < 0.02, "{family:?}: {}", joint.servo.position);
            }
        }
        assert_eq!(positions(&arm, first), before, "{family:?}");
    }
}

#[test]
fn a_maestro_s_timeout_is_a_fault_and_no_pulse_begins_again_by_itself() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let (mut arm, _goals) = arm(FamilyName::Maestro, bus(FamilyName::Maestro)).unwrap();
    arm.emulate("set id=0 serial_timeout_ms=500");
    arm.turn_until_state(State::Holding);
    // The cycles feed it.
    arm.turn_for(Duration::from_secs(2));
    assert_eq!(torques(&arm, 0), [1; 6]);
    // The host stands still for longer.
    servo_arm::servo::clock::sleep_until(servo_arm::servo::clock::now() + Duration::from_secs(1));
    let watch = arm.emulator.watch("writes").unwrap();
    arm.events();
    arm.turn_until_state(State::Faulted);
    assert_eq!(torques(&arm, 0), [0; 6]);
    let said = troubles(&mut arm);
    assert!(said.iter().any(|text| text == "the Maestro reports: serial timeout"), "{said:?}");
    let pulses = watch
        .events
        .try_iter()
        .filter(|event| matches!(event, Event::Write { data, .. } if data[..] != [0, 0]));
    assert_eq!(pulses.count(), 0);
    arm.ask(ArmRequest::TorqueOff);
    arm.turn_for(Duration::from_secs(1));
    arm.ask(ArmRequest::Reset);
    arm.turn_until_state(State::Identified);
    arm.ask(ArmRequest::TorqueOn);
    arm.turn_until_state(State::Holding);
    assert_eq!(torques(&arm, 0), [1; 6]);
}

#[test]
fn a_pca9685_whose_supply_broke_down_is_a_fault_and_no_pulse_begins_again_by_itself() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let (mut arm, _goals) = arm(FamilyName::Pca9685, bus(FamilyName::Pca9685)).unwrap();
    arm.turn_until_state(State::Holding);
    arm.events();
    arm.emulate("fault brownout ms=10");
    arm.turn_until_state(State::Faulted);
    arm.turn_for(Duration::from_secs(1));
    assert_eq!(torques(&arm, 0), [0; 6]);
    let said = troubles(&mut arm);
    assert!(said.iter().any(|text| text.contains("has lost its settings")), "{said:?}");
}

#[test]
fn a_board_or_servo_that_is_not_there_is_named() {
    for (family, _) in FAMILIES {
        let _time = Simulation::begin(Time(1_000_000_000));
        let mut empty = bus(family);
        empty.board.i2c_address = 0x41;
        empty.board.crc = true;
        empty.servos.remove(2);
        let refused = arm(family, empty).err().map(|error| error.to_string());
        match family {
            FamilyName::Lx16a => {
                assert!(refused.unwrap().starts_with("no answer from `elbow_flex` (id 3) on "))
            }
            FamilyName::Maestro => {
                assert!(refused.unwrap().starts_with("no answer from the Maestro of `shoulder_pan`"))
            }
            _ => assert!(refused.unwrap().contains("nothing has that address")),
        }
    }
}

#[test]
fn what_makes_no_sense_of_a_pwm_servo_is_named_with_what_would_be_right() {
    for (name, value, expected) in [
        ("servos.elbow_flex.channel", Value::Integer(0), "joint `shoulder_pan` has this one"),
        ("servos.elbow_flex.channel", Value::Integer(16), "it must be from 0 to 15"),
        ("servos.elbow_flex.pulse_max_us", Value::Double(400.0), "more than pulse_min_us, which is 500"),
        ("servos.elbow_flex.pulse_min_us", Value::Double(1.0), "it must be from 64 to 3280"),
        ("servos.elbow_flex.position_at_pulse_max", Value::Double(-2.3562), "another position"),
        ("servos.elbow_flex.start_position", Value::Double(3.0), "from -2.3562 to 2.3562"),
        ("servos.elbow_flex.start_position", Value::Double(f64::NAN), "a finite number"),
        ("pca9685.i2c_address", Value::Integer(0x70), "the address that all these chips hear"),
        ("pca9685.oscillator_hz", Value::Double(1e6), "from 20000000 to 30000000"),
        ("servos.elbow_flex.id", Value::Integer(3), "no node knows parameter"),
        ("protocol", Value::String("pwm".into()), "\"pca9685\""),
    ] {
        let overrides = Parameters::from([(name.to_owned(), value)]);
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/pca9685.yaml");
        let refused = Config::read_hardware(&file, &overrides).unwrap_err().to_string();
        assert!(refused.contains(name) && refused.contains(expected), "{name}: {refused}");
    }
}

fn bus(family: FamilyName) -> BusConfig {
    let first = FAMILIES.iter().find(|(name, _)| *name == family).unwrap().1;
    BusConfig {
        pace_bps: Some(115_200),
        ..BusConfig::of(family, (first..first + 6).map(|id| Id::new(id).unwrap()))
    }
}

type Wired = (Arm<SimulatedPort>, Goals);

fn arm(family: FamilyName, bus: BusConfig) -> Result<Wired, IdentifyError> {
    arm_on(family, SimulatedPort::plug_in(bus), &[])
}

fn arm_on(family: FamilyName, port: SimulatedPort, changes: Changes<'_>) -> Result<Wired, IdentifyError> {
    let setup = setup(family, port.name(), changes);
    let (commander, requests) =
        EnsembleCommander::new(Ensemble::new(vec![Member::Trajectory(follower(&setup))]));
    Ok((Arm::connect(port, setup, Box::new(commander))?, Goals::of(requests)))
}

fn setup(family: FamilyName, port: &str, changes: Changes<'_>) -> ArmSetup {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut overrides = Parameters::new();
    overrides.insert("port".into(), Value::String(port.to_owned()));
    overrides.insert("urdf".into(), Value::String(root.join("urdf/so101.urdf").display().to_string()));
    overrides.insert("torque_ramp_s".into(), Value::Double(0.0));
    overrides.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let file = root.join(format!("config/{}.yaml", family.name()));
    let config = Config::read_hardware(&file, &overrides).unwrap();
    arm_setup(&config, &robot_model(&config.arm).unwrap()).unwrap()
}

fn positions(arm: &Arm<SimulatedPort>, first: u8) -> [i32; 6] {
    std::array::from_fn(|index| arm.register(usize::from(first) + index, "present_position"))
}

fn torques(arm: &Arm<SimulatedPort>, first: u8) -> [i32; 6] {
    std::array::from_fn(|index| arm.register(usize::from(first) + index, "torque_enable"))
}

fn troubles(arm: &mut Arm<SimulatedPort>) -> Vec<String> {
    let text = |event| match event {
        ArmEvent::Trouble(text) => Some(text),
        _ => None,
    };
    arm.events().into_iter().filter_map(text).collect()
}
