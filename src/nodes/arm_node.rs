//! A whole arm in one process, or several: each arm's hardware and controllers share one control thread, and keep their
//! ROS names.

use std::collections::VecDeque;

use anyhow::Context as _;
use futures::future::join_all;
use r2r::Context;
use rtrb::{Producer, PushError};
use tracing::{Instrument as _, Span};

use super::controllers::{Controllers, Drafts, HostRequest, Hosting, Servos};
use super::hardware::{HardwareServices, RobotState};
use super::ik_node;
use super::ros::{self, NodeBuilder, Spinning, Spun};
use super::running_arm::RunningArm;
use super::{gazebo, hardware, parameters};
use crate::config::Part;
use crate::config::hardware::{Backend, HardwareConfig};
use crate::control::arm::ArmRequest;
use crate::control::ensemble::MemberRequest;
use crate::servo::ports::{ArmEvent, EnsembleCommander, ports};
use crate::servo::setup::{arm_setup, robot_model};

/// An arm with its nodes.
struct Arm {
    /// Where its events belong.
    span: Span,
    joints: Vec<String>,
    running: RunningArm,
    controllers: Controllers,
    services: HardwareServices,
    /// What the control thread has had no room for yet.
    backlog: VecDeque<(usize, MemberRequest)>,
    requests: Producer<(usize, MemberRequest)>,
    /// Ends with the arm.
    _spinning: Spinning,
}

/// Runs the arms of the parameter `arms`, or the one of the process, until it is asked to stop.
///
/// # Errors
/// Where configuration, robot model, port or servos of an arm are not usable; nothing has moved then.
pub async fn run(context: Context) -> anyhow::Result<()> {
    let namespaces = parameters::arms()?;
    let mut arms = Vec::new();
    if namespaces.is_empty() {
        arms.push(Arm::start(&context, "")?);
    }
    for namespace in &namespaces {
        arms.push(Arm::start(&context, namespace).with_context(|| format!("arm `{namespace}`"))?);
    }
    tokio::select! {
        stopped = ros::asked_to_stop() => stopped?,
        () = serve(&mut arms) => {}
    }
    // All at once: each may need a while to come to rest, and somebody may press the emergency stop meanwhile.
    arms.iter_mut().for_each(Arm::ask_to_stop);
    serve(&mut arms).await;
    Ok(())
}

/// Until every arm has stopped.
async fn serve(arms: &mut [Arm]) {
    join_all(arms.iter_mut().map(|arm| {
        let span = arm.span.clone();
        arm.serve().instrument(span)
    }))
    .await;
}

impl Arm {
    fn start(context: &Context, namespace: &str) -> anyhow::Result<Self> {
        let mut hardware_node = NodeBuilder::new(context, "hardware_node", namespace)?;
        let span = hardware_node.span.clone();
        let _inside = span.clone().entered();
        let config = hardware_node.config(&[Part::Hardware])?;
        let model = robot_model(&config.arm)?;
        let mut setup = arm_setup(&config, &model)?;
        let gazebo = gazebo::connect(&mut hardware_node, &mut setup)?;
        let drafts = Drafts::read(context, namespace)?;
        drafts.joints()?;
        let torque_limits: Vec<f64> = config.hardware.servos.iter().map(|servo| servo.torque_limit).collect();
        let servos = Servos {
            joints: &setup.joints,
            plugin_name: plugin_name(&config.hardware),
            torque_limits: &torque_limits,
            own: Some((&model, setup.period)),
        };
        let Hosting { nodes, ensemble, mut sinks, controllers, .. } = drafts.host(&servos)?;

        let (thread_ports, arm_ports, requests) = ports();
        let (commander, goals) = EnsembleCommander::new(ensemble);
        let robot_state = RobotState::offer(&mut hardware_node.node, &config, &model)?;
        let (joint_publisher, services) = hardware::offer(&mut hardware_node, &setup, robot_state, requests)?;
        parameters::serve(&mut hardware_node.node, config.declared)?;
        sinks.splice(0..0, gazebo.into_iter().chain([Box::new(joint_publisher) as _]));
        let mut nodes: Vec<Spun> = nodes.into_iter().chain([hardware_node.into()]).collect();
        if config.hardware.has_ik_node {
            nodes.push(ik_node::Draft::read(context, namespace)?.host(model)?);
        }
        let joints = setup.joints.clone();
        let running = RunningArm::start(setup, Box::new(commander), (thread_ports, arm_ports), sinks)?;
        let _spinning = ros::spin(nodes)?;
        let backlog = VecDeque::new();
        Ok(Self { span, joints, running, controllers, services, backlog, requests: goals, _spinning })
    }

    /// Serves the arm's clients until an arm that was asked to stop has done so.
    async fn serve(&mut self) {
        loop {
            tokio::select! {
                // Events first: a service must not be answered by a state whose cause is not known yet.
                biased;
                event = self.running.next_event() => match event {
                    Some(event) => note(event, &self.joints, &mut self.services, &mut self.controllers),
                    None => return self.services.finish(),
                },
                request = self.controllers.next() => match request {
                    Some(HostRequest::Member(member, request)) => self.backlog.push_back((member, request)),
                    Some(HostRequest::Hardware(on)) => self.services.set_active(on),
                    None => {}
                },
                () = self.services.serve() => {}
            }
            hand_over(&mut self.backlog, &mut self.requests);
        }
    }

    fn ask_to_stop(&mut self) {
        let _inside = self.span.enter();
        self.running.ask_to_stop();
        self.services.refuse_all_but_stops();
    }
}

/// What the servos speak, or who is in their place, as the hardware's name in a list of hardware.
fn plugin_name(hardware: &HardwareConfig) -> String {
    if hardware.backend == Backend::Gazebo {
        return "servo_arm/gazebo".to_owned();
    }
    let mut names: Vec<&str> = hardware.buses.iter().map(|bus| bus.protocol.name()).collect();
    names.dedup();
    format!("servo_arm/{}", names.join("+"))
}

fn note(event: ArmEvent, joints: &[String], services: &mut HardwareServices, controllers: &mut Controllers) {
    services.note(&event);
    match event {
        ArmEvent::Transition(transition) => controllers.note_hardware(transition.to.into()),
        ArmEvent::Refused(ArmRequest::TorqueOn | ArmRequest::Deactivate, refusal) => {
            controllers.note_hardware_refused(&refusal.sentence(joints));
        }
        ArmEvent::Controller(member, event) => controllers.on_event(member, event),
        ArmEvent::Refused(..) | ArmEvent::Watch(_) | ArmEvent::Trouble(_) | ArmEvent::NotConnected(_) => {}
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
