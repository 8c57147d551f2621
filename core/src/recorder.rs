//! Flight recorder mode: the newest records are kept, whole, and the oldest are overwritten.
//!
//! There is no consumer. A reader looks at the memory from outside the program, perhaps after it was killed; so
//! everything needed for that is in the [`Storage`], and it is consistent at every moment:
//!
//! ```text
//!         head                                                     tail
//!   ..B==|==C==|==D==|=E=|~~~~~~F copying~~~~~~|====G====|..........|     positions
//!         `-- these would be overwritten first
//! ```
//!
//! * A producer that finds no room moves the head over as many whole records as it needs, then claims as always, by
//!   moving the tail. Head and tail are in the program's own memory: if something else writes to the words, in a file,
//!   claims stay in bounds and no position is claimed twice. The worst that can happen is that records are damaged or
//!   hidden, or, if it is the word at the head, that the recorder stops.
//! * The header word (a [`Stamp`]) is written twice: *claimed* before the first byte of payload, *committed* after the last.
//!   So a record that was cut off in the middle can be recognised.
//! * A word contains its lap. The words of overwritten records need not be cleared, and a reader finds the end of the
//!   claims by looking for the highest position: what is a whole ring before that has been overwritten.
//! * A record that is still being copied is never overwritten. If one is in the way, a push is refused and counted: its
//!   producer was stopped for a whole lap.
//!
//! # Invariants
//!
//! * **R1** Claims are disjoint: a granule between head and tail belongs to one record.
//! * **R2** The head passes only records that are settled, and only as many as a claim needs. (Another producer may be
//!   faster, and claim that room.)
//! * **R3** The copies into a granule happen one after the other: a record's copy happens-before the next one there.
//! * **R4** Before a byte of a record is written, the word that claims it is visible. So a reader that has copied a
//!   record, and then still finds no claim that reaches it, has copied what its producer wrote.
//! * **R5** A push is refused only because of a record that is still being copied: it was not settled when the refused
//!   producer last claimed one of the records that fill the ring. A refusal claims nothing and does not wait.
//!
//! # Memory ordering
//!
//! * **R3** is ordered by words and head. A producer reads the words it passes with Acquire (the commits are Release),
//!   then moves the head with Release; a producer that finds the head moved loads it with Acquire.
//! * **R4** is a sequence lock without a counter: *claimed* is stored, then a Release fence, then the payload. A reader that
//!   saw a byte of that payload, and then has an Acquire fence, sees the word.
//! * **The tail**, unlike in the other modes, is moved with Release and loaded with Acquire. A producer that sees the
//!   ring full sees what the producers that filled it had settled before: otherwise an old word or head could cause a
//!   refusal (R5). It is loaded after a head and never behind it, because the producer that moved that head had seen a
//!   tail at least as far.

use core::fmt;
use core::mem;

use crossbeam_utils::CachePadded;

use crate::GRANULE;
use crate::bug::{bug, unless_bug};
use crate::claim::PushError;
use crate::counters::{SharedTally, Tally};
use crate::granule::Span;
use crate::layout::{HeaderWord, Position, payload_granules};
use crate::shim::{AtomicU64, Ordering, const_unless_loom, fence, pause};
use crate::stamp::{Stamp, StampState};
use crate::storage::Storage;

/// Both ends, on one cache line.
struct Ends {
    /// Next position to claim.
    tail: AtomicU64,
    /// The oldest record that is still there.
    head: AtomicU64,
}

/// Counts of what a recorder no longer has, in memory of the caller, so that they can be stored with the records.
///
/// Each number is exact, but they are not all of the same instant.
#[repr(C)]
#[derive(Debug)]
pub struct RecorderCounters {
    overwritten: SharedTally,
    refused: SharedTally,
}

impl RecorderCounters {
    const_unless_loom! {
        /// All zero.
        pub fn new() -> Self {
            Self {
                overwritten: SharedTally::new(),
                refused: SharedTally::new(),
            }
        }
    }

    /// Records that made room for newer ones.
    pub fn overwritten(&self) -> Tally {
        self.overwritten.read()
    }

    /// Records that were not accepted.
    pub fn refused(&self) -> Tally {
        self.refused.read()
    }
}

impl Default for RecorderCounters {
    fn default() -> Self {
        Self::new()
    }
}

/// A ring that keeps the newest records. See the [module](self) for how.
///
/// Any number of threads may push at the same time. No method waits, allocates, locks or calls the system, so all of them
/// may be called in a signal handler, also in one that interrupts another push of the same thread.
///
/// # Examples
/// ```
/// use eventlog_ring::{Granule, HeaderWord, Recorder, RecorderCounters, Storage};
///
/// let mut headers = [HeaderWord::ZERO; 4];
/// let mut granules = [Granule::ZERO; 4];
/// let counters = RecorderCounters::new();
/// let mut recorder = Recorder::new(Storage::new(&mut headers, &mut granules)?, &counters);
///
/// for n in 0..6 {
///     recorder.push(&[n; 64])?;
/// }
/// let mut kept = Vec::new();
/// recorder.for_each(|record| kept.push(record.slices().0[0]));
/// assert_eq!(kept, [2, 3, 4, 5]);
/// assert_eq!(counters.overwritten().records, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Recorder<'a> {
    storage: Storage<'a>,
    ends: CachePadded<Ends>,
    counters: &'a RecorderCounters,
}

/// The result of trying to make room.
enum Room {
    Made,
    /// Another producer has moved the head meanwhile.
    Moved,
    /// A record that is being copied is in the way.
    Blocked,
}

impl<'a> Recorder<'a> {
    /// A recorder that has recorded nothing.
    pub fn new(storage: Storage<'a>, counters: &'a RecorderCounters) -> Self {
        Self {
            storage,
            ends: CachePadded::new(Ends {
                tail: AtomicU64::new(0),
                head: AtomicU64::new(0),
            }),
            counters,
        }
    }

    /// Bytes of granules. A record takes its length rounded up to [`GRANULE`], at least one granule.
    pub fn capacity(&self) -> usize {
        self.storage.granules() as usize * GRANULE
    }

    /// The counters it was made with.
    pub fn counters(&self) -> &'a RecorderCounters {
        self.counters
    }

    /// Records a chunk, overwriting the oldest records if needed.
    ///
    /// # Errors
    /// [`PushError::Full`] if a record that has been in copying for a whole lap is in the way, [`PushError::Oversize`]
    /// if the chunk is larger than the ring. Both are counted.
    #[inline]
    pub fn push(&self, chunk: &[u8]) -> Result<(), PushError> {
        let claim = self.admit(chunk.len())?;
        // SAFETY: the granules are of our claim, which is not settled (R1).
        unsafe {
            self.storage
                .span(claim.position, chunk.len())
                .write(0, chunk)
        };
        claim.settle(StampState::Committed);
        Ok(())
    }

    /// Claims room for a record, to be written in place.
    ///
    /// # Errors
    /// As for [`push`](Self::push).
    #[inline]
    pub fn reserve(&self, len: usize) -> Result<Recording<'_, 'a>, PushError> {
        let claim = self.admit(len)?;
        Ok(Recording {
            recorder: self,
            claim,
        })
    }

    /// Claims room for `len` bytes, and announces the claim in its header word.
    #[inline]
    fn admit(&self, len: usize) -> Result<Claim<'a>, PushError> {
        let granules = self.storage.granules();
        let need = payload_granules(len);
        let (bytes, position) = match u32::try_from(len) {
            Ok(bytes) if need <= granules => match self.claim(need) {
                Some(position) => (bytes, position),
                None => return Err(self.refuse(PushError::Full, len)),
            },
            _ => return Err(self.refuse(PushError::Oversize, len)),
        };
        let claim = Claim {
            position,
            word: Stamp::word(StampState::Claimed, position, granules, bytes),
            header: self.storage.header(position),
        };
        if !bug!("unannounced_claim") {
            // Release pairs with the Acquire in `make_room`: a producer that finds this word instead of the record it
            // expected also finds the head moved.
            let order = unless_bug!("relaxed_announcement", Ordering::Release);
            claim.header.0.store(claim.word, order);
        }
        if !bug!("no_claim_fence") {
            // Pairs with the Acquire fence of a reader after its copy: a reader that saw a byte of what we write next
            // sees the word (R4).
            fence(Ordering::Release);
        }
        Ok(claim)
    }

    /// Claims `need` granules, at most as many as the ring has. `None` if a record that is being copied is in the way.
    ///
    /// Lock-free: an attempt is repeated only when another producer has moved an end, and never waits for one that is stopped.
    #[inline]
    fn claim(&self, need: u64) -> Option<Position> {
        let capacity = self.storage.granules();
        loop {
            // Acquire pairs with the Release in `make_room`: the copies of all records before this head happen-before ours
            // (R3), and so does the load of a tail that was not behind it.
            let order = unless_bug!("relaxed_oldest", Ordering::Acquire);
            let head = self.ends.head.load(order);
            // Acquire pairs with the Release below: what earlier producers had settled before they claimed is settled
            // for us, too (R5).
            let order = unless_bug!("relaxed_tail", Ordering::Acquire);
            let tail = self.ends.tail.load(order);
            let wanted = (tail + need).saturating_sub(capacity);
            if wanted > head {
                match self.make_room(head, wanted, tail) {
                    Room::Made => {}
                    Room::Moved => {
                        pause();
                        continue;
                    }
                    Room::Blocked => return None,
                }
            }
            // Claims are disjoint (R1) because the exchange is on a single word, as in the other modes. Release pairs
            // with the Acquire above.
            let order = unless_bug!("relaxed_claim", Ordering::Release);
            let claimed =
                self.ends
                    .tail
                    .compare_exchange_weak(tail, tail + need, order, Ordering::Relaxed);
            if claimed.is_ok() {
                return Some(tail);
            }
            pause();
        }
    }

    /// Moves the head over whole records until it is at `wanted` or behind it, or leaves it where it is.
    #[inline]
    fn make_room(&self, head: Position, wanted: Position, tail: Position) -> Room {
        let granules = self.storage.granules();
        let (mut position, mut gone) = (head, Tally::default());
        while position < wanted {
            // Acquire pairs with the Release in `settle`: the copy of that record happens-before ours (R3).
            let order = unless_bug!("relaxed_passing", Ordering::Acquire);
            let word = self.storage.header(position).0.load(order);
            let record = Stamp::settled(word, position, granules)
                .map(|(len, whole)| (len, whole, position + payload_granules(len as usize)));
            match record {
                // Records cover everything between head and tail. A word that says otherwise was not written by us.
                Some((len, whole, end)) if end <= tail => {
                    if whole {
                        gone.add(u64::from(len));
                    }
                    position = end;
                }
                // Relaxed: if the word is one of a later lap, its Release has also published the head that made it
                // possible.
                _ if self.ends.head.load(Ordering::Relaxed) != head => return Room::Moved,
                _ => return Room::Blocked,
            }
        }
        // Release pairs with the Acquire in `claim`: it passes on what was acquired from the records.
        let order = unless_bug!("relaxed_forgetting", Ordering::Release);
        let moved = self
            .ends
            .head
            .compare_exchange(head, position, order, Ordering::Relaxed);
        if moved.is_err() {
            return Room::Moved;
        }
        self.counters.overwritten.add(gone);
        Room::Made
    }

    #[cold]
    fn refuse(&self, error: PushError, len: usize) -> PushError {
        self.count_refusal(len);
        error
    }

    /// Counts a chunk of `len` bytes as refused, for a caller that decided not to push it.
    pub fn count_refusal(&self, len: usize) {
        self.counters.refused.add(Tally {
            records: 1,
            bytes: len as u64,
        });
    }

    /// The stamps as they are now, including those of overwritten records, in no particular order: what a reader sees
    /// that looks at the memory from outside.
    pub fn stamps(&self) -> impl Iterator<Item = Stamp> {
        let granules = self.storage.granules();
        (0..granules).filter_map(move |granule| {
            // Acquire pairs with the Release in `settle`: the payload of a committed record can be read next.
            let order = unless_bug!("relaxed_stamps", Ordering::Acquire);
            let word = self.storage.header(granule).0.load(order);
            Stamp::read(word, granule as usize, granules as usize)
        })
    }

    /// Hands over the records that are there, oldest first. Skips those aborted or [forgotten](mem::forget).
    pub fn for_each(&mut self, mut take: impl FnMut(Recorded<'_>)) {
        let granules = self.storage.granules();
        // Relaxed: the recorder is borrowed uniquely.
        let tail = self.ends.tail.load(Ordering::Relaxed);
        let mut position = self.ends.head.load(Ordering::Relaxed);
        while position < tail {
            // Acquire pairs with the Release in `settle`.
            let word = self.storage.header(position).0.load(Ordering::Acquire);
            match Stamp::at(word, position, granules) {
                Some(stamp) if stamp.end() <= tail => {
                    if stamp.state == StampState::Committed {
                        take(Recorded(self.storage.span(position, stamp.len as usize)));
                    }
                    position = stamp.end();
                }
                // No push is in progress, so every claim is announced: this word was not written by us.
                _ => position += 1,
            }
        }
    }
}

impl fmt::Debug for Recorder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: for display only.
        f.debug_struct("Recorder")
            .field("storage", &self.storage)
            .field("head", &self.ends.head.load(Ordering::Relaxed))
            .field("tail", &self.ends.tail.load(Ordering::Relaxed))
            .field("counters", &self.counters)
            .finish()
    }
}

/// Granules that only one producer may access until it settles them.
struct Claim<'a> {
    position: Position,
    /// The word that announces the claim.
    word: u64,
    /// The header of the first granule.
    header: &'a HeaderWord,
}

impl Claim<'_> {
    #[inline]
    fn settle(&self, state: StampState) {
        // Release pairs with the Acquire in `make_room`, and with that of a reader: the payload happens-before whatever
        // is done with the record.
        let order = unless_bug!("relaxed_settling", Ordering::Release);
        let word = Stamp::in_state(self.word, state);
        self.header.0.store(word, order);
    }

    #[inline]
    fn len(&self) -> usize {
        Stamp::len_of(self.word)
    }
}

/// Room for one record, to be filled and [committed](Self::commit). Dropped without that, it is aborted.
///
/// Until then no record that was claimed later can be overwritten: if it is leaked ([`mem::forget`]), the recorder
/// refuses everything after one lap.
#[must_use = "a recording that is dropped is aborted"]
pub struct Recording<'r, 'a> {
    recorder: &'r Recorder<'a>,
    claim: Claim<'a>,
}

impl Recording<'_, '_> {
    /// Granules that were claimed before this record since the recorder was made.
    pub fn position(&self) -> u64 {
        self.claim.position
    }

    /// Copies `bytes` to `offset`.
    ///
    /// # Panics
    /// If they do not fit.
    #[inline]
    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        let span = self
            .recorder
            .storage
            .span(self.claim.position, self.claim.len());
        // SAFETY: this is the only handle of its claim, and not settled, because settling consumes it (R1).
        unsafe { span.write(offset, bytes) }
    }

    /// Commits the record: it is now whole.
    #[inline]
    pub fn commit(self) {
        self.claim.settle(StampState::Committed);
        mem::forget(self);
    }
}

impl Drop for Recording<'_, '_> {
    fn drop(&mut self) {
        self.claim.settle(StampState::Aborted);
    }
}

impl fmt::Debug for Recording<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("position", &self.claim.position)
            .field("len", &self.claim.len())
            .finish_non_exhaustive()
    }
}

/// A record that was kept, see [`Recorder::for_each`].
pub struct Recorded<'a>(Span<'a>);

#[allow(clippy::len_without_is_empty, reason = "a record is looked at whole")]
impl<'a> Recorded<'a> {
    /// Bytes of payload.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Copies from `offset` on into `bytes`.
    ///
    /// # Panics
    /// If the record has fewer bytes.
    pub fn copy_to(&self, offset: usize, bytes: &mut [u8]) {
        // SAFETY: committed, seen with Acquire, and `for_each` borrows the recorder uniquely: no producer is active.
        unsafe { self.0.read(offset, bytes) }
    }

    /// The record in place, in two parts of which the second is empty unless it wraps around the end of the ring.
    #[cfg(not(loom))]
    pub fn slices(&self) -> (&'a [u8], &'a [u8]) {
        // SAFETY: as in `copy_to`.
        unsafe { self.0.slices() }
    }
}

impl fmt::Debug for Recorded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
