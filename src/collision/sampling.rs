//! Which links touch always, and which never: many random postures, and a search from the nearest of them.
//!
//! Knows nothing of time and chance: the same robot gives the same answer.

use nalgebra::Isometry3;
use parry3d_f64::math::Pose;
use parry3d_f64::query::gjk::VoronoiSimplex;

use super::allowed::Reason;
use super::scene::{Part, Scene, place};
use super::skeleton::Skeleton;

/// Two links, by their frames, that are judged.
struct Candidate {
    frames: (usize, usize),
    pairs: Vec<(usize, usize)>,
    touched: usize,
    nearest: f64,
    positions: Vec<f64>,
}

/// What is always so in this part of all postures counts as always: as in MoveIt's setup assistant.
const ALWAYS: f64 = 0.95;
/// After so many postures, what has touched at times and at times not is decided.
const TRIAL: usize = 200;
/// What the search brings nearer than this may touch, in a posture that it did not find (m).
const NEVER_WITHIN: f64 = 0.002;
/// Beyond this nothing is measured (m).
const NEAR: f64 = 0.2;
const SEARCHES: usize = 10;

/// For each of `frames`, which are pairs of links, whether their parts touch always or never.
pub(super) fn judge(
    skeleton: &Skeleton,
    parts: &[Part],
    frames: &[(usize, usize)],
    samples: usize,
) -> Vec<((usize, usize), Reason)> {
    let mut sampler = Sampler::new(skeleton, parts);
    let mut chance = fastrand::Rng::with_seed(1);
    let mut candidates: Vec<_> = frames.iter().map(|&frames| Candidate::new(parts, frames)).collect();
    let mut counted = 0;
    for sample in 0..samples {
        if sample == TRIAL {
            candidates.retain(|candidate| candidate.touched == 0 || candidate.touches_always(counted));
        }
        for (position, (lower, upper)) in sampler.positions.iter_mut().zip(skeleton.ranges()) {
            *position = lower + (upper - lower) * chance.f64();
        }
        if sampler.place() {
            counted += 1;
            candidates.iter_mut().for_each(|candidate| sampler.look_at(candidate));
        }
    }
    if counted == 0 {
        return Vec::new();
    }
    let judged = candidates.into_iter().filter_map(|mut candidate| {
        if candidate.touches_always(counted) {
            return Some((candidate.frames, Reason::AlwaysTouch));
        }
        sampler.search(&mut candidate);
        (NEVER_WITHIN < candidate.nearest).then_some((candidate.frames, Reason::NeverTouch))
    });
    judged.collect()
}

impl Candidate {
    fn new(parts: &[Part], frames: (usize, usize)) -> Self {
        let of = |frame: usize| (0..parts.len()).filter(move |&part| parts[part].frame == frame);
        let pairs = of(frames.0).flat_map(|first| of(frames.1).map(move |second| (first, second))).collect();
        Self { frames, pairs, touched: 0, nearest: f64::INFINITY, positions: Vec::new() }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn touches_always(&self, of: usize) -> bool {
        ALWAYS * of as f64 <= self.touched as f64
    }
}

/// A posture, and where it puts the parts.
struct Sampler<'a> {
    skeleton: &'a Skeleton,
    parts: &'a [Part],
    positions: Vec<f64>,
    root_from_frames: Vec<Isometry3<f64>>,
    placed: Vec<Pose>,
    simplex: VoronoiSimplex,
}

impl<'a> Sampler<'a> {
    fn new(skeleton: &'a Skeleton, parts: &'a [Part]) -> Self {
        Self {
            skeleton,
            parts,
            positions: skeleton.nearest_to_zero(),
            root_from_frames: vec![Isometry3::identity(); skeleton.names.len()],
            placed: vec![Pose::identity(); parts.len()],
            simplex: VoronoiSimplex::new(),
        }
    }

    fn place(&mut self) -> bool {
        self.skeleton.tree.poses(&self.positions, &mut self.root_from_frames);
        place(self.parts, &self.root_from_frames, &mut self.placed)
    }

    /// Takes down whether the links touch here, and the posture where it is their nearest.
    fn look_at(&mut self, candidate: &mut Candidate) {
        let within = candidate.nearest.clamp(0.0, NEAR);
        let distance = self.distance(&candidate.pairs, within);
        candidate.touched += usize::from(distance <= 0.0);
        if distance < candidate.nearest {
            candidate.nearest = distance;
            candidate.positions.clone_from(&self.positions);
        }
    }

    /// The distance of the nearest pair; of touching ones any that is not above zero.
    fn distance(&mut self, pairs: &[(usize, usize)], within: f64) -> f64 {
        let scene = Scene { parts: self.parts, placed: &self.placed };
        let mut least = f64::INFINITY;
        for &pair in pairs {
            let within = within.min(least);
            if within.max(0.0) < scene.bound(pair) {
                continue;
            }
            if let Some(nearest) = scene.nearest(pair, within, &mut self.simplex) {
                least = nearest.distance;
            }
            if least <= 0.0 {
                break;
            }
        }
        least
    }

    /// Moves the joints between the links from their nearest posture on, as long as that brings them nearer.
    fn search(&mut self, candidate: &mut Candidate) {
        if candidate.positions.is_empty() {
            return;
        }
        let (first, second) = candidate.frames;
        let mut joints: Vec<usize> =
            self.skeleton.motions_between(first, second).map(|motion| motion.position).collect();
        joints.sort_unstable();
        joints.dedup();
        let mut step = 0.05;
        for _ in 0..SEARCHES {
            let before = candidate.nearest;
            for &joint in &joints {
                let (lower, upper) = self.skeleton.ranges()[joint];
                for by in [-step, step] {
                    self.positions.clone_from(&candidate.positions);
                    self.positions[joint] += by * (upper - lower);
                    self.positions[joint] = self.positions[joint].clamp(lower, upper);
                    if self.place() {
                        self.look_at(candidate);
                    }
                }
            }
            if candidate.nearest <= NEVER_WITHIN {
                return;
            }
            if before <= candidate.nearest {
                step *= 0.5;
            }
        }
    }
}
