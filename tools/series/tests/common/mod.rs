//! The reference for rows: every interval that `eventlog-state` reports.
#![allow(dead_code)]

pub mod program;
#[path = "../../../state/tests/common/mod.rs"]
pub mod state;

use eventlog_series::{Doing, Interval, Row, Rows};
use eventlog_state::{CapState, Fact, Keep, Merge, MergeOptions, State, Step, ThreadState};
use ghc_eventlog::{Item, Reader};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The rows of a log, by brute force.
#[derive(Debug, Default)]
pub struct Brute {
    pub rows: BTreeMap<Row, Vec<Interval>>,
    /// The time of the last event: the state ends there.
    pub end: u64,
}

fn push(row: &mut Vec<Interval>, interval: Interval) {
    match row.last_mut() {
        _ if interval.from >= interval.to => {}
        Some(last) if last.to == interval.from && last.doing == interval.doing => {
            last.to = interval.to;
        }
        _ => row.push(interval),
    }
}

/// All intervals that the state reports for a log.
pub fn brute(log: &[u8]) -> Brute {
    let mut brute = Brute::default();
    let mut merge = Merge::new(MergeOptions::default());
    merge.push_bytes(log);
    merge.flush();
    let mut state: Option<State> = None;
    let mut see = |fact: Fact<'_>| match fact {
        Fact::Cap(it) => {
            let (state, thread) = (it.state, it.thread);
            let doing = Doing::Cap { state, thread };
            let (from, to) = (it.from, it.to);
            let row = brute.rows.entry(Row::Cap(it.cap)).or_default();
            push(row, Interval { doing, from, to });
        }
        Fact::Thread(it) if !matches!(it.state, ThreadState::Unknown) => {
            let doing = Doing::Thread(it.state);
            let (from, to) = (it.from, it.to);
            let row = brute.rows.entry(Row::Thread(it.thread)).or_default();
            push(row, Interval { doing, from, to });
        }
        _ => {}
    };
    merge
        .drain(&mut |step| match step {
            Step::Session(header) => state = Some(State::new(header, Keep::all())),
            Step::Block(block) => state.iter_mut().for_each(|it| it.block(block, &mut see)),
            Step::Event(event, turn) => {
                state
                    .iter_mut()
                    .for_each(|it| it.apply(event, turn, &mut see));
            }
            _ => {}
        })
        .unwrap();
    state.iter_mut().for_each(|it| it.finish(&mut see));
    brute.end = state.map_or(0, |state| state.time());
    write_gaps(log, &mut brute);
    brute
}

/// If a thread arrived at an idle capability before the first event of its next block, the
/// state did not report that the buffer was written: it could not know that yet. The time
/// between two blocks is always that of the write.
fn write_gaps(log: &[u8], brute: &mut Brute) {
    let mut ends: BTreeMap<u16, u64> = BTreeMap::new();
    let mut reader = Reader::new(log);
    while let Some(item) = reader.next_item().unwrap() {
        let Item::Block(block) = item else { continue };
        let Some(cap) = block.cap else { continue };
        let end = ends.entry(cap).or_default();
        let (from, to) = (*end, block.time);
        *end = (*end).max(block.end);
        let Some(row) = brute.rows.get_mut(&Row::Cap(cap)) else {
            continue;
        };
        let known = row.first().is_some_and(|first| first.from <= from);
        if from == 0 || from >= to || !known {
            continue;
        }
        let first = row.partition_point(|it| it.to <= from);
        let end = row.partition_point(|it| it.from < to);
        let old: Vec<Interval> = row.drain(first..end).collect();
        let mut new = Vec::new();
        let doing = Doing::Cap {
            state: CapState::WritingLog,
            thread: None,
        };
        for it in old.iter().filter(|it| it.from < from) {
            push(&mut new, Interval { to: from, ..*it });
        }
        push(&mut new, Interval { doing, from, to });
        for it in old.iter().filter(|it| it.to > to) {
            push(&mut new, Interval { from: to, ..*it });
        }
        row.splice(first..first, new);
    }
}

/// The blocks of a log, each with the bytes up to the next one.
pub fn blocks(log: &[u8]) -> Vec<(u64, &[u8])> {
    let mut reader = Reader::new(log);
    let mut offsets = Vec::new();
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Block(block) = item {
            offsets.push(block.offset as usize);
        }
    }
    let ends = offsets.iter().skip(1).copied().chain([log.len()]);
    let blocks = offsets.iter().zip(ends);
    blocks
        .map(|(&from, to)| (from as u64, &log[from..to]))
        .collect()
}

pub fn header(log: &[u8]) -> Arc<ghc_eventlog::Header> {
    let mut reader = Reader::new(log);
    while reader.header().is_none() {
        reader.next_item().unwrap().unwrap();
    }
    Arc::clone(reader.header().unwrap())
}

/// The index of a log.
pub fn rows(log: &[u8]) -> Rows {
    let mut rows = Rows::new(header(log));
    for (offset, block) in blocks(log) {
        rows.block(offset, block);
    }
    rows
}

/// The intervals of a row as far as it is known, clipped to a time.
pub fn wanted(brute: &Brute, rows: &Rows, row: Row, from: u64, to: u64) -> Vec<Interval> {
    let all = brute.rows.get(&row).map(Vec::as_slice).unwrap_or_default();
    let all = &all[all.partition_point(|it| it.to <= from)..];
    cut(all, from, to.min(brute.end).min(rows.until(row)))
}

/// Intervals clipped to a time.
pub fn cut(intervals: &[Interval], from: u64, to: u64) -> Vec<Interval> {
    let mut out: Vec<Interval> = Vec::new();
    for it in intervals.iter().take_while(|it| it.from < to) {
        let (from, to) = (it.from.max(from), it.to.min(to));
        push(&mut out, Interval { from, to, ..*it });
    }
    out
}
