//! Who has the handle, and what becomes of it: at the tip, dragged by a client, left somewhere, or gone to.
//!
//! Told the time; knows no ROS.

use std::time::{Duration, Instant};

use nalgebra::Isometry3;

/// What a client does with the handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Still has it.
    KeepAlive,
    /// Has it somewhere else.
    Dragged,
    /// Lets go of it.
    Released,
    /// Chooses that the arm goes there.
    Go,
    /// Chooses that it goes back to the tip.
    Back,
    /// Chooses that the arm stops.
    Stop,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Nothing.
    Nothing,
    /// Every client is told where it is.
    Put,
    /// The arm goes there; [`Handle::arrived`] takes the number.
    Go(u64),
    /// The arm stops.
    Stop,
}

/// The handle.
#[derive(Debug, Default)]
pub(super) struct Handle {
    place: Place,
    /// Where it was put last.
    at: Option<Isometry3<f64>>,
    /// The client that was heard last, and when.
    client: Option<(String, Instant)>,
    turns: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// It goes with the tip.
    #[default]
    Tip,
    /// A client drags it.
    Dragged,
    /// A client has left it somewhere.
    Left,
    /// The arm goes there.
    Target(u64),
}

/// So long after a client was heard others are not; upstream's value.
const EXCLUSIVE: Duration = Duration::from_secs(1);
/// A client that drags and is not heard for so long is gone.
const GONE: Duration = Duration::from_secs(5);
/// The handle does not tremble with the measured tip: it follows what is more than this (m, rad).
const STILL: f64 = 1e-3;
const STILL_ANGLE: f64 = 1e-2;

impl Handle {
    /// Whether it is to be put where the tip is now.
    pub(super) fn follow(&mut self, now: Instant, tip: &Isometry3<f64>) -> bool {
        if self.place == Place::Dragged && !self.heard_within(now, GONE) {
            self.place = Place::Tip;
        }
        let is_still = self.at.is_some_and(|at| {
            let from_tip = at.inv_mul(tip);
            from_tip.translation.vector.norm() < STILL && from_tip.rotation.angle() < STILL_ANGLE
        });
        let follows = self.place == Place::Tip && !is_still;
        if follows {
            self.at = Some(*tip);
        }
        follows
    }

    /// Takes what a client has done, which has the handle at `at`.
    pub(super) fn take(
        &mut self,
        event: Event,
        client: &str,
        at: &Isometry3<f64>,
        now: Instant,
        goes_on_release: bool,
    ) -> Act {
        let is_other = self.client.as_ref().is_some_and(|(last, _)| last != client);
        // Whoever stops the arm may always do so.
        if is_other && self.heard_within(now, EXCLUSIVE) && event != Event::Stop {
            return Act::Nothing;
        }
        self.client = Some((client.to_owned(), now));
        match event {
            Event::KeepAlive => Act::Nothing,
            Event::Dragged => {
                (self.place, self.at) = (Place::Dragged, Some(*at));
                Act::Put
            }
            // Somebody has clicked on it, and no more.
            Event::Released if self.place != Place::Dragged => Act::Nothing,
            Event::Released if !goes_on_release => {
                self.place = Place::Left;
                Act::Nothing
            }
            Event::Released | Event::Go => {
                self.turns += 1;
                (self.place, self.at) = (Place::Target(self.turns), Some(*at));
                Act::Go(self.turns)
            }
            Event::Back => {
                (self.place, self.at) = (Place::Tip, None);
                Act::Nothing
            }
            Event::Stop => {
                (self.place, self.at) = (Place::Tip, None);
                Act::Stop
            }
        }
    }

    /// The arm is where it was to go, or does not go there any more.
    pub(super) fn arrived(&mut self, turn: u64) {
        if self.place == Place::Target(turn) {
            (self.place, self.at) = (Place::Tip, None);
        }
    }

    fn heard_within(&self, now: Instant, time: Duration) -> bool {
        self.client.as_ref().is_some_and(|(_, heard)| now.saturating_duration_since(*heard) < time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f64) -> Isometry3<f64> {
        Isometry3::translation(x, 0.0, 0.0)
    }

    #[test]
    fn it_follows_the_tip_and_does_not_tremble_with_it() {
        let (mut handle, now) = (Handle::default(), Instant::now());
        assert!(handle.follow(now, &at(0.0)));
        assert!(!handle.follow(now, &at(0.0005)));
        assert!(handle.follow(now, &at(0.002)));
    }

    #[test]
    fn what_is_dragged_and_let_go_of_is_gone_to_and_then_follows_the_tip_again() {
        let (mut handle, now) = (Handle::default(), Instant::now());
        handle.follow(now, &at(0.0));
        assert_eq!(handle.take(Event::Dragged, "rviz", &at(0.1), now, true), Act::Put);
        assert!(!handle.follow(now, &at(0.0)));
        assert_eq!(handle.take(Event::Released, "rviz", &at(0.1), now, true), Act::Go(1));
        assert!(!handle.follow(now, &at(0.05)));
        handle.arrived(1);
        assert!(handle.follow(now, &at(0.1)));
    }

    #[test]
    fn a_click_is_no_target_and_where_only_the_menu_counts_it_waits_for_that() {
        let (mut handle, now) = (Handle::default(), Instant::now());
        handle.follow(now, &at(0.0));
        assert_eq!(handle.take(Event::Released, "rviz", &at(0.0), now, true), Act::Nothing);
        assert_eq!(handle.take(Event::Dragged, "rviz", &at(0.1), now, false), Act::Put);
        assert_eq!(handle.take(Event::Released, "rviz", &at(0.1), now, false), Act::Nothing);
        assert!(!handle.follow(now + 10 * GONE, &at(0.0)));
        assert_eq!(handle.take(Event::Go, "rviz", &at(0.1), now, false), Act::Go(1));
        assert_eq!(handle.take(Event::Back, "rviz", &at(0.1), now, false), Act::Nothing);
        assert!(handle.follow(now, &at(0.0)));
    }

    #[test]
    fn one_client_at_a_time_drags_it_and_one_that_is_gone_does_not_keep_it() {
        let (mut handle, now) = (Handle::default(), Instant::now());
        handle.take(Event::Dragged, "one", &at(0.1), now, true);
        assert_eq!(handle.take(Event::Dragged, "two", &at(0.2), now, true), Act::Nothing);
        assert_eq!(handle.take(Event::Stop, "two", &at(0.2), now, true), Act::Stop);
        handle.take(Event::Dragged, "two", &at(0.1), now, true);
        let later = now + EXCLUSIVE;
        assert_eq!(handle.take(Event::Dragged, "one", &at(0.2), later, true), Act::Put);
        assert!(!handle.follow(later, &at(0.0)));
        assert!(handle.follow(later + GONE, &at(0.0)));
    }

    #[test]
    fn a_target_that_was_dragged_on_meanwhile_stays_with_whoever_drags_it() {
        let (mut handle, now) = (Handle::default(), Instant::now());
        handle.take(Event::Dragged, "rviz", &at(0.1), now, true);
        handle.take(Event::Released, "rviz", &at(0.1), now, true);
        handle.take(Event::Dragged, "rviz", &at(0.2), now, true);
        handle.arrived(1);
        assert!(!handle.follow(now, &at(0.1)));
    }
}
