//! What the inverse kinematics must know: groups of joints, and how exactly and how long it looks for an answer.
//!
//! A group that is not described completely is completed from the robot model, by whoever has one.

use super::collision::CollisionConfig;
use super::common;
use super::declaration::Declaration;
use super::live::LiveConfig;
use super::parameters::Value;

/// The configuration of `ik_node`.
#[derive(Clone, Debug, PartialEq)]
pub struct IkConfig {
    /// Whether it is active from the start.
    pub autostart: bool,
    /// How long a search may take that does not say it itself (s).
    pub timeout_secs: f64,
    /// The longest that a search may ask for (s).
    pub max_timeout_secs: f64,
    /// How far the tip may be from where it should be (m).
    pub position_tolerance: f64,
    /// How far it may be turned (rad).
    pub rotation_tolerance: f64,
    /// How old joint states may be to count as where the joints are (s).
    pub state_timeout_secs: f64,
    /// What of a pose counts, for groups that do not say it.
    pub aim: AimChoice,
    /// The axis of the tip that points, for groups that do not say it; not zero.
    pub axis: [f64; 3],
    /// How motions are planned.
    pub motions: MotionsConfig,
    /// The groups that are described; empty for those of the controllers.
    pub groups: Vec<GroupConfig>,
    /// What must not be touched.
    pub collision: CollisionConfig,
    /// What is shown of it all.
    pub markers: MarkersConfig,
    /// Live control.
    pub live: LiveConfig,
}

/// What is shown to whoever looks at the arm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarkersConfig {
    /// For how long the trail of the tip shows where it was (s); 0: there is none.
    pub trail_secs: f64,
    /// Whether the target can be dragged.
    pub interactive: bool,
    /// Whether the arm goes to a target that was dragged as soon as it is let go of.
    pub goes_on_release: bool,
}

impl MarkersConfig {
    fn declare(d: &mut Declaration<'_>) -> Self {
        let trail_secs = d.changeable().number_in(
            "markers.trail",
            10.0,
            0.0..=3600.0,
            "For how long the trail of the tip shows where it was (s); 0: there is none.",
        );
        let interactive = d.or("markers.interactive", true, "Whether the target can be dragged in RViz.");
        let goes_on_release = d.changeable().or(
            "markers.go_on_release",
            true,
            "Whether the arm goes to a target that was dragged as soon as it is let go of; else by its menu.",
        );
        Self { trail_secs, interactive, goes_on_release }
    }
}

/// How motions to poses and along lines are planned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MotionsConfig {
    /// The group that moves where a request names none; `None` for the first that a controller drives.
    pub group: Option<String>,
    /// How far before and after a waypoint (m) the path leaves and rejoins its lines; 0: it stops there.
    pub blend_radius: f64,
    /// How long planning a path may take (s).
    pub planning_time_secs: f64,
    /// Of the tip: velocity, acceleration, jerk (m/s, …), then of its turn (rad/s, …); 0 where there is none.
    pub cartesian_limits: [f64; 6],
}

/// What Pilz's planner calls the limits of the tip, what they limit, and in which unit.
const CARTESIAN_LIMITS: [(&str, &str); 6] = [
    ("max_trans_vel", "Greatest speed of the tip (m/s); 0: none."),
    ("max_trans_acc", "Greatest acceleration of the tip (m/s^2); 0: none."),
    ("max_trans_jerk", "Greatest jerk of the tip (m/s^3); 0: none."),
    ("max_rot_vel", "Greatest speed of the tip's turn (rad/s); 0: none."),
    ("max_rot_acc", "Greatest acceleration of the tip's turn (rad/s^2); 0: none."),
    ("max_rot_jerk", "Greatest jerk of the tip's turn (rad/s^3); 0: none."),
];

impl MotionsConfig {
    fn declare(d: &mut Declaration<'_>) -> Self {
        let group = d.optional("motions.group", "The group that moves where nobody names one.");
        let blend_radius = d.changeable().number_in(
            "motions.blend_radius",
            0.0,
            0.0..=1.0,
            "How far before and after a waypoint the path leaves and rejoins its lines (m); 0: it stops there.",
        );
        let planning_time_secs = d.changeable().number_in(
            "motions.planning_time",
            5.0,
            0.001..=3600.0,
            "How long planning a path may take (s).",
        );
        let mut limit = |(name, description): (&str, &'static str)| {
            d.changeable().number_in(&format!("cartesian_limits.{name}"), 0.0, 0.0..=1e6, description)
        };
        let cartesian_limits = CARTESIAN_LIMITS.map(&mut limit);
        Self { group, blend_radius, planning_time_secs, cartesian_limits }
    }
}

/// What of a pose counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AimChoice {
    /// All that the number of joints allows: the pose with six, position and axis with five, else the position.
    ByJoints,
    /// Position and orientation.
    Pose,
    /// The position, and where the axis points.
    PositionAndAxis,
    /// The position.
    Position,
}

/// A group of joints, as far as it is described.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupConfig {
    /// Its name, as clients call it.
    pub name: String,
    /// The frame that it stands on.
    pub base: Option<String>,
    /// The frame that it moves.
    pub tip: Option<String>,
    /// Its joints; empty for all between the two.
    pub joints: Vec<String>,
    /// What of a pose counts.
    pub aim: Option<AimChoice>,
    /// The axis of the tip that points; not zero.
    pub axis: Option<[f64; 3]>,
}

const AIMS: [(&str, AimChoice); 4] = [
    ("auto", AimChoice::ByJoints),
    ("pose", AimChoice::Pose),
    ("position_and_axis", AimChoice::PositionAndAxis),
    ("position", AimChoice::Position),
];

impl IkConfig {
    /// Declares and reads the parameters of `ik_node`.
    pub fn declare(d: &mut Declaration<'_>) -> Self {
        let seconds = 0.0001..=3600.0;
        let exactness = 1e-9..=1.0;
        let timeout_secs = d.changeable().number_in(
            "ik.timeout",
            0.05,
            seconds.clone(),
            "How long a search may take that says nothing of it (s).",
        );
        let max_timeout_secs = d.changeable().number_in(
            "ik.max_timeout",
            10.0,
            seconds.clone(),
            "The longest that a search may take, whatever it asks for (s).",
        );
        let position_tolerance = d.changeable().number_in(
            "ik.position_tolerance",
            1e-5,
            exactness.clone(),
            "How far the tip may be from where it should be (m).",
        );
        let rotation_tolerance = d.changeable().number_in(
            "ik.rotation_tolerance",
            1e-5,
            exactness,
            "How far the tip may be turned from where it should be (rad).",
        );
        let state_timeout_secs = d.changeable().number_in(
            "ik.state_timeout",
            1.0,
            seconds,
            "Joint states older than this do not say where the joints are (s).",
        );
        let aim = d.changeable().one_of(
            "ik.aim",
            "auto",
            &AIMS,
            "What of a pose counts; auto: pose with six joints, position_and_axis with five, else position.",
        );
        let axis: Vec<f64> = d.changeable().or(
            "ik.axis",
            vec![0.0, 0.0, 1.0],
            "The axis of the tip that points, for position_and_axis.",
        );
        Self {
            autostart: common::autostart(d),
            timeout_secs,
            max_timeout_secs,
            position_tolerance,
            rotation_tolerance,
            state_timeout_secs,
            aim: aim.unwrap_or(AimChoice::ByJoints),
            axis: direction(d, "ik.axis", axis).unwrap_or([0.0, 0.0, 1.0]),
            motions: MotionsConfig::declare(d),
            groups: group_names(d).into_iter().map(|name| GroupConfig::declare(d, name)).collect(),
            collision: CollisionConfig::declare(d),
            markers: MarkersConfig::declare(d),
            live: LiveConfig::declare(d),
        }
    }

    /// What of a pose counts for a group of so many joints, and the axis that points.
    pub fn aim_of(&self, group: &GroupConfig, joints: usize) -> (AimChoice, [f64; 3]) {
        let aim = match group.aim.unwrap_or(self.aim) {
            AimChoice::ByJoints if 6 <= joints => AimChoice::Pose,
            AimChoice::ByJoints if joints == 5 => AimChoice::PositionAndAxis,
            AimChoice::ByJoints => AimChoice::Position,
            chosen => chosen,
        };
        (aim, group.axis.unwrap_or(self.axis))
    }
}

impl GroupConfig {
    fn declare(d: &mut Declaration<'_>, name: String) -> Self {
        let key = |what: &str| format!("groups.{name}.{what}");
        let base = d.optional(&key("base"), "The frame that the group stands on.");
        let tip = d.optional(&key("tip"), "The frame that the group moves.");
        let joints: Option<Vec<String>> =
            d.optional(&key("joints"), "The group's joints; left out: all between base and tip.");
        let aim = if d.has(&key("aim")) {
            d.one_of(&key("aim"), "auto", &AIMS, "What of a pose counts; as ik.aim.")
        } else {
            d.optional::<String>(&key("aim"), "What of a pose counts; as ik.aim.");
            None
        };
        let axis: Option<Vec<f64>> = d.optional(&key("axis"), "The axis of the tip that points; as ik.axis.");
        let axis = axis.and_then(|axis| direction(d, &key("axis"), axis));
        Self { base, tip, joints: joints.unwrap_or_default(), aim, axis, name }
    }
}

/// The names that stand behind `groups.`, in alphabetical order.
fn group_names(d: &Declaration<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in d.given_names() {
        let of_group = name.strip_prefix("groups.").and_then(|rest| rest.split_once('.'));
        if let Some((group, _)) = of_group.filter(|(group, _)| names.last().is_none_or(|last| last != group))
        {
            names.push(group.to_owned());
        }
    }
    names
}

/// Three numbers that are a direction, whatever their length.
fn direction(d: &mut Declaration<'_>, name: &str, given: Vec<f64>) -> Option<[f64; 3]> {
    let length = given.iter().map(|x| x * x).sum::<f64>().sqrt();
    match <[f64; 3]>::try_from(given) {
        Ok(axis) if 1e-6 < length && length.is_finite() => Some(axis),
        Ok(axis) => {
            d.refuse(name, Value::DoubleArray(axis.to_vec()), "it must be finite and not zero");
            None
        }
        Err(given) => {
            d.refuse(name, Value::DoubleArray(given), "a direction has three numbers");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parameters::Parameters;
    use super::*;

    fn read(entries: &[(&str, Value)]) -> Result<IkConfig, String> {
        let given: Parameters =
            entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let mut declaration = Declaration::new(&given);
        let config = IkConfig::declare(&mut declaration);
        match declaration.finish().1.first() {
            Some(error) => Err(error.to_string()),
            None => Ok(config),
        }
    }

    fn text(value: &str) -> Value {
        Value::String(value.to_owned())
    }

    #[test]
    fn without_parameters_there_are_no_groups_and_every_default_is_usable() {
        let config = read(&[]).unwrap();
        assert!(config.groups.is_empty());
        assert_eq!((config.timeout_secs, config.position_tolerance), (0.05, 1e-5));
        let arm = GroupConfig::default();
        assert_eq!(
            [3, 5, 6, 7].map(|joints| config.aim_of(&arm, joints).0),
            [AimChoice::Position, AimChoice::PositionAndAxis, AimChoice::Pose, AimChoice::Pose]
        );
    }

    #[test]
    fn a_group_is_whatever_stands_behind_groups() {
        let config = read(&[
            ("groups.arm.tip", text("tool0")),
            ("groups.arm.aim", text("position")),
            ("groups.left_arm.joints", Value::StringArray(vec!["a".into()])),
        ]);
        let groups = config.unwrap().groups;
        assert_eq!(groups.iter().map(|g| g.name.as_str()).collect::<Vec<_>>(), ["arm", "left_arm"]);
        assert_eq!((groups[0].tip.as_deref(), groups[0].aim), (Some("tool0"), Some(AimChoice::Position)));
        assert_eq!((groups[1].joints.len(), groups[1].aim), (1, None));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_value() {
        let error = read(&[("ik.timeout", Value::Double(-1.0))]).unwrap_err();
        assert!(error.contains("`ik.timeout` is -1.0"), "{error}");
        let error = read(&[("groups.arm.aim", text("poze"))]).unwrap_err();
        assert!(error.contains("\"position_and_axis\""), "{error}");
        let error = read(&[("ik.axis", Value::DoubleArray(vec![0.0; 3]))]).unwrap_err();
        assert!(error.contains("not zero"), "{error}");
        let error = read(&[("groups.arm.axis", Value::DoubleArray(vec![1.0]))]).unwrap_err();
        assert!(error.contains("three numbers"), "{error}");
    }
}
