//! How live control is set up. The names and the defaults are moveit_servo's.

use super::LiveError;

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

impl Options {
    /// How far a joint stays from the ends of its travel (rad or m).
    pub(super) fn margin(&self, joint: usize) -> f64 {
        let margins = &self.joint_limit_margins;
        margins.get(joint).or(margins.last()).copied().unwrap_or(0.0)
    }

    pub(super) fn check(&self) -> Result<(), LiveError> {
        let numbers = [
            ("publish_period", self.publish_period),
            ("incoming_command_timeout", self.incoming_command_timeout),
            ("scale.linear", self.scale.linear),
            ("scale.rotational", self.scale.rotational),
            ("scale.joint", self.scale.joint),
            ("lower_singularity_threshold", self.singularity.lower_threshold),
            (
                "hard_stop_singularity_threshold above lower_singularity_threshold",
                self.singularity.hard_stop_threshold - self.singularity.lower_threshold,
            ),
            ("leaving_singularity_threshold_multiplier", self.singularity.leaving_multiplier),
            ("self_collision_proximity_threshold", self.self_collision_proximity_threshold),
            ("scene_collision_proximity_threshold", self.scene_collision_proximity_threshold),
            ("pose_tracking.linear_tolerance", self.pose_tolerance.0),
            ("pose_tracking.angular_tolerance", self.pose_tolerance.1),
        ];
        let bad = |value: f64| !(0.0 < value && value.is_finite());
        match numbers.into_iter().find(|(_, value)| bad(*value)) {
            Some((name, value)) => Err(LiveError::Option { name, value }),
            None => Ok(()),
        }
    }

    /// The thresholds in the order of a clearance's distances.
    pub(super) fn thresholds(&self) -> [f64; 2] {
        [self.self_collision_proximity_threshold, self.scene_collision_proximity_threshold]
    }
}
