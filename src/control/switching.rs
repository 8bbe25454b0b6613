//! A switch that is being carried out: one step after the other, each reported before the next is asked for.
//!
//! So no joint has two controllers at any time. Where a step fails, a strict switch takes back what was done; of any
//! other the activations that are left are still tried, but nothing after a controller that did not let go.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::collections::VecDeque;

use super::roster::{Plan, Step};

/// A switch on its way.
#[derive(Clone, Debug)]
pub struct Switching {
    ahead: VecDeque<Step>,
    done: Vec<Step>,
    strict: bool,
    taking_back: bool,
    /// What was not done, and why, in sentences.
    troubles: Vec<String>,
    failed: bool,
}

impl Switching {
    /// Begins to carry out a plan.
    pub fn new(plan: Plan, strict: bool) -> Self {
        Self {
            ahead: plan.steps.into(),
            done: Vec::new(),
            strict,
            taking_back: false,
            troubles: plan.left_out.iter().map(ToString::to_string).collect(),
            failed: false,
        }
    }

    /// What is to be done now; `None` where it is over.
    pub fn step(&self) -> Option<Step> {
        self.ahead.front().copied()
    }

    /// The present step was done.
    pub fn succeeded(&mut self) {
        if let Some(step) = self.ahead.pop_front()
            && !self.taking_back
        {
            self.done.push(step);
        }
    }

    /// The present step was not done.
    pub fn failed(&mut self, why: String) {
        let step = self.ahead.pop_front();
        self.troubles.push(why);
        if self.taking_back {
            return;
        }
        if self.strict {
            (self.taking_back, self.failed) = (true, true);
            self.ahead = self.done.drain(..).rev().map(Step::inverse).collect();
        } else if matches!(step, Some(Step::Deactivate(_))) {
            self.failed = true;
            self.ahead.clear();
        } else {
            self.failed = self.ahead.is_empty() && self.done.is_empty();
        }
    }

    /// Whether all went as far as its strictness asks, and what did not.
    pub fn outcome(self) -> (bool, String) {
        (!self.failed, self.troubles.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switching(strict: bool) -> Switching {
        let steps = vec![Step::Deactivate(0), Step::Activate(1), Step::Activate(2)];
        Switching::new(Plan { steps, left_out: Vec::new() }, strict)
    }

    #[test]
    fn steps_come_one_after_the_other() {
        let mut switching = switching(true);
        for step in [Step::Deactivate(0), Step::Activate(1), Step::Activate(2)] {
            assert_eq!(switching.step(), Some(step));
            switching.succeeded();
        }
        assert_eq!(switching.step(), None);
        assert_eq!(switching.outcome(), (true, String::new()));
    }

    #[test]
    fn a_strict_switch_takes_back_what_was_done() {
        let mut switching = switching(true);
        switching.succeeded();
        switching.succeeded();
        switching.failed("2 is stuck".to_owned());
        for step in [Step::Deactivate(1), Step::Activate(0)] {
            assert_eq!(switching.step(), Some(step));
            switching.succeeded();
        }
        assert_eq!(switching.step(), None);
        assert_eq!(switching.outcome(), (false, "2 is stuck".to_owned()));
    }

    #[test]
    fn what_cannot_be_taken_back_is_told_too() {
        let mut switching = switching(true);
        switching.succeeded();
        switching.failed("1 is stuck".to_owned());
        assert_eq!(switching.step(), Some(Step::Activate(0)));
        switching.failed("0 does not come back".to_owned());
        assert_eq!(switching.outcome(), (false, "1 is stuck; 0 does not come back".to_owned()));
    }

    #[test]
    fn with_the_best_effort_one_failure_stops_no_other_activation() {
        let mut switching = switching(false);
        switching.succeeded();
        switching.failed("1 is stuck".to_owned());
        assert_eq!(switching.step(), Some(Step::Activate(2)));
        switching.succeeded();
        assert_eq!(switching.outcome(), (true, "1 is stuck".to_owned()));
    }

    #[test]
    fn nobody_takes_joints_that_were_not_let_go() {
        let mut switching = switching(false);
        switching.failed("0 is stuck".to_owned());
        assert_eq!(switching.step(), None);
        assert_eq!(switching.outcome(), (false, "0 is stuck".to_owned()));
    }
}
