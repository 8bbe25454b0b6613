//! A file is read: by this crate's hand or rosbag2's.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mcap::{McapError, MessageStream};

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be opened.
    #[error("cannot read {path}: {cause}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        cause: std::io::Error,
    },
    /// It is no MCAP.
    #[error("{path} is no MCAP file", path = .0.display())]
    NoMcap(PathBuf),
    /// It is compressed.
    #[error("{path} is compressed with {compression}; `mcap decompress` makes one that is not", path = path.display())]
    Compressed {
        /// The file.
        path: PathBuf,
        /// How.
        compression: String,
    },
    /// Something in it is wrong.
    #[error("{path} is damaged behind {messages} messages: {cause}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What could be read.
        messages: usize,
        /// What is wrong.
        cause: McapError,
    },
    /// A length in it cannot be.
    #[error("{path} is damaged behind {messages} messages: a length in it cannot be", path = path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// What could be read.
        messages: usize,
    },
}

/// What there is to know of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topic {
    /// The type of its messages; empty where the file does not say it.
    pub type_name: String,
    /// How many there are.
    pub messages: usize,
    /// When the first and the last were received (ns of the wall clock).
    pub times: (u64, u64),
}

/// Gives every message to `see`: its topic, the time at which it was received (ns), and its bytes; then all topics by
/// name. A file that breaks off is read as far as it goes.
///
/// # Errors
/// Where the file cannot be read, or is damaged before its end.
pub fn read(
    path: &Path,
    mut see: impl FnMut(&str, u64, &[u8]),
) -> Result<BTreeMap<String, Topic>, ReadError> {
    let bytes = std::fs::read(path).map_err(|cause| ReadError::Open { path: path.to_owned(), cause })?;
    let failed = |messages: usize, cause: McapError| match cause {
        McapError::BadMagic if messages == 0 => ReadError::NoMcap(path.to_owned()),
        McapError::UnsupportedCompression(compression) => {
            ReadError::Compressed { path: path.to_owned(), compression }
        }
        cause => ReadError::Damaged { path: path.to_owned(), messages, cause },
    };
    let mut topics: BTreeMap<String, Topic> = BTreeMap::new();
    let mut stream = MessageStream::new(&bytes).map_err(|cause| failed(0, cause))?;
    for messages in 0.. {
        // The crate panics at some lengths that cannot be.
        let next = quietly(|| catch_unwind(AssertUnwindSafe(|| stream.next())));
        let message = match next {
            Ok(Some(message)) => message,
            Ok(None) => break,
            Err(_panic) => return Err(ReadError::Length { path: path.to_owned(), messages }),
        };
        let message = match message {
            Ok(message) => message,
            // Whoever recorded was killed.
            Err(McapError::UnexpectedEof | McapError::UnexpectedEoc) if 0 < messages => break,
            Err(cause) => return Err(failed(messages, cause)),
        };
        see(&message.channel.topic, message.log_time, &message.data);
        let topic = topics.entry(message.channel.topic.clone()).or_insert_with(|| Topic {
            type_name: message.channel.schema.as_ref().map_or(String::new(), |schema| schema.name.clone()),
            messages: 0,
            times: (message.log_time, message.log_time),
        });
        topic.messages += 1;
        topic.times = (topic.times.0.min(message.log_time), topic.times.1.max(message.log_time));
    }
    Ok(topics)
}

/// Without what a panic says by itself; one at a time, as there is one place to say so.
fn quietly<T>(act: impl FnOnce() -> T) -> T {
    static QUIET: Mutex<()> = Mutex::new(());
    let _alone = QUIET.lock().unwrap_or_else(PoisonError::into_inner);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let done = act();
    std::panic::set_hook(hook);
    done
}
