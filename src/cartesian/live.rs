//! Live control: twists, jogs and poses that stream in become smooth motion within the limits of the joints.
//!
//! ```text
//! command ─▶ wanted velocity ─▶ slowed: limits, singularity, collision ─▶ motion ─▶ joint states, tick by tick
//!                                                                          └─▶ the way to a halt, looked at each tick
//! ```
//! Every tick the whole way to a halt is known, free of collisions and singularities as far as they are told. Where a
//! step would have no such way any more, the one that is known is gone instead. A command counts for a moment and is
//! never repeated; without one the tip comes to rest on the line on which it moves. A command that is too fast is
//! scaled as a whole. Arms of fewer than six joints do what they can of a twist, the position first.
//!
//! Knows no clock, no ROS and no geometry: it is told `now` and how near collisions are. Nothing allocates in a step.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod approach;
mod command;
mod inverse;
mod motion;
mod options;
mod slowing;
mod status;
mod window;
mod wishes;

use thiserror::Error;

pub use command::{Command, CommandType, Jog, Refused, Twist, TwistFrame};
pub use options::{Options, Scale, Singularity};
pub use status::Status;
pub use window::Window;

use self::inverse::Measure;
use self::motion::{Arm, Coordinates, Motion, Space, Wanted};
use self::slowing::{Ahead, CLOSEST, Slowed};
use self::wishes::Wishes;
use crate::kinematics::Chain;
use crate::kinematics::ik::{JointSet, MAX_JOINTS};
use crate::trajectory::limits::{JointLimits, LimitsError, RawLimits};
use crate::trajectory::spline::JointState;
use crate::units::Time;

/// How far the arm is from collisions (m); infinite where there is nothing, 0 or less in touch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clearance {
    /// Between parts of the arm.
    pub itself: f64,
    /// Between the arm and everything else.
    pub scene: f64,
}

impl Clearance {
    /// Nothing is near.
    pub const FREE: Self = Self { itself: f64::INFINITY, scene: f64::INFINITY };

    fn distances(&self) -> [f64; 2] {
        [self.itself, self.scene]
    }
}

/// Tells the clearance with the joints at these positions.
pub type Closeness<'a> = dyn FnMut(&[f64]) -> Clearance + 'a;

/// What a step comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Output {
    /// Each joint at the end of the step, in the order of the chain's joints.
    pub states: [JointState; MAX_JOINTS],
    /// Whether the arm is to be told: it moves, or has just come to rest. Otherwise it is nobody's business here.
    pub is_motion: bool,
    /// What is in the way.
    pub status: Status,
    /// Why the last command was refused, if it came since the step before.
    pub refused: Option<Refused>,
    /// Whether the tip is at the pose that is tracked, within the tolerance.
    pub is_reached: bool,
}

/// Why there is no live control for an arm.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum LiveError {
    /// Too many joints, or none.
    #[error("live control takes 1 to {MAX_JOINTS} joints, but the chain has {0}")]
    Joints(usize),
    /// The limits are not those of the joints.
    #[error("live control needs limits for each of {joints} joints, but there are {limits}")]
    LimitsCount {
        /// How many joints the chain has.
        joints: usize,
        /// How many limits there are.
        limits: usize,
    },
    /// The margins leave no travel.
    #[error("joint {joint}: with the margin {margin}, {error}")]
    Margin {
        /// The joint's name.
        joint: String,
        /// Its margin (rad or m).
        margin: f64,
        /// What is wrong.
        error: LimitsError,
    },
    /// A number cannot be used.
    #[error("{name} is {value}; it must be positive and finite")]
    Option {
        /// The option's name.
        name: &'static str,
        /// What it is.
        value: f64,
    },
}

/// Drives one arm by commands that stream in.
#[derive(Clone, Debug)]
pub struct Live {
    arm: Arm,
    options: Options,
    wishes: Wishes,
    motion: Option<Motion>,
    /// Whether the arm was told that it rests.
    has_rested: bool,
    /// The states on the way to a halt, tick by tick.
    plan: Vec<[JointState; MAX_JOINTS]>,
    ahead: Option<Ahead>,
    refused: Option<Refused>,
}

/// A halt takes no longer, in ticks.
const LONGEST_HALT: usize = 512;
/// A joint without a limit takes so long to its greatest speed (s), and so long to its greatest acceleration.
const USUAL_RISE: f64 = 0.25;
const USUAL_JERK_RISE: f64 = 0.1;

impl Live {
    /// Live control of the chain's joints, within these limits.
    pub fn new(chain: &Chain, limits: &[JointLimits], options: Options) -> Result<Self, LiveError> {
        if chain.dof() == 0 || MAX_JOINTS < chain.dof() {
            return Err(LiveError::Joints(chain.dof()));
        }
        if limits.len() != chain.dof() {
            return Err(LiveError::LimitsCount { joints: chain.dof(), limits: limits.len() });
        }
        options.check()?;
        let mut within = Vec::with_capacity(limits.len());
        for (joint, limits) in limits.iter().enumerate() {
            within.push(narrowed(limits, options.margin(joint)).map_err(|error| {
                let (joint, margin) = (chain.joints()[joint].name.clone(), options.margin(joint));
                LiveError::Margin { joint, margin, error }
            })?);
        }
        let (chain, measure) = (chain.clone(), Measure::new(chain));
        let arm = Arm { chain, measure, limits: within, period: options.publish_period };
        Ok(Self {
            wishes: Wishes::new(),
            arm,
            options,
            motion: None,
            has_rested: true,
            plan: Vec::with_capacity(LONGEST_HALT),
            ahead: None,
            refused: None,
        })
    }

    /// How it is set up.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// From now on commands of this type are taken; what is under way comes to rest first.
    pub fn set_command_type(&mut self, kind: CommandType) {
        self.wishes.expect(kind);
    }

    /// The type of the commands that are taken.
    pub fn command_type(&self) -> Option<CommandType> {
        self.wishes.expected()
    }

    /// Pauses or goes on; what is under way comes to rest and is forgotten.
    pub fn set_paused(&mut self, paused: bool) {
        self.wishes.set_paused(paused);
    }

    /// Takes a command that was sent and received at these times; only the newest counts.
    pub fn take(&mut self, command: Command, sent: Time, received: Time) -> Result<(), Refused> {
        let checked = command.check(self.arm.chain.dof());
        let taken = checked.and_then(|()| self.wishes.take(command, sent, received, &self.options));
        taken.inspect_err(|refused| self.refused = Some(*refused))
    }

    /// One period further. `here` is where the arm is led, or stands, in case that the motion begins.
    ///
    /// Without one state for each joint, or with one that is no number, no motion begins.
    pub fn step(&mut self, now: Time, here: &[JointState], closeness: &mut Closeness<'_>) -> Output {
        let refused = self.refused.take();
        self.wishes.forget_stale(now, &self.options);
        self.begin_or_end(here);
        let Some(mut motion) = self.motion else {
            return self.rest(here, refused);
        };
        let (wanted, status) = self.wanted(&motion, now, closeness);
        let mut next = motion;
        next.advance(&self.arm, &wanted);
        let mut status = status;
        match self.look_ahead(&motion, &next, closeness) {
            Ok(ahead) => self.ahead = Some(ahead),
            Err(why) => {
                motion.advance(&self.arm, &Wanted::default());
                next = motion;
                self.plan_halt(&next);
                status = why;
            }
        }
        self.motion = Some(next);
        let rests = next.is_at_rest();
        let is_motion = !(rests && self.has_rested);
        self.has_rested = rests;
        let status = if refused.is_some() { Status::Invalid } else { status };
        let is_reached = self.wishes.is_reached(&self.arm, &next, &self.options);
        Output { states: next.states(), is_motion, status, refused, is_reached }
    }

    /// The states of the ticks after the last step, if no command came any more: the way to a halt.
    pub fn halt(&self) -> &[[JointState; MAX_JOINTS]] {
        &self.plan
    }

    /// Steps that could not be made in time: the arm has gone so far on its way to a halt instead.
    pub fn skip(&mut self, steps: usize) {
        let Some(motion) = self.motion.as_mut() else { return };
        for _ in 0..steps.min(LONGEST_HALT) {
            motion.advance(&self.arm, &Wanted::default());
        }
        self.plan.drain(..steps.min(self.plan.len()));
    }

    /// Begins a motion for a wish, and ends one that rests without any.
    fn begin_or_end(&mut self, here: &[JointState]) {
        let space = self.wishes.space();
        let is_known = here.len() == self.arm.chain.dof()
            && here.iter().all(|state| state.position.is_finite() && state.velocity.is_finite());
        if let Some(motion) = self.motion.as_mut().filter(|motion| motion.is_at_rest() && self.has_rested) {
            let at = motion.positions();
            let is_there = !is_known
                || at
                    .iter()
                    .zip(here)
                    .all(|(at, here)| (at - here.position).abs() <= self.options.resume_tolerance);
            match space {
                Some(space) if is_there && motion.space() != space => motion.change_space(&self.arm, space),
                Some(_) if is_there => {}
                _ => self.motion = None,
            }
        }
        if let Some(space) = space.filter(|_| self.motion.is_none() && is_known) {
            self.motion = Some(Motion::begin(&self.arm, space, here));
            self.ahead = None;
            self.has_rested = true;
        }
    }

    fn rest(&mut self, here: &[JointState], refused: Option<Refused>) -> Output {
        let mut states = [JointState::default(); MAX_JOINTS];
        states.iter_mut().zip(here).for_each(|(state, here)| *state = *here);
        self.plan.clear();
        let status = if refused.is_some() { Status::Invalid } else { Status::NoWarning };
        Output { states, is_motion: false, status, refused, is_reached: false }
    }

    /// What the motion is led to, and what is in the way of what people want.
    fn wanted(&mut self, motion: &Motion, now: Time, closeness: &mut Closeness<'_>) -> (Wanted, Status) {
        let (velocity, change) = self.wishes.velocity(&self.arm, motion, now, &self.options);
        if velocity == Coordinates::zeros() {
            return (Wanted { velocity, change, locked: JointSet::NONE }, Status::NoWarning);
        }
        let ahead = match self.ahead {
            Some(ahead) => ahead,
            None => self.state_at(&motion.positions(), motion.space(), closeness),
        };
        let slowed = slowing::slow(&self.arm, &self.options, motion, &velocity, &ahead, closeness);
        let Slowed { velocity: possible, status, locked } = slowed;
        // What is slowed does not go on as it would have.
        let change = change.filter(|_| possible == velocity);
        (Wanted { velocity: possible, change, locked }, status)
    }

    /// Whether the arm can halt after this step without coming too near to anything; the plan is how.
    fn look_ahead(
        &mut self,
        before: &Motion,
        next: &Motion,
        closeness: &mut Closeness<'_>,
    ) -> Result<Ahead, Status> {
        let end = self.plan_halt(next);
        let space = next.space();
        let now = self.state_at(&before.positions(), space, closeness);
        let mut last = now;
        let ticks = (BETWEEN_CHECKS..self.plan.len()).step_by(BETWEEN_CHECKS).map(Some).chain([None]);
        for tick in ticks {
            let place = match tick {
                Some(tick) => places(&self.plan[tick - 1], self.arm.chain.dof()),
                None => end.positions(),
            };
            last = self.state_at(&place, space, closeness);
            let limit = self.options.singularity.hard_stop_threshold;
            if limit <= last.condition && now.condition * (1.0 + 1e-6) < last.condition {
                return Err(Status::HaltForSingularity);
            }
            let distances = last.clearance.distances().into_iter().zip(now.clearance.distances());
            for ((distance, before), threshold) in distances.zip(self.options.thresholds()) {
                // Stated so that NaN halts, too.
                let is_apart = CLOSEST * threshold <= distance || before - 1e-7 <= distance;
                if !is_apart {
                    return Err(Status::HaltForCollision);
                }
            }
        }
        Ok(last)
    }

    /// Writes down how the arm halts from here; gives where that ends.
    fn plan_halt(&mut self, from: &Motion) -> Motion {
        let mut motion = *from;
        self.plan.clear();
        while !motion.is_at_rest() && self.plan.len() < LONGEST_HALT {
            motion.advance(&self.arm, &Wanted::default());
            self.plan.push(motion.states());
        }
        motion
    }

    fn state_at(&self, place: &[f64], space: Space, closeness: &mut Closeness<'_>) -> Ahead {
        let condition = match space {
            Space::Joints => 1.0,
            Space::Tip => self.arm.measure.at(&self.arm.chain, place),
        };
        Ahead { condition, clearance: closeness(place) }
    }
}

/// The way to a halt is looked at every so many ticks. Between two places that are free a tip that brakes as joints do
/// dips by less than what the closest distance leaves.
const BETWEEN_CHECKS: usize = 3;

fn places(states: &[JointState; MAX_JOINTS], dof: usize) -> crate::kinematics::ik::Positions {
    crate::kinematics::ik::Positions::from_slice(&states.map(|state| state.position)[..dof])
}

/// The limits without the margin, where there is room for it, and with usual rates where there are none.
fn narrowed(limits: &JointLimits, margin: f64) -> Result<JointLimits, LimitsError> {
    let usual = |limit: f64, usual: f64| if limit.is_finite() { limit } else { usual };
    let max_velocity = limits.max_velocity();
    let max_acceleration = usual(limits.max_acceleration(), max_velocity / USUAL_RISE);
    let max_jerk = usual(limits.max_jerk(), max_acceleration / USUAL_JERK_RISE);
    // A travel that is hardly longer than its margins is used to its ends.
    let margin = if 4.0 * margin < limits.upper() - limits.lower() { margin } else { 0.0 };
    let (lower, upper) = (limits.lower() + margin, limits.upper() - margin);
    JointLimits::new(RawLimits { lower, upper, max_velocity, max_acceleration, max_jerk })
}

#[cfg(test)]
#[path = "live/live_tests.rs"]
mod tests;
