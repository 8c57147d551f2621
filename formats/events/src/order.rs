//! Events of all capabilities ordered by time, in bounded memory.
//!
//! A live stream delivers each capability's events in blocks, and blocks of
//! different capabilities in any order. [`Order`] holds events back until the
//! [`Watermark`] shows that nothing earlier can still arrive, and then returns
//! them by time; for equal times, in the order of arrival.
//!
//! Two things can make an event late, that is, earlier than one already
//! returned. Some events are dated back and can even precede their block's
//! beginning: `slack` keeps a distance from the watermark to catch those. And
//! when more than `max_bytes` are held (because capabilities are idle, or for a
//! GHC 9.0 program, whose global buffer is written at exit), the oldest are
//! returned regardless. Late events are delivered all the same, and marked.
//!
//! Implementation: each capability has a queue of its events, which are nearly
//! sorted already; those dated back are put into a heap of stragglers. The next
//! event is the least of the fronts. Nothing is ever quadratic, whatever the
//! input.

use crate::body::EventBody;
use crate::chunks::Chunks;
use crate::event::{Block, Event, Item};
use crate::layout::GLOBAL;
use crate::old::Form;
use crate::watermark::Watermark;
use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

/// How an [`Order`] behaves.
#[derive(Clone, Copy, Debug)]
pub struct OrderOptions {
    /// Hold back at most about this many bytes.
    pub max_bytes: usize,
    /// Stay this many nanoseconds behind the watermark.
    pub slack: u64,
    /// Do not wait for capabilities that lag further than this many
    /// nanoseconds behind the most advanced one.
    pub stale_after: Option<u64>,
}

impl Default for OrderOptions {
    /// 64 MiB, 10 ms (twice the largest seen), and waiting for all
    /// capabilities.
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            slack: 10_000_000,
            stale_after: None,
        }
    }
}

/// An event in order.
#[derive(Clone, Copy, Debug)]
pub struct Ordered<'a> {
    /// The event.
    pub event: Event<'a>,
    /// Whether a later one was returned before it.
    pub late: bool,
}

/// Where an event is held. Compares by session, time, and arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    session: u64,
    time: u64,
    arrival: u64,
    offset: u64,
    chunk: u32,
    at: u32,
    length: u32,
    cap: u16,
    form: Form,
}

/// An entry of the heap of fronts: enough of [`Held`] to compare, and the queue
/// whose front it is.
type Front = Reverse<((u64, u64, u64), u16)>;

/// Number of entries for which an empty queue keeps memory.
const KEPT: usize = 64;

/// Sorts a live stream: push items, pull events.
#[derive(Debug)]
pub struct Order {
    options: OrderOptions,
    watermark: Watermark,
    queues: BTreeMap<u16, VecDeque<Held>>,
    fronts: BinaryHeap<Front>,
    stragglers: BinaryHeap<Reverse<Held>>,
    chunks: Chunks,
    events: usize,
    arrivals: u64,
    session: u64,
    /// The block that is arriving, and where it ends.
    block: Option<(Option<u16>, u64, u64)>,
    handed_on: (u64, u64),
    late: u64,
}

impl Order {
    /// An order that holds nothing yet.
    pub fn new(options: OrderOptions) -> Self {
        Self {
            options,
            watermark: Watermark::new(options.stale_after),
            queues: BTreeMap::new(),
            fronts: BinaryHeap::new(),
            stragglers: BinaryHeap::new(),
            chunks: Chunks::default(),
            events: 0,
            arrivals: 0,
            session: 0,
            block: None,
            handed_on: (0, 0),
            late: 0,
        }
    }

    /// Takes an item of the decoder. Pull events with
    /// [`next_event`](Self::next_event) until there are none, at least after
    /// every few items: this keeps memory bounded.
    pub fn push(&mut self, item: &Item<'_>) {
        match item {
            Item::Header => {
                // Times begin again. What is held belongs before it.
                self.flush();
                self.watermark = Watermark::new(self.options.stale_after);
            }
            Item::Block(block) => self.begin(block),
            Item::Event(event) => self.hold(event),
            Item::End => self.flush(),
            Item::Gap(_) => self.block = None,
            Item::NeedMore => {}
        }
    }

    /// Nothing more will arrive: everything held can be pulled.
    pub fn flush(&mut self) {
        self.block = None;
        self.session += 1;
    }

    /// The next event, if nothing earlier can still arrive.
    pub fn next_event(&mut self) -> Option<Ordered<'_>> {
        self.chunks.release();
        let front = self.fronts.peek().map(|Reverse((key, _))| *key);
        let straggler = self.stragglers.peek().map(|Reverse(held)| held.key());
        let (session, time, _) = match (front, straggler) {
            (Some(a), Some(b)) => a.min(b),
            (a, b) => a.or(b)?,
        };
        let complete = session < self.session
            || time <= self.watermark.low().saturating_sub(self.options.slack);
        if !complete && self.held_bytes() <= self.options.max_bytes {
            return None;
        }
        let held = if straggler.is_some_and(|s| front.is_none_or(|f| s < f)) {
            self.stragglers.pop()?.0
        } else {
            self.pop_front()?
        };
        self.events -= 1;
        let moment = (held.session, held.time);
        let late = moment < self.handed_on;
        self.handed_on = self.handed_on.max(moment);
        self.late += u64::from(late);
        let raw = self.chunks.take((held.chunk, held.at), held.length);
        let cap = (held.cap != GLOBAL).then_some(held.cap);
        let event = Event::from_raw(raw, held.form, cap, held.offset);
        Some(Ordered { event, late })
    }

    /// The watermark.
    pub fn watermark(&self) -> &Watermark {
        &self.watermark
    }

    /// How many events are held.
    pub fn held(&self) -> usize {
        self.events
    }

    /// Bytes held, including overhead.
    pub fn held_bytes(&self) -> usize {
        self.chunks.bytes() + self.events * size_of::<Held>()
    }

    /// How many events were returned late so far.
    pub fn late(&self) -> u64 {
        self.late
    }

    fn begin(&mut self, block: &Block<'_>) {
        self.complete();
        self.watermark.announce(block.cap);
        let end = block.offset + u64::from(block.size);
        self.block = Some((block.cap, block.end, end));
        self.delivered_to(block.offset + block.raw.len() as u64);
    }

    /// A block counts once its last byte has arrived.
    fn delivered_to(&mut self, offset: u64) {
        if self
            .block
            .is_some_and(|(_, _, end)| offset >= end && end > 0)
        {
            self.complete();
        }
    }

    fn complete(&mut self) {
        if let Some((cap, end, _)) = self.block.take() {
            self.watermark.delivered(cap, end);
        }
    }

    fn hold(&mut self, event: &Event<'_>) {
        match event.body {
            EventBody::CapCreate { created_cap } => self.watermark.announce(Some(created_cap)),
            EventBody::CapDelete { deleted_cap } => self.watermark.delete(deleted_cap, event.time),
            _ => {}
        }
        let (chunk, at) = self.chunks.keep(event.raw);
        let held = Held {
            session: self.session,
            time: event.time,
            arrival: self.arrivals,
            offset: event.offset,
            chunk,
            at,
            length: event.raw.len() as u32,
            cap: event.cap.unwrap_or(GLOBAL),
            form: event.form,
        };
        self.arrivals += 1;
        self.events += 1;
        let queue = self.queues.entry(held.cap).or_default();
        match queue.back() {
            Some(last) if last.key() > held.key() => self.stragglers.push(Reverse(held)),
            Some(_) => queue.push_back(held),
            None => {
                queue.push_back(held);
                self.fronts.push(Reverse((held.key(), held.cap)));
            }
        }
        self.delivered_to(event.offset + event.raw.len() as u64);
    }

    fn pop_front(&mut self) -> Option<Held> {
        let mut top = self.fronts.peek_mut()?;
        let cap = top.0.1;
        let queue = self.queues.get_mut(&cap)?;
        let held = queue.pop_front()?;
        match queue.front() {
            Some(next) => *top = Reverse((next.key(), cap)),
            None => {
                PeekMut::pop(top);
                // Otherwise many capabilities, one after the other, could each
                // keep a large queue.
                queue.shrink_to(KEPT);
            }
        }
        Some(held)
    }
}

impl Held {
    fn key(&self) -> (u64, u64, u64) {
        (self.session, self.time, self.arrival)
    }
}
