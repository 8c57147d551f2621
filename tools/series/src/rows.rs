//! The index of the rows of one log.

use crate::read_at::ReadAt;
use crate::row::{Doing, Interval, Life, Row};
use crate::tile::{MOST_INTERVALS, PIXELS, Shows, Tile, shares, span};
use eventlog_state::{Fact, Keep, Merge, MergeOptions, State, Step};
use ghc_eventlog::Header;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// The rows of one log: what each capability and each thread does, and when.
///
/// It takes the blocks of the log as they come, and answers for any time how long each
/// state lasted, exactly.
pub struct Rows {
    merge: Merge,
    state: State,
    rows: BTreeMap<Row, Vec<Interval>>,
    lives: BTreeMap<u32, Life>,
    until: u64,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").finish_non_exhaustive()
    }
}

impl Rows {
    /// Nothing has come yet but the header.
    pub fn new(header: Arc<Header>) -> Self {
        let mut merge = Merge::new(MergeOptions::default());
        merge.push_bytes(header.as_bytes());
        Self {
            merge,
            state: State::new(&header, Keep::all()),
            rows: BTreeMap::new(),
            lives: BTreeMap::new(),
            until: 0,
        }
    }

    /// Takes a whole block with its marker, as it lies in the log at `offset`. Blocks come
    /// in the order of the log.
    pub fn block(&mut self, _offset: u64, block: &[u8]) {
        self.merge.push_bytes(block);
        self.drain();
    }

    /// The log is over: nothing will be added.
    pub fn finish(&mut self) {
        self.merge.flush();
        self.drain();
        let Self {
            state, rows, lives, ..
        } = self;
        state.finish(&mut |fact| take(rows, lives, &fact));
        self.until = self.state.time();
    }

    fn drain(&mut self) {
        let Self {
            merge,
            state,
            rows,
            lives,
            until,
        } = self;
        let _ = merge.drain(&mut |step| match step {
            Step::Block(block) => state.block(block, &mut |fact| take(rows, lives, &fact)),
            Step::Event(event, turn) => {
                *until = event.time.max(*until);
                state.apply(event, turn, &mut |fact| take(rows, lives, &fact));
            }
            _ => {}
        });
    }

    /// The capabilities that have rows, by number.
    pub fn caps(&self) -> impl Iterator<Item = u16> + '_ {
        self.state.caps().map(|(cap, _)| cap)
    }

    /// Up to when the row is final: nothing before will change.
    pub fn until(&self, _row: Row) -> u64 {
        self.until
    }

    /// How many threads there were, and how many of them are alive.
    pub fn thread_counts(&self) -> (usize, usize) {
        let over = self.lives.values().filter(|life| life.to.is_some());
        (self.lives.len(), self.lives.len() - over.count())
    }

    /// The life of a thread; of the latest one of that number.
    pub fn life(&self, thread: u32) -> Option<Life> {
        self.lives.get(&thread).copied()
    }

    /// Hands on the threads that were alive at any moment from `from` to `to` (exclusive),
    /// `most` at most, the longest lives first. The answer is how many there are.
    pub fn lives(&self, from: u64, to: u64, most: usize, each: &mut impl FnMut(Life)) -> usize {
        let mut lives: Vec<Life> = self
            .lives
            .values()
            .filter(|life| life.from < to && life.to.is_none_or(|end| end > from))
            .copied()
            .collect();
        lives.sort_by_key(|life| std::cmp::Reverse(life.to.unwrap_or(u64::MAX) - life.from));
        lives.iter().take(most).for_each(|life| each(*life));
        lives.len()
    }

    /// How long each known state of the row ([`Row::states`]) lasted between these times.
    ///
    /// # Errors
    ///
    /// Those of reading the log.
    pub fn spent(
        &self,
        _log: &(impl ReadAt + ?Sized),
        row: Row,
        from: u64,
        to: u64,
    ) -> io::Result<Vec<u64>> {
        let (low, high) = (self.sums(row, from), self.sums(row, to.max(from)));
        let states = row.known_states();
        Ok((0..states).map(|state| high[state] - low[state]).collect())
    }

    /// A tile of a row.
    ///
    /// # Errors
    ///
    /// Those of reading the log.
    pub fn tile(
        &self,
        _log: &(impl ReadAt + ?Sized),
        row: Row,
        z: u8,
        index: u64,
    ) -> io::Result<Tile> {
        let (from, to) = span(z, index);
        let is_final = to <= self.until;
        if row != Row::Threads {
            let here: Vec<Interval> = self
                .intervals(row)
                .filter(|interval| interval.to > from && interval.from < to)
                .map(|interval| Interval {
                    from: interval.from.max(from),
                    to: interval.to.min(to),
                    ..interval
                })
                .take(MOST_INTERVALS + 1)
                .collect();
            if here.is_empty() {
                return Ok(Tile {
                    shows: Shows::Unknown,
                    is_final,
                });
            }
            if here.len() <= MOST_INTERVALS {
                return Ok(Tile {
                    shows: Shows::Intervals(here),
                    is_final,
                });
            }
        }
        let edges: Vec<[u64; 8]> = (0..=PIXELS as u64)
            .map(|edge| self.sums(row, from + (to - from) / PIXELS as u64 * edge))
            .collect();
        let pixel = (to - from) / PIXELS as u64;
        let shows = shares(row, &edges, |at| match row {
            Row::Threads => edges[at + 1].iter().sum::<u64>() - edges[at].iter().sum::<u64>(),
            _ => pixel,
        });
        Ok(Tile { shows, is_final })
    }

    /// What goes on in a row at a moment; `None` if that is not known.
    ///
    /// # Errors
    ///
    /// Those of reading the log.
    pub fn at(
        &self,
        _log: &(impl ReadAt + ?Sized),
        row: Row,
        time: u64,
    ) -> io::Result<Option<Interval>> {
        let mut intervals = self.intervals(row);
        Ok(intervals.find(|interval| (interval.from..interval.to).contains(&time)))
    }

    fn intervals(&self, row: Row) -> impl Iterator<Item = Interval> + '_ {
        self.rows.get(&row).into_iter().flatten().copied()
    }

    fn sums(&self, row: Row, time: u64) -> [u64; 8] {
        let mut sums = [0; 8];
        let mut add = |interval: &Interval| {
            let spent = interval.to.min(time).saturating_sub(interval.from);
            sums[interval.doing.index()] += spent;
        };
        match row {
            Row::Threads => {
                let threads = self.rows.range(Row::Thread(0)..Row::Threads);
                threads.flat_map(|(_, row)| row).for_each(&mut add);
            }
            _ => self.intervals(row).for_each(|interval| add(&interval)),
        }
        sums
    }
}

fn take(rows: &mut BTreeMap<Row, Vec<Interval>>, lives: &mut BTreeMap<u32, Life>, fact: &Fact<'_>) {
    match *fact {
        Fact::Cap(it) if it.to > it.from => {
            let doing = Doing::Cap {
                state: it.state,
                thread: it.thread,
            };
            let (from, to) = (it.from, it.to);
            let row = rows.entry(Row::Cap(it.cap)).or_default();
            row.push(Interval { doing, from, to });
        }
        Fact::Thread(it) => {
            lives.entry(it.thread).or_insert(Life {
                thread: it.thread,
                from: it.from,
                created: true,
                to: None,
            });
            let doing = Doing::Thread(it.state);
            let (from, to) = (it.from, it.to);
            if to > from {
                let row = rows.entry(Row::Thread(it.thread)).or_default();
                row.push(Interval { doing, from, to });
            }
        }
        Fact::Gone { id, thread } => {
            if let Some(life) = lives.get_mut(&id) {
                life.to = Some(thread.since());
            }
        }
        _ => {}
    }
}
