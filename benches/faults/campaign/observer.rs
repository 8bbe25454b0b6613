//! Compares what the arm says and does with the servos as they truly are.
//!
//! Looks after each cycle. A fresh position is right if the joint was there at its stamp, or since the servo was asked
//! before: an answer that was held up for a cycle looks like any other on these wires.

use std::collections::VecDeque;

use servo_arm::control::arm::ArmRequest;
use servo_arm::control::safety::State;
use servo_arm::servo::clock;
use servo_arm::servo::snapshot::Snapshot;
use servo_arm::units::Time;

use super::injector::Injector;
use super::line::Line;
use super::{Protocol, Report};
use crate::emulated_arm::Arm;

/// A servo as it is.
#[derive(Clone, Copy, Debug, Default)]
struct Truth {
    at: Time,
    /// In its joint's units, as all of these.
    position: f64,
    goal: f64,
    torque: bool,
}

/// A joint over time.
#[derive(Clone, Debug, Default)]
struct Watched {
    past: VecDeque<Truth>,
    /// When it was heard last, or could not have been.
    heard: Time,
    /// Whether somebody asked for its torque.
    wanted: bool,
    /// Where it stood when its torque came on, until the arm holds.
    switched_on_at: Option<f64>,
    /// The time since which its goals can be compared.
    goals_since: Time,
    /// Whether it was within its limits since its torque came on.
    was_within: bool,
    was_asked_to_let_go: bool,
    was_disconnected: bool,
    /// The last state that was no fault.
    state_before: State,
}

/// See the module's text.
pub(crate) struct Observer {
    protocol: Protocol,
    joints: Vec<Watched>,
    /// When the port came back that was not identified since.
    awaited: Option<Time>,
    seen_unplug: Option<Time>,
    could_move: Time,
    lost_goals: Time,
}

/// How many cycles are remembered.
const MEMORY: usize = 12;
/// Over so many cycles the velocity of goals is judged, besides from one to the next.
const WINDOW: usize = 8;
/// How many cycles old a position may be that comes in an answer that was held up.
const HELD_UP_CYCLES: u32 = 2;
/// How far a joint may sag or settle while its torque comes on (rad).
const SETTLING: f64 = 0.06;
/// How far beyond a limit a motor may sag and swing that is told to be at it (rad).
const OVERSHOOT: f64 = 0.04;

impl Observer {
    /// Somebody who has not seen anything yet.
    pub(crate) fn new(protocol: Protocol, arm: &Arm<Line>) -> Self {
        let now = clock::now();
        let joint = Watched { heard: now, goals_since: now, ..Watched::default() };
        Self {
            protocol,
            joints: vec![joint; arm.setup.joints.len()],
            awaited: None,
            seen_unplug: None,
            could_move: now,
            lost_goals: now,
        }
    }

    /// Looks at a cycle that has just ended; `asked` is what a user asked for before it.
    pub(crate) fn see(
        &mut self,
        arm: &Arm<Line>,
        snapshot: &Snapshot,
        asked: Option<ArmRequest>,
        injector: &Injector,
        report: &mut Report,
    ) {
        let now = clock::now();
        if injector.loses_goals(snapshot.began) || injector.loses_goals(now) {
            self.lost_goals = now;
        }
        self.judge_reconnection(snapshot, now, injector, report);
        self.judge_service(snapshot, now, report);
        let protocol = self.protocol;
        let truths = look(protocol, arm, now);
        for (index, truth) in truths.into_iter().enumerate() {
            let mut eyes = Eyes { protocol, arm, snapshot, index, now, injector, report };
            let joint = &mut self.joints[index];
            joint.note_request(asked, snapshot);
            joint.judge_torque(truth, &mut eyes);
            if snapshot.state != State::Faulted {
                joint.state_before = snapshot.state;
            }
            joint.past.push_back(truth);
            if MEMORY < joint.past.len() {
                joint.past.pop_front();
            }
            joint.judge_report(&mut eyes);
            joint.judge_goals(self.lost_goals, &mut eyes);
            joint.judge_motion(truth, &mut eyes);
        }
    }

    fn judge_reconnection(
        &mut self,
        snapshot: &Snapshot,
        now: Time,
        injector: &Injector,
        report: &mut Report,
    ) {
        if let Some((from, back)) = injector.unplugged()
            && back <= now
            && self.seen_unplug != Some(from)
        {
            (self.seen_unplug, self.awaited) = (Some(from), Some(back));
        }
        if let Some(back) = self.awaited
            && snapshot.state != State::Disconnected
        {
            self.awaited = None;
            report.reconnects += 1;
            // A servo that is dead when the port comes back, or a line that is, keeps the arm from being identified.
            if injector.all_can_answer_from(now) < back {
                report.max_reconnect_s = report.max_reconnect_s.max(now.secs_since(back));
            }
        }
    }

    fn judge_service(&mut self, snapshot: &Snapshot, now: Time, report: &mut Report) {
        if snapshot.state.can_move() {
            self.could_move = now;
        }
        report.max_out_of_service_s = report.max_out_of_service_s.max(now.secs_since(self.could_move));
    }
}

/// What a joint is judged with.
struct Eyes<'a> {
    protocol: Protocol,
    arm: &'a Arm<Line>,
    snapshot: &'a Snapshot,
    index: usize,
    now: Time,
    injector: &'a Injector,
    report: &'a mut Report,
}

impl Eyes<'_> {
    fn complain(&mut self, sentence: &str) {
        let joint = &self.arm.setup.joints[self.index];
        let state = self.snapshot.state;
        self.report.violation(self.now, format!("{joint} ({state}): {sentence}"));
    }

    /// How far apart positions are that the servo can tell apart, in its joint's units.
    fn tick(&self) -> f64 {
        let calibration = self.arm.setup.hardware.servos[self.index].calibration;
        calibration.rate_to_rad_s(self.protocol.coarseness()).abs()
    }
}

impl Watched {
    fn note_request(&mut self, asked: Option<ArmRequest>, snapshot: &Snapshot) {
        match asked {
            Some(ArmRequest::TorqueOn) => (self.wanted, self.was_asked_to_let_go) = (true, false),
            Some(ArmRequest::TorqueOff) => (self.wanted, self.was_asked_to_let_go) = (false, true),
            _ => {}
        }
        // What was asked before the plug was pulled is not asked any more.
        if snapshot.state == State::Disconnected {
            self.wanted = false;
        }
    }

    fn judge_torque(&mut self, truth: Truth, eyes: &mut Eyes<'_>) {
        let before = self.past.back().copied().unwrap_or_default();
        if truth.torque && !before.torque {
            self.switched_on_at = Some(truth.position);
            self.goals_since = truth.at;
            self.was_within = false;
            if !self.wanted {
                eyes.report.unwanted_torque += 1;
                eyes.complain("holds, and nobody asked for it");
            }
        }
        if before.torque && !truth.torque {
            // Torque that was on its way when a servo did not follow is taken back everywhere, where it was found, too.
            let is_faulted = eyes.snapshot.state == State::Faulted;
            let is_taken_back = is_faulted
                && (!eyes.snapshot.torque || self.state_before == State::Energizing)
                || eyes.snapshot.state == State::Releasing
                || self.was_asked_to_let_go
                || self.switched_on_at.is_some();
            if !is_taken_back && !eyes.injector.lost_power_since(eyes.index, before.at) {
                eyes.report.lost_holds += 1;
                eyes.complain("let go, and nobody asked for it");
            }
            if eyes.snapshot.state != State::Energizing {
                self.wanted = false;
            }
        }
        if let Some(from) = self.switched_on_at {
            if eyes.snapshot.state.can_move() || !truth.torque {
                self.switched_on_at = None;
            } else if !eyes.protocol.is_of_a_board() && SETTLING < (truth.position - from).abs() {
                self.switched_on_at = None;
                eyes.report.out_of_limits += 1;
                eyes.complain(&format!(
                    "moved from {from:.3} to {:.3} when it was switched on",
                    truth.position
                ));
            }
        }
    }

    fn judge_report(&mut self, eyes: &mut Eyes<'_>) {
        let joint = eyes.snapshot.joints()[eyes.index].servo;
        let is_disconnected = eyes.snapshot.state == State::Disconnected;
        if eyes.injector.is_excused(eyes.index, eyes.now) || is_disconnected || self.was_disconnected {
            self.heard = eyes.now;
        }
        self.was_disconnected = is_disconnected;
        if !joint.fresh {
            return;
        }
        let gap = joint.stamp.secs_since(self.heard);
        eyes.report.max_state_gap_s = eyes.report.max_state_gap_s.max(gap);
        self.heard = self.heard.max(joint.stamp);
        if eyes.protocol.is_of_a_board() {
            return;
        }
        eyes.report.positions += 1;
        let Some((least, most)) =
            self.range(joint.stamp - HELD_UP_CYCLES * eyes.arm.setup.period, joint.stamp)
        else {
            return;
        };
        let slack = 1.5 * eyes.tick();
        if !(least - slack..=most + slack).contains(&joint.position) {
            eyes.report.wrong_positions += 1;
            let position = joint.position;
            eyes.complain(&format!("said {position:.4}, was from {least:.4} to {most:.4}"));
        }
    }

    /// Where it was in a span of time, and in the cycles around it.
    fn range(&self, from: Time, until: Time) -> Option<(f64, f64)> {
        let first = self.past.iter().rposition(|truth| truth.at <= from)?;
        let behind = self.past.iter().position(|truth| until <= truth.at)?;
        let positions = || self.past.range(first..=behind).map(|truth| truth.position);
        Some((positions().fold(f64::INFINITY, f64::min), positions().fold(f64::NEG_INFINITY, f64::max)))
    }

    fn judge_goals(&mut self, lost_goals: Time, eyes: &mut Eyes<'_>) {
        let limits = eyes.arm.setup.limits[eyes.index];
        let tick = eyes.tick();
        let Some(&last) = self.past.back() else { return };
        // When torque is asked for it comes on where the joint is, be that beyond a limit; and it may never have gone off,
        // as when a servo has only given its host up.
        let is_switched_on = self.switched_on_at.is_some() || eyes.snapshot.state == State::Energizing;
        if !last.torque || is_switched_on {
            (self.goals_since, self.was_within) = (last.at, false);
            return;
        }
        let is_within = (limits.lower() - tick..=limits.upper() + tick).contains(&last.goal);
        self.was_within |= is_within;
        if self.was_within && !is_within {
            eyes.report.out_of_limits += 1;
            eyes.complain(&format!(
                "its goal is {:.4}, beyond its limits; it was to be {:.4}",
                last.goal,
                eyes.snapshot.joints()[eyes.index].command
            ));
        }
        for cycles in [1, WINDOW] {
            let Some(&before) = self.past.len().checked_sub(cycles + 1).and_then(|at| self.past.get(at))
            else {
                continue;
            };
            if before.at <= self.goals_since || before.at <= lost_goals {
                continue;
            }
            let period = eyes.arm.setup.period;
            // A cycle's goals are written, and looked at, a little earlier or later than those of the one before.
            let cycles = period * u32::try_from(cycles).unwrap_or(0);
            let elapsed = last.at.saturating_since(before.at).max(cycles) + period;
            let step = (last.goal - before.goal).abs();
            if limits.max_velocity() * elapsed.as_secs_f64() + 2.0 * tick < step {
                eyes.report.out_of_limits += 1;
                eyes.complain(&format!("its goal moved by {step:.4} in {elapsed:?}"));
            }
        }
    }

    fn judge_motion(&mut self, truth: Truth, eyes: &mut Eyes<'_>) {
        let limits = eyes.arm.setup.limits[eyes.index];
        if !truth.torque || !self.was_within {
            return;
        }
        let beyond = (limits.lower() - truth.position).max(truth.position - limits.upper());
        if OVERSHOOT < beyond {
            eyes.report.out_of_limits += 1;
            eyes.complain(&format!("is at {:.4}, beyond its limits", truth.position));
        }
        let Some(&before) = self.past.len().checked_sub(WINDOW + 1).and_then(|at| self.past.get(at)) else {
            return;
        };
        // A servo that knows nothing but pulses goes to them as fast as it can.
        if eyes.protocol.is_of_a_board() {
            return;
        }
        let elapsed = truth.at.secs_since(before.at);
        let moved = (truth.position - before.position).abs();
        // A motor that was pushed away returns at the speed that it was told, which is the limit.
        if before.torque && limits.max_velocity() * 1.1 * elapsed + 4.0 * eyes.tick() < moved {
            eyes.report.out_of_limits += 1;
            eyes.complain(&format!("moved by {moved:.4} in {elapsed:.4} s"));
        }
    }
}

/// The servos as they are now.
fn look(protocol: Protocol, arm: &Arm<Line>, now: Time) -> Vec<Truth> {
    let servos = &arm.setup.hardware.servos;
    let mut truths = Vec::with_capacity(servos.len());
    arm.emulator.each_servo(|servo, _| {
        servo.advance(now);
        let Some(config) = servos.get(truths.len()) else { return };
        let calibration = config.calibration;
        let joint = |counts: f64| {
            let ticks = protocol.ticks_a_count() * counts;
            calibration.rate_to_rad_s(ticks - f64::from(calibration.zero.0))
        };
        let register = |name: &str| servo.get(name).unwrap_or_default() as f64;
        truths.push(Truth {
            at: now,
            position: joint(servo.motor().position() - servo.encoder_at(0.0)),
            goal: joint(register("goal_position")),
            torque: register("torque_enable") == 1.0,
        });
    });
    truths
}
