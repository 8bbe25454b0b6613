//! The calibration of an arm, as `servo_tool calibrate` writes it and the hardware node loads it.
//!
//! For each joint: which servo moves it, where its zero and the ends of its travel are in that servo's ticks, and what the
//! servo's own registers must hold for that to be true. Opens the file that it is asked to read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::units::{Calibration, Radians, Ticks};

/// The key that says what kind of file it is, and its value.
pub const KIND: &str = "servo_arm_calibration";
/// The version of the format.
pub const VERSION: u32 = 1;
/// Where a zero can be at most, as `zero_ticks` of the configuration.
const FARTHEST_ZERO: i32 = 32_767;

/// The calibration of an arm's joints, by their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArmCalibration {
    /// What its servos speak, as the parameter `protocol` says it; empty where that was not said.
    pub protocol: String,
    /// Each joint's.
    pub joints: BTreeMap<String, JointCalibration>,
}

/// The calibration of one joint.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JointCalibration {
    /// Its servo's id.
    pub id: u8,
    /// Its servo's model number; `None` where it is not known.
    #[serde(default)]
    pub model: Option<u32>,
    /// Where the joint's zero is (ticks).
    pub zero_ticks: i32,
    /// Whether growing ticks turn the joint the negative way.
    #[serde(default)]
    pub reversed: bool,
    /// Ticks of one turn of the joint.
    #[serde(default = "one_turn")]
    pub ticks_per_turn: f64,
    /// The lower end of the travel (ticks).
    pub lower_ticks: i32,
    /// The upper end of the travel (ticks).
    pub upper_ticks: i32,
    /// What registers of the servo must hold, by their names.
    #[serde(default)]
    pub registers: BTreeMap<String, i64>,
}

fn one_turn() -> f64 {
    4096.0
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    servo_arm_calibration: u32,
    #[serde(default)]
    protocol: String,
    joints: BTreeMap<String, JointCalibration>,
}

/// Why a file is no calibration.
#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    /// It cannot be opened.
    #[error("cannot read calibration {path}: {cause}", path = path.display())]
    Read {
        /// The file as it was given.
        path: PathBuf,
        /// What the operating system says.
        cause: std::io::Error,
    },
    /// It is no YAML, or of another form.
    #[error("calibration {path}: {cause}", path = path.display())]
    Syntax {
        /// The file as it was given.
        path: PathBuf,
        /// What the parser says, with line and column.
        cause: serde_norway::Error,
    },
    /// A value makes no sense.
    #[error("calibration {path}: {problem}", path = path.display())]
    Value {
        /// The file as it was given.
        path: PathBuf,
        /// Which value, and what would be right.
        problem: String,
    },
}

impl JointCalibration {
    /// How its ticks and radians go together.
    pub fn calibration(&self) -> Calibration {
        let Self { zero_ticks, reversed, ticks_per_turn, .. } = *self;
        Calibration { zero: Ticks(zero_ticks), reversed, ticks_per_turn }
    }

    /// The lowest and the highest position of the joint (rad).
    pub fn travel(&self) -> (f64, f64) {
        let angle = |ticks: i32| {
            let Radians(angle) = self.calibration().to_radians(Ticks(ticks));
            angle
        };
        let (one, other) = (angle(self.lower_ticks), angle(self.upper_ticks));
        (one.min(other), one.max(other))
    }

    fn check(&self, joint: &str) -> Result<(), String> {
        let Self { id, zero_ticks, ticks_per_turn, lower_ticks, upper_ticks, .. } = *self;
        let range = -FARTHEST_ZERO..=FARTHEST_ZERO;
        if 253 < id {
            return Err(format!("`id` of joint `{joint}` is {id}; it must be from 0 to 253"));
        }
        if !ticks_per_turn.is_finite() || !(1.0..=1e7).contains(&ticks_per_turn) {
            return Err(format!(
                "`ticks_per_turn` of joint `{joint}` is {ticks_per_turn}; it must be from 1 to 10000000"
            ));
        }
        for (name, value) in
            [("zero_ticks", zero_ticks), ("lower_ticks", lower_ticks), ("upper_ticks", upper_ticks)]
        {
            if !range.contains(&value) {
                return Err(format!(
                    "`{name}` of joint `{joint}` is {value}; it must be from -{FARTHEST_ZERO} to {FARTHEST_ZERO}"
                ));
            }
        }
        if upper_ticks <= lower_ticks {
            return Err(format!(
                "`lower_ticks` of joint `{joint}` is {lower_ticks}; it must be less than its `upper_ticks`, which is {upper_ticks}"
            ));
        }
        Ok(())
    }
}

impl ArmCalibration {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Where there is none, or a value of it makes no sense.
    pub fn read(path: &Path) -> Result<Self, CalibrationError> {
        let text = std::fs::read_to_string(path)
            .map_err(|cause| CalibrationError::Read { path: path.to_owned(), cause })?;
        Self::of_text(&text, path)
    }

    /// The calibration that a text says; `path` is for errors only.
    ///
    /// # Errors
    /// Where it is none, or a value of it makes no sense.
    pub fn of_text(text: &str, path: &Path) -> Result<Self, CalibrationError> {
        let wrong = |problem| CalibrationError::Value { path: path.to_owned(), problem };
        let file: File = serde_norway::from_str(text)
            .map_err(|cause| CalibrationError::Syntax { path: path.to_owned(), cause })?;
        if file.servo_arm_calibration != VERSION {
            let found = file.servo_arm_calibration;
            return Err(wrong(format!("`{KIND}` is {found}; this version of servo_arm reads {VERSION}")));
        }
        for (joint, calibration) in &file.joints {
            calibration.check(joint).map_err(wrong)?;
        }
        Ok(Self { protocol: file.protocol, joints: file.joints })
    }

    /// The text of the file; joints in this order, then the others.
    pub fn to_text(&self, order: &[String]) -> String {
        let mut text = format!("# Calibration of an arm: see docs/calibration.md.\n{KIND}: {VERSION}\n");
        if !self.protocol.is_empty() {
            let _infallible = writeln!(text, "protocol: {}", quoted(&self.protocol));
        }
        if self.joints.is_empty() {
            text += "joints: {}\n";
            return text;
        }
        text += "joints:\n";
        let first = order.iter().filter_map(|name| self.joints.get_key_value(name));
        let rest = self.joints.iter().filter(|(name, _)| !order.contains(name));
        for (name, joint) in first.chain(rest) {
            text += &joint_text(name, joint);
        }
        text
    }
}

fn joint_text(name: &str, joint: &JointCalibration) -> String {
    let JointCalibration { id, zero_ticks, reversed, ticks_per_turn, lower_ticks, upper_ticks, .. } = joint;
    let registers: Vec<String> =
        joint.registers.iter().map(|(name, value)| format!("{}: {value}", quoted(name))).collect();
    let model = joint.model.map_or_else(String::new, |model| format!("    model: {model}\n"));
    format!(
        "  {}:\n    id: {id}\n{model}    zero_ticks: {zero_ticks}\n    reversed: {reversed}\n    \
         ticks_per_turn: {ticks_per_turn:?}\n    lower_ticks: {lower_ticks}\n    upper_ticks: {upper_ticks}\n    \
         registers: {{{}}}\n",
        quoted(name),
        registers.join(", ")
    )
}

/// A name as YAML takes it, in quotes where it needs them.
fn quoted(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&name.to_lowercase().as_str());
    if is_plain {
        return name.to_owned();
    }
    let mut text = String::from("\"");
    for c in name.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            ' '..='~' => text.push(c),
            // No parser has an opinion about how these look.
            _ if u32::from(c) <= 0xFFFF => text += &format!("\\u{:04x}", u32::from(c)),
            _ => text += &format!("\\U{:08x}", u32::from(c)),
        }
    }
    text + "\""
}

#[cfg(test)]
#[path = "calibration_tests.rs"]
mod tests;
