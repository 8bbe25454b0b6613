//! What is asked of the tip.
//!
//! Knows no joints.

use nalgebra::{Isometry3, Unit, Vector3};

/// Where the tip should be, and what of that matters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// The pose of the tip in the base.
    pub base_from_tip: Isometry3<f64>,
    /// What of the pose has to be met.
    pub aim: Aim,
    /// How exactly.
    pub tolerance: Tolerance,
}

impl Goal {
    /// The whole pose, as exactly as usual.
    pub fn pose(base_from_tip: Isometry3<f64>) -> Self {
        Self { base_from_tip, aim: Aim::POSE, tolerance: Tolerance::default() }
    }
}

/// How far the tip may be from the goal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// In metres.
    pub position: f64,
    /// In radians.
    pub rotation: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { position: 1e-5, rotation: 1e-5 }
    }
}

/// What of a pose has to be met.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aim {
    /// Weights of the position along the goal's own x, y and z: 1 is usual, 0 leaves it free.
    pub position: [f64; 3],
    /// What of the orientation.
    pub rotation: RotationAim,
}

/// What of an orientation has to be met.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RotationAim {
    /// Weights of the turns about the goal's own x, y and z: 1 is usual, 0 leaves it free.
    About([f64; 3]),
    /// This axis of the tip must point where the goal's does; the turn about it is free.
    Axis(Unit<Vector3<f64>>),
    /// Nothing.
    Free,
}

impl Aim {
    /// Position and orientation.
    pub const POSE: Self = Self { position: [1.0; 3], rotation: RotationAim::About([1.0; 3]) };
    /// The position only.
    pub const POSITION: Self = Self { position: [1.0; 3], rotation: RotationAim::Free };

    /// Position, and where this axis of the tip points: what an arm of five joints can do.
    pub fn pointing(axis: Unit<Vector3<f64>>) -> Self {
        Self { position: [1.0; 3], rotation: RotationAim::Axis(axis) }
    }

    /// The position in the goal's own x-y plane.
    pub fn planar() -> Self {
        Self { position: [1.0, 1.0, 0.0], rotation: RotationAim::Free }
    }
}
