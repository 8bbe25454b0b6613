//! Which controllers there are and in what state; what a request to switch them comes to, or why it is refused.
//!
//! Carries nothing out: the owner of the controllers does, and says so. Knows no messages and no clock.
//!
//! ```text
//! not loaded ◀──load, unload──▶ Unconfigured ◀──configure, clean up──▶ Inactive ◀──switch──▶ Active
//! ```
//! What is in the asked state already is no error: the controllers are active when the process starts, and whoever
//! starts them once more must not fail for that.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::fmt;

use super::safety::State;
use crate::config::manager::{ControllerEntry, ControllerKind};

/// The states of a loaded controller, and of hardware.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifecycle {
    /// It is there, and that is all; hardware does not answer.
    #[default]
    Unconfigured,
    /// It could be active; hardware answers and cannot move.
    Inactive,
    /// It commands its joints; hardware can move.
    Active,
    /// It was shut down, and nothing leads out of that but a new start of its process.
    Finalized,
}

/// One controller of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// Its name, and that of its node.
    pub name: String,
    /// What it does.
    pub kind: ControllerKind,
    /// Which joints it commands; those that a broadcaster publishes.
    pub joints: Vec<String>,
    /// `None` where it is not loaded.
    pub state: Option<Lifecycle>,
}

/// The controllers of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    controllers: Vec<Controller>,
}

/// One step of a switch; the number is the controller's in the roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It shall let its joints go.
    Deactivate(usize),
    /// It shall take its joints.
    Activate(usize),
}

/// What happens when some of a switch cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// The rest is done.
    BestEffort,
    /// Nothing is done.
    Strict,
    /// As [`Strictness::BestEffort`], and whoever has a joint that is needed is deactivated.
    Force,
}

/// What a switch comes to: deactivations, then activations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is to be done, in this order; nothing where everything is as it shall be.
    pub steps: Vec<Step>,
    /// What is left out, and why.
    pub left_out: Vec<Refusal>,
}

/// Why something cannot be asked of a controller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody has heard of it.
    #[error("there is no controller `{name}`; there are {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// It would have to be loaded for that.
    #[error("controller `{0}` is not loaded; load and configure it first")]
    NotLoaded(String),
    /// It would have to be unloaded for that.
    #[error("controller `{0}` is loaded already")]
    Loaded(String),
    /// It would have to be inactive for that.
    #[error("controller `{0}` is active; deactivate it first")]
    Active(String),
    /// It would have to be configured for that.
    #[error("controller `{0}` is unconfigured; configure it first")]
    Unconfigured(String),
    /// It cannot be both.
    #[error("controller `{0}` shall be activated and deactivated at once; say which")]
    Both(String),
    /// Nothing leads out of that.
    #[error("controller `{0}` was shut down; it is there again when its process is started again")]
    Finalized(String),
    /// The hardware publishes joint states whether anybody wants them or not.
    #[error(
        "controller `{0}` stands for the joint states, which the hardware publishes itself as long as it runs"
    )]
    Broadcaster(String),
    /// Two controllers cannot command one joint.
    #[error(
        "controller `{name}` needs joint `{joint}`, which controller `{holder}` commands; deactivate that first"
    )]
    Claimed {
        /// Who needs it.
        name: String,
        /// What it needs.
        joint: String,
        /// Who has it.
        holder: String,
    },
}

impl Lifecycle {
    /// Every state that can be asked for by name.
    pub const ALL: [Self; 3] = [Self::Unconfigured, Self::Inactive, Self::Active];

    /// The word that tools know the state by.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unconfigured => "unconfigured",
            Self::Inactive => "inactive",
            Self::Active => "active",
            Self::Finalized => "finalized",
        }
    }
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The state of an arm as that of hardware.
impl From<State> for Lifecycle {
    fn from(state: State) -> Self {
        match state {
            State::Disconnected => Self::Unconfigured,
            _ if state.can_move() => Self::Active,
            _ => Self::Inactive,
        }
    }
}

impl Step {
    /// The controller's number in the roster.
    pub fn index(self) -> usize {
        match self {
            Self::Deactivate(index) | Self::Activate(index) => index,
        }
    }

    /// What takes the step back.
    pub fn inverse(self) -> Self {
        match self {
            Self::Deactivate(index) => Self::Activate(index),
            Self::Activate(index) => Self::Deactivate(index),
        }
    }
}

impl Controller {
    /// A controller as it is when the process starts.
    pub fn started(entry: ControllerEntry, joints: Vec<String>, state: Lifecycle) -> Self {
        let ControllerEntry { name, kind } = entry;
        Self { name, kind, joints, state: Some(state) }
    }

    /// What it commands when it is active.
    pub fn commanded(&self) -> &[String] {
        if self.is_broadcaster() { &[] } else { &self.joints }
    }

    /// Whether it commands its joints now.
    pub fn is_active(&self) -> bool {
        self.state == Some(Lifecycle::Active)
    }

    fn is_broadcaster(&self) -> bool {
        self.kind == ControllerKind::JointStateBroadcaster
    }
}

impl Roster {
    /// The controllers in the order in which they are numbered and listed.
    pub fn new(controllers: Vec<Controller>) -> Self {
        Self { controllers }
    }

    /// Those that are loaded.
    pub fn loaded(&self) -> impl Iterator<Item = (&Controller, Lifecycle)> {
        self.controllers.iter().filter_map(|controller| Some((controller, controller.state?)))
    }

    /// The controller with that number.
    pub fn get(&self, index: usize) -> Option<&Controller> {
        self.controllers.get(index)
    }

    /// Whether an active controller commands the joint.
    pub fn is_claimed(&self, joint: &str) -> bool {
        let is_of = |controller: &Controller| controller.commanded().iter().any(|name| name == joint);
        self.controllers.iter().any(|controller| controller.is_active() && is_of(controller))
    }

    /// What the owner of the controllers says of one; no news of one that is not configured.
    pub fn set_active(&mut self, index: usize, active: bool) {
        if let Some(state @ (Lifecycle::Active | Lifecycle::Inactive)) =
            self.controllers.get_mut(index).and_then(|controller| controller.state.as_mut())
        {
            *state = if active { Lifecycle::Active } else { Lifecycle::Inactive };
        }
    }

    /// Its node is shut down.
    pub fn shut_down(&mut self, index: usize) {
        if let Some(controller) = self.controllers.get_mut(index) {
            controller.state = Some(Lifecycle::Finalized);
        }
    }

    /// Every controller's state by its number; unconfigured where it is not loaded.
    pub fn states(&self) -> impl Iterator<Item = Lifecycle> {
        self.controllers.iter().map(|controller| controller.state.unwrap_or_default())
    }

    /// Brings a controller into the list.
    ///
    /// # Errors
    /// Where it is there already, or unknown.
    pub fn load(&mut self, name: &str) -> Result<(), Refusal> {
        let index = self.find(name)?;
        let state = &mut self.controllers[index].state;
        if state.is_some() {
            return Err(Refusal::Loaded(name.to_owned()));
        }
        *state = Some(Lifecycle::Unconfigured);
        Ok(())
    }

    /// Takes a controller off the list.
    ///
    /// # Errors
    /// Where it is active, or not in the list.
    pub fn unload(&mut self, name: &str) -> Result<(), Refusal> {
        let (index, state) = self.find_loaded(name)?;
        if state == Lifecycle::Active {
            return Err(Refusal::Active(name.to_owned()));
        }
        self.controllers[index].state = None;
        Ok(())
    }

    /// Makes a controller inactive that was not configured.
    ///
    /// # Errors
    /// Where it is not in the list.
    pub fn configure(&mut self, name: &str) -> Result<(), Refusal> {
        let (index, state) = self.find_loaded(name)?;
        if state == Lifecycle::Unconfigured {
            self.controllers[index].state = Some(Lifecycle::Inactive);
        }
        Ok(())
    }

    /// Takes a controller's configuration back.
    ///
    /// # Errors
    /// Where it is active, or not in the list.
    pub fn clean_up(&mut self, name: &str) -> Result<(), Refusal> {
        let (index, state) = self.find_loaded(name)?;
        if state == Lifecycle::Active {
            return Err(Refusal::Active(name.to_owned()));
        }
        self.controllers[index].state = Some(Lifecycle::Unconfigured);
        Ok(())
    }

    /// What a switch comes to. Nothing is changed by it.
    ///
    /// # Errors
    /// Where one controller is in both lists, where something is impossible and `strictness` says that nothing is to
    /// be done then, and where nothing of a list is possible.
    pub fn plan(
        &self,
        activate: &[String],
        deactivate: &[String],
        strictness: Strictness,
    ) -> Result<Plan, Refusal> {
        if let Some(name) = activate.iter().find(|name| deactivate.contains(name)) {
            return Err(Refusal::Both(name.clone()));
        }
        let mut left_out = Vec::new();
        let mut freed: Vec<usize> = Vec::new();
        let possible = sort(deactivate, strictness, &mut left_out, |name| {
            let step = self.deactivation(name)?;
            freed.extend(step.filter(|index| !freed.contains(index)));
            Ok(())
        });
        possible?;
        let mut taken: Vec<usize> = Vec::new();
        let possible = sort(activate, strictness, &mut left_out, |name| {
            let Some(index) = self.activation(name)?.filter(|index| !taken.contains(index)) else {
                return Ok(());
            };
            let holders = self.holders_of(index, &freed, &taken);
            let may_push =
                |holder: &(usize, Refusal)| strictness == Strictness::Force && !taken.contains(&holder.0);
            if let Some((_, refusal)) = holders.iter().find(|holder| !may_push(holder)) {
                return Err(refusal.clone());
            }
            freed.extend(holders.iter().map(|(holder, _)| *holder));
            taken.push(index);
            Ok(())
        });
        possible?;
        let steps =
            freed.into_iter().map(Step::Deactivate).chain(taken.into_iter().map(Step::Activate)).collect();
        Ok(Plan { steps, left_out })
    }

    /// The controller to deactivate; `None` where it is inactive already.
    fn deactivation(&self, name: &str) -> Result<Option<usize>, Refusal> {
        let (index, state) = self.find_loaded(name)?;
        match state {
            _ if self.controllers[index].is_broadcaster() => Err(Refusal::Broadcaster(name.to_owned())),
            Lifecycle::Active => Ok(Some(index)),
            Lifecycle::Inactive => Ok(None),
            Lifecycle::Unconfigured => Err(Refusal::Unconfigured(name.to_owned())),
            Lifecycle::Finalized => Err(Refusal::Finalized(name.to_owned())),
        }
    }

    /// The controller to activate; `None` where it is active already.
    fn activation(&self, name: &str) -> Result<Option<usize>, Refusal> {
        let (index, state) = self.find_loaded(name)?;
        match state {
            Lifecycle::Active => Ok(None),
            Lifecycle::Inactive => Ok(Some(index)),
            Lifecycle::Unconfigured => Err(Refusal::Unconfigured(name.to_owned())),
            Lifecycle::Finalized => Err(Refusal::Finalized(name.to_owned())),
        }
    }

    /// Who would command a joint of the controller when it gets active, after others were `freed` or `taken`.
    fn holders_of(&self, index: usize, freed: &[usize], taken: &[usize]) -> Vec<(usize, Refusal)> {
        let wanted = &self.controllers[index];
        let is_in_the_way = |(holder, controller): &(usize, &Controller)| {
            *holder != index
                && (taken.contains(holder) || (controller.is_active() && !freed.contains(holder)))
        };
        let shared = |(holder, controller): (usize, &Controller)| {
            let joint = wanted.commanded().iter().find(|joint| controller.commanded().contains(joint))?;
            let (name, holder_name) = (wanted.name.clone(), controller.name.clone());
            Some((holder, Refusal::Claimed { name, joint: joint.clone(), holder: holder_name }))
        };
        self.controllers.iter().enumerate().filter(is_in_the_way).filter_map(shared).collect()
    }

    fn find(&self, name: &str) -> Result<usize, Refusal> {
        let known = || self.controllers.iter().map(|controller| controller.name.clone()).collect();
        let index = self.controllers.iter().position(|controller| controller.name == name);
        index.ok_or_else(|| Refusal::Unknown { name: name.to_owned(), known: known() })
    }

    fn find_loaded(&self, name: &str) -> Result<(usize, Lifecycle), Refusal> {
        let index = self.find(name)?;
        match self.controllers[index].state {
            None => Err(Refusal::NotLoaded(name.to_owned())),
            Some(Lifecycle::Finalized) => Err(Refusal::Finalized(name.to_owned())),
            Some(state) => Ok((index, state)),
        }
    }
}

/// Tries every name of a list: what is impossible is left out, or ends it all.
fn sort(
    names: &[String],
    strictness: Strictness,
    left_out: &mut Vec<Refusal>,
    mut take: impl FnMut(&str) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut possible = names.is_empty();
    let mut first = None;
    for name in names {
        match take(name) {
            Ok(()) => possible = true,
            Err(refusal) if strictness == Strictness::Strict => return Err(refusal),
            Err(refusal) => {
                first.get_or_insert_with(|| refusal.clone());
                left_out.push(refusal);
            }
        }
    }
    match first {
        Some(refusal) if !possible => Err(refusal),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "roster_tests.rs"]
mod tests;
