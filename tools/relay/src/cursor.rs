//! The position of a reader in the ring.

use crate::ring::{End, Next, Ring};
use bytes::Bytes;
use eventlog_state::{Position, Snapshot};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most bytes of one write.
const WRITE: usize = 256 << 10;

/// The position of one reader. The reader advances it; the fold's thread takes the reader off
/// the ring when that part of the ring is about to be dropped.
#[derive(Debug)]
pub(crate) struct Cursor {
    /// The reader's piece, readable without the lock.
    standing: AtomicU64,
    place: Mutex<Place>,
}

#[derive(Debug, Default)]
struct Place {
    /// The piece to be read next, and its offset in the stream.
    next: u64,
    offset: u64,
    /// The latest time of the pieces that were available.
    time: u64,
    /// The piece before it, if it was read only in part, and how much of it was.
    part: Option<(Bytes, usize)>,
    /// The reader must not advance: it is being taken off.
    held: bool,
    off: Option<Off>,
}

impl Place {
    fn standing(&self) -> u64 {
        self.next - u64::from(self.part.is_some())
    }
}

/// A reader that was taken off the ring.
#[derive(Debug)]
pub(crate) struct Off {
    /// What it has to get first, so that its log stays valid: the rest of an event, and events
    /// that fill up the block.
    pub(crate) rest: Rest,
    /// The state that it has received then. `None`: it cannot be, or is not to be,
    /// brought up to date.
    pub(crate) knows: Option<Box<KnownState>>,
    /// Where it left the stream, and when that was.
    pub(crate) offset: u64,
    pub(crate) time: u64,
}

/// The state that a reader had received when it was taken off.
#[derive(Debug)]
pub(crate) struct KnownState {
    pub(crate) state: Snapshot,
    pub(crate) position: Position,
}

/// The end of a block that a reader has received in part.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rest {
    pub(crate) bytes: Bytes,
    pub(crate) fill: Bytes,
    /// How often the fill is to be repeated, and what follows it.
    pub(crate) times: usize,
    pub(crate) last: Bytes,
}

impl Rest {
    /// The number of bytes that fill events replace.
    pub(crate) fn filled(&self) -> u64 {
        (self.fill.len() * self.times + self.last.len()) as u64
    }

    /// All of it, in order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Bytes> {
        let fill = std::iter::repeat_n(&self.fill, self.times);
        [&self.bytes].into_iter().chain(fill).chain([&self.last])
    }
}

/// A position at which to take a reader off.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) standing: u64,
    pub(crate) part: Option<(Bytes, usize)>,
}

/// The result of reading.
#[derive(Debug)]
pub(crate) enum Moved {
    /// This many bytes were written.
    Wrote(usize),
    /// There is nothing to read for now.
    Waits,
    /// It was taken off.
    Off(Off),
    /// The reader was overtaken before it could be taken off.
    Lost {
        offset: u64,
        time: u64,
    },
    Ended(End),
    Closed,
}

impl Cursor {
    /// A reader whose next piece is this one, at this offset.
    pub(crate) fn at(next: u64, offset: u64) -> Self {
        Self {
            standing: AtomicU64::new(next),
            place: Mutex::new(Place {
                next,
                offset,
                ..Place::default()
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        // Every change under this lock is complete before anything could panic.
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of its piece.
    pub(crate) fn standing(&self) -> u64 {
        // Only a hint: callers that act on it take the lock.
        self.standing.load(Ordering::Relaxed)
    }

    /// Passes the next bytes to `write`, which returns how many it took and must not wait.
    pub(crate) fn advance(
        &self,
        ring: &Ring,
        most: usize,
        write: &mut dyn FnMut(&[Bytes]) -> io::Result<usize>,
    ) -> io::Result<Moved> {
        let mut place = self.lock();
        if place.held {
            return Ok(Moved::Waits);
        }
        if let Some(off) = place.off.take() {
            return Ok(Moved::Off(off));
        }
        let mut slices = Vec::new();
        let most = most.min(WRITE);
        if let Some((piece, at)) = &place.part {
            slices.push(piece.slice(*at..));
        }
        let parts = slices.len();
        let here = slices.first().map_or(0, Bytes::len);
        if here < most {
            match ring.slices(place.next, most - here, &mut slices) {
                Next::Closed => return Ok(Moved::Closed),
                _ if parts > 0 => {}
                Next::Here { time } => place.time = place.time.max(time),
                Next::Nothing => return Ok(Moved::Waits),
                Next::Gone => {
                    let Place { offset, time, .. } = *place;
                    return Ok(Moved::Lost { offset, time });
                }
                Next::Ended(end) => return Ok(Moved::Ended(end)),
            }
        }
        let wrote = write(&slices)?;
        let mut left = wrote;
        for (index, slice) in slices.iter().enumerate() {
            let whole = left >= slice.len();
            if left == 0 {
                break;
            }
            let of_part = index < parts;
            match (of_part, whole) {
                (true, true) => place.part = None,
                (true, false) => {
                    if let Some((_, at)) = &mut place.part {
                        *at += left;
                    }
                }
                (false, true) => {
                    place.next += 1;
                    place.offset += slice.len() as u64;
                }
                (false, false) => {
                    place.next += 1;
                    place.offset += slice.len() as u64;
                    place.part = Some((slice.clone(), left));
                }
            }
            left = left.saturating_sub(slice.len());
        }
        self.standing.store(place.standing(), Ordering::Relaxed);
        Ok(Moved::Wrote(wrote))
    }

    /// Stops the reader, if it is before a piece, so that it can be [taken off](Self::take_off).
    pub(crate) fn hold_before(&self, edge: u64) -> Option<Held> {
        let mut place = self.lock();
        if place.off.is_some() || place.held || place.standing() >= edge {
            return None;
        }
        place.held = true;
        Some(Held {
            standing: place.standing(),
            part: place.part.clone(),
        })
    }

    /// Takes off a reader that was stopped.
    pub(crate) fn take_off(&self, off: Off) {
        let mut place = self.lock();
        *place = Place {
            next: u64::MAX,
            off: Some(off),
            ..Place::default()
        };
        self.standing.store(u64::MAX, Ordering::Relaxed);
    }

    /// Puts a reader that was taken off back, before this piece.
    pub(crate) fn put_on(&self, next: u64, offset: u64) {
        let mut place = self.lock();
        *place = Place {
            next,
            offset,
            ..Place::default()
        };
        self.standing.store(next, Ordering::Relaxed);
    }
}

/// How many bytes a reader is behind the end of the stream.
pub(crate) fn lag(cursor: &Cursor, ring: &Ring) -> u64 {
    let standing = cursor.standing();
    let fill = ring.fill();
    match standing {
        u64::MAX => fill.offset,
        _ => fill.offset - ring.offset_of(standing).min(fill.offset),
    }
}
