//! `servo_tool recording`: what is in a recording.

use std::path::PathBuf;

use super::table::Table;
use crate::recording::reader::{self, Topic};

/// What is in a recording: every topic with its type, how many messages there are, and how many a second.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The recording, .mcap.
    #[arg(value_name = "FILE.mcap")]
    file: PathBuf,
}

/// Reads all of it.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let topics = reader::read(&options.file, |_, _, _| {})?;
    let mut table = Table::new(&["topic", "type", ">messages", ">Hz"]);
    for (name, topic) in topics {
        let rate = rate_hz(&topic).map_or(String::new(), |rate| format!("{rate:.1}"));
        table.line([name, topic.type_name, topic.messages.to_string(), rate]);
    }
    print!("{table}");
    Ok(())
}

/// How often a topic's messages came; nothing of one that came once.
fn rate_hz(topic: &Topic) -> Option<f64> {
    let nanos = topic.times.1.checked_sub(topic.times.0).filter(|nanos| 0 < *nanos)?;
    Some((topic.messages.saturating_sub(1)) as f64 * 1e9 / nanos as f64)
}
