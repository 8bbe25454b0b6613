//! What a bus of servos does for an arm, whatever its servos speak.
//!
//! A driver knows servos, in the units of their joints; it decides nothing about motion or torque. A new family of
//! servos is a new driver, and a line in [`connect`].

use std::fmt;
use std::time::Duration;

use super::bus::{BusCounters, LinkLost, ServoError};
use super::link::OpenError;
use super::lx16a_arm::Lx16aArm;
use super::maestro_arm::MaestroArm;
use super::pca9685_arm::Pca9685Arm;
use super::recorded::CalibrationMismatch;
use super::register_arm::RegisterArm;
use super::snapshot::{BusReport, ServoReport};
use crate::config::hardware::{BusConfig, Protocol, ServoConfig};
use crate::control::torque::{Standing, TorqueOrder};
use crate::protocol::dynamixel::Dynamixel2;
use crate::protocol::feetech::{FeetechScs, FeetechSts};
use crate::protocol::registers::Family;
use crate::units::Time;

/// Limits of a joint that its servo needs to know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointRating {
    /// Greatest speed (rad/s); the servo keeps it too.
    pub max_velocity: f64,
    /// Torque at full duty (N m); the effort that is reported is the duty times this.
    pub max_effort: f64,
}

/// A servo of a bus, and what it has to know of the joint that it moves.
#[derive(Clone, Debug, PartialEq)]
pub struct DrivenServo {
    /// The joint's name.
    pub joint: String,
    /// What was configured.
    pub config: ServoConfig,
    /// The joint's limits.
    pub rating: JointRating,
    /// Who it said it was when it was connected before, and must be again; `None` before the first time.
    pub known: Option<Identity>,
}

/// Why the servos of a bus cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentifyError {
    /// The port cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Some servos do not answer.
    #[error(
        "no answer from {missing} on {port}; {found}. Check power, cable, ids and baud rate ({baud_rate_bps} bit/s)"
    )]
    Missing {
        /// The joints and ids that are missing.
        missing: String,
        /// The joints and ids that answered.
        found: String,
        /// The port.
        port: String,
        /// The speed at which they were asked.
        baud_rate_bps: u32,
    },
    /// A servo is not set up for positions.
    #[error("servo {id} of joint `{joint}` is in mode {mode}; it must be in position mode ({right})")]
    Mode {
        /// The joint.
        joint: String,
        /// Its servo.
        id: u8,
        /// What its mode register says.
        mode: i64,
        /// What it should say.
        right: String,
    },
    /// A servo is another one than was configured.
    #[error(
        "servo {id} of joint `{joint}` is {found}, and its register map {map} is of model {right}; set \
         servos.{joint}.model"
    )]
    Model {
        /// The joint.
        joint: String,
        /// Its servo.
        id: u8,
        /// What it says it is.
        found: String,
        /// The configured map.
        map: String,
        /// The numbers that the map is for.
        right: String,
    },
    /// Another servo is where one was that is known.
    #[error(
        "servo {id} of joint `{joint}` is not the one that was there before: that was {before}, and this is {now}; put \
         the other one back, or calibrate the joint (servo_tool calibrate) and start this program again"
    )]
    Exchanged {
        /// The joint.
        joint: String,
        /// Its servo.
        id: u8,
        /// Who was there.
        before: Identity,
        /// Who is there now.
        now: Identity,
    },
    /// A servo's register map does not go with its bus.
    #[error("joint `{joint}`: {problem}")]
    Map {
        /// The joint.
        joint: String,
        /// What is wrong.
        problem: String,
    },
    /// A servo is not as its joint's calibration says.
    #[error(transparent)]
    Calibration(#[from] Box<CalibrationMismatch>),
    /// No simulation is there.
    #[error(
        "no joint states of Gazebo come on {topic}; is it running with the arm in it, and ros_gz_bridge too?"
    )]
    NoSimulation {
        /// Where they should come.
        topic: String,
    },
    /// A simulation's arm lacks a joint.
    #[error(
        "joint `{joint}` is not among Gazebo's joint states on {topic}; is the model of the same URDF, and does its \
         JointStatePublisher name the joint?"
    )]
    NotSimulated {
        /// The joint.
        joint: String,
        /// Where the states come.
        topic: String,
    },
    /// A servo fell silent in between, or answered nonsense.
    #[error("joint `{joint}`: {cause}")]
    Servo {
        /// The joint.
        joint: String,
        /// What happened.
        cause: ServoError,
    },
}

impl IdentifyError {
    /// An error if joints with their ids are missing on a port; it names those that answered, too.
    pub(super) fn unless_all_answer(
        missing: &[String],
        found: &[String],
        port: &str,
        baud_rate_bps: u32,
    ) -> Result<(), Self> {
        if missing.is_empty() {
            return Ok(());
        }
        let found = match found {
            [] => "none answers".to_owned(),
            found => format!("{} answered", found.join(", ")),
        };
        Err(Self::Missing { missing: missing.join(", "), found, port: port.to_owned(), baud_rate_bps })
    }
}

/// Who a servo says it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The number of its model.
    pub model: Option<u16>,
    /// Its firmware: before and behind the point, as far as it says so.
    pub firmware: [Option<u8>; 2],
    /// By how much its positions are shifted (ticks), where it keeps such a number: with another one they mean others.
    pub offset: Option<i64>,
}

impl Identity {
    /// Makes sure that the servo of a joint is who was there before, where that is known.
    pub(super) fn compare(self, known: Option<Self>, joint: &str, id: u8) -> Result<(), IdentifyError> {
        match known {
            Some(before) if before != self => {
                Err(IdentifyError::Exchanged { joint: joint.to_owned(), id, before, now: self })
            }
            _ => Ok(()),
        }
    }

    /// The firmware in words.
    pub fn firmware(&self) -> String {
        match self.firmware {
            [Some(major), Some(minor)] => format!("{major}.{minor}"),
            [Some(version), None] => version.to_string(),
            _ => "unknown".to_owned(),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = self.model.map(|model| format!("model {model}"));
        let firmware = self.firmware[0].map(|_| format!("firmware {}", self.firmware()));
        let offset = self.offset.map(|offset| format!("offset {offset}"));
        let known: Vec<String> = [model, firmware, offset].into_iter().flatten().collect();
        if known.is_empty() {
            out.write_str("one that tells nothing of itself")
        } else {
            out.write_str(&known.join(", "))
        }
    }
}

/// The servos of one bus, each known by its index.
pub trait Driver: Send {
    /// Asks every servo where it is; reports are old until it has said so. Ends at `latest` at the latest.
    ///
    /// # Errors
    /// Where the wire is lost.
    fn read(&mut self, latest: Time) -> Result<(), LinkLost>;

    /// What a servo said last, in its joint's units.
    fn report(&self, servo: usize) -> &ServoReport;

    /// Who a servo said it is when it was connected; `None` where such servos cannot say so.
    fn identity(&self, _servo: usize) -> Option<Identity> {
        None
    }

    /// Tells every servo where to be (rad or m of its joint).
    ///
    /// # Errors
    /// Where the wire is lost.
    fn write_goals(&mut self, positions: &[f64]) -> Result<(), LinkLost>;

    /// Carries out an order about torque; `efforts` are the greatest of each servo (N m), infinite for the configured
    /// ones. A read back gives what the servo said until `latest`, `None` where it was silent or there is no time left
    /// to ask it.
    ///
    /// # Errors
    /// Where the wire is lost.
    fn obey(
        &mut self,
        order: TorqueOrder,
        efforts: &[f64],
        latest: Time,
    ) -> Result<Option<Standing>, LinkLost>;

    /// Switches torque off and makes sure that it is, one servo after the other; gives the joints that still hold.
    fn release(&mut self) -> Vec<String>;

    /// How far a goal that was read back may be from what was asked for (rad or m).
    fn resolution(&self, servo: usize) -> f64;

    /// How long one cycle's bytes are on the wire.
    fn cycle_wire_time(&self) -> Duration;

    /// How long one cycle's goals are on the wire.
    fn write_wire_time(&self) -> Duration;

    /// What the owner of the arm should know of these servos before an accident: a sentence each, none by default.
    /// Which of them hold for ever when the host dies, for one.
    fn caveats(&self) -> Vec<String> {
        Vec::new()
    }

    /// What went over the bus so far.
    fn counters(&self) -> BusCounters;

    /// What went over one of several buses; `None` where there is no such bus, or one only.
    fn bus_report(&self, _bus: usize) -> Option<BusReport> {
        None
    }

    /// What went wrong beside the servos' own reports, in a sentence; `None` when all has been told.
    fn next_trouble(&mut self) -> Option<String> {
        None
    }

    /// What the servo of a joint that mimics another said last; `None` where it has none.
    fn mimic_report(&self, _mimic: usize) -> Option<&ServoReport> {
        None
    }

    /// How far servos of one joint are apart (rad or m).
    fn disagreement(&self, _joint: usize) -> f64 {
        0.0
    }

    /// Whether the wire to a joint is lost.
    fn is_lost(&self, _joint: usize) -> bool {
        false
    }

    /// Whether something is left to hold when a wire is lost: other buses of the arm.
    fn survives(&self) -> bool {
        false
    }

    /// Tells what is left to go on holding, until `latest` at the latest; says whether all is there again.
    fn hold(&mut self, _latest: Time) -> bool {
        false
    }

    /// Looks for what is lost.
    ///
    /// # Errors
    /// Why it cannot be had.
    fn rejoin(&mut self) -> Result<(), IdentifyError> {
        Ok(())
    }

    /// How each joint stands, once all is there again.
    fn standings(&mut self) -> Vec<Standing> {
        Vec::new()
    }
}

/// Opens a bus and makes sure that every servo is there and can be used; tells how each stands.
///
/// Servos are found as they stand: nothing moves, and torque stays as it is.
///
/// # Errors
/// Where the port cannot be opened, or a servo is missing or not usable; the names are in the text.
pub fn connect(
    bus: &BusConfig,
    busy_wait: Duration,
    servos: &[DrivenServo],
) -> Result<(Box<dyn Driver>, Vec<Standing>), IdentifyError> {
    match bus.protocol {
        Protocol::FeetechSts => {
            let family = Family::FeetechSts;
            let (driver, standings) = RegisterArm::<FeetechSts>::connect(family, bus, busy_wait, servos)?;
            Ok((Box::new(driver), standings))
        }
        Protocol::FeetechScs => {
            let family = Family::FeetechScs;
            let (driver, standings) = RegisterArm::<FeetechScs>::connect(family, bus, busy_wait, servos)?;
            Ok((Box::new(driver), standings))
        }
        Protocol::Dynamixel2 => {
            let family = Family::Dynamixel2;
            let (driver, standings) = RegisterArm::<Dynamixel2>::connect(family, bus, busy_wait, servos)?;
            Ok((Box::new(driver), standings))
        }
        Protocol::Maestro => {
            let (driver, standings) = MaestroArm::connect(bus, busy_wait, servos)?;
            Ok((Box::new(driver), standings))
        }
        Protocol::Pca9685 => {
            let (driver, standings) = Pca9685Arm::open(bus, servos)?;
            Ok((Box::new(driver), standings))
        }
        Protocol::Lx16a => {
            let (driver, standings) = Lx16aArm::connect(bus, busy_wait, servos)?;
            Ok((Box::new(driver), standings))
        }
    }
}
