//! A whole arm in one process: hardware and controller share one control thread, and keep their ROS names.

use std::collections::VecDeque;

use r2r::Context;
use rtrb::{Producer, PushError};

use super::controller::Controller;
use super::gripper::GripperController;
use super::hardware::HardwareServices;
use super::hosted::{hosted_gripper, next_of};
use super::publisher::SnapshotSink;
use super::ros::{self, NodeBuilder};
use super::running_arm::RunningArm;
use super::{controller, hardware, parameters};
use crate::config::Part;
use crate::control::follower::Follower;
use crate::servo::ports::{ArmEvent, GripperCommander, Together, TrajectoryCommander, ports};
use crate::servo::setup::{arm_setup, robot_model};

/// Runs until it is asked to stop.
///
/// # Errors
/// Where configuration, robot model, port or servos are not usable; nothing has moved then.
pub async fn run(context: Context) -> anyhow::Result<()> {
    let mut hardware_node = NodeBuilder::new(&context, "hardware_node")?;
    let mut controller_node = NodeBuilder::new(&context, "arm_controller")?;
    let config = hardware_node.config(&[Part::Hardware])?;
    let controller_config = controller_node.config(&[Part::Controller])?;
    let setup = arm_setup(&config, &robot_model(&config.arm)?)?;

    let (thread_ports, arm_ports, requests) = ports();
    let follower = Follower::new(setup.limits.clone(), setup.period.as_secs_f64());
    let (commander, mut goals) = TrajectoryCommander::new(follower);
    let gripper = hosted_gripper(&context, &setup, |joint| setup.hardware.servos[joint].torque_limit)?;
    let (joint_publisher, mut services) =
        hardware::offer(&mut hardware_node.node, &setup.joints, &config.hardware, requests)?;
    let (state_publisher, mut controller) = controller::offer(
        &mut controller_node.node,
        &setup.joints,
        &setup.limits,
        &controller_config.controller,
    )?;
    parameters::serve(&mut hardware_node.node, config.declared)?;
    parameters::serve(&mut controller_node.node, controller_config.declared)?;
    let mut sinks: Vec<Box<dyn SnapshotSink>> = vec![Box::new(joint_publisher), Box::new(state_publisher)];
    let mut nodes = vec![hardware_node.node, controller_node.node];
    let mut commanders = Together(vec![Box::new(commander)]);
    let (mut gripper, mut grips) = match gripper {
        None => (None, None),
        Some(hosted) => {
            let (commander, grips) = GripperCommander::new(hosted.gripper);
            commanders.0.push(Box::new(commander));
            sinks.push(Box::new(hosted.publisher));
            nodes.push(hosted.node);
            (Some(hosted.controller), Some(grips))
        }
    };
    let mut arm = RunningArm::start(setup, Box::new(commanders), (thread_ports, arm_ports), sinks)?;
    let spinning = ros::spin(nodes)?;

    let stop = ros::asked_to_stop();
    tokio::pin!(stop);
    let mut backlog = VecDeque::new();
    let mut grip_backlog = VecDeque::new();
    loop {
        tokio::select! {
            // Events first: a service must not be answered by a state whose cause is not known yet.
            biased;
            stopped = &mut stop => {
                stopped?;
                break;
            }
            event = arm.next_event() => note(&event, &mut services, &mut controller, gripper.as_mut()),
            request = controller.next() => backlog.extend(request),
            request = next_of(&mut gripper) => grip_backlog.extend(request),
            () = services.serve() => {}
        }
        hand_over(&mut backlog, &mut goals);
        if let Some(grips) = &mut grips {
            hand_over(&mut grip_backlog, grips);
        }
    }
    for event in arm.stop() {
        note(&event, &mut services, &mut controller, gripper.as_mut());
    }
    drop(spinning);
    Ok(())
}

fn note(
    event: &ArmEvent,
    services: &mut HardwareServices,
    controller: &mut Controller,
    gripper: Option<&mut GripperController>,
) {
    services.note(event);
    match (event, gripper) {
        (ArmEvent::Finished(finished), _) => controller.on_finished(finished),
        (ArmEvent::Gripped(finished), Some(gripper)) => gripper.on_finished(finished),
        _ => {}
    }
}

/// Requests that the control thread has no room for now wait for its next cycle.
fn hand_over<T>(backlog: &mut VecDeque<T>, goals: &mut Producer<T>) {
    while let Some(request) = backlog.pop_front() {
        if let Err(PushError::Full(request)) = goals.push(request) {
            backlog.push_front(request);
            return;
        }
    }
}
