//! The servos of an arm as a process of their own: joint states out, joint commands in.

use anyhow::anyhow;
use futures::StreamExt as _;
use r2r::sensor_msgs::msg::JointState;
use r2r::{Context, QosProfile};

use super::hardware::RobotState;
use super::messages::joint_command;
use super::ros::{self, NodeBuilder};
use super::running_arm::RunningArm;
use super::{gazebo, hardware, parameters};
use crate::config::Part;
use crate::config::hardware::HardwareConfig;
use crate::control::stream::CommandStream;
use crate::servo::clock;
use crate::servo::ports::{StreamCommander, ports};
use crate::servo::setup::{arm_setup, robot_model};

/// Runs until it is asked to stop.
///
/// # Errors
/// Where configuration, robot model, port or servos are not usable; nothing has moved then.
pub async fn run(context: Context) -> anyhow::Result<()> {
    let mut builder = NodeBuilder::new(&context, "hardware_node", "")?;
    let config = builder.config(&[Part::Hardware])?;
    let model = robot_model(&config.arm)?;
    let mut setup = arm_setup(&config, &model)?;
    let gazebo = gazebo::connect(&mut builder, &mut setup)?;
    let joints = setup.joints.clone();

    let (thread_ports, arm_ports, requests) = ports();
    let HardwareConfig { command_timeout, command_guard_rad, .. } = setup.hardware;
    let stream = CommandStream::new(setup.period.as_secs_f64(), command_timeout, command_guard_rad);
    let (commander, mut commands) = StreamCommander::new(stream);
    let robot_state = RobotState::offer(&mut builder.node, &config, &model)?;
    let (publisher, mut services) = hardware::offer(&mut builder, &setup, robot_state, requests)?;
    let mut messages = builder
        .node
        .subscribe::<JointState>("joint_commands", QosProfile::default())
        .map_err(|error| anyhow!("cannot listen to joint_commands: {error}"))?;
    parameters::serve(&mut builder.node, config.declared)?;
    let sinks = gazebo.into_iter().chain([Box::new(publisher) as _]).collect();
    let mut arm = RunningArm::start(setup, Box::new(commander), (thread_ports, arm_ports), sinks)?;
    let spinning = ros::spin([builder])?;

    let stop = ros::asked_to_stop();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            // Events first: a service must not be answered by a state whose cause is not known yet.
            biased;
            stopped = &mut stop, if !arm.is_stopping() => {
                stopped?;
                arm.ask_to_stop();
                services.refuse_all_but_stops();
            }
            event = arm.next_event() => match event {
                Some(event) => services.note(&event),
                None => break,
            },
            Some(message) = messages.next(), if !arm.is_stopping() => match joint_command(&message, &joints, clock::now()) {
                // Only a thread that does not turn leaves the queue full, and it obeys nothing.
                Ok(command) => drop(commands.push(command)),
                Err(problem) => tracing::warn!("joint_commands: a command was not obeyed: {problem}"),
            },
            () = services.serve() => {}
        }
    }
    services.finish();
    drop(spinning);
    Ok(())
}
