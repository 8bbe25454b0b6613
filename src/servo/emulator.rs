//! The other end of the wire: emulated servos behind a pseudo-terminal or a TCP port.
//!
//! Byte for byte what a host would hear from real ones, as far as is known, with motors that accelerate,
//! heat up, stall and fail on request. [`bus`] and everything below it are pure: told the time, no ports. What the
//! servos hear and say is the business of their [`family`]; the wire, the motors and what goes wrong are shared.
//! [`running`] puts them behind a [`port`] in real time; [`control`] is the line protocol that makes things
//! go wrong.
//!
//! ```no_run
//! use servo_arm::protocol::feetech::Id;
//! use servo_arm::servo::emulator::{BusConfig, Emulator, EmulatorConfig, Endpoint};
//!
//! let servos = (1..=6).filter_map(|id| Id::new(id).ok());
//! let bus = BusConfig { pace_bps: Some(1_000_000), ..BusConfig::new(servos) };
//! let running = Emulator::spawn(EmulatorConfig::new(bus), Endpoint::Pty { link: None })?;
//! println!("{}", running.port());
//! running.command("fault silent id=3 count=1");
//! # Ok::<(), std::io::Error>(())
//! ```

pub mod bus;
pub mod control;
mod dynamixel;
pub mod events;
pub mod family;
pub mod faults;
mod feetech;
pub mod lateness;
mod lx16a;
mod maestro;
pub mod motor;
pub mod of_arm;
pub mod options;
pub(crate) mod pca9685;
pub mod port;
pub mod protection;
mod pwm_servo;
pub mod running;
mod socket;
pub mod wire;
pub mod words;

pub use bus::{AfterMissing, BusConfig};
pub use family::{FamilyName, GoalWhileOff, ServoConfig};
pub use motor::MotorConfig;
pub use port::Endpoint;
pub use running::{Emulator, EmulatorConfig, Running};
