//! What the documentation says of the tests is true.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("ffi/ is in the repository")
        .into()
}

/// The rows of the table of defects: number, and the tests that are named in it.
fn defects(text: &str) -> Vec<(usize, Vec<String>)> {
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix('|')?.split('|').collect();
        let number = cells.first()?.trim().parse().ok()?;
        let code = line.split('`').skip(1).step_by(2);
        let tests = code.filter(|code| code.contains("::"));
        Some((number, tests.map(String::from).collect()))
    });
    rows.collect()
}

/// Whether there is a test of this name: not just a function.
fn has_test(source: &str, function: &str) -> bool {
    let start = format!("fn {function}()");
    let mut lines: Vec<&str> = Vec::new();
    for line in source.lines() {
        if line.starts_with(&start) {
            return lines.last().is_some_and(|line| *line == "#[test]");
        }
        lines.push(line);
    }
    false
}

/// Whether there is a test `FILE.rs::FUNCTION`.
fn exists(test: &str) -> bool {
    let folders = [
        "ffi/tests",
        "ffi/control/tests",
        "core/tests",
        "loom-tests/tests",
    ];
    let (file, function) = test.split_once("::").expect("file::function");
    folders.iter().any(|folder| {
        let path = repository().join(folder).join(file);
        path.exists() && has_test(&read(&path), function)
    })
}

/// What was tried against the library, the documentation says, is tried.
#[test]
fn every_attempt_is_a_test() {
    let text = read(&repository().join("docs/safety.md"));
    let code = text.split('`').skip(1).step_by(2);
    let tests: Vec<&str> = code.filter(|code| code.contains(".rs::")).collect();
    assert!(tests.len() > 20, "{tests:?}");
    for test in tests {
        assert!(exists(test), "there is no test {test}");
    }
}

#[test]
fn every_defect_has_a_test() {
    let repository = repository();
    let rows = defects(&read(&repository.join("docs/defects.md")));
    let mut numbers: Vec<usize> = rows.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=37).collect::<Vec<_>>());
    let mut seen = BTreeSet::new();
    for (number, tests) in rows {
        assert!(!tests.is_empty(), "defect {number} has no test");
        for test in tests {
            assert!(exists(&test), "defect {number}: there is no test {test}");
            seen.insert(test);
        }
    }
    assert!(seen.len() >= 37, "{}", seen.len());
}

/// The check above can fail.
#[test]
fn tests_that_are_none_are_found_out() {
    let source = "#[test]\nfn one() {\n}\n\nfn two() {}\n";
    assert!(has_test(source, "one"));
    assert!(!has_test(source, "two"));
    assert!(!has_test(source, "three"));
    let table = "| # | what |\n| --- | --- |\n| 1 | x `a.rs::b`, `c` |\n| 2 | y |\n";
    assert_eq!(defects(table), [(1, vec!["a.rs::b".into()]), (2, vec![])]);
}
