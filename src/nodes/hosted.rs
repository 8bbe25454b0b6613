//! The gripper controller that a process hosts beside the arm's, where `controller_manager`'s parameters name one.

use anyhow::anyhow;
use r2r::Context;

use super::gripper::{self, GripperController, GripperJoint, GripperPublisher};
use super::parameters;
use super::ros::NodeBuilder;
use crate::config::Part;
use crate::config::gripper::GripperKind;
use crate::config::parameters::{Value, of_command_line};
use crate::control::gripper::{Gripper, JointEffort};
use crate::servo::control_thread::ArmSetup;

/// A gripper controller: its node, the two ends of its action, and what moves the joint.
pub struct HostedGripper {
    /// Its node, to be spun.
    pub node: r2r::Node,
    /// Tells the action what happens.
    pub publisher: GripperPublisher,
    /// The action.
    pub controller: GripperController,
    /// What moves the joint.
    pub gripper: Gripper,
}

const NAME: &str = "gripper_controller";

/// The gripper controller of an arm, if there is one. `servo_part` is how much of its effort a joint's servo may use.
///
/// # Errors
/// Where its parameters are wrong, or its node cannot be created.
pub fn hosted_gripper(
    context: &Context,
    setup: &ArmSetup,
    servo_part: impl Fn(usize) -> f64,
) -> anyhow::Result<Option<HostedGripper>> {
    let arguments: Vec<String> = std::env::args().collect();
    let given = of_command_line(&arguments, "/controller_manager")?;
    let Some(Value::String(name)) = given.get(&format!("{NAME}.type")) else { return Ok(None) };
    let kind = GripperKind::of_type(name)
        .ok_or_else(|| anyhow!("`{NAME}.type` is {name:?}, which is no gripper controller that there is"))?;
    let mut builder = NodeBuilder::new(context, NAME)?;
    let config = builder.config(&[Part::Gripper(kind)])?;
    let index = setup
        .joints
        .iter()
        .position(|joint| *joint == config.gripper.joint)
        .ok_or_else(|| anyhow!("joint `{}` is not the arm's", config.gripper.joint))?;
    let rated = setup.ratings[index].max_effort;
    let effort = JointEffort { rated, configured: rated * servo_part(index) };
    let limits = setup.limits[index];
    let joint = GripperJoint { index, name: config.gripper.joint.clone(), limits, rated_effort: rated };
    let (publisher, controller) = gripper::offer(&mut builder.node, joint, &config.gripper)?;
    let gripper = Gripper::new(index, config.gripper.rules, limits, effort, setup.period.as_secs_f64());
    parameters::serve(&mut builder.node, config.declared)?;
    Ok(Some(HostedGripper { node: builder.node, publisher, controller, gripper }))
}

/// What the gripper's clients ask next; nothing, for ever, where there is no gripper. Cancel safe.
pub async fn next_of(
    controller: &mut Option<GripperController>,
) -> Option<crate::control::gripper::GripperRequest> {
    match controller {
        Some(controller) => controller.next().await,
        None => std::future::pending().await,
    }
}
