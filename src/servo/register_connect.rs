//! Register servos are found, identified and made ready, before they are used; nothing moves.

use std::sync::Arc;
use std::time::Duration;

use super::bus::{Bus, Question, ServoError, Timing};
use super::driver::{DrivenServo, IdentifyError, Identity};
use super::layout::Layout;
use super::link::{self, Link};
use super::recorded;
use super::register_arm::{Group, Line, RegisterArm, SlowReads, TRIES, Watchdog};
use super::register_servo::Servo;
use crate::config::hardware::BusConfig;
use crate::control::torque::Standing;
use crate::protocol::registers::{Area, Family, Register, RegisterMap, Role};
use crate::protocol::wire::{FrameError, Id, Wire};
use crate::units::Time;

/// How often all servos are asked to answer in one frame before they are taken not to know how.
const JOINT_TRIES: u32 = 10;
/// How the families call what a servo adds to its positions.
const OFFSETS: [&str; 2] = ["position_offset", "homing_offset"];

impl<W: Wire> RegisterArm<W> {
    /// Opens the port and makes sure that every servo is there and in position mode; see [`super::driver::connect`].
    pub(super) fn connect(
        family: Family,
        config: &BusConfig,
        busy_wait: Duration,
        servos: &[DrivenServo],
    ) -> Result<(Self, Vec<Standing>), IdentifyError> {
        let link = link::open(&config.port, config.baud_rate_bps)?;
        Self::over(link, family, config, busy_wait, servos)
    }

    /// The same over a link that is open.
    pub(super) fn over(
        link: Box<dyn Link>,
        family: Family,
        config: &BusConfig,
        busy_wait: Duration,
        servos: &[DrivenServo],
    ) -> Result<(Self, Vec<Standing>), IdentifyError> {
        let (servos, layouts) = servos_of::<W>(family, servos, config.gather_telemetry)?;
        let timing = Timing {
            baud_rate_bps: config.baud_rate_bps,
            adapter_latency: config.adapter_latency,
            busy_wait,
        };
        let patience = Some(config.watchdog).filter(|patience| !patience.is_zero());
        let slow_turns = |(index, servo): (usize, &Servo)| {
            (0..layouts[servo.layout].slow.len()).map(move |reading| (index, reading))
        };
        let turns = servos.iter().enumerate().flat_map(slow_turns).collect();
        let has_watchdog = layouts.iter().any(|layout| layout.watchdog.is_some());
        let mut arm = Self {
            groups: groups(&servos, &layouts)?,
            asked_again: (0..servos.len()).collect(),
            bus: Bus::new(link, timing, config.echo),
            port: config.port.clone(),
            baud_rate_bps: config.baud_rate_bps,
            servos,
            layouts,
            line: Line::default(),
            slow: SlowReads { turns, ..SlowReads::default() },
            watchdog: Watchdog { patience: patience.filter(|_| has_watchdog), ..Watchdog::default() },
            remarks: Vec::new(),
        };
        arm.find_all()?;
        let standings = (0..arm.servos.len()).map(|servo| arm.prepare(servo)).collect::<Result<_, _>>()?;
        arm.compare_firmware();
        arm.prove_joint_answers().map_err(|cause| arm.failed(0, cause))?;
        Ok((arm, standings))
    }

    fn find_all(&mut self) -> Result<(), IdentifyError> {
        let (mut missing, mut found) = (Vec::new(), Vec::new());
        for servo in 0..self.servos.len() {
            let id = self.servos[servo].id;
            let name = format!("`{}` (id {id})", self.servos[servo].joint);
            let ping = W::ping(id).map_err(|cause| self.failed(servo, cause.into()))?;
            match self.bus.ask(id, ping.as_ref(), W::PING_DATA, TRIES, |_| ()) {
                Ok(()) => found.push(name),
                Err(ServoError::Silent(_)) => missing.push(name),
                Err(cause) => return Err(self.failed(servo, cause)),
            }
        }
        IdentifyError::unless_all_answer(&missing, &found, &self.port, self.baud_rate_bps)
    }

    /// Checks and sets what must be right before a servo is used, and tells how it stands.
    fn prepare(&mut self, servo: usize) -> Result<Standing, IdentifyError> {
        self.identify(servo)?;
        self.refuse_shadow(servo)?;
        let map = self.servos[servo].map.clone();
        if let Some(mode) = self.value_of(servo, Role::Mode)?
            && !map.position_modes.is_empty()
            && !map.position_modes.contains(&mode)
        {
            let right: Vec<String> = map.position_modes.iter().map(i64::to_string).collect();
            let Servo { joint, id, .. } = &self.servos[servo];
            let (joint, id, right) = (joint.clone(), id.raw(), right.join(", "));
            return Err(IdentifyError::Mode { joint, id, mode, right });
        }
        self.compare_with_calibration(servo)?;
        let delay = self.value_of(servo, Role::ReturnDelay)?;
        let standing = self.standing(servo).map_err(|cause| self.failed(servo, cause))?;
        if delay.is_some_and(|delay| delay != 0) {
            let removed = self.remove_return_delay(servo, standing.torque);
            removed.map_err(|cause| self.failed(servo, cause))?;
        }
        self.keep_limits(servo, standing.torque)?;
        self.gather(servo)?;
        Ok(standing)
    }

    fn identify(&mut self, servo: usize) -> Result<(), IdentifyError> {
        let model = self.value_of(servo, Role::Model)?.and_then(|model| u16::try_from(model).ok());
        let firmware = [
            self.value_of(servo, Role::Firmware)?.and_then(|part| u8::try_from(part).ok()),
            self.value_of(servo, Role::FirmwareMinor)?.and_then(|part| u8::try_from(part).ok()),
        ];
        let offset = self.offset_of(servo)?;
        let Servo { joint, id, map, identity, known, .. } = &mut self.servos[servo];
        *identity = Identity { model, firmware, offset };
        tracing::debug!(joint = %joint, %id, %identity, "servo identified");
        identity.compare(*known, joint, id.raw())?;
        match model {
            Some(found) if !map.models.is_empty() && !map.models.contains(&found) => {
                let named = RegisterMap::of_number(map.family, found);
                let numbers: Vec<String> = map.models.iter().map(u16::to_string).collect();
                Err(IdentifyError::Model {
                    joint: joint.clone(),
                    id: id.raw(),
                    found: named
                        .map_or(format!("model {found}"), |map| format!("model {found} ({})", map.name)),
                    map: map.name.clone(),
                    right: numbers.join(", "),
                })
            }
            _ => Ok(()),
        }
    }

    /// What the servo adds to its positions, where its map has such a register.
    fn offset_of(&mut self, servo: usize) -> Result<Option<i64>, IdentifyError> {
        let map = self.servos[servo].map.clone();
        let Some(register) = OFFSETS.iter().find_map(|name| map.register(name)) else { return Ok(None) };
        self.read_register(servo, &map, register).map(Some).map_err(|cause| self.failed(servo, cause))
    }

    /// A servo that obeys another one's id too would get two goals in each cycle, of which one is not its own.
    fn refuse_shadow(&mut self, servo: usize) -> Result<(), IdentifyError> {
        let Servo { joint, id, map, .. } = &self.servos[servo];
        let (joint, id, map) = (joint.clone(), *id, map.clone());
        let Some(register) = map.register("shadow_id") else { return Ok(()) };
        let shadow = self.read_register(servo, &map, register).map_err(|cause| self.failed(servo, cause))?;
        let other = self.servos.iter().find(|other| other.id != id && i64::from(other.id.raw()) == shadow);
        other.map_or(Ok(()), |other| {
            let problem = format!(
                "its servo {id} has the shadow_id {shadow}, so that it obeys what is told to the servo of joint `{}` too; \
                 set its shadow_id to 255",
                other.joint
            );
            Err(IdentifyError::Map { joint, problem })
        })
    }

    /// A servo whose ticks mean other angles than the calibration says is not used.
    fn compare_with_calibration(&mut self, servo: usize) -> Result<(), IdentifyError> {
        let Servo { joint, id, config, map, identity, .. } = &self.servos[servo];
        let Some(recorded) = config.recorded.clone() else { return Ok(()) };
        let (joint, id, map) = (joint.clone(), id.raw(), map.clone());
        let model = identity.model.map_or(0, u32::from);
        let value = |name: &str| match map.register(name) {
            Some(register) => self.read_register(servo, &map, register).map(Some),
            None => Ok(None),
        };
        match recorded::compare(&recorded, &joint, id, model, value) {
            Ok(same) => same.map_err(|mismatch| Box::new(mismatch).into()),
            Err(cause) => Err(self.failed(servo, cause)),
        }
    }

    /// Servos with different firmware on one arm may behave differently.
    fn compare_firmware(&self) {
        let of_model = |servo: &Servo| (servo.identity.model, servo.identity.firmware);
        let first = self.servos.first().map(of_model);
        let is_mixed = self.servos.iter().any(|servo| {
            let known = self.servos.iter().find(|other| other.identity.model == servo.identity.model);
            known.is_some_and(|known| known.identity.firmware != servo.identity.firmware)
        });
        if first.is_some() && is_mixed {
            let name = |servo: &Servo| format!("`{}` has {}", servo.joint, servo.identity.firmware());
            let names: Vec<String> = self.servos.iter().map(name).collect();
            tracing::warn!("servos of one model have different firmware: {}", names.join(", "));
        }
    }

    /// A return delay of 500 µs, with which servos may be sold, makes a cycle three times as long.
    fn remove_return_delay(&mut self, servo: usize, torque: bool) -> Result<(), ServoError> {
        let name = self.servos[servo].joint.clone();
        if torque {
            tracing::warn!(joint = %name, "its servo answers late, and holds torque, so its return delay is left as it is");
            return Ok(());
        }
        let map = self.servos[servo].map.clone();
        let Some(delay) = map.role(Role::ReturnDelay) else { return Ok(()) };
        tracing::info!(joint = %name, "setting the return delay of its servo to zero");
        let lock = map.role(Role::Lock).filter(|_| delay.area == Area::Eeprom);
        for (register, value) in [(lock, 0), (Some(delay), 0), (lock, 1)] {
            let Some(register) = register else { continue };
            match self.write_register(servo, &map, register, value) {
                // A servo may be set up not to answer writes.
                Ok(()) | Err(ServoError::Silent(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let kept = self.read_register(servo, &map, delay)?;
        if kept != 0 {
            tracing::warn!(joint = %name, delay = kept, "its servo keeps its return delay");
        }
        Ok(())
    }

    /// Whether servos answer in one frame is their firmware's business; where one does not, each answers by itself.
    fn prove_joint_answers(&mut self) -> Result<(), ServoError> {
        for index in 0..self.groups.len() {
            let group = &self.groups[index];
            let block = self.layouts[group.layout].fast.block;
            let (address, len) = (block.address, block.len);
            let all_say_so = group.members.iter().all(|&servo| self.servos[servo].map.fast_sync_read);
            if !W::HAS_FAST_SYNC_READ || !all_say_so || group.read_all.is_none() {
                continue;
            }
            let request = W::fast_sync_read(address, len, &group.ids)?;
            let question =
                Question { request: request.as_ref(), ids: &group.ids, len: len.into(), jointly: true };
            let mut is_proven = false;
            for _ in 0..JOINT_TRIES {
                is_proven = self.bus.sync_read(question, Time(i64::MAX), |_, _| ())?.missing == 0;
                if is_proven {
                    break;
                }
            }
            if is_proven {
                self.groups[index].read_all = Some(request);
                self.groups[index].jointly = true;
            } else {
                tracing::info!(port = %self.port, "not all servos know the fast sync read; each answers by itself");
            }
        }
        Ok(())
    }

    fn value_of(&mut self, servo: usize, role: Role) -> Result<Option<i64>, IdentifyError> {
        let map = self.servos[servo].map.clone();
        let Some(register) = map.role(role) else { return Ok(None) };
        self.read_register(servo, &map, register).map(Some).map_err(|cause| self.failed(servo, cause))
    }

    pub(super) fn read_register(
        &mut self,
        servo: usize,
        map: &RegisterMap,
        register: &Register,
    ) -> Result<i64, ServoError> {
        self.read_registers(servo, register.address, register.size.into(), |data| {
            register.coding.decode(data, map.byte_order())
        })
    }

    pub(super) fn write_register(
        &mut self,
        servo: usize,
        map: &RegisterMap,
        register: &Register,
        value: i64,
    ) -> Result<(), ServoError> {
        let id = self.servos[servo].id;
        let bytes = register.coding.encode(value, register.size, map.byte_order());
        let frame = W::write(id, register.address, bytes.as_ref())?;
        self.bus.ask(id, frame.as_ref(), 0, TRIES, |_| ())
    }

    pub(super) fn failed(&self, servo: usize, cause: ServoError) -> IdentifyError {
        let joint = self.servos.get(servo).map(|servo| servo.joint.clone()).unwrap_or_default();
        IdentifyError::Servo { joint, cause }
    }
}

/// The servos with their maps, and the layouts that they have.
fn servos_of<W: Wire>(
    family: Family,
    driven: &[DrivenServo],
    gathers: bool,
) -> Result<(Vec<Servo>, Vec<Layout>), IdentifyError> {
    let mut layouts: Vec<Layout> = Vec::new();
    let mut servos = Vec::new();
    for servo in driven {
        let failed =
            |cause: FrameError| IdentifyError::Servo { joint: servo.joint.clone(), cause: cause.into() };
        let id = Id::new(servo.config.id).map_err(failed)?;
        if W::MAX_ID < id.raw() {
            return Err(failed(FrameError::FamilyId { family: W::NAME, most: W::MAX_ID, id: id.raw() }));
        }
        let no_map = |problem: String| IdentifyError::Map { joint: servo.joint.clone(), problem };
        let map = match &servo.config.map {
            Some(map) => map.clone(),
            None => {
                let shipped = RegisterMap::shipped(family.default_model());
                Arc::new(shipped.map_err(|error| no_map(error.to_string()))?)
            }
        };
        if map.family != family {
            let (name, theirs, ours) = (&map.name, map.family.name(), family.name());
            return Err(no_map(format!("its model {name} speaks {theirs}, and its bus {ours}")));
        }
        let layout = Layout::of(&map).ok_or_else(|| no_map(format!("map {} lacks a position", map.name)))?;
        let layout = if gathers { layout.gathered(&map).map_err(no_map)? } else { layout };
        let index = layouts.iter().position(|known| *known == layout).unwrap_or_else(|| {
            layouts.push(layout);
            layouts.len() - 1
        });
        servos.push(Servo::new(servo, id, map, index, &layouts));
    }
    Ok((servos, layouts))
}

/// Servos with the same layout are read and told together.
fn groups<W: Wire>(servos: &[Servo], layouts: &[Layout]) -> Result<Vec<Group<W>>, IdentifyError> {
    let group = |(layout, blocks): (usize, &Layout)| {
        let members: Vec<usize> = (0..servos.len()).filter(|&servo| servos[servo].layout == layout).collect();
        let ids: Vec<Id> = members.iter().map(|&servo| servos[servo].id).collect();
        let has_sync_read = W::HAS_SYNC_READ && members.iter().all(|&servo| servos[servo].map.sync_read);
        let frame = W::sync_read(blocks.fast.block.address, blocks.fast.block.len, &ids);
        let read_all = has_sync_read.then_some(frame).transpose().map_err(|cause| {
            let joints: Vec<&str> = members.iter().map(|&servo| servos[servo].joint.as_str()).collect();
            IdentifyError::Servo { joint: joints.join(", "), cause: cause.into() }
        })?;
        Ok(Group { layout, members, ids, read_all, jointly: false })
    };
    layouts.iter().enumerate().map(group).collect()
}

#[cfg(test)]
#[path = "register_tests.rs"]
mod tests;
