//! The line protocol by which people and tests make things happen to the emulated servos.
//!
//! One command a line, one line back: `ok …`, or `error …` that names what is wrong. Arguments are
//! `key=value`. Positions are ticks, or radians from the servo's middle with the unit: `at=1.2rad`.
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
//!   mark UNIX_NS NAME                       somebody set a mark
//!   lost N                                  so many lines were lost, because they were not read in time
//! mark NAME                                 tells whoever watches, after all that has happened before
//! ```

use std::time::Duration;

use serde_json::json;

use crate::protocol::feetech::Alarms;
use crate::units::Time;

use super::bus::Bus;
use super::events::{Event, Wanted};
use super::family::EmulatedServo;
use super::faults::{Fault, Kind};
use super::words::{Place, Words, WordsError};

/// What `help` says.
const HELP: &str = "fault NAME [id=N] [probability=P] [count=N] [ms=N] [bits=A,B] [celsius=T] (NAME: silent late \
    truncated corrupt noise duplicate wrong_id stale dribble alarm overheat brownout); clear [NAME] [id=N]; unplug; \
    replug; set id=N temperature|ambient|voltage|position|REGISTER=VALUE; get id=N REGISTER; block id=N at=P; \
    unblock id=N; load id=N effort=E; state; stats; watch writes|frames; mark NAME";

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
        /// The name of which.
        register: String,
    },
    /// Tell the state of all servos.
    State,
    /// Tell what passed over the wire.
    Stats,
    /// Tell what passes from now on.
    Watch(Wanted),
    /// Tell whoever watches a name, in its place among what passes.
    Mark(String),
}

/// What can be done to a servo from outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It is that hot (°C).
    Temperature(f64),
    /// Its surroundings are that hot (°C).
    Ambient(f64),
    /// It has that supply (V).
    Voltage(f64),
    /// It is moved there by hand.
    Position(Place),
    /// One of its registers is changed, by name.
    Register(String, i64),
    /// Something stands in its way.
    Block(Place),
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
            "get" => Self::Get { id: words.id()?, register: words.word("a register")?.to_lowercase() },
            "state" => Self::State,
            "stats" => Self::Stats,
            "watch" => Self::Watch(wanted(&mut words)?),
            "mark" => Self::Mark(words.word("a name")?),
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
                bus.wire.faults.inject(*fault);
                Ok(format!("{} injected", fault.kind.name()))
            }
            Self::BrownOut { id, lasts } => brown_out(bus, *id, *lasts, now),
            Self::Clear { name, id } => {
                Ok(format!("{} cleared", bus.wire.faults.clear(name.as_deref(), *id)))
            }
            Self::Servo { id, change } => {
                change.apply(servo(bus, *id, now)?)?;
                Ok(format!("servo {id} changed"))
            }
            Self::Get { id, register } => {
                let value = servo(bus, *id, now)?.get(register);
                Ok(value.ok_or_else(|| ControlError::Register(register.clone()))?.to_string())
            }
            Self::State => Ok(state(bus, now)),
            Self::Stats => Ok(stats(bus).to_string()),
            Self::Mark(name) => {
                bus.wire.watchers.tell(|| Event::Mark { at: now, name: name.clone() });
                Ok("marked".to_owned())
            }
            // These need the port or the connection, whose owner has answered them already.
            Self::Unplug | Self::Replug | Self::Watch(_) => Ok(String::new()),
        }
    }
}

impl Change {
    fn apply(&self, servo: &mut dyn EmulatedServo) -> Result<(), ControlError> {
        match self {
            Self::Temperature(celsius) => servo.motor_mut().heat_to(*celsius),
            Self::Ambient(celsius) => servo.motor_mut().set_ambient(*celsius),
            Self::Voltage(volts) => servo.set_voltage(*volts),
            Self::Position(place) => servo.put_at(ticks_of(*place, servo)),
            Self::Register(register, value) => {
                if !servo.put(register, *value) {
                    return Err(ControlError::Register(register.clone()));
                }
            }
            Self::Block(place) => {
                let encoder = servo.encoder_at(ticks_of(*place, servo));
                servo.motor_mut().block(encoder);
            }
            Self::Unblock => servo.motor_mut().unblock(),
            Self::Load(effort) => servo.motor_mut().set_load(*effort),
        }
        Ok(())
    }
}

fn ticks_of(place: Place, servo: &dyn EmulatedServo) -> f64 {
    match place {
        Place::Ticks(ticks) => ticks,
        Place::Radians(radians) => servo.ticks_at(radians),
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
        _ => Change::Register(key.to_lowercase(), words.integer(&key)?),
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

fn alarms(names: &str) -> Result<Alarms, ControlError> {
    names.split(',').try_fold(Alarms::NONE, |alarms, name| {
        Alarms::from_name(name)
            .map(|alarm| alarms | alarm)
            .ok_or_else(|| ControlError::Alarm(name.to_owned()))
    })
}

/// The servo with that id, brought up to the moment.
fn servo(bus: &mut Bus, id: u8, now: Time) -> Result<&mut dyn EmulatedServo, ControlError> {
    bus.servo_with_id(id, now).ok_or(ControlError::Servo(id))
}

fn brown_out(bus: &mut Bus, id: Option<u8>, lasts: Duration, now: Time) -> Result<String, ControlError> {
    let mut hit = 0;
    bus.each_servo(|servo| {
        if id.is_none_or(|id| servo.id() == id) {
            servo.brown_out(now, now + lasts);
            hit += 1;
        }
    });
    match id {
        Some(id) if hit == 0 => Err(ControlError::Servo(id)),
        _ => Ok(format!("{hit} browned out")),
    }
}

fn state(bus: &mut Bus, now: Time) -> String {
    let mut servos = Vec::new();
    bus.each_servo(|servo| {
        servo.advance(now);
        servos.push(servo.state());
    });
    json!({ "servos": servos, "faults": bus.wire.faults.active().len() }).to_string()
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
        "fault_hits": bus.wire.faults.hits(),
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
