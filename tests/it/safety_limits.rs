//! What servos keep by themselves: compared when they are found, and written only where the owner said so.

use servo_arm::config::parameters::Value;
use servo_arm::control::safety::State;
use servo_arm::servo::clock::Simulation;
use servo_arm::servo::emulator::events::Event;
use servo_arm::servo::ports::ArmEvent;
use servo_arm::servo::simulated::SimulatedPort;
use servo_arm::units::Time;

use crate::emulated_arm::{Arm, Changes, servos};

/// The lower and the upper end of `elbow_flex`, ±1.69 rad, in ticks.
const ELBOW: (i32, i32) = (946, 3150);

fn started(prepare: &[&str], changes: Changes<'_>) -> (Simulation, Arm<SimulatedPort>, Vec<String>, usize) {
    let time = Simulation::begin(Time(1_000_000_000));
    let port = SimulatedPort::plug_in(servos());
    for line in prepare {
        assert!(port.command(line).starts_with("ok"), "{line}");
    }
    let writes = port.watch("writes").unwrap();
    let (mut arm, _goals) = Arm::with_trajectories(port, changes).unwrap();
    let told = arm.events().into_iter().filter_map(|event| match event {
        ArmEvent::Trouble(text) if text.starts_with("joint") => Some(text),
        _ => None,
    });
    let told = told.collect();
    let writes = writes.events.try_iter().filter(|event| matches!(event, Event::Write { .. })).count();
    (time, arm, told, writes)
}

#[test]
fn by_default_a_servo_is_compared_and_nothing_is_written() {
    let narrow = ["set id=3 min_angle=1500", "set id=3 max_angle=3150"];
    let own = [("servos.wrist_flex.own.max_temperature", Value::Double(65.0))];
    let (_time, arm, told, writes) = started(&narrow, &own);
    assert_eq!((writes, arm.register(3, "min_angle"), arm.register(4, "max_temperature")), (0, 1500, 70));
    assert_eq!(
        told,
        [
            "joint `elbow_flex`: its servo's min_angle is 1500 ticks, and should be 946 ticks; \
             servos.<joint>.write_limits has it written",
            "joint `wrist_flex`: its servo's max_temperature is 70 °C, and should be 65 °C; \
             servos.<joint>.write_limits has it written",
        ]
    );
}

#[test]
fn what_differs_is_written_once_where_the_owner_said_so_and_not_again() {
    let changes = [
        ("servos.elbow_flex.write_limits", Value::Bool(true)),
        ("servos.elbow_flex.own.max_temperature", Value::Double(65.0)),
        ("servos.elbow_flex.own.max_torque", Value::Double(0.8)),
    ];
    let (_time, mut arm, told, writes) = started(&[], &changes);
    assert_eq!((arm.register(3, "min_angle"), arm.register(3, "max_angle")), ELBOW);
    assert_eq!((arm.register(3, "max_temperature"), arm.register(3, "max_torque")), (65, 800));
    assert_eq!((arm.register(3, "lock"), arm.register(2, "max_angle")), (1, 4095));
    // Four values, and the lock opened and closed.
    assert_eq!(
        (told, writes),
        (vec!["joint `elbow_flex`: 4 EEPROM registers of its servo were written".to_owned()], 6)
    );
    arm.turn_until_state(State::Holding);

    let kept = ["min_angle=946", "max_angle=3150", "max_temperature=65", "max_torque=800"];
    let kept: Vec<String> = kept.iter().map(|value| format!("set id=3 {value}")).collect();
    let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
    drop((_time, arm));
    let (_time, _arm, told, writes) = started(&kept, &changes);
    assert_eq!((told, writes), (vec![], 0), "what is there already is not written");
}

#[test]
fn nothing_is_written_under_torque() {
    let changes = [("servos.elbow_flex.write_limits", Value::Bool(true))];
    let (_time, arm, told, writes) =
        started(&["set id=3 min_angle=1500", "set id=3 torque_enable=1"], &changes);
    assert_eq!((writes, arm.register(3, "min_angle")), (0, 1500));
    assert!(told[0].ends_with("it is written at a start without torque"), "{told:?}");
}

#[test]
fn a_register_that_there_is_not_or_that_keeps_no_limit_is_named() {
    for (name, value, expected) in [
        ("servos.gripper.own.patience", 1.0, "has no register of this name"),
        ("servos.gripper.own.id", 7.0, "is none that keeps a limit"),
        ("servos.gripper.own.goal_position", 7.0, "is none that keeps a limit"),
        ("servos.gripper.own.max_temperature", 300.0, "300 does not fit; it must be from 0 to 255"),
    ] {
        let _time = Simulation::begin(Time(1_000_000_000));
        let changes = [(name, Value::Double(value))];
        let error =
            Arm::with_trajectories(SimulatedPort::plug_in(servos()), &changes).err().unwrap().to_string();
        assert!(error.contains(name) && error.contains(expected), "{error}");
    }
}
