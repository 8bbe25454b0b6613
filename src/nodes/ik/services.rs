//! The services `compute_ik` and `compute_fk`, as MoveIt has them.

use std::sync::Arc;

use anyhow::anyhow;
use futures::{FutureExt as _, StreamExt as _};
use r2r::geometry_msgs::msg::PoseStamped;
use r2r::moveit_msgs::srv::{GetPositionFK, GetPositionIK};
use r2r::std_msgs::msg::Header;
use r2r::{Node, QosProfile, ServiceRequest};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tracing::Span;

use super::failure::{Code, Failure};
use super::states::Positions;
use super::tf::{message_of, plain};
use super::{IkContext, solve};
use crate::nodes::messages::stamp_now;
use crate::nodes::parameters::{respond, service};
use crate::nodes::ros;
use crate::nodes::ros::AfterTurn;

/// As many requests may wait to be taken.
const MOST_WAITING: usize = 200;

/// Offers both, at the top of the node's namespace; gives what the node's thread has to do for that.
///
/// # Errors
/// Where one cannot be offered.
pub fn offer(node: &mut Node, context: &Arc<IkContext>) -> anyhow::Result<AfterTurn> {
    // Planners ask for many at once; the usual ten would let the others go unanswered.
    let mut requests = node
        .create_service::<GetPositionIK::Service>(
            "compute_ik",
            QosProfile::services_default().keep_last(MOST_WAITING),
        )
        .map_err(|error| anyhow!("cannot offer service compute_ik: {error}"))?;
    let searches = search_longer(context.clone());
    let (shared, span) = (context.clone(), Span::current());
    let answers = Box::new(move || {
        while let Some(Some(request)) = requests.next().now_or_never() {
            let _inside = span.enter();
            match solve::at_once(&shared, &request.message.ik_request) {
                Some(response) => answer(request, response),
                // Nobody waits there any more once the process ends.
                None => drop(searches.send(request)),
            }
        }
    });
    let requests = service::<GetPositionFK::Service>(node, "compute_fk")?;
    let shared = context.clone();
    ros::spawn(requests.for_each(move |request| {
        let response = compute_fk(&shared, &request.message);
        respond(request, response);
        futures::future::ready(())
    }));
    Ok(answers)
}

/// A search that is not over at once may take as long as its client likes: it has a thread of its own, and no more run at
/// once than there are processors.
fn search_longer(context: Arc<IkContext>) -> UnboundedSender<ServiceRequest<GetPositionIK::Service>> {
    let (searches, mut waiting) = unbounded_channel();
    let workers = Arc::new(Semaphore::new(workers()));
    ros::spawn(async move {
        while let Some(request) = waiting.recv().await {
            ros::spawn(compute_ik(context.clone(), workers.clone(), request));
        }
    });
    searches
}

async fn compute_ik(
    context: Arc<IkContext>,
    workers: Arc<Semaphore>,
    mut request: ServiceRequest<GetPositionIK::Service>,
) {
    let Ok(_place) = workers.acquire().await else { return };
    let asked = std::mem::take(&mut request.message.ik_request);
    let response = tokio::task::spawn_blocking(move || solve::answer(&context, &asked)).await;
    let response = response.unwrap_or_else(|_panicked| GetPositionIK::Response {
        error_code: Code::Failure.answer("the search ended unexpectedly"),
        ..GetPositionIK::Response::default()
    });
    answer(request, response);
}

fn answer(request: ServiceRequest<GetPositionIK::Service>, response: GetPositionIK::Response) {
    if response.error_code.val != Code::Success.number() {
        tracing::debug!("compute_ik: {}", response.error_code.message);
    }
    respond(request, response);
}

fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn compute_fk(context: &IkContext, request: &GetPositionFK::Request) -> GetPositionFK::Response {
    forward(context, request).unwrap_or_else(|failure| GetPositionFK::Response {
        error_code: failure.answer(),
        ..GetPositionFK::Response::default()
    })
}

/// The links' poses in the frame of the header, both with the joints of the request; links that there are not are left
/// out, and said to be missing.
fn forward(
    context: &IkContext,
    GetPositionFK::Request { header, fk_link_names: links, robot_state }: &GetPositionFK::Request,
) -> Result<GetPositionFK::Response, Failure> {
    context.ready()?;
    let model = &context.robot.model;
    if links.is_empty() {
        return Err(Code::InvalidLinkName.because("fk_link_names is empty; name at least one link"));
    }
    let positions: Positions = context.positions().with(robot_state, model)?;
    let frame = match plain(&header.frame_id) {
        "" => context.transforms.name_of(model.root()),
        frame => frame.to_owned(),
    };
    let frame_from_root = context.root_from(&frame, &positions)?.inverse();
    let (known, unknown): (Vec<&String>, Vec<&String>) =
        links.iter().partition(|link| model.frame(link).is_some());
    let header = Header { stamp: stamp_now(), frame_id: frame };
    let stamped = |link: &&String| {
        let frame_from_link = frame_from_root * context.root_from(link, &positions)?;
        Ok(PoseStamped { header: header.clone(), pose: message_of(&frame_from_link) })
    };
    let pose_stamped = known.iter().map(stamped).collect::<Result<_, Failure>>()?;
    let error_code = match unknown.first() {
        None => Code::Success.answer(""),
        Some(link) => Code::InvalidLinkName.answer(format!("the robot has no link `{link}`")),
    };
    Ok(GetPositionFK::Response {
        pose_stamped,
        fk_link_names: known.into_iter().cloned().collect(),
        error_code,
    })
}
