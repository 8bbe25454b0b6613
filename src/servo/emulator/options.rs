//! The emulator's command line: which servos, on what kind of wire, where to be reached.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::parameters::Parameters;
use crate::config::{Config, ConfigError};
use crate::protocol::feetech::{Id, PacketError};
use crate::servo::setup::{SetupError, arm_setup, robot_model};

use super::bus::{AfterMissing, BusConfig};
use super::family::{FamilyName, GoalWhileOff, ServoConfig};
use super::of_arm::{Posture, buses_of_arm};
use super::port::Endpoint;
use super::running::EmulatorConfig;

/// Emulates servos, one bus of them or all that an arm has; prints the port to open of each once they are ready.
#[derive(Clone, Debug, clap::Parser)]
#[command(version)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
pub struct Options {
    /// The arm's parameter file: its buses and servos, and the baud rates for --pace.
    #[arg(long, value_name = "FILE", conflicts_with = "ids")]
    config: Option<PathBuf>,
    /// What the servos speak: a value that `protocol` of a parameter file can have.
    #[arg(long, value_name = "NAME", conflicts_with = "config", default_value = "feetech_sts")]
    protocol: FamilyName,
    /// The servos' ids, for instance 1-6 or 1,2,9.
    #[arg(long, value_name = "IDS", default_value = "1-6")]
    ids: Ids,
    /// Link to the pseudo-terminal; of several buses each has one, with a dot and the bus's name behind this.
    #[arg(long, value_name = "PATH", conflicts_with = "tcp")]
    link: Option<PathBuf>,
    /// Listen on a TCP port instead of a pseudo-terminal; port 0 takes any. Several buses take the ports from there on.
    #[arg(long, value_name = "HOST:PORT")]
    tcp: Option<String>,
    /// Bytes take the time that they take on the wire.
    #[arg(long)]
    pace: bool,
    /// Bits a second for --pace; otherwise as configured, or 1000000.
    #[arg(long, value_name = "BPS", value_parser = clap::value_parser!(u32).range(1200..))]
    baud: Option<u32>,
    /// Socket that takes commands; its first should be `help`. Of several buses each has one, as with --link.
    #[arg(long, value_name = "SOCKET")]
    control: Option<PathBuf>,
    /// Where the randomness of faults begins.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// What pulls at every joint, as a part of its servos' stall torque.
    #[arg(long, value_name = "EFFORT", num_args = 0..=1, default_value_t = 0.0, default_missing_value = "0.15")]
    gravity: f64,
    /// Play of the gears.
    #[arg(long, value_name = "DEGREES", default_value_t = 0.0)]
    backlash_deg: f64,
    /// Bandwidth of the servos' position loop.
    #[arg(long, value_name = "HZ", default_value_t = 16.0)]
    bandwidth_hz: f64,
    /// How far from where it would stand otherwise every joint stands at the start.
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
    /// A joint that mimics another has a servo, and the robot model does not say how it goes with it.
    #[error("{file}: where the servos of mimic joints stand is said by the robot model: {error}", file = .file.display())]
    Model {
        /// Which file.
        file: PathBuf,
        /// What is wrong with the model.
        error: Box<SetupError>,
    },
    /// A configured id is none.
    #[error(transparent)]
    Id(#[from] PacketError),
    /// There are not as many ports as buses.
    #[error(
        "--tcp is {address}, and the arm has {buses} buses; give a port from which on there are as many, or port 0"
    )]
    Ports {
        /// What was given.
        address: String,
        /// How many ports it takes.
        buses: usize,
    },
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

/// One of the emulators that were asked for.
#[derive(Clone, Debug)]
pub struct Emulated {
    /// The bus's name; empty for an only one.
    pub name: String,
    /// What is emulated.
    pub config: EmulatorConfig,
    /// Where it is to be reached.
    pub endpoint: Endpoint,
}

/// The link or socket of a bus, where that of an arm is asked for at `path`; an arm's only bus has no name.
pub fn of_bus(path: &Path, bus: &str) -> PathBuf {
    if bus.is_empty() {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(bus);
    name.into()
}

/// A bus before it is known what is special about it.
struct Plain {
    name: String,
    baud_rate_bps: u32,
    bus: BusConfig,
}

impl Options {
    /// The emulators that were asked for, one for each bus.
    ///
    /// # Errors
    /// Where the parameter file is unusable, or options make no sense.
    pub fn emulators(&self) -> Result<Vec<Emulated>, OptionsError> {
        self.check()?;
        let buses = self.buses()?;
        let count = buses.len();
        let emulated = |(index, plain): (usize, Plain)| {
            let control = self.control.as_ref().map(|path| of_bus(path, &plain.name));
            let endpoint = self.endpoint(&plain.name, index).ok_or_else(|| OptionsError::Ports {
                address: self.tcp.clone().unwrap_or_default(),
                buses: count,
            })?;
            let name = plain.name.clone();
            let spin = Duration::from_micros(self.spin_us);
            Ok(Emulated { name, config: EmulatorConfig { bus: self.wire(plain), control, spin }, endpoint })
        };
        buses.into_iter().enumerate().map(emulated).collect()
    }

    fn endpoint(&self, bus: &str, index: usize) -> Option<Endpoint> {
        Some(match &self.tcp {
            Some(address) => Endpoint::Tcp(nth_port(address, index)?),
            None => Endpoint::Pty { link: self.link.as_ref().map(|link| of_bus(link, bus)) },
        })
    }

    /// The servos and their buses, as the file has them, or the command line.
    fn buses(&self) -> Result<Vec<Plain>, OptionsError> {
        let Some(file) = &self.config else {
            let mut bus = BusConfig::of(self.protocol, self.ids.0.iter().copied());
            for servo in &mut bus.servos {
                servo.position += self.posture_rad * bus.family.ticks_per_turn() / std::f64::consts::TAU;
                servo.load = self.gravity;
            }
            return Ok(vec![Plain { name: String::new(), baud_rate_bps: 1_000_000, bus }]);
        };
        let anywhere = |_: &str| "emulated".to_owned();
        let config =
            Config::read_hardware_at(file, &Parameters::new(), anywhere).map_err(|error| match error {
                ConfigError::File(_) => OptionsError::File(error),
                ConfigError::Parameters(_) => OptionsError::Parameters { file: file.clone(), error },
            })?;
        // Most arms can be emulated where their robot model cannot be found.
        let mimics = if config.hardware.mimic_servos.is_empty() {
            Vec::new()
        } else {
            let setup = robot_model(&config.arm).and_then(|model| arm_setup(&config, &model));
            setup.map_err(|error| OptionsError::Model { file: file.clone(), error: Box::new(error) })?.mimics
        };
        let posture = Posture { offset_rad: self.posture_rad, gravity: self.gravity };
        let buses = buses_of_arm(&config.hardware, &mimics, posture)?;
        let plain = |(bus, emulated): (&crate::config::hardware::BusConfig, BusConfig)| Plain {
            name: bus.name.clone(),
            baud_rate_bps: bus.baud_rate_bps,
            bus: emulated,
        };
        Ok(config.hardware.buses.iter().zip(buses).map(plain).collect())
    }

    /// A bus with all that the options say of it.
    fn wire(&self, plain: Plain) -> BusConfig {
        let Plain { baud_rate_bps, bus, .. } = plain;
        let family = bus.family;
        BusConfig {
            servos: bus.servos.into_iter().map(|servo| self.servo(family, servo)).collect(),
            pace_bps: self.pace.then(|| self.baud.unwrap_or(baud_rate_bps)),
            turnaround: Duration::from_micros(self.turnaround_us),
            echo: self.echo || bus.echo,
            pings_collide: self.pings_collide,
            after_missing: if self.silent_after_missing {
                AfterMissing::StaySilent
            } else {
                AfterMissing::AnswerLate
            },
            seed: self.seed,
            ..bus
        }
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

    fn servo(&self, family: FamilyName, servo: ServoConfig) -> ServoConfig {
        let mut servo = servo;
        servo.motor.backlash_ticks = self.backlash_deg * family.ticks_per_turn() / 360.0;
        servo.motor.bandwidth_hz = self.bandwidth_hz;
        servo.stubborn_overload = self.stubborn_overload;
        servo.knows_fast_reads = !self.no_fast_reads;
        servo.goal_while_off = if self.no_jump { GoalWhileOff::Present } else { GoalWhileOff::Kept };
        servo
    }
}

/// The address whose port is `index` behind that of `address`; any port stays any port. `None` behind the last.
fn nth_port(address: &str, index: usize) -> Option<String> {
    let port = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    match port {
        // What is no address is refused by whoever listens on it.
        None | Some((_, 0)) => Some(address.to_owned()),
        Some((host, port)) => Some(format!("{host}:{}", port.checked_add(u16::try_from(index).ok()?)?)),
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

    #[test]
    fn an_arm_of_several_buses_has_a_port_and_a_socket_for_each() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/mixed.yaml");
        let options = |more: &[&str]| {
            let words = ["servo_emulator", "--config", file.to_str().unwrap(), "--pace"];
            <Options as clap::Parser>::parse_from(words.iter().chain(more)).emulators()
        };
        let emulated = options(&["--link", "/tmp/arm", "--control", "/tmp/arm.ctl"]).unwrap();
        let [arm, wrist, gripper] = emulated.as_slice() else { panic!("{emulated:?}") };
        assert_eq!(
            (arm.name.as_str(), wrist.name.as_str(), gripper.name.as_str()),
            ("arm", "wrist", "gripper")
        );
        assert_eq!(wrist.endpoint, Endpoint::Pty { link: Some("/tmp/arm.wrist".into()) });
        assert_eq!(wrist.config.control, Some("/tmp/arm.ctl.wrist".into()));
        assert_eq!(
            [arm, wrist, gripper].map(|emulated| (emulated.config.bus.family, emulated.config.bus.pace_bps)),
            [
                (FamilyName::FeetechSts, Some(1_000_000)),
                (FamilyName::Dynamixel2, Some(1_000_000)),
                (FamilyName::Maestro, Some(115_200))
            ]
        );

        let ports = |address| {
            let emulated = options(&["--tcp", address])?;
            Ok(emulated.into_iter().map(|emulated| emulated.endpoint).collect::<Vec<_>>())
        };
        let tcp = |address: &str| Endpoint::Tcp(address.to_owned());
        let from_5000: Result<_, OptionsError> = ports("localhost:5000");
        assert_eq!(from_5000.unwrap(), ["localhost:5000", "localhost:5001", "localhost:5002"].map(tcp));
        assert_eq!(
            ports("localhost:0").unwrap(),
            [tcp("localhost:0"), tcp("localhost:0"), tcp("localhost:0")]
        );
        assert_eq!(
            ports("localhost:65534").unwrap_err().to_string(),
            "--tcp is localhost:65534, and the arm has 3 buses; give a port from which on there are as many, or port 0"
        );
    }
}
