//! References that come from outside, one after the other, such as `joint_commands`.
//!
//! Only the newest counts. Once they stop coming the arm brakes and holds; no command is ever repeated as if new.
//! A command that says how fast its joints move is taken a little further while the next one is late, so that two
//! processes which are not in step do not make the arm jerk.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::time::Duration;

use super::arm::{MeasuredJoint, Reference, ReferenceSource};
use crate::config::arm::MAX_JOINTS;
use crate::units::Time;

/// One command for some or all joints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointCommand {
    /// When it came in.
    pub received: Time,
    /// For each joint its position (rad or m); NaN where the command says nothing of a joint.
    pub positions: [f64; MAX_JOINTS],
    /// For each joint its velocity (rad/s or m/s); NaN where the command does not say.
    pub velocities: [f64; MAX_JOINTS],
    /// For each joint the greatest effort that it may use (N m or N); NaN for the configured one.
    pub efforts: [f64; MAX_JOINTS],
}

/// For so many ticks a moving command is taken further, and longer if its stream is slower.
const LEAST_PATIENCE_TICKS: u32 = 2;
/// A stream that was there before the arm held is obeyed where it asks for no motion to begin with (rad).
const NO_MOTION: f64 = 0.02;
/// How much of a new distance between two commands counts.
const SMOOTHING: f64 = 0.05;

/// Follows the newest command of a stream.
#[derive(Clone, Debug)]
pub struct CommandStream {
    period_secs: f64,
    timeout: Duration,
    /// Farther than this from the held position, a joint's command is not obeyed yet (rad).
    guard: f64,
    newest: Option<JointCommand>,
    /// When the last command came of a stream that was obeyed.
    heard: Option<Time>,
    /// How many ticks the newest command has been used already, and the one before it was in all.
    ticks_used: u32,
    ticks_between: u32,
    /// Smoothed ticks between two commands.
    mean_ticks: f64,
    /// For each joint how its commands' velocities change (rad/s² or m/s²); 0 where that is not known.
    accelerations: [f64; MAX_JOINTS],
    /// Whether the stream was there already when the arm began to hold, and has not paused since.
    is_older: bool,
    /// Whether the stream still has to come near the position that each joint has held since torque came on.
    guarded: [bool; MAX_JOINTS],
    /// Whether no motion is possible now.
    halted: bool,
    held: [f64; MAX_JOINTS],
    /// The greatest efforts that were obeyed last; they stay when the stream ends, and go with the torque.
    efforts: [f64; MAX_JOINTS],
}

impl CommandStream {
    /// A stream that is looked at every `period_secs`, whose commands count for `timeout`, and which must begin within
    /// `guard` of the arm after a start.
    pub fn new(period_secs: f64, timeout: Duration, guard: f64) -> Self {
        Self {
            period_secs,
            timeout,
            guard,
            newest: None,
            heard: None,
            // As if it had been silent for ever.
            ticks_used: u32::MAX,
            ticks_between: 0,
            mean_ticks: 1.0,
            accelerations: [0.0; MAX_JOINTS],
            is_older: false,
            guarded: [true; MAX_JOINTS],
            halted: true,
            held: [0.0; MAX_JOINTS],
            efforts: [f64::INFINITY; MAX_JOINTS],
        }
    }

    /// Takes a command; an older one is forgotten.
    pub fn push(&mut self, command: JointCommand) {
        let before = self.newest.replace(command);
        // A stream that paused begins anew.
        self.ticks_between = if self.has_paused() { 0 } else { self.ticks_used };
        self.ticks_used = 0;
        self.note_accelerations(before, &command);
    }

    fn note_accelerations(&mut self, before: Option<JointCommand>, command: &JointCommand) {
        self.accelerations = [0.0; MAX_JOINTS];
        let Some(before) = before.filter(|_| self.ticks_between != 0) else {
            self.mean_ticks = 1.0;
            return;
        };
        self.mean_ticks += SMOOTHING * (f64::from(self.ticks_between) - self.mean_ticks);
        let secs = self.mean_ticks.max(1.0) * self.period_secs;
        for (joint, acceleration) in self.accelerations.iter_mut().enumerate() {
            let change = (command.velocities[joint] - before.velocities[joint]) / secs;
            *acceleration = if change.is_finite() { change } else { 0.0 };
        }
    }

    /// Whether nothing has come for longer than a command counts.
    fn has_paused(&self) -> bool {
        self.timeout.as_secs_f64() <= f64::from(self.ticks_used) * self.period_secs
    }

    /// Where the command of a joint leads by now.
    fn reference(&self, joint: usize, position: f64, velocity: f64) -> Reference {
        if !velocity.is_finite() {
            return Reference::Follow(position);
        }
        let patience = LEAST_PATIENCE_TICKS.max(self.ticks_between.saturating_mul(3) / 2);
        if velocity != 0.0 && patience < self.ticks_used {
            // The stream broke off on the way: to stop is better than to go back to where it was heard last.
            return Reference::Hold;
        }
        let late_secs = f64::from(self.ticks_used) * self.period_secs;
        let acceleration = self.accelerations[joint];
        // A joint that brakes comes to rest; it does not turn round.
        let brakes = velocity * acceleration < 0.0;
        let secs = if brakes { late_secs.min(-velocity / acceleration) } else { late_secs };
        Reference::Track {
            position: position + (velocity + 0.5 * acceleration * secs) * secs,
            velocity: velocity + acceleration * secs,
        }
    }
}

impl ReferenceSource for CommandStream {
    fn step(&mut self, now: Time, _measured: &[MeasuredJoint], reference: &mut [Reference]) -> bool {
        let fresh = self.newest.filter(|command| now.saturating_since(command.received) <= self.timeout);
        self.is_older &= !self.has_paused();
        let Some(command) = fresh.filter(|_| !self.halted) else {
            self.newest = None;
            self.ticks_used = self.ticks_used.saturating_add(1);
            return false;
        };
        self.heard = Some(command.received);
        let guard = if self.is_older { NO_MOTION.min(self.guard) } else { self.guard };
        for (joint, reference) in reference.iter_mut().enumerate() {
            let wanted = command.positions[joint];
            let is_near = (wanted - self.held[joint]).abs() <= guard;
            self.guarded[joint] &= !is_near;
            if wanted.is_finite() && !self.guarded[joint] {
                *reference = self.reference(joint, wanted, command.velocities[joint]);
                let effort = command.efforts[joint];
                self.efforts[joint] = if 0.0 < effort { effort } else { f64::INFINITY };
            }
        }
        self.ticks_used = self.ticks_used.saturating_add(1);
        true
    }

    fn limit_efforts(&mut self, limits: &mut [f64]) {
        let joints = limits.len();
        limits.copy_from_slice(&self.efforts[..joints]);
    }

    /// Whoever says how hard a joint may push at most knows that it will.
    fn may_stall(&self, joint: usize) -> bool {
        self.efforts.get(joint).is_some_and(|effort| effort.is_finite())
    }

    fn silence(&self, now: Time) -> Option<Duration> {
        self.heard.map(|heard| now.saturating_since(heard))
    }

    fn hold_at(&mut self, positions: &[f64]) {
        self.heard = None;
        self.efforts = [f64::INFINITY; MAX_JOINTS];
        self.is_older = !self.has_paused();
        (self.newest, self.halted) = (None, false);
        self.guarded = [true; MAX_JOINTS];
        self.held[..positions.len()].copy_from_slice(positions);
    }

    fn halt(&mut self, _why: &'static str) {
        (self.newest, self.heard, self.halted) = (None, None, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(100);

    fn stream() -> CommandStream {
        let mut stream = CommandStream::new(0.01, TIMEOUT, 0.2);
        stream.hold_at(&[0.0, 1.0]);
        stream
    }

    fn command(received: Time, first: f64, second: f64) -> JointCommand {
        let mut positions = [f64::NAN; MAX_JOINTS];
        positions[..2].copy_from_slice(&[first, second]);
        let nothing = [f64::NAN; MAX_JOINTS];
        JointCommand { received, positions, velocities: nothing, efforts: nothing }
    }

    fn step(stream: &mut CommandStream, now: Time) -> (bool, [Reference; 2]) {
        let mut reference = [Reference::Hold; 2];
        let active = stream.step(now, &[], &mut reference);
        (active, reference)
    }

    #[test]
    fn a_command_counts_until_its_timeout_and_never_again() {
        let mut stream = stream();
        stream.push(command(Time(0), 0.1, f64::NAN));
        assert_eq!(step(&mut stream, Time(0) + TIMEOUT), (true, [Reference::Follow(0.1), Reference::Hold]));
        let late = Time(1) + TIMEOUT;
        assert_eq!(step(&mut stream, late), (false, [Reference::Hold; 2]));
        assert_eq!(step(&mut stream, Time(0)), (false, [Reference::Hold; 2]));
    }

    #[test]
    fn a_stream_that_goes_on_after_a_halt_is_not_obeyed() {
        let mut stream = stream();
        stream.halt("the node stops");
        stream.push(command(Time(0), 0.1, 1.0));
        assert_eq!(step(&mut stream, Time(0)), (false, [Reference::Hold; 2]));
        stream.hold_at(&[0.0, 1.0]);
        stream.push(command(Time(0), 0.1, 1.0));
        assert!(step(&mut stream, Time(0)).0);
    }

    #[test]
    fn a_stream_that_is_far_off_when_torque_comes_on_is_obeyed_only_once_it_came_near() {
        let mut stream = stream();
        stream.push(command(Time(0), 0.5, 1.1));
        assert_eq!(step(&mut stream, Time(0)).1, [Reference::Hold, Reference::Follow(1.1)]);
        stream.push(command(Time(1), 0.15, 1.1));
        assert_eq!(step(&mut stream, Time(1)).1[0], Reference::Follow(0.15));
        stream.push(command(Time(2), 0.5, 1.1));
        assert_eq!(step(&mut stream, Time(2)).1[0], Reference::Follow(0.5));
    }

    #[test]
    fn a_stream_that_ran_on_through_a_halt_moves_nothing_when_the_arm_holds_again() {
        let mut stream = stream();
        stream.push(command(Time(0), 0.15, 1.0));
        step(&mut stream, Time(0));
        stream.hold_at(&[0.0, 1.0]);
        stream.push(command(Time(1), 0.15, 1.0));
        assert_eq!(step(&mut stream, Time(1)).1, [Reference::Hold, Reference::Follow(1.0)]);
        let after_a_pause = Time(2) + 2 * TIMEOUT;
        for _ in 0..12 {
            step(&mut stream, after_a_pause);
        }
        stream.push(command(after_a_pause, 0.15, 1.0));
        assert_eq!(step(&mut stream, after_a_pause).1[0], Reference::Follow(0.15));
    }

    #[test]
    fn a_moving_command_is_taken_further_for_a_moment_and_then_the_arm_brakes() {
        let mut stream = stream();
        let mut moving = command(Time(0), 0.1, f64::NAN);
        moving.velocities[0] = 2.0;
        stream.push(moving);
        let mut references = Vec::new();
        for _ in 0..4 {
            references.push(step(&mut stream, Time(0)).1[0]);
        }
        let track = |position| Reference::Track { position, velocity: 2.0 };
        assert_eq!(
            references,
            [track(0.1), track(0.1 + 2.0 * 0.01), track(0.1 + 2.0 * 0.02), Reference::Hold]
        );
    }

    #[test]
    fn an_effort_limit_stays_when_the_stream_ends_and_goes_with_the_torque() {
        let mut stream = stream();
        let mut gentle = command(Time(0), 0.1, f64::NAN);
        gentle.efforts[0] = 0.3;
        stream.push(gentle);
        step(&mut stream, Time(0));
        step(&mut stream, Time(1) + 2 * TIMEOUT);
        assert_eq!(efforts(&mut stream), [0.3, f64::INFINITY]);
        stream.push(command(Time(1), f64::NAN, 1.0));
        step(&mut stream, Time(1));
        assert_eq!(efforts(&mut stream)[0], 0.3, "a command that leaves the joint out says nothing of it");
        stream.push(command(Time(2), 0.1, 1.0));
        step(&mut stream, Time(2));
        assert_eq!(efforts(&mut stream)[0], f64::INFINITY);
        stream.push(gentle);
        step(&mut stream, Time(0));
        stream.hold_at(&[0.1, 1.0]);
        assert_eq!(efforts(&mut stream)[0], f64::INFINITY);
    }

    fn efforts(stream: &mut CommandStream) -> [f64; 2] {
        let mut limits = [f64::INFINITY; 2];
        stream.limit_efforts(&mut limits);
        limits
    }

    #[test]
    fn a_braking_command_is_taken_further_as_it_brakes_and_not_beyond_its_rest() {
        let mut stream = stream();
        let mut braking = command(Time(0), 0.1, f64::NAN);
        for velocity in [0.5, 0.3] {
            braking.velocities[0] = velocity;
            stream.push(braking);
            step(&mut stream, Time(0));
        }
        // 20 rad/s², so that 0.3 rad/s are gone after 0.015 s and 2.25 mrad.
        let Reference::Track { position, velocity } = step(&mut stream, Time(0)).1[0] else { panic!() };
        assert!((position - 0.102).abs() < 1e-9 && (velocity - 0.1).abs() < 1e-9);
        let Reference::Track { position, velocity } = step(&mut stream, Time(0)).1[0] else { panic!() };
        assert!((position - 0.10225).abs() < 1e-9 && velocity.abs() < 1e-9);
    }

    #[test]
    fn a_command_at_rest_counts_until_its_timeout() {
        let mut stream = stream();
        let mut resting = command(Time(0), 0.1, f64::NAN);
        resting.velocities[0] = 0.0;
        stream.push(resting);
        for _ in 0..9 {
            assert_eq!(step(&mut stream, Time(0)).1[0], Reference::Track { position: 0.1, velocity: 0.0 });
        }
    }
}
