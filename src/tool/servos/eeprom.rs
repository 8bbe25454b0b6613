//! Writes registers that outlive the power: torque off, unlocked, each read back, locked again.

use super::map::{Map, Register, Role, ValueError};
use crate::servo::probe::{Ask, AskError};

/// Why registers were not written, or not all.
#[derive(Debug, thiserror::Error)]
pub enum EepromError {
    /// The servo holds torque.
    #[error(
        "servo {0} holds torque, and registers that outlive the power are written only while it does not; support the arm and switch torque off first: servo_tool write --id {0} torque_enable 0"
    )]
    Torque(u8),
    /// A value does not go into its register.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The servo does not answer, or refuses.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// What was read back is not what was written.
    #[error("`{register}` of servo {id} is {actual} after {expected} was written")]
    ReadBack {
        /// Whose.
        id: u8,
        /// Which register.
        register: String,
        /// What was written.
        expected: i64,
        /// What was read.
        actual: i64,
    },
    /// Some were written before it went wrong.
    #[error("{cause}; before that {} {} written", list(.written), if .written.len() == 1 { "was" } else { "were" })]
    Partly {
        /// The names of those that were written.
        written: Vec<String>,
        /// What went wrong then.
        cause: Box<EepromError>,
    },
    /// It could not be locked again.
    #[error(
        "servo {id} was written, but its registers are still unlocked: {cause}; they can be overwritten by accident until its power is switched off"
    )]
    Unlocked {
        /// Whose.
        id: u8,
        /// What went wrong.
        cause: Box<EepromError>,
    },
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What a servo's register is.
///
/// # Errors
/// Where the servo does not answer.
pub fn read(line: &mut dyn Ask, id: u8, register: &Register) -> Result<i64, AskError> {
    let bytes = line.read(id, register.address, register.size.into())?;
    Ok(register.decode(&bytes))
}

/// Makes sure that a servo does not hold torque.
///
/// # Errors
/// Where it does, or does not answer.
pub fn check_limp(line: &mut dyn Ask, map: &Map, id: u8) -> Result<(), EepromError> {
    match map.role(Role::Torque) {
        Some(torque) if read(line, id, torque)? != 0 => Err(EepromError::Torque(id)),
        _ => Ok(()),
    }
}

/// Writes values into registers, and reads each back; those that have their value already are left alone.
///
/// Gives the names of those that were written.
///
/// # Errors
/// Where the servo holds torque, nothing is written. Where it goes wrong later, the error says how far it came.
pub fn write(
    line: &mut dyn Ask,
    map: &Map,
    id: u8,
    values: &[(&Register, i64)],
) -> Result<Vec<String>, EepromError> {
    check_limp(line, map, id)?;
    for (register, value) in values {
        register.encode(*value)?;
    }
    let mut changes = Vec::new();
    for (register, value) in values {
        if read(line, id, register)? != *value {
            changes.push((*register, *value));
        }
    }
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    set_lock(line, map, id, 0)?;
    let mut written = Vec::new();
    let result = changes.iter().try_for_each(|(register, value)| {
        write_one(line, id, register, *value)?;
        written.push(register.name.clone());
        Ok(())
    });
    let locked = set_lock(line, map, id, 1);
    match (result, locked) {
        (Ok(()), Ok(())) => Ok(written),
        (Ok(()), Err(cause)) => Err(EepromError::Unlocked { id, cause: Box::new(cause) }),
        (Err(cause), _) if written.is_empty() => Err(cause),
        (Err(cause), _) => Err(EepromError::Partly { written, cause: Box::new(cause) }),
    }
}

/// Writes one register and reads it back.
///
/// # Errors
/// Where the servo refuses, does not answer, or has another value then.
pub fn write_one(line: &mut dyn Ask, id: u8, register: &Register, value: i64) -> Result<(), EepromError> {
    line.write(id, register.address, &register.encode(value)?)?;
    let actual = read(line, id, register)?;
    if actual != value {
        let (register, expected) = (register.name.clone(), value);
        return Err(EepromError::ReadBack { id, register, expected, actual });
    }
    Ok(())
}

/// Locks (1) or unlocks (0) the registers that outlive the power, where the servo has a lock.
///
/// # Errors
/// Where it does not answer, or its lock does not move.
pub fn set_lock(line: &mut dyn Ask, map: &Map, id: u8, locked: i64) -> Result<(), EepromError> {
    match map.role(Role::Lock) {
        // Unlocked it must be, or what is written is lost with the power.
        Some(lock) => write_one(line, id, lock, locked),
        None => Ok(()),
    }
}
