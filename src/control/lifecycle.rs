//! The life of a managed node: its states, and the transitions between them with the numbers and labels of `rcl_lifecycle`.
//!
//! ```text
//! Unconfigured ◀──configure, cleanup──▶ Inactive ◀──activate, deactivate──▶ Active      any ──shutdown──▶ Finalized
//! ```
//! Between two of these is a state in which the node does what was asked: success leads on, failure back, so that it may
//! be asked again, and an error through `ErrorProcessing`. Knows no messages; what a transition does is its node's.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use super::roster::Lifecycle;

/// A state of a managed node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are those of rcl_lifecycle")]
pub enum Phase {
    Unknown = 0,
    #[default]
    Unconfigured = 1,
    Inactive = 2,
    Active = 3,
    Finalized = 4,
    Configuring = 10,
    CleaningUp = 11,
    ShuttingDown = 12,
    Activating = 13,
    Deactivating = 14,
    ErrorProcessing = 15,
}

/// A way from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Its number in `lifecycle_msgs/Transition`.
    pub id: u8,
    /// What tools call it.
    pub label: &'static str,
    /// The state before.
    pub from: Phase,
    /// The state after.
    pub to: Phase,
}

/// What a node is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Get everything that it needs.
    Configure,
    /// Give it back.
    CleanUp,
    /// Begin to act.
    Activate,
    /// Act no more.
    Deactivate,
    /// Give everything back, for good.
    ShutDown,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Success,
    /// It is not done, and everything is as before.
    Failure,
    /// It is not done, and nothing is as before.
    Error,
}

/// Why a transition is not begun.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The node is busy with another one.
    #[error("a transition is under way: the node is {}", .0.label())]
    Busy(Phase),
    /// It does not begin in the present state.
    #[error("{asked} does not begin in state {}; {}", state.label(), choice(available))]
    Unavailable {
        /// What was asked for, in words.
        asked: String,
        /// The present state.
        state: Phase,
        /// What could be asked for.
        available: Vec<&'static str>,
    },
}

/// The state of one managed node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    phase: Phase,
}

const SUCCESS: &str = "transition_success";
const FAILURE: &str = "transition_failure";
const ERROR: &str = "transition_error";

/// Every transition, in the order in which `rcl_lifecycle` lists them.
pub const GRAPH: [Transition; 25] = [
    row(1, "configure", Phase::Unconfigured, Phase::Configuring),
    row(10, SUCCESS, Phase::Configuring, Phase::Inactive),
    row(11, FAILURE, Phase::Configuring, Phase::Unconfigured),
    row(12, ERROR, Phase::Configuring, Phase::ErrorProcessing),
    row(2, "cleanup", Phase::Inactive, Phase::CleaningUp),
    row(20, SUCCESS, Phase::CleaningUp, Phase::Unconfigured),
    row(21, FAILURE, Phase::CleaningUp, Phase::Inactive),
    row(22, ERROR, Phase::CleaningUp, Phase::ErrorProcessing),
    row(3, "activate", Phase::Inactive, Phase::Activating),
    row(30, SUCCESS, Phase::Activating, Phase::Active),
    row(31, FAILURE, Phase::Activating, Phase::Inactive),
    row(32, ERROR, Phase::Activating, Phase::ErrorProcessing),
    row(4, "deactivate", Phase::Active, Phase::Deactivating),
    row(40, SUCCESS, Phase::Deactivating, Phase::Inactive),
    row(41, FAILURE, Phase::Deactivating, Phase::Active),
    row(42, ERROR, Phase::Deactivating, Phase::ErrorProcessing),
    row(5, "shutdown", Phase::Unconfigured, Phase::ShuttingDown),
    row(6, "shutdown", Phase::Inactive, Phase::ShuttingDown),
    row(7, "shutdown", Phase::Active, Phase::ShuttingDown),
    row(50, SUCCESS, Phase::ShuttingDown, Phase::Finalized),
    row(51, FAILURE, Phase::ShuttingDown, Phase::Finalized),
    row(52, ERROR, Phase::ShuttingDown, Phase::ErrorProcessing),
    row(60, SUCCESS, Phase::ErrorProcessing, Phase::Unconfigured),
    row(61, FAILURE, Phase::ErrorProcessing, Phase::Finalized),
    row(62, ERROR, Phase::ErrorProcessing, Phase::Finalized),
];

const fn row(id: u8, label: &'static str, from: Phase, to: Phase) -> Transition {
    Transition { id, label, from, to }
}

fn choice(available: &[&str]) -> String {
    match available {
        [] => "nothing does".to_owned(),
        some => format!("there are {}", some.join(", ")),
    }
}

impl Phase {
    /// All of them, in the order in which `rcl_lifecycle` lists them.
    pub const ALL: [Self; 11] = [
        Self::Unknown,
        Self::Unconfigured,
        Self::Inactive,
        Self::Active,
        Self::Finalized,
        Self::Configuring,
        Self::CleaningUp,
        Self::ShuttingDown,
        Self::Activating,
        Self::Deactivating,
        Self::ErrorProcessing,
    ];

    /// Its number in `lifecycle_msgs/State`.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// What tools call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Unconfigured => "unconfigured",
            Self::Inactive => "inactive",
            Self::Active => "active",
            Self::Finalized => "finalized",
            Self::Configuring => "configuring",
            Self::CleaningUp => "cleaningup",
            Self::ShuttingDown => "shuttingdown",
            Self::Activating => "activating",
            Self::Deactivating => "deactivating",
            Self::ErrorProcessing => "errorprocessing",
        }
    }

    /// The transitions that begin here.
    pub fn transitions(self) -> impl Iterator<Item = &'static Transition> {
        GRAPH.iter().filter(move |transition| transition.from == self)
    }

    fn is_transitional(self) -> bool {
        Self::Configuring.id() <= self.id()
    }
}

impl From<Lifecycle> for Phase {
    fn from(state: Lifecycle) -> Self {
        match state {
            Lifecycle::Unconfigured => Self::Unconfigured,
            Lifecycle::Inactive => Self::Inactive,
            Lifecycle::Active => Self::Active,
            Lifecycle::Finalized => Self::Finalized,
        }
    }
}

impl Transition {
    /// What its node has to do, where a client may ask for it.
    pub fn task(&self) -> Option<Task> {
        match (self.from.is_transitional(), self.to) {
            (false, Phase::Configuring) => Some(Task::Configure),
            (false, Phase::CleaningUp) => Some(Task::CleanUp),
            (false, Phase::Activating) => Some(Task::Activate),
            (false, Phase::Deactivating) => Some(Task::Deactivate),
            (false, Phase::ShuttingDown) => Some(Task::ShutDown),
            _ => None,
        }
    }
}

impl Task {
    /// Where the node is when it is done.
    pub fn goal(self) -> Lifecycle {
        match self {
            Self::Configure | Self::Deactivate => Lifecycle::Inactive,
            Self::CleanUp => Lifecycle::Unconfigured,
            Self::Activate => Lifecycle::Active,
            Self::ShutDown => Lifecycle::Finalized,
        }
    }

    /// What is done, in words.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Configure => "configure",
            Self::CleanUp => "clean up",
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
            Self::ShutDown => "shut down",
        }
    }
}

impl Machine {
    /// The present state.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Begins what a client asks for, by its label, or by its number where there is none.
    ///
    /// # Errors
    /// Where that does not begin in the present state.
    pub fn begin(&mut self, id: u8, label: &str) -> Result<(&'static Transition, Task), Refusal> {
        if self.phase.is_transitional() {
            return Err(Refusal::Busy(self.phase));
        }
        let is_asked = |transition: &Transition| match label {
            "" => transition.id == id,
            label => transition.label == label,
        };
        let mut ways =
            self.phase.transitions().filter_map(|transition| Some((transition, transition.task()?)));
        let Some((transition, task)) = ways.find(|(transition, _)| is_asked(transition)) else {
            let asked = match label {
                "" => format!("transition {id}"),
                label => format!("transition `{label}`"),
            };
            let available = self.phase.transitions().map(|transition| transition.label).collect();
            return Err(Refusal::Unavailable { asked, state: self.phase, available });
        };
        self.phase = transition.to;
        Ok((transition, task))
    }

    /// What was begun ended so; nothing where nothing was.
    pub fn end(&mut self, outcome: Outcome) -> Option<&'static Transition> {
        let label = match outcome {
            Outcome::Success => SUCCESS,
            Outcome::Failure => FAILURE,
            Outcome::Error => ERROR,
        };
        let way = self.phase.transitions().find(|transition| transition.label == label)?;
        self.phase = way.to;
        Some(way)
    }

    /// What was begun failed, and the node is in this state now. One that is as before goes back; one that has lost all
    /// that it had is unconfigured by way of an error.
    pub fn fail(&mut self, actual: Lifecycle) -> Vec<&'static Transition> {
        let back = self.phase.transitions().find(|transition| transition.label == FAILURE);
        let is_lost = actual == Lifecycle::Unconfigured && back.is_some_and(|way| way.to != actual.into());
        let outcomes: &[Outcome] =
            if is_lost { &[Outcome::Error, Outcome::Success] } else { &[Outcome::Failure] };
        outcomes.iter().filter_map(|outcome| self.end(*outcome)).collect()
    }

    /// The node is in this state, though nobody asked for it here: every transition on the way there.
    pub fn follow(&mut self, actual: Lifecycle) -> Vec<&'static Transition> {
        let mut ways = Vec::new();
        while let Some(label) = self.towards(actual.into()) {
            let Ok((way, _)) = self.begin(0, label) else { break };
            ways.push(way);
            ways.extend(self.end(Outcome::Success));
        }
        ways
    }

    fn towards(&self, goal: Phase) -> Option<&'static str> {
        match (self.phase, goal) {
            (from, to) if from == to => None,
            (Phase::Unconfigured | Phase::Inactive | Phase::Active, Phase::Finalized) => Some("shutdown"),
            (Phase::Unconfigured, Phase::Inactive | Phase::Active) => Some("configure"),
            (Phase::Inactive, Phase::Active) => Some("activate"),
            (Phase::Inactive, Phase::Unconfigured) => Some("cleanup"),
            (Phase::Active, Phase::Inactive | Phase::Unconfigured) => Some("deactivate"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(phase: Phase) -> Machine {
        Machine { phase }
    }

    fn labels(ways: &[&'static Transition]) -> Vec<&'static str> {
        ways.iter().map(|way| way.label).collect()
    }

    #[test]
    fn a_node_walks_through_every_transition_that_can_be_asked_for() {
        let mut machine = Machine::default();
        for (label, task, between, after) in [
            ("configure", Task::Configure, Phase::Configuring, Phase::Inactive),
            ("cleanup", Task::CleanUp, Phase::CleaningUp, Phase::Unconfigured),
            ("configure", Task::Configure, Phase::Configuring, Phase::Inactive),
            ("activate", Task::Activate, Phase::Activating, Phase::Active),
            ("deactivate", Task::Deactivate, Phase::Deactivating, Phase::Inactive),
            ("shutdown", Task::ShutDown, Phase::ShuttingDown, Phase::Finalized),
        ] {
            assert_eq!(machine.begin(0, label).unwrap().1, task);
            assert_eq!(machine.phase(), between);
            assert_eq!(machine.end(Outcome::Success).unwrap().to, after);
        }
        assert_eq!(machine.phase().transitions().count(), 0);
    }

    #[test]
    fn numbers_are_as_good_as_labels_and_a_label_counts_over_its_number() {
        assert_eq!(machine(Phase::Active).begin(7, "").unwrap().1, Task::ShutDown);
        assert_eq!(machine(Phase::Inactive).begin(99, "activate").unwrap().1, Task::Activate);
    }

    #[test]
    fn a_failure_leads_back_and_can_be_tried_again() {
        for (from, label) in [
            (Phase::Unconfigured, "configure"),
            (Phase::Inactive, "cleanup"),
            (Phase::Inactive, "activate"),
            (Phase::Active, "deactivate"),
        ] {
            let mut machine = machine(from);
            for _ in 0..2 {
                machine.begin(0, label).unwrap();
                assert_eq!(machine.end(Outcome::Failure).unwrap().to, from);
            }
        }
    }

    #[test]
    fn an_error_is_processed_and_leads_to_unconfigured_or_to_the_end() {
        for (outcome, after) in [
            (Outcome::Success, Phase::Unconfigured),
            (Outcome::Failure, Phase::Finalized),
            (Outcome::Error, Phase::Finalized),
        ] {
            let mut machine = machine(Phase::Activating);
            assert_eq!(machine.end(Outcome::Error).unwrap().to, Phase::ErrorProcessing);
            assert_eq!(machine.end(outcome).unwrap().to, after);
        }
    }

    #[test]
    fn what_does_not_begin_here_is_refused_with_what_does() {
        let refused = machine(Phase::Unconfigured).begin(3, "").unwrap_err().to_string();
        assert_eq!(
            refused,
            "transition 3 does not begin in state unconfigured; there are configure, shutdown"
        );
    }

    #[test]
    fn steps_between_states_cannot_be_asked_for() {
        for label in [SUCCESS, FAILURE, ERROR] {
            let refused = machine(Phase::Configuring).begin(0, label).unwrap_err();
            assert_eq!(refused, Refusal::Busy(Phase::Configuring));
        }
        for id in 10..=u8::MAX {
            assert!(Phase::ALL.iter().all(|phase| machine(*phase).begin(id, "").is_err()));
        }
    }

    #[test]
    fn one_that_fails_and_has_lost_everything_is_unconfigured_by_way_of_an_error() {
        let mut lost = machine(Phase::Activating);
        assert_eq!(labels(&lost.fail(Lifecycle::Unconfigured)), [ERROR, SUCCESS]);
        assert_eq!(lost.phase(), Phase::Unconfigured);
        let mut kept = machine(Phase::Activating);
        assert_eq!(labels(&kept.fail(Lifecycle::Inactive)), [FAILURE]);
        assert_eq!(kept.phase(), Phase::Inactive);
        let mut never_had = machine(Phase::Configuring);
        assert_eq!(labels(&never_had.fail(Lifecycle::Unconfigured)), [FAILURE]);
    }

    #[test]
    fn what_happens_unasked_goes_the_same_ways() {
        let mut machine = Machine::default();
        let up = ["configure", SUCCESS, "activate", SUCCESS];
        assert_eq!(labels(&machine.follow(Lifecycle::Active)), up);
        assert!(machine.follow(Lifecycle::Active).is_empty());
        let down = ["deactivate", SUCCESS, "cleanup", SUCCESS];
        assert_eq!(labels(&machine.follow(Lifecycle::Unconfigured)), down);
        assert_eq!(labels(&machine.follow(Lifecycle::Finalized)), ["shutdown", SUCCESS]);
        assert!(machine.follow(Lifecycle::Active).is_empty(), "there is no way back");
    }

    #[test]
    fn every_way_of_the_graph_has_a_number_and_a_beginning_of_its_own() {
        for (index, way) in GRAPH.iter().enumerate() {
            let others = GRAPH.iter().take(index);
            assert!(others.clone().all(|other| other.id != way.id));
            assert!(others.clone().all(|other| (other.from, other.label) != (way.from, way.label)));
        }
        assert!(GRAPH.iter().all(|way| way.from.is_transitional() == way.task().is_none()));
    }
}
