//! What a reader must know before the first live chunk, kept for every client.
//!
//! The RTS writes its definitions once: when it starts, or when logging does.
//! Ending and starting the log again for each client would make it repeat some
//! of them, lose the others (capability sets, capabilities, the heap profile's
//! parameters), and crash it if the number of capabilities changed meanwhile.
//! So the log is started once, and what it defined is replayed from here.
//!
//! * The header is kept as it came.
//! * *Keyed* definitions say something about a thing that has a key (a
//!   capability, a capability set, a task): the latest one counts. Their number
//!   is bounded by what is alive in the program.
//! * *Bulk* definitions (info-table provenance, cost centres) are kept in the
//!   order they came, in segments that a client's queue shares instead of copying:
//!   they can be tens of megabytes.
//!
//! A definition for which there is no memory is left out, and counted. Header and event
//! types, without which nothing can be read, have theirs from the start.
//!
//! Which events define something, and of what, is told by `ghc_eventlog::definition`. The
//! flight recorder learns from the same chunks by the same means: [`Log`] and [`Keyed`].

mod bulk;
mod delta;
mod keyed;
mod log;

use std::collections::HashSet;

use eventlog_ring::Record;
use ghc_eventlog::definition::{Class, Op};
use ghc_eventlog::layout::{MARKER_LEN, block_marker};
use ghc_eventlog::{RawEvent, definition_of};

use bulk::Bulk;
pub(crate) use delta::Delta;
pub(crate) use keyed::Keyed;
pub(crate) use log::{Learnt, Log, Sink};

use crate::memory::{OutOfMemory, Shared, copied, push};

/// What a definition is about: the kind of thing, and which one.
pub(crate) type Key = (Class, u64);

/// For every client.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    log: Log,
    store: Store,
    /// Global chunks of the ring of chunks that were learnt from.
    pub globals_of_ring: u64,
}

#[derive(Debug, Default)]
struct Store {
    keyed: Keyed,
    cost_centres: Bulk,
    info_tables: Bulk,
}

/// Definitions to which what the RTS did not write can be added.
pub(crate) trait FillGaps {
    fn parts(&mut self) -> (&mut Log, &mut Keyed);
    fn has_cost_centres(&self) -> bool;
    /// Add a cost centre that the RTS did not write.
    fn add_cost_centre(&mut self, event: &RawEvent<'_>) -> Result<(), OutOfMemory>;
}

impl Definitions {
    /// With room for what must not be left out.
    pub(crate) fn with_room() -> Result<Definitions, OutOfMemory> {
        Ok(Definitions {
            log: Log::with_room()?,
            store: Store {
                keyed: Keyed::with_room()?,
                ..Store::default()
            },
            globals_of_ring: 0,
        })
    }

    pub(crate) fn has_header(&self) -> bool {
        !self.log.header().is_empty()
    }

    /// Bytes that were left out so far, here or for one client.
    pub(crate) fn left_out(&self) -> u64 {
        self.log.left_out()
    }

    /// Bytes kept, marks of deletion included.
    pub(crate) fn len(&self) -> usize {
        let keyed = &self.store.keyed;
        self.log.header().len() + keyed.len() + keyed.marks_len() + self.store.bulk_len()
    }

    /// Learn from a chunk of either ring, and note what it defines in `delta` for a client
    /// whose stream lacks the chunk.
    pub(crate) fn learn_record(
        &mut self,
        record: &Record<'_>,
        delta: Option<&mut Delta>,
    ) -> Learnt {
        let store = &mut self.store;
        self.log
            .learn_record(record, &mut Learning { store, delta })
    }

    #[cfg(test)]
    pub(crate) fn learn_chunk(&mut self, bytes: &[u8], delta: Option<&mut Delta>) -> Learnt {
        let store = &mut self.store;
        self.log.learn_chunk(bytes, &mut Learning { store, delta })
    }

    /// There are so many marks of deletion that it is worth looking for those that are
    /// needed.
    pub(crate) fn has_many_marks(&self) -> bool {
        self.store.keyed.has_many_marks()
    }

    /// There are so many that it cannot wait.
    pub(crate) fn has_too_many_marks(&self) -> bool {
        self.store.keyed.has_too_many_marks()
    }

    /// Of the marks, those that a chunk is in the way of: it defines the same once more when
    /// it is learnt from, and is older perhaps.
    pub(crate) fn add_marks_needed(
        &mut self,
        record: &Record<'_>,
        needed: &mut HashSet<Key>,
    ) -> Result<(), OutOfMemory> {
        for event in self.log.events_of(record)? {
            if let Some(definition) = definition_of(event.id, event.payload)
                && definition.op == Op::Define
                && let key = (definition.class, definition.key)
                && self.store.keyed.is_deleted(&key)
            {
                needed.try_reserve(1)?;
                needed.insert(key);
            }
        }
        Ok(())
    }

    /// Forget the marks but these and the latest: what comes from now on is not older than
    /// those that are forgotten. `None`: that cannot be told now.
    pub(crate) fn forget_marks(&mut self, needed: Option<&HashSet<Key>>) {
        self.store.keyed.forget_marks(needed);
    }

    /// Header and all definitions up to a time, as the pieces of a stream to begin with: the
    /// header and one block; and when that ends. Those that are later go to `delta`, but for
    /// the tables. Nothing without a header.
    pub(crate) fn replay(&self, until: u64, delta: &mut Delta) -> Result<Replay, OutOfMemory> {
        let mut pieces = Vec::new();
        if !self.has_header() {
            return Ok((pieces, 0));
        }
        let (header, store) = (self.log.header(), &self.store);
        let (mut begin, mut end) = (u64::MAX, self.log.latest().min(until));
        let marker_at = header.len();
        let events_at = marker_at + MARKER_LEN;
        let mut opening = Vec::new();
        opening.try_reserve_exact(events_at + store.keyed.len())?;
        opening.extend_from_slice(header);
        opening.extend_from_slice(&[0; MARKER_LEN]);
        for defined in store.keyed.in_order()? {
            if defined.time > until {
                delta.define(defined.key, defined.event, true)?;
                continue;
            }
            begin = begin.min(defined.time);
            end = end.max(defined.time);
            opening.extend_from_slice(defined.event);
        }
        for bulk in [&store.cost_centres, &store.info_tables] {
            end = end.max(bulk.latest());
        }
        let len = opening.len() - events_at + store.bulk_len();
        let marker = block_marker(None, begin.min(end), end, len);
        opening[marker_at..events_at].copy_from_slice(&marker);
        push(&mut pieces, Shared::new(opening)?)?;
        store.cost_centres.add_pieces(&mut pieces)?;
        store.info_tables.add_pieces(&mut pieces)?;
        Ok((pieces, end))
    }
}

/// The pieces of a stream to begin with, and when its first block ends.
type Replay = (Vec<Shared<Vec<u8>>>, u64);

impl FillGaps for Definitions {
    fn parts(&mut self) -> (&mut Log, &mut Keyed) {
        (&mut self.log, &mut self.store.keyed)
    }

    fn has_cost_centres(&self) -> bool {
        self.store.cost_centres.len() > 0
    }

    fn add_cost_centre(&mut self, event: &RawEvent<'_>) -> Result<(), OutOfMemory> {
        self.store.cost_centres.add(event).map(|_| ())
    }
}

impl Store {
    fn bulk_len(&self) -> usize {
        self.cost_centres.len() + self.info_tables.len()
    }
}

/// Definitions on their way into the store; what one client is not told with a chunk is
/// noted for it.
struct Learning<'a> {
    store: &'a mut Store,
    delta: Option<&'a mut Delta>,
}

impl Sink for Learning<'_> {
    /// An RTS that writes bulk definitions again writes all of a kind.
    fn start_log(&mut self) {
        self.store.cost_centres.start_log();
        self.store.info_tables.start_log();
    }

    fn define(&mut self, key: Key, event: &RawEvent<'_>) -> Result<(), OutOfMemory> {
        let keyed = &mut self.store.keyed;
        let fresh = !keyed.is_defined(&key);
        if keyed.define(key, event.time, copied(event.bytes)?)?
            && let Some(delta) = &mut self.delta
        {
            delta.define(key, event.bytes, fresh)?;
        }
        Ok(())
    }

    fn delete(
        &mut self,
        key: Key,
        with: Option<Key>,
        event: &RawEvent<'_>,
    ) -> Result<(), OutOfMemory> {
        let keyed = &mut self.store.keyed;
        if let Some(with) = with {
            keyed.delete(with, event.time)?;
        }
        if keyed.delete(key, event.time)?
            && let Some(delta) = &mut self.delta
        {
            delta.delete(key, with, event.bytes)?;
        }
        Ok(())
    }

    fn add_bulk(&mut self, class: Class, event: &RawEvent<'_>) -> Result<(), OutOfMemory> {
        let bulk = match class {
            Class::CostCentre => &mut self.store.cost_centres,
            Class::InfoTable => &mut self.store.info_tables,
            _ => return Ok(()),
        };
        let kept = bulk.add(event)?;
        match &mut self.delta {
            Some(delta) => delta.add_bulk(kept),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod listed;
#[cfg(test)]
mod tests;
