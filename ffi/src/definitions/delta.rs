//! What one client was not told.

use std::collections::BTreeMap;

use super::lesson::{Class, Key};
use super::time_of;

/// Definitions that one client has not been told yet: those of refused chunks.
///
/// What came and went meanwhile leaves no trace, so it stays as small as what is
/// alive and what the client knows, however long it takes.
#[derive(Debug, Default)]
pub(crate) struct Delta {
    keyed: BTreeMap<Key, Untold>,
    bulk: Vec<u8>,
    /// Its parts, in the order they came: where each ends, and the time of its latest event.
    parts: Vec<(usize, u64)>,
}

/// Of one key. Its id may be used again: what the client knows by it is gone first.
#[derive(Debug, Default)]
struct Untold {
    gone: Vec<u8>,
    defined: Vec<u8>,
    /// The client knows nothing by it.
    fresh: bool,
}

/// Events to tell, and the times between which they lie.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub events: Vec<u8>,
    pub begin: u64,
    pub end: u64,
}

impl Told {
    fn add(&mut self, event: &mut Vec<u8>) {
        let time = time_of(event);
        self.events.append(event);
        self.begin = self.begin.min(time);
        self.end = self.end.max(time);
    }
}

impl Delta {
    /// `fresh`: nothing was known by this key.
    pub(super) fn define(&mut self, key: Key, event: &[u8], fresh: bool) {
        let untold = self.keyed.entry(key).or_insert_with(|| Untold {
            fresh,
            ..Untold::default()
        });
        untold.defined = event.to_vec();
    }

    pub(super) fn delete(&mut self, key: Key, with: Option<Key>, event: &[u8]) {
        with.map(|key| self.keyed.remove(&key));
        let untold = self.keyed.entry(key).or_default();
        let defined = std::mem::take(&mut untold.defined);
        // What the client has not been told of need not be told to be gone; nor tasks,
        // which are not defined twice. The one before it still has to be.
        let unknown = untold.fresh || key.0 == Class::Task;
        if defined.is_empty() || !unknown {
            untold.gone = event.to_vec();
        } else if untold.gone.is_empty() {
            self.keyed.remove(&key);
        }
    }

    /// One of many, each of them once.
    pub(super) fn add_bulk(&mut self, event: &[u8]) {
        let time = time_of(event);
        self.bulk.extend_from_slice(event);
        let end = self.bulk.len();
        match self.parts.last_mut() {
            Some((last, latest)) if *latest >= time => *last = end,
            _ => self.parts.push((end, time)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keyed.is_empty() && self.bulk.is_empty()
    }

    /// The events up to this time, which are not left.
    pub(crate) fn take(&mut self, until: u64) -> Told {
        let mut told = Told {
            events: Vec::new(),
            begin: u64::MAX,
            end: 0,
        };
        self.keyed.retain(|_, untold| {
            for event in [&mut untold.gone, &mut untold.defined] {
                if !event.is_empty() && time_of(event) <= until {
                    told.add(event);
                    untold.fresh = true;
                }
            }
            !(untold.gone.is_empty() && untold.defined.is_empty())
        });
        let parts = self.parts.iter().take_while(|(_, latest)| *latest <= until);
        let parts = parts.count();
        if let Some(&(end, latest)) = self.parts[..parts].last() {
            let begin = time_of(&self.bulk);
            if end == self.bulk.len() && told.events.is_empty() {
                told.events = std::mem::take(&mut self.bulk);
            } else {
                told.events.extend(self.bulk.drain(..end));
            }
            told.begin = told.begin.min(begin);
            told.end = told.end.max(latest);
            self.parts.drain(..parts);
            self.parts.iter_mut().for_each(|(at, _)| *at -= end);
        }
        told
    }
}
