//! The services `compute_ik` and `compute_fk`, as MoveIt has them.

use std::sync::Arc;

use futures::StreamExt as _;
use r2r::Node;
use r2r::geometry_msgs::msg::PoseStamped;
use r2r::moveit_msgs::srv::GetPositionFK;
use r2r::std_msgs::msg::Header;

use super::IkContext;
use super::failure::{Code, Failure};
use super::states::Positions;
use super::tf::{message_of, plain};
use crate::nodes::messages::stamp_now;
use crate::nodes::parameters::{respond, service};

/// Offers both, at the top of the node's namespace.
///
/// # Errors
/// Where one cannot be offered.
pub fn offer(node: &mut Node, context: &Arc<IkContext>) -> anyhow::Result<()> {
    let requests = service::<GetPositionFK::Service>(node, "compute_fk")?;
    let shared = context.clone();
    tokio::task::spawn_local(requests.for_each(move |request| {
        let response = compute_fk(&shared, &request.message);
        respond(request, response);
        futures::future::ready(())
    }));
    Ok(())
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
    let model = &context.robot.model;
    if links.is_empty() {
        return Err(Code::InvalidLinkName.because("fk_link_names is empty; name at least one link"));
    }
    let positions: Positions = context.positions().with(robot_state, model)?;
    let frame = if header.frame_id.is_empty() { model.root() } else { plain(&header.frame_id) };
    let frame_from_root = context.root_from(frame, &positions)?.inverse();
    let (known, unknown): (Vec<&String>, Vec<&String>) =
        links.iter().partition(|link| model.frame(link).is_some());
    let header = Header { stamp: stamp_now(), frame_id: frame.to_owned() };
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
