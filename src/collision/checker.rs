//! Checks of one arm: how near things are to each other with the joints at given positions.
//!
//! Knows a [`CollisionModel`] as it was when the checker was made. Allocates nothing after that.
//!
//! A check places all shapes, bounds the distance of each pair from below by balls, measures the pair with the
//! least bound, then those whose bounds are below what was found. The same positions give the same bits.

use std::cell::Cell;
use std::sync::Arc;

use nalgebra::{Isometry3, Point3, Unit, Vector3};
use parry3d_f64::math::Pose;
use parry3d_f64::query::gjk::VoronoiSimplex;

use super::allowed::{Allowed, ordered};
use super::distance;
use super::error::CollisionError;
use super::model::CollisionModel;
use super::scene::{Pair, Part, Scene, from_parry, place};
use super::skeleton::Skeleton;
use crate::kinematics::{Chain, Joint};

/// How near the nearest pair is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clearance<'a> {
    /// Metres. Zero or less is touching, and then about how deep. Infinite where nothing can touch; minus infinity for
    /// positions that are too many, too few or not finite.
    pub distance: f64,
    /// The pair; none where the distance is infinite.
    pub nearest: Option<Nearest<'a>>,
}

/// The nearest pair, and where it is so; in the chain's base frame, or the root's for all joints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nearest<'a> {
    /// The names of links, obstacles or objects.
    pub pair: [&'a str; 2],
    /// The nearest points, on the first and on the second (m).
    pub points: [Point3<f64>; 2],
    /// From the first to the second. The first goes clear against it, the second along it.
    pub direction: Unit<Vector3<f64>>,
}

/// How fast a pair comes nearer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Approach<'a> {
    /// The names of links, obstacles or objects.
    pub pair: [&'a str; 2],
    /// Metres; zero or less is touching.
    pub distance: f64,
    /// How fast that shrinks (m/s); negative where the pair departs.
    pub speed: f64,
}

/// How fast two things may come nearer to each other, the slower the nearer they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Damper {
    /// At this distance and below they may not come nearer (m).
    pub margin: f64,
    /// Beyond this distance they may at any speed (m).
    pub slow_within: f64,
    /// How fast they may at that distance; evenly less from there to the margin (m/s).
    pub speed: f64,
}

impl Damper {
    /// The greatest speed (m/s) at which things at this distance (m) may come nearer.
    pub fn allowed_speed(&self, distance: f64) -> f64 {
        if self.slow_within < distance {
            f64::INFINITY
        } else if self.margin < distance {
            self.speed.max(0.0) * (distance - self.margin) / (self.slow_within - self.margin)
        } else {
            0.0
        }
    }
}

/// Says how near things are to each other. Each thread has its own; clones are independent.
pub struct Checker {
    scheme: Arc<Scheme>,
    /// Positions of all joints of the robot, those of the arm too.
    positions: Vec<f64>,
    work: Cell<Option<Box<Work>>>,
}

/// What does not change.
#[derive(Debug)]
struct Scheme {
    skeleton: Arc<Skeleton>,
    parts: Vec<Part>,
    pairs: Vec<Pair>,
    /// For each joint of the arm its place among the robot's.
    joints: Vec<usize>,
    base: usize,
}

/// Memory of a check.
struct Work {
    positions: Vec<f64>,
    root_from_frames: Vec<Isometry3<f64>>,
    placed: Vec<Pose>,
    bounds: Vec<f64>,
    simplex: VoronoiSimplex,
}

impl Checker {
    /// Checks with the joints of `chain`, in their order. The robot's other joints are where they are nearest to zero,
    /// or where [`Checker::set_joint`] puts them.
    ///
    /// # Errors
    /// Where the chain is of another robot.
    pub fn new(model: &CollisionModel, chain: &Chain) -> Result<Self, CollisionError> {
        let names: Vec<&str> = chain.joints().iter().map(|joint| joint.name.as_str()).collect();
        Self::of_joints(model, &names, chain.frames().next())
    }

    /// Checks with the joints of these names, in their order. What is found is told in the frame `base`, or the root's.
    ///
    /// # Errors
    /// Where the robot has no such joint or frame.
    pub fn of_joints(
        model: &CollisionModel,
        joints: &[&str],
        base: Option<&str>,
    ) -> Result<Self, CollisionError> {
        let skeleton = model.skeleton.clone();
        let joints = joints.iter().map(|joint| index_of(&skeleton, joint)).collect::<Result<Vec<_>, _>>()?;
        let base = base.map_or(Ok(0), |base| super::allowed::link(&skeleton, "a chain", base))?;
        let mut parts = model.parts.to_vec();
        let links = parts.len();
        parts.extend(model.objects.values().map(|object| object.part.clone()));
        let objects = model.objects.values().map(|object| object.may_touch.as_slice());
        let may_touch: Vec<&[usize]> = objects.collect();
        let rules = Rules { skeleton: &skeleton, allowed: &model.allowed, may_touch: &may_touch, links };
        let pairs = rules.pairs(&parts, &joints);
        let positions = skeleton.nearest_to_zero();
        let scheme = Arc::new(Scheme { skeleton, parts, pairs, joints, base });
        let work = Cell::new(Some(scheme.work()));
        Ok(Self { scheme, positions, work })
    }

    /// Checks with all joints of the robot that follow no other, in the order of [`Checker::joints`].
    pub fn of_all_joints(model: &CollisionModel) -> Result<Self, CollisionError> {
        let names: Vec<&str> = model.skeleton.tree.joints().iter().map(|joint| joint.name.as_str()).collect();
        Self::of_joints(model, &names, None)
    }

    /// The joints in the order of the positions that a check takes.
    pub fn joints(&self) -> impl ExactSizeIterator<Item = &Joint> {
        let tree = &self.scheme.skeleton.tree;
        self.scheme.joints.iter().map(|&joint| &tree.joints()[joint])
    }

    /// Puts a joint that is not the arm's own (the gripper's, another arm's) at `position` (rad or m) for the checks
    /// that follow.
    ///
    /// # Errors
    /// Where the robot has no such joint. One of the arm's own is where each check puts it.
    pub fn set_joint(&mut self, joint: &str, position: f64) -> Result<(), CollisionError> {
        let joint = index_of(&self.scheme.skeleton, joint)?;
        self.positions[joint] = position;
        Ok(())
    }

    /// How many pairs of shapes are looked at.
    pub fn pairs(&self) -> usize {
        self.scheme.pairs.len()
    }

    /// How near the nearest pair is with the joints at `positions`.
    pub fn clearance(&self, positions: &[f64]) -> Clearance<'_> {
        self.with_work(|work| match self.scheme.place(&self.positions, positions, work) {
            true => self.scheme.nearest(work).map_or(Clearance::INFINITE, |(pair, found)| Clearance {
                distance: found.distance,
                nearest: Some(self.scheme.tell(pair, &found, work)),
            }),
            false => Clearance::UNKNOWN,
        })
    }

    /// Whether the nearest pair is farther apart than `margin` (m); quicker than [`Checker::clearance`].
    pub fn is_clear(&self, positions: &[f64], margin: f64) -> bool {
        // Stated positively, so that NaN fails.
        let is_margin = margin < f64::INFINITY;
        is_margin
            && self.with_work(|work| {
                self.scheme.place(&self.positions, positions, work) && self.scheme.is_clear(margin, work)
            })
    }

    /// How near the nearest pair is, and how that grows with each joint (m/rad or m/m), as long as no other pair
    /// becomes the nearest. Of `gradient` as many are written as there are joints.
    pub fn gradient(&self, positions: &[f64], gradient: &mut [f64]) -> Clearance<'_> {
        gradient.fill(0.0);
        self.with_work(|work| {
            if !self.scheme.place(&self.positions, positions, work) {
                return Clearance::UNKNOWN;
            }
            let Some((pair, found)) = self.scheme.nearest(work) else {
                return Clearance::INFINITE;
            };
            for (slot, joint) in gradient.iter_mut().zip(&self.scheme.joints) {
                *slot = self.scheme.growth(pair, &found, work, |position| f64::from(position == *joint));
            }
            let nearest = Some(self.scheme.tell(pair, &found, work));
            Clearance { distance: found.distance, nearest }
        })
    }

    /// How fast the nearest pair comes nearer while the joints move at `velocities` (rad/s or m/s), in m/s; negative
    /// where it departs, zero where nothing can touch.
    pub fn approach_speed(&self, positions: &[f64], velocities: &[f64]) -> f64 {
        self.with_work(|work| {
            if !self.scheme.place(&self.positions, positions, work) {
                return 0.0;
            }
            let found = self.scheme.nearest(work);
            found.map_or(0.0, |(pair, found)| -self.scheme.growth_at(pair, &found, work, velocities))
        })
    }

    /// Shows each pair that is not farther apart than `within` (m), and how fast it comes nearer while the joints move
    /// at `velocities` (rad/s or m/s). False where the positions are unsound, and nothing is shown.
    pub fn approaches(
        &self,
        positions: &[f64],
        velocities: &[f64],
        within: f64,
        mut show: impl FnMut(Approach<'_>),
    ) -> bool {
        self.with_work(|work| {
            let scheme = &self.scheme;
            if !scheme.place(&self.positions, positions, work) {
                return false;
            }
            for &pair in &scheme.pairs {
                if let Some(found) = scheme.within(pair, within, work) {
                    let speed = -scheme.growth_at(pair, &found, work, velocities);
                    show(Approach { pair: scheme.names(pair), distance: found.distance, speed });
                }
            }
            true
        })
    }

    /// The part of `velocities` (0 to 1) at which no pair comes nearer faster than the damper allows. What departs, or
    /// keeps its distance, is not slowed; unsound positions stop everything.
    pub fn speed_factor(&self, positions: &[f64], velocities: &[f64], damper: &Damper) -> f64 {
        let mut factor: f64 = 1.0;
        let is_sound = self.approaches(positions, velocities, damper.slow_within, |approach| {
            if STILL < approach.speed {
                factor = factor.min(damper.allowed_speed(approach.distance) / approach.speed);
            }
        });
        if is_sound { factor } else { 0.0 }
    }

    /// The work is not there only while a caller's closure asks again; that one gets its own.
    fn with_work<R>(&self, run: impl FnOnce(&mut Work) -> R) -> R {
        let mut work = self.work.take().unwrap_or_else(|| self.scheme.work());
        let result = run(&mut work);
        self.work.set(Some(work));
        result
    }
}

/// Slower than this comes of rounding (m/s).
const STILL: f64 = 1e-9;

impl Clone for Checker {
    fn clone(&self) -> Self {
        let work = Cell::new(Some(self.scheme.work()));
        Self { scheme: self.scheme.clone(), positions: self.positions.clone(), work }
    }
}

impl std::fmt::Debug for Checker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let joints: Vec<&str> = self.joints().map(|joint| joint.name.as_str()).collect();
        f.debug_struct("Checker")
            .field("joints", &joints)
            .field("pairs", &self.pairs())
            .finish_non_exhaustive()
    }
}

impl Clearance<'_> {
    const INFINITE: Self = Self { distance: f64::INFINITY, nearest: None };
    const UNKNOWN: Self = Self { distance: f64::NEG_INFINITY, nearest: None };
}

impl Scheme {
    fn work(&self) -> Box<Work> {
        Box::new(Work {
            positions: vec![0.0; self.skeleton.tree.dof()],
            root_from_frames: vec![Isometry3::identity(); self.skeleton.names.len()],
            placed: vec![Pose::identity(); self.parts.len()],
            bounds: vec![0.0; self.pairs.len()],
            simplex: VoronoiSimplex::new(),
        })
    }

    /// Puts all parts where the positions have them; false where those are unsound.
    fn place(&self, others: &[f64], positions: &[f64], work: &mut Work) -> bool {
        if positions.len() != self.joints.len() {
            return false;
        }
        work.positions.copy_from_slice(others);
        for (joint, position) in self.joints.iter().zip(positions) {
            work.positions[*joint] = *position;
        }
        if !work.positions.iter().all(|position| position.is_finite()) {
            return false;
        }
        self.skeleton.tree.poses(&work.positions, &mut work.root_from_frames);
        place(&self.parts, &work.root_from_frames, &mut work.placed)
    }

    fn nearest(&self, work: &mut Work) -> Option<(Pair, distance::Nearest)> {
        let scene = Scene { parts: &self.parts, placed: &work.placed };
        let mut first = 0;
        let mut least = f64::INFINITY;
        for (index, (&pair, bound)) in self.pairs.iter().zip(&mut work.bounds).enumerate() {
            *bound = scene.bound(pair);
            if *bound < least {
                (first, least) = (index, *bound);
            }
        }
        let first_pair = *self.pairs.get(first)?;
        let mut best =
            scene.nearest(first_pair, f64::MAX, &mut work.simplex).map(|found| (first_pair, found));
        for (index, (&pair, &bound)) in self.pairs.iter().zip(&work.bounds).enumerate() {
            let within = best.map_or(f64::MAX, |(_, found)| found.distance);
            if index == first || within.max(0.0) < bound {
                continue;
            }
            let found = scene.nearest(pair, within, &mut work.simplex);
            if let Some(found) = found.filter(|found| found.distance < within) {
                best = Some((pair, found));
            }
        }
        best
    }

    fn is_clear(&self, margin: f64, work: &mut Work) -> bool {
        self.pairs.iter().all(|&pair| self.within(pair, margin, work).is_none())
    }

    fn within(&self, pair: Pair, within: f64, work: &mut Work) -> Option<distance::Nearest> {
        let scene = Scene { parts: &self.parts, placed: &work.placed };
        if within.max(0.0) < scene.bound(pair) {
            return None;
        }
        scene.nearest(pair, within, &mut work.simplex)
    }

    /// How fast the distance grows while the robot's joints move at the speeds that `speed` gives for their numbers.
    fn growth(
        &self,
        (first, second): Pair,
        found: &distance::Nearest,
        work: &Work,
        speed: impl Fn(usize) -> f64,
    ) -> f64 {
        let (first, second) = (self.parts[first].frame, self.parts[second].frame);
        let fork = self.skeleton.fork(first, second);
        let direction = from_parry(found.direction);
        let of = |frame: usize, point: Vector3<f64>| -> f64 {
            let speeds = self.skeleton.motions(frame, fork).map(|motion| {
                direction.dot(&motion.velocity_of(&point, &work.root_from_frames)) * speed(motion.position)
            });
            speeds.sum()
        };
        of(second, from_parry(found.on_second)) - of(first, from_parry(found.on_first))
    }

    fn growth_at(&self, pair: Pair, found: &distance::Nearest, work: &Work, velocities: &[f64]) -> f64 {
        self.growth(pair, found, work, |position| {
            let joint = self.joints.iter().position(|joint| *joint == position);
            joint
                .and_then(|joint| velocities.get(joint))
                .copied()
                .filter(|speed| speed.is_finite())
                .unwrap_or(0.0)
        })
    }

    fn names(&self, (first, second): Pair) -> [&str; 2] {
        [first, second].map(|part| &*self.parts[part].owner)
    }

    fn tell(&self, pair: Pair, found: &distance::Nearest, work: &Work) -> Nearest<'_> {
        let base_from_root = work.root_from_frames[self.base].inverse();
        let points =
            [found.on_first, found.on_second].map(|point| base_from_root * Point3::from(from_parry(point)));
        let direction = Unit::new_unchecked(base_from_root * from_parry(found.direction));
        Nearest { pair: self.names(pair), points, direction }
    }
}

/// Which pairs count.
struct Rules<'a> {
    skeleton: &'a Skeleton,
    allowed: &'a Allowed,
    /// For each object the frames that it may touch.
    may_touch: &'a [&'a [usize]],
    /// How many parts are links'; objects come after them.
    links: usize,
}

impl Rules<'_> {
    /// Those whose distance the arm's joints change, and that are not allowed to touch.
    fn pairs(&self, parts: &[Part], joints: &[usize]) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for first in 0..parts.len() {
            for second in first + 1..parts.len() {
                let (one, two) = (parts[first].frame, parts[second].frame);
                let mut motions = self.skeleton.motions_between(one, two);
                let moves = motions.any(|motion| joints.contains(&motion.position));
                let is_endless = parts[first].solid.is_half_space() && parts[second].solid.is_half_space();
                if moves && !is_endless && !self.may_touch(first, second, one, two) {
                    pairs.push((first, second));
                }
            }
        }
        pairs
    }

    fn may_touch(&self, first: usize, second: usize, one: usize, two: usize) -> bool {
        match (first.checked_sub(self.links), second.checked_sub(self.links)) {
            (None, None) => self.allowed.contains_key(&ordered(one, two)),
            (None, Some(object)) => self.may_touch[object].contains(&one),
            _ => false,
        }
    }
}

fn index_of(skeleton: &Skeleton, joint: &str) -> Result<usize, CollisionError> {
    skeleton.tree.joint_index(joint).ok_or_else(|| CollisionError::NoJoint {
        joint: joint.to_owned(),
        known: skeleton.tree.joints().iter().map(|joint| joint.name.as_str()).collect::<Vec<_>>().join(", "),
    })
}
