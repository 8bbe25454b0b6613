//! The search: which start next, when one has failed, when all is over.
//!
//! Knows starts, lanes and budgets; the steps are [`super::step`]'s. The caller's seed comes first, then what the
//! table has nearby, then chance.

use std::f64::consts::TAU;

use super::approach::approach;
use super::kernel::Kernel;
use super::lanes::{Lanes, MOST};
use super::step::{self, Bounds};
use super::table::{PARTS, Query, Span, Table};
use super::target::Target;

/// Steps between two looks at whether a lane comes on.
const LOOK_EVERY: u32 = 4;

/// A lane whose squared error has not fallen to this part since the last look starts elsewhere.
const COMES_ON: f64 = 0.5;

/// Looks after which a lane starts elsewhere in any case.
const LONGEST: u32 = 5;

/// Steps that the seed's own descent gets where it is alone.
const ALONE: u32 = 12;

/// A seed whose squared error is smaller descends alone at first.
const NEARBY: f64 = 0.3;

/// Steps to settle a failure.
const MOST_SETTLING: u32 = 80;

/// A joint with more room, in radians, turns freely.
const ENDLESS: f64 = 1e3;

/// Of what was refused, so many are known again.
const REMEMBERED: usize = 16;

/// After so many refusals nothing will be acceptable.
const MOST_REFUSED: usize = 200;

/// How many of the best failures are kept.
const KEPT: usize = 4;

/// What is looked for, and how.
pub(super) struct Question<'a, const N: usize> {
    pub(super) target: Target<N>,
    pub(super) spans: [Span; N],
    pub(super) seed: [f64; N],
    pub(super) table_query: Query<N>,
    /// The most steps.
    pub(super) budget: u32,
    /// Steps for which to look for something nearer to the seed once something was found.
    pub(super) patience: u32,
    pub(super) is_acceptable: &'a dyn Fn(&[f64; N]) -> bool,
    pub(super) is_time_up: &'a dyn Fn() -> bool,
}

/// Positions, and what is left there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Approach<const N: usize> {
    pub(super) positions: [f64; N],
    /// Squared.
    pub(super) position: f64,
    pub(super) rotation: f64,
}

impl<const N: usize> Approach<N> {
    fn error(&self) -> f64 {
        self.position + self.rotation
    }
}

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Found,
    TimeUp,
    /// The budget is spent.
    GaveUp,
}

/// A search under way.
pub(super) struct Hunt<'a, const N: usize> {
    question: &'a Question<'a, N>,
    table: &'a Table<N>,
    nearest: [u16; PARTS],
    /// Starts that were given out.
    starts: usize,
    random: fastrand::Rng,
    pub(super) iterations: u32,
    /// How many were found but not acceptable, and the last of them.
    pub(super) refused: usize,
    remembered: [[f64; N]; REMEMBERED],
    pub(super) kept_refused: Option<Approach<N>>,
    /// Something was found; after so many steps it is good enough.
    enough: u32,
    /// The best failures, best first.
    pub(super) kept: [Approach<N>; KEPT],
    pub(super) found: Option<Approach<N>>,
    lanes: [Lane; MOST],
}

/// A descent under way.
#[derive(Clone, Copy, Debug)]
struct Lane {
    /// Its squared error at the last look.
    error: f64,
    looks: u32,
}

const FRESH: Lane = Lane { error: f64::MAX, looks: 0 };

impl<'a, const N: usize> Hunt<'a, N> {
    pub(super) fn new(question: &'a Question<'a, N>, table: &'a Table<N>) -> Self {
        let nowhere = Approach { positions: question.seed, position: f64::MAX, rotation: f64::MAX };
        Self {
            question,
            table,
            nearest: [0; PARTS],
            starts: 0,
            random: fastrand::Rng::with_seed(SEED),
            iterations: 0,
            refused: 0,
            remembered: [question.seed; REMEMBERED],
            kept_refused: None,
            enough: 0,
            kept: [nowhere; KEPT],
            found: None,
            lanes: [FRESH; MOST],
        }
    }

    /// Looks until something is found or all is over: `One` is for a single descent, `L` for several at once.
    #[inline(always)]
    pub(super) fn run<One, L, K>(&mut self, token: L::Token, kernel: &K) -> End
    where
        One: Lanes<Token = L::Token>,
        L: Lanes,
        K: Kernel<N>,
    {
        if let Some(end) = self.descend::<One, K>(token, kernel, [self.question.seed; MOST], Some(ALONE)) {
            return end;
        }
        self.nearest = self.table.nearest(&self.question.table_query);
        let mut starts = [self.question.seed; MOST];
        for start in starts.iter_mut().take(L::COUNT) {
            *start = self.next_start();
        }
        let end = self.descend::<L, K>(token, kernel, starts, None).unwrap_or(End::GaveUp);
        if end == End::GaveUp && self.found.is_none() {
            return self.settle::<One, K>(token, kernel);
        }
        if self.found.is_some() { End::Found } else { end }
    }

    /// Brings the best failures as near as they get, best first; one of them may even arrive.
    #[inline(always)]
    fn settle<One: Lanes, K: Kernel<N>>(&mut self, token: One::Token, kernel: &K) -> End {
        for index in 0..KEPT {
            if (self.question.is_time_up)() {
                return End::TimeUp;
            }
            let start = self.kept[index];
            if start.position == f64::MAX {
                break;
            }
            let target = &self.question.target;
            let (settled, is_met, steps) =
                approach::<One, K, N>(token, kernel, target, &start.positions, MOST_SETTLING);
            self.iterations += steps;
            if is_met && self.accept(&settled) {
                return End::Found;
            }
            if !is_met {
                self.kept[index] = settled;
            }
        }
        self.kept.sort_unstable_by(|a, b| a.error().total_cmp(&b.error()));
        End::GaveUp
    }

    /// Descends in all lanes. With a number of `steps`, one lane that may fail and is not replaced.
    #[inline(always)]
    fn descend<L: Lanes, K: Kernel<N>>(
        &mut self,
        token: L::Token,
        kernel: &K,
        starts: [[f64; N]; MOST],
        steps: Option<u32>,
    ) -> Option<End> {
        let question = self.question;
        let (first, last) = question.target.frames::<L>(token);
        let mut positions = [L::splat(token, 0.0); N];
        for joint in 0..N {
            let row = [starts[0][joint], starts[1][joint], starts[2][joint], starts[3][joint]];
            positions[joint] = L::from_array(token, row);
        }
        self.lanes = [FRESH; MOST];
        let mut step = 0;
        loop {
            let (tip, trace) = kernel.walk(&first, &last, &positions);
            let left = question.target.measure.residual(&tip);
            let error = left.position + left.rotation;
            self.iterations += 1;
            step += 1;
            let met = question.target.is_met(&left);
            let mut over = 0;
            if L::bits(met) != 0 {
                over = self.on_met(
                    L::bits(met),
                    &lanes(&positions),
                    left.position.to_array(),
                    left.rotation.to_array(),
                );
                if self.found.is_some() && (self.enough <= self.iterations || steps.is_some()) {
                    return Some(End::Found);
                }
                if steps.is_some() {
                    return None;
                }
            }
            if steps.is_some() && step == 1 && NEARBY < error.to_array()[0] {
                return None;
            }
            if step % LOOK_EVERY == 0 {
                over |= self.look(L::COUNT, error.to_array());
                if over != 0 {
                    self.keep(over, &lanes(&positions), left.position.to_array(), left.rotation.to_array());
                    if steps.is_some() {
                        return None;
                    }
                }
                if (question.is_time_up)() {
                    self.keep(
                        u32::MAX >> (32 - L::COUNT),
                        &lanes(&positions),
                        left.position.to_array(),
                        left.rotation.to_array(),
                    );
                    return Some(End::TimeUp);
                }
                if self.found.is_some() && self.enough <= self.iterations {
                    return Some(End::Found);
                }
                if question.budget <= self.iterations || MOST_REFUSED <= self.refused {
                    return Some(End::GaveUp);
                }
            }
            if steps.is_some_and(|steps| steps <= step) {
                return None;
            }
            let mut columns = kernel.columns(&tip, &trace);
            question.target.measure.weigh(&tip, &mut columns);
            let (way, _) = step::direction(
                &mut columns,
                &left.wanted,
                &positions,
                &question.target.bounds,
                step::damping(error),
            );
            positions = step::go(&positions, &way, &question.target.bounds);
            if over != 0 {
                let mut rows = lanes(&positions);
                self.replace(over, L::COUNT, &mut rows);
                for joint in 0..N {
                    positions[joint] = L::from_array(token, rows[joint]);
                }
            }
        }
    }

    /// Takes what is acceptable of what was found; returns the lanes that are done.
    #[inline(never)]
    fn on_met(
        &mut self,
        met: u32,
        positions: &[[f64; MOST]; N],
        position: [f64; MOST],
        rotation: [f64; MOST],
    ) -> u32 {
        for lane in (0..MOST).filter(|lane| met & (1 << lane) != 0) {
            let positions = positions.map(|row| row[lane]);
            self.accept(&Approach { positions, position: position[lane], rotation: rotation[lane] });
        }
        met
    }

    /// Whether this is the best that was found, and acceptable.
    fn accept(&mut self, approach: &Approach<N>) -> bool {
        let way = self.way_from_seed(&approach.positions);
        if self.found.is_some_and(|found| self.way_from_seed(&found.positions) <= way) {
            return false;
        }
        let known = self.refused.min(REMEMBERED);
        if self.remembered[..known].iter().any(|refused| is_same(refused, &approach.positions)) {
            return false;
        }
        if (self.question.is_acceptable)(&approach.positions) {
            if self.found.is_none() {
                self.enough = self.iterations + self.question.patience;
            }
            self.found = Some(*approach);
            return true;
        }
        self.remembered[self.refused % REMEMBERED] = approach.positions;
        self.refused += 1;
        // The nearest of what was refused is still an answer to whoever wants one.
        self.kept_refused.get_or_insert(*approach);
        false
    }

    /// Squared; joints that turn freely take the short way.
    fn way_from_seed(&self, positions: &[f64; N]) -> f64 {
        let Target { bounds: Bounds { lower, upper }, .. } = &self.question.target;
        let mut sum = 0.0;
        for joint in 0..N {
            let way = positions[joint] - self.question.seed[joint];
            let turns_freely = ENDLESS < upper[joint] - lower[joint];
            let way = if turns_freely { way - TAU * (way / TAU).round() } else { way };
            sum += way * way;
        }
        sum
    }

    /// Looks whether the lanes come on; returns those that do not.
    #[inline(always)]
    fn look(&mut self, count: usize, errors: [f64; MOST]) -> u32 {
        let mut over = 0;
        for (lane, (state, &error)) in self.lanes.iter_mut().zip(&errors).enumerate().take(count) {
            let comes_on = error < COMES_ON * state.error && state.looks < LONGEST;
            *state = Lane { error, looks: state.looks + 1 };
            over |= u32::from(!comes_on) << lane;
        }
        over
    }

    /// Keeps these lanes, if they are among the best.
    #[inline(never)]
    fn keep(
        &mut self,
        which: u32,
        positions: &[[f64; MOST]; N],
        position: [f64; MOST],
        rotation: [f64; MOST],
    ) {
        for lane in (0..MOST).filter(|lane| which & (1 << lane) != 0) {
            let mut here = Approach {
                positions: positions.map(|row| row[lane]),
                position: position[lane],
                rotation: rotation[lane],
            };
            for kept in &mut self.kept {
                if here.error() < kept.error() {
                    std::mem::swap(&mut here, kept);
                }
            }
        }
    }

    /// Lets these lanes start elsewhere.
    #[inline(never)]
    fn replace(&mut self, which: u32, count: usize, positions: &mut [[f64; MOST]; N]) {
        for lane in (0..count).filter(|lane| which & (1 << lane) != 0) {
            let start = self.next_start();
            for (row, value) in positions.iter_mut().zip(start) {
                row[lane] = value;
            }
            self.lanes[lane] = FRESH;
        }
    }

    fn next_start(&mut self) -> [f64; N] {
        let start = self.starts;
        self.starts += 1;
        let Bounds { lower, upper } = &self.question.target.bounds;
        let positions: [f64; N] = match start {
            0 => self.question.seed,
            near if near <= PARTS => *self.table.positions(self.nearest[near - 1].into()),
            _ => {
                let spans = &self.question.spans;
                std::array::from_fn(|joint| spans[joint].from + spans[joint].length * self.random.f64())
            }
        };
        std::array::from_fn(|joint| positions[joint].clamp(lower[joint], upper[joint]))
    }
}

/// The numbers of every joint in each lane.
#[inline(always)]
fn lanes<L: Lanes, const N: usize>(positions: &[L; N]) -> [[f64; MOST]; N] {
    let mut rows = [[0.0; MOST]; N];
    for joint in 0..N {
        rows[joint] = positions[joint].to_array();
    }
    rows
}

/// Whether a search came to the same place twice.
fn is_same<const N: usize>(a: &[f64; N], b: &[f64; N]) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3)
}

/// Where chance begins: the same question has the same answer.
const SEED: u64 = 0x5eed;
