//! A node's configuration that may change while the node runs.
//!
//! A change is judged by reading the whole configuration again: what would be refused at the start is refused now, in
//! the same words, and the old values stay.

use std::collections::BTreeMap;

use super::declaration::Declared;
use super::parameters::{Parameters, Value};
use super::{Config, ConfigError, Part};

/// What a node was given, and the configuration that this makes.
#[derive(Clone, Debug)]
pub struct Settings {
    given: Parameters,
    arm_joints: Vec<String>,
    parts: Vec<Part>,
    config: Config,
}

/// What came of a change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changed {
    /// The values that were set, as they are now.
    pub values: BTreeMap<String, Value>,
    /// What the user is to be told of them.
    pub remarks: Vec<String>,
}

/// Why a change is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The node has no such parameter.
    #[error("there is no parameter `{0}`")]
    Unknown(String),
    /// The parameter only counts when the node starts.
    #[error(
        "parameter `{0}` is read-only: it is read when the node starts; change it in the file and restart the node"
    )]
    ReadOnly(String),
    /// The new values are wrong, or do not go with the others.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl Settings {
    /// Begins with what was given; see [`Config::of_arm`].
    ///
    /// # Errors
    /// Every parameter that is missing, wrong, or known to no node.
    pub fn new(given: &Parameters, arm_joints: &[String], parts: &[Part]) -> Result<Self, ConfigError> {
        let config = Config::of_arm(given, arm_joints, parts)?;
        let (given, arm_joints, parts) = (given.clone(), arm_joints.to_vec(), parts.to_vec());
        Ok(Self { given, arm_joints, parts, config })
    }

    /// The configuration as it is now.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Sets all of `changes`, or none of them.
    ///
    /// # Errors
    /// Where one of them cannot be; nothing has changed then.
    pub fn set(&mut self, changes: &Parameters) -> Result<Changed, Refused> {
        for name in changes.keys() {
            check_changeable(&self.config.declared, name)?;
        }
        let mut given = self.given.clone();
        // What is set to the value that it has already is as it was, and nothing is to be said of it.
        let declared = &self.config.declared;
        given.extend(changes.clone().into_iter().filter(|(name, value)| {
            declared.get(name).is_none_or(|declared| declared.value.as_ref() != Some(value))
        }));
        let config = Config::of_arm(&given, &self.arm_joints, &self.parts)?;
        let old = std::mem::replace(&mut self.config, config);
        self.given = given;
        let value = |name: &String| Some((name.clone(), self.config.declared.get(name)?.value.clone()?));
        let new_remarks = self.config.remarks.iter().filter(|remark| !old.remarks.contains(remark));
        Ok(Changed {
            values: changes.keys().filter_map(value).collect(),
            remarks: new_remarks.cloned().collect(),
        })
    }
}

/// Whether the parameter may be set while the node runs.
///
/// # Errors
/// Where it may not.
pub fn check_changeable(declared: &BTreeMap<String, Declared>, name: &str) -> Result<(), Refused> {
    match declared.get(name) {
        None => Err(Refused::Unknown(name.to_owned())),
        Some(declared) if !declared.changeable => Err(Refused::ReadOnly(name.to_owned())),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{arm_joints, controller};
    use super::*;

    fn settings() -> Settings {
        Settings::new(&controller(), &arm_joints(), &[Part::Controller]).unwrap()
    }

    fn changes(entries: &[(&str, Value)]) -> Parameters {
        entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn a_change_counts_from_now_on_and_an_integer_becomes_the_double_that_it_is_for() {
        let mut settings = settings();
        let changed = settings.set(&changes(&[("constraints.goal_time", Value::Integer(2))])).unwrap();
        assert_eq!(changed.values, changes(&[("constraints.goal_time", Value::Double(2.0))]));
        assert_eq!(settings.config().controller.goal_time_secs, 2.0);
        settings.set(&changes(&[("constraints.elbow_flex.goal", Value::Double(0.1))])).unwrap();
        assert_eq!(settings.config().controller.goal_time_secs, 2.0);
        assert_eq!(settings.config().controller.tolerances[2].goal, 0.1);
    }

    #[test]
    fn a_refused_change_leaves_everything_as_it_was() {
        let mut settings = settings();
        let before = settings.config().controller.clone();
        for (name, value, reason) in [
            ("constraints.goal_time", Value::Double(-1.0), "`constraints.goal_time` is -1.0; it must be"),
            ("constraints.goal_time", Value::Bool(true), "is true (bool); it must be a double"),
            (
                "trajectory_limits",
                Value::String("ignore".into()),
                "one of \"shorten\", \"reject\", \"retime\"",
            ),
            ("joints", Value::StringArray(vec!["elbow_flex".into()]), "`joints` is read-only"),
            ("action_monitor_rate", Value::Double(30.0), "`action_monitor_rate` is read-only"),
            ("no_such_thing", Value::Double(30.0), "there is no parameter `no_such_thing`"),
            // Known to the file's other nodes, but no parameter of this one.
            ("torque_ramp_s", Value::Double(1.0), "there is no parameter `torque_ramp_s`"),
        ] {
            let also_fine = ("allow_partial_joints_goal", Value::Bool(false));
            let refused = settings.set(&changes(&[also_fine, (name, value)])).unwrap_err().to_string();
            assert!(refused.contains(reason), "{refused}");
            assert_eq!(settings.config().controller, before);
        }
    }

    #[test]
    fn what_is_set_in_vain_is_remarked_on_once() {
        let mut settings = settings();
        let gain = changes(&[("gains.wrist_roll.p", Value::Double(5.0))]);
        let sentence =
            "parameter `gains.wrist_roll.p` has no meaning for position-controlled servos; it is ignored";
        let default = changes(&[("gains.wrist_roll.p", Value::Double(0.0))]);
        assert_eq!(settings.set(&default).unwrap().remarks, Vec::<String>::new());
        assert_eq!(settings.set(&gain).unwrap().remarks, [sentence]);
        assert_eq!(settings.set(&gain).unwrap().remarks, Vec::<String>::new());
    }

    #[test]
    fn parameters_that_depend_on_each_other_are_set_together() {
        let mut settings = settings();
        let both = [("cmd_timeout", Value::Double(5.0)), ("constraints.goal_time", Value::Double(2.0))];
        assert_eq!(settings.set(&changes(&both)).unwrap().remarks, Vec::<String>::new());
        assert_eq!(settings.config().controller.cmd_timeout_secs, Some(5.0));
        let later = settings.set(&changes(&[("constraints.goal_time", Value::Double(9.0))])).unwrap();
        assert!(later.remarks[0].contains("`cmd_timeout` is 5.0; it is ignored"), "{:?}", later.remarks);
        assert_eq!(settings.config().controller.cmd_timeout_secs, None);
    }
}
