//! A whole arm in one process: hardware and controller share one control thread, and keep their ROS names.

use std::collections::VecDeque;

use r2r::Context;
use rtrb::{Producer, PushError};

use super::controller::Controller;
use super::controller_manager::{ControllerManager, Hardware, ManagerRequest};
use super::hardware::HardwareServices;
use super::ros::{self, NodeBuilder};
use super::running_arm::RunningArm;
use super::{controller, controller_manager, hardware, parameters};
use crate::config::Part;
use crate::control::arm::ArmRequest;
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
    let mut manager_node = NodeBuilder::new(&context, "controller_manager")?;
    let config = hardware_node.config(&[Part::Hardware])?;
    let manager_config = manager_node.config(&[Part::Manager])?;
    let controller_config = controller_node.config(&[Part::Controller])?;
    let setup = arm_setup(&config, &robot_model(&config.arm)?)?;

    let (thread_ports, arm_ports, requests) = ports();
    let follower = Follower::new(setup.limits.clone(), setup.period.as_secs_f64());
    let (commander, mut goals) = TrajectoryCommander::new(follower);
    let (joint_publisher, mut services) =
        hardware::offer(&mut hardware_node.node, &setup.joints, &config.hardware, requests)?;
    let (state_publisher, mut controller) = controller::offer(
        &mut controller_node.node,
        &setup.joints,
        &setup.limits,
        &controller_config.controller,
    )?;
    let hardware = Hardware {
        plugin_name: "servo_arm/feetech_sts".to_owned(),
        joints: setup.joints.clone(),
        rate_hz: config.arm.update_rate_hz,
        is_ours: true,
    };
    let controllers = manager_config.manager.controllers.iter().take(1);
    let controllers = controllers.map(|entry| (entry.clone(), setup.joints.clone())).collect();
    let mut manager =
        controller_manager::offer(&mut manager_node.node, &manager_config.manager, controllers, hardware)?;
    parameters::serve(&mut manager_node.node, manager_config.declared)?;
    parameters::serve(&mut hardware_node.node, config.declared)?;
    parameters::serve(&mut controller_node.node, controller_config.declared)?;
    let sinks: Vec<_> = vec![Box::new(joint_publisher) as _, Box::new(state_publisher) as _];
    let mut arm = RunningArm::start(setup, Box::new(commander), (thread_ports, arm_ports), sinks)?;
    let spinning = ros::spin(vec![hardware_node.node, controller_node.node, manager_node.node])?;

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
            event = arm.next_event() => note(&event, &mut services, &mut controller, &mut manager),
            request = controller.next() => backlog.extend(request),
            () = services.serve() => {}
            request = manager.next() => match request {
                Some(ManagerRequest::Activate(index)) => {
                    controller.set_active(true);
                    manager.note_active(index);
                }
                Some(ManagerRequest::Deactivate(index)) => {
                    controller.set_active(false);
                    backlog.push_back(Request::Stop);
                    manager.note_inactive(index);
                }
                Some(ManagerRequest::Hardware(on)) => services.set_torque(on),
                None => {}
            },
        }
        hand_over(&mut backlog, &mut goals);
    }
    for event in arm.stop() {
        note(&event, &mut services, &mut controller, &mut manager);
    }
    drop(spinning);
    Ok(())
}

fn note(
    event: &ArmEvent,
    services: &mut HardwareServices,
    controller: &mut Controller,
    manager: &mut ControllerManager,
) {
    services.note(event);
    match event {
        ArmEvent::Finished(finished) => controller.on_finished(finished),
        ArmEvent::Transition(transition) => manager.note_hardware(transition.to.into()),
        ArmEvent::Refused(ArmRequest::TorqueOn | ArmRequest::TorqueOff, why) => {
            manager.note_hardware_refused(why)
        }
        _ => {}
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
