//! A file is written, message by message, so that rosbag2 plays it and Foxglove opens it.
//!
//! Not compressed: neither writer nor reader needs more than this crate then.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use mcap::records::MessageHeader;
use mcap::{WriteOptions, Writer};

use super::definition::Definition;

/// What a publisher offers, as far as rosbag2 keeps it; deadlines and life spans are for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offered {
    /// How many messages are kept for readers that are slow; `None` for all of them, 0 where that is not known: not every
    /// middleware tells it.
    pub depth: Option<usize>,
    /// Whether messages that got lost are sent again.
    pub reliable: bool,
    /// Whether who comes later gets what was said before.
    pub transient_local: bool,
}

/// A file under way. One that is dropped is complete too, unless it could not be written.
pub struct Recording {
    path: PathBuf,
    writer: Writer<BufWriter<File>>,
    channels: Vec<Channel>,
}

/// One topic of a [`Recording`].
#[derive(Clone, Copy, Debug)]
pub struct ChannelId(usize);

struct Channel {
    id: u16,
    messages: u32,
}

/// Why a file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// It is there already.
    #[error("cannot record to {path}: it exists, and is not overwritten; give another name", path = .0.display())]
    Exists(PathBuf),
    /// It cannot be made.
    #[error("cannot record to {path}: {cause}", path = path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        cause: std::io::Error,
    },
    /// Something could not be written to it.
    #[error("cannot go on recording to {path}: {cause}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        cause: mcap::McapError,
    },
}

impl Recording {
    /// Makes the file, which must not be there.
    ///
    /// # Errors
    /// Where it is there, or cannot be made.
    pub fn create(path: &Path) -> Result<Self, RecordingError> {
        let created = File::options().write(true).create_new(true).open(path);
        let file = created.map_err(|cause| match cause.kind() {
            std::io::ErrorKind::AlreadyExists => RecordingError::Exists(path.to_owned()),
            _ => RecordingError::Create { path: path.to_owned(), cause },
        })?;
        let options = WriteOptions::new()
            .profile("ros2")
            .library(concat!("servo_arm ", env!("CARGO_PKG_VERSION")))
            .compression(None);
        let writer = options.create(BufWriter::new(file));
        let writer = writer.map_err(|cause| RecordingError::Write { path: path.to_owned(), cause })?;
        Ok(Self { path: path.to_owned(), writer, channels: Vec::new() })
    }

    /// Adds a topic, with what each of its publishers offers.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn add_channel(
        &mut self,
        topic: &str,
        definition: &Definition,
        offered: &[Offered],
    ) -> Result<ChannelId, RecordingError> {
        let added = self.writer.add_schema(&definition.type_name, "ros2msg", definition.text.as_bytes());
        let schema = added.map_err(|cause| failed(&self.path, cause))?;
        let metadata = BTreeMap::from([
            ("offered_qos_profiles".to_owned(), offered.iter().map(Offered::profile).collect()),
            ("topic_type_hash".to_owned(), definition.hash.clone()),
        ]);
        let added = self.writer.add_channel(schema, topic, "cdr", &metadata);
        let id = added.map_err(|cause| failed(&self.path, cause))?;
        self.channels.push(Channel { id, messages: 0 });
        Ok(ChannelId(self.channels.len() - 1))
    }

    /// Writes a message as it was received, at that time (ns of the wall clock).
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&mut self, channel: ChannelId, nanos: u64, message: &[u8]) -> Result<(), RecordingError> {
        // A channel comes from this recording or another one; of another one it may not be there.
        let Some(channel) = self.channels.get_mut(channel.0) else { return Ok(()) };
        let (log_time, publish_time) = (nanos, nanos);
        let header =
            MessageHeader { channel_id: channel.id, sequence: channel.messages, log_time, publish_time };
        channel.messages = channel.messages.wrapping_add(1);
        self.writer.write_to_known_channel(&header, message).map_err(|cause| failed(&self.path, cause))
    }

    /// Completes the file; gives how many messages are in it.
    ///
    /// # Errors
    /// Where it cannot be completed.
    pub fn finish(mut self) -> Result<u64, RecordingError> {
        let summary = self.writer.finish().map_err(|cause| failed(&self.path, cause))?;
        let flushed = self.writer.into_inner().into_inner();
        flushed.map_err(|error| failed(&self.path, error.into_error().into()))?;
        Ok(summary.stats.map_or(0, |statistics| statistics.message_count))
    }
}

fn failed(path: &Path, cause: mcap::McapError) -> RecordingError {
    RecordingError::Write { path: path.to_owned(), cause }
}

impl Offered {
    /// An item of rosbag2's list, with the numbers of `rmw`'s enumerations: every version of it reads those.
    fn profile(&self) -> String {
        const FOR_EVER: &str = "{sec: 9223372036, nsec: 854775807}";
        let (history, depth) = match self.depth {
            None => (2, 0),
            Some(0) => (3, 0),
            Some(depth) => (1, depth),
        };
        let reliability = if self.reliable { 1 } else { 2 };
        let durability = if self.transient_local { 1 } else { 2 };
        format!(
            "- history: {history}\n  depth: {depth}\n  reliability: {reliability}\n  durability: {durability}\n  \
             deadline: {FOR_EVER}\n  lifespan: {FOR_EVER}\n  liveliness: 1\n  \
             liveliness_lease_duration: {FOR_EVER}\n  avoid_ros_namespace_conventions: false\n"
        )
    }
}
