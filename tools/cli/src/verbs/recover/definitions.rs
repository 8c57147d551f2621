//! The definitions of slot and tables, without those that the chunks contain as well.

use super::chunk::{Checker, Task};
use eventlog_ring_file::{RingReader, TornTables};
use ghc_eventlog::{BlockBuilder, EventBody, Header, encode_event, ids};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

/// Whole events, each once.
#[derive(Debug, Default)]
pub struct Definitions {
    events: Vec<Definition>,
    /// Where each is in `events`.
    places: HashMap<Vec<u8>, usize>,
    /// Bytes that are not events although their checksum is correct.
    pub unreadable: u64,
    /// What was damaged in the tables.
    pub torn: TornTables,
}

#[derive(Debug)]
struct Definition {
    time: u64,
    task: Option<Task>,
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
            let Some(raw) = checker.repaired(event) else {
                self.unreadable += event.raw.len() as u64;
                return;
            };
            let place = self.events.len();
            if !self.places.contains_key(&*raw) {
                self.places.insert(raw.into_owned(), place);
                self.events.push(Definition {
                    time: event.time,
                    task: Task::of(event),
                    repeated: false,
                });
            }
        });
        self.unreadable += left as u64;
    }

    /// A recovered chunk contains this event.
    pub fn repeated(&mut self, event: &[u8]) {
        if let Some(&place) = self.places.get(event) {
            self.events[place].repeated = true;
        }
    }

    /// Adds the creation of each task that occurs in these chunks and was created before them;
    /// returns how many were added. A task that is deleted leaves no definition behind, but some
    /// readers stop at a log in which a task occurs that was not created.
    pub fn create_tasks<'a>(
        &mut self,
        header: &Header,
        time: u64,
        did: impl Iterator<Item = &'a Task>,
    ) -> u64 {
        let mut alive = HashSet::new();
        for about in self.events.iter_mut().filter(|about| !about.repeated) {
            match about.task {
                Some(Task::Create(task)) => _ = alive.insert(task),
                // Where it was before its creation is not needed.
                Some(Task::Migrate(task, _)) => about.repeated = !alive.contains(&task),
                Some(Task::Delete(task)) => about.repeated = !alive.remove(&task),
                None => {}
            }
        }
        let mut made_up = 0;
        for done in did {
            let (task, task_cap) = match *done {
                Task::Create(task) => {
                    alive.insert(task);
                    continue;
                }
                Task::Migrate(task, cap) => (task, cap),
                Task::Delete(task) => (task, 0),
            };
            let known = match done {
                Task::Delete(_) => alive.remove(&task),
                _ => !alive.insert(task),
            };
            let create = EventBody::TaskCreate {
                task,
                task_cap,
                kernel_thread: 0,
            };
            let mut raw = Vec::new();
            // The header of a log in which tasks do something declares how they are created.
            if known || encode_event(header, time, &create, &mut raw).is_err() {
                continue;
            }
            made_up += 1;
            let place = *self.places.entry(raw).or_insert(self.events.len());
            if place == self.events.len() {
                self.events.push(Definition {
                    time,
                    task: Some(Task::Create(task)),
                    repeated: false,
                });
            }
            self.events[place].repeated = false;
        }
        made_up
    }

    /// Two blocks with the definitions that are not repeated: for the beginning and for the end of
    /// the log. Each is empty if there is nothing to put in it.
    ///
    /// Nothing in the first is later than `limit`, when the first global chunk begins: a later
    /// definition gets `limit` as its time, because it must be known from the beginning. The wall
    /// clock cannot be moved, and is written at the end.
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
        let mut block = BlockBuilder::new(None);
        block.cover(begin, self.end);
        block.push_raw(self.end, &self.bytes);
        block.finish().to_vec()
    }
}
