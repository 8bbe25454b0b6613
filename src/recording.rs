//! What was published becomes a file, and back: MCAP as rosbag2 and Foxglove know it.
//!
//! Knows files, message definitions and CDR; no ROS, no clock: who records brings the bytes and the time.
//!
//! - [`definition`]: what a message type looks like, as the installed interface packages say it;
//! - [`writer`], [`reader`]: a file is written, and read;
//! - [`messages`]: those messages that are looked into.

pub mod definition;
pub mod messages;
pub mod reader;
pub mod writer;
