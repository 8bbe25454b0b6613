//! What users ask of an arm: torque, a stop, a reset, and how it latches.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use super::{ArmCore, ArmRequest, ReferenceSource};
use crate::config::hardware::{ArmEnd, TorquePolicy};
use crate::control::safety::{Cause, Refusal, State};

impl ArmCore {
    /// A user's request; refused with a reason where it makes no sense now.
    ///
    /// # Errors
    /// Why it cannot be carried out.
    pub fn request(&mut self, request: ArmRequest, source: &mut dyn ReferenceSource) -> Result<(), Refusal> {
        match request {
            ArmRequest::TorqueOn => self.ask_torque(source),
            ArmRequest::TorqueOff => {
                self.ask_release(source, State::Releasing, Cause::TorqueOffAsked);
                Ok(())
            }
            ArmRequest::EmergencyStop => self.emergency_stop(source),
            ArmRequest::Reset => self.reset(source),
            ArmRequest::Deactivate => {
                self.deactivate(source);
                Ok(())
            }
            // They concern who has the port.
            ArmRequest::Connect | ArmRequest::Disconnect => Ok(()),
        }
    }

    fn ask_torque(&mut self, source: &mut dyn ReferenceSource) -> Result<(), Refusal> {
        let why_not = match self.state {
            State::Disconnected => Some("the arm is Disconnected; its servos must answer first"),
            State::Faulted => Some("the arm is Faulted; reset it first"),
            State::EmergencyStop => Some("the arm is in EmergencyStop; reset it first"),
            State::Resting => Some("the arm is on its way to its rest pose, with torque"),
            _ => None,
        };
        if let Some(why) = why_not {
            return Err(Refusal::new(why));
        }
        if matches!(self.state, State::Identified | State::Standby) {
            self.is_sane()?;
        }
        (self.torque_wanted, self.is_deactivated) = (true, false);
        if self.state == State::Standby {
            source.hold_at(&self.commands);
            self.enter(State::Holding, Cause::TorqueAsked);
        }
        Ok(())
    }

    /// An arm without torque has nothing to end, and torque that is on its way is not worth keeping.
    fn deactivate(&mut self, source: &mut dyn ReferenceSource) {
        self.is_deactivated = true;
        let (cause, end) = (Cause::DeactivateAsked, self.policy.on_deactivate);
        match self.state {
            State::Holding | State::Active | State::Degraded => {
                let rests = end == ArmEnd::Rest && self.start_resting(source, cause, State::Standby);
                if end == ArmEnd::Release {
                    self.ask_release(source, State::Releasing, cause);
                } else if !rests {
                    source.halt(cause.text());
                    self.enter(State::Standby, cause);
                }
            }
            State::Resting => self.stand_by_after_rest(),
            State::Energizing => self.ask_release(source, State::Releasing, cause),
            _ => self.torque_wanted = false,
        }
    }

    pub(super) fn ask_release(&mut self, source: &mut dyn ReferenceSource, to: State, cause: Cause) {
        self.torque_wanted = false;
        source.halt("torque is off");
        if self.state == State::Disconnected {
            return;
        }
        self.torque.switch_off(&self.commands);
        if !self.state.is_latched() {
            self.enter(to, cause);
        }
    }

    pub(super) fn latch(&mut self, source: &mut dyn ReferenceSource, to: State, cause: Cause) {
        if self.state == State::Disconnected || self.state == to {
            return;
        }
        // Torque that was on its way is not worth keeping.
        let release = self.policy.on_fault == TorquePolicy::Release || self.state == State::Energizing;
        source.halt(cause.text());
        self.enter(to, cause);
        if release {
            self.ask_release(source, to, cause);
        }
    }

    pub(super) fn latch_held(&mut self, source: &mut dyn ReferenceSource, cause: Cause) {
        source.halt(cause.text());
        self.enter(State::Faulted, cause);
    }

    pub(super) fn latch_released(&mut self, source: &mut dyn ReferenceSource, cause: Cause) {
        source.halt(cause.text());
        if self.state != State::EmergencyStop {
            self.enter(State::Faulted, cause);
        }
        self.ask_release(source, State::Faulted, cause);
    }

    fn emergency_stop(&mut self, source: &mut dyn ReferenceSource) -> Result<(), Refusal> {
        if self.state == State::Disconnected {
            self.latched = Some(State::EmergencyStop);
            return Err(Refusal::new(
                "the arm is Disconnected; it will be in EmergencyStop once its servos answer",
            ));
        }
        self.latch(source, State::EmergencyStop, Cause::EmergencyStopPressed);
        Ok(())
    }

    fn reset(&mut self, source: &mut dyn ReferenceSource) -> Result<(), Refusal> {
        if !self.state.is_latched() {
            return Err(Refusal::new(
                "there is nothing to reset; the arm is neither Faulted nor in EmergencyStop",
            ));
        }
        self.is_sane()?;
        if let Some(joint) = self.torque.lost() {
            let why = "a servo lost its torque by itself; switch torque off before the reset";
            return Err(Refusal::of_joint(why, joint));
        }
        if let Some(joint) = self.torque.stuck() {
            let why = "a servo did not say that it let go; switch torque off again before the reset";
            return Err(Refusal::of_joint(why, joint));
        }
        if self.torque.is_on() {
            self.caring.relax_none();
            if self.is_deactivated {
                self.enter(State::Standby, Cause::ResetAsked);
            } else {
                source.hold_at(&self.commands);
                self.enter(State::Holding, Cause::ResetAsked);
            }
        } else {
            // Until every servo has said that it let go, nobody knows.
            let is_off = self.torque.is_settled();
            self.enter(if is_off { State::Identified } else { State::Releasing }, Cause::ResetAsked);
        }
        Ok(())
    }

    /// Whether every servo answers, and nothing is tripped that would latch at once.
    fn is_sane(&self) -> Result<(), Refusal> {
        if let Some(joint) = self.misses.iter().position(|&misses| self.policy.misses_to_degraded <= misses) {
            return Err(Refusal::of_joint("a servo does not answer; mend that first", joint));
        }
        self.caring.fault().map_or(Ok(()), |trip| Err(Refusal::of_trip(trip)))
    }
}
