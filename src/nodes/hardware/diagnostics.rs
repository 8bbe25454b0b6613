//! `/diagnostics`: the arm, its bus, each of several buses, and each joint.

use r2r::diagnostic_msgs::msg::{DiagnosticArray, DiagnosticStatus, KeyValue};
use r2r::std_msgs::msg::Header;

use super::HardwarePublisher;
use crate::config::watch::Watched;
use crate::control::safety::{Cause, State};
use crate::control::watch::Level as Watch;
use crate::nodes::messages::stamp_now;
use crate::servo::bus::BusCounters;
use crate::servo::snapshot::{JointSnapshot, ServoReport, Snapshot};

impl HardwarePublisher {
    pub(super) fn diagnostics_of(&self, snapshot: &Snapshot) -> DiagnosticArray {
        let connected = (snapshot.state != State::Disconnected)
            .then_some("connected")
            .ok_or(if is_closed(snapshot) { "closed" } else { "disconnected" });
        let whole = self.bus_status("bus", connected, snapshot.bus_utilisation, snapshot.bus);
        let mut status = vec![self.arm_status(snapshot), whole];
        status.extend(self.buses.iter().zip(snapshot.buses()).map(|(name, bus)| {
            let used = bus.utilisation(snapshot.elapsed);
            let connected = if bus.lost { connected.and(Err("disconnected")) } else { connected };
            self.bus_status(&format!("bus {name}"), connected, used, bus.counters)
        }));
        let joints = self.joints.iter().zip(snapshot.joints());
        status.extend(joints.map(|(name, joint)| self.joint_status(name, joint, snapshot.state)));
        DiagnosticArray { header: Header { stamp: stamp_now(), ..Header::default() }, status }
    }

    fn arm_status(&self, snapshot: &Snapshot) -> DiagnosticStatus {
        let level = match snapshot.state {
            State::Holding | State::Active => Level::Ok,
            State::Disconnected if is_closed(snapshot) => Level::Warn,
            State::Identified
            | State::Energizing
            | State::Standby
            | State::Degraded
            | State::Resting
            | State::Releasing => Level::Warn,
            State::Disconnected | State::Faulted | State::EmergencyStop => Level::Error,
        };
        let statistics = &self.statistics;
        let mut values = vec![
            pair("state", snapshot.state),
            pair("cause", snapshot.cause.map_or("", Cause::text)),
            pair("torque", snapshot.torque),
            pair("speed_factor", snapshot.speed_factor),
            pair("cycles", statistics.cycles()),
            pair("rate_hz", format_args!("{:.3}", statistics.rate_hz())),
            pair("overruns", snapshot.overruns),
            pair("snapshots_dropped", snapshot.dropped),
        ];
        let times = [
            ("period_us", statistics.period_us()),
            ("lateness_us", statistics.lateness_us()),
            ("busy_us", statistics.busy_us()),
        ];
        for (name, percentiles) in times {
            let of = [
                ("p50", percentiles.p50),
                ("p99", percentiles.p99),
                ("p999", percentiles.p999),
                ("max", percentiles.max),
            ];
            values.extend(of.map(|(quantile, value)| pair(&format!("{name}.{quantile}"), value)));
        }
        self.status("arm", level, self.arm_message(snapshot), values)
    }

    /// The state, and whose fault it is.
    fn arm_message(&self, snapshot: &Snapshot) -> String {
        let state = snapshot.state;
        let name = |joint: usize| self.joints.get(joint).map_or("?", String::as_str);
        let unheard = snapshot.joints().iter().position(|joint| !joint.servo.fresh);
        match (state, snapshot.cause, unheard) {
            (State::Identified, _, Some(joint)) => format!("{state}: joint `{}` cannot be read", name(joint)),
            (State::Holding | State::Active | State::Identified, ..) | (_, None, _) => state.to_string(),
            (_, Some(cause), _) => match cause.joint() {
                Some(joint) => format!("{state}: {} (joint `{}`)", cause.text(), name(joint)),
                None => format!("{state}: {}", cause.text()),
            },
        }
    }

    fn bus_status(
        &self,
        part: &str,
        connected: Result<&'static str, &'static str>,
        utilisation: f64,
        bus: BusCounters,
    ) -> DiagnosticStatus {
        let (level, message) = match connected {
            Ok(message) => (Level::Ok, message),
            Err(message @ "closed") => (Level::Warn, message),
            Err(message) => (Level::Error, message),
        };
        let values = vec![
            pair("bus_utilisation", format_args!("{utilisation:.4}")),
            pair("bytes_sent", bus.sent),
            pair("bytes_received", bus.received),
            pair("answers_missed", bus.missed),
            pair("answers_late", bus.late),
            pair("requests_repeated", bus.retried),
            pair("noise_bytes", bus.noise),
            pair("bad_checksums", bus.bad_checksums),
        ];
        self.status(part, level, message.to_owned(), values)
    }

    fn joint_status(&self, name: &str, joint: &JointSnapshot, state: State) -> DiagnosticStatus {
        let servo = &joint.servo;
        let (level, message) = judged(joint, self.silence(joint, state));
        let mut values = vec![
            pair("temperature_degc", servo.temperature_degc),
            pair("voltage_v", format_args!("{:.1}", servo.voltage_v)),
            pair("current_a", format_args!("{:.3}", servo.current_a)),
            pair("load", format_args!("{:.3}", servo.load)),
            pair("position_rad", format_args!("{:.4}", servo.position)),
            pair("command_rad", format_args!("{:.4}", joint.command)),
            pair("cycles_missed", joint.misses),
        ];
        let levels = Watched::ALL.into_iter().zip(joint.levels);
        values.extend(levels.map(|(watched, level)| pair(&format!("watch.{}", watched.name()), level)));
        self.status(name, level, message, values)
    }

    /// Why what a joint's servo said last is old; a few missed answers are nothing to speak of.
    fn silence(&self, joint: &JointSnapshot, state: State) -> Option<String> {
        if state == State::Disconnected {
            Some("not connected".to_owned())
        } else if self.is_known(joint) {
            None
        } else {
            Some(format!("silent for {} cycles", joint.misses))
        }
    }

    fn status(&self, part: &str, level: Level, message: String, values: Vec<KeyValue>) -> DiagnosticStatus {
        let name = format!("{}: {part}", self.node_name.trim_start_matches('/'));
        DiagnosticStatus { level: level as u8, name, message, hardware_id: self.node_name.clone(), values }
    }
}

/// The levels of `diagnostic_msgs/DiagnosticStatus`.
#[derive(Clone, Copy)]
enum Level {
    Ok = 0,
    Warn = 1,
    Error = 2,
    Stale = 3,
}

/// What was measured last, where the servo tells it.
fn measured(servo: &ServoReport, watched: Watched) -> String {
    let value = match watched {
        Watched::Temperature => servo.temperature_degc,
        Watched::VoltageLow | Watched::VoltageHigh => servo.voltage_v,
        Watched::Current => servo.current_a,
        Watched::Load => servo.load,
        _ => return String::new(),
    };
    format!(" ({:.2}{})", value, watched.unit())
}

/// Whether nobody wants the arm to be connected, rather than that it is lost.
fn is_closed(snapshot: &Snapshot) -> bool {
    snapshot.state == State::Disconnected && snapshot.cause != Some(Cause::PortLost)
}

/// How a joint stands, and why; what its servo complained of last counts even when that is old.
fn judged(joint: &JointSnapshot, silence: Option<String>) -> (Level, String) {
    let servo = &joint.servo;
    let levels = || Watched::ALL.into_iter().zip(joint.levels).filter(|(_, level)| *level != Watch::Fine);
    let worst = levels().map(|(_, level)| level).max().unwrap_or_default();
    let level = if worst == Watch::Trip || !servo.alarms.is_empty() {
        Level::Error
    } else if silence.is_some() {
        Level::Stale
    } else if worst == Watch::Warning {
        Level::Warn
    } else {
        Level::Ok
    };
    let alarms = (!servo.alarms.is_empty()).then(|| format!("its servo reports {}", servo.alarms));
    let watched =
        levels().map(|(watched, level)| format!("{}: {level}{}", watched.name(), measured(servo, watched)));
    let told: Vec<String> = silence.into_iter().chain(alarms).chain(watched).collect();
    (level, if told.is_empty() { "ok".to_owned() } else { told.join("; ") })
}

fn pair(key: &str, value: impl std::fmt::Display) -> KeyValue {
    KeyValue { key: key.to_owned(), value: value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::alarms::Alarms;

    #[test]
    fn an_alarm_is_an_error_also_when_the_servo_has_fallen_silent_since() {
        let judged = |alarms: Alarms, silence: Option<&str>| {
            let servo = ServoReport { alarms, ..ServoReport::default() };
            let joint = JointSnapshot { servo, ..JointSnapshot::default() };
            let (level, message) = judged(&joint, silence.map(str::to_owned));
            (level as u8, message)
        };
        let silence = Some("silent for 12 cycles");
        assert_eq!(judged(Alarms::NONE, None), (Level::Ok as u8, "ok".to_owned()));
        assert_eq!(judged(Alarms::NONE, silence).0, Level::Stale as u8);
        let (level, message) = judged(Alarms::OVERHEAT, silence);
        assert_eq!(level, Level::Error as u8);
        assert!(message.starts_with("silent for 12 cycles; its servo reports"), "{message}");
    }
}
