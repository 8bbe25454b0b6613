//! The processes of the demonstration: started, watched, measured, and always ended, the nodes before the servos.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use servo_arm::config::hardware::port_parameter;
use servo_arm::servo::emulator::options::of_bus;
use tokio::process::{Child, Command};

/// The emulator and the nodes.
pub(crate) struct Processes {
    executables: PathBuf,
    folder: PathBuf,
    /// The names of the buses; an only one may have none.
    buses: Vec<String>,
    emulator: Child,
    nodes: Vec<(&'static str, Child)>,
    started: Instant,
}

/// What the nodes have used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Seconds on a processor.
    pub(crate) cpu_secs: f64,
    /// Most memory that was resident at once, all nodes added (KiB).
    pub(crate) peak_rss_kib: u64,
}

/// What ports and sockets are called, or begin with.
const PORT: &str = "arm";
const CONTROL: &str = "control";
const EMULATOR_TIMEOUT: Duration = Duration::from_secs(5);
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

impl Processes {
    /// Starts the emulator and waits until its ports are there. All executables are in one folder.
    pub(crate) async fn start_emulator(
        executables: &Path,
        config: &Path,
        buses: Vec<String>,
    ) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("servo_arm_demo_{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let mut command = executable(executables, "servo_emulator");
        command
            .arg("--config")
            .arg(config)
            .arg("--link")
            .arg(folder.join(PORT))
            .arg("--control")
            .arg(folder.join(CONTROL))
            .arg("--pace");
        let emulator = command.stdout(Stdio::null()).spawn().context("cannot start servo_emulator")?;
        let executables = executables.to_owned();
        let mut processes =
            Self { executables, folder, buses, emulator, nodes: Vec::new(), started: Instant::now() };
        let waited = Instant::now();
        while !processes.buses.iter().all(|bus| processes.has_bus(bus)) {
            if let Some(status) = processes.emulator.try_wait()? {
                bail!("servo_emulator ended at its start ({status})");
            }
            if EMULATOR_TIMEOUT < waited.elapsed() {
                bail!("servo_emulator does not start");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(processes)
    }

    /// Starts the nodes, in one process or in two.
    pub(crate) fn start_nodes(&mut self, config: &Path, separate: bool) -> anyhow::Result<()> {
        let names: &[&'static str] =
            if separate { &["hardware_node", "controller_node"] } else { &["arm_node"] };
        self.started = Instant::now();
        for name in names {
            let mut command = executable(&self.executables, name);
            command.args(["--ros-args", "--log-level", "warn", "--params-file"]).arg(config);
            // Nobody else is there to show the arm to viewers.
            command.args(["-p", "hardware_node:publish_robot_state:=true"]);
            for bus in &self.buses {
                let (parameter, port) = (port_parameter(bus), self.port(bus));
                // The other nodes of the process know of no buses.
                command.arg("-p").arg(format!("hardware_node:{parameter}:={}", port.display()));
            }
            let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
            self.nodes.push((name, child));
        }
        Ok(())
    }

    /// Where the emulator takes commands for a bus.
    pub(crate) fn control_socket(&self, bus: &str) -> PathBuf {
        of_bus(&self.folder.join(CONTROL), bus)
    }

    fn port(&self, bus: &str) -> PathBuf {
        of_bus(&self.folder.join(PORT), bus)
    }

    fn has_bus(&self, bus: &str) -> bool {
        self.port(bus).exists() && self.control_socket(bus).exists()
    }

    /// When the nodes were started.
    pub(crate) fn nodes_started_at(&self) -> Instant {
        self.started
    }

    /// Resolves when a process ends by itself, with a sentence about it.
    pub(crate) async fn unexpected_end(&mut self) -> String {
        loop {
            let children = self.nodes.iter_mut().map(|(name, child)| (*name, child));
            for (name, child) in children.chain([("servo_emulator", &mut self.emulator)]) {
                if let Ok(Some(status)) = child.try_wait() {
                    return format!("{name} ended by itself ({status})");
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the nodes have used so far.
    pub(crate) fn usage_of_nodes(&self) -> anyhow::Result<Usage> {
        let mut sum = Usage::default();
        for (name, child) in &self.nodes {
            let id = child.id().ok_or_else(|| anyhow!("{name} has ended"))?;
            let usage = usage_of(id).with_context(|| format!("what {name} uses"))?;
            sum.cpu_secs += usage.cpu_secs;
            sum.peak_rss_kib += usage.peak_rss_kib;
        }
        Ok(sum)
    }

    /// Ends all processes, and tells which did not end well.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let mut complaints = Vec::new();
        for (name, child) in &mut self.nodes {
            complaints.extend(end(name, child).await);
        }
        complaints.extend(end("servo_emulator", &mut self.emulator).await);
        // It is in the temporary folder of the system, which forgets it anyway.
        let _removed = std::fs::remove_dir_all(&self.folder);
        if complaints.is_empty() { Ok(()) } else { bail!(complaints.join("; ")) }
    }
}

/// In a process group of its own, so that Ctrl-C reaches us alone and we end it in order.
fn executable(folder: &Path, name: &str) -> Command {
    let mut command = Command::new(folder.join(name));
    command.stdin(Stdio::null()).kill_on_drop(true).process_group(0);
    command
}

async fn end(name: &str, child: &mut Child) -> Option<String> {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // One that has ended in the meantime is what we want.
        let _gone = kill_process(pid, Signal::INT);
    }
    match tokio::time::timeout(STOP_TIMEOUT, child.wait()).await {
        Ok(Ok(status)) if status.success() => None,
        Ok(ended) => Some(format!("{name} ended with {}", describe(ended))),
        Err(_elapsed) => {
            let _killed = child.kill().await;
            Some(format!("{name} did not stop and was killed"))
        }
    }
}

fn describe(ended: std::io::Result<ExitStatus>) -> String {
    ended.map_or_else(|error| error.to_string(), |status| status.to_string())
}

fn usage_of(process: u32) -> anyhow::Result<Usage> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak_rss_kib = peak.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in parentheses may hold spaces; utime and stime are the 12th and 13th fields behind it.
    let behind_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = behind_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum::<u64>();
    Ok(Usage { cpu_secs: ticks as f64 / rustix::param::clock_ticks_per_second() as f64, peak_rss_kib })
}
