//! docs/complaints.md names tests for each of the twelve complaints: there must be those tests.

use std::path::Path;

#[test]
fn each_of_the_twelve_complaints_names_tests_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/complaints.md")).unwrap();
    let mut sources = String::new();
    gather(&root.join("src"), &mut sources);
    gather(&root.join("tests/it"), &mut sources);
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).skip(2).collect();
    assert_eq!(rows.len(), 12);
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 3, "{row}");
        let named: Vec<&str> = cells[2].split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "`{}` names no test", cells[0]);
        for name in named {
            let before = sources.split_once(&format!("fn {name}()")).map(|(before, _)| before.trim_end());
            let is_test = before.is_some_and(|before| before.ends_with("#[test]"));
            assert!(is_test, "`{}`: there is no test `{name}`", cells[0]);
        }
    }
}

fn gather(folder: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}
