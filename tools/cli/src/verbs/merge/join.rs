//! Parts of one recording, put together again.
//!
//! Each part after the first begins with what the earlier ones have told
//! already. That is left out, the rest is copied in the order of the parts.
//! What the runtime system itself repeats when a log is started again is left
//! out as well: definitions, threads that exist already.

use crate::analysis::blocks::Ends;
use crate::analysis::snapshot::defines;
use crate::errors::{self, Advise};
use crate::progress::Progress;
use anyhow::Result;
use eventlog_source::{Connection, Source};
use ghc_eventlog::{BlockBuilder, Event, EventBody, Header, Item, ReadError, Reader, StopStatus};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::Path;

/// Bytes of a block that are held at most.
const LARGEST: usize = 8 << 20;
/// At most so many definitions and threads are kept in mind.
const MOST: usize = 1 << 21;

/// What has been told.
#[derive(Default)]
pub struct Join {
    /// Definitions, by a hash of all but their times.
    told: HashSet<u64>,
    clock: bool,
    ends: Ends,
    alive: HashSet<u32>,
    running: HashMap<u16, u32>,
    /// Events that were left out.
    pub repeated: u64,
    pub dropped: u64,
}

impl Join {
    /// Copies a part, from that byte on. The answer is the fault that ended it,
    /// if any did.
    pub fn part(
        &mut self,
        path: &Path,
        from: u64,
        header: &Header,
        out: &mut impl Write,
    ) -> Result<Option<ghc_eventlog::Error>> {
        let shown = path.display();
        let mut file = Connection::open(path).advise(format_args!("cannot open {shown}"), "")?;
        let size = Source::File(path.to_owned()).log_size();
        Progress::always("joining", size).watch(&mut file);
        let mut reader = Reader::new(file);
        let mut block = BlockBuilder::new(None);
        let mut end = None;
        let fault = loop {
            match reader.next_item() {
                Ok(Some(Item::Event(event))) => {
                    if event.offset < from || self.repeats(&event) {
                        self.repeated += 1;
                        continue;
                    }
                    if end.is_none() && block.cap() != event.cap {
                        block.reset(event.cap);
                    }
                    if !event.fits(header) {
                        self.dropped +=
                            u64::from(block.push_body(header, event.time, &event.body).is_err());
                    } else {
                        block.push(&event);
                    }
                    if block.len() >= LARGEST {
                        self.ends.write(&mut block, out)?;
                        block.reset(event.cap);
                    }
                }
                Ok(Some(Item::Block(next))) if next.offset < from => {}
                Ok(Some(Item::Block(next))) => {
                    self.close(&mut block, end, out)?;
                    block.reset(next.cap);
                    end = Some((next.time, next.end));
                }
                Ok(Some(Item::Header)) => {
                    self.close(&mut block, end.take(), out)?;
                    block.reset(None);
                }
                Ok(Some(_)) => {}
                Ok(None) => break None,
                Err(ReadError::Format(fault)) => break Some(fault),
                Err(ReadError::Io(error)) => {
                    return Err(error).advise(format_args!("cannot read {shown}"), "");
                }
            }
        };
        self.close(&mut block, end, out)?;
        if reader.ending().left > 0 {
            let left = reader.ending().left;
            errors::warn(format_args!(
                "{shown} ends with {left} bytes of an incomplete event"
            ));
        }
        Ok(fault)
    }

    /// Whether an event tells again what is known.
    fn repeats(&mut self, event: &Event<'_>) -> bool {
        match event.body {
            EventBody::CreateThread { thread } => {
                self.alive.len() < MOST && !self.alive.insert(thread)
            }
            EventBody::RunThread { thread } => {
                let Some(cap) = event.cap else { return false };
                self.running.insert(cap, thread) == Some(thread)
            }
            EventBody::StopThread { thread, status, .. } => {
                if let Some(cap) = event.cap {
                    self.running.remove(&cap);
                }
                if status == StopStatus::FINISHED {
                    self.alive.remove(&thread);
                }
                false
            }
            EventBody::WallClockTime { .. } => std::mem::replace(&mut self.clock, true),

            // These come and go.
            EventBody::CapEnable { .. } | EventBody::CapDisable { .. } => false,
            body if defines(&body) => self.knows(event),
            _ => false,
        }
    }

    fn knows(&mut self, event: &Event<'_>) -> bool {
        let mut hash = DefaultHasher::new();
        (event.id(), event.cap, event.payload()).hash(&mut hash);
        self.told.len() < MOST && !self.told.insert(hash.finish())
    }

    fn close(
        &mut self,
        block: &mut BlockBuilder,
        times: Option<(u64, u64)>,
        out: &mut impl Write,
    ) -> Result<()> {
        if let Some((begin, end)) = times {
            block.cover(begin.min(end), end);
        } else if block.is_empty() {
            return Ok(());
        }
        Ok(self.ends.write(block, out)?)
    }
}
