//! All definitions so far, byte for byte, so that a new log can begin with
//! them.
//!
//! A definition is valid until the next one of the same thing. One that says
//! the same again changes nothing, so it keeps its place in the order; one that
//! says something else replaces it, at the end of the order. Cost centres and
//! info tables only ever grow: see [`Symbols`].
//!
//! A task that moves is kept as if it had been created where it is now, since
//! the steps in between do not matter. Moves and ends of tasks that are older
//! than the log are ignored: in a log that begins with these definitions they
//! would refer to nothing.

use crate::binary::Messages;
use crate::limits::Keep;
use crate::raw::{Raw, date};
use crate::segments::Place;
use crate::symbols::Symbols;
use crate::table::Table;
use crate::tasks::Task;
use ghc_eventlog::definition::{Class, Definition, Op};
use ghc_eventlog::{Event, EventBody, Header, WallClock, definition, encode_event};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where the capability is in the payload of a `task_create`.
const TASK_CAP: usize = 8;

/// One definition.
#[derive(Clone, Debug)]
struct Defined {
    arrival: u64,
    cap: Option<u16>,
    time: u64,
    raw: Raw,
}

impl Defined {
    fn wall_clock(&self) -> Option<WallClock> {
        match self.raw.body() {
            EventBody::WallClockTime {
                seconds,
                nanoseconds,
                ..
            } => Some(WallClock::new(self.time, seconds, nanoseconds)),
            _ => None,
        }
    }

    /// Whether readers of the two have the same information.
    fn same(&self, other: &Self) -> bool {
        match (self.wall_clock(), other.wall_clock()) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => self.raw == other.raw,
        }
    }

    /// Appends the event, dated at this time.
    fn dated(&self, at: u64, out: &mut Vec<u8>) {
        let Some(clock) = self.wall_clock() else {
            return self.raw.dated(at, out);
        };
        // What the clock showed at that time.
        let wall = clock.at(at).unix_nanos();
        let seconds = u64::try_from(wall.div_euclid(1_000_000_000)).unwrap_or(0);
        let nanoseconds = wall.rem_euclid(1_000_000_000) as u32;
        let raw = self.raw.patched(4, &seconds.to_be_bytes());
        raw.patched(12, &nanoseconds.to_be_bytes()).dated(at, out);
    }
}

/// A ticky counter, from its definition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TickyCounter {
    /// Its name.
    pub name: String,
    /// Arity of the closure.
    pub arity: u16,
    /// Kinds of its arguments.
    pub arg_kinds: String,
    /// Its info table.
    pub info: Option<u64>,
    /// More information, in JSON.
    pub json: Option<String>,
}

/// What was defined so far. A copy shares what has not changed since.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    /// The same for all copies of one original.
    origin: Arc<()>,
    classes: BTreeMap<Class, Table<Defined>>,
    arrivals: u64,
    count: usize,
    bytes: usize,
    refused: u64,
    symbols: Symbols,
    messages: Messages,
    /// In a copy that has diverged: the position up to which its numbers are
    /// the same as in the other copies.
    branch: Option<Known>,
}

/// How much of an older copy is known to be in a later one.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    arrivals: u64,
    symbols: Place,
    messages: u64,
}

impl Definitions {
    /// Cost centres and info tables.
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// Binary messages that later ones depend on.
    pub fn messages(&self) -> &Messages {
        &self.messages
    }

    /// How many definitions were refused because there were too many; not
    /// including cost centres, info tables and messages.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Whether the event repeats a definition that is known already: what a
    /// runtime system writes when it begins its log again.
    ///
    /// The wall clock of a set and the place of a task can differ the second
    /// time, because they were read again; they are not new either.
    pub fn repeats(&self, event: &Event<'_>) -> bool {
        let Some(Definition { class, key, op }) = definition(&event.body) else {
            return false;
        };
        match (op, class) {
            (Op::Delete { .. }, _) => false,
            (Op::Bulk, _) => self.symbols.knows(event),
            (Op::Define, Class::WallClock | Class::Task) => self.get(class, key).is_some(),
            (Op::Define, _) => {
                let known = self.get(class, key);
                known.is_some_and(|known| known.raw.says(event))
            }
        }
    }

    /// A task.
    pub fn task(&self, id: u64) -> Option<Task> {
        let defined = self.classes.get(&Class::Task)?.get(id)?;
        match defined.raw.body() {
            EventBody::TaskCreate {
                task,
                task_cap,
                kernel_thread,
            } => Some(Task {
                id: task,
                cap: task_cap,
                kernel_thread,
                created: defined.time,
            }),
            _ => None,
        }
    }

    /// The tasks, in the order in which they were created.
    pub fn tasks(&self) -> impl Iterator<Item = Task> {
        let sorted = self.sorted(Class::Task);
        sorted.into_iter().filter_map(|(id, _)| self.task(id))
    }

    /// How many tasks there are.
    pub fn task_count(&self) -> usize {
        self.classes.get(&Class::Task).map_or(0, Table::len)
    }

    /// The definition of a ticky counter.
    pub fn ticky_counter(&self, counter: u64) -> Option<TickyCounter> {
        let defined = self.classes.get(&Class::TickyCounter)?.get(counter)?;
        match defined.raw.body() {
            EventBody::TickyCounterDef {
                arity,
                arg_kinds,
                name,
                info,
                json,
                ..
            } => Some(TickyCounter {
                name: name.to_string_lossy().into_owned(),
                arity,
                arg_kinds: arg_kinds.to_string_lossy().into_owned(),
                info,
                json: json.map(|json| json.to_string_lossy().into_owned()),
            }),
            _ => None,
        }
    }

    fn known(&self) -> Known {
        self.branch.unwrap_or(Known {
            arrivals: self.arrivals,
            symbols: self.symbols.end(),
            messages: self.messages.arrivals(),
        })
    }

    /// From now on this copy takes other events than the other copies.
    pub(crate) fn branch(&mut self) {
        self.branch = Some(self.known());
    }

    /// Whether readers of the two have the same information. The order matters
    /// only for cost centres and info tables, and for the messages of one span.
    pub fn same(&self, other: &Self) -> bool {
        let classes: BTreeSet<_> = self.classes.keys().chain(other.classes.keys()).collect();
        let keyed = classes.into_iter().all(|&class| {
            let count = |of: &Self| of.classes.get(&class).map_or(0, Table::len);
            let mut ours = self.classes.get(&class).into_iter().flat_map(Table::iter);
            count(self) == count(other)
                && ours.all(|(key, ours)| {
                    other
                        .get(class, key)
                        .is_some_and(|theirs| ours.same(theirs))
                })
        });
        let first = Default::default();
        let ours = self.symbols.from(first).map(|kept| kept.raw);
        let theirs = other.symbols.from(first).map(|kept| kept.raw);
        keyed && ours.eq(theirs) && self.messages.same(&other.messages)
    }

    /// Takes an event that may define something.
    #[inline]
    pub(crate) fn event(&mut self, event: &Event<'_>, keep: &Keep) {
        if let EventBody::UserBinaryMsg { .. } = event.body {
            if keep.definitions {
                self.messages.event(event, keep.limits.message_bytes);
            }
        } else if let Some(definition) = definition(&event.body) {
            let (class, key) = (definition.class, definition.key);
            match definition.op {
                Op::Bulk => {
                    let used = self.bytes + self.symbols.bytes();
                    let room = keep.limits.definition_bytes.saturating_sub(used);
                    self.symbols.event(event, keep, room);
                }
                _ if !keep.definitions => {}
                Op::Define if class == Class::TaskMigrate => self.move_task(key, event),
                Op::Define => self.define(class, key, event, keep),
                Op::Delete { with } => {
                    self.delete(class, key);
                    with.into_iter().for_each(|class| self.delete(class, key));
                }
            }
        }
    }

    fn define(&mut self, class: Class, key: u64, event: &Event<'_>, keep: &Keep) {
        let table = self.classes.entry(class).or_default();
        let known = table.get(key);
        if known.is_some_and(|known| known.raw.says(event) && class != Class::WallClock) {
            return;
        }
        let defined = Defined {
            arrival: self.arrivals + 1,
            cap: event.cap,
            time: event.time,
            raw: Raw::of(event),
        };
        if known.is_some_and(|known| known.same(&defined)) {
            return;
        }
        let limits = &keep.limits;
        let full = match class {
            Class::Task => table.len() >= limits.tasks,
            _ => self.count >= limits.definitions,
        };
        let replaced = known.map_or(0, |known| known.raw.len());
        let bytes = self.bytes - replaced + defined.raw.len();
        let most = limits.definition_bytes;
        if (full && known.is_none()) || bytes + self.symbols.bytes() > most {
            self.refused += 1;
            return;
        }
        self.bytes = bytes;
        self.arrivals += 1;
        let new = table.insert(key, defined).is_none();
        self.count += usize::from(new && class != Class::Task);
    }

    fn delete(&mut self, class: Class, key: u64) {
        let table = self.classes.get_mut(&class);
        if let Some(gone) = table.and_then(|table| table.remove(key)) {
            self.bytes -= gone.raw.len();
            self.count -= usize::from(class != Class::Task);
        }
    }

    fn move_task(&mut self, task: u64, event: &Event<'_>) {
        let EventBody::TaskMigrate { new_cap, .. } = event.body else {
            return;
        };
        let tasks = self.classes.get_mut(&Class::Task);
        if let Some(defined) = tasks.and_then(|tasks| tasks.get_mut(task)) {
            defined.raw = defined.raw.patched(TASK_CAP, &new_cap.to_be_bytes());
        }
    }

    fn get(&self, class: Class, key: u64) -> Option<&Defined> {
        self.classes.get(&class)?.get(key)
    }

    /// The definitions of a class, in their order.
    fn sorted(&self, class: Class) -> Vec<(u64, &Defined)> {
        let table = self.classes.get(&class).into_iter();
        by_arrival(table.flat_map(|table| table.iter()))
    }

    /// The definitions of a class that may differ from the other, in their
    /// order.
    fn sorted_beside<'a>(&'a self, class: Class, other: &'a Self) -> Vec<(u64, &'a Defined)> {
        match (self.classes.get(&class), other.classes.get(&class)) {
            (Some(ours), Some(theirs)) => by_arrival(ours.iter_beside(theirs)),
            _ => self.sorted(class),
        }
    }

    /// The events that bring a reader from `from`, an older copy or one of
    /// another log, to this one: in the order in which they have to be written,
    /// each with the capability whose block it belongs to, all dated `at`.
    ///
    /// Changes are left out if the header does not declare the type of event
    /// for them.
    pub fn changes(
        &self,
        from: &Self,
        header: &Header,
        at: u64,
        out: &mut impl FnMut(Option<u16>, &[u8]),
    ) {
        let related = match Arc::ptr_eq(&self.origin, &from.origin) {
            true => from.known(),
            false => Known::default(),
        };
        let mut told = Change {
            header,
            at,
            raw: Vec::new(),
            out,
        };
        self.deletions(from, related, &mut told);
        for &class in self.classes.keys() {
            self.definitions(class, (from, related), &mut told);
        }
        for kept in self.symbols.from(related.symbols) {
            told.kept(kept.cap, kept.raw);
        }
        self.messages
            .changes((&from.messages, related.messages), (header, at), told.out);
    }

    /// Whether `from` has something under this key that differs here, or does
    /// not exist here any more.
    fn is_gone(&self, class: Class, key: u64, (from, related): (&Self, Known)) -> bool {
        let arrival = |of: &Self| of.get(class, key).map(|defined| defined.arrival);
        let before = arrival(from);
        before.is_some_and(|it| it > related.arrivals)
            || before.is_some() && before != arrival(self)
    }

    fn deletions(
        &self,
        from: &Self,
        related: Known,
        told: &mut Change<'_, impl FnMut(Option<u16>, &[u8])>,
    ) {
        let gone = |class, key| self.is_gone(class, key, (from, related));
        for (key, old) in from.sorted(Class::CapsetAssign) {
            let (capset, removed_cap) = (key >> 16, key as u16);
            if gone(Class::CapsetAssign, key) || gone(Class::CapsetCreate, capset) {
                let capset = capset as u32;
                let body = EventBody::CapsetRemoveCap {
                    capset,
                    removed_cap,
                };
                told.write(old.cap, &body);
            }
        }
        for (key, old) in from.sorted(Class::CapState) {
            // It was disabled before its creation was logged, and is deleted
            // now.
            if self.get(Class::CapState, key).is_none() && !gone(Class::CapCreate, key) {
                let deleted_cap = key as u16;
                told.write(old.cap, &EventBody::CapDelete { deleted_cap });
            }
        }
        for class in [Class::Task, Class::CapCreate, Class::CapsetCreate] {
            for (key, old) in from.sorted_beside(class, self) {
                if !gone(class, key) {
                    continue;
                }
                let body = match class {
                    Class::Task => EventBody::TaskDelete { task: key },
                    Class::CapCreate => EventBody::CapDelete {
                        deleted_cap: key as u16,
                    },
                    _ => EventBody::CapsetDelete { capset: key as u32 },
                };
                told.write(old.cap, &body);
            }
        }
    }

    fn definitions(
        &self,
        class: Class,
        (from, related): (&Self, Known),
        told: &mut Change<'_, impl FnMut(Option<u16>, &[u8])>,
    ) {
        // Members of a set that was replaced by another one have to be written
        // again.
        let ours = match class {
            Class::CapsetAssign => self.sorted(class),
            _ => self.sorted_beside(class, from),
        };
        for (key, defined) in ours {
            let before = from.get(class, key);
            let before = before.filter(|before| before.arrival <= related.arrivals);
            let of_new_set = class == Class::CapsetAssign
                && self.is_gone(Class::CapsetCreate, key >> 16, (from, related));
            match before {
                Some(before) if before.arrival == defined.arrival && !of_new_set => {
                    if before.raw != defined.raw {
                        told.moved(before, defined);
                    }
                }
                _ => told.defined(defined),
            }
        }
    }
}

fn by_arrival<'a>(defined: impl Iterator<Item = (u64, &'a Defined)>) -> Vec<(u64, &'a Defined)> {
    let mut sorted: Vec<_> = defined.collect();
    sorted.sort_unstable_by_key(|(_, defined)| defined.arrival);
    sorted
}

/// Where changes are written.
struct Change<'a, O> {
    header: &'a Header,
    at: u64,
    raw: Vec<u8>,
    out: &'a mut O,
}

impl<O: FnMut(Option<u16>, &[u8])> Change<'_, O> {
    /// Writes a new event, unless the header does not declare its type.
    fn write(&mut self, cap: Option<u16>, body: &EventBody<'_>) {
        self.raw.clear();
        if encode_event(self.header, self.at, body, &mut self.raw).is_ok() {
            (self.out)(cap, &self.raw);
        }
    }

    fn defined(&mut self, defined: &Defined) {
        self.raw.clear();
        defined.dated(self.at, &mut self.raw);
        (self.out)(defined.cap, &self.raw);
    }

    fn kept(&mut self, cap: Option<u16>, raw: &[u8]) {
        self.raw.clear();
        self.raw.extend_from_slice(raw);
        date(&mut self.raw, self.at);
        (self.out)(cap, &self.raw);
    }

    /// Writes that a task has moved.
    fn moved(&mut self, before: &Defined, now: &Defined) {
        let cap_of = |defined: &Defined| match defined.raw.body() {
            EventBody::TaskCreate { task, task_cap, .. } => Some((task, task_cap)),
            _ => None,
        };
        if let (Some((task, old_cap)), Some((_, new_cap))) = (cap_of(before), cap_of(now)) {
            let body = EventBody::TaskMigrate {
                task,
                old_cap,
                new_cap,
            };
            self.write(now.cap, &body);
        }
    }
}

#[cfg(test)]
#[path = "definitions/tests.rs"]
mod tests;
