//! The travel of a joint that somebody turns by hand: positions over the end of the servo's turn become one line.
//!
//! Told positions and the time; knows no servo.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::time::Duration;

use crate::units::Time;

/// Without an answer for longer than this nobody knows which way round the joint went.
const LONGEST_GAP: Duration = Duration::from_secs(1);

/// Why a sweep says nothing about the travel.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum SweepError {
    /// Nothing was known for too long.
    #[error("the servo did not answer for {secs:.1} s; nobody knows which way the joint went meanwhile")]
    Gap {
        /// How long (s).
        secs: f64,
    },
    /// Two positions that a hand does not get from one to the other.
    #[error(
        "the position jumped from {from} to {to} ticks between two looks: too far to tell which way; turn it more slowly"
    )]
    Jump {
        /// The position before (ticks).
        from: i32,
        /// The position after (ticks).
        to: i32,
    },
}

/// A travel in progress.
#[derive(Clone, Debug)]
pub struct Sweep {
    turn: i32,
    last: Option<(Time, i32)>,
    present: i32,
    lowest: i32,
    highest: i32,
    seams: u32,
}

/// The travel of a joint, in the ticks that the servo counts at present; beyond its turn where the joint goes over the
/// end of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Travel {
    /// The lowest position.
    pub lowest: i32,
    /// The highest position.
    pub highest: i32,
}

impl Travel {
    /// From end to end (ticks).
    pub fn span(self) -> i32 {
        self.highest.saturating_sub(self.lowest)
    }
}

impl Sweep {
    /// Nothing seen yet; `turn` is what the servo counts in one turn (ticks).
    pub fn new(turn: i32) -> Self {
        Self { turn: turn.max(1), last: None, present: 0, lowest: 0, highest: 0, seams: 0 }
    }

    /// The servo said at `at` that it is at `position`.
    ///
    /// # Errors
    /// Where it cannot be told which way it came there; the sweep has to begin again.
    pub fn see(&mut self, at: Time, position: i32) -> Result<(), SweepError> {
        let Some((seen, from)) = self.last else {
            (self.present, self.lowest, self.highest) = (position, position, position);
            self.last = Some((at, position));
            return Ok(());
        };
        let gap = at.saturating_since(seen);
        if LONGEST_GAP < gap {
            return Err(SweepError::Gap { secs: gap.as_secs_f64() });
        }
        let step = self.step(from, position)?;
        self.present = self.present.saturating_add(step);
        self.seams += u32::from(step != position.saturating_sub(from));
        self.lowest = self.lowest.min(self.present);
        self.highest = self.highest.max(self.present);
        self.last = Some((at, position));
        Ok(())
    }

    /// Where it is, in one line with where it was (ticks); `None` before it was seen.
    pub fn present(&self) -> Option<i32> {
        self.last.map(|_| self.present)
    }

    /// How often it went over the end of the servo's turn.
    pub fn seams(&self) -> u32 {
        self.seams
    }

    /// The travel so far; `None` before it was seen.
    pub fn travel(&self) -> Option<Travel> {
        self.last.map(|_| Travel { lowest: self.lowest, highest: self.highest })
    }

    /// The way from one position to the next, over the end of the turn where that is the shorter one.
    fn step(&self, from: i32, to: i32) -> Result<i32, SweepError> {
        let direct = to.saturating_sub(from);
        let step = match direct {
            _ if self.turn / 2 < direct => direct - self.turn,
            _ if direct < -(self.turn / 2) => direct + self.turn,
            _ => direct,
        };
        // Near half a turn both ways are as long, and farther than one turn there is none.
        if 3 * (self.turn / 8) < step.saturating_abs() {
            return Err(SweepError::Jump { from, to });
        }
        Ok(step)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert_eq, proptest};

    use super::*;

    const TURN: i32 = 4096;

    fn at(index: usize) -> Time {
        Time(0) + Duration::from_millis(20) * u32::try_from(index).unwrap()
    }

    fn swept(positions: &[i32]) -> Sweep {
        let mut sweep = Sweep::new(TURN);
        for (index, position) in positions.iter().enumerate() {
            sweep.see(at(index), *position).unwrap();
        }
        sweep
    }

    #[test]
    fn a_travel_within_the_turn_is_its_lowest_and_highest_position() {
        let sweep = swept(&[2000, 1200, 900, 1500, 2500, 3100]);
        assert_eq!(sweep.travel(), Some(Travel { lowest: 900, highest: 3100 }));
        assert_eq!(sweep.seams(), 0);
    }

    #[test]
    fn over_the_end_of_the_turn_the_positions_go_on() {
        let up = swept(&[3500, 4000, 10, 700]);
        assert_eq!(up.travel(), Some(Travel { lowest: 3500, highest: 4796 }));
        let down = swept(&[500, 20, 4000, 3300]);
        assert_eq!(down.travel(), Some(Travel { lowest: -796, highest: 500 }));
        assert_eq!((up.seams(), down.seams()), (1, 1));
        let both = swept(&[100, 4090, 100, 4090]);
        assert_eq!(both.travel(), Some(Travel { lowest: -6, highest: 100 }));
    }

    #[test]
    fn positions_that_a_hand_does_not_get_between_are_refused() {
        let mut sweep = swept(&[1000]);
        assert_eq!(sweep.see(at(1), 3000), Err(SweepError::Jump { from: 1000, to: 3000 }));
        assert!(sweep.see(at(1), i32::MAX).is_err() && sweep.see(at(1), i32::MIN).is_err());
        let late = at(1) + LONGEST_GAP;
        assert!(matches!(sweep.see(late, 1000), Err(SweepError::Gap { .. })));
    }

    #[test]
    fn before_anything_is_seen_there_is_no_travel() {
        assert_eq!((Sweep::new(TURN).travel(), Sweep::new(TURN).present()), (None, None));
    }

    proptest! {
        #[test]
        fn whatever_way_a_joint_goes_its_travel_is_that_of_the_way(
            start in 0..TURN,
            steps in prop::collection::vec(-1500..=1500_i32, 0..200),
        ) {
            let (mut true_position, mut lowest, mut highest) = (start, start, start);
            let mut sweep = Sweep::new(TURN);
            sweep.see(at(0), start).unwrap();
            for (index, step) in steps.iter().enumerate() {
                true_position += step;
                (lowest, highest) = (lowest.min(true_position), highest.max(true_position));
                sweep.see(at(index + 1), true_position.rem_euclid(TURN)).unwrap();
            }
            prop_assert_eq!(sweep.travel(), Some(Travel { lowest, highest }));
            prop_assert_eq!(sweep.present(), Some(true_position));
        }
    }
}
