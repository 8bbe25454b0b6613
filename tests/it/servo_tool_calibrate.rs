//! `servo_tool calibrate` and `servo_tool calibration`: joints are turned by hand, servos and nodes get what follows.

use std::path::Path;

use servo_arm::config::Config;
use servo_arm::config::calibration::ArmCalibration;
use servo_arm::config::parameters::{Parameters, Value};
use servo_arm::control::safety::State;

use crate::emulated_arm::Arm;
use crate::tool_on_bus::{Desk, complained, printed, text};

const ARM: [&str; 4] = ["--config", "config/so101.yaml", "--urdf", "urdf/so101.urdf"];

/// The whole travels of an SO-101's joints, in ticks; the second goes over the end of the servo's turn.
const WAYS: [(u8, &[i32]); 6] = [
    (1, &[850, 3300, 2048]),
    (2, &[3300, 4400, 2150, 3300]),
    (3, &[950, 3150, 2000]),
    (4, &[1000, 3160, 2000]),
    (5, &[250, 3890, 2000]),
    (6, &[1900, 3150, 2000]),
];

fn calibrate(desk: &Desk, options: &[&str], ways: &[(u8, &[i32])], answers: &str) -> std::process::Output {
    let out = desk.path("calibration.yaml");
    let arguments = [&["calibrate", "--out", text(&out)], &ARM[..], options].concat();
    desk.calibrate(&arguments, ways, answers)
}

#[test]
fn an_arm_is_calibrated_and_the_nodes_take_the_file() {
    let desk = Desk::new();
    let watch = desk.emulator.watch("writes").unwrap();
    let output = calibrate(&desk, &[], &WAYS, "y\n");
    let says = printed(&output);
    assert!(says.contains("6 servos are calibrated"), "{says}");
    assert!(says.contains("shoulder_lift  position_offset"), "{says}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("over the end of the servo's turn"),
        "{output:?}"
    );

    let file = ArmCalibration::read(&desk.path("calibration.yaml")).unwrap();
    let lift = &file.joints["shoulder_lift"];
    // From 2048, where it stood, to 4400, about 3224, which becomes 2048.
    assert_eq!((lift.lower_ticks, lift.upper_ticks), (872, 3224));
    assert_eq!(lift.registers["position_offset"], 1176);
    for id in 1..=6 {
        desk.emulate(&format!("fault brownout id={id} ms=0"));
    }
    for joint in file.joints.values() {
        for (name, value) in &joint.registers {
            assert_eq!(desk.register(joint.id, name), *value, "{name} of servo {}", joint.id);
        }
        assert_eq!(desk.register(joint.id, "lock"), 1);
        assert_eq!(desk.register(joint.id, "torque_enable"), 0);
    }
    // Nearly closed is the gripper's zero, and that is not the middle of its travel.
    assert_eq!(file.joints["gripper"].zero_ticks, 2048 - 512);
    for event in watch.events.try_iter() {
        if let servo_arm::servo::emulator::events::Event::Write { address, .. } = event {
            assert_ne!(address, 40);
        }
    }

    let config = loaded(&desk).unwrap();
    let servo = &config.hardware.servos[1];
    assert_eq!(servo.calibration.zero.0, lift.zero_ticks);
    assert_eq!(servo.recorded.as_ref().unwrap().registers, lift.registers);
    let verify = ["calibration", "verify", "--from", text(&desk.path("calibration.yaml"))].map(str::to_owned);
    let verify: Vec<&str> = verify.iter().map(String::as_str).collect();
    assert!(printed(&desk.tool(&verify)).contains("6 joints are as"));
    desk.emulate("set id=3 position_offset=7");
    let output = desk.tool(&verify);
    assert!(complained(&output).contains("calibrate these joints again"), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("elbow_flex      3  position_offset"),
        "{output:?}"
    );
}

fn loaded(desk: &Desk) -> Result<Config, String> {
    let mut overrides = Parameters::new();
    let file = desk.path("calibration.yaml").display().to_string();
    overrides.insert("calibration".to_owned(), Value::String(file));
    let arm = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/so101.yaml");
    Config::read_hardware(&arm, &overrides).map_err(|error| error.to_string())
}

#[test]
fn an_arm_whose_servo_is_not_as_calibrated_is_not_used() {
    let desk = Desk::new();
    printed(&calibrate(&desk, &["--yes"], &WAYS, ""));
    let file = desk.path("calibration.yaml");
    let changes = [("calibration", Value::String(file.display().to_string()))];
    let Desk { emulator, scratch: _kept } = desk;
    let (mut arm, _commands) = Arm::with_stream(emulator, &changes).unwrap();
    arm.cycle_until_state(State::Holding);
    let calibration = ArmCalibration::read(&file).unwrap();
    for (joint, limits) in arm.setup.joints.iter().zip(&arm.setup.limits) {
        let (lower, upper) = calibration.joints[joint].travel();
        assert!(lower <= limits.lower() && limits.upper() <= upper, "{joint}");
    }
    // A little narrower than the URDF has it.
    assert_eq!(arm.setup.limits[5].upper(), calibration.joints["gripper"].travel().1);

    let Arm { emulator, control, .. } = arm;
    drop(control);
    emulator.command("fault brownout ms=0");
    emulator.command("set id=3 position_offset=7");
    let refused = Arm::with_stream(emulator, &changes).err().unwrap().to_string();
    let offset = calibration.joints["elbow_flex"].registers["position_offset"];
    let says = format!(
        "joint `elbow_flex`: `position_offset` of servo 3 is 7, and the calibration {}",
        file.display()
    );
    assert!(refused.starts_with(&says) && refused.contains(&format!("says {offset};")), "{refused}");
}

#[test]
fn one_joint_is_calibrated_beside_those_of_the_file() {
    let desk = Desk::new();
    let first = calibrate(&desk, &["--joints", "wrist_roll", "--yes"], &[WAYS[4]], "");
    printed(&first);
    let refused = loaded(&desk).unwrap_err();
    assert!(refused.contains("the file has no `shoulder_pan`; calibrate it"), "{refused}");
    let second = calibrate(&desk, &["--joints", "gripper", "--zero", "middle", "--yes"], &[WAYS[5]], "");
    printed(&second);
    let file = ArmCalibration::read(&desk.path("calibration.yaml")).unwrap();
    assert_eq!(file.joints.keys().collect::<Vec<_>>(), ["gripper", "wrist_roll"]);
    assert_eq!(file.joints["gripper"].zero_ticks, 2048);
    // Once more the same way: nothing is left to do.
    let ways: [(u8, &[i32]); 1] = [(6, &[1423, 2673, 2000])];
    let third = calibrate(&desk, &["--joints", "gripper", "--zero", "middle", "--yes"], &ways, "");
    assert!(printed(&third).contains("have all of this already"), "{third:?}");
}

#[test]
fn nothing_is_written_where_the_answer_is_no_the_run_is_dry_or_the_input_ends() {
    let desk = Desk::new();
    let watch = desk.emulator.watch("writes").unwrap();
    let pan: [(u8, &[i32]); 1] = [(1, &[850, 3300])];
    let only = ["--joints", "shoulder_pan"];
    let no = calibrate(&desk, &only, &pan, "n\n");
    assert!(complained(&no).contains("nothing was written"), "{no:?}");
    let dry = calibrate(&desk, &["--joints", "shoulder_pan", "--dry-run"], &pan, "");
    assert!(printed(&dry).contains("min_angle"), "{dry:?}");
    let ended = calibrate(&desk, &only, &[], "");
    assert!(complained(&ended).contains("the input ended"), "{ended:?}");
    assert!(!desk.path("calibration.yaml").exists());
    assert_eq!(watch.events.try_iter().count(), 0);
}

#[test]
fn a_travel_without_room_for_the_seam_is_refused_with_the_joint() {
    let desk = Desk::new();
    let around: [(u8, &[i32]); 1] = [(5, &[0, 4200, 2000])];
    let output = calibrate(&desk, &["--joints", "wrist_roll", "--yes"], &around, "");
    let says = complained(&output);
    assert!(says.contains("joint `wrist_roll` cannot be calibrated, and nothing was written"), "{says}");
    assert!(says.contains("leaves no room for the end of the servo's turn"), "{says}");
}

#[test]
fn torque_is_switched_off_only_where_the_answer_is_yes() {
    let desk = Desk::new();
    desk.emulate("set id=1 torque_enable=1");
    let only = ["--joints", "shoulder_pan"];
    let refused = calibrate(&desk, &only, &[], "n\n");
    assert!(complained(&refused).contains("torque is on, and joints are turned by hand"), "{refused:?}");
    assert_eq!(desk.register(1, "torque_enable"), 1);
}

#[test]
fn lerobots_file_comes_in_and_goes_out() {
    let desk = Desk::new();
    let (json, yaml, again) = (desk.path("in.json"), desk.path("calibration.yaml"), desk.path("out.json"));
    let joints = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"];
    let motor = |(index, joint): (usize, &str)| {
        let id = index + 1;
        format!(
            r#""{joint}": {{"id": {id}, "drive_mode": 0, "homing_offset": {index}, "range_min": 800, "range_max": 3300}}"#
        )
    };
    let motors: Vec<String> = joints.into_iter().enumerate().map(motor).collect();
    std::fs::write(&json, format!("{{{}}}", motors.join(","))).unwrap();
    let run = |arguments: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_servo_tool"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["calibration"])
            .args(arguments)
            .output()
            .unwrap()
    };
    printed(&run(&[&["import", "--from", text(&json), "--out", text(&yaml)], &ARM[..]].concat()));
    let config = loaded(&desk).unwrap();
    assert_eq!(config.hardware.servos[0].calibration.zero.0, 2050);
    assert_eq!(config.hardware.servos[5].calibration.zero.0, 2050 - 512);
    printed(&run(&["export", "--from", text(&yaml), "--out", text(&again)]));
    let value = |path: &Path| -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    assert_eq!(value(&again), value(&json));

    std::fs::write(
        &json,
        std::fs::read_to_string(&json).unwrap().replace("\"homing_offset\": 5", "\"homing_offset\": 2114"),
    )
    .unwrap();
    let refused = run(&["import", "--force", "--from", text(&json), "--out", text(&yaml)]);
    let says = complained(&refused);
    assert!(
        says.contains("`homing_offset` of `gripper` is 2114, and the servo's register holds -2047 to 2047"),
        "{says}"
    );
}
