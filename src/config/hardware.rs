//! What the hardware node must know: the buses, the servos on them, and what to do when things go wrong.

use std::time::Duration;

use super::common;
use super::declaration::Declaration;
use super::parameters::{Parameters, Value};
use super::pwm::{self, PwmBusConfig};
use super::servos;
pub use super::servos::{FurtherServo, MimicServo, Recorded, ServoConfig};
use super::watch::WatchConfig;
use crate::protocol::registers::Family;

/// The configuration of an arm's buses and servos.
#[derive(Clone, Debug, PartialEq)]
pub struct HardwareConfig {
    /// What moves the joints.
    pub backend: Backend,
    /// The buses, one at least; most arms have one.
    pub buses: Vec<BusConfig>,
    /// One for each joint, in the arm's order.
    pub servos: Vec<ServoConfig>,
    /// Servos that help another one to move its joint.
    pub further_servos: Vec<FurtherServo>,
    /// Servos of joints that mimic one of the arm's.
    pub mimic_servos: Vec<MimicServo>,
    /// How long what a slower bus said last counts as new, while it is being asked again.
    pub state_age_limit: Duration,
    /// Whether the servos are looked for at the start, rather than when somebody asks for it.
    pub autostart: bool,
    /// Whether torque comes on by itself once every servo answers.
    pub torque_on_start: bool,
    /// How long the torque limit takes from its least to its whole value.
    pub torque_ramp: Duration,
    /// Commands older than this are lost, and the arm holds.
    pub command_timeout: Duration,
    /// After torque came on, commands farther than this from where the arm is are not obeyed (rad).
    pub command_guard_rad: f64,
    /// How many cycles in a row a servo may be silent before the arm is degraded.
    pub misses_to_degraded: u32,
    /// How many cycles in a row a servo may be silent before the arm is faulted.
    pub misses_to_fault: u32,
    /// How the servos are watched.
    pub watch: WatchConfig,
    /// Where the arm rests (rad or m, one for each joint), if it has such a place.
    pub rest_pose: Option<Vec<f64>>,
    /// What becomes of the arm when its commands do not come any more.
    pub on_command_loss: CommandLoss,
    /// What becomes of the arm when it is deactivated.
    pub on_deactivate: ArmEnd,
    /// What becomes of the arm when the node stops.
    pub on_shutdown: ArmEnd,
    /// What becomes of the torque at a fault.
    pub on_fault: TorquePolicy,
    /// How the control thread runs.
    pub realtime: RealtimeConfig,
    /// Whether `arm_node` hosts `ik_node` too.
    pub has_ik_node: bool,
    /// How often transforms are published, and the robot's description with them; `None` where another node does it.
    pub robot_state: Option<Duration>,
}

/// What moves an arm's joints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Servos, or the emulator.
    Servos,
    /// Gazebo, which knows no buses and no servos.
    Gazebo,
}

/// One bus.
#[derive(Clone, Debug, PartialEq)]
pub struct BusConfig {
    /// What it is called among several; empty for an arm's only one.
    pub name: String,
    /// What its servos speak.
    pub protocol: Protocol,
    /// A serial device, or `tcp://HOST:PORT` for a serial server.
    pub port: String,
    /// Bits a second on the bus.
    pub baud_rate_bps: u32,
    /// Whether the adapter gives our own bytes back before the answers.
    pub echo: bool,
    /// What the adapter may hold back before it hands bytes on; 16 ms for an FTDI as Linux finds it.
    pub adapter_latency: Duration,
    /// How long servos that can tell go on without their host before they stop by themselves; zero: for ever.
    pub watchdog: Duration,
    /// Whether servos with indirect addresses tell supply, temperature and errors in each cycle, too.
    pub gather_telemetry: bool,
    /// The board, where the servos are PWM servos.
    pub pwm: PwmBusConfig,
}

/// The most buses that one arm can have; each but the first has a thread.
pub const MAX_BUSES: usize = 8;

/// The most servos that one of several buses can have; what crosses between threads has a fixed size.
pub const MAX_BUS_SERVOS: usize = 32;

/// What servos speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Feetech STS and SMS.
    FeetechSts,
    /// Feetech SCS.
    FeetechScs,
    /// Dynamixel Protocol 2.0.
    Dynamixel2,
    /// LewanSoul and Hiwonder LX-16A and its kin.
    Lx16a,
    /// PWM servos on a Pololu Maestro.
    Maestro,
    /// PWM servos on a PCA9685.
    Pca9685,
}

impl Protocol {
    /// Each with its name in configurations.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("feetech_sts", Self::FeetechSts),
        ("feetech_scs", Self::FeetechScs),
        ("dynamixel2", Self::Dynamixel2),
        ("lx16a", Self::Lx16a),
        ("maestro", Self::Maestro),
        ("pca9685", Self::Pca9685),
    ];

    /// The family of register servos that speaks it.
    pub fn family(self) -> Option<Family> {
        match self {
            Self::FeetechSts => Some(Family::FeetechSts),
            Self::FeetechScs => Some(Family::FeetechScs),
            Self::Dynamixel2 => Some(Family::Dynamixel2),
            Self::Lx16a | Self::Maestro | Self::Pca9685 => None,
        }
    }

    /// Its name in configurations.
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(_, protocol)| *protocol == self).map_or("", |(name, _)| name)
    }

    /// Whether its servos are told by pulses, and tell nothing.
    pub fn is_pwm(self) -> bool {
        matches!(self, Self::Maestro | Self::Pca9685)
    }

    /// Bits a second, where nothing else is said.
    fn baud_rate_bps(self) -> i64 {
        match self {
            Self::FeetechSts | Self::FeetechScs | Self::Dynamixel2 => 1_000_000,
            Self::Lx16a | Self::Maestro | Self::Pca9685 => 115_200,
        }
    }

    /// The tick of the middle, and the ticks of one turn, where neither a parameter nor a register map says so.
    pub(super) fn ticks(self) -> (i64, f64) {
        match self {
            Self::Lx16a => (500, 1500.0),
            _ => (2048, 4096.0),
        }
    }
}

/// What becomes of the torque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TorquePolicy {
    /// The servos keep holding their last goal.
    Hold,
    /// The servos let go; an arm under gravity falls.
    Release,
}

/// What becomes of an arm that nobody moves any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArmEnd {
    /// The servos keep holding their last goal.
    Hold,
    /// The arm goes to its rest pose, and the servos hold it there.
    Rest,
    /// The servos let go; an arm under gravity falls.
    Release,
}

/// What becomes of an arm whose commands do not come any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandLoss {
    /// How long after the last command; `None` for never, and the arm holds.
    pub after: Option<Duration>,
    /// What happens then.
    pub end: ArmEnd,
}

/// How the control thread asks the operating system to run it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RealtimeConfig {
    /// Priority under SCHED_FIFO, 1..=99; `None` for the ordinary scheduler.
    pub fifo_priority: Option<u8>,
    /// Whether all memory is locked into RAM.
    pub lock_memory: bool,
    /// The processors that the thread may use; empty for all.
    pub cpu_affinity: Vec<usize>,
    /// How long around the moment when answers are due the thread watches the wire instead of sleeping.
    pub busy_wait: Duration,
}

impl HardwareConfig {
    /// Declares and reads the parameters of the hardware node for the arm's `joints`.
    pub fn declare(declaration: &mut Declaration<'_>, joints: &[String]) -> Self {
        let d = declaration;
        let policies = [("hold", TorquePolicy::Hold), ("release", TorquePolicy::Release)];
        let ends = [("hold", ArmEnd::Hold), ("rest", ArmEnd::Rest), ("release", ArmEnd::Release)];
        let backends = [("servos", Backend::Servos), ("gazebo", Backend::Gazebo)];
        let about =
            "What moves the joints: servos, or gazebo by topics of ros_gz_bridge; that needs use_sim_time.";
        let backend = d.one_of("backend", "servos", &backends, about).unwrap_or(Backend::Servos);
        d.spare(backend == Backend::Gazebo);
        let buses = buses(d);
        let servos::Servos { servos, further, mimics } = servos::declare(d, &buses, joints);
        d.spare(false);
        Self {
            backend,
            servos,
            further_servos: further,
            mimic_servos: mimics,
            state_age_limit: secs(
                d,
                "state_age_limit_s",
                0.05,
                1.0,
                "How long the sample of a bus that is slower than the arm's cycle, or of Gazebo, counts as new (s).",
            ),
            buses,
            autostart: common::autostart(d),
            torque_on_start: d.or(
                "torque_on_start",
                true,
                "Whether torque comes on by itself once every servo answers.",
            ),
            torque_ramp: secs(
                d,
                "torque_ramp_s",
                0.5,
                10.0,
                "How long the torque limit takes to its whole value (s).",
            ),
            command_timeout: secs(
                d,
                "command_timeout_s",
                0.1,
                10.0,
                "Commands older than this are lost, and the arm holds (s).",
            ),
            command_guard_rad: d.number_in(
                "command_guard_rad",
                0.2,
                0.0..=f64::INFINITY,
                "After torque came on, commands farther than this from the arm are not obeyed (rad).",
            ),
            misses_to_degraded: integer(d.integer_in(
                "misses_to_degraded",
                10,
                1..=100_000,
                "Cycles in a row without a servo's answer until the arm is degraded.",
            )),
            misses_to_fault: integer(d.integer_in(
                "misses_to_fault",
                100,
                1..=1_000_000,
                "Cycles in a row without a servo's answer until the arm is faulted.",
            )),
            watch: WatchConfig::declare(d, joints),
            rest_pose: rest_pose(d, joints),
            on_command_loss: CommandLoss {
                after: Some(secs(
                    d,
                    "command_loss_s",
                    0.0,
                    3600.0,
                    "So long after the last of joint_commands the arm does what on_command_loss says (s); 0 for never.",
                ))
                .filter(|after| !after.is_zero()),
                end: d
                    .one_of(
                        "on_command_loss",
                        "hold",
                        &ends,
                        "The arm when joint_commands ended: hold, rest (in rest_pose) or release; a released arm falls.",
                    )
                    .unwrap_or(ArmEnd::Hold),
            },
            on_deactivate: d
                .one_of(
                    "on_deactivate",
                    "hold",
                    &ends,
                    "The arm when it is deactivated: hold, rest (in rest_pose) or release; a released arm falls.",
                )
                .unwrap_or(ArmEnd::Hold),
            on_shutdown: d
                .one_of(
                    "on_shutdown",
                    "hold",
                    &ends,
                    "The arm when the node stops: hold, rest (in rest_pose) or release; a released arm falls.",
                )
                .unwrap_or(ArmEnd::Hold),
            on_fault: d
                .one_of(
                    "on_fault",
                    "hold",
                    &policies,
                    "Torque at a fault: hold or release; a released arm falls.",
                )
                .unwrap_or(TorquePolicy::Hold),
            realtime: realtime(d),
            has_ik_node: d.or("has_ik_node", true, "Whether arm_node hosts ik_node too."),
            robot_state: robot_state(d),
        }
        .with_rest_pose_where_needed(d)
    }

    fn with_rest_pose_where_needed(self, declaration: &mut Declaration<'_>) -> Self {
        let of_end = |name: &str, end: ArmEnd| (end == ArmEnd::Rest).then(|| name.to_owned());
        let who = of_end("on_shutdown", self.on_shutdown)
            .or_else(|| of_end("on_deactivate", self.on_deactivate))
            .or_else(|| of_end("on_command_loss", self.on_command_loss.end))
            .or_else(|| self.watch.needs_rest_pose());
        if let Some(who) = who.filter(|_| self.rest_pose.is_none() && !declaration.has("rest_pose")) {
            let expected = format!("`{who}` is \"rest\", so it must have a position for each joint");
            declaration.refuse("rest_pose", Value::DoubleArray(Vec::new()), expected);
        }
        self
    }
}

/// The names of the buses that an arm has by what was given; an only one may have no name.
pub(super) fn bus_names(given: &Parameters) -> Vec<String> {
    match given.get("buses") {
        Some(Value::StringArray(names)) if !names.is_empty() => names.clone(),
        _ => vec![String::new()],
    }
}

/// The parameter that says on which port a bus is; an arm's only bus may have no name.
pub fn port_parameter(bus: &str) -> String {
    if bus.is_empty() { "port".to_owned() } else { format!("bus.{bus}.port") }
}

/// Keys of a bus; without a list of buses they stand at the top.
const BUS_KEYS: [&str; 7] =
    ["protocol", "port", "baud_rate_bps", "echo", "adapter_latency_s", "bus_watchdog_s", "gather_telemetry"];

fn buses(d: &mut Declaration<'_>) -> Vec<BusConfig> {
    let about = "Names of the buses of an arm that has several; each is described under bus.<name>. None: there is one.";
    let names: Vec<String> = d.or("buses", Vec::new(), about);
    if names.is_empty() {
        return vec![bus(d, "", "")];
    }
    let is_word = |name: &String| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
    };
    let twin = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name));
    if let Some((_, twin)) = twin {
        let expected = format!("each bus must be named once, and `{twin}` is named twice");
        d.refuse("buses", Value::StringArray(names.clone()), expected);
    } else if let Some(name) = names.iter().find(|name| !is_word(name)) {
        let expected = format!("`{name}` must be made of letters, digits, _ and -");
        d.refuse("buses", Value::StringArray(names.clone()), expected);
    } else if MAX_BUSES < names.len() {
        let expected = format!("an arm has at most {MAX_BUSES} buses, and these are {}", names.len());
        d.refuse("buses", Value::StringArray(names.clone()), expected);
    }
    for key in BUS_KEYS.into_iter().filter(|key| d.has(key)).collect::<Vec<_>>() {
        let value = d.accept(key, "For an arm with one bus.");
        let expected = format!("with `buses` it is said of each of them, as bus.{}.{key}", names[0]);
        d.refuse(key, value.unwrap_or(Value::String(String::new())), expected);
    }
    names.iter().map(|name| bus(d, name, &format!("bus.{name}."))).collect()
}

fn bus(d: &mut Declaration<'_>, bus: &str, prefix: &str) -> BusConfig {
    let key = |key: &str| format!("{prefix}{key}");
    let about = "What the servos speak: feetech_sts, feetech_scs, dynamixel2, lx16a, maestro or pca9685.";
    let protocol = d.one_of(&key("protocol"), "feetech_sts", &Protocol::NAMES, about);
    let protocol = protocol.unwrap_or(Protocol::FeetechSts);
    BusConfig {
        name: bus.to_owned(),
        protocol,
        pwm: pwm::bus(d, prefix, protocol),
        port: d.required(&key("port"), "Serial port of the bus, or tcp://HOST:PORT of a serial server."),
        baud_rate_bps: integer(d.integer_in(
            &key("baud_rate_bps"),
            protocol.baud_rate_bps(),
            9600..=4_500_000,
            "Speed of the bus (bit/s).",
        )),
        echo: d.or(&key("echo"), false, "Whether the adapter gives our own bytes back."),
        adapter_latency: secs(
            d,
            &key("adapter_latency_s"),
            0.0,
            0.1,
            "What the adapter holds bytes back (s); 0.016 for an untuned FTDI.",
        ),
        watchdog: secs(
            d,
            &key("bus_watchdog_s"),
            0.5,
            2.54,
            "How long servos that have a bus watchdog go on without their host (s); 0 for ever.",
        ),
        gather_telemetry: gather_telemetry(d, &key("gather_telemetry"), protocol),
    }
}

fn gather_telemetry(d: &mut Declaration<'_>, key: &str, protocol: Protocol) -> bool {
    let about =
        "Whether Dynamixels tell supply, temperature and errors in each cycle, by indirect addresses.";
    let gathers = d.or(key, false, about);
    if gathers && protocol != Protocol::Dynamixel2 {
        let expected = "only servos that speak dynamixel2 have indirect addresses; leave it out";
        d.refuse(key, Value::Bool(true), expected);
    }
    gathers
}

fn robot_state(d: &mut Declaration<'_>) -> Option<Duration> {
    let is_published = d.or(
        "publish_robot_state",
        false,
        "Whether /tf, /tf_static and robot_description are published here, in place of robot_state_publisher.",
    );
    let frequency_hz = d.number_in(
        "publish_frequency",
        20.0,
        0.1..=1000.0,
        "How often /tf is published at most (Hz), as robot_state_publisher's.",
    );
    is_published.then(|| Duration::from_secs_f64(1.0 / frequency_hz))
}

fn rest_pose(d: &mut Declaration<'_>, joints: &[String]) -> Option<Vec<f64>> {
    let about = "Where the arm rests: a position for each of `joints` (rad or m), within their limits.";
    let pose: Vec<f64> = d.optional("rest_pose", about)?;
    if pose.len() != joints.len() || pose.iter().any(|position| !position.is_finite()) {
        let expected = format!("it must have a finite position for each of the {} joints", joints.len());
        d.refuse("rest_pose", Value::DoubleArray(pose), expected);
        return None;
    }
    Some(pose)
}

fn realtime(d: &mut Declaration<'_>) -> RealtimeConfig {
    let priority = d.integer_in(
        "realtime.fifo_priority",
        0,
        0..=99,
        "SCHED_FIFO priority of the control thread; 0 for none.",
    );
    let affinity: Vec<i64> =
        d.or("realtime.cpu_affinity", Vec::new(), "Processors of the control thread; none for all.");
    if affinity.iter().any(|cpu| !(0..1024).contains(cpu)) {
        d.refuse(
            "realtime.cpu_affinity",
            Value::IntegerArray(affinity.clone()),
            "processors are numbered from 0",
        );
    }
    RealtimeConfig {
        fifo_priority: Some(integer(priority)).filter(|priority| 0 < *priority),
        lock_memory: d.or("realtime.lock_memory", false, "Whether all memory is locked into RAM."),
        cpu_affinity: affinity.into_iter().filter_map(|cpu| usize::try_from(cpu).ok()).collect(),
        busy_wait: secs(
            d,
            "realtime.busy_wait_s",
            0.0,
            0.001,
            "How long around the moment when answers are due the control thread watches the wire instead of sleeping (s).",
        ),
    }
}

fn secs(d: &mut Declaration<'_>, name: &str, default: f64, most: f64, about: &'static str) -> Duration {
    Duration::from_secs_f64(d.number_in(name, default, 0.0..=most, about))
}

/// A number whose range was checked when it was read.
pub(super) fn integer<T: TryFrom<i64> + Default>(value: i64) -> T {
    T::try_from(value).unwrap_or_default()
}
