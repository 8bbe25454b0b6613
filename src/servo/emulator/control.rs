//! The line protocol by which people and tests make things happen to the emulated servos.
//!
//! One command a line, one line back: `ok …`, or `error …` that names what is wrong. Arguments are
//! `key=value`. Positions are ticks, or radians from tick 2048 with the unit: `at=1.2rad`.
//!
//! ```text
//! help                                      all of this, in one line
//! fault silent [id=N] [probability=P] [count=N]
//! fault late ms=N | dribble ms=N | alarm bits=overload,voltage     as above
//! fault truncated | corrupt | noise | duplicate | wrong_id | stale  as above
//! fault overheat id=N [celsius=T]           makes it hotter than it bears
//! fault brownout [id=N] [ms=N]              the supply breaks down: RAM lost, torque off, silent meanwhile
//! clear [NAME] [id=N]                       ends faults
//! unplug | replug                           the adapter is pulled and plugged in; servos keep their power
//! set id=N temperature=T | ambient=T | voltage=V | position=P | REGISTER=VALUE
//! get id=N REGISTER
//! block id=N at=P | unblock id=N            something stands in the way
//! load id=N effort=E                        what pulls at it, as a part of the stall torque
//! state | stats                             JSON
//! watch writes | frames                     from now on this connection tells what passes:
//!   write UNIX_NS ID ADDRESS HEX            a register write, and when its frame arrived
//!   host UNIX_NS HEX                        a frame of the host
//!   servos UNIX_NS HEX                      bytes of the servos, and when they are due
//!   lost N                                  so many lines were lost, because they were not read in time
//! ```

use std::time::Duration;

use serde_json::json;

use crate::protocol::feetech::Alarms;
use crate::protocol::feetech::registers::{self, Register};
use crate::units::Time;

use super::bus::Bus;
use super::events::Wanted;
use super::faults::{Fault, Kind};
use super::servo::EmulatedServo;
use super::words::{Words, WordsError};

/// What `help` says.
const HELP: &str = "fault NAME [id=N] [probability=P] [count=N] [ms=N] [bits=A,B] [celsius=T] (NAME: silent late \
    truncated corrupt noise duplicate wrong_id stale dribble alarm overheat brownout); clear [NAME] [id=N]; unplug; \
    replug; set id=N temperature|ambient|voltage|position|REGISTER=VALUE; get id=N REGISTER; block id=N at=P; \
    unblock id=N; load id=N effort=E; state; stats; watch writes|frames";

/// One command, understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Say what there is.
    Help,
    /// Spoil answers.
    Fault(Fault),
    /// Lose the supply for a while.
    BrownOut {
        /// Whose; `None` for everybody's.
        id: Option<u8>,
        /// For how long.
        lasts: Duration,
    },
    /// End faults.
    Clear {
        /// Which; `None` for all.
        name: Option<String>,
        /// Whose; `None` for everybody's.
        id: Option<u8>,
    },
    /// Pull the adapter.
    Unplug,
    /// Plug the adapter in.
    Replug,
    /// Do something to one servo.
    Servo {
        /// Which.
        id: u8,
        /// What.
        change: Change,
    },
    /// Tell a register.
    Get {
        /// Of which servo.
        id: u8,
        /// Which.
        register: &'static Register,
    },
    /// Tell the state of all servos.
    State,
    /// Tell what passed over the wire.
    Stats,
    /// Tell what passes from now on.
    Watch(Wanted),
}

/// What can be done to a servo from outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// It is that hot (°C).
    Temperature(f64),
    /// Its surroundings are that hot (°C).
    Ambient(f64),
    /// It has that supply (V).
    Voltage(f64),
    /// It is moved there by hand (ticks).
    Position(f64),
    /// One of its registers is changed.
    Register(&'static Register, i32),
    /// Something stands in its way (ticks).
    Block(f64),
    /// Nothing does any more.
    Unblock,
    /// Something pulls at it.
    Load(f64),
}

/// Why a command is not carried out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ControlError {
    /// The words make no sense.
    #[error(transparent)]
    Words(#[from] WordsError),
    /// There is no such command.
    #[error("there is no command `{0}`; try `help`")]
    Command(String),
    /// There is no such fault.
    #[error("there is no fault `{0}`; there are {names}, overheat, brownout", names = Kind::NAMES.join(", "))]
    Fault(String),
    /// There is no such alarm.
    #[error("there is no alarm `{0}`; there are voltage, angle, overheat, overcurrent, overload")]
    Alarm(String),
    /// There is no such register.
    #[error("there is no register `{0}`")]
    Register(String),
    /// There is no such servo.
    #[error("there is no servo {0}")]
    Servo(u8),
    /// `set` without anything to set.
    #[error("nothing to set: name temperature, ambient, voltage, position or a register")]
    NothingToSet,
}

impl Command {
    /// Understands one line.
    pub fn parse(line: &str) -> Result<Self, ControlError> {
        let mut words = Words::of(line)?;
        let name = words.word("a command")?;
        let command = match name.as_str() {
            "help" => Self::Help,
            "fault" => fault(&mut words)?,
            "clear" => Self::Clear { name: words.word_or_none(), id: words.id_or_all()? },
            "unplug" => Self::Unplug,
            "replug" => Self::Replug,
            "set" => Self::Servo { id: words.id()?, change: setting(&mut words)? },
            "block" => Self::Servo { id: words.id()?, change: Change::Block(words.position("at")?) },
            "unblock" => Self::Servo { id: words.id()?, change: Change::Unblock },
            "load" => Self::Servo { id: words.id()?, change: Change::Load(words.number("effort")?) },
            "get" => Self::Get { id: words.id()?, register: register(&words.word("a register")?)? },
            "state" => Self::State,
            "stats" => Self::Stats,
            "watch" => Self::Watch(wanted(&mut words)?),
            _ => return Err(ControlError::Command(name)),
        };
        words.finish()?;
        Ok(command)
    }

    /// Carries out what concerns servos and wire alone; gives what follows `ok`.
    pub fn carry_out(&self, bus: &mut Bus, now: Time) -> Result<String, ControlError> {
        match self {
            Self::Help => Ok(HELP.to_owned()),
            Self::Fault(fault) => {
                fault.id.map_or(Ok(()), |id| servo(bus, id, now).map(|_| ()))?;
                bus.faults.inject(*fault);
                Ok(format!("{} injected", fault.kind.name()))
            }
            Self::BrownOut { id, lasts } => brown_out(bus, *id, *lasts, now),
            Self::Clear { name, id } => Ok(format!("{} cleared", bus.faults.clear(name.as_deref(), *id))),
            Self::Servo { id, change } => {
                change.apply(servo(bus, *id, now)?);
                Ok(format!("servo {id} changed"))
            }
            Self::Get { id, register } => Ok(servo(bus, *id, now)?.value(register).to_string()),
            Self::State => Ok(state(bus, now)),
            Self::Stats => Ok(stats(bus).to_string()),
            // These need the port or the connection, whose owner has answered them already.
            Self::Unplug | Self::Replug | Self::Watch(_) => Ok(String::new()),
        }
    }
}

impl Change {
    fn apply(self, servo: &mut EmulatedServo) {
        match self {
            Self::Temperature(celsius) => servo.motor_mut().heat_to(celsius),
            Self::Ambient(celsius) => servo.motor_mut().set_ambient(celsius),
            Self::Voltage(volts) => servo.set_voltage(volts),
            Self::Position(ticks) => servo.put_at(ticks),
            Self::Register(register, value) => servo.put(register, value),
            Self::Block(ticks) => {
                let encoder = servo.encoder_at(ticks);
                servo.motor_mut().block(encoder);
            }
            Self::Unblock => servo.motor_mut().unblock(),
            Self::Load(effort) => servo.motor_mut().set_load(effort),
        }
    }
}

fn fault(words: &mut Words) -> Result<Command, ControlError> {
    let name = words.word("a fault")?;
    let kind = match name.as_str() {
        "silent" => Kind::Silent,
        "late" => Kind::Late(words.millis("ms")?),
        "truncated" => Kind::Truncated,
        "corrupt" => Kind::Corrupt,
        "noise" => Kind::Noise,
        "duplicate" => Kind::Duplicate,
        "wrong_id" => Kind::WrongId,
        "stale" => Kind::Stale,
        "dribble" => Kind::Dribble(words.millis("ms")?),
        "alarm" => Kind::Alarm(alarms(&words.text("bits")?)?),
        "overheat" => {
            let celsius = words.number_or("celsius", 75.0)?;
            return Ok(Command::Servo { id: words.id()?, change: Change::Temperature(celsius) });
        }
        "brownout" => {
            let lasts = words.millis_or("ms", Duration::from_millis(100))?;
            return Ok(Command::BrownOut { id: words.id_or_all()?, lasts });
        }
        _ => return Err(ControlError::Fault(name)),
    };
    let (id, count) = (words.id_or_all()?, words.count_or_none("count")?);
    let probability = words.number_or("probability", 1.0)?;
    Ok(Command::Fault(Fault { kind, id, probability, count }))
}

fn setting(words: &mut Words) -> Result<Change, ControlError> {
    let key = words.next_key().ok_or(ControlError::NothingToSet)?;
    Ok(match key.as_str() {
        "temperature" => Change::Temperature(words.number(&key)?),
        "ambient" => Change::Ambient(words.number(&key)?),
        "voltage" => Change::Voltage(words.number(&key)?),
        "position" => Change::Position(words.position(&key)?),
        _ => Change::Register(register(&key)?, words.integer(&key)?),
    })
}

fn wanted(words: &mut Words) -> Result<Wanted, ControlError> {
    let name = words.word("writes or frames")?;
    match name.as_str() {
        "writes" => Ok(Wanted::Writes),
        "frames" => Ok(Wanted::Frames),
        _ => Err(ControlError::Command(format!("watch {name}"))),
    }
}

fn register(name: &str) -> Result<&'static Register, ControlError> {
    let name = name.to_lowercase();
    Register::by_name(&name).ok_or(ControlError::Register(name))
}

fn alarms(names: &str) -> Result<Alarms, ControlError> {
    names.split(',').try_fold(Alarms::NONE, |alarms, name| {
        Alarms::from_name(name)
            .map(|alarm| alarms | alarm)
            .ok_or_else(|| ControlError::Alarm(name.to_owned()))
    })
}

/// The servo with that id, brought up to the moment.
fn servo(bus: &mut Bus, id: u8, now: Time) -> Result<&mut EmulatedServo, ControlError> {
    let servo = bus.servos_mut().iter_mut().find(|servo| servo.id() == id).ok_or(ControlError::Servo(id))?;
    servo.advance(now);
    Ok(servo)
}

fn brown_out(bus: &mut Bus, id: Option<u8>, lasts: Duration, now: Time) -> Result<String, ControlError> {
    let mut hit = 0;
    for servo in bus.servos_mut().iter_mut().filter(|servo| id.is_none_or(|id| servo.id() == id)) {
        servo.brown_out(now, now + lasts);
        hit += 1;
    }
    match id {
        Some(id) if hit == 0 => Err(ControlError::Servo(id)),
        _ => Ok(format!("{hit} browned out")),
    }
}

fn state(bus: &mut Bus, now: Time) -> String {
    let of_one = |servo: &mut EmulatedServo| {
        servo.advance(now);
        json!({
            "id": servo.id(),
            "position": servo.value(&registers::PRESENT_POSITION),
            "speed": servo.value(&registers::PRESENT_SPEED),
            "load": servo.value(&registers::PRESENT_LOAD),
            "goal": servo.value(&registers::GOAL_POSITION),
            "torque": servo.value(&registers::TORQUE_ENABLE),
            "torque_limit": servo.value(&registers::TORQUE_LIMIT),
            "temperature": servo.motor().temperature(),
            "voltage": f64::from(servo.value(&registers::PRESENT_VOLTAGE)) / 10.0,
            "alarms": servo.alarms().to_string(),
        })
    };
    let servos: Vec<_> = bus.servos_mut().iter_mut().map(of_one).collect();
    json!({ "servos": servos, "faults": bus.faults.active().len() }).to_string()
}

/// What passed over the wire, as JSON.
pub(in crate::servo) fn stats(bus: &Bus) -> serde_json::Value {
    let (stats, heard) = (bus.stats(), bus.heard());
    let late = bus.lateness();
    json!({
        "bytes_in": stats.bytes_in,
        "bytes_out": stats.bytes_out,
        "frames": heard.frames,
        "bad_frames": heard.bad_checksums + stats.bad_requests,
        "noise_bytes": heard.noise_bytes,
        "answers": stats.answers,
        "fault_hits": bus.faults.hits(),
        "wire_busy_s": stats.busy_ns as f64 * 1e-9,
        "late_us": {
            "mean": late.mean_us(),
            "p50": late.percentile_us(0.5),
            "p99": late.percentile_us(0.99),
            "max": late.max_us(),
        },
    })
}

#[cfg(test)]
#[path = "control_tests.rs"]
mod tests;
