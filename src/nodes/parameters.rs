//! A node's parameters as ROS tools see them: listed, described, read, and set or refused with a reason.
//!
//! Serves the six parameter services itself, because descriptors must say what is read-only. Knows nothing of what a
//! value means: [`Settings`] judges, and whoever has the receiver acts.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use anyhow::anyhow;
use futures::{Stream, StreamExt as _};
use r2r::rcl_interfaces::msg::{
    FloatingPointRange, IntegerRange, ListParametersResult, Parameter, ParameterDescriptor, ParameterEvent,
    ParameterValue as Message, SetParametersResult,
};
use r2r::rcl_interfaces::srv::{
    DescribeParameters, GetParameterTypes, GetParameters, ListParameters, SetParameters,
    SetParametersAtomically,
};
use r2r::{Node, ParameterValue, Publisher, QosProfile, ServiceRequest, WrappedServiceTypeSupport};
use tokio::sync::watch;

use super::hardware::publish;
use super::messages::stamp_now;
use super::parameter_values::{from_message, from_ros, to_message};
use super::ros;
use crate::config::Config;
use crate::config::declaration::{Declared, Range};
use crate::config::from_value::FromValue as _;
use crate::config::parameters::{Parameters, Value, of_command_line};
use crate::config::settings::{Changed, Refused, Settings, check_changeable};

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

/// The joints that what is meant for every node of a namespace says, which are those of the arm; empty where it says
/// none.
///
/// # Errors
/// Where a file is unusable.
pub fn arm_joints(namespace: &str) -> anyhow::Result<Vec<String>> {
    Ok(meant_for_all(namespace)?.get("joints").and_then(Vec::from_value).unwrap_or_default())
}

/// The namespaces of the arms that the process is to run; empty for one arm, in the process's own namespace.
///
/// # Errors
/// Where they are no list of names, one is there twice, or a file is unusable.
pub fn arms() -> anyhow::Result<Vec<String>> {
    let given = meant_for_all("")?;
    let Some(value) = given.get("arms").filter(|value| !value.is_empty_list()) else { return Ok(Vec::new()) };
    let wrong = |expected: &str| anyhow!("parameter `arms` is {value}; {expected}");
    let arms = Vec::<String>::from_value(value).ok_or_else(|| wrong("it must be a list of namespaces"))?;
    let repeated = arms.iter().enumerate().find(|(index, arm)| arms[..*index].contains(arm));
    match repeated {
        Some((_, arm)) => {
            Err(wrong(&format!("each arm has a namespace of its own, and `{arm}` is there twice")))
        }
        None => Ok(arms),
    }
}

/// What is meant for every node of a namespace: a node without a name is meant by nothing else.
fn meant_for_all(namespace: &str) -> anyhow::Result<Parameters> {
    let arguments: Vec<String> = std::env::args().collect();
    Ok(of_command_line(&arguments, namespace)?)
}

/// Serves `declared` as the parameters of `node`, none of which can be set, on the task's own time.
///
/// # Errors
/// Where a service or the topic cannot be created.
pub fn serve(node: &mut Node, declared: BTreeMap<String, Declared>) -> anyhow::Result<()> {
    offer(node, Source::Fixed(declared))
}

/// Serves the parameters of `node` on the task's own time. The receiver has the configuration as it is now, and a
/// client that was told of a success finds it changed there.
///
/// # Errors
/// Where a service or the topic cannot be created.
pub fn serve_settings(node: &mut Node, settings: Settings) -> anyhow::Result<watch::Receiver<Config>> {
    let logger = node.logger().to_owned();
    settings.config().remarks.iter().for_each(|remark| tracing::warn!(node = logger, "{remark}"));
    let (changed, receiver) = watch::channel(settings.config().clone());
    offer(node, Source::Changing(Box::new(settings), changed))?;
    Ok(receiver)
}

fn offer(node: &mut Node, source: Source) -> anyhow::Result<()> {
    let events = node
        .create_publisher::<ParameterEvent>("/parameter_events", QosProfile::parameter_events())
        .map_err(|error| anyhow!("cannot offer topic /parameter_events: {error}"))?;
    let (name, logger) = (node.fully_qualified_name()?, node.logger().to_owned());
    let table = Rc::new(Table { name, logger, source: RefCell::new(source), events });
    spawn::<GetParameters::Service, _>(node, "get_parameters", &table, |table, request| {
        GetParameters::Response { values: table.of_all(&request.names, value_of) }
    })?;
    spawn::<GetParameterTypes::Service, _>(node, "get_parameter_types", &table, |table, request| {
        GetParameterTypes::Response { types: table.of_all(&request.names, |_, of| value_of("", of).type_) }
    })?;
    spawn::<ListParameters::Service, _>(node, "list_parameters", &table, |table, request| {
        ListParameters::Response { result: list(table.source.borrow().declared(), request) }
    })?;
    spawn::<DescribeParameters::Service, _>(node, "describe_parameters", &table, |table, request| {
        let is_fixed = matches!(*table.source.borrow(), Source::Fixed(_));
        let descriptors = table.of_all(&request.names, |name, of| describe(name, of, is_fixed));
        DescribeParameters::Response { descriptors }
    })?;
    spawn::<SetParameters::Service, _>(node, "set_parameters", &table, |table, request| {
        let each = request.parameters.iter().map(|parameter| table.set(std::slice::from_ref(parameter)));
        SetParameters::Response { results: each.collect() }
    })?;
    spawn::<SetParametersAtomically::Service, _>(
        node,
        "set_parameters_atomically",
        &table,
        |table, request| SetParametersAtomically::Response { result: table.set(&request.parameters) },
    )?;
    ros::spawn(async move { table.announce().await });
    Ok(())
}

/// Where the values are.
enum Source {
    Fixed(BTreeMap<String, Declared>),
    Changing(Box<Settings>, watch::Sender<Config>),
}

impl Source {
    fn declared(&self) -> &BTreeMap<String, Declared> {
        match self {
            Self::Fixed(declared) => declared,
            Self::Changing(settings, _) => &settings.config().declared,
        }
    }

    fn set(&mut self, parameters: &[Parameter]) -> Result<Changed, String> {
        let mut values = Parameters::new();
        for Parameter { name, value } in parameters {
            check_changeable(self.declared(), name).map_err(|refused| refused.to_string())?;
            values.insert(name.clone(), from_message(name, value)?);
        }
        match self {
            Self::Changing(settings, changed) if !values.is_empty() => {
                let outcome = settings.set(&values).map_err(|refused| refused.to_string())?;
                changed.send_replace(settings.config().clone());
                Ok(outcome)
            }
            Self::Changing(..) => Ok(Changed::default()),
            // Whatever may change in other nodes, nobody would hear of it in this one.
            Self::Fixed(_) => match values.into_keys().next() {
                Some(name) => Err(Refused::ReadOnly(name).to_string()),
                None => Ok(Changed::default()),
            },
        }
    }
}

struct Table {
    name: String,
    logger: String,
    source: RefCell<Source>,
    events: Publisher<ParameterEvent>,
}

/// How long the parameters that there are wait for somebody who listens: at the start nobody has been found yet.
const ANNOUNCE_WITHIN: Duration = Duration::from_secs(2);

impl Table {
    /// An answer for each name, or none at all where one is unknown, as `rclcpp` does it.
    fn of_all<T>(&self, names: &[String], answer: impl Fn(&str, &Declared) -> T) -> Vec<T> {
        let source = self.source.borrow();
        let each = names.iter().map(|name| Some(answer(name, source.declared().get(name)?)));
        each.collect::<Option<Vec<_>>>().unwrap_or_default()
    }

    fn set(&self, parameters: &[Parameter]) -> SetParametersResult {
        match self.source.borrow_mut().set(parameters) {
            Ok(Changed { values, remarks }) => {
                remarks.iter().for_each(|remark| tracing::warn!(node = self.logger, "{remark}"));
                if !values.is_empty() {
                    let changed_parameters = messages(&values);
                    self.publish(ParameterEvent { changed_parameters, ..ParameterEvent::default() });
                }
                SetParametersResult { successful: true, reason: String::new() }
            }
            Err(reason) => SetParametersResult { successful: false, reason },
        }
    }

    /// Tells of the parameters that there are, as `rclcpp` does of each that is declared.
    async fn announce(&self) {
        let values = |source: &Source| {
            let set =
                source.declared().iter().filter_map(|(name, of)| Some((name.clone(), of.value.clone()?)));
            messages(&set.collect())
        };
        let new_parameters = values(&self.source.borrow());
        if let Ok(somebody) = self.events.wait_for_inter_process_subscribers() {
            // Nobody at all is as good as somebody.
            let _in_time = tokio::time::timeout(ANNOUNCE_WITHIN, somebody).await;
        }
        self.publish(ParameterEvent { new_parameters, ..ParameterEvent::default() });
    }

    fn publish(&self, event: ParameterEvent) {
        publish(&self.events, &ParameterEvent { stamp: stamp_now(), node: self.name.clone(), ..event });
    }
}

fn messages(values: &BTreeMap<String, Value>) -> Vec<Parameter> {
    values.iter().map(|(name, value)| Parameter { name: name.clone(), value: to_message(value) }).collect()
}

fn value_of(_name: &str, declared: &Declared) -> Message {
    declared.value.as_ref().map_or_else(Message::default, to_message)
}

fn describe(name: &str, declared: &Declared, is_fixed: bool) -> ParameterDescriptor {
    let mut descriptor = ParameterDescriptor {
        name: name.to_owned(),
        type_: value_of(name, declared).type_,
        description: declared.description.to_owned(),
        additional_constraints: declared.constraints.clone(),
        read_only: is_fixed || !declared.changeable,
        ..ParameterDescriptor::default()
    };
    match &declared.range {
        // The messages know no open end.
        Some(Range::Double(range)) => descriptor.floating_point_range.push(FloatingPointRange {
            from_value: *range.start(),
            to_value: range.end().min(f64::MAX),
            step: 0.0,
        }),
        Some(Range::Integer(range)) => descriptor.integer_range.push(IntegerRange {
            from_value: *range.start(),
            to_value: *range.end(),
            step: 0,
        }),
        None => {}
    }
    descriptor
}

/// As `rclcpp` lists them: `depth` counts the dots that a name may have below its prefix; 0 is any.
fn list(declared: &BTreeMap<String, Declared>, request: &ListParameters::Request) -> ListParametersResult {
    let ListParameters::Request { prefixes, depth } = request;
    let shallow = |below: &str| *depth == 0 || (below.matches('.').count() as u64) < *depth;
    let matches = |name: &str| {
        if prefixes.is_empty() {
            return shallow(name);
        }
        prefixes.iter().any(|prefix| {
            let below = name.strip_prefix(prefix.as_str());
            below.is_some_and(|b| b.is_empty() || b.strip_prefix('.').is_some_and(shallow))
        })
    };
    let set = declared.iter().filter(|(_, declared)| declared.value.is_some());
    let names: Vec<String> = set.map(|(name, _)| name.clone()).filter(|name| matches(name)).collect();
    let prefixes: BTreeSet<&str> = names.iter().filter_map(|name| Some(name.rsplit_once('.')?.0)).collect();
    let prefixes = prefixes.into_iter().map(str::to_owned).collect();
    ListParametersResult { names, prefixes }
}

/// Offers a service below the name of `node` that answers by what is `shared`, on the task's own time.
///
/// # Errors
/// Where it cannot be created.
pub fn spawn<S, T>(
    node: &mut Node,
    name: &str,
    shared: &Rc<T>,
    answer: impl Fn(&T, &S::Request) -> S::Response + 'static,
) -> anyhow::Result<()>
where
    S: WrappedServiceTypeSupport + 'static,
    T: 'static,
{
    let requests = service::<S>(node, &format!("~/{name}"))?;
    let shared = shared.clone();
    ros::spawn(requests.for_each(move |request| {
        let response = answer(&shared, &request.message);
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
