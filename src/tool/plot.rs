//! `servo_tool plot`: a picture of a recording: where each joint should be and was, how far off, and how often that was
//! told.

mod chart;
mod series;

use std::path::PathBuf;

use anyhow::Context as _;

use series::Series;

/// Draws a recording: goal, position and error of each joint, and the rate of its states, over time.
///
/// Goals are the references of the controllers; of joints whose controller tells none, the commands that
/// dynamic_joint_states tells.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The recording, .mcap.
    #[arg(value_name = "FILE.mcap")]
    file: PathBuf,
    /// The picture, .svg or .png; otherwise the recording's name with .svg.
    #[arg(value_name = "OUT", value_parser = super::picture::file)]
    out: Option<PathBuf>,
    /// The arm, by its namespace, where several were recorded.
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
}

/// Reads and draws.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let series = Series::read(&options.file, options.namespace.as_deref())?;
    let out = options.out.clone().unwrap_or_else(|| options.file.with_extension("svg"));
    let name = options.file.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
    chart::draw(&series, &name, &out).with_context(|| format!("cannot draw {}", out.display()))?;
    println!("{}", out.display());
    Ok(())
}
