//! Register servos are told which registers to bring together, and told again when they have forgotten it.

use super::bus::{LinkLost, ServoError, Wait};
use super::clock;
use super::driver::IdentifyError;
use super::layout::{Block, Gathering};
use super::register_arm::{RegisterArm, TRIES, single_try};
use crate::protocol::wire::Wire;
use crate::units::Time;

impl<W: Wire> RegisterArm<W> {
    /// Before a servo is read in cycles: it knows the addresses, or is told them.
    pub(super) fn gather(&mut self, servo: usize) -> Result<(), IdentifyError> {
        let layout = &self.layouts[self.servos[servo].layout];
        let Some(Gathering { addresses, content, .. }) = layout.gathering.clone() else { return Ok(()) };
        let known = |data: &[u8]| data == content;
        let is_known = self.read_registers(servo, addresses.address, addresses.len, known);
        if is_known.map_err(|cause| self.failed(servo, cause))? {
            return Ok(());
        }
        let told = self.tell_addresses(servo, addresses, &content);
        let is_known =
            told.and_then(|()| self.read_registers(servo, addresses.address, addresses.len, known));
        if is_known.map_err(|cause| self.failed(servo, cause))? {
            return Ok(());
        }
        let joint = self.servos[servo].joint.clone();
        let problem = "its servo does not keep the indirect addresses that gather its telemetry; set gather_telemetry to \
                       false"
            .to_owned();
        Err(IdentifyError::Map { joint, problem })
    }

    /// In a cycle: one servo that has forgotten them is told again, if there is time.
    pub(super) fn remind(&mut self, latest: Time) -> Result<(), LinkLost> {
        let Some(index) = self.servos.iter().position(|servo| servo.has_forgotten) else { return Ok(()) };
        let servo = &mut self.servos[index];
        let Some(gathering) = &self.layouts[servo.layout].gathering else { return Ok(()) };
        let Ok(request) = W::write(servo.id, gathering.addresses.address, &gathering.content) else {
            return Ok(());
        };
        if latest < clock::now() + single_try(&self.bus, gathering.content.len()) {
            return Ok(());
        }
        match self.bus.ask_once(servo.id, request.as_ref(), 0, Wait::Until(latest), |_, _| ()) {
            Ok(()) => servo.has_forgotten = false,
            Err(ServoError::Lost(lost)) => return Err(lost),
            // It is asked again in the next cycle, and says whether it is to be told again.
            Err(_) => {}
        }
        Ok(())
    }

    fn tell_addresses(&mut self, servo: usize, addresses: Block, content: &[u8]) -> Result<(), ServoError> {
        let id = self.servos[servo].id;
        let request = W::write(id, addresses.address, content)?;
        match self.bus.ask(id, request.as_ref(), 0, TRIES, |_| ()) {
            // A servo may be set up not to answer writes.
            Err(ServoError::Silent(_)) => Ok(()),
            told => told,
        }
    }
}
