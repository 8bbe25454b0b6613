//! A request of GetCartesianPath becomes a path, a motion, and the answer.

use std::time::{Duration, Instant};

use nalgebra::{Isometry3, Unit, Vector3};
use r2r::geometry_msgs::msg::PoseStamped;
use r2r::moveit_msgs::msg::{Constraints, RobotState, RobotTrajectory};
use r2r::moveit_msgs::srv::GetCartesianPath::{Request, Response};
use r2r::sensor_msgs::msg::JointState as JointStateMessage;
use r2r::std_msgs::msg::Header;
use r2r::trajectory_msgs::msg::{JointTrajectory, JointTrajectoryPoint};

use super::super::IkContext;
use super::super::acceptance::Bystanders;
use super::super::failure::{Code, Failure};
use super::super::groups::{Group, Reach};
use super::super::states::Positions;
use crate::cartesian::joint_path::{JumpLimits, Stop, WalkError, WalkOptions};
use crate::cartesian::path::{Path, Via, Way};
use crate::cartesian::plan::{self, Plan, PlanError, PlanOptions};
use crate::cartesian::timing::{CartesianLimits, ToolSpeed};
use crate::config::ik::{AimChoice, MotionsConfig};
use crate::kinematics::ik::Aim;
use crate::nodes::messages::{duration_of, stamp_now};
use crate::trajectory::limits::{JointLimits, RawLimits};
use crate::trajectory::spline::{JointState, Waypoint};

/// A line that was planned.
pub(super) struct Line {
    /// The answer.
    pub(super) response: Response,
    /// The tip on its way, in the base of the group.
    pub(super) tip: Vec<Isometry3<f64>>,
    /// The poses that were asked for, there too.
    pub(super) target: Vec<Isometry3<f64>>,
    /// Whether it goes all the way.
    pub(super) whole: bool,
}

/// Plans what a request asks for, from `start` on top of the joints as they are measured.
pub(super) fn plan(context: &IkContext, asked: &Request, start: Option<Positions>) -> Result<Line, Failure> {
    let group = context.group(&asked.group_name)?;
    check(asked)?;
    let reach = reach(context, group, &asked.link_name)?;
    let positions = start.unwrap_or_else(|| context.positions());
    let positions = positions.with(&asked.start_state, &context.robot.model)?;
    let start = start_of(&reach, &positions)?;
    let begin = reach.chain().tip_pose(&start);
    let settings = context.settings();
    let target = targets(context, group, asked, &positions)?;
    let via = |pose: &Isometry3<f64>| Via {
        base_from_tip: *pose,
        way: Way::Line,
        blend_radius: settings.motions.blend_radius,
    };
    let vias: Vec<Via> = target.iter().map(via).collect();
    let path = Path::through(&begin, &vias);
    let path = path.map_err(|error| Code::InvalidGoalConstraints.because(error.to_string()))?;
    let limits = limits(context, &reach, asked)?;
    let limited = match asked.max_cartesian_speed {
        0.0 => None,
        speed => Some((self::reach(context, group, &asked.cartesian_speed_limited_link)?, speed)),
    };
    let until = Instant::now() + Duration::from_secs_f64(settings.motions.planning_time_secs);
    let is_time_up = || until <= Instant::now();
    let bystanders = match asked.avoid_collisions {
        true => Some(Bystanders::around(context, &reach, &positions)?),
        false => None,
    };
    let obstruction =
        |found: &[f64]| bystanders.as_ref().and_then(|bystanders| bystanders.obstruction(found));
    let jumps = JumpLimits {
        relative: asked.jump_threshold,
        revolute: asked.revolute_jump_threshold,
        prismatic: asked.prismatic_jump_threshold,
    };
    let walk = WalkOptions {
        max_step: asked.max_step.min(LARGEST_STEP),
        jumps,
        obstruction: &obstruction,
        is_time_up: &is_time_up,
        ..WalkOptions::new(aim_of(context, group, &reach))
    };
    let options = PlanOptions {
        walk,
        joints: &limits,
        tip: cartesian_limits(&settings.motions),
        tool_speed: ToolSpeed::Fastest,
        frame_speed: limited.as_ref().map(|(reach, speed)| (reach.chain(), *speed)),
    };
    let planned = plan::plan(&reach.solver, &path, &start, &options).map_err(failure_of)?;
    Ok(answer(&reach, &positions, planned, target))
}

/// Farther apart no places are looked at (m), whatever is asked for.
const LARGEST_STEP: f64 = 5e-3;

/// What of a pose counts for a group.
pub(super) fn aim_of(context: &IkContext, group: &Group, reach: &Reach) -> Aim {
    let joints = reach.joints().filter(|joint| group.joints.iter().any(|own| own == joint)).count();
    let (choice, axis) = context.settings().aim_of(&group.config, joints);
    match choice {
        AimChoice::PositionAndAxis => Aim::pointing(Unit::new_normalize(Vector3::from(axis))),
        AimChoice::Position => Aim::POSITION,
        AimChoice::Pose | AimChoice::ByJoints => Aim::POSE,
    }
}

fn check(asked: &Request) -> Result<(), Failure> {
    if asked.waypoints.is_empty() {
        return Err(Code::InvalidGoalConstraints.because("there are no waypoints"));
    }
    let is_step = 0.0 < asked.max_step && asked.max_step.is_finite();
    if !is_step {
        return Err(Code::InvalidGoalConstraints
            .because(format!("max_step is {} m; it must be positive and finite", asked.max_step)));
    }
    let speed = asked.max_cartesian_speed;
    let is_speed = 0.0 <= speed && speed.is_finite();
    if !is_speed {
        return Err(Code::InvalidGoalConstraints
            .because(format!("max_cartesian_speed is {speed} m/s; it must be positive, or 0 for none")));
    }
    let Constraints {
        joint_constraints,
        position_constraints,
        orientation_constraints,
        visibility_constraints,
        ..
    } = &asked.path_constraints;
    let counts = [
        ("joint_constraints", joint_constraints.len()),
        ("position_constraints", position_constraints.len()),
        ("orientation_constraints", orientation_constraints.len()),
        ("visibility_constraints", visibility_constraints.len()),
    ];
    if let Some((kind, count)) = counts.into_iter().find(|(_, count)| 0 < *count) {
        return Err(Code::InvalidMotionPlan.because(format!(
            "path_constraints has {count} {kind}; a path is constrained by its waypoints alone"
        )));
    }
    let carried = &asked.start_state.attached_collision_objects;
    if asked.avoid_collisions && !carried.is_empty() {
        let why = "attached_collision_objects are not understood; name what the arm carries in `collision.obstacles`";
        return Err(Code::CollisionCheckingUnavailable.because(why));
    }
    Ok(())
}

fn reach(context: &IkContext, group: &Group, link: &str) -> Result<std::sync::Arc<Reach>, Failure> {
    let reach = group.reach(&context.robot, link);
    let reach =
        reach.map_err(|error| Code::InvalidLinkName.because(format!("group `{}`: {error:#}", group.name)))?;
    let stray = reach.joints().find(|joint| group.joints.iter().all(|own| own != joint)).map(str::to_owned);
    match stray {
        None => Ok(reach),
        Some(stray) => Err(Code::InvalidLinkName.because(format!(
            "joint `{stray}` moves link `{}` and is not of group `{}`",
            reach.link, group.name
        ))),
    }
}

fn start_of(reach: &Reach, positions: &Positions) -> Result<Vec<f64>, Failure> {
    let of = |joint: &str| {
        positions.get(joint).ok_or_else(|| {
            Code::RobotStateStale.because(format!(
                "start_state has no joint `{joint}`, and joint_states do not say where it is"
            ))
        })
    };
    reach.joints().map(of).collect()
}

fn targets(
    context: &IkContext,
    group: &Group,
    asked: &Request,
    positions: &Positions,
) -> Result<Vec<Isometry3<f64>>, Failure> {
    let of = |(index, pose): (usize, &r2r::geometry_msgs::msg::Pose)| {
        let stamped = PoseStamped { header: asked.header.clone(), pose: pose.clone() };
        context.base_from(group, &stamped, positions).map_err(|failure| Failure {
            message: format!("waypoint {index}: {}", failure.message),
            ..failure
        })
    };
    asked.waypoints.iter().enumerate().map(of).collect()
}

/// The limits of the joints, scaled as the request says; 0 is 1, as in MoveIt.
fn limits(context: &IkContext, reach: &Reach, asked: &Request) -> Result<Vec<JointLimits>, Failure> {
    let factor = |name: &str, value: f64| match value {
        0.0 => Ok(1.0),
        value if 0.0 < value && value <= 1.0 => Ok(value),
        value => Err(Code::InvalidGoalConstraints
            .because(format!("{name} is {value}; it must be above 0 and at most 1, or 0 for 1"))),
    };
    let velocity = factor("max_velocity_scaling_factor", asked.max_velocity_scaling_factor)?;
    let acceleration = factor("max_acceleration_scaling_factor", asked.max_acceleration_scaling_factor)?;
    let of = |joint: &str| {
        let limits = context.robot.limits(joint);
        let limits = limits.map_err(|error| Code::Failure.because(error.to_string()))?;
        let raw = RawLimits {
            lower: limits.lower(),
            upper: limits.upper(),
            max_velocity: limits.max_velocity() * velocity,
            max_acceleration: limits.max_acceleration() * acceleration,
            max_jerk: limits.max_jerk(),
        };
        JointLimits::new(raw).map_err(|error| Code::Failure.because(format!("joint `{joint}`: {error}")))
    };
    reach.joints().map(of).collect()
}

/// 0 is no limit.
fn cartesian_limits(config: &MotionsConfig) -> CartesianLimits {
    let [max_trans_vel, max_trans_acc, max_trans_jerk, max_rot_vel, max_rot_acc, max_rot_jerk] =
        config.cartesian_limits.map(|limit| if 0.0 < limit { limit } else { f64::INFINITY });
    CartesianLimits { max_trans_vel, max_trans_acc, max_trans_jerk, max_rot_vel, max_rot_acc, max_rot_jerk }
}

fn failure_of(error: PlanError) -> Failure {
    let code = match error {
        PlanError::Walk(WalkError::StartOutside { .. }) => Code::InvalidRobotState,
        PlanError::Walk(_) | PlanError::Timing(_) => Code::InvalidGoalConstraints,
        PlanError::OtherJoints(_) => Code::InvalidLinkName,
        PlanError::Refused(_) => Code::InvalidMotionPlan,
    };
    code.because(error.to_string())
}

fn answer(reach: &Reach, positions: &Positions, planned: Plan, target: Vec<Isometry3<f64>>) -> Line {
    let tip_at = |waypoint: &Waypoint| {
        let positions: Vec<f64> = waypoint.states.iter().map(|state| state.position).collect();
        reach.chain().tip_pose(&positions)
    };
    let tip = planned.waypoints.iter().map(tip_at).collect();
    // A path that is cut short is no failure, as in MoveIt: the fraction tells, and the message says why.
    let error_code = match &planned.stop {
        None => Code::Success.answer(""),
        Some(stop @ Stop::Obstructed(_)) if planned.fraction == 0.0 => {
            Code::StartStateInCollision.answer(format!("the path ends where it begins: {stop}"))
        }
        Some(Stop::TimeUp) => Code::TimedOut.answer(Stop::TimeUp.to_string()),
        Some(stop) => {
            Code::Success.answer(format!("the path ends after {:.4} of it: {stop}", planned.fraction))
        }
    };
    let names: Vec<String> = reach.joints().map(str::to_owned).collect();
    let start = names.iter().filter_map(|joint| positions.get(joint)).collect();
    let joint_state = JointStateMessage {
        header: Header { stamp: stamp_now(), frame_id: String::new() },
        name: names.clone(),
        position: start,
        ..JointStateMessage::default()
    };
    let joint_trajectory = JointTrajectory {
        joint_names: names,
        points: planned.waypoints.iter().map(point).collect(),
        ..JointTrajectory::default()
    };
    let response = Response {
        start_state: RobotState { joint_state, ..RobotState::default() },
        solution: RobotTrajectory { joint_trajectory, ..RobotTrajectory::default() },
        fraction: planned.fraction,
        error_code,
    };
    Line { response, tip, target, whole: planned.stop.is_none() }
}

fn point(waypoint: &Waypoint) -> JointTrajectoryPoint {
    let each = |of: fn(&JointState) -> f64| waypoint.states.iter().map(of).collect();
    JointTrajectoryPoint {
        positions: each(|state| state.position),
        velocities: each(|state| state.velocity),
        accelerations: each(|state| state.acceleration),
        // The nearest nanosecond, not the one before.
        time_from_start: duration_of(waypoint.time + 0.5e-9),
        ..JointTrajectoryPoint::default()
    }
}
