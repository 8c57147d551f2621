//! Decodes the events between two entries again.

use crate::cap::{Cap, Entry, Exceptions};
use crate::machine::{Machine, Sums, Was};
use crate::read_at::ReadAt;
use crate::state_event::{Class, StateEvent};
use ghc_eventlog::{Decoder, Header, Item};
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Reads parts of a log again, and reuses its buffers.
#[derive(Debug)]
pub(crate) struct Replay<'a, L: ?Sized> {
    log: &'a L,
    decoder: Decoder,
    bytes: Vec<u8>,
}

/// Receives what happens during the replay: before each event the state so far, and the
/// interval that ends with it.
pub(crate) trait See {
    /// What is summed up.
    type Sums: Sums;

    /// The capability has changed its state.
    fn was(&mut self, was: &Was) -> ControlFlow<()>;

    /// There is a thread event at that time.
    fn thread(&mut self, _machine: &Machine, _time: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// The end of the replay, unless it was stopped before, with the state there.
    fn end(&mut self, machine: &Machine);
}

impl<'a, L: ReadAt + ?Sized> Replay<'a, L> {
    pub(crate) fn new(header: Arc<Header>, log: &'a L) -> Self {
        Self {
            log,
            decoder: Decoder::at(header, None, 0, 0),
            bytes: Vec::new(),
        }
    }

    fn read(&mut self, from: u64, to: u64) -> io::Result<()> {
        let length = usize::try_from(to.saturating_sub(from));
        let length = length.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.bytes.resize(length, 0);
        let mut at = 0;
        while at < length {
            let more = self.log.read_at(from + at as u64, &mut self.bytes[at..]);
            match more {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                Ok(more) => at += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Replays from an entry of capability `number` up to the next one; the bytes before
    /// that one end at `end`.
    pub(crate) fn window<S: See>(
        &mut self,
        (number, cap): (u16, &Cap),
        entry: &Entry,
        end: u64,
        see: &mut S,
    ) -> io::Result<()> {
        let mut machine = entry.machine;
        if !S::Sums::CAP {
            machine.weigh();
        }
        if end <= entry.offset {
            see.end(&machine);
            return Ok(());
        }
        self.read(entry.offset, end)?;
        let Self { decoder, bytes, .. } = self;
        if events(decoder, bytes, (number, cap, entry), &mut machine, see).is_continue() {
            see.end(&machine);
        }
        Ok(())
    }
}

fn events<S: See>(
    decoder: &mut Decoder,
    bytes: &[u8],
    (number, cap, entry): (u16, &Cap, &Entry),
    machine: &mut Machine,
    see: &mut S,
) -> ControlFlow<()> {
    let mut exceptions = cap.exceptions(entry);
    let own = Some(number).filter(|_| entry.block_stop > entry.offset);
    decoder.seek(own, entry.offset, entry.block_stop);
    let mut is_own = own.is_some();
    let mut rest = bytes;
    loop {
        if is_own {
            let mut flow = ControlFlow::Continue(());
            let _ = decoder.for_each_event(&mut rest, |event| {
                if event.cap != Some(number) {
                    return ControlFlow::<()>::Continue(());
                }
                if let Some(told) = StateEvent::of(&event.encoded(), number) {
                    flow = take(machine, &mut exceptions, event.time, told, see);
                }
                flow
            });
            flow?;
        }
        match decoder.decode(&mut rest) {
            Ok(Item::Block(block)) => {
                is_own = block.cap == Some(number);
                let length = block.raw.len() as u64;
                if is_own {
                    let ended = match S::Sums::CAP {
                        true => machine.block(block.time, block.end),
                        false => None,
                    };
                    for was in ended.iter().flatten() {
                        see.was(was)?;
                    }
                } else if let Some(skip) = u64::from(block.size).checked_sub(length) {
                    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
                    rest = rest.get(skip..).unwrap_or_default();
                    let next = block.offset + u64::from(block.size);
                    decoder.seek(None, next, next);
                }
            }
            Ok(Item::NeedMore) | Err(_) => return ControlFlow::Continue(()),
            Ok(Item::Event(event)) if event.cap == Some(number) => {
                if let Some(told) = StateEvent::of(&event.encoded(), number) {
                    take(machine, &mut exceptions, event.time, told, see)?;
                }
            }
            Ok(_) => {}
        }
    }
}

#[inline]
fn take<S: See>(
    machine: &mut Machine,
    exceptions: &mut Exceptions<'_>,
    time: u64,
    told: StateEvent,
    see: &mut S,
) -> ControlFlow<()> {
    let mut before = Class::Away;
    if let StateEvent::Thread(_, act) = told {
        before = exceptions.before(act);
        if S::Sums::THREADS {
            see.thread(machine, time)?;
        }
    }
    match machine.take::<S::Sums>(time, told, before) {
        Some(was) => see.was(&was),
        None => ControlFlow::Continue(()),
    }
}
