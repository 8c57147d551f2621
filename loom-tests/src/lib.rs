//! What the models in `tests/` share. Without `--cfg loom` there is nothing here, and nothing there.
//!
//! Each model makes a small ring, lets two or three threads loose on it, and looks at everything that came out. Loom runs
//! it once for every order that the memory model allows, within the bound on preemptions. `run.sh` runs them all.
#![cfg(loom)]

use std::ptr::NonNull;

use eventlog_ring::{Granule, HeaderWord, Record, Ring, Storage};

/// A ring on the heap, to be lent to threads.
#[derive(Debug)]
pub struct Bed {
    headers: NonNull<[HeaderWord]>,
    granules: NonNull<[Granule]>,
    ring: NonNull<Ring<'static>>,
}

impl Bed {
    /// A ring of so many granules.
    pub fn new(granules: usize) -> Self {
        let headers: &'static mut [_] =
            Box::leak((0..granules).map(|_| HeaderWord::new()).collect());
        let cells: &'static mut [_] = Box::leak((0..granules).map(|_| Granule::new()).collect());
        let (header_memory, cell_memory) =
            (NonNull::from(&mut *headers), NonNull::from(&mut *cells));
        let ring = Ring::new(Storage::new(headers, cells).expect("a power of two"));
        Self {
            headers: header_memory,
            granules: cell_memory,
            ring: NonNull::from(Box::leak(Box::new(ring))),
        }
    }

    /// The ring, as if it lived for ever: loom's threads cannot borrow.
    ///
    /// # Safety
    /// Called once, and everything borrowed from the ring is gone before the bed is.
    #[allow(clippy::mut_from_ref, reason = "called once")]
    pub unsafe fn ring(&self) -> &'static mut Ring<'static> {
        // SAFETY: leaked above, unique as the caller asks only once.
        unsafe { &mut *self.ring.as_ptr() }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Other threads of the model may still be using it.
            return;
        }
        // SAFETY: all three were leaked from boxes above, and the caller of `ring` has promised that nobody uses them.
        unsafe {
            drop(Box::from_raw(self.ring.as_ptr()));
            drop(Box::from_raw(self.headers.as_ptr()));
            drop(Box::from_raw(self.granules.as_ptr()));
        }
    }
}

/// A chunk that tells who made it and which one it is in every byte.
pub fn chunk(producer: u8, n: u8, len: usize) -> Vec<u8> {
    vec![producer << 4 | n; len]
}

/// Producer and number of a record, which must be whole.
pub fn whole(record: &Record<'_>) -> (u8, u8) {
    let mut bytes = vec![0; record.len()];
    record.copy_to(0, &mut bytes);
    let first = *bytes.first().expect("models push no empty records");
    assert!(bytes.iter().all(|&byte| byte == first), "torn: {bytes:?}");
    (first >> 4, first & 15)
}
