//! The services `~/torque`, `~/emergency_stop` and `~/reset`, the topic `~/emergency_stop`, SIGUSR1, and the lifecycle.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use futures::StreamExt as _;
use futures::channel::mpsc::UnboundedReceiver;
use futures::stream::BoxStream;
use r2r::std_msgs::msg::Bool;
use r2r::std_srvs::srv::{SetBool, Trigger};
use r2r::{Node, QosProfile, ServiceRequest};
use rtrb::Producer;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::Span;

use super::ArmView;
use crate::control::arm::ArmRequest;
use crate::control::lifecycle::Task;
use crate::control::safety::{Cause, State, Transition};
use crate::control::watch::{Level, WatchNews};
use crate::nodes::lifecycle::{self, ManagedNode};
use crate::nodes::parameters::{respond, service};
use crate::servo::ports::ArmEvent;

/// The arm's buttons.
pub struct HardwareServices {
    torque: BoxStream<'static, ServiceRequest<SetBool::Service>>,
    emergency_stop: BoxStream<'static, ServiceRequest<Trigger::Service>>,
    reset: BoxStream<'static, ServiceRequest<Trigger::Service>>,
    stop_topic: BoxStream<'static, Bool>,
    stop_signal: Signal,
    managed: ManagedNode,
    tasks: UnboundedReceiver<Task>,
    /// The node stops, and nothing begins any more.
    is_ending: bool,
    /// An emergency stop found no room in the queue, and is asked for again.
    is_stop_due: bool,
    requests: Producer<ArmRequest>,
    view: watch::Receiver<ArmView>,
    pending: VecDeque<Pending>,
    /// Why the arm is in its state, in words.
    cause: String,
    joints: Vec<String>,
}

/// A service call that waits for the arm to do it.
struct Pending {
    request: ArmRequest,
    /// The cycle by which the arm has certainly heard it.
    heard_by: u64,
    give_up: Instant,
    answer: Box<dyn FnOnce(bool, String)>,
}

/// Longer than a torque ramp may take.
const LONGEST_REQUEST: Duration = Duration::from_secs(12);
/// Longer than the way to the rest pose may take.
const LONGEST_END: Duration = Duration::from_secs(30);
const CHECK_PERIOD: Duration = Duration::from_millis(5);

impl HardwareServices {
    /// Creates the services and the topic on `node`, and listens to the signal.
    ///
    /// # Errors
    /// Where one of them cannot be had.
    pub(super) fn offer(
        node: &mut Node,
        span: Span,
        joints: &[String],
        requests: Producer<ArmRequest>,
        view: watch::Receiver<ArmView>,
    ) -> anyhow::Result<Self> {
        let stop_topic = node
            .subscribe::<Bool>("~/emergency_stop", QosProfile::default())
            .map_err(|error| anyhow!("cannot listen to ~/emergency_stop: {error}"))?;
        let (managed, tasks) = lifecycle::offer(node, span)?;
        Ok(Self {
            managed,
            tasks,
            torque: service::<SetBool::Service>(node, "~/torque")?.boxed(),
            emergency_stop: service::<Trigger::Service>(node, "~/emergency_stop")?.boxed(),
            reset: service::<Trigger::Service>(node, "~/reset")?.boxed(),
            stop_topic: stop_topic.boxed(),
            stop_signal: signal(SignalKind::user_defined1()).context("cannot listen to SIGUSR1")?,
            is_ending: false,
            is_stop_due: false,
            requests,
            view,
            pending: VecDeque::new(),
            cause: String::new(),
            joints: joints.to_vec(),
        })
    }

    /// Takes the next service call, or looks whether one that waits is done. Cancel safe.
    pub async fn serve(&mut self) {
        tokio::select! {
            // Who wants to stop comes first.
            biased;
            Some(_) = self.stop_signal.recv() => self.stop("SIGUSR1"),
            Some(message) = self.stop_topic.next() => if message.data {
                self.stop("the topic ~/emergency_stop");
            },
            Some(call) = self.emergency_stop.next() => {
                self.ask(ArmRequest::EmergencyStop, |success, message| respond(call, Trigger::Response { success, message }));
            }
            Some(call) = self.torque.next() => {
                let request = if call.message.data { ArmRequest::TorqueOn } else { ArmRequest::TorqueOff };
                self.ask(request, |success, message| respond(call, SetBool::Response { success, message }));
            }
            Some(call) = self.reset.next() => {
                self.ask(ArmRequest::Reset, |success, message| respond(call, Trigger::Response { success, message }));
            }
            Some(task) = self.tasks.next() => self.begin(task),
            () = tokio::time::sleep(CHECK_PERIOD), if self.is_stop_due || !self.pending.is_empty() => {
                self.press_stop();
                self.answer_what_is_done();
            }
        }
    }

    /// Logs what happened, and answers the calls that it decides.
    pub fn note(&mut self, event: &ArmEvent) {
        match event {
            ArmEvent::Transition(transition) => {
                self.log(*transition);
                self.managed.follow(transition.to.into());
                if let Cause::TorqueStuck(joint) = transition.cause {
                    let name = self.joints.get(joint).map_or("?", String::as_str);
                    self.refuse(
                        ArmRequest::TorqueOff,
                        &format!("{} (joint `{name}`)", transition.cause.text()),
                    );
                }
            }
            ArmEvent::Trouble(text) => tracing::warn!("{text}"),
            ArmEvent::NotConnected(why) => self.refuse(ArmRequest::Connect, why),
            ArmEvent::Refused(request, refusal) => self.refuse(*request, &refusal.sentence(&self.joints)),
            ArmEvent::Watch(news) => self.log_watch(*news),
            ArmEvent::Controller(..) => {}
        }
    }

    /// The node stops: from now on nothing is done but to stop and to let go.
    pub fn refuse_all_but_stops(&mut self) {
        self.is_ending = true;
    }

    /// Asks the arm to be active or inactive, without a client that waits for the answer.
    pub fn set_active(&mut self, active: bool) {
        self.ask(if active { ArmRequest::TorqueOn } else { ArmRequest::Deactivate }, |_, _| ());
    }

    fn begin(&mut self, task: Task) {
        let managed = self.managed.clone();
        let request = match task {
            Task::Configure => ArmRequest::Connect,
            Task::Activate => ArmRequest::TorqueOn,
            Task::Deactivate => ArmRequest::Deactivate,
            Task::CleanUp | Task::ShutDown => ArmRequest::Disconnect,
        };
        self.ask(request, move |done, why| managed.finish(if done { Ok(()) } else { Err(why) }));
    }

    fn stop(&mut self, who: &str) {
        tracing::error!("emergency stop asked for by {who}");
        self.is_stop_due = true;
        self.press_stop();
    }

    fn press_stop(&mut self) {
        self.is_stop_due = self.is_stop_due && self.requests.push(ArmRequest::EmergencyStop).is_err();
    }

    fn refuse(&mut self, request: ArmRequest, why: &str) {
        if let Some(index) = self.pending.iter().position(|pending| pending.request == request)
            && let Some(pending) = self.pending.remove(index)
        {
            (pending.answer)(false, why.to_owned());
        }
    }

    fn ask(&mut self, request: ArmRequest, answer: impl FnOnce(bool, String) + 'static) {
        if self.is_ending && !matches!(request, ArmRequest::EmergencyStop | ArmRequest::TorqueOff) {
            answer(false, "the node stops".to_owned());
            return;
        }
        if self.requests.push(request).is_err() {
            answer(false, "too many requests wait already".to_owned());
            return;
        }
        let heard_by = self.view.borrow().cycle + 2;
        let longest = match request {
            ArmRequest::Deactivate | ArmRequest::Disconnect => LONGEST_END,
            _ => LONGEST_REQUEST,
        };
        let give_up = Instant::now() + longest;
        self.pending.push_back(Pending { request, heard_by, give_up, answer: Box::new(answer) });
    }

    fn answer_what_is_done(&mut self) {
        let view = *self.view.borrow();
        for pending in std::mem::take(&mut self.pending) {
            let heard = pending.heard_by <= view.cycle;
            if heard && is_done(pending.request, view) {
                (pending.answer)(true, format!("the arm is {}", view.state));
            } else if pending.give_up <= Instant::now() || (heard && is_hopeless(pending.request, view)) {
                let why = if self.cause.is_empty() { String::new() } else { format!(": {}", self.cause) };
                (pending.answer)(false, format!("the arm is {}{why}", view.state));
            } else {
                self.pending.push_back(pending);
            }
        }
    }

    /// The node ends: whoever still waits is told how it went.
    pub fn finish(&mut self) {
        let view = *self.view.borrow();
        for Pending { request, answer, .. } in std::mem::take(&mut self.pending) {
            answer(is_done(request, view), format!("the arm is {}, and the node ends", view.state));
        }
    }

    fn log_watch(&self, news: WatchNews) {
        let joint = self.joints.get(news.joint).map_or("?", String::as_str);
        let text = news.sentence();
        match news.level {
            level if level < news.before => tracing::info!("joint `{joint}`: {text}"),
            Level::Trip => tracing::error!("joint `{joint}`: {text}"),
            _ => tracing::warn!("joint `{joint}`: {text}"),
        }
    }

    fn log(&mut self, transition: Transition) {
        let Transition { from, to, cause } = transition;
        let joint = cause.joint().and_then(|joint| self.joints.get(joint));
        let at = joint.map(|joint| format!(" (joint `{joint}`)")).unwrap_or_default();
        let text = cause.text();
        self.cause = format!("{text}{at}");
        match to {
            State::Disconnected if cause == Cause::PortClosed => tracing::info!("{from} -> {to}: {text}"),
            State::Faulted | State::EmergencyStop | State::Disconnected => {
                tracing::error!("{from} -> {to}: {text}{at}");
            }
            State::Degraded | State::Resting => tracing::warn!("{from} -> {to}: {text}{at}"),
            State::Active => tracing::debug!("{from} -> {to}: {text}{at}"),
            State::Holding if from == State::Active => tracing::debug!("{from} -> {to}: {text}{at}"),
            _ => tracing::info!("{from} -> {to}: {text}{at}"),
        }
    }
}

fn is_done(request: ArmRequest, view: ArmView) -> bool {
    match request {
        ArmRequest::TorqueOn => view.torque && view.state.can_move(),
        // What the servos of a lost bus do, nobody knows.
        ArmRequest::TorqueOff => {
            !view.torque && !matches!(view.state, State::Releasing | State::Disconnected)
        }
        ArmRequest::EmergencyStop => view.state == State::EmergencyStop,
        ArmRequest::Reset => !view.state.is_latched(),
        ArmRequest::Deactivate => {
            !view.state.can_move()
                && !matches!(
                    view.state,
                    State::Energizing | State::Resting | State::Releasing | State::Disconnected
                )
        }
        ArmRequest::Connect => view.state != State::Disconnected,
        ArmRequest::Disconnect => view.state == State::Disconnected,
    }
}

/// Whether waiting longer is no use.
fn is_hopeless(request: ArmRequest, view: ArmView) -> bool {
    match request {
        // Who looks for the servos says how it went.
        ArmRequest::Connect | ArmRequest::Disconnect => false,
        ArmRequest::TorqueOn if view.state.is_latched() => true,
        _ => view.state == State::Disconnected,
    }
}
