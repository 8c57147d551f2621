//! Global events that come before capabilities have told of the same time.
//!
//! What is in the global block comes as soon as it is there, also where the
//! events of capabilities come in the order of time. For a cut that is too
//! early: what begins and ends there is told by capabilities, too.

use anyhow::Result;
use ghc_eventlog::{Decoder, Event, Header, Item};
use std::collections::VecDeque;
use std::sync::Arc;

/// Those that wait.
#[derive(Debug)]
pub struct Early {
    waiting: VecDeque<Waiting>,
    bytes: u64,
    most: u64,
    /// What capabilities have told of so far.
    reached: u64,
}

/// One of them.
#[derive(Debug)]
pub struct Waiting {
    time: u64,
    offset: u64,
    raw: Box<[u8]>,
}

impl Early {
    /// At most about so many bytes wait.
    pub fn new(most: u64) -> Self {
        Self {
            waiting: VecDeque::new(),
            bytes: 0,
            most,
            reached: 0,
        }
    }

    /// Keeps a global event, unless its time has come.
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

    /// The next one, once capabilities have come to this time. The order is that
    /// of the log.
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
            // It was an event before.
            _ => Ok(()),
        }
    }
}
