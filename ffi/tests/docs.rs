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

/// The rows of the table of models: its name, and the switches that break it.
fn models(text: &str) -> Vec<(String, Vec<String>)> {
    let lines = text.lines();
    let table = lines.skip_while(|line| !line.starts_with("| model |"));
    let rows = table.take_while(|line| line.starts_with('|')).skip(2);
    let quoted = |cell: &str| -> Vec<String> {
        let code = cell.split('`').skip(1).step_by(2);
        code.map(String::from).collect()
    };
    let rows = rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let names = quoted(cells[0]);
        let [name] = names.as_slice() else {
            panic!("not one model: {row}");
        };
        (name.clone(), quoted(cells[cells.len() - 1]))
    });
    rows.collect()
}

/// The names of all tests in a source.
fn tests_in(source: &str) -> Vec<&str> {
    let functions = source.lines().filter_map(|line| {
        let name = line.strip_prefix("fn ")?.split_once("()")?.0;
        has_test(source, name).then_some(name)
    });
    functions.collect()
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
        "formats/control/tests",
        "formats/hp/tests",
        "tools/cli/tests",
        "tools/export/tests",
        "tools/monitor/tests",
        "tools/relay/tests",
        "tools/series/tests",
        "tools/sessions/tests",
        "tools/source/tests",
        "tools/state/tests",
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

/// The table of models has each that there is, once, and no other; and those who break
/// the ring for each are those of `loom-tests/run.sh`.
#[test]
fn every_model_is_a_test() {
    let rows = models(&read(&repository().join("docs/safety.md")));
    let folder = repository().join("loom-tests/tests");
    let files = std::fs::read_dir(&folder).expect("loom-tests/tests");
    let sources: Vec<String> = files
        .map(|file| read(&file.expect("a file").path()))
        .collect();
    let mut there: Vec<&str> = sources.iter().flat_map(|source| tests_in(source)).collect();
    let mut named: Vec<&str> = rows.iter().map(|(name, _)| name.as_str()).collect();
    there.sort_unstable();
    named.sort_unstable();
    assert!(there.len() > 20, "{there:?}");
    assert_eq!(named, there, "models in docs/safety.md, and in loom-tests");

    let script = read(&repository().join("loom-tests/run.sh"));
    let controls: BTreeSet<(&str, &str)> = script
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (switch, model) = (words.next()?, words.next()?);
            there.contains(&model).then_some((model, switch))
        })
        .collect();
    let broken: BTreeSet<(&str, &str)> = rows
        .iter()
        .flat_map(|(name, switches)| switches.iter().map(|switch| (name.as_str(), &**switch)))
        .collect();
    assert_eq!(broken, controls, "in docs/safety.md, and in run.sh");
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

/// All documents of the repository, by their paths in it.
fn documents(dir: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|error| panic!("{dir:?}: {error}"));
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let made = name.starts_with('.')
            || ["target", "node_modules", "dist-newstyle"].contains(&name.as_ref());
        if path.is_dir() && !made {
            documents(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The lines of a document that are not in a block of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.starts_with("```");
        fenced ^= fence;
        !fenced && !fence && !line.starts_with("    ")
    })
}

/// What the links of a document lead to: neither other hosts, nor names of items, which
/// rustdoc checks.
fn links(text: &str) -> Vec<&str> {
    let targets = prose(text).flat_map(|line| line.split("](").skip(1));
    let targets = targets.filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    let elsewhere = ["://", "::", "mailto:", "("];
    targets
        .filter(|target| !elsewhere.iter().any(|sign| target.contains(sign)))
        .collect()
}

/// The anchors that the headings of a document have, as the pages of forges make them.
fn anchors(text: &str) -> Vec<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let anchors = headings.map(|line| {
        let kept = line.trim_start_matches('#').trim().chars();
        let kept = kept.filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    });
    anchors.collect()
}

/// The links of a document that lead nowhere.
fn broken(document: &Path, text: &str) -> Vec<String> {
    let folder = document.parent().expect("a folder");
    let leads_nowhere = |link: &&str| {
        let (path, anchor) = match link.split_once('#') {
            Some((path, anchor)) => (path, Some(anchor.to_string())),
            None => (*link, None),
        };
        let has = |text: &str| {
            anchor
                .as_ref()
                .is_none_or(|anchor| anchors(text).contains(anchor))
        };
        let target = folder.join(path);
        match (path.is_empty(), target.is_file()) {
            (true, _) => !has(text),
            // Pictures are files, too, without anchors.
            (false, true) => anchor.is_some() && !has(&read(&target)),
            (false, false) => !target.exists(),
        }
    };
    links(text)
        .into_iter()
        .filter(leads_nowhere)
        .map(String::from)
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut found = Vec::new();
    documents(&repository(), &mut found);
    assert!(found.len() > 20, "{found:?}");
    let mut count = 0;
    for document in found {
        let text = read(&document);
        count += links(&text).len();
        let broken = broken(&document, &text);
        assert!(
            broken.is_empty(),
            "{document:?} has links that lead nowhere: {broken:?}"
        );
    }
    assert!(count > 100, "{count}");
}

#[test]
fn links_that_lead_nowhere_are_found_out() {
    let document = repository().join("README.md");
    let text = "# One `two`, three\n[a](ffi) [b](no-such) [c](#one-two-three) [d](#four)\n\
                [e](https://example.org) [f](a::B) ![g](no.png)\n```\n[h](no)\n```\n    [i](no)\n\
                [j](ffi/tests/docs.rs#none)\n";
    assert_eq!(
        links(text),
        [
            "ffi",
            "no-such",
            "#one-two-three",
            "#four",
            "no.png",
            "ffi/tests/docs.rs#none"
        ]
    );
    assert_eq!(
        broken(&document, text),
        ["no-such", "#four", "no.png", "ffi/tests/docs.rs#none"]
    );
}

/// The check above can fail.
#[test]
fn tests_that_are_none_are_found_out() {
    let source = "#[test]\nfn one() {\n}\n\nfn two() {}\n";
    assert!(has_test(source, "one"));
    assert!(!has_test(source, "two"));
    assert!(!has_test(source, "three"));
    assert_eq!(tests_in(source), ["one"]);
    let text = "| `x` | y |\n\n| model | what | broken |\n| --- | --- | --- |\n\
                | `a` | b `c` | `d`, `e` |\n\n| `f` | g | h |\n";
    assert_eq!(models(text), [("a".into(), vec!["d".into(), "e".into()])]);
    let table = "| # | what |\n| --- | --- |\n| 1 | x `a.rs::b`, `c` |\n| 2 | y |\n";
    assert_eq!(defects(table), [(1, vec!["a.rs::b".into()]), (2, vec![])]);
}
