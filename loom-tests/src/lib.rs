//! What the models in `tests/` share. Without `--cfg loom` this crate and its tests are empty.
//!
//! Each model makes a small ring, runs two or three threads on it, and checks everything that came out. Loom runs it
//! once for every order that the memory model allows, within the bound on preemptions. `run.sh` runs them all, and
//! breaks the ring in one place after the other to check that the models notice.
#![cfg(loom)]

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use eventlog_ring::{Granule, HeaderWord, Record, Recorder, RecorderCounters, Ring, Storage};
use loom::cell::UnsafeCell;

/// The outcomes that the executions of one model had. Kept outside loom, across executions.
#[derive(Debug)]
pub struct Outcomes {
    expected: &'static [&'static str],
    /// One bit for each outcome.
    seen: AtomicU64,
}

impl Outcomes {
    /// Records that this execution had one of the expected outcomes.
    pub fn saw(&self, outcome: &str) {
        let bit = self.expected.iter().position(|&name| name == outcome);
        let bit = bit.unwrap_or_else(|| panic!("not in the list of outcomes: {outcome}"));
        self.seen.fetch_or(1 << bit, Relaxed);
    }
}

/// Runs a model in every order. Each of the `expected` outcomes must come up in at least one of them: a model of a full ring
/// whose ring never gets full would show nothing.
pub fn explore(
    expected: &'static [&'static str],
    model: impl Fn(&'static Outcomes) + Send + Sync + 'static,
) {
    // Leaked, because loom's threads cannot borrow: once per model, not per execution.
    let outcomes: &'static Outcomes = Box::leak(Box::new(Outcomes {
        expected,
        seen: AtomicU64::new(0),
    }));
    let executions: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(0)));
    let started = Instant::now();
    loom::model(move || {
        executions.fetch_add(1, Relaxed);
        model(outcomes);
    });
    for (bit, outcome) in expected.iter().enumerate() {
        let seen = outcomes.seen.load(Relaxed) & 1 << bit != 0;
        assert!(seen, "no execution had this outcome: {outcome}");
    }
    let name = std::thread::current();
    println!(
        "{}: {} executions, {:.1} s",
        name.name().unwrap_or("a model"),
        executions.load(Relaxed),
        started.elapsed().as_secs_f64()
    );
}

/// A ring or recorder with its memory, on the heap, so that it can be lent to threads.
#[derive(Debug)]
pub struct RingMemory<T = Ring<'static>> {
    headers: NonNull<[HeaderWord]>,
    granules: NonNull<[Granule]>,
    /// `None` unless it is a recorder.
    counters: Option<NonNull<RecorderCounters>>,
    occupant: NonNull<T>,
}

/// Allocates the memory of a ring, which is leaked.
fn storage(granules: usize) -> (NonNull<[HeaderWord]>, NonNull<[Granule]>, Storage<'static>) {
    let headers: &'static mut [_] = Box::leak((0..granules).map(|_| HeaderWord::new()).collect());
    let cells: &'static mut [_] = Box::leak((0..granules).map(|_| Granule::new()).collect());
    (
        NonNull::from(&mut *headers),
        NonNull::from(&mut *cells),
        Storage::new(headers, cells).expect("a power of two"),
    )
}

impl RingMemory {
    /// A ring of `granules` granules.
    pub fn new(granules: usize) -> Self {
        let (headers, granules, storage) = storage(granules);
        Self {
            headers,
            granules,
            counters: None,
            occupant: NonNull::from(Box::leak(Box::new(Ring::new(storage)))),
        }
    }

    /// The ring, with a static lifetime: loom's threads cannot borrow.
    ///
    /// # Safety
    /// Called once, and everything borrowed from the ring is gone before the memory is.
    #[allow(clippy::mut_from_ref, reason = "called once")]
    pub unsafe fn ring(&self) -> &'static mut Ring<'static> {
        // SAFETY: leaked above, unique as the caller asks only once.
        unsafe { &mut *self.occupant.as_ptr() }
    }
}

impl RingMemory<Recorder<'static>> {
    /// A recorder of `granules` granules.
    pub fn recording(granules: usize) -> Self {
        let (headers, granules, storage) = storage(granules);
        let counters = NonNull::from(Box::leak(Box::new(RecorderCounters::new())));
        // SAFETY: leaked in the line above, and never borrowed uniquely again.
        let recorder = Recorder::new(storage, unsafe { counters.as_ref() });
        Self {
            headers,
            granules,
            counters: Some(counters),
            occupant: NonNull::from(Box::leak(Box::new(recorder))),
        }
    }

    /// The recorder, with a static lifetime.
    ///
    /// # Safety
    /// What is borrowed from it is gone before the memory is, and before [`kept`](Self::kept) is called.
    pub unsafe fn recorder(&self) -> &'static Recorder<'static> {
        // SAFETY: leaked above, borrowed uniquely only after the last use of this.
        unsafe { &*self.occupant.as_ptr() }
    }

    /// Producer and number of the records that are in the recorder, oldest first, all of them whole.
    ///
    /// # Safety
    /// Nothing borrowed from the recorder is left.
    pub unsafe fn kept(&mut self) -> Vec<(u8, u8)> {
        // SAFETY: as the caller promises.
        let recorder = unsafe { &mut *self.occupant.as_ptr() };
        let mut kept = Vec::new();
        recorder.for_each(|record| {
            let mut bytes = vec![0; record.len()];
            record.copy_to(0, &mut bytes);
            kept.push(untorn(&bytes));
        });
        kept
    }
}

impl<T> Drop for RingMemory<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Other threads of the model may still be using it.
            return;
        }
        // SAFETY: all of them were leaked from boxes above, and callers that borrowed the occupant have promised that
        // it is no longer used.
        unsafe {
            drop(Box::from_raw(self.occupant.as_ptr()));
            drop(Box::from_raw(self.headers.as_ptr()));
            drop(Box::from_raw(self.granules.as_ptr()));
            if let Some(counters) = self.counters {
                drop(Box::from_raw(counters.as_ptr()));
            }
        }
    }
}

/// A flag without any ordering of its own: it is ordered only by what the ring guarantees. Loom fails a model that
/// reads it while it may still be written.
#[derive(Debug)]
pub struct PlainFlag(UnsafeCell<bool>);

// SAFETY: accessed through loom alone, which fails the model on concurrent accesses.
unsafe impl Sync for PlainFlag {}

impl PlainFlag {
    /// A flag that is not set.
    #[allow(clippy::new_without_default, reason = "of no use")]
    pub fn new() -> Self {
        Self(UnsafeCell::new(false))
    }

    /// Sets the flag.
    pub fn set(&self) {
        // SAFETY: no other access at the same time, or loom fails the model.
        self.0.with_mut(|done| unsafe { *done = true });
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        // SAFETY: not being written, or loom fails the model.
        self.0.with(|done| unsafe { *done })
    }
}

/// A chunk of which every byte contains its producer and its number.
pub fn chunk(producer: u8, n: u8, len: usize) -> Vec<u8> {
    vec![producer << 4 | n; len]
}

/// Producer and number of a record, which must be whole.
pub fn whole(record: &Record<'_>) -> (u8, u8) {
    let mut bytes = vec![0; record.len()];
    record.copy_to(0, &mut bytes);
    untorn(&bytes)
}

fn untorn(bytes: &[u8]) -> (u8, u8) {
    let first = *bytes.first().expect("models push no empty records");
    assert!(bytes.iter().all(|&byte| byte == first), "torn: {bytes:?}");
    (first >> 4, first & 15)
}

/// The numbers of one producer's records, in the order they came out.
pub fn numbers(seen: &[(u8, u8)], producer: u8) -> Vec<u8> {
    let of = |&(who, n): &(u8, u8)| (who == producer).then_some(n);
    seen.iter().filter_map(of).collect()
}
