//! The Rust types that a parameter can have, and how they are read from what was given.

use super::parameters::Value;

/// A type that a parameter can have.
pub trait FromValue: Sized + Default {
    /// The type's name as ROS tools print it.
    const TYPE: &'static str;

    /// The value, where it has this type.
    fn from_value(value: &Value) -> Option<Self>;

    /// The way back.
    fn into_value(self) -> Value;
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
            // So ROS's tools write what YAML calls `.inf`, when they load what they have dumped.
            Value::String(word) if word == "inf" => Some(Self::INFINITY),
            Value::String(word) if word == "-inf" => Some(Self::NEG_INFINITY),
            _ => None,
        }
    }

    fn into_value(self) -> Value {
        Value::Double(self)
    }
}

impl FromValue for Vec<f64> {
    const TYPE: &'static str = "double_array";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::DoubleArray(values) => Some(values.clone()),
            // As with a single number.
            #[expect(clippy::cast_precision_loss, reason = "parameters are far below 2^53")]
            Value::IntegerArray(values) => Some(values.iter().map(|&value| value as f64).collect()),
            other => other.is_empty_list().then(Self::new),
        }
    }

    fn into_value(self) -> Value {
        Value::DoubleArray(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_may_be_written_as_an_integer_or_as_infinity() {
        for (given, expected) in [
            (Value::Double(0.5), Some(0.5)),
            (Value::Integer(-3), Some(-3.0)),
            (Value::String("inf".into()), Some(f64::INFINITY)),
            (Value::String("-inf".into()), Some(f64::NEG_INFINITY)),
            (Value::String("1.0".into()), None),
            (Value::Bool(true), None),
        ] {
            assert_eq!(f64::from_value(&given), expected, "{given}");
        }
    }
}
