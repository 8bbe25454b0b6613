//! Every duration that one joint's move between two states can have, by ruckig's solvers.
//!
//! Knows no other joint. The solvers are called one by one: ruckig's front end allocates.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use rsruckig::block::Block;
use rsruckig::position_first_step1::PositionFirstOrderStep1;
use rsruckig::position_first_step2::PositionFirstOrderStep2;
use rsruckig::position_second_step1::PositionSecondOrderStep1;
use rsruckig::position_second_step2::PositionSecondOrderStep2;
use rsruckig::position_third_step1::PositionThirdOrderStep1;
use rsruckig::position_third_step2::PositionThirdOrderStep2;
use rsruckig::profile::Profile;

use super::{Leg, LegError, cruise};
use crate::trajectory::limits::JointLimits;
use crate::trajectory::spline::JointState;

/// Durations nearer to each other than this are the same (s): the solvers' own tolerances are coarser.
const SAME_TIME: f64 = 1e-10;

/// How far a target may be over a limit, as a part of the limit, because of rounding.
const ROUNDING: f64 = 1e-9;

/// Parts by which the limits are lowered, one after the other, until there is a solution. Exactly between two shapes of
/// moves, where a phase just vanishes, rounding can make each of them look impossible.
const SLIGHTLY_LESS: [f64; 4] = [0.0, 1e-10, 1e-8, 1e-6];

/// Every move that a joint can make between two states, by its duration.
///
/// There is a shortest, and there may be two gaps above it: where a joint must pass its target fast, it is too fast to
/// wait a little, and must turn back instead.
pub(in crate::trajectory) struct Moves {
    from: JointState,
    to: JointState,
    rates: Rates,
    /// The move's start, after braking, and its end; `block` has the possible durations.
    ends: Profile,
    block: Block,
}

/// Limits as the solvers take them.
#[derive(Clone, Copy)]
pub(super) struct Rates {
    pub(super) velocity: f64,
    /// Infinite only if the jerk is.
    pub(super) acceleration: f64,
    pub(super) jerk: f64,
}

impl Moves {
    /// The moves `from` one state `to` another.
    pub(in crate::trajectory) fn between(
        from: JointState,
        to: JointState,
        limits: &JointLimits,
    ) -> Result<Self, LegError> {
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
    pub(in crate::trajectory) fn soonest(&self, least: f64) -> f64 {
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
    pub(in crate::trajectory) fn soonest_of(all: &[Self], least: f64) -> f64 {
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
    pub(in crate::trajectory) fn lasting(&self, duration: f64) -> Result<Leg, LegError> {
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
