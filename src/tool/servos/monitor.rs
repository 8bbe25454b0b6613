//! `servo_tool monitor`: what servos say, over and over.

use std::io::{IsTerminal as _, Write as _, stdout};
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::map::{Map, Register, Role};
use super::ping::stop_flag;
use super::session::{BusOptions, Servo, Session};
use crate::servo::clock;
use crate::servo::probe::AskError;
use crate::tool::table::Table;

/// Shows position, speed, load, supply, temperature and complaints of servos, until Ctrl-C.
///
/// In a terminal the table is drawn again and again; elsewhere there is one line a second. Nothing is written to any
/// servo.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: servo_tool monitor --config config/so101.yaml --port /dev/ttyACM0")]
pub struct Options {
    #[command(flatten)]
    bus: BusOptions,
    /// The servos' ids, for instance 1-6 or 1,2,9; otherwise those of the configuration.
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    ids: Vec<String>,
    /// End after so many looks.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Looks a second in a terminal.
    #[arg(long, value_name = "HZ", default_value_t = 10.0, value_parser = rate)]
    rate: f64,
    /// One line of JSON a second, for a program.
    #[arg(long)]
    json: bool,
}

/// What is shown of a servo, and under which name.
const COLUMNS: [(&str, Role); 7] = [
    ("position", Role::Position),
    ("speed", Role::Speed),
    ("load", Role::Load),
    ("current", Role::Current),
    ("voltage", Role::Voltage),
    ("temperature", Role::Temperature),
    ("torque", Role::Torque),
];

/// Elsewhere than in a terminal.
const LINE_PERIOD: Duration = Duration::from_secs(1);

/// One look at one servo: each column's value, or why there is none.
struct Look {
    name: String,
    values: Result<Vec<Option<i64>>, AskError>,
    status: Option<i64>,
}

/// Looks and prints until it is stopped.
///
/// # Errors
/// Where the port cannot be opened, a servo does not answer at the beginning, or the port is lost.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let mut session = options.bus.open()?;
    let ids = session.ids_of(&options.ids)?;
    let servos: Vec<Servo> = ids.iter().map(|id| session.servo(*id)).collect::<Result<_, _>>()?;
    let stop = stop_flag()?;
    let is_live = stdout().is_terminal() && !options.json;
    let period = if is_live { Duration::from_secs_f64(1.0 / options.rate) } else { LINE_PERIOD };
    let mut due = clock::now();
    let mut looks = 0;
    while !stop.load(Ordering::Relaxed) && options.count.is_none_or(|count| looks < count) {
        clock::sleep_until(due);
        due = (due + period).max(clock::now());
        let seen: Vec<Look> =
            servos.iter().map(|servo| look(&mut session, servo)).collect::<Result<_, _>>()?;
        let text = match (options.json, is_live) {
            (true, _) => format!("{}\n", json_of(&servos, &seen)),
            // From the top, over what stood there; what is left below is wiped.
            (false, true) => {
                let begin = if looks == 0 { "\x1b[2J" } else { "" };
                let table = table(&servos, &seen).to_string().replace('\n', "\x1b[K\n");
                format!("{begin}\x1b[H{table}\x1b[J\nCtrl-C ends\x1b[K\n")
            }
            (false, false) => format!("{}\n", line(&servos, &seen)),
        };
        let mut out = stdout().lock();
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            // Nobody reads on.
            return Ok(());
        }
        looks += 1;
    }
    Ok(())
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_unreadable| format!("`{text}` is no number"))?;
    if (0.1..=200.0).contains(&rate) { Ok(rate) } else { Err("it must be from 0.1 to 200".to_owned()) }
}

fn look(session: &mut Session, servo: &Servo) -> Result<Look, AskError> {
    let member = session.members.iter().find(|member| member.config.id == servo.id);
    let name = member.map_or_else(String::new, |member| member.name.clone());
    let roles = COLUMNS.iter().map(|(_, role)| *role).chain([Role::Status]);
    match values(session, servo, roles) {
        Ok(mut values) => {
            let status = values.pop().flatten();
            Ok(Look { name, values: Ok(values), status })
        }
        Err(AskError::Lost(lost)) => Err(lost.into()),
        Err(error) => Ok(Look { name, values: Err(error), status: None }),
    }
}

/// The values of registers, all with one question; `None` for those that the servo does not have.
fn values(
    session: &mut Session,
    servo: &Servo,
    roles: impl Iterator<Item = Role>,
) -> Result<Vec<Option<i64>>, AskError> {
    let registers: Vec<Option<&Register>> = roles.map(|role| servo.map.role(role)).collect();
    let known = || registers.iter().flatten();
    let first = known().map(|register| register.address).min().unwrap_or(0);
    let end = known().map(|register| register.address + u16::from(register.size)).max().unwrap_or(first);
    let bytes = session.line.read(servo.id, first, end - first)?;
    let value = |register: &&Register| {
        let from = usize::from(register.address - first);
        bytes.get(from..from + usize::from(register.size)).map(|bytes| register.decode(bytes))
    };
    Ok(registers.iter().map(|register| register.as_ref().and_then(value)).collect())
}

fn degrees(map: &Map, ticks: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "registers have at most 32 bits")]
    let ticks = ticks as f64;
    (ticks - f64::from(map.turn) / 2.0) * 360.0 / map.ticks_per_turn
}

fn shown(servo: &Servo, role: Role, value: i64) -> String {
    let unit = |register: &Register| match register.with_unit(value) {
        text if text.is_empty() => value.to_string(),
        text => text,
    };
    match (role, servo.map.role(role)) {
        (Role::Torque, _) => (if value == 0 { "off" } else { "ON" }).to_owned(),
        (Role::Position, _) => format!("{value} ({:.1}°)", degrees(&servo.map, value)),
        (_, Some(register)) => unit(register),
        (_, None) => value.to_string(),
    }
}

fn table(servos: &[Servo], looks: &[Look]) -> Table {
    let mut headings = vec![">id", "joint"];
    let titles: Vec<String> = COLUMNS.iter().map(|(title, _)| format!(">{title}")).collect();
    headings.extend(titles.iter().map(String::as_str));
    headings.push("complains of");
    let mut table = Table::new(&headings);
    for (servo, look) in servos.iter().zip(looks) {
        let mut cells = vec![servo.id.to_string(), look.name.clone()];
        match &look.values {
            Ok(values) => {
                let cell = |((_, role), value): (&(&str, Role), &Option<i64>)| {
                    value.map_or_else(|| "-".to_owned(), |value| shown(servo, *role, value))
                };
                cells.extend(COLUMNS.iter().zip(values).map(cell));
                cells.push(complaints(look.status));
            }
            Err(error) => {
                cells.extend(COLUMNS.iter().map(|_| "?".to_owned()));
                cells.push(error.to_string());
            }
        }
        table.line(cells);
    }
    table
}

fn line(servos: &[Servo], looks: &[Look]) -> String {
    let one = |(servo, look): (&Servo, &Look)| match &look.values {
        Ok(values) => {
            let cell = |((title, role), value): (&(&str, Role), &Option<i64>)| {
                value.map(|value| format!("{title} {}", shown(servo, *role, value)))
            };
            let cells: Vec<String> = COLUMNS.iter().zip(values).filter_map(cell).collect();
            let status = complaints(look.status);
            let status = if status.is_empty() { status } else { format!(", complains of {status}") };
            format!("{}: {}{status}", servo.id, cells.join(", "))
        }
        Err(error) => format!("{}: {error}", servo.id),
    };
    servos.iter().zip(looks).map(one).collect::<Vec<_>>().join("; ")
}

fn json_of(servos: &[Servo], looks: &[Look]) -> Json {
    let one = |(servo, look): (&Servo, &Look)| match &look.values {
        Ok(values) => {
            let mut answer = json!({ "id": servo.id, "status": look.status });
            for ((title, role), value) in COLUMNS.iter().zip(values) {
                #[expect(clippy::cast_precision_loss, reason = "registers have at most 32 bits")]
                let scaled =
                    servo.map.role(*role).zip(*value).map(|(register, value)| value as f64 * register.scale);
                answer[*title] = json!(scaled);
            }
            answer
        }
        Err(error) => json!({ "id": servo.id, "error": error.to_string() }),
    };
    json!(servos.iter().zip(looks).map(one).collect::<Vec<_>>())
}

/// The bits that are raised.
fn complaints(status: Option<i64>) -> String {
    match status {
        None | Some(0) => String::new(),
        Some(bits) => format!("bits {bits:#04x}"),
    }
}
