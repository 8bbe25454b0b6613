//! Makes things go wrong, at moments and with victims that the seed decides; counts them, and knows what is excused.

use std::time::Duration;

use servo_arm::servo::simulated::SimulatedPort;
use servo_arm::units::Time;

use super::{Plan, Report};
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
}

/// Damages of single answers, as the emulator's commands have them, with their shares of all.
const DAMAGES: [(&str, f64); 14] = [
    ("silent", 1.0),
    ("late ms=0.3", 0.3),
    ("late ms=1.5", 0.3),
    ("late ms=6", 0.4),
    ("truncated", 1.0),
    ("corrupt", 1.0),
    ("noise", 1.0),
    ("duplicate", 1.0),
    ("wrong_id", 1.0),
    ("stale", 1.0),
    ("dribble ms=0.05", 0.5),
    ("dribble ms=0.5", 0.5),
    ("alarm bits=overload", 0.5),
    ("alarm bits=voltage,overheat", 0.5),
];
/// The part of the host's cycles in which one of its requests loses a bit.
const SPOILED_REQUESTS: f64 = 0.003;
const MS: Duration = Duration::from_millis(1);

/// See the module's text.
pub(crate) struct Injector {
    random: fastrand::Rng,
    ids: Vec<u8>,
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
    pub(crate) fn new(plan: Plan, arm: &Arm<SimulatedPort>, now: Time) -> Self {
        let mut random = fastrand::Rng::with_seed(plan.seed ^ 0x1D);
        let first = |trouble: Trouble| {
            let latest = trouble.period().1.min(0.8 * plan.lasts.as_secs_f64());
            (trouble, now + secs(2.0 + random.f64() * (latest - 2.0).max(0.0)))
        };
        let next = Trouble::ALL.into_iter().map(first).collect();
        let shares: f64 = DAMAGES.iter().map(|(_, share)| share).sum();
        for (damage, share) in DAMAGES {
            arm.emulate(&format!("fault {damage} probability={}", plan.damaged * share / shares));
        }
        let count = arm.setup.joints.len();
        Self {
            random,
            ids: (1..).take(count).collect(),
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
    pub(crate) fn act(&mut self, arm: &Arm<SimulatedPort>, now: Time, report: &mut Report) {
        if self.random.f64() < SPOILED_REQUESTS {
            arm.emulator.spoil_next_request();
            self.spoiled_at = now;
            report.injected("spoiled_request", 1);
        }
        if self.garbled_until <= now {
            arm.emulator.set_baud_rate_bps(None);
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
    pub(crate) fn count_damages(arm: &Arm<SimulatedPort>, report: &mut Report) {
        arm.emulator.with_bus(|bus, _| {
            for (kind, hits) in bus.wire.faults.hits_by_kind() {
                report.injected(kind, hits);
            }
        });
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
        self.is_line_dead(began) || began <= self.spoiled_at + 2 * self.period
    }

    /// Whether a servo lost its power since `since`.
    pub(crate) fn lost_power_since(&self, joint: usize, since: Time) -> bool {
        since <= self.without_power_until[joint]
    }

    fn begin(&mut self, trouble: Trouble, arm: &Arm<SimulatedPort>, now: Time, report: &mut Report) {
        let joint = self.random.usize(..self.ids.len());
        let id = self.ids[joint];
        // In the middle of whatever the bus does then.
        let at = now + self.up_to_ms(5.0);
        match trouble {
            Trouble::Unplug => {
                let back = at + 100 * MS + self.up_to_ms(2500.0);
                arm.emulator.schedule(at, "unplug");
                arm.emulator.schedule(back, "replug");
                self.unplugged = Some((at, back));
                report.injected("unplug", 1);
            }
            Trouble::PowerDip => {
                let lasts = 20 * MS + self.up_to_ms(250.0);
                let all = self.random.u8(..3) == 0;
                let whom = if all { String::new() } else { format!(" id={id}") };
                arm.emulator.schedule(at, &format!("fault brownout{whom} ms={}", lasts.as_millis()));
                for (index, until) in self.without_power_until.iter_mut().enumerate() {
                    if all || index == joint {
                        *until = at + lasts;
                    }
                }
                report.injected("power_dip", 1);
            }
            Trouble::DeadServo => {
                let until = at + 30 * MS + self.up_to_ms(1200.0);
                arm.emulator.schedule(at, &format!("fault silent id={id}"));
                arm.emulator.schedule(until, &format!("clear silent id={id}"));
                self.dead_until[joint] = until;
                report.injected("dead_servo", 1);
            }
            Trouble::Garbage => {
                self.garbled_until = now + 20 * MS + self.up_to_ms(250.0);
                arm.emulator.set_baud_rate_bps(Some(57_600));
                report.injected("garbage_baud", 1);
            }
            Trouble::Alarm => {
                arm.emulator.schedule(at, &format!("fault alarm id={id} bits=overload,voltage"));
                arm.emulator.schedule(at + self.up_to_ms(4000.0), &format!("clear alarm id={id}"));
                report.injected("alarm_for_long", 1);
            }
        }
    }

    fn up_to_ms(&mut self, most: f64) -> Duration {
        secs(self.random.f64() * most / 1e3)
    }
}

fn secs(secs: f64) -> Duration {
    Duration::from_secs_f64(secs)
}
