//! Finds the parts of a log that have the events of a time.

use eventlog_relay::{Piece, PieceKind};
use std::collections::VecDeque;

/// Shorter pieces share an entry.
const SHARED: u64 = 64 << 10;
/// The longest entry, even if that splits a block.
const LONGEST: u64 = 64 << 20;
/// Events of collections may have times before the start of their block.
pub(crate) const BACK: u64 = 20_000_000;

/// A part of the log: one or more whole blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its begin and end, in bytes after the header.
    pub(crate) bytes: (u64, u64),
    /// The earliest beginning and the latest end of a block in it.
    pub(crate) times: (u64, u64),
    /// Kinds of events that it was found not to have; each user of this has a bit.
    lacks: u8,
}

impl Place {
    /// Whether it is known to have no events of all these kinds.
    pub(crate) fn has_none(&self, kinds: u8) -> bool {
        kinds != 0 && self.lacks & kinds == kinds
    }
}

/// All parts, in the order of the log.
#[derive(Debug, Default)]
pub(crate) struct Places {
    entries: VecDeque<Place>,
    /// The last piece was part of a block.
    within: bool,
    latest: u64,
}

impl Places {
    /// Adds the next piece.
    pub(crate) fn push(&mut self, piece: &Piece) {
        self.latest = self.latest.max(piece.end);
        let part = piece.kind == PieceKind::Part;
        let continues = std::mem::replace(&mut self.within, part) && part;
        let bytes = (piece.offset, piece.reaches());
        let times = (piece.begin.min(piece.end), piece.end);
        if let Some(last) = self.entries.back_mut()
            && last.bytes.1 == bytes.0
        {
            let length = bytes.1 - last.bytes.0;
            if length <= SHARED || (continues && length <= LONGEST) {
                last.bytes.1 = bytes.1;
                last.times = (last.times.0.min(times.0), last.times.1.max(times.1));
                last.lacks = 0;
                return;
            }
        }
        self.entries.push_back(Place {
            bytes,
            times,
            lacks: 0,
        });
    }

    /// Somebody has read this part, and it has no events of these kinds: nobody has to look for
    /// them there again.
    pub(crate) fn lacks(&mut self, place: &Place, kinds: u8) {
        let at = self
            .entries
            .partition_point(|it| it.bytes.0 < place.bytes.0);
        let entry = self.entries.get_mut(at);
        // It may have grown since.
        if let Some(entry) = entry.filter(|it| it.bytes == place.bytes) {
            entry.lacks |= kinds;
        }
    }

    /// Removes the parts before this place of the log. Returns whether there were any.
    pub(crate) fn forget(&mut self, before: u64) -> bool {
        let gone = self.entries.partition_point(|it| it.bytes.0 < before);
        self.entries.drain(..gone);
        gone > 0
    }

    /// The latest end of a block.
    pub(crate) fn latest(&self) -> u64 {
        self.latest
    }

    /// Since when all events are available, if not from the beginning.
    pub(crate) fn kept_from(&self) -> Option<u64> {
        let first = self.entries.front().filter(|first| first.bytes.0 > 0)?;
        Some(first.times.0)
    }

    /// The parts that may have events of a time, the earliest first.
    pub(crate) fn of(&self, from: u64, to: u64) -> Vec<Place> {
        let back = from.saturating_sub(BACK);
        let on = to.saturating_add(BACK);
        let wanted = |it: &&Place| it.times.1 >= back && it.times.0 < on;
        let mut found: Vec<Place> = self.entries.iter().filter(wanted).copied().collect();
        found.sort_by_key(|it| (it.times.0, it.bytes.0));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventlog_relay::framer::{Framed, Framer};
    use ghc_eventlog::{BlockBuilder, EventBody, Header};

    /// Pieces of a log whose blocks cover these times.
    fn pieces(blocks: &[(u64, u64)]) -> Vec<Piece> {
        let header = Header::standard();
        let mut log = header.as_bytes().to_vec();
        for &(begin, end) in blocks {
            let mut block = BlockBuilder::new(Some(0));
            for time in [begin, end] {
                let text = "x".repeat(40_000);
                let body = EventBody::UserMsg {
                    message: text.as_str().into(),
                };
                assert!(block.push_body(&header, time, &body).is_ok());
            }
            log.extend_from_slice(block.finish());
        }
        let mut framer = Framer::new();
        let mut pieces = Vec::new();
        let mut rest = &log[..];
        while !rest.is_empty() {
            let room = framer.room();
            let count = room.len().min(rest.len());
            room[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            framer.filled(count, &mut |framed| {
                if let Framed::Piece(piece) = framed {
                    pieces.push(piece);
                }
            });
        }
        pieces
    }

    #[test]
    fn the_stretches_of_a_time_come_the_earliest_first() {
        const S: u64 = 1_000_000_000;
        let mut places = Places::default();
        for piece in pieces(&[(0, S), (5 * S, 6 * S), (2 * S, 7 * S), (9 * S, 10 * S)]) {
            places.push(&piece);
        }
        let begins =
            |from, to| -> Vec<u64> { places.of(from, to).iter().map(|it| it.times.0).collect() };
        assert_eq!(begins(0, 100 * S), [0, 2 * S, 5 * S, 9 * S]);
        assert_eq!(begins(5 * S, 6 * S), [2 * S, 5 * S]);
        assert_eq!(begins(S + BACK + 1, 2 * S - BACK), [0; 0]);
        assert_eq!(places.kept_from(), None);
        // What was found to be missing is known from then on, until the part grows.
        let third = places.of(0, 100 * S)[1];
        places.lacks(&third, 2);
        let has_none = |places: &Places, kinds| -> Vec<bool> {
            let all = places.of(0, 100 * S);
            all.iter().map(|it| it.has_none(kinds)).collect()
        };
        assert_eq!(has_none(&places, 2), [false, true, false, false]);
        assert_eq!(has_none(&places, 3), [false; 4]);
        let last = places.of(0, 100 * S)[3];
        let grown = Place {
            bytes: (last.bytes.0, last.bytes.1 - 1),
            ..last
        };
        places.lacks(&grown, 2);
        assert_eq!(has_none(&places, 2), [false, true, false, false]);
        let second = places.of(0, 100 * S)[2].bytes.0;
        places.forget(second + 1);
        assert_eq!(places.kept_from(), Some(2 * S));
    }
}
