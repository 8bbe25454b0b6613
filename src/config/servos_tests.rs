use std::f64::consts::TAU;

use crate::config::hardware::HardwareConfig;
use crate::config::parameters::{Parameters, Value};
use crate::config::{Config, Part};
use crate::units::{Calibration, Radians, Ticks};

/// A joint that turns and one that slides, each on a bus of its own.
fn two_buses() -> Parameters {
    let text = |text: &str| Value::String(text.to_owned());
    let list = |names: &[&str]| Value::StringArray(names.iter().map(|&name| name.to_owned()).collect());
    [
        ("urdf", text("arm.urdf")),
        ("joints", list(&["shoulder", "finger"])),
        ("buses", list(&["arm", "hand"])),
        ("bus.arm.port", text("/dev/arm")),
        ("bus.hand.port", text("/dev/hand")),
        ("bus.hand.baud_rate_bps", Value::Integer(115_200)),
        ("servos.shoulder.bus", text("arm")),
        ("servos.shoulder.id", Value::Integer(1)),
        ("servos.finger.bus", text("hand")),
        ("servos.finger.id", Value::Integer(1)),
        ("servos.finger.metres_per_turn", Value::Double(0.05)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn with(changes: &[(&str, Value)]) -> Result<HardwareConfig, String> {
    let mut given = two_buses();
    given.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let config = Config::new(&given, &[Part::Hardware]).map_err(|error| error.to_string())?;
    Ok(config.hardware)
}

fn error_with(name: &str, value: Value) -> String {
    with(&[(name, value)]).unwrap_err()
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

#[test]
fn servos_of_two_buses_may_have_the_same_id() {
    let hardware = with(&[]).unwrap();
    let buses = hardware.buses.iter().map(|bus| (bus.name.as_str(), bus.port.as_str(), bus.baud_rate_bps));
    assert_eq!(buses.collect::<Vec<_>>(), [("arm", "/dev/arm", 1_000_000), ("hand", "/dev/hand", 115_200)]);
    assert_eq!(
        hardware.servos.iter().map(|servo| (servo.bus, servo.id)).collect::<Vec<_>>(),
        [(0, 1), (1, 1)]
    );
    let same_bus = error_with("servos.finger.bus", text("arm"));
    assert!(
        same_bus
            .contains("`servos.finger.id` is 1; each servo on bus arm has its own id, and joint `shoulder`"),
        "{same_bus}"
    );
}

#[test]
fn a_bus_that_is_missing_or_unknown_is_named_with_those_there_are() {
    let unknown = error_with("servos.finger.bus", text("wrist"));
    assert!(unknown.contains("`servos.finger.bus` is \"wrist\""), "{unknown}");
    assert!(unknown.contains("it must be one of `buses`, which are arm, hand"), "{unknown}");
    let mut given = two_buses();
    given.remove("servos.finger.bus");
    let missing = Config::new(&given, &[Part::Hardware]).unwrap_err().to_string();
    assert!(missing.contains("`servos.finger.bus` is missing"), "{missing}");
    let top = error_with("port", text("/dev/arm"));
    assert!(
        top.contains("`port` is \"/dev/arm\"; with `buses` it is said of each of them, as bus.arm.port"),
        "{top}"
    );
    let twice = error_with("buses", Value::StringArray(vec!["arm".into(), "arm".into()]));
    assert!(twice.contains("`arm` is named twice"), "{twice}");
}

#[test]
fn a_single_bus_has_no_name_to_hang_a_servo_on() {
    let mut given = two_buses();
    given.retain(|name, _| !name.starts_with("bus"));
    given.insert("port".into(), text("/dev/arm"));
    given.insert("servos.finger.id".into(), Value::Integer(2));
    let error = Config::new(&given, &[Part::Hardware]).unwrap_err().to_string();
    assert!(error.contains("there is one bus without a name"), "{error}");
}

#[test]
fn a_second_servo_is_like_the_first_where_nothing_else_is_said() {
    let hardware = with(&[
        ("servos.shoulder.gear_ratio", Value::Double(2.0)),
        ("servos.shoulder.torque_limit", Value::Double(0.7)),
        ("servos.shoulder.second.id", Value::Integer(2)),
        ("servos.shoulder.second.reversed", Value::Bool(true)),
        ("servos.shoulder.second.zero_ticks", Value::Integer(1000)),
    ])
    .unwrap();
    let [second] = hardware.further_servos.as_slice() else { panic!("{hardware:?}") };
    assert_eq!((second.joint, second.servo.bus, second.servo.id), (0, 0, 2));
    assert_eq!(second.servo.torque_limit, 0.7);
    let mirrored = Calibration { zero: Ticks(1000), reversed: true, ticks_per_turn: 8192.0 };
    assert_eq!(second.servo.calibration, mirrored);

    let twin = error_with("servos.shoulder.second.id", Value::Integer(1));
    assert!(twin.contains("`servos.shoulder.second.id` is 1"), "{twin}");
    let lonely = error_with("servos.shoulder.third.id", Value::Integer(3));
    assert!(lonely.contains("no node knows parameter `servos.shoulder.third.id`"), "{lonely}");
}

#[test]
fn gears_and_a_pinion_make_metres_of_ticks() {
    let hardware = with(&[("servos.finger.gear_ratio", Value::Double(3.0))]).unwrap();
    let finger = &hardware.servos[1];
    assert!(finger.slides && !hardware.servos[0].slides);
    // Three turns of the horn are one of the pinion, which is 50 mm.
    let Radians(metres) = finger.calibration.to_radians(Ticks(2048 + 3 * 4096));
    assert!((metres - 0.05).abs() < 1e-12, "{metres}");
    assert_eq!(finger.calibration.to_ticks(Radians(0.025)), Ticks(2048 + 6144));
    // 10 mm/s are 0.6 turns of the horn each second.
    let rate = finger.calibration.rate_from_rad_s(0.01);
    assert!((rate - 0.6 * 4096.0).abs() < 1e-9, "{rate}");
    assert!((finger.calibration.ticks_per_turn - 3.0 * 4096.0 * TAU / 0.05).abs() < 1e-6);
    let bad = error_with("servos.finger.metres_per_turn", Value::Double(0.0));
    assert!(bad.contains("from 0.00001 to 10 m"), "{bad}");
}

#[test]
fn a_mimic_with_a_servo_is_listed_and_is_none_of_the_joints() {
    let list = |names: &[&str]| Value::StringArray(names.iter().map(|&name| name.to_owned()).collect());
    let hardware = with(&[
        ("mimic_joints", list(&["other_finger"])),
        ("servos.other_finger.bus", text("hand")),
        ("servos.other_finger.id", Value::Integer(2)),
        ("servos.other_finger.metres_per_turn", Value::Double(0.05)),
    ])
    .unwrap();
    assert_eq!(hardware.mimic_servos[0].joint, "other_finger");
    assert_eq!(hardware.mimic_servos[0].max_disagreement, 0.002);
    let both = error_with("mimic_joints", list(&["finger"]));
    assert!(both.contains("`finger` is one of `joints` already"), "{both}");
}

/// A file that calibrates the joint and the further servo of [`two_buses`] with these ids.
fn calibration(folder: &tempfile::TempDir, shoulder: u8, second: u8) -> Value {
    let file = folder.path().join("calibration.yaml");
    let joint = |name: &str, id: u8| {
        format!(
            "  {name}: {{id: {id}, model: 777, zero_ticks: 1000, reversed: true, ticks_per_turn: 4096.0, \
             lower_ticks: 500, upper_ticks: 2000, registers: {{position_offset: 5}}}}\n"
        )
    };
    let joints = [("shoulder", shoulder), ("shoulder.second", second), ("finger", 1)];
    let joints: String = joints.into_iter().map(|(name, id)| joint(name, id)).collect();
    std::fs::write(&file, format!("servo_arm_calibration: 1\njoints:\n{joints}")).unwrap();
    text(file.to_str().unwrap())
}

#[test]
fn a_calibration_counts_over_the_parameters_for_every_servo_of_a_joint() {
    let folder = tempfile::tempdir().unwrap();
    let file = calibration(&folder, 1, 2);
    let second = ("servos.shoulder.second.id", Value::Integer(2));
    let hardware = with(&[("calibration", file), second]).unwrap();
    let expected = Calibration { zero: Ticks(1000), reversed: true, ticks_per_turn: 4096.0 };
    for servo in [&hardware.servos[0], &hardware.further_servos[0].servo] {
        assert_eq!(servo.calibration, expected);
        assert_eq!(servo.recorded.as_ref().unwrap().model, Some(777));
    }
}

#[test]
fn a_calibration_of_another_arm_or_of_too_few_joints_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = calibration(&folder, 7, 2);
    let says = error_with("calibration", file.clone());
    assert!(
        says.contains("the file says that servo 7 moves `shoulder`, and servos.shoulder.id is 1"),
        "{says}"
    );
    let third = ("servos.shoulder.third.id", Value::Integer(3));
    let second = ("servos.shoulder.second.id", Value::Integer(2));
    let says = with(&[("calibration", file), second, third]).unwrap_err();
    assert!(says.contains("the file has no `shoulder.third`; calibrate it"), "{says}");
    assert!(error_with("calibration", text("no/such.yaml")).contains("cannot read calibration no/such.yaml"));
}

#[test]
fn an_empty_list_of_buses_is_what_a_node_with_one_bus_says_of_itself() {
    let mut given: Parameters = two_buses()
        .into_iter()
        .filter(|(name, _)| !name.starts_with("bus.") && !name.ends_with(".bus"))
        .collect();
    given.insert("buses".to_owned(), Value::StringArray(Vec::new()));
    given.insert("port".to_owned(), text("/dev/arm"));
    given.insert("servos.finger.id".to_owned(), Value::Integer(2));
    let hardware = Config::new(&given, &[Part::Hardware]).unwrap().hardware;
    assert_eq!(hardware.buses.iter().map(|bus| bus.port.as_str()).collect::<Vec<_>>(), ["/dev/arm"]);
}
