//! Time-optimal moves: one joint from any state to any other within velocity, acceleration and jerk.
//!
//! Knows no clock and no other joint except in [`plan_together`]. The travel is not looked at here;
//! [`Leg::reach`] says how far a leg goes. The solutions are ruckig's. Its solvers are called one by one, because its
//! front end keeps vectors and writes its errors as text, and legs are planned where nothing may be allocated.
//! They take every input: what is no number never gets to them, and what has no solution comes back as an error.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod cruise;

use rsruckig::block::Block;
use rsruckig::position_first_step1::PositionFirstOrderStep1;
use rsruckig::position_first_step2::PositionFirstOrderStep2;
use rsruckig::position_second_step1::PositionSecondOrderStep1;
use rsruckig::position_second_step2::PositionSecondOrderStep2;
use rsruckig::position_third_step1::PositionThirdOrderStep1;
use rsruckig::position_third_step2::PositionThirdOrderStep2;
use rsruckig::profile::Profile;

use super::limits::JointLimits;
use super::spline::JointState;

/// Two to brake into the limits, seven of the move itself.
const MOST_PHASES: usize = 9;

/// Durations nearer to each other than this are the same (s): the solvers' own tolerances are coarser.
const SAME_TIME: f64 = 1e-10;

/// How far a target may be over a limit, as a part of the limit, because of rounding.
const ROUNDING: f64 = 1e-9;

/// Parts by which the limits are lowered, one after the other, until there is a solution. Exactly between two shapes of
/// moves, where a phase just vanishes, rounding can make each of them look impossible.
const SLIGHTLY_LESS: [f64; 4] = [0.0, 1e-10, 1e-8, 1e-6];

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

/// Every move that a joint can make between two states, by its duration.
///
/// There is a shortest, and there may be two gaps above it: where a joint must pass its target fast, it is too fast to
/// wait a little, and must turn back instead.
pub(super) struct Moves {
    from: JointState,
    to: JointState,
    rates: Rates,
    /// The move's start, after braking, and its end; `block` has the possible durations.
    ends: Profile,
    block: Block,
}

/// Limits as the solvers take them.
#[derive(Clone, Copy)]
struct Rates {
    velocity: f64,
    /// Infinite only if the jerk is.
    acceleration: f64,
    jerk: f64,
}

impl Moves {
    /// The moves `from` one state `to` another.
    pub(super) fn between(from: JointState, to: JointState, limits: &JointLimits) -> Result<Self, LegError> {
        let numbers =
            [from.position, from.velocity, from.acceleration, to.position, to.velocity, to.acceleration];
        if !numbers.iter().all(|number| number.is_finite()) {
            return Err(LegError::NotFinite { from, to, least_duration: 0.0 });
        }
        check_target(to, limits)?;
        let rates = Rates::of(from, to, limits);
        let mut tries = SLIGHTLY_LESS.iter();
        let found = tries.find_map(|less| Self::within(from, to, rates.scaled(1.0 - less)));
        found.ok_or(LegError::NoSolution { from, to })
    }

    fn within(from: JointState, to: JointState, rates: Rates) -> Option<Self> {
        let ends = rates.brake(from, to);
        let mut block = Block::default();
        let found = rates.find_durations(&ends, &mut block) && block.t_min.is_finite();
        found.then_some(Self { from, to, rates, ends, block })
    }

    /// The shortest possible duration that is not below `least` (s).
    pub(super) fn soonest(&self, least: f64) -> f64 {
        let mut duration = least.max(self.block.t_min);
        // Twice, because the end of one gap may lie in the other.
        for gap in [&self.block.a, &self.block.b, &self.block.a].into_iter().flatten() {
            if gap.left < duration && duration < gap.right {
                duration = gap.right;
            }
        }
        duration
    }

    /// The shortest duration that is possible for all, and not below `least` (s).
    pub(super) fn soonest_of(all: &[Self], least: f64) -> f64 {
        let mut duration = least;
        // Every turn but the last ends one of the at most two gaps that each has.
        loop {
            let later = all.iter().fold(duration, |duration, moves| moves.soonest(duration));
            if later <= duration {
                return duration;
            }
            duration = later;
        }
    }

    /// The leg of this duration, which must be one that [`Moves::soonest`] gave.
    pub(super) fn lasting(&self, duration: f64) -> Result<Leg, LegError> {
        let &Self { from, to, .. } = self;
        let profile = self.profile(duration).ok_or(LegError::NoSolution { from, to })?;
        Ok(Leg::of(from, to, duration, &profile))
    }

    fn profile(&self, duration: f64) -> Option<Profile> {
        let block = &self.block;
        let is = |other: f64| (duration - other).abs() < SAME_TIME;
        if is(block.t_min) {
            return Some(block.p_min);
        }
        if let Some(gap) = [&block.a, &block.b].into_iter().flatten().find(|gap| is(gap.right)) {
            return Some(gap.profile);
        }
        let mut profile = self.ends;
        let span = duration - profile.brake.duration;
        let found = self.rates.find_lasting(span, &mut profile);
        if !found {
            profile = self.ends;
        }
        (found || cruise::find_lasting(&self.rates, span, &mut profile)).then_some(profile)
    }
}

fn check_target(to: JointState, limits: &JointLimits) -> Result<(), LegError> {
    let over = |value: f64, limit: f64| limit * (1.0 + ROUNDING) < value.abs();
    if over(to.velocity, limits.max_velocity()) {
        return Err(LegError::TargetVelocity { velocity: to.velocity, limit: limits.max_velocity() });
    }
    if limits.max_jerk().is_finite() && over(to.acceleration, limits.max_acceleration()) {
        let (acceleration, limit) = (to.acceleration, limits.max_acceleration());
        return Err(LegError::TargetAcceleration { acceleration, limit });
    }
    Ok(())
}

impl Rates {
    fn of(from: JointState, to: JointState, limits: &JointLimits) -> Self {
        let (velocity, mut acceleration, jerk) =
            (limits.max_velocity(), limits.max_acceleration(), limits.max_jerk());
        if acceleration.is_infinite() && jerk.is_finite() {
            // More than any move between these states has, so that it limits nothing.
            let fastest = velocity.max(from.velocity.abs());
            acceleration =
                2.0 * (from.acceleration.abs() + to.acceleration.abs() + (2.0 * jerk * fastest).sqrt());
        }
        Self { velocity, acceleration, jerk }
    }

    fn scaled(self, factor: f64) -> Self {
        Self {
            velocity: self.velocity * factor,
            acceleration: self.acceleration * factor,
            jerk: self.jerk * factor,
        }
    }

    /// Both ends of the move, with what must come before it where the start is outside the limits.
    ///
    /// Positions are counted from the start: the solvers' tolerances are absolute.
    fn brake(&self, from: JointState, to: JointState) -> Profile {
        let &Self { velocity: v, acceleration: a, jerk } = self;
        let mut ends = Profile::default();
        let distance = to.position - from.position;
        let (target_velocity, target_acceleration) = (to.velocity.clamp(-v, v), to.acceleration.clamp(-a, a));
        ends.set_boundary(
            0.0,
            from.velocity,
            from.acceleration,
            distance,
            target_velocity,
            target_acceleration,
        );
        let brake = &mut ends.brake;
        if jerk.is_finite() {
            brake.get_position_brake_trajectory(from.velocity, from.acceleration, v, -v, a, -a, jerk);
            brake.finalize(&mut ends.p[0], &mut ends.v[0], &mut ends.a[0]);
        } else if a.is_finite() {
            brake.get_second_order_position_brake_trajectory(from.velocity, v, -v, a, -a);
            brake.finalize_second_order(&mut ends.p[0], &mut ends.v[0], &mut ends.a[0]);
        }
        ends
    }

    /// Finds the shortest move, and between which durations there is none.
    fn find_durations(&self, ends: &Profile, block: &mut Block) -> bool {
        let &Self { velocity: v, acceleration: a, jerk } = self;
        let &Profile { pf, vf, af, .. } = ends;
        let (p0, v0, a0) = (ends.p[0], ends.v[0], ends.a[0]);
        if jerk.is_finite() {
            PositionThirdOrderStep1::new(p0, v0, a0, pf, vf, af, v, -v, a, -a, jerk).get_profile(ends, block)
        } else if a.is_finite() {
            PositionSecondOrderStep1::new(p0, v0, pf, vf, v, -v, a, -a).get_profile(ends, block)
        } else {
            PositionFirstOrderStep1::new(p0, pf, v, -v).get_profile(ends, block)
        }
    }

    /// Finds the move that takes exactly `span` (s) after braking.
    fn find_lasting(&self, span: f64, profile: &mut Profile) -> bool {
        let &Self { velocity: v, acceleration: a, jerk } = self;
        let &mut Profile { pf, vf, af, .. } = profile;
        let (p0, v0, a0) = (profile.p[0], profile.v[0], profile.a[0]);
        if jerk.is_finite() {
            let mut step = PositionThirdOrderStep2::new(span, p0, v0, a0, pf, vf, af, v, -v, a, -a, jerk);
            step.get_profile(profile)
        } else if a.is_finite() {
            PositionSecondOrderStep2::new(span, p0, v0, pf, vf, v, -v, a, -a).get_profile(profile)
        } else {
            PositionFirstOrderStep2::new(span, p0, pf, v, -v).get_profile(profile)
        }
    }
}

#[cfg(test)]
#[path = "leg_tests.rs"]
mod tests;
