//! Decodes the events between two entries again.

use crate::cap::{Cap, Entry, Exceptions, block_stop};
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
    /// that one end at `end`. What is needed is expected to end at `enough`: the rest is only read
    /// if it does not.
    pub(crate) fn window<S: See>(
        &mut self,
        (number, cap): (u16, &Cap),
        entry: &Entry,
        (enough, end): (u64, u64),
        see: &mut S,
    ) -> io::Result<()> {
        let mut machine = entry.machine;
        if !S::Sums::CAP {
            machine.weigh();
        }
        let mut course = Course {
            number,
            exceptions: cap.exceptions(entry),
            own: Some(entry.block_stop).filter(|stop| *stop > entry.offset),
        };
        let own = course.own.map(|_| number);
        self.decoder.seek(own, entry.offset, entry.block_stop);
        let (mut at, mut to) = (entry.offset, enough.min(end));
        while at < end {
            self.read(at, to)?;
            match course.events(&mut self.decoder, &self.bytes, &mut machine, see) {
                ControlFlow::Break(()) => return Ok(()),
                ControlFlow::Continue(Left::Nothing) => break,
                ControlFlow::Continue(Left::More) if to >= end => break,
                ControlFlow::Continue(Left::More) => (at, to) = (self.decoder.offset(), end),
            }
        }
        see.end(&machine);
        Ok(())
    }
}

/// Whether there may be more events behind those that were read.
enum Left {
    More,
    Nothing,
}

/// How far a replay has come.
struct Course<'a> {
    number: u16,
    exceptions: Exceptions<'a>,
    /// Where the block ends that the decoder is in, if it is one of this capability.
    own: Option<u64>,
}

impl Course<'_> {
    /// Replays the events in `bytes`, which is where the decoder is.
    fn events<S: See>(
        &mut self,
        decoder: &mut Decoder,
        bytes: &[u8],
        machine: &mut Machine,
        see: &mut S,
    ) -> ControlFlow<(), Left> {
        let (number, exceptions) = (self.number, &mut self.exceptions);
        let mut rest = bytes;
        loop {
            if let Some(stop) = self.own {
                let mut flow = ControlFlow::Continue(());
                let length = decoder.events_while(rest, |event| {
                    if event.cap == Some(number)
                        && let Some(told) = StateEvent::of(event, number)
                    {
                        flow = take(machine, exceptions, event.time, told, see);
                    }
                    flow.is_continue()
                });
                flow?;
                rest = &rest[length..];
                decoder.seek(Some(number), decoder.offset() + length as u64, stop);
            }
            match decoder.decode(&mut rest) {
                Ok(Item::Block(block)) => {
                    let is_own = block.cap == Some(number);
                    self.own = is_own.then(|| block_stop(&block));
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
                Ok(Item::NeedMore) => return ControlFlow::Continue(Left::More),
                Err(_) => return ControlFlow::Continue(Left::Nothing),
                Ok(Item::Event(event)) if event.cap == Some(number) => {
                    if let Some(told) = StateEvent::of(&event.encoded(), number) {
                        take(machine, exceptions, event.time, told, see)?;
                    }
                }
                Ok(_) => {}
            }
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
