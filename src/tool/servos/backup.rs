//! `servo_tool backup` and `restore`: what a servo keeps without power, to a file and back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

use super::eeprom;
use super::info;
use super::keyboard::Keyboard;
use super::map::{Register, Role};
use super::session::{BusOptions, Servo};
use crate::tool::table::Table;

/// Saves what a servo keeps without power (its EEPROM) in a YAML file.
///
/// Nothing is written to the servo.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: servo_tool backup --port /dev/ttyACM0 --id 3 --out elbow.yaml")]
pub struct BackupOptions {
    #[command(flatten)]
    bus: BusOptions,
    /// The servo's id, or with --config the name of its joint.
    #[arg(long, value_name = "ID")]
    id: String,
    /// The file; it must not exist yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
}

/// Writes a backup into a servo of the same model; shows what changes and asks first.
///
/// Id and speed stay as they are: set-id and set-baud change them. Torque must be off. Each register is read back.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: servo_tool restore --port /dev/ttyACM0 --id 3 --from elbow.yaml")]
pub struct RestoreOptions {
    #[command(flatten)]
    bus: BusOptions,
    /// The servo's id, or with --config the name of its joint.
    #[arg(long, value_name = "ID")]
    id: String,
    /// The backup.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    /// Show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// The file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// The version of the format.
    pub servo_arm_backup: u32,
    /// What the servo speaks.
    pub protocol: String,
    /// Its id.
    pub id: u8,
    /// Its model number.
    pub model: Option<u32>,
    /// Its firmware.
    pub firmware: String,
    /// The registers, by their names.
    pub registers: BTreeMap<String, i64>,
}

const VERSION: u32 = 1;

/// Saves.
///
/// # Errors
/// Where the servo does not answer, or the file cannot be written.
pub fn backup(options: &BackupOptions) -> anyhow::Result<()> {
    let file = options.out.display();
    ensure!(options.force || !options.out.exists(), "{file} exists already; --force replaces it");
    let mut session = options.bus.open()?;
    let id = session.id_of(&options.id)?;
    let servo = session.servo(id)?;
    let values = info::read_all(&mut session, &servo)?;
    let kept = values.into_iter().filter(|(register, _)| register.is_eeprom && register.is_writable);
    let backup = Backup {
        servo_arm_backup: VERSION,
        protocol: session.family.name().to_owned(),
        id,
        model: servo.model,
        firmware: servo.firmware.clone(),
        registers: kept.map(|(register, value)| (register.name.clone(), value)).collect(),
    };
    let text = format!("# What servo {id} keeps without power.\n{}", serde_norway::to_string(&backup)?);
    write_whole(&options.out, &text)?;
    println!("{} registers of servo {id} are in {file}", backup.registers.len());
    Ok(())
}

/// Restores.
///
/// # Errors
/// Where the file is no backup or of another model, or the servo does not take it.
pub fn restore(options: &RestoreOptions) -> anyhow::Result<()> {
    let file = options.from.display();
    let text = std::fs::read_to_string(&options.from).with_context(|| format!("cannot read {file}"))?;
    let backup: Backup = serde_norway::from_str(&text).with_context(|| format!("{file} is no backup"))?;
    ensure!(
        backup.servo_arm_backup == VERSION,
        "{file} has the format {}; this version of servo_tool reads {VERSION}",
        backup.servo_arm_backup
    );
    let mut session = options.bus.open()?;
    let id = session.id_of(&options.id)?;
    let servo = session.servo(id)?;
    servo.check_known()?;
    check_kind(&backup, &servo, session.family.name(), &options.from)?;
    let values = wanted(&backup, &servo, &options.from)?;
    let mut table = Table::new(&["register", ">servo", ">backup", ""]);
    for (register, value) in &values {
        let present = eeprom::read(session.line.as_mut(), id, register)?;
        if present != *value {
            table.line([
                register.name.clone(),
                present.to_string(),
                value.to_string(),
                register.with_unit(*value),
            ]);
        }
    }
    if table.is_empty() {
        println!("servo {id} has all of {file} already");
        return Ok(());
    }
    print!("{table}");
    if options.dry_run {
        return Ok(());
    }
    eeprom::check_limp(session.line.as_mut(), &servo.map, id)?;
    if backup.firmware != servo.firmware {
        println!("The backup is of firmware {}, and servo {id} has {}.", backup.firmware, servo.firmware);
    }
    let question = format!("Write this into servo {id}, for good?");
    ensure!(options.yes || Keyboard::default().confirm(&question)?, "nothing was written");
    let written = eeprom::write(session.line.as_mut(), &servo.map, id, &values)?;
    println!("{} registers of servo {id} were written and read back", written.len());
    Ok(())
}

fn check_kind(backup: &Backup, servo: &Servo, protocol: &str, file: &Path) -> anyhow::Result<()> {
    let file = file.display();
    ensure!(
        backup.protocol == protocol,
        "{file} is of a servo that speaks {}, and servo {} speaks {protocol}",
        backup.protocol,
        servo.id
    );
    let model = |model: Option<u32>| model.map_or_else(|| "unknown".to_owned(), |model| model.to_string());
    ensure!(
        backup.model == servo.model,
        "{file} is of model {}, and servo {} is of model {}; a backup goes into servos of its own model only",
        model(backup.model),
        servo.id,
        model(servo.model)
    );
    Ok(())
}

/// The registers of the backup that are to be written.
fn wanted<'a>(backup: &Backup, servo: &'a Servo, file: &Path) -> anyhow::Result<Vec<(&'a Register, i64)>> {
    let stays =
        [Role::Id, Role::Baud].map(|role| servo.map.role(role).map(|register| register.name.as_str()));
    let mut values = Vec::new();
    for (name, value) in &backup.registers {
        let Some(register) = servo.map.kept().find(|register| register.name == *name) else {
            bail!("{}: servo {} keeps no register `{name}`", file.display(), servo.id);
        };
        register.encode(*value).with_context(|| file.display().to_string())?;
        if !stays.contains(&Some(name.as_str())) {
            values.push((register, *value));
        }
    }
    Ok(values)
}

/// Writes a file in one go: it is there whole, or as before.
///
/// # Errors
/// Where it cannot be written.
pub fn write_whole(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    std::fs::write(&fresh, text)
        .and_then(|()| std::fs::rename(&fresh, path))
        .with_context(|| format!("cannot write {}", path.display()))
}
