//! The last word on what a joint is told: whatever is asked for, the command stays within the joint's limits.
//!
//! A command outside is shortened, never sent. What is limited is what the servo sees: velocity is the difference of
//! two commands over the period, acceleration the difference of two such velocities, jerk the difference of two
//! such accelerations. Every tick chooses the next acceleration, between two that are always possible:
//!
//! - It differs from the last by at most a step of jerk.
//! - From the velocity after it the acceleration can be given up before the greatest speed is passed.
//! - From the state after it the joint can still turn back before either end of its travel.
//!
//! Within these it is the one that hits the target, where that is motion which goes on; otherwise the one after
//! which the joint, coming to rest as soon as it can in the frame of the target, does so on the target. How a joint
//! comes to rest is in `stopping`. Knows no clock and no units.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod aim;
mod stopping;

use super::limits::JointLimits;
use super::spline::JointState;
use aim::Aim;
use stopping::{Rates, growing_root};

/// What counts as rounding, relative to each limit.
const ROUNDING: f64 = 1e-9;

/// Keeps the commands of one joint within its limits.
#[derive(Clone, Copy, Debug)]
pub struct Limiter {
    lower: f64,
    upper: f64,
    rates: Rates,
    position: f64,
    velocity: f64,
    acceleration: f64,
    aim: Aim,
}

impl Limiter {
    /// A limiter at rest at `position`, stepped every `period_secs`.
    pub fn new(limits: JointLimits, period_secs: f64, position: f64) -> Self {
        Self::moving(limits, period_secs, JointState::at_rest(position))
    }

    /// A limiter in motion, stepped every `period_secs`.
    ///
    /// Motion from which the joint could not be kept within its limits is slowed down until it can.
    pub fn moving(limits: JointLimits, period_secs: f64, state: JointState) -> Self {
        let (lower, upper) = (limits.lower(), limits.upper());
        let rates = Rates::new(&limits, period_secs);
        let position = if state.position.is_finite() { state.position } else { 0.0_f64.clamp(lower, upper) };
        let mut limiter = Self {
            lower,
            upper,
            rates,
            position,
            velocity: 0.0,
            acceleration: 0.0,
            aim: Aim::at_rest(position),
        };
        limiter.set_moving(state.velocity, state.acceleration);
        limiter
    }

    /// Starts again at rest at `position`, wherever that is; where it is not a number, at the command told last.
    pub fn reset(&mut self, position: f64) {
        if position.is_finite() {
            self.position = position;
        }
        (self.velocity, self.acceleration) = (0.0, 0.0);
        self.aim = Aim::at_rest(self.position);
    }

    /// Stands still where it was told to be last.
    pub fn stand_still(&mut self) -> f64 {
        self.reset(self.position);
        self.position
    }

    /// Stands still, a step nearer to `position`, no farther than the joint may go within a tick.
    pub fn step_back(&mut self, position: f64) -> f64 {
        let reach = self.rates.velocity * self.rates.period;
        let way = position - self.position;
        self.reset(if way.abs() <= reach { position } else { self.position + reach.copysign(way) });
        self.position
    }

    /// The command told last.
    pub fn position(&self) -> f64 {
        self.position
    }

    /// The velocity of the last command.
    pub fn velocity(&self) -> f64 {
        self.velocity
    }

    /// The acceleration of the last command.
    pub fn acceleration(&self) -> f64 {
        self.acceleration
    }

    /// The next command on the way to `target`, which moves on as it did since the last tick.
    ///
    /// A target that is not a finite number is no target: the joint brakes.
    pub fn follow(&mut self, target: f64) -> f64 {
        if !target.is_finite() {
            return self.brake();
        }
        self.aim.follow(self.within_reach(target), &self.rates);
        self.pursue()
    }

    /// The next command on the way to `target`, which moves at `target_velocity`.
    ///
    /// Where one of them is not a finite number there is no target: the joint brakes.
    pub fn track(&mut self, target: f64, target_velocity: f64) -> f64 {
        if !(target.is_finite() && target_velocity.is_finite()) {
            return self.brake();
        }
        let reached = self.within_reach(target);
        // A target that is not followed any farther stands.
        let velocity = if reached == target { target_velocity } else { 0.0 };
        self.aim.track(reached, velocity, &self.rates);
        self.pursue()
    }

    /// The next command on the way to a stop.
    pub fn brake(&mut self) -> f64 {
        let acceleration = self.rates.stopping(self.velocity, self.acceleration);
        self.advance(self.admissible(acceleration));
        self.aim = Aim::at_rest(self.position);
        self.aim.moves_with(self.velocity, self.acceleration);
        self.position
    }

    /// The part of the travel that a target may be in; a joint outside its travel may stay where it is.
    fn within_reach(&self, target: f64) -> f64 {
        target.clamp(self.lower.min(self.position), self.upper.max(self.position))
    }

    fn pursue(&mut self) -> f64 {
        let velocity = (self.aim.position - self.position) / self.rates.period;
        let acceleration = (velocity - self.velocity) / self.rates.period;
        if self.goes_on(velocity, acceleration) && self.is_legal(acceleration) {
            (self.position, self.velocity, self.acceleration) = (self.aim.position, velocity, acceleration);
            self.aim.met = true;
            return self.position;
        }
        self.aim.met = false;
        self.advance(self.admissible(self.approach()));
        self.position
    }

    /// Whether a joint that hits the target with this velocity and acceleration can stay on it.
    fn goes_on(&self, velocity: f64, acceleration: f64) -> bool {
        let Rates { period, step, acceleration: most, .. } = self.rates;
        let step = step * (1.0 + ROUNDING) + self.rounded_acceleration();
        let most = most * (1.0 + ROUNDING) + self.rounded_acceleration();
        let next = (self.aim.velocity + self.aim.acceleration * period - velocity) / period;
        let stays = next.abs() <= most
            && (next - acceleration).abs() <= step
            && (self.aim.acceleration - next).abs() <= step;
        stays || (self.aim.met && self.aim.is_on_course(velocity, acceleration, &self.rates))
    }

    /// Whether no limit forbids this acceleration.
    fn is_legal(&self, acceleration: f64) -> bool {
        let rounded = self.rounded_acceleration();
        let step = self.rates.step * (1.0 + ROUNDING) + rounded;
        let most = self.rates.acceleration * (1.0 + ROUNDING) + rounded;
        if step < (acceleration - self.acceleration).abs() || most < acceleration.abs() {
            return false;
        }
        let slack = self.rates.velocity * ROUNDING;
        let (floor, ceiling) = self.speeds();
        let (lowest, highest) = (
            -self.rates.towards(self.velocity - floor + slack),
            self.rates.towards(ceiling + slack - self.velocity),
        );
        lowest <= acceleration
            && acceleration <= highest
            && self.beyond_upper(acceleration) <= 0.0
            && self.beyond_lower(acceleration) <= 0.0
    }

    /// The acceleration of a joint that is to come to rest on the target, in the frame that moves with it.
    fn approach(&self) -> f64 {
        let Rates { period, step, acceleration: most, .. } = self.rates;
        let (floor, ceiling) = self.speeds();
        let low = (self.acceleration - step).max(-most).max(-self.rates.towards(self.velocity - floor));
        let high = (self.acceleration + step).min(most).min(self.rates.towards(ceiling - self.velocity));
        growing_root(low, high, self.tolerance(), |acceleration| {
            let velocity = self.velocity + acceleration * period;
            let behind = self.aim.position - (self.position + velocity * period);
            let (velocity, acceleration) =
                (velocity - self.aim.velocity, acceleration - self.aim.acceleration);
            self.rates.stopping_distance(velocity, acceleration, self.aim.acceleration) - behind
        })
    }

    /// The acceleration nearest to the wanted one that no limit forbids.
    fn admissible(&self, wanted: f64) -> f64 {
        let Rates { step, acceleration: most, .. } = self.rates;
        let (floor, ceiling) = self.speeds();
        let slowest = -self.rates.towards(self.velocity - floor);
        let fastest = self.rates.towards(ceiling - self.velocity);
        let shape = |acceleration: f64| {
            let sped = acceleration.max(slowest).min(fastest.max(slowest));
            sped.clamp(-most, most).clamp(self.acceleration - step, self.acceleration + step)
        };
        let mut acceleration = shape(wanted);
        if 0.0 < self.beyond_upper(acceleration) {
            let low = shape(f64::NEG_INFINITY);
            acceleration = growing_root(low, acceleration, self.tolerance(), |a| self.beyond_upper(a));
        }
        if 0.0 < self.beyond_lower(acceleration) {
            let high = shape(f64::INFINITY);
            acceleration = -growing_root(-high, -acceleration, self.tolerance(), |a| self.beyond_lower(-a));
        }
        acceleration
    }

    /// The least and greatest velocity; outside its travel a joint may move inwards only.
    fn speeds(&self) -> (f64, f64) {
        let speed = self.rates.velocity;
        let slack = self.rounded_position() * 4.0;
        let ceiling = if self.upper + slack < self.position { 0.0 } else { speed };
        let floor = if self.position < self.lower - slack { 0.0 } else { -speed };
        (floor, ceiling)
    }

    /// How far beyond the upper end a joint would come at least that has this acceleration in this tick.
    fn beyond_upper(&self, acceleration: f64) -> f64 {
        let velocity = self.velocity + acceleration * self.rates.period;
        let end = self.upper.max(self.position) + self.rounded_position();
        self.position - end + velocity * self.rates.period + self.rates.rise(velocity, acceleration)
    }

    /// How far beyond the lower end.
    fn beyond_lower(&self, acceleration: f64) -> f64 {
        let velocity = self.velocity + acceleration * self.rates.period;
        let end = self.lower.min(self.position) - self.rounded_position();
        end - self.position - velocity * self.rates.period + self.rates.rise(-velocity, -acceleration)
    }

    fn advance(&mut self, acceleration: f64) {
        let period = self.rates.period;
        let velocity = self.velocity + acceleration * period;
        // What is left of a velocity that was to become 0 is rounding.
        let rests = velocity.abs() <= 1e-12 * self.rates.step * period;
        self.velocity = if rests { 0.0 } else { velocity };
        self.acceleration = acceleration;
        self.position += self.velocity * period;
    }

    /// How near a place is found where the joint is to come to rest or to turn back.
    fn tolerance(&self) -> f64 {
        0.02 * self.rounded_position()
    }

    /// What rounding may do to a position.
    fn rounded_position(&self) -> f64 {
        1e-12 * (1.0 + self.position.abs())
    }

    /// What rounding does to an acceleration that is a difference of positions.
    fn rounded_acceleration(&self) -> f64 {
        8.0 * f64::EPSILON * self.position.abs() / (self.rates.period * self.rates.period)
    }

    fn set_moving(&mut self, velocity: f64, acceleration: f64) {
        const HALVINGS: usize = 50;
        let most = self.rates.acceleration;
        let acceleration = if acceleration.is_finite() { acceleration.clamp(-most, most) } else { 0.0 };
        let velocity = if velocity.is_finite() { velocity } else { 0.0 };
        let (floor, ceiling) = self.speeds();
        let velocity = velocity.clamp(floor, ceiling);
        let (mut good, mut bad) = (0.0, 1.0);
        for halving in 0..HALVINGS {
            // The whole of it first.
            let part = if halving == 0 { 1.0 } else { f64::midpoint(good, bad) };
            if self.can_be_kept(velocity * part, acceleration * part) {
                good = part;
            } else {
                bad = part;
            }
            if good == 1.0 {
                break;
            }
        }
        (self.velocity, self.acceleration) = (velocity * good, acceleration * good);
        self.aim.moves_with(self.velocity, self.acceleration);
    }

    /// Whether a joint that is here with this velocity and acceleration can be kept within its limits.
    fn can_be_kept(&self, velocity: f64, acceleration: f64) -> bool {
        let (floor, ceiling) = self.speeds();
        let settled = velocity + self.rates.period * self.rates.fading(acceleration);
        let (lower, upper) = (self.lower.min(self.position), self.upper.max(self.position));
        (floor..=ceiling).contains(&settled)
            && self.position + self.rates.rise(velocity, acceleration) <= upper
            && lower <= self.position - self.rates.rise(-velocity, -acceleration)
    }
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
