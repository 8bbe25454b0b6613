//! Declares parameters while reading them: name, type, default and description stand in one place.
//!
//! Every read is remembered, so that a node can tell ROS what it has, and a user which key nobody knows.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::from_value::FromValue;
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
    /// Whether it may be set while the node runs.
    pub changeable: bool,
    /// Where the value must lie, where that is a range.
    pub range: Option<Range>,
    /// What else must hold of the value, in words; mostly nothing.
    pub constraints: String,
}

/// Where a parameter's value must lie; both ends belong to it.
#[derive(Clone, Debug, PartialEq)]
pub enum Range {
    /// Of a double; the upper end may be infinite.
    Double(RangeInclusive<f64>),
    /// Of an integer.
    Integer(RangeInclusive<i64>),
}

/// Reads parameters from what was given, and remembers each by name, and each that is wrong.
///
/// A read always gives a value, so that one pass finds every fault; [`Declaration::finish`] tells them.
#[derive(Debug)]
pub struct Declaration<'a> {
    given: &'a Parameters,
    declared: BTreeMap<String, Declared>,
    errors: Vec<ParameterError>,
    remarks: Vec<String>,
    next: Marks,
    spares: bool,
}

/// What was said of the parameter that is declared next.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    changeable: bool,
    no_meaning: Option<&'static str>,
}

impl<'a> Declaration<'a> {
    /// Starts with nothing declared.
    pub fn new(given: &'a Parameters) -> Self {
        Self {
            given,
            declared: BTreeMap::new(),
            errors: Vec::new(),
            remarks: Vec::new(),
            next: Marks::default(),
            spares: false,
        }
    }

    /// From now on what must be given may be left out, or must not be any more.
    pub fn spare(&mut self, spares: bool) {
        self.spares = spares;
    }

    /// The parameter that is declared next may be set while the node runs.
    pub fn changeable(&mut self) -> &mut Self {
        self.next.changeable = true;
        self
    }

    /// The parameter that is declared next is accepted and without effect; where more than its default is given, a remark
    /// says so.
    ///
    /// `why` follows "has no meaning": `for position-controlled servos`.
    pub fn no_meaning(&mut self, why: &'static str) -> &mut Self {
        self.next.no_meaning = Some(why);
        self
    }

    /// The parameter's value, or `default`.
    pub fn or<T: FromValue + Clone>(&mut self, name: &str, default: T, description: &'static str) -> T {
        // Who loads what was dumped gives every default, and wants nothing by it.
        if self.gives(name, &default) {
            self.next.no_meaning = None;
        }
        let given = self.optional(name, description);
        let value = given.unwrap_or_else(|| default.clone());
        self.amend(name, |declared| {
            declared.value.get_or_insert_with(|| default.into_value());
        });
        value
    }

    /// The parameter's value, where one was given.
    pub fn optional<T: FromValue>(&mut self, name: &str, description: &'static str) -> Option<T> {
        let value = self.declare(name, description)?;
        let Some(read) = T::from_value(&value) else {
            self.errors.push(ParameterError::Type {
                name: name.to_owned(),
                expected: T::TYPE,
                actual: value.type_name(),
                value,
            });
            return None;
        };
        // What is shown has the parameter's own type, also where an integer was given for a double.
        self.amend(name, |declared| declared.value = T::from_value(&value).map(T::into_value));
        Some(read)
    }

    /// Takes a value of any type, for a parameter without meaning here.
    pub fn accept(&mut self, name: &str, description: &'static str) -> Option<Value> {
        self.declare(name, description)
    }

    fn declare(&mut self, name: &str, description: &'static str) -> Option<Value> {
        let value = self.given.get(name).cloned();
        let Marks { changeable, no_meaning } = std::mem::take(&mut self.next);
        if let (Some(_), Some(why)) = (&value, no_meaning) {
            self.remark(format!("parameter `{name}` has no meaning {why}; it is ignored"));
        }
        let (range, constraints) = (None, String::new());
        let declared = Declared { value: value.clone(), description, changeable, range, constraints };
        self.declared.insert(name.to_owned(), declared);
        value
    }

    fn amend(&mut self, name: &str, change: impl FnOnce(&mut Declared)) {
        if let Some(declared) = self.declared.get_mut(name) {
            change(declared);
        }
    }

    /// The parameter's value, which must be given.
    pub fn required<T: FromValue>(&mut self, name: &str, description: &'static str) -> T {
        let value = self.optional(name, description);
        if !self.given.contains_key(name) && !self.spares {
            let (name, description) = (name.to_owned(), description.to_owned());
            self.errors.push(ParameterError::Missing { name, description });
        }
        value.unwrap_or_default()
    }

    /// A number that must lie in `range`; an infinite end takes every finite number.
    pub fn number_in(
        &mut self,
        name: &str,
        default: f64,
        range: RangeInclusive<f64>,
        description: &'static str,
    ) -> f64 {
        let value = self.or(name, default, description);
        let (least, most) = (*range.start(), *range.end());
        if least.is_finite() {
            self.amend(name, |declared| declared.range = Some(Range::Double(range.clone())));
        }
        if range.contains(&value) && value.is_finite() {
            return value;
        }
        let expected = if most.is_finite() {
            format!("it must be from {least} to {most}")
        } else if least.is_finite() {
            format!("it must be a number of at least {least}")
        } else {
            "it must be a finite number".to_owned()
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
        self.amend(name, |declared| declared.range = Some(Range::Integer(range.clone())));
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
        let words: Vec<_> = choices.iter().map(|(choice, _)| format!("{choice:?}")).collect();
        let words = format!("one of {}", words.join(", "));
        if chosen.is_none() {
            self.refuse(name, Value::String(word), format!("it must be {words}"));
        }
        self.constrain(name, words);
        chosen
    }

    fn gives<T: FromValue + Clone>(&self, name: &str, value: &T) -> bool {
        let given = self.given.get(name).and_then(T::from_value);
        given.is_some_and(|given| given.into_value() == value.clone().into_value())
    }

    /// Whether a value was given for `name`.
    pub fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// The names that a value was given for, in alphabetical order.
    pub fn given_names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.given.keys().map(String::as_str)
    }

    /// Records that a value of the right type is wrong all the same.
    pub fn refuse(&mut self, name: &str, value: Value, expected: impl Into<String>) {
        self.errors.push(ParameterError::Value { name: name.to_owned(), value, expected: expected.into() });
    }

    /// Says in words what must hold of a value, for those who ask what the parameter is.
    pub fn constrain(&mut self, name: &str, constraints: impl Into<String>) {
        self.amend(name, |declared| declared.constraints = constraints.into());
    }

    /// Records a sentence that the user is to read once: the value is fine, and not all of it has an effect.
    pub fn remark(&mut self, sentence: impl Into<String>) {
        self.remarks.push(sentence.into());
    }

    /// The sentences so far.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
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
pub(crate) fn distance(a: &str, b: &str) -> usize {
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

#[cfg(test)]
#[path = "declaration_tests.rs"]
mod tests;
