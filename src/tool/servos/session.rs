//! Which bus is meant, and what is known of the servos on it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::map::{Map, Role};
use super::maps;
use crate::config::hardware::{Protocol, ServoConfig};
use crate::config::parameters::{self, Value};
use crate::config::{Config, Part};
use crate::protocol::feetech::{FeetechScs, FeetechSts};
use crate::protocol::lx16a::wire::Lx16a;
use crate::protocol::{dynamixel, registers};
use crate::servo::link::OpenError;
use crate::servo::probe::{Ask, AskError, Probe, ProbeConfig};

/// The bus of a command line.
#[derive(Clone, Debug, clap::Args)]
pub struct BusOptions {
    /// The arm's parameter file: port, protocol, speed and the joints' servos are taken from it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The bus that is meant, where the configuration has several.
    #[arg(long, value_name = "NAME", requires = "config")]
    pub bus: Option<String>,
    /// A serial device, or tcp://HOST:PORT; what the emulator prints will do.
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,
    /// What the servos speak; otherwise as configured, or feetech_sts.
    #[arg(long, value_enum, value_name = "PROTOCOL")]
    pub protocol: Option<Family>,
    /// Bits a second; otherwise as configured, or what servos of that protocol are sold with.
    #[arg(long, value_name = "BPS", value_parser = clap::value_parser!(u32).range(1200..=10_000_000))]
    pub baud: Option<u32>,
    /// The adapter gives our own bytes back.
    #[arg(long)]
    pub echo: bool,
    /// How long a servo is waited for, beyond the time that its bytes take.
    #[arg(long, value_name = "MS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub timeout_ms: u64,
    /// The servos' registers; otherwise by the model that they say they are.
    #[arg(long, value_name = "NAME|FILE")]
    pub map: Option<String>,
}

/// What servos speak, as far as this tool asks single registers of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Family {
    /// Feetech STS and SMS.
    FeetechSts,
    /// Feetech SCS.
    FeetechScs,
    /// Dynamixel Protocol 2.0.
    Dynamixel2,
    /// LewanSoul and Hiwonder LX-16A, which have no registers.
    #[value(name = "lx16a")]
    Lx16a,
}

/// A bus that was opened, and what the command line knows of its servos.
pub struct Session {
    /// Those who answer.
    pub line: Box<dyn Ask>,
    /// What they speak.
    pub family: Family,
    /// The port.
    pub port: String,
    /// Bits a second.
    pub baud_rate_bps: u32,
    /// The arm's configuration, where one was given.
    pub config: Option<Config>,
    /// The configured servos of this bus.
    pub members: Vec<Member>,
    map: Option<Map>,
}

/// A configured servo.
#[derive(Clone, Debug)]
pub struct Member {
    /// What its parameters and its calibration are called: its joint, or `joint.second`.
    pub name: String,
    /// The joint that it moves.
    pub joint: String,
    /// What was configured.
    pub config: ServoConfig,
}

/// A servo that answered.
#[derive(Clone, Debug)]
pub struct Servo {
    /// Its id.
    pub id: u8,
    /// Its model number, where it has one.
    pub model: Option<u32>,
    /// Its firmware; empty where it does not say.
    pub firmware: String,
    /// Its registers.
    pub map: Map,
    /// Whether these are a guess, as no shipped map is for its model and none was named.
    pub is_guessed: bool,
}

impl Servo {
    /// Makes sure that its registers are known, before anything is written to them.
    ///
    /// # Errors
    /// Where no map is for it; says which model it is.
    pub fn check_known(&self) -> anyhow::Result<()> {
        if self.is_guessed {
            let model = self.model.map_or("unknown".to_owned(), |model| model.to_string());
            bail!(
                "servo {} is of model {model}, for which no register map is shipped; name its map with --map, or its \
                 protocol with --protocol if that is another one. Nothing was written",
                self.id
            );
        }
        Ok(())
    }
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::FeetechSts, Self::FeetechScs, Self::Dynamixel2, Self::Lx16a];

    /// Its name in configurations.
    pub fn name(self) -> &'static str {
        self.registers().map_or("lx16a", registers::Family::name)
    }

    /// The family of its registers, where it has any.
    pub fn registers(self) -> Option<registers::Family> {
        match self {
            Self::FeetechSts => Some(registers::Family::FeetechSts),
            Self::FeetechScs => Some(registers::Family::FeetechScs),
            Self::Dynamixel2 => Some(registers::Family::Dynamixel2),
            Self::Lx16a => None,
        }
    }

    /// Whether a scan asks for it by itself: frames alike are asked for once.
    pub fn is_asked_by_itself(self) -> bool {
        self != Self::FeetechScs
    }

    /// Speeds that its servos can have (bit/s), the one that they are sold with first.
    pub fn baud_rates(self) -> &'static [u32] {
        match self {
            Self::FeetechSts | Self::FeetechScs => {
                &[1_000_000, 500_000, 250_000, 128_000, 115_200, 76_800, 57_600, 38_400]
            }
            Self::Dynamixel2 => {
                &[57_600, 1_000_000, 2_000_000, 3_000_000, 4_000_000, 4_500_000, 115_200, 9600]
            }
            Self::Lx16a => &[115_200],
        }
    }

    /// The greatest magnitude that the offset register takes, and whether it is added to what the encoder says.
    pub fn offset_rule(self) -> (i32, bool) {
        match self {
            Self::FeetechSts | Self::FeetechScs => (2047, false),
            // More than a quarter turn has no effect in position mode.
            Self::Dynamixel2 => (1024, true),
            Self::Lx16a => (0, true),
        }
    }

    /// What the register of the mode holds in position mode.
    pub fn position_mode(self) -> i64 {
        match self {
            Self::FeetechSts | Self::FeetechScs | Self::Lx16a => 0,
            Self::Dynamixel2 => 3,
        }
    }

    /// Opens a port to ask its servos.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open(self, config: ProbeConfig) -> Result<Box<dyn Ask>, OpenError> {
        Ok(match self {
            Self::FeetechSts => Box::new(Probe::<FeetechSts>::open(config)?),
            Self::FeetechScs => Box::new(Probe::<FeetechScs>::open(config)?),
            Self::Dynamixel2 => Box::new(Probe::<dynamixel::Dynamixel2>::open(config)?),
            Self::Lx16a => Box::new(Probe::<Lx16a>::open(config)?),
        })
    }

    /// The family of a bus.
    ///
    /// # Errors
    /// Where its servos answer nothing.
    pub(super) fn of(protocol: Protocol) -> anyhow::Result<Self> {
        match protocol {
            Protocol::FeetechSts => Ok(Self::FeetechSts),
            Protocol::FeetechScs => Ok(Self::FeetechScs),
            Protocol::Dynamixel2 => Ok(Self::Dynamixel2),
            Protocol::Lx16a => Ok(Self::Lx16a),
            Protocol::Maestro | Protocol::Pca9685 => {
                let name = protocol.name();
                bail!(
                    "PWM servos on a {name} answer nothing, so there is nothing to ask; take a bus of others with --bus"
                )
            }
        }
    }
}

impl BusOptions {
    /// Opens the bus; nothing is asked of anybody yet.
    ///
    /// # Errors
    /// Where no port is named, the file is unusable, or the port cannot be opened.
    pub fn open(&self) -> anyhow::Result<Session> {
        let config = self.configuration()?;
        let bus_index = config.as_ref().map_or(Ok(0), |config| self.bus_of(config))?;
        let bus = config.as_ref().and_then(|config| config.hardware.buses.get(bus_index));
        let Some(port) = self.port.clone().or_else(|| bus.map(|bus| bus.port.clone())) else {
            bail!("say with --port where the servos are, or with --config which arm is meant");
        };
        let family = match (self.protocol, bus) {
            (Some(family), _) => family,
            (None, Some(bus)) => Family::of(bus.protocol)?,
            (None, None) => Family::FeetechSts,
        };
        let configured = bus.map(|bus| bus.baud_rate_bps);
        let baud_rate_bps = self.baud.or(configured).unwrap_or(family.baud_rates()[0]);
        let latency = bus.map_or(Duration::ZERO, |bus| bus.adapter_latency);
        let probe = ProbeConfig {
            port: port.clone(),
            baud_rate_bps,
            echo: self.echo || bus.is_some_and(|bus| bus.echo),
            patience: Duration::from_millis(self.timeout_ms) + latency,
        };
        let map = self.map.as_deref().map(maps::named).transpose()?;
        let members = config.as_ref().map_or_else(Vec::new, |config| members_of(config, bus_index));
        let line = family.open(probe)?;
        Ok(Session { line, family, port, baud_rate_bps, config, members, map })
    }

    /// The arm's configuration, where one was given; the port of the command line counts.
    ///
    /// # Errors
    /// Where the file is unusable.
    pub fn configuration(&self) -> anyhow::Result<Option<Config>> {
        let Some(file) = &self.config else { return Ok(None) };
        configuration(file, self.port.as_deref()).map(Some)
    }

    /// Which of the configured buses is meant.
    fn bus_of(&self, config: &Config) -> anyhow::Result<usize> {
        let buses = &config.hardware.buses;
        let names = || buses.iter().map(|bus| bus.name.as_str()).collect::<Vec<_>>().join(", ");
        match &self.bus {
            Some(name) => match buses.iter().position(|bus| bus.name == *name) {
                Some(index) => Ok(index),
                None => bail!("there is no bus `{name}`; there are {}", names()),
            },
            None if 1 < buses.len() => bail!("say with --bus which one is meant: {}", names()),
            None => Ok(0),
        }
    }
}

/// The arm's configuration of a parameter file; a port that is given counts, its calibration does not.
///
/// # Errors
/// Where the file is unusable.
pub fn configuration(file: &Path, port: Option<&str>) -> anyhow::Result<Config> {
    let mut given = parameters::read(file, "/hardware_node")?;
    if let Some(port) = port.filter(|_| !given.contains_key("buses")) {
        given.insert("port".to_owned(), Value::String(port.to_owned()));
    }
    // What is calibrated here may be what the file names, and may not be there yet.
    given.remove("calibration");
    Config::new(&given, &[Part::Hardware]).with_context(|| file.display().to_string())
}

/// The configured servos of a bus.
fn members_of(config: &Config, bus: usize) -> Vec<Member> {
    let hardware = &config.hardware;
    let joints = &config.arm.joints;
    let mut members = Vec::new();
    for (index, (joint, first)) in joints.iter().zip(&hardware.servos).enumerate() {
        let further = hardware.further_servos.iter().filter(|further| further.joint == index);
        let words = ["second", "third", "fourth"].into_iter().map(|word| format!("{joint}.{word}"));
        members.push(Member { name: joint.clone(), joint: joint.clone(), config: first.clone() });
        members.extend(words.zip(further).map(|(name, further)| Member {
            name,
            joint: joint.clone(),
            config: further.servo.clone(),
        }));
    }
    members.extend(hardware.mimic_servos.iter().map(|mimic| Member {
        name: mimic.joint.clone(),
        joint: mimic.joint.clone(),
        config: mimic.servo.clone(),
    }));
    members.retain(|member| member.config.bus == bus);
    members
}

impl Session {
    /// The id that a number or the name of a joint means.
    ///
    /// # Errors
    /// Where it is neither.
    pub fn id_of(&self, asked: &str) -> anyhow::Result<u8> {
        let most = self.line.max_id();
        if let Ok(id) = asked.parse::<u64>() {
            return match u8::try_from(id) {
                Ok(id) if id <= most => Ok(id),
                _ => bail!("a servo's id is at most {most}, not {asked}"),
            };
        }
        if self.config.is_none() {
            bail!("`{asked}` is no id; the name of a joint needs --config to say which servo moves it");
        }
        match self.members.iter().find(|member| member.name == asked) {
            Some(member) => Ok(member.config.id),
            None => {
                let names: Vec<&str> = self.members.iter().map(|member| member.name.as_str()).collect();
                bail!("there is no joint `{asked}`; there are {}", names.join(", "))
            }
        }
    }

    /// The ids that were asked for, or those of the configuration.
    ///
    /// # Errors
    /// Where one is none, or neither names any.
    pub fn ids_of(&self, asked: &[String]) -> anyhow::Result<Vec<u8>> {
        let mut ids = Vec::new();
        for part in asked {
            for id in self.range_of(part)? {
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
        }
        if asked.is_empty() {
            ids.extend(self.members.iter().map(|member| member.config.id));
        }
        if ids.is_empty() {
            bail!("say with --ids which servos are meant, for instance --ids 1-6");
        }
        Ok(ids)
    }

    fn range_of(&self, part: &str) -> anyhow::Result<Vec<u8>> {
        match part.split_once('-') {
            Some((first, last)) if first.parse::<u8>().is_ok() => {
                let (first, last) = (self.id_of(first)?, self.id_of(last)?);
                if last < first {
                    bail!("`{part}` is no range of ids; the lower one comes first");
                }
                Ok((first..=last).collect())
            }
            _ => Ok(vec![self.id_of(part)?]),
        }
    }

    /// Asks a servo what it is.
    ///
    /// # Errors
    /// Where it does not answer.
    pub fn servo(&mut self, id: u8) -> anyhow::Result<Servo> {
        if self.family.registers().is_none() {
            bail!("servos that speak {} have no registers; scan and ping are for them", self.family.name());
        }
        let member = self.members.iter().find(|member| member.config.id == id);
        let configured = member.and_then(|member| member.config.map.as_deref()).map(maps::of);
        let usual = self
            .map
            .clone()
            .or_else(|| configured.clone())
            .unwrap_or_else(|| maps::of_model(self.family, None));
        let model = match usual.role(Role::Model) {
            Some(register) => {
                let model = super::eeprom::read(self.line.as_mut(), id, register)
                    .map_err(|error| self.explain(error))?;
                u32::try_from(model).ok()
            }
            None => None,
        };
        // What the servo says of itself counts over what was configured, unless nobody knows that model.
        let known = model.filter(|model| maps::model_name(self.family, *model).is_some());
        let (map, is_guessed) = match (&self.map, configured) {
            (Some(map), _) => (map.clone(), false),
            (None, Some(map)) if known.is_none() => (map, false),
            _ => (maps::of_model(self.family, model), known.is_none()),
        };
        let firmware = self.firmware(id, &map)?;
        Ok(Servo { id, model, firmware, map, is_guessed })
    }

    fn firmware(&mut self, id: u8, map: &Map) -> Result<String, AskError> {
        let mut parts = Vec::new();
        for name in ["firmware_major", "firmware_minor", "firmware", "firmware_version"] {
            if let Some(register) = map.registers.iter().find(|register| register.name == name) {
                parts.push(super::eeprom::read(self.line.as_mut(), id, register)?.to_string());
            }
        }
        Ok(parts.join("."))
    }

    /// Adds what may help to a servo's silence.
    fn explain(&self, error: AskError) -> anyhow::Error {
        match error {
            AskError::Silent(_) => anyhow::anyhow!(
                "{error} on {} at {} bit/s; check power, cable and id, or look for it: servo_tool scan --port {}",
                self.port,
                self.baud_rate_bps,
                self.port
            ),
            other => other.into(),
        }
    }
}
