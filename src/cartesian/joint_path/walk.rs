//! The walk itself: from place to place by the solver's tracking, refined until what lies between is met, and the
//! last place that can be reached.
//!
//! Knows no time.

use super::super::path::{METRES_PER_RADIAN, Path, Section};
use super::super::sampled::Sampled;
use super::{JointPath, JointSection, Stop, WalkError, WalkOptions};
use crate::kinematics::JointKind;
use crate::kinematics::ik::{Goal, Positions, Search, Solver, Status, Tolerance, TrackOptions};

/// How exactly the solver is asked to meet a place (m, rad): rates are differences of what it finds.
const SOUGHT: Tolerance = Tolerance { position: 1e-10, rotation: 1e-10 };
/// How exactly a place must be met (m, rad).
const ENOUGH: Tolerance = Tolerance { position: 1e-6, rotation: 1e-5 };
/// How far the tip between two places may be from where it should be (m, rad).
const BETWEEN: Tolerance = Tolerance { position: 5e-7, rotation: 5e-6 };
/// How far a joint may be outside its limits at the start (rad or m); it is moved inwards.
const OUTSIDE: f64 = 1e-6;
/// How far from the path's begin the tip may start (m).
const ELSEWHERE: f64 = 1e-4;
/// Steps of the solver for one place.
const MOST_STEPS: usize = 24;
/// The farthest that a joint goes in one of these steps (rad or m).
const STEP: TrackOptions = TrackOptions { max_step: 0.2 };
/// A joint that has to go farther is near a singularity (rad or m, for each metre and each radian of the tip).
const MOST_PER_METRE: f64 = 60.0;
const MOST_PER_RADIAN: f64 = 15.0;
/// Places in a section at least; and at most, unless more were asked for.
const FEWEST: usize = 16;
const MOST_REFINED: usize = 2_000;
/// How often the way is made shorter until it can be gone.
const MOST_CUTS: usize = 12;
/// More places than that are not asked for in earnest.
const MOST_STEPS_OF_PATH: f64 = 1e5;
/// How exactly the end of what can be reached is found (m).
const END_PRECISION: f64 = 2e-5;
/// A step so small is no sign of a singularity (rad or m).
const SLACK: f64 = 1e-5;
/// MoveIt looks for relative jumps from so many steps on.
const LEAST_STEPS_FOR_RELATIVE: usize = 10;

/// A walk along a path.
pub struct Walk<'a> {
    solver: &'a Solver,
    options: &'a WalkOptions<'a>,
    here: Positions,
}

impl<'a> Walk<'a> {
    /// A walk that begins at the start.
    pub(super) fn new(
        solver: &'a Solver,
        options: &'a WalkOptions<'a>,
        start: &[f64],
        path: &Path,
    ) -> Result<Self, WalkError> {
        check_options(options)?;
        let (expected, actual) = (solver.chain().dof(), start.len());
        if expected != actual {
            return Err(WalkError::StartLength { expected, actual });
        }
        let mut here = Positions::from_slice(start);
        for (position, joint) in here.iter_mut().zip(solver.chain().joints()) {
            let (lower, upper) = travel(joint);
            let is_inside =
                lower - OUTSIDE <= *position && *position <= upper + OUTSIDE && position.is_finite();
            if !is_inside {
                return Err(WalkError::StartOutside { joint: joint.name.clone(), position: *position });
            }
            *position = position.clamp(lower, upper);
        }
        let steps = path.length() / step(options);
        if MOST_STEPS_OF_PATH < steps {
            return Err(WalkError::TooManySteps { steps });
        }
        if let Some(section) = path.sections().first() {
            let begin = section.pose(0.0).translation.vector;
            let distance = (solver.chain().tip_pose(&here).translation.vector - begin).norm();
            let is_here = distance <= ELSEWHERE;
            if !is_here {
                return Err(WalkError::StartElsewhere { distance });
            }
        }
        Ok(Self { solver, options, here })
    }

    /// Along the whole path, or as far as can be.
    pub(super) fn along(mut self, path: &Path) -> Result<JointPath, WalkError> {
        let mut sections = Vec::new();
        let (mut gone, mut stop) = (0.0, (self.options.obstruction)(&self.here).map(Stop::Obstructed));
        for section in path.sections() {
            if stop.is_some() {
                break;
            }
            let (joints, end) = self.along_section(section);
            stop = end;
            if let Some(joints) = joints {
                gone += joints.length();
                self.here = Positions::from_slice(&joints.positions(joints.length()));
                sections.push(joints);
            }
        }
        let fraction = match &stop {
            None => 1.0,
            Some(_) => (gone / path.length().max(f64::MIN_POSITIVE)).min(1.0),
        };
        Ok(JointPath { sections, fraction, stop })
    }

    fn along_section(&self, section: &Section) -> (Option<JointSection>, Option<Stop>) {
        let precision = precision(section);
        let (mut length, mut stop) = self.frontier(section);
        let mut cut = precision;
        for _ in 0..MOST_CUTS {
            if length <= precision || stop == Some(Stop::TimeUp) {
                break;
            }
            match self.refined(section, length) {
                Ok(nodes) => match self.obstruction(&nodes, length).or_else(|| self.jump(&nodes, length)) {
                    // A way that is cut where it jumps is not looked at again: its mean step would be another.
                    Some((place, Stop::Obstructed(near))) => {
                        (length, stop) = (place, Some(Stop::Obstructed(near)))
                    }
                    Some((place, jump)) => {
                        let is_some_way = precision < place;
                        let nodes = is_some_way.then(|| self.refined(section, place).ok()).flatten();
                        let joints = nodes.map(|nodes| JointSection::new(self.solver, place, &nodes));
                        return (joints, Some(jump));
                    }
                    None => return (Some(JointSection::new(self.solver, length, &nodes)), stop),
                },
                // The nearer to a singularity, the rougher.
                Err((place, why)) => (length, stop) = (place.min(length - cut), Some(why)),
            }
            cut *= 2.0;
        }
        let nowhere = Stop::OutOfReach { position_error: 0.0, rotation_error: 0.0 };
        (None, Some(stop.unwrap_or(nowhere)))
    }

    /// How far the joints can follow a section, and why no farther: in steps that are halved until they are nothing.
    fn frontier(&self, section: &Section) -> (f64, Option<Stop>) {
        let length = section.length();
        let whole = length / self.intervals(length) as f64;
        let precision = precision(section);
        let (mut place, mut here) = (0.0, self.here);
        let mut blocked = None;
        let mut count: usize = 0;
        while place < length {
            count += 1;
            if count.is_multiple_of(16) && (self.options.is_time_up)() {
                return (place, Some(Stop::TimeUp));
            }
            let next = match blocked {
                Some(blocked) if precision < blocked - place => 0.5 * (place + blocked),
                Some(blocked) => blocked,
                // No sliver is left over by rounding.
                None if length - place <= whole * (1.0 + 1e-9) => length,
                None => place + whole,
            };
            match self.advance(section, place, next, &here) {
                Ok(there) => {
                    (place, here) = (next, there);
                    blocked = blocked.filter(|&blocked| place < blocked);
                }
                Err(_) if precision < next - place => blocked = Some(next),
                Err(stop) => return (place, Some(stop)),
            }
        }
        (length, None)
    }

    /// One step of a walk, onto positions that are allowed.
    fn advance(&self, section: &Section, from: f64, to: f64, here: &Positions) -> Result<Positions, Stop> {
        let there = self.stride(section, from, to, here)?;
        (self.options.obstruction)(&there).map_or(Ok(there), |near| Err(Stop::Obstructed(near)))
    }

    /// One step of a walk that takes no joint farther than the tool's own step accounts for.
    fn stride(&self, section: &Section, from: f64, to: f64, here: &Positions) -> Result<Positions, Stop> {
        let goal = self.goal(section, to);
        let there = self.step(&goal, here)?;
        let before = section.pose(from);
        let moved = (goal.base_from_tip.translation.vector - before.translation.vector).norm();
        let turned = goal.base_from_tip.rotation.angle_to(&before.rotation);
        let most = MOST_PER_METRE * moved + MOST_PER_RADIAN * turned;
        if most + SLACK < farthest(here, &there).1 {
            // At a limit the others take over, and go far for it.
            return Err(self.kink(here, &there, to - from));
        }
        Ok(there)
    }

    /// Walks the first `length` of a section, in steps that are small enough; or how far that goes, and why.
    fn refined(&self, section: &Section, length: f64) -> Result<Vec<Positions>, (f64, Stop)> {
        let mut intervals = self.intervals(length);
        loop {
            let nodes = self.walk(section, length, intervals)?;
            let Some(rough) = self.roughness(section, length, &nodes) else { return Ok(nodes) };
            let step = length / intervals as f64;
            if MOST_REFINED.max(2 * self.intervals(length)) <= intervals {
                return Err((step * (rough - 1) as f64, self.kink(&nodes[rough - 1], &nodes[rough], step)));
            }
            intervals *= 2;
        }
    }

    /// How many steps the options ask for: the path's parameter counts what is more, metres or radians.
    fn intervals(&self, length: f64) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, and checked before"
        )]
        let wanted = (length / step(self.options)).ceil() as usize;
        wanted.max(FEWEST)
    }

    fn walk(&self, section: &Section, length: f64, intervals: usize) -> Result<Vec<Positions>, (f64, Stop)> {
        let step = length / intervals as f64;
        let place = |index: usize| step * index as f64;
        let mut nodes = Vec::with_capacity(intervals + 1);
        let mut here = self.step(&self.goal(section, 0.0), &self.here).map_err(|stop| (0.0, stop))?;
        nodes.push(here);
        for index in 1..=intervals {
            let reached = place(index - 1);
            if index % 16 == 0 && (self.options.is_time_up)() {
                return Err((reached, Stop::TimeUp));
            }
            here = self.stride(section, reached, place(index), &here).map_err(|stop| (reached, stop))?;
            nodes.push(here);
        }
        Ok(nodes)
    }

    /// The last place before something is in the way.
    fn obstruction(&self, nodes: &[Positions], length: f64) -> Option<(f64, Stop)> {
        let count = nodes.len();
        let step = length / (count - 1) as f64;
        let mut nodes = nodes.iter().enumerate();
        nodes.find_map(|(index, node)| {
            let near = (self.options.obstruction)(node)?;
            let is_last = index + 1 == count;
            let place = if is_last { length - step.min(END_PRECISION) } else { step * (index as f64 - 1.0) };
            Some((place.max(0.0), Stop::Obstructed(near)))
        })
    }

    fn goal(&self, section: &Section, place: f64) -> Goal {
        Goal { base_from_tip: section.pose(place), aim: self.options.aim, tolerance: SOUGHT }
    }

    /// From one place to the next, by what the solver can do from here.
    fn step(&self, goal: &Goal, from: &Positions) -> Result<Positions, Stop> {
        let mut here = *from;
        let (mut position_error, mut rotation_error) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..MOST_STEPS {
            let step = self.solver.track(goal, &here, &STEP);
            let gain = step.position_error + step.rotation_error < 0.5 * (position_error + rotation_error);
            (position_error, rotation_error) = (step.position_error, step.rotation_error);
            here = step.positions;
            if step.is_met {
                return Ok(here);
            }
            // What rounding leaves is good enough.
            let is_enough =
                position_error <= 1e-3 * ENOUGH.position && rotation_error <= 1e-3 * ENOUGH.rotation;
            if !gain && is_enough {
                return Ok(here);
            }
        }
        let is_enough = position_error <= ENOUGH.position && rotation_error <= ENOUGH.rotation;
        if is_enough { Ok(here) } else { Err(self.obstacle(goal, from, &here)) }
    }

    /// Why the solver did not get there.
    fn obstacle(&self, goal: &Goal, from: &Positions, here: &Positions) -> Stop {
        if let Some(stop) = self.at_limit(here) {
            return stop;
        }
        let goal = Goal { tolerance: ENOUGH, ..*goal };
        let search = Search { is_time_up: self.options.is_time_up, ..Search::from(from) };
        let answer = self.solver.solve(&goal, &search);
        if answer.status == Status::Solved {
            let (joint, distance) = farthest(from, &answer.positions);
            return Stop::Branch { joint: self.solver.chain().joints()[joint].name.clone(), distance };
        }
        let (position_error, rotation_error) = (answer.position_error, answer.rotation_error);
        Stop::OutOfReach { position_error, rotation_error }
    }

    /// Why the joints do not move smoothly between two places.
    fn kink(&self, here: &Positions, there: &Positions, step: f64) -> Stop {
        self.at_limit(here)
            .or_else(|| self.at_limit(there))
            .unwrap_or_else(|| self.singularity(here, there, step))
    }

    fn at_limit(&self, positions: &Positions) -> Option<Stop> {
        let joints = self.solver.chain().joints();
        joints.iter().zip(positions.iter()).find_map(|(joint, &position)| {
            let (lower, upper) = travel(joint);
            let is_at_limit = position <= lower || upper <= position;
            is_at_limit.then(|| Stop::JointLimit { joint: joint.name.clone(), position })
        })
    }

    fn singularity(&self, here: &Positions, there: &Positions, step: f64) -> Stop {
        let (joint, distance) = farthest(here, there);
        Stop::Singularity { joint: self.solver.chain().joints()[joint].name.clone(), rate: distance / step }
    }

    /// The first place after which what lies between is not met.
    fn roughness(&self, section: &Section, length: f64, nodes: &[Positions]) -> Option<usize> {
        let joints = self.here.len();
        let step = length / (nodes.len() - 1) as f64;
        let curve = Sampled::new(step, joints, nodes.iter().flat_map(|node| node.iter().copied()).collect());
        let mut at = [[0.0; 4]; crate::kinematics::ik::MAX_JOINTS];
        (1..nodes.len()).find(|&index| {
            let place = step * (index as f64 - 0.5);
            curve.at(place, &mut at);
            let mut between = Positions::zeros(joints);
            between.iter_mut().zip(at).for_each(|(position, [value, ..])| *position = value);
            // Whoever is there already has no step to take.
            let Ok(met) = self.step(&self.goal(section, place), &between) else { return true };
            let (is, should) = (self.solver.chain().tip_pose(&between), self.solver.chain().tip_pose(&met));
            let off = (is.translation.vector - should.translation.vector).norm();
            let is_near =
                off <= BETWEEN.position && is.rotation.angle_to(&should.rotation) <= BETWEEN.rotation;
            !is_near
        })
    }

    /// The last place before the first jump; the thresholds are for steps as long as the options have them.
    fn jump(&self, nodes: &[Positions], length: f64) -> Option<(f64, Stop)> {
        let limits = self.options.jumps;
        if limits.relative + limits.revolute + limits.prismatic <= 0.0 {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and small")]
        let stride = ((self.options.max_step * (nodes.len() - 1) as f64 / length) as usize).max(1);
        let places: Vec<usize> = (0..nodes.len()).step_by(stride).collect();
        let total = |pair: &[usize]| distances(&nodes[pair[0]], &nodes[pair[1]]).sum::<f64>();
        let mean = places.windows(2).map(total).sum::<f64>() / (places.len() - 1).max(1) as f64;
        let is_many = LEAST_STEPS_FOR_RELATIVE <= places.len();
        let relative = if is_many { limits.relative * mean } else { 0.0 };
        let (at, stop) = places.windows(2).find_map(|pair| {
            let (here, there) = (&nodes[pair[0]], &nodes[pair[1]]);
            if 0.0 < relative && relative < total(pair) {
                let (joint, _) = farthest(here, there);
                return Some((pair[0], self.jumped(joint, total(pair), relative)));
            }
            distances(here, there).enumerate().find_map(|(joint, distance)| {
                let slides = self.solver.chain().joints()[joint].kind == JointKind::Prismatic;
                let threshold = if slides { limits.prismatic } else { limits.revolute };
                (0.0 < threshold && threshold < distance)
                    .then(|| (pair[0], self.jumped(joint, distance, threshold)))
            })
        })?;
        Some((length * at as f64 / (nodes.len() - 1) as f64, stop))
    }

    fn jumped(&self, joint: usize, distance: f64, threshold: f64) -> Stop {
        Stop::Jump { joint: self.solver.chain().joints()[joint].name.clone(), distance, threshold }
    }
}

fn check_options(options: &WalkOptions) -> Result<(), WalkError> {
    let WalkOptions { max_step, max_turn, jumps, .. } = *options;
    let is_step = |step: f64| 0.0 < step && step.is_finite();
    if !is_step(max_step) || !is_step(max_turn) {
        return Err(WalkError::Step { max_step, max_turn });
    }
    let thresholds = [jumps.relative, jumps.revolute, jumps.prismatic];
    let is_threshold = |threshold: &f64| 0.0 <= *threshold && threshold.is_finite();
    match thresholds.into_iter().find(|threshold| !is_threshold(threshold)) {
        Some(threshold) => Err(WalkError::JumpLimit(threshold)),
        None => Ok(()),
    }
}

/// How far apart places may be in the path's parameter (m).
fn step(options: &WalkOptions) -> f64 {
    options.max_step.min(METRES_PER_RADIAN * options.max_turn)
}

/// How exactly the end of what can be reached of a section is found (m).
fn precision(section: &Section) -> f64 {
    END_PRECISION.min(1e-2 * section.length())
}

fn travel(joint: &crate::kinematics::Joint) -> (f64, f64) {
    joint.limits.position.map_or((f64::NEG_INFINITY, f64::INFINITY), |range| (range.lower, range.upper))
}

fn distances<'a>(here: &'a Positions, there: &'a Positions) -> impl Iterator<Item = f64> + 'a {
    here.iter().zip(there.iter()).map(|(here, there)| (there - here).abs())
}

/// The joint that goes farthest, and how far.
fn farthest(here: &Positions, there: &Positions) -> (usize, f64) {
    distances(here, there).enumerate().fold((0, 0.0), |most, now| if most.1 < now.1 { now } else { most })
}
