//! What an arm costs beside others in one process: 1 to 32 emulated arms in one `arm_node`.
//!
//! Each arm has emulated servos of its own behind a paced pseudo-terminal, and holds. Measured are the processor time and
//! the memory of `arm_node` alone, and how late its control cycles begin, as its diagnostics tell it: over all cycles
//! since the start, in which the arms were found. The emulators need the same processors, and their part is told too.
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Parser;
use futures::{FutureExt as _, StreamExt as _};
use r2r::diagnostic_msgs::msg::{DiagnosticArray, DiagnosticStatus};
use r2r::{Context, Node, QosProfile};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};
use servo_arm::servo::setup::locate;

/// Measures arms beside each other in one process
#[derive(Parser)]
struct Options {
    /// Where to write all numbers
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How many arms
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [1, 2, 4, 8, 16, 32])]
    arms: Vec<usize>,
    /// Control cycles of each arm in a second, instead of those of its parameter file
    #[arg(long, value_name = "HZ")]
    rate: Option<f64>,
    /// How long each is measured
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    seconds: f64,
    /// What cargo says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

const START_TIMEOUT: Duration = Duration::from_secs(60);
/// What starting leaves behind is over then.
const SETTLING: Duration = Duration::from_secs(2);
const MIB: f64 = 1024.0 * 1024.0;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let seconds = Duration::from_secs_f64(options.seconds.clamp(1.0, 600.0));
    let mut watcher = Watcher::new()?;
    let mut runs = Vec::new();
    for &arms in &options.arms {
        let run =
            measure(arms, options.rate, seconds, &mut watcher).with_context(|| format!("{arms} arms"))?;
        print(&run);
        let all_hold = run["not_holding"] == 0;
        runs.push(run);
        if !all_hold {
            break;
        }
    }
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&json!({ "runs": runs }))?;
        std::fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// One process with so many arms.
fn measure(
    arms: usize,
    rate_hz: Option<f64>,
    seconds: Duration,
    watcher: &mut Watcher,
) -> anyhow::Result<Json> {
    let folder = tempfile::tempdir()?;
    let config = locate("package://servo_arm/config/so101.yaml").context("the SO-101's configuration")?;
    let executables = Path::new(env!("CARGO_BIN_EXE_arm_node")).parent().context("no executables")?;
    let names: Vec<String> = (1..=arms).map(|arm| format!("bench_{}_{arm}", std::process::id())).collect();
    let links: Vec<PathBuf> = names.iter().map(|name| folder.path().join(name)).collect();
    let emulators = links
        .iter()
        .map(|link| {
            let mut command = Command::new(executables.join("servo_emulator"));
            command.arg("--config").arg(&config).arg("--link").arg(link).arg("--pace");
            Process::start(command)
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let deadline = Instant::now() + START_TIMEOUT;
    while !links.iter().all(|link| link.exists()) {
        if deadline < Instant::now() {
            bail!("the emulated servos do not start");
        }
        std::thread::sleep(Duration::from_millis(5));
    }

    let overrides = folder.path().join("arms.yaml");
    std::fs::write(&overrides, overrides_of(&names, &links, rate_hz))?;
    let mut command = Command::new(executables.join("arm_node"));
    command.args(["--ros-args", "--log-level", "warn"]);
    command.arg("--params-file").arg(&config).arg("--params-file").arg(&overrides);
    let started = Instant::now();
    let mut node = Process::start(command)?;
    watcher.forget();
    let is_holding = |told: &BTreeMap<String, DiagnosticStatus>, name: &String| {
        told.get(name).is_some_and(|arm| text_of(arm, "state") == "Holding")
    };
    let all_hold = |told: &_| names.iter().all(|name| is_holding(told, name));
    watcher.watch_until(Instant::now() + START_TIMEOUT, all_hold);
    let started = started.elapsed();
    watcher.watch(SETTLING);
    let (before, emulators_before) = (node.usage()?, usage_of(&emulators)?);
    let began = Instant::now();
    watcher.watch(seconds);
    let elapsed = began.elapsed().as_secs_f64();
    let (after, emulators_after) = (node.usage()?, usage_of(&emulators)?);
    if let Some(status) = node.child.try_wait()? {
        bail!("arm_node ended by itself ({status})");
    }

    let not_holding = names.iter().filter(|name| !is_holding(&watcher.told, name)).count();
    let each = |key: &str| -> Vec<f64> {
        let values = names.iter().filter_map(|name| text_of(watcher.told.get(name)?, key).parse().ok());
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let spread = |key: &str| {
        let values = each(key);
        json!({ "median": values.get(values.len() / 2), "worst": values.last() })
    };
    let count = arms as f64;
    Ok(json!({
        "arms": arms,
        "not_holding": not_holding,
        "until_all_hold_secs": started.as_secs_f64(),
        "cpu_percent_per_arm": 100.0 * (after.cpu_secs - before.cpu_secs) / elapsed / count,
        "memory_mib": after.resident_bytes / MIB,
        "memory_mib_per_arm": after.resident_bytes / MIB / count,
        "threads": after.threads,
        "emulators_cpu_percent": 100.0 * (emulators_after - emulators_before) / elapsed,
        "rate_hz": { "median": each("rate_hz").get(arms / 2), "least": each("rate_hz").first() },
        "lateness_us": { "p50": spread("lateness_us.p50"), "p99": spread("lateness_us.p99"), "max": spread("lateness_us.max") },
        "overruns": each("overruns").iter().sum::<f64>(),
        "cycles": each("cycles").iter().sum::<f64>(),
    }))
}

/// Which arms there are, how fast they are, and where each has its servos.
fn overrides_of(names: &[String], links: &[PathBuf], rate_hz: Option<f64>) -> String {
    let rate = rate_hz.map_or(String::new(), |rate| format!(", update_rate_hz: {rate:?}"));
    let mut text = format!("/**: {{ros__parameters: {{arms: [{}]{rate}}}}}\n", names.join(", "));
    for (name, link) in names.iter().zip(links) {
        let port = link.display();
        writeln!(text, "/{name}/hardware_node: {{ros__parameters: {{port: {port}}}}}").unwrap();
    }
    text
}

fn print(run: &Json) {
    let number = |pointer: &str| run.pointer(pointer).and_then(Json::as_f64).unwrap_or(f64::NAN);
    if run["not_holding"] != 0 {
        println!(
            "{:>3} arms: {} of them do not hold, as processors are too few for so many with their emulated servos; --rate \
             HZ makes them slower",
            run["arms"], run["not_holding"]
        );
        return;
    }
    println!(
        "{:>3} arms: {:5.2} % of a processor and {:5.1} MiB for each ({:.0} MiB in all); lateness p50 {:.0}, p99 {:.0} µs \
         (worst arm {:.0}, {:.0}); {:.0} overruns in {:.0} cycles; {:.1} Hz; the emulators {:.0} %",
        number("/arms"),
        number("/cpu_percent_per_arm"),
        number("/memory_mib_per_arm"),
        number("/memory_mib"),
        number("/lateness_us/p50/median"),
        number("/lateness_us/p99/median"),
        number("/lateness_us/p50/worst"),
        number("/lateness_us/p99/worst"),
        number("/overruns"),
        number("/cycles"),
        number("/rate_hz/median"),
        number("/emulators_cpu_percent"),
    );
}

/// Hears what each arm tells of itself.
struct Watcher {
    node: Node,
    diagnostics: Box<dyn futures::Stream<Item = DiagnosticArray> + Unpin>,
    /// By the arm's namespace, what was told last.
    told: BTreeMap<String, DiagnosticStatus>,
}

impl Watcher {
    fn new() -> anyhow::Result<Self> {
        let context = Context::create().context("ROS does not start")?;
        let mut node = Node::create(context, "bench_arms", "")?;
        let qos = QosProfile::default().keep_last(1000);
        let diagnostics = Box::new(node.subscribe::<DiagnosticArray>("/diagnostics", qos)?);
        Ok(Self { node, diagnostics, told: BTreeMap::new() })
    }

    fn forget(&mut self) {
        self.told.clear();
    }

    fn turn(&mut self) {
        self.node.spin_once(Duration::from_millis(5));
        while let Some(Some(message)) = self.diagnostics.next().now_or_never() {
            for status in message.status {
                if let Some(arm) = status.name.strip_suffix("/hardware_node: arm") {
                    self.told.insert(arm.to_owned(), status);
                }
            }
        }
    }

    fn watch(&mut self, lasts: Duration) {
        let end = Instant::now() + lasts;
        while Instant::now() < end {
            self.turn();
        }
    }

    fn watch_until(
        &mut self,
        deadline: Instant,
        is_so: impl Fn(&BTreeMap<String, DiagnosticStatus>) -> bool,
    ) {
        while !is_so(&self.told) && Instant::now() < deadline {
            self.turn();
        }
    }
}

fn text_of<'a>(status: &'a DiagnosticStatus, key: &str) -> &'a str {
    status.values.iter().find(|pair| pair.key == key).map_or("", |pair| pair.value.as_str())
}

/// A child that is ended with this.
struct Process {
    child: Child,
}

/// What a process has used, and uses.
struct Usage {
    cpu_secs: f64,
    resident_bytes: f64,
    threads: usize,
}

impl Process {
    fn start(mut command: Command) -> anyhow::Result<Self> {
        let child = command.stdout(Stdio::null()).spawn();
        Ok(Self {
            child: child.with_context(|| format!("cannot start {}", command.get_program().display()))?,
        })
    }

    fn usage(&self) -> anyhow::Result<Usage> {
        let folder = PathBuf::from(format!("/proc/{}", self.child.id()));
        let stat = std::fs::read_to_string(folder.join("stat"))?;
        // Behind the name, which may have blanks: utime and stime are the 12th and 13th, rss the 22nd.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let field =
            |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(f64::NAN);
        Ok(Usage {
            cpu_secs: (field(11) + field(12)) / rustix::param::clock_ticks_per_second() as f64,
            resident_bytes: field(21) * rustix::param::page_size() as f64,
            threads: std::fs::read_dir(folder.join("task"))?.count(),
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            // One that has ended already is waited for all the same.
            let _ended = kill_process(pid, Signal::TERM);
        }
        let _status = self.child.wait();
    }
}

fn usage_of(processes: &[Process]) -> anyhow::Result<f64> {
    processes.iter().map(|process| Ok(process.usage()?.cpu_secs)).sum()
}
