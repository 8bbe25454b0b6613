//! Uses the freedom that a goal leaves: the joints move, what the goal asks for stays.
//!
//! Knows the [`Solver`], which keeps the goal, and what is wished for besides; decides no goal.
//!
//! A step follows the wish downhill as far as the null space of the goal's rows allows, then the solver
//! takes the small way back to the goal. A step that does not bring the wish nearer is halved.

use nalgebra::{Matrix3, Vector3, Vector6};

use super::{Aim, Goal, JointSet, MAX_JOINTS, Positions, RotationAim, Search, Solver, Status, TrackOptions};
use crate::kinematics::chain::Chain;
use crate::kinematics::conditioning::{Conditioning, Svd};
use crate::kinematics::jacobian::{Expressed, parts, twist};

/// The farthest that a joint goes in one step, in radians or metres.
const LONGEST_STEP: f64 = 0.25;
/// Halvings of a step before it is given up.
const HALVINGS: u32 = 10;
/// Steps of the solver on the way back to the goal; each squares what is left.
const CORRECTIONS: u32 = 5;
/// A direction in which the tip moves by less than this share of its fastest one is free.
const FREE: f64 = 1e-4;

/// What the joints should do with the freedom that a goal leaves.
#[derive(Clone, Copy)]
pub enum Wish<'a> {
    /// Be near these positions; a joint without a finite one has no wish.
    Rest(&'a [f64]),
    /// Be far from the limits.
    FarFromLimits,
    /// Be where this has a high manipulability.
    Manipulability(&'a Conditioning),
}

/// How to go after a wish.
#[derive(Clone, Copy)]
pub struct Settling<'a> {
    /// What for.
    pub wish: Wish<'a>,
    /// Joints that stay where they are.
    pub locked: JointSet,
    /// The most steps, each of which moves no joint by more than 0.25 rad or m towards the wish.
    pub max_steps: u32,
    /// Whether the joints may be there.
    pub is_acceptable: &'a dyn Fn(&[f64]) -> bool,
    /// Asked before each step; the best so far is the answer.
    pub is_time_up: &'a dyn Fn() -> bool,
}

impl<'a> Settling<'a> {
    /// All joints, at most a hundred steps, anywhere.
    pub fn with(wish: Wish<'a>) -> Self {
        Self { wish, locked: JointSet::NONE, max_steps: 100, is_acceptable: &|_| true, is_time_up: &|| false }
    }
}

/// Where the joints settled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settled {
    /// Where they are now, within the limits.
    pub positions: Positions,
    /// Whether the goal is met there; if it was not to begin with, nothing was moved.
    pub is_met: bool,
    /// How far the wish was, in its own measure, and how far it is now; never farther.
    pub before: f64,
    /// The same at the end.
    pub after: f64,
    /// Steps that were taken.
    pub steps: u32,
}

impl Solver {
    /// Moves the joints from `from`, where the goal is met or nearly so, towards a wish, and keeps the goal
    /// within its tolerance. Stays on its branch; does not allocate.
    pub fn settle(&self, goal: &Goal, from: &[f64], settling: &Settling) -> Settled {
        let unmoved = |is_met| {
            let positions = Positions::from_slice(from);
            Settled { positions, is_met, before: 0.0, after: 0.0, steps: 0 }
        };
        if from.len() != self.chain().dof() || !from.iter().all(|position| position.is_finite()) {
            return unmoved(false);
        }
        let Some(start) = self.back_to(goal, Positions::from_slice(from), settling.locked) else {
            return unmoved(false);
        };
        let cost = self.cost(&settling.wish, &start);
        let mut settled = Settled { positions: start, is_met: true, before: cost, after: cost, steps: 0 };
        let mut reach = LONGEST_STEP;
        while settled.steps < settling.max_steps && !(settling.is_time_up)() {
            let Some(used) = self.step_towards(goal, settling, reach, &mut settled) else {
                break;
            };
            reach = (2.0 * used).min(LONGEST_STEP);
            settled.steps += 1;
        }
        settled
    }

    /// Takes from a motion of the joints what would move the tip in a way that the aim asks to keep, and what
    /// would push joints farther at their limits. `base_from_tip` is the goal's. Does not allocate.
    ///
    /// # Panics
    /// Where `positions` or `motion` are not as many as the chain's joints.
    pub fn free_motion(&self, goal: &Goal, positions: &[f64], locked: JointSet, motion: &mut [f64]) {
        let wanted = Positions::from_slice(motion);
        let mut blocked = locked;
        for _ in 0..=self.chain().dof() {
            self.project(goal, positions, blocked, &wanted, motion);
            let pushes = (0..motion.len()).find(|&joint| {
                !blocked.contains(joint) && pushes_outwards(self.chain(), joint, positions, motion)
            });
            let Some(joint) = pushes else {
                break;
            };
            blocked = blocked.with(joint);
        }
    }

    /// Goes downhill once; gives the farthest that a joint went, or nothing where there is no way down.
    fn step_towards(
        &self,
        goal: &Goal,
        settling: &Settling,
        reach: f64,
        settled: &mut Settled,
    ) -> Option<f64> {
        let here = settled.positions;
        let mut motion = Positions::zeros(here.len());
        self.downhill(&settling.wish, &here, &mut motion);
        let slope = motion;
        self.free_motion(goal, &here, settling.locked, &mut motion);
        let descent: f64 = motion.iter().zip(slope.iter()).map(|(motion, slope)| motion * slope).sum();
        let longest = motion.iter().fold(0.0_f64, |longest, by| longest.max(by.abs()));
        if !(0.0 < descent && 0.0 < longest && longest.is_finite()) {
            return None;
        }
        // Towards a rest the motion itself is the way there.
        let whole = if matches!(settling.wish, Wish::Rest(_)) { 1.0 } else { f64::INFINITY };
        let mut share = (reach / longest).min(whole);
        for _ in 0..HALVINGS {
            if let Some(there) = self.moved(goal, settling, &here, &motion, share) {
                let cost = self.cost(&settling.wish, &there);
                let enough = (1e-4 * share * descent).max(1e-9 * settled.after.abs());
                if cost < settled.after - enough {
                    (settled.positions, settled.after) = (there, cost);
                    return Some(share * longest);
                }
            }
            share *= 0.5;
        }
        None
    }

    /// Where a share of the motion leads to, back at the goal.
    fn moved(
        &self,
        goal: &Goal,
        settling: &Settling,
        here: &Positions,
        motion: &Positions,
        share: f64,
    ) -> Option<Positions> {
        let mut beside = *here;
        for (joint, (at, by)) in beside.iter_mut().zip(motion.iter()).enumerate() {
            *at += share * by;
            if let Some(range) = self.chain().joints()[joint].limits.position {
                *at = at.clamp(range.lower, range.upper);
            }
        }
        let there = self.back_to(goal, beside, settling.locked)?;
        (settling.is_acceptable)(&there).then_some(there)
    }

    /// The positions beside these at which the goal is met; none where they are not near.
    fn back_to(&self, goal: &Goal, beside: Positions, locked: JointSet) -> Option<Positions> {
        let is_near = |there: &[f64]| {
            there
                .iter()
                .zip(beside.iter())
                .all(|(there, beside)| (there - beside).abs() <= 2.0 * LONGEST_STEP)
        };
        if locked != JointSet::NONE {
            let answer =
                self.solve(goal, &Search { locked, is_acceptable: &is_near, ..Search::from(&beside) });
            return (answer.status == Status::Solved).then_some(answer.positions);
        }
        let mut there = beside;
        for _ in 0..CORRECTIONS {
            let step = self.track(goal, &there, &TrackOptions { max_step: LONGEST_STEP });
            there = step.positions;
            if step.is_met {
                return is_near(&there).then_some(there);
            }
        }
        None
    }

    /// The motion nearest to the wanted one that keeps the goal and leaves the blocked joints.
    fn project(&self, goal: &Goal, positions: &[f64], blocked: JointSet, wanted: &[f64], motion: &mut [f64]) {
        let dof = self.chain().dof();
        let mut columns = [Vector6::zeros(); MAX_JOINTS];
        self.chain().jacobian(positions, Expressed::Base, &mut columns[..dof]);
        let kept = Kept::by(goal);
        for (joint, column) in columns[..dof].iter_mut().enumerate() {
            *column = if blocked.contains(joint) { Vector6::zeros() } else { kept.of(column) };
        }
        let svd = Svd::of(&columns[..dof]);
        for (joint, (motion, wanted)) in motion.iter_mut().zip(wanted).enumerate() {
            *motion = if blocked.contains(joint) { 0.0 } else { *wanted };
        }
        for (index, value) in svd.values.into_iter().enumerate() {
            if value <= FREE * svd.values[0] {
                continue;
            }
            let along: f64 = (0..dof).map(|joint| svd.right[(joint, index)] * motion[joint]).sum();
            for (joint, motion) in motion.iter_mut().enumerate() {
                *motion -= along * svd.right[(joint, index)];
            }
        }
    }

    /// How far the wish is.
    fn cost(&self, wish: &Wish, positions: &[f64]) -> f64 {
        match wish {
            Wish::Rest(rest) => {
                let ways = (0..positions.len()).map(|joint| self.way_to_rest(rest, positions, joint));
                0.5 * ways.map(|way| way * way).sum::<f64>()
            }
            Wish::FarFromLimits => {
                (0..positions.len()).map(|joint| self.nearness_to_limits(positions, joint).0).sum()
            }
            Wish::Manipulability(conditioning) if conditioning.chain().dof() == positions.len() => {
                -conditioning.at(positions).manipulability
            }
            Wish::Manipulability(_) => 0.0,
        }
    }

    /// The negative derivatives of the cost.
    fn downhill(&self, wish: &Wish, positions: &[f64], motion: &mut [f64]) {
        match wish {
            Wish::Manipulability(conditioning) if conditioning.chain().dof() == positions.len() => {
                conditioning.manipulability_gradient(positions, motion);
            }
            Wish::Manipulability(_) => motion.fill(0.0),
            Wish::Rest(rest) => {
                for (joint, motion) in motion.iter_mut().enumerate() {
                    *motion = self.way_to_rest(rest, positions, joint);
                }
            }
            Wish::FarFromLimits => {
                for (joint, motion) in motion.iter_mut().enumerate() {
                    *motion = -self.nearness_to_limits(positions, joint).1;
                }
            }
        }
    }

    fn way_to_rest(&self, rest: &[f64], positions: &[f64], joint: usize) -> f64 {
        match rest.get(joint) {
            Some(rest) if rest.is_finite() => self.chain().way(joint, positions[joint], *rest),
            _ => 0.0,
        }
    }

    /// Large near a limit, and its derivative.
    fn nearness_to_limits(&self, positions: &[f64], joint: usize) -> (f64, f64) {
        // At a limit it is steep, not infinite.
        const AT_LIMIT: f64 = 0.05;
        let Some(range) = self.chain().joints()[joint].limits.position else {
            return (0.0, 0.0);
        };
        let half = 0.5 * (range.upper - range.lower);
        if half <= 0.0 {
            return (0.0, 0.0);
        }
        let share = ((positions[joint] - range.lower) / half - 1.0).clamp(-1.0, 1.0);
        let left = 1.0 + AT_LIMIT - share * share;
        (1.0 / left, 2.0 * share / (left * left * half))
    }
}

fn pushes_outwards(chain: &Chain, joint: usize, positions: &[f64], motion: &[f64]) -> bool {
    chain.joints()[joint].limits.position.is_some_and(|range| {
        (positions[joint] <= range.lower && motion[joint] < 0.0)
            || (range.upper <= positions[joint] && 0.0 < motion[joint])
    })
}

/// What of the tip's motion a goal asks to keep; applied along the base's axes.
struct Kept {
    linear: Matrix3<f64>,
    angular: Matrix3<f64>,
}

impl Kept {
    fn by(goal: &Goal) -> Self {
        let base_from_goal = goal.base_from_tip.rotation.to_rotation_matrix().into_inner();
        let along = |weights: [f64; 3]| {
            let counts = weights.map(|weight| f64::from(0.0 < weight));
            base_from_goal * Matrix3::from_diagonal(&Vector3::from(counts)) * base_from_goal.transpose()
        };
        let Aim { position, rotation } = goal.aim;
        let angular = match rotation {
            RotationAim::About(weights) => along(weights),
            RotationAim::Axis(axis) => {
                let axis = base_from_goal * axis.into_inner();
                Matrix3::identity() - axis * axis.transpose()
            }
            RotationAim::Free => Matrix3::zeros(),
        };
        Self { linear: along(position), angular }
    }

    fn of(&self, whole: &Vector6<f64>) -> Vector6<f64> {
        let (linear, angular) = parts(whole);
        twist(&(self.linear * linear), &(self.angular * angular))
    }
}
