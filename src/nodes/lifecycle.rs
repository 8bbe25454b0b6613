//! What a managed node offers, as `rclcpp_lifecycle` has it: its state is told, asked to change, and its changes published.
//!
//! Knows [`Machine`] and messages. What a change takes is done by the node's host, which gets it as a [`Task`] and says
//! by [`ManagedNode::finish`] how it ended; what happens to the node unasked it says by [`ManagedNode::follow`].

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use anyhow::anyhow;
use futures::StreamExt as _;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use r2r::lifecycle_msgs::msg::{
    State as StateMessage, Transition as TransitionMessage, TransitionDescription, TransitionEvent,
};
use r2r::lifecycle_msgs::srv::{ChangeState, GetAvailableStates, GetAvailableTransitions, GetState};
use r2r::{Node, Publisher, QosProfile, ServiceRequest};
use tracing::Span;

use super::hardware::publish;
use super::parameters::{respond, service, spawn};
use super::ros;
use crate::control::lifecycle::{GRAPH, Machine, Outcome, Phase, Task, Transition};
use crate::control::roster::Lifecycle;
use crate::servo::clock;

/// The lifecycle of a node; clones are of the same.
#[derive(Clone)]
pub struct ManagedNode(Rc<Inner>);

struct Inner {
    machine: RefCell<Machine>,
    /// What the host said last; during a transition not what the machine is in.
    actual: Cell<Lifecycle>,
    /// The transition that is under way, and who waits for its end.
    pending: RefCell<Option<(Task, ServiceRequest<ChangeState::Service>)>>,
    tasks: UnboundedSender<Task>,
    events: Publisher<TransitionEvent>,
    span: Span,
}

/// Creates services and topic on `node`, whose events belong in `span`. It is unconfigured, and its host gets what it
/// is to do.
///
/// # Errors
/// Where one of them cannot be created.
pub fn offer(node: &mut Node, span: Span) -> anyhow::Result<(ManagedNode, UnboundedReceiver<Task>)> {
    let (tasks, asked) = unbounded();
    let events = node
        .create_publisher("~/transition_event", QosProfile::default())
        .map_err(|error| anyhow!("cannot publish ~/transition_event: {error}"))?;
    let inner = Rc::new(Inner {
        machine: RefCell::default(),
        actual: Cell::default(),
        pending: RefCell::default(),
        tasks,
        events,
        span,
    });
    spawn::<GetState::Service, _>(node, "get_state", &inner, |inner, _| GetState::Response {
        current_state: state_message(inner.phase()),
    })?;
    spawn::<GetAvailableStates::Service, _>(node, "get_available_states", &inner, |_, _| {
        GetAvailableStates::Response {
            available_states: Phase::ALL.iter().map(|phase| state_message(*phase)).collect(),
        }
    })?;
    spawn::<GetAvailableTransitions::Service, _>(node, "get_available_transitions", &inner, |inner, _| {
        described(inner.phase().transitions())
    })?;
    spawn::<GetAvailableTransitions::Service, _>(node, "get_transition_graph", &inner, |_, _| {
        described(GRAPH.iter())
    })?;
    let node_of_changes = ManagedNode(inner);
    let node_of_host = node_of_changes.clone();
    let changes = service::<ChangeState::Service>(node, "~/change_state")?;
    ros::spawn(changes.for_each(move |call| {
        node_of_changes.begin(call);
        futures::future::ready(())
    }));
    Ok((node_of_host, asked))
}

impl ManagedNode {
    /// The host says in which state the node is, as often as it likes; whoever listens hears of every step there.
    pub fn follow(&self, actual: Lifecycle) {
        self.0.actual.set(actual);
        if self.0.pending.borrow().is_none() {
            self.0.take_up();
        }
    }

    /// The host says how the task that it got ended: it is done, or why not. Where it is not, the node is as
    /// [`ManagedNode::follow`] said last.
    pub fn finish(&self, ended: Result<(), String>) {
        let inner = &self.0;
        let Some((task, call)) = inner.pending.borrow_mut().take() else { return };
        let ways: Vec<&Transition> = match &ended {
            Ok(()) => inner.machine.borrow_mut().end(Outcome::Success).into_iter().collect(),
            Err(why) => {
                inner.span.in_scope(|| tracing::error!("cannot {}: {why}", task.verb()));
                inner.machine.borrow_mut().fail(inner.actual.get())
            }
        };
        inner.tell(&ways);
        if ended.is_ok() {
            inner.actual.set(task.goal());
        }
        inner.take_up();
        respond(call, ChangeState::Response { success: ended.is_ok() });
    }

    fn begin(&self, call: ServiceRequest<ChangeState::Service>) {
        let inner = &self.0;
        let TransitionMessage { id, label } = &call.message.transition;
        let begun = inner.machine.borrow_mut().begin(*id, label);
        match begun {
            Ok((way, task)) => {
                inner.tell(&[way]);
                *inner.pending.borrow_mut() = Some((task, call));
                if inner.tasks.unbounded_send(task).is_err() {
                    self.finish(Err("the node stops".to_owned()));
                }
            }
            Err(refusal) => {
                inner.span.in_scope(|| tracing::error!("the state is not changed: {refusal}"));
                respond(call, ChangeState::Response { success: false });
            }
        }
    }
}

impl Inner {
    fn phase(&self) -> Phase {
        self.machine.borrow().phase()
    }

    fn take_up(&self) {
        let ways = self.machine.borrow_mut().follow(self.actual.get());
        self.tell(&ways);
    }

    fn tell(&self, ways: &[&Transition]) {
        for way in ways {
            publish(
                &self.events,
                &TransitionEvent {
                    timestamp: u64::try_from(clock::wall_nanos_at(clock::now())).unwrap_or(0),
                    transition: transition_message(way),
                    start_state: state_message(way.from),
                    goal_state: state_message(way.to),
                },
            );
        }
    }
}

fn state_message(phase: Phase) -> StateMessage {
    StateMessage { id: phase.id(), label: phase.label().to_owned() }
}

fn transition_message(way: &Transition) -> TransitionMessage {
    TransitionMessage { id: way.id, label: way.label.to_owned() }
}

fn described<'a>(ways: impl Iterator<Item = &'a Transition>) -> GetAvailableTransitions::Response {
    let described = ways.map(|way| TransitionDescription {
        transition: transition_message(way),
        start_state: state_message(way.from),
        goal_state: state_message(way.to),
    });
    GetAvailableTransitions::Response { available_transitions: described.collect() }
}
