//! How fast trajectory time goes: a factor that ramps to what was asked for, so that a change of speed is no jump.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use crate::control::limiter::Limiter;
use crate::trajectory::limits::JointLimits;

/// A speed factor on its way to another.
#[derive(Debug)]
pub(super) struct SpeedFactor {
    limiter: Limiter,
    wanted: f64,
    /// No faster than this, whatever is wanted.
    limit: f64,
}

/// Faster than this no trajectory is played.
const MOST: f64 = 100.0;
/// The quickest that the factor may change (1/s), and change its change (1/s²), however quick the joints are.
const QUICKEST: f64 = 5.0;
const QUICKEST_BEND: f64 = 200.0;
/// The part of a joint's acceleration and jerk that a change of speed may take at full speed.
const SHARE: f64 = 0.5;

impl SpeedFactor {
    /// A factor for joints with these limits, at `initial`.
    pub(super) fn new(limits: &[JointLimits], period_secs: f64, initial: f64) -> Self {
        // At the factor's rate of change `r`, a joint at velocity `v` accelerates by `v·r`; likewise for its bend.
        let least = |of: fn(&JointLimits) -> f64, most: f64| {
            limits.iter().map(|l| SHARE * of(l) / l.max_velocity()).fold(most, f64::min)
        };
        let limits = JointLimits::of_rates(
            least(JointLimits::max_acceleration, QUICKEST),
            least(JointLimits::max_jerk, QUICKEST_BEND),
        );
        let wanted = initial.clamp(0.0, MOST);
        Self { limiter: Limiter::new(limits, period_secs, wanted), wanted, limit: f64::INFINITY }
    }

    /// Asks for another factor; what is negative or no number changes nothing.
    pub(super) fn ask(&mut self, factor: f64) {
        if 0.0 <= factor {
            self.wanted = factor.min(MOST);
        }
    }

    /// Goes no faster than `most` from now on; 1 or more for as fast as is asked.
    pub(super) fn limit(&mut self, most: f64) {
        self.limit = if most < 1.0 { most.max(0.0) } else { f64::INFINITY };
    }

    /// The factor of the present.
    pub(super) fn now(&self) -> f64 {
        self.limiter.position().max(0.0)
    }

    /// Goes on by one period, up to `most`.
    pub(super) fn advance(&mut self, most: f64) -> f64 {
        self.limiter.follow(self.wanted.min(most).min(self.limit));
        self.now()
    }

    /// Jumps to what was asked for, because nothing moves that could feel it.
    pub(super) fn settle(&mut self, most: f64) {
        self.limiter.reset(self.wanted.min(most).min(self.limit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trajectory::limits::RawLimits;

    fn factor(initial: f64) -> SpeedFactor {
        let raw =
            RawLimits { lower: -1.0, upper: 1.0, max_velocity: 2.0, max_acceleration: 4.0, max_jerk: 40.0 };
        SpeedFactor::new(&[JointLimits::new(raw).unwrap()], 0.005, initial)
    }

    #[test]
    fn a_change_of_speed_takes_no_joint_beyond_its_acceleration() {
        let mut factor = factor(1.0);
        factor.ask(0.0);
        let mut last = factor.now();
        let mut ticks = 0;
        while 0.0 < last {
            let next = factor.advance(f64::INFINITY);
            assert!((last - next) / 0.005 * 2.0 <= 4.0 * SHARE + 1e-9);
            last = next;
            ticks += 1;
        }
        assert!((200..400).contains(&ticks), "{ticks} ticks");
    }

    #[test]
    fn a_limit_slows_down_by_a_ramp_and_what_was_asked_for_comes_back_after_it() {
        let mut factor = factor(0.8);
        factor.limit(0.25);
        let first = factor.advance(f64::INFINITY);
        assert!(0.7 < first && first < 0.8, "{first}");
        for _ in 0..400 {
            factor.advance(f64::INFINITY);
        }
        assert!((factor.now() - 0.25).abs() < 1e-9);
        factor.limit(1.0);
        for _ in 0..400 {
            factor.advance(f64::INFINITY);
        }
        assert!((factor.now() - 0.8).abs() < 1e-9);
    }

    #[test]
    fn what_is_negative_or_no_number_changes_nothing() {
        let mut factor = factor(0.5);
        factor.ask(-1.0);
        factor.ask(f64::NAN);
        assert_eq!(factor.advance(f64::INFINITY), 0.5);
    }
}
