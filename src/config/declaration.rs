//! Declares parameters while reading them: name, type, default and description stand in one place.
//!
//! Every read is remembered, so that a node can tell ROS what it has, and a user which key nobody knows.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::parameters::{Parameters, Value};

/// Why a parameter cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ParameterError {
    /// No value was given and there is no default.
    #[error("parameter `{name}` is missing: {description}")]
    Missing {
        /// The parameter's full name.
        name: String,
        /// What it is for.
        description: String,
    },
    /// The value has another type.
    #[error("parameter `{name}` is {value} ({actual}); it must be a {expected}")]
    Type {
        /// The parameter's full name.
        name: String,
        /// The type it must have.
        expected: &'static str,
        /// The type it has.
        actual: &'static str,
        /// What was given.
        value: Value,
    },
    /// The type is right, the value is not.
    #[error("parameter `{name}` is {value}; {expected}")]
    Value {
        /// The parameter's full name.
        name: String,
        /// What was given.
        value: Value,
        /// What would be right.
        expected: String,
    },
    /// No node has a parameter of this name.
    #[error("no node knows parameter `{name}`{}", closest.as_ref().map(|c| format!("; did you mean `{c}`?")).unwrap_or_default())]
    Unknown {
        /// The name that was given.
        name: String,
        /// A known name that looks like it.
        closest: Option<String>,
    },
}

/// A parameter that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// The value in use; `None` where none was given and none is needed.
    pub value: Option<Value>,
    /// What it is for, with its unit.
    pub description: &'static str,
}

/// Reads parameters from what was given, and remembers each by name, and each that is wrong.
///
/// A read always gives a value, so that one pass finds every fault; [`Declaration::finish`] tells them.
#[derive(Debug)]
pub struct Declaration<'a> {
    given: &'a Parameters,
    declared: BTreeMap<String, Declared>,
    errors: Vec<ParameterError>,
}

/// A type that a parameter can have.
pub trait FromValue: Sized + Default {
    /// The type's name as ROS tools print it.
    const TYPE: &'static str;

    /// The value, where it has this type.
    fn from_value(value: &Value) -> Option<Self>;

    /// The way back.
    fn into_value(self) -> Value;
}

impl<'a> Declaration<'a> {
    /// Starts with nothing declared.
    pub fn new(given: &'a Parameters) -> Self {
        Self { given, declared: BTreeMap::new(), errors: Vec::new() }
    }

    /// The parameter's value, or `default`.
    pub fn or<T: FromValue + Clone>(&mut self, name: &str, default: T, description: &'static str) -> T {
        let given = self.optional(name, description);
        let value = given.unwrap_or_else(|| default.clone());
        if let Some(declared) = self.declared.get_mut(name) {
            declared.value.get_or_insert_with(|| default.into_value());
        }
        value
    }

    /// The parameter's value, where one was given.
    pub fn optional<T: FromValue>(&mut self, name: &str, description: &'static str) -> Option<T> {
        let value = self.given.get(name).cloned();
        self.declared.insert(name.to_owned(), Declared { value: value.clone(), description });
        let value = value?;
        let read = T::from_value(&value);
        if read.is_none() {
            self.errors.push(ParameterError::Type {
                name: name.to_owned(),
                expected: T::TYPE,
                actual: value.type_name(),
                value,
            });
        }
        read
    }

    /// The parameter's value, which must be given.
    pub fn required<T: FromValue>(&mut self, name: &str, description: &'static str) -> T {
        let value = self.optional(name, description);
        if !self.given.contains_key(name) {
            let (name, description) = (name.to_owned(), description.to_owned());
            self.errors.push(ParameterError::Missing { name, description });
        }
        value.unwrap_or_default()
    }

    /// A number that must lie in `range`; a range that ends in infinity takes every finite number above.
    pub fn number_in(
        &mut self,
        name: &str,
        default: f64,
        range: RangeInclusive<f64>,
        description: &'static str,
    ) -> f64 {
        let value = self.or(name, default, description);
        if range.contains(&value) && value.is_finite() {
            return value;
        }
        let (least, most) = (range.start(), range.end());
        let expected = if most.is_finite() {
            format!("it must be from {least} to {most}")
        } else {
            format!("it must be a number of at least {least}")
        };
        self.refuse(name, Value::Double(value), expected);
        default
    }

    /// A whole number that must lie in `range`.
    pub fn integer_in(
        &mut self,
        name: &str,
        default: i64,
        range: RangeInclusive<i64>,
        description: &'static str,
    ) -> i64 {
        let value = self.or(name, default, description);
        if range.contains(&value) {
            return value;
        }
        self.refuse(
            name,
            Value::Integer(value),
            format!("it must be from {} to {}", range.start(), range.end()),
        );
        default
    }

    /// One of the words in `choices`.
    pub fn one_of<T: Copy>(
        &mut self,
        name: &str,
        default: &str,
        choices: &[(&str, T)],
        description: &'static str,
    ) -> Option<T> {
        let word = self.or(name, default.to_owned(), description);
        let chosen = choices.iter().find(|(choice, _)| *choice == word).map(|(_, value)| *value);
        if chosen.is_none() {
            let words: Vec<_> = choices.iter().map(|(choice, _)| format!("{choice:?}")).collect();
            self.refuse(name, Value::String(word), format!("it must be one of {}", words.join(", ")));
        }
        chosen
    }

    /// Whether a value was given for `name`.
    pub fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// The names that a value was given for, in alphabetical order.
    pub fn given_names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.given.keys().map(String::as_str)
    }

    /// Takes a parameter of any type: other programs' files have it, and nothing here uses it.
    pub fn accept(&mut self, name: &str, description: &'static str) {
        let value = self.given.get(name).cloned();
        self.declared.insert(name.to_owned(), Declared { value, description });
    }

    /// Records that a value of the right type is wrong all the same.
    pub fn refuse(&mut self, name: &str, value: Value, expected: impl Into<String>) {
        self.errors.push(ParameterError::Value { name: name.to_owned(), value, expected: expected.into() });
    }

    /// All that was declared, by name, and all that was wrong.
    pub fn finish(self) -> (BTreeMap<String, Declared>, Vec<ParameterError>) {
        (self.declared, self.errors)
    }
}

/// The first given parameter that none of `known` has declared.
///
/// # Errors
/// Where there is one.
pub fn reject_unknown<'a>(
    given: &Parameters,
    known: impl IntoIterator<Item = &'a String> + Clone,
) -> Result<(), ParameterError> {
    for name in given.keys() {
        if !ROS_OWN.contains(&name.as_str()) && !known.clone().into_iter().any(|k| k == name) {
            let closest = known.into_iter().map(|k| (distance(k, name), k)).min();
            let closest = closest.filter(|(distance, _)| *distance <= 3).map(|(_, k)| k.clone());
            return Err(ParameterError::Unknown { name: name.clone(), closest });
        }
    }
    Ok(())
}

/// Parameters that every ROS 2 node may be given.
const ROS_OWN: [&str; 2] = ["use_sim_time", "start_type_description_service"];

/// Edits between two names (Levenshtein's distance), to guess what was meant.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

macro_rules! from_value {
    ($type:ty, $variant:ident, $name:literal) => {
        impl FromValue for $type {
            const TYPE: &'static str = $name;

            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::$variant(value) => Some(value.clone()),
                    _ => None,
                }
            }

            fn into_value(self) -> Value {
                Value::$variant(self)
            }
        }
    };
}

macro_rules! list_from_value {
    ($item:ty, $variant:ident, $name:literal) => {
        impl FromValue for Vec<$item> {
            const TYPE: &'static str = $name;

            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::$variant(values) => Some(values.clone()),
                    // An empty list in YAML has no type of its own; it is read as strings.
                    other => other.is_empty_list().then(Vec::new),
                }
            }

            fn into_value(self) -> Value {
                Value::$variant(self)
            }
        }
    };
}

from_value!(bool, Bool, "bool");
from_value!(i64, Integer, "integer");
from_value!(String, String, "string");
list_from_value!(i64, IntegerArray, "integer_array");
list_from_value!(String, StringArray, "string_array");

impl FromValue for f64 {
    const TYPE: &'static str = "double";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Double(value) => Some(*value),
            // People write `100` for a rate; nothing is lost by taking it.
            #[expect(clippy::cast_precision_loss, reason = "parameters are far below 2^53")]
            Value::Integer(value) => Some(*value as Self),
            _ => None,
        }
    }

    fn into_value(self) -> Value {
        Value::Double(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(entries: &[(&str, Value)]) -> Parameters {
        entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn a_default_is_declared_like_a_given_value() {
        let given = given(&[("rate", Value::Integer(50))]);
        let mut declaration = Declaration::new(&given);
        assert_eq!(declaration.or("rate", 100.0, "Hz"), 50.0);
        assert_eq!(declaration.or("port", "x".to_owned(), "Port"), "x");
        let (declared, errors) = declaration.finish();
        assert_eq!(declared["port"].value, Some(Value::String("x".into())));
        assert_eq!(declared["rate"].value, Some(Value::Integer(50)));
        assert_eq!(errors, []);
    }

    #[test]
    fn a_wrong_type_names_parameter_value_and_type() {
        let given = given(&[("rate", Value::String("fast".into()))]);
        assert_eq!(
            first_error(&given, |d| d.or("rate", 1.0, "Hz")),
            "parameter `rate` is \"fast\" (string); it must be a double"
        );
    }

    #[test]
    fn what_must_be_given_is_missed_by_name_and_purpose() {
        let error =
            first_error(&Parameters::new(), |d| d.required::<String>("port", "Serial port of the bus."));
        assert_eq!(error, "parameter `port` is missing: Serial port of the bus.");
    }

    #[test]
    fn numbers_outside_their_range_and_nan_are_refused() {
        for bad in [-1.0, 11.0, f64::NAN, f64::INFINITY] {
            let given = given(&[("rate", Value::Double(bad))]);
            let error = first_error(&given, |d| d.number_in("rate", 1.0, 0.0..=10.0, "Hz"));
            assert!(error.contains("from 0 to 10"), "{error}");
        }
    }

    #[test]
    fn a_word_that_is_no_choice_is_told_the_choices() {
        let given = given(&[("policy", Value::String("drop".into()))]);
        let error =
            first_error(&given, |d| d.one_of("policy", "hold", &[("hold", 1), ("release", 2)], "Policy"));
        assert_eq!(error, "parameter `policy` is \"drop\"; it must be one of \"hold\", \"release\"");
    }

    #[test]
    fn an_unknown_name_is_named_with_the_one_it_resembles() {
        let given = given(&[("prot", Value::Bool(true)), ("use_sim_time", Value::Bool(false))]);
        let known = ["port".to_owned(), "rate".to_owned()];
        let error = reject_unknown(&given, &known).unwrap_err().to_string();
        assert_eq!(error, "no node knows parameter `prot`; did you mean `port`?");
        assert_eq!(reject_unknown(&Parameters::new(), &known), Ok(()));
    }

    fn first_error<T>(given: &Parameters, read: impl FnOnce(&mut Declaration<'_>) -> T) -> String {
        let mut declaration = Declaration::new(given);
        read(&mut declaration);
        declaration.finish().1[0].to_string()
    }
}
