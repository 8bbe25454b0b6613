//! The live table: drawn over itself in a terminal, a line a second elsewhere.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _, stdout};
use std::time::Duration;

use super::observer::Observer;

/// Shows what an observer sees.
pub(crate) struct Table<'a> {
    observer: &'a Observer,
}

const REDRAW_PERIOD: Duration = Duration::from_millis(100);
const LINE_PERIOD: Duration = Duration::from_secs(1);

impl<'a> Table<'a> {
    /// A table of what `observer` sees.
    pub(crate) fn new(observer: &'a Observer) -> Self {
        Self { observer }
    }

    /// Shows it until dropped.
    pub(crate) async fn show(&self) {
        let is_terminal = stdout().is_terminal();
        let mut drawn_lines = 0;
        loop {
            let text = if is_terminal { self.table() } else { self.line() };
            let back = if is_terminal && 0 < drawn_lines {
                format!("\x1b[{drawn_lines}A\x1b[J")
            } else {
                String::new()
            };
            // A terminal that is gone shows nothing, and the motion goes on.
            let _shown = write!(stdout(), "{back}{text}").and_then(|()| stdout().flush());
            drawn_lines = text.lines().count();
            tokio::time::sleep(if is_terminal { REDRAW_PERIOD } else { LINE_PERIOD }).await;
        }
    }

    fn table(&self) -> String {
        let mut text =
            format!("{:<16}{:>10}{:>10}{:>10}{:>8}\n", "joint", "goal rad", "is rad", "error", "°C");
        let or_none =
            |value: Option<f64>, digits| value.map_or("-".to_owned(), |value| format!("{value:.digits$}"));
        for joint in self.observer.joints() {
            let view = self.observer.view(joint);
            let celsius = self.observer.number(joint, "temperature_degc");
            // Writing to a string does not fail.
            let _infallible = writeln!(
                text,
                "{joint:<16}{:>10}{:>10.3}{:>10}{celsius:>8.0}",
                or_none(view.reference, 3),
                view.position,
                or_none(view.error, 4)
            );
        }
        text + &self.line()
    }

    fn line(&self) -> String {
        let observer = self.observer;
        format!(
            "{}: {:.1} Hz, worst lateness {:.0} µs, bus {:.0} %, {} answers missed, {} overruns\n",
            observer.value("arm", "state").unwrap_or_default(),
            observer.number("arm", "rate_hz"),
            observer.number("arm", "lateness_us.max"),
            100.0 * observer.number("bus", "bus_utilisation"),
            observer.number("bus", "answers_missed"),
            observer.number("arm", "overruns"),
        )
    }
}
