//! Global events that arrive before the events of capabilities of the same time.
//!
//! Events of the global block are handed on as soon as they arrive, even where the events of
//! capabilities are in the order of time. For a cut that is too early, because events of
//! capabilities also decide where it begins and ends.

use anyhow::Result;
use ghc_eventlog::{Decoder, Event, Header, Item};
use std::collections::VecDeque;
use std::sync::Arc;

/// The events that wait.
#[derive(Debug)]
pub struct Early {
    waiting: VecDeque<Waiting>,
    bytes: u64,
    most: u64,
    /// The time up to which events of capabilities have been handed on.
    reached: u64,
}

/// An event that waits.
#[derive(Debug)]
pub struct Waiting {
    time: u64,
    offset: u64,
    raw: Box<[u8]>,
}

impl Early {
    /// At most about `most` bytes wait.
    pub fn new(most: u64) -> Self {
        Self {
            waiting: VecDeque::new(),
            bytes: 0,
            most,
            reached: 0,
        }
    }

    /// Keeps a global event, unless capabilities have reached its time.
    pub fn takes(&mut self, event: &Event<'_>) -> bool {
        if event.time <= self.reached && self.waiting.is_empty() {
            return false;
        }
        let waiting = Waiting {
            time: event.time,
            offset: event.offset,
            raw: event.raw_for_moving().into(),
        };
        self.bytes += waiting.size();
        self.waiting.push_back(waiting);
        true
    }

    /// The next one, once capabilities have reached this time. The order is that of the log.
    pub fn until(&mut self, time: u64) -> Option<Waiting> {
        self.reached = self.reached.max(time);
        match self.waiting.front()?.time <= self.reached {
            true => self.next(),
            false => None,
        }
    }

    /// The next one, if there are too many.
    pub fn too_many(&mut self) -> Option<Waiting> {
        match self.bytes > self.most {
            true => self.next(),
            false => None,
        }
    }

    fn next(&mut self) -> Option<Waiting> {
        let next = self.waiting.pop_front()?;
        self.bytes -= next.size();
        Some(next)
    }
}

impl Waiting {
    fn size(&self) -> u64 {
        (size_of::<Self>() + self.raw.len()) as u64
    }

    /// Hands it on under its header.
    pub fn with(
        &self,
        header: Arc<Header>,
        mut each: impl FnMut(&Event<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut decoder = Decoder::at(header, None, self.offset, u64::MAX);
        match decoder.decode(&mut &*self.raw) {
            Ok(Item::Event(event)) => each(&event),
            // It was decoded before, so there is nothing else.
            _ => Ok(()),
        }
    }
}
