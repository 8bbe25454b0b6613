//! A node's parameters as ROS tools see them: listed, described, read, and refused with a reason.
//!
//! Serves the six parameter services itself, because descriptors must say what is read-only.

use std::collections::BTreeMap;

use anyhow::anyhow;
use futures::{Stream, StreamExt as _};
use r2r::rcl_interfaces::msg::{
    ListParametersResult, ParameterDescriptor, ParameterType, ParameterValue as Message, SetParametersResult,
};
use r2r::rcl_interfaces::srv::{
    DescribeParameters, GetParameterTypes, GetParameters, ListParameters, SetParameters,
    SetParametersAtomically,
};
use r2r::{Node, ParameterValue, QosProfile, ServiceRequest, WrappedServiceTypeSupport};

use crate::config::declaration::Declared;
use crate::config::parameters::{Parameters, Value, of_command_line};

/// What the node was given on the command line and in parameter files.
///
/// # Errors
/// Where a value has a type that no parameter of ours has, or a file is unusable.
pub fn given_parameters(node: &Node) -> anyhow::Result<Parameters> {
    let read = node.params.lock().map_err(|_poisoned| anyhow!("the parameters are in use"))?;
    let mut given = Parameters::new();
    // What `rcl` knows and the command line does not say, from the environment for one.
    for (name, parameter) in read.iter().filter(|(_, parameter)| parameter.value != ParameterValue::NotSet) {
        let value = from_ros(&parameter.value).ok_or_else(|| {
            anyhow!("parameter `{name}` is a {}; no node has one", parameter.value.type_name())
        })?;
        given.insert(name.clone(), value);
    }
    let arguments: Vec<String> = std::env::args().collect();
    given.extend(of_command_line(&arguments, &node.fully_qualified_name()?)?);
    Ok(given)
}

/// Serves `declared` as the parameters of `node`, on the task's own time.
///
/// # Errors
/// Where a service cannot be created.
pub fn serve(node: &mut Node, declared: BTreeMap<String, Declared>) -> anyhow::Result<()> {
    let table = std::rc::Rc::new(Table { declared });
    spawn::<GetParameters::Service>(node, "get_parameters", &table, |table, request| {
        GetParameters::Response { values: request.names.iter().map(|name| table.value(name)).collect() }
    })?;
    spawn::<GetParameterTypes::Service>(node, "get_parameter_types", &table, |table, request| {
        GetParameterTypes::Response {
            types: request.names.iter().map(|name| table.value(name).type_).collect(),
        }
    })?;
    spawn::<ListParameters::Service>(node, "list_parameters", &table, |table, request| {
        ListParameters::Response { result: table.list(&request.prefixes, request.depth) }
    })?;
    spawn::<DescribeParameters::Service>(node, "describe_parameters", &table, |table, request| {
        DescribeParameters::Response {
            descriptors: request.names.iter().map(|name| table.describe(name)).collect(),
        }
    })?;
    spawn::<SetParameters::Service>(node, "set_parameters", &table, |table, request| {
        SetParameters::Response {
            results: request.parameters.iter().map(|parameter| table.refuse(&parameter.name)).collect(),
        }
    })?;
    spawn::<SetParametersAtomically::Service>(node, "set_parameters_atomically", &table, |table, request| {
        let refused = request.parameters.first().map(|parameter| table.refuse(&parameter.name));
        let nothing_asked = SetParametersResult { successful: true, ..SetParametersResult::default() };
        SetParametersAtomically::Response { result: refused.unwrap_or(nothing_asked) }
    })
}

struct Table {
    declared: BTreeMap<String, Declared>,
}

impl Table {
    fn value(&self, name: &str) -> Message {
        self.declared
            .get(name)
            .and_then(|declared| declared.value.as_ref())
            .map_or_else(Message::default, to_message)
    }

    fn describe(&self, name: &str) -> ParameterDescriptor {
        let description = self.declared.get(name).map(|declared| declared.description.to_owned());
        ParameterDescriptor {
            name: name.to_owned(),
            type_: self.value(name).type_,
            read_only: description.is_some(),
            description: description.unwrap_or_default(),
            ..ParameterDescriptor::default()
        }
    }

    /// As `rclcpp` lists them: `depth` counts the dots that a name may have below its prefix; 0 is any.
    fn list(&self, prefixes: &[String], depth: u64) -> ListParametersResult {
        let shallow = |below: &str| depth == 0 || (below.matches('.').count() as u64) < depth;
        let matches = |name: &str| {
            if prefixes.is_empty() {
                return shallow(name);
            }
            prefixes.iter().any(|prefix| {
                let below = name.strip_prefix(prefix.as_str());
                below.is_some_and(|b| b.is_empty() || b.strip_prefix('.').is_some_and(shallow))
            })
        };
        let set = self.declared.iter().filter(|(_, declared)| declared.value.is_some());
        let names: Vec<String> = set.map(|(name, _)| name.clone()).filter(|name| matches(name)).collect();
        let mut prefixes: Vec<String> = names
            .iter()
            .filter_map(|name| name.rsplit_once('.'))
            .map(|(prefix, _)| prefix.to_owned())
            .collect();
        prefixes.dedup();
        ListParametersResult { names, prefixes }
    }

    fn refuse(&self, name: &str) -> SetParametersResult {
        let reason = if self.declared.contains_key(name) {
            format!(
                "parameter `{name}` is read when the node starts; change it in the file and restart the node"
            )
        } else {
            format!("there is no parameter `{name}`")
        };
        SetParametersResult { successful: false, reason }
    }
}

fn spawn<S>(
    node: &mut Node,
    name: &str,
    table: &std::rc::Rc<Table>,
    answer: impl Fn(&Table, &S::Request) -> S::Response + 'static,
) -> anyhow::Result<()>
where
    S: WrappedServiceTypeSupport + 'static,
{
    let requests = service::<S>(node, &format!("~/{name}"))?;
    let table = table.clone();
    tokio::task::spawn_local(requests.for_each(move |request| {
        let response = answer(&table, &request.message);
        respond(request, response);
        futures::future::ready(())
    }));
    Ok(())
}

/// Requests to a service of `node`.
///
/// # Errors
/// Where it cannot be created.
pub fn service<S>(
    node: &mut Node,
    name: &str,
) -> anyhow::Result<impl Stream<Item = ServiceRequest<S>> + Unpin + use<S>>
where
    S: WrappedServiceTypeSupport + 'static,
{
    node.create_service::<S>(name, QosProfile::services_default())
        .map_err(|error| anyhow!("cannot offer service {name}: {error}"))
}

/// Answers; a client that is gone by now misses nothing.
pub fn respond<S: WrappedServiceTypeSupport + 'static>(request: ServiceRequest<S>, response: S::Response) {
    if let Err(error) = request.respond(response) {
        tracing::debug!(%error, "an answer did not reach its client");
    }
}

fn from_ros(value: &ParameterValue) -> Option<Value> {
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

fn to_message(value: &Value) -> Message {
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
