//! An action server on the three services and two topics that an action is made of.
//!
//! r2r's own server learns of a cancel and answers it only when its node next spins, never ends the state of a
//! cancelled goal, and never forgets a finished one; here everything leaves at once and nothing stays. The protocol
//! is that of <https://design.ros2.org/articles/actions.html>.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use r2r::action_msgs::msg::{GoalInfo, GoalStatus, GoalStatusArray};
use r2r::action_msgs::srv::CancelGoal;
use r2r::builtin_interfaces::msg::Time as Stamp;
use r2r::qos::DurabilityPolicy;
use r2r::unique_identifier_msgs::msg::UUID;
use r2r::{Node, Publisher, QosProfile, ServiceRequest, WrappedActionTypeSupport};

use super::messages::stamp_now;
use super::parameters::{respond, service};

/// A goal's name among clients.
pub type GoalUuid = [u8; 16];

/// What clients ask of the server's owner.
pub enum ActionRequest<A: WrappedActionTypeSupport> {
    /// Execute this. It is accepted already.
    Goal(GoalUuid, A::Goal),
    /// Stop executing this. The client knows already that it will be.
    Cancel(GoalUuid),
}

/// How a goal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoalEnd {
    /// It was reached.
    Succeeded,
    /// A client wanted it to end.
    Canceled,
    /// Anything else.
    Aborted,
}

/// An action server. Its owner calls [`ActionServer::next`] again and again, and [`ActionServer::finish`] once a goal.
pub struct ActionServer<A: WrappedActionTypeSupport + 'static> {
    goal_requests: BoxStream<'static, ServiceRequest<A::SendGoal>>,
    result_requests: BoxStream<'static, ServiceRequest<A::GetResult>>,
    cancel_requests: BoxStream<'static, ServiceRequest<CancelGoal::Service>>,
    feedback: Publisher<A::FeedbackMessage>,
    status: Publisher<GoalStatusArray>,
    goals: BTreeMap<GoalUuid, Goal<A>>,
    /// Cancels that the owner has not been told of yet.
    cancels: Vec<GoalUuid>,
}

struct Goal<A: WrappedActionTypeSupport> {
    status: i8,
    accepted: Stamp,
    waiting: Vec<ServiceRequest<A::GetResult>>,
    result: Option<(A::Result, Instant)>,
    /// Whether a client has been told the result.
    told: bool,
}

/// How long a result is kept for clients that ask late; `rcl_action` keeps it as long.
const RESULT_TIMEOUT: Duration = Duration::from_secs(10);
/// More goals than this are not under way at once.
const MOST_GOALS: usize = 1000;
/// More finished goals than this are not kept, however fast they come and end.
const MOST_FINISHED: usize = 200;

mod status {
    use super::{CancelGoal, GoalStatus};

    pub(super) const EXECUTING: i8 = GoalStatus::STATUS_EXECUTING as i8;
    pub(super) const CANCELING: i8 = GoalStatus::STATUS_CANCELING as i8;
    pub(super) const SUCCEEDED: i8 = GoalStatus::STATUS_SUCCEEDED as i8;
    pub(super) const CANCELED: i8 = GoalStatus::STATUS_CANCELED as i8;
    pub(super) const ABORTED: i8 = GoalStatus::STATUS_ABORTED as i8;
    pub(super) const UNKNOWN: i8 = GoalStatus::STATUS_UNKNOWN as i8;
    pub(super) const CANCEL_NONE: i8 = CancelGoal::Response::ERROR_NONE as i8;
    pub(super) const CANCEL_UNKNOWN_GOAL: i8 = CancelGoal::Response::ERROR_UNKNOWN_GOAL_ID as i8;
    pub(super) const CANCEL_TERMINATED: i8 = CancelGoal::Response::ERROR_GOAL_TERMINATED as i8;
}

impl<A: WrappedActionTypeSupport + 'static> ActionServer<A> {
    /// Offers the action `name`.
    ///
    /// # Errors
    /// Where one of its services or topics cannot be created.
    pub fn new(node: &mut Node, name: &str) -> anyhow::Result<Self> {
        let latched =
            QosProfile { durability: DurabilityPolicy::TransientLocal, depth: 1, ..QosProfile::default() };
        let topic = |part: &str| format!("{name}/_action/{part}");
        let offered = |error| anyhow!("cannot offer action {name}: {error}");
        Ok(Self {
            goal_requests: service::<A::SendGoal>(node, &topic("send_goal"))?.boxed(),
            result_requests: service::<A::GetResult>(node, &topic("get_result"))?.boxed(),
            cancel_requests: service::<CancelGoal::Service>(node, &topic("cancel_goal"))?.boxed(),
            feedback: node.create_publisher(&topic("feedback"), QosProfile::default()).map_err(offered)?,
            status: node.create_publisher(&topic("status"), latched).map_err(offered)?,
            goals: BTreeMap::new(),
            cancels: Vec::new(),
        })
    }

    /// What a client asks next; everything that needs no decision is answered on the way. Cancel safe.
    pub async fn next(&mut self) -> ActionRequest<A> {
        loop {
            if let Some(uuid) = self.cancels.pop() {
                return ActionRequest::Cancel(uuid);
            }
            tokio::select! {
                Some(request) = self.goal_requests.next() => {
                    if let Some(goal) = self.on_goal(request) {
                        return goal;
                    }
                }
                Some(request) = self.result_requests.next() => self.on_result_request(request),
                Some(request) = self.cancel_requests.next() => self.on_cancel(request),
            }
        }
    }

    /// Ends a goal; its result leaves at once.
    pub fn finish(&mut self, uuid: GoalUuid, end: GoalEnd, result: A::Result) {
        let Some(goal) = self.goals.get_mut(&uuid) else { return };
        goal.status = match end {
            GoalEnd::Succeeded => status::SUCCEEDED,
            GoalEnd::Canceled => status::CANCELED,
            GoalEnd::Aborted => status::ABORTED,
        };
        goal.told = !goal.waiting.is_empty();
        for request in goal.waiting.drain(..) {
            respond(request, A::make_result_response_msg(goal.status, result.clone()));
        }
        goal.result = Some((result, Instant::now()));
        self.publish_status();
    }

    /// Sends feedback on a goal.
    pub fn publish_feedback(&self, uuid: GoalUuid, feedback: A::Feedback) {
        let message = A::make_feedback_msg(UUID { uuid: uuid.to_vec() }, feedback);
        if let Err(error) = self.feedback.publish(&message) {
            tracing::debug!(%error, "feedback was not sent");
        }
    }

    fn on_goal(&mut self, request: ServiceRequest<A::SendGoal>) -> Option<ActionRequest<A>> {
        self.forget_old_goals();
        let (id, goal) = A::destructure_goal_request_msg(request.message.clone());
        let uuid = uuid_of(&id);
        let acceptable = uuid.filter(|uuid| !self.goals.contains_key(uuid) && self.goals.len() < MOST_GOALS);
        let Some(uuid) = acceptable else {
            tracing::warn!(
                "a goal was rejected: its id is in use, or there are more than {MOST_GOALS} goals"
            );
            respond(request, A::make_goal_response_msg(false, Stamp::default()));
            return None;
        };
        let accepted = stamp_now();
        respond(request, A::make_goal_response_msg(true, accepted.clone()));
        let new =
            Goal { status: status::EXECUTING, accepted, waiting: Vec::new(), result: None, told: false };
        self.goals.insert(uuid, new);
        self.publish_status();
        Some(ActionRequest::Goal(uuid, goal))
    }

    fn on_result_request(&mut self, request: ServiceRequest<A::GetResult>) {
        let id = A::destructure_result_request_msg(request.message.clone());
        match uuid_of(&id).and_then(|uuid| self.goals.get_mut(&uuid)) {
            None => respond(request, A::make_result_response_msg(status::UNKNOWN, A::Result::default())),
            Some(goal) => match &goal.result {
                Some((result, _)) => {
                    goal.told = true;
                    respond(request, A::make_result_response_msg(goal.status, result.clone()))
                }
                None => goal.waiting.push(request),
            },
        }
    }

    fn on_cancel(&mut self, request: ServiceRequest<CancelGoal::Service>) {
        let GoalInfo { goal_id, stamp } = &request.message.goal_info;
        let named = uuid_of(goal_id).filter(|uuid| *uuid != GoalUuid::default());
        let before = Some(stamp).filter(|stamp| (stamp.sec, stamp.nanosec) != (0, 0));
        let is_meant = |uuid: &GoalUuid, goal: &Goal<A>| match (named, before) {
            (None, None) => true,
            (named, before) => {
                let is_older =
                    |stamp: &Stamp| (goal.accepted.sec, goal.accepted.nanosec) <= (stamp.sec, stamp.nanosec);
                named == Some(*uuid) || before.is_some_and(is_older)
            }
        };
        let mut canceling = Vec::new();
        for (uuid, goal) in &mut self.goals {
            if goal.status == status::EXECUTING && is_meant(uuid, goal) {
                goal.status = status::CANCELING;
                let goal_id = UUID { uuid: uuid.to_vec() };
                canceling.push(GoalInfo { goal_id, stamp: goal.accepted.clone() });
                self.cancels.push(*uuid);
            }
        }
        let return_code = match named.map(|uuid| self.goals.contains_key(&uuid)) {
            Some(false) => status::CANCEL_UNKNOWN_GOAL,
            Some(true) if canceling.is_empty() => status::CANCEL_TERMINATED,
            _ => status::CANCEL_NONE,
        };
        respond(request, CancelGoal::Response { return_code, goals_canceling: canceling });
        self.publish_status();
    }

    fn forget_old_goals(&mut self) {
        self.goals.retain(|_, goal| {
            goal.result.as_ref().is_none_or(|(_, finished)| finished.elapsed() < RESULT_TIMEOUT)
        });
        let mut finished: Vec<_> = self
            .goals
            .iter()
            .filter_map(|(uuid, goal)| Some((!goal.told, goal.result.as_ref()?.1, *uuid)))
            .collect();
        // Those whose client knows the result go first, then the oldest.
        finished.sort_unstable();
        for (_, _, uuid) in finished.iter().take(finished.len().saturating_sub(MOST_FINISHED)) {
            self.goals.remove(uuid);
        }
    }

    fn publish_status(&self) {
        let status_of = |(uuid, goal): (&GoalUuid, &Goal<A>)| GoalStatus {
            goal_info: GoalInfo { goal_id: UUID { uuid: uuid.to_vec() }, stamp: goal.accepted.clone() },
            status: goal.status,
        };
        let message = GoalStatusArray { status_list: self.goals.iter().map(status_of).collect() };
        if let Err(error) = self.status.publish(&message) {
            tracing::debug!(%error, "the goals' status was not sent");
        }
    }
}

fn uuid_of(id: &UUID) -> Option<GoalUuid> {
    GoalUuid::try_from(id.uuid.as_slice()).ok()
}
