//! What register servos are told of torque, and keep while they hold: switched on and off, limited, read back.

use super::bus::{LinkLost, ServoError, Wait};
use super::clock;
use super::layout::{Block, Command, Layout};
use super::register_arm::{RegisterArm, TRIES, single_try};
use super::register_servo::Servo;
use crate::control::torque::Standing;
use crate::protocol::wire::{FrameError, Reply, Wire};
use crate::units::Time;

impl<W: Wire> RegisterArm<W> {
    /// Torque on, with all that servos are to keep while they hold.
    pub(super) fn switch_on(&mut self) -> Result<(), LinkLost> {
        self.tell_settings()?;
        self.tell_all(|layout| Some(layout.torque_enable), |_, _| Some(1))?;
        self.watchdog.armed = self.watchdog.patience.is_some();
        self.tell_watchdog()
    }

    /// What servos keep while they hold, where it does not come along with their goals.
    pub(super) fn tell_settings(&mut self) -> Result<(), LinkLost> {
        self.tell_all(|layout| layout.acceleration, |_, _| Some(0))?;
        self.tell_all(|layout| layout.speed_limit, |servo, command| Some(servo.limit_speed(&command.field)))?;
        if self.watchdog.armed { self.tell_watchdog() } else { Ok(()) }
    }

    /// After how long without a host servos stop, or that they do not.
    fn tell_watchdog(&mut self) -> Result<(), LinkLost> {
        let Some(patience) = self.watchdog.patience else { return Ok(()) };
        let (armed, patience) = (self.watchdog.armed, patience.as_secs_f64());
        self.tell_all(
            |layout| layout.watchdog,
            |servo, command| {
                servo.note_watchdog(armed);
                // Rounded up, as 0 would be for ever.
                Some(if armed { command.field.no_less(patience).max(1) } else { 0 })
            },
        )
    }

    /// Servos hold without a host from now on.
    pub(super) fn disarm(&mut self) -> Result<(), LinkLost> {
        self.watchdog.armed = false;
        self.tell_watchdog()
    }

    /// A part of each servo's configured torque, and the efforts (N m) that are not to be exceeded.
    pub(super) fn limit_torque(&mut self, part: f64, efforts: &[f64]) -> Result<(), LinkLost> {
        for index in 0..self.groups.len() {
            let group = &self.groups[index];
            let layout = &self.layouts[group.layout];
            let Some(command) = layout.torque_limit else { continue };
            let servos = &mut self.servos;
            let limits = group.members.iter().filter_map(|&member| {
                let servo = &mut servos[member];
                let effort = efforts.get(member).copied().unwrap_or(f64::INFINITY);
                Some((servo.id, command.bytes(servo.limit_torque(layout, part, effort)?)))
            });
            let frame = W::sync_write(command.block.address, command.block.len, limits);
            self.tell(frame)?;
        }
        Ok(())
    }

    /// Writes a register of every servo that has it.
    pub(super) fn tell_all(
        &mut self,
        register: impl Fn(&Layout) -> Option<Command>,
        value: impl Fn(&mut Servo, &Command) -> Option<i64>,
    ) -> Result<(), LinkLost> {
        for index in 0..self.groups.len() {
            let group = &self.groups[index];
            let Some(command) = register(&self.layouts[group.layout]) else { continue };
            let servos = &mut self.servos;
            let values = group.members.iter().filter_map(|&member| {
                let servo = &mut servos[member];
                Some((servo.id, command.bytes(value(servo, &command)?)))
            });
            let frame = W::sync_write(command.block.address, command.block.len, values);
            self.tell(frame)?;
        }
        Ok(())
    }

    /// Sends what nobody answers.
    pub(super) fn tell(&mut self, frame: Result<W::Frame, FrameError>) -> Result<(), LinkLost> {
        match frame {
            Ok(frame) => self.bus.tell(frame.as_ref()),
            // The same shape of frame was built when the arm connected; nothing is sent rather than something wrong.
            Err(_) => Ok(()),
        }
    }

    /// How a servo stands, if it says so in time.
    pub(super) fn read_back(&mut self, servo: usize, latest: Time) -> Result<Option<Standing>, LinkLost> {
        let (id, told) = (self.servos[servo].id, self.servos[servo].told());
        let layout = &self.layouts[self.servos[servo].layout];
        let Block { address, len } = layout.standing.block;
        let Ok(request) = W::read(id, address, len) else { return Ok(None) };
        let len = usize::from(len);
        if latest < clock::now() + single_try(&self.bus, len) {
            return Ok(None);
        }
        let wait = Wait::Until(latest);
        let compare = |reply: Reply<'_>, _| told.compare(layout, reply.data);
        match self.bus.ask_once(id, request.as_ref(), len, wait, compare) {
            Ok(standing) => {
                // One that has given up must be told so before it takes goals again.
                self.watchdog.armed &= standing.torque;
                Ok(Some(standing))
            }
            Err(ServoError::Lost(lost)) => Err(lost),
            Err(_) => Ok(None),
        }
    }

    /// Whether a servo has let go, and said so.
    pub(super) fn release_one(&mut self, servo: usize) -> bool {
        let id = self.servos[servo].id;
        let command = self.layouts[self.servos[servo].layout].torque_enable;
        let Block { address, len } = command.block;
        let Ok(off) = W::write(id, address, command.bytes(0).as_ref()) else { return false };
        (0..TRIES).any(|_| {
            let _answer = self.bus.ask(id, off.as_ref(), 0, 1, |_| ());
            matches!(self.read_registers(servo, address, len, |data| command.field.raw(data)), Ok(0))
        })
    }

    /// How a servo stands, however long it takes to say so.
    pub(super) fn standing(&mut self, servo: usize) -> Result<Standing, ServoError> {
        let told = self.servos[servo].told();
        let (id, layout) = (self.servos[servo].id, &self.layouts[self.servos[servo].layout]);
        let Block { address, len } = layout.standing.block;
        let request = W::read(id, address, len)?;
        self.bus.ask(id, request.as_ref(), len.into(), TRIES, |data| told.compare(layout, data))
    }
}
