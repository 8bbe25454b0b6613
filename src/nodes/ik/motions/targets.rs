//! `~/target_pose` and `~/target_joints`: the fastest way there. The controller times it, within the limits of every
//! joint, because a trajectory of one point without a time is what it gets.

use std::rc::Rc;
use std::time::{Duration, Instant};

use r2r::geometry_msgs::msg::PoseStamped;
use r2r::sensor_msgs::msg::JointState;
use r2r::trajectory_msgs::msg::{JointTrajectory, JointTrajectoryPoint};

use super::super::IkContext;
use super::super::acceptance::Bystanders;
use super::super::failure::{Code, Failure};
use super::super::groups::{Group, Reach};
use super::super::states::Positions;
use super::Motions;
use super::linear::aim_of;
use crate::kinematics::ik::{Aim, Answer, Goal, Search, Status, Tolerance};

/// How near the tip has to come to a pose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within {
    /// Within the tolerances, in what the group aims at.
    Tolerance,
    /// At the place, turned as nearly so as the joints can: nobody drags to a turn that five of them can take.
    Reach,
}

/// How much being near counts against being found soon.
const STAY_NEAR: f64 = 1.0;

impl Motions {
    /// Goes to a pose until it is there, or not going there any more; a reason is told of the topic that it came by.
    pub(super) async fn go_to_pose(self: Rc<Self>, pose: PoseStamped, within: Within, topic: &str) {
        let turn = self.execution.next_turn();
        if let Err(failure) = self.to_pose(pose, within, turn).await {
            self.tell(topic, &failure);
        }
    }

    async fn to_pose(&self, pose: PoseStamped, within: Within, turn: u64) -> Result<(), Failure> {
        let group = self.moved_group("")?;
        let positions = self.references.of(group, &self.context)?;
        let base_from_target = self.context.base_from(group, &pose, &positions)?;
        let (context, name) = (self.context.clone(), group.name.clone());
        let search = move || {
            let group = context.group(&name)?;
            let reach =
                group.reach(&context.robot, "").map_err(|error| Code::Failure.because(error.to_string()))?;
            let answer = nearest(&context, group, &reach, &base_from_target, within, &positions)?;
            Ok::<_, Failure>((reach, answer, positions))
        };
        let found = tokio::task::spawn_blocking(search).await;
        let found =
            found.unwrap_or_else(|_panicked| Err(Code::Failure.because("the search ended unexpectedly")));
        let (reach, answer, positions) = found?;
        if answer.status == Status::Refused {
            return Err(Code::GoalInCollision.because("the pose cannot be reached without a collision there"));
        }
        if answer.status != Status::Solved {
            let Answer { status, position_error, rotation_error, .. } = answer;
            return Err(Code::NoIkSolution.because(format!(
                "the pose cannot be reached ({status:?}): the nearest found is {position_error:.2e} m and \
                 {rotation_error:.2e} rad off"
            )));
        }
        let tip = way(&reach, &positions, &answer.positions);
        let _shown = self.show(group, &[base_from_target], &tip);
        let names = reach.joints().map(str::to_owned).collect();
        self.execution.run(group, untimed(names, answer.positions.to_vec()), turn).await
    }

    pub(super) async fn go_to_joints(self: Rc<Self>, joints: JointState) {
        let turn = self.execution.next_turn();
        if let Err(failure) = self.to_joints(joints, turn).await {
            self.tell("target_joints", &failure);
        }
    }

    async fn to_joints(&self, joints: JointState, turn: u64) -> Result<(), Failure> {
        self.context.ready()?;
        let JointState { name: names, position: positions, .. } = joints;
        if names.is_empty() || names.len() != positions.len() {
            return Err(Code::InvalidGoalConstraints.because(format!(
                "there are {} names and {} positions; every joint that is named needs one",
                names.len(),
                positions.len()
            )));
        }
        let mut groups = self.context.groups.iter();
        let group = groups
            .find(|group| group.controller.is_some() && names.iter().all(|name| group.joints.contains(name)));
        let group = group.ok_or_else(|| {
            let message =
                format!("no group with a trajectory controller has the joints {}", names.join(", "));
            Code::InvalidGoalConstraints.because(message)
        })?;
        for (index, (name, position)) in names.iter().zip(&positions).enumerate() {
            if names[..index].contains(name) {
                return Err(Code::InvalidGoalConstraints.because(format!("joint `{name}` is named twice")));
            }
            let limits = self.context.robot.limits(name);
            let limits = limits.map_err(|error| Code::InvalidGoalConstraints.because(error.to_string()))?;
            if !limits.contains(*position) || !position.is_finite() {
                return Err(Code::InvalidGoalConstraints.because(format!(
                    "joint `{name}` is to go to {position}; it can go from {} to {}",
                    limits.lower(),
                    limits.upper()
                )));
            }
        }
        let mut all = self.references.of(group, &self.context)?;
        let start = all.clone();
        names.iter().zip(&positions).for_each(|(name, position)| all.set(name, *position));
        // A goal may leave joints out only where that is configured; so it names all of the group's.
        let positions = group.joints.iter().filter_map(|joint| all.get(joint)).collect();
        let reach = group.reach(&self.context.robot, "").ok();
        let way = reach.and_then(|reach| {
            let to: Option<Vec<f64>> = reach.joints().map(|joint| all.get(joint)).collect();
            Some(way(&reach, &start, &to?))
        });
        let way = way.unwrap_or_default();
        let _shown = self.show(group, way.last().map_or(&[], std::slice::from_ref), &way);
        self.execution.run(group, untimed(group.joints.clone(), positions), turn).await
    }

    fn tell(&self, topic: &str, failure: &Failure) {
        match failure.code {
            Code::Preempted => tracing::debug!("~/{topic}: {}", failure.message),
            _ => tracing::warn!("~/{topic}: {}", failure.message),
        }
    }
}

fn nearest(
    context: &IkContext,
    group: &Group,
    reach: &Reach,
    base_from_target: &nalgebra::Isometry3<f64>,
    within: Within,
    positions: &Positions,
) -> Result<Answer, Failure> {
    let settings = context.settings();
    let until = Instant::now() + Duration::from_secs_f64(settings.timeout_secs);
    let tolerance =
        Tolerance { position: settings.position_tolerance, rotation: settings.rotation_tolerance };
    let aim = match within {
        Within::Tolerance => aim_of(context, group, reach),
        Within::Reach => Aim::POSE,
    };
    let goal = Goal { base_from_tip: *base_from_target, aim, tolerance };
    let seed = context.seed(reach, positions);
    let is_time_up = || until <= Instant::now();
    // Where nothing is known of collisions, nothing is refused for them.
    let bystanders = match &context.collisions {
        Ok(_) => Some(Bystanders::around(context, reach, positions)?),
        Err(_) => None,
    };
    let is_acceptable =
        |found: &[f64]| bystanders.as_ref().is_none_or(|bystanders| bystanders.are_clear_of(found));
    let search = Search {
        locked: reach.locked,
        stay_near: STAY_NEAR,
        is_acceptable: &is_acceptable,
        is_time_up: &is_time_up,
        ..Search::from(&seed)
    };
    let answer = reach.solver.solve(&goal, &search);
    if answer.status != Status::Approximate || within == Within::Tolerance {
        return Ok(answer);
    }
    // From the turn that comes nearest, it changes as little as the place allows.
    let seed = answer.positions;
    let goal = Goal { aim: Aim::POSITION, ..goal };
    Ok(reach.solver.solve(&goal, &Search { seed: &seed, ..search }))
}

/// Roughly where the tip goes while all joints move evenly.
fn way(reach: &Reach, from: &Positions, to: &[f64]) -> Vec<nalgebra::Isometry3<f64>> {
    const COUNT: usize = 50;
    let from: Vec<f64> = reach.joints().zip(to).map(|(joint, to)| from.get(joint).unwrap_or(*to)).collect();
    let at = |index: usize| {
        let part = index as f64 / COUNT as f64;
        let between: Vec<f64> = from.iter().zip(to).map(|(from, to)| from + part * (to - from)).collect();
        reach.chain().tip_pose(&between)
    };
    (0..=COUNT).map(at).collect()
}

fn untimed(joint_names: Vec<String>, positions: Vec<f64>) -> JointTrajectory {
    let point = JointTrajectoryPoint { positions, ..JointTrajectoryPoint::default() };
    JointTrajectory { joint_names, points: vec![point], ..JointTrajectory::default() }
}
