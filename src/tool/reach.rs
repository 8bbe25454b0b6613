//! `servo_tool reach`: a picture of where the arm reaches, and how freely.

mod map;
mod picture;

use std::path::PathBuf;

use anyhow::Context as _;
use nalgebra::{Unit, Vector3};

use super::arm::ArmOptions;
use super::constraint::direction;
use map::{Cuts, Survey};

/// A map of reach: draws where the tip can be, and in how many directions it can point there.
///
/// Two cuts through the base's frame, one seen from the side (x to the right, z up) and one from
/// above (x to the right, y up). The joints are set at random, evenly within their limits; a cell
/// counts the directions, out of 64 that are spread evenly over the sphere, nearest to which the
/// tip has pointed there. Collisions are not looked at.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    arm: ArmOptions,
    /// The picture, .svg or .png.
    #[arg(long, value_name = "FILE", value_parser = super::picture::file)]
    out: PathBuf,
    /// The size of a cell, and the thickness of the cuts, in metres; otherwise about a 50th of the reach.
    #[arg(long, value_name = "M", value_parser = positive)]
    resolution: Option<f64>,
    /// How many times the joints are set at random.
    #[arg(long, value_name = "N", default_value_t = 20_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    samples: u64,
    /// The axis of the tip that points.
    #[arg(long, value_name = "AXIS", default_value = "z", allow_hyphen_values = true, value_parser = direction)]
    axis: Unit<Vector3<f64>>,
    /// Where the cut from the side is, as y in metres; otherwise through the first joint.
    #[arg(long, value_name = "Y", allow_hyphen_values = true, value_parser = finite)]
    side_at: Option<f64>,
    /// Where the cut from above is, as z in metres; otherwise where the arm reaches farthest.
    #[arg(long, value_name = "Z", allow_hyphen_values = true, value_parser = finite)]
    top_at: Option<f64>,
}

/// Surveys and draws.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let arm = options.arm.load()?;
    let cuts = Cuts { cell: options.resolution, side_at: options.side_at, top_at: options.top_at };
    let survey = Survey::of(&arm, options.axis, cuts, options.samples)?;
    picture::draw(&arm, &survey, &options.out)
        .with_context(|| format!("cannot draw {}", options.out.display()))
}

fn finite(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().map_err(|error| format!("it must be a number ({error})"))?;
    if number.is_finite() { Ok(number) } else { Err("it must be finite".to_owned()) }
}

fn positive(text: &str) -> Result<f64, String> {
    let number = finite(text)?;
    if 0.0 < number { Ok(number) } else { Err("it must be positive".to_owned()) }
}
