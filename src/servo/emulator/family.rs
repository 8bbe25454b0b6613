//! What a family of servos is to the wire, and one servo to whoever makes things happen to it.
//!
//! The wire knows bytes and when they pass; a family finds the requests in them, carries them out and gives the
//! answers. A new family is a [`Family`], its servos are [`EmulatedServo`]s, and a line in each method of
//! [`FamilyName`].

use std::time::Duration;

use crate::config::hardware::Protocol;
use crate::protocol::feetech::{Alarms, Id};
use crate::units::Time;

use super::bus::BusConfig;
use super::dynamixel::Dynamixel;
use super::faults::Shape;
use super::feetech::Feetech;
use super::lx16a::Lx16a;
use super::maestro::Maestro;
use super::motor::{Motor, MotorConfig};
use super::pca9685::Pca9685;
use super::pwm_servo::{MIDDLE_US, US_PER_TURN};
use super::wire::Wire;

/// The families that can be emulated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FamilyName {
    /// Feetech STS and SMS: STS3215.
    #[default]
    FeetechSts,
    /// Feetech SCS: SCS0009.
    FeetechScs,
    /// Dynamixel X with Protocol 2.0: XM430-W350.
    Dynamixel2,
    /// LewanSoul and Hiwonder LX-16A.
    Lx16a,
    /// PWM servos on a Pololu Maestro.
    Maestro,
    /// PWM servos on a PCA9685.
    Pca9685,
}

impl FamilyName {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::FeetechSts, Self::FeetechScs, Self::Dynamixel2, Self::Lx16a, Self::Maestro, Self::Pca9685];

    /// The name in a parameter file and on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::FeetechSts => "feetech_sts",
            Self::FeetechScs => "feetech_scs",
            Self::Dynamixel2 => "dynamixel2",
            Self::Lx16a => "lx16a",
            Self::Maestro => "maestro",
            Self::Pca9685 => "pca9685",
        }
    }

    /// The family of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }

    /// The family that the servos of a configured bus are of.
    pub fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::FeetechSts => Self::FeetechSts,
            Protocol::FeetechScs => Self::FeetechScs,
            Protocol::Dynamixel2 => Self::Dynamixel2,
            Protocol::Lx16a => Self::Lx16a,
            Protocol::Maestro => Self::Maestro,
            Protocol::Pca9685 => Self::Pca9685,
        }
    }

    /// A servo of the family, in the middle, with nothing pulling at it.
    pub fn servo(self, id: Id) -> ServoConfig {
        match self {
            Self::FeetechSts => ServoConfig::new(id),
            Self::FeetechScs => {
                let motor = MotorConfig::default().with_ticks(0.25);
                ServoConfig { position: self.middle(), voltage: 6.0, motor, ..ServoConfig::new(id) }
            }
            Self::Dynamixel2 => {
                let motor =
                    MotorConfig { max_speed_ticks_s: 3140.0, stall_current_a: 2.3, ..MotorConfig::default() };
                ServoConfig { voltage: 12.0, motor, ..ServoConfig::new(id) }
            }
            Self::Lx16a | Self::Maestro | Self::Pca9685 => {
                ServoConfig::turned(id, self.middle(), self.ticks_per_turn())
            }
        }
    }

    /// Where a servo stands in its middle (ticks).
    pub fn middle(self) -> f64 {
        match self {
            Self::FeetechSts | Self::Dynamixel2 => 2048.0,
            Self::FeetechScs => 512.0,
            Self::Lx16a => 500.0,
            Self::Maestro | Self::Pca9685 => MIDDLE_US,
        }
    }

    /// The register that says which model a servo is, where the family has one.
    pub(super) fn model_register(self) -> Option<&'static str> {
        match self {
            Self::FeetechSts | Self::FeetechScs => Some("model"),
            Self::Dynamixel2 => Some("model_number"),
            Self::Lx16a | Self::Maestro | Self::Pca9685 => None,
        }
    }

    /// What a turn of the servo is in its ticks.
    pub fn ticks_per_turn(self) -> f64 {
        match self {
            Self::FeetechSts | Self::Dynamixel2 => 4096.0,
            Self::FeetechScs => 1024.0,
            Self::Lx16a => crate::protocol::lx16a::TICKS_PER_TURN,
            Self::Maestro | Self::Pca9685 => US_PER_TURN,
        }
    }

    /// The servos of a bus, powered up.
    pub(super) fn power_up(self, config: &BusConfig, now: Time) -> Box<dyn Family> {
        match self {
            Self::FeetechSts => Box::new(Feetech::sts(config, now)),
            Self::FeetechScs => Box::new(Feetech::scs(config, now)),
            Self::Dynamixel2 => Box::new(Dynamixel::new(config, now)),
            Self::Lx16a => Box::new(Lx16a::new(config, now)),
            Self::Maestro => Box::new(Maestro::new(config, now)),
            Self::Pca9685 => Box::new(Pca9685::new(config, now)),
        }
    }
}

/// What the servos of a bus have heard since they were powered up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Whole requests.
    pub frames: u64,
    /// Bytes that belonged to none.
    pub noise_bytes: u64,
    /// Whole requests whose checksum was wrong.
    pub bad_checksums: u64,
}

/// The servos of a bus and the language that they speak.
pub trait Family: Send + std::fmt::Debug {
    /// Takes in as many of the host's bytes as fit, at least one, and says how many those were.
    fn push(&mut self, bytes: &[u8]) -> usize;

    /// The next whole request in the bytes taken in.
    fn next_request(&mut self) -> Option<Vec<u8>>;

    /// The bytes taken in that are no whole request yet.
    fn pending(&self) -> usize;

    /// Forgets the bytes taken in.
    fn forget(&mut self);

    /// What came so far.
    fn heard(&self) -> Heard;

    /// Carries out a request that [`Self::next_request`] gave and puts the answers on the wire.
    fn obey(&mut self, wire: &mut Wire, request: &[u8]);

    /// Where faults find their way in an answer.
    fn shape(&self) -> Shape;

    /// How many servos there are.
    fn count(&self) -> usize;

    /// One of the servos, in the order of the configuration; it is below [`Self::count`].
    fn servo_mut(&mut self, index: usize) -> Option<&mut dyn EmulatedServo>;
}

/// One emulated servo, as whoever makes things happen to it sees it.
///
/// Positions are ticks: what its position register says.
pub trait EmulatedServo: std::fmt::Debug {
    /// The id that it answers to.
    fn id(&self) -> u8;

    /// Brings it up to the moment; a moment that has passed changes nothing.
    fn advance(&mut self, now: Time);

    /// Whether it has the power to listen.
    fn is_awake(&self, now: Time) -> bool;

    /// Starts again: RAM is lost, the torque is off.
    fn power_cycle(&mut self, now: Time);

    /// The supply breaks down: RAM is lost, and nothing is heard or said until it is back.
    fn brown_out(&mut self, now: Time, until: Time);

    /// The motor, to look at.
    fn motor(&self) -> &Motor;

    /// The motor, to do something to it from outside.
    fn motor_mut(&mut self) -> &mut Motor;

    /// Gives it that supply (V).
    fn set_voltage(&mut self, voltage: f64);

    /// Moves it by hand to what its position register then says.
    fn put_at(&mut self, ticks: f64);

    /// Where the encoder stands when the position register says `ticks`.
    fn encoder_at(&self, ticks: f64) -> f64;

    /// What the position register says so far from the servo's middle (rad).
    fn ticks_at(&self, radians: f64) -> f64;

    /// The value of the register of that name, as it was when last brought up to date; `None` where there is none.
    fn get(&self, register: &str) -> Option<i64>;

    /// Sets a register, whoever may write it, with what that brings about; false where there is none of that name. A
    /// value that does not fit becomes the nearest that does.
    fn put(&mut self, register: &str, value: i64) -> bool;

    /// What it complains of.
    fn alarms(&self) -> Alarms;

    /// Everything that is usually asked for, as JSON: `id`, `position`, `speed`, `load`, `goal`, `torque`,
    /// `torque_limit`, `temperature`, `voltage`, `alarms`.
    fn state(&self) -> serde_json::Value;
}

/// What happens to the goal while the torque is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GoalWhileOff {
    /// It stays, and the servo jumps to it when torque comes on: what a careful host must expect.
    #[default]
    Kept,
    /// Torque comes on with the present position as the goal.
    Present,
}

/// What one servo is like.
#[derive(Clone, Debug)]
pub struct ServoConfig {
    /// Its address.
    pub id: Id,
    /// Where it stands at power-on (ticks).
    pub position: f64,
    /// Its motor.
    pub motor: MotorConfig,
    /// What pulls at it, as a part of the stall torque; positive pulls toward falling ticks.
    pub load: f64,
    /// The supply (V).
    pub voltage: f64,
    /// Whether it jumps when torque comes on.
    pub goal_while_off: GoalWhileOff,
    /// Overload stays until a power cycle, whatever the torque switch does.
    pub stubborn_overload: bool,
    /// Whether its firmware is new enough for the fast reads, where the family has any.
    pub knows_fast_reads: bool,
    /// Registers that the maker or an earlier owner has left at other values than the factory's, by name.
    pub registers: Vec<(&'static str, i64)>,
}

impl ServoConfig {
    /// An STS3215 at 7.4 V, in the middle, with nothing pulling at it.
    pub fn new(id: Id) -> Self {
        Self {
            id,
            position: 2048.0,
            motor: MotorConfig::default(),
            load: 0.0,
            voltage: 7.4,
            goal_while_off: GoalWhileOff::default(),
            stubborn_overload: false,
            knows_fast_reads: true,
            registers: Vec::new(),
        }
    }

    /// A servo with the motor of an STS3215 and ticks of its own, in its middle.
    fn turned(id: Id, middle: f64, ticks_per_turn: f64) -> Self {
        let usual = Self::new(id);
        let part = ticks_per_turn / 4096.0;
        let motor = MotorConfig {
            max_speed_ticks_s: usual.motor.max_speed_ticks_s * part,
            max_acceleration_ticks_s2: usual.motor.max_acceleration_ticks_s2 * part,
            full_effort_error_ticks: usual.motor.full_effort_error_ticks * part,
            ..usual.motor
        };
        Self { position: middle, motor, ..usual }
    }
}

/// A return delay register's value as a time: 2 µs each.
pub(super) fn return_delay(raw: i64) -> Duration {
    Duration::from_micros(2 * raw.unsigned_abs())
}
