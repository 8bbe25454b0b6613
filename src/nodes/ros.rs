//! A process on ROS: its context, its nodes, the threads that spin them, and how it starts and ends.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use r2r::{Context, Node};
use tokio::signal::unix::{SignalKind, signal};
use tracing::Span;

use super::logging;
use super::parameters::{arm_joints, given_parameters};
use crate::config::parameters::{self, Parameters, Value};
use crate::config::settings::Settings;
use crate::config::{Config, Part};

/// A node that is being built: entities are created on it, then it is spun.
pub struct NodeBuilder {
    /// The node itself.
    pub node: Node,
    /// Where events about it belong.
    pub span: Span,
    /// What it was given on the command line and in parameter files.
    pub given: Parameters,
    /// The joints that the arm has, as far as this is said to all nodes.
    pub arm_joints: Vec<String>,
}

/// A node that is complete, and what its thread does beside spinning it.
pub struct Spun {
    node: Node,
    after_turn: Vec<AfterTurn>,
}

/// Done by a node's thread after each turn, so it must not take long: requests are answered that wait for nobody else.
/// Others lose two changes of threads to the async runtime, and r2r's queue of ten while that is busy.
pub type AfterTurn = Box<dyn FnMut() + Send>;

/// Nodes that are spun on threads of their own until this is dropped.
pub struct Spinning {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Requests wake a spinning node at once; only its end waits for this.
const SPIN_TIMEOUT: Duration = Duration::from_millis(20);

/// Runs a node's process: logging, the async runtime, one clear line where the start fails.
pub fn run<F>(name: &'static str, body: impl FnOnce(Context) -> F) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>>,
{
    let outcome = start(name, body);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {}", one_line(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

fn start<F>(name: &'static str, body: impl FnOnce(Context) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let arguments: Vec<String> =
        std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    check_parameter_files(&arguments)?;
    check_assignments(&arguments)?;
    let context = create_context()?;
    logging::init(name);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, body(context))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `rcl` tells of an unusable parameter file in its own way; ours names file, line and column.
fn check_parameter_files(arguments: &[String]) -> anyhow::Result<()> {
    for pair in arguments.windows(2).filter(|pair| pair[0] == "--params-file") {
        parameters::read(Path::new(&pair[1]), "")?;
    }
    Ok(())
}

/// `rcl` takes two lines to tell of these, the first without a name.
fn check_assignments(arguments: &[String]) -> anyhow::Result<()> {
    const FLAGS: [&str; 4] = ["-p", "--param", "-r", "--remap"];
    for (index, flag) in arguments.iter().enumerate().filter(|(_, word)| FLAGS.contains(&word.as_str())) {
        let value = arguments.get(index + 1).map_or("", String::as_str);
        if !value.contains(":=") {
            return Err(anyhow!("argument `{flag} {value}` must have the form {flag} NAME:=VALUE"));
        }
    }
    Ok(())
}

/// r2r panics where `rcl_init` fails, on a wrong argument for one; that is an error like any other.
fn create_context() -> anyhow::Result<Context> {
    if std::env::args_os().any(|argument| argument.to_str().is_none_or(|text| text.contains('\0'))) {
        return Err(anyhow!("every argument must be UTF-8"));
    }
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let created = std::panic::catch_unwind(Context::create);
    std::panic::set_hook(hook);
    match created {
        Ok(context) => context.map_err(|error| anyhow!("ROS does not start: {error}")),
        Err(panic) => {
            let message = panic.downcast_ref::<String>().cloned();
            Err(anyhow!("ROS does not start: {}", message.unwrap_or_else(|| "rcl_init failed".to_owned())))
        }
    }
}

impl NodeBuilder {
    /// Creates a node in a namespace, or in the one that the command line says, where that is empty.
    ///
    /// # Errors
    /// Where the namespace is none or not the one that the command line says, or the middleware cannot be used.
    pub fn new(context: &Context, name: &str, namespace: &str) -> anyhow::Result<Self> {
        let mut node = Node::create(context.clone(), name, namespace)
            .with_context(|| format!("cannot create node `{name}` in namespace `{namespace}`"))?;
        let own = node.namespace()?;
        if !namespace.is_empty() && own.trim_start_matches('/') != namespace.trim_start_matches('/') {
            return Err(anyhow!(
                "`{namespace}` of `arms` is in namespace `{own}` by the command line; say each arm's whole namespace in \
                 `arms` instead"
            ));
        }
        let span = logging::add_node(&mut node);
        let given = given_parameters(&node)?;
        if given.get("use_sim_time") == Some(&Value::Bool(true)) {
            tracing::warn!("use_sim_time is set, but `{name}` goes by the machine's clock");
        }
        let arm_joints = arm_joints(&own)?;
        Ok(Self { node, span, given, arm_joints })
    }

    /// The node's configuration, of the parts that it needs.
    ///
    /// # Errors
    /// Every parameter that is missing, wrong, or known to no node.
    pub fn config(&self, parts: &[Part]) -> anyhow::Result<Config> {
        Ok(Config::of_arm(&self.given, &self.arm_joints, parts)?)
    }

    /// The node's configuration, of the parts that it needs, to be served so that it may change.
    ///
    /// # Errors
    /// Every parameter that is missing, wrong, or known to no node.
    pub fn settings(&self, parts: &[Part]) -> anyhow::Result<Settings> {
        Ok(Settings::new(&self.given, &self.arm_joints, parts)?)
    }
}

/// Does something once the process serves, on behalf of the present node: a process that does not start says why, and
/// nothing else.
pub fn once_serving(act: impl FnOnce() + 'static) {
    let span = Span::current();
    tokio::task::spawn_local(async move { span.in_scope(act) });
}

/// Spins each node on a thread of its own.
///
/// # Errors
/// Where there can be no such thread.
pub fn spin(nodes: impl IntoIterator<Item = impl Into<Spun>>) -> anyhow::Result<Spinning> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut threads = Vec::new();
    for node in nodes {
        let Spun { mut node, mut after_turn } = node.into();
        let stopped = stop.clone();
        let spin = move || {
            while !stopped.load(Ordering::Relaxed) {
                node.spin_once(SPIN_TIMEOUT);
                after_turn.iter_mut().for_each(|act| act());
            }
        };
        threads.push(std::thread::Builder::new().name("spin".into()).spawn(spin)?);
    }
    Ok(Spinning { stop, threads })
}

impl Spun {
    /// A node whose thread does something more.
    pub fn new(node: Node, after_turn: Vec<AfterTurn>) -> Self {
        Self { node, after_turn }
    }
}

impl From<Node> for Spun {
    fn from(node: Node) -> Self {
        Self::new(node, Vec::new())
    }
}

impl Drop for Spinning {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _panicked = thread.join();
        }
    }
}

/// Resolves at SIGINT or SIGTERM, or when the terminal is closed.
///
/// # Errors
/// Where signals cannot be listened to.
pub async fn asked_to_stop() -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}
