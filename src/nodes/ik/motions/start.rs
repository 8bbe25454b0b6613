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
use crate::nodes::ros;

/// How it is found out whether the arm is at rest: so many looks in a row, so far apart, at so little motion (rad, m).
const STILL_LOOKS: usize = 2;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
const MOST_LOOKS: usize = 150;
const STILL: f64 = 1e-7;
const STILL_MEASURED: f64 = 2e-3;

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
            ros::spawn(async move {
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

    /// The same, once that does not change any more: what was stopped takes a moment.
    pub(super) async fn at_rest(&self, group: &Group, context: &IkContext) -> Result<Positions, Failure> {
        let mut before = self.of(group, context)?;
        let mut still = 0;
        for _ in 0..MOST_LOOKS {
            tokio::time::sleep(BETWEEN_LOOKS).await;
            let now = self.of(group, context)?;
            let is_still = group.joints.iter().all(|joint| {
                let moved =
                    now.get(joint).zip(before.get(joint)).map_or(0.0, |(now, before)| (now - before).abs());
                // What is only measured trembles.
                moved <= if self.of.borrow().contains_key(joint) { STILL } else { STILL_MEASURED }
            });
            still = if is_still { still + 1 } else { 0 };
            if STILL_LOOKS <= still {
                return Ok(now);
            }
            before = now;
        }
        Err(Code::InvalidRobotState.because("the arm does not come to rest; a path begins at rest"))
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
