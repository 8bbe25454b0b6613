//! Parameter values as ROS has them, and as ours.

use r2r::ParameterValue;
use r2r::rcl_interfaces::msg::{ParameterType, ParameterValue as Message};

use crate::config::parameters::Value;

/// What `rcl` has read; `None` for a type that no parameter of ours has.
pub(super) fn from_ros(value: &ParameterValue) -> Option<Value> {
    Some(match value {
        ParameterValue::Bool(value) => Value::Bool(*value),
        ParameterValue::Integer(value) => Value::Integer(*value),
        ParameterValue::Double(value) => Value::Double(*value),
        ParameterValue::String(value) => Value::String(value.clone()),
        ParameterValue::BoolArray(values) => Value::BoolArray(values.clone()),
        ParameterValue::IntegerArray(values) => Value::IntegerArray(values.clone()),
        ParameterValue::DoubleArray(values) => Value::DoubleArray(values.clone()),
        ParameterValue::StringArray(values) => Value::StringArray(values.clone()),
        ParameterValue::ByteArray(_) | ParameterValue::NotSet => return None,
    })
}

/// What a client wants a parameter to be.
///
/// # Errors
/// A sentence, where that is nothing or of a type that no parameter of ours has.
pub(super) fn from_message(name: &str, message: &Message) -> Result<Value, String> {
    let types = [
        (ParameterType::PARAMETER_BOOL as u32, Value::Bool(message.bool_value)),
        (ParameterType::PARAMETER_INTEGER as u32, Value::Integer(message.integer_value)),
        (ParameterType::PARAMETER_DOUBLE as u32, Value::Double(message.double_value)),
        (ParameterType::PARAMETER_STRING as u32, Value::String(message.string_value.clone())),
        (ParameterType::PARAMETER_BOOL_ARRAY as u32, Value::BoolArray(message.bool_array_value.clone())),
        (
            ParameterType::PARAMETER_INTEGER_ARRAY as u32,
            Value::IntegerArray(message.integer_array_value.clone()),
        ),
        (
            ParameterType::PARAMETER_DOUBLE_ARRAY as u32,
            Value::DoubleArray(message.double_array_value.clone()),
        ),
        (
            ParameterType::PARAMETER_STRING_ARRAY as u32,
            Value::StringArray(message.string_array_value.clone()),
        ),
    ];
    let value = types.into_iter().find(|(type_, _)| *type_ == u32::from(message.type_));
    value.map(|(_, value)| value).ok_or_else(|| match message.type_ {
        0 => format!("parameter `{name}` is given no value; it cannot be deleted"),
        type_ => format!("parameter `{name}` is of type {type_}; no parameter of this node is"),
    })
}

/// What a client is told that a parameter is.
pub(super) fn to_message(value: &Value) -> Message {
    let of_type = |type_: u32| Message { type_: u8::try_from(type_).unwrap_or(0), ..Message::default() };
    match value.clone() {
        Value::Bool(bool_value) => Message { bool_value, ..of_type(ParameterType::PARAMETER_BOOL as u32) },
        Value::Integer(integer_value) => {
            Message { integer_value, ..of_type(ParameterType::PARAMETER_INTEGER as u32) }
        }
        Value::Double(double_value) => {
            Message { double_value, ..of_type(ParameterType::PARAMETER_DOUBLE as u32) }
        }
        Value::String(string_value) => {
            Message { string_value, ..of_type(ParameterType::PARAMETER_STRING as u32) }
        }
        Value::BoolArray(bool_array_value) => {
            Message { bool_array_value, ..of_type(ParameterType::PARAMETER_BOOL_ARRAY as u32) }
        }
        Value::IntegerArray(integer_array_value) => {
            Message { integer_array_value, ..of_type(ParameterType::PARAMETER_INTEGER_ARRAY as u32) }
        }
        Value::DoubleArray(double_array_value) => {
            Message { double_array_value, ..of_type(ParameterType::PARAMETER_DOUBLE_ARRAY as u32) }
        }
        Value::StringArray(string_array_value) => {
            Message { string_array_value, ..of_type(ParameterType::PARAMETER_STRING_ARRAY as u32) }
        }
    }
}
