//! What the tests of the verbs that write logs share.

use crate::common::{Dir, eventlog, eventlog_with};
use ghc_eventlog::{Item, Reader};
use std::collections::BTreeMap;

/// Times, capabilities and bodies of all events, as text.
pub fn events(log: &[u8]) -> Vec<(u64, Option<u16>, String)> {
    let mut reader = Reader::new(log);
    let mut events = Vec::new();
    while let Some(item) = reader.next_item().expect("a readable log") {
        if let Item::Event(event) = item {
            events.push((event.time, event.cap, event.to_string()));
        }
    }
    assert!(reader.ending().is_complete(), "{:?}", reader.ending());
    events
}

pub fn count<'a>(
    events: impl IntoIterator<Item = &'a (u64, Option<u16>, String)>,
) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for (_, _, text) in events {
        let name = text.split(' ').next().unwrap_or_default();
        *counts.entry(name).or_default() += 1;
    }
    counts
}

#[track_caller]
pub fn assert_valid(log: &[u8]) {
    let done = eventlog_with(&["validate", "-"], log);
    assert_eq!(done.code, 0, "{}", done.stdout);
}

/// The result of a verb on a log.
#[track_caller]
pub fn rewritten(verb: &[&str], log: &[u8]) -> Vec<u8> {
    let dir = Dir::new();
    let (input, output) = (dir.with("in.eventlog", log), dir.file("out.eventlog"));
    let args: Vec<&str> = [verb, &[&input, "-o", &output]].concat();
    eventlog(&args).exits(0);
    assert_eq!(dir.names(), ["in.eventlog", "out.eventlog"]);
    std::fs::read(&output).expect("a result")
}
