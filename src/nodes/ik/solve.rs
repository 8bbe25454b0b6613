//! The answer to a request of `compute_ik`.
//!
//! What a group aims at is tried in steps: with fewer than six joints first the whole pose, which it reaches in some
//! places, then what it can reach everywhere, then what an orientation constraint leaves of it. An answer that is only
//! near is given with an error code and its distance, never as a success.
//!
//! Most searches end so soon that to wake a thread for them takes longer: [`at_once`] is for those, and [`answer`] takes
//! the time that it is given.

use std::time::{Duration, Instant};

use nalgebra::{Isometry3, Unit, Vector3};
use r2r::geometry_msgs::msg::PoseStamped;
use r2r::moveit_msgs::msg::{PositionIKRequest, RobotState};
use r2r::moveit_msgs::srv::GetPositionIK;
use r2r::sensor_msgs::msg::JointState;
use r2r::std_msgs::msg::Header;

use super::IkContext;
use super::acceptance::{Bystanders, Refusals};
use super::constraints::Rules;
use super::failure::{Code, Failure};
use super::groups::{Group, Reach};
use super::states::Positions;
use crate::config::ik::{AimChoice, IkConfig};
use crate::kinematics::ik::{Aim, Answer, Flaw, Goal, RotationAim, Search, Status, Tolerance};
use crate::nodes::messages::{secs_of, stamp_now};

/// How long an arm of fewer than six joints may look for the whole pose, and which part of its time.
const LONGEST_FIRST_STEP: Duration = Duration::from_millis(5);
const PART_OF_FIRST_STEP: f64 = 0.25;

/// Who does not want to wait for an answer waits so long.
const AT_ONCE: Duration = Duration::from_micros(250);

/// Answers a request.
pub fn answer(context: &IkContext, request: &PositionIKRequest) -> GetPositionIK::Response {
    find(context, request, Patience::AsAsked).unwrap_or_else(failed)
}

/// Answers a request if that takes a moment only, and as [`answer`] would.
pub fn at_once(context: &IkContext, request: &PositionIKRequest) -> Option<GetPositionIK::Response> {
    match find(context, request, Patience::Little) {
        Ok(response) => (response.error_code.val == Code::Success.number()).then_some(response),
        Err(failure) => Some(failed(failure)),
    }
}

fn failed(failure: Failure) -> GetPositionIK::Response {
    GetPositionIK::Response { error_code: failure.answer(), ..GetPositionIK::Response::default() }
}

/// How much time a search may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// [`AT_ONCE`], for what is to be tried first.
    Little,
    /// What the request says, for all that can be tried.
    AsAsked,
}

/// One thing to aim at, and how long.
struct Attempt {
    goal: Goal,
    until: Instant,
    /// What it leaves open, in words; nothing for the whole pose.
    leaves_open: &'static str,
}

fn find(
    context: &IkContext,
    request: &PositionIKRequest,
    patience: Patience,
) -> Result<GetPositionIK::Response, Failure> {
    let began = Instant::now();
    context.ready()?;
    let settings = context.settings();
    let group = context.group(&request.group_name)?;
    let (link, pose) = target(request)?;
    let reach = group
        .reach(&context.robot, link)
        .map_err(|error| Code::InvalidLinkName.because(format!("group `{}`: {error:#}", group.name)))?;
    let positions = context.positions().with(&request.robot_state, &context.robot.model)?;
    let base_from_target = context.base_from(group, pose, &positions)?;
    let rules = Rules::read(context, &request.constraints, &reach, &positions)?;
    let reach = group.narrowed(&context.robot, &reach, &rules.travel);
    let reach = reach.map_err(|error| Code::Failure.because(format!("group `{}`: {error:#}", group.name)))?;
    let bystanders = Bystanders::of(context, request, &reach, &positions)?;
    let until = began + time_for(request, &settings);
    let mut attempts =
        attempts(context, group, &reach, &rules, &base_from_target, &positions, (began, until))?;
    if patience == Patience::Little {
        attempts.truncate(1);
        attempts.iter_mut().for_each(|attempt| attempt.until = attempt.until.min(began + AT_ONCE));
    }
    let seed = context.seed(&reach, &positions);
    let refusals = Refusals::default();
    let is_acceptable = |found: &[f64]| {
        let keeps_rules = rules.are_none() || rules.are_kept(context, &reach.position_of(found, &positions));
        let is_clear = bystanders.as_ref().is_none_or(|bystanders| bystanders.are_clear_of(found));
        refusals.note(found, keeps_rules, is_clear);
        keeps_rules && is_clear
    };
    let mut last = None;
    for attempt in &attempts {
        let is_time_up = || attempt.until <= Instant::now();
        let search = Search {
            locked: reach.locked,
            is_acceptable: &is_acceptable,
            is_time_up: &is_time_up,
            ..Search::from(&seed)
        };
        let answer = reach.solver.solve(&attempt.goal, &search);
        last = Some((attempt, answer));
        if answer.status == Status::Solved || until <= Instant::now() {
            break;
        }
    }
    let (attempt, answer) = last.ok_or_else(|| Code::Failure.because("nothing was tried"))?;
    let refusal = refusals.tell(bystanders.as_ref());
    let (code, message) = verdict(&answer, attempt, refusal, began);
    let solution = match answer.status {
        Status::Invalid(_) => RobotState::default(),
        _ => robot_state(context, &reach, &answer.positions, &positions),
    };
    Ok(GetPositionIK::Response { solution, error_code: code.answer(message) })
}

/// The link that is meant, and where it should be; the lists count where they have something.
fn target(request: &PositionIKRequest) -> Result<(&str, &PoseStamped), Failure> {
    let poses = &request.pose_stamped_vector;
    match (request.ik_link_names.as_slice(), poses.as_slice()) {
        ([], []) => Ok((&request.ik_link_name, &request.pose_stamped)),
        ([], [pose]) => Ok((&request.ik_link_name, pose)),
        ([link], [pose]) => Ok((link, pose)),
        ([link], []) => Ok((link, &request.pose_stamped)),
        (links, poses) => Err(Code::InvalidLinkName.because(format!(
            "there are {} ik_link_names and {} poses in pose_stamped_vector; a group has one tip",
            links.len(),
            poses.len()
        ))),
    }
}

/// How long the request may take: what it says, or as usual where it says nothing.
fn time_for(request: &PositionIKRequest, settings: &IkConfig) -> Duration {
    let asked = secs_of(&request.timeout);
    let secs = if 0.0 < asked { asked } else { settings.timeout_secs };
    Duration::from_secs_f64(secs.min(settings.max_timeout_secs))
}

/// What to aim at, the most first.
fn attempts(
    context: &IkContext,
    group: &Group,
    reach: &Reach,
    rules: &Rules,
    base_from_target: &Isometry3<f64>,
    positions: &Positions,
    (began, until): (Instant, Instant),
) -> Result<Vec<Attempt>, Failure> {
    let settings = context.settings();
    let tolerance =
        Tolerance { position: settings.position_tolerance, rotation: settings.rotation_tolerance };
    let joints = reach.joints().filter(|joint| group.joints.iter().any(|own| own == joint)).count();
    let (choice, axis) = settings.aim_of(&group.config, joints);
    let (aim, leaves_open) = match choice {
        AimChoice::PositionAndAxis => {
            (Aim::pointing(Unit::new_normalize(Vector3::from(axis))), "the turn about the axis is left open")
        }
        AimChoice::Position => (Aim::POSITION, "the orientation is left open"),
        AimChoice::Pose | AimChoice::ByJoints => (Aim::POSE, ""),
    };
    let goal = Goal { base_from_tip: *base_from_target, aim, tolerance };
    let mut attempts = Vec::new();
    let is_chosen = group.config.aim.unwrap_or(settings.aim) != AimChoice::ByJoints;
    if aim != Aim::POSE && !is_chosen {
        let first = (until - began).mul_f64(PART_OF_FIRST_STEP).min(LONGEST_FIRST_STEP);
        let whole = Goal { aim: Aim::POSE, ..goal };
        attempts.push(Attempt { goal: whole, until: began + first, leaves_open: "" });
    }
    attempts.push(Attempt { goal, until, leaves_open });
    if let Some(relaxed) = rules.relaxed(&reach.link, settings.rotation_tolerance) {
        let base_from_root = context.root_from(&group.base, positions)?.inverse();
        let base_from_tip = Isometry3::from_parts(
            base_from_target.translation,
            base_from_root.rotation * relaxed.root_from_wanted,
        );
        let aim = Aim { position: [1.0; 3], rotation: relaxed.aim };
        let tolerance = Tolerance { rotation: relaxed.tolerance, ..tolerance };
        let leaves_open = "the orientation is what its constraint leaves open";
        attempts.push(Attempt { goal: Goal { base_from_tip, aim, tolerance }, until, leaves_open });
        // Whoever comes last has the time that is left; those before leave some.
        let half = began + (until - began) / 2;
        attempts.iter_mut().rev().skip(1).for_each(|attempt| attempt.until = attempt.until.min(half));
    }
    Ok(attempts)
}

/// The code and the sentence that go with an answer.
fn verdict(
    answer: &Answer,
    attempt: &Attempt,
    refusal: Option<(Code, String)>,
    began: Instant,
) -> (Code, String) {
    let Answer { position_error, rotation_error, iterations, .. } = answer;
    let spent = format!("{iterations} iterations, {:.3} ms", began.elapsed().as_secs_f64() * 1e3);
    let open = match attempt.leaves_open {
        "" => String::new(),
        words => format!("; {words}"),
    };
    let far = match attempt.goal.aim.rotation {
        RotationAim::Free => format!("{position_error:.2e} m"),
        _ => format!("{position_error:.2e} m and {rotation_error:.2e} rad"),
    };
    match answer.status {
        Status::Solved => (Code::Success, format!("{far} off{open} ({spent})")),
        Status::Approximate => {
            (Code::NoIkSolution, format!("no solution: the nearest is {far} off{open} ({spent})"))
        }
        Status::Refused => {
            let (code, why) = refusal.unwrap_or((Code::NoIkSolution, "is refused".to_owned()));
            (code, format!("each solution that was found {why}{open} ({spent})"))
        }
        Status::TimedOut => {
            let refused = refusal.map_or_else(String::new, |(_, why)| format!("; the last solution {why}"));
            (Code::TimedOut, format!("time was up: the nearest is {far} off{open}{refused} ({spent})"))
        }
        Status::Invalid(flaw @ (Flaw::Seed | Flaw::SeedLength)) => {
            (Code::InvalidRobotState, flaw.to_string())
        }
        Status::Invalid(flaw) => (Code::InvalidGoalConstraints, flaw.to_string()),
    }
}

/// Where every joint is that anything is known of, those of the chain first.
fn robot_state(context: &IkContext, reach: &Reach, found: &[f64], positions: &Positions) -> RobotState {
    let model = &context.robot.model;
    let mut joint_state = JointState {
        header: Header { stamp: stamp_now(), frame_id: context.transforms.name_of(model.root()) },
        ..JointState::default()
    };
    let mut put = |name: &str, position: f64| {
        joint_state.name.push(name.to_owned());
        joint_state.position.push(position);
    };
    reach.joints().zip(found).for_each(|(joint, &position)| put(joint, position));
    let position_of = reach.position_of(found, positions);
    let moving = model.joints().iter().filter(|joint| joint.kind.is_single());
    for joint in moving.filter(|joint| reach.joints().all(|own| own != joint.name)) {
        let position = match &joint.mimic {
            Some(mimic) => position_of(&mimic.leader).map(|at| mimic.multiplier * at + mimic.offset),
            None => position_of(&joint.name),
        };
        if let Some(position) = position {
            put(&joint.name, position);
        }
    }
    RobotState { joint_state, ..RobotState::default() }
}
