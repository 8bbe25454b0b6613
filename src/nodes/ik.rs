//! What `ik_node` offers on ROS, wherever it runs: where joints must be for a pose, and where links are.
//!
//! - [`groups`]: the robot and its groups of joints, each with a solver;
//! - [`states`], [`tf`]: where joints and frames are;
//! - [`services`]: `compute_ik` and `compute_fk`; [`solve`] and [`constraints`] are what is behind the first;
//! - [`motions`]: motions to poses, to positions and along lines, planned and executed;
//! - [`live`]: live control, by moveit_servo's names;
//! - [`failure`]: why something is not done, in MoveIt's codes.
//!
//! Every part has [`IkContext`], offers what it has to offer on the node before that is spun, and then lives on tasks
//! of its own.

mod acceptance;
pub mod constraints;
pub mod failure;
pub mod groups;
pub mod live;
pub mod motions;
pub mod services;
pub mod solve;
pub mod states;
pub mod tf;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use futures::channel::mpsc::UnboundedReceiver;
use nalgebra::Isometry3;
use r2r::Node;
use r2r::geometry_msgs::msg::PoseStamped;
use tokio::sync::watch;
use tracing::Span;

use super::lifecycle::{self, ManagedNode};
use super::ros::{self, AfterTurn};
use crate::collision::{CollisionModel, MeshFolders};
use crate::config::Config;
use crate::config::collision::CollisionConfig;
use crate::config::ik::IkConfig;
use crate::control::lifecycle::Task;
use crate::control::roster::Lifecycle;
use crate::kinematics::{Joint, RobotModel};
use failure::{Code, Failure};
use groups::{ControllerJoints, Group, Reach, Robot, groups};
use motions::Motions;
use states::{Measured, Positions};
use tf::Transforms;

/// What every part of the node works with; can be shared with other threads.
pub struct IkContext {
    /// Whether requests are answered; an inactive node answers none.
    is_active: AtomicBool,
    /// The robot.
    pub robot: Robot,
    /// Its groups.
    pub groups: Vec<Group>,
    /// The parameters as they are now.
    pub config: watch::Receiver<Config>,
    /// Where the joints are.
    pub measured: watch::Receiver<Measured>,
    /// Where others' frames are.
    pub transforms: Transforms,
    /// What can touch what, or why that is not known.
    pub collisions: Result<CollisionModel, String>,
}

/// Offers everything that inverse kinematics offer, on `node`, whose events belong in `span`; it must be spun then, and
/// its thread answer.
///
/// # Errors
/// Where a group is not the robot's, or ROS refuses something.
pub fn offer(
    node: &mut Node,
    span: Span,
    model: RobotModel,
    config: watch::Receiver<Config>,
    controllers: &[ControllerJoints],
) -> anyhow::Result<AfterTurn> {
    let robot = Robot::new(model, &config.borrow().arm);
    let groups = groups(&robot, &config.borrow(), controllers)?;
    let measured = states::listen(node, &robot.model)?;
    let transforms = Transforms::listen(node, &config.borrow().arm.frame_prefix)?;
    let collisions = collisions(&robot.model, &config.borrow().ik.collision);
    let is_active = config.borrow().ik.autostart.into();
    let context = Arc::new(IkContext { is_active, robot, groups, config, measured, transforms, collisions });
    let introduced = context.clone();
    ros::once_serving(move || introduced.introduce());
    let answers = services::offer(node, &context)?;
    // An arm without live control is one all the same.
    if let Err(error) = live::offer(node, &context) {
        tracing::error!("there is no live control: {error:#}");
    }
    let motions = motions::offer(node, &context)?;
    let (managed, tasks) = lifecycle::offer(node, span)?;
    if context.is_active.load(Ordering::Relaxed) {
        managed.follow(Lifecycle::Active);
    }
    ros::spawn(be_managed(context, motions, managed, tasks));
    Ok(answers)
}

/// Does what the lifecycle asks for: what is under way ends with being active, and nothing else has to be got or given
/// back.
async fn be_managed(
    context: Arc<IkContext>,
    motions: Rc<Motions>,
    managed: ManagedNode,
    mut tasks: UnboundedReceiver<Task>,
) {
    while let Some(task) = tasks.next().await {
        let was_active = context.is_active.swap(task == Task::Activate, Ordering::Relaxed);
        let ended = if was_active { motions.halt().await.map(|_was_under_way| ()) } else { Ok(()) };
        if ended.is_err() {
            context.is_active.store(true, Ordering::Relaxed);
        }
        managed.finish(ended.map_err(|failure| failure.message));
    }
}

/// What the configuration puts around the robot; a sentence, where it is not to be looked for or cannot be.
fn collisions(model: &RobotModel, config: &CollisionConfig) -> Result<CollisionModel, String> {
    if !config.is_checked {
        return Err("`collision.check` is false, so nothing is known of collisions".to_owned());
    }
    let folders = MeshFolders::of_prefixes(&std::env::var("AMENT_PREFIX_PATH").unwrap_or_default());
    match CollisionModel::configured(model, config, &folders) {
        Ok(collisions) => {
            collisions.warnings().iter().for_each(|warning| tracing::warn!("collisions: {warning}"));
            Ok(collisions)
        }
        Err(error) => {
            tracing::warn!("nothing is known of collisions: {error}");
            Err(format!("nothing is known of collisions: {error}"))
        }
    }
}

impl IkContext {
    /// Nothing is done, and nothing answered, before the node is active.
    ///
    /// # Errors
    /// Where it is not.
    pub fn ready(&self) -> Result<(), Failure> {
        match self.is_active.load(Ordering::Relaxed) {
            true => Ok(()),
            false => {
                Err(Code::Failure.because("ik_node is not active; ask its service change_state for that"))
            }
        }
    }

    /// The parameters of inverse kinematics as they are now.
    pub fn settings(&self) -> IkConfig {
        self.config.borrow().ik.clone()
    }

    /// The group of this name.
    ///
    /// # Errors
    /// Where there is none.
    pub fn group(&self, name: &str) -> Result<&Group, Failure> {
        self.groups.iter().find(|group| group.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.groups.iter().map(|group| group.name.as_str()).collect();
            Code::InvalidGroupName
                .because(format!("there is no group `{name}`; there are {}", names.join(", ")))
        })
    }

    /// Where the joints are now, as far as that is known.
    pub fn positions(&self) -> Positions {
        let within = Duration::from_secs_f64(self.config.borrow().ik.state_timeout_secs);
        Positions::measured(&self.measured.borrow(), within)
    }

    /// Where a frame is in the robot's root, of the robot's own frames with its joints at `positions`.
    ///
    /// # Errors
    /// Where it is not known.
    pub fn root_from(&self, frame: &str, positions: &Positions) -> Result<Isometry3<f64>, Failure> {
        let position_of = |joint: &str| positions.get(joint);
        Ok(self.transforms.root_from(&self.robot.model, frame, &position_of)?)
    }

    /// A pose in the base of a group, with the joints at `positions`. Without a frame it is in the root's.
    ///
    /// # Errors
    /// Where its frame is not known, or it is no pose.
    pub fn base_from(
        &self,
        group: &Group,
        pose: &PoseStamped,
        positions: &Positions,
    ) -> Result<Isometry3<f64>, Failure> {
        let frame_from_target = tf::pose_of(&pose.pose)?;
        let root_from_frame = self.root_from(&pose.header.frame_id, positions)?;
        let root_from_base = self.root_from(&group.base, positions)?;
        Ok(root_from_base.inverse() * root_from_frame * frame_from_target)
    }

    /// Where a search begins: where the joints are, or were when they were last heard of, or the middle of their travel.
    pub fn seed(&self, reach: &Reach, positions: &Positions) -> Vec<f64> {
        let measured = self.measured.borrow();
        let of = |joint: &Joint| {
            let last = || measured.joint(&joint.name).map(|joint| joint.position);
            let middle = || joint.limits.position.map(|range| 0.5 * (range.lower + range.upper));
            positions.get(&joint.name).or_else(last).or_else(middle).unwrap_or(0.0)
        };
        reach.chain().joints().iter().map(of).collect()
    }

    fn introduce(&self) {
        for Group { name, base, tip, joints, .. } in &self.groups {
            tracing::info!("group `{name}`: {} from `{base}` to `{tip}`", joints.join(", "));
        }
        if self.groups.is_empty() {
            tracing::warn!("there is no group of joints: give `groups.NAME.tip`, or controllers with joints");
        }
    }
}
