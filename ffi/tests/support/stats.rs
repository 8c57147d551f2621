//! The counters of a program, as the worker prints them.

use std::collections::BTreeMap;
use std::path::Path;

#[derive(Debug, Clone, Default)]
pub struct Stats(BTreeMap<String, u64>);

impl Stats {
    /// "stats: name=value name=value ..."
    #[track_caller]
    pub fn parse(line: &str) -> Self {
        let pairs = line.strip_prefix("stats: ").and_then(|rest| {
            rest.split_whitespace()
                .map(|pair| {
                    let (name, value) = pair.split_once('=')?;
                    Some((name.to_owned(), value.parse().ok()?))
                })
                .collect::<Option<BTreeMap<_, _>>>()
        });
        Self(pairs.unwrap_or_else(|| panic!("no counters: {line:?}")))
    }

    /// What a worker wrote at its exit.
    #[track_caller]
    pub fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).expect("counters written at exit");
        Self::parse(text.trim_end())
    }

    #[track_caller]
    pub fn get(&self, name: &str) -> u64 {
        *self
            .0
            .get(name)
            .unwrap_or_else(|| panic!("no counter {name}"))
    }
}
