//! `tracing` events become ROS log messages: on the console in the usual form, and on `/rosout`.
//!
//! Levels are those of `--ros-args --log-level`. The logger is that of the node that an event is about, because
//! `/rosout` has no other; it is named after the process until there is a node.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use r2r::qos::DurabilityPolicy;
use r2r::rcl_interfaces::msg::Log;
use r2r::{LogSeverity, Node, Publisher, QosProfile};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Span, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::messages::stamp_now;

/// Sends everything that is logged from now on to ROS, under the name of `logger`.
pub fn init(logger: &'static str) {
    let own = tracing_subscriber::filter::Targets::new().with_target("servo_arm", Level::TRACE);
    let layer = RosLayer { logger }.with_filter(own);
    // A second call finds the first one's subscriber and leaves it.
    let _already_set = tracing_subscriber::registry().with(layer).try_init();
}

/// Events can be sent under a node's name from now on: those inside of the span that is returned, and those with its
/// name in a field `node`. All others go under the name of the first node.
pub fn add_node(node: &mut Node) -> Span {
    let name = node.logger().to_owned();
    let rosout = if has_rosout(node) { None } else { node.create_publisher(ROSOUT, rosout_qos()).ok() };
    let span = tracing::info_span!("node", node = name);
    LOGGERS.lock().unwrap_or_else(PoisonError::into_inner).push(Logger { name, rosout });
    span
}

/// Whether `rcl` publishes the node's log by itself, as it did until Iron.
fn has_rosout(node: &Node) -> bool {
    let (Ok(name), Ok(publishers)) = (node.name(), node.get_publishers_info_by_topic(ROSOUT, false)) else {
        return false;
    };
    publishers.iter().any(|publisher| publisher.node_name == name)
}

/// As `rcl_qos_profile_rosout_default`.
fn rosout_qos() -> QosProfile {
    QosProfile {
        depth: 1000,
        durability: DurabilityPolicy::TransientLocal,
        lifespan: Duration::from_secs(10),
        ..QosProfile::default()
    }
}

struct RosLayer {
    logger: &'static str,
}

/// A node's name among the loggers; `left.hardware_node` for `/left/hardware_node`.
struct Logger {
    name: String,
    rosout: Option<Publisher<Log>>,
}

static LOGGERS: Mutex<Vec<Logger>> = Mutex::new(Vec::new());

const ROSOUT: &str = "/rosout";

/// What a span says of the node that its events are about.
struct OfNode(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for RosLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut text = Text::default();
        attributes.record(&mut text);
        if let (Some(node), Some(span)) = (text.node, context.span(id)) {
            span.extensions_mut().insert(OfNode(node));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        let (severity, level) = match *metadata.level() {
            Level::ERROR => (LogSeverity::Error, Log::ERROR as u8),
            Level::WARN => (LogSeverity::Warn, Log::WARN as u8),
            Level::INFO => (LogSeverity::Info, Log::INFO as u8),
            Level::DEBUG | Level::TRACE => (LogSeverity::Debug, Log::DEBUG as u8),
        };
        // C strings end at a NUL, and r2r panics on one.
        let message = (text.message + &text.fields).replace('\0', "\u{fffd}");
        let loggers = LOGGERS.lock().unwrap_or_else(PoisonError::into_inner);
        let of_span = || {
            let mut spans = context.event_scope(event)?;
            spans.find_map(|span| span.extensions().get::<OfNode>().map(|of| of.0.clone()))
        };
        let node = text.node.or_else(of_span);
        let of_node = node.and_then(|node| loggers.iter().find(|logger| logger.name == node));
        let logger = of_node.or(loggers.first());
        let name = logger.map_or(self.logger, |logger| logger.name.as_str());
        let (file, line) = (metadata.file().unwrap_or(""), metadata.line().unwrap_or(0));
        r2r::log(&message, name, file, line, severity);
        // Which of the finer ones are wanted, only `rcl` knows.
        if *metadata.level() <= Level::INFO
            && let Some(rosout) = logger.and_then(|logger| logger.rosout.as_ref())
        {
            let log = Log {
                stamp: stamp_now(),
                level,
                name: name.to_owned(),
                msg: message,
                file: file.to_owned(),
                function: String::new(),
                line,
            };
            // There is nowhere left to tell that this failed.
            let _sent = rosout.publish(&log);
        }
    }
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
    /// The logger of the node that the event is about, where the event has the field `node`.
    node: Option<String>,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "node" {
            self.node = Some(value.to_owned());
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a string does not fail.
        let _infallible = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }
}
