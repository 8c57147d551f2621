//! Readers that fall behind: the state that they have received is computed before the necessary
//! pieces are gone.
//!
//! At the beginning of each segment of the ring the follower is copied, and the copy is kept for as
//! long as a reader is after it. When a segment is about to be dropped, the copy gets the pieces up
//! to each reader that is still in it, and then has the state which that reader has received. If a
//! later reader has no other copy, the copy is advanced to the next segment.

use super::{Fold, push};
use crate::cursor::{Cursor, Held, KnownState, Off, Rest};
use crate::notes;
use crate::options::OnLag;
use crate::piece::{Piece, PieceKind};
use crate::ring::{Hold, Ring};
use bytes::Bytes;
use eventlog_state::Follower;
use ghc_eventlog::{Header, SizeTable};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, Weak};

/// Bytes that are taken from the ring at a time.
const BATCH: usize = 1 << 20;
/// This much of a block is kept for a reader that has received the other part of it.
const SMALL: usize = 16 << 10;

/// Copies of the follower, by their next piece.
#[derive(Debug, Default)]
pub(super) struct Checkpoints(BTreeMap<u64, Follower>);

impl Checkpoints {
    pub(super) fn add(&mut self, piece: u64, follower: &mut Follower) {
        self.0.insert(piece, follower.checkpoint());
    }

    /// The copies to keep: the last one before each reader, and the newest; for the recorder, all
    /// from the last one before it on.
    pub(super) fn keep(&mut self, standing: &[u64], recorder: Option<u64>) {
        let newest = self.0.keys().next_back().copied();
        let needed = standing.iter().filter_map(|&piece| self.key(piece));
        let needed: BTreeSet<u64> = needed.chain(newest).collect();
        let recorded = recorder.and_then(|piece| self.key(piece));
        self.0.retain(|&piece, _| {
            needed.contains(&piece) || recorded.is_some_and(|from| piece >= from)
        });
    }

    fn key(&self, piece: u64) -> Option<u64> {
        self.0.range(..=piece).next_back().map(|(&key, _)| key)
    }

    /// A clone of the last copy before a piece.
    fn before(&mut self, piece: u64) -> Option<(u64, Follower)> {
        let (&key, follower) = self.0.range_mut(..=piece).next_back()?;
        Some((key, follower.checkpoint()))
    }

    /// Drops those before a piece, except for those that the recorder needs.
    fn drop_before(&mut self, edge: u64, recorder: Option<u64>) {
        let recorded = recorder.and_then(|piece| self.key(piece));
        self.0
            .retain(|&piece, _| piece >= edge || recorded.is_some_and(|from| piece >= from));
    }
}

/// Gives a follower the pieces from one to another. Returns whether all were available.
pub(super) fn walk(ring: &Ring, follower: &mut Follower, mut from: u64, to: u64) -> bool {
    while from < to {
        let pieces = ring.pieces(from, to, BATCH);
        let Some(last) = pieces.last().map(|last| last.number) else {
            return false;
        };
        for numbered in pieces {
            push(follower, &numbered.piece.bytes);
        }
        from = last + 1;
    }
    true
}

impl Fold {
    /// Takes off readers that are about to fall off the ring.
    pub(super) fn keep_readers(&mut self) {
        let edge = self.ring.edge();
        if edge <= self.edge {
            return;
        }
        self.edge = edge;
        let readers: Vec<Arc<Cursor>> = {
            let readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
            readers.iter().filter_map(Weak::upgrade).collect()
        };
        let hold = |cursor: Arc<Cursor>| Some((cursor.hold_before(edge)?, cursor));
        let mut held: Vec<(Held, Arc<Cursor>)> = readers.into_iter().filter_map(hold).collect();
        held.sort_by_key(|(held, _)| held.standing);
        let mut walker = None;
        let any = !held.is_empty();
        for (held, cursor) in held {
            cursor.take_off(self.off(&held, &mut walker));
        }
        if any {
            self.ring.wake();
        }
        let later = self.standing();
        let later = later
            .iter()
            .filter(|&&piece| (edge..u64::MAX).contains(&piece));
        let mut keys = later.map(|&piece| self.checkpoints.key(piece));
        if keys.any(|key| key.is_none_or(|key| key < edge))
            && let Some((from, mut follower)) = self.before(edge)
            && walk(&self.ring, &mut follower, from, edge)
        {
            self.checkpoints.0.insert(edge, follower);
        }
        let recorder = self.ring.held(Hold::Recorder);
        self.checkpoints.drop_before(edge, recorder);
    }

    /// A recorder begins with the first piece, if it is still in the ring, or else with the next
    /// one. From there on it can cut the log.
    pub(super) fn record(&mut self) -> u64 {
        if self.ring.hold_oldest() > 0 {
            self.ring.hold(Hold::Recorder, Some(self.next));
            self.checkpoints.add(self.next, &mut self.follower);
            return self.next;
        }
        let mut follower = super::follower(&self.header, &self.how);
        let (mut at, mut segment) = (0, None);
        while at < self.next {
            let pieces = self.ring.pieces(at, self.next, BATCH);
            let Some(last) = pieces.last().map(|last| last.number) else {
                break;
            };
            for numbered in pieces {
                if segment != Some(numbered.segment) {
                    segment = Some(numbered.segment);
                    self.checkpoints.add(numbered.number, &mut follower);
                }
                push(&mut follower, &numbered.piece.bytes);
            }
            at = last + 1;
        }
        0
    }

    /// A copy of the follower at a place before a piece.
    pub(super) fn before(&mut self, piece: u64) -> Option<(u64, Follower)> {
        let first = || {
            let whole = self.ring.range().0 == 0;
            whole.then(|| (0, super::follower(&self.header, &self.how)))
        };
        self.checkpoints.before(piece).or_else(first)
    }

    /// What a reader needs that is taken off. `walker` is the follower as it was for the reader
    /// before.
    fn off(&mut self, held: &Held, walker: &mut Option<(u64, Follower)>) -> Off {
        let number = held.standing;
        let piece = self.ring.pieces(number, number + 1, 1).pop();
        let piece = piece.map(|numbered| numbered.piece);
        let (rest, boundary) = match (&held.part, &piece) {
            (None, _) => (Rest::default(), 0),
            (Some((_, at)), Some(piece)) => rest(&self.header, piece, *at),
            // The state is not available any more. The complete state also works.
            (Some((bytes, at)), None) => (whole(bytes, *at), bytes.len()),
        };
        let offset = match (&piece, &held.part) {
            (Some(piece), None) => piece.offset,
            (Some(piece), Some(_)) => piece.reaches(),
            (None, _) => self.offset,
        };
        let knows = match self.how.on_lag {
            OnLag::Resync => self.knows(held, piece.as_ref(), &rest, boundary, walker),
            OnLag::Disconnect => None,
        };
        let time = match (&knows, &piece) {
            (Some(knows), _) => knows.position.time(),
            (None, Some(piece)) => piece.begin,
            (None, None) => 0,
        };
        Off {
            rest,
            knows: knows.map(Box::new),
            offset,
            time,
        }
    }

    fn knows(
        &mut self,
        held: &Held,
        piece: Option<&Piece>,
        rest: &Rest,
        boundary: usize,
        walker: &mut Option<(u64, Follower)>,
    ) -> Option<KnownState> {
        let number = held.standing;
        if number > self.next {
            return None;
        }
        let nearest = self.checkpoints.key(number);
        let ahead = walker.take_if(|(at, _)| Some(*at) >= nearest);
        let (from, mut follower) = ahead.or_else(|| self.before(number))?;
        if !walk(&self.ring, &mut follower, from, number) {
            return None;
        }
        *walker = Some((number, follower.checkpoint()));
        if held.part.is_some() {
            let bytes = &piece?.bytes;
            if rest.filled() > 0 {
                follower.departs();
            }
            push(&mut follower, &bytes[..boundary]);
            if rest.filled() > 0 {
                rest.parts()
                    .skip(1)
                    .for_each(|part| push(&mut follower, part));
            }
        }
        Some(KnownState {
            state: follower.delivered()?,
            position: follower.position(),
        })
    }
}

/// The rest of a piece, copied so that nothing else stays in memory.
fn whole(bytes: &Bytes, at: usize) -> Rest {
    Rest {
        bytes: Bytes::copy_from_slice(&bytes[at..]),
        ..Rest::default()
    }
}

/// What a reader still has to get of a piece that it has received up to `at`, and up to where
/// these are the piece's own bytes.
fn rest(header: &Header, piece: &Piece, at: usize) -> (Rest, usize) {
    let bytes = &piece.bytes;
    let length = bytes.len();
    if length - at <= SMALL && piece.kind != PieceKind::Faulty {
        return (whole(bytes, at), length);
    }
    if piece.kind == PieceKind::Faulty {
        return (Rest::default(), at);
    }
    let (mut end, mut time) = (0, piece.begin);
    let mut sizes = SizeTable::with_room(0).unwrap_or_default();
    if sizes.read(header.as_bytes()).is_ok() {
        for event in sizes.events(bytes) {
            end += event.bytes.len();
            time = event.time;
            if end >= at {
                break;
            }
        }
    }
    if end < at {
        return (whole(bytes, at), length);
    }
    let mut rest = Rest {
        bytes: Bytes::copy_from_slice(&bytes[at..end]),
        ..Rest::default()
    };
    if piece.kind == PieceKind::Block {
        match notes::fill(header, time, length - end) {
            Some((fill, times, last)) => (rest.fill, rest.times, rest.last) = (fill, times, last),
            None => return (whole(bytes, at), length),
        }
    }
    (rest, end)
}
