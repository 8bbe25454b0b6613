//! Positions and sets of joints, of fixed size.
//!
//! Knows no chain; the order is that of the chain's joints.

use std::ops::{Deref, DerefMut};

use super::MAX_JOINTS;

/// Positions of up to [`MAX_JOINTS`] joints, in the order of [`Chain::joints`], in radians or metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Positions {
    values: [f64; MAX_JOINTS],
    count: usize,
}

impl Positions {
    /// All zero; of more than [`MAX_JOINTS`] joints only so many.
    pub fn zeros(count: usize) -> Self {
        Self { values: [0.0; MAX_JOINTS], count: count.min(MAX_JOINTS) }
    }

    /// A copy of the values; of more than [`MAX_JOINTS`] only so many.
    pub fn from_slice(values: &[f64]) -> Self {
        let mut positions = Self::zeros(values.len());
        let count = positions.count;
        positions.copy_from_slice(&values[..count]);
        positions
    }
}

impl Deref for Positions {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        &self.values[..self.count]
    }
}

impl DerefMut for Positions {
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.values[..self.count]
    }
}

/// A set of a chain's joints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JointSet(u8);

impl JointSet {
    /// No joint.
    pub const NONE: Self = Self(0);

    /// This set and the joint of this index; an index beyond [`MAX_JOINTS`] adds nothing.
    #[must_use]
    pub fn with(self, joint: usize) -> Self {
        Self(self.0 | 1_u8.checked_shl(u32::try_from(joint).unwrap_or(u32::MAX)).unwrap_or(0))
    }

    /// Whether the joint of this index is in the set.
    pub fn contains(self, joint: usize) -> bool {
        joint < MAX_JOINTS && self.0 & (1 << joint) != 0
    }
}
