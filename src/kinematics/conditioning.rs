//! How well a chain moves where it is: manipulability, and how near a singularity is.
//!
//! Knows the [`Chain`] and its Jacobian; does not decide how near is too near.
//!
//! Metres and radians do not compare, so everything is measured in the arm's own length, `L`: the usual
//! distance of the tip from the axes. A joint that turns moves the tip by `v` (m/rad) and turns it by `ω`:
//!
//! ```text
//! turns:  ( v / L, ω )        slides:  ( v, 0 )
//! ```
//! These columns have no unit, and are the same for an arm and for its model at half the size. Their singular
//! values say how far the tip goes in its best and in its worst direction. Only so many count as the arm
//! has anywhere: five joints have no sixth direction to lose.

mod svd;

use nalgebra::{Isometry3, Matrix3, Unit, Vector3, Vector6};
use thiserror::Error;

use super::chain::Chain;
use super::ik::MAX_JOINTS;
use super::jacobian::{Expressed, parts, twist};
use super::model::JointKind;
pub(in crate::kinematics) use svd::Svd;

/// Enough for a median that is good to a few per cent.
const SAMPLES: u32 = 256;
/// Below this share of the largest, a singular value is taken for the rounding of zero.
const RANK: f64 = 1e-9;

/// Which motions of the tip count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rows {
    along: Expressed,
    /// These keep what counts of a velocity, along those axes.
    linear: Matrix3<f64>,
    angular: Matrix3<f64>,
}

impl Rows {
    /// All six.
    pub const POSE: Self = Self {
        along: Expressed::Tip,
        linear: Matrix3::new(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
        angular: Matrix3::new(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    };
    /// Where the tip is.
    pub const POSITION: Self =
        Self { angular: Matrix3::new(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0), ..Self::POSE };

    /// Where the tip is, and where this axis of it points.
    pub fn pointing(tip_axis: &Unit<Vector3<f64>>) -> Self {
        Self { angular: Matrix3::identity() - tip_axis.as_ref() * tip_axis.transpose(), ..Self::POSE }
    }

    /// Single velocities and turns, along and about the axes of base or tip.
    pub fn along(axes: Expressed, linear: [bool; 3], angular: [bool; 3]) -> Self {
        let kept = |kept: [bool; 3]| Matrix3::from_diagonal(&Vector3::from(kept.map(f64::from)));
        Self { along: axes, linear: kept(linear), angular: kept(angular) }
    }

    /// What counts of a twist.
    fn of(&self, whole: &Vector6<f64>) -> Vector6<f64> {
        let (linear, angular) = parts(whole);
        twist(&(self.linear * linear), &(self.angular * angular))
    }
}

/// What makes a chain's positions comparable, once for each chain and each choice of [`Rows`].
#[derive(Clone, Debug)]
pub struct Conditioning {
    chain: Chain,
    rows: Rows,
    metres_per_radian: f64,
    rank: usize,
    typical: f64,
}

/// How well the chain moves at one place. Without units, the same at any size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    /// Yoshikawa's: the product of the singular values. Zero where it is singular.
    pub manipulability: f64,
    /// The smallest singular value: how far the tip goes in its worst direction.
    pub smallest: f64,
    /// The largest singular value.
    pub largest: f64,
    /// `smallest` as a share of what it is at half of this arm's places. 0 is singular, 1 usual.
    pub dexterity: f64,
    /// The motion of the tip that `smallest` belongs to, which is being lost: m and rad along the base's axes.
    /// Its sign means nothing; [`Conditioning::toward_singularity`] gives it one.
    pub lost: Vector6<f64>,
}

impl Condition {
    /// The largest singular value over the smallest, infinite where it is singular. With lengths measured
    /// in metres instead of in the arm's own, this is what moveit_servo's thresholds compare.
    pub fn number(&self) -> f64 {
        if 0.0 < self.smallest { self.largest / self.smallest } else { f64::INFINITY }
    }
}

/// Why a chain's condition is not known.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConditioningError {
    /// Too many joints.
    #[error("the chain has {0} moving joints; its condition is known for at most {MAX_JOINTS}")]
    TooManyJoints(usize),
}

type Columns = [Vector6<f64>; MAX_JOINTS];

impl Conditioning {
    /// Looks at the chain at some hundred places, always the same; takes a millisecond or two.
    pub fn new(chain: &Chain, rows: Rows) -> Result<Self, ConditioningError> {
        if MAX_JOINTS < chain.dof() {
            return Err(ConditioningError::TooManyJoints(chain.dof()));
        }
        let mut new = Self { chain: chain.clone(), rows, metres_per_radian: 1.0, rank: 0, typical: 0.0 };
        new.metres_per_radian = usual_lever(chain);
        let samples: Vec<[f64; 6]> =
            (1..=SAMPLES).map(|index| new.svd(&sample(chain, index)).values).collect();
        let rank = |values: &[f64; 6]| values.iter().filter(|&&value| RANK * values[0] < value).count();
        new.rank = samples.iter().map(rank).max().unwrap_or(0);
        let mut smallest: Vec<f64> = samples.iter().map(|values| new.smallest(values)).collect();
        smallest.sort_unstable_by(f64::total_cmp);
        new.typical = smallest[smallest.len() / 2];
        Ok(new)
    }

    /// The chain whose condition this is.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The arm's own length: metres that weigh as much as a radian.
    pub fn metres_per_radian(&self) -> f64 {
        self.metres_per_radian
    }

    /// How many directions the tip has where it moves best; at most the rows, at most the joints.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How well the chain moves at `positions`; positions that are not finite count as singular. Does not
    /// allocate.
    ///
    /// # Panics
    /// Where `positions` are not as many as [`Chain::dof`].
    pub fn at(&self, positions: &[f64]) -> Condition {
        let mut columns = [Vector6::zeros(); MAX_JOINTS];
        let base_from_tip = self.weighted(positions, &mut columns);
        let svd = Svd::of(&columns);
        let smallest = self.smallest(&svd.values);
        Condition {
            manipulability: svd.values[..self.rank].iter().product(),
            smallest,
            largest: svd.values[0],
            dexterity: if 0.0 < self.typical { smallest / self.typical } else { 0.0 },
            lost: self.lost(&svd, &base_from_tip),
        }
    }

    /// Writes the derivatives of [`Condition::manipulability`] by each joint, per radian or metre, and gives
    /// the manipulability. Does not allocate.
    ///
    /// # Panics
    /// Where `positions` or `gradient` are not as many as [`Chain::dof`].
    pub fn manipulability_gradient(&self, positions: &[f64], gradient: &mut [f64]) -> f64 {
        let svd = self.svd(positions);
        let values = &svd.values[..self.rank];
        let mut by_entry = [Vector6::zeros(); MAX_JOINTS];
        for index in 0..self.rank {
            let others: f64 = values
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != index)
                .map(|(_, value)| value)
                .product();
            add_outer(&mut by_entry, &svd, index, others);
        }
        self.gradient(positions, &by_entry, gradient);
        values.iter().product()
    }

    /// Writes the derivatives of [`Condition::smallest`] by each joint, per radian or metre, and gives it:
    /// whether a motion of the joints approaches the singularity or leaves it. Does not allocate.
    ///
    /// # Panics
    /// Where `positions` or `gradient` are not as many as [`Chain::dof`].
    pub fn smallest_gradient(&self, positions: &[f64], gradient: &mut [f64]) -> f64 {
        let svd = self.svd(positions);
        self.gradient_of_smallest(positions, &svd, gradient);
        self.smallest(&svd.values)
    }

    /// [`Condition::lost`] with a sign: the tip that moves this way approaches the singularity, the other
    /// way it leaves it. Does not allocate.
    ///
    /// # Panics
    /// Where `positions` are not as many as [`Chain::dof`].
    pub fn toward_singularity(&self, positions: &[f64]) -> Vector6<f64> {
        let mut columns = [Vector6::zeros(); MAX_JOINTS];
        let base_from_tip = self.weighted(positions, &mut columns);
        let svd = Svd::of(&columns);
        let mut gradient = [0.0; MAX_JOINTS];
        self.gradient_of_smallest(positions, &svd, &mut gradient[..self.chain.dof()]);
        // Joints that move the tip along the lost direction, in the unit of their gradient.
        let slope: f64 = self.last().map_or(0.0, |last| {
            (0..self.chain.dof())
                .map(|joint| gradient[joint] * svd.right[(joint, last)] * self.column_scale(joint))
                .sum()
        });
        let lost = self.lost(&svd, &base_from_tip);
        if 0.0 < slope { -lost } else { lost }
    }

    /// How much of a twist (m/s and rad/s along the base's axes) goes the lost way: from 0 for none of it to
    /// 1 for all. Does not allocate.
    pub fn share_lost(&self, condition: &Condition, twist: &Vector6<f64>) -> f64 {
        let (twist, lost) = (self.in_metres(twist), self.in_metres(&condition.lost));
        let norm = twist.norm() * lost.norm();
        if 0.0 < norm && norm.is_finite() { (twist.dot(&lost).abs() / norm).min(1.0) } else { 0.0 }
    }

    fn in_metres(&self, whole: &Vector6<f64>) -> Vector6<f64> {
        let (linear, angular) = parts(whole);
        twist(&linear, &(angular * self.metres_per_radian))
    }

    /// Where the smallest singular value that counts stands; none where nothing moves the rows at all.
    fn last(&self) -> Option<usize> {
        self.rank.checked_sub(1)
    }

    fn smallest(&self, values: &[f64; 6]) -> f64 {
        self.last().map_or(0.0, |last| values[last])
    }

    fn svd(&self, positions: &[f64]) -> Svd {
        let mut columns = [Vector6::zeros(); MAX_JOINTS];
        self.weighted(positions, &mut columns);
        Svd::of(&columns)
    }

    /// The columns without units; those beyond the chain's joints stay zero.
    fn weighted(&self, positions: &[f64], columns: &mut Columns) -> Isometry3<f64> {
        if !positions.iter().all(|position| position.is_finite()) {
            return Isometry3::identity();
        }
        let dof = self.chain.dof();
        let base_from_tip = self.chain.jacobian(positions, self.rows.along, &mut columns[..dof]);
        for (joint, column) in columns[..dof].iter_mut().enumerate() {
            *column = self.in_metres(&self.rows.of(column)) * self.column_scale(joint);
        }
        base_from_tip
    }

    /// Radians, or metres, of a joint that count as one metre.
    fn column_scale(&self, joint: usize) -> f64 {
        if self.chain.joints()[joint].kind == JointKind::Prismatic {
            1.0
        } else {
            1.0 / self.metres_per_radian
        }
    }

    fn lost(&self, svd: &Svd, base_from_tip: &Isometry3<f64>) -> Vector6<f64> {
        let Some(last) = self.last() else {
            return Vector6::zeros();
        };
        let (linear, angular) = parts(&svd.left.column(last).into_owned());
        let angular = angular / self.metres_per_radian;
        match self.rows.along {
            Expressed::Base => twist(&linear, &angular),
            Expressed::Tip => twist(&(base_from_tip.rotation * linear), &(base_from_tip.rotation * angular)),
        }
    }

    fn gradient_of_smallest(&self, positions: &[f64], svd: &Svd, gradient: &mut [f64]) {
        let mut by_entry = [Vector6::zeros(); MAX_JOINTS];
        if let Some(last) = self.last() {
            add_outer(&mut by_entry, svd, last, 1.0);
        }
        self.gradient(positions, &by_entry, gradient);
    }

    /// The derivative by each joint of a number whose derivatives by each entry of the weighted columns are
    /// known.
    fn gradient(&self, positions: &[f64], by_entry: &Columns, gradient: &mut [f64]) {
        let mut by_column = [Vector6::zeros(); MAX_JOINTS];
        for (joint, column) in by_column[..self.chain.dof()].iter_mut().enumerate() {
            // The weights and the rows are symmetric matrices.
            *column = self.rows.of(&self.in_metres(&by_entry[joint])) * self.column_scale(joint);
        }
        if positions.iter().all(|position| position.is_finite()) {
            self.chain.jacobian_gradient(
                positions,
                self.rows.along,
                &by_column[..self.chain.dof()],
                gradient,
            );
        } else {
            gradient.fill(0.0);
        }
    }
}

/// The derivative of a singular value by the matrix is the product of its singular vectors.
fn add_outer(by_entry: &mut Columns, svd: &Svd, index: usize, factor: f64) {
    for (joint, column) in by_entry.iter_mut().enumerate() {
        *column += svd.left.column(index) * (svd.right[(joint, index)] * factor);
    }
}

/// How far the tip usually is from the axes that it turns about: the root of the mean square, in metres.
fn usual_lever(chain: &Chain) -> f64 {
    let mut columns = [Vector6::zeros(); MAX_JOINTS];
    let columns = &mut columns[..chain.dof()];
    let (mut linear, mut angular) = (0.0, 0.0);
    for index in 1..=SAMPLES {
        chain.jacobian(&sample(chain, index), Expressed::Tip, columns);
        for column in columns.iter() {
            let (velocity, turn) = parts(column);
            if 0.0 < turn.norm_squared() {
                linear += velocity.norm_squared();
                angular += turn.norm_squared();
            }
        }
    }
    let lever = (linear / angular).sqrt();
    if lever.is_finite() && 0.0 < lever { lever } else { 1.0 }
}

/// The n-th of a sequence of places that fills the joints' ranges evenly (Halton's).
fn sample(chain: &Chain, index: u32) -> Vec<f64> {
    const PRIMES: [u32; MAX_JOINTS] = [2, 3, 5, 7, 11, 13, 17, 19];
    let ranges = chain.joints().iter().map(|joint| {
        joint
            .limits
            .position
            .map_or((-std::f64::consts::PI, std::f64::consts::PI), |range| (range.lower, range.upper))
    });
    ranges
        .zip(PRIMES)
        .map(|((lower, upper), prime)| lower + (upper - lower) * mirrored(index, prime))
        .collect()
}

/// The digits of `index` in this base, mirrored at the point.
fn mirrored(mut index: u32, base: u32) -> f64 {
    let (mut value, mut digit) = (0.0, 1.0);
    while 0 < index {
        digit /= f64::from(base);
        value += digit * f64::from(index % base);
        index /= base;
    }
    value
}
