//! Live control on ROS, by moveit_servo's names: commands come in, steps go out as windows of a trajectory.
//!
//! Tasks turn messages into commands. A thread steps at even times, so that long searches do not delay it; each message
//! that it sends is a whole motion that ends at rest, so that the arm halts if nothing comes after it. A step is due
//! `max_expected_latency` after it was made: by then it has arrived.

mod closeness;
mod intake;
mod output;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use r2r::Node;

use self::closeness::Closeness;
use self::intake::{Order, References};
use self::output::Output;
use super::IkContext;
use super::groups::Group;
use crate::cartesian::live::Live;
use crate::config::live::LiveConfig;
use crate::kinematics::ik::MAX_JOINTS;
use crate::nodes::ros;
use crate::servo::clock;
use crate::trajectory::limits::{JointLimits, RawLimits};
use crate::trajectory::spline::JointState;
use crate::units::Time;

/// How much of a joint's limits is used: the rest is for rounding.
const SHARE: f64 = 0.99;
/// After its last message (s) the arm is where it was led, whatever the controller says of the moment.
const SETTLING: f64 = 0.25;
/// Being so many steps late, it leaves them out.
const MOST_LATE: f64 = 3.0;

/// Offers live control of one group, where there is one with a controller.
///
/// # Errors
/// Where the configuration fits no arm, or ROS refuses something.
pub fn offer(node: &mut Node, context: &Arc<IkContext>) -> anyhow::Result<()> {
    let config = context.settings().live;
    let Some(group) = group(context, &config)? else {
        tracing::info!("there is no live control: no group of joints has a controller");
        return Ok(());
    };
    let (name, reach) = (group.name.clone(), group.reach(&context.robot, "")?);
    let joints: Vec<String> = reach.joints().map(str::to_owned).collect();
    if let Some(stray) = joints.iter().find(|joint| !group.joints.contains(joint)) {
        tracing::warn!(
            "there is no live control of group `{name}`: joint `{stray}` is in its way and not its own"
        );
        return Ok(());
    }
    let limits: Vec<JointLimits> = joints
        .iter()
        .map(|joint| Ok(within(&context.robot.limits(joint)?)))
        .collect::<anyhow::Result<_>>()?;
    let live = Live::new(reach.chain(), &limits, config.options.clone())
        .with_context(|| format!("live control of group `{name}`"))?;
    let closeness = Closeness::new(context, &config, reach.chain())?;
    let topic = match (config.command_out_topic.as_str(), &group.controller) {
        ("", Some(controller)) => format!("{controller}/joint_trajectory"),
        (topic, _) => topic.to_owned(),
    };
    let output = Output::new(node, &config, &topic, &joints)?;
    let references = References::listen(node, &topic, &joints)?;
    let orders = intake::offer(node, context, &config, group, &joints)?;
    let stepping = Stepping { live, closeness, orders, output, references, context: context.clone(), joints };
    ros::once_serving(move || tracing::info!("live control of group `{name}` tells {topic}"));
    std::thread::Builder::new().name("live".to_owned()).spawn(move || stepping.run())?;
    Ok(())
}

/// The group that is driven: the configured one, or the first with a controller.
fn group<'a>(context: &'a IkContext, config: &LiveConfig) -> anyhow::Result<Option<&'a Group>> {
    if config.group.is_empty() {
        return Ok(context.groups.iter().find(|group| group.controller.is_some()));
    }
    let group =
        context.group(&config.group).map_err(|failure| anyhow!("live control: {}", failure.message))?;
    if group.controller.is_none() && config.command_out_topic.is_empty() {
        return Err(anyhow!(
            "live control: group `{}` has no controller; give `servo.command_out_topic`",
            group.name
        ));
    }
    Ok(Some(group))
}

fn within(limits: &JointLimits) -> JointLimits {
    let raw = RawLimits {
        lower: limits.lower(),
        upper: limits.upper(),
        max_velocity: SHARE * limits.max_velocity(),
        max_acceleration: SHARE * limits.max_acceleration(),
        max_jerk: SHARE * limits.max_jerk(),
    };
    JointLimits::new(raw).unwrap_or(*limits)
}

/// The thread that steps.
struct Stepping {
    live: Live,
    closeness: Closeness,
    orders: Receiver<Order>,
    output: Output,
    references: References,
    context: Arc<IkContext>,
    joints: Vec<String>,
}

impl Stepping {
    fn run(mut self) {
        let period = self.live.options().publish_period;
        let mut next = clock::now();
        let mut last: [JointState; MAX_JOINTS] = Default::default();
        let mut told: Option<Time> = None;
        let mut resets = clock::resets();
        loop {
            clock::sleep_until(next);
            let before = std::mem::replace(&mut resets, clock::resets());
            if before != resets {
                // Where the arm was told to be before says nothing of where it is.
                told = None;
            }
            let late = (clock::now().secs_since(next) / period).floor();
            if MOST_LATE <= late {
                next = next.plus_secs(late * period);
                if let Some(state) = self.skip(late) {
                    (last, told) = (state, told.map(|_| next));
                }
            }
            let Some(words) = self.take_orders() else { return };
            let here = match told.filter(|told| next.secs_since(*told) < SETTLING) {
                Some(_) => last[..self.joints.len()].to_vec(),
                None => self.here(),
            };
            self.closeness.follow_others(&self.context);
            let closeness = &self.closeness;
            let step = self.live.step(next, &here, &mut |positions| closeness.at(positions));
            if step.is_motion {
                let before = std::array::from_fn(|joint| match told {
                    Some(_) => last[joint],
                    None => here.get(joint).copied().unwrap_or_default(),
                });
                self.output.tell(next, &before, &step.states, self.live.halt());
                told = Some(next);
            } else if told.is_some_and(|told| SETTLING < next.secs_since(told)) {
                told = None;
            }
            last = step.states;
            self.output.report(next, &step, words);
            next = next.plus_secs(period);
        }
    }

    /// Leaves steps out, which the arm has gone on its way to a halt; gives where it is then, if it was on one.
    fn skip(&mut self, steps: f64) -> Option<[JointState; MAX_JOINTS]> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float casts saturate")]
        let steps = steps as usize;
        let halt = self.live.halt();
        let state = halt.get(steps - 1).or(halt.last()).copied();
        self.output.skip(steps, halt);
        self.live.skip(steps);
        state
    }

    /// Gives why a command was refused; nothing where nobody can give any more.
    fn take_orders(&mut self) -> Option<Option<String>> {
        let mut refused = None;
        loop {
            match self.orders.try_recv() {
                Ok(Order::Take { command, sent, received }) => {
                    if let Err(why) = self.live.take(command, sent, received) {
                        refused = Some(why.to_string());
                    }
                }
                Ok(Order::Refuse(why)) => refused = Some(why),
                Ok(Order::Expect(kind)) => self.live.set_command_type(kind),
                Ok(Order::Pause(paused)) => self.live.set_paused(paused),
                Err(TryRecvError::Empty) => return Some(refused),
                Err(TryRecvError::Disconnected) => return None,
            }
        }
    }

    /// Where the controller leads the joints, or else where they are; nothing where one of them is not known.
    fn here(&self) -> Vec<JointState> {
        if let Some(states) = self.references.states() {
            return states;
        }
        let within = Duration::from_secs_f64(self.context.settings().state_timeout_secs);
        let measured = self.context.measured.borrow();
        let of = |joint: &String| {
            let joint = measured.joint(joint).filter(|joint| joint.received.elapsed() <= within);
            joint.map(|joint| JointState::at_rest(joint.position))
        };
        self.joints.iter().map(of).collect::<Option<_>>().unwrap_or_default()
    }
}
