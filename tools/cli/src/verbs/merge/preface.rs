//! What a file that continues a recording repeats of the files before it.
//!
//! Such a file begins with blocks that were not in the stream: definitions,
//! with a message that says so at their end, then at most one block for each
//! capability, with running totals, the threads that exist, and the one that
//! runs. Nothing marks the end of these blocks, but they are of a shape that
//! the runtime system does not write.

use ghc_eventlog::notes::Note;
use ghc_eventlog::{Event, EventBody, Item};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// In the global blocks at the beginning.
    #[default]
    Global,
    /// Behind the message: in the blocks of capabilities.
    Caps,
    /// It is known whether and where it ends.
    Done,
}

/// Finds the end.
#[derive(Debug, Default)]
pub struct Preface {
    state: State,
    end: Option<u64>,
    cap: Option<u16>,
    /// The time of all threads that are created there.
    created: Option<u64>,
    /// A thread runs: the last that is said of a capability.
    complete: bool,
    position: u64,
}

impl Preface {
    /// Takes note of an item, from the first one on.
    pub fn item(&mut self, item: &Item<'_>) {
        match (self.state, item) {
            (State::Done, _) => {}
            (State::Global, Item::Block(block)) if block.cap.is_none() => {}
            (State::Caps, Item::Block(block)) => {
                // The block before it was of the right shape.
                self.end = Some(block.offset);
                let next = block.cap > self.cap && !block.is_empty();
                (self.cap, self.complete) = (block.cap, false);
                if !next {
                    self.state = State::Done;
                }
            }
            (State::Global, Item::Event(event)) => {
                self.position = event.offset + event.raw.len() as u64;
                if let Some(Note::Continues { .. }) = Note::of(event) {
                    self.state = State::Caps;
                    self.end = Some(self.position);
                }
            }
            (State::Caps, Item::Event(event)) => {
                self.position = event.offset + event.raw.len() as u64;
                if event.cap.is_some() && !self.fits(event) {
                    self.state = State::Done;
                }
            }
            _ => self.state = State::Done,
        }
    }

    /// Where the preface ends; `None` if there is none.
    pub fn end(&self) -> Option<u64> {
        match self.state {
            State::Caps => self.end.map(|_| self.position),
            _ => self.end,
        }
    }

    /// Whether an event can be part of a capability's block there.
    fn fits(&mut self, event: &Event<'_>) -> bool {
        if self.complete {
            return false;
        }
        match event.body {
            EventBody::HeapAllocated { .. }
            | EventBody::HeapSize { .. }
            | EventBody::HeapLive { .. }
            | EventBody::BlocksSize { .. }
            | EventBody::SparkCounters { .. } => true,
            EventBody::CreateThread { .. } | EventBody::ThreadLabel { .. } => {
                *self.created.get_or_insert(event.time) == event.time
            }
            EventBody::RunThread { .. } => {
                self.complete = true;
                true
            }
            _ => false,
        }
    }
}
