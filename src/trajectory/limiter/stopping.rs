//! How a joint whose acceleration changes by at most one step a tick comes to rest, in closed form.
//!
//! Time is discrete: every tick the acceleration `a` changes by at most `step`, then the velocity by `a·T`, then
//! the position by `v·T`. To give up an acceleration `b` takes `b−step, b−2·step, …, 0`, whose sum is
//! [`Rates::fading`]; so the greatest acceleration from which a velocity can still be met without overshoot is the
//! inverse of `b + fading(b)`, [`Rates::towards`]. Everything else is sums of such series: no loop over ticks.
//! Knows no travel and no targets.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use crate::trajectory::limits::JointLimits;

/// What one joint can do within a tick; every number finite.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    /// Length of a tick (s).
    pub(super) period: f64,
    /// Greatest speed (rad/s or m/s).
    pub(super) velocity: f64,
    /// Greatest acceleration (rad/s² or m/s²).
    pub(super) acceleration: f64,
    /// How much the acceleration may change within a tick (rad/s² or m/s²).
    pub(super) step: f64,
}

impl Rates {
    /// The rates of a joint that is stepped every `period` seconds.
    ///
    /// Acceleration is bounded further where a joint can never use the whole of it and come to rest: the most that
    /// it can have between the two greatest speeds, and the most that it can have between the ends of its travel.
    /// That the ends leave room for it is what makes it possible to obey both: a joint that must brake as hard as
    /// it can in order to stop before one end never rebounds as far as the other.
    pub(super) fn new(limits: &JointLimits, period: f64) -> Self {
        let velocity = limits.max_velocity();
        let step = limits.max_jerk() * period;
        let most = limits.max_acceleration().min(2.0 * velocity / period);
        let mut rates = Self { period, velocity, acceleration: most, step: step.min(2.0 * most) };
        let travel = limits.upper() - limits.lower();
        let fits = |b: f64| {
            b / 2.0 + rates.fading(b) <= velocity / period && rates.rebound(b) * period * period <= travel
        };
        rates.acceleration = greatest(most, fits);
        rates.step = step.min(2.0 * rates.acceleration);
        rates
    }

    /// The sum of the accelerations on the way from `b` (not counted) to 0, as fast as possible; odd.
    pub(super) fn fading(&self, b: f64) -> f64 {
        let size = b.abs();
        let m = (size / self.step).floor();
        (m * size - self.step * m * (m + 1.0) / 2.0).copysign(b)
    }

    /// The acceleration whose tick and fading make up the change `velocity`; odd and growing.
    pub(super) fn towards(&self, velocity: f64) -> f64 {
        let sum = velocity.abs() / self.period;
        let m = ((((1.0 + 8.0 * sum / self.step).sqrt() - 1.0) / 2.0).floor()).max(0.0);
        (sum / (m + 1.0) + self.step * m / 2.0).copysign(velocity)
    }

    /// The next acceleration of a joint that comes to rest as soon as it can.
    pub(super) fn stopping(&self, velocity: f64, acceleration: f64) -> f64 {
        let wanted = -self.towards(velocity);
        wanted
            .clamp(acceleration - self.step, acceleration + self.step)
            .clamp(-self.acceleration, self.acceleration)
    }

    /// How far a joint goes that comes to rest as soon as it can, with sign.
    ///
    /// `drift` is an acceleration that the frame has, in which velocity and acceleration are given.
    pub(super) fn stopping_distance(&self, velocity: f64, acceleration: f64, drift: f64) -> f64 {
        let ahead = velocity + self.period * self.fading(acceleration);
        if ahead < 0.0 {
            -self.slowing_distance(-velocity, -acceleration, self.acceleration - drift)
        } else {
            self.slowing_distance(velocity, acceleration, self.acceleration + drift)
        }
    }

    /// The same where braking means a negative acceleration, of at most `most`.
    fn slowing_distance(&self, velocity: f64, acceleration: f64, most: f64) -> f64 {
        let (period, step) = (self.period, self.step);
        let (mut v, mut b) = (velocity, -acceleration);
        let ramp = self.full_steps_to_rest(v, b).min(((most - b) / step).floor()).max(0.0);
        let mut sum = ramp_sum(v, b, ramp, step, period);
        v -= period * (ramp * b + step * ramp * (ramp + 1.0) / 2.0);
        b += ramp * step;
        b = self.towards(v).min(most).clamp(b - step, b + step);
        v -= period * b;
        sum += v;
        if most * (1.0 - 1e-12) <= b {
            let hold = ((v / period - self.fading(b)) / b).floor().max(0.0);
            sum += hold * v - period * b * hold * (hold + 1.0) / 2.0;
            v -= period * b * hold;
            b = self.towards(v).min(most).clamp(b - step, b + step);
            v -= period * b;
            sum += v;
        }
        period * (sum + period * self.fading_twice(b))
    }

    /// How many ticks of whole steps of braking leave a velocity from which rest can be met without reversing.
    fn full_steps_to_rest(&self, velocity: f64, b: f64) -> f64 {
        let (period, step) = (self.period, self.step);
        // Up to here they only give up an acceleration that points the other way.
        let free = (-b / step).floor().max(0.0);
        let velocity = velocity - period * (free * b + step * free * (free + 1.0) / 2.0);
        let b = b + free * step;
        let rest = b.rem_euclid(step);
        let correction = (rest - rest * rest / step) / 2.0;
        let square = step * (velocity / period + b * b / (2.0 * step) + b / 2.0 - correction);
        free + ((square.max(0.0).sqrt() - b) / step).floor().max(0.0)
    }

    /// The sum of the velocities to come, over the period, of a joint that comes to rest giving up `b`.
    fn fading_twice(&self, b: f64) -> f64 {
        let m = (b.max(0.0) / self.step).floor();
        b * m * (m - 1.0) / 2.0 - self.step * m * (m + 1.0) * (m - 1.0) / 3.0
    }

    /// How far a joint still goes up that does everything to turn back; 0 where it goes down already.
    pub(super) fn rise(&self, velocity: f64, acceleration: f64) -> f64 {
        let (period, step) = (self.period, self.step);
        let b = -acceleration;
        let half = b + step / 2.0;
        let square = half * half + 2.0 * step * velocity / period;
        if (velocity <= 0.0 && acceleration <= 0.0) || square <= 0.0 {
            return 0.0;
        }
        let turn = ((square.sqrt() - half) / step).floor().max(0.0);
        let whole = ((self.acceleration - b) / step).floor().max(0.0);
        let ramp = turn.min(whole);
        let mut sum = ramp_sum(velocity, b, ramp, step, period);
        if whole <= turn {
            let v = velocity - period * (ramp * b + step * ramp * (ramp + 1.0) / 2.0);
            let hold = (v / (self.acceleration * period)).floor().max(0.0);
            sum += hold * v - self.acceleration * period * hold * (hold + 1.0) / 2.0;
        }
        (period * sum).max(0.0)
    }

    /// How far, in units of the period squared, a joint at rest with this acceleration goes before it turns back.
    fn rebound(&self, acceleration: f64) -> f64 {
        let turn = (2.0 * acceleration / self.step - 1.0).floor().max(0.0);
        ramp_sum(0.0, -acceleration, turn, self.step, 1.0)
    }
}

/// The sum of the velocities of `ticks` ticks in which the braking `b` grows by a step each.
fn ramp_sum(velocity: f64, b: f64, ticks: f64, step: f64, period: f64) -> f64 {
    let triangle = ticks * (ticks + 1.0) / 2.0;
    ticks * velocity - period * (b * triangle + step * triangle * (ticks + 2.0) / 3.0)
}

/// The greatest number up to `most` that fits, where everything below one that fits does.
fn greatest(most: f64, fits: impl Fn(f64) -> bool) -> f64 {
    if fits(most) {
        return most;
    }
    let (mut good, mut bad) = (0.0, most);
    for _ in 0..100 {
        let middle = f64::midpoint(good, bad);
        if fits(middle) { good = middle } else { bad = middle }
    }
    good
}

/// Where a growing function is 0, from below: `low` where it is positive everywhere, `high` where it nowhere is.
///
/// It is found when the function is no farther below 0 than `tolerance`.
pub(super) fn growing_root(low: f64, high: f64, tolerance: f64, value: impl Fn(f64) -> f64) -> f64 {
    const ROUNDS: usize = 60;
    let (mut below, mut above) = (low, high);
    let mut value_above = value(above);
    if value_above <= 0.0 || high <= low {
        return high;
    }
    let mut value_below = value(below);
    if -tolerance <= value_below {
        return low;
    }
    let near = 1e-16 * (low.abs() + high.abs());
    let mut last_was_below = None;
    for round in 0..ROUNDS {
        if above - below <= near {
            break;
        }
        // Every sixth round halves, so that it ends soon however bent the function is. A secant aims a little low.
        let secant = below - (value_below + tolerance / 2.0) * (above - below) / (value_above - value_below);
        let halving = round % 6 == 5 || !(below < secant && secant < above);
        let middle = if halving { f64::midpoint(below, above) } else { secant };
        let found = value(middle);
        if (-tolerance..=0.0).contains(&found) {
            return middle;
        }
        let is_below = found <= 0.0;
        // Illinois: an end that stays twice counts for half, so that it is left in turn.
        let weight = if last_was_below == Some(is_below) { 0.5 } else { 1.0 };
        if is_below {
            (below, value_below, value_above) = (middle, found, value_above * weight);
        } else {
            (above, value_above, value_below) = (middle, found, value_below * weight);
        }
        last_was_below = Some(is_below);
    }
    below
}
