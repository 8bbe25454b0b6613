//! The wires of a campaign's arm: one, or one for each bus; and which servo of which moves a joint.

use servo_arm::servo::emulator::BusConfig;
use servo_arm::servo::emulator::family::EmulatedServo;
use servo_arm::servo::simulated::SimulatedPort;
use servo_arm::units::Time;

use crate::emulated_arm::Servos;

/// See the module's text.
pub(crate) struct Line {
    ports: Vec<SimulatedPort>,
    /// For each joint its port and its servo's id.
    servos: Vec<(usize, u8)>,
}

impl Line {
    /// Powers servos up; they move the joints in their order.
    pub(crate) fn plug_in(buses: Vec<BusConfig>) -> Self {
        let ids = |(port, bus): (usize, &BusConfig)| {
            bus.servos.iter().map(|servo| (port, servo.id.raw())).collect::<Vec<_>>()
        };
        let servos = buses.iter().enumerate().flat_map(ids).collect();
        Self { ports: buses.into_iter().map(SimulatedPort::plug_in).collect(), servos }
    }

    /// The ports' names.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.ports.iter().map(SimulatedPort::name).collect()
    }

    /// Every port.
    pub(crate) fn ports(&self) -> &[SimulatedPort] {
        &self.ports
    }

    /// A joint's port, and its servo's id.
    pub(crate) fn of(&self, joint: usize) -> (&SimulatedPort, u8) {
        let (port, id) = self.servos[joint];
        (&self.ports[port], id)
    }

    /// Looks at every servo as it truly is, in the order of the joints.
    pub(crate) fn each_servo(&self, mut look: impl FnMut(&mut dyn EmulatedServo, Time)) {
        for port in &self.ports {
            port.with_bus(|bus, now| bus.each_servo(|servo| look(servo, now)));
        }
    }
}

impl Servos for Line {
    fn port(&self) -> &str {
        self.ports[0].name()
    }

    /// What all of them are to do.
    fn command(&self, line: &str) -> String {
        let said: Vec<String> = self.ports.iter().map(|port| port.command(line)).collect();
        said.iter().find(|said| said.starts_with("error")).unwrap_or(&said[0]).clone()
    }
}
