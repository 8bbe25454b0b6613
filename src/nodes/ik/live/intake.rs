//! What comes in for live control: messages become commands, in words where they cannot.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::anyhow;
use futures::{Stream, StreamExt as _};
use nalgebra::Vector3;
use r2r::control_msgs::msg::{JointJog, JointTrajectoryControllerState};
use r2r::geometry_msgs::msg::{PoseStamped, TwistStamped, Vector3 as VectorMessage};
use r2r::moveit_msgs::srv::ServoCommandType;
use r2r::std_msgs::msg::Header;
use r2r::std_srvs::srv::SetBool;
use r2r::{Node, QosProfile, WrappedTypesupport};

use crate::cartesian::live::{Command, CommandType, Jog, Twist, TwistFrame};
use crate::config::live::LiveConfig;
use crate::kinematics::ik::Positions;
use crate::nodes::ik::IkContext;
use crate::nodes::ik::groups::Group;
use crate::nodes::messages::time_of;
use crate::nodes::parameters::{respond, service};
use crate::nodes::ros;
use crate::servo::clock;
use crate::trajectory::spline::JointState;
use crate::units::Time;

/// What the stepping thread is to do.
pub(super) enum Order {
    Take { command: Command, sent: Time, received: Time },
    Refuse(String),
    Expect(CommandType),
    Pause(bool),
}

/// What a command has to be understood with.
struct Intake {
    context: Arc<IkContext>,
    orders: Sender<Order>,
    group: String,
    base: String,
    tip: String,
    joints: Vec<String>,
}

/// Listens to commands and offers the services; what comes of them is received.
pub(super) fn offer(
    node: &mut Node,
    context: &Arc<IkContext>,
    config: &LiveConfig,
    group: &Group,
    joints: &[String],
) -> anyhow::Result<Receiver<Order>> {
    let (orders, receiver) = channel();
    let intake = Arc::new(Intake {
        context: context.clone(),
        orders: orders.clone(),
        group: group.name.clone(),
        base: group.base.clone(),
        tip: group.tip.clone(),
        joints: joints.to_vec(),
    });
    let (twists, jogs, poses) = (intake.clone(), intake.clone(), intake);
    let stream = messages::<TwistStamped>(node, &config.twist_topic)?;
    listen(stream, move |message| twists.take(&message.header, twists.twist(&message)));
    let stream = messages::<JointJog>(node, &config.jog_topic)?;
    listen(stream, move |message| jogs.take(&message.header, jogs.jog(&message)));
    let stream = messages::<PoseStamped>(node, &config.pose_topic)?;
    listen(stream, move |message| poses.take(&message.header, poses.pose(&message)));
    offer_services(node, orders)?;
    Ok(receiver)
}

fn offer_services(node: &mut Node, orders: Sender<Order>) -> anyhow::Result<()> {
    let requests = service::<ServoCommandType::Service>(node, "~/switch_command_type")?;
    let expected = orders.clone();
    listen(requests, move |request| {
        let kind = CommandType::from_number(request.message.command_type);
        if let Some(kind) = kind {
            let _ = expected.send(Order::Expect(kind));
        } else {
            tracing::warn!("live control: unknown command type {} requested", request.message.command_type);
        }
        respond(request, ServoCommandType::Response { success: kind.is_some() });
    });
    let requests = service::<SetBool::Service>(node, "~/pause_servo")?;
    listen(requests, move |request| {
        let pauses = request.message.data;
        let _ = orders.send(Order::Pause(pauses));
        let message = if pauses { "Servoing disabled" } else { "Servoing enabled" }.to_owned();
        respond(request, SetBool::Response { success: true, message });
    });
    Ok(())
}

fn messages<M>(node: &mut Node, topic: &str) -> anyhow::Result<impl Stream<Item = M> + Unpin + use<M>>
where
    M: WrappedTypesupport + 'static,
{
    node.subscribe::<M>(topic, QosProfile::default())
        .map_err(|error| anyhow!("cannot listen to {topic}: {error}"))
}

fn listen<M>(stream: impl Stream<Item = M> + 'static, mut act: impl FnMut(M) + 'static) {
    ros::spawn(stream.for_each(move |message| {
        act(message);
        futures::future::ready(())
    }));
}

impl Intake {
    fn take(&self, header: &Header, command: Result<Command, String>) {
        let received = clock::now();
        let sent = time_of(&header.stamp).unwrap_or(received);
        let ready = self.context.ready().map_err(|failure| failure.message);
        let order = match ready.and(command) {
            Ok(command) => Order::Take { command, sent, received },
            Err(why) => Order::Refuse(why),
        };
        let _ = self.orders.send(order);
    }

    fn twist(&self, message: &TwistStamped) -> Result<Command, String> {
        let vector = |VectorMessage { x, y, z }: &VectorMessage| Vector3::new(*x, *y, *z);
        let (linear, angular) = (vector(&message.twist.linear), vector(&message.twist.angular));
        let frame = match self.context.transforms.bare(&message.header.frame_id) {
            "" => TwistFrame::Base,
            frame if frame == self.base => TwistFrame::Base,
            frame if frame == self.tip => TwistFrame::Tip,
            frame => {
                let positions = self.context.positions();
                let root_from =
                    |frame: &str| self.context.root_from(frame, &positions).map_err(|why| why.message);
                TwistFrame::Other(root_from(&self.base)?.inverse() * root_from(frame)?)
            }
        };
        Ok(Command::Twist(Twist { linear, angular, frame }))
    }

    fn jog(&self, message: &JointJog) -> Result<Command, String> {
        let JointJog { joint_names: names, displacements, velocities, .. } = message;
        let list = |what: &str, numbers: &[f64]| {
            if !numbers.is_empty() && numbers.len() != names.len() {
                let (names, numbers) = (names.len(), numbers.len());
                return Err(format!(
                    "Invalid joint jog command: it names {names} joints and has {numbers} {what}; give one for each"
                ));
            }
            let mut of_joints = Positions::zeros(self.joints.len());
            for (name, number) in names.iter().zip(numbers) {
                let joint = self.joints.iter().position(|joint| joint == name);
                let joint = joint.ok_or_else(|| {
                    format!("Invalid joint name: {name}; there are {}", self.joints.join(", "))
                })?;
                of_joints[joint] = *number;
            }
            Ok(of_joints)
        };
        if displacements.is_empty() && velocities.is_empty() {
            return Err("Invalid joint jog command: it has neither velocities nor displacements".to_owned());
        }
        let velocities = list("velocities", velocities)?;
        let displacements = match displacements.as_slice() {
            [] => None,
            given => Some(list("displacements", given)?),
        };
        Ok(Command::Jog(Jog { velocities, displacements }))
    }

    fn pose(&self, message: &PoseStamped) -> Result<Command, String> {
        let group = self.context.group(&self.group).map_err(|why| why.message)?;
        let pose = self.context.base_from(group, message, &self.context.positions());
        Ok(Command::Pose(pose.map_err(|why| format!("Invalid pose command: {}", why.message))?))
    }
}

/// Where a controller leads its joints, as it says itself.
pub(super) struct References {
    joints: Vec<String>,
    latest: Arc<Mutex<Option<(JointTrajectoryControllerState, Instant)>>>,
}

/// What a controller said longer ago (s) does not count.
const RECENT: f64 = 0.3;

impl References {
    /// Listens to the controller that has this topic of trajectories.
    pub(super) fn listen(node: &mut Node, topic: &str, joints: &[String]) -> anyhow::Result<Self> {
        let latest = Arc::new(Mutex::new(None));
        if let Some(controller) = topic.strip_suffix("/joint_trajectory") {
            let stream = messages(node, &format!("{controller}/controller_state"))?;
            let shared = latest.clone();
            listen(stream, move |message| {
                *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some((message, Instant::now()));
            });
        }
        Ok(Self { joints: joints.to_vec(), latest })
    }

    /// One state for each joint, now, as far as they have been said lately.
    pub(super) fn states(&self) -> Option<Vec<JointState>> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let (message, received) = latest.as_ref()?;
        let age = received.elapsed().as_secs_f64();
        if RECENT < age {
            return None;
        }
        let of = |joint: &String| {
            let index = message.joint_names.iter().position(|name| name == joint)?;
            let position =
                message.reference.positions.get(index).copied().filter(|number| number.is_finite())?;
            let velocity =
                message.reference.velocities.get(index).copied().filter(|number| number.is_finite());
            let velocity = velocity.unwrap_or(0.0);
            Some(JointState { position: position + velocity * age, velocity, acceleration: 0.0 })
        };
        self.joints.iter().map(of).collect()
    }
}
