//! ROS messages to values and back. Every list of a message may have any length; every number may be anything.

use std::time::Duration;

use r2r::builtin_interfaces::msg::{Duration as RosDuration, Time as Stamp};
use r2r::control_msgs::action::FollowJointTrajectory;
use r2r::control_msgs::msg::JointTolerance as ToleranceMessage;
use r2r::lifecycle_msgs::msg::State as StateMessage;
use r2r::sensor_msgs::msg::JointState as JointStateMessage;
use r2r::trajectory_msgs::msg::{JointTrajectory, JointTrajectoryPoint};

use crate::config::arm::MAX_JOINTS;
use crate::config::controller::{ControllerConfig, JointTolerance};
use crate::control::follower::Tolerances;
use crate::control::lifecycle::Phase;
use crate::control::roster::Lifecycle;
use crate::control::safety::State;
use crate::control::stream::JointCommand;
use crate::servo::clock;
use crate::trajectory::refusal::Refusal;
use crate::trajectory::waypoints::{Point, Waypoints};
use crate::units::Time;

const NANOS_PER_SEC: i64 = 1_000_000_000;
/// How much earlier than we another process may have learnt the time.
const MOST_AHEAD: Duration = Duration::from_millis(500);

/// The present of the wall clock, or of `/clock`.
pub fn stamp_now() -> Stamp {
    stamp_of(clock::now())
}

/// The time of the wall clock, or of `/clock`, at an instant of the bus's clock.
pub fn stamp_of(time: Time) -> Stamp {
    let nanos = clock::wall_nanos_at(time);
    let sec = i32::try_from(nanos.div_euclid(NANOS_PER_SEC)).unwrap_or(i32::MAX);
    let nanosec = u32::try_from(nanos.rem_euclid(NANOS_PER_SEC)).unwrap_or(0);
    Stamp { sec, nanosec }
}

/// The instant of the bus's clock that a stamp means; `None` for the zero stamp, which means "now".
pub fn time_of(stamp: &Stamp) -> Option<Time> {
    if (stamp.sec, stamp.nanosec) == (0, 0) {
        return None;
    }
    Some(clock::at_wall_nanos(nanos_of(stamp)))
}

/// The nanoseconds of a stamp.
pub fn nanos_of(stamp: &Stamp) -> i64 {
    i64::from(stamp.sec) * NANOS_PER_SEC + i64::from(stamp.nanosec)
}

/// Whether a stamp is from before `/clock` was set back: it is of a time that has not come yet.
pub fn is_from_before(stamp: &Stamp) -> bool {
    0 < clock::resets() && time_of(stamp).is_some_and(|time| clock::now() + MOST_AHEAD < time)
}

/// Seconds of a ROS duration.
pub fn secs_of(duration: &RosDuration) -> f64 {
    f64::from(duration.sec) + f64::from(duration.nanosec) * 1e-9
}

/// A ROS duration of `secs`; saturates.
pub fn duration_of(secs: f64) -> RosDuration {
    let whole = secs.floor();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float casts saturate")]
    RosDuration { sec: whole as i32, nanosec: ((secs - whole) * 1e9) as u32 }
}

/// A trajectory as it came.
///
/// # Errors
/// Where a time is none.
pub fn waypoints(message: &JointTrajectory) -> Result<Waypoints, Refusal> {
    let point = |(index, point): (usize, &JointTrajectoryPoint)| {
        let RosDuration { sec, nanosec } = point.time_from_start;
        Ok(Point {
            time_from_start: Point::seconds(index, sec, nanosec)?,
            positions: point.positions.clone(),
            velocities: point.velocities.clone(),
            accelerations: point.accelerations.clone(),
            effort: point.effort.clone(),
        })
    };
    let points = message.points.iter().enumerate().map(point).collect::<Result<_, _>>()?;
    Ok(Waypoints { joint_names: message.joint_names.clone(), points })
}

/// The goal's own tolerances on top of the configured ones: 0 keeps the configured one, -1 takes it away.
///
/// # Errors
/// A joint that the arm does not have, or another negative or not finite tolerance.
pub fn tolerances(
    goal: &FollowJointTrajectory::Goal,
    joints: &[String],
    config: &ControllerConfig,
) -> Result<Tolerances, Refusal> {
    let mut tolerances = config.tolerances.clone();
    for asked in &goal.path_tolerance {
        let joint = joint_of(asked, joints)?;
        tolerances[joint].path = merged(asked, tolerances[joint].path)?;
    }
    for asked in &goal.goal_tolerance {
        let joint = joint_of(asked, joints)?;
        tolerances[joint].goal = merged(asked, tolerances[joint].goal)?;
    }
    let asked = secs_of(&goal.goal_time_tolerance);
    let goal_time_secs = match asked {
        0.0 => config.goal_time_secs,
        _ if 0.0 < asked => asked,
        _ if asked == ERASE => 0.0,
        _ => {
            return Err(Refusal::Tolerance(format!(
                "goal_time_tolerance is {asked} s; it must be positive, 0 or -1"
            )));
        }
    };
    Ok(Tolerances { joints: tolerances, goal_time_secs, timeout_secs: config.cmd_timeout_secs })
}

/// The tolerances of the configuration, for trajectories that bring none.
pub fn configured_tolerances(config: &ControllerConfig) -> Tolerances {
    let joints: Vec<JointTolerance> = config.tolerances.clone();
    Tolerances { joints, goal_time_secs: config.goal_time_secs, timeout_secs: config.cmd_timeout_secs }
}

/// What takes a tolerance away.
const ERASE: f64 = -1.0;

fn joint_of(asked: &ToleranceMessage, joints: &[String]) -> Result<usize, Refusal> {
    joints
        .iter()
        .position(|joint| *joint == asked.name)
        .ok_or_else(|| Refusal::UnknownJoint { joint: asked.name.clone(), known: joints.to_vec() })
}

fn merged(asked: &ToleranceMessage, configured: f64) -> Result<f64, Refusal> {
    match asked.position {
        0.0 => Ok(configured),
        ERASE => Ok(0.0),
        position if 0.0 < position && position.is_finite() => Ok(position),
        position => Err(Refusal::Tolerance(format!(
            "The position tolerance of joint {} is {position}; it must be positive, 0 or -1.",
            asked.name
        ))),
    }
}

/// A command for the arm's joints, NaN for those that it leaves out, and for velocities and efforts that it does not
/// have. An effort is the greatest that the joint may use; 0 says nothing.
///
/// # Errors
/// A sentence that names what is wrong.
pub fn joint_command(
    message: &JointStateMessage,
    joints: &[String],
    received: Time,
) -> Result<JointCommand, String> {
    let names = message.name.len();
    let lengths = [
        ("positions", message.position.len()),
        ("velocities", message.velocity.len()),
        ("efforts", message.effort.len()),
    ];
    for (field, length) in lengths {
        if length != names && (field == "positions" || length != 0) {
            return Err(format!("it names {names} joints and has {length} {field}"));
        }
    }
    let nothing = [f64::NAN; MAX_JOINTS];
    let mut command = JointCommand { received, positions: nothing, velocities: nothing, efforts: nothing };
    for (index, (name, &position)) in message.name.iter().zip(&message.position).enumerate() {
        let joint = joints.iter().position(|joint| joint == name);
        let joint = joint.ok_or_else(|| format!("joint `{name}` is not one of {}", joints.join(", ")))?;
        if !position.is_finite() {
            return Err(format!("the position of joint `{name}` is {position}"));
        }
        command.positions[joint] = position;
        command.velocities[joint] = message.velocity.get(index).copied().unwrap_or(f64::NAN);
        let effort = message.effort.get(index).copied().unwrap_or(f64::NAN);
        if effort < 0.0 {
            return Err(format!("the effort limit of joint `{name}` is {effort}; it must not be negative"));
        }
        command.efforts[joint] = if effort == 0.0 { f64::NAN } else { effort };
    }
    Ok(command)
}

/// An arm's state: the id is the lifecycle state that it is, the label its own name.
pub fn state_message(state: State) -> StateMessage {
    StateMessage { id: Phase::from(Lifecycle::from(state)).id(), label: state.to_string() }
}

/// Why an arm in that state obeys no commands, if it does not; a state of a newer version is judged by its id alone.
pub fn obstacle_of(state: &StateMessage) -> Option<&'static str> {
    if state.id == Phase::Active.id() {
        return None;
    }
    let known = State::from_name(&state.label).and_then(State::obstacle);
    Some(known.unwrap_or("the hardware is not active"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_survive_the_round_trip() {
        for secs in [0.0, 0.25, 1.5, 1e6, -1.0, -0.25] {
            assert!((secs_of(&duration_of(secs)) - secs).abs() < 1e-6, "{secs}");
        }
    }

    #[test]
    fn a_stamp_means_the_instant_it_was_made_from() {
        let time = clock::now();
        let back = time_of(&stamp_of(time)).unwrap();
        assert_eq!(back, time);
        assert_eq!(stamp_of(time), stamp_of(time));
        assert_eq!(time_of(&Stamp { sec: 0, nanosec: 0 }), None);
    }

    #[test]
    fn a_state_says_whether_and_why_commands_are_not_obeyed() {
        for state in State::ALL {
            assert_eq!(obstacle_of(&state_message(state)), state.obstacle(), "{state}");
        }
        let strange = |id| StateMessage { id, label: "Dreaming".to_owned() };
        assert_eq!(obstacle_of(&strange(Phase::Active.id())), None);
        assert_eq!(obstacle_of(&strange(Phase::Inactive.id())), Some("the hardware is not active"));
        let contradiction = StateMessage { id: Phase::Inactive.id(), label: "Holding".to_owned() };
        assert_eq!(obstacle_of(&contradiction), Some("the hardware is not active"));
    }

    #[test]
    fn a_command_is_refused_for_a_wrong_name_length_or_number() {
        let joints = ["a".to_owned(), "b".to_owned()];
        let message = |names: &[&str], position: &[f64]| JointStateMessage {
            name: names.iter().map(|&name| name.to_owned()).collect(),
            position: position.to_vec(),
            ..JointStateMessage::default()
        };
        let command = joint_command(&message(&["b"], &[1.0]), &joints, Time(0)).unwrap();
        assert!(
            command.positions[0].is_nan() && command.positions[1] == 1.0 && command.velocities[1].is_nan()
        );
        for (names, position, expected) in [
            (&["c"][..], &[1.0][..], "joint `c` is not one of a, b"),
            (&["a"], &[f64::NAN], "the position of joint `a` is NaN"),
            (&["a", "b"], &[1.0], "it names 2 joints and has 1 positions"),
        ] {
            assert_eq!(joint_command(&message(names, position), &joints, Time(0)).unwrap_err(), expected);
        }
    }
}
