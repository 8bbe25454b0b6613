//! `servo_tool fk`: joint positions in, poses of the tip out.

use std::collections::BTreeMap;
use std::io::{BufWriter, stdin, stdout};

use serde::Serialize;
use serde_json::Value as Json;

use super::arm::{Arm, ArmOptions, matrix};
use super::lines::{self, Question};

/// Forward kinematics: reads lines of {"q": [...]}, answers with {"pose": [[4x4]]}.
///
/// Poses are base_from_tip, in metres. Positions are in radians or metres, base to tip. Limits are not judged. A line that cannot be
/// answered gets {"pose": null, "error": "..."}, and the next one is read.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    arm: ArmOptions,
    /// Also the pose of every link on the way, as {"frames": {LINK: [[4x4]]}}.
    #[arg(long)]
    all_frames: bool,
}

#[derive(Serialize)]
struct Answer {
    pose: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<BTreeMap<String, Json>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Answers standard input on standard output.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let arm = options.arm.load()?;
    let refuse = |error| Answer { pose: Json::Null, frames: None, error: Some(error) };
    let output = BufWriter::new(stdout().lock());
    lines::answer(stdin().lock(), output, |asked| pose(&arm, asked, options.all_frames), refuse)?;
    Ok(())
}

fn pose(arm: &Arm, asked: &Question, all_frames: bool) -> Result<Answer, String> {
    let positions = arm.positions("q", asked.get("q").unwrap_or(&Json::Null))?;
    let tip = matrix(&arm.chain.tip_pose(&positions));
    let frames = all_frames.then(|| {
        let poses = arm.chain.frame_poses(&positions);
        arm.chain.frames().zip(&poses).map(|(name, pose)| (name.to_owned(), matrix(pose))).collect()
    });
    Ok(Answer { pose: tip, frames, error: None })
}
