//! The latest definition of each thing that has a key.

use std::collections::{HashMap, HashSet};

use ghc_eventlog::definition::Class;

use super::Key;
use crate::memory::OutOfMemory;

/// Definitions for which there is room from the start.
const ROOM: usize = 256;

/// Marks of deletion that are kept however old they are.
const MARKS: usize = 1024;
/// With more of them than this, they are looked at before more is learnt; at once, although
/// the way through the ring that this takes is then worth less.
const TOO_MANY_MARKS: usize = 32 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Keyed {
    all: HashMap<Key, Known>,
    /// Bytes of the events.
    len: usize,
    /// How many are marks of deletion.
    deleted: usize,
    /// With more of them than this, it is time to look which can be forgotten.
    too_many: usize,
    /// They have changed since this was last asked.
    changed: bool,
}

/// The latest that is known of a key.
#[derive(Debug)]
struct Known {
    time: u64,
    /// None: deleted then. Chunks can be learnt from out of their order (a refused
    /// one overtakes those in the ring), so an older definition must not come back.
    event: Option<Vec<u8>>,
}

/// A definition that counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defined<'a> {
    pub key: Key,
    pub time: u64,
    pub event: &'a [u8],
}

impl Keyed {
    /// With room for what must not be left out.
    pub(crate) fn with_room() -> Result<Keyed, OutOfMemory> {
        let mut keyed = Keyed::default();
        keyed.all.try_reserve(ROOM)?;
        Ok(keyed)
    }

    /// Bytes of the events.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes that the marks of deletion take.
    pub(crate) fn marks_len(&self) -> usize {
        self.deleted * size_of::<(Key, Known)>()
    }

    /// They have changed since this was last asked.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Report them as changed the next time that somebody asks.
    pub(crate) fn change(&mut self) {
        self.changed = true;
    }

    /// Something is defined by this key.
    pub(crate) fn is_defined(&self, key: &Key) -> bool {
        self.all.get(key).is_some_and(|known| known.event.is_some())
    }

    /// What was defined by this key is deleted.
    pub(crate) fn is_deleted(&self, key: &Key) -> bool {
        self.all.get(key).is_some_and(|known| known.event.is_none())
    }

    /// What is known of it was defined by then.
    fn was_alive(&self, key: &Key, time: u64) -> bool {
        self.all
            .get(key)
            .is_some_and(|known| known.event.is_some() && known.time <= time)
    }

    /// The latest definition of this key. False if something later is known, or if it is of
    /// a task that is gone.
    pub(crate) fn define(
        &mut self,
        key: Key,
        time: u64,
        event: Vec<u8>,
    ) -> Result<bool, OutOfMemory> {
        if key.0 == Class::TaskMigrate && !self.was_alive(&(Class::Task, key.1), time) {
            return Ok(false);
        }
        self.set(key, time, Some(event))
    }

    /// One that the RTS did not write, unless anything is known of this key.
    pub(crate) fn add_missing(
        &mut self,
        key: Key,
        time: u64,
        event: Vec<u8>,
    ) -> Result<(), OutOfMemory> {
        if !self.all.contains_key(&key) {
            self.set(key, time, Some(event))?;
        }
        Ok(())
    }

    /// Mark it as deleted. False if something later is known.
    pub(crate) fn delete(&mut self, key: Key, time: u64) -> Result<bool, OutOfMemory> {
        if key.0 != Class::TaskMigrate {
            // Tasks, too: their ids are addresses, which are used again. So there are not
            // many of them, and an older task of the same id may still be in the ring.
            return self.set(key, time, None);
        }
        // It needs no mark: nothing is learnt of a task that is gone.
        let known = self.was_alive(&key, time);
        if known {
            self.forget(&key);
        }
        Ok(known)
    }

    /// Forget this key.
    pub(crate) fn forget(&mut self, key: &Key) {
        let Some(known) = self.all.remove(key) else {
            return;
        };
        self.changed = true;
        self.len -= known.event.as_ref().map_or(0, Vec::len);
        self.deleted -= usize::from(known.event.is_none());
    }

    /// False if something later is known.
    fn set(&mut self, key: Key, time: u64, event: Option<Vec<u8>>) -> Result<bool, OutOfMemory> {
        if self.all.get(&key).is_some_and(|known| known.time > time) {
            return Ok(false);
        }
        self.all.try_reserve(1)?;
        self.changed = true;
        self.len += event.as_ref().map_or(0, Vec::len);
        self.deleted += usize::from(event.is_none());
        if let Some(older) = self.all.insert(key, Known { time, event }) {
            self.len -= older.event.as_ref().map_or(0, Vec::len);
            self.deleted -= usize::from(older.event.is_none());
        }
        Ok(true)
    }

    /// All that counts, in the order of replay.
    pub(crate) fn in_order(&self) -> Result<Vec<Defined<'_>>, OutOfMemory> {
        let mut order = Vec::new();
        order.try_reserve_exact(self.all.len())?;
        for (key, known) in &self.all {
            if let Some(event) = &known.event {
                order.push(Defined {
                    key: *key,
                    time: known.time,
                    event,
                });
            }
        }
        // Each key occurs once, so an unstable sort gives the same order.
        order.sort_unstable_by_key(|defined| defined.key);
        Ok(order)
    }

    /// There are so many marks of deletion that it is worth looking for those that are
    /// needed.
    pub(crate) fn has_many_marks(&self) -> bool {
        self.deleted > self.too_many.max(2 * MARKS)
    }

    /// There are so many that it cannot wait.
    pub(crate) fn has_too_many_marks(&self) -> bool {
        self.deleted > self.too_many.max(TOO_MANY_MARKS)
    }

    /// Forget the marks but these and the latest: what comes from now on is not older than
    /// those that are forgotten. `None`: that cannot be told now.
    pub(crate) fn forget_marks(&mut self, needed: Option<&HashSet<Key>>) {
        let mut times: Vec<u64> = Vec::new();
        if let Some(needed) = needed
            && times.try_reserve_exact(self.deleted).is_ok()
        {
            let marks = self.all.values().filter(|known| known.event.is_none());
            // As many as there was room made for.
            times.extend(marks.map(|known| known.time).take(self.deleted));
            let oldest = times.len().saturating_sub(MARKS);
            let kept_from = match oldest {
                0 => 0,
                _ => *times.select_nth_unstable(oldest).1,
            };
            self.all.retain(|key, known| {
                known.event.is_some() || known.time >= kept_from || needed.contains(key)
            });
            let marks = self.all.values().filter(|known| known.event.is_none());
            self.deleted = marks.count();
            // The table has become large while there were many, and would stay so. That it
            // is made anew asks for memory, but the table is no worse off without any.
            if self.all.capacity() / 8 > self.all.len().max(ROOM) {
                self.move_to_smaller_table();
            }
        }
        self.too_many = 2 * self.deleted;
    }

    /// `shrink_to` would abort the program without memory.
    fn move_to_smaller_table(&mut self) {
        let mut smaller = HashMap::new();
        if smaller.try_reserve(2 * self.all.len().max(ROOM)).is_ok() {
            smaller.extend(self.all.drain());
            self.all = smaller;
        }
    }
}
