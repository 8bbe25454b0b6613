//! What a joint may do at most.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

/// The limits of one joint; every number finite or infinite, `lower < upper`, the others positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointLimits {
    /// Lower end of the travel (rad or m); minus infinity for a continuous joint.
    lower: f64,
    /// Upper end of the travel (rad or m); infinity for a continuous joint.
    upper: f64,
    /// Greatest speed (rad/s or m/s), finite.
    max_velocity: f64,
    /// Greatest acceleration (rad/s² or m/s²); infinity where none is set.
    max_acceleration: f64,
    /// Greatest jerk (rad/s³ or m/s³); infinity where none is set.
    max_jerk: f64,
}

/// Why numbers are no limits.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum LimitsError {
    /// No position fits.
    #[error("its travel from {lower} to {upper} is empty; the lower end must be below the upper")]
    EmptyTravel {
        /// The lower end that was given.
        lower: f64,
        /// The upper end that was given.
        upper: f64,
    },
    /// The joint cannot move.
    #[error("its greatest speed is {0}; it must be positive and finite")]
    Velocity(f64),
    /// The joint cannot start moving.
    #[error("its greatest acceleration is {0}; it must be positive")]
    Acceleration(f64),
    /// The joint's acceleration cannot change.
    #[error("its greatest jerk is {0}; it must be positive")]
    Jerk(f64),
}

impl JointLimits {
    /// Checked limits.
    ///
    /// # Errors
    /// Where the travel is empty or a rate is not positive.
    pub fn new(raw: RawLimits) -> Result<Self, LimitsError> {
        let RawLimits { lower, upper, max_velocity, max_acceleration, max_jerk } = raw;
        // Stated positively, so that NaN fails too.
        let has_travel = lower < upper;
        let can_move = 0.0 < max_velocity && max_velocity.is_finite();
        let can_start = 0.0 < max_acceleration;
        if !has_travel {
            return Err(LimitsError::EmptyTravel { lower, upper });
        }
        if !can_move {
            return Err(LimitsError::Velocity(max_velocity));
        }
        if !can_start {
            return Err(LimitsError::Acceleration(max_acceleration));
        }
        let can_hurry = 0.0 < max_jerk;
        if !can_hurry {
            return Err(LimitsError::Jerk(max_jerk));
        }
        Ok(Self { lower, upper, max_velocity, max_acceleration, max_jerk })
    }

    /// Limits of a quantity without ends that may change so fast (1/s), and change its change so fast (1/s²).
    pub fn of_rates(max_velocity: f64, max_acceleration: f64) -> Self {
        Self {
            lower: f64::NEG_INFINITY,
            upper: f64::INFINITY,
            max_velocity: max_velocity.clamp(f64::MIN_POSITIVE, f64::MAX),
            max_acceleration: max_acceleration.max(f64::MIN_POSITIVE),
            max_jerk: f64::INFINITY,
        }
    }

    /// The same with another acceleration (rad/s² or m/s², positive), where that is less.
    #[must_use]
    pub fn with_max_acceleration(self, max_acceleration: f64) -> Self {
        Self { max_acceleration: self.max_acceleration.min(max_acceleration), ..self }
    }

    /// Lower end of the travel (rad or m).
    pub fn lower(&self) -> f64 {
        self.lower
    }

    /// Upper end of the travel (rad or m).
    pub fn upper(&self) -> f64 {
        self.upper
    }

    /// Greatest speed (rad/s or m/s).
    pub fn max_velocity(&self) -> f64 {
        self.max_velocity
    }

    /// Greatest acceleration (rad/s² or m/s²); infinity where none is set.
    pub fn max_acceleration(&self) -> f64 {
        self.max_acceleration
    }

    /// Greatest jerk (rad/s³ or m/s³); infinity where none is set.
    pub fn max_jerk(&self) -> f64 {
        self.max_jerk
    }

    /// How far a joint that moves at `velocity`, without acceleration, goes until it can be at rest (rad or m).
    pub fn stopping_distance(&self, velocity: f64) -> f64 {
        velocity.abs() * self.stopping_secs(velocity) / 2.0
    }

    /// How long such a joint takes to come to rest (s).
    pub fn stopping_secs(&self, velocity: f64) -> f64 {
        let (speed, acceleration, jerk) = (velocity.abs(), self.max_acceleration, self.max_jerk);
        if acceleration.is_infinite() {
            0.0
        } else if acceleration * acceleration <= speed * jerk {
            speed / acceleration + acceleration / jerk
        } else {
            2.0 * (speed / jerk).sqrt()
        }
    }

    /// Whether the joint turns for ever, as a `continuous` joint of a URDF does.
    pub fn is_continuous(&self) -> bool {
        self.lower == f64::NEG_INFINITY && self.upper == f64::INFINITY
    }

    /// Whether a position is within the travel; NaN is not.
    pub fn contains(&self, position: f64) -> bool {
        (self.lower..=self.upper).contains(&position)
    }
}

/// Limits as they come, unchecked; the fields mean what those of [`JointLimits`] mean.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "documented at JointLimits")]
pub struct RawLimits {
    pub lower: f64,
    pub upper: f64,
    pub max_velocity: f64,
    pub max_acceleration: f64,
    pub max_jerk: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: RawLimits = RawLimits {
        lower: -1.0,
        upper: 1.0,
        max_velocity: 2.0,
        max_acceleration: f64::INFINITY,
        max_jerk: f64::INFINITY,
    };

    #[test]
    fn limits_that_allow_no_motion_are_refused() {
        assert!(JointLimits::new(GOOD).is_ok());
        assert!(JointLimits::new(RawLimits { upper: -1.0, ..GOOD }).is_err());
        assert!(JointLimits::new(RawLimits { lower: f64::NAN, ..GOOD }).is_err());
        for bad in [0.0, -1.0, f64::NAN] {
            assert!(JointLimits::new(RawLimits { max_velocity: bad, ..GOOD }).is_err());
            assert!(JointLimits::new(RawLimits { max_acceleration: bad, ..GOOD }).is_err());
            assert!(JointLimits::new(RawLimits { max_jerk: bad, ..GOOD }).is_err());
        }
        assert!(JointLimits::new(RawLimits { max_velocity: f64::INFINITY, ..GOOD }).is_err());
    }
}
