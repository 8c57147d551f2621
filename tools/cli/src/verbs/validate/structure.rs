//! What can be wrong with the bytes of a log, whatever they mean.

use super::findings::{At, Findings, Severity, at_block, at_byte};
use crate::input::Outcome;
use anyhow::Result;
use ghc_eventlog::{Block, Decoder, Event, EventBody, Header, Item, Run, names};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Clone, Copy, Debug)]
struct Open {
    offset: u64,
    /// Where it ends; `None` if its marker gives no size.
    until: Option<u64>,
    begin: u64,
    end: u64,
    cap: Option<u16>,
}

/// Checks items in the order of the stream.
#[derive(Debug, Default)]
pub struct Structure {
    pub events: u64,
    pub blocks: u64,
    pub sessions: u64,
    block: Option<Open>,
    /// The end of the latest block, by capability.
    ends: BTreeMap<Option<u16>, u64>,
    marked: bool,
    told_outside: bool,
    told_after_end: bool,
    /// Types whose declared payload is too short: reported once each.
    short: BTreeSet<u16>,
    /// Types of declared size.
    fixed: BTreeSet<u16>,
    /// By type: whether nothing more has to be reported about the length of its payload.
    said: Vec<bool>,
    /// Finds the events of a run.
    decoder: Option<Decoder>,
    /// The end of the last item.
    position: u64,
}

impl Structure {
    pub fn header(&mut self, header: &Arc<Header>, findings: &mut Findings) -> Result<()> {
        self.sessions += 1;
        let at = at_byte(self.position);
        if self.sessions > 1 {
            let session = self.sessions;
            findings.tell(Severity::Warning, "second_header", at, || {
                format!("session {session} begins here; most tools read only one (see `eventlog repair`)")
            })?;
        }
        let mut sizes: BTreeMap<u16, Option<u16>> = BTreeMap::new();
        for kind in header.types() {
            match sizes.insert(kind.id, kind.size) {
                Some(other) if other != kind.size => {
                    findings.tell(Severity::Error, "declared_twice", at, || {
                        format!(
                            "event type {} is declared twice, with different sizes",
                            kind.id
                        )
                    })?;
                }
                Some(_) => {
                    findings.tell(Severity::Warning, "declared_twice", at, || {
                        format!("event type {} is declared twice", kind.id)
                    })?;
                }
                None => {}
            }
        }
        if header.event_type(ghc_eventlog::BLOCK_MARKER).is_none() {
            findings.tell(Severity::Error, "no_blocks", at, || {
                "the header does not declare block markers".to_owned()
            })?;
        }
        self.fixed = header
            .types()
            .iter()
            .filter(|t| t.size.is_some())
            .map(|t| t.id)
            .collect();
        self.said = vec![false; 256];
        self.decoder = Some(Decoder::at(Arc::clone(header), None, 0, 0));
        self.short.clear();
        self.block = None;
        self.ends.clear();
        (self.marked, self.told_outside, self.told_after_end) = (false, false, false);
        Ok(())
    }

    #[inline]
    pub fn item(&mut self, item: &Item<'_>, findings: &mut Findings) -> Result<()> {
        match item {
            Item::Event(event) => self.event(event, findings)?,
            Item::Block(block) => self.block(block, findings)?,
            Item::End => self.marked = true,
            Item::Gap(gap) => {
                let (error, length) = (gap.error, gap.length);
                findings.tell(Severity::Error, "unreadable", at_byte(error.offset), || {
                    format!("{}; {length} bytes skipped", error.kind)
                })?;
                self.position = error.offset + length;
                self.block = None;
            }
            _ => {}
        }
        Ok(())
    }

    /// Events that were not handed on one by one. They are all in the open block, or all outside
    /// any.
    pub fn run(&mut self, run: &Run<'_>, findings: &mut Findings) -> Result<()> {
        // The events that were handed on as items have been checked already.
        if run.offset < self.position {
            return Ok(());
        }
        let Some(mut decoder) = self.decoder.take() else {
            return Ok(());
        };
        let end = run.offset + run.raw.len() as u64;
        let inside = |open: &Open| open.until.is_none_or(|until| run.offset < until);
        let block = self.block.filter(inside).filter(|_| !self.marked);
        // Nearly all events are correct, and need not be decoded.
        let (begin, last) = block.map_or((1, 0), |open| (open.begin, open.end));
        let mut result = Ok(());
        let mut ordinary = 0;
        decoder.seek(run.cap, run.offset, end);
        decoder.events_until(&mut &*run.raw, &mut 0, u64::MAX, |event| {
            let said = self.said.get(usize::from(event.id())) == Some(&true);
            if said && begin <= event.time && event.time <= last {
                ordinary += 1;
            } else if result.is_ok() {
                result = self.event(&event.decode(), findings);
                self.says_no_more(event.id());
            }
        });
        self.events += ordinary;
        self.position = end;
        self.decoder = Some(decoder);
        result
    }

    /// An event of this type was checked. If all have the same size, the same holds for the others.
    #[cold]
    fn says_no_more(&mut self, id: u16) {
        let fixed = self.fixed.contains(&id);
        if let Some(said) = self.said.get_mut(usize::from(id)) {
            *said = fixed;
        }
    }

    fn block(&mut self, block: &Block<'_>, findings: &mut Findings) -> Result<()> {
        self.blocks += 1;
        let at = at_block(block);
        if let Some(open) = self.block
            && let Some(until) = open.until.filter(|&until| until > block.offset)
        {
            findings.tell(Severity::Error, "block_cut_short", at, || {
                format!(
                    "a block begins inside another: that at byte {} lacks {} of its bytes",
                    open.offset,
                    until - block.offset
                )
            })?;
        }
        if block.time > block.end {
            findings.tell(Severity::Error, "block_backwards", at, || {
                format!(
                    "the block begins at {} ns and ends before, at {} ns",
                    block.time, block.end
                )
            })?;
        }
        let last = self.ends.entry(block.cap).or_default();
        if block.end < *last {
            let last = *last;
            findings.tell(Severity::Error, "blocks_out_of_order", at, || {
                format!(
                    "the block ends at {} ns, an earlier one of this capability at {last} ns",
                    block.end
                )
            })?;
        }
        *last = (*last).max(block.end);
        let length = block.raw.len() as u64;
        let size = u64::from(block.size);
        if size < length {
            findings.tell(Severity::Warning, "block_without_size", at, || {
                format!("the block claims {size} bytes; it was read up to the next marker")
            })?;
        }
        self.block = Some(Open {
            offset: block.offset,
            until: (size >= length).then_some(block.offset + size),
            begin: block.time,
            end: block.end,
            cap: block.cap,
        });
        self.position = block.offset + length;
        self.after_end(at, findings)
    }

    #[inline]
    fn event(&mut self, event: &Event<'_>, findings: &mut Findings) -> Result<()> {
        self.events += 1;
        self.position = event.offset + event.raw.len() as u64;
        match self.block {
            Some(open) if open.until.is_none_or(|until| event.offset < until) => {
                if event.time > open.end || event.time < open.begin {
                    self.outside_times(event, open, findings)?;
                }
            }
            _ => self.outside(event, findings)?,
        }
        if let EventBody::Unknown { id, payload } = event.body {
            self.short(event, id, payload, findings)?;
        }
        if self.marked {
            self.after_end(At::event(event), findings)?;
        }
        Ok(())
    }

    #[cold]
    fn outside(&mut self, event: &Event<'_>, findings: &mut Findings) -> Result<()> {
        // Systems before 7.2 write these between the header and the first
        // block: they are about the program, not about a capability.
        let about_program = matches!(
            event.body,
            EventBody::Startup { .. }
                | EventBody::CapsetCreate { .. }
                | EventBody::CapsetAssignCap { .. }
                | EventBody::RtsIdentifier { .. }
                | EventBody::ProgramArgs { .. }
                | EventBody::ProgramEnv { .. }
                | EventBody::OsprocessPid { .. }
                | EventBody::OsprocessPpid { .. }
                | EventBody::WallClockTime { .. }
        );
        if about_program || std::mem::replace(&mut self.told_outside, true) {
            return Ok(());
        }
        findings.tell(Severity::Warning, "outside_block", At::event(event), || {
            format!(
                "{} lies outside any block: its capability is unknown",
                event.name()
            )
        })
    }

    #[cold]
    fn outside_times(&self, event: &Event<'_>, open: Open, findings: &mut Findings) -> Result<()> {
        // Written with the time at which it happened, not that of writing.
        let dated_back = matches!(
            event.body,
            EventBody::GcStart
                | EventBody::GcEnd
                | EventBody::ConcSyncBegin
                | EventBody::WallClockTime { .. }
        );
        let (severity, what) = match event.time > open.end {
            true => (Severity::Error, "later than the end"),
            false if dated_back || open.cap.is_none() => return Ok(()),
            false => (Severity::Warning, "earlier than the beginning"),
        };
        findings.tell(severity, "outside_block_times", At::event(event), || {
            let by = if event.time > open.end {
                event.time - open.end
            } else {
                open.begin - event.time
            };
            format!("{} is {what} of its block, by {by} ns", event.name())
        })
    }

    fn after_end(&mut self, at: At, findings: &mut Findings) -> Result<()> {
        if !self.marked || std::mem::replace(&mut self.told_after_end, true) {
            return Ok(());
        }
        findings.tell(Severity::Warning, "after_end", at, || {
            "there is more after the mark at the end; some tools stop there".to_owned()
        })
    }

    /// After the last byte.
    pub fn finish(&mut self, outcome: &Outcome, findings: &mut Findings) -> Result<()> {
        let ending = &outcome.ending;
        if let Some(error) = outcome.fault {
            return findings.tell(Severity::Error, "unreadable", at_byte(error.offset), || {
                error.kind.to_string()
            });
        }
        if let Some(gap) = ending.gap {
            return findings.tell(
                Severity::Error,
                "unreadable",
                at_byte(gap.error.offset),
                || {
                    format!(
                        "{}; nothing readable follows in {} bytes",
                        gap.error.kind, gap.length
                    )
                },
            );
        }
        let at = at_byte(self.position);
        if !ending.header {
            return findings.tell(Severity::Error, "no_header", at_byte(0), || {
                format!("there is no complete header, only {} bytes", ending.left)
            });
        }
        if ending.left > 0 {
            return findings.tell(Severity::Error, "truncated", at, || {
                format!(
                    "the log breaks off in the middle of an event; {} bytes are left over",
                    ending.left
                )
            });
        }
        if !self.marked {
            let open = self.block.and_then(|open| Some((open.offset, open.until?)));
            if let Some((offset, until)) = open.filter(|&(_, until)| until > self.position) {
                let lacks = until - self.position;
                return findings.tell(Severity::Error, "truncated", at, || {
                    format!("the log breaks off; the block at byte {offset} lacks {lacks} bytes")
                });
            }
            return findings.tell(Severity::Warning, "no_end_mark", at, || {
                "there is no mark at the end: the program was killed, or is still running"
                    .to_owned()
            });
        }
        Ok(())
    }

    #[cold]
    fn short(
        &mut self,
        event: &Event<'_>,
        id: u16,
        payload: &[u8],
        findings: &mut Findings,
    ) -> Result<()> {
        // Some types have a name but no known fields.
        let Some(name) = names::name_of(id).filter(|_| names::is_typed(id)) else {
            return Ok(());
        };
        let (length, at) = (payload.len(), At::event(event));
        if self.fixed.contains(&id) {
            if self.short.insert(id) {
                findings.tell(Severity::Warning, "short_type", at, || {
                    format!("{name} is declared with {length} bytes, too few for its fields: not checked")
                })?;
            }
            return Ok(());
        }
        findings.tell(Severity::Error, "short_payload", at, || {
            format!("{name} has only {length} bytes: too few for its fields")
        })
    }
}
