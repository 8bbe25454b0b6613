//! Which registers a servo has, by its family and its model.

use super::map::{Coding, Map, Register};
use super::session::Family;
use crate::protocol::registers::{self, Access, Area, MapError, RegisterMap, Unit};
use crate::protocol::wire::ByteOrder;

/// The map of a model; the family's usual one for a model that nobody wrote down.
pub fn of_model(family: Family, model: Option<u32>) -> Map {
    let number = model.and_then(|model| u16::try_from(model).ok());
    let shipped = family.registers().and_then(|family| {
        let named = number.and_then(|number| RegisterMap::of_number(family, number));
        named.or_else(|| RegisterMap::shipped(family.default_model()).ok())
    });
    match shipped {
        Some(map) => of(&map),
        // Some servos have no registers.
        None => Map {
            name: family.name().to_owned(),
            registers: Vec::new(),
            is_big_endian: false,
            baud_rates: Vec::new(),
            turn: 4096,
            ticks_per_turn: 4096.0,
        },
    }
}

/// The shipped map of that name, or that of a file.
///
/// # Errors
/// Where there is none, or it makes no sense.
pub fn named(name: &str) -> Result<Map, MapError> {
    RegisterMap::load(name).map(|map| of(&map))
}

/// What a model is called.
pub fn model_name(family: Family, model: u32) -> Option<String> {
    let number = u16::try_from(model).ok()?;
    RegisterMap::of_number(family.registers()?, number).map(|map| map.name)
}

/// A register map, as the tool needs it.
pub fn of(map: &RegisterMap) -> Map {
    let is_big_endian = map.byte_order() == ByteOrder::Big;
    let register = |register: &registers::Register| {
        let (factor, unit) = shown(register.unit, register.scale);
        Register {
            name: register.name.clone(),
            address: register.address,
            size: register.size,
            coding: match register.coding {
                registers::Coding::Unsigned => Coding::Unsigned,
                registers::Coding::SignBit(bit) => Coding::SignBit(bit),
                registers::Coding::TwosComplement => Coding::TwosComplement,
            },
            is_big_endian,
            takes: register.range,
            scale: register.scale * factor,
            unit,
            is_writable: register.access == Access::ReadWrite,
            is_eeprom: register.area == Area::Eeprom,
        }
    };
    Map {
        name: map.name.clone(),
        registers: map.registers().iter().map(register).collect(),
        is_big_endian,
        baud_rates: codes(map.family).to_vec(),
        turn: i32::try_from(map.counts_per_turn).unwrap_or(4096),
        ticks_per_turn: map.ticks_per_turn(),
    }
}

/// The unit in which people read a value, and what it is to be multiplied by for that.
fn shown(unit: Unit, scale: f64) -> (f64, String) {
    match unit {
        Unit::Part => (100.0, "%".to_owned()),
        Unit::Seconds if scale < 1e-3 => (1e6, "µs".to_owned()),
        Unit::Seconds => (1e3, "ms".to_owned()),
        other => (1.0, other.to_string()),
    }
}

/// Which speed each code of the baud register means (bit/s).
fn codes(family: registers::Family) -> &'static [(i64, u32)] {
    match family {
        registers::Family::FeetechSts | registers::Family::FeetechScs => &[
            (0, 1_000_000),
            (1, 500_000),
            (2, 250_000),
            (3, 128_000),
            (4, 115_200),
            (5, 76_800),
            (6, 57_600),
            (7, 38_400),
        ],
        registers::Family::Dynamixel2 => &[
            (0, 9600),
            (1, 57_600),
            (2, 115_200),
            (3, 1_000_000),
            (4, 2_000_000),
            (5, 3_000_000),
            (6, 4_000_000),
            (7, 4_500_000),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::servos::map::Role;

    #[test]
    fn every_familys_usual_map_has_what_the_commands_need() {
        for family in Family::ALL.into_iter().filter(|family| family.registers().is_some()) {
            let map = of_model(family, None);
            for role in [Role::Model, Role::Id, Role::Baud, Role::Torque, Role::Position, Role::Temperature] {
                assert!(map.role(role).is_some(), "{role:?} of {}", map.name);
            }
            assert!(map.kept().count() > 5, "{}", map.name);
        }
    }

    #[test]
    fn a_model_is_known_by_its_number() {
        assert_eq!(of_model(Family::FeetechSts, Some(777)).name, "sts3215");
        assert_eq!(model_name(Family::Dynamixel2, 1060).as_deref(), Some("xl430-w250"));
        assert_eq!(of_model(Family::Dynamixel2, Some(65_000)).name, "xl330-m288");
        assert!(named("no_such_servo").unwrap_err().to_string().contains("sts3215"));
    }

    #[test]
    fn values_are_shown_in_units_that_people_read() {
        let map = of_model(Family::FeetechSts, Some(777));
        let shown = |name: &str, value| map.find(name, None).unwrap().with_unit(value);
        assert_eq!(shown("return_delay", 250), "500 µs");
        assert_eq!(shown("max_torque", 1000), "100 %");
        assert_eq!(shown("protection_time", 200), "2000 ms");
        assert_eq!(shown("present_voltage", 74), "7.4 V");
        assert_eq!(shown("id", 3), "");
    }
}
