//! `servo_tool set-id`, `set-baud` and `reboot`: what changes how a servo is reached.
//!
//! After each change the servo is looked for where it should be, and where it was; what was found is told.

use anyhow::{Context as _, bail, ensure};

use super::eeprom;
use super::keyboard::Keyboard;
use super::map::Role;
use super::probing::{self, Presence};
use super::session::{BusOptions, Family, Servo, Session};

/// Gives a servo another id.
///
/// Refused where several servos have the old one, or any has the new one. Torque must be off.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: servo_tool set-id --port /dev/ttyACM0 --id 1 --new-id 5")]
pub struct IdOptions {
    #[command(flatten)]
    bus: BusOptions,
    /// The id that it has.
    #[arg(long, value_name = "ID")]
    id: u8,
    /// The id that it gets.
    #[arg(long, value_name = "ID")]
    new_id: u8,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

/// Gives servos another speed.
///
/// Each is looked for at the new speed before the next one is changed. Torque must be off.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Example: servo_tool set-baud --port /dev/ttyACM0 --baud 115200 --ids 1-6 --new-baud 1000000"
)]
pub struct BaudOptions {
    #[command(flatten)]
    bus: BusOptions,
    /// The servos' ids, for instance 1-6 or 1,2,9; otherwise those of the configuration.
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    ids: Vec<String>,
    /// The speed that they get (bit/s).
    #[arg(long, value_name = "BPS")]
    new_baud: u32,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

/// Has a servo start again, as after power-on: what it holds falls, and its RAM is as after power-on.
///
/// A Dynamixel whose shutdown has struck holds torque again only after this.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: servo_tool reboot --port /dev/ttyUSB0 --protocol dynamixel2 --id 3")]
pub struct RebootOptions {
    #[command(flatten)]
    bus: BusOptions,
    /// The servo's id, or with --config the name of its joint.
    #[arg(long, value_name = "ID")]
    id: String,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

/// How often a servo is looked for after it was told to start again.
const LOOKS_AFTER_REBOOT: u32 = 50;

/// Changes an id.
///
/// # Errors
/// Where it is refused, or the servo is not where it should be afterwards; the text says where it is.
pub fn set_id(options: &IdOptions) -> anyhow::Result<()> {
    let (old, new) = (options.id, options.new_id);
    let mut session = options.bus.open()?;
    for id in [old, new] {
        session.id_of(&id.to_string())?;
    }
    ensure!(old != new, "servo {old} has that id already");
    let servo = alone(&mut session, old)?;
    match probing::look(session.line.as_mut(), &servo.map, new)? {
        Presence::Nobody => {}
        Presence::One => {
            bail!("another servo has the id {new} already; two with one id could not be told apart")
        }
        Presence::Several(why) => bail!("other servos have the id {new} already ({why})"),
    }
    let Some(register) = servo.map.role(Role::Id) else {
        bail!("the registers of {} have no id", servo.map.name)
    };
    let question = format!("Servo {old} gets the id {new}, for good. Go on?");
    ensure!(options.yes || Keyboard::default().confirm(&question)?, "nothing was written");
    let line = session.line.as_mut();
    eeprom::check_limp(line, &servo.map, old)?;
    eeprom::set_lock(line, &servo.map, old, 0)?;
    // It may answer under either id, so that no answer says nothing.
    let written = line.write(old, register.address, &register.encode(new.into())?);
    let (at_old, at_new) = (answers(&mut session, old), answers(&mut session, new));
    match (at_old, at_new) {
        (false, true) => {}
        (true, false) => {
            written.context("the servo kept its id")?;
            eeprom::set_lock(session.line.as_mut(), &servo.map, old, 1)?;
            bail!("servo {old} did not take the id {new}; it still has {old}");
        }
        (true, true) => bail!(
            "servos answer under {old} and {new} now: two servos had the id {old}, and one of them took {new}; take one off the bus and scan"
        ),
        (false, false) => bail!(
            "the servo answers neither under {old} nor under {new}; switch its power off and on and look for it: servo_tool scan --port {}",
            session.port
        ),
    }
    eeprom::set_lock(session.line.as_mut(), &servo.map, new, 1)
        .context(format!("the servo has the id {new} now"))?;
    let says = eeprom::read(session.line.as_mut(), new, register)?;
    ensure!(says == i64::from(new), "the servo answers under {new}, and its register says {says}");
    println!("servo {old} has the id {new} now");
    Ok(())
}

/// Changes speeds.
///
/// # Errors
/// Where it is refused, or a servo is not where it should be afterwards; the text says where each is.
pub fn set_baud(options: &BaudOptions) -> anyhow::Result<()> {
    let mut session = options.bus.open()?;
    let (old, new) = (session.baud_rate_bps, options.new_baud);
    let ids = session.ids_of(&options.ids)?;
    let servos: Vec<Servo> = ids.iter().map(|id| alone(&mut session, *id)).collect::<Result<_, _>>()?;
    for servo in &servos {
        code_of(servo, session.family, new)?;
        eeprom::check_limp(session.line.as_mut(), &servo.map, servo.id)?;
    }
    let names = ids.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let question = format!("Servo {names} will talk at {new} bit/s instead of {old}, for good. Go on?");
    ensure!(options.yes || Keyboard::default().confirm(&question)?, "nothing was written");
    for (index, servo) in servos.iter().enumerate() {
        let changed = set_one_baud(&mut session, servo, old, new);
        changed.with_context(|| {
            let list = |servos: &[Servo]| {
                servos.iter().map(|servo| servo.id.to_string()).collect::<Vec<_>>().join(", ")
            };
            let (done, left) = (list(&servos[..index]), list(&servos[index + 1..]));
            let done = if done.is_empty() {
                "none was changed".to_owned()
            } else {
                format!("at {new} bit/s now: {done}")
            };
            let left =
                if left.is_empty() { String::new() } else { format!("; still at {old} bit/s: {left}") };
            format!("servo {}: ({done}{left})", servo.id)
        })?;
        println!("servo {} talks at {new} bit/s now", servo.id);
    }
    Ok(())
}

fn set_one_baud(session: &mut Session, servo: &Servo, old: u32, new: u32) -> anyhow::Result<()> {
    let id = servo.id;
    let (register, code) = code_of(servo, session.family, new)?;
    let line = session.line.as_mut();
    if eeprom::read(line, id, register)? == code {
        return Ok(());
    }
    eeprom::set_lock(line, &servo.map, id, 0)?;
    // It may answer at either speed, so that no answer says nothing.
    let written = line.write(id, register.address, &register.encode(code)?);
    session.line.set_baud_rate(new)?;
    if !answers(session, id) {
        session.line.set_baud_rate(old)?;
        if !answers(session, id) {
            bail!(
                "it answers neither at {old} nor at {new} bit/s; switch its power off and on and look for it: servo_tool scan --port {}",
                session.port
            );
        }
        written?;
        eeprom::set_lock(session.line.as_mut(), &servo.map, id, 1)?;
        bail!("it did not take the new speed; it still talks at {old} bit/s");
    }
    let line = session.line.as_mut();
    let says = eeprom::read(line, id, register)?;
    eeprom::set_lock(line, &servo.map, id, 1).context("it talks at the new speed")?;
    session.line.set_baud_rate(old)?;
    ensure!(says == code, "it answers at {new} bit/s, and its register says {says} instead of {code}");
    Ok(())
}

/// The register of the speed, and the code of one.
fn code_of(servo: &Servo, family: Family, bps: u32) -> anyhow::Result<(&super::map::Register, i64)> {
    let Some(register) = servo.map.role(Role::Baud) else {
        bail!("{} servos have one speed only", family.name());
    };
    let code = servo.map.baud_rates.iter().find(|(_, known)| *known == bps).map(|(code, _)| *code);
    match code {
        Some(code) => Ok((register, code)),
        None => {
            let known: Vec<String> = servo.map.baud_rates.iter().map(|(_, bps)| bps.to_string()).collect();
            bail!("servo {} cannot talk at {bps} bit/s; it can at {}", servo.id, known.join(", "))
        }
    }
}

/// The servo with that id, where it is the only one.
fn alone(session: &mut Session, id: u8) -> anyhow::Result<Servo> {
    let servo = session.servo(id)?;
    servo.check_known()?;
    match probing::look(session.line.as_mut(), &servo.map, id)? {
        Presence::One => Ok(servo),
        Presence::Nobody => bail!("servo {id} does not answer any more"),
        Presence::Several(why) => bail!(
            "several servos seem to have the id {id} ({why}), and all of them would be changed; take all but one off the bus"
        ),
    }
}

fn answers(session: &mut Session, id: u8) -> bool {
    const TRIES: u32 = 3;
    let mut is_there =
        || session.line.ping(id, false).is_ok_and(|heard| heard.answers.iter().any(|one| one.id == id));
    (0..TRIES).any(|_| is_there())
}

/// Reboots.
///
/// # Errors
/// Where the servo does not answer before, or not again afterwards.
pub fn reboot(options: &RebootOptions) -> anyhow::Result<()> {
    let mut session = options.bus.open()?;
    let id = session.id_of(&options.id)?;
    let servo = session.servo(id)?;
    let holds = match servo.map.role(Role::Torque) {
        Some(torque) => eeprom::read(session.line.as_mut(), id, torque)? != 0,
        None => false,
    };
    let falls = if holds { "It holds torque, and what it holds will fall. " } else { "" };
    let question = format!("{falls}Servo {id} will start again, as after power-on. Go on?");
    ensure!(options.yes || Keyboard::default().confirm(&question)?, "nothing was done");
    session.line.reboot(id)?;
    if !(0..LOOKS_AFTER_REBOOT).any(|_| answers(&mut session, id)) {
        bail!(
            "servo {id} was told to start again, and does not answer any more; switch its power off and on"
        );
    }
    println!("servo {id} has started again");
    Ok(())
}
