//! Makes things go wrong, at moments and with victims that the seed decides; counts them, and knows what is excused.

use std::time::Duration;

use servo_arm::servo::simulated::SimulatedPort;
use servo_arm::units::Time;

use super::line::Line;
use super::{Plan, Protocol, Report};
use crate::emulated_arm::Arm;

/// Something that goes on for a while, now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// The plug is pulled and put back.
    Unplug,
    /// The supply of one servo, or of all, breaks down for a moment.
    PowerDip,
    /// A servo says nothing.
    DeadServo,
    /// The line has another speed.
    Garbage,
    /// A servo complains and goes on.
    Alarm,
}

impl Trouble {
    const ALL: [Self; 5] = [Self::Unplug, Self::PowerDip, Self::DeadServo, Self::Garbage, Self::Alarm];

    /// How often (s), and when for the first time at the latest.
    fn period(self) -> (f64, f64) {
        match self {
            Self::Unplug => (60.0, 25.0),
            Self::PowerDip => (100.0, 28.0),
            Self::DeadServo => (40.0, 20.0),
            Self::Garbage => (70.0, 28.0),
            Self::Alarm => (30.0, 15.0),
        }
    }

    fn befalls(self, protocol: Protocol) -> bool {
        match self {
            Self::Garbage => protocol.checks_requests(),
            Self::Alarm => protocol.has_alarms(),
            Self::Unplug | Self::PowerDip | Self::DeadServo => true,
        }
    }
}

/// The part of the host's cycles in which one of its requests loses a bit.
const SPOILED_REQUESTS: f64 = 0.003;
/// A cycle has a few requests, of which any may be hit.
const REQUESTS: u32 = 8;
/// So many cycles have as many, as each has one for the positions and one for the goals at least.
const CYCLES_OF_REQUESTS: u32 = REQUESTS / 2 + 1;
const MS: Duration = Duration::from_millis(1);

/// See the module's text.
pub(crate) struct Injector {
    protocol: Protocol,
    random: fastrand::Rng,
    next: Vec<(Trouble, Time)>,
    /// When the plug is pulled, and when it is back.
    unplugged: Option<(Time, Time)>,
    garbled_until: Time,
    spoiled_at: Time,
    period: Duration,
    /// Until when nothing can be expected of a servo.
    dead_until: Vec<Time>,
    /// Until when the supply of a servo breaks down, the last time that it did.
    without_power_until: Vec<Time>,
}

impl Injector {
    /// What will go wrong with this arm.
    pub(crate) fn new(protocol: Protocol, plan: Plan, arm: &Arm<Line>, now: Time) -> Self {
        let mut random = fastrand::Rng::with_seed(plan.seed ^ 0x1D);
        let first = |trouble: Trouble| {
            let latest = trouble.period().1.min(0.8 * plan.lasts.as_secs_f64());
            (trouble, now + secs(2.0 + random.f64() * (latest - 2.0).max(0.0)))
        };
        let next = Trouble::ALL.into_iter().filter(|trouble| trouble.befalls(protocol)).map(first).collect();
        for (damage, part) in protocol.damages() {
            arm.emulate(&format!("fault {damage} probability={}", plan.damaged * part));
        }
        let count = arm.setup.joints.len();
        Self {
            protocol,
            random,
            next,
            unplugged: None,
            garbled_until: Time(0),
            spoiled_at: Time(0),
            period: arm.setup.period,
            dead_until: vec![Time(0); count],
            without_power_until: vec![Time(0); count],
        }
    }

    /// What goes wrong from now on until the next cycle.
    pub(crate) fn act(&mut self, arm: &Arm<Line>, now: Time, report: &mut Report) {
        if self.protocol.checks_requests() && self.random.f64() < SPOILED_REQUESTS {
            let others = self.random.u32(..REQUESTS);
            self.any_port(arm).spoil_request_after(others);
            self.spoiled_at = now;
            report.injected("spoiled_request", 1);
        }
        if self.garbled_until <= now {
            arm.emulator.ports().iter().for_each(|port| port.set_baud_rate_bps(None));
        }
        for index in 0..self.next.len() {
            let (trouble, at) = self.next[index];
            if at <= now {
                let (period, _) = trouble.period();
                self.next[index].1 = now + secs(period * (0.7 + 0.6 * self.random.f64()));
                self.begin(trouble, arm, now, report);
            }
        }
    }

    /// Counts the answers that were damaged; to be called once, at the end.
    pub(crate) fn count_damages(arm: &Arm<Line>, report: &mut Report) {
        for port in arm.emulator.ports() {
            port.with_bus(|bus, _| {
                for (kind, hits) in bus.wire.faults.hits_by_kind().filter(|(_, hits)| 0 < *hits) {
                    report.injected(kind, hits);
                }
            });
        }
    }

    /// When the plug was pulled the last time, and when it was back.
    pub(crate) fn unplugged(&self) -> Option<(Time, Time)> {
        self.unplugged
    }

    /// From when on everybody can answer, as far as is known at `now`.
    pub(crate) fn all_can_answer_from(&self, now: Time) -> Time {
        let silences = self.dead_until.iter().chain(&self.without_power_until).chain([&self.garbled_until]);
        silences.copied().filter(|until| *until <= now).max().unwrap_or(Time(0))
    }

    /// Whether the line itself is of no use.
    pub(crate) fn is_line_dead(&self, now: Time) -> bool {
        now < self.garbled_until || self.unplugged.is_some_and(|(from, until)| from <= now && now < until)
    }

    /// Whether nothing can be expected of a joint's servo now.
    pub(crate) fn is_excused(&self, joint: usize, now: Time) -> bool {
        self.is_line_dead(now) || now < self.dead_until[joint] || now < self.without_power_until[joint]
    }

    /// Whether goals may not have arrived in the cycle that began at `began`.
    pub(crate) fn loses_goals(&self, began: Time) -> bool {
        self.is_line_dead(began) || began <= self.spoiled_at + CYCLES_OF_REQUESTS * self.period
    }

    /// Whether a servo lost its power since `since`.
    pub(crate) fn lost_power_since(&self, joint: usize, since: Time) -> bool {
        since <= self.without_power_until[joint]
    }

    fn begin(&mut self, trouble: Trouble, arm: &Arm<Line>, now: Time, report: &mut Report) {
        let joint = self.random.usize(..self.dead_until.len());
        let (port, id) = arm.emulator.of(joint);
        // In the middle of whatever the bus does then.
        let at = now + self.up_to_ms(5.0);
        match trouble {
            Trouble::Unplug => {
                let back = at + 100 * MS + self.up_to_ms(2500.0);
                port.schedule(at, "unplug");
                port.schedule(back, "replug");
                self.unplugged = Some((at, back));
                report.injected("unplug", 1);
            }
            Trouble::PowerDip => {
                let lasts = 20 * MS + self.up_to_ms(250.0);
                let all = self.random.u8(..3) == 0 || self.protocol.is_of_a_board();
                if all {
                    for port in arm.emulator.ports() {
                        port.schedule(at, &format!("fault brownout ms={}", lasts.as_millis()));
                    }
                    self.without_power_until.fill(at + lasts);
                } else {
                    port.schedule(at, &format!("fault brownout id={id} ms={}", lasts.as_millis()));
                    self.without_power_until[joint] = at + lasts;
                }
                report.injected("power_dip", 1);
            }
            Trouble::DeadServo => {
                let until = at + 30 * MS + self.up_to_ms(1200.0);
                port.schedule(at, &format!("fault silent id={id}"));
                port.schedule(until, &format!("clear silent id={id}"));
                match self.protocol.is_of_a_board() {
                    // Who is asked for the whole board has the first one's id.
                    true => self.dead_until.fill(until),
                    false => self.dead_until[joint] = until,
                }
                report.injected("dead_servo", 1);
            }
            Trouble::Garbage => {
                self.garbled_until = now + 20 * MS + self.up_to_ms(250.0);
                port.set_baud_rate_bps(Some(57_600));
                report.injected("garbage_baud", 1);
            }
            Trouble::Alarm => {
                port.schedule(at, &format!("fault alarm id={id} bits=overload,voltage"));
                port.schedule(at + self.up_to_ms(4000.0), &format!("clear alarm id={id}"));
                report.injected("alarm_for_long", 1);
            }
        }
    }

    fn any_port<'a>(&mut self, arm: &'a Arm<Line>) -> &'a SimulatedPort {
        let ports = arm.emulator.ports();
        &ports[self.random.usize(..ports.len())]
    }

    fn up_to_ms(&mut self, most: f64) -> Duration {
        secs(self.random.f64() * most / 1e3)
    }
}

fn secs(secs: f64) -> Duration {
    Duration::from_secs_f64(secs)
}
