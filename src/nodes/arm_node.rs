//! A whole arm in one process: hardware and controller share one control thread, and keep their ROS names.

use std::collections::VecDeque;

use r2r::Context;
use rtrb::{Producer, PushError};

use super::controllers::{Controllers, Drafts, HostRequest, Hosting, Servos};
use super::hardware::{HardwareServices, RobotState};
use super::ik_node;
use super::ros::{self, NodeBuilder, Spun};
use super::running_arm::RunningArm;
use super::{hardware, parameters};
use crate::config::Part;
use crate::config::hardware::BusConfig;
use crate::control::arm::ArmRequest;
use crate::control::ensemble::MemberRequest;
use crate::control::roster::Lifecycle;
use crate::control::safety::State;
use crate::servo::ports::{ArmEvent, EnsembleCommander, ports};
use crate::servo::setup::{arm_setup, robot_model};

/// Runs until it is asked to stop.
///
/// # Errors
/// Where configuration, robot model, port or servos are not usable; nothing has moved then.
pub async fn run(context: Context) -> anyhow::Result<()> {
    let mut hardware_node = NodeBuilder::new(&context, "hardware_node")?;
    let config = hardware_node.config(&[Part::Hardware])?;
    let model = robot_model(&config.arm)?;
    let setup = arm_setup(&config, &model)?;
    let drafts = Drafts::read(&context)?;
    drafts.joints()?;
    let torque_limits: Vec<f64> = config.hardware.servos.iter().map(|servo| servo.torque_limit).collect();
    let servos = Servos {
        joints: &setup.joints,
        plugin_name: plugin_name(&config.hardware.buses),
        torque_limits: &torque_limits,
        own: Some((&model, setup.period)),
    };
    let Hosting { nodes, ensemble, mut sinks, mut controllers, .. } = drafts.host(&servos)?;

    let (thread_ports, arm_ports, requests) = ports();
    let (commander, mut goals) = EnsembleCommander::new(ensemble);
    let robot_state = RobotState::offer(&mut hardware_node.node, &config, &model)?;
    let (joint_publisher, mut services) =
        hardware::offer(&mut hardware_node.node, &setup, robot_state, requests)?;
    parameters::serve(&mut hardware_node.node, config.declared)?;
    sinks.insert(0, Box::new(joint_publisher));
    let mut nodes: Vec<Spun> = nodes.into_iter().chain([hardware_node.node]).map(Spun::from).collect();
    if config.hardware.has_ik_node {
        nodes.push(ik_node::Draft::read(&context)?.host(model)?);
    }
    let joints = setup.joints.clone();
    let mut arm = RunningArm::start(setup, Box::new(commander), (thread_ports, arm_ports), sinks)?;
    let spinning = ros::spin(nodes)?;

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
            event = arm.next_event() => note(event, &joints, &mut services, &mut controllers),
            request = controllers.next() => match request {
                Some(HostRequest::Member(member, request)) => backlog.push_back((member, request)),
                Some(HostRequest::Hardware(on)) => services.set_torque(on),
                None => {}
            },
            () = services.serve() => {}
        }
        hand_over(&mut backlog, &mut goals);
    }
    for event in arm.stop() {
        note(event, &joints, &mut services, &mut controllers);
    }
    drop(spinning);
    Ok(())
}

/// What the servos speak, as the hardware's name in a list of hardware.
fn plugin_name(buses: &[BusConfig]) -> String {
    let mut names: Vec<&str> = buses.iter().map(|bus| bus.protocol.name()).collect();
    names.dedup();
    format!("servo_arm/{}", names.join("+"))
}

fn note(event: ArmEvent, joints: &[String], services: &mut HardwareServices, controllers: &mut Controllers) {
    services.note(&event);
    match event {
        ArmEvent::Transition(transition) => controllers.note_hardware(lifecycle_of(transition.to)),
        ArmEvent::Refused(ArmRequest::TorqueOn | ArmRequest::TorqueOff, refusal) => {
            controllers.note_hardware_refused(&refusal.sentence(joints));
        }
        ArmEvent::Controller(member, event) => controllers.on_event(member, event),
        ArmEvent::Refused(..) | ArmEvent::Watch(_) | ArmEvent::Trouble(_) => {}
    }
}

fn lifecycle_of(state: State) -> Lifecycle {
    match state {
        State::Disconnected => Lifecycle::Unconfigured,
        state if state.can_move() => Lifecycle::Active,
        _ => Lifecycle::Inactive,
    }
}

/// Requests that the control thread has no room for now wait for its next cycle.
fn hand_over(backlog: &mut VecDeque<(usize, MemberRequest)>, goals: &mut Producer<(usize, MemberRequest)>) {
    while let Some(request) = backlog.pop_front() {
        if let Err(PushError::Full(request)) = goals.push(request) {
            backlog.push_front(request);
            return;
        }
    }
}
