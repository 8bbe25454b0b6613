//! docs/safety.md promises tests for each transition: there must be those tests, and a row for each state and cause.

use std::collections::BTreeSet;
use std::path::Path;

use servo_arm::config::watch::Watched;
use servo_arm::control::safety::State;

/// The cells of the table of transitions.
fn rows() -> Vec<Vec<String>> {
    let text = read("docs/safety.md");
    let (_, after) = text.split_once("## Transitions").unwrap();
    let (section, _) = after.split_once("\n## ").unwrap();
    let lines = section.lines().filter(|line| line.starts_with('|')).skip(2);
    lines.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// What stands between backticks.
fn names(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The names of the functions below a folder.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let test = |line: &str| Some(line.trim().strip_prefix("fn ")?.split_once('(')?.0.to_owned());
            found.extend(text.lines().filter_map(test));
        }
    }
}

#[test]
fn every_row_names_a_test_of_the_states_and_one_on_the_wire() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut pure, mut wire) = (BTreeSet::new(), BTreeSet::new());
    functions(&root.join("src/control"), &mut pure);
    functions(&root.join("tests/it"), &mut wire);
    // Gazebo has no wire; whoever stands in for it is beside its driver.
    functions(&root.join("src/servo"), &mut wire);
    let rows = rows();
    assert!(25 < rows.len());
    for row in rows {
        assert_eq!(row.len(), 5, "{row:?}");
        for (cell, known) in [(&row[3], &pure), (&row[4], &wire)] {
            let named = names(cell);
            assert!(!named.is_empty(), "{} -- {} names no test", row[0], row[1]);
            for name in named {
                assert!(known.contains(&name), "{} -- {}: there is no test `{name}`", row[0], row[1]);
            }
        }
    }
}

#[test]
fn every_state_is_left_and_entered_and_every_cause_is_an_event() {
    let rows = rows();
    let column =
        |index: usize| -> BTreeSet<String> { rows.iter().flat_map(|row| names(&row[index])).collect() };
    let (from, to) = (column(0), column(2));
    for state in State::ALL.map(|state| state.to_string()) {
        assert!(from.contains(&state), "no row begins in {state}");
        assert!(to.contains(&state), "no row ends in {state}");
    }
    let source = read("src/control/safety.rs");
    let (_, after) = source.split_once("pub enum Cause {").unwrap();
    let (variants, _) = after.split_once("\n}").unwrap();
    let events = column(1);
    let mut causes = 0;
    for line in variants.lines().map(str::trim).filter(|line| !line.starts_with("///") && !line.is_empty()) {
        let name = line.trim_end_matches(',').split('(').next().unwrap();
        assert!(events.contains(name), "no row has the event {name}");
        causes += 1;
    }
    assert!(20 < causes, "{causes}");
}

#[test]
fn every_cause_that_is_watched_is_in_the_table_of_defaults() {
    let text = read("docs/safety.md");
    for watched in Watched::ALL {
        assert!(text.contains(&format!("\n| `{}` |", watched.name())), "{} is missing", watched.name());
    }
}
