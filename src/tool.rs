//! The command line `servo_tool`: what can be asked about an arm without one.
//!
//! Knows files, standard input and output; no ROS, no servos.
//!
//! - [`ik`], [`fk`]: JSON lines in, JSON lines out, one answer for each line;
//! - [`reach`]: a picture of where the arm reaches;
//! - [`arm`]: which arm is meant; [`constraint`]: what of a pose counts; [`lines`]: how lines are answered.

pub mod arm;
pub mod calibrate;
pub mod constraint;
pub mod fk;
pub mod histogram;
pub mod ik;
pub mod lerobot;
pub mod lines;
pub mod reach;
pub mod table;

/// Answers questions about a robot arm that a URDF describes.
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
}

/// Does what the command line says.
pub fn run(options: &Options) -> anyhow::Result<()> {
    match &options.question {
        Question::Ik(options) => ik::run(options),
        Question::Fk(options) => fk::run(options),
        Question::Reach(options) => reach::run(options),
    }
}
