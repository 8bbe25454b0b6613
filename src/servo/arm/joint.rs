//! What several servos say, as one joint's report.

use super::plan::Member;
use crate::control::torque::Standing;
use crate::servo::bus::BusCounters;
use crate::servo::snapshot::ServoReport;
use crate::units::Time;

/// A joint's report, and its servo that is farthest from where it should be.
pub(super) struct Merged<'a> {
    pub(super) report: ServoReport,
    /// `None` where not all of them were heard.
    pub(super) worst: Option<Worst<'a>>,
}

/// A servo that is not where the others are.
pub(super) struct Worst<'a> {
    pub(super) member: &'a Member,
    /// How far (rad or m of its own joint).
    pub(super) amount: f64,
}

/// One report of those of a joint's servos; the first is that of its first servo.
pub(super) fn merge<'a>(reports: impl Iterator<Item = (&'a Member, ServoReport)> + Clone) -> Merged<'a> {
    let Some((_, first)) = reports.clone().next() else {
        return Merged { report: ServoReport::default(), worst: None };
    };
    let leaders = reports.clone().filter(|(member, _)| member.mimic.is_none());
    let count = leaders.clone().count().max(1) as f64;
    let mean =
        |value: fn(&ServoReport) -> f64| leaders.clone().map(|(_, said)| value(&said)).sum::<f64>() / count;
    let mut report = ServoReport {
        position: mean(|said| said.position),
        velocity: mean(|said| said.velocity),
        effort: leaders.clone().map(|(_, said)| said.effort).sum(),
        current_a: leaders.clone().map(|(_, said)| said.current_a).sum(),
        ..first
    };
    for (_, said) in reports.clone().skip(1) {
        report.fresh &= said.fresh;
        report.late &= said.late;
        report.stamp = older(report.stamp, said.stamp);
        report.temperature_degc = report.temperature_degc.max(said.temperature_degc);
        report.voltage_v = report.voltage_v.min(said.voltage_v);
        report.alarms |= said.alarms;
        if report.load.abs() < said.load.abs() {
            report.load = said.load;
        }
    }
    let apart = reports.skip(1).map(|(member, said)| {
        let should = if member.mimic.is_some() { member.of_servo(report.position) } else { first.position };
        Worst { member, amount: (said.position - should).abs() }
    });
    let worst = apart.max_by(|one, other| excess(one).total_cmp(&excess(other)));
    Merged { report, worst: worst.filter(|_| report.fresh) }
}

fn excess(worst: &Worst<'_>) -> f64 {
    worst.amount - worst.member.max_disagreement
}

/// A servo that was never heard has no time, and neither has its joint.
fn older(one: Time, other: Time) -> Time {
    one.min(other)
}

/// How a joint stands whose servos stand so.
///
/// It holds when all of them do; once they were told to let go, it has let go when all have. Its goal is the one that
/// is farthest from what it was told, or where nothing was, the mean.
pub(super) fn stand_together<'a>(
    said: impl Iterator<Item = (&'a Member, Standing)> + Clone,
    told: f64,
    told_off: bool,
) -> Standing {
    let mut torques = said.clone().map(|(_, standing)| standing.torque);
    let torque = if told_off { torques.any(|torque| torque) } else { torques.all(|torque| torque) };
    let goals = said.clone().map(|(member, standing)| member.of_joint(standing.goal));
    // A mimic that stands still whatever its leader does has no goal to tell.
    let goals = goals.filter(|goal| goal.is_finite());
    let goal = if told.is_nan() {
        goals.clone().sum::<f64>() / goals.count().max(1) as f64
    } else {
        let farthest = goals.max_by(|one, other| (one - told).abs().total_cmp(&(other - told).abs()));
        farthest.unwrap_or(told)
    };
    let limit_strays = said.clone().any(|(_, standing)| standing.limit_strays);
    Standing { torque, goal, limit_strays }
}

/// What went over two buses.
pub(super) fn sum(one: BusCounters, other: BusCounters) -> BusCounters {
    BusCounters {
        sent: one.sent + other.sent,
        received: one.received + other.received,
        noise: one.noise + other.noise,
        bad_checksums: one.bad_checksums + other.bad_checksums,
        missed: one.missed + other.missed,
        late: one.late + other.late,
        retried: one.retried + other.retried,
    }
}
