//! A reader who comes late, or misses a part, knows in the end what one knows who was
//! there all the time.

mod common;

use common::*;
use eventlog_state::{
    Fact, Follower, Keep, MergeOptions, Position, Severity, Snapshot, State, Window,
    transition_blocks,
};
use ghc_eventlog::{Item, Reader};
use std::collections::BTreeMap;

const PLENTY: MergeOptions = MergeOptions {
    max_bytes: 1 << 30,
    stale_after: None,
    recovery: false,
};

/// A log folded to its end: the state, and what no runtime system writes, by kind.
struct Folded {
    state: State,
    errors: BTreeMap<&'static str, usize>,
}

fn fold(bytes: &[u8]) -> Folded {
    let mut errors = BTreeMap::new();
    let mut see = |fact: Fact<'_>| {
        if let Fact::Odd(oddity) = fact
            && oddity.odd.severity() == Severity::Error
        {
            *errors.entry(oddity.odd.name()).or_default() += 1;
        }
    };
    let mut follower = Follower::new(PLENTY, Keep::all());
    for piece in bytes.chunks(1 << 20) {
        follower.push_bytes(piece, &mut see).unwrap();
    }
    follower.finish(&mut see).unwrap();
    let state = follower.state().unwrap().clone();
    Folded { state, errors }
}

/// The header, and where each block of a log ends.
fn boundaries(bytes: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let mut reader = Reader::new(bytes);
    let mut ends = Vec::new();
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Block(block) = item {
            ends.push(block.offset as usize);
        }
    }
    let header = reader.header().unwrap().as_bytes().to_vec();
    ends.push(bytes.len());
    ends.dedup();
    ends.retain(|&end| end >= header.len());
    (header, ends)
}

/// Every boundary in the long form, and about 60 of them in the short one.
fn spread(count: usize) -> Vec<usize> {
    let most = match std::env::var_os("EVENTLOG_LONG") {
        Some(_) => usize::MAX,
        None => 60,
    };
    if count <= most {
        return (0..count).collect();
    }
    (0..most).map(|n| n * (count - 1) / (most - 1)).collect()
}

/// What a reader has who gets everything up to some boundary.
struct Behind {
    at: usize,
    position: Position,
    state: Snapshot,
}

struct Check<'a> {
    name: &'a str,
    bytes: &'a [u8],
    header: Vec<u8>,
    whole: Folded,
    options: MergeOptions,
}

impl<'a> Check<'a> {
    fn new(name: &'a str, bytes: &'a [u8]) -> (Self, Vec<usize>) {
        let (header, ends) = boundaries(bytes);
        let check = Self {
            name,
            bytes,
            header,
            whole: fold(bytes),
            options: PLENTY,
        };
        (check, ends)
    }

    /// `begin` is what the reader has before: its log is folded and compared.
    fn reader(
        &self,
        begin: &[u8],
        (from, to): (Option<&Snapshot>, (&Snapshot, &Window)),
        (at, end): (u64, usize),
    ) -> Result<Vec<u8>, String> {
        let mut log = begin.to_vec();
        let mut write = |bytes: &[u8]| log.extend_from_slice(bytes);
        transition_blocks(from, to.0, at, None, &mut write);
        let before = log.len();
        let mut write = |bytes: &[u8]| log.extend_from_slice(bytes);
        to.1.write(&mut write);
        assert_eq!(log.len() - before, to.1.len());
        log.extend_from_slice(&self.bytes[end..]);
        let late = fold(&log);
        if let Some(what) = late.state.difference(&self.whole.state) {
            return Err(what);
        }
        for (kind, count) in &late.errors {
            if self.whole.errors.get(kind).is_none_or(|most| count > most) {
                return Err(format!("{count} {kind}"));
            }
        }
        Ok(log)
    }

    /// Whoever comes late at these boundaries, and whoever fell behind at one of them.
    fn run(&self, ends: &[usize], chosen: &[usize]) -> (usize, usize, Vec<String>) {
        let mut follower = Follower::new(self.options, Keep::all());
        let mut done = 0;
        let mut behind: Vec<Behind> = Vec::new();
        let (mut joined, mut caught_up) = (0, 0);
        let mut failures = Vec::new();
        for (index, &end) in ends.iter().enumerate() {
            let is_chosen = chosen.binary_search(&index).is_ok();
            let bytes = &self.bytes[done..end];
            follower.push_bytes(bytes, &mut |_| {}).unwrap();
            done = end;
            let passed = |it: &Behind| follower.has_passed(&it.position);
            if !is_chosen && !behind.iter().any(passed) {
                continue;
            }
            let Some((state, window)) = follower.cut() else {
                continue;
            };
            let to = (&state, &window);
            if is_chosen {
                joined += 1;
                if let Err(what) = self.reader(&self.header, (None, to), (follower.at(), end)) {
                    failures.push(format!("late at {end}: {what}"));
                }
            }
            behind.retain(|it| {
                if it.at == end || !follower.has_passed(&it.position) {
                    return true;
                }
                caught_up += 1;
                let begin = &self.bytes[..it.at];
                let from = Some(&it.state);
                if let Err(what) = self.reader(begin, (from, to), (follower.at(), end)) {
                    failures.push(format!("behind from {} to {end}: {what}", it.at));
                }
                false
            });
            if is_chosen {
                behind.push(Behind {
                    at: end,
                    position: follower.position(),
                    state: follower.delivered().unwrap(),
                });
            }
        }
        failures.truncate(3);
        let name = self.name;
        let failures = failures.iter().map(|what| format!("{name}: {what}"));
        (joined, caught_up, failures.collect())
    }
}

#[test]
fn real_logs_at_every_block_boundary() {
    let (mut joined, mut caught_up) = (0, 0);
    let mut failures = Vec::new();
    for (name, bytes) in real_logs() {
        let (check, ends) = Check::new(&name, &bytes);
        let (late, behind, failed) = check.run(&ends, &spread(ends.len()));
        eprintln!(
            "{name}: {} boundaries, {late} late, {behind} behind",
            ends.len()
        );
        failures.extend(failed);
        joined += late;
        caught_up += behind;
    }
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(joined > 10 && caught_up > 5, "{joined} {caught_up}");
}
