//! The latest pieces of a session, in bounded memory.
//!
//! The source's thread appends, and waits only for those that may block it ([`Hold`]). Pieces
//! have numbers; a reader asks for its next one by number. If it asks too late, the piece is
//! gone.

use crate::piece::{Piece, PieceKind};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Overhead of a piece, in bytes.
const OVERHEAD: u64 = 96;
/// The number of segments of the ring.
const SEGMENTS: u64 = 16;
/// Readers in the oldest segments are taken off while the pieces that they need are still available:
/// in this many segments, and in the size of two of the largest pieces, but at most in half of the
/// ring.
const SPARED: u64 = 2;
/// The smallest ring.
const LEAST: u64 = 64 << 10;
/// The most slices of one write.
const SLICES: usize = 64;
/// The most pieces that are returned at a time, so that others can take the lock.
const PIECES: usize = 2048;

/// Pieces of a session.
#[derive(Debug)]
pub(crate) struct Ring {
    state: Mutex<State>,
    changed: Condvar,
    wake: watch::Sender<()>,
    limit: u64,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    /// The number of the oldest piece in the ring.
    first: u64,
    /// The total cost of all pieces so far, and of those that are gone.
    cost: u64,
    gone: u64,
    /// The cost of the largest piece.
    largest: u64,
    /// The end of the stream.
    offset: u64,
    blocks: u64,
    faulty: u64,
    latest: u64,
    ended: Option<End>,
    closed: bool,
    /// Who may block the source: the recorder, which also keeps the pieces before it in its
    /// segment; and the fold, if the source waits for a recorder, or may wait.
    recorder: Option<u64>,
    fold: Option<u64>,
    /// The source waits for the fold to release the oldest piece.
    asks_fold: bool,
    can_wait: bool,
    pokes: u64,
    waits: u64,
}

#[derive(Debug)]
struct Entry {
    piece: Piece,
    /// The total cost of the pieces before it.
    cost: u64,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// With an end mark, which was the last piece.
    pub(crate) marked: bool,
    /// Bytes at its end that were no whole block.
    pub(crate) cut_off: u64,
    /// The latest time.
    pub(crate) latest: u64,
}

/// A piece and its position.
#[derive(Clone, Debug)]
pub(crate) struct Numbered {
    pub(crate) number: u64,
    pub(crate) piece: Piece,
    /// The segment in which it begins.
    pub(crate) segment: u64,
}

/// What is available for a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Pieces, up to this time.
    Here { time: u64 },
    /// Nothing yet.
    Nothing,
    /// The next piece is gone.
    Gone,
    /// All pieces were read, and the session has ended.
    Ended(End),
    /// The ring is closed.
    Closed,
}

/// Why a waiting thread was woken.
#[derive(Debug)]
pub(crate) enum Woken {
    Pieces(Vec<Numbered>),
    /// The piece that it waits for is gone; this is the oldest one in the ring.
    Gone {
        first: u64,
    },
    Ended(End),
    Closed,
    /// It was poked, or the time is over.
    Poked,
}

/// Who may block the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    Recorder,
    Fold,
}

/// How full a ring is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fill {
    pub(crate) limit: u64,
    pub(crate) bytes: u64,
    pub(crate) pieces: u64,
    pub(crate) offset: u64,
    pub(crate) blocks: u64,
    pub(crate) faulty: u64,
    pub(crate) waits: u64,
    pub(crate) latest: u64,
}

impl Ring {
    /// `can_wait`: the source may wait.
    pub(crate) fn new(limit: usize, can_wait: bool) -> Self {
        Self {
            state: Mutex::new(State {
                can_wait,
                fold: Some(0),
                ..State::default()
            }),
            changed: Condvar::new(),
            wake: watch::Sender::new(()),
            limit: (limit as u64).max(LEAST),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change under this lock is complete before anything could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes readers, and all threads that wait for pieces.
    pub(crate) fn wake(&self) {
        self.changed.notify_all();
        self.wake.send_replace(());
    }

    /// Notifies of every change.
    pub(crate) fn watch(&self) -> watch::Receiver<()> {
        self.wake.subscribe()
    }

    fn segment(&self, cost: u64) -> u64 {
        cost / (self.limit / SEGMENTS)
    }

    /// Appends pieces. Waits only for those that may block the source. Returns whether to
    /// continue.
    pub(crate) fn push(&self, pieces: &mut Vec<Piece>) -> bool {
        if pieces.is_empty() {
            return true;
        }
        let mut state = self.lock();
        for piece in pieces.drain(..) {
            let cost = piece.bytes.len() as u64 + OVERHEAD;
            let mut waited = false;
            while state.cost - state.gone + cost > self.limit && !state.entries.is_empty() {
                if state.closed || state.ended.is_some() {
                    return false;
                }
                if !self.is_held(&state) {
                    state.evict();
                    continue;
                }
                state.waits += u64::from(!std::mem::replace(&mut waited, true));
                // The fold may release more pieces on request.
                state.asks_fold = state.is_held_by_fold();
                state.pokes += u64::from(state.asks_fold);
                self.wake();
                let woken = self.changed.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
                state.asks_fold = false;
            }
            if state.closed || state.ended.is_some() {
                return false;
            }
            state.append(piece, cost);
        }
        drop(state);
        self.wake();
        true
    }

    /// Ends the session. Only the first call counts.
    pub(crate) fn end(&self, cut_off: u64) {
        let mut state = self.lock();
        if state.ended.is_none() {
            let last = state.entries.back().map(|entry| entry.piece.kind);
            state.ended = Some(End {
                marked: last == Some(PieceKind::End),
                cut_off,
                latest: state.latest,
            });
        }
        drop(state);
        self.wake();
    }

    /// Closes the ring and frees the memory.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.gone = state.cost;
        state.first += state.entries.len() as u64;
        state.entries = VecDeque::new();
        drop(state);
        self.wake();
    }

    /// Wakes all that wait.
    pub(crate) fn poke(&self) {
        self.lock().pokes += 1;
        self.wake();
    }

    /// Keeps the pieces from this one on for the given holder; `None` releases them.
    pub(crate) fn hold(&self, who: Hold, from: Option<u64>) {
        let mut state = self.lock();
        let holds = match who {
            Hold::Recorder => &mut state.recorder,
            Hold::Fold => &mut state.fold,
        };
        let changes = *holds != from;
        *holds = from;
        drop(state);
        // The source may wait for exactly this.
        if changes {
            self.changed.notify_all();
        }
    }

    /// Keeps all pieces for the recorder, and returns the number of the oldest one in the
    /// ring.
    pub(crate) fn hold_oldest(&self) -> u64 {
        let mut state = self.lock();
        let first = state.first;
        *state.recorder.get_or_insert(first)
    }

    /// The number of the oldest piece, if the source waits for the fold to release it.
    pub(crate) fn asks_fold(&self) -> Option<u64> {
        let state = self.lock();
        state.asks_fold.then_some(state.first)
    }

    /// The piece from which on the given holder keeps pieces.
    pub(crate) fn held(&self, who: Hold) -> Option<u64> {
        let state = self.lock();
        match who {
            Hold::Recorder => state.recorder,
            Hold::Fold => state.fold,
        }
    }

    pub(crate) fn ended(&self) -> Option<End> {
        self.lock().ended
    }

    /// The number of the oldest piece in the ring, and of the next one.
    pub(crate) fn range(&self) -> (u64, u64) {
        let state = self.lock();
        (state.first, state.first + state.entries.len() as u64)
    }

    /// The bytes of the next pieces, up to about `most` of them.
    pub(crate) fn slices(&self, from: u64, most: usize, out: &mut Vec<Bytes>) -> Next {
        let state = self.lock();
        let Some(index) = from.checked_sub(state.first) else {
            return match state.closed {
                true => Next::Closed,
                false => Next::Gone,
            };
        };
        let (mut length, mut time) = (0, 0);
        for entry in state.entries.iter().skip(index as usize) {
            if length >= most || out.len() >= SLICES {
                break;
            }
            length += entry.piece.bytes.len();
            time = entry.piece.end;
            out.push(entry.piece.bytes.clone());
        }
        match (length, state.ended) {
            (1.., _) => Next::Here { time },
            _ if state.closed => Next::Closed,
            (_, Some(end)) => Next::Ended(end),
            (_, None) => Next::Nothing,
        }
    }

    /// Waits for pieces from this one on, without a limit or until `deadline`. `pokes` is the
    /// number of pokes that the caller has seen.
    pub(crate) fn wait(
        &self,
        from: u64,
        most: usize,
        pokes: &mut u64,
        deadline: Option<Instant>,
    ) -> Woken {
        let mut state = self.lock();
        loop {
            if state.closed {
                return Woken::Closed;
            }
            if from < state.first {
                let first = state.first;
                return Woken::Gone { first };
            }
            let found = self.numbered(&state, from, most);
            if !found.is_empty() {
                return Woken::Pieces(found);
            }
            if *pokes != state.pokes {
                *pokes = state.pokes;
                return Woken::Poked;
            }
            if let Some(end) = state.ended {
                return Woken::Ended(end);
            }
            let left = match deadline {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => Duration::from_secs(3600),
            };
            if left.is_zero() {
                return Woken::Poked;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until it is poked or closed.
    pub(crate) fn wait_for_poke(&self, pokes: &mut u64) {
        let mut state = self.lock();
        while !state.closed && *pokes == state.pokes {
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        *pokes = state.pokes;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Whether a holder that may keep the oldest piece does so.
    fn is_held(&self, state: &State) -> bool {
        let begins = |index: u64| {
            let entry = state.entries.get(index as usize);
            self.segment(entry.map_or(state.cost, |entry| entry.cost))
        };
        let by_recorder = state.recorder.is_some_and(|from| {
            let index = from.saturating_sub(state.first);
            begins(index) <= begins(0)
        });
        by_recorder || state.is_held_by_fold()
    }

    fn numbered(&self, state: &State, from: u64, most: usize) -> Vec<Numbered> {
        let mut length = 0;
        let index = (from - state.first) as usize;
        let entries = state.entries.iter().enumerate().skip(index).take(PIECES);
        entries
            .take_while(|(_, entry)| {
                let more = length < most;
                length += entry.piece.bytes.len();
                more
            })
            .map(|(index, entry)| Numbered {
                number: state.first + index as u64,
                piece: entry.piece.clone(),
                segment: self.segment(entry.cost),
            })
            .collect()
    }

    /// The pieces from one to another, as far as they are in the ring, up to about `most`
    /// bytes.
    pub(crate) fn pieces(&self, from: u64, to: u64, most: usize) -> Vec<Numbered> {
        let state = self.lock();
        if from < state.first {
            return Vec::new();
        }
        let mut found = self.numbered(&state, from, most);
        found.retain(|piece| piece.number < to);
        found
    }

    /// The first piece whose readers are safe: readers before it are about to fall off.
    pub(crate) fn edge(&self) -> u64 {
        let state = self.lock();
        let spared = self.limit / SEGMENTS * SPARED + 2 * state.largest;
        let kept = self.limit - spared.min(self.limit / 2);
        let oldest = self.segment(state.cost.saturating_sub(kept));
        let before = state
            .entries
            .partition_point(|entry| self.segment(entry.cost) < oldest);
        state.first + before as u64
    }

    /// The offset of a piece in the stream; the end of the stream, if the piece is not in the
    /// ring.
    pub(crate) fn offset_of(&self, number: u64) -> u64 {
        let state = self.lock();
        let index = number.saturating_sub(state.first) as usize;
        let entry = state.entries.get(index);
        entry.map_or(state.offset, |entry| entry.piece.offset)
    }

    pub(crate) fn fill(&self) -> Fill {
        let state = self.lock();
        Fill {
            limit: self.limit,
            bytes: state.cost - state.gone,
            pieces: state.entries.len() as u64,
            offset: state.offset,
            blocks: state.blocks,
            faulty: state.faulty,
            waits: state.waits,
            latest: state.latest,
        }
    }
}

impl State {
    fn is_held_by_fold(&self) -> bool {
        let waits = self.can_wait || self.recorder.is_some();
        waits && self.fold.is_some_and(|from| from <= self.first)
    }

    fn evict(&mut self) {
        if self.entries.pop_front().is_some() {
            self.first += 1;
            self.gone = self.entries.front().map_or(self.cost, |entry| entry.cost);
        }
    }

    fn append(&mut self, piece: Piece, cost: u64) {
        self.offset = piece.reaches();
        self.latest = self.latest.max(piece.end);
        match piece.kind {
            PieceKind::Block => self.blocks += 1,
            PieceKind::Faulty => self.faulty += piece.bytes.len() as u64,
            _ => {}
        }
        self.largest = self.largest.max(cost);
        let before = self.cost;
        self.cost += cost;
        self.entries.push_back(Entry {
            piece,
            cost: before,
        });
    }
}
