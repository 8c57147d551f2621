//! The definitions of slot and tables, without those that the chunks have, too.

use super::chunk::Checker;
use crate::analysis::blocks::marker;
use eventlog_ring_file::{RingReader, TornTables};
use ghc_eventlog::ids;
use std::collections::{BTreeMap, HashMap};
use std::io;

/// Whole events, each once.
#[derive(Debug, Default)]
pub struct Definitions {
    events: Vec<Definition>,
    /// Where each is in `events`.
    places: HashMap<Vec<u8>, usize>,
    /// Bytes that are no events although their checksum is right.
    pub unreadable: u64,
    /// What was damaged in the tables.
    pub torn: TornTables,
}

#[derive(Debug)]
struct Definition {
    time: u64,
    repeated: bool,
}

impl Definitions {
    /// Those of a slot, then those of the tables.
    pub fn read(reader: &RingReader, checker: &Checker, slot: &[u8]) -> io::Result<Definitions> {
        let mut definitions = Definitions::default();
        definitions.add(checker, slot);
        let mut generations = BTreeMap::<u32, u32>::new();
        reader.tables(|entry| {
            let newest = generations.entry(entry.kind).or_default();
            *newest = (*newest).max(entry.generation);
            Ok(())
        })?;
        definitions.torn = reader.tables(|entry| {
            if generations.get(&entry.kind) == Some(&entry.generation) {
                definitions.add(checker, entry.events);
            }
            Ok(())
        })?;
        Ok(definitions)
    }

    fn add(&mut self, checker: &Checker, events: &[u8]) {
        let (left, _) = checker.bare_events(events, |event| {
            let place = self.events.len();
            let new = !self.places.contains_key(event.raw);
            if new {
                self.places.insert(event.raw.to_vec(), place);
                self.events.push(Definition {
                    time: event.time,
                    repeated: false,
                });
            }
        });
        self.unreadable += left as u64;
    }

    /// A chunk that is recovered has this event.
    pub fn repeated(&mut self, event: &[u8]) {
        if let Some(&place) = self.places.get(event) {
            self.events[place].repeated = true;
        }
    }

    /// Two blocks of those that are not repeated: for the beginning and for the end of the log. Each is empty if there is
    /// nothing in it.
    ///
    /// None of the first is later than `limit`, when the first global chunk begins: one that is says its time
    /// differently, as it is to be known from the beginning. The wall clock cannot do that, and comes at the end.
    pub fn blocks(self, limit: u64, latest: u64) -> [Vec<u8>; 2] {
        let mut events: Vec<(usize, Vec<u8>)> = self
            .places
            .into_iter()
            .map(|(event, place)| (place, event))
            .collect();
        events.sort_unstable();
        let mut parts = [Part::default(), Part::default()];
        for ((_, mut event), about) in events.into_iter().zip(&self.events) {
            if about.repeated {
                continue;
            }
            let late = about.time > limit;
            if late && event.starts_with(&ids::WALL_CLOCK_TIME.to_be_bytes()) {
                parts[1].add(about.time, &event);
                continue;
            }
            event[2..10].copy_from_slice(&about.time.min(limit).to_be_bytes());
            parts[0].add(about.time.min(limit), &event);
        }
        parts[1].end = parts[1].end.max(latest);
        parts.map(Part::block)
    }
}

#[derive(Debug, Default)]
struct Part {
    bytes: Vec<u8>,
    begin: Option<u64>,
    end: u64,
}

impl Part {
    fn add(&mut self, time: u64, event: &[u8]) {
        self.bytes.extend_from_slice(event);
        self.begin = Some(self.begin.map_or(time, |begin| begin.min(time)));
        self.end = self.end.max(time);
    }

    fn block(self) -> Vec<u8> {
        let Some(begin) = self.begin else {
            return Vec::new();
        };
        let mut block = marker(None, begin, self.end, self.bytes.len()).to_vec();
        block.extend_from_slice(&self.bytes);
        block
    }
}
