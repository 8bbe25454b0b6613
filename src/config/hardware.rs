//! What the hardware node must know: the port, the servos on it, and what to do when things go wrong.

use std::time::Duration;

use super::declaration::Declaration;
use super::parameters::Value;
use super::pwm::{self, PwmBusConfig, PwmServo};
use crate::units::{Calibration, Ticks};

/// The configuration of one servo bus and its servos.
#[derive(Clone, Debug, PartialEq)]
pub struct HardwareConfig {
    /// The bus.
    pub bus: BusConfig,
    /// One for each joint, in the arm's order.
    pub servos: Vec<ServoConfig>,
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
    /// Temperature that is reported as a warning (°C).
    pub temperature_warn_degc: f64,
    /// What becomes of the torque when the node stops.
    pub on_shutdown: TorquePolicy,
    /// What becomes of the torque at a fault.
    pub on_fault: TorquePolicy,
    /// How the control thread runs.
    pub realtime: RealtimeConfig,
    /// Whether `arm_node` hosts `ik_node` too.
    pub has_ik_node: bool,
}

/// One bus.
#[derive(Clone, Debug, PartialEq)]
pub struct BusConfig {
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
    /// The board, where the servos are PWM servos.
    pub pwm: PwmBusConfig,
}

/// What servos speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Feetech STS and SMS.
    FeetechSts,
    /// LewanSoul and Hiwonder LX-16A and its kin.
    Lx16a,
    /// PWM servos on a Pololu Maestro.
    Maestro,
    /// PWM servos on a PCA9685.
    Pca9685,
}

impl Protocol {
    /// Each with its name in configurations.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("feetech_sts", Self::FeetechSts),
        ("lx16a", Self::Lx16a),
        ("maestro", Self::Maestro),
        ("pca9685", Self::Pca9685),
    ];

    /// Whether its servos are told by pulses, and tell nothing.
    pub fn is_pwm(self) -> bool {
        matches!(self, Self::Maestro | Self::Pca9685)
    }

    /// Bits a second, where nothing else is said.
    fn baud_rate_bps(self) -> i64 {
        match self {
            Self::FeetechSts => 1_000_000,
            Self::Lx16a | Self::Maestro | Self::Pca9685 => 115_200,
        }
    }

    /// Ticks of the middle, and of one turn, where nothing else is said.
    fn ticks(self) -> (i64, f64) {
        match self {
            Self::Lx16a => (500, 1500.0),
            _ => (2048, 4096.0),
        }
    }
}

/// One servo and the joint that it moves.
#[derive(Clone, Debug, PartialEq)]
pub struct ServoConfig {
    /// The servo's id on the bus.
    pub id: u8,
    /// How its ticks and the joint's radians go together.
    pub calibration: Calibration,
    /// The most torque it may use, as a part of what it can (0..=1).
    pub torque_limit: f64,
    /// Its pulses, where it is a PWM servo; then it has no id, and what is above means nothing.
    pub pwm: Option<PwmServo>,
}

/// What becomes of the torque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TorquePolicy {
    /// The servos keep holding their last goal.
    Hold,
    /// The servos let go; an arm under gravity falls.
    Release,
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
        let bus = bus(d);
        Self {
            servos: joints.iter().map(|joint| servo(d, joint, &bus)).collect(),
            bus,
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
            temperature_warn_degc: d.number_in(
                "temperature_warn_degc",
                60.0,
                0.0..=150.0,
                "Temperature that is reported as a warning (degrees Celsius).",
            ),
            on_shutdown: d
                .one_of(
                    "on_shutdown",
                    "hold",
                    &policies,
                    "Torque when the node stops: hold or release; a released arm falls.",
                )
                .unwrap_or(TorquePolicy::Hold),
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
        }
        .with_distinct_ids(d, joints)
    }

    fn with_distinct_ids(self, declaration: &mut Declaration<'_>, joints: &[String]) -> Self {
        pwm::distinct_channels(declaration, joints.iter().zip(self.servos.iter().map(|servo| servo.pwm)));
        for (i, servo) in self.servos.iter().enumerate() {
            let twin = self.servos[..i].iter().position(|other| other.id == servo.id);
            if let Some(twin) = twin.filter(|_| servo.id != 0) {
                let name = format!("servos.{}.id", joints[i]);
                let expected =
                    format!("each servo has its own id, and joint `{}` has this one", joints[twin]);
                declaration.refuse(&name, Value::Integer(servo.id.into()), expected);
            }
        }
        self
    }
}

fn bus(d: &mut Declaration<'_>) -> BusConfig {
    let about = "What the servos speak: feetech_sts, lx16a, maestro or pca9685.";
    let protocol =
        d.one_of("protocol", "feetech_sts", &Protocol::NAMES, about).unwrap_or(Protocol::FeetechSts);
    BusConfig {
        protocol,
        pwm: pwm::bus(d, protocol),
        port: d.required("port", "Serial port of the bus, or tcp://HOST:PORT of a serial server."),
        baud_rate_bps: integer(d.integer_in(
            "baud_rate_bps",
            protocol.baud_rate_bps(),
            9600..=4_500_000,
            "Speed of the bus (bit/s).",
        )),
        echo: d.or("echo", false, "Whether the adapter gives our own bytes back."),
        adapter_latency: secs(
            d,
            "adapter_latency_s",
            0.0,
            0.1,
            "What the adapter holds bytes back (s); 0.016 for an untuned FTDI.",
        ),
    }
}

fn servo(d: &mut Declaration<'_>, joint: &str, bus: &BusConfig) -> ServoConfig {
    let name = |key: &str| format!("servos.{joint}.{key}");
    if bus.protocol.is_pwm() {
        return pwm_servo(d, joint, bus);
    }
    let (middle, turn) = bus.protocol.ticks();
    let id: i64 = d.required(&name("id"), "The servo's id on the bus (1 to 253).");
    if !(1..=253).contains(&id) && d.has(&name("id")) {
        d.refuse(&name("id"), Value::Integer(id), "it must be from 1 to 253");
    }
    ServoConfig {
        id: u8::try_from(id).unwrap_or(0),
        calibration: Calibration {
            zero: Ticks(integer(d.integer_in(
                &name("zero_ticks"),
                middle,
                -32767..=32767,
                "Where the joint's zero is (ticks).",
            ))),
            reversed: d.or(
                &name("reversed"),
                false,
                "Whether growing ticks turn the joint the negative way.",
            ),
            ticks_per_turn: d.number_in(
                &name("ticks_per_turn"),
                turn,
                1.0..=1e7,
                "Ticks of one turn of the joint.",
            ),
        },
        torque_limit: d.number_in(
            &name("torque_limit"),
            1.0,
            0.0..=1.0,
            "The most torque, as a part of what the servo can (0 to 1).",
        ),
        pwm: None,
    }
}

/// A servo without id, ticks or torque limit.
fn pwm_servo(d: &mut Declaration<'_>, joint: &str, bus: &BusConfig) -> ServoConfig {
    ServoConfig {
        id: 0,
        calibration: Calibration { zero: Ticks(0), reversed: false, ticks_per_turn: 1.0 },
        torque_limit: 1.0,
        pwm: Some(pwm::servo(d, joint, bus.pwm.channels)),
    }
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
fn integer<T: TryFrom<i64> + Default>(value: i64) -> T {
    T::try_from(value).unwrap_or_default()
}
