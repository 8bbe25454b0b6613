//! Motions to poses, to positions and along lines: planned here, executed by the controllers' actions.
//!
//! `~/target_pose` and `~/target_joints` are gone to on the fastest way; a new one takes the place of what is under way.
//! `~/move_linear` goes along a line and answers when that has ended; `~/stop` ends whatever there is;
//! `compute_cartesian_path` only plans. Nothing is executed that was asked for wrongly: the reason is in the answer and
//! on `/rosout`. What is planned and where the tip was are markers; one of them can be dragged, and is a target then.

mod execution;
mod interactive;
mod linear;
mod markers;
mod start;
mod targets;
mod trail;

use std::rc::Rc;
use std::sync::Arc;

use anyhow::anyhow;
use futures::StreamExt as _;
use nalgebra::Isometry3;
use r2r::geometry_msgs::msg::PoseStamped;
use r2r::moveit_msgs::srv::GetCartesianPath;
use r2r::sensor_msgs::msg::JointState;
use r2r::std_srvs::srv::Trigger;
use r2r::{Node, QosProfile, ServiceRequest};

use super::IkContext;
use super::failure::{Code, Failure};
use super::groups::Group;
use crate::nodes::parameters::{respond, service};
use crate::nodes::ros;
use execution::Execution;
use linear::Line;
use markers::{Markers, Shown};
use start::References;
use targets::Within;

/// What the motions work with.
pub struct Motions {
    context: Arc<IkContext>,
    references: References,
    execution: Execution,
    markers: Markers,
}

/// Offers all of them, and gives what they work with.
///
/// # Errors
/// Where something cannot be offered.
pub fn offer(node: &mut Node, context: &Arc<IkContext>) -> anyhow::Result<Rc<Motions>> {
    let motions = Rc::new(Motions {
        context: context.clone(),
        references: References::listen(node, &context.groups)?,
        execution: Execution::new(node, &context.groups)?,
        markers: Markers::new(node)?,
    });
    let requests = service::<GetCartesianPath::Service>(node, "compute_cartesian_path")?;
    let shared = motions.clone();
    ros::spawn(requests.for_each(move |request| {
        ros::spawn(shared.clone().compute(request));
        futures::future::ready(())
    }));
    let requests = service::<GetCartesianPath::Service>(node, "~/move_linear")?;
    let shared = motions.clone();
    ros::spawn(requests.for_each(move |request| {
        ros::spawn(shared.clone().move_linear(request));
        futures::future::ready(())
    }));
    let requests = service::<Trigger::Service>(node, "~/stop")?;
    let shared = motions.clone();
    ros::spawn(requests.for_each(move |request| {
        ros::spawn(shared.clone().stop(request));
        futures::future::ready(())
    }));
    let poses = node.subscribe::<PoseStamped>("~/target_pose", QosProfile::default());
    let poses = poses.map_err(|error| anyhow!("cannot listen to ~/target_pose: {error}"))?;
    let shared = motions.clone();
    ros::spawn(poses.for_each(move |pose| {
        ros::spawn(shared.clone().go_to_pose(pose, Within::Tolerance, "target_pose"));
        futures::future::ready(())
    }));
    let joints = node.subscribe::<JointState>("~/target_joints", QosProfile::default());
    let joints = joints.map_err(|error| anyhow!("cannot listen to ~/target_joints: {error}"))?;
    let shared = motions.clone();
    trail::offer(node, &motions)?;
    if context.settings().markers.interactive {
        interactive::offer(node, &motions)?;
    }
    ros::spawn(joints.for_each(move |joints| {
        ros::spawn(shared.clone().go_to_joints(joints));
        futures::future::ready(())
    }));
    Ok(motions)
}

impl Motions {
    /// `compute_cartesian_path`: plans, and no more.
    async fn compute(self: Rc<Self>, mut request: ServiceRequest<GetCartesianPath::Service>) {
        let asked = std::mem::take(&mut request.message);
        // What is to be executed begins at the reference; a measured start is a little beside it.
        let is_here = asked.start_state.joint_state.name.is_empty();
        let group = self.context.group(&asked.group_name).ok().filter(|_| is_here);
        let start = group.and_then(|group| self.references.of(group, &self.context).ok());
        let response = match self.plan(asked, start).await {
            Ok(line) => line.response,
            Err(failure) => refused(failure),
        };
        respond(request, response);
    }

    /// `~/move_linear`: answers when the motion has ended.
    async fn move_linear(self: Rc<Self>, mut request: ServiceRequest<GetCartesianPath::Service>) {
        let asked = std::mem::take(&mut request.message);
        let response = self.line(asked).await.unwrap_or_else(|(failure, response)| {
            tracing::warn!("~/move_linear: {}", failure.message);
            GetCartesianPath::Response { error_code: failure.answer(), ..response }
        });
        respond(request, response);
    }

    async fn line(
        &self,
        mut asked: GetCartesianPath::Request,
    ) -> Result<GetCartesianPath::Response, (Failure, GetCartesianPath::Response)> {
        let nothing = |failure| (failure, GetCartesianPath::Response::default());
        if !asked.start_state.joint_state.name.is_empty() {
            let message = "a motion starts where the arm is; leave start_state empty";
            return Err(nothing(Code::InvalidRobotState.because(message)));
        }
        let group = self.moved_group(&asked.group_name).map_err(nothing)?;
        asked.group_name.clone_from(&group.name);
        let turn = self.execution.next_turn();
        // What is under way would have moved on before this is planned.
        self.execution.halt().await.map_err(nothing)?;
        let start = self.references.at_rest(group, &self.context).await.map_err(nothing)?;
        let Line { response, tip, target, whole } = self.plan(asked, Some(start)).await.map_err(nothing)?;
        let shown = self.show(group, &target, &tip);
        if !whole {
            let failure = Code::InvalidMotionPlan.because(format!(
                "only {:.4} of the path can be gone, so that nothing is executed: {}",
                response.fraction, response.error_code.message
            ));
            return Err((failure, response));
        }
        let trajectory = response.solution.joint_trajectory.clone();
        let ended = self.execution.run(group, trajectory, turn).await;
        drop(shown);
        match ended {
            Ok(()) => Ok(response),
            Err(failure) => Err((failure, response)),
        }
    }

    async fn plan(
        &self,
        asked: GetCartesianPath::Request,
        start: Option<super::states::Positions>,
    ) -> Result<Line, Failure> {
        self.context.ready()?;
        let context = self.context.clone();
        let planned = tokio::task::spawn_blocking(move || linear::plan(&context, &asked, start)).await;
        planned.unwrap_or_else(|_panicked| Err(Code::Failure.because("planning ended unexpectedly")))
    }

    /// `~/stop`: whatever is under way or being planned is not to be.
    async fn stop(self: Rc<Self>, request: ServiceRequest<Trigger::Service>) {
        let (success, message) = match self.halt().await {
            Ok(true) => (true, "the motion is stopped".to_owned()),
            Ok(false) => (true, "nothing was under way".to_owned()),
            Err(failure) => (false, failure.message),
        };
        respond(request, Trigger::Response { success, message });
    }

    /// Ends what is under way or being planned; whether something was under way.
    pub(super) async fn halt(&self) -> Result<bool, Failure> {
        self.execution.next_turn();
        let halted = self.execution.halt().await;
        self.markers.clear();
        halted
    }

    /// Shows targets and the way of the tip, in the base of a group, until what is given back is dropped; what was shown
    /// before is gone.
    fn show<'a>(&'a self, group: &Group, targets: &[Isometry3<f64>], tip: &[Isometry3<f64>]) -> Shown<'a> {
        self.markers.show(self.context.transforms.name_of(&group.base), targets, tip)
    }

    /// Where the tip of the group that moves is measured in its base, if that is known.
    fn tip(&self) -> Option<(&Group, Isometry3<f64>)> {
        let group = self.moved_group("").ok()?;
        let reach = group.reach(&self.context.robot, "").ok()?;
        let positions = self.context.positions();
        let at = reach.joints().map(|joint| positions.get(joint)).collect::<Option<Vec<f64>>>()?;
        Some((group, reach.chain().tip_pose(&at)))
    }

    /// The group of this name; of an empty name the one that is configured, or the first that a controller drives.
    fn moved_group(&self, name: &str) -> Result<&Group, Failure> {
        self.context.ready()?;
        let settings = self.context.settings();
        let name = if name.is_empty() { settings.motions.group.as_deref().unwrap_or_default() } else { name };
        if name.is_empty() {
            let driven = self.context.groups.iter().find(|group| group.controller.is_some());
            return driven.ok_or_else(|| {
                Code::InvalidGroupName
                    .because("no group has a trajectory controller that moves all its joints")
            });
        }
        self.context.group(name)
    }
}

fn refused(failure: Failure) -> GetCartesianPath::Response {
    tracing::debug!("compute_cartesian_path: {}", failure.message);
    GetCartesianPath::Response { error_code: failure.answer(), ..GetCartesianPath::Response::default() }
}
