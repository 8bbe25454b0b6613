//! What live control needs of its options, beyond what configuration checks.

use super::LiveError;
pub use crate::config::live::{Options, Scale, Singularity};

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
