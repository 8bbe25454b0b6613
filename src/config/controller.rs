//! What the trajectory controller must know; the names are those of `joint_trajectory_controller`.

use super::declaration::Declaration;
use super::parameters::Value;

/// The configuration of `arm_controller`.
#[derive(Clone, Debug, PartialEq)]
pub struct ControllerConfig {
    /// Whether a goal may leave joints out; they keep their reference.
    pub allow_partial_joints_goal: bool,
    /// Whether a trajectory may end in motion.
    pub allow_nonzero_velocity_at_trajectory_end: bool,
    /// How often feedback is sent to action clients (Hz).
    pub action_monitor_rate_hz: f64,
    /// How slow a joint must be to count as stopped (rad/s); as upstream, not judged with position commands.
    pub stopped_velocity_tolerance: f64,
    /// How long after its end a trajectory may still settle (s); 0 for ever.
    pub goal_time_secs: f64,
    /// One for each joint, in the arm's order.
    pub tolerances: Vec<JointTolerance>,
}

/// How far a joint may be from its reference; 0 for any distance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JointTolerance {
    /// On the way (rad).
    pub path: f64,
    /// At the end (rad).
    pub goal: f64,
}

impl ControllerConfig {
    /// Declares and reads the parameters of the controller for the arm's `joints`.
    pub fn declare(declaration: &mut Declaration<'_>, joints: &[String]) -> Self {
        let d = declaration;
        only_position(d);
        let any = 0.0..=f64::INFINITY;
        let tolerances = joints
            .iter()
            .map(|joint| JointTolerance {
                path: d.number_in(
                    &format!("constraints.{joint}.trajectory"),
                    0.0,
                    any.clone(),
                    "Distance allowed on the way (rad); 0 for any.",
                ),
                goal: d.number_in(
                    &format!("constraints.{joint}.goal"),
                    0.0,
                    any.clone(),
                    "Distance allowed at the end (rad); 0 for any.",
                ),
            })
            .collect();
        Self {
            allow_partial_joints_goal: d.or(
                "allow_partial_joints_goal",
                false,
                "Whether a goal may leave joints out; they keep their reference.",
            ),
            allow_nonzero_velocity_at_trajectory_end: d.or(
                "allow_nonzero_velocity_at_trajectory_end",
                false,
                "Whether a trajectory may end in motion.",
            ),
            action_monitor_rate_hz: d.number_in(
                "action_monitor_rate",
                20.0,
                0.1..=2000.0,
                "How often feedback is sent to action clients (Hz).",
            ),
            stopped_velocity_tolerance: d.number_in(
                "constraints.stopped_velocity_tolerance",
                0.01,
                any.clone(),
                "How slow a joint must be to count as stopped (rad/s); as upstream, not judged with position commands.",
            ),
            goal_time_secs: d.number_in(
                "constraints.goal_time",
                0.0,
                any,
                "How long after its end a trajectory may still settle (s); 0 for ever.",
            ),
            tolerances,
        }
    }
}

/// Servos take positions; the lists are accepted as other controllers' files have them.
fn only_position(d: &mut Declaration<'_>) {
    let position = vec!["position".to_owned()];
    let command: Vec<String> = d.or("command_interfaces", position.clone(), "What is commanded: position.");
    if command != position {
        d.refuse("command_interfaces", Value::StringArray(command), "servos take [position]");
    }
    let both = vec!["position".to_owned(), "velocity".to_owned()];
    let state: Vec<String> = d.or("state_interfaces", both.clone(), "What is measured: position, velocity.");
    if state != both && state != position {
        d.refuse("state_interfaces", Value::StringArray(state), "servos give [position, velocity]");
    }
}
