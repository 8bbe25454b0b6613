//! How fast a chain's tip moves for each joint: the geometric Jacobian.
//!
//! Knows the [`Chain`]'s moves; judges nothing: how well it moves is not asked here.
//!
//! A joint's column is the twist of the tip for one rad/s or m/s of that joint: first the velocity of the
//! tip's origin, then the angular velocity. With the axis `z` of a move through `p`:
//!
//! ```text
//! turns:  ( z × (tip − p), z )        slides:  ( z, 0 )
//! ```
//! Moves that one position decides (a leader's and its followers') add up in one column.

use nalgebra::{Isometry3, Vector3, Vector6};

use super::chain::{Chain, Placement};

/// The axes that a twist's six numbers lie along; the point that moves is the tip's origin in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expressed {
    /// Along the axes of the base.
    Base,
    /// Along the axes of the tip, as it is turned now.
    Tip,
}

impl Chain {
    /// Writes the Jacobian's columns at `positions`, one for each of [`Chain::joints`], and gives
    /// `base_from_tip`, which costs nothing more; does not allocate.
    ///
    /// The first three rows are metres for each radian or metre, the others radians.
    ///
    /// # Panics
    /// Where `positions` or `columns` are not as many as [`Chain::dof`].
    pub fn jacobian(
        &self,
        positions: &[f64],
        expressed: Expressed,
        columns: &mut [Vector6<f64>],
    ) -> Isometry3<f64> {
        assert_eq!(columns.len(), self.dof(), "a Jacobian has one column for each of the chain's joints");
        let base_from_tip = self.twists_at_base(positions, columns);
        let tip = base_from_tip.translation;
        for column in columns {
            let (at_base, angular) = parts(column);
            let linear = at_base + angular.cross(&tip);
            *column = match expressed {
                Expressed::Base => twist(&linear, &angular),
                Expressed::Tip => {
                    let tip_from_base = base_from_tip.rotation.transpose();
                    twist(&(tip_from_base * linear), &(tip_from_base * angular))
                }
            };
        }
        base_from_tip.to_isometry()
    }

    /// Writes the twists of the point that is at the base's origin just now: that needs no second pass.
    fn twists_at_base(&self, positions: &[f64], columns: &mut [Vector6<f64>]) -> Placement {
        columns.fill(Vector6::zeros());
        self.walk(positions, |step, base_from_moved| {
            let axis = base_from_moved.rotation.column(2) * step.multiplier;
            columns[step.position] += if step.slides {
                twist(&axis, &Vector3::zeros())
            } else {
                twist(&base_from_moved.translation.cross(&axis), &axis)
            };
        })
    }
}

/// The linear and the angular half.
fn parts(twist: &Vector6<f64>) -> (Vector3<f64>, Vector3<f64>) {
    (twist.fixed_rows::<3>(0).into_owned(), twist.fixed_rows::<3>(3).into_owned())
}

fn twist(linear: &Vector3<f64>, angular: &Vector3<f64>) -> Vector6<f64> {
    Vector6::new(linear.x, linear.y, linear.z, angular.x, angular.y, angular.z)
}
