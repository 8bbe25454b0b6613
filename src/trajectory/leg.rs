//! Time-optimal moves: one joint from any state to any other within velocity, acceleration and jerk.
//!
//! Knows no clock and no other joint except in [`plan_together`]. The travel is not looked at here;
//! [`Leg::reach`] says how far a leg goes. The solutions are ruckig's. Its solvers are called one by one, because its
//! front end keeps vectors and writes its errors as text, and legs are planned where nothing may be allocated.
//! They take every input: what is no number never gets to them, and what has no solution comes back as an error.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod cruise;
pub(super) mod moves;

use rsruckig::profile::Profile;

use super::limits::JointLimits;
use super::spline::JointState;
use moves::Moves;

/// Two to brake into the limits, seven of the move itself.
const MOST_PHASES: usize = 9;

/// One joint's move between two states, as fast as its limits allow.
///
/// Limits on acceleration and jerk may be infinite. Without a jerk limit the accelerations of both ends do not matter,
/// without an acceleration limit as well neither do the velocities: there the motion jumps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leg {
    from: JointState,
    to: JointState,
    duration: f64,
    phases: [Phase; MOST_PHASES],
    count: usize,
    /// What is missing to the target where the phases end: the solvers round. Made up for on the way, so that nothing
    /// jumps at the end.
    missing: JointState,
}

/// A stretch of constant jerk.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Phase {
    /// Seconds from the start of the leg.
    start: f64,
    /// The state at `start`.
    state: JointState,
    jerk: f64,
}

/// Why there is no leg.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum LegError {
    /// Something is no finite number.
    #[error("a move from {from:?} to {to:?} in at least {least_duration} s needs finite numbers")]
    NotFinite {
        /// The start that was given.
        from: JointState,
        /// The target that was given.
        to: JointState,
        /// The least duration that was given (s).
        least_duration: f64,
    },
    /// The target is passed faster than the joint may move.
    #[error("its target velocity is {velocity}, but its greatest speed is {limit}")]
    TargetVelocity {
        /// The velocity that was asked for (rad/s or m/s).
        velocity: f64,
        /// The greatest speed (rad/s or m/s).
        limit: f64,
    },
    /// The target is passed with more acceleration than the joint may have.
    #[error("its target acceleration is {acceleration}, but its greatest acceleration is {limit}")]
    TargetAcceleration {
        /// The acceleration that was asked for (rad/s² or m/s²).
        acceleration: f64,
        /// The greatest acceleration (rad/s² or m/s²).
        limit: f64,
    },
    /// The numbers are too large, too small or too far apart for the arithmetic, or the target state cannot be reached
    /// from within the limits.
    #[error("no move from {from:?} to {to:?} was found; their numbers should be within reach of the limits")]
    NoSolution {
        /// The start that was given.
        from: JointState,
        /// The target that was given.
        to: JointState,
    },
}

/// Why there are no legs that end together.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum TogetherError {
    /// One of the slices is longer than another.
    #[error(
        "there must be as many starts, targets and limits as legs ({legs}), but there are {from}, {to} and {limits}"
    )]
    Lengths {
        /// How many starts.
        from: usize,
        /// How many targets.
        to: usize,
        /// How many limits.
        limits: usize,
        /// Room for how many legs.
        legs: usize,
    },
    /// One joint has no leg.
    #[error("joint {joint}: {error}")]
    Joint {
        /// Its index.
        joint: usize,
        /// What is wrong.
        error: LegError,
    },
}

impl Leg {
    /// The shortest leg `from` one state `to` another that takes at least `least_duration` (s).
    ///
    /// A start outside the limits is braked into them as fast as they allow. Not every duration above the shortest is
    /// possible for a target that is passed in motion, so that a leg may take longer than `least_duration`.
    ///
    /// # Errors
    /// Where a number is not finite, the target is outside the limits, or the arithmetic finds no solution.
    pub fn plan(
        from: JointState,
        to: JointState,
        limits: &JointLimits,
        least_duration: f64,
    ) -> Result<Self, LegError> {
        if !least_duration.is_finite() {
            return Err(LegError::NotFinite { from, to, least_duration });
        }
        let moves = Moves::between(from, to, limits)?;
        moves.lasting(moves.soonest(least_duration))
    }

    /// Stays where it is, for no time.
    pub fn at_rest(position: f64) -> Self {
        let state = JointState::at_rest(position);
        let missing = JointState::default();
        Self { from: state, to: state, duration: 0.0, phases: Default::default(), count: 0, missing }
    }

    /// How long it takes (s).
    pub fn duration(&self) -> f64 {
        self.duration
    }

    /// Where it leads.
    pub fn target(&self) -> JointState {
        self.to
    }

    /// The state at `time` (s from its start): before that the start, at the end exactly the target, and after the end
    /// the target's position at rest, whatever the target's velocity: who wants to go on knows how.
    pub fn sample(&self, time: f64) -> JointState {
        if time <= 0.0 && 0.0 < self.duration {
            return self.from;
        }
        if time < self.duration {
            let begun = self.phases[..self.count].iter().rposition(|phase| phase.start <= time);
            return begun.map_or(self.from, |index| self.mended(self.phases[index].after(time), time));
        }
        if time <= self.duration { self.to } else { JointState::at_rest(self.to.position) }
    }

    /// The times (s from its start) at which its jerk changes, without its start and its end.
    pub fn knots(&self) -> impl Iterator<Item = f64> + '_ {
        self.phases[..self.count].iter().skip(1).map(|phase| phase.start)
    }

    /// The lowest and the highest position on the way, both ends included.
    pub fn reach(&self) -> (f64, f64) {
        let ends = (self.from.position.min(self.to.position), self.from.position.max(self.to.position));
        (0..self.count).fold(ends, |(low, high), index| {
            let phase = &self.phases[index];
            let end = if index + 1 < self.count { self.phases[index + 1].start } else { self.duration };
            phase.turns().into_iter().filter(|turn| (phase.start..=end).contains(turn)).fold(
                (low.min(phase.state.position), high.max(phase.state.position)),
                |(low, high), turn| {
                    let position = phase.after(turn).position;
                    (low.min(position), high.max(position))
                },
            )
        })
    }

    /// The leg of a profile that starts at position 0.
    fn of(from: JointState, to: JointState, duration: f64, profile: &Profile) -> Self {
        let mut leg = Self { duration, from, to, ..Self::at_rest(0.0) };
        let brake = &profile.brake;
        let mut start = 0.0;
        if 0.0 < brake.duration {
            for i in 0..2 {
                leg.push(&mut start, brake.t[i], [brake.p[i], brake.v[i], brake.a[i], brake.j[i]]);
            }
        }
        for i in 0..7 {
            leg.push(&mut start, profile.t[i], [profile.p[i], profile.v[i], profile.a[i], profile.j[i]]);
        }
        if let Some(last) = leg.phases[..leg.count].last() {
            let end = last.after(duration);
            leg.missing.position = to.position - end.position;
            leg.missing.velocity = to.velocity - end.velocity;
        }
        leg
    }

    fn mended(&self, mut state: JointState, time: f64) -> JointState {
        let part = time / self.duration;
        state.position += part * self.missing.position;
        state.velocity += part * self.missing.velocity;
        state
    }

    fn push(&mut self, start: &mut f64, span: f64, [position, velocity, acceleration, jerk]: [f64; 4]) {
        if 0.0 < span {
            let state = JointState { position: self.from.position + position, velocity, acceleration };
            self.phases[self.count] = Phase { start: *start, state, jerk };
            self.count += 1;
            *start += span;
        }
    }
}

impl Phase {
    /// The state at `time`, in seconds from the start of the leg.
    fn after(&self, time: f64) -> JointState {
        let t = time - self.start;
        let JointState { position, velocity, acceleration } = self.state;
        JointState {
            position: position + t * (velocity + t * (acceleration / 2.0 + t * self.jerk / 6.0)),
            velocity: velocity + t * (acceleration + t * self.jerk / 2.0),
            acceleration: acceleration + t * self.jerk,
        }
    }

    /// When the joint would stand still, in seconds from the start of the leg; not finite where it never does.
    fn turns(&self) -> [f64; 2] {
        let JointState { velocity, acceleration, .. } = self.state;
        if self.jerk == 0.0 {
            let turn = self.start - velocity / acceleration;
            return [turn, turn];
        }
        let root = (acceleration * acceleration - 2.0 * self.jerk * velocity).sqrt();
        [self.start + (-acceleration - root) / self.jerk, self.start + (-acceleration + root) / self.jerk]
    }
}

/// Plans one leg for each joint into `out` so that all end together, as early as all of them can, after at least
/// `least_duration` (s); the answer is how long that takes (s).
///
/// # Errors
/// Where the slices differ in length or a joint has no leg; `out` is then of no use.
pub fn plan_together(
    from: &[JointState],
    to: &[JointState],
    limits: &[JointLimits],
    least_duration: f64,
    out: &mut [Leg],
) -> Result<f64, TogetherError> {
    let legs = out.len();
    if [from.len(), to.len(), limits.len()] != [legs; 3] {
        return Err(TogetherError::Lengths { from: from.len(), to: to.len(), limits: limits.len(), legs });
    }
    let mut duration = least_duration;
    for joint in 0..legs {
        let moves = Moves::between(from[joint], to[joint], &limits[joint]);
        let moves = moves.map_err(|error| TogetherError::Joint { joint, error })?;
        duration = duration.max(moves.soonest(least_duration));
    }
    // Every turn but the last ends one of the at most two gaps that each joint has.
    loop {
        let before = duration;
        for joint in 0..legs {
            let leg = Leg::plan(from[joint], to[joint], &limits[joint], duration);
            out[joint] = leg.map_err(|error| TogetherError::Joint { joint, error })?;
            duration = out[joint].duration();
        }
        if duration <= before {
            return Ok(duration);
        }
    }
}

#[cfg(test)]
#[path = "leg_tests.rs"]
mod tests;
