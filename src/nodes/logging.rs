//! `tracing` events become ROS log messages: on the console in the usual form, and on `/rosout`.
//!
//! Levels are those of `--ros-args --log-level`; the logger is named after the process.

use std::fmt::Write as _;

use r2r::LogSeverity;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Sends everything that is logged from now on to ROS, under the name of `logger`.
pub fn init(logger: &'static str) {
    let own = tracing_subscriber::filter::Targets::new().with_target("servo_arm", Level::TRACE);
    let layer = RosLayer { logger }.with_filter(own);
    // A second call finds the first one's subscriber and leaves it.
    let _already_set = tracing_subscriber::registry().with(layer).try_init();
}

struct RosLayer {
    logger: &'static str,
}

impl<S: Subscriber> Layer<S> for RosLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        let severity = match *metadata.level() {
            Level::ERROR => LogSeverity::Error,
            Level::WARN => LogSeverity::Warn,
            Level::INFO => LogSeverity::Info,
            Level::DEBUG | Level::TRACE => LogSeverity::Debug,
        };
        // C strings end at a NUL, and r2r panics on one.
        let message = (text.message + &text.fields).replace('\0', "\u{fffd}");
        r2r::log(
            &message,
            self.logger,
            metadata.file().unwrap_or(""),
            metadata.line().unwrap_or(0),
            severity,
        );
    }
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a string does not fail.
        let _infallible = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }
}
