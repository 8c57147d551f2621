//! Where a reader stands in the ring.

use crate::ring::{End, Next, Ring};
use bytes::Bytes;
use eventlog_state::{Position, Snapshot};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How much is written at a time.
const WRITE: usize = 256 << 10;

/// One reader's place. The reader moves it; the thread of the fold takes the reader off the ring
/// when the place is about to be lost.
#[derive(Debug)]
pub(crate) struct Cursor {
    /// The piece where the reader stands, for those who only look.
    standing: AtomicU64,
    place: Mutex<Place>,
}

#[derive(Debug, Default)]
struct Place {
    /// The piece to be read next, and where it begins, in bytes of the stream.
    next: u64,
    offset: u64,
    /// The latest time of what was here to be read.
    time: u64,
    /// The one before it, if only a part of it was read, and how much.
    part: Option<(Bytes, usize)>,
    /// The reader must not move: it is being taken off.
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
    /// What it has to get first, so that nothing is torn apart: the rest of an event, and events
    /// that fill up the block.
    pub(crate) rest: Rest,
    /// What it knows then. `None`: it cannot be, or is not to be, brought up to date.
    pub(crate) knows: Option<Box<KnownState>>,
    /// Where it left the stream, and when that was.
    pub(crate) offset: u64,
    pub(crate) time: u64,
}

/// What a reader knows that was taken off.
#[derive(Debug)]
pub(crate) struct KnownState {
    pub(crate) state: Snapshot,
    pub(crate) position: Position,
}

/// The end of a block that a reader has got a part of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rest {
    pub(crate) bytes: Bytes,
    pub(crate) fill: Bytes,
    /// How often the fill is to be repeated, and what comes then.
    pub(crate) times: usize,
    pub(crate) last: Bytes,
}

impl Rest {
    /// Bytes of events that are filled up in place of those that are missing.
    pub(crate) fn filled(&self) -> u64 {
        (self.fill.len() * self.times + self.last.len()) as u64
    }

    /// All of it, in order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Bytes> {
        let fill = std::iter::repeat_n(&self.fill, self.times);
        [&self.bytes].into_iter().chain(fill).chain([&self.last])
    }
}

/// A place to take a reader off.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) standing: u64,
    pub(crate) part: Option<(Bytes, usize)>,
}

/// How far a reader got.
#[derive(Debug)]
pub(crate) enum Moved {
    /// So many bytes.
    Wrote(usize),
    /// There is nothing to read for now.
    Waits,
    /// It was taken off.
    Off(Off),
    /// It is too late for that, even.
    Lost {
        offset: u64,
        time: u64,
    },
    Ended(End),
    Closed,
}

impl Cursor {
    /// A reader that is to read this piece next, which begins there.
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
        // Nothing is ever left half done under this lock.
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The piece where it stands.
    pub(crate) fn standing(&self) -> u64 {
        // A hint: callers that act on it take the lock.
        self.standing.load(Ordering::Relaxed)
    }

    /// Hands what is next to `write`, which says how much it took. That must not wait.
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

    /// Keeps the reader where it is, if that is before a piece: to be [taken off](Self::take_off).
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

    /// Takes a reader off that is held.
    pub(crate) fn take_off(&self, off: Off) {
        let mut place = self.lock();
        *place = Place {
            next: u64::MAX,
            off: Some(off),
            ..Place::default()
        };
        self.standing.store(u64::MAX, Ordering::Relaxed);
    }

    /// Puts a reader that was taken off before this piece.
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

/// How many bytes lie between a reader and the end of the stream.
pub(crate) fn lag(cursor: &Cursor, ring: &Ring) -> u64 {
    let standing = cursor.standing();
    let fill = ring.fill();
    match standing {
        u64::MAX => fill.offset,
        _ => fill.offset - ring.offset_of(standing).min(fill.offset),
    }
}
