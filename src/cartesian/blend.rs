//! A rounded corner between two segments: the end of one and the begin of the next, gone along at once.
//!
//! ```text
//! pose(u) = first(a(u)) · corner⁻¹ · second(b(u)),   u from 0 to 1
//! ```
//! The way along the first comes to rest while that along the second begins, both as the integral of the step
//! `10u³ − 15u⁴ + 6u⁵`. So the corner joins its segments with three continuous derivatives and stays within the
//! triangle of its ends and the corner. Knows no arm.

use nalgebra::{Isometry3, Translation3};

use super::path::Segment;

/// A rounded corner.
#[derive(Clone, Debug)]
pub(super) struct Blend {
    first: Segment,
    second: Segment,
    /// How much of each is replaced, in the path's parameter.
    reach: f64,
    corner: Isometry3<f64>,
}

impl Blend {
    /// Replaces so much (path parameter) of the end of one and the begin of the next.
    pub(super) fn between(first: &Segment, second: &Segment, reach: f64) -> Self {
        Self { first: first.clone(), second: second.clone(), reach, corner: second.pose(0.0) }
    }

    /// Its length in the path's parameter.
    pub(super) fn length(&self) -> f64 {
        2.0 * self.reach
    }

    /// The pose at this place, in the path's parameter.
    pub(super) fn pose(&self, at: f64) -> Isometry3<f64> {
        let u = (at / self.length()).clamp(0.0, 1.0);
        let begun = u * u * u * u * (2.5 - 3.0 * u + u * u);
        let first = self.first.pose(self.first.length() - self.reach + self.length() * (u - begun));
        let second = self.second.pose(self.length() * begun);
        let place = first.translation.vector + second.translation.vector - self.corner.translation.vector;
        let rotation = first.rotation * self.corner.rotation.inverse() * second.rotation;
        Isometry3::from_parts(Translation3::from(place), rotation)
    }
}
