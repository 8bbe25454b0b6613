//! Goals that wait for their start: one that begins with the next step, and one that begins later.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::collections::VecDeque;

use super::goal::Goal;
use crate::units::Time;

/// The goals, in the order of their starts.
#[derive(Debug)]
pub(super) struct Waiting(VecDeque<Box<Goal>>);

impl Waiting {
    /// None.
    pub(super) fn new() -> Self {
        Self(VecDeque::with_capacity(2))
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A goal whose place the new one takes, one by one. A goal that is due stays where the new one begins later.
    pub(super) fn make_room_for(&mut self, new: &Goal, now: Option<Time>) -> Option<Box<Goal>> {
        let begins_later = now < new.start;
        let stays = self.0.back().is_some_and(|old| begins_later && old.start <= now);
        if stays { None } else { self.0.pop_back() }
    }

    /// Adds a goal for which there is room.
    pub(super) fn push(&mut self, goal: Box<Goal>) {
        self.0.push_back(goal);
    }

    /// A goal whose time has come.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<Box<Goal>> {
        let is_due = self.0.front()?.start.is_none_or(|start| start <= now);
        if is_due { self.0.pop_front() } else { None }
    }

    /// A goal that matches.
    pub(super) fn pop_if(&mut self, matches: impl Fn(&Goal) -> bool) -> Option<Box<Goal>> {
        let index = self.0.iter().position(|goal| matches(goal))?;
        self.0.remove(index)
    }
}
