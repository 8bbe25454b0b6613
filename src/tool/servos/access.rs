//! `servo_tool read` and `servo_tool write`: single registers, by name or by address.

use anyhow::{bail, ensure};
use serde_json::{Value as Json, json};

use super::eeprom;
use super::keyboard::Keyboard;
use super::map::{Register, Role, ValueError};
use super::session::{BusOptions, Servo};
use crate::tool::table::Table;

/// Reads registers of a servo.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Example: servo_tool read --port /dev/ttyACM0 --id 3 present_position present_voltage 48"
)]
pub struct ReadOptions {
    #[command(flatten)]
    bus: BusOptions,
    /// The servo's id, or with --config the name of its joint.
    #[arg(long, value_name = "ID")]
    id: String,
    /// Bytes of a register that is given by an address which no map knows.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u8).range(1..=4))]
    size: Option<u8>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// Names or addresses of registers.
    #[arg(value_name = "REGISTER", required = true)]
    registers: Vec<String>,
}

/// Writes a register of a servo, and reads it back.
///
/// A register that outlives the power is written only where torque is off; it says so and asks first. So does what
/// switches torque on.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: servo_tool write --port /dev/ttyACM0 --id 3 torque_enable 0")]
pub struct WriteOptions {
    #[command(flatten)]
    bus: BusOptions,
    /// The servo's id, or with --config the name of its joint.
    #[arg(long, value_name = "ID")]
    id: String,
    /// Bytes of a register that is given by an address which no map knows.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u8).range(1..=4))]
    size: Option<u8>,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    /// The register's name or address.
    #[arg(value_name = "REGISTER")]
    register: String,
    /// The number to write, as the register holds it.
    #[arg(value_name = "VALUE", allow_negative_numbers = true)]
    value: i64,
}

/// Reads, and prints.
///
/// # Errors
/// Where a register is unknown, or the servo does not answer.
pub fn read(options: &ReadOptions) -> anyhow::Result<()> {
    let mut session = options.bus.open()?;
    let id = session.id_of(&options.id)?;
    let servo = session.servo(id)?;
    let registers: Vec<Register> = options
        .registers
        .iter()
        .map(|asked| servo.map.find(asked, options.size))
        .collect::<Result<_, _>>()?;
    let mut table = Table::new(&["register", ">value", ""]);
    let mut json = serde_json::Map::new();
    for register in &registers {
        let value = eeprom::read(session.line.as_mut(), id, register)?;
        table.line([register.name.clone(), value.to_string(), register.with_unit(value)]);
        json.insert(register.name.clone(), json!(value));
    }
    match options.json {
        true => println!("{}", Json::Object(json)),
        false => print!("{table}"),
    }
    Ok(())
}

/// Writes, and reads back.
///
/// # Errors
/// Where the register is unknown, does not hold the value, or the servo does not take it.
pub fn write(options: &WriteOptions) -> anyhow::Result<()> {
    let mut session = options.bus.open()?;
    let id = session.id_of(&options.id)?;
    let servo = session.servo(id)?;
    let register = servo.map.find(&options.register, options.size)?;
    let value = options.value;
    servo.check_known()?;
    ensure!(register.is_writable, ValueError::ReadOnly(register.name));
    register.encode(value)?;
    let touched = touched(&servo, &register);
    if let Some(named) = touched.iter().find(|one| one.name != register.name) {
        bail!(
            "those bytes are of register `{}`, with its own size and range; write it by its name",
            named.name
        );
    }
    refuse_identity(&servo, &touched)?;
    let before = eeprom::read(session.line.as_mut(), id, &register)?;
    let name = &register.name;
    if before == value {
        println!("`{name}` of servo {id} is {value} already");
        return Ok(());
    }
    let is_eeprom = touched.iter().any(|register| register.is_eeprom);
    if is_eeprom {
        eeprom::check_limp(session.line.as_mut(), &servo.map, id)?;
    }
    if let Some(question) = question(&servo, &touched, name, before, value)
        && !options.yes
        && !Keyboard::default().confirm(&question)?
    {
        bail!("nothing was written");
    }
    if is_eeprom {
        eeprom::write(session.line.as_mut(), &servo.map, id, &[(&register, value)])?;
        println!("`{name}` of servo {id}: {before} -> {value}, for good");
        return Ok(());
    }
    session.line.write(id, register.address, &register.encode(value)?)?;
    let after = eeprom::read(session.line.as_mut(), id, &register)?;
    // 128 in the torque register of a Feetech servo is an order, and does not stay there.
    let is_order = servo.map.role(Role::Torque) == Some(&register) && 1 < value;
    ensure!(after == value || is_order, "`{name}` of servo {id} is {after} after {value} was written");
    println!("`{name}` of servo {id}: {before} -> {after}");
    Ok(())
}

/// The registers of the map that lie in the bytes that are written.
fn touched<'a>(servo: &'a Servo, register: &'a Register) -> Vec<&'a Register> {
    let bytes = register.address..register.address.saturating_add(register.size.into());
    let mut touched: Vec<&Register> = bytes.filter_map(|address| servo.map.covering(address)).collect();
    touched.dedup_by_key(|register| register.address);
    if touched.is_empty() { vec![register] } else { touched }
}

/// What makes a servo unreachable has commands of its own, which look whether it was.
fn refuse_identity(servo: &Servo, touched: &[&Register]) -> anyhow::Result<()> {
    for (role, command) in [(Role::Id, "set-id"), (Role::Baud, "set-baud")] {
        if let Some(register) = servo.map.role(role)
            && touched.iter().any(|one| one.address == register.address)
        {
            bail!(
                "`{}` is written by servo_tool {command}, which makes sure that the servo is still reached",
                register.name
            );
        }
    }
    Ok(())
}

/// What has to be asked before it is written.
fn question(servo: &Servo, touched: &[&Register], name: &str, before: i64, value: i64) -> Option<String> {
    let id = servo.id;
    let torque = servo.map.role(Role::Torque);
    if value != 0 && torque.is_some_and(|torque| touched.iter().any(|one| one.address == torque.address)) {
        return Some(format!(
            "This switches the torque of servo {id} on, and it may jump to its goal. Write {value} to `{name}`?"
        ));
    }
    let is_eeprom = touched.iter().any(|register| register.is_eeprom);
    is_eeprom.then(|| {
        format!("`{name}` of servo {id} outlives the power (EEPROM). Change it from {before} to {value}?")
    })
}
