//! A whole arm in one process: hardware and controller share one control thread, and keep their ROS names.

use anyhow::Context as _;
use r2r::Context;
use tokio::sync::mpsc::unbounded_channel;

use super::publisher::{PublisherThread, SnapshotSink};
use super::ros::{self, NodeBuilder};
use super::{controller, hardware, parameters};
use crate::config::Part;
use crate::control::follower::Follower;
use crate::servo::control_thread::ControlLoop;
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
    parameters::serve(&mut hardware_node.node, config.declared)?;
    parameters::serve(&mut controller_node.node, controller_config.declared)?;

    let control = ControlLoop::connect(setup, Box::new(commander), thread_ports)?;
    let (events_in, mut events) = unbounded_channel();
    let sinks: Vec<Box<dyn SnapshotSink>> = vec![Box::new(joint_publisher), Box::new(state_publisher)];
    let publisher = PublisherThread::spawn(arm_ports, sinks, events_in).context("publisher thread")?;
    let spinning = ros::spin(vec![hardware_node.node, controller_node.node])?;
    let control = control.spawn().context("control thread")?;

    let stop = ros::asked_to_stop();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            stopped = &mut stop => {
                stopped?;
                break;
            }
            Some(event) = events.recv() => {
                services.note(&event);
                if let ArmEvent::Finished(finished) = event {
                    controller.on_finished(&finished);
                }
            }
            request = controller.next() => {
                if let Some(Err(rtrb::PushError::Full(request))) = request.map(|request| goals.push(request)) {
                    controller.on_rejected(request);
                }
            }
            () = services.serve() => {}
        }
    }
    tracing::info!("stopping");
    control.stop();
    drop(publisher);
    while let Ok(event) = events.try_recv() {
        services.note(&event);
        if let ArmEvent::Finished(finished) = event {
            controller.on_finished(&finished);
        }
    }
    drop(spinning);
    Ok(())
}
