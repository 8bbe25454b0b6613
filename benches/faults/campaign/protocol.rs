//! What the servos of a campaign speak: how such an arm is set up, what can go wrong on its wires, and what can be seen.

use std::path::Path;
use std::time::Duration;

use servo_arm::config::parameters::{Parameters, Value, read};
use servo_arm::config::pwm::PwmBusConfig;
use servo_arm::config::{Config, Part};
use servo_arm::protocol::feetech::Id;
use servo_arm::servo::control_thread::ArmSetup;
use servo_arm::servo::emulator::{AfterMissing, BusConfig, FamilyName};
use servo_arm::servo::setup::{arm_setup, robot_model};

use crate::emulated_arm::register_servo;

/// What servos of the campaign speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Feetech STS, as on the SO-101.
    FeetechSts,
    /// Feetech SCS, which are asked one by one.
    FeetechScs,
    /// Dynamixels that answer in one frame.
    Dynamixel2,
    /// Dynamixels whose firmware does not know how.
    Dynamixel2Plain,
    /// LewanSoul LX-16A.
    Lx16a,
    /// PWM servos on a Maestro that checks what it is told.
    Maestro,
    /// PWM servos on a PCA9685.
    Pca9685,
    /// Half of the joints on a bus of Feetech STS servos, half of them on one of Dynamixels.
    SeveralBuses,
}

/// Every arm of the campaign has so many joints.
const JOINTS: [&str; 6] =
    ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"];
/// The names of several buses, and the first joint of each.
const BUSES: [(&str, FamilyName, usize); 2] =
    [("shoulder", FamilyName::FeetechSts, 0), ("wrist", FamilyName::Dynamixel2, 3)];

/// Damages of single answers, as the emulator's commands have them, with their shares of all.
const DAMAGES: [(&str, f64); 14] = [
    ("silent", 1.0),
    ("late ms=0.3", 0.3),
    ("late ms=1.5", 0.3),
    ("late ms=6", 0.4),
    ("truncated", 1.0),
    ("corrupt", 1.0),
    ("noise", 1.0),
    ("duplicate", 1.0),
    ("wrong_id", 1.0),
    ("stale", 1.0),
    ("dribble ms=0.05", 0.5),
    ("dribble ms=0.5", 0.5),
    ("alarm bits=overload", 0.5),
    ("alarm bits=voltage,overheat", 0.5),
];

impl Protocol {
    /// All of them.
    pub(crate) const ALL: [Self; 8] = [
        Self::FeetechSts,
        Self::FeetechScs,
        Self::Dynamixel2,
        Self::Dynamixel2Plain,
        Self::Lx16a,
        Self::Maestro,
        Self::Pca9685,
        Self::SeveralBuses,
    ];

    /// Its name on the command line and in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dynamixel2Plain => "dynamixel2_plain",
            Self::SeveralBuses => "several_buses",
            _ => self.family().name(),
        }
    }

    /// What most of its servos are.
    fn family(self) -> FamilyName {
        match self {
            Self::FeetechSts | Self::SeveralBuses => FamilyName::FeetechSts,
            Self::FeetechScs => FamilyName::FeetechScs,
            Self::Dynamixel2 | Self::Dynamixel2Plain => FamilyName::Dynamixel2,
            Self::Lx16a => FamilyName::Lx16a,
            Self::Maestro => FamilyName::Maestro,
            Self::Pca9685 => FamilyName::Pca9685,
        }
    }

    /// Whether its servos hang on a board and tell nothing of themselves: where they are is a model, which nothing can
    /// hold against them; they jump to it at their first pulse; and they lose their supply together with the board.
    pub(crate) fn is_of_a_board(self) -> bool {
        matches!(self, Self::Maestro | Self::Pca9685)
    }

    /// Whether servos can find out that a request is not what was sent. Where nobody can, a wrong bit is a wrong goal,
    /// whatever a driver does.
    pub(crate) fn checks_requests(self) -> bool {
        self != Self::Pca9685
    }

    /// Whether answers have room for alarms.
    pub(crate) fn has_alarms(self) -> bool {
        self != Self::Lx16a && !self.is_of_a_board()
    }

    /// Counts of the joint's calibration for one of the servo's registers.
    pub(crate) fn ticks_a_count(self) -> f64 {
        // The registers of an emulated PWM servo count µs, and a joint quarters of them.
        if self.is_of_a_board() { 4.0 } else { 1.0 }
    }

    /// How many ticks apart goals are that a servo can tell apart.
    pub(crate) fn coarseness(self) -> f64 {
        match self {
            // A count of 20 ms in 4096.
            Self::Pca9685 => 20.0,
            Self::Maestro => 4.0,
            _ => 1.0,
        }
    }

    /// The damages of answers, each with its part of all.
    pub(crate) fn damages(self) -> Vec<(&'static str, f64)> {
        let is_known = |damage: &str| match damage.split(' ').next() {
            Some("alarm") => self.has_alarms(),
            // The answer of a board has no id.
            Some("wrong_id") => !self.is_of_a_board(),
            _ => true,
        };
        let damages = DAMAGES.into_iter().filter(|(damage, _)| is_known(damage));
        let sum: f64 = damages.clone().map(|(_, share)| share).sum();
        damages.map(|(damage, share)| (damage, share / sum)).collect()
    }

    /// Whether its line can give the host's own bytes back.
    pub(crate) fn may_echo(self) -> bool {
        !self.is_of_a_board() && !matches!(self, Self::Lx16a | Self::SeveralBuses)
    }

    /// The servos, bus by bus in the order of the joints.
    pub(crate) fn buses(self, echo: bool, after_missing: AfterMissing, seed: u64) -> Vec<BusConfig> {
        let bus = |family: FamilyName, count: usize| {
            let first = if self.is_of_a_board() { 0 } else { 1 };
            let ids = (first..).take(count).filter_map(|id| Id::new(id).ok());
            let mut bus = BusConfig {
                pace_bps: Some(self.baud_rate_bps()),
                echo,
                after_missing,
                turnaround: Duration::from_micros(30),
                seed,
                ..BusConfig::of(family, ids)
            };
            for servo in &mut bus.servos {
                servo.knows_fast_reads = self != Self::Dynamixel2Plain;
            }
            bus
        };
        match self {
            Self::SeveralBuses => {
                BUSES.map(|(_, family, _)| bus(family, JOINTS.len() / BUSES.len())).to_vec()
            }
            Self::Maestro => {
                let mut bus = bus(self.family(), JOINTS.len());
                bus.board = PwmBusConfig { crc: true, ..PwmBusConfig::default() };
                // As it is sold it switches all servos off when it hears something wrong.
                bus.servos.iter_mut().for_each(|servo| servo.registers.push(("home_us", -1)));
                vec![bus]
            }
            _ => vec![bus(self.family(), JOINTS.len())],
        }
    }

    fn baud_rate_bps(self) -> u32 {
        if self.is_of_a_board() || self == Self::Lx16a { 115_200 } else { 1_000_000 }
    }

    /// The arm on those ports.
    pub(crate) fn setup(self, ports: &[&str], echo: bool) -> ArmSetup {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = match self {
            Self::Lx16a | Self::Maestro | Self::Pca9685 => self.name(),
            _ => "so101",
        };
        let mut given = read(&root.join(format!("config/{file}.yaml")), "/hardware_node").unwrap();
        let urdf = root.join("urdf/so101.urdf").display().to_string();
        given.insert("urdf".into(), Value::String(urdf));
        given.insert("torque_on_start".into(), Value::Bool(false));
        given.insert("torque_ramp_s".into(), Value::Double(0.2));
        match self {
            Self::SeveralBuses => several_buses(&mut given, ports),
            _ => {
                given.insert("port".into(), Value::String(ports[0].to_owned()));
                given.extend(echo.then(|| ("echo".to_owned(), Value::Bool(true))));
            }
        }
        match self {
            Self::FeetechScs | Self::Dynamixel2 | Self::Dynamixel2Plain => {
                given.insert("protocol".into(), Value::String(self.family().name().to_owned()));
                given.extend(JOINTS.into_iter().flat_map(|joint| servo_of(self.family(), joint)));
            }
            Self::Maestro => drop(given.insert("maestro.crc".into(), Value::Bool(true))),
            _ => {}
        }
        let config = Config::new(&given, &[Part::Hardware]).unwrap();
        arm_setup(&config, &robot_model(&config.arm).unwrap()).unwrap()
    }
}

fn several_buses(given: &mut Parameters, ports: &[&str]) {
    for key in ["protocol", "port", "baud_rate_bps", "echo", "adapter_latency_s"] {
        given.remove(key);
    }
    let text = |text: &str| Value::String(text.to_owned());
    let names = BUSES.map(|(name, ..)| name.to_owned());
    given.insert("buses".into(), Value::StringArray(names.to_vec()));
    for ((name, family, first), port) in BUSES.into_iter().zip(ports) {
        given.insert(format!("bus.{name}.protocol"), text(family.name()));
        given.insert(format!("bus.{name}.port"), text(port));
        for (id, joint) in (1..).zip(JOINTS[first..].iter().take(JOINTS.len() / BUSES.len())) {
            given.insert(format!("servos.{joint}.bus"), text(name));
            given.insert(format!("servos.{joint}.id"), Value::Integer(id));
            given.extend(servo_of(family, joint));
        }
    }
}

/// What is to be said of a joint whose servo is of that family, as it is emulated.
fn servo_of(family: FamilyName, joint: &str) -> [(String, Value); 3] {
    match family {
        FamilyName::FeetechScs => register_servo(joint, "scs0009", 1024),
        FamilyName::Dynamixel2 => register_servo(joint, "xm430-w350", 4096),
        _ => register_servo(joint, "sts3215", 4096),
    }
}
