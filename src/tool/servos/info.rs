//! `servo_tool info`: every register of a servo.

use serde_json::json;

use super::map::{Map, Register};
use super::session::{BusOptions, Servo, Session};
use crate::servo::probe::AskError;
use crate::tool::table::Table;

/// Shows every register of a servo: address, value, unit, and whether it outlives the power.
///
/// Nothing is written.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: servo_tool info --port /dev/ttyACM0 --id 3")]
pub struct Options {
    #[command(flatten)]
    bus: BusOptions,
    /// The servo's id, or with --config the name of its joint.
    #[arg(long, value_name = "ID")]
    id: String,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Registers that are read with one question at most (bytes).
const MOST: u16 = 64;

/// Reads all registers, and prints them.
///
/// # Errors
/// Where the port cannot be opened, or the servo does not answer.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let mut session = options.bus.open()?;
    let id = session.id_of(&options.id)?;
    let servo = session.servo(id)?;
    let values = read_all(&mut session, &servo)?;
    if options.json {
        let registers: serde_json::Map<_, _> =
            values.iter().map(|(register, value)| (register.name.clone(), json!(value))).collect();
        let answer = json!({
            "id": id,
            "protocol": session.family.name(),
            "model": servo.model,
            "firmware": servo.firmware,
            "map": servo.map.name,
            "registers": registers,
        });
        println!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        println!("{}", heading(&session, &servo));
        print!("{}", table(&values));
    }
    Ok(())
}

/// One line that says which servo it is.
pub fn heading(session: &Session, servo: &Servo) -> String {
    let model =
        servo.model.map_or_else(|| "of an unknown model".to_owned(), |model| format!("model {model}"));
    let Servo { id, firmware, map, .. } = servo;
    format!("servo {id}: {model}, firmware {firmware}, registers of {}, {}", map.name, session.family.name())
}

/// Every register with its value, by rising addresses.
///
/// # Errors
/// Where the servo does not answer.
pub fn read_all<'a>(session: &mut Session, servo: &'a Servo) -> Result<Vec<(&'a Register, i64)>, AskError> {
    let mut values = Vec::new();
    for run in runs(&servo.map) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let len = last.address + u16::from(last.size) - first.address;
        let bytes = session.line.read(servo.id, first.address, len)?;
        for register in run {
            let from = usize::from(register.address - first.address);
            if let Some(bytes) = bytes.get(from..from + usize::from(register.size)) {
                values.push((register, register.decode(bytes)));
            }
        }
    }
    Ok(values)
}

/// Registers that lie side by side, as many as go into one question.
fn runs(map: &Map) -> Vec<&[Register]> {
    let mut runs = Vec::new();
    let mut begin = 0;
    for (index, register) in map.registers.iter().enumerate() {
        let first = map.registers[begin].address;
        let is_behind = index
            .checked_sub(1)
            .and_then(|before| map.registers.get(before))
            .is_none_or(|before| before.address + u16::from(before.size) == register.address);
        let is_long = MOST < register.address + u16::from(register.size) - first;
        if !is_behind || is_long {
            runs.push(&map.registers[begin..index]);
            begin = index;
        }
    }
    runs.push(&map.registers[begin..]);
    runs
}

fn table(values: &[(&Register, i64)]) -> Table {
    let mut table = Table::new(&[">address", "register", ">value", "", "kept", "access"]);
    for (register, value) in values {
        table.line([
            register.address.to_string(),
            register.name.clone(),
            value.to_string(),
            register.with_unit(*value),
            (if register.is_eeprom { "EEPROM" } else { "" }).to_owned(),
            (if register.is_writable { "" } else { "read only" }).to_owned(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::servos::maps;
    use crate::tool::servos::session::Family;

    #[test]
    fn every_register_is_in_one_run_without_gaps() {
        let map = maps::of_model(Family::FeetechSts, None);
        let runs = runs(&map);
        assert_eq!(runs.iter().map(|run| run.len()).sum::<usize>(), map.registers.len());
        for run in runs {
            assert!(run.windows(2).all(|pair| pair[0].address + u16::from(pair[0].size) == pair[1].address));
        }
    }
}
