//! Registers of single servos, read and written one by one: for tools, where no arm is running.
//!
//! Any id and any address can be asked; with a register map values have names and signs. What is kept without power is
//! written only while the servo holds no torque, and read back. Nothing here switches torque on by itself.

use std::time::Duration;

use super::bus::{Bus, BusCounters, ServoError, Timing};
use super::link::{self, Link, OpenError};
use crate::protocol::dynamixel::Dynamixel2;
use crate::protocol::feetech::{FeetechScs, FeetechSts};
use crate::protocol::registers::{Access, Area, Family, Register, RegisterMap, Role, ValueError};
use crate::protocol::wire::{FrameError, Id, Wire};

/// A bus of register servos of one family. See the module's text.
pub struct RawBus {
    wire: Box<dyn RawWire>,
    tries: u32,
}

/// How a bus is opened.
#[derive(Clone, Debug, PartialEq)]
pub struct RawOptions {
    /// What the servos speak.
    pub family: Family,
    /// A serial device, or `tcp://HOST:PORT`.
    pub port: String,
    /// Bits a second.
    pub baud_rate_bps: u32,
    /// Whether the adapter gives our own bytes back.
    pub echo: bool,
    /// What the adapter may hold bytes back.
    pub adapter_latency: Duration,
}

/// Why a register could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RawError {
    /// The servo did not answer as it should.
    #[error(transparent)]
    Servo(#[from] ServoError),
    /// The value is not one of the register's.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The map has no such register.
    #[error("the register map {map} has no register `{name}`; addresses can be read and written too")]
    Name {
        /// The map.
        map: String,
        /// The name asked for.
        name: String,
    },
    /// The servo tells it, and takes nothing.
    #[error("register `{0}` can only be read")]
    ReadOnly(String),
    /// EEPROM is not written under torque.
    #[error("servo {id} holds torque; switch it off before `{register}` is written, which is kept without power")]
    Torque {
        /// Which servo.
        id: Id,
        /// What was to be written.
        register: String,
    },
    /// What was written is not there.
    #[error("servo {id} has {found} in `{register}` after {value} was written")]
    NotTaken {
        /// Which servo.
        id: Id,
        /// Where it was written.
        register: String,
        /// What was written.
        value: i64,
        /// What was read back.
        found: i64,
    },
}

impl From<FrameError> for RawError {
    fn from(error: FrameError) -> Self {
        Self::Servo(error.into())
    }
}

/// What [`Bus`] does, whatever the family.
trait RawWire: Send {
    fn ping(&mut self, id: Id, tries: u32) -> Result<Vec<u8>, ServoError>;
    fn read(&mut self, id: Id, address: u16, len: u16, tries: u32) -> Result<Vec<u8>, ServoError>;
    fn write(&mut self, id: Id, address: u16, data: &[u8], tries: u32) -> Result<(), ServoError>;
    fn reboot(&mut self, id: Id, tries: u32) -> Result<(), ServoError>;
    fn counters(&self) -> BusCounters;
}

impl<W: Wire> RawWire for Bus<W> {
    fn ping(&mut self, id: Id, tries: u32) -> Result<Vec<u8>, ServoError> {
        self.ask(id, W::ping(id)?.as_ref(), W::PING_DATA, tries, <[u8]>::to_vec)
    }

    fn read(&mut self, id: Id, address: u16, len: u16, tries: u32) -> Result<Vec<u8>, ServoError> {
        self.ask(id, W::read(id, address, len)?.as_ref(), len.into(), tries, <[u8]>::to_vec)
    }

    fn write(&mut self, id: Id, address: u16, data: &[u8], tries: u32) -> Result<(), ServoError> {
        self.ask(id, W::write(id, address, data)?.as_ref(), 0, tries, |_| ())
    }

    fn reboot(&mut self, id: Id, tries: u32) -> Result<(), ServoError> {
        self.ask(id, W::reboot(id)?.as_ref(), 0, tries, |_| ())
    }

    fn counters(&self) -> BusCounters {
        Bus::counters(self)
    }
}

impl RawBus {
    /// Opens a port; nothing is sent.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open(options: &RawOptions) -> Result<Self, OpenError> {
        let link = link::open(&options.port, options.baud_rate_bps)?;
        let timing = Timing {
            baud_rate_bps: options.baud_rate_bps,
            adapter_latency: options.adapter_latency,
            busy_wait: Duration::ZERO,
        };
        Ok(Self::over(link, options.family, timing, options.echo))
    }

    /// The same over a link that is open.
    pub fn over(link: Box<dyn Link>, family: Family, timing: Timing, echo: bool) -> Self {
        let wire: Box<dyn RawWire> = match family {
            Family::FeetechSts => Box::new(Bus::<FeetechSts>::new(link, timing, echo)),
            Family::FeetechScs => Box::new(Bus::<FeetechScs>::new(link, timing, echo)),
            Family::Dynamixel2 => Box::new(Bus::<Dynamixel2>::new(link, timing, echo)),
        };
        Self { wire, tries: 3 }
    }

    /// How often a servo is asked before it counts as silent; 3 unless it is changed, and at least 1.
    pub fn set_tries(&mut self, tries: u32) {
        self.tries = tries.max(1);
    }

    /// What went over the bus so far.
    pub fn counters(&self) -> BusCounters {
        self.wire.counters()
    }

    /// Whether a servo is there.
    ///
    /// # Errors
    /// Where it answers nonsense, or the wire is lost.
    pub fn ping(&mut self, id: Id) -> Result<bool, ServoError> {
        match self.wire.ping(id, self.tries) {
            Ok(_) => Ok(true),
            Err(ServoError::Silent(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The bytes from an address on.
    ///
    /// # Errors
    /// Where the servo does not answer, refuses, or the wire is lost.
    pub fn read(&mut self, id: Id, address: u16, len: u16) -> Result<Vec<u8>, ServoError> {
        self.wire.read(id, address, len, self.tries)
    }

    /// Puts bytes to an address; a servo that is set up not to answer writes is silent.
    ///
    /// # Errors
    /// Where the servo does not answer, refuses, or the wire is lost.
    pub fn write(&mut self, id: Id, address: u16, data: &[u8]) -> Result<(), ServoError> {
        self.wire.write(id, address, data, self.tries)
    }

    /// Starts a servo again, as after power-on: a held joint falls, and a latched hardware error is forgotten.
    ///
    /// # Errors
    /// Where the servo does not answer, refuses, or the wire is lost.
    pub fn reboot(&mut self, id: Id) -> Result<(), ServoError> {
        self.wire.reboot(id, self.tries)
    }

    /// The value of a register of the map.
    ///
    /// # Errors
    /// Where the servo does not answer, refuses, or the wire is lost.
    pub fn get(&mut self, id: Id, map: &RegisterMap, register: &Register) -> Result<i64, RawError> {
        let bytes = self.read(id, register.address, register.size.into())?;
        Ok(register.decode(&bytes, map.byte_order())?)
    }

    /// Writes a register of the map and reads it back.
    ///
    /// What is kept without power is written only while the servo holds no torque; it is unlocked before and locked
    /// again. After its id was changed, a servo is read back under the new one; after its speed was changed it cannot
    /// be: then nothing is read back, and the lock is left open for [`Self::lock`] on a bus of the new speed.
    ///
    /// # Errors
    /// Where the register does not take the value, the servo holds torque, does not answer or does not keep it.
    pub fn set(&mut self, id: Id, map: &RegisterMap, register: &Register, value: i64) -> Result<(), RawError> {
        if register.access == Access::ReadOnly {
            return Err(RawError::ReadOnly(register.name.clone()));
        }
        let bytes = register.encode(value, map.byte_order())?;
        let is_kept = register.area == Area::Eeprom;
        if is_kept {
            let torque = map.role(Role::TorqueEnable);
            if let Some(torque) = torque
                && self.get(id, map, torque)? != 0
            {
                return Err(RawError::Torque { id, register: register.name.clone() });
            }
            self.lock(id, map, false)?;
        }
        let is = |role: Role| map.role(role).is_some_and(|known| known.name == register.name);
        match self.write(id, register.address, bytes.as_ref()) {
            // It may be set up not to answer writes, or answer already in its new way.
            Ok(()) | Err(ServoError::Silent(_)) => {}
            Err(error) => return Err(error.into()),
        }
        if is(Role::BaudRate) {
            return Ok(());
        }
        let id = match u8::try_from(value) {
            Ok(new) if is(Role::Id) => Id::new(new)?,
            _ => id,
        };
        let found = self.get(id, map, register)?;
        if is_kept {
            self.lock(id, map, true)?;
        }
        if found != value {
            return Err(RawError::NotTaken { id, register: register.name.clone(), value, found });
        }
        Ok(())
    }

    /// Opens or closes the lock of what is kept without power, where the model has one.
    ///
    /// # Errors
    /// Where the servo refuses, or the wire is lost.
    pub fn lock(&mut self, id: Id, map: &RegisterMap, locked: bool) -> Result<(), RawError> {
        let Some(lock) = map.role(Role::Lock) else { return Ok(()) };
        let bytes = lock.encode(locked.into(), map.byte_order())?;
        match self.write(id, lock.address, bytes.as_ref()) {
            Ok(()) | Err(ServoError::Silent(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The register of a map by its name.
    ///
    /// # Errors
    /// Where the map has none.
    pub fn register<'m>(map: &'m RegisterMap, name: &str) -> Result<&'m Register, RawError> {
        let none = || RawError::Name { map: map.name.clone(), name: name.to_owned() };
        map.register(name).ok_or_else(none)
    }

    /// What a servo says it is: the number of its model, by the map's family.
    ///
    /// # Errors
    /// Where the servo does not answer, or the wire is lost.
    pub fn model(&mut self, id: Id, map: &RegisterMap) -> Result<Option<u16>, RawError> {
        let Some(model) = map.role(Role::Model) else { return Ok(None) };
        Ok(u16::try_from(self.get(id, map, model)?).ok())
    }
}

#[cfg(test)]
#[path = "raw_tests.rs"]
mod tests;
