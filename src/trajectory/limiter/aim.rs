//! Where a joint is to be, and how that moves.
//!
//! Tells a target that moves from one that jumps: the first tick after a jump says nothing about its velocity.
//! Knows nothing of where the joint is.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use super::ROUNDING;
use super::stopping::Rates;

/// A target and its motion, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aim {
    pub(super) position: f64,
    pub(super) velocity: f64,
    /// The acceleration that its frame has; 0 where it is not known.
    pub(super) acceleration: f64,
    /// Whether the joint was on the target at the last tick.
    pub(super) met: bool,
    seen: Seen,
}

/// What the last ticks told of the target's motion.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    /// It has just jumped.
    Position,
    Velocity,
    Acceleration(f64),
}

impl Aim {
    /// A target that stands at `position`, with the joint on it.
    pub(super) fn at_rest(position: f64) -> Self {
        Self { position, velocity: 0.0, acceleration: 0.0, met: true, seen: Seen::Acceleration(0.0) }
    }

    /// The joint itself is the target so far, and moves like this.
    pub(super) fn moves_with(&mut self, velocity: f64, acceleration: f64) {
        (self.velocity, self.seen) = (velocity, Seen::Acceleration(acceleration));
    }

    /// The target is here now; its velocity is what it did since the last tick.
    pub(super) fn follow(&mut self, target: f64, rates: &Rates) {
        let velocity = (target - self.position) / rates.period;
        self.position = target;
        if self.sees(velocity, rates) || self.seen == Seen::Position {
            let velocity = velocity.clamp(-rates.velocity, rates.velocity);
            self.take(velocity, rates);
        } else {
            // A jump. Until the next tick it is taken to move as it did before.
            (self.seen, self.acceleration) = (Seen::Position, 0.0);
        }
    }

    /// The target is here now, with this velocity.
    pub(super) fn track(&mut self, target: f64, velocity: f64, rates: &Rates) {
        let velocity = velocity.clamp(-rates.velocity, rates.velocity);
        self.position = target;
        if !self.sees(velocity, rates) {
            self.seen = Seen::Position;
        }
        self.take(velocity, rates);
    }

    /// Whether the joint, hitting the target like this, moves as the target does.
    ///
    /// A velocity that comes with the target is that of this moment, half a tick later than a difference of commands.
    pub(super) fn is_on_course(&self, velocity: f64, acceleration: f64, rates: &Rates) -> bool {
        let tolerance = rates.step * rates.period * 0.34 + rates.velocity * ROUNDING;
        let off = self.velocity - velocity;
        off.abs() <= rates.velocity * ROUNDING || (off - acceleration * rates.period / 2.0).abs() <= tolerance
    }

    /// Whether a joint could change its velocity like this.
    fn sees(&self, velocity: f64, rates: &Rates) -> bool {
        let acceleration = (velocity - self.velocity) / rates.period;
        let noise = 16.0 * f64::EPSILON * self.position.abs() / (rates.period * rates.period);
        let within = |change: f64, most: f64| change.abs() <= most * (1.0 + ROUNDING) + noise;
        within(velocity, rates.velocity)
            && within(acceleration, rates.acceleration)
            && match self.seen {
                Seen::Acceleration(last) => within(acceleration - last, rates.step),
                Seen::Velocity => true,
                Seen::Position => false,
            }
    }

    fn take(&mut self, velocity: f64, rates: &Rates) {
        let acceleration = (velocity - self.velocity) / rates.period;
        self.seen = match self.seen {
            Seen::Position => Seen::Velocity,
            Seen::Velocity | Seen::Acceleration(_) => Seen::Acceleration(acceleration),
        };
        self.velocity = velocity;
        self.acceleration = match self.seen {
            // Half of what the joint can do is left for catching up.
            Seen::Acceleration(last) => last.clamp(-rates.acceleration / 2.0, rates.acceleration / 2.0),
            Seen::Position | Seen::Velocity => 0.0,
        };
    }
}
