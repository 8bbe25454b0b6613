//! Time, angles, and the servo's own measure of them; the one place where they meet.
//!
//! Knows nothing of registers or joints' names.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::f64::consts::TAU;
use std::ops::{Add, Sub};
use std::time::Duration;

/// An instant in nanoseconds on the caller's monotonic clock; only differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub i64);

impl Time {
    /// Seconds from `earlier` to here; negative where `earlier` is later.
    pub fn secs_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 * 1e-9
    }

    /// How long after `earlier` this is; zero where it is not.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The instant `secs` later (earlier where negative); saturates.
    pub fn plus_secs(self, secs: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
        Self(self.0.saturating_add((secs * 1e9) as i64))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }
}

/// A joint angle in radians, positive by the right-hand rule about the joint axis (REP-103).
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Radians(pub f64);

/// A servo position or distance in encoder counts, as its registers say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticks(pub i32);

/// How the ticks of a servo and the radians of its joint go together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// Where the joint's zero is.
    pub zero: Ticks,
    /// Whether growing ticks turn the joint the negative way.
    pub reversed: bool,
    /// Encoder counts of one turn of the joint, or of 2π metres of one that slides; positive.
    pub ticks_per_turn: f64,
}

impl Calibration {
    /// The joint angle at a servo position.
    pub fn to_radians(self, position: Ticks) -> Radians {
        Radians(self.rate_to_rad_s(f64::from(position.0 - self.zero.0)))
    }

    /// The nearest servo position to a joint angle; saturates, and NaN becomes the joint's zero.
    pub fn to_ticks(self, angle: Radians) -> Ticks {
        #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
        let offset = self.rate_from_rad_s(angle.0).round() as i32;
        Ticks(self.zero.0.saturating_add(offset))
    }

    /// Radians a second (or radians) of the joint from ticks a second (or ticks) of the servo.
    pub fn rate_to_rad_s(self, ticks: f64) -> f64 {
        self.sign() * ticks * TAU / self.ticks_per_turn
    }

    /// Ticks a second (or ticks) of the servo from radians a second (or radians) of the joint.
    pub fn rate_from_rad_s(self, radians: f64) -> f64 {
        self.sign() * radians * self.ticks_per_turn / TAU
    }

    /// The direction of the joint over that of the servo: 1 or -1.
    pub fn sign(self) -> f64 {
        if self.reversed { -1.0 } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tick_survives_the_round_trip_in_both_directions() {
        for reversed in [false, true] {
            let calibration = Calibration { zero: Ticks(2048), reversed, ticks_per_turn: 4096.0 };
            for position in (-8192..8192).map(Ticks) {
                assert_eq!(calibration.to_ticks(calibration.to_radians(position)), position);
            }
        }
    }

    #[test]
    fn a_quarter_turn_is_1024_of_4096_ticks() {
        let calibration = Calibration { zero: Ticks(2048), reversed: true, ticks_per_turn: 4096.0 };
        assert_eq!(calibration.to_ticks(Radians(TAU / 4.0)), Ticks(1024));
    }

    #[test]
    fn angles_that_no_register_holds_saturate() {
        let calibration = Calibration { zero: Ticks(2048), reversed: false, ticks_per_turn: 4096.0 };
        assert_eq!(calibration.to_ticks(Radians(f64::INFINITY)), Ticks(i32::MAX));
        assert_eq!(calibration.to_ticks(Radians(f64::NAN)), Ticks(2048));
    }

    #[test]
    fn time_differences_keep_their_sign() {
        let (earlier, later) = (Time(1_000), Time(2_000_001_000));
        assert_eq!(later.secs_since(earlier), 2.0);
        assert_eq!(earlier.secs_since(later), -2.0);
        assert_eq!(earlier.saturating_since(later), Duration::ZERO);
        assert_eq!(earlier.plus_secs(2.0), later);
        assert!(Duration::from_secs(1) < later.saturating_since(Time(i64::MIN)));
    }
}
