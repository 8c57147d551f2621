//! Merges the events of all capabilities by time.
//!
//! A runtime system writes blocks, each of one capability, in any order. Here they are kept as they
//! are, and decoded in place when it is their turn: the events of the capability whose next event
//! is the earliest are passed on until another capability has an earlier one. That costs little
//! more than decoding.
//!
//! # Times
//!
//! Some events are dated back. Within a capability the order is always that of the log: an event
//! counts with its own time, or with the latest before it of the same capability if that is later,
//! or with the end of the block before. Events of different capabilities that count with the same
//! time are in the order of the stream.
//!
//! # What is certain
//!
//! A block that ends at `t` proves that its capability will write nothing earlier any more. So up
//! to the lowest such `t` of all capabilities nothing is missing, and what is before it is
//! [`Turn::Certain`]. A capability that is known, but has delivered nothing, counts with 0. The
//! global block does not count: its events describe the program, GHC 9.0 writes it only at exit,
//! and so it is passed on at once, before anything else that is held. The same applies to events
//! outside any block.
//!
//! When more than [`max_bytes`](MergeOptions::max_bytes) are held, the oldest events are passed on
//! regardless, as [`Turn::Early`]; an event that is earlier than one that was passed on before it
//! is [`Turn::Late`].
//!
//! Logs of GHC 9.0 do not say which capabilities there are until the program ends. For them the
//! merge waits for the first 16 MiB. The reader of a running program waits only as long
//! as [`Patience`] says.

mod fronts;
mod patience;
mod piece;
mod session;
mod stops;
mod window;

use crate::turn::Turn;
use ghc_eventlog::{
    Block, Decoder, Encoded, Ending, Error, Event, Gap, Header, Item, Run, Watermark,
};
pub use patience::Patience;
use piece::Pieces;
use session::Session;
use std::collections::VecDeque;
use std::sync::Arc;
pub use window::{Position, Window};

/// How a [`Merge`] behaves.
#[derive(Clone, Copy, Debug)]
pub struct MergeOptions {
    /// Hold at most about this many bytes.
    pub max_bytes: usize,
    /// Do not wait for capabilities that lag further than this many
    /// nanoseconds behind the most advanced one.
    pub stale_after: Option<u64>,
    /// Go on after a fault in the bytes: what is skipped is reported as [`Step::Gap`].
    pub recovery: bool,
}

impl MergeOptions {
    /// [`stale_after`](Self::stale_after) for running programs. In one that is flushed every
    /// second, all capabilities have been flushed by then.
    pub const LIVE_STALE_AFTER: u64 = 2_000_000_000;
}

impl Default for MergeOptions {
    /// 64 MiB, waiting for all capabilities, stopping at faults.
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            stale_after: None,
            recovery: false,
        }
    }
}

/// What a [`Merge`] passes on.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// A session begins, with this header.
    Session(&'a Arc<Header>),
    /// A block begins: its first event is next, if it has any.
    Block(&'a Block<'a>),
    /// An event.
    Event(&'a Event<'a>, Turn),
    /// Bytes that were skipped.
    Gap(&'a Gap),
    /// The mark at the end of a log, after everything before it.
    End,
}

/// Takes what a [`Merge`] passes on: a function that takes each [`Step`], or a type that takes
/// events before they are decoded.
pub trait Take {
    /// Takes a step.
    fn step(&mut self, step: Step<'_>);

    /// Takes an event.
    #[inline]
    fn event(&mut self, event: &Encoded<'_>, turn: Turn) {
        self.step(Step::Event(&event.decode(), turn));
    }
}

impl<F: FnMut(Step<'_>)> Take for F {
    #[inline]
    fn step(&mut self, step: Step<'_>) {
        self(step);
    }
}

/// The smallest number of bytes that are added to an incomplete item at a time.
const JOIN: usize = 4 << 10;

/// Blocks longer than this are decoded on arrival, to bound memory.
const WHOLE: u32 = 16 << 20;

/// Orders the events of a stream by time.
///
/// The stream is pushed as [bytes](Self::push_bytes) or as [items](Self::push) of a decoder. Call
/// [`drain`](Self::drain) after every few of either: this keeps memory bounded.
///
/// ```
/// use eventlog_state::{Merge, MergeOptions, Step};
/// use ghc_eventlog::{BlockBuilder, EventBody, Header};
///
/// let header = Header::standard();
/// let mut log = header.as_bytes().to_vec();
/// for (cap, times) in [(0, [10, 30]), (1, [20, 40])] {
///     let mut block = BlockBuilder::new(Some(cap));
///     for time in times {
///         block.push_body(&header, time, &EventBody::GcStart)?;
///     }
///     log.extend_from_slice(block.finish());
/// }
///
/// let mut merge = Merge::new(MergeOptions::default());
/// merge.push_bytes(&log);
/// merge.flush();
/// let mut times = Vec::new();
/// merge.drain(&mut |step| {
///     if let Step::Event(event, _) = step {
///         times.push(event.time);
///     }
/// })?;
/// assert_eq!(times, [10, 20, 30, 40]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Merge {
    options: MergeOptions,
    sessions: VecDeque<Session>,
    pieces: Pieces,
    intake: Intake,
    /// A fault in the stream, reported after everything before it.
    failed: Option<Error>,
    late: u64,
    /// How many headers have arrived.
    headers: u64,
}

/// The stream of bytes.
#[derive(Clone, Debug)]
struct Intake {
    decoder: Decoder,
    /// The beginning of an item that is not complete.
    rest: Vec<u8>,
    /// A block has begun, and it is not decided yet whether it can be taken undecoded.
    undecided: bool,
    /// The decoder at the beginning of the block whose bytes are taken undecoded.
    raw: Option<Box<Decoder>>,
    /// That block is known to end where its marker says.
    is_whole: bool,
    /// Blocks that begin before this are decoded.
    exact_until: u64,
}

impl Merge {
    /// A merge of a stream that has not begun.
    pub fn new(options: MergeOptions) -> Self {
        Self {
            options,
            sessions: VecDeque::new(),
            pieces: Pieces::default(),
            intake: Intake {
                decoder: Decoder::new().with_recovery(options.recovery),
                rest: Vec::new(),
                undecided: false,
                raw: None,
                is_whole: false,
                exact_until: 0,
            },
            failed: None,
            late: 0,
            headers: 0,
        }
    }

    /// Takes an item of a decoder. `header` is the decoder's current header.
    pub fn push(&mut self, item: &Item<'_>, header: Option<&Arc<Header>>) {
        match item {
            Item::Header => {
                self.close_session(false);
                self.headers += 1;
                let session = Session::new(header.cloned(), &self.options);
                self.sessions.push_back(session);
            }
            Item::Block(block) => {
                let session = session(&mut self.sessions, header, &self.options);
                self.pieces.block(block, &mut |piece| session.push(piece));
                session.announce(block.cap);
            }
            Item::Event(event) => self.push_run(&Run::from(*event), header),
            Item::End => self.close_session(true),
            Item::Gap(gap) => {
                let session = session(&mut self.sessions, header, &self.options);
                self.pieces.close(false, &mut |piece| session.push(piece));
                session.gap(*gap);
            }
            _ => {}
        }
    }

    /// Takes events of a decoder all together, instead of one by one.
    pub fn push_run(&mut self, run: &Run<'_>, header: Option<&Arc<Header>>) {
        let session = session(&mut self.sessions, header, &self.options);
        self.pieces.run(run, &mut |piece| session.push(piece));
    }

    /// Takes the next bytes of the stream, in any split. Blocks are not decoded yet: this is the
    /// fast way. A fault is returned by [`drain`](Self::drain), after everything before it.
    ///
    /// Use either this or [`push`](Self::push), not both.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        let mut input = bytes;
        while self.failed.is_none() {
            if self.intake.rest.is_empty() {
                if input.is_empty() {
                    return;
                }
                self.take(&mut input);
                continue;
            }
            // A little is enough to complete nearly every item.
            let enough = self.intake.rest.len().max(JOIN).min(input.len());
            let (more, after) = input.split_at(enough);
            input = after;
            let mut joined = std::mem::take(&mut self.intake.rest);
            joined.extend_from_slice(more);
            let mut all = &joined[..];
            while !all.is_empty() && self.intake.rest.is_empty() && self.failed.is_none() {
                self.take(&mut all);
            }
            if all.is_empty() && input.is_empty() {
                return;
            }
            self.intake.rest.extend_from_slice(all);
        }
    }

    /// Takes a block that ends where its marker says, of which that is known: as
    /// [`push_bytes`](Self::push_bytes), which would have to find it out.
    pub fn push_block(&mut self, block: &[u8]) {
        let intake = &mut self.intake;
        intake.is_whole = intake.rest.is_empty() && intake.raw.is_none() && !intake.undecided;
        self.push_bytes(block);
        self.intake.is_whole = false;
    }

    /// Takes bytes off the front, at least one, or all of them as an incomplete item.
    fn take(&mut self, input: &mut &[u8]) {
        if self.intake.undecided {
            if Decoder::may_begin_header(input) {
                if input.len() < 4 {
                    self.intake.rest.extend_from_slice(input);
                    *input = &[];
                    return;
                }
            } else {
                self.intake.raw = Some(Box::new(self.intake.decoder.clone()));
            }
            self.intake.undecided = false;
        }
        if self.intake.raw.is_none() {
            self.take_items(input);
            return;
        }
        let taken = self.intake.decoder.take_block_bytes(input);
        self.pieces.bytes(taken);
        if self.intake.decoder.left_of_block() != Some(0) {
            return;
        }
        let Some(before) = self.intake.raw.take() else {
            return;
        };
        let sound = self.intake.is_whole
            || Decoder::block_can_end_before(input)
            || self
                .pieces
                .events()
                .is_some_and(|events| before.are_events(events));
        if !sound {
            self.decode_raw(*before);
        } else if let Some(session) = self.sessions.back_mut() {
            self.pieces.check_end(&mut |piece| session.push(piece));
        }
    }

    /// The block does not end where its marker says, or has a fault: decodes it from its beginning.
    fn decode_raw(&mut self, before: Decoder) {
        self.intake.exact_until = self.intake.decoder.offset();
        self.intake.decoder = before;
        let bytes = self.pieces.take_back();
        let mut all = &bytes[..];
        while !all.is_empty() && self.failed.is_none() {
            self.take_items(&mut all);
        }
    }

    /// Decodes up to the beginning of a block that can be taken as it is.
    fn take_items(&mut self, input: &mut &[u8]) {
        loop {
            match self.intake.decoder.decode(input) {
                Ok(Item::NeedMore) => {
                    self.intake.rest.extend_from_slice(input);
                    *input = &[];
                    return;
                }
                Ok(item) => {
                    let header = self.intake.decoder.header().cloned();
                    self.push(&item, header.as_ref());
                    if let Item::Block(block) = item
                        && block.offset >= self.intake.exact_until
                        && header.is_some()
                        && (block.raw.len() as u32 + 1..=WHOLE).contains(&block.size)
                    {
                        self.intake.undecided = true;
                        return;
                    }
                }
                Err(error) => {
                    self.close_session(false);
                    self.failed = Some(error);
                    *input = &[];
                    return;
                }
            }
        }
    }

    /// Ends the stream: everything held can be passed on, including the part of an incomplete block
    /// that has arrived.
    pub fn flush(&mut self) {
        self.intake.undecided = false;
        if let Some(before) = self.intake.raw.take() {
            self.decode_raw(*before);
        }
        if let Some(session) = self.sessions.back_mut() {
            self.pieces.interrupt(&mut |piece| session.push(piece));
            session.closed = true;
        }
    }

    fn close_session(&mut self, ended: bool) {
        if let Some(session) = self.sessions.back_mut() {
            self.pieces.close(false, &mut |piece| session.push(piece));
            session.closed = true;
            session.ended |= ended;
        }
    }

    /// Passes on what is next, as far as that is certain.
    ///
    /// # Errors
    ///
    /// A fault in the bytes of the stream, once everything before it was passed on. It is final.
    #[inline]
    pub fn drain(&mut self, each: &mut impl FnMut(Step<'_>)) -> Result<(), Error> {
        self.drain_to(each)
    }

    /// The same for callers that do not need every event decoded.
    ///
    /// # Errors
    ///
    /// As [`drain`](Self::drain).
    #[inline]
    pub fn drain_to(&mut self, each: &mut impl Take) -> Result<(), Error> {
        self.drain_as::<false>(each, &|_| false)
    }

    /// The same, faster, for callers for whom only some events have to be in their place among those
    /// of other capabilities. The others, of which `is_apart` says so, may come before earlier ones
    /// of other capabilities (then as [`Turn::Early`]), but neither before nor after one that has to
    /// be in its place. Those of one capability are always in order.
    ///
    /// # Errors
    ///
    /// As [`drain`](Self::drain).
    #[inline]
    pub fn drain_apart(
        &mut self,
        each: &mut impl Take,
        is_apart: &impl Fn(&Encoded<'_>) -> bool,
    ) -> Result<(), Error> {
        self.drain_as::<true>(each, is_apart)
    }

    #[inline]
    fn drain_as<const APART: bool>(
        &mut self,
        each: &mut impl Take,
        is_apart: &impl Fn(&Encoded<'_>) -> bool,
    ) -> Result<(), Error> {
        self.before_draining();
        while let Some(session) = self.sessions.front_mut() {
            let pieces = &mut self.pieces;
            if let Err(error) = session.drain::<APART>(&self.options, pieces, each, is_apart) {
                self.fail(error);
                continue;
            }
            if !self.next_session(each) {
                break;
            }
        }
        self.failed.map_or(Ok(()), Err)
    }

    /// Passes on events outside any block, which never wait.
    fn before_draining(&mut self) {
        if self.pieces.is_outside()
            && let Some(session) = self.sessions.back_mut()
        {
            self.pieces.close(false, &mut |piece| session.push(piece));
        }
    }

    /// Leaves a session that has ended; returns whether there is another one.
    #[inline(never)]
    fn next_session(&mut self, each: &mut dyn Take) -> bool {
        let more = self.sessions.len() > 1;
        let Some(session) = self.sessions.front_mut() else {
            return false;
        };
        if std::mem::take(&mut session.ended) {
            each.step(Step::End);
        }
        if more && let Some(before) = self.sessions.pop_front() {
            self.late += before.late;
            if let Some(session) = self.sessions.front_mut() {
                session.follow(&before);
            }
        }
        more
    }

    /// Drops everything after the fault: it will not be passed on any more.
    #[cold]
    fn fail(&mut self, error: Error) {
        self.sessions.truncate(1);
        self.pieces = Pieces::default();
        if let Some(session) = self.sessions.front_mut() {
            session.end_at(error.offset);
        }
        self.failed = Some(error);
    }

    /// How far the current session is complete, by capability. The global block is not included.
    pub fn watermark(&self) -> Option<&Watermark> {
        self.sessions.back().map(|session| &session.watermark)
    }

    /// Bytes of blocks with events that wait to be put in order.
    pub fn waiting_bytes(&self) -> usize {
        self.sessions.iter().map(|session| session.held).sum()
    }

    /// Memory that is held, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.waiting_bytes() + self.pieces.held() + self.intake.rest.capacity()
    }

    /// How many events were passed on late so far.
    pub fn late(&self) -> u64 {
        let sessions: u64 = self.sessions.iter().map(|session| session.late).sum();
        self.late + sessions
    }

    /// How the [bytes](Self::push_bytes) end if no more are pushed, after
    /// [`flush`](Self::flush).
    pub fn ending(&self) -> Ending {
        self.intake.decoder.ending(&self.intake.rest)
    }
}

/// The session to which the next items belong.
fn session<'a>(
    sessions: &'a mut VecDeque<Session>,
    header: Option<&Arc<Header>>,
    options: &MergeOptions,
) -> &'a mut Session {
    match sessions.back() {
        Some(session) if !session.closed => {}
        // More of the same session after its end, or after a pause.
        Some(session) => sessions.push_back(session.continued(options)),
        None => sessions.push_back(Session::new(header.cloned(), options)),
    }
    let last = sessions.len() - 1;
    &mut sessions[last]
}
