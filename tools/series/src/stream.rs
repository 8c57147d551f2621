//! The states of one thread on one capability, as a stream of short words.
//!
//! A word has the new state and the time since the word before. The sums are stored for
//! every 256 words, so that the time spent so far is found without reading all words.

use crate::arena::Arena;
use crate::checkpoints::{Checkpoints, Cursor};
use crate::state_event::{CLASSES, Class};
use crate::varint;
use crate::word::{Word, read, write};
use std::collections::VecDeque;

/// Words of a block.
const BLOCK: u16 = 256;

/// A position in a stream: the time of a word, the time spent in each state up to it,
/// and the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) time: u64,
    pub(crate) word: Word,
    pub(crate) spent: [u64; CLASSES],
}

impl Moment {
    /// Before anything.
    const START: Self = Self {
        time: 0,
        word: Word::Left { to: u16::MAX },
        spent: [0; CLASSES],
    };

    /// The next word. `before` is the class of the one so far.
    #[inline(always)]
    fn step(&mut self, time: u64, (before, word): (Class, Word)) {
        if let Some(index) = before.index() {
            let passed = time.saturating_sub(self.time);
            self.spent[index] = self.spent[index].wrapping_add(passed);
        }
        (self.time, self.word) = (time, word);
    }

    /// The time spent in each state up to a later time.
    pub(crate) fn spent_at(&self, time: u64) -> [u64; CLASSES] {
        let mut spent = self.spent;
        if let Some(index) = self.word.class().index() {
            spent[index] = spent[index].wrapping_add(time.saturating_sub(self.time));
        }
        spent
    }
}

/// For each full block: the time before its first word, its place, the time spent so far,
/// and the state of the thread.
const FIELDS: usize = 4 + CLASSES;
const TIME: usize = 0;
const PLACE: usize = 1;

fn fields(moment: &Moment, place: u64) -> [u64; FIELDS] {
    let (kind, more) = match moment.word {
        Word::Runnable => (0, 0),
        Word::Created => (1, 0),
        Word::Running => (2, 0),
        Word::Foreign => (3, 0),
        Word::Blocked { why, by } => {
            let by = by.map_or(0, |by| u64::from(by) + 1);
            (4 | u64::from(why) << 3, by)
        }
        Word::Unknown => (5, 0),
        Word::Finished => (6, 0),
        Word::Left { to } => (7, to.into()),
    };
    let mut fields = [0; FIELDS];
    fields[..4].copy_from_slice(&[moment.time, place, kind, more]);
    fields[4..].copy_from_slice(&moment.spent);
    fields
}

fn moment(fields: &[u64; FIELDS]) -> (Moment, u64) {
    let [time, place, kind, more, spent @ ..] = *fields;
    let word = match kind & 7 {
        0 => Word::Runnable,
        1 => Word::Created,
        2 => Word::Running,
        3 => Word::Foreign,
        4 => Word::Blocked {
            why: (kind >> 3) as u16,
            by: more.checked_sub(1).map(|by| by as u32),
        },
        5 => Word::Unknown,
        6 => Word::Finished,
        _ => Word::Left { to: more as u16 },
    };
    (Moment { time, word, spent }, place)
}

/// A stream that is being written.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    /// The latest word.
    pub(crate) now: Moment,
    /// The time of the first word.
    pub(crate) first: u64,
    /// The first word is that the thread is created.
    pub(crate) created: bool,
    /// Words that are not in a full block yet, and their number.
    words: Vec<u8>,
    count: u16,
    /// The moment before them.
    base: Option<Box<Base>>,
}

/// Full blocks.
#[derive(Clone, Debug)]
struct Base {
    blocks: Checkpoints<FIELDS>,
    /// Before the words that are in no full block.
    last: Moment,
}

impl Stream {
    pub(crate) fn new(time: u64) -> Self {
        let mut now = Moment::START;
        now.time = time;
        Self {
            now,
            first: time,
            created: false,
            words: Vec::new(),
            count: 0,
            base: None,
        }
    }

    fn start(&self) -> Moment {
        let mut start = Moment::START;
        start.time = self.first;
        start
    }

    /// Appends a word. `before` is the class of the one so far.
    #[inline(always)]
    pub(crate) fn push(&mut self, time: u64, (before, word): (Class, Word), arena: &mut Arena) {
        let time = time.max(self.now.time);
        if self.count == BLOCK {
            self.block(arena);
        }
        write(&mut self.words, time - self.now.time, word);
        self.count += 1;
        self.now.step(time, (before, word));
    }

    /// The block is full.
    #[inline(never)]
    fn block(&mut self, arena: &mut Arena) {
        let before = self.base.as_ref().map_or(self.start(), |base| base.last);
        let place = arena.push(&self.words);
        let base = self.base.get_or_insert_with(|| {
            Box::new(Base {
                blocks: Checkpoints::default(),
                last: before,
            })
        });
        base.blocks.push(fields(&before, place));
        base.last = self.now;
        self.words.clear();
        self.count = 0;
    }

    /// Forgets blocks that the arena has forgotten.
    pub(crate) fn forget(&mut self, arena: &Arena) {
        if let Some(base) = &mut self.base {
            base.blocks.forget_below(PLACE, arena.first_place());
        }
    }

    /// Bytes of memory beyond itself.
    pub(crate) fn memory(&self) -> usize {
        let base = self.base.as_ref();
        self.words.capacity() + base.map_or(0, |base| size_of::<Base>() + base.blocks.memory())
    }

    /// Moves a finished stream into the arena, or, if it is long, to those. `before` is the place of
    /// another one of the same thread. Returns its place.
    pub(crate) fn seal(
        self,
        cap: u16,
        before: Option<u64>,
        long: &mut Long,
        arena: &mut Arena,
    ) -> u64 {
        let mut bytes = Vec::with_capacity(self.words.len() + 16);
        let is_long = self.base.is_some();
        let number = match is_long {
            true => long.end() + 1,
            false => 0,
        };
        for number in [before.map_or(0, |place| place + 1), cap.into(), number] {
            varint::push(&mut bytes, number);
        }
        if is_long {
            let place = arena.push(&bytes);
            long.streams.push_back((place, self));
            return place;
        }
        varint::push(&mut bytes, self.first);
        varint::push(&mut bytes, self.count.into());
        bytes.extend_from_slice(&self.words);
        arena.push(&bytes)
    }
}

/// Finished streams that are long, in the order in which they finished.
#[derive(Clone, Debug, Default)]
pub(crate) struct Long {
    /// Each with the place in the arena that refers to it.
    streams: VecDeque<(u64, Stream)>,
    /// How many were forgotten.
    forgotten: u64,
}

impl Long {
    /// The number of the next one.
    fn end(&self) -> u64 {
        self.forgotten + self.streams.len() as u64
    }

    fn get(&self, number: u64) -> Option<&Stream> {
        let index = usize::try_from(number.checked_sub(self.forgotten)?).ok()?;
        self.streams.get(index).map(|(_, stream)| stream)
    }

    /// Forgets those that the arena has forgotten, wholly or in part.
    pub(crate) fn forget(&mut self, arena: &Arena) {
        let first = arena.first_place();
        let gone = self.streams.partition_point(|(place, _)| *place < first);
        self.streams.drain(..gone);
        self.forgotten += gone as u64;
        for (_, stream) in &mut self.streams {
            stream.forget(arena);
        }
    }

    /// Bytes of memory beyond itself.
    pub(crate) fn memory(&self) -> usize {
        let streams = self.streams.iter().map(|(_, stream)| stream.memory());
        streams.sum::<usize>() + self.streams.capacity() * size_of::<(u64, Stream)>()
    }
}

/// Where to read a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    Live(&'a Stream),
    Sealed {
        first: u64,
        count: u16,
        words: &'a [u8],
    },
}

/// A stream in the arena: its capability, what it holds, and the place of the one before it.
pub(crate) fn sealed<'a>(
    arena: &'a Arena,
    long: &'a Long,
    place: u64,
) -> (u16, Option<Source<'a>>, Option<u64>) {
    let mut input = arena.from(place);
    let before = varint::take(&mut input).checked_sub(1);
    let cap = varint::take(&mut input) as u16;
    let source = match varint::take(&mut input) {
        0 => {
            let first = varint::take(&mut input);
            let count = varint::take(&mut input) as u16;
            let words = input;
            Some(Source::Sealed {
                first,
                count,
                words,
            })
        }
        number => long.get(number - 1).map(Source::Live),
    };
    (cap, source, before)
}

impl<'a> Source<'a> {
    /// The time of the first word.
    pub(crate) fn first(&self) -> u64 {
        match self {
            Self::Live(stream) => stream.first,
            Self::Sealed { first, .. } => *first,
        }
    }

    /// Whether the first word is that the thread is created.
    pub(crate) fn is_created(&self, arena: &Arena) -> bool {
        match self {
            Self::Live(stream) => stream.created,
            Self::Sealed { .. } => {
                let first = self.from(arena, 0).peek();
                first.is_some_and(|(_, word)| word == Word::Created)
            }
        }
    }

    /// The words, from the last one that is not later than `time`, or from the first.
    pub(crate) fn from(self, arena: &'a Arena, time: u64) -> Words<'a> {
        let mut words = self.at_block(arena, time);
        while let Some((next, _)) = words.peek()
            && next <= time
        {
            words.step();
        }
        words
    }

    /// The words, from the block that contains that one.
    fn at_block(self, arena: &'a Arena, time: u64) -> Words<'a> {
        match self {
            Self::Sealed {
                first,
                count,
                words,
            } => Words {
                now: Moment {
                    time: first,
                    ..Moment::START
                },
                input: words,
                left: count,
                block: 0,
                source: self,
                blocks: None,
                arena,
                peeked: None,
            },
            Self::Live(stream) => {
                let base = stream.base.as_ref();
                let last = base.map_or(stream.start(), |base| base.last);
                let full = base.map_or(0, |base| base.blocks.len());
                let mut blocks = base.map(|base| base.blocks.cursor());
                let found = blocks
                    .as_mut()
                    .filter(|_| time < last.time)
                    .map(|blocks| blocks.last_not_above(TIME, time).unwrap_or(0));
                let mut words = Words {
                    now: last,
                    input: &stream.words,
                    left: stream.count,
                    block: full,
                    source: self,
                    blocks,
                    arena,
                    peeked: None,
                };
                if let Some(block) = found {
                    words.enter(block);
                }
                words
            }
        }
    }
}

/// The words of a stream, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Words<'a> {
    pub(crate) now: Moment,
    input: &'a [u8],
    left: u16,
    /// The index of this block; after the full ones, the rest.
    block: usize,
    source: Source<'a>,
    /// Of the full blocks.
    blocks: Option<Cursor<'a, FIELDS>>,
    arena: &'a Arena,
    peeked: Option<(u64, Word)>,
}

impl Words<'_> {
    fn enter(&mut self, block: usize) {
        let Source::Live(stream) = self.source else {
            return;
        };
        let Some(base) = &stream.base else { return };
        self.block = block;
        match self.blocks.as_mut().and_then(|blocks| blocks.get(block)) {
            Some(row) => {
                let (now, place) = moment(row);
                (self.now, self.input, self.left) = (now, self.arena.from(place), BLOCK);
            }
            None => {
                (self.now, self.input, self.left) = (base.last, &stream.words, stream.count);
            }
        }
    }

    /// The next word and its time.
    pub(crate) fn peek(&mut self) -> Option<(u64, Word)> {
        if self.peeked.is_none() {
            while self.left == 0 {
                let Source::Live(stream) = self.source else {
                    return None;
                };
                let full = stream.base.as_ref().map_or(0, |base| base.blocks.len());
                if self.block >= full {
                    return None;
                }
                self.enter(self.block + 1);
            }
            self.left -= 1;
            let (passed, word) = read(&mut self.input);
            self.peeked = Some((self.now.time.wrapping_add(passed), word));
        }
        self.peeked
    }

    /// Advances to the next word.
    pub(crate) fn step(&mut self) -> bool {
        let Some((time, word)) = self.peek() else {
            return false;
        };
        self.peeked = None;
        self.now.step(time, (self.now.word.class(), word));
        true
    }

    /// Advances to the last word that is not later than `time`, skipping whole blocks if it is
    /// far.
    pub(crate) fn advance(&mut self, time: u64) {
        if let Source::Live(stream) = self.source
            && let Some(base) = &stream.base
            && let Some(blocks) = &mut self.blocks
            && self.block < base.blocks.len()
        {
            let wanted = match time >= base.last.time {
                true => base.blocks.len(),
                false => blocks.last_not_above(TIME, time).unwrap_or(0),
            };
            if wanted > self.block + 1 {
                self.peeked = None;
                self.enter(wanted);
            }
        }
        while let Some((next, _)) = self.peek()
            && next <= time
        {
            self.step();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of all kinds, at all distances, compared with a plain list.
    #[test]
    fn words_come_back() {
        let mut seed = 11u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for length in [1u64, 5, 256, 257, 3000] {
            let mut arena = Arena::default();
            let mut time = 50;
            let mut stream = Stream::new(time);
            let mut plain = Vec::new();
            for step in 0..length {
                time += match next(40) {
                    0 => 1 << 40,
                    1 if step == length / 2 => 1 << 62,
                    _ => next(3000),
                };
                let by = Some(next(9) as u32).filter(|by| *by > 3);
                let word = match next(10) {
                    0 => Word::Runnable,
                    1 => Word::Created,
                    2 => Word::Running,
                    3 => Word::Foreign,
                    4 => Word::Blocked { why: 7, by: None },
                    5 => Word::Blocked { why: 8, by },
                    6 => Word::Blocked { why: 300, by: None },
                    7 => Word::Unknown,
                    8 => Word::Finished,
                    _ => Word::Left { to: 77 },
                };
                let before = stream.now.word.class();
                stream.push(time, (before, word), &mut arena);
                plain.push((time, word));
            }
            let mut moment = stream.start();
            let mut moments = Vec::new();
            for (time, word) in plain {
                moment.step(time, (moment.word.class(), word));
                moments.push(moment);
            }
            let mut long = Long::default();
            let place = stream.clone().seal(9, Some(1), &mut long, &mut arena);
            assert_eq!(long.streams.is_empty(), length <= 256);
            let (cap, source, before) = sealed(&arena, &long, place);
            let source = source.expect("it is there");
            assert_eq!((cap, before, source.first()), (9, Some(1), 50));
            let sources = [Source::Live(&stream), source];
            for source in sources {
                let mut all = source.from(&arena, 0);
                for moment in &moments {
                    assert!(all.step());
                    assert_eq!(all.now, *moment);
                }
                assert!(!all.step());
                let mut ahead = source.from(&arena, 0);
                for (at, moment) in moments.iter().enumerate() {
                    let last = moments[at..]
                        .iter()
                        .take_while(|other| other.time == moment.time);
                    let last = last.last().copied();
                    assert_eq!(Some(source.from(&arena, moment.time).now), last);
                    if at % 300 == 7 {
                        ahead.advance(moment.time);
                        assert_eq!(Some(ahead.now), last);
                    }
                }
            }
        }
    }
}
