//! Where a motion starts: at its controller's reference, which the measured joints follow at a distance.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use futures::StreamExt as _;
use r2r::control_msgs::msg::JointTrajectoryControllerState;
use r2r::{Node, QosProfile};
use tokio::sync::watch;

use super::super::IkContext;
use super::super::failure::{Code, Failure};
use super::super::groups::Group;
use super::super::states::Positions;

/// The references of every controller, by joint.
pub(super) struct References {
    of: watch::Receiver<BTreeMap<String, (f64, Instant)>>,
}

impl References {
    /// Listens to the states of the controllers of `groups`.
    pub(super) fn listen(node: &mut Node, groups: &[Group]) -> anyhow::Result<Self> {
        let (sender, of) = watch::channel(BTreeMap::new());
        let sender = std::rc::Rc::new(sender);
        let mut controllers: Vec<&String> =
            groups.iter().filter_map(|group| group.controller.as_ref()).collect();
        controllers.sort();
        controllers.dedup();
        for controller in controllers {
            let topic = format!("{controller}/controller_state");
            let states = node.subscribe::<JointTrajectoryControllerState>(&topic, QosProfile::sensor_data());
            let mut states = states.map_err(|error| anyhow!("cannot listen to {topic}: {error}"))?;
            let sender = sender.clone();
            tokio::task::spawn_local(async move {
                while let Some(state) = states.next().await {
                    let now = Instant::now();
                    let references = state.joint_names.into_iter().zip(state.reference.positions);
                    let finite = references.filter(|(_, position)| position.is_finite());
                    sender.send_modify(|known| {
                        known.extend(finite.map(|(joint, position)| (joint, (position, now))));
                    });
                }
            });
        }
        Ok(Self { of })
    }

    /// Where the joints of a group are told to be, or else where they are.
    pub(super) fn of(&self, group: &Group, context: &IkContext) -> Result<Positions, Failure> {
        let within = Duration::from_secs_f64(context.settings().state_timeout_secs);
        let mut positions = context.positions();
        for (joint, (position, received)) in &*self.of.borrow() {
            if received.elapsed() <= within {
                positions.set(joint, *position);
            }
        }
        match group.joints.iter().find(|joint| positions.get(joint).is_none()) {
            None => Ok(positions),
            Some(joint) => Err(Code::RobotStateStale.because(format!(
                "nobody says where joint `{joint}` is: joint_states and controller_state are older than {} s",
                within.as_secs_f64()
            ))),
        }
    }
}
