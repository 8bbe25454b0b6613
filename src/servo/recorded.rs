//! Whether a servo is still as it was when its joint was calibrated.
//!
//! Another model, offset or limit means that its ticks mean other angles: such a servo is not used.

use crate::config::hardware::Recorded;

/// How a servo is not as its calibration says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "joint `{joint}`: {what} of servo {id} is {servo}, and the calibration {file} says {recorded}; was the servo exchanged, or changed by another program? Calibrate the joint again (servo_tool calibrate), or put the servo back (servo_tool restore, or servo_tool write)"
)]
pub struct CalibrationMismatch {
    /// The joint.
    pub joint: String,
    /// Its servo.
    pub id: u8,
    /// What differs.
    pub what: String,
    /// What the servo has.
    pub servo: String,
    /// What the file says.
    pub recorded: String,
    /// The file.
    pub file: String,
}

/// Compares a servo with its calibration. `value` reads a register by its name; `None` says that there is no such one.
///
/// # Errors
/// The first difference, inside; outside, why the servo could not be asked.
pub fn compare<E>(
    recorded: &Recorded,
    joint: &str,
    id: u8,
    model: u32,
    mut value: impl FnMut(&str) -> Result<Option<i64>, E>,
) -> Result<Result<(), CalibrationMismatch>, E> {
    let mismatch = |what: String, servo: String, expected: String| CalibrationMismatch {
        joint: joint.to_owned(),
        id,
        what,
        servo,
        recorded: expected,
        file: recorded.file.clone(),
    };
    if let Some(expected) = recorded.model.filter(|expected| *expected != model) {
        return Ok(Err(mismatch("the model".to_owned(), model.to_string(), expected.to_string())));
    }
    for (name, expected) in &recorded.registers {
        let actual = value(name)?;
        if actual != Some(*expected) {
            let servo = actual.map_or_else(|| "unknown to servo_arm".to_owned(), |actual| actual.to_string());
            return Ok(Err(mismatch(format!("`{name}`"), servo, expected.to_string())));
        }
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn compared(model: u32, offset: Option<i64>) -> Result<(), String> {
        let registers = BTreeMap::from([("position_offset".to_owned(), -13)]);
        let recorded =
            Recorded { file: "arm.yaml".to_owned(), model: Some(777), registers, travel: (-1.0, 1.0) };
        let value = |name: &str| Ok::<_, ()>(offset.filter(|_| name == "position_offset"));
        compare(&recorded, "elbow_flex", 3, model, value).unwrap().map_err(|error| error.to_string())
    }

    #[test]
    fn a_servo_as_it_was_recorded_is_taken() {
        assert_eq!(compared(777, Some(-13)), Ok(()));
    }

    #[test]
    fn what_differs_is_named_with_both_values_and_what_to_do() {
        let says = compared(777, Some(0)).unwrap_err();
        assert!(
            says.starts_with(
                "joint `elbow_flex`: `position_offset` of servo 3 is 0, and the calibration arm.yaml says -13"
            ),
            "{says}"
        );
        assert!(says.contains("servo_tool calibrate"), "{says}");
        assert!(compared(2825, Some(-13)).unwrap_err().contains("the model of servo 3 is 2825"));
        assert!(compared(777, None).unwrap_err().contains("unknown to servo_arm"));
    }
}
