//! Where the tip comes, and where it points there, with the joints set at random.
//!
//! Knows no picture. What is found does not depend on how many processors look for it: each
//! portion of the samples has a seed of its own, and what portions have seen is united.

use std::f64::consts::PI;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};

use nalgebra::{Unit, Vector3};

use crate::tool::arm::Arm;

/// The directions that are told apart, one bit each.
pub(super) const DIRECTIONS: u32 = u64::BITS;

/// The most cells along one side of a cut.
const MOST_CELLS: f64 = 2000.0;

/// Samples with one seed.
const PORTION: u64 = 50_000;

/// Samples that find out how far the arm reaches.
const SCOUTS: u64 = 50_000;

/// Where to cut, in metres; what is left out is chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cuts {
    pub cell: Option<f64>,
    pub side_at: Option<f64>,
    pub top_at: Option<f64>,
}

/// Two cuts through what the arm reaches.
#[derive(Debug)]
pub(super) struct Survey {
    /// Along x and z.
    pub side: Cut,
    /// Along x and y.
    pub top: Cut,
    /// How often the joints were set.
    pub samples: u64,
}

/// The cells of one cut.
#[derive(Debug)]
pub(super) struct Cut {
    /// Which of x, y and z goes to the right, which goes up, and across which it cuts.
    pub axes: [usize; 3],
    /// Where it cuts, in metres.
    pub at: f64,
    /// The size of a cell and the thickness of the cut, in metres.
    pub cell: f64,
    /// The lowest corner, in metres, to the right and up.
    pub from: [f64; 2],
    /// How many cells there are to the right and up.
    pub count: [usize; 2],
    /// The directions seen in each cell, row by row from the lowest.
    seen: Vec<u64>,
}

impl Survey {
    pub(super) fn of(arm: &Arm, axis: Unit<Vector3<f64>>, cuts: Cuts, samples: u64) -> anyhow::Result<Self> {
        let sampler = Sampler { arm, axis, ranges: arm.ranges() };
        let (low, high, far) = sampler.scout();
        let extent = (high - low).max();
        anyhow::ensure!(0.0 < extent, "{} never leaves {}: there is nothing to draw", arm.tip, arm.base);
        let cell = cuts.cell.unwrap_or_else(|| round(extent / 50.0));
        // Stated positively, so that NaN fails too.
        let is_fine = extent / cell <= MOST_CELLS && cell.is_finite() && 0.0 < cell;
        anyhow::ensure!(
            is_fine,
            "cells of {cell} m are too small for an arm that reaches over {extent:.3} m; \
             --resolution must be at least {:.2e}",
            extent / MOST_CELLS
        );
        let side_at = cuts.side_at.unwrap_or_else(|| first_joint(arm).y);
        let top_at = cuts.top_at.unwrap_or(far.z);
        let mut survey = Self {
            side: Cut::new([0, 2, 1], side_at, cell, low, high),
            top: Cut::new([0, 1, 2], top_at, cell, low, high),
            samples,
        };
        survey.fill(&sampler);
        Ok(survey)
    }

    fn fill(&mut self, sampler: &Sampler) {
        let directions = spread_directions();
        let portions = self.samples.div_ceil(PORTION);
        let next = AtomicU64::new(0);
        let atomic = |cut: &Cut| cut.seen.iter().map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
        let (in_side, in_top) = (atomic(&self.side), atomic(&self.top));
        let work = || {
            loop {
                let portion = next.fetch_add(1, Ordering::Relaxed);
                if portions <= portion {
                    break;
                }
                let count = PORTION.min(self.samples - portion * PORTION);
                sampler.sample(portion, count, |place, pointing| {
                    for (cut, seen) in [(&self.side, &in_side), (&self.top, &in_top)] {
                        if let Some(cell) = cut.cell_of(&place) {
                            seen[cell].fetch_or(1 << nearest(&directions, &pointing), Ordering::Relaxed);
                        }
                    }
                });
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, NonZero::get) {
                scope.spawn(work);
            }
        });
        self.side.seen = in_side.into_iter().map(AtomicU64::into_inner).collect();
        self.top.seen = in_top.into_iter().map(AtomicU64::into_inner).collect();
    }
}

/// To the nearest number with one digit.
fn round(length: f64) -> f64 {
    let unit = 10_f64.powf(length.log10().floor());
    (length / unit).round() * unit
}

/// Where the first joint carries what it carries.
fn first_joint(arm: &Arm) -> Vector3<f64> {
    let carried = arm.chain.joints().first().map(|joint| joint.child.as_str());
    let poses = arm.chain.frame_poses(&arm.middle());
    let mut places = arm.chain.frames().zip(&poses).filter(|(name, _)| Some(*name) == carried);
    places.next().map_or_else(Vector3::zeros, |(_, pose)| pose.translation.vector)
}

impl Cut {
    fn new(axes: [usize; 3], at: f64, cell: f64, low: Vector3<f64>, high: Vector3<f64>) -> Self {
        // A margin of two cells: random joints seldom go to the very end.
        let first = |axis: usize| (low[axis] / cell).floor() - 2.0;
        let cells = |axis: usize| (high[axis] / cell).ceil() + 2.0 - first(axis);
        let [right, up, _] = axes;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the caller")]
        let count = [cells(right) as usize, cells(up) as usize];
        let from = [first(right) * cell, first(up) * cell];
        Self { axes, at, cell, from, count, seen: vec![0; count[0] * count[1]] }
    }

    /// The cells that something was seen in, as the column, the row and the share of directions (0 to 1).
    pub(super) fn shares(&self) -> impl Iterator<Item = ([usize; 2], f64)> + '_ {
        let cells = self.seen.iter().enumerate().filter(|(_, seen)| **seen != 0);
        cells.map(|(index, seen)| {
            (
                [index % self.count[0], index / self.count[0]],
                f64::from(seen.count_ones()) / f64::from(DIRECTIONS),
            )
        })
    }

    fn cell_of(&self, place: &Vector3<f64>) -> Option<usize> {
        let [right, up, across] = self.axes;
        if 0.5 * self.cell < (place[across] - self.at).abs() {
            return None;
        }
        let column = index_below((place[right] - self.from[0]) / self.cell, self.count[0])?;
        let row = index_below((place[up] - self.from[1]) / self.cell, self.count[1])?;
        Some(row * self.count[0] + column)
    }
}

fn index_below(number: f64, count: usize) -> Option<usize> {
    let is_inside = 0.0 <= number && number < count as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is inside")]
    is_inside.then_some(number as usize)
}

struct Sampler<'a> {
    arm: &'a Arm,
    axis: Unit<Vector3<f64>>,
    ranges: Vec<(f64, f64)>,
}

impl Sampler<'_> {
    /// The box that the tip stays in, and where it is farthest from the base's z.
    fn scout(&self) -> (Vector3<f64>, Vector3<f64>, Vector3<f64>) {
        let mut low = Vector3::zeros();
        let mut high = Vector3::zeros();
        let mut far = Vector3::zeros();
        self.sample(u64::MAX, SCOUTS, |place, _| {
            low = low.inf(&place);
            high = high.sup(&place);
            if far.xy().norm() < place.xy().norm() {
                far = place;
            }
        });
        (low, high, far)
    }

    /// Tells where the tip is and where it points, so many times.
    fn sample(&self, seed: u64, count: u64, mut see: impl FnMut(Vector3<f64>, Vector3<f64>)) {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut positions = vec![0.0; self.ranges.len()];
        for _ in 0..count {
            for (position, (lower, upper)) in positions.iter_mut().zip(&self.ranges) {
                *position = lower + (upper - lower) * chance.f64();
            }
            let pose = self.arm.chain.tip_pose(&positions);
            see(pose.translation.vector, pose.rotation * self.axis.into_inner());
        }
    }
}

/// Directions evenly over the sphere, on a spiral that turns by the golden angle.
fn spread_directions() -> Vec<Vector3<f64>> {
    let golden = PI * (3.0 - 5_f64.sqrt());
    let direction = |index: u32| {
        let up = 1.0 - (2.0 * f64::from(index) + 1.0) / f64::from(DIRECTIONS);
        let (sin, cos) = (golden * f64::from(index)).sin_cos();
        let out = (1.0 - up * up).sqrt();
        Vector3::new(out * cos, out * sin, up)
    };
    (0..DIRECTIONS).map(direction).collect()
}

fn nearest(directions: &[Vector3<f64>], to: &Vector3<f64>) -> usize {
    let closeness = |index: &usize| directions[*index].dot(to);
    (0..directions.len()).max_by(|one, other| closeness(one).total_cmp(&closeness(other))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinematics::{Chain, RobotModel};

    #[test]
    fn directions_are_spread_evenly() {
        let directions = spread_directions();
        let mut chance = fastrand::Rng::with_seed(1);
        let mut counts = vec![0; directions.len()];
        for _ in 0..64_000 {
            let up = 2.0 * chance.f64() - 1.0;
            let (sin, cos) = (2.0 * PI * chance.f64()).sin_cos();
            let out = (1.0 - up * up).sqrt();
            counts[nearest(&directions, &Vector3::new(out * cos, out * sin, up))] += 1;
        }
        assert!(counts.iter().all(|count| (700..1300).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_cell_is_reached_exactly_where_the_arm_is_long_enough() {
        // Two links of 0.3 and 0.2 m that turn about z without end: a ring between 0.1 and 0.5 m.
        let survey = survey(70_000);
        let mut seen = 0;
        for ([column, row], share) in survey.top.shares() {
            let middle =
                |index: usize, axis: usize| survey.top.from[axis] + (index as f64 + 0.5) * survey.top.cell;
            let distance = middle(column, 0).hypot(middle(row, 1));
            assert!((0.08..0.52).contains(&distance), "{distance}");
            // z is up, so only one direction there is.
            assert!((share - 1.0 / 64.0).abs() < 1e-9);
            seen += 1;
        }
        let area = f64::from(seen) * survey.top.cell.powi(2) / (PI * (0.25 - 0.01));
        assert!((0.95..1.1).contains(&area), "{area}");
    }

    #[test]
    fn the_same_question_gets_the_same_answer() {
        let shares = |survey: &Survey| survey.top.shares().collect::<Vec<_>>();
        assert_eq!(shares(&survey(60_000)), shares(&survey(60_000)));
    }

    #[test]
    fn cells_that_are_too_small_are_refused() {
        let cuts = Cuts { cell: Some(1e-9), side_at: None, top_at: None };
        let refusal = Survey::of(&arm(), Vector3::z_axis(), cuts, 1000).unwrap_err().to_string();
        assert!(refusal.contains("--resolution must be at least 5"), "{refusal}");
    }

    fn survey(samples: u64) -> Survey {
        let cuts = Cuts { cell: Some(0.02), side_at: None, top_at: None };
        Survey::of(&arm(), Vector3::z_axis(), cuts, samples).unwrap()
    }

    fn arm() -> Arm {
        let model = RobotModel::from_urdf(
            r#"<robot name="ring"><link name="a"/><link name="b"/><link name="c"/><link name="d"/>
            <joint name="one" type="continuous"><parent link="a"/><child link="b"/><axis xyz="0 0 1"/></joint>
            <joint name="two" type="continuous"><parent link="b"/><child link="c"/><origin xyz="0.3 0 0"/>
            <axis xyz="0 0 1"/></joint>
            <joint name="tip" type="fixed"><parent link="c"/><child link="d"/><origin xyz="0.2 0 0"/></joint></robot>"#,
        )
        .unwrap();
        let chain = Chain::between(&model, "a", "d").unwrap();
        Arm { name: "ring".into(), base: "a".into(), tip: "d".into(), chain }
    }
}
