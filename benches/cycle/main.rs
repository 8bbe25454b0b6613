//! What one control cycle costs, on six emulated servos behind a real pseudo-terminal in this process.
//!
//! `paced` lets bytes take their time at 1 Mbit/s and runs cycles back to back: how near does the rate come to
//! what the wire allows? `unpaced` leaves the wire out: what does the host spend? `periodic` is the control thread
//! as the nodes run it. `pure` is the computing alone. With a protocol it is about how much of a bus is used instead.
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

mod efficiency;
#[path = "../../tests/it/emulated_arm.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod emulated_arm;

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use emulated_arm::{Arm, Changes, Goals, Servos, follower};
use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value as Json, json};
use servo_arm::config::hardware::{ArmEnd, CommandLoss, RealtimeConfig, TorquePolicy};
use servo_arm::config::parameters::Value;
use servo_arm::control::arm::{ArmCore, ArmPolicy, MeasuredJoint};
use servo_arm::control::follower::{Follower, Request};
use servo_arm::control::limiter::Limiter;
use servo_arm::control::safety::State;
use servo_arm::control::torque::{Standing, TorqueOrder};
use servo_arm::protocol::feetech::packet::OVERHEAD;
use servo_arm::protocol::feetech::{GoalBlock, Telemetry};
use servo_arm::servo::emulator::BusConfig;
use servo_arm::servo::{clock, realtime};
use servo_arm::units::Time;

/// Measures the control cycle.
#[derive(Parser)]
struct Options {
    /// Where to write all numbers.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How long to measure, all in all.
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    seconds: f64,
    /// How much of a bus is used by servos that speak this.
    #[arg(long, value_name = "NAME")]
    protocol: Option<efficiency::Protocol>,
    /// What cargo says to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

const SERVOS: usize = 6;
const BAUD_RATE_BPS: u32 = 1_000_000;
/// The highest priority below the kernel's own helpers.
const FIFO_PRIORITY: u8 = 80;
/// As README recommends it to whoever wants the most out of a bus.
const BUSY_WAIT_SECS: f64 = 200e-6;
/// The trajectory is over after a million ticks, and then a tick costs less.
const LONGEST_PURE: Duration = Duration::from_millis(120);

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let seconds = |part: f64| Duration::from_secs_f64(part * options.seconds.clamp(0.5, 3600.0));
    let machine = machine();
    if let Some(protocol) = options.protocol {
        let report = json!({ "machine": machine, "protocol": protocol.name(), "buses": protocol.measure(seconds(1.0)) });
        efficiency::print(&report);
        return write(options.json, &report);
    }
    let report = json!({
        "machine": machine,
        "paced": on_control_thread(|| paced(seconds(0.4))),
        "unpaced": on_control_thread(|| unpaced(seconds(0.2))),
        "periodic": on_control_thread(|| periodic(seconds(0.35))),
        "pure": pure(seconds(0.05).min(LONGEST_PURE)),
    });
    print(&report);
    write(options.json, &report)
}

fn write(file: Option<PathBuf>, report: &Json) -> anyhow::Result<()> {
    if let Some(file) = file {
        std::fs::write(file, serde_json::to_string_pretty(report)?)?;
    }
    Ok(())
}

/// Runs a part on a thread that is set up as the control thread is; says what was not permitted.
///
/// The emulator's thread inherits the priority: it stands for hardware, which no scheduler keeps waiting.
fn on_control_thread(part: impl FnOnce() -> Json + Send) -> Json {
    std::thread::scope(|scope| {
        let run = || {
            let config = RealtimeConfig { fifo_priority: Some(FIFO_PRIORITY), ..RealtimeConfig::default() };
            let refused = realtime::set_up_current_thread(&config);
            let mut report = part();
            report["refused_by_the_system"] = json!(refused);
            report
        };
        scope.spawn(run).join().unwrap()
    })
}

/// Cycles back to back on a wire that takes its time.
fn paced(lasts: Duration) -> Json {
    let bound_hz = f64::from(BAUD_RATE_BPS) / 10.0 / bytes_a_cycle() as f64;
    let busy_wait = ("realtime.busy_wait_s", Value::Double(BUSY_WAIT_SECS));
    let changes = [("update_rate_hz", Value::Double(500.0)), busy_wait];
    let (mut arm, _goals) = moving_arm(Some(BAUD_RATE_BPS), &changes);
    let cycles = Cycles::run(&mut arm, lasts);
    let mut report = cycles.report();
    report["bytes_a_cycle"] = json!(bytes_a_cycle());
    report["bound_hz"] = json!(bound_hz);
    report["ratio"] = json!(cycles.rate_hz() / bound_hz);
    report["emulator"] = serde_json::from_str(&arm.emulate("stats")).unwrap();
    report
}

/// Cycles back to back on a wire that takes no time: what the host spends.
fn unpaced(lasts: Duration) -> Json {
    let (mut arm, _goals) = moving_arm(None, &[]);
    Cycles::run(&mut arm, lasts).report()
}

/// The control thread as the nodes run it, at 200 Hz.
fn periodic(lasts: Duration) -> Json {
    let fifo = ("realtime.fifo_priority", Value::Integer(FIFO_PRIORITY.into()));
    let (Arm { emulator, control, mut ports, .. }, _goals) = moving_arm(Some(BAUD_RATE_BPS), &[fifo]);
    let before = *control.snapshot();
    let thread = control.spawn().unwrap();
    let (mut periods, mut late, mut cycle) = (histogram(), histogram(), histogram());
    let (end, mut last) = (clock::now() + lasts, before);
    while clock::now() < end {
        std::thread::sleep(Duration::from_millis(50));
        while let Ok(snapshot) = ports.snapshots.pop() {
            // The first period began in the preparations.
            if snapshot.cycle != before.cycle + 1 {
                record(&mut periods, snapshot.period);
            }
            record(&mut late, snapshot.began.saturating_since(snapshot.due));
            record(&mut cycle, snapshot.ended.saturating_since(snapshot.began));
            last = snapshot;
        }
    }
    drop(thread);
    drop(emulator);
    let bytes = last.bus.sent + last.bus.received - before.bus.sent - before.bus.received;
    let wire_secs = bytes as f64 * 10.0 / f64::from(BAUD_RATE_BPS);
    json!({
        "cycles": cycle.len(),
        "period_us": percentiles(&periods),
        "late_us": percentiles(&late),
        "cycle_us": percentiles(&cycle),
        "overruns": last.overruns - before.overruns,
        "missed_answers": last.bus.missed - before.bus.missed,
        "bus_utilisation": wire_secs / last.ended.secs_since(before.ended),
    })
}

/// The computing of a cycle alone: judging, following a trajectory, limiting.
fn pure(lasts: Duration) -> Json {
    let (arm, _goals) = moving_arm(None, &[]);
    let (setup, goal) = (arm.setup.clone(), motion(&arm));
    let period_secs = setup.period.as_secs_f64();
    let mut follower = follower(&setup);
    let policy = ArmPolicy {
        torque_ramp: Duration::ZERO,
        misses_to_degraded: 10,
        misses_to_fault: 100,
        on_fault: TorquePolicy::Hold,
        on_command_loss: CommandLoss { after: None, end: ArmEnd::Hold },
        on_deactivate: ArmEnd::Hold,
    };
    let mut core = ArmCore::new(&setup.limits, period_secs, policy, true);
    core.on_connected(&[Standing::default(); SERVOS]);
    let mut now = Time(1);
    let mut tick = |core: &mut ArmCore, follower: &mut Follower| {
        now = now + setup.period;
        let measured = std::array::from_fn::<_, SERVOS, _>(|joint| {
            let position = core.commands()[joint];
            Some(MeasuredJoint { stamp: now, fresh: true, position, ..MeasuredJoint::default() })
        });
        let orders = core.tick(now, measured, follower);
        if let Some(joint) = orders.torque.and_then(TorqueOrder::joint) {
            let said = Standing { torque: true, goal: core.commands()[joint], ..Standing::default() };
            core.on_read_back(joint, Some(said), 0.01, follower);
        }
        while core.pop_transition().is_some() {}
    };
    while core.state() != State::Holding {
        tick(&mut core, &mut follower);
    }
    follower.request(goal);
    let ticks = time_each(lasts / 2, || tick(&mut core, &mut follower));
    assert_eq!(core.state(), State::Active);
    let mut limiter = Limiter::new(setup.limits[0], period_secs, 0.0);
    let mut target = 0.0_f64;
    let limited = time_each(lasts / 2, || {
        target = 0.5 - target;
        black_box(limiter.follow(black_box(target)));
    });
    json!({ "tick_of_six_joints_ns": ticks, "limiter_of_one_joint_ns": limited })
}

/// The mean time of one call (ns); too short to be clocked one by one.
fn time_each(lasts: Duration, mut call: impl FnMut()) -> f64 {
    const BATCH: u32 = 1000;
    let begun = clock::now();
    let mut calls = 0_u32;
    while clock::now().saturating_since(begun) < lasts {
        (0..BATCH).for_each(|_| call());
        calls += BATCH;
    }
    clock::now().secs_since(begun) * 1e9 / f64::from(calls)
}

/// An arm with torque on, on its way.
fn moving_arm(pace_bps: Option<u32>, changes: Changes<'_>) -> (Arm, Goals) {
    set_out(emulated_arm::power_up(BusConfig { pace_bps, ..emulated_arm::servos() }), changes)
}

/// The same of these servos.
fn set_out<E: Servos>(servos: E, changes: Changes<'_>) -> (Arm<E>, Goals) {
    let (mut arm, mut goals) = Arm::with_trajectories(servos, changes).unwrap();
    arm.cycle_until_state(State::Holding);
    goals.push(motion(&arm));
    arm.cycle_until_state(State::Active);
    (arm, goals)
}

/// To and fro, twice a second, in every joint.
fn motion<E: Servos>(arm: &Arm<E>) -> Request {
    const SWING_SECS: f64 = 0.5;
    /// Longer than any bench.
    const SWINGS: i32 = 10_000;
    let points: Vec<(f64, f64)> = (1..=SWINGS)
        .map(|swing| (f64::from(swing) * SWING_SECS, if swing % 2 == 0 { -0.1 } else { 0.3 }))
        .collect();
    arm.goal(1, &points)
}

/// Cycles that were run one after the other.
struct Cycles {
    times: Histogram<u64>,
    lasted: Duration,
    control_cpu: Duration,
    process_cpu: Duration,
    missed: u64,
    /// Sent and received.
    bytes: u64,
}

impl Cycles {
    fn run<E: Servos>(arm: &mut Arm<E>, lasts: Duration) -> Self {
        let mut times = histogram();
        let before = arm.control.snapshot().bus;
        let cpu = || (cpu_time(ClockId::ThreadCPUTime), cpu_time(ClockId::ProcessCPUTime));
        let (begun, (thread, process)) = (clock::now(), cpu());
        let mut at = begun;
        while at.saturating_since(begun) < lasts {
            let snapshot = arm.cycle();
            assert_eq!(snapshot.state, State::Active);
            let after = clock::now();
            record(&mut times, after.saturating_since(at));
            at = after;
        }
        let (thread_after, process_after) = cpu();
        let bus = arm.control.snapshot().bus;
        Self {
            times,
            lasted: at.saturating_since(begun),
            control_cpu: thread_after - thread,
            process_cpu: process_after - process,
            missed: bus.missed - before.missed,
            bytes: bus.sent + bus.received - before.sent - before.received,
        }
    }

    fn rate_hz(&self) -> f64 {
        self.times.len() as f64 / self.lasted.as_secs_f64()
    }

    fn report(&self) -> Json {
        let a_cycle_us = |cpu: Duration| cpu.as_secs_f64() * 1e6 / self.times.len().max(1) as f64;
        json!({
            "cycles": self.times.len(),
            "rate_hz": self.rate_hz(),
            "cycle_us": percentiles(&self.times),
            "control_cpu_us": a_cycle_us(self.control_cpu),
            "emulator_cpu_us": a_cycle_us(self.process_cpu.saturating_sub(self.control_cpu)),
            "missed_answers": self.missed,
        })
    }
}

/// Goals, the request for telemetry, and the telemetry.
fn bytes_a_cycle() -> usize {
    let goals = OVERHEAD + 2 + SERVOS * (1 + GoalBlock::LEN);
    let request = OVERHEAD + 2 + SERVOS;
    goals + request + SERVOS * (OVERHEAD + Telemetry::LEN)
}

fn cpu_time(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::try_from(time).unwrap_or_default()
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap()
}

fn record(histogram: &mut Histogram<u64>, time: Duration) {
    histogram.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1));
}

fn percentiles(histogram: &Histogram<u64>) -> Json {
    let micros = |nanos: u64| nanos as f64 / 1e3;
    json!({
        "mean": histogram.mean() / 1e3,
        "p50": micros(histogram.value_at_quantile(0.5)),
        "p99": micros(histogram.value_at_quantile(0.99)),
        "p999": micros(histogram.value_at_quantile(0.999)),
        "max": micros(histogram.max()),
    })
}

/// What the numbers depend on besides us.
fn machine() -> Json {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<f64> = load.split(' ').take(3).filter_map(|part| part.parse().ok()).collect();
    let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    json!({ "processors": processors, "load_average": load })
}

fn print(report: &Json) {
    let number = |part: &str, key: &str| report[part][key].as_f64().unwrap_or(f64::NAN);
    let machine = &report["machine"];
    println!("{} processors, load {}", machine["processors"], machine["load_average"]);
    for part in ["paced", "unpaced", "periodic"] {
        for refused in report[part]["refused_by_the_system"].as_array().into_iter().flatten() {
            println!("{part}: {refused}");
        }
    }
    println!("{:<28}{:>9}{:>9}{:>9}{:>9}{:>10}", "µs", "mean", "p50", "p99", "p99.9", "max");
    for (part, key) in [
        ("paced", "cycle_us"),
        ("unpaced", "cycle_us"),
        ("periodic", "period_us"),
        ("periodic", "late_us"),
        ("periodic", "cycle_us"),
    ] {
        let row = |name: &str| report[part][key][name].as_f64().unwrap_or(f64::NAN);
        let [mean, p50, p99, p999, max] = ["mean", "p50", "p99", "p999", "max"].map(row);
        let name = format!("{part} {}", key.trim_end_matches("_us"));
        println!("{name:<28}{mean:>9.1}{p50:>9.1}{p99:>9.1}{p999:>9.1}{max:>10.1}");
    }
    println!(
        "paced: {:.1} of {:.1} Hz, {:.1} % of what the wire allows ({} bytes a cycle)",
        number("paced", "rate_hz"),
        number("paced", "bound_hz"),
        100.0 * number("paced", "ratio"),
        number("paced", "bytes_a_cycle")
    );
    for part in ["paced", "unpaced"] {
        println!(
            "{part}: processor time of a cycle {:.1} µs, of the emulator {:.1} µs; {} answers missed",
            number(part, "control_cpu_us"),
            number(part, "emulator_cpu_us"),
            number(part, "missed_answers")
        );
    }
    println!(
        "periodic: {} overruns and {} answers missed in {} cycles, bus in use {:.1} %",
        number("periodic", "overruns"),
        number("periodic", "missed_answers"),
        number("periodic", "cycles"),
        100.0 * number("periodic", "bus_utilisation")
    );
    println!(
        "pure: tick of six joints {:.0} ns, limiter of one joint {:.1} ns",
        number("pure", "tick_of_six_joints_ns"),
        number("pure", "limiter_of_one_joint_ns")
    );
}
