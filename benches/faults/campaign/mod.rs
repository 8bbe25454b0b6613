//! A campaign: an emulated arm on simulated time that moves while everything goes wrong that can.
//!
//! [`injector`] makes things go wrong, [`operator`] is the client who moves the arm and switches it on again, and
//! [`observer`] compares what the arm says and does with the servos as they truly are. Each part decides by the seed
//! alone, so a campaign that found something finds it again. What is different from one [`protocol`] to another stands
//! there.

mod injector;
mod line;
mod observer;
mod operator;
mod protocol;
mod report;

use std::time::Duration;

use servo_arm::control::ensemble::{Ensemble, Member};
use servo_arm::servo::clock::{self, Simulation};
use servo_arm::servo::emulator::AfterMissing;
use servo_arm::servo::ports::EnsembleCommander;
use servo_arm::units::Time;

use crate::emulated_arm::{Arm, Goals, follower};
use injector::Injector;
use line::Line;
use observer::Observer;
use operator::Operator;
pub(crate) use protocol::Protocol;
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
    let mut report = Report::new(protocol);
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let leg = LONGEST_LEG.min(plan.lasts / LEAST_LEGS);
    let mut left = plan.lasts;
    let mut number = 0;
    while !left.is_zero() {
        let lasts = leg.min(left);
        left -= lasts;
        run_leg(protocol, number, Plan { lasts, seed: random.u64(..), ..plan }, &mut report);
        number += 1;
    }
    report
}

/// What a line is like in a leg: every kind has its turn.
fn line(protocol: Protocol, leg: u32, seed: u64) -> (Line, bool) {
    let after_missing =
        if (leg / 2).is_multiple_of(2) { AfterMissing::AnswerLate } else { AfterMissing::StaySilent };
    let echo = leg % 2 == 1 && protocol.may_echo();
    let mut buses = protocol.buses(echo, after_missing, seed);
    // A servo without feedback that sags is nowhere known.
    if !protocol.is_of_a_board() {
        let servos = buses.iter_mut().flat_map(|bus| &mut bus.servos);
        servos.zip(LOADS).for_each(|(servo, load)| servo.load = load);
    }
    (Line::plug_in(buses), echo)
}

/// What pulls at the servos, as a part of their stall torque: some joints carry the arm.
const LOADS: [f64; 6] = [0.0, 0.06, -0.06, 0.05, 0.0, 0.0];

/// The mechanical stops are so far beyond the limits (rad).
const STOP: f64 = 0.015;

fn run_leg(protocol: Protocol, leg: u32, plan: Plan, report: &mut Report) {
    // A time at which nothing is zero by accident.
    let start = Time(1_000_000_000_000);
    let _time = Simulation::begin(start);
    let (line, echo) = line(protocol, leg, plan.seed);
    let setup = protocol.setup(&line.names(), echo);
    let (commander, requests) =
        EnsembleCommander::new(Ensemble::new(vec![Member::Trajectory(follower(&setup))]));
    let mut arm = match Arm::connect(line, setup, Box::new(commander)) {
        Ok(arm) => arm,
        Err(error) => return report.violation(start, format!("the arm did not start: {error}")),
    };
    let goals = Goals::of(requests);
    // What carries the arm ends where its joints end, or a limp one would turn round and round.
    for (joint, limits) in arm.setup.limits.iter().enumerate() {
        let (port, id) = arm.emulator.of(joint);
        for end in [limits.lower() - STOP, limits.upper() + STOP] {
            let said = port.command(&format!("block id={id} at={end}rad"));
            assert!(said.starts_with("ok"), "{said}");
        }
    }
    let mut injector = Injector::new(protocol, plan, &arm, clock::now());
    let mut operator = Operator::new(plan.seed, goals);
    let mut observer = Observer::new(protocol, &arm);
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
