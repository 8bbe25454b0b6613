//! What a calibration changes: in the servo, and in the file.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::collections::BTreeMap;

use crate::config::calibration::JointCalibration;

/// One line for each value that the servo or the file has not yet: joint, name, servo's, file's, new value.
pub fn changes(
    joint: &str,
    planned: &JointCalibration,
    in_file: Option<&JointCalibration>,
    in_servo: &BTreeMap<String, i64>,
) -> Vec<[String; 5]> {
    let mut lines = Vec::new();
    let mut line = |name: &str, servo: Option<String>, file: Option<String>, new: String| {
        let is_known = |value: &Option<String>| value.as_ref() == Some(&new);
        let is_not_in_servo = servo.is_some() && !is_known(&servo);
        if is_not_in_servo || !is_known(&file) {
            let shown = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            lines.push([joint.to_owned(), name.to_owned(), shown(servo), shown(file), new]);
        }
    };
    for (name, new) in &planned.registers {
        let servo = in_servo.get(name).map(i64::to_string);
        let file = in_file.and_then(|file| file.registers.get(name)).map(i64::to_string);
        line(name, servo, file, new.to_string());
    }
    let of_file = |value: fn(&JointCalibration) -> String| in_file.map(value);
    line("zero_ticks", None, of_file(|joint| joint.zero_ticks.to_string()), planned.zero_ticks.to_string());
    line(
        "lower_ticks",
        None,
        of_file(|joint| joint.lower_ticks.to_string()),
        planned.lower_ticks.to_string(),
    );
    line(
        "upper_ticks",
        None,
        of_file(|joint| joint.upper_ticks.to_string()),
        planned.upper_ticks.to_string(),
    );
    // Both are as configured; a file that has the joint may say otherwise.
    if in_file.is_none() {
        return lines;
    }
    line("reversed", None, of_file(|joint| joint.reversed.to_string()), planned.reversed.to_string());
    line("id", None, of_file(|joint| joint.id.to_string()), planned.id.to_string());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned() -> JointCalibration {
        JointCalibration {
            id: 3,
            model: Some(777),
            zero_ticks: 2048,
            reversed: false,
            ticks_per_turn: 4096.0,
            lower_ticks: 900,
            upper_ticks: 3100,
            registers: BTreeMap::from([("offset".to_owned(), -13), ("lower".to_owned(), 900)]),
        }
    }

    #[test]
    fn what_both_have_already_is_no_change() {
        let servo = planned().registers;
        assert_eq!(changes("elbow", &planned(), Some(&planned()), &servo), Vec::<[String; 5]>::new());
    }

    #[test]
    fn what_servo_or_file_have_differently_is_a_line() {
        let file = JointCalibration { zero_ticks: 2000, ..planned() };
        let servo = BTreeMap::from([("offset".to_owned(), 0), ("lower".to_owned(), 900)]);
        let lines = changes("elbow", &planned(), Some(&file), &servo);
        let expected = [["elbow", "offset", "0", "-13", "-13"], ["elbow", "zero_ticks", "-", "2000", "2048"]];
        assert_eq!(lines, expected.map(|line| line.map(str::to_owned)));
        assert_eq!(changes("elbow", &planned(), None, &servo).len(), 5);
    }
}
