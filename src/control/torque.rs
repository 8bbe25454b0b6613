//! The torque of an arm's servos: how it comes on, whether it is still there, how it goes off; each step read back.
//!
//! ```text
//! switch_on:   least limit ─ on ─ read back each servo ─ raise the limit ─ Confirmed
//! held:        one servo after the other is asked whether it still holds ─ Lost
//! switch_off:  off ─ read back each servo ─ LetGo, or Stuck
//! new limit:   write it ─ read back the joint's servo ─ again, until it is there
//! ```
//! Gives one order a tick and is told what was read back; knows no states of the arm.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::time::Duration;

use crate::units::Time;

/// How a servo stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Standing {
    /// Whether it holds torque.
    pub torque: bool,
    /// Its goal position (rad or m).
    pub goal: f64,
    /// Whether its torque limit, or what else it was told along with that, is not what it was told.
    pub limit_strays: bool,
}

/// An order about torque.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TorqueOrder {
    /// Write every servo's torque limit: this part (0..=1) of its configured one, or its joint's effort limit if that
    /// is less.
    Limit(f64),
    /// Switch every servo's torque on.
    On,
    /// Switch every servo's torque off.
    Off,
    /// Read back this joint's torque and goal; the next step waits for it.
    ReadBack(usize),
    /// The same, if the cycle has time for it.
    Check(usize),
}

impl TorqueOrder {
    /// The joint that is read back, if one is.
    pub fn joint(self) -> Option<usize> {
        match self {
            Self::ReadBack(joint) | Self::Check(joint) => Some(joint),
            Self::Limit(_) | Self::On | Self::Off => None,
        }
    }
}

/// What became clear about torque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TorqueNews {
    /// Every servo holds, at its whole limit.
    Confirmed,
    /// The joint's servo did not take torque or goal.
    Refused(usize),
    /// Every servo let go.
    LetGo,
    /// The joint's servo did not say that it let go.
    Stuck(usize),
    /// The joint's servo let go by itself.
    Lost(usize),
}

/// The torque of all servos of an arm. See the module's picture.
#[derive(Debug)]
pub struct Torque {
    ramp: Duration,
    on: bool,
    step: Step,
    standing: Vec<Standing>,
    /// A joint whose servo did not say that it let go when it was told to.
    stuck: Option<usize>,
    /// A joint whose servo let go by itself since torque came on.
    lost: Option<usize>,
    watch: Watch,
    limits: Vec<NewLimit>,
}

/// A joint's effort limit on its way into the servo.
#[derive(Clone, Copy, Debug, Default)]
struct NewLimit {
    /// It is to be written.
    is_due: bool,
    /// It was changed, and was not read back since.
    is_unconfirmed: bool,
    /// It is less than the one before, and nothing moves until it is there.
    holds_back: bool,
    tries: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    None,
    LowerLimit,
    SwitchOn { confirm_from: usize, tries: u32 },
    ConfirmOn { joint: usize, tries: u32 },
    RaiseLimit { since: Time },
    SwitchOff { confirm_from: usize, tries: u32 },
    ConfirmOff { joint: usize, tries: u32 },
}

/// Who is asked next whether it still holds.
#[derive(Debug, Default)]
struct Watch {
    at: Time,
    joint: usize,
    /// A servo that was silent, or seems to have let go, is asked before its turn.
    suspect: Option<usize>,
    seems_limp: Option<usize>,
}

/// The part of the torque limit with which an arm starts to hold.
pub const LEAST_TORQUE: f64 = 0.2;
/// How often a servo is asked again before it counts as refusing.
const READ_BACK_TRIES: u32 = 20;
/// A servo that already holds keeps its goal when torque is asked for, if it is no farther than this away (rad).
const SAG_ALLOWANCE: f64 = 0.1;
/// How often a servo is asked whether it still holds, one after the other.
const WATCH_PERIOD: Duration = Duration::from_millis(50);

impl Torque {
    /// No torque; the limit will rise within `ramp`.
    pub fn new(joints: usize, ramp: Duration) -> Self {
        let standing = vec![Standing::default(); joints];
        Self {
            ramp,
            on: false,
            step: Step::None,
            standing,
            stuck: None,
            lost: None,
            watch: Watch::default(),
            limits: vec![NewLimit::default(); joints],
        }
    }

    /// Whether the servos hold because they were told to.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Whether a servo may hold: it was told to, or has not said yet that it let go.
    pub fn may_hold(&self) -> bool {
        self.on || self.is_going_off() || self.stuck.is_some()
    }

    /// A joint whose servo let go by itself since torque came on.
    pub fn lost(&self) -> Option<usize> {
        self.lost
    }

    /// Whether nothing is under way, so that it can be switched on.
    pub fn is_settled(&self) -> bool {
        self.step == Step::None
    }

    /// How the servos were found; nothing is under way, and nothing was asked of them.
    pub fn forget(&mut self, standing: Option<&[Standing]>) {
        (self.on, self.lost, self.stuck, self.step) = (false, None, None, Step::None);
        self.limits.fill(NewLimit::default());
        if let Some(standing) = standing {
            self.standing.copy_from_slice(standing);
        }
    }

    /// The same of servos of which nothing is known any more, not even whether they hold.
    pub fn forget_all(&mut self) {
        self.standing.fill(Standing::default());
        self.forget(None);
    }

    /// A joint whose servo did not say that it let go when it was told to.
    pub fn stuck(&self) -> Option<usize> {
        self.stuck
    }

    /// Where a joint that is at `position` is to be held when torque comes on.
    ///
    /// One that sags below the goal it already holds must not be lowered by every start.
    pub fn holding_position(&self, joint: usize, position: f64) -> f64 {
        let Standing { torque, goal, .. } = self.standing[joint];
        if torque && (goal - position).abs() <= SAG_ALLOWANCE { goal } else { position }
    }

    /// Torque is to come on.
    pub fn switch_on(&mut self) {
        self.on = true;
        self.step = Step::LowerLimit;
        self.watch = Watch::default();
        // On the way up every limit is written again and again.
        self.limits.fill(NewLimit::default());
    }

    /// Torque is to go off; `commands` is what each joint was told last.
    pub fn switch_off(&mut self, commands: &[f64]) {
        if self.on {
            // Until a servo says otherwise it holds what it was told last.
            for (standing, command) in self.standing.iter_mut().zip(commands) {
                standing.goal = *command;
            }
        }
        (self.on, self.lost, self.stuck) = (false, None, None);
        self.limits.fill(NewLimit::default());
        self.step = Step::SwitchOff { confirm_from: 0, tries: 0 };
    }

    /// The joint's servo was silent for a while; it may have been without power.
    pub fn suspect(&mut self, joint: usize) {
        self.watch.suspect = Some(joint);
        // Nobody asks one that is not told to hold; where it was to be before means nothing any more.
        self.standing[joint].torque &= self.on;
    }

    /// The effort limit of a joint is another one from now on; `is_lower` than before or not.
    pub fn on_limit_changed(&mut self, joint: usize, is_lower: bool) {
        if self.on {
            let holds_back = is_lower || self.limits[joint].holds_back;
            self.limits[joint] = NewLimit { is_due: true, is_unconfirmed: true, holds_back, tries: 0 };
        }
    }

    /// Whether a joint has to wait until its servo has a lower torque limit.
    pub fn awaits_lower_limit(&self, joint: usize) -> bool {
        self.limits[joint].holds_back
    }

    /// What is left to do for effort limits that changed.
    pub fn next_limit_order(&mut self) -> Option<TorqueOrder> {
        if !self.on || self.step != Step::None {
            return None;
        }
        if self.limits.iter().any(|limit| limit.is_due) {
            self.limits.iter_mut().for_each(|limit| limit.is_due = false);
            return Some(TorqueOrder::Limit(1.0));
        }
        self.limits.iter().position(|limit| limit.is_unconfirmed).map(TorqueOrder::Check)
    }

    /// The order of this tick, and what has become clear with it.
    pub fn next_order(&mut self, now: Time) -> (Option<TorqueOrder>, Option<TorqueNews>) {
        let joints = self.standing.len();
        match self.step {
            Step::None => (self.next_check(now), None),
            Step::LowerLimit => {
                self.step = Step::SwitchOn { confirm_from: 0, tries: 0 };
                (Some(TorqueOrder::Limit(LEAST_TORQUE)), None)
            }
            Step::SwitchOn { confirm_from: joint, tries } => {
                self.step = Step::ConfirmOn { joint, tries };
                (Some(TorqueOrder::On), None)
            }
            Step::SwitchOff { confirm_from: joint, tries } => {
                self.step = Step::ConfirmOff { joint, tries };
                (Some(TorqueOrder::Off), None)
            }
            Step::ConfirmOn { joint, .. } | Step::ConfirmOff { joint, .. } if joint < joints => {
                (Some(TorqueOrder::ReadBack(joint)), None)
            }
            Step::ConfirmOn { .. } => {
                self.step = Step::RaiseLimit { since: now };
                (None, None)
            }
            Step::RaiseLimit { since } => self.raise_limit(now.secs_since(since)),
            Step::ConfirmOff { .. } => {
                self.step = Step::None;
                (None, Some(self.stuck.map_or(TorqueNews::LetGo, TorqueNews::Stuck)))
            }
        }
    }

    /// What a servo said when it was read back, `None` where it was silent; it was told to be at `command`.
    pub fn on_read_back(
        &mut self,
        joint: usize,
        said: Option<Standing>,
        command: f64,
        tolerance: f64,
    ) -> Option<TorqueNews> {
        if let Some(said) = said {
            self.standing[joint] = said;
        }
        match self.step {
            Step::None if self.on => return self.on_check(joint, said),
            Step::ConfirmOn { joint: asked, tries } if asked == joint => {
                let holds = said.is_some_and(|said| said.torque && (said.goal - command).abs() <= tolerance);
                self.step = match tries {
                    _ if holds => Step::ConfirmOn { joint: joint + 1, tries: 0 },
                    READ_BACK_TRIES => return Some(TorqueNews::Refused(joint)),
                    // The order itself may have been lost.
                    _ => Step::SwitchOn { confirm_from: joint, tries: tries + 1 },
                };
            }
            Step::ConfirmOff { joint: asked, tries } if asked == joint => {
                let let_go = said.is_some_and(|said| !said.torque);
                if !let_go && tries < READ_BACK_TRIES {
                    self.step = Step::SwitchOff { confirm_from: joint, tries: tries + 1 };
                    return None;
                }
                if !let_go {
                    self.stuck.get_or_insert(joint);
                }
                self.step = Step::ConfirmOff { joint: joint + 1, tries: 0 };
            }
            _ => {}
        }
        None
    }

    fn is_going_off(&self) -> bool {
        matches!(self.step, Step::SwitchOff { .. } | Step::ConfirmOff { .. })
    }

    fn raise_limit(&mut self, elapsed_secs: f64) -> (Option<TorqueOrder>, Option<TorqueNews>) {
        let ramp = self.ramp.as_secs_f64();
        let done = if ramp <= 0.0 { 1.0 } else { (elapsed_secs / ramp).clamp(0.0, 1.0) };
        let news = (done == 1.0).then_some(TorqueNews::Confirmed);
        if news.is_some() {
            self.step = Step::None;
        }
        (Some(TorqueOrder::Limit(LEAST_TORQUE + (1.0 - LEAST_TORQUE) * done)), news)
    }

    fn next_check(&mut self, now: Time) -> Option<TorqueOrder> {
        let watch = &mut self.watch;
        if !self.on || (watch.suspect.is_none() && now < watch.at) {
            return None;
        }
        watch.at = now + WATCH_PERIOD;
        let joint = watch.suspect.take().unwrap_or_else(|| {
            watch.joint = (watch.joint + 1) % self.standing.len().max(1);
            watch.joint
        });
        Some(TorqueOrder::Check(joint))
    }

    /// A servo whose supply broke down is back soon, and limp, as if nothing had happened.
    fn on_check(&mut self, joint: usize, said: Option<Standing>) -> Option<TorqueNews> {
        self.check_limit(joint, said.map(|said| said.limit_strays));
        let watch = &mut self.watch;
        match said {
            Some(said) if said.torque => watch.seems_limp = None,
            Some(_) if watch.seems_limp == Some(joint) => {
                self.lost.get_or_insert(joint);
                return Some(TorqueNews::Lost(joint));
            }
            // One answer is not enough to stop an arm.
            Some(_) => (watch.seems_limp, watch.suspect) = (Some(joint), Some(joint)),
            None => {}
        }
        None
    }

    /// A limit that did not arrive is written again; `strays` is `None` where the servo was silent.
    fn check_limit(&mut self, joint: usize, strays: Option<bool>) {
        let limit = &mut self.limits[joint];
        match strays {
            // It was asked before the limit changed: what it says is of the old one.
            _ if limit.is_due => {}
            Some(false) => *limit = NewLimit::default(),
            Some(true) if !limit.is_unconfirmed => {
                *limit = NewLimit { is_due: true, is_unconfirmed: true, tries: 0, ..*limit };
            }
            _ if !limit.is_unconfirmed => {}
            _ if limit.tries < READ_BACK_TRIES => {
                *limit = NewLimit { is_due: true, tries: limit.tries + 1, ..*limit };
            }
            // Written so often it is there, unless the servo itself says that it is not.
            Some(true) => limit.is_unconfirmed = false,
            None => *limit = NewLimit::default(),
        }
    }
}
