//! Register maps as they are written in YAML, and what must hold for them.

use serde::Deserialize;
use serde_norway::Value;

use super::register::{Access, Area, Coding, Register, Unit};
use super::{FULL_TURN_DEG, Family, RegisterMap, Role};
use crate::protocol::alarms::Alarms;

/// A map's file. What is left out is as in the map that it is `like`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    like: Option<String>,
    family: Option<Family>,
    models: Vec<u16>,
    counts_per_turn: Option<u32>,
    counted_deg: Option<f64>,
    position_modes: Option<Vec<i64>>,
    sync_read: Option<bool>,
    fast_sync_read: Option<bool>,
    alarms: Option<Vec<String>>,
    #[serde(default)]
    without: Vec<String>,
    #[serde(default)]
    registers: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    address: u16,
    size: u8,
    coding: Option<Value>,
    #[serde(default)]
    unit: Unit,
    scale: Option<f64>,
    access: Access,
    area: Area,
    default: Option<i64>,
    range: Option<(i64, i64)>,
}

/// The map of a file's text, or what is wrong with it.
pub(super) fn parse(text: &str) -> Result<RegisterMap, String> {
    let file: File = serde_norway::from_str(text).map_err(|cause| cause.to_string())?;
    let base = match &file.like {
        Some(model) => Some(RegisterMap::shipped(model).map_err(|cause| format!("`like`: {cause}"))?),
        None => None,
    };
    let base = base.as_ref();
    let missing = |key: &str| format!("`{key}` is missing; give it, or a shipped map with `like`");
    let family = file.family.or(base.map(|base| base.family)).ok_or_else(|| missing("family"))?;
    let counts = file
        .counts_per_turn
        .or(base.map(|base| base.counts_per_turn))
        .ok_or_else(|| missing("counts_per_turn"))?;
    if !(2..=1 << 24).contains(&counts) {
        return Err(format!("`counts_per_turn` is {counts}; it must be from 2 to {}", 1 << 24));
    }
    let counted_deg = file.counted_deg.or(base.map(|base| base.counted_deg)).unwrap_or(FULL_TURN_DEG);
    if !(1.0..=FULL_TURN_DEG).contains(&counted_deg) {
        return Err(format!("`counted_deg` is {counted_deg}; it must be from 1 to {FULL_TURN_DEG}"));
    }
    let registers = registers(&file, base, family)?;
    let known = base.map(|base| base.alarms).unwrap_or_else(|| family.alarms());
    let map = RegisterMap {
        name: file.name,
        family,
        models: file.models,
        counts_per_turn: counts,
        counted_deg,
        position_modes: file
            .position_modes
            .or_else(|| base.map(|base| base.position_modes.clone()))
            .unwrap_or_default(),
        sync_read: file.sync_read.or(base.map(|base| base.sync_read)).unwrap_or(family != Family::FeetechScs),
        fast_sync_read: file.fast_sync_read.or(base.map(|base| base.fast_sync_read)).unwrap_or(false),
        alarms: file.alarms.map_or(Ok(known), |names| alarms(&names))?,
        registers,
    };
    check(&map)?;
    Ok(map)
}

fn registers(file: &File, base: Option<&RegisterMap>, family: Family) -> Result<Vec<Register>, String> {
    let mut registers: Vec<Register> = base.map_or_else(Vec::new, |base| base.registers.clone());
    for name in &file.without {
        let before = registers.len();
        registers.retain(|register| register.name != *name);
        if registers.len() == before {
            return Err(format!(
                "`without` names `{name}`, which is no register of the map that it is `like`"
            ));
        }
    }
    let mut own: Vec<String> = Vec::new();
    for (index, value) in file.registers.iter().enumerate() {
        let name = value.get("name").and_then(Value::as_str);
        let place =
            name.map_or_else(|| format!("register {} of the list", index + 1), |n| format!("register `{n}`"));
        let entry: Entry =
            serde_norway::from_value(value.clone()).map_err(|cause| format!("{place}: {cause}"))?;
        if own.contains(&entry.name) {
            return Err(format!("{place} is there twice; each has its own name"));
        }
        own.push(entry.name.clone());
        registers.retain(|register| register.name != entry.name);
        registers.push(register(entry, family).map_err(|problem| format!("{place}: {problem}"))?);
    }
    registers.sort_by_key(|register| register.address);
    for pair in registers.windows(2) {
        let [before, after] = pair else { continue };
        if after.address < before.end() {
            return Err(format!(
                "register `{}`: `address` is {}, within register `{}`, which takes {} to {}",
                after.name,
                after.address,
                before.name,
                before.address,
                before.end() - 1
            ));
        }
    }
    Ok(registers)
}

fn register(entry: Entry, family: Family) -> Result<Register, String> {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if entry.name.is_empty() || !entry.name.chars().all(is_word) {
        return Err(format!("`name` is `{}`; it must be made of small letters, digits and _", entry.name));
    }
    if ![1, 2, 4].contains(&entry.size) {
        return Err(format!("`size` is {}; it must be 1, 2 or 4 bytes", entry.size));
    }
    let most = family.most_address();
    let last = entry.address.checked_add(u16::from(entry.size) - 1);
    if last.is_none_or(|last| most < last) {
        let (name, address) = (family.name(), entry.address);
        return Err(format!("`address` is {address}; {name} servos have addresses up to {most}"));
    }
    let coding = coding(entry.coding.as_ref(), entry.size)?;
    let scale = entry.scale.unwrap_or(1.0);
    if !(scale.is_finite() && 0.0 < scale) {
        return Err(format!("`scale` is {scale}; it must be positive"));
    }
    let (least, most) = coding.holds(entry.size);
    let fits = |value: i64| (least..=most).contains(&value);
    if let Some(bad) = entry.default.filter(|value| !fits(*value)) {
        return Err(format!("`default` is {bad}; the register holds {least} to {most}"));
    }
    if let Some((from, to)) = entry.range.filter(|(from, to)| !fits(*from) || !fits(*to) || to < from) {
        return Err(format!("`range` is [{from}, {to}]; it must rise and lie within {least} to {most}"));
    }
    let Entry { name, address, size, unit, access, area, default, range, .. } = entry;
    Ok(Register { name, address, size, coding, unit, scale, access, area, default, range })
}

fn coding(given: Option<&Value>, size: u8) -> Result<Coding, String> {
    const RIGHT: &str = "it must be `unsigned`, `twos_complement` or {sign_bit: N}";
    let sign_bit = |value: &Value| value.get("sign_bit").and_then(Value::as_u64);
    match given {
        None => Ok(Coding::Unsigned),
        Some(Value::String(word)) if word == "unsigned" => Ok(Coding::Unsigned),
        Some(Value::String(word)) if word == "twos_complement" => Ok(Coding::TwosComplement),
        Some(Value::String(word)) => Err(format!("`coding` is `{word}`; {RIGHT}")),
        Some(value) => {
            let bit = sign_bit(value).ok_or_else(|| format!("`coding` is something else; {RIGHT}"))?;
            let most = 8 * size - 1;
            match u8::try_from(bit).ok().filter(|bit| (1..=most).contains(bit)) {
                Some(bit) => Ok(Coding::SignBit(bit)),
                None => Err(format!("`coding` has the sign bit {bit}; it must be from 1 to {most}")),
            }
        }
    }
}

fn alarms(names: &[String]) -> Result<[Alarms; 8], String> {
    let mut alarms = [Alarms::NONE; 8];
    if alarms.len() < names.len() {
        return Err(format!("`alarms` names {} bits; there are 8", names.len()));
    }
    for (alarm, name) in alarms.iter_mut().zip(names).filter(|(_, name)| *name != "none") {
        *alarm = Alarms::from_name(name).ok_or_else(|| {
            let known: Vec<_> = Alarms::names().collect();
            format!("`alarms` names `{name}`; it must be none or one of {}", known.join(", "))
        })?;
    }
    Ok(alarms)
}

/// What a driver relies on.
fn check(map: &RegisterMap) -> Result<(), String> {
    if map.sync_read && map.family == Family::FeetechScs {
        return Err("`sync_read` is true; feetech_scs servos have none".to_owned());
    }
    if map.fast_sync_read && map.family != Family::Dynamixel2 {
        return Err(format!("`fast_sync_read` is true; {} servos have none", map.family.name()));
    }
    for role in [Role::TorqueEnable, Role::GoalPosition, Role::Position] {
        if map.role(role).is_none() {
            return Err(format!("there is no register `{}`; every servo needs it", role.names()[0]));
        }
    }
    for role in [Role::TorqueEnable, Role::GoalPosition, Role::TorqueLimit, Role::GoalSpeed] {
        if let Some(register) = map.role(role).filter(|register| register.access == Access::ReadOnly) {
            return Err(format!("register `{}`: `access` is r; it must be rw", register.name));
        }
    }
    let units: [(Role, &[Unit]); 8] = [
        (Role::GoalPosition, &[Unit::Ticks]),
        (Role::Position, &[Unit::Ticks]),
        (Role::Speed, &[Unit::TicksPerSecond, Unit::RadiansPerSecond]),
        (Role::GoalSpeed, &[Unit::TicksPerSecond, Unit::RadiansPerSecond]),
        (Role::TorqueLimit, &[Unit::Part]),
        (Role::Load, &[Unit::Part]),
        (Role::Voltage, &[Unit::Volts]),
        (Role::Temperature, &[Unit::Celsius]),
    ];
    for (role, right) in units {
        if let Some(register) = map.role(role).filter(|register| !right.contains(&register.unit)) {
            let right: Vec<String> = right.iter().map(|unit| word(*unit).to_owned()).collect();
            let (name, right) = (&register.name, right.join(" or "));
            return Err(format!("register `{name}`: `unit` is {}; it must be {right}", word(register.unit)));
        }
    }
    for role in [Role::GoalPosition, Role::Position] {
        if let Some(register) = map.role(role).filter(|register| register.scale != 1.0) {
            return Err(format!("register `{}`: `scale` is {}; ticks have 1", register.name, register.scale));
        }
    }
    Ok(())
}

/// A unit as maps have it.
fn word(unit: Unit) -> &'static str {
    match unit {
        Unit::None => "none",
        Unit::Ticks => "ticks",
        Unit::TicksPerSecond => "ticks/s",
        Unit::TicksPerSecond2 => "ticks/s2",
        Unit::RadiansPerSecond => "rad/s",
        Unit::RadiansPerSecond2 => "rad/s2",
        Unit::Part => "part",
        Unit::Volts => "V",
        Unit::Amperes => "A",
        Unit::Celsius => "degC",
        Unit::Seconds => "s",
    }
}
