//! One run: goal after goal, at random moments of the control period, and what was seen of each.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use r2r::GoalStatus;
use servo_arm::servo::control_thread::ArmSetup;

use crate::client::{Accepted, Client, wall_now};
use crate::motion::{Motion, OldMotion, Pose, nanos};
use crate::report::Series;
use crate::wire::{Wire, Write};

/// An arm that rests, and its client.
pub(crate) struct Session {
    client: Client,
    wire: Wire,
    motion: Motion,
    random: fastrand::Rng,
    seen: Seen,
}

/// What was measured.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) joints: Vec<String>,
    pub(crate) accepted: Series,
    pub(crate) first_command: Series,
    pub(crate) first_command_of_replacement: Series,
    pub(crate) end_to_result: Series,
    pub(crate) cancel_to_stop: Series,
    pub(crate) cancel_to_answer: Series,
    pub(crate) cancel_to_result: Series,
    pub(crate) empty_call: Series,
    pub(crate) inverse_kinematics: Series,
    pub(crate) between_commands: Series,
    /// Goals that ended otherwise than they should have, in words.
    pub(crate) unexpected: Vec<String>,
    /// How far the arm rested from where its last goal ended, where it did (rad). Then its first motion may not show at
    /// once, and is not measured.
    pub(crate) strayed: Vec<f64>,
    /// Motions whose beginning or end could not be told from the wire.
    pub(crate) unseen: u32,
}

/// A motion that runs to its end.
const SHORT_SECS: std::ops::Range<f64> = 0.04..0.1;
/// One that is replaced or cancelled, and what follows it.
const LONG_SECS: std::ops::Range<f64> = 0.1..0.15;
/// When it is, as a part of it.
const INTERRUPTED: std::ops::Range<f64> = 0.3..0.55;
/// Rest before a goal is sent; the range is that of a period or more, so that no moment of it is preferred.
const PAUSE_SECS: std::ops::Range<f64> = 0.015..0.03;
/// In which an arm that was cancelled has come to rest.
const STOPPING: Duration = Duration::from_millis(60);
const START_TIMEOUT: Duration = Duration::from_secs(15);
/// The group and the link of the SO-101 that inverse kinematics are asked for, and within what its joints stand (rad).
const GROUP: &str = "arm";
const LINK: &str = "tool0";
const POSTURE: f64 = 0.8;

impl Session {
    /// Connects, and brings the arm to its place of rest.
    pub(crate) fn start(
        setup: &ArmSetup,
        wire: Wire,
        with_kinematics: bool,
        stop: &Arc<AtomicBool>,
    ) -> anyhow::Result<Self> {
        let (client, joints) = Client::connect(stop.clone(), with_kinematics)?;
        let motion = Motion::new(setup, &joints);
        if motion.names().is_empty() {
            bail!("the controller has none of the joints {}", setup.joints.join(", "));
        }
        let seen =
            Seen { joints: motion.names().iter().map(ToString::to_string).collect(), ..Seen::default() };
        let random = fastrand::Rng::with_seed(1);
        let mut session = Self { client, wire, motion, random, seen };
        let begun = Instant::now();
        while !session.settles()? {
            if START_TIMEOUT < begun.elapsed() {
                bail!("the arm does not get to its place of rest");
            }
        }
        Ok(session)
    }

    /// Until the servos hold, the arm does not move.
    fn settles(&mut self) -> anyhow::Result<bool> {
        const SECS: f64 = 0.5;
        let rest = self.motion.rest();
        let goal = self.client.send(self.motion.goal(&rest, SECS, None))?;
        let ended = self.client.result(goal)?;
        self.client.pass(Duration::from_millis(100));
        let writes = self.wire.read_past(wall_now())?;
        Ok(ended.status == GoalStatus::Succeeded && self.motion.is_held_at(&rest, &writes))
    }

    /// Of `goals` goals, half are replaced; as many as these are cancelled, and as many run to their end.
    pub(crate) fn run(&mut self, goals: u32) -> anyhow::Result<()> {
        for _ in 0..goals.div_ceil(4) {
            self.client.refuse_strangers()?;
            let secs = self.draw(SHORT_SECS);
            let (rest, out) = (self.motion.rest(), self.motion.out(secs));
            self.move_to_end(&rest, &out, secs)?;
            self.move_to_end(&out, &rest, secs)?;
            for _ in 0..2 {
                self.replace()?;
                self.cancel()?;
            }
        }
        Ok(())
    }

    /// What was seen.
    pub(crate) fn end(self) -> Seen {
        self.seen
    }

    fn move_to_end(&mut self, from: &Pose, to: &Pose, secs: f64) -> anyhow::Result<()> {
        self.rest()?;
        let goal = self.send_to_end(to, secs)?;
        let sent = goal.0.sent;
        self.await_end(goal)?;
        let writes = self.read_wire()?;
        self.note_set_out(&writes, sent, from);
        Ok(())
    }

    fn replace(&mut self) -> anyhow::Result<()> {
        let (old, running) = self.set_out()?;
        self.pass_part_of(old.secs);
        let goal = self.send_to_end(&old.from, old.secs)?;
        let sent = goal.0.sent;
        let replaced = self.client.result(running)?;
        self.expect("a replaced goal", replaced.status, GoalStatus::Aborted, &replaced.text);
        self.await_end(goal)?;
        let writes = self.read_wire()?;
        self.note_set_out(&writes, old.sent, &old.from);
        let left = self.motion.left(&writes, &old, sent);
        self.seen.first_command_of_replacement.push_or(left.map(|at| at - sent), &mut self.seen.unseen);
        Ok(())
    }

    fn cancel(&mut self) -> anyhow::Result<()> {
        let (old, running) = self.set_out()?;
        self.pass_part_of(old.secs);
        let (sent, answered) = self.client.cancel(&running)?;
        if let Some(answered) = answered {
            self.seen.cancel_to_answer.push(answered - sent);
        }
        let ended = self.client.result(running)?;
        if self.expect("a cancelled goal", ended.status, GoalStatus::Canceled, &ended.text) {
            self.seen.cancel_to_result.push(ended.at - sent);
        }
        self.client.pass(STOPPING + Duration::from_secs_f64(old.secs));
        let writes = self.read_wire()?;
        self.note_set_out(&writes, old.sent, &old.from);
        if answered.is_some() {
            let left = self.motion.left(&writes, &old, sent);
            self.seen.cancel_to_stop.push_or(left.map(|at| at - sent), &mut self.seen.unseen);
        }
        let back = self.send_to_end(&old.from, old.secs)?;
        self.await_end(back)?;
        self.read_wire()?;
        Ok(())
    }

    /// Out from rest, for longer than it will be let.
    fn set_out(&mut self) -> anyhow::Result<(OldMotion, Accepted)> {
        self.rest()?;
        let secs = self.draw(LONG_SECS);
        let (from, to) = (self.motion.rest(), self.motion.out(secs));
        let running = self.client.send(self.motion.goal(&to, secs, None))?;
        self.seen.accepted.push(running.at - running.sent);
        Ok((OldMotion { sent: running.sent, secs, from, to }, running))
    }

    fn note_set_out(&mut self, writes: &[Write], sent: i64, from: &Pose) {
        if let Some(strayed) = self.motion.strayed(writes, sent, from) {
            self.seen.strayed.push(strayed);
            return;
        }
        let set_out = self.motion.set_out(writes, sent, from);
        self.seen.first_command.push_or(set_out.map(|at| at - sent), &mut self.seen.unseen);
    }

    /// Sends a goal that begins now; when it will end (unix time, ns).
    fn send_to_end(&mut self, to: &Pose, secs: f64) -> anyhow::Result<(Accepted, i64)> {
        let start = wall_now();
        let goal = self.client.send(self.motion.goal(to, secs, Some(start)))?;
        self.seen.accepted.push(goal.at - goal.sent);
        Ok((goal, start + nanos(secs)))
    }

    fn await_end(&mut self, (goal, end): (Accepted, i64)) -> anyhow::Result<()> {
        let ended = self.client.result(goal)?;
        if self.expect("a goal", ended.status, GoalStatus::Succeeded, &ended.text) {
            self.seen.end_to_result.push(ended.at - end);
        }
        Ok(())
    }

    fn expect(&mut self, goal: &str, is: GoalStatus, expected: GoalStatus, text: &str) -> bool {
        if is != expected {
            self.seen.unexpected.push(format!("{goal} ended {is}: {text}"));
        }
        is == expected
    }

    /// Rests, and uses the time for a call that asks for nothing and one that asks for a solution.
    fn rest(&mut self) -> anyhow::Result<()> {
        let (sent, answered) = self.client.empty_call()?;
        self.seen.empty_call.push(answered - sent);
        let positions: Vec<f64> = self.seen.joints.iter().map(|_| POSTURE * self.random.f64()).collect();
        if let Some((sent, answered)) =
            self.client.inverse_kinematics((&self.seen.joints, &positions), (GROUP, LINK))?
        {
            self.seen.inverse_kinematics.push(answered - sent);
        }
        let secs = self.draw(PAUSE_SECS);
        self.client.pass(Duration::from_secs_f64(secs));
        Ok(())
    }

    fn pass_part_of(&mut self, secs: f64) {
        let secs = secs * self.draw(INTERRUPTED);
        self.client.pass(Duration::from_secs_f64(secs));
    }

    fn draw(&mut self, range: std::ops::Range<f64>) -> f64 {
        range.start + (range.end - range.start) * self.random.f64()
    }

    fn read_wire(&mut self) -> anyhow::Result<Vec<Write>> {
        let writes = self.wire.read_past(wall_now()).context("the wire")?;
        for pair in writes.windows(2) {
            self.seen.between_commands.push(pair[1].at - pair[0].at);
        }
        Ok(writes)
    }
}
