//! How fast a chain's tip moves for each joint: the geometric Jacobian.
//!
//! Knows the [`Chain`]'s moves; judges nothing: how well it moves is [`super::conditioning`].
//!
//! A joint's column is the twist of the tip for one rad/s or m/s of that joint: first the velocity of the
//! tip's origin, then the angular velocity. With the axis `z` of a move through `p`:
//!
//! ```text
//! turns:  ( z × (tip − p), z )        slides:  ( z, 0 )
//! ```
//! Moves that one position decides (a leader's and its followers') add up in one column.

use nalgebra::{Isometry3, Vector3, Vector6};

use super::chain::{Chain, Move, Placement};
use super::ik::MAX_JOINTS;

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

    /// The derivative by each position of a number whose derivatives by the Jacobian's entries are
    /// `by_column`, laid out as the columns are.
    ///
    /// Seen from the tip, an axis changes for the joints after it only: by the bracket of the two twists.
    pub(super) fn jacobian_gradient(
        &self,
        positions: &[f64],
        expressed: Expressed,
        by_column: &[Vector6<f64>],
        gradient: &mut [f64],
    ) {
        assert_eq!(gradient.len(), self.dof(), "a gradient has one number for each of the chain's joints");
        let mut room = [Vector6::zeros(); MAX_JOINTS];
        let mut after = [Vector6::zeros(); MAX_JOINTS];
        let (at_base, after) = (&mut room[..self.dof()], &mut after[..self.dof()]);
        let base_from_tip = self.twists_at_base(positions, after);
        let tip = base_from_tip.translation;
        for (joint, by_column) in by_column.iter().enumerate() {
            let (linear, angular) = in_base(expressed, &base_from_tip, by_column);
            at_base[joint] = twist(&linear, &(angular + tip.cross(&linear)));
        }
        gradient.fill(0.0);
        if expressed == Expressed::Base {
            add_turning(after, &tip, by_column, gradient);
        }
        self.walk(positions, |step, base_from_moved| {
            let own = step.twist_at_base(base_from_moved);
            after[step.position] -= own;
            for (gradient, after) in gradient.iter_mut().zip(after.iter()) {
                *gradient += at_base[step.position].dot(&bracket(&own, after));
            }
        });
    }

    /// Writes the twists of the point that is at the base's origin just now: that needs no second pass.
    fn twists_at_base(&self, positions: &[f64], columns: &mut [Vector6<f64>]) -> Placement {
        columns.fill(Vector6::zeros());
        self.walk(positions, |step, base_from_moved| {
            columns[step.position] += step.twist_at_base(base_from_moved);
        })
    }
}

impl Move {
    /// The twist that it causes of the point at the base's origin, for one unit of its position.
    fn twist_at_base(&self, base_from_moved: &Placement) -> Vector6<f64> {
        let axis = base_from_moved.rotation.column(2) * self.multiplier;
        if self.slides {
            twist(&axis, &Vector3::zeros())
        } else {
            twist(&base_from_moved.translation.cross(&axis), &axis)
        }
    }
}

/// How the second twist changes while the first moves it.
fn bracket(moving: &Vector6<f64>, moved: &Vector6<f64>) -> Vector6<f64> {
    let ((linear, angular), (moved_linear, moved_angular)) = (parts(moving), parts(moved));
    twist(&(angular.cross(&moved_linear) + linear.cross(&moved_angular)), &angular.cross(&moved_angular))
}

/// The two halves of what stands along the axes of base or tip, along the axes of the base.
fn in_base(
    expressed: Expressed,
    base_from_tip: &Placement,
    twist: &Vector6<f64>,
) -> (Vector3<f64>, Vector3<f64>) {
    let (linear, angular) = parts(twist);
    match expressed {
        Expressed::Base => (linear, angular),
        Expressed::Tip => (base_from_tip.rotation * linear, base_from_tip.rotation * angular),
    }
}

/// Seen from the base, a column turns besides with each joint that turns the tip.
fn add_turning(
    columns: &[Vector6<f64>],
    tip: &Vector3<f64>,
    by_column: &[Vector6<f64>],
    gradient: &mut [f64],
) {
    for (column, by_column) in columns.iter().zip(by_column) {
        let ((at_base, angular), (by_linear, by_angular)) = (parts(column), parts(by_column));
        let linear = at_base + angular.cross(tip);
        let turning = linear.cross(&by_linear) + angular.cross(&by_angular);
        for (gradient, mover) in gradient.iter_mut().zip(columns) {
            *gradient += turning.dot(&parts(mover).1);
        }
    }
}

/// The linear and the angular half.
pub(in crate::kinematics) fn parts(twist: &Vector6<f64>) -> (Vector3<f64>, Vector3<f64>) {
    (twist.fixed_rows::<3>(0).into_owned(), twist.fixed_rows::<3>(3).into_owned())
}

pub(in crate::kinematics) fn twist(linear: &Vector3<f64>, angular: &Vector3<f64>) -> Vector6<f64> {
    Vector6::new(linear.x, linear.y, linear.z, angular.x, angular.y, angular.z)
}
