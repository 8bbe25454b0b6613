//! Which of the positions that a servo tells are to be believed.
//!
//! No joint jumps. A byte of checksum lets one garbled answer in 256 pass, and an answer under a wrong id looks good;
//! so a position that the joint cannot have come to counts only once it is told again and again when asked again. A
//! servo from which two different positions come to one question is believed neither: one of them is somebody else's.

use std::time::Duration;

use crate::units::Time;

/// Where a joint was seen, and when: (time, rad).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sightings {
    /// How far neighbouring positions are apart that the servo can tell (rad).
    tick: f64,
    believed: Option<(Time, f64)>,
    /// Told in answer to an earlier question.
    doubted: Option<(Time, f64)>,
    /// Told in answer to the present question, which may bring more than one answer.
    newly_doubted: Option<(Time, f64)>,
    /// How many questions in a row have confirmed what was doubted.
    confirmed: u32,
    /// What was believed before the present question.
    before: Option<(Time, f64)>,
    /// The latest answer to the present question.
    told: Option<(Time, f64)>,
    /// Whether another answer to it was different.
    is_contradicted: bool,
}

/// An older position says nothing of the present one.
const SIGHT_LASTS: Duration = Duration::from_millis(250);
/// A joint that is pushed may be so much faster than by itself,
const PUSHED: f64 = 2.0;
/// and be so much farther (rad).
const SIGHT_SLACK: f64 = 0.05;
/// Answers to one question agree that are no more ticks apart than this, and what the joint moves meanwhile.
const AGREEMENT_TICKS: f64 = 1.5;
/// A jump, or what comes after a silence, must be confirmed so often; a first position, with which nothing disagrees,
/// once.
const CONFIRMATIONS_OF_A_JUMP: u32 = 4;

impl Sightings {
    /// Nothing of a servo whose positions are so far apart (rad).
    pub(super) fn new(tick: f64) -> Self {
        Self { tick, ..Self::default() }
    }

    /// Another question goes out.
    pub(super) fn ask(&mut self) {
        self.doubted = self.newly_doubted.take().or(self.doubted);
        (self.before, self.told, self.is_contradicted) = (self.believed, None, false);
    }

    /// Whether nothing was told in answer to the present question.
    pub(super) fn has_seen_nothing(&self) -> bool {
        self.told.is_none()
    }

    /// The latest answer may be a neighbour's; whether it is not to be believed for that: nobody's that stands where
    /// it stood is.
    pub(super) fn retract(&mut self) -> bool {
        // A first position was confirmed by another question already.
        let (Some((now, position)), Some((then, before))) = (self.told, self.before) else { return false };
        let is_there = (position - before).abs() <= AGREEMENT_TICKS * self.tick;
        let stood = now.saturating_since(then) <= SIGHT_LASTS / 4 && is_there;
        if !stood {
            (self.believed, self.is_contradicted) = (self.before, true);
        }
        !stood
    }

    /// Whether a position is to be believed. Where it is not, neither is what was told before in answer to the same
    /// question.
    pub(super) fn confirm(&mut self, now: Time, position: f64, max_velocity: f64) -> bool {
        if let Some((then, other)) = self.told.replace((now, position)) {
            let meanwhile = PUSHED * max_velocity * now.saturating_since(then).as_secs_f64();
            let apart = AGREEMENT_TICKS * self.tick + meanwhile;
            self.is_contradicted |= apart < (position - other).abs();
        }
        if self.is_contradicted {
            (self.believed, self.newly_doubted, self.confirmed) = (self.before, None, 0);
            return false;
        }
        let elapsed_since = |(then, _): (Time, f64)| now.saturating_since(then);
        let is_near = |before: (Time, f64)| {
            let reach = SIGHT_SLACK + PUSHED * max_velocity * elapsed_since(before).as_secs_f64();
            elapsed_since(before) <= SIGHT_LASTS && (position - before.1).abs() <= reach
        };
        // After a silence too: who fell silent may be answered for by a neighbour, more than once.
        let enough = if self.believed.is_some() { CONFIRMATIONS_OF_A_JUMP } else { 1 };
        let confirmed = match self.doubted.is_some_and(is_near) {
            true => self.confirmed + u32::from(self.newly_doubted.is_none()),
            false => 0,
        };
        let sighting = Some((now, position));
        let is_believed = self.believed.is_some_and(is_near) || enough <= confirmed;
        *self = if is_believed {
            Self { believed: sighting, doubted: None, newly_doubted: None, confirmed: 0, ..*self }
        } else {
            Self { newly_doubted: sighting, confirmed, ..*self }
        };
        is_believed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CYCLE: Duration = Duration::from_millis(5);
    /// Of 4096 in a turn.
    const TICK: f64 = 0.0015;

    #[test]
    fn a_position_that_no_joint_can_reach_counts_once_it_is_confirmed() {
        let mut sightings = Sightings::new(TICK);
        let mut now = Time(0);
        let mut sees = |position| {
            now = now + CYCLE;
            sightings.ask();
            sightings.confirm(now, position, 5.0)
        };
        assert!(!sees(1.0), "nothing is known before");
        assert!(sees(1.0) && sees(1.02));
        assert!(!sees(2.0) && sees(1.04), "one wrong answer does not count");
        assert!((0..4).all(|_| !sees(2.0)), "nor do a few");
        assert!(sees(2.0) && sees(2.02), "a joint that was put elsewhere is followed");
    }

    #[test]
    fn two_answers_to_one_question_do_not_confirm_each_other() {
        let mut sightings = Sightings { believed: Some((Time(0), 1.0)), ..Sightings::new(TICK) };
        sightings.ask();
        assert!(!sightings.confirm(Time(1), 2.0, 5.0) && !sightings.confirm(Time(2), 2.0, 5.0));
        sightings.ask();
        assert!(sightings.confirm(Time(3), 1.0, 5.0));
    }

    #[test]
    fn of_two_different_answers_to_one_question_none_is_believed() {
        let known = Sightings { believed: Some((Time(0), 1.0)), ..Sightings::new(TICK) };
        // Somebody else's answer may be near enough to be likely, and come first or last.
        for (first, second) in [(1.04, 0.98), (0.98, 1.04), (1.0, 1.1)] {
            let mut sightings = known;
            sightings.ask();
            assert!(sightings.confirm(Time(1), first, 5.0) && !sightings.confirm(Time(2), second, 5.0));
            assert!(!sightings.confirm(Time(3), second, 5.0), "nor is any that follows");
            sightings.ask();
            assert!(sightings.confirm(Time(4), 1.0, 5.0), "what was believed before still is");
        }
        let mut sightings = known;
        sightings.ask();
        assert!(sightings.confirm(Time(1), 1.001, 5.0) && sightings.confirm(Time(2), 1.002, 5.0));
    }

    #[test]
    fn after_a_silence_two_answers_of_somebody_else_are_not_believed() {
        let mut sightings = Sightings::new(TICK);
        let mut now = Time(0);
        let mut sees = |later: Duration, position| {
            now = now + later;
            sightings.ask();
            sightings.confirm(now, position, 5.0)
        };
        assert!(!sees(CYCLE, 1.0) && sees(CYCLE, 1.0));
        let silence = Duration::from_secs(1);
        assert!(!sees(silence, -2.0) && !sees(80 * Duration::from_millis(1), -2.0));
        assert!((0..5).filter(|_| sees(CYCLE, 1.0)).count() == 1, "the servo itself is, soon");
    }

    #[test]
    fn what_a_neighbour_may_have_said_is_taken_back_unless_the_joint_stood_there() {
        let known = Sightings { believed: Some((Time(0), 1.0)), ..Sightings::new(TICK) };
        for (told, is_taken_back) in [(1.05, true), (1.001, false)] {
            let mut sightings = known;
            sightings.ask();
            assert!(sightings.confirm(Time(1), told, 5.0));
            assert_eq!(sightings.retract(), is_taken_back);
            let believed = if is_taken_back { known.believed } else { Some((Time(1), told)) };
            assert_eq!(sightings.believed, believed);
        }
    }

    #[test]
    fn an_old_position_confirms_nothing() {
        let mut sightings = Sightings::new(TICK);
        assert!(!sightings.confirm(Time(0), 1.0, 5.0));
        sightings.ask();
        assert!(!sightings.confirm(Time(0) + Duration::from_secs(1), 1.0, 5.0));
    }
}
