//! `servo_tool calibration`: calibration files, to and from LeRobot, and held against the servos.

use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};

use super::calibrate::ZeroOptions;
use super::calibrate::plan::Zero;
use super::lerobot::{self, Registers};
use super::servos::backup::write_whole;
use super::servos::eeprom;
use super::servos::map::Role;
use super::servos::maps;
use super::servos::session::{BusOptions, Family, configuration};
use super::table::Table;
use crate::config::calibration::ArmCalibration;

/// Imports and exports LeRobot's calibration files, and compares a calibration with the servos.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum What {
    Import(ImportOptions),
    Export(ExportOptions),
    Verify(VerifyOptions),
}

/// Makes a calibration file of LeRobot's JSON.
///
/// No servo is asked or changed: LeRobot has written offset and limits into the servos, and `calibration verify` and the
/// nodes make sure that they are there. Where zeros are LeRobot does not say; with --config they are taken from the
/// robot model, otherwise they are in the middle of each travel.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Example: servo_tool calibration import --from my_arm.json --config my_arm.yaml --out my_calibration.yaml"
)]
struct ImportOptions {
    /// LeRobot's file.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// The calibration file; it must not exist yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The arm's parameter file, for its robot model.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What the servos speak.
    #[arg(long, value_enum, value_name = "PROTOCOL", default_value = "feetech_sts")]
    protocol: Family,
    #[command(flatten)]
    zero: ZeroOptions,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
}

/// Makes LeRobot's JSON of a calibration file.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: servo_tool calibration export --from my_calibration.yaml --out my_arm.json")]
struct ExportOptions {
    /// The calibration file.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// LeRobot's file; it must not exist yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
}

/// Compares a calibration file with what the servos hold, as the nodes do at their start.
///
/// Nothing is written. The status is 0 if they agree.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Example: servo_tool calibration verify --port /dev/ttyACM0 --from my_calibration.yaml"
)]
struct VerifyOptions {
    #[command(flatten)]
    bus: BusOptions,
    /// The calibration file.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
}

/// Does what the command line says.
///
/// # Errors
/// Where a file is not usable, a servo does not answer, or file and servos do not agree.
pub fn run(options: &Options) -> anyhow::Result<()> {
    match &options.what {
        What::Import(options) => import(options),
        What::Export(options) => export(options),
        What::Verify(options) => verify(options),
    }
}

fn import(options: &ImportOptions) -> anyhow::Result<()> {
    let from = options.from.display();
    ensure_fresh(&options.out, options.force)?;
    let text = std::fs::read_to_string(&options.from).with_context(|| format!("cannot read {from}"))?;
    let registers = registers(options.protocol)?;
    let motors = lerobot::motors_of(&text, &registers).with_context(|| from.to_string())?;
    let zeros = match &options.config {
        Some(file) => {
            let config = configuration(file, None)?;
            let joints = &config.arm.joints;
            if let Some(stranger) = motors.keys().find(|name| !joints.contains(name)) {
                bail!("{from}: the arm has no joint `{stranger}`, it has {}", joints.join(", "));
            }
            options.zero.zeros(&config)?
        }
        None => std::collections::BTreeMap::new(),
    };
    let zero = |joint: &str| zeros.get(joint).copied().unwrap_or(Zero::Middle);
    let arm = lerobot::to_arm(&motors, &registers, options.protocol.name(), zero)?;
    let mut order: Vec<String> = arm.joints.keys().cloned().collect();
    order.sort_by_key(|joint| arm.joints[joint].id);
    write_whole(&options.out, &arm.to_text(&order))?;
    println!("{} joints of {from} are in {}", arm.joints.len(), options.out.display());
    Ok(())
}

fn export(options: &ExportOptions) -> anyhow::Result<()> {
    ensure_fresh(&options.out, options.force)?;
    let arm = ArmCalibration::read(&options.from)?;
    let family = Family::ALL.into_iter().find(|family| family.name() == arm.protocol);
    let text = lerobot::of_arm(&arm, &registers(family.unwrap_or(Family::FeetechSts))?)
        .with_context(|| options.from.display().to_string())?;
    write_whole(&options.out, &text)?;
    println!("{} joints of {} are in {}", arm.joints.len(), options.from.display(), options.out.display());
    Ok(())
}

fn verify(options: &VerifyOptions) -> anyhow::Result<()> {
    let arm = ArmCalibration::read(&options.from)?;
    let mut session = options.bus.open()?;
    let mut table = Table::new(&["joint", ">servo", "", ">file says", ">servo says"]);
    for (joint, calibration) in &arm.joints {
        let servo = session.servo(calibration.id).with_context(|| format!("joint `{joint}`"))?;
        let mut line = |name: &str, file: String, says: String| {
            if file != says {
                table.line([joint.clone(), servo.id.to_string(), name.to_owned(), file, says]);
            }
        };
        if let (Some(file), Some(says)) = (calibration.model, servo.model) {
            line("model", file.to_string(), says.to_string());
        }
        for (name, value) in &calibration.registers {
            let register = servo.map.find(name, None).with_context(|| options.from.display().to_string())?;
            let says = eeprom::read(session.line.as_mut(), servo.id, &register)?;
            line(name, value.to_string(), says.to_string());
        }
    }
    if table.is_empty() {
        println!("{} joints are as {} says", arm.joints.len(), options.from.display());
        return Ok(());
    }
    print!("{table}");
    bail!(
        "the servos are not as {} says; calibrate these joints again: servo_tool calibrate",
        options.from.display()
    )
}

fn ensure_fresh(out: &std::path::Path, force: bool) -> anyhow::Result<()> {
    ensure!(force || !out.exists(), "{} exists already; --force replaces it", out.display());
    Ok(())
}

fn registers(family: Family) -> anyhow::Result<Registers> {
    let map = maps::of_model(family, None);
    let name = |role| map.role(role).map(|register| register.name.clone());
    match (name(Role::Offset), name(Role::LowerLimit), name(Role::UpperLimit)) {
        (Some(offset), Some(lower), Some(upper)) => {
            Ok(Registers { offset, most_offset: family.offset_rule().0.into(), lower, upper })
        }
        _ => bail!(
            "{} servos have no offset and limits of their own, so LeRobot has no file for them",
            family.name()
        ),
    }
}
