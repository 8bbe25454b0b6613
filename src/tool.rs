//! The command line `servo_tool`: what can be asked about an arm without one.
//!
//! Knows files, standard input and output; no ROS, no servos.
//!
//! - [`ik`], [`fk`]: JSON lines in, JSON lines out, one answer for each line;
//! - [`reach`]: a picture of where the arm reaches;
//! - [`gazebo`]: the arm as Gazebo needs it;
//! - [`recording`], [`plot`]: what is in a recording, as a table and as a picture;
//! - [`arm`]: which arm is meant; [`constraint`]: what of a pose counts; [`lines`]: how lines are answered.

pub mod arm;
pub mod calibrate;
pub mod calibration;
pub mod constraint;
pub mod fk;
pub mod gazebo;
pub mod histogram;
pub mod ik;
pub mod lerobot;
pub mod lines;
mod picture;
pub mod plot;
pub mod reach;
pub mod recording;
pub mod servos;
pub mod table;

use servos::{access, backup, identity, info, monitor, ping, scan};

/// Answers questions about a robot arm: where its joints must be, and what its servos say and keep.
#[derive(Clone, Debug, clap::Parser)]
#[command(version)]
pub struct Options {
    #[command(subcommand)]
    question: Question,
}

// What each is for stands with its options: a line here would hide that.
#[derive(Clone, Debug, clap::Subcommand)]
enum Question {
    Ik(ik::Options),
    Fk(fk::Options),
    Reach(reach::Options),
    Gazebo(gazebo::Options),
    Recording(recording::Options),
    Plot(plot::Options),
    Scan(scan::Options),
    Info(info::Options),
    Monitor(monitor::Options),
    Ping(ping::Options),
    Read(access::ReadOptions),
    Write(access::WriteOptions),
    SetId(identity::IdOptions),
    SetBaud(identity::BaudOptions),
    Reboot(identity::RebootOptions),
    Calibrate(calibrate::Options),
    Calibration(calibration::Options),
    Backup(backup::BackupOptions),
    Restore(backup::RestoreOptions),
}

/// Does what the command line says.
pub fn run(options: &Options) -> anyhow::Result<()> {
    match &options.question {
        Question::Ik(options) => ik::run(options),
        Question::Fk(options) => fk::run(options),
        Question::Reach(options) => reach::run(options),
        Question::Gazebo(options) => gazebo::run(options),
        Question::Recording(options) => recording::run(options),
        Question::Plot(options) => plot::run(options),
        Question::Scan(options) => scan::run(options),
        Question::Info(options) => info::run(options),
        Question::Monitor(options) => monitor::run(options),
        Question::Ping(options) => ping::run(options),
        Question::Read(options) => access::read(options),
        Question::Write(options) => access::write(options),
        Question::SetId(options) => identity::set_id(options),
        Question::SetBaud(options) => identity::set_baud(options),
        Question::Reboot(options) => identity::reboot(options),
        Question::Calibrate(options) => calibrate::run(options),
        Question::Calibration(options) => calibration::run(options),
        Question::Backup(options) => backup::backup(options),
        Question::Restore(options) => backup::restore(options),
    }
}
