//! The emulator's command line: which servos, on what kind of wire, where to be reached.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::hardware as config;
use crate::config::parameters::Parameters;
use crate::config::{Config, ConfigError};
use crate::protocol::feetech::{Id, PacketError};

use super::bus::{AfterMissing, BusConfig};
use super::family::{FamilyName, GoalWhileOff, ServoConfig};
use super::port::Endpoint;
use super::running::EmulatorConfig;

/// Emulates a bus of servos; prints the port to open once it is ready.
#[derive(Clone, Debug, clap::Parser)]
#[command(version)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
pub struct Options {
    /// The arm's parameter file: its servos, and the baud rate for --pace.
    #[arg(long, value_name = "FILE", conflicts_with = "ids")]
    config: Option<PathBuf>,
    /// What the servos speak: a value that `protocol` of a parameter file can have.
    #[arg(long, value_name = "NAME", conflicts_with = "config", default_value = "feetech_sts")]
    protocol: FamilyName,
    /// The servos' ids, for instance 1-6 or 1,2,9.
    #[arg(long, value_name = "IDS", default_value = "1-6")]
    ids: Ids,
    /// Link to the pseudo-terminal.
    #[arg(long, value_name = "PATH", conflicts_with = "tcp")]
    link: Option<PathBuf>,
    /// Listen on a TCP port instead of a pseudo-terminal; port 0 takes any.
    #[arg(long, value_name = "HOST:PORT")]
    tcp: Option<String>,
    /// Bytes take the time that they take on the wire.
    #[arg(long)]
    pace: bool,
    /// Bits a second for --pace; otherwise as configured, or 1000000.
    #[arg(long, value_name = "BPS", value_parser = clap::value_parser!(u32).range(1200..))]
    baud: Option<u32>,
    /// Socket that takes commands; its first should be `help`.
    #[arg(long, value_name = "SOCKET")]
    control: Option<PathBuf>,
    /// Where the randomness of faults begins.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// What pulls at every servo, as a part of its stall torque.
    #[arg(long, value_name = "EFFORT", num_args = 0..=1, default_value_t = 0.0, default_missing_value = "0.15")]
    gravity: f64,
    /// Play of the gears.
    #[arg(long, value_name = "DEGREES", default_value_t = 0.0)]
    backlash_deg: f64,
    /// Bandwidth of the servos' position loop.
    #[arg(long, value_name = "HZ", default_value_t = 16.0)]
    bandwidth_hz: f64,
    /// Where every servo stands at the start, from its middle.
    #[arg(long, value_name = "RAD", default_value_t = 0.0, allow_negative_numbers = true)]
    posture_rad: f64,
    /// What servos take to answer, beyond their return delay.
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 0)]
    turnaround_us: u64,
    /// Watch the clock so long before each answer of a paced wire, rather than wake that much late.
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 50, value_parser = clap::value_parser!(u64).range(..=1000))]
    spin_us: u64,
    /// Give the host's own bytes back, as an adapter without direction control does.
    #[arg(long)]
    echo: bool,
    /// Take the present position for the goal when torque comes on, instead of jumping to the old goal.
    #[arg(long)]
    no_jump: bool,
    /// Overload stays until a power cycle, whatever the torque switch does.
    #[arg(long)]
    stubborn_overload: bool,
    /// Firmware that is too old for fast sync reads.
    #[arg(long)]
    no_fast_reads: bool,
    /// Everybody answers a broadcast ping at once.
    #[arg(long)]
    pings_collide: bool,
    /// In a sync read, servos behind a missing one stay silent instead of answering later.
    #[arg(long)]
    silent_after_missing: bool,
}

/// Ids as the command line has them: single ones and ranges, separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids(Vec<Id>);

/// Why the options cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// The parameter file is unusable.
    #[error(transparent)]
    File(ConfigError),
    /// What the parameter file says is unusable.
    #[error("{file}: {error}", file = .file.display())]
    Parameters {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        error: ConfigError,
    },
    /// A configured id is none.
    #[error(transparent)]
    Id(#[from] PacketError),
    /// Not a number, or not a usable one.
    #[error("--{option} must be {expected}, not {actual}")]
    Value {
        /// Of which option.
        option: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        actual: f64,
    },
    /// A protocol that no emulated servo speaks.
    #[error("there is no protocol `{0}`; there are {names}", names = FamilyName::ALL.map(FamilyName::name).join(", "))]
    Protocol(String),
    /// Ids that cannot be read.
    #[error("`{0}` is neither an id nor a range such as 1-6")]
    Ids(String),
    /// The same id twice.
    #[error("two servos cannot both have the id {0}")]
    TwiceTheId(Id),
}

impl std::str::FromStr for FamilyName {
    type Err = OptionsError;

    fn from_str(text: &str) -> Result<Self, OptionsError> {
        Self::by_name(text).ok_or_else(|| OptionsError::Protocol(text.to_owned()))
    }
}

impl std::str::FromStr for Ids {
    type Err = OptionsError;

    fn from_str(text: &str) -> Result<Self, OptionsError> {
        let mut ids = Vec::new();
        for part in text.split(',') {
            let unreadable = || OptionsError::Ids(part.to_owned());
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.trim().parse::<u8>().map_err(|_unreadable| unreadable());
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return Err(unreadable());
            }
            for raw in first..=last {
                let id = Id::new(raw)?;
                if ids.contains(&id) {
                    return Err(OptionsError::TwiceTheId(id));
                }
                ids.push(id);
            }
        }
        Ok(Self(ids))
    }
}

impl Options {
    /// Where the emulator is to be reached.
    pub fn endpoint(&self) -> Endpoint {
        match &self.tcp {
            Some(address) => Endpoint::Tcp(address.clone()),
            None => Endpoint::Pty { link: self.link.clone() },
        }
    }

    /// The emulator that was asked for.
    pub fn emulator(&self) -> Result<EmulatorConfig, OptionsError> {
        self.check()?;
        let (family, ids, configured) = self.servos()?;
        let configured_bps = configured.as_ref().map_or(1_000_000, |bus| bus.baud_rate_bps);
        let pace_bps = self.pace.then(|| self.baud.unwrap_or(configured_bps));
        let bus = BusConfig {
            family,
            servos: ids.into_iter().map(|id| self.servo(family, id)).collect(),
            pace_bps,
            turnaround: Duration::from_micros(self.turnaround_us),
            echo: self.echo,
            pings_collide: self.pings_collide,
            after_missing: if self.silent_after_missing {
                AfterMissing::StaySilent
            } else {
                AfterMissing::AnswerLate
            },
            seed: self.seed,
            board: configured.map(|bus| bus.pwm).unwrap_or_default(),
        };
        let spin = Duration::from_micros(self.spin_us);
        Ok(EmulatorConfig { bus, control: self.control.clone(), spin })
    }

    fn check(&self) -> Result<(), OptionsError> {
        let finite = f64::NEG_INFINITY..f64::INFINITY;
        for (option, actual, range, expected) in [
            ("gravity", self.gravity, -1.0..1.000_001, "from -1 to 1"),
            ("backlash-deg", self.backlash_deg, 0.0..90.0, "from 0 to 90"),
            ("bandwidth-hz", self.bandwidth_hz, 0.1..200.0, "from 0.1 to 200"),
            ("posture-rad", self.posture_rad, finite, "finite"),
        ] {
            if !range.contains(&actual) {
                return Err(OptionsError::Value { option, expected, actual });
            }
        }
        Ok(())
    }

    /// Family and ids of the servos, and the bus that is configured.
    fn servos(&self) -> Result<(FamilyName, Vec<Id>, Option<config::BusConfig>), OptionsError> {
        let Some(file) = &self.config else { return Ok((self.protocol, self.ids.0.clone(), None)) };
        let config = Config::read_hardware(file, &Parameters::new()).map_err(|error| match error {
            ConfigError::File(_) => OptionsError::File(error),
            ConfigError::Parameters(_) => OptionsError::Parameters { file: file.clone(), error },
        })?;
        // A PWM servo is found by its channel.
        let address = |servo: &config::ServoConfig| Id::new(servo.pwm.map_or(servo.id, |pwm| pwm.channel));
        let ids = config.hardware.servos.iter().map(address).collect::<Result<_, _>>()?;
        let bus = config.hardware.buses[0].clone();
        Ok((FamilyName::of(bus.protocol), ids, Some(bus)))
    }

    fn servo(&self, family: FamilyName, id: Id) -> ServoConfig {
        let ticks_per_turn = family.ticks_per_turn();
        let mut servo = family.servo(id);
        servo.position += self.posture_rad * ticks_per_turn / std::f64::consts::TAU;
        servo.load = self.gravity;
        servo.motor.backlash_ticks = self.backlash_deg * ticks_per_turn / 360.0;
        servo.motor.bandwidth_hz = self.bandwidth_hz;
        servo.stubborn_overload = self.stubborn_overload;
        servo.knows_fast_reads = !self.no_fast_reads;
        servo.goal_while_off = if self.no_jump { GoalWhileOff::Present } else { GoalWhileOff::Kept };
        servo
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ranges_and_single_ones() {
        let raw = |text: &str| text.parse::<Ids>().unwrap().0.into_iter().map(Id::raw).collect::<Vec<_>>();
        assert_eq!(raw("1-3"), [1, 2, 3]);
        assert_eq!(raw("9,2-3"), [9, 2, 3]);
    }

    #[test]
    fn ids_that_make_no_sense_are_named() {
        let refused = |text: &str| text.parse::<Ids>().unwrap_err().to_string();
        assert_eq!(refused("1,x"), "`x` is neither an id nor a range such as 1-6");
        assert_eq!(refused("1,1"), "two servos cannot both have the id 1");
        assert_eq!(refused("254"), "a servo's id is at most 253, not 254");
    }
}
