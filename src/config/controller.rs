//! What the trajectory controller must know; the names are those of `joint_trajectory_controller`.
//!
//! A file written for that loads as it is. What has no meaning for position-controlled servos is accepted and
//! remarked on; what upstream reads again at run time may change at run time here.

mod interfaces;
mod meaningless;

use super::common;
use super::declaration::Declaration;
use super::parameters::Value;

/// The configuration of one trajectory controller.
#[derive(Clone, Debug, PartialEq)]
pub struct ControllerConfig {
    /// Whether it is active from the start.
    pub autostart: bool,
    /// One for each joint, in the controller's order: whether it is commanded, or only watched.
    pub commanded: Vec<bool>,
    /// How fast trajectory time passes until somebody says otherwise; 1 is as planned, 0 is a pause.
    pub initial_speed_scaling: f64,
    /// Whether a goal may leave joints out; they finish the motion that they are in.
    pub allow_partial_joints_goal: bool,
    /// Whether joints that a new trajectory leaves out finish their old motion.
    pub allow_trajectory_replacement: bool,
    /// Whether an activated controller goes on from what its joints were told last, instead of from where they are.
    pub starts_from_last_command: bool,
    /// Whether points may come without positions, which are integrated from velocities or accelerations then.
    pub allow_integration_in_goal_trajectories: bool,
    /// Whether a trajectory may end in motion.
    pub allow_nonzero_velocity_at_trajectory_end: bool,
    /// How often feedback is sent to action clients (Hz).
    pub action_monitor_rate_hz: f64,
    /// What lies between two points of a trajectory.
    pub interpolation: Interpolation,
    /// Makes smooth splines of positions from the topic. How often these come (Hz), 0 where points bring their own
    /// times; `None` where it is off.
    pub upsampling: Option<f64>,
    /// What becomes of a trajectory that asks for more than the limits.
    pub limits_policy: LimitsPolicy,
    /// The arm holds where nothing new has come for so long after a trajectory's end (s).
    pub cmd_timeout_secs: Option<f64>,
    /// How slow a joint must be to count as stopped (rad/s); as upstream, not judged with position commands.
    pub stopped_velocity_tolerance: f64,
    /// How long after its end a trajectory may still settle (s); 0 for ever.
    pub goal_time_secs: f64,
    /// Whether a cancelled motion comes to rest with `max_deceleration`.
    pub decelerate_on_cancel: bool,
    /// One for each joint, in the controller's order.
    pub tolerances: Vec<JointTolerance>,
    /// One for each joint, in the controller's order: how hard it may brake when a goal is cancelled (rad/s²).
    pub max_deceleration: Vec<Option<f64>>,
}

/// How far a joint may be from its reference; 0 for any distance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JointTolerance {
    /// On the way (rad).
    pub path: f64,
    /// At the end (rad).
    pub goal: f64,
}

/// What lies between two points of a trajectory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// A spline, of the degree that the points have values for.
    Splines,
    /// Nothing: the reference is the next point at once.
    None,
}

/// What becomes of a trajectory that asks for more than the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitsPolicy {
    /// It is followed as well as the limits allow.
    Shorten,
    /// It is refused.
    Reject,
    /// It is slowed down as a whole until it fits.
    Retime,
}

impl ControllerConfig {
    /// Declares and reads the parameters of a controller of `joints`.
    pub fn declare(declaration: &mut Declaration<'_>, joints: &[String]) -> Self {
        let d = declaration;
        common::declare(d, &["joint_trajectory_controller/JointTrajectoryController"]);
        interfaces::declare(d);
        meaningless::declare(d, joints);
        let goal_time_secs = d.changeable().number_in(
            "constraints.goal_time",
            0.0,
            0.0..=f64::INFINITY,
            "How long after its end a trajectory may still settle (s); 0 for ever.",
        );
        Self {
            autostart: common::autostart(d),
            commanded: interfaces::commanded(d, joints),
            initial_speed_scaling: d.number_in(
                "speed_scaling.initial_scaling_factor",
                1.0,
                0.0..=f64::INFINITY,
                "How fast trajectory time passes until somebody says otherwise; 1 is as planned, 0 is a pause.",
            ),
            allow_partial_joints_goal: d.changeable().or(
                "allow_partial_joints_goal",
                false,
                "Whether a goal may leave joints out; they finish the motion that they are in.",
            ),
            allow_trajectory_replacement: d.changeable().or(
                "allow_trajectory_replacement",
                true,
                "Whether joints that a new trajectory leaves out finish their old motion.",
            ),
            starts_from_last_command: d.changeable().or(
                "set_last_command_interface_value_as_state_on_activation",
                true,
                "Whether an activated controller goes on from what its joints were told last, not from where they are.",
            ),
            allow_integration_in_goal_trajectories: d.changeable().or(
                "allow_integration_in_goal_trajectories",
                false,
                "Whether points may come without positions, which are integrated from velocities or accelerations then.",
            ),
            allow_nonzero_velocity_at_trajectory_end: d.changeable().or(
                "allow_nonzero_velocity_at_trajectory_end",
                false,
                "Whether a trajectory may end in motion.",
            ),
            action_monitor_rate_hz: d.number_in(
                "action_monitor_rate",
                20.0,
                0.1..=2000.0,
                "How often feedback is sent to action clients (Hz); up to the control rate.",
            ),
            interpolation: interpolation(d),
            upsampling: upsampling(d),
            limits_policy: limits_policy(d),
            cmd_timeout_secs: cmd_timeout(d, goal_time_secs),
            stopped_velocity_tolerance: d.changeable().number_in(
                "constraints.stopped_velocity_tolerance",
                0.01,
                0.0..=f64::INFINITY,
                "How slow a joint must be to count as stopped (rad/s); as upstream, not judged with position commands.",
            ),
            goal_time_secs,
            decelerate_on_cancel: d.or(
                "constraints.decelerate_on_cancel",
                false,
                "Whether a cancelled motion comes to rest with each joint's max_deceleration_on_cancel.",
            ),
            tolerances: joints.iter().map(|joint| tolerance(d, joint)).collect(),
            max_deceleration: joints.iter().map(|joint| max_deceleration(d, joint)).collect(),
        }
    }
}

fn interpolation(d: &mut Declaration<'_>) -> Interpolation {
    let choices = [("splines", Interpolation::Splines), ("none", Interpolation::None)];
    let about = "What lies between two points: splines, or none to jump to the next one.";
    d.one_of("interpolation_method", "splines", &choices, about).unwrap_or(Interpolation::Splines)
}

fn upsampling(d: &mut Declaration<'_>) -> Option<f64> {
    let about = "Whether positions from the topic become a smooth spline.";
    let enabled = d.or("positions_upsampling.enable", false, about);
    let rate_hz = d.changeable().number_in(
        "positions_upsampling.policy_frequency",
        0.0,
        0.0..=f64::INFINITY,
        "How often positions without times come (Hz); 0 where points bring their own times.",
    );
    enabled.then_some(rate_hz)
}

fn limits_policy(d: &mut Declaration<'_>) -> LimitsPolicy {
    let choices = [
        ("shorten", LimitsPolicy::Shorten),
        ("reject", LimitsPolicy::Reject),
        ("retime", LimitsPolicy::Retime),
    ];
    let about = "A trajectory that asks for more than the limits is followed as far as they allow (shorten), refused (reject), or slowed down until it fits (retime).";
    d.changeable().one_of("trajectory_limits", "retime", &choices, about).unwrap_or(LimitsPolicy::Retime)
}

fn cmd_timeout(d: &mut Declaration<'_>, goal_time_secs: f64) -> Option<f64> {
    let timeout = d.changeable().number_in(
        "cmd_timeout",
        0.0,
        f64::NEG_INFINITY..=f64::INFINITY,
        "The arm holds where nothing new has come for so long after a trajectory's end (s); 0 for never.",
    );
    d.constrain("cmd_timeout", "greater than constraints.goal_time, and ignored otherwise");
    let is_meant = 0.0 < timeout;
    if is_meant && timeout <= goal_time_secs {
        d.remark(format!(
            "parameter `cmd_timeout` is {timeout:?}; it is ignored, because it is not greater than \
             `constraints.goal_time`, which is {goal_time_secs:?}"
        ));
    }
    Some(timeout).filter(|_| is_meant && goal_time_secs < timeout)
}

/// As upstream, what is not positive is no tolerance.
fn tolerance(d: &mut Declaration<'_>, joint: &str) -> JointTolerance {
    let mut distance = |key: &str, about: &'static str| {
        let name = format!("constraints.{joint}.{key}");
        d.changeable().number_in(&name, 0.0, f64::NEG_INFINITY..=f64::INFINITY, about).max(0.0)
    };
    JointTolerance {
        path: distance("trajectory", "Distance allowed on the way (rad); 0 for any."),
        goal: distance("goal", "Distance allowed at the end (rad); 0 for any."),
    }
}

fn max_deceleration(d: &mut Declaration<'_>, joint: &str) -> Option<f64> {
    let most = d.number_in(
        &format!("constraints.{joint}.max_deceleration_on_cancel"),
        0.0,
        0.0..=f64::INFINITY,
        "How hard the joint may brake when a goal is cancelled (rad/s^2); 0 for as hard as its limits allow.",
    );
    Some(most).filter(|most| 0.0 < *most)
}

/// The first name that was there before.
fn repeated(names: &[String]) -> Option<&String> {
    names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)).map(|(_, name)| name)
}

fn refuse_list(d: &mut Declaration<'_>, name: &str, list: &[String], expected: impl Into<String>) {
    d.refuse(name, Value::StringArray(list.to_vec()), expected);
}

#[cfg(test)]
#[path = "controller_tests.rs"]
mod tests;
