//! `tracing` events become ROS log messages: on the console in the usual form, and on `/rosout`.
//!
//! Levels are those of `--ros-args --log-level`. The logger is that of the node that an event is about, because
//! `/rosout` has no other; it is named after the process until there is a node.

use std::fmt::Write as _;
use std::sync::{PoisonError, RwLock};

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

/// Events are sent under a node's name from now on: those of the controller's modules under `arm_controller`'s.
pub fn add_node(built_as: &str, node: &r2r::Node) {
    let logger = Logger { is_controller: built_as == CONTROLLER, name: node.logger().to_owned() };
    LOGGERS.write().unwrap_or_else(PoisonError::into_inner).push(logger);
}

struct RosLayer {
    logger: &'static str,
}

/// A node's name among the loggers; `left.hardware_node` for `/left/hardware_node`.
struct Logger {
    is_controller: bool,
    name: String,
}

static LOGGERS: RwLock<Vec<Logger>> = RwLock::new(Vec::new());

const CONTROLLER: &str = "arm_controller";
const CONTROLLER_MODULES: [&str; 3] =
    ["servo_arm::nodes::controller", "servo_arm::nodes::controller_node", "servo_arm::nodes::action_server"];

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
        let loggers = LOGGERS.read().unwrap_or_else(PoisonError::into_inner);
        let is_of_controller = CONTROLLER_MODULES.contains(&metadata.target());
        let of_node = loggers.iter().find(|logger| logger.is_controller == is_of_controller);
        let logger = of_node.or(loggers.first()).map_or(self.logger, |logger| logger.name.as_str());
        r2r::log(&message, logger, metadata.file().unwrap_or(""), metadata.line().unwrap_or(0), severity);
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
