//! The port of a control loop: opened when it is asked for, and closed once the arm stands.

use std::time::Duration;

use super::super::driver::IdentifyError;
use super::super::ports::ArmEvent;
use super::super::{arm, clock};
use super::{ControlLoop, LONGEST_REST, LONGEST_STOP, reading_time};
use crate::config::hardware::ArmEnd;
use crate::control::safety::State;
use crate::units::Time;

/// How an arm that is to rest comes to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    /// It goes to its rest pose first.
    rests: bool,
    /// It is not waited for any longer.
    by: Time,
}

impl ControlLoop {
    /// Finds the servos; those that were known before must be the same.
    pub(super) fn open(&mut self) -> Result<(), IdentifyError> {
        let (bus, standing) = arm::connect(&self.setup, &self.known)?;
        self.reading = reading_time(bus.as_ref()).min(self.setup.period / 2);
        if self.known.is_empty() {
            self.known = (0..self.setup.joints.len()).map(|joint| bus.identity(joint)).collect();
            bus.caveats().into_iter().for_each(|caveat| self.give(ArmEvent::Trouble(caveat)));
        }
        self.core.on_connected(&standing);
        (self.bus, self.is_wanted) = (Some(bus), true);
        self.last_refusal.clear();
        Ok(())
    }

    pub(super) fn begin_to_end(&mut self, why: &'static str) -> Ending {
        self.commander.source().halt(why);
        let rests = self.may_rest();
        let longest = LONGEST_STOP + if rests { LONGEST_REST } else { Duration::ZERO };
        Ending { rests, by: clock::now() + longest }
    }

    /// Whether the arm stands, where it is to stand, and every order to let go was given.
    pub(super) fn is_over(&self, Ending { rests, by }: Ending, now: Time) -> bool {
        let state = self.core.state();
        let is_there = !(rests && state == State::Resting) && state != State::Releasing;
        (self.is_at_rest() && is_there) || by < now
    }

    /// Does what was asked about the port, between two cycles.
    pub(super) fn open_or_close(&mut self, now: Time) {
        if std::mem::take(&mut self.is_connect_asked) && self.bus.is_none() {
            let opened = match self.rest {
                None => self.open().map_err(|error| error.to_string()),
                Some(_) => Err(format!("{}; it is looked for", self.last_refusal)),
            };
            if let Err(why) = opened {
                self.give(ArmEvent::NotConnected(why));
            }
        }
        if self.closing.is_some_and(|ending| self.is_over(ending, now)) {
            self.closing = None;
            self.shut_down();
            (self.bus, self.rest, self.is_wanted) = (None, None, false);
            self.known.clear();
            self.core.on_closed(self.commander.source());
            self.snapshot.joints_mut().iter_mut().for_each(|joint| joint.servo.fresh = false);
        }
    }

    /// Sends the arm to its rest pose, if that is the policy and it can go there.
    fn may_rest(&mut self) -> bool {
        self.setup.hardware.on_shutdown == ArmEnd::Rest && self.core.rest_and_stop(self.commander.source())
    }

    fn is_at_rest(&self) -> bool {
        !self.core.torque().is_on()
            || (0..self.setup.joints.len()).all(|joint| self.core.command_velocity(joint) == 0.0)
    }

    pub(super) fn shut_down(&mut self) {
        let Some(bus) = self.bus.as_mut().or(self.rest.as_mut()) else { return };
        if self.setup.hardware.on_shutdown == ArmEnd::Release {
            let still_held = bus.release();
            self.tell_held(&still_held);
        }
    }
}
