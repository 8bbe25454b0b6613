//! A process on ROS: its context, its nodes, the threads that spin them, and how it starts and ends.

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use futures::{FutureExt as _, StreamExt as _};
use r2r::rosgraph_msgs::msg::Clock;
use r2r::{Context, Node, QosProfile};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{Instrument as _, Span};

use super::logging;
use super::messages::nanos_of;
use super::parameters::{arm_joints, given_parameters};
use crate::config::parameters::{self, Parameters, Value};
use crate::config::settings::Settings;
use crate::config::{Config, Part};
use crate::servo::clock::{self, Follow};

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
    /// What its thread does beside spinning it.
    pub after_turn: Vec<AfterTurn>,
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
        let after_turn = join_clock(&mut node, name, given.get("use_sim_time"))?.into_iter().collect();
        let arm_joints = arm_joints(&own)?;
        Ok(Self { node, span, given, arm_joints, after_turn })
    }

    /// Whether the process goes by `/clock`.
    pub fn goes_by_clock(&self) -> bool {
        CLOCK.get().is_some_and(|clock| clock.is_followed)
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

/// What a process goes by, as its first node was told.
struct ProcessClock {
    node: String,
    is_followed: bool,
}

static CLOCK: OnceLock<ProcessClock> = OnceLock::new();

/// The first node of a process decides whether it goes by `/clock`, and listens to it for all of them.
fn join_clock(node: &mut Node, name: &str, given: Option<&Value>) -> anyhow::Result<Option<AfterTurn>> {
    let asked = match given {
        None => None,
        Some(Value::Bool(asked)) => Some(*asked),
        Some(other) => return Err(anyhow!("parameter `use_sim_time` is {other}; it must be true or false")),
    };
    let mut is_first = false;
    let clock = CLOCK.get_or_init(|| {
        is_first = true;
        ProcessClock { node: name.to_owned(), is_followed: asked == Some(true) }
    });
    if let Some(asked) = asked.filter(|asked| *asked != clock.is_followed) {
        let (first, theirs) = (&clock.node, clock.is_followed);
        return Err(anyhow!(
            "`use_sim_time` is {asked} for `{name}` and {theirs} for `{first}`; one process has one clock, so give it to \
             all its nodes, under /**"
        ));
    }
    if !is_first || !clock.is_followed {
        return Ok(None);
    }
    let newest = QosProfile::default().keep_last(1).best_effort();
    let failed = |error| anyhow!("cannot listen to /clock: {error}");
    let mut clocks = node.subscribe::<Clock>("/clock", newest).map_err(failed)?;
    clock::follow(Follow::Wholly);
    Ok(Some(Box::new(move || {
        while let Some(Some(told)) = clocks.next().now_or_never() {
            clock::tell(nanos_of(&told.clock));
        }
    })))
}

/// Does something beside all else in this thread, on behalf of the present node.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    tokio::task::spawn_local(task.in_current_span());
}

/// Does something once the process serves, on behalf of the present node: a process that does not start says why, and
/// nothing else.
pub fn once_serving(act: impl FnOnce() + 'static) {
    spawn(async move { act() });
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

impl From<NodeBuilder> for Spun {
    fn from(builder: NodeBuilder) -> Self {
        Self::new(builder.node, builder.after_turn)
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
