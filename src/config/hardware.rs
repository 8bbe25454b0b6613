//! What the hardware node must know: the port, the servos on it, and what to do when things go wrong.

use std::time::Duration;

use super::declaration::Declaration;
use super::parameters::Value;
use super::watch::WatchConfig;
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
    /// How the servos are watched.
    pub watch: WatchConfig,
    /// Where the arm rests (rad or m, one for each joint), if it has such a place.
    pub rest_pose: Option<Vec<f64>>,
    /// What becomes of the arm when its commands do not come any more.
    pub on_command_loss: CommandLoss,
    /// What becomes of the arm when the node stops.
    pub on_shutdown: ArmEnd,
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
}

/// What servos speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Feetech STS and SMS.
    FeetechSts,
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
        Self {
            bus: bus(d),
            servos: joints.iter().map(|joint| servo(d, joint)).collect(),
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
        }
        .with_distinct_ids(d, joints)
        .with_rest_pose_where_needed(d)
    }

    fn with_rest_pose_where_needed(self, declaration: &mut Declaration<'_>) -> Self {
        let of_end = |name: &str, end: ArmEnd| (end == ArmEnd::Rest).then(|| name.to_owned());
        let who = of_end("on_shutdown", self.on_shutdown)
            .or_else(|| of_end("on_command_loss", self.on_command_loss.end))
            .or_else(|| self.watch.needs_rest_pose());
        if let Some(who) = who.filter(|_| self.rest_pose.is_none() && !declaration.has("rest_pose")) {
            let expected = format!("`{who}` is \"rest\", so it must have a position for each joint");
            declaration.refuse("rest_pose", Value::DoubleArray(Vec::new()), expected);
        }
        self
    }

    fn with_distinct_ids(self, declaration: &mut Declaration<'_>, joints: &[String]) -> Self {
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
    let protocols = [("feetech_sts", Protocol::FeetechSts)];
    BusConfig {
        protocol: d
            .one_of("protocol", "feetech_sts", &protocols, "What the servos speak: feetech_sts.")
            .unwrap_or(Protocol::FeetechSts),
        port: d.required("port", "Serial port of the bus, or tcp://HOST:PORT of a serial server."),
        baud_rate_bps: integer(d.integer_in(
            "baud_rate_bps",
            1_000_000,
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

fn servo(d: &mut Declaration<'_>, joint: &str) -> ServoConfig {
    let name = |key: &str| format!("servos.{joint}.{key}");
    let id: i64 = d.required(&name("id"), "The servo's id on the bus (1 to 253).");
    if !(1..=253).contains(&id) && d.has(&name("id")) {
        d.refuse(&name("id"), Value::Integer(id), "it must be from 1 to 253");
    }
    ServoConfig {
        id: u8::try_from(id).unwrap_or(0),
        calibration: Calibration {
            zero: Ticks(integer(d.integer_in(
                &name("zero_ticks"),
                2048,
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
                4096.0,
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
    }
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
fn integer<T: TryFrom<i64> + Default>(value: i64) -> T {
    T::try_from(value).unwrap_or_default()
}
