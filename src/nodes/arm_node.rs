//! A whole arm in one process: hardware and controller share one control thread, and keep their ROS names.

use std::collections::VecDeque;

use r2r::Context;
use rtrb::{Producer, PushError};

use super::controller::Controller;
use super::hardware::HardwareServices;
use super::ros::{self, NodeBuilder};
use super::running_arm::RunningArm;
use super::{controller, hardware, parameters};
use crate::config::Part;
use crate::control::follower::{Follower, Request};
use crate::servo::ports::{ArmEvent, TrajectoryCommander, ports};
use crate::servo::setup::{arm_setup, robot_model};

/// Runs until it is asked to stop.
///
/// # Errors
/// Where configuration, robot model, port or servos are not usable; nothing has moved then.
pub async fn run(context: Context) -> anyhow::Result<()> {
    let mut hardware_node = NodeBuilder::new(&context, "hardware_node")?;
    let mut controller_node = NodeBuilder::new(&context, "arm_controller")?;
    let config = hardware_node.config(&[Part::Hardware])?;
    let controller_settings = controller_node.settings(&[Part::Controller])?;
    let setup = arm_setup(&config, &robot_model(&config.arm)?)?;

    let (thread_ports, arm_ports, requests) = ports();
    let follower = Follower::new(setup.limits.clone(), setup.period.as_secs_f64());
    let (commander, mut goals) = TrajectoryCommander::new(follower);
    let (joint_publisher, mut services) =
        hardware::offer(&mut hardware_node.node, &setup.joints, &config.hardware, requests)?;
    parameters::serve(&mut hardware_node.node, config.declared)?;
    let changes = parameters::serve_settings(&mut controller_node.node, controller_settings)?;
    let (state_publisher, mut controller) =
        controller::offer(&mut controller_node.node, &setup.joints, &setup.limits, changes)?;
    let sinks: Vec<_> = vec![Box::new(joint_publisher) as _, Box::new(state_publisher) as _];
    let mut arm = RunningArm::start(setup, Box::new(commander), (thread_ports, arm_ports), sinks)?;
    let spinning = ros::spin(vec![hardware_node.node, controller_node.node])?;

    let stop = ros::asked_to_stop();
    tokio::pin!(stop);
    let mut backlog = VecDeque::new();
    loop {
        tokio::select! {
            // Events first: a service must not be answered by a state whose cause is not known yet.
            biased;
            stopped = &mut stop => {
                stopped?;
                break;
            }
            event = arm.next_event() => note(&event, &mut services, &mut controller),
            request = controller.next() => backlog.extend(request),
            () = services.serve() => {}
        }
        hand_over(&mut backlog, &mut goals);
    }
    for event in arm.stop() {
        note(&event, &mut services, &mut controller);
    }
    drop(spinning);
    Ok(())
}

fn note(event: &ArmEvent, services: &mut HardwareServices, controller: &mut Controller) {
    services.note(event);
    if let ArmEvent::Finished(finished) = event {
        controller.on_finished(finished);
    }
}

/// Requests that the control thread has no room for now wait for its next cycle.
fn hand_over(backlog: &mut VecDeque<Request>, goals: &mut Producer<Request>) {
    while let Some(request) = backlog.pop_front() {
        if let Err(PushError::Full(request)) = goals.push(request) {
            backlog.push_front(request);
            return;
        }
    }
}
