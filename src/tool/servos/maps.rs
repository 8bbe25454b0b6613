//! Which registers a servo has, by its family and its model.

use super::map::{Coding, Map, Register};
use super::session::Family;
use crate::protocol::feetech::registers::{Access, Area, STS3215, Unit};

/// The map of a model; the family's usual one for a model that nobody wrote down.
pub fn of_model(_family: Family, _model: Option<u32>) -> Map {
    let registers = STS3215.iter().map(|register| {
        let (scale, unit) = unit_of(register.unit);
        Register {
            name: register.name.to_owned(),
            address: register.address.into(),
            size: register.size,
            coding: register.sign_bit.map_or(Coding::Unsigned, Coding::SignBit),
            is_big_endian: false,
            scale,
            unit: unit.to_owned(),
            is_writable: register.access == Access::ReadWrite,
            is_eeprom: register.area == Area::Eeprom,
        }
    });
    Map {
        name: "sts3215".to_owned(),
        registers: registers.collect(),
        is_big_endian: false,
        baud_rates: [1_000_000, 500_000, 250_000, 128_000, 115_200, 76_800, 57_600, 38_400]
            .into_iter()
            .zip(0..)
            .map(|(bps, code)| (code, bps))
            .collect(),
        turn: 4096,
    }
}

fn unit_of(unit: Unit) -> (f64, &'static str) {
    match unit {
        Unit::Plain => (1.0, ""),
        Unit::Ticks => (1.0, "ticks"),
        Unit::TicksPerSecond => (1.0, "ticks/s"),
        Unit::HundredTicksPerSecond2 => (100.0, "ticks/s²"),
        Unit::Permille => (0.1, "%"),
        Unit::Percent => (1.0, "%"),
        Unit::Decivolts => (0.1, "V"),
        Unit::Celsius => (1.0, "°C"),
        Unit::Milliamps6_5 => (0.0065, "A"),
        Unit::Micros2 => (2.0, "µs"),
        Unit::Millis => (1.0, "ms"),
        Unit::Centiseconds => (10.0, "ms"),
    }
}

/// The map of that name.
///
/// # Errors
/// Where there is none.
pub fn named(name: &str) -> anyhow::Result<Map> {
    anyhow::ensure!(name == "sts3215", "there is no register map `{name}`; there is sts3215");
    Ok(of_model(Family::FeetechSts, None))
}

/// What a model is called.
pub fn model_name(family: Family, model: u32) -> Option<String> {
    (family == Family::FeetechSts && model == 777).then(|| "STS3215".to_owned())
}
