//! The pose of the tip and what each joint does to it, in one pass.
//!
//! Knows the [`Arm`]'s numbers; what the tip should do is [`super::residual`]. Frames are those of one goal: the tip
//! is where it should be when its frame is the identity.

use nalgebra::{Matrix3, Vector3};

use super::arm::{Arm, GENERAL};
use super::lanes::Lanes;
use super::trig::sin_cos;

/// Three numbers in every lane.
pub(super) type Triple<L> = [L; 3];

/// A frame as its three axes and its origin.
#[derive(Clone, Copy)]
pub(super) struct Frame<L> {
    pub(super) x: Triple<L>,
    pub(super) y: Triple<L>,
    pub(super) z: Triple<L>,
    pub(super) origin: Triple<L>,
}

/// What the tip does while one joint moves: the way of its origin, then the turn.
pub(super) type Column<L> = [L; 6];

/// The tip, and whatever else is needed to say what each joint does to it.
pub(super) trait Kernel<const N: usize>: Send + Sync {
    /// What is kept on the way.
    type Trace<L: Lanes>: Copy;

    fn new(arm: &Arm) -> Self;

    /// Where the tip is: `first` is the frame that the first motion stands in, `last_from_tip` stands behind the last.
    fn walk<L: Lanes>(
        &self,
        first: &Frame<L>,
        last_from_tip: &Frame<L>,
        positions: &[L; N],
    ) -> (Frame<L>, Self::Trace<L>);

    /// What each joint does to the tip.
    fn columns<L: Lanes>(&self, tip: &Frame<L>, trace: &Self::Trace<L>) -> [Column<L>; N];
}

impl<L: Lanes> Frame<L> {
    /// The same frame in every lane.
    #[inline(always)]
    pub(super) fn splat(token: L::Token, rotation: &Matrix3<f64>, origin: &Vector3<f64>) -> Self {
        let zero = [L::splat(token, 0.0); 3];
        let mut frame = Self { x: zero, y: zero, z: zero, origin: zero };
        for row in 0..3 {
            frame.x[row] = L::splat(token, rotation[(row, 0)]);
            frame.y[row] = L::splat(token, rotation[(row, 1)]);
            frame.z[row] = L::splat(token, rotation[(row, 2)]);
            frame.origin[row] = L::splat(token, origin[row]);
        }
        frame
    }

    #[inline(always)]
    fn shift(&mut self, by: Triple<L>) {
        let Self { x, y, z, origin } = self;
        for row in 0..3 {
            origin[row] = z[row].mul_add(by[2], y[row].mul_add(by[1], x[row].mul_add(by[0], origin[row])));
        }
    }

    #[inline(always)]
    fn turn_about_x(&mut self, sin: L, cos: L) {
        for row in 0..3 {
            let (y, z) = (self.y[row], self.z[row]);
            self.y[row] = z.mul_add(sin, y * cos);
            self.z[row] = y.sub_from(sin, z * cos);
        }
    }

    #[inline(always)]
    fn turn_about_z(&mut self, sin: L, cos: L) {
        for row in 0..3 {
            let (x, y) = (self.x[row], self.y[row]);
            self.x[row] = y.mul_add(sin, x * cos);
            self.y[row] = x.sub_from(sin, y * cos);
        }
    }

    #[inline(always)]
    fn rotate(&self, v: Triple<L>) -> Triple<L> {
        let mut turned = v;
        for (row, turned) in turned.iter_mut().enumerate() {
            *turned = self.z[row].mul_add(v[2], self.y[row].mul_add(v[1], self.x[row] * v[0]));
        }
        turned
    }

    #[inline(always)]
    fn then(&self, next: &Self) -> Self {
        let mut end = *self;
        end.shift(next.origin);
        Self { x: self.rotate(next.x), y: self.rotate(next.y), z: self.rotate(next.z), origin: end.origin }
    }
}

/// These in every lane.
#[inline(always)]
fn triple<L: Lanes>(any: L, values: &[f64; 3]) -> Triple<L> {
    [any.like(values[0]), any.like(values[1]), any.like(values[2])]
}

#[inline(always)]
pub(super) fn cross<L: Lanes>(a: Triple<L>, b: Triple<L>) -> Triple<L> {
    [a[2].sub_from(b[1], a[1] * b[2]), a[0].sub_from(b[2], a[2] * b[0]), a[1].sub_from(b[0], a[0] * b[1])]
}

/// An arm whose every joint turns one motion.
#[derive(Clone, Debug)]
pub(super) struct Turning<const N: usize>([Turn; N]);

/// One motion of it.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    shift: [f64; 3],
    sin: f64,
    cos: f64,
    angle: f64,
}

impl<const N: usize> Kernel<N> for Turning<N> {
    type Trace<L: Lanes> = [(Triple<L>, Triple<L>); N];

    fn new(arm: &Arm) -> Self {
        let mut turns = [Turn::default(); N];
        for (turn, motion) in turns.iter_mut().zip(&arm.motions) {
            *turn = Turn { shift: motion.shift, sin: motion.sin, cos: motion.cos, angle: motion.angle };
        }
        Self(turns)
    }

    #[inline(always)]
    fn walk<L: Lanes>(
        &self,
        first: &Frame<L>,
        last_from_tip: &Frame<L>,
        positions: &[L; N],
    ) -> (Frame<L>, Self::Trace<L>) {
        let mut turned = [(positions[0], positions[0]); N];
        for joint in 0..N {
            turned[joint] = sin_cos(positions[joint] + positions[joint].like(self.0[joint].angle));
        }
        let mut here = *first;
        let mut trace = [(here.z, here.origin); N];
        for joint in 0..N {
            if joint != 0 {
                let turn = &self.0[joint];
                here.shift(triple(positions[0], &turn.shift));
                here.turn_about_x(positions[0].like(turn.sin), positions[0].like(turn.cos));
            }
            let (sin, cos) = turned[joint];
            here.turn_about_z(sin, cos);
            trace[joint] = (here.z, here.origin);
        }
        (here.then(last_from_tip), trace)
    }

    #[inline(always)]
    fn columns<L: Lanes>(&self, tip: &Frame<L>, trace: &Self::Trace<L>) -> [Column<L>; N] {
        let mut columns = [[tip.origin[0]; 6]; N];
        for joint in 0..N {
            let (axis, origin) = trace[joint];
            let arm = [tip.origin[0] - origin[0], tip.origin[1] - origin[1], tip.origin[2] - origin[2]];
            let way = cross(axis, arm);
            columns[joint] = [way[0], way[1], way[2], axis[0], axis[1], axis[2]];
        }
        columns
    }
}

/// Any arm: joints that slide, joints that move several motions. Slower.
#[derive(Clone, Debug)]
pub(super) struct Any(Vec<super::arm::Motion>);

impl Kernel<GENERAL> for Any {
    /// What each joint does to the point of the tip that is at the goal's origin.
    type Trace<L: Lanes> = [Column<L>; GENERAL];

    fn new(arm: &Arm) -> Self {
        Self(arm.motions.clone())
    }

    #[inline(always)]
    fn walk<L: Lanes>(
        &self,
        first: &Frame<L>,
        last_from_tip: &Frame<L>,
        positions: &[L; GENERAL],
    ) -> (Frame<L>, Self::Trace<L>) {
        let any = positions[0];
        let mut here = *first;
        let mut trace = [[any.like(0.0); 6]; GENERAL];
        for (index, motion) in self.0.iter().enumerate() {
            if index != 0 {
                here.shift(triple(any, &motion.shift));
                here.turn_about_x(any.like(motion.sin), any.like(motion.cos));
            }
            let position = positions[motion.joint];
            let (sin, cos) = sin_cos(position.mul_add(any.like(motion.turn), any.like(motion.angle)));
            here.turn_about_z(sin, cos);
            here.shift([
                any.like(0.0),
                any.like(0.0),
                position.mul_add(any.like(motion.slide), any.like(motion.way)),
            ]);
            let column = &mut trace[motion.joint];
            let way = cross(here.origin, here.z);
            for row in 0..3 {
                let slid = here.z[row].mul_add(any.like(motion.slide), column[row]);
                column[row] = way[row].mul_add(any.like(motion.turn), slid);
                column[row + 3] = here.z[row].mul_add(any.like(motion.turn), column[row + 3]);
            }
        }
        (here.then(last_from_tip), trace)
    }

    #[inline(always)]
    fn columns<L: Lanes>(&self, tip: &Frame<L>, trace: &Self::Trace<L>) -> [Column<L>; GENERAL] {
        let mut columns = *trace;
        for column in &mut columns {
            let way = cross([column[3], column[4], column[5]], tip.origin);
            for row in 0..3 {
                column[row] = column[row] + way[row];
            }
        }
        columns
    }
}
