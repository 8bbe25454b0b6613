//! The tables of parameters name what the nodes know, and nothing else; `*` marks those that change while a node runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use servo_arm::config::declaration::Declared;
use servo_arm::config::from_value::FromValue as _;
use servo_arm::config::gripper::GripperKind;
use servo_arm::config::parameters::{self, Value};
use servo_arm::config::{Config, Part};

const NODES: [&str; 5] =
    ["hardware_node", "controller_manager", "arm_controller", "gripper_controller", "ik_node"];

/// A parameter as a row of a table has it: how its name may be written in full, and its type where that is one word.
struct Row {
    cell: String,
    names: Vec<Vec<String>>,
    kind: String,
    changeable: bool,
}

fn documents() -> String {
    let read = |name: &str| std::fs::read_to_string(name).unwrap_or_default();
    format!("{}\n{}", read("README.md"), read("docs/interfaces.md"))
}

/// The rows of the table below the heading of `node`; `All nodes` is a heading, too.
fn rows(documents: &str, node: &str) -> Vec<Row> {
    let heading =
        |line: &str| line.starts_with(&format!("**`{node}`**")) || line.starts_with(&format!("**{node}**"));
    let lines = documents.lines().skip_while(|line| !heading(line)).skip(1);
    let table = lines.skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    table.skip(2).map(row).collect()
}

fn row(line: &str) -> Row {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let quoted: Vec<&str> = cells[0].split('`').skip(1).step_by(2).collect();
    let first = quoted[0];
    let folder = first.rfind('.').map_or("", |dot| &first[..=dot]);
    // What has no dot, or begins with one, is a sibling of the first; mostly.
    let names = quoted.iter().map(|name| match name.strip_prefix('.') {
        Some(end) => vec![format!("{folder}{end}")],
        None if name.contains('.') => vec![(*name).to_owned()],
        None => vec![(*name).to_owned(), format!("{folder}{name}")],
    });
    Row {
        cell: cells[0].to_owned(),
        names: names.collect(),
        kind: cells[1].to_owned(),
        changeable: cells[0].contains(" *"),
    }
}

/// Whether a name as documents write it, with `<joint>`, `…` and a `*` at its end, can mean a parameter.
fn means(written: &str, name: &str) -> bool {
    match written.find(['<', '…', '*']) {
        None => written == name,
        Some(at) => {
            let Some(rest) = name.strip_prefix(&written[..at]) else { return false };
            let is_open = !written[at..].starts_with('<');
            let after = match is_open {
                true => written[at..].trim_start_matches(['…', '*']),
                false => written[at..].split_once('>').map_or("", |(_, after)| after),
            };
            // The last of several names is any; one in the middle has no dot.
            let ends = (1..=rest.len()).filter(|end| rest.is_char_boundary(*end));
            let mut ends = ends.filter(|end| is_open || after.is_empty() || !rest[..*end].contains('.'));
            (is_open && means(after, rest)) || ends.any(|end| means(after, &rest[end..]))
        }
    }
}

/// What the node of this name knows, with every shipped configuration.
fn read_known(node: &str) -> BTreeMap<String, Declared> {
    let parts: &[Part] = match node {
        "hardware_node" => &[Part::Hardware],
        "controller_manager" => &[Part::Manager],
        "arm_controller" => &[Part::Controller],
        "gripper_controller" => &[Part::Gripper(GripperKind::Command), Part::Gripper(GripperKind::Parallel)],
        _ => &[Part::Ik],
    };
    let mut known = BTreeMap::new();
    for file in std::fs::read_dir("config").unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(mut given) = parameters::read(&file, &format!("/{node}")) else { continue };
        let shared = parameters::read(&file, "").unwrap();
        let Some(joints) = shared.get("joints").and_then(Vec::<String>::from_value) else { continue };
        if file.ends_with("so101.yaml") {
            // Known by their names only where they are given.
            given.insert("servos.gripper.own.max_torque".to_owned(), Value::Double(0.5));
            given.insert("collision.obstacles.ball.sphere".to_owned(), Value::Double(0.1));
        }
        for part in parts {
            known.extend(Config::of_arm(&given, &joints, &[*part]).unwrap().declared);
        }
    }
    known
}

/// Reading takes a while without optimisation, so that it is done once.
static KNOWN: LazyLock<BTreeMap<&str, BTreeMap<String, Declared>>> =
    LazyLock::new(|| NODES.map(|node| (node, read_known(node))).into());

#[test]
fn every_parameter_stands_in_a_table_of_its_node() {
    let documents = documents();
    // Those without meaning are listed in a sentence.
    let (_, parameters) =
        documents.split_once("### Parameters").or(documents.split_once("## Parameters")).unwrap();
    let prose = parameters.lines().filter(|line| !line.starts_with('|'));
    let listed: Vec<&str> = prose.flat_map(|line| line.split('`').skip(1).step_by(2)).collect();
    let mut missing = Vec::new();
    for node in NODES {
        let rows: Vec<Row> =
            ["All nodes", node].iter().flat_map(|heading| rows(&documents, heading)).collect();
        for (name, declared) in &KNOWN[node] {
            let row = rows.iter().find(|row| row.names.iter().flatten().any(|written| means(written, name)));
            match row {
                None if listed.iter().any(|written| means(written, name)) => {}
                None => {
                    missing.push(format!("{node}: `{name}` stands in no table: {}", declared.description))
                }
                Some(row) if row.changeable != declared.changeable => {
                    missing.push(format!(
                        "{node}: a `*` says that a parameter may be set at run time: {}",
                        row.cell
                    ));
                }
                Some(row) => missing.extend(wrong_kind(node, name, declared, &row.kind)),
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Every parameter has a description, and the type that its row says.
fn wrong_kind(node: &str, name: &str, declared: &Declared, kind: &str) -> Option<String> {
    if declared.description.is_empty() {
        return Some(format!("{node}: `{name}` has no description"));
    }
    let written = match declared.value.as_ref()?.type_name() {
        "string_array" => "string list",
        "double_array" => "double list",
        "integer_array" => "integer list",
        "bool_array" => "bool list",
        one => one,
    };
    let is_one =
        ["bool", "integer", "double", "string", "string list", "double list", "integer list"].contains(&kind);
    (is_one && kind != written).then(|| format!("{node}: `{name}` is a {written}, its row says {kind}"))
}

#[test]
fn every_row_of_a_table_is_a_parameter_of_its_node() {
    let documents = documents();
    let mut strangers = Vec::new();
    for node in NODES.into_iter().chain(["All nodes"]) {
        let known: BTreeSet<&String> = match KNOWN.get(node) {
            Some(known) => known.keys().collect(),
            None => KNOWN.values().flat_map(BTreeMap::keys).collect(),
        };
        let rows = rows(&documents, node);
        assert!(!rows.is_empty(), "there is no table below the heading of {node}");
        for row in rows {
            let is_known = |written: &String| {
                // Of every ROS node, and never asked for by ours.
                written == "use_sim_time" || known.iter().any(|name| means(written, name))
            };
            let unknown = row.names.iter().filter(|alternatives| !alternatives.iter().any(is_known));
            strangers
                .extend(unknown.map(|names| format!("{node} has no parameter {}: {}", names[0], row.cell)));
        }
    }
    assert!(strangers.is_empty(), "{}", strangers.join("\n"));
}

#[test]
fn names_are_compared_as_people_write_them() {
    for (written, name) in [
        ("a.<joint>.b", "a.elbow.b"),
        ("a.<name>", "a.b.c"),
        ("a.<joint>.warn…", "a.elbow.warn_s"),
        ("a.…_acc", "a.max_acc"),
        ("gains.<joint>.*", "gains.elbow.p"),
    ] {
        assert!(means(written, name), "{written} {name}");
    }
    for (written, name) in
        [("a.<joint>.b", "a.b.c.b"), ("a.<joint>.b", "a..b"), ("a", "a.b"), ("a.…_acc", "a.max_vel")]
    {
        assert!(!means(written, name), "{written} {name}");
    }
}
