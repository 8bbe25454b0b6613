//! The last word on what a joint is told: whatever is asked for, the command stays within the joint's limits.
//!
//! A command outside is shortened, never sent. What is limited is what the servo sees: velocity is the difference
//! of two commands over the period, acceleration the difference of two such velocities. With `A` the greatest
//! acceleration and `T` the period, a joint that must stop within distance `d` may move at most at
//! `√((A·T)² + 2·A·d) − A·T`: from there, braking by `A·T` a tick always ends before `d`. The same rule brings it
//! to a target without overshoot, in the frame that moves along with the target.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use crate::trajectory::limits::JointLimits;
use crate::trajectory::spline::JointState;

/// Keeps the commands of one joint within its limits.
#[derive(Clone, Copy, Debug)]
pub struct Limiter {
    limits: JointLimits,
    period_secs: f64,
    /// Greatest acceleration in use; finite.
    acceleration: f64,
    position: f64,
    velocity: f64,
    last_target: Option<f64>,
}

impl Limiter {
    /// A limiter at rest at `position`, stepped every `period_secs`.
    pub fn new(limits: JointLimits, period_secs: f64, position: f64) -> Self {
        // Any velocity may follow any other within one tick where no acceleration is set.
        let unlimited = 2.0 * limits.max_velocity() / period_secs;
        let acceleration = limits.max_acceleration().min(unlimited);
        Self { limits, period_secs, acceleration, position, velocity: 0.0, last_target: None }
    }

    /// A limiter in motion.
    pub fn moving(limits: JointLimits, period_secs: f64, state: JointState) -> Self {
        Self { velocity: state.velocity, ..Self::new(limits, period_secs, state.position) }
    }

    /// Starts again at rest at `position`, wherever that is.
    pub fn reset(&mut self, position: f64) {
        *self = Self { position, velocity: 0.0, last_target: None, ..*self };
    }

    /// The command told last.
    pub fn position(&self) -> f64 {
        self.position
    }

    /// The velocity of the last command.
    pub fn velocity(&self) -> f64 {
        self.velocity
    }

    /// The next command on the way to `target`, which moves on as it did since the last tick.
    ///
    /// A target that is not a finite number is no target: the joint brakes.
    pub fn follow(&mut self, target: f64) -> f64 {
        let velocity = self.last_target.map_or(0.0, |last| (target - last) / self.period_secs);
        self.track(target, velocity)
    }

    /// The next command on the way to `target`, which moves at `target_velocity`.
    ///
    /// Where one of them is not a finite number there is no target: the joint brakes.
    pub fn track(&mut self, target: f64, target_velocity: f64) -> f64 {
        if !(target.is_finite() && target_velocity.is_finite()) {
            return self.brake();
        }
        let speed = self.limits.max_velocity();
        let target_velocity = target_velocity.clamp(-speed, speed);
        self.last_target = Some(target);
        // How far the joint is behind, seen from a frame that moves along with the target.
        let behind = target - self.position - target_velocity * self.period_secs;
        let closing = self.stoppable_velocity(behind.abs()).copysign(behind);
        self.advance(target_velocity + closing)
    }

    /// The next command on the way to a stop.
    pub fn brake(&mut self) -> f64 {
        self.last_target = None;
        self.advance(0.0)
    }

    fn advance(&mut self, wanted: f64) -> f64 {
        let step = self.acceleration * self.period_secs;
        let speed = self.limits.max_velocity();
        let velocity = wanted.clamp(self.velocity - step, self.velocity + step).clamp(-speed, speed);
        self.velocity = self.within_travel(velocity);
        self.position += self.velocity * self.period_secs;
        self.position
    }

    /// Outside the travel a joint may move inwards only; inside, no faster than it can stop.
    fn within_travel(&self, velocity: f64) -> f64 {
        let above = self.limits.upper() - self.position;
        let below = self.position - self.limits.lower();
        velocity.clamp(-self.stoppable_velocity(below), self.stoppable_velocity(above))
    }

    fn stoppable_velocity(&self, distance: f64) -> f64 {
        if distance <= 0.0 {
            return 0.0;
        }
        if distance.is_infinite() {
            return f64::INFINITY;
        }
        let step = self.acceleration * self.period_secs;
        (step * step + 2.0 * self.acceleration * distance).sqrt() - step
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::trajectory::limits::RawLimits;

    const PERIOD: f64 = 0.005;
    const RAW: RawLimits = RawLimits {
        lower: -1.5,
        upper: 1.5,
        max_velocity: 3.0,
        max_acceleration: 20.0,
        max_jerk: f64::INFINITY,
    };

    fn limiter() -> Limiter {
        Limiter::new(JointLimits::new(RAW).unwrap(), PERIOD, 0.0)
    }

    fn assert_within_limits(commands: &[f64]) {
        const ROUNDING: f64 = 1e-9;
        let velocities: Vec<f64> = commands.windows(2).map(|pair| (pair[1] - pair[0]) / PERIOD).collect();
        for command in commands {
            assert!((RAW.lower - ROUNDING..=RAW.upper + ROUNDING).contains(command), "position {command}");
        }
        for velocity in &velocities {
            assert!(velocity.abs() <= RAW.max_velocity + ROUNDING, "velocity {velocity}");
        }
        for pair in velocities.windows(2) {
            let acceleration = (pair[1] - pair[0]) / PERIOD;
            assert!(acceleration.abs() <= RAW.max_acceleration + 1e-6, "acceleration {acceleration}");
        }
    }

    fn hostile_number() -> impl Strategy<Value = f64> {
        prop_oneof![
            8 => -3.0..3.0,
            1 => -1e300..1e300,
            1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)],
        ]
    }

    proptest! {
        #[test]
        fn no_sequence_of_targets_leads_outside_the_limits(
            targets in prop::collection::vec((hostile_number(), hostile_number(), 1_usize..120, 0..3), 1..20),
        ) {
            let mut limiter = limiter();
            let mut commands = vec![0.0, 0.0];
            for (target, velocity, ticks, how) in targets {
                for _ in 0..ticks {
                    commands.push(match how {
                        0 => limiter.brake(),
                        1 => limiter.follow(target),
                        _ => limiter.track(target, velocity),
                    });
                }
            }
            assert_within_limits(&commands);
        }
    }

    #[test]
    fn a_motion_within_the_limits_passes_unchanged() {
        let mut limiter = limiter();
        for tick in 0..2000 {
            let target = 0.7 - 0.7 * (f64::from(tick) * PERIOD * 2.0).cos();
            assert!((limiter.follow(target) - target).abs() < 1e-12, "tick {tick}");
        }
    }

    #[test]
    fn a_step_is_reached_without_overshoot_and_soon() {
        let mut limiter = limiter();
        let commands: Vec<f64> = (0..400).map(|_| limiter.follow(1.0)).collect();
        assert!(commands.iter().all(|&command| command <= 1.0 + 1e-12));
        // 1/3 + 3/20 s is the least that the limits allow.
        let arrived = commands.iter().position(|&command| (command - 1.0).abs() < 1e-3).unwrap();
        assert!((arrived as f64) * PERIOD < 0.55, "arrived at tick {arrived}");
    }

    #[test]
    fn braking_ends_at_rest_where_the_speed_leads() {
        let mut limiter = limiter();
        for tick in 0..100 {
            limiter.follow(f64::from(tick) * 0.01);
        }
        let (at, speed) = (limiter.position(), limiter.velocity());
        for _ in 0..100 {
            limiter.brake();
        }
        assert_eq!(limiter.velocity(), 0.0);
        assert!(limiter.position() - at <= speed * speed / (2.0 * RAW.max_acceleration));
    }

    #[test]
    fn a_joint_outside_its_travel_moves_inwards_only() {
        let mut limiter = limiter();
        limiter.reset(1.8);
        assert_eq!(limiter.follow(2.0), 1.8);
        let inwards = limiter.follow(1.0);
        assert!(inwards < 1.8);
    }

    #[test]
    fn without_an_acceleration_limit_a_target_in_reach_is_met_at_once() {
        let raw = RawLimits { max_acceleration: f64::INFINITY, ..RAW };
        let mut limiter = Limiter::new(JointLimits::new(raw).unwrap(), PERIOD, 0.0);
        for target in [0.010, 0.005, 0.015, 0.015] {
            let command = limiter.follow(target);
            assert!((command - target).abs() < 0.006, "{command} for {target}");
        }
    }
}
