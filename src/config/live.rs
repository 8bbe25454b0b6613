//! What live control must know; the names are moveit_servo's, so that its YAML is read as it is.
//!
//! A parameter may stand behind `servo.`, behind `moveit_servo.` or alone.

use super::declaration::Declaration;
use super::from_value::FromValue;
use super::parameters::Value;

/// The configuration of live control.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveConfig {
    /// The group that it drives; empty for the first that has a controller.
    pub group: String,
    /// Where commands come in.
    pub twist_topic: String,
    /// Where joint jogs come in.
    pub jog_topic: String,
    /// Where poses come in.
    pub pose_topic: String,
    /// Where it says how it is.
    pub status_topic: String,
    /// Where it tells the arm; empty for the topic of the group's controller.
    pub command_out_topic: String,
    /// What it tells.
    pub command_out: CommandOut,
    /// Whether positions, velocities and accelerations are told.
    pub publishes: [bool; 3],
    /// So long (s) what is told is on its way at most, and so much later it is done.
    pub max_expected_latency: f64,
    /// Whether collisions are looked for.
    pub check_collisions: bool,
    /// The rest.
    pub options: Options,
}

/// How live control is set up.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Time between two steps (s).
    pub publish_period: f64,
    /// A command counts so long (s).
    pub incoming_command_timeout: f64,
    /// Whether commands are in metres and radians a second, or without units: parts of `scale`.
    pub in_speed_units: bool,
    /// The greatest speeds: what a command of 1 without units means.
    pub scale: Scale,
    /// Whether a twist in another frame is about the tip, or about that frame's origin.
    pub apply_twist_commands_about_ee_frame: bool,
    /// For each joint how far from the ends of its travel it stays (rad or m); the last one counts for all others.
    pub joint_limit_margins: Vec<f64>,
    /// Whether all joints stop where one is at its end, in joint jogs.
    pub halt_all_joints_in_joint_mode: bool,
    /// The same for twists and poses.
    pub halt_all_joints_in_cartesian_mode: bool,
    /// When it slows at singularities.
    pub singularity: Singularity,
    /// Slower when parts of the arm are nearer to each other (m).
    pub self_collision_proximity_threshold: f64,
    /// Slower when something else is nearer to the arm (m).
    pub scene_collision_proximity_threshold: f64,
    /// How near a target pose is reached (m and rad).
    pub pose_tolerance: (f64, f64),
    /// Farther (rad or m) from where the arm was led last, it begins anew where the arm is.
    pub resume_tolerance: f64,
}

/// The speeds that a command of 1 without units means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Of the tip (m/s).
    pub linear: f64,
    /// Of the tip's turning (rad/s).
    pub rotational: f64,
    /// Of a joint (rad/s or m/s).
    pub joint: f64,
}

/// When live control slows at singularities: ratios of the joints' greatest to their least effect on the tip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Singularity {
    /// Slower from here on.
    pub lower_threshold: f64,
    /// Stopped here.
    pub hard_stop_threshold: f64,
    /// So many times less slow while leaving.
    pub leaving_multiplier: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            publish_period: 0.01,
            incoming_command_timeout: 0.1,
            in_speed_units: false,
            scale: Scale { linear: 0.4, rotational: 0.8, joint: 0.5 },
            apply_twist_commands_about_ee_frame: true,
            joint_limit_margins: vec![0.1],
            halt_all_joints_in_joint_mode: true,
            halt_all_joints_in_cartesian_mode: true,
            singularity: Singularity {
                lower_threshold: 17.0,
                hard_stop_threshold: 30.0,
                leaving_multiplier: 2.0,
            },
            self_collision_proximity_threshold: 0.01,
            scene_collision_proximity_threshold: 0.02,
            pose_tolerance: (0.001, 0.01),
            resume_tolerance: 0.05,
        }
    }
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandOut {
    /// `trajectory_msgs/JointTrajectory`
    Trajectory,
    /// `std_msgs/Float64MultiArray`
    Numbers,
}

/// Parameters of moveit_servo that have no meaning here, and why.
const WITHOUT_MEANING: [(&str, &str); 21] = [
    ("thread_priority", "for live control, whose steps have their times in the message"),
    ("active_subgroup", "for live control, which drives one group"),
    ("joint_topic", "for live control, which listens to joint_states"),
    ("use_smoothing", "for live control, whose motion is smooth by its limits"),
    ("smoothing_filter_plugin_name", "for live control, whose motion is smooth by its limits"),
    ("butterworth_filter_coeff", "for live control, whose motion is smooth by its limits"),
    ("singularity_step_scale", "for live control, which looks as far ahead as it goes"),
    ("collision_check_rate", "for live control, which looks at every step"),
    ("override_velocity_scaling_factor", "for live control, whose brakes cannot be overridden"),
    ("is_primary_planning_scene_monitor", "without a planning scene"),
    ("check_octomap_collisions", "without a planning scene"),
    ("monitored_planning_scene_topic", "without a planning scene"),
    ("enable_parameter_update", "for live control, whose parameters are read at the start"),
    ("low_latency_mode", "for live control, which never waits"),
    ("planning_frame", "for live control; the group's base says it"),
    ("ee_frame", "for live control; the group's tip says it"),
    ("ee_frame_name", "for live control; the group's tip says it"),
    ("robot_link_command_frame", "for live control; the header of a command says it"),
    ("num_outgoing_halt_msgs_to_publish", "for live control, which tells once that it rests"),
    ("use_gazebo", "for live control"),
    ("system_latency_compensation", "for live control; max_expected_latency says it"),
];

/// Declares parameters by moveit_servo's names.
struct Names<'d, 'a>(&'d mut Declaration<'a>);

impl Names<'_, '_> {
    /// The name that is used for a parameter.
    fn of(&self, name: &str) -> String {
        let given = ["servo.", "moveit_servo.", ""].map(|prefix| format!("{prefix}{name}"));
        given.iter().find(|name| self.0.has(name)).unwrap_or(&given[0]).clone()
    }

    fn or<T: FromValue + Clone>(&mut self, name: &str, default: T, about: &'static str) -> T {
        self.0.or(&self.of(name), default, about)
    }

    fn positive(&mut self, name: &str, default: f64, about: &'static str) -> f64 {
        self.0.number_in(&self.of(name), default, 1e-6..=1e6, about)
    }

    fn one_of<T: Copy>(&mut self, name: &str, first: T, choices: &[(&str, T)], about: &'static str) -> T {
        self.0.one_of(&self.of(name), choices[0].0, choices, about).unwrap_or(first)
    }

    fn has(&self, name: &str) -> bool {
        self.0.has(&self.of(name))
    }
}

impl LiveConfig {
    /// Declares and reads the parameters of live control.
    pub fn declare(d: &mut Declaration<'_>) -> Self {
        let mut names = Names(d);
        for (name, why) in WITHOUT_MEANING {
            if names.has(name) {
                let name = names.of(name);
                names.0.no_meaning(why).accept(&name, "Accepted, without meaning.");
            }
        }
        let publishes = [
            ("publish_joint_positions", "Whether positions are told."),
            ("publish_joint_velocities", "Whether velocities are told."),
            (
                "publish_joint_accelerations",
                "Whether accelerations are told: without them the motion is less smooth.",
            ),
        ]
        .map(|(name, about)| names.or(name, true, about));
        let outputs = [
            ("trajectory_msgs/JointTrajectory", CommandOut::Trajectory),
            ("std_msgs/Float64MultiArray", CommandOut::Numbers),
        ];
        Self {
            group: names.or(
                "move_group_name",
                String::new(),
                "The group that live control drives; empty: the first with a controller.",
            ),
            twist_topic: names.or(
                "cartesian_command_in_topic",
                "~/delta_twist_cmds".to_owned(),
                "Where twists come in.",
            ),
            jog_topic: names.or(
                "joint_command_in_topic",
                "~/delta_joint_cmds".to_owned(),
                "Where joint jogs come in.",
            ),
            pose_topic: names.or(
                "pose_command_in_topic",
                "~/pose_target_cmds".to_owned(),
                "Where poses to track come in.",
            ),
            status_topic: names.or(
                "status_topic",
                "~/status".to_owned(),
                "Where live control says how it is.",
            ),
            command_out_topic: names.or(
                "command_out_topic",
                String::new(),
                "Where live control tells the arm; empty: its controller's joint_trajectory.",
            ),
            command_out: names.one_of(
                "command_out_type",
                CommandOut::Trajectory,
                &outputs,
                "What live control tells the arm.",
            ),
            publishes,
            max_expected_latency: names.0.number_in(
                &names.of("max_expected_latency"),
                0.03,
                0.0..=1.0,
                "So long (s) a message to the controller takes at most, and so much later it is obeyed.",
            ),
            check_collisions: names.or("check_collisions", true, "Whether live control slows at collisions."),
            options: options(&mut names),
        }
    }
}

fn options(names: &mut Names<'_, '_>) -> Options {
    let usual = Options::default();
    let units = [("unitless", false), ("speed_units", true)];
    let margins = match names.has("joint_limit_margins") || !names.has("joint_limit_margin") {
        true => names.or(
            "joint_limit_margins",
            usual.joint_limit_margins.clone(),
            "How far from the ends of their travel the joints stay (rad or m).",
        ),
        false => vec![names.or("joint_limit_margin", 0.1, "As joint_limit_margins, of all joints.")],
    };
    if let Some(bad) = margins.iter().find(|margin| !(0.0..=1e3).contains(*margin)) {
        let name = names.of("joint_limit_margins");
        names.0.refuse(&name, Value::Double(*bad), "a margin must be 0 or more");
    }
    let lower_threshold = names.positive(
        "lower_singularity_threshold",
        usual.singularity.lower_threshold,
        "Slower from this nearness of a singularity on; 6 is usual.",
    );
    let hard_stop_threshold = names.positive(
        "hard_stop_singularity_threshold",
        usual.singularity.hard_stop_threshold,
        "Stopped at this nearness of a singularity.",
    );
    if hard_stop_threshold <= lower_threshold {
        let name = names.of("hard_stop_singularity_threshold");
        names.0.refuse(
            &name,
            Value::Double(hard_stop_threshold),
            "it must be greater than lower_singularity_threshold",
        );
    }
    Options {
        publish_period: names.0.number_in(
            &names.of("publish_period"),
            usual.publish_period,
            0.001..=0.5,
            "Time between two steps of live control (s).",
        ),
        incoming_command_timeout: names.positive(
            "incoming_command_timeout",
            usual.incoming_command_timeout,
            "A command counts so long (s).",
        ),
        in_speed_units: names.one_of(
            "command_in_type",
            false,
            &units,
            "Whether commands are parts of the scale, or metres and radians a second.",
        ),
        scale: Scale {
            linear: names.positive(
                "scale.linear",
                usual.scale.linear,
                "Greatest speed of the tip (m/s): a command of 1 without units.",
            ),
            rotational: names.positive(
                "scale.rotational",
                usual.scale.rotational,
                "Greatest angular speed of the tip (rad/s).",
            ),
            joint: names.positive(
                "scale.joint",
                usual.scale.joint,
                "Speed of a joint (rad/s or m/s) at a jog of 1.",
            ),
        },
        apply_twist_commands_about_ee_frame: names.or(
            "apply_twist_commands_about_ee_frame",
            true,
            "Whether a twist in another frame turns about the tip, or about that frame's origin.",
        ),
        joint_limit_margins: if margins.is_empty() { vec![0.0] } else { margins },
        halt_all_joints_in_joint_mode: names.or(
            "halt_all_joints_in_joint_mode",
            true,
            "Whether all joints stop where one is at its end, in jogs.",
        ),
        halt_all_joints_in_cartesian_mode: names.or(
            "halt_all_joints_in_cartesian_mode",
            true,
            "The same for twists and poses.",
        ),
        singularity: Singularity {
            lower_threshold,
            hard_stop_threshold: hard_stop_threshold.max(lower_threshold * (1.0 + 1e-6)),
            leaving_multiplier: names.positive(
                "leaving_singularity_threshold_multiplier",
                usual.singularity.leaving_multiplier,
                "So many times less slow while leaving a singularity.",
            ),
        },
        self_collision_proximity_threshold: names.positive(
            "self_collision_proximity_threshold",
            usual.self_collision_proximity_threshold,
            "Slower when parts of the arm are nearer to each other (m).",
        ),
        scene_collision_proximity_threshold: names.positive(
            "scene_collision_proximity_threshold",
            usual.scene_collision_proximity_threshold,
            "Slower when something else is nearer to the arm (m).",
        ),
        pose_tolerance: (
            names.positive(
                "pose_tracking.linear_tolerance",
                usual.pose_tolerance.0,
                "A tracked pose is reached within this (m).",
            ),
            names.positive(
                "pose_tracking.angular_tolerance",
                usual.pose_tolerance.1,
                "And within this (rad).",
            ),
        ),
        resume_tolerance: usual.resume_tolerance,
    }
}

#[cfg(test)]
mod tests {
    use super::super::parameters::Parameters;
    use super::*;

    fn read(entries: &[(&str, Value)]) -> (LiveConfig, Vec<String>, Vec<String>) {
        let given: Parameters =
            entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let mut declaration = Declaration::new(&given);
        let config = LiveConfig::declare(&mut declaration);
        let remarks = declaration.remarks().to_vec();
        (config, remarks, declaration.finish().1.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn moveit_servos_names_are_read_behind_either_prefix_or_none() {
        for prefix in ["servo.", "moveit_servo.", ""] {
            let name = |name: &str| format!("{prefix}{name}");
            let (config, remarks, errors) = read(&[
                (&name("scale.linear"), Value::Double(0.2)),
                (&name("command_in_type"), Value::String("speed_units".into())),
                (&name("joint_limit_margins"), Value::DoubleArray(vec![0.1, 0.2])),
                (&name("thread_priority"), Value::Integer(40)),
                (&name("use_smoothing"), Value::Bool(true)),
            ]);
            assert_eq!(errors, Vec::<String>::new());
            assert_eq!((config.options.scale.linear, config.options.in_speed_units), (0.2, true));
            assert_eq!(config.options.joint_limit_margins, [0.1, 0.2]);
            assert_eq!(remarks.len(), 2, "{remarks:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_name() {
        let (_, _, errors) = read(&[("servo.hard_stop_singularity_threshold", Value::Double(10.0))]);
        assert!(errors[0].contains("`servo.hard_stop_singularity_threshold` is 10"), "{errors:?}");
        let (_, _, errors) = read(&[("servo.publish_period", Value::Double(0.0))]);
        assert!(errors[0].contains("`servo.publish_period` is 0"), "{errors:?}");
    }
}
