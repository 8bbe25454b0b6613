//! Poses all over the workspace, and which of them are near a goal.
//!
//! Knows the [`Arm`] and distances of poses; nothing of the search.

use nalgebra::{Isometry3, Matrix3, Quaternion, UnitQuaternion, Vector3};

use super::arm::Arm;
use super::kernel::{Frame, Kernel};
use super::lanes::{Anywhere, Lanes, Plain};
use super::residual::{Measure, Turns};

/// How many poses a table has; a power of two.
pub(super) const SIZE: usize = 1024;

/// Each part of the table offers the nearest of its poses.
pub(super) const PARTS: usize = 8;

/// Where each of the joints can be looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from: f64,
    pub(super) length: f64,
}

/// Joint positions spread evenly, and the poses that they give.
#[derive(Clone, Debug)]
pub(super) struct Table<const N: usize> {
    positions: Vec<[f64; N]>,
    /// The tip's origin, then its orientation as a quaternion `w x y z`; in the arm's base and unit.
    poses: [Box<[f32; SIZE]>; 7],
}

/// What poses are compared with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query<const N: usize> {
    origin: [f32; 3],
    /// Where not all directions count alike.
    weights: Option<[[f32; 3]; 3]>,
    turn: [f32; 4],
    /// The same after half a turn about an axis that is free; zero where none is.
    half_turned: [f32; 4],
    /// How much turns count: all or nothing.
    turns: f32,
    seed: [f32; N],
    /// What each joint's squared way from the seed counts, where any does.
    ways: Option<[f32; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new<K: Kernel<N>>(arm: &Arm, kernel: &K, spans: &[Span; N]) -> Self {
        let positions: Vec<[f64; N]> = (0..SIZE).map(|index| halton(index + 1, spans)).collect();
        let mut poses: [Box<[f32; SIZE]>; 7] = std::array::from_fn(|_| Box::new([0.0; SIZE]));
        let first = frame(&arm.base_from_first.rotation, &arm.base_from_first.translation);
        let last = frame(&arm.last_from_tip.rotation, &arm.last_from_tip.translation);
        for (index, entry) in positions.iter().enumerate() {
            let (tip, _) = kernel.walk(&first, &last, &entry.map(|value| Plain::splat(Anywhere, value)));
            let vector = |row: [Plain; 3]| Vector3::from(row.map(|value| value.to_array()[0]));
            let matrix = Matrix3::from_columns(&[vector(tip.x), vector(tip.y), vector(tip.z)]);
            let turn = UnitQuaternion::from_matrix(&matrix);
            let origin = vector(tip.origin);
            let pose = [origin.x, origin.y, origin.z, turn.w, turn.i, turn.j, turn.k];
            for (column, value) in poses.iter_mut().zip(pose) {
                column[index] = single(value);
            }
        }
        Self { positions, poses }
    }

    /// Joint positions of this entry.
    pub(super) fn positions(&self, index: usize) -> &[f64; N] {
        &self.positions[index % SIZE]
    }

    /// The nearest entry of each part, nearest first.
    #[inline(always)]
    pub(super) fn nearest(&self, query: &Query<N>) -> [u16; PARTS] {
        let mut keys = if query.weights.is_none() && query.ways.is_none() {
            self.least_keys(|index| self.distance(query, index))
        } else {
            self.least_keys(|index| self.weighted_distance(query, index))
        };
        keys.sort_unstable();
        keys.map(|key| (key & INDEX) as u16)
    }

    /// A key is a distance, whose last bits are the index: the least of whole numbers is found fast.
    #[inline(always)]
    fn least_keys(&self, distance: impl Fn(usize) -> f32) -> [u32; PARTS] {
        let mut least = [u32::MAX; PARTS];
        for (part, least) in least.iter_mut().enumerate() {
            let start = part * (SIZE / PARTS);
            for index in start..start + SIZE / PARTS {
                *least = key(distance(index), index).min(*least);
            }
        }
        least
    }

    #[inline(always)]
    fn distance(&self, query: &Query<N>, index: usize) -> f32 {
        let [x, y, z, ..] = &self.poses;
        let (x, y, z) = (x[index] - query.origin[0], y[index] - query.origin[1], z[index] - query.origin[2]);
        x * x + y * y + z * z + self.turn(query, index)
    }

    /// Four times the squared sine of half the angle.
    #[inline(always)]
    fn turn(&self, query: &Query<N>, index: usize) -> f32 {
        let [.., w, x, y, z] = &self.poses;
        let dot = |q: &[f32; 4]| q[0] * w[index] + q[1] * x[index] + q[2] * y[index] + q[3] * z[index];
        let (straight, half_turned) = (dot(&query.turn), dot(&query.half_turned));
        query.turns * (4.0 - 4.0 * (straight * straight + half_turned * half_turned))
    }

    fn weighted_distance(&self, query: &Query<N>, index: usize) -> f32 {
        let Some(weights) = &query.weights else {
            return self.distance(query, index) + self.way(query, index);
        };
        let offset: [f32; 3] = std::array::from_fn(|row| self.poses[row][index] - query.origin[row]);
        let square = |row: &[f32; 3]| {
            let sum = row[0] * offset[0] + row[1] * offset[1] + row[2] * offset[2];
            sum * sum
        };
        weights.iter().map(square).sum::<f32>() + self.turn(query, index) + self.way(query, index)
    }

    fn way(&self, query: &Query<N>, index: usize) -> f32 {
        let Some(ways) = &query.ways else { return 0.0 };
        let there = &self.positions[index];
        (0..N).map(|joint| ways[joint] * (single(there[joint]) - query.seed[joint]).powi(2)).sum()
    }
}

impl<const N: usize> Query<N> {
    /// The goal's pose is in the arm's base and unit.
    pub(super) fn new(
        goal: &Isometry3<f64>,
        measure: &Measure,
        seed: &[f64; N],
        ways: Option<[f64; N]>,
    ) -> Self {
        let turn = goal.rotation;
        let computed = measure.goal_from_computed();
        let weights = measure.position_weights().map(|weights| {
            let weights = weights * (turn.to_rotation_matrix() * computed).matrix().transpose();
            std::array::from_fn(|row| std::array::from_fn(|column| single(weights[(row, column)])))
        });
        let axis = computed * Vector3::z();
        let half_turned = turn.quaternion() * Quaternion::from_imag(axis);
        let (turns, half_turned) = match measure.turns() {
            Turns::Count => (1.0, [0.0; 4]),
            Turns::CountButAboutZ => (1.0, coefficients(&half_turned)),
            Turns::DoNotCount => (0.0, [0.0; 4]),
        };
        Self {
            origin: goal.translation.vector.map(single).into(),
            weights,
            turn: coefficients(turn.quaternion()),
            half_turned,
            turns,
            seed: seed.map(single),
            ways: ways.map(|ways| ways.map(single)),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a small number")]
const INDEX: u32 = SIZE as u32 - 1;

#[inline(always)]
fn key(distance: f32, index: usize) -> u32 {
    // Rounding may make a distance of nothing negative, whose bits would be large.
    #[expect(clippy::cast_possible_truncation, reason = "an index below the size")]
    let index = index as u32;
    let distance = if distance > 0.0 { distance } else { 0.0 };
    (distance.to_bits() & !INDEX) | index
}

fn coefficients(turn: &Quaternion<f64>) -> [f32; 4] {
    [turn.w, turn.i, turn.j, turn.k].map(single)
}

#[expect(clippy::cast_possible_truncation, reason = "distances need not be exact")]
fn single(value: f64) -> f32 {
    value as f32
}

fn frame(rotation: &Matrix3<f64>, origin: &Vector3<f64>) -> Frame<Plain> {
    Frame::splat(Anywhere, rotation, origin)
}

/// The point of this index in a sequence that fills the spans ever more densely.
pub(super) fn halton<const N: usize>(index: usize, spans: &[Span; N]) -> [f64; N] {
    const BASES: [usize; 8] = [2, 3, 5, 7, 11, 13, 17, 19];
    std::array::from_fn(|joint| {
        let base = BASES[joint % BASES.len()];
        let (mut rest, mut part, mut sum) = (index, 1.0, 0.0);
        while rest != 0 {
            part /= base as f64;
            sum += part * (rest % base) as f64;
            rest /= base;
        }
        spans[joint].from + spans[joint].length * sum
    })
}
