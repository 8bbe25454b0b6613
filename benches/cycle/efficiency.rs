//! How much of a bus is used: cycles back to back, of six servos that speak one protocol, beside the arithmetic of their
//! bytes.
//!
//! `simulated` is on simulated time, where nothing takes time but bytes: what is missing there is what the driver asks
//! for beside, and where it leaves the line alone. `paced` is in real time behind a pseudo-terminal: what is missing
//! there is the machine's, too.

use std::time::Duration;

use serde_json::{Value as Json, json};
use servo_arm::config::parameters::Value;
use servo_arm::protocol::wire::Id;
use servo_arm::servo::clock::Simulation;
use servo_arm::servo::emulator::{BusConfig, FamilyName};
use servo_arm::servo::simulated::SimulatedPort;
use servo_arm::units::Time;

use super::emulated_arm::{self, Servos};
use super::{BUSY_WAIT_SECS, Cycles, SERVOS, bytes_a_cycle, on_control_thread, set_out};

/// What servos speak.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Protocol {
    /// Feetech STS at 1 Mbit/s.
    FeetechSts,
    /// Dynamixel Protocol 2.0 at 1, 3 and 4 Mbit/s, by plain and by fast sync reads.
    Dynamixel2,
}

/// One bus.
#[derive(Clone, Copy)]
struct Bus {
    protocol: Protocol,
    baud_rate_bps: u32,
    /// Whether the servos answer in one frame.
    jointly: bool,
}

impl Protocol {
    /// Its name in configurations.
    pub(crate) fn name(self) -> &'static str {
        self.family().name()
    }

    /// What is used of each of its buses, in so much time all in all.
    pub(crate) fn measure(self, lasts: Duration) -> Vec<Json> {
        let buses: Vec<Bus> = match self {
            Self::FeetechSts => vec![Bus { protocol: self, baud_rate_bps: 1_000_000, jointly: false }],
            Self::Dynamixel2 => [1_000_000, 3_000_000, 4_000_000]
                .into_iter()
                .flat_map(|baud_rate_bps| {
                    [false, true].map(|jointly| Bus { protocol: self, baud_rate_bps, jointly })
                })
                .collect(),
        };
        let each = lasts / u32::try_from(buses.len()).unwrap_or(1);
        buses.into_iter().map(|bus| bus.measure(each)).collect()
    }

    fn family(self) -> FamilyName {
        match self {
            Self::FeetechSts => FamilyName::FeetechSts,
            Self::Dynamixel2 => FamilyName::Dynamixel2,
        }
    }

    fn model(self) -> &'static str {
        match self {
            Self::FeetechSts => "sts3215",
            Self::Dynamixel2 => "xm430-w350",
        }
    }
}

impl Bus {
    fn measure(self, lasts: Duration) -> Json {
        /// Every second is the same there.
        const SIMULATED: Duration = Duration::from_secs(2);
        let simulated = {
            let _time = Simulation::begin(Time(1_000_000_000));
            self.run(SimulatedPort::plug_in(self.servos()), SIMULATED)
        };
        let paced = on_control_thread(|| self.run(emulated_arm::power_up(self.servos()), lasts));
        json!({
            "baud_rate_bps": self.baud_rate_bps,
            "read": if self.jointly { "fast_sync_read" } else { "sync_read" },
            "bytes_a_cycle": self.bytes(),
            "bound_hz": self.bound_hz(),
            "simulated": simulated,
            "paced": paced,
        })
    }

    fn run<E: Servos>(self, servos: E, lasts: Duration) -> Json {
        let changes = self.changes();
        let changes: Vec<(&str, Value)> =
            changes.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let (mut arm, _goals) = set_out(servos, &changes);
        let cycles = Cycles::run(&mut arm, lasts);
        let (count, lasted) = (cycles.times.len().max(1) as f64, cycles.lasted.as_secs_f64());
        let mut report = cycles.report();
        report["ratio"] = json!(cycles.rate_hz() / self.bound_hz());
        report["bytes_seen_a_cycle"] = json!(cycles.bytes as f64 / count);
        report["line_in_use"] = json!(cycles.bytes as f64 * 10.0 / f64::from(self.baud_rate_bps) / lasted);
        report
    }

    fn servos(self) -> BusConfig {
        let ids = (1..).take(SERVOS).filter_map(|id| Id::new(id).ok());
        let mut bus =
            BusConfig { pace_bps: Some(self.baud_rate_bps), ..BusConfig::of(self.protocol.family(), ids) };
        for servo in &mut bus.servos {
            servo.knows_fast_reads = self.jointly;
        }
        bus
    }

    /// The shipped arm with such servos.
    fn changes(self) -> Vec<(String, Value)> {
        let text = |text: &str| Value::String(text.to_owned());
        let mut changes = vec![
            ("protocol".to_owned(), text(self.protocol.name())),
            ("baud_rate_bps".to_owned(), Value::Integer(self.baud_rate_bps.into())),
            ("update_rate_hz".to_owned(), Value::Double(500.0)),
            ("realtime.busy_wait_s".to_owned(), Value::Double(BUSY_WAIT_SECS)),
        ];
        let joints = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"];
        let model = self.protocol.model();
        changes.extend(joints.map(|joint| (format!("servos.{joint}.model"), text(model))));
        changes
    }

    /// Goals, the request for what is read in each cycle, and the answers.
    fn bytes(self) -> usize {
        /// Of a Dynamixel packet: all but what is said, all but a sync request's servos, and a servo's part of a joint
        /// answer but its data.
        const STATUS: usize = 11;
        const SYNC: usize = 14;
        const PART: usize = 4;
        const JOINT: usize = 8;
        /// A goal, and current, velocity and position.
        const GOAL: usize = 4;
        const TOLD: usize = 10;
        match self.protocol {
            Protocol::FeetechSts => bytes_a_cycle(),
            Protocol::Dynamixel2 => {
                let asked = SYNC + SERVOS * (1 + GOAL) + SYNC + SERVOS;
                let answered =
                    if self.jointly { JOINT + SERVOS * (PART + TOLD) } else { SERVOS * (STATUS + TOLD) };
                asked + answered
            }
        }
    }

    /// The most cycles a second that these bytes leave room for.
    fn bound_hz(self) -> f64 {
        f64::from(self.baud_rate_bps) / 10.0 / self.bytes() as f64
    }
}

/// A line for each bus.
pub(crate) fn print(report: &Json) {
    let machine = &report["machine"];
    println!("{} processors, load {}", machine["processors"], machine["load_average"]);
    println!(
        "{:<22}{:>7}{:>9}{:>12}{:>7}{:>10}{:>7}{:>9}{:>8}",
        "six servos", "bytes", "at most", "simulated", "%", "paced", "%", "bytes", "missed"
    );
    for bus in report["buses"].as_array().into_iter().flatten() {
        let number = |value: &Json| value.as_f64().unwrap_or(f64::NAN);
        let (simulated, paced) = (&bus["simulated"], &bus["paced"]);
        println!(
            "{:<22}{:>7}{:>9.1}{:>12.1}{:>7.1}{:>10.1}{:>7.1}{:>9.1}{:>8}",
            format!("{} M {}", number(&bus["baud_rate_bps"]) / 1e6, bus["read"].as_str().unwrap_or_default()),
            number(&bus["bytes_a_cycle"]),
            number(&bus["bound_hz"]),
            number(&simulated["rate_hz"]),
            100.0 * number(&simulated["ratio"]),
            number(&paced["rate_hz"]),
            100.0 * number(&paced["ratio"]),
            number(&paced["bytes_seen_a_cycle"]),
            number(&paced["missed_answers"]),
        );
        for refused in paced["refused_by_the_system"].as_array().into_iter().flatten() {
            println!("  {}", refused.as_str().unwrap_or_default());
        }
    }
}
