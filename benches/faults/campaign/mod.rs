//! A campaign: an emulated arm on simulated time that moves while everything goes wrong that can.
//!
//! [`injector`] makes things go wrong, [`operator`] is the client who moves the arm and switches it on again, and
//! [`observer`] compares what the arm says and does with the servos as they truly are. Each part decides by the seed
//! alone, so a campaign that found something finds it again.

mod injector;
mod observer;
mod operator;
mod report;

use std::path::Path;
use std::time::Duration;

use servo_arm::config::Config;
use servo_arm::config::parameters::{Parameters, Value};
use servo_arm::control::ensemble::{Ensemble, Member};
use servo_arm::protocol::feetech::Id;
use servo_arm::servo::clock::{self, Simulation};
use servo_arm::servo::control_thread::ArmSetup;
use servo_arm::servo::emulator::{AfterMissing, BusConfig, FamilyName};
use servo_arm::servo::ports::EnsembleCommander;
use servo_arm::servo::setup::{arm_setup, robot_model};
use servo_arm::servo::simulated::SimulatedPort;
use servo_arm::units::Time;

use crate::emulated_arm::{Arm, Goals, follower};
use injector::Injector;
use observer::Observer;
use operator::Operator;
pub(crate) use report::Report;

/// What a campaign is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Decides everything.
    pub(crate) seed: u64,
    /// How long, in the arm's time.
    pub(crate) lasts: Duration,
    /// The part of all replies that are damaged, 0 to 1.
    pub(crate) damaged: f64,
}

/// An arm is used for so long before another one, on another line, takes its place.
const LONGEST_LEG: Duration = Duration::from_secs(300);
/// A campaign has at least so many legs, so that a short one sees different lines too.
const LEAST_LEGS: u32 = 2;

/// Runs the campaign of one protocol.
pub(crate) fn run(protocol: Protocol, plan: Plan) -> Report {
    let mut report = Report::new(protocol.name());
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let leg = LONGEST_LEG.min(plan.lasts / LEAST_LEGS);
    let mut left = plan.lasts;
    let mut number = 0;
    while !left.is_zero() {
        let lasts = leg.min(left);
        left -= lasts;
        run_leg(protocol, Line::of_leg(number), Plan { lasts, seed: random.u64(..), ..plan }, &mut report);
        number += 1;
    }
    report
}

/// What servos of the campaign speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Feetech STS on the shipped SO-101.
    FeetechSts,
    /// LewanSoul LX-16A.
    Lx16a,
}

impl Protocol {
    /// Those whose servos tell where they are.
    pub(crate) const ALL: [Self; 2] = [Self::FeetechSts, Self::Lx16a];

    /// As in the parameters.
    pub(crate) fn name(self) -> &'static str {
        self.family().name()
    }

    fn family(self) -> FamilyName {
        match self {
            Self::FeetechSts => FamilyName::FeetechSts,
            Self::Lx16a => FamilyName::Lx16a,
        }
    }

    /// The shipped configuration.
    fn config(self) -> &'static str {
        match self {
            Self::FeetechSts => "so101",
            Self::Lx16a => self.name(),
        }
    }

    fn baud_rate_bps(self) -> u32 {
        match self {
            Self::FeetechSts => 1_000_000,
            Self::Lx16a => 115_200,
        }
    }

    fn servos(self) -> BusConfig {
        let ids = (1..).take(JOINTS).filter_map(|id| Id::new(id).ok());
        BusConfig { pace_bps: Some(self.baud_rate_bps()), ..BusConfig::of(self.family(), ids) }
    }

    /// The shipped arm on that port.
    fn setup(self, port: &str, echo: bool) -> ArmSetup {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut overrides = Parameters::new();
        overrides.insert("port".into(), Value::String(port.to_owned()));
        overrides.insert("urdf".into(), Value::String(root.join("urdf/so101.urdf").display().to_string()));
        overrides.insert("torque_on_start".into(), Value::Bool(false));
        overrides.insert("torque_ramp_s".into(), Value::Double(0.2));
        if echo {
            overrides.insert("echo".into(), Value::Bool(true));
        }
        let file = root.join(format!("config/{}.yaml", self.config()));
        let config = Config::read_hardware(&file, &overrides).unwrap();
        arm_setup(&config, &robot_model(&config.arm).unwrap()).unwrap()
    }
}

/// Every arm of the campaign has so many.
const JOINTS: usize = 6;

/// What the line is like.
#[derive(Clone, Copy, Debug)]
struct Line {
    echo: bool,
    after_missing: AfterMissing,
}

impl Line {
    /// Every kind of line has its turn.
    fn of_leg(number: u32) -> Self {
        let after_missing =
            if (number / 2).is_multiple_of(2) { AfterMissing::AnswerLate } else { AfterMissing::StaySilent };
        Self { echo: number % 2 == 1, after_missing }
    }
}

/// What pulls at the servos, as a part of their stall torque: some joints carry the arm.
const LOADS: [f64; 6] = [0.0, 0.06, -0.06, 0.05, 0.0, 0.0];

/// The mechanical stops are so far beyond the limits (rad).
const STOP: f64 = 0.015;

fn run_leg(protocol: Protocol, line: Line, plan: Plan, report: &mut Report) {
    // A time at which nothing is zero by accident.
    let start = Time(1_000_000_000_000);
    let _time = Simulation::begin(start);
    let echo = line.echo && protocol == Protocol::FeetechSts;
    let mut bus = BusConfig {
        echo,
        after_missing: line.after_missing,
        turnaround: Duration::from_micros(30),
        seed: plan.seed,
        ..protocol.servos()
    };
    for (servo, load) in bus.servos.iter_mut().zip(LOADS) {
        servo.load = load;
    }
    let port = SimulatedPort::plug_in(bus);
    let setup = protocol.setup(port.name(), echo);
    let (commander, requests) =
        EnsembleCommander::new(Ensemble::new(vec![Member::Trajectory(follower(&setup))]));
    let mut arm = match Arm::connect(port, setup, Box::new(commander)) {
        Ok(arm) => arm,
        Err(error) => return report.violation(start, format!("the arm did not start: {error}")),
    };
    let goals = Goals::of(requests);
    // What carries the arm ends where its joints end, or a limp one would turn round and round.
    for (joint, limits) in arm.setup.limits.iter().enumerate() {
        for end in [limits.lower() - STOP, limits.upper() + STOP] {
            arm.emulate(&format!("block id={} at={end}rad", joint + 1));
        }
    }
    let mut injector = Injector::new(plan, &arm, clock::now());
    let mut operator = Operator::new(plan.seed, goals);
    let mut observer = Observer::new(&arm);
    let end = start + plan.lasts;
    while clock::now() < end {
        injector.act(&arm, clock::now(), report);
        let asked = operator.act(&mut arm, clock::now());
        let snapshot = arm.turn();
        operator.hear(&mut arm, report);
        observer.see(&arm, &snapshot, asked, &injector, report);
    }
    Injector::count_damages(&arm, report);
    report.simulated += plan.lasts;
}
