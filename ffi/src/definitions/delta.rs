//! What one client was not told.

use std::collections::HashMap;

use ghc_eventlog::definition::Class;

use super::Key;
use crate::format::time_of;
use crate::memory::{OutOfMemory, append, copied};

/// Definitions that one client has not been told yet: those of refused chunks.
///
/// What was defined and deleted meanwhile is not kept, so it stays as small as what is
/// alive and what the client knows, however long it takes.
#[derive(Debug, Default)]
pub(crate) struct Delta {
    keyed: HashMap<Key, Untold>,
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

/// Events that the client has missed, and the times between which they lie.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    pub events: Vec<u8>,
    pub begin: u64,
    pub end: u64,
}

impl Missed {
    fn add(&mut self, event: &mut Vec<u8>) {
        let time = time_of(event);
        self.events.append(event);
        self.begin = self.begin.min(time);
        self.end = self.end.max(time);
    }
}

impl Delta {
    /// `fresh`: nothing was known by this key.
    pub(super) fn define(
        &mut self,
        key: Key,
        event: &[u8],
        fresh: bool,
    ) -> Result<(), OutOfMemory> {
        let event = copied(event)?;
        self.keyed.try_reserve(1)?;
        let untold = self.keyed.entry(key).or_insert_with(|| Untold {
            fresh,
            ..Untold::default()
        });
        untold.defined = event;
        Ok(())
    }

    pub(super) fn delete(
        &mut self,
        key: Key,
        with: Option<Key>,
        event: &[u8],
    ) -> Result<(), OutOfMemory> {
        let event = copied(event)?;
        self.keyed.try_reserve(1)?;
        with.map(|key| self.keyed.remove(&key));
        let untold = self.keyed.entry(key).or_default();
        let defined = std::mem::take(&mut untold.defined);
        // What the client has not been told of need not be told to be gone; nor tasks,
        // which are not defined twice. The one before it still has to be.
        let unknown = untold.fresh || key.0 == Class::Task;
        if defined.is_empty() || !unknown {
            untold.gone = event;
        } else if untold.gone.is_empty() {
            self.keyed.remove(&key);
        }
        Ok(())
    }

    /// One of many, each of them once.
    pub(super) fn add_bulk(&mut self, event: &[u8]) -> Result<(), OutOfMemory> {
        self.parts.try_reserve(1)?;
        let time = time_of(event);
        append(&mut self.bulk, event)?;
        let end = self.bulk.len();
        match self.parts.last_mut() {
            Some((last, latest)) if *latest >= time => *last = end,
            _ => self.parts.push((end, time)),
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keyed.is_empty() && self.bulk.is_empty()
    }

    /// The events up to this time, which are not left; or all is left if there is no memory.
    pub(crate) fn take(&mut self, until: u64) -> Result<Missed, OutOfMemory> {
        let parts = self.parts.iter().take_while(|(_, latest)| *latest <= until);
        let parts = parts.count();
        let mut order: Vec<Key> = Vec::new();
        order.try_reserve_exact(self.keyed.len())?;
        order.extend(self.keyed.keys());
        // Each occurs once, so an unstable sort gives the same order.
        order.sort_unstable();
        let keyed = self.keyed.values();
        let len: usize = keyed
            .map(|untold| untold.gone.len() + untold.defined.len())
            .sum();
        let bulk = self.parts[..parts].last().map_or(0, |(end, _)| *end);
        let whole_bulk = len == 0 && bulk == self.bulk.len();
        let mut missed = Missed {
            events: Vec::new(),
            begin: u64::MAX,
            end: 0,
        };
        if !whole_bulk {
            missed.events.try_reserve_exact(len + bulk)?;
        }
        // Nothing can fail from here on.
        for key in &order {
            let Some(untold) = self.keyed.get_mut(key) else {
                continue;
            };
            for event in [&mut untold.gone, &mut untold.defined] {
                if !event.is_empty() && time_of(event) <= until {
                    missed.add(event);
                    untold.fresh = true;
                }
            }
        }
        self.keyed
            .retain(|_, untold| !(untold.gone.is_empty() && untold.defined.is_empty()));
        if let Some(&(end, latest)) = self.parts[..parts].last() {
            let begin = time_of(&self.bulk);
            if whole_bulk {
                missed.events = std::mem::take(&mut self.bulk);
            } else {
                missed.events.extend(self.bulk.drain(..end));
            }
            missed.begin = missed.begin.min(begin);
            missed.end = missed.end.max(latest);
            self.parts.drain(..parts);
            self.parts.iter_mut().for_each(|(at, _)| *at -= end);
        }
        Ok(missed)
    }
}
