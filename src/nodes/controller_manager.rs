//! What ros2_control's tools ask a controller manager: the command line, the spawner, rqt, and MoveIt's managers.
//!
//! A facade: it answers from its own [`Roster`], on the task of the node. The control thread does not know of it: a
//! switch becomes a [`ManagerRequest`] to the owner of the process, which does it as it does everything else and
//! says so by a `note_…`. So no question, however often it is asked, costs the cycle anything.
//!
//! Questions are answered at all times; orders one after the other, each when the one before is done.

mod calls;
mod hardware;
mod managed;
mod messages;

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::anyhow;
use futures::StreamExt as _;
use futures::channel::mpsc::UnboundedReceiver;
use r2r::controller_manager_msgs::msg::ControllerManagerActivity;
use r2r::controller_manager_msgs::srv::{
    CleanupController, ConfigureController, ListControllerTypes, ListControllers, ListHardwareComponents,
    ListHardwareInterfaces, LoadController, ReloadControllerLibraries, SetHardwareComponentState,
    SwitchController, UnloadController,
};
use r2r::qos::DurabilityPolicy;
use r2r::{Node, Publisher, QosProfile, ServiceRequest};
use tokio::time::Instant;

use self::calls::{Calls, Order, Question};
pub use self::hardware::{HARDWARE_NAME, Hardware};
use super::hardware::publish;
use super::lifecycle::ManagedNode;
use super::messages::secs_of;
use super::parameters::respond;
use crate::config::manager::{ControllerEntry, ControllerKind, ForeignController, ManagerConfig};
use crate::control::lifecycle::Task;
use crate::control::roster::{Controller, Lifecycle, Refusal, Roster, Step, Strictness};
use crate::control::switching::Switching;

/// What the manager asks of the owner of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManagerRequest {
    /// The controller with that number shall take its joints and obey goals.
    Activate(usize),
    /// The controller with that number shall end its motion and refuse goals.
    Deactivate(usize),
    /// The hardware shall be active (`true`) or inactive.
    Hardware(bool),
}

/// A controller as the manager is told of it.
pub struct Listed {
    /// Its name and type.
    pub entry: ControllerEntry,
    /// The joints that it commands.
    pub joints: Vec<String>,
    /// The state in which the process starts it.
    pub state: Lifecycle,
    /// Its node.
    pub node: ManagedNode,
    /// What that is asked.
    pub tasks: UnboundedReceiver<Task>,
}

/// The services and the topic of `controller_manager`.
pub struct ControllerManager {
    calls: Calls,
    activity: Publisher<ControllerManagerActivity>,
    roster: Roster,
    /// The controllers' nodes, by their numbers.
    nodes: Vec<ManagedNode>,
    foreign: Vec<ForeignController>,
    hardware: Hardware,
    hardware_state: Lifecycle,
    pending: Option<Pending>,
    outbox: VecDeque<ManagerRequest>,
}

/// An order that waits for the owner to carry it out.
struct Pending {
    what: PendingOrder,
    give_up: Instant,
}

enum PendingOrder {
    Switch(Asker, Switching),
    Hardware(ServiceRequest<SetHardwareComponentState::Service>, Lifecycle),
}

/// Who asked for a switch.
enum Asker {
    Client(ServiceRequest<SwitchController::Service>),
    /// The node of the controller with that number.
    Node(usize, Task),
}

/// A controller that does not answer for that long does not answer; one cycle is enough.
const LONGEST_SWITCH: Duration = Duration::from_secs(5);
/// Longer than a torque ramp, or the way to the rest pose, may take.
const LONGEST_HARDWARE_ORDER: Duration = Duration::from_secs(31);

/// Creates the services and the topic on `node`.
///
/// A controller's place in `controllers` is its number in requests and notes.
///
/// # Errors
/// Where a service or the topic cannot be created.
pub fn offer(
    node: &mut Node,
    config: &ManagerConfig,
    controllers: Vec<Listed>,
    hardware: Hardware,
) -> anyhow::Result<ControllerManager> {
    say_what_is_not_used(config, &hardware);
    let latched =
        QosProfile { durability: DurabilityPolicy::TransientLocal, depth: 1, ..QosProfile::default() };
    let activity = node
        .create_publisher("~/activity", latched)
        .map_err(|error| anyhow!("cannot publish the controllers' activity: {error}"))?;
    let broadcaster =
        ControllerEntry { name: config.broadcaster.clone(), kind: ControllerKind::JointStateBroadcaster };
    let mut calls = Calls::offer(node)?;
    let (mut roster, mut nodes) = (Vec::new(), Vec::new());
    for (index, Listed { entry, joints, state, node, tasks }) in controllers.into_iter().enumerate() {
        roster.push(Controller::started(entry, joints, state));
        nodes.push(node);
        calls.orders.push(tasks.map(move |task| Order::Node(index, task)).boxed());
    }
    roster.push(Controller::started(broadcaster, hardware.joints.clone(), Lifecycle::Active));
    let manager = ControllerManager {
        calls,
        activity,
        foreign: config.foreign.clone(),
        roster: Roster::new(roster),
        nodes,
        hardware,
        hardware_state: Lifecycle::default(),
        pending: None,
        outbox: VecDeque::new(),
    };
    manager.show();
    Ok(manager)
}

/// Once, at the start: what the file says in vain.
fn say_what_is_not_used(config: &ManagerConfig, hardware: &Hardware) {
    #[expect(clippy::cast_precision_loss, reason = "a rate is far from 2^52")]
    if let Some(rate) = config.update_rate_hz.filter(|rate| *rate as f64 != hardware.rate_hz) {
        tracing::warn!(
            "parameter `update_rate` is {rate}, but the arm runs at update_rate_hz = {}",
            hardware.rate_hz
        );
    }
    for ForeignController { name, type_name } in &config.foreign {
        tracing::warn!(
            "controller `{name}` is left out: it is of type {type_name}, which there is none of here"
        );
    }
    if !config.without_meaning.is_empty() {
        tracing::info!("parameters without meaning here: {}", config.without_meaning.join(", "));
    }
}

impl ControllerManager {
    /// What the owner is to do next, if what a client asked comes to something. Cancel safe.
    pub async fn next(&mut self) -> Option<ManagerRequest> {
        if let Some(request) = self.outbox.pop_front() {
            return Some(request);
        }
        let give_up = self.pending.as_ref().map(|pending| pending.give_up);
        tokio::select! {
            Some(question) = self.calls.questions.next() => self.answer(question),
            Some(order) = self.calls.orders.next(), if self.pending.is_none() => self.obey(order),
            () = passed(give_up) => self.give_up(),
        }
        self.outbox.pop_front()
    }

    /// The owner says that a controller is active now.
    pub fn note_active(&mut self, index: usize) {
        self.roster.set_active(index, true);
        self.step_done(Step::Activate(index));
    }

    /// The owner says that a controller is inactive now.
    pub fn note_inactive(&mut self, index: usize) {
        self.roster.set_active(index, false);
        self.step_done(Step::Deactivate(index));
    }

    /// The owner says why a controller is not switched.
    pub fn note_refused(&mut self, index: usize, why: &str) {
        let name = self.roster.get(index).map_or("?", |controller| controller.name.as_str());
        let why = format!("controller `{name}` was not switched: {why}");
        if let Some(Pending { what: PendingOrder::Switch(_, switching), .. }) = &mut self.pending
            && switching.step().is_some_and(|step| step.index() == index)
        {
            switching.failed(why);
            self.go_on();
        }
    }

    /// The owner says in what state the hardware is, as often as it likes.
    pub fn note_hardware(&mut self, state: Lifecycle) {
        if self.hardware_state == state {
            return;
        }
        self.hardware_state = state;
        self.show();
        if matches!(&self.pending, Some(Pending { what: PendingOrder::Hardware(_, wanted), .. }) if *wanted == state)
        {
            self.end_hardware_order(None);
        }
    }

    /// The owner says why the hardware does not do what was asked.
    pub fn note_hardware_refused(&mut self, why: &str) {
        self.end_hardware_order(Some(why));
    }

    fn answer(&self, question: Question) {
        match question {
            Question::Controllers(call) => {
                let rate_hz = self.hardware.rate_hz;
                let controller = messages::controllers(&self.roster, rate_hz);
                respond(call, ListControllers::Response { controller });
            }
            Question::Types(call) => {
                let (types, base_classes) = messages::types();
                respond(call, ListControllerTypes::Response { types, base_classes });
            }
            Question::Components(call) => {
                let component = vec![messages::component(&self.hardware, self.hardware_state, &self.roster)];
                respond(call, ListHardwareComponents::Response { component });
            }
            Question::Interfaces(call) => {
                let command_interfaces =
                    messages::command_interfaces(&self.hardware, self.hardware_state, &self.roster);
                let state_interfaces = messages::state_interfaces(&self.hardware, self.hardware_state);
                respond(call, ListHardwareInterfaces::Response { command_interfaces, state_interfaces });
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Load(call) => {
                let ok = self.load(&call.message.name);
                respond(call, LoadController::Response { ok });
            }
            Order::Unload(call) => {
                let ok = self.change("unload", |roster| roster.unload(&call.message.name));
                respond(call, UnloadController::Response { ok });
            }
            Order::Configure(call) => {
                let ok = self.change("configure", |roster| roster.configure(&call.message.name));
                respond(call, ConfigureController::Response { ok });
            }
            Order::CleanUp(call) => {
                let ok = self.change("clean up", |roster| roster.clean_up(&call.message.name));
                respond(call, CleanupController::Response { ok });
            }
            Order::Reload(call) => {
                tracing::error!("cannot reload libraries: the controllers are part of the program");
                respond(call, ReloadControllerLibraries::Response { ok: false });
            }
            Order::Switch(call) => self.switch(call),
            Order::Node(index, task) => self.obey_node(index, task),
            Order::Hardware(call) => self.set_hardware(call),
        }
    }

    fn load(&mut self, name: &str) -> bool {
        if let Some(ForeignController { type_name, .. }) =
            self.foreign.iter().find(|foreign| foreign.name == name)
        {
            tracing::error!(
                "cannot load: controller `{name}` is of type {type_name}, which there is none of here"
            );
            return false;
        }
        self.change("load", |roster| roster.load(name))
    }

    /// Changes the roster, or says why not.
    fn change(&mut self, what: &str, change: impl FnOnce(&mut Roster) -> Result<(), Refusal>) -> bool {
        let changed = change(&mut self.roster);
        match &changed {
            Ok(()) => self.show(),
            Err(refusal) => tracing::error!("cannot {what}: {refusal}"),
        }
        changed.is_ok()
    }

    fn switch(&mut self, call: ServiceRequest<SwitchController::Service>) {
        let asked = &call.message;
        let planned = strictness_of(asked.strictness).and_then(|strictness| {
            let plan =
                self.roster.plan(&asked.activate_controllers, &asked.deactivate_controllers, strictness);
            Ok((plan.map_err(|refusal| refusal.to_string())?, strictness))
        });
        match planned {
            Ok((plan, strictness)) => {
                let longest = match secs_of(&asked.timeout) {
                    secs if 0.0 < secs => Duration::from_secs_f64(secs).min(LONGEST_SWITCH),
                    _ => LONGEST_SWITCH,
                };
                let switching = Switching::new(plan, strictness == Strictness::Strict);
                self.begin_switch(Asker::Client(call), switching, longest);
            }
            Err(message) => {
                tracing::error!("no controller is switched: {message}");
                respond(call, SwitchController::Response { ok: false, message });
            }
        }
    }

    fn begin_switch(&mut self, asker: Asker, switching: Switching, longest: Duration) {
        let what = PendingOrder::Switch(asker, switching);
        self.pending = Some(Pending { what, give_up: Instant::now() + longest });
        self.go_on();
    }

    fn end_switch(&mut self, asker: Asker, ok: bool, message: String) {
        match asker {
            Asker::Client(call) => {
                if !ok {
                    tracing::error!("the switch failed: {message}");
                } else if !message.is_empty() {
                    tracing::warn!("switched, but {message}");
                }
                respond(call, SwitchController::Response { ok, message });
            }
            Asker::Node(index, task) => self.end_task(index, task, if ok { Ok(()) } else { Err(message) }),
        }
    }

    fn step_done(&mut self, step: Step) {
        self.show();
        if let Some(Pending { what: PendingOrder::Switch(_, switching), .. }) = &mut self.pending
            && switching.step() == Some(step)
        {
            switching.succeeded();
            self.go_on();
        }
    }

    /// Asks for the next step of a switch, or answers.
    fn go_on(&mut self) {
        let Some(Pending { what: PendingOrder::Switch(_, switching), .. }) = &self.pending else { return };
        match switching.step() {
            Some(Step::Activate(index)) => self.outbox.push_back(ManagerRequest::Activate(index)),
            Some(Step::Deactivate(index)) => self.outbox.push_back(ManagerRequest::Deactivate(index)),
            None => {
                if let Some(Pending { what: PendingOrder::Switch(asker, switching), .. }) =
                    self.pending.take()
                {
                    let (ok, message) = switching.outcome();
                    self.end_switch(asker, ok, message);
                }
            }
        }
    }

    fn set_hardware(&mut self, call: ServiceRequest<SetHardwareComponentState::Service>) {
        match self.hardware.order(&call.message, self.hardware_state) {
            Ok(wanted) if wanted == self.hardware_state => self.end_hardware(call, true),
            Ok(wanted) => {
                self.outbox.push_back(ManagerRequest::Hardware(wanted == Lifecycle::Active));
                let what = PendingOrder::Hardware(call, wanted);
                self.pending = Some(Pending { what, give_up: Instant::now() + LONGEST_HARDWARE_ORDER });
            }
            Err(why) => {
                tracing::error!("the hardware's state is not changed: {why}");
                self.end_hardware(call, false);
            }
        }
    }

    /// Answers an order to the hardware that is under way; `why` says what went wrong.
    fn end_hardware_order(&mut self, why: Option<&str>) {
        let Some(Pending { what: PendingOrder::Hardware(..), .. }) = self.pending else { return };
        if let Some(Pending { what: PendingOrder::Hardware(call, _), .. }) = self.pending.take() {
            if let Some(why) = why {
                tracing::error!("the hardware's state is not changed: {why}");
            }
            self.end_hardware(call, why.is_none());
        }
    }

    fn end_hardware(&self, call: ServiceRequest<SetHardwareComponentState::Service>, ok: bool) {
        let state = messages::state(self.hardware_state);
        respond(call, SetHardwareComponentState::Response { ok, state });
    }

    /// The owner did not answer in time.
    fn give_up(&mut self) {
        match self.pending.take() {
            Some(Pending { what: PendingOrder::Switch(asker, switching), .. }) => {
                let controller = switching.step().and_then(|step| self.roster.get(step.index()));
                let name = controller.map_or("?", |controller| controller.name.as_str());
                let (_, mut message) = switching.outcome();
                if !message.is_empty() {
                    message.push_str("; ");
                }
                message.push_str(&format!("controller `{name}` did not switch in time"));
                self.end_switch(asker, false, message);
            }
            Some(Pending { what: PendingOrder::Hardware(call, wanted), .. }) => {
                tracing::error!("{HARDWARE_NAME} did not get {} in time", wanted);
                self.end_hardware(call, false);
            }
            None => {}
        }
    }

    /// Tells how everything is, on the manager's topic and by the controllers' own nodes.
    fn show(&self) {
        publish(&self.activity, &messages::activity(&self.roster, self.hardware_state));
        self.nodes.iter().zip(self.roster.states()).for_each(|(node, state)| node.follow(state));
    }
}

/// Upstream has not more than the two first either, and 0 is what it calls the default.
fn strictness_of(strictness: i32) -> Result<Strictness, String> {
    type Request = SwitchController::Request;
    const BEST_EFFORT: i32 = Request::BEST_EFFORT as i32;
    const STRICT: i32 = Request::STRICT as i32;
    const AUTO: i32 = Request::AUTO as i32;
    const FORCE_AUTO: i32 = Request::FORCE_AUTO as i32;
    match strictness {
        // No controller is chained to another, so that there is nothing that AUTO could add.
        0 | BEST_EFFORT | AUTO => Ok(Strictness::BestEffort),
        STRICT => Ok(Strictness::Strict),
        FORCE_AUTO => Ok(Strictness::Force),
        _ => Err(format!(
            "strictness is {strictness}; it must be BEST_EFFORT (1), STRICT (2), AUTO (3) or FORCE_AUTO (4)"
        )),
    }
}

/// Resolves at an instant; without one, never.
async fn passed(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
