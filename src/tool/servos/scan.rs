//! `servo_tool scan`: who is on the bus.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::Duration;

use anyhow::bail;
use serde::Serialize;

use super::eeprom;
use super::map::{Map, Role};
use super::maps;
use super::probing::{self, Presence};
use super::session::{self, Family};
use crate::config::hardware::BusConfig;
use crate::servo::probe::{Ask, ProbeConfig};
use crate::tool::table::Table;

/// Looks for servos: every id at every speed of every protocol, or those that are given.
///
/// Says of each its model, firmware and speed. Several servos with one id answer at once, and damage each other's
/// answers; that is told, too. Nothing is written to any servo. The status is 0 if servos were found and every id is
/// one servo's.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Example: servo_tool scan --port /dev/ttyACM0 --protocol feetech_sts --baud 1000000 --ids 1-6"
)]
pub struct Options {
    /// A serial device, or tcp://HOST:PORT.
    #[arg(long, value_name = "PORT", required_unless_present = "config")]
    port: Option<String>,
    /// The arm's parameter file: its port, and what its servos speak.
    #[arg(long, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    /// Only servos that speak this.
    #[arg(long, value_enum, value_name = "PROTOCOL")]
    protocol: Option<Family>,
    /// Only this speed (bit/s).
    #[arg(long, value_name = "BPS", value_parser = clap::value_parser!(u32).range(1200..=10_000_000))]
    baud: Option<u32>,
    /// Only these ids, for instance 1-6 or 1,2,9.
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    ids: Vec<String>,
    /// The adapter gives our own bytes back.
    #[arg(long)]
    echo: bool,
    /// How long each servo is waited for, beyond the time that its bytes take.
    #[arg(long, value_name = "MS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    timeout_ms: u64,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// A servo that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Its id.
    pub id: u8,
    /// The speed at which it answers (bit/s).
    pub baud_rate_bps: u32,
    /// What it speaks.
    pub protocol: &'static str,
    /// Its model number.
    pub model: Option<u32>,
    /// What that model is called.
    pub model_name: Option<String>,
    /// Its firmware.
    pub firmware: String,
    /// Why several servos seem to have this id.
    pub several: Option<&'static str>,
    /// The speed that its own register says (bit/s).
    #[serde(skip)]
    pub own_baud_rate_bps: Option<u32>,
}

/// A servo that answered once is waited for longer.
const PATIENCE: Duration = Duration::from_millis(30);

/// Scans, and prints what was found.
///
/// # Errors
/// Where the port cannot be opened, nothing was found, or an id is several servos'.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let bus = options.configured()?;
    let port = options.port(bus.as_ref())?;
    let echo = options.echo || bus.as_ref().is_some_and(|bus| bus.echo);
    let latency = bus.as_ref().map_or(Duration::ZERO, |bus| bus.adapter_latency);
    let mut found = Vec::new();
    for (family, rates) in options.what(bus.as_ref())? {
        for &baud_rate_bps in &rates {
            let probe = ProbeConfig {
                port: port.clone(),
                baud_rate_bps,
                echo,
                patience: Duration::from_millis(options.timeout_ms) + latency,
            };
            let mut line = family.open(probe)?;
            let ids = options.ids(line.max_id())?;
            scan(line.as_mut(), family, (baud_rate_bps, &rates), &ids, options.timeout_ms, &mut found)?;
        }
    }
    clear_progress();
    let found = without_echoes_of_speed(found);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&found)?);
    } else if !found.is_empty() {
        print!("{}", table(&found));
    }
    judge(&found, &port)
}

impl Options {
    /// The only bus of the configuration.
    fn configured(&self) -> anyhow::Result<Option<BusConfig>> {
        let Some(file) = &self.config else { return Ok(None) };
        let mut buses = session::configuration(file, self.port.as_deref())?.hardware.buses;
        match (buses.len(), self.port.is_some()) {
            (1, _) => Ok(buses.pop()),
            // Any of them may be meant.
            (_, true) => Ok(None),
            _ => bail!("the arm has several buses; say with --port which one is meant"),
        }
    }

    fn port(&self, bus: Option<&BusConfig>) -> anyhow::Result<String> {
        match (&self.port, bus) {
            (Some(port), _) => Ok(port.clone()),
            (None, Some(bus)) => Ok(bus.port.clone()),
            (None, None) => bail!("say with --port where the servos are"),
        }
    }

    /// The protocols, and the speeds for each.
    fn what(&self, bus: Option<&BusConfig>) -> anyhow::Result<Vec<(Family, Vec<u32>)>> {
        let families: Vec<Family> = match (self.protocol, bus) {
            (Some(family), _) => vec![family],
            (None, Some(bus)) => vec![Family::of(bus.protocol)?],
            (None, None) => Family::ALL.into_iter().filter(|family| family.is_asked_by_itself()).collect(),
        };
        let rates = |family: Family| match self.baud {
            Some(baud) => vec![baud],
            None => family.baud_rates().to_vec(),
        };
        Ok(families.into_iter().map(|family| (family, rates(family))).collect())
    }

    fn ids(&self, most: u8) -> anyhow::Result<Vec<u8>> {
        if self.ids.is_empty() {
            return Ok((0..=most).collect());
        }
        let mut ids = Vec::new();
        for part in &self.ids {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            match (first.trim().parse::<u8>(), last.trim().parse::<u8>()) {
                (Ok(first), Ok(last)) if first <= last && last <= most => ids.extend(first..=last),
                _ => bail!("`{part}` is neither an id of at most {most} nor a range such as 1-6"),
            }
        }
        Ok(ids)
    }
}

/// Looks for the ids at one speed.
fn scan(
    line: &mut dyn Ask,
    family: Family,
    (baud_rate_bps, rates): (u32, &[u32]),
    ids: &[u8],
    timeout_ms: u64,
    found: &mut Vec<Found>,
) -> anyhow::Result<()> {
    let usual = maps::of_model(family, None);
    for &id in ids {
        show_progress(family, baud_rate_bps, id, found.len());
        let heard = line.ping(id, false)?;
        if heard.answers.is_empty() && heard.stray_bytes == 0 {
            continue;
        }
        line.set_patience(PATIENCE);
        if is_of_another_speed(line, &usual, id, baud_rate_bps, rates) {
            line.set_patience(Duration::from_millis(timeout_ms));
            continue;
        }
        let servo = match probing::look(line, &usual, id)? {
            Presence::Nobody => None,
            Presence::One => Some(describe(line, family, baud_rate_bps, id)),
            Presence::Several(why) => {
                let mut servo = describe(line, family, baud_rate_bps, id);
                servo.several = Some(why);
                Some(servo)
            }
        };
        found.extend(servo);
        line.set_patience(Duration::from_millis(timeout_ms));
    }
    Ok(())
}

/// Whether a servo answers although its own speed is another one, at which it is looked for as well: on a port whose speed
/// has no meaning.
fn is_of_another_speed(line: &mut dyn Ask, map: &Map, id: u8, baud_rate_bps: u32, rates: &[u32]) -> bool {
    let Some(register) = map.role(Role::Baud) else { return false };
    let Ok(code) = eeprom::read(line, id, register) else { return false };
    let own = map.baud_rates.iter().find(|(known, _)| *known == code).map(|(_, bps)| *bps);
    own.is_some_and(|own| own != baud_rate_bps && rates.contains(&own))
}

/// What a servo says of itself; what it does not say stays open.
fn describe(line: &mut dyn Ask, asked_as: Family, baud_rate_bps: u32, id: u8) -> Found {
    let family = family_of(line, asked_as, id);
    let usual = maps::of_model(family, None);
    let mut value = |register| eeprom::read(line, id, register).ok();
    let model = usual.role(Role::Model).and_then(&mut value).and_then(|model| u32::try_from(model).ok());
    let map = maps::of_model(family, model);
    let firmware = map
        .registers
        .iter()
        .filter(|register| register.name.starts_with("firmware"))
        .filter_map(&mut value)
        .map(|part| part.to_string())
        .collect::<Vec<_>>()
        .join(".");
    let code = map.role(Role::Baud).and_then(&mut value);
    let own = map.baud_rates.iter().find(|(known, _)| Some(*known) == code).map(|(_, bps)| *bps);
    Found {
        id,
        baud_rate_bps,
        protocol: family.name(),
        model,
        model_name: model.and_then(|model| maps::model_name(family, model)),
        firmware,
        several: None,
        own_baud_rate_bps: own,
    }
}

/// Feetech's families have the same frames; which one a servo is of, the first byte of its model says.
fn family_of(line: &mut dyn Ask, asked_as: Family, id: u8) -> Family {
    const SERIES: u16 = 3;
    const SCS: u8 = 5;
    match asked_as {
        Family::FeetechSts | Family::FeetechScs => match line.read(id, SERIES, 1).as_deref() {
            Ok([SCS]) => Family::FeetechScs,
            Ok(_) => Family::FeetechSts,
            Err(_) => asked_as,
        },
        Family::Dynamixel2 | Family::Lx16a => asked_as,
    }
}

/// On a port whose speed means nothing (a pseudo-terminal, a TCP port) a servo answers at every speed; its own one counts.
fn without_echoes_of_speed(found: Vec<Found>) -> Vec<Found> {
    let is_same = |one: &Found, other: &Found| {
        (one.id, one.protocol, &one.model, &one.firmware)
            == (other.id, other.protocol, &other.model, &other.firmware)
    };
    let is_own = |servo: &Found| servo.own_baud_rate_bps == Some(servo.baud_rate_bps);
    let mut kept: Vec<Found> = Vec::new();
    for servo in found {
        match kept.iter_mut().find(|known| is_same(known, &servo)) {
            Some(known) if !is_own(known) && is_own(&servo) => *known = servo,
            // Two real servos at two speeds have each its own.
            Some(known) if is_own(known) && is_own(&servo) => kept.push(servo),
            Some(_) => {}
            None => kept.push(servo),
        }
    }
    kept
}

fn table(found: &[Found]) -> Table {
    let mut table = Table::new(&[">id", ">bit/s", "protocol", "model", "firmware", ""]);
    for servo in found {
        let model = match (servo.model, &servo.model_name) {
            (Some(model), Some(name)) => format!("{model} ({name})"),
            (Some(model), None) => model.to_string(),
            (None, _) => "?".to_owned(),
        };
        let several = servo.several.map(|why| format!("SEVERAL SERVOS: {why}")).unwrap_or_default();
        table.line([
            servo.id.to_string(),
            servo.baud_rate_bps.to_string(),
            servo.protocol.to_owned(),
            model,
            servo.firmware.clone(),
            several,
        ]);
    }
    table
}

fn judge(found: &[Found], port: &str) -> anyhow::Result<()> {
    if found.is_empty() {
        bail!(
            "no servo answers on {port}; check power, cable, and whether the adapter is the one with the servos"
        );
    }
    let shared: Vec<String> =
        found.iter().filter(|servo| servo.several.is_some()).map(|servo| servo.id.to_string()).collect();
    if shared.is_empty() {
        return Ok(());
    }
    bail!(
        "several servos seem to have the id {}; take all but one of them off the bus and give it another: servo_tool set-id",
        shared.join(", ")
    )
}

fn show_progress(family: Family, baud_rate_bps: u32, id: u8, found: usize) {
    if stderr().is_terminal() {
        eprint!("\r{} at {baud_rate_bps} bit/s: id {id}, {found} found \x1b[K", family.name());
        let _nobody_looks = stderr().flush();
    }
}

fn clear_progress() {
    if stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servo(id: u8, baud_rate_bps: u32, own: u32) -> Found {
        Found {
            id,
            baud_rate_bps,
            protocol: "feetech_sts",
            model: Some(777),
            model_name: None,
            firmware: "3.6".to_owned(),
            several: None,
            own_baud_rate_bps: Some(own),
        }
    }

    #[test]
    fn a_servo_that_answers_at_every_speed_is_found_at_its_own() {
        let all = [1_000_000, 500_000, 115_200].map(|bps| servo(1, bps, 500_000)).to_vec();
        assert_eq!(without_echoes_of_speed(all), [servo(1, 500_000, 500_000)]);
        let two = vec![servo(1, 1_000_000, 1_000_000), servo(1, 500_000, 500_000)];
        assert_eq!(without_echoes_of_speed(two.clone()), two);
        let odd = vec![servo(1, 1_000_000, 9600), servo(2, 1_000_000, 9600)];
        assert_eq!(without_echoes_of_speed(odd.clone()), odd);
    }

    #[test]
    fn what_was_found_is_judged() {
        assert!(judge(&[servo(1, 1, 1)], "port").is_ok());
        assert!(judge(&[], "port").unwrap_err().to_string().contains("no servo answers on port"));
        let shared = Found { several: Some("answers are damaged"), ..servo(4, 1, 1) };
        assert!(
            judge(std::slice::from_ref(&shared), "port").unwrap_err().to_string().contains("have the id 4")
        );
        assert!(table(&[shared]).to_string().contains("SEVERAL SERVOS: answers are damaged"));
    }
}
