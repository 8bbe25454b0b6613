//! LeRobot's calibration files, to and from ours.
//!
//! LeRobot keeps one JSON object, with an object for each motor:
//!
//! ```json
//! {"shoulder_pan": {"id": 1, "drive_mode": 0, "homing_offset": -13, "range_min": 740, "range_max": 3360}}
//! ```
//! `homing_offset` is what its servo's offset register holds, `range_min` and `range_max` are the ends of the travel in
//! the ticks that the servo then counts, `drive_mode` 1 is the other direction. Where a joint's zero is it does not say:
//! LeRobot takes the middle of the travel.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::calibrate::plan::{Gearing, PlanError, Zero, zero_ticks};
use crate::config::calibration::{ArmCalibration, JointCalibration};

/// What LeRobot knows of one motor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Motor {
    /// The servo's id.
    pub id: u8,
    /// 1 where growing ticks turn the joint the negative way, else 0.
    pub drive_mode: i64,
    /// What the offset register holds.
    pub homing_offset: i64,
    /// The lower end of the travel (ticks).
    pub range_min: i32,
    /// The upper end of the travel (ticks).
    pub range_max: i32,
}

/// The names of the registers that LeRobot sets, and what the first of them holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registers {
    /// The offset.
    pub offset: String,
    /// The greatest magnitude of the offset.
    pub most_offset: i64,
    /// The lower limit of positions.
    pub lower: String,
    /// The upper limit of positions.
    pub upper: String,
}

/// Why a file is not taken, or not made.
#[derive(Debug, thiserror::Error)]
pub enum LerobotError {
    /// It is no JSON of that form.
    #[error("it is no calibration of LeRobot: {0}")]
    Syntax(#[from] serde_json::Error),
    /// There is no motor in it.
    #[error("it has no motors")]
    Empty,
    /// A value makes no sense.
    #[error("`{name}` of `{motor}` is {actual}; it must be {expected}")]
    Value {
        /// Whose.
        motor: String,
        /// Which value.
        name: &'static str,
        /// What it is.
        actual: i64,
        /// What would be right.
        expected: String,
    },
    /// The servo's register cannot have that offset.
    #[error(
        "`homing_offset` of `{motor}` is {actual}, and the servo's register holds -{most} to {most}, so the servo has another one: calibrate this joint again"
    )]
    Offset {
        /// Whose.
        motor: String,
        /// What it is.
        actual: i64,
        /// The greatest magnitude.
        most: i64,
    },
    /// The same id twice.
    #[error("`{one}` and `{other}` both have the id {id}")]
    TwiceTheId {
        /// A motor.
        one: String,
        /// Another.
        other: String,
        /// Their id.
        id: u8,
    },
    /// Its zero would be beyond all registers.
    #[error("`{motor}`: {cause}")]
    Zero {
        /// Whose.
        motor: String,
        /// What is wrong.
        cause: PlanError,
    },
    /// A joint whose calibration LeRobot has no words for.
    #[error(
        "joint `{joint}` has {ticks_per_turn} ticks in a turn; LeRobot knows servos without gears between only"
    )]
    Geared {
        /// The joint.
        joint: String,
        /// Its ticks.
        ticks_per_turn: f64,
    },
}

/// The motors of a file, by their names.
///
/// # Errors
/// Where it is no such file, or a value makes no sense.
pub fn motors_of(text: &str, registers: &Registers) -> Result<BTreeMap<String, Motor>, LerobotError> {
    let motors: BTreeMap<String, Motor> = serde_json::from_str(text)?;
    if motors.is_empty() {
        return Err(LerobotError::Empty);
    }
    for (name, motor) in &motors {
        check(name, motor, registers)?;
        let twin = motors.iter().find(|(other, it)| *other != name && it.id == motor.id);
        if let Some((other, _)) = twin {
            let (one, other) = (name.clone(), other.clone());
            return Err(LerobotError::TwiceTheId { one, other, id: motor.id });
        }
    }
    Ok(motors)
}

fn check(name: &str, motor: &Motor, registers: &Registers) -> Result<(), LerobotError> {
    let refuse = |key, actual, expected: String| LerobotError::Value {
        motor: name.to_owned(),
        name: key,
        actual,
        expected,
    };
    if 253 < motor.id {
        return Err(refuse("id", motor.id.into(), "from 0 to 253".to_owned()));
    }
    if !(0..=1).contains(&motor.drive_mode) {
        return Err(refuse("drive_mode", motor.drive_mode, "0 or 1".to_owned()));
    }
    if registers.most_offset < motor.homing_offset.saturating_abs() {
        return Err(LerobotError::Offset {
            motor: name.to_owned(),
            actual: motor.homing_offset,
            most: registers.most_offset,
        });
    }
    for (key, value) in [("range_min", motor.range_min), ("range_max", motor.range_max)] {
        if !(-32_767..=32_767).contains(&value) {
            return Err(refuse(key, value.into(), "from -32767 to 32767".to_owned()));
        }
    }
    if motor.range_max <= motor.range_min {
        let expected = format!("less than its `range_max`, which is {}", motor.range_max);
        return Err(refuse("range_min", motor.range_min.into(), expected));
    }
    Ok(())
}

/// Our calibration of LeRobot's motors; `zero` says where each joint's zero is.
///
/// # Errors
/// Where a zero is beyond all registers.
pub fn to_arm(
    motors: &BTreeMap<String, Motor>,
    registers: &Registers,
    protocol: &str,
    zero: impl Fn(&str) -> Zero,
) -> Result<ArmCalibration, LerobotError> {
    let joint = |(name, motor): (&String, &Motor)| {
        let gearing = Gearing { reversed: motor.drive_mode == 1, ticks_per_turn: 4096.0 };
        let middle = 0.5 * f64::from(motor.range_min) + 0.5 * f64::from(motor.range_max);
        let zero_ticks = zero_ticks(middle, gearing, zero(name))
            .map_err(|cause| LerobotError::Zero { motor: name.clone(), cause })?;
        let joint = JointCalibration {
            id: motor.id,
            model: None,
            zero_ticks,
            reversed: gearing.reversed,
            ticks_per_turn: gearing.ticks_per_turn,
            lower_ticks: motor.range_min,
            upper_ticks: motor.range_max,
            registers: BTreeMap::from([
                (registers.offset.clone(), motor.homing_offset),
                (registers.lower.clone(), motor.range_min.into()),
                (registers.upper.clone(), motor.range_max.into()),
            ]),
        };
        Ok((name.clone(), joint))
    };
    let joints = motors.iter().map(joint).collect::<Result<_, LerobotError>>()?;
    Ok(ArmCalibration { protocol: protocol.to_owned(), joints })
}

/// LeRobot's file of our calibration, by rising ids.
///
/// # Errors
/// Where LeRobot has no words for a joint.
pub fn of_arm(arm: &ArmCalibration, registers: &Registers) -> Result<String, LerobotError> {
    let mut joints: Vec<(&String, &JointCalibration)> = arm.joints.iter().collect();
    joints.sort_by_key(|(_, joint)| joint.id);
    let mut lines = Vec::new();
    for (name, joint) in joints {
        if joint.ticks_per_turn != 4096.0 {
            let (joint, ticks_per_turn) = (name.clone(), joint.ticks_per_turn);
            return Err(LerobotError::Geared { joint, ticks_per_turn });
        }
        let motor = Motor {
            id: joint.id,
            drive_mode: i64::from(joint.reversed),
            homing_offset: joint.registers.get(&registers.offset).copied().unwrap_or(0),
            range_min: joint.lower_ticks,
            range_max: joint.upper_ticks,
        };
        let motor = serde_json::to_string_pretty(&motor)?.replace('\n', "\n  ");
        lines.push(format!("  {}: {motor}", serde_json::to_string(name)?));
    }
    Ok(format!("{{\n{}\n}}\n", lines.join(",\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{
        "shoulder_pan": {"id": 1, "drive_mode": 0, "homing_offset": -13, "range_min": 740, "range_max": 3360},
        "gripper": {"id": 6, "drive_mode": 1, "homing_offset": 1404, "range_min": 2031, "range_max": 3482}
    }"#;

    fn registers() -> Registers {
        let name = str::to_owned;
        Registers {
            offset: name("position_offset"),
            most_offset: 2047,
            lower: name("min_angle"),
            upper: name("max_angle"),
        }
    }

    fn refused(change: impl Fn(&mut serde_json::Value)) -> String {
        let mut file: serde_json::Value = serde_json::from_str(FILE).unwrap();
        change(&mut file);
        motors_of(&file.to_string(), &registers()).unwrap_err().to_string()
    }

    #[test]
    fn a_file_becomes_a_calibration_and_a_file_again() {
        let motors = motors_of(FILE, &registers()).unwrap();
        let arm = to_arm(&motors, &registers(), "feetech_sts", |_| Zero::Middle).unwrap();
        let jaw = &arm.joints["gripper"];
        assert_eq!((jaw.id, jaw.reversed, jaw.zero_ticks), (6, true, 2757));
        assert_eq!((jaw.lower_ticks, jaw.upper_ticks), (2031, 3482));
        assert_eq!(jaw.registers["position_offset"], 1404);
        let again = of_arm(&arm, &registers()).unwrap();
        assert_eq!(motors_of(&again, &registers()).unwrap(), motors);
        assert!(again.find("shoulder_pan").unwrap() < again.find("gripper").unwrap(), "{again}");
    }

    #[test]
    fn the_zero_is_where_the_model_has_it() {
        let motors = motors_of(FILE, &registers()).unwrap();
        let range = Zero::OfModel { lower: -0.1745, upper: 1.7453 };
        let arm = to_arm(&motors, &registers(), "", |_| range).unwrap();
        assert_eq!(arm.joints["shoulder_pan"].zero_ticks, 2050 - 512);
        assert_eq!(arm.joints["gripper"].zero_ticks, 2757 + 512);
    }

    #[test]
    fn an_offset_that_overflows_the_register_is_refused_by_name() {
        let says = refused(|file| file["gripper"]["homing_offset"] = 2114.into());
        assert!(
            says.starts_with(
                "`homing_offset` of `gripper` is 2114, and the servo's register holds -2047 to 2047"
            ),
            "{says}"
        );
        assert!(refused(|file| file["gripper"]["homing_offset"] = i64::MIN.into()).contains("homing_offset"));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        assert!(
            refused(|file| file["gripper"]["range_min"] = 3482.into()).contains("less than its `range_max`")
        );
        assert!(refused(|file| file["gripper"]["drive_mode"] = 2.into()).contains("must be 0 or 1"));
        assert!(refused(|file| file["gripper"]["id"] = 1.into()).contains("both have the id 1"));
        assert!(refused(|file| file["gripper"]["id"] = 254.into()).contains("from 0 to 253"));
        assert!(refused(|file| file["gripper"]["range_max"] = 40_000.into()).contains("from -32767"));
        assert!(refused(|file| file["gripper"]["extra"] = 1.into()).contains("no calibration of LeRobot"));
        assert!(refused(|file| *file = serde_json::json!({})).contains("no motors"));
        assert!(refused(|file| *file = serde_json::json!([1])).contains("no calibration of LeRobot"));
    }

    #[test]
    fn gears_are_not_passed_on_silently() {
        let motors = motors_of(FILE, &registers()).unwrap();
        let mut arm = to_arm(&motors, &registers(), "", |_| Zero::Middle).unwrap();
        arm.joints.get_mut("gripper").unwrap().ticks_per_turn = 8192.0;
        assert!(of_arm(&arm, &registers()).unwrap_err().to_string().contains("8192"));
    }
}
