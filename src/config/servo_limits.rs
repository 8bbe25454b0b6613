//! What a servo is to keep by itself, without a host: the ends of its joint's travel, and values of its own registers.

use super::declaration::Declaration;

/// What one servo is to keep by itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServoLimits {
    /// Whether what differs is written into the servo, instead of only told.
    pub write: bool,
    /// The ends of its joint's travel (rad or m); `None` for a joint without ends.
    pub travel: Option<(f64, f64)>,
    /// What else it is to keep.
    pub own: Vec<OwnValue>,
}

/// A value of a register that is kept without power.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnValue {
    /// The register's name in the model's map.
    pub register: String,
    /// The value, in the unit that the map gives it.
    pub value: f64,
}

impl ServoLimits {
    /// Declares and reads the parameters of the servo whose keys begin with `prefix`.
    pub fn declare(d: &mut Declaration<'_>, prefix: &str) -> Self {
        let write = d.or(
            &format!("{prefix}.write_limits"),
            false,
            "Whether limits that differ are written into the servo's EEPROM, while it has no torque.",
        );
        let group = format!("{prefix}.own.");
        let given: Vec<String> =
            d.given_names().filter(|name| name.starts_with(&group)).map(str::to_owned).collect();
        let own = |name: String| {
            let about = "What the servo's register of this name is to keep, in the unit of its map.";
            let value = d.number_in(&name, 0.0, f64::NEG_INFINITY..=f64::INFINITY, about);
            OwnValue { register: name[group.len()..].to_owned(), value }
        };
        Self { write, travel: None, own: given.into_iter().map(own).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parameters::{Parameters, Value};

    #[test]
    fn what_a_servo_is_to_keep_is_what_is_given_of_it() {
        let given = Parameters::from([
            ("servos.elbow.write_limits".to_owned(), Value::Bool(true)),
            ("servos.elbow.own.max_temperature".to_owned(), Value::Integer(65)),
            ("servos.wrist.own.max_torque".to_owned(), Value::Double(0.5)),
        ]);
        let mut d = Declaration::new(&given);
        let limits = ServoLimits::declare(&mut d, "servos.elbow");
        assert!(limits.write);
        assert_eq!(limits.own, [OwnValue { register: "max_temperature".to_owned(), value: 65.0 }]);
        assert_eq!(ServoLimits::declare(&mut Declaration::new(&Parameters::new()), "servos.elbow").own, []);
    }

    #[test]
    fn what_is_no_number_is_named() {
        let given = Parameters::from([("servos.a.own.max_torque".to_owned(), Value::String("all".into()))]);
        let mut d = Declaration::new(&given);
        ServoLimits::declare(&mut d, "servos.a");
        assert!(d.finish().1[0].to_string().contains("`servos.a.own.max_torque` is \"all\""));
    }
}
