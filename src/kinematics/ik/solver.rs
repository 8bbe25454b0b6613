//! The solver of one chain: checks what it is asked, and picks the code for the arm and the processor.
//!
//! Knows all parts; computes little itself.

use std::f64::consts::{PI, TAU};
use std::fmt::Debug;
use std::sync::Arc;

use super::MAX_JOINTS;
use super::arm::{Arm, ArmJoint, GENERAL};
use super::follow::{Followed, follow};
use super::goal::{Goal, RotationAim};
use super::hunt::{End, Hunt, Question};
use super::kernel::{Any, Kernel, Turning};
use super::lanes::{Anywhere, Plain};
use super::positions::{JointSet, Positions};
use super::search::{Answer, Flaw, Search, SolverError, Status, Step, TrackOptions};
use super::step::Bounds;
use super::table::{Query, Span, Table};
use super::target::Target;
use crate::kinematics::chain::Chain;

/// Solves the inverse kinematics of one chain.
#[derive(Clone, Debug)]
pub struct Solver {
    chain: Chain,
    arm: Arm,
    engine: Arc<dyn Engine>,
}

impl Solver {
    /// Prepares a solver; the chain has at most [`MAX_JOINTS`] joints.
    pub fn new(chain: &Chain) -> Result<Self, SolverError> {
        if chain.dof() > MAX_JOINTS {
            return Err(SolverError::TooManyJoints(chain.dof()));
        }
        let arm = Arm::new(chain);
        let engine = engine(&arm, Processor::new());
        Ok(Self { chain: chain.clone(), arm, engine })
    }

    /// The chain that it solves.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Positions that meet the goal, or the nearest that were found; does not allocate.
    pub fn solve(&self, goal: &Goal, search: &Search) -> Answer {
        match flaw(goal).or_else(|| self.flaw_of_seed(search.seed)) {
            Some(flaw) => self.invalid(flaw, search.seed),
            None => self.engine.solve(&self.arm, goal, search),
        }
    }

    /// One step from `from` towards a goal nearby, never onto another branch; does not allocate.
    pub fn track(&self, goal: &Goal, from: &[f64], options: &TrackOptions) -> Step {
        match flaw(goal).or_else(|| self.flaw_of_seed(from)) {
            Some(flaw) => {
                let Answer { positions, position_error, rotation_error, .. } = self.invalid(flaw, from);
                Step {
                    positions,
                    position_error,
                    rotation_error,
                    is_met: false,
                    at_limit: false,
                    is_bounded: false,
                    is_near_singular: false,
                    flaw: Some(flaw),
                }
            }
            None => self.engine.track(&self.arm, goal, from, options),
        }
    }

    fn flaw_of_seed(&self, seed: &[f64]) -> Option<Flaw> {
        if seed.len() != self.chain.dof() {
            return Some(Flaw::SeedLength);
        }
        (!seed.iter().all(|value| value.is_finite())).then_some(Flaw::Seed)
    }

    fn invalid(&self, flaw: Flaw, seed: &[f64]) -> Answer {
        let mut positions = Positions::zeros(self.chain.dof());
        for (index, (position, joint)) in positions.iter_mut().zip(&self.arm.joints).enumerate() {
            let wish = seed.get(index).copied().filter(|value| value.is_finite()).unwrap_or(0.0);
            *position = joint.range.map_or(wish, |range| wish.clamp(range.lower, range.upper));
        }
        Answer {
            status: Status::Invalid(flaw),
            positions,
            position_error: f64::INFINITY,
            rotation_error: f64::INFINITY,
            iterations: 0,
        }
    }
}

/// What is wrong with a goal.
fn flaw(goal: &Goal) -> Option<Flaw> {
    let Goal { base_from_tip, aim, tolerance } = goal;
    let turn = base_from_tip.rotation.coords;
    let shift = base_from_tip.translation.vector;
    let axis_is_fine = match aim.rotation {
        RotationAim::Axis(axis) => (axis.norm() - 1.0).abs() < 1e-6,
        RotationAim::About(_) | RotationAim::Free => true,
    };
    // Stated positively, so that NaN fails them.
    let pose_is_fine = (turn.norm() - 1.0).abs() < 1e-6 && shift.iter().all(|value| value.abs() < FARTHEST);
    let weighs = |weight: &f64| (0.0..=HEAVIEST).contains(weight);
    let turn_weights = match aim.rotation {
        RotationAim::About(weights) => weights,
        RotationAim::Axis(_) | RotationAim::Free => [0.0; 3],
    };
    let weights_are_fine = aim.position.iter().chain(&turn_weights).all(weighs)
        && 0.0 <= tolerance.position
        && 0.0 <= tolerance.rotation;
    match (pose_is_fine && axis_is_fine, weights_are_fine) {
        (false, _) => Some(Flaw::Goal),
        (true, false) => Some(Flaw::Weights),
        (true, true) => None,
    }
}

/// The part of a solver that is made for one number of joints.
trait Engine: Send + Sync + Debug {
    fn solve(&self, arm: &Arm, goal: &Goal, search: &Search) -> Answer;

    fn track(&self, arm: &Arm, goal: &Goal, from: &[f64], options: &TrackOptions) -> Step;
}

fn engine(arm: &Arm, processor: Processor) -> Arc<dyn Engine> {
    if !arm.is_plain() {
        return Machine::<Any, GENERAL>::prepare(arm, processor);
    }
    match arm.joints.len() {
        1 => Machine::<Turning<1>, 1>::prepare(arm, processor),
        2 => Machine::<Turning<2>, 2>::prepare(arm, processor),
        3 => Machine::<Turning<3>, 3>::prepare(arm, processor),
        4 => Machine::<Turning<4>, 4>::prepare(arm, processor),
        5 => Machine::<Turning<5>, 5>::prepare(arm, processor),
        6 => Machine::<Turning<6>, 6>::prepare(arm, processor),
        7 => Machine::<Turning<7>, 7>::prepare(arm, processor),
        _ => Machine::<Turning<8>, 8>::prepare(arm, processor),
    }
}

/// An engine for `N` joints.
#[derive(Debug)]
struct Machine<K, const N: usize> {
    kernel: K,
    table: Table<N>,
    bounds: Bounds<N>,
    spans: [Span; N],
    processor: Processor,
}

/// What the processor can do.
#[derive(Clone, Copy, Debug)]
enum Processor {
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    Any,
}

impl Processor {
    fn new() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(token) = pulp::x86::V3::try_new() {
            return Self::Avx2(token);
        }
        Self::Any
    }
}

impl<K: Kernel<N> + Debug + 'static, const N: usize> Machine<K, N> {
    fn prepare(arm: &Arm, processor: Processor) -> Arc<dyn Engine> {
        let kernel = K::new(arm);
        let (mut lower, mut upper) = ([0.0; N], [0.0; N]);
        let mut spans = [Span { from: 0.0, length: 0.0 }; N];
        for (index, joint) in arm.joints.iter().enumerate() {
            (lower[index], upper[index]) = bounds(joint);
            spans[index] = span(joint);
        }
        let table = Table::new(arm, &kernel, &spans);
        Arc::new(Self { kernel, table, bounds: Bounds { lower, upper }, spans, processor })
    }

    fn run(&self, hunt: &mut Hunt<N>) -> End {
        match self.processor {
            #[cfg(target_arch = "x86_64")]
            Processor::Avx2(token) => token.vectorize(Run { kernel: &self.kernel, hunt, token }),
            Processor::Any => hunt.run::<Plain, Plain, K>(Anywhere, &self.kernel),
        }
    }

    fn start(&self, arm: &Arm, seed: &[f64]) -> [f64; N] {
        let mut start = [0.0; N];
        for (index, (&value, joint)) in seed.iter().zip(&arm.joints).enumerate() {
            let value = if joint.turns_freely { value - TAU * (value / TAU).round() } else { value };
            start[index] = value.clamp(self.bounds.lower[index], self.bounds.upper[index]);
        }
        start
    }
}

/// A search, to be compiled for AVX2.
#[cfg(target_arch = "x86_64")]
struct Run<'a, 'b, K, const N: usize> {
    kernel: &'a K,
    hunt: &'a mut Hunt<'b, N>,
    token: pulp::x86::V3,
}

#[cfg(target_arch = "x86_64")]
impl<K: Kernel<N>, const N: usize> pulp::NullaryFnOnce for Run<'_, '_, K, N> {
    type Output = End;

    #[inline(always)]
    fn call(self) -> End {
        self.hunt.run::<super::lanes::Fused, super::lanes::Four, K>(self.token, self.kernel)
    }
}

impl<K: Kernel<N> + Debug + 'static, const N: usize> Engine for Machine<K, N> {
    fn solve(&self, arm: &Arm, goal: &Goal, search: &Search) -> Answer {
        let seed = self.start(arm, search.seed);
        let mut bounds = self.bounds;
        for joint in (0..arm.joints.len()).filter(|&joint| search.locked.contains(joint)) {
            (bounds.lower[joint], bounds.upper[joint]) = (seed[joint], seed[joint]);
        }
        let target = Target::new(arm, goal, bounds);
        let mut scaled_goal = goal.base_from_tip;
        scaled_goal.translation.vector /= arm.unit;
        let question = Question {
            target,
            spans: self.spans,
            seed,
            table_query: Query::new(&scaled_goal, &target.measure, &seed, ways(arm, search)),
            budget: if target.is_out_of_reach { SHORT_BUDGET } else { BUDGET },
            patience: patience(search.stay_near),
            is_acceptable: &|positions| (search.is_acceptable)(&finish(arm, positions, search.seed)),
            is_time_up: search.is_time_up,
        };
        let mut hunt = Hunt::new(&question, &self.table);
        let end = self.run(&mut hunt);
        let (status, approach) = match (end, hunt.found, hunt.kept_refused) {
            (_, Some(found), _) => (Status::Solved, found),
            (End::TimeUp, None, _) => (Status::TimedOut, hunt.kept[0]),
            (_, None, Some(refused)) => (Status::Refused, refused),
            (_, None, None) => (Status::Approximate, hunt.kept[0]),
        };
        Answer {
            status,
            positions: finish(arm, &approach.positions, search.seed),
            position_error: approach.position.sqrt() * arm.unit,
            rotation_error: target.measure.angle(approach.rotation),
            iterations: hunt.iterations,
        }
    }

    fn track(&self, arm: &Arm, goal: &Goal, from: &[f64], options: &TrackOptions) -> Step {
        let mut bounds = self.bounds;
        let mut start = [0.0; N];
        let mut turns = [0.0; N];
        for (index, (&value, joint)) in from.iter().zip(&arm.joints).enumerate() {
            if let Some(range) = joint.range {
                (bounds.lower[index], bounds.upper[index]) = (range.lower, range.upper);
            } else if MANY_TURNS < 2.0 * value.abs() {
                turns[index] = TAU * (value / TAU).round();
            }
            start[index] = (value - turns[index]).clamp(bounds.lower[index], bounds.upper[index]);
        }
        let target = Target::new(arm, goal, bounds);
        let max_step = if options.max_step > 0.0 { options.max_step } else { 0.0 };
        let followed = match self.processor {
            #[cfg(target_arch = "x86_64")]
            Processor::Avx2(token) => token.vectorize(StepOn {
                kernel: &self.kernel,
                target: &target,
                start: &start,
                max_step,
                token,
            }),
            Processor::Any => follow::<Plain, K, N>(Anywhere, &self.kernel, &target, &start, max_step),
        };
        let mut positions = Positions::zeros(arm.joints.len());
        let mut at_limit = false;
        for (index, position) in positions.iter_mut().enumerate() {
            let there = followed.positions[index];
            *position = there + turns[index];
            at_limit |= arm.joints[index].range.is_some()
                && (there <= bounds.lower[index] || bounds.upper[index] <= there);
        }
        Step {
            positions,
            position_error: followed.position.sqrt() * arm.unit,
            rotation_error: target.measure.angle(followed.rotation),
            is_met: followed.is_met,
            at_limit,
            is_bounded: followed.is_bounded,
            is_near_singular: followed.is_near_singular,
            flaw: None,
        }
    }
}

/// A step, to be compiled for AVX2.
#[cfg(target_arch = "x86_64")]
struct StepOn<'a, K, const N: usize> {
    kernel: &'a K,
    target: &'a Target<N>,
    start: &'a [f64; N],
    max_step: f64,
    token: pulp::x86::V3,
}

#[cfg(target_arch = "x86_64")]
impl<K: Kernel<N>, const N: usize> pulp::NullaryFnOnce for StepOn<'_, K, N> {
    type Output = Followed<N>;

    #[inline(always)]
    fn call(self) -> Followed<N> {
        follow::<super::lanes::Fused, K, N>(self.token, self.kernel, self.target, self.start, self.max_step)
    }
}

/// Positions of the arm's own joints, those that turn freely as near to the seed as their ranges allow.
fn finish<const N: usize>(arm: &Arm, positions: &[f64; N], seed: &[f64]) -> Positions {
    let mut end = Positions::zeros(arm.joints.len());
    for (index, (end, joint)) in end.iter_mut().zip(&arm.joints).enumerate() {
        *end = positions[index];
        if !joint.turns_freely {
            continue;
        }
        *end += TAU * ((seed[index] - *end) / TAU).round();
        if let Some(range) = joint.range {
            *end += TAU * ((range.lower - *end) / TAU).ceil().max(0.0);
            *end -= TAU * ((*end - range.upper) / TAU).ceil().max(0.0);
            *end = end.clamp(range.lower, range.upper);
        }
    }
    end
}

fn bounds(joint: &ArmJoint) -> (f64, f64) {
    match joint.range {
        Some(range) if !joint.turns_freely => (range.lower, range.upper),
        _ => (-MANY_TURNS, MANY_TURNS),
    }
}

fn span(joint: &ArmJoint) -> Span {
    match joint.range {
        Some(range) if !joint.turns_freely => Span { from: range.lower, length: range.upper - range.lower },
        _ => Span { from: -PI, length: TAU },
    }
}

/// A joint that turns freely gets nowhere near this, in radians.
const MANY_TURNS: f64 = 1e4;

/// A goal farther away, in metres, is a mistake, and its squares would overflow.
const FARTHEST: f64 = 1e9;

/// The same for weights.
const HEAVIEST: f64 = 1e6;

/// Steps after which a goal is out of reach: hundreds of starts, of which one would have arrived.
const BUDGET: u32 = 1200;

/// Steps to find the nearest approach to a goal that is surely out of reach.
const SHORT_BUDGET: u32 = 80;

/// What a squared way of a joint counts in the distance of a table's pose, where the search is to stay near.
const NEARNESS: f64 = 0.1;

/// The same for a joint that cannot go there.
const LOCKED: f64 = 1.0;

/// How much the ways of the joints count, where any does.
fn ways<const N: usize>(arm: &Arm, search: &Search) -> Option<[f64; N]> {
    let nearness = if search.stay_near > 0.0 { NEARNESS * search.stay_near.min(1.0) } else { 0.0 };
    if nearness == 0.0 && search.locked == JointSet::NONE {
        return None;
    }
    let mut ways = [0.0; N];
    for (index, joint) in arm.joints.iter().enumerate() {
        let counts = if search.locked.contains(index) { LOCKED } else { nearness };
        // As in the kernel, a length counts in units.
        ways[index] = if joint.slides { counts / (arm.unit * arm.unit) } else { counts };
    }
    Some(ways)
}

/// Steps for which a search goes on for something nearer to the seed.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
fn patience(stay_near: f64) -> u32 {
    if stay_near > 0.0 { 8 + (56.0 * stay_near.min(1.0)) as u32 } else { 0 }
}

#[cfg(test)]
#[path = "solver_tests.rs"]
mod tests;
