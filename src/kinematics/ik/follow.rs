//! One step after a goal that moves: never to another branch, never too far.
//!
//! Knows targets and steps; nothing of searches.

use super::kernel::Kernel;
use super::lanes::Lanes;
use super::step;
use super::target::Target;

/// The most steps of the solver for one step of the joints.
const MOST_STEPS: usize = 2;

/// Joints that go so many times as far as the tip (a radian counts as the arm's unit) are near a singularity.
const NEAR_SINGULAR: f64 = 10.0;

/// Where a step leads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Followed<const N: usize> {
    pub(super) positions: [f64; N],
    /// Squared.
    pub(super) position: f64,
    pub(super) rotation: f64,
    pub(super) is_met: bool,
    /// Whether the step was cut off.
    pub(super) is_bounded: bool,
    pub(super) is_near_singular: bool,
}

/// Goes from `start` towards the target, no joint farther than `max_step`.
#[inline(always)]
pub(super) fn follow<L: Lanes, K: Kernel<N>, const N: usize>(
    token: L::Token,
    kernel: &K,
    target: &Target<N>,
    start: &[f64; N],
    max_step: f64,
) -> Followed<N> {
    let (first, last) = target.frames::<L>(token);
    let mut positions = [L::splat(token, 0.0); N];
    for joint in 0..N {
        positions[joint] = L::splat(token, start[joint]);
    }
    let mut room = max_step;
    let (mut is_bounded, mut is_near_singular) = (false, false);
    let mut steps = 0;
    loop {
        let (tip, trace) = kernel.walk(&first, &last, &positions);
        let left = target.measure.residual(&tip);
        let is_met = L::bits(target.is_met(&left)) != 0;
        if is_met || steps == MOST_STEPS || room <= 0.0 {
            let mut there = *start;
            for joint in 0..N {
                there[joint] = positions[joint].to_array()[0];
            }
            return Followed {
                positions: there,
                position: left.position.to_array()[0],
                rotation: left.rotation.to_array()[0],
                is_met,
                is_bounded: is_bounded && !is_met,
                is_near_singular: is_near_singular && !is_met,
            };
        }
        let mut columns = kernel.columns(&tip, &trace);
        target.measure.weigh(&tip, &mut columns);
        let error = left.position + left.rotation;
        let (way, _) =
            step::direction(&mut columns, &left.wanted, &positions, &target.bounds, step::damping(error));
        let mut farthest: f64 = 0.0;
        for way in &way {
            farthest = farthest.max(way.to_array()[0].abs());
        }
        is_near_singular |= NEAR_SINGULAR * NEAR_SINGULAR * error.to_array()[0] < farthest * farthest;
        let part = if room < farthest { room / farthest } else { 1.0 };
        is_bounded |= room < farthest;
        room -= farthest * part;
        let mut cut = way;
        for joint in 0..N {
            cut[joint] = way[joint] * way[joint].like(part);
        }
        positions = step::go(&positions, &cut, &target.bounds);
        steps += 1;
    }
}
