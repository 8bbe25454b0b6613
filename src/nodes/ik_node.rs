//! Inverse kinematics as a process of their own, or beside the controllers in that of an arm.

use std::time::Duration;

use anyhow::anyhow;
use futures::{FutureExt as _, StreamExt as _};
use r2r::qos::DurabilityPolicy;
use r2r::std_msgs::msg::String as Text;
use r2r::{Context, QosProfile};
use tokio::sync::watch;

use super::ik;
use super::parameters;
use super::ros::{self, NodeBuilder, Spun};
use crate::config::arm::ArmConfig;
use crate::config::settings::Settings;
use crate::config::{Config, Part};
use crate::kinematics::RobotModel;
use crate::servo::setup::robot_model;

/// How long one turn of the node takes at most, while it waits for the robot model.
const TURN: Duration = Duration::from_millis(20);

/// Runs until it is asked to stop.
///
/// # Errors
/// Where configuration or robot model are not usable.
pub async fn run(context: Context) -> anyhow::Result<()> {
    let mut draft = Draft::read(&context, "")?;
    let stop = ros::asked_to_stop();
    tokio::pin!(stop);
    let model = tokio::select! {
        biased;
        stopped = &mut stop => return stopped,
        model = draft.model() => model?,
    };
    let spinning = ros::spin([draft.host(model)?])?;
    stop.await?;
    tracing::info!("stopping");
    drop(spinning);
    Ok(())
}

/// The node with its parameters read.
pub struct Draft {
    builder: NodeBuilder,
    settings: Settings,
    controllers: Vec<ik::groups::ControllerJoints>,
}

impl Draft {
    /// Creates the node in a namespace, or in the process's where that is empty, and reads its parameters.
    ///
    /// # Errors
    /// Where a parameter is wrong or unknown, or the middleware cannot be used.
    pub fn read(context: &Context, namespace: &str) -> anyhow::Result<Self> {
        let builder = NodeBuilder::new(context, "ik_node", namespace)?;
        let settings = builder.settings(&[Part::Ik])?;
        let controllers = ik::groups::controllers(&builder.node.namespace()?, &builder.arm_joints);
        Ok(Self { builder, settings, controllers })
    }

    /// Offers everything; gives the node, to be spun.
    ///
    /// # Errors
    /// Where a group is not the robot's, or ROS refuses something.
    pub fn host(mut self, model: RobotModel) -> anyhow::Result<Spun> {
        let span = self.builder.span.clone();
        let _inside = span.enter();
        let config: watch::Receiver<Config> =
            parameters::serve_settings(&mut self.builder.node, self.settings)?;
        let answers = ik::offer(&mut self.builder.node, span.clone(), model, config, &self.controllers)?;
        Ok(Spun::new(self.builder.node, vec![answers]))
    }

    /// The robot model of the parameters, or else of the topic `robot_description`.
    async fn model(&mut self) -> anyhow::Result<RobotModel> {
        let ArmConfig { urdf, robot_description, .. } = &self.settings.config().arm;
        if urdf.is_empty() && robot_description.is_empty() {
            return self.described().await;
        }
        Ok(robot_model(&self.settings.config().arm)?)
    }

    async fn described(&mut self) -> anyhow::Result<RobotModel> {
        let qos = QosProfile::default().keep_last(1);
        let latched = QosProfile { durability: DurabilityPolicy::TransientLocal, ..qos };
        let descriptions = self.builder.node.subscribe::<Text>("robot_description", latched);
        let mut descriptions =
            descriptions.map_err(|error| anyhow!("cannot listen to robot_description: {error}"))?;
        tracing::info!(
            "neither `urdf` nor `robot_description` is given: waiting for topic robot_description"
        );
        loop {
            self.builder.node.spin_once(TURN);
            if let Some(Some(Text { data })) = descriptions.next().now_or_never() {
                match RobotModel::from_urdf(&data) {
                    Ok(model) => return Ok(model),
                    Err(error) => {
                        tracing::error!("topic robot_description: {error}; waiting for another one")
                    }
                }
            }
            tokio::task::yield_now().await;
        }
    }
}
