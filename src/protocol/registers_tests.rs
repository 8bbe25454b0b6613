//! Register maps: the shipped ones, and what is said of bad ones.

use super::*;
use crate::protocol::feetech::registers::{self as sts, STS3215};

const LEAST: &str = "
name: invented
family: feetech_sts
models: []
counts_per_turn: 2000
registers:
  - {name: torque_enable, address: 4, size: 1, access: rw, area: ram}
  - {name: goal_position, address: 6, size: 2, unit: ticks, access: rw, area: ram}
  - {name: present_position, address: 8, size: 2, unit: ticks, access: r, area: ram}
";

#[test]
fn every_shipped_map_is_one() {
    for model in shipped_models() {
        let map = RegisterMap::shipped(model).unwrap();
        assert_eq!(map.name, model);
        assert!(!map.models.is_empty());
        for number in &map.models {
            assert_eq!(RegisterMap::of_number(map.family, *number).unwrap().name, model);
        }
    }
}

#[test]
fn the_map_of_the_sts3215_is_the_table_of_the_emulator() {
    let map = RegisterMap::shipped("sts3215").unwrap();
    assert_eq!(map.registers().len(), STS3215.len());
    for (ours, theirs) in map.registers().iter().zip(STS3215) {
        assert_eq!((ours.name.as_str(), ours.address), (theirs.name, theirs.address.into()));
        assert_eq!(ours.size, theirs.size, "{}", ours.name);
        assert_eq!(ours.coding, theirs.sign_bit.map_or(Coding::Unsigned, Coding::SignBit), "{}", ours.name);
        assert_eq!(ours.default, Some(theirs.default.into()), "{}", ours.name);
        assert_eq!(ours.access == Access::ReadOnly, theirs.access == sts::Access::ReadOnly);
        assert_eq!(ours.area == Area::Eeprom, theirs.area == sts::Area::Eeprom);
    }
}

#[test]
fn values_are_coded_as_the_maker_says() {
    let sts = RegisterMap::shipped("sts3215").unwrap();
    check(&sts, "present_position", -100, &[0x64, 0x80]);
    check(&sts, "present_load", -50, &[0x32, 0x04]);
    check(&sts, "model", 777, &[0x09, 0x03]);
    let scs = RegisterMap::shipped("scs0009").unwrap();
    check(&scs, "model", 1284, &[0x05, 0x04]);
    check(&scs, "goal_position", 1000, &[0x03, 0xE8]);
    check(&scs, "present_speed", -500, &[0x81, 0xF4]);
    assert_eq!((scs.role(Role::Lock).unwrap().address, scs.counts_per_turn), (48, 1024));
    assert_eq!(scs.ticks_per_turn(), 1228.8, "they are counted over 300 degrees");
    assert_eq!((scs.at(37).unwrap().name.as_str(), scs.sync_read), ("protective_torque", false));
    let dxl = RegisterMap::shipped("xm430-w350").unwrap();
    check(&dxl, "goal_position", 2048, &[0, 8, 0, 0]);
    check(&dxl, "present_current", -1, &[0xFF, 0xFF]);
    check(&dxl, "present_velocity", 253, &[253, 0, 0, 0]);
    check(&dxl, "goal_position", -2048, &[0, 0xF8, 0xFF, 0xFF]);
    assert_eq!(dxl.register("bus_watchdog").unwrap().decode(&[0xFF], dxl.byte_order()), Ok(-1));
    assert_eq!(dxl.alarms_of(0b10_0100).to_string(), "overheat, overload");
}

#[test]
fn values_are_told_in_units() {
    let xl330 = RegisterMap::shipped("xl330-m288").unwrap();
    let current = xl330.role(Role::Current).unwrap();
    assert_eq!((current.in_units(-1500), current.unit.to_string()), (-1.5, "A".to_owned()));
    let limit = xl330.role(Role::TorqueLimit).unwrap();
    assert_eq!((limit.of_units(0.2), limit.of_units(7.0)), (177, 885));
    assert_eq!(RegisterMap::shipped("xl430-w250").unwrap().role(Role::Current), None);
}

#[test]
fn a_value_outside_is_refused_and_named() {
    let map = RegisterMap::shipped("xm430-w350").unwrap();
    let refused = map.register("bus_watchdog").unwrap().encode(128, map.byte_order()).unwrap_err();
    assert_eq!(refused.to_string(), "bus_watchdog takes 0 to 127, not 128");
    let refused = map.register("id").unwrap().decode(&[1, 2], map.byte_order()).unwrap_err();
    assert_eq!(refused.to_string(), "id takes 1 bytes, not 2");
}

#[test]
fn every_value_survives_the_round_trip() {
    for model in shipped_models() {
        let map = RegisterMap::shipped(model).unwrap();
        for register in map.registers() {
            let (least, most) = register.takes();
            for value in [least, least + 1, least / 2, most / 2, most - 1, most] {
                let bytes = register.encode(value, map.byte_order()).unwrap();
                let decoded = register.decode(bytes.as_ref(), map.byte_order());
                assert_eq!(decoded, Ok(value), "{model} {}", register.name);
            }
        }
    }
}

#[test]
fn a_map_of_ones_own_needs_three_registers() {
    let map = RegisterMap::parse("arm.yaml", LEAST).unwrap();
    assert_eq!((map.name.as_str(), map.counts_per_turn), ("invented", 2000));
    assert_eq!(map.role(Role::GoalPosition).unwrap().address, 6);
    assert_eq!((map.role(Role::Voltage), map.sync_read), (None, true));
}

#[test]
fn what_is_wrong_with_a_map_is_said_with_file_register_key_and_value() {
    let cases = [
        (
            "size: 1, access: rw",
            "size: 3, access: rw",
            "register `torque_enable`: `size` is 3; it must be 1, 2 or 4 bytes",
        ),
        (
            "address: 4",
            "address: 300",
            "register `torque_enable`: `address` is 300; feetech_sts servos have addresses up to 255",
        ),
        (
            "address: 8",
            "address: 7",
            "register `present_position`: `address` is 7, within register `goal_position`, which takes 6 to 7",
        ),
        (
            "unit: ticks, access: r,",
            "unit: V, access: r,",
            "register `present_position`: `unit` is V; it must be ticks",
        ),
        ("unit: ticks, access: r,", "unit: furlong, access: r,", "register `present_position`: "),
        (
            "unit: ticks, access: rw",
            "unit: ticks, coding: {sign_bit: 16}, access: rw",
            "register `goal_position`: `coding` has the sign bit 16; it must be from 1 to 15",
        ),
        (
            "unit: ticks, access: rw",
            "unit: ticks, coding: gray, access: rw",
            "register `goal_position`: `coding` is `gray`; it must be `unsigned`",
        ),
        (
            "unit: ticks, access: rw",
            "unit: ticks, default: 70000, access: rw",
            "register `goal_position`: `default` is 70000; the register holds 0 to 65535",
        ),
        (
            "unit: ticks, access: rw",
            "unit: ticks, range: [9, 1], access: rw",
            "register `goal_position`: `range` is [9, 1]; it must rise",
        ),
        (
            "unit: ticks, access: rw",
            "unit: ticks, scale: 0.0, access: rw",
            "register `goal_position`: `scale` is 0; it must be positive",
        ),
        ("name: torque_enable", "name: torque", "there is no register `torque_enable`; every servo needs it"),
        ("name: torque_enable", "name: goal_position", "register `goal_position` is there twice"),
        (
            "access: rw, area: ram}\n  - {name: goal",
            "access: r, area: ram}\n  - {name: goal",
            "register `torque_enable`: `access` is r; it must be rw",
        ),
        ("family: feetech_sts\n", "", "`family` is missing; give it, or a shipped map with `like`"),
        ("family: feetech_sts", "family: feetech", "unknown variant `feetech`"),
        ("counts_per_turn: 2000", "counts_per_turn: 1", "`counts_per_turn` is 1; it must be from 2"),
        (
            "counts_per_turn: 2000",
            "counts_per_turn: 2000\ncounted_deg: 0",
            "`counted_deg` is 0; it must be from 1 to 360",
        ),
        (
            "models: []",
            "models: []\nalarms: [hunger]",
            "`alarms` names `hunger`; it must be none or one of voltage",
        ),
        (
            "models: []",
            "models: []\nfast_sync_read: true",
            "`fast_sync_read` is true; feetech_sts servos have none",
        ),
        ("models: []", "models: []\nlike: ax-12", "`like`: no register map is shipped for model `ax-12`"),
        ("models: []", "models: []\nwithout: [soul]", "`without` names `soul`"),
        ("models: []", "models: []\ncolour: red", "unknown field `colour`"),
    ];
    for (right, wrong, said) in cases {
        assert!(LEAST.contains(right), "{right}");
        let refused = RegisterMap::parse("arm.yaml", &LEAST.replace(right, wrong)).unwrap_err().to_string();
        assert!(refused.starts_with("register map arm.yaml: ") && refused.contains(said), "{refused}");
    }
}

#[test]
fn a_model_that_nobody_knows_is_told_those_that_are_known() {
    let refused = RegisterMap::load("sts9999").unwrap_err().to_string();
    assert!(
        refused.starts_with("no register map is shipped for model `sts9999`; there are sts3215, sts3250")
    );
    let refused = RegisterMap::load("./no_such.yaml").unwrap_err().to_string();
    assert!(refused.starts_with("cannot read the register map ./no_such.yaml: "), "{refused}");
}

fn check(map: &RegisterMap, name: &str, value: i64, bytes: &[u8]) {
    let register = map.register(name).unwrap();
    assert_eq!(register.encode(value, map.byte_order()).unwrap().as_ref(), bytes, "{name}");
    assert_eq!(register.decode(bytes, map.byte_order()), Ok(value), "{name}");
}
