//! Several answers to one question, the best first.
//!
//! Knows the [`Solver`], which finds one at a time; here it is asked for others until it finds no more.

use std::f64::consts::TAU;

use super::{Answer, Goal, Positions, Search, Solver, Status};
use crate::kinematics::chain::Chain;
use crate::kinematics::conditioning::Conditioning;

/// More than any arm without redundancy has.
const REMEMBERED: usize = 64;

/// What makes one solution better than another.
#[derive(Clone, Copy)]
pub enum Ranking<'a> {
    /// Being near the search's seed: the root of the squared differences of all joints.
    Nearest,
    /// A high manipulability, as this judges it.
    Manipulability(&'a Conditioning),
    /// A large number of the caller's, such as the distance to what is in the way.
    Clearance(&'a dyn Fn(&[f64]) -> f64),
}

/// How many solutions to look for, and which.
#[derive(Clone, Copy)]
pub struct Variety<'a> {
    /// Two solutions differ where one joint does by more than this, in radians or metres; a joint that is
    /// where it was after a full turn differs by half a turn at most.
    pub apart: f64,
    /// What comes first.
    pub ranking: Ranking<'a>,
    /// How many searches in a row may find nothing new before it is over.
    pub fruitless: u32,
    /// How many searches there may be in all; an arm with more joints than the goal asks for has solutions
    /// without end.
    pub searches: u32,
}

impl<'a> Variety<'a> {
    /// Solutions 0.1 rad or 0.1 m apart, until three searches in a row found nothing new.
    pub fn ranked(ranking: Ranking<'a>) -> Self {
        Self { apart: 0.1, ranking, fruitless: 3, searches: 64 }
    }
}

/// One of several solutions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Solution {
    /// The answer; its status is [`Status::Solved`].
    pub answer: Answer,
    /// What the ranking went by: a distance, a manipulability or a clearance.
    pub score: f64,
}

impl Solver {
    /// Fills `found` with solutions that differ, the best first, and gives how many there are; beyond the
    /// room in `found` the worst are forgotten. Joints that turn without end are near the seed. Does not
    /// allocate; the same question finds the same solutions.
    pub fn solutions(
        &self,
        goal: &Goal,
        search: &Search,
        variety: &Variety,
        found: &mut [Option<Solution>],
    ) -> usize {
        found.fill(None);
        if search.seed.len() != self.chain().dof() || !search.seed.iter().all(|value| value.is_finite()) {
            return 0;
        }
        let mut seen = Seen { positions: [Positions::zeros(0); REMEMBERED], count: 0 };
        let mut fruitless = 0;
        let mut seed = Positions::from_slice(search.seed);
        for index in 1..=variety.searches {
            let is_new = |positions: &[f64]| {
                let differs = |seen: &Positions| differ(self.chain(), seen, positions, variety.apart);
                seen.all().iter().all(differs) && (search.is_acceptable)(positions)
            };
            let answer = self.solve(goal, &Search { seed: &seed, is_acceptable: &is_new, ..*search });
            match answer.status {
                Status::Solved => {
                    seen.add(&answer.positions);
                    insert(found, &self.score(answer, search, variety));
                    fruitless = 0;
                }
                Status::Approximate | Status::Refused => fruitless += 1,
                Status::Invalid(_) | Status::TimedOut => break,
            }
            if variety.fruitless <= fruitless || (search.is_time_up)() {
                break;
            }
            seed = self.next_seed(search, index);
        }
        found.iter().flatten().count()
    }

    fn score(&self, mut answer: Answer, search: &Search, variety: &Variety) -> Candidate {
        unwind(self.chain(), &mut answer.positions, search.seed);
        let squares = answer.positions.iter().zip(search.seed).map(|(at, seed)| (at - seed).powi(2));
        let distance = squares.sum::<f64>().sqrt();
        let (score, badness) = match variety.ranking {
            Ranking::Nearest => (distance, distance),
            Ranking::Manipulability(conditioning) if conditioning.chain().dof() == self.chain().dof() => {
                let manipulability = conditioning.at(&answer.positions).manipulability;
                (manipulability, -manipulability)
            }
            Ranking::Manipulability(_) => (0.0, 0.0),
            Ranking::Clearance(clearance) => {
                let clearance = clearance(&answer.positions);
                (clearance, -clearance)
            }
        };
        Candidate {
            solution: Solution { answer, score },
            badness,
            is_least: matches!(variety.ranking, Ranking::Nearest),
        }
    }

    /// Places all over the joints' ranges; locked joints stay with the first seed.
    fn next_seed(&self, search: &Search, index: u32) -> Positions {
        let mut seed = Positions::from_slice(search.seed);
        let mut dice = fastrand::Rng::with_seed(u64::from(index));
        for (number, (position, joint)) in seed.iter_mut().zip(self.chain().joints()).enumerate() {
            let half = 0.5 * TAU;
            let (lower, upper) =
                joint.limits.position.map_or((-half, half), |range| (range.lower, range.upper));
            let share = dice.f64();
            if !search.locked.contains(number) {
                *position = lower * (1.0 - share) + upper * share;
            }
        }
        seed
    }
}

/// A solution before its place is known.
struct Candidate {
    solution: Solution,
    badness: f64,
    /// Whether the least score is the best.
    is_least: bool,
}

/// Puts it behind those that are not worse; the last falls out where there is no room.
fn insert(found: &mut [Option<Solution>], candidate: &Candidate) {
    let badness = |held: &Solution| if candidate.is_least { held.score } else { -held.score };
    let is_behind =
        |slot: &Option<Solution>| slot.as_ref().is_none_or(|held| candidate.badness < badness(held));
    if let Some(place) = found.iter().position(is_behind) {
        found[place..].rotate_right(1);
        found[place] = Some(candidate.solution);
    }
}

/// What was found, also what fell out: it would be found again. Of very many, the latest.
struct Seen {
    positions: [Positions; REMEMBERED],
    count: usize,
}

impl Seen {
    fn all(&self) -> &[Positions] {
        &self.positions[..self.count.min(REMEMBERED)]
    }

    fn add(&mut self, positions: &Positions) {
        self.positions[self.count % REMEMBERED] = *positions;
        self.count += 1;
    }
}

/// Whether some joint stands elsewhere.
fn differ(chain: &Chain, one: &[f64], other: &[f64], apart: f64) -> bool {
    one.iter().zip(other).enumerate().any(|(joint, (one, other))| {
        let way = one - other;
        let way = if chain.repeats(joint) { way - TAU * (way / TAU).round() } else { way };
        apart < way.abs()
    })
}

/// Takes full turns from joints that may turn them, so that they are as near to `seed` as their ranges allow.
fn unwind(chain: &Chain, positions: &mut [f64], seed: &[f64]) {
    for (joint, (position, seed)) in positions.iter_mut().zip(seed).enumerate() {
        if !chain.repeats(joint) {
            continue;
        }
        let turned = |turns: f64| *position + TAU * turns;
        let wanted = ((seed - *position) / TAU).round();
        *position = match chain.joints()[joint].limits.position {
            None => turned(wanted),
            Some(range) => {
                let most = ((range.upper - *position) / TAU).floor().max(0.0);
                let least = ((range.lower - *position) / TAU).ceil().min(0.0);
                turned(wanted.clamp(least, most))
            }
        };
    }
}
