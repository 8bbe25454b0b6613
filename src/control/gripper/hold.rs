//! How a gripper knows that it does not move any more, and how hard it then holds.
//!
//! Servos tell velocities in steps and with noise, so only places count: a joint moves while it comes nearer its goal
//! than it ever was, fast enough. One that shakes at an object does not.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use crate::control::arm::MeasuredJoint;

/// How near a joint has come to its goal, and how long ago.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    nearest: f64,
    /// For so long (s) it has not moved.
    pub(super) secs: f64,
}

impl Progress {
    /// The joint is as near as this (rad or m) now.
    pub(super) fn from(distance: f64) -> Self {
        Self { nearest: distance, secs: 0.0 }
    }

    /// The joint is as near as this after another `secs`; it moves if it nears faster than `threshold`.
    pub(super) fn note(&mut self, distance: f64, secs: f64, threshold: f64) {
        self.secs += secs;
        if threshold * self.secs < self.nearest - distance {
            *self = Self::from(distance);
        }
    }

    /// The joint does what it is told, however slow that is.
    pub(super) fn excuse(&mut self, distance: f64) {
        *self = Self::from(distance.min(self.nearest));
    }
}

/// The reference of a joint that holds an object: so far beyond the joint that its effort is what is wanted.
///
/// How much effort a distance makes depends on the servo, so the distance is found by the effort that is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Squeeze {
    /// Which way the joint pushes: 1 or -1.
    toward: f64,
    /// The reference (rad or m).
    pub(super) target: f64,
    /// Where the goal is; the reference never gets beyond it.
    pub(super) end: f64,
    /// Where the joint met the object (rad or m).
    contact: f64,
    /// The effort to hold with (N m or N); `None` where no effort is known.
    effort: Option<f64>,
    /// Where no effort is known, the reference is so far beyond the joint (rad or m).
    blind_lead: f64,
    /// How fast the reference follows an object that gives way (rad/s or m/s).
    creep: f64,
    /// Farther than this ahead of the joint (rad or m) the reference does not go.
    longest_lead: f64,
    quiet_secs: f64,
}

/// What a joint that grips goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grip {
    /// The effort to hold with (N m or N); `None` where no effort is known.
    pub(super) effort: Option<f64>,
    /// How far beyond the joint the reference is where no effort is known (rad or m).
    pub(super) blind_lead: f64,
    /// How fast the reference follows an object that gives way (rad/s or m/s).
    pub(super) creep: f64,
    /// Farther than this ahead of the joint (rad or m) the reference does not go.
    pub(super) longest_lead: f64,
}

/// With more than this part of the wanted effort the reference is taken back, with less than that it goes on.
const MOST: f64 = 0.97;
const LEAST: f64 = 0.88;
/// A joint that moves with less than this part of it is free.
const FREE: f64 = 0.5;
/// In so many seconds two thirds of what is too far are taken back.
const TAKE_BACK_SECS: f64 = 0.25;
/// A reference that has kept its place for so long (s) is settled.
const SETTLED_SECS: f64 = 0.3;

impl Squeeze {
    /// Holds with what the joint met on its way to `end`; its reference is at `reference` now.
    pub(super) fn new(grip: Grip, measured: &MeasuredJoint, reference: f64, end: f64) -> Self {
        let Grip { effort, blind_lead, creep, longest_lead } = grip;
        let toward = (end - measured.position).signum();
        let (target, contact) = (reference, measured.position);
        Self { toward, target, end, contact, effort, blind_lead, creep, longest_lead, quiet_secs: 0.0 }
            .within(measured.position)
    }

    /// The reference goes on by `secs`, and this was measured.
    pub(super) fn regulate(&mut self, measured: &MeasuredJoint, secs: f64) {
        let before = self.target;
        let lead = ((self.target - measured.position) * self.toward).max(0.0);
        let pushed = measured.effort * self.toward;
        match self.effort {
            Some(wanted) if MOST * wanted < pushed => {
                self.target -= self.toward * lead * (secs / TAKE_BACK_SECS).min(1.0);
            }
            // A servo that does not push although it is told to has no torque; there is nothing to follow.
            Some(wanted) if pushed < LEAST * wanted && lead < self.longest_lead => {
                self.target += self.toward * self.creep * secs
            }
            Some(_) => {}
            None => self.target -= self.toward * (lead - self.blind_lead).max(0.0),
        }
        *self = self.within(measured.position);
        self.quiet_secs = if self.target == before { self.quiet_secs + secs } else { 0.0 };
    }

    /// The same, but what gives way is not followed.
    pub(super) fn that_stays(self) -> Self {
        Self { end: self.target, ..self }
    }

    /// Whether the joint got on by more than `distance`, and without effort.
    pub(super) fn has_given_way(&self, measured: &MeasuredJoint, distance: f64) -> bool {
        let pushed = measured.effort * self.toward;
        distance < (measured.position - self.contact) * self.toward
            && self.effort.is_some_and(|wanted| pushed < FREE * wanted)
    }

    /// Whether the reference keeps its place.
    pub(super) fn is_settled(&self) -> bool {
        SETTLED_SECS < self.quiet_secs
    }

    /// The reference is nowhere but between the joint and the goal.
    fn within(self, position: f64) -> Self {
        let (least, most) = (position.min(self.end), position.max(self.end));
        Self { target: self.target.clamp(least, most), ..self }
    }
}
