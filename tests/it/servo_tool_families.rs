//! `servo_tool` on servos of other families than Feetech's STS, by their register maps.

use std::process::Output;

use serde_json::Value as Json;
use servo_arm::config::calibration::ArmCalibration;
use servo_arm::servo::emulator::FamilyName;

use crate::tool_on_bus::{Desk, complained, printed, text};

/// A command line for servos of that family.
fn tool(desk: &Desk, protocol: &str, arguments: &[&str]) -> Output {
    desk.tool(&[arguments, &["--protocol", protocol]].concat())
}

fn json(output: &Output) -> Json {
    serde_json::from_str(&printed(output)).unwrap()
}

#[test]
fn dynamixels_are_found_and_described_by_their_own_map() {
    let desk = Desk::of(FamilyName::Dynamixel2);
    let found = json(&tool(&desk, "dynamixel2", &["scan", "--ids", "2,9", "--baud", "57600", "--json"]));
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    let servo = &found[0];
    assert_eq!((&servo["id"], &servo["model"]), (&2.into(), &1020.into()), "{servo}");
    assert_eq!((&servo["protocol"], &servo["model_name"]), (&"dynamixel2".into(), &"xm430-w350".into()));

    let says = printed(&tool(&desk, "dynamixel2", &["info", "--id", "2"]));
    assert!(says.starts_with("servo 2: model 1020, firmware "), "{says}");
    let line = |name: &str| says.lines().find(|line| line.split_whitespace().nth(1) == Some(name)).unwrap();
    assert!(line("present_input_voltage").contains(" V"), "{says}");
    assert!(line("max_position_limit").contains("4095"), "{says}");

    let read = &["read", "--id", "2", "--json", "present_position", "goal_pwm"];
    let told = json(&tool(&desk, "dynamixel2", read));
    assert_eq!(told["goal_pwm"], 885, "{told}");
    assert_eq!(told["present_position"].as_i64().unwrap(), desk.register(2, "present_position"));
}

#[test]
fn a_dynamixels_eeprom_is_written_only_without_torque_and_within_its_ranges() {
    let desk = Desk::of(FamilyName::Dynamixel2);
    let write =
        |name: &str, value: &str| tool(&desk, "dynamixel2", &["write", "--id", "2", "--yes", name, value]);
    assert!(printed(&write("max_position_limit", "3000")).contains("4095 -> 3000, for good"));
    assert_eq!(desk.register(2, "max_position_limit"), 3000);
    let says = complained(&write("goal_pwm", "900"));
    assert!(says.contains("`goal_pwm` holds -885 to 885, not 900"), "{says}");
    desk.emulate("set id=2 torque_enable=1");
    let says = complained(&write("max_position_limit", "3500"));
    assert!(
        says.contains("servo 2 holds torque") && desk.register(2, "max_position_limit") == 3000,
        "{says}"
    );
}

#[test]
fn a_dynamixel_is_given_another_id_and_speed_and_starts_again() {
    let desk = Desk::of(FamilyName::Dynamixel2);
    let says = printed(&tool(&desk, "dynamixel2", &["set-id", "--id", "6", "--new-id", "9", "--yes"]));
    assert_eq!(says, "servo 6 has the id 9 now\n");
    assert_eq!(desk.register(9, "id"), 9);
    let baud = ["set-baud", "--ids", "3", "--new-baud", "3000000", "--yes"];
    assert_eq!(printed(&tool(&desk, "dynamixel2", &baud)), "servo 3 talks at 3000000 bit/s now\n");
    assert_eq!(desk.register(3, "baud_rate"), 5);
    desk.emulate("set id=2 torque_enable=1");
    let rebooted = printed(&tool(&desk, "dynamixel2", &["reboot", "--id", "2", "--yes"]));
    assert!(rebooted.contains("has started again") && desk.register(2, "torque_enable") == 0, "{rebooted}");
}

#[test]
fn a_backup_of_a_dynamixel_goes_back_into_another_one() {
    let desk = Desk::of(FamilyName::Dynamixel2);
    let file = desk.path("servo.yaml");
    desk.emulate("set id=2 min_position_limit=500");
    printed(&tool(&desk, "dynamixel2", &["backup", "--id", "2", "--out", text(&file)]));
    let restore = ["restore", "--id", "5", "--yes", "--from", text(&file)];
    let says = printed(&tool(&desk, "dynamixel2", &restore));
    assert!(says.contains("min_position_limit"), "{says}");
    assert_eq!((desk.register(5, "min_position_limit"), desk.register(5, "id")), (500, 5));
}

#[test]
fn scs_servos_are_told_from_sts_by_what_they_say_and_their_words_are_read_as_they_lie() {
    let desk = Desk::of(FamilyName::FeetechScs);
    let scan = ["scan", "--ids", "4", "--baud", "1000000", "--json"];
    let found = json(&tool(&desk, "feetech_sts", &scan));
    assert_eq!((&found[0]["protocol"], &found[0]["model_name"]), (&"feetech_scs".into(), &"scs0009".into()));
    desk.emulate("set id=4 position=300");
    let told = json(&tool(&desk, "feetech_scs", &["read", "--id", "4", "--json", "present_position"]));
    assert_eq!(told["present_position"], 300, "{told}");
    let says = printed(&tool(&desk, "feetech_scs", &["monitor", "--ids", "4", "--count", "1"]));
    assert!(says.contains("4: position 300"), "{says}");
}

#[test]
fn a_register_map_of_ones_own_names_what_no_shipped_one_does() {
    let desk = Desk::of(FamilyName::Dynamixel2);
    let file = desk.path("mine.yaml");
    let map = "name: mine\nlike: xm430-w350\nmodels: []\nwithout: [led]\nregisters:\n  - {name: lamp, address: 65, size: 1, access: rw, \
               area: ram, range: [0, 1]}\n";
    std::fs::write(&file, map).unwrap();
    let write = ["write", "--id", "2", "--map", text(&file), "lamp", "1"];
    assert!(printed(&tool(&desk, "dynamixel2", &write)).contains("0 -> 1"));
    assert_eq!(desk.register(2, "led"), 1);
}

#[test]
fn lx_16a_servos_are_found_and_pinged_and_have_no_registers() {
    let desk = Desk::of(FamilyName::Lx16a);
    let found = json(&tool(&desk, "lx16a", &["scan", "--ids", "2-3", "--json"]));
    let ids: Vec<&Json> = found.as_array().unwrap().iter().map(|servo| &servo["id"]).collect();
    assert_eq!(ids, [2, 3], "{found}");
    let says = printed(&tool(&desk, "lx16a", &["ping", "--id", "2", "--count", "5"]));
    assert!(says.contains("5 answered, 0 lost"), "{says}");
    let says = complained(&tool(&desk, "lx16a", &["info", "--id", "2"]));
    assert!(says.contains("have no registers; scan and ping are for them"), "{says}");
}

/// Within what a Dynamixel's homing offset can bring to the middle.
const WAYS: [(u8, &[i32]); 6] = [
    (1, &[900, 3300, 2048]),
    (2, &[1100, 3300, 2048]),
    (3, &[950, 3150, 2000]),
    (4, &[1000, 3160, 2000]),
    (5, &[250, 3890, 2000]),
    (6, &[1900, 3150, 2000]),
];

#[test]
fn an_arm_of_dynamixels_is_calibrated_by_its_homing_offsets_and_limits() {
    let desk = Desk::of(FamilyName::Dynamixel2);
    let (config, out) = (desk.path("arm.yaml"), desk.path("calibration.yaml"));
    let shipped = std::fs::read_to_string("config/so101.yaml").unwrap();
    std::fs::write(&config, shipped.replace("protocol: feetech_sts", "protocol: dynamixel2")).unwrap();
    let arm = ["--config", text(&config), "--urdf", "urdf/so101.urdf"];
    let arguments = [&["calibrate", "--yes", "--out", text(&out)], &arm[..]].concat();
    printed(&desk.calibrate(&arguments, &WAYS, ""));

    let file = ArmCalibration::read(&out).unwrap();
    for (joint, (id, way)) in file.joints.values().map(|joint| (joint, WAYS[usize::from(joint.id) - 1])) {
        assert_eq!(joint.id, id);
        for (name, value) in &joint.registers {
            assert_eq!(desk.register(id, name), *value, "{name} of servo {id}");
        }
        // The middle of the travel is the middle of the servo's turn now, as far as the offset goes.
        let offset = 2048 - i64::from(way[0] + way[1]) / 2;
        assert_eq!(joint.registers["homing_offset"], offset.clamp(-1024, 1024));
        assert_eq!(desk.register(id, "torque_enable"), 0);
    }
    assert!(
        printed(&desk.tool(&["calibration", "verify", "--from", text(&out), "--protocol", "dynamixel2"]))
            .contains("6 joints are as")
    );
}

#[test]
fn nothing_is_written_to_a_servo_whose_registers_nobody_knows() {
    let desk = Desk::of(FamilyName::Dynamixel2);
    desk.emulate("set id=2 model_number=350");
    let write = tool(&desk, "dynamixel2", &["write", "--id", "2", "--yes", "led", "1"]);
    let says = complained(&write);
    assert!(says.contains("of model 350, for which no register map is shipped"), "{says}");
    // Asked as if it were an STS, an SCS servo says a model that is none of those.
    let desk = Desk::of(FamilyName::FeetechScs);
    let says = complained(&tool(&desk, "feetech_sts", &["set-id", "--id", "2", "--new-id", "9", "--yes"]));
    assert!(says.contains("--protocol") && desk.register(2, "id") == 2, "{says}");
}

#[test]
fn what_a_servo_keeps_at_an_address_without_a_name_is_asked_for() {
    let desk = Desk::of(FamilyName::Dynamixel2);
    let write = |arguments: &[&str]| {
        let words = [&["write", "--id", "2", "--protocol", "dynamixel2"], arguments].concat();
        complained(&desk.answer(&words, "n\n"))
    };
    let says = write(&["42", "1"]);
    assert!(
        says.contains("`42` of servo 2 outlives the power") && says.contains("nothing was written"),
        "{says}"
    );
    let says = write(&["--size", "1", "133", "1"]);
    assert!(says.contains("those bytes are of register `present_position`"), "{says}");
}

#[test]
fn a_scan_by_configuration_asks_only_what_its_servos_speak() {
    let desk = Desk::of(FamilyName::Lx16a);
    let found = json(&desk.tool(&["scan", "--config", "config/lx16a.yaml", "--ids", "2", "--json"]));
    assert_eq!(found[0]["protocol"], "lx16a", "{found}");
    let says = complained(&desk.tool(&["scan", "--config", "config/maestro.yaml", "--ids", "2"]));
    assert!(says.contains("PWM servos on a maestro answer nothing"), "{says}");
}
