//! `servo_tool` on a bus: what it finds, reads and writes, and what it refuses.

use std::process::Command;

use serde_json::Value as Json;
use servo_arm::servo::emulator::events::Event;

use crate::tool_on_bus::{Desk, complained, printed, text};

const BUS: [&str; 4] = ["--protocol", "feetech_sts", "--baud", "1000000"];

fn scan(desk: &Desk, options: &[&str]) -> std::process::Output {
    desk.tool(&[&["scan", "--protocol", "feetech_sts"], options].concat())
}

fn found(output: &std::process::Output) -> Vec<Json> {
    serde_json::from_slice::<Json>(&output.stdout).unwrap().as_array().unwrap().clone()
}

#[test]
fn a_scan_finds_every_servo_once_at_its_own_speed() {
    let desk = Desk::new();
    let servos = found(&scan(&desk, &["--ids", "5-7", "--baud", "1000000", "--json"]));
    let ids: Vec<&Json> = servos.iter().map(|servo| &servo["id"]).collect();
    assert_eq!(ids, [5, 6]);
    let servo = &servos[0];
    assert_eq!((&servo["model"], &servo["firmware"]), (&777.into(), &"3.6".into()), "{servo}");
    assert_eq!((&servo["baud_rate_bps"], &servo["several"]), (&1_000_000.into(), &Json::Null), "{servo}");
    // A pseudo-terminal has no speed, so that the servo answers at all of them.
    let all = printed(&scan(&desk, &["--ids", "2"]));
    assert_eq!(all.lines().count(), 2, "{all}");
    assert!(all.contains("1000000") && all.contains("777"), "{all}");
}

#[test]
fn a_scan_that_finds_nobody_says_what_to_look_at() {
    let desk = Desk::new();
    let says = complained(&scan(&desk, &["--ids", "9", "--baud", "1000000"]));
    assert!(says.contains("no servo answers on /dev/pts/") && says.contains("power, cable"), "{says}");
    let says = complained(&scan(&desk, &["--ids", "9-1"]));
    assert!(says.contains("`9-1` is neither an id"), "{says}");
}

#[test]
fn servos_that_share_an_id_are_recognised_and_left_alone() {
    let desk = Desk::new();
    desk.emulate("fault duplicate id=3");
    let output = scan(&desk, &["--ids", "2-3", "--baud", "1000000", "--json"]);
    assert!(complained(&output).contains("several servos seem to have the id 3"), "{output:?}");
    let servos = found(&output);
    assert_eq!((&servos[0]["several"], servos[1]["several"].is_string()), (&Json::Null, true), "{servos:?}");

    // Every other answer gets through: enough to be read, not enough to be told from two.
    desk.emulate("clear");
    desk.emulate("fault duplicate id=3 probability=0.6");
    let watch = desk.emulator.watch("writes").unwrap();
    for command in [
        &["set-id", "--id", "3", "--new-id", "9", "--yes"][..],
        &["set-baud", "--ids", "3", "--new-baud", "500000", "--yes"],
    ] {
        let output = desk.tool(command);
        assert!(!output.status.success(), "{output:?}");
    }
    assert_eq!(watch.events.try_iter().count(), 0);
}

#[test]
fn info_shows_every_register_with_its_unit() {
    let desk = Desk::new();
    let says = printed(&desk.tool(&["info", "--id", "4"]));
    assert!(
        says.starts_with("servo 4: model 777, firmware 3.6, registers of sts3215, feetech_sts\n"),
        "{says}"
    );
    let line = |name: &str| {
        let line = says.lines().find(|line| line.split_whitespace().nth(1) == Some(name)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("present_voltage"), "62 present_voltage 74 7.4 V read only");
    assert_eq!(line("id"), "5 id 4 EEPROM");
    let json: Json = serde_json::from_str(&printed(&desk.tool(&["info", "--id", "4", "--json"]))).unwrap();
    assert_eq!((&json["model"], &json["registers"]["max_angle"]), (&777.into(), &4095.into()));
}

#[test]
fn registers_are_read_by_name_and_by_address() {
    let desk = Desk::new();
    desk.emulate("set id=2 position=-100");
    let says = printed(&desk.tool(&["read", "--id", "2", "present_position", "0x3e", "min_angle"]));
    assert!(says.contains("present_voltage") && says.contains("7.4 V"), "{says}");
    let json = printed(&desk.tool(&["read", "--id", "2", "--json", "48", "3"]));
    assert_eq!(json.trim(), r#"{"model":777,"torque_limit":1000}"#);
    let byte = printed(&desk.tool(&["read", "--id", "2", "--json", "--size", "1", "4"]));
    assert_eq!(byte.trim(), r#"{"4":3}"#);
    let says = complained(&desk.tool(&["read", "--id", "2", "present_positon"]));
    assert!(says.contains("did you mean `present_position`?"), "{says}");
    let says = complained(&desk.tool(&["read", "--id", "9", "model"]));
    assert!(says.contains("servo 9 does not answer") && says.contains("servo_tool scan"), "{says}");
    let says = complained(&desk.tool(&["read", "--id", "elbow_flex", "model"]));
    assert!(says.contains("needs --config"), "{says}");
}

#[test]
fn what_outlives_the_power_is_asked_for_written_unlocked_and_read_back() {
    let desk = Desk::new();
    let write = |answers: &str, more: &[&str]| {
        desk.answer(&[&["write", "--id", "2"], more, &["position_p", "16"]].concat(), answers)
    };
    let refused = complained(&write("n\n", &[]));
    assert!(refused.contains("outlives the power (EEPROM). Change it from 32 to 16?"), "{refused}");
    assert!(refused.contains("nothing was written") && desk.register(2, "position_p") == 32, "{refused}");
    assert!(complained(&write("", &[])).contains("nothing was written"));
    assert!(printed(&write("y\n", &[])).contains("32 -> 16, for good"));
    assert_eq!((desk.register(2, "position_p"), desk.register(2, "lock")), (16, 1));
    desk.emulate("fault brownout id=2 ms=0");
    assert_eq!(desk.register(2, "position_p"), 16);
    assert!(printed(&write("", &[])).contains("is 16 already"));

    desk.emulate("set id=2 torque_enable=1");
    let says = complained(&desk.tool(&["write", "--id", "2", "--yes", "position_p", "20"]));
    assert!(says.contains("servo 2 holds torque") && says.contains("torque_enable 0"), "{says}");
    assert_eq!(desk.register(2, "position_p"), 16);
}

#[test]
fn writes_that_make_no_sense_are_refused() {
    let desk = Desk::new();
    for (register, value, why) in [
        ("present_position", "1", "cannot be written"),
        ("torque_limit", "70000", "`torque_limit` holds 0 to 65535, not 70000"),
        ("id", "9", "servo_tool set-id"),
        ("5", "9", "servo_tool set-id"),
        ("baud_rate", "1", "servo_tool set-baud"),
    ] {
        let says = complained(&desk.tool(&["write", "--id", "2", "--yes", register, value]));
        assert!(says.contains(why), "{says}");
    }
    assert!(printed(&desk.tool(&["write", "--id", "2", "torque_limit", "300"])).contains("1000 -> 300"));
    assert_eq!(desk.register(2, "torque_limit"), 300);
}

#[test]
fn torque_comes_on_only_where_that_register_is_written_and_the_answer_is_yes() {
    let desk = Desk::new();
    let asked = complained(&desk.answer(&["write", "--id", "2", "torque_enable", "1"], "n\n"));
    assert!(asked.contains("switches the torque of servo 2 on"), "{asked}");
    assert_eq!(desk.register(2, "torque_enable"), 0);
    printed(&desk.answer(&["write", "--id", "2", "torque_enable", "1"], "yes\n"));
    assert_eq!(desk.register(2, "torque_enable"), 1);
    printed(&desk.tool(&["write", "--id", "2", "torque_enable", "0"]));
    assert_eq!(desk.register(2, "torque_enable"), 0);
}

#[test]
fn an_id_is_changed_and_looked_for() {
    let desk = Desk::new();
    let says = printed(&desk.tool(&["set-id", "--id", "6", "--new-id", "9", "--yes"]));
    assert_eq!(says, "servo 6 has the id 9 now\n");
    assert_eq!(desk.register(9, "lock"), 1);
    desk.emulate("fault brownout id=9 ms=0");
    assert_eq!(desk.register(9, "id"), 9);
    let says = complained(&desk.tool(&["set-id", "--id", "5", "--new-id", "4", "--yes"]));
    assert!(says.contains("another servo has the id 4 already"), "{says}");
    let says = complained(&desk.tool(&["set-id", "--id", "6", "--new-id", "7", "--yes"]));
    assert!(says.contains("servo 6 does not answer"), "{says}");
    let says = complained(&desk.answer(&["set-id", "--id", "5", "--new-id", "7"], "n\n"));
    assert!(says.contains("nothing was written") && desk.register(5, "id") == 5, "{says}");
    desk.emulate("set id=5 torque_enable=1");
    let says = complained(&desk.tool(&["set-id", "--id", "5", "--new-id", "7", "--yes"]));
    assert!(says.contains("holds torque") && desk.register(5, "id") == 5, "{says}");
}

#[test]
fn speeds_are_changed_one_servo_after_the_other() {
    let desk = Desk::new();
    let says = printed(&desk.tool(&["set-baud", "--ids", "1-2", "--new-baud", "500000", "--yes"]));
    assert_eq!(says, "servo 1 talks at 500000 bit/s now\nservo 2 talks at 500000 bit/s now\n");
    assert_eq!([1, 2, 3].map(|id| desk.register(id, "baud_rate")), [1, 1, 0]);
    assert_eq!(desk.register(1, "lock"), 1);
    let says = complained(&desk.tool(&["set-baud", "--ids", "3", "--new-baud", "123456", "--yes"]));
    assert!(says.contains("cannot talk at 123456 bit/s; it can at 1000000, 500000"), "{says}");
}

#[test]
fn a_backup_goes_back_into_a_servo_of_its_model_only() {
    let desk = Desk::new();
    let file = desk.path("servo.yaml");
    desk.emulate("set id=2 position_p=16");
    let backup = ["backup", "--id", "2", "--out", text(&file)];
    assert!(printed(&desk.tool(&backup)).contains("registers of servo 2 are in"));
    assert!(complained(&desk.tool(&backup)).contains("exists already"));

    let restore = |answers: &str| desk.answer(&["restore", "--id", "5", "--from", text(&file)], answers);
    assert!(complained(&restore("")).contains("nothing was written"));
    let says = printed(&restore("y\n"));
    assert!(says.contains("position_p     32      16"), "{says}");
    assert_eq!((desk.register(5, "position_p"), desk.register(5, "id")), (16, 5));
    assert!(printed(&restore("")).contains("has all of"));

    desk.emulate("set id=5 model=2825");
    let says = complained(&restore("y\n"));
    assert!(says.contains("is of model 777, and servo 5 is of model 2825"), "{says}");
    std::fs::write(&file, "servo_arm_backup: 1").unwrap();
    assert!(complained(&restore("y\n")).contains("is no backup"));
}

#[test]
fn a_ping_shows_how_long_answers_take_and_how_many_were_lost() {
    let desk = Desk::new();
    let says = printed(&desk.tool(&["ping", "--id", "1", "--count", "20"]));
    assert!(says.contains("20 answered, 0 lost\nmin ") && says.contains(" µs "), "{says}");
    desk.emulate("fault silent id=1 count=2");
    let output = desk.tool(&["ping", "--id", "1", "--count", "5", "--json"]);
    assert!(complained(&output).contains("servo 1 did not answer 2 of 5 pings"), "{output:?}");
    let json: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["answered"], &json["lost"]), (&3.into(), &2.into()), "{json}");
}

#[test]
fn outside_of_a_terminal_the_monitor_prints_a_line_a_look() {
    let desk = Desk::new();
    desk.emulate("set id=2 position=3072");
    desk.emulate("fault silent id=3");
    let options = ["--config", "config/so101.yaml", "--ids", "1-2", "--count", "1"];
    let says = printed(&desk.tool(&[&["monitor"], &options[..]].concat()));
    assert_eq!(says.lines().count(), 1, "{says}");
    assert!(says.contains("2: position 3072 (90.0°)") && says.contains("voltage 7.4 V"), "{says}");
    let json = printed(&desk.tool(&[&["monitor", "--json"], &options[..]].concat()));
    let json: Json = serde_json::from_str(&json).unwrap();
    assert_eq!((&json[1]["id"], &json[1]["position"]), (&2.into(), &3072.0.into()), "{json}");
}

#[test]
fn a_reboot_asks_and_says_what_falls() {
    let desk = Desk::new();
    desk.emulate("set id=2 torque_enable=1");
    let says = complained(&desk.answer(&["reboot", "--id", "2"], "n\n"));
    assert!(says.contains("what it holds will fall") && desk.register(2, "torque_enable") == 1, "{says}");
    assert!(printed(&desk.tool(&["reboot", "--id", "2", "--yes"])).contains("has started again"));
    assert_eq!(desk.register(2, "torque_enable"), 0);
}

#[test]
fn no_command_switches_torque_on() {
    let desk = Desk::new();
    let watch = desk.emulator.watch("writes").unwrap();
    let file = desk.path("servo.yaml");
    for command in [
        &["scan", "--protocol", "feetech_sts", "--baud", "1000000", "--ids", "1-2"][..],
        &["info", "--id", "1"],
        &["read", "--id", "1", "torque_enable"],
        &["write", "--id", "1", "--yes", "position_p", "20"],
        &["monitor", "--ids", "1-6", "--count", "1"],
        &["ping", "--id", "1", "--count", "3"],
        &["backup", "--id", "1", "--out", text(&file)],
        &["restore", "--id", "2", "--yes", "--from", text(&file)],
        &["set-id", "--id", "6", "--new-id", "7", "--yes"],
        &["set-baud", "--ids", "1", "--new-baud", "1000000", "--yes"],
        &["reboot", "--id", "1", "--yes"],
    ] {
        printed(&desk.tool(command));
    }
    let mut writes = 0;
    for event in watch.events.try_iter() {
        let Event::Write { address, data, .. } = event else { continue };
        let behind = usize::from(address) + data.len();
        assert!(!(usize::from(address)..behind).contains(&40), "{address}: {data:02x?}");
        writes += 1;
    }
    assert!(6 < writes, "{writes}");
}

#[test]
fn a_port_that_is_not_there_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_servo_tool"))
        .args(["info", "--id", "1", "--port", "/dev/no_such_port"])
        .args(BUS)
        .output()
        .unwrap();
    let says = complained(&output);
    assert!(says.contains("cannot open port /dev/no_such_port: there is no such device"), "{says}");
}

#[test]
fn every_command_has_help_with_an_example() {
    for command in [
        "scan",
        "info",
        "monitor",
        "ping",
        "read",
        "write",
        "set-id",
        "set-baud",
        "reboot",
        "calibrate",
        "backup",
        "restore",
    ] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_servo_tool")).args([command, "--help"]).output().unwrap();
        assert!(printed(&output).contains(&format!("Example: servo_tool {command} ")), "{command}");
    }
}
