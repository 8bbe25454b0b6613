//! As near as it gets: descends to a minimum that need not be the goal.
//!
//! Knows targets and steps. Slower than the search's own steps, for it takes back what made matters worse; in return
//! it settles where the goal is out of reach or a limit stands in the way.

use super::hunt::Approach;
use super::kernel::Kernel;
use super::lanes::Lanes;
use super::step;
use super::target::Target;

/// Damping over the error that is left: what bends the ways of the tip counts as much as that is large.
const FIRST_DAMPING: f64 = 1e-2;
const MOST_DAMPING: f64 = 1e6;

const LEAST_DAMPING: f64 = 1e-9;

/// A step that gains a smaller part of the squared error is the last.
const GAINS: f64 = 1e-10;

/// Descends from `start`; returns also the steps that it took, at most `most_steps`.
#[inline(always)]
pub(super) fn approach<L: Lanes, K: Kernel<N>, const N: usize>(
    token: L::Token,
    kernel: &K,
    target: &Target<N>,
    start: &[f64; N],
    most_steps: u32,
) -> (Approach<N>, bool, u32) {
    let (first, last) = target.frames::<L>(token);
    let mut here = [L::splat(token, 0.0); N];
    for joint in 0..N {
        here[joint] = L::splat(token, start[joint]);
    }
    let (mut tip, mut trace) = kernel.walk(&first, &last, &here);
    let mut left = target.measure.residual(&tip);
    let far = 1.0 + (left.position + left.rotation).sqrt().to_array()[0];
    let mut damping = FIRST_DAMPING * far;
    let mut steps = 0;
    while steps < most_steps && damping < MOST_DAMPING * far && L::bits(target.is_met(&left)) == 0 {
        steps += 1;
        let mut columns = kernel.columns(&tip, &trace);
        target.measure.weigh(&tip, &mut columns);
        let damping_everywhere = L::splat(token, damping);
        let (way, _) = step::direction(&mut columns, &left.wanted, &here, &target.bounds, damping_everywhere);
        let there = step::go(&here, &way, &target.bounds);
        let (tip_there, trace_there) = kernel.walk(&first, &last, &there);
        let left_there = target.measure.residual(&tip_there);
        let error = (left.position + left.rotation).to_array()[0];
        let error_there = (left_there.position + left_there.rotation).to_array()[0];
        if error_there < error {
            (here, tip, trace, left) = (there, tip_there, trace_there, left_there);
            damping = (damping * 0.2).max(LEAST_DAMPING);
            if error - error_there < GAINS * error {
                break;
            }
        } else {
            damping *= 8.0;
        }
    }
    let mut positions = *start;
    for joint in 0..N {
        positions[joint] = here[joint].to_array()[0];
    }
    let approach =
        Approach { positions, position: left.position.to_array()[0], rotation: left.rotation.to_array()[0] };
    (approach, L::bits(target.is_met(&left)) != 0, steps)
}
