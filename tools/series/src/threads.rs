//! Which threads there are, and the streams of each.

use crate::arena::Arena;
use crate::forest::Forest;
use crate::row::Life;
use crate::state_event::{Act, Class};
use crate::stream::{Long, Source, Stream, sealed};
use crate::word::Word;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Streams of one thread that are searched; a number that is reused many times has more.
const MOST_STREAMS: usize = 1 << 16;

/// No slot.
const NONE: u32 = u32::MAX;

/// For numbers that mostly count up.
#[derive(Clone, Copy, Debug, Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32((*byte).into());
        }
    }

    #[inline]
    fn write_u32(&mut self, number: u32) {
        let mixed = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// How many streams are at hand.
const NEAR: usize = 256;

/// The streams that were used last, by the low bits of the numbers of their threads: with them, most
/// events need no look-up.
#[derive(Clone, Debug)]
struct Near([u32; NEAR]);

impl Default for Near {
    fn default() -> Self {
        Self([NONE; NEAR])
    }
}

impl Near {
    /// The place for the stream of a thread on a capability.
    #[inline(always)]
    fn place(&mut self, thread: u32, cap: u16) -> &mut u32 {
        // Threads with neighbouring numbers are often on different capabilities, but one thread can
        // be on several.
        let mixed = thread.wrapping_add(u32::from(cap) << 5);
        &mut self.0[mixed as usize % NEAR]
    }
}

/// The streams of a thread: the first open one, and the last finished one (piece and place
/// in the arena; none: `NONE`).
#[derive(Clone, Copy, Debug)]
struct Entry {
    open: u32,
    sealed: [u32; 2],
}

impl Entry {
    fn sealed(&self) -> Option<u64> {
        let [piece, at] = self.sealed;
        (piece != NONE).then_some(u64::from(piece) << 32 | u64::from(at))
    }

    fn set_sealed(&mut self, place: u64) {
        self.sealed = [(place >> 32) as u32, place as u32];
    }
}

/// A stream that is still open.
#[derive(Clone, Debug)]
struct Slot {
    stream: Stream,
    thread: u32,
    /// The next one of the same thread, or the next free one.
    next: u32,
    /// The number of losses of its capability when it was last written to.
    losses: u32,
    cap: u16,
    is_free: bool,
    /// The thread has finished; the events with which it left this capability have not
    /// arrived yet.
    is_late: bool,
}

/// What happens to a thread on a capability.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happens<'a> {
    pub(crate) cap: u16,
    pub(crate) time: u64,
    pub(crate) thread: u32,
    pub(crate) act: Act,
    /// The times of the capability's losses.
    pub(crate) losses: &'a [u64],
}

/// A part of the life of a thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) cap: u16,
    pub(crate) source: Source<'a>,
    /// The number of losses of the capability at its end; `None` if it is finished.
    pub(crate) losses: Option<u32>,
}

/// All threads of a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Threads {
    pub(crate) arena: Arena,
    directory: HashMap<u32, Entry, BuildHasherDefault<Mix>>,
    slots: Vec<Slot>,
    free: Option<u32>,
    used: usize,
    long: Long,
    near: Near,
    /// Finished lives.
    over: Forest<u32>,
    pub(crate) refused: u64,
    /// How many threads were forgotten.
    forgotten: usize,
    limit: usize,
}

impl Threads {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Where the stream of a thread on a capability is.
    #[inline(always)]
    fn find(&mut self, thread: u32, cap: u16) -> Option<u32> {
        let near = *self.near.place(thread, cap);
        let here = |slot: &Slot| slot.thread == thread && slot.cap == cap && !slot.is_free;
        match self.slots.get(near as usize).is_some_and(here) {
            true => Some(near),
            false => self.look_up(thread, cap),
        }
    }

    #[inline(never)]
    fn look_up(&mut self, thread: u32, cap: u16) -> Option<u32> {
        let mut at = self.directory.get(&thread)?.open;
        while let Some(slot) = self.slots.get(at as usize) {
            if slot.cap == cap {
                *self.near.place(thread, cap) = at;
                return Some(at);
            }
            at = slot.next;
        }
        None
    }

    /// Records an event of a thread. Returns its state on this capability before.
    #[inline(always)]
    pub(crate) fn happens(&mut self, it: Happens<'_>) -> Class {
        let Some(at) = self.find(it.thread, it.cap) else {
            return self.arrives(it);
        };
        let slot = &mut self.slots[at as usize];
        if slot.losses as usize != it.losses.len() {
            lost(slot, it.losses, &mut self.arena);
        }
        if slot.is_late && it.act == Act::Create {
            // The number is reused.
            self.put_away(it.thread, |slot| slot.is_late && slot.cap == it.cap);
            return self.arrives(it);
        }
        let before = slot.stream.now.word.class();
        let Some(word) = word(it.act, before) else {
            return before;
        };
        slot.stream.push(it.time, (before, word), &mut self.arena);
        if slot.is_late && word.class() == Class::Away {
            self.put_away(it.thread, |slot| slot.is_late && slot.cap == it.cap);
        } else if word == Word::Finished {
            self.is_over(it.thread, it.time, it.cap);
        }
        before
    }

    /// It was not there before.
    #[inline(never)]
    fn arrives(&mut self, it: Happens<'_>) -> Class {
        let Some(word) = word(it.act, Class::Away) else {
            return Class::Away;
        };
        if self.used >= self.limit {
            self.refused += 1;
            return Class::Refused;
        }
        let entry = self.directory.entry(it.thread).or_insert(Entry {
            open: NONE,
            sealed: [NONE; 2],
        });
        let mut stream = Stream::new(it.time);
        stream.push(it.time, (Class::Away, word), &mut self.arena);
        stream.created = word == Word::Created;
        let slot = Slot {
            stream,
            thread: it.thread,
            next: entry.open,
            losses: it.losses.len() as u32,
            cap: it.cap,
            is_free: false,
            is_late: false,
        };
        let at = match self.free {
            Some(at) => {
                let next = self.slots[at as usize].next;
                self.free = (next != NONE).then_some(next);
                self.slots[at as usize] = slot;
                at
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        entry.open = at;
        self.used += 1;
        *self.near.place(it.thread, it.cap) = at;
        if word == Word::Finished {
            self.is_over(it.thread, it.time, it.cap);
        }
        Class::Away
    }

    /// The log does not say what became of a thread that ran here.
    pub(crate) fn vanishes(&mut self, thread: u32, cap: u16, time: u64) {
        if let Some(at) = self.find(thread, cap) {
            let slot = &mut self.slots[at as usize];
            if slot.stream.now.word.class() == Class::Running {
                let words = (Class::Running, Word::Unknown);
                slot.stream.push(time, words, &mut self.arena);
            }
        }
    }

    /// A thread has finished: its streams are moved to the arena, except for those of
    /// capabilities whose events about its leaving have not arrived yet.
    fn is_over(&mut self, thread: u32, time: u64, cap: u16) {
        let mut born = time;
        let mut at = self.directory.get(&thread).map_or(NONE, |entry| entry.open);
        while let Some(slot) = self.slots.get_mut(at as usize) {
            born = born.min(slot.stream.first);
            slot.is_late |= slot.cap != cap && slot.stream.now.word.class() != Class::Away;
            at = slot.next;
        }
        self.put_away(thread, |slot| !slot.is_late);
        self.over.push(born, time, thread);
    }

    /// Moves streams of a thread to the arena.
    fn put_away(&mut self, thread: u32, which: impl Fn(&Slot) -> bool) {
        let Some(entry) = self.directory.get_mut(&thread) else {
            return;
        };
        let mut at = std::mem::replace(&mut entry.open, NONE);
        while let Some(slot) = self.slots.get_mut(at as usize) {
            let next = slot.next;
            if which(slot) {
                let stream = std::mem::replace(&mut slot.stream, Stream::new(0));
                let (long, arena) = (&mut self.long, &mut self.arena);
                entry.set_sealed(stream.seal(slot.cap, entry.sealed(), long, arena));
                slot.is_free = true;
                slot.next = self.free.unwrap_or(NONE);
                self.free = Some(at);
                self.used -= 1;
            } else {
                slot.next = std::mem::replace(&mut entry.open, at);
            }
            at = next;
        }
    }

    /// All that is known of a thread.
    pub(crate) fn parts(&self, thread: u32) -> Vec<Part<'_>> {
        let mut parts = Vec::new();
        let Some(entry) = self.directory.get(&thread) else {
            return parts;
        };
        let mut at = entry.open;
        while let Some(slot) = self.slots.get(at as usize) {
            parts.push(Part {
                cap: slot.cap,
                source: Source::Live(&slot.stream),
                losses: Some(slot.losses),
            });
            at = slot.next;
        }
        let mut place = entry.sealed();
        while let Some(here) = place
            && here >= self.arena.first_place()
            && parts.len() < MOST_STREAMS
        {
            let (cap, source, before) = sealed(&self.arena, &self.long, here);
            parts.extend(source.map(|source| Part {
                cap,
                source,
                losses: None,
            }));
            place = before;
        }
        parts
    }

    /// How many there were, and how many of them are alive.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let alive = |entry: &&Entry| {
            let slot = self.slots.get(entry.open as usize);
            slot.is_some_and(|slot| !slot.is_late)
        };
        let open = self.directory.values().filter(alive);
        (self.forgotten + self.directory.len(), open.count())
    }

    /// Visits the lives that overlap this time.
    pub(crate) fn lives(
        &self,
        from: u64,
        to: u64,
        most: usize,
        each: &mut impl FnMut(u32),
    ) -> usize {
        let mut count = 0;
        for slot in &self.slots {
            let first = !slot.is_free && !slot.is_late && slot.stream.first < to;
            // One slot represents a thread.
            let head = self.directory.get(&slot.thread);
            if first && head.is_some_and(|head| self.is_first(head.open, slot.thread, slot.cap, to))
            {
                if count < most {
                    each(slot.thread);
                }
                count += 1;
            }
        }
        let left = most.saturating_sub(count);
        count
            + self
                .over
                .visit(from, to, left, &mut |_, _, thread| each(*thread))
    }

    /// Whether that of `cap` is the first of a thread's streams that begins before `to`.
    fn is_first(&self, mut at: u32, thread: u32, cap: u16, to: u64) -> bool {
        while let Some(slot) = self.slots.get(at as usize) {
            if slot.thread == thread && slot.stream.first < to {
                return slot.cap == cap;
            }
            at = slot.next;
        }
        false
    }

    /// Forgets what is only from before `offset` in the log, and the lives that were over at `time`:
    /// nobody will ask for what was earlier.
    pub(crate) fn forget(&mut self, offset: u64, time: u64) {
        self.arena.forget(offset);
        let first = self.arena.first_place();
        for slot in &mut self.slots {
            slot.stream.forget(&self.arena);
        }
        self.long.forget(&self.arena);
        let before = self.directory.len();
        let stays = |entry: &Entry| entry.open != NONE || entry.sealed() >= Some(first);
        self.directory.retain(|_, entry| stays(entry));
        self.forgotten += before - self.directory.len();
        self.over.retain(|_, to, _| to > time);
    }

    /// Bytes of memory, about.
    pub(crate) fn memory(&self) -> usize {
        let streams = self.slots.iter().map(|slot| slot.stream.memory());
        self.arena.memory()
            + streams.sum::<usize>()
            + self.long.memory()
            + self.slots.capacity() * size_of::<Slot>()
            + self.directory.capacity() * (size_of::<(u32, Entry)>() + 1) * 8 / 7
            + self.over.memory()
    }
}

/// The state of a thread is unknown after a loss of its capability.
#[cold]
fn lost(slot: &mut Slot, losses: &[u64], arena: &mut Arena) {
    let when = losses.get(slot.losses as usize).copied();
    slot.losses = losses.len() as u32;
    let class = slot.stream.now.word.class();
    if let (Some(when), true) = (when, class != Class::Away) {
        slot.stream.push(when, (class, Word::Unknown), arena);
    }
}

/// The new state of a thread; `None` if it is unchanged.
#[inline(always)]
fn word(act: Act, before: Class) -> Option<Word> {
    match act {
        Act::Create => (before == Class::Away).then_some(Word::Created),
        Act::Run => Some(Word::Running),
        Act::Stop(status, info) => Some(Word::stopped(status, info)),
        Act::Wake => (before == Class::Blocked).then_some(Word::Runnable),
        Act::Migrate(to) => (before != Class::Running).then_some(Word::Left { to }),
    }
}

/// One life of a thread, and the parts of it.
#[derive(Clone, Debug)]
pub(crate) struct Lived<'a> {
    pub(crate) from: u64,
    pub(crate) created: bool,
    /// When it ended.
    pub(crate) to: Option<u64>,
    pub(crate) parts: Vec<Part<'a>>,
}

impl Lived<'_> {
    pub(crate) fn life(&self, thread: u32) -> Life {
        Life {
            thread,
            from: self.from,
            created: self.created,
            to: self.to,
        }
    }
}

impl Threads {
    /// The lives of a number, in the order of time: mostly one.
    pub(crate) fn lived(&self, thread: u32) -> Vec<Lived<'_>> {
        let mut parts = self.parts(thread);
        parts.sort_by_key(|part| part.source.first());
        let mut lives: Vec<Lived<'_>> = Vec::new();
        for part in parts {
            let first = part.source.first();
            let created = part.source.is_created(&self.arena);
            let end = part.source.from(&self.arena, u64::MAX).now;
            let to = (end.word == Word::Finished).then_some(end.time);
            match lives.last_mut() {
                Some(life) if life.to.is_none_or(|end| first < end) => {
                    life.to = life.to.or(to);
                    life.parts.push(part);
                }
                _ => lives.push(Lived {
                    from: first,
                    created,
                    to,
                    parts: vec![part],
                }),
            }
        }
        lives
    }
}
