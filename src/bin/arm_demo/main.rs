//! The demonstration: starts emulated servos and the nodes, moves arm and gripper as an ordinary action client, and
//! shows it.
//!
//! Measures from outside: what it reports was seen on the wire, on topics, or in `/proc`.

mod clients;
mod controllers;
mod observer;
mod processes;
mod recorder;
mod report;
mod script;
mod table;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use clap::Parser as _;
use r2r::GoalStatus;
use servo_arm::config::Config;
use servo_arm::config::parameters::Parameters;
use servo_arm::nodes::ros;
use servo_arm::servo::clock;
use servo_arm::servo::setup::{arm_setup, robot_model};

use clients::{Available, Clients, Ended};
use controllers::Controllers;
use observer::Observer;
use processes::Processes;
use recorder::Recorder;
use report::{GoalTimes, Report};
use script::{Motion, Script, Step};
use table::Table;
use wire::Wire;

/// Drives an emulated arm through a motion and shows what it does
#[derive(Clone, clap::Parser)]
#[command(version)]
struct Arguments {
    /// The arm's parameter file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Move through the motion once, print a summary, and end
    #[arg(long)]
    once: bool,
    /// Write the summary to a file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// End after this many seconds
    #[arg(long, value_name = "N", value_parser = seconds)]
    seconds: Option<f64>,
    /// Record what is published, into a new MCAP file for Foxglove, `ros2 bag` and `servo_tool plot`
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Run hardware and controller as processes of their own
    #[arg(long)]
    separate: bool,
}

/// Rest before a goal; the range is that of a control period or more, so that no moment of it is preferred.
const SETTLE_SECS: std::ops::Range<f64> = 0.2..0.22;
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// A result that is later than this will not come any more.
const RESULT_TIMEOUT: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    ros::run("arm_demo", |context| run(context, arguments))
}

fn seconds(text: &str) -> Result<f64, String> {
    let parsed: Result<f64, _> = text.parse();
    parsed
        .ok()
        .filter(|secs| (0.0..=1e9).contains(secs))
        .ok_or_else(|| "it must be a number of seconds".to_owned())
}

async fn run(context: r2r::Context, arguments: Arguments) -> anyhow::Result<()> {
    let config_file = config_file(&arguments)?;
    // The ports come from the emulator, whatever the file says.
    let config = Config::read_hardware_at(&config_file, &Parameters::new(), |_| "emulated".to_owned())?;
    let model = robot_model(&config.arm)?;
    let setup = arm_setup(&config, &model)?;
    let controllers = Controllers::read(&config_file, &setup, &model)?;

    let mut builder = ros::NodeBuilder::new(&context, "arm_demo", "")?;
    let observer = Observer::new(&context, &mut builder.node, &setup.joints, &controllers)?;
    let (clients, available) = Clients::new(&mut builder.node, &controllers)?;
    let recorder = arguments.record.as_ref().map(|file| Recorder::start(&context, file, &controllers));
    let recorder = recorder.transpose()?;
    let spinning = ros::spin([builder])?;

    let own = std::env::current_exe().context("cannot find our own executable")?;
    let beside = own.parent().context("our own executable is in no folder")?;
    let buses = setup.hardware.buses.iter().map(|bus| bus.name.clone()).collect();
    let mut processes = Processes::start_emulator(beside, &config_file, buses).await?;
    let wire = Wire::watch(&setup.hardware.buses, |bus| processes.control_socket(bus))?;
    processes.start_nodes(&config_file, arguments.separate)?;
    let script = Script::new(&controllers);
    let file = arguments.record.clone();
    let demo = Demo { arguments, controllers, observer, clients, wire, script };
    let driven = tokio::select! {
        driven = demo.drive(&mut processes, available) => driven.map(Some),
        stopped = ros::asked_to_stop() => stopped.map(|()| None),
    };
    let ended = processes.stop().await;
    drop(spinning);
    let recorded = recorder.map(Recorder::finish);
    let report = driven?;
    ended?;
    if let (Some(messages), Some(file)) = (recorded.transpose()?, file) {
        println!("{messages} messages recorded to {}", file.display());
    }
    match report {
        Some(report) if !report.succeeded() => bail!("a goal did not succeed"),
        _ => Ok(()),
    }
}

fn config_file(arguments: &Arguments) -> anyhow::Result<PathBuf> {
    if let Some(file) = &arguments.config {
        return Ok(file.clone());
    }
    let uri = "package://servo_arm/config/so101.yaml";
    servo_arm::servo::setup::locate(uri).context("the SO-101's configuration")
}

/// Everything that one demonstration needs.
struct Demo {
    arguments: Arguments,
    controllers: Controllers,
    observer: Observer,
    clients: Clients,
    wire: Wire,
    script: Script,
}

impl Demo {
    /// Moves the arm until it has been once through the motion, or time is over.
    async fn drive(&self, processes: &mut Processes, available: Available) -> anyhow::Result<Report> {
        let until_ready = async {
            let first_state = self.observer.first_joint_state().await;
            available.await.map_err(|error| anyhow!("no action server: {error}"))?;
            self.observer.arm_can_move().await;
            anyhow::Ok(first_state)
        };
        let first_state = tokio::select! {
            ready = tokio::time::timeout(START_TIMEOUT, until_ready) => {
                ready.context("the nodes did not start in time")??
            }
            ended = processes.unexpected_end() => bail!("{ended}"),
        };
        let start_to_first_state = first_state.duration_since(processes.nodes_started_at());
        for action in self.clients.actions() {
            self.observer.refuse_strangers(action)?;
        }
        self.observer.start_tracking();
        let mut times = Vec::new();
        let began = Instant::now();
        let table = Table::new(&self.observer);
        tokio::select! {
            moved = self.move_on(began, &mut times) => moved?,
            () = table.show() => {}
            ended = processes.unexpected_end() => bail!("{ended}"),
        }
        self.observer.next_diagnostics().await;
        let report = Report::new(&self.observer, processes, &times, start_to_first_state)?;
        report.print();
        if let Some(file) = &self.arguments.json {
            report.write(file)?;
        }
        Ok(report)
    }

    async fn move_on(&self, began: Instant, times: &mut Vec<GoalTimes>) -> anyhow::Result<()> {
        let is_over = || self.arguments.seconds.is_some_and(|secs| secs <= began.elapsed().as_secs_f64());
        times.push(self.execute(self.script.preparation()).await?);
        loop {
            for step in self.script.steps() {
                if is_over() {
                    return Ok(());
                }
                times.push(self.execute(step).await?);
            }
            if self.arguments.once {
                return Ok(());
            }
        }
    }

    /// Sends one goal, stamped with the present, and waits for its result.
    async fn execute(&self, step: &Step) -> anyhow::Result<GoalTimes> {
        // What the motion before still settles is no answer to this goal.
        let settle_secs = SETTLE_SECS.start + (SETTLE_SECS.end - SETTLE_SECS.start) * fastrand::f64();
        tokio::time::sleep(Duration::from_secs_f64(settle_secs)).await;
        self.wire.expect_change();
        let patience = Duration::from_secs_f64(step.motion.secs().unwrap_or(0.0)) + RESULT_TIMEOUT;
        let sent = clock::now();
        let ended = match &step.motion {
            Motion::Arm(points) => self.clients.follow(points, patience).await,
            Motion::Gripper(position) => {
                if let Some(gripper) = &self.controllers.gripper {
                    self.observer.note_goal(&gripper.joint, *position);
                }
                self.clients.grip(*position, patience).await
            }
        };
        let Ended { status, text } = ended.with_context(|| format!("goal `{}`", step.name))?;
        let result_at = clock::now();
        if status != GoalStatus::Succeeded {
            eprintln!("goal `{}` ended {status}: {text}", step.name);
        }
        let to_first_command_ms = self.wire.millis_to_change(clock::wall_nanos_at(sent));
        let end = step.motion.secs().map(|secs| sent.plus_secs(secs));
        Ok(GoalTimes {
            succeeded: status == GoalStatus::Succeeded,
            to_first_command_ms: to_first_command_ms.filter(|_| step.starts_at_once),
            end_to_result_ms: end.map(|end| result_at.secs_since(end) * 1e3),
        })
    }
}
