//! What register servos keep by themselves, without a host: compared with what was configured when they are found, and
//! written where the owner said so.
//!
//! EEPROM wears out, and outlasts this program: nothing is written that is there already, nothing under torque, and
//! every write is read back and told.

use super::bus::ServoError;
use super::driver::IdentifyError;
use super::register_arm::RegisterArm;
use super::register_servo::Servo;
use crate::protocol::registers::{Access, Area, Register, RegisterMap, Role};
use crate::protocol::wire::Wire;
use crate::units::{Calibration, Radians};

/// A register whose value is not what it should be.
#[derive(Clone, Debug)]
struct Stray {
    register: Register,
    found: i64,
    wanted: i64,
    /// Whether the arm can do less than it is told, or is protected less than was asked for; otherwise the servo only
    /// lets its joint go farther than the host does.
    matters: bool,
}

/// Where the servo's own ends of travel are.
const LOWER: [&str; 2] = ["min_angle", "min_position_limit"];
const UPPER: [&str; 2] = ["max_angle", "max_position_limit"];
/// How a servo is found, and what its positions mean, is not for this.
const NOT_OWN: [Role; 6] = [Role::Model, Role::Id, Role::BaudRate, Role::ReturnDelay, Role::Mode, Role::Lock];
const NOT_OWN_NAMES: [&str; 6] =
    ["position_offset", "homing_offset", "drive_mode", "phase", "response_level", "status_return_level"];

impl<W: Wire> RegisterArm<W> {
    /// Compares what a servo keeps by itself with what it should; it holds `torque` or not.
    pub(super) fn keep_limits(&mut self, servo: usize, torque: bool) -> Result<(), IdentifyError> {
        let (travel, own) = (self.strays_of_travel(servo)?, self.strays_of_own(servo)?);
        let strays: Vec<Stray> = travel.into_iter().chain(own).collect();
        let Servo { joint, config, .. } = &self.servos[servo];
        let (joint, write) = (joint.clone(), config.limits.write);
        if write && !torque {
            return self.write_strays(servo, &joint, &strays);
        }
        for stray in &strays {
            let remedy = if write {
                "it is written at a start without torque"
            } else {
                "servos.<joint>.write_limits has it written"
            };
            let text = format!("joint `{joint}`: {}; {remedy}", stray.sentence());
            if stray.matters {
                self.remarks.push(text);
            } else {
                tracing::debug!("{text}");
            }
        }
        Ok(())
    }

    /// The servo's own ends of travel, where its map has them and its joint has ends.
    fn strays_of_travel(&mut self, servo: usize) -> Result<Vec<Stray>, IdentifyError> {
        let Servo { config, map, .. } = &self.servos[servo];
        let (map, calibration, travel) = (map.clone(), config.calibration, config.limits.travel);
        let find = |names: [&str; 2]| names.into_iter().find_map(|name| map.register(name));
        let (Some(lower), Some(upper), Some(travel)) = (find(LOWER), find(UPPER), travel) else {
            return Ok(Vec::new());
        };
        let Some((least, most)) = ticks_of(travel, calibration, lower, upper) else { return Ok(Vec::new()) };
        let found = (self.value(servo, &map, lower)?, self.value(servo, &map, upper)?);
        // Both the same means that there are none.
        let found_none = found.0 == found.1;
        let mut strays = Vec::new();
        if found_none || found.0 != least {
            let matters = !found_none && least < found.0;
            strays.push(Stray { register: lower.clone(), found: found.0, wanted: least, matters });
        }
        if found_none || found.1 != most {
            let matters = !found_none && found.1 < most;
            strays.push(Stray { register: upper.clone(), found: found.1, wanted: most, matters });
        }
        Ok(strays)
    }

    /// What else was configured of its registers.
    fn strays_of_own(&mut self, servo: usize) -> Result<Vec<Stray>, IdentifyError> {
        let Servo { joint, config, map, .. } = &self.servos[servo];
        let (map, joint, own) = (map.clone(), joint.clone(), config.limits.own.clone());
        let mut strays = Vec::new();
        for own in own {
            let wrong = |problem: String| IdentifyError::Map {
                joint: joint.clone(),
                problem: format!("parameter servos.{joint}.own.{}: {problem}", own.register),
            };
            let register = own_register(&map, &own.register).map_err(wrong)?;
            let wanted = raw_value(register, own.value).map_err(wrong)?;
            let found = self.value(servo, &map, register)?;
            if found != wanted {
                strays.push(Stray { register: register.clone(), found, wanted, matters: true });
            }
        }
        Ok(strays)
    }

    fn write_strays(&mut self, servo: usize, joint: &str, strays: &[Stray]) -> Result<(), IdentifyError> {
        if strays.is_empty() {
            return Ok(());
        }
        let map = self.servos[servo].map.clone();
        let lock = map.role(Role::Lock);
        if let Some(lock) = lock {
            self.write_quietly(servo, &map, lock, 0)?;
        }
        let mut writes = 0;
        for stray in strays {
            self.write_quietly(servo, &map, &stray.register, stray.wanted)?;
            writes += 1;
            let kept = self.value(servo, &map, &stray.register)?;
            if kept == stray.wanted {
                tracing::info!("joint `{joint}`: {}; written", stray.sentence());
            } else {
                self.remarks.push(format!("joint `{joint}`: {}; its servo keeps {kept}", stray.sentence()));
            }
        }
        if let Some(lock) = lock {
            self.write_quietly(servo, &map, lock, 1)?;
        }
        self.remarks.push(format!("joint `{joint}`: {writes} EEPROM registers of its servo were written"));
        Ok(())
    }

    /// A servo may be set up not to answer writes; what it kept is asked for after.
    fn write_quietly(
        &mut self,
        servo: usize,
        map: &RegisterMap,
        register: &Register,
        value: i64,
    ) -> Result<(), IdentifyError> {
        match self.write_register(servo, map, register, value) {
            Ok(()) | Err(ServoError::Silent(_)) => Ok(()),
            Err(cause) => Err(self.failed(servo, cause)),
        }
    }

    fn value(&mut self, servo: usize, map: &RegisterMap, register: &Register) -> Result<i64, IdentifyError> {
        self.read_register(servo, map, register).map_err(|cause| self.failed(servo, cause))
    }
}

impl Stray {
    fn sentence(&self) -> String {
        let Self { register, found, wanted, .. } = self;
        let shown = |raw: i64| {
            let value = format!("{} {}", (raw_to_value(register, raw) * 1e6).round() / 1e6, register.unit);
            value.trim_end().to_owned()
        };
        format!("its servo's {} is {}, and should be {}", register.name, shown(*found), shown(*wanted))
    }
}

/// The ends of a travel in the servo's ticks, the lower first, as far as its registers hold them; `None` where they do
/// not hold any of it.
fn ticks_of(
    (lower, upper): (f64, f64),
    calibration: Calibration,
    least: &Register,
    most: &Register,
) -> Option<(i64, i64)> {
    let ticks = |position: f64| i64::from(calibration.to_ticks(Radians(position)).0);
    let (one, other) = (ticks(lower), ticks(upper));
    let range = |register: &Register| register.range.unwrap_or(register.coding.holds(register.size));
    let (lowest, highest) = (range(least).0.max(0), range(most).1);
    let ends = (one.min(other).clamp(lowest, highest), one.max(other).clamp(lowest, highest));
    (ends.0 < ends.1).then_some(ends)
}

/// A register that the owner may have kept in a servo.
fn own_register<'a>(map: &'a RegisterMap, name: &str) -> Result<&'a Register, String> {
    let Some(register) = map.register(name) else {
        return Err(format!("its model {} has no register of this name", map.name));
    };
    let is_for_others = NOT_OWN.into_iter().any(|role| role.names().contains(&name))
        || NOT_OWN_NAMES.contains(&name)
        || LOWER.contains(&name)
        || UPPER.contains(&name);
    if register.area != Area::Eeprom || register.access != Access::ReadWrite || is_for_others {
        return Err("the register is none that keeps a limit; give one such as max_temperature".to_owned());
    }
    Ok(register)
}

fn raw_value(register: &Register, value: f64) -> Result<i64, String> {
    let (least, most) = register.range.unwrap_or(register.coding.holds(register.size));
    let raw = (value / register.scale).round();
    #[expect(clippy::cast_precision_loss, reason = "registers have 32 bits at most")]
    if !(least as f64..=most as f64).contains(&raw) {
        let ends = (raw_to_value(register, least), raw_to_value(register, most));
        return Err(format!("{value} does not fit; it must be from {} to {}", ends.0, ends.1));
    }
    #[expect(clippy::cast_possible_truncation, reason = "within the register's range")]
    Ok(raw as i64)
}

#[expect(clippy::cast_precision_loss, reason = "registers have 32 bits at most")]
fn raw_to_value(register: &Register, raw: i64) -> f64 {
    raw as f64 * register.scale
}
